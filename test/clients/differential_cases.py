"""The requests of the differential test: one table, from which all of them are made.

A case is (name, place, method, pairs, more). Values in {braces} stand for something that the
server under test gave shortly before: a code, a token, a pushed request.
"""

CALLBACK = "https://rp.example/cb"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
WORDS = "openid profile email offline_access read write"
ABSENT = None
GRANTS = ["authorization_code", "refresh_token"]

# name: (secret or None, how it authenticates, grants)
CLIENTS = {
    "web": ("web-secret-web-secret-web", "client_secret_basic", GRANTS + ["client_credentials"]),
    "poster": ("poster-secret-poster-secret", "client_secret_post", GRANTS),
    "spa": (None, "none", GRANTS),
    "machine": ("machine-secret-machine-secret", "client_secret_basic", ["client_credentials"]),
}

# What is sent when nothing is said.
AUTHORIZATION = {"client_id": "web", "redirect_uri": CALLBACK, "response_type": "code",
                 "scope": "openid read", "state": "st-1", "nonce": "n-1",
                 "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
TOKEN = {
    "code": {"grant_type": "authorization_code", "code": "{code}", "redirect_uri": CALLBACK,
             "code_verifier": VERIFIER},
    "refresh": {"grant_type": "refresh_token", "refresh_token": "{refresh_token}"},
    "machine": {"grant_type": "client_credentials", "scope": "read"},
}

# Changes to an authorization request: at the endpoint by GET and POST, and pushed.
CHANGES = {
    "good": {},
    "no-client": {"client_id": ABSENT},
    "empty-client": {"client_id": ""},
    "unknown-client": {"client_id": "nobody"},
    "client-of-no-code": {"client_id": "machine"},
    "no-redirect": {"redirect_uri": ABSENT},
    "other-redirect": {"redirect_uri": "https://evil.example/cb"},
    "redirect-slash": {"redirect_uri": CALLBACK + "/"},
    "redirect-query": {"redirect_uri": CALLBACK + "?x=1"},
    "redirect-fragment": {"redirect_uri": CALLBACK + "#x"},
    "redirect-case": {"redirect_uri": "https://RP.example/cb"},
    "redirect-script": {"redirect_uri": "javascript:alert(1)"},
    "no-response-type": {"response_type": ABSENT},
    "empty-response-type": {"response_type": ""},
    "implicit": {"response_type": "token"},
    "id-token": {"response_type": "id_token"},
    "hybrid": {"response_type": "code id_token"},
    "response-type-none": {"response_type": "none"},
    "nonsense-response-type": {"response_type": "nonsense"},
    "no-scope": {"scope": ABSENT},
    "no-openid": {"scope": "read"},
    "unknown-scope": {"scope": "openid nonsense"},
    "scope-quote": {"scope": "openid \"read\""},
    "no-state": {"state": ABSENT},
    "empty-state": {"state": ""},
    "strange-state": {"state": "a b&c=d\"<'é"},
    "no-nonce": {"nonce": ABSENT},
    "no-challenge": {"code_challenge": ABSENT},
    "plain": {"code_challenge_method": "plain"},
    "no-method": {"code_challenge_method": ABSENT},
    "method-alone": {"code_challenge": ABSENT, "code_challenge_method": "S256"},
    "nonsense-method": {"code_challenge_method": "S512"},
    "short-challenge": {"code_challenge": "short"},
    "long-challenge": {"code_challenge": "a" * 129},
    "strange-challenge": {"code_challenge": CHALLENGE[:-1] + "="},
    "form-post": {"response_mode": "form_post"},
    "fragment": {"response_mode": "fragment"},
    "query": {"response_mode": "query"},
    "nonsense-mode": {"response_mode": "nonsense"},
    "prompt-none": {"prompt": "none"},
    "prompt-none-form-post": {"prompt": "none", "response_mode": "form_post"},
    "prompt-none-login": {"prompt": "none login"},
    "prompt-login": {"prompt": "login"},
    "prompt-consent": {"prompt": "consent"},
    "prompt-nonsense": {"prompt": "nonsense"},
    "max-age": {"max_age": "60"},
    "max-age-0": {"max_age": "0"},
    "max-age-negative": {"max_age": "-1"},
    "max-age-nonsense": {"max_age": "soon"},
    "acr": {"acr_values": "urn:jeton:acr:1fa"},
    "ui-locales": {"ui_locales": "de"},
    "login-hint": {"login_hint": "alice"},
    "display": {"display": "page"},
    "id-token-hint": {"id_token_hint": "not.a.jwt"},
    "claims": {"claims": '{"id_token":{"email":null}}'},
    "claims-broken": {"claims": '{"id_token":'},
    "claims-no-object": {"claims": "[]"},
    "request": {"request": "not.a.jwt"},
    "request-uri": {"request_uri": "https://rp.example/r"},
    "request-uri-unknown": {"request_uri": "urn:ietf:params:oauth:request_uri:nothing"},
    "registration": {"registration": "{}"},
    "resource": {"resource": "https://nobody.example"},
    "resource-nonsense": {"resource": "not a uri"},
    "unknown-parameter": {"nonsense": "1"},
    "dpop-jkt": {"dpop_jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
    "dpop-jkt-short": {"dpop_jkt": "short"},
}
TWICE = ["client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge",
         "response_mode"]

# With somebody signed in who allowed "openid read" before.
SIGNED_IN = ["good", "prompt-none", "prompt-none-form-post", "form-post", "no-nonce", "no-state",
             "prompt-consent", "prompt-login", "max-age-0", "max-age", "unknown-scope", "implicit",
             "no-challenge", "strange-state", "prompt-none-login"]
BY_POST = ["good", "no-client", "unknown-client", "other-redirect", "no-response-type", "implicit",
           "unknown-scope", "no-challenge", "plain", "prompt-none", "request-uri", "form-post",
           "max-age-nonsense", "registration", "claims-broken"]
PUSHED = [name for name in CHANGES if name not in
          ("no-client", "empty-client", "unknown-client", "client-of-no-code", "hybrid",
           "redirect-case", "redirect-query", "query", "ui-locales", "display", "login-hint",
           "nonsense-response-type", "strange-state", "empty-state")]

# What is wrong with the client's authentication; each needs a client of its own to guess at.
AUTHENTICATION = {
    "none": {"auth": None},
    "wrong-secret": {"auth": ("basic", "{guess}", "wrong")},
    "unknown": {"auth": ("basic", "nobody", "wrong")},
    "by-post": {"auth": ("post", "web", CLIENTS["web"][0])},
    "by-basic": {"auth": ("basic", "poster", CLIENTS["poster"][0])},
    "twice": {"auth": ("both", "web", CLIENTS["web"][0])},
    "id-alone": {"auth": ("id", "web", None)},
    "other-id": {"auth": ("basic", "web", CLIENTS["web"][0]), "add": [("client_id", "spa")]},
    "no-base64": {"headers": [("Authorization", "Basic !!!")]},
    "no-colon": {"headers": [("Authorization", "Basic d2Vi")]},
    "bearer": {"headers": [("Authorization", "Bearer x")]},
    "assertion": {"auth": None, "add": [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "a.b.c")]},
    "assertion-of-unknown": {"auth": ("id", "nobody", None), "add": [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "a.b.c")]},
}

TOKEN_CHANGES = {
    "code": {
        "good": {}, "spent": {"code": "{spent_code}"}, "no-code": {"code": ABSENT},
        "empty-code": {"code": ""}, "unknown-code": {"code": "x" * 43},
        "strange-code": {"code": "é\"'"},
        "no-verifier": {"code_verifier": ABSENT}, "wrong-verifier": {"code_verifier": "x" * 43},
        "short-verifier": {"code_verifier": "x"}, "strange-verifier": {"code_verifier": "+" * 43},
        "long-verifier": {"code_verifier": "x" * 129},
        "no-redirect": {"redirect_uri": ABSENT},
        "other-redirect": {"redirect_uri": "https://rp.example/other"},
        "code-of-other": {"code": "{spa_code}"}, "scope": {"scope": "read"},
        "resource": {"resource": "https://nobody.example"},
    },
    "refresh": {
        "good": {}, "spent": {"refresh_token": "{spent_refresh_token}"},
        "no-token": {"refresh_token": ABSENT}, "unknown": {"refresh_token": "x" * 43},
        "of-other": {"refresh_token": "{spa_refresh_token}"},
        "access-token": {"refresh_token": "{access_token}"}, "narrower": {"scope": "openid"},
        "wider": {"scope": "openid read write"}, "unknown-scope": {"scope": "nonsense"},
        "empty-scope": {"scope": ""}, "resource": {"resource": "https://nobody.example"},
    },
    "machine": {
        "good": {}, "no-scope": {"scope": ABSENT}, "unknown-scope": {"scope": "nonsense"},
        "openid": {"scope": "openid"}, "two": {"scope": "read write"},
        "offline": {"scope": "offline_access"}, "resource": {"resource": "https://nobody.example"},
    },
}
OTHER_TOKEN_REQUESTS = {
    "no-grant-type": {}, "empty-grant-type": {"grant_type": ""},
    "unknown-grant-type": {"grant_type": "nonsense"},
    "password": {"grant_type": "password", "username": "alice", "password": "x"},
    "implicit": {"grant_type": "implicit"},
    "saml": {"grant_type": "urn:ietf:params:oauth:grant-type:saml2-bearer", "assertion": "x"},
    "device": {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "x"},
}


def authorization_pairs(changes):
    return [(name, value) for name, value in {**AUTHORIZATION, **changes}.items()
            if value is not ABSENT]


def authorization_cases():
    for name, changes in CHANGES.items():
        yield f"authorize/{name}", "authorization", "GET", authorization_pairs(changes), {}
    for name in BY_POST:
        yield (f"authorize-post/{name}", "authorization", "POST",
               authorization_pairs(CHANGES[name]), {})
    for name in TWICE:
        value = {**AUTHORIZATION, "response_mode": "query"}[name]
        first = {"response_mode": "query"} if name == "response_mode" else {}
        yield (f"authorize/twice-{name}", "authorization", "GET",
               authorization_pairs(first) + [(name, value)], {})
    for name in SIGNED_IN:
        yield (f"signed-in/{name}", "authorization", "GET", authorization_pairs(CHANGES[name]),
               {"signed_in": True})
    yield ("authorize/pushed", "authorization", "GET",
           [("client_id", "web"), ("request_uri", "{request_uri}")], {})
    yield ("authorize/pushed-of-other", "authorization", "GET",
           [("client_id", "spa"), ("request_uri", "{request_uri}")], {})
    yield ("authorize/public", "authorization", "GET", authorization_pairs({"client_id": "spa"}),
           {})


def pushed_cases():
    for name in PUSHED:
        yield (f"push/{name}", "pushed_authorization_request", "POST",
               authorization_pairs(CHANGES[name]), {"auth": ("basic", "web", CLIENTS["web"][0])})
    for name, more in AUTHENTICATION.items():
        pairs = authorization_pairs({"client_id": ABSENT})
        yield f"push/client-{name}", "pushed_authorization_request", "POST", pairs, more
    for name in ("redirect_uri", "scope", "state"):
        yield (f"push/twice-{name}", "pushed_authorization_request", "POST",
               authorization_pairs({}) + [(name, AUTHORIZATION[name])],
               {"auth": ("basic", "web", CLIENTS["web"][0])})


def token_cases():
    web = {"auth": ("basic", "web", CLIENTS["web"][0])}
    for grant, changes in TOKEN_CHANGES.items():
        for name, change in changes.items():
            pairs = [(key, value) for key, value in {**TOKEN[grant], **change}.items()
                     if value is not ABSENT]
            yield f"token/{grant}-{name}", "token", "POST", pairs, web
    for name, pairs in OTHER_TOKEN_REQUESTS.items():
        yield f"token/{name}", "token", "POST", list(pairs.items()), web
    for name, more in AUTHENTICATION.items():
        yield (f"token/client-{name}", "token", "POST", list(TOKEN["machine"].items()), more)
    for name in ("grant_type", "scope"):
        yield (f"token/twice-{name}", "token", "POST", list(TOKEN["machine"].items()) +
               [(name, TOKEN["machine"][name])], web)
    yield ("token/public-code", "token", "POST",
           list({**TOKEN["code"], "code": "{spa_code}"}.items()), {"auth": ("id", "spa", None)})
    yield ("token/public-machine", "token", "POST", list(TOKEN["machine"].items()),
           {"auth": ("id", "spa", None)})
    yield ("token/poster", "token", "POST", [("grant_type", "client_credentials")],
           {"auth": ("post", "poster", CLIENTS["poster"][0])})
    yield ("token/machine-code", "token", "POST", list(TOKEN["code"].items()),
           {"auth": ("basic", "machine", CLIENTS["machine"][0])})
    yield "token/get", "token", "GET", [], {}
    yield ("token/json", "token", "POST", b'{"grant_type":"client_credentials"}',
           {**web, "type": "application/json"})
    yield ("token/text", "token", "POST", b"grant_type=client_credentials",
           {**web, "type": "text/plain"})
    yield ("token/proof-nonsense", "token", "POST", list(TOKEN["machine"].items()),
           {**web, "headers": [("DPoP", "a.b.c")]})


def about_token_cases():
    """Revocation and introspection."""
    web = {"auth": ("basic", "web", CLIENTS["web"][0])}
    tokens = {
        "access": "{access_token}", "refresh": "{refresh_token}", "unknown": "x" * 43,
        "spent-refresh": "{spent_refresh_token}", "of-other": "{spa_access_token}",
        "code": "{code}", "id-token": "{id_token}", "empty": "", "strange": "é\"'",
    }
    for place in ("introspection", "revocation"):
        for name, value in tokens.items():
            yield f"{place}/{name}", place, "POST", [("token", value)], web
        for hint in ("access_token", "refresh_token", "nonsense"):
            yield (f"{place}/hint-{hint}", place, "POST",
                   [("token", "{access_token}"), ("token_type_hint", hint)], web)
        yield f"{place}/no-token", place, "POST", [("token_type_hint", "access_token")], web
        yield (f"{place}/twice-token", place, "POST",
               [("token", "{access_token}"), ("token", "{access_token}")], web)
        yield f"{place}/get", place, "GET", [("token", "x")], web
        for name in ("none", "wrong-secret", "unknown", "twice", "no-base64", "bearer"):
            yield (f"{place}/client-{name}", place, "POST", [("token", "{access_token}")],
                   AUTHENTICATION[name])
        yield (f"{place}/public", place, "POST", [("token", "{spa_access_token}")],
               {"auth": ("id", "spa", None)})


def userinfo_cases():
    for name, headers, pairs in (
            ("good", [("Authorization", "Bearer {access_token}")], []),
            ("scheme-case", [("Authorization", "bearer {access_token}")], []),
            ("no-openid", [("Authorization", "Bearer {machine_token}")], []),
            ("none", [], []),
            ("empty", [("Authorization", "Bearer ")], []),
            ("unknown", [("Authorization", "Bearer " + "x" * 43)], []),
            ("refresh", [("Authorization", "Bearer {refresh_token}")], []),
            ("basic", [("Authorization", "Basic d2ViOng=")], []),
            ("dpop-scheme", [("Authorization", "DPoP {access_token}")], []),
            ("in-query", [], [("access_token", "{access_token}")])):
        yield f"userinfo/{name}", "userinfo", "GET", pairs, {"headers": headers}
        if name in ("good", "none", "unknown"):
            yield f"userinfo-post/{name}", "userinfo", "POST", pairs, {"headers": headers}
    yield ("userinfo-post/body", "userinfo", "POST", [("access_token", "{access_token}")], {})
    yield ("userinfo-post/both", "userinfo", "POST", [("access_token", "{access_token}")],
           {"headers": [("Authorization", "Bearer {access_token}")]})


def all_cases():
    for make in (authorization_cases, pushed_cases, token_cases, about_token_cases, userinfo_cases):
        yield from make()
    yield "discovery", "/.well-known/openid-configuration", "GET", [], {}
    yield "discovery/post", "/.well-known/openid-configuration", "POST", [], {}
    yield "jwks", "jwks_uri", "GET", [], {}

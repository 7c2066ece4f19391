"""3DM's dialect: what a legacy Spring Security OAuth server says, to the letter."""

import json
import time
import urllib.parse

import pytest
from jwcrypto import jwk, jws

from harness import basic, jwt_part
from threedm_calls import (BARE, BOTH_GRANTS, CHECK_PATH, ERIN, FAY, KEY_PATH, ODD, OTHER_WEB,
                           PLUGIN, TOKEN_PATH, WEB, ask, assert_framework_headers, enrol,
                           fresh_address, password_form, raw_basic, refresh_form, seed_threedm,
                           token, totp)

REALM = 'Basic realm="oauth2/client"'
NOBODY = "Full authentication is required to access this resource"
ORDER = ["access_token", "token_type", "refresh_token", "expires_in", "scope", "fullname", "jti",
         "userid", "username"]
DAY_S = 86400


@pytest.fixture(scope="module")
def threedm(module_server):
    server = module_server(["--3dm-check-token", "on", "--3dm-token-key", "on"], seeded=False,
                           start=False)
    seed_threedm(server)
    return server.start()


def new_user(server, name, *args):
    """An account whose failures no other test counts on."""
    user = (name, f"the password of {name} 7Hq2")
    server.add_user(*user, *args)
    return user


def assert_refused(answer, status, error, description, challenge=None, **extra):
    """The whole answer: status, members and their order, and the one header that may be there."""
    assert answer.status == status, answer
    assert answer.json == {"error": error, "error_description": description, **extra}, answer
    assert answer.members == ["error", "error_description", *extra], answer
    assert answer.all_headers("WWW-Authenticate") == ([challenge] if challenge else []), answer


def bearer_challenge(error, description):
    return f'Bearer error="{error}", error_description="{description}"'


# -- what succeeds ------------------------------------------------------------------------------

def test_password_grant_answers_with_the_documented_members(threedm):
    at = time.time()
    answer = ask(threedm, password_form())
    assert answer.status == 200 and answer.members == ORDER, answer
    body = answer.json
    assert body["token_type"] == "bearer"
    assert body["expires_in"] == 43199, "whole seconds that are left of twelve hours"
    assert isinstance(body["userid"], int) and body["userid"] > 0
    assert body["scope"] == "read write" and body["username"] == "erin"
    assert body["fullname"] == "Erin \u00c5ngstr\u00f6m"
    assert len(body["jti"]) == 36 and body["refresh_token"].startswith("jtr_")
    claims = jwt_part(body["access_token"], 1)
    assert abs(claims["exp"] - at - 43200) < 10
    assert jwt_part(body["access_token"], 0) == {"alg": "RS256", "typ": "JWT"}
    assert claims["user_name"] == "erin" and claims["scope"] == ["read", "write"]
    assert claims["client_id"] == WEB[0] and claims["jti"] == body["jti"]
    assert claims["userid"] == body["userid"] and claims["fullname"] == body["fullname"]
    assert isinstance(claims["authorities"], list)


def test_t8_client_with_an_empty_secret(threedm):
    """As sent: Basic dXRvcGlhLXBsdWdpbjo= and no client in the body. Without the refresh grant
    there is no refresh token."""
    assert raw_basic(PLUGIN) == {"Authorization": "Basic dXRvcGlhLXBsdWdpbjo="}
    answer = ask(threedm, password_form(), PLUGIN)
    assert answer.status == 200, answer
    assert answer.members == [name for name in ORDER if name != "refresh_token"]
    wrong = ask(threedm, password_form(), (PLUGIN[0], "anything"), source=fresh_address())
    assert_refused(wrong, 401, "invalid_client", "Bad client credentials", REALM)


@pytest.mark.parametrize("scope,granted", [
    ("read", "read"), ("write read", "write read"), ("  read   write ", "read write"),
    ("", "read write")])
def test_scope_may_be_named(threedm, scope, granted):
    assert token(threedm, password_form(scope=scope))["scope"] == granted


def test_each_call_makes_another_token(threedm):
    first, second = token(threedm, password_form()), token(threedm, password_form())
    assert first["jti"] != second["jti"] and first["access_token"] != second["access_token"]


def test_client_credentials_name_nobody(threedm):
    answer = ask(threedm, {"grant_type": "client_credentials"})
    assert answer.status == 200, answer
    assert answer.members == ["access_token", "token_type", "expires_in", "scope", "jti"]


@pytest.mark.parametrize("path", [TOKEN_PATH, TOKEN_PATH + "/", TOKEN_PATH + "?grant_type=implicit",
                                  TOKEN_PATH + "?username=nobody&password=x&client_id=y"])
def test_query_parameters_are_not_read(threedm, path):
    assert ask(threedm, password_form(), path=path).status == 200


def test_parameters_of_the_query_alone_are_no_parameters(threedm):
    query = urllib.parse.urlencode(password_form())
    answer = ask(threedm, "", path=f"{TOKEN_PATH}?{query}")
    assert_refused(answer, 400, "invalid_request", "Missing grant type")
    answer = ask(threedm, password_form(), None, path=f"{TOKEN_PATH}?client_id={WEB[0]}"
                 f"&client_secret={WEB[1]}", source=fresh_address())
    assert answer.status == 401 and answer.error == "unauthorized", answer


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_ca_01_basic_is_read_raw(threedm, encoding):
    """The standard's endpoint decodes a form inside Basic; here every character is itself."""
    answer = ask(threedm, password_form(), None, headers=raw_basic(ODD, encoding))
    assert answer.status == 200, answer
    decoded = ask(threedm, password_form(), None, headers={"Authorization": basic(*ODD)},
                  source=fresh_address())
    assert_refused(decoded, 401, "invalid_client", "Bad client credentials", REALM)
    fields = {**password_form(), "scope": "read"}
    assert threedm.token(fields, client=ODD).status == 200, "the standard's endpoint"
    raw = threedm.token(fields, headers=raw_basic(ODD, encoding), source=fresh_address())
    assert raw.status == 401, raw


def test_t8_passwords_are_whatever_a_form_can_hold(threedm):
    """ERIN's has plus, ampersand, percent, equals, space and letters beyond ASCII."""
    for field in (urllib.parse.urlencode({"password": ERIN[1]}),
                  urllib.parse.urlencode({"password": ERIN[1]}, quote_via=urllib.parse.quote)):
        assert ask(threedm, "grant_type=password&username=erin&" + field).status == 200


def test_standard_endpoints_know_the_tokens(threedm):
    """Whoever checks tokens the standard's way sees the same token, and may end it."""
    body = token(threedm, password_form())
    seen = threedm.introspect(body["access_token"], WEB).json
    assert seen["active"] is True and seen["jti"] == body["jti"], seen
    assert seen["username"] == "erin" and seen["scope"] == "read write"
    assert threedm.forward_auth(body["access_token"]).status == 200
    assert threedm.revoke(body["access_token"], WEB).status == 200
    assert threedm.introspect(body["access_token"], WEB).json == {"active": False}
    assert threedm.forward_auth(body["access_token"]).status == 401


# -- the client's pair in the body --------------------------------------------------------------

def test_body_pair_beside_basic_must_agree(threedm):
    both = {"client_id": WEB[0], "client_secret": WEB[1]}
    assert ask(threedm, password_form(**both)).status == 200
    assert ask(threedm, password_form(client_id=WEB[0])).status == 200
    assert ask(threedm, password_form(client_id="", client_secret="")).status == 200
    answer = ask(threedm, password_form(client_id=PLUGIN[0]))
    text = "Given client ID does not match authenticated client"
    assert_refused(answer, 401, "invalid_client", text, bearer_challenge("invalid_client", text))
    for pair in ({"client_secret": "another"}, {**both, "client_secret": WEB[1] + "x"},
                 {"client_secret": "x" * 2000}):
        answer = ask(threedm, password_form(**pair), source=fresh_address())
        assert_form_failure(answer)


def assert_form_failure(answer):
    assert_refused(answer, 401, "invalid_client", "Bad client credentials",
                   'Form realm="oauth2/client", error="invalid_client", '
                   'error_description="Bad client credentials"')


def test_body_pair_alone_authenticates(threedm):
    pair = {"client_id": WEB[0], "client_secret": WEB[1]}
    assert ask(threedm, password_form(**pair), None).status == 200
    assert ask(threedm, password_form(client_id=PLUGIN[0]), None).status == 200
    for wrong in ({"client_id": WEB[0]}, {**pair, "client_secret": "wrong"},
                  {"client_id": "nobody-of-that-name", "client_secret": "wrong"}):
        assert_form_failure(ask(threedm, password_form(**wrong), None, source=fresh_address()))


# -- clients that fail to authenticate ----------------------------------------------------------

def test_t9_nobody(threedm):
    challenge = f'{REALM}, error="unauthorized", error_description="{NOBODY}"'
    for headers in ({}, {"Authorization": "Bearer abc"}, {"Authorization": "Digest x"}):
        for fields in (password_form(), {}, {"grant_type": "nonsense"}, {"client_secret": "x"}):
            answer = ask(threedm, fields, None, headers=headers, source=fresh_address())
            assert_refused(answer, 401, "unauthorized", NOBODY, challenge)
    assert_refused(threedm.get(TOKEN_PATH), 401, "unauthorized", NOBODY, challenge)


@pytest.mark.parametrize("headers", [
    raw_basic((WEB[0], "wrong")), raw_basic(("nobody-at-all", "wrong")), raw_basic((WEB[0], "")),
    raw_basic((WEB[0].upper(), WEB[1])), {"Authorization": "Basic !!!"},
    {"Authorization": "Basic"}, raw_basic((WEB[0], "x" * 2000))])
def test_t9_wrong_client(threedm, headers):
    answer = ask(threedm, password_form(), None, headers=headers, source=fresh_address())
    assert_refused(answer, 401, "invalid_client", "Bad client credentials", REALM)


def test_disabled_client(threedm):
    client = ("3dm-closed", "3dm-closed-secret-6Yt3")
    threedm.add_client(*client, *BOTH_GRANTS, "--scope", "read write")
    token(threedm, password_form(), client)
    threedm.cli("client", "disable", client[0])
    answer = ask(threedm, password_form(), client, source=fresh_address())
    assert_refused(answer, 401, "invalid_client", "Bad client credentials", REALM)


@pytest.fixture(scope="module")
def boot(module_server):
    """The other shape, and refresh tokens that are good once; both companions are off."""
    server = module_server(["--3dm-client-error", "boot", "--3dm-refresh-rotation", "on"],
                           seeded=False, start=False)
    seed_threedm(server)
    return server.start()


def test_t9_error_page_of_spring_boot(boot):
    for client, message in ((None, NOBODY), ((WEB[0], "wrong"), "Bad credentials")):
        answer = ask(boot, password_form(), client, source=fresh_address())
        assert answer.status == 401 and answer.header("WWW-Authenticate") == REALM, answer
        assert answer.members == ["timestamp", "status", "error", "message", "path"]
        body = answer.json
        assert abs(body.pop("timestamp") / 1000 - time.time()) < 60
        assert body == {"status": 401, "error": "Unauthorized", "message": message,
                        "path": TOKEN_PATH}
    answer = ask(boot, password_form(client_id=WEB[0], client_secret="wrong"), None,
                 source=fresh_address())
    assert_form_failure(answer)
    answer = ask(boot, password_form((ERIN[0], "wrong")), source=fresh_address())
    assert_refused(answer, 400, "invalid_grant", "Bad credentials")


# -- the error table ----------------------------------------------------------------------------

def test_t9_wrong_password_and_unknown_user(threedm):
    user = new_user(threedm, "gil")
    wrong = b'{"error":"invalid_grant","error_description":"Bad credentials"}'
    for fields in (password_form((user[0], "wrong")), password_form(("nobody-here", user[1])),
                   {"grant_type": "password", "username": user[0]},
                   {"grant_type": "password", "password": user[1]}, {"grant_type": "password"}):
        answer = ask(threedm, fields, source=fresh_address())
        assert_refused(answer, 400, "invalid_grant", "Bad credentials")
        assert answer.body == wrong


def test_disabled_user_is_told_so_only_with_the_right_password(threedm):
    user = new_user(threedm, "hal")
    family = token(threedm, password_form(user))
    threedm.cli("user", "disable", user[0])
    answer = ask(threedm, password_form(user), source=fresh_address())
    assert_refused(answer, 400, "invalid_grant", "User is disabled")
    answer = ask(threedm, password_form((user[0], "wrong")), source=fresh_address())
    assert_refused(answer, 400, "invalid_grant", "Bad credentials")
    answer = ask(threedm, refresh_form(family["refresh_token"]))
    assert_refused(answer, 400, "invalid_grant", "Invalid refresh token")


@pytest.mark.parametrize("fields,error,description", [
    ({}, "invalid_request", "Missing grant type"),
    ({"grant_type": ""}, "invalid_request", "Missing grant type"),
    ({"username": "erin", "password": "x"}, "invalid_request", "Missing grant type"),
    ({"grant_type": "nonsense<script>"}, "unsupported_grant_type", "Unsupported grant type"),
    ({"grant_type": "PASSWORD"}, "unsupported_grant_type", "Unsupported grant type"),
    ({"grant_type": "implicit"}, "invalid_grant",
     "Implicit grant type not supported from token endpoint"),
    ({"grant_type": "refresh_token"}, "invalid_request", "refresh_token parameter not provided"),
    ({"grant_type": "refresh_token", "refresh_token": ""}, "invalid_request",
     "refresh_token parameter not provided"),
    ("grant_type=password&grant_type=password", "invalid_request",
     "a parameter was sent more than once"),
    ("grant_type=password&username=%zz", "invalid_request", "the body is malformed"),
])
def test_malformed_requests(threedm, fields, error, description):
    assert_refused(ask(threedm, fields), 400, error, description)


def test_bodies_of_other_kinds_hold_no_parameters(threedm):
    answer = ask(threedm, json.dumps(password_form()),
                 headers={"Content-Type": "application/json"})
    assert_refused(answer, 400, "invalid_request", "Missing grant type")


def test_grant_that_the_client_is_not_registered_for(threedm):
    for fields in (refresh_form("jtr_whatever"), {"grant_type": "client_credentials"}):
        answer = ask(threedm, fields, PLUGIN)
        text = "Unauthorized grant type: " + fields["grant_type"]
        assert_refused(answer, 401, "invalid_client", text,
                       bearer_challenge("invalid_client", text))


def test_scopes_that_are_not_permitted(threedm):
    answer = ask(threedm, password_form(scope="read admin"))
    assert_refused(answer, 400, "invalid_scope", "Invalid scope: admin", scope="read write")
    answer = ask(threedm, password_form(scope="service_id=unknown.example"))
    assert_refused(answer, 400, "invalid_scope", "Invalid scope: service_id=unknown.example",
                   scope="read write")
    answer = ask(threedm, password_form(scope='re"ad\\'))
    assert answer.status == 400 and answer.error == "invalid_scope", answer
    answer = ask(threedm, password_form(), BARE)
    assert_refused(answer, 400, "invalid_scope", "Empty scope (either the client or the user is "
                   "not allowed the requested scopes)")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_other_methods_after_authentication(threedm, method):
    answer = threedm.request(method, TOKEN_PATH, None, raw_basic(WEB))
    assert_framework_headers(answer)
    assert answer.status == 405 and answer.header("Allow") == "POST", answer
    if method != "HEAD":
        assert answer.json == {"error": "method_not_allowed",
                               "error_description": f"Request method '{method}' not supported"}


# -- refresh ------------------------------------------------------------------------------------

def test_refresh_tokens_are_kept(threedm):
    first = token(threedm, password_form())
    seen = {first["jti"]}
    for _ in range(3):
        answer = ask(threedm, refresh_form(first["refresh_token"]))
        assert answer.status == 200 and answer.members == ORDER, answer
        assert answer.json["refresh_token"] == first["refresh_token"]
        assert answer.json["userid"] == first["userid"] and answer.json["expires_in"] == 43199
        seen.add(answer.json["jti"])
    assert len(seen) == 4
    check = ask(threedm, {"token": first["access_token"]}, path=CHECK_PATH)
    assert check.status == 200, "a use ends nothing"


def test_refresh_may_narrow_the_scope_and_not_widen_it(threedm):
    family = token(threedm, password_form(scope="read"))
    answer = ask(threedm, refresh_form(family["refresh_token"], scope="read write"))
    assert_refused(answer, 400, "invalid_scope", "Invalid scope: write", scope="read write")
    family = token(threedm, password_form())
    assert token(threedm, refresh_form(family["refresh_token"], scope="read"))["scope"] == "read"
    assert token(threedm, refresh_form(family["refresh_token"]))["scope"] == "read write"


def test_refresh_tokens_rotate_by_option(boot):
    first = token(boot, password_form())
    second = token(boot, refresh_form(first["refresh_token"]))
    assert second["refresh_token"] != first["refresh_token"]
    assert token(boot, refresh_form(second["refresh_token"]))["token_type"] == "bearer"
    answer = ask(boot, refresh_form(first["refresh_token"]))
    assert_refused(answer, 400, "invalid_grant", "Invalid refresh token")


def test_refresh_tokens_that_are_none(threedm):
    unreadable = "Cannot convert access token to JSON"
    family = token(threedm, password_form())
    changed = family["refresh_token"][:-1] + ("A" if family["refresh_token"][-1] != "A" else "B")
    for value in ("nonsense", "jtr_" + "a" * 40, changed, "x" * 3000, "a.b.c", "e30.e30.e30"):
        answer = ask(threedm, refresh_form(value), source=fresh_address())
        assert_refused(answer, 401, "invalid_token", unreadable,
                       bearer_challenge("invalid_token", unreadable))
        assert value not in answer.body.decode() + str(answer.headers)
    answer = ask(threedm, refresh_form(family["access_token"]))
    text = "Encoded token is not a refresh token"
    assert_refused(answer, 401, "invalid_token", text, bearer_challenge("invalid_token", text))


def test_refresh_token_of_another_client(threedm):
    family = token(threedm, password_form())
    answer = ask(threedm, refresh_form(family["refresh_token"]), OTHER_WEB)
    assert_refused(answer, 400, "invalid_grant", "Wrong client for this refresh token")
    assert family["refresh_token"] not in str(answer.headers) + answer.body.decode()
    assert ask(threedm, refresh_form(family["refresh_token"])).status == 200


def test_revoked_refresh_token(threedm):
    family = token(threedm, password_form())
    assert threedm.revoke(family["refresh_token"], WEB).status == 200
    answer = ask(threedm, refresh_form(family["refresh_token"]))
    assert_refused(answer, 400, "invalid_grant", "Invalid refresh token")
    answer = ask(threedm, {"token": family["access_token"]}, path=CHECK_PATH)
    assert_refused(answer, 400, "invalid_token", "Token was not recognised")


def test_tokens_that_have_expired(faked_time):
    server, set_time = faked_time
    seed_threedm(server)
    server.args += ["--3dm-check-token", "on", "--3dm-token-lifetime", "100"]
    server.restart()
    # The words of the seeded services are theirs; this one is nobody's.
    client = ("3dm-own", "3dm-own-secret-1Vc8")
    server.add_client(*client, *BOTH_GRANTS, "--scope", "own-words")
    family = token(server, password_form(), client)
    assert family["expires_in"] == 99
    check = {"token": family["access_token"]}
    assert ask(server, check, client, path=CHECK_PATH).status == 200
    set_time(102)
    # Their rows stay a minute after the end.
    answer = ask(server, check, client, path=CHECK_PATH)
    assert_refused(answer, 400, "invalid_token", "Token has expired")
    assert ask(server, refresh_form(family["refresh_token"]), client).status == 200
    # Thirty days like 3DM's, however seldom it is used: it is not rotated.
    set_time(30 * DAY_S - 200)
    assert ask(server, refresh_form(family["refresh_token"]), client).status == 200
    set_time(30 * DAY_S + 2)
    answer = ask(server, refresh_form(family["refresh_token"]), client)
    text = "Invalid refresh token (expired)"
    assert_refused(answer, 401, "invalid_token", text, bearer_challenge("invalid_token", text))


# -- the second factor --------------------------------------------------------------------------

MISSING = (400, "invalid_grant", "Two-factor code required")
INVALID = (400, "invalid_grant", "Invalid two-factor code")


def test_t10_two_factor_user(faked_time):
    server, set_time = faked_time
    seed_threedm(server)
    start = time.time()
    secret = enrol(server, FAY)
    plain = password_form(FAY)
    answer = ask(server, plain)
    assert_refused(answer, *MISSING, twofactor="required")
    assert_refused(ask(server, {**plain, "twofactor": ""}), *MISSING, twofactor="required")
    # Nothing of it is told to whoever does not know the password.
    for more in ({}, {"twofactor": "000000"}, {"twofactor": totp(secret)}):
        answer = ask(server, {**plain, "password": "wrong", **more}, source=fresh_address())
        assert_refused(answer, 400, "invalid_grant", "Bad credentials")
    wrong = "000000" if totp(secret) != "000000" else "111111"
    assert_refused(ask(server, {**plain, "twofactor": wrong}), *INVALID, twofactor="invalid")

    def at(seconds):
        """The clock in the middle of a step, some steps from now."""
        middle = (start // 30 + 2) * 30 + 15 + seconds
        set_time(int(middle - time.time()))
        return middle

    now = at(0)
    code = totp(secret, now)
    spaced = {**plain, "twofactor": f" {code[:3]} {code[3:]} "}
    family = token(server, spaced)
    assert family["username"] == FAY[0]
    for again in (code, totp(secret, now, -1)):  # RFC 6238 5.2: used up, and those before it
        assert_refused(ask(server, {**plain, "twofactor": again}), *INVALID, twofactor="invalid")
    assert ask(server, refresh_form(family["refresh_token"])).status == 200, "no code on refresh"
    now = at(300)
    for far in (-3, 3):
        answer = ask(server, {**plain, "twofactor": totp(secret, now, far)})
        assert_refused(answer, *INVALID, twofactor="invalid")
    # One step of drift either way.
    assert ask(server, {**plain, "twofactor": totp(secret, now, -1)}).status == 200
    assert ask(server, {**plain, "twofactor": totp(secret, now, 1)}).status == 200


def test_other_doors_give_no_token_to_a_two_factor_user(faked_time):
    """The standard's endpoint cannot ask for a code: like a wrong password."""
    server, _ = faked_time
    seed_threedm(server)
    enrol(server, FAY)
    fields = {**password_form(FAY), "scope": "read"}
    answer = server.token(fields, client=WEB, source=fresh_address())
    assert (answer.status, answer.error) == (400, "invalid_grant"), answer
    assert "factor" not in answer.body.decode()


def test_recovery_codes_stand_for_a_code_once(faked_time):
    server, _ = faked_time
    seed_threedm(server)
    enrol(server, FAY)
    codes = server.cli("user", "totp", FAY[0], "--recovery-codes").out.split()
    server.secrets.update(codes)
    assert len(codes) == 10
    fields = {**password_form(FAY), "twofactor": codes[3].lower()}
    assert ask(server, fields).status == 200
    assert_refused(ask(server, fields), *INVALID, twofactor="invalid")


# -- the companions -----------------------------------------------------------------------------

def test_check_token_prints_the_claims(threedm):
    body = token(threedm, password_form())
    answer = ask(threedm, {"token": body["access_token"]}, OTHER_WEB, path=CHECK_PATH)
    assert answer.status == 200, answer
    assert answer.json == {**jwt_part(body["access_token"], 1), "active": True}


def test_check_token_of_other_tokens_of_ours(threedm):
    body = threedm.client_token(WEB, "read")
    answer = ask(threedm, {"token": body["access_token"]}, path=CHECK_PATH)
    assert answer.status == 200, answer
    seen = answer.json
    assert seen["active"] is True and seen["client_id"] == WEB[0] and seen["scope"] == ["read"]
    assert seen["exp"] > time.time() and seen["jti"]


def test_check_token_refuses(threedm):
    family = token(threedm, password_form())
    for value in ("nonsense", family["refresh_token"], family["access_token"][:-2] + "AA"):
        answer = ask(threedm, {"token": value}, path=CHECK_PATH)
        assert_refused(answer, 400, "invalid_token", "Token was not recognised")
    answer = ask(threedm, {}, path=CHECK_PATH)
    assert_refused(answer, 400, "invalid_request",
                   "Required String parameter 'token' is not present")
    right = {"token": family["access_token"]}
    answer = ask(threedm, right, None, path=CHECK_PATH)
    assert answer.status == 401 and answer.error == "unauthorized", answer
    for client in ((WEB[0], "wrong"), PLUGIN):
        answer = ask(threedm, right, client, path=CHECK_PATH, source=fresh_address())
        assert_refused(answer, 401, "invalid_client", "Bad client credentials", REALM)
    answer = threedm.get(f"{CHECK_PATH}?token={family['access_token']}", raw_basic(WEB))
    assert answer.status == 405 and "active" not in answer.json, answer


def test_token_key_checks_our_tokens(threedm):
    answer = threedm.get(KEY_PATH)
    assert_framework_headers(answer)
    assert answer.status == 200 and answer.members == ["alg", "value"], answer
    assert answer.json["alg"] == "SHA256withRSA"
    lines = answer.json["value"].split("\n")
    assert lines[0] == "-----BEGIN PUBLIC KEY-----" and lines[2] == "-----END PUBLIC KEY-----"
    assert len(lines) == 3
    key = jwk.JWK.from_pem(answer.json["value"].encode())
    signed = jws.JWS()
    signed.deserialize(token(threedm, password_form())["access_token"])
    signed.verify(key, "RS256")
    published = [each for each in json.loads(threedm.get("/oauth2/jwks").body)["keys"]
                 if each["kty"] == "RSA"]
    assert json.loads(key.export_public())["n"] in [each["n"] for each in published]
    assert threedm.request("POST", KEY_PATH, "", {}).status == 405


def test_companions_are_off_unless_they_are_switched_on(boot):
    for path in (KEY_PATH, CHECK_PATH):
        for answer in (boot.get(path, raw_basic(WEB)), ask(boot, {"token": "x"}, path=path)):
            assert answer.status == 404 and answer.error == "not_found", answer


def test_no_token_value_and_no_secret_in_the_log(threedm):
    """LG-01 for this door: the fixture looks for every secret; refusals are there all the same."""
    ask(threedm, password_form(("ivy", "wrong")), source=fresh_address())
    refused = [line for line in threedm.log_lines() if line.get("endpoint") == "threedm_token"]
    assert refused and refused[-1]["error"] == "invalid_grant", refused[-1:]

"""Authorization codes, from a browser to tokens: AZ-01 to AZ-11, AZ-16 to AZ-19, CP-01 to CP-11,
OI-01 to OI-03, PA-01 to PA-04, as the outside sees them."""

import base64
import concurrent.futures
import hashlib
import html
import json
import secrets
import threading
import urllib.parse

import pytest

from harness import ALICE, BOB, FORM, form_encode
from person import Person

CALLBACK = "https://rp.example/cb"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
RP = ("rp", "rp-secret-rp-secret-rp-secret")
WORDS = "openid profile email offline_access read write"


def add_clients(server):
    grants = ["--grant", "authorization_code", "--grant", "refresh_token"]
    server.add_client(*RP, *grants, "--scope", WORDS, "--redirect-uri", CALLBACK,
                      "--redirect-uri", CALLBACK + "2")
    server.add_client("other", "other-secret-other-secret", *grants, "--scope", WORDS,
                      "--redirect-uri", CALLBACK)
    server.add_client("spa", None, *grants, "--scope", WORDS, "--redirect-uri", CALLBACK)


@pytest.fixture(scope="module")
def server(module_server):
    made = module_server()
    add_clients(made)
    return made


def request_of(client="rp", **changes):
    """The parameters of a good request; None takes one away."""
    pairs = {"client_id": client, "redirect_uri": CALLBACK, "response_type": "code",
             "scope": "openid read", "state": "st-1", "code_challenge": CHALLENGE,
             "code_challenge_method": "S256"}
    pairs.update(changes)
    return [(name, value) for name, value in pairs.items() if value is not None]


def path_of(pairs):
    return "/oauth2/authorize?" + form_encode(pairs)


def answer_of(person, callback=CALLBACK):
    """The parameters that the browser was sent to the client with."""
    location = person.answer.header("Location")
    assert person.answer.status == 303 and location, person.answer  # AZ-11
    assert location.startswith(callback + "?"), location
    return dict(urllib.parse.parse_qsl(location[len(callback) + 1:], strict_parsing=True))


def at_consent(person, pairs, user=ALICE):
    """As far as the question, with a sign-in where that is asked."""
    person.open(path_of(pairs))
    if person.has("sign-in"):
        person.fill("username", user[0]).fill("password", user[1]).press("sign-in")
    return person


def allow(person, pairs, user=ALICE):
    at_consent(person, pairs, user)
    if person.has("allow"):
        person.press("allow")
    return answer_of(person)


def token(server, code, client=RP, connection=None, **changes):
    pairs = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK,
             "code_verifier": VERIFIER, "client_id": client[0]}
    if client[1]:
        pairs["client_secret"] = client[1]
    pairs.update(changes)
    body = form_encode([(name, value) for name, value in pairs.items() if value is not None])
    return server.request("POST", "/oauth2/token", body, [("Content-Type", FORM)],
                          connection=connection)


def new_code(server, **changes):
    return allow(Person(server), request_of(**changes))["code"]


def claims_of(jwt):
    payload = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def is_active(server, value, client=RP):
    body = form_encode([("token", value), ("client_id", client[0]), ("client_secret", client[1])])
    answer = server.request("POST", "/oauth2/introspect", body, [("Content-Type", FORM)])
    return json.loads(answer.body)["active"]


# -- the whole way ----------------------------------------------------------------------------


def test_oi_01_code_to_id_token(server):
    person = at_consent(Person(server), request_of(nonce="n-1"))
    assert person.has("consent") and person.text_of("client-id") == "rp", person.answer
    assert "know that it is you" in person.text_of("scopes") and "read" in person.text_of("scopes")
    answer = answer_of(person.press("allow"))
    assert answer["state"] == "st-1" and answer["iss"] == f"http://127.0.0.1:{server.port}"  # AZ-06
    done = token(server, answer["code"])
    assert done.status == 200 and done.header("Cache-Control") == "no-store", done
    tokens = json.loads(done.body)
    claims = claims_of(tokens["id_token"])
    left = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["iss"] == answer["iss"] and claims["aud"] == claims["azp"] == "rp"
    assert claims["nonce"] == "n-1" and claims["sub"].startswith("account:")
    assert claims["at_hash"] == base64.urlsafe_b64encode(left).decode().rstrip("=")
    assert claims["exp"] > claims["iat"] >= claims["auth_time"]
    assert claims["acr"] == "urn:jeton:acr:1fa" and claims["amr"] == ["pwd"]
    assert tokens["scope"] == "openid read" and is_active(server, tokens["access_token"])
    again = server.request("POST", "/oauth2/token", form_encode([
        ("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"]),
        ("client_id", RP[0]), ("client_secret", RP[1])]), [("Content-Type", FORM)])
    refreshed = json.loads(again.body)
    assert claims_of(refreshed["id_token"])["sub"] == claims["sub"]
    assert "nonce" not in claims_of(refreshed["id_token"])  # CP-11


def test_az_16_form_post(server):
    state = '"><script>alert(1)</script>'
    person = at_consent(Person(server), request_of(response_mode="form_post", state=state))
    if person.has("allow"):
        person.press("allow")
    assert person.status == 200 and person.has("continue"), person.answer
    method, action, body = person.post_of("continue")
    sent = dict(urllib.parse.parse_qsl(body))
    assert (method, action) == ("POST", CALLBACK) and sent["state"] == state
    assert "<script>alert" not in person.answer.body.decode()
    assert html.escape(state, quote=True) in person.answer.body.decode().replace("&#34;", "&quot;")
    assert "form-action" in person.answer.header("Content-Security-Policy")
    assert token(server, sent["code"]).status == 200


def test_deny_goes_back(server):
    person = at_consent(Person(server), request_of(prompt="consent"))
    answer = answer_of(person.press("deny"))
    assert answer["error"] == "access_denied" and answer["state"] == "st-1" and "iss" in answer


def test_az_17_consent_is_remembered_for_clients_that_authenticate(server):
    person = Person(server)
    allow(person, request_of(scope="write"))
    person.open(path_of(request_of(scope="write")))
    assert "code" in answer_of(person)
    assert at_consent(person, request_of(scope="write profile")).has("consent")


def test_az_17_public_clients_ask_each_time(server):
    person = Person(server)
    for _ in range(2):
        assert at_consent(person, request_of("spa")).has("consent")
        code = answer_of(person.press("allow"))["code"]
        assert token(server, code, ("spa", None)).status == 200


# -- errors, and where they go ----------------------------------------------------------------


@pytest.mark.parametrize("changes, error", [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": None}, "invalid_request"),
    ({"scope": "nonsense"}, "invalid_scope"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"prompt": "none"}, "login_required"),
    ({"resource": "https://nobody.example"}, "invalid_target"),
    ({"request_uri": "https://rp.example/r"}, "request_uri_not_supported"),
    ({"request": "a.b.c"}, "request_not_supported"),
    ({"registration": "{}"}, "registration_not_supported"),
    ({"authorization_details": "[]"}, "invalid_authorization_details"),
])
def test_az_05_errors_go_back(server, changes, error):
    person = Person(server).open(path_of(request_of(**changes)))
    answer = answer_of(person)
    assert answer["error"] == error and answer["state"] == "st-1"
    assert answer["iss"] == f"http://127.0.0.1:{server.port}"
    assert "code" not in answer


@pytest.mark.parametrize("pairs", [
    request_of("nobody"), request_of(client_id=None), request_of(redirect_uri=None),
    request_of(redirect_uri="https://evil.example/"), request_of(redirect_uri=CALLBACK + "/"),
    request_of(redirect_uri="javascript:alert(1)"), request_of(redirect_uri=CALLBACK + "?x"),
    request_of() + [("client_id", "spa")], request_of() + [("redirect_uri", CALLBACK)],
    request_of(state="s" * 1025), request_of(nonce="n" * 513), request_of(scope="read " * 820),
])
def test_az_04_doubt_is_shown_here(server, pairs):
    person = Person(server).open(path_of(pairs))
    assert person.status == 400 and person.answer.header("Location") is None, person.answer
    assert person.has("error") and person.text_of("error") == "invalid_request"


def test_oi_02_oi_03_prompt(server):
    person = Person(server)
    allow(person, request_of(scope="openid"))
    silent = request_of(scope="openid", prompt="none")
    assert "code" in answer_of(person.open(path_of(silent)))
    assert answer_of(person.open(path_of(request_of(scope="openid email", prompt="none")))
                     )["error"] == "consent_required"
    person.open(path_of(request_of(scope="openid", prompt="login")))
    assert person.has("confirm") or person.has("sign-in"), person.answer
    person.fill("password", ALICE[1]).press("confirm" if person.has("confirm") else "sign-in")
    assert "code" in answer_of(person)
    person.open(path_of(request_of(scope="openid", max_age="0")))
    assert person.answer.status == 200 and "Location" not in dict(person.answer.headers)


@pytest.mark.parametrize("wish", [{"prompt": "login"}, {"prompt": "select_account"},
                                  {"max_age": "0"}, {"prompt": "login consent"}])
def test_oi_03_a_fresh_sign_in_comes_before_consent(server, wish):
    """Each is asked for once, and answered once: of a client, too, that asks its people always."""
    person = Person(server).sign_in(ALICE)
    person.open(path_of(request_of("spa", **wish)))
    assert not person.has("allow") and person.has("password"), person.answer
    if person.has("sign-in"):
        person.fill("username", ALICE[0])
    person.fill("password", ALICE[1]).press("confirm" if person.has("confirm") else "sign-in")
    assert person.has("allow"), person.answer
    assert "code" in answer_of(person.press("allow"))


def test_se_06_a_session_that_ends_during_consent(server):
    """The way back leads to the question again."""
    person = at_consent(Person(server), request_of("spa"), BOB)
    Person(server).sign_in(BOB).open("/sessions").press("end-others")
    person.press("allow")
    print(person.path, person.answer)
    person.fill("username", BOB[0]).fill("password", BOB[1]).press("sign-in")
    assert "code" in answer_of(person.press("allow"))


@pytest.mark.parametrize("state", ["it's", "a(b)", "[1]", "{a|b}", "x^y`z"])
def test_az_06_what_browsers_do_not_encode_comes_back(server, state):
    """RFC 3986 3.4, and what they send beside that: the state is the client's, with a sign-in
    between."""
    path = path_of(request_of(state="HERE")).replace("HERE", state)
    person = Person(server).open(path)
    person.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
    if person.has("allow"):
        person.press("allow")
    assert answer_of(person)["state"] == state


@pytest.mark.parametrize("state", ["x" * 1024, "/" * 1024, "%" * 1024])
def test_az_19_a_long_state_comes_back(server, state):
    """It is encoded once more on its way through the sign-in."""
    assert allow(Person(server), request_of(state=state))["state"] == state


@pytest.mark.parametrize("count", range(1000, 6000, 500))
def test_az_19_what_would_not_come_back_is_told_to_be_pushed(server, count):
    for filler in ("x" * count, "/" * (count // 3)):
        person = Person(server).open(path_of(request_of(unknown=filler)))
        assert person.has("sign-in") or (person.status == 400 and "push it" in person.text), count
        assert person.has("sign-in") or count > 2000


def test_az_05_a_class_that_cannot_be_reached(server):
    """Essential, and of a person without a passkey; as a wish it is passed over."""
    for essential, error in (("true", "unmet_authentication_requirements"), ("false", None)):
        claims = f'{{"id_token":{{"acr":{{"essential":{essential},"value":"phr"}}}}}}'
        answer = allow(Person(server), request_of(scope="openid", claims=claims))
        assert answer.get("error") == error and ("code" in answer) == (error is None), answer


# -- codes ------------------------------------------------------------------------------------


def test_cp_02_cp_03_verifier(server):
    for wrong in (None, "x" * 43, VERIFIER[:-1], VERIFIER + "+"):
        code = new_code(server)
        assert token(server, code, code_verifier=wrong).status == 400
        done = token(server, code)
        assert done.status == 400 and json.loads(done.body)["error"] == "invalid_grant"


def test_cp_05_reuse_ends_the_first(server):
    code = new_code(server)
    first = json.loads(token(server, code).body)["access_token"]
    assert is_active(server, first)
    assert json.loads(token(server, code).body)["error"] == "invalid_grant"
    assert not is_active(server, first)


def count_reused(server):
    return sum("used before" in line.get("why", "") for line in server.log_lines())


def test_cp_06_sixty_four_at_once(server):
    code = new_code(server)
    assert not is_active(server, "none")  # the secret's hash is known from here on: none waits
    before = count_reused(server)
    barrier = threading.Barrier(64)

    def go(_):
        connection = server.connection()
        connection.connect()
        barrier.wait()
        try:
            return token(server, code, connection=connection)
        finally:
            connection.close()

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(go, range(64)))
    # The second one ends what the first gave (CP-05), maybe before the first was answered.
    given = [answer for answer in answers if answer.status == 200]
    assert len(given) <= 1 and {answer.status for answer in answers} <= {200, 400}, answers
    assert all(answer.error == "invalid_grant" for answer in answers if answer not in given)
    assert not any(is_active(server, answer.json["access_token"]) for answer in given)
    assert count_reused(server) == before + 63, "one alone was let through"


def test_cp_07_a_minute(faked_time):
    server, set_time = faked_time
    add_clients(server)
    person = Person(server)
    code = allow(person, request_of())["code"]
    set_time(61)
    assert json.loads(token(server, code).body)["error"] == "invalid_grant"


def test_cp_08_bound_to_client_and_redirect(server):
    code = new_code(server)
    thief = ("other", "other-secret-other-secret")
    assert json.loads(token(server, code, thief).body)["error"] == "invalid_grant"
    assert json.loads(token(server, code, ("spa", None)).body)["error"] == "invalid_grant"
    assert token(server, code).status == 200
    code = new_code(server)
    wrong = token(server, code, redirect_uri=CALLBACK + "2")
    assert json.loads(wrong.body)["error"] == "invalid_grant"


def test_cp_09_survives_kill(new_server):
    server = new_server()
    add_clients(server)
    person = Person(server)
    unused, used = (allow(person, request_of())["code"] for _ in range(2))
    assert token(server, used).status == 200
    server.kill()
    server.start()
    assert token(server, unused).status == 200
    assert token(server, used).status == 400


def test_cp_10_codes_do_not_repeat(server):
    person = Person(server)
    allow(person, request_of(scope="read"))
    codes = {answer_of(person.open(path_of(request_of(scope="read"))))["code"] for _ in range(200)}
    assert len(codes) == 200 and all(len(code) == 43 for code in codes)
    assert len(set("".join(codes))) == 64


def test_rt_08_less_of_what_a_person_allowed(server):
    """The service of the word that is not asked for any more is no target any more, either."""
    answer = allow(Person(server), request_of(scope="openid read"))
    refresh = json.loads(token(server, answer["code"]).body)["refresh_token"]
    body = form_encode([("grant_type", "refresh_token"), ("refresh_token", refresh),
                        ("scope", "openid"), ("client_id", RP[0]), ("client_secret", RP[1])])
    done = server.request("POST", "/oauth2/token", body, [("Content-Type", FORM)])
    assert done.status == 200 and done.json["scope"] == "openid", done
    told = server.introspect(done.json["access_token"], RP).json
    assert told["active"] and told["aud"] == f"http://127.0.0.1:{server.port}", told


def test_rt_10_locked_between_yes_and_redemption(new_server):
    server = new_server()
    add_clients(server)
    code = allow(Person(server), request_of(), BOB)["code"]
    server.cli("user", "disable", BOB[0])
    assert json.loads(token(server, code).body)["error"] == "invalid_grant"


# -- pushed requests --------------------------------------------------------------------------


def push(server, pairs, client=RP):
    body = form_encode([pair for pair in pairs if pair[0] != "client_id"] +
                       [("client_id", client[0]), ("client_secret", client[1])])
    return server.request("POST", "/oauth2/par", body, [("Content-Type", FORM)])


def test_pa_01_pa_02_push(server):
    done = push(server, request_of(scope="write"))
    assert done.status == 201 and done.header("Cache-Control") == "no-store", done
    pushed = json.loads(done.body)
    assert pushed["expires_in"] <= 600
    short = [("client_id", "rp"), ("request_uri", pushed["request_uri"])]
    stolen = Person(server).open(path_of([("client_id", "other")] + short[1:]))
    assert stolen.status == 400 and stolen.text_of("error") == "invalid_request_uri"
    answer = allow(Person(server), short + [("state", "other"), ("scope", "read")])
    assert answer["state"] == "st-1"
    assert json.loads(token(server, answer["code"]).body)["scope"] == "write"
    again = Person(server).open(path_of(short))
    assert again.status == 400 and again.text_of("error") == "invalid_request_uri"


def test_pa_01_same_checks(server):
    assert json.loads(push(server, request_of(scope="nonsense")).body)["error"] == "invalid_scope"
    assert push(server, request_of(redirect_uri="https://evil.example")).status == 400
    assert push(server, request_of(), ("rp", "wrong")).status == 401
    inside = [("request_uri", "urn:ietf:params:oauth:request_uri:" + secrets.token_urlsafe(32))]
    assert push(server, request_of() + inside).status == 400  # PA-03

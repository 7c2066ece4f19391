"""Devices (RFC 8628): DV-01 to DV-06."""

import concurrent.futures
import itertools
import json
import re
import pytest

from dpop import Holder
from harness import ALICE, API, BOB
from person import Person

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
TV = ("tv", "tv-secret-tv-secret-tv-secret")
APP = ("tv-app", None)
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server(module_server):
    made = module_server()
    grants = ["--grant", GRANT, "--grant", "refresh_token", "--scope", "openid read write"]
    made.add_client(*TV, *grants)
    made.add_client(*APP, *grants)
    made.add_client("typed", "typed-secret-typed-secret", "--grant", GRANT, "--service", API[0],
                    "--metadata", json.dumps({"authorization_details_types": ["payment"]}))
    made.add_client("no-device", "no-device-secret-no-device", "--grant", "client_credentials",
                    "--scope", "read")
    return made


def ask(server, client=TV, headers=(), **fields):
    fields = {"scope": "openid read", **fields}
    if client[1] is None:
        fields["client_id"] = client[0]
    return server.post_form("/oauth2/device_authorization", fields, headers,
                            client=client if client[1] else None)


def codes(server, client=TV, **more):
    answer = ask(server, client, **more)
    assert answer.status == 200, answer
    server.secrets.add(answer.json["device_code"])
    return answer.json


def poll(server, device_code, client=TV, headers=(), **more):
    fields = {"grant_type": GRANT, "device_code": device_code, **more}
    if client[1] is None:
        fields["client_id"] = client[0]
    return server.token(fields, client=client if client[1] else None, headers=headers)


def somebody(server):
    """A person of their own, as tries are counted."""
    name = f"user-{next(NUMBERS)}"
    server.add_user(name, ALICE[1])
    return Person(server).sign_in((name, ALICE[1]))


def at_question(server, user_code, user=None, person=None):
    person = person or (Person(server).sign_in(user) if user else somebody(server))
    return person.open("/device").fill("user-code", user_code).press("go-on")


def allow(server, device, user=None, person=None):
    person = at_question(server, device["user_code"], user, person)
    assert person.has("allow"), person.answer
    person.press("allow")
    assert person.status == 200 and person.has("message"), person.answer
    return person


# -- the codes --------------------------------------------------------------------------------


def test_dv_01_codes(server):
    answer = ask(server)
    assert answer.status == 200 and answer.header("Cache-Control") == "no-store", answer
    body = answer.json
    root = f"http://127.0.0.1:{server.port}"
    assert re.fullmatch(f"[{LETTERS}]{{4}}-[{LETTERS}]{{4}}", body["user_code"])
    assert body["verification_uri"] == root + "/device"
    assert body["verification_uri_complete"] == root + "/device?user_code=" + body["user_code"]
    assert body["interval"] == 5 and 60 <= body["expires_in"] <= 1800
    assert len(body["device_code"]) == 43


def test_dv_01_metadata(server):
    for name in ("oauth-authorization-server", "openid-configuration"):
        body = server.get("/.well-known/" + name).json
        assert body["device_authorization_endpoint"].endswith("/oauth2/device_authorization")
        assert GRANT in body["grant_types_supported"]


@pytest.mark.parametrize("fold", [
    str.lower, lambda code: code.replace("-", ""), lambda code: " " + code + " ",
    lambda code: " ".join(code.lower()), lambda code: "".join(f"{c}." for c in code)])
def test_dv_01_user_codes_are_folded(server, fold):
    device = codes(server)
    person = at_question(server, fold(device["user_code"]))
    assert person.has("allow") and device["user_code"] in person.text_of("shown-code")


@pytest.mark.parametrize("client, changes, status, error", [
    (("tv", "wrong-secret-wrong-secret"), {}, 401, "invalid_client"),
    (("nobody", None), {}, 401, "invalid_client"),
    (("no-device", "no-device-secret-no-device"), {"scope": "read"}, 400, "unauthorized_client"),
    (TV, {"scope": "nonsense"}, 400, "invalid_scope"),
    (TV, {"resource": "https://nobody.example"}, 400, "invalid_target"),
    (TV, {"authorization_details": "[]"}, 400, "invalid_authorization_details"),
    (TV, {"authorization_details": '[{"type":"payment"}]'}, 400, "invalid_authorization_details"),
])
def test_what_a_device_may_not_ask(server, client, changes, status, error):
    answer = ask(server, client, **changes)
    assert (answer.status, answer.error) == (status, error), answer


# -- the page ---------------------------------------------------------------------------------


def test_dv_05_the_page_shows_and_needs_a_click(server):
    device = codes(server)
    person = Person(server).open("/device?user_code=" + device["user_code"])
    assert person.has("sign-in"), person.answer  # nothing is shown to nobody
    person.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
    assert person.has("device-confirm") and person.text_of("client-id") == "tv", person.answer
    assert "know that it is you" in person.text_of("scopes") and "read" in person.text_of("scopes")
    assert poll(server, device["device_code"]).error == "authorization_pending"
    body = person.press("allow").answer.body.decode()
    assert device["device_code"] not in body
    tokens = poll(server, device["device_code"])
    assert tokens.status == 200, tokens
    assert tokens.json["scope"] == "openid read" and tokens.json["id_token"].count(".") == 2
    assert tokens.json["refresh_token"]
    assert server.refresh(tokens.json["refresh_token"], TV).status == 200


def test_dv_05_a_forged_form_allows_nothing(server):
    device = codes(server)
    person = at_question(server, device["user_code"])
    method, path, body = person.post_of("allow")
    without = "&".join(part for part in body.split("&") if not part.startswith("csrf="))
    assert Person.send(person, method, path, without).status == 403
    other = Person(server).sign_in(BOB)
    csrf = [part for part in at_question(server, device["user_code"], person=other)
            .post_of("allow")[2].split("&") if part.startswith("csrf=")][0]
    # Alice's handle in Bob's browser is nobody's.
    assert other.send("POST", path, without + "&" + csrf).status == 404
    assert poll(server, device["device_code"]).error == "authorization_pending"


def test_dv_05_details_are_shown_and_returned(server):
    client = ("typed", "typed-secret-typed-secret")
    details = [{"type": "payment", "actions": ["pay"], "limit": "EUR 12"}]
    device = codes(server, client, scope="service_id=" + API[0],
                   authorization_details=json.dumps(details))
    person = at_question(server, device["user_code"])
    assert "payment" in person.text_of("details") and "EUR 12" in person.text_of("details")
    person.press("allow")
    tokens = poll(server, device["device_code"], client)
    assert tokens.status == 200 and tokens.json["authorization_details"] == details, tokens
    seen = server.introspect(tokens.json["access_token"], API).json
    assert seen["authorization_details"] == details and seen["acr"] == "urn:jeton:acr:1fa"


def test_an_address_has_only_so_much_kept_for_public_clients(new_server):
    """Device codes and pushed requests of clients without a secret count together, by minute."""
    server = new_server()
    for client, grant in ((TV, GRANT), (APP, GRANT), (("pushing", None), "authorization_code")):
        server.add_client(*client, "--grant", grant, "--scope", "read",
                          "--redirect-uri", "https://app.example/cb")
    for _ in range(1000):
        assert ask(server, APP, scope="read").status == 200
    held_up = ask(server, APP, scope="read")
    assert held_up.status == 429 and held_up.header("Retry-After") == "60"
    assert held_up.json["error"] == "temporarily_unavailable"
    pushed = server.post_form("/oauth2/par", {
        "client_id": "pushing", "response_type": "code", "scope": "read",
        "redirect_uri": "https://app.example/cb", "code_challenge": 43 * "A",
        "code_challenge_method": "S256"})
    assert pushed.status == 429, pushed
    assert ask(server, TV, scope="read").status == 200


def test_dv_03_denied(server):
    device = codes(server)
    assert at_question(server, device["user_code"]).press("deny").status == 200
    for _ in range(2):
        answer = poll(server, device["device_code"])
        assert (answer.status, answer.error) == (400, "access_denied")
    assert at_question(server, device["user_code"]).status == 404


def test_dv_02_guesses_are_throttled(new_server):
    server = new_server()
    server.add_client(*TV, "--grant", GRANT, "--scope", "read")
    device = codes(server, scope="read")
    person = Person(server).sign_in(ALICE)
    csrf = person.open("/device").post_of("go-on")[2].split("csrf=")[1].split("&")[0]

    def guess(number):
        code = "".join(LETTERS[number // 20 ** place % 20] for place in range(8))
        return server.request(
            "POST", "/device", f"csrf={csrf}&user_code={code}",
            [("Content-Type", "application/x-www-form-urlencoded"),
             ("Cookie", "; ".join("=".join(pair) for pair in person.cookies.items())),
             ("Origin", f"http://127.0.0.1:{server.port}")]).status

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(guess, range(1000)))
    assert statuses.count(404) < 10 and set(statuses) == {404, 429}
    # Not even the right one is found then, in whatever browser of the same person.
    late = at_question(server, device["user_code"], ALICE)
    assert late.status == 429 and not late.has("allow")
    assert late.answer.header("Retry-After") is None or int(late.answer.header("Retry-After")) > 0
    # Others go on.
    assert at_question(server, device["user_code"], BOB).has("allow")


# -- polling ----------------------------------------------------------------------------------


def test_dv_03_slow_down(server):
    device = codes(server)
    assert poll(server, device["device_code"]).error == "authorization_pending"
    for _ in range(3):
        answer = poll(server, device["device_code"])
        assert (answer.status, answer.error) == (400, "slow_down")
    allow(server, device)
    assert poll(server, device["device_code"]).status == 200


def test_dv_04_bound_to_its_client_and_once(server):
    device = codes(server)
    allow(server, device)
    assert poll(server, device["device_code"], APP).error == "invalid_grant"
    assert poll(server, device["device_code"]).status == 200
    assert poll(server, device["device_code"]).error == "invalid_grant"
    assert poll(server, "x" * 43).error == "invalid_grant"
    assert server.token({"grant_type": GRANT}, client=TV).error == "invalid_request"


def test_dv_04_parallel_polls_get_one_token(server):
    person = somebody(server)
    for _ in range(3):
        device = codes(server)
        allow(server, device, person=person)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: poll(server, device["device_code"]), range(8)))
        assert [answer.status for answer in answers].count(200) == 1, answers
        assert {answer.error for answer in answers if answer.status != 200} == {"invalid_grant"}


def test_dv_06_a_disabled_person_gets_nothing(new_server):
    server = new_server()
    server.add_client(*TV, "--grant", GRANT, "--scope", "read")
    device = codes(server, scope="read")
    allow(server, device, ALICE)
    server.cli("user", "disable", ALICE[0])
    answer = poll(server, device["device_code"])
    assert (answer.status, answer.error) == (400, "access_denied"), answer


def test_dv_06_what_was_taken_back_is_gone(server):
    device = codes(server)
    person = allow(server, device)
    person.press("sign-out")
    assert poll(server, device["device_code"]).error == "access_denied"


def test_a_public_device_and_its_key(server):
    holder, other = Holder(server), Holder(server)
    path = "/oauth2/device_authorization"
    device = codes(server, APP, headers=holder.header(path))
    allow(server, device, person=somebody(server))
    assert poll(server, device["device_code"], APP).error == "invalid_grant"
    wrong = poll(server, device["device_code"], APP, headers=other.header())
    assert wrong.error == "invalid_grant", wrong
    tokens = poll(server, device["device_code"], APP, headers=holder.header())
    assert tokens.status == 200 and tokens.json["token_type"] == "DPoP", tokens


def test_a_replayed_proof_makes_no_codes(server):
    header = Holder(server).header("/oauth2/device_authorization")
    assert ask(server, APP, headers=header).status == 200
    assert ask(server, APP, headers=header).error == "invalid_dpop_proof"


def test_dv_03_expired_and_in_time(faked_time):
    server, set_time = faked_time
    server.add_client(*TV, "--grant", GRANT, "--scope", "read")
    device, late = codes(server, scope="read"), codes(server, scope="read")
    assert poll(server, device["device_code"]).error == "authorization_pending"
    set_time(100)
    assert poll(server, device["device_code"]).error == "authorization_pending"
    assert poll(server, device["device_code"]).error == "slow_down"
    set_time(104)  # four seconds and more have gone, but ten are asked for now
    assert poll(server, device["device_code"]).error == "slow_down"
    set_time(125)
    assert poll(server, device["device_code"]).error == "authorization_pending"
    allow(server, device, ALICE)
    allow(server, late, ALICE)
    set_time(601)
    for one in (device, late):
        answer = poll(server, one["device_code"])
        assert (answer.status, answer.error) == (400, "expired_token"), answer
    assert at_question(server, device["user_code"], ALICE).status == 404

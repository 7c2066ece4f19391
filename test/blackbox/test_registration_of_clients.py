"""Clients that register themselves (RFC 7591, OpenID Connect Registration 1.0) and look after
their registration (RFC 7592); test_registration.py is about people."""

import json
import re
import threading
import uuid

import pytest

from certificates import Authority, HttpsServer
from dpop import Key
from harness import ALICE, API, BOB, CC, form_encode
from person import Person
from test_authorization import CHALLENGE, VERIFIER, claims_of
from token_people import begin, make

CALLBACK = "https://app.example/cb"
GOOD = {"redirect_uris": [CALLBACK], "client_name": "Example"}
PATH = "/oauth2/register"


@pytest.fixture(scope="module")
def server(module_server):
    """Open to all. Each test comes from an address of its own: one has 60 tries an hour."""
    return module_server(args=["--client-registration", "open",
                               "--client-registration-service", API[0]])


class Source:
    number = 1


def address():
    Source.number += 1
    return f"127.0.7.{Source.number}"


def register(server, metadata, token=None, source=None):
    headers = {"Authorization": "Bearer " + token} if token else {}
    answer = server.post_json(PATH, metadata, headers, source=source or address())
    if answer.status == 201:
        remember(server, answer.json)
    return answer


def remember(server, body):
    """None of these may ever be logged."""
    for name in ("client_secret", "registration_access_token"):
        if name in body:
            server.secrets.add(body[name])


def registered(server, **changes):
    metadata = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    answer = register(server, metadata)
    assert answer.status == 201, answer
    return answer.json


def manage(server, body, method="GET", metadata=None, token=None):
    path = body["registration_client_uri"].split("/", 3)[3]
    headers = [("Authorization", "Bearer " + (token or body["registration_access_token"]))]
    text = None
    if metadata is not None:
        text = metadata if isinstance(metadata, str) else json.dumps(metadata)
        headers.append(("Content-Type", "application/json"))
    answer = server.request(method, "/" + path, text, headers)
    if answer.status == 200 and answer.body:
        remember(server, answer.json)
    return answer


def change(server, body, **changes):
    metadata = {"client_id": body["client_id"], **GOOD, **changes}
    return manage(server, body, "PUT",
                  {name: value for name, value in metadata.items() if value is not None})


def refused(answer, error, status=400):
    assert (answer.status, answer.error) == (status, error), answer
    assert answer.header("Cache-Control") == "no-store"


def code_of(server, client_id, scope="openid", callback=CALLBACK, user=ALICE):
    person = Person(server).open("/oauth2/authorize?" + form_encode({
        "client_id": client_id, "redirect_uri": callback, "response_type": "code", "scope": scope,
        "code_challenge": CHALLENGE, "code_challenge_method": "S256"}))
    if person.has("sign-in"):
        person.fill("username", user[0]).fill("password", user[1]).press("sign-in")
    assert person.has("unsure"), person.answer  # its name is its own claim
    location = person.press("allow").answer.header("Location")
    return re.search(r"[?&]code=([^&]+)", location).group(1)


def tokens_of(server, body, scope="openid"):
    fields = {"grant_type": "authorization_code", "code": code_of(server, body["client_id"], scope),
              "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    answer = server.token(fields, client=(body["client_id"], body["client_secret"]))
    assert answer.status == 200, answer
    return answer.json


# -- registering ------------------------------------------------------------------------------


def test_a_client_registers_and_people_sign_in_with_it(server):
    body = registered(server)
    assert uuid.UUID(body["client_id"]).version == 4
    assert body["client_secret_expires_at"] == 0 and body["client_id_issued_at"] > 0
    assert body["redirect_uris"] == [CALLBACK] and body["client_name"] == "Example"
    assert body["grant_types"] == ["authorization_code"] and body["response_types"] == ["code"]
    assert body["token_endpoint_auth_method"] == "client_secret_basic"
    assert set(body["scope"].split()) == {"openid", "profile", "email", "offline_access"}
    assert body["registration_client_uri"] == \
        f"http://127.0.0.1:{server.port}{PATH}/{body['client_id']}"
    tokens = tokens_of(server, body)
    assert claims_of(tokens["id_token"])["aud"] == body["client_id"]


def test_the_metadata_names_the_endpoint(server, new_server):
    path = "/.well-known/oauth-authorization-server"
    assert server.get(path).json["registration_endpoint"] == \
        f"http://127.0.0.1:{server.port}{PATH}"
    closed = new_server()
    assert "registration_endpoint" not in closed.get(path).json
    assert closed.post_json(PATH, GOOD).status == 404
    assert closed.get(PATH + "/x").status == 404


def test_members_that_are_not_known_are_left_out(server):
    """RFC 7591 2. What we make is ours, whatever is asked for."""
    body = registered(server, client_id="mine", client_secret="chosen", nonsense={"a": [1]},
                      registration_access_token="chosen", client_id_issued_at=1)
    assert body["client_id"] != "mine" and body["client_secret"] != "chosen"
    assert body["registration_access_token"] != "chosen" and "nonsense" not in body
    assert body["client_id_issued_at"] > 1


def test_jt_06_no_client_has_the_subject_of_an_account(server):
    subject = claims_of(tokens_of(server, registered(server))["id_token"])["sub"]
    for wish in (subject, "1", subject.split(":")[-1]):
        assert registered(server, client_id=wish)["client_id"] != wish


def test_public_clients_have_no_secret(server):
    body = registered(server, token_endpoint_auth_method="none")
    assert "client_secret" not in body and "client_secret_expires_at" not in body


def test_keys_are_registered(server):
    key = Key("ES256")
    body = registered(server, token_endpoint_auth_method="private_key_jwt",
                      jwks={"keys": [key.jwk]})
    assert "client_secret" not in body and body["jwks"]["keys"][0]["x"] == key.jwk["x"]


BAD_URIS = ["http://app.example/cb", "javascript:alert(1)", "JavaScript:alert(1)",
            "data:text/html,x", "DATA:text/html,x", "vbscript:x", "VbScript:x",
            "https://app.example/cb#part",
            "https://user@app.example/cb", "/cb", "app.example/cb", "", "https://", "file:///etc",
            "ftp://app.example/", "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "myapp:/cb", "about:blank", "https://app.example/c b", "https://app.example/\n"]


@pytest.mark.parametrize("uri", BAD_URIS)
def test_az_03_bad_redirect_uris_are_refused(server, uri):
    refused(register(server, {**GOOD, "redirect_uris": [uri]}), "invalid_redirect_uri")
    refused(register(server, {**GOOD, "redirect_uris": [CALLBACK, uri]}), "invalid_redirect_uri")


@pytest.mark.parametrize("uris", [None, [], "https://app.example/cb", [1], [None], {}, 7,
                                  [f"https://app.example/{n}" for n in range(33)],
                                  ["https://app.example/" + "x" * 2048]])
def test_az_03_lists_that_are_none(server, uris):
    refused(register(server, {**GOOD, "redirect_uris": uris}), "invalid_redirect_uri")


@pytest.mark.parametrize("changed, words", [
    ({"redirect_uris": [f"https://app.example/{n}" for n in range(33)]}, "too many"),
    ({"redirect_uris": ["https://app.example/" + "x" * 2048]}, "too long"),
    ({"redirect_uris": ["app.example/cb"]}, "absolute"),
    ({"client_name": "one\ntwo"}, "control characters")])
def test_a_refusal_names_what_is_wrong(server, changed, words):
    assert words in register(server, {**GOOD, **changed}).json["error_description"]


BAD_METADATA = [
    {"grant_types": ["client_credentials"]}, {"grant_types": ["password"]},
    {"grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"]},
    {"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]},
    {"grant_types": ["implicit"]}, {"grant_types": "authorization_code"},
    {"response_types": ["token"]}, {"response_types": ["code id_token"]},
    {"scope": "peek"}, {"scope": "jeton:register"}, {"scope": "jeton:tokens"},
    {"scope": "openid  profile"}, {"scope": ["openid"]}, {"scope": "service_id=" + API[0]},
    {"jeton_trusted": True}, {"jeton_exchange_audiences": [API[0]]},
    {"token_endpoint_auth_method": "client_secret_jwt"}, {"token_endpoint_auth_method": 1},
    {"token_endpoint_auth_method": "private_key_jwt"},
    {"token_endpoint_auth_method": "tls_client_auth"},
    {"jwks": {"keys": [{**Key("ES256").jwk, "d": "AAAA"}]}}, {"jwks": []},
    {"jwks_uri": "http://app.example/keys"}, {"logo_uri": "javascript:alert(1)"},
    {"client_uri": "data:text/html,x"}, {"policy_uri": 1}, {"client_name": ""}, {"client_name": 1},
    {"client_name": "a\u0000b"}, {"application_type": "desktop"}, {"subject_type": "other"},
    {"id_token_signed_response_alg": "none"}, {"request_object_signing_alg": "HS256"},
    {"backchannel_logout_uri": "http://app.example/out"}, {"default_max_age": -1},
    {"post_logout_redirect_uris": ["javascript:alert(1)"]}, {"contacts": "me"},
    {"subject_type": "pairwise", "sector_identifier_uri": "https://localhost:1/none"},
]


@pytest.mark.parametrize("changes", BAD_METADATA, ids=lambda value: json.dumps(value)[:40])
def test_fc_39_policy_holds_at_registration_and_at_change(server, changes):
    """What a registration may not be, no change makes of it."""
    refused(register(server, {**GOOD, **changes}), "invalid_client_metadata")
    body = registered(server)
    refused(change(server, body, **changes), "invalid_client_metadata")
    now = manage(server, body).json
    assert {name: now[name] for name in ("grant_types", "scope", "redirect_uris")} == \
        {name: body[name] for name in ("grant_types", "scope", "redirect_uris")}


@pytest.mark.parametrize("uri", BAD_URIS[:8])
def test_fc_39_bad_redirect_uris_at_change(server, uri):
    refused(change(server, registered(server), redirect_uris=[uri]), "invalid_redirect_uri")


@pytest.mark.parametrize("text", ["", "[]", "7", "null", "{", '{"redirect_uris":["x"],}',
                                  '{"a":1,"a":2}', "[" * 2000, b"\xff\xfe", '{"a":"\\u0000"}',
                                  '{"redirect_uris":' + "[" * 40 + "]" * 40 + "}"])
def test_bodies_that_are_no_object(server, text):
    refused(register(server, text), "invalid_client_metadata")
    body = registered(server)
    if isinstance(text, str):
        refused(manage(server, body, "PUT", text), "invalid_client_metadata")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded",
                                  "application/jose"])
def test_only_json_is_read(server, kind):
    headers = {"Content-Type": kind} if kind else {}
    refused(server.request("POST", PATH, json.dumps(GOOD), headers, source=address()),
            "invalid_client_metadata")


def test_software_statements_are_refused_clearly(server):
    refused(register(server, {**GOOD, "software_statement": "a.b.c"}),
            "unapproved_software_statement")


def test_services_that_the_operator_named(server):
    """Without a scope all of them, with one the words that are asked for."""
    body = registered(server)
    shown = json.loads(server.cli("client", "show", body["client_id"], "--json").out)
    assert shown["services"] == [API[0]] and "registered_by_itself" in shown["policies"]
    body = registered(server, scope="openid read")
    shown = json.loads(server.cli("client", "show", body["client_id"], "--json").out)
    assert shown["services"] == [] and shown["scope"] == "openid read"
    tokens = tokens_of(server, body, "openid read")
    assert server.is_active(tokens["access_token"], API)


def test_one_address_is_held_up(server):
    source = address()
    answers = [register(server, {}, source=source) for _ in range(61)]
    assert {answer.status for answer in answers[:60]} == {400}
    refused(answers[60], "temporarily_unavailable", 429)
    assert int(answers[60].header("Retry-After")) == 3600
    assert register(server, GOOD).status == 201


def test_there_is_a_bound(new_server):
    server = new_server(args=["--client-registration", "open", "--client-registration-max", "5"])
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(register(server, GOOD).status))
               for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201] * 5 + [503] * 7


def test_who_is_unused_makes_room(faked_time):
    server, set_time = faked_time
    server.stop()
    server.args = ["--client-registration", "open", "--client-registration-max", "2"]
    server.start()
    used, unused = registered(server), registered(server)
    tokens_of(server, used)
    refused(register(server, GOOD), "temporarily_unavailable", 503)
    set_time(25 * 3600)
    assert register(server, GOOD).status == 201
    assert manage(server, used).status == 200
    refused(manage(server, unused), "invalid_token", 401)


# -- the registration access token ------------------------------------------------------------


def test_reading_shows_the_client_and_not_its_secret(server):
    body = registered(server)
    again = manage(server, body)
    assert again.status == 200 and again.header("Cache-Control") == "no-store"
    assert again.json == {name: value for name, value in body.items() if name != "client_secret"}


def test_ca_13_secrets_are_kept_hashed(new_server):
    server = new_server(args=["--client-registration", "open"])
    body = registered(server)
    for secret in (body["client_secret"], body["registration_access_token"]):
        assert secret.encode() not in b"".join(content for _, content in server.stored())
        assert secret not in server.cli("client", "show", body["client_id"], "--json").out
        assert secret not in server.cli("client", "list").out


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_others_tokens_are_refused(server, method):
    body, other = registered(server), registered(server)
    metadata = {**GOOD, "client_id": body["client_id"]} if method == "PUT" else None
    access = server.client_token(CC)["access_token"]
    for token in (other["registration_access_token"], access, "x", "x" * 3000,
                  body["registration_access_token"][:-1], body["client_secret"]):
        refused(manage(server, body, method, metadata, token), "invalid_token", 401)
    answer = server.request(method, f"{PATH}/{body['client_id']}", json.dumps(metadata),
                            {"Content-Type": "application/json"})
    assert answer.status == 401 and answer.header("WWW-Authenticate").startswith("Bearer")
    unknown = {**body, "registration_client_uri":
               body["registration_client_uri"].replace(body["client_id"], str(uuid.uuid4()))}
    refused(manage(server, unknown, method, metadata), "invalid_token", 401)
    refused(manage(server, {**body, "registration_client_uri": body["registration_client_uri"]
                            .replace(body["client_id"], CC[0])}, method, metadata),
            "invalid_token", 401)
    assert manage(server, body).status == 200


def test_a_change_replaces_everything(server):
    body = registered(server, client_uri="https://app.example/", contacts=["me@app.example"])
    answer = change(server, body, redirect_uris=["https://app.example/two"], client_name="Two")
    assert answer.status == 200, answer
    now = answer.json
    assert now["redirect_uris"] == ["https://app.example/two"] and now["client_name"] == "Two"
    assert "client_uri" not in now and "contacts" not in now and "client_secret" not in now
    assert now["client_id"] == body["client_id"]
    assert now["registration_access_token"] == body["registration_access_token"]
    secret = (body["client_id"], body["client_secret"])  # it is still good
    answer = server.token({"grant_type": "client_credentials"}, client=secret)
    assert answer.error == "unauthorized_client", answer


@pytest.mark.parametrize("changes", [
    {"client_id": None}, {"client_id": "other"}, {"client_secret": "chosen"}, {"client_secret": 1},
    {"registration_access_token": "x"}, {"registration_client_uri": "https://x.example"},
    {"client_secret_expires_at": 0}, {"client_id_issued_at": 1}])
def test_what_a_change_may_not_name(server, changes):
    refused(change(server, registered(server), **changes), "invalid_client_metadata")


def test_the_secret_may_be_repeated(server):
    body = registered(server)
    assert change(server, body, client_secret=body["client_secret"]).status == 200


def test_another_way_of_authentication(server):
    """CA-03: the secret of before is no good; a new one is made and shown."""
    body = registered(server)
    gone = change(server, body, token_endpoint_auth_method="none")
    assert gone.status == 200 and "client_secret" not in gone.json
    fresh = change(server, body, token_endpoint_auth_method="client_secret_post").json
    assert fresh["client_secret"] != body["client_secret"]
    old = server.token({"grant_type": "refresh_token", "refresh_token": "x", "client_secret":
                        body["client_secret"], "client_id": body["client_id"]})
    assert (old.status, old.error) == (401, "invalid_client")
    new = server.token({"grant_type": "refresh_token", "refresh_token": "x", "client_secret":
                        fresh["client_secret"], "client_id": body["client_id"]})
    assert new.status == 400, new


def test_what_an_operator_gave_does_not_outlive_a_change(server):
    body = registered(server)
    server.cli("client", "set", body["client_id"], "--trusted")
    assert change(server, body).status == 200
    shown = json.loads(server.cli("client", "show", body["client_id"], "--json").out)
    assert "trusted" not in shown["policies"]


def test_a_disabled_client_cannot_be_managed(server):
    body = registered(server)
    server.cli("client", "disable", body["client_id"])
    refused(manage(server, body), "invalid_token", 401)
    refused(change(server, body), "invalid_token", 401)
    refused(manage(server, body, "DELETE"), "invalid_token", 401)
    server.cli("client", "enable", body["client_id"])
    assert manage(server, body).status == 200


def test_deleting_ends_all(server):
    body = registered(server, grant_types=["authorization_code", "refresh_token"],
                      scope="openid read offline_access")
    tokens = tokens_of(server, body, "openid read")
    assert server.is_active(tokens["access_token"], API)
    answer = manage(server, body, "DELETE")
    assert answer.status == 204 and not answer.body and answer.header("Cache-Control") == "no-store"
    assert not server.is_active(tokens["access_token"], API)
    refused(manage(server, body), "invalid_token", 401)
    refused(manage(server, body, "DELETE"), "invalid_token", 401)
    after = server.refresh(tokens["refresh_token"], (body["client_id"], body["client_secret"]))
    assert (after.status, after.error) == (401, "invalid_client")
    assert server.cli("client", "show", body["client_id"], status=None).status == 1
    person = Person(server).open("/oauth2/authorize?" + form_encode({
        "client_id": body["client_id"], "redirect_uri": CALLBACK, "response_type": "code"}))
    assert person.status == 400 and not person.answer.header("Location")


def test_methods_and_origins(server):
    answer = server.get(PATH)
    assert answer.status == 405 and answer.header("Allow") == "POST"
    answer = server.request("PATCH", PATH + "/x")
    assert answer.status == 405 and answer.header("Allow") == "GET, HEAD, PUT, DELETE"
    answer = server.request("OPTIONS", PATH + "/x")
    assert answer.status == 204 and "PUT" in answer.header("Access-Control-Allow-Methods")


# -- initial access tokens ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(module_server):
    made = module_server(args=["--client-registration", "token"])
    made.add_client("gate", "gate-secret-gate-secret-gate", "--grant", "client_credentials",
                    "--scope", "jeton:register other")
    made.add_user("root", "root-password-7Qx2", "--admin")
    return made


def test_an_initial_access_token_lets_in(guarded):
    gate = ("gate", "gate-secret-gate-secret-gate")
    token = guarded.client_token(gate, "jeton:register")["access_token"]
    answer = register(guarded, GOOD, token)
    assert answer.status == 201, answer
    assert manage(guarded, answer.json).status == 200
    narrow = guarded.client_token(gate, "other")["access_token"]
    refused(register(guarded, GOOD, narrow), "insufficient_scope", 403)
    foreign = guarded.client_token(CC)["access_token"]
    assert register(guarded, GOOD, foreign).status in (401, 403)
    guarded.revoke(token, gate)
    refused(register(guarded, GOOD, token), "invalid_token", 401)
    token = guarded.client_token(gate, "jeton:register")["access_token"]
    guarded.cli("client", "set", "gate", "--scope", "other")
    refused(register(guarded, GOOD, token), "insufficient_scope", 403)
    guarded.cli("client", "set", "gate", "--scope", "jeton:register other")


@pytest.mark.parametrize("token", [None, "nonsense"])
def test_without_a_token_nobody_registers(guarded, token):
    answer = register(guarded, GOOD, token)
    assert answer.status == 401 and answer.header("WWW-Authenticate").startswith("Bearer"), answer


def test_administrators_make_permanent_ones(guarded):
    person = Person(guarded).sign_in(("root", "root-password-7Qx2"))
    token = make(person, name="registrar", scopes=("jeton:register",))
    assert register(guarded, GOOD, token).status == 201
    assert guarded.get("/api/v1/tokens", {"Authorization": "Bearer " + token}).status == 403


def test_others_cannot_make_them(guarded):
    person = Person(guarded).sign_in(BOB)
    begin(person, "registrar", ("jeton:register",)).press("create-token")
    assert person.status == 422 and not person.has("token-value"), person.answer


# -- sectors -----------------------------------------------------------------------------------


def test_a_sector_has_to_list_the_client(new_server, tmp_path):
    """OpenID Connect Registration 1.0 5."""
    authority = Authority("Sectors")
    https = HttpsServer(authority, tmp_path, {
        "/with": lambda: (200, {}, json.dumps([CALLBACK]).encode()),
        "/without": lambda: (200, {}, json.dumps(["https://other.example/"]).encode()),
        "/torn": lambda: (200, {}, b"{"), "/object": lambda: (200, {}, b"{}")})
    server = new_server(args=["--client-registration", "open", "--fetch-network", "127.0.0.1",
                              "--fetch-ca-file", str(authority.save(tmp_path, "ca"))])
    for path, status in (("/with", 201), ("/without", 400), ("/torn", 400), ("/object", 400),
                         ("/none", 400)):
        answer = register(server, {**GOOD, "subject_type": "pairwise",
                                   "sector_identifier_uri": https.url(path)})
        assert answer.status == status, (path, answer)
    https.close()


def test_oi_08_a_foreign_host_is_no_sector(server):
    """Where no code goes there, anybody could name it, and know its clients' people."""
    device = "urn:ietf:params:oauth:grant-type:device_code"
    pairwise = {**GOOD, "subject_type": "pairwise"}
    both = {"grant_types": ["authorization_code", device]}
    refused(register(server, {**pairwise, **both}), "invalid_client_metadata")
    assert registered(server, **both)["subject_type"] == "public"
    body = registered(server, **pairwise)
    refused(manage(server, body, "PUT", {**pairwise, **both, "client_id": body["client_id"]}),
            "invalid_client_metadata")
    alone = {"grant_types": [device], "response_types": [], "redirect_uris": []}
    assert registered(server, **{**pairwise, **alone})["subject_type"] == "pairwise"


def test_the_longest_that_is_taken(server):
    """Everything that is escaped in an answer, as much of it as a request may have."""
    uris = [f"https://app.example/{n:02d}?" + "&" * 1950 for n in range(31)]
    refused(register(server, {"redirect_uris": uris}), "invalid_redirect_uri")
    uris = uris[:16]
    answer = register(server, {"redirect_uris": uris})
    assert answer.status == 201 and answer.json["redirect_uris"] == uris, answer
    assert manage(server, answer.json).json["redirect_uris"] == uris
    contacts = ["<" * 900 for _ in range(32)]
    assert register(server, {**GOOD, "contacts": contacts}).status in (201, 400)

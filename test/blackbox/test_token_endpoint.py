"""The token endpoint's manners (RFC 6749 3.2, 5.1, 5.2; promises TK-01 to TK-05)."""

import json
import random
import re

import pytest

from harness import ALICE, API, C1, CC, FORM, JWTS, basic, form_encode, short

CREDENTIALS = {"grant_type": "client_credentials"}
REGISTERED = {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
              "unsupported_grant_type", "invalid_scope",
              "invalid_target", "invalid_authorization_details"}
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")  # RFC 6749 5.2
TALKATIVE = re.compile(rb"sqlite|SELECT |INSERT |constraint|\.c:\d|0x[0-9a-f]{6,}|src/|errno",
                       re.IGNORECASE)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "FOO"])
def test_tk_01_other_methods_are_405(jeton, method):
    """RFC 6749 3.2; RFC 9110 15.5.6: Allow names what is offered."""
    for path in ("/oauth2/token", "/oauth2/token/", "/oauth2/introspect", "/oauth2/revoke"):
        answer = jeton.request(method, path)
        if method == "OPTIONS" and path != "/oauth2/introspect":
            assert answer.status == 204, answer  # what a browser asks before (Fetch 4.8)
            continue
        assert answer.status == 405 and answer.header("Allow").startswith("POST"), answer


@pytest.mark.parametrize("content_type", [
    None, "", "text/plain", "multipart/form-data; boundary=x", "application/xml", "text/json",
    "application/x-www-form-urlencodedx", "application/jsonp", "*/*", FORM + ", " + FORM])
def test_tk_01_other_bodies_are_invalid_request(jeton, content_type):
    headers = {"Authorization": basic(*CC)}
    if content_type is not None:
        headers["Content-Type"] = content_type
    answer = jeton.request("POST", "/oauth2/token", form_encode(CREDENTIALS), headers)
    assert (answer.status, answer.error) == (400, "invalid_request"), answer


@pytest.mark.parametrize("content_type", [
    FORM, FORM.upper(), FORM + ";charset=UTF-8", FORM + " ; charset=utf-8",
    FORM + '; charset="utf-8"'])
def test_tk_01_form_media_type_is_read_as_media_types_are(jeton, content_type):
    answer = jeton.post_form("/oauth2/token", CREDENTIALS, {"Content-Type": content_type},
                             client=CC)
    assert answer.status == 200, answer


@pytest.mark.parametrize("body", [
    "grant_type=client_credentials&grant_type=client_credentials",
    "grant_type=client_credentials&scope=read&scope=read",
    "grant_type=client_credentials&scope=read&scope=",
    "grant_type=client_credentials&gr%61nt_type=client_credentials",
    "grant_type=client_credentials&x=%zz", "grant_type=client_credentials&x=%4",
    "grant_type=client_credentials&scope=re%00ad", b"grant_type=client_credentials&scope=\xff\xfe",
    "scope=read", "", "grant_type", "&&&", "grant_type=&scope=read",
    "grant_type=client_credentials&" + "&".join(f"a{i}=1" for i in range(5000)),
], ids=short)
def test_tk_01_malformed_and_repeated_parameters_are_invalid_request(jeton, body):
    """RFC 6749 3.2: request parameters must not be included more than once."""
    answer = jeton.post_form("/oauth2/token", body, client=CC)
    allowed = {"invalid_request"} if b"\xff" not in (body if isinstance(body, bytes) else b"") \
        and "%00" not in str(body) else {"invalid_request", "invalid_scope"}
    assert answer.status == 400 and answer.error in allowed, answer


def test_tk_01_parameters_without_a_value_are_as_if_omitted(jeton):
    """RFC 6749 3.1 and 3.2."""
    answer = jeton.post_form("/oauth2/token", "grant_type=client_credentials&scope=", client=CC)
    assert answer.status == 200, answer


def test_tk_01_oversize_body_is_refused_and_stores_nothing(jeton):
    answer = jeton.post_form("/oauth2/token", "grant_type=client_credentials&x=" + "a" * 70000,
                             client=CC)
    assert answer.status == 413, answer


def test_tk_02_no_store_on_every_answer(jeton):
    """RFC 6749 5.1."""
    token = jeton.client_token(CC)["access_token"]
    answers = [
        jeton.token(CREDENTIALS, client=CC), jeton.token(CREDENTIALS, client=(CC[0], "wrong")),
        jeton.token({}, client=CC), jeton.get("/oauth2/token"),
        jeton.introspect(token, API), jeton.introspect("nonsense", API),
        jeton.introspect(token, (API[0], "wrong")), jeton.revoke(token, CC),
        jeton.token({**CREDENTIALS, "scope": "nonsense"}, client=CC),
        jeton.forward_auth(token), jeton.forward_auth(),
    ]
    for answer in answers:
        assert "no-store" in (answer.header("Cache-Control") or ""), answer
    assert answers[0].header("Pragma") == "no-cache"


def test_tk_02_success_members_in_order(jeton):
    """The answer for registered clients: nothing more, nothing less."""
    answer = jeton.token({**CREDENTIALS, "scope": "read"}, client=C1)
    assert answer.members == ["access_token", "token_type", "expires_in", "scope"]
    assert answer.json["token_type"] == "Bearer" and answer.json["expires_in"] == 600
    answer = jeton.token({"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
                          "scope": "read"}, client=C1)
    assert answer.members == ["access_token", "token_type", "expires_in", "refresh_token", "scope"]


def test_tk_03_query_parameters_are_not_read(jeton):
    """RFC 6749 2.3.1: credentials must not be included in the request URI."""
    query = form_encode({"client_id": CC[0], "client_secret": CC[1], **CREDENTIALS})
    answer = jeton.post_form("/oauth2/token?" + query, "")
    assert answer.status in (400, 401) and "access_token" not in answer.json, answer
    answer = jeton.post_form(f"/oauth2/token?client_id={CC[0]}&client_secret={CC[1]}", CREDENTIALS)
    assert (answer.status, answer.error) == (401, "invalid_client"), answer
    answer = jeton.post_form("/oauth2/token?scope=admin", {**CREDENTIALS, "scope": "read"},
                             client=CC)
    assert answer.status == 200 and answer.json["scope"] == "read", answer
    answer = jeton.post_form("/oauth2/token?grant_type=client_credentials", "scope=read", client=CC)
    assert (answer.status, answer.error) == (400, "invalid_request"), answer
    assert CC[1] not in jeton.log()


def mutations(seed, count):
    """Bodies that a careless or hostile client might send."""
    chance = random.Random(seed)
    base = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", "x"),
            ("username", "alice"), ("refresh_token", "jtr_x"), ("client_id", "c")]
    junk = ["'", '"', "\x00", "%", "\r\nX: y", "<script>", "../../etc/passwd", "a" * 3000, "ü",
            "' OR '1'='1", "*)(uid=*", "\\", "{}", "-1", "1e999", "\u202e", " ", ";--"]
    for _ in range(count):
        fields = [(name, chance.choice([value, chance.choice(junk), value + chance.choice(junk)]))
                  for name, value in chance.sample(base, chance.randint(0, len(base)))]
        body = form_encode(fields).encode()
        if chance.random() < 0.3 and body:
            at = chance.randrange(len(body))
            body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1:]
        yield body


def test_tk_04_errors_are_json_from_the_registered_set(jeton):
    connection = jeton.connection()
    for body in mutations(20260101, 400):
        answer = jeton.post_form("/oauth2/token", body, client=CC, connection=connection)
        if answer.header("Connection") == "close":
            connection.close()
            connection = jeton.connection()
        if answer.status == 200:
            assert set(answer.json["scope"].split()) <= {"read", "write", "admin"}, (body, answer)
            continue
        assert answer.status in (400, 401), (body, answer)
        value = json.loads(answer.body)
        assert value["error"] in REGISTERED, (body, answer)
        assert set(value) <= {"error", "error_description", "error_uri"}
        assert DESCRIPTION.fullmatch(value.get("error_description", "")), answer
        assert not TALKATIVE.search(answer.body), answer
        assert b"<script" not in answer.body
    connection.close()


@pytest.mark.parametrize("fields", [
    CREDENTIALS, {"grant_type": "password", "username": ALICE[0], "password": ALICE[1]}],
    ids=["client", "password"])
@pytest.mark.parametrize("details", ['[{"type":"x"}]', "garbage"])
def test_details_need_a_person(jeton, fields, details):
    """RFC 9396 6: no token comes without what was asked for in particular."""
    answer = jeton.token({**fields, "authorization_details": details}, client=C1)
    assert answer.status == 400 and answer.json["error"] == "invalid_authorization_details"


def test_tk_05_granted_scope_is_told(jeton):
    """RFC 6749 5.1 and 3.3."""
    assert jeton.client_token(C1, "read")["scope"] == "read"
    assert jeton.client_token(C1, "write read")["scope"].split() in (["write", "read"],
                                                                    ["read", "write"])
    everything = jeton.client_token(CC)["scope"].split()
    assert sorted(everything) == ["admin", "read", "write"]


@pytest.mark.parametrize("scope", ["nonsense", "read nonsense", "closed", "read closed", "jread",
                                   "peek", "service_id=api.example.evil", "READ", "read\tadmin",
                                   'read"', "r\\ead", "x" * 5000, "read " * 3000,
                                   " ".join(f"w{i}" for i in range(500))], ids=short)
def test_tk_05_scope_beyond_the_registration_is_invalid_scope(jeton, scope):
    answer = jeton.token({**CREDENTIALS, "scope": scope}, client=CC)
    if scope == "read " * 3000:
        assert answer.status == 400, answer
    else:
        assert (answer.status, answer.error) == (400, "invalid_scope"), answer


def test_tk_05_a_service_may_be_asked_for_by_name(jeton):
    """service_id=X asks for service X."""
    body = jeton.client_token(C1, "service_id=" + JWTS[0])
    assert body["expires_in"] == 900
    assert jeton.is_active(body["access_token"], JWTS)
    assert not jeton.is_active(body["access_token"], API)

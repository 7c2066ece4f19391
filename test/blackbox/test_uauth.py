"""u-Auth's documented request and answer."""

import pytest

from harness import ALICE, API, C1, UAUTH, UAUTH_SERVICE, form_encode, jwt_part, short, uauth_form

PATHS = ["/oauth2/token", "/oauth2/token/"]


def assert_documented_answer(answer):
    assert answer.status == 200, answer
    assert answer.members == ["token_type", "scope", "access_token", "expires_in"]
    body = answer.json
    assert body["token_type"] == "Bearer"
    assert body["scope"] == "service_id=" + UAUTH
    assert body["expires_in"] == 3600 and isinstance(body["expires_in"], int)
    assert isinstance(body["access_token"], str) and body["access_token"]
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Pragma") == "no-cache"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shape", ["raw equals sign", "encoded equals sign", "json"])
def test_t7_documented_request_gets_the_documented_members(jeton, path, shape):
    if shape == "json":
        answer = jeton.post_json(path, uauth_form())
    elif shape == "raw equals sign":
        head = form_encode({k: v for k, v in uauth_form().items() if k != "scope"})
        answer = jeton.post_form(path, head + "&scope=service_id=" + UAUTH)
    else:
        body = form_encode(uauth_form())
        assert "service_id%3D" in body
        answer = jeton.post_form(path, body)
    assert_documented_answer(answer)


def test_t7_accept_header_of_the_documents_is_honoured(jeton):
    answer = jeton.post_form("/oauth2/token/", uauth_form(), {"Accept": "application/json"})
    assert_documented_answer(answer)


def test_t7_token_is_an_es256_jwt_and_the_service_sees_it_active(jeton):
    token = jeton.post_form("/oauth2/token/", uauth_form()).json["access_token"]
    assert jwt_part(token, 0)["alg"] == "ES256"
    answer = jeton.introspect(token, UAUTH_SERVICE)
    assert answer.status == 200
    assert answer.json["active"] is True
    assert answer.json["username"] == ALICE[0]


def test_t7_whitespace_and_continuation_of_the_pasted_curl_are_trimmed(jeton):
    """Trap 2: the multi-line example sends " \\\\\\n" at the end of each value."""
    tail = " \\\n"
    fields = {name: value + tail for name, value in uauth_form().items() if name != "password"}
    fields["password"] = ALICE[1]
    assert_documented_answer(jeton.post_form("/oauth2/token/", fields))


def test_t7_the_pasted_curl_fails_by_its_password_and_not_by_its_grant(jeton):
    """The password is never altered, so the example as printed is an honest wrong password."""
    body = (f"grant_type=password \\\n&username={ALICE[0]} \\\n&password=test \\\n"
            f"&scope=service_id={UAUTH}")
    answer = jeton.post_form("/oauth2/token/", body)
    assert (answer.status, answer.error) == (400, "invalid_grant"), answer


@pytest.mark.parametrize("name, change, error", [
    ("wrong password", {"password": "not the password of alice"}, "invalid_grant"),
    ("unknown user", {"username": "nobody-here"}, "invalid_grant"),
    ("no grant_type", {"grant_type": None}, "invalid_request"),
    ("empty grant_type", {"grant_type": ""}, "invalid_request"),
    ("no username", {"username": None}, "invalid_request"),
    ("no password", {"password": None}, "invalid_request"),
    ("unknown grant", {"grant_type": "saml"}, "unsupported_grant_type"),
    ("unknown service", {"scope": "service_id=nowhere.example"}, "invalid_scope"),
    ("service that is not open to passwords", {"scope": "service_id=" + API[0]}, "invalid_scope"),
    ("service id empty", {"scope": "service_id="}, "invalid_scope"),
    ("scope with a quote", {"scope": 'service_id="' + UAUTH + '"'}, "invalid_scope"),
    ("scope with a control byte", {"scope": "service_id=" + UAUTH + "\x01"}, "invalid_scope"),
    ("no scope", {"scope": None}, "invalid_scope"),
    ("scope without its prefix", {"scope": "read"}, "invalid_scope"),
])
def test_t7_errors(jeton, name, change, error):
    """RFC 6749 5.2, in form and in JSON alike."""
    fields = uauth_form()
    for key, value in change.items():
        if value is None:
            del fields[key]
        else:
            fields[key] = value
    for answer in (jeton.post_form("/oauth2/token/", fields),
                   jeton.post_json("/oauth2/token/", fields)):
        assert (answer.status, answer.error) == (400, error), f"{name}: {answer}"
        assert answer.header("Cache-Control") == "no-store"


def test_t7_get_is_405_and_names_post(jeton):
    for path in PATHS:
        answer = jeton.get(path + "?" + form_encode(uauth_form(user=("alice", "x"))))
        assert answer.status == 405 and answer.header("Allow") == "POST", answer


@pytest.mark.parametrize("body", [
    '["password"]', '"password"', "null", "{", '{"grant_type":"password"', "", "{}x",
    '{"grant_type":"password","grant_type":"password"}',
    '{"grant_type":["password"]}', '{"grant_type":{"a":"password"}}', '{"grant_type":null}',
    '{"grant_type":"pass\\u0000word"}', '{"grant_type":"\\ud800"}', b'{"grant_type":"\xff"}',
    "[" * 2000, '{"a":' * 500,
], ids=short)
def test_t7_malformed_json_is_invalid_request(jeton, body):
    answer = jeton.post_json("/oauth2/token/", body)
    assert (answer.status, answer.error) == (400, "invalid_request"), answer


def test_t7_json_members_of_other_types(jeton):
    """Arrays and objects are malformed, null is as if absent, numbers count as their text."""
    for member, value, error in [
            ("scope", ["service_id=" + UAUTH], "invalid_request"),
            ("password", {}, "invalid_request"), ("username", None, "invalid_request"),
            ("username", 5, "invalid_grant"), ("password", True, "invalid_grant"),
            ("grant_type", 1, "unsupported_grant_type")]:
        answer = jeton.post_json("/oauth2/token/", {**uauth_form(), member: value})
        assert (answer.status, answer.error) == (400, error), (member, value, answer)


def test_t7_unknown_members_are_ignored(jeton):
    """RFC 6749 3.2: unrecognized request parameters are ignored."""
    answer = jeton.post_json("/oauth2/token/", {**uauth_form(), "project": "x", "client": "y"})
    assert_documented_answer(answer)
    assert_documented_answer(jeton.post_form("/oauth2/token/", {**uauth_form(), "x": "1"}))


def test_t7_user_name_is_found_without_regard_to_case(jeton):
    answer = jeton.post_form("/oauth2/token/", uauth_form(user=("ALICE", ALICE[1])))
    assert_documented_answer(answer)


def test_t7_special_characters_in_a_password_survive_form_and_json(jeton):
    user = ("charset", "p+q & %41=ü€\U0001f512 \"quoted\" \\ back")
    jeton.add_user(*user)
    assert_documented_answer(jeton.post_form("/oauth2/token/", uauth_form(user=user)))
    assert_documented_answer(jeton.post_json("/oauth2/token/", uauth_form(user=user)))


def test_t7_refused_requests_store_nothing(jeton):
    """Bad input: nothing is stored (issue 2)."""
    before = sum(1 for line in jeton.cli("token", "list").out.splitlines() if line.strip())
    jeton.post_form("/oauth2/token/", uauth_form(service="nowhere.example"))
    jeton.post_form("/oauth2/token/", uauth_form(user=(ALICE[0], "wrong wrong wrong")))
    jeton.post_json("/oauth2/token/", "{")
    jeton.token({"grant_type": "client_credentials", "scope": "closed"}, client=C1)
    after = sum(1 for line in jeton.cli("token", "list").out.splitlines() if line.strip())
    assert after == before


def test_t7_anonymous_nonsense_leaves_no_audit_event(jeton):
    """Nobody is named in it, and whoever sends it could fill the disk."""
    before = jeton.cli("audit", "export").out.count("\n")
    for body in (b"\xff", b"grant_type=x", b"", b"a=1&a=2", b"grant_type=password", b"{"):
        for content_type in (None, "text/plain", "application/json"):
            headers = {"Content-Type": content_type} if content_type else {}
            answer = jeton.post_form("/oauth2/token", body, headers)
            assert answer.status in (400, 401), answer
    assert jeton.cli("audit", "export").out.count("\n") == before


def test_t7_service_opened_on_a_running_server_works_at_once(jeton):
    service = "api.bidswitch.com"
    assert jeton.post_form("/oauth2/token/", uauth_form(service=service)).error == "invalid_scope"
    jeton.add_service(service, "bidswitch-service-secret", "--allow-password", "--format", "jwt")
    answer = jeton.post_form("/oauth2/token/", uauth_form(service=service))
    assert answer.status == 200 and answer.json["scope"] == "service_id=" + service

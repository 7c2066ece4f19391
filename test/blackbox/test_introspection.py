"""Introspection (RFC 7662; promises IN-01 to IN-05)."""

import threading
import time

import pytest

from harness import (ALICE, API, BOB, C1, C2, CC, JWTS, OTHER, P1, UAUTH_SERVICE, uauth_form,
                     wait_until)

INACTIVE = b'{"active":false}'


@pytest.mark.parametrize("path", ["/oauth2/introspect", "/oauth2/introspect/"])
def test_in_01_caller_must_authenticate(jeton, path):
    """RFC 7662 2, 2.1 and 2.3."""
    token = jeton.client_token(C1, "read")["access_token"]
    assert jeton.post_form(path, {"token": token}).status == 401
    assert jeton.post_form(path, {"token": token}, client=(API[0], "wrong")).status == 401
    assert jeton.post_form(path, {"token": token}, client=("nobody", "wrong")).status == 401
    assert jeton.post_form(path, {"token": token, "client_id": P1[0]}).status == 401
    assert jeton.post_form(path, {"token": token, "client_id": API[0]}).status == 401
    assert jeton.post_form(path, {"token": token}, bearer_headers(token)).status == 401
    assert jeton.post_form(path, {"token": token}, client=API).json["active"] is True
    fields = {"token": token, "client_id": API[0], "client_secret": API[1]}
    assert jeton.post_form(path, fields).json["active"] is True


def bearer_headers(token):
    return {"Authorization": "Bearer " + token}


def test_in_01_missing_token_is_invalid_request(jeton):
    for form in ({}, {"token": ""}, {"token_type_hint": "access_token"}):
        answer = jeton.post_form("/oauth2/introspect", form, client=API)
        assert (answer.status, answer.error) == (400, "invalid_request"), answer


def seen_by_caller(answer):
    """All but the moment."""
    return answer.status, answer.body, [pair for pair in answer.headers if pair[0] != "Date"]


def test_in_02_inactive_is_the_same_whatever_the_reason(new_server):
    """RFC 7662 2.2: nothing more than "active": false."""
    server = new_server()
    server.add_service("brief.example", "brief-service-secret-2Yh8", "--scope", "brief",
                       "--lifetime", "1")
    client = ("brief", "brief-client-secret-0Lp4")
    server.add_client(*client, "--grant", "client_credentials", "--service", "brief.example")
    expired = server.client_token(client)["access_token"]
    caller = ("brief.example", "brief-service-secret-2Yh8")
    revoked = server.client_token(C1, "read")["access_token"]
    server.revoke(revoked, C1)
    foreign = server.client_token(C1, "peek")["access_token"]
    disabled = server.user_token(C1, BOB, "read")["access_token"]
    server.cli("user", "disable", BOB[0])
    refresh = server.user_token(C1, ALICE, "read")["refresh_token"]
    good = server.client_token(C1, "read")["access_token"]
    wait_until(lambda: not server.is_active(expired, caller), 5, "expired after its second")
    assert server.introspect(expired, caller).body == INACTIVE
    first = seen_by_caller(server.introspect("jta_unknown", API))
    for reason, token in {"unknown": "jta_unknown", "malformed": "%%%", "revoked": revoked,
                          "foreign": foreign, "disabled user": disabled, "refresh": refresh,
                          "truncated": good[:-1], "extended": good + "a", "jwt": "e30.e30.e30",
                          "long": "x" * 30000, "expired": expired}.items():
        answer = server.introspect(token, API)
        assert answer.status == 200 and answer.body == INACTIVE, (reason, answer)
        assert seen_by_caller(answer) == first, (reason, answer)


def test_in_03_only_the_audience_sees_claims(jeton):
    token = jeton.client_token(C1, "read")["access_token"]
    for stranger in (OTHER, JWTS, UAUTH_SERVICE, C2, CC):
        assert jeton.introspect(token, stranger).body == INACTIVE, stranger
    assert jeton.introspect(token, API).json["active"] is True
    assert jeton.introspect(token, C1).json["active"] is True, "a client sees its own tokens"


def test_in_03_uauth_token_is_seen_by_its_service_alone(jeton):
    token = jeton.token(uauth_form(BOB)).json["access_token"]
    for stranger in (API, C1, CC):
        assert jeton.introspect(token, stranger).body == INACTIVE
    assert jeton.is_active(token, UAUTH_SERVICE)


def test_in_03_claims_are_those_of_the_rfc(jeton):
    """RFC 7662 2.2."""
    now = int(time.time())
    body = jeton.user_token(C1, ALICE, "write read")
    claims = jeton.introspect(body["access_token"], API).json
    assert claims["active"] is True
    assert sorted(claims["scope"].split()) == ["read", "write"]
    assert claims["client_id"] == C1[0]
    assert claims["username"] == ALICE[0]
    assert claims["token_type"] == "Bearer"
    assert isinstance(claims["sub"], str) and claims["sub"]
    assert claims["aud"] in (API[0], [API[0]])
    assert now - 5 <= claims["iat"] <= now + 5
    assert claims["exp"] == claims["iat"] + 600
    assert claims["iss"].startswith("http")
    mine = jeton.introspect(jeton.client_token(CC, "read")["access_token"], API).json
    assert mine["sub"] != claims["sub"] and "username" not in mine


def test_in_03_scope_shown_is_not_wider_than_granted(jeton):
    token = jeton.client_token(C1, "read")["access_token"]
    assert jeton.introspect(token, API).json["scope"] == "read"


def test_in_04_revocation_is_seen_at_once_under_load(jeton):
    """0 s on the same node: after the answer to a revocation no reader says active."""
    stop = threading.Event()
    late = []
    tokens = [jeton.client_token(C1, "read")["access_token"] for _ in range(20)]
    revoked_at = {}

    def read():
        connection = jeton.connection()
        while not stop.is_set():
            for token in tokens:
                was_revoked = token in revoked_at
                answer = jeton.introspect(token, API, connection=connection)
                if was_revoked and answer.body != INACTIVE:
                    late.append(token)
        connection.close()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for token in tokens:
        assert jeton.revoke(token, C1).status == 200
        revoked_at[token] = time.monotonic()
    stop.set()
    for reader in readers:
        reader.join()
    assert not late
    assert all(not jeton.is_active(token, API) for token in tokens)


def test_in_05_a_refresh_token_is_no_access_token(jeton):
    refresh = jeton.user_token(C1, ALICE, "read")["refresh_token"]
    assert jeton.introspect(refresh, API).body == INACTIVE
    assert jeton.forward_auth(refresh).status == 401
    own = jeton.introspect(refresh, C1).json
    assert own["active"] is False or own.get("token_type") != "Bearer"
    answer = jeton.post_form("/oauth2/introspect",
                             {"token": refresh, "token_type_hint": "refresh_token"}, client=API)
    assert answer.body == INACTIVE


def test_in_02_wrong_hint_still_finds_the_token(jeton):
    """RFC 7662 2.1."""
    token = jeton.client_token(C1, "read")["access_token"]
    for hint in ("refresh_token", "nonsense", ""):
        answer = jeton.post_form("/oauth2/introspect", {"token": token, "token_type_hint": hint},
                                 client=API)
        assert answer.json["active"] is True


def test_in_01_disabled_service_secret_is_not_a_client(jeton):
    """A service has no grants: its credentials get no tokens."""
    answer = jeton.token({"grant_type": "client_credentials"}, client=API)
    assert answer.status in (400, 401) and "access_token" not in answer.json, answer


def test_in_02_tokens_survive_a_restart(new_server):
    server = new_server()
    tokens = [server.client_token(C1, "read")["access_token"] for _ in range(5)]
    server.revoke(tokens[0], C1)
    server.restart()
    assert not server.is_active(tokens[0], API)
    assert all(server.is_active(token, API) for token in tokens[1:])

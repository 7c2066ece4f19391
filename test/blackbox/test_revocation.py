"""Revocation (RFC 7009; promises RV-01 to RV-05) and failing storage (LG-06)."""

import os
import shutil
import subprocess
import time

import pytest

from harness import ALICE, API, BOB, C1, C2, CC, P1, UAUTH_SERVICE, uauth_form, wait_until


def test_rv_01_client_must_authenticate(jeton):
    """RFC 7009 2.1."""
    token = jeton.client_token(C1, "read")["access_token"]
    answer = jeton.post_form("/oauth2/revoke", {"token": token})
    assert (answer.status, answer.error) == (401, "invalid_client"), answer
    answer = jeton.revoke(token, (C1[0], "wrong"))
    assert (answer.status, answer.error) == (401, "invalid_client"), answer
    answer = jeton.post_form("/oauth2/revoke", {"token": token, "client_id": C1[0]})
    assert (answer.status, answer.error) == (401, "invalid_client"), answer
    assert jeton.is_active(token, API)


@pytest.mark.parametrize("path", ["/oauth2/revoke", "/oauth2/revoke/"])
def test_rv_01_own_token_is_revoked_at_once(jeton, path):
    """RFC 7009 2."""
    token = jeton.client_token(C1, "read")["access_token"]
    assert jeton.is_active(token, API)
    assert jeton.post_form(path, {"token": token}, client=C1).status == 200
    assert jeton.introspect(token, API).body == b'{"active":false}'
    assert jeton.forward_auth(token).status == 401
    assert jeton.post_form(path, {"token": token}, client=C1).status == 200


def test_rv_01_unknown_token_is_200(jeton):
    """RFC 7009 2.2: invalid tokens do not cause an error response."""
    token = jeton.client_token(C1, "read")["access_token"]
    for unknown in ("unknown", "jta_" + "A" * 60, token[:-1], token + "x", "a.b.c", "\u00fc",
                    "x" * 20000):
        answer = jeton.revoke(unknown, C1)
        assert answer.status == 200, (unknown, answer)
    assert jeton.is_active(token, API)


def test_rv_01_missing_token_is_invalid_request(jeton):
    for form in ({}, {"token": ""}, {"token_type_hint": "access_token"}):
        answer = jeton.post_form("/oauth2/revoke", form, client=C1)
        assert (answer.status, answer.error) == (400, "invalid_request"), answer


def test_rv_02_a_client_cannot_revoke_nor_learn_of_anothers_token(jeton):
    token = jeton.user_token(C1, ALICE, "read")
    for thief in (C2, P1):
        for value in (token["access_token"], token["refresh_token"]):
            foreign = jeton.revoke(value, thief)
            unknown = jeton.revoke("unknown", thief)
            assert foreign.status == unknown.status == 200, foreign
            assert foreign.body == unknown.body
    assert jeton.is_active(token["access_token"], API)
    assert jeton.refresh(token["refresh_token"], C1).status == 200


def test_rv_03_revoking_a_refresh_token_kills_its_access_tokens(jeton):
    """RFC 7009 2.1."""
    first = jeton.user_token(C1, ALICE, "read")
    second = jeton.refresh(first["refresh_token"], C1).json
    other = jeton.user_token(C1, ALICE, "read")
    assert jeton.revoke(second["refresh_token"], C1).status == 200
    for body in (first, second):
        assert not jeton.is_active(body["access_token"], API)
        assert jeton.refresh(body["refresh_token"], C1).error == "invalid_grant"
    assert jeton.is_active(other["access_token"], API)


@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "nonsense", "", "pct"])
def test_rv_04_a_wrong_hint_still_works(jeton, hint):
    """RFC 7009 2.1: the server extends its search over all token types."""
    body = jeton.user_token(C1, ALICE, "read")
    assert jeton.revoke(body["access_token"], C1, token_type_hint=hint).status == 200
    assert not jeton.is_active(body["access_token"], API)
    body = jeton.user_token(P1, ALICE, "read")
    assert jeton.revoke(body["refresh_token"], P1, token_type_hint=hint).status == 200
    assert not jeton.is_active(body["access_token"], API)


def test_rv_01_jwt_is_revoked_like_any_other(jeton):
    """Every token has a row, a JWT too."""
    token = jeton.client_token(C1, "jread")["access_token"]
    assert token.count(".") == 2
    assert jeton.forward_auth(token).status == 200
    assert jeton.revoke(token, C1).status == 200
    assert jeton.forward_auth(token).status == 401


def test_rv_01_uauth_token_is_revoked_by_the_public_client(jeton):
    token = jeton.token(uauth_form(BOB)).json["access_token"]
    assert jeton.revoke(token, C1).status == 200
    assert jeton.is_active(token, UAUTH_SERVICE), "C1 is not its client"
    assert jeton.revoke(token, ("public_client", None)).status == 200
    assert not jeton.is_active(token, UAUTH_SERVICE)


def test_rv_02_the_public_client_revokes_only_what_was_issued_to_it(jeton):
    token = jeton.client_token(C1, "read")["access_token"]
    assert jeton.revoke(token, ("public_client", None)).status == 200
    assert jeton.is_active(token, API)


def test_rv_01_all_tokens_of_a_grant_are_not_touched_by_one(jeton):
    """An access token without a family ends alone."""
    first = jeton.client_token(CC, "read")["access_token"]
    second = jeton.client_token(CC, "read")["access_token"]
    assert jeton.revoke(first, CC).status == 200
    assert jeton.is_active(second, API)


class BrokenDisk:
    """Lets every flush of the server's files fail with EIO, from outside, by strace."""

    def __init__(self, server):
        self.server = server
        self.tracer = None

    def __enter__(self):
        calls = "fdatasync,fsync,sync_file_range"
        self.tracer = subprocess.Popen(
            ["strace", "-f", "-q", "-p", str(self.server.pid), "-o", os.devnull, "-e",
             "trace=" + calls, "-e", f"inject={calls}:error=EIO"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._is_attached, 10, "strace attached")
        return self

    def _is_attached(self):
        if self.tracer.poll() is not None:
            pytest.skip("strace may not trace here")
        for status in self._statuses():
            if f"TracerPid:\t{self.tracer.pid}\n" not in status:
                return False
        return True

    def _statuses(self):
        folder = f"/proc/{self.server.pid}/task"
        for task in os.listdir(folder):
            with open(f"{folder}/{task}/status", encoding="ascii") as file:
                yield file.read()

    def __exit__(self, *_):
        self.tracer.terminate()
        self.tracer.wait()


@pytest.mark.sqlite("test/nodes breaks the disk of the database")
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_rv_05_lg_06_storage_failure_is_503_and_never_200(new_server):
    """RFC 7009 2.2.1; LG-06: any storage error gives no token."""
    server = new_server()
    client = ("filled-beforehand", "filled-beforehand-secret")
    server.add_client(*client, "--grant", "client_credentials", "--service", API[0])
    token = server.client_token(C1, "read")["access_token"]
    family = server.user_token(C1, ALICE, "read")
    with BrokenDisk(server):
        revoked = server.revoke(token, C1)
        issued = server.token({"grant_type": "client_credentials"}, client=C1)
        refreshed = server.refresh(family["refresh_token"], C1)
        for answer in (revoked, issued, refreshed):
            assert answer.status == 503 and answer.error == "temporarily_unavailable", answer
            assert answer.header("Cache-Control") == "no-store"
            assert b"access_token" not in answer.body
    assert server.token({"grant_type": "client_credentials"}, client=C1).status == 503, \
        "after a failed flush nothing is written until a restart"
    assert server.get("/livez").status == 200
    assert server.get("/readyz").status == 503
    server.kill()
    server.start()
    assert server.token({"grant_type": "client_credentials"}, client=C1).status == 200
    assert server.revoke(token, C1).status == 200
    assert not server.is_active(token, API)


def test_rv_01_revocation_from_the_command_line_is_seen_at_once(jeton):
    token = jeton.client_token(C1, "read")["access_token"]
    assert jeton.is_active(token, API)
    jeton.revoke_by_command(token)
    began = time.monotonic()
    wait_until(lambda: not jeton.is_active(token, API), 1, "revocation seen")
    assert time.monotonic() - began < 1

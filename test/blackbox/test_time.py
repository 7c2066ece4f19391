"""What the wall clock decides: expiry, key rotation, throttling, jumps (JT-04, KY-02, PW-05)."""

import calendar
import json
import time

import pytest

from harness import ALICE, API, C1, CC, JWTS, jwt_part, uauth_form, wait_until

HOUR_S = 3600
DAY_S = 86400


def kids(server):
    return {key["kid"] for key in json.loads(server.get("/oauth2/jwks").body)["keys"]}


def signing_kid(server):
    return jwt_part(server.client_token(C1, "jread")["access_token"], 0)["kid"]


def test_jt_04_tokens_end_at_their_second(faked_time):
    server, set_time = faked_time
    opaque = server.client_token(C1, "read")["access_token"]
    signed = server.client_token(C1, "jread")["access_token"]
    set_time(595)
    assert server.is_active(opaque, API) and server.is_active(signed, JWTS)
    set_time(602)
    assert not server.is_active(opaque, API), "600 s of life are over"
    assert server.forward_auth(opaque).status == 401
    assert server.is_active(signed, JWTS)
    set_time(902)
    assert not server.is_active(signed, JWTS)
    assert server.forward_auth(signed).status == 401


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S, DAY_S, -DAY_S])
def test_jt_04_clock_jumps_lengthen_no_life(faked_time, jump_s):
    """After a jump back a token may not live longer than the jump and its own life together."""
    server, set_time = faked_time
    token = server.client_token(C1, "read")["access_token"]
    set_time(jump_s)
    assert server.is_active(token, API) == (jump_s < 0)
    assert server.get("/readyz").status == 200
    fresh = server.client_token(C1, "read")["access_token"]
    assert server.is_active(fresh, API)
    set_time(jump_s + 602)
    assert not server.is_active(fresh, API)
    set_time(HOUR_S)
    assert not server.is_active(token, API)


@pytest.mark.parametrize("year", [2038, 2039, 2106, 2107])
def test_jt_04_far_years(faked_time, year):
    """Past 2^31 and 2^32 seconds."""
    server, set_time = faked_time
    at = calendar.timegm((year, 3, 1, 0, 0, 0))
    set_time(at - int(time.time()))
    for scope, caller in (("read", API), ("jread", JWTS)):
        body = server.client_token(C1, scope)
        claims = server.introspect(body["access_token"], caller).json
        assert claims["active"] is True and claims["exp"] - claims["iat"] == body["expires_in"]
        assert abs(claims["iat"] - at) < 60
    family = server.user_token(C1, ALICE, "read")
    assert server.refresh(family["refresh_token"], C1).status == 200
    server.restart()
    assert server.is_active(body["access_token"], JWTS)


def test_ky_02_new_key_signs_an_hour_after_it_was_published_and_the_old_one_leaves(faked_time):
    server, set_time = faked_time
    old = signing_kid(server)
    token = server.client_token(C1, "jread")["access_token"]
    published = kids(server)
    server.cli("key", "rotate", "--alg", "ES256")
    wait_until(lambda: len(kids(server) - published) == 1, 5, "the new key is published")
    assert signing_kid(server) == old, "it is published before it signs"
    set_time(HOUR_S + 5)
    new = signing_kid(server)
    assert new in kids(server) - published
    assert old in kids(server), "tokens that it signed may still live"
    fresh = server.client_token(C1, "jread")["access_token"]
    assert server.is_active(fresh, JWTS) and not server.is_active(token, JWTS)
    server.restart()
    assert signing_kid(server) == new and old in kids(server)
    set_time(4 * DAY_S)
    assert signing_kid(server) == new
    server.restart()
    assert old not in kids(server), "it leaves after its last token"


@pytest.mark.sqlite("half an hour takes less time here than a notice of a database")
def test_ky_02_keys_rotate_by_themselves(faked_time):
    """After some months the key has changed, and was published before it signed.

    The steps are shorter than the hour for which a key is published before it signs, so none can
    come and sign between two looks at the JWKS.
    """
    server, set_time = faked_time
    seen = {signing_kid(server)}
    published = kids(server)
    for half_hour in range(85 * 48, 120 * 48):
        set_time(half_hour * HOUR_S // 2)
        kid = signing_kid(server)
        assert kid in published or kid in seen, "signed with a key that was not yet published"
        seen.add(kid)
        published = kids(server)
        assert kid in published
        if len(seen) == 2:
            return
    raise AssertionError("no new key in 120 days")

def test_pw_05_delay_grows_and_ends(faked_time):
    server, set_time = faked_time
    at = 0
    for attempt in range(12):
        set_time(at)
        answer = server.token(uauth_form((ALICE[0], f"wrong password {attempt}")),
                              source="127.0.0.50")
        assert answer.status == 400, answer
        at += 1000
    set_time(at - 990)
    held = server.token(uauth_form(ALICE), source="127.0.0.51")
    assert held.status == 400, "twelve failures in a row hold the account for more than ten seconds"
    set_time(at + 1000)
    assert server.token(uauth_form(ALICE), source="127.0.0.52").status == 200


def test_pw_05_account_is_locked_after_a_hundred_failures_until_unlocked(faked_time):
    """63B-4 3.2.2: at most 100 consecutive failed attempts."""
    server, set_time = faked_time
    for attempt in range(101):
        set_time(attempt * 1000)
        answer = server.token(uauth_form((ALICE[0], f"wrong password {attempt}")),
                              source=f"127.0.7.{attempt + 1}")
        assert answer.status == 400, answer
    set_time(30 * DAY_S)
    answer = server.token(uauth_form(ALICE), source="127.0.8.1")
    assert (answer.status, answer.error) == (400, "invalid_grant"), answer
    server.cli("user", "unlock", ALICE[0])
    assert server.token(uauth_form(ALICE), source="127.0.8.1").status == 200


def token_rows(server):
    """How many rows of tokens the store holds; the server has stopped."""
    return int(server.query("SELECT count(*) FROM token")[0][0])


def test_expired_tokens_leave_the_store(faked_time):
    """Space is used again: the tokens of earlier hours are swept by later commits."""
    server, set_time = faked_time
    connection = server.connection()
    for hour in range(5):
        set_time(hour * HOUR_S)
        for _ in range(200):
            server.client_token(CC, "read", connection=connection)
    connection.close()
    server.stop()
    assert 200 <= token_rows(server) <= 450

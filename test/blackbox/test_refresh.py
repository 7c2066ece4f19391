"""Refresh tokens: rotation, reuse, races (RFC 6749 6; RFC 9700 4.14; promises RT-01 to RT-11)."""

import json
import socket
import threading

import pytest

from harness import (ALICE, ALL_GRANTS, API, BOB, C1, C2, FORM, P1, basic, form_encode)

GRACE_S = 10


def family(jeton, client=C1, user=ALICE, scope="read write"):
    body = jeton.user_token(client, user, scope)
    assert body["refresh_token"] and body["refresh_token"] != body["access_token"]
    return body


def rotate(jeton, body, client=C1):
    answer = jeton.refresh(body["refresh_token"], client)
    assert answer.status == 200, answer
    assert answer.json["refresh_token"] != body["refresh_token"]
    assert answer.json["access_token"] != body["access_token"]
    return answer.json


def assert_refused(answer):
    assert (answer.status, answer.error) == (400, "invalid_grant"), answer


def together(calls):
    """Runs the calls at the same moment, each in a thread; gives back their results."""
    barrier = threading.Barrier(len(calls))
    results = [None] * len(calls)

    def run(index):
        barrier.wait()
        try:
            results[index] = calls[index]()
        except Exception as exception:
            results[index] = exception

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


@pytest.mark.parametrize("client", [P1, C1], ids=["public", "confidential"])
def test_rt_01_each_use_gives_the_next_and_ends_the_old(jeton, client):
    first = family(jeton, client)
    second = rotate(jeton, first, client)
    third = rotate(jeton, second, client)
    assert jeton.is_active(third["access_token"], API)
    assert_refused(jeton.refresh(first["refresh_token"], client))


def test_rt_02_reuse_ends_the_whole_family_access_tokens_too(jeton):
    """RFC 9700 4.14.2."""
    bodies = [family(jeton)]
    for _ in range(3):
        bodies.append(rotate(jeton, bodies[-1]))
    other = family(jeton)
    assert_refused(jeton.refresh(bodies[0]["refresh_token"], C1))
    for body in bodies:
        assert not jeton.is_active(body["access_token"], API)
        assert_refused(jeton.refresh(body["refresh_token"], C1))
    assert jeton.is_active(other["access_token"], API), "another family of the same user must live"
    rotate(jeton, other)


def test_rt_02_reuse_is_an_event(jeton):
    bodies = [family(jeton)]
    for _ in range(2):
        bodies.append(rotate(jeton, bodies[-1]))
    assert_refused(jeton.refresh(bodies[0]["refresh_token"], C1))
    assert any("reuse" in json.dumps(line) for line in jeton.log_lines())


def test_rt_03_parallel_refreshes_have_one_successor(jeton):
    """64 at once with one token, a few rounds; 200 rounds are in test/fault/kill_test.py."""
    for _ in range(4):
        body = family(jeton)
        answers = together([lambda: jeton.refresh(body["refresh_token"], C1)] * 64)
        assert {answer.status for answer in answers} == {200}, answers
        assert len({answer.json["refresh_token"] for answer in answers}) == 1
        assert len({answer.json["access_token"] for answer in answers}) == 1
        successor = answers[0].json
        assert jeton.is_active(successor["access_token"], API)
        rotate(jeton, successor)


@pytest.mark.parametrize("how", ["stop", "kill -9"])
def test_rt_04_a_rotated_token_stays_dead_after_a_restart(new_server, how):
    server = new_server()
    first = family(server)
    second = rotate(server, first)
    third = rotate(server, second)
    if how == "stop":
        server.stop()
    else:
        server.kill()
    server.start()
    assert server.is_active(third["access_token"], API)
    assert_refused(server.refresh(first["refresh_token"], C1))
    assert_refused(server.refresh(third["refresh_token"], C1))
    assert not server.is_active(third["access_token"], API)


def test_rt_04_a_revoked_family_stays_dead_after_kill(new_server):
    server = new_server()
    body = family(server)
    assert server.revoke(body["refresh_token"], C1).status == 200
    server.kill()
    server.start()
    assert_refused(server.refresh(body["refresh_token"], C1))
    assert not server.is_active(body["access_token"], API)


def test_rt_05_rotations_within_one_second_are_ordered(jeton):
    bodies = [family(jeton)]
    for _ in range(20):
        bodies.append(rotate(jeton, bodies[-1]))
    assert jeton.is_active(bodies[-1]["access_token"], API)
    for body in bodies[:-2]:
        assert_refused(jeton.refresh(body["refresh_token"], C1))
    assert not jeton.is_active(bodies[-1]["access_token"], API)


def test_rt_06_revoke_racing_with_refresh_leaves_nothing_valid(jeton):
    for _ in range(15):
        body = family(jeton)
        refreshed, revoked = together([
            lambda: jeton.refresh(body["refresh_token"], C1),
            lambda: jeton.revoke(body["refresh_token"], C1)])
        assert revoked.status == 200, revoked
        assert not jeton.is_active(body["access_token"], API)
        assert refreshed.status in (200, 400), refreshed
        if refreshed.status == 200:
            assert not jeton.is_active(refreshed.json["access_token"], API)
            assert_refused(jeton.refresh(refreshed.json["refresh_token"], C1))


def test_rt_07_bound_to_its_client(jeton):
    """RFC 6749 6 and 10.4."""
    body = family(jeton)
    for thief in (C2, P1):
        assert_refused(jeton.refresh(body["refresh_token"], thief))
    rotate(jeton, body)


def test_rt_07_unknown_and_altered_values_are_refused(jeton):
    value = family(jeton)["refresh_token"]
    altered = [value[:-1], value + "A", value[:-1] + ("A" if value[-1] != "A" else "B"),
               value.swapcase(), "", " ", "jtr_", "jtr_" + "0" * 60, value[4:], "x" * 5000,
               family(jeton)["access_token"]]
    for wrong in altered:
        answer = jeton.refresh(wrong, C1)
        if wrong == "" or len(wrong) > 1000:
            assert (answer.status, answer.error) == (400, "invalid_request"), answer
        else:
            assert_refused(answer)
    assert jeton.refresh(value, C1).status == 200


def test_rt_08_scope_may_shrink_and_never_grow(jeton):
    """RFC 6749 6: the new refresh token keeps the scope of the old."""
    body = family(jeton, scope="read write")
    answer = jeton.refresh(body["refresh_token"], C1, scope="read admin")
    assert (answer.status, answer.error) == (400, "invalid_scope"), answer
    answer = jeton.refresh(body["refresh_token"], C1, scope="read")
    assert answer.status == 200 and answer.json["scope"] == "read", answer
    assert jeton.introspect(answer.json["access_token"], API).json["scope"] == "read"
    answer = jeton.refresh(answer.json["refresh_token"], C1)
    assert answer.status == 200 and sorted(answer.json["scope"].split()) == ["read", "write"]


def test_rt_09_idle_and_absolute_expiry(faked_time):
    """RFC 9700 4.14.2: one family is used every day, others rest for longer and longer."""
    server, set_time = faked_time
    used = family(server)
    idle = {2 ** n: family(server) for n in range(10)}
    idle_ended = used_ended = None
    for day in range(1, 513):
        set_time(day * 86400)
        if used_ended is None:
            answer = server.refresh(used["refresh_token"], C1)
            if answer.status == 200:
                used = answer.json
            else:
                assert_refused(answer)
                used_ended = day
        if idle_ended is None and day in idle:
            answer = server.refresh(idle[day]["refresh_token"], C1)
            if answer.status != 200:
                assert_refused(answer)
                idle_ended = day
    assert idle_ended is not None, "an unused refresh token never ends"
    assert used_ended is not None, "a family that is used every day never ends"


def test_rt_10_disabled_user_gets_nothing(new_server):
    server = new_server()
    body = family(server, user=BOB)
    server.cli("user", "disable", BOB[0])
    assert_refused(server.refresh(body["refresh_token"], C1))
    assert not server.is_active(body["access_token"], API)
    server.cli("user", "enable", BOB[0])
    family(server, user=BOB)


def test_rt_10_changed_password_ends_what_was_granted_before(new_server):
    server = new_server()
    body = family(server, user=BOB)
    changed = (BOB[0], "an entirely new password C3")
    server.secrets.add(changed[1])
    server.cli("user", "passwd", BOB[0], "--password-stdin", stdin=changed[1] + "\n")
    assert_refused(server.refresh(body["refresh_token"], C1))
    assert not server.is_active(body["access_token"], API)
    old = server.token({"grant_type": "password", "username": BOB[0], "password": BOB[1]},
                       client=C1)
    assert_refused(old)
    family(server, user=changed)


def test_rt_10_revocation_by_the_command_line(new_server):
    server = new_server()
    body = family(server)
    server.revoke_by_command(body["refresh_token"])
    assert_refused(server.refresh(body["refresh_token"], C1))
    assert not server.is_active(body["access_token"], API)


def test_rt_11_a_lost_answer_does_not_log_the_user_out(jeton):
    """The connection breaks after the commit; the same client asks again and gets the same."""
    body = family(jeton)
    form = form_encode({"grant_type": "refresh_token", "refresh_token": body["refresh_token"]})
    request = (f"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n"
               f"Authorization: {basic(*C1)}\r\nContent-Length: {len(form)}\r\n\r\n{form}")
    with socket.create_connection(("127.0.0.1", jeton.port)) as line:
        line.sendall(request.encode())
    first = jeton.refresh(body["refresh_token"], C1)
    second = jeton.refresh(body["refresh_token"], C1)
    assert first.status == second.status == 200, (first, second)
    assert first.json["refresh_token"] == second.json["refresh_token"]
    assert first.json["access_token"] == second.json["access_token"]
    rotate(jeton, first.json)


def test_rt_11_replay_after_the_successor_was_used_is_reuse(jeton):
    """Within the grace too: then the first answer did arrive."""
    body = family(jeton)
    successor = rotate(jeton, body)
    last = rotate(jeton, successor)
    assert_refused(jeton.refresh(body["refresh_token"], C1))
    assert not jeton.is_active(last["access_token"], API)


def test_rt_11_replay_by_another_client_is_no_replay(jeton):
    body = family(jeton)
    rotate(jeton, body)
    assert_refused(jeton.refresh(body["refresh_token"], C2))


def test_rt_11_replay_after_the_grace_is_reuse(faked_time):
    server, set_time = faked_time
    body = family(server)
    successor = rotate(server, body)
    set_time(GRACE_S + 2)
    assert_refused(server.refresh(body["refresh_token"], C1))
    assert not server.is_active(successor["access_token"], API)


def test_rt_10_user_disabled_while_no_server_runs(new_server):
    server = new_server()
    body = family(server, user=BOB)
    server.stop()
    server.cli("user", "disable", BOB[0])
    server.start()
    assert_refused(server.refresh(body["refresh_token"], C1))
    assert not server.is_active(body["access_token"], API)


def test_rt_01_no_refresh_token_without_the_grant(jeton):
    client = ("no-refresh", "no-refresh-client-secret")
    jeton.add_client(*client, "--grant", "password", "--service", API[0])
    assert "refresh_token" not in jeton.user_token(client, ALICE, "read")
    assert "refresh_token" not in jeton.client_token(C1, "read")  # RFC 6749 4.4.3


def test_rt_07_all_grants_client_may_not_refresh_for_an_unauthenticated_caller(jeton):
    client = ("refresher", "refresher-client-secret")
    jeton.add_client(*client, *ALL_GRANTS, "--service", API[0])
    body = family(jeton, client)
    answer = jeton.token({"grant_type": "refresh_token", "refresh_token": body["refresh_token"],
                          "client_id": client[0]})
    assert (answer.status, answer.error) == (401, "invalid_client"), answer
    answer = jeton.token({"grant_type": "refresh_token", "refresh_token": body["refresh_token"]})
    assert answer.status in (400, 401) and "access_token" not in answer.json, answer
    rotate(jeton, body, client)

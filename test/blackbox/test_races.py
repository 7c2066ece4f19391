"""Administrative acts racing with requests (promises RT-06, RT-10; fault classes 4, 20, 21).

While an act is under way a request may go either way. After the act has returned and the requests
have been answered, nothing that was forbidden may be alive.
"""

import threading
import time

import pytest

from harness import ALICE, API, BOB, C1, CC, UAUTH_SERVICE, uauth_form, wait_until

ROUND_COUNT = 8
NEW_PASSWORD = "a password after the change {}"


def gather_while(act, ask, worker_count, pause_s):
    """Answers with 200 that `ask` got from several threads while `act` ran."""
    answers = []
    stop = threading.Event()

    def work():
        while not stop.is_set():
            answer = ask()
            if answer.status == 200:
                answers.append(answer.json)

    threads = [threading.Thread(target=work) for _ in range(worker_count)]
    for thread in threads:
        thread.start()
    time.sleep(pause_s)
    act()
    stop.set()
    for thread in threads:
        thread.join()
    return answers


def password_form(user, **more):
    return {"grant_type": "password", "username": user[0], "password": user[1], **more}


WAYS = {
    "a registered client": (lambda server: server.token(password_form(BOB, scope="read"),
                                                        client=C1), API),
    "u-Auth": (lambda server: server.token(uauth_form(BOB)), UAUTH_SERVICE),
}


def assert_dead(server, bodies, caller):
    alive = [body for body in bodies if server.is_active(body["access_token"], caller)]
    assert not alive, f"{len(alive)} of {len(bodies)} tokens live on"
    for body in bodies:
        if "refresh_token" in body:
            answer = server.refresh(body["refresh_token"], C1)
            assert answer.status == 400, answer


@pytest.mark.parametrize("way", WAYS)
def test_rt_10_login_racing_with_the_disabling_of_its_user(new_server, way):
    server = new_server()
    ask, caller = WAYS[way]
    for turn in range(ROUND_COUNT):
        bodies = gather_while(lambda: server.cli("user", "disable", BOB[0]),
                              lambda: ask(server), 4, 0.04 * (turn % 4))
        assert_dead(server, bodies, caller)
        server.cli("user", "enable", BOB[0])


def test_rt_10_login_racing_with_a_change_of_the_password(new_server):
    server = new_server()
    user = BOB
    for turn in range(ROUND_COUNT):
        changed = NEW_PASSWORD.format(turn)
        server.secrets.add(changed)
        bodies = gather_while(
            lambda changed=changed: server.cli("user", "passwd", BOB[0], stdin=changed + "\n"),
            lambda user=user: server.token(password_form(user, scope="read"), client=C1),
            4, 0.04 * (turn % 4))
        assert_dead(server, bodies, API)
        user = (BOB[0], changed)
        server.cli("user", "unlock", BOB[0])


def test_rt_10_refresh_racing_with_the_disabling_of_its_user(new_server):
    server = new_server()
    for turn in range(ROUND_COUNT):
        families = [server.user_token(C1, BOB, "read") for _ in range(4)]
        bodies = list(families)
        newest = dict(enumerate(families))
        lock = threading.Lock()
        order = iter(range(10 ** 9))

        def ask():
            with lock:
                index = next(order) % 4
                token = newest[index]["refresh_token"]
            answer = server.refresh(token, C1)
            if answer.status == 200:
                with lock:
                    newest[index] = answer.json
            return answer

        bodies += gather_while(lambda: server.cli("user", "disable", BOB[0]), ask, 4,
                               0.02 * (turn % 4))
        assert_dead(server, bodies, API)
        server.cli("user", "enable", BOB[0])


def test_rt_10_issue_racing_with_the_disabling_of_its_client(new_server):
    server = new_server()
    for turn in range(ROUND_COUNT):
        bodies = gather_while(
            lambda: server.cli("client", "disable", CC[0]),
            lambda: server.token({"grant_type": "client_credentials", "scope": "read"}, client=CC),
            6, 0.03 * (turn % 4))
        assert_dead(server, bodies, API)
        server.cli("client", "enable", CC[0])


def test_rt_10_issue_racing_with_the_disabling_of_its_service(new_server):
    server = new_server()
    for turn in range(ROUND_COUNT):
        bodies = gather_while(
            lambda: server.cli("service", "disable", API[0]),
            lambda: server.token({"grant_type": "client_credentials", "scope": "read"}, client=CC),
            6, 0.03 * (turn % 4))
        server.cli("service", "enable", API[0])
        assert_dead(server, bodies, API)


def test_rt_10_replaced_client_secret_racing_with_its_use(new_server):
    """Once the command has returned, the old secret gets nothing."""
    server = new_server()
    client = CC
    for turn in range(ROUND_COUNT):
        changed = (CC[0], f"a replaced client secret {turn}")
        server.secrets.add(changed[1])
        gather_while(
            lambda changed=changed: server.cli("client", "secret", CC[0], "--secret-stdin",
                                               stdin=changed[1] + "\n"),
            lambda client=client: server.token({"grant_type": "client_credentials"},
                                               client=client), 4, 0.03 * (turn % 4))
        answer = server.token({"grant_type": "client_credentials"}, client=client)
        assert answer.status == 401, answer
        client = changed
        wait_until(lambda client=client: server.token({"grant_type": "client_credentials"},
                                                      client=client).status == 200 or
                   time.sleep(0.3), 20, "the new secret works when the failures are forgiven")


def test_rt_06_end_of_all_grants_racing_with_issue(new_server):
    """`token revoke --account`: what was answered before the command began is dead after it."""
    server = new_server()
    before = [server.user_token(C1, ALICE, "read") for _ in range(4)]
    after = gather_while(lambda: server.cli("token", "revoke", "--account", ALICE[0]),
                         lambda: server.refresh(before[0]["refresh_token"], C1), 4, 0)
    assert_dead(server, before + after, API)
    assert server.user_token(C1, ALICE, "read"), "new logins go on"

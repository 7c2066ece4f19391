"""Passwords and throttling at the token endpoint (promises PW-01, PW-04 to PW-07, PW-14, PW-15)."""

import ctypes
import ctypes.util
import re
import threading
import time

import pytest

from harness import ALICE, API, BOB, C1, P1, uauth_form, wait_until

HASH = re.compile(rb"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$")


def login(server, name, password, source=None):
    """u-Auth's request, from an address of the loopback network."""
    return server.token(uauth_form((name, password)), source=source)


def comparable(answer):
    skipped = ("date", "x-request-id")
    return answer.status, [pair for pair in answer.headers if pair[0].lower() not in skipped], \
        answer.body


def test_pw_01_length_rules(new_server):
    """63B-4 3.1.1.2: at least 64 accepted, no cut."""
    server = new_server()
    short = server.cli("user", "add", "shorty", "--password-stdin", stdin="seven77\n", status=None)
    assert "at least" in short.err, "an administrator is refused or warned"
    long = ("longy", "long password of two hundred bytes " * 6)
    long = (long[0], long[1][:200])
    server.add_user(*long)
    assert login(server, *long).status == 200
    assert login(server, long[0], long[1][:72] + "X" + long[1][73:]).status == 400
    assert login(server, long[0], long[1][:-1]).status == 400


def test_pw_04_argon2id_of_sufficient_cost(new_server):
    server = new_server(start=False)
    found = [values for _, content in server.stored() for values in HASH.findall(content)]
    assert len(found) >= 2
    for memory_kib, passes, lanes in found:
        assert int(memory_kib) >= 19456 and int(passes) >= 2 and int(lanes) >= 1


def weak_hash(password):
    """A valid Argon2id string of the smallest cost, by libsodium."""
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
    assert sodium.sodium_init() >= 0
    out = ctypes.create_string_buffer(128)
    data = password.encode()
    assert sodium.crypto_pwhash_str(out, data, ctypes.c_ulonglong(len(data)),
                                    ctypes.c_ulonglong(1), ctypes.c_size_t(8192)) == 0
    return out.value.decode()


def replace_hash(server, name, new):
    """Puts another hash into the row of an account."""
    assert server.query(f"UPDATE account SET password_hash = '{new}' WHERE name = '{name}'"
                        " RETURNING name") == [[name]]


def stored_hash(server, name):
    return server.query(f"SELECT password_hash FROM account WHERE name = '{name}'")[0][0]


def test_pw_04_old_parameters_are_upgraded_at_login(new_server):
    server = new_server(start=False)
    weak = weak_hash(BOB[1])
    replace_hash(server, BOB[0], weak)
    server.start()
    assert login(server, *BOB).status == 200
    assert login(server, *BOB).status == 200
    server.stop()
    upgraded = stored_hash(server, BOB[0])
    assert upgraded != weak
    memory_kib, passes, _ = HASH.match(upgraded.encode()).groups()
    assert int(memory_kib) >= 19456 and int(passes) >= 2
    server.start()
    assert login(server, *BOB).status == 200


FREE_COUNT = 5


def exhaust(server, name, source):
    """Fails until the account is held for four seconds: delays of one and two lie before."""
    for delay_s in [0] * FREE_COUNT + [1.1, 2.1]:
        time.sleep(delay_s)
        answer = login(server, name, "wrong password", source)
        assert (answer.status, answer.error) == (400, "invalid_grant"), answer


def test_pw_05_failures_hold_the_account_over_aliases_grants_and_restarts(new_server):
    server = new_server()
    exhaust(server, "alice", "127.0.0.11")
    held = {
        "the right password": login(server, *ALICE, source="127.0.0.11"),
        "another case": login(server, "ALICE", ALICE[1], source="127.0.0.12"),
        "another address": login(server, *ALICE, source="127.0.0.13"),
        "another grant's client": server.token(
            {"grant_type": "password", "username": ALICE[0], "password": ALICE[1]}, client=C1),
        "a public client": server.token(
            {"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
             "client_id": P1[0]}),
    }
    for way, answer in held.items():
        assert (answer.status, answer.error) == (400, "invalid_grant"), (way, answer)
    server.restart()
    answer = login(server, *ALICE, source="127.0.0.14")
    assert (answer.status, answer.error) == (400, "invalid_grant"), answer
    server.cli("user", "unlock", "alice")
    assert login(server, *ALICE, source="127.0.0.15").status == 200


def test_pw_05_the_delay_passes(new_server):
    """A held account comes back by itself while failures are few."""
    server = new_server()
    exhaust(server, "bob", "127.0.0.16")
    assert login(server, *BOB, source="127.0.0.16").status == 400
    wait_until(lambda: login(server, *BOB, source="127.0.0.16").status == 200 or time.sleep(0.5),
               20, "the delay after a few failures ends")


def test_pw_05_parallel_guesses_are_not_evaluated_beyond_the_limit(new_server):
    """Guesses sent at once buy no more looks at the password than guesses in a row."""
    server = new_server()
    answers = []

    def guess(index):
        for _ in range(200):
            answer = login(server, "bob", f"guess {index} of a thousand", f"127.0.1.{index + 1}")
            if answer.status != 503:
                break
            time.sleep(0.05)  # the queue of the hash lane was full: nothing was evaluated
        answers.append(answer)

    threads = [threading.Thread(target=guess, args=(index,)) for index in range(120)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 120
    assert {answer.status for answer in answers} <= {400, 429, 503}
    reasons = [line.get("why") for line in server.log_lines() if line.get("username") == "bob"]
    evaluated = reasons.count("the password was wrong")
    assert FREE_COUNT <= evaluated <= FREE_COUNT + 10, reasons
    assert evaluated < len(reasons), "the rest was held up"


def test_pw_06_owner_is_not_locked_out_by_others(new_server):
    server = new_server()
    assert login(server, *ALICE, source="127.0.0.21").status == 200
    exhaust(server, "alice", "127.0.0.66")
    assert login(server, *ALICE, source="127.0.0.66").status == 400
    assert login(server, *ALICE, source="127.0.0.21").status == 200, "a known address still works"


def test_pw_05_an_address_over_its_limit_is_told_so(new_server, plain_binary):
    """429 with Retry-After says nothing of any account."""
    server = new_server(binary=plain_binary)
    told = None
    stop = threading.Event()

    def guess(worker):
        nonlocal told
        index = 0
        while not stop.is_set() and index < 200:
            answer = login(server, f"nobody-{worker}-{index}", "x" * 12, "127.0.0.77")
            index += 1
            if answer.status == 429:
                told = answer
                stop.set()
            elif answer.status == 503:
                time.sleep(0.05)

    threads = [threading.Thread(target=guess, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told is not None, "800 failures from one address and no 429"
    assert int(told.header("Retry-After")) > 0
    assert login(server, *ALICE, source="127.0.0.77").status == 429
    assert login(server, *ALICE, source="127.0.0.78").status == 200, "others are not held up"


def test_pw_07_same_answer_whatever_is_wrong(new_server):
    server = new_server()
    server.add_user("sleeper", "the sleepers password D4")
    server.cli("user", "disable", "sleeper")
    exhaust(server, "bob", "127.0.0.31")
    answers = {
        "unknown": login(server, "nobody-at-all", "some password 1", "127.0.0.32"),
        "wrong": login(server, "alice", "some password 1", "127.0.0.33"),
        "disabled": login(server, "sleeper", "the sleepers password D4", "127.0.0.34"),
        "held": login(server, *BOB, source="127.0.0.31"),
        "odd name": login(server, "\u202ealice\u0007", "some password 1", "127.0.0.36"),
        "empty": login(server, "alice", "", "127.0.0.38"),
        "empty, unknown": login(server, "nobody-8", "", "127.0.0.39"),
    }
    first = comparable(answers["unknown"])
    for reason, answer in answers.items():
        assert comparable(answer) == first, (reason, answer, first)
    # Too long to be anybody's: refused before any account is looked at.
    alike = [comparable(login(server, name, "p" * 5000, "127.0.0.37"))
             for name in ("alice", "nobody-9")]
    assert alike[0] == alike[1] and alike[0][0] == 400


@pytest.mark.alone
def test_pw_07_same_time_whatever_is_wrong(new_server):
    server = new_server()
    server.add_user("sleeper", "the sleepers password D4")
    server.cli("user", "disable", "sleeper")
    exhaust(server, "bob", "127.0.0.41")
    tries = {"unknown": ("nobody-at-all", "some password 1"), "wrong": (ALICE[0], "bad password"),
             "disabled": ("sleeper", "the sleepers password D4"), "held": BOB,
             "empty": (ALICE[0], "")}
    times = {name: [] for name in tries}
    for turn in range(12):
        for name, user in tries.items():
            began = time.perf_counter()
            login(server, *user, source=f"127.0.4.{turn + 1}")
            times[name].append(time.perf_counter() - began)
    least = {name: min(values) for name, values in times.items()}
    assert max(least.values()) < 1.5 * min(least.values()) + 0.005, times


def peak_kib(server):
    with open(f"/proc/{server.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))


@pytest.mark.alone
def test_pw_14_hash_work_is_bounded_and_others_are_answered(new_server):
    """150 logins at once: memory stays far below 150 times 19 MiB, token checks go on."""
    server = new_server()
    token = server.client_token(C1, "read")["access_token"]
    server.is_active(token, API)
    before = peak_kib(server)
    answers = []
    threads = [threading.Thread(target=lambda index=index: answers.append(
        login(server, f"flood-{index}", "x" * 12, f"127.0.5.{index + 1}")))
        for index in range(150)]
    for thread in threads:
        thread.start()
    slowest = 0
    while any(thread.is_alive() for thread in threads):
        began = time.perf_counter()
        assert server.is_active(token, API)
        slowest = max(slowest, time.perf_counter() - began)
    for thread in threads:
        thread.join()
    statuses = [answer.status for answer in answers]
    assert len(statuses) == 150 and set(statuses) <= {400, 503}, statuses
    for answer in answers:
        if answer.status == 503:
            assert int(answer.header("Retry-After")) >= 1
            assert "no-store" in (answer.header("Cache-Control") or "")
    assert 503 in statuses, "the queue for password hashing has no bound"
    assert peak_kib(server) - before < 400 * 1024
    assert slowest < 2.0
    assert wait_until(lambda: login(server, *ALICE).status == 200, 20, "logins work again")


DEFAULTS = [("admin", "admin"), ("admin", "password"), ("root", "root"), ("jeton", "jeton"),
            ("administrator", ""), ("admin", "")]


def test_pw_15_no_default_account_or_secret(new_server):
    server = new_server(seeded=False)
    server.add_service("first.example", "first-service-secret", "--allow-password")
    for name, password in DEFAULTS:
        answer = server.token(uauth_form((name, password or "x"), "first.example"))
        assert answer.status == 400, answer
        answer = server.token({"grant_type": "client_credentials"}, client=(name, password))
        assert answer.status == 401, answer
    for client in (("public_client", ""), ("public_client", "public_client")):
        answer = server.token({"grant_type": "client_credentials"}, client=client)
        assert answer.status in (400, 401), answer
    assert server.token({"grant_type": "client_credentials",
                         "client_id": "public_client"}).status in (400, 401)
    assert server.token({"grant_type": "password", "username": "a", "password": "b",
                         "client_id": "public_client"}).status in (400, 401)

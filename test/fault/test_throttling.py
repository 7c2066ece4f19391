"""Figure 19: guesses at one account from many addresses at once.

All of 127.0.0.0/8 is on the loopback interface, so each guess has an address of its own choice.
`./do campaign throttling` makes two hundred thousand of five hundred addresses.
"""

import os
import threading
import time

from harness import ALICE, API, C1, uauth_form, wait_until

GUESS_COUNT = int(os.environ.get("JETON_GUESSES", "160"))
ADDRESS_COUNT = int(os.environ.get("JETON_ADDRESSES", "80"))
THREAD_COUNT = 8
FREE_COUNT = 5       # account/throttle.h
EVALUATED_MAX = 100  # NIST SP 800-63B-4 3.2.2


def address_of(index):
    return f"127.1.{index // 250}.{index % 250 + 1}"


def is_let_in(server, home):
    """Whether the owner is; who waits too long for a hash on a slow machine is told so, and comes
    again."""
    statuses = []

    def ask():
        statuses.append(server.token(uauth_form(ALICE), source=home).status)
        return statuses[-1] != 503

    wait_until(ask, 30, "a password's hash")
    return statuses[-1] == 200


def test_figure_19_guesses_from_many_addresses(new_server, plain_binary):
    server = new_server(binary=plain_binary)
    token = server.client_token(C1, "read")["access_token"]
    home = "127.0.0.9"
    assert server.is_active(token, API)  # its chosen secret is hashed once; then it is known
    assert is_let_in(server, home)
    statuses = {}
    numbers = iter(range(GUESS_COUNT))
    lock = threading.Lock()

    def guess():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            form = uauth_form((ALICE[0], f"guess {number} of very many"))
            answer = server.token(form, source=address_of(number % ADDRESS_COUNT))
            with lock:
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
            if answer.status == 503:
                time.sleep(0.05)

    threads = [threading.Thread(target=guess) for _ in range(THREAD_COUNT)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert server.is_active(token, API), "others are not held up"
        time.sleep(0.2)
    assert set(statuses) <= {400, 429, 503} and sum(statuses.values()) == GUESS_COUNT, statuses
    whys = [line.get("why") for line in server.log_lines() if line.get("username") == ALICE[0]]
    evaluated = whys.count("the password was wrong")
    assert FREE_COUNT <= evaluated <= EVALUATED_MAX, evaluated
    assert evaluated < len(whys), "the rest was held up"
    assert is_let_in(server, home), "a known address still works"

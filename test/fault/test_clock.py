"""Figure 15: the wall clock jumps while the server is under load.

The jump rule (docs/reliability.md): a token lives for its life by the wall clock, so a clock that
is set back by so many seconds lengthens what was issued before by at most as many. Deadlines,
timers and intervals are monotonic and do not notice.
"""

import contextlib
import json
import os
import signal
import socket
import threading
import time

import pytest

from harness import ALICE, API, C1, CC, JWTS, jwt_part, uauth_form, wait_until
from load import cpu_share
from pulse import Pulse

HOUR_S, DAY_S = 3600, 86400
LIFETIME_S = 600  # of API's tokens
HEAD_S = 10       # base/limits.h
BUSY_SHARE_MAX = 0.20


class Background:
    """Clients that issue and ask for as long as the clock jumps."""

    def __init__(self, server):
        self.server = server
        # Chosen secrets are hashed once; not by all at the same time, and not under load.
        token = server.client_token(CC, "read")["access_token"]
        assert server.is_active(token, API) and not server.is_active("nothing", JWTS)
        self.stopped = threading.Event()
        self.answers = 0
        self.faults = []
        self.threads = [threading.Thread(target=self._run) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        line = self.server.connection()
        while not self.stopped.is_set():
            try:
                token = self.server.client_token(CC, "read", connection=line)["access_token"]
                answer = self.server.introspect(token, API, connection=line)
                assert answer.status == 200, answer
                self.answers += 2
            except (AssertionError, OSError) as fault:
                self.faults.append(fault)
                return
        line.close()

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults
        return self.answers


def seconds_to(moment):
    return moment - int(time.time())


# What the wall clock is set to, in seconds from now, one after the other; and then back to now.
JUMPS = {
    "plus 1 h": lambda: [HOUR_S],
    "minus 1 h": lambda: [-HOUR_S],
    "plus 1 day": lambda: [DAY_S],
    "minus 1 day": lambda: [-DAY_S],
    "to 2038, over 2^31": lambda: [seconds_to(2**31 - 3), seconds_to(2**31 + 3)],
    "to 2106, over 2^32": lambda: [seconds_to(2**32 - 3), seconds_to(2**32 + 3)],
}


def assert_idle(server, share_before):
    """Timers go on at their own pace; what was due, such as a key that is made, is soon done. The
    library that fakes the clock takes some time itself: it lets waits with a deadline end at once.
    """
    wait_until(lambda: cpu_share(server.pid, 1) < share_before + BUSY_SHARE_MAX, 15, "no busy loop")


def jump(server, set_time, before, offset):
    """One jump; what was issued before lives never longer than its life and the jump back
    together."""
    held = server.client_token(C1, "read")["access_token"]
    set_time(offset)
    if offset - before >= LIFETIME_S:
        assert not server.is_active(held, API)
    elif offset < before:
        assert server.is_active(held, API)
        set_time(before + LIFETIME_S + 2)
        assert not server.is_active(held, API)
        set_time(offset)
    fresh = server.client_token(C1, "jread")["access_token"]
    published = json.loads(server.get("/oauth2/jwks").body)["keys"]
    assert server.is_active(fresh, JWTS)
    assert jwt_part(fresh, 0)["kid"] in {key["kid"] for key in published}
    assert jwt_part(fresh, 1)["iat"] >= int(time.time()) + offset - 2


@pytest.mark.parametrize("name", JUMPS)
def test_figure_15_jump_under_load(faked_time, name):
    """There and back. Timers are monotonic: a connection that was idle meanwhile is still there."""
    server, set_time = faked_time
    share_before = cpu_share(server.pid, 1)
    family = server.user_token(C1, ALICE, "read")
    idle = server.connection()
    token = server.client_token(C1, "read", connection=idle)["access_token"]
    assert server.revoke(token, C1).status == 200
    background = Background(server)
    before, is_over = 0, False
    for offset in (*JUMPS[name](), 0):
        jump(server, set_time, before, offset)
        before, is_over = offset, is_over or offset > DAY_S  # past the end of the family
        assert not server.is_active(token, API), "what was revoked stays so"
        if not is_over:
            answer = server.refresh(family["refresh_token"], C1)
            assert answer.status == 200, (offset, answer)
            family = answer.json
        time.sleep(0.2)
    assert background.stop() > 20
    assert server.client_token(C1, "read", connection=idle)
    idle.close()
    assert_idle(server, share_before)
    # What the clock had taken past its end may have left the store; people sign in anew.
    family = server.user_token(C1, ALICE, "read")
    server.restart()
    assert server.refresh(family["refresh_token"], C1).status == 200
    assert server.get("/readyz").status == 200


def test_figure_15_a_deadline_does_not_jump(faked_time):
    """A head has its ten seconds, though a day goes by in them and comes back."""
    server, set_time = faked_time
    with socket.create_connection(("127.0.0.1", server.port)) as line, Pulse() as pulse:
        began = time.monotonic()
        line.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        for offset in (DAY_S, -DAY_S, 0):
            set_time(offset)
            line.settimeout(1)
            with pytest.raises(TimeoutError):
                line.recv(1)
        line.settimeout(30)
        with contextlib.suppress(ConnectionError):
            while line.recv(4096):
                pass
        ended = time.monotonic()
        assert HEAD_S - 1 < ended - began < HEAD_S + 2 + pulse.lost(began, ended)


def test_figure_15_a_held_up_account_is_free_after_a_jump_back(faked_time):
    """A failure that lies ahead by the clock holds nobody up until the clock has come there."""
    server, set_time = faked_time

    # The first delays are of a second, which a slow machine may need for the next request.
    def is_held_up():
        for attempt in range(8):
            server.token(uauth_form((ALICE[0], f"wrong password {attempt}")), source="127.0.0.50")
        return server.token(uauth_form(ALICE), source="127.0.0.51").status == 400

    set_time(DAY_S)
    wait_until(is_held_up, 30, "it is held up")
    set_time(0)
    assert server.token(uauth_form(ALICE), source="127.0.0.51").status == 200


@pytest.mark.parametrize("pause_s", [400 * DAY_S])
def test_figure_15_a_long_pause(faked_time, pause_s):
    """SIGSTOP, the clock runs on for more than a year, SIGCONT."""
    server, set_time = faked_time
    token = server.client_token(C1, "read")["access_token"]
    share_before = cpu_share(server.pid, 1)
    os.kill(server.pid, signal.SIGSTOP)
    set_time(pause_s)
    os.kill(server.pid, signal.SIGCONT)
    assert not server.is_active(token, API)
    fresh = server.client_token(C1, "jread")["access_token"]
    assert server.is_active(fresh, JWTS)
    assert_idle(server, share_before)

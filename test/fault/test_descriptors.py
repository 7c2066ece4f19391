"""Figure 10: a server that has no descriptor left goes on for those who are there, and waits.

Once at its own cap, which it draws from RLIMIT_NOFILE and which leaves descriptors in reserve, and
once truly without any, for the limit is lowered below what it has open.
"""

import resource
import subprocess
import time

import pytest

from harness import API, C1, CC, wait_until
from load import Crowd, cpu_share, descriptor_count, raise_descriptor_limit
from pulse import Pulse

LIMIT = 256
CLIENT_COUNT = 1000
KEPT_COUNT = 20
WATCHED_S = 2
BUSY_SHARE_MAX = 0.20
BACK_WITHIN_S = 1


class Friends:
    """Connections that were there before the crowd came, with a token to ask about."""

    def __init__(self, server):
        self.server = server
        self.token = server.client_token(C1, "read")["access_token"]
        self.lines = [server.connection() for _ in range(KEPT_COUNT)]
        self.ask()

    def ask(self):
        """Memory and disk, reading and writing."""
        for line in self.lines:
            assert self.server.is_active(self.token, API, connection=line)
        token = self.server.client_token(CC, connection=self.lines[0])["access_token"]
        assert self.server.is_active(token, API, connection=self.lines[1])

    def close(self):
        for line in self.lines:
            line.close()


@pytest.fixture
def crowd():
    if raise_descriptor_limit(CLIENT_COUNT + 200) < CLIENT_COUNT + 200:
        pytest.skip("the test itself may not open so many descriptors")
    crowd = Crowd()
    yield crowd
    crowd.close()


def come(crowd, server):
    for _ in range(CLIENT_COUNT):
        crowd.add(server.port, "idle")


def open_count(crowd):
    crowd.look()
    return crowd.open_count()


def told(server):
    return [line for line in server.log_lines() if line["event"] == "connections_full"]


def assert_not_busy(server):
    """Once it is done with those who came, which takes a slow machine a while; a loop that turns
    for nothing never is. Then it stays so."""
    wait_until(lambda: cpu_share(server.pid, WATCHED_S) < BUSY_SHARE_MAX, 30, "no busy loop")
    share = cpu_share(server.pid, WATCHED_S)
    print(f"{share:.1%} of a core beside {CLIENT_COUNT} clients")
    assert share < BUSY_SHARE_MAX


def assert_back(server, leave):
    """A newcomer is answered within a second after the crowd has left."""
    with Pulse() as pulse:
        leave()
        left_at = time.monotonic()
        wait_until(lambda: is_answered(server), 30, "newcomers are served again")
        back_at = time.monotonic()
    took = back_at - left_at - pulse.lost(left_at, back_at)
    print(f"newcomers are served {took:.2f} s after")
    assert took < BACK_WITHIN_S


def is_answered(server):
    try:
        return server.get("/livez").status == 200
    except OSError:
        return False


def test_figure_10_a_thousand_clients_and_256_descriptors(new_server, plain_binary, crowd):
    server = new_server(binary=plain_binary, prefix=["prlimit", f"--nofile={LIMIT}:{LIMIT}"])
    friends = Friends(server)
    come(crowd, server)
    assert_not_busy(server)
    wait_until(lambda: 0 < open_count(crowd) < LIMIT, 10, "those over the cap are turned away")
    assert descriptor_count(server.pid) < LIMIT - 16, "some are kept for the store and commands"
    friends.ask()
    server.cli("user", "add", "newcomer", "--password-stdin", stdin="a password of a newcomer 1\n")
    assert len(told(server)) == 1, "once, and not for each of them"
    assert_back(server, crowd.close)
    friends.ask()
    friends.close()
    assert server.user_token(C1, ("newcomer", "a password of a newcomer 1"), "read")


def test_figure_10_no_descriptor_at_all(new_server, plain_binary, crowd):
    """EMFILE at accept(2), of connections and of commands alike: they wait in the kernel."""
    server = new_server(binary=plain_binary)
    friends = Friends(server)
    limit = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE,
                     (descriptor_count(server.pid) + 5, limit[1]))
    try:
        come(crowd, server)
        command = start_command(server)
        assert_not_busy(server)
        friends.ask()
        assert command.poll() is None, "it waits"
        assert len(told(server)) == 1, "once, and not for each of them"
    except BaseException:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limit)
        raise
    assert_back(server, lambda: resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limit))
    assert command.wait(30) == 0
    friends.ask()
    friends.close()


def start_command(server):
    return subprocess.Popen([server.binary, "user", "list", *server.place()],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)

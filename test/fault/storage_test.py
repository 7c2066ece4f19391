"""Figure 8: every open, write, fsync, rename and ftruncate below the data folder fails, once or for
ever, with EIO, ENOSPC, EINTR or a short write.

No answer 200 without durable state; no crash; after a failed fsync nothing is written until the
next start. A start works, or fails with one line and leaves nothing half done: the next one works.
And a disk that is full, for true: what is there goes on, and what is new waits for room.
JETON_CAMPAIGN=1 takes every number (up to JETON_NUMBERS), or so many of all cases of a test as
JETON_CASES says.
"""

import os
import subprocess

import pytest

import inject
from harness import (ALICE, API, C1, CC, Server, sanitizer_environment, seed, wait_until)

IS_CAMPAIGN = os.environ.get("JETON_CAMPAIGN") == "1"
CASES = os.environ.get("JETON_CASES", "all")
NUMBER_MAX = int(os.environ.get("JETON_NUMBERS", 1 << 30 if IS_CAMPAIGN else 400))
FAULTS = {"EIO": (inject.EIO, False), "EIO-from-there": (inject.EIO, True),
          "ENOSPC": (inject.ENOSPC, False), "ENOSPC-from-there": (inject.ENOSPC, True),
          "EINTR": (inject.EINTR, False), "short-write": (inject.SHORT, False)}
START_S = 20

pytestmark = pytest.mark.sqlite("the calls that fail are those on its files")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return inject.compile_library(tmp_path_factory.mktemp("inject"))


@pytest.fixture
def faulty(new_server, plain_binary, library, tmp_path):
    """A seeded server that does not run yet, and its injector."""
    def make(**options):
        server = new_server(start=False, binary=plain_binary, **options)
        injector = inject.Injector(library, tmp_path / "page", server.data)
        server.env = injector.environment()
        return server, injector
    return make


def kinds_of(error):
    return inject.WRITE if error == inject.SHORT else inject.FILES


def cases(count, most, faults=tuple(FAULTS.values())):
    """(number, error, is sticky): each number with every fault, or so many of these, spread out."""
    count = min(count, NUMBER_MAX)
    if IS_CAMPAIGN:
        most = count * len(faults) if CASES == "all" else int(CASES)
    if count * len(faults) <= most:
        return [(number, *fault) for number in range(1, count + 1) for fault in faults]
    # Each fault in turn, while the numbers go from the first to the last.
    return [(1 + at * count // most, *faults[at % len(faults)]) for at in range(most)]


def try_start(server):
    """Whether it is ready; where it is not, it has ended by itself, with a line that says why."""
    try:
        server.start()
        return True
    except AssertionError:
        status = server.process.wait(START_S)
        assert status > 0, f"died of signal {-status}: {server.log()[-3000:]}"
        assert server.log().strip(), "ended without a word"
        return False


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("is_seeded", [False, True], ids=["empty", "full"])
def test_figure_8_start(faulty, is_seeded, fault):
    server, injector = faulty(seeded=is_seeded)
    injector.arm(inject.FILES)
    server.start()
    count = injector.counted
    server.stop()
    assert count > 0
    for number, error, is_sticky in cases(count, 7, [FAULTS[fault]]):
        if not is_seeded and server.data.exists():
            for path in server.data.iterdir():
                path.unlink()
            server.data.rmdir()
        injector.arm(kinds_of(error), number, error, is_sticky)
        if try_start(server):
            injector.disarm()
            server.kill()
        injector.disarm()
        server.start()
        if is_seeded:
            server.client_token(CC)
        server.stop()


class Story:
    """A client's facts over many faults and starts."""

    def __init__(self, server):
        self.server = server
        self.active, self.ended = set(), set()
        self.newest = server.user_token(C1, ALICE, "read")["refresh_token"]
        self.spent = []
        self.victim = None

    def prepare(self, what):
        if what == "revoke":
            self.victim = self.server.client_token(C1, "read")["access_token"]

    def act(self, what):
        """One request; what it acknowledged is noted."""
        if what == "issue":
            answer = self.server.token({"grant_type": "client_credentials"}, client=CC)
            if answer.status == 200:
                self.active.add(answer.json["access_token"])
        elif what == "revoke":
            answer = self.server.revoke(self.victim, C1)
            if answer.status == 200:
                self.ended.add(self.victim)
        else:
            answer = self.server.refresh(self.newest, C1)
            if answer.status == 200:
                self.spent.append(self.newest)
                self.newest = answer.json["refresh_token"]
                self.active.add(answer.json["access_token"])
        assert answer.status in (200, 503), answer
        return answer.status

    def check(self):
        for token in self.active:
            assert self.server.is_active(token, API), "acknowledged, and gone"
        for token in self.ended:
            assert not self.server.is_active(token, API), "revoked, and alive"
        self.active, self.ended = set(list(self.active)[-4:]), set(list(self.ended)[-4:])


@pytest.mark.parametrize("what", ["issue", "revoke", "rotate"])
def test_figure_8_requests(faulty, what):
    server, injector = faulty()
    server.start()
    story = Story(server)
    story.prepare(what)
    injector.arm(inject.FILES)
    assert story.act(what) == 200
    count = injector.counted + 1
    for number, error, is_sticky in cases(count, 30):
        injector.disarm()
        story.prepare(what)
        injector.arm(kinds_of(error), number, error, is_sticky)
        status = story.act(what)
        assert server.is_running(), server.log()[-3000:]
        failed = injector.failed
        injector.disarm()
        assert status == 200 or failed
        server.kill()
        server.start()
        story.check()
        assert story.act("rotate") == 200
    story.check()


def test_figure_8_compact(faulty):
    """A server that ends folds its log into the database: it ends in any case, without a crash, and
    what it had acknowledged is there at the next start."""
    server, injector = faulty()
    server.start()
    story = Story(server)
    story.prepare("revoke")
    injector.arm(inject.FILES)
    server.stop()
    count = injector.counted
    assert count > 10, "it is written to the database"
    for number, error, is_sticky in cases(count, 12):
        injector.disarm()
        server.start()
        for what in ("issue", "revoke", "rotate"):
            story.prepare(what)
            assert story.act(what) == 200
        injector.arm(kinds_of(error), number, error, is_sticky)
        server.process.terminate()
        status = server.process.wait(START_S)
        assert status >= 0, (number, error, is_sticky, server.log()[-3000:])
        injector.disarm()
        server.start()
        story.check()
        server.stop()


def test_figure_8_nothing_is_written_behind_a_failed_fsync(faulty):
    """The page cache may claim what the disk does not have: only a start reads what is true."""
    server, injector = faulty()
    server.start()
    token = server.client_token(CC)["access_token"]
    injector.arm(inject.SYNC, 1, inject.EIO)
    assert server.token({"grant_type": "client_credentials"}, client=CC).status == 503
    assert injector.failed == 1
    injector.arm(inject.FILES)
    for _ in range(3):
        assert server.token({"grant_type": "client_credentials"}, client=CC).status == 503
    assert injector.counted == 0
    assert server.is_active(token, API)
    assert server.get("/readyz").status == 503
    injector.disarm()
    server.restart()
    assert server.is_active(token, API)
    server.client_token(CC)


STORE_CASES = 40  # of one store: it takes 56 keys at most


def check_it_serves(server):
    server.start()
    server.client_token(CC)
    server.stop()


@pytest.mark.parametrize("words", [["key", "rotate", "--alg", "ES256"],
                                   ["client", "add", "new-{}", "--public", "--grant",
                                    "authorization_code", "--redirect-uri",
                                    "https://rp.example/cb"]], ids=["rotate", "add"])
def test_figure_8_commands(faulty, words):
    server, injector = faulty()

    def run(number):
        command = [server.binary, *(word.format(number) for word in words), *server.place()]
        env = {**sanitizer_environment(), **injector.environment()}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60,
                              check=False)

    injector.arm(inject.FILES)
    assert run(0).returncode == 0
    count = injector.counted
    for at, (number, error, is_sticky) in enumerate(cases(count, 30)):
        if at % STORE_CASES == STORE_CASES - 1:
            check_it_serves(server)
            server, injector = faulty()
        injector.arm(kinds_of(error), number, error, is_sticky)
        done = run(at + 1)
        assert done.returncode >= 0, (number, error, is_sticky, done)
        assert done.returncode == 0 or done.stderr.strip(), (number, error, is_sticky, done)
        injector.disarm()
        if words[0] == "client":
            listed = server.cli("client", "list").out
            assert f"new-{at + 1}" in listed or done.returncode != 0, (number, error, is_sticky)
    check_it_serves(server)


# ---- a disk that is full ------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """16 MiB that are all there is."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=700",
                                            "none", folder], check=False).returncode != 0:
        pytest.skip("may not mount a tmpfs here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_figure_8_full_disk(small_disk, plain_binary):
    server = Server(small_disk / "server", plain_binary)
    seed(server)
    server.log_path = small_disk.parent / "stderr.log"  # the log is not on that disk
    server.start()
    try:
        token = server.client_token(CC)["access_token"]
        ballast = small_disk / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError:
                pass
        statuses = [server.token({"grant_type": "client_credentials"}, client=CC).status
                    for _ in range(400)]
        assert set(statuses) <= {200, 503} and statuses[-1] == 503, statuses[-5:]
        assert server.is_active(token, API) and server.forward_auth(token).status == 200
        ballast.unlink()
        wait_until(lambda: server.token({"grant_type": "client_credentials"},
                                        client=CC).status == 200, 5, "writes again")
        assert server.is_active(token, API)
    finally:
        server.stop()
        server.assert_clean()

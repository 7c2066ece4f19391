"""Figure 7, a torn last record: the log of the store ends in the middle of its last commit, or one
byte of that is another one, as a disk leaves it that the power went from.

A server is killed, and what it left is torn at one place after the other. It starts on each, with
no repair by hand; of what was acknowledged before that commit nothing is missing, and what it then
acknowledges itself stays as well. JETON_CAMPAIGN=1 takes each byte of the last frame, or so many
of them as JETON_PLACES says.
"""

import os
import pathlib
import shutil
import struct

import pytest

from harness import ALICE, C1, CC

IS_CAMPAIGN = os.environ.get("JETON_CAMPAIGN") == "1"
PLACES = os.environ.get("JETON_PLACES", "all") if IS_CAMPAIGN else "20"
WRITE_EVERY = 16          # so many places: a fact behind the tear
HEAD_BYTES, FRAME_HEAD_BYTES = 32, 24
LOG = "jeton.db-wal"

pytestmark = pytest.mark.sqlite("PostgreSQL keeps its own files")


def commits_of(log):
    """Where each commit of a log begins and ends, and how long a frame is. A frame has its page's
    number, the size of the database if it ends a commit, and the salt of the log (SQLite's
    documentation of the file format, 4)."""
    page_bytes, = struct.unpack_from(">I", log, 8)
    frame_bytes = FRAME_HEAD_BYTES + page_bytes
    begin, commits = HEAD_BYTES, []
    for at in range(HEAD_BYTES, len(log) - frame_bytes + 1, frame_bytes):
        size, salt = struct.unpack_from(">I8s", log, at + 4)
        if salt != log[16:24]:
            break
        if size != 0:
            commits.append((begin, at + frame_bytes))
            begin = at + frame_bytes
    return commits, frame_bytes


class Left:
    """What a killed server left, and the facts that it had acknowledged."""

    def __init__(self, server):
        self.server = server
        self.facts = []  # (token, is active, the end of the log when that was acknowledged)
        for _ in range(6):
            self.note(server.client_token(CC)["access_token"], True)
        family = server.user_token(C1, ALICE, "read")
        for _ in range(3):
            answer = server.refresh(family["refresh_token"], C1)
            assert answer.status == 200, answer
            family = answer.json
            self.note(family["access_token"], True)
        for token, _, _ in self.facts[:2]:
            assert server.revoke(token, CC).status == 200
            self.note(token, False)
        self.note(server.client_token(CC)["access_token"], True)
        server.kill()
        self.files = {path.name: path.read_bytes() for path in server.data.iterdir()
                      if path.is_file() and not path.name.endswith("-shm")}
        self.commits, self.frame_bytes = commits_of(self.files[LOG])

    def note(self, token, is_active):
        log = pathlib.Path(self.server.data, LOG).read_bytes()
        self.facts.append((token, is_active, commits_of(log)[0][-1][1]))

    def expected(self):
        """token → is active, as acknowledged before the last commit began. What was active and was
        to be revoked by that commit is left out, for it may be either."""
        before = self.commits[-1][0]
        later = {token for token, _, end in self.facts if end > before}
        return {token: is_active for token, is_active, end in self.facts
                if end <= before and token not in later}

    def start_on(self, log):
        """Starts the server on the folder with that log."""
        shutil.rmtree(self.server.data)
        self.server.data.mkdir(mode=0o700)
        for name, content in {**self.files, LOG: log}.items():
            path = self.server.data / name
            path.write_bytes(content)
            path.chmod(0o600)
        self.server.start()

    def assert_facts(self, place):
        line = self.server.connection()
        for token, is_active in self.expected().items():
            status = self.server.forward_auth(token, connection=line).status
            assert status == (200 if is_active else 401), (place, is_active, status)
        line.close()


def places(begin, end):
    """Offsets of the last frame: all of them, or its head and a part of the rest spread out."""
    if PLACES == "all":
        return range(begin, end)
    step = max(1, (end - begin) // int(PLACES))
    return sorted({begin, begin + 4, begin + 8, begin + 16, begin + FRAME_HEAD_BYTES - 1,
                   end - 1, *range(begin + 7, end, step)})


def cut(log, at):
    return log[:at]


def garble(log, at):
    return log[:at] + bytes([log[at] ^ 0xFF]) + log[at + 1:]


def fill_with_zeros(log, at):
    """The file had its new length, and the rest was not there yet."""
    return log[:at] + bytes(len(log) - at)


@pytest.mark.parametrize("tear", [cut, garble, fill_with_zeros])
def test_figure_7_torn_last_record(new_server, plain_binary, tear):
    server = new_server(binary=plain_binary)
    left = Left(server)
    expected = left.expected()
    assert len(expected) >= 8 and set(expected.values()) == {True, False}
    begin, end = left.commits[-1]
    left.start_on(left.files[LOG])
    left.assert_facts("whole")
    server.kill()
    # Frames before the last one of that commit, at a byte each; then the last one.
    for number, at in enumerate([*range(begin, end - left.frame_bytes, left.frame_bytes),
                                 *places(end - left.frame_bytes, end)]):
        left.start_on(tear(left.files[LOG][:end], at))
        left.assert_facts(at)
        if number % WRITE_EVERY == 0:
            token = server.client_token(CC)["access_token"]
            server.kill()
            server.start()
            left.assert_facts(at)
            assert server.forward_auth(token).status == 200, at
        server.kill()

"""A node is killed, paused or cut off while others go on (fault class 17): what was acknowledged
stays, what was spent or revoked stays so, and no node ever says otherwise."""

import time

import pytest

from harness import wait_until
from lines import Line
from model import ANSWER_S, SEEN_S, SLACK_S, Load

WHATS = ["issue", "introspect", "revoke", "refresh"]
PAUSE_S = 5


@pytest.fixture(scope="module")
def town(towns, cluster, plain):
    return towns(cluster, binary=plain).start().warm()


@pytest.fixture
def whole(town):
    """The town with all its nodes well, before a test and after it."""
    for node in town.nodes:
        wait_until(node.is_ready, 10, "both nodes are well")
    yield town


def revoked_elsewhere(town, teller, count=16):
    """Tokens that this node revokes now."""
    node = town.nodes[teller]
    line = Line(teller, node.address)
    tokens = [line.ask(node.wire_issue()).member("access_token") for _ in range(count)]

    def revoke():
        for token in tokens:
            assert line.ask(node.wire_revoke(token)).status == 200
        return tokens

    return tokens, revoke


def test_rv_05_a_node_is_killed_under_load(whole, note_figure):
    """Three times kill -9, by turns; the other one goes on without a wrong or a late answer."""
    with Load(whole, thread_count=3, seed=2) as load:
        model = load.model
        for turn in range(3):
            victim = whole.nodes[turn % 2]
            time.sleep(1.0)
            began = time.monotonic()
            victim.kill()
            victim.start()
            model.excuses.append((turn % 2, began, time.monotonic()))
            other = 1 - turn % 2
            assert model.count(503, since=began, node=other) == 0, "the other one does not notice"
        time.sleep(1.0)
    load.stop()
    load.check()
    note_figure("nodes killed three times",
                f"{len(model.replies)} answers held against the model, {model.count(None)} lost")


def test_rv_05_a_node_is_paused_under_load(whole, note_figure):
    """What was sent while it stood still waits in its sockets, and is answered by what is true when
    it goes on."""
    node = whole.nodes[1]
    tokens, revoke = revoked_elsewhere(whole, 0)
    lines = [Line(1, node.address) for _ in tokens]
    for line, token in zip(lines, tokens):
        assert line.ask(node.wire_introspect(token)).is_active
    with Load(whole, thread_count=3, seed=3) as load:
        model = load.model
        time.sleep(1.0)
        began = time.monotonic()
        node.pause()
        revoke()
        for line, token in zip(lines, tokens):
            line.send(node.wire_introspect(token))
        time.sleep(PAUSE_S - (time.monotonic() - began))
        node.go_on()
        model.excuses.append((1, began, time.monotonic() + SLACK_S))
        gone_on = time.monotonic()
        firsts = []
        for line in lines:
            line.socket.settimeout(10)
            while (reply := line.take()) is None:
                line.received += line.socket.recv(65536)
            firsts.append(reply)
        time.sleep(2.5)
    load.stop()
    assert not any(reply.is_active for reply in firsts), "revoked while it stood still"
    assert {reply.status for reply in firsts} <= {200, 503}
    load.check()
    back = model.back_at(1, WHATS, gone_on) - gone_on
    note_figure(f"a node paused for {PAUSE_S} s",
                f"first answers {sorted({reply.status for reply in firsts})}, all kinds of "
                f"requests served {1000 * back:.0f} ms after it went on; {model.count(503)} "
                "answers of 503")
    assert back < ANSWER_S + SLACK_S


def test_rv_05_a_node_is_cut_off_from_the_database(cables, whole, note_figure):
    """Clients still reach it. From a second on it knows that it knows nothing."""
    node, room = whole.nodes[1], whole.rooms[1]
    tokens, revoke = revoked_elsewhere(whole, 0)
    line = Line(1, node.address)
    for token in tokens:
        assert line.ask(node.wire_introspect(token)).is_active
    with Load(whole, thread_count=3, seed=4) as load:
        model = load.model
        time.sleep(1.0)
        began = time.monotonic()
        room.pull("back")
        revoke()
        told = time.monotonic()
        time.sleep(max(0.0, told + SEEN_S + 0.1 - time.monotonic()))
        while time.monotonic() < began + 5:
            for token in tokens:
                reply = line.ask(node.wire_introspect(token))
                assert reply.status == 503 or reply.is_active is False, reply
                assert reply.came_at - reply.sent_at < ANSWER_S + SLACK_S, reply
            time.sleep(0.1)
        assert not node.is_ready()
        room.plug("back")
        plugged = time.monotonic()
        time.sleep(4)
    load.stop()
    load.check()
    back = model.back_at(1, WHATS, plugged) - plugged
    note_figure("a node cut off from the database for 5 s",
                f"{model.count(503, node=1)} answers of 503, the longest after "
                f"{model.longest(503):.2f} s; back {1000 * back:.0f} ms after the cable; "
                f"{model.count(503, node=0)} of 503 at the other")
    assert back < ANSWER_S + SLACK_S
    assert model.count(503, since=began + 1, node=0) == 0, "the other one does not notice"


def test_rv_05_a_node_is_cut_off_from_everybody(cables, whole, note_figure):
    """As when its machine loses its network: nobody reaches it, and it comes back by itself."""
    room = whole.rooms[0]
    with Load(whole, thread_count=3, seed=5) as load:
        model = load.model
        time.sleep(1.0)
        began = time.monotonic()
        room.pull("front", "back")
        time.sleep(4)
        room.plug("front", "back")
        plugged = time.monotonic()
        # TCP's own pauses between two tries of the clients are over by then.
        model.excuses.append((0, began, plugged + 8))
        time.sleep(8)
    load.stop()
    load.check()
    note_figure("a node cut off from everybody for 4 s",
                f"{model.count(None)} requests without an answer; served again "
                f"{1000 * (model.back_at(0, WHATS, plugged) - plugged):.0f} ms after the cable")
    assert model.count(503, since=began, node=1) == 0

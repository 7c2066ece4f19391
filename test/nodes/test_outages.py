"""PostgreSQL is stopped, killed, full, locked or out of reach under load (RV-05; fault class 16):
no false 200 at any time, 503 within two seconds, back within two seconds of the database."""

import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import time

import pytest

from harness import wait_until
from lines import Line
from model import ANSWER_S, GIVE_UP_S, SLACK_S, Load
from network import HUB
from postgres import Cluster
from proxy import Proxy

WHATS = ["issue", "introspect", "revoke", "refresh"]
STOPS = ["fast", "immediate", "kill", "fast", "immediate", "kill", "fast", "immediate", "kill",
         "fast"]
AWAY_S = 1.6
SILENCE_S = 4.0
LOCK_S = 4.0
CUT_S = 1.0
GO_ON_S = 15.0
ESTABLISHED, CLOSE_WAIT = "01", "08"
DISK_MIB = 192


@pytest.fixture(scope="module")
def proxy(network, own_cluster):
    made = Proxy(HUB if network else "127.0.0.1", (own_cluster.host, own_cluster.port))
    yield made
    made.close()


@pytest.fixture(scope="module")
def town(towns, own_cluster, plain):
    return towns(own_cluster, binary=plain).start().warm()


@pytest.fixture(scope="module")
def town_behind(towns, own_cluster, proxy, plain):
    """Nodes that reach the database through the proxy."""
    def url(name):
        return own_cluster.url(name).replace(f"{own_cluster.host}:{own_cluster.port}",
                                             f"{proxy.host}:{proxy.port}")
    return towns(own_cluster, binary=plain, url=url).start().warm()


def assert_well(town):
    for node in town.nodes:
        wait_until(node.is_ready, 10, "both nodes are well")


def connections_of(node, port=None):
    """The states of the connections that a node itself has, to that port or to any."""
    own = set()
    for fd in pathlib.Path(f"/proc/{node.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            own.add(os.readlink(fd))
    rows = [line.split() for line in
            pathlib.Path(f"/proc/{node.pid}/net/tcp").read_text().splitlines()[1:]]
    return [row[3] for row in rows if f"socket:[{row[9]}]" in own and
            port in (None, int(row[2].rpartition(":")[2], 16))]


def assert_no_dead_connections(town, port=None):
    """None that the other end has closed; and, where the port of the database is given, each one
    that a node holds for alive is one that the database has."""
    for node in town.nodes:
        wait_until(lambda node=node: CLOSE_WAIT not in connections_of(node), 3,
                   "no dead connection is kept")
    if port is None:
        return

    def are_known():
        held = sum(connections_of(node, port).count(ESTABLISHED) for node in town.nodes)
        known = int(town.database.run(
            f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{town.name}'"
            " AND client_port > 0 AND pid <> pg_backend_pid()")[-1])
        return held == known > 0

    wait_until(are_known, 10, "the database has each connection of the pools")


def assert_answers_503(town, token):
    """At each node, for what is answered from memory and for what is not."""
    for number, node in enumerate(town.nodes):
        line = Line(number, node.address)
        for request in (node.wire_introspect(token), node.wire_issue(), node.wire_revoke(token)):
            reply = line.ask(request, GIVE_UP_S)
            assert reply.status == 503, reply
            assert reply.came_at - reply.sent_at < ANSWER_S + SLACK_S, reply
        assert not node.is_ready()
        line.close()


def go_on_until_back(load, since):
    """The load goes on for as long as it may take until everything is served again; longer where
    the machine is so slow that it has not asked for everything by then."""
    time.sleep(ANSWER_S + SLACK_S)
    wait_until(lambda: max(backs(load.town, load.model, since)) < float("inf"), GO_ON_S,
               "everything is served again")


def backs(town, model, since):
    """Seconds until each node served everything again."""
    return [model.back_at(number, WHATS, since) - since for number in range(len(town.nodes))]


def note(note_figure, what, model, took=()):
    longest = f"; back after at most {1000 * max(took):.0f} ms" if took else ""
    note_figure(what, f"{len(model.replies)} answers held against the model, {model.count(503)} of "
                f"503, the longest after {model.longest(503):.2f} s{longest}")


# -- the server ---------------------------------------------------------------------------------


def test_rv_05_ten_outages(town, own_cluster, note_figure):
    token = town.nodes[0].client_token(("app", "app-secret-app-secret-app-secret"),
                                       "read")["access_token"]
    took = []
    with Load(town, thread_count=2, seed=7) as load:
        for way in STOPS:
            time.sleep(0.3)
            own_cluster.kill() if way == "kill" else own_cluster.stop(way)
            time.sleep(AWAY_S)
            assert_answers_503(town, token)
            own_cluster.start()
            started = time.monotonic()
            go_on_until_back(load, started)
            took += backs(town, load.model, started)
            assert max(took) < ANSWER_S + SLACK_S, (way, took)
    load.stop()
    load.check()
    assert_no_dead_connections(town, own_cluster.port)
    note(note_figure, "PostgreSQL stopped ten times (fast, immediate, kill -9)", load.model, took)


def test_rv_05_backends_are_ended(town, note_figure):
    """Whatever they are in the middle of."""
    assert_well(town)
    ended = 0
    with Load(town, thread_count=3, pause_s=0, seed=8) as load:
        for _ in range(40):
            time.sleep(random.uniform(0.02, 0.1))
            ended += int(town.database.run(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname ="
                f" '{town.name}' AND pid <> pg_backend_pid() AND random() < 0.5")[-1])
        ended_at = time.monotonic()
        go_on_until_back(load, ended_at)
    load.stop()
    load.check()
    assert ended > 40
    took = backs(town, load.model, ended_at)
    assert max(took) < ANSWER_S + SLACK_S
    assert_no_dead_connections(town)
    note(note_figure, f"{ended} backends ended", load.model, took)


@pytest.mark.parametrize("what, statement", [
    ("the row that ids are leased from", "SELECT * FROM sequence WHERE number >= 0 FOR UPDATE"),
    ("an account", "SELECT * FROM account FOR UPDATE"),
    ("a table, exclusively", "LOCK TABLE token, granted, revoked, spent IN ACCESS EXCLUSIVE MODE"),
    ("the change feed", "LOCK TABLE change IN ACCESS EXCLUSIVE MODE")])
def test_rv_05_a_lock_is_held(town, note_figure, what, statement):
    assert_well(town)
    with Load(town, thread_count=2, seed=9) as load:
        time.sleep(0.5)
        town.database.run("BEGIN; " + statement)
        time.sleep(LOCK_S)
        town.database.run("ROLLBACK")
        released = time.monotonic()
        go_on_until_back(load, released)
    load.stop()
    load.check()
    took = backs(town, load.model, released)
    assert max(took) < ANSWER_S + SLACK_S, took
    note(note_figure, f"a lock held for {LOCK_S:.0f} s on {what}", load.model, took)


# -- the way there ------------------------------------------------------------------------------


def test_rv_05_connections_are_cut_anywhere(town_behind, proxy, note_figure):
    """Also between a commit and its answer: the database has it, and the node does not know."""
    chance = random.Random(10)
    before = proxy.cut_count
    with Load(town_behind, thread_count=3, pause_s=0, seed=10) as load:
        for number in range(40):
            count, until = proxy.cut_count, time.monotonic() + CUT_S
            proxy.cut_after(chance.randrange(100, 60000), is_given=number % 2 == 0)
            time.sleep(0.12)
            while proxy.cut_count == count and time.monotonic() < until:
                time.sleep(0.02)  # so many bytes take a slow machine longer
        cut_at = time.monotonic()
        go_on_until_back(load, cut_at)
    load.stop()
    load.check()
    assert proxy.cut_count - before > 20
    took = backs(town_behind, load.model, cut_at)
    assert max(took) < ANSWER_S + SLACK_S
    assert_no_dead_connections(town_behind)
    note(note_figure, f"{proxy.cut_count - before} connections cut", load.model, took)


@pytest.mark.parametrize("is_reset", [False, True], ids=["silent", "reset"])
def test_rv_05_the_way_is_silent(town_behind, proxy, note_figure, is_reset):
    """Nobody says that the way is gone: the node's own clock has to. With a reset, what comes after
    it is the same."""
    assert_well(town_behind)
    node = town_behind.nodes[0]
    token = node.client_token(("app", "app-secret-app-secret-app-secret"), "read")["access_token"]
    with Load(town_behind, thread_count=2, seed=11 + is_reset) as load:
        time.sleep(0.5)
        proxy.silence()
        if is_reset:
            proxy.reset()
        time.sleep(AWAY_S)
        assert_answers_503(town_behind, token)
        time.sleep(SILENCE_S - AWAY_S)
        proxy.speak()
        spoke = time.monotonic()
        time.sleep(1)
        go_on_until_back(load, spoke)
    load.stop()
    load.check()
    took = backs(town_behind, load.model, spoke)
    assert max(took) < ANSWER_S + SLACK_S, took
    assert_no_dead_connections(town_behind)
    note(note_figure, "the way to the database " + ("reset and silent" if is_reset else "silent"),
         load.model, took)


# -- its disk -----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path_factory):
    """A file system of its own for a cluster; it leaves with the test, used or not."""
    folder = tmp_path_factory.mktemp("disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=755", "tmpfs",
                           str(folder)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        pytest.skip("no file system may be mounted here: " + done.stderr.strip())
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True, stdin=subprocess.DEVNULL)


def fill(folder):
    """To the last byte; what takes the room."""
    filler = folder / "filler"
    with open(filler, "ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            while True:
                try:
                    if file.write(bytes(size)) < size:
                        break
                except OSError:
                    break
    return filler


def test_rv_05_the_disk_of_the_database_is_full(network, small_disk, town_of_one_test, plain,
                                               note_figure):
    made = Cluster(small_disk / "cluster", host=HUB if network else "127.0.0.1", is_durable=True)
    made.start()
    try:
        town = town_of_one_test(made, binary=plain).start().warm()
        with Load(town, thread_count=2, pause_s=0, seed=13) as load:
            time.sleep(0.5)
            filler = fill(small_disk)
            wait_until(lambda: load.model.count(503, "issue") > 10, 20, "nothing can be written")
            fill(small_disk)
            time.sleep(2)
            os.unlink(filler)
            freed = time.monotonic()
            if not made.is_running():
                made.stop("immediate")
                made.start()
                freed = time.monotonic()
            time.sleep(1)
            go_on_until_back(load, freed)
        load.stop()
        took = backs(town, load.model, freed)
        load.check()
        assert max(took) < ANSWER_S + SLACK_S, took
        note(note_figure, "the disk of the database full", load.model, took)
    finally:
        made.stop("immediate")
        shutil.rmtree(small_disk / "cluster", ignore_errors=True)

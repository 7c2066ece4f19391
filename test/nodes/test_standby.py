"""The primary is lost and its synchronous standby is promoted (fault class 16): nodes that were
given both addresses go on there, and nothing that was acknowledged is lost."""

import concurrent.futures
import time

import pytest

from harness import wait_until
from lines import Line
from model import ANSWER_S, SLACK_S, Load
from network import HUB
from postgres import Cluster
from test_outages import WHATS, assert_no_dead_connections, backs, note


@pytest.fixture
def pair(network, tmp_path_factory):
    """A primary that commits when its standby has it, and the standby."""
    from postgres import Cluster

    primary = Cluster(tmp_path_factory.mktemp("primary"), host=HUB if network else "127.0.0.1",
                      is_durable=True)
    primary.start()
    standby = primary.standby(tmp_path_factory.mktemp("standby"))
    standby.start()
    yield primary, standby
    standby.stop("immediate")
    primary.stop("immediate")


def test_rv_05_commit_that_the_standby_does_not_have_is_not_told(pair, town_of_one_test, plain):
    """Without its standby a commit waits; one whose wait is broken off is on the primary alone."""
    primary, standby = pair
    node = town_of_one_test(primary, binary=plain).start().warm().nodes[0]
    line = Line(0, node.address)
    assert line.ask(node.wire_issue()).status == 200
    standby.stop("immediate")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(line.ask, node.wire_issue())
        wait_until(lambda: primary.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                                       " WHERE wait_event = 'SyncRep'"), 5, "a wait is broken off")
        assert asked.result().status == 503
    standby.start()
    wait_until(lambda: line.ask(node.wire_issue()).status == 200, 5, "it commits again")


def test_rv_05_the_primary_is_lost(pair, town_of_one_test, plain, note_figure):
    primary, standby = pair

    def both(name):
        return primary.url(name).replace(
            f"{primary.host}:{primary.port}",
            f"{primary.host}:{primary.port},{standby.host}:{standby.port}") + \
            "?target_session_attrs=read-write"

    town = town_of_one_test(primary, binary=plain, url=both).start().warm()
    with Load(town, thread_count=3, pause_s=0, seed=14) as load:
        time.sleep(2)
        primary.kill()
        lost = time.monotonic()
        time.sleep(1)
        standby.promote()
        promoted = time.monotonic()
        time.sleep(ANSWER_S + SLACK_S + 1)
    load.stop()
    load.check()
    took = backs(town, load.model, promoted)
    assert max(took) < ANSWER_S + SLACK_S, took
    assert load.model.count(200, since=promoted) > 0
    assert_no_dead_connections(town)
    note(note_figure, f"the primary lost, its standby promoted {promoted - lost:.1f} s later",
         load.model, took)
    for node in town.nodes:
        wait_until(node.is_ready, 5, "ready again")

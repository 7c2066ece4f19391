"""Tests of several nodes on one PostgreSQL, and of what happens when something of it is away.

They share one network (network.py) and one cluster, so they run one after the other in one process.
"""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "blackbox"))

import harness  # noqa: E402
from network import HUB, Network, NotPermitted  # noqa: E402
from nodes import Town  # noqa: E402
from postgres import Cluster  # noqa: E402

FIGURES = []


@pytest.fixture(scope="session")
def network():
    """The hub, or None where there are no namespaces: then nodes stand on loopback addresses."""
    try:
        made = Network()
    except NotPermitted as why:
        FIGURES.append(f"every node on the loopback interface: {why}")
        yield None
        return
    yield made
    made.close()


@pytest.fixture
def cables(network):
    if network is None:
        pytest.skip("network namespaces are not permitted here, so there is no cable to pull")
    return network


@pytest.fixture(scope="session")
def cluster(network, tmp_path_factory):
    """The PostgreSQL of all tests that do not break theirs."""
    made = Cluster(tmp_path_factory.mktemp("postgres"), host=HUB if network else "127.0.0.1")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def own_cluster(network, tmp_path_factory):
    """One that the tests of a file may break."""
    made = Cluster(tmp_path_factory.mktemp("postgres"), host=HUB if network else "127.0.0.1",
                   is_durable=True)
    made.start()
    yield made
    made.stop()


def _towns(network, tmp_path_factory, request):
    made = []

    def make(cluster, **options):
        made.append(Town(tmp_path_factory.mktemp("town"), network, cluster, **options))
        return made[-1]

    failed_before = request.session.testsfailed
    yield make
    for town in made:
        has_failed = request.session.testsfailed > failed_before
        if has_failed:
            for node in town.nodes:
                sys.stderr.write(f"--- {node.log_path}\n{node.log()[-4000:]}\n")
        town.close(is_checked=not has_failed)


@pytest.fixture(scope="module")
def towns(network, tmp_path_factory, request):
    """Makes towns: nodes on one database, that live as long as the test file."""
    yield from _towns(network, tmp_path_factory, request)


@pytest.fixture
def town_of_one_test(network, tmp_path_factory, request):
    """The same for one test alone."""
    yield from _towns(network, tmp_path_factory, request)


@pytest.fixture(scope="session")
def plain():
    return harness.find_plain_binary()


@pytest.fixture
def note_figure(request):
    """Notes something measured, for the end of the run and for the result file."""
    def note(what, value):
        FIGURES.append(f"{what}: {value}")
        request.node.user_properties.append((what, str(value)))

    return note


def pytest_terminal_summary(terminalreporter):
    if FIGURES:
        terminalreporter.section("measured")
        for line in FIGURES:
            terminalreporter.write_line(line)

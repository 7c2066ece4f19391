"""pytest fixtures shared by the black-box tests and the tests with real clients."""

import os
import sys
import time

import pytest

import harness


@pytest.fixture(scope="session")
def binary():
    return harness.find_binary()


@pytest.fixture(scope="session")
def plain_binary():
    return harness.find_plain_binary()


@pytest.fixture(scope="session")
def seeded(tmp_path_factory, binary):
    """A server that never runs, with the usual services, clients and accounts, made once."""
    server = harness.Server(tmp_path_factory.mktemp("seed"), binary)
    harness.seed(server)
    yield server
    server.store.drop()


def _factory(tmp_path_factory, template, request):
    made = []

    def make(args=(), seeded=True, start=True, **options):
        server = harness.Server(tmp_path_factory.mktemp("server"), args=args, **options)
        if seeded:
            harness.copy_seeded(template, server)
        made.append(server)
        return server.start() if start else server

    failed_before = request.session.testsfailed
    yield make
    for server in made:
        if server.process is not None and server.is_running():
            server.stop()
        if request.session.testsfailed > failed_before:
            sys.stderr.write(f"--- {server.log_path}\n{server.log()[-4000:]}\n")
        server.assert_clean()
        server.store.drop()


@pytest.fixture(scope="module")
def module_server(tmp_path_factory, seeded, request):
    """Makes servers that live as long as the test file."""
    yield from _factory(tmp_path_factory, seeded, request)


@pytest.fixture
def new_server(tmp_path_factory, seeded, request):
    """Makes servers for one test alone."""
    yield from _factory(tmp_path_factory, seeded, request)


@pytest.fixture
def faked_time(new_server, plain_binary, tmp_path):
    """A server, and a function that sets its wall clock to so many seconds from now."""
    library = f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketimeMT.so.1"
    if not os.path.exists(library):
        pytest.skip("libfaketime is not installed")
    if harness.is_sanitized(plain_binary):
        pytest.skip("libfaketime needs a build without sanitizers (JETON_BINARY_PLAIN)")
    clock = tmp_path / "clock"

    def set_time(offset_s):
        beside = tmp_path / "clock.new"
        beside.write_text(f"{offset_s:+d}\n")
        beside.replace(clock)

    set_time(0)
    # The cage hides the file that says what time it is.
    server = new_server(args=["--sandbox", "off"], binary=plain_binary, env={
        "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"})
    server.always, server.args = server.args, []
    return server, set_time


@pytest.fixture
def stopped_clock(faked_time, tmp_path):
    """A server that is not started yet, and a function that sets its clock: it stands there."""
    server, _ = faked_time
    server.stop()
    noon = (int(time.time()) // 30 + 4) * 30

    def stand_at(offset_s):
        """The moment, in seconds since the epoch."""
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(noon + offset_s))
        beside = tmp_path / "clock.new"
        beside.write_text(text + "\n")
        beside.replace(tmp_path / "clock")
        return noon + offset_s

    stand_at(0)
    return server, stand_at


@pytest.fixture(scope="module")
def jeton(module_server):
    """The usual server of a test file."""
    return module_server()

"""What holds for all tests: which engine they are on, and the PostgreSQL that they need for one.

`JETON_TEST_STORE=postgresql` runs a suite on PostgreSQL. Unless JETON_TEST_DATABASE names a
cluster, one is started for this run, and shared with the processes that pytest-xdist starts.
"""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "blackbox"))

import postgres  # noqa: E402
import stores  # noqa: E402


def pytest_configure(config):
    config.cluster = None
    if not stores.is_postgresql() or "JETON_TEST_DATABASE" in os.environ:
        return
    config.cluster = postgres.Cluster(tempfile.mkdtemp(prefix="jeton-postgres-")).start()
    config.cluster.create_role()
    os.environ["JETON_TEST_DATABASE"] = config.cluster.url(postgres.SUPERUSER, postgres.SUPERUSER)


def pytest_unconfigure(config):
    if config.cluster is not None:
        config.cluster.stop("immediate")
        shutil.rmtree(config.cluster.folder, ignore_errors=True)
        del os.environ["JETON_TEST_DATABASE"]


def pytest_collection_modifyitems(items):
    """What is about SQLite alone says why: `@pytest.mark.sqlite("a file of its own is locked")`."""
    for item in items if stores.is_postgresql() else ():
        mark = item.get_closest_marker("sqlite")
        if mark:
            item.add_marker(pytest.mark.skip(reason="of SQLite alone: " + mark.args[0]))

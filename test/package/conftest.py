"""The harness of the black-box tests is used here as well."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "blackbox"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import pytest  # noqa: E402

from debian_root import Root  # noqa: E402


@pytest.fixture(scope="session")
def root():
    """One machine for all: making it is what takes the time. What a test installs it purges."""
    machine = Root()
    yield machine
    machine.remove()

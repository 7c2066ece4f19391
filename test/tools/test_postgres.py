"""The tests' own PostgreSQL: it ends with whoever started it, and leaves nothing behind."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/blackbox"))

import postgres  # noqa: E402
from harness import wait_until  # noqa: E402

SHOW = 'echo "$JETON_TEST_DATABASE"; read -r line; exit 7'


@pytest.fixture
def folder_of_its_own():
    """Not pytest's: as root that is closed to others whenever another run begins."""
    with tempfile.TemporaryDirectory(prefix="jeton-beside-") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@pytest.fixture
def beside(folder_of_its_own):
    """Starts a command beside a cluster: the process, the cluster's folder and its postmaster."""
    try:
        postgres.find_program("initdb")
    except postgres.NotInstalled as why:
        pytest.skip(str(why))
    process = subprocess.Popen([sys.executable, ROOT / "test/blackbox/postgres.py", "sh", "-c",
                                SHOW], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env={**os.environ, "TMPDIR": str(folder_of_its_own)})
    url = process.stdout.readline().decode().strip()
    assert postgres.run_sql(url, "SELECT current_setting('is_superuser')") == ["on"]
    folder = next(folder_of_its_own.glob("jeton-postgres-*"))
    yield process, folder, int((folder / "data/postmaster.pid").read_text().split()[0])
    process.stdin.close()
    process.wait()
    process.stdout.close()


def has_ended(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rsplit(")", 1)[1].split()[0] == "Z"


def test_it_ends_with_the_command(beside):
    process, folder, postmaster = beside
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.wait(30) == 7
    assert has_ended(postmaster) and not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_interrupted(beside, number):
    process, folder, postmaster = beside
    process.send_signal(number)
    assert process.wait(30) == 130
    assert has_ended(postmaster) and not folder.exists()


def test_it_ends_with_a_runner_that_is_killed(beside):
    process, _, postmaster = beside
    process.kill()
    wait_until(lambda: has_ended(postmaster), 10, "the postmaster ends")

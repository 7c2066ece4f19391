"""test/fuzz/run.py: what breaks a target is told, and so that the end of a whole run shows it."""

import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

GOOD = "echo stat::number_of_executed_units: 123"
BROKEN = ("echo 'INFO: seed'; echo 'jeton: broken promise: x (a.c:3)'; "
          "printf '==1==ERROR: deadly \\001 signal\\nBase64: AAAA\\n'; exit 77")


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    """Runs targets that are scripts; the status, the lines, and the failures by target."""
    def run(**targets):
        for name, script in targets.items():
            (tmp_path / f"{name}_fuzz").write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / f"{name}_fuzz").chmod(0o755)
        done = subprocess.run([sys.executable, ROOT / "test/fuzz/run.py", tmp_path, "1", "--found",
                               tmp_path / "found", "--junit", tmp_path / "fuzz.xml"],
                              capture_output=True, text=True, timeout=60)
        cases = ElementTree.parse(tmp_path / "fuzz.xml").getroot().iter("testcase")
        failures = {case.get("name"): case.find("failure") for case in cases}
        return done.returncode, done.stdout.splitlines(), failures
    return run


def test_good_targets_are_counted(run):
    status, lines, failures = run(one=GOOD, two=GOOD)
    assert status == 0 and lines[-1] == "246 runs: one 123, two 123; 2 passed, 0 failed"
    assert failures == {"one": None, "two": None}


def test_a_broken_one_is_told_with_its_input(run, tmp_path):
    status, lines, failures = run(bad=BROKEN, good=GOOD)
    assert status == 1 and lines[-1].endswith("; 1 passed, 1 failed")
    assert failures["good"] is None
    assert failures["bad"].get("message").splitlines() == [
        "jeton: broken promise: x (a.c:3)", "==1==ERROR: deadly ? signal", "Base64: AAAA"]
    assert "broken promise" in (tmp_path / "found/bad.log").read_text()


def test_one_that_says_nothing_is_broken(run):
    status, _, failures = run(silent="exit 0")
    assert status == 1 and failures["silent"] is not None

"""Builds the Go programs of go/, and others, whose modules go.mod and go.sum pin.

Those of go/ need Go 1.19. Without Go, or where the modules cannot be fetched, tests are skipped.
"""

import pathlib
import re
import shutil
import subprocess

import pytest

FOLDER = pathlib.Path(__file__).resolve().parent / "go"
OLDEST = (1, 19)


def build(package, out, folder=FOLDER, oldest=OLDEST):
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    version = subprocess.run(["go", "version"], stdout=subprocess.PIPE, check=True, text=True)
    found = re.search(r"go(\d+)\.(\d+)", version.stdout)
    if tuple(map(int, found.groups())) < oldest:
        pytest.skip(version.stdout.strip() + " is older than the modules take")
    done = subprocess.run(["go", "build", "-o", str(out), package], cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
                          check=False)
    if done.returncode != 0 and re.search(r"dial tcp|no such host|proxyconnect|GOPROXY=off|"
                                          r"module lookup disabled", done.stdout):
        pytest.skip("the modules of go.mod could not be fetched: " + done.stdout[-300:])
    assert done.returncode == 0, done.stdout
    return out

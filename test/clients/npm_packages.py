"""Packages from npm at the versions in package-lock.json, installed beside this file by npm when
one of them is missing; without npm or a registry the tests that need them are skipped.

They are clients and a server to compare with, under MIT, oidc-client-ts under Apache-2.0, and
axe-core, under MPL-2.0, which looks at pages. They are for the tests alone: nothing of them is part
of Jeton.
"""

import fcntl
import json
import pathlib
import shutil
import subprocess
import tempfile

import pytest

FOLDER = pathlib.Path(__file__).resolve().parent
PACKAGES = FOLDER / "node_modules"


def has_version(name, version):
    there = PACKAGES / name / "package.json"
    return there.is_file() and json.loads(there.read_text("utf-8"))["version"] == version


def npm_package(name):
    """The folder of one of them. Whoever comes first installs them all, and the others wait."""
    wanted = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]
    lock_path = pathlib.Path(tempfile.gettempdir()) / "jeton-npm.lock"
    with open(lock_path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all(has_version(*each) for each in wanted.items()):
            if shutil.which("npm") is None:
                pytest.skip("npm is not installed")
            done = subprocess.run(["npm", "ci"], cwd=FOLDER, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
            if done.returncode != 0:
                pytest.skip("npm ci could not fetch the packages: " + done.stdout[-500:])
    return PACKAGES / name

"""Node.js and the packages of package.json, for the tests that speak through them.

They need Node.js 18 or newer.
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from npm_packages import npm_package

FOLDER = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = {**os.environ, "NODE_NO_WARNINGS": "1"}


@pytest.fixture(scope="session")
def node():
    """The command that runs a script, once the packages are there."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, check=True, text=True)
    major = int(version.stdout.lstrip("v").split(".")[0])
    if major < 18:
        pytest.skip(f"node {major} is older than these clients take")
    npm_package("openid-client")
    return ["node"] + (["--experimental-global-webcrypto"] if major < 20 else [])


def run(node, script, job):
    """Runs a script with the job as JSON on its standard input; what it prints is JSON, too."""
    done = subprocess.run(node + [script], cwd=FOLDER, input=json.dumps(job), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False,
                          env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)

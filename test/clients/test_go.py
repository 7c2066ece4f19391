"""Go's x/oauth2: client credentials in both styles, password, and its own refresh."""

import json
import re
import shutil
import subprocess
import pathlib

import pytest

from harness import ALICE, C1

FOLDER = pathlib.Path(__file__).resolve().parent / "go"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    version = subprocess.run(["go", "version"], stdout=subprocess.PIPE, check=True, text=True)
    found = re.search(r"go(\d+)\.(\d+)", version.stdout)
    if tuple(map(int, found.groups())) < (1, 18):
        pytest.skip(version.stdout.strip() + " is older than x/oauth2 takes")
    out = tmp_path_factory.mktemp("go") / "client"
    done = subprocess.run(["go", "build", "-o", str(out), "."], cwd=FOLDER, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    if done.returncode != 0 and re.search(r"dial tcp|no such host|proxyconnect|GOPROXY=off|"
                                          r"module lookup disabled", done.stdout):
        pytest.skip("golang.org/x/oauth2 could not be fetched: " + done.stdout[-300:])
    assert done.returncode == 0, done.stdout
    return out


def test_go_oauth2(jeton, program):
    base = f"http://127.0.0.1:{jeton.port}"
    job = {"token_url": base + "/oauth2/token", "resource_url": base + "/forward-auth?scope=read",
           "client_id": C1[0], "client_secret": C1[1], "username": ALICE[0], "password": ALICE[1],
           "Scopes": ["read", "write"]}
    done = subprocess.run([program], input=json.dumps(job), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    for style in ("header", "params", "detected"):
        assert seen[style] == {"valid": True, "type": "Bearer", "scope": "read write",
                               "status": 200}, style
    assert seen["password"] == {"valid": True, "rotated": True, "status": 200}
    assert seen["refused"] == {"code": "invalid_grant", "status": 400}

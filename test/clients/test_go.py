"""Go's x/oauth2: client credentials in both styles, password, and its own refresh."""

import json
import subprocess

import pytest

from go_programs import build
from harness import ALICE, C1


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(".", tmp_path_factory.mktemp("go") / "client")


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

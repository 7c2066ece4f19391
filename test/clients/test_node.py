"""openid-client and oauth4webapi, from npm; they need Node.js 18 or newer."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import ALICE, API, C1, JWTS
from npm_packages import npm_package

FOLDER = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
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
    done = subprocess.run(node + [script], cwd=FOLDER, input=json.dumps(job), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False,
                          env={**os.environ, "NODE_NO_WARNINGS": "1"})
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def make_job(jeton):
    issuer = jeton.get("/.well-known/oauth-authorization-server").json["issuer"]
    return {"issuer": issuer, "client": {"id": C1[0], "secret": C1[1]},
            "user": {"name": ALICE[0], "password": ALICE[1]},
            "service": {"id": API[0], "secret": API[1]}, "scope": "read write",
            "jwt_scope": "jread", "jwt_audience": JWTS[0]}


def test_oauth4webapi(jeton, node):
    """Discovery both ways, client credentials, password, refresh, introspection, revocation, and
    validation of an RFC 9068 access token from the JWKS."""
    job = make_job(jeton)
    seen = run(node, "oauth4webapi_client.mjs", job)
    assert seen["token_endpoint"].startswith(job["issuer"])
    for method in ("basic", "post"):
        assert seen[method] == {"token_type": "bearer", "scope": "read write", "expires_in": 600}
    assert seen["rotated"] is True
    assert seen["before"]["active"] is True and seen["before"]["username"] == ALICE[0]
    assert seen["after"] == {"active": False}
    assert seen["claims"]["client_id"] == C1[0] and seen["claims"]["iss"] == job["issuer"]
    assert seen["refused"]["status"] == 401


def test_openid_client(jeton, node):
    """Discovery both ways, client credentials, password, refresh, introspection, revocation."""
    job = make_job(jeton)
    seen = run(node, "openid_client.mjs", job)
    assert seen["oauth2"] == seen["oidc"] == job["issuer"]
    assert seen["machine"] == {"token_type": "bearer", "scope": "read write", "expires_in": 600,
                               "lasts": True}
    assert seen["rotated"] is True
    assert seen["before"]["active"] is True and seen["after"] == {"active": False}
    assert seen["refused"] == {"error": "invalid_grant", "status": 400}

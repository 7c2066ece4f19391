"""Go's x/oauth2 and coreos/go-oidc with a person: code with PKCE, ID token, userinfo, refresh."""

import json
import subprocess

import pytest

from go_programs import build
from harness import ALICE
from person import Person
from visitor import authorize

CALLBACK = "https://rp.example/cb"
GRANTS = ["--grant", "authorization_code", "--grant", "refresh_token"]
SCOPE = "openid profile email read"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build("./oidc", tmp_path_factory.mktemp("go") / "oidc")


@pytest.mark.parametrize("client_id, secret, more", [
    ("go-web", "go-web-secret-go-web-secret", []),
    ("go-ec", "go-ec-secret-go-ec-secret", ["--id-token-alg", "ES256"]),
    ("go-native", None, []),
])
def test_go_oidc(jeton, program, client_id, secret, more):
    jeton.add_client(client_id, secret, *GRANTS, "--scope", SCOPE, "--redirect-uri", CALLBACK,
                     *more)
    issuer = f"http://127.0.0.1:{jeton.port}"
    job = {"issuer": issuer, "client_id": client_id, "client_secret": secret or "",
           "redirect_uri": CALLBACK, "Scopes": SCOPE.split()}
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as go:
        go.stdin.write(json.dumps(job) + "\n")
        go.stdin.flush()
        url = go.stdout.readline().strip()  # the program gives up after a minute
        assert url, go.communicate(timeout=60)
        out, err = go.communicate(authorize(Person(jeton), url, ALICE) + "\n", timeout=60)
    assert go.returncode == 0, err
    seen = json.loads(out)
    assert seen.pop("subject").startswith("account:")
    assert seen == {
        "valid": True, "type": "Bearer", "scope": SCOPE, "issuer": issuer, "same_subject": True,
        "info": {"preferred_username": ALICE[0], "email": "alice@mail.example"},
        "rotated": True, "renewed": True, "refused": "invalid_grant", "foreign": True}

"""Native programs with a redirect to whatever port they get (RFC 8252): git-credential-oauth, and
google-auth-oauthlib with another server's addresses.

What they would open the browser with stands in a folder at the front of their PATH, and only writes
the address down.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest

from harness import ALICE, API, wait_until
from person import Person
from visitor import authorize

OPENERS = ("open", "xdg-open", "x-www-browser", "www-browser")
GOOGLE = """
import json, sys
from google_auth_oauthlib.flow import InstalledAppFlow
job = json.load(sys.stdin)
flow = InstalledAppFlow.from_client_config(job["config"], ["read"], autogenerate_code_verifier=True)
got = flow.run_local_server(host="127.0.0.1", port=0, authorization_prompt_message="")
print(json.dumps({"token": got.token, "refresh_token": got.refresh_token}))
"""


@pytest.fixture
def environment(tmp_path):
    folder = tmp_path / "openers"
    folder.mkdir()
    for name in OPENERS:
        script = folder / name
        script.write_text('#!/bin/sh\necho "$1" > "$OPENED.new" && mv "$OPENED.new" "$OPENED"\n')
        script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path),
            "OPENED": str(tmp_path / "url"), "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "BROWSER": "xdg-open %s",
            "OAUTHLIB_INSECURE_TRANSPORT": "1"}


class Program:
    """A native program that has been started, and the person at the browser that it opens."""

    def __init__(self, jeton, command, environment, text):
        opened = environment["OPENED"]
        with subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                process.stdin.write(text)
                process.stdin.close()
                process.stdin = None
                wait_until(lambda: os.path.exists(opened) or process.poll() is not None, 30,
                           "the program opens a browser")
                assert process.poll() is None, process.communicate()
                with open(opened, encoding="ascii") as file:
                    url = file.read().strip()
                back = authorize(Person(jeton), url, ALICE)
                with urllib.request.urlopen(back, timeout=20) as answer:
                    assert answer.status == 200
                self.out, self.err = process.communicate(timeout=30)
            finally:
                process.kill()
        self.status = process.returncode
        self.asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        redirect = urllib.parse.urlsplit(self.asked["redirect_uri"])
        assert redirect.hostname == "127.0.0.1" and redirect.port
        assert back.startswith(self.asked["redirect_uri"]), back
        assert self.asked["code_challenge_method"] == "S256"


def add_client(jeton, client, redirect_uri):
    jeton.add_client(*client, "--grant", "authorization_code", "--grant", "refresh_token",
                     "--service", API[0], "--redirect-uri", redirect_uri)


def assert_works(jeton, token):
    jeton.secrets.add(token)
    assert jeton.is_active(token, API)
    assert jeton.forward_auth(token, "?scope=read").status == 200


@pytest.mark.parametrize("client", [("git-public", None), ("git-secret", "git-secret-git-secret")],
                         ids=["public", "with a secret"])
def test_az_02_git_credential_oauth(jeton, environment, client):
    """`git credential fill` for a repository at Jeton's own address."""
    if shutil.which("git") is None or shutil.which("git-credential-oauth") is None:
        pytest.skip("git-credential-oauth is not installed")
    add_client(jeton, client, "http://127.0.0.1")
    config = [f'[credential "http://127.0.0.1:{jeton.port}"]', "helper =", "helper = oauth",
              "oauthScopes = read", "oauthAuthURL = /oauth2/authorize",
              "oauthTokenURL = /oauth2/token", f"oauthClientId = {client[0]}",
              f"oauthClientSecret = {client[1] or ''}"]
    with open(environment["GIT_CONFIG_GLOBAL"], "w", encoding="ascii") as file:
        file.write("\n".join(config) + "\n")
    done = Program(jeton, ["git", "credential", "fill"], environment,
                   f"protocol=http\nhost=127.0.0.1:{jeton.port}\n\n")
    if done.asked["state"].endswith("="):
        # Before 0.11 it makes its verifier as it makes this state, in an alphabet that RFC 7636
        # 4.1 does not allow.
        assert done.status != 0 and '"invalid_grant"' in done.err
        assert "code_verifier is missing or wrong" in jeton.log()
        return
    assert done.status == 0, done.err
    assert_works(jeton, dict(line.split("=", 1) for line in done.out.splitlines())["password"])


@pytest.mark.parametrize("client", [("app-public", None), ("app-secret", "app-secret-app-secret")],
                         ids=["public", "with a secret"])
def test_az_02_google_auth_oauthlib(jeton, environment, client):
    pytest.importorskip("google_auth_oauthlib")
    add_client(jeton, client, "http://127.0.0.1/")
    root = f"http://127.0.0.1:{jeton.port}/oauth2/"
    config = {"client_id": client[0], "client_secret": client[1] or "",
              "auth_uri": root + "authorize", "token_uri": root + "token",
              "redirect_uris": ["http://127.0.0.1/"]}
    done = Program(jeton, [sys.executable, "-c", GOOGLE], environment,
                   json.dumps({"config": {"installed": config}}))
    assert done.status == 0, done.err
    got = json.loads(done.out)
    assert_works(jeton, got["token"])
    renewed = jeton.refresh(got["refresh_token"], client)
    assert renewed.status == 200 and renewed.json["refresh_token"] != got["refresh_token"]

"""curl, as the documents of u-Auth and our own first page print it."""

import json
import shutil
import subprocess

import pytest

from harness import ALICE, API, C1, UAUTH, UAUTH_SERVICE

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def curl(*args):
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "30", *args],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def base(jeton):
    return f"http://127.0.0.1:{jeton.port}"


def assert_uauth(jeton, text):
    body = json.loads(text)
    assert list(body) == ["token_type", "scope", "access_token", "expires_in"], text
    assert body["scope"] == "service_id=" + UAUTH and body["expires_in"] == 3600
    jeton.secrets.add(body["access_token"])
    return body["access_token"]


@pytest.mark.parametrize("path", ["/oauth2/token/", "/oauth2/token"])
def test_t7_documented_curl_with_a_raw_equals_sign(jeton, path):
    text = curl("--data", f"grant_type=password&username={ALICE[0]}&password="
                + ALICE[1].replace(" ", "+") + f"&scope=service_id={UAUTH}", base(jeton) + path)
    token = assert_uauth(jeton, text)
    seen = json.loads(curl("-u", ":".join(UAUTH_SERVICE), "--data-urlencode", "token=" + token,
                           base(jeton) + "/oauth2/introspect"))
    assert seen["active"] is True


def test_t7_bidswitch_curl_with_its_headers(jeton):
    text = curl("-X", "POST", base(jeton) + "/oauth2/token/", "-H", "accept: application/json",
                "-H", "Content-Type: application/x-www-form-urlencoded", "-d",
                f"grant_type=password&username={ALICE[0]}&password={ALICE[1].replace(' ', '%20')}"
                f"&scope=service_id%3D{UAUTH}")
    assert_uauth(jeton, text)


def test_t7_curl_with_json(jeton):
    text = curl(base(jeton) + "/oauth2/token/", "-H", "Content-Type: application/json", "-d",
                json.dumps({"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
                            "scope": "service_id=" + UAUTH}))
    assert_uauth(jeton, text)


def test_three_curl_lines_give_use_and_end_a_token(jeton):
    token = json.loads(curl("-u", ":".join(C1), "-d", "grant_type=client_credentials", "-d",
                            "scope=read", base(jeton) + "/oauth2/token"))["access_token"]
    jeton.secrets.add(token)
    introspect = ["-u", ":".join(API), "-d", "token=" + token, base(jeton) + "/oauth2/introspect"]
    assert json.loads(curl(*introspect))["active"] is True
    assert curl("-H", "Authorization:Bearer " + token, "-o", "/dev/null", "-w", "%{http_code}",
                base(jeton) + "/forward-auth?scope=read") == "200"
    assert curl("-u", ":".join(C1), "-d", "token=" + token, "-o", "/dev/null", "-w", "%{http_code}",
                base(jeton) + "/oauth2/revoke") == "200"
    assert json.loads(curl(*introspect)) == {"active": False}


def test_large_body_with_expect_100_continue(jeton):
    """curl asks before it sends a body over a megabyte, and must be told no at once."""
    done = subprocess.run(["curl", "--silent", "--max-time", "20", "-o", "/dev/null", "-w",
                           "%{http_code}", "--data-binary", "@-", base(jeton) + "/oauth2/token"],
                          input=b"x" * 3000000, stdout=subprocess.PIPE, check=False)
    assert done.stdout in (b"413", b"000"), done

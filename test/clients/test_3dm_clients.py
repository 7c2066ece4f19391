"""3DM's clients: the code path of Utopia Documents' plugin, common Python libraries, and curl."""

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from threedm_calls import (ERIN, FAY, PLUGIN, TOKEN_PATH, WEB, enrol, password_form, refresh_form,
                           seed_threedm, totp)

PLUGIN_TIMEOUT_S = 12


@pytest.fixture(scope="module")
def threedm(module_server):
    server = module_server(seeded=False, start=False)
    seed_threedm(server)
    return server.start()


def url(server, path=TOKEN_PATH):
    return f"http://127.0.0.1:{server.port}{path}"


def remembered(server, body):
    server.secrets.update(body[name] for name in ("access_token", "refresh_token") if name in body)
    return body


# -- the plugin: urllib, an empty secret, no client in the body -----------------------------------

class Plugin:
    """Asks for a token once and sends it with every call; it reads access_token alone."""

    def __init__(self, server, username, password):
        self.server = server
        self.user = {"username": username, "password": password}
        self.token = None

    def _open(self, request):
        with urllib.request.urlopen(request, timeout=PLUGIN_TIMEOUT_S) as response:
            return response.read()

    def authenticate(self):
        form = urllib.parse.urlencode({"grant_type": "password", **self.user}).encode()
        request = urllib.request.Request(url(self.server), form)
        request.add_header("Authorization", "Basic dXRvcGlhLXBsdWdpbjo=")
        body = json.loads(self._open(request))
        remembered(self.server, body)
        self.token = "Bearer " + body["access_token"]

    def call(self):
        """Any API behind a gateway that asks Jeton."""
        request = urllib.request.Request(url(self.server, "/forward-auth?scope=read"))
        request.add_header("Authorization", self.token)
        self._open(request)


@pytest.mark.parametrize("user", [ERIN, FAY], ids=lambda user: user[0])
def test_t8_plugin_signs_in_and_calls(threedm, user):
    plugin = Plugin(threedm, *user)
    plugin.authenticate()
    plugin.call()


@pytest.mark.parametrize("user", [(FAY[0], "wrong"), ("nobody-of-that-name", "wrong")])
def test_t9_plugin_sees_a_refusal_as_an_http_error(threedm, user):
    with pytest.raises(urllib.error.HTTPError) as raised:
        Plugin(threedm, *user).authenticate()
    assert raised.value.code == 400
    assert json.loads(raised.value.read()) == {"error": "invalid_grant",
                                               "error_description": "Bad credentials"}


# -- requests, alone and under an OAuth library ---------------------------------------------------

def test_requests(threedm):
    requests = pytest.importorskip("requests")
    answer = requests.post(url(threedm), auth=WEB, data=password_form(), timeout=30)
    assert answer.status_code == 200 and answer.encoding == "UTF-8"
    body = remembered(threedm, answer.json())
    assert body["token_type"] == "bearer" and body["expires_in"] == 43199
    assert body["fullname"] == "Erin \u00c5ngstr\u00f6m"
    again = requests.post(url(threedm), auth=WEB, data=refresh_form(body["refresh_token"]),
                          timeout=30)
    assert again.status_code == 200, again.text
    second = remembered(threedm, again.json())
    assert second["jti"] != body["jti"] and second["refresh_token"] == body["refresh_token"]
    session = requests.Session()
    session.auth = PLUGIN
    answer = session.post(url(threedm), data=password_form(FAY), timeout=30)
    assert "refresh_token" not in remembered(threedm, answer.json())


def test_requests_oauthlib(threedm, monkeypatch):
    """It sends the client in Basic and in the body, and reads the lower-case token type."""
    oauthlib = pytest.importorskip("requests_oauthlib")
    oauth2 = pytest.importorskip("oauthlib.oauth2")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    client = oauth2.LegacyApplicationClient(client_id=WEB[0], scope=["read", "write"])
    session = oauthlib.OAuth2Session(client=client)
    first = session.fetch_token(url(threedm), username=FAY[0], password=FAY[1], client_id=WEB[0],
                                client_secret=WEB[1], include_client_id=True)
    remembered(threedm, first)
    assert session.get(url(threedm, "/forward-auth?scope=write"), timeout=30).status_code == 200
    second = session.refresh_token(url(threedm), auth=WEB)
    remembered(threedm, second)
    assert second["access_token"] != first["access_token"]
    with pytest.raises(oauth2.InvalidGrantError, match="Bad credentials"):
        session.fetch_token(url(threedm), username="nobody-at-all", password="wrong",
                            client_id=WEB[0], client_secret=WEB[1])


# -- curl, as the documents print it --------------------------------------------------------------

def curl(*args):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "30", *args],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_documented_curl_commands(threedm):
    first = curl("-u", ":".join(WEB), "--data-urlencode", "username=" + ERIN[0],
                 "--data-urlencode", "password=" + ERIN[1], "-d", "grant_type=password",
                 url(threedm))
    remembered(threedm, first)
    assert first["username"] == ERIN[0] and isinstance(first["userid"], int)
    second = curl("-u", ":".join(WEB), "-d", "grant_type=refresh_token", "--data-urlencode",
                  "refresh_token=" + first["refresh_token"], url(threedm))
    remembered(threedm, second)
    assert second["refresh_token"] == first["refresh_token"]
    empty = curl("-u", PLUGIN[0] + ":", "--data-urlencode", "username=" + FAY[0],
                 "--data-urlencode", "password=" + FAY[1], "-d", "grant_type=password",
                 url(threedm))
    assert "refresh_token" not in remembered(threedm, empty)


def test_t10_documented_curl_command_with_a_code(threedm):
    user = ("jay", "the password of jay 5Gm8")
    threedm.add_user(*user)
    secret = enrol(threedm, user)
    command = ["-u", ":".join(WEB), "--data-urlencode", "username=" + user[0], "--data-urlencode",
               "password=" + user[1], "-d", "grant_type=password"]
    assert curl(*command, url(threedm)) == {
        "error": "invalid_grant", "error_description": "Two-factor code required",
        "twofactor": "required"}
    body = curl(*command, "-d", "twofactor=" + totp(secret), url(threedm))
    assert remembered(threedm, body)["username"] == user[0]

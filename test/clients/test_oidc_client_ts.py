"""oidc-client-ts in Chromium: an application that is a page, on an origin of its own."""

import functools
import http.server
import json
import pathlib
import threading

import pytest

from devtools import Browser, find_browser
from harness import ALICE

LIBRARY = pathlib.Path(__file__).parent / "node_modules/oidc-client-ts/dist/browser"
PAGE = """<!doctype html><html lang="en"><title>The application</title>
<script src="/oidc-client-ts.min.js"></script>
<script src="/app.js"></script><p>The application</p></html>
"""
# What an application's author writes.
SCRIPT = """const manager = new oidc.UserManager({
  ...%s, response_type: "code", redirect_uri: location.origin + "/cb",
  post_logout_redirect_uri: location.origin + "/out", loadUserInfo: true,
  automaticSilentRenew: false, monitorSession: false });
const view = (user) => user && { profile: user.profile, scope: user.scope,
  token_type: user.token_type, access_token: user.access_token,
  refresh_token: user.refresh_token };
const problem = (error) => ({ name: error.name, error: error.error, message: error.message });
"""


class Application(http.server.BaseHTTPRequestHandler):
    def __init__(self, settings, *rest):
        self.settings = settings
        super().__init__(*rest)

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/oidc-client-ts.min.js":
            kind, body = "text/javascript", (LIBRARY / path[1:]).read_text("utf-8")
        elif path == "/app.js":
            kind, body = "text/javascript", SCRIPT % json.dumps(self.settings)
        else:
            kind, body = "text/html", PAGE
        data = body.encode()
        self.send_response(200 if path != "/favicon.ico" else 404)
        self.send_header("Content-Type", kind + "; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def jeton(module_server):
    return module_server()


@pytest.fixture(scope="module")
def application(jeton):
    """Where the page is; the client is registered for it."""
    settings = {"authority": f"http://127.0.0.1:{jeton.port}", "client_id": "page",
                "scope": "openid profile email"}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                             functools.partial(Application, settings))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root = f"http://127.0.0.1:{server.server_port}"
    jeton.add_client("page", None, "--grant", "authorization_code", "--grant", "refresh_token",
                     "--scope", "openid profile email", "--redirect-uri", root + "/cb",
                     "--post-logout-uri", root + "/out")
    yield root
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory, node):
    if find_browser() is None:
        pytest.skip("Chromium is not installed")
    started = Browser(str(tmp_path_factory.mktemp("browser")))
    yield started
    started.close()


@pytest.fixture
def page(application, browser):
    tab = browser.new_page()
    tab.call("Network.clearBrowserCookies")
    tab.root = application
    tab.open(tab.root + "/")
    tab.evaluate("sessionStorage.clear()")
    yield tab
    tab.call("Page.close")


def leave(page, what):
    """Something that leads the page away."""
    with page.loads():
        page.evaluate("void " + what)  # what it promises ends with this document


def sign_in(page, user=ALICE):
    leave(page, "manager.signinRedirect()")
    page.type("#username", user[0])
    page.type("#password", user[1])
    page.follow("form[action^='/sign-in'] #sign-in")
    page.follow("#allow")
    assert page.url.startswith(page.root + "/cb?"), page.url
    return page.evaluate("manager.signinCallback().then(view, problem)")


def remember(jeton, seen):
    jeton.secrets.update(value for name in ("access_token", "refresh_token")
                         if (value := seen.get(name)))


def test_sign_in_userinfo_refresh(jeton, page):
    """Code exchange, userinfo and refresh are requests of another origin (CORS)."""
    seen = sign_in(page)
    remember(jeton, seen)
    assert seen["profile"]["email"] == "alice@mail.example", seen
    assert seen["token_type"] == "Bearer" and seen["refresh_token"]
    renewed = page.evaluate("manager.signinSilent().then(view, problem)")
    remember(jeton, renewed)
    assert renewed["profile"]["sub"] == seen["profile"]["sub"], renewed
    assert renewed["access_token"] != seen["access_token"]
    page.evaluate("manager.revokeTokens(['refresh_token'])")
    gone = page.evaluate("fetch(manager.settings.authority + '/oauth2/token', {method: 'POST', "
                         "body: new URLSearchParams({grant_type: 'refresh_token', client_id: "
                         f"'page', refresh_token: '{renewed['refresh_token']}'}})"
                         "}).then((answer) => answer.json())")
    assert gone["error"] == "invalid_grant"


def test_silent_without_a_session_is_login_required(page):
    leave(page, "manager.signinRedirect({prompt: 'none'})")
    seen = page.evaluate("manager.signinCallback().then(view, problem)")
    assert seen["name"] == "ErrorResponse" and seen["error"] == "login_required", seen


def test_sign_out(jeton, page):
    remember(jeton, sign_in(page))
    leave(page, "manager.signoutRedirect()")
    if page.has("#ok"):
        page.follow("#ok")
    assert page.url.startswith(page.root + "/out"), page.url
    assert page.evaluate("manager.signoutCallback().then(() => 'left', problem)") == "left"
    leave(page, "manager.signinRedirect({prompt: 'none'})")
    seen = page.evaluate("manager.signinCallback().then(view, problem)")
    assert seen["error"] == "login_required", seen

"""What a browser makes of the pages' promises: no frame, no request and no way back of another
site's choice, cookies that stay where they belong, and a flow that the keyboard alone goes
through (AZ-12, SE-02, SE-03, SE-09; WCAG 2.1.1, 2.1.2, 2.4.3, 2.4.7)."""

import html
import http.server
import re
import threading
import urllib.parse

import pytest

from devtools import Browser, find_browser
from harness import free_port
from link_people import OLD
from person import Person
from smtp_server import make_certificate
from token_people import OPEN, add_account, add_open_service

FIRST_PAGE_BYTES_MAX = 50 * 1024
TAB_COUNT_MAX = 60
WAYS_OUT = ["//evil.example/", "/\\evil.example/", "https:evil.example", "https://evil.example/",
            "/\t/evil.example/", "\t//evil.example/", "///evil.example/", "javascript:alert(1)",
            "data:text/html,x", "/%2f/evil.example/", "/..//evil.example/", "/.//evil.example/"]
FOCUS = """(() => {
  const at = document.activeElement, style = getComputedStyle(at);
  return {id: at.id || at.localName, seen: style.outlineStyle !== "none" &&
          parseFloat(style.outlineWidth) >= 2 && at.matches(":focus-visible")};
})()"""
# Whatever has a place in the order of the Tab key, in the order of the document.
STOPS = """[...document.querySelectorAll(
 "a[href], button, input:not([type=hidden]), select, textarea, [tabindex='0']")]
 .filter((each) => !each.disabled && each.getClientRects().length > 0)
 .map((each) => each.id || each.localName)"""


class Elsewhere:
    """Another site: shows one page, and keeps what it was asked for."""

    def __init__(self):
        self.page, self.asked = "", []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                owner.asked.append(self.path)
                body = owner.page.encode() if self.path == "/" else b""
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def jeton(module_server):
    return add_open_service(module_server())


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if find_browser() is None:
        pytest.skip("Chromium is not installed")
    # Frames of other sites stay in the process of their page, where they can be looked at.
    started = Browser(str(tmp_path_factory.mktemp("browser")), "--disable-site-isolation-trials",
                      "--disable-features=IsolateOrigins,site-per-process")
    yield started
    started.close()


@pytest.fixture
def elsewhere():
    site = Elsewhere()
    yield site
    site.close()


@pytest.fixture
def page(browser, jeton):
    tab = browser.new_page(stranger=True)
    tab.call("Emulation.setFocusEmulationEnabled", {"enabled": True})  # as if it were in front
    tab.root = f"http://localhost:{jeton.port}"
    yield tab
    tab.close()


@pytest.fixture
def user(jeton):
    return add_account(jeton)


def sign_in(page, user, path="/sign-in"):
    page.open(page.root + path)
    page.type("#username", user[0])
    page.type("#password", user[1])
    page.follow("#sign-in")


# -- frames, requests, size -----------------------------------------------------------------------

@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_az_12_a_frame_stays_empty(page, elsewhere, user, host):
    """On a page of another site, and on one of the same site."""
    sign_in(page, user)
    paths = ("/", "/sign-in", "/tokens/new", "/account/password", "/nothing/here")
    elsewhere.page = "".join(f'<iframe src="{page.root}{path}"></iframe>' for path in paths)
    page.open(f"http://{host}:{elsewhere.port}/")
    frames = page.call("Page.getFrameTree")["frameTree"].get("childFrames", [])
    assert len(frames) == len(paths)
    for frame in frames:
        # What was refused leaves an error page of the browser in its place.
        assert frame["frame"]["url"].startswith("chrome-error://"), frame
    assert any("frame" in text for text in page.complaints())


def test_first_page_is_small(page):
    """With everything that it asks for."""
    for path in ("/", "/sign-in"):
        page.open(page.root + path)
        page.call("Page.getFrameTree")
        loaded = sum(event["encodedDataLength"] for event in page.seen("Network.loadingFinished"))
        assert 1024 < loaded < FIRST_PAGE_BYTES_MAX, (path, loaded)


# -- forms of other sites -------------------------------------------------------------------------

def forged(action, **fields):
    """A page that sends a form as soon as it is there."""
    inputs = "".join(f'<input name="{name}" value="{html.escape(value)}">'
                     for name, value in fields.items())
    return (f'<form method="post" action="{action}">{inputs}</form>'
            "<script>document.forms[0].submit()</script>")


def lure(page, elsewhere, host, action, **fields):
    """Opens the other site's page and waits for where its form leads."""
    elsewhere.page = forged(page.root + action, **fields)
    page.call("Page.navigate", {"url": f"http://{host}:{elsewhere.port}/"})
    page.wait_for(lambda: page.url.startswith(page.root) and page.has("main"), "the answer")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_se_03_another_sites_form_changes_nothing(jeton, page, elsewhere, user, host):
    """From another site the cookie stays at home; from the same site the form is refused."""
    person = Person(jeton).sign_in(user).open("/account")
    csrf = next(field[2] for form in person.page.forms for field in form.fields
                if field[1] == "csrf")
    sign_in(page, user)
    for action, fields in (("/account", {"full_name": "Taken over", "email": ""}),
                           ("/account", {"full_name": "Taken over", "email": "", "csrf": csrf}),
                           ("/account/password", {"current_password": user[1], "password": OLD}),
                           ("/tokens/new", {"name": "forged", "scopes": "see", "lifetime": "30",
                                            "act": "create"}),
                           ("/sessions/end-others", {}), ("/sign-out", {})):
        lure(page, elsewhere, host, action, **fields)
        assert "Taken over" not in page.outer_html() and "forged" not in page.outer_html()
    page.open(page.root + "/account")
    assert page.attribute("#full-name", "value") == ""
    page.open(page.root + "/tokens")
    assert page.has("#no-tokens"), "and the session is still there"
    assert person.open("/account").has("sign-out"), "as is the other one"


def test_se_03_nobody_is_signed_in_by_another_site(page, elsewhere, user):
    """Login CSRF."""
    page.open(page.root + "/sign-in")
    for fields in ({}, {"csrf": "x" * 43}):
        lure(page, elsewhere, "127.0.0.1", "/sign-in", username=user[0], password=user[1], **fields)
        page.open(page.root + "/")
        assert not page.has("#sign-out")


# -- cookies --------------------------------------------------------------------------------------

def test_se_02_se_07_over_tls(new_server, browser, tmp_path):
    """As it is meant to be served: what the cookie says of itself, and that the browser is told to
    come back this way."""
    certificate, _ = make_certificate(tmp_path)
    port = free_port()
    server = new_server(listen=None, args=[
        "--tls-listen", f"127.0.0.1:{port}", "--tls-certificate", str(certificate), "--tls-key",
        str(certificate.with_suffix(".key")), "--issuer", f"https://127.0.0.1:{port}"])
    user = add_account(server)
    page = browser.new_page(stranger=True)
    page.root = f"https://127.0.0.1:{port}"
    page.call("Security.setIgnoreCertificateErrors", {"ignore": True})
    sign_in(page, user)
    assert page.has("#sign-out")
    cookies = page.call("Network.getCookies", {"urls": [page.root]})["cookies"]
    assert cookies
    for cookie in cookies:
        assert cookie["name"].startswith("__Host-") and cookie["secure"] and cookie["httpOnly"]
        assert cookie["sameSite"] in ("Lax", "Strict") and cookie["path"] == "/"
        assert cookie["domain"] == "127.0.0.1" and cookie["size"] < 4096
    assert page.evaluate("document.cookie") == ""
    answers = [event["response"] for event in page.seen("Network.responseReceived")
               if event["type"] == "Document"]
    for answer in answers:
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        age = re.match(r"max-age=(\d+)", headers["strict-transport-security"])
        assert int(age[1]) >= 365 * 86400
    page.close()


# -- the way back ---------------------------------------------------------------------------------

def test_se_09_no_way_back_leaves_this_server(page, user):
    """As a browser reads it, not as a server does."""
    for way in WAYS_OUT:
        page.call("Network.clearBrowserCookies")
        sign_in(page, user, "/sign-in?next=" + urllib.parse.quote(way, safe=""))
        assert page.url.startswith(page.root + "/"), (way, page.url)
        page.open(page.root + "/sign-in?next=" + urllib.parse.quote(way, safe=""))
        assert page.url.startswith(page.root + "/"), (way, page.url)
        assert page.open(page.root + "/").has("#sign-out"), way
    assert page.dialogs() == []
    for url in page.requested_urls():
        assert url.startswith(page.root + "/"), url


# -- the keyboard alone ---------------------------------------------------------------------------

class Keyboard:
    """Somebody without a mouse, who sees where the focus is and goes on from there."""

    def __init__(self, page):
        self.page = page

    def focus(self):
        return self.page.own_world()(FOCUS)

    def go_to(self, identity):
        for _ in range(TAB_COUNT_MAX):
            at = self.focus()
            assert at["id"] == "body" or at["seen"], f"nobody sees the focus on {at['id']}"
            if at["id"] == identity:
                return self
            self.page.press("Tab")
        raise AssertionError(f"Tab never comes to {identity} at {self.page.url}")

    def type(self, identity, text):
        self.go_to(identity)
        self.page.call("Input.insertText", {"text": text})
        return self

    def press(self, identity):
        self.go_to(identity)
        with self.page.loads():
            self.page.press("Enter")
        return self

    def walk_around(self):
        """From the top through the whole page and out of it: no trap, and the order is that of the
        document."""
        self.page.evaluate("document.activeElement.blur(), getSelection().removeAllRanges()")
        stops = self.page.own_world()(STOPS)
        self.page.call("DOM.focus", {"nodeId": self.page.find(".skip")})
        seen = []
        for _ in range(len(stops)):
            seen.append(self.focus()["id"])
            self.page.press("Tab")
        assert seen == stops, self.page.url
        assert self.focus()["id"] in ("body", stops[0]), "past the last one is not the page"


def test_keyboard_goes_through_the_uauth_flow(jeton, page, user):
    keyboard = Keyboard(page)
    page.open(page.root + "/")
    keyboard.walk_around()
    keyboard.press("sign-in").walk_around()
    page.open(page.root + "/sign-in")
    keyboard.type("username", user[0]).type("password", user[1]).press("sign-in")
    keyboard.walk_around()
    keyboard.press("tokens-and-sessions").press("nav-sessions").walk_around()
    keyboard.press("nav-tokens").walk_around()
    keyboard.press("new-permanent-token")
    assert keyboard.focus()["id"] == "token-name", "a dialog takes the keyboard"
    keyboard.walk_around()
    page.reload()
    keyboard.type("token-name", "by keyboard").type("token-scope", "see")
    with page.loads():
        page.press("Enter")  # adds, for that is where it was pressed
    assert "see" in page.text("#scopes") and page.attribute("#token-name", "value") == "by keyboard"
    assert keyboard.focus()["id"] == "token-scope", "where one goes on"
    keyboard.press("create-token")
    token = page.text("#token-value")
    jeton.secrets.add(token)
    keyboard.walk_around()
    keyboard.press("done")
    assert "by keyboard" in page.text("#token-1") and jeton.is_active(token, OPEN)
    keyboard.press("revoke-1")
    assert keyboard.focus()["id"] == "ok"
    with page.loads():
        page.press("Escape")  # is Cancel
    assert "active" in page.text("#token-1")
    keyboard.press("revoke-1").press("ok")
    assert "revoked" in page.text("#token-1") and not jeton.is_active(token, OPEN)


def test_what_is_wrong_has_the_keyboard(page):
    """After a form with errors, what they are is read first; the link in it leads to the field."""
    page.open(page.root + "/sign-in")
    keyboard = Keyboard(page)
    keyboard.type("username", "nobody").type("password", "wrong").press("sign-in")
    assert keyboard.focus() == {"id": "errors", "seen": True}
    page.press("Tab")
    page.press("Enter")
    page.wait_for(lambda: keyboard.focus()["id"] == "username", "the field that is wrong")


def test_skip_link_passes_the_navigation(page, user):
    sign_in(page, user)
    page.open(page.root + "/tokens")
    page.press("Tab")
    assert page.is_visible(".skip") and Keyboard(page).focus()["seen"]
    page.press("Enter")
    page.press("Tab")
    assert Keyboard(page).focus()["id"] == "new-permanent-token"

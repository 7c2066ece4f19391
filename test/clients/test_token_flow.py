"""u-Auth's permanent tokens in a real browser: Chromium, as a person uses it, with its scripts and
without."""

import re
import urllib.parse

import pytest

from devtools import Browser, find_browser
from harness import UAUTH, bearer
from token_people import OPEN, OWN_WORD, add_account, add_open_service

NAMES = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'-alert(1)-'",
         "</title></textarea><svg onload=alert(1)>", "\u05d0\u05d1 <b>bold</b> &amp; \U0001f512"]


@pytest.fixture(scope="module")
def jeton(module_server):
    return add_open_service(module_server())


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if find_browser() is None:
        pytest.skip("Chromium is not installed")
    started = Browser(str(tmp_path_factory.mktemp("browser")))
    yield started
    started.close()


@pytest.fixture
def user(jeton):
    return add_account(jeton)


@pytest.fixture(params=["scripts", "no scripts"])
def page(jeton, browser, request):
    """A tab without cookies; at the end nothing may have come from elsewhere or been complained
    about."""
    tab = browser.new_page(scripts=request.param == "scripts")
    tab.call("Network.clearBrowserCookies")
    tab.has_scripts = request.param == "scripts"
    tab.root = f"http://127.0.0.1:{jeton.port}"
    yield tab
    assert tab.dialogs() == [] and tab.complaints() == []
    for url in tab.requested_urls():
        parts = urllib.parse.urlsplit(url)
        assert parts.scheme in ("data", "about") or parts.netloc == tab.root[7:], url
    tab.call("Page.close")


def sign_in(page, user):
    page.open(page.root + "/").follow("#sign-in")
    page.type("#username", user[0])
    page.type("#password", user[1])
    page.follow("form[action^='/sign-in'] #sign-in")
    assert user[0] in page.text("header")


def make(page, name, *scopes):
    page.follow("#new-permanent-token")
    page.type("#token-name", name)
    for scope in scopes:
        page.type("#token-scope", scope)
        page.follow("#add-scope")
    page.follow("#create-token")
    value = page.text("#token-value")
    assert re.fullmatch(r"[A-Za-z0-9._-]{40,}", value), page.text()
    return value


def copied(page):
    """What the button put on the clipboard; without scripts people mark it and copy it."""
    if not page.has_scripts:
        assert not page.is_visible("#copy-token-value")
        return page.text("#token-value")
    page.browser.call("Browser.grantPermissions", {
        "origin": page.root, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    assert page.text("#copy-token-value") == "Copy token value"
    page.click("#copy-token-value")
    page.wait_for(lambda: page.text("#copy-state"), "that it was copied")
    return page.evaluate("navigator.clipboard.readText()")


def test_uauth_flow(jeton, page, user):
    """Words, order and effect as u-Auth's documents have them."""
    sign_in(page, user)
    assert page.text("#tokens-and-sessions") == "Tokens and sessions"
    page.follow("#tokens-and-sessions")
    assert page.text("#nav-sessions") == "SESSIONS" and page.text("#nav-tokens") == "TOKENS"
    page.follow("#nav-tokens")
    assert page.has("#no-tokens") and page.text("#new-permanent-token") == "New permanent token"
    page.follow("#new-permanent-token")
    assert page.text("#dialog-title") == "New token creation"
    assert page.text("label[for=token-name]") == "Name"
    assert page.text("label[for=token-scope]") == "Scope" and page.text("#add-scope") == "Add"
    assert page.text("#scopes legend") == "Scopes" and page.text("#create-token") == "Create"
    page.type("#token-name", "the slicer")
    page.type("#token-scope", "nowhere.example")
    page.follow("#add-scope")
    assert "nowhere.example" in page.text("#token-scope-error")
    assert page.attribute("#token-name", "value") == "the slicer"
    page.open(page.root + "/tokens/new?name=the%20slicer")
    for scope in (UAUTH, OPEN[0]):
        page.type("#token-scope", scope)
        page.follow("#add-scope")
        assert scope in page.text("#scopes")
    page.follow("#create-token")
    token = copied(page)
    jeton.secrets.add(token)
    assert token == page.text("#token-value")
    assert page.text("#done") == "Done"
    page.follow("#done")
    shown = page.text("#token-1")
    for part in ("the slicer", UAUTH, OPEN[0], "active", "never"):
        assert part in shown
    assert token not in page.outer_html()

    introspected = jeton.introspect(token, OPEN).json
    assert introspected["active"] and introspected["username"] == user[0]
    assert jeton.forward_auth(token, f"?service={OPEN[0]}").status == 200
    assert jeton.forward_auth(token, f"?service={UAUTH}").status == 200

    assert page.text("#revoke-1").startswith("Revoke")
    page.follow("#revoke-1")
    assert page.text("#ok") == "OK"
    page.follow("#ok")
    assert "revoked" in page.text("#token-1") and not page.has("#revoke-1")
    assert jeton.introspect(token, OPEN).json == {"active": False}
    assert jeton.forward_auth(token).status == 401


def test_token_for_the_api_works_as_bearer(jeton, page, user):
    sign_in(page, user)
    page.open(page.root + "/tokens")
    token = make(page, "scripts", OWN_WORD)
    jeton.secrets.add(token)
    answer = jeton.get("/api/v1/tokens", bearer(token))
    assert answer.status == 200 and answer.json["tokens"][0]["name"] == "scripts"
    page.follow("#done")
    page.follow("#revoke-1")
    page.follow("#ok")
    assert jeton.get("/api/v1/tokens", bearer(token)).status == 401


def test_cancel_leads_back_and_changes_nothing(jeton, page, user):
    sign_in(page, user)
    page.open(page.root + "/tokens")
    token = make(page, "kept", "see")
    jeton.secrets.add(token)
    page.follow("#done")
    for act in ("revoke", "rename", "rotate"):
        page.follow(f"#{act}-1")
        page.follow("#cancel")
        assert "active" in page.text("#token-1")
    page.follow("#new-permanent-token")
    page.follow("#cancel")
    assert not page.has("#token-2") and jeton.is_active(token, OPEN)


def test_reload_of_the_value_makes_no_second_token(jeton, page, user):
    """The browser sends the form again when it is asked to."""
    sign_in(page, user)
    page.open(page.root + "/tokens")
    token = make(page, "once", "see")
    jeton.secrets.add(token)
    page.reload()
    assert not page.has("#token-value") and token not in page.outer_html()
    assert page.has("#token-1") and not page.has("#token-2")


def test_rotation_and_rename(jeton, page, user):
    sign_in(page, user)
    page.open(page.root + "/tokens")
    old = make(page, "deploy", "see")
    page.follow("#done")
    page.follow("#rotate-1")
    page.follow("#rotate")
    new = copied(page)
    jeton.secrets.update({old, new})
    assert "old value goes on working" in page.text("#old-value")
    page.follow("#done")
    assert "replaced" in page.text("#token-2") and "active" in page.text("#token-1")
    assert jeton.is_active(old, OPEN) and jeton.is_active(new, OPEN)
    page.follow("#rename-2")
    page.type("#token-name", " (old)")
    page.follow("#save")
    assert "(old)" in page.text("#token-2")


def test_keyboard_alone_makes_a_token(jeton, page, user):
    """Tab and Enter are enough; with scripts Enter in the name creates."""
    sign_in(page, user)
    page.open(page.root + "/tokens/new?name=by%20keyboard&scope=see")
    page.call("DOM.focus", {"nodeId": page.find("#create-token")})
    with page.loads():
        page.press("Enter")
    jeton.secrets.add(page.text("#token-value"))
    assert page.has("#token-value")
    page.call("DOM.focus", {"nodeId": page.find("#done")})
    with page.loads():
        page.press("Enter")
    assert "by keyboard" in page.text("#token-1")


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_fault_class_35_hostile_names_run_nothing(jeton, page, user, name):
    """In the form, the list, each dialog and each notice: no dialog, no complaint of the policy."""
    sign_in(page, user)
    page.open(page.root + "/tokens/new?name=" + urllib.parse.quote(name) + "&scope="
              + urllib.parse.quote(name.replace(" ", "")))
    assert page.attribute("#token-name", "value") == name
    page.open(page.root + "/tokens")
    jeton.secrets.add(make(page, name, "see"))
    page.follow("#done")
    assert page.outer_html("#token-1 th").count("<") == 4, "a cell with one element, and text"
    for act, button in (("rename", "save"), ("revoke", "ok")):
        page.follow(f"#{act}-1")
        page.follow(f"#{button}")
    assert "revoked" in page.text("#token-1")


def test_times_are_in_the_readers_zone_with_scripts(jeton, page, user):
    page.call("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    sign_in(page, user)
    page.open(page.root + "/tokens")
    jeton.secrets.add(make(page, "clock", "see"))
    page.follow("#done")
    stamp = page.attribute("#token-1 time", "datetime")
    shown = page.text("#token-1 time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp)
    if page.has_scripts:
        assert "UTC" not in shown
        hour = (int(stamp[11:13]) + 9) % 24
        assert re.search(rf"\b{hour % 12 or 12}:{stamp[14:16]}", shown), (stamp, shown)
        assert "UTC" in page.attribute("#token-1 time", "title")
    else:
        assert shown == f"{stamp[:10]} {stamp[11:16]} UTC"

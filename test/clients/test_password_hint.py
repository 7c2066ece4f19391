"""The hint at a new password: made in the page, and the password stays there."""

import pytest

from devtools import Browser, find_browser
from token_people import add_account, add_open_service

SHORT = "Still too short."
NAMED = "Long enough, but your name in it is guessed first."
WEAK = "Long enough, but easy to guess: it repeats itself, or is what many people take."
ENOUGH = "Long enough."


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


def open_form(browser, jeton, scripts=True):
    user = add_account(jeton)
    page = browser.new_page(scripts=scripts)
    page.call("Network.clearBrowserCookies")
    page.open(f"http://127.0.0.1:{jeton.port}/sign-in?next=/account/password")
    page.type("#username", user[0])
    page.type("#password", user[1])
    page.follow("form[action^='/sign-in'] #sign-in")
    assert page.has("#password-strength")
    return page, user


def test_what_is_typed_is_judged_in_the_page(browser, jeton):
    page, user = open_form(browser, jeton)
    asked = len(page.requested_urls())
    assert page.text("#password-strength") == ""
    for typed, words in (
            ("short", SHORT), ("fourteen chars", SHORT), ("password" * 3, WEAK),
            ("passwordpassword2026", WEAK), ("aaaaaaaaaaaaaaaaaaaa", WEAK),
            ("abcabcabcabcabcabc", WEAK), ("abcdefghijklmnopqrs", WEAK),
            ("Passwort123456789", WEAK), (f"the {user[0]} of this house", NAMED),
            ("correct horse battery", ENOUGH),
            ("\u6f22\u5b57\u304b\u306a\u4ea4\u3058\u308a\u6587\u3067\u3059\u3002\u9577"
             "\u3044\u306d\u3048", ENOUGH)):
        page.fill("#password", typed)
        assert page.text("#password-strength") == words, typed
    page.fill("#password", "")
    assert page.text("#password-strength") == ""
    assert len(page.requested_urls()) == asked, "nothing was asked of anybody"
    assert page.complaints() == []
    page.call("Page.close")


def test_it_is_a_hint_and_no_rule(browser, jeton):
    """What the list of common passwords does not hold is taken; without scripts nothing is said."""
    page, user = open_form(browser, jeton, scripts=False)
    page.fill("#password", "abcabcabcabcabdabc")
    assert page.text("#password-strength") == "" and "At least 15 characters" in page.text()
    page.type("#current-password", user[1])
    page.follow("#save")
    assert "The password is changed." in page.text()
    page.call("Page.close")

"""Passkeys in a real browser: Chromium with a virtual authenticator, on the pages of the server.

What one cannot do with the pages (an answer sent twice, from another browser, with a passkey of
another account) is done with the answers that the same browser gave.
"""

import json

import pytest

from devtools import Browser, Page, find_browser
from harness import ALICE, BOB, free_port, uauth_form
from person import Person
from spectrum_calls import SESSION_PATH, user_basic
from threedm_calls import PLUGIN, TOKEN_PATH, password_form, raw_basic

AUTHENTICATOR = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                 "hasUserVerification": True, "isUserVerified": True,
                 "automaticPresenceSimulation": True}
FIELDS = ("credential", "client_data", "authenticator_data", "signature", "user_handle")
REFUSED = "The passkey was not accepted."


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if find_browser() is None:
        pytest.skip("Chromium is not installed")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def site(new_server):
    """A server whose issuer is a name: passkeys are made for names (WebAuthn 5.1.2)."""
    port = free_port()
    server = new_server(args=["--issuer", f"http://localhost:{port}"], listen=f"127.0.0.1:{port}")
    server.url = f"http://localhost:{port}"
    return server


def new_page(browser, scripts=True):
    """A tab of a browser that nobody has used before, with an authenticator of its own."""
    context = browser.call("Target.createBrowserContext")["browserContextId"]
    target = browser.call("Target.createTarget", {"url": "about:blank",
                                                  "browserContextId": context})["targetId"]
    session = browser.call("Target.attachToTarget",
                           {"targetId": target, "flatten": True})["sessionId"]
    page = Page(browser, session, scripts)
    page.call("WebAuthn.enable")
    page.authenticator = page.call("WebAuthn.addVirtualAuthenticator",
                                   {"options": AUTHENTICATOR})["authenticatorId"]
    return page


def enter_password(page, site, user, path="/sign-in"):
    page.open(site.url + path)
    page.type("#username", user[0])
    page.type("#password", user[1])
    page.follow("#sign-in")


def make_passkey(page, site, name="phone"):
    page.open(site.url + "/account/passkeys/new")
    page.wait_for(lambda: page.is_visible("#make-passkey"), "the form for a passkey")
    page.type("#passkey-name", name)
    page.follow("#make-passkey")
    assert f"The passkey {name} is ready to use." in page.text(), page.text()


def register(page, site, user):
    enter_password(page, site, user)
    make_passkey(page, site)
    page.follow("#sign-out")


def use_passkey(page):
    page.wait_for(lambda: page.is_visible("#use-passkey"), "«Use a passkey»")
    page.follow("#use-passkey")


def user_of(page):
    """Who is signed in, as the page says; None: nobody."""
    return page.text(".who span") if page.has("#sign-out") else None


def answer_of(page, anybody=False):
    """Lets the authenticator answer, and does not send what it says."""
    if anybody:
        options = json.loads(page.attribute("#passkey-form", "data-options"))
        options["allowCredentials"] = []
        page.evaluate("document.getElementById('passkey-form').dataset.options = "
                      + json.dumps(json.dumps(options)))
    page.evaluate("askPasskey(document.getElementById('passkey-form'))")
    return {name: page.evaluate(f"document.getElementById('passkey-form').{name}.value")
            for name in FIELDS}


def send(page, answer):
    """Sends an answer with the form of the page."""
    for name, value in answer.items():
        page.evaluate(f"document.getElementById('passkey-form').{name}.value = {json.dumps(value)}")
    with page.loads():
        page.evaluate("document.getElementById('passkey-form').submit()")


def events_of(site):
    return [json.loads(line)["detail"] for line in site.cli("audit", "export").out.splitlines()]


def test_pw_12_passkey_alone_signs_in_without_a_user_name(chromium, site):
    page = new_page(chromium)
    enter_password(page, site, ALICE)
    make_passkey(page, site, "my phone")
    page.open(site.url + "/account")
    assert "my phone" in page.text()
    page.follow("#sign-out")
    page.open(site.url + "/sign-in?next=/tokens")
    use_passkey(page)
    assert page.url == site.url + "/tokens" and user_of(page) == ALICE[0]
    # A whole proof: what needs a fresh one may be done.
    page.open(site.url + "/account/passkeys/new")
    assert page.has("#make-passkey")
    options = json.loads(page.attribute("#passkey-form", "data-options"))
    assert len(options["excludeCredentials"]) == 1
    assert options["rp"]["id"] == "localhost"
    assert [each["alg"] for each in options["pubKeyCredParams"]] == [-8, -7, -257]
    assert page.complaints() == []
    assert any("with a passkey alone" in line for line in events_of(site))


def test_pw_13_password_and_passkey(chromium, site):
    page = new_page(chromium)
    register(page, site, ALICE)
    enter_password(page, site, ALICE, "/sign-in?next=/account")
    assert page.url.startswith(site.url + "/sign-in/code")
    assert not page.has("#code"), "she has no app and no recovery codes"
    for path in ("/tokens", "/account", "/account/passkeys/new", "/sign-in/again"):
        page.open(site.url + path)
        assert page.url.startswith(site.url + "/sign-in/code"), path
        assert user_of(page) is None
    enter_password(page, site, ALICE, "/sign-in?next=/account")
    use_passkey(page)
    assert page.url == site.url + "/account" and user_of(page) == ALICE[0]


def test_pw_12_step_up_with_a_passkey(chromium, site):
    page = new_page(chromium)
    register(page, site, ALICE)
    page.open(site.url + "/sign-in")
    use_passkey(page)
    before = page.call("Network.getCookies", {"urls": [site.url]})["cookies"]
    page.open(site.url + "/sign-in/again?next=/account")
    use_passkey(page)
    assert page.url == site.url + "/account" and user_of(page) == ALICE[0]
    after = page.call("Network.getCookies", {"urls": [site.url]})["cookies"]
    assert before[0]["value"] != after[0]["value"]  # SE-01
    assert any("once more, with a passkey" in line for line in events_of(site))


def test_pw_12_removed_passkey_is_refused(chromium, site):
    page = new_page(chromium)
    enter_password(page, site, ALICE)
    make_passkey(page, site)
    page.open(site.url + "/account")
    page.follow("#remove-passkey-1")
    page.fill("#password", ALICE[1])
    page.follow("#ok")
    assert not page.has("#remove-passkey-1")
    page.follow("#sign-out")
    page.open(site.url + "/sign-in")
    use_passkey(page)
    assert REFUSED in page.text() and user_of(page) is None
    # The password is enough again.
    enter_password(page, site, ALICE)
    assert user_of(page) == ALICE[0]


def test_pw_12_passkey_of_another_account(chromium, site):
    page = new_page(chromium)
    register(page, site, BOB)
    register(page, site, ALICE)
    credentials = page.call("WebAuthn.getCredentials",
                            {"authenticatorId": page.authenticator})["credentials"]
    assert len({each["userHandle"] for each in credentials}) == 2
    enter_password(page, site, ALICE)
    assert page.url.startswith(site.url + "/sign-in/code")
    alice = json.loads(page.attribute("#passkey-form", "data-options"))["allowCredentials"]
    assert len(alice) == 1
    for each in credentials:  # Bob's alone is left in the authenticator
        if each["credentialId"].rstrip("=").replace("+", "-").replace("/", "_") == alice[0]["id"]:
            page.call("WebAuthn.removeCredential", {"authenticatorId": page.authenticator,
                                                    "credentialId": each["credentialId"]})
    send(page, answer_of(page, anybody=True))
    assert REFUSED in page.text() and user_of(page) is None
    assert any("credential of another account" in line for line in events_of(site))
    page.open(site.url + "/account")
    assert page.url.startswith(site.url + "/sign-in/code")
    # It is a good passkey, for Bob.
    page.follow("#start-again")
    page.open(site.url + "/sign-in")
    use_passkey(page)
    assert user_of(page) == BOB[0]


def test_pw_12_answer_sent_twice(chromium, site):
    page = new_page(chromium)
    register(page, site, ALICE)
    page.open(site.url + "/sign-in")
    answer = answer_of(page)
    send(page, answer)
    assert user_of(page) == ALICE[0]
    page.follow("#sign-out")
    page.open(site.url + "/sign-in")
    send(page, answer)
    assert REFUSED in page.text() and user_of(page) is None
    # The refusal used up that page's challenge; the one on the new page is good.
    use_passkey(page)
    assert user_of(page) == ALICE[0]


def test_pw_12_wrong_answer_uses_up_the_challenge(chromium, site):
    page = new_page(chromium)
    register(page, site, ALICE)
    page.open(site.url + "/sign-in")
    answer = answer_of(page)
    csrf = page.attribute("#passkey-form input[name=csrf]", "value")
    cookies = page.call("Network.getCookies", {"urls": [site.url]})["cookies"]
    headers = [("Cookie", "; ".join(f"{each['name']}={each['value']}" for each in cookies))]
    wrong = {**answer, "signature": answer["signature"][:-8] + "AAAAAAAA", "csrf": csrf}
    refused = site.post_form("/sign-in/passkey", wrong, headers)
    assert refused.status == 403 and REFUSED in refused.body.decode()
    send(page, answer)  # right, but too late
    assert REFUSED in page.text() and user_of(page) is None


def test_pw_12_se_04_answer_in_another_browser(chromium, site):
    page = new_page(chromium)
    register(page, site, ALICE)
    page.open(site.url + "/sign-in")
    answer = answer_of(page)
    # Somebody else's browser, with a challenge of its own that is open.
    other = Person(site, [("Host", f"localhost:{site.port}")])
    other.open("/sign-in")
    form = next(form for form in other.page.forms if form.action == "/sign-in/passkey")
    own = {name: value for _, name, value in form.fields}
    cookie = "; ".join(f"{name}={value}" for name, value in other.cookies.items())
    headers = [("Host", f"localhost:{site.port}"), ("Cookie", cookie)]
    refused = site.post_form("/sign-in/passkey", {**own, **answer}, headers)
    assert refused.status == 403 and REFUSED in refused.body.decode()
    assert not refused.all_headers("Set-Cookie")
    # Without a form of its own, it does not even come so far.
    page_csrf = page.attribute("#passkey-form input[name=csrf]", "value")
    for csrf in (page_csrf, ""):
        refused = site.post_form("/sign-in/passkey", {**answer, "csrf": csrf}, headers)
        assert refused.status == 403 and REFUSED not in refused.body.decode()
    send(page, answer)  # where it belongs, it is right
    assert user_of(page) == ALICE[0]


def test_pw_12_a_ceremony_goes_on_over_a_restart(chromium, site):
    """Nothing of one that is under way is in the process; what was answered stays answered."""
    page = new_page(chromium)
    register(page, site, ALICE)
    page.open(site.url + "/sign-in")
    answer = answer_of(page)
    site.restart()
    send(page, answer)
    assert user_of(page) == ALICE[0]
    site.restart()
    other = new_page(chromium)
    other.open(site.url + "/sign-in")
    send(other, answer)
    assert REFUSED in other.text() and user_of(other) is None


def test_pw_11_recovery_code_in_place_of_a_passkey(chromium, site):
    page = new_page(chromium)
    register(page, site, ALICE)
    codes = site.cli("user", "totp", ALICE[0], "--recovery-codes").out.splitlines()
    enter_password(page, site, ALICE)
    assert page.is_visible("#use-passkey") and not page.has("#use-app")
    page.type("#code", codes[0])
    page.follow("#sign-in")
    assert user_of(page) == ALICE[0]
    page.open(site.url + "/sign-in/again?next=/account")
    page.type("#password", ALICE[1])
    page.type("#code", codes[1])
    page.follow("#confirm")
    assert page.url == site.url + "/account" and user_of(page) == ALICE[0]


def test_doors_that_cannot_ask_for_a_passkey(chromium, site):
    """u-Auth and Spectrum cannot ask for a second factor, 3DM for codes alone."""
    site.cli("client", "add", PLUGIN[0], "--no-secret", "--grant", "password", "--scope", "read")

    def answers_of(user):
        yield site.post_form("/oauth2/token", uauth_form(user))
        yield site.get(SESSION_PATH + "0", user_basic(user))
        yield site.post_form(TOKEN_PATH, password_form(user), raw_basic(PLUGIN))
        yield site.post_form(TOKEN_PATH, password_form(user, twofactor="123456"),
                             raw_basic(PLUGIN))

    assert [answer.status for answer in answers_of(ALICE)] == [200] * 4
    page = new_page(chromium)
    register(page, site, ALICE)
    wrong = (BOB[0], "a wrong password 7Yk2")
    assert [(answer.status, answer.body) for answer in answers_of(ALICE)] == \
        [(answer.status, answer.body) for answer in answers_of(wrong)]


def test_without_scripts_or_at_another_name_there_is_no_passkey(chromium, site):
    register(new_page(chromium), site, ALICE)
    page = new_page(chromium, scripts=False)
    enter_password(page, site, BOB)
    page.open(site.url + "/account/passkeys/new")
    assert page.is_visible(".no-script") and not page.is_visible("#make-passkey")
    page.follow("#sign-out")
    page.open(site.url + "/sign-in")
    assert page.has("#use-passkey") and not page.is_visible("#use-passkey")
    enter_password(page, site, ALICE)
    assert page.is_visible(".no-script") and not page.is_visible("#use-passkey")
    page = new_page(chromium)
    site.url = f"http://127.0.0.1:{site.port}"
    enter_password(page, site, ALICE)
    assert "Passkeys work only at this server" in page.text() and not page.has("#use-passkey")
    page.follow("#start-again")
    page.open(site.url + "/sign-in")
    assert page.has("#username") and not page.has("#use-passkey")

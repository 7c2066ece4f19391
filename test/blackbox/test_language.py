"""The language that a person reads: the switch at the foot of the pages, without scripts."""

import re

import pytest

from harness import ALICE, form_encode
from person import Person
from token_people import add_account, add_open_service, begin, value_shown

COOKIE = "jeton-language"


@pytest.fixture(scope="module")
def jeton(module_server):
    return add_open_service(module_server())


def language_of(person):
    return re.search(r"<html lang=\"([a-z]+)\"", person.answer.body.decode()).group(1)


def choose(server, headers=(), **query):
    return server.get("/language?" + form_encode(query), headers)


def test_the_browser_says_until_somebody_chooses(jeton):
    person = Person(jeton, [("Accept-Language", "fr-CH, de;q=0.5")]).open("/")
    assert language_of(person) == "fr" and COOKIE not in person.cookies
    assert person.page.attributes["language-fr"].get("aria-current") == "true"
    assert "aria-current" not in person.page.attributes["language-de"]
    person.press("language-de")
    assert person.path == "/" and language_of(person) == "de"
    assert person.page.attributes["language-de"].get("aria-current") == "true"
    assert language_of(person.open("/sign-in")) == "de"
    assert language_of(person.press("language-en")) == "en" and person.path == "/sign-in"


def test_every_language_is_offered_in_its_own_words(jeton):
    person = Person(jeton).open("/")
    assert [person.text_of(f"language-{code}") for code in ("en", "de", "fr", "es")] == \
        ["English", "Deutsch", "Français", "Español"]
    assert person.page.attributes["language-es"]["lang"] == "es"


def test_the_cookie_says_nothing_about_who_one_is(jeton):
    lines = {choose(jeton, language="de", next="/").header("Set-Cookie") for _ in range(2)}
    assert lines == {f"{COOKIE}=de; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"}
    assert choose(jeton, language="de", next="/").header("Cache-Control") == "no-store"


def test_behind_https_the_cookie_is_bound_to_the_host(new_server):
    server = new_server(["--trusted-proxy", "127.0.0.1/32"])
    proxied = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "login.example")]
    line = choose(server, proxied, language="fr", next="/").header("Set-Cookie")
    assert line.startswith(f"__Host-{COOKIE}=fr;") and line.endswith("; Secure")
    for name, language in ((f"__Host-{COOKIE}", "fr"), (COOKIE, "en")):
        page = server.get("/", proxied + [("Cookie", f"{name}=fr")])
        assert f"<html lang=\"{language}\"" in page.body.decode()


def test_it_leads_back_to_the_page_with_its_query(jeton):
    person = Person(jeton).sign_in(add_account(jeton))
    path = "/tokens/new?name=nightly+build&scope=see"
    person.open(path).press("language-es")
    assert person.path == path and language_of(person) == "es"
    assert person.value_of("token-name") == "nightly build"


@pytest.mark.parametrize("following", [
    "//evil.example/", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "",
    "/\t/evil.example", "tokens", "/%0d%0aSet-Cookie: a=b\r\nX: y", "/" + "a" * 5000, "\\\\evil"])
def test_se_09_it_never_leads_elsewhere(jeton, following):
    answer = choose(jeton, language="de", next=following)
    assert answer.status == 303 and answer.header("Location") == "/"
    assert len(answer.all_headers("Set-Cookie")) == 1


@pytest.mark.parametrize("language", ["", "xx", "de;q=1", "de\r\nX: y", "<script>", "de,fr"])
def test_what_is_no_language_chooses_nothing(jeton, language):
    answer = choose(jeton, language=language, next="/sign-in")
    assert answer.status == 303 and answer.header("Location") == "/sign-in"
    assert not answer.all_headers("Set-Cookie")


@pytest.mark.parametrize("value", ["", "xx", "<script>", "de,es", "deu", "\"de", "d" * 3000])
def test_a_cookie_that_is_no_language_is_none(jeton, value):
    page = jeton.get("/", [("Cookie", f"{COOKIE}={value}"), ("Accept-Language", "fr")])
    assert "<html lang=\"fr\"" in page.body.decode()


def test_se_04_a_link_of_another_site_chooses_nothing(jeton):
    for site, is_taken in (("cross-site", False), ("same-site", False), ("same-origin", True),
                           ("none", True)):
        answer = choose(jeton, [("Sec-Fetch-Site", site)], language="de", next="/sign-in")
        assert answer.status == 303 and answer.header("Location") == "/sign-in"
        assert bool(answer.all_headers("Set-Cookie")) == is_taken, site


def test_pages_that_come_only_once_have_no_switch(jeton):
    """Whoever pressed it would lose what is shown there."""
    person = Person(jeton).sign_in(add_account(jeton))
    begin(person)
    assert not person.has("language-de")  # a form that is half filled in
    person.press("create-token")
    assert value_shown(person) and not person.has("language-de")
    assert person.press("done").has("language-de")


def test_refusals_have_the_switch(jeton):
    person = Person(jeton, [("Accept", "text/html")]).open("/sign-in?next=/tokens")
    person.fill("username", ALICE[0]).fill("password", "not the password").press("sign-in")
    assert person.status >= 400 and person.has("language-de")
    assert person.press("language-de").path == "/sign-in" and language_of(person) == "de"
    assert language_of(person.open("/nowhere")) == "de" and person.status == 404
    assert person.press("language-fr").path == "/nowhere" and language_of(person) == "fr"


def test_an_address_that_cannot_be_returned_to_has_no_switch(jeton):
    assert not Person(jeton).open("/?x=" + "a" * 5000).has("language-de")
    assert not Person(jeton).open("//evil.example/").has("language-de")

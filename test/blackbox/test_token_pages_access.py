"""Who may see and change permanent tokens in the pages, and what is asked of them first."""

import re

import pytest

from harness import ALICE, BOB
from person import Person
from token_people import (OPEN, add_account, add_open_service, begin, field_of, make, row,
                          value_shown)


@pytest.fixture(scope="module")
def jeton(module_server):
    return add_open_service(module_server())


@pytest.fixture
def person(jeton):
    return Person(jeton).sign_in(add_account(jeton))


# -- who may -------------------------------------------------------------------------------------

def test_pages_ask_for_a_sign_in_and_lead_back(jeton):
    person = Person(jeton).open("/tokens")
    assert person.path.startswith("/sign-in") and not person.has("new-permanent-token")
    person.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
    assert person.path.startswith("/tokens") and person.has("new-permanent-token")


def test_making_and_rotating_ask_for_a_fresh_proof(faked_time):
    """Step-up: ten minutes after the sign-in; renaming and revoking do not."""
    jeton, set_time = faked_time
    add_open_service(jeton)
    person = Person(jeton).sign_in(ALICE)
    make(person)
    begin(person, "half done", ("see",))
    set_time(700)
    person.press("create-token")
    assert person.path.startswith("/sign-in/again") and row(person, 2) is None
    person.send("GET", "/tokens/new?name=half%20done&scope=see")
    assert person.path.startswith("/sign-in/again"), person.answer
    person.prove(ALICE)
    assert person.value_of("token-name") == "half done" and "see" in person.text_of("scopes")
    person.press("create-token")
    value_shown(person)
    set_time(1400)
    person.open("/tokens").press("rotate-1")
    assert person.path.startswith("/sign-in/again") and not person.has("token-value")
    person.open("/tokens").press("rename-1")
    assert person.has("save")
    person.open("/tokens").press("revoke-1").press("ok")
    assert "revoked" in person.text_of("token-1")


def test_what_was_typed_survives_a_proof_that_ran_out(faked_time):
    jeton, set_time = faked_time
    add_open_service(jeton)
    person = Person(jeton).sign_in(ALICE)
    begin(person, "typed <name>", ("see", "touch"))
    set_time(700)
    person.press("create-token").prove(ALICE)
    assert person.value_of("token-name") == "typed <name>"
    assert "see" in person.text_of("scopes") and "touch" in person.text_of("scopes")


def test_other_accounts_ids_are_not_found(jeton, person):
    """Fault class 26: an id of somebody else is as if it was not there."""
    token = make(person)
    person.open("/tokens")
    identity = re.search(r'action="/tokens/([^/"]+)/revoke"', person.answer.body.decode()).group(1)
    other = Person(jeton).sign_in(BOB)
    other.open("/tokens/new")
    csrf = field_of(other, "csrf")
    for act in ("revoke", "rename", "rotate"):
        for name in (identity, "1", "0", "x" * 43, identity[:-1], identity + "A", ".", "%2e%2e"):
            path = f"/tokens/{name}/{act}"
            assert other.open(path).status == 404, path
            assert other.send("POST", path, f"csrf={csrf}&name=stolen").status == 404, path
    assert other.open(f"/tokens?before={identity}").status == 404
    assert jeton.is_active(token, OPEN) and "active" in row(person)


def test_posts_without_the_forms_own_value_change_nothing(jeton, person):
    """SE-03: no csrf value, another browser's, or an empty one."""
    token = make(person)
    person.open("/tokens")
    identity = re.search(r'action="/tokens/([^/"]+)/revoke"', person.answer.body.decode()).group(1)
    other = Person(jeton).sign_in(BOB).open("/tokens/new")
    foreign = field_of(other, "csrf")
    for csrf in ("", "csrf=", f"csrf={foreign}", "csrf=" + "A" * 43):
        for path, fields in ((f"/tokens/{identity}/revoke", ""),
                             (f"/tokens/{identity}/rename", "&name=forged"),
                             (f"/tokens/{identity}/rotate", ""),
                             ("/tokens/new", "&act=create&name=n&scopes=see&lifetime=30")):
            answer = person.send("POST", path, csrf + fields)
            assert answer.status == 403 and not answer.has("token-value"), (csrf, path)
    assert jeton.is_active(token, OPEN)
    assert "build server" in row(person, 1) and row(person, 2) is None


def test_ended_session_ends_the_pages(jeton, person):
    begin(person)
    post = person.post_of("create-token")
    cookies = dict(person.cookies)
    person.open("/tokens").press("sign-out")
    stale = Person(jeton)
    stale.cookies = cookies
    stale.send(*post)
    assert not stale.has("token-value") and not stale.has("sign-out")

"""The way from the authorization endpoint to a code, walked out of order: SE-04, CA-11, fault
classes 12, 14 and 40."""

import pytest

from harness import ALICE, BOB, form_encode, jwt_part
from person import Person
from relying_party import RelyingParty


@pytest.fixture(scope="module")
def server(module_server):
    return module_server()


@pytest.fixture
def party(server, request):
    return RelyingParty(server, "p-" + str(abs(hash(request.node.name)) % 10**8))


def at_consent(party, user=ALICE):
    person = Person(party.server)
    person.open(party.path())
    person.fill("username", user[0]).fill("password", user[1]).press("sign-in")
    assert person.has("allow"), person.answer
    return person


def gives_code(person):
    return "code=" in (person.answer.header("Location") or "")


def test_se_04_nobody_answers_for_another_browser(party):
    """The form of one person's question, sent by another one who is signed in elsewhere."""
    asked, other = at_consent(party), Person(party.server).sign_in(BOB)
    form = asked.post_of("allow")
    other.send(*form)
    assert other.status == 403 and not gives_code(other)
    asked.press("allow")
    assert gives_code(asked)


def test_se_04_the_question_is_for_who_was_asked(party):
    """Signed out, and somebody else signed in, in the same browser: the old form is void."""
    asked = at_consent(party)
    form = asked.post_of("allow")
    asked.open("/account").press("sign-out")
    asked.send(*form)
    assert asked.status == 403 and not gives_code(asked)
    asked.sign_in(BOB)
    asked.send(*form)
    assert asked.status == 403 and not gives_code(asked)


@pytest.mark.parametrize("csrf", [{}, {"csrf": ""}, {"csrf": "A" * 43}], ids=len)
def test_fault_class_12_no_code_without_a_question(party, csrf):
    """A form that came from nowhere, in a browser that is signed in."""
    person = Person(party.server).sign_in(ALICE)
    query = party.path().partition("?")[2]
    person.send("POST", "/oauth2/consent",
                form_encode({"request": query, "answer": "allow", **csrf}))
    assert person.status == 403 and not gives_code(person)


def test_fault_class_14_who_signs_in_next_gets_nothing_of_the_last(server, party):
    """The browser loses its cookies instead of signing out, and is somebody else's then."""
    person = Person(server)
    first = party.tokens(person, user=ALICE, scope="openid offline_access")
    person.cookies.clear()
    second = party.tokens(person, user=BOB, scope="openid offline_access")
    subjects = [jwt_part(each["id_token"], 1)["sub"] for each in (first, second)]
    assert subjects[0] != subjects[1]
    person.open("/account").press("sign-out")
    again = party.refresh(first["refresh_token"])
    assert again.status == 200 and jwt_part(again.json["id_token"], 1)["sub"] == subjects[0]


@pytest.mark.parametrize("change", [["disable"], ["set", "--grant", "client_credentials"]],
                         ids=" ".join)
def test_fault_class_40_what_is_switched_off_meanwhile_is_off(server, party, change):
    """CA-11: between the question and its answer, and between the code and its redemption."""
    waiting = at_consent(party)
    code = party.authorize(Person(server), user=BOB)["code"]
    server.cli("client", change[0], party.client_id, *change[1:])
    waiting.press("allow")
    assert not gives_code(waiting), waiting.answer
    answer = party.redeem(code)
    assert answer.status in (400, 401) and "access_token" not in answer.json, answer

"""Promises about people that no other file has by their id: codes and their time (PW-10), passwords
beside a second factor (PW-01), spellings (PW-02, fault classes 29 and 30)."""

import concurrent.futures
import json

import pytest

from harness import BOB
from link_people import NEW, OLD, Post, add_person, ask_reset, can_sign_in, choose, mail_settings
from person import Person
from smtp_server import SmtpServer
from test_account_pages import second_factor
from test_sign_in import at_code, wait_step
from threedm_calls import enrol, totp


@pytest.fixture(scope="module")
def smtp():
    with SmtpServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared(module_server, smtp):
    return module_server(args=mail_settings(smtp, "--registration", "on"))


def show(server, name):
    return json.loads(server.cli("user", "show", name, "--json").out)


# -- codes ----------------------------------------------------------------------------------------


def test_pw_10_a_code_is_good_for_its_step_and_its_neighbours(stopped_clock):
    """RFC 6238 5.2: one step to either side, and never one before the newest that was used."""
    server, stand_at = stopped_clock
    now = stand_at(0)
    secret = enrol(server.start(), BOB)
    for offset, is_good in ((-3, False), (-2, False), (2, False), (3, False), (-1, True),
                            (-1, False), (0, True), (-1, False), (1, True), (0, False)):
        person = at_code(server, BOB).fill("code", totp(secret, now, offset))
        assert person.press("sign-in").has("sign-out") == is_good, offset


def test_pw_10_one_code_in_many_browsers_at_once(shared):
    user, _ = add_person(shared)
    secret = enrol(shared, user)
    people = [at_code(shared, user) for _ in range(8)]
    wait_step()
    code = totp(secret)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda one: one.fill("code", code).press("sign-in"), people))
    assert sum(person.has("sign-out") for person in done) == 1


# -- passwords ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted, is_good", [("seven 7", False), ("eight 8!", True)])
def test_pw_01_eight_characters_beside_a_second_factor(new_server, wanted, is_good):
    server = new_server()
    person = Person(server).sign_in(BOB)
    second_factor(person)
    person.open("/account/password").fill("current-password", BOB[1]).fill("password", wanted)
    person.press("save")
    assert ("The password is changed." in person.text) == is_good
    assert ("At least 8 characters." in person.text) != is_good


def test_pw_01_all_of_a_long_password_matters(shared):
    long = "x1 " + "\u00e4\u4e2d " * 60
    user, _ = add_person(shared)
    person = Person(shared).sign_in(user).open("/account/password")
    person.fill("current-password", OLD).fill("password", long).press("save")
    assert "The password is changed." in person.text
    shared.secrets.add(long)
    assert can_sign_in(shared, user[0], long)
    for other in (long[:-1], long + "x", long[:73] + "y" + long[74:], long[:64]):
        assert not can_sign_in(shared, user[0], other)


def test_pw_02_a_password_is_what_was_typed(shared):
    """Nothing is folded, trimmed or composed: blanks at the ends, letters in two spellings."""
    composed, apart = "caf\u00e9 au lait 2026", "cafe\u0301 au lait 2026"
    for wanted, others in ((composed, (apart,)), (apart, (composed,)),
                           ("  blanks at both ends  ", ("blanks at both ends",
                                                        "  blanks at both ends"))):
        user, _ = add_person(shared)
        person = Person(shared).sign_in(user).open("/account/password")
        person.fill("current-password", OLD).fill("password", wanted).press("save")
        assert "The password is changed." in person.text
        assert can_sign_in(shared, user[0], wanted)
        assert not any(can_sign_in(shared, user[0], other) for other in others)


# -- names and addresses --------------------------------------------------------------------------


def register(server, name, email):
    form = Person(server).open("/register").fill("username", name).fill("email", email)
    return form.fill("password", NEW).press("register")


def test_nobody_registers_as_anothers_address(shared, smtp):
    """Fault class 29: such a name would pass for them, or take their reset links."""
    (name, _), email = add_person(shared)
    for spelling in (email, email.upper(), "someone@else.example"):
        form = register(shared, spelling, "thief@else.example")
        assert form.status == 400 and "has to be your own e-mail address" in form.text, spelling
    own = Post(smtp, "own@else.example")
    assert register(shared, "Own@else.example", own.address).status == 200
    Person(shared).open(own.next_link(shared)[0]).press("confirm")
    assert can_sign_in(shared, own.address, NEW)
    # An operator may; the owner of the address is found by it all the same.
    shared.add_user(email, OLD, "--email", "thief@else.example")
    post, thief = Post(smtp, email), Post(smtp, "thief@else.example")
    ask_reset(shared, email)
    assert choose(shared, post.next_link(shared)[0], "a third password 11").status == 200
    assert can_sign_in(shared, name, "a third password 11") and can_sign_in(shared, email, OLD)
    assert thief.count() == 0


def test_a_name_is_one_name_in_every_case(shared, smtp):
    """Fault class 30."""
    (name, _), _ = add_person(shared)
    for number, spelling in enumerate((name.upper(), name.capitalize())):
        post = Post(smtp, f"twin{number}@else.example")
        register(shared, spelling, post.address)
        late = Person(shared).open(post.next_link(shared)[0]).press("confirm")
        assert late.status == 409 and "This user name is taken." in late.text
    for spelling in (" " + name, name + " ", name + "\t", name + "\x00"):
        assert register(shared, spelling, "twin9@else.example").status == 400, spelling
    assert show(shared, name)["name"] == name

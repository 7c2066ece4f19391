"""Another e-mail address that waits to be confirmed, on its owner's page."""

import json

import pytest

from harness import ALICE
from link_people import Post, add_person, mail_settings
from person import Person
from smtp_server import SmtpServer


@pytest.fixture(scope="module")
def smtp():
    with SmtpServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared(module_server, smtp):
    return module_server(args=mail_settings(smtp))


def change(server, smtp):
    """Somebody who asked for another address; answers the page, old and new one, and the mails."""
    user, old = add_person(server)
    new = "other-" + old
    post = Post(smtp, new)
    person = Person(server).sign_in(user).open("/account").fill("email", new).press("save")
    assert person.status == 200, person.answer
    return person, user, old, new, post


def email_of(server, user):
    return json.loads(server.cli("user", "show", user[0], "--json").out)["email"]


def follow(server, path):
    person = Person(server).open(path)
    return person.press("confirm") if person.has("confirm") else person


def test_it_is_shown_until_it_is_confirmed(shared, smtp):
    person, user, old, new, post = change(shared, smtp)
    assert new in person.text_of("pending-email") and person.value_of("email") == old
    assert new in Person(shared).sign_in(user).open("/account").text_of("pending-email")
    assert not Person(shared).sign_in(ALICE).open("/account").has("pending-email")
    assert follow(shared, post.next_link(shared)[0]).status == 200
    assert person.open("/account").value_of("email") == new
    assert not person.has("pending-email") and not person.has("cancel-email")


def test_the_link_is_sent_again_to_the_new_address(shared, smtp):
    person, user, old, new, post = change(shared, smtp)
    first = post.next_link(shared)[0]
    person.press("send-link-again")
    assert person.status == 200 and f"We sent a mail with a link to {new}" in person.text
    again = post.next_link(shared)[0]
    assert follow(shared, first).status == 410, "the newer one took its place"
    assert follow(shared, again).status == 200 and email_of(shared, user) == new
    assert old != new


def test_it_can_be_cancelled(shared, smtp):
    person, user, old, new, post = change(shared, smtp)
    path = post.next_link(shared)[0]
    person.press("cancel-email")
    assert person.status == 200 and "The e-mail address stays as it is." in person.text
    assert not person.has("pending-email") and person.value_of("email") == old
    assert follow(shared, path).status == 410
    assert email_of(shared, user) == old and new != old
    events = shared.cli("audit", "export", "--last", "20").out
    assert "another address cancelled, by its owner" in events


def test_enter_in_a_field_saves(shared, smtp):
    """The first button of a form is what Enter presses: HTML 4.10.21.2."""
    person = change(shared, smtp)[0]
    form = person.page.buttons["save"][0]
    first = next(identity for identity, (of, _) in person.page.buttons.items() if of is form)
    assert first == "save"


def test_se_03_cancelling_needs_its_own_form(shared, smtp):
    person, _, _, new, _ = change(shared, smtp)
    assert person.send("POST", "/account/cancel-email", "").status == 403
    assert new in person.open("/account").text_of("pending-email")
    assert Person(shared).open("/account/cancel-email").status == 405

"""Addresses that are verified before they count, and accounts that people make for themselves
(PW-03, PW-08, PW-09)."""

import json
import threading

import pytest

from link_people import OLD, Post, add_person, ask_reset, can_sign_in, mail_settings
from person import Person
from smtp_server import SmtpServer
from test_reset import without_csrf

PASSWORD = "a password for a new one 8"
VOID = "This link was used already, or is too old."


@pytest.fixture(scope="module")
def smtp():
    with SmtpServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared(module_server, smtp):
    return module_server(args=mail_settings(
        smtp, "--registration", "on", "--registration-domain", "example.org",
        "--registration-domain", "Example.net"))


numbers = iter(range(1000))


def fresh():
    number = next(numbers)
    return f"newcomer{number}", f"newcomer{number}@example.org"


def register(server, name, email, password=PASSWORD, full_name="A New One", source=None):
    person = Person(server, source=source).open("/register")
    person.fill("username", name).fill("full-name", full_name).fill("email", email)
    return person.fill("password", password).press("register")


def confirm(server, path):
    person = Person(server).open(path)
    assert person.status == 200 and person.has("confirm"), person.answer
    return person.press("confirm")


def shown(server, name):
    return json.loads(server.cli("user", "show", name, "--json").out)


def change_email(server, user, email):
    person = Person(server).sign_in(user).open("/account").fill("email", email).press("save")
    assert person.status == 200, person.answer
    return person


# -- another address ------------------------------------------------------------------------------


def test_the_old_address_stays_until_the_new_one_is_verified(shared, smtp):
    user, old = add_person(shared)
    new = old.replace("@", "+new@")
    old_post, new_post = Post(smtp, old), Post(smtp, new)
    person = change_email(shared, user, new)
    assert new in person.text and person.value_of("email") == old
    path, _ = new_post.next_link(shared)
    assert shown(shared, user[0])["email"] == old and old_post.count() == 0
    assert shared.request("GET", path).status == 200
    assert shown(shared, user[0])["email"] == old, "looking at it changes nothing"
    page = Person(shared).open(path)
    assert new in page.text and user[0] in page.text
    assert confirm(shared, path).status == 200
    assert shown(shared, user[0])["email"] == new
    for post in (old_post, new_post):
        assert "address of your account" in post.next().get_content().replace("\n", " ")
    again = page.press("confirm")
    assert again.status == 410 and VOID in again.text
    ask_reset(shared, user[0])
    new_post.next_link(shared)


def test_another_address_needs_a_fresh_proof(faked_time, smtp):
    """Whoever has it can reset the password."""
    server, set_time = faked_time
    server.stop()
    server.args += mail_settings(smtp)
    server.start()
    user, email = add_person(server)
    person = Person(server).sign_in(user).open("/account")
    set_time(601)
    person.fill("email", "other@example.org").press("save")
    assert person.path.startswith("/sign-in/again")
    set_time(602)
    post = Post(smtp, "other@example.org")
    change_email(server, user, "other@example.org")
    path, _ = post.next_link(server)
    page = Person(server).open(path)
    set_time(602 + 24 * 3600 + 2)
    assert page.press("confirm").status == 410 and shown(server, user[0])["email"] == email


def test_only_one_account_has_an_address(shared, smtp):
    first, _ = add_person(shared)
    second, _ = add_person(shared)
    wanted = f"both-{first[0]}@example.org"
    paths = []
    for user in (first, second):
        post = Post(smtp, wanted)
        change_email(shared, user, wanted)
        paths.append(post.next_link(shared)[0])
    pages = [Person(shared).open(path) for path in paths]
    threads = [threading.Thread(target=page.press, args=("confirm",)) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(page.status for page in pages) == [200, 409]
    assert [shown(shared, user[0])["email"] for user in (first, second)].count(wanted) == 1


def test_an_address_nobody_verified_resets_nothing(new_server, smtp):
    """Without mail it is saved as it is; with mail it gets no link for a password."""
    server = new_server()
    user, old = add_person(server)
    change_email(server, user, "claimed@example.org")
    server.stop()
    server.args += mail_settings(smtp)
    server.start()
    post = Post(smtp, "claimed@example.org")
    ask_reset(server, user[0])
    ask_reset(server, "claimed@example.org")
    person = Person(server).sign_in(user).open("/account").press("verify-email")
    assert person.status == 200 and "claimed@example.org" in person.text
    path, _ = post.next_link(server)
    assert path.startswith("/email-verify?"), "mails go out in order: no link came before"
    assert confirm(server, path).status == 200
    ask_reset(server, "claimed@example.org")
    assert post.next_link(server)[0].startswith("/password-reset?")
    assert not Person(server).sign_in(user).open("/account").has("verify-email")


def test_only_its_owner_can_have_the_link_sent_again(shared, smtp):
    user, email = add_person(shared)
    person = Person(shared).open("/sign-in")
    csrf = next(field[2] for field in person.page.forms[0].fields if field[1] == "csrf")
    assert person.send("POST", "/account/verify-email", f"csrf={csrf}").path.startswith("/sign-in")
    person.sign_in(user)
    assert person.send("POST", "/account/verify-email", "").status == 403, "no csrf"
    count = len(smtp.to(email))
    csrf = next(field[2] for form in person.open("/account").page.forms for field in form.fields
                if field[1] == "csrf")
    assert person.send("POST", "/account/verify-email", f"csrf={csrf}").path == "/account"
    assert person.status == 200 and len(smtp.to(email)) == count, "it is verified already"


def test_an_older_link_for_a_password_ends_with_its_address(shared, smtp):
    user, old = add_person(shared)
    old_post, new = Post(smtp, old), f"next-{old}"
    ask_reset(shared, user[0])
    reset_path, _ = old_post.next_link(shared)
    post = Post(smtp, new)
    change_email(shared, user, new)
    assert confirm(shared, post.next_link(shared)[0]).status == 200
    assert Person(shared).open(reset_path).status == 410


def test_links_are_for_one_purpose(shared, smtp):
    user, email = add_person(shared)
    post = Post(smtp, email)
    ask_reset(shared, user[0])
    path, _ = post.next_link(shared)
    value = path.split("=")[1]
    assert Person(shared).open("/email-verify?link=" + value).status == 410
    new = f"purpose-{email}"
    post = Post(smtp, new)
    change_email(shared, user, new)
    value = post.next_link(shared)[0].split("=")[1]
    assert Person(shared).open("/password-reset?link=" + value).status == 410


# -- a new account ---------------------------------------------------------------------------------


def test_an_account_is_made_when_the_link_is_followed(shared, smtp):
    name, email = fresh()
    post = Post(smtp, email)
    start = Person(shared).open("/sign-in").press("register")
    assert start.has("register")
    done = register(shared, name, email)
    assert done.status == 200 and email in done.text
    assert name not in shared.cli("user", "list").out and not can_sign_in(shared, name, PASSWORD)
    path, _ = post.next_link(shared)
    page = Person(shared).open(path)
    assert name in page.text and email in page.text
    assert name not in shared.cli("user", "list").out
    assert "Your account is ready" in page.press("confirm").text
    row = shown(shared, name)
    assert (row["email"], row["full_name"], row["admin"]) == (email, "A New One", False)
    assert can_sign_in(shared, name, PASSWORD)
    assert Person(shared).open(path).status == 410, "twice"
    ask_reset(shared, email)
    assert post.next_link(shared)[0].startswith("/password-reset?"), "the address is verified"


def test_pw_08_nobody_learns_who_has_an_account(shared, smtp):
    user, email = add_person(shared)
    free, other = fresh()
    answers = []
    for name, address in [(free, email), (user[0], other), (user[0], email), fresh()]:
        answer = without_csrf(register(shared, name, address, source="127.0.0.9").answer)
        answers.append((answer[0], [pair for pair in answer[1] if pair[0] != "Content-Length"],
                        answer[2].replace(address.encode(), b"ADDRESS")))
    stripped = [(status, body.split(b"<time")[0]) for status, _, body in answers]
    assert all(one == stripped[0] for one in stripped)
    assert all(answer[1] == answers[0][1] for answer in answers)


def test_a_taken_address_is_told_by_mail(shared, smtp):
    user, email = add_person(shared)
    post = Post(smtp, email)
    name, _ = fresh()
    assert register(shared, name, email.upper()).status == 200
    text = post.next().get_content()
    assert user[0] in text and "link=" not in text
    assert name not in shared.cli("user", "list").out


def test_a_taken_name_is_told_to_who_follows_the_link(shared, smtp):
    user, _ = add_person(shared)
    name, email = fresh()
    post = Post(smtp, email)
    register(shared, user[0].upper(), email)
    person = confirm(shared, post.next_link(shared)[0])
    assert person.status == 409 and person.has("username-error")
    assert person.value_of("email") == email and can_sign_in(shared, user[0], OLD)
    person.fill("username", name).fill("password", PASSWORD).press("register")
    assert person.status == 200
    assert confirm(shared, post.next_link(shared)[0]).status == 200
    assert can_sign_in(shared, name, PASSWORD)


def test_two_for_one_name_make_one_account(shared, smtp):
    name, _ = fresh()
    paths = []
    for _ in range(2):
        email = fresh()[1]
        post = Post(smtp, email)
        register(shared, name, email)
        paths.append(post.next_link(shared)[0])
    assert sorted(confirm(shared, path).status for path in paths) == [200, 409]


@pytest.mark.parametrize("field, value", [
    ("email", "who@example.com"), ("email", "who@example.org.evil.example"), ("email", "who"),
    ("email", ""), ("email", "a@b@example.org"), ("email", "who@example.org\r\nBcc: a@b.example"),
    ("username", ""), ("username", "a:b"), ("username", " "), ("username", "x" * 256),
    ("full-name", "x" * 256), ("full-name", "\x07"), ("password", "short"),
    ("password", "passwordpassword"), ("password", "who-is-this@example.org")])
def test_what_is_wrong_is_said(shared, smtp, field, value):
    person = Person(shared, source="127.0.0.8").open("/register")
    person.fill("username", "somebody").fill("email", "who-is-this@example.org")
    person.fill("password", PASSWORD).fill(field, value).press("register")
    assert person.status == 400 and person.has(f"{field}-error"), person.answer
    assert not smtp.to("who-is-this@example.org") and not smtp.to(value)


def test_mails_to_an_address_are_few(shared, smtp):
    _, email = fresh()
    post = Post(smtp, email)
    for _ in range(5):
        assert register(shared, fresh()[0], email, source="127.0.0.7").status == 200
    for _ in range(3):
        post.next()
    assert register(shared, *(other := fresh()), source="127.0.0.7").status == 200
    Post(smtp, other[1])
    assert post.count() == 0


def test_a_registration_expires(faked_time, smtp):
    server, set_time = faked_time
    server.stop()
    server.args += mail_settings(smtp, "--registration", "on")
    server.start()
    name, email = fresh()
    post = Post(smtp, email)
    register(server, name, email)
    page = Person(server).open(post.next_link(server)[0])
    set_time(24 * 3600 + 2)
    assert page.press("confirm").status == 410 and not can_sign_in(server, name, PASSWORD)


# -- switched off ----------------------------------------------------------------------------------


def test_off_is_the_default_and_ends_what_waits(new_server, smtp):
    server = new_server(args=mail_settings(smtp, "--registration", "on"))
    name, email = fresh()
    post = Post(smtp, email)
    register(server, name, email)
    path, _ = post.next_link(server)
    page = Person(server).open(path)
    server.stop()
    server.args = server.args[:-2]
    server.start()
    assert not Person(server).open("/sign-in").has("register")
    closed = Person(server).open("/register")
    assert closed.status == 403 and "administrator" in closed.text
    page.server = server
    assert page.press("confirm").status == 403 and not can_sign_in(server, name, PASSWORD)


@pytest.mark.parametrize("args, words", [
    (["--registration", "on"], "registration needs smtp-url"),
    (["--registration-domain", "not a domain"], "registration-domain must be"),
    (["--registration", "maybe"], "registration must be on or off")])
def test_settings_that_cannot_be(new_server, args, words):
    server = new_server(start=False)
    done = server.cli("serve", *args, status=2)
    assert words in done.err

"""What people are told by mail of their accounts: changes, invitations, tokens that expire (PW-09,
SE-06)."""

import re

import pytest

from harness import wait_until
from link_people import (NEW, OLD, Post, add_person, can_sign_in, choose, mail_settings,
                         reset_link)
from person import Person
from smtp_server import SmtpServer
from test_account_pages import key_of, second_factor
from threedm_calls import totp
from token_people import add_open_service, make

ADMIN = ("chief", "the password of an administrator 7")
DAY = 24 * 3600


@pytest.fixture(scope="module")
def smtp():
    with SmtpServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared(module_server, smtp):
    server = add_open_service(module_server(args=mail_settings(smtp)))
    server.add_user(*ADMIN, "--admin")
    return server


@pytest.fixture
def owner(shared, smtp):
    user, email = add_person(shared)
    return user, email, Post(smtp, email)


def told(post):
    """Subject and text of the next mail."""
    message = post.next()
    return message["Subject"], message.get_content().replace("\r\n", "\n")


def is_quiet(server, smtp, post):
    """Nothing more is on its way to this address."""
    wait_until(lambda: not server.cli("mail", "list").out.splitlines()[1:], 30, "an empty queue")
    return post.count() == 0


# -- changes -------------------------------------------------------------------------------------


def test_a_sign_in_is_no_news(shared, smtp, owner):
    user, _, post = owner
    Person(shared).sign_in(user).open("/account")
    assert is_quiet(shared, smtp, post)


def test_a_changed_password_is_told(shared, smtp, owner):
    user, _, post = owner
    person = Person(shared).sign_in(user)
    person.open("/account/password").fill("current-password", "wrong")
    person.fill("password", NEW).press("save")
    assert person.status == 403 and is_quiet(shared, smtp, post), "what comes to nothing is not"
    person.fill("current-password", OLD).fill("password", NEW).press("save")
    subject, text = told(post)
    assert subject == "Your account was changed (Jeton)"
    assert f"The password of your account {user[0]} was changed." in text
    assert "from the address 127.0.0.1" in text and "/password-forgotten" in text
    assert NEW not in text and OLD not in text and is_quiet(shared, smtp, post)
    shared.cli("user", "passwd", user[0], stdin=OLD + "\n")
    text = told(post)[1]
    assert "password" in text and "by an administrator" in text and "address" not in text


def test_changed_factors_are_told(shared, smtp, owner):
    user, _, post = owner
    person = Person(shared).sign_in(user).open("/account/factors/new")
    key = key_of(person)
    person.fill("factor-name", "my <phone>").fill("code", "000000").press("confirm")
    assert person.status == 400 and is_quiet(shared, smtp, post)
    person.fill("code", totp(key)).press("confirm")
    text = told(post)[1]
    assert f"A way to sign in was added to your account {user[0]}: my <phone>." in text
    assert key not in text
    person.press("ok")
    text = told(post)[1]
    assert "New recovery codes were made" in text
    codes = re.findall(r"[A-Z2-7]{5}(?:-[A-Z2-7]{5}){3}-[A-Z2-7]{6}", person.text)
    assert codes and not any(code in text for code in codes)
    person.open("/account").press("remove-factor-1").fill("password", user[1]).press("ok")
    assert f"A way to sign in was removed from your account {user[0]}: my <phone>." in told(post)[1]
    assert is_quiet(shared, smtp, post)


def test_factors_that_an_administrator_changes_are_told(shared, smtp, owner):
    user, _, post = owner
    shared.cli("user", "totp", user[0], "--device-name", "from the desk")
    assert "added to your account" in (text := told(post)[1]) and "from the desk" in text
    shared.cli("user", "totp", user[0], "--recovery-codes")
    assert "New recovery codes" in told(post)[1]
    admin = Person(shared).sign_in(ADMIN).open("/admin/accounts").fill("q", user[0])
    admin.press("search").press("account-1").press("reset-factors").press("ok")
    text = told(post)[1]
    assert "All second factors were removed" in text and "address" not in text
    shared.cli("user", "totp", user[0])
    told(post)
    shared.cli("user", "totp", user[0], "--remove")
    assert "All second factors were removed" in told(post)[1]


def test_another_address_is_told_to_the_old_one(shared, smtp, owner):
    user, email, post = owner
    new = Post(smtp, "new-" + email)
    person = Person(shared).sign_in(user).open("/account")
    person.fill("email", new.address).press("save")
    path, _ = new.next_link(shared)
    assert is_quiet(shared, smtp, post), "until it is confirmed nothing has changed"
    Person(shared).open(path).press("confirm")
    for each in (post, new):
        assert f"The e-mail address of your account {user[0]} was changed." in told(each)[1]
    person.open("/account").fill("email", "").press("save")
    assert "e-mail address" in told(new)[1], "and when it is taken away"


OTHER = "somebody.else@example.com"


def change_password(server, smtp, user, email):
    person = Person(server).sign_in(user).open("/account/password")
    person.fill("current-password", user[1]).fill("password", NEW)
    assert "The password is changed." in person.press("save").text


def use_reset(server, smtp, user, email):
    assert choose(server, reset_link(server, smtp, user, email)).status == 200


def set_by_command(server, smtp, user, email):
    server.cli("user", "passwd", user[0], stdin=NEW + "\n")


def disable_for_a_while(server, smtp, user, email):
    server.cli("user", "disable", user[0])
    server.cli("user", "enable", user[0])


@pytest.mark.parametrize("recover", [change_password, use_reset, set_by_command,
                                     disable_for_a_while])
def test_se_06_an_address_that_was_asked_for_before_is_not_confirmed(shared, smtp, recover):
    """Somebody who once knew the password asked for it: the account would be theirs."""
    user, email = add_person(shared)
    other = Post(smtp, OTHER)
    Person(shared).sign_in(user).open("/account").fill("email", OTHER).press("save")
    path, _ = other.next_link(shared)
    assert Person(shared).open(path).has("confirm"), "it was good"
    recover(shared, smtp, user, email)
    assert Person(shared).open(path).status == 410
    user = (user[0], NEW if can_sign_in(shared, user[0], NEW) else OLD)
    assert Person(shared).sign_in(user).open("/account").value_of("email") == email


def test_an_address_that_nobody_verified_is_told_nothing(new_server, smtp):
    server = new_server()
    user, _ = add_person(server, "")
    Person(server).sign_in(user).open("/account").fill("email", "who@else.example").press("save")
    server.stop()
    server.args = mail_settings(smtp)
    server.start()
    post = Post(smtp, "who@else.example")
    person = Person(server).sign_in(user)
    second_factor(person)
    assert is_quiet(server, smtp, post)


def test_without_mail_everything_goes_on(new_server):
    server = new_server()
    user, _ = add_person(server)
    person = Person(server).sign_in(user)
    second_factor(person)
    person.open("/account/password").fill("current-password", OLD).fill("password", NEW)
    assert "The password is changed." in person.press("save").text
    assert server.cli("mail", "list").out.splitlines()[1:] == []


# -- invitations ---------------------------------------------------------------------------------


def invite(server, name, email, way):
    if way == "command line":
        server.cli("user", "add", name, "--invite", "--email", email)
        return
    admin = Person(server).sign_in(ADMIN).open("/admin/accounts/new")
    admin.fill("username", name).fill("email", email).press("create")
    assert "a mail with a link to choose a password is on its way" in admin.text, admin.answer


@pytest.mark.parametrize("way", ["page", "command line"])
def test_somebody_who_is_invited_chooses_a_password(shared, smtp, way):
    name = "guest-" + way[:4]
    post = Post(smtp, name + "@example.org")
    invite(shared, name, post.address, way)
    for password in ("", OLD, name):
        assert not can_sign_in(shared, name, password), "nobody, until a password is chosen"
    path, _ = post.next_link(shared)
    assert path.startswith("/password-reset?")
    late = Person(shared).open(path).fill("password", "some other password 9")
    person = Person(shared).open(path).fill("password", "short")
    assert person.press("save").status == 400 and "At least 15" in person.text
    assert choose(shared, path).status == 200 and can_sign_in(shared, name, NEW)
    assert late.press("save").status == 410 and can_sign_in(shared, name, NEW), "once (PW-09)"
    assert Person(shared).open(path).status == 410


def test_an_invitation_is_for_one_purpose_and_ends_with_a_password(shared, smtp):
    post = Post(smtp, "visitor@example.org")
    invite(shared, "visitor", post.address, "command line")
    path, _ = post.next_link(shared)
    assert Person(shared).open(path.replace("password-reset", "email-verify")).status == 410
    shared.cli("user", "passwd", "visitor", stdin=OLD + "\n")
    assert Person(shared).open(path).status == 410, "a password that was set ends it"
    post = Post(smtp, "tourist@example.org")
    invite(shared, "tourist", post.address, "command line")
    path, _ = post.next_link(shared)
    shared.cli("user", "disable", "tourist")
    assert Person(shared).open(path).status == 410, "a disabled account has none"


def test_an_invitation_lasts_a_week(faked_time, smtp):
    server, set_time = faked_time
    server.stop()
    server.args = mail_settings(smtp)
    server.start()
    paths = []
    for name in ("early", "late"):
        post = Post(smtp, name + "@week.example")
        server.cli("user", "add", name, "--invite", "--email", post.address)
        paths.append(post.next_link(server)[0])
    set_time(7 * DAY - 60)
    assert choose(server, paths[0]).status == 200
    set_time(7 * DAY + 1)
    assert Person(server).open(paths[1]).status == 410
    # Whoever comes too late asks as anybody who forgot the password.
    post = Post(smtp, "late@week.example")
    Person(server).open("/password-forgotten").fill("login", "late").press("send")
    assert choose(server, post.next_link(server)[0]).status == 200
    assert can_sign_in(server, "late", NEW)


def test_invitations_that_are_refused(shared, smtp, new_server):
    assert shared.cli("user", "add", "x1", "--invite", status=2).err.count("--email")
    assert "already" in shared.cli("user", "add", ADMIN[0], "--invite", "--email", "a@b.example",
                                   status=1).err
    both = shared.cli("user", "add", "x1", "--invite", "--password-stdin", "--email",
                      "a@b.example", stdin=OLD + "\n", status=2)
    assert "--invite" in both.err
    admin = Person(shared).sign_in(ADMIN).open("/admin/accounts/new")
    admin.fill("username", "x1").press("create")
    assert admin.status == 422 and "Enter the address that the link is to be sent to." in admin.text
    admin.fill("username", ADMIN[0]).fill("email", "a@b.example").press("create")
    assert admin.status == 422 and "taken" in admin.text
    assert shared.cli("user", "show", "x1", status=1)
    mute = new_server()
    refused = mute.cli("user", "add", "x1", "--invite", "--email", "a@b.example", status=1)
    assert "no server that sends mail" in refused.err
    mute.add_user(*ADMIN, "--admin")
    admin = Person(mute).sign_in(ADMIN).open("/admin/accounts/new")
    assert "required" in admin.page.attributes["password"] and "link" not in admin.text
    admin.fill("username", "x1").fill("email", "a@b.example").press("create")
    assert admin.status == 422 and "Enter a password." in admin.text


# -- tokens that expire --------------------------------------------------------------------------


@pytest.fixture
def warned(faked_time, smtp):
    """A server with tokens of two owners, and a function that starts it on a day from now."""
    server, set_time = faked_time
    server.stop()
    server.args = mail_settings(smtp)
    add_open_service(server.start())

    def on_day(day):
        server.stop()
        set_time(int(day * DAY))
        server.start()

    return server, on_day


def expiring(post):
    subject, text = told(post)
    assert subject == "Tokens expire soon (Jeton)"
    return re.findall(r"^- (.+): \d{4}-\d\d-\d\d \d\d:\d\d UTC$", text, re.M)


def test_tokens_that_expire_soon_are_told(warned, smtp):
    server, on_day = warned
    ada, bob = add_person(server), add_person(server)
    posts = [Post(smtp, email) for _, email in (ada, bob)]
    people = [Person(server).sign_in(user) for user, _ in (ada, bob)]
    for name, days in (("month", "30"), ("quarter", "90"), ("never", "0"), ("gone", "30"),
                       ("turned", "30")):
        make(people[0], name, lifetime=days)
    make(people[1], "bobs", lifetime="30")
    people[0].open("/tokens")
    rows = {people[0].text_of(f"token-{n}").split()[0]: n for n in range(1, 6)}
    people[0].press(f"revoke-{rows['gone']}").press("ok")
    people[0].open("/tokens").press(f"rotate-{rows['turned']}").press("rotate")
    on_day(15)
    assert all(is_quiet(server, smtp, post) for post in posts), "not before its time"
    on_day(17)
    assert sorted(expiring(posts[0])) == ["month", "turned"], "the new one of what was rotated"
    assert expiring(posts[1]) == ["bobs"]
    on_day(18)
    assert all(is_quiet(server, smtp, post) for post in posts), "once, and after a restart, too"
    on_day(29.5)
    assert sorted(expiring(posts[0])) == ["month", "turned"] and expiring(posts[1]) == ["bobs"]
    on_day(29.6)
    assert all(is_quiet(server, smtp, post) for post in posts)
    on_day(40)
    assert all(is_quiet(server, smtp, post) for post in posts)


def test_after_a_long_pause_one_mail_is_enough(warned, smtp):
    server, on_day = warned
    user, email = add_person(server)
    make(Person(server).sign_in(user), "month", lifetime="30")
    post = Post(smtp, email)
    on_day(29.5)
    assert expiring(post) == ["month"] and is_quiet(server, smtp, post)


def test_nobody_is_warned_who_cannot_be(warned, smtp):
    """Tokens that live for less than the time before, disabled accounts, no address."""
    server, on_day = warned
    short, disabled, nowhere = add_person(server), add_person(server), add_person(server, "")
    post, other = Post(smtp, short[1]), Post(smtp, disabled[1])
    manager = make(Person(server).sign_in(short[0]), "manager", ("jeton:tokens",), lifetime="90")
    answer = server.post_json("/api/v1/tokens", {"name": "ten days", "scopes": ["open.example"],
                                                 "expires_in_days": 10},
                              {"Authorization": "Bearer " + manager})
    assert answer.status == 201, answer
    server.secrets.add(answer.json["token"])
    for user, _ in (disabled, nowhere):
        make(Person(server).sign_in(user), "month", lifetime="30")
    server.cli("user", "disable", disabled[0][0])
    on_day(1)
    assert is_quiet(server, smtp, post), "ten days are less than fourteen"
    on_day(9.5)
    assert expiring(post) == ["ten days"]
    on_day(17)
    assert is_quiet(server, smtp, other)


def test_many_tokens_of_one_owner_are_told_in_few_mails(warned, smtp):
    server, on_day = warned
    user, email = add_person(server)
    person, names = Person(server).sign_in(user), [f"token {n:02}" for n in range(23)]
    for name in names:
        make(person, name, lifetime="30")
    post = Post(smtp, email)
    on_day(17)
    found = [name for _ in range(3) for name in expiring(post)]
    assert sorted(found) == names and is_quiet(server, smtp, post)

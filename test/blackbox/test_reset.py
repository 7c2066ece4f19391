"""A lost password: the link in the mail, and what it does and does not do (PW-08, PW-09, SE-06)."""

import statistics
import time

import pytest

from harness import P1
from link_people import (NEW, OLD, Post, add_person, ask_reset, can_sign_in, choose, mail_settings,
                         reset_link)
from person import Person
from smtp_server import SmtpServer
from threedm_calls import enrol, totp
from token_people import add_open_service, make

DONE = "If there is such an account, a mail with a link is on its way."
VOID = "This link was used already, or is too old."


@pytest.fixture(scope="module")
def smtp():
    with SmtpServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared(module_server, smtp):
    return add_open_service(module_server(args=mail_settings(smtp)))


# -- the whole way ------------------------------------------------------------------------------


def test_a_lost_password_is_replaced(shared, smtp):
    user, email = add_person(shared)
    page = Person(shared).open("/sign-in").press("password-forgotten")
    post = Post(smtp, email)
    ask_reset(shared, user[0], page)
    assert page.status == 200 and DONE in page.text
    path, origin = post.next_link(shared)
    assert origin in [f"http://{host}:{shared.port}" for host in ("127.0.0.1", "localhost")]
    person = choose(shared, path)
    assert person.status == 200 and "Your password is changed" in person.text, person.answer
    assert not person.has("sign-out"), "nobody is signed in by a reset"
    assert can_sign_in(shared, user[0], NEW) and not can_sign_in(shared, user[0], OLD)
    told = post.next().get_content()
    assert "password" in told and user[0] in told and "127.0.0.1" in told


@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_by_address_in_any_case_to_the_stored_one(shared, smtp, spelling):
    user, email = add_person(shared)
    post = Post(smtp, email)
    ask_reset(shared, spelling(email))
    assert user[0] in post.next().get_content()


def test_pw_09_a_link_is_good_once(shared, smtp):
    user, email = add_person(shared)
    path = reset_link(shared, smtp, user, email)
    late = Person(shared).open(path).fill("password", "another password of 7")
    assert choose(shared, path).status == 200
    late.press("save")
    assert late.status == 410 and VOID in late.text
    again = Person(shared).open(path)
    assert again.status == 410 and VOID in again.text and again.has("send")
    assert can_sign_in(shared, user[0], NEW)


def test_looking_at_it_uses_nothing_up(shared, smtp):
    """Programs open the links of mails before people do."""
    user, email = add_person(shared)
    path = reset_link(shared, smtp, user, email)
    for method in ("GET", "HEAD", "GET"):
        answer = shared.request(method, path)
        assert answer.status == 200
        assert answer.header("Referrer-Policy") == "no-referrer"
        assert answer.header("Cache-Control") == "no-store"
        assert answer.header("X-Frame-Options") == "DENY" # AZ-12
        assert "frame-ancestors 'none'" in answer.header("Content-Security-Policy")
    assert choose(shared, path).status == 200


def test_a_newer_link_ends_the_older(shared, smtp):
    user, email = add_person(shared)
    first = reset_link(shared, smtp, user, email)
    second = reset_link(shared, smtp, user, email)
    assert Person(shared).open(first).status == 410
    assert choose(shared, second).status == 200


def change_by_owner(server, user):
    person = Person(server).sign_in(user).open("/account/password")
    person.fill("current-password", user[1]).fill("password", NEW).press("save")


def change_by_operator(server, user):
    server.cli("user", "passwd", user[0], "--password-stdin", stdin=NEW)


@pytest.mark.parametrize("change", [change_by_owner, change_by_operator])
def test_pw_09_a_link_ends_with_the_password_it_was_for(shared, smtp, change):
    user, email = add_person(shared)
    link = reset_link(shared, smtp, user, email)
    change(shared, user)
    assert can_sign_in(shared, user[0], NEW)
    assert Person(shared).open(link).status == 410


def test_pw_09_a_link_is_short_lived(faked_time, smtp):
    server, set_time = faked_time
    server.stop()
    server.args += mail_settings(smtp)
    server.start()
    user, email = add_person(server)
    path = reset_link(server, smtp, user, email)
    person = Person(server).open(path).fill("password", NEW)
    set_time(30 * 60 + 2)
    assert Person(server).open(path).status == 410
    assert person.press("save").status == 410 and not can_sign_in(server, user[0], NEW)


@pytest.mark.parametrize("headers", [
    [("X-Forwarded-Host", "evil.example")], [("Host", "evil.example")],
    [("Forwarded", "host=evil.example;proto=https")]], ids=lambda pairs: pairs[0][0])
def test_pw_09_the_host_is_ours(shared, smtp, headers):
    user, email = add_person(shared)
    person = Person(shared).open("/password-forgotten")
    person.headers = headers
    post = Post(smtp, email)
    person.fill("login", user[0]).press("send")
    if person.status == 200:
        assert "evil" not in post.next().get_content()
    else:
        assert post.count() == 0


# -- what ends, and what does not -----------------------------------------------------------------


def test_se_06_everything_ends_but_permanent_tokens(shared, smtp):
    user, email = add_person(shared)
    here = Person(shared).sign_in(user)
    permanent = make(here)
    waiting = shared.user_token(P1, user, "read")
    path = reset_link(shared, smtp, user, email)
    assert "Permanent tokens go on working" in choose(shared, path).text
    assert not here.open("/account").has("sign-out")
    assert shared.refresh(waiting["refresh_token"], P1).status == 400
    assert shared.forward_auth(waiting["access_token"]).status == 401
    assert shared.forward_auth(permanent).status == 200


def test_pw_09_the_second_factor_is_not_skipped(shared, smtp):
    user, email = add_person(shared)
    secret = enrol(shared, user)
    path = reset_link(shared, smtp, user, email)
    without = Person(shared).open(path).fill("password", NEW).press("save")
    assert without.status == 400 and without.has("code-error")
    wrong = choose(shared, path, code="000000")
    assert wrong.status == 403 and wrong.has("code-error")
    assert not can_sign_in(shared, user[0], NEW)
    done = choose(shared, path, code=totp(secret))
    assert done.status == 200 and "Your password is changed" in done.text, done.answer
    person = Person(shared).open("/sign-in")
    person.fill("username", user[0]).fill("password", NEW).press("sign-in")
    assert person.path.startswith("/sign-in/code"), "signing in still asks for it"


def test_pw_03_the_policy_holds(shared, smtp):
    user, email = add_person(shared)
    path = reset_link(shared, smtp, user, email)
    for bad in ("short", "passwordpassword", user[0] * 3 if len(user[0]) > 15 else email):
        person = choose(shared, path, bad)
        assert person.status == 400 and person.has("password-error"), bad
    assert choose(shared, path).status == 200


# -- steps out of order, and others' links --------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?link=", "?link=" + "A" * 43, "?link=" + "A" * 4000,
                                   "?link=%00", "?link=a&link=b"])
def test_no_link_no_form(shared, query):
    person = Person(shared).open("/password-reset" + query)
    assert person.status == 410 and VOID in person.text and not person.has("save")


def test_the_form_needs_a_browser_and_a_link(shared, smtp):
    user, email = add_person(shared)
    path = reset_link(shared, smtp, user, email)
    link = path.split("=")[1]
    fields = {"link": link, "password": NEW}
    assert shared.post_form("/password-reset", fields).status == 403, "no csrf (SE-03)"
    person = Person(shared).open("/password-forgotten")
    csrf = next(field[2] for field in person.page.forms[0].fields if field[1] == "csrf")
    person.send("POST", "/password-reset", f"csrf={csrf}&password=a+new+password+of+hers+6")
    assert person.status == 410
    assert not can_sign_in(shared, user[0], NEW)


def test_a_disabled_account_stays_out(shared, smtp):
    user, email = add_person(shared)
    path = reset_link(shared, smtp, user, email)
    person = Person(shared).open(path).fill("password", NEW)
    shared.cli("user", "disable", user[0])
    assert person.press("save").status == 410
    post = Post(smtp, email)
    assert ask_reset(shared, user[0]).status == 200
    shared.cli("user", "enable", user[0])
    assert not can_sign_in(shared, user[0], NEW) and post.count() == 0


# -- nobody is told who has an account ------------------------------------------------------------


def without_csrf(answer):
    """The answer, but for what is another in each."""
    names = [(name, value) for name, value in answer.headers
             if name.lower() not in ("date", "set-cookie", "x-request-id")]
    return answer.status, names, answer.body


def test_pw_08_the_same_answer_for_all(shared, smtp):
    user, email = add_person(shared)
    silent, _ = add_person(shared, email="")
    disabled, _ = add_person(shared)
    shared.cli("user", "disable", disabled[0])
    logins = [user[0], email, silent[0], disabled[0], "nobody", "nobody@example.org"]
    answers = [without_csrf(ask_reset(shared, login).answer) for login in logins]
    assert all(answer == answers[0] for answer in answers)


def test_pw_08_mails_are_few_and_nobody_is_told(shared, smtp):
    user, email = add_person(shared)
    post = Post(smtp, email)
    answers = [without_csrf(ask_reset(shared, user[0]).answer) for _ in range(5)]
    assert all(answer == answers[0] for answer in answers)
    for _ in range(3):
        post.next()
    other, other_email = add_person(shared)
    reset_link(shared, smtp, other, other_email)
    assert post.count() == 0, "mails go out in order, so a fourth one would be here"


def test_an_address_may_ask_for_few(shared):
    person = Person(shared, source="127.0.0.77")
    statuses = [ask_reset(shared, f"nobody{number}", person).status for number in range(32)]
    assert statuses == [200] * 30 + [429, 429]
    assert person.answer.header("Retry-After") == "3600"


def test_pw_08_the_same_time_for_all(shared, smtp):
    """Interleaved, each as often first: a mail that is sent slows what comes after. A difference of
    a commit would be a multiple."""
    people = [add_person(shared)[0][0] for _ in range(20)]
    taken = {True: [], False: []}
    for number, name in enumerate(people * 2):
        for is_one in (number % 2 == 0, number % 2 == 1):
            person = Person(shared, source=f"127.0.1.{number}").open("/password-forgotten")
            person.fill("login", name if is_one else f"nobody{number}")
            sending = person.post_of("send")
            begun = time.monotonic()
            person.send(*sending)
            taken[is_one].append(time.monotonic() - begun)
            assert person.status == 200
    quick = {is_one: statistics.quantiles(times, n=4)[0] for is_one, times in taken.items()}
    assert 0.6 < quick[True] / quick[False] < 1.7, quick


# -- without mail ---------------------------------------------------------------------------------


def test_without_mail_the_pages_say_whom_to_ask(new_server):
    server = new_server()
    person = Person(server).open("/sign-in")
    assert not person.has("password-forgotten")
    for path in ("/password-forgotten", "/password-reset?link=" + "A" * 43):
        person.open(path)
        assert person.status == 403 and "administrator" in person.text

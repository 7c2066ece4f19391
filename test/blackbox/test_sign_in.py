"""Signing in with a browser: cookies, forms, steps out of order, ways back (SE-01 to SE-09, PW-05
to PW-07, PW-10, PW-11, PW-13)."""

import json
import re
import time
import urllib.parse

import pytest

from harness import ALICE, BOB, FORM, bearer, form_encode
from person import Page, Person
from threedm_calls import enrol, totp

VALUE = re.compile(r"[A-Za-z0-9_-]{43}")
PRE_VALUE = re.compile(r"\.[A-Za-z0-9_-]{43}")
FAILED = "The user name or the password is not right"
PATHS = ["/account", "/account/password", "/account/factors/new", "/account/recovery-codes",
         "/sessions", "/applications", "/tokens", "/tokens/new", "/sign-in/again"]


@pytest.fixture(scope="module")
def shared(module_server):
    return module_server()


def once(person, method, path, pairs=None, headers=(), cookies=None):
    """One request of this browser; its redirect is not followed and its cookies are not kept."""
    jar = person.cookies if cookies is None else cookies
    lines = [("Cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))] if jar else []
    body = None
    if pairs is not None:
        body = form_encode(list(pairs.items()))
        lines.append(("Content-Type", FORM))
    return person.server.request(method, path, body, lines + list(headers), source=person.source)


def csrf_of(person):
    return next(field[2] for form in person.page.forms for field in form.fields
                if field[1] == "csrf")


def cookie_of(person):
    value, = person.cookies.values()
    return value


def wait_step():
    """Codes change with the time step: waits out the very end of one."""
    while time.time() % 30 > 28:
        time.sleep(0.2)


def at_code(server, user):
    """A browser that knows the password, and is asked for the code."""
    person = Person(server).open("/sign-in")
    person.fill("username", user[0]).fill("password", user[1]).press("sign-in")
    assert person.path.startswith("/sign-in/code") and person.has("code"), person.answer
    return person


@pytest.fixture(scope="module")
def two_factor(module_server):
    """A server where bob has an app and recovery codes, and where nobody has signed in yet."""
    server = module_server()
    secret = enrol(server, BOB)
    codes = server.cli("user", "totp", BOB[0], "--recovery-codes").out.split()
    server.secrets.update(codes)
    return server, secret, codes


# -- the way in and out -------------------------------------------------------------------------

def test_the_way_in_and_out(shared):
    person = Person(shared).open("/")
    assert person.has("sign-in") and not person.has("nav-tokens") and not person.cookies
    person.press("sign-in")
    assert person.status == 200 and person.has("username") and person.has("password")
    person.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
    assert person.path == "/" and person.has("tokens-and-sessions") and ALICE[0] in person.text
    person.press("sign-out")
    assert person.has("sign-in") and "You are signed out." in person.text
    assert once(person, "GET", "/account").status == 303


def test_it_works_with_letters_of_another_case_and_keeps_the_form(shared):
    person = Person(shared).open("/sign-in")
    person.fill("username", "ALICE").fill("password", "not it").press("sign-in")
    assert person.status == 403 and FAILED in person.text
    assert person.value_of("username") == "ALICE" and person.value_of("password") == ""
    person.fill("password", ALICE[1]).press("sign-in")
    assert person.has("sign-out")


def test_both_are_on_record(new_server):
    server = new_server()
    person = Person(server).sign_in(ALICE)
    person.press("sign-out")
    person.open("/sign-in").fill("username", ALICE[0]).fill("password", "x").press("sign-in")
    events = [json.loads(line) for line in server.cli("audit", "export").out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds.count("signed_in") == 1 and kinds.count("signed_out") == 1
    assert kinds.count("password_failed") == 1
    lines = server.log_lines()
    assert any(line.get("endpoint") == "sign_in" and line.get("username") == ALICE[0]
               and line.get("why") == "the password was wrong" for line in lines)


# -- SE-01: the id is renewed, and a preset one is dropped ---------------------------------------

def test_se_01_the_cookie_changes_at_each_step(two_factor):
    server, secret, _ = two_factor
    person = Person(server).open("/sign-in")
    seen = [cookie_of(person)]
    assert PRE_VALUE.fullmatch(seen[0])
    person.fill("username", BOB[0]).fill("password", BOB[1]).press("sign-in")
    seen.append(cookie_of(person))
    wait_step()
    person.fill("code", totp(secret)).press("sign-in")
    assert person.has("sign-out"), person.answer
    seen.append(cookie_of(person))
    person.press("sign-out")
    seen.append(cookie_of(person))
    assert len(set(seen)) == 4
    assert VALUE.fullmatch(seen[1]) and VALUE.fullmatch(seen[2]) and PRE_VALUE.fullmatch(seen[3])
    for old in seen[:3]:
        answer = once(person, "GET", "/account", cookies={"jeton": old})
        assert answer.status == 303 and answer.header("Location").startswith("/sign-in")


def test_se_01_step_up_changes_it_too(shared):
    person = Person(shared).sign_in(ALICE)
    before = cookie_of(person)
    person.open("/sign-in/again?next=/account").fill("password", ALICE[1]).press("confirm")
    assert person.path == "/account" and cookie_of(person) != before
    assert once(person, "GET", "/account", cookies={"jeton": before}).status == 303


def test_se_01_a_preset_session_is_not_taken_over(shared):
    """An attacker plants a value before the sign-in; it is worth nothing after it."""
    for planted in ["A" * 43, "." + "A" * 43, "x", "A" * 44, ""]:
        victim = Person(shared)
        victim.cookies["jeton"] = planted
        victim.sign_in(ALICE)
        assert cookie_of(victim) != planted
        attacker = Person(shared)
        attacker.cookies["jeton"] = planted
        assert not attacker.open("/").has("sign-out")


def test_se_01_an_attackers_own_session_ends_when_the_victim_signs_in_with_it(shared):
    attacker = Person(shared).sign_in(BOB)
    planted = dict(attacker.cookies)
    victim = Person(shared)
    victim.cookies.update(planted)
    page = victim.open("/").press("sign-out").open("/sign-in")
    page.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
    assert ALICE[0] in victim.text
    assert not attacker.open("/").has("sign-out")


# -- SE-02: the cookie ---------------------------------------------------------------------------

def attributes_of(line):
    return {part.strip().lower() for part in line.split(";")[1:]}


def test_se_02_plain_http_on_this_computer(shared):
    person = Person(shared)
    for host in ("127.0.0.1", "localhost", "[::1]", "LOCALHOST:1", "127.8.9.10"):
        answer = once(person, "GET", "/sign-in", headers=[("Host", host)])
        assert answer.status == 200, host
        line, = answer.all_headers("Set-Cookie")
        assert line.startswith("jeton=.") and len(line) < 4096
        assert attributes_of(line) == {"path=/", "httponly", "samesite=lax"}


@pytest.mark.parametrize("host", ["jeton.example", "localhost.example", "127.0.0.1.example",
                                  "192.0.2.7", "127.example", "[::2]", "127.0.0.1.5x"])
def test_se_02_plain_http_elsewhere_takes_no_password(shared, host):
    person = Person(shared)
    for path in ("/sign-in", "/account"):
        answer = once(person, "GET", path, headers=[("Host", host)])
        assert answer.status == 403 and b"https://" in answer.body, answer
        assert not answer.all_headers("Set-Cookie")
    answer = once(person, "POST", "/sign-in", {"username": ALICE[0], "password": ALICE[1]},
                  headers=[("Host", host)])
    assert answer.status == 403 and not answer.all_headers("Set-Cookie")
    assert once(person, "GET", "/", headers=[("Host", host)]).status == 200


def test_se_02_behind_a_trusted_proxy(new_server):
    server = new_server(["--trusted-proxy", "127.0.0.1/32"])
    proxied = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "login.example"),
               ("X-Forwarded-For", "192.0.2.55")]
    answer = once(Person(server), "GET", "/sign-in", headers=proxied)
    line, = answer.all_headers("Set-Cookie")
    assert line.startswith("__Host-jeton=.")
    assert attributes_of(line) == {"path=/", "httponly", "samesite=lax", "secure"}
    assert answer.header("Strict-Transport-Security") == "max-age=31536000"
    person = Person(server, proxied + [("Origin", "https://login.example")])
    person.open("/sign-in")
    pairs = {"username": ALICE[0], "password": ALICE[1], "csrf": csrf_of(person)}
    answer = once(person, "POST", "/sign-in", pairs, headers=person.headers)
    assert answer.status == 303 and answer.header("Set-Cookie").startswith("__Host-jeton=")
    session = answer.header("Set-Cookie").split(";")[0].partition("=")[2]
    server.secrets.add(session)
    # The name for plain http is not taken on https, and the other way round.
    for name, headers in (("jeton", proxied), ("__Host-jeton", [])):
        answer = once(person, "GET", "/account", headers=headers, cookies={name: session})
        assert answer.status == 303, name
    assert once(person, "GET", "/account", headers=proxied,
                cookies={"__Host-jeton": session}).status == 200


def test_se_02_nobody_else_says_what_is_https(shared):
    """X-Forwarded-… of somebody who is no trusted proxy changes nothing."""
    answer = once(Person(shared), "GET", "/sign-in",
                  headers=[("X-Forwarded-Proto", "https"), ("Forwarded", "proto=https")])
    assert answer.header("Set-Cookie").startswith("jeton=")
    assert answer.header("Strict-Transport-Security") is None


# -- SE-03: forms of ours, in this browser -------------------------------------------------------

def fields_of(person, button):
    _, path, body = person.post_of(button)
    return path, dict(urllib.parse.parse_qsl(body, keep_blank_values=True))


@pytest.mark.parametrize("csrf", [None, "", "x", "A" * 43, "of another browser", "of before"])
def test_se_03_no_post_without_the_right_token(shared, csrf):
    person = Person(shared).open("/sign-in")
    of_before = csrf_of(person)
    person.sign_in(ALICE)
    if csrf == "of another browser":
        csrf = csrf_of(Person(shared).sign_in(ALICE))
    elif csrf == "of before":
        csrf = of_before
    good = csrf_of(person.open("/account"))
    forms = {"/sign-out": {}, "/sessions/end-others": {}, "/account/password": {},
             "/account": {"full_name": "Changed", "email": ""},
             "/sign-in": {"username": ALICE[0], "password": ALICE[1]}}
    for path, fields in forms.items():
        pairs = dict(fields) if csrf is None else {**fields, "csrf": csrf}
        answer = once(person, "POST", path, pairs)
        assert answer.status == 403 and b"form" in answer.body, (path, answer)
        assert not answer.all_headers("Set-Cookie")
    assert person.open("/account").value_of("full-name") == "Alice Example"
    assert once(person, "POST", "/sign-out", {"csrf": good}).status == 303


@pytest.mark.parametrize("headers", [
    [("Origin", "https://evil.example")], [("Origin", "http://127.0.0.1:1")],
    [("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")],
    [("Origin", "null"), ("Sec-Fetch-Site", "cross-site")]], ids=str)
def test_se_03_what_the_browser_says_counts_too(shared, headers):
    person = Person(shared).open("/sign-in")
    pairs = {"username": ALICE[0], "password": ALICE[1], "csrf": csrf_of(person)}
    assert once(person, "POST", "/sign-in", pairs, headers=headers).status == 403
    own = f"http://127.0.0.1:{shared.port}"
    for fine in ([("Origin", own)], [("Origin", "null")], [("Sec-Fetch-Site", "same-origin")], []):
        answer = once(person, "POST", "/sign-in", pairs, headers=fine)
        assert answer.status == 303, (fine, answer)
        shared.secrets.add(answer.header("Set-Cookie").split(";")[0].partition("=")[2])


def test_se_03_nobody_is_signed_in_by_another_site(shared):
    """Login CSRF: another site can send its own name and password, but no token that fits."""
    attacker = Person(shared).open("/sign-in")
    victim = Person(shared).open("/sign-in")
    pairs = {"username": BOB[0], "password": BOB[1], "csrf": csrf_of(attacker)}
    for jar in (victim.cookies, {}):  # none: the browser kept it back, and must not get another
        answer = once(victim, "POST", "/sign-in", pairs, cookies=jar)
        assert answer.status == 403 and not answer.all_headers("Set-Cookie")


def test_se_04_another_browser_cannot_finish_a_sign_in(two_factor):
    server, secret, _ = two_factor
    one, other = at_code(server, BOB), Person(server)
    path, fields = fields_of(one, "sign-in")
    wait_step()
    fields["code"] = totp(secret, step_offset=1)
    other.open("/sign-in")
    answer = once(other, "POST", path, fields)
    assert answer.status == 403, "the token is bound to the other browser"
    other.open(path)
    assert other.has("username"), "it is sent to the beginning"


# -- SE-05: limits --------------------------------------------------------------------------------

def test_se_05_idle_and_absolute_limits(faked_time):
    server, set_time = faked_time
    idle, busy = Person(server).sign_in(ALICE), Person(server).sign_in(ALICE)
    for minutes in range(0, 24 * 60, 50):
        set_time(minutes * 60)
        assert busy.open("/account").path == "/account", minutes
        if minutes == 0:
            assert idle.open("/account").path == "/account"
        if minutes == 100:
            assert idle.open("/account").path.startswith("/sign-in"), "idle for over an hour"
    set_time(24 * 3600 + 5)
    assert busy.open("/account").path.startswith("/sign-in"), "a day is the most"


def test_se_05_the_code_may_take_five_minutes(faked_time):
    server, set_time = faked_time
    secret = enrol(server, BOB)
    early, late = at_code(server, BOB), at_code(server, BOB)
    set_time(250)
    assert early.open("/sign-in/code").has("code")
    set_time(301)
    late.fill("code", totp(secret, at=time.time() + 301)).press("sign-in")
    assert late.has("username") and "took too long" in late.text


# -- SE-07, AZ-12, AZ-13: headers of every page ---------------------------------------------------

def test_se_07_az_12_az_13_headers_of_every_page(shared):
    person = Person(shared).sign_in(ALICE)
    for path in PATHS + ["/", "/sign-in", "/sign-in/code"]:
        for jar in (person.cookies, {}):
            answer = once(person, "GET", path, cookies=jar)
            policy = [part.strip() for part in answer.header("Content-Security-Policy").split(";")]
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, path
            assert "form-action 'self'" in policy and "base-uri 'none'" in policy
            assert "unsafe" not in answer.header("Content-Security-Policy")
            assert answer.header("X-Frame-Options") == "DENY"
            assert answer.header("X-Content-Type-Options") == "nosniff"
            assert answer.header("Referrer-Policy") == "no-referrer"
            assert answer.header("Cross-Origin-Opener-Policy") == "same-origin"
            assert "camera=()" in answer.header("Permissions-Policy")
            assert answer.header("Cache-Control") == "no-store", path
            assert not re.search(rb"(?:src|href|action)=\"(?:https?:)?//", answer.body), path


# -- SE-09: the way back --------------------------------------------------------------------------

@pytest.mark.parametrize("evil", [
    "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example",
    "https://evil.example/", "http:/evil.example", "javascript:alert(1)", "/\t/evil.example",
    "\t//evil.example", "/\n/evil.example", " //evil.example", "%2f%2fevil.example", "evil.example",
    "///evil.example", "/" + "a" * 5000, "/\x00", "/\u2215/evil.example", "/a b", "/a\"b", "?x=1"],
    ids=repr)
def test_se_09_no_way_back_leaves_this_server(shared, evil):
    person = Person(shared)
    quoted = urllib.parse.quote(evil, safe="")
    person.open("/sign-in?next=" + quoted)
    pairs = {"username": ALICE[0], "password": ALICE[1], "csrf": csrf_of(person)}
    for next_ in (None, evil):
        sent = {**pairs, "next": next_} if next_ is not None else \
            {**pairs, "next": fields_of(person, "sign-in")[1]["next"]}
        answer = once(person, "POST", "/sign-in", sent)
        if answer.status == 400:
            continue  # what is no text of a form is refused as a whole
        assert answer.status == 303 and answer.header("Location") == "/", (next_, answer)
        shared.secrets.add(answer.header("Set-Cookie").split(";")[0].partition("=")[2])
    signed_in = Person(shared).sign_in(ALICE)
    assert once(signed_in, "GET", "/sign-in?next=" + quoted).header("Location") == "/"


def test_se_09_the_way_back_is_kept(shared):
    """From the page that asks for a sign-in, over a failure, back to it with its query."""
    person = Person(shared).open("/tokens/new?name=for%20backup&scope=x")
    assert person.path == "/sign-in?next=%2Ftokens%2Fnew%3Fname%3Dfor%2520backup%26scope%3Dx"
    person.fill("username", ALICE[0]).fill("password", "wrong").press("sign-in")
    person.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
    assert person.path == "/tokens/new?name=for%20backup&scope=x"


# -- PW-13: nothing but the code is reachable after the password ----------------------------------

def test_pw_13_walked_out_of_order(two_factor):
    server, secret, _ = two_factor
    person = at_code(server, BOB)
    csrf = csrf_of(person)
    for path in PATHS:
        answer = once(person, "GET", path)
        assert answer.status == 303, path
        assert answer.header("Location").startswith("/sign-in/code"), (path, answer)
    for path in ("/account", "/account/password", "/account/factors/new", "/sessions/end-others",
                 "/account/recovery-codes", "/tokens/new", "/sign-in/again"):
        answer = once(person, "POST", path, {"csrf": csrf, "password": BOB[1]})
        assert answer.status == 303 and answer.header("Location").startswith("/sign-in/code"), path
    assert not person.open("/").has("sign-out") and not person.has("nav-tokens")
    assert server.get("/api/v1/tokens", bearer(cookie_of(person))).status == 401
    # Going back to the first step, or doing it again, opens nothing either.
    assert person.open("/sign-in").has("username")
    person.fill("username", BOB[0]).fill("password", BOB[1]).press("sign-in")
    assert person.has("code") and not person.open("/").has("sign-out")
    # The code's page is nobody's who does not know the password.
    stranger = Person(server).open("/sign-in/code")
    assert stranger.has("username") and not stranger.has("code")
    pairs = {"csrf": csrf_of(stranger), "code": totp(secret, step_offset=1)}
    answer = once(stranger, "POST", "/sign-in/code", pairs)
    assert answer.status == 303 and answer.header("Location").startswith("/sign-in")
    assert not stranger.open("/").has("sign-out")


def test_pw_13_another_account_in_between(two_factor):
    """Alice's right password does not finish bob's sign-in, nor the other way round."""
    server, _, _ = two_factor
    person = at_code(server, BOB).open("/sign-in")
    person.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
    assert ALICE[0] in person.text and BOB[0] not in person.text
    person.open("/sign-in/code")
    assert person.path == "/" and person.has("sign-out")


# -- the code --------------------------------------------------------------------------------------

def test_pw_10_a_code_is_good_once(new_server):
    server = new_server()
    secret = enrol(server, BOB)
    wait_step()
    code = totp(secret)
    first, second = at_code(server, BOB), at_code(server, BOB)
    first.fill("code", code[:3] + " " + code[3:]).press("sign-in")
    assert first.has("sign-out"), first.answer
    second.fill("code", code).press("sign-in")
    assert second.status == 403 and "not right, or was used" in second.text
    second.fill("code", totp(secret, step_offset=1)).press("sign-in")
    assert second.has("sign-out"), second.answer


def test_pw_11_a_recovery_code_is_good_once(new_server):
    server = new_server()
    enrol(server, BOB)
    codes = server.cli("user", "totp", BOB[0], "--recovery-codes").out.split()
    server.secrets.update(codes)
    person = at_code(server, BOB).press("use-recovery-code")
    person.fill("code", codes[0].lower()).press("sign-in")
    assert person.has("sign-out"), person.answer
    again = at_code(server, BOB).press("use-recovery-code")
    again.fill("code", codes[0]).press("sign-in")
    assert again.status == 403 and "recovery code" in again.text and not again.has("sign-out")
    again.fill("code", codes[1]).press("sign-in")
    assert again.has("sign-out")


def test_start_again_with_another_name(two_factor):
    server, _, _ = two_factor
    person = at_code(server, BOB).press("start-again")
    assert person.open("/sign-in/code").has("username")


# -- PW-07: one answer ----------------------------------------------------------------------------

def without_random(answer):
    """Status, headers and body, without what differs by chance in any two answers."""
    body = re.sub(rb'name="csrf" value="[^"]+"', b"", answer.body)
    names = sorted(name for name, _ in answer.headers)
    return answer.status, names, re.sub(rb'id="username" name="username" value="[^"]*"', b"", body)


def test_pw_07_unknown_wrong_disabled_locked_and_empty_look_alike(new_server):
    server = new_server()
    server.add_user("gone", "a password of somebody gone")
    server.cli("user", "disable", "gone")
    enrol(server, BOB)
    for _ in range(12):
        server.token({"grant_type": "password", "username": "locked", "password": "x"}, ("c1", "y"))
    seen = set()
    for name, password in (("nobody", "wrong"), (ALICE[0], "wrong"), (BOB[0], "wrong"),
                           ("gone", "a password of somebody gone"), ("gone", "wrong"),
                           (ALICE[0], ""), ("", ""), ("x" * 300, "wrong"), ("locked", "wrong")):
        person = Person(server).open("/sign-in")
        pairs = {"username": name, "password": password, "csrf": csrf_of(person), "next": "/"}
        answer = once(person, "POST", "/sign-in", pairs)
        assert not answer.all_headers("Set-Cookie")
        seen.add(repr(without_random(answer)))
    assert len(seen) == 1, seen
    assert FAILED in seen.pop()


def test_pw_05_a_throttled_address_is_told_to_wait(new_server):
    server = new_server(["--trusted-proxy", "127.0.0.1/32"])
    headers = [("X-Forwarded-For", "192.0.2.77"), ("X-Forwarded-Host", "127.0.0.1")]
    person = Person(server, headers).open("/sign-in")
    pairs = {"password": "wrong", "csrf": csrf_of(person)}
    for count in range(320):
        answer = once(person, "POST", "/sign-in", {**pairs, "username": f"name{count}"}, headers)
        if answer.status == 429:
            break
    assert answer.status == 429 and int(answer.header("Retry-After")) > 0, count
    assert b"Too many attempts" in answer.body
    elsewhere = Person(server, [("X-Forwarded-For", "192.0.2.78")]).open("/sign-in")
    pairs = {"username": ALICE[0], "password": ALICE[1], "csrf": csrf_of(elsewhere)}
    answer = once(elsewhere, "POST", "/sign-in", pairs, elsewhere.headers)
    assert answer.status == 303
    server.secrets.add(answer.header("Set-Cookie").split(";")[0].partition("=")[2])


# -- what else may come ----------------------------------------------------------------------------

@pytest.mark.parametrize("cookie", [
    "jeton=", "jeton", "jeton=a; jeton=b", "=", ";;;", "jeton=" + "A" * 42, "jeton=" + "%00" * 15,
    "jeton=" + "A" * 5000, "jeton=\"" + "A" * 43 + "\"", "Jeton=" + "A" * 43,
    "jeton=../../../../etc/passwd-and-more-letters-to-43", "jeton=" + "'" * 43,
    "jeton=" + "\u00e9" * 21 + "A"], ids=lambda text: text[:24])
def test_broken_cookies_are_nobody(shared, cookie):
    for path, status in (("/", 200), ("/account", 303), ("/sign-in", 200)):
        line = b"GET " + path.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" \
            b"Cookie: " + cookie.encode() + b"\r\n\r\n"
        received, _ = shared.raw(line)
        assert f" {status} ".encode() in received.split(b"\r\n")[0], (path, received[:200])
        assert b"sign-out" not in received


def test_two_cookies_of_one_name_are_nobody(shared):
    """Somebody planted a second one: which is right is not guessed."""
    person = Person(shared).sign_in(ALICE)
    value = cookie_of(person)
    answer = shared.request("GET", "/account", None, [("Cookie", f"jeton={value}"),
                                                      ("Cookie", "jeton=" + "A" * 43)])
    assert answer.status == 303


@pytest.mark.parametrize("body", [b"", b"&&&", b"username", b"csrf=%zz", b"a=1&a=2",
                                  b"username=" + b"%ff", b"x" * 60000], ids=lambda body: body[:12])
def test_broken_forms_get_a_page(shared, body):
    person = Person(shared).open("/sign-in")
    answer = shared.request("POST", "/sign-in", body,
                            [("Content-Type", FORM), ("Cookie", f"jeton={cookie_of(person)}")])
    assert answer.status in (400, 403) and answer.header("Content-Type").startswith("text/html")
    assert "This did not work" in Page(answer.body.decode()).text
    json_body = shared.request("POST", "/sign-in", b"{}", [("Content-Type", "application/json")])
    assert json_body.status == 400 and json_body.header("Content-Type").startswith("text/html")


def test_a_very_long_password_is_a_wrong_one(shared):
    person = Person(shared).open("/sign-in")
    person.fill("username", ALICE[0]).fill("password", "x" * 5000).press("sign-in")
    assert person.status == 403 and FAILED in person.text


def test_az_15_nothing_is_reflected_unescaped(shared):
    hostile = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{frame.csrf}}&lt;"
    person = Person(shared).open("/sign-in?next=" + urllib.parse.quote("/" + hostile)
                                 + "&notice=" + urllib.parse.quote(hostile))
    assert b"<script>alert" not in person.answer.body and b"<img src=x" not in person.answer.body
    person.fill("username", hostile).fill("password", hostile).press("sign-in")
    assert b"<script>alert" not in person.answer.body and b"<img src=x" not in person.answer.body
    assert person.value_of("username") == hostile, "and yet it is what was typed"


def test_a_notice_cannot_be_made_up(shared):
    person = Person(shared).sign_in(ALICE)
    person.press("sign-out")
    notice = urllib.parse.parse_qs(urllib.parse.urlsplit(person.path).query)["notice"][0]
    assert "You are signed out." in person.text
    other = Person(shared).sign_in(ALICE)
    assert "signed out" not in other.open("/?notice=" + notice).text, "it was for nobody"
    assert "signed out" not in other.open("/?notice=signed_out").text


def test_what_is_not_there_is_a_page_for_browsers_and_json_for_programs(shared):
    page = shared.get("/nothing/here", [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")])
    assert page.status == 404 and page.header("Content-Type") == "text/html; charset=utf-8"
    assert "There is no such page." in Page(page.body.decode()).text
    assert page.header("X-Frame-Options") == "DENY" and page.header("Cache-Control") == "no-store"
    for accept in ("*/*", "application/json", "text/plain"):
        assert shared.get("/nothing/here", [("Accept", accept)]).json["error"] == "not_found"
    script = shared.get("/app.js")
    assert script.status == 200 and script.header("Content-Type").startswith("text/javascript")


def test_a_session_survives_a_restart(new_server):
    server = new_server()
    person = Person(server).sign_in(ALICE).open("/account")
    server.restart()
    person.press("save")
    assert "Saved." in person.text, "the form's token too"


def test_a_disabled_account_is_out_at_once(new_server):
    server = new_server()
    person = Person(server).sign_in(ALICE)
    enrol(server, BOB)
    waiting = at_code(server, BOB)
    server.cli("user", "disable", ALICE[0])
    server.cli("user", "disable", BOB[0])
    assert person.open("/account").has("username")
    assert waiting.open("/sign-in/code").has("username")
    server.cli("user", "enable", ALICE[0])
    assert person.open("/account").has("username"), "and stays out"

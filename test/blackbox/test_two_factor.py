"""Second factors from the command line, and the doors that cannot ask for them (PW-10 to PW-13).

What 3DM's own answers look like is in test_3dm.py.
"""

import json
import re
import threading
import time
import urllib.parse

import pytest

from harness import ALICE, API, BOB, C1, P1, uauth_form
from threedm_calls import BOTH_GRANTS, WEB, ask, enrol, password_form, raw_basic, totp

RECOVERY_CODE = re.compile(r"[A-Z2-7]{5}(-[A-Z2-7]{5}){3}-[A-Z2-7]{6}")


def recovery_codes(server, name):
    codes = server.cli("user", "totp", name, "--recovery-codes").out.splitlines()
    server.secrets.update(codes)
    return codes


def shown(server, name):
    return json.loads(server.cli("user", "show", name, "--json").out)


def events(server, kind):
    lines = server.cli("audit", "export").out.splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


@pytest.mark.parametrize("start", [True, False], ids=["running", "stopped"])
def test_enrolment_and_removal(new_server, start):
    """The same with and without a server; the secret alone goes to standard output, once."""
    server = new_server(start=start)
    assert shown(server, "bob")["second_factor"] is False
    done = server.cli("user", "totp", "bob", "--issuer", "\u00c4 & Co", "--device-name", "my phone")
    uri = done.out.removesuffix("\n")
    parts = urllib.parse.urlsplit(uri)
    query = urllib.parse.parse_qs(parts.query, strict_parsing=True)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp") and "+" not in uri and " " not in uri
    assert urllib.parse.unquote(parts.path) == "/\u00c4 & Co:bob"
    assert query["issuer"] == ["\u00c4 & Co"]
    assert re.fullmatch("[A-Z2-7]{32}", query["secret"][0]), "160 bits"
    server.secrets.add(query["secret"][0])
    assert query["secret"][0] not in done.err and done.err.count("\n") == 1
    other = enrol(server, BOB)
    assert other != query["secret"][0]
    assert shown(server, "bob")["second_factor"] is True
    assert shown(server, "alice")["second_factor"] is False
    text = server.cli("user", "show", "bob").out
    assert "my phone" in text and text.count("totp") == 2 and other not in text
    rows = server.cli("user", "list").out.splitlines()
    assert [" totp " in row for row in rows if "bob" in row] == [True]
    assert len(events(server, "factor_changed")) == 2
    server.cli("user", "totp", "bob", "--remove")
    assert shown(server, "bob")["second_factor"] is False
    assert "totp" not in server.cli("user", "show", "bob").out
    changes = events(server, "factor_changed")
    assert len(changes) == 3 and not any("address" in event for event in changes), "by no network"


@pytest.mark.parametrize("start", [True, False], ids=["running", "stopped"])
def test_recovery_codes_of_the_command_line(new_server, start):
    server = new_server(start=start)
    done = server.cli("user", "totp", "bob", "--recovery-codes", status=1)
    assert done.out == "" and "no second factor" in done.err
    enrol(server, BOB)
    first = recovery_codes(server, "bob")
    assert len(first) == len(set(first)) == 10
    assert all(RECOVERY_CODE.fullmatch(code) for code in first), first
    assert "10 codes left" in server.cli("user", "show", "bob").out
    assert not set(first) & set(recovery_codes(server, "bob")), "new ones replace the old"


def test_enrolments_that_are_refused(new_server):
    server = new_server(start=False)
    for words, status in (
            (["bob", "--remove", "--recovery-codes"], 2), (["bob", "--remove", "--issuer", "x"], 2),
            (["bob", "--recovery-codes", "--device-name", "x"], 2), ([], 2), (["a", "b"], 2),
            (["nobody"], 1), (["bob", "--issuer", ""], 1), (["bob", "--issuer", "a:b"], 1),
            (["bob", "--issuer", "x" * 129], 1), (["bob", "--device-name", "x" * 256], 1),
            (["bob", "--device-name", "a\nb"], 1)):
        done = server.cli("user", "totp", *words, status=status)
        assert done.out == "" and done.err.count("\n") == 1, done
    assert shown(server, "bob")["second_factor"] is False
    for _ in range(16):
        enrol(server, BOB)
    assert "16" in server.cli("user", "totp", "bob", status=1).err


def comparable(answer):
    skipped = ("date", "x-request-id")
    return answer.status, [pair for pair in answer.headers if pair[0].lower() not in skipped], \
        answer.body


def test_ca_12_doors_that_cannot_ask_refuse_like_a_wrong_password(new_server):
    """The same status, headers and body, and a failure that counts; the log says why."""
    server = new_server()
    secret = enrol(server, BOB)

    def public(user):
        return server.token(password_form(user, client_id=P1[0]))

    doors = {"u-Auth": lambda user: server.token(uauth_form(user)),
             "the standard's": lambda user: server.token(password_form(user), client=C1),
             "a public client's": public,
             "the standard's, with a code": lambda user: server.token(
                 password_form(user, twofactor=totp(secret), code=totp(secret)), client=C1)}
    for door, enter in doors.items():
        wrong = enter((ALICE[0], "some wrong password"))
        assert (wrong.status, wrong.error) == (400, "invalid_grant"), (door, wrong)
        assert comparable(enter(BOB)) == comparable(wrong), door
    reasons = [line["why"] for line in server.log_lines() if line.get("username") == "bob"]
    assert len(reasons) == 4
    assert all("second factor, which this door cannot ask for" in why for why in reasons), reasons
    assert len(events(server, "password_failed")) == 8
    assert server.token(uauth_form(BOB)).status == 400  # the fifth in a row
    last = ""
    for _ in range(4):  # each delay is twice the one before, the first a second at most
        server.token(uauth_form(BOB))
        last = [line["why"] for line in server.log_lines() if line.get("username") == "bob"][-1]
        if "held up" in last:
            break
    assert "held up" in last, "they count as failures do"
    server.cli("user", "totp", "bob", "--remove")
    server.cli("user", "unlock", "bob")
    assert server.token(uauth_form(BOB)).status == 200


def test_pw_13_living_grants_stay_and_refresh_without_a_code(new_server):
    """What was granted before stands; an enrolment is no revocation."""
    server = new_server()
    before = server.user_token(C1, BOB, "read")
    enrol(server, BOB)
    assert server.is_active(before["access_token"], API)
    answer = server.refresh(before["refresh_token"], C1)
    assert answer.status == 200, answer


@pytest.fixture
def web_server(new_server):
    server = new_server()
    server.add_client(*WEB, *BOTH_GRANTS, "--scope", "read write")
    return server


def in_parallel(count, call):
    """The answers of as many calls at once, those that found the hash lane full asked again."""
    answers = []

    def worker():
        for _ in range(200):
            answer = call()
            if answer.status != 503:
                break
            time.sleep(0.05)
        answers.append(answer)

    threads = [threading.Thread(target=worker) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == count
    return answers


def test_pw_10_one_code_at_once(web_server):
    """32 requests with one code get one token."""
    code = totp(enrol(web_server, BOB))
    fields = password_form(BOB, twofactor=code)
    answers = in_parallel(32, lambda: web_server.post_form("/oauth/oauth/token", fields,
                                                           raw_basic(WEB)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 31


def test_pw_11_a_recovery_code_is_good_once(web_server):
    server = web_server
    enrol(server, BOB)
    codes = recovery_codes(server, "bob")
    for spelling in (codes[0], codes[1].lower(), codes[2].replace("-", ""),
                     codes[3].replace("-", " ")):
        assert ask(server, password_form(BOB, twofactor=spelling)).status == 200
    assert "6 codes left" in server.cli("user", "show", "bob").out
    for code in codes[:4]:
        assert ask(server, password_form(BOB, twofactor=code)).status == 400
    assert len(events(server, "factor_failed")) == 4
    fields = password_form(BOB, twofactor=codes[4])
    server.cli("user", "unlock", "bob")
    answers = in_parallel(16, lambda: server.post_form("/oauth/oauth/token", fields,
                                                       raw_basic(WEB)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 15
    server.restart()
    assert ask(server, password_form(BOB, twofactor=codes[4])).status == 400
    assert "5 codes left" in server.cli("user", "show", "bob").out

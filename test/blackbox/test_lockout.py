"""Rows of failures that end in a lock, and what forgives them, on a clock that stands still."""

import json
import re

import pytest

import stores
from harness import ALICE, API, BOB, C1, P1, free_port, uauth_form
from link_people import FROM, NEW, add_person, can_sign_in, choose, reset_link
from smtp_server import SmtpServer
from test_sign_in import at_code
from threedm_calls import BOTH_GRANTS, WEB, ask, enrol, password_form, totp

FREE_COUNT = 5
ADMIN = ("chief", "the password of an administrator 7")


@pytest.fixture
def still_time(stopped_clock):
    """The same, with an administrator and a client of 3DM's kind."""
    server, stand_at = stopped_clock
    stand_at(-60)
    server.add_user(*ADMIN, "--admin")
    server.add_client(*WEB, *BOTH_GRANTS, "--scope", "read write")
    stand_at(0)
    return server, stand_at


def configured(server, **settings):
    """The server, started with these settings in its file."""
    path = server.folder / "jeton.yaml"
    path.write_text("".join(f"{name.replace('_', '-')}: {value}\n"
                            for name, value in settings.items()))
    server.args = ["--config", str(path)]
    return server.start()


def doors(server, user, source=None):
    """One try at each door in turn, for ever."""
    while True:
        yield server.token(uauth_form(user), source=source)
        yield server.token(password_form(user), client=C1, source=source)
        yield ask(server, password_form(user), WEB, source=source)
        yield server.token(password_form(user, client_id=P1[0]), source=source)


def is_disabled(server, name):
    return json.loads(server.cli("user", "show", name, "--json").out)["disabled"]


def count_events(server, kind):
    return sum(json.loads(line)["event"] == kind
               for line in server.cli("audit", "export").out.splitlines())


def fail_in_a_row(server, name, count=FREE_COUNT):
    tries = doors(server, (name, "a wrong password"))
    for _ in range(count):
        answer = next(tries)
        assert (answer.status, answer.error) == (400, "invalid_grant"), answer


def test_disabling_is_one_row_over_all_doors(still_time):
    server, _ = still_time
    configured(server, lockout_mode="disable")
    tokens = [server.user_token(C1, BOB, "read")["access_token"],
              server.token(uauth_form(BOB)).json["access_token"]]
    refresh_token = server.user_token(C1, BOB, "write")["refresh_token"]
    for source in ("127.0.6.1", "127.0.6.2", "127.0.6.3", "127.0.6.4"):
        assert server.token(uauth_form((BOB[0], "wrong")), source=source).status == 400
    assert not is_disabled(server, "bob") and server.is_active(tokens[0], API)
    assert ask(server, password_form(("BOB", "wrong"))).status == 400
    assert is_disabled(server, "bob")
    assert count_events(server, "account_locked") == 1
    assert not server.is_active(tokens[0], API), "living grants end with it"
    assert server.forward_auth(tokens[1]).status == 401
    assert server.refresh(refresh_token, C1).status == 400
    tries = doors(server, BOB)
    assert {next(tries).status for _ in range(4)} == {400}
    server.restart()
    assert server.token(uauth_form(BOB), source="127.0.6.5").status == 400
    assert count_events(server, "account_locked") == 1
    server.cli("user", "enable", "bob")
    assert server.token(uauth_form(BOB)).status == 200
    assert not server.is_active(tokens[0], API), "what was ended stays ended"


def test_enabling_begins_the_row_anew(still_time):
    server, stand_at = still_time
    configured(server, lockout_mode="disable")
    fail_in_a_row(server, "bob")
    assert is_disabled(server, "bob")
    server.cli("user", "enable", "bob")
    stand_at(1)
    fail_in_a_row(server, "bob", FREE_COUNT - 1)
    assert not is_disabled(server, "bob")
    assert server.token(uauth_form(BOB)).status == 200
    fail_in_a_row(server, "bob", FREE_COUNT - 1)
    assert not is_disabled(server, "bob"), "a success ends a row"
    fail_in_a_row(server, "bob", 1)
    assert is_disabled(server, "bob")


def test_wrong_codes_disable_too(still_time):
    server, stand_at = still_time
    configured(server, lockout_mode="disable")
    secret = enrol(server, BOB)
    right = totp(secret, stand_at(0))
    wrong = "000000" if right != "000000" else "111111"
    for left in range(FREE_COUNT, 0, -1):
        assert not is_disabled(server, "bob"), left
        assert ask(server, password_form(BOB, twofactor=wrong)).status == 400
    assert is_disabled(server, "bob")
    assert count_events(server, "factor_failed") == FREE_COUNT
    assert count_events(server, "account_locked") == 1
    server.cli("user", "enable", "bob")
    assert ask(server, password_form(BOB, twofactor=right)).status == 200, "codes are forgiven too"


def test_pw_07_the_last_failure_costs_the_same_for_all(still_time):
    """One commit, whether the name is unknown, or an account is locked and loses its grants; on a
    shared store two more, as tries are counted there before and after."""
    server, stand_at = still_time
    port = free_port()
    configured(server, lockout_mode="disable", metrics_listen=f"127.0.0.1:{port}")
    for scope in ("read", "write", "read write"):
        server.user_token(C1, BOB, scope)

    def commits():
        text, _ = server.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                             port=port)
        return {name: float(value) for name, value in
                re.findall(r"^(jeton_store_\w+) (\S+)$", text.decode(), re.M)}

    def cost_of_last(name):
        fail_in_a_row(server, name, FREE_COUNT - 1)
        before = commits()
        fail_in_a_row(server, name, 1)
        after = commits()
        return [after[key] - before[key]
                for key in ("jeton_store_units_total", "jeton_store_unit_refusals_total")]

    # The seals of the audit trail are commits as well, and come now and then.
    costs = {}
    expected = [3 if stores.is_postgresql() else 1, 0]
    for attempt in range(40):
        for name in (BOB[0], "nobody at all", ADMIN[0]):
            cost = cost_of_last(f"{name} {attempt}" if " " in name else name)
            costs[name] = min(cost, costs.get(name, cost))
        if set(map(tuple, costs.values())) == {tuple(expected)}:
            break
        server.cli("user", "enable", BOB[0])
        for name in (BOB[0], ADMIN[0]):
            server.cli("user", "unlock", name)
        stand_at(60 * (attempt + 1))  # what is forgiven is forgiven for the whole second
        server.user_token(C1, BOB, "read")
    assert set(map(tuple, costs.values())) == {tuple(expected)}, costs
    assert is_disabled(server, BOB[0])
    assert count_events(server, "grant_ended") == 1 + attempt


@pytest.mark.parametrize("mode", ["timed", "disable"])
def test_an_administrator_is_held_up_and_never_locked(still_time, mode):
    server, stand_at = still_time
    configured(server, lockout_mode=mode, lockout_duration=86400)
    for _ in range(2):
        fail_in_a_row(server, ADMIN[0])
    assert server.token(uauth_form(ADMIN)).status == 400, "held up, as the clock stands still"
    assert not is_disabled(server, ADMIN[0])
    stand_at(1)
    assert server.token(uauth_form(ADMIN)).status == 200
    assert count_events(server, "account_locked") == 0


def test_a_timed_lock_ends_by_itself(still_time):
    server, stand_at = still_time
    configured(server, lockout_mode="timed", lockout_duration=700)
    assert server.token(uauth_form(BOB), source="127.0.6.9").status == 200
    fail_in_a_row(server, "bob", FREE_COUNT - 1)
    stand_at(100)
    fail_in_a_row(server, "bob", 1)
    for offset in (100, 799):
        stand_at(offset)
        tries = doors(server, BOB)
        assert {next(tries).status for _ in range(4)} == {400}
        answer = server.token(uauth_form(BOB), source="127.0.6.9")
        assert answer.status == 400, "no address is known to the owner in this mode"
        server.restart()
    assert not is_disabled(server, "bob")
    stand_at(800)
    fail_in_a_row(server, "bob", FREE_COUNT - 1)
    assert server.token(uauth_form(BOB)).status == 200, "the row began anew"
    assert count_events(server, "account_locked") == 0


@pytest.mark.parametrize("mode", ["throttle", "timed"])
def test_a_reset_forgives_the_failures_of_the_old_password(still_time, mode):
    """Whoever reads the mail of the account is not held up by others' guesses."""
    server, stand_at = still_time
    with SmtpServer() as smtp:
        configured(server, lockout_mode=mode, smtp_url=smtp.url, mail_from=FROM)
        user, email = add_person(server)
        path = reset_link(server, smtp, user, email)
        stand_at(10)
        fail_in_a_row(server, user[0], 2 * FREE_COUNT)
        assert not can_sign_in(server, *user), "held up"
        assert choose(server, path).status == 200
        assert can_sign_in(server, user[0], NEW)


def test_a_timed_lock_is_unlocked(still_time):
    server, _ = still_time
    configured(server, lockout_mode="timed", lockout_duration=86400)
    fail_in_a_row(server, "bob")
    assert server.token(uauth_form(BOB)).status == 400
    server.cli("user", "unlock", "bob")
    assert server.token(uauth_form(BOB)).status == 200


def test_throttling_locks_nobody(still_time):
    """The default: the same failures, and the account is only held up."""
    server, stand_at = still_time
    configured(server, lockout_mode="throttle")
    for _ in range(3):
        fail_in_a_row(server, "bob")
    assert server.token(uauth_form(BOB)).status == 400
    assert not is_disabled(server, "bob")
    stand_at(1)
    assert server.token(uauth_form(BOB)).status == 200


def test_pw_05_wrong_codes_hold_up_codes_and_pw_10_no_passwords(still_time):
    """After a few wrong codes the right one is refused too, in the same words."""
    server, stand_at = still_time
    secret = enrol(server, BOB)
    right = totp(secret, stand_at(0))
    server.start()
    person = at_code(server, BOB)
    for code in ["000000"] * (FREE_COUNT + 1) + [right]:
        person.fill("code", code).press("sign-in")
        assert person.status == 403 and "not right, or was used" in person.text
    assert at_code(server, BOB).has("code"), "the password is not held up"
    stand_at(1)
    person.fill("code", right).press("sign-in")
    assert person.has("sign-out"), person.answer


@pytest.mark.parametrize("mode", ["throttle", "timed", "disable"])
def test_a_new_account_begins_without_failures(still_time, mode):
    """Whoever guesses a name before it is given to somebody does not lock it."""
    server, stand_at = still_time
    configured(server, lockout_mode=mode, lockout_duration=86400)
    fail_in_a_row(server, "newcomer")
    server.add_user("newcomer", "the newcomers long password 4")
    newcomer = ("newcomer", "the newcomers long password 4")
    assert server.token(uauth_form(newcomer)).status == 200
    stand_at(1)
    fail_in_a_row(server, "newcomer", 1)
    assert not is_disabled(server, "newcomer")


def fail_as_client(server, client_id):
    for _ in range(FREE_COUNT):
        answer = server.token({"grant_type": "client_credentials"}, client=(client_id, "wrong"))
        assert answer.status == 401, answer


@pytest.mark.parametrize("mode", ["throttle", "timed", "disable"])
def test_what_an_operator_replaces_is_not_held_up(still_time, mode):
    """Failures under an old secret, or before a disabling, are forgotten with it."""
    server, _ = still_time
    configured(server, lockout_mode=mode, lockout_duration=86400)
    new_secret = "another-client-secret-2Lk8"
    server.secrets.add(new_secret)
    fail_as_client(server, C1[0])
    answer = server.token({"grant_type": "client_credentials"}, client=C1)
    assert answer.status == 401, "held up, as the clock stands still"
    server.cli("client", "secret", C1[0], "--secret-stdin", stdin=new_secret + "\n")
    server.client_token((C1[0], new_secret), "read")

    fail_as_client(server, "c2")
    server.cli("client", "disable", "c2")
    server.cli("client", "enable", "c2")
    server.client_token(("c2", "second-client-secret-8Bt3"), "read")

    token = server.client_token((C1[0], new_secret), "read")["access_token"]
    for _ in range(FREE_COUNT):
        assert server.introspect(token, (API[0], "wrong")).status == 401
    assert server.introspect(token, API).status == 401
    server.secrets.add("another-service-secret-4Zc1")
    server.cli("service", "secret", API[0], "--secret-stdin",
               stdin="another-service-secret-4Zc1\n")
    assert server.is_active(token, (API[0], "another-service-secret-4Zc1"))

    for _ in range(FREE_COUNT):
        assert server.token(uauth_form((ALICE[0], "wrong"))).status == 400
    assert server.token(uauth_form(ALICE)).status == 400
    server.cli("user", "enable", "alice")
    assert server.token(uauth_form(ALICE)).status == 200

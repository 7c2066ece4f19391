"""What a Spectrum token rests on: addresses, time, settings, lockout (T4, T11, T12)."""

import threading

import pytest

from harness import ALICE, BOB, UAUTH, UAUTH_SERVICE, bearer, uauth_form
from spectrum_calls import (DOOR, OPEN_PATH, SESSION_PATH, TOKEN_COOKIE, log_in, log_out,
                            open_token, pair_headers, session_token, use, user_basic)

MINUTE_S = 60


def start_admin(new_server, *args, **more):
    server = new_server(start=False, args=list(args), **more)
    server.add_user("admin", "the administrator's password 1", "--admin")
    return server.start()


# -- introspection ------------------------------------------------------------------------------

def ask(server, token, **fields):
    answer = server.post_form("/oauth2/introspect", {"token": token, **fields},
                              client=UAUTH_SERVICE)
    assert answer.status == 200, answer
    return answer.json


@pytest.fixture(scope="module")
def plain(module_server):
    return module_server()


def test_introspection_of_a_session_token_needs_its_context(plain):
    token, session = session_token(plain, ALICE, 5)
    body = ask(plain, token, session=session, client_address="127.0.0.1")
    assert body["active"] and body["username"] == ALICE[0] and UAUTH in body["aud"], body
    assert body["exp"] - body["iat"] == 5 * MINUTE_S
    for fields in ({}, {"session": session}, {"client_address": "127.0.0.1"},
                   {"session": session, "client_address": "127.0.0.2"},
                   {"session": "null", "client_address": "127.0.0.1"}):
        assert ask(plain, token, **fields) == {"active": False}, fields


def test_introspection_of_an_open_token_needs_none(plain):
    body = ask(plain, open_token(plain, ALICE, 0))
    assert body["active"] and "exp" not in body
    assert ask(plain, open_token(plain, ALICE), session="null",
               client_address="192.0.2.1")["active"]


def test_introspection_by_the_computer_s_other_spelling(plain):
    token, session = session_token(plain, ALICE)
    assert ask(plain, token, session=session, client_address="::ffff:127.0.0.1")["active"]
    answer = plain.post_form("/oauth2/introspect", {"token": token, "client_address": "nowhere"},
                             client=UAUTH_SERVICE)
    assert answer.status == 400, answer


# -- addresses ----------------------------------------------------------------------------------

def via(address):
    return [("X-Forwarded-For", address)]


def session_from(server, address):
    body = log_in(server, SESSION_PATH + "0", ALICE, headers=dict(via(address))).json
    return body["access_token"], body["session"]


BINDINGS = [
    ("exact", "198.51.100.7", "198.51.100.7", True),
    ("exact", "198.51.100.7", "198.51.100.8", False),
    ("exact", "2001:db8::1", "2001:db8:0::1", True),
    ("exact", "2001:db8::1", "2001:db8::2", False),
    ("prefix", "198.51.100.7", "198.51.100.250", True),
    ("prefix", "198.51.100.7", "198.51.101.7", False),
    ("prefix", "2001:db8:1:2::1", "2001:db8:1:2:ffff::", True),
    ("prefix", "2001:db8:1:2::1", "2001:db8:1:3::1", False),
    ("prefix", "198.51.100.7", "2001:db8::1", False),
    ("off", "198.51.100.7", "2001:db8::1", True),
    ("off", "2001:db8::1", "192.0.2.99", True),
]


@pytest.fixture(scope="module")
def bound(module_server):
    """A server behind a trusted proxy for each binding, begun when it is asked for."""
    made = {}

    def get(binding):
        if binding not in made:
            made[binding] = module_server(args=["--trusted-proxy", "127.0.0.1",
                                                "--spectrum-address-binding", binding])
        return made[binding]

    return get


@pytest.mark.parametrize("binding,begun,used,is_good", BINDINGS)
def test_t2_binding_behind_a_trusted_proxy(bound, binding, begun, used, is_good):
    server = bound(binding)
    token, session = session_from(server, begun)
    answer = use(server, token, session, headers=via(used))
    assert (answer.status == 200) == is_good, answer
    assert use(server, token, session, headers=via(begun)).status == 200
    with_cookies = [("Cookie", f"{TOKEN_COOKIE}{token}; SESSION={session}")]
    answer = server.forward_auth(None, headers=with_cookies + via(used))
    assert (answer.status == 200) == is_good, answer
    assert ask(server, token, session=session, client_address=used)["active"] == is_good


def test_what_a_stranger_says_of_its_address_is_not_believed(plain):
    token, session = session_token(plain, ALICE, source="127.0.0.4")
    assert use(plain, token, session, headers=via("127.0.0.4")).status == 401
    assert use(plain, token, session, headers=via("10.0.0.1"), source="127.0.0.4").status == 200


# -- restarts -----------------------------------------------------------------------------------

def test_tokens_sessions_and_logouts_survive_a_restart(new_server):
    server = new_server()
    kept, ended = session_token(server, ALICE), session_token(server, ALICE)
    endless, short, gone = (open_token(server, ALICE, ttl) for ttl in (0, 5, 0))
    assert log_out(server, *ended).status == 200 and log_out(server, gone).status == 200
    server.restart()
    assert use(server, *kept).status == 200
    assert use(server, kept[0]).status == 401
    assert use(server, *kept, source="127.0.0.2").status == 401
    assert use(server, endless).status == 200 and use(server, short).status == 200
    assert use(server, *ended).status == 401 and use(server, gone).status == 401


# -- settings -----------------------------------------------------------------------------------

def test_endless_open_tokens_can_be_off(new_server):
    server = new_server(args=["--spectrum-endless-open-tokens", "off"])
    answer = server.get(OPEN_PATH + "0", user_basic(ALICE))
    assert answer.status == 400 and "1 or more minutes" in answer.json["message"], answer
    assert use(server, open_token(server, ALICE, 1)).status == 200
    assert use(server, *session_token(server, ALICE, 0)).status == 200


def test_each_endless_open_token_is_warned_of(plain):
    def warned():
        return [line for line in plain.log_lines() if line.get("event") == "endless_open_token"]

    before = len(warned())
    open_token(plain, BOB, 5)
    session_token(plain, BOB, 0)
    assert len(warned()) == before
    open_token(plain, BOB, 0)
    assert [line["username"] for line in warned()[before:]] == [BOB[0]]


def test_basic_can_be_off_at_the_door_alone(new_server):
    server = new_server(args=["--spectrum-basic", "off"])
    answer = server.get(DOOR, user_basic(ALICE))
    assert answer.status == 401 and answer.json == {"message": "invalid token"}, answer
    token = open_token(server, ALICE)
    assert use(server, token).status == 200
    answer = server.get(DOOR, list(user_basic(ALICE).items()) + [("Cookie", TOKEN_COOKIE + token)])
    assert answer.status == 200, "the cookie is a token"


def test_the_dialect_can_be_off(new_server):
    server = new_server(args=["--spectrum", "off"])
    for path in (OPEN_PATH + "1", SESSION_PATH + "1", DOOR, "/security/rest?_wadl"):
        assert server.get(path, user_basic(ALICE)).status == 404, path
    token = server.post_form("/oauth2/token/", uauth_form()).json["access_token"]
    assert server.forward_auth(token).status == 200
    assert server.forward_auth(None, headers=[("Cookie", TOKEN_COOKIE + token)]).status == 401


def test_prefix_and_host_confine_it(new_server):
    server = new_server(args=["--spectrum-prefix", "/old", "--spectrum-host", "spectrum.example",
                              "--trusted-proxy", "127.0.0.1"])
    here = {"Host": "spectrum.example:8080"}
    token = log_in(server, "/old" + OPEN_PATH + "1", ALICE, headers=here).json["access_token"]
    assert use(server, token, path="/old" + DOOR, headers=here.items()).status == 200
    for path, host in ((OPEN_PATH + "1", here), ("/old" + OPEN_PATH + "1", {}),
                       ("/oldx" + OPEN_PATH + "1", here)):
        assert server.get(path, user_basic(ALICE) | host).status == 404, (path, host)
    answer = server.get("/old/security/rest?_wadl", {
        "Host": "inside:1", "X-Forwarded-Host": "spectrum.example", "X-Forwarded-Proto": "https"})
    assert b'base="https://spectrum.example/old/security/rest"' in answer.body, answer


@pytest.mark.parametrize("origin", ["https://(a)\\1*", "https://*[", "pages.example", "*",
                                    "https://pages.example/"])
def test_a_bad_origin_is_told_at_the_start(new_server, origin):
    server = new_server(start=False)
    done = server.cli("serve", "--listen", "127.0.0.1:0", "--spectrum-cors-origin", origin,
                      status=None)
    assert done.status != 0 and "--spectrum-cors-origin" in done.err, done


def test_tokens_are_for_what_the_built_in_client_is_registered_for(new_server):
    """Else for every service that allows passwords; with none of those, for no service."""
    server = new_server(seeded=False)
    server.add_user(*ALICE)
    assert use(server, open_token(server, ALICE)).header("X-Auth-Audience") is None
    server.add_service("maps.example", "maps-service-secret-2Lk8", "--allow-password")
    server.add_service("closed.example", "closed-service-secret-5Rc4", "--scope", "closed")
    answer = use(server, open_token(server, ALICE))
    assert answer.header("X-Auth-Audience") == "maps.example", answer


# -- time ---------------------------------------------------------------------------------------

# Its row stays a minute after the end.
EXPIRED = {"message": "expired token"}


def test_t4_an_open_token_is_fetched_again_when_it_ends(faked_time):
    server, set_time = faked_time
    path = OPEN_PATH + "60?noCache=1"
    token = log_in(server, path, ALICE).json["access_token"]
    set_time(60 * MINUTE_S - 5)
    assert use(server, token).status == 200
    set_time(60 * MINUTE_S + 2)
    answer = use(server, token)
    assert answer.status == 401 and answer.json == EXPIRED, answer
    assert "invalid_token" in answer.header("WWW-Authenticate")
    assert log_out(server, token).status == 401
    assert use(server, log_in(server, path, ALICE).json["access_token"]).status == 200


def test_t11_activity_keeps_a_session_and_idleness_ends_it(faked_time):
    server, set_time = faked_time
    busy, idle = session_token(server, ALICE, 0), session_token(server, ALICE, 0)
    for minute in range(29, 29 * 8, 29):
        set_time(minute * MINUTE_S)
        assert use(server, *busy).status == 200, minute
    last = minute
    assert use(server, *idle).status == 401
    set_time((last + 30) * MINUTE_S + 2)
    assert use(server, *busy).status == 401, "30 idle minutes, and a ttl of 0 does not lift them"
    assert log_out(server, *busy).status == 401


def test_t11_ttl_is_absolute(faked_time):
    server, set_time = faked_time
    token, session = session_token(server, ALICE, 1)
    for second in range(10, 60, 10):
        set_time(second)
        assert use(server, token, session).status == 200, second
    set_time(62)
    answer = use(server, token, session)
    assert answer.status == 401 and answer.json == EXPIRED, answer


def test_t11_only_success_is_activity(faked_time):
    server, set_time = faked_time
    token, session = session_token(server, ALICE, 0)
    for minute in (10, 20, 29):
        set_time(minute * MINUTE_S)
        assert use(server, token).status == 401
        assert use(server, token, session, source="127.0.0.2").status == 401
        assert use(server, token, "null").status == 401
        assert ask(server, token, session=session) == {"active": False}
    set_time(31 * MINUTE_S)
    assert use(server, token, session).status == 401


def test_t11_every_door_counts_as_activity(faked_time):
    server, set_time = faked_time
    token, session = session_token(server, ALICE, 0)
    cookie = [("Cookie", "SESSION=" + session)]
    uses = [
        lambda: server.forward_auth(token, headers=cookie).status == 200,
        lambda: ask(server, token, session=session, client_address="127.0.0.1")["active"],
        lambda: use(server, token, session).status == 200]
    for index, is_good in enumerate(uses * 2):
        set_time((index + 1) * 25 * MINUTE_S)
        assert is_good(), index


def test_t11_the_idle_clock_runs_on_through_a_restart(faked_time):
    server, set_time = faked_time
    used, unused = session_token(server, ALICE, 0), session_token(server, ALICE, 0)
    set_time(20 * MINUTE_S)
    assert use(server, *used).status == 200
    server.restart()
    set_time(40 * MINUTE_S)
    assert use(server, *used).status == 200 and use(server, *unused).status == 401


def test_t11_the_idle_time_is_a_setting(faked_time):
    server, set_time = faked_time
    server.args += ["--spectrum-session-idle", "60"]
    server.restart()
    token, session = session_token(server, ALICE, 0)
    for second in (50, 105):
        set_time(second)
        assert use(server, token, session).status == 200, second
    set_time(170)
    assert use(server, token, session).status == 401


# -- lockout ------------------------------------------------------------------------------------

def test_t12_five_failures_disable_until_an_administrator_enables(new_server):
    server = start_admin(new_server, "--lockout-mode", "disable")
    token = open_token(server, BOB, 0)
    for index in range(5):
        answer = server.get(OPEN_PATH + "5", user_basic((BOB[0], f"wrong password {index}")),
                            source=f"127.0.3.{index + 1}")
        assert answer.status == 401 and answer.json == {"reason": "Unauthorized"}
    for source in ("127.0.0.1", "127.0.3.99"):
        answer = server.get(OPEN_PATH + "5", user_basic(BOB), source=source)
        assert answer.status == 401 and answer.json == {"reason": "Unauthorized"}, answer
    assert server.token(uauth_form(BOB)).status == 400, "one counter over all doors"
    assert use(server, token).status == 401, "living tokens end with the account"
    assert server.get(OPEN_PATH + "5", user_basic(ALICE)).status == 200
    server.cli("user", "enable", BOB[0])
    assert use(server, open_token(server, BOB)).status == 200


def test_t12_failures_at_all_doors_are_one_row(new_server):
    server = new_server(args=["--lockout-mode", "disable"])
    for index in range(5):
        wrong = (BOB[0], f"wrong password {index}")
        if index % 2:
            assert server.get(DOOR, user_basic(wrong)).status == 401
        else:
            assert server.token(uauth_form(wrong)).status == 400
    assert server.get(OPEN_PATH + "5", user_basic(BOB)).status == 401


def test_t12_a_success_ends_the_row(new_server):
    server = new_server(args=["--lockout-mode", "disable"])
    for _ in range(2):
        for index in range(4):
            assert server.get(OPEN_PATH + "5",
                              user_basic((BOB[0], f"wrong {index}"))).status == 401
        open_token(server, BOB)


def test_t12_an_administrator_is_never_disabled(new_server):
    server = start_admin(new_server, "--lockout-mode", "disable")
    for index in range(6):
        server.get(OPEN_PATH + "5", user_basic(("admin", f"wrong password {index}")))
    shown = server.cli("user", "show", "admin").out
    assert "disabled" not in shown or '"disabled":false' in shown.replace(" ", ""), shown


def test_an_open_token_does_not_carry_a_session_of_others(plain):
    """Fault class: a session id is no credential by itself."""
    token, session = session_token(plain, ALICE)
    assert plain.get(DOOR, {"Cookie": "SESSION=" + session}).status == 401
    assert plain.get(DOOR, bearer(session)).status == 401
    assert plain.get(DOOR, pair_headers(token, session)).status == 200


def test_an_account_with_a_second_factor_is_refused_like_a_wrong_password(new_server):
    """Basic cannot carry a code; the log alone says why."""
    server = new_server()
    server.cli("user", "totp", BOB[0])
    wrong = server.get(OPEN_PATH + "5", user_basic((ALICE[0], "wrong wrong wrong")))
    for path in (OPEN_PATH + "5", SESSION_PATH + "5", DOOR):
        answer = server.get(path, user_basic(BOB))
        assert (answer.status, answer.body) == (wrong.status, wrong.body), answer
        assert answer.header("WWW-Authenticate") == wrong.header("WWW-Authenticate")
    why = [line.get("why", "") for line in server.log_lines() if line.get("event") == "refused"]
    assert any("factor" in words for words in why), why


def test_an_address_over_its_limit_is_told_when_to_come_back(new_server, plain_binary):
    server = new_server(binary=plain_binary)
    answers = []

    def guess(worker):
        for index in range(200):
            if answers:
                return
            answer = server.get(OPEN_PATH + "5", user_basic((f"nobody-{worker}-{index}", "x" * 9)),
                                source="127.0.0.77")
            if answer.status == 429:
                answers.append(answer)

    threads = [threading.Thread(target=guess, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers, "800 failures from one address and no 429"
    assert int(answers[0].header("Retry-After")) > 0
    assert answers[0].json == {"message": "Too Many Requests"}
    assert answers[0].header("WWW-Authenticate") is None
    held = server.get(DOOR, user_basic(ALICE), source="127.0.0.77")
    assert held.status == 429, held

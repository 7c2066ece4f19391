"""Logout by a client's wish and by a person's (OpenID Connect RP-Initiated Logout 1.0, Back-Channel
Logout 1.0): OI-05, OI-06, OI-07, RT-10. docs/STANDARDS.md names the modules of the OpenID
Foundation's suite that each test covers."""

import base64
import json
import time
import urllib.parse
import urllib.request

import pytest
from jwcrypto import jwk, jws

from certificates import Authority, HttpsServer
from harness import ALICE, BOB, FORM, form_encode, free_port, jwt_part, wait_until
from person import Person
from relying_party import RelyingParty

PATH = "/oauth2/logout"
ROBOT = ("robot", "the secret of a machine that administers 5")
EVENT = "http://schemas.openid.net/event/backchannel-logout"
ADMIN = ("root", "the-admins-own-long-password-9")


@pytest.fixture(scope="module")
def server(module_server):
    return module_server()


@pytest.fixture(scope="module")
def rp(server):
    RelyingParty(server, "other")
    return RelyingParty(server, metadata={"client_name": "Reading Room"})


@pytest.fixture
def person(server):
    return Person(server)


def ask(person, **parameters):
    return person.open(f"{PATH}?{form_encode(parameters)}")


def is_signed_in(person):
    """Whether the browser, with the cookies it has now, is somebody's."""
    other = Person(person.server)
    other.cookies = dict(person.cookies)
    return other.open("/account").has("sign-out")


def is_question(person):
    return person.status == 200 and person.has("logout") and \
        person.answer.header("Location") is None


def is_goodbye(person):
    return person.status == 200 and person.has("message") and not is_signed_in(person)


def is_error(person):
    return person.status == 400 and person.has("error") and \
        person.answer.header("Location") is None and is_signed_in(person)


def target_of(person):
    assert person.status == 303, person.answer
    return person.answer.header("Location")


# -- a client's wish --------------------------------------------------------------------------


def test_oi_05_with_a_hint_there_and_back(rp, person):
    """oidcc-rp-initiated-logout"""
    got = rp.tokens(person)
    ask(person, id_token_hint=got["id_token"], post_logout_redirect_uri=rp.after_logout,
        state="a b&c=d")
    assert target_of(person) == rp.after_logout + "?state=a%20b%26c%3Dd"
    assert not is_signed_in(person)
    back = rp.server.request("GET", rp.path(prompt="none"), None, [
        ("Cookie", "; ".join(f"{name}={value}" for name, value in person.cookies.items()))])
    assert "error=login_required" in back.header("Location")


def test_oi_05_no_state(rp, person):
    """oidcc-rp-initiated-logout-no-state"""
    got = rp.tokens(person)
    ask(person, id_token_hint=got["id_token"], post_logout_redirect_uri=rp.after_logout)
    assert target_of(person) == rp.after_logout


def test_oi_05_no_address(rp, person):
    """oidcc-rp-initiated-logout-no-post-logout-redirect-uri"""
    got = rp.tokens(person)
    ask(person, id_token_hint=got["id_token"], state="st")
    assert is_goodbye(person) and person.answer.header("Location") is None


@pytest.mark.parametrize("parameters", [{}, {"state": "only"}, {"ui_locales": "xx"},
                                        {"logout_hint": "alice"},
                                        {"post_logout_redirect_uri": "https://evil.example/"}])
def test_oi_05_no_hint_means_a_question_first(rp, person, parameters):
    """oidcc-rp-initiated-logout-no-params, -only-state, -no-id-token-hint"""
    rp.tokens(person)
    assert is_question(ask(person, **parameters))
    stays = Person(rp.server)
    stays.cookies, stays.path, stays.page = person.cookies, person.path, person.page
    stays.press("cancel")
    assert is_signed_in(person)
    ask(person, **parameters).press("ok")
    assert is_goodbye(person) and person.answer.header("Location") is None


def test_oi_05_a_known_client_without_a_hint(rp, person):
    """RP-Initiated Logout 2: client_id; the question names it, and its form may lead there."""
    rp.tokens(person)
    ask(person, client_id="rp", post_logout_redirect_uri=rp.after_logout, state="st")
    assert is_question(person) and "Reading Room" in person.text_of("client")
    policy = person.answer.header("Content-Security-Policy")
    assert "form-action 'self' https://rp.example;" in policy, policy
    person.press("ok")
    assert target_of(person) == rp.after_logout + "?state=st" and not is_signed_in(person)


@pytest.mark.parametrize("uri", [
    "https://evil.example/", "https://rp.example/signed-out/", "https://rp.example/signed-out?x=1",
    "https://rp.example/signed-out#x", "https://rp.example/cb", "HTTPS://rp.example/signed-out",
    "https://rp.example:443/signed-out", "https://rp.example/%73igned-out", "//rp.example/x",
    "javascript:alert(1)", "https://rp.example/signed-out\n", "https://other.example/signed-out"])
def test_oi_05_unregistered_addresses_are_never_followed(rp, person, uri):
    """oidcc-rp-initiated-logout-bad-post-logout-redirect-uri,
    -query-added-to-post-logout-redirect-uri"""
    got = rp.tokens(person)
    assert is_error(ask(person, id_token_hint=got["id_token"], post_logout_redirect_uri=uri))
    assert is_error(ask(person, client_id="rp", post_logout_redirect_uri=uri))
    question = ask(person, client_id="rp")
    assert is_question(question)
    forged = question.post_of("ok")[2].replace(
        "request=client_id%3Drp", "request=" + urllib.parse.quote(form_encode(
            {"client_id": "rp", "post_logout_redirect_uri": uri})))
    person.send("POST", PATH + "/confirmed", forged)
    assert is_error(person)


def unsigned(token):
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


def resigned(token):
    """The same claims under a key of somebody else's, with our kid."""
    key = jwk.JWK.generate(kty="EC", crv="P-256")
    made = jws.JWS(json.dumps(jwt_part(token, 1)))
    made.add_signature(key, None, json.dumps({**jwt_part(token, 0), "alg": "ES256"}))
    return made.serialize(compact=True)


def changed(token):
    claims = {**jwt_part(token, 1), "sub": "account:1"}
    text = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return ".".join([token.split(".")[0], text, token.split(".")[2]])


@pytest.mark.parametrize("spoil", [unsigned, resigned, changed, lambda token: token[:-2],
                                   lambda token: "x", lambda token: "a." * 4000])
def test_oi_07_a_hint_that_is_none_is_ignored(rp, person, spoil):
    """oidcc-rp-initiated-logout-modified-id-token-hint, -bad-id-token-hint: a question, and
    whatever the answer is, nobody is sent anywhere."""
    hint = spoil(rp.tokens(person)["id_token"])
    ask(person, id_token_hint=hint, post_logout_redirect_uri=rp.after_logout, state="st")
    assert is_question(person)
    ask(person, client_id="rp", id_token_hint=hint, post_logout_redirect_uri=rp.after_logout)
    assert is_question(person)
    person.press("ok")
    assert is_goodbye(person) and person.answer.header("Location") is None


def test_oi_07_a_hint_of_another_client(rp, person):
    hint = rp.tokens(person)["id_token"]
    ask(person, client_id="other", id_token_hint=hint,
        post_logout_redirect_uri="https://other.example/signed-out")
    assert is_question(person)
    person.press("ok")
    assert is_goodbye(person)


def test_oi_07_a_hint_of_another_person(rp, person):
    other = Person(rp.server)
    hint = rp.tokens(other, user=BOB)["id_token"]
    rp.tokens(person)
    assert is_question(ask(person, id_token_hint=hint))
    assert is_signed_in(person) and is_signed_in(other)


def test_oi_07_an_expired_hint_is_one(faked_time):
    """RP-Initiated Logout 2: also when it has expired."""
    server, set_time = faked_time
    party = RelyingParty(server)
    person = Person(server)
    hint = party.tokens(person)["id_token"]
    set_time(3700)
    person.sign_in(ALICE)
    ask(person, id_token_hint=hint, post_logout_redirect_uri=party.after_logout)
    assert target_of(person) == party.after_logout


@pytest.mark.parametrize("query", [
    "client_id=nobody", "client_id=rp&client_id=rp", "client_id=" + "x" * 300,
    "client_id=rp&state=" + "s" * 1025, "client_id=%FF", "client_id=public_client&"
    "post_logout_redirect_uri=https%3A%2F%2Frp.example%2Fsigned-out"])
def test_oi_05_what_is_wrong_is_shown_here(rp, person, query):
    rp.tokens(person)
    assert is_error(person.open(f"{PATH}?{query}"))


def test_oi_05_nobody_is_signed_in(rp, person):
    got = rp.tokens(Person(rp.server))
    ask(person, id_token_hint=got["id_token"], post_logout_redirect_uri=rp.after_logout)
    assert target_of(person) == rp.after_logout
    assert is_goodbye(Person(rp.server).open(PATH))


def test_az_11_a_form_comes_again_by_get(rp, person):
    """RP-Initiated Logout 2: GET and POST. Browsers send no cookie with a form of another site."""
    got = rp.tokens(person)
    body = form_encode({"id_token_hint": got["id_token"], "state": "st",
                        "post_logout_redirect_uri": rp.after_logout})
    first = rp.server.request("POST", PATH, body, {
        "Content-Type": FORM, "Origin": "https://rp.example", "Sec-Fetch-Site": "cross-site"})
    assert first.status == 303 and first.header("Location") == f"{PATH}?{body}", first
    assert first.header("Set-Cookie") is None or "max-age=0" not in first.header("Set-Cookie")
    person.open(first.header("Location"))
    assert target_of(person) == rp.after_logout + "?state=st"
    bad = rp.server.request("POST", PATH, "\\\\evil.example", {"Content-Type": FORM})
    assert bad.status == 400, bad


def test_se_03_only_our_own_form_confirms(rp, person):
    rp.tokens(person)
    for body in ("request=client_id%3Drp", "request=&csrf=x", ""):
        answer = rp.server.request("POST", PATH + "/confirmed", body, [
            ("Content-Type", FORM), ("Cookie", "; ".join(
                f"{name}={value}" for name, value in person.cookies.items()))])
        assert answer.status == 403, answer
    assert is_signed_in(person)


def test_a_head_request_ends_nothing(rp, person):
    got = rp.tokens(person)
    cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    answer = rp.server.request("HEAD", f"{PATH}?id_token_hint={got['id_token']}", None,
                               {"Cookie": cookies})
    assert answer.status == 200 and is_signed_in(person)


def test_ui_locales_choose_the_language(rp, person):
    rp.tokens(person)
    for locales, words in (("de-CH en", "Abmelden?"), ("xx fr", "Se déconnecter ?"),
                           ("xx", "Sign out?")):
        assert words in ask(person, ui_locales=locales).text


# -- what ends ---------------------------------------------------------------------------------


def test_rt_10_what_was_granted_by_it_ends(rp, person):
    """Back-Channel Logout 2.7: refresh tokens without offline_access, and everything below."""
    here = rp.tokens(person, scope="openid read")
    offline = rp.tokens(person, scope="openid offline_access read", prompt="consent")
    elsewhere = rp.tokens(Person(rp.server), scope="openid read")
    unused = rp.authorize(person, scope="openid read")["code"]
    ask(person, id_token_hint=here["id_token"], post_logout_redirect_uri=rp.after_logout)
    assert target_of(person) == rp.after_logout
    assert rp.refresh(here["refresh_token"]).error == "invalid_grant"
    assert not rp.is_active(here["access_token"])
    assert rp.server.get("/oauth2/userinfo", {
        "Authorization": "Bearer " + here["access_token"]}).status == 401
    assert rp.redeem(unused).error == "invalid_grant"
    for kept in (offline, elsewhere):
        assert rp.is_active(kept["access_token"])
        assert rp.refresh(kept["refresh_token"]).status == 200


def test_rt_10_many_grants_of_one_sign_in(rp, person):
    """More than one page of them, with some that stay in between."""
    ending, staying = [], []
    for turn in range(12):
        ending.append(rp.tokens(person, scope="openid read")["access_token"])
        if turn % 4 == 0:
            staying.append(rp.tokens(person, scope="openid offline_access")["access_token"])
    person.open("/account").press("sign-out")
    assert not any(rp.is_active(token) for token in ending)
    assert all(rp.is_active(token) for token in staying)


# -- telling clients --------------------------------------------------------------------------


class Receivers:
    """Clients with a place for logout tokens, at a server of their own."""

    def __init__(self, make_server, folder, **options):
        self.authority = Authority("Receivers")
        self.https = HttpsServer(self.authority, folder, {})
        args = ["--fetch-ca-file", str(self.authority.save(folder, "receivers-ca")),
                "--fetch-network", "127.0.0.1"]
        self.server = make_server(args=args, **options)

    def add(self, client_id, status=200, **metadata):
        self.answer(client_id, status)
        return RelyingParty(self.server, client_id, {
            "backchannel_logout_uri": self.https.url(f"/{client_id}"), **metadata})

    def answer(self, client_id, *statuses):
        """These, one after the other, the last one again and again."""
        waiting = list(statuses)
        self.https.answers[f"/{client_id}"] = lambda: (
            waiting.pop(0) if len(waiting) > 1 else waiting[0], {"Cache-Control": "no-store"}, b"")

    def told(self, client_id):
        """The tokens that came for a client."""
        tokens = []
        for method, path, headers, body in list(self.https.seen):
            if path == f"/{client_id}":
                fields = urllib.parse.parse_qs(body.decode(), strict_parsing=True)
                assert method == "POST" and headers["Content-Type"] == FORM
                assert list(fields) == ["logout_token"] and len(fields["logout_token"]) == 1
                tokens += fields["logout_token"]
        self.server.secrets.update(tokens)
        return tokens

    def wait(self, client_id, count=1, timeout_s=30):
        wait_until(lambda: len(self.told(client_id)) >= count, timeout_s, f"{client_id} is told")
        return self.told(client_id)

    def verified(self, token):
        keys = {key["kid"]: key for key in self.server.get("/oauth2/jwks").json["keys"]}
        header = jwt_part(token, 0)
        read = jws.JWS()
        read.allowed_algs = ["RS256", "ES256", "EdDSA"]
        read.deserialize(token, jwk.JWK(**keys[header["kid"]]))
        return header, json.loads(read.payload)

    def close(self):
        self.https.close()


@pytest.fixture(scope="module")
def receivers(module_server, tmp_path_factory):
    made = Receivers(module_server, tmp_path_factory.mktemp("receivers"))
    made.server.add_user(*ADMIN, "--admin")
    yield made
    made.close()


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_oi_06_the_token(receivers, alg):
    """Back-Channel Logout 2.4; oidcc-backchannel-rp-initiated-logout"""
    party = receivers.add(f"alg-{alg.lower()}", id_token_signed_response_alg=alg)
    person = Person(receivers.server)
    got = party.tokens(person)
    claims = jwt_part(got["id_token"], 1)
    before = int(time.time())
    ask(person, id_token_hint=got["id_token"])
    token, = receivers.wait(party.client_id)
    header, told = receivers.verified(token)
    assert header["typ"] == "logout+jwt" and header["alg"] == alg
    assert set(told) == {"iss", "sub", "aud", "iat", "exp", "jti", "sid", "events"}
    for name in ("iss", "sub", "sid"):
        assert told[name] == claims[name], name
    assert told["aud"] == party.client_id and told["events"] == {EVENT: {}}
    assert before - 2 <= told["iat"] <= told["exp"] <= told["iat"] + 120
    server = receivers.server  # JT-02: it is nothing else
    assert server.get("/oauth2/userinfo", {"Authorization": "Bearer " + token}).status == 401
    assert not party.is_active(token)
    again = Person(server)
    party.tokens(again)
    assert is_question(ask(again, id_token_hint=token))


def end_by_button(person, _):
    person.open("/account").press("sign-out")


def end_by_own_list(person, user):
    other = Person(person.server).sign_in(user)
    other.open("/sessions")
    mine = [name for name in other.page.buttons if name.startswith("end-") and name != "end-others"]
    other.press(mine[0])
    assert other.status == 200, other.answer


def end_by_all_others(person, user):
    Person(person.server).sign_in(user).open("/sessions").press("end-others")


def end_by_new_password(person, user):
    other = Person(person.server).sign_in(user).open("/account/password")
    new = user[1] + "-changed"
    other.server.secrets.add(new)
    other.fill("current-password", user[1]).fill("password", new)
    assert "end_sessions=yes" in other.post_of("save")[2]  # the box is ticked
    other.press("save")
    assert other.status == 200 and other.has("sign-out"), other.answer


def end_by_administrator(verb):
    def end(person, user):
        admin = Person(person.server).sign_in(ADMIN)
        admin.open("/admin/accounts?q=" + user[0])
        links = [href for href in admin.page.links.values() if href]
        link = next(href for href in links if href.startswith("/admin/accounts/") and
                    href != "/admin/accounts/new")
        admin.open(f"{link}/{verb}").prove(ADMIN)
        if not admin.has("ok"):
            admin.open(f"{link}/{verb}")
        admin.press("ok")
        assert admin.status == 200, admin.answer
    return end


def end_by_enrolment(person, user):
    """An administrator's program makes a second factor for the account."""
    server = person.server
    server.add_client(*ROBOT, "--grant", "client_credentials", "--scope", "jeton:admin")
    token = server.client_token(ROBOT, "jeton:admin")["access_token"]
    bearer = [("Authorization", "Bearer " + token),
              ("Content-Type", "application/json")]
    found = server.request("GET", "/api/v1/admin/accounts?q=" + user[0], None, bearer[:1]).json
    place = f"/api/v1/admin/accounts/{found['items'][0]['id']}/factors"
    made = server.request("POST", place, "{}", bearer)
    assert made.status == 201, made


@pytest.mark.parametrize("name, end", [
    ("button", end_by_button), ("list", end_by_own_list), ("others", end_by_all_others),
    ("enrolment", end_by_enrolment),
    ("password", end_by_new_password), ("admin", end_by_administrator("end-sessions")),
    ("disable", end_by_administrator("disable"))])
def test_oi_06_however_it_ends(receivers, name, end):
    """oidcc-backchannel-op-initiated-logout, in every way that there is; clients of other sign-ins
    are told nothing."""
    server = receivers.server
    user = (f"user-{name}", f"a-long-password-of-{name}")
    server.add_user(*user)
    party, second, silent = (receivers.add(f"{name}-{what}") for what in ("one", "two", "none"))
    person = Person(server)
    got = party.tokens(person, user=user)
    party.tokens(person, user=user)
    second.tokens(person, user=user)
    silent.tokens(Person(server))
    end(person, user)
    claims = jwt_part(got["id_token"], 1)
    for told_party in (party, second):
        token, = receivers.wait(told_party.client_id)
        told = receivers.verified(token)[1]
        assert told["aud"] == told_party.client_id and told["sid"] == claims["sid"]
    assert not party.is_active(got["access_token"]) and not is_signed_in(person)
    assert receivers.told(silent.client_id) == []


def test_oi_06_told_once_of_each_end(receivers):
    """jti and sid are of one end alone."""
    party = receivers.add("counted")
    for _ in range(3):
        end_by_button(person_with(party), None)
    receivers.wait("counted", 3)
    claims = [receivers.verified(token)[1] for token in receivers.told("counted")]
    assert len(claims) == 3
    for name in ("jti", "sid"):
        assert len({one[name] for one in claims}) == 3


def person_with(party):
    person = Person(party.server)
    party.tokens(person)
    return person


def lines_of(server, event):
    return [line for line in server.log_lines() if line.get("event") == event]


@pytest.mark.parametrize("status", [400, 404, 413])
def test_oi_06_a_client_that_refuses_is_given_up(receivers, status):
    """Back-Channel Logout 2.8"""
    party = receivers.add(f"refuses-{status}", status)
    end_by_button(person_with(party), None)
    receivers.wait(party.client_id)
    line = wait_until(lambda: [one for one in lines_of(receivers.server, "logout_given_up")
                               if one["client_id"] == party.client_id], 20, "a line in the log")
    assert line[0]["attempts"] == 1 and len(receivers.told(party.client_id)) == 1


def test_oi_06_failures_are_tried_again_and_bounded(faked_time_receivers):
    """Later and later, with a token of its own each time, over a restart, and for a day at most."""
    receivers, set_time = faked_time_receivers
    server = receivers.server
    party = receivers.add("late", 500)
    receivers.answer("late", 500, 503, 200)
    end_by_button(person_with(party), None)
    receivers.wait("late", 1)
    wait_until(lambda: lines_of(server, "logout_postponed"), 20, "it is postponed")
    server.restart()
    set_time(60)
    receivers.wait("late", 2)
    wait_until(lambda: len(lines_of(server, "logout_postponed")) == 2, 20, "it is postponed")
    set_time(200)
    receivers.wait("late", 3)
    wait_until(lambda: lines_of(server, "logout_sent"), 20, "it is sent")
    claims = [receivers.verified(token)[1] for token in receivers.told("late")]
    assert len({one["jti"] for one in claims}) == 3
    assert claims[0]["exp"] < claims[2]["iat"] and len({one["sid"] for one in claims}) == 1
    never = receivers.add("never", 500)
    end_by_button(person_with(never), None)
    receivers.wait("never", 1)
    wait_until(lambda: len(lines_of(server, "logout_postponed")) == 3, 20, "it is postponed")
    set_time(200 + 24 * 3600 + 60)
    wait_until(lambda: lines_of(server, "logout_given_up"), 30, "it is given up")
    assert len(receivers.told("never")) == 1


@pytest.fixture
def faked_time_receivers(faked_time, tmp_path):
    server, set_time = faked_time
    server.stop()

    def make(args):
        server.args = args
        return server.start()

    made = Receivers(make, tmp_path)
    yield made, set_time
    made.close()


def test_oi_06_no_request_waits_for_a_client(receivers):
    party = receivers.add("slow")
    receivers.https.answers["/slow"] = lambda: (time.sleep(4), (200, {}, b""))[1]
    person = person_with(party)
    began = time.monotonic()
    end_by_button(person, None)
    assert time.monotonic() - began < 3
    receivers.wait("slow")


def test_oi_06_the_metrics_count(new_server, tmp_path):
    port = free_port()
    made = Receivers(lambda args: new_server(args=[*args, "--metrics-listen",
                                                   f"127.0.0.1:{port}"]), tmp_path)
    end_by_button(person_with(made.add("taken")), None)
    end_by_button(person_with(made.add("refused", 400)), None)
    end_by_button(person_with(made.add("failing", 500)), None)
    wait_until(lambda: lines_of(made.server, "logout_sent") and
               lines_of(made.server, "logout_given_up") and
               lines_of(made.server, "logout_postponed"), 20, "lines in the log")

    def shown():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return {name: value for name, value in (line.split(" ") for line in lines
                                                if line.startswith("jeton_logouts_"))}

    wait_until(lambda: shown() == {"jeton_logouts_sent_total": "1",
                                   "jeton_logouts_failed_total": "1",
                                   "jeton_logouts_given_up_total": "1",
                                   "jeton_logouts_queued": "1"}, 20, f"the numbers: {shown()}")
    made.close()

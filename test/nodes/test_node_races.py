"""Many clients want the same thing at once, half of them at each of two nodes (CP-06, RT-03, CA-06,
DP-02, DV-05, PA-02, PW-09, PW-11; fault class 17): one of them gets it.

Each race is one object, 64 connections, and one request over all of them at the same moment.
"""

import hashlib
import json
import re
import secrets
import time
import urllib.parse
import uuid

import pytest

from dpop import Key
from harness import form_encode
from lines import Line, Lines
from model import SEEN_S
from nodes import ALICE, APP, CALLBACK, DEVICE_GRANT, SIGNER
from person import Person
from threedm_calls import enrol, totp

CONNECTION_COUNT = 64
OBJECT_COUNT = 200
FAMILY_COUNT = 20
SESSION_COUNT = 8  # browsers that know the password and race for one code
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CSRF = re.compile(rb'name="csrf" value="([^"]+)"')
STATUSES = {200, 303, 400, 401, 403, 410, 429, 503}


@pytest.fixture(scope="module")
def town(towns, cluster, plain):
    made = towns(cluster, binary=plain, args=["--smtp-url", "smtp://127.0.0.1:9", "--mail-from",
                                              "Jeton <noreply@example.org>"])
    return made.start()


@pytest.fixture(scope="module")
def lines(town):
    with Lines(town.addresses, CONNECTION_COUNT) as made:
        # Each node looks at each client's secret once with care, and remembers it.
        for line in made.lines[:2]:
            assert line.ask(town.nodes[0].wire_issue()).status == 200
            assert line.ask(town.nodes[0].wire("POST", "/oauth2/introspect", "token=x",
                                               client=("api.example", "api-service-secret-4Jw8")
                                               )).status == 200
        yield made


@pytest.fixture(scope="module")
def alice(town):
    """Signed in, and has allowed the client everything."""
    person = Person(town.nodes[0]).sign_in(ALICE)
    person.open(authorize_path(scope="openid offline_access read"))
    assert person.has("allow"), person.answer
    person.press("allow")
    assert "code=" in person.answer.header("Location"), person.answer
    return person


def authorize_path(**changes):
    return "/oauth2/authorize?" + form_encode({
        "client_id": APP[0], "redirect_uri": CALLBACK, "response_type": "code", "scope": "read",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256", **changes})


def cookie(value):
    return [("Cookie", "jeton=" + value)]


def cookie_of(person):
    (name, value), = person.cookies.items()
    assert name == "jeton"
    return value


def post_of_page(town, path, value, **fields):
    """A form's POST of a browser with that cookie."""
    return town.nodes[0].wire("POST", path, form_encode(fields), [
        *cookie(value), ("Origin", town.issuer), ("Sec-Fetch-Site", "same-origin")])


def location(reply, name):
    where = reply.header("Location") or ""
    return dict(urllib.parse.parse_qsl(where.partition("?")[2])).get(name)


def run_races(lines, objects, is_won, note_figure, name):
    """Races for each of the objects, which are lists of requests; the winners' replies. Nobody has
    won only where somebody was told 503, who may be the one; that is rare."""
    began = time.monotonic()
    winners, by_node, turned_away = [], [0, 0], 0
    for number, requests in enumerate(objects):
        # Either node is the first to be asked as often as the other.
        lines.lines = lines.lines[1:] + lines.lines[:1]
        replies = lines.race(requests() if callable(requests) else requests)
        won = [reply for reply in replies if is_won(reply)]
        statuses = {reply.status for reply in replies}
        assert len(won) == 1 or (not won and 503 in statuses), \
            f"object {number} has {len(won)} winners: {won} {replies[:4]}"
        assert statuses <= STATUSES, replies
        turned_away += sum(reply.status == 503 for reply in replies)
        winners += won
        for reply in won:
            by_node[reply.node] += 1
    note_figure(f"{name}: {len(objects)} races of {CONNECTION_COUNT}",
                f"won at node 0 {by_node[0]} and node 1 {by_node[1]}; {turned_away} answers of "
                f"503; {time.monotonic() - began:.1f} s")
    assert min(by_node) > 0, "both nodes take part"
    assert len(winners) >= 0.9 * len(objects)
    return winners


def codes(town, lines, alice, count, scope="read"):
    request = town.nodes[0].wire("GET", authorize_path(scope=scope), headers=cookie(
        cookie_of(alice)))
    made = [location(reply, "code") for reply in lines.ask_all([request] * count)]
    assert all(made) and len(set(made)) == count
    return made


def redeem(town, code):
    return town.nodes[0].wire("POST", "/oauth2/token", form_encode({
        "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER}), client=APP)


def has_token(reply):
    return reply.status == 200 and reply.member("access_token") is not None


# -- what clients hold ----------------------------------------------------------------------------


def test_cp_06_one_code_one_answer(town, lines, alice, note_figure):
    """The second one ends what the first gave (CP-05), maybe before the first was answered."""
    counts = ("SELECT count(*), count(DISTINCT authorization_id) FROM granted"
              " WHERE authorization_id <> 0")
    before = int(town.database.run(counts)[0].split("|")[0])

    def requests():
        return [redeem(town, codes(town, lines, alice, 1)[0])]  # a code lives for a minute

    winners = run_races(lines, [requests] * OBJECT_COUNT, has_token, note_figure,
                        "authorization code")
    made, of_codes = map(int, town.database.run(counts)[0].split("|"))
    assert made == of_codes and len(winners) <= made - before <= OBJECT_COUNT


def test_rt_03_one_refresh_token_one_successor(town, lines, alice, note_figure):
    """The same client may be given the same successor twice within a short while, and no other."""
    made = codes(town, lines, alice, OBJECT_COUNT, "offline_access read")
    replies = lines.ask_all([redeem(town, code) for code in made])
    tokens = [reply.member("refresh_token") for reply in replies]
    assert all(tokens) and len(set(tokens)) == OBJECT_COUNT, replies[0]
    began, both, lost = time.monotonic(), 0, 0
    for number, token in enumerate(tokens):
        lines.lines = lines.lines[1:] + lines.lines[:1]
        replies = lines.race([town.nodes[0].wire_refresh(token)])
        answers = [reply for reply in replies if reply.status == 200]
        successors = {reply.member("refresh_token") for reply in answers}
        statuses = {reply.status for reply in replies}
        assert statuses <= {200, 400, 503}, replies
        assert (len(successors) == 1 or 503 in statuses) and len(successors - {None}) <= 1, \
            f"token {number}: {len(successors)} successors, {replies[:4]}"
        both += len({reply.node for reply in answers}) == 2
        lost += not successors - {None}
    assert lost <= 0.1 * OBJECT_COUNT, f"{lost} tokens without a successor"
    note_figure(f"refresh token: {OBJECT_COUNT} races of {CONNECTION_COUNT}",
                f"one successor each; told by both nodes {both} times; "
                f"{time.monotonic() - began:.1f} s")


def test_rt_02_a_family_ends_at_every_node(town, lines, alice, note_figure):
    """Two steps are gone at one node; the first token is sent again to the other: it is refused,
    and within a second the newest of the family, and all that it gave, is at both."""
    here, there = Line(0, town.nodes[0].address), Line(1, town.nodes[1].address)
    first = [reply.member("refresh_token") for reply in lines.ask_all(
        [redeem(town, code) for code in codes(town, lines, alice, FAMILY_COUNT,
                                              "offline_access read")])]
    assert all(first) and len(set(first)) == FAMILY_COUNT
    taken = []
    for token in first:
        second = here.ask(town.nodes[0].wire_refresh(token))
        third = here.ask(town.nodes[0].wire_refresh(second.member("refresh_token")))
        access = third.member("access_token")
        asking = town.nodes[0].wire_introspect(access)
        assert third.status == 200 and here.ask(asking).is_active and there.ask(asking).is_active
        again = there.ask(town.nodes[0].wire_refresh(token))
        assert again.status == 400 and again.member("error") == "invalid_grant", again
        since = time.monotonic()
        while here.ask(asking).is_active is not False or there.ask(asking).is_active is not False:
            assert time.monotonic() < since + 5, "the family goes on"
        taken.append(time.monotonic() - since)
        newest = here.ask(town.nodes[0].wire_refresh(third.member("refresh_token")))
        assert newest.status == 400, newest
    here.close()
    there.close()
    note_figure(f"reuse of a refresh token at the other node, {FAMILY_COUNT} families",
                f"ended at both after at most {1000 * max(taken):.0f} ms")
    assert max(taken) < SEEN_S


def test_ca_06_an_assertion_is_good_once(town, lines, note_figure):
    def requests():
        now = int(time.time())
        assertion = town.signer.jws({"alg": "ES256", "kid": "1"}, {
            "iss": SIGNER, "sub": SIGNER, "aud": town.issuer, "jti": str(uuid.uuid4()),
            "iat": now, "exp": now + 60})
        return [town.nodes[0].wire("POST", "/oauth2/token", form_encode({
            "grant_type": "client_credentials", "scope": "read",
            "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}))]

    run_races(lines, [requests] * OBJECT_COUNT, has_token, note_figure, "client assertion")


def test_dp_02_a_proof_is_good_once(town, lines, note_figure):
    key = Key()

    def requests():
        proof = key.proof("POST", town.issuer + "/oauth2/token")
        return [town.nodes[0].wire("POST", "/oauth2/token", "grant_type=client_credentials&"
                                   "scope=read", [("DPoP", proof)], APP)]

    run_races(lines, [requests] * OBJECT_COUNT, has_token, note_figure, "DPoP proof")


def test_pa_02_a_pushed_request_is_good_once(town, lines, alice, note_figure):
    form = urllib.parse.urlsplit(authorize_path()).query
    pushed = lines.ask_all([town.nodes[0].wire("POST", "/oauth2/par", form, client=APP)]
                           * OBJECT_COUNT)
    uris = [reply.member("request_uri") for reply in pushed]
    assert all(uris) and len(set(uris)) == OBJECT_COUNT, pushed[0]
    objects = [[town.nodes[0].wire("GET", "/oauth2/authorize?" + form_encode({
        "client_id": APP[0], "request_uri": uri}), headers=cookie(cookie_of(alice)))]
        for uri in uris]
    run_races(lines, objects, lambda reply: location(reply, "code") is not None, note_figure,
              "pushed request")


def test_dv_05_a_device_code_is_good_once(town, lines, alice, note_figure):
    asked = lines.ask_all([town.nodes[0].wire("POST", "/oauth2/device_authorization",
                                              "scope=read", client=APP)] * OBJECT_COUNT)
    devices = [json.loads(reply.body) for reply in asked]
    for number, device in enumerate(devices):
        if number % 8 == 0:  # a person may try a few codes only, and here is one person
            town.database.run("DELETE FROM throttle")
        alice.open("/device").fill("user-code", device["user_code"]).press("go-on")
        assert alice.has("allow"), alice.answer
        alice.press("allow")
    objects = [[town.nodes[0].wire("POST", "/oauth2/token", form_encode({
        "grant_type": DEVICE_GRANT, "device_code": device["device_code"]}), client=APP)]
        for device in devices]
    run_races(lines, objects, has_token, note_figure, "device code")


# -- what people hold -----------------------------------------------------------------------------


def sha256(text):
    return f"sha256(convert_to({text}, 'UTF8'))"


def clone_accounts(town, name, count):
    """Accounts with carol's password: their names."""
    town.database.clone("account", "t.name = 'carol'", count, name=f"'{name}' || n",
                        folded_name=f"'{name}' || n", email=f"'{name}' || n || '@mail.example'")
    return [f"{name}{number}" for number in range(1, count + 1)]


class Browsers:
    """Browsers that are asked for the code of an account's second factor, all from one sign-in."""

    def __init__(self, town, name, count):
        self.town = town
        person = Person(town.nodes[0]).open("/sign-in")
        person.fill("username", name).fill("password", "a third long enough password C3")
        person.press("sign-in")
        assert person.path.startswith("/sign-in/code"), person.answer
        mark = secrets.token_hex(8)
        value = f"'{mark}' || lpad(n::text, 27, '0')"
        digest = hashlib.sha256(cookie_of(person).encode()).hexdigest()
        town.database.clone("browser_session", f"t.digest = '\\x{digest}'", count,
                            digest=f"'\\x' || encode({sha256(value)}, 'hex')")
        self.values = [f"{mark}{number:027d}" for number in range(1, count + 1)]
        self.csrf = []

    def find_csrf(self, lines):
        pages = lines.ask_all([self.town.nodes[0].wire("GET", "/sign-in/code",
                                                       headers=cookie(value))
                               for value in self.values])
        self.csrf = [CSRF.search(page.body).group(1).decode() for page in pages]

    def posts(self, path, first, **fields):
        """The forms of SESSION_COUNT browsers, from that one on."""
        return [post_of_page(self.town, path, self.values[number], csrf=self.csrf[number],
                             **fields)
                for number in range(first, first + SESSION_COUNT)]


def has_signed_in(reply):
    return reply.status == 303 and reply.header("Set-Cookie") is not None


def test_pw_11_a_time_step_is_good_once(town, lines, note_figure):
    """The step before, this one and the next of each app count, in this order."""
    names = clone_accounts(town, "step", (OBJECT_COUNT + 2) // 3)
    apps = [enrol(town.nodes[0], (name, None)) for name in names]
    objects = []

    def race_for(browsers, secret, number):
        def requests():
            if number == 0:
                while time.time() % 30 > 25:
                    time.sleep(0.1)
            town.database.run("DELETE FROM throttle")
            return browsers.posts("/sign-in/code", number * SESSION_COUNT,
                                  code=totp(secret, step_offset=number - 1))
        return requests

    for name, secret in zip(names, apps):
        browsers = Browsers(town, name, 3 * SESSION_COUNT)
        browsers.find_csrf(lines)
        objects += [race_for(browsers, secret, number) for number in range(3)]
    run_races(lines, objects[:OBJECT_COUNT], has_signed_in, note_figure, "TOTP step")


def test_pw_11_a_recovery_code_is_good_once(town, lines, note_figure):
    names = clone_accounts(town, "saved", OBJECT_COUNT // 10)
    objects = []

    def race_for(browsers, number, code):
        def requests():
            town.database.run("DELETE FROM throttle")
            return browsers.posts("/sign-in/code", number * SESSION_COUNT, code=code, by="recovery")
        return requests

    for name in names:
        enrol(town.nodes[0], (name, None))
        saved = town.nodes[0].cli("user", "totp", name, "--recovery-codes").out.split()
        town.nodes[0].secrets.update(saved)
        browsers = Browsers(town, name, len(saved) * SESSION_COUNT)
        browsers.find_csrf(lines)
        objects += [race_for(browsers, number, code) for number, code in enumerate(saved)]
    run_races(lines, objects, has_signed_in, note_figure, "recovery code")


def test_pw_09_a_reset_link_is_good_once(town, lines, note_figure):
    """Each hash of a new password takes the time of a hundred other requests, so that few can be
    under way at once."""
    town.database.run("DELETE FROM throttle")
    names = clone_accounts(town, "lost", OBJECT_COUNT)
    mark = secrets.token_hex(8)
    first = int(town.database.run("UPDATE sequence SET next = next + 1000 WHERE number = 0"
                                  " RETURNING next - 1000")[0])
    value = f"'{mark}' || lpad(n::text, 27, '0')"
    town.database.run(
        "INSERT INTO link (id, digest, purpose, account_id, email, name, full_name, password_hash,"
        f" expires_at) SELECT {first} + n, {sha256(value)}, 0, a.id, a.email, '', '', '',"
        f" extract(epoch FROM now())::bigint + 3000 FROM generate_series(1, {len(names)}) AS n"
        " JOIN account AS a ON a.name = 'lost' || n")
    links = [f"{mark}{number:027d}" for number in range(1, len(names) + 1)]
    page = Person(town.nodes[0]).open("/password-reset?link=" + links[0])
    assert page.has("save"), page.answer
    csrf, value = CSRF.search(page.answer.body).group(1).decode(), cookie_of(page)
    objects = [[post_of_page(town, "/password-reset", value, csrf=csrf, link=link,
                             password=f"a new password of theirs {number}")]
               for number, link in enumerate(links)]
    run_races(lines, objects, lambda reply: reply.status in (200, 303), note_figure, "reset link")

"""Spectrum's REST token service: contracts part 1, T2 to T4 and T6."""

import base64
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from harness import ALICE, BOB, bearer, uauth_form
from spectrum_calls import (DOOR, LOGOUT_PATH, OPEN_PATH, SESSION_PATH, TOKEN_COOKIE, log_in,
                            log_out, open_token, pair_headers, session_token, use, user_basic)

HEADER = '{"enc":"A128CBC-HS256","alg":"dir"}'
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
REST = "/security/rest"
BASIC_CHALLENGE = 'Basic realm="Spectrum"'
BEARER_CHALLENGE = 'Bearer realm="Spectrum", error="invalid_token"'
ORIGIN = "https://pages.example"


def assert_no_store(answer):
    assert answer.all_headers("Cache-Control") == ["no-store"], answer
    assert answer.all_headers("Pragma") == ["no-cache"], answer


def assert_refused_user(answer):
    assert answer.status == 401 and answer.body == b'{"reason":"Unauthorized"}', answer
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("WWW-Authenticate") == BASIC_CHALLENGE
    assert_no_store(answer)


def assert_refused_token(answer, words="invalid token"):
    assert answer.status == 401 and answer.json == {"message": words}, answer
    assert answer.header("WWW-Authenticate") == BEARER_CHALLENGE
    assert_no_store(answer)


# -- issuing ------------------------------------------------------------------------------------

def assert_is_jwe(token):
    header, key, vector, text, tag = token.split(".")
    assert base64.urlsafe_b64decode(header + "=").decode() == HEADER
    assert key == "" and len(vector) == 22 and len(tag) == 22 and len(text) > 22
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token), "a cookie's value"


def test_session_token_has_the_documented_members(jeton):
    answer = log_in(jeton, SESSION_PATH + "60", ALICE)
    assert answer.members == ["access_token", "session", "username"]
    assert all(isinstance(value, str) for value in answer.json.values())
    assert answer.json["username"] == ALICE[0] and UUID.match(answer.json["session"])
    assert_is_jwe(answer.json["access_token"])
    assert answer.header("Content-Type") == "application/json"
    assert answer.all_headers("Set-Cookie") == [
        f"SESSION={answer.json['session']}; Path=/; HttpOnly"]
    assert_no_store(answer)


def test_open_token_has_no_session(jeton):
    answer = log_in(jeton, OPEN_PATH + "60", ALICE)
    assert answer.members == ["access_token", "username"]
    assert_is_jwe(answer.json["access_token"])
    assert answer.header("Set-Cookie") is None
    assert_no_store(answer)


def test_two_tokens_share_nothing(jeton):
    tokens = [open_token(jeton, ALICE) for _ in range(3)] + [session_token(jeton, ALICE)[0]]
    vectors = {token.split(".")[2] for token in tokens}
    assert len(vectors) == len(tokens)


@pytest.mark.parametrize("path", [
    "60?noCache=1700000000", "60/", "60/?noCache=1", "60?callback=f&_type=json&a=%zz", "0060",
    "2147483647"])
def test_t4_what_is_ignored(jeton, path):
    for base in (SESSION_PATH, OPEN_PATH):
        answer = log_in(jeton, base + path, ALICE)
        assert answer.json["access_token"] and not answer.body.startswith(b"f(")


@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_other_methods_do_the_same(jeton, method):
    answer = jeton.request(method, OPEN_PATH + "1", b"" if method == "POST" else None,
                           user_basic(ALICE))
    assert answer.status == 200 and answer.header("Content-Type") == "application/json"
    assert bool(answer.body) == (method == "POST")
    if answer.body:
        assert use(jeton, answer.json["access_token"]).status == 200


# Routing traps: no ttl is not an open token of the name "session".
@pytest.mark.parametrize("path", [
    OPEN_PATH + "session", SESSION_PATH, SESSION_PATH + "/", OPEN_PATH, OPEN_PATH[:-1],
    OPEN_PATH + "-1", OPEN_PATH + "+1", OPEN_PATH + "1.5", OPEN_PATH + "abc", OPEN_PATH + "%36",
    OPEN_PATH + "1/2", OPEN_PATH + "1//", SESSION_PATH + "-5", SESSION_PATH + "x",
    SESSION_PATH + "1/2", OPEN_PATH + "Session/1", REST + "/token", REST + "/", REST,
    "/security/", "/security/x", REST + "?x=_wadl"])
def test_wrong_paths_are_404(jeton, path):
    answer = jeton.get(path, user_basic(ALICE))
    assert answer.status == 404 and answer.json == {"message": "Not Found"}, answer
    assert_no_store(answer)


@pytest.mark.parametrize("ttl", ["2147483648", "99999999999999999999999999999"])
def test_a_ttl_beyond_int_is_400(jeton, ttl):
    for base in (SESSION_PATH, OPEN_PATH):
        answer = jeton.get(base + ttl, user_basic(ALICE))
        assert answer.status == 400 and list(answer.json) == ["message"], answer


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", [OPEN_PATH + "1", SESSION_PATH + "1", LOGOUT_PATH])
def test_other_methods_are_405(jeton, method, path):
    answer = jeton.request(method, path, None, user_basic(ALICE))
    assert answer.status == 405 and answer.header("Allow") == "GET, HEAD, POST", answer


# -- whose credentials --------------------------------------------------------------------------

REFUSED_HEADERS = {
    "none": {},
    "wrong password": user_basic((ALICE[0], "wrong wrong wrong")),
    "unknown user": user_basic(("nobody at all", "x")),
    "empty password": user_basic((ALICE[0], "")),
    "empty name": user_basic(("", ALICE[1])),
    "a client": user_basic(("c1", "first-client-secret-1Xz5")),
    "no base64": {"Authorization": "Basic !!!"},
    "no colon": {"Authorization": "Basic " + base64.b64encode(b"alice").decode()},
    "empty": {"Authorization": "Basic"},
    "bearer": bearer("abc"),
    "digest": {"Authorization": 'Digest username="alice"'},
    "long password": user_basic((ALICE[0], "x" * 1100)),
}


@pytest.mark.parametrize("case", REFUSED_HEADERS)
def test_bad_credentials_all_look_the_same(jeton, case):
    for path in (OPEN_PATH + "5", SESSION_PATH + "5"):
        assert_refused_user(jeton.get(path, REFUSED_HEADERS[case]))


def test_two_authorization_headers_are_refused(jeton):
    twice = list(user_basic(ALICE).items()) * 2
    assert_refused_user(jeton.get(OPEN_PATH + "5", twice))


def test_scripts_get_no_challenge_that_would_make_a_browser_ask(jeton):
    answer = jeton.get(OPEN_PATH + "5", {"X-Requested-With": "XMLHttpRequest"})
    assert answer.status == 401 and answer.json == {"reason": "Unauthorized"}
    assert answer.header("WWW-Authenticate") is None


@pytest.mark.parametrize("user", [
    ("colon", "a:b:c:d and so on"), ("escapes", "p+q & %41=ü€ \\ \"back\""),
    ("jürgen", "straße 12 ÄÖÜ"), ("space man", " leading and trailing ")])
def test_names_and_passwords_are_read_raw(jeton, user):
    jeton.add_user(*user)
    assert log_in(jeton, OPEN_PATH + "5", user).json["username"] == user[0]


def test_old_java_clients_send_iso_8859_1(jeton):
    user = ("günther", "Größe über alles 1")
    jeton.add_user(*user)
    answer = jeton.get(OPEN_PATH + "5", user_basic(user, "iso-8859-1"))
    assert answer.status == 200 and answer.json["username"] == user[0], answer
    jeton.secrets.add(answer.json["access_token"])


def test_a_disabled_user_gets_none_and_loses_all(jeton):
    user = ("leaver", "the password of a leaver 1")
    jeton.add_user(*user)
    opened, (token, session) = open_token(jeton, user, 0), session_token(jeton, user)
    assert use(jeton, opened).status == 200 and use(jeton, token, session).status == 200
    jeton.cli("user", "disable", user[0])
    assert_refused_user(jeton.get(OPEN_PATH + "5", user_basic(user)))
    assert_refused_token(use(jeton, opened))
    assert_refused_token(use(jeton, token, session))
    jeton.cli("user", "enable", user[0])
    assert_refused_token(use(jeton, token, session))
    assert use(jeton, open_token(jeton, user)).status == 200


# -- which form ---------------------------------------------------------------------------------

# Measured from clients (contracts 1.7); the tests of src/dialect/spectrum_answer.c have more.
ACCEPTS = [
    (None, False), ("*/*", False), ("application/json, text/plain, */*", False),
    ("text/html, image/gif, image/jpeg, */*; q=0.2", False),
    ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", False), ("image/png", False),
    ("garbage;;;q=,,/", False), ("application/xml;q=0.5, */*;q=0.5", False),
    ("application/xml", True), ("text/xml;q=0.9, application/json;q=0.8", True)]


@pytest.mark.parametrize("accept,is_xml", ACCEPTS)
def test_accept_is_never_a_reason_to_refuse(jeton, accept, is_xml):
    headers = user_basic(ALICE) | ({"Accept": accept} if accept else {})
    answer = jeton.get(SESSION_PATH + "5", headers)
    assert answer.status == 200, answer
    if not is_xml:
        assert set(answer.json) == {"access_token", "session", "username"}
        return
    assert answer.header("Content-Type") == "application/xml"
    root = ElementTree.fromstring(answer.body)
    assert root.tag == "tokenInfo"
    assert [child.tag for child in root] == ["access_token", "session", "username"]
    jeton.secrets.update((root[0].text, root[1].text))
    assert use(jeton, root[0].text, root[1].text).status == 200


# -- using ----------------------------------------------------------------------------------

def test_t2_a_session_token_needs_its_session(jeton):
    token, session = session_token(jeton, ALICE)
    assert use(jeton, token, session).status == 200
    assert_refused_token(use(jeton, token))
    for cookie in (f"session={session}", f"Session={session}", f"SESSIO={session}",
                   f"SESSION={session[:-1]}", f"SESSION={session}0", "SESSION=", "SESSION=null",
                   f"SESSION2={session}", f"xSESSION={session}"):
        assert_refused_token(use(jeton, token, headers=[("Cookie", cookie)]))
    assert use(jeton, token, session).status == 200, "wrong tries end nothing"


def test_t2_session_and_token_belong_together(jeton):
    first, second = session_token(jeton, ALICE), session_token(jeton, ALICE)
    other = session_token(jeton, BOB)
    for token, session in ((first[0], second[1]), (second[0], first[1]), (first[0], other[1])):
        assert_refused_token(use(jeton, token, session))
    for token, session in (first, second, other):
        assert use(jeton, token, session).status == 200


@pytest.mark.parametrize("make", [
    lambda token, session: [("Cookie", TOKEN_COOKIE + token), ("Cookie", "SESSION=" + session)],
    lambda token, session: [("Cookie", "SESSION=" + session), ("Cookie", TOKEN_COOKIE + token)],
    lambda token, session: [("Cookie", f"{TOKEN_COOKIE}{token}; SESSION={session}")],
    lambda token, session: [("Cookie", f"a=b; SESSION={session};{TOKEN_COOKIE}{token};c")],
    lambda token, session: [("Cookie", f'SESSION="{session}"; {TOKEN_COOKIE}"{token}"')],
    lambda token, session: [("Authorization", "bearer " + token), ("Cookie", "x=1"),
                            ("cookie", "SESSION=" + session)],
    lambda token, session: pair_headers(token, session) + [("Cookie", TOKEN_COOKIE + "h..i.c.t")],
], ids=["two lines", "two lines, turned", "one line", "one line, crowded", "quoted", "lower case",
        "the header goes before the cookie"])
def test_t2_ways_to_send_a_pair(jeton, make):
    token, session = session_token(jeton, ALICE)
    answer = jeton.get(DOOR, make(token, session))
    assert answer.status == 200 and answer.header("Remote-User") == ALICE[0], answer


def test_t2_from_another_address(jeton):
    token, session = session_token(jeton, ALICE, source="127.0.0.1")
    assert_refused_token(use(jeton, token, session, source="127.0.0.2"))
    assert use(jeton, token, session, source="127.0.0.1").status == 200, "and ends nothing"
    why = [line.get("why", "") for line in jeton.log_lines() if line.get("event") == "refused"]
    assert any("address" in words for words in why), why[-5:]


@pytest.mark.parametrize("cookie", ["SESSION=null", "SESSION=", "SESSION=" + "a" * 36, "x=y"])
def test_t3_an_open_token_ignores_any_session(jeton, cookie):
    token = open_token(jeton, ALICE)
    for headers in ([("Cookie", cookie)], []):
        assert use(jeton, token, headers=headers).status == 200
        assert use(jeton, token, headers=headers, source="127.0.0.3").status == 200
    assert jeton.get(DOOR, {"Cookie": f"{TOKEN_COOKIE}{token}; {cookie}"}).status == 200


@pytest.mark.parametrize("headers", [
    {}, {"Cookie": "spectrum_authentication_token=x"}, {"Cookie": TOKEN_COOKIE},
    {"Authorization": "Digest a"}])
def test_the_door_asks_who_shows_nothing_for_a_password(jeton, headers):
    """RFC 9110 11.6.1: some clients send a password only when they are challenged to."""
    assert_refused_user(jeton.get(DOOR, headers))
    quiet = jeton.get(DOOR, {**headers, "X-Requested-With": "XMLHttpRequest"})
    assert quiet.status == 401 and quiet.header("WWW-Authenticate") is None, quiet
    assert_refused_token(jeton.get(LOGOUT_PATH, headers))


def test_the_door_asks_for_a_token_where_no_password_is_taken(new_server):
    assert_refused_token(new_server(args=["--spectrum-basic", "off"]).get(DOOR))


@pytest.mark.parametrize("headers", [
    bearer("abc"), bearer("h..i.c.t"), {"Cookie": TOKEN_COOKIE + "abc"},
    {"Authorization": "Bearer"}, {"Authorization": "Bearer a b"}])
def test_bad_tokens(jeton, headers):
    for path in (DOOR, LOGOUT_PATH):
        assert_refused_token(jeton.get(path, headers))


def test_a_changed_token_is_none(jeton):
    token = open_token(jeton, ALICE)
    parts = token.split(".")
    for index in (0, 2, 3, 4):
        part = parts[index]
        flipped = ("B" if part[3] == "A" else "A").join((part[:3], part[4:]))
        changed = ".".join(parts[:index] + [flipped] + parts[index + 1:])
        assert_refused_token(use(jeton, changed))
    assert_refused_token(use(jeton, token + "A"))
    assert_refused_token(use(jeton, token[:-1]))
    assert use(jeton, token).status == 200


# -- logging out --------------------------------------------------------------------------------

def test_t1_logout_ends_token_and_session(jeton):
    token, session = session_token(jeton, ALICE)
    answer = log_out(jeton, token, session)
    assert answer.status == 200 and answer.body == b"", answer
    assert answer.all_headers("Set-Cookie") == ["SESSION=; Max-Age=0; Path=/"]
    assert_no_store(answer)
    assert_refused_token(use(jeton, token, session))
    assert_refused_token(log_out(jeton, token, session))


def test_logout_of_a_session_token_needs_the_session(jeton):
    token, session = session_token(jeton, ALICE)
    assert_refused_token(log_out(jeton, token))
    assert_refused_token(log_out(jeton, token, session, source="127.0.0.2"))
    assert use(jeton, token, session).status == 200
    answer = jeton.request("POST", LOGOUT_PATH + "/?noCache=1", b"",
                           [("Cookie", TOKEN_COOKIE + token), ("Cookie", "SESSION=" + session)])
    assert answer.status == 200, answer
    assert_refused_token(use(jeton, token, session))


def test_logout_ends_one_token_only(jeton):
    opened, kept = open_token(jeton, ALICE, 0), open_token(jeton, ALICE, 0)
    ended, alive = session_token(jeton, ALICE), session_token(jeton, ALICE)
    answer = log_out(jeton, opened)
    assert answer.status == 200 and answer.header("Set-Cookie") is None
    assert log_out(jeton, *ended).status == 200
    assert_refused_token(use(jeton, opened))
    assert_refused_token(log_out(jeton, opened))
    assert use(jeton, kept).status == 200 and use(jeton, *alive).status == 200


# -- WADL -----------------------------------------------------------------------------------

WADL = "{http://wadl.dev.java.net/2009/02}"


@pytest.mark.parametrize("query", ["_wadl", "wadl", "_wadl=", "x=1&wadl", "_wadl&noCache=1"])
def test_wadl_describes_the_service(jeton, query):
    answer = jeton.get(f"{REST}?{query}", {"Host": "old.example:8080"})
    assert answer.status == 200 and answer.header("Content-Type") == "application/xml", answer
    assert not answer.body.startswith(b"<?xml")
    root = ElementTree.fromstring(answer.body)
    assert root.tag == WADL + "application"
    resources = root.find(WADL + "resources")
    assert resources.get("base") == "http://old.example:8080/security/rest"
    paths = set()
    for top in resources.findall(WADL + "resource"):
        for below in top.findall(WADL + "resource"):
            paths.add(top.get("path") + below.get("path"))
            assert [method.get("name") for method in below.findall(WADL + "method")] == ["GET"]
            if "{" in below.get("path"):
                param = below.find(WADL + "param")
                assert param.attrib == {"name": "ttlInMinutes", "style": "template",
                                        "type": "xs:int"}
    assert paths == {"/token/access/session/{ttlInMinutes}", "/token/access/{ttlInMinutes}",
                     "/token/logout"}


def test_wadl_has_its_own_type_for_whoever_lists_it(jeton):
    answer = jeton.get(REST + "?_wadl", {"Accept": "text/html, application/vnd.sun.wadl+xml"})
    assert answer.header("Content-Type") == "application/vnd.sun.wadl+xml"
    answer = jeton.request("POST", REST + "?_wadl", b"")
    assert answer.status == 405 and answer.header("Allow") == "GET, HEAD", answer


# -- the gateway's door -------------------------------------------------------------------------

def test_door_says_whose_token_it_is(jeton):
    token = open_token(jeton, ALICE, 10)
    answer = use(jeton, token)
    assert answer.header("Remote-User") == ALICE[0]
    assert re.fullmatch(r"account:\d+", answer.header("X-Auth-Subject"))
    assert answer.header("X-Auth-Client") == "spectrum_client"
    assert answer.header("X-Auth-Audience") == "uslicer.iponweb.com"
    assert re.fullmatch(r"\d+", answer.header("X-Auth-Expires"))
    assert use(jeton, open_token(jeton, ALICE, 0)).header("X-Auth-Expires") is None


def test_door_takes_user_and_password(jeton):
    answer = jeton.get(DOOR, user_basic(ALICE))
    assert answer.status == 200, answer
    by_token = use(jeton, open_token(jeton, ALICE))
    for name in ("Remote-User", "X-Auth-Subject", "X-Auth-Client", "X-Auth-Audience",
                 "X-Auth-Scope"):
        assert answer.header(name) == by_token.header(name), name
    assert_refused_user(jeton.get(DOOR, user_basic((ALICE[0], "wrong wrong"))))
    assert_refused_user(jeton.get(DOOR, {"Authorization": "Basic !"}))


def test_door_asks_for_a_service(jeton):
    token = open_token(jeton, ALICE)
    right, wrong = DOOR + "?service=uslicer.iponweb.com", DOOR + "?service=api.example"
    assert use(jeton, token, path=right).status == 200
    assert_refused_token(use(jeton, token, path=wrong))
    assert jeton.get(right, user_basic(ALICE)).status == 200
    assert_refused_user(jeton.get(wrong, user_basic(ALICE)))
    assert use(jeton, token, path=DOOR + "?scope=nothing").status == 403
    assert use(jeton, token, path=DOOR + "?service=a&service=b").status == 400
    assert jeton.get(DOOR + "?access_token=" + token).status == 400


def test_door_takes_any_method(jeton):
    token, session = session_token(jeton, ALICE)
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
        answer = jeton.request(method, DOOR, None, pair_headers(token, session))
        assert answer.status == 200, answer


def test_generic_door_takes_the_cookies_too(jeton):
    token, session = session_token(jeton, ALICE)
    cookies = [("Cookie", TOKEN_COOKIE + token), ("Cookie", "SESSION=" + session)]
    answer = jeton.forward_auth(None, headers=cookies)
    assert answer.status == 200 and answer.header("Remote-User") == ALICE[0], answer
    assert jeton.forward_auth(token, headers=cookies[1:]).status == 200
    assert jeton.forward_auth(token).status == 401
    assert jeton.forward_auth(None, headers=cookies, source="127.0.0.2").status == 401
    opened = open_token(jeton, ALICE)
    assert jeton.forward_auth(opened, headers=[("Cookie", "SESSION=null")]).status == 200


def test_a_token_of_another_door_is_good_here(jeton):
    """One core: u-Auth's token at the gateway before a Spectrum service."""
    token = jeton.post_form("/oauth2/token/", uauth_form()).json["access_token"]
    assert use(jeton, token, path=DOOR + "?service=uslicer.iponweb.com").status == 200


# -- CORS ---------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def cors(module_server):
    return module_server(args=["--spectrum-cors-origin", ORIGIN, "--spectrum-cors-origin",
                               "https?://*.domain.[a-z]{3}", "--trusted-proxy", "127.0.0.1"])


def preflight(server, path, origin):
    return server.request("OPTIONS", path, None, {
        "Origin": origin, "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization"})


@pytest.mark.parametrize("path", [OPEN_PATH + "1", SESSION_PATH + "1", LOGOUT_PATH,
                                  REST + "?_wadl"])
def test_t6_preflight_needs_no_credentials(cors, path):
    for origin in (ORIGIN, "http://www.domain.com"):
        answer = preflight(cors, path, origin)
        assert answer.status == 200 and answer.body == b"", answer
        assert answer.header("Access-Control-Allow-Origin") == origin
        assert answer.header("Access-Control-Allow-Credentials") == "true"
        assert answer.header("Access-Control-Allow-Methods") == "GET,POST,HEAD"
        assert answer.header("Access-Control-Max-Age") == "1800"
        assert "authorization" in answer.header("Access-Control-Allow-Headers").lower().split(", ")
        assert answer.header("Vary") == "Origin"


@pytest.mark.parametrize("origin", ["https://pages.example.evil", "null", "https://domain.info",
                                    "https://a.domain.com.evil.example", "x" * 300])
def test_t6_other_origins_get_no_permission(cors, origin):
    for answer in (preflight(cors, OPEN_PATH + "1", origin),
                   cors.get(OPEN_PATH + "1", user_basic(ALICE) | {"Origin": origin})):
        assert answer.status == 200
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert answer.header("Vary") == "Origin"


def test_t6_answers_and_refusals_may_be_read_by_the_page(cors):
    token = open_token(cors, ALICE)
    for answer in (cors.get(OPEN_PATH + "1", user_basic(ALICE) | {"Origin": ORIGIN}),
                   cors.get(OPEN_PATH + "1", {"Origin": ORIGIN}),
                   cors.get(OPEN_PATH + "x", {"Origin": ORIGIN}),
                   use(cors, "abc", headers=[("Origin", ORIGIN)]),
                   cors.get(LOGOUT_PATH, bearer(token) | {"Origin": ORIGIN})):
        assert answer.all_headers("Access-Control-Allow-Origin") == [ORIGIN], answer
        assert answer.all_headers("Access-Control-Allow-Credentials") == ["true"]
        assert answer.all_headers("Vary") == ["Origin"]


def test_cookie_for_pages_of_other_origins(cors):
    """SameSite=None only together with Secure, or browsers drop it."""
    answer = log_in(cors, SESSION_PATH + "1", ALICE, headers={"X-Forwarded-Proto": "https"})
    assert answer.header("Set-Cookie").endswith("; Path=/; HttpOnly; Secure; SameSite=None")
    answer = log_in(cors, SESSION_PATH + "1", ALICE)
    assert answer.header("Set-Cookie").endswith("; Path=/; HttpOnly")


def test_t6_without_the_setting_there_is_no_cors(jeton):
    answer = preflight(jeton, OPEN_PATH + "1", ORIGIN)
    assert answer.status == 405, answer
    answer = jeton.get(OPEN_PATH + "1", user_basic(ALICE) | {"Origin": ORIGIN})
    for name in ("Access-Control-Allow-Origin", "Vary"):
        assert answer.header(name) is None
    assert json.loads(answer.body)["username"] == ALICE[0]

"""Dialects switched off, prefixed and bound to a host; wrong settings; tokens with a session."""

import base64
import json
import re

import pytest

from harness import (ALICE, API, C1, CC, ROOT, UAUTH_SERVICE, bearer, free_port, uauth_form)

OPEN_TOKEN = "/security/rest/token/access/"
SESSION_TOKEN = "/security/rest/token/access/session/"
LOGOUT = "/security/rest/token/logout"
THREEDM = "/oauth/oauth/token"
MANUAL = ROOT / "docs/man/jeton.yaml.5"
SETTINGS = ROOT / "src/dialect/settings.def"


def raw_basic(user):
    """Spectrum's Basic: the user's name and password as they are."""
    pair = base64.b64encode(f"{user[0]}:{user[1]}".encode()).decode()
    return {"Authorization": "Basic " + pair}


def spectrum_token(server, kind="", ttl="60", prefix="", headers=()):
    answer = server.get(prefix + OPEN_TOKEN + kind + ttl, {**raw_basic(ALICE), **dict(headers)})
    assert answer.status == 200, answer
    return answer.json


def is_uauth(server, path="/oauth2/token/", **headers):
    """Whether users without a client get a token there."""
    answer = server.post_form(path, uauth_form(), headers)
    if answer.status == 200:
        assert answer.members == ["token_type", "scope", "access_token", "expires_in"]
        return True
    assert answer.status in (400, 401, 404), answer
    return False


def is_spectrum(server, prefix="", **headers):
    """The WSDL is public, so that it shows who answers without anybody signing in."""
    answer = server.get(prefix + "/security/TokenManagerService?wsdl", headers)
    assert answer.status in (200, 404), answer
    if answer.status == 404:
        assert answer.error == "not_found", "no dialect's words"
    return answer.status == 200


def is_threedm(server, prefix="", **headers):
    answer = server.post_form(prefix + THREEDM, {"grant_type": "password"}, headers)
    assert answer.status in (401, 404), answer
    if answer.status == 404:
        assert answer.error == "not_found"
    return answer.status == 401


IS = {"uauth": is_uauth, "spectrum": is_spectrum, "3dm": is_threedm}


def whose(server, prefix="", **headers):
    """The dialects that answer below a prefix."""
    found = {"uauth"} if is_uauth(server, prefix + "/oauth2/token/", **headers) else set()
    return found | {name for name in ("spectrum", "3dm") if IS[name](server, prefix, **headers)}


# -- on and off ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["uauth", "spectrum", "3dm"])
def test_dialect_that_is_off_is_not_there_and_the_others_are(new_server, name):
    server = new_server(args=[f"--{name}", "off"])
    assert whose(server) == set(IS) - {name}


def test_all_off_leaves_the_standard(new_server):
    server = new_server(args=["--uauth=off", "--spectrum=off", "--3dm=off"])
    assert whose(server) == set()
    for path in ("/security/", "/security", "/security/forward-auth", "/security/rest?_wadl",
                 SESSION_TOKEN + "0", OPEN_TOKEN + "0", LOGOUT, "/security/TokenLogoutService",
                 "/oauth/oauth/check_token", "/oauth/oauth/token_key"):
        for method in ("GET", "POST", "OPTIONS"):
            answer = server.request(method, path, headers=raw_basic(ALICE))
            assert (answer.status, answer.error) == (404, "not_found"), (method, path, answer)
    assert server.client_token(CC)["token_type"] == "Bearer"
    assert server.user_token(C1, ALICE)["token_type"] == "Bearer"


def test_uauth_off_asks_for_a_client(new_server):
    server = new_server(args=["--uauth", "off"])
    answer = server.post_form("/oauth2/token/", uauth_form())
    assert answer.status in (400, 401) and answer.error == "invalid_client", answer


# -- prefixes ------------------------------------------------------------------------------------


def test_prefixed_dialects_answer_below_their_prefix_and_nowhere_else(new_server):
    server = new_server(args=["--uauth-prefix", "/u", "--spectrum-prefix", "/s/12",
                              "--3dm-prefix", "/security"])
    assert whose(server, "/u") == {"uauth"}
    assert whose(server, "/s/12") == {"spectrum"}
    assert whose(server, "/security") == {"3dm"}
    assert whose(server) == set()
    assert whose(server, "/s") == set()
    assert whose(server, "/s/123") == set()
    assert server.client_token(CC)["token_type"] == "Bearer"
    assert is_uauth(server, "/u/oauth2/token"), "without the slash too"
    answer = server.get("/u/oauth2/token")
    assert answer.status == 405 and answer.header("Allow") == "POST", answer


def test_prefix_holds_for_every_path_of_spectrum(new_server):
    server = new_server(args=["--spectrum-prefix", "/old"])
    body = spectrum_token(server, "session/", prefix="/old")
    headers = {**bearer(body["access_token"]), "Cookie": "SESSION=" + body["session"]}
    assert server.get("/old/security/forward-auth", headers).status == 200
    assert server.get("/forward-auth", headers).status == 200, "the generic one has no prefix"
    assert server.get("/old" + LOGOUT, headers).status == 200
    assert server.get("/old/security/forward-auth", headers).status == 401


def test_spectrum_within_the_prefix_of_another(new_server):
    """The most particular path wins, whatever else is below the same one."""
    server = new_server(args=["--3dm-prefix", "/security"])
    assert is_threedm(server, "/security") and is_spectrum(server)
    answer = server.get("/security/oauth/oauth/other")
    assert answer.status == 404, answer


# -- hosts ---------------------------------------------------------------------------------------


def test_dialects_bound_to_hosts_answer_for_these_alone(new_server):
    server = new_server(args=["--uauth-host", "u.example", "--spectrum-host", "S.example",
                              "--3dm-host", "[::1]"])
    assert whose(server) == set()
    for host in ("u.example", "u.example:8443", "U.Example", "U.EXAMPLE:80"):
        assert whose(server, Host=host) == {"uauth"}, host
    for host in ("s.example", "S.EXAMPLE:1"):
        assert whose(server, Host=host) == {"spectrum"}, host
    for host in ("[::1]", "[::1]:8080"):
        assert whose(server, Host=host) == {"3dm"}, host
    for host in ("x.u.example", "u.example.org", "u.exampl", "[::2]", "u.example@s.example"):
        answer = server.get("/livez", {"Host": host})
        assert answer.status == 400 or whose(server, Host=host) == set(), host
    form = {"grant_type": "client_credentials"}
    for host in ("u.example", "elsewhere.example"):
        assert server.post_form("/oauth2/token", form, {"Host": host}, client=CC).status == 200


def test_host_said_by_a_proxy_counts_when_it_is_trusted(new_server):
    bound = ["--spectrum-host", "s.example"]
    assert not is_spectrum(new_server(args=bound), **{"X-Forwarded-Host": "s.example"})
    trusting = new_server(args=bound + ["--trusted-proxy", "127.0.0.1"])
    assert is_spectrum(trusting, **{"X-Forwarded-Host": "s.example:443"})
    assert is_spectrum(trusting, **{"Forwarded": 'for=192.0.2.1;host="s.example"'})
    assert not is_spectrum(trusting, **{"X-Forwarded-Host": "s.example, t.example"})


# -- the settings themselves ---------------------------------------------------------------------


def setting_rows():
    """(macro, name) of every row of settings.def."""
    rows = re.findall(r'^(SWITCH|NUMBER|TEXT|TEXTS|CHOICE)\(\w+, "([\w-]+)",',
                      SETTINGS.read_text(), re.MULTILINE)
    assert len(rows) > 20
    return rows


ROWS = setting_rows()


def test_every_setting_is_in_the_manual_and_in_the_help(jeton):
    manual = MANUAL.read_text()
    described = set(re.findall(r"^\.It Cm ([\w-]+) :", manual, re.MULTILINE))
    offered = set(re.findall(r"^  --([\w-]+)", jeton.cli("serve", "--help", data=False).out,
                             re.MULTILINE))
    assert {name for _, name in ROWS} <= described
    assert offered - {"config", "help", "check"} == described


def config_fault(new_server, tmp_path, text):
    path = tmp_path / "jeton.yaml"
    path.write_text(text)
    done = new_server(start=False).cli("serve", "--config", str(path), status=2)
    assert done.err.count("\n") == 1, done
    return done.err.replace(str(path), "FILE")


def option_fault(new_server, *options):
    done = new_server(start=False).cli("serve", *options, status=2)
    assert done.err.count("\n") == 1, done
    return done.err


WRONG = {
    "SWITCH": ["maybe", "", "ON", "1", "yes"],
    "NUMBER": ["0", "-1", "", "12.5", "1e3", "31536001", "99999999999999999999", "many", " 5"],
    "CHOICE": ["", "other", "exact|prefix", "EXACT"],
}


@pytest.mark.parametrize("name", [name for macro, name in ROWS if macro in WRONG])
def test_wrong_value_is_refused_with_its_key_and_line(new_server, tmp_path, name):
    """One value for each setting here; several for one setting of each kind below."""
    fault = config_fault(new_server, tmp_path, f"# first\n\n{name}: nonsense\n")
    assert f"FILE: line 3: {name} must be " in fault
    assert f"serve: --{name} must be " in option_fault(new_server, f"--{name}", "nonsense")


@pytest.mark.parametrize("name, macro", [
    ("spectrum", "SWITCH"), ("spectrum-session-idle", "NUMBER"), ("lockout-duration", "NUMBER"),
    ("spectrum-address-binding", "CHOICE"), ("lockout-mode", "CHOICE")])
def test_wrong_values(new_server, tmp_path, name, macro):
    for value in WRONG[macro]:
        fault = config_fault(new_server, tmp_path, f"\n{name}: {json.dumps(value)}\n")
        assert "FILE: line 2: " in fault and name in fault, (value, fault)
        assert f"--{name} must be" in option_fault(new_server, f"--{name}={value}"), value


def test_lock_lasts_no_longer_than_its_failures_are_kept(new_server):
    fault = option_fault(new_server, f"--lockout-duration={30 * 86400 + 1}")
    assert "--lockout-duration must be a number from 1 to 2592000" in fault


@pytest.mark.parametrize("name, values", [
    ("uauth-prefix", ["old", "/", "/old/", "/a//b", "/a?b", "/a/../b"]),
    ("spectrum-prefix", ["security", "/a b"]),
    ("3dm-prefix", ["http://a/b"]),
    ("spectrum-host", ["a.example:8080", "https://a.example", "a b", "[::1]:80"]),
    ("3dm-host", ["/a"]),
    ("spectrum-cors-origin", ["pages.example", "https://a.example/", "null", "https://*.("]),
    ("spectrum-soap-open-operation", ["a:b", "", "1a", "a b"]),
    ("spectrum-cors-headers", ["a: b", "a\nb"]),
])
def test_wrong_forms(new_server, tmp_path, name, values):
    is_list = ("TEXTS", name) in ROWS
    for value in values:
        written = json.dumps([value] if is_list else value)
        fault = config_fault(new_server, tmp_path, f"3dm: off\n{name}: {written}\n")
        assert "FILE: line 2: " in fault and name in fault, (value, fault)
        assert f"--{name} must be" in option_fault(new_server, f"--{name}={value}"), value


@pytest.mark.parametrize("text, words", [
    ("\nspectrum-cors-origin: https://a.example\n", "line 2: spectrum-cors-origin: must be a list"),
    ("spectrum: [ on ]\n", "line 1: spectrum: must be one text"),
    ("spectrum:\n", "line 1: spectrum: may not be empty"),
    ("spectrum: on\nspectrum: off\n", "line 1: spectrum: stands twice"),
    ("spectrum-cors-origin: []\n", "line 1: spectrum-cors-origin: may not be an empty list"),
    ("listen: [" + 17 * '"127.0.0.1:0",' + "]\n", "line 1: listen: has too many entries"),
    ("spectrum-host: &a x\n3dm-host: *a\n", "line 2: 3dm-host: may not be an alias"),
    ("spectrum\n", "every line must be NAME: VALUE"),
])
def test_the_files_shape_is_told_in_words_of_ours(new_server, tmp_path, text, words):
    fault = config_fault(new_server, tmp_path, text)
    assert "serve: FILE: " + words in fault and "line 0" not in fault


@pytest.mark.parametrize("key", ['"spectrum-prefix":', "'spectrum-prefix':", "spectrum-prefix :"])
def test_the_line_is_found_however_the_key_is_written(new_server, tmp_path, key):
    text = f"# spectrum-prefix\n3dm: off\n{key} old\n"
    assert "FILE: line 3: spectrum-prefix must be " in config_fault(new_server, tmp_path, text)


def test_names_that_are_none_are_unknown_options(new_server):
    """A heading of the help is no option."""
    for option in ("--", "--=x", "--=", "--Spectrum", "--spectrum-"):
        done = new_server(start=False).cli("serve", option, "x", status=2)
        assert "jeton: serve: " in done.err


CONFIG = """
listen: [ "127.0.0.1:0" ]
uauth: false
spectrum: true
spectrum-prefix: /s
spectrum-session-idle: 60
spectrum-address-binding: prefix
spectrum-cors-origin:
  - https://*.pages.example
  - http://localhost:8080
spectrum-soap-open-operation: [ getOpenToken ]
3dm: on
3dm-host: d.example
lockout-mode: timed
lockout-duration: 5
"""


def test_file_and_options_say_the_same_and_options_win(new_server, tmp_path):
    path = tmp_path / "jeton.yaml"
    path.write_text(CONFIG)
    server = new_server(listen=None, args=["--config", str(path)])
    assert whose(server, "/s", Host="d.example") == {"spectrum"}
    assert whose(server, Host="d.example") == {"3dm"}
    overruled = new_server(listen=None, args=["--config", str(path), "--uauth", "on",
                                              "--spectrum-prefix", "", "--3dm=off"])
    assert whose(overruled, Host="d.example") == {"uauth", "spectrum"}


# -- names of the metrics, and the web room's part -----------------------------------------------

NAMES = {"token", "introspection", "revocation", "forward_auth", "jwks", "jwks_well_known",
         "metadata", "openid_configuration", "start_page", "style", "livez", "readyz", "metrics",
         "token_uauth", "threedm_token", "threedm_check_token", "threedm_token_key",
         "spectrum_forward_auth", "spectrum_session_token", "spectrum_open_token",
         "spectrum_logout", "spectrum_wadl", "spectrum_soap_token", "spectrum_soap_logout",
         "spectrum_other"}


def test_metrics_count_each_endpoint_by_its_name_and_tokens_of_all(new_server):
    port = free_port()
    server = new_server(args=["--metrics-listen", f"127.0.0.1:{port}", "--uauth-prefix", "/u"])

    def metrics():
        received, _ = server.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                                 port=port)
        return received.decode()

    def issued():
        line = re.search(r'^jeton_token_responses_total\{grant_type="password"\} (\d+)$', metrics(),
                         re.MULTILINE)
        return int(line.group(1))

    before = issued()
    spectrum_token(server)
    spectrum_token(server, "session/")
    assert is_uauth(server, "/u/oauth2/token/")
    server.user_token(C1, ALICE)
    assert issued() == before + 4
    for path in ("/oauth2/introspect", "/oauth2/revoke", THREEDM, "/oauth/oauth/check_token",
                 "/oauth/oauth/token_key", "/security/TokenLogoutService"):
        server.request("POST", path, b"")
    for path in ("/forward-auth", "/oauth2/jwks", "/.well-known/jwks.json",
                 "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration",
                 "/", "/style.css", "/livez", "/readyz", "/security/forward-auth", LOGOUT,
                 "/security/rest?_wadl", "/security/TokenManagerService?wsdl",
                 "/security/elsewhere"):
        server.get(path)
    metrics()
    names = set(re.findall(r'^jeton_answers_total\{endpoint="(\w+)",', metrics(), re.MULTILINE))
    assert names == NAMES


def test_refusals_of_dialects_have_a_request_id_that_the_log_knows(new_server):
    server = new_server()
    wrong = raw_basic((ALICE[0], "not the password of alice"))
    for answer in (server.get(OPEN_TOKEN + "60", wrong),
                   server.post_form(THREEDM, {"grant_type": "password"}, client=("nobody", "x")),
                   server.get("/security/forward-auth")):
        assert answer.status == 401, answer
        assert len(answer.all_headers("X-Request-Id")) == 1, answer
        assert len(answer.all_headers("Cache-Control")) == 1, answer
        lines = [line for line in server.log().splitlines()
                 if answer.header("X-Request-Id") in line and "refused" in line]
        assert len(lines) == 1, answer


def test_dialect_answers_have_each_header_once(jeton):
    for answer in (jeton.get(OPEN_TOKEN + "60", raw_basic(ALICE)),
                   jeton.get("/security/TokenManagerService?wsdl"),
                   jeton.get("/security/rest?_wadl"), jeton.get("/security/no/where"),
                   jeton.post_form(THREEDM, {"grant_type": "x"})):
        names = [name.lower() for name, _ in answer.headers if name.lower() != "set-cookie"]
        assert len(names) == len(set(names)), answer


def test_head_is_get_without_a_body(jeton):
    """RFC 9110 9.3.2"""
    answer = jeton.request("HEAD", "/security/TokenManagerService?wsdl")
    assert answer.status == 200 and answer.body == b"", answer


SOAP = ('<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/"><E:Body>'
        '<t:getAccessExpiringToken xmlns:t="http://token.security.common.server.platform.spectrum.'
        'precisely.com/"><tokenLifeInMinutes>%s</tokenLifeInMinutes></t:getAccessExpiringToken>'
        '</E:Body></E:Envelope>')


def test_largest_requests_are_survived(new_server):
    """The arena of a request is sized for them: running out of it would end the process."""
    server = new_server()
    name = base64.b64encode(b"\xe9" * 11000 + b":" + b"\xe9" * 300).decode()
    head = {"Authorization": "Basic " + name}
    forms = ["grant_type=password&username=u&password=p&scope=" + "%61+" * 16000,
             "grant_type=password&scope=" + "a+" * 32000,
             "grant_type=refresh_token&refresh_token=" + "%61" * 21000,
             "grant_type=" + "+" * 64000,
             "&".join(f"{'%61' * 160}{i}={'%61' * 160}" for i in range(63))]
    for form in forms:
        for path in (THREEDM, "/oauth/oauth/check_token", "/oauth2/token/", "/oauth2/introspect"):
            for headers in (head, {}):
                answer = server.post_form(path, form, headers)
                assert 400 <= answer.status < 500, answer
    for size in (15000, 60000):
        for filler in ("1" * size, "&#233;" * (size // 6), "<!-- -->" * (size // 8)):
            for path in ("/security/TokenManagerService", "/security/TokenLogoutService"):
                answer = server.request("POST", path, SOAP % filler,
                                        {**head, "Content-Type": "text/xml"})
                assert answer.status in (401, 500), answer
    for path in (OPEN_TOKEN + "1", "/security/forward-auth?scope=" + "%61+" * 800, LOGOUT,
                 "/security/rest?_wadl", "/security/" + "x" * 4000):
        assert server.get(path, head).status < 500
        cookies = [("Cookie", "SESSION=" + "a" * 7000), ("Cookie", "b=" + "c" * 7000)]
        assert server.get(path, cookies).status < 500
    assert server.get("/livez").status == 200


# -- tokens with a session, at the standard endpoints --------------------------------------------


def forward_auth(server, token=None, *cookies, **more):
    headers = [("Cookie", cookie) for cookie in cookies]
    return server.forward_auth(token, headers=headers, **more).status


def test_forward_auth_wants_the_session_of_a_session_token(jeton):
    body = spectrum_token(jeton, "session/")
    token, session = body["access_token"], "SESSION=" + body["session"]
    assert forward_auth(jeton, token) == 401
    assert forward_auth(jeton, token, session) == 200
    assert forward_auth(jeton, token, "session=" + body["session"]) == 401
    other = spectrum_token(jeton, "session/")
    assert forward_auth(jeton, token, "SESSION=" + other["session"]) == 401
    assert forward_auth(jeton, token, session, source="127.0.0.2") == 401
    assert forward_auth(jeton, token, session) == 200, "none of these ended it"


def test_forward_auth_takes_the_token_from_the_cookie(jeton):
    body = spectrum_token(jeton, "session/")
    token = "spectrum.authentication.token=" + body["access_token"]
    session = "SESSION=" + body["session"]
    assert forward_auth(jeton, None, token, session) == 200
    assert forward_auth(jeton, None, session, token) == 200
    assert forward_auth(jeton, None, f"a=b; {token}; {session}") == 200
    assert forward_auth(jeton, None, token) == 401
    assert forward_auth(jeton, None, session) == 401
    assert forward_auth(jeton, "wrong", token, session) == 401, "the Authorization header wins"
    opened = "spectrum.authentication.token=" + spectrum_token(jeton)["access_token"]
    assert forward_auth(jeton, None, opened) == 200
    assert forward_auth(jeton, None, opened, "SESSION=null") == 200


def test_forward_auth_reads_no_cookie_without_spectrum(new_server):
    server = new_server(args=["--spectrum", "off"])
    token = server.client_token(CC)["access_token"]
    assert forward_auth(server, token) == 200
    assert forward_auth(server, None, "spectrum.authentication.token=" + token) == 401


def introspect(server, token, **more):
    answer = server.post_form("/oauth2/introspect", {"token": token, **more},
                              client=UAUTH_SERVICE)
    assert answer.status == 200, answer
    return answer.json["active"]


def test_introspection_is_told_of_session_and_address(jeton):
    body = spectrum_token(jeton, "session/")
    token, session = body["access_token"], body["session"]
    assert not introspect(jeton, token)
    assert not introspect(jeton, token, session=session)
    assert not introspect(jeton, token, client_address="127.0.0.1")
    assert not introspect(jeton, token, session=session, client_address="127.0.0.2")
    assert not introspect(jeton, token, session="x", client_address="127.0.0.1")
    assert introspect(jeton, token, session=session, client_address="127.0.0.1")
    assert introspect(jeton, token, session=session, client_address="::ffff:127.0.0.1")
    assert introspect(jeton, spectrum_token(jeton)["access_token"])
    assert introspect(jeton, spectrum_token(jeton)["access_token"], session="null")


@pytest.mark.parametrize("address", ["x", "127.0.0.1:80", "127.0.0.0/8", "1.2.3", "::g", "[::1]",
                                     "fe80::1%lo", "1" * 200, "127.0.0.1 ", "unix"])
def test_introspection_refuses_what_is_no_address(jeton, address):
    answer = jeton.post_form("/oauth2/introspect", {"token": "x", "client_address": address},
                             client=API)
    assert (answer.status, answer.error) == (400, "invalid_request"), answer

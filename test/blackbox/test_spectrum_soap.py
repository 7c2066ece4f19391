"""Spectrum's SOAP services byte by byte; test/clients has the real clients."""

import base64
import re
import xml.etree.ElementTree as ElementTree

import pytest

from harness import ALICE, BOB, bearer, short

MANAGER = "/security/TokenManagerService"
LOGOUT = "/security/TokenLogoutService"
RESOURCE = "/security/forward-auth"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
PRECISELY = "http://token.security.common.server.platform.spectrum.precisely.com/"
PB = "http://token.security.common.server.platform.spectrum.pb.com/"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def user_basic(user):
    """Basic as Spectrum reads it: raw."""
    return ("Authorization", "Basic " + base64.b64encode(":".join(user).encode()).decode())


def envelope(operation, inside="", namespace=PB):
    return (f'<E:Envelope xmlns:E="{SOAP}"><E:Header/><E:Body><t:{operation} '
            f'xmlns:t="{namespace}">{inside}</t:{operation}></E:Body></E:Envelope>')


def life(minutes):
    return f"<tokenLifeInMinutes>{minutes}</tokenLifeInMinutes>"


def post(jeton, path, body, *headers):
    answer = jeton.request("POST", path, body, [("Content-Type", "text/xml"), *headers])
    for found in re.finditer(rb"<token>([^<]+)</token>", answer.body):
        jeton.secrets.add(found.group(1).decode())
    return answer


def sign_in(jeton, operation="getAccessExpiringToken", inside=life(5), user=ALICE, **more):
    return post(jeton, MANAGER, envelope(operation, inside, **more), user_basic(user))


def fields(answer):
    """The children of <return> as pairs, in order."""
    assert answer.status == 200, answer
    root = ElementTree.fromstring(answer.body)
    response = root.find(f"{{{SOAP}}}Body")[0]
    assert [child.tag for child in response] == ["return"]
    return [(child.tag, child.text) for child in response[0]]


def assert_fault(answer, code="soap:Client", status=500):
    assert answer.status == status, answer
    assert answer.header("Content-Type") == "text/xml;charset=UTF-8"
    assert answer.header("Set-Cookie") is None
    body = ElementTree.fromstring(answer.body).find(f"{{{SOAP}}}Body")
    assert [child.tag for child in body] == [f"{{{SOAP}}}Fault"]
    assert body[0].find("faultcode").text == code
    assert body[0].find("faultstring").text
    return body[0].find("faultstring").text


def use(jeton, token, *headers):
    return jeton.get(RESOURCE, [("Authorization", "Bearer " + token), *headers]).status


@pytest.mark.parametrize("namespace", [PRECISELY, PB])
def test_answer_is_in_the_namespace_of_the_request(jeton, namespace):
    answer = sign_in(jeton, namespace=namespace)
    assert answer.status == 200
    assert answer.header("Content-Type") == "text/xml;charset=UTF-8"
    assert answer.all_headers("Cache-Control") == ["no-store"]
    assert answer.all_headers("Pragma") == ["no-cache"]
    pattern = (f'<soap:Envelope xmlns:soap="{SOAP}"><soap:Body>'
               f'<ns2:getAccessExpiringTokenResponse xmlns:ns2="{namespace}"><return>'
               r"<session>([0-9a-f-]{36})</session><token>([\w.-]+)</token>"
               "<username>alice</username></return></ns2:getAccessExpiringTokenResponse>"
               "</soap:Body></soap:Envelope>")
    found = re.fullmatch(pattern, answer.body.decode())
    assert found, answer
    session, token = found.groups()
    assert UUID.fullmatch(session)
    assert answer.header("Set-Cookie") == f"SESSION={session}; Path=/; HttpOnly"
    assert use(jeton, token, ("Cookie", "SESSION=" + session)) == 200
    assert use(jeton, token) == 401


def test_username_is_escaped(jeton):
    user = ("o'brien & <son>", "the password of o'brien")
    jeton.add_user(*user)
    assert dict(fields(sign_in(jeton, user=user)))["username"] == user[0]


def test_endless_session_token(jeton):
    answer = sign_in(jeton, "getAccessToken", "")
    found = dict(fields(answer))
    assert list(found) == ["session", "token", "username"]
    assert use(jeton, found["token"], ("Cookie", "SESSION=" + found["session"])) == 200


@pytest.mark.parametrize("minutes", ["0", "1", "+7", "007", " 5\n", "2147483647"], ids=short)
def test_lifetimes_that_are_numbers(jeton, minutes):
    assert fields(sign_in(jeton, inside=life(minutes)))[0][0] == "session"


@pytest.mark.parametrize("minutes", ["", "-1", "five", "1.0", "0x5", "1e3", "2147483648", "5 5",
                                     "99999999999999999999", "+", "++5", "&#x665;"], ids=short)
def test_lifetimes_that_are_none(jeton, minutes):
    answer = sign_in(jeton, inside=life(minutes))
    assert "tokenLifeInMinutes" in assert_fault(answer)


def test_lifetime_may_be_qualified_and_must_be_there(jeton):
    assert fields(sign_in(jeton, inside="<t:tokenLifeInMinutes>5</t:tokenLifeInMinutes>"))
    assert_fault(sign_in(jeton, inside=""))
    assert_fault(sign_in(jeton, inside=life(5) + life(5)))


@pytest.mark.parametrize("action", [None, "", '""', '"urn:other"', "nonsense"], ids=short)
@pytest.mark.parametrize("content_type", [None, "text/xml; charset=utf-8", "application/soap+xml",
                                          "application/xml", "text/plain"], ids=short)
def test_neither_action_nor_content_type_matter(jeton, action, content_type):
    headers = [user_basic(BOB)]
    if action is not None:
        headers.append(("SOAPAction", action))
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    body = envelope("getAccessToken")
    answer = jeton.request("POST", MANAGER, body, headers)
    assert dict(fields(answer))["username"] == BOB[0]
    jeton.secrets.add(dict(fields(answer))["token"])


WRONG_BODIES = [
    "", "no XML", "<", "<a/>", "\ufeff", "{}", envelope("getAccessToken")[:-1],
    envelope("getAccessToken") + "<more/>",
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>' + envelope("getAccessToken"),
    '<!DOCTYPE a SYSTEM "file:///etc/passwd">' + envelope("getAccessToken"),
    envelope("getAccessExpiringToken", life("&b;")),
    envelope("getAccessToken").replace(SOAP, "http://www.w3.org/2003/05/soap-envelope"),
    envelope("getAccessToken").replace("<E:Header/>",
                                       '<E:Header><h xmlns="urn:h" E:mustUnderstand="1"/>'
                                       "</E:Header>"),
    f'<E:Envelope xmlns:E="{SOAP}"><E:Body/></E:Envelope>',
    f'<E:Envelope xmlns:E="{SOAP}"/>',
    envelope("nothing"), envelope("logout"), envelope("getaccesstoken"),
    envelope("getAccessToken", namespace="http://other.example/"),
    envelope("getAccessToken", namespace=""), envelope("getAccessToken", namespace=PB[:-1]),
    envelope("getAccessToken", namespace=PB + "x"), b"\xff\xfe" + b"<\0a\0/\0>\0",
    envelope("getAccessToken", "<a>" * 40 + "</a>" * 40),
    envelope("getAccessToken", "x" * 20000),
]


@pytest.mark.parametrize("body", WRONG_BODIES, ids=short)
def test_bad_bodies_are_faults_for_whoever_has_a_password(jeton, body):
    """SOAP 1.1 4.4.1: two of the faults have a code of their own."""
    code = "soap:Client"
    if "2003/05" in str(body):
        code = "soap:VersionMismatch"
    elif "mustUnderstand" in str(body):
        code = "soap:MustUnderstand"
    assert_fault(post(jeton, MANAGER, body, user_basic(ALICE)), code)


@pytest.mark.parametrize("body", WRONG_BODIES[:8] + [envelope("getAccessToken")], ids=short)
def test_credentials_come_before_the_body(jeton, body):
    """401 and no fault: RFC 9110 11.6.1 has a challenge with it."""
    for headers in ([], [user_basic((BOB[0], "not the password of bob"))],
                    [user_basic(("nobody-at-all", "some password"))],
                    [("Authorization", "Bearer abc")], [("Authorization", "Basic !")],
                    [user_basic(BOB), user_basic(BOB)]):
        answer = post(jeton, MANAGER, body, *headers)
        assert answer.status == 401, answer
        assert answer.header("WWW-Authenticate").startswith("Basic realm=")
        assert b"soap:" not in answer.body and answer.header("Set-Cookie") is None
    assert sign_in(jeton, user=BOB).status == 200  # and the row of failures has ended


def test_a_bad_body_issues_nothing(jeton):
    before = jeton.cli("token", "list").out
    post(jeton, MANAGER, "no XML", user_basic(ALICE))
    post(jeton, MANAGER, envelope("nothing"), user_basic(ALICE))
    assert jeton.cli("token", "list").out == before


def test_logout_by_header_and_by_cookies(jeton):
    for style in ("header", "cookies", "one cookie line"):
        found = dict(fields(sign_in(jeton)))
        token, session = found["token"], ("Cookie", "SESSION=" + found["session"])
        cookie = "spectrum.authentication.token=" + token
        headers = {"header": [("Authorization", "Bearer " + token), session],
                   "cookies": [("Cookie", cookie), session],
                   "one cookie line": [("Cookie", cookie + "; " + session[1])]}[style]
        assert post(jeton, LOGOUT, envelope("logout"), *headers[:-1]).status == 401 \
            or style == "one cookie line"
        assert use(jeton, token, session) == 200
        answer = post(jeton, LOGOUT, envelope("logout", namespace=PRECISELY), *headers)
        assert answer.status == 200, answer
        assert answer.body.decode() == (
            f'<soap:Envelope xmlns:soap="{SOAP}"><soap:Body><ns2:logoutResponse '
            f'xmlns:ns2="{PRECISELY}"></ns2:logoutResponse></soap:Body></soap:Envelope>')
        assert re.match(r"SESSION=; .*Max-Age=0", answer.header("Set-Cookie"))
        assert use(jeton, token, session) == 401
        assert post(jeton, LOGOUT, envelope("logout"), *headers).status == 401


def test_logout_without_a_token_is_401_whatever_the_body(jeton):
    for body in ("", "no XML", envelope("logout"), envelope("nothing")):
        for headers in ([], [user_basic(ALICE)], [("Authorization", "Bearer a.b.c.d.e")]):
            answer = post(jeton, LOGOUT, body, *headers)
            assert answer.status == 401 and b"soap:" not in answer.body, answer


def test_logout_with_a_bad_body_ends_nothing(jeton):
    found = dict(fields(sign_in(jeton)))
    session = ("Cookie", "SESSION=" + found["session"])
    bearer_header = ("Authorization", "Bearer " + found["token"])
    for body in ("no XML", envelope("nothing"), envelope("logout", namespace="urn:x")):
        assert_fault(post(jeton, LOGOUT, body, bearer_header, session))
    assert use(jeton, found["token"], session) == 200


def test_get_is_the_description_or_405(jeton):
    for path, service in ((MANAGER, b"TokenManagerServiceImplService"),
                          (LOGOUT, b"TokenLogoutServiceImplService")):
        for query in ("?wsdl", "?WSDL", "?wsdl=", "?x=1&wsdl"):
            answer = jeton.get(path + query)
            assert answer.status == 200, answer
            assert answer.header("Content-Type") == "text/xml;charset=UTF-8"
            assert service in answer.body
            ElementTree.fromstring(answer.body)
            head = jeton.request("HEAD", path + query)
            assert (head.status, head.body) == (200, b"")
        answer = jeton.get(path)
        assert answer.status == 405 and answer.header("Allow") == "POST", answer
        answer = jeton.request("PUT", path, "x")
        assert answer.status == 405 and "POST" in answer.header("Allow"), answer


def addresses(answer):
    return re.findall(r'location="([^"]*)"', answer.body.decode())


def test_description_names_the_address_that_was_used(module_server):
    jeton = module_server(args=["--trusted-proxy", "127.0.0.1", "--spectrum-prefix", "/old"])
    path = "/old" + MANAGER
    assert addresses(jeton.get(path + "?wsdl", [("Host", "tokens.example:81")])) == [
        "http://tokens.example:81" + path + "?wsdl&amp;ns=pb", "http://tokens.example:81" + path]
    answer = jeton.get(path + "?wsdl", [("Host", "inner"), ("X-Forwarded-Host", "outer.example"),
                                        ("X-Forwarded-Proto", "https"),
                                        ("X-Forwarded-For", "192.0.2.1")])
    assert addresses(answer)[-1] == "https://outer.example" + path
    assert jeton.get(MANAGER + "?wsdl").status == 404


def test_open_operations(module_server):
    jeton = module_server(args=["--spectrum-soap-open-operation", "getOpenToken",
                                "--spectrum-soap-open-operation", "getOther"])
    for operation in ("getOpenToken", "getOther"):
        for inside in ("", life(0), life(5)):
            answer = sign_in(jeton, operation, inside)
            found = dict(fields(answer))
            assert list(found) == ["token", "username"]
            assert answer.header("Set-Cookie") is None
            assert use(jeton, found["token"]) == 200
            assert use(jeton, found["token"], ("Cookie", "SESSION=null")) == 200
    assert_fault(sign_in(jeton, "getOpenToken", life("x")))
    assert_fault(sign_in(jeton, "getopentoken", ""))


def test_tokens_without_a_session_by_setting(module_server):
    jeton = module_server(args=["--spectrum-soap-binding", "none",
                                "--spectrum-endless-open-tokens", "off"])
    found = dict(fields(sign_in(jeton)))
    assert list(found) == ["token", "username"] and use(jeton, found["token"]) == 200
    assert list(dict(fields(sign_in(jeton, "getAccessToken", "")))) == ["session", "token",
                                                                        "username"]
    assert_fault(sign_in(jeton, inside=life(0)))


def test_switched_off_there_is_nothing(module_server):
    jeton = module_server(args=["--spectrum", "off"])
    for path in (MANAGER, LOGOUT):
        assert jeton.get(path + "?wsdl").status == 404
        assert post(jeton, path, envelope("getAccessToken"), user_basic(ALICE)).status == 404


def test_tokens_end_with_their_time(faked_time):
    jeton, set_time = faked_time
    found = dict(fields(sign_in(jeton, inside=life(1))))
    session = {"Cookie": "SESSION=" + found["session"]}
    set_time(55)
    assert jeton.get(RESOURCE, {**bearer(found["token"]), **session}).status == 200
    set_time(61)
    assert jeton.get(RESOURCE, {**bearer(found["token"]), **session}).status == 401


def test_cors_of_the_soap_services(module_server):
    jeton = module_server(args=["--spectrum-cors-origin", "https://pages.example"])
    origin = ("Origin", "https://pages.example")
    for path in (MANAGER, LOGOUT):
        answer = jeton.request("OPTIONS", path, None, [
            origin, ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,content-type,soapaction")])
        assert answer.status == 200, answer
        assert answer.header("Access-Control-Allow-Origin") == origin[1]
        assert "SOAPAction" in answer.header("Access-Control-Allow-Headers")
        answer = post(jeton, path, "no XML", origin)
        assert answer.status == 401
        assert answer.all_headers("Access-Control-Allow-Origin") == [origin[1]]
    answer = post(jeton, MANAGER, "no XML", origin, user_basic(ALICE))
    assert_fault(answer)
    assert answer.all_headers("Access-Control-Allow-Origin") == [origin[1]]

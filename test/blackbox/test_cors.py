"""Programs in browsers (Fetch 3.2): which endpoints they may call, and which they may
not: AZ-14, fault class 37."""

import pytest

from harness import API, C1, CC, FORM, basic, bearer

ORIGINS = ["https://spa.example", "null", "http://evil.example:8080"]
OPEN = {
    "/oauth2/token": ["POST"], "/oauth2/revoke": ["POST"], "/oauth2/par": ["POST"],
    "/oauth2/device_authorization": ["POST"], "/oauth2/userinfo": ["GET", "POST"],
    "/oauth2/jwks": ["GET"], "/.well-known/jwks.json": ["GET"],
    "/.well-known/oauth-authorization-server": ["GET"],
    "/.well-known/openid-configuration": ["GET"]}
CLOSED = ["/oauth2/authorize", "/oauth2/consent", "/oauth2/logout", "/oauth2/logout/confirmed",
          "/sign-in", "/account", "/device", "/oauth2/introspect", "/api/v1/tokens",
          "/forward-auth", "/livez", "/"]


def cors_of(answer):
    return {name.lower(): value for name, value in answer.headers
            if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("path", OPEN)
def test_preflight(jeton, path, origin):
    for method in OPEN[path]:
        answer = jeton.request("OPTIONS", path, None, {
            "Origin": origin, "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,dpop"})
        assert answer.status == 204 and answer.body == b"", answer
        cors = cors_of(answer)
        assert cors["access-control-allow-origin"] == "*"
        assert method in cors["access-control-allow-methods"].split(", ")
        assert set(cors["access-control-allow-headers"].lower().split(", ")) == {
            "authorization", "content-type", "dpop"}
        assert "access-control-allow-credentials" not in cors


@pytest.mark.parametrize("path", OPEN)
def test_answers_and_refusals_can_be_read(jeton, path):
    """Whatever the status is; and never with cookies."""
    answers = [jeton.request("GET", path, None, {"Origin": ORIGINS[0]}),
               jeton.request("POST", path, "x=y", {"Origin": ORIGINS[0], "Content-Type": FORM}),
               jeton.request("POST", path, "{", {"Origin": ORIGINS[0], "Content-Type": "a/b"}),
               jeton.request("DELETE", path, None, {"Origin": ORIGINS[0]})]
    assert {answer.status for answer in answers} <= {200, 400, 401, 405}
    for answer in answers:
        cors = cors_of(answer)
        assert cors["access-control-allow-origin"] == "*", answer
        assert cors["access-control-expose-headers"] == "WWW-Authenticate, DPoP-Nonce"
        assert "access-control-allow-credentials" not in cors
        assert len(answer.all_headers("Access-Control-Allow-Origin")) == 1


def test_success_and_failure_of_a_program(jeton):
    headers = {"Origin": ORIGINS[0], "Authorization": basic(*CC), "Content-Type": FORM}
    good = jeton.request("POST", "/oauth2/token", "grant_type=client_credentials&scope=read",
                         headers)
    bad = jeton.request("POST", "/oauth2/token", "grant_type=client_credentials",
                        {**headers, "Authorization": basic(CC[0], "no")})
    gone = jeton.get("/oauth2/userinfo", {**bearer(good.json["access_token"]),
                                          "Origin": ORIGINS[0]})
    assert (good.status, bad.status, gone.status) == (200, 401, 403)
    assert all(cors_of(one)["access-control-allow-origin"] == "*" for one in (good, bad, gone))


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("path", CLOSED)
def test_az_14_nothing_else(jeton, path, origin):
    """RFC 9700 2.6: least of all the authorization endpoint."""
    for method in ("OPTIONS", "GET", "POST"):
        answer = jeton.request(method, path, None, {
            "Origin": origin, "Access-Control-Request-Method": "POST"})
        assert not cors_of(answer), answer
        assert method != "OPTIONS" or answer.status not in (200, 204), answer
    introspection = jeton.post_form("/oauth2/introspect", {"token": "x"},
                                    headers={"Origin": origin}, client=API)
    assert introspection.status == 200 and not cors_of(introspection)


def test_dialects_keep_their_own(jeton):
    answer = jeton.request("OPTIONS", "/security/rest/token/access/", None, {
        "Origin": ORIGINS[0], "Access-Control-Request-Method": "GET"})
    assert cors_of(answer).get("access-control-allow-origin") != "*", answer
    assert jeton.client_token(C1, "jread")

"""oauth2-proxy before a page: sign-in, session, refresh, logout.

It is built from its Go module, which takes a minute or two once; Go keeps what it built.
"""

import pathlib
import urllib.parse

import pytest

from go_programs import build
from harness import ALICE, API, wait_until
from visitor import Visitor
from web_servers import WebServer

CLIENT = ("proxy", "proxy-secret-proxy-secret")
FOLDER = pathlib.Path(__file__).resolve().parent / "oauth2_proxy"
PROGRAM = "github.com/oauth2-proxy/oauth2-proxy/v7"
REFRESH_S = 2


@pytest.fixture(scope="module")
def proxy(jeton, tmp_path_factory):
    program = build(PROGRAM, tmp_path_factory.mktemp("go") / "oauth2-proxy", FOLDER, (1, 21))
    server = WebServer(tmp_path_factory.mktemp("proxy"))
    (server.pages / "left.html").write_text('<!doctype html><title>Left</title><p id="left">You '
                                            'have left.</p>\n')
    root = f"http://127.0.0.1:{server.port}"
    jeton.add_client(*CLIENT, "--grant", "authorization_code", "--grant", "refresh_token",
                     "--scope", "openid profile email read", "--redirect-uri",
                     root + "/oauth2/callback", "--post-logout-uri", root + "/left.html")
    server.start([
        str(program), "--provider=oidc", f"--oidc-issuer-url=http://127.0.0.1:{jeton.port}",
        f"--client-id={CLIENT[0]}", f"--client-secret={CLIENT[1]}",
        f"--redirect-url={root}/oauth2/callback", "--scope=openid profile email read",
        "--code-challenge-method=S256", "--email-domain=*", "--skip-provider-button",
        f"--http-address=127.0.0.1:{server.port}", f"--upstream=file://{server.pages}/#/",
        "--skip-auth-route=GET=^/left", f"--whitelist-domain=127.0.0.1:{jeton.port}",
        "--cookie-secret=a-secret-of-32-characters-for-it", "--cookie-secure=false",
        f"--cookie-refresh={REFRESH_S}s", "--set-xauthrequest", "--pass-access-token"])
    yield server
    server.stop()


def enter(jeton, proxy):
    visitor = Visitor(jeton, proxy.port, ALICE)
    page = visitor.open("/")
    assert page is visitor.site and page.status == 200, (page.answer, proxy.log())
    assert "behind the door" in page.text
    return visitor


def token_of(visitor):
    """The session's access token; None: the proxy knows no session."""
    answer = visitor.site.open("/oauth2/auth").answer
    assert answer.status in (202, 401), answer
    return answer.header("X-Auth-Request-Access-Token")


def test_oauth2_proxy_knows_who_signed_in(jeton, proxy):
    assert token_of(Visitor(jeton, proxy.port, ALICE)) is None
    visitor = enter(jeton, proxy)
    assert any("code_challenge_method=S256" in url for url in visitor.path_was)
    info = visitor.site.open("/oauth2/userinfo").answer.json
    assert info["preferredUsername"] == ALICE[0] and info["email"] == "alice@mail.example"
    assert info["user"].startswith("account:")
    assert jeton.is_active(token_of(visitor), API)


def test_oauth2_proxy_takes_no_answer_that_it_did_not_ask_for(jeton, proxy):
    """Login CSRF: the state is one of another browser."""
    visitor, stranger = (Visitor(jeton, proxy.port, ALICE) for _ in range(2))
    asked = visitor.site.open("/").answer.header("Location")
    state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(asked).query))["state"]
    page = stranger.site.open("/oauth2/callback?" + urllib.parse.urlencode(
        {"code": "x", "state": state, "iss": f"http://127.0.0.1:{jeton.port}"}))
    assert page.status in (401, 403) and token_of(stranger) is None


def test_oauth2_proxy_refreshes(jeton, proxy):
    visitor = enter(jeton, proxy)
    old = token_of(visitor)
    new = wait_until(lambda: (found := token_of(visitor)) != old and found, 30, "another token")
    assert jeton.is_active(new, API), proxy.log()


def test_oi_05_oauth2_proxy_leads_to_the_logout(jeton, proxy):
    visitor = enter(jeton, proxy)
    token = token_of(visitor)
    logout = f"http://127.0.0.1:{jeton.port}/oauth2/logout?" + urllib.parse.urlencode({
        "client_id": CLIENT[0],
        "post_logout_redirect_uri": f"http://127.0.0.1:{proxy.port}/left.html"})
    page = visitor.open("/oauth2/sign_out?rd=" + urllib.parse.quote(logout, safe=""))
    assert page is visitor.site and page.text_of("left") == "You have left.", page.answer
    assert token_of(visitor) is None and not visitor.jeton.open("/").has("sign-out")
    assert not jeton.is_active(token, API)

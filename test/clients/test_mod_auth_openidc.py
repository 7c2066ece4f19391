"""Apache with mod_auth_openidc before a page: login, refresh, and both kinds of logout."""

import json
import os
import re

import pytest

from certificates import SERVER, Authority, local_names
from harness import ALICE, API, BOB, free_port, wait_until
from visitor import Visitor
from web_servers import WebServer, find_program, worker_user

MODULES = "/usr/lib/apache2/modules"
CLIENT = ("apache", "apache-secret-apache-secret")
# Back-channel logout is told by https alone, so the site has a door with a certificate, too.
CONFIG = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
Listen 127.0.0.1:{tls_port}
PidFile {folder}/apache.pid
Mutex posixsem
ErrorLog {folder}/error.log
LogLevel warn
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule dir_module {modules}/mod_dir.so
LoadModule include_module {modules}/mod_include.so
LoadModule ssl_module {modules}/mod_ssl.so
LoadModule auth_openidc_module {modules}/mod_auth_openidc.so
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
DocumentRoot {folder}/pages
DirectoryIndex index.html
<Directory {folder}/pages>
    ForceType text/html
</Directory>
OIDCProviderMetadataURL http://127.0.0.1:{jeton}/.well-known/openid-configuration
OIDCClientID {client[0]}
OIDCClientSecret {client[1]}
OIDCRedirectURI http://127.0.0.1:{port}/inside/callback
OIDCCryptoPassphrase a-passphrase-for-this-test-alone
OIDCScope "openid profile email read"
OIDCPKCEMethod S256
OIDCRemoteUserClaim preferred_username
OIDCPassClaimsAs environment
OIDCInfoHook access_token id_token refresh_token
<Location /inside>
    AuthType openid-connect
    Require valid-user
    Options +Includes
    SetOutputFilter INCLUDES
</Location>
<VirtualHost 127.0.0.1:{tls_port}>
    SSLEngine on
    SSLCertificateFile {certificate}
    SSLCertificateKeyFile {key}
</VirtualHost>
"""
CLAIMS = """<!doctype html><title>Claims</title>
<p id="user"><!--#echo var="REMOTE_USER" --></p>
<p id="email"><!--#echo var="OIDC_CLAIM_email" --></p>
<p id="subject"><!--#echo var="OIDC_CLAIM_sub" --></p>
<p id="issuer"><!--#echo var="OIDC_CLAIM_iss" --></p>
"""
LEFT = '<!doctype html><title>Left</title><p id="left">You have left.</p>\n'


@pytest.fixture(scope="module")
def authority():
    return Authority("Sites")


@pytest.fixture(scope="module")
def jeton(module_server, authority, tmp_path_factory):
    trusted = authority.save(tmp_path_factory.mktemp("authority"), "sites")
    return module_server(args=["--fetch-ca-file", str(trusted), "--fetch-network", "127.0.0.1"])


@pytest.fixture(scope="module")
def apache(jeton, authority, tmp_path_factory):
    program = find_program("apache2")
    if program is None or not os.path.exists(MODULES + "/mod_auth_openidc.so"):
        pytest.skip("Apache with mod_auth_openidc is not installed")
    server = WebServer(tmp_path_factory.mktemp("apache"))
    (server.pages / "inside").mkdir()
    (server.pages / "inside" / "index.html").write_text(CLAIMS)
    (server.pages / "left.html").write_text(LEFT)
    certificate, key = authority.issue([("CN", "localhost")], names=local_names(),
                                       usage=[SERVER]).save(server.folder, "site")
    tls_port, user = free_port(), worker_user()
    config = server.folder / "apache.conf"
    config.write_text(CONFIG.format(
        folder=server.folder, port=server.port, tls_port=tls_port, jeton=jeton.port,
        modules=MODULES, client=CLIENT, certificate=certificate, key=key,
        user=f"User {user}\nGroup {user}" if os.geteuid() == 0 and user else ""))
    jeton.add_client(
        *CLIENT, "--grant", "authorization_code", "--grant", "refresh_token", "--scope",
        "openid profile email read", "--redirect-uri",
        f"http://127.0.0.1:{server.port}/inside/callback", "--post-logout-uri",
        f"http://127.0.0.1:{server.port}/left.html", "--back-channel-logout-uri",
        f"https://localhost:{tls_port}/inside/callback?logout=backchannel")
    server.start([program, "-D", "FOREGROUND", "-f", str(config)])
    yield server
    server.stop()


def enter(jeton, apache, user=ALICE):
    visitor = Visitor(jeton, apache.port, user)
    page = visitor.open("/inside/")
    assert page is visitor.site and page.status == 200, (page.answer, apache.log())
    assert page.text_of("user") == user[0]
    return visitor


def is_in(visitor):
    """Whether the site still knows the browser; it is not sent on to Jeton."""
    return visitor.site.open("/inside/").status == 200


def tokens_of(visitor):
    visitor.site.open("/inside/callback?info=json")
    assert visitor.site.status == 200, visitor.site.answer
    return json.loads(visitor.site.answer.body)


def test_apache_shows_the_claims(jeton, apache):
    visitor = enter(jeton, apache)
    page = visitor.here
    assert page.text_of("email") == "alice@mail.example"
    assert page.text_of("subject").startswith("account:")
    assert page.text_of("issuer") == f"http://127.0.0.1:{jeton.port}"
    assert is_in(visitor)


def test_apache_refreshes(jeton, apache):
    visitor = enter(jeton, apache)
    old = tokens_of(visitor)
    visitor.open("/inside/callback?refresh=http%3A%2F%2F127.0.0.1%3A" + f"{apache.port}%2Fleft.html"
                 "&access_token=" + old["access_token"])
    assert visitor.here.has("left"), visitor.here.answer
    new = tokens_of(visitor)
    assert new["access_token"] != old["access_token"], apache.log()
    assert new["refresh_token"] != old["refresh_token"]
    assert jeton.is_active(new["access_token"], API)


def test_oi_05_apache_asks_for_the_logout(jeton, apache):
    visitor = enter(jeton, apache)
    token = tokens_of(visitor)["access_token"]
    page = visitor.open("/inside/callback?logout=http%3A%2F%2F127.0.0.1%3A"
                        f"{apache.port}%2Fleft.html")
    assert page is visitor.site and page.text_of("left") == "You have left.", page.answer
    assert any(re.search(r"/oauth2/logout\?.*id_token_hint=", url) for url in visitor.path_was)
    assert not is_in(visitor) and not visitor.jeton.open("/").has("sign-out")
    assert not jeton.is_active(token, API)


def test_oi_06_apache_is_told_of_the_logout(jeton, apache):
    """Of the session that ends, not of another one, of the same person or not."""
    leaving, staying, other = (enter(jeton, apache, user) for user in (ALICE, ALICE, BOB))
    leaving.jeton.open("/").press("sign-out")
    wait_until(lambda: not is_in(leaving), 20, "the site forgets the session")
    assert is_in(staying) and is_in(other), apache.log()

"""Apache with mod_oauth2 in front of a real page: introspection, and keys from the JWKS."""

import os
import time

import pytest

from harness import ALICE, API, C1, CC, JWTS
from test_nginx import fetch
from web_servers import PAGE, WebServer, find_program, worker_user

MODULES = "/usr/lib/apache2/modules"
CONFIG = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
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
LoadModule alias_module {modules}/mod_alias.so
LoadModule headers_module {modules}/mod_headers.so
LoadModule oauth2_module {modules}/mod_oauth2.so
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
DocumentRoot {folder}/pages
DirectoryIndex index.html
<Directory {folder}/pages>
    AuthType oauth2
    OAuth2TokenVerify introspect http://127.0.0.1:{jeton}/oauth2/introspect {introspect}
    OAuth2TargetPass prefix=seen_&remote_user_claim={claim}
    Require oauth2_claim aud:{audience}
    Header always set X-Seen-User "expr=%{{REMOTE_USER}}"
</Directory>
Alias /signed {folder}/pages
<Location /signed>
    AuthType oauth2
    OAuth2TokenVerify jwks_uri http://127.0.0.1:{jeton}/.well-known/jwks.json {jwks}
    OAuth2TargetPass remote_user_claim=sub
    Require valid-user
</Location>
"""


@pytest.fixture(scope="module")
def apache(jeton, tmp_path_factory):
    program = find_program("apache2")
    if program is None or not os.path.exists(MODULES + "/mod_oauth2.so"):
        pytest.skip("Apache with mod_oauth2 is not installed")
    server = WebServer(tmp_path_factory.mktemp("apache"))
    user = worker_user()
    config = server.folder / "apache.conf"
    config.write_text(CONFIG.format(
        folder=server.folder, port=server.port, jeton=jeton.port, modules=MODULES,
        claim="username", audience=API[0], jwks="jwks_uri.ssl_verify=false&expiry=1",
        introspect="introspect.ssl_verify=false&introspect.auth=client_secret_basic"
                   f"&client_id={API[0]}&client_secret={API[1]}&expiry=1",
        user=f"User {user}\nGroup {user}" if os.geteuid() == 0 and user else ""))
    server.start([program, "-D", "FOREGROUND", "-f", str(config)])
    yield server
    server.stop()


def test_apache_shows_the_page_to_a_good_token(jeton, apache):
    token = jeton.user_token(C1, ALICE, "read")["access_token"]
    reply, text = fetch(apache, token)
    assert reply.status == 200 and text == PAGE, apache.log()
    assert reply.getheader("X-Seen-User") == ALICE[0]


def test_apache_turns_others_away(jeton, apache):
    for token in (None, "jta_nonsense"):
        reply, text = fetch(apache, token)
        assert reply.status == 401 and PAGE not in text, (token, apache.log())
    foreign = jeton.client_token(C1, "peek")["access_token"]
    assert fetch(apache, foreign)[0].status == 401


def test_apache_closes_the_door_when_a_token_is_revoked(jeton, apache):
    """Within the second that the module remembers an answer."""
    token = jeton.user_token(C1, ALICE, "read")["access_token"]
    assert fetch(apache, token)[0].status == 200
    jeton.revoke(token, C1)
    deadline = time.monotonic() + 10
    while fetch(apache, token)[0].status != 401:
        assert time.monotonic() < deadline, "still open ten seconds after the revocation"
        time.sleep(0.1)


def test_apache_verifies_signed_tokens_from_the_jwks(jeton, apache):
    token = jeton.client_token(C1, "jread")["access_token"]
    reply, text = fetch(apache, token, path="/signed/")
    assert reply.status == 200 and text == PAGE, apache.log()
    altered = token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:]
    assert fetch(apache, altered, path="/signed/")[0].status == 401
    opaque = jeton.client_token(CC, "read")["access_token"]
    assert fetch(apache, opaque, path="/signed/")[0].status == 401
    assert JWTS[0] not in text

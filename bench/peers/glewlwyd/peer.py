"""Glewlwyd, a token server in C, as Debian packages it, with its SQLite store.

Its OpenID Connect plugin signs every access token (ES256 here) and keeps a row of each.
"""

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

from servers import Request, Server, Skip, exchange, free_port, request_text

CLIENT = "bench:bench-secret-0123456789abcdef"
SCHEMA = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
MODULES = Path("/usr/lib/glewlwyd")

CONFIGURATION = """port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}/"
login_url="login.html"
api_prefix="api"
cookie_secure=0
log_mode="console"
log_level="ERROR"
session_expiration=2419200
session_key="GLEWLWYD2_SESSION_ID"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="{modules}/user"
user_middleware_module_path="{folder}/none"
client_module_path="{modules}/client"
user_auth_scheme_module_path="{modules}/scheme"
plugin_module_path="{modules}/plugin"
use_secure_connection=false
secure_connection_key_file="{folder}/none/key"
secure_connection_pem_file="{folder}/none/pem"
secure_connection_ca_file="{folder}/none/ca"
hash_algorithm="SHA512"
database =
{{
  type = "sqlite3"
  path = "{folder}/glewlwyd.db"
}}
"""


class Glewlwyd:
    """The peer; see servers.py and run.py for what is asked of one."""

    name = "Glewlwyd"
    note = "C, SQLite, every token a signed JWT and a row"
    live_count = 500

    def __init__(self, source, folder):
        self.folder = folder
        self.port = free_port()

    def prepare(self):
        if shutil.which("glewlwyd") is None:
            raise Skip("glewlwyd is not installed (Debian: apt-get install glewlwyd)")
        if not SCHEMA.exists():
            raise Skip("the package's schema for SQLite is not where it was")
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "none").mkdir(parents=True)
        schema = SCHEMA.read_text()
        database = sqlite3.connect(self.folder / "glewlwyd.db")
        database.executescript(schema)
        database.close()
        (self.folder / "glewlwyd.conf").write_text(CONFIGURATION.format(
            port=self.port, modules=MODULES, folder=self.folder))

    def start(self, cores):
        server = Server(self.name, ["glewlwyd", f"--config-file={self.folder}/glewlwyd.conf"],
                        self.port, cores, self.folder / "log")
        server.wait(request_text("GET", "/config"))
        if not (self.folder / "ready").exists():
            self.configure(server)
            (self.folder / "ready").touch()
        return server

    def configure(self, server):
        """Makes the plugin, a scope and a client, over its own administration interface."""
        cookie = self.call(server, "POST", "/api/auth/",
                           {"username": "admin", "password": "password"}, None)
        key = subprocess.run(
            ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"],
            capture_output=True, text=True, check=True).stdout
        public = subprocess.run(["openssl", "ec", "-pubout"], input=key, capture_output=True,
                                text=True, check=True).stdout
        self.call(server, "POST", "/api/scope/",
                  {"name": "read", "display_name": "read", "password_required": False}, cookie)
        self.call(server, "POST", "/api/mod/plugin/", {
            "module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": {
                "iss": f"http://127.0.0.1:{self.port}", "jwt-type": "ecdsa", "jwt-key-size": "256",
                "key": key, "cert": public, "access-token-duration": 86400,
                "refresh-token-duration": 86400, "code-duration": 600,
                "refresh-token-rolling": True, "allow-non-oidc": True,
                "auth-type-code-enabled": False, "auth-type-token-enabled": False,
                "auth-type-id-token-enabled": True, "auth-type-none-enabled": False,
                "auth-type-password-enabled": False, "auth-type-client-enabled": True,
                "auth-type-device-enabled": False, "auth-type-refresh-enabled": True,
                "scope": [], "additional-parameters": [], "claims": [], "subject-type": "public",
                "introspection-revocation-allowed": True,
                "introspection-revocation-allow-target-client": True,
                "introspection-revocation-auth-scope": [],
            }}, cookie)
        name, secret = CLIENT.split(":")
        self.call(server, "POST", "/api/client/", {
            "client_id": name, "name": name, "password": secret, "client_secret": secret,
            "confidential": True, "enabled": True, "scope": ["read"],
            "authorization_type": ["client_credentials"],
            "token_endpoint_auth_method": ["client_secret_basic"],
            "redirect_uri": ["https://client.example/callback"]}, cookie)

    def call(self, server, method, target, members, cookie):
        """One administrative request; returns the session's cookie when it sets one."""
        command = ["curl", "-sS", "-X", method, "-H", "Content-Type: application/json", "-D", "-",
                   "-o", str(self.folder / "answer"), "-d", json.dumps(members)]
        if cookie:
            command += ["-H", "Cookie: " + cookie]
        head = subprocess.run(command + [f"http://127.0.0.1:{server.port}{target}"],
                              capture_output=True, text=True, check=True).stdout
        if " 200" not in head.splitlines()[0]:
            answer = self.folder / "answer"
            raise Skip(f"{method} {target}: {head.splitlines()[0]} "
                       f"{answer.read_text()[:300] if answer.exists() else ''}")
        for line in head.splitlines():
            if line.lower().startswith("set-cookie:"):
                return line.split(":", 1)[1].split(";")[0].strip()
        return cookie

    def requests(self):
        issue = Request(request_text("POST", "/api/oidc/token",
                                     "grant_type=client_credentials&scope=read", CLIENT))
        introspect = Request(request_text("POST", "/api/oidc/introspect", "token={value}", CLIENT),
                             expect='"active":true')
        return {"issue": issue, "client-credentials-es256": issue, "introspect": introspect}

    def size(self):
        """Bytes of its store."""
        return sum(path.stat().st_size for path in self.folder.glob("glewlwyd.db*"))


def peers(source, folder):
    return [Glewlwyd(source, folder)]

"""oidc-provider, a certified OpenID provider for Node.js, in memory and with SQLite."""

import os
import shutil
import subprocess

from servers import Request, Server, Skip, free_port, request_text

CLIENT = "bench:bench-secret-0123456789abcdef"
NODE_VERSION_MIN = 20
CHAIN_COUNT = 64


class OidcProvider:
    """The peer; see servers.py and run.py for what is asked of one."""

    def __init__(self, source, folder, store, live_count):
        self.source = source
        self.folder = folder
        self.store = store
        self.live_count = live_count
        self.name = f"oidc-provider, {store}"
        self.note = f"Node.js, one process, {store}"
        self.port = free_port()
        self.chains = folder / f"chains-{store}"
        self.database = folder / "oidc-provider.db"

    def prepare(self):
        for tool in ("node", "npm"):
            if shutil.which(tool) is None:
                raise Skip(f"{tool} is not installed")
        version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
        if int(version.strip().lstrip("v").split(".")[0]) < NODE_VERSION_MIN:
            raise Skip(f"needs Node.js {NODE_VERSION_MIN}, here is {version.strip()}")
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.source.glob("*.js*"):
            shutil.copy(path, self.folder)
        for path in self.folder.glob("oidc-provider.db*"):
            path.unlink()
        needed = ["oidc-provider"] + (["better-sqlite3"] if self.store == "SQLite" else [])
        if all((self.folder / "node_modules" / name).is_dir() for name in needed):
            return
        log = self.folder / "npm.log"
        with open(log, "wb") as output:
            done = subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--prefix", self.folder],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                timeout=400)
        if done.returncode != 0:
            raise Skip("npm install failed: " + log.read_text(errors="replace")[-300:].strip())

    def start(self, cores):
        where = "memory" if self.store == "memory" else self.database
        environment = dict(os.environ, NODE_ENV="production")
        server = Server(
            self.name, ["node", self.folder / "server.js", self.port, where, self.chains,
                        CHAIN_COUNT],
            self.port, cores, self.folder / f"log-{self.store}", environment)
        server.wait(request_text("GET", "/.well-known/openid-configuration"))
        return server

    def requests(self):
        def issue(form):
            return Request(request_text("POST", "/token", form, CLIENT))

        return {
            "issue": issue("grant_type=client_credentials"),
            "client-credentials-es256":
                issue("grant_type=client_credentials&resource=urn:api&scope=read"),
            "introspect": Request(
                request_text("POST", "/token/introspection", "token={value}", CLIENT),
                expect='"active":true'),
            "refresh": Request(
                request_text("POST", "/token", "grant_type=refresh_token&refresh_token={value}",
                             CLIENT),
                values=self.chains,
                flags=["--chain", "--member", "refresh_token", "--save", self.chains]),
        }

    def size(self):
        """Bytes of its store."""
        return sum(path.stat().st_size for path in self.folder.glob("oidc-provider.db*"))


def peers(source, folder):
    return [OidcProvider(source, folder, "memory", 100000),
            OidcProvider(source, folder, "SQLite", 10000)]

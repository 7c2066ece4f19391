"""Servers and commands that are told of a PostgreSQL database by nothing but their options.

The cluster asks for SCRAM-SHA-256 and has a certificate, as one on a network should.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest

import harness
import postgres
from certificates import SERVER, Authority, local_names

SECRET = "wrong-Horse%2Fbattery"  # as it stands in a URL


class Node(harness.Server):
    """A server, or commands, with these options and nothing else."""

    def __init__(self, folder, *options, env=None, **more):
        super().__init__(folder, env={"HOME": str(folder), **(env or {})}, **more)
        self.options = [str(option) for option in options]
        self.secrets.update([postgres.PASSWORD, SECRET, SECRET.replace("%2F", "/")])

    def place(self):
        return self.options

    def lines(self, event):
        return [line for line in self.log_lines() if line["event"] == event]

    def ready(self):
        return self.get("/readyz")

    def is_ready(self):
        return self.ready().status == 200

    def serve(self, *more, status=1):
        """A start that does not succeed: its one line on standard error, and the log before it."""
        done = subprocess.run([self.binary, "serve", *self.options, "--listen", "127.0.0.1:0",
                               *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=90, check=False,
                              cwd=self.folder, env={**harness.sanitizer_environment(), **self.env})
        assert done.returncode == status, done
        for secret in self.secrets:
            assert secret not in done.stdout + done.stderr
        lines = done.stderr.splitlines()
        assert lines[-1].startswith("jeton: serve: ") and \
            all(line.startswith("{") for line in lines[:-1]), done.stderr
        return lines[-1]

    def refused(self, *words, status=1):
        """A command that is refused: its one line."""
        done = self.cli(*(words or ["user", "list"]), status=status)
        for secret in self.secrets:
            assert secret not in done.err
        assert done.out == "" and done.err.count("\n") == 1 and done.err.startswith("jeton: ")
        return done.err


@pytest.fixture(scope="module")
def authority():
    return Authority("Database authority")


@pytest.fixture(scope="module")
def own_folder():
    """Where PostgreSQL's own user gets to, whoever else makes his folders private meanwhile."""
    with tempfile.TemporaryDirectory(prefix="jeton-postgres-") as name:
        yield pathlib.Path(name)


@pytest.fixture(scope="module")
def cluster(own_folder, authority):
    """SCRAM-SHA-256 over TLS, and nothing else."""
    folder = own_folder
    made = postgres.Cluster(folder / "pg", auth="scram-sha-256")
    certificate, key = authority.issue([("CN", "localhost")], names=local_names(),
                                       usage=[SERVER]).save(folder, "server")
    for path in (certificate, key):
        if made.account:
            os.chown(path, made.account.pw_uid, made.account.pw_gid)
    made.settings.update(ssl="on", ssl_cert_file=certificate, ssl_key_file=key,
                         password_encryption="scram-sha-256")
    made.start()
    made.create_role()
    made.authority_file = authority.save(folder, "authority")
    yield made
    made.stop("immediate")


@pytest.fixture
def database(cluster, request):
    """An empty database's URL, without a password."""
    name = re.sub(r"\W", "_", request.node.name)[:60].lower()
    yield cluster.create_database(name)
    cluster.drop_database(name)


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "database-password"
    path.touch(0o600)
    path.write_text(postgres.PASSWORD + "\n")
    return path


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "master.key"
    path.touch(0o600)
    path.write_bytes(os.urandom(32))
    return path


@pytest.fixture
def new_node(tmp_path_factory, request):
    made = []
    failed_before = request.session.testsfailed

    def make(*options, **more):
        made.append(Node(tmp_path_factory.mktemp("node"), *options, **more))
        return made[-1]

    yield make
    for node in made:
        if node.is_running():
            node.stop()
        if request.session.testsfailed > failed_before:
            sys.stderr.write(f"--- {node.log_path}\n{node.log()[-4000:]}\n")
        node.assert_clean()
        node.store.drop()


@pytest.fixture
def options(database, password_file, key_file):
    return ["--database", database, "--database-password-file", password_file,
            "--master-key-file", key_file]

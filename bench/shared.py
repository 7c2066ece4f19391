"""Jeton on PostgreSQL as it is measured: a cluster of its own, and nodes on databases in it.

The cluster is the tests' (test/blackbox/postgres.py), with the settings of a new installation: what
is committed is on the disk before it is answered.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import filler
from jeton import Instance
from servers import TICKS, Server, Skip

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test" / "blackbox"))


class Database:
    """One cluster for all; its CPU time is that of all its processes."""

    def __init__(self, folder):
        self.folder = folder
        self.cluster = None
        self.postmaster = None

    def start(self):
        if self.cluster is not None:
            return
        try:
            from postgres import Cluster
        except ImportError as why:
            raise Skip(f"PostgreSQL: {why}") from None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cluster = Cluster(self.folder, is_durable=True)
        self.cluster.start()
        self.cluster.create_role()
        one = self.run("postgres", "SELECT pid FROM pg_stat_activity"
                       " WHERE backend_type = 'checkpointer'")
        self.postmaster = int(Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()[1])

    def run(self, name, text, data=None):
        """What psql answers; data: what a COPY takes, an iterator of bytes."""
        from postgres import SUPERUSER, find_program

        url = self.cluster.socket_url.replace(f"///{SUPERUSER}?", f"///{name}?")
        command = [find_program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                   *(word for part in text.split(";") for word in ("-c", part)), url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            for piece in data or ():
                process.stdin.write(piece)
            out, error = process.communicate()
        if process.returncode != 0:
            raise Skip(f"psql: {error.decode().strip()[-300:]}")
        return out.decode().strip()

    def create(self, name):
        self.run("postgres", f"DROP DATABASE IF EXISTS {name}")
        self.cluster.create_database(name)

    def has(self, name):
        return self.run("postgres", "SELECT count(*) FROM pg_database"
                        f" WHERE datname = '{name}'") == "1"

    def cpu_s(self):
        total = 0
        for pid in [self.postmaster, *self.children()]:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            # Of those that ended, too.
            total += sum(int(field) for field in fields[11:15 if pid == self.postmaster else 13])
        return total / TICKS

    def children(self):
        text = Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children").read_text()
        return [int(word) for word in text.split()]

    def size(self, name):
        return int(self.run("postgres", f"SELECT pg_database_size('{name}')"))

    def stop(self):
        if self.cluster is not None:
            self.cluster.stop()
            self.cluster = None


class SharedInstance(Instance):
    """One database and the nodes on it; `server` is the first of them."""

    def __init__(self, binary, folder, database, count=1):
        super().__init__(binary, folder, None)
        self.database = database
        self.name = re.sub(r"[^a-z0-9]", "_", folder.name)
        self.key_file = folder / "master.key"
        self.ports = [self.port] + [self.new_port() for _ in range(count - 1)]
        self.servers = []

    def place(self):
        return ["--database", self.database.cluster.url(self.name), "--master-key-file",
                self.key_file]

    def make(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            path.unlink()
        self.database.create(self.name)
        with open(os.open(self.key_file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(os.urandom(32))
        self.register()

    def start(self, until=None):
        self.servers = [self.new_server(port) for port in self.ports]
        self.server = self.servers[0]
        took = [server.wait(until or self.ready) for server in self.servers]
        return max(took)

    def new_server(self, port):
        return Server("Jeton on PostgreSQL",
                      [self.binary, "serve", *self.place(), "--listen", f"127.0.0.1:{port}",
                       "--issuer", f"http://127.0.0.1:{self.ports[0]}"], port, None,
                      self.folder / "log")

    def warm(self):
        first = self.port
        for self.port in self.ports:
            super().warm()
        self.port = first

    def stop(self):
        for server in self.servers:
            server.stop()
        self.servers, self.server = [], None

    def disk_bytes(self):
        return self.database.size(self.name)

    def all_servers(self):
        return self.servers

    def rows(self):
        return filler.PostgresRows(self.database, self.name)

    def master_key(self):
        return self.key_file.read_bytes()

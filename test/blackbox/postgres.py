#!/usr/bin/env python3
"""A PostgreSQL of the tests' own, from the programs that the distribution has.

    postgres.py COMMAND…    runs a command with a cluster beside it, which ends with it; its
                            superuser's URL is in JETON_TEST_DATABASE

A Cluster is one folder and one postmaster. PostgreSQL does not run as root: then everything of it
belongs to `postgres`, or where there is none to `nobody`. It ends with the process that started it,
however that one ends. The databases of the servers under test belong to a role without any rights
of its own, as those of a real service should.
"""

import ctypes
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

START_TIMEOUT_S = 60
# Why it ends at once, and will not a moment later: a lost port, and what a killed one left (its
# memory; its lock file, whose process id another process may have by now).
PASSING = ("could not bind", "still in use", "already exists")
STOP_TIMEOUT_S = 60
SUPERUSER = "postgres"
ROLE = "jeton"
PASSWORD = "jeton-database-password"
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
# Names are compared as a language has it and not byte by byte, as in most databases out there.
LOCALE = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
# What makes it lose data when the machine stops, and not when the program does.
FAST = {"fsync": "off", "full_page_writes": "off"}
SETTINGS = {"max_connections": "400", "shared_buffers": "64MB", "max_prepared_transactions": "0",
            "log_min_messages": "warning", "log_statement": "none", "autovacuum_naptime": "10s",
            "max_wal_size": "256MB", "min_wal_size": "32MB", "wal_level": "replica",
            "max_wal_senders": "4", "dynamic_shared_memory_type": "posix", "jit": "off"}


class NotInstalled(Exception):
    """There is no such program here."""


def find_program(name):
    """Where Debian has it, the newest, or in PATH. (Debian's psql in PATH asks around first.)"""
    def version(path):
        found = re.search(r"/(\d+)/bin$", str(path.parent))
        return int(found.group(1)) if found else 0

    folders = pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    found = max(folders, key=version, default=None) or shutil.which(name)
    if found is None:
        raise NotInstalled(f"no {name}: install postgresql")
    return str(found)


def run_sql(url, text):
    """Runs statements, each on its own; what they answer, as lines of values with | between."""
    done = subprocess.run([find_program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                           url], input=text.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, f"{text[:300]}: {done.stderr.decode()}"
    return done.stdout.decode("utf-8", "replace").splitlines()


def create_database(url, name, template="template0"):
    """url: a superuser's. The role's own, so that it may make tables in it. A copy of a template
    that is small goes fastest through the log."""
    run_sql(url, f'CREATE DATABASE "{name}" OWNER {ROLE} TEMPLATE "{template}"')


def drop_database(url, name):
    run_sql(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def change_url(url, name, user=ROLE):
    """The same server, another database and user."""
    return re.sub(r"^(postgresql://)[^@/]*@([^/]*)/.*$", rf"\1{user}@\2/{name}", url)


class Cluster:
    """One postmaster on a folder of its own.

    host            the address at which it listens besides its Unix socket, on a port that the
                    kernel chose
    settings        more of postgresql.conf
    is_durable      whether a commit waits for the disk; without, tests are quicker
    auth            how clients over TCP prove who they are; those of the socket need not
    """

    def __init__(self, folder, host="127.0.0.1", settings=None, is_durable=False, auth="trust"):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.log_path = self.folder / "postgres.log"
        self.host = host
        self.port = None
        self.auth = auth
        self.settings = {**SETTINGS, **({} if is_durable else FAST), **(settings or {})}
        self.process = None
        self.primary = None
        self.has_role = False
        self.account = _find_account()

    # -- the postmaster ---------------------------------------------------------------------

    def start(self):
        """Makes the cluster when there is none yet, and waits until it takes connections."""
        if not self.data.exists():
            self._make()
        else:
            self._open_way()
        is_new = self.port is None
        deadline = time.monotonic() + START_TIMEOUT_S
        if is_new:
            self.port = _free_port(self.host)
        while not self._launch(deadline):
            # A port may be lost to somebody else; what a killed postmaster left goes in a moment.
            assert time.monotonic() < deadline, "postgres does not start: " + self.log()[-3000:]
            time.sleep(0.05)
            if is_new:
                self.port = _free_port(self.host)
        if self.primary is not None:
            self._make_synchronous()
        return self

    def _make(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.account:
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
        self._open_way()
        self._run(["initdb", "-D", self.data, "-U", SUPERUSER, "-A", "trust", "--no-sync",
                   "--no-instructions", *LOCALE])
        (self.data / "pg_hba.conf").write_text(
            f"local all,replication all trust\nhost all,replication all all {self.auth}\n")

    def _open_way(self):
        """A test's folders are for their owner alone; who the cluster runs as must get through."""
        for folder in self.folder.absolute().parents if self.account else ():
            status = folder.stat()
            if status.st_uid == 0 and status.st_mode & 0o001 == 0:
                folder.chmod(status.st_mode | 0o001)

    def _launch(self, deadline):
        """False: it ended at once, for a reason that may pass."""
        settings = {**self.settings, "port": self.port, "listen_addresses": self.host,
                    "unix_socket_directories": self.folder}
        command = [find_program("postgres"), "-D", str(self.data)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log_from = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.folder, start_new_session=True,
                                            preexec_fn=_end_with_parent, **self._user())
        while self.process.poll() is None:
            if self._is_up():
                return True
            if time.monotonic() > deadline:
                self.kill()
                return False
            time.sleep(0.005)
        text = self.log()[log_from:]
        assert any(reason in text for reason in PASSING), "postgres ended: " + text[-3000:]
        return False

    def _is_up(self):
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.process.pid) and \
            lines[7].strip() in ("ready", "standby")

    def _user(self):
        if not self.account:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def _run(self, words):
        done = subprocess.run([find_program(words[0]), *map(str, words[1:])], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, cwd=self.folder, **self._user())
        assert done.returncode == 0, done.stdout.decode("utf-8", "replace")

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, mode="fast"):
        """`smart`, `fast` or `immediate`, as pg_ctl has them."""
        if self.is_running():
            self.process.send_signal(STOP_SIGNALS[mode])
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("postgres did not stop: " + self.log()[-3000:]) from None

    def kill(self):
        """kill -9, of the postmaster and all that it started."""
        if not self.is_running():
            return
        listed = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = listed.read_text().split() if listed.exists() else []
        self.process.kill()
        for pid in map(int, children):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def log(self):
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    # -- databases --------------------------------------------------------------------------

    def url(self, name=SUPERUSER, user=ROLE):
        return f"postgresql://{user}@{self.host}:{self.port}/{name}"

    @property
    def socket_url(self):
        """The superuser's, over the Unix socket."""
        return f"postgresql:///{SUPERUSER}?host={self.folder}&port={self.port}&user={SUPERUSER}"

    def sql(self, text, name=SUPERUSER):
        """As the superuser."""
        return run_sql(self.socket_url.replace(f"///{SUPERUSER}?", f"///{name}?"), text)

    def create_role(self):
        """The role that the servers have: nothing but what belongs to it."""
        if self.has_role:
            return
        self.sql(f"SELECT 'CREATE ROLE {ROLE} LOGIN PASSWORD ''{PASSWORD}''' WHERE NOT EXISTS"
                 f" (SELECT FROM pg_roles WHERE rolname = '{ROLE}')\n\\gexec\n")
        self.has_role = True

    def create_database(self, name, template="template0"):
        self.create_role()
        create_database(self.socket_url, name, template)
        return self.url(name)

    def drop_database(self, name):
        drop_database(self.socket_url, name)

    # -- a standby --------------------------------------------------------------------------

    def standby(self, folder):
        """A copy that follows this one; from its start on, no commit here is over before it is
        there too."""
        copy = Cluster(folder, self.host, self.settings, auth=self.auth)
        copy.settings = dict(self.settings)
        copy.primary = self
        copy.folder.mkdir(parents=True, exist_ok=True)
        if copy.account:
            os.chown(copy.folder, copy.account.pw_uid, copy.account.pw_gid)
        copy._open_way()
        copy._run(["pg_basebackup", "-D", copy.data, "-R", "-X", "stream", "-c", "fast",
                   "--no-sync", "-d", self.url(SUPERUSER, SUPERUSER)])
        return copy

    def _make_synchronous(self):
        self.primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.reload()
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.primary.sql("SELECT count(*) FROM pg_stat_replication"
                               " WHERE sync_state = 'sync'") != ["1"]:
            assert time.monotonic() < deadline, "the standby does not follow: " + self.log()[-3000:]
            time.sleep(0.02)

    def promote(self):
        """Makes the standby a primary, and waits until it takes writes."""
        self.primary = None
        assert self.sql("SELECT pg_promote(true, 30)") == ["t"], self.log()[-3000:]


def _end_with_parent(how=signal.SIGQUIT):
    LIBC.prctl(PR_SET_PDEATHSIG, how)


def _find_account():
    """Who it runs as; None: whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NotInstalled("no account that PostgreSQL could run as")


def _free_port(host):
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


# -- the command ----------------------------------------------------------------------------------


def _interrupt(*_):
    raise KeyboardInterrupt


def main():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    child = None
    with tempfile.TemporaryDirectory(prefix="jeton-postgres-") as folder:
        cluster = Cluster(folder)
        try:
            cluster.start()
            cluster.create_role()
            child = subprocess.Popen(sys.argv[1:], preexec_fn=_end_with_parent, env={
                **os.environ, "JETON_TEST_DATABASE": cluster.url(SUPERUSER, SUPERUSER)})
            return child.wait()
        except KeyboardInterrupt:
            if child is not None and child.poll() is None:
                child.terminate()
                child.wait()
            return 130
        finally:
            cluster.stop("immediate")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NotInstalled as why:
        sys.exit(f"postgres.py: {why}")

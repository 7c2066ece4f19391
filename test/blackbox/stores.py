"""Where the servers under test keep what they store: JETON_TEST_STORE says `sqlite`, which it is
unless it is set, or `postgresql`.

For PostgreSQL, JETON_TEST_DATABASE is the URL of a superuser in a cluster (test/conftest.py starts
one when there is none), and every server has a database of its own in it, made when it is first
needed.
"""

import atexit
import contextlib
import csv
import itertools
import os
import sqlite3
import subprocess

import postgres

MARK = "database"  # the file by which a data folder says which database it goes with
TABLES = """SELECT format('COPY %I.%I TO STDOUT (FORMAT binary)', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"""


def is_postgresql():
    name = os.environ.get("JETON_TEST_STORE", "sqlite")
    if name not in ("sqlite", "postgresql"):
        raise RuntimeError(f"JETON_TEST_STORE: no engine is called {name}")
    return name == "postgresql"


def new_store():
    return PostgresStore(os.environ["JETON_TEST_DATABASE"]) if is_postgresql() else SqliteStore()


class SqliteStore:
    """A file in the data folder."""

    def options(self):
        return []

    def copy(self, _):
        """Whoever copied the folder has copied it."""

    def query(self, data, statement):
        with contextlib.closing(sqlite3.connect(data / "jeton.db")) as line:
            rows = line.execute(statement).fetchall()
            line.commit()
        return [[value.decode() if isinstance(value, bytes) else str(value) for value in row]
                for row in rows]

    def tables(self):
        """The file is one of the folder's."""
        return []

    def drop(self):
        """It goes with the folder."""


class PostgresStore:
    """A database in the cluster of all tests."""

    numbers = itertools.count(1)
    living = set()

    def __init__(self, admin_url):
        self.admin_url = admin_url
        self.name = None

    def _name_it(self):
        self.name = f"test_{os.getpid()}_{next(self.numbers)}"
        self.living.add(self)
        return self.name

    @property
    def url(self):
        if self.name is None:
            postgres.create_database(self.admin_url, self._name_it())
        return postgres.change_url(self.admin_url, self.name)

    def options(self):
        return ["--database", self.url]

    def copy(self, template):
        postgres.create_database(self.admin_url, self._name_it(), template.name)

    def query(self, _, statement):
        return list(csv.reader(self._psql("--csv", "-c", statement).decode().splitlines()))

    def tables(self):
        """The rows as they are: names and values are neither escaped nor compressed."""
        copies = [row[0] for row in self.query(None, TABLES)]
        words = [word for copy in copies for word in ("-c", copy)]
        return [("the database", self._psql(*words))] if words else []

    def _psql(self, *words):
        done = subprocess.run([postgres.find_program("psql"), "-X", "-q", "-t", "-v",
                               "ON_ERROR_STOP=1", *words, self.url], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def drop(self):
        if self in self.living:
            self.living.remove(self)
            postgres.drop_database(self.admin_url, self.name)
            self.name = None


@atexit.register
def _drop_all():
    """Those of servers that a test made for itself."""
    for left in list(PostgresStore.living):
        with contextlib.suppress(AssertionError):
            left.drop()

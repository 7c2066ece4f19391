"""Runs `jeton move`, and servers on what it moves between."""

import contextlib
import os
import shutil
import subprocess
import tempfile

import harness
import postgres


class Node(harness.Server):
    """A server, or commands, on this folder and, if there is one, this database."""

    started = []

    def __init__(self, data, database=None):
        super().__init__(data.parent, env={"HOME": str(data.parent)})
        self.data = data
        self.database = database
        self.secrets.update([*harness.KNOWN_SECRETS, postgres.PASSWORD])

    def place(self):
        return ["--data", str(self.data), *(["--database", self.database] if self.database else [])]

    def start(self):
        self.started.append(self)
        return super().start()

    def serve_refused(self):
        """The last line of a start that is refused."""
        done = subprocess.run([self.binary, "serve", *self.place(), "--listen", "127.0.0.1:0"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              env={**harness.sanitizer_environment(), **self.env})
        assert done.returncode == 1, done
        return done.stderr.splitlines()[-1]


class Mover:
    """Runs moves in a folder of its own, and makes databases and folders to move to."""

    def __init__(self, folder, cluster):
        self.folder = folder
        self.cluster = cluster
        self.names = 0
        self.databases = []

    def new_folder(self, *, of=None):
        """A folder that is not there yet, or a copy."""
        self.names += 1
        path = self.folder / f"data{self.names}"
        if of is not None:
            shutil.copytree(of, path)
        return path

    def new_database(self):
        name = f"move_{os.getpid()}_{id(self)}_{len(self.databases)}"
        self.databases.append(name)
        return self.cluster.create_database(name)

    def command(self, source, target=None, *more):
        words = [harness.find_binary(), "move", "--from", str(source)]
        return words + (["--to", str(target)] if target is not None else []) + [*map(str, more)]

    def run(self, *words, status=0, **how):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=300, check=False,
                              cwd=self.folder, env={**harness.sanitizer_environment(),
                                                    "HOME": str(self.folder)}, **how)
        assert not harness.REPORTS.search(done.stderr), done.stderr
        assert done.returncode == status, f"{words}: exit {done.returncode}\n{done.stdout}\n" \
            f"{done.stderr}"
        if status != 0:
            assert done.stderr.startswith("jeton: move: ") and done.stderr.endswith("\n")
        return done

    def move(self, source, target, *more, status=0, **how):
        return self.run(*self.command(source, target, *more), status=status, **how)

    def sql(self, url, text):
        return self.cluster.sql(text, url.rsplit("/", 1)[1])

    def start(self, source, target, *more):
        return subprocess.Popen(self.command(source, target, *more), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                cwd=self.folder, env={**harness.sanitizer_environment(),
                                                      "HOME": str(self.folder)})


@contextlib.contextmanager
def running_cluster(**how):
    # Not in a folder of pytest's: whoever runs pytest closes all of those to PostgreSQL's account.
    with tempfile.TemporaryDirectory(prefix="jeton-postgres-") as folder:
        cluster = postgres.Cluster(folder, **how)
        try:
            yield cluster.start()
        finally:
            cluster.stop("immediate")

"""Starts nginx and Apache for a test: own folder, loopback port, no rights of the system's ones."""

import os
import pwd
import shutil
import socket
import subprocess

from harness import free_port, wait_until

PAGE = "<!doctype html><title>A page</title><p>behind the door</p>\n"


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class WebServer:
    """One web server in the foreground with a page to protect; ended by its own process id."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.process = None
        self.pages = folder / "pages"
        self.pages.mkdir()
        (self.pages / "index.html").write_text(PAGE)
        if os.geteuid() == 0:  # workers give up root, and must still reach the page
            for path in (folder, *folder.parents):
                if path.stat().st_uid == 0 and not path.stat().st_mode & 0o001:
                    path.chmod(path.stat().st_mode | 0o011)

    def start(self, command):
        log = open(self.folder / "out.log", "wb")  # noqa: SIM115
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        try:
            wait_until(self._listens, 20, f"{command[0]} listens")
        except AssertionError:
            self.stop()
            raise

    def _listens(self):
        assert self.process.poll() is None, self.log()
        return is_listening(self.port)

    def log(self):
        return "".join(path.read_text("utf-8", "replace") for path in self.folder.glob("*.log"))

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


def find_program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def worker_user():
    """The user that Debian's web servers run as."""
    for name in ("www-data", "nobody"):
        try:
            pwd.getpwnam(name)
            return name
        except KeyError:
            continue
    return None

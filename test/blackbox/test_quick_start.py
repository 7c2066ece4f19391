"""docs/quick-start-to-production.md, pasted block by block into a clean folder."""

import os
import pathlib
import re
import socket
import subprocess

import pytest

import stores
from harness import find_binary, free_port, wait_until

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/quick-start-to-production.md"

pytestmark = pytest.mark.sqlite("the page is about the embedded store")


def blocks():
    return re.findall(r"(?ms)^```sh\n(.*?)^```$", PAGE.read_text())


class Machine:
    """A folder that stands for a machine: its /etc, its /var/lib, its ports."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.port, metrics = free_port(), free_port()
        self.places = {"/etc/jeton": str(folder / "etc"), "/var/lib/jeton": str(folder / "data"),
                       "/var/backups/jeton": str(folder / "backups"),
                       "127.0.0.1:8080": f"127.0.0.1:{self.port}",
                       "127.0.0.1:9090": f"127.0.0.1:{metrics}"}
        for name in ("etc", "bin", "work"):
            (folder / name).mkdir()
        self.tool("jeton", f'exec {find_binary()} "$@"')
        self.tool("sudo", '[ "$1" != -u ] || shift 2; exec "$@"')
        self.tool("install", '[ "$2" != -o ] || exec /usr/bin/install "$1" "$6" "$7" "$8"; exit 9')
        self.tool("systemctl", f"echo \"$*\" >>{folder}/asked")

    def tool(self, name, text):
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, block):
        for place, own in self.places.items():
            block = block.replace(place, own)
        if "systemctl restart jeton.service" in block:
            self.start()
        done = subprocess.run(["sh", "-eu", "-c", block], cwd=self.folder / "work", text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                              env={**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"})
        assert done.returncode == 0, block + done.stdout + done.stderr
        return done.stdout

    def start(self):
        """The service as its unit starts it, with the socket of jeton.socket."""
        listener = socket.create_server(("127.0.0.1", self.port))
        config = str(self.folder / "etc/jeton.yaml")
        self.process = subprocess.Popen(
            ["bash", "-c", f'export LISTEN_PID=$$; exec "$@" 3<&{listener.fileno()}', "bash",
             find_binary(), "serve", "--config", config], pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL, env={**os.environ, "LISTEN_FDS": "1"},
            stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("w"))
        listener.close()
        wait_until(lambda: "ready " in (self.folder / "log").read_text(), 60, "it serves")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(30) == 0, (self.folder / "log").read_text()


def test_the_page_can_be_pasted(tmp_path):
    assert not stores.is_postgresql()
    assert len(blocks()) >= 6
    machine = Machine(tmp_path)
    try:
        output = "".join(machine.run(block) for block in blocks())
    finally:
        machine.stop()
    assert '"active": true' in output or '"active":true' in output
    assert "jeton_ready 1" in output
    assert (tmp_path / "work/master.key.copy").stat().st_size == 32

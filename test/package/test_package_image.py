"""packaging/Containerfile, its second stage done step by step in a Debian of our own: there is not
always a builder, and never a registry, where the tests run. What its first stage makes is in the
packages, at the same places."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from debian_root import missing_tools
from harness import wait_until

FOLDER = os.environ.get("JETON_PACKAGES")
IMAGE = pathlib.Path(__file__).resolve().parents[2] / "packaging/Containerfile"

pytestmark = [pytest.mark.skipif(missing_tools() != "", reason=missing_tools()),
              pytest.mark.skipif(not FOLDER, reason="JETON_PACKAGES names no folder of packages")]


def stage():
    """The instructions of the second stage, in order: (name, rest)."""
    text = re.sub(r"\\\n", " ", IMAGE.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    last = max(index for index, line in enumerate(lines) if line.startswith("FROM "))
    return [tuple(line.split(" ", 1)) for line in lines[last + 1:]]


def instruction(name):
    found = [rest for word, rest in stage() if word == name]
    assert len(found) == 1, name
    return found[0]


def put_in_place(root, folder):
    """What COPY takes from the first stage."""
    for package in sorted(pathlib.Path(FOLDER).glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    for word, rest in stage():
        if word == "COPY":
            source, target = rest.removeprefix("--from=build /image").split(" ")
            assert source == target
            place = root.path / target.lstrip("/")
            if (folder / source.lstrip("/")).is_dir():
                shutil.copytree(folder / source.lstrip("/"), place, dirs_exist_ok=True)
            else:
                shutil.copy2(folder / source.lstrip("/"), place)


class Container:
    """The entry point as the image's user, on a root that cannot be written but for the volume, in
    a network of its own."""

    def __init__(self, root):
        self.root = root
        volume = instruction("VOLUME")
        words = [*json.loads(instruction("ENTRYPOINT")), "--issuer", "https://tokens.example.com"]
        self.path = root.path
        script = (f"mount --bind {self.path} {self.path} && "
                  f"mount -t proc proc {self.path}/proc && "
                  f"mount --bind {self.path}{volume} {self.path}{volume} && "
                  f"mount -o remount,ro,bind {self.path} && ip link set lo up && "
                  f"exec chroot {self.path} setpriv --reuid={instruction('USER')} "
                  f"--regid={instruction('USER')} --clear-groups --no-new-privs \"$@\"")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", "-c", script, "sh", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})

    def inside(self, *words):
        """`podman exec`."""
        return subprocess.run(["nsenter", f"--target={self.process.pid}", "--mount", "--net",
                               "--root", "--", *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)

    def is_healthy(self):
        check = instruction("HEALTHCHECK").split("CMD ", 1)[1]
        return self.inside(*json.loads(check)).returncode == 0

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(getattr(signal, instruction("STOPSIGNAL")))
        output, _ = self.process.communicate(timeout=60)
        return self.process.returncode, output.decode()


def test_the_image_serves_with_its_root_read_only(root, tmp_path):
    root.run("sh", "-c", "userdel jeton || true")  # an image begins without the package's user
    done = root.run("sh", "-e", "-c", instruction("RUN"))
    put_in_place(root, tmp_path)
    container = Container(root)
    try:
        wait_until(lambda: container.is_healthy() or container.process.poll() is not None, 60,
                   "the health check says yes")
        listed = container.inside("jeton", "key", "list", "--data", instruction("VOLUME"))
        assert listed.returncode == 0 and "ES256" in listed.stdout, listed
        assert container.inside("touch", "/etc/written").returncode != 0
        owner = (root.path / "var/lib/jeton/jeton.db").stat().st_uid
        assert owner == int(root.run("id", "-u", "jeton")) and owner != 0
    finally:
        status, output = container.end()
    assert status == 0, output + done


def test_the_health_check_says_no_when_nothing_serves(root):
    check = json.loads(instruction("HEALTHCHECK").split("CMD ", 1)[1])
    done = subprocess.run(["unshare", "--net", *root.command(*check)], check=False,
                          capture_output=True, timeout=60)
    assert done.returncode != 0

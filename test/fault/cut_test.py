"""Figure 7, a power cut: what was acknowledged is there when the machine comes back.

The data folder lies on a file system of its own, on a loop device, mounted in a namespace of the
test's own. In the middle of the load of kill_test.py an ioctl shuts that file system down without
flushing its journal, as if the power had gone: what was synced is on the disk, the rest is not. The
facts are kept on another disk. The server is started on what is left, with no repair by hand.
JETON_CAMPAIGN=1 cuts 500 times (JETON_CUTS says otherwise) and on XFS as well.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import time

import pytest

from harness import copy_seeded
from kill_test import (FAMILY_COUNT, Facts, Load, assert_chains_lead_on, assert_facts,
                       assert_spent, let_tokens_live, log_in)

SHUTDOWN = 0x8004587D           # _IOR('X', 125, __u32)
WITHOUT_FLUSHING = struct.pack("=I", 2)
IS_CAMPAIGN = os.environ.get("JETON_CAMPAIGN") == "1"
CUT_COUNT = int(os.environ.get("JETON_CUTS", 500)) if IS_CAMPAIGN else 20
QUOTA = 80
START_S_MAX = 2
DISK_BYTES = {"ext4": 64 << 20, "xfs": 320 << 20}

pytestmark = pytest.mark.sqlite("PostgreSQL keeps its own files")


class Disk:
    """A file system on a loop device, in a mount namespace that only this test's server enters."""

    def __init__(self, folder, kind):
        self.kind, self.mount_point = kind, folder / "mount"
        self.image = folder / "image"
        self.mount_point.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(DISK_BYTES[kind])
        self.keeper = subprocess.Popen(["unshare", "-m", "sleep", "infinity"])
        self.device = None

    def inside(self, *command):
        return ["nsenter", "-m", "-t", str(self.keeper.pid), "--", *map(str, command)]

    def run(self, *command):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    def make(self):
        """What is missing on this machine, or None."""
        self.device = self.run("losetup", "--find", "--show", self.image)
        if not self.device:
            return "no loop device"
        if shutil.which("mkfs." + self.kind) is None or \
                self.run("mkfs." + self.kind, "-q", self.device) is None:
            return f"cannot make {self.kind}"
        return None if self.mount() else f"may not mount {self.kind}"

    def mount(self):
        return self.run(*self.inside("mount", "-t", self.kind, self.device,
                                     self.mount_point)) is not None

    @property
    def path(self):
        """The mounted folder, as processes outside see it."""
        return pathlib.Path(f"/proc/{self.keeper.pid}/root{self.mount_point}")

    def cut(self):
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, WITHOUT_FLUSHING)
        finally:
            os.close(fd)

    def come_back(self):
        assert self.run(*self.inside("umount", self.mount_point)) is not None
        assert self.mount(), "the file system does not mount again"

    def close(self):
        self.run(*self.inside("umount", "-l", self.mount_point))
        self.keeper.kill()
        self.keeper.wait()
        if self.device:
            self.run("losetup", "-d", self.device)


@pytest.fixture(params=["ext4"] + (["xfs"] if IS_CAMPAIGN else []))
def disk(request, tmp_path):
    if os.geteuid() != 0 or not shutil.which("losetup") or not shutil.which("unshare"):
        pytest.skip("mounting a file system of one's own takes root, losetup and unshare")
    disk = Disk(tmp_path, request.param)
    with contextlib.closing(disk):
        missing = disk.make()
        if missing:
            pytest.skip(missing)
        yield disk


class CutLoad(Load):
    """Between the cut and its end the server refuses: that is no answer. Nor is what comes while
    the file system goes: it tells some who wait for the disk at that moment that all is well."""

    is_cutting = False

    def take(self, note, status, body):
        super().take(note, None if self.is_cutting or status in (500, 503) else status, body)


def test_figure_7_power_cut(disk, seeded, new_server, plain_binary, tmp_path):
    server = new_server(start=False, binary=plain_binary, seeded=False,
                        prefix=disk.inside())
    copy_seeded(seeded, server)
    let_tokens_live(server)
    shutil.copytree(server.data, disk.path / "data")
    subprocess.run(["sync", "-f", disk.path / "data"], check=True)
    server.data = disk.mount_point / "data"
    server.start()
    load = CutLoad(Facts(tmp_path / "facts"), seed=7)
    load.families = log_in(server, FAMILY_COUNT // 4)
    load.idle_families = list(load.families)
    verdicts = {}

    def end():
        load.is_cutting = True
        disk.cut()
        time.sleep(0.02)  # some requests meet a disk that is gone
        server.process.kill()

    for _ in range(CUT_COUNT):
        load.facts.read()
        load.is_cutting = False
        load.run(server, load.chance.randint(QUOTA // 2, QUOTA * 2), end)
        disk.come_back()
        began = time.monotonic()
        server.start()
        assert time.monotonic() - began <= START_S_MAX
        news = load.facts.read()
        assert_chains_lead_on(server, load)
        assert_facts(server, load, verdicts, news)
    assert_facts(server, load, verdicts)
    for family in [family for family in load.families if len(family.spent) > 1][:4]:
        assert_spent(server, load, family)
    assert_facts(server, load, verdicts)
    server.stop()

"""The cage (docs/decisions/0016-the-cage.md): what holds, and what goes on working inside."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

NOBODY = 65534


def statuses(pid):
    """The fields of /proc/PID/task/*/status that say what holds, thread by thread."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        fields = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines()
                      if ":\t" in line)
        found[int(task.name)] = fields
    return found


def children(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def events(server, name):
    return [line for line in server.log_lines() if line["event"] == name]


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def caged(new_server):
    return new_server(args=["--sandbox", "required"])


def test_every_thread_has_a_filter_and_no_new_privileges(caged):
    found = statuses(caged.pid)

    assert len(found) > 10
    for thread, fields in found.items():
        assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "1"), (thread, fields["Name"])
    assert events(caged, "caged")[0]["seccomp"] == "yes"
    assert int(events(caged, "caged")[0]["landlock"]) >= 1


def test_the_launcher_is_enclosed_and_goes_with_the_server(caged):
    launcher, = children(caged.pid)
    fields = statuses(launcher)[launcher]

    assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "1")
    assert {int(fd.name) for fd in pathlib.Path(f"/proc/{launcher}/fd").iterdir()} <= {0, 1, 2, 3}
    caged.stop()
    wait_for(lambda: not pathlib.Path(f"/proc/{launcher}").exists())


def test_a_killed_server_leaves_no_launcher(caged):
    launcher, = children(caged.pid)

    caged.kill()
    wait_for(lambda: not pathlib.Path(f"/proc/{launcher}").exists())


def test_no_core_is_written(caged):
    limits = pathlib.Path(f"/proc/{caged.pid}/limits").read_text()

    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


# Says that the kernel has no Landlock, and becomes the program.
NO_LANDLOCK = """
import ctypes, os, struct, sys
LANDLOCK_CREATE_RULESET = 444
program = struct.pack("HBBIHBBIHBBIHBBI",
                      0x20, 0, 0, 0,
                      0x15, 0, 1, LANDLOCK_CREATE_RULESET,
                      0x06, 0, 0, 0x00050000 | 38,
                      0x06, 0, 0, 0x7fff0000)
memory = ctypes.create_string_buffer(program, len(program))
fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(memory)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, fprog) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_required_starts_no_server_without_landlock(plain_binary, tmp_path):
    words = ["--data", tmp_path / "data", "--listen", "127.0.0.1:0"]
    done = subprocess.run([sys.executable, "-c", NO_LANDLOCK, plain_binary, "serve", *words,
                           "--sandbox", "required"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "ready" not in done.stdout + done.stderr
    assert "--sandbox is required, but this kernel or container has no Landlock" in done.stderr
    done = subprocess.run([plain_binary, "serve", *words, "--check"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done


@pytest.fixture
def folder_of_nobody():
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        yield pathlib.Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start it as somebody else")
def test_an_ordinary_user_has_the_whole_cage_too(plain_binary, folder_of_nobody):
    """Nor may that user look into it: it is not dumpable, so its files in /proc are root's."""
    binary = shutil.copy(plain_binary, folder_of_nobody / "jeton")
    process = subprocess.Popen([binary, "serve", "--data", folder_of_nobody / "data", "--listen",
                                "127.0.0.1:0", "--sandbox", "required"], stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True, user=NOBODY, group=NOBODY,
                               extra_groups=[])
    try:
        lines = []
        while not any(line.startswith("ready ") for line in lines):
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        assert not any("runs_as_root" in line for line in lines)
        for thread, fields in statuses(process.pid).items():
            assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "1"), thread
            assert fields["Uid"].split() == [str(NOBODY)] * 4
            assert int(fields["CapEff"], 16) == 0
        assert os.stat(f"/proc/{process.pid}/mem").st_uid == 0
        look = subprocess.run(["cat", f"/proc/{process.pid}/environ"], user=NOBODY, group=NOBODY,
                              extra_groups=[], capture_output=True)
        assert look.returncode != 0 and not look.stdout
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_restarts_go_on_working_one_after_the_other(caged):
    for count in (1, 2, 3):
        caged.process.send_signal(signal.SIGUSR2)
        wait_for(lambda count=count: len(events(caged, "started")) > count)
        found = statuses(caged.pid)
        assert all(fields["Seccomp"] == "2" for fields in found.values())
        assert len(children(caged.pid)) == 1
    loose = {int(fields.get("Seccomp_filters", 1)) for fields in found.values()}
    assert max(loose) <= 3, "filters are not piled up by restarts"


def test_off_is_off_and_said(new_server):
    server = new_server(args=["--sandbox", "off"])

    assert statuses(server.pid)[server.pid]["Seccomp"] == "0"
    assert events(server, "not_caged")


def doctor(binary, word):
    return subprocess.run([binary, "doctor", word], capture_output=True, text=True, timeout=60)


# Each call that figure 23 names, and more: what comes of it inside, as `jeton doctor` says it.
FATE = {"write in the data folder": "works",
        "run a program": "killed",              # execve
        "start a process": "killed",            # fork
        "trace a process": "killed",            # ptrace
        "signal another process": "killed",     # kill
        "open a packet socket": "killed",       # socket(AF_PACKET)
        "mount": "killed",                      # mount
        "make a namespace": "killed",           # unshare
        "read a file elsewhere": "refused",     # Landlock, as all below
        "list a folder elsewhere": "refused",
        "write a file elsewhere": "refused",
        "remove a file elsewhere": "refused"}


def fates(done):
    """what was tried → (ok or fail, what came of it)"""
    rows = [re.fullmatch(r"(ok|fail) +(\S.*?\S) {2,}(\S.*)", line)
            for line in done.stdout.splitlines()]
    return {row[2]: (row[1], row[3]) for row in rows}


def test_figure_23_doctor_tries_to_get_out(plain_binary):
    """In a child for each attempt: seccomp kills it, or Landlock says no."""
    done = doctor(plain_binary, "--sandbox")

    assert fates(done) == {what: ("ok", fate) for what, fate in FATE.items()}, done.stdout
    assert done.returncode == 0


def test_figure_23_without_the_cage_the_same_attempts_get_through(plain_binary):
    """So it is the cage that stops them. As root all of them; the others what anybody may."""
    done = doctor(plain_binary, "--sandbox=off")

    assert done.returncode == 1
    found = fates(done)
    assert found.keys() == FATE.keys()
    for what in ("run a program", "start a process", "trace a process", "signal another process",
                 "read a file elsewhere", "list a folder elsewhere", "write a file elsewhere",
                 "remove a file elsewhere"):
        assert found[what] == ("fail", "got through"), done.stdout


def mounts():
    text = pathlib.Path("/proc/self/mounts").read_text("utf-8")
    return {line.split()[1] for line in text.splitlines() if "/jeton-doctor-" in line}


def test_what_got_through_is_taken_back(plain_binary):
    before = mounts()
    doctor(plain_binary, "--sandbox=off")

    # Another run beside this one has its mount for a moment.
    wait_for(lambda: mounts() <= before)

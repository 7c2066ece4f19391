"""The cage (docs/decisions/0016-the-cage.md): what holds, and what goes on working inside."""

import pathlib
import signal
import subprocess
import time

import pytest


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


def test_no_core_is_written_and_nobody_may_look(caged):
    limits = pathlib.Path(f"/proc/{caged.pid}/limits").read_text()

    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


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


def test_doctor_tries_to_get_out(plain_binary):
    done = doctor(plain_binary, "--sandbox")

    assert done.returncode == 0, done.stdout
    assert all(line.startswith("ok ") for line in done.stdout.splitlines())
    assert len(done.stdout.splitlines()) >= 12


def test_without_the_cage_the_same_attempts_get_through(plain_binary):
    done = doctor(plain_binary, "--sandbox=off")

    assert done.returncode == 1
    assert "fail  run a program" in done.stdout
    assert "fail  read a file elsewhere" in done.stdout
    assert "fail  write a file elsewhere" in done.stdout
    assert "fail  signal another process" in done.stdout

"""`jeton doctor`: each thing that it looks at, well and not well. It changes nothing."""

import json
import os
import pathlib
import re
import resource
import subprocess

import pytest

from harness import find_binary
from test_operations import make_certificate


def doctor(*args, status=0, **more):
    done = subprocess.run([find_binary(), "doctor", *map(str, args)], capture_output=True,
                          text=True, timeout=120, check=False, **more)
    assert done.returncode == status, (args, done.returncode, done.stdout, done.stderr)
    return done


def findings(done):
    """What was looked at → (level, words)."""
    found = {}
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"(ok|warn|fail) +(\S.*?)  +(\S.*)", line)
        assert match, line
        assert match.group(2) not in found, line
        found[match.group(2)] = (match.group(1), match.group(3))
    return found


def place(server):
    return [word for word in server.place() if word]


@pytest.fixture
def stopped(new_server):
    server = new_server()
    server.stop()
    return server


def listing(folder):
    return {path.name: (path.stat().st_mode, path.stat().st_mtime_ns if path.is_file() else 0,
                        path.read_bytes() if path.is_file() else b"")
            for path in pathlib.Path(folder).rglob("*")}


def test_a_server_that_is_well(new_server):
    server = new_server()
    found = findings(doctor(*place(server), "--listen", "127.0.0.1:0"))
    assert found["settings"] == ("ok", "a server starts with these")
    assert found["server"] == ("ok", f"runs on the data folder, as process {server.pid}")
    for what in ("data folder", "disk", "descriptors", "schema", "clock", "audit trail",
                 "signing keys", "mails"):
        assert found[what][0] == "ok", (what, found[what])
    assert not any(level == "fail" for level, _ in found.values()), found
    assert server.get("/readyz").status == 200


def test_nothing_is_changed(stopped):
    before = listing(stopped.data)
    doctor(*place(stopped), "--deep")
    after = listing(stopped.data)
    for name in before.keys() | after.keys():
        # SQLite's index of its log is memory, which readers make anew.
        if not name.endswith(("-shm", "-wal")):
            assert before.get(name) == after.get(name), name


def test_json_is_an_object_a_line(stopped):
    lines = [json.loads(line) for line in
             doctor(*place(stopped), "--json").stdout.splitlines()]
    assert all(set(line) == {"level", "what", "words"} for line in lines)
    assert {"settings", "server", "schema", "clock"} <= {line["what"] for line in lines}
    assert {line["level"] for line in lines} <= {"ok", "warn"}


def test_what_is_not_there_yet_is_no_failure(tmp_path):
    found = findings(doctor("--data", tmp_path / "new", "--listen", "127.0.0.1:0"))
    assert found["data folder"][0] == "warn" and "not there yet" in found["data folder"][1]
    assert found["store"] == ("ok", "is not there yet: the first start makes it")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("text, words", [
    ("data: x\nlisten: 5\n", "listen"), ("data: x\nissur: y\n", "issur"),
    ("data: [\n", "line"), ("data: x\nlog-level: loud\n", "log-level")])
def test_settings_that_are_wrong(tmp_path, text, words):
    path = tmp_path / "jeton.yaml"
    path.write_text(text)
    found = findings(doctor("--config", path, status=1))
    assert found["settings"][0] == "fail" and words in found["settings"][1]
    assert str(path) in found["settings"][1]


def test_wrong_usage_is_no_finding(tmp_path):
    for words in ((), ("--nonsense",), ("extra", "--data", tmp_path)):
        done = doctor(*words, status=2)
        assert done.stdout == "" and "doctor" in done.stderr, done
    assert "--deep" in doctor("--help").stdout


@pytest.mark.sqlite("the folder is the store")
def test_a_folder_that_is_open_to_others(stopped):
    os.chmod(stopped.data, 0o755)
    found = findings(doctor(*place(stopped)))
    assert found["data folder"][0] == "warn" and "chmod 700" in found["data folder"][1]
    os.chmod(stopped.data, 0o700)
    assert findings(doctor(*place(stopped)))["data folder"][0] == "ok"
    database = pathlib.Path(stopped.data) / "jeton.db"
    os.chmod(database, 0o644)
    assert findings(doctor(*place(stopped), status=1))["settings"][0] == "fail"


def test_a_master_key_beside_the_data_and_apart(new_server, tmp_path):
    server = new_server()
    key = pathlib.Path(server.data) / "master.key"
    if not key.exists():
        pytest.skip("this store's key is apart already")
    assert findings(doctor(*place(server)))["master key"][0] == "warn"
    server.stop()
    apart = tmp_path / "master.key"
    key.rename(apart)
    found = findings(doctor(*place(server), "--master-key-file", apart))
    assert found["master key"] == ("ok", f"is in {apart}, apart from the data")
    assert "master key" in findings(doctor(*place(server), status=1))["settings"][1]
    apart.write_bytes(os.urandom(32))
    found = findings(doctor(*place(server), "--master-key-file", apart, status=1))
    assert "not the one" in found["settings"][1]


def test_an_issuer_for_clients(stopped):
    for args, level in (((), "warn"), (("--issuer", "http://localhost:8080"), "warn"),
                        (("--issuer", "https://tokens.example"), "ok")):
        assert findings(doctor(*place(stopped), *args))["issuer"][0] == level
    found = findings(doctor(*place(stopped), "--issuer", "http://tokens.example", status=1))
    assert found["settings"][0] == "fail"


def certificate_of(folder, days):
    certificate, key = make_certificate(folder, "localhost", days)
    return ["--tls-listen", "127.0.0.1:0", "--tls-certificate", certificate, "--tls-key", key]


def test_a_certificate(stopped, tmp_path):
    for days, level, words in ((300, "ok", "expires in "), (5, "warn", "renew")):
        found = findings(doctor(*place(stopped), *certificate_of(tmp_path, days)))
        assert found["certificate"][0] == level and words in found["certificate"][1], found
    args = certificate_of(tmp_path, 300)
    pathlib.Path(args[5]).write_text("no key")
    found = findings(doctor(*place(stopped), *args, status=1))
    assert found["certificate"][0] == "fail" and found["settings"][0] == "fail"


def test_limits(stopped):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    found = findings(doctor(*place(stopped), preexec_fn=few))
    assert found["descriptors"] == ("warn", "256 at most; 20000 connections want as many")


def test_the_sandbox(stopped):
    assert findings(doctor(*place(stopped)))["sandbox"][0] == "ok"
    assert findings(doctor(*place(stopped), "--sandbox", "off"))["sandbox"][0] == "warn"


@pytest.mark.sqlite("a database checks itself")
def test_a_store_with_a_broken_page(stopped):
    path = pathlib.Path(stopped.data) / "jeton.db"
    assert findings(doctor(*place(stopped), "--deep"))["integrity"] == ("ok", "ok")
    size = path.stat().st_size
    with open(path, "r+b") as file:
        for page in range(2, size // 4096):
            file.seek(page * 4096)
            file.write(os.urandom(64))
    done = subprocess.run([find_binary(), "doctor", *place(stopped), "--deep"], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout
    assert re.search(r"^fail +(integrity|settings|store) ", done.stdout, re.MULTILINE), done.stdout


def test_a_clock_that_is_behind(stopped):
    library = f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketimeMT.so.1"
    if not os.path.exists(library) or "asan" in subprocess.run(
            ["ldd", find_binary()], capture_output=True, text=True, check=True).stdout:
        pytest.skip("needs libfaketime, and a binary that it can be put before")
    found = findings(doctor(*place(stopped), status=1,
                            env={**os.environ, "LD_PRELOAD": library, "FAKETIME": "-1d"}))
    assert found["clock"][0] == "fail" and "ahead" in found["clock"][1]

"""`jeton backup` and `jeton restore`: all of a store in one file, while servers run, and what ends
with a restore."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import pytest

import harness
from harness import ALICE, API, C1, CC, JWTS, wait_until
from movers import Node
from test_move import cluster, connect, dump, fill, mover, seeded_folder  # noqa: F401

ROW_COUNT = 200000
NEXT_ID = 1 << 32  # how far ids jump at least


def run(mover, *words, status=0, stdin=b"", **how):
    """A command, with bytes on both sides."""
    done = subprocess.run([harness.find_binary(), *map(str, words)], input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False,
                          cwd=mover.folder, env={**harness.sanitizer_environment(),
                                                 "HOME": str(mover.folder)}, **how)
    done.words = done.stderr.decode()
    assert not harness.REPORTS.search(done.words), done.words
    assert done.returncode == status, f"{words}: exit {done.returncode}\n{done.stdout[:2000]}\n" \
        f"{done.words}"
    if status != 0:
        assert done.words.startswith(f"jeton: {words[0]}: ") and done.words.count("\n") == 1
    return done


def place_of(node_or_target):
    target = node_or_target
    if isinstance(target, Node):
        return ["--database", target.database] if target.database else ["--data", target.data]
    return ["--database" if "://" in str(target) else "--data", target]


def key_of(folder):
    return ["--master-key-file", folder / "master.key"]


def back_up(mover, file, source, *more, **how):
    return run(mover, "backup", file, *place_of(source), *more, **how)


def restore(mover, file, target, *more, **how):
    return run(mover, "restore", file, *place_of(target), *more, **how)


def start_restored(mover, target, folder, key):
    """A server on what was restored."""
    if "://" in str(target):
        folder.mkdir(mode=0o700)
        shutil.copy(key, folder)
        return Node(folder, target).start()
    if not (folder / "master.key").exists():
        shutil.copy(key, folder)
    return Node(folder).start()


# ---- all of it, both ways ------------------------------------------------------------------------


def test_every_row_into_the_other_engine_and_back(mover, seeded_folder):
    """But for what a restore leaves out or changes, rows are what they were."""
    source = fill(mover.new_folder(of=seeded_folder))
    url, back = mover.new_database(), mover.new_folder()
    file, again = mover.folder / "a", mover.folder / "b"
    told = back_up(mover, file, source).stdout.decode()
    assert "THE MASTER KEY IS NOT IN IT" in told and "rows of" in told
    assert file.stat().st_mode & 0o777 == 0o600 and not (mover.folder / "a.partial").exists()
    restore(mover, file, url, *key_of(source))
    back_up(mover, again, url, *key_of(source))
    restore(mover, again, back, *key_of(source))
    before, after = dump(source), dump(back)
    left_out = {"code", "pushed_request", "device_request", "link", "browser_session", "session",
                "replay", "mail"}
    changed = {"granted", "recovery_code", "factor", "event", "sequence", "restored", "token",
               "long_token"}
    for table, rows in before.items():
        if table in left_out:
            assert rows and after[table] == [], table
        elif table not in changed:
            assert rows and after[table] == rows, table
    assert any(row.startswith("(1, ") for row in after["restored"])
    assert len(after["event"]) == len(before["event"]) + 2
    with connect(back) as line:
        assert not line.execute("SELECT 1 FROM recovery_code WHERE used_at = 0").fetchall()
        assert not line.execute("SELECT 1 FROM granted WHERE ended_at = 0 AND is_permanent = 0 AND"
                                " (is_family = 1 OR is_session = 1)").fetchall()


def test_verify_tells_what_is_in_it_and_changes_nothing(mover, seeded_folder):
    file = mover.folder / "file"
    back_up(mover, file, seeded_folder)
    told = run(mover, "backup", "--verify", file, *key_of(seeded_folder)).stdout.decode()
    assert "is complete: " in told and "schema 6" in told
    assert sorted(path.name for path in mover.folder.iterdir()) == ["file"]


def test_standard_output_and_input(mover, seeded_folder, large_folder):
    done = back_up(mover, "-", seeded_folder)
    assert done.stdout.startswith(b"JETONBAK") and "THE MASTER KEY IS NOT IN IT" in done.words
    target = mover.new_folder()
    restore(mover, "-", target, *key_of(seeded_folder), stdin=done.stdout)
    assert dump(target)["account"] == dump(seeded_folder)["account"]
    # What was cut off on its way leaves nothing behind.
    other = mover.new_folder()
    words = restore(mover, "-", other, *key_of(large_folder), status=1,
                    stdin=back_up(mover, "-", large_folder).stdout[:-20]).words
    assert "changed or cut off" in words
    assert not any(rows for table, rows in dump(other).items() if table != "sequence")
    restore(mover, "-", other, *key_of(seeded_folder), stdin=done.stdout)


# ---- keys ----------------------------------------------------------------------------------------


def test_one_file_and_a_passphrase_restore_everything(mover, seeded_folder):
    file, target = mover.folder / "file", mover.new_folder()
    words = back_up(mover, file, seeded_folder, "--include-master-key", status=2).words
    assert "--include-master-key needs --key-file" in words
    back_up(mover, file, seeded_folder, "--include-master-key", "--passphrase-stdin",
            stdin=b"correct horse battery\n")
    words = restore(mover, file, target, "--passphrase-stdin", stdin=b"correct horse\n",
                    status=1).words
    assert "another key" in words and not target.exists()
    words = restore(mover, file, target, *key_of(seeded_folder), status=1).words
    assert "was made with a passphrase" in words
    told = restore(mover, file, target, "--passphrase-stdin", stdin=b"correct horse battery\n")
    assert "master key came with the backup" in told.stdout.decode()
    key = target / "master.key"
    assert key.read_bytes() == (seeded_folder / "master.key").read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    node = Node(target).start()
    assert node.client_token(CC, "read")["access_token"]
    node.stop()
    node.assert_clean()


def test_a_key_file(mover, seeded_folder):
    file, key = mover.folder / "file", mover.folder / "key"
    for count in (31, 1025):
        key.write_bytes(os.urandom(count))
        key.chmod(0o600)
        assert "32 to 1024 bytes" in back_up(mover, file, seeded_folder, "--key-file", key,
                                             status=1).words
    key.write_bytes(os.urandom(32))
    key.chmod(0o640)
    assert "nobody else can read" in back_up(mover, file, seeded_folder, "--key-file", key,
                                             status=1).words
    key.chmod(0o600)
    back_up(mover, file, seeded_folder, "--key-file", key)
    target = mover.new_folder()
    words = restore(mover, file, target, "--key-file", key, status=1).words
    assert "master.key is missing" in words and not (target / "jeton.db").exists()
    restore(mover, file, target, "--key-file", key, *key_of(seeded_folder))


# ---- what is refused leaves nothing --------------------------------------------------------------


def test_a_changed_or_shortened_file_is_refused(mover, seeded_folder):
    file, bad, target = mover.folder / "file", mover.folder / "bad", mover.new_folder()
    back_up(mover, file, seeded_folder)
    whole = file.read_bytes()
    spots = [0, 8, 9, 13, 17, 25, 40, 61, len(whole) // 2, len(whole) - 1]
    cases = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:] for at in spots]
    cases += [whole[:at] for at in (0, 30, 60, 100, len(whole) - 1)] + [whole + b"x"]
    for case in cases:
        bad.write_bytes(case)
        restore(mover, bad, target, *key_of(seeded_folder), status=1)
        assert not target.exists()
    other = mover.folder / "other"
    other.write_bytes(os.urandom(32))
    other.chmod(0o600)
    words = restore(mover, file, target, "--master-key-file", other, status=1).words
    assert "another key" in words and not target.exists()
    # A backup is made under the right master key only.
    words = back_up(mover, bad, seeded_folder, "--force", "--master-key-file", other,
                    status=1).words
    assert "not the one that the store was sealed with" in words


def test_nothing_is_replaced(mover, seeded_folder):
    file = mover.folder / "file"
    back_up(mover, file, seeded_folder)
    before = file.read_bytes()
    assert "is there already" in back_up(mover, file, seeded_folder, status=1).words
    assert file.read_bytes() == before
    back_up(mover, file, seeded_folder, "--force")
    assert file.read_bytes() != before
    taken = mover.new_folder(of=seeded_folder)
    rows = dump(taken)
    words = restore(mover, file, taken, *key_of(seeded_folder), status=1).words
    assert "is not empty" in words and dump(taken) == rows
    node = Node(mover.new_folder(of=seeded_folder)).start()
    words = restore(mover, file, node.data, status=1).words
    assert f"process {node.pid} holds" in words
    node.stop()


# ---- what ends -----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_was_good_after_the_mark_is_good_no_more(mover, seeded_folder, engine):
    file = mover.folder / "file"
    node = Node(mover.new_folder(of=seeded_folder)).start()
    first = node.user_token(C1, ALICE, "read")
    opaque = node.client_token(CC, "read")["access_token"]
    signed = node.client_token(C1, "jread")["access_token"]
    back_up(mover, file, node)
    # After the mark: a rotation, and tokens whose ids are not to be given out again.
    second = node.refresh(first["refresh_token"], C1).json
    later = node.client_token(C1, "jread")["access_token"]
    later_opaque = node.client_token(CC, "read")["access_token"]
    node.stop()
    with connect(node.data) as line:
        given = dict(line.execute("SELECT number, next FROM sequence"))
    target = mover.new_folder() if engine == "sqlite" else mover.new_database()
    told = restore(mover, file, target, *key_of(node.data)).stdout.decode()
    assert "PERMANENT TOKENS REVOKED BETWEEN" in told
    if engine == "sqlite":
        with connect(target) as line:
            now = dict(line.execute("SELECT number, next FROM sequence"))
    else:
        now = {int(row.split("|")[0]): int(row.split("|")[1]) for row in
               mover.sql(target, "SELECT number || '|' || next FROM sequence")}
    for number, least in given.items():
        assert now[number] >= least - 65536 + NEXT_ID
    again = start_restored(mover, target, target if engine == "sqlite" else mover.new_folder(),
                           node.data / "master.key")
    for token, caller in ((opaque, API), (later_opaque, API), (signed, JWTS), (later, JWTS),
                          (first["access_token"], API), (second["access_token"], API)):
        assert not again.is_active(token, caller)
    for body in (first, second):
        assert again.refresh(body["refresh_token"], C1).error == "invalid_grant"
    # A JWT that was signed after the mark matches no row that was made since.
    fresh = [again.client_token(C1, "jread")["access_token"] for _ in range(20)]
    ids = {harness.jwt_part(token, 1)["jti"] for token in fresh}
    assert harness.jwt_part(later, 1)["jti"] not in ids and len(ids) == 20
    assert not again.is_active(later, JWTS) and all(again.is_active(token, JWTS) for token in fresh)
    started = [entry for entry in again.log_lines() if entry.get("event") == "store_was_restored"]
    assert started and 0 < started[0]["taken_at"] <= started[0]["restored_at"]
    assert '"restored"' in again.cli("audit", "export").out
    again.stop()
    again.assert_clean()


def test_access_tokens_can_be_kept(mover, seeded_folder):
    file, target = mover.folder / "file", mover.new_folder()
    node = Node(mover.new_folder(of=seeded_folder)).start()
    person = node.user_token(C1, ALICE, "read")
    opaque = node.client_token(CC, "read")["access_token"]
    back_up(mover, file, node)
    node.revoke(opaque, CC)
    node.stop()
    told = restore(mover, file, target, "--keep-access-tokens", *key_of(node.data)).stdout.decode()
    assert "ACCESS TOKENS WERE KEPT" in told
    again = start_restored(mover, target, target, node.data / "master.key")
    assert again.is_active(person["access_token"], API) and again.is_active(opaque, API)
    assert again.refresh(person["refresh_token"], C1).error == "invalid_grant"
    again.stop()
    # A newer trail ends again what it says was ended.
    trail, other = mover.folder / "trail", mover.new_folder()
    trail.write_text(Node(node.data).cli("audit", "export").out)
    node.cli("user", "disable", "alice")
    trail.write_text(trail.read_text() + Node(node.data).cli("audit", "export", "--last", "5").out)
    restore(mover, file, other, "--keep-access-tokens", "--revoked-since", trail,
            *key_of(node.data))
    again = start_restored(mover, other, other, node.data / "master.key")
    assert not again.is_active(person["access_token"], API) and not again.is_active(opaque, API)
    again.stop()
    trail.write_text("not a line\n")
    assert "--revoked-since" in restore(mover, file, mover.new_folder(), "--revoked-since", trail,
                                        *key_of(node.data), status=1).words


# ---- under load ----------------------------------------------------------------------------------


class Load(threading.Thread):
    """Issues, revokes and rotates, and writes down what was acknowledged, and when."""

    def __init__(self, node):
        super().__init__()
        self.node = node
        self.facts = []  # time of the answer, token, whether it is good
        self.accounts = []  # time of the answer, name
        self.is_over = threading.Event()
        self.slowest_s = 0.0

    def step(self, turn):
        started = time.monotonic()
        token = self.node.client_token(CC, "read")["access_token"]
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        self.facts.append((time.time(), token, True))
        if turn % 3 == 0:
            self.node.revoke(token, CC)
            self.facts.append((time.time(), token, False))
        if turn % 20 == 0:
            self.node.add_user(f"person{turn}", ALICE[1])
            self.accounts.append((time.time(), f"person{turn}"))

    def run(self):
        turn = 0
        while not self.is_over.is_set():
            self.step(turn)
            turn += 1


@pytest.mark.parametrize("way", ["sqlite to postgresql", "postgresql to sqlite"])
def test_backup_under_load_has_all_that_was_acknowledged_before_it(mover, seeded_folder, way):
    file = mover.folder / "file"
    key = mover.new_folder(of=seeded_folder) / "master.key"
    node = Node(key.parent)
    if way.startswith("postgresql"):
        node.database = mover.new_database()
        mover.move(key.parent, node.database)
    node.start()
    load = Load(node)
    load.start()
    try:
        wait_until(lambda: len(load.facts) > 60, 60, "there are facts")
        began = time.time()
        back_up(mover, file, node, "--master-key-file", key)
        count = len(load.facts)
        wait_until(lambda: len(load.facts) > count + 20 or not load.is_alive(), 60, "more facts")
    finally:
        load.is_over.set()
        load.join()
    assert load.slowest_s < 5
    node.stop()
    node.assert_clean()
    target = mover.new_database() if way.startswith("sqlite") else mover.new_folder()
    restore(mover, file, target, "--keep-access-tokens", "--master-key-file", key)
    again = start_restored(mover, target,
                           mover.new_folder() if way.startswith("sqlite") else target, key)
    before, touched_later = {}, set()
    for at, token, is_good in load.facts:
        if at < began:
            before[token] = is_good
        else:
            touched_later.add(token)
    sure = {token: is_good for token, is_good in before.items() if token not in touched_later}
    assert len(sure) > 40 and False in sure.values() and True in sure.values()
    for token, is_good in sure.items():
        assert again.is_active(token, API) == is_good
    last = load.facts[-1][1]
    assert not again.is_active(last, API)  # long after the mark
    accounts = again.cli("user", "list").out
    made = [name for at, name in load.accounts if at < began]
    assert made and all(f" {name} " in accounts for name in made)
    # And each has its event: the trail is whole up to the restoration.
    told = [json.loads(line) for line in again.cli("audit", "export").out.splitlines()]
    assert {line.get("account") for line in told} >= set(made)
    assert sum(line["event"] == "token_issued" for line in told) >= len(before)
    assert again.cli("audit", "verify").out.startswith("checked ")
    again.stop()
    again.assert_clean()


# ---- large and interrupted -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def large_folder(tmp_path_factory, seeded_folder):
    folder = tmp_path_factory.mktemp("large") / "data"
    shutil.copytree(seeded_folder, folder)
    with connect(folder) as line:
        line.executemany("INSERT INTO long_token VALUES (?, 2, 0, 1, 1, 0, ?)",
                         (((1 << 48) + 5000000 + row, b"%032d" % row) for row in range(ROW_COUNT)))
        line.commit()
    return folder


def peak_kib(*words):
    """The most memory that a command of the release binary had."""
    script = ("import resource, subprocess, sys\n"
              "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n")
    done = subprocess.run(["/usr/bin/python3", "-c", script, harness.find_plain_binary(),
                           *map(str, words)], stdout=subprocess.PIPE, text=True, check=True,
                          timeout=120, env={**harness.sanitizer_environment()})
    return int(done.stdout)


def test_memory_is_bounded(mover, large_folder):
    """Of a backup, its check and its restore, into both engines and out of them."""
    peaks, size = {}, 0
    for is_large in (False, True):
        source = mover.new_folder(of=large_folder)
        if not is_large:  # a store of a few rows for comparison
            with connect(source) as line:
                line.execute("DELETE FROM long_token")
                line.commit()
        file, url, key = mover.folder / f"file{is_large}", mover.new_database(), key_of(source)
        peaks[is_large] = [
            peak_kib("backup", file, "--data", source),
            peak_kib("backup", "--verify", file, *key),
            peak_kib("restore", file, "--data", mover.new_folder(), *key),
            peak_kib("restore", file, "--database", url, *key),
            peak_kib("backup", file, "--force", "--database", url, *key)]
        size = file.stat().st_size
    assert size > ROW_COUNT * 60
    if not harness.is_sanitized(harness.find_plain_binary()):
        for small, large in zip(peaks[False], peaks[True]):
            assert large - small < 6 * 1024 < size // 1024, peaks


def kill_when(mover, words, is_there):
    """kill -9 once something is there; whether it came to that."""
    with subprocess.Popen([harness.find_binary(), *map(str, words)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=mover.folder,
                          env={**harness.sanitizer_environment(),
                               "HOME": str(mover.folder)}) as process:
        while process.poll() is None and not is_there():
            time.sleep(0.001)
        process.kill()
        return process.wait() == -signal.SIGKILL


def test_killed_a_backup_leaves_no_file_of_that_name(mover, large_folder):
    file, partial = mover.folder / "file", mover.folder / "file.partial"
    assert kill_when(mover, ["backup", file, "--data", large_folder],
                     lambda: partial.exists() and partial.stat().st_size > 1000000)
    assert not file.exists() and partial.exists()
    assert "cannot be" in run(mover, "backup", "--verify", file, *key_of(large_folder),
                              status=1).words
    assert "cut off" in run(mover, "backup", "--verify", partial, *key_of(large_folder),
                            status=1).words
    back_up(mover, file, large_folder)
    assert not partial.exists()
    run(mover, "backup", "--verify", file, *key_of(large_folder))


def test_of_two_backups_to_one_file_the_second_is_refused(mover, seeded_folder):
    """The first one goes on; killed, it is in nobody's way."""
    file, partial = mover.folder / "file", mover.folder / "file.partial"

    def begin():
        """A backup that waits for its passphrase."""
        process = subprocess.Popen(
            [harness.find_binary(), "backup", file, "--data", seeded_folder, "--passphrase-stdin"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            cwd=mover.folder, env={**harness.sanitizer_environment(), "HOME": str(mover.folder)})
        wait_until(lambda: process.poll() is not None or is_locked(), 30, "its file is there")
        return process

    def is_locked():
        locks = pathlib.Path("/proc/locks").read_text(encoding="ascii")
        return partial.exists() and f":{partial.stat().st_ino} " in locks

    with begin() as first:
        for more in ([], ["--force"]):
            words = back_up(mover, file, seeded_folder, *more, status=1).words
            assert "another backup is writing" in words and partial.exists() and not file.exists()
        told = first.communicate(b"a passphrase\n", timeout=60)[1]
        assert first.returncode == 0, told
    assert not partial.exists()
    run(mover, "backup", "--verify", file, "--passphrase-stdin", stdin=b"a passphrase\n")
    assert "is there already" in back_up(mover, file, seeded_folder, status=1).words
    file.unlink()
    with begin() as second:
        second.kill()
    assert partial.exists()
    back_up(mover, file, seeded_folder)
    assert not partial.exists()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_killed_a_restore_is_not_served_and_begins_anew(mover, large_folder, engine):
    file = mover.folder / "file"
    back_up(mover, file, large_folder)
    words = ["restore", file, *key_of(large_folder)]
    if engine == "sqlite":
        target = mover.new_folder()
        log = target / "jeton.db-wal"

        def is_there():
            return log.exists() and log.stat().st_size > 3000000
    else:
        target = mover.new_database()

        def is_there():
            return mover.sql(target, "SELECT to_regclass('long_token') IS NOT NULL") == ["t"] and \
                mover.sql(target, "SELECT EXISTS (SELECT 1 FROM long_token)") == ["t"]
    assert kill_when(mover, [*words, *place_of(target)], is_there)
    folder = target if engine == "sqlite" else mover.new_folder()
    if engine != "sqlite":
        folder.mkdir(mode=0o700)
    shutil.copy(large_folder / "master.key", folder)
    node = Node(folder, None if engine == "sqlite" else target)
    assert "a restore of a backup into this store is not complete" in node.serve_refused()
    restore(mover, file, target, *key_of(large_folder))
    count = "SELECT count(*) FROM long_token WHERE kind = 2"
    if engine == "sqlite":
        with connect(target) as line:
            assert line.execute(count).fetchone() == (ROW_COUNT,)
    else:
        assert mover.sql(target, count) == [str(ROW_COUNT)]
    node.start()
    assert node.client_token(CC, "read")["access_token"]
    node.stop()
    node.assert_clean()

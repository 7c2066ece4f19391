"""`jeton move`: all of a store into another one, whatever engine either has."""

import contextlib
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

import harness
import postgres
from harness import ALICE, API, C1, CC, wait_until
from movers import Mover, Node, running_cluster

STAY_BEHIND = {"schema_version", "job", "moved"}  # of one engine, or one store
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
TOKEN_COUNT = 60000


@pytest.fixture(scope="module")
def cluster():
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def mover(tmp_path, cluster):
    mover = Mover(tmp_path, cluster)
    yield mover
    while Node.started:
        Node.started.pop().kill()
    if cluster.is_running():
        for name in mover.databases:
            cluster.drop_database(name)


@pytest.fixture(scope="module")
def seeded_folder(tmp_path_factory):
    """An SQLite store with the usual services, clients and accounts; copy it."""
    node = Node(tmp_path_factory.mktemp("seeded") / "data")
    harness.seed(node)
    return node.data


def connect(folder):
    line = sqlite3.connect(folder / "jeton.db")
    line.text_factory = bytes
    return contextlib.closing(line)


def table_columns(line):
    names = [name.decode() for (name,) in
             line.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: [(row[1].decode(), row[2].decode()) for row in
                   line.execute(f"PRAGMA table_info({name})")]
            for name in names if name not in STAY_BEHIND}


def make_value(column, kind, row):
    if column == "binding_thumbprint" and row % 3 == 0:
        return None
    if kind == "INTEGER":
        return 1 << 40 | row
    # In the order of bytes, which is no language's: capitals first, then what is not ASCII.
    text = ["Zoe", "aoide", "_ä", "€uro", "zoë 😀"][row % 5] + f"-{column}-{row}"
    return text if kind == "TEXT" else b"\0\xff" + text.encode()


def fill(folder, row_count=7, token_count=40):
    """Rows in every table that no server has to understand."""
    with connect(folder) as line:
        for table, columns in table_columns(line).items():
            if table == "sequence":
                continue
            marks = ", ".join("?" * len(columns))
            line.executemany(f"INSERT INTO {table} VALUES ({marks})",
                             [[make_value(*column, row) for column in columns] for row in
                              range(token_count if table == "token" else row_count)])
        line.execute("UPDATE sequence SET next = next + 123456")
        line.commit()
    return folder


@pytest.fixture(scope="module")
def full_folder(tmp_path_factory, seeded_folder):
    folder = tmp_path_factory.mktemp("full") / "data"
    shutil.copytree(seeded_folder, folder)
    return fill(folder)


def dump(folder):
    """Every row of every table that is moved."""
    with connect(folder) as line:
        return {table: sorted(map(repr, line.execute(f"SELECT * FROM {table}")))
                for table in table_columns(line)}


def lines_of(text, word):
    return [line.split() for line in text.splitlines() if line.startswith(word + " ")]


# ---- all of it arrives ---------------------------------------------------------------------------


def test_every_row_of_every_table_there_and_back(mover, full_folder):
    source, back = mover.new_folder(of=full_folder), mover.new_folder()
    first, second = mover.new_database(), mover.new_database()
    before = dump(source)
    done = mover.move(source, first)
    verified = lines_of(done.stdout, "verified")
    assert {line[1] for line in verified} == set(before)
    for _, table, count, _, _, digest in verified:
        assert int(count) == len(before[table]) > 0 and digest != EMPTY
    copied = lines_of(done.stdout, "copied")
    assert [line[1] for line in copied] == [line[1] for line in verified]
    assert copied[-1][1] == "sequence"
    total = sum(map(len, before.values()))
    assert re.search(rf"^moved {total} rows of {len(before)} tables in [0-9.]+ s: {total} copied at"
                     r" [0-9]+ rows/s, all verified$", done.stdout, re.MULTILINE)
    assert f"What is sealed stays sealed with the same master key, {source}/master.key" \
        in done.stdout
    # From one database to the next, and into a folder that has the key.
    key = ["--master-key-file", source / "master.key"]
    again = mover.move(first, second, *key)
    assert lines_of(again.stdout, "verified") == verified
    last = mover.move(second, back, *key)
    assert lines_of(last.stdout, "verified") == verified
    assert dump(back) == before and dump(source) == before


def test_from_folder_to_folder(mover, seeded_folder):
    source, target = mover.new_folder(of=seeded_folder), mover.new_folder()
    done = mover.move(source, target)
    assert dump(target) == dump(source)
    assert f"The server on {target} needs it, as master.key in there" in done.stdout
    assert "--master-key-file" in Node(target).serve_refused()
    shutil.copy(source / "master.key", target)
    assert "alice" in Node(target).cli("user", "list").out


def test_both_engines_have_the_same_columns(mover, seeded_folder):
    source, url = mover.new_folder(of=seeded_folder), mover.new_database()
    mover.move(source, url)
    with connect(source) as line:
        expected = {f"{table}|{column}" for table, columns in table_columns(line).items()
                    for column, _ in columns}
    found = mover.sql(url, "SELECT table_name || '|' || column_name FROM information_schema.columns"
                           " WHERE table_schema = 'public'")
    assert {name for name in found if name.split("|")[0] not in STAY_BEHIND} == expected


def test_what_the_engine_numbers_goes_on_behind(mover, full_folder):
    source, url = mover.new_folder(of=full_folder), mover.new_database()
    mover.move(source, url)
    numbered = mover.sql(url, "SELECT table_name || '|' || column_name FROM"
                              " information_schema.columns WHERE is_identity = 'YES'")
    assert len(numbered) > 20
    for table, column in (name.split("|") for name in numbered):
        assert mover.sql(url, f"SELECT nextval(pg_get_serial_sequence('{table}', '{column}'))"
                              f" > max({column}) FROM {table}") == ["t"], table


def test_tokens_sessions_and_spent_ones_are_what_they_were(mover, seeded_folder):
    folder, url = mover.new_folder(of=seeded_folder), mover.new_database()
    node = Node(folder).start()
    good = node.client_token(CC, "read")["access_token"]
    revoked = node.client_token(CC, "read")["access_token"]
    node.revoke(revoked, CC)
    first = node.user_token(C1, ALICE, "read")
    second = node.refresh(first["refresh_token"], C1).json
    signed = node.client_token(C1, "jread")["access_token"]
    node.stop()
    mover.move(folder, url)
    node.database = url
    node.start()
    assert node.is_active(good, API) and not node.is_active(revoked, API)
    assert node.is_active(second["access_token"], API)
    assert node.is_active(signed, harness.JWTS)
    third = node.refresh(second["refresh_token"], C1)
    assert third.status == 200
    later = node.client_token(CC, "read")["access_token"]
    node.cli("user", "add", "carol", "--password-stdin", stdin="a password of good length 1\n")
    node.stop()
    mover.move(url, folder)
    node.database = None
    node.start()
    assert node.is_active(good, API) and node.is_active(later, API)
    assert not node.is_active(revoked, API)
    # A refresh token that was spent in the database is spent in the folder, and ends the family.
    assert node.is_active(third.json["access_token"], API)
    assert node.refresh(first["refresh_token"], C1).error == "invalid_grant"
    assert not node.is_active(third.json["access_token"], API)
    rows = [line.split()[:2] for line in node.cli("user", "list").out.splitlines()[1:]]
    assert len({number for number, _ in rows}) == len(rows) == 3
    node.stop()
    node.assert_clean()


# ---- one of the two is served, at most -----------------------------------------------------------


def test_what_has_moved_is_not_served(mover, seeded_folder):
    folder, url = mover.new_folder(of=seeded_folder), mover.new_database()
    mover.move(folder, url)
    shown = "postgresql://" + url.split("@")[1]
    words = Node(folder).cli("user", "list", status=1).err
    assert "PostgreSQL" in words or f"has moved to {shown}" in words
    (folder / "database").unlink()
    words = Node(folder).cli("user", "list", status=1).err
    assert f"has moved to {shown}" in words and "'jeton move --undo" in words
    assert f"has moved to {shown}" in Node(folder).serve_refused()
    assert f"has moved to {shown} already" in mover.move(folder, url, status=1).stderr
    # And from the database onwards, where a server says the same.
    other = mover.new_folder()
    mover.move(url, other, "--master-key-file", folder / "master.key")
    on_database = Node(mover.new_folder(), url)
    on_database.data.mkdir(mode=0o700)
    assert f"has moved to {other}" in on_database.serve_refused()
    assert f"has moved to {other}" in on_database.cli("user", "list", status=1).err


def test_undo(mover, seeded_folder):
    folder, url = mover.new_folder(of=seeded_folder), mover.new_database()
    words = mover.run(*mover.command(folder), "--undo", status=1).stderr
    assert "is not marked as moved" in words
    mover.move(folder, url)
    done = mover.run(*mover.command(folder), "--undo")
    assert "can be served again" in done.stdout and "what was revoked or spent there" in done.stderr
    assert "alice" in Node(folder).cli("user", "list").out
    back = mover.new_folder()
    mover.move(url, back, "--master-key-file", folder / "master.key")
    mover.run(*mover.command(url), "--undo")
    shutil.rmtree(back)
    back.mkdir(mode=0o700)
    assert "alice" in Node(back, url).cli("user", "list", "--master-key-file",
                                          str(folder / "master.key")).out


def test_nothing_is_moved_under_a_server(mover, seeded_folder):
    folder, url = mover.new_folder(of=seeded_folder), mover.new_database()
    node = Node(folder).start()
    words = mover.move(folder, url, status=1).stderr
    assert f"process {node.pid} holds" in words and "stop that server first" in words
    node.stop()
    mover.move(folder, url)
    node.database = url
    node.start()
    target = mover.new_folder()
    key = ["--master-key-file", folder / "master.key"]
    words = mover.move(url, target, *key, status=1).stderr
    assert "another jeton is connected" in words
    assert node.client_token(CC)["access_token"]
    words = mover.move(mover.new_folder(of=seeded_folder), url, status=1).stderr
    assert "another jeton is connected" in words
    node.stop()
    mover.move(url, target, *key)
    node.assert_clean()


def test_what_ends_in_a_moment_is_waited_for(mover, seeded_folder):
    """As the connection of a move that was killed, which goes on to its next statement."""
    folder, url = mover.new_folder(of=seeded_folder), mover.new_database()
    with subprocess.Popen([postgres.find_program("psql"), "-X", "-q", "-c", "SELECT pg_sleep(1)",
                           url + "?application_name=jeton"], stdout=subprocess.DEVNULL) as other:
        wait_until(lambda: mover.sql(url, "SELECT count(*) FROM pg_stat_activity"
                                          " WHERE application_name = 'jeton'") == ["1"], 30,
                   "it is there")
        mover.move(folder, url)
        assert other.wait() == 0


def test_a_server_that_was_cut_off_meanwhile_answers_nothing_any_more(mover, seeded_folder):
    folder, url, target = mover.new_folder(of=seeded_folder), mover.new_database(), \
        mover.new_folder()
    mover.move(folder, url)
    node = Node(folder, url).start()
    token = node.client_token(CC, "read")["access_token"]
    assert node.is_active(token, API)
    node.process.send_signal(signal.SIGSTOP)
    stopped_at = time.monotonic()
    mover.sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE datname = current_database() AND pid <> pg_backend_pid()")
    wait_until(lambda: mover.sql(url, "SELECT count(*) FROM pg_stat_activity WHERE datname ="
                                      " current_database() AND pid <> pg_backend_pid()") == ["0"],
               30, "its connections end")
    mover.move(url, target, "--master-key-file", folder / "master.key")
    before = mover.sql(url, "SELECT (SELECT count(*) FROM token), (SELECT next FROM sequence"
                            " WHERE number = 1)")
    # What it knew a second ago it may rely on; it is not told how long it slept.
    wait_until(lambda: time.monotonic() > stopped_at + 1.2, 5, "a second is over")
    node.process.send_signal(signal.SIGCONT)
    until = time.monotonic() + 4
    while time.monotonic() < until:
        assert node.introspect(token, API).status == 503
        assert node.token({"grant_type": "client_credentials"}, client=CC).status == 503
    assert node.get("/readyz").status == 503
    assert mover.sql(url, "SELECT (SELECT count(*) FROM token), (SELECT next FROM sequence"
                          " WHERE number = 1)") == before
    node.stop()
    node.assert_clean()


# ---- interrupted ---------------------------------------------------------------------------------


def kill_after_lines(process, count):
    """kill -9 when it has written so many lines; False: it came to its end before."""
    for _ in range(count):
        if not process.stdout.readline():
            break
    process.kill()
    rest = process.stdout.read()
    process.wait()
    return b"What is sealed" not in rest and process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("way", ["to a database", "to a folder"])
def test_killed_again_and_again_it_comes_to_the_same_end(mover, full_folder, way):
    source = mover.new_folder(of=full_folder)
    before = dump(source)
    if way == "to a database":
        end, target, more = source, mover.new_database(), []
    else:
        end, target = mover.new_database(), mover.new_folder()
        more = ["--master-key-file", source / "master.key"]
        mover.move(source, end)
    kills = 0
    while kill_after_lines(mover.start(end, target, *more), 3 * kills):
        kills += 1
        if way == "to a database":
            if kills == 1:
                continue  # it may have marked nothing yet
            old = Node(source).serve_refused()
            assert "is not complete" in old or "has moved to" in old
            if "is not complete" in old:
                assert "is not complete" in Node(mover.folder / "none", target).serve_refused()
    assert kills > 8
    words = mover.run(*mover.command(end, target, *more), status=1).stderr
    assert "already" in words
    if way == "to a database":
        back = mover.new_folder()
        mover.move(target, back, "--master-key-file", source / "master.key")
        target = back
    assert dump(target) == before


def test_killed_in_the_midst_of_a_table(mover, seeded_folder):
    source, url = fill(mover.new_folder(of=seeded_folder), 3, TOKEN_COUNT), mover.new_database()
    process = mover.start(source, url)

    def count():
        if mover.sql(url, "SELECT to_regclass('token') IS NOT NULL") != ["t"]:
            return 0
        return int(mover.sql(url, "SELECT count(*) FROM token")[0])

    wait_until(count, 60, "the first tokens arrive")
    process.kill()
    process.wait()
    process.stdout.close()
    there = count()
    assert 0 < there < TOKEN_COUNT
    assert "a move of this store to " in Node(source).serve_refused()
    assert "a move into this store from " in Node(mover.folder / "none", url).serve_refused()
    done = mover.move(source, url)
    assert "on from where it was interrupted" in done.stdout
    copied = {line[1]: int(line[2]) for line in lines_of(done.stdout, "copied")}
    assert 0 < copied["token"] <= TOKEN_COUNT - there
    assert "account" not in copied
    assert mover.sql(url, "SELECT count(*), count(DISTINCT id) FROM token") == \
        [f"{TOKEN_COUNT}|{TOKEN_COUNT}"]


def test_a_database_that_goes_away_in_the_midst(mover, seeded_folder):
    source = fill(mover.new_folder(of=seeded_folder), 3, TOKEN_COUNT)
    with running_cluster(is_durable=True) as own:
        url = own.create_database("moved")
        process = subprocess.Popen(mover.command(source, url), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=harness.sanitizer_environment())
        while not process.stdout.readline().startswith("copied    client"):
            assert process.poll() is None
        own.stop("immediate")
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err.count("\n") == 1 and "run the same command again" in err, err
        words = mover.move(source, url, status=1).stderr
        assert "Connection refused" in words and "nothing was changed" in words
        own.start()
        done = mover.move(source, url)
        assert "on from where it was interrupted" in done.stdout
        assert own.sql("SELECT count(*) FROM token", "moved") == [str(TOKEN_COUNT)]


def test_a_disk_that_is_full(mover, seeded_folder):
    source, target = fill(mover.new_folder(of=seeded_folder), 3, 20000), mover.new_folder()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    words = mover.move(source, target, status=1, preexec_fn=limit).stderr
    assert str(target) in words and "cannot write" in words and "goes on from here" in words
    assert "is not complete" in Node(source).serve_refused()
    done = mover.move(source, target)
    assert "on from where it was interrupted" in done.stdout
    assert dump(target) == dump(source)


def test_a_source_that_was_served_in_between_is_moved_as_it_is_then(mover, seeded_folder):
    source, url = mover.new_folder(of=seeded_folder), mover.new_database()
    assert kill_after_lines(mover.start(source, url), 4)
    mover.run(*mover.command(source), "--undo")
    Node(source).cli("user", "disable", "alice")
    done = mover.move(source, url)
    assert "anew" in done.stdout
    assert mover.sql(url, "SELECT is_disabled FROM account WHERE name = 'alice'") == ["1"]


# ---- refused -------------------------------------------------------------------------------------


def test_texts_that_postgresql_cannot_hold_are_named_before_anything_is_written(mover,
                                                                               seeded_folder):
    source, url = mover.new_folder(of=seeded_folder), mover.new_database()
    with connect(source) as line:
        line.execute("UPDATE account SET full_name = 'A' || char(0) || 'B' WHERE name = 'alice'")
        line.execute("UPDATE service SET scope = CAST(x'41ff' AS TEXT) WHERE service_id = ?",
                     [API[0]])
        line.execute("INSERT INTO name VALUES (CAST(x'6e616d65c3' AS TEXT))")
        account = line.execute("SELECT id FROM account WHERE name = 'alice'").fetchone()[0]
        service = line.execute("SELECT id FROM service WHERE service_id = ?", [API[0]]
                               ).fetchone()[0]
        line.commit()
    words = mover.move(source, url, status=1).stderr.splitlines()
    assert words == [f"jeton: move: table account, key {account}: full_name has a NUL",
                     "jeton: move: table name, key name?: name is not UTF-8",
                     f"jeton: move: table service, key {service}: scope is not UTF-8",
                     "jeton: move: 3 texts of the source cannot be held by PostgreSQL (above);"
                     " nothing was written"]
    assert mover.sql(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == ["0"]
    assert "alice" in Node(source).cli("user", "list").out
    mover.move(source, mover.new_folder())  # SQLite holds whatever it is given


def test_usage(mover):
    binary = harness.find_binary()
    for words, error in [
            ([], "--from DIR or --from URL is needed"),
            (["--from", "a"], "--to DIR or --to URL is needed"),
            (["--from", "a", "--to", "a"], "the same store"),
            (["--from", "a", "--to", "b", "c"], "an argument too many"),
            (["--from", "a", "--to", "b", "--undo"], "--undo takes no --to"),
            (["--from", "", "--to", "b"], "empty or too long"),
            (["--from", "a", "--to", "b", "--to-password-file", "f"], "names a folder"),
            (["--from", "a", "--to", "mysql://b"], "--to: database must be postgresql://"),
            (["--from", "a", "--quick"], "unknown option --quick")]:
        done = mover.run(binary, "move", *words, status=2)
        assert error in done.stderr and done.stderr.endswith("; see 'jeton move --help'\n")
        assert done.stdout == ""
    done = mover.run(binary, "move", "--help")
    assert "--from DIR|URL" in done.stdout and "--undo" in done.stdout
    assert "  move " in mover.run(binary, "help").stdout


def test_refusals(mover, seeded_folder, full_folder):
    source, url = mover.new_folder(of=seeded_folder), mover.new_database()
    words = mover.move(mover.folder / "none", url, status=1).stderr
    assert "none" in words and not (mover.folder / "none").exists()
    assert "cannot find a store in it" in mover.move(url, mover.folder / "none", status=1).stderr
    assert not (mover.folder / "none").exists()
    words = mover.move(source, "postgresql://jeton@127.0.0.1:1/none", status=1).stderr
    assert "postgresql://127.0.0.1:1/none" in words and "nothing was changed" in words
    # A store of somebody else, whole or by half.
    words = mover.move(source, mover.new_folder(of=full_folder), status=1).stderr
    assert "is not empty (account has rows)" in words
    other = Node(mover.new_folder())
    other.cli("user", "add", "x", "--password-stdin", stdin="a password of good length 1\n")
    assert kill_after_lines(mover.start(other.data, url), 3)
    words = mover.move(source, url, status=1).stderr
    assert "belongs to the move of another store" in words
    # Keys.
    wrong = mover.folder / "wrong.key"
    wrong.write_bytes(os.urandom(32))
    wrong.chmod(0o600)
    fresh = mover.new_database()
    words = mover.move(source, fresh, "--master-key-file", wrong, status=1).stderr
    assert "the master key is not the one" in words
    target = mover.new_folder()
    target.mkdir(mode=0o700)
    shutil.copy(wrong, target / "master.key")
    assert "the master key in" in mover.move(source, target, status=1).stderr
    # A newer schema, on either side.
    with connect(source) as line:
        line.execute("INSERT INTO schema_version (version, at) VALUES (99, 0)")
        line.commit()
    assert "schema 99" in mover.move(source, fresh, status=1).stderr
    with connect(source) as line:
        line.execute("DELETE FROM schema_version WHERE version = 99")
        line.commit()
    assert "alice" in Node(source).cli("user", "list").out
    assert mover.sql(fresh, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == ["0"]


def test_a_password_is_shown_nowhere(mover, seeded_folder):
    source, url = mover.new_folder(of=seeded_folder), mover.new_database()
    done = mover.move(source, url.replace("jeton@", f"jeton:{postgres.PASSWORD}@"))
    assert "put it into a file, --to-password-file" in done.stderr
    assert postgres.PASSWORD not in done.stdout + done.stderr
    for path in source.iterdir():
        assert postgres.PASSWORD.encode() not in path.read_bytes(), path

"""The audit trail: sealed by checkpoints, checked offline, exported, trimmed (docs/audit.md)."""

import concurrent.futures
import contextlib
import hashlib
import ipaddress
import json
import os
import pathlib
import re
import socket
import subprocess
import time
import time
from datetime import datetime, timezone

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import harness
import stores
from harness import ALICE, C1, CC, UAUTH, uauth_form, wait_until
from person import Person

CHIEF = ("chief", "the password of an administrator 7")

CHECKED = re.compile(r"checked (\d+) events in (\d+) checkpoints, last (\d+) at \S+Z\n"
                     r"checkpoint (\d+:[0-9a-f]{64})\n")


def verify(server, *args, status=0):
    return server.cli("audit", "verify", *args, status=status)


def number(server, statement):
    return int(server.query(statement)[0][0])


def write_events(server, count=3):
    for _ in range(count):
        assert server.token(uauth_form(ALICE, UAUTH)).status == 200


def write_until(server, end):
    count = 0
    while time.monotonic() < end:
        assert server.client_token(CC, "read")["access_token"]
        count += 1
    return count


def covered(server):
    """Whether the last checkpoint is complete and covers all."""
    return number(server, "SELECT coalesce((SELECT CASE WHEN length(digest) = 32 AND"
                          " last_event_id = (SELECT max(id) FROM event) THEN 1 ELSE 0 END"
                          " FROM checkpoint"
                          " ORDER BY number DESC LIMIT 1), 0)") == 1


def seal(server, count=3):
    write_events(server, count)
    wait_until(lambda: covered(server), 20, "a checkpoint behind the newest event")


@pytest.fixture(scope="module")
def sealed(module_server):
    """Not running; three checkpoints at least, the last by the orderly stop."""
    server = module_server()
    seal(server)
    seal(server)
    write_events(server)
    server.stop()
    assert covered(server) and number(server, "SELECT count(*) FROM checkpoint") >= 3
    return server


def test_ad_a_whole_trail_is_said_to_be_whole(sealed):
    done = verify(sealed)
    found = CHECKED.match(done.out)
    assert found and done.err == ""
    assert int(found.group(1)) == number(sealed, "SELECT count(*) FROM event")
    assert int(found.group(2)) == int(found.group(3)) == \
        number(sealed, "SELECT max(number) FROM checkpoint")
    verify(sealed, "--checkpoint", found.group(4))
    key = sealed.cli("audit", "key").out.strip()
    verify(sealed, "--public-key", key)
    assert "another one" in verify(sealed, "--public-key", key[::-1], status=1).err
    other = found.group(4)[:-1] + ("0" if found.group(4)[-1] != "0" else "1")
    assert "another one than was noted" in verify(sealed, "--checkpoint", other, status=1).err
    assert "is missing" in verify(sealed, "--checkpoint", "99999:" + "0" * 64, status=1).err
    for wrong in ("1", "x:" + "0" * 64, "1:" + "0" * 63, "1:" + "g" * 64):
        verify(sealed, "--checkpoint", wrong, status=2)


def blob(text):
    return f"'\\x{text}'" if stores.is_postgresql() else f"x'{text}'"


# What is done to the second checkpoint's first event, or to checkpoints; and what is said of it.
EVENT = "(SELECT min(id) FROM event WHERE id > (SELECT last_event_id FROM checkpoint" \
        " WHERE number = 1))"
LAST = "(SELECT max(number) FROM checkpoint)"
CHANGES = [
    (f"UPDATE event SET {column} = {value} WHERE id = {EVENT}",
     "checkpoint 2: an event was changed")
    for column, value in (("at", "at + 1"), ("kind", "kind + 1"), ("kind", "kind + 4294967296"),
                          ("account_id", "account_id + 1"), ("client_id", "client_id + 1"),
                          ("token_id", "token_id + 1"), ("detail", "'x'"),
                          ("address", "ADDRESS"))] + [
    (f"DELETE FROM event WHERE id = {EVENT}", "checkpoint 2: events were removed"),
    ("INSERT INTO event (id, at, kind, account_id, client_id, token_id, address, detail) SELECT"
     " -1, at, kind, account_id, client_id, token_id, address, detail FROM event"
     f" WHERE id = {EVENT}", None),
    (f"UPDATE event SET id = CASE id WHEN {EVENT} THEN -{EVENT} ELSE id END", None),
    ("DELETE FROM event WHERE id > (SELECT last_event_id FROM checkpoint"
     f" WHERE number = {LAST} - 1)", "events were removed"),
    (f"DELETE FROM checkpoint WHERE number = {LAST}", "the end was cut off"),
    ("DELETE FROM checkpoint WHERE number = 2", "checkpoints 2 to 2 are missing"),
    ("DELETE FROM checkpoint", "the end was cut off"),
    ("DELETE FROM sealed_value WHERE name = 'audit-head'", "head of the trail is missing"),
    ("UPDATE sealed_value SET sealed = (SELECT digest FROM checkpoint WHERE number = 1)"
     " WHERE name = 'audit-head'", "head of the trail was changed"),
    ("UPDATE checkpoint SET trimmed_at = 1 WHERE number = 2", "no event tells of it"),
    ("UPDATE checkpoint SET event_count = event_count + 1 WHERE number = 2", "is not signed"),
    ("UPDATE checkpoint SET at = at + 1 WHERE number = 2", "is not signed"),
    ("UPDATE checkpoint SET last_event_id = last_event_id + 1 WHERE number = 2", "is not signed"),
    ("UPDATE checkpoint SET digest = public_key WHERE number = 2", "is not signed"),
    ("UPDATE checkpoint SET signature = EMPTY WHERE number = 2", "is not signed"),
    ("UPDATE checkpoint SET digest = EMPTY WHERE number = 2", "checkpoint 2 is empty"),
    (f"UPDATE checkpoint SET digest = EMPTY WHERE number = {LAST}", "the end was cut off"),
]


def changed(server, statement):
    """What is found wrong with a trail that somebody changed; it is as it was afterwards."""
    kept = ("event", "checkpoint", "sealed_value")
    for table in kept:
        server.query(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
    server.query(statement)
    try:
        return verify(server, status=1).err
    finally:
        for table in kept:
            server.query(f"DELETE FROM {table}")
            server.query(f"INSERT INTO {table} SELECT * FROM kept_{table}")
            server.query(f"DROP TABLE kept_{table}")


@pytest.mark.parametrize("change", range(len(CHANGES)))
def test_ad_every_change_is_found(sealed, change):
    """In each column; removed, swapped, added; the tail cut, with its checkpoints and without."""
    statement, words = CHANGES[change]
    statement = statement.replace("ADDRESS", blob("ff" * 16)).replace("EMPTY", blob(""))
    assert (words or "checkpoint ") in changed(sealed, statement)


def test_ad_a_checkpoint_of_another_key_is_found(sealed, new_server):
    """Whoever has the database and not the master key makes no checkpoint that is taken."""
    other = new_server()
    seal(other)
    other.stop()
    hexed = "encode({}, 'hex')" if stores.is_postgresql() else "lower(hex({}))"
    columns = ", ".join(hexed.format(name) for name in ("digest", "public_key", "signature"))
    foreign = other.query(f"SELECT {columns} FROM checkpoint WHERE number = 1")[0]
    own = sealed.query(f"SELECT {columns} FROM checkpoint WHERE number = 2")[0]
    for row, status in ((foreign, 1), (own, 0)):
        sealed.query(f"UPDATE checkpoint SET digest = {blob(row[0])}, public_key = {blob(row[1])},"
                     f" signature = {blob(row[2])} WHERE number = 2")
        assert ("not signed with this server's key" in verify(sealed, status=status).err) == \
            (status == 1)


# ---- a verifier of its own, from docs/audit.md -----------------------------------------------


def integer(value, size=8):
    return value.to_bytes(size, "big", signed=True)


def event_bytes(line):
    at = int(datetime.strptime(line["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
             .timestamp())
    address = ipaddress.ip_address(line["address"]) if "address" in line else None
    packed = bytes(16) if address is None else address.packed if address.version == 6 \
        else bytes(10) + b"\xff\xff" + address.packed
    detail = line.get("detail", "").encode()
    return b"".join([integer(line["id"]), integer(at), integer(line["kind"]),
                     *[integer(line.get(name, 0)) for name in ("account_id", "client_id",
                                                               "token_id")],
                     integer(len(packed), 4), packed, integer(len(detail), 4), detail])


def check_lines(lines, key):
    """The whole trail; the number of checkpoints."""
    before, number_before, events, count = bytes(32), 0, [], 0
    for line in lines:
        point = line.get("checkpoint")
        if point is None:
            events.append(event_bytes(line))
            continue
        assert point["number"] == number_before + 1 and point["event_count"] == len(events)
        digest = hashlib.sha256(b"jeton audit events 1\n" + integer(point["number"]) + before +
                                b"".join(events)).digest()
        assert digest.hex() == point["digest"]
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(
            bytes.fromhex(point["signature"]),
            b"jeton audit checkpoint 1\n" + integer(point["number"]) +
            integer(point["last_event_id"]) + integer(point["event_count"]) +
            integer(point["at"]) + digest)
        before, number_before, events, count = digest, point["number"], [], count + 1
    assert events == []
    return count


def test_ad_an_export_is_checked_with_the_public_key_alone(sealed, tmp_path):
    text = sealed.cli("audit", "export", "--with-checkpoints").out
    key = sealed.cli("audit", "key").out.strip()
    lines = [json.loads(line) for line in text.splitlines()]
    assert check_lines(lines, key) == number(sealed, "SELECT count(*) FROM checkpoint")
    with pytest.raises(InvalidSignature):
        lines[-1]["checkpoint"]["at"] += 1
        check_lines(lines, key)
    path = tmp_path / "trail.jsonl"

    def check(content, status, *args):
        path.write_text(content)
        return sealed.cli("audit", "verify", "--file", str(path), *(args or ("--public-key", key)),
                          data=False, status=status)

    done = check(text, 0)
    assert done.out.startswith(f"checked {number(sealed, 'SELECT count(*) FROM event')} events")
    rows = text.splitlines(keepends=True)
    point = next(i for i, row in enumerate(rows) if "checkpoint" in row and '"number":1,' in row)
    event = rows[point + 1]
    for changed in ("".join(rows[:point + 1] + rows[point + 2:]), text.replace(event, event * 2),
                    text.replace(event, event.replace('"kind":1', '"kind":2')),
                    text.replace(event, re.sub(r'"at":"2', '"at":"3', event)),
                    text.replace(event, re.sub(r'"id":\d+', '"id":1', event)),
                    text.replace(rows[point], ""), text.replace(event, "{}\n"),
                    text.replace(event, "garbage\n"), "".join(rows[::-1]), ""):
        assert changed != text
        assert check(changed, 1).out == ""
    assert "not signed" in check(text, 1, "--public-key", "d7" * 32).err
    noted = CHECKED.match(verify(sealed).out).group(4)
    check(text, 0, "--public-key", key, "--checkpoint", noted)
    cut = "".join(rows[:point + 1])
    assert "only --checkpoint shows whether the end was cut off" in check(cut, 0).out
    assert "cut off" not in check(text, 0, "--public-key", key, "--checkpoint", noted).out
    plain = sealed.cli("audit", "export", "--oldest-first").out
    assert "export with --with-checkpoints" in check(plain, 1).err
    assert "is missing" in check(cut, 1, "--public-key", key, "--checkpoint", noted).err
    check(text, 2, "--public-key", "12")
    sealed.cli("audit", "verify", "--file", str(path), data=False, status=2)


def test_ad_exports_are_chosen_by_time_kind_and_account(sealed):
    def export(*args, status=0):
        done = sealed.cli("audit", "export", *args, status=status)
        return [json.loads(line) for line in done.out.splitlines()]

    down, up = export(), export("--oldest-first")
    assert down == up[::-1] and len({line["event"] for line in up}) > 1
    middle = up[len(up) // 2]["at"]
    assert export("--oldest-first", "--since", middle) == [x for x in up if x["at"] >= middle]
    assert export("--until", middle) == [x for x in down if x["at"] <= middle]
    assert export("--until", "1") == [] and export("--since", "1") == down
    assert export("--kind", "token_issued") == [x for x in down if x["event"] == "token_issued"]
    assert export("--account", ALICE[0]) == [x for x in down if x.get("account") == ALICE[0]] != []
    assert export("--last", "2", "--kind", "token_issued") == \
        [x for x in down if x["event"] == "token_issued"][:2]
    for wrong in (("--since", "yesterday"), ("--since", "2026-02-31T00:00:00Z"),
                  ("--kind", "nothing"), ("--with-checkpoints", "--kind", "token_issued"),
                  ("--oldest-first", "--last", "1")):
        export(*wrong, status=2)
    export("--account", "nobody", status=1)


# ---- a running server ------------------------------------------------------------------------


def test_ad_a_running_server_seals_and_is_checked(new_server):
    server = new_server(args=["--audit-log", "log"])
    seal(server)
    first = CHECKED.match(verify(server).out)
    seal(server, 1)
    assert verify(server, "--checkpoint", first.group(4)).err == ""
    server.stop()
    lines = server.log_lines()
    logged = [line for line in lines if line["event"] == "audit_checkpoint"]
    assert f"{logged[-1]['number']}:{logged[-1]['digest']}" == \
        CHECKED.match(verify(server).out).group(4)
    ids = [line["id"] for line in lines if line["event"] == "audit"]
    assert ids == [int(row[0]) for row in server.query("SELECT id FROM event ORDER BY id")]


def test_ad_a_busy_server_seals_once_a_second(new_server):
    """What is written while it seals has the next checkpoint, and not one at once."""
    server = new_server()
    seal(server)
    before = number(server, "SELECT max(number) FROM checkpoint")
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        busy = [pool.submit(write_until, server, began + 4) for _ in range(3)]
        assert sum(one.result() for one in busy) > 12
    made = number(server, "SELECT max(number) FROM checkpoint") - before
    assert 1 <= made <= time.monotonic() - began + 2
    wait_until(lambda: covered(server), 20, "the rest is sealed")
    verify(server)


def test_ad_what_a_killed_server_left_open_is_completed(new_server):
    server = new_server()
    seal(server)
    server.kill()
    server.query(f"UPDATE checkpoint SET digest = {blob('')}, public_key = {blob('')},"
                 f" signature = {blob('')} WHERE number = {LAST}")
    last = number(server, "SELECT max(number) FROM checkpoint")
    if last > 1:  # the head of the one before, as if the second step had never been
        server.query("DELETE FROM sealed_value WHERE name = 'audit-head'")
    server.start()
    wait_until(lambda: covered(server), 30, "the open checkpoint is completed")
    verify(server)
    server.stop()
    verify(server)


def test_ad_old_events_leave_and_an_event_says_so(faked_time):
    server, _ = faked_time
    server.args = ["--audit-retention", "2"]
    seal(server)
    noted = CHECKED.match(verify(server).out).group(4)
    seal(server)
    write_events(server)
    server.restart()
    events = [line["id"] for line in trail(server)]
    verify(server, "--checkpoint", noted)
    server.stop()
    assert number(server, "SELECT count(*) FROM checkpoint") > 2
    del server.env["FAKETIME_TIMESTAMP_FILE"]  # the server's cage would not let it be read
    server.env["FAKETIME"] = "+3d"
    server.start()
    wait_until(lambda: not set(events) & {line["id"] for line in trail(server)}, 30,
               "old events leave")
    # One is kept: the next one goes on from its digest.
    wait_until(lambda: number(server, "SELECT count(*) FROM checkpoint WHERE trimmed_at > 0") == 1,
               30, "their checkpoints leave")
    seal(server)
    wait_until(lambda: covered(server), 30, "their removal is sealed")
    done = verify(server)
    assert "were removed as configured" in done.out and done.err == ""
    assert [line for line in trail(server) if line["event"] == "audit_trimmed"]
    server.stop()
    assert "was removed with its events" in verify(server, "--checkpoint", noted, status=1).err
    last = CHECKED.match(verify(server).out)
    verify(server, "--checkpoint", last.group(4))
    count, first = server.query("SELECT count(*), min(number) FROM checkpoint")[0]
    assert int(last.group(2)) == int(count) > 1 < int(first) == int(last.group(3)) - int(count) + 1
    key = server.cli("audit", "key").out.strip()
    path = server.folder / "trail.jsonl"
    path.write_text(server.cli("audit", "export", "--with-checkpoints").out)
    done = server.cli("audit", "verify", "--file", str(path), "--public-key", key, data=False)
    assert f" events in {count} checkpoints, last {last.group(3)} at" in done.out
    of_first = f"(SELECT last_event_id FROM checkpoint WHERE number = {first})"
    for statement, words in (
            (f"UPDATE event SET detail = 'x' WHERE id = (SELECT min(id) FROM event WHERE id >"
             f" {of_first})", "an event was changed"),
            (f"DELETE FROM event WHERE id = (SELECT min(id) FROM event WHERE id > {of_first})",
             "events were removed"),
            (f"DELETE FROM checkpoint WHERE number = {first}",
             f"checkpoints 1 to {first} are missing"),
            (f"DELETE FROM checkpoint WHERE number = {LAST}", "the end was cut off"),
            ("DELETE FROM event WHERE kind = 24", "no event tells of it")):
        assert words in changed(server, statement), statement


def trail(server):
    out = server.cli("audit", "export", "--oldest-first").out
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.skipif(not stores.is_postgresql(), reason="SQLite has one server")
def test_ad_two_servers_on_one_database_seal_once(new_server):
    server = new_server(args=["--audit-log", "log"])
    other = harness.Server(server.folder / "other", args=["--audit-log", "log", "--master-key-file",
                                                         str(server.data / "master.key")])
    other.store = server.store
    other.start()
    try:
        for _ in range(3):
            write_events(server, 2)
            write_events(other, 2)
            wait_until(lambda: covered(server), 30, "a checkpoint")
        verify(server)
    finally:
        other.stop()
    server.stop()
    verify(server)
    ids = sorted(line["id"] for one in (server, other) for line in one.log_lines()
                 if line["event"] == "audit")
    assert ids == [int(row[0]) for row in server.query("SELECT id FROM event ORDER BY id")]


def test_ad_settings_are_read_strictly(new_server):
    server = new_server(start=False)
    for wrong in (("--audit-log", "file"), ("--audit-retention", "-1"),
                  ("--audit-retention", "36501")):
        assert server.cli("serve", *wrong, "--check", status=2).err


def test_ad_a_token_is_explained_for_a_time_that_is_over(new_server):
    server = new_server()
    made = server.client_token(C1)["access_token"]
    token_id = [line["token_id"] for line in trail(server) if line["event"] == "token_issued"][-1]

    def explain(*args, **more):
        return server.cli("token", "explain", "--id", str(token_id), *args, **more).out

    def second(text):
        return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp())

    within = "note      something happened within that second"
    issued = re.search(r"issued +(\S+)", explain()).group(1)
    assert f"at        {issued}\nevent     token_issued {issued} from 127.0.0.1\n" in \
        explain("--at", issued)
    assert "active    yes" in explain("--at", issued) and within in explain("--at", issued)
    assert "because   it was issued later, " + issued in explain("--at", "1000000000")
    assert "because   it had expired at" in explain("--at", "4000000000")
    # A whole second between them, whatever the tick by which the server tells the time.
    wait_until(lambda: time.time() > second(issued) + 2.1, 5, "a second that is over")
    server.revoke(made, C1)
    revoked = [line["at"] for line in trail(server) if line["event"] == "token_revoked"][-1]
    assert second(revoked) > second(issued) + 1
    for moment in (issued, issued[:-1] + ".999Z", str(second(issued) + 1),
                   str(second(revoked) - 1)):
        assert "active    yes" in explain("--at", moment), moment
        assert "because" not in explain("--at", moment)
    for moment in (revoked, revoked[:-1] + ".001Z", str(second(revoked) + 1)):
        found = explain("--at", moment)
        assert "because   it was revoked at " + revoked in found and "active    no" in found
        assert (within in found) == (moment != str(second(revoked) + 1))
    for wrong in ("noon", issued[:-1] + ".Z", issued[:-1] + ".5", issued[:-1] + ".1234567890Z",
                  issued[:-1] + ".5ZZ", issued[:-1] + ".xZ", issued[:-1] + ",5Z", issued + ".5"):
        explain("--at", wrong, status=2)


# ---- what the pages say of it ----------------------------------------------------------------


@pytest.fixture(scope="module")
def watched(module_server):
    server = module_server()
    server.add_user(*CHIEF, "--admin")
    return server


def at_events(server, language="en"):
    person = Person(server, headers=[("Accept-Language", language)]).sign_in(CHIEF)
    wait_until(lambda: covered(server), 20, "a checkpoint behind the sign-in")
    return person.open("/admin/events")


def test_ad_the_events_page_says_how_far_the_trail_is_sealed(watched):
    person = at_events(watched)
    at, last, first = watched.query(
        f"SELECT (SELECT at FROM checkpoint WHERE number = {LAST}), {LAST},"
        " (SELECT min(at) FROM event)")[0]

    def time_text(seconds):
        return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%d %H:%M UTC")

    assert person.text_of("seal") == \
        f"Sealed up to {time_text(at)} by checkpoint {last}, kept since {time_text(first)}. " \
        "“jeton audit verify” checks all of it."
    for language, word in (("de", "Versiegelt bis "), ("fr", "Scellé "), ("es", "Sellado ")):
        text = at_events(watched, language).text_of("seal")
        assert text.startswith(word) and "“jeton" not in text and "jeton audit verify" in text
    # What is removed as configured is told by the time from which on events are kept.
    watched.query("UPDATE checkpoint SET trimmed_at = 1, at = 1000000000 WHERE number = 1")
    assert "kept since 2001-09-09 01:46 UTC" in at_events(watched).text_of("seal")


@pytest.mark.parametrize("statements", [
    f"DELETE FROM event WHERE id > (SELECT last_event_id FROM checkpoint WHERE number = {LAST} - 1)"
    f"; DELETE FROM checkpoint WHERE number = {LAST}",
    f"UPDATE checkpoint SET event_count = event_count + 1 WHERE number = {LAST}",
    f"UPDATE checkpoint SET signature = (SELECT signature FROM checkpoint WHERE number = 1)"
    f" WHERE number = {LAST}",
    "UPDATE sealed_value SET sealed = (SELECT digest FROM checkpoint WHERE number = 1)"
    " WHERE name = 'audit-head'"])
def test_ad_the_events_page_says_that_the_end_was_changed(watched, statements):
    person = at_events(watched)
    assert person.text_of("seal").startswith("Sealed up to ")
    tables = ("event", "checkpoint", "sealed_value")
    for table in tables:
        watched.query(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
    for statement in statements.split(";"):
        watched.query(statement)
    assert person.open("/admin/events").text_of("seal") == \
        "The end of this trail was changed or cut off. “jeton audit verify” tells where."
    for table in tables:
        watched.query(f"DELETE FROM {table}")
        watched.query(f"INSERT INTO {table} SELECT * FROM kept_{table}")
        watched.query(f"DROP TABLE kept_{table}")
    assert at_events(watched).text_of("seal").startswith("Sealed up to ")


# ---- the system's log ------------------------------------------------------------------------

# A /dev of the server's own, whose log is a socket of the test's.
OWN_LOG = """set -e
folder=$1 log=$2; shift 2
mount -t tmpfs none "$folder"
for name in null zero full random urandom; do
  touch "$folder/$name"; mount --bind "/dev/$name" "$folder/$name"
done
ln -s "$log" "$folder/log"; ln -s /proc/self/fd "$folder/fd"
mkdir "$folder/shm"
mount --move "$folder" /dev
exec "$@"
"""


class SystemLog:
    """Takes datagrams as a syslog daemon does."""

    def __init__(self, path):
        self.path, self.lines = path, []
        self.open()

    def open(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))

    def close(self):
        self.socket.close()
        self.path.unlink()

    def take(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.lines.append(self.socket.recv(65536, socket.MSG_DONTWAIT).decode())
        return self.lines


def test_ad_syslog_gets_every_event(new_server, tmp_path):
    """Facility authpriv, level info (RFC 3164 4.1.1): 10 * 8 + 6. Nobody waits for a log that is
    away or takes nothing, and it gets what comes after that."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
        pytest.skip("a /dev of one's own takes root and a name space")
    log, place = SystemLog(tmp_path / "log"), tmp_path / "dev"
    place.mkdir()
    server = new_server(start=False, args=["--audit-log", "syslog"],
                        prefix=["unshare", "-m", "sh", "-c", OWN_LOG, "sh", str(place),
                                str(log.path)])
    server.start()
    wait_until(lambda: log.take() and covered(server), 20, "events of before are sealed")
    write_events(server, 2)
    wait_until(lambda: log.take() and covered(server), 20, "all is sealed")
    ids = [line["id"] for line in trail(server)]
    wait_until(lambda: len(log.take()) >= len(ids), 10, "every event in the system's log")
    head = f"<86>jeton[{server.pid}]: "
    assert len(log.lines) == len(ids)
    for line, event in zip(log.lines, trail(server)):
        assert line.startswith(head), line
        told = json.loads(line.removeprefix(head))
        assert told["id"] == event["id"] and told["event"] == event["event"], line
        assert told.items() <= event.items()
    log.close()
    seal(server, 1)
    log.open()
    wait_until(lambda: write_events(server, 1) or len(log.take()) > len(ids), 20, "it is back")
    room = int(pathlib.Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
    seal(server, min(room, 280) + 20)  # more than can wait to be read
    server.stop()
    lost = [line["events"] for line in server.log_lines() if line["event"] == "audit_syslog_lost"]
    assert sum(lost) > 0 and len(log.take()) + sum(lost) == len(trail(server))
    verify(server)

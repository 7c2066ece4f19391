"""A backup that no program of this version wrote: of an earlier schema, of a newer one, changed in
any of its bytes, or sealed with the right key and wrong inside. What is refused leaves nothing."""

import re

import pytest

import harness
from backup_form import CHUNK_BYTES, HEAD_BYTES, OVERHEAD_BYTES, Backup, key_of_master, record
from harness import CC
from test_backup import back_up, key_of, restore, run, start_restored
from test_move import cluster, connect, dump, fill, mover, seeded_folder  # noqa: F401

CHUNK = CHUNK_BYTES + OVERHEAD_BYTES
FIVE = harness.ROOT / "test/store/schema-5/tables.def"


@pytest.fixture(scope="module")
def seeded_backup(tmp_path_factory, seeded_folder):
    """Of a store that servers run on; (its bytes, the key of its stream)."""
    class Place:
        folder = tmp_path_factory.mktemp("backup")

    back_up(Place, Place.folder / "file", seeded_folder)
    return (Place.folder / "file").read_bytes(), \
        key_of_master((seeded_folder / "master.key").read_bytes())


@pytest.fixture
def opened(seeded_backup):
    return Backup(*seeded_backup)


def write(mover, backup):
    file = mover.folder / "made"
    file.write_bytes(backup if isinstance(backup, bytes) else backup.format())
    return file


def columns_of_five():
    """What schema 5 had: table -> columns."""
    found = re.findall(r"^(?:PAIR_)?TABLE\((\w+),([^;]*?)\)\n", FIVE.read_text(), re.M)
    tables = {}
    for name, rest in found:
        words = "".join(re.findall(r'"([^"]*)"', rest.partition("VALUES_")[2]))
        tables[name] = re.findall(r"[a-z_0-9]+", words)
    return tables


# ---- of another schema ---------------------------------------------------------------------------


def test_what_these_tests_write_is_what_is_written(mover, seeded_folder, opened):
    target = mover.new_folder()
    restore(mover, write(mover, opened), target, *key_of(seeded_folder))
    assert dump(target)["account"] == dump(seeded_folder)["account"]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_backup_of_an_older_schema_is_restored(mover, seeded_folder, opened, engine):
    five = columns_of_five()
    new = {table.name for table in opened.tables} - set(five)
    assert len(five) == 31 and {"checkpoint", "managed", "answered", "restored"} == new
    opened.schema = 5
    opened.tables = [table.keep([c for c in table.columns if c in five[table.name]])
                     for table in opened.tables if table.name in five]
    target = mover.new_folder() if engine == "sqlite" else mover.new_database()
    file = write(mover, opened)
    assert "schema 5" in run(mover, "backup", "--verify", file,
                             *key_of(seeded_folder)).stdout.decode()
    restore(mover, file, target, *key_of(seeded_folder))
    node = start_restored(mover, target, target if engine == "sqlite" else mover.new_folder(),
                          seeded_folder / "master.key")
    assert node.client_token(CC, "read")["access_token"]
    assert node.user_token(harness.C1, harness.ALICE, "read")
    node.stop()
    node.assert_clean()


def test_columns_that_it_does_not_have_are_empty(mover, seeded_folder, opened):
    """As a step of the schema leaves them in rows that are there (docs/DATA.md)."""
    added = ["previous_secret_hash", "previous_secret_until", "registration_digest"]
    opened.tables = [table.keep([c for c in table.columns if c not in added])
                     if table.name == "client" else table for table in opened.tables]
    target = mover.new_folder()
    restore(mover, write(mover, opened), target, *key_of(seeded_folder))
    with connect(target) as line:
        rows = line.execute(f"SELECT {', '.join(added)} FROM client").fetchall()
        assert len(rows) == 4 and set(rows) == {(b"", 0, b"")}


@pytest.mark.parametrize("number", [7, 2 ** 31, 2 ** 63 - 1])
def test_a_backup_of_a_newer_schema_is_refused(mover, seeded_folder, opened, number):
    opened.schema, opened.version = number, b"9.9"
    file, target = write(mover, opened), mover.new_folder()
    for words in (("restore", file, "--data", target), ("backup", "--verify", file)):
        told = run(mover, *words, *key_of(seeded_folder), status=1).words
        assert f"has schema {number} (jeton 9.9) and this program knows 6: use a newer one" in told
    assert not target.exists()


def test_a_clock_that_is_behind_the_backup_is_refused(mover, seeded_folder, opened):
    """Proofs that were used before are known by their time (decision 0015)."""
    opened.taken_at += 3600
    file, target = write(mover, opened), mover.new_folder()
    words = restore(mover, file, target, *key_of(seeded_folder), status=1).words
    assert "is later than this machine's clock says" in words and not target.exists()


# ---- changed in any byte -------------------------------------------------------------------------


def test_a_change_in_any_region_is_refused(mover, seeded_folder):
    """Each part of the head; of chunks their mark, their first and last byte, and their seal;
    chunks that were left out, doubled or put in another place; cut at borders and beside them."""
    file, bad = mover.folder / "file", mover.folder / "bad"
    back_up(mover, file, fill(mover.new_folder(of=seeded_folder), row_count=60, token_count=3000))
    whole = file.read_bytes()
    chunks = [whole[at:at + CHUNK] for at in range(HEAD_BYTES, len(whole), CHUNK)]
    assert len(chunks) >= 4 and len(chunks[-1]) < CHUNK
    # Magic, version, kind of key, what is not used, costs, salt, header of the stream.
    spots = [0, 7, 8, 9, 10, 11, 12, 15, 16, 19, 20, 35, 36, 51, 52, 59]
    for index in (0, 1, len(chunks) - 1):
        begin, end = HEAD_BYTES + index * CHUNK, HEAD_BYTES + index * CHUNK + len(chunks[index])
        spots += [begin, begin + 1, end - 17, end - 16, end - 1]
    cases = [whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1:] for at in spots]
    borders = [0, 59, HEAD_BYTES, HEAD_BYTES + 1, HEAD_BYTES + 17]
    borders += [HEAD_BYTES + i * CHUNK + d for i in (1, len(chunks) - 1) for d in (-1, 0, 1)]
    cases += [whole[:at] for at in (*borders, len(whole) - 1)]
    head = whole[:HEAD_BYTES]
    cases += [head + b"".join(order) for order in (
        chunks[1:], chunks[:1] + chunks[2:], chunks[:2] + chunks[1:], chunks[:-1],
        [chunks[1], chunks[0], *chunks[2:]], [*chunks[:-2], chunks[-1], chunks[-2]])]
    cases += [whole + b"x", whole + chunks[-1], whole + whole]
    for case in cases:
        bad.write_bytes(case)
        run(mover, "backup", "--verify", bad, *key_of(seeded_folder), status=1)
    run(mover, "backup", "--verify", file, *key_of(seeded_folder))


# ---- sealed as it should be, and wrong inside ----------------------------------------------------


def rename_table(backup):
    backup.table("name").name = "names"


def rename_column(backup):
    backup.table("account").columns[3] = "whole_name"


def double_column(backup):
    backup.table("account").columns[4] = "full_name"


def change_type(backup):
    backup.table("account").types = "KTTTTTIITI"


def leave_out_key(backup):
    tables = backup.tables
    at = tables.index(backup.table("account"))
    tables[at] = tables[at].keep(tables[at].columns[1:])


def double_table(backup):
    backup.tables.insert(1, backup.table("account"))


def change_letter(backup):
    backup.table("account").rows[1][2] = (b"B", backup.table("account").rows[1][2][1])


def add_value(backup):
    backup.table("account").rows[1].append((b"I", 0))


def take_value(backup):
    backup.table("account").rows[1].pop()


def long_value(backup):
    table = backup.table("account")
    table.rows[1][1] = (b"T", b"x" * (2 ** 20))
    plain = table.format
    table.format = lambda: plain().replace(b"T" + (2 ** 20).to_bytes(8, "big"),
                                           b"T" + (2 ** 63).to_bytes(8, "big"))


def change_sum(backup):
    table = backup.table("account")
    made = table.format()
    table.format = lambda: made[:-1] + bytes([made[-1] ^ 1])


def change_count(backup):
    table = backup.table("account")
    made = table.format()
    table.format = lambda: made[:-41] + bytes([made[-41] ^ 1]) + made[-40:]


def leave_out_sum(backup):
    table = backup.table("account")
    made = table.format()
    table.format = lambda: made[:-(5 + 8 + 8 + 32)]


def leave_out_rows(backup):
    del backup.table("account").rows[1:]
    backup.tables[-1].rows.append(backup.tables[-1].rows[0])  # as many as before


def foreign_record(backup):
    table = backup.tables[2]
    made = table.format()
    table.format = lambda: record(b"X", b"abc") + made


def endless_record(backup):
    made = backup.tables[2].format()
    backup.tables[2].format = lambda: b"P\xff\xff\xff\xff" + made


CHANGES = [rename_table, rename_column, double_column, change_type, leave_out_key, double_table,
           change_letter, add_value, take_value, long_value, change_sum, change_count,
           leave_out_sum, leave_out_rows, foreign_record, endless_record]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_is_wrong_inside_leaves_nothing(mover, seeded_folder, opened, seeded_backup, change):
    change(opened)
    file, target = write(mover, opened), mover.new_folder()
    restore(mover, file, target, *key_of(seeded_folder), status=1)
    assert not target.exists() or \
        not any(rows for table, rows in dump(target).items() if table != "sequence")
    restore(mover, write(mover, seeded_backup[0]), target, *key_of(seeded_folder))
    assert dump(target)["account"] == dump(seeded_folder)["account"]

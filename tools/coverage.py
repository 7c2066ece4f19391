#!/usr/bin/env python3
"""Says how much of src/ the tests went through, room by room.

    coverage.py BUILD [--floors] [--missing PATH…]

BUILD was compiled with -Db_coverage=true, and tests have run. Lines and branches are counted as
gcov counts them: each condition, also within && and ||, has two branches, a switch one for each of
its ways. "raw" is the share of all of them. "branches" leaves out those that were never taken, and
that a rule of LEFT_OUT names. Nothing else is left out.

--floors   exit status 1 where a room is below what tools/coverage.txt asks of it
--missing  the lines of these files or rooms that have a branch that was not taken, or did not run
"""

import argparse
import collections
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ROOT / "tools/coverage.txt"

# Calls that say no only when there is no memory, or when the library or the system is broken: what
# they are given is not from outside, or was judged before. test/fault (memory_test.py,
# storage_test.py) makes them say no and looks at the answers; it is not measured here.
SURE_CALLS = (
    "malloc", "calloc", "realloc", "strdup", "reserve_alloc", "reserve_zalloc", "reserve_realloc",
    r"EVP_MAC_\w+", r"EVP_Cipher(?:Init|Update)\w*", r"EVP_Encrypt\w+", r"EVP_DigestInit\w*",
    "EVP_DigestUpdate", r"EVP_PKEY_CTX_\w+", "EVP_PKEY_fromdata_init", "EVP_PKEY_get_bn_param",
    "EVP_PKEY_sign", "BN_bn2binpad", r"SSL_CTX_set_\w+", "SSL_CTX_set1_groups_list", "SSL_set_fd",
    "X509_NAME_print_ex", r"X509_STORE_CTX_(?:init|set_default)", "PKCS5_PBKDF2_HMAC",
    r"fido_(?:assert|cred)_set_\w+", r"\w+_pk_from_ptr", "crypto_pwhash",
    r"crypto_secretstream_\w+_init_pull", r"pthread_\w+_init", "pthread_create",
    "pthread_setspecific", "epoll_create1", "eventfd", "socketpair", "getrandom", "fsync", "fstat",
    "fchown", "ftruncate", "dprintf", "sqlite3_exec", r"PQsend\w+", "PQpipelineSync",
    "PQsetnonblocking", "PQenterPipelineMode", "curl_slist_append", r"posix_spawn\w+",
    # Our own, which answer for such calls alone.
    "make_ready", "make_tag", "run_cipher", "read_number", "read_public", "set_up_tickets",
    "note_command", "send_bulk", "send_all",
)
SURE = r"\b(?:%s)\(" % "|".join(SURE_CALLS)

# What they give, or whether they did, when a statement behind them asks for it.
DID = re.compile(r"\b(is_\w+) = [^;]*" + SURE)
GIVEN = re.compile(r"([\w.>\[\]-]+) = (?:\([^()]*\))?"
                   r"(?:malloc|calloc|realloc|strdup|reserve_\w*alloc|[A-Za-z]\w*_new\w*|fdopen)\(")
GIVEN_STATEMENTS = 6

FAULTS = "RC_(?:UNAVAILABLE|CORRUPT|SYSTEM|CRYPTO)"  # src/base/rc.def: the world broke

# Of a statement that matches, as many branches as there are matches are left out, if they were
# never taken. gcov does not say which of its branches is which: that they are these is assumed.
LEFT_OUT = tuple((re.compile(pattern), why) for pattern, why in (
    (SURE, "a library or the system has no memory left"),
    # The statement decides nothing: what was decided is counted where it was.
    (r"\brc == RC_OK\b", "a step is left out, for one before it has failed"),
    (r"^if \(rc != RC_OK\) .*return (?:\w+\(.*\brc\b.*\)|rc);$", "a fault is passed on"),
    (r"\bjson_is_(?:integer|real|boolean|true)\(", "a macro of jansson looks for NULL again"),
    # The compiler sees to it that all values of an enumeration are named (-Wswitch-enum).
    (r"^switch \(.*\) \{$", "the way past every case"),
))

# All that were never taken: a condition that leads to a fault alone, which has to be injected.
LEADS_TO_FAULT = re.compile(r"^if \(.*\) .*return %s;$" % FAULTS)
# All of them: it ends the program; or it is an option that libcurl has no memory for, whose header
# asks for the type of the value besides.
ASSERTION = re.compile(r"\bASSERT\(|^SET\(CURLOPT_")
STATEMENT_END = re.compile(r"[;{}:]$|^#|^/\*.*\*/$|^$")
BODY_COUNT_MAX = 6
COMMENT = re.compile(r"/\*.*?\*/")


def read_one(build, data):
    """What gcov makes of one object: (file, line, count, branches)."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["gcov", "--json-format", "--branch-counts", "--branch-probabilities",
                        str(data)], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        for name in os.listdir(folder):
            with gzip.open(Path(folder) / name) as file:
                told = json.load(file)
            for source in told["files"]:
                path = os.path.normpath(build / source["file"])
                if not path.startswith(str(ROOT / "src") + os.sep):
                    continue
                for line in source["lines"]:
                    yield (os.path.relpath(path, ROOT / "src"), line["line_number"], line["count"],
                           [branch["count"] for branch in line["branches"]
                            if not branch["throw"]])


def read_all(build):
    """file → {line → [count, counts of its branches]}, over all objects that have it."""
    files = collections.defaultdict(dict)
    # What was compiled and never run has a .gcno alone; gcov says zero of each of its lines.
    datas = sorted(data for data in build.rglob("*.gcno")
                   if "src" in data.relative_to(build).parts or data.with_suffix(".gcda").exists())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows in pool.map(lambda data: list(read_one(build, data)), datas):
            for path, number, count, branches in rows:
                seen = files[path].setdefault(number, [0, branches])
                seen[0] += count
                if len(seen[1]) == len(branches):
                    seen[1] = [one + other for one, other in zip(seen[1], branches)]
    return files


def read_lines(path):
    """The statements of a file: (numbers of its lines, its text in one line)."""
    numbers, words = [], []
    for number, line in enumerate((ROOT / "src" / path).read_text("utf-8").split("\n"), 1):
        text = COMMENT.sub("", line).strip()
        numbers.append(number)
        words.append(text)
        if STATEMENT_END.search(text):
            yield numbers, " ".join(word for word in words if word)
            numbers, words = [], []
    yield numbers, " ".join(words)


def read_statements(path):
    """The same; the text of an `if` ends with all that it leads to."""
    statements = list(read_lines(path))
    for index, (numbers, text) in enumerate(statements):
        if text.startswith("if (") and text.endswith("{"):
            for _, more in statements[index + 1:index + 1 + BODY_COUNT_MAX]:
                if more.startswith("}"):
                    break
                text += " " + more
        yield numbers, text


def asked_count(text, before):
    """How often a statement asks whether one before it was given memory, or did its work."""
    names = {name for statement in before for name in GIVEN.findall(statement)}
    flags = {name for statement in before for name in DID.findall(statement)}
    return (sum(len(re.findall(r"(?<![\w.>])%s [!=]= NULL" % re.escape(name), text))
                for name in names)
            + sum(len(re.findall(r"\b%s\b(?! =)" % name, text)) for name in flags))


def left_out_count(text, before, never_count):
    """How many of the branches of a statement that were never taken do not count."""
    if ASSERTION.search(text) or LEADS_TO_FAULT.search(text):
        return never_count
    out = sum(len(rule.findall(text)) for rule, _ in LEFT_OUT)
    return min(never_count, out + asked_count(text, before))


def count_file(path, lines):
    """(lines, run, branches, taken, branches of the raw count, numbers of lines that lack)"""
    sums = [len(lines), sum(count > 0 for count, _ in lines.values()), 0, 0, 0]
    missing = {number for number, (count, _) in lines.items() if count == 0}
    before = collections.deque(maxlen=GIVEN_STATEMENTS)
    for numbers, text in read_statements(path):
        branches = [(number, count) for number in numbers if number in lines
                    for count in lines[number][1]]
        never = [number for number, count in branches if count == 0]
        out = left_out_count(text, before, len(never))
        before.append(text)
        sums[2] += len(branches) - out
        sums[3] += len(branches) - len(never)
        sums[4] += len(branches)
        if len(never) > out:
            missing.update(never)
    return sums, missing


def read_floors():
    """room → (floor of lines, of branches, goal of lines, of branches), in percent"""
    rows = (line.split() for line in FLOORS.read_text(encoding="utf-8").split("\n")
            if line and not line.startswith("#"))
    return {row[0]: tuple(float(number) for number in row[1:]) for row in rows}


def print_rooms(rooms):
    """The table; answers whether a room is below its floor."""
    floors = read_floors()
    is_below = False
    head = ("lines", 7), ("%", 7), ("goal", 6), ("branches", 10), ("%", 7), ("goal", 6), ("raw", 7)
    print(f"{'room':10}" + "".join(f"{name:>{width}}" for name, width in head))
    for room in sorted(rooms, key=lambda room: (room == "all", room)):
        lines, run, branches, taken, raw = rooms[room]
        shares = 100 * run / max(lines, 1), 100 * taken / max(branches, 1)
        floor = floors.get(room, (0, 0, 0, 0))
        below = [f"below {least:g} %" for share, least in zip(shares, floor) if share < least]
        is_below = is_below or bool(below)
        print(f"{room:10}{lines:7}{shares[0]:7.1f}{floor[2]:6g}{branches:10}{shares[1]:7.1f}"
              f"{floor[3]:6g}{100 * taken / max(raw, 1):7.1f} {' '.join(below)}".rstrip())
    return is_below


def print_missing(path, lines, missing):
    texts = (ROOT / "src" / path).read_text("utf-8").split("\n")
    for number in sorted(missing):
        count, branches = lines[number]
        marks = "".join("+" if taken else "-" for taken in branches)
        print(f"{path}:{number}: {marks if count > 0 else 'never'}  {texts[number - 1].strip()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("--floors", action="store_true")
    parser.add_argument("--missing", nargs="+", default=())
    told = parser.parse_args()
    rooms = collections.defaultdict(lambda: [0] * 5)
    for path, lines in sorted(read_all(told.build.resolve()).items()):
        sums, missing = count_file(path, lines)
        if path.startswith(tuple(told.missing) or ("\0",)):
            print_missing(path, lines, missing)
        for room in (path.split(os.sep)[0], "all"):
            rooms[room] = [one + other for one, other in zip(rooms[room], sums)]
    is_below = print_rooms(rooms)
    return 1 if is_below and told.floors else 0


if __name__ == "__main__":
    sys.exit(main())

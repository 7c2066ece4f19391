#!/usr/bin/env python3
"""Says how much of src/ the tests went through, room by room.

    coverage.py BUILD [--floors]

BUILD was compiled with -Db_coverage=true, and tests have run. Lines and branches are counted as
gcov counts them; those of an ASSERT, which end the program, are left out. --floors: exit status 1
where a room is below what tools/coverage.txt asks of it.
"""

import collections
import gzip
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ROOT / "tools/coverage.txt"


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
    """(file, line) → [count, counts of its branches], over all objects that have it."""
    lines = {}
    datas = sorted(build.rglob("*.gcda"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows in pool.map(lambda data: list(read_one(build, data)), datas):
            for path, number, count, branches in rows:
                seen = lines.setdefault((path, number), [0, branches])
                seen[0] += count
                if len(seen[1]) == len(branches):
                    seen[1] = [one + other for one, other in zip(seen[1], branches)]
    return lines


def is_assertion(texts, path, number):
    if path not in texts:
        texts[path] = (ROOT / "src" / path).read_text(encoding="utf-8").split("\n")
    return "ASSERT(" in texts[path][number - 1]


def count_rooms(lines):
    """room → [lines, lines run, branches, branches taken]; "all" for all of them."""
    rooms = collections.defaultdict(lambda: [0, 0, 0, 0])
    texts = {}
    for (path, number), (count, branches) in lines.items():
        if is_assertion(texts, path, number):
            branches = []
        for room in (path.split(os.sep)[0], "all"):
            sums = rooms[room]
            sums[0] += 1
            sums[1] += count > 0
            sums[2] += len(branches)
            sums[3] += sum(one > 0 for one in branches)
    return rooms


def read_floors():
    """room → (percent of lines, percent of branches)"""
    rows = (line.split() for line in FLOORS.read_text(encoding="utf-8").split("\n")
            if line and not line.startswith("#"))
    return {room: (float(line), float(branch)) for room, line, branch in rows}


def main():
    rooms = count_rooms(read_all(Path(sys.argv[1]).resolve()))
    floors = read_floors()
    is_below = False
    print(f"{'room':10}{'lines':>8}{'%':>7}{'branches':>10}{'%':>7}")
    for room in sorted(rooms, key=lambda room: (room == "all", room)):
        count, run, branches, taken = rooms[room]
        shares = 100 * run / max(count, 1), 100 * taken / max(branches, 1)
        floor = floors.get(room, (0, 0))
        below = [f"below {least:g} %" for share, least in zip(shares, floor) if share < least]
        is_below = is_below or bool(below)
        print(f"{room:10}{count:8}{shares[0]:7.1f}{branches:10}{shares[1]:7.1f} {' '.join(below)}")
    return 1 if is_below and "--floors" in sys.argv[2:] else 0


if __name__ == "__main__":
    sys.exit(main())

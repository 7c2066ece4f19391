#!/usr/bin/env python3
"""Adds up what the parts of `./do test` left in a folder, and says which tests failed, and with
which words.

*.count     one line `N passed, N failed`, from a part that counts for itself
*.json      Meson's testlog.json; the cmocka tests inside each program are counted
*.xml       JUnit, from pytest and from the fuzz targets; with the words of a failure

The last line printed is `N passed, N failed` alone, with `, N skipped` when there are any. The exit
status is 0 only when something passed and nothing failed.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


class Sum:
    def __init__(self):
        self.passed, self.failed, self.skipped, self.names = 0, 0, 0, []

    def fail(self, name, count=1, why=""):
        """`why` is shown below the name, as far as it goes."""
        self.failed += count
        self.names.append("\n    ".join([name, *why[:3000].splitlines()]))


def count_line(path, total):
    match = re.fullmatch(r"(\d+) passed, (\d+) failed", path.read_text().strip())
    if not match:
        total.fail(f"{path.stem}: came to no result")
        return
    total.passed += int(match.group(1))
    if int(match.group(2)):
        total.fail(path.stem, int(match.group(2)))


def count_meson(path, total):
    for line in path.read_text().splitlines():
        test = json.loads(line)
        output = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
        started = re.findall(r"^\[ RUN      \] (\S+)", output, re.M)
        good = set(re.findall(r"^\[       OK \] (\S+)", output, re.M))
        skipped = set(re.findall(r"^\[  SKIPPED \] (\S+)", output, re.M))
        bad = [name for name in started if name not in good | skipped]
        total.passed += sum(1 for name in started if name in good)
        total.skipped += sum(1 for name in started if name in skipped)
        errors = re.findall(r"^\[  ERROR   \].*$", output, re.M) or output.splitlines()[-12:]
        for name in bad:
            total.fail(f"{path.stem}: {test['name']}: {name}", why="\n".join(errors))
        # A program that died, leaked or ran out of time outside of its tests has failed too.
        if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and not bad:
            total.fail(f"{path.stem}: {test['name']}: {test['result']}", why="\n".join(errors))
        elif not started:
            if test["result"] == "SKIP":
                total.skipped += 1
            elif not bad:
                total.passed += 1


def count_junit(path, total):
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{path.stem}: {case.get('classname', '')}::{case.get('name', '')}"
        broken = [part for part in case if part.tag in ("failure", "error")]
        if broken:
            total.fail(name, why=broken[0].get("message", ""))
        elif case.find("skipped") is not None:
            total.skipped += 1
        else:
            total.passed += 1


def main():
    folder, total = Path(sys.argv[1]), Sum()
    readers = {".count": count_line, ".json": count_meson, ".xml": count_junit}
    for path in sorted(folder.iterdir()):
        reader = readers.get(path.suffix)
        if reader:
            try:
                reader(path, total)
            except (ValueError, KeyError, ElementTree.ParseError) as broken:
                total.fail(f"{path.name}: cannot be read: {broken}")
    for name in total.names:
        print(f"failed: {name}")
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())

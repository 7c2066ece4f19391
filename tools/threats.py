#!/usr/bin/env python3
"""Makes docs/THREATS.md: every promise, the code that keeps it, the tests that show it.

    threats.py            writes docs/THREATS.md
    threats.py --check    says what is not true of it any more; exit status 1

docs/promises.txt is the list, docs/THREATS.head.md what stands before it. A promise without a test,
without code, or with a file that is not there is refused.
"""

import os
import re
import sys
from pathlib import Path

ROOT = Path(os.environ.get("JETON_SOURCE_ROOT", Path(__file__).resolve().parent.parent))
LIST = ROOT / "docs/promises.txt"
HEAD = ROOT / "docs/THREATS.head.md"
RESULT = ROOT / "docs/THREATS.md"

LINE = re.compile(r"(?P<id>[A-Z]{2}-\d\d)(?P<top> S)? \| (?P<promise>.+) \| (?P<source>.+) \| "
                  r"(?P<code>\S+(?: \S+)*)")
# def test_az_01_az_02_words in Python, void az_01_words or test_az_01_words in C.
TEST = re.compile(r"^(?:async )?(?:def test_|static void (?:test_)?)((?:[a-z]{2}_\d\d_)+\w*)", re.M)
SHOWN_TESTS_MAX = 4


class Promise:
    def __init__(self, found, area):
        self.id, self.area = found["id"], area
        self.is_top = bool(found["top"])
        self.promise, self.source = found["promise"], found["source"]
        self.code = found["code"].split()


def read_promises(text):
    """The promises and what is wrong with the list."""
    promises, wrongs, area = [], [], None
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            area = line[1:-1]
            continue
        found = LINE.fullmatch(line)
        if found is None or area is None:
            wrongs.append(f"docs/promises.txt:{number}: not a promise: {line[:60]}")
            continue
        promises.append(Promise(found, area))
    ids = [promise.id for promise in promises]
    wrongs += [f"docs/promises.txt: {one} is there twice" for one in {*ids} if ids.count(one) > 1]
    return promises, wrongs


def find_tests(root):
    """id → [(path, name)]: a test may stand for several promises."""
    tests = {}
    for path in sorted((root / "test").rglob("*")):
        if path.suffix not in (".py", ".c", ".h") or "node_modules" in path.parts:
            continue
        for found in TEST.finditer(path.read_text(encoding="utf-8", errors="replace")):
            name = found.group(1)
            rest = name
            while match := re.match(r"([a-z]{2})_(\d\d)_", rest):
                one = f"{match.group(1).upper()}-{match.group(2)}"
                tests.setdefault(one, []).append((path.relative_to(root).as_posix(), name))
                rest = rest[match.end():]
    return tests


def show_tests(tests):
    """Names, with the file before those of one file; the rest as a number."""
    shown, last = [], None
    for path, name in tests[:SHOWN_TESTS_MAX]:
        if path != last:
            shown.append(f"[{path.removeprefix('test/')}](../{path}):")
            last = path
        shown.append(f"`{name}`")
    if len(tests) > SHOWN_TESTS_MAX:
        shown.append(f"and {len(tests) - SHOWN_TESTS_MAX} more")
    return " ".join(shown)


def write_table(promises, tests):
    lines, area = [], None
    for promise in promises:
        if promise.area != area:
            area = promise.area
            lines += ["", f"### {area}", "", "| id | promise | source | code | tests |",
                      "|---|---|---|---|---|"]
        code = " ".join(f"[{path}](../src/{path})" for path in promise.code)
        lines.append(f"| {promise.id}{' **S**' if promise.is_top else ''} | {promise.promise} | "
                     f"{promise.source} | {code} | {show_tests(tests[promise.id])} |")
    return "\n".join(lines) + "\n"


def judge(root, promises, tests):
    for promise in promises:
        if promise.id not in tests:
            yield f"{promise.id} has no test: {promise.promise}"
        for path in promise.code:
            if not (root / "src" / path).is_file():
                yield f"{promise.id}: there is no src/{path}"
    known = {promise.id for promise in promises}
    for one in sorted(set(tests) - known):
        if one[:2] in {name[:2] for name in known}:
            yield f"{one} is in the name of a test and is no promise: {tests[one][0]}"


def main():
    promises, wrongs = read_promises(LIST.read_text(encoding="utf-8"))
    tests = find_tests(ROOT)
    wrongs += judge(ROOT, promises, tests)
    if wrongs:
        print("\n".join(wrongs))
        return 1
    text = HEAD.read_text(encoding="utf-8") + write_table(promises, tests)
    if "--check" in sys.argv[1:]:
        if not RESULT.exists() or RESULT.read_text(encoding="utf-8") != text:
            print("docs/THREATS.md is not what tools/threats.py makes: run it")
            return 1
        return 0
    RESULT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

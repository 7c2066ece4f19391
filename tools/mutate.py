#!/usr/bin/env python3
"""Seeds faults into access decisions, one at a time, and counts how many the tests find.

    mutate.py [--count N] [--seed S] [--only WORD] [--work FOLDER] [--least PERCENT]
              [--minutes M] [--after FILE] [--trust]
    mutate.py --list [--only WORD]
    mutate.py --mutant ID…

tools/mutate.txt names the files. A mutant is one change in one of their functions: a condition of
an `if` is negated, an operand of && or || is dropped, == and != (< and <=, > and >=) change places,
a function that checks answers success at once, a statement that refuses or a call that checks is
left out. Conditions about a fault that is passed on (`rc != RC_OK`), bounds of loops and assertions
are left alone: any test finds those, and they would flatter the count.

Each mutant is built in a copy of the tree, without sanitizers. Then unit programs of its room run
(those whose name is most like the file's first), those of the rooms above that include it, and the
black-box files that the table names. The first that fails, twice, has caught it; so has one that
does not end. A mutant that does not compile does not count. The order of mutants depends on the
seed and on the text of each alone, so that a change elsewhere does not draw others.

--only WORD     mutants of files with WORD in their path alone
--least PERCENT exit status 1 where fewer were caught (95)
--work FOLDER   where the copies are and stay, build/mutate unless told
--minutes M     begin none after so many minutes
--after FILE    what a run before printed: what was caught then counts, and is not tried again
--trust         programs that were good without a mutant in this work folder before still are
--mutant ID     these mutants alone, whatever the table says
"""

import argparse
import collections
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tools/mutate.txt"
WORKER_COUNT = 2
ROOMS = ("jose", "token", "account", "oauth", "dialect", "web")  # whose unit programs run
CLOSE_COUNT = 4          # programs that are built and run before the others of the room
PROGRAM_S_MAX = 20       # a program that takes longer without a mutant is left out
SLOW_S = 5               # one that takes longer runs for files that it has a word in common with
BLACKBOX_S_MAX = 300
SKIPPED = 77             # of a program whose store is not this one
NOT_COPIED = {".git", "build", "var", "node_modules", "__pycache__", ".pytest_cache"}

# ---- what C is made of -----------------------------------------------------------------------

TOKEN = re.compile(r"""
    (?P<skip> /\*.*?\*/ | //[^\n]* | \s+ )
  | (?P<line> ^[ \t]*\#(?:[^\n\\]|\\.)* )
  | (?P<text> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
  | (?P<name> [A-Za-z_]\w* )
  | (?P<number> \.?\d(?:[\w.]|[eEpP][+-])* )
  | (?P<sign> <<=|>>=|\.\.\.|&&|\|\||[=!<>+\-*/%&|^]=|->|\+\+|--|<<|>>|. )
    """, re.X | re.S | re.M)
PAIRS = {"(": ")", "[": "]", "{": "}"}
ASSIGNS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
# Where an operand of && or || ends at the latest.
ENDS = ASSIGNS | {";", ",", "?", ":", "{", "}", "return"}


class Source:
    """The tokens of a file: texts, where each begins and ends, and which bracket closes which."""

    def __init__(self, path):
        self.path = path
        self.text = (ROOT / path).read_text(encoding="utf-8")
        self.words, self.begins, self.ends, self.partner = [], [], [], {}
        opened = []
        for found in TOKEN.finditer(self.text):
            if found.lastgroup in ("skip", "line"):
                continue
            word = found[0]
            if word in PAIRS:
                opened.append(len(self.words))
            elif word in PAIRS.values():
                first = opened.pop()
                self.partner[first], self.partner[len(self.words)] = len(self.words), first
            self.words.append(word)
            self.begins.append(found.start())
            self.ends.append(found.end())

    def slice(self, first, last):
        """The text from one token to another, both included, in one line."""
        return " ".join(self.text[self.begins[first]:self.ends[last]].split())

    def functions(self):
        """(name, words before it, first token of its body, last)"""
        at, begin = 0, 0
        while at < len(self.words):
            word = self.words[at]
            if word == "{" and at > 0 and self.words[at - 1] == ")":
                named = self.partner[at - 1] - 1
                yield self.words[named], self.words[begin:named], at, self.partner[at]
            if word in ("{", "(", "["):
                at = self.partner[at]
            if self.words[at] in (";", "}"):
                begin = at + 1
            at += 1


# ---- what is changed -------------------------------------------------------------------------

# Words of names whose functions decide, and those where "yes" refuses.
CHECKS = {"admit", "admits", "admitted", "allow", "allowed", "allows", "are", "authenticate",
          "can", "check", "checks", "consume", "contain", "contains", "equal", "has", "is", "judge",
          "lives", "match", "matches", "may", "needs", "permit", "permits", "permitted", "proof",
          "prove", "reaches", "require", "reuse", "takes", "verify"}
REFUSES = {"blocked", "disabled", "ended", "expired", "full", "idle", "inactive", "late", "locked",
           "lost", "missing", "needs", "over", "past", "refused", "revoked", "spent", "stale",
           "paused", "hinted"}
REFUSAL = re.compile(r"RC_(?:NOT_FOUND|EXISTS|SPENT|REFUSED|INVALID|TOO_LARGE|NEEDS_HASH)\b"
                     r"|\b\w*(?:refuse|deny|inactive)\w*\(")
FAULT = re.compile(r"RC_(?:BUSY|UNAVAILABLE|CORRUPT|SYSTEM|CRYPTO)\b")
PASSED_ON = re.compile(r"!?\(?rc [!=]= RC_OK\)?")
SWAPS = {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">"}

Mutant = collections.namedtuple("Mutant", "id path line function change old new")


def name_has(name, words):
    return not words.isdisjoint(name.split("_"))


class Finder:
    """Every mutant of one file."""

    def __init__(self, source):
        self.source, self.words, self.found = source, source.words, []
        for self.name, before, self.first, self.last in source.functions():
            self.is_bool, self.is_rc = before[-1:] == ["bool"], before[-2:] == ["enum", "rc"]
            self.yes = "RC_OK" if self.is_rc else str(not name_has(self.name, REFUSES)).lower()
            self.find_success()
            at = self.first + 1
            while at < self.last:
                # Bounds of loops, and what ends the program, decide nothing.
                if self.words[at] in ("for", "ASSERT", "_Static_assert"):
                    at = source.partner[at + 1]
                self.find_at(at)
                at += 1

    def add(self, what, begin, end, new):
        """`begin` and `end` are tokens; the change ends before `end`'s text does."""
        source = self.source
        spot = source.begins[begin], source.ends[end]
        self.add_text(what, *spot, new)

    def add_text(self, what, begin, end, new):
        same = sum(other.function == self.name and other.change == what for other in self.found)
        key = f"{self.source.path} {self.name} {what} {same}"
        text = self.source.text
        self.found.append(Mutant(hashlib.sha256(key.encode()).hexdigest()[:8], self.source.path,
                                 text.count("\n", 0, begin) + 1, self.name, what, text,
                                 text[:begin] + new + text[end:]))

    def find_success(self):
        if (self.is_bool or self.is_rc) and name_has(self.name, CHECKS):
            end = self.source.ends[self.first]
            self.add_text(f"answers {self.yes} at once", end, end, f" return {self.yes};")

    def find_at(self, at):
        word = self.words[at]
        if word == "if":
            self.find_negation(at)
        elif word in ("&&", "||"):
            self.find_operands(at)
        elif word in SWAPS:
            self.find_swap(at)
        elif word == "return":
            self.find_refusal(at)
        elif word == "goto" and REFUSAL.search(self.words[at + 1] + "("):
            self.add(f"left out: {self.source.slice(at, at + 2)}", at, at + 2, ";")
        elif word == "rc" and self.words[at + 1] == "=":
            self.find_check(at + 2, self.statement_end(at), "rc = ")

    def statement_end(self, at):
        while self.words[at] != ";":
            at = self.source.partner[at] if self.words[at] in PAIRS else at
            at += 1
        return at

    def find_negation(self, at):
        last = self.source.partner[at + 1]
        condition = self.source.slice(at + 2, last - 1)
        body = self.source.slice(last + 1, self.statement_end_or_block(last + 1))
        if not PASSED_ON.fullmatch(condition) and not FAULT.search(body):
            self.add(f"negated: {condition}", at + 1, last, f"(!({condition}))")

    def statement_end_or_block(self, at):
        return self.source.partner[at] if self.words[at] == "{" else self.statement_end(at)

    def walk(self, at, step, ends):
        """The furthest token of an operand that begins beside `at`."""
        closing = set(PAIRS.values()) if step > 0 else set(PAIRS)
        at += step
        while self.words[at] not in ends and self.words[at] not in closing:
            at = self.source.partner.get(at, at) + step
        return at - step

    def find_operands(self, at):
        word = self.words[at]
        ends = ENDS | ({"&&", "||"} if word == "&&" else {"||"})
        left, right = self.walk(at, -1, ends), self.walk(at, 1, ends)
        what = f"dropped: {self.source.slice(at, right)}"
        self.add(what, at, right, "")
        if self.words[left - 1] != word:
            self.add(f"dropped: {self.source.slice(left, at)}", left, at, "")

    def find_swap(self, at):
        left, right = self.words[at - 1], self.words[at + 1]
        if left == "rc" or self.words[at - 2] == "#" or right in (">", "*"):
            return
        first, last = self.around(at, -1), self.around(at, 1)
        self.add(f"{self.source.slice(first, last)}: {SWAPS[self.words[at]]}", at, at,
                 SWAPS[self.words[at]])

    def around(self, at, step):
        """What a message shows of one side of a comparison."""
        return self.walk(at, step, ENDS | {"&&", "||"})

    def find_refusal(self, at):
        end = self.statement_end(at)
        answer = self.source.slice(at, end)
        is_no = self.is_bool and answer == ("return false;" if self.yes == "true"
                                            else "return true;")
        # The last statement of a function is no guard.
        if (end + 1 < self.last and not FAULT.search(answer) and " ? " not in answer
                and (is_no or REFUSAL.search(answer))):
            self.add(f"left out: {answer}", at, end, ";")
        elif self.is_rc:
            self.find_check(at + 1, end, "return ")

    def find_check(self, at, end, before):
        """`rc = check(…);` and `return check(…);`, which become RC_OK."""
        words = self.words
        if words[at + 1] == "(" and self.source.partner[at + 1] == end - 1 and \
                name_has(words[at], CHECKS) and self.is_rc:
            self.add(f"left out: {before}{self.source.slice(at, end - 1)}", at, end - 1, "RC_OK")


# ---- the table -------------------------------------------------------------------------------

def read_table():
    """({path: (names of functions or none, black-box files)}, {id: reason})"""
    files, equivalents, section = {}, {}, None
    for line in TABLE.read_text(encoding="utf-8").split("\n"):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line
        elif section == "[files]":
            path, names, tests = (part.strip().split() for part in line.split("|"))
            files[path[0]] = set(names), tests
        else:
            mutant, _, reason = line.partition(" ")
            equivalents[mutant] = reason
    return files, equivalents


def read_verdicts(path):
    """{id: verdict} of an earlier run, but for those that survived."""
    lines = re.findall(r"^(caught|does not compile): (\w+) ", path.read_text("utf-8"), re.M)
    return {mutant: verdict for verdict, mutant in lines}


def find_mutants(files, only):
    mutants = []
    for path, (names, _) in files.items():
        if only in path:
            takes_all = all(name.startswith("-") for name in names)
            mutants += [mutant for mutant in Finder(Source(path)).found
                        if mutant.function in names
                        or (takes_all and "-" + mutant.function not in names)]
    return mutants


def rooms_above(room):
    rows = (line.split(":") for line in (ROOT / "src/LAYERS").read_text("ascii").split("\n")
            if ":" in line and not line.startswith("#"))
    return [name for name, below in rows if room in below.split()]


# ---- a copy of the tree ----------------------------------------------------------------------

def list_source():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_COPIED]
        yield from (Path(folder, name).relative_to(ROOT) for name in names)


class Failed(Exception):
    """The copy does not build, or a test fails without a mutant."""


class Tree:
    """A copy that mutants are built and tested in."""

    def __init__(self, folder):
        self.folder, self.build = folder, folder / "build"
        self.process = None  # what runs now
        self.is_stopped = False
        self.environment = {**os.environ, "JETON_SOURCE_ROOT": str(folder),
                            "JETON_BINARY": str(self.build / "src/daemon/jeton"),
                            "JETON_BINARY_PLAIN": str(self.build / "src/daemon/jeton"),
                            "PYTHONDONTWRITEBYTECODE": "1", "CCACHE_NOHASHDIR": "1",
                            "PATH": "/usr/lib/ccache:" + os.environ["PATH"]}

    def copy(self):
        paths = set(list_source())
        for path in paths:
            target = self.folder / path
            if not target.is_file() or target.read_bytes() != (ROOT / path).read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, target)
        if not (self.build / "build.ninja").exists():
            status = self.run(600, "meson", "setup", str(self.build), "--buildtype=plain",
                              "-Doptimization=0", "-Dwerror=false", "-Dtests=enabled")
            if status != 0:
                raise Failed(f"{self.folder}: meson")

    def run(self, timeout_s, *command, cwd=None):
        """Its exit status; None when it did not end. Nothing that it began goes on."""
        if self.is_stopped:
            raise Failed("interrupted")
        with tempfile.TemporaryDirectory(prefix="mutate", dir=quick_folder()) as temporary, \
                open(self.folder / "output.log", "w+b") as output:
            self.process = subprocess.Popen(
                command, cwd=cwd or self.folder, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True,
                env={**self.environment, "TMPDIR": temporary})
            try:
                return self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                return None
            finally:
                self.kill()
                self.process.wait()

    def kill(self):
        with contextlib.suppress(ProcessLookupError, AttributeError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self):
        self.is_stopped = True
        self.kill()

    def ninja(self, *targets):
        return self.run(1200, "ninja", "-j1", "-C", str(self.build), *targets) == 0

    def programs(self, room):
        """Names as in test/unit, such as oauth/scope_test."""
        folder = self.folder / "test/unit" / room
        return [f"{room}/{path.stem}" for path in sorted(folder.glob("*_test.c"))]

    def target(self, program):
        return "test/" + program.replace("/", "_")

    def run_program(self, program, timeout_s):
        return self.run(timeout_s, str(self.build / self.target(program)))

    def measure(self, programs, measured):
        """Builds all without a mutant, and says how long each of the measured ones takes."""
        server = ["src/daemon/jeton", "src/fetch/jeton-fetch", "src/store/jeton-postgres.so"]
        if not self.ninja(*map(self.target, programs), *server):
            raise Failed(f"{self.folder}: see output.log there")
        seconds = {}
        for program in measured:
            began = time.monotonic()
            status = self.run_program(program, 2 * PROGRAM_S_MAX)
            took = time.monotonic() - began
            if status not in (0, SKIPPED, None):
                raise Failed(f"{program} fails without a mutant")
            seconds[program] = took if status == 0 else PROGRAM_S_MAX
        return seconds


def quick_folder():
    """Where fsync takes no time."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


# ---- one mutant ------------------------------------------------------------------------------

def likeness(program, path):
    """How many words of a file's name a program's has, too."""
    return len(set(Path(path).stem.split("_")) & set(program.split("/")[1].split("_")))


def stages(seconds, path):
    """Programs in the order in which they are built and run: those that are likely first."""
    room = Path(path).parts[1]
    quick = [program for program, took in seconds.items()
             if took < (PROGRAM_S_MAX if likeness(program, path) > 0 else SLOW_S)]
    own = sorted((program for program in quick if program.startswith(room + "/")),
                 key=lambda program: (-likeness(program, path), seconds[program]))
    above = sorted((program for program in quick
                    if program.split("/")[0] in rooms_above(room)),
                   key=lambda program: seconds[program])
    return [stage for stage in (own[:CLOSE_COUNT], own[CLOSE_COUNT:], above) if stage]


def run_units(tree, seconds, path):
    """The program that fails, or None. RuntimeError: it does not compile."""
    for stage in stages(seconds, path):
        if not tree.ninja(*map(tree.target, stage)):
            raise RuntimeError
        for program in stage:
            timeout_s = 20 + 10 * seconds[program]
            if tree.run_program(program, timeout_s) != 0 and \
                    tree.run_program(program, timeout_s) != 0:
                return program
    return None


def run_blackbox(tree, names):
    if not tree.ninja("src/daemon/jeton"):
        raise RuntimeError
    for name in names:
        command = ["/usr/bin/python3", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m",
                   "not alone", f"blackbox/test_{name}.py"]
        if tree.run(BLACKBOX_S_MAX, *command, cwd=tree.folder / "test") == 0:
            continue
        # Once more: a test that fails now and then has found nothing.
        log = (tree.folder / "output.log").read_text(encoding="utf-8", errors="replace")
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", log, re.M)
        if failed:
            command[-1] = failed[1].replace("test/blackbox/", "blackbox/", 1)
        if tree.run(BLACKBOX_S_MAX, *command, cwd=tree.folder / "test") != 0:
            return failed[1] if failed else f"test_{name}.py"
    return None


def try_mutant(tree, seconds, mutant, tests):
    """(verdict, who caught it)"""
    path = tree.folder / mutant.path
    path.write_text(mutant.new, encoding="utf-8")
    try:
        catcher = run_units(tree, seconds, mutant.path) or run_blackbox(tree, tests)
        return ("caught", catcher) if catcher else ("survived", "")
    except RuntimeError:
        return "does not compile", ""
    finally:
        path.write_text(mutant.old, encoding="utf-8")


class Campaign:
    """Hands out mutants in their order until as many as wanted were built."""

    def __init__(self, files, mutants, known, count):
        self.files, self.count, self.known = files, count, known
        self.queue = collections.deque(mutants)
        self.lock = threading.Condition()
        self.counts = collections.Counter()
        self.busy_count = 0
        self.end = float("inf")
        self.wrongs = []

    def next(self):
        with self.lock:
            while self.done_count() + self.busy_count >= self.count and self.busy_count > 0:
                self.lock.wait()
            while (self.queue and self.done_count() < self.count and not self.wrongs
                   and time.monotonic() < self.end):
                mutant = self.queue.popleft()
                if mutant.id in self.known:
                    self.counts[self.known[mutant.id]] += 1
                    continue
                self.busy_count += 1
                return mutant
            return None

    def done_count(self):
        return self.counts["caught"] + self.counts["survived"]

    def tell(self, mutant, verdict, catcher):
        with self.lock:
            self.busy_count -= 1
            self.lock.notify_all()
            if self.wrongs:
                return
            self.counts[verdict] += 1
            print(f"{verdict}: {mutant.id} {mutant.path}:{mutant.line}: {mutant.function}: "
                  f"{mutant.change}" + (f" [{catcher[:120]}]" if catcher else ""), flush=True)

    def work(self, tree, seconds):
        try:
            for mutant in iter(self.next, None):
                self.tell(mutant, *try_mutant(tree, seconds, mutant, self.files[mutant.path][1]))
        except (Failed, OSError) as wrong:
            with self.lock:
                self.busy_count -= 1
                self.wrongs.append(wrong)
                self.lock.notify_all()


def run_all(campaign, work, is_trusted):
    """With two copies; each says of half of the programs how long they take."""
    record = work / "seconds.json"
    trees = [Tree(work / str(number)) for number in range(WORKER_COUNT)]
    for tree in trees:
        tree.folder.mkdir(parents=True, exist_ok=True)
        tree.copy()
    programs = [program for room in ROOMS for program in trees[0].programs(room)]
    seconds = json.loads(record.read_text("ascii")) if is_trusted and record.exists() else {}
    seconds = {program: took for program, took in seconds.items() if program in programs}
    fresh = [program for program in programs if program not in seconds]
    with ThreadPoolExecutor(WORKER_COUNT) as pool:
        try:
            for half in list(pool.map(lambda tree, number: tree.measure(
                    programs, fresh[number::WORKER_COUNT]), trees, range(WORKER_COUNT))):
                seconds.update(half)
            record.write_text(json.dumps(seconds), encoding="ascii")
            late = sorted(name for name, took in seconds.items() if took >= PROGRAM_S_MAX)
            print("good without a mutant; left out, as they take long or skip all: "
                  f"{' '.join(late) or 'none'}", flush=True)
            list(pool.map(lambda tree: campaign.work(tree, seconds), trees))
        finally:  # of use where this is interrupted alone
            for tree in trees:
                tree.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", default="")
    parser.add_argument("--work", type=Path, default=ROOT / "build/mutate")
    parser.add_argument("--least", type=float, default=95)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--after", type=Path)
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--mutant", nargs="+")
    told = parser.parse_args()
    files, equivalents = read_table()
    mutants = find_mutants(files, told.only)
    unknown = set(equivalents) - {mutant.id for mutant in find_mutants(files, "")}
    if unknown:
        print(f"tools/mutate.txt: no such mutant any more: {' '.join(sorted(unknown))}")
    if told.mutant:
        mutants = [mutant for mutant in mutants if mutant.id in told.mutant]
        equivalents = {}
    mutants.sort(key=lambda mutant: hashlib.sha256((told.seed + mutant.id).encode()).digest())
    if told.list:
        for mutant in mutants:
            print(f"{mutant.id} {mutant.path}:{mutant.line}: {mutant.function}: {mutant.change}")
        return 0
    known = read_verdicts(told.after) if told.after else {}
    known.update(dict.fromkeys(equivalents, "equivalent"))
    campaign = Campaign(files, mutants, known, told.count)
    campaign.end = time.monotonic() + 60 * told.minutes
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run_all(campaign, told.work.resolve(), told.trust)
    except Failed as wrong:
        campaign.wrongs.append(wrong)
    except KeyboardInterrupt:
        campaign.wrongs.append("interrupted")
    for wrong in campaign.wrongs:
        print(f"mutate.py: {wrong}")
    counts, done = campaign.counts, campaign.done_count()
    print(f"{counts['caught']} caught, {counts['survived']} survived, "
          f"{counts['equivalent']} equivalent")
    return 0 if done and not campaign.wrongs and 100 * counts["caught"] >= told.least * done else 1


if __name__ == "__main__":
    sys.exit(main())

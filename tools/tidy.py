#!/usr/bin/env python3
"""The laws of the house as a test: docs/STYLE.md says why each rule is there.

Each function named rule_... is one rule. It yields (path, line, words) for everything that breaks
it. The last line printed is `tidy: N passed, N failed`; the exit status is 1 when a rule failed.
`tidy.py --notes` also lists the RFC marks in the code that no test carries.
"""

import os
import re
import sys
from pathlib import Path

ROOT = Path(os.environ.get("JETON_SOURCE_ROOT", Path(__file__).resolve().parent.parent))

BODY_LINES_MAX = 70
FILE_LINES_MAX = 600
COLUMNS_MAX = 100

TEXT_SUFFIXES = {".c", ".h", ".def", ".py", ".md", ".txt", ".build", ".html", ".css", ".js", ".mjs",
                 ".go", ".service", ".socket", ".conf", ".sql", ".sh", ".yaml", ".yml"}
C_SUFFIXES = {".c", ".h", ".def"}
SKIPPED_FOLDERS = {".git", "var", "node_modules", "target", "__pycache__", ".cache",
                   ".pytest_cache"}
# Files that others wrote, kept as they came.
VERBATIM = ("test/vectors/", "test/fuzz/corpus/", "test/clients/package-lock.json", "LICENSE")

# A foreign header has one address.
FOREIGN = [
    (r"openssl/", r"src/crypto/"),
    (r"sodium(\.h|/)", r"src/crypto/"),
    (r"sqlite3\.h", r"src/store/sqlite\.c"),
    (r"libpq", r"src/store/postgres\w*\.[ch]"),
    (r"jansson\.h", r"src/codec/json\.c"),
    (r"cyaml/", r"src/daemon/config\.c"),
    (r"yaml\.h", r"src/daemon/yaml_json\.c"),
    (r"expat\.h", r"src/codec/soap\.c"),
    (r"qrencode\.h", r"src/codec/qr\.c"),
    (r"fido(\.h|/)", r"src/crypto/passkey\.c"),
    (r"cbor\.h", r"src/crypto/cbor_view\.c"),
    (r"curl/", r"src/fetch/(https|smtp)\.c"),
    (r"sys/epoll\.h", r"src/http/"),
]

BANNED_CALLS = ("strcpy", "strcat", "strncpy", "strncat", "sprintf", "vsprintf", "strtok", "atoi",
                "atol", "atoll", "gets", "alloca", "rand", "srand", "random", "localtime", "gmtime",
                "ctime", "asctime", "system", "popen", "tmpnam", "mktemp", "setjmp", "longjmp")

SECRET_WORDS = re.compile(r"secret|password|digest|hmac|\bmac\b|_mac\b|\btag\b|signature|hash")
RFC_MARK = re.compile(r"RFC (\d{4,5})(?:,)?(?: section| sections)? ([0-9A-Z]+(?:\.\d+)*)")


def all_files():
    """Every text file of the project, as paths relative to ROOT, sorted."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS
                            and not (Path(folder) == ROOT and name.startswith("build")))
        for name in names:
            path = (Path(folder) / name).relative_to(ROOT)
            if path.suffix in TEXT_SUFFIXES or name in ("do", "run", "LAYERS", ".clang-tidy"):
                found.append(path.as_posix())
    return sorted(path for path in found if not path.startswith(VERBATIM))


FILES = all_files()
TEXTS = {path: (ROOT / path).read_text(encoding="utf-8", errors="replace") for path in FILES}


def files_in(folder, *suffixes):
    return [path for path in FILES if path.startswith(folder) and Path(path).suffix in suffixes]


def numbered(path):
    return enumerate(TEXTS[path].split("\n"), 1)


def bare_code(text):
    """The text with comments and string contents blanked, line numbers kept."""
    def blank(match):
        piece = match.group(0)
        if piece.startswith("/"):
            return re.sub(r"[^\n]", " ", piece)
        return piece[0] + re.sub(r"[^\n]", " ", piece[1:-1]) + piece[-1]

    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, blank, text, flags=re.S)


def room_of(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def read_layers():
    """Room -> the rooms it may include, in the order of the file."""
    layers = {}
    for line in TEXTS.get("src/LAYERS", "").split("\n"):
        if line.strip() and not line.startswith("#"):
            room, _, allowed = line.partition(":")
            layers[room.strip()] = allowed.split()
    return layers


LAYERS = read_layers()


def exists(name):
    """True when a document's path names a file or folder, from the root or from src/."""
    name = name.rstrip("/")
    return (ROOT / name).exists() or (ROOT / "src" / name).exists()


# ---- rules ----------------------------------------------------------------------------------


def rule_layers_name_only_rooms_above():
    seen = []
    for number, line in numbered("src/LAYERS"):
        if not line.strip() or line.startswith("#"):
            continue
        room, _, allowed = line.partition(":")
        for name in allowed.split():
            if name not in seen:
                yield "src/LAYERS", number, f"{room} names {name}, which does not stand above it"
        seen.append(room.strip())
    for path in files_in("src/", *C_SUFFIXES):
        if room_of(path) not in LAYERS:
            yield path, 1, "is in no room that src/LAYERS names"


def rule_rooms_include_only_what_layers_lists():
    for path in files_in("src/", *C_SUFFIXES):
        room = room_of(path)
        for number, line in numbered(path):
            match = re.match(r'\s*#\s*include\s+"([^"/]+)(/[^"]*)?"', line)
            if not match:
                continue
            if not match.group(2):
                # What the build generates has no room.
                if match.group(1) not in TEXTS.get("pages/meson.build", ""):
                    yield path, number, "includes are written room/file.h"
            elif match.group(1) != room and match.group(1) not in LAYERS.get(room, []):
                yield path, number, f"{room} may not include {match.group(1)} (src/LAYERS)"


# Written before the rule below, and still to be moved down a floor.
LOOSE_ROOMS = {"dialect"}
FUNCTION = re.compile(r"^(?!typedef|#)[a-z][\w \*\n]*?[ \*](\w+)\(", re.M)
STRUCT = re.compile(r"^struct (\w+) \{", re.M)


def names_of(paths):
    """Functions and `struct tag`s that these files declare or define -> the room of the first."""
    found = {}
    for path in paths:
        code = bare_code(TEXTS[path])
        for name in FUNCTION.findall(code) + ["struct " + tag for tag in STRUCT.findall(code)]:
            found.setdefault(name, room_of(path))
    return found


def rule_rooms_use_only_what_layers_lists():
    """An include may bring another room's names along: a room calls no function of a room that
    src/LAYERS does not list for it, and looks into none of its structs. A pointer to one may be
    handed on. What a room keeps in its room.h is known to nobody else."""
    sources = files_in("src/", ".c", ".h")
    shared = names_of(path for path in sources if re.search(r"(?<!/room)\.h$", path))
    for room in LAYERS.keys() - LOOSE_ROOMS:
        paths = [path for path in sources if room_of(path) == room]
        own = names_of(paths)
        for path in paths:
            for number, line in enumerate(bare_code(TEXTS[path]).split("\n"), 1):
                for name in re.findall(r"\bstruct \w+|\b\w+(?=\()", line):
                    owner = shared.get(name, room)
                    if owner != room and owner not in LAYERS[room] and name not in own:
                        yield path, number, f"{room} may not use {owner}'s {name} (src/LAYERS)"


def rule_foreign_headers_have_one_address():
    for path in files_in("src/", *C_SUFFIXES):
        for number, line in numbered(path):
            match = re.match(r"\s*#\s*include\s+[<\"]([^>\"]+)", line)
            for header, home in FOREIGN if match else ():
                if re.match(header, match.group(1)) and not re.match(home, path):
                    yield path, number, f"<{match.group(1)}> belongs in {home}"


def rule_function_bodies_are_short():
    for path in files_in("src/", ".c", ".h") + files_in("test/", ".c", ".h"):
        opened = None
        for number, line in numbered(path):
            if line == "{":
                opened = number
            elif line == "}" and opened is not None:
                if number - opened - 1 > BODY_LINES_MAX:
                    yield path, opened, f"a body of {number - opened - 1} lines"
                opened = None


def rule_files_are_short():
    for path in FILES:
        count = TEXTS[path].count("\n")
        if Path(path).suffix in C_SUFFIXES | {".py"} and count > FILE_LINES_MAX:
            yield path, count, f"{count} lines"


def rule_lines_are_short_and_clean():
    for path in FILES:
        text = TEXTS[path]
        if text and not text.endswith("\n"):
            yield path, text.count("\n") + 1, "no newline at the end"
        for number, line in numbered(path):
            if Path(path).suffix in C_SUFFIXES | {".py"} and len(line) > COLUMNS_MAX:
                yield path, number, f"{len(line)} columns"
            if line != line.rstrip():
                yield path, number, "blanks at the end of a line"
            if "\t" in line and Path(path).suffix in C_SUFFIXES | {".py"}:
                yield path, number, "a tab"


def rule_banned_calls():
    calls = re.compile(r"(?<![\w.>])(" + "|".join(BANNED_CALLS) + r")\s*\(")
    for path in files_in("src/", ".c", ".h") + files_in("test/", ".c", ".h"):
        for number, line in enumerate(bare_code(TEXTS[path]).split("\n"), 1):
            match = calls.search(line)
            if match and not (match.group(1) == "system" and path.startswith("test/")):
                yield path, number, f"{match.group(1)} is banned"
            if re.search(r"\bgoto\b", line):
                yield path, number, "goto: cleanup is AUTO's"
            if re.search(r"\btypedef\s+(struct|union|enum)\s+\w*\s*(\{|\*?\s*\w+\s*;|$)", line):
                yield path, number, "a typedef of a struct, union or enum"


def rule_secrets_are_not_compared_by_memcmp():
    """`tidy: public` in a comment on the line waives it, where both sides are public."""
    for path in files_in("src/", ".c", ".h"):
        lines = TEXTS[path].split("\n")
        for number, line in enumerate(bare_code(TEXTS[path]).split("\n"), 1):
            match = re.search(r"\b(memcmp|bcmp|strcmp|strncmp)\s*\((.*)", line)
            if (match and SECRET_WORDS.search(match.group(2))
                    and "tidy: public" not in lines[number - 1]):
                yield path, number, f"{match.group(1)} on what looks like a secret: secret_equal"


def rule_headers_open_with_a_chapter_and_a_guard():
    for path in files_in("src/", ".h"):
        text, inside = TEXTS[path], path[len("src/"):]
        if not text.startswith("/*\n * " + inside + ": "):
            yield path, 1, f"does not open with a comment `{inside}: ...`"
        guard = "JETON_" + re.sub(r"[^A-Z0-9]", "_", inside.upper())
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield path, 1, f"no guard {guard}"
    for path in files_in("src/", ".def"):
        if not TEXTS[path].startswith("/*\n"):
            yield path, 1, "does not open with a comment"


def rule_every_source_is_built():
    for path in files_in("src/", ".c"):
        plan = str(Path(path).parent / "meson.build")
        if Path(path).name not in TEXTS.get(plan, ""):
            yield path, 1, f"{plan} does not name it"
    for path in files_in("test/unit/", ".c"):
        plan = str(Path(path).parent / "meson.build")
        if Path(path).stem not in TEXTS.get(plan, ""):
            yield path, 1, f"{plan} does not name it"


def rule_documents_name_only_files_that_exist():
    tops = {"src", "test", "tools", "docs", "bench", "pages", "packaging", ".ci"} | set(LAYERS)
    for path in files_in("", ".md"):
        for number, line in numbered(path):
            for name in re.findall(r"`([^`\s]+)`", line):
                inner = re.fullmatch(r"((?:\./)?[\w.-]+(?:/[\w.-]+)+/?)(?::\w+)?", name)
                if inner and inner.group(1).split("/")[0] in tops and not exists(inner.group(1)):
                    yield path, number, f"names {name}, which is not there"
            for target in re.findall(r"\]\(([^)#\s]+)", line):
                if "://" not in target and not (ROOT / path).parent.joinpath(target).exists():
                    yield path, number, f"links to {target}, which is not there"


def rule_comments_name_only_files_that_exist():
    names = re.compile(r"(?<![\w/.])((?:" + "|".join(LAYERS) + r")/\w+\.(?:c|h|def))\b")
    papers = re.compile(r"(?<![\w/.-])((?:docs/)?[\w-]+\.md)\b")
    for path in files_in("src/", *C_SUFFIXES) + files_in("test/", ".c", ".h"):
        for number, line in numbered(path):
            for name in names.findall(line):
                if not exists(name) and "#include" not in line:
                    yield path, number, f"names {name}, which is not there"
    for path in FILES:
        if Path(path).suffix in C_SUFFIXES | {".py", ".mjs", ".go", ".build"}:
            for number, line in numbered(path):
                for name in papers.findall(line) if not path.startswith("test/tools/") else ():
                    if not any((ROOT / folder / name).exists()
                               for folder in ("", "docs", Path(path).parent)):
                        yield path, number, f"names {name}, which is not there"


def rule_architecture_has_the_rooms_of_layers():
    path, table = "docs/ARCHITECTURE.md", {}
    if path not in TEXTS:
        yield path, 1, "is missing"
        return
    for number, line in numbered(path):
        match = re.match(r"\| `(\w+)` \|[^|]*\| ([a-z ]+) \|$", line)
        if match:
            table[match.group(1)] = (number, match.group(2).split())
    for room, allowed in LAYERS.items():
        number, written = table.pop(room, (1, None))
        if written is None:
            yield path, 1, f"the rooms table lacks {room}"
        elif sorted(written) != sorted(allowed or ["libc"]):
            yield path, number, f"{room}: src/LAYERS says {' '.join(allowed) or 'libc'}"
    for room, (number, _) in table.items():
        yield path, number, f"src/LAYERS has no room {room}"


def rule_data_document_has_every_column():
    path, schema = "docs/DATA.md", "src/store/schema.def"
    if path not in TEXTS and schema in TEXTS:
        yield path, 1, "is missing"
        return
    for number, line in numbered(schema) if schema in TEXTS else ():
        names = re.findall(r"CREATE TABLE(?: IF NOT EXISTS)? (\w+)", line)
        for name in names + re.findall(r'(\w+) " T_(?:INT|TEXT|BYTES|ID)\b', line):
            if f"`{name}`" not in TEXTS[path]:
                yield schema, number, f"{path} does not name `{name}`"


def rule_standards_document_has_every_rfc():
    """RFCs that only a limit or a refusal is taken from are named nowhere else."""
    path, passing = "docs/STANDARDS.md", {"5321", "7797"}
    for source in files_in("src/", *C_SUFFIXES):
        for number, line in numbered(source):
            for rfc in set(re.findall(r"RFC (\d{4})\b", line)) - passing:
                if f"RFC {rfc}" not in TEXTS.get(path, ""):
                    yield source, number, f"{path} does not say how far RFC {rfc} is done"


def rule_nothing_is_left_undone():
    marks = re.compile(r"\b(TODO|FIXME|" + "X" * 3 + r")\b")
    for path in FILES:
        for number, line in numbered(path):
            if marks.search(line) and path != "tools/tidy.py":
                yield path, number, "a mark of work left undone"


def rule_no_paths_of_one_machine():
    for path in FILES:
        if path == "tools/tidy.py":
            continue
        for number, line in numbered(path):
            if re.search(r"(?<![\w.}])/(home/|root/|work/(main|shared))", line):
                yield path, number, "a path of one machine"
            if path.endswith(".md") and re.search(r"(?<![\w.])/tmp/", line):
                yield path, number, "a path of one machine"


def tests_text():
    return "\n".join(TEXTS[path] for path in files_in("test/blackbox/", ".py")
                     + files_in("test/fault/", ".py")
                     + files_in("test/clients/", ".py", ".mjs", ".js", ".go"))


def rule_every_endpoint_has_a_blackbox_test():
    path, tests = "src/web/endpoints.c", tests_text()
    for number, line in numbered(path) if path in TEXTS else ():
        for endpoint in re.findall(r'"(/[\w./-]*)"', line):
            if endpoint not in tests:
                yield path, number, f"no test in test/blackbox names {endpoint}"


def rule_every_protocol_error_has_a_blackbox_test():
    path, tests = "src/oauth/error.def", tests_text()
    for number, line in numbered(path) if path in TEXTS else ():
        match = re.match(r'OAUTH_ERROR\(\w+,\s*"(\w+)",\s*(\d+)', line)
        # A 500 is a fault of ours: nothing that a client sends may provoke it.
        if match and match.group(2) != "500" and match.group(1) not in tests:
            yield path, number, f"no test in test/blackbox names {match.group(1)}"


# ---- notes and main -------------------------------------------------------------------------


def untested_marks():
    """RFC sections that the code enforces and no test carries: mark -> first place."""
    def marks(paths):
        found = {}
        for path in paths:
            for number, line in numbered(path):
                for match in RFC_MARK.finditer(line):
                    found.setdefault(f"RFC {match.group(1)} {match.group(2)}", f"{path}:{number}")
        return found

    tested = marks(files_in("test/", ".c", ".py", ".mjs", ".go"))
    coded = marks(files_in("src/", ".c"))
    return {mark: place for mark, place in sorted(coded.items()) if mark not in tested}


def main():
    rules = [(name[len("rule_"):].replace("_", " "), rule) for name, rule in globals().items()
             if name.startswith("rule_")]
    failed = 0
    for name, rule in rules:
        broken = list(rule())
        failed += bool(broken)
        for path, number, words in broken:
            print(f"{path}:{number}: {words}")
        if broken:
            print(f"tidy: broken: {name}")
    marks = untested_marks()
    if marks and "--notes" in sys.argv:
        for mark, place in marks.items():
            print(f"{place}: note: {mark} has no twin in test/")
    elif marks:
        print(f"note: {len(marks)} RFC marks in src/ have no twin in test/ (tidy.py --notes)")
    print(f"tidy: {len(rules) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

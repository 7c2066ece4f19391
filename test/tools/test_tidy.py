"""The laws of the house can fail: each rule of tools/tidy.py is broken once in a small tree."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

CHAPTER = "/*\n * {0}: a chapter.\n */\n#ifndef {1}\n#define {1}\n#endif\n"
CALLABLE = CHAPTER.format("base/a.h", "JETON_BASE_A_H").replace(
    "#endif", "struct a_box {\n    int b;\n};\nenum rc a_make(struct a_box *box,\n"
    "               int c);\n#endif")
BODY = "int f(void)\n{\n" + "    ;\n" * 71 + "}\n"

GOOD = {
    "src/LAYERS": "# comment\nbase:\nupper: base\n",
    "src/base/meson.build": "sources = 'a.c'\n",
    "src/base/a.h": CHAPTER.format("base/a.h", "JETON_BASE_A_H"),
    "src/base/a.c": '#include "base/a.h"\n',
    "src/upper/meson.build": "sources = 'b.c'\n",
    "src/upper/b.c": '#include "base/a.h"\n/* see base/a.h */\n',
    "docs/ARCHITECTURE.md": "| `base` | x | libc |\n| `upper` | y | base |\n\n`base/a.h`\n",
}

# What is laid over the good tree, and the words that tidy must say of it.
BROKEN = {
    "circle": ({"src/LAYERS": "base: upper\nupper: base\n"}, "does not stand above it"),
    "room": ({"src/base/a.c": '#include "upper/b.h"\n'}, "base may not include upper"),
    "use": ({"src/LAYERS": "base:\nmiddle: base\nupper: middle\n",
             "src/middle/meson.build": "", "src/upper/b.c": "int b = a_make(1);\n",
             "src/base/a.h": CALLABLE}, "upper may not use base's a_make"),
    "struct": ({"src/LAYERS": "base:\nmiddle: base\nupper: middle\n",
                "src/middle/meson.build": "", "src/upper/b.c": "struct a_box box;\n",
                "src/base/a.h": CALLABLE}, "upper may not use base's struct a_box"),
    "foreign": ({"src/base/a.c": "#include <openssl/evp.h>\n"}, "belongs in src/crypto/"),
    "body": ({"src/base/a.c": BODY}, "a body of 71 lines"),
    "file": ({"src/base/a.c": "int x;\n" * 601}, "601 lines"),
    "columns": ({"src/base/a.c": "/* " + "x" * 98 + " */\n"}, "104 columns"),
    "blanks": ({"src/base/a.c": "int x; \n"}, "blanks at the end"),
    "banned": ({"src/base/a.c": "int f(void)\n{\n    return atoi(x);\n}\n"}, "atoi is banned"),
    "goto": ({"src/base/a.c": "int f(void)\n{\n    goto out;\n}\n"}, "goto"),
    "typedef": ({"src/base/a.c": "typedef struct x x;\n"}, "a typedef"),
    "memcmp": ({"src/base/a.c": "int x = memcmp(secret, b, 3);\n"}, "looks like a secret"),
    "chapter": ({"src/base/a.h": "int x;\n"}, "does not open with a comment"),
    "guard": ({"src/base/a.h": "/*\n * base/a.h: a.\n */\n"}, "no guard JETON_BASE_A_H"),
    "dead": ({"src/base/dead.c": "int x;\n"}, "does not name it"),
    "document": ({"docs/X.md": "see `base/gone.h`\n"}, "names base/gone.h, which is not there"),
    "link": ({"docs/X.md": "[x](gone.md)\n"}, "links to gone.md"),
    "comment": ({"src/base/a.c": "/* see base/gone.h */\n"}, "names base/gone.h"),
    "table": ({"docs/ARCHITECTURE.md": "| `base` | x | libc |\n"}, "the rooms table lacks upper"),
    "undone": ({"src/base/a.c": "/* " + "TO" + "DO */\n"}, "left undone"),
    "machine": ({"docs/X.md": "see /" + "home/me\n"}, "a path of one machine"),
    "endpoint": ({"src/LAYERS": "base:\nupper: base\nweb: base\n",
                  "src/web/meson.build": "'endpoints.c'\n",
                  "src/web/endpoints.c": '{ "/x" }\n'}, "no test in test/blackbox names /x"),
}


def tidy(folder, changes):
    for name, text in {**GOOD, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return subprocess.run([sys.executable, ROOT / "tools/tidy.py"], capture_output=True, text=True,
                          env={**os.environ, "JETON_SOURCE_ROOT": str(folder)}, timeout=60)


def test_a_clean_tree_passes(tmp_path):
    finished = tidy(tmp_path, {})
    assert finished.stdout.splitlines()[-1].endswith(" passed, 0 failed"), finished.stdout
    assert finished.returncode == 0


def test_what_stands_in_comments_and_strings_is_not_code(tmp_path):
    finished = tidy(tmp_path, {"src/base/a.c": '/* atoi(x) */\nchar *x = "goto atoi(";\n'})
    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_law_is_reported(tmp_path, name):
    changes, words = BROKEN[name]
    finished = tidy(tmp_path, changes)
    assert words in finished.stdout
    assert finished.returncode == 1

"""docs/THREATS.md is true, and the check of it can fail."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(root, *words):
    return subprocess.run([sys.executable, ROOT / "tools/threats.py", *words], check=False,
                          stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "JETON_SOURCE_ROOT": str(root)})


def test_every_promise_has_code_and_a_test():
    done = run(ROOT, "--check")
    assert done.returncode == 0, done.stdout


@pytest.fixture
def tree(tmp_path):
    """A small one: two promises, one file, one test for both."""
    for folder in ("docs", "src/room", "test"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "docs/THREATS.head.md", tmp_path / "docs")
    (tmp_path / "docs/promises.txt").write_text(
        "[Area]\nAA-01 S | kept | 6749 3 | room/a.c\nAA-02 | kept, too | ASVS 1 | room/a.c\n")
    (tmp_path / "src/room/a.c").write_text("")
    (tmp_path / "test/test_a.py").write_text("def test_aa_01_aa_02_kept():\n    pass\n")
    assert run(tmp_path).returncode == 0
    assert run(tmp_path, "--check").returncode == 0
    return tmp_path


@pytest.mark.parametrize("path, old, new, words", [
    ("test/test_a.py", "aa_01_aa_02", "aa_01", "AA-02 has no test"),
    ("docs/promises.txt", "room/a.c\nAA", "room/b.c\nAA", "there is no src/room/b.c"),
    ("docs/promises.txt", "AA-02 |", "AA-01 |", "AA-01 is there twice"),
    ("docs/promises.txt", " | ASVS 1", "", "not a promise"),
    ("test/test_a.py", "aa_02", "aa_02_aa_03", "AA-03 is in the name of a test and is no promise"),
    ("docs/promises.txt", "kept, too", "kept as well", "run it")])
def test_what_is_not_true_is_said(tree, path, old, new, words):
    text = (tree / path).read_text()
    assert old in text
    (tree / path).write_text(text.replace(old, new))
    done = run(tree, "--check")
    assert done.returncode == 1 and words in done.stdout, done.stdout

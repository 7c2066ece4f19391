"""The manual pages: as the binary's help would have them, and sound to who formats them."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDER = TOP / "docs/man"
PAGES = sorted(FOLDER.glob("*.[0-9]"))
sys.path.insert(0, str(TOP / "tools"))

import command_tables  # noqa: E402
import manpages  # noqa: E402

BINARY = os.environ.get("JETON_BINARY", str(TOP / "build/asan/src/daemon/jeton"))


def test_they_are_what_the_help_says():
    done = subprocess.run([TOP / "tools/manpages.py", BINARY, "--check"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout + "write them anew: ./do manual"


def test_every_noun_has_a_page():
    names = {page.stem for page in PAGES}
    nouns = {command.noun for command in command_tables.read_commands(BINARY)
             if command.noun not in command_tables.ALONE}
    assert {f"jeton-{noun}" for noun in nouns} <= names


def test_a_page_that_is_made_has_its_text_from_the_manual_of_the_binary():
    text = (FOLDER / "jeton.1").read_text()
    nouns = {command.noun for command in command_tables.read_commands(BINARY)
             if command.noun not in command_tables.ALONE}
    made = {page.stem.removeprefix("jeton-") for page in PAGES
            if page.read_text().startswith(manpages.MARK)}
    assert {noun for noun in nouns & made if not manpages.description(text, noun)} == set()


@functools.cache
def formatted(page, width=80):
    done = subprocess.run(["man", "-l", "--warnings", "-E", "UTF-8", str(page)], text=True,
                          capture_output=True, stdin=subprocess.DEVNULL,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                               "MANWIDTH": str(width)})
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_groff_has_nothing_to_say(page):
    text, warnings = formatted(page)
    assert warnings == ""
    assert "NAME" in text and len(text) > 500


@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_page_that_is_referred_to_exists(page):
    own = {page.stem + "." + page.suffix[1:] for page in PAGES}
    named = re.findall(r"(?m)^\.Xr (jeton\S*) (\d)", page.read_text())
    assert {f"{name}.{section}" for name, section in named} <= own


@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
def test_every_option_of_a_command_is_on_its_page():
    for command in command_tables.read_commands(BINARY):
        for page in FOLDER.glob(f"jeton-{command.noun}.[0-9]"):
            # Hand-written pages name the options of theirs alone.
            text, _ = formatted(page, 1000)
            for option in command.options:
                if option.name not in command_tables.COMMON:
                    assert re.search(rf"--{re.escape(option.name)}(?![\w-])", text), option.name

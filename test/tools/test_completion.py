"""The shells' completion: as the binary's help would have it, and what three shells offer by it."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDER = TOP / "packaging/completion"
sys.path.insert(0, str(TOP / "tools"))

import command_tables  # noqa: E402

BINARY = os.environ.get("JETON_BINARY", str(TOP / "build/asan/src/daemon/jeton"))

# bash calls the function that `complete` names, with the words of the line in COMP_WORDS.
BASH = r"""
source "$1"; shift
function=$(complete -p jeton | sed 's/.*-F \([^ ]*\) .*/\1/')
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
"$function" jeton "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""

# The completion system of zsh wants a terminal; these three are what the function asks of it.
ZSH = r"""
compdef() { : }
compadd() { shift; print -l -- "$@" }
_files() { print -r -- "FILES $*" }
compset() { : }
source "$1"; shift
words=("$@"); CURRENT=$#
_jeton
"""


def lines_of(*command, folder=None):
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def bash(*words, folder=None):
    return lines_of("bash", "--norc", "-c", BASH, "bash", str(FOLDER / "jeton.bash"), *words,
                    folder=folder)


def zsh(*words):
    return lines_of("zsh", "-f", "-c", ZSH, "zsh", str(FOLDER / "_jeton"), *words)


def fish(line, folder):
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    script = f"source {FOLDER / 'jeton.fish'}; complete -C '{line}'"
    done = subprocess.run(["fish", "-c", script], check=True, capture_output=True, text=True,
                          cwd=folder, env=environment)
    return [offered.split("\t")[0] for offered in done.stdout.splitlines()]


def test_it_is_what_the_help_says():
    done = subprocess.run([TOP / "tools/completion.py", BINARY, "--check"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout + "write it anew: ./do manual"


def test_bash_offers_every_command_and_every_option():
    commands = command_tables.read_commands(BINARY)
    assert set(bash("jeton", "")) == {command.noun for command in commands}
    for command in commands:
        if command.verb:
            assert command.verb in bash("jeton", command.noun, "")
        if command.options:
            offered = bash("jeton", *command.words, "x", "--")
            assert offered == [f"--{option.name}" for option in command.options]


def test_bash_offers_what_begins_as_typed():
    assert bash("jeton", "us") == ["user"]
    assert bash("jeton", "user", "e") == ["enable"]
    assert bash("jeton", "user", "add", "alice", "--ad") == ["--admin"]
    assert bash("jeton", "nothing", "") == []


def test_bash_offers_the_words_of_an_option():
    assert bash("jeton", "serve", "--log-level", "") == ["debug", "info", "warn", "error"]
    assert bash("jeton", "serve", "--log-level", "=", "w") == ["warn"]
    assert bash("jeton", "serve", "--log-level", "=") == ["debug", "info", "warn", "error"]
    assert bash("jeton", "serve", "--issuer", "") == []


def test_bash_offers_files_and_folders(tmp_path):
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a file").touch()
    assert bash("jeton", "user", "list", "--data", "a", folder=tmp_path) == ["a folder"]
    offered = bash("jeton", "serve", "--config", "a", folder=tmp_path)
    assert sorted(offered) == ["a file", "a folder"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_offers_the_same():
    assert zsh("jeton", "") == bash("jeton", "")
    assert zsh("jeton", "user", "") == bash("jeton", "user", "")
    assert zsh("jeton", "client", "add", "x", "") == bash("jeton", "client", "add", "x", "--")
    assert zsh("jeton", "serve", "--log-level", "") == ["debug", "info", "warn", "error"]
    assert zsh("jeton", "serve", "--log-level=") == ["debug", "info", "warn", "error"]
    assert zsh("jeton", "serve", "--config", "") == ["FILES "]
    assert zsh("jeton", "serve", "--data", "") == ["FILES -/"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_offers_the_same(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert sorted(fish("jeton ", tmp_path)) == sorted(bash("jeton", ""))
    assert sorted(fish("jeton user ", tmp_path)) == sorted(bash("jeton", "user", ""))
    assert (sorted(fish("jeton key rotate --", tmp_path))
            == sorted(bash("jeton", "key", "rotate", "--")))
    assert sorted(fish("jeton serve --log-level ", tmp_path)) == ["debug", "error", "info", "warn"]
    assert fish("jeton serve --config f", tmp_path) == ["file", "folder/"]
    assert fish("jeton serve --data f", tmp_path) == ["folder/"]

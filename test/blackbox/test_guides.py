"""docs/guides: each command that stands in them runs against a server, and each command of all
documents is one that the program has, with options that it takes."""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from harness import ROOT, find_binary

DOCS = pathlib.Path(ROOT) / "docs"
GUIDES = sorted((DOCS / "guides").glob("*.md"))


def blocks(path):
    return re.findall(r"(?ms)^```(?:sh)?\n(.*?)^```$", path.read_text())


def fill(command, names):
    for name, value in names.items():
        command = command.replace(name, value)
    return command


class Desk:
    """Whoever follows the guides: their folder, and the server that they mean."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        (folder / "bin").mkdir()
        tool = folder / "bin/jeton"
        tool.write_text(f'#!/bin/sh\nexec {server.binary} "$@"\n')
        tool.chmod(0o755)
        self.names = {"--data /var/lib/jeton": shlex.join(server.place()),
                      "https://tokens.example.com": f"http://127.0.0.1:{server.port}"}

    def run(self, command, status=0, stdin=""):
        done = subprocess.run(["sh", "-eu", "-c", fill(command, self.names)], cwd=self.folder,
                              input=stdin, capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, **self.server.env,
                                   "PATH": f"{self.folder}/bin:{os.environ['PATH']}"})
        assert done.returncode == status, command + done.stdout + done.stderr
        return done.stdout.strip()


@pytest.fixture
def desk(new_server, tmp_path):
    """Of a server on which nobody has made anything yet."""
    return Desk(new_server(seeded=False), tmp_path)


def lines_that_begin(path, word):
    return [line for block in blocks(path) for line in block.splitlines()
            if line.startswith(word + " ")]


def test_api_owners_and_programs_follow_their_guides(desk):
    """A service, a client, a token, a look at it: as the two guides have it."""
    owners, programs = DOCS / "guides/api-owners.md", DOCS / "guides/programs.md"
    add, = lines_that_begin(owners, "jeton")
    ask, = lines_that_begin(owners, "curl")
    get, = lines_that_begin(programs, "curl")
    secret = desk.run(add).splitlines()[-1]
    robot = desk.run("jeton client add robot --data /var/lib/jeton --grant client_credentials "
                     "--service api.example.com")
    desk.server.secrets.update([secret, robot])
    token = json.loads(desk.run(get.replace("SECRET", robot) + " -sS --fail"))["access_token"]
    shown = json.loads(desk.run(ask.replace("SECRET", secret).replace("TOKEN", token) +
                                " -sS --fail"))
    told, = [line for block in blocks(owners) for line in block.splitlines()
             if line.startswith('{"active":true')]
    for member in re.findall(r'"(\w+)":', told):
        assert member in shown, (member, shown)
    assert shown["active"] and shown["scope"] == "read" and shown["client_id"] == "robot"
    path = re.search(r"127\.0\.0\.1:8080(/forward-auth\S*);", owners.read_text()).group(1)
    bearer = [("Authorization", "Bearer " + token)]
    answer = desk.server.get(path, bearer + [("X-Original-Method", "GET"),
                                             ("X-Original-URL", "http://api.example.com/api/x")])
    assert answer.status == 200 and answer.header("X-Auth-Client") == "robot", answer
    assert desk.server.get(path).header("WWW-Authenticate").startswith("Bearer")


def test_operators_follow_their_guide(desk):
    """The table of docs/guides/operators.md, row by row."""
    text = (DOCS / "guides/operators.md").read_text()
    server = desk.server
    data = " --data /var/lib/jeton"
    table = [command for command in re.findall(r"`(jeton [^`]+)`", text) if command.split()[1]
             not in ("serve", "move")]
    assert len(table) >= 7, table
    assert server.get("/readyz").status == 200
    desk.run("jeton client add C --grant client_credentials" + data)
    desk.run("jeton user add N --password-stdin" + data, stdin="a password long enough 1\n")
    for command in table:
        command = re.sub(r"\bNAME\b", "N", re.sub(r"\bID\b", "C", command))
        desk.run(command + data, stdin="no token of ours\n")
    assert json.loads(desk.run("jeton user show N --json" + data))["disabled"] is True
    assert "signing" in desk.run("jeton key list --json" + data)


# -- what documents say of the command line ------------------------------------------------------

def commands_of(text):
    """What stands after `jeton` in code, line by line and between backticks."""
    found = re.findall(r"`(?:sudo (?:-u \w+ )?)?jeton ([a-z][^`\n]*)`", text)
    for block in re.findall(r"(?ms)^```(?:sh)?\n(.*?)^```$", text):
        block = block.replace("\\\n", " ")
        found += re.findall(r"(?m)(?:^|[ |(])(?<!-u )jeton (?!jeton )([a-z][^\n|>#]*)", block)
    return found


def helps(binary):
    """Each command's own options."""
    text = subprocess.run([binary, "help"], capture_output=True, text=True, timeout=30,
                          check=True).stdout
    rows = [row.split("  ")[0].split() for row in re.findall(r"(?m)^  ([a-z][^\n]*)", text)]
    names = {" ".join(word for word in row if word.islower()) for row in rows}
    options = {}
    for name in names:
        done = subprocess.run([binary, *name.split(), "--help"], capture_output=True, text=True,
                              timeout=30, check=False)
        options[name] = set(re.findall(r"--[a-z][a-z-]*", done.stdout))
    return options


def test_every_command_of_a_document_is_one():
    known = helps(find_binary())
    nouns = {name.split()[0] for name in known}
    wrong, count = [], 0
    for page in [*DOCS.glob("*.md"), *GUIDES, pathlib.Path(ROOT) / "README.md"]:
        for command in commands_of(page.read_text()):
            words = command.split()
            name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
            if name is None and not (len(words) == 1 and words[0] in nouns):
                wrong.append(f"{page.name}: jeton {command}")
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", command) if name else ():
                if option not in known[name]:
                    wrong.append(f"{page.name}: jeton {command}: {option}")
            count += 1
    assert not wrong and count > 80, (wrong, count)

"""The commands of the binary and their options, read from its own help.

The help is written from the tables that the command line is parsed with (src/daemon/command.h), so
what is made of it here, manual pages and completion, cannot name what the binary does not know.
"""

import re
import subprocess

COLUMN = 32  # where the second column of the help begins
ALONE = ("version", "help")  # take no options
COMMON = ("data", "master-key-file", "database", "database-password-file", "help")


class Option:
    """One option: what its argument is called ("" for a switch), and whether it may be repeated."""

    def __init__(self, left, text, heading):
        words = left.split()
        self.repeats = words[-1] == "…"
        self.name = words[0].removeprefix("--")
        self.argument = " ".join(words[1:-1] if self.repeats else words[1:])
        self.text = text
        self.heading = heading  # that it stands under, "" for none

    @property
    def choices(self):
        """The words its argument may be, or none when it may be anything."""
        if re.fullmatch(r"[a-z0-9-]+(\|[a-z0-9-]+)+", self.argument):
            return self.argument.split("|")
        plain = re.sub(r" \([^)]*\)", "", self.text).split(": ")[-1]
        if self.argument in ("FORMAT", "LEVEL", "ALG") and re.search(r"\w or \w", plain):
            return re.split(r", | or ", plain)
        return []

    @property
    def is_folder(self):
        return self.argument.startswith("DIR")

    @property
    def is_file(self):
        return self.argument.startswith("FILE")


class Command:
    """One row of the overview: noun, verb ("" when the noun stands alone), arguments, summary."""

    def __init__(self, left, summary):
        words = left.split()
        self.noun = words[0]
        self.verb = words[1] if len(words) > 1 and re.fullmatch(r"[a-z-]+", words[1]) else ""
        self.argument = " ".join(words[2:] if self.verb else words[1:])
        self.summary = summary
        self.usage = ""
        self.options = []

    @property
    def words(self):
        return [self.noun, self.verb] if self.verb else [self.noun]


def columns(lines):
    """Rows of two columns, of which a left one that is too long has its right one below it."""
    below = " " * COLUMN
    for line, following in zip(lines, [*lines[1:], ""]):
        if following.startswith(below):
            yield "row", line.strip(), following.strip()
        elif line.startswith(below):
            continue
        elif line.startswith("  ") and line[COLUMN - 1:COLUMN] == " ":
            yield "row", line[:COLUMN].strip(), line[COLUMN:].strip()
        elif match := re.match(r"  ([a-z-]+(?: [a-z-]+)?(?: [A-Z|]+)*) (.*)$", line):
            yield "row", *match.groups()
        elif line and not line.startswith(" "):
            yield "text", line, ""


def help_of(binary, *words):
    done = subprocess.run([binary, *words], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def read_options(command, lines):
    command.usage = lines[0]
    heading = ""
    for kind, left, text in columns(lines[2:]):
        if kind == "text":
            heading = left.removesuffix(":") if left.endswith(":") else heading
        elif left.startswith("--"):
            command.options.append(Option(left, text, heading))


def read_commands(binary):
    """Every command of this binary, with its options, in the order of the help."""
    commands = [Command(left, text) for kind, left, text in columns(help_of(binary, "help")[1:])
                if kind == "row"]
    for command in commands:
        if command.noun not in ALONE:
            read_options(command, help_of(binary, *command.words, "--help"))
    return commands

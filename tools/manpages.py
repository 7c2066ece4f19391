#!/usr/bin/python3
"""Writes docs/man/jeton-NOUN.1, a page for each noun of the command line (jeton-serve.8).

    tools/manpages.py BINARY            writes them
    tools/manpages.py BINARY --check    says which are not what would be written

A page has three sources: the help of the binary, for synopsis and options; the part of
docs/man/jeton.1 about the noun, for what its commands do; docs/man/parts/NOUN.mdoc, if there is
one, for files and examples. A page without the mark below is somebody's own and left alone.
"""

import pathlib
import re
import sys

import command_tables

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "docs/man"
MARK = '.\\" Made by tools/manpages.py; not to be edited.'
ABOUT = {
    "user": "the accounts of people",
    "service": "resource servers",
    "client": "clients of OAuth 2.0",
    "token": "list, revoke and explain tokens",
    "key": "signing keys",
    "audit": "the audit trail",
    "mail": "mails that wait to be sent",
}


def section_of(noun):
    return "8" if noun == "serve" else "1"


def page_of(noun):
    return FOLDER / f"jeton-{noun}.{section_of(noun)}"


def escape(text):
    """Text of the help as mdoc takes it."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "\\&...")
    return "\\&" + text if text[:1] in (".", "'") else text


def word(text):
    """One word of a macro line, which must not be taken for a macro itself."""
    quoted = escape(text)
    return f'"{quoted}"' if " " in quoted else f"\\&{quoted}"


def sentence(text):
    """A line of the help as a sentence; what is no plain word keeps its first letter."""
    first = text.split(" ")[0].rstrip(",;:")
    return escape(text[:1].upper() + text[1:] if first.isalpha() else text) + "."


def description(manual, noun):
    """What the manual of the binary has below COMMANDS about the noun."""
    heading = rf"(?:[a-z, ]+, )?{re.escape(noun)}(?:, [a-z, ]+)?"
    found = re.search(rf"(?ms)^\.Ss {heading}\n(.*?)(?=^\.S[sh] )", manual)
    if not found:
        return []
    # A reference to a section of the other page would lead nowhere here.
    text = re.sub(r"(?m)^\.Sx (.*?)( [.,;])?$",
                  lambda match: f".Dq {match.group(1)}\nin\n.Xr jeton 1{match.group(2) or ''}",
                  found.group(1))
    return text.splitlines()


def synopsis(commands):
    for command in commands:
        yield ".Nm jeton"
        yield ".Cm " + " ".join(command.words)
        if command.argument:
            yield ".Ar " + word(command.argument)
        if any(option.name == "data" for option in command.options):
            yield ".Fl \\-data Ar DIR | Fl \\-database Ar URL"
        yield ".Op Ar option ..."


def option_list(options):
    yield '.Bl -tag -width Ds'
    for option in options:
        argument = f" Ar {word(option.argument)}" if option.argument else ""
        yield f".It Fl \\-{escape(option.name)}{argument}"
        yield sentence(option.text)
        if option.repeats:
            yield "May be repeated."
    yield ".El"


def options_of(commands):
    for command in commands:
        own = [option for option in command.options if option.name not in command_tables.COMMON]
        if own:
            yield ".Ss " + word(" ".join(["jeton", *command.words]))
        heading = ""
        while own:
            if own[0].heading != heading:
                heading = own[0].heading
                yield ".Pp"
                yield escape(heading) + ":"
            yield from option_list([option for option in own if option.heading == heading])
            own = [option for option in own if option.heading != heading]
    common = {option.name: option for command in commands for option in command.options
              if option.name in command_tables.COMMON}
    if common:
        yield ".Ss For each of them" if len(commands) > 1 else ".Ss As for every command"
        yield from option_list(common.values())


def render(noun, commands, manual):
    date = re.search(r"(?m)^\.Dd .*$", manual).group(0)
    about = ABOUT.get(noun) or commands[0].summary
    part = FOLDER / f"parts/{noun}.mdoc"
    lines = [MARK, date, f".Dt JETON-{noun.upper()} {section_of(noun)}", ".Os", ".Sh NAME",
             f".Nm jeton-{noun}", f".Nd {escape(about)}", ".Sh SYNOPSIS", *synopsis(commands),
             ".Sh DESCRIPTION"]
    text = description(manual, noun)
    lines += text
    untold = [command for command in commands
              if not any(re.match(rf"\.It Cm {command.verb}\b", line) for line in text)]
    if commands[0].verb and untold:
        lines += [".Bl -tag -width Ds"]
        for command in untold:
            argument = f" Ar {word(command.argument)}" if command.argument else ""
            lines += [f".It Cm {command.verb}{argument}", sentence(command.summary)]
        lines += [".El"]
    elif not text:
        lines += [sentence(commands[0].summary)]
    lines += [".Sh OPTIONS", *options_of(commands), ".Sh EXIT STATUS",
              "0 done; 1 refused, with one line on standard error that says why and what to do; "
              "2 wrong usage."]
    lines += part.read_text().splitlines() if part.is_file() else []
    lines += [".Sh SEE ALSO", ".Xr jeton 1 ,", ".Xr jeton.yaml 5"]
    # A paragraph before or after a heading is none.
    text = re.sub(r"(?m)^\.Pp\n(?=\.(Pp|S[sh]|Bl)\b)", "", "\n".join(lines) + "\n")
    return re.sub(r"(?m)^(\.S[sh] .*)\n\.Pp$", r"\1", text)


def is_own(path):
    return path.is_file() and not path.read_text().startswith(MARK)


def pages(binary):
    """Path and text of every page that is made."""
    manual = (FOLDER / "jeton.1").read_text()
    nouns = {}
    for command in command_tables.read_commands(binary):
        if command.noun not in command_tables.ALONE:
            nouns.setdefault(command.noun, []).append(command)
    return {page_of(noun): render(noun, commands, manual) for noun, commands in nouns.items()
            if not is_own(page_of(noun))}


def main():
    made = pages(sys.argv[1])
    stray = [path for path in FOLDER.glob("jeton-*.[18]") if not is_own(path) and path not in made]
    if "--check" in sys.argv[2:]:
        old = [path for path, text in made.items()
               if not path.is_file() or path.read_text() != text]
        for path in old + stray:
            print(f"{path.name}: not what tools/manpages.py writes")
        return 1 if old or stray else 0
    for path, text in made.items():
        path.write_text(text)
    for path in stray:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())

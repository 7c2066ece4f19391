#!/usr/bin/python3
"""Writes packaging/completion: jeton's commands, options and their words for bash, zsh and fish.

    tools/completion.py BINARY            writes them
    tools/completion.py BINARY --check    says which are not what would be written

What stands in them is the help of the binary. Where an argument is a file or a folder, those are
offered; where it is one of a few words, those.
"""

import pathlib
import sys

import command_tables

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "packaging/completion"
HEAD = "Made by tools/completion.py; not to be edited."

BASH = r"""
_jeton()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local noun=${COMP_WORDS[1]} verb=${COMP_WORDS[2]} words=

    # bash takes --name=value for three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if ((COMP_CWORD == 1)); then
        words=$(_jeton_verbs '')
    elif ((COMP_CWORD == 2)) && words=$(_jeton_verbs "$noun") && [[ -n $words ]]; then
        :
    else
        words=$(_jeton_words "$noun" "$verb" "$before")
    fi
    # Names on this machine where they are asked for; an option where a dash has been typed.
    if [[ $words == =* && $word != -* ]]; then
        compopt -o filenames 2>/dev/null
        if [[ $words == =file* ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
        else
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
        fi
    else
        mapfile -t COMPREPLY < <(compgen -W "${words#=* }" -- "$word")
    fi
}

complete -F _jeton jeton
"""

ZSH = r"""
_jeton()
{
    local noun=${words[2]} verb=${words[3]} before=${words[CURRENT-1]} offered

    # --name=value is one word here.
    if [[ ${words[CURRENT]} == --*=* ]]; then
        before=${words[CURRENT]%%=*}
        compset -P '*='
    fi
    if (( CURRENT == 2 )); then
        offered=$(_jeton_verbs '')
    elif (( CURRENT == 3 )) && offered=$(_jeton_verbs $noun) && [[ -n $offered ]]; then
        :
    else
        offered=$(_jeton_words "$noun" "$verb" "$before")
    fi
    if [[ $offered == "="* && ${words[CURRENT]} != -* ]]; then
        if [[ $offered == "=file"* ]]; then
            _files
        else
            _files -/
        fi
    else
        offered=${offered#=* }
        compadd -- ${=offered}
    fi
}

# Found in fpath, this file is the function's first call; otherwise it was sourced.
if [[ $ZSH_EVAL_CONTEXT == *loadautofunc ]]; then
    _jeton "$@"
else
    compdef _jeton jeton
fi
"""


def kind_of(option):
    """What is offered after the option: words, =file, =folder, nothing, or None for a switch."""
    if not option.argument:
        return None
    if option.is_folder:
        return "=folder"
    if option.is_file:
        return "=file"
    return " ".join(option.choices)


def rows(commands):
    """The arms of a shell's case over `NOUN VERB OPTION`."""
    for command in commands:
        key = " ".join(command.words)
        # Of a noun that stands alone the second word is whatever it is.
        pattern = f'"{key} "' if command.verb else f'"{key} "*" "'
        kinds = {}
        for option in command.options:
            kind = kind_of(option)
            if kind is not None:
                kinds.setdefault(kind, []).append(f"{pattern}--{option.name}")
        for kind, names in kinds.items():
            yield " | ".join(names), kind
        names = " ".join(f"--{option.name}" for option in command.options)
        # A file or folder where it is the argument, options behind it.
        kind = {"FILE": "=file ", "DIR": "=folder "}.get(command.argument.split("|")[0], "")
        if names:
            yield f"{pattern}*", kind + names


def functions(commands):
    """The tables, as shell functions that bash and zsh both read."""
    nouns = list(dict.fromkeys(command.noun for command in commands))
    lines = ["# _jeton_verbs NOUN: what may follow it; without a noun, the nouns.",
             "_jeton_verbs()", "{", "    case $1 in", f"    '') echo {' '.join(nouns)} ;;"]
    for noun in nouns:
        verbs = [command.verb for command in commands if command.noun == noun and command.verb]
        if verbs:
            lines.append(f"    {noun}) echo {' '.join(verbs)} ;;")
    lines += ["    esac", "}", "",
              "# _jeton_words NOUN VERB BEFORE: what may stand after the word BEFORE.",
              "_jeton_words()", "{", '    case "$1 $2 $3" in']
    for pattern, words in rows(commands):
        lines += [f"    {pattern})", f"        echo '{words}'", "        ;;"]
    return "\n".join([*lines, "    esac", "}"]) + "\n"


def fish_quote(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish(commands):
    yield f"# {HEAD}"
    yield "complete -c jeton -f"
    nouns = {}
    for command in commands:
        nouns.setdefault(command.noun, []).append(command)
    for noun, rows_of_noun in nouns.items():
        alone = not rows_of_noun[0].verb
        about = f" -d {fish_quote(rows_of_noun[0].summary)}" if alone else ""
        yield f"complete -c jeton -n __fish_use_subcommand -a {noun}{about}"
        verbs = " ".join(command.verb for command in rows_of_noun)
        for command in rows_of_noun:
            seen = f"__fish_seen_subcommand_from {noun}"
            if not alone:
                yield (f"complete -c jeton -n '{seen}; and not __fish_seen_subcommand_from {verbs}'"
                       f" -a {command.verb} -d {fish_quote(command.summary)}")
                seen += f"; and __fish_seen_subcommand_from {command.verb}"
            if command.argument.startswith(("FILE", "DIR")):
                yield f"complete -c jeton -n '{seen}' -F"
            for option in command.options:
                kind = kind_of(option)
                more = {None: "", "": " -x", "=file": " -r -F",
                        "=folder": " -x -a '(__fish_complete_directories)'"}.get(kind)
                more = f" -x -a {fish_quote(kind)}" if more is None else more
                yield (f"complete -c jeton -n '{seen}' -l {option.name}{more}"
                       f" -d {fish_quote(option.text)}")


def files(binary):
    commands = command_tables.read_commands(binary)
    tables = functions(commands)
    return {FOLDER / "jeton.bash": f"# {HEAD}\n{tables}{BASH}",
            FOLDER / "_jeton": f"#compdef jeton\n# {HEAD}\n{tables}{ZSH}",
            FOLDER / "jeton.fish": "\n".join(fish(commands)) + "\n"}


def main():
    made = files(sys.argv[1])
    if "--check" in sys.argv[2:]:
        old = [path for path, text in made.items()
               if not path.is_file() or path.read_text() != text]
        for path in old:
            print(f"{path.name}: not what tools/completion.py writes")
        return 1 if old else 0
    FOLDER.mkdir(exist_ok=True)
    for path, text in made.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

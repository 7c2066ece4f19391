#!/usr/bin/env python3
"""Compiles pages/ to C: templates to functions that escape by default, other files to bytes.

    pages.py OUTPUT.c OUTPUT.h FILE...

NAME.html becomes  struct page_NAME { struct str a; ... };  and
                   void page_NAME_render(const struct page_NAME *values, struct buffer *to);
where {{a}} in the template stands for values->a, escaped for HTML. There is no way to write a value
unescaped. Any other NAME.EXT becomes  extern const struct str page_NAME_EXT.
"""
import pathlib
import re
import sys

PLACE = re.compile(r"\{\{([a-z][a-z0-9_]*)\}\}")


def c_text(text):
    """A C string literal, one source line per line of text."""
    quoted = []
    for line in text.splitlines(keepends=True):
        body = line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        body = "".join(c if " " <= c <= "~" else "".join(f"\\{b:03o}" for b in c.encode())
                       for c in body)
        quoted.append(f'    "{body}"')
    return "\n".join(quoted) or '    ""'


def template(name, text):
    """Declaration and definition of one template."""
    parts = PLACE.split(text)
    names = sorted(set(parts[1::2]))
    if "{{" in "".join(parts[0::2]):
        sys.exit(f"pages.py: {name}.html: a '{{{{' that is no value's place")
    fields = "".join(f"    struct str {each};\n" for each in names)
    declaration = (f"struct page_{name} {{\n{fields}}};\n"
                   f"void page_{name}_render(const struct page_{name} *values, "
                   f"struct buffer *to);\n")
    lines = []
    for index, part in enumerate(parts):
        if index % 2:
            lines.append(f"    html_escape(values->{part}, to);")
        elif part:
            lines.append(f"    BUFFER_APPEND_LITERAL(to,\n{c_text(part)});")
    definition = (f"void page_{name}_render(const struct page_{name} *values, "
                  f"struct buffer *to)\n{{\n" + "\n".join(lines) + "\n}\n")
    return declaration, definition


def asset(name, text):
    """Declaration and definition of one file that is served as it is."""
    declaration = f"extern const struct str page_{name};\n"
    definition = (f"static const char {name}_bytes[] =\n{c_text(text)};\n"
                  f"const struct str page_{name} = {{ {name}_bytes, sizeof({name}_bytes) - 1 }};\n")
    return declaration, definition


def main():
    out_c, out_h = map(pathlib.Path, sys.argv[1:3])
    made = []
    for path in map(pathlib.Path, sys.argv[3:]):
        text = path.read_text(encoding="utf-8")
        made.append(template(path.stem, text) if path.suffix == ".html"
                    else asset(path.name.replace(".", "_"), text))
    guard = "JETON_PAGES_H"
    out_h.write_text("/* Made from pages/ by tools/pages.py. */\n"
                     f"#ifndef {guard}\n#define {guard}\n\n"
                     '#include "base/buffer.h"\n\n' + "\n".join(d for d, _ in made) + "\n#endif\n")
    out_c.write_text(f'#include "{out_h.name}"\n\n#include "codec/html.h"\n\n'
                     + "\n".join(d for _, d in made))


if __name__ == "__main__":
    main()

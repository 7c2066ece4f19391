#!/usr/bin/env python3
"""Compiles pages/ to C: templates to functions that escape by default, other files to bytes.

    pages.py OUTPUT.c OUTPUT.h FILE...
    pages.py --check FILE...     what the languages lack and what nothing uses; status 1 when any
    pages.py --fields README FILE...    writes the fields of every page into pages/README.md

NAME.html is a page, _NAME.html a partial and NAME.mail a mail; messages.txt has the texts that
handlers choose from; other .txt files are languages, by their code; whatever else is served as it
is. What a file may hold is said in pages/README.md, and read by tools/page_template.py.
"""

import hashlib
import html
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from page_template import IN_TEXT, Struct, Template, Wrong, names_in, with_marks

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".svg": "image/svg+xml", ".ico": "image/x-icon", ".png": "image/png"}
TAKEN = {"page_file", "page_language", "page_piece", "page_text", "page_words"}
MESSAGE_VALUES = ["value", "%number"]
PIECES = {"text": "PAGE_PIECE_TEXT", "number": "PAGE_PIECE_NUMBER", "time": "PAGE_PIECE_TIME"}


def c_text(text):
    """C string literals, one for each line of the text."""
    quoted = []
    for line in text.splitlines(keepends=True):
        parts = [f"\\{byte:03o}" if not 0x20 <= byte < 0x7f or byte == ord("?") else
                 "\\" + chr(byte) if chr(byte) in '"\\' else chr(byte) for byte in line.encode()]
        quoted.append('"' + "".join(parts) + '"')
    return "\n        ".join(quoted) or '""'


def c_bytes(data):
    """The bytes of a file as C string literals of one line each."""
    rows = [data[at:at + 24] for at in range(0, len(data), 24)]
    quoted = ['"' + "".join(f"\\{byte:03o}" for byte in row) + '"' for row in rows]
    return "\n    ".join(quoted) or '""'


class Site:
    """All of pages/, read."""

    def __init__(self, paths):
        self.shared, self.texts, self.languages, self.messages = {}, {}, {}, {}
        files = [path for path in paths if path.suffix not in (".html", ".mail", ".txt")]
        self.files = {path.name: path.read_bytes() for path in files}
        for path in files:
            if path.suffix not in TYPES:
                raise Wrong((path, 1), "files of this kind are not served")
        partials = {path.stem[1:]: path for path in paths
                    if path.suffix == ".html" and path.stem.startswith("_")}
        self.pages = {path.stem: Template(path.stem, path, partials, self.shared, self.files)
                      for path in paths
                      if path.suffix in (".html", ".mail") and not path.stem.startswith("_")}
        for page in self.pages.values():
            if page.struct.name in TAKEN:
                raise Wrong((page.path, 1), f"{page.struct.name} has another meaning")
            self.note_texts(page.nodes, page)
        for path in paths:
            if path.name == "messages.txt":
                self.read_messages(path)
        for path in paths:
            if path.suffix == ".txt" and path.name != "messages.txt":
                self.read_language(path)

    def note_text(self, key, place, is_mail=False):
        """A text is in the tables once as HTML, once for mails, as it is needed."""
        names = names_in(key)
        if len(names) > 8 or len(set(names)) < len(names):
            raise Wrong(place, f"«{key}» names a value twice, or more than eight")
        self.texts.setdefault((key, is_mail), len(self.texts))

    def note_texts(self, nodes, page):
        for node in nodes:
            if node[0] == "words":
                self.note_text(node[1], (page.path, 1), page.is_mail)
            elif node[0] == "value" and node[4]:
                self.note_text(node[4], (page.path, 1), page.is_mail)
            elif node[0] == "if":
                self.note_texts(node[2] + node[3], page)
            elif node[0] == "each":
                self.note_texts(node[2], page)

    def read_messages(self, path):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if not line or line.startswith("#"):
                continue
            match = re.fullmatch(r"([a-z][a-z0-9_]*): (\S(?:.*\S)?)", line)
            if not match:
                raise Wrong((path, number), "a message is NAME: TEXT")
            name, key = match.groups()
            if name in self.messages:
                raise Wrong((path, number), f"{name} stands twice")
            if not set(names_in(key)) <= set(MESSAGE_VALUES):
                raise Wrong((path, number), "a message has {value} and {%number} only")
            # Marks are numbered by the order of names in a text; here that order is fixed.
            if (key, False) in self.texts and key not in self.messages.values() and names_in(key):
                raise Wrong((path, number), "a page has the same text")
            self.note_text(key, (path, number))
            self.messages[name] = key

    def order(self, key, is_mail):
        """What the bytes 1, 2, ... of a text stand for."""
        if not is_mail and key in self.messages.values():
            return MESSAGE_VALUES
        return [sigil + name for sigil, name in IN_TEXT.findall(key)]

    def read_language(self, path):
        """First line: the language's own name. Then pairs of lines, with empty ones between."""
        lines = list(enumerate(path.read_text(encoding="utf-8").split("\n"), 1))
        lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
        if not lines or not re.fullmatch("[a-z]{2,3}", path.stem):
            raise Wrong((path, 1), "not a language")
        if len(lines) % 2 != 1:
            raise Wrong((path, lines[-1][0]), "a text without its translation")
        found = {}
        for (number, key), (_, text) in zip(lines[1::2], lines[2::2]):
            if key in found:
                raise Wrong((path, number), f"«{key}» stands twice")
            if names_in(key) != names_in(text):
                raise Wrong((path, number + 1), "names other values than the English")
            try:
                with_marks(text, names_in(text))
            except ValueError as fault:
                raise Wrong((path, number + 1), str(fault)) from fault
            found[key] = text
        self.languages[path.stem] = lines[0][1], found

    def check(self):
        """Lines about what is missing and what is not used."""
        used = list(dict.fromkeys(key for key, _ in self.texts))
        for code, (_, found) in sorted(self.languages.items()):
            yield from (f"{code}: missing: {key}" for key in used if key not in found)
            yield from (f"{code}: not used: {key}" for key in found if key not in used)


class Writer:
    """Writes the C of a site."""

    def __init__(self, site):
        self.site = site
        self.head = []
        self.body = []

    def declare(self, struct, pointers=()):
        """A struct's declaration, those of its lists first."""
        lines = list(pointers)
        for name, (kind, items, _) in struct.fields.items():
            if kind == "list":
                self.declare(items)
                lines += [f"const struct {items.name} *{name};", f"size_t {name}_count;"]
            else:
                lines.append({"text": "struct str ", "uri": "struct str ", "number": "int64_t ",
                              "time": "int64_t ", "secret": "const struct secret *",
                              "words": "struct page_words ", None: "bool "}[kind] + name + ";")
        self.head.append(f"struct {struct.name} {{\n" + "".join(f"    {line}\n" for line in lines)
                         + ("" if lines else "    bool has_nothing;\n") + "};\n")

    def truth(self, found):
        place, (kind, _, _) = found
        return {"text": f"{place}.len > 0", "uri": f"{place}.len > 0",
                "number": f"{place} != 0", "time": f"{place} != 0",
                "secret": f"{place} != NULL", "words": f"{place}.text != PAGE_TEXT_NONE",
                "list": f"{place}_count > 0", None: place}[kind]

    def literal(self, text):
        return [f"    BUFFER_APPEND_LITERAL(to,\n        {c_text(text)});"]

    def value(self, kind, found, where, instead):
        place = found[0]
        if where == "mail" and kind == "text":
            return [f"    page_plain_render({place}, to);"]
        if where == "mail" and kind == "secret":
            return [f"    if ({place} != NULL)",
                    f"        page_plain_render(secret_expose({place}), to);"]
        if kind in ("text", "uri"):
            writer = {"url": "uri_encode", "lines": "page_lines_render"}.get(where, "html_escape")
            return [f"    {writer}({place}, to);"]
        if kind == "time":
            words = (f"language->texts[{self.site.texts[instead, where == 'mail']}]" if instead
                     else 'STR("\\342\\200\\223")')
            writer = "page_plain_time_render" if where == "mail" else "page_time_render"
            return [f"    {writer}({place}, {words}, to);"]
        if kind == "words":
            piece = "PAGE_PIECE_NAME" if where == "text" else "PAGE_PIECE_TEXT"
            return [f"    words_render(&{place}, {piece}, language, to);"]
        return [f"    page_{kind}_render({place}, to);"]

    def words(self, key, values, where):
        text = f"language->texts[{self.site.texts[key, where == 'mail']}]"
        if not values:
            return [f"    buffer_append_str(to, {text});"]
        pieces = []
        for kind, (place, _) in values:
            # Among other words a value is kept apart, so that its direction does not turn theirs.
            piece = "PAGE_PIECE_NAME" if (kind, where) == ("text", "text") else PIECES[kind]
            if where == "mail":
                piece = piece.replace("PIECE_T", "PIECE_PLAIN_T")
            pieces.append(f"{{ .kind = {piece}, "
                          f".{'text' if kind == 'text' else 'number'} = {place} }}")
        return ["    page_text_render(" + text + ", (const struct page_piece[]){\n        "
                + ",\n        ".join(pieces) + f" }}, {len(pieces)}, to);"]

    def nodes(self, nodes):
        lines, text = [], ""
        for node in nodes + [("end",)]:
            text += {"literal": lambda n=node: n[1],
                     "file": lambda n=node: f"/{n[1]}?v={self.version(n[1])}"
                     }.get(node[0], lambda: "")()
            if node[0] in ("literal", "file"):
                continue
            lines += self.literal(text) if text else []
            text = ""
            if node[0] == "value":
                lines += self.value(*node[1:])
            elif node[0] == "words":
                lines += self.words(*node[1:])
            elif node[0] == "language":
                lines.append("    buffer_append_str(to, language->code);")
            elif node[0] == "if":
                lines += [f"    if ({self.truth(node[1])}) {{", *self.nodes(node[2])]
                lines += ["    } else {", *self.nodes(node[3])] if node[3] else []
                lines.append("    }")
            elif node[0] == "each":
                place, (_, items, _) = node[1]
                index = node[3].replace("item", "at")
                lines += [f"    for (size_t {index} = 0; {index} < {place}_count; {index}++) {{",
                          f"    const struct {items.name} *{node[3]} = &{place}[{index}];",
                          f"    (void){node[3]};", *self.nodes(node[2]), "    }"]
        return lines

    def version(self, name):
        return hashlib.sha256(self.site.files[name]).hexdigest()[:16]

    def page(self, name, page):
        self.declare(page.struct, [f"const struct page_{group} *{group};" for group in page.uses])
        call = (f"void page_{name}_render(const struct page_{name} *values,\n"
                f"    const struct page_language *language, struct buffer *to)")
        self.head.append(call + ";\n")
        self.body.append(call + "\n{\n    (void)values;\n    (void)language;\n"
                         + "\n".join(self.nodes(page.nodes)) + "\n}\n")

    def messages(self):
        names = "".join(f"    PAGE_TEXT_{name.upper()},\n" for name in self.site.messages)
        self.head.append("enum page_text {\n    PAGE_TEXT_NONE,\n" + names
                         + "    PAGE_TEXT_COUNT\n};\n\n"
                         "/* A message, and what stands for its {value} and {%number}. */\n"
                         "struct page_words {\n    enum page_text text;\n"
                         "    struct str value;\n    int64_t number;\n};\n")
        rows = "".join(f"    [PAGE_TEXT_{name.upper()}] = {self.site.texts[key, False]},\n"
                       for name, key in self.site.messages.items())
        self.body.append(
            "static const size_t message_texts[PAGE_TEXT_COUNT] = {\n    0,\n" + rows + "};\n\n"
            "__attribute__((unused)) static void words_render(const struct page_words *words,\n"
            "    enum page_piece_kind kind, const struct page_language *language,\n"
            "    struct buffer *to)\n{\n"
            "    if (words->text == PAGE_TEXT_NONE)\n        return;\n"
            "    page_text_render(language->texts[message_texts[words->text]],\n"
            "        (const struct page_piece[]){\n"
            "            { .kind = kind, .text = words->value },\n"
            "            { .kind = PAGE_PIECE_NUMBER, .number = words->number } }, 2, to);\n}\n")

    def texts(self):
        rows, tables = [], []
        for code, (name, found) in [("en", ("English", {})), *sorted(self.site.languages.items())]:
            texts = [c_text(with_marks(found.get(key, key), self.site.order(key, is_mail),
                                       str if is_mail else html.escape))
                     for key, is_mail in self.site.texts]
            table = "".join(f"    TEXT({text}),\n" for text in texts) or "    TEXT(\"\"),\n"
            tables.append(f"static const struct str texts_{code}[] = {{\n{table}}};\n")
            rows.append(f"    {{ TEXT(\"{code}\"), TEXT({c_text(name)}), texts_{code} }},\n")
        self.body += tables
        self.body.append("const struct page_language page_languages[] = {\n" + "".join(rows)
                         + "};\n"
                         f"const size_t page_language_count = {len(rows)};\n")

    def asset(self, name, data):
        c_name = re.sub(r"[^a-z0-9]", "_", name)
        kind = TYPES[pathlib.Path(name).suffix]
        self.head.append(f"extern const struct page_file page_{c_name};\n")
        self.body.append(f"static const char {c_name}_bytes[] =\n    {c_bytes(data)};\n"
                         f"const struct page_file page_{c_name} = {{\n    TEXT(\"{kind}\"),\n"
                         f"    TEXT(\"{self.version(name)}\"),\n"
                         f"    {{ {c_name}_bytes, sizeof({c_name}_bytes) - 1 }} }};\n")

    def write(self, out_c, out_h):
        self.texts()
        self.messages()
        for name, data in self.site.files.items():
            self.asset(name, data)
        for _, struct in sorted(self.site.shared.items()):
            self.declare(struct)
        for name, page in self.site.pages.items():
            self.page(name, page)
        out_h.write_text("/* Made from pages/ by tools/pages.py. */\n#ifndef JETON_PAGES_H\n"
                         '#define JETON_PAGES_H\n\n#include "base/secret.h"\n'
                         '#include "web/page_writer.h"\n\n' + "\n".join(self.head) + "\n#endif\n")
        out_c.write_text(f'#include "{out_h.name}"\n\n#include "codec/html.h"\n'
                         '#include "codec/uri.h"\n\n'
                         "/* What ISO C promises a literal at least is less than a page. */\n"
                         '#pragma GCC diagnostic ignored "-Woverlength-strings"\n\n'
                         '#define TEXT(literal) { literal, sizeof(literal) - 1 }\n\n'
                         + "\n".join(self.body))


def field_words(struct, prefix=""):
    """`name` text, ...: as the README lists the fields of a struct."""
    out = []
    for name, (kind, items, _) in struct.fields.items():
        out.append(f"`{prefix}{name}`" + ("" if kind == "text" else f" {kind or 'flag'}"))
        if kind == "list":
            out += field_words(items, f"{prefix}{name}[].")
    return out


def field_table(site):
    """Markdown: what every struct holds."""
    structs = [*sorted(site.shared.items()), *((n, page.struct) for n, page in site.pages.items())]
    return "| page | fields |\n|---|---|\n" + "".join(
        f"| `{name}` | {', '.join(field_words(struct)) or 'none'} |\n" for name, struct in structs)


def document(site, readme):
    """Renews the table at the end of the README."""
    text = readme.read_text(encoding="utf-8")
    head, mark, _ = text.partition("| page | fields |\n")
    if not mark:
        raise Wrong((readme, 1), "no table of fields")
    readme.write_text(head + field_table(site), encoding="utf-8")


def main():
    arguments = sys.argv[1:]
    mode = arguments.pop(0) if arguments and arguments[0].startswith("--") else ""
    count = {"": 2, "--check": 0, "--fields": 1}.get(mode)
    if count is None or len(arguments) <= count:
        print(__doc__, file=sys.stderr)
        return 2
    outputs = [pathlib.Path(each) for each in arguments[:count]]
    try:
        site = Site([pathlib.Path(each) for each in arguments[count:]])
        if mode == "--check":
            lines = list(site.check())
            print("\n".join(lines + [f"pages: {len(site.texts)} texts, {len(lines)} to mend"]))
            return 1 if lines else 0
        if mode == "--fields":
            document(site, outputs[0])
        else:
            Writer(site).write(*outputs)
    except Wrong as fault:
        print(f"pages.py: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

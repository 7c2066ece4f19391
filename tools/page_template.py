"""Reads one template of pages/: its syntax, its fields, and where in the HTML each value stands.

pages/README.md has the syntax. Everything that could let a value out of its place is refused here,
when the program is built: what is not plainly safe is not in the lists below.
"""

import html
import re

ELEMENTS = set("""a abbr bdi body br button caption code datalist dd details dialog div dl dt em
    fieldset footer form h1 h2 h3 head header hr html img input kbd label legend li link main
    meta nav ol optgroup option output p path pre script section select small span strong
    summary svg table tbody td textarea tfoot th thead time title tr ul""".split())
ATTRIBUTES = set("""action alt autocapitalize autocomplete autofocus charset checked class cols
    colspan content d datetime defer dir disabled download for formaction formnovalidate height
    hidden href id inputmode lang list max maxlength method min minlength multiple name
    novalidate open pattern placeholder readonly rel required role rows rowspan scope selected
    shape-rendering size spellcheck src step tabindex title type value viewbox width
    wrap""".split())
PLAIN = {"title", "textarea", "option"}  # text in them holds no elements
URLS = {"action", "formaction", "href", "src"}
TOKEN = re.compile(r"\{\{(.*?)\}\}(?!\})", re.S)
NAME = r"(?:\.\./)*[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?"
KINDS = {"": "text", "%": "number", "@": "time", "*": "secret", "&": "words", "!": "uri"}
IN_TEXT = re.compile(r"\{([%@]?)(" + NAME + r")\}")


class Wrong(Exception):
    """A template that is not to be compiled; the text says where and why."""

    def __init__(self, place, words):
        super().__init__(f"{place[0]}:{place[1]}: {words}")


class Struct:
    """A generated C struct: field name -> [kind, Struct of a list's items or None, place]."""

    def __init__(self, name):
        self.name = name
        self.fields = {}

    def field(self, name, kind, place):
        """Notes a use of a field. A mere condition (kind None) says nothing about its kind yet."""
        known = self.fields.setdefault(name, [None, None, place])
        if kind and known[0] and known[0] != kind:
            raise Wrong(place, f"{name} is {kind} here and {known[0]} at "
                               f"{known[2][0]}:{known[2][1]}")
        if kind and not known[0]:
            known[0], known[2] = kind, place
        if kind == "list" and known[1] is None:
            known[1] = Struct(f"{self.name}_{name}")
        return known


class Html:
    """Where in a document one stands: in text, in a tag, in a quoted attribute value."""

    def __init__(self, place):
        self.file, self.line = place
        self.mode = "text"      # text, name, tag, attribute, equals, value, script
        self.word = ""          # of the name, attribute or value that is being read
        self.element = ""
        self.attributes = {}    # of the tag that is being read; "\0" stands for a value of ours
        self.after_word = False  # a space has to come before the next attribute
        self.lacks_csrf = False
        self.leads_away = False  # in a form that goes to a client

    def copy(self):
        other = Html((self.file, self.line))
        other.__dict__.update(self.__dict__, attributes=dict(self.attributes))
        return other

    def state(self):
        """What has to be the same whichever way a template took to come here."""
        element = self.element if self.mode != "text" or self.element in PLAIN else ""
        attribute = self.word if self.mode == "value" else ""
        # How a URL began decides what may follow.
        begin = self.attributes[attribute][:2] if attribute in URLS else ""
        return self.mode, element, self.lacks_csrf, self.leads_away, attribute, len(begin)

    def join(self, other):
        """Another way that led to the same state."""
        self.after_word = self.after_word or other.after_word
        self.attributes = {**other.attributes, **self.attributes}

    def wrong(self, words):
        return Wrong((self.file, self.line), words)

    def literal(self, text, place):
        self.file, self.line = place
        for char in text:
            getattr(self, "in_" + self.mode)(char)
            self.line += char == "\n"

    def pause(self):
        """A template's own tag comes next: a name that was being read ends here."""
        if self.mode == "name":
            self.end_name()
            self.after_word = True
        elif self.mode == "attribute":
            self.end_attribute()
            self.after_word = True

    def value(self, place, kind):
        """Something is written here at run time; returns where: text, plain, lines,
        attribute or url."""
        self.file, self.line = place
        if kind == "uri" and self.mode != "value":
            raise self.wrong("the URI of a client is the whole action of a form")
        if self.mode == "text":
            if self.element == "textarea" and kind == "text":
                return "lines"
            return "plain" if self.element in PLAIN else "text"
        if self.mode != "value":
            raise self.wrong("a value may stand in text and in a quoted attribute value only")
        attribute = self.word
        begun = self.attributes[attribute]
        self.attributes[attribute] += "\0"
        if kind == "uri":
            if self.element != "form" or attribute != "action" or begun:
                raise self.wrong("the URI of a client is the whole action of a form")
            return "elsewhere"
        if attribute not in URLS:
            return "attribute"
        if kind == "file":
            if begun:
                raise self.wrong("the path of a file is a whole URL")
        elif not begun:
            raise self.wrong(f"{attribute} has to begin with a literal /, ? or #")
        return "url"

    # One function for each mode: what the next character does.

    def in_text(self, char):
        if char == "<":
            self.mode, self.word = "name", ""

    def in_name(self, char):
        if char.isalnum() or char in "/!" and self.word == "":
            self.word += char.lower()
            return
        self.end_name()
        self.in_tag(char)

    def end_name(self):
        name = self.word.lstrip("/")
        if self.word == "!doctype":
            name = "html"
        elif name not in ELEMENTS or self.word.startswith("!"):
            raise self.wrong(f"<{self.word}> is not among the elements that pages may have")
        self.mode, self.element, self.attributes = "tag", self.word, {}
        self.after_word = True
        if self.word == "/form" and self.lacks_csrf:
            raise self.wrong("a form that posts has to have the hidden field csrf")

    def in_tag(self, char):
        if char.isspace():
            self.after_word = False
        elif char == ">":
            self.end_tag()
        elif char.isalpha() and not self.after_word:
            self.mode, self.word = "attribute", char.lower()
        elif char != "/":
            raise self.wrong(f"{char!r} is not expected in <{self.element}>")

    def in_attribute(self, char):
        if char.isalnum() or char == "-":
            self.word += char.lower()
        elif char == "=":
            self.check_attribute()
            self.mode = "equals"
        else:
            self.end_attribute()
            self.in_tag(char)

    def check_attribute(self):
        if self.element == "!doctype" and self.word == "html":
            return
        if self.word not in ATTRIBUTES and not re.match(r"(aria|data)-[a-z-]+$", self.word):
            raise self.wrong(f"{self.word} is not among the attributes that pages may have")
        if self.word in self.attributes:
            raise self.wrong(f"{self.word} stands twice")
        self.attributes[self.word] = ""

    def end_attribute(self):
        self.check_attribute()
        self.mode, self.after_word = "tag", False

    def in_equals(self, char):
        if char != '"':
            raise self.wrong(f"the value of {self.word} has to stand in double quotes")
        self.mode = "value"

    def in_value(self, char):
        text = self.attributes[self.word]
        if char == '"':
            if self.word in URLS and text == "":
                raise self.wrong(f"{self.word} is empty")
            self.mode, self.after_word = "tag", True
            return
        if self.word == "action" and text == "\0":
            raise self.wrong("the URI of a client is the whole action of a form")
        if self.word in URLS:
            if text == "" and char not in "/?#":
                raise self.wrong(f"{self.word} has to begin with a literal /, ? or #")
            if text == "/" and char in "/\\":
                raise self.wrong(f"{self.word} would leave this server")
        self.attributes[self.word] = text + char

    def end_tag(self):
        self.mode = "text"
        method = self.attributes.get("method", "").lower()
        if self.element == "form":
            if method not in ("get", "post"):
                raise self.wrong("a form has to say its method")
            self.leads_away = self.attributes.get("action") == "\0"
            self.lacks_csrf = method == "post" and not self.leads_away
        elif self.element == "/form":
            self.lacks_csrf = self.leads_away = False
        elif self.element == "input" and self.attributes.get("name") == "csrf":
            if self.leads_away:
                raise self.wrong("a form that leads to a client tells it no csrf")
            self.lacks_csrf = False
        elif self.element == "script":
            if not self.attributes.get("src"):
                raise self.wrong("a script has to come from a file")
            self.mode, self.word = "script", ""

    def in_script(self, char):
        self.word += char
        if not "</script>".startswith(self.word):
            raise self.wrong("a script has no content")
        if self.word == "</script>":
            self.mode, self.element = "text", ""


class Mail:
    """Stands in for Html in a mail, where everything is text."""

    mode = "text"

    def literal(self, text, place):
        pass

    def pause(self):
        pass

    def join(self, other):
        pass

    def copy(self):
        return self

    def state(self):
        return None

    def value(self, place, kind):
        if kind in ("file", "words"):
            raise Wrong(place, f"{kind} does not stand in a mail")
        return "mail"


class Template:
    """One template and the partials that it includes, as a tree of nodes (tuples)."""

    def __init__(self, name, path, partials, shared, files):
        self.path = path
        self.struct = Struct(f"page_{name}")
        self.partials = partials  # name -> path
        self.shared = shared      # name -> Struct, of all templates
        self.files = files        # names of static files
        self.uses = []            # shared structs that this one points to
        self.loops = 0
        self.open_partials = []
        self.is_mail = path.suffix == ".mail"
        self.html = Mail() if self.is_mail else Html((str(path), 1))
        self.scopes = [(self.struct, "values")]
        self.tokens = self.read(path)
        self.nodes, _ = self.parse(None)
        if self.html.mode != "text":
            raise self.html.wrong("the file ends inside a tag")

    def read(self, path):
        """The file as [place, is_tag, text], innermost partials included by the parser."""
        text, tokens, end, line = path.read_text(encoding="utf-8"), [], 0, 1
        # A line of nothing but the template's own blocks leaves no empty line behind.
        text = re.sub(r"^[ \t]*((?:\{\{(?:[?#/>][^}]*|:)\}\}[ \t]*)+)\n",
                      lambda match: match.group(1).rstrip() + "\1", text, flags=re.M)
        for match in TOKEN.finditer(text):
            tokens.append([(str(path), line), False, text[end:match.start()]])
            line += text.count("\n", end, match.start()) + text.count("\1", end, match.start())
            tokens.append([(str(path), line), True, match.group(1)])
            line += match.group(0).count("\n")
            end = match.end()
        tokens.append([(str(path), line), False, text[end:]])
        for place, is_tag, literal in tokens:
            if not is_tag and "{{" in literal:
                raise Wrong(place, "a {{ without its }}")
        tokens.append([(str(path), line), None, ""])
        return iter(tokens)

    def parse(self, opened):
        """Nodes up to the {{:}} or {{/name}} that belongs to `opened`, and which it was."""
        nodes = []
        for place, is_tag, text in self.tokens:
            if is_tag is None:
                if opened:
                    raise Wrong(opened[0], f"{{{{{opened[1]}}}}} is not closed")
                return nodes, "end"
            if not is_tag:
                self.html.literal(text.replace("\1", "\n"), place)
                if text.replace("\1", ""):
                    nodes.append(("literal", text.replace("\1", "")))
                continue
            self.html.pause()
            if text == ":" or text.startswith("/"):
                if not opened or text not in (":", "/" + opened[1][1:]):
                    raise Wrong(place, f"{{{{{text}}}}} closes nothing that is open here")
                return nodes, text
            nodes.extend(self.node(place, text))
        raise AssertionError("a file's last token ends it")

    def node(self, place, text):
        sigil = text[:1]
        if sigil == "?":
            return [self.condition(place, text)]
        if sigil == "#":
            return [self.loop(place, text)]
        if sigil == ">":
            return self.partial(place, text[1:])
        if sigil == "_":
            return [self.words(place, text[1:])]
        if sigil == "=":
            return [self.constant(place, text[1:])]
        match = re.fullmatch(r"([%@*&!]?)(" + NAME + r")(?: +(.+))?", text, re.S)
        if not match or match.group(3) and match.group(1) != "@":
            raise Wrong(place, f"{{{{{text}}}}} is not a form that templates have")
        kind = KINDS[match.group(1)]
        where = self.html.value(place, kind)
        if where == "url" and kind not in ("text", "number"):
            raise Wrong(place, f"{kind} does not stand in a URL")
        if (where not in ("text", "mail")
                and (kind == "time" or kind == "words" and where != "plain")):
            raise Wrong(place, f"{kind} stands in text only")
        instead = " ".join(match.group(3).split()) if match.group(3) else None
        return [("value", kind, self.find(match.group(2), kind, place), where, instead)]

    def find(self, name, kind, place):
        """The C expression of a field and the field, of the struct that the name says."""
        depth, scope = name.count("../"), name.split("../")[-1]
        if depth >= len(self.scopes):
            raise Wrong(place, f"{name} reaches further out than there is anything")
        struct, base = self.scopes[-1 - depth]
        if "." in scope:
            if depth:
                raise Wrong(place, f"{name} is the same from everywhere: leave out the ../")
            group, scope = scope.split(".")
            if group not in self.uses:
                self.uses.append(group)
            struct = self.shared.setdefault(group, Struct(f"page_{group}"))
            base = f"values->{group}"
        return f"{base}->{scope}", struct.field(scope, kind, place)

    def condition(self, place, text):
        if not re.fullmatch(NAME, text[1:]):
            raise Wrong(place, f"{text[1:]} is not a name")
        found = self.find(text[1:], None, place)
        before = self.html.copy()
        yes, closed = self.parse((place, text))
        after, no = self.html, []
        if closed == ":":
            self.html = before
            no, closed = self.parse((place, text))
            if closed == ":":
                raise Wrong(place, "a second {{:}}")
            before = self.html
        if after.state() != before.state():
            raise Wrong(place, f"{{{{{text}}}}} ends elsewhere in the HTML than without it")
        after.join(before)
        self.html = after
        return ("if", found, yes, no)

    def loop(self, place, text):
        if not re.fullmatch(NAME, text[1:]):
            raise Wrong(place, f"{text[1:]} is not a name")
        found = self.find(text[1:], "list", place)
        before = self.html.state()
        self.loops += 1
        item = f"item_{self.loops}"
        self.scopes.append((found[1][1], item))
        body, closed = self.parse((place, text))
        self.scopes.pop()
        if closed == ":":
            raise Wrong(place, "a list has no {{:}}: ask {{?" + text[1:] + "}}")
        if self.html.state() != before:
            raise Wrong(place, f"{{{{{text}}}}} ends elsewhere in the HTML than it began")
        return ("each", found, body, item)

    def partial(self, place, name):
        path = self.partials.get(name)
        if path is None:
            raise Wrong(place, f"there is no partial {name}")
        if name in self.open_partials:
            raise Wrong(place, f"the partial {name} includes itself")
        outer, self.tokens = self.tokens, self.read(path)
        self.open_partials.append(name)
        nodes, _ = self.parse(None)
        self.open_partials.pop()
        self.tokens = outer
        return nodes

    def words(self, place, text):
        """Translated text: its key, and the values in the order of the English."""
        where = self.html.value(place, "text")
        if where == "url":
            raise Wrong(place, "translated text does not stand in a URL")
        key = " ".join(text.split())
        values = []
        for sigil, name in IN_TEXT.findall(key):
            if where not in ("text", "mail") and sigil == "@":
                raise Wrong(place, "a time stands in text only")
            values.append((KINDS[sigil], self.find(name, KINDS[sigil], place)))
        if not key:
            raise Wrong(place, "no text to translate")
        return ("words", key, values, where)

    def constant(self, place, name):
        if name == "language":
            self.html.value(place, "text")
            return ("language",)
        if name not in self.files:
            raise Wrong(place, f"there is no file {name}")
        self.html.value(place, "file")
        return ("file", name)


def names_in(text):
    """The values that a translated text names, with their sigils, sorted."""
    return sorted(sigil + name for sigil, name in IN_TEXT.findall(text))


def with_marks(text, order, escape=html.escape):
    """Text for HTML in which the n-th of `order` is the byte n; braces are for names alone."""
    if re.search(r"[\x00-\x1f]", text):
        raise ValueError("a control byte in a text")
    pieces = IN_TEXT.split(text)
    out = escape(pieces[0])
    for sigil, name, rest in zip(pieces[1::3], pieces[2::3], pieces[3::3]):
        out += chr(order.index(sigil + name) + 1) + escape(rest)
    if re.search(r"[{}]", out):
        raise ValueError("a brace that holds no name")
    return out

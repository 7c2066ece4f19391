"""Somebody at a browser without scripts: follows links, fills in forms and presses their buttons.

What is sent is what the page's own forms say: their fields, hidden ones too, their action and their
method. Elements are named by their ids, which are promised to stay.
"""

import html.parser
import http.cookies
import urllib.parse

from harness import form_encode

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
FOLLOW_COUNT_MAX = 6


class Form:
    def __init__(self, attributes):
        self.action = attributes.get("action")
        self.method = attributes.get("method", "get").lower()
        self.fields = []  # [element id or None, name, value], in the order of the page


class Page(html.parser.HTMLParser):
    """A document: its forms, buttons and links, and the text and attributes of what has an id."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.forms, self.buttons, self.links, self.attributes = [], {}, {}, {}
        self.boxes = {}
        self.ids, self.pieces, self.open_ids, self.id_texts = [], [], [], {}
        self.form = self.select = self.textarea = None
        self.hidden_depth = 0
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, pairs):
        attributes = {name: value if value is not None else "" for name, value in pairs}
        identity = attributes.get("id")
        if identity:
            assert identity not in self.attributes, f"the id {identity} stands twice"
            self.ids.append(identity)
            self.attributes[identity] = attributes
        if tag not in VOID:
            self.open_ids.append((tag, identity))
        if identity:
            self.id_texts[identity] = []
        if tag == "form":
            self.form = Form(attributes)
            self.forms.append(self.form)
        elif tag == "a" and identity:
            self.links[identity] = attributes.get("href")
        elif tag == "button" and identity:
            self.buttons[identity] = (self.form, attributes)
        elif tag == "input":
            self.take_input(identity, attributes)
        elif tag == "textarea" and self.form:
            self.textarea = [identity, attributes.get("name"), ""]
            self.form.fields.append(self.textarea)
        elif tag == "select" and self.form:
            self.select = [identity, attributes.get("name"), None]
            self.form.fields.append(self.select)
        elif tag == "option" and self.select is not None:
            if self.select[2] is None or "selected" in attributes:
                self.select[2] = attributes.get("value", "")

    def take_input(self, identity, attributes):
        kind = attributes.get("type", "text")
        if self.form is None or not attributes.get("name") or kind in ("submit", "button"):
            return
        if kind == "checkbox":
            self.boxes[identity] = (self.form, attributes["name"], attributes.get("value", "on"))
        if kind in ("checkbox", "radio") and "checked" not in attributes:
            return
        self.form.fields.append([identity, attributes["name"], attributes.get("value", "")])

    def handle_endtag(self, tag):
        while self.open_ids and tag not in VOID:
            if self.open_ids.pop()[0] == tag:
                break
        if tag == "form":
            self.form = None
        elif tag == "select":
            self.select = None
        elif tag == "textarea" and self.textarea is not None:
            # HTML 13.1.2.5: a line end right after the tag is not part of the text.
            self.textarea[2] = self.textarea[2].removeprefix("\n")
            self.textarea = None

    def handle_data(self, data):
        if self.textarea is not None:
            self.textarea[2] += data
        self.pieces.append(data)
        for _, identity in self.open_ids:
            if identity:
                self.id_texts[identity].append(data)

    @property
    def text(self):
        return " ".join("".join(self.pieces).split())


class Person:
    """One browser: its cookies, and the page that it shows."""

    scheme, host = "http", "127.0.0.1"  # as its forms say where they come from

    def __init__(self, server, headers=(), source=None):
        self.server, self.headers, self.source = server, list(headers), source
        self.cookies = {}
        self.path, self.answer, self.page = "/", None, None

    # -- where one goes -----------------------------------------------------------------------

    def open(self, path):
        return self.send("GET", path)

    def send(self, method, path, body=None):
        """A request and whatever it is redirected to."""
        for _ in range(FOLLOW_COUNT_MAX):
            headers = list(self.headers)
            if self.cookies:
                pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
                headers.append(("Cookie", pairs))
            if method == "POST":
                headers += [("Content-Type", "application/x-www-form-urlencoded"),
                            ("Origin", f"{self.scheme}://{self.host}:{self.server.port}"),
                            ("Sec-Fetch-Site", "same-origin")]
            self.answer = self.server.request(method, path, body, headers, source=self.source)
            self.path = path
            self.take_cookies()
            if self.answer.status not in (301, 302, 303, 307, 308):
                break
            target = urllib.parse.urljoin(path, self.answer.header("Location"))
            if urllib.parse.urlsplit(target).scheme:
                break  # to another site: its address is in the answer
            path, method, body = target, "GET", None
        is_html = (self.answer.header("Content-Type") or "").startswith("text/html")
        self.page = Page(self.answer.body.decode()) if is_html else None
        return self

    def take_cookies(self):
        for line in self.answer.all_headers("Set-Cookie"):
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.server.secrets.add(morsel.value) if len(morsel.value) > 20 else None
                if morsel["max-age"] == "0" or morsel.value == "":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value

    # -- what one sees ------------------------------------------------------------------------

    @property
    def status(self):
        return self.answer.status

    @property
    def text(self):
        return self.page.text if self.page else ""

    def has(self, identity):
        return self.page is not None and identity in self.page.attributes

    def text_of(self, identity):
        return " ".join("".join(self.page.id_texts[identity]).split())

    def value_of(self, identity):
        return next(field[2] for form in self.page.forms for field in form.fields
                    if field[0] == identity)

    # -- what one does ------------------------------------------------------------------------

    def fill(self, identity, text):
        """Types into a field, or chooses a value of a list."""
        for form in self.page.forms:
            for field in form.fields:
                if field[0] == identity:
                    field[2] = text
                    return self
        raise AssertionError(f"no field {identity} among {self.page.ids} at {self.path}")

    def tick(self, identity, is_ticked=True):
        """Ticks a box, or takes the tick away."""
        form, name, value = self.page.boxes[identity]
        form.fields = [field for field in form.fields if field[0] != identity]
        if is_ticked:
            form.fields.append([identity, name, value])
        return self

    def post_of(self, identity):
        """What pressing a button would send: method, path and body."""
        assert self.page is not None and identity in self.page.buttons, \
            f"no button {identity} at {self.path}: {self.answer}"
        form, button = self.page.buttons[identity]
        pairs = [(name, value or "") for _, name, value in form.fields]
        if button.get("name"):
            pairs.append((button["name"], button.get("value", "")))
        action = urllib.parse.urljoin(self.path, button.get("formaction") or form.action or "")
        if form.method == "post":
            return "POST", action, form_encode(pairs)
        action = action.partition("?")[0]  # HTML 4.10.22.3: the query is replaced
        return "GET", action + ("?" + form_encode(pairs) if pairs else ""), None

    def press(self, identity):
        """A button, or a link."""
        if self.page is not None and identity in self.page.links:
            return self.open(urllib.parse.urljoin(self.path, self.page.links[identity]))
        return self.send(*self.post_of(identity))

    def sign_in(self, user, path="/sign-in"):
        """By user name and password."""
        self.open(path)
        self.fill("username", user[0]).fill("password", user[1]).press("sign-in")
        assert self.status == 200 and self.has("sign-out"), self.answer
        return self

    def prove(self, user):
        """Types the password once more where that is asked."""
        if self.has("confirm"):
            self.fill("password", user[1]).press("confirm")
        return self

"""Every page, rendered with values of all kinds: sound HTML, and nothing gets out."""

import html.parser
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/pages"))
sys.dont_write_bytecode = True

import samples  # noqa: E402

VOID = {"br", "hr", "img", "input", "link", "meta", "path"}
LANGUAGES = ["en", "de", "fr", "es"]

# The form of form_post.html, which goes to the registered URI of a client.
ANSWER = "answer"


class Page(html.parser.HTMLParser):
    """A page's elements as (name, attributes, text inside, enclosing form's number)."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.faults = [], [], []
        self.feed(text)
        self.close()
        self.faults += [f"<{name}> is not closed" for name, _ in self.open]

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.faults.append(f"<{tag}> has an attribute twice")
        form = next((n for n, (name, _) in enumerate(self.open) if name == "form"), None)
        around = self.open[form][1] if form is not None else None
        element = {"name": tag, "attributes": dict(attrs), "text": "", "form": around}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append((tag, element))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open[-1][0] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1][0] if self.open else 'nothing'}")
        else:
            self.open.pop()

    def handle_data(self, data):
        for _, element in self.open:
            element["text"] += data

    def all(self, *names):
        return [each for each in self.elements if each["name"] in names]

    def ids(self):
        return [each["attributes"]["id"] for each in self.elements if "id" in each["attributes"]]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return samples.build(tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module")
def rendered(program, tmp_path_factory):
    """variant -> name -> text."""
    return {variant: {name: path.read_bytes().decode() for name, path in
                      samples.render(program, tmp_path_factory.mktemp(variant), variant).items()}
            for variant in samples.VARIANTS}


def pages_of(rendered):
    for variant, texts in rendered.items():
        for name, text in texts.items():
            if not name.startswith("mail_"):
                yield f"{variant}/{name}", Page(text), text


def test_html_is_sound(rendered):
    for where, page, _ in pages_of(rendered):
        assert not page.faults, where
        # What is hostile may give two rows one name; people's names are not ids.
        literal = [each for each in page.ids() if not each.startswith("grant-")]
        assert len(set(literal)) == len(literal), (where, literal)
        assert len(page.all("h1")) == 1 and len(page.all("title")) == 1, where


def test_nothing_gets_out(rendered):
    for where, page, text in pages_of(rendered):
        for element in page.elements:
            names = element["attributes"]
            assert not [name for name in names if name.startswith("on")], where
            assert "style" not in names and "srcdoc" not in names, where
            for name in ("href", "src", "action", "formaction"):
                if name in names and names.get("id") != ANSWER:
                    assert re.match(r"[?#]|/(?![/\\])|/$", names[name]), (where, names[name])
                    assert not re.search(r"[\s<>\"'\\]", names[name]), (where, names[name])
        assert all(re.match(r"/app\.js\?v=", each["attributes"]["src"]) and not each["text"]
                   for each in page.all("script")), where
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), where
        assert all(each["attributes"]["src"].startswith("/brand/logo?v=")
                   for each in page.all("img")), where


def test_hostile_texts_are_shown_as_they_are(rendered):
    for name, text in rendered["hostile"].items():
        if name.startswith("mail_"):
            continue
        shown = "".join(each["text"] for each in Page(text).all("body"))
        assert any(words in shown for words in samples.HOSTILE if "\n" not in words), name


def test_a_mail_keeps_its_lines(rendered):
    mails = [name for name in rendered["usual"] if name.startswith("mail_")]
    assert mails
    for name in mails:
        lines = rendered["usual"][name].split("\n")
        assert lines[0] and lines[1] == "", name
        assert "Set-Cookie: x=y" not in rendered["hostile"][name].split("\n"), name
        added = rendered["hostile"][name].count("\n") - rendered["usual"][name].count("\n")
        assert added <= 3, name


def test_every_post_carries_the_hidden_field(rendered):
    """SE-03: where it is checked, it has to be sent."""
    for where, page, _ in pages_of(rendered):
        for form in page.all("form"):
            hidden = [each for each in page.all("input") if each["form"] is form
                      and each["attributes"].get("name") == "csrf"]
            is_ours = form["attributes"].get("id") != ANSWER
            assert (len(hidden) == 1) == (form["attributes"]["method"] == "post" and is_ours), where
            assert form["attributes"]["method"] in ("get", "post"), where


def test_fields_have_labels_and_references_lead_somewhere(rendered):
    for where, page, _ in pages_of(rendered):
        ids = set(page.ids())
        labels = {each["attributes"].get("for") for each in page.all("label")}
        for field in page.all("input", "select", "textarea"):
            names = field["attributes"]
            if names.get("type") != "hidden" and field["form"] is not None:
                assert names.get("id") in labels, (where, names)
                assert "autocomplete" in names or field["name"] == "select" \
                    or names.get("type") == "checkbox", (where, names)
        assert labels <= ids, where
        for element in page.elements:
            for name in ("aria-describedby", "aria-labelledby", "data-cancel", "data-copy", "list"):
                for word in (element["attributes"].get(name) or "").split():
                    assert word in ids, (where, name, word)


def test_buttons_say_what_they_do_and_keep_their_ids(rendered):
    for where, page, _ in pages_of(rendered):
        for button in page.all("button"):
            words = button["attributes"].get("aria-label") or button["text"]
            assert words.strip() and button["attributes"].get("id"), where


@pytest.mark.parametrize("page, ids", [
    ("start", ["sign-in"]), ("sign_in", ["username", "password", "sign-in", "use-passkey"]),
    ("sign_in_code", ["code", "sign-in", "use-recovery-code"]),
    ("tokens", ["nav-tokens", "nav-sessions", "new-permanent-token", "revoke-1", "sign-out"]),
    ("token_new", ["token-name", "token-scope", "add-scope", "scopes", "create-token"]),
    ("token_created", ["token-value", "copy-token-value", "done"]), ("token_revoke", ["ok"]),
    ("sessions", ["end-2", "end-others"]), ("account", ["full-name", "email", "add-passkey"])])
def test_the_ids_that_scripts_of_others_use(rendered, page, ids):
    assert set(ids) <= set(Page(rendered["usual"][page]).ids())


def test_the_words_of_the_permanent_token_flow(rendered):
    flow = [("tokens", ["TOKENS", "SESSIONS", "New permanent token", "Revoke"]),
            ("token_new", ["New token creation", "Name", "Scope", "Add", "Scopes", "Create"]),
            ("token_created", ["Copy token value", "Done"]), ("token_revoke", ["OK"])]
    for name, words in flow:
        page = Page(rendered["usual"][name])
        said = {each["text"].strip() for each in page.elements}
        assert set(words) <= said, (name, set(words) - said)
    assert "revoked" in rendered["usual"]["tokens"]


def test_a_first_visit_is_small(rendered):
    files = sum((ROOT / "pages" / name).stat().st_size for name in ("style.css", "app.js"))
    for name in ("start", "sign_in", "tokens"):
        assert files + len(rendered["usual"][name].encode()) < 50 * 1024, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_complete_and_used(program, tmp_path, language):
    checked = subprocess.run([sys.executable, ROOT / "tools/pages.py", "--check",
                              *samples.page_files()], capture_output=True, text=True, timeout=60)
    assert [line for line in checked.stdout.splitlines() if line.startswith(language + ":")] == []
    shown = samples.render(program, tmp_path, "usual", language)
    page = Page(shown["sign_in"].read_text())
    assert page.all("html")[0]["attributes"]["lang"] == language
    assert (page.all("h1")[0]["text"] == "Sign in") == (language == "en")
    assert not Page(shown["token_new"].read_text()).faults


def test_the_readme_has_every_field(tmp_path):
    """`tools/pages.py --fields pages/README.md FILE...` renews it."""
    copy = tmp_path / "README.md"
    copy.write_bytes((ROOT / "pages/README.md").read_bytes())
    subprocess.run([sys.executable, ROOT / "tools/pages.py", "--fields", copy,
                    *samples.page_files()], check=True, timeout=60)
    assert copy.read_text() == (ROOT / "pages/README.md").read_text()


def test_every_file_is_built():
    built = {path.relative_to(ROOT / "pages").as_posix() for path in samples.page_files()}
    there = {path.relative_to(ROOT / "pages").as_posix() for path in (ROOT / "pages").rglob("*.*")}
    assert there - built == {"meson.build", "README.md"}

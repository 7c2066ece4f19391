"""Hostile strings in every field that is shown (fault class 35, AZ-15): nothing runs, the policy is
never hurt, nothing is asked of another site, and what is read is what was written.

What was accepted is looked at in Chromium: lists as they are, with many strings on each page.
Pages that show one string are too many for that: what a browser makes of them is asked of
Chromium's own parser, a few hundred documents at a time, and a bundle of strings at a time is
looked at for real.
"""

import json
import re
import sys
import urllib.parse

import pytest

from devtools import Browser, find_browser
from harness import ROOT, VECTORS, bearer, free_port
from house import AUTHENTICATOR
from person import Person
from token_people import OPEN, OWN_WORD, add_open_service, make

sys.path.insert(0, str(ROOT / "tools"))
from page_template import ATTRIBUTES, ELEMENTS  # noqa: E402

KINDS = json.loads((VECTORS / "hostile" / "strings.json").read_text(encoding="ascii"))
STRINGS = [text for kind in KINDS.values() for text in kind]
BYTES = [bytes.fromhex(text)
         for text in json.loads((VECTORS / "hostile" / "bytes.json").read_text(encoding="ascii"))]
CHIEF = ("chief", "the password of an administrator 7")
NAME_BYTES_MAX = 255
# What is strange in a document: an element, attribute or address that no template has.
LOOK = """(source) => {
  const doc = source === null ? document : new DOMParser().parseFromString(source, "text/html");
  const strange = [], texts = [], actions = [...doc.forms].map(each => each.getAttribute("action"));
  if (doc.contentType === "text/plain") return {strange, texts, actions};  // the browser shows it
  for (const each of doc.querySelectorAll("*")) {
    if (!%s.includes(each.localName)) strange.push(each.localName);
    for (const {name, value} of each.attributes) {
      if (!%s.includes(name.toLowerCase()) && !/^(aria|data)-[a-z-]+$/.test(name))
        strange.push(`${each.localName} ${name}`);
      if (["action", "formaction", "href", "src"].includes(name) &&
          (!/^[\\/?#]/.test(value) || new URL(value, %s).origin !== new URL(%s).origin))
        strange.push(`${each.localName} ${name}=${value}`);
    }
    if (each.localName === "script" && (each.textContent || !/^\\/app\\.js\\?/.test(
        each.getAttribute("src")))) strange.push("script");
    if (["bdi", "code", "option"].includes(each.localName)) texts.push(each.textContent);
    if (each.localName === "input") texts.push(each.value);
    if (each.localName === "textarea") texts.push(each.textContent);
  }
  return {strange, texts, actions};
}"""


def bundles(strings, bytes_max=NAME_BYTES_MAX):
    """Strings joined, as many as a field takes at a time."""
    bundle = ""
    for text in strings:
        if len(text.encode()) > bytes_max:
            continue
        longer = f"{bundle} {text}" if bundle else text
        if len(longer.encode()) > bytes_max:
            yield bundle
            longer = text
        bundle = longer
    yield bundle


@pytest.fixture(scope="module")
def jeton(module_server):
    """Passkeys are made for names: hence the issuer."""
    port = free_port()
    server = module_server(start=False, args=["--issuer", f"http://localhost:{port}"],
                           listen=f"127.0.0.1:{port}")
    server.add_user(*CHIEF, "--admin")
    return add_open_service(server).start()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if find_browser() is None:
        pytest.skip("Chromium is not installed")
    started = Browser(str(tmp_path_factory.mktemp("browser")))
    yield started
    started.close()


class Watch:
    """A tab whose user looks for what should not be there."""

    def __init__(self, browser, jeton):
        self.page = browser.new_page(stranger=True)
        self.jeton, self.root = jeton, f"http://localhost:{jeton.port}"
        quoted = json.dumps(self.root)
        self.look_at = LOOK % (json.dumps(sorted(ELEMENTS)),
                               json.dumps(sorted(ATTRIBUTES) + ["viewBox".lower()]), quoted, quoted)

    def take_cookies(self, person):
        """Goes on as somebody who has signed in."""
        for name, value in person.cookies.items():
            self.page.call("Network.setCookie", {"url": self.root, "name": name, "value": value})
        return self

    def look(self, path=None):
        """The document that is shown: its texts, after the search for what is strange in it."""
        if path is not None:
            self.page.open(self.root + path)
        seen = self.page.own_world()(f"({self.look_at})(null)")
        assert seen["strange"] == [], (self.page.url, seen["strange"])
        return seen

    def parse(self, documents):
        """What the browser's parser makes of each of them."""
        seen = self.page.own_world()(f"{json.dumps(documents)}.map({self.look_at})")
        for each, document in zip(seen, documents):
            assert each["strange"] == [], (each["strange"], document)
        return seen

    def look_at_all(self, path):
        """A list from its first page to its last."""
        seen = [self.look(path)]
        while self.page.has("#older"):
            self.page.follow("#older")
            seen.append(self.look())
        return seen

    def close(self):
        self.page.call("Page.getFrameTree")
        assert self.page.dialogs() == [] and self.page.complaints() == []
        for url in self.page.requested_urls():
            assert url == "about:blank" or url.startswith(self.root + "/"), url
        self.page.close()


@pytest.fixture
def watch(browser, jeton):
    opened = Watch(browser, jeton)
    yield opened
    opened.close()


def texts_of(pages):
    return {text for page in pages for text in page["texts"]}


def html(person):
    return person.answer.body.decode()


def is_refused(person, field):
    """With the form shown again, saying what is wrong with this field; or as no text at all."""
    if person.status == 400 and not person.has(field):
        return "This did not work" in person.text
    return person.status in (400, 409, 422) and person.has("errors") and \
        person.page.attributes[field].get("aria-invalid") == "true"


def new_user(jeton, number=iter(range(1000))):
    user = (f"hostile{next(number)}", "a long enough password for this one 4")
    jeton.add_user(*user)
    return user


def quote(text):
    return urllib.parse.quote(text, safe="")


def as_shown(text):
    """No control character reaches a page: each is seen as U+FFFD."""
    return re.sub(r"[\x00-\x1f\x7f]", "\ufffd", text)


# -- tokens ---------------------------------------------------------------------------------------

def test_az_15_names_of_tokens(jeton, watch):
    """In its owner's list, in the administrator's, and in the question before an act."""
    names = set()
    for strings in (STRINGS[:190], STRINGS[190:]):  # an account may have 200 tokens
        person = Person(jeton).sign_in(new_user(jeton))
        manager = make(person, "manager", (OWN_WORD,))
        kept = set()
        for text in strings:
            answer = jeton.post_json("/api/v1/tokens", {"name": text, "scopes": ["see"]},
                                     list(bearer(manager).items()))
            if answer.status == 400 and "\0" in text:
                continue
            if answer.status == 422:
                assert json.loads(answer.body)["field"] == "name", answer
                continue
            assert answer.status == 201, (text, answer)
            jeton.secrets.add(answer.json["token"])
            assert answer.json["name"] == text.strip(" ")
            kept.add(answer.json["name"])
        pages = watch.take_cookies(person).look_at_all("/tokens")
        assert kept - texts_of(pages) == set()
        for act in ("revoke", "rename", "rotate"):
            paths = [path for page in pages for path in page["actions"] if path.endswith(act)]
            asked = watch.parse([html(person.open(path)) for path in paths])
            assert kept - texts_of(asked) == set()
        names |= kept
    assert len(names) > 200
    watch.take_cookies(Person(jeton).sign_in(CHIEF))
    assert names - texts_of(watch.look_at_all("/admin/tokens")) == set()


def test_az_15_prefilled_link(jeton, watch):
    """A name and a scope of an address's choice, in the form and in what it says is wrong."""
    person = Person(jeton).sign_in(new_user(jeton))
    texts = [text for text in STRINGS if len(text.encode()) <= NAME_BYTES_MAX]

    def path_of(text):
        return f"/tokens/new?name={quote(text)}&scope={quote(text.replace(' ', '_'))}"

    for text, seen in zip(texts, watch.parse([html(person.open(path_of(text))) for text in texts])):
        assert as_shown(text).strip(" ") in seen["texts"] or as_shown(text) != text, text
    watch.take_cookies(person)
    for bundle in bundles([text for text in texts if as_shown(text) == text]):
        assert bundle.strip(" ") in watch.look(path_of(bundle))["texts"]


# -- people ---------------------------------------------------------------------------------------

def test_az_15_names_of_people(jeton, watch):
    """Every string as a user name and as a full name: in lists, in dialogs, in the trail."""
    admin = Person(jeton).sign_in(CHIEF)
    full_names, usernames, documents = set(), set(), []
    form = admin.open("/admin/accounts/new").post_of("create")[2]
    fields = dict(urllib.parse.parse_qsl(form, keep_blank_values=True))
    password = "a password for a hostile person 3"
    jeton.secrets.add(password)
    for number, text in enumerate(STRINGS):
        for username in (text, f"person{number}"):
            admin.send("POST", "/admin/accounts/new", urllib.parse.urlencode(
                {**fields, "username": username, "full_name": text, "password": password}))
            documents.append(html(admin))
            if admin.status == 200:
                identity = admin.path.split("/")[3].split("?")[0]
                documents.append(html(admin.open(f"/admin/accounts/{identity}/disable")))
                usernames.add(username.strip(" "))
                full_names.add(text.strip(" "))
                break
            assert is_refused(admin, "username" if username == text else "full-name"), text
    assert len(full_names) > 200 and len(usernames) > 100
    watch.parse(documents)
    watch.take_cookies(admin)
    shown = texts_of(watch.look_at_all("/admin/accounts"))
    assert (full_names | usernames) - shown == set()
    assert len(usernames & texts_of(watch.look_at_all("/admin/events"))) > 100


def test_az_15_own_name_and_address(jeton, watch):
    user = new_user(jeton)
    person = Person(jeton).sign_in(user).open("/account")
    documents, kept = [], []
    form = dict(urllib.parse.parse_qsl(person.post_of("save")[2], keep_blank_values=True))
    for text in STRINGS:
        for field in ("full_name", "email"):
            body = urllib.parse.urlencode({**form, field: text})
            person.send("POST", "/account", body)
            documents.append(html(person))
            if person.status == 200 and field == "full_name":
                kept.append((len(documents) - 1, text.strip(" ")))
            else:
                assert person.status == 200 or is_refused(person, field.replace("_", "-")), text
    seen = watch.parse(documents)
    for index, text in kept:
        assert text in seen[index]["texts"], text
    watch.take_cookies(person)
    for bundle in bundles([text for _, text in kept if text]):
        person.open("/account").fill("full-name", bundle).press("save")
        assert bundle in watch.look("/account")["texts"]


def test_az_15_devices(jeton, watch):
    """What a browser says it is, in the list of sessions and in the administrator's."""
    user = new_user(jeton)
    sent = set()
    for text in STRINGS:
        if as_shown(text) != text or len(text.encode()) > NAME_BYTES_MAX:
            continue  # no header at all, or more than is kept
        Person(jeton, [("User-Agent", text.encode())]).sign_in(user)
        sent.add(text.strip(" "))
    person = Person(jeton).sign_in(user)
    shown = texts_of(watch.take_cookies(person).look_at_all("/sessions"))
    assert len(sent & shown) > 200
    assert sent - shown - {""} == set()


def test_az_15_names_of_factors(jeton, watch):
    """An app and a passkey, in the account, in the question before an act and in what is said."""
    user = new_user(jeton)
    page = watch.page
    page.call("WebAuthn.enable")
    page.call("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    page.open(watch.root + "/sign-in")
    page.type("#username", user[0])
    page.type("#password", user[1])
    page.follow("#sign-in")
    page.open(watch.root + "/account/passkeys/new")
    page.wait_for(lambda: page.is_visible("#make-passkey"), "the form for a passkey")
    page.follow("#make-passkey")
    cookies = page.call("Network.getCookies", {"urls": [watch.root]})["cookies"]
    person = Person(jeton)
    person.cookies = {each["name"]: each["value"] for each in cookies}
    jeton.secrets.update(person.cookies.values())
    person.open("/account").press("rename-passkey-1")
    path, documents, kept = person.path, [], []
    for text in STRINGS:
        person.open(path).fill("factor-name", text).press("save")
        documents.append(html(person))
        if person.has("rename-passkey-1"):
            kept.append(text.strip(" "))
            assert text.strip(" ") in watch.parse([html(person)])[0]["texts"], text
            documents.append(html(person.open(path.replace("/rename", "/remove"))))
        else:
            assert is_refused(person, "factor-name"), (text, person.answer)
    assert len(kept) > 200
    watch.parse(documents)
    for bundle in bundles([text for text in kept if text]):
        person.open(path).fill("factor-name", bundle).press("save")
        assert bundle in watch.look("/account")["texts"]


# -- programs -------------------------------------------------------------------------------------

def test_az_15_names_of_clients(jeton, watch):
    """As the command line takes them; shown where grants are listed."""
    user = new_user(jeton)
    names = set()
    for number, bundle in enumerate(bundles([text for text in STRINGS if as_shown(text) == text])):
        client = f"hostile{number}"
        done = jeton.cli("client", "add", client, "--public", "--name", bundle, "--grant",
                         "password", "--service", OPEN[0], status=None)
        if done.status == 0:
            names.add(bundle)
            jeton.user_token((client, None), user, "see")
    assert len(names) > 20
    watch.take_cookies(Person(jeton).sign_in(user))
    assert names - texts_of(watch.look_at_all("/applications")) == set()


# -- what addresses and forms say -----------------------------------------------------------------

def test_az_15_searches(jeton, watch):
    watch.take_cookies(Person(jeton).sign_in(CHIEF))
    for bundle in bundles([text for text in STRINGS if as_shown(text) == text]):
        for path in ("/admin/tokens", "/admin/accounts"):
            assert bundle.strip(" ") in watch.look(f"{path}?q={quote(bundle)}")["texts"]
        seen = watch.look(f"/admin/events?account={quote(bundle)}&client={quote(bundle)}"
                          f"&kind={quote(bundle)}&address={quote(bundle[:20])}")
        assert bundle.strip(" ") in seen["texts"]


def test_az_15_addresses_that_lead_nowhere(jeton, watch):
    """Paths, ways back, links of mails, languages: nothing of them is shown, or only as text."""
    documents = []
    accept = ("Accept", "text/html")
    for text in [text for text in STRINGS if len(text) < 4096]:
        for path in (f"/{quote(text)}", f"/sign-in?next={quote('/' + text)}&notice={quote(text)}",
                     f"/password-reset?link={quote(text)}", f"/email-verify?link={quote(text)}",
                     f"/language?language={quote(text)}&next={quote(text)}"):
            answer = jeton.get(path, [accept])
            assert answer.status in (200, 303, 400, 403, 404, 405, 410), (path, answer)
            location = answer.header("Location") or "/"
            assert re.match(r"/(?![/\\])", location) and "evil" not in location.split("?")[0], text
            if (answer.header("Content-Type") or "").startswith("text/html"):
                documents.append(answer.body.decode())
        if as_shown(text) == text:
            documents.append(jeton.get("/sign-in", [
                accept, ("Accept-Language", text.encode())]).body.decode())
    watch.parse(documents)
    for bundle in bundles([text for text in STRINGS if len(text) < 4096]):
        watch.look(f"/sign-in?next={quote('/' + bundle)}&notice={quote(bundle)}")
        watch.look(f"/x{quote(bundle)}")


def test_az_15_forms_shown_again(jeton, watch):
    """A sign-in that fails shows the user name again; each is somebody else's, for none is slow."""
    documents, wanted = [], []
    for number, text in enumerate(STRINGS):
        person = Person(jeton, source=f"127.0.{1 + number // 200}.{1 + number % 200}")
        person.open("/sign-in").fill("username", text)
        person.fill("password", text).press("sign-in")
        assert person.status in (400, 403), (text, person.answer)
        documents.append(html(person))
        wanted.append(text if person.has("username") else None)
    for seen, text in zip(watch.parse(documents), wanted):
        assert text is None or as_shown(text) in seen["texts"], text


@pytest.mark.parametrize("value", BYTES, ids=lambda value: value.hex()[:16])
def test_az_15_what_is_no_text(jeton, watch, value):
    """Bytes that are no UTF-8 are refused, or shown as what no browser takes for more."""
    person = Person(jeton).sign_in(new_user(jeton))
    raw = urllib.parse.quote_from_bytes(value, safe="")
    documents = [jeton.get(f"/{raw}", [("Accept", "text/html")]).body.decode(),
                 jeton.get(f"/sign-in?next=/{raw}", [("Accept", "text/html")]).body.decode(),
                 html(person.open(f"/tokens/new?name={raw}&scope={raw}"))]
    form = person.open("/account").post_of("save")[2]
    person.send("POST", "/account", re.sub("full_name=[^&]*", f"full_name={raw}", form))
    assert person.status == 400, person.answer
    documents.append(html(person))
    Person(jeton, [("User-Agent", value)]).sign_in(("chief", CHIEF[1]))
    documents.append(html(Person(jeton).sign_in(CHIEF).open("/sessions")))
    watch.parse(documents)

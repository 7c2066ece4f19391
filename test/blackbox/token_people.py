"""Permanent tokens as their owners make them in the pages: what several test files do."""

from person import Person

OPEN = ("open.example", "open-service-secret-2Mv7")
OWN_WORD = "jeton:tokens"


def add_open_service(server):
    """A service whose opaque tokens users may have, as a whole or by word."""
    server.add_service(*OPEN, "--allow-password", "--scope", "see touch", "--lifetime", "600")
    return server


def add_account(server):
    """An account for one test alone, so that its list is its own."""
    number = len(server.cli("user", "list").out.splitlines())
    account = (f"user{number}", f"a long enough password {number} Z9")
    server.add_user(*account)
    return account


def begin(person, name="build server", scopes=(OPEN[0],)):
    """The form, filled in as far as Create."""
    person.open("/tokens/new").fill("token-name", name)
    for scope in scopes:
        person.fill("token-scope", scope).press("add-scope")
        assert person.status == 200, person.text
    return person


def make(person, name="build server", scopes=(OPEN[0],), **fields):
    """Makes a token and returns its value."""
    begin(person, name, scopes)
    for field, value in fields.items():
        person.fill(f"token-{field}", value)
    person.press("create-token")
    assert person.status == 200 and person.has("token-value"), person.answer
    return value_shown(person)


def value_shown(person):
    value = person.text_of("token-value")
    person.server.secrets.add(value)
    return value


def row(person, number=1):
    """The text of a row of the list, counted from the top."""
    person.open("/tokens")
    return person.text_of(f"token-{number}") if person.has(f"token-{number}") else None


def manager(server, user, **fields):
    """A token for the API."""
    return make(Person(server).sign_in(user), "manager", (OWN_WORD,), **fields)


def field_of(person, name):
    """What a hidden field of the page holds."""
    return next(field[2] for form in person.page.forms for field in form.fields if field[1] == name)

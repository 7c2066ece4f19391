"""Links in mails, as people get and follow them: what several test files do."""

import re

from harness import wait_until
from person import Person

FROM = "Jeton <noreply@example.org>"
LINK = re.compile(r"(https?://[^/\s]+)(/[a-z-]+\?link=([A-Za-z0-9_-]{43}))")
OLD, NEW = "an old password of hers 5", "a new password of hers 6"


def mail_settings(smtp, *more):
    return ["--smtp-url", smtp.url, "--mail-from", FROM, *more]


def add_person(server, email=None):
    """An account with an address of its own: (name, password), address."""
    number = len(server.cli("user", "list").out.splitlines())
    name = f"person{number}"
    email = email if email is not None else f"{name}@example.org"
    server.add_user(name, OLD, "--email", email)
    return (name, OLD), email


class Post:
    """Whose mails came since it was made; the server may send others' meanwhile."""

    def __init__(self, smtp, address):
        self.smtp, self.address = smtp, address
        self.seen = len(self._indexes())

    def _indexes(self):
        return [index for index, mail in enumerate(list(self.smtp.mails))
                if mail[1] == [self.address]]

    def count(self):
        return len(self._indexes()) - self.seen

    def next(self):
        """The next mail's message."""
        wait_until(lambda: len(self._indexes()) > self.seen, 30, f"a mail to {self.address}")
        self.seen += 1
        return self.smtp.message(self._indexes()[self.seen - 1])

    def next_link(self, server):
        """The path of the link in the next mail that has one, and its origin."""
        while (found := LINK.search(self.next().get_content())) is None:
            continue
        origin, path, value = found.groups()
        server.secrets.add(value)
        return path, origin


def ask_reset(server, login, person=None, headers=(), source=None):
    person = person or Person(server, headers=headers, source=source)
    person.open("/password-forgotten").fill("login", login).press("send")
    return person


def reset_link(server, smtp, user, email):
    post = Post(smtp, email)
    assert ask_reset(server, user[0]).status == 200
    return post.next_link(server)[0]


def choose(server, path, password=NEW, code=None):
    """Opens the link of a mail and sets the password."""
    person = Person(server).open(path)
    assert person.status == 200 and person.has("save"), person.answer
    person.fill("password", password)
    if code is not None:
        person.fill("code", code)
    return person.press("save")


def can_sign_in(server, name, password):
    person = Person(server).open("/sign-in")
    person.fill("username", name).fill("password", password).press("sign-in")
    return person.has("sign-out") or person.path.startswith("/sign-in/code")

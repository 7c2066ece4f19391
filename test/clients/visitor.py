"""Somebody whose browser goes back and forth between a client's site and a Jeton."""

import urllib.parse

from harness import Server
from person import Person

REDIRECTS = (301, 302, 303, 307, 308)
STEP_COUNT_MAX = 16


class Site:
    """A client's web site on 127.0.0.1, as far as a Person needs one."""

    connection, request = Server.connection, Server.request

    def __init__(self, port):
        self.port = port
        self.secrets = set()

    def _remember(self, answer):
        """Its tokens are not Jeton's to keep out of logs: Jeton's own answers had them before."""


def authorize(person, url, user):
    """Opens an authorization request, signs in and allows; answers where the browser is sent."""
    assert urllib.parse.urlsplit(url).netloc == f"127.0.0.1:{person.server.port}", url
    person.open(url[url.index("/", 8):])
    answer_questions(person, user)
    location = person.answer.header("Location")
    assert person.status == 303 and location, person.answer
    return location


def answer_questions(person, user):
    """What Jeton asks on the way: who one is, whether the client may, whether to sign out."""
    if person.has("username") and person.has("sign-in"):
        person.fill("username", user[0]).fill("password", user[1]).press("sign-in")
    person.prove(user)
    if person.has("allow"):
        person.press("allow")
    if person.has("logout"):
        person.press("ok")


class Visitor:
    """Cookies of the two sites apart, as if they were on machines of their own."""

    def __init__(self, jeton, port, user):
        self.user = user
        self.site = Person(Site(port), [("Accept", "text/html,*/*;q=0.8")])  # it is no script
        self.jeton = Person(jeton)
        self.root = f"http://127.0.0.1:{port}"
        self.here = self.site
        self.path_was = []

    def open(self, path):
        """A page of the site, by way of Jeton if the site wants it so."""
        self.here = self.site.open(path)
        return self.follow()

    def press(self, identity):
        self.here.press(identity)
        return self.follow()

    def follow(self):
        """Goes where the answer leads, and answers Jeton's questions."""
        self.path_was = []
        for _ in range(STEP_COUNT_MAX):
            if self.here is self.jeton:
                answer_questions(self.here, self.user)
            location = self.here.answer.header("Location")
            if self.here.status not in REDIRECTS or location is None:
                return self.here
            url = urllib.parse.urlsplit(location)
            ports = {one.server.port: one for one in (self.site, self.jeton)}
            assert url.hostname == "127.0.0.1" and url.port in ports, location
            self.path_was.append(location)
            self.here = ports[url.port].open(url._replace(scheme="", netloc="").geturl() or "/")
        raise AssertionError(f"no end to it: {self.path_was}")

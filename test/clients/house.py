"""A server with something to see on every page: people, tokens, sessions, applications, mail."""

import json

from link_people import Post, mail_settings
from person import Person
from spectrum_calls import session_token
from threedm_calls import enrol
from token_people import OWN_WORD, make

SLICER = ("uslicer.example.com", "service-secret-of-the-slicer-1")
REPORTS = ("reports.example.com", "service-secret-of-reports-2")
DASHBOARD = ("dashboard", "client-secret-of-the-dashboard-3")
ALICE = ("alice", "correct horse battery staple A1")
BORIS = ("boris", "another long enough password B2")
CARLA = ("carla", "a third one that is long enough C3")
DORA = ("dora", "the fourth is just as long as that D4")
CHIEF = ("chief", "the password of an administrator 7")
ALICE_EMAIL, BORIS_EMAIL = "alice@example.org", "boris@example.org"
AUTHENTICATOR = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                 "hasUserVerification": True, "isUserVerified": True,
                 "automaticPresenceSimulation": True}
FIREFOX = ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")


def settings(smtp, port):
    """The issuer is a name, for passkeys are made for names (WebAuthn 5.1.2)."""
    return mail_settings(smtp, "--registration", "on", "--issuer", f"http://localhost:{port}")


def add_people(server):
    server.add_user(*ALICE, "--full-name", "Alice Example", "--email", ALICE_EMAIL)
    server.add_user(*BORIS, "--full-name", "Boris Beispiel", "--email", BORIS_EMAIL)
    server.add_user(*CARLA, "--full-name", "Carla Muster")
    server.add_user(*DORA)
    server.add_user(*CHIEF, "--full-name", "Chief Administrator", "--admin")
    server.cli("user", "disable", DORA[0])


def add_programs(server):
    server.add_service(*SLICER, "--name", "U-Slicer", "--scope", "slicer.read slicer.write",
                       "--allow-password")
    server.add_service(*REPORTS, "--name", "Reports", "--scope", "report.read report.write",
                       "--allow-password")
    server.add_client(*DASHBOARD, "--name", "Team dashboard", "--grant", "password", "--grant",
                      "refresh_token", "--service", SLICER[0], "--service", REPORTS[0])


def introspect(server, token):
    assert server.introspect(token, SLICER).status == 200


class House:
    """The server when everybody has moved in; `smtp` takes its mails."""

    def __init__(self, server, smtp):
        self.server, self.smtp = server, smtp
        self.root = f"http://localhost:{server.port}"
        self.totp_key = enrol(server, CARLA)
        self.recovery_codes = server.cli("user", "totp", CARLA[0], "--recovery-codes").out.split()
        server.secrets.update(self.recovery_codes)

    def id_of(self, user):
        return json.loads(self.server.cli("user", "show", user[0], "--json").out)["id"]

    def move_in(self):
        """What stands in the lists of the first account."""
        person = Person(self.server, headers=[FIREFOX]).sign_in(ALICE)
        introspect(self.server, make(person, "Nightly report", (SLICER[0],)))
        make(person, "Export to the data warehouse", (REPORTS[0], "slicer.read"),
             addresses="192.0.2.0/24", lifetime="0")
        make(person, "Laptop", (OWN_WORD,), lifetime="30")
        make(person, "Old build server", ("slicer.read",))
        person.open("/tokens").press("revoke-1").press("ok")
        make(person, "CI", ("slicer.write",))
        person.open("/tokens").press("rotate-1").prove(ALICE).press("rotate")
        self.server.secrets.add(person.text_of("token-value"))
        session_token(self.server, ALICE)
        for scope in ("slicer.read", "report.read"):
            self.server.user_token(DASHBOARD, ALICE, scope)
        return self

    def post(self, address):
        """The box of an address from now on."""
        return Post(self.smtp, address)

    def link(self, post):
        return self.root + post.next_link(self.server)[0]

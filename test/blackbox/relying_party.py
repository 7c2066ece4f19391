"""A client that signs people in: registration, the way to a code, and the tokens for it."""

import json
import urllib.parse

from harness import ALICE, form_encode
from person import Person

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
WORDS = "openid profile email offline_access read write"


class RelyingParty:
    """One client at a server. metadata: members of its registration."""

    def __init__(self, server, client_id="rp", metadata=None, scope=WORDS, options=()):
        self.server = server
        self.client_id = client_id
        self.secret = f"{client_id}-secret-{client_id}-secret"
        self.callback = f"https://{client_id}.example/cb"
        members = {"post_logout_redirect_uris": [self.after_logout], **(metadata or {})}
        server.add_client(client_id, self.secret, "--grant", "authorization_code", "--grant",
                          "refresh_token", "--scope", scope, "--redirect-uri", self.callback,
                          "--metadata", json.dumps(members), *options)

    @property
    def after_logout(self):
        return f"https://{self.client_id}.example/signed-out"

    @property
    def pair(self):
        return self.client_id, self.secret

    def path(self, scope="openid", **changes):
        pairs = {"client_id": self.client_id, "redirect_uri": self.callback, "scope": scope,
                 "response_type": "code", "code_challenge": CHALLENGE,
                 "code_challenge_method": "S256", **changes}
        return "/oauth2/authorize?" + form_encode(pairs)

    def authorize(self, person, user=ALICE, **changes):
        """What the browser comes back with."""
        person.open(self.path(**changes))
        if person.has("sign-in"):
            person.fill("username", user[0]).fill("password", user[1]).press("sign-in")
        if person.has("allow"):
            person.press("allow")
        location = person.answer.header("Location") or ""
        assert location.startswith(self.callback + "?"), person.answer
        return dict(urllib.parse.parse_qsl(location.partition("?")[2]))

    def redeem(self, code, headers=()):
        return self.server.token({"grant_type": "authorization_code", "code": code,
                                  "redirect_uri": self.callback, "code_verifier": VERIFIER},
                                 client=self.pair, headers=headers)

    def tokens(self, person=None, **changes):
        """The token response for what a person allowed."""
        answer = self.redeem(self.authorize(person or Person(self.server), **changes)["code"])
        assert answer.status == 200, answer
        for name in ("access_token", "refresh_token", "id_token"):
            if name in answer.json:
                self.server.secrets.add(answer.json[name])
        return answer.json

    def is_active(self, token):
        return self.server.is_active(token, self.pair)

    def refresh(self, token):
        return self.server.refresh(token, self.pair)

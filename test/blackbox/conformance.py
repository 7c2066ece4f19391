"""What the tests share that are named after modules of the OpenID Foundation's conformance suite.

Its clients send no proof keys (RFC 7636) but in the module that is about them; such a client has
to be registered as one that may omit them.
"""

import json
import pathlib
import re

from harness import ALICE, FORM, Answer, basic, form_encode, jwt_part
from person import Person

EVERY_SCOPE = "openid profile email address phone offline_access"


class Suite:
    """The suite as a client of a server: one request after the other, as its modules make them."""

    def __init__(self, server, client_id, secret, mode=None, options=()):
        self.server, self.client_id, self.secret, self.mode = server, client_id, secret, mode
        self.root = f"http://127.0.0.1:{server.port}"
        self.callback = f"https://{client_id}.example/callback"
        server.add_client(client_id, secret, "--grant", "authorization_code", "--grant",
                          "refresh_token", "--scope", EVERY_SCOPE, "--redirect-uri", self.callback,
                          "--metadata", json.dumps({"jeton_may_omit_pkce": True}), *options)

    def request(self, **changes):
        """The parameters of a request; None takes one away."""
        pairs = {"client_id": self.client_id, "redirect_uri": self.callback, "scope": "openid",
                 "response_type": "code", "state": "st-1", "nonce": "n-1",
                 "response_mode": self.mode, **changes}
        return [(name, value) for name, value in pairs.items() if value is not None]

    def start(self, person, by_post=False, **changes):
        """The browser at the authorization endpoint, as far as it gets by itself."""
        query = form_encode(self.request(**changes))
        if by_post:
            return person.send("POST", "/oauth2/authorize", query)
        return person.open("/oauth2/authorize?" + query)

    def go_on(self, person, user=ALICE):
        """Whatever the pages ask for, as the suite's browser does by their ids."""
        if person.has("username"):
            person.fill("username", user[0]).fill("password", user[1]).press("sign-in")
        elif person.has("confirm"):
            person.fill("password", user[1]).press("confirm")
        if person.has("allow"):
            person.press("allow")
        return person

    def answer(self, person):
        """The parameters that the browser brings to the client, in the mode that was asked for."""
        if self.mode == "form_post":
            assert person.status == 200 and person.has("continue"), person.answer
            method, action, body = person.post_of("continue")
            assert (method, action) == ("POST", self.callback)
            sent = body
        else:
            location = person.answer.header("Location") or ""
            assert person.status in (302, 303), person.answer
            assert location.startswith(self.callback + "?"), person.answer
            sent = location.partition("?")[2]
        found = form_decode(sent)
        assert found["iss"] == self.root, found
        return found

    def authorize(self, person=None, by_post=False, **changes):
        person = person or Person(self.server)
        self.start(person, by_post, **changes)
        return self.answer(self.go_on(person))

    def redeem(self, code, by_body=False, **changes):
        pairs = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback,
                 **changes}
        return self.at_token(pairs, by_body)

    def refresh(self, token):
        return self.at_token({"grant_type": "refresh_token", "refresh_token": token})

    def at_token(self, pairs, by_body=False):
        headers = [("Content-Type", FORM)]
        if by_body:
            pairs = {**pairs, "client_id": self.client_id, "client_secret": self.secret}
        else:
            headers.append(("Authorization", basic(self.client_id, self.secret)))
        return self.server.request("POST", "/oauth2/token", form_encode(pairs), headers)

    def tokens(self, person=None, **changes):
        """The whole way; the ID token is checked as the suite does."""
        answer = self.redeem(self.authorize(person, **changes)["code"])
        assert answer.status == 200 and answer.header("Cache-Control") == "no-store", answer
        tokens = answer.json
        for name in ("access_token", "refresh_token", "id_token"):
            if name in tokens:
                self.server.secrets.add(tokens[name])
        claims = jwt_part(tokens["id_token"], 1)
        assert claims["iss"] == self.root and claims["aud"] == self.client_id, claims
        assert claims["exp"] > claims["iat"] and 0 < len(claims["sub"]) <= 255
        assert claims.get("nonce") == changes.get("nonce", "n-1")
        return tokens, claims

    def userinfo(self, tokens, method="GET", in_body=False) -> Answer:
        bearer = [("Authorization", "Bearer " + tokens["access_token"])]
        if in_body:
            body = form_encode({"access_token": tokens["access_token"]})
            return self.server.request(method, "/oauth2/userinfo", body, [("Content-Type", FORM)])
        return self.server.request(method, "/oauth2/userinfo", None if method == "GET" else "",
                                   bearer)


def form_decode(text):
    from urllib.parse import parse_qsl
    pairs = parse_qsl(text, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def docs_modules(prefix):
    """The rows of docs/conformance.md about modules whose names begin so: name and remark."""
    docs = pathlib.Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
    found = re.findall(r"^\| `(" + prefix + r"[^`]+)` \|(?:[^|\n]*\|)* ([^|\n]*) \|$",
                       docs.read_text(), re.M)
    return {name.removeprefix(prefix): text for name, text in found
            if not name.endswith("-test-plan")}

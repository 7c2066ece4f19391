"""Clients as the FAPI 2.0 Security Profile wants them, and a server that they meet over TLS.

A variant is named as the Foundation's suite names it: how the client authenticates, and what its
tokens are bound to.
"""

import http.client
import json
import ssl
import time
import uuid

import pytest

from certificates import CLIENT, SERVER, Authority, local_names
from conformance import form_decode
from dpop import Key
from harness import ALICE, FORM, form_encode, free_port
from person import Person
from relying_party import CHALLENGE, VERIFIER

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "openid profile email"
VARIANTS = ["private_key_jwt-dpop", "mtls-mtls", "private_key_jwt-mtls", "mtls-dpop"]


class Plain:
    """A server without TLS, for what needs no certificates."""

    scheme = "http"

    def __init__(self, server):
        self.server, self.port, self.secrets = server, server.port, server.secrets
        self.root = f"{self.scheme}://127.0.0.1:{self.port}"

    def request(self, method, path, body=None, headers=(), source=None, certificate=None):
        assert certificate is None
        return self.server.request(method, path, body, headers, source)


class Secure(Plain):
    """One that is its issuer's address itself, and asks everybody for a certificate."""

    scheme = "https"

    def __init__(self, make_server, folder):
        self.folder, self.contexts = folder, {}
        self.authority = Authority("Clients")
        certificate, key = Authority("Servers").issue(
            [("CN", "localhost")], names=local_names(), usage=[SERVER]).save(folder, "server")
        port = free_port()
        super().__init__(make_server(args=[
            "--tls-client-listen", f"127.0.0.1:{port}", "--issuer", f"https://127.0.0.1:{port}",
            "--tls-certificate", str(certificate), "--tls-key", str(key),
            "--tls-client-ca", str(self.authority.save(folder, "clients"))]))
        self.port, self.root = port, f"https://127.0.0.1:{port}"

    def context(self, certificate):
        name = certificate.thumbprint if certificate else "none"
        if name not in self.contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if certificate:
                context.load_cert_chain(*certificate.save(self.folder, name))
            self.contexts[name] = context
        return self.contexts[name]

    def request(self, method, path, body=None, headers=(), source=None, certificate=None):
        line = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60,
                                           context=self.context(certificate))
        try:
            return self.server.request(method, path, body, headers, source, line)
        finally:
            line.close()


class FapiClient:
    """A client as the profile wants it (FAPI 2.0 Security Profile 5.3.3).

    Its certificate is registered by its subject, or is one that signed itself and is known by
    itself, where it authenticates the client. It has two redirect URIs, one with a query.
    """

    def __init__(self, door, client_id, variant="private_key_jwt-dpop", alg="ES256",
                 self_signed=False, options=()):
        self.door, self.client_id, self.root = door, client_id, door.root
        method, _, sender = variant.rpartition("-")
        self.has_key, self.has_proofs = method == "private_key_jwt", sender == "dpop"
        self.callback = f"https://{client_id}.example/callback"
        self.key, self.holder, self.rs256 = Key(alg), Key(), Key("RS256")
        self.certificate, self.person = None, self.visitor()
        if not (self.has_key and self.has_proofs):
            self.certificate = Authority.self_signed([("CN", client_id)]) if self_signed else \
                door.authority.issue([("CN", client_id)], usage=[CLIENT])
        door.server.cli("client", "add", client_id, "--grant", "authorization_code", "--grant",
                        "refresh_token", "--scope", SCOPE, "--redirect-uri", self.callback,
                        "--redirect-uri", self.callback + "?dummy1=lorem&dummy2=ipsum",
                        "--require-pushed", "--bind-dpop" if self.has_proofs else "--bind-tls",
                        *self.method(self_signed), *options)

    def method(self, self_signed):
        """How it is registered to authenticate."""
        if self.has_key:
            keys = [{**self.key.jwk, "kid": "its"}, {**self.rs256.jwk, "kid": "rs"}]
            return ["--auth-method", "private_key_jwt", "--jwks", json.dumps({"keys": keys})]
        if self_signed:
            keys = [{**self.certificate.jwk, "x5c": [self.certificate.x5c]}]
            return ["--auth-method", "self_signed_tls_client_auth",
                    "--jwks", json.dumps({"keys": keys})]
        return ["--auth-method", "tls_client_auth", "--tls-subject", f"CN={self.client_id}"]

    def visitor(self):
        """Somebody at a browser of their own."""
        person = Person(self.door)
        person.scheme = self.door.scheme
        return person

    # -- requests of the client -------------------------------------------------------------------

    def assertion(self, key=None, kid="its", **changes):
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.root,
                  "jti": str(uuid.uuid4()), "iat": int(time.time()),
                  "exp": int(time.time()) + 60, **changes}
        key = key or self.key
        return key.jws({"alg": key.alg, "kid": kid},
                       {name: value for name, value in claims.items() if value is not None})

    def proof(self, path="/oauth2/token", method="POST", key=None, **more):
        return (key or self.holder).proof(method, self.root + path, **more)

    def post(self, path, pairs, proof=None, assertion=None, method="POST", client_id=None,
             certificate=None):
        """With its own assertion and certificate unless others are given; "" sends none."""
        pairs = [(name, value) for name, value in dict(pairs).items() if value is not None]
        if self.has_key and assertion != "":
            pairs += [("client_assertion_type", ASSERTION_TYPE),
                      ("client_assertion", assertion or self.assertion())]
        pairs.append(("client_id", client_id or self.client_id))
        headers = [("Content-Type", FORM)] + ([("DPoP", proof)] if proof else [])
        if certificate is None:
            certificate = self.certificate
        return self.door.request(method, path, form_encode(pairs), headers,
                                 certificate=certificate or None)

    def request(self, **changes):
        return {"redirect_uri": self.callback, "response_type": "code", "scope": SCOPE,
                "state": "st-1", "nonce": "n-1", "code_challenge": CHALLENGE,
                "code_challenge_method": "S256", **changes}

    def push(self, proof=None, assertion=None, **changes):
        return self.post("/oauth2/par", self.request(**changes), proof, assertion)

    def pushed(self, **changes):
        answer = self.push(**changes)
        assert answer.status == 201 and answer.json["expires_in"] < 600, answer
        return answer.json["request_uri"]

    def at_token(self, pairs, proof=None, **how):
        if proof is None and self.has_proofs:
            proof = self.proof()
        return self.post("/oauth2/token", pairs, proof, **how)

    def redeem(self, code, proof=None, assertion=None, client_id=None, certificate=None,
               **changes):
        pairs = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback,
                 "code_verifier": VERIFIER, **changes}
        return self.at_token(pairs, proof, assertion=assertion, client_id=client_id,
                             certificate=certificate)

    def refresh(self, token, proof=None, **how):
        return self.at_token({"grant_type": "refresh_token", "refresh_token": token}, proof,
                             **how)

    @property
    def unauthenticated(self):
        """What makes a request one that says who the client is, and does not prove it."""
        return {"assertion": ""} if self.has_key else {"certificate": ""}

    @property
    def unbound(self):
        """What makes a request one that shows nothing to bind a token to."""
        return {"proof": ""} if self.has_proofs else {"certificate": ""}

    # -- the whole way ----------------------------------------------------------------------------

    def start(self, person, uri, **more):
        return person.open("/oauth2/authorize?" + form_encode(
            {"client_id": self.client_id, "request_uri": uri, **more}))

    def go_on(self, person, button="allow"):
        if person.has("username"):
            person.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
        if person.has(button):
            person.press(button)
        return person

    def answer(self, person, callback=None):
        location = person.answer.header("Location") or ""
        callback = callback or self.callback + "?"
        assert location.startswith(callback), person.answer
        found = form_decode(location.removeprefix(callback).lstrip("&"))
        assert found["iss"] == self.root
        return found

    def authorize(self, outside=(), **changes):
        """In the browser where somebody may be signed in already."""
        self.start(self.person, self.pushed(**changes), **dict(outside))
        return self.answer(self.go_on(self.person))

    def tokens(self, outside=(), **changes):
        answer = self.redeem(self.authorize(outside, **changes)["code"])
        assert answer.status == 200, answer
        assert answer.header("Cache-Control") == "no-store", answer
        assert answer.json["token_type"] == ("DPoP" if self.has_proofs else "Bearer"), answer
        return answer.json

    def use(self, token, proof=None, scheme=None, method="GET", certificate=None, more=()):
        """The resource of the suite's configuration: userinfo."""
        if proof is None and self.has_proofs:
            proof = self.proof("/oauth2/userinfo", method, token=token)
        scheme = scheme or ("DPoP" if self.has_proofs else "Bearer")
        headers = [("Authorization", f"{scheme} {token}"), *more]
        headers += [("DPoP", proof)] if proof else []
        if certificate is None:
            certificate = self.certificate
        return self.door.request(method, "/oauth2/userinfo", None, headers,
                                 certificate=certificate or None)


# -- what the test files share ------------------------------------------------------------------


def variants(fits):
    """For modules that the suite has for some variants alone."""
    return pytest.mark.parametrize("variant", [name for name in VARIANTS if fits(name)],
                                   indirect=True, scope="module")


# Modules about how a client authenticates and what a token is bound to run in all four, the others
# in the two that have one of each.
OF_ALL = variants(lambda name: True)
OF_DPOP = variants(lambda name: name.endswith("dpop"))
OF_CERTIFICATES = variants(lambda name: name.endswith("-mtls"))
OF_KEYS = variants(lambda name: name.startswith("private_key_jwt"))
OF_TLS_CLIENTS = variants(lambda name: name.startswith("mtls"))


@pytest.fixture(scope="module")
def door(module_server, tmp_path_factory):
    return Secure(module_server, tmp_path_factory.mktemp("door"))


@pytest.fixture(scope="module", params=VARIANTS[:2])
def variant(request):
    return request.param


@pytest.fixture(scope="module")
def clients():
    """Those that are registered already: a worker may come to a variant more than once."""
    return {}


@pytest.fixture
def first(door, variant, clients):
    if ("first", variant) not in clients:
        clients["first", variant] = FapiClient(door, "first-" + variant.replace("_", "-"), variant)
    return clients["first", variant]


@pytest.fixture
def second(door, variant, clients):
    if ("second", variant) not in clients:
        clients["second", variant] = FapiClient(door, "second-" + variant.replace("_", "-"),
                                                variant, "PS256", self_signed=True)
    return clients["second", variant]


def refused(answer, *errors):
    """At an endpoint of the clients': 400, or 401 where the client is not known."""
    assert answer.error in errors, answer
    assert answer.status in ((400, 401) if answer.error == "invalid_client" else (400,)), answer

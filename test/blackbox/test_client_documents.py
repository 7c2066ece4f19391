"""Clients whose client_id is the URL of their metadata (Client ID Metadata Documents)."""

import json
import re
import time
import uuid

import pytest

from certificates import Authority, HttpsServer
from dpop import Key
from harness import ALICE, API, form_encode
from person import Person
from test_authorization import CHALLENGE, VERIFIER, claims_of

CALLBACK = "https://app.example/cb"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Site:
    """An application's site, and a server that may look at it."""

    def __init__(self, make_server, folder, *args):
        self.authority = Authority("Sites")
        self.https = HttpsServer(self.authority, folder, {})
        self.server = make_server(args=[
            "--fetch-ca-file", str(self.authority.save(folder, "sites-ca")), "--fetch-network",
            "127.0.0.1", *args])

    def publish(self, path, status=200, headers=None, raw=None, **changes):
        """The document of a public client, unless changed; None takes a member away."""
        client_id = self.https.url(path)
        document = {"client_id": client_id, "client_name": "Application",
                    "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
                    "grant_types": ["authorization_code", "refresh_token"], **changes}
        document = {name: value for name, value in document.items() if value is not None}
        body = raw if raw is not None else json.dumps(document).encode()
        self.https.answers[path] = lambda: (status, headers or {
            "Content-Type": "application/json"}, body)
        return client_id

    def hits(self, path):
        return sum(1 for _, seen, _, _ in self.https.seen if seen == path)

    def open(self, client_id, person=None, **changes):
        pairs = {"client_id": client_id, "redirect_uri": CALLBACK, "response_type": "code",
                 "scope": "openid", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
                 **changes}
        person = (person or Person(self.server)).open("/oauth2/authorize?" + form_encode(pairs))
        if person.has("sign-in"):
            person.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
        return person

    def code(self, client_id, person=None, **changes):
        person = self.open(client_id, person, **changes)
        assert person.has("consent"), person.answer
        location = person.press("allow").answer.header("Location")
        return re.search(r"[?&]code=([^&]+)", location).group(1)

    def token(self, client_id, code, **more):
        return self.server.token({"grant_type": "authorization_code", "code": code,
                                  "redirect_uri": CALLBACK, "code_verifier": VERIFIER,
                                  "client_id": client_id, **more})

    def shown(self, client_id):
        done = self.server.cli("client", "show", client_id, "--json", status=None)
        return json.loads(done.out) if done.status == 0 else None


@pytest.fixture(scope="module")
def site(module_server, tmp_path_factory):
    made = Site(module_server, tmp_path_factory.mktemp("site"), "--client-id-documents", "on",
                "--client-document-host", "localhost", "--client-registration-service", API[0])
    yield made
    made.https.close()


def refused(person):
    """Shown here: nobody is sent to where an unknown client wants."""
    assert person.status == 400 and not person.answer.header("Location"), person.answer
    assert not person.has("consent")


def test_people_sign_in_with_an_application_that_nobody_registered(site):
    client_id = site.publish("/app.json", client_name="<b>Application</b>")
    person = site.open(client_id)
    assert person.has("unsure") and person.text_of("client-id") == client_id
    assert person.text_of("client-name") == "<b>Application</b>"
    location = person.press("allow").answer.header("Location")
    answer = site.token(client_id, re.search(r"[?&]code=([^&]+)", location).group(1))
    assert answer.status == 200, answer
    assert claims_of(answer.json["id_token"])["aud"] == client_id
    again = site.server.token({"grant_type": "refresh_token", "client_id": client_id,
                               "refresh_token": answer.json["refresh_token"]})
    assert again.status == 200, again
    assert site.hits("/app.json") == 1
    assert "metadata_document" in site.shown(client_id)["policies"]


def test_the_metadata_says_so(site, new_server):
    for name in ("oauth-authorization-server", "openid-configuration"):
        found = site.server.get("/.well-known/" + name).json
        assert found["client_id_metadata_document_supported"] is True
    closed = new_server().get("/.well-known/oauth-authorization-server").json
    assert not closed.get("client_id_metadata_document_supported", False)


def test_services_that_the_operator_named(site):
    client_id = site.publish("/mcp.json")
    code = site.code(client_id, scope="read", resource="https://" + API[0])
    token = site.token(client_id, code).json["access_token"]
    assert site.server.is_active(token, API)


def test_az_17_people_are_asked_each_time(site):
    """Also where the application authenticates: what the URL says may change."""
    key = Key("ES256")
    client_id = site.publish("/each.json", token_endpoint_auth_method="private_key_jwt",
                             jwks={"keys": [{**key.jwk, "kid": "1"}]})
    person = Person(site.server)
    for _ in range(2):
        code = site.code(client_id, person)
        now = int(time.time())
        assertion = key.jws({"alg": "ES256", "kid": "1"}, {
            "iss": client_id, "sub": client_id, "aud": f"http://127.0.0.1:{site.server.port}",
            "exp": now + 60, "iat": now, "jti": str(uuid.uuid4())})
        assert site.token(client_id, code).error == "invalid_client"
        code = site.code(client_id, person)
        answer = site.token(client_id, code, client_assertion_type=TYPE, client_assertion=assertion)
        assert answer.status == 200, answer


@pytest.mark.parametrize("name, changes", [
    ("another-id", {"client_id": "https://localhost/other.json"}), ("no-id", {"client_id": None}),
    ("number-id", {"client_id": 7}), ("secret", {"client_secret": "x"}),
    ("secret-life", {"client_secret_expires_at": 0}),
    ("basic", {"token_endpoint_auth_method": "client_secret_basic"}),
    ("post", {"token_endpoint_auth_method": "client_secret_post"}),
    ("tls", {"token_endpoint_auth_method": "tls_client_auth",
             "tls_client_auth_subject_dn": "CN=x"}),
    ("no-keys", {"token_endpoint_auth_method": "private_key_jwt"}),
    ("credentials", {"grant_types": ["client_credentials"]}),
    ("exchange", {"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]}),
    ("trusted", {"jeton_trusted": True}), ("scope", {"scope": "peek"}),
    ("word", {"scope": "jeton:register"}), ("no-uris", {"redirect_uris": None}),
    ("javascript", {"redirect_uris": [CALLBACK, "javascript:alert(1)"]}),
    ("http", {"redirect_uris": ["http://app.example/cb"]})])
def test_documents_that_are_refused(site, name, changes):
    path = f"/bad-{name}.json"
    site.publish(path, **changes)
    refused(site.open(site.https.url(path)))
    assert site.hits(path) == 1 and site.shown(site.https.url(path)) is None


@pytest.mark.parametrize("name, raw", [
    ("empty", b""), ("torn", b"{"), ("list", b"[]"), ("binary", bytes(range(256))),
    ("twice", b'{"client_id":"a","client_id":"b"}'), ("deep", b"[" * 100000),
    ("large", b'{"x":"' + b"x" * 70000 + b'"}'),
    ("full", b'{"client_name":"' + b"<" * 65000 + b'"}')])
def test_ht_08_documents_that_are_none(site, name, raw):
    client_id = site.publish(f"/{name}", raw=raw)
    refused(site.open(client_id))
    assert site.shown(client_id) is None


def test_ht_08_redirects_are_not_followed(site):
    target = site.publish("/target.json")
    moved = site.publish("/moved.json", status=302, headers={"Location": target})
    refused(site.open(moved))
    assert site.hits("/moved.json") == 1 and site.hits("/target.json") == 0


@pytest.mark.parametrize("spelling", [
    "http://localhost:{port}/a.json", "https://localhost:{port}", "https://localhost:{port}/",
    "https://localhost:{port}/x/../a.json", "https://localhost:{port}/./a.json",
    "https://localhost:{port}/a.json#part", "https://localhost:{port}/a.json?q=1",
    "https://user@localhost:{port}/a.json", "https://user:word@localhost:{port}/a.json",
    "https://LOCALHOST:{port}/a.json", "HTTPS://localhost:{port}/a.json",
    "https://localhost:{port}/%2e%2e/a.json", "https://localhost:{port}/%61.json",
    "https://localhost:{port}/a.json ", "https://localhost:{port}/" + "a" * 255,
    "https://127.0.0.1:{port}/a.json", "https://[::1]:{port}/a.json", "https://localhost.:{port}/a",
    "https://evil.example/a.json", "//localhost:{port}/a.json", "file:///etc/passwd"])
def test_ht_08_other_urls_are_nobody(site, spelling):
    site.publish("/a.json")
    before = len(site.https.seen)
    refused(site.open(spelling.format(port=site.https.port)))
    assert len(site.https.seen) == before


def test_ht_08_loopback_sees_nothing(new_server, tmp_path):
    """Where the operator did not name the network, admitted or not."""
    authority = Authority("Sites")
    https = HttpsServer(authority, tmp_path, {})
    server = new_server(args=["--client-id-documents", "on", "--client-document-host", "*",
                              "--fetch-ca-file", str(authority.save(tmp_path, "ca"))])
    person = Person(server).open("/oauth2/authorize?" + form_encode({
        "client_id": https.url("/a.json"), "redirect_uri": CALLBACK, "response_type": "code"}))
    refused(person)
    assert https.connections == 0
    https.close()


def test_off_unless_it_is_on(new_server, tmp_path):
    made = Site(new_server, tmp_path)
    refused(made.open(made.publish("/a.json")))
    assert not made.https.seen
    made.https.close()


def test_switched_off_nobody_is_left(new_server, tmp_path):
    made = Site(new_server, tmp_path, "--client-id-documents", "on", "--client-document-host", "*")
    client_id = made.publish("/a.json")
    tokens = made.token(client_id, made.code(client_id)).json
    made.server.stop()
    made.server.args = [word for word in made.server.args if word not in (
        "--client-id-documents", "on", "--client-document-host", "*")]
    made.server.start()
    answer = made.server.token({"grant_type": "refresh_token", "client_id": client_id,
                                "refresh_token": tokens["refresh_token"]})
    assert (answer.status, answer.error) == (401, "invalid_client")
    refused(made.open(client_id))
    made.https.close()


@pytest.mark.parametrize("args", [
    ["--client-id-documents", "on"],
    ["--client-id-documents", "on", "--client-document-host", "https://app.example"],
    ["--client-document-host", "App.example"], ["--client-document-host", "app.example:443"],
    ["--client-id-documents", "perhaps"], ["--client-registration", "on"],
    ["--client-registration-max", "0"]])
def test_settings_that_are_refused(new_server, args):
    done = new_server(start=False).cli("serve", "--listen", "127.0.0.1:0", *args, status=None)
    assert done.status == 2 and args[0][2:8] in done.err, done


def test_a_site_that_is_away_ends_no_session(faked_time, tmp_path):
    """But nobody new is let in, and what it says later holds."""
    server, set_time = faked_time
    server.stop()
    made = Site(lambda args: setattr(server, "args", args) or server.start(), tmp_path,
                "--client-id-documents", "on", "--client-document-host", "localhost")
    client_id = made.publish("/a.json")
    tokens = made.token(client_id, made.code(client_id)).json

    def refresh(value):
        return made.server.token({"grant_type": "refresh_token", "client_id": client_id,
                                  "refresh_token": value})

    set_time(1000)  # what is remembered is too old by now
    made.publish("/a.json", status=500)
    again = refresh(tokens["refresh_token"])
    assert again.status == 200, again
    refused(made.open(client_id))
    made.publish("/a.json", redirect_uris=["https://app.example/other"])
    made.server.stop()  # forgets that it was away
    made.server.start()
    refused(made.open(client_id))
    assert made.shown(client_id)["redirect_uris"] == "https://app.example/other"
    made.publish("/a.json", client_id="https://localhost/other")
    set_time(2000)
    assert refresh(again.json["refresh_token"]).error == "invalid_client"
    made.https.close()


def test_an_operator_can_disable_one(new_server, tmp_path):
    made = Site(new_server, tmp_path, "--client-id-documents", "on", "--client-document-host", "*")
    client_id = made.publish("/a.json")
    made.code(client_id)
    made.server.cli("client", "disable", client_id)
    refused(made.open(client_id))
    assert made.shown(client_id)["disabled"] is True
    made.https.close()


def test_pushed_requests_know_documents(site):
    client_id = site.publish("/pushed.json")
    answer = site.server.post_form("/oauth2/par", {
        "client_id": client_id, "redirect_uri": CALLBACK, "response_type": "code",
        "scope": "openid", "code_challenge": CHALLENGE, "code_challenge_method": "S256"})
    assert answer.status == 201, answer

"""The same requests to Jeton and to oidc-provider, a certified server of OpenID Connect.

Each answer is reduced to what a client sees: status, where it leads, error code, the parameters of
a redirect, the members of an object, and three headers. Every difference stands in
differential.json with the reason and its source; a difference that does not, and an entry there
that no difference needs, fail.
"""

import collections
import concurrent.futures
import contextlib
import fnmatch
import http.client
import json
import pathlib
import re
import subprocess
import urllib.parse

import pytest

from differential_cases import (AUTHORIZATION, CALLBACK, CLIENTS, VERIFIER, WORDS, all_cases,
                                authorization_pairs)
from harness import ALICE, FORM, Answer, basic, form_encode
from node_clients import ENVIRONMENT, FOLDER
from person import Page, Person

REASONS = pathlib.Path(__file__).with_name("differential.json")
GUESS_COUNT = 8
GUESS_SECRET = "guess-secret-guess-secret-guess"


class Peer:
    """oidc-provider behind test/clients/peer.mjs; it ends with close()."""

    def __init__(self, node, clients):
        self.secrets = set()
        self.process = subprocess.Popen(
            node + ["peer.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        self.process.stdin.write(json.dumps(clients).encode() + b"\n")
        self.process.stdin.flush()
        self.root = self.process.stdout.readline().decode().strip()
        assert self.root.startswith("http://"), "the peer did not start"
        self.port = urllib.parse.urlsplit(self.root).port

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    def request(self, method, path, body=None, headers=(), source=None):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(line):
            line.request(method, path, body, dict(headers))
            reply = line.getresponse()
            # As Jeton writes addresses of its own: without the origin.
            answered = [(name, value.removeprefix(self.root) if name.lower() == "location" else
                         value) for name, value in reply.getheaders()]
            return Answer(reply.status, answered, reply.read())


def peer_setup():
    clients = [{
        "client_id": name, "client_secret": secret, "token_endpoint_auth_method": method,
        "grant_types": grants, "scope": WORDS, "redirect_uris":
        [CALLBACK] if "authorization_code" in grants else [], "response_types":
        ["code"] if "authorization_code" in grants else []}
        for name, (secret, method, grants) in CLIENTS.items()]
    clients += [{"client_id": f"guess{i}", "client_secret": GUESS_SECRET, "redirect_uris":
                 [CALLBACK], "scope": WORDS} for i in range(GUESS_COUNT)]
    for client in clients:
        if client.get("client_secret") is None:
            client.pop("client_secret", None)
    return {"clients": clients, "scopes": WORDS.split()}


def register(jeton):
    for name, (secret, method, grants) in CLIENTS.items():
        options = [word for grant in grants for word in ("--grant", grant)]
        if "authorization_code" in grants:
            options += ["--redirect-uri", CALLBACK]
        if secret:
            options += ["--auth-method", method]
        jeton.add_client(name, secret, "--scope", WORDS, *options)
    for i in range(GUESS_COUNT):
        jeton.add_client(f"guess{i}", GUESS_SECRET, "--scope", WORDS, "--grant",
                         "authorization_code", "--redirect-uri", CALLBACK)


class Side:
    """One of the two servers: where things are, somebody signed in, and fresh tokens."""

    def __init__(self, server):
        self.server = server
        self.root = f"http://127.0.0.1:{server.port}"
        found = server.request("GET", "/.well-known/openid-configuration").json
        self.metadata = found
        self.paths = {name: urllib.parse.urlsplit(value).path for name, value in found.items()
                      if isinstance(value, str) and value.startswith(self.root)}
        self.person = Person(server)
        self.guess_count = 0
        self.fresh = {}
        self.code("web")

    def path(self, place):
        return place if place.startswith("/") else \
            self.paths.get(place) or self.paths[place + "_endpoint"]

    def authorize(self, client):
        pairs = authorization_pairs({"client_id": client})
        self.person.open(self.path("authorization") + "?" + form_encode(pairs))
        if self.person.has("username"):
            self.person.fill("username", ALICE[0]).fill("password", ALICE[1]).press("sign-in")
        if self.person.has("allow"):
            self.person.press("allow")
        location = self.person.answer.header("Location")
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))

    def code(self, client):
        answer = self.authorize(client)
        assert "code" in answer, answer
        return answer["code"]

    def tokens(self, client, **fields):
        pairs = {"grant_type": "authorization_code", "redirect_uri": CALLBACK,
                 "code_verifier": VERIFIER, **fields}
        return self.post("token", pairs, client)

    def post(self, place, pairs, client):
        secret = CLIENTS[client][0]
        headers = [("Content-Type", FORM)]
        if secret:
            headers.append(("Authorization", basic(client, secret)))
        else:
            pairs = {**pairs, "client_id": client}
        answer = self.server.request("POST", self.path(place), form_encode(pairs), headers)
        assert answer.status in (200, 201), answer
        for name in ("access_token", "refresh_token"):
            if name in answer.json:
                self.server.secrets.add(answer.json[name])
        return answer.json

    def value(self, name):
        """Something to put in the place of {name}: never used before."""
        client = "spa" if name.startswith("spa_") else "web"
        name = name.removeprefix("spa_")
        if name == "guess":
            self.guess_count += 1
            return f"guess{self.guess_count - 1}"
        if name == "code":
            return self.code(client)
        if name == "request_uri":
            return self.post("pushed_authorization_request", AUTHORIZATION, "web")["request_uri"]
        if name == "machine_token":
            return self.post("token", {"grant_type": "client_credentials", "scope": "read"},
                             "web")["access_token"]
        code = self.code(client)
        got = self.tokens(client, code=code)
        if name == "spent_code":
            return code
        if name == "spent_refresh_token":
            self.post("token", {"grant_type": "refresh_token",
                                "refresh_token": got["refresh_token"]}, client)
            return got["refresh_token"]
        return got[name]

    def fill(self, text):
        def put(found):
            name = found.group(1)
            if name not in self.fresh:
                self.fresh[name] = self.value(name)
            return self.fresh[name]

        return re.sub(r"\{(\w+)\}", put, text)

    def send(self, case):
        """One request of the table, and what came of it."""
        _, place, method, pairs, more = case
        self.fresh = {}
        headers = [(name, self.fill(value)) for name, value in more.get("headers", ())]
        kind = more.get("type", FORM)
        if not isinstance(pairs, bytes):
            pairs = [(name, self.fill(value)) for name, value in pairs] + more.get("add", [])
        auth = more.get("auth")
        if auth:
            how, client, secret = auth
            client = self.fill(client)
            if how in ("basic", "both"):
                headers.append(("Authorization", basic(client, secret)))
            if how != "basic":
                pairs = pairs + [("client_id", client)]
            if how in ("post", "both"):
                pairs = pairs + [("client_secret", secret)]
        path, body = self.path(place), None
        if method == "POST":
            headers.append(("Content-Type", kind))
            body = pairs if isinstance(pairs, bytes) else form_encode(pairs).encode()
        elif pairs:
            path += "?" + form_encode(pairs)
        if more.get("signed_in"):
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value
                                                in self.person.cookies.items())))
        answer = self.server.request(method, path, body, headers)
        location = answer.header("Location") or ""
        if method == "POST" and location.startswith(self.path("authorization") + "?"):
            answer = self.server.request("GET", location, None, headers[:-1])  # as a browser does
        return self.seen(answer)

    def seen(self, answer):
        """What a client can tell of an answer."""
        location = answer.header("Location")
        kind = (answer.header("Content-Type") or "").lower().replace(" ", "")
        seen = {"status": answer.status, "error": None, "leads": None, "parameters": None,
                "cache": answer.header("Cache-Control"), "type": kind or None,
                "challenge": challenge_of(answer.header("WWW-Authenticate")), "members": None}
        text = answer.body.decode("utf-8", "replace")
        if location is not None:
            to_client = location.startswith(CALLBACK)
            seen["leads"] = "to the client" if to_client else "to a person"
            if to_client:
                there = urllib.parse.urlsplit(location)
                if there.fragment:
                    seen["leads"] = "to the client by a fragment"
                pairs = dict(urllib.parse.parse_qsl(there.query or there.fragment,
                                                    keep_blank_values=True))
                seen["error"] = pairs.get("error")
                seen["parameters"] = self.shown(pairs)
        elif kind.startswith("text/html"):
            shown = re.search(r'<code id="error">([^<]*)</code>', text)
            posted = next((dict(field[1:] for field in form.fields) for form in Page(text).forms
                           if form.action == CALLBACK), None)
            if shown:
                seen["leads"], seen["error"] = "to an error page", shown.group(1)
            elif posted:
                seen["leads"], seen["error"] = "to the client by a form", posted.get("error")
                seen["parameters"] = self.shown(posted)
            else:
                seen["leads"] = "to a person"
        elif re.match(r"application/([a-z-]+\+)?json\b", kind) and text:
            value = json.loads(text)
            seen["error"] = value.get("error")
            seen["members"] = " ".join(sorted(value))
        return seen

    def shown(self, pairs):
        """Names, and the values that do not differ by nature."""
        return " ".join(f"{name}={value.replace(self.root, 'issuer')}" if name in ("iss", "state")
                        else name for name, value in sorted(pairs.items())
                        if name != "error_description")


def challenge_of(value):
    """Schemes and error codes of WWW-Authenticate, without realms and descriptions."""
    if value is None:
        return None
    found = re.findall(r'(?:^|, )(Basic|Bearer|DPoP)\b|error="(\w+)"', value)
    return " ".join(scheme or "error=" + error for scheme, error in found)


@pytest.fixture(scope="module")
def sides(module_server, node):
    jeton = module_server()
    register(jeton)
    peer = Peer(node, peer_setup())
    yield Side(jeton), Side(peer)
    peer.close()


@pytest.fixture(scope="module")
def differences(sides):
    """[(case, what, Jeton's, the other's)], and how many cases there were."""
    cases = list(all_cases())
    assert len({case[0] for case in cases}) == len(cases), "two cases have one name"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(lambda side: [side.send(case) for case in cases], sides)
    found = [(case[0], what, mine[what], other[what])
             for case, mine, other in zip(cases, ours, theirs)
             for what in mine if mine[what] != other[what]]
    return found, len(cases)


def explains(entry, difference):
    case, what, mine, other = difference
    return entry["what"] == what and \
        any(fnmatch.fnmatchcase(case, pattern) for pattern in entry["cases"]) and \
        ("jeton" not in entry or entry["jeton"] == mine) and \
        ("peer" not in entry or entry["peer"] == other)


def test_every_difference_is_explained(differences):
    found, count = differences
    assert count >= 300
    entries = json.loads(REASONS.read_text("utf-8"))["differences"]
    needed = collections.Counter()
    unexplained = []
    for difference in found:
        matching = [i for i, entry in enumerate(entries) if explains(entry, difference)]
        needed.update(matching)
        if not matching:
            unexplained.append("{} {}: {!r}, oidc-provider {!r}".format(*difference))
    assert not unexplained, f"{len(unexplained)} of {len(found)}:\n" + "\n".join(unexplained)
    idle = [entry for i, entry in enumerate(entries) if not needed[i]]
    assert not idle, "explanations that nothing needs: " + json.dumps(idle, indent=1)


def test_explanations_have_reason_and_source():
    for entry in json.loads(REASONS.read_text("utf-8"))["differences"]:
        assert entry["cases"] and entry["what"] and len(entry["reason"]) > 20, entry
        assert re.search(r"\d|oidc-provider", entry["source"]), entry


# Members of the two discovery documents that only one has, or that hold something else.
def test_discovery_members(sides):
    ours, theirs = (side.metadata for side in sides)
    table = json.loads(REASONS.read_text("utf-8"))["discovery"]
    differing = set()
    for name in sorted({*ours, *theirs}):
        values = [plain(side.metadata.get(name), side.root) for side in sides]
        if values[0] != values[1] and not name.endswith(("_endpoint", "jwks_uri")) \
                or (name in ours) != (name in theirs):
            differing.add(name)
    assert differing == set(table), {name: (ours.get(name), theirs.get(name))
                                     for name in differing ^ set(table)}
    assert all(len(reason) > 20 for reason in table.values())


def plain(value, root):
    if isinstance(value, list):
        return sorted(value)
    return value.replace(root, "issuer") if isinstance(value, str) else value

"""Documents from other servers: clients' keys at their jwks_uri (HT-08, CA-06)."""

import json
import socket
import threading
import time
import uuid

import pytest

from certificates import Authority, HttpsServer
from dpop import Key
from harness import API, wait_until

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CREDENTIALS = {"grant_type": "client_credentials"}


def jwks(*keys):
    text = json.dumps({"keys": [{**key.jwk, "kid": kid, "use": "sig", "alg": key.alg}
                                for kid, key in keys]})
    return lambda: (200, {"Content-Type": "application/json"}, text.encode())


def redirect(to):
    return lambda: (302, {"Location": to}, b"")


class Documents:
    """A server whose clients publish their keys, and where they do."""

    def __init__(self, make_server, folder, *args):
        self.authority = Authority("Documents")
        self.https = HttpsServer(self.authority, folder, {})
        self.server = make_server(args=[
            "--fetch-ca-file", str(self.authority.save(folder, "documents-ca")), *args])
        self.key = Key("ES256")

    def add(self, client_id, url):
        self.server.cli("client", "add", client_id, "--service", API[0], "--auth-method",
                        "private_key_jwt", "--jwks-uri", url, "--grant", "client_credentials")

    def token(self, client_id, key=None, kid="1"):
        now = int(time.time())
        assertion = (key or self.key).jws(
            {"alg": (key or self.key).alg, "kid": kid},
            {"iss": client_id, "sub": client_id, "aud": f"http://127.0.0.1:{self.server.port}",
             "exp": now + 60, "iat": now, "jti": str(uuid.uuid4())})
        return self.server.token({**CREDENTIALS, "client_assertion_type": TYPE,
                                  "client_assertion": assertion})

    def hits(self, path):
        return sum(1 for _, seen, _, _ in self.https.seen if seen == path)


@pytest.fixture(scope="module")
def documents(module_server, tmp_path_factory):
    made = Documents(module_server, tmp_path_factory.mktemp("documents"), "--fetch-network",
                     "127.0.0.1")
    yield made
    made.https.close()


def refused(answer):
    assert (answer.status, answer.error) == (401, "invalid_client"), answer


def test_ca_06_keys_are_fetched_and_remembered(documents):
    documents.https.answers["/keys"] = jwks(("1", documents.key))
    documents.add("fetched", documents.https.url("/keys"))
    for _ in range(5):
        answer = documents.token("fetched")
        assert answer.status == 200, answer
    assert documents.hits("/keys") == 1
    method, _, headers, body = next(one for one in documents.https.seen if one[1] == "/keys")
    assert (method, headers["Accept"], body) == ("GET", "application/json", b"")
    assert not {"Cookie", "Authorization", "Referer"} & set(headers)


def test_an_unknown_key_is_asked_for_but_not_at_once_again(documents):
    """The set is younger than a minute: a flood of unknown keys asks nobody."""
    documents.https.answers["/rotating"] = jwks(("1", documents.key))
    documents.add("rotating", documents.https.url("/rotating"))
    assert documents.token("rotating").status == 200
    other = Key("ES256")
    documents.https.answers["/rotating"] = jwks(("1", documents.key), ("2", other))
    for _ in range(5):
        refused(documents.token("rotating", other, kid="2"))
    assert documents.hits("/rotating") == 1
    assert documents.token("rotating").status == 200


def test_ht_08_redirects_are_not_followed(documents):
    documents.https.answers["/target"] = jwks(("1", documents.key))
    documents.https.answers["/moved"] = redirect(documents.https.url("/target"))
    documents.add("moved", documents.https.url("/moved"))
    for _ in range(3):
        refused(documents.token("moved"))
    assert documents.hits("/moved") == 1 and documents.hits("/target") == 0


@pytest.mark.parametrize("status", [404, 500])
def test_a_failure_is_not_tried_again_at_once(documents, status):
    path = f"/fails-{status}"
    documents.https.answers[path] = lambda: (status, {}, b"{}")
    documents.add(f"fails-{status}", documents.https.url(path))
    for _ in range(3):
        refused(documents.token(f"fails-{status}"))
    assert documents.hits(path) == 1


@pytest.mark.parametrize("name,body", [
    ("large", b'{"keys":[],"x":"' + b"x" * 70000 + b'"}'), ("torn", b'{"keys":['),
    ("other", b"[]"), ("empty", b""), ("binary", bytes(range(256)))])
def test_ht_08_documents_that_are_none(documents, name, body):
    documents.https.answers[f"/{name}"] = lambda: (200, {}, body)
    documents.add(name, documents.https.url(f"/{name}"))
    refused(documents.token(name))


def test_ht_08_nothing_is_decompressed(documents):
    import gzip
    text = gzip.compress(jwks(("1", documents.key))()[2])
    documents.https.answers["/zip"] = lambda: (200, {"Content-Encoding": "gzip"}, text)
    documents.add("zip", documents.https.url("/zip"))
    refused(documents.token("zip"))


def test_ht_08_a_slow_server_is_left(documents):
    """One byte now and then holds nobody for longer than the limit, and no other client at all."""
    began = time.monotonic()
    stop = threading.Event()

    def slow():
        stop.wait(20)
        return 200, {}, b"{}"

    documents.https.answers["/slow"] = slow
    documents.https.answers["/quick"] = jwks(("1", documents.key))
    documents.add("slow", documents.https.url("/slow", host="127.0.0.1"))
    documents.add("quick", documents.https.url("/quick"))
    thread = threading.Thread(target=lambda: refused(documents.token("slow")))
    thread.start()
    wait_until(lambda: documents.hits("/slow") == 1, 20, "the slow one is asked")
    assert documents.token("quick").status == 200
    thread.join()
    stop.set()
    assert 4 < time.monotonic() - began < 18


def test_ht_08_the_certificate_is_verified(new_server, tmp_path):
    made = Documents(new_server, tmp_path, "--fetch-network", "127.0.0.1")
    stranger = HttpsServer(Authority("Others"), tmp_path, {"/keys": jwks(("1", made.key))})
    made.add("stranger", stranger.url("/keys"))
    refused(made.token("stranger"))
    assert not stranger.seen
    stranger.close()
    made.https.close()


SPELLINGS = ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1",
             "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.0.0.1.", "LOCALHOST"]


def test_ht_08_loopback_sees_nothing(new_server, tmp_path):
    """In whatever way it is written: not even a connection is made."""
    made = Documents(new_server, tmp_path)
    made.https.answers["/keys"] = jwks(("1", made.key))
    for index, host in enumerate(SPELLINGS):
        made.add(f"client-{index}", made.https.url("/keys", host=host))
        refused(made.token(f"client-{index}"))
    assert made.https.connections == 0 and not made.https.seen
    assert "fetch_failed" in made.server.log()
    assert "closed off" in made.server.log()
    made.https.close()


@pytest.mark.parametrize("url", ["http://localhost/k", "file:///etc/passwd", "ftp://a.example/k",
                                 "https://user:pass@a.example/k", "https://a.example/#k", "//a/k"])
def test_ht_08_other_addresses_cannot_be_registered(documents, url):
    done = documents.server.cli("client", "add", "unsound", "--auth-method", "private_key_jwt",
                                "--jwks-uri", url, "--grant", "client_credentials", status=None)
    assert done.status == 1 and "jwks_uri" in done.err, done


def test_ht_08_an_environment_with_a_proxy_is_not_followed(new_server, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.2)
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        made = Documents(lambda args: new_server(args=args, env={
            "https_proxy": url, "HTTPS_PROXY": url, "ALL_PROXY": url}), tmp_path,
            "--fetch-network", "127.0.0.1")
        made.https.answers["/keys"] = jwks(("1", made.key))
        made.add("proxied", made.https.url("/keys"))
        assert made.token("proxied").status == 200
        with pytest.raises(TimeoutError):
            proxy.accept()
    made.https.close()


@pytest.mark.parametrize("network", ["nonsense", "10.0.0.1/8", "::/0", "127.0.0.1 10.0.0.0/8"])
def test_a_network_that_is_none_is_refused_at_start(new_server, network):
    done = new_server(start=False).cli("serve", "--listen", "127.0.0.1:0", "--fetch-network",
                                       network, status=None)
    assert done.status in (1, 2) and "fetch-network" in done.err, done

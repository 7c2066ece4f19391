"""Client certificates (RFC 8705; RFC 9440; promises CA-03, CA-09, MT-01, MT-02)."""

import base64
import http.client
import ipaddress
import json
import signal
import ssl
import urllib.parse

import pytest
from cryptography import x509

from certificates import CLIENT, DAY, NOW, SERVER, Authority, local_names
from harness import API, CC, FORM, Answer, basic, form_encode, free_port, wait_until

SUBJECT = [("CN", "robot"), ("O", "Example")]
DN = "CN=robot,O=Example"
CREDENTIALS = {"grant_type": "client_credentials"}


class Mtls:
    """A server that asks for certificates, the authority that it trusts, and the clients."""

    def __init__(self, make_server, folder):
        self.folder = folder
        self.authority = Authority("Clients")
        self.middle = Authority("Between", self.authority)
        self.stranger = Authority("Clients")
        certificate, key = Authority("Servers").issue(
            [("CN", "localhost")], names=local_names(), usage=[SERVER]).save(folder, "server")
        self.port, self.plain_port = free_port(), free_port()
        self.server = make_server(args=[
            "--tls-client-listen", f"127.0.0.1:{self.port}",
            "--tls-listen", f"127.0.0.1:{self.plain_port}",
            "--tls-certificate", str(certificate), "--tls-key", str(key),
            "--tls-client-ca", str(self.authority.save(folder, "clients"))])
        self.count = 0

    def add(self, client_id, **metadata):
        self.server.cli("client", "add", client_id, "--service", API[0], "--metadata",
                        json.dumps({"grant_types": ["client_credentials"], **metadata}))
        return client_id

    def context(self, certificate):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate is not None:
            self.count += 1
            context.load_cert_chain(*certificate.save(self.folder, f"client-{self.count}"))
        return context

    def post(self, path, fields, certificate=None, headers=(), port=None, context=None):
        line = http.client.HTTPSConnection("127.0.0.1", port or self.port, timeout=60,
                                           context=context or self.context(certificate))
        try:
            line.request("POST", path, form_encode(fields),
                         {"Content-Type": FORM, **dict(headers)})
            reply = line.getresponse()
            return Answer(reply.status, reply.getheaders(), reply.read())
        finally:
            line.close()

    def token(self, client_id, certificate=None, **more):
        return self.post("/oauth2/token", {**CREDENTIALS, "client_id": client_id}, certificate,
                         **more)


@pytest.fixture(scope="module")
def mtls(module_server, tmp_path_factory):
    made = Mtls(module_server, tmp_path_factory.mktemp("mtls"))
    made.add("robot", token_endpoint_auth_method="tls_client_auth",
             tls_client_auth_subject_dn=DN)
    return made


def refused(answer):
    assert (answer.status, answer.error) == (401, "invalid_client"), answer


def test_mt_02_the_subject_is_compared_as_a_whole(mtls):
    """RFC 8705 2.1.2; RFC 4514."""
    assert mtls.token("robot", mtls.authority.issue(SUBJECT, usage=[CLIENT])).status == 200
    assert mtls.token("robot", mtls.authority.issue(SUBJECT)).status == 200
    for other in ([("CN", "robot")], [("CN", "robot"), ("O", "Example "), ("CN", "x")],
                  [("O", "Example"), ("CN", "robot")], [("CN", "Robot"), ("O", "Example")],
                  [("CN", "robot,O=Example")], [("CN", "robot"), ("O", "Example,O=Example")]):
        refused(mtls.token("robot", mtls.authority.issue(other, usage=[CLIENT])))


def test_mt_02_what_is_wrong_with_a_chain(mtls):
    bad = {
        "expired": mtls.authority.issue(SUBJECT, begin=NOW - 2 * DAY, end=NOW - DAY),
        "not yet good": mtls.authority.issue(SUBJECT, begin=NOW + DAY, end=NOW + 2 * DAY),
        "for servers": mtls.authority.issue(SUBJECT, usage=[SERVER]),
        "another authority of the same name": mtls.stranger.issue(SUBJECT, usage=[CLIENT]),
        "signed by itself": Authority.self_signed(SUBJECT, usage=[CLIENT]),
        "an issuer that is no authority": issue_by_leaf(mtls),
    }
    for why, certificate in bad.items():
        answer = mtls.token("robot", certificate)
        assert (answer.status, answer.error) == (401, "invalid_client"), (why, answer)
    refused(mtls.token("robot"))


def issue_by_leaf(mtls):
    leaf = mtls.authority.issue([("CN", "leaf")])
    wrong = Authority("leaf")
    wrong.own, wrong.chain = leaf, [leaf]
    return wrong.issue(SUBJECT)


def test_a_chain_over_another_authority(mtls):
    assert mtls.token("robot", mtls.middle.issue(SUBJECT, usage=[CLIENT])).status == 200
    alone = mtls.middle.issue(SUBJECT, usage=[CLIENT])
    alone.chain = []
    refused(mtls.token("robot", alone))


SANS = {
    "tls_client_auth_san_dns": ("robot.example", x509.DNSName, ["other.example", "*.example"]),
    "tls_client_auth_san_uri": ("https://robot.example/a", x509.UniformResourceIdentifier,
                                ["https://robot.example/A", "https://robot.example/"]),
    "tls_client_auth_san_email": ("robot@robot.example", x509.RFC822Name,
                                  ["Robot@robot.example", "x@robot.example"]),
    "tls_client_auth_san_ip": ("192.0.2.7", lambda text: x509.IPAddress(
        ipaddress.ip_address(text)), ["192.0.2.8", "::ffff:192.0.2.7"]),
}


@pytest.mark.parametrize("member", SANS)
def test_mt_02_one_alternative_name(mtls, member):
    good, form, others = SANS[member]
    client_id = mtls.add(f"by-{member}", token_endpoint_auth_method="tls_client_auth",
                         **{member: good})
    names = [x509.DNSName("first.example"), form(good)]
    assert mtls.token(client_id, mtls.authority.issue(SUBJECT, names=names)).status == 200
    for other in others:
        refused(mtls.token(client_id, mtls.authority.issue(SUBJECT, names=[form(other)])))
    # The same text as another kind of name is another name.
    as_subject = mtls.authority.issue([("CN", good)], names=[x509.DNSName("first.example")])
    refused(mtls.token(client_id, as_subject))


def test_self_signed_certificates_are_known_by_themselves(mtls):
    """RFC 8705 2.2."""
    own = Authority.self_signed(SUBJECT)
    by_thumbprint = Authority.self_signed(SUBJECT)
    expired = Authority.self_signed(SUBJECT, begin=NOW - 2 * DAY, end=NOW - DAY)
    keys = [{**own.jwk, "x5c": [own.x5c]},
            {**by_thumbprint.jwk, "x5t#S256": by_thumbprint.thumbprint},
            {**expired.jwk, "x5c": [expired.x5c]}]
    client_id = mtls.add("pinned", token_endpoint_auth_method="self_signed_tls_client_auth",
                         jwks={"keys": keys})
    assert mtls.token(client_id, own).status == 200
    assert mtls.token(client_id, by_thumbprint).status == 200
    refused(mtls.token(client_id, expired))
    refused(mtls.token(client_id, Authority.self_signed(SUBJECT)))
    refused(mtls.token(client_id, mtls.authority.issue(SUBJECT, usage=[CLIENT])))
    refused(mtls.token(client_id))
    refused(mtls.token("robot", own))


def test_ca_03_a_certificate_is_nobody_elses_method(mtls):
    certificate = mtls.authority.issue(SUBJECT, usage=[CLIENT])
    refused(mtls.token(CC[0], certificate))
    refused(mtls.post("/oauth2/token", CREDENTIALS, certificate,
                      headers={"Authorization": basic("robot", "x")}))
    refused(mtls.post("/oauth2/token", {**CREDENTIALS, "client_id": "robot",
                                        "client_secret": "x"}, certificate))
    # A certificate beside a secret may be there for the token's sake.
    answer = mtls.post("/oauth2/token", CREDENTIALS, certificate,
                       headers={"Authorization": basic(*CC)})
    assert answer.status == 200, answer


@pytest.mark.parametrize("path", ["/oauth2/introspect", "/oauth2/revoke"])
def test_ca_03_at_the_other_endpoints(mtls, path):
    certificate = mtls.authority.issue(SUBJECT, usage=[CLIENT])
    fields = {"token": "none", "client_id": "robot"}
    assert mtls.post(path, fields, certificate).status == 200
    refused(mtls.post(path, fields))
    refused(mtls.post(path, fields, Authority.self_signed(SUBJECT)))


def test_mt_01_tokens_are_bound_to_the_certificate(mtls):
    client_id = mtls.add("bound", token_endpoint_auth_method="tls_client_auth",
                         tls_client_auth_subject_dn="CN=bound",
                         tls_client_certificate_bound_access_tokens=True)
    certificate = mtls.authority.issue([("CN", "bound")])
    answer = mtls.token(client_id, certificate)
    assert answer.status == 200, answer
    token = answer.json["access_token"]
    mtls.server.secrets.add(token)
    assert mtls.server.introspect(token, API).json["cnf"] == {"x5t#S256": certificate.thumbprint}


def test_a_listener_that_does_not_ask_gets_none(mtls):
    certificate = mtls.authority.issue(SUBJECT, usage=[CLIENT])
    refused(mtls.token("robot", certificate, port=mtls.plain_port))


def resume(mtls, context, port, session=None):
    import socket
    line = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20),
                               server_hostname="localhost", session=session)
    body = form_encode({**CREDENTIALS, "client_id": "robot"}).encode()
    line.sendall(b"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                 b"Content-Type: " + FORM.encode() + b"\r\nContent-Length: "
                 + str(len(body)).encode() + b"\r\n\r\n" + body)
    answer = b""
    while chunk := line.recv(65536):
        answer += chunk
    found = line.session, line.session_reused, int(answer.split()[1])
    line.close()
    return found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_keeps_its_certificate(mtls, version):
    """RFC 8446 4.6.1. Without one it has none, and elsewhere it is not resumed."""
    context = mtls.context(mtls.authority.issue(SUBJECT, usage=[CLIENT]))
    context.maximum_version = version
    session, _, status = resume(mtls, context, mtls.port)
    assert status == 200
    _, is_reused, status = resume(mtls, context, mtls.port, session)
    assert (is_reused, status) == (True, 200)
    _, is_reused, status = resume(mtls, context, mtls.plain_port, session)
    assert (is_reused, status) == (False, 401)
    empty = mtls.context(None)
    empty.maximum_version = version
    session, _, status = resume(mtls, empty, mtls.port)
    assert status == 401
    _, _, status = resume(mtls, empty, mtls.port, session)
    assert status == 401


# -- certificates that a proxy hands on --------------------------------------------------------


def forms(certificate):
    """RFC 9440, and what nginx and others send."""
    return [f":{certificate.x5c}:", urllib.parse.quote(certificate.pem),
            urllib.parse.quote(certificate.pem, safe=""), certificate.x5c]


@pytest.fixture(scope="module")
def proxied(module_server, mtls, tmp_path_factory):
    """A server behind a proxy at 127.0.0.1; whoever comes from 127.0.0.2 is none."""
    folder = tmp_path_factory.mktemp("proxied")
    server = module_server(args=["--trusted-proxy", "127.0.0.1",
                                 "--tls-client-certificate-header", "Client-Cert",
                                 "--tls-client-ca", str(mtls.authority.save(folder, "clients"))])
    server.cli("client", "add", "robot", "--service", API[0], "--auth-method", "tls_client_auth",
               "--tls-subject", DN, "--grant", "client_credentials")
    return server


def by_header(server, value, source=None, name="Client-Cert"):
    headers = [(name, one) for one in (value if isinstance(value, list) else [value])]
    return server.post_form("/oauth2/token", {**CREDENTIALS, "client_id": "robot"}, headers,
                            source=source)


def test_ca_09_a_trusted_proxy_hands_on_certificates(proxied, mtls):
    certificate = mtls.authority.issue(SUBJECT, usage=[CLIENT])
    for value in forms(certificate):
        assert by_header(proxied, value).status == 200, value
        assert by_header(proxied, value, name="client-cert").status == 200


def test_ca_09_nobody_else_does(proxied, mtls):
    certificate = mtls.authority.issue(SUBJECT, usage=[CLIENT])
    for value in forms(certificate):
        refused(by_header(proxied, value, source="127.0.0.2"))
        for name in ("X-Ssl-Cert", "X-Client-Cert", "Client-Cert-Chain", "Ssl-Client-Cert"):
            refused(by_header(proxied, value, name=name))
        refused(by_header(mtls.server, value))


def test_ca_09_what_a_proxy_hands_on_is_judged(proxied, mtls):
    good = mtls.authority.issue(SUBJECT, usage=[CLIENT])
    for certificate in (mtls.stranger.issue(SUBJECT, usage=[CLIENT]),
                        Authority.self_signed(SUBJECT),
                        mtls.authority.issue(SUBJECT, usage=[SERVER]),
                        mtls.authority.issue(SUBJECT, begin=NOW - 2 * DAY, end=NOW - DAY),
                        mtls.authority.issue([("CN", "other")], usage=[CLIENT])):
        refused(by_header(proxied, f":{certificate.x5c}:"))
    for value in ("", ":", "(null)", "MIIB", f":{good.x5c[:-4]}:", good.x5c[8:],
                  base64.b64encode(good.der + b"x").decode(), "%zz", "A" * 14000):
        refused(by_header(proxied, value))
    refused(by_header(proxied, [f":{good.x5c}:", f":{good.x5c}:"]))


def test_ca_09_the_header_needs_a_proxy(new_server):
    done = new_server(start=False).cli("serve", "--listen", "127.0.0.1:0",
                                       "--tls-client-certificate-header", "Client-Cert",
                                       status=None)
    assert done.status == 2 and "trusted-proxy" in done.err


def test_a_proxy_of_ours_has_no_certificate_of_its_own(new_server, mtls, tmp_path):
    """One that hands on its clients' certificates may itself speak TLS with one to us."""
    certificate, key = Authority("Servers").issue(
        [("CN", "localhost")], names=local_names(), usage=[SERVER]).save(tmp_path, "server")
    port = free_port()
    server = new_server(args=[
        "--tls-client-listen", f"127.0.0.1:{port}", "--tls-certificate", str(certificate),
        "--tls-key", str(key), "--trusted-proxy", "127.0.0.1",
        "--tls-client-certificate-header", "client-cert",
        "--tls-client-ca", str(mtls.authority.save(tmp_path, "clients"))])
    server.cli("client", "add", "robot", "--service", API[0], "--auth-method", "tls_client_auth",
               "--tls-subject", DN, "--grant", "client_credentials")
    own = mtls.authority.issue(SUBJECT, usage=[CLIENT])
    refused(mtls.token("robot", own, port=port))
    answer = mtls.token("robot", mtls.authority.issue([("CN", "proxy")]), port=port,
                        headers={"Client-Cert": f":{own.x5c}:"})
    assert answer.status == 200, answer


def reload(server):
    """SIGHUP, and what the log says about the authorities."""
    def lines():
        return [line["event"] for line in server.log_lines()
                if line["event"] in ("client_ca_reloaded", "client_ca_kept")]

    before = len(lines())
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(lines()) > before, 10, "read again")
    return lines()[-1]


def test_mt_02_authorities_are_read_again_on_sighup(new_server, tmp_path):
    """An authority that is taken away vouches for nobody, and one that is added does."""
    mtls = Mtls(new_server, tmp_path)
    mtls.add("robot", token_endpoint_auth_method="tls_client_auth", tls_client_auth_subject_dn=DN)
    old, new = (authority.issue(SUBJECT, usage=[CLIENT])
                for authority in (mtls.authority, mtls.stranger))
    assert mtls.token("robot", old).status == 200
    refused(mtls.token("robot", new))
    mtls.stranger.save(tmp_path, "clients")
    assert mtls.token("robot", old).status == 200, "not before it is told"
    assert reload(mtls.server) == "client_ca_reloaded"
    wait_until(lambda: mtls.token("robot", new).status == 200, 10, "for new handshakes")
    refused(mtls.token("robot", old))
    (tmp_path / "clients.pem").write_text("nothing\n")
    assert reload(mtls.server) == "client_ca_kept"
    assert mtls.token("robot", new).status == 200


def test_ca_09_authorities_behind_a_proxy_are_read_again_too(new_server, tmp_path):
    authority, stranger = Authority("Clients"), Authority("Clients")
    server = new_server(args=["--trusted-proxy", "127.0.0.1",
                              "--tls-client-certificate-header", "Client-Cert",
                              "--tls-client-ca", str(authority.save(tmp_path, "clients"))])
    server.cli("client", "add", "robot", "--service", API[0], "--auth-method", "tls_client_auth",
               "--tls-subject", DN, "--grant", "client_credentials")
    stranger.save(tmp_path, "clients")
    assert reload(server) == "client_ca_reloaded"
    refused(by_header(server, f":{authority.issue(SUBJECT, usage=[CLIENT]).x5c}:"))
    assert by_header(server, f":{stranger.issue(SUBJECT, usage=[CLIENT]).x5c}:").status == 200

"""Certificates as clients have them, good and bad, and a small https server with one of its own."""

import base64
import datetime
import hashlib
import http.server
import ipaddress
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


def name_of(pairs):
    """("CN", "robot"), ("O", "Example") from the last to the first, as RFC 4514 writes them."""
    oids = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME}
    return x509.Name([x509.NameAttribute(oids[key], value) for key, value in reversed(pairs)])


class Certificate:
    """A certificate, its key, and the chain between it and the one that is trusted."""

    def __init__(self, certificate, key, chain=()):
        self.certificate = certificate
        self.key = key
        self.chain = list(chain)
        self.der = certificate.public_bytes(Encoding.DER)
        self.pem = certificate.public_bytes(Encoding.PEM).decode()

    @property
    def x5c(self):
        return base64.b64encode(self.der).decode()

    @property
    def thumbprint(self):
        return base64.urlsafe_b64encode(hashlib.sha256(self.der).digest()).rstrip(b"=").decode()

    @property
    def jwk(self):
        numbers = self.key.public_key().public_numbers()
        parts = {part: base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode()
                 for part, value in (("x", numbers.x), ("y", numbers.y))}
        return {"kty": "EC", "crv": "P-256", **parts}

    def save(self, folder, name):
        """One file with the chain and one with the key."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_text(self.pem + "".join(one.pem for one in self.chain))
        key.touch(0o600)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, key


class Authority:
    """One that issues certificates, or that is issued by another."""

    def __init__(self, name, issuer=None):
        self.own = self._make(name_of([("CN", name)]), issuer.own if issuer else None,
                              is_authority=True)
        self.chain = [self.own] + issuer.chain if issuer else []

    @staticmethod
    def _make(subject, issuer, names=(), usage=None, begin=None, end=None, is_authority=False):
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (x509.CertificateBuilder().subject_name(subject)
                   .issuer_name(issuer.certificate.subject if issuer else subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(begin or NOW - DAY).not_valid_after(end or NOW + DAY)
                   .add_extension(x509.BasicConstraints(is_authority, None), critical=True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
        return Certificate(signed, key)

    def issue(self, subject, **more):
        made = self._make(name_of(subject), self.own, **more)
        made.chain = self.chain
        return made

    @classmethod
    def self_signed(cls, subject, **more):
        return cls._make(name_of(subject), None, **more)

    def save(self, folder, name):
        path = folder / f"{name}.pem"
        path.write_text(self.own.pem)
        return path


def local_names():
    return [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


class HttpsServer:
    """Answers GET and POST on 127.0.0.1 from a table of functions, and counts who came."""

    def __init__(self, authority, folder, answers):
        certificate, key = authority.issue([("CN", "localhost")], names=local_names(),
                                           usage=[SERVER]).save(folder, "documents")
        self.answers = answers
        self.seen = []
        self.connections = 0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                length = int(self.headers.get("Content-Length") or 0)
                owner.seen.append((self.command, self.path, dict(self.headers),
                                   self.rfile.read(length)))
                status, headers, body = owner.answers[self.path]()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def get_request(self):
                line, address = super().get_request()
                owner.connections += 1
                return line, address

            def handle_error(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, path, host="localhost"):
        return f"https://{host}:{self.port}{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

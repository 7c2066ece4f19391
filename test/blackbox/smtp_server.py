"""A real SMTP server (aiosmtpd) for the tests: it keeps what it took and does what it is told."""

import asyncio
import email
import email.policy
import socket
import ssl
import subprocess
import threading

import pytest

from harness import wait_until

aiosmtpd = pytest.importorskip("aiosmtpd.controller", reason="aiosmtpd is not installed")
from aiosmtpd.smtp import AuthResult, LoginPassword  # noqa: E402


class SmtpServer:
    """Listens on 127.0.0.1, if not told otherwise.

    Each entry of `replies` answers one command: ("RCPT", "451 later").
    """

    def __init__(self, port=0, host="127.0.0.1", tls=None, starttls=None, login=None):
        self.mails = []          # (sender, recipients, bytes)
        self.greetings = []      # what clients called themselves
        self.secured = []        # for each mail, whether TLS was on
        self.replies = []
        self.hold = None         # an event: DATA is answered only when it is set
        self.is_held = threading.Event()
        self.tries = 0
        self._login = login
        port = port or _free_port(host)
        options = {}
        if login:
            options = {"authenticator": self._authenticate, "auth_required": True,
                       "auth_require_tls": bool(tls or starttls) and not tls}
        if starttls:
            options |= {"tls_context": starttls, "require_starttls": True}
        self.controller = aiosmtpd.Controller(self, hostname=host, port=port,
                                              ssl_context=tls, **options)
        self.port = port
        self.is_up = False

    def _authenticate(self, server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and \
            (data.login.decode(), data.password.decode()) == self._login
        return AuthResult(success=good, handled=False)

    def start(self):
        self.controller.start()
        self.is_up = True
        return self

    def stop(self):
        if self.is_up:
            self.controller.stop()
        self.is_up = False

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.port}"

    def _reply(self, command):
        if self.replies and self.replies[0][0] == command:
            return self.replies.pop(0)[1]
        return None

    # -- what aiosmtpd calls ------------------------------------------------------------------

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.greetings.append(hostname)
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.tries += 1
        refusal = self._reply("MAIL")
        if not refusal:
            envelope.mail_from = address
        return refusal or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = self._reply("RCPT")
        if not refusal:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.hold is not None:
            self.is_held.set()
            while not self.hold.is_set():
                await asyncio.sleep(0.01)
        refusal = self._reply("DATA")
        if refusal:
            return refusal
        self.secured.append(server.transport.get_extra_info("ssl_object") is not None)
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 taken"

    # -- what tests ask -----------------------------------------------------------------------

    def wait(self, count=1, timeout_s=30):
        wait_until(lambda: len(self.mails) >= count, timeout_s, f"{count} mails")
        return self.mails

    def to(self, address):
        """What came for one address; mails of others may come late."""
        return [mail for mail in list(self.mails) if mail[1] == [address]]

    def message(self, index=-1):
        return email.message_from_bytes(self.mails[index][2], policy=email.policy.default)


def _free_port(host):
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def make_certificate(folder, name="127.0.0.1"):
    """A self-signed certificate for a name; (file, TLS context of a server with it)."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    kind = "IP" if name[0].isdigit() else "DNS"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key), "-out",
                    str(certificate), "-days", "2", "-subj", "/CN=test", "-addext",
                    f"subjectAltName={kind}:{name}"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context

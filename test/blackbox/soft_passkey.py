"""A passkey made of software (WebAuthn Level 3): what a browser's form would send with its answers.

It verifies its user, counts nothing, and gives no attestation.
"""

import hashlib
import json
import os

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dpop import b64

PRESENT_AND_VERIFIED, WITH_CREDENTIAL = 0x05, 0x40  # WebAuthn 6.1, flags


def text(word):
    """CBOR (RFC 8949 3.1, major type 3) of a short text."""
    return bytes([0x60 | len(word)]) + word.encode()


def octets(data):
    """Of 24 to 255 bytes (major type 2)."""
    return bytes([0x58, len(data)]) + data


class SoftPasskey:
    """One credential for a site."""

    def __init__(self, origin, rp_id):
        self.origin, self.rp_id = origin, rp_id
        self.private = ed25519.Ed25519PrivateKey.generate()
        self.id, self.user_handle = os.urandom(16), b""

    def _data(self, flags, rest=b""):
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + bytes(4) + rest

    def _client_data(self, kind, challenge):
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin,
                           "crossOrigin": False}).encode()

    def make(self, options):
        """The answer to `data-options` of the page that adds one."""
        asked = json.loads(options)
        self.user_handle = asked["user"]["id"]
        x = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        key = b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20" + x  # COSE_Key of Ed25519
        rest = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + key
        data = self._data(PRESENT_AND_VERIFIED | WITH_CREDENTIAL, rest)
        attestation = b"\xa3" + text("fmt") + text("none") + text("attStmt") + b"\xa0" + \
            text("authData") + octets(data)
        return {"credential": b64(self.id), "transports": "internal",
                "client_data": b64(self._client_data("webauthn.create", asked["challenge"])),
                "attestation": b64(attestation)}

    def answer(self, options):
        """The answer to `data-options` of a page that signs in."""
        client_data = self._client_data("webauthn.get", json.loads(options)["challenge"])
        data = self._data(PRESENT_AND_VERIFIED)
        signature = self.private.sign(data + hashlib.sha256(client_data).digest())
        return {"credential": b64(self.id), "client_data": b64(client_data),
                "authenticator_data": b64(data), "signature": b64(signature),
                "user_handle": self.user_handle}

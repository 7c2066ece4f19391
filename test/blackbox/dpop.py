"""DPoP proofs (RFC 9449) as a client makes them, and as it should not, with keys of its own."""

import base64
import hashlib
import json
import time
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGS = ["ES256", "EdDSA", "RS256", "PS256"]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A holder's key pair."""

    def __init__(self, alg="ES256"):
        self.alg = alg
        if alg == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
            point = self.private.public_key().public_numbers()
            self.jwk = {"crv": "P-256", "kty": "EC", "x": number(point.x, 32),
                        "y": number(point.y, 32)}
        elif alg == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
            raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            self.jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64(raw)}
        else:
            self.private = rsa.generate_private_key(65537, 2048)
            numbers = self.private.public_key().public_numbers()
            self.jwk = {"e": number(numbers.e), "kty": "RSA", "n": number(numbers.n)}

    @property
    def thumbprint(self):
        """RFC 7638 3."""
        text = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        return b64(hashlib.sha256(text.encode()).digest())

    def sign(self, data):
        if self.alg == "ES256":
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if self.alg == "EdDSA":
            return self.private.sign(data)
        how = padding.PKCS1v15() if self.alg == "RS256" else \
            padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return self.private.sign(data, how, hashes.SHA256())

    def jws(self, header, claims):
        text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        return text + "." + b64(self.sign(text.encode()))

    def proof(self, method, url, token=None, nonce=None, header=(), **claims):
        """A good proof, but for what is given here; a value of None takes a member away."""
        merged = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time())}
        if token is not None:
            merged["ath"] = b64(hashlib.sha256(token.encode()).digest())
        if nonce is not None:
            merged["nonce"] = nonce
        merged.update(claims)
        head = {"typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk, **dict(header)}
        return self.jws({name: value for name, value in head.items() if value is not None},
                        {name: value for name, value in merged.items() if value is not None})


class Holder:
    """A key at one server."""

    def __init__(self, jeton, alg="ES256"):
        self.jeton = jeton
        self.key = Key(alg)
        self.root = f"http://127.0.0.1:{jeton.port}"

    def proof(self, path="/oauth2/token", method="POST", **more):
        return self.key.proof(method, self.root + path, **more)

    def header(self, path="/oauth2/token", method="POST", **more):
        return [("DPoP", self.proof(path, method, **more))]

    def token(self, fields, client, proof=None):
        fields = dict(fields)
        if client[1] is None:
            fields["client_id"] = client[0]
        return self.jeton.token(fields, client=client if client[1] is not None else None,
                                headers=[("DPoP", proof or self.proof())])

    def client_token(self, client, scope):
        answer = self.token({"grant_type": "client_credentials", "scope": scope}, client)
        assert answer.status == 200, answer
        return answer.json["access_token"]

    def refresh(self, refresh_token, client, proof=None):
        return self.token({"grant_type": "refresh_token", "refresh_token": refresh_token}, client,
                          proof)

    def use(self, method, path, token, body=None, headers=(), proof=None, **more):
        """A request with the token under the scheme DPoP."""
        proof = proof or self.proof(path.split("?")[0], method, token=token, **more)
        return self.jeton.request(method, path, body, [("Authorization", "DPoP " + token),
                                                       ("DPoP", proof), *headers])

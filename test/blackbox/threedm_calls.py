"""How 3DM's clients call: client credentials raw in Basic, a form, and a JWT in the answer."""

import base64
import hashlib
import hmac
import itertools
import struct
import time
import urllib.parse

TOKEN_PATH = "/oauth/oauth/token"
CHECK_PATH = "/oauth/oauth/check_token"
KEY_PATH = "/oauth/oauth/token_key"

PLUGIN = ("utopia-plugin", "")
WEB = ("3dm-web", "3dm-web-secret-5Tg7")
OTHER_WEB = ("3dm-other", "3dm-other-secret-2Lq9")
BARE = ("3dm-bare", "3dm-bare-secret-8Wd1")
# What form-encoding would turn into something else; ISO-8859-1 and UTF-8 write it differently.
ODD = ("odd+%41-client", "s+cr%65t: &=\u00e9\u00fc 4Kd7")
ERIN = ("erin", "p+l&u%s=\u00e9\u00fc\u20ac p\u00e4ss 1Zx")
FAY = ("fay", "the second long password 3Bn")
KNOWN = [ERIN, FAY]
BOTH_GRANTS = ["--grant", "password", "--grant", "refresh_token"]

_addresses = itertools.count(1)


def fresh_address():
    """A client address that no other test fails from: failures are counted by address, too."""
    number = next(_addresses)
    return f"127.3.{number // 250}.{number % 250 + 1}"


def raw_basic(client, encoding="utf-8"):
    """Id and secret as they are (not as RFC 6749 2.3.1 has it)."""
    pair = f"{client[0]}:{client[1]}".encode(encoding)
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def seed_threedm(server):
    """Accounts and clients, by the command line."""
    server.add_user(*ERIN, "--full-name", "Erin \u00c5ngstr\u00f6m", "--email", "erin@mail.example")
    server.add_user(*FAY)
    scope = ["--scope", "read write"]
    server.cli("client", "add", PLUGIN[0], "--no-secret", "--grant", "password", *scope)
    server.add_client(*WEB, *BOTH_GRANTS, "--grant", "client_credentials", *scope)
    server.add_client(*OTHER_WEB, *BOTH_GRANTS, *scope)
    server.add_client(*BARE, *BOTH_GRANTS)
    server.add_client(*ODD, *BOTH_GRANTS, *scope)


def password_form(user=ERIN, **more):
    return {"grant_type": "password", "username": user[0], "password": user[1], **more}


def refresh_form(refresh_token, **more):
    return {"grant_type": "refresh_token", "refresh_token": refresh_token, **more}


def ask(server, fields, client=WEB, path=TOKEN_PATH, headers=(), **more):
    """POST of a form; the answer must have the headers that every answer has."""
    headers = {**(raw_basic(client) if client else {}), **dict(headers)}
    answer = server.post_form(path, fields, headers, **more)
    assert_framework_headers(answer)
    return answer


def assert_framework_headers(answer):
    assert answer.header("Content-Type") == "application/json;charset=UTF-8", answer
    assert answer.header("Cache-Control") == "no-store", answer
    assert answer.header("Pragma") == "no-cache", answer
    assert answer.header("Set-Cookie") is None, answer


def token(server, fields, client=WEB, **more):
    """The body of an answer that must succeed."""
    answer = ask(server, fields, client, **more)
    assert answer.status == 200, answer
    return answer.json


def totp(secret_base32, at=None, step_offset=0):
    """RFC 6238 with what authenticator programs take for granted."""
    key = base64.b32decode(secret_base32 + "=" * (-len(secret_base32) % 8))
    step = int((time.time() if at is None else at) // 30) + step_offset
    mac = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    start = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[start:start + 4])[0] & 0x7fffffff) % 1000000:06d}"


def enrol(server, user):
    """Gives the account an authenticator; its secret as base 32."""
    uri = server.cli("user", "totp", user[0]).out.strip()
    assert uri.startswith("otpauth://totp/"), uri
    secret = urllib.parse.parse_qs(urllib.parse.urlsplit(uri).query)["secret"][0]
    server.secrets.add(secret)
    return secret

"""Bearer use at /forward-auth (RFC 6750; promises BE-01 to BE-05)."""

import base64
import json

import pytest

from harness import ALICE, API, C1, CC, JWTS, OTHER, UAUTH, jwt_part, short, uauth_form

CHALLENGE = 'Bearer realm="'
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]


@pytest.fixture(scope="module")
def token(jeton):
    return jeton.user_token(C1, ALICE, "read write")["access_token"]


@pytest.mark.parametrize("method", METHODS)
def test_be_01_no_credentials_gets_a_challenge_without_an_error(jeton, method):
    """RFC 6750 3 and 3.1: no error code when no authentication information was sent."""
    answer = jeton.forward_auth(method=method)
    assert answer.status == 401, answer
    challenge = answer.header("WWW-Authenticate")
    assert challenge.startswith(CHALLENGE) and "error" not in challenge, answer


@pytest.mark.parametrize("method", METHODS)
def test_be_02_good_token_is_200_with_identity(jeton, token, method):
    answer = jeton.forward_auth(token, method=method)
    assert answer.status == 200, answer
    claims = jeton.introspect(token, API).json
    assert answer.header("Remote-User") == ALICE[0]
    assert answer.header("X-Auth-Subject") == claims["sub"]
    assert answer.header("X-Auth-Client") == C1[0]
    assert sorted(answer.header("X-Auth-Scope").split()) == ["read", "write"]
    assert answer.header("X-Auth-Audience") == API[0]


def test_be_02_headers_of_the_request_are_not_given_back(jeton, token):
    spoofed = {"Remote-User": "root", "X-Auth-Subject": "0", "X-Auth-Scope": "admin",
               "X-Auth-Client": "evil", "X-Auth-Audience": "evil"}
    answer = jeton.forward_auth(token, headers=spoofed)
    assert answer.all_headers("Remote-User") == [ALICE[0]]
    assert "admin" not in answer.header("X-Auth-Scope")
    machine = jeton.client_token(CC, "read")["access_token"]
    answer = jeton.forward_auth(machine, headers=spoofed)
    assert answer.status == 200
    assert "root" not in answer.all_headers("Remote-User")
    assert answer.header("X-Auth-Client") == CC[0]


def test_be_02_bad_revoked_and_unknown_are_invalid_token(jeton):
    """RFC 6750 3.1."""
    revoked = jeton.client_token(C1, "read")["access_token"]
    assert jeton.forward_auth(revoked).status == 200
    jeton.revoke(revoked, C1)
    for wrong in (revoked, "x", "jta_" + "0" * 50, "e30.e30.e30"):
        answer = jeton.forward_auth(wrong)
        assert answer.status == 401, answer
        challenge = answer.header("WWW-Authenticate")
        assert challenge.startswith(CHALLENGE) and 'error="invalid_token"' in challenge, answer


def test_be_02_too_little_scope_is_403_with_the_scope(jeton, token):
    assert jeton.forward_auth(token, "?scope=read").status == 200
    assert jeton.forward_auth(token, "?scope=read%20write").status == 200
    assert jeton.forward_auth(token, "?scope=read+write").status == 200
    answer = jeton.forward_auth(token, "?scope=read%20admin")
    assert answer.status == 403, answer
    challenge = answer.header("WWW-Authenticate")
    assert 'error="insufficient_scope"' in challenge and 'scope="read admin"' in challenge, answer
    assert answer.header("Remote-User") is None
    assert jeton.forward_auth(token, "?scope=rea").status == 403
    assert jeton.forward_auth(token, "?scope=readwrite").status == 403


def test_be_02_token_for_another_service_is_refused(jeton, token):
    assert jeton.forward_auth(token, "?service=" + API[0]).status == 200
    assert jeton.forward_auth(token, f"?service={API[0]}&scope=read").status == 200
    for service in (OTHER[0], "nowhere.example", "api.exampl", "api.example.evil"):
        answer = jeton.forward_auth(token, "?service=" + service)
        assert answer.status in (401, 403), answer
        assert answer.header("Remote-User") is None
    peek = jeton.client_token(C1, "peek")["access_token"]
    assert jeton.forward_auth(peek, "?service=" + API[0]).status in (401, 403)


def test_be_02_uauth_token_at_its_service(jeton):
    token = jeton.token(uauth_form()).json["access_token"]
    answer = jeton.forward_auth(token, "?service=" + UAUTH)
    assert answer.status == 200 and answer.header("X-Auth-Client") == "public_client", answer


def test_be_02_malformed_query_is_refused(jeton, token):
    for query in ("?service=a&service=b", "?scope=%zz", "?scope=%00", "?scope=%22",
                  "?scope=%0d%0aX:y", "?scope=%ff", "?scope=%c3%bc", "?scope=%5c", "?scope=%7f"):
        answer = jeton.forward_auth(token, query)
        assert answer.status in (400, 401, 403), (query, answer)
        assert answer.header("X") is None
        challenge = answer.header("WWW-Authenticate") or ""
        assert all(0x20 <= ord(character) < 0x7f for character in challenge), answer


def test_be_03_token_in_the_url_is_refused(jeton, token):
    """RFC 9700 4.3.2."""
    assert jeton.forward_auth(query="?access_token=" + token).status in (400, 401)
    for header in ("X-Forwarded-Uri", "X-Original-URI", "X-Original-URL"):
        answer = jeton.forward_auth(headers={header: "/page?access_token=" + token})
        assert answer.status == 401, answer


def test_be_03_token_in_the_body_is_not_read(jeton, token):
    answer = jeton.post_form("/forward-auth", {"access_token": token})
    assert answer.status in (400, 401), answer


def test_be_04_two_ways_at_once_are_refused(jeton, token):
    """RFC 6750 3.1: more than one method is invalid_request."""
    two = [("Authorization", "Bearer " + token), ("Authorization", "Bearer " + token)]
    answer = jeton.forward_auth(headers=two)
    assert answer.status in (400, 401), answer
    answer = jeton.forward_auth(token, "?access_token=" + token)
    assert answer.status == 400, answer
    assert 'error="invalid_request"' in (answer.header("WWW-Authenticate") or ""), answer


def test_be_05_scheme_without_case(jeton, token):
    for scheme in ("bearer", "BEARER", "bEaReR"):
        answer = jeton.forward_auth(headers={"Authorization": f"{scheme} {token}"})
        assert answer.status == 200, answer


def flipped(value):
    """Every one-bit neighbour of each character that may still stand in a header."""
    for at, character in enumerate(value):
        for bit in range(7):
            other = chr(ord(character) ^ (1 << bit))
            if 0x20 < ord(other) < 0x7f:
                yield value[:at] + other + value[at + 1:]


@pytest.mark.parametrize("scope", ["read", "jread"], ids=["opaque", "jwt"])
def test_be_05_truncated_extended_and_altered_tokens_are_refused(jeton, scope):
    token = jeton.client_token(C1, scope)["access_token"]
    connection = jeton.connection()
    assert jeton.forward_auth(token, connection=connection).status == 200
    wrong = [token[:length] for length in range(1, len(token))]
    wrong += [token[start:] for start in range(1, len(token), 7)]
    wrong += [token + tail for tail in "aA0=.-_~"] + [token + token, token + "," + token]
    neighbours = list(flipped(token))
    wrong += neighbours if scope == "read" else neighbours[::5]
    wrong += [token.swapcase(), token.lower(), token.upper()]
    for value in wrong:
        if value == token:
            continue
        answer = jeton.forward_auth(value, connection=connection)
        assert answer.status in (400, 401), (value, token, answer)
    assert jeton.forward_auth(token, connection=connection).status == 200
    connection.close()


BROKEN = ["", "Bearer", "Bearer ", "Bearer\t", "Bearer  ", "Bearer =", "Bearer ..", "Bearer a b",
          "Bearer \"x\"", "Basic", "Basic Og==", "Digest username=x", "Negotiate abc", "bearer:x",
          "Bearer,x", "Bearer null", "Bearer undefined", "Bearer 0", "null", "Token x",
          "Bearer " + "A" * 8000, "Bearer jta_", "Bearer jtr_", "Bearer jtp_x",
          "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer " + "." * 3000]
COOKIES = ["SESSION=", "SESSION=null", "session=1", "=", ";;;", "a" * 3000, "jeton=1; jeton=2",
           "__Host-session=x", "access_token=x", "spectrum.authentication.token=a.b.c"]


@pytest.mark.parametrize("value", BROKEN, ids=short)
def test_be_05_broken_authorization_is_never_signed_in(jeton, value):
    """Fault class 49: a malformed credential must not count as one."""
    answer = jeton.forward_auth(headers={"Authorization": value})
    assert answer.status in (400, 401), answer
    assert answer.header("Remote-User") is None


def test_be_05_broken_cookies_are_never_signed_in(jeton, token):
    for cookie in COOKIES + ["access_token=" + token, "SESSION=" + token]:
        answer = jeton.forward_auth(headers={"Cookie": cookie})
        assert answer.status == 401, (cookie, answer)


def part(value):
    """A segment of a compact JWT."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_be_05_jwt_with_altered_header_or_claims_is_refused(jeton):
    """alg none, another key's id, another typ: nothing unsigned counts."""
    token = jeton.client_token(C1, "jread")["access_token"]
    header, claims = jwt_part(token, 0), jwt_part(token, 1)
    signature = token.split(".")[2]
    forged = [
        part({**header, "alg": "none"}) + "." + token.split(".")[1] + ".",
        part({**header, "alg": "HS256"}) + "." + token.split(".")[1] + "." + signature,
        part({**header, "kid": "other"}) + "." + token.split(".")[1] + "." + signature,
        part({**header, "typ": "JWT"}) + "." + token.split(".")[1] + "." + signature,
        token.split(".")[0] + "." + part({**claims, "scope": "jread jwrite"}) + "." + signature,
        token.split(".")[0] + "." + part({**claims, "exp": claims["exp"] + 9999}) + "." + signature,
        ".".join(token.split(".")[:2]) + ".", ".".join(token.split(".")[:2]),
    ]
    for value in forged:
        answer = jeton.forward_auth(value)
        assert answer.status == 401, (value, answer)
        assert jeton.introspect(value, JWTS).body == b'{"active":false}'
    assert jeton.forward_auth(token).status == 200

"""How Spectrum's clients call: user credentials in Basic, a token in a header or a cookie."""

import base64

SESSION_PATH = "/security/rest/token/access/session/"
OPEN_PATH = "/security/rest/token/access/"
LOGOUT_PATH = "/security/rest/token/logout"
DOOR = "/security/forward-auth"
TOKEN_COOKIE = "spectrum.authentication.token="


def user_basic(user, encoding="utf-8"):
    """Name and password as they are: nothing is form-encoded here."""
    pair = f"{user[0]}:{user[1]}".encode(encoding)
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def log_in(server, path, user, **more):
    """The answer of a token route that must succeed."""
    headers = {**user_basic(user), **more.pop("headers", {})}
    answer = server.get(path, headers, **more)
    assert answer.status == 200, answer
    server.secrets.update(value for name, value in answer.json.items() if name != "username")
    return answer


def session_token(server, user, ttl=0, **more):
    """Token and session id."""
    body = log_in(server, f"{SESSION_PATH}{ttl}", user, **more).json
    return body["access_token"], body["session"]


def open_token(server, user, ttl=60, **more):
    return log_in(server, f"{OPEN_PATH}{ttl}", user, **more).json["access_token"]


def pair_headers(token, session=None):
    """Bearer, and the session as a cookie."""
    headers = [("Authorization", "Bearer " + token)]
    return headers + ([("Cookie", "SESSION=" + session)] if session else [])


def use(server, token, session=None, path=DOOR, headers=(), **more):
    """Uses a token at a gateway's door."""
    return server.get(path, pair_headers(token, session) + list(headers), **more)


def log_out(server, token, session=None, **more):
    return server.get(LOGOUT_PATH, pair_headers(token, session), **more)

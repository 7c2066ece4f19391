"""AZ-06, AZ-07, AZ-18 and PA-04, each by itself: what the tests of whole walks have in passing."""

import json
import urllib.parse

import pytest

from harness import FORM, form_encode
from person import Person
from relying_party import RelyingParty


@pytest.fixture(scope="module")
def server(module_server):
    return module_server()


@pytest.fixture(scope="module")
def party(server):
    return RelyingParty(server, "promised", scope="openid read")


@pytest.fixture(scope="module")
def pushing(server):
    return RelyingParty(server, "pushing", {"require_pushed_authorization_requests": True},
                        scope="openid read")


def back(person, party):
    """What the client is told: the parameters of the redirect."""
    location = person.answer.header("Location") or ""
    assert person.status == 303 and location.startswith(party.callback + "?"), person.answer
    return dict(urllib.parse.parse_qsl(location.partition("?")[2], strict_parsing=True))


def push(server, party, pairs):
    fields = [("client_id", party.client_id), ("client_secret", party.secret), *pairs]
    return server.request("POST", "/oauth2/par", form_encode(fields), [("Content-Type", FORM)])


def pairs_of(party, **changes):
    query = party.path(**changes).partition("?")[2]
    return [pair for pair in urllib.parse.parse_qsl(query) if pair[0] != "client_id"]


# -- AZ-06: iss in every answer (RFC 9207 2) ------------------------------------------------------


@pytest.mark.parametrize("changes", [
    {}, {"scope": "openid nonsense"}, {"response_type": "token"}, {"prompt": "none"},
    {"code_challenge_method": "plain"}, {"response_mode": "fragment"}],
    ids=["code", "scope", "response-type", "login-required", "pkce", "response-mode"])
def test_az_06_every_answer_names_the_issuer_of_the_metadata(server, party, changes):
    metadata = json.loads(server.get("/.well-known/oauth-authorization-server").body)
    assert metadata["authorization_response_iss_parameter_supported"] is True
    if changes:
        answer = back(Person(server).open(party.path(**changes)), party)
        assert "error" in answer
    else:
        answer = party.authorize(Person(server))
        assert "code" in answer
    assert answer["iss"] == metadata["issuer"] == f"http://127.0.0.1:{server.port}"


# -- AZ-07: no parameter twice (RFC 6749 3.1) -----------------------------------------------------


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state", "response_type",
                                  "code_challenge", "nonce", "unknown"])
def test_az_07_twice_in_a_query_is_shown_here(server, party, name):
    """Whoever reads the other one of the two would go elsewhere, so nobody is sent anywhere."""
    value = {"client_id": party.client_id, "redirect_uri": party.callback}.get(name, "read")
    twice = party.path(state="s", nonce="n", unknown="1") + "&" + form_encode([(name, value)])
    person = Person(server).open(twice)
    assert person.status == 400 and person.answer.header("Location") is None, person.answer


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state"])
def test_az_07_neither_in_a_body_nor_split_over_both(server, party, name):
    """The query of a POST is no place for parameters: what stands in both is in doubt."""
    pairs = [("client_id", party.client_id), *pairs_of(party, state="s")]
    value = dict(pairs)[name]
    in_body = server.request("POST", "/oauth2/authorize", form_encode([*pairs, (name, value)]),
                             [("Content-Type", FORM)])
    split = server.request("POST", "/oauth2/authorize?" + form_encode([(name, value)]),
                           form_encode(pairs), [("Content-Type", FORM)])
    for answer in (in_body, split):
        location = answer.header("Location") or ""
        assert "code=" not in location and b'name="allow"' not in answer.body, answer
        assert answer.status == 400 or "error=invalid_request" in location, answer


@pytest.mark.parametrize("name", ["redirect_uri", "scope", "state"])
def test_az_07_nor_in_a_pushed_request(server, party, name):
    pairs = pairs_of(party, state="s")
    answer = push(server, party, [*pairs, (name, dict(pairs)[name])])
    assert (answer.status, answer.error) == (400, "invalid_request"), answer


# -- AZ-18: no scope that the client was not registered for (RFC 6749 3.3) ------------------------


@pytest.mark.parametrize("word", ["write", "jeton:tokens", "admin"])
def test_az_18_a_word_outside_of_the_registration_is_refused(server, party, word):
    answer = back(Person(server).open(party.path(scope=f"openid read {word}")), party)
    assert answer["error"] == "invalid_scope" and "code" not in answer
    pushed = push(server, party, pairs_of(party, scope=f"openid read {word}"))
    assert (pushed.status, pushed.error) == (400, "invalid_scope"), pushed
    tokens = party.tokens(scope="openid read")
    assert tokens["scope"].split() == ["openid", "read"]


# -- PA-04: whoever has to push does (RFC 9126 5) -------------------------------------------------


def test_pa_04_a_plain_request_of_a_client_that_has_to_push_is_refused(server, pushing):
    answer = back(Person(server).open(pushing.path()), pushing)
    assert answer["error"] == "invalid_request" and "code" not in answer
    pushed = push(server, pushing, pairs_of(pushing))
    assert pushed.status == 201, pushed
    path = "/oauth2/authorize?" + form_encode([
        ("client_id", pushing.client_id), ("request_uri", pushed.json["request_uri"])])
    person = Person(server).open(path)
    assert person.has("sign-in"), person.answer

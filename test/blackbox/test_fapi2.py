"""What the FAPI 2.0 Security Profile and RFC 8705 say and no module of the Foundation's suite asks:
certificates that are not the client's, tokens that are bound to another one's."""

from certificates import DAY, NOW, Authority
from fapi_client import OF_CERTIFICATES, OF_KEYS, OF_TLS_CLIENTS, FapiClient, refused
from fapi_client import clients, door, first, second, variant  # noqa: F401
from harness import ALICE


def test_the_password_grant_is_refused(door):
    """FAPI 2.0 Security Profile 5.3.2.1: also where a client was registered for it."""
    client = FapiClient(door, "fapi-password", options=["--grant", "password"])
    refused(client.at_token({"grant_type": "password", "username": ALICE[0],
                             "password": ALICE[1]}), "unauthorized_client")


@OF_KEYS
def test_a_request_object_that_is_none(first):
    """RFC 9101 6.3."""
    refused(first.push(request="a.b.c"), "invalid_request_object")


@OF_KEYS
def test_ca_06_other_assertions_that_fail(first):
    """RFC 7523 3."""
    for changes in ({"iss": None}, {"aud": None}, {"exp": None}, {"jti": None},
                    {"iss": "fapi-two"}, {"sub": "fapi-two"}):
        refused(first.push(assertion=first.assertion(**changes)), "invalid_client")
    assertion = first.assertion()
    assert first.push(assertion=assertion).status == 201
    refused(first.push(assertion=assertion), "invalid_client")


@OF_CERTIFICATES
def test_mt_01_a_bound_token_is_good_with_its_certificate_alone(door, first, second):
    """RFC 8705 3. Neither the subject of a certificate nor its issuer is what a token is bound
    to."""
    token = first.tokens()["access_token"]
    found = first.post("/oauth2/introspect", {"token": token}).json
    assert found["cnf"] == {"x5t#S256": first.certificate.thumbprint}
    name = [("CN", first.client_id)]
    for certificate in ("", second.certificate, door.authority.issue(name),
                        Authority.self_signed(name)):
        answer = first.use(token, certificate=certificate)
        assert answer.status == 401, answer
        assert 'error="invalid_token"' in answer.header("WWW-Authenticate"), answer
    proof = first.proof("/oauth2/userinfo", "GET", token=token)
    assert first.use(token, proof, "DPoP").status == 401
    assert first.use(token, proof).status == 200, "a proof beside it says nothing"
    # One that is bound to another certificate, by the other client and by this one.
    other = second.tokens()["access_token"]
    assert first.use(other).status == 401
    assert second.use(other).status == 200


@OF_CERTIFICATES
def test_mt_01_a_renewed_certificate(door, first):
    """RFC 8705 3, 6.3: a confidential client's refresh token is bound to the client. What comes of
    it is bound to the certificate of its request."""
    tokens = first.tokens()
    renewed = door.authority.issue([("CN", first.client_id)])
    answer = first.refresh(tokens["refresh_token"], certificate=renewed)
    assert answer.status == 200, answer
    token = answer.json["access_token"]
    assert first.use(token, certificate=renewed).status == 200
    assert first.use(token).status == 401
    assert first.use(tokens["access_token"]).status == 200
    assert first.use(tokens["access_token"], certificate=renewed).status == 401


@OF_TLS_CLIENTS
def test_mt_02_certificates_that_are_not_the_clients(door, first, second):
    """RFC 8705 2.1, 2.2: the first client is known by a subject, the second by its certificate."""
    code, stranger = first.authorize()["code"], Authority("Clients")
    of_first, of_second = [("CN", first.client_id)], [("CN", second.client_id)]
    for why, client, certificate in (
            ("none", first, ""), ("another client's", first, second.certificate),
            ("signed by itself", first, Authority.self_signed(of_first)),
            ("of another authority", first, stranger.issue(of_first)),
            ("of another subject", first, door.authority.issue([("CN", "other")])),
            ("expired", first, door.authority.issue(of_first, begin=NOW - 2 * DAY,
                                                    end=NOW - DAY)),
            ("none for the second", second, ""), ("the first's", second, first.certificate),
            ("another of its own", second, Authority.self_signed(of_second)),
            ("issued to its name", second, door.authority.issue(of_second))):
        for path in ("/oauth2/par", "/oauth2/token", "/oauth2/revoke"):
            proof = client.proof(path) if client.has_proofs and path != "/oauth2/revoke" else None
            answer = client.post(path, {"grant_type": "authorization_code", "token": "x", "code":
                                        code, **client.request()}, proof, certificate=certificate)
            assert (answer.status, answer.error) == (401, "invalid_client"), (why, path, answer)
    assert first.redeem(code).status == 200
    assert second.push().status == 201

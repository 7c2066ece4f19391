"""openid-client and oauth4webapi without a person: the grants that need no browser."""

from harness import ALICE, API, C1, JWTS
from node_clients import run


def make_job(jeton):
    issuer = jeton.get("/.well-known/oauth-authorization-server").json["issuer"]
    return {"issuer": issuer, "client": {"id": C1[0], "secret": C1[1]},
            "user": {"name": ALICE[0], "password": ALICE[1]},
            "service": {"id": API[0], "secret": API[1]}, "scope": "read write",
            "jwt_scope": "jread", "jwt_audience": JWTS[0]}


def test_oauth4webapi(jeton, node):
    """Discovery both ways, client credentials, password, refresh, introspection, revocation, and
    validation of an RFC 9068 access token from the JWKS."""
    job = make_job(jeton)
    seen = run(node, "oauth4webapi_client.mjs", job)
    assert seen["token_endpoint"].startswith(job["issuer"])
    for method in ("basic", "post"):
        assert seen[method] == {"token_type": "bearer", "scope": "read write", "expires_in": 600}
    assert seen["rotated"] is True
    assert seen["before"]["active"] is True and seen["before"]["username"] == ALICE[0]
    assert seen["after"] == {"active": False}
    assert seen["claims"]["client_id"] == C1[0] and seen["claims"]["iss"] == job["issuer"]
    assert seen["refused"]["status"] == 401


def test_openid_client(jeton, node):
    """Discovery both ways, client credentials, password, refresh, introspection, revocation."""
    job = make_job(jeton)
    seen = run(node, "openid_client.mjs", job)
    assert seen["oauth2"] == seen["oidc"] == job["issuer"]
    assert seen["machine"] == {"token_type": "bearer", "scope": "read write", "expires_in": 600,
                               "lasts": True}
    assert seen["rotated"] is True
    assert seen["before"]["active"] is True and seen["after"] == {"active": False}
    assert seen["refused"] == {"error": "invalid_grant", "status": 400}

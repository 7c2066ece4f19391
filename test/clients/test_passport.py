"""passport-oauth2: an express application signs its people in (test/clients/passport_app.mjs)."""

from harness import ALICE
from node_clients import run

CLIENT = ("express", "express-secret-express-secret")


def test_passport_sign_in(module_server, node):
    jeton = module_server()
    jeton.add_client(*CLIENT, "--grant", "authorization_code", "--grant", "refresh_token",
                     "--scope", "openid email", "--redirect-uri", "http://127.0.0.1/cb")
    seen = run(node, "passport_app.mjs", {
        "issuer": f"http://127.0.0.1:{jeton.port}",
        "client": {"id": CLIENT[0], "secret": CLIENT[1]},
        "user": {"name": ALICE[0], "password": ALICE[1]}})
    assert seen["user"]["status"] == 200 and seen["user"]["email"] == "alice@mail.example", seen
    assert seen["user"]["has_refresh_token"] and seen["user"]["token_type"] == "Bearer"
    assert {"code_challenge", "code_challenge_method", "state"} <= set(seen["parameters"])
    assert seen["again"] in (401, 403, 500)
    assert seen["refused"]["code"] == "invalid_scope", seen

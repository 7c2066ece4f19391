"""RT-10: what a file disables ends, at once: tokens given before, and nothing beside them."""

import pytest

SECRETS = {"API_SECRET": "the api service's own secret",
           "SHOP_SECRET": "the shop's own long secret",
           "OTHER_SECRET": "the other shop's long secret",
           "ADA_PASSWORD": "a long password of Ada's own",
           "BEN_PASSWORD": "a long password of Ben's"}
API = ("api.example", SECRETS["API_SECRET"])
SPARE = ("spare.example", SECRETS["API_SECRET"])
SHOP = ("shop", SECRETS["SHOP_SECRET"])
OTHER = ("other", SECRETS["OTHER_SECRET"])
ADA = ("ada", SECRETS["ADA_PASSWORD"])
BEN = ("ben", SECRETS["BEN_PASSWORD"])
FILE = """
name: all
services:
  - id: api.example
    scope: read
    secret: { env: API_SECRET }
  - id: spare.example
    scope: peek
    secret: { env: API_SECRET }
clients:
  - id: shop
    grant: [password, refresh_token]
    secret: { env: SHOP_SECRET }
    service: [api.example, spare.example]
  - id: other
    grant: [password, refresh_token]
    secret: { env: OTHER_SECRET }
    service: [api.example, spare.example]
accounts:
  - name: ada
    password: { env: ADA_PASSWORD }
  - name: ben
    password: { env: BEN_PASSWORD }
"""

# What is disabled, by its line; who then has lost a token, and who has not.
CASES = {
    "service": ("  - id: api.example\n", (SHOP, ADA, "read", API), (SHOP, ADA, "peek", SPARE)),
    "client": ("  - id: shop\n", (SHOP, ADA, "read", API), (OTHER, ADA, "read", API)),
    "account": ("  - name: ada\n", (SHOP, ADA, "read", API), (SHOP, BEN, "read", API)),
}


@pytest.fixture
def jeton(new_server):
    server = new_server(seeded=False)
    server.env.update(SECRETS)
    server.secrets.update(SECRETS.values())
    (server.folder / "all.yaml").write_text(FILE)
    server.cli("apply", "all.yaml")
    return server


@pytest.mark.parametrize("kind", CASES)
def test_rt_10_what_a_file_disables_ends_at_once(jeton, kind):
    line, lost, kept = CASES[kind]
    ended = jeton.user_token(*lost[:3])
    stays = jeton.user_token(*kept[:3])
    assert jeton.is_active(ended["access_token"], lost[3])
    (jeton.folder / "all.yaml").write_text(FILE.replace(line, line + "    disabled: true\n"))
    assert jeton.is_active(ended["access_token"], lost[3]), "nothing is applied yet"
    jeton.cli("apply", "all.yaml")
    if kind == "service":  # it may not ask any more; the token is not for its use
        assert jeton.introspect(ended["access_token"], API).status == 401
    else:
        assert not jeton.is_active(ended["access_token"], lost[3])
    assert jeton.refresh(ended["refresh_token"], lost[0]).status in (400, 401)
    assert jeton.is_active(stays["access_token"], kept[3])
    assert jeton.refresh(stays["refresh_token"], kept[0]).status == 200

    # Enabled again, it is as if it had begun anew: what has ended stays so.
    (jeton.folder / "all.yaml").write_text(FILE.replace(line, line + "    disabled: false\n"))
    jeton.cli("apply", "all.yaml")
    assert not jeton.is_active(ended["access_token"], lost[3])
    assert jeton.refresh(ended["refresh_token"], lost[0]).error == "invalid_grant"
    assert jeton.is_active(jeton.user_token(*lost[:3])["access_token"], lost[3])

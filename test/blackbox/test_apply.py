"""Configuration as code: `jeton plan` and `jeton apply`, with and without a running server."""

import json
import pathlib
import re
import shutil

import pytest

from person import Person

EXAMPLES = pathlib.Path(__file__).parents[2] / "docs" / "examples"
SECRETS = {"ORDERS_SECRET": "the orders service's own secret",
           "ALICE_PASSWORD": "a long password of Alice's own"}
SHOP_SECRET = "the shop's secret, kept beside the file"


@pytest.fixture(params=["server", "command"])
def jeton(new_server, request):
    """With a server, which runs the commands, and without, where they open the store themselves."""
    server = new_server(seeded=False, start=request.param == "server")
    server.env.update(SECRETS)
    server.secrets.update(SECRETS.values())
    server.secrets.add(SHOP_SECRET)
    return server


@pytest.fixture
def example(jeton):
    shutil.copy(EXAMPLES / "staging.yaml", jeton.folder / "staging.yaml")
    (jeton.folder / "shop.secret").write_text(SHOP_SECRET + "\n")
    return "staging.yaml"


def write(jeton, text, name="conf.yaml"):
    (jeton.folder / name).write_text(text)
    return name


def plan(jeton, file, *args):
    lines = jeton.cli("plan", file, "--json", *args).out.splitlines()
    return [json.loads(line) for line in lines]


def acts(lines):
    return [(line["action"], line["kind"], line["id"]) for line in lines
            if line["action"] != "unchanged"]


def change_of(lines, id):
    [line] = [line for line in lines if line.get("id") == id]
    return {one["member"]: (one["old"], one["new"]) for one in line["changes"]}


def events(jeton):
    return jeton.query("SELECT count(*) FROM event")


EXAMPLE_ACTS = [("create", "service", "orders.example"), ("create", "service", "reports.example"),
                ("create", "client", "shop"), ("create", "client", "nightly"),
                ("create", "account", "alice"), ("create", "account", "bob")]


def test_the_example_is_applied_and_then_there_is_nothing_to_do(jeton, example):
    jeton.cli("client", "add", "another", "--public", "--grant", "password")
    before = events(jeton)
    assert acts(plan(jeton, example)) == EXAMPLE_ACTS
    assert events(jeton) == before, "a plan changes nothing"
    done = jeton.cli("apply", example, "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert acts(lines) == EXAMPLE_ACTS and all(line["done"] for line in lines[:-1])
    assert not any(secret in done.out + done.err for secret in [*SECRETS.values(), SHOP_SECRET])

    shown = jeton.query("SELECT kind, source FROM managed ORDER BY kind, source")
    assert shown == [[str(kind), "staging"] for kind in (0, 0, 1, 1, 2, 2)]
    assert ["added by uid"] == sorted({row[0][:12] for row in jeton.query(
        "SELECT detail FROM event WHERE detail LIKE '%, staging'")})
    again = events(jeton)
    assert plan(jeton, example) == [{"action": "unchanged", "count": 6}]
    assert jeton.cli("apply", example).out == "= 6 unchanged\n"
    assert events(jeton) == again
    assert jeton.cli("plan", example, "--detailed-exitcode").out == "= 6 unchanged\n"


def test_what_was_applied_works(new_server):
    server = new_server(seeded=False)
    server.env.update(SECRETS)
    shutil.copy(EXAMPLES / "staging.yaml", server.folder / "staging.yaml")
    (server.folder / "shop.secret").write_text(SHOP_SECRET + "\r\n")
    server.cli("apply", "staging.yaml")
    server.cli("client", "set", "shop", "--grant", "client_credentials", "--grant", "password")
    token = server.client_token(("shop", SHOP_SECRET), "orders.read")["access_token"]
    assert server.introspect(token, ("orders.example", SECRETS["ORDERS_SECRET"])).json["active"]
    assert server.user_token(("shop", SHOP_SECRET), ("alice", SECRETS["ALICE_PASSWORD"]))
    assert server.user_token(("shop", SHOP_SECRET), ("bob", "a password from elsewhere"))
    alice = Person(server)
    alice.sign_in(("alice", SECRETS["ALICE_PASSWORD"]))
    alice.open("/admin/services")
    assert alice.status == 200


BASE = """
name: shop-config
services:
  - id: api.example
    scope: a b
clients:
  - id: web
    public: true
    grant: [password]
    service: api.example
accounts:
  - name: carol
    full-name: Carol
"""


def test_drift_is_shown_and_taken_back(jeton):
    file = write(jeton, BASE)
    jeton.cli("apply", file)
    jeton.cli("client", "set", "web", "--name", "By hand", "--refresh-lifetime", "3600")
    jeton.cli("service", "set", "api.example", "--scope", "a b c")
    lines = plan(jeton, file)
    assert acts(lines) == [("change", "service", "api.example"), ("change", "client", "web")]
    assert change_of(lines, "api.example") == {"scope": ("a b c", "a b")}
    assert change_of(lines, "web") == {"client_name": ("By hand", "web"),
                                       "refresh-lifetime": (3600, 2592000),
                                       "refresh-idle-lifetime": (3600, 1209600)}
    assert jeton.cli("plan", file, "--detailed-exitcode", status=3).out.startswith(
        "~ change service api.example\n    scope: \"a b c\" -> \"a b\"\n")
    assert "~ change client web: done" in jeton.cli("apply", file).out
    assert plan(jeton, file) == [{"action": "unchanged", "count": 3}]
    # What was disabled in need stays so, unless the file says something else.
    jeton.cli("client", "disable", "web")
    assert plan(jeton, file) == [{"action": "unchanged", "count": 3}]
    write(jeton, BASE.replace("public: true", "public: true\n    disabled: false"))
    assert change_of(plan(jeton, file), "web") == {"disabled": (True, False)}


def test_what_left_the_file_is_told_and_with_prune_disabled(jeton):
    file = write(jeton, BASE)
    jeton.cli("apply", file)
    write(jeton, "name: shop-config\nservices:\n  - id: api.example\n    scope: a b\n")
    left = [("left", "account", "carol"), ("left", "client", "web")]
    assert acts(plan(jeton, file)) == left
    assert jeton.cli("plan", file, "--detailed-exitcode").status == 0
    jeton.cli("apply", file)
    assert acts(plan(jeton, file)) == left
    removed = [("remove", kind, id) for _, kind, id in left]
    assert acts(plan(jeton, file, "--prune")) == removed
    assert "- remove client web: done\n" in jeton.cli("apply", file, "--prune").out
    assert jeton.cli("client", "show", "web", "--json").out.count('"disabled":true') == 1
    assert jeton.cli("user", "show", "carol", "--json").out.count('"disabled":true') == 1
    assert plan(jeton, file, "--prune") == [{"action": "unchanged", "count": 1}]
    # It is nobody's now, and comes back enabled.
    write(jeton, BASE)
    assert change_of(plan(jeton, file), "web") == {"disabled": (True, False),
                                                   "managed_by": (None, "shop-config")}
    jeton.cli("apply", file)
    assert "managed_by" in jeton.cli("client", "show", "web", "--json").out


def test_what_another_file_owns_is_refused_unless_taken_over(jeton):
    mine = write(jeton, BASE)
    jeton.cli("apply", mine)
    other = write(jeton, BASE.replace("shop-config", "other"), "other.yaml")
    for command in ("plan", "apply"):
        done = jeton.cli(command, other, status=1)
        assert "other.yaml: line 4: service 'api.example': it belongs to shop-config" in done.err
        assert "nothing was changed" in done.err
    assert acts(plan(jeton, other, "--take-over")) == [
        ("change", "service", "api.example"), ("change", "client", "web"),
        ("change", "account", "carol")]
    jeton.cli("apply", other, "--take-over")
    assert json.loads(jeton.cli("service", "list", "--json").out.splitlines()[-1])[
        "managed_by"] == "other"
    assert "managed by" in jeton.cli("service", "show", "api.example").out
    jeton.cli("apply", mine, status=1)


def test_what_nobody_owns_is_taken_with_a_word(jeton):
    jeton.cli("service", "add", "api.example", "--scope", "a b")
    file = write(jeton, BASE)
    assert change_of(plan(jeton, file), "api.example") == {"managed_by": (None, "shop-config")}
    jeton.cli("apply", file)
    assert plan(jeton, file)[-1] == {"action": "unchanged", "count": 3}


def test_a_secret_that_changed_is_told_without_it_and_set(new_server):
    server = new_server(seeded=False)
    (server.folder / "key").write_text("the first secret of this client")
    file = write(server, "clients:\n  - id: job\n    grant: client_credentials\n    scope: x\n"
                         "    secret: { file: key }\n")
    server.cli("apply", file)
    assert server.client_token(("job", "the first secret of this client"), "x")
    (server.folder / "key").write_text("the second secret of this client")
    done = server.cli("plan", file)
    assert "~ change client job\n    secret: changed\n" in done.out and "second" not in done.out
    server.cli("apply", file)
    assert server.client_token(("job", "the second secret of this client"), "x")
    answer = server.token({"grant_type": "client_credentials"},
                          client=("job", "the first secret of this client"))
    assert answer.status == 401
    assert plan(server, file) == [{"action": "unchanged", "count": 1}]


def client(text):
    return "clients:\n  - id: c1\n    grant: client_credentials\n" + text


REFUSED = [
    (client("    secret: hunter2 hunter2\n"), "line 4: secret: a secret may not stand in the file"),
    (client("    secret: { generate: true }\n"), "line 4: secret: one that is made here"),
    (client("    secret: { env: NOT_SET_ANYWHERE }\n"), "line 4: secret: that variable is not set"),
    (client("    secret: { file: nowhere }\n"), "line 4: secret: nowhere cannot be read"),
    (client("    secret: { vault: x }\n"), "line 4: secret: only file and env are known"),
    (client(""), "line 2: client 'c1': secret is missing"),
    (client("    sceret: x\n"), "line 4: client 'c1': sceret: unknown key"),
    (client("    public: yes\n"), "line 4: client 'c1': public: must be true or false"),
    (client("    auth-method: nonsense\n"), "line 4: client 'c1': auth-method: it is not offered"),
    (client("    grant_types: [password]\n    public: true\n"),
     "line 3: client 'c1': grant: stands twice, as grant_types as well"),
    (client("    public: true\n"), "line 3: client 'c1': grant: client_credentials is for"),
    (client("    service: nowhere.example\n    secret: { env: ORDERS_SECRET }\n"),
     "line 4: client 'c1': service: there is no service 'nowhere.example'"),
    (client("    scope: x\n    scope: y\n"), "line 5: scope: stands twice"),
    ("clients:\n  - id: a\n    public: true\n    grant: password\n  - id: a\n    public: true\n"
     "    grant: password\n", "line 5: client 'a': id: stands twice in the file"),
    ("services:\n  - id: s\n    lifetime: ten\n", "line 3: service 's': lifetime: must be a whole"),
    ("services:\n  - id: s\n    lifetime: 0\n", "line 3: service 's': lifetime: a lifetime is 1"),
    ("services:\n  - name: s\n", "line 2: service '': 'id' is missing"),
    ("services:\n  id: s\n", "line 1: services: must be a list"),
    ("servises: []\n", "line 1: servises: unknown key"),
    ("name: [a]\n", "line 1: name: must be one text"),
    ("accounts:\n  - name: 'a:b'\n", "line 2: account 'a:b': name: "),
    ("accounts:\n  - name: a\n    email: nonsense\n", "line 3: account 'a': email: it must look"),
    ("accounts:\n  - name: a\n    password: { hash: $1$abc$def }\n",
     "line 3: account 'a': password: this hash is of no known kind"),
    ("accounts:\n  - name: a\n    email: one@a.example\n  - name: b\n    email: One@a.example\n",
     "line 5: account 'b': email: stands twice in the file"),
    ("accounts: &x []\n", "line 1: anchors and tags are not taken"),
    ("accounts: []\n---\n", "line 2: there is a second document"),
    ("accounts: [\n", "line 2: "), ("- a\n", "line 1: every line must be NAME: VALUE"),
]


def test_what_is_wrong_is_named_with_file_line_and_key(new_server):
    server = new_server(seeded=False, start=False)
    server.env.update(SECRETS)
    server.cli("service", "add", "api.example")
    before = events(server)
    for number, (text, words) in enumerate(REFUSED):
        file = write(server, text, f"wrong{number}.yaml")
        done = server.cli("apply", file, status=1)
        assert f"{file}: {words}" in done.err, (text, done)
        assert "hunter2" not in done.err and done.out == ""
    assert events(server) == before
    assert server.cli("plan", "not-there.yaml", status=1).err.count("cannot be read") == 1
    server.cli("plan", status=2)
    server.cli("apply", "a", "b", status=2)


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_written(new_server):
    server = new_server(seeded=False, start=False)
    file = write(server, BASE + "  - name: dave\n    admin: maybe\n  - name: 'e:f'\n")
    done = server.cli("apply", file, status=1)
    assert "line 15: account 'dave': admin" in done.err and "account 'e:f': name" in done.err
    assert "api.example" not in server.cli("service", "list").out


def test_every_secret_that_is_missing_is_told_at_once(new_server):
    server = new_server(start=False)
    clients = "".join(f"  - id: c{number}\n    grant: client_credentials\n"
                      f"    secret: {{ {way} }}\n" for number, way in enumerate(
                          ("env: NOT_SET_1", "file: nowhere", "env: NOT_SET_2")))
    (server.folder / "f.yaml").write_text("clients:\n" + clients + "  - id: c9\n    secret: open\n")
    done = server.cli("plan", "f.yaml", status=1)
    assert [line.split(": ")[2] for line in done.err.splitlines()] == [
        "line 4", "line 7", "line 10", "line 12"], done
    assert done.out == "" and "open" not in done.err.replace("open ", "")
    assert server.cli("apply", "f.yaml", status=1).err == done.err


def test_a_known_address_is_one_accounts(jeton):
    jeton.add_user("holder", "a password that is long enough 1", "--email", "held@a.example")
    (jeton.folder / "f.yaml").write_text(
        "accounts:\n  - name: before\n  - name: taker\n    email: Held@a.example\n")
    done = jeton.cli("apply", "f.yaml", status=1)
    assert "f.yaml: line 4: account 'taker': email: this address is another's: holder" in \
        done.err
    assert "before" not in jeton.cli("user", "list").out
    (jeton.folder / "f.yaml").write_text(
        "accounts:\n  - name: holder\n    email: held@a.example\n")
    jeton.cli("apply", "f.yaml")
    assert jeton.cli("apply", "f.yaml").out == "= 1 unchanged\n"


def test_what_an_account_may_do_is_taken_back_and_given_again(jeton):
    def state(name):
        row = json.loads(jeton.cli("user", "show", name, "--json").out)
        return row["admin"], row["disabled"]

    boss = "  - name: boss\n    password: { env: ALICE_PASSWORD }\n"
    admin, plain = boss + "    admin: true\n", boss + "    admin: false\n"
    jeton.cli("apply", write(jeton, "accounts:\n" + admin))
    done = jeton.cli("apply", write(jeton, "accounts:\n" + plain), status=1)
    assert "this is the last administrator who may sign in" in done.err, done
    deputy = "  - name: deputy\n    admin: true\n    password: { env: ALICE_PASSWORD }\n"
    jeton.cli("apply", write(jeton, "accounts:\n" + deputy + plain + "    disabled: true\n"))
    assert state("boss") == (False, True) and state("deputy") == (True, False)
    jeton.cli("apply", write(jeton, "accounts:\n" + admin + "    disabled: false\n" + deputy))
    assert state("boss") == (True, False)


def test_two_hundred_clients_at_once(new_server):
    server = new_server(seeded=False, start=False)
    rows = "".join(f"  - id: client-{number}\n    public: true\n    grant: [password]\n"
                   for number in range(200))
    file = write(server, "clients:\n" + rows)
    assert server.cli("apply", file).out.count(": done\n") == 200
    assert server.cli("apply", file).out == "= 200 unchanged\n"


def test_pages_say_which_file_owns_what_they_show(new_server):
    server = new_server(seeded=False)
    server.add_user("root", "the administrator's own password 7", "--admin")
    server.cli("apply", write(server, BASE))
    root = Person(server)
    root.sign_in(("root", "the administrator's own password 7"))
    for noun, name in [("services", "api.example"), ("clients", "web"), ("accounts", "carol")]:
        open_noun(root, noun, name)
        assert "shop-config" in root.text_of("managed-by")
    open_noun(root, "accounts", "root")
    assert not root.has("managed-by")


def open_noun(person, noun, name):
    person.open(f"/admin/{noun}?q={name}")
    [path] = re.findall(rf'href="(/admin/{noun}/[^"/?]+)"[^>]*><(?:bdi|code)>{re.escape(name)}<',
                        person.answer.body.decode())
    person.open(path)
    assert person.status == 200

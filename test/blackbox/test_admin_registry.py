"""What administrators do in the pages to services, clients and accounts' names; rotated secrets."""

import json

import pytest

from harness import ALICE, API, BOB, CC, basic
from person import Person
from spectrum_calls import DOOR, open_token, use
from token_people import add_account, field_of

ADMIN = ("chief", "the password of an administrator 7")
LISTS = ("/admin/services", "/admin/clients")
SERVICE_ACTS = ("edit", "secret", "remove-secret", "disable", "enable")
CLIENT_ACTS = ("edit", "secret", "end-overlap", "disable", "enable", "revoke-tokens")
CREDENTIALS = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def jeton(module_server):
    server = module_server()
    server.add_user(*ADMIN, "--admin")
    return server


@pytest.fixture
def admin(jeton):
    return Person(jeton).sign_in(ADMIN)


NUMBER = iter(range(10 ** 6))


@pytest.fixture
def name():
    return f"made{next(NUMBER)}"


def show(jeton, noun, name):
    return json.loads(jeton.cli(noun, "show", name, "--json").out)


def events(jeton, **wanted):
    lines = jeton.cli("audit", "export", "--last", "60").out.splitlines()
    return [event for event in map(json.loads, lines)
            if all(event.get(name) == value for name, value in wanted.items())]


def value_shown(person):
    """The secret that is shown, once, on a page that nobody keeps."""
    assert person.status == 200 and person.has("secret-value"), person.answer
    assert person.answer.header("Cache-Control") == "no-store"
    value = person.text_of("secret-value")
    assert len(value) == 43 and value not in person.path
    person.server.secrets.add(value)
    return value


def new_client(admin, name, **fields):
    admin.open("/admin/clients/new").fill("client-id", name).fill("client-services", API[0])
    for field, text in fields.items():
        admin.fill(field, text)
    return admin.press("save")


def open_client(admin, name):
    admin.open(f"/admin/clients?q={name}")
    assert admin.has("client-1") and not admin.has("client-2"), admin.text
    return admin.press("client-1")


def open_service(admin, name):
    admin.open(f"/admin/services?q={name}")
    assert admin.has("service-1") and not admin.has("service-2"), admin.text
    return admin.press("service-1")


def status_of(jeton, *client):
    return jeton.token(CREDENTIALS, client=client).status


# -- who may -------------------------------------------------------------------------------------

def paths(admin):
    service = open_service(admin, API[0]).path
    client = open_client(admin, CC[0]).path
    return (*LISTS, service, client, *(path + "/new" for path in LISTS),
            *(f"{service}/{act}" for act in SERVICE_ACTS),
            *(f"{client}/{act}" for act in CLIENT_ACTS), f"/admin/accounts/{1}/edit")


def test_others_are_refused_without_a_hint(jeton, admin):
    person = Person(jeton).sign_in(BOB)
    csrf = field_of(person, "csrf")
    for path in paths(admin):
        assert person.open(path).status == 403, path
        assert API[0] not in person.text and CC[0] not in person.text, path
        assert person.send("POST", path, f"csrf={csrf}").status in (403, 405), path
        assert Person(jeton).open(path).path.startswith("/sign-in"), path
    assert status_of(jeton, *CC) == 200


def test_acts_need_the_forms_own_value(jeton, admin):
    for path in paths(admin)[4:]:
        for csrf in ("", "csrf=", "csrf=" + "A" * 43):
            assert admin.send("POST", path, csrf).status == 403, path
    assert status_of(jeton, *CC) == 200


def test_handles_are_of_one_kind_and_one_administrator(jeton, admin, name):
    jeton.add_user(name, "a deputy's long password 8", "--admin")
    deputy = Person(jeton).sign_in((name, "a deputy's long password 8"))
    service, client = open_service(admin, API[0]).path, open_client(admin, CC[0]).path
    for path in (service, client):
        assert deputy.open(path).status == 404
        handle = path.rsplit("/", 1)[1]
        changed = ("B" if handle[0] == "A" else "A") + handle[1:]
        for wrong in (changed, handle[:-1], handle + "A", "1", "x"):
            assert admin.open(f"{path.rsplit('/', 1)[0]}/{wrong}").status == 404, wrong
    assert admin.open(service.replace("services", "clients")).status == 404
    assert admin.open(client.replace("clients", "services")).status == 404


def test_looking_needs_no_fresh_proof_and_changing_does(faked_time):
    jeton, set_time = faked_time
    jeton.add_user(*ADMIN, "--admin")
    admin = Person(jeton).sign_in(ADMIN)
    client = open_client(admin, CC[0]).path
    set_time(700)
    assert admin.open("/admin/clients").path == "/admin/clients"
    assert admin.open(client).path == client
    admin.press("new-secret")
    assert admin.path.startswith("/sign-in/again")
    admin.prove(ADMIN)
    assert admin.has("overlap"), admin.text
    post = admin.post_of("ok")
    set_time(1400)
    assert admin.send(*post).path.startswith("/sign-in/again")
    assert status_of(jeton, *CC) == 200


# -- services ------------------------------------------------------------------------------------

def test_service_is_made_shown_once_changed_and_disabled(jeton, admin, name):
    admin.open("/admin/services").press("new-service")
    admin.fill("service-id", name).fill("service-name", "A <service>")
    admin.fill("service-lifetime", "90").fill("service-scope", f"{name}.read {name}.write")
    admin.tick("allows-password")
    post = admin.post_of("save")
    secret = value_shown(admin.send(*post))
    assert jeton.is_active("x", (name, secret)) is False
    token = jeton.token({"grant_type": "password", "username": ALICE[0], "password": ALICE[1],
                         "scope": f"service_id={name}"}).json["access_token"]
    assert jeton.is_active(token, (name, secret))
    # Sending the form again makes nothing and shows nothing.
    admin.send(*post)
    assert admin.has("its-events") and not admin.has("secret-value") and name in admin.text
    assert secret not in admin.answer.body.decode()
    row = show(jeton, "service", name)
    assert (row["name"], row["scope"], row["lifetime"], row["allow_password"]) == (
        "A <service>", f"{name}.read {name}.write", 90, True)
    admin.press("edit").fill("service-format", "jwt").fill("service-alg", "EdDSA")
    admin.tick("allows-password", False).tick("expires-in-as-string").press("save")
    assert admin.has("edit") and admin.path.startswith("/admin/services/")
    row = show(jeton, "service", name)
    assert (row["format"], row["alg"], row["allow_password"], row["expires_in_as_string"]) == (
        "jwt", "EdDSA", False, True)
    admin.press("disable").press("ok")
    assert jeton.introspect(token, (name, secret)).status == 401
    admin.press("enable").press("ok")
    assert jeton.is_active(token, (name, secret)) is False  # RT-10: its grant was ended
    acts = [event["detail"] for event in events(jeton, event="service_changed", service=name)]
    who = f" by administrator {ADMIN[0]}"
    assert sorted(acts) == sorted(act + who for act in ("added", "changed", "disabled", "enabled"))


def test_service_secret_is_replaced_and_removed(jeton, admin, name):
    jeton.add_service(name, "a-first-secret-of-the-service-1")
    open_service(admin, name).press("new-secret")
    post = admin.post_of("ok")
    secret = value_shown(admin.send(*post))
    assert jeton.introspect("x", (name, secret)).status == 200
    assert jeton.introspect("x", (name, "a-first-secret-of-the-service-1")).status == 401
    admin.send(*post)
    assert not admin.has("secret-value") and jeton.introspect("x", (name, secret)).status == 200
    assert admin.text_of("secret-state") == "set"
    admin.press("remove-secret").press("ok")
    assert admin.text_of("secret-state").startswith("none") and not admin.has("remove-secret")
    assert jeton.introspect("x", (name, secret)).status == 401
    assert jeton.introspect("x", (name, "")).status == 401


def test_service_without_a_secret(jeton, admin, name):
    admin.open("/admin/services/new").fill("service-id", name).tick("with-secret", False)
    admin.press("save")
    assert not admin.has("secret-value") and admin.text_of("secret-state").startswith("none")
    assert show(jeton, "service", name)["has_secret"] is False


@pytest.mark.parametrize("field,text", [
    ("service-id", "with space"), ("service-id", "x" * 256), ("service-id", "com,ma"),
    ("service-id", API[0]), ("service-id", CC[0]), ("service-name", "x" * 256),
    ("service-name", "bell\x07"), ("service-scope", 'quo"te'), ("service-scope", "twice twice"),
    ("service-scope", "service_id=x"), ("service-scope", "read"), ("service-scope", "x" * 4097),
    ("service-scope", " ".join(f"w{n}" for n in range(129))), ("service-lifetime", "0"),
    ("service-lifetime", "-1"), ("service-lifetime", "1e3"), ("service-lifetime", ""),
    ("service-lifetime", str(10 ** 30))])
def test_wrong_service_is_refused_at_its_field_and_kept_as_typed(jeton, admin, name, field, text):
    admin.open("/admin/services/new").fill("service-id", name).fill("service-scope", name)
    admin.fill(field, text).tick("with-secret", False).press("save")
    assert admin.status == 422 and admin.has(field + "-error") and admin.has("errors")
    shown = text.replace("\x07", "\ufffd")
    assert admin.value_of(field) == shown and not admin.has("its-events")
    assert "with-secret" in admin.page.attributes
    assert jeton.cli("service", "show", name, status=None).status == 1


# -- clients -------------------------------------------------------------------------------------

def test_client_is_made_and_its_secret_shown_once(jeton, admin, name):
    admin.open("/admin/clients").press("new-client").fill("client-id", name)
    admin.fill("client-services", API[0]).fill("client-name", "A <client>")
    admin.fill("redirect-uris", "https://a.example/cb\r\n\r\n  http://127.0.0.1/cb \r\n"
                                "https://a.example/cb")
    admin.fill("refresh-lifetime", "7200").fill("refresh-idle-lifetime", "9000")
    admin.tick("grant-password").tick("grant-refresh_token")
    post = admin.post_of("save")
    secret = value_shown(admin.send(*post))
    assert status_of(jeton, name, secret) == 200
    admin.send(*post)
    assert admin.has("its-events") and not admin.has("secret-value")
    assert status_of(jeton, name, secret) == 200
    row = show(jeton, "client", name)
    assert row["grants"] == ["password", "client_credentials", "refresh_token"]
    assert row["redirect_uris"].split() == ["https://a.example/cb", "http://127.0.0.1/cb"]
    assert (row["refresh_lifetime"], row["refresh_idle_lifetime"]) == (7200, 7200)
    assert (row["name"], row["services"], row["type"]) == ("A <client>", [API[0]], "confidential")
    assert "A <client>" in admin.text
    event = events(jeton, event="client_changed", client=name)[0]
    assert event["detail"] == f"added by administrator {ADMIN[0]}" and event["address"]


@pytest.mark.parametrize("kind,word", [("public", "public"), ("empty", "empty secret")])
def test_client_without_a_secret_is_made(jeton, admin, name, kind, word):
    admin.open("/admin/clients/new").fill("client-id", name).fill("client-type", kind)
    admin.tick("grant-client_credentials", False).tick("grant-password").press("save")
    assert admin.has("its-events") and not admin.has("secret-value") and not admin.has("new-secret")
    row = show(jeton, "client", name)
    assert row["type"] == word
    assert row["auth_method"] == ("none" if kind == "public" else "client_secret")
    assert admin.open(admin.path.partition("?")[0] + "/secret").status == 404


@pytest.mark.parametrize("field,text,where", [
    ("client-id", "with space", None), ("client-id", "co:lon", None), ("client-id", "", None),
    ("client-id", CC[0], None), ("client-id", API[0], None), ("client-id", "public_client", None),
    ("client-name", "x" * 256, None), ("client-services", "no.such.service", None),
    ("client-scope", "back\\slash", None), ("client-type", "public", "grants"),
    ("redirect-uris", "javascript:alert(1)", None), ("redirect-uris", "https://a/#x", None),
    ("redirect-uris", "http://a.example/", None), ("redirect-uris", "/relative", None),
    ("redirect-uris", "\n".join(f"https://a.example/{n}" for n in range(33)), None),
    ("redirect-uris", "https://a.example/" + "x" * 2048, None),
    ("refresh-lifetime", "59", None), ("refresh-idle-lifetime", "soon", None)])
def test_wrong_client_is_refused_at_its_field(jeton, admin, name, field, text, where):
    new_client(admin, name, **{field: text})
    assert admin.status == 422 and admin.has((where or field) + "-error"), admin.text
    assert admin.value_of(field) == text and not admin.has("secret-value")
    assert jeton.cli("client", "show", name, status=None).status == 1


def test_grants_must_fit(jeton, admin, name):
    admin.open("/admin/clients/new").fill("client-id", name)
    admin.tick("grant-client_credentials", False).press("save")
    assert admin.status == 422 and admin.has("grants-error")
    admin.tick("grant-refresh_token").press("save")
    assert admin.status == 422 and admin.has("grants-error")


def test_many_faults_are_shown_at_once(admin):
    admin.open("/admin/clients/new").fill("client-id", "a b").fill("client-name", "\x01")
    for field in ("client-services", "client-scope", "redirect-uris", "refresh-lifetime",
                  "refresh-idle-lifetime"):
        admin.fill(field, '"')
    admin.tick("grant-client_credentials", False).press("save")
    assert admin.status == 422
    for field in ("client-id", "client-name", "grants", "client-services", "client-scope",
                  "redirect-uris", "refresh-lifetime", "refresh-idle-lifetime"):
        assert admin.has(field + "-error"), field


def test_client_is_changed_and_the_rest_stays(jeton, admin, name):
    secret = value_shown(new_client(admin, name))
    token = jeton.client_token((name, secret))["access_token"]
    before = show(jeton, "client", name)
    open_client(admin, name).press("edit").fill("client-name", "another").press("save")
    after = show(jeton, "client", name)
    assert after == {**before, "name": "another"} and status_of(jeton, name, secret) == 200
    assert jeton.is_active(token, API)
    admin.press("revoke-tokens").press("ok")
    assert not jeton.is_active(token, API) and status_of(jeton, name, secret) == 200


def test_rt_10_disabled_client_is_out_and_comes_back(jeton, admin, name):
    secret = value_shown(new_client(admin, name))
    token = jeton.client_token((name, secret))["access_token"]
    open_client(admin, name).press("disable").press("ok")
    assert status_of(jeton, name, secret) == 401 and not jeton.is_active(token, API)
    assert admin.has("enable") and not admin.has("disable")
    admin.press("enable").press("ok")
    assert status_of(jeton, name, secret) == 200 and not jeton.is_active(token, API)


def test_hostile_names_are_text(jeton, admin, name):
    hostile = "<script>alert(1)</script>'\"&amp;"
    identity = name + "<b>'&x=1;/../.."
    value_shown(new_client(admin, identity, **{"client-name": hostile}))
    admin.press("done")
    assert hostile in admin.text and "<script>alert" not in admin.answer.body.decode()
    admin.press("edit")
    assert admin.value_of("client-name") == hostile
    assert "<b>" not in admin.answer.body.decode()
    admin.press("cancel").press("its-events")
    assert admin.status == 200 and admin.value_of("client") == identity


def test_lists_are_paged_and_searched(jeton, admin, name):
    for number in range(21):
        jeton.cli("client", "add", f"{name}-list-{number}", "--public", "--grant", "password",
                  "--name", f"Ünique {name}")
    admin.open(f"/admin/clients?q={name.upper()}-LIST")
    assert admin.has("client-20") and not admin.has("client-21")
    admin.press("older")
    assert admin.has("client-1") and not admin.has("client-2") and f"{name}-list-0" in admin.text
    admin.press("newer")
    assert admin.has("client-20")
    assert admin.open(f"/admin/clients?q=%C3%9Cnique%20{name}").has("client-20")
    assert admin.open("/admin/clients?q=" + "x" * 300).has("nothing")
    assert admin.open("/admin/services?q=no-such-thing").has("nothing")
    assert admin.open("/admin/services?q=" + API[0].upper()).has("service-1")


# -- rotation ------------------------------------------------------------------------------------

def rotate(admin, name, hours):
    open_client(admin, name).press("new-secret").fill("overlap", hours)
    return admin.press("ok")


@pytest.mark.parametrize("is_chosen", [True, False], ids=["chosen", "made"])
def test_rotated_secret_overlaps_until_it_is_ended(jeton, admin, name, is_chosen):
    if is_chosen:
        old = f"an-old-secret-that-was-chosen-{name}"
        jeton.add_client(name, old, "--service", API[0])
    else:
        old = value_shown(new_client(admin, name))
    open_client(admin, name).press("new-secret")
    assert admin.value_of("overlap") == "24"
    post = admin.post_of("ok")
    new = value_shown(admin.send(*post))
    assert admin.has("old-secret") and new != old
    for _ in range(2):
        assert status_of(jeton, name, new) == status_of(jeton, name, old) == 200
        for wrong in (new[:-1], old + "x", ""):
            assert status_of(jeton, name, wrong) == 401
    # Sending the form again makes no other one, and ends neither.
    admin.send(*post)
    assert not admin.has("secret-value") and admin.has("end-overlap")
    assert status_of(jeton, name, new) == status_of(jeton, name, old) == 200
    until = show(jeton, "client", name)["previous_secret_until"]
    admin.press("end-overlap").press("ok")
    assert status_of(jeton, name, old) == 401 and status_of(jeton, name, new) == 200
    assert not admin.has("end-overlap")
    assert "previous_secret_until" not in show(jeton, "client", name)
    issued = [event for event in events(jeton, event="client_changed", client=name)
              if event["detail"].startswith("secret replaced")]
    assert len(issued) == 1


def test_overlap_may_be_nothing_and_nothing_else_is_offered(jeton, admin, name):
    old = value_shown(new_client(admin, name))
    for wrong in ("2", "-1", "", "169", "24.5", "x"):
        assert rotate(admin, name, wrong).status == 400
    assert status_of(jeton, name, old) == 200
    new = value_shown(rotate(admin, name, "0"))
    assert status_of(jeton, name, old) == 401 and status_of(jeton, name, new) == 200
    assert not admin.press("done").has("end-overlap")


def test_rotating_again_ends_the_oldest(jeton, admin, name):
    secrets = [value_shown(new_client(admin, name))]
    secrets.append(value_shown(rotate(admin, name, "1")))
    open_client(admin, name).press("new-secret")
    assert admin.has("older-secret")
    secrets.append(value_shown(admin.press("ok")))
    assert [status_of(jeton, name, secret) for secret in secrets] == [401, 200, 200]


def test_secret_before_ends_at_its_moment_and_survives_restarts(faked_time):
    jeton, set_time = faked_time
    old, chosen = "an-old-secret-for-the-clock-1", "a-new-secret-for-the-clock-2"
    jeton.add_client("clocked", old, "--service", API[0])
    made = jeton.cli("client", "secret", "clocked", "--overlap", "1h").out.strip()
    jeton.secrets.add(made)
    assert status_of(jeton, "clocked", old) == status_of(jeton, "clocked", made) == 200
    set_time(3500)
    assert status_of(jeton, "clocked", old) == 200
    set_time(3700)
    assert status_of(jeton, "clocked", old) == 401 and status_of(jeton, "clocked", made) == 200
    jeton.secrets.add(chosen)
    jeton.cli("client", "secret", "clocked", "--secret-stdin", "--overlap", "7d",
              stdin=chosen + "\n")
    assert status_of(jeton, "clocked", made) == status_of(jeton, "clocked", chosen) == 200


def test_rotation_by_command(jeton, name):
    first, second = f"a-first-secret-of-{name}", f"a-second-secret-of-{name}"
    jeton.add_client(name, first, "--service", API[0])
    jeton.secrets.add(second)
    # Two chosen secrets would cost two hashes, which tells that there are two (CA-05).
    done = jeton.cli("client", "secret", name, "--secret-stdin", "--overlap", "1d",
                     stdin=second + "\n", status=1)
    assert "--secret-stdin" in done.err and status_of(jeton, name, first) == 200
    assert jeton.cli("client", "secret", name, "--end-overlap", status=1).err
    for wrong in ("", "x", "1w", "-1", "d", "1.5h", "400d", "9" * 30):
        assert jeton.cli("client", "secret", name, "--overlap", wrong, status=2).err, wrong
    jeton.cli("client", "secret", name, "--overlap", "1d", "--end-overlap", status=2)
    done = jeton.cli("client", "secret", name, "--overlap", "90")
    made = done.out.strip()
    jeton.secrets.add(made)
    assert "works until" in done.err and status_of(jeton, name, made) == 200
    assert status_of(jeton, name, first) == 200
    assert "secret before until" in jeton.cli("client", "show", name).out
    jeton.cli("client", "secret", name, "--end-overlap")
    assert status_of(jeton, name, first) == 401 and status_of(jeton, name, made) == 200
    jeton.cli("client", "secret", name, "--secret-stdin", stdin=second + "\n")
    assert status_of(jeton, name, made) == 401 and status_of(jeton, name, second) == 200


# -- how a client authenticates ------------------------------------------------------------------

ENDPOINTS = {"/oauth2/token": CREDENTIALS, "/oauth2/introspect": {"token": "jta_none"},
             "/oauth2/revoke": {"token": "jta_none"}}


def ask(jeton, endpoint, client, method):
    if method == "client_secret_basic":
        return jeton.post_form(endpoint, ENDPOINTS[endpoint],
                               {"Authorization": basic(*client)}).status
    return jeton.post_form(endpoint, {**ENDPOINTS[endpoint], "client_id": client[0],
                                      "client_secret": client[1]}).status


@pytest.mark.parametrize("registered", ["client_secret", "client_secret_basic",
                                        "client_secret_post"])
def test_ca_03_only_the_registered_method_works_at_every_endpoint(jeton, admin, name, registered):
    secret = value_shown(new_client(admin, name, **{"auth-method": registered}))
    assert show(jeton, "client", name)["auth_method"] == registered
    for endpoint in ENDPOINTS:
        for method in ("client_secret_basic", "client_secret_post"):
            wanted = 200 if registered in ("client_secret", method) else 401
            assert ask(jeton, endpoint, (name, secret), method) == wanted, (endpoint, method)
    other = "client_secret_post" if registered == "client_secret_basic" else "client_secret_basic"
    jeton.cli("client", "set", name, "--auth-method", other)
    assert ask(jeton, "/oauth2/token", (name, secret), other) == 200
    open_client(admin, name).press("edit")
    assert admin.value_of("auth-method") == other
    for forged in ("private_key_jwt", "none", ""):
        admin.press("edit") if admin.has("edit") else None
        admin.fill("auth-method", forged).press("save")
        assert show(jeton, "client", name)["auth_method"] == other


# -- the command line ----------------------------------------------------------------------------

def test_client_set_changes_what_it_says(jeton, name):
    jeton.cli("client", "add", name, "--public", "--grant", "password", "--service", API[0],
              "--redirect-uri", "https://a.example/", "--scope", "extra")
    before = show(jeton, "client", name)
    assert "say what to change" in jeton.cli("client", "set", name, status=2).err
    assert show(jeton, "client", name) == before
    jeton.cli("client", "set", name, "--name", "N", "--grant", "password", "--grant",
              "refresh_token", "--no-service", "--no-redirect-uri", "--scope", "",
              "--refresh-lifetime", "100")
    after = show(jeton, "client", name)
    assert after == {**before, "name": "N", "grants": ["password", "refresh_token"], "services": [],
                     "redirect_uris": "", "scope": "", "refresh_lifetime": 100,
                     "refresh_idle_lifetime": 100}
    for wrong in (["--grant", "client_credentials"], ["--service", "no.such"],
                  ["--redirect-uri", "x"], ["--auth-method", "client_secret"],
                  ["--scope", "a a"]):
        assert jeton.cli("client", "set", name, *wrong, status=1).err.count("\n") == 1
    for wrong in (["--service", API[0], "--no-service"], ["--refresh-lifetime", "1"]):
        jeton.cli("client", "set", name, *wrong, status=2)
    assert show(jeton, "client", name) == after
    jeton.cli("client", "set", "no-such-client", status=1)


def test_service_set_changes_what_it_says(jeton, name):
    jeton.cli("service", "add", name, "--scope", name)
    before = show(jeton, "service", name)
    jeton.cli("service", "set", name, "--scope", f"{name} {name}2", "--format", "jwt",
              "--allow-password", "yes", "--lifetime", "77")
    assert show(jeton, "service", name) == {**before, "scope": f"{name} {name}2", "format": "jwt",
                                            "allow_password": True, "lifetime": 77}
    jeton.cli("service", "set", name, "--allow-password", "no")
    assert show(jeton, "service", name)["allow_password"] is False
    jeton.cli("service", "set", name, "--allow-password", "perhaps", status=2)
    assert "say what to change" in jeton.cli("service", "set", name, status=2).err
    jeton.cli("service", "set", name, "--scope", "read", status=1)


def test_services_of_the_built_in_clients(new_server):
    jeton = new_server()
    jeton.add_user(*ADMIN, "--admin")
    for number in "12":
        jeton.cli("service", "add", f"maps{number}", "--allow-password")

    def services():
        token = open_token(jeton, ALICE)
        return [number for number in "12"
                if use(jeton, token, path=f"{DOOR}?service=maps{number}").status == 200]

    assert services() == ["1", "2"]
    admin = Person(jeton).sign_in(ADMIN)
    for client in ("spectrum_client", "public_client"):
        open_client(admin, client).press("edit")
        assert not admin.has("grant-password") and not admin.has("refresh-lifetime")
        admin.fill("client-services", "maps1").press("save")
        assert admin.text_of("its-services") == "maps1"
        assert show(jeton, "client", client)["services"] == ["maps1"]
        jeton.cli("client", "set", client, "--grant", "password", status=1)
        csrf = field_of(admin, "csrf")
        admin.send("POST", admin.path.partition("?")[0] + "/edit",
                   f"csrf={csrf}&grant_password=yes&service_ids=maps1")
        assert show(jeton, "client", client)["grants"] == []
    assert services() == ["1"]
    jeton.cli("client", "set", "spectrum_client", "--service", "maps2")
    assert services() == ["2"]
    jeton.cli("client", "set", "spectrum_client", "--no-service")
    assert services() == ["1", "2"]


# -- accounts ------------------------------------------------------------------------------------

def open_edit(admin, jeton, user):
    number = json.loads(jeton.cli("user", "show", user[0], "--json").out)["id"]
    return admin.open(f"/admin/accounts/{number}").press("edit")


def test_account_is_edited(jeton, admin):
    user = add_account(jeton)
    open_edit(admin, jeton, user).fill("full-name", "Ann <Other>").fill("email", "ann@example.org")
    admin.press("save")
    row = json.loads(jeton.cli("user", "show", user[0], "--json").out)
    assert (row["full_name"], row["email"]) == ("Ann <Other>", "ann@example.org")
    assert row["admin"] is False
    for field, text in (("full-name", "x" * 256), ("full-name", "\x01"), ("email", "no address"),
                        ("email", "a@b")):
        open_edit(admin, jeton, user).fill(field, text).press("save")
        assert admin.status == 422 and admin.has(field + "-error")
        assert admin.value_of(field) == text.replace("\x01", "\ufffd")
    other = add_account(jeton)
    open_edit(admin, jeton, other).fill("email", "ANN@example.org").press("save")
    assert admin.status == 422 and admin.has("email-error")
    details = [event["detail"] for event in events(jeton, event="account_changed", account=user[0])]
    assert f"name or address changed by administrator {ADMIN[0]}" in details


def test_administrator_is_made_and_unmade_but_never_by_oneself(jeton, admin):
    user = add_account(jeton)
    open_edit(admin, jeton, user).tick("is-admin").press("save")
    deputy = Person(jeton).sign_in(user)
    assert deputy.has("nav-admin") and deputy.open("/admin/clients").status == 200
    open_edit(admin, jeton, ADMIN)
    assert not admin.has("is-admin")
    admin.press("save")
    assert admin.open("/admin/accounts").status == 200
    open_edit(admin, jeton, user).tick("is-admin", False).press("save")
    assert deputy.open("/admin/clients").status == 403

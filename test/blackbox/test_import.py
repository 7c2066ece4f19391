"""Accounts of other servers, with the password hashes that they came with: `jeton user import`."""

import base64
import hashlib
import json
import subprocess

import pytest

from harness import C1
from person import Person
from threedm_calls import totp

PASSWORD = "a password from elsewhere, 1"


def out_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True,
                          timeout=60).stdout.strip()


def write(server, name, text):
    (server.folder / name).write_text(text)
    server.secrets.add(PASSWORD)
    return name


def signs_in(server, name, password=PASSWORD):
    answer = server.token({"grant_type": "password", "username": name, "password": password},
                          client=C1)
    assert answer.status in (200, 400), answer
    return answer.status == 200


def hash_of(server, name):
    return server.query(f"SELECT password_hash FROM account WHERE name = '{name}'")[0][0]


def expect_upgrade(server, names):
    """Each signs in with what it had, and has a hash of ours from then on."""
    for name in names:
        assert not hash_of(server, name).startswith("$argon2id$v=19$m=19456,t=2")
        assert not signs_in(server, name, "a wrong password here, 2")
        assert signs_in(server, name), name
        assert hash_of(server, name).startswith("$argon2id$v=19$m=19456,t=2"), name
        assert signs_in(server, name), name


@pytest.fixture(params=["server", "command"])
def jeton(new_server, request):
    return new_server(start=request.param == "server")


def started(server):
    return server if server.is_running() else server.start()


def test_htpasswd_with_hashes_that_its_own_tools_made(jeton):
    lines = [out_of("htpasswd", "-nbB", "-C", "5", "hb", PASSWORD),
             "h5:" + out_of("openssl", "passwd", "-5", PASSWORD),
             "h6:" + out_of("openssl", "passwd", "-6", PASSWORD)]
    file = write(jeton, "htpasswd", "# people\n\n" + "\n".join(lines) + "\n")
    before = jeton.query("SELECT count(*) FROM event")
    done = jeton.cli("user", "import", file, "--format", "htpasswd", "--dry-run")
    assert done.out == "to add 3, to update 0, left as they are 0\n"
    assert jeton.query("SELECT count(*) FROM event") == before
    done = jeton.cli("user", "import", file, "--format", "htpasswd")
    assert done.out == "added 3, updated 0, left as they are 0\n" and done.err == ""
    done = jeton.cli("user", "import", file, "--format", "htpasswd")
    assert done.out == "added 0, updated 0, left as they are 3\n"
    assert "'hb' exists already" in done.err
    expect_upgrade(started(jeton), ["hb", "h5", "h6"])


def ssha(digest, scheme):
    salt = b"some salt"
    value = hashlib.new(digest, PASSWORD.encode() + salt).digest() + salt
    return f"{{{scheme}}}" + base64.b64encode(value).decode()


def ab64(data):
    return base64.b64encode(data).decode().rstrip("=").replace("+", ".")


def test_ldif_with_folded_lines_and_base64(jeton):
    pbkdf2 = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"0123456789abcdef", 2000)
    crypt = "{CRYPT}" + out_of("openssl", "passwd", "-6", PASSWORD)
    plain = {"l1": ssha("sha1", "SSHA"), "l2": ssha("sha256", "SSHA256"),
             "l3": ssha("sha512", "SSHA512"),
             "l4": f"{{PBKDF2-SHA256}}2000${ab64(b'0123456789abcdef')}${ab64(pbkdf2)}"}
    text = "version: 1\n\n# a branch\ndn: ou=people,dc=example\nobjectClass: organizationalUnit\n\n"
    for name, value in plain.items():
        folded = f"userPassword: {value}"
        text += (f"dn: uid={name},ou=people\nuid: {name}\ncn: Person {name}\n"
                 f"mail: {name}@a.example\n" + folded[:30] + "\n " + folded[30:] + "\n\n")
    text += ("dn: uid=l5,ou=people\r\nUID: l5\r\ncn:: " + base64.b64encode("Zoë".encode()).decode()
             + "\r\nuserPassword:: " + base64.b64encode(crypt.encode()).decode() + "\r\n")
    file = write(jeton, "people.ldif", text)
    assert jeton.cli("user", "import", file, "--format", "ldif").out.startswith("added 5,")
    shown = json.loads(jeton.cli("user", "show", "l5", "--json").out)
    assert shown["full_name"] == "Zoë" and shown["has_password"]
    assert jeton.query("SELECT full_name, email FROM account WHERE name = 'l1'") == [
        ["Person l1", "l1@a.example"]]
    expect_upgrade(started(jeton), ["l1", "l2", "l3", "l4", "l5"])


def keycloak_user(name, credentials=(), **more):
    return {"username": name, "enabled": True, "credentials": list(credentials), **more}


def pbkdf2_credential(digest):
    value = hashlib.pbkdf2_hmac(digest, PASSWORD.encode(), b"0123456789abcdef", 27500, 64)
    return {"type": "password",
            "secretData": json.dumps({"value": base64.b64encode(value).decode(),
                                      "salt": base64.b64encode(b"0123456789abcdef").decode()}),
            "credentialData": json.dumps({"hashIterations": 27500,
                                          "algorithm": "pbkdf2-" + digest,
                                          "additionalParameters": {}})}


# Of "a password from elsewhere, 1": Argon2id, 5 passes over 7 MiB
ARGON2 = {"type": "password",
          "secretData": json.dumps({"value": "QRCf7ocYcEseIWxevYNWmrD/EAe/9D0yBIe2xB2fHyo=",
                                    "salt": base64.b64encode(b"0123456789abcdef").decode(),
                                    "additionalParameters": {}}),
          "credentialData": json.dumps({"hashIterations": 5, "algorithm": "argon2",
                                        "additionalParameters": {
                                            "hashLength": ["32"], "memory": ["7168"],
                                            "type": ["id"], "version": ["1.3"],
                                            "parallelism": ["1"]}})}


def test_a_realm_of_keycloak(jeton):
    realm = {"realm": "staff", "users": [
        keycloak_user("k1", [pbkdf2_credential("sha256")], firstName="Kay", lastName="One",
                      email="k1@a.example", emailVerified=True),
        keycloak_user("k2", [pbkdf2_credential("sha512"), {"type": "otp", "secretData": "{}"}],
                      email="k2@a.example", emailVerified=False),
        keycloak_user("k3", [ARGON2]), keycloak_user("k4", enabled=False),
        keycloak_user("service-account-x", serviceAccountClientId="x")]}
    file = write(jeton, "realm.json", json.dumps(realm, indent=2))
    done = jeton.cli("user", "import", file, "--format", "keycloak")
    assert done.out == ("added 4, updated 0, left as they are 0\nwithout a password: 1; 'jeton "
                        "user passwd' sets one\nwith a second factor that stays behind: 1\n")
    rows = jeton.query("SELECT name, full_name, email,"
                       " CASE WHEN email_verified_at > 0 THEN 1 ELSE 0 END, is_disabled"
                       " FROM account WHERE name LIKE 'k_' ORDER BY name")
    assert rows == [["k1", "Kay One", "k1@a.example", "1", "0"],
                    ["k2", "", "k2@a.example", "0", "0"], ["k3", "", "", "0", "0"],
                    ["k4", "", "", "0", "1"]]
    expect_upgrade(started(jeton), ["k1", "k2", "k3"])
    assert not signs_in(jeton, "k4")


def otp(value, algorithm="HmacSHA1", digits=6, period=30, subtype="totp", label=None, **data):
    """A credential of an authenticator, as Keycloak writes it."""
    return {"type": "otp", **({"userLabel": label} if label else {}),
            "secretData": json.dumps({"value": value}),
            "credentialData": json.dumps({"subType": subtype, "digits": digits, "counter": 0,
                                          "period": period, "algorithm": algorithm, **data})}


# Keycloak takes the 20 letters that it makes as they are; a key from elsewhere is base 32.
OTP_TEXT = "Dq3hVbY7kPzRw9TnXc2m"
OTP_BYTES = bytes(range(7, 39))
OTP_BASE32 = base64.b32encode(OTP_BYTES).decode()


def test_authenticators_of_a_realm_go_on(jeton):
    password = pbkdf2_credential("sha256")
    realm = {"users": [
        keycloak_user("o1", [password, otp(OTP_TEXT, label="my phone")]),
        keycloak_user("o2", [password, otp(OTP_BASE32, secretEncoding="BASE32"),
                             otp("another-key-of-20-by")]),
        keycloak_user("o3", [password, otp(OTP_TEXT, algorithm="HmacSHA256"),
                             otp(OTP_TEXT, digits=8), otp(OTP_TEXT, period=60),
                             otp(OTP_TEXT, subtype="hotp"), otp("short"),
                             otp("not base 32!", secretEncoding="BASE32"),
                             otp(OTP_TEXT, secretEncoding="ROT13"),
                             {"type": "webauthn", "secretData": "{}", "credentialData": "{}"}]),
        keycloak_user("o4", [password], requiredActions=["UPDATE_PASSWORD", "VERIFY_EMAIL"],
                      attributes={"phone": ["1"]},
                      federatedIdentities=[{"identityProvider": "github", "userId": "7"}])]}
    jeton.secrets.update([OTP_TEXT, OTP_BASE32])
    file = write(jeton, "realm.json", json.dumps(realm))
    wanted = ("with an authenticator that goes on: 2\nwith a second factor that stays behind: 1\n"
              "with attributes that stay behind: 1\n")
    dry = jeton.cli("user", "import", file, "--format", "keycloak", "--dry-run")
    done = jeton.cli("user", "import", file, "--format", "keycloak")
    for answer, word in ((dry, "to add"), (done, "added")):
        assert answer.out.startswith(word + " 4,") and answer.out.endswith(wanted), answer
        for words in ("user 3: 'o3': a second factor stays behind: totp of HmacSHA256, 6 digits, "
                      "30 seconds", "totp of HmacSHA1, 8 digits", "6 digits, 60 seconds",
                      "hotp of HmacSHA1", "stays behind: webauthn",
                      "user 4: 'o4': a required action stays behind: UPDATE_PASSWORD",
                      "a sign-in by another server stays behind: github"):
            assert answer.err.count(words) == 1, (words, answer)
        assert "'o1'" not in answer.err and "'o2'" not in answer.err
    for secret in (OTP_TEXT.encode(), OTP_BYTES):
        for _, content in jeton.stored():
            content = content if isinstance(content, bytes) else str(content).encode()
            assert secret not in content and secret.hex().encode() not in content
    again = jeton.cli("user", "import", file, "--format", "keycloak", "--update")
    assert again.out == "added 0, updated 0, left as they are 4\n" and again.err == ""
    started(jeton)
    shown = jeton.cli("user", "show", "o1").out
    assert "my phone" in shown and shown.count("totp") == 1
    assert jeton.cli("user", "show", "o2").out.count("totp") == 2
    for name, key, wrong in (("o1", OTP_TEXT.encode(), OTP_BYTES),
                             ("o2", OTP_BYTES, OTP_TEXT.encode())):
        secret = base64.b32encode(key).decode()
        person = Person(jeton).open("/sign-in")
        person.fill("username", name).fill("password", PASSWORD).press("sign-in")
        bad = base64.b32encode(wrong).decode()
        assert person.fill("code", totp(bad)).press("sign-in").has("code")
        code = totp(secret)
        assert person.fill("code", code).press("sign-in").open("/account").path == "/account"
        other = Person(jeton).open("/sign-in")
        other.fill("username", name).fill("password", PASSWORD).press("sign-in")
        assert other.fill("code", code).press("sign-in").has("code"), "RFC 6238 5.2"
    assert signs_in(jeton, "o3") and signs_in(jeton, "o4")


def test_parts_of_a_realm(jeton):
    """A file of users of a big realm, an import of a part, and the users alone."""
    for number, text in enumerate((
            {"realm": "staff", "users": [keycloak_user("p0")]},
            {"ifResourceExists": "SKIP", "users": [keycloak_user("p1", enabled=False)]},
            [keycloak_user("p2", emailVerified=True, email="p2@a.example")])):
        file = write(jeton, f"part{number}.json", json.dumps(text))
        done = jeton.cli("user", "import", file, "--format", "keycloak")
        assert done.out.startswith("added 1,"), done
    assert json.loads(jeton.cli("user", "show", "p1", "--json").out)["disabled"] is True


def test_texts_without_end(new_server):
    """However long one is, the server that reads them goes on."""
    jeton = new_server()
    huge = "x" * (200 * 1024)
    users = [keycloak_user("h1", firstName="x" * (9 * 1024 * 1024)), keycloak_user(huge),
             keycloak_user("h3", [{"type": huge}]), keycloak_user("h4", requiredActions=[huge]),
             keycloak_user("h5", [otp(huge)]), keycloak_user("h6", [otp(OTP_TEXT, label=huge)]),
             keycloak_user("h7", [otp(OTP_TEXT, algorithm=huge)]),
             keycloak_user("h8", [otp(huge, secretEncoding="BASE32")])]
    for number, user in enumerate(users):
        file = write(jeton, f"huge{number}.json", json.dumps({"users": [user]}))
        done = jeton.cli("user", "import", file, "--format", "keycloak", "--dry-run", status=1)
        assert "it is too long" in done.err and len(done.err) < 4096, done.err[-300:]
    assert jeton.get("/readyz").status == 200


def test_update_brings_what_the_file_says_but_no_password(jeton):
    jeton.add_user("u1", "a password that is newer than it", "--full-name", "Old")
    file = write(jeton, "u.ldif", "dn: uid=u1\nuid: u1\ncn: New Name\nmail: u1@a.example\n"
                                  f"userPassword: {ssha('sha1', 'SSHA')}\n")
    assert jeton.cli("user", "import", file, "--format", "ldif").out.startswith("added 0,")
    assert json.loads(jeton.cli("user", "show", "u1", "--json").out)["full_name"] == "Old"
    done = jeton.cli("user", "import", file, "--format", "ldif", "--update")
    assert done.out == "added 0, updated 1, left as they are 0\n"
    shown = json.loads(jeton.cli("user", "show", "u1", "--json").out)
    assert (shown["full_name"], shown["email"]) == ("New Name", "u1@a.example")
    assert signs_in(started(jeton), "u1", "a password that is newer than it")
    done = jeton.cli("user", "import", file, "--format", "ldif", "--update")
    assert done.out == "added 0, updated 0, left as they are 1\n"


def test_a_known_address_is_one_accounts(jeton):
    """An address that counts as known leads to one account: a second one is refused before anything
    is stored, or, where both are new, when it comes."""
    jeton.add_user("first", "a password that is long enough 1", "--email", "one@a.example")
    file = write(jeton, "second.ldif", "dn: uid=x\nuid: other\n\n"
                                       "dn: uid=y\nuid: second\nmail: One@a.example\n")
    done = jeton.cli("user", "import", file, "--format", "ldif", status=1)
    assert f"{file}: line 4: 'second': its address is another account's" in done.err
    assert jeton.query("SELECT count(*) FROM account WHERE name = 'other'") in ([[0]], [["0"]])
    same = write(jeton, "same.ldif", "dn: uid=x\nuid: first\nmail: one@a.example\n")
    assert jeton.cli("user", "import", same, "--format", "ldif", "--update").out == \
        "added 0, updated 0, left as they are 1\n"
    both = write(jeton, "both.ldif", "dn: uid=a\nuid: a\nmail: both@a.example\n\n"
                                     "dn: uid=b\nuid: b\nmail: both@a.example\n")
    done = jeton.cli("user", "import", both, "--format", "ldif", status=1)
    assert "'b': the address is another's already; what stands before it is stored" in done.err
    unknown = write(jeton, "claims.json", json.dumps({"users": [
        keycloak_user("claims", email="one@a.example", emailVerified=False)]}))
    assert jeton.cli("user", "import", unknown, "--format", "keycloak").out.startswith("added 1,")


BAD = [
    ("htpasswd", "good:$5$saltsalt$" + "x" * 43 + "\nnocolon\n", ["line 2: '': there is no colon"]),
    ("htpasswd", "a:$apr1$abcdefgh$xxxxxxxxxxxxxxxxxxxxxx\nb:{SHA}xxxx\nc:plain\n",
     ["line 1: 'a': its hash is of MD5", "line 2: 'b': its hash has no salt",
      "line 3: 'c': its hash is of no known kind"]),
    ("htpasswd", " :$5$saltsalt$" + "x" * 43 + "\n", ["line 1: '': "]),
    ("ldif", "dn: a\nuid: a\nuserPassword: clear\n\ndn: b\nuid: b\nuserPassword:: !\n",
     ["line 1: 'a': its password stands there in clear",
      "line 5: 'b': a value of it is not base64"]),
    ("ldif", "dn: a\nuid: a\nmail: nonsense\n", ["line 1: 'a': it must look like"]),
    ("ldif", "dn: a\nchangetype: delete\nuid: a\n", ["line 1: 'a': it is a change and no entry"]),
    ("ldif", "dn: a\nuid: a\nphoto:< file:///etc/passwd\n", ["line 1: 'a': it names a file"]),
    ("ldif", "dn: a\nuserPassword: {SSHA}xxxx\n", ["line 1: '': it has a password and no uid"]),
    ("keycloak", "{}", ["there are no users in it\n"]),
    ("keycloak", "nonsense", ["the file is not JSON\n"]),
    ("keycloak", '{"users": [{}]}', ["user 1: '': it has no username"]),
    ("keycloak", json.dumps({"users": [keycloak_user("a", [{"type": "password",
                                                            "value": "clear"}])]}),
     ["user 1: 'a': its password is not written as"]),
    ("htpasswd", "# nobody\n", ["there is no account in it"]),
]


def test_a_file_with_a_bad_line_stores_nothing_and_names_each(new_server):
    server = new_server(start=False)
    before = server.query("SELECT count(*) FROM account")
    for number, (format, text, words) in enumerate(BAD):
        file = write(server, f"bad{number}", text)
        done = server.cli("user", "import", file, "--format", format, status=1)
        for each in words:
            assert f"{file}: {each}" in done.err, (text, done)
        assert done.out == "" and "clear\n" not in done.err
    assert server.query("SELECT count(*) FROM account") == before
    server.cli("user", "import", "bad0", status=2)
    server.cli("user", "import", "bad0", "--format", "csv", status=2)
    server.cli("user", "import", "not-there", "--format", "ldif", status=1)


def test_a_thousand_at_once(new_server):
    server = new_server(start=False)
    file = write(server, "many", "".join(f"user{number}:$5$saltsalt${'x' * 43}\n"
                                         for number in range(1000)))
    assert server.cli("user", "import", file, "--format", "htpasswd").out.startswith("added 1000,")

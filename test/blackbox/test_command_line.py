"""The command line, with and without a running server."""

import json
import os
import re
import subprocess
import tempfile

import pytest

from harness import (ALICE, ALL_GRANTS, API, BOB, C1, CC, JWTS, Server, find_binary, uauth_form,
                     wait_until)

UNUSABLE = [
    [], ["nonsense"], ["user"], ["user", "nonsense"], ["user", "add"], ["client", "add"],
    ["service", "add"], ["user", "add", "a", "b", "--password-stdin"], ["serve", "--nonsense"],
    ["user", "disable"], ["token"], ["token", "revoke", "a", "b"], ["key", "nonsense"],
    ["client", "add", "x", "--grant"],
    ["service", "add", "x", "--format", "nonsense"], ["service", "add", "x", "--lifetime", "-1"],
    ["service", "add", "x", "--lifetime", "ten"], ["service", "add", "x", "--lifetime", ""],
    ["client", "add", "x", "--public", "--no-secret"], ["user", "list", "--data"],
]


def run(*args, stdin=""):
    return subprocess.run([find_binary(), *args], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)


@pytest.mark.parametrize("args", UNUSABLE, ids=" ".join)
def test_wrong_usage_is_2_and_says_so_in_one_line(tmp_path, args):
    data = ["--data", str(tmp_path / "d")] if args and args[-1] != "--data" else []
    done = run(*args, *data)
    assert done.returncode in ((2,) if args != [] else (0, 2)), done
    if done.returncode == 2:
        assert done.stderr.strip() and done.stderr.count("\n") <= 40
    assert not (tmp_path / "d").exists() or args[0] != "serve"


def test_version_and_help():
    done = run("version")
    assert done.returncode == 0 and done.stdout.strip()
    done = run("--help")
    assert done.returncode == 0
    for word in ("serve", "user", "service", "client", "token", "key"):
        assert word in done.stdout


def test_refused_is_1_with_one_line_and_changes_nothing(jeton):
    for args, stdin in [
            (("user", "add", ALICE[0], "--password-stdin"), "a long enough password\n"),
            (("user", "add", ALICE[0].upper(), "--password-stdin"), "a long enough password\n"),
            (("user", "disable", "nobody"), ""), (("user", "unlock", "nobody"), ""),
            (("client", "add", C1[0], "--public", "--grant", "password"), ""),
            (("client", "add", "x2", "--grant", "nonsense"), ""),
            (("client", "add", "x3", "--grant", "refresh_token"), ""),
            (("service", "add", API[0], "--secret-stdin"), "some-secret-of-length\n"),
            (("service", "add", "thief.example", "--scope", "read", "--secret-stdin"),
             "some-secret-of-length\n"),
            (("client", "add", "x1", "--public", "--grant", "password", "--service",
              "nowhere.example"), ""),
            (("token", "revoke"), "jta_unknown\n")]:
        done = jeton.cli(*args, stdin=stdin, status=None)
        assert done.status == 1, (args, done)
        assert len(done.err.strip().splitlines()) == 1 and not done.out.strip(), (args, done)
    assert jeton.client_token(C1, "read")


@pytest.mark.parametrize("client_id", ["a b", "caf\u00e9", 'a"b', "a\\b", "a:b", "", "x" * 256])
def test_client_ids_are_visible_ascii(jeton, client_id):
    """RFC 6749 A.1, and without what would part a list, a header or Basic credentials."""
    done = jeton.cli("client", "add", client_id, "--public", "--grant", "password", status=None)
    assert done.status in (1, 2) and done.err.strip(), done


@pytest.mark.parametrize("uri", ["https://a.example/cb#f", "/cb", "cb", "", "https://u@a.example/",
                                 "https://a.example/ b"])
def test_redirect_uris_are_absolute_without_a_fragment(jeton, uri):
    """RFC 6749 3.1.2."""
    done = jeton.cli("client", "add", "redirected", "--public", "--grant", "password",
                     "--redirect-uri", uri, status=None)
    assert done.status in (1, 2) and done.err.strip(), done


@pytest.mark.parametrize("uri", ["javascript:alert(1)", "JaVaScRiPt://a.example/%0aalert(1)",
                                 "data:text/html,x", "vbscript:x", "http://evil.example/cb",
                                 "http://localhost.evil.example/cb"])
def test_az_03_dangerous_redirect_uris_are_refused(jeton, uri):
    """RFC 9700 2.6."""
    done = jeton.cli("client", "add", "redirected", "--public", "--grant", "password",
                     "--redirect-uri", uri, status=None)
    assert done.status == 1 and uri in done.err, done


def test_empty_and_missing_input_for_a_secret_is_refused(jeton):
    for stdin in ("", "\n"):
        for args in (("user", "add", "no-password", "--password-stdin"),
                     ("client", "add", "no-secret", "--secret-stdin"),
                     ("service", "add", "no.example", "--secret-stdin")):
            done = jeton.cli(*args, stdin=stdin, status=None)
            assert done.status in (1, 2) and done.err.strip(), (args, done)


@pytest.mark.parametrize("running", [True, False], ids=["running server", "no server"])
def test_every_command_works_with_and_without_a_server(new_server, running):
    server = new_server(start=running)
    server.add_user("carol", "the password of carol", "--full-name", "Carol C.", "--email",
                    "carol@mail.example", "--admin")
    server.add_service("new.example", "new-service-secret-1", "--scope", "one two", "--name",
                       "A new one", "--format", "jwt", "--lifetime", "120", "--allow-password")
    server.add_client("new-client", "new-client-secret-1", *ALL_GRANTS, "--scope", "extra",
                      "--service", "new.example", "--redirect-uri", "https://a.example/cb")
    assert "carol" in server.cli("user", "list").out
    assert "new.example" in server.cli("service", "list").out
    assert "new-client" in server.cli("client", "list").out
    server.cli("key", "list")
    server.cli("user", "disable", "carol")
    server.cli("user", "enable", "carol")
    server.cli("user", "unlock", "carol")
    if not running:
        server.start()
    body = server.client_token(("new-client", "new-client-secret-1"), "one")
    assert body["expires_in"] == 120 and body["access_token"].count(".") == 2
    assert server.token(uauth_form(("carol", "the password of carol"), "new.example")).status == 200
    extra = server.client_token(("new-client", "new-client-secret-1"), "extra")
    assert extra["scope"] == "extra"


def test_running_server_honours_a_change_at_once(jeton):
    token = jeton.user_token(C1, BOB, "read")["access_token"]
    assert jeton.is_active(token, API)
    jeton.cli("user", "disable", BOB[0])
    assert not jeton.is_active(token, API)
    answer = jeton.token(uauth_form(BOB))
    assert (answer.status, answer.error) == (400, "invalid_grant"), answer
    jeton.cli("user", "enable", BOB[0])
    assert not jeton.is_active(token, API), "enabling brings no old token back"
    assert jeton.user_token(C1, BOB, "read")


def test_disabled_client_and_service_get_nothing(jeton):
    client = ("short-lived", "short-lived-secret")
    jeton.add_client(*client, *ALL_GRANTS, "--service", API[0])
    body = jeton.user_token(client, ALICE, "read")
    jeton.cli("client", "disable", client[0])
    assert not jeton.is_active(body["access_token"], API)
    answer = jeton.refresh(body["refresh_token"], client)
    assert (answer.status, answer.error) == (401, "invalid_client"), answer
    jeton.cli("client", "enable", client[0])
    assert jeton.client_token(client, "read")
    jeton.add_service("gone.example", "gone-service-secret", "--scope", "gone", "--allow-password")
    jeton.add_client("gone-user", "gone-client-secret", *ALL_GRANTS, "--service", "gone.example")
    token = jeton.client_token(("gone-user", "gone-client-secret"), "gone")["access_token"]
    assert jeton.is_active(token, ("gone.example", "gone-service-secret"))
    jeton.cli("service", "disable", "gone.example")
    assert jeton.introspect(token, ("gone.example", "gone-service-secret")).status == 401
    assert jeton.token(uauth_form(ALICE, "gone.example")).error == "invalid_scope"
    answer = jeton.token({"grant_type": "client_credentials", "scope": "gone"},
                         client=("gone-user", "gone-client-secret"))
    assert (answer.status, answer.error) == (400, "invalid_scope"), answer


def test_replaced_secret_counts_at_once(jeton):
    client = ("rotating", "rotating-secret-number-1")
    jeton.add_client(*client, "--grant", "client_credentials", "--service", API[0])
    assert jeton.client_token(client)
    jeton.secrets.add("rotating-secret-number-2")
    jeton.cli("client", "secret", client[0], "--secret-stdin", stdin="rotating-secret-number-2\n")
    answer = jeton.token({"grant_type": "client_credentials"}, client=client)
    assert (answer.status, answer.error) == (401, "invalid_client"), answer
    assert jeton.client_token((client[0], "rotating-secret-number-2"))


def test_made_secret_is_printed_once_and_works(jeton):
    done = jeton.cli("service", "add", "made.example", "--scope", "made")
    secret = max(done.out.split(), key=len)
    assert len(secret) >= 22
    jeton.secrets.add(secret)
    assert jeton.introspect("x", ("made.example", secret)).status == 200


def test_token_list_shows_tokens_without_their_values(jeton):
    token = jeton.client_token(CC, "read")["access_token"]
    out = jeton.cli("token", "list").out
    assert CC[0] in out and token not in out


def test_token_explain_says_what_a_token_is(jeton):
    token = jeton.user_token(C1, ALICE, "read")["access_token"]
    done = jeton.cli("token", "explain", stdin=token + "\n")
    assert C1[0] in done.out and "read" in done.out and token not in done.out
    done = jeton.cli("token", "explain", stdin=token[:-1] + "\n", status=None)
    assert "checksum" in done.out + done.err and C1[0] not in done.out, done


def test_token_explain_says_who_ended_it(jeton):
    token = jeton.user_token(C1, ALICE, "read")["access_token"]
    assert "active    yes" in jeton.cli("token", "explain", stdin=token).out
    jeton.revoke(token, C1)
    out = jeton.cli("token", "explain", stdin=token).out
    assert "because   it was revoked\n" in out and "active    no\n" in out
    assert re.search(r"^event     token_revoked \S+ from 127\.0\.0\.1$", out, re.MULTILINE), out
    token = jeton.user_token(C1, ALICE, "read")["access_token"]
    number = re.search(r"^id +(\d+)$", jeton.cli("token", "explain", stdin=token).out,
                       re.MULTILINE).group(1)
    jeton.cli("token", "revoke", "--id", number)
    out = jeton.cli("token", "explain", stdin=token).out
    assert re.search(r"^event     token_revoked ", out, re.MULTILINE), out


def test_token_explain_says_what_it_would_not_do_for(jeton):
    token = jeton.user_token(C1, ALICE, "read")["access_token"]

    def explain(*args, **more):
        return jeton.cli("token", "explain", *args, stdin=token, **more).out

    audience = re.search(r"^audience +(\S+)", explain(), re.MULTILINE).group(1)
    assert "active    yes" in explain("--service", audience, "--scope", "read", "--address", "::1")
    out = explain("--service", "other.example", "--scope", "read fly")
    assert "because   it is not for the service other.example\n" in out
    assert "because   its scope lacks fly\n" in out and "lacks read" not in out
    assert "active    no" in out
    explain("--address", "localhost", status=2)
    explain("--at", "1", "--scope", "read", status=2)


def test_json_lists_are_a_json_object_a_line(jeton):
    for noun in ("user", "client", "service"):
        lines = jeton.cli(noun, "list", "--json").out.splitlines()
        assert lines and all(isinstance(json.loads(line), dict) for line in lines)


def test_two_commands_at_once_do_not_harm_each_other(new_server):
    server = new_server()
    processes = [subprocess.Popen(
        [server.binary, "service", "add", f"n{index}.example", *server.place(),
         "--secret-stdin", "--scope", f"n{index}"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE) for index in range(6)]
    for process in processes:
        process.stdin.write(b"some-secret-of-length\n")
        process.stdin.close()
    for process in processes:
        assert process.wait(60) == 0, process.stderr.read()
        process.stdout.close()
        process.stderr.close()
    out = server.cli("service", "list").out
    assert all(f"n{index}.example" in out for index in range(6))


def test_commands_after_kill_9_find_no_stale_lock(new_server):
    server = new_server()
    server.kill()
    server.add_user("after", "the password of after")
    server.start()
    assert server.token(uauth_form(("after", "the password of after"))).status == 200


def test_service_lifetime_and_expiry(jeton):
    jeton.add_service("brief.example", "brief-service-secret", "--scope", "brief", "--lifetime",
                      "1")
    jeton.add_client("briefly", "brief-client-secret", "--grant", "client_credentials",
                     "--service", "brief.example")
    body = jeton.client_token(("briefly", "brief-client-secret"))
    assert body["expires_in"] == 1
    caller = ("brief.example", "brief-service-secret")
    wait_until(lambda: not jeton.is_active(body["access_token"], caller), 5, "expired")
    assert jeton.forward_auth(body["access_token"]).status == 401


def test_expires_in_as_a_string_for_services_that_ask_for_it(jeton):
    """u-Auth documents both forms: a per-service switch."""
    jeton.add_service("stringy.example", "stringy-service-secret", "--allow-password",
                      "--expires-in-as-string")
    answer = jeton.token(uauth_form(ALICE, "stringy.example"))
    assert answer.status == 200 and answer.json["expires_in"] == "3600", answer


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256"])
def test_algorithm_of_a_service(jeton, alg):
    service = alg.lower() + ".example"
    jeton.add_service(service, "alg-service-secret", "--scope", alg.lower(), "--format", "jwt",
                      "--alg", alg)
    jeton.add_client(alg + "-client", "alg-client-secret", "--grant", "client_credentials",
                     "--service", service)
    token = jeton.client_token((alg + "-client", "alg-client-secret"))["access_token"]
    assert jeton.is_active(token, (service, "alg-service-secret"))
    algs = {key["alg"] for key in json.loads(jeton.get("/oauth2/jwks").body)["keys"]}
    assert alg in algs


@pytest.mark.sqlite("what is no database is a file")
def test_data_folder_of_someone_elses_program_is_refused(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "jeton.db").write_text("this is no database\n" * 100)
    server = Server(tmp_path)
    done = server.cli("user", "list", status=None)
    assert done.status in (0, 1)
    assert (folder / "jeton.db").read_text().startswith("this is no database")


def test_jwt_of_a_service_survives_restart_and_key_list_names_its_key(new_server):
    server = new_server()
    token = server.client_token(C1, "jread")["access_token"]
    server.restart()
    assert server.is_active(token, JWTS)


def test_a_command_that_is_cut_short_says_what_can_follow(tmp_path, binary):
    for words in (["client"], ["client", "--data", "x"], ["client", "ad", "--data", "x"]):
        done = subprocess.run([binary, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              cwd=tmp_path)
        assert done.returncode == 2, done
        assert "'client' can be followed by add, set, secret" in done.stderr, done
        assert done.stderr.count("\n") == 1


# -- what a stranger does on the first day --------------------------------------------------------

@pytest.mark.parametrize("words, told", [
    (["usr", "list"], "unknown command 'usr'"),
    (["--data", "x", "user", "list"], "the command stands before its options"),
], ids=["mistyped", "options first"])
def test_a_command_that_is_not_one_is_named(tmp_path, binary, words, told):
    done = subprocess.run([binary, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                          cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done
    assert told in done.stderr, done


def refused_by_check(folder, *args, data="d", status=1):
    """What `serve --check` says to these options; it made nothing."""
    before = set(folder.iterdir())
    done = run("serve", "--check", "--data", str(folder / data), *args)
    assert done.returncode == status and done.stdout == "", done
    assert set(folder.iterdir()) == before, done
    words = done.stderr.splitlines()[-1]
    assert words.startswith("jeton: serve: "), done
    return words


MAIL = ("--smtp-url", "smtp://127.0.0.1:25", "--mail-from", "jeton@example.com",
        "--smtp-password-file")


def test_check_reads_the_password_for_the_mail_server(tmp_path):
    file = tmp_path / "smtp"
    assert f"{file}: No such file" in refused_by_check(tmp_path, *MAIL, str(file))
    file.write_text("only-a-user\n")
    file.chmod(0o600)
    assert "must have two lines" in refused_by_check(tmp_path, *MAIL, str(file))
    file.write_text("user\npassword\n")
    done = run("serve", "--check", "--data", str(tmp_path / "d"), *MAIL, str(file))
    assert done.returncode == 0, done


def test_check_sees_a_data_folder_that_cannot_be_made_or_is_open_to_others(tmp_path):
    assert "cannot make the data folder" in refused_by_check(tmp_path, data="none/d")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert "chmod 0700 it" in refused_by_check(tmp_path, data="open")
    (tmp_path / "open").chmod(0o700)
    for data in ("open", "new", "new/"):
        done = run("serve", "--check", "--data", str(tmp_path / data))
        assert done.returncode == 0 and not (tmp_path / "new").exists(), done


def test_a_certificate_that_no_listener_would_show_is_refused(tmp_path):
    words = refused_by_check(tmp_path, "--tls-certificate", "c.pem", "--tls-key", "k.pem",
                             status=2)
    assert "need tls-listen" in words


def test_a_certificate_that_is_not_there_is_said_to_be(tmp_path):
    words = refused_by_check(tmp_path, "--tls-listen", "127.0.0.1:0", "--tls-certificate",
                             str(tmp_path / "c.pem"), "--tls-key", str(tmp_path / "k.pem"))
    assert "c.pem: No such file" in words


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_whoever_is_not_the_owner_of_the_folder_is_told_to_be():
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        os.mkdir(f"{folder}/d", 0o700)
        try:
            done = subprocess.run([find_binary(), "user", "list", "--data", f"{folder}/d"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=60, check=False, **nobody)
        except PermissionError:
            pytest.skip("the program is in a folder that is closed to others")
    assert done.returncode == 1 and done.stderr.count("jeton: ") == 1, done
    assert "run this as the user whose data folder it is" in done.stderr, done


def test_a_secret_that_may_be_guessed_is_taken_with_a_warning(new_server):
    server = new_server(start=False)
    for secret, is_warned in (("fifteen-bytes-x", True), ("sixteen-bytes-xx", False)):
        done = server.cli("client", "add", secret, "--grant", "client_credentials",
                          "--secret-stdin", stdin=secret + "\n")
        assert ("fewer than 16 bytes" in done.err) == is_warned, done
        assert secret + "\n" not in done.out

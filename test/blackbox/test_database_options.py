"""How a server and a command are told of a PostgreSQL database: options, folder, keys, secrets."""

import os
import subprocess

import pytest

import harness
import postgres
from database_nodes import *  # noqa: F401,F403
from database_nodes import SECRET
from harness import wait_until


# -- without a data folder ------------------------------------------------------------------------


def test_server_without_a_data_folder_keeps_nothing_here(new_node, options):
    node = new_node(*options)
    harness.seed(node)
    before = set(node.folder.rglob("*"))
    node.start()
    token = node.client_token(harness.CC, "read")["access_token"]
    assert node.is_active(token, harness.API)
    node.restart()
    assert node.is_active(token, harness.API)
    assert set(node.folder.rglob("*")) - before <= {node.log_path}
    assert node.ready().json == {"ready": True}


def test_started_line_names_host_and_database_alone(new_node, options, cluster, database):
    node = new_node(*options).start()
    (started,) = node.lines("started")
    assert started["database"] == f"127.0.0.1:{cluster.port}/{database.rsplit('/', 1)[1]}"
    assert "data" not in started
    assert node.lines("waiting_for_database") == []


def test_command_beside_a_server_is_honoured_at_once(new_node, options):
    node = new_node(*options)
    harness.seed(node)
    node.start()
    token = node.client_token(harness.C1, "read")["access_token"]
    assert node.is_active(token, harness.API)
    node.cli("client", "disable", harness.C1[0])
    wait_until(lambda: not node.is_active(token, harness.API), 1, "the feed told of it")
    assert node.token({"grant_type": "client_credentials"}, client=harness.C1).status == 401


def test_lists_of_an_empty_database(new_node, options):
    assert new_node(*options).cli("user", "list").err == ""


# -- beside a data folder -------------------------------------------------------------------------


def test_folder_beside_a_database_has_key_and_control_socket(new_node, options, tmp_path):
    beside = tmp_path / "beside"
    node = new_node(*options[:4], "--data", beside)
    node.start()
    (made,) = node.lines("master_key_made")
    assert "every other server" in made["advice"]
    assert {path.name for path in beside.iterdir()} == {"master.key", "control.sock", "database",
                                                        "lock"}
    by_server = new_node("--data", beside)
    by_server.add_user("zoe", "a password of some length")
    assert "zoe" in node.cli("user", "list").out
    node.stop()
    refused = by_server.refused()
    assert "goes with a PostgreSQL database" in refused and "--database" in refused
    assert "goes with a PostgreSQL database" in by_server.serve()
    assert not (beside / "jeton.db").exists()
    node.start()
    assert "holds" in node.serve()


def test_folder_with_an_sqlite_store_is_not_left_unused(new_node, options, tmp_path):
    beside = tmp_path / "beside"
    new_node("--data", beside).add_user("yan", "a password of some length")
    node = new_node(*options, "--data", beside)
    for line in (node.serve(), node.refused()):
        assert "holds an SQLite store" in line and "jeton move" in line
    assert not (beside / "database").exists()


def test_missing_folder_is_not_made_by_a_list(new_node, options, tmp_path):
    assert "no data folder" in new_node(*options, "--data", tmp_path / "none").refused()
    assert not (tmp_path / "none").exists()


# -- the master key -------------------------------------------------------------------------------


def test_key_has_to_be_named_where_there_is_no_folder(new_node, options):
    node = new_node(*options[:4])
    for line in (node.serve(), node.refused()):
        assert "--master-key-file FILE is needed" in line


def test_named_key_is_never_made(new_node, options, key_file):
    key_file.unlink()
    node = new_node(*options)
    for line in (node.serve(), node.refused("user", "add", "x", "--invite", "--email", "x@y.z")):
        assert f"{key_file} is missing; for a new store make one" in line
        assert f"head -c 32 /dev/urandom >{key_file}" in line
    assert not key_file.exists()


def test_servers_of_one_database_have_one_key(new_node, options, key_file, tmp_path):
    first = new_node(*options).start()
    key = key_file.read_bytes()
    key_file.write_bytes(os.urandom(32))
    other = new_node(*options)
    for line in (other.serve(), other.refused()):
        assert "not the one that this store was sealed with" in line
    key_file.unlink()
    assert "put the one there that the store was sealed with" in other.serve()
    beside = new_node(*options[:4], "--data", tmp_path / "beside")
    assert "name the one that this store was sealed with" in beside.serve()
    assert not (tmp_path / "beside" / "master.key").exists()
    key_file.touch(0o600)
    key_file.write_bytes(key)
    assert other.start().is_ready() and first.is_ready()


def test_of_two_first_starts_with_keys_of_their_own_one_is_refused(new_node, options, tmp_path):
    """And it leaves no key behind that would open nothing."""
    folders = [tmp_path / name for name in ("one", "two", "three")]
    nodes = [new_node(*options[:4], "--data", folder) for folder in folders]
    running = [subprocess.Popen([node.binary, "user", "add", f"u{number}", "--password-stdin",
                                 *node.options], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, cwd=node.folder, env=harness.sanitizer_environment())
               for number, node in enumerate(nodes)]
    done = [(one.communicate("a password of some length\n")[1], one.returncode) for one in running]
    assert sorted(status for _, status in done) == [0, 1, 1], done
    for folder, (words, status) in zip(folders, done):
        assert (folder / "master.key").exists() == (status == 0)
        assert status == 0 or "sealed with" in words


# -- secrets --------------------------------------------------------------------------------------


def with_password(url, password=postgres.PASSWORD):
    return url.replace(f"{postgres.ROLE}@", f"{postgres.ROLE}:{password}@")


def test_lg_01_password_on_the_command_line_works_and_draws_a_warning(new_node, database, key_file):
    node = new_node("--database", with_password(database), "--master-key-file", key_file).start()
    (warning,) = node.lines("database_password_in_sight")
    assert "--database-password-file" in warning["advice"]
    done = node.cli("user", "list")
    assert done.err.count("\n") == 1 and "--database-password-file" in done.err
    assert postgres.PASSWORD not in done.err


def test_lg_01_password_in_the_configuration_draws_a_warning(new_node, database, key_file,
                                                             tmp_path):
    path = tmp_path / "jeton.yaml"
    path.write_text(f"database: {with_password(database)}\nmaster-key-file: {key_file}\n")
    node = new_node("--config", path).start()
    (warning,) = node.lines("database_password_in_sight")
    assert warning["where"] == str(path) and "database-password-file" in warning["advice"]


def test_password_by_libpqs_own_file(new_node, cluster, database, key_file, tmp_path):
    path = tmp_path / "pgpass"
    path.touch(0o600)
    path.write_text(f"127.0.0.1:{cluster.port}:*:{postgres.ROLE}:{postgres.PASSWORD}\n")
    node = new_node("--database", database, "--master-key-file", key_file,
                    env={"PGPASSFILE": str(path)}).start()
    assert node.is_ready() and node.lines("database_password_in_sight") == []


def test_lg_05_password_file_that_is_open_to_others(new_node, options, password_file):
    password_file.chmod(0o604)
    node = new_node(*options)
    assert "make it 0600" in node.serve(status=2)
    assert "make it 0600" in node.refused(status=2)


PASSWORD_FILES = {"empty": "", "two-lines": "one\ntwo\n", "control": "a\x01b\n",
                  "too-long": "x" * 2000}


@pytest.mark.parametrize("name", PASSWORD_FILES)
def test_password_file_must_have_one_line(new_node, options, password_file, name):
    password_file.write_text(PASSWORD_FILES[name])
    assert "database-password-file" in new_node(*options).refused(status=2)


BAD_URLS = {
    "another-engine": ("mysql://jeton:{s}@h/jeton", "must be postgresql://"),
    "no-scheme": ("host=h password={s}", "must be postgresql://"),
    "a-folder": ("/var/lib/{s}", "must be postgresql://"),
    "at-in-password": ("postgresql://jeton:{s}@x@h/jeton", "percent-encode"),
    "slash-in-password": ("postgresql://jeton:a/{s}@h/jeton", "percent-encode"),
    "query-in-password": ("postgresql://jeton:{s}?a@h/jeton", "percent-encode"),
    "percent": ("postgresql://jeton:{s}%zz@h/jeton", "'%'"),
    "option-without-value": ("postgresql://jeton@h/jeton?{s}", "name=value"),
    "option-twice-equal": ("postgresql://jeton@h/jeton?password={s}=x", "name=value"),
    "space": ("postgresql://jeton:{s} @h/jeton", "spaces"),
    "too-long": ("postgresql://jeton:{s}@h/" + "x" * 3000, "too long"),
}


@pytest.mark.parametrize("name", BAD_URLS)
def test_lg_01_wrong_url_is_refused_without_showing_it(new_node, key_file, name, tmp_path):
    url, words = BAD_URLS[name]
    node = new_node("--database", url.format(s=SECRET), "--master-key-file", key_file)
    for line in (node.serve(status=2), node.refused(status=2)):
        assert "--database " in line and words in line and "--help'" in line
    path = tmp_path / "jeton.yaml"
    path.write_text(f"issuer: http://localhost\ndatabase: \"{url.format(s=SECRET)}\"\n")
    line = new_node("--config", path).serve(status=2)
    assert f"{path}: line 2: database " in line and words in line and SECRET not in line


def test_two_passwords_are_refused(new_node, options, database):
    node = new_node("--database", with_password(database, SECRET), *options[2:])
    assert "names another" in node.refused(status=2)


def test_something_has_to_be_named(new_node):
    node = new_node()
    assert "--data DIR or --database URL is needed" in node.serve(status=2)
    assert "--data DIR or --database URL is needed" in node.refused(status=2)
    node = new_node("--database-password-file", "x")
    assert "needs --database" in node.refused("user", "list", "--data", "d", status=2)
    assert "needs database" in node.serve("--data", "d", status=2)


@pytest.mark.parametrize("count", ["2", "65", "-1", "many"])
def test_connection_count_has_bounds(new_node, options, count):
    line = new_node(*options).serve("--database-connections", count, status=2)
    assert "database-connections must be a number from 3 to 64" in line

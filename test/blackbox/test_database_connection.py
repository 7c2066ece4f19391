"""What is said of a PostgreSQL database that is wrong, rightly made, or away."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile

import pytest

import harness
import postgres
from certificates import Authority
from database_nodes import *  # noqa: F401,F403
from harness import wait_until

LOST_S = 2
BACK_S = 5  # the server's start included


# -- what can be wrong about the database ---------------------------------------------------------


@pytest.mark.parametrize("where", ["serve", "command"])
def test_wrong_password(new_node, options, password_file, where):
    password_file.write_text("not the password\n")
    node = new_node(*options)
    line = node.serve() if where == "serve" else node.refused()
    assert "password" in line and "--database-password-file" in line


def test_no_password(new_node, database, key_file):
    line = new_node("--database", database, "--master-key-file", key_file).refused()
    assert "password" in line and "--database-password-file" in line


def test_missing_database(new_node, options, cluster):
    node = new_node("--database", cluster.url("there_is_none"), *options[2:])
    for line in (node.serve(), node.refused()):
        assert "there_is_none" in line and "does not exist" in line


def test_missing_role(new_node, options, database):
    node = new_node("--database", database.replace("jeton@", "nobody@"), *options[2:])
    assert "password" in node.refused()


def test_role_without_rights(new_node, options, cluster, database):
    """It may connect, and neither make tables nor use those that are there."""
    name = database.rsplit("/", 1)[1]
    new_node(*options).cli("user", "list")
    cluster.sql(f"CREATE ROLE poor LOGIN PASSWORD '{postgres.PASSWORD}';"
                f" GRANT CONNECT ON DATABASE \"{name}\" TO poor")
    try:
        node = new_node("--database", database.replace("jeton@", "poor@"), *options[2:])
        for line in (node.serve(), node.refused()):
            assert "permission denied" in line and "docs/postgresql.md" in line
    finally:
        cluster.sql(f"REVOKE ALL ON DATABASE \"{name}\" FROM poor; DROP ROLE poor")


def test_newer_schema(new_node, options, cluster, database):
    name = database.rsplit("/", 1)[1]
    new_node(*options).cli("user", "list")
    cluster.sql("INSERT INTO schema_version (version, at, runs_from) VALUES (999, 0, 999)", name)
    node = new_node(*options)
    for line in (node.serve(), node.refused()):
        assert "schema 999" in line and "newer" in line


def test_command_with_a_database_that_is_not_there(new_node, options):
    node = new_node("--database", f"postgresql://jeton@127.0.0.1:{harness.free_port()}/jeton",
                    *options[2:])
    line = node.refused()
    assert "refused" in line


def test_command_with_a_database_that_does_not_answer(new_node, options):
    """A port that takes connections and says nothing must not hold a command for long."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        node = new_node("--database",
                        f"postgresql://jeton@127.0.0.1:{silent.getsockname()[1]}/jeton",
                        *options[2:])
        assert "127.0.0.1" in node.refused()


# -- the role and the connection, as docs/postgresql.md has them ----------------------------------


DATABASE = "documented"


def run_documented(cluster, role):
    """The statements of docs/postgresql.md that make a role, for a database of another name. The
    tests' cluster has the first role already."""
    text = (harness.ROOT / "docs/postgresql.md").read_text()
    block = re.search(rf"```\w*\n(CREATE ROLE {role} .*?)```", text, re.DOTALL).group(1)
    lines = [line for line in block.splitlines() if not line.startswith("\\")]
    assert len(lines) >= 5
    for line in lines:
        if not line.startswith("CREATE ROLE jeton "):
            cluster.sql(re.sub(r"DATABASE jeton\b", f"DATABASE {DATABASE}", line),
                        DATABASE if "SCHEMA" in line else "postgres")


def test_least_privilege_as_documented(new_node, options, cluster):
    """The role owns one schema and needs no more; a second one that owns nothing can serve."""
    try:
        run_documented(cluster, "jeton")
        run_documented(cluster, "jeton_run")
        cluster.sql(f"ALTER ROLE jeton_run PASSWORD '{postgres.PASSWORD}'")
        url = cluster.url(DATABASE)
        second = new_node("--database", url.replace("jeton@", "jeton_run@"), *options[2:])
        assert "permission denied" in second.refused()
        harness.seed(new_node("--database", url, *options[2:]))
        second.start()
        assert second.is_active(second.client_token(harness.CC, "read")["access_token"],
                                harness.API)
        assert cluster.sql("SELECT DISTINCT schemaname FROM pg_tables WHERE tableowner = 'jeton'",
                           DATABASE) == ["jeton"]
        second.stop()
    finally:
        cluster.drop_database(DATABASE)
        cluster.sql("DROP ROLE IF EXISTS jeton_run")


def tls_url(cluster, database, **more):
    words = {"sslmode": "verify-full", "sslrootcert": cluster.authority_file, **more}
    return database.replace("127.0.0.1", "localhost") + "?" + \
        "&".join(f"{key}={value}" for key, value in words.items())


def test_verified_tls_and_scram(new_node, options, cluster, database):
    node = new_node("--database", tls_url(cluster, database, channel_binding="require"),
                    *options[2:], "--database-connections", "3").start()
    seen = cluster.sql("SELECT DISTINCT ssl, version FROM pg_stat_ssl JOIN pg_stat_activity"
                       " USING (pid) WHERE usename = 'jeton'")
    assert seen == ["t|TLSv1.3"]
    assert node.is_ready()


def test_certificate_of_another_authority_is_refused(new_node, options, cluster, database,
                                                      tmp_path):
    stranger = Authority("Stranger").save(tmp_path, "stranger")
    node = new_node("--database", tls_url(cluster, database, sslrootcert=stranger), *options[2:])
    for line in (node.serve(), node.refused()):
        assert "certificate" in line


def test_certificate_for_another_name_is_refused(new_node, options, cluster, database):
    url = tls_url(cluster, database).replace("localhost", "db.example") + "&hostaddr=127.0.0.1"
    line = new_node("--database", url, *options[2:]).refused()
    assert "certificate" in line and "db.example" in line


def test_first_host_that_takes_writes_is_used(new_node, options, cluster, database):
    url = database.replace("127.0.0.1:", f"127.0.0.1:{harness.free_port()},127.0.0.1:")
    node = new_node("--database", url, *options[2:]).start()
    assert node.is_ready()
    assert node.lines("started")[0]["database"].count(",") == 1


@pytest.mark.parametrize("count", [3, 6])
def test_no_more_connections_than_allowed(new_node, options, cluster, count):
    metrics = harness.free_port()
    node = new_node(*options)
    harness.seed(node)
    node.args = ["--database-connections", str(count), "--work-threads", "16",
                 "--metrics-listen", f"127.0.0.1:{metrics}"]
    node.start()
    done = subprocess.run(
        ["sh", "-c", "for i in $(seq 12); do curl -s -o /dev/null -u \"$1\" -d token=x "
         "\"http://127.0.0.1:$2/oauth2/introspect\" & done; wait", "sh", ":".join(harness.API),
         str(node.port)], check=False)
    assert done.returncode == 0
    (number,) = cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'jeton'")
    assert 2 <= int(number) <= count
    text = metrics_of(metrics)
    assert re.search(rf"^jeton_store_connections {number}$", text, re.MULTILINE), text
    for name in ("store_feed_age_seconds", "store_feed_losses_total", "store_clock_offset_seconds",
                 "store_retries_total", "store_feed_changes_total"):
        assert re.search(rf"^jeton_{name} [-\d.]+$", text, re.MULTILINE), name


def metrics_of(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: line.recv(65536), b"")).decode()


# -- a database that comes and goes ---------------------------------------------------------------


@contextlib.contextmanager
def away(cluster, mode="immediate"):
    cluster.stop(mode)
    try:
        yield
    finally:
        cluster.start()


@pytest.fixture
def own_cluster(own_folder):
    """One that a test may stop; in a folder with a short name, as that of a socket has to be."""
    made = postgres.Cluster(tempfile.mkdtemp(dir=own_folder)).start()
    made.create_role()
    yield made
    made.stop("immediate")


def test_server_waits_for_its_database_at_the_start(new_node, own_cluster, key_file):
    node = new_node("--database", own_cluster.create_database("late"), "--master-key-file",
                    key_file)
    with away(own_cluster):
        command = [node.binary, "serve", *node.options, "--listen", "127.0.0.1:0"]
        with open(node.log_path, "ab") as log:
            node.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=node.folder,
                                            env=harness.sanitizer_environment())
        wait_until(lambda: node.lines("waiting_for_database"), 10, "the line")
    node.ready_line = wait_until(lambda: node._ready(0), 20, "ready")
    assert len(node.lines("waiting_for_database")) == 1
    assert len(node.lines("database_found")) == 1
    node.port = int(re.search(r":(\d+)", node.ready_line).group(1))
    assert node.is_ready()


def test_waiting_server_can_be_stopped(new_node, options):
    node = new_node("--database", f"postgresql://jeton@127.0.0.1:{harness.free_port()}/x",
                    *options[2:])
    with open(node.log_path, "ab") as log:
        node.process = subprocess.Popen([node.binary, "serve", *node.options],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        cwd=node.folder, env=harness.sanitizer_environment())
    wait_until(lambda: node.lines("waiting_for_database"), 10, "the line")
    node.stop()


def test_lost_database_is_said_once_and_so_is_its_return(new_node, own_cluster, key_file):
    node = new_node("--database", own_cluster.create_database("lost"), "--master-key-file",
                    key_file)
    harness.seed(node)
    node.start()
    token = node.client_token(harness.CC, "read")["access_token"]
    for number in (1, 2):
        with away(own_cluster):
            wait_until(lambda: not node.is_ready(), LOST_S, "not ready")
            assert node.ready().json["reason"] in ("store_not_writable", "feed_behind")
            for _ in range(5):
                assert node.introspect(token, harness.API).status == 503
                assert node.token({"grant_type": "client_credentials"},
                                  client=harness.CC).status == 503
            wait_until(lambda: len(node.lines("database_lost")) == number, 2, "the line")
        wait_until(node.is_ready, BACK_S, "ready")
        assert node.is_active(token, harness.API)
        wait_until(lambda: len(node.lines("database_back")) == number, 2, "the line")
        assert len(node.lines("database_lost")) == number
    assert node.lines("fault") == [], "not one for each request"
    assert all(line["why"] for line in node.lines("database_lost"))
    assert all(line["away_ms"] > 0 for line in node.lines("database_back"))


def test_clocks_that_differ_make_a_server_not_ready(new_node, options, plain_binary):
    """Tokens would end early or late; it goes on answering, and says it once."""
    library = f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketimeMT.so.1"
    if not os.path.exists(library) or harness.is_sanitized(plain_binary):
        pytest.skip("needs libfaketime and a build without sanitizers (JETON_BINARY_PLAIN)")
    env = {"LD_PRELOAD": library, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    near = new_node(*options, binary=plain_binary, env={**env, "FAKETIME": "-3"}).start()
    assert near.is_ready()
    away = new_node(*options, binary=plain_binary, env={**env, "FAKETIME": "-30"}).start()
    assert away.ready().json == {"ready": False, "reason": "clock_off"}
    line = wait_until(lambda: away.lines("clock_off"), 2, "the line")[0]
    assert 29000 <= line["database_ahead_ms"] <= 31000 and len(away.lines("clock_off")) == 1
    assert near.lines("clock_off") == []

"""docs/examples/two-nodes as it stands: only names of machines, ports and files are put in."""

import http.client
import ipaddress
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import time

import pytest

from certificates import Authority
from cryptography import x509
from harness import ROOT, basic, form_encode, wait_until
from network import HUB, NETS, end_with_parent
from nodes import API, Node, free_port
from postgres import Cluster

FOLDER = ROOT / "docs" / "examples" / "two-nodes"
PASSWORD = "a-password-of-the-role-Jq4"
MIRRORS = "synchronous_standby_names"
APP = ("robot", "robot-secret-robot-secret-robot")


def text_of(name, **changes):
    """A file of the example; each of the changes is of something that stands in it."""
    text = (FOLDER / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    return text


class Machines:
    """db1 and db2, and what the nodes need to reach them."""

    def __init__(self, folder, network):
        self.folder, self.network = folder, network
        self.host = HUB if network else "127.0.0.1"
        self.authority = Authority("Database CA")
        self.certificate = self.authority.issue(
            [("CN", "db1")], names=[x509.IPAddress(ipaddress.ip_address(self.host))])
        self.key_file = folder / "master.key"
        self.secret_file(self.key_file, os.urandom(32))
        self.password_file = folder / "database-password"
        self.secret_file(self.password_file, PASSWORD.encode() + b"\n")
        self.authority_file = folder / "db-ca.pem"
        self.authority_file.write_text(self.authority.own.pem)
        self.first = Cluster(folder / "db1", self.host, self.settings(), is_durable=True)
        self.second = None

    @staticmethod
    def secret_file(path, content):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)

    @staticmethod
    def settings():
        """What the example's configuration says, as options of the program."""
        lines = (re.match(r"(\w+) *= *('[^']*'|\S+)", line)
                 for line in (FOLDER / "postgresql-primary.conf").read_text().splitlines())
        found = {line[1]: line[2].strip("'") for line in lines if line}
        assert found["ssl"] == "on"
        # What is to be changed later may not be an option of the program.
        return {name: value for name, value in found.items() if name != MIRRORS}

    def start_databases(self):
        self.first._make()
        self.add_files(self.first)
        line, = re.findall(f"^{MIRRORS} .*$",
                           (FOLDER / "postgresql-primary.conf").read_text(), re.MULTILINE)
        with open(self.first.data / "postgresql.conf", "a", encoding="ascii") as file:
            file.write(line + "\n")
        self.first.start()
        self.first.sql((FOLDER / "setup.sql").read_text())
        for role in ("jeton", "replicator"):
            self.first.sql(f"SET synchronous_commit = local; ALTER ROLE {role} PASSWORD"
                           f" '{PASSWORD}'")
        self.second = Cluster(self.folder / "db2", self.host, self.first.settings, is_durable=True)
        self.second.port = free_port([self.host])
        self.second.folder.mkdir()
        shutil.chown(self.second.folder, self.second.account.pw_uid, self.second.account.pw_gid)
        self.follow()
        self.second.start()

    def add_files(self, cluster):
        network = re.sub(r"\d+$", "0", self.host) + "/24"
        lines = text_of("pg_hba.conf", **{"10.0.0.0/24": network}).splitlines()
        assert lines[1].split() == ["local", "all", "postgres", "peer"]
        lines[1] = "local all all trust"  # the tests are another user of this machine
        (cluster.data / "pg_hba.conf").write_text("\n".join(lines) + "\n")
        for source, name in zip(self.certificate.save(self.folder, "server"),
                                ("server.crt", "server.key")):
            shutil.copyfile(source, cluster.data / name)
            (cluster.data / name).chmod(0o600)
            shutil.chown(cluster.data / name, cluster.account.pw_uid, cluster.account.pw_gid)

    def follow(self):
        """The first command of standby.sh; the second is the cluster's start."""
        script = text_of("standby.sh", **{
            "host=db1": f"host={self.host} port={self.first.port}", "$HOME/": f"{self.folder}/"})
        command = script.split("pg_ctl start")[0]
        done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True,
                              env={"PATH": f"{pathlib.Path(self.program()).parent}:/usr/bin:/bin",
                                   "PGDATA": str(self.second.data), "PGPASSWORD": PASSWORD},
                              cwd=self.second.folder, check=False, **self.second._user())
        assert done.returncode == 0, done.stderr.decode()

    @staticmethod
    def program():
        from postgres import find_program
        return find_program("pg_basebackup")

    def config(self, trusted):
        path = self.folder / "jeton.yaml"
        path.write_text(text_of("jeton.yaml", **{
            "db1:5432,db2:5432":
                f"{self.host}:{self.first.port},{self.host}:{self.second.port}",
            "/etc/jeton/db-ca.pem": str(self.authority_file), "10.0.0.10": trusted,
            "metrics-listen: 127.0.0.1:9090\n": ""}))
        return path

    def stop(self):
        for cluster in (self.second, self.first):
            if cluster is not None:
                cluster.stop("immediate")


class ExampleNode(Node):
    """Started as the unit does, but for systemd's socket and credentials."""

    def __init__(self, machines, config, *args):
        super().__init__(*args)
        self.machines, self.config = machines, config

    def serve_words(self):
        return ["--config", str(self.config), "--data", str(self.data),
                "--database-password-file", str(self.machines.password_file),
                "--master-key-file", str(self.machines.key_file), "--listen", self.listen]

    def place(self):
        """Of commands beside a running server."""
        return ["--data", str(self.data)]


@pytest.fixture(scope="module")
def machines(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    home = os.environ.get("HOME", "/")
    os.environ["HOME"] = str(folder)  # the databases run as another user, whose home that is not
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    made = Machines(folder, network)
    made.start_databases()
    yield made
    made.stop()
    os.environ["HOME"] = home


@pytest.fixture(scope="module")
def nodes(machines, network, plain):
    rooms = [network.room(), network.room()] if network else []
    hosts = [room.address for room in rooms] or ["127.0.0.1", "127.0.0.2"]
    port = 8080 if network else free_port(hosts)
    config = machines.config((NETS["front"] if network else "127.0.0") + ".1")
    made = [ExampleNode(machines, config, machines.folder / f"node{number + 1}", None,
                        machines.key_file, host, port, plain,
                        rooms[number].prefix if rooms else ())
            for number, host in enumerate(hosts)]
    for node in made:
        node.start()
    first = made[0]
    first.add_service(*API, "--scope", "read", "--lifetime", "600")
    first.add_client(*APP, "--grant", "client_credentials", "--scope", "read")
    yield made
    for node in made:
        if node.is_running():
            node.stop()
        node.assert_clean()
    for room in rooms:
        room.close()


class Balancer:
    """HAProxy or nginx with its configuration of the example, and requests by way of it."""

    def __init__(self, kind, folder, machines, nodes):
        host = NETS["front"] + ".1" if machines.network else "127.0.0.1"
        self.address = host, free_port([host])
        authority = Authority("Web CA")
        certificate = authority.issue([("CN", "tokens.example.com")],
                                      names=[x509.DNSName("tokens.example.com")])
        chain, key = certificate.save(folder, "web")
        both = folder / "both.pem"
        both.write_text(chain.read_text() + key.read_text())
        names = {"node1:8080": "%s:%d" % nodes[0].address, "node2:8080": "%s:%d" % nodes[1].address}
        if kind == "haproxy":
            text = text_of("haproxy.cfg", **names, **{
                "bind :443": "bind %s:%d" % self.address, "maxconn 20000": "maxconn 1000",
                "/etc/haproxy/tokens.example.com.pem": str(both)})
            command = ["haproxy", "-db", "-f"]
        else:
            text = text_of("nginx.conf", **names, **{
                "listen 443": "listen %s:%d" % self.address,
                "/etc/nginx/tokens.example.com.crt": str(chain),
                "/etc/nginx/tokens.example.com.key": str(key)})
            text += f"daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
            text = text.replace("http {", f"http {{ access_log off; client_body_temp_path {folder};"
                                f" proxy_temp_path {folder}; fastcgi_temp_path {folder};"
                                f" uwsgi_temp_path {folder}; scgi_temp_path {folder};", 1)
            command = ["nginx", "-p", str(folder), "-c"]
        program = shutil.which(command[0], path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            pytest.skip(f"{kind} is not installed")
        config = folder / f"{kind}.conf"
        config.write_text(text)
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen([program, *command[1:], str(config)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=end_with_parent)
        self.context = ssl.create_default_context(cadata=authority.own.pem)
        self.context.check_hostname = False

    def ask(self, path, fields=None, client=None):
        """The status and the JSON of an answer, or None without one."""
        line = http.client.HTTPSConnection(*self.address, timeout=10, context=self.context)
        headers = {"Host": "tokens.example.com"}
        if client:
            headers["Authorization"] = basic(*client)
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            line.request("GET" if fields is None else "POST", path,
                         None if fields is None else form_encode(fields), headers)
            reply = line.getresponse()
            return reply.status, reply.read().decode()
        except OSError:
            return None, ""
        finally:
            line.close()

    def issue(self):
        status, body = self.ask("/oauth2/token", {"grant_type": "client_credentials",
                                                  "scope": "read"}, APP)
        return re.search(r'"access_token":"([^"]+)"', body)[1] if status == 200 else None

    def is_active(self, token):
        status, body = self.ask("/oauth2/introspect", {"token": token}, API)
        return '"active":true' in body if status == 200 else None

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(params=["haproxy", "nginx"])
def balancer(request, tmp_path, machines, nodes):
    made = Balancer(request.param, tmp_path, machines, nodes)
    wait_until(made.issue, 15, f"{request.param} in front of two nodes")
    yield made
    made.stop()


def test_the_example_serves(balancer, nodes):
    status, body = balancer.ask("/.well-known/openid-configuration")
    assert status == 200 and '"issuer":"https://tokens.example.com"' in body
    token = balancer.issue()
    assert all(balancer.is_active(token) for _ in range(20)), "whichever node is asked"
    assert balancer.ask("/oauth2/revoke", {"token": token}, APP)[0] == 200
    time.sleep(1.0)
    assert not any(balancer.is_active(token) for _ in range(20))
    for node in nodes:
        assert "trusted_proxy_needed" not in node.log()


def test_a_node_is_lost(balancer, nodes):
    """What was under way may be lost; a second later all goes to the other one."""
    kept = balancer.issue()
    nodes[1].kill()
    try:
        wait_until(lambda: all(balancer.is_active(kept) for _ in range(4)), 5, "the other node")
        assert all([balancer.issue() for _ in range(20)])
    finally:
        nodes[1].start()
    assert balancer.is_active(kept)


def test_the_primary_is_lost(balancer, machines, nodes):
    """As standby.sh says at its end. Only once, for both balancers: the last test of the file."""
    if machines.first.is_running():
        kept = [balancer.issue() for _ in range(4)]
        machines.first.kill()
        machines.second.promote()
        machines.second.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
        machines.second.sql("SELECT pg_reload_conf()")
        wait_until(balancer.issue, 5, "tokens from the new primary")
        for _ in nodes:
            assert all(balancer.is_active(token) for token in kept)
    assert balancer.issue() is not None

"""The Debian packages on a machine that never saw Jeton: installed, started as the unit says,
upgraded under load, purged."""

import http.client
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import threading

import pytest

import postgres
from debian_root import missing_tools
from harness import basic, form_encode, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = os.environ.get("JETON_PACKAGES")
SECRET = "a-secret-of-this-test-alone"

pytestmark = [pytest.mark.skipif(missing_tools() != "", reason=missing_tools()),
              pytest.mark.skipif(not FOLDER, reason="JETON_PACKAGES names no folder of packages")]


def built(name):
    found = sorted(pathlib.Path(FOLDER).glob(f"{name}_*.deb"))
    assert len(found) == 1, found
    return found[0]


def with_version(package, version, folder):
    """The same package as it might have been released before."""
    tree = folder / "previous"
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(folder)], check=True,
                   stdout=subprocess.DEVNULL)
    return next(folder.glob(f"jeton_{version}_*.deb"))


class Unit:
    """jeton.service, done by hand as a service manager does it: user, folder, socket, notice."""

    def __init__(self, root, options=()):
        self.root = root
        self.options = list(options)  # what /etc/default/jeton would have
        self.text = (root.path / "lib/systemd/system/jeton.service").read_text()
        where = re.search(r"(?m)^ListenStream=(.*)$",
                          (root.path / "lib/systemd/system/jeton.socket").read_text()).group(1)
        assert where == "127.0.0.1:8080"
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=1024)  # a port of our own
        self.port = self.socket.getsockname()[1]
        self.process = None

    def setting(self, name):
        return re.search(rf"(?m)^{name}=(.*)$", self.text).group(1)

    def start(self):
        user = self.setting("User")
        folder = "/var/lib/" + self.setting("StateDirectory")
        self.root.run("install", "-d", "-m", self.setting("StateDirectoryMode"), "-o", user, "-g",
                      user, folder)
        notice = self.root.path / "run/notice"
        notice.unlink(missing_ok=True)
        heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        heard.bind(str(notice))
        notice.chmod(0o777)
        heard.settimeout(60)
        words = [word for word in shlex.split(self.setting("ExecStart"))
                 if word != "$JETON_OPTIONS"] + self.options
        command = self.root.command("setpriv", f"--reuid={user}", f"--regid={user}",
                                    "--clear-groups", "--no-new-privs", "sh", "-c",
                                    'umask 0077; export LISTEN_PID=$$; exec "$@"', "sh", *words)
        descriptor = self.socket.fileno()
        with open(self.root.path / "run/jeton.log", "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LISTEN_FDS": "1",
                     "NOTIFY_SOCKET": "/run/notice", "STATE_DIRECTORY": folder},
                preexec_fn=lambda: os.dup2(descriptor, 3))
        try:
            assert b"READY=1" in heard.recv(4096), self.log()
        except TimeoutError:
            pytest.fail(f"no notice that it is ready: {self.log()}")
        finally:
            heard.close()

    def reload(self):
        """`systemctl reload`."""
        command = shlex.split(self.setting("ExecReload"))
        assert command == ["/bin/kill", "-HUP", "$MAINPID"]
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.log()

    def log(self):
        return (self.root.path / "run/jeton.log").read_text()

    def post(self, path, **form):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        line.request("POST", path, form_encode(form),
                     {"Content-Type": "application/x-www-form-urlencoded",
                      "Authorization": basic("app", SECRET)})
        answer = line.getresponse()
        body = answer.read()
        line.close()
        return answer.status, json.loads(body) if body else None

    def issue(self):
        status, body = self.post("/oauth2/token", grant_type="client_credentials")
        assert status == 200, body
        return body["access_token"]

    def is_active(self, token):
        status, body = self.post("/oauth2/introspect", token=token)
        assert status == 200, body
        return body["active"]


class Load:
    """Clients that ask for tokens until they are told to stop, each time on a new connection."""

    def __init__(self, unit, count=8):
        self.unit = unit
        self.tokens, self.failures = [], []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.is_over.is_set():
            try:
                self.tokens.append(self.unit.issue())
            except Exception as failure:  # whatever it is, it is what a client saw
                self.failures.append(repr(failure))

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def mode_of(path):
    return stat.S_IMODE(path.lstat().st_mode)


def register_client(root):
    data = ["--data", "/var/lib/jeton"]
    by = ["setpriv", "--reuid=jeton", "--regid=jeton", "--clear-groups"]
    root.run(*by, "jeton", "service", "add", "api", *data, "--scope", "read")
    root.run(*by, "sh", "-c", f"printf %s {SECRET} | jeton client add app --data /var/lib/jeton"
                              " --grant client_credentials --scope read --secret-stdin")


def documents_are_there(root):
    """Those that manual pages name, and what the documents link to among each other."""
    own = root.path / "usr/share/doc/jeton"
    named = {name for page in (ROOT / "docs/man").glob("*.[0-9]")
             for name in re.findall(r"(?m)^\.Pa (/usr/share/doc/jeton/\S+)", page.read_text())}
    assert named and all((root.path / name[1:]).is_file() for name in named), named
    links = [(page, link) for page in (own / "docs").rglob("*.md")
             for link in re.findall(r"\]\((?!https?:)([a-z0-9.][^)# ]*)", page.read_text())]
    broken = [(page.name, link) for page, link in links if "screenshots" not in link
              and (page.parent / link).resolve().is_relative_to((own / "docs").resolve())
              and not (page.parent / link).exists()]
    assert len(links) > 100 and not broken, broken


def test_install_start_upgrade_purge(root, tmp_path):
    before = root.files()
    root.run("apt-get", "update")
    current = built("jeton")
    previous = with_version(current, "0.0.1", tmp_path)
    root.install(previous)
    assert "jeton 0" in root.run("jeton", "version")
    assert mode_of(root.path / "usr/bin/jeton") == 0o755
    documents_are_there(root)
    settings = root.path / "etc/jeton/jeton.yaml"
    settings.write_text(settings.read_text() + "brand-name: Of this house\n")
    unit = Unit(root)
    unit.start()
    try:
        register_client(root)
        token = unit.issue()
        assert unit.is_active(token)
        upgrade(root, unit, current)
        assert unit.is_active(token)
        reload_and_replace(unit)
        assert unit.is_active(token)
    finally:
        unit.stop()
    assert mode_of(root.path / "var/lib/jeton") == 0o700
    assert "0.0.1" not in root.run("dpkg-query", "-W", "jeton")
    assert "Of this house" in settings.read_text()
    remove_and_come_back(root, unit, current, token)
    root.run("apt-get", "purge", "-y", "jeton")
    root.run("apt-get", "autoremove", "-y", "--purge")
    left = {name for name in root.files() - before if "jeton" in name}
    assert left == set()
    assert "jeton" not in root.run("dpkg", "-l")


def starts_of(unit):
    return len(re.findall(r"(?m)^ready ", unit.log()))


def reload_and_replace(unit):
    """SIGHUP, and SIGUSR2 as the unit's head tells: under load, in the same process."""
    load = Load(unit)
    try:
        wait_until(lambda: len(load.tokens) > 20, 30, "tokens before the reload")
        unit.reload()
        starts = starts_of(unit)
        unit.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: starts_of(unit) > starts, 60, "the new program is ready")
        before = len(load.tokens)
        wait_until(lambda: len(load.tokens) > before + 50, 60, "tokens after it")
    finally:
        load.end()
    assert load.failures == []
    assert unit.process.poll() is None


def remove_and_come_back(root, unit, package, token):
    """Removing is not purging: settings and store stay, and the next installation finds them."""
    root.run("apt-get", "remove", "-y", "jeton")
    assert not (root.path / "usr/bin/jeton").exists()
    assert (root.path / "var/lib/jeton/jeton.db").is_file()
    assert "Of this house" in (root.path / "etc/jeton/jeton.yaml").read_text()
    root.install(package)
    unit.start()
    try:
        assert unit.is_active(token)
    finally:
        unit.stop()


def upgrade(root, unit, package):
    load = Load(unit)
    try:
        wait_until(lambda: len(load.tokens) > 20, 30, "tokens before the upgrade")
        root.install(package)
        before = len(load.tokens)
        unit.stop()  # what the package asks the service manager for; the socket stays
        unit.start()
        wait_until(lambda: len(load.tokens) > before + 100, 60, "tokens after the upgrade")
    finally:
        load.end()
    assert load.failures == []
    assert all(unit.is_active(token) for token in load.tokens[-300:] + load.tokens[:300])


def test_the_module_for_postgresql_is_a_package_of_its_own(root, tmp_path_factory):
    """A server on its embedded database has none of the client library of PostgreSQL."""
    names = subprocess.run(["dpkg-deb", "-f", str(built("jeton")), "Depends"], check=True,
                           capture_output=True, text=True).stdout
    assert "libpq" not in names
    root.install(built("jeton"), built("jeton-postgresql"))
    assert (root.path / "usr/lib/jeton/jeton-postgres.so").is_file()
    assert "libpq.so.5 => /" in root.run("ldd", "/usr/lib/jeton/jeton-postgres.so")
    cluster = postgres.Cluster(tmp_path_factory.mktemp("cluster")).start()
    try:
        serve_from(root, cluster)
    finally:
        cluster.stop("immediate")
    root.run("apt-get", "purge", "-y", "jeton", "jeton-postgresql")
    assert not (root.path / "usr/lib/jeton").exists()


def serve_from(root, cluster):
    """A server as the unit starts it, on a database: JETON_OPTIONS says which."""
    cluster.create_role()
    superuser = cluster.url(postgres.SUPERUSER, postgres.SUPERUSER)
    postgres.create_database(superuser, "packaged")
    url = postgres.change_url(superuser, "packaged")
    unit = Unit(root, ["--database", url])
    unit.start()
    try:
        register_client(root)
        assert unit.is_active(unit.issue())
    finally:
        unit.stop()
    assert not (root.path / "var/lib/jeton/jeton.db").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_caged():
    """Figure 23: an exposure of at most 1.5, as systemd reckons it."""
    unit = pathlib.Path(__file__).resolve().parents[2] / "packaging/jeton.service"
    judged = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15",
                             "--no-pager", str(unit)], capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout[-300:] + judged.stderr

"""Spring Security: a web site with OAuth2 login, and resource servers by JWT and introspection.

It needs Java 17. Maven copies what pom.xml names to java/spring/target, once; where there is no
Maven, or nothing to copy from, the tests are skipped.
"""

import fcntl
import hashlib
import pathlib
import re
import shutil
import subprocess
import threading

import pytest

from harness import ALICE, API, C1, JWTS, bearer
from person import Person
from visitor import Site, Visitor

FOLDER = pathlib.Path(__file__).resolve().parent / "java" / "spring"
TARGET = FOLDER / "target"
SITE = ("spring", "spring-secret-spring-secret")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
START_TIMEOUT_S = 120
# A small heap and one compiler: the tests run several of these at once.
JAVA = ["java", "-Xmx96m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]


def find_maven_error(text):
    """What Maven says when there is no repository to reach."""
    return re.search(r"Could not transfer|Cannot access .* in offline mode|Unknown host|"
                     r"Connect to .* failed|Connection refused", text)


def make_ready():
    """The jars and the class, of this pom.xml and this source."""
    done = TARGET / "made-of"
    sources = b"".join((FOLDER / name).read_bytes() for name in ("pom.xml", "SpringClients.java"))
    wanted = hashlib.sha256(sources).hexdigest()
    if done.is_file() and done.read_text("ascii") == wanted:
        return
    if shutil.which("mvn") is None:
        pytest.skip("Maven is not installed")
    shutil.rmtree(TARGET, ignore_errors=True)
    copied = subprocess.run(["mvn", "-B", "-q", COPY, "-DoutputDirectory=target/jars"],
                            cwd=FOLDER, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=300, check=False)
    if copied.returncode != 0 and find_maven_error(copied.stdout):
        pytest.skip("Maven could not fetch the jars: " + copied.stdout[-300:])
    assert copied.returncode == 0, copied.stdout
    compiled = subprocess.run(["javac", "-encoding", "UTF-8", "-nowarn", "-cp", "target/jars/*",
                               "-d", "target/classes", "SpringClients.java"], cwd=FOLDER,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=300, check=False)
    assert compiled.returncode == 0, compiled.stdout
    done.write_text(wanted, "ascii")


@pytest.fixture(scope="module")
def class_path(tmp_path_factory):
    if shutil.which("javac") is None or shutil.which("java") is None:
        pytest.skip("a JDK is not installed")
    version = subprocess.run(["javac", "-version"], stdout=subprocess.PIPE, check=True, text=True)
    if int(re.search(r"javac (\d+)", version.stdout).group(1)) < 17:
        pytest.skip(version.stdout.strip() + " is older than Spring takes")
    with open(tmp_path_factory.getbasetemp().parent / "spring.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_ready()
    return f"{TARGET}/classes:{TARGET}/jars/*"


@pytest.fixture(scope="module")
def site(jeton, class_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("spring")
    with open(folder / "spring.log", "wb") as log, subprocess.Popen(
            [*JAVA, "-cp", class_path, "SpringClients", f"http://127.0.0.1:{jeton.port}", *SITE,
             JWTS[0], C1[0], *API, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as java:
        limit = threading.Timer(START_TIMEOUT_S, java.kill)
        limit.start()
        port = java.stdout.readline().strip()
        limit.cancel()
        assert port, (folder / "spring.log").read_text("utf-8")[-4000:]
        # Its redirect URI is one for every port of this machine (RFC 8252 7.3).
        jeton.add_client(*SITE, "--grant", "authorization_code", "--grant", "refresh_token",
                         "--scope", "openid profile email read", "--redirect-uri",
                         "http://127.0.0.1/login/oauth2/code/jeton", "--post-logout-uri",
                         f"http://127.0.0.1:{port}/left")
        yield int(port)
        try:
            java.communicate(timeout=60)
        finally:
            java.kill()


def test_spring_login_refresh_and_logout(jeton, site):
    visitor = Visitor(jeton, site, ALICE)
    page = visitor.open("/")
    assert page.text_of("name") == ALICE[0] and page.text_of("email") == "alice@mail.example"
    assert page.text_of("subject").startswith("account:")
    visitor.open("/renew")
    assert visitor.site.text_of("renewed") == "true"
    visitor.open("/")
    page = visitor.press("leave")
    assert page is visitor.site and page.text_of("left") == "You have left."
    assert any("/oauth2/logout?id_token_hint=" in url for url in visitor.path_was)
    visitor.jeton.open("/")
    assert not visitor.jeton.has("sign-out")
    assert visitor.site.open("/").status == 302


def knock(site, path, token=None):
    person = Person(Site(site), headers=bearer(token).items() if token else ())
    return person.open(path).answer


def test_spring_resource_server_with_jwts(jeton, site):
    good = jeton.client_token(C1, "jread")["access_token"]
    answer = knock(site, "/signed/", good)
    assert answer.status == 200 and answer.body.decode() == C1[0], answer
    answer = knock(site, "/signed/", jeton.client_token(C1, "jwrite")["access_token"])
    assert answer.status == 403 and "insufficient_scope" in answer.header("WWW-Authenticate")
    altered = good[:-5] + ("A" if good[-5] != "A" else "B") + good[-4:]
    for wrong in (altered, jeton.client_token(C1, "read")["access_token"]):
        answer = knock(site, "/signed/", wrong)
        assert answer.status == 401 and "invalid_token" in answer.header("WWW-Authenticate")
    assert knock(site, "/signed/").status == 401


def test_spring_resource_server_with_introspection(jeton, site):
    good = jeton.user_token(C1, ALICE, "read")["access_token"]
    answer = knock(site, "/opaque/", good)
    assert answer.status == 200 and answer.body, answer
    assert knock(site, "/opaque/", jeton.client_token(C1, "write")["access_token"]).status == 403
    jeton.revoke(good, C1)
    for wrong in (good, "jta_nonsense", jeton.client_token(C1, "peek")["access_token"]):
        assert knock(site, "/opaque/", wrong).status == 401

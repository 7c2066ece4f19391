"""Java programs on the JDK's own HttpURLConnection and DOM, as clients of Spectrum have them."""

import pathlib
import re
import shutil
import subprocess

import pytest

from harness import ALICE, BOB

FOLDER = pathlib.Path(__file__).resolve().parent / "java"
RESOURCE = "/security/forward-auth"
NAMESPACES = {
    "precisely": "http://token.security.common.server.platform.spectrum.precisely.com/",
    "pb": "http://token.security.common.server.platform.spectrum.pb.com/",
}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
JWE = re.compile(r"[\w-]+\.\.[\w-]{22}\.[\w-]+\.[\w-]{22}")


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """The programs, compiled once."""
    if shutil.which("javac") is None or shutil.which("java") is None:
        pytest.skip("a JDK is not installed")
    out = tmp_path_factory.mktemp("classes")
    done = subprocess.run(["javac", "-encoding", "UTF-8", "-nowarn", "-d", str(out),
                           *map(str, sorted(FOLDER.glob("*.java")))],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return out


def command(classes, program, jeton, user, *more):
    base = f"http://127.0.0.1:{jeton.port}"
    # A small heap and one compiler: the tests run several of these at once.
    return ["java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", str(classes),
            program, base, *user, base + RESOURCE, *more]


def read_facts(text, jeton):
    """The "name value" lines in a dict; tokens are remembered as secrets."""
    facts = dict(line.split(" ", 1) for line in text.splitlines())
    jeton.secrets.update(value for name, value in facts.items() if name.startswith("token"))
    return facts


def run(classes, program, jeton, user, *more):
    done = subprocess.run(command(classes, program, jeton, user, *more), text=True, timeout=120,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_facts(done.stdout, jeton)


def test_t1_url_connection_signs_in_uses_and_logs_out(jeton, classes):
    seen = run(classes, "RestClient", jeton, ALICE)
    assert seen["sign-in"] == "200"
    assert seen["members"] == "access_token,session,username"
    assert seen["content-type"].startswith("application/json")
    assert seen["username"] == ALICE[0]
    assert UUID.fullmatch(seen["session"]), seen
    assert JWE.fullmatch(seen["token"]), seen
    assert (seen["used"], seen["used-again"], seen["without-session"]) == ("200", "200", "401")
    assert seen["log-out"] == "200"
    assert (seen["used-after-log-out"], seen["log-out-again"]) == ("401", "401")


def test_t1_forced_sign_in_ends_the_old_token_first(jeton, classes):
    seen = run(classes, "RestClient", jeton, BOB)
    assert seen["log-out-before-forced-sign-in"] == "200"
    assert seen["forced-sign-in"] == "200" and seen["is-new"] == "true"
    assert (seen["old-pair"], seen["mixed-pair"], seen["new-pair"]) == ("401", "401", "200")


def test_t1_url_connection_sees_401_for_a_wrong_password(jeton, classes):
    seen = run(classes, "RestClient", jeton, (BOB[0], "not the password of bob"))
    assert seen == {"sign-in": "401"}


@pytest.mark.parametrize("namespace", sorted(NAMESPACES))
def test_t5_soap_and_dom_client_with_either_namespace(jeton, classes, namespace):
    """The client knows its service by its qualified name and finds it in either WSDL."""
    seen = run(classes, "SoapClient", jeton, ALICE, NAMESPACES[namespace],
               "getAccessExpiringToken")
    base = f"http://127.0.0.1:{jeton.port}/security/"
    assert (seen["manager"], seen["logout"]) == (base + "TokenManagerService",
                                                 base + "TokenLogoutService")
    assert seen["sign-in"] == "200"
    assert seen["response"] == "ns2:getAccessExpiringTokenResponse"
    assert JWE.fullmatch(seen["token"]) and UUID.fullmatch(seen["session"]), seen
    assert seen["username"] == ALICE[0]
    assert (seen["used"], seen["without-session"]) == ("200", "401")
    assert (seen["log-out"], seen["log-out-response"]) == ("200", "1")
    assert (seen["used-after-log-out"], seen["log-out-again"]) == ("401", "401")


def test_t5_soap_client_with_the_older_namespace_in_the_description(module_server, classes):
    """The names are those of the one WSDL or of what it imports, whichever is the setting."""
    jeton = module_server(args=["--spectrum-namespace", "pb"])
    for namespace in NAMESPACES.values():
        seen = run(classes, "SoapClient", jeton, ALICE, namespace, "getAccessToken")
        assert seen["described"] == "2" and seen["sign-in"] == "200", seen
        assert (seen["used"], seen["used-after-log-out"]) == ("200", "401")


def test_t5_soap_client_with_an_open_token(module_server, classes):
    """The token cookie alone, as the client that was found sends it."""
    jeton = module_server(args=["--spectrum-soap-open-operation", "getOpenExpiringToken"])
    seen = run(classes, "SoapClient", jeton, ALICE, NAMESPACES["pb"], "getOpenExpiringToken")
    assert seen["sign-in"] == "200" and seen["session"] == "null"
    assert (seen["used"], seen["without-session"]) == ("200", "200")
    assert (seen["log-out"], seen["used-after-log-out"]) == ("200", "401")


@pytest.fixture(scope="module")
def unbound(module_server):
    """A server whose SOAP tokens are open, for clients that never send the session."""
    return module_server(args=["--spectrum-soap-binding", "none"])


def test_t3_handler_sends_session_null_and_learns_of_revoked_privileges(unbound, classes):
    with subprocess.Popen(command(classes, "TokenHandler", unbound, BOB), text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as java:
        lines = [java.stdout.readline() for _ in range(3)]
        seen = read_facts("".join(lines), unbound)
        assert (seen["sign-in"], seen["used"]) == ("200", "200"), seen
        unbound.revoke_by_command(seen["token"])
        out, _ = java.communicate("\n", timeout=60)
    assert out == "used-later privileges-revoked\n"


def test_t3_handler_with_a_wrong_password(unbound, classes):
    seen = run(classes, "TokenHandler", unbound, (BOB[0], "not the password of bob"))
    assert seen == {"sign-in": "privileges-revoked"}


def test_t3_handler_at_a_server_that_binds_its_token_is_told_so_in_the_log(jeton, classes):
    """By default the token is tied to its session; the log names the setting to change."""
    seen = run(classes, "TokenHandler", jeton, BOB)
    assert (seen["sign-in"], seen["used"]) == ("200", "privileges-revoked")
    assert "spectrum-soap-binding" in jeton.log()

"""Python's and curl's ways of working with Spectrum: zeep from the WSDL alone, requests, urllib."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from harness import ALICE, BOB

requests = pytest.importorskip("requests")
zeep = pytest.importorskip("zeep")

RESOURCE = "/security/forward-auth"
NAMESPACES = {
    "precisely": "http://token.security.common.server.platform.spectrum.precisely.com/",
    "pb": "http://token.security.common.server.platform.spectrum.pb.com/",
}


@pytest.fixture
def base(jeton):
    return f"http://127.0.0.1:{jeton.port}"


# ---- zeep, which knows nothing but the WSDL ----------------------------------------------------


def soap_client(base, service, session=None, query=""):
    transport = zeep.Transport(session=session or requests.Session(), timeout=30,
                               operation_timeout=30)
    return zeep.Client(f"{base}/security/{service}?wsdl{query}", transport=transport)


def signing_in(user):
    session = requests.Session()
    session.auth = user
    return session


def use(base, token, session=None, **headers):
    sent = {"Authorization": "Bearer " + token, **headers}
    if session is not None:
        sent["Cookie"] = "SESSION=" + session
    return requests.get(base + RESOURCE, headers=sent, timeout=30).status_code


def test_t5_zeep_signs_in_and_out_from_the_wsdl_alone(jeton, base):
    anonymous = soap_client(base, "TokenManagerService")
    assert "TokenManagerServiceImplService" in anonymous.wsdl.services
    manager = soap_client(base, "TokenManagerService", signing_in(ALICE))
    found = manager.service.getAccessExpiringToken(tokenLifeInMinutes=5)
    jeton.secrets.add(found.token)
    assert found.username == ALICE[0] and found.token.count(".") == 4
    assert use(base, found.token, found.session) == 200
    assert use(base, found.token) == 401
    session = requests.Session()
    session.headers["Cookie"] = \
        f"spectrum.authentication.token={found.token}; SESSION={found.session}"
    logout = soap_client(base, "TokenLogoutService", session)
    assert "TokenLogoutServiceImplService" in logout.wsdl.services
    assert logout.service.logout() is None
    assert use(base, found.token, found.session) == 401
    with pytest.raises(zeep.exceptions.TransportError) as refused:
        logout.service.logout()
    assert refused.value.status_code == 401


def test_t5_zeep_endless_session_token(jeton, base):
    found = soap_client(base, "TokenManagerService", signing_in(BOB)).service.getAccessToken()
    jeton.secrets.add(found.token)
    assert use(base, found.token, found.session) == 200


@pytest.mark.parametrize("chosen", sorted(NAMESPACES))
def test_t5_zeep_with_the_description_of_either_namespace(module_server, chosen):
    """The setting chooses it, or the query that the other's import has."""
    jeton = module_server(args=["--spectrum-namespace", chosen])
    base = f"http://127.0.0.1:{jeton.port}"
    for word, namespace in NAMESPACES.items():
        query = "" if word == chosen else "&ns=" + word
        for service in ("TokenManagerService", "TokenLogoutService"):
            client = soap_client(base, service, signing_in(ALICE), query)
            assert set(client.wsdl.bindings) == {
                f"{{{namespace}}}{service}ImplServiceSoapBinding"}
            port = client.wsdl.services[service + "ImplService"].ports[service + "ImplPort"]
            assert port.binding_options["address"] == f"{base}/security/{service}"
            if service == "TokenManagerService":
                found = client.service.getAccessExpiringToken(5)
                jeton.secrets.add(found.token)
                assert use(base, found.token, found.session) == 200


def test_t5_zeep_open_operations_are_in_the_wsdl(module_server):
    jeton = module_server(args=["--spectrum-soap-open-operation", "getOpenAccessToken",
                                "--spectrum-soap-open-operation", "getOpenAccessExpiringToken"])
    base = f"http://127.0.0.1:{jeton.port}"
    service = soap_client(base, "TokenManagerService", signing_in(ALICE)).service
    for found in (service.getOpenAccessToken(),
                  service.getOpenAccessExpiringToken(tokenLifeInMinutes=5)):
        jeton.secrets.add(found.token)
        assert found.session is None and found.username == ALICE[0]
        assert use(base, found.token) == 200
        assert use(base, found.token, "null") == 200


def test_t5_zeep_is_refused_with_401_and_not_with_a_fault(base):
    service = soap_client(base, "TokenManagerService",
                          signing_in((ALICE[0], "not the password of alice"))).service
    with pytest.raises(zeep.exceptions.TransportError) as refused:
        service.getAccessExpiringToken(tokenLifeInMinutes=5)
    assert refused.value.status_code == 401


def test_t5_zeep_reads_a_fault(base):
    service = soap_client(base, "TokenManagerService", signing_in(ALICE)).service
    with pytest.raises(zeep.exceptions.Fault) as fault:
        service.getAccessExpiringToken(tokenLifeInMinutes=-1)
    assert fault.value.code == "soap:Client"
    assert "tokenLifeInMinutes" in fault.value.message


# ---- an open token of an hour, renewed on 401, ended on shutdown -------------------------------


class RequestsConnector:
    """As the vendor's connector works: a token is fetched when there is none and after a 401."""

    def __init__(self, base, user):
        self.base = base
        self.user = user
        self.token = None
        self.fetched = 0
        self.session = requests.Session()

    def fetch(self):
        url = f"{self.base}/security/rest/token/access/60?noCache={int(time.time())}"
        answer = self.session.get(url, auth=self.user, timeout=30)
        answer.raise_for_status()
        self.token = answer.json()["access_token"]
        self.fetched += 1

    def call(self):
        for _ in range(2):
            if self.token is None:
                self.fetch()
            status = self.status(RESOURCE)
            if status != 401:
                return status
            self.token = None
        return 401

    def status(self, path):
        return self.session.get(self.base + path, timeout=30,
                                headers={"Authorization": "Bearer " + self.token}).status_code

    def close(self):
        return self.status("/security/rest/token/logout")


class UrllibConnector(RequestsConnector):
    """The same with the standard library: Basic comes with a second request, after the 401."""

    def fetch(self):
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, self.base, *self.user)
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
        url = f"{self.base}/security/rest/token/access/60?noCache={int(time.time())}"
        with opener.open(url, timeout=30) as answer:
            self.token = json.load(answer)["access_token"]
        self.fetched += 1

    def status(self, path):
        request = urllib.request.Request(self.base + path,
                                         headers={"Authorization": "Bearer " + self.token})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code


class CurlConnector(RequestsConnector):
    """The same with curl."""

    def curl(self, *args):
        done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "30", *args],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fetch(self):
        self.token = json.loads(self.curl(
            "--fail", "-u", ":".join(self.user),
            f"{self.base}/security/rest/token/access/60?noCache=1"))["access_token"]
        self.fetched += 1

    def status(self, path):
        return int(self.curl("-o", "/dev/null", "-w", "%{http_code}", "-H",
                             "Authorization: Bearer " + self.token, self.base + path))


CONNECTORS = [
    pytest.param(RequestsConnector, id="requests"),
    pytest.param(UrllibConnector, id="urllib"),
    pytest.param(CurlConnector, id="curl", marks=pytest.mark.skipif(
        shutil.which("curl") is None, reason="curl is not installed")),
]


@pytest.mark.parametrize("kind", CONNECTORS)
def test_t4_connector_renews_on_401_and_logs_out(jeton, base, kind):
    connector = kind(base, ALICE)
    assert connector.call() == 200 and connector.call() == 200
    assert connector.fetched == 1
    first = connector.token
    jeton.revoke_by_command(first)
    assert connector.call() == 200
    assert connector.fetched == 2 and connector.token != first
    jeton.secrets.update((first, connector.token))
    assert connector.close() == 200
    assert connector.status(RESOURCE) == 401
    assert connector.close() == 401


def test_t4_connector_renews_an_expired_token(faked_time):
    jeton, set_time = faked_time
    connector = RequestsConnector(f"http://127.0.0.1:{jeton.port}", ALICE)
    assert connector.call() == 200
    jeton.secrets.add(connector.token)
    set_time(3590)
    assert connector.call() == 200 and connector.fetched == 1
    set_time(3601)
    assert connector.call() == 200 and connector.fetched == 2
    jeton.secrets.add(connector.token)


@pytest.mark.parametrize("kind", CONNECTORS)
def test_t4_connector_with_a_wrong_password_gives_up(base, kind):
    connector = kind(base, (BOB[0], "not the password of bob"))
    with pytest.raises((requests.HTTPError, urllib.error.HTTPError, AssertionError)) as refused:
        connector.call()
    assert "401" in str(refused.value) and connector.fetched == 0


# ---- cookies that travel by themselves ---------------------------------------------------------


def test_requests_session_sends_the_session_cookie_by_itself(jeton, base):
    session = requests.Session()
    answer = session.get(base + "/security/rest/token/access/session/0", auth=ALICE, timeout=30)
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    jeton.secrets.add(token)
    assert session.cookies["SESSION"] == answer.json()["session"]
    bearer = {"Authorization": "Bearer " + token}
    assert session.get(base + RESOURCE, headers=bearer, timeout=30).status_code == 200
    assert requests.get(base + RESOURCE, headers=bearer, timeout=30).status_code == 401
    assert session.get(base + "/security/rest/token/logout", headers=bearer,
                       timeout=30).status_code == 200
    assert "SESSION" not in session.cookies
    assert session.get(base + RESOURCE, headers=bearer, timeout=30).status_code == 401


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_t2_curl_with_its_cookie_jar(jeton, base, tmp_path):
    """curl -c keeps the cookie, curl -b sends it; the token is a second cookie of its own line."""
    jar = str(tmp_path / "jar")
    curl = CurlConnector(base, ALICE).curl
    answer = json.loads(curl("-u", ":".join(ALICE), "-c", jar,
                             base + "/security/rest/token/access/session/5"))
    token, session = answer["access_token"], answer["session"]
    jeton.secrets.add(token)
    status = ["-o", "/dev/null", "-w", "%{http_code}", base + RESOURCE]
    cookie = "Cookie: spectrum.authentication.token=" + token
    assert curl("-b", jar, "-H", "Authorization: Bearer " + token, *status) == "200"
    assert curl("-b", jar, "-H", cookie, *status) == "200"
    assert curl("-H", cookie, "-H", "Cookie: SESSION=" + session, *status) == "200"
    assert curl("-H", cookie, "-H", "Cookie: session=" + session, *status) == "401"
    assert curl("-H", cookie, *status) == "401"

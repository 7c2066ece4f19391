"""A browser's page of another origin works with Spectrum: Chromium, with its rules of the web.

The page does what the documents of Spectrum tell JavaScript callers to do: it asks for a token with
Basic and with credentials included, so that the session's cookie is kept and travels by itself, and
then calls a resource with the token. What it saw it sends to its own server, which is this test.

The resource stands behind nginx, which asks Jeton about each request, and serves the token service
itself under the same address, as a Spectrum server has both.
"""

import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import threading

import pytest

from harness import ALICE
from web_servers import WebServer, find_program, worker_user

RESOURCE = "/rest/resource.json"
TOKEN = "/security/rest/token/access/session/0"
LOGOUT = "/security/rest/token/logout"
WAIT_S = 120  # a browser's first start on a busy machine takes its time

PAGE = """<!doctype html><meta charset="utf-8"><title>A page</title><script>
const job = %s;
const seen = [];

async function ask(name, path, headers, options) {
    const step = { name };
    try {
        const how = { headers, credentials: "include", ...options };
        const answer = await fetch(job.base + path, how);
        step.status = answer.status;
        step.body = await answer.text();
    } catch (error) {
        step.refused = String(error);
    }
    seen.push(step);
    return step;
}

function askByXhr(name, path, headers) {
    return new Promise((done) => {
        const request = new XMLHttpRequest();
        const step = { name };
        request.open("GET", job.base + path);
        request.withCredentials = true;
        for (const [key, value] of Object.entries(headers)) request.setRequestHeader(key, value);
        request.onload = () => { step.status = request.status; step.body = request.responseText; };
        request.onerror = () => { step.refused = "error"; };
        request.onloadend = () => { seen.push(step); done(step); };
        request.send();
    });
}

async function run() {
    const basic = "Basic " + btoa(job.user + ":" + job.password);
    const call = job.by === "xhr" ? askByXhr : ask;
    const answer = await call("token", job.token, { Authorization: basic, Accept: "*/*" });
    seen.push({ name: "readable cookie", body: document.cookie });
    if (answer.status === 200) {
        const bearer = { Authorization: "Bearer " + JSON.parse(answer.body).access_token };
        await call("resource", job.resource, bearer);
        await ask("without cookie", job.resource, bearer, { credentials: "omit" });
        await call("logout", job.logout, bearer);
        await call("after logout", job.resource, bearer);
    }
    await call("wrong password", job.token, { Authorization: "Basic " + btoa("alice:wrong"),
                                              "X-Requested-With": "XMLHttpRequest" });
}

run().catch((error) => seen.push({ name: "script", refused: String(error) })).then(
    () => fetch("/seen", { method: "POST", body: JSON.stringify(seen) }));
</script>
"""

GATEWAY = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    upstream jeton {{ server 127.0.0.1:{jeton}; }}
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    server {{
        listen 127.0.0.1:{port}{tls};
        root {folder}/pages;
        location /security/ {{ proxy_pass http://jeton; }}
        location /rest/ {{
            # A preflight is asked without credentials: Jeton says which origins there are.
            if ($request_method = OPTIONS) {{ rewrite ^ /security/preflight last; }}
            auth_request /door;
            auth_request_set $origin $upstream_http_access_control_allow_origin;
            auth_request_set $credentials $upstream_http_access_control_allow_credentials;
            add_header Access-Control-Allow-Origin $origin always;
            add_header Cache-Control no-store always;  # else Chromium may answer for it
            add_header Access-Control-Allow-Credentials $credentials always;
        }}
        location = /door {{
            internal;
            proxy_pass http://jeton/security/forward-auth;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""


class PageServer:
    """The server of one page, which does its job for whoever opens it; `seen` has its reports."""

    def __init__(self, host="127.0.0.1"):
        self.seen = queue.Queue()
        self.job = {}
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                is_page = self.path == "/"
                self.answer((PAGE % json.dumps(owner.job)).encode() if is_page else b"")

            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(b"")
                owner.seen.put(json.loads(body))

            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://{host}:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def find_browser():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                None)


@pytest.fixture(scope="module")
def browser():
    program = find_browser()
    if program is None:
        pytest.skip("Chromium is not installed")
    return program


def visit(browser, folder, pages, *options, settings=None):
    """Opens the page and waits for its report; steps by name. `settings` are the user's."""
    profile = folder / "profile" / "Default"
    profile.mkdir(parents=True)
    (profile / "Preferences").write_text(json.dumps(settings or {}))
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
               "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync",
               "--disable-component-update", "--disable-default-apps", "--disable-extensions",
               "--password-store=basic", f"--user-data-dir={folder}/profile", *options,
               pages.origin + "/"]
    home = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder),
            "XDG_CACHE_HOME": str(folder)}
    with open(folder / "chromium.log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env=home, start_new_session=True)
    try:
        seen = pages.seen.get(timeout=WAIT_S)
    except queue.Empty:
        text = (folder / "chromium.log").read_text("utf-8", "replace")
        pytest.fail(f"no report from the page: {text[-3000:]}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its own group: it started with its own session
        process.wait()
    return {step["name"]: step for step in seen}


@pytest.fixture
def pages():
    """A page of 127.0.0.1, on a port of its own: another origin, but the same site."""
    server = PageServer()
    yield server
    server.close()


@pytest.fixture
def gateway(tmp_path_factory):
    """Starts nginx with a Jeton behind it."""
    started = []

    def start(jeton, certificate=None):
        program = find_program("nginx")
        if program is None:
            pytest.skip("nginx is not installed")
        server = WebServer(tmp_path_factory.mktemp("gateway"))
        started.append(server)
        (server.pages / "rest").mkdir()
        (server.pages / "rest" / "resource.json").write_text('{"a":"resource"}')
        user = worker_user()
        tls = "" if certificate is None else \
            f" ssl; ssl_certificate {certificate[1]}; ssl_certificate_key {certificate[0]}"
        config = server.folder / "nginx.conf"
        config.write_text(GATEWAY.format(
            folder=server.folder, port=server.port, jeton=jeton.port, tls=tls,
            user=f"user {user};" if os.geteuid() == 0 and user else ""))
        server.start([program, "-c", str(config), "-p", str(server.folder), "-e",
                      str(server.folder / "error.log")])
        return server

    yield start
    for server in started:
        server.stop()


def job_for(base, by="fetch"):
    return {"base": base, "user": ALICE[0], "password": ALICE[1], "token": TOKEN,
            "resource": RESOURCE, "logout": LOGOUT, "by": by}


def jeton_args(*origins):
    args = ["--trusted-proxy", "127.0.0.1"]
    for origin in origins:
        args += ["--spectrum-cors-origin", origin]
    return args


def assert_signed_in_and_out(jeton, seen):
    assert seen["token"].get("status") == 200, seen
    body = json.loads(seen["token"]["body"])
    jeton.secrets.add(body["access_token"])
    assert list(body) == ["access_token", "session", "username"]
    assert seen["readable cookie"]["body"] == ""  # HttpOnly
    assert seen["resource"].get("status") == 200, seen
    assert seen["resource"]["body"] == '{"a":"resource"}'
    assert seen["without cookie"].get("status") == 401, seen
    assert seen["logout"].get("status") == 200, seen
    assert seen["after logout"].get("status") == 401, seen
    assert seen["wrong password"].get("status") == 401, seen
    assert json.loads(seen["wrong password"]["body"]) == {"reason": "Unauthorized"}


@pytest.mark.parametrize("by", ["fetch", "xhr"])
def test_t6_page_of_an_allowed_origin_signs_in_and_its_cookie_travels(new_server, browser, pages,
                                                                      gateway, tmp_path, by):
    """With its preflights, as Basic and Bearer are headers that no simple request has."""
    jeton = new_server(args=jeton_args("https://pages.example", pages.origin))
    pages.job = job_for(f"http://127.0.0.1:{gateway(jeton).port}", by)
    assert_signed_in_and_out(jeton, visit(browser, tmp_path, pages))


def test_t6_page_of_another_origin_learns_nothing(new_server, browser, pages, gateway, tmp_path):
    jeton = new_server(args=jeton_args("https://pages.example"))
    pages.job = job_for(f"http://127.0.0.1:{gateway(jeton).port}")
    seen = visit(browser, tmp_path, pages)
    assert set(seen) == {"token", "readable cookie", "wrong password"}, seen
    for name in ("token", "wrong password"):
        assert "refused" in seen[name] and "status" not in seen[name], seen
    # The preflight said no: the request with the password was never sent.
    assert not [line for line in jeton.log_lines() if line.get("username")]


def test_t6_page_is_refused_while_no_origin_is_allowed(new_server, browser, pages, tmp_path):
    """The default."""
    jeton = new_server()
    pages.job = job_for(f"http://127.0.0.1:{jeton.port}", "xhr")
    seen = visit(browser, tmp_path, pages)
    assert seen["token"] == {"name": "token", "refused": "error"}


@pytest.fixture
def certificate(tmp_path):
    """A key and a certificate for this test alone."""
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out",
                    str(chain)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return key, chain


def test_t6_cookie_travels_from_another_site_over_tls(new_server, browser, certificate, gateway,
                                                      tmp_path):
    """SameSite=None with Secure: localhost and 127.0.0.1 are two sites. Some builds of Chromium
    keep third-party cookies back altogether until their user allows them."""
    pages = PageServer("localhost")
    try:
        jeton = new_server(args=jeton_args(pages.origin))
        port = gateway(jeton, certificate).port
        pages.job = job_for(f"https://127.0.0.1:{port}")
        seen = visit(browser, tmp_path, pages, "--ignore-certificate-errors", settings={
            "profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}})
    finally:
        pages.close()
    assert_signed_in_and_out(jeton, seen)

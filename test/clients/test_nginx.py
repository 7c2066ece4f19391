"""nginx with auth_request in front of a real page: /forward-auth decides."""

import http.client
import os
import threading

import pytest

from harness import ALICE, API, C1, CC
from web_servers import PAGE, WebServer, find_program, worker_user

CONFIG = """
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
    upstream jeton {{ server 127.0.0.1:{jeton}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/pages;
        location / {{
            auth_request /door;
            auth_request_set $user $upstream_http_remote_user;
            auth_request_set $client $upstream_http_x_auth_client;
            auth_request_set $scope $upstream_http_x_auth_scope;
            auth_request_set $challenge $upstream_http_www_authenticate;
            add_header X-Seen-User $user;
            add_header X-Seen-Client $client;
            add_header X-Seen-Scope $scope;
        }}
        location = /door {{
            internal;
            proxy_pass http://jeton/forward-auth?service={service}&scope=read;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def nginx(jeton, tmp_path_factory):
    program = find_program("nginx")
    if program is None:
        pytest.skip("nginx is not installed")
    server = WebServer(tmp_path_factory.mktemp("nginx"))
    user = worker_user()
    config = server.folder / "nginx.conf"
    config.write_text(CONFIG.format(
        folder=server.folder, port=server.port, jeton=jeton.port, service=API[0],
        user=f"user {user};" if os.geteuid() == 0 and user else ""))
    server.start([program, "-c", str(config), "-p", str(server.folder), "-e",
                  str(server.folder / "error.log")])
    yield server
    server.stop()


def fetch(server, token=None, method="GET", path="/", body=None, headers=()):
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    sent = dict(headers)
    if token:
        sent["Authorization"] = "Bearer " + token
    line.request(method, path, body, sent)
    reply = line.getresponse()
    text = reply.read().decode()
    line.close()
    return reply, text


def test_nginx_shows_the_page_to_a_good_token(jeton, nginx):
    token = jeton.user_token(C1, ALICE, "read")["access_token"]
    reply, text = fetch(nginx, token)
    assert reply.status == 200 and text == PAGE, nginx.log()
    assert reply.getheader("X-Seen-User") == ALICE[0]
    assert reply.getheader("X-Seen-Client") == C1[0]
    assert reply.getheader("X-Seen-Scope") == "read"


def test_nginx_turns_others_away(jeton, nginx):
    """401 without and with a bad token, with the challenge; 403 with too little scope."""
    reply, text = fetch(nginx)
    assert reply.status == 401 and PAGE not in text
    assert reply.getheader("WWW-Authenticate").startswith("Bearer realm=")
    reply, text = fetch(nginx, "jta_nonsense")
    assert reply.status == 401 and PAGE not in text
    assert 'error="invalid_token"' in reply.getheader("WWW-Authenticate")
    little = jeton.client_token(C1, "write")["access_token"]
    reply, text = fetch(nginx, little)
    assert reply.status == 403 and PAGE not in text
    foreign = jeton.client_token(C1, "peek")["access_token"]
    reply, text = fetch(nginx, foreign)
    assert reply.status in (401, 403) and PAGE not in text


def test_nginx_closes_the_door_when_a_token_is_revoked(jeton, nginx):
    token = jeton.client_token(CC, "read")["access_token"]
    assert fetch(nginx, token)[0].status == 200
    jeton.revoke(token, CC)
    assert fetch(nginx, token)[0].status == 401


def test_nginx_many_requests_at_once(jeton, nginx):
    good = jeton.client_token(CC, "read")["access_token"]
    wrong = []

    def ask(index):
        for turn in range(25):
            is_good = (index + turn) % 2 == 0
            reply, _ = fetch(nginx, good if is_good else "jta_bad", "GET", f"/?{index}-{turn}")
            if reply.status != (200 if is_good else 401):
                wrong.append(reply.status)

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nginx_other_methods_and_bodies(jeton, nginx):
    """The body stays with nginx; the question comes without it."""
    token = jeton.client_token(CC, "read")["access_token"]
    reply, _ = fetch(nginx, token, "POST", "/", "a body " * 1000)
    assert reply.status == 405  # nginx's own answer to a POST of a file: the door let it through
    assert fetch(nginx, None, "POST", "/", "a body")[0].status == 401
    assert fetch(nginx, token, "HEAD")[0].status == 200

"""HTTP as it comes over the wire (RFC 9112, RFC 9110; promises HT-01 to HT-04, HT-06, HT-07)."""

import http.client
import os
import re
import socket
import statistics
import threading
import time

import pytest

import raw_requests
from harness import API, C1, CC, FORM, basic, short, wait_until

CANARY = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: canary\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
TARGET_BYTES_MAX = 8 * 1024
HEAD_BYTES_MAX = 16 * 1024
HEADER_COUNT_MAX = 64
BODY_BYTES_MAX = 64 * 1024
DEADLINE_S = 10


def statuses(received):
    return [int(status) for status in STATUS.findall(received)]


def final(found):
    return [status for status in found if status >= 200]


def saw_canary(received):
    return b'"keys"' in received


@pytest.mark.parametrize("row", raw_requests.SERVED, ids=lambda row: row[0])
def test_ht_01_well_formed_requests_reach_a_handler(jeton, row):
    name, request, allowed = row
    received, closed = jeton.raw(request + CANARY, until=saw_canary)
    found = final(statuses(received))
    assert found and found[0] in allowed, (name, received)
    assert raw_requests.ECHO not in received
    if b"onnection: close" in received.split(b"\r\n\r\n")[0] or closed:
        assert not saw_canary(received)
    else:
        assert found[1:] == [200], (name, received)


@pytest.mark.parametrize("row", raw_requests.CLOSED, ids=lambda row: row[0])
def test_ht_01_malformed_requests_are_refused_and_closed(jeton, row):
    """The pipelined canary is not answered, and nothing of the request comes back."""
    name, request, allowed = (*row, raw_requests.REFUSED)[:3]
    received, closed = jeton.raw(request + CANARY, half_close=False)
    found = statuses(received)
    assert len(found) == 1 and found[0] in allowed, (name, received)
    assert closed, (name, "left open", received)
    assert not saw_canary(received)
    assert raw_requests.ECHO not in received and b"canary" not in received
    assert received.count(b"HTTP/1.1 ") == 1
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    assert length and int(length.group(1)) == len(body), received


@pytest.mark.parametrize("row", raw_requests.EITHER, ids=lambda row: row[0])
def test_ht_01_doubtful_requests_are_answered_once(jeton, row):
    name, request, allowed = row
    received, closed = jeton.raw(request + CANARY, until=saw_canary)
    found = final(statuses(received))
    assert found and found[0] in allowed, (name, received)
    if found[0] == 400:
        assert closed and len(found) == 1, received
    else:
        assert len(found) <= 2
    assert raw_requests.ECHO not in received


def test_ht_01_three_pipelined_requests_are_answered_in_order(jeton):
    first = raw_requests.post(raw_requests.CL)
    second = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    received, _ = jeton.raw(first + second + CANARY, until=saw_canary)
    assert statuses(received) == [401, 200, 200]


def test_ht_01_pipelined_requests_of_both_lanes_stay_in_order(jeton):
    """A slow one in front holds back the fast ones behind it."""
    form = b"grant_type=client_credentials&scope=read"
    slow = (f"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n"
            f"Authorization: {basic(*CC)}\r\nContent-Length: {len(form)}\r\n\r\n").encode() + form
    received, _ = jeton.raw((slow + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") * 5 + CANARY,
                            until=saw_canary)
    assert statuses(received) == [200] * 11
    bodies = received.split(b"HTTP/1.1 200 ")[1:]
    assert [b"access_token" in body for body in bodies[:10]] == [True, False] * 5
    for token in re.findall(rb'"access_token":"([^"]+)"', received):
        jeton.secrets.add(token.decode())


def test_ht_01_a_request_split_at_every_byte_is_the_same_request(jeton):
    request = raw_requests.post(raw_requests.CL) + CANARY
    with socket.create_connection(("127.0.0.1", jeton.port), timeout=10) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            line.sendall(bytes([byte]))
        received = b""
        while not saw_canary(received):
            piece = line.recv(65536)
            assert piece, received
            received += piece
    assert statuses(received) == [401, 200]


def test_ht_01_a_thousand_pipelined_requests_get_a_thousand_answers(jeton):
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    received, _ = jeton.raw(request * 1000 + CANARY, until=saw_canary, timeout=20)
    assert statuses(received) == [200] * 1001


def test_ht_01_a_client_that_has_finished_sending_still_gets_its_answer(jeton):
    """Half-closed connections, on the loop and on a worker."""
    form = b"grant_type=client_credentials&scope=read"
    slow = (f"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n"
            f"Authorization: {basic(*CC)}\r\nContent-Length: {len(form)}\r\n\r\n").encode() + form
    for request in (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", slow):
        received, closed = jeton.raw(request, half_close=True)
        assert statuses(received) == [200] and closed, received
        for token in re.findall(rb'"access_token":"([^"]+)"', received):
            jeton.secrets.add(token.decode())


def test_ht_01_an_unfinished_request_is_never_served(jeton):
    for request in (b"GET /livez HTTP/1.1\r\nHost: x\r\n", b"GET /livez HTTP/1.1\r\nHost: x",
                    raw_requests.post(raw_requests.CL)[:-1],
                    raw_requests.post(raw_requests.TE, body=b"d\r\n" + raw_requests.BODY)):
        received, closed = jeton.raw(request, half_close=True)
        assert closed and set(statuses(received)) <= {400, 408}, received


def test_ht_01_expect_100_continue(jeton):
    """RFC 9110 10.1.1."""
    head = raw_requests.post(raw_requests.CL, b"Expect: 100-continue", body=b"")
    with socket.create_connection(("127.0.0.1", jeton.port), timeout=10) as line:
        line.sendall(head)
        received = line.recv(65536)
        assert received.startswith(b"HTTP/1.1 100 "), received
        line.sendall(raw_requests.BODY)
        deadline = time.monotonic() + 10
        while 401 not in statuses(received) and time.monotonic() < deadline:
            received += line.recv(65536)
    assert statuses(received) == [100, 401]


def test_ht_01_head_has_no_body(jeton):
    received, _ = jeton.raw(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n" + CANARY, until=saw_canary)
    assert statuses(received) == [200, 200]


def quick(jeton, request):
    """The statuses of the answer, which must come at once."""
    began = time.monotonic()
    received, closed = jeton.raw(request, until=lambda data: bool(statuses(data)))
    assert time.monotonic() - began < 3, "a limit must be answered quickly"
    assert raw_requests.ECHO not in received
    return statuses(received), closed


def head_of(total):
    """A request whose head has exactly that many bytes."""
    lines = raw_requests.get(b"/livez")
    head = lines[:-2]
    while total - len(head) - 2 > 4000:
        head += b"X: " + b"a" * 3000 + b"\r\n"
    rest = total - len(head) - 2 - len(b"X: \r\n")
    return head + b"X: " + b"a" * rest + b"\r\n\r\n"


def test_ht_02_target_limit(jeton):
    exact = b"/" + b"a" * (TARGET_BYTES_MAX - 1)
    assert quick(jeton, raw_requests.get(exact))[0] == [404]
    assert quick(jeton, raw_requests.get(exact + b"a"))[0] == [414]
    assert quick(jeton, raw_requests.get(exact * 12))[0] == [414]


def test_ht_02_head_limit(jeton):
    assert quick(jeton, head_of(HEAD_BYTES_MAX))[0] == [200]
    assert quick(jeton, head_of(HEAD_BYTES_MAX + 1))[0] == [431]
    assert quick(jeton, raw_requests.get(b"/livez", b"X: " + b"a" * 200000))[0] == [431]
    endless = b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000
    assert quick(jeton, endless)[0] == [431]


def test_ht_02_header_count_limit(jeton):
    lines = [b"X-%d: 1" % index for index in range(HEADER_COUNT_MAX - 1)]
    assert quick(jeton, raw_requests.get(b"/livez", *lines))[0] == [200]
    assert quick(jeton, raw_requests.get(b"/livez", *lines, b"Y: 1"))[0] == [431]
    assert quick(jeton, raw_requests.get(b"/livez", *[b"X:1"] * 1000))[0] == [431]


def test_ht_02_body_limit(jeton):
    exact = b"x" * BODY_BYTES_MAX
    length = b"Content-Length: %d"
    assert quick(jeton, raw_requests.post(length % len(exact), body=exact))[0] == [401]
    over = BODY_BYTES_MAX + 1
    for declared in (over, 10 * 1024 * 1024, 2 ** 32 + 1, 2 ** 63, 2 ** 64 + 13, 10 ** 40):
        found, _ = quick(jeton, raw_requests.post(length % declared, body=b""))
        assert found in ([413], [400]), (declared, found)
        assert declared > 10 ** 19 or found == [413], (declared, found)
    pieces = raw_requests.chunked(*[b"x" * 8192] * 9)
    assert quick(jeton, raw_requests.post(raw_requests.TE, body=pieces))[0] == [413]


def test_ht_02_expect_with_a_body_over_the_limit_gets_no_100(jeton):
    found, _ = quick(jeton, raw_requests.post(b"Content-Length: 99999999", b"Expect: 100-continue",
                                              body=b""))
    assert found == [413]


REFLECTING = ["\r\nX-Split: 1", "%0d%0aX-Split: 1", "\nX-Split: 1", "%00", "\u010d\u010aX-Split: 1",
              "%E5%98%8D%E5%98%8AX-Split: 1"]


@pytest.mark.parametrize("value", REFLECTING, ids=short)
def test_ht_03_no_value_splits_a_response(jeton, value):
    quoted = value.replace("\r", "%0d").replace("\n", "%0a").replace(" ", "%20")
    ascii_quoted = quoted.encode("utf-8").decode("latin-1")
    ascii_quoted = "".join(c if ord(c) < 128 else f"%{ord(c):02X}" for c in ascii_quoted)
    token = jeton.client_token(C1, "read")["access_token"]
    answers = [
        jeton.forward_auth(token, "?scope=" + ascii_quoted),
        jeton.forward_auth(token, "?service=" + ascii_quoted),
        jeton.get("/" + ascii_quoted),
        jeton.token({"grant_type": "client_credentials", "scope": value}, client=CC),
        jeton.token({"grant_type": value}, client=CC),
        jeton.token({"grant_type": "client_credentials", "client_id": value, "client_secret": "x"}),
        jeton.introspect(value, API),
        jeton.revoke(value, C1),
    ]
    for answer in answers:
        assert answer.header("X-Split") is None, answer
        assert answer.status < 500, answer


def test_ht_03_names_with_odd_characters_are_carried_safely(jeton):
    """A name that is not plain text in a header must not break the answer."""
    name = "zoë 'quoted' \u4f60"
    done = jeton.cli("user", "add", name, "--password-stdin", stdin="a long enough password\n",
                     status=None)
    if done.status != 0:
        assert done.status == 1
        return
    token = jeton.user_token(C1, (name, "a long enough password"), "read")["access_token"]
    assert jeton.introspect(token, API).json["username"] == name
    received, _ = jeton.raw(f"GET /forward-auth HTTP/1.1\r\nHost: x\r\n"
                            f"Authorization: Bearer {token}\r\n\r\n".encode(),
                            until=lambda data: b"\r\n\r\n" in data)
    assert statuses(received) == [200]
    assert all(byte >= 0x20 or byte in b"\r\n\t" for byte in received.split(b"\r\n\r\n")[0])


@pytest.mark.parametrize("name", ["evil\r\nX: 1", "a\nb", "tab\there", "colon:name", "",
                                  " lead", "trail ", "x" * 256], ids=short)
def test_ht_03_impossible_names_are_refused_at_registration(jeton, name):
    done = jeton.cli("user", "add", name, "--password-stdin", stdin="a long enough password\n",
                     status=None)
    assert done.status in (1, 2) and done.err.strip(), done
    if name and name.strip() == name and ":" not in name:
        done = jeton.cli("client", "add", name, "--public", "--grant", "password", status=None)
        assert done.status in (1, 2) and done.err.strip(), done


class SlowClients:
    """Connections that send one byte a second, or nothing, or do not read."""

    def __init__(self, port):
        self.port = port
        self.kinds = {
            "slow head": (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: ", b"a"),
            "slow body": (b"POST /forward-auth HTTP/1.1\r\nHost: x\r\n"
                          b"Content-Length: 60000\r\n\r\n", b"a"),
            "stalled body": (b"POST /forward-auth HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
                             b""),
            "slow chunks": (b"POST /forward-auth HTTP/1.1\r\nHost: x\r\n"
                            b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        }
        self.lines = []
        for kind, (start, drop) in self.kinds.items():
            for _ in range(8):
                line = socket.create_connection(("127.0.0.1", port), timeout=5)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line.sendall(start)
                line.setblocking(False)
                self.lines.append([kind, line, drop, None])
        self.began = time.monotonic()

    def step(self):
        """One byte on each, and a look whether the other end has ended it."""
        for entry in self.lines:
            if entry[3] is not None:
                continue
            try:
                if entry[1].recv(65536) == b"":
                    entry[3] = time.monotonic() - self.began
                    continue
            except BlockingIOError:
                pass
            except OSError:
                entry[3] = time.monotonic() - self.began
                continue
            try:
                if entry[2]:
                    entry[1].sendall(entry[2])
            except OSError:
                entry[3] = time.monotonic() - self.began
        return all(entry[3] is not None for entry in self.lines)

    def close(self):
        for entry in self.lines:
            entry[1].close()


def test_ht_04_slow_clients_are_dropped_and_others_keep_their_speed(jeton):
    """Total deadlines: one byte a second does not hold a connection (base/limits.h)."""
    token = jeton.client_token(C1, "read")["access_token"]
    slow = SlowClients(jeton.port)
    times = []
    connection = jeton.connection()
    try:
        next_step = time.monotonic()
        while time.monotonic() - slow.began < DEADLINE_S + 8:
            if time.monotonic() >= next_step:
                next_step += 1
                if slow.step():
                    break
            began = time.perf_counter()
            assert jeton.is_active(token, API, connection=connection)
            times.append(time.perf_counter() - began)
            time.sleep(0.01)
    finally:
        connection.close()
        slow.close()
    ended = {}
    for kind, _, _, at in slow.lines:
        ended.setdefault(kind, []).append(at)
    for kind, ats in ended.items():
        assert None not in ats, f"{kind}: still open after {DEADLINE_S + 8} s"
        assert min(ats) >= DEADLINE_S - 2, (kind, ats)
    assert statistics.median(times) < 0.1, statistics.median(times)


def test_ht_04_a_client_that_does_not_read_is_dropped(jeton):
    """Answers pile up until the buffers are full; then reading stops, and the write times out."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", jeton.port))
    line.settimeout(0.5)
    began = time.monotonic()
    dropped = False
    block = CANARY * 200
    while time.monotonic() - began < DEADLINE_S * 2 + 5:
        try:
            line.send(block)
        except socket.timeout:
            continue
        except OSError:
            dropped = True
            break
    line.close()
    assert dropped, "still open although nothing was read"
    assert jeton.get("/livez").status == 200


def test_ht_04_vanishing_clients_are_harmless(jeton):
    """50 clients leave while their requests are with a worker."""
    form = b"grant_type=client_credentials&scope=read"
    request = (f"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n"
               f"Authorization: {basic(*CC)}\r\nContent-Length: {len(form)}\r\n\r\n").encode()
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", jeton.port)) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            line.sendall(request + form)
    assert jeton.get("/livez").status == 200
    assert jeton.client_token(CC, "read")["access_token"]


def test_ht_04_many_idle_connections_do_not_stop_new_ones(jeton):
    lines = [socket.create_connection(("127.0.0.1", jeton.port)) for _ in range(400)]
    try:
        assert jeton.get("/livez").status == 200
    finally:
        for line in lines:
            line.close()


def test_ht_04_connections_at_once_are_served(jeton):
    """Exactly 128 and 256 ready sockets too (measured: a library stalled there)."""
    for count in (127, 128, 256):
        lines = [socket.create_connection(("127.0.0.1", jeton.port), timeout=10)
                 for _ in range(count)]
        for line in lines:
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        for line in lines:
            assert line.recv(4096).startswith(b"HTTP/1.1 200 ")
            line.close()


OFFERED = {
    "/": {"GET", "HEAD"}, "/livez": {"GET", "HEAD"}, "/readyz": {"GET", "HEAD"},
    "/oauth2/jwks": {"GET", "HEAD"}, "/.well-known/jwks.json": {"GET", "HEAD"},
    "/.well-known/oauth-authorization-server": {"GET", "HEAD"},
    "/.well-known/openid-configuration": {"GET", "HEAD"},
    "/oauth2/token": {"POST"}, "/oauth2/token/": {"POST"}, "/oauth2/introspect": {"POST"},
    "/oauth2/revoke": {"POST"},
}


@pytest.mark.parametrize("path", OFFERED)
def test_ht_06_methods_not_offered_are_405(jeton, path):
    """RFC 9110 15.5.6."""
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "FOO"):
        answer = jeton.request(method, path)
        if method in OFFERED[path]:
            assert answer.status != 405, answer
            continue
        assert answer.status == 405, (method, answer)
        allowed = {word.strip() for word in answer.header("Allow").split(",")}
        assert allowed - {"OPTIONS"} == OFFERED[path], answer


@pytest.mark.parametrize("path", ["/", "/livez", "/oauth2/token", "/forward-auth", "/nowhere"])
def test_ht_06_trace_is_refused(jeton, path):
    answer = jeton.request("TRACE", path, headers={"X-Secret": "trace-me-not"})
    assert answer.status in (400, 404, 405, 501) or path == "/forward-auth", answer
    assert b"trace-me-not" not in answer.body and answer.status != 200


TRAVERSALS = [
    "/../../../../etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd",
    "/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/..%5c..%5cetc%5cpasswd", "/..\\..\\etc\\passwd",
    "/....//....//etc/passwd", "/%252e%252e%252fetc%252fpasswd", "/..%c0%af..%c0%afetc/passwd",
    "/..%ef%bc%8f..%ef%bc%8fetc/passwd", "/..;/..;/etc/passwd", "/.;/etc/passwd", "/./etc/passwd",
    "//etc/passwd", "///etc/passwd", "/etc/passwd%00", "/etc/passwd%00.html", "/%00/etc/passwd",
    "/file:///etc/passwd", "/.well-known/../../etc/passwd", "/.well-known/..%2f..%2fetc/passwd",
    "/oauth2/../../etc/passwd", "/oauth2/token/../../../etc/passwd", "/oauth2%2ftoken",
    "/proc/self/environ", "/..%2fproc%2fself%2fenviron", "/data/jeton.db", "/master.key",
    "/../data/master.key", "/.git/config", "/static/../../data/master.key", "/%2e/livez",
    "/livez/..%2f..", "/pages/../src/LAYERS",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_ht_07_no_path_reaches_a_file(jeton, path):
    """Fault class 48."""
    for method in ("GET", "POST"):
        answer = jeton.request(method, path)
        assert answer.status in (400, 404, 405), answer
        for secret in (b"root:", b"SQLite", b"PATH=", b"[core]"):
            assert secret not in answer.body


def test_ht_06_unknown_paths_are_404(jeton):
    for path in ("/nowhere", "/oauth2", "/oauth2/", "/oauth2/tokens", "/oauth2/token/x",
                 "/Oauth2/Token", "/metrics", "/oauth2/token//"):
        answer = jeton.get(path)
        assert answer.status == 404, answer
        answer = jeton.post_form(path, {"grant_type": "client_credentials"}, client=CC)
        assert answer.status == 404, answer


def test_start_page_says_what_this_is_and_links_to_the_documents(jeton):
    answer = jeton.get("/")
    assert answer.status == 200 and answer.header("Content-Type").startswith("text/html")
    assert b"Jeton" in answer.body
    links = re.findall(rb'href="([^"]+)"', answer.body)
    assert any(b".well-known" in link for link in links), links
    for link in links:
        if link.startswith(b"/"):
            assert jeton.get(link.decode()).status == 200, link
    assert answer.header("X-Content-Type-Options") == "nosniff"
    policy = answer.header("Content-Security-Policy")
    assert "frame-ancestors 'none'" in policy and "unsafe-inline" not in policy


def test_ht_06_live_and_ready(jeton):
    assert jeton.get("/livez").status == 200
    assert jeton.get("/readyz").status == 200


def test_every_refusal_has_its_own_request_id(jeton):
    """It is the server's own, so that a line of the log can be found by it."""
    chosen = {"X-Request-Id": "chosen-by-the-client"}
    seen = {jeton.post_form("/oauth2/token", {}, chosen).header("X-Request-Id") for _ in range(20)}
    assert len(seen) == 20 and not seen & {None, "chosen-by-the-client"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1"])
def test_no_other_origin_may_read_what_needs_credentials(jeton, origin):
    """Fault class 37: never with a browser's own credentials; what programs in browsers may ask
    (test_cors.py) is open to every origin alike."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST",
               "Access-Control-Request-Headers": "authorization"}
    for path in ("/oauth2/authorize", "/oauth2/introspect", "/forward-auth", "/", "/sign-in",
                 "/livez"):
        for method in ("OPTIONS", "GET", "POST"):
            answer = jeton.request(method, path, headers=headers)
            assert answer.header("Access-Control-Allow-Origin") is None, (path, answer)
    for method, path in (("GET", "/.well-known/oauth-authorization-server"),
                         ("GET", "/.well-known/jwks.json"), ("POST", "/oauth2/token"),
                         ("OPTIONS", "/oauth2/token"), ("POST", "/oauth2/revoke")):
        answer = jeton.request(method, path, headers=headers)
        assert answer.header("Access-Control-Allow-Origin") in (None, "*"), answer
        assert answer.header("Access-Control-Allow-Credentials") is None, answer


def test_server_does_not_tell_its_version(jeton):
    answer = jeton.get("/livez")
    assert not re.search(r"\d", answer.header("Server") or "")
    assert answer.header("X-Powered-By") is None


def test_keep_alive_serves_many_requests_on_one_connection(jeton):
    line = http.client.HTTPConnection("127.0.0.1", jeton.port, timeout=10)
    line.connect()
    first = line.sock
    for _ in range(50):
        line.request("GET", "/livez")
        assert line.getresponse().read() is not None
        assert line.sock is first
    line.close()


def open_descriptors(jeton):
    return len(os.listdir(f"/proc/{jeton.pid}/fd"))


def test_no_descriptor_is_left_behind(jeton):
    """Good and bad requests, and clients that vanish; then as many descriptors as before."""
    jeton.get("/livez")
    wait_until(lambda: open_descriptors(jeton) < 100, 20, "earlier connections are closed")
    before = open_descriptors(jeton)
    for turn in range(60):
        jeton.client_token(CC, "read")
        jeton.raw(raw_requests.CLOSED[turn % len(raw_requests.CLOSED)][1], timeout=2)
        with socket.create_connection(("127.0.0.1", jeton.port)) as line:
            line.sendall(b"GET /livez HTTP/1.1\r\nHost:")
    wait_until(lambda: open_descriptors(jeton) <= before + 2, 20, "descriptors are given back")


def test_parallel_clients_get_their_own_answers(jeton):
    """No answer is ever mixed up with another's."""
    tokens = {scope: jeton.client_token(C1, scope)["access_token"]
              for scope in ("read", "write", "read write")}
    wrong = []

    def ask(scope):
        connection = jeton.connection()
        for _ in range(60):
            claims = jeton.introspect(tokens[scope], API, connection=connection).json
            if sorted(claims["scope"].split()) != sorted(scope.split()):
                wrong.append((scope, claims))
        connection.close()

    threads = [threading.Thread(target=ask, args=(scope,)) for scope in tokens for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    wait_until(lambda: jeton.get("/livez").status == 200, 5, "alive")

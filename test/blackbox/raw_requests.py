"""The table of malformed and odd requests (RFC 9112; promise HT-01).

Each row is a name, the bytes of one request, and the statuses that may answer it. CLOSED rows must
be refused and the connection closed before anything that follows them is read; SERVED rows are
well-formed and reach a handler, which refuses /forward-auth without a token with 401. ECHO stands
in every request where it can, and must never come back.
"""

ECHO = b"EcHo-Me-7"
BODY = b"a=1&b=2&c=" + b"xyz"
assert len(BODY) == 13

REFUSED = {400}
CODING = {400, 501}  # RFC 9112 6.1: a transfer coding that is not understood


def post(*header_lines, body=BODY, target=b"/forward-auth", version=b"HTTP/1.1", host=b"Host: x"):
    lines = [b"POST " + target + b" " + version] + ([host] if host else []) + list(header_lines)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(target=b"/forward-auth", *header_lines, version=b"HTTP/1.1", method=b"GET"):
    lines = [method + b" " + target + b" " + version, b"Host: x", *header_lines]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunked(*pieces, extra=b""):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + extra \
        + b"\r\n"


CL = b"Content-Length: 13"
TE = b"Transfer-Encoding: chunked"
SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + ECHO + b"\r\n\r\n"

SERVED = [
    ("valid POST", post(CL), {401}),
    ("valid chunked", post(TE, body=chunked(BODY)), {401}),
    ("valid chunked in many pieces", post(TE, body=chunked(*[b"x"] * 50)), {401}),
    ("chunked in capitals", post(b"TRANSFER-ENCODING: CHUNKED", body=chunked(BODY)), {401}),
    ("POST without length", post(body=b""), {400, 401, 411}),
    ("GET with a body", get(b"/forward-auth", CL) + BODY, {400, 401}),
    ("GET with a chunked body", get(b"/forward-auth", TE) + chunked(BODY), {400, 401}),
    ("length zero", post(b"Content-Length: 0", body=b""), {401}),
    ("header values with spaces and tabs around", get(b"/forward-auth", b"X:  \t v \t "), {401}),
    ("empty header value", get(b"/forward-auth", b"X-Empty:"), {401}),
    ("high bytes in a header value", get(b"/forward-auth", b"X: \xc3\xbc" + ECHO), {400, 401}),
    ("HTTP/1.0 with Host", get(version=b"HTTP/1.0"), {401}),
    ("Connection: close", get(b"/forward-auth", b"Connection: close"), {401}),
    ("Connection: keep-alive", get(b"/forward-auth", b"Connection: keep-alive"), {401}),
    ("Upgrade: h2c is not taken", get(b"/forward-auth", b"Connection: Upgrade, HTTP2-Settings",
                                      b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
     {400, 401}),
    ("unknown method", get(method=b"FOO", target=b"/livez"), {400, 405, 501}),
    ("lower-case method", get(method=b"get", target=b"/livez"), {400, 405, 501}),
    ("encoded path", get(b"/live%7a"), {400, 404}),
    ("dot segments", get(b"/x/../livez"), {400, 404}),
    ("encoded NUL in the path", get(b"/livez%00" + ECHO), {400, 404}),
    ("broken escape in the path", get(b"/livez%zz" + ECHO), {400, 404}),
    ("double slash", get(b"//livez"), {400, 404}),
    ("quote in the target", get(b'/livez"'), {400, 404}),
]

CLOSED = [
    ("length and chunked, length covers a request",
     post(b"Content-Length: %d" % (5 + len(SMUGGLED)), TE, body=b"0\r\n\r\n" + SMUGGLED)),
    ("length and chunked, both honest", post(b"Content-Length: 23", TE, body=chunked(BODY))),
    ("chunked before length", post(TE, CL, body=chunked(BODY))),
    ("xchunked", post(b"Transfer-Encoding: xchunked", CL), CODING),
    ("chunked, identity", post(b"Transfer-Encoding: chunked, identity", CL), CODING),
    ("identity", post(b"Transfer-Encoding: identity", CL), CODING),
    ("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=chunked(BODY)), CODING),
    ("chunked twice in one line", post(b"Transfer-Encoding: chunked, chunked", body=chunked(BODY)),
     CODING),
    ("empty transfer encoding", post(b"Transfer-Encoding:", CL)),
    ("space before the colon of transfer encoding", post(b"Transfer-Encoding : chunked", CL)),
    ("chunked in HTTP/1.0", post(TE, version=b"HTTP/1.0", body=chunked(BODY))),
    ("two transfer encodings", post(TE, b"Transfer-Encoding: identity", body=chunked(BODY))),
    ("two equal transfer encodings", post(TE, TE, body=chunked(BODY))),
    ("vertical tab before chunked", post(b"Transfer-Encoding: \x0bchunked", CL)),
    ("chunked with a quote", post(b'Transfer-Encoding: "chunked"', body=chunked(BODY)), CODING),
    ("chunked with a parameter", post(b"Transfer-Encoding: chunked;a=b", body=chunked(BODY)),
     CODING),
    ("chunk extension with a bare LF", post(TE, body=b"d;x\n\r\n" + BODY + b"\r\n0\r\n\r\n")),
    ("equal lengths twice", post(CL, CL)),
    ("differing lengths", post(CL, b"Content-Length: 0")),
    ("length list", post(b"Content-Length: 13,13")),
    ("length +13", post(b"Content-Length: +13")),
    ("length -1", post(b"Content-Length: -1")),
    ("length 0xd", post(b"Content-Length: 0xd")),
    ("length 13abc", post(b"Content-Length: 13abc")),
    ("length 1 3", post(b"Content-Length: 1 3")),
    ("length 13.0", post(b"Content-Length: 13.0")),
    ("length empty", post(b"Content-Length:")),
    ("bare LF ends every line", b"POST /forward-auth HTTP/1.1\nHost: x\nContent-Length: 13\n\n" +
     BODY),
    ("bare LF between headers only", b"POST /forward-auth HTTP/1.1\r\nHost: x\nX: " + ECHO +
     b"\r\nContent-Length: 13\r\n\r\n" + BODY),
    ("bare LF before the body", b"POST /forward-auth HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n"
     b"\n" + BODY),
    ("bare CR in a header value", post(b"X: a\rb" + ECHO, CL)),
    ("bare CR ends a line", b"GET /forward-auth HTTP/1.1\rHost: x\r\r"),
    ("folded line", post(b"X: a\r\n b" + ECHO, CL)),
    ("folded line with a tab", post(b"X: a\r\n\tb", CL)),
    ("folded transfer encoding", post(b"Transfer-Encoding:\r\n chunked", CL)),
    ("space before the first header", b"POST /forward-auth HTTP/1.1\r\n Host: x\r\n"
     b"Content-Length: 13\r\n\r\n" + BODY),
    ("NUL in a header value", post(b"X: a\0b", CL)),
    ("NUL in a header name", post(b"X\0Y: a", CL)),
    ("NUL in the target", get(b"/livez\0x")),
    ("0x01 in a header value", post(b"X: a\x01b", CL)),
    ("DEL in a header value", post(b"X: a\x7fb", CL)),
    ("high byte in a header name", post(b"X\xfcY: a", CL)),
    ("header without a colon", post(b"NoColonHere" + ECHO, CL)),
    ("empty header name", post(b": value" + ECHO, CL)),
    ("space in a header name", post(b"X Y: a", CL)),
    ("space before a colon", post(b"X : a", CL)),
    ("tab before a colon", post(b"X\t: a", CL)),
    ("no Host", post(CL, host=None)),
    ("two Hosts", post(b"Host: y", CL)),
    ("Host with a space", post(CL, host=b"Host: a b" + ECHO)),
    ("Host with a slash", post(CL, host=b"Host: a/b" + ECHO)),
    ("Host with userinfo", post(CL, host=b"Host: u@a" + ECHO)),
    ("Host list", post(CL, host=b"Host: a, b")),
    ("HTTP/1.2", get(version=b"HTTP/1.2"), {400, 505}),
    ("HTTP/2.0", get(version=b"HTTP/2.0"), {400, 505}),
    ("HTTP/1.10", get(version=b"HTTP/1.10"), {400, 505}),
    ("HTTP/01.1", get(version=b"HTTP/01.1"), {400, 505}),
    ("http/1.1", get(version=b"http/1.1"), {400, 505}),
    ("HTTP/0.9", b"GET /livez\r\n"),
    ("double space in the request line", b"GET  /livez HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("space after the version", b"GET /livez HTTP/1.1 \r\nHost: x\r\n\r\n"),
    ("tab in the request line", b"GET\t/livez HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("no target", b"GET HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("method with a bracket", get(method=b"G[T")),
    ("absolute form", get(b"http://x/livez?" + ECHO)),
    ("authority form", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("asterisk form", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 405}),
    ("target without a slash", get(b"livez" + ECHO)),
    ("fragment in the target", get(b"/livez#" + ECHO)),
    ("high byte in the target", get(b"/livez\xff")),
    ("backslash in the target", get(b"\\livez")),
    ("chunk size 0xd", post(TE, body=b"0xd\r\n" + BODY + b"\r\n0\r\n\r\n")),
    ("chunk size huge", post(TE, body=b"ffffffffffffffff1\r\n" + BODY), {400, 413}),
    ("chunk size negative", post(TE, body=b"-d\r\n" + BODY + b"\r\n0\r\n\r\n")),
    ("chunk size with a plus", post(TE, body=b"+d\r\n" + BODY + b"\r\n0\r\n\r\n")),
    ("chunk size with a space before", post(TE, body=b" d\r\n" + BODY + b"\r\n0\r\n\r\n")),
    ("chunk size empty", post(TE, body=b"\r\n" + BODY + b"\r\n0\r\n\r\n")),
    ("chunk size not hex", post(TE, body=b"zz\r\n" + BODY + b"\r\n0\r\n\r\n")),
    ("chunk line ends in a bare LF", post(TE, body=b"d\n" + BODY + b"\r\n0\r\n\r\n")),
    ("chunk data without its CRLF", post(TE, body=b"d\r\n" + BODY + b"0\r\n\r\n")),
    ("chunk data longer than its size", post(TE, body=b"5\r\n" + BODY + b"\r\n0\r\n\r\n")),
    ("random binary", bytes(range(128, 256)) + b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
    ("a TLS hello on a plain port", bytes.fromhex("16030100c8010000c40303") + bytes(60) +
     b"\r\n\r\n"),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), {400, 405, 505}),
]

# Requests that may be served or refused, whichever the server finds right, but never twice.
EITHER = [
    ("leading CRLF", b"\r\n" + get(), {400, 401}),
    ("HTTP/1.0 without Host", b"GET /forward-auth HTTP/1.0\r\n\r\n", {400, 401}),
    ("chunk extension", post(TE, body=b"d;a=b\r\n" + BODY + b"\r\n0\r\n\r\n"), {400, 401}),
    ("trailer that would smuggle a header", post(TE, body=chunked(
        BODY, extra=b"Authorization: Bearer " + ECHO + b"\r\n")), {400, 401}),
    ("chunk size with leading zeros", post(TE, body=b"00000d\r\n" + BODY + b"\r\n0\r\n\r\n"),
     {400, 401}),
    ("Expect of an unknown kind", get(b"/forward-auth", b"Expect: 200-ok"), {400, 401, 417}),
]

"""Logs and audit events (promises LG-01 to LG-03)."""

import json
import re

from harness import (ALICE, API, C1, CC, P1, basic, form_encode, free_port, uauth_form)

AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_lg_01_no_secret_anywhere(new_server):
    """Canaries go through every flow, right and wrong; then everything is searched."""
    port = free_port()
    server = new_server(args=["--metrics-listen", f"127.0.0.1:{port}"])
    canary = "cAnArY-{}-31415926535"
    server.add_user("birdy", canary.format("password"))
    server.add_service("bird.example", canary.format("service"), "--scope", "fly",
                       "--allow-password")
    server.add_client("bird", canary.format("client"), "--grant", "client_credentials", "--grant",
                      "password", "--grant", "refresh_token", "--service", "bird.example")
    client, user = ("bird", canary.format("client")), ("birdy", canary.format("password"))
    body = server.user_token(client, user)
    refreshed = server.refresh(body["refresh_token"], client).json
    server.token(uauth_form(user, "bird.example"))
    server.post_json("/oauth2/token", uauth_form(user, "bird.example"))
    server.introspect(refreshed["access_token"], ("bird.example", canary.format("service")))
    server.forward_auth(refreshed["access_token"])
    wrong = [canary.format(what) for what in ("wrong-password", "wrong-secret", "query", "bearer",
                                              "refresh", "introspected", "revoked", "cookie",
                                              "json", "path", "body")]
    server.secrets.update(wrong)
    spoken = [
        server.token(uauth_form((user[0], wrong[0]))),
        server.token({"grant_type": "client_credentials"}, client=("bird", wrong[1])),
        server.post_form("/oauth2/token?client_secret=" + wrong[2], {}),
        server.forward_auth(wrong[3]),
        server.refresh(wrong[4], client),
        server.introspect(wrong[5], ("bird.example", canary.format("service"))),
        server.revoke(wrong[6], client),
        server.get("/forward-auth", {"Cookie": "SESSION=" + wrong[7]}),
        server.post_json("/oauth2/token", '{"password":"' + wrong[8] + '"'),
        server.get("/forward-auth?access_token=" + wrong[9]),
        server.post_form("/oauth2/token", "password=" + wrong[10] + "&password=x"),
        server.post_form("/oauth2/token", b"password=" + wrong[10].encode() + b"%zz"),
        server.refresh(body["refresh_token"], client),
    ]
    refused = server.cli("user", "add", "other", "--password-stdin", "--" + canary.format("option"),
                         stdin=canary.format("stdin") + "\n", status=None)
    metrics, _ = server.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                            port=port)
    outputs = [server.cli(*args).out for args in (
        ("user", "list"), ("client", "list"), ("service", "list"), ("token", "list"),
        ("key", "list"), ("audit", "export"))]
    with open(f"/proc/{server.pid}/environ", "rb") as file:
        environment = file.read()
    with open(f"/proc/{server.pid}/cmdline", "rb") as file:
        arguments = file.read()
    text = "\n".join([server.log(), metrics.decode(), environment.decode("latin-1"), refused.out,
                      refused.err, arguments.decode("latin-1"), *outputs,
                      *[answer.body.decode() for answer in spoken]])
    secrets = server.secrets - {value for answer in spoken if answer.status == 200 and answer.body
                                for value in re.findall(r'_token":"([^"]+)"',
                                                        answer.body.decode())}
    for secret in secrets:
        at = text.find(secret)
        assert at < 0, f"{secret}: {text[max(0, at - 300):at + 300]}"
    assert "stdin" not in refused.err
    server.stop()
    for where, content in server.stored():
        for secret in server.secrets:
            assert secret.encode() not in content, f"{secret} in {where}"


def test_lg_01_wrong_credentials_in_the_place_of_a_name_are_not_logged_whole(jeton):
    """People type their password into the field for the name; the log keeps no more than a name."""
    secret = "my password " + "x" * 700
    jeton.token(uauth_form((secret, "whatever it was")))
    assert "x" * 600 not in jeton.log()


HOSTILE = ["\r\nFORGED event", "\nFORGED", "\x1b[31mFORGED", "\x00FORGED", "\u2028FORGED", "\x7fF",
           '","event":"FORGED', "\\", "\x85FORGED", "%0AFORGED", "\ud7ff\ue000", "x" * 20000]


def test_lg_02_one_event_is_one_line(jeton):
    """Control characters in logged values are escaped."""
    lines_before = len(jeton.log().splitlines())
    for value in HOSTILE:
        jeton.token(uauth_form((value, "some password 1")))
        jeton.token({"grant_type": "client_credentials", "scope": value}, client=CC)
        jeton.token({"grant_type": "client_credentials", "client_id": value, "client_secret": "x"})
        jeton.token({"grant_type": value}, client=CC)
        jeton.token({"grant_type": "client_credentials"}, headers={
            "User-Agent": "ua" + "".join(c for c in value if 0x20 <= ord(c) < 0x7f)[:200],
            "Authorization": basic(value[:2000], "x")})
        jeton.get("/" + form_encode({"x": value})[:4000])
    raw = jeton.log_path.read_bytes()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", raw)
    lines = raw.decode("utf-8").split("\n")
    assert len(lines) > lines_before
    for line in lines:
        if not line or line.startswith("ready"):
            continue
        value = json.loads(line)
        assert value["event"] and "FORGED" not in value["event"]
        assert AT.fullmatch(value["at"]), line
        assert len(line) <= 4096


def audit(server):
    """The events of the store, one JSON object a line."""
    return [json.loads(line) for line in server.cli("audit", "export").out.splitlines() if line]


def kinds(events):
    counted = {}
    for event in events:
        counted[event["event"]] = counted.get(event["event"], 0) + 1
    return counted


def test_lg_03_every_act_is_on_record(new_server):
    """Who, when in UTC, from where; as many events as acts."""
    server = new_server()
    before = kinds(audit(server))
    body = server.user_token(C1, ALICE, "read", source="127.0.0.9")
    for _ in range(3):
        server.client_token(CC)
    server.refresh(body["refresh_token"], C1)
    server.revoke(body["access_token"], C1)
    server.token(uauth_form((ALICE[0], "wrong password 1")), source="127.0.0.8")
    server.token({"grant_type": "client_credentials"}, client=(CC[0], "wrong"))
    server.cli("user", "disable", "bob")
    server.add_client("new-one", None, "--grant", "password")
    server.add_service("new.example", "new-service-secret", "--scope", "new")
    server.cli("key", "rotate")
    events = audit(server)
    after = kinds(events)
    acts = {"token_issued": 4, "token_refreshed": 1, "token_revoked": 1, "password_failed": 1,
            "client_authentication_failed": 1, "account_changed": 1, "client_changed": 1,
            "service_changed": 1, "key_changed": 1}
    for kind, count in acts.items():
        grown = after.get(kind, 0) - before.get(kind, 0)
        assert grown == count or (kind in ("key_changed", "account_changed") and grown >= count), \
            (kind, grown, after, before)
    text = json.dumps(events)
    assert "127.0.0.9" in text and "127.0.0.8" in text
    for event in events:
        assert AT.fullmatch(event["at"]), event


def test_lg_03_grants_and_denials_are_logged_with_client_and_address(jeton):
    size = len(jeton.log())
    jeton.client_token(CC, source="127.0.0.5")
    jeton.token({"grant_type": "client_credentials"}, client=(CC[0], "wrong"), source="127.0.0.6")
    text = jeton.log()[size:]
    granted = [line for line in text.splitlines() if "127.0.0.5" in line]
    denied = [line for line in text.splitlines() if "127.0.0.6" in line]
    assert granted and any(CC[0] in line for line in granted), text
    assert denied and any("invalid_client" in line for line in denied), text


def test_lg_03_log_line_carries_the_request_id(jeton):
    answer = jeton.token({"grant_type": "client_credentials"}, client=(CC[0], "wrong"))
    assert answer.header("X-Request-Id") in jeton.log()


def test_lg_01_request_id_of_the_caller_is_not_taken(jeton):
    jeton.token({"grant_type": "password", "username": ALICE[0], "password": "wrong 1",
                 "client_id": P1[0]}, headers={"X-Request-Id": "forged-id-123456"})
    assert "forged-id-123456" not in jeton.log()
    assert jeton.introspect("x", API).status == 200

"""LG-01: what people type and are shown goes through every flow of the pages, right and wrong; then
all that the server wrote and has is searched for it: logs, answers to others, metrics, the audit
trail, the command line's lists, the data files, and arguments and environment of its processes.
Figure 22: memory, which must reach neither swap nor a core, is looked at while it runs."""

import base64
import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys

import pytest

from harness import ALICE, API, C1, CC, form_encode, free_port, is_sanitized, wait_until
from link_people import LINK, mail_settings
from person import Person
from smtp_server import SmtpServer
from test_account_pages import CODE, key_of
from test_operations import mappings
from test_sign_in import at_code, csrf_of, once, wait_step
from threedm_calls import totp
from token_people import add_open_service, field_of, make, manager, value_shown

ADMIN = ("keeper", "cAnArY-of-the-keeper-31415926535")
MAILBOX = ("jeton", "cAnArY-mailbox-27182818284")


def canary(what):
    return f"cAnArY-{what}-16180339887"


class Watch:
    """Remembers what must be found nowhere."""

    def __init__(self, server):
        self.server = server

    def __call__(self, what):
        self.server.secrets.add(canary(what))
        return canary(what)

    def forms(self, person):
        """Hidden fields of the page that stand for a right."""
        for form in person.page.forms:
            for _, name, value in form.fields:
                if name in ("csrf", "link", "enrolment", "form") and len(value or "") > 20:
                    self.server.secrets.add(value)
        return person


@pytest.fixture
def mailbox(tmp_path):
    """An SMTP server that asks for a password, and the file that has it."""
    path = tmp_path / "smtp-password"
    path.write_text("\n".join(MAILBOX) + "\n")
    path.chmod(0o600)
    with SmtpServer(login=MAILBOX) as smtp:
        yield smtp, path


def next_link(server, smtp, since=0):
    """The path of the first link in the mails since then."""
    def find():
        texts = [smtp.message(index).get_content() for index in range(since, len(smtp.mails))]
        return next(filter(None, map(LINK.search, texts)), None)

    path, value = wait_until(find, 30, "a mail with a link").group(2, 3)
    server.secrets.add(value)
    return path


def join(server, smtp, watch):
    """Registration, sign-in right and wrong; the person with a session."""
    form = Person(server).open("/register").fill("username", "birdy")
    watch.forms(form.fill("email", "birdy@example.org").fill("password", watch("first")))
    form.press("register")
    watch.forms(Person(server).open(next_link(server, smtp))).press("confirm")
    wrong = Person(server).open("/sign-in").fill("username", "birdy")
    wrong.fill("password", watch("wrong")).press("sign-in")
    wrong.fill("username", "birdy").fill("password", "x" * 1100).press("sign-in")
    once(wrong, "POST", "/sign-in?password=" + watch("query"), {"csrf": csrf_of(wrong)})
    once(wrong, "POST", "/sign-in", {"csrf": watch("csrf-that-is-not-one-of-ours-0123"),
                                     "password": watch("unread")})
    return Person(server).sign_in(("birdy", canary("first")))


def guard(server, person, watch):
    """Second factor and recovery codes; step-up by both; a new password."""
    watch.forms(person.open("/account/factors/new"))
    key = key_of(person)
    server.secrets.add(key)
    person.fill("code", "000000").press("confirm")
    wait_step()
    person.fill("code", totp(key)).press("confirm").press("ok")
    codes = CODE.findall(person.text)
    assert len(codes) == 10
    server.secrets.update(codes)
    guest = watch.forms(at_code(server, ("birdy", canary("first"))))
    guest.fill("code", watch("code")).press("sign-in")
    guest.fill("code", codes[0]).press("sign-in")
    assert guest.has("sign-out")
    person.open("/account/password").fill("current-password", watch("not-current"))
    person.fill("password", watch("second")).press("save")
    person.fill("current-password", canary("first")).fill("password", canary("second"))
    assert "The password is changed." in person.press("save").text
    person.open("/account").press("remove-factor-1").fill("password", watch("removing")).press("ok")
    return key, codes


def lose(server, smtp, watch, codes):
    """A reset, with a recovery code."""
    count = len(smtp.mails)
    Person(server).open("/password-forgotten").fill("login", "birdy").press("send")
    form = watch.forms(Person(server).open(next_link(server, smtp, count)))
    form.fill("password", watch("third")).fill("code", watch("reset-code")).press("save")
    form.fill("password", canary("third")).fill("code", codes[1]).press("save")
    assert form.status == 200, form.answer
    Person(server).open("/password-reset?link=" + watch("link"))


def use_tokens(server, admin, watch, codes):
    """Made, rotated, shown once, pasted by an administrator; managed by the API; misused."""
    person = at_code(server, ("birdy", canary("third"))).fill("code", codes[2]).press("sign-in")
    value = make(person, "a name for all to see")
    person.open("/tokens").press("rotate-1").press("rotate")
    value_shown(person)
    admin.open("/admin/tokens").fill("token-value", value).press("find-value")
    admin.open("/admin/tokens").fill("token-value", watch("pasted")).press("find-value")
    admin.open("/admin/tokens?q=" + value)
    token = manager(server, ADMIN)
    for headers in ({"Authorization": "Bearer " + token},
                    {"Authorization": "Bearer " + watch("bearer")}):
        server.post_json("/api/v1/tokens", {"name": "x", "scopes": ["open.example"],
                                            "token": watch("member")}, headers)
    server.forward_auth(value)
    server.get("/forward-auth", {"Cookie": "jeton=" + watch("cookie")})
    server.get("/account?next=" + watch("next"), {"Cookie": "; ".join(
        f"{name}={cookie}" for name, cookie in person.cookies.items())})
    return field_of(person.open("/tokens/new"), "form")


def processes(pid):
    """A process, its launcher, and what that has started."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    children = [child for child, parent in parents.items() if parent == pid]
    return [pid, *children, *(child for child, parent in parents.items() if parent in children)]


def everything_said(server, port):
    metrics, _ = server.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                            port=port)
    yield "log", server.log().encode()
    yield "metrics", metrics
    for words in (("audit", "export"), ("user", "list"), ("user", "list", "--json"),
                  ("user", "show", "birdy"), ("token", "list"), ("mail", "list", "--json"),
                  ("client", "list"), ("service", "list"), ("key", "list")):
        done = server.cli(*words)
        yield " ".join(words), (done.out + done.err).encode()
    for pid in processes(server.pid):
        for name in ("environ", "cmdline"):
            yield f"{name} of {pid}", pathlib.Path(f"/proc/{pid}/{name}").read_bytes()


def test_lg_01_nothing_that_people_type_or_are_shown_stays_anywhere(new_server, mailbox):
    smtp, password_file = mailbox
    port = free_port()
    server = new_server(args=mail_settings(
        smtp, "--smtp-password-file", str(password_file), "--registration", "on",
        "--metrics-listen", f"127.0.0.1:{port}"), start=False)
    watch = Watch(server)
    spoken = base64.b64encode("\0".join(("",) + MAILBOX).encode()).decode()
    server.secrets.update((MAILBOX[1], spoken))
    server.start()
    add_open_service(server)
    server.add_user(*ADMIN, "--admin")
    admin = Person(server).sign_in(ADMIN)
    person = join(server, smtp, watch)
    key, codes = guard(server, person, watch)
    lose(server, smtp, watch, codes)
    use_tokens(server, admin, watch, codes)
    new = admin.open("/admin/accounts/new").fill("username", "made").fill("password", watch("made"))
    watch.forms(new).press("create")
    assert len(processes(server.pid)) > 2, "jeton-fetch is looked at, too"
    said = list(everything_said(server, port))
    server.stop()
    said += server.stored()
    raw_key = base64.b32decode(key)
    secrets = {secret.encode() for secret in server.secrets} | {raw_key, raw_key.hex().encode()}
    secrets |= {code.replace("-", "").encode() for code in codes}
    assert len(secrets) > 60 and len(said) > 15
    for where, text in said:
        for secret in secrets:
            at = text.find(secret)
            assert at < 0, f"{secret!r} in {where}: {text[max(0, at - 200):at + 100]!r}"
        assert not re.search(rb"c[Aa]n[Aa]r[Yy]-", text), where


def test_lg_01_answers_to_others_repeat_nothing(new_server):
    """What is refused is not sent back, whoever may stand behind the one who asks."""
    server = new_server()
    watch = Watch(server)
    person = Person(server).open("/sign-in")
    for path, pairs in (("/sign-in", {"username": "x", "password": watch("typed")}),
                        ("/password-reset", {"link": watch("link"), "password": watch("new")}),
                        ("/email-verify", {"link": watch("link")}),
                        ("/sign-in/code", {"code": watch("code")}),
                        ("/nowhere", {"password": watch("typed")})):
        answer = once(person, "POST", path, {"csrf": csrf_of(person), **pairs})
        text = repr(answer.headers).encode() + answer.body
        assert b"cAnArY-" not in text, (path, answer)


# ---- memory -------------------------------------------------------------------------------------


def where_in_memory(pid, secrets):
    """name → the flags of each mapping that has that secret."""
    found = {name: [] for name in secrets}
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, flags in mappings(pid):
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue
            for name, value in secrets.items():
                if value.encode() in content:
                    found[name].append(flags)
    return found


@pytest.fixture
def readable(new_server, plain_binary):
    """A server whose memory this test may read and understand."""
    if os.geteuid() != 0 or is_sanitized(plain_binary):
        pytest.skip("needs root, and a build without sanitizers (JETON_BINARY_PLAIN)")
    return new_server(binary=plain_binary)


def test_figure_22_no_secret_can_reach_swap(readable):
    """What is under way lies in locked memory that is left out of dumps ("lo", "dd"), and what has
    been answered lies nowhere."""
    server = readable
    answer = server.user_token(C1, ALICE, "read")
    token = server.client_token(CC)["access_token"]
    assert server.is_active(token, API)
    person = Person(server).sign_in(ALICE)
    cookie, = person.cookies.values()
    past = {"password": ALICE[1], "secret of a client": CC[1], "secret of a service": API[1],
            "token": token, "refresh token": answer["refresh_token"], "cookie": cookie}
    under_way = {"password under way": canary("password-under-way")}
    server.secrets.add(under_way["password under way"])
    body = form_encode({"grant_type": "password", "username": ALICE[0],
                        "password": under_way["password under way"]})
    head = (f"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + 1}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n")
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port))) as line:
        line.sendall((head + body).encode())
        flags, = wait_until(lambda: where_in_memory(server.pid, under_way)["password under way"],
                            10, "this test sees what is under way")
        assert {"lo", "dd"} <= set(flags), flags
        found = where_in_memory(server.pid, past)
        assert not any(found.values()), found
    wait_until(lambda: not any(where_in_memory(server.pid, under_way).values()), 10,
               "it is wiped when the client has gone")


# Keeps the limit of cores where it is, whoever lowers it, and becomes the program: x86-64, arm64.
NO_CORE_LIMIT = """
import ctypes, os, resource, struct, sys
PRLIMIT64 = {"x86_64": 302, "aarch64": 261}[os.uname().machine]
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
program = struct.pack("HBBI" * 6,
                      0x20, 0, 0, 0,
                      0x15, 0, 3, PRLIMIT64,
                      0x20, 0, 0, 24,
                      0x15, 0, 1, resource.RLIMIT_CORE,
                      0x06, 0, 0, 0x00050000,
                      0x06, 0, 0, 0x7fff0000)
memory = ctypes.create_string_buffer(program, len(program))
fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 6, ctypes.addressof(memory)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, fprog) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""
UNLIMITED = [sys.executable, "-c", NO_CORE_LIMIT]


def ends_with_core(process):
    """Whether the kernel writes its memory to disk when it dies of a fault."""
    os.kill(process.pid, signal.SIGSEGV)
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    process.wait()
    assert ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED), ended
    return ended.si_code == os.CLD_DUMPED


def test_figure_22_no_core_whatever_the_limit(new_server, plain_binary, tmp_path):
    """RLIMIT_CORE is 0; and where it could not be lowered, PR_SET_DUMPABLE alone is enough."""
    other = subprocess.Popen([*UNLIMITED, "sleep", "600"], cwd=tmp_path)
    wait_until(lambda: pathlib.Path(f"/proc/{other.pid}/comm").read_text() == "sleep\n", 10,
               "it runs")
    if not ends_with_core(other) or is_sanitized(plain_binary):
        pytest.skip("cores are not written on this machine, or this build has other handlers")
    limited = new_server(binary=plain_binary)
    assert resource.prlimit(limited.pid, resource.RLIMIT_CORE) == (0, 0)
    assert not ends_with_core(limited.process)
    unlimited = new_server(binary=plain_binary, prefix=UNLIMITED)
    assert resource.prlimit(unlimited.pid, resource.RLIMIT_CORE)[0] != 0, "this test's own trick"
    assert not ends_with_core(unlimited.process)

"""Mail: the outbox, the helper process and the SMTP server (decision 0011), seen from outside.

`jeton mail test ADDRESS --queue` puts a message into the outbox as every other mail goes there.
"""

import email.utils
import json
import os
import pathlib
import re
import signal
import socket
import threading
import time

import pytest

from harness import free_port, wait_until
from smtp_server import SmtpServer, make_certificate

FROM = "Jeton <noreply@example.org>"
ADA = "ada@example.org"


@pytest.fixture
def smtp():
    with SmtpServer() as server:
        yield server


def settings(smtp, *more, sender=FROM):
    return ["--smtp-url", smtp.url, "--mail-from", sender, *more]


def queue(server, address=ADA):
    return server.cli("mail", "test", address, "--queue")


def queued(server):
    return [json.loads(line) for line in server.cli("mail", "list", "--json").out.splitlines()]


def logged(server, event):
    return [line for line in server.log_lines() if line["event"] == event]


def helper_pids(server):
    """The children of the server's launcher."""
    def children(parent):
        found = []
        for task in pathlib.Path(f"/proc/{parent}/task").iterdir():
            try:
                found += [int(pid) for pid in (task / "children").read_text().split()]
            except FileNotFoundError:
                pass
        return found

    return [pid for launcher in children(server.pid) for pid in children(launcher)]


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False



# -- what arrives -------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [True, False], ids=["running", "stopped"])
def test_a_message_of_the_command_line_arrives(new_server, smtp, start):
    """RFC 5322 3.6, RFC 3834 5: read back by somebody else's parser."""
    if start:
        server = new_server(args=settings(smtp))
        done = server.cli("mail", "test", ADA)
    else:
        server = new_server(start=False)
        done = server.cli("mail", "test", ADA, *settings(smtp))
    assert done.out == "" and "taken the message" in done.err
    sender, recipients, content = smtp.mails[0]
    assert (sender, recipients) == ("noreply@example.org", [ADA])
    message = smtp.message()
    assert not message.defects
    assert message["From"] == '"Jeton" <noreply@example.org>' or message["From"] == FROM
    assert message["To"].addresses[0].addr_spec == ADA
    assert message["Subject"] == "Test message of Jeton"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert "to see whether its mail arrives" in message.get_content()
    assert abs(email.utils.parsedate_to_datetime(message["Date"]).timestamp() - time.time()) < 60
    host = r"\[127\.0\.0\.1\]" if start else "localhost"
    assert re.fullmatch(rf"<\w{{32}}@{host}>", message["Message-ID"])
    assert smtp.greetings == ["[127.0.0.1]" if start else "localhost"] # RFC 5321 4.1.3, 4.1.4
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert queued(server) == []


def test_the_sender_comes_back_whole(new_server, smtp):
    name = 'Jeton f\u00fcr "alle", <\u5168\u90e8>'
    sender = "noreply+tag@example.org"
    server = new_server(start=False)
    done = server.cli("mail", "test", ADA, *settings(smtp, sender=f"{name} <{sender}>"),
                      status=2)
    assert "mail-from must be" in done.err, "a name has no angle brackets"
    name = name.replace("<", "").replace(">", "")
    server.cli("mail", "test", ADA, *settings(smtp, sender=f"{name} <{sender}>"))
    address = smtp.message()["From"].addresses[0]
    assert (address.display_name, address.addr_spec) == (name, sender)


def test_queued_mails_arrive_in_order(new_server, smtp):
    server = new_server(args=settings(smtp))
    for number in range(5):
        queue(server, f"u{number}@example.org")
    smtp.wait(5)
    assert [mail[1] for mail in smtp.mails] == [[f"u{number}@example.org"] for number in range(5)]
    wait_until(lambda: len(logged(server, "mail_sent")) == 5, 10, "five log lines")
    assert queued(server) == []
    assert len({smtp.message(index)["Message-ID"] for index in range(5)}) == 5
    assert "example.org" not in "".join(map(json.dumps, logged(server, "mail_sent")))


def test_without_settings_mail_waits(new_server, smtp):
    """It is in the store; a server that is told where to send it does so."""
    server = new_server()
    queue(server)
    assert [row["attempts"] for row in queued(server)] == [0]
    server.cli("mail", "test", ADA, status=1)
    server.stop()
    assert len(queued(server)) == 1
    server.args += settings(smtp)
    server.start()
    smtp.wait()
    assert smtp.mails[0][1] == [ADA]


# -- what does not arrive at once -----------------------------------------------------------------


def test_queue_survives_kill_and_the_server_that_was_away(new_server, smtp):
    smtp.stop()
    server = new_server(args=settings(smtp))
    queue(server)
    wait_until(lambda: queued(server)[0]["attempts"] == 1 and
               queued(server)[0]["last_code"] != "-", 20, "one attempt")
    assert queued(server)[0]["last_code"] == "no connection"
    server.kill()
    server.start()
    assert len(queued(server)) == 1
    again = SmtpServer(port=smtp.port)
    with again:
        server.cli("mail", "retry")
        again.wait()
        assert again.mails[0][1] == [ADA]
        wait_until(lambda: not queued(server), 10, "an empty queue")
        assert len(again.mails) == 1


def test_kill_in_the_middle(faked_time, smtp):
    """Whoever died had the mail to himself for two minutes; then the next one tries."""
    server, set_time = faked_time
    smtp.hold = threading.Event()
    server.stop()
    server.args += settings(smtp)
    server.start()
    queue(server)
    assert smtp.is_held.wait(20)
    helpers = helper_pids(server)
    assert len(helpers) == 1
    server.kill()
    wait_until(lambda: not is_alive(helpers[0]), 10, "the helper ends with its server")
    smtp.hold.set()
    smtp.hold = None
    server.start()
    row = queued(server)[0]
    assert (row["attempts"], row["last_code"]) == (1, "-")
    server.cli("mail", "retry")
    assert queued(server)[0]["attempts"] == 1, "the lease holds"
    set_time(121)
    smtp.wait(1)
    wait_until(lambda: logged(server, "mail_sent"), 10, "the line in the log")
    assert logged(server, "mail_sent")[-1]["attempts"] == 2
    assert queued(server) == []


@pytest.mark.parametrize("reply", [("MAIL", "451 4.3.0 try later"),
                                   ("RCPT", "450 4.2.1 greylisted"),
                                   ("DATA", "452 4.3.1 no room")], ids=lambda reply: reply[0])
def test_4yz_is_tried_again(new_server, smtp, reply):
    """RFC 5321 4.2.1"""
    server = new_server(args=settings(smtp))
    smtp.replies.append(reply)
    queue(server)
    wait_until(lambda: logged(server, "mail_postponed"), 20, "a postponed mail")
    row = queued(server)[0]
    assert (row["attempts"], row["last_code"]) == (1, reply[1][:3])
    assert 20 <= row["next_at"] - time.time() <= 40
    server.cli("mail", "retry")
    smtp.wait()
    wait_until(lambda: logged(server, "mail_sent"), 10, "the line in the log")
    assert logged(server, "mail_sent")[0]["attempts"] == 2
    assert queued(server) == []


@pytest.mark.parametrize("reply", [("MAIL", "550 5.7.1 not from you"),
                                   ("RCPT", "550 5.1.1 no such user ada@example.org"),
                                   ("DATA", "554 5.6.0 not this")], ids=lambda reply: reply[0])
def test_5yz_is_given_up(new_server, smtp, reply):
    """RFC 5321 4.2.1. The log names the id and the code, not the address."""
    server = new_server(args=settings(smtp))
    smtp.replies.append(reply)
    queue(server)
    line = wait_until(lambda: logged(server, "mail_given_up"), 20, "a mail given up")[0]
    assert line["code"] == reply[1][:3] and line["mail_id"] > 0
    assert ADA not in server.log()
    assert queued(server) == []
    queue(server, "bob@example.org")
    smtp.wait()
    assert smtp.mails[0][1] == ["bob@example.org"], "the next one goes its way"


def test_the_command_says_how_it_went(new_server, smtp):
    """RFC 5321 4.2: the last line of a reply has its code and its words."""
    server = new_server(args=settings(smtp))
    smtp.replies.append(("RCPT", "550 5.1.1 no such user here"))
    done = server.cli("mail", "test", ADA, status=1)
    assert "refuses the message (550): 550 5.1.1 no such user here" in done.err
    smtp.replies.append(("RCPT", "450 4.2.1 greylisted"))
    done = server.cli("mail", "test", ADA, status=1)
    assert "does not take the message now (450)" in done.err
    smtp.stop()
    done = server.cli("mail", "test", ADA, status=1)
    assert "could not be used (no connection)" in done.err


def test_mail_is_given_up_after_three_days(faked_time, smtp):
    server, set_time = faked_time
    smtp.stop()
    server.stop()
    server.args += settings(smtp)
    queue(server)
    set_time(3 * 86400 + 60)
    server.start()
    line = wait_until(lambda: logged(server, "mail_given_up"), 20, "a mail given up")[0]
    assert line["why"] == "its time is over"
    assert queued(server) == []


# -- the helper -----------------------------------------------------------------------------------


def test_a_helper_that_dies_is_started_again(new_server, smtp):
    server = new_server(args=settings(smtp))
    smtp.hold = threading.Event()
    queue(server)
    assert smtp.is_held.wait(20)
    first = helper_pids(server)[0]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: logged(server, "mail_postponed"), 20, "a postponed mail")
    assert queued(server)[0]["last_code"] == "no helper"
    smtp.hold.set()

    def arrives():
        server.cli("mail", "retry")
        return smtp.mails and not queued(server)

    wait_until(arrives, 30, "the mail")
    assert helper_pids(server) != [first]


def test_what_the_helper_has_of_the_server(new_server, smtp):
    """No environment, no descriptor but its own, no new privileges, no core dump, no words."""
    server = new_server(args=settings(smtp), env={"JETON_CANARY": "canary-in-the-environment"})
    smtp.hold = threading.Event()
    queue(server)
    assert smtp.is_held.wait(20)
    proc = pathlib.Path(f"/proc/{helper_pids(server)[0]}")
    try:
        assert (proc / "environ").read_bytes() == b""
        assert (proc / "cmdline").read_bytes() == b"jeton-fetch\0"
        status = (proc / "status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert re.search(r"^Max core file size +0 +0 ", (proc / "limits").read_text(), re.M)
        theirs, ours = ({os.readlink(entry) for entry in (folder / "fd").iterdir()}
                        for folder in (proc, pathlib.Path(f"/proc/{server.pid}")))
        shared = {name for name in theirs & ours if not name.startswith("anon_inode")}
        assert shared <= {"/dev/null", str(server.log_path)}, shared
        assert not [name for name in theirs if str(server.data) in name], theirs
    except PermissionError:
        pytest.skip("only root may look into a process that cannot be dumped")
    finally:
        smtp.hold.set()
    smtp.wait()


def test_stopping_does_not_wait_for_a_server_that_hangs(new_server, smtp):
    """Five seconds for the mail that is on its way; then it stays in the queue."""
    server = new_server(args=settings(smtp))
    smtp.hold = threading.Event()
    queue(server)
    assert smtp.is_held.wait(20)
    helper = helper_pids(server)[0]
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 20
    assert not is_alive(helper)
    smtp.hold.set()
    assert len(queued(server)) == 1


def test_stopping_does_not_wait_for_a_test_that_hangs(new_server, smtp):
    server = new_server(args=settings(smtp))
    smtp.hold = threading.Event()
    statuses = []
    command = threading.Thread(target=lambda: statuses.append(
        server.cli("mail", "test", ADA, status=None).status))
    command.start()
    assert smtp.is_held.wait(20)
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 20
    smtp.hold.set()
    command.join(30)
    assert statuses == [1]


def test_no_request_waits_for_mail(new_server, smtp):
    server = new_server(args=settings(smtp))
    smtp.hold = threading.Event()
    queue(server)
    assert smtp.is_held.wait(20)
    begin = time.monotonic()
    for _ in range(20):
        queue(server)
        assert server.get("/readyz").status == 200
    assert time.monotonic() - begin < 15
    smtp.hold.set()
    smtp.wait(21, timeout_s=60)


def test_metrics(new_server, smtp):
    port = free_port()
    server = new_server(args=settings(smtp, "--metrics-listen", f"127.0.0.1:{port}"))
    smtp.replies += [("RCPT", "550 no"), ("RCPT", "450 later")]
    queue(server)
    wait_until(lambda: logged(server, "mail_given_up"), 20, "one given up")
    queue(server)
    wait_until(lambda: logged(server, "mail_postponed"), 20, "one postponed")
    queue(server)
    smtp.wait()
    wait_until(lambda: logged(server, "mail_sent"), 20, "one sent")

    def numbers():
        text = server.raw(b"GET /metrics HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
                          port=port)[0].decode()
        return [int(re.search(rf"^jeton_mails_{name} (\d+)", text, re.M).group(1))
                for name in ("sent_total", "failed_total", "given_up_total", "queued")]

    wait_until(lambda: numbers() == [1, 1, 1, 1], 10, "the numbers")


# -- TLS and sign-in ------------------------------------------------------------------------------


def test_smtps_is_verified(new_server, tmp_path):
    certificate, context = make_certificate(tmp_path)
    wrong, wrong_context = make_certificate(tmp_path, "mail.example.org")
    server = new_server(start=False)
    with SmtpServer(tls=context) as smtp:
        url = smtp.url.replace("smtp:", "smtps:")
        base = ["mail", "test", ADA, "--smtp-url", url, "--mail-from", FROM]
        assert "no trusted TLS" in server.cli(*base, status=1).err
        assert "no trusted TLS" in server.cli(*base, "--smtp-ca-file", str(wrong), status=1).err
        assert smtp.mails == []
        server.cli(*base, "--smtp-ca-file", str(certificate))
        assert smtp.secured == [True]
    with SmtpServer(tls=wrong_context) as smtp: # trusted, but another host's
        url = smtp.url.replace("smtp:", "smtps:")
        done = server.cli("mail", "test", ADA, "--smtp-url", url, "--mail-from", FROM,
                          "--smtp-ca-file", str(wrong), status=1)
        assert "no trusted TLS" in done.err and smtp.mails == []


def test_a_sign_in(new_server, tmp_path):
    """The password is in a file and nowhere else (LG-01); a changed one needs no restart."""
    certificate, context = make_certificate(tmp_path)
    login = ("jeton@example.org", "smtp-password-K2v:9 x\u00e9")
    passwords = tmp_path / "smtp-password"
    passwords.write_text(f"{login[0]}\nwrong-smtp-password-77\n")
    passwords.chmod(0o600)
    with SmtpServer(tls=context, login=login) as smtp:
        url = smtp.url.replace("smtp:", "smtps:")
        server = new_server(args=["--smtp-url", url, "--mail-from", FROM, "--smtp-ca-file",
                                  str(certificate), "--smtp-password-file", str(passwords)])
        server.secrets.update([login[1], "wrong-smtp-password-77"])
        queue(server)
        wait_until(lambda: logged(server, "mail_postponed"), 20, "a postponed mail")
        assert queued(server)[0]["last_code"] == "535", "not the mail's fault: it stays"
        assert "535" in server.cli("mail", "test", ADA, status=1).err
        passwords.write_text(f"{login[0]}\n{login[1]}\n", encoding="utf-8")
        server.cli("mail", "retry")
        smtp.wait()
        assert smtp.secured == [True]


@pytest.fixture
def named_host():
    """A name of this machine that does not say so, and its address."""
    name = os.uname().nodename
    try:
        return name, socket.gethostbyname(name)
    except OSError:
        pytest.skip("this machine's name has no address")


def test_starttls_is_not_left_out(new_server, named_host):
    """RFC 3207, RFC 8314 4.1: to any machine but this one mail goes under TLS or not at all."""
    name, address = named_host
    server = new_server(start=False)
    with SmtpServer(host=address) as smtp:
        done = server.cli("mail", "test", ADA, "--smtp-url", f"smtp://{name}:{smtp.port}",
                          "--mail-from", FROM, status=1)
        assert "no trusted TLS" in done.err
        assert smtp.tries == 0


def test_starttls_is_verified(new_server, named_host, tmp_path):
    name, address = named_host
    certificate, context = make_certificate(tmp_path, name)
    login = ("jeton", "smtp-password-Q7")
    passwords = tmp_path / "smtp-password"
    passwords.write_text("\n".join(login) + "\n")
    passwords.chmod(0o600)
    server = new_server(start=False)
    with SmtpServer(host=address, starttls=context, login=login) as smtp:
        words = ["mail", "test", ADA, "--smtp-url", f"smtp://{name}:{smtp.port}", "--mail-from",
                 FROM, "--smtp-password-file", str(passwords)]
        assert "no trusted TLS" in server.cli(*words, status=1).err
        assert smtp.tries == 0
        server.cli(*words, "--smtp-ca-file", str(certificate))
        assert smtp.secured == [True]


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("words, error", [
    (["--smtp-url", "http://127.0.0.1"], "--smtp-url must be"),
    (["--smtp-url", "smtp://u:p@127.0.0.1", "--mail-from", FROM], "--smtp-url must be"),
    (["--smtp-url", "smtp://127.0.0.1"], "--smtp-url needs mail-from"),
    (["--mail-from", FROM], "--mail-from needs smtp-url"),
    (["--smtp-url", "smtp://127.0.0.1", "--mail-from", "x\r\nBcc: a@b <a@b>"], "--mail-from must"),
    (["--smtp-url", "smtp://127.0.0.1", "--mail-from", "nobody"], "--mail-from must be"),
    (["--smtp-password-file", "x"], "--smtp-password-file needs smtp-url"),
    (["--smtp-ca-file", "x"], "--smtp-ca-file needs smtp-url"),
], ids=range(8))
def test_settings_that_are_refused(new_server, words, error):
    server = new_server(start=False)
    done = server.cli("serve", *words, "--listen", "127.0.0.1:0", status=2)
    assert error in done.err and done.err.count("\n") == 1


def test_settings_of_the_file_are_named_with_their_line(new_server, tmp_path):
    server = new_server(start=False)
    config = tmp_path / "jeton.yaml"
    config.write_text("listen: [ '127.0.0.1:0' ]\nsmtp-url: smtp://127.0.0.1/x\nmail-from: a@b\n")
    done = server.cli("serve", "--config", str(config), status=2)
    assert f"{config}: line 2: smtp-url must be" in done.err


@pytest.mark.parametrize("content, mode", [("user\npassword\n", 0o644), ("user\n", 0o600),
                                           ("", 0o600), ("user\npassword\nmore\n", 0o600),
                                           ("u\x01\npassword\n", 0o600), (None, 0)], ids=range(6))
def test_password_files_that_are_refused(new_server, smtp, tmp_path, content, mode):
    """LG-05: what others can read is no secret."""
    path = tmp_path / "smtp-password"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    server = new_server(start=False)
    done = server.cli("serve", *settings(smtp, "--smtp-password-file", str(path)), "--listen",
                      "127.0.0.1:0", status=1)
    assert f"smtp-password-file {path}: " in done.err and "user" not in done.err.split(": must")[0]


@pytest.mark.parametrize("address", [
    "ada", "ada@example.org\r\nBcc: bob@example.org", "ada@example.org\nDATA", "a b@example.org",
    "<ada@example.org>", "ada@example.org,bob@example.org", "@example.org", "\u00e4@example.org",
    "ada@example.org>\r\nRCPT TO:<bob@example.org"], ids=range(9))
def test_addresses_that_inject(new_server, smtp, address):
    """HT-03 for mail: nothing is sent, and nothing is queued."""
    server = new_server(start=False)
    for more in (settings(smtp), ["--queue"]):
        done = server.cli("mail", "test", address, *more, status=2)
        assert "ADDRESS must be a mail address" in done.err and done.err.count("\n") == 1
    assert smtp.tries == 0
    server.cli("mail", "retry")
    assert queued(server) == []


def test_list_shows_no_content(new_server):
    server = new_server(start=False)
    queue(server)
    out = server.cli("mail", "list").out
    row = queued(server)[0]
    assert out.splitlines()[1].split()[0] == str(row["id"])
    assert "ada" not in out and "Test message" not in out
    assert set(row) == {"id", "queued_at", "next_at", "until", "attempts", "last_code"}
    for where, content in server.stored():
        assert ADA.encode() not in content, where

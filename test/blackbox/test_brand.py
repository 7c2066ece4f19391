"""An organisation's own name, logo and colours, from the configuration."""

import re

import pytest

from harness import ALICE
from link_people import LINK, Post, add_person, ask_reset, mail_settings
from person import Person
from smtp_server import SmtpServer

SVG = b"""<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><script>alert(1)</script>
<circle cx="4" cy="4" r="4" onload="alert(2)"/></svg>
"""
PNG = (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx"
       b"\x9cc\xf8\xcf\xc0\xf0\x1f\0\5\0\1\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82")


@pytest.fixture(scope="module")
def branded(module_server, tmp_path_factory):
    logo = tmp_path_factory.mktemp("logo") / "logo.svg"
    logo.write_bytes(SVG)
    return module_server(["--brand-name", "Ümlaut & <Sons>", "--brand-logo", str(logo),
                          "--brand-color", "#8a1c5b"])


def loaded(page):
    """The addresses of what a page loads, by the path."""
    found = re.findall(r"<(?:link|img|script)[^>]* (?:href|src)=\"([^\"]+)\"", page.body.decode())
    return {path.split("?")[0]: path for path in found}


def start_error(new_server, *args):
    server = new_server(args, seeded=False, start=False)
    done = server.cli("serve", *args, status=2)
    assert done.out == ""
    return done.err


def test_without_settings_it_is_jeton(jeton):
    page = jeton.get("/")
    assert "<title>Jeton</title>" in page.body.decode()
    assert list(loaded(page)) == ["/style.css"]
    for path in ("/brand/logo", "/brand/theme.css"):
        answer = jeton.get(path)
        assert answer.status == 404 and answer.header("Cache-Control") == "no-store"


def test_the_name_stands_on_every_page_and_is_escaped(branded):
    person = Person(branded, [("Accept", "text/html")]).open("/")
    assert "<title>Ümlaut &amp; &lt;Sons&gt;</title>" in person.answer.body.decode()
    person.sign_in(ALICE)
    for path in ("/tokens", "/sessions", "/applications", "/account", "/nowhere-at-all"):
        text = person.open(path).answer.body.decode()
        assert re.search(r"<title>.+ · Ümlaut &amp; &lt;Sons&gt;</title>", text), path
        assert "Ümlaut & <Sons>" not in text, path
        assert "<span>Ümlaut &amp; &lt;Sons&gt;</span></a>" in text, path


def test_the_logo_can_be_kept_and_asked_for_by_its_content(branded):
    found = loaded(branded.get("/"))
    logo = branded.get(found["/brand/logo"])
    assert logo.status == 200 and logo.body == SVG
    assert logo.header("Content-Type") == "image/svg+xml"
    assert logo.header("Cache-Control") == "public, max-age=86400"
    assert re.fullmatch(r"/brand/logo\?v=[0-9a-f]{16}", found["/brand/logo"])
    assert branded.request("HEAD", "/brand/logo").body == b""
    assert branded.request("POST", "/brand/logo", b"").status == 405


def test_az_12_an_svg_can_run_nothing(branded):
    """Also where somebody opens the picture itself."""
    logo = branded.get("/brand/logo")
    policy = [part.strip() for part in logo.header("Content-Security-Policy").split(";")]
    assert "sandbox" in policy and "default-src 'none'" in policy
    assert not [part for part in policy if part.startswith("script-src")]
    assert logo.header("X-Content-Type-Options") == "nosniff"
    assert logo.header("Cross-Origin-Resource-Policy") == "same-origin"


def test_the_colour_is_a_style_sheet_behind_the_other(branded):
    found = loaded(branded.get("/"))
    assert [path for path in found if path.endswith(".css")] == ["/style.css", "/brand/theme.css"]
    theme = branded.get(found["/brand/theme.css"])
    assert theme.status == 200 and theme.header("Content-Type") == "text/css; charset=utf-8"
    assert theme.header("X-Content-Type-Options") == "nosniff"
    text = theme.body.decode()
    assert "--mark:#8a1c5b" in text and "prefers-color-scheme:dark" in text
    assert "--mark:" in branded.get("/style.css").body.decode().replace(" ", "")


def test_a_changed_logo_has_another_address(new_server, tmp_path):
    logo = tmp_path / "logo"
    logo.write_bytes(PNG)
    server = new_server(["--brand-logo", str(logo)])
    before = loaded(server.get("/"))["/brand/logo"]
    assert server.get(before).header("Content-Type") == "image/png"
    logo.write_bytes(SVG)
    assert loaded(server.get("/"))["/brand/logo"] == before and server.get(before).body == PNG
    server.restart()
    after = loaded(server.get("/"))["/brand/logo"]
    assert after != before and server.get(after).body == SVG


@pytest.mark.parametrize("args, words", [
    (["--brand-name", ""], "--brand-name must be 1 to 64 bytes"),
    (["--brand-name", "a\tb"], "--brand-name must be"),
    (["--brand-logo", "/nowhere/logo.png"], "--brand-logo cannot be read"),
    (["--brand-color", "red"], "--brand-color must be such as #1d5bb8"),
    (["--brand-color", "#ffcc00"], "--brand-color #ffcc00 has a contrast of 1.41"),
    (["--brand-color-dark", "#8db7f5"], "--brand-color-dark needs brand-color"),
    (["--brand-color", "#1d5bb8", "--brand-color-dark", "#1d5bb8"], "choose a lighter one"),
])
def test_wrong_settings_end_the_start_with_their_name(new_server, args, words):
    assert words in start_error(new_server, *args)


def test_wrong_settings_of_the_file_are_named_with_their_line(new_server, tmp_path):
    config = tmp_path / "jeton.yaml"
    for line, words in (("brand-color: '#777'", "brand-color must be such as"),
                        ("brand-color: #777777", "what begins with # has to be quoted"),
                        ("brand-logo: jeton.yaml", "brand-logo cannot be read")):
        config.write_text(f"listen: [ \"127.0.0.1:0\" ]\n{line}\n")
        error = start_error(new_server, "--config", str(config))
        assert f"{config}: line 2: " in error and words in error


def test_a_file_that_is_no_picture_is_refused(new_server, tmp_path):
    for body, words in ((b"<html><script>alert(1)</script></html>", "is no picture"),
                        (b"", "is no picture"), (PNG + b"\0" * 33000, "is larger than 32 KiB")):
        (tmp_path / "logo.png").write_bytes(body)
        error = start_error(new_server, "--brand-logo", str(tmp_path / "logo.png"))
        assert "--brand-logo " + words in error


def test_mails_have_the_name(new_server):
    with SmtpServer() as smtp:
        server = new_server(mail_settings(smtp, "--brand-name", "Ümlaut & <Sons>"))
        user, email = add_person(server)
        post = Post(smtp, email)
        assert ask_reset(server, user[0]).status == 200
        mail = post.next()
        assert mail["Subject"] == "Choose a new password (Ümlaut & <Sons>)"
        assert f"at Ümlaut & <Sons> for the account {user[0]}" in mail.get_content()
        server.secrets.add(LINK.search(mail.get_content()).group(3))
        server.stop()

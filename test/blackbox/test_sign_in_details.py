"""Signing in, in detail: which cookies are looked at, which field is marked."""

import string

from harness import ALICE, BOB
from person import Person
from threedm_calls import enrol, totp

SOUND = set(string.ascii_letters + string.digits + "-_")
# RFC 6265 4.1.1: what a browser may send in a cookie.
OCTETS = [chr(octet) for octet in range(0x21, 0x7f) if chr(octet) not in '",;\\']


def test_se_01_what_is_no_value_of_ours_is_not_kept(new_server):
    """A value that a browser has before anybody signed in is kept where it could be ours."""
    server = new_server()
    for octet in OCTETS:
        cookie = "." + "A" * 42 + octet
        answer = server.request("GET", "/sign-in", headers=[("Cookie", f"jeton={cookie}")])
        assert answer.status == 200
        assert bool(answer.all_headers("Set-Cookie")) == (octet not in SOUND), octet
    for cookie in ("", ".", "A" * 42, "." + "A" * 42, "." + "A" * 44, "." * 44, "A" * 44):
        answer = server.request("GET", "/sign-in", headers=[("Cookie", f"jeton={cookie}")])
        assert answer.all_headers("Set-Cookie"), cookie


def test_the_wrong_field_is_marked(new_server):
    server = new_server()
    alice = Person(server).sign_in(ALICE).open("/sign-in/again?next=/account")
    alice.fill("password", "not it").press("confirm")
    assert alice.status == 403 and alice.path == "/sign-in/again" and alice.has("password-error")
    secret = enrol(server, BOB)
    bob = Person(server).open("/sign-in")
    bob.fill("username", BOB[0]).fill("password", BOB[1]).press("sign-in")
    bob.fill("code", totp(secret)).press("sign-in").open("/sign-in/again?next=/account")
    bob.fill("password", BOB[1]).fill("code", "12").press("confirm")
    assert bob.status == 403 and bob.has("code-error") and not bob.has("password-error")

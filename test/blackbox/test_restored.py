"""A server on a restored store: whatever is good once and was there before is good no more, used or
not; what is made since is good, and permanent tokens and clients go on (decision 0015)."""

import os
import shutil
import time
import urllib.parse

import pytest

import harness
from dpop import Holder
from harness import ALICE, BOB, C1, CC, free_port, wait_until
from link_people import NEW, add_person, can_sign_in, choose, mail_settings, reset_link
from movers import Node
from person import Person
from relying_party import RelyingParty
from smtp_server import SmtpServer
from soft_passkey import SoftPasskey
from spectrum_calls import session_token, use
from test_backup import back_up, key_of, restore
from test_client_authentication import Signer
from test_device import GRANT as DEVICE_GRANT
from test_device import TV, allow, codes, poll
from test_jwt_bearer import Client
from test_move import cluster, mover, seeded_folder  # noqa: F401
from test_sign_in import at_code, wait_step
from test_two_factor import recovery_codes
from threedm_calls import enrol, totp
from token_people import OPEN, add_open_service, make

CREDENTIALS = {"grant_type": "client_credentials", "scope": "read"}
SKEW_S = 10  # how far ahead a client's clock may be


class World:
    """One server, before and after; `since` is what a client's clock must say at least."""

    def __init__(self, mover, folder, smtp):
        port = free_port()
        self.issuer = f"http://localhost:{port}"
        self.smtp, self.mover, self.since, self.restored_at = smtp, mover, 0, None
        self.node = node = Node(mover.new_folder(of=folder))
        node.listen = f"127.0.0.1:{port}"
        node.args = ["--issuer", self.issuer, *mail_settings(smtp)]
        node.start()
        add_open_service(node)
        node.add_client(*TV, "--grant", DEVICE_GRANT, "--scope", "openid read")
        self.holder = Holder(node)
        self.holder.root = self.issuer
        self.signer, self.asserting = Signer(node, "signer"), Client(node, "asserting")
        self.asserting.consent()
        self.rp = RelyingParty(node)
        self.alice = Person(node).sign_in(ALICE)
        self.secret = enrol(node, BOB)
        self.recovery = recovery_codes(node, BOB[0])
        self.passkey = SoftPasskey(self.issuer, "localhost")
        self.keeper = add_person(node)[0]
        self.visitor = self.at_site().sign_in(self.keeper).open("/account/passkeys/new").prove(
            self.keeper)
        self.send_answer(self.visitor, self.passkey.make)
        assert self.visitor.status == 200, self.visitor.answer

    def restore(self, target, file):
        """The same address, another store."""
        node, key = self.node, key_of(self.node.data)
        node.stop()
        restore(self.mover, file, target, *key)
        if "://" in str(target):
            node.database, target = target, self.mover.new_folder()
            target.mkdir(mode=0o700)
        shutil.copy(key[1], target)
        node.data = target
        node.start()
        started = [line for line in node.log_lines() if line.get("event") == "store_was_restored"]
        self.restored_at = started[-1]["restored_at"]
        self.since = self.restored_at + SKEW_S + 1
        wait_until(lambda: time.time() > self.restored_at + 1, 5, "a client's clock that is ahead")
        self.alice = Person(node).sign_in(ALICE)
        self.recovery = recovery_codes(node, BOB[0])

    def now(self):
        """What the clock of a client says that is a little ahead, if it has to."""
        return max(int(time.time()), self.since)

    def at_site(self):
        """Somebody who came by the name that passkeys are made for."""
        person = Person(self.node, headers=[("Host", f"localhost:{self.node.port}")])
        person.host = "localhost"
        return person

    @staticmethod
    def send_answer(person, answer_to):
        """Sends the form for passkeys of this page, filled in by an authenticator."""
        form = next(form for form in person.page.forms if "passkey" in form.action)
        pairs = {name: value for _, name, value in form.fields}
        pairs.update(answer_to(person.page.attributes["passkey-form"]["data-options"]))
        return person.send("POST", form.action, harness.form_encode(pairs))


# ---- what is good once: how it is made, and whether it is taken ----------------------------------


class Code:
    def make(self, world):
        return world.rp.authorize(world.alice)["code"]

    def is_taken(self, world, code):
        answer = world.rp.redeem(code)
        assert answer.status == 200 or answer.error == "invalid_grant", answer
        return answer.status == 200


class DeviceCode:
    """Allowed, and not polled for."""

    def make(self, world):
        device = codes(world.node)
        allow(world.node, device, person=world.alice)
        return device["device_code"]

    def is_taken(self, world, code):
        answer = poll(world.node, code)
        assert answer.status == 200 or answer.error in ("invalid_grant", "expired_token"), answer
        return answer.status == 200


class UserCode:
    """Not allowed yet."""

    def make(self, world):
        return codes(world.node)["user_code"]

    def is_taken(self, world, code):
        person = world.alice.open("/device").fill("user-code", code).press("go-on")
        if not person.has("allow"):
            return False
        return person.press("allow").status == 200


class PushedRequest:
    def make(self, world):
        query = world.rp.path().partition("?")[2]
        answer = world.node.post_form("/oauth2/par", query, client=world.rp.pair)
        assert answer.status == 201, answer
        return answer.json["request_uri"]

    def is_taken(self, world, uri):
        person = world.alice.open("/oauth2/authorize?" + urllib.parse.urlencode(
            {"client_id": world.rp.client_id, "request_uri": uri}))
        return "code=" in (person.answer.header("Location") or "")


class RefreshToken:
    def make(self, world):
        return world.node.user_token(C1, ALICE, "read")["refresh_token"]

    def is_taken(self, world, token):
        answer = world.node.refresh(token, C1)
        assert answer.status == 200 or answer.error == "invalid_grant", answer
        return answer.status == 200


class Link:
    """In a mail, to set a password by."""

    def make(self, world):
        user, email = add_person(world.node)
        return user, reset_link(world.node, world.smtp, user, email)

    def is_taken(self, world, pair):
        user, path = pair
        if Person(world.node).open(path).status == 410:
            return False
        choose(world.node, path)
        assert can_sign_in(world.node, user[0], NEW)
        return True


class RecoveryCode:
    def make(self, world):
        return world.recovery.pop()

    def is_taken(self, world, code):
        person = at_code(world.node, BOB).press("use-recovery-code")
        return person.fill("code", code).press("sign-in").has("sign-out")


class Passkey:
    """An answer that somebody else may have seen, with the cookie of the browser that gave it."""

    def make(self, world):
        person = world.at_site()
        person.cookies = dict(world.visitor.cookies)
        if person.open("/").has("sign-out"):
            person.press("sign-out")
        person.open("/sign-in")
        world.visitor.cookies = dict(person.cookies)
        options = person.page.attributes["passkey-form"]["data-options"]
        return person, world.passkey.answer(options)

    def is_taken(self, world, pair):
        person, answer = pair
        sender = world.at_site()
        sender.cookies, sender.page = dict(person.cookies), person.page
        world.send_answer(sender, lambda _: answer)
        assert sender.has("sign-out") or sender.status == 403, sender.answer
        return sender.has("sign-out")


class Assertion:
    """By which a client authenticates."""

    def make(self, world):
        now = world.now()
        return world.signer.assertion(aud=world.issuer, iat=now, exp=now + 60)

    def is_taken(self, world, assertion):
        answer = world.node.token({**CREDENTIALS, **world.signer.fields(assertion)})
        assert answer.status == 200 or answer.error == "invalid_client", answer
        return answer.status == 200


class AssertionWithoutTime(Assertion):
    """How old it is, its end alone says."""

    def make(self, world):
        ahead = 3600 if world.since else 60
        return world.signer.assertion(aud=world.issuer, iat=None, exp=world.now() + ahead)


class GrantAssertion:
    """For an account (RFC 7523 2.1)."""

    def make(self, world):
        now = world.now()
        return world.asserting.assertion(aud=world.issuer, iat=now, exp=now + 60)

    def is_taken(self, world, assertion):
        answer = world.asserting.ask(assertion)
        assert answer.status == 200 or answer.error == "invalid_grant", answer
        return answer.status == 200


class Proof:
    """Also one of a client whose clock is ahead."""

    ahead_s = 0

    def make(self, world):
        return world.holder.proof(iat=world.now() + (0 if world.since else self.ahead_s))

    def is_taken(self, world, proof):
        answer = world.holder.token(CREDENTIALS, CC, proof)
        assert answer.status == 200 or \
            answer.error in ("invalid_dpop_proof", "use_dpop_nonce"), answer
        return answer.status == 200


class ProofAhead(Proof):
    ahead_s = SKEW_S - 1


class BrowserSession:
    def make(self, world):
        return Person(world.node).sign_in(ALICE)

    def is_taken(self, world, person):
        return person.open("/account").has("sign-out")


class SpectrumSession:
    def make(self, world):
        return session_token(world.node, ALICE)

    def is_taken(self, world, pair):
        return use(world.node, *pair).status == 200


# Those that age in a minute come last.
KINDS = [Code(), DeviceCode(), UserCode(), PushedRequest(), RefreshToken(), Link(), RecoveryCode(),
         Passkey(), BrowserSession(), SpectrumSession(), AssertionWithoutTime(), Assertion(),
         GrantAssertion(), Proof(), ProofAhead()]


def code_is_taken(world, code):
    return at_code(world.node, BOB).fill("code", code).press("sign-in").has("sign-out")


def check_authenticator(world, used):
    """The step of now and the next one may have been used. The one behind them works: within a
    minute, so far the server's clock is set ahead."""
    step = world.restored_at // 30
    for code in (used, totp(world.secret, at=step * 30), totp(world.secret, at=(step + 1) * 30)):
        assert not code_is_taken(world, code)
    library = f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketimeMT.so.1"
    plain, node = harness.find_plain_binary(), world.node
    if harness.is_sanitized(plain) or not os.path.exists(library):
        return
    at, now = (step + 2) * 30 + 1, int(time.time())
    assert at <= now + 60
    node.stop()
    node.binary = plain
    node.env.update({"LD_PRELOAD": library, "FAKETIME": f"+{max(at - now, 0)}s"})
    node.start()
    assert code_is_taken(world, totp(world.secret, at=max(at, time.time())))


def check_nonce(world, nonce):
    """RFC 9449 8: one of before is asked to be replaced, and a new one says that a proof is new."""
    holder = world.holder
    answer = holder.token(CREDENTIALS, CC, holder.proof(nonce=nonce, iat=world.now()))
    assert (answer.status, answer.error) == (400, "use_dpop_nonce"), answer
    at = world.restored_at + 1
    answer = holder.token(CREDENTIALS, CC, holder.proof(iat=at))
    assert (answer.status, answer.error) == (400, "use_dpop_nonce"), answer
    proof = holder.proof(iat=at, nonce=answer.header("DPoP-Nonce"))
    assert holder.token(CREDENTIALS, CC, proof).status == 200
    assert holder.token(CREDENTIALS, CC, proof).error == "invalid_dpop_proof"
    answer = holder.token(CREDENTIALS, CC, holder.proof(iat=at - 1))
    assert answer.error == "invalid_dpop_proof" and "restored" in answer.json["error_description"]


@pytest.fixture
def smtp():
    with SmtpServer() as server:
        yield server


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_rt_04_what_is_good_once_is_not_good_in_a_restored_store(mover, seeded_folder, smtp,
                                                                 engine):
    world, file = World(mover, seeded_folder, smtp), mover.folder / "file"
    node = world.node
    permanent = make(world.alice, scopes=(OPEN[0],))
    cases = [(kind, kind.make(world), kind.make(world)) for kind in KINDS]
    back_up(mover, file, node)
    # What is used after the mark is not known in the backup, nor is what was made after it.
    late = []
    for kind, spent, _ in reversed(cases):
        assert kind.is_taken(world, spent), kind
        late.append(kind.make(world))
    nonce = node.token(CREDENTIALS, client=CC, headers=world.holder.header()).header("DPoP-Nonce")
    wait_step()
    code = totp(world.secret)
    assert code_is_taken(world, code)
    world.restore(mover.new_folder() if engine == "sqlite" else mover.new_database(), file)
    assert node.is_active(permanent, OPEN) and node.client_token(CC, "read")
    for (kind, spent, left), made_later in zip(reversed(cases), late):
        for what in (spent, left, made_later):
            assert not kind.is_taken(world, what), kind
        assert kind.is_taken(world, kind.make(world)), kind
    check_nonce(world, nonce)
    check_authenticator(world, code)
    assert node.cli("audit", "verify").out.startswith("checked ")
    node.stop()
    node.assert_clean()

"""kill -9 under load: what was acknowledged is there after every restart.

The client issues, revokes and refreshes over 64 connections. Whatever the server acknowledged is
written to a file of facts and flushed to disk before it counts. In the middle of the load the
server is killed; it is started again on the same folder, and every fact is asked of it:

  issued    an acknowledged token that nobody asked to revoke is active
  revoked   an acknowledged revocation holds
  doubtful  a revocation that was under way at the kill: the token may be either, but stays so
  spent     a refresh token whose successor was acknowledged gives nothing any more; one that was
            under way at the kill still leads on, to its one successor

The last test sends one refresh token over 64 connections at once, 200 times in a row.
"""

import json
import os
import random
import threading

import pytest

from harness import ALICE, API, C1, CC, basic, form_encode, wait_until
from wire import TOO_BUSY, Wire, post

IS_CAMPAIGN = os.environ.get("JETON_CAMPAIGN") == "1"
KILL_COUNT = int(os.environ.get("JETON_KILLS", 1000)) if IS_CAMPAIGN else 30
TOKEN_COUNT_MIN = KILL_COUNT * 1000 if IS_CAMPAIGN else 20000
CONNECTION_COUNT = 64
FAMILY_COUNT = 64
ASKED_AT_ONCE = 10000  # more would be made for longer than a connection waits for its first one
DOUBTFUL_COUNT = 100  # of those known, asked again after each start
INACTIVE = b'{"active":false}'

ISSUE = post("/oauth2/token", "grant_type=client_credentials&scope=read", basic(*CC))


def revoke_request(token):
    return post("/oauth2/revoke", form_encode({"token": token}), basic(*CC))


def refresh_request(token):
    return post("/oauth2/token", form_encode({"grant_type": "refresh_token",
                                              "refresh_token": token}), basic(*C1))


def introspect_request(token):
    return post("/oauth2/introspect", form_encode({"token": token}), basic(*API))


class Facts:
    """Acknowledged facts, one a line, on disk before they count."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "a", encoding="ascii")  # noqa: SIM115
        self.reader = open(path, encoding="ascii")  # noqa: SIM115
        self.pending = []
        self.issued, self.revoked = set(), set()  # as the file has them

    def add(self, kind, *values):
        self.pending.append(" ".join((kind, *values)) + "\n")

    def flush(self):
        if self.pending:
            self.file.write("".join(self.pending))
            self.file.flush()
            os.fsync(self.file.fileno())
            self.pending.clear()

    def read(self):
        """Reads what the file has by now; the tokens that it says something of since the last time.
        """
        news = set()
        for line in self.reader:
            kind, token = line.split()
            (self.issued if kind == "issued" else self.revoked).add(token)
            news.add(token)
        return news


class Family:
    """A chain of refresh tokens: the newest acknowledged one, and those spent before it."""

    def __init__(self, body):
        self.newest = body["refresh_token"]
        self.access = [body["access_token"]]
        self.spent = []

    def advance(self, body):
        assert body["refresh_token"] != self.newest and body["refresh_token"] not in self.spent
        self.spent.append(self.newest)
        self.newest = body["refresh_token"]
        self.access.append(body["access_token"])


class Load:
    """What the client knows, and how it acts."""

    def __init__(self, facts, seed):
        self.facts = facts
        self.chance = random.Random(seed)
        self.issued_count = 0
        self.live = []          # acknowledged, not asked to be revoked
        self.doubtful = set()   # revocation under way when the server died
        self.families = []
        self.idle_families = []
        self.ended = []

    def act(self, wire, line):
        """Sends the next request on an idle connection."""
        roll = self.chance.random()
        if roll < 0.15 and self.idle_families:
            family = self.idle_families.pop()
            wire.send(line, refresh_request(family.newest), ("refresh", family))
        elif roll < 0.30 and len(self.live) > 100:
            at = self.chance.randrange(len(self.live))
            self.live[at], self.live[-1] = self.live[-1], self.live[at]
            token = self.live.pop()
            wire.send(line, revoke_request(token), ("revoke", token))
        else:
            wire.send(line, ISSUE, ("issue", None))

    def take(self, note, status, body):
        """Takes in one answer, or None for a request that the kill cut off. Where the disk was slow
        the server was too busy for some: nothing of theirs was done."""
        kind, subject = note
        if status in (None, TOO_BUSY):
            if kind == "refresh":
                self.idle_families.append(subject)
            elif kind == "revoke" and status is None:
                self.doubtful.add(subject)
            elif kind == "revoke":
                self.live.append(subject)
            return
        assert status == 200, (kind, status, body)
        if kind == "issue":
            token = json.loads(body)["access_token"]
            self.facts.add("issued", token)
            self.live.append(token)
            self.issued_count += 1
        elif kind == "revoke":
            self.facts.add("revoked", subject)
        else:
            subject.advance(json.loads(body))
            self.facts.add("issued", subject.access[-1])
            self.issued_count += 1
            self.idle_families.append(subject)

    def run(self, server, quota, end=None):
        """Loads the server until `quota` more tokens are acknowledged and it has been killed, or
        what end() does has killed it."""
        warm(server, CC)
        warm(server, C1)
        wire = Wire(server.port, CONNECTION_COUNT)
        for line in wire.lines:
            self.act(wire, line)
        until = self.issued_count + quota
        killer = None
        while wire.lines:
            came = wire.step()
            for line, status, body in came:
                if line.is_waiting or status is not None:
                    self.take(line.note, status, body)
                    line.is_waiting = False
            self.facts.flush()
            if killer is None and self.issued_count >= until:
                killer = threading.Timer(self.chance.uniform(0, 0.03),
                                         end or server.process.kill)
                killer.start()
            for line, status, _ in came:
                if status is not None:
                    self.act(wire, line)
        killer.join()
        server.process.wait()
        wire.close()


def warm(server, caller):
    """Its chosen secret is hashed once, and not by many requests at once, which a slow machine
    would turn away; then it is known."""
    ask = server.introspect if caller == API else server.revoke
    wait_until(lambda: ask("nothing", caller).status == 200, 10, "a secret is hashed")


def ask_active(server, tokens):
    """token → active, for many tokens."""
    tokens, answers = list(tokens), []
    warm(server, API)
    for begin in range(0, len(tokens), ASKED_AT_ONCE):
        requests = [introspect_request(token) for token in tokens[begin:begin + ASKED_AT_ONCE]]
        wire = Wire(server.port, 16)
        answers += wire.ask_all(requests)
        wire.close()
    assert all(status == 200 for status, _ in answers)
    return {token: body != INACTIVE for token, (_, body) in zip(tokens, answers)}


def assert_facts(server, load, verdicts, only=None):
    """Every fact, or those about the tokens in `only`, and of the doubtful ones a part."""
    load.facts.read()
    revoked = load.facts.revoked
    ended = {token for family in load.ended for token in family.access}
    if only is None:
        active = ask_active(server, load.facts.issued | load.doubtful)
    else:
        known = sorted(token for token in load.doubtful if token in verdicts)
        active = ask_active(server, only.union(load.doubtful.difference(known), load.chance.sample(
            known, min(len(known), DOUBTFUL_COUNT))))
    lost = [token for token, is_active in active.items() if not is_active
            and token not in revoked and token not in load.doubtful and token not in ended]
    risen = [token for token, is_active in active.items() if is_active
             and (token in revoked or token in ended)]
    assert not lost, f"{len(lost)} acknowledged tokens are lost"
    assert not risen, f"{len(risen)} ended tokens are alive again"
    for token in load.doubtful.intersection(active):
        assert verdicts.setdefault(token, active[token]) == active[token], "both at once"


def assert_chains_lead_on(server, load):
    """Each family's newest token gives its successor, also where the kill cut off the answer."""
    warm(server, C1)
    wire = Wire(server.port, 16)
    families = load.families
    answers = wire.ask_all([refresh_request(family.newest) for family in families])
    wire.close()
    for family, (status, body) in zip(families, answers):
        assert status == 200, (status, body)
        family.advance(json.loads(body))
        load.facts.add("issued", family.access[-1])
    load.facts.flush()


def assert_spent(server, load, family):
    """A spent token gives nothing, and its use ends the family (RFC 9700 4.14.2)."""
    answer = server.refresh(load.chance.choice(family.spent[:-1]), C1)
    assert (answer.status, answer.error) == (400, "invalid_grant"), answer
    answer = server.refresh(family.newest, C1)
    assert (answer.status, answer.error) == (400, "invalid_grant"), answer
    load.families.remove(family)
    load.idle_families.remove(family)
    load.ended.append(family)


def let_tokens_live(server):
    """For as long as a campaign takes."""
    server.cli("service", "set", API[0], "--lifetime", "86400")


def log_in(server, count):
    """Families to begin with; each costs one password hash."""
    form = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1], "scope": "read"}
    families = []
    for _ in range(count):
        answer = server.token(form, client=C1)
        assert answer.status == 200, answer
        families.append(Family(answer.json))
    return families


def test_figure_6_kill_9_under_load(new_server, plain_binary, tmp_path):
    server = new_server(start=False, binary=plain_binary)
    let_tokens_live(server)
    server.start()
    load = Load(Facts(tmp_path / "facts"), seed=6)
    load.families = log_in(server, FAMILY_COUNT)
    load.idle_families = list(load.families)
    verdicts = {}
    kill_count = 0
    quota = TOKEN_COUNT_MIN // KILL_COUNT + 1
    while kill_count < KILL_COUNT or load.issued_count < TOKEN_COUNT_MIN:
        load.facts.read()
        load.run(server, load.chance.randint(quota // 2, quota * 2))
        kill_count += 1
        server.assert_clean()
        server.log_path.unlink()  # one of a million lines would be slow to look at
        server.start()
        news = load.facts.read()
        assert_chains_lead_on(server, load)
        assert_facts(server, load, verdicts, news)
        assert_spent(server, load, load.chance.choice(
            [family for family in load.families if len(family.spent) > 1]))
        if len(load.families) < FAMILY_COUNT // 2:
            load.families += log_in(server, 1)
            load.idle_families.append(load.families[-1])
    assert_facts(server, load, verdicts)
    assert len(load.facts.issued) >= TOKEN_COUNT_MIN and len(load.facts.revoked) > 1000
    for family in [family for family in load.families if len(family.spent) > 1]:
        assert_spent(server, load, family)
    assert_facts(server, load, verdicts,
                 {token for family in load.ended for token in family.access})


@pytest.mark.parametrize("round_count", [200])
def test_rt_03_64_parallel_refreshes_have_one_successor(new_server, plain_binary, round_count):
    """All 64 are answered, all with the same successor; it is the only one, and it leads on."""
    server = new_server(binary=plain_binary)
    family = log_in(server, 1)[0]
    wire = Wire(server.port, CONNECTION_COUNT)
    for _ in range(round_count):
        answers = wire.ask_all([refresh_request(family.newest)] * CONNECTION_COUNT)
        assert {status for status, _ in answers} == {200}, answers
        bodies = {body for _, body in answers}
        successors = {json.loads(body)["refresh_token"] for body in bodies}
        assert len(successors) == 1, successors
        assert len({json.loads(body)["access_token"] for body in bodies}) == 1
        family.advance(json.loads(answers[0][1]))
    wire.close()
    active = ask_active(server, family.access)
    assert all(active.values())
    answer = server.refresh(family.spent[0], C1)
    assert (answer.status, answer.error) == (400, "invalid_grant"), answer
    assert not any(ask_active(server, family.access).values())

"""Load on several nodes, and a model of what was acknowledged that every answer is held against.

What was acknowledged stays, whatever breaks meanwhile: a token that was issued is active until
somebody asks for its revocation; one that was revoked is inactive, at the same node at once and at
any other a second later; what was spent is spent. Between a request that got no answer, or was told
503, and the next one that was answered either may be true. An answer of 200 that says otherwise is
a false one, and any status but 200, 400 and 503 is a wrong one.
"""

import random
import threading
import time

from dpop import Key
from lines import Line, Lines
from nodes import APP
from pulse import Pulse

SEEN_S = 1.0           # by when the other nodes know
SLACK_S = 0.3          # of this program's own clock readings
ANSWER_S = 2.0         # by when there is an answer, 503 if nothing better
GIVE_UP_S = 8.0
WELL_AGAIN_S = 10.0    # by when nobody is told 503 any more, once the load has ended


class Token:
    def __init__(self, value, issued_at, node):
        self.value, self.issued_at, self.node = value, issued_at, node
        self.asked_at = None    # when its revocation was asked for first
        self.revoked_at = None  # when that was acknowledged
        self.revoked_by = None


class Chain:
    """A family of refresh tokens that one worker goes along."""

    def __init__(self, value):
        self.value = value
        self.spent = []  # (value, when it was acknowledged that it is)
        self.is_uncertain = False
        self.is_lost = False


class Model:
    def __init__(self):
        self.lock = threading.Lock()
        self.tokens = []
        self.proofs = []      # DPoP proofs that were taken
        self.wrongs = []
        self.replies = []     # (node, what, status, sent_at, came_at)
        self.excuses = []     # (node, from, to): nobody expects an answer in time
        self.pulse = Pulse()

    def wrong(self, text):
        with self.lock:
            self.wrongs.append(text)

    def note(self, what, reply):
        with self.lock:
            self.replies.append((reply.node, what, reply.status, reply.sent_at, reply.came_at))
        if reply.status not in (200, 400, 503, None):
            self.wrong(f"{what}: {reply}")

    def choose(self, is_living):
        with self.lock:
            if not self.tokens:
                return None
            for _ in range(8):
                token = random.choice(self.tokens)
                if not is_living or token.asked_at is None:
                    return token
        return None

    def judge(self, token, reply):
        """An introspection of a token."""
        if reply.status != 200:
            return
        if reply.is_active:
            grace = 0 if reply.node == token.revoked_by else SEEN_S + SLACK_S
            if token.revoked_at is not None and token.revoked_at + grace < reply.sent_at:
                late = reply.sent_at - token.revoked_at
                self.wrong(f"active {late:.3f} s after node {token.revoked_by} said it was revoked:"
                           f" {reply}")
        elif token.asked_at is None:
            self.wrong(f"inactive, but nobody revoked it: {reply}, issued at node {token.node}")

    # -- what came of it ---------------------------------------------------------------------------

    def late(self):
        """Requests that were not answered in time, but for those with an excuse."""
        return [(node, what, status, round(came_at - sent_at, 3))
                for node, what, status, sent_at, came_at in self.replies
                if came_at - sent_at > ANSWER_S + SLACK_S + self.pulse.lost(sent_at, came_at)
                and not any(where in (None, node) and sent_at < end and came_at > start
                            for where, start, end in self.excuses)]

    def count(self, status, what=None, since=0.0, node=None):
        return sum(1 for where, kind, had, sent_at, _ in self.replies
                   if had == status and what in (None, kind) and sent_at >= since
                   and node in (None, where))

    def back_at(self, node, whats, since):
        """When the first of each kind that was sent after `since` had succeeded there, if the
        machine had let everything run that whole time."""
        firsts = []
        for what in whats:
            came = [came_at for where, kind, status, sent_at, came_at in self.replies
                    if where == node and kind == what and status == 200 and sent_at >= since]
            firsts.append(min(came, default=float("inf")))
        back_at = max(firsts)
        return max(since, back_at - self.pulse.lost(since, back_at))

    def longest(self, status):
        return max((came_at - sent_at for _, _, had, sent_at, came_at in self.replies
                    if had == status), default=0.0)


def ask_until_told(lines, requests):
    """The replies in order. Who is told 503 asks again: a node that the machine kept from its
    database for a second does not answer from memory, and says nothing false by that."""
    until = time.monotonic() + WELL_AGAIN_S
    replies = lines.ask_all(requests)
    while time.monotonic() < until:
        again = [at for at, reply in enumerate(replies) if reply.status == 503]
        if not again:
            break
        for at, reply in zip(again, lines.ask_all([requests[at] for at in again])):
            replies[at] = reply
    return replies


class Load:
    """Threads that ask nodes for all kinds of things until they are stopped."""

    def __init__(self, town, model=None, thread_count=4, pause_s=0.002, nodes=None, seed=1):
        self.town, self.model = town, model or Model()
        self.pause_s = pause_s
        self.is_stopping = threading.Event()
        self.nodes = list(range(len(town.nodes))) if nodes is None else nodes
        self.chains = []
        self.key = Key()
        self.fresh = town.refresh_tokens(thread_count * len(self.nodes) * 2)
        self.threads = [threading.Thread(target=self.work, args=(seed * 1000 + number,),
                                         daemon=True)
                        for number in range(thread_count * len(self.nodes))]

    def start(self):
        self.model.pulse.start()
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.is_stopping.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        self.model.pulse.stop()
        return self.model

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def work(self, seed):
        chance = random.Random(seed)
        home = self.nodes[seed % len(self.nodes)]
        lines = {number: Line(number, node.address) for number, node in enumerate(self.town.nodes)}
        chain = self.new_chain()
        # In turn at each kind of thing, so that each is asked often wherever the time is short.
        kinds = [self.issue, self.introspect, self.introspect, self.revoke, self.introspect]
        turn = seed
        while not self.is_stopping.is_set():
            turn += 1
            line = lines[home]
            if turn % 12 == 3:
                self.prove(line)
            elif turn % 6 == 0:
                self.refresh(line, chain)
                chain = self.new_chain() if chain.is_lost else chain
            else:
                kinds[turn % len(kinds)](line)
            if line.socket is None:
                time.sleep(0.02)  # nobody is there
            if self.pause_s:
                time.sleep(chance.uniform(0, 2 * self.pause_s))
        for line in lines.values():
            line.close()

    def new_chain(self):
        chain = Chain(None)
        with self.model.lock:
            if self.fresh:
                chain.value = self.fresh.pop()
            self.chains.append(chain)
        return chain

    # -- one thing each ----------------------------------------------------------------------------

    def issue(self, line):
        reply = line.ask(self.town.nodes[0].wire_issue(), GIVE_UP_S)
        self.model.note("issue", reply)
        if reply.status == 200:
            token = Token(reply.member("access_token"), reply.came_at, reply.node)
            with self.model.lock:
                self.model.tokens.append(token)

    def introspect(self, line):
        token = self.model.choose(is_living=False)
        if token is None:
            return
        reply = line.ask(self.town.nodes[0].wire_introspect(token.value), GIVE_UP_S)
        self.model.note("introspect", reply)
        self.model.judge(token, reply)

    def revoke(self, line):
        with self.model.lock:
            living = [token for token in random.sample(self.model.tokens,
                                                       min(8, len(self.model.tokens)))
                      if token.asked_at is None]
            if not living:
                return
            token = living[0]
            token.asked_at = time.monotonic()
        reply = line.ask(self.town.nodes[0].wire_revoke(token.value), GIVE_UP_S)
        self.model.note("revoke", reply)
        if reply.status == 200:
            token.revoked_by, token.revoked_at = reply.node, reply.came_at

    def refresh(self, line, chain):
        if chain.value is None:
            return
        reply = line.ask(self.town.nodes[0].wire_refresh(chain.value), GIVE_UP_S)
        self.model.note("refresh", reply)
        if reply.status == 200:
            chain.spent.append((chain.value, reply.came_at))
            chain.value = reply.member("refresh_token")
            chain.is_uncertain = False
        elif reply.status == 400:
            # Spent by a request that got no answer, and longer ago than may be asked again.
            if not chain.is_uncertain:
                self.model.wrong(f"a refresh token that nobody spent: {reply}")
            chain.is_lost = True
        else:
            chain.is_uncertain = True

    def prove(self, line):
        """A proof that was not seen yet, or one that was, maybe by another node."""
        model, node = self.model, self.town.nodes[0]
        with model.lock:
            is_old = len(model.proofs) > 4 and random.random() < 0.5
            proof = random.choice(model.proofs) if is_old else None
        proof = proof or self.key.proof("POST", self.town.issuer + "/oauth2/token")
        reply = line.ask(node.wire("POST", "/oauth2/token",
                                   "grant_type=client_credentials&scope=read", [("DPoP", proof)],
                                   APP), GIVE_UP_S)
        model.note("prove again" if is_old else "prove", reply)
        if reply.status == 200 and is_old:
            model.wrong(f"a proof was good twice: {reply}")
        elif reply.status == 200:
            with model.lock:
                model.proofs.append(proof)
        elif reply.status == 400 and not is_old:
            model.wrong(f"a proof that nobody used: {reply}")

    # -- afterwards --------------------------------------------------------------------------------

    def check(self):
        """All that was acknowledged, at each node; that nothing was wrong, and nothing late."""
        model = self.model
        assert not any(thread.is_alive() for thread in self.threads)
        for number, node in enumerate(self.town.nodes):
            with Lines([node.address], 8) as lines:
                for line in lines.lines:
                    line.node = number
                replies = ask_until_told(lines, [node.wire_introspect(token.value)
                                                 for token in model.tokens])
                spent = ask_until_told(lines, [node.wire_refresh(value)
                                               for value in self.long_spent()])
            for token, reply in zip(model.tokens, replies):
                if reply.status != 200:
                    model.wrong(f"afterwards: {reply}")
                model.judge(token, reply)
            for reply in spent:
                if reply.status != 400:
                    model.wrong(f"spent and good again: {reply}")
        assert not model.wrongs, f"{len(model.wrongs)} wrong: {model.wrongs[:8]}"
        late = model.late()
        assert not late, f"{len(late)} late: {late[:8]}"

    def long_spent(self):
        """Of each family the token that was spent first, if its successor was spent as well: from
        then on nobody is given that one again."""
        return [chain.spent[0][0] for chain in self.chains
                if not chain.is_lost and len(chain.spent) > 1]

"""The workloads. Each is a row: contenders that are measured one after the other in every round,
the one that the others are compared with, and the goal for Jeton."""

import time
from dataclasses import dataclass, field

import jeton
from servers import Request, Skip

CONNECTIONS = 64
REVOKE_COUNT = 30000
FLOOD_PACE = 10000
GROWTH_ISSUE_COUNT = 20000


@dataclass
class Row:
    """One workload. `contenders` maps names to what measures them once and returns figures."""

    name: str
    title: str
    contenders: dict = field(default_factory=dict)
    base: str = "nginx"     # the ratio is to this contender's figure of the same round
    goal: float | None = None
    of: str = "rate"        # the figure that is compared
    goal_is_most: bool = False
    latency_goal: float | None = None  # p99 at most this many times the base's
    note: str = ""


# name, cores of the server, instances of Jeton that it needs
NEEDS = {
    "introspect-1": ["one"],
    "introspect-100k": ["100k"],
    "introspect-1m": ["1m"],
    "forward-auth-1m": ["1m"],
    "discovery": ["one"],
    "client-credentials": ["two"],
    "client-credentials-es256": ["two"],
    "refresh": ["two"],
    "revoke": ["two"],
    "password": ["two"],
    "spectrum-open": ["two"],
    "spectrum-session": ["two"],
    "spectrum-use": ["two"],
    "3dm-password": ["two"],
    "flood": ["two"],
    "flood-paced": ["two"],
    "postgres-issue": ["two", "pg", "pg2"],
    "postgres-introspect": ["two", "pg", "pg2"],
    "postgres-refresh": ["two", "pg", "pg2"],
    "postgres-revoke": ["two", "pg", "pg2"],
    "postgres-password": ["two", "pg", "pg2"],
    "growth-introspect": ["growth-100k", "growth-10m"],
    "growth-issue": ["growth-100k", "growth-10m"],
    "growth-postgres-introspect": ["pg-100k", "pg-10m"],
    "growth-postgres-issue": ["pg-100k", "pg-10m"],
}
LIVE_COUNTS = {"one": 0, "two": 0, "100k": 100000, "1m": 1000000, "pg": 0, "pg2": 0,
               "growth-100k": 100000, "growth-10m": 10000000, "pg-100k": 100000,
               "pg-10m": 10000000}
ON_REQUEST = ("growth-",)  # ten million rows take a while: only when they are asked for
KNOWN_COUNT = 100000  # values that are kept where the others were written as rows
SERVER_CORE, LOAD_CORE = "0", "1"


class Workloads:
    """Builds the rows from what runs: `bench` is run.py's Bench."""

    def __init__(self, bench):
        self.bench = bench
        self.made = set()  # files of this run

    def build(self, name):
        return getattr(self, "row_" + name.replace("-", "_").replace("3dm", "threedm"))()

    # ---- helpers ----------------------------------------------------------------------------

    def one_core(self, instance, request):
        """nginx and Jeton on one core, the generator on the other."""
        size = jeton.answer_size(instance.port, request)
        ceiling = self.bench.nginx_one
        constant = self.at(request, ceiling.answer_path(size))
        return {
            "nginx": lambda: self.bench.load(ceiling.server, constant, cores=LOAD_CORE),
            "Jeton": lambda: self.bench.load(instance.server, request, cores=LOAD_CORE),
        }

    def at(self, request, path):
        """The same request to nginx's path with an answer of the same size."""
        first, _, rest = request.text.partition("\r\n")
        method = first.split()[0]
        return Request(f"{method} {path} HTTP/1.1\r\n{rest}", request.values)

    def two_core_ceiling(self, instance, request):
        size = jeton.answer_size(instance.port, request)
        ceiling = self.bench.nginx_two
        constant = self.at(request, ceiling.answer_path(size))
        return lambda: self.bench.load(ceiling.server, constant)

    def add_peers(self, row, kind):
        """The peers that can do this; one core each when the row is a one-core row."""
        for peer in self.bench.peers:
            request = peer.requests().get(kind)
            if request is None:
                continue
            if kind == "introspect":
                request.values = self.bench.peer_values(peer)
                row.contenders[peer.name] = lambda peer=peer, request=request: (
                    self.bench.load_pinned(peer, request))
            else:
                row.contenders[peer.name] = lambda peer=peer, request=request: (
                    self.bench.load(peer.server, request))

    def opaque(self, instance):
        return lambda: self.bench.load(instance.server, jeton.issue_request())

    # ---- one core ---------------------------------------------------------------------------

    def row_introspect(self, name, title, instance):
        if not instance.values.exists():
            instance.issue_values(self.bench.load, instance.values, 1, connections=1)
        request = jeton.introspect_request(instance.values)
        return Row(name, title, self.one_core(instance, request), goal=0.80, latency_goal=2.0)

    def row_introspect_1(self):
        return self.row_introspect("introspect-1", "introspection, 1 token",
                                   self.bench.instances["one"])

    def row_introspect_100k(self):
        row = self.row_introspect("introspect-100k",
                                  "introspection, 100,000 live tokens at random",
                                  self.bench.instances["100k"])
        self.add_peers(row, "introspect")
        return row

    def row_introspect_1m(self):
        return self.row_introspect("introspect-1m",
                                   "introspection, 1,000,000 live tokens at random",
                                   self.bench.instances["1m"])

    def row_forward_auth_1m(self):
        instance = self.bench.instances["1m"]
        request = jeton.forward_auth_request(instance.values)
        return Row("forward-auth-1m", "forward-auth, 1,000,000 live tokens at random",
                   self.one_core(instance, request), goal=0.80)

    def row_discovery(self):
        return Row("discovery", "discovery document",
                   self.one_core(self.bench.instances["one"], jeton.metadata_request()))

    # ---- two cores --------------------------------------------------------------------------

    def row_client_credentials(self):
        instance = self.bench.instances["two"]
        request = jeton.issue_request()
        row = Row("client-credentials", "client_credentials, opaque, on disk", goal=0.25)
        row.contenders["nginx"] = self.two_core_ceiling(instance, request)
        row.contenders["Jeton"] = self.opaque(instance)
        self.add_peers(row, "issue")
        return row

    def row_client_credentials_es256(self):
        instance = self.bench.instances["two"]
        request = jeton.issue_request("sign")
        row = Row("client-credentials-es256", "client_credentials, ES256 JWT, on disk",
                  base="Jeton, opaque", goal=0.75)
        row.contenders["nginx"] = self.two_core_ceiling(instance, request)
        row.contenders["Jeton, opaque"] = self.opaque(instance)
        row.contenders["Jeton"] = lambda: self.bench.load(instance.server, request)
        row.contenders["openssl speed, one core"] = self.bench.ecdsa
        self.add_peers(row, "client-credentials-es256")
        return row

    def row_refresh(self):
        instance = self.bench.instances["two"]
        instance.begin_chains(self.bench.load, CONNECTIONS)
        row = Row("refresh", "refresh with rotation, on disk", base="Jeton, opaque", goal=0.6)
        row.contenders["nginx"] = self.two_core_ceiling(instance, jeton.issue_request())
        row.contenders["Jeton, opaque"] = self.opaque(instance)
        row.contenders["Jeton"] = lambda: self.bench.load(
            instance.server, jeton.refresh_request(instance.chains))
        self.add_peers(row, "refresh")
        return row

    def row_revoke(self):
        instance = self.bench.instances["two"]
        values = instance.folder / "revoke"

        def measure():
            instance.issue_values(self.bench.load, values, REVOKE_COUNT)
            return self.bench.load(instance.server, jeton.revoke_request(values))

        row = Row("revoke", "revocation, on disk", base="Jeton, opaque", goal=0.8)
        row.contenders["Jeton, opaque"] = self.opaque(instance)
        row.contenders["Jeton"] = measure
        return row

    def row_sign_in(self, name, title, request, goal=0.95):
        """Every token costs a password hash, so the hash alone is the measure."""
        instance = self.bench.instances["two"]
        row = Row(name, title, base="Argon2id alone", goal=goal)
        row.contenders["Argon2id alone"] = self.bench.argon2
        row.contenders["Jeton"] = lambda: self.bench.load(instance.server, request, connections=4)
        return row

    def row_password(self):
        return self.row_sign_in("password", "password grant", jeton.password_request())

    def row_spectrum_open(self):
        return self.row_sign_in("spectrum-open", "Spectrum, open token (JWE)",
                                jeton.spectrum_request("60"))

    def row_spectrum_session(self):
        return self.row_sign_in("spectrum-session", "Spectrum, session token (JWE)",
                                jeton.spectrum_request("session/60"))

    def row_threedm_password(self):
        # An RSA signature comes on top, a tenth of a hash: no goal was set for the two together.
        return self.row_sign_in("3dm-password", "3DM, password grant (RS256, refresh)",
                                jeton.threedm_request(), goal=None)

    def row_spectrum_use(self):
        instance = self.bench.instances["two"]
        row = Row("spectrum-use", "forward-auth with a session token and its cookie, one session",
                  base="nginx", goal=0.25)
        request = jeton.session_use_request(*instance.begin_session())
        row.contenders["nginx"] = self.two_core_ceiling(instance, request)
        row.contenders["Jeton"] = lambda: self.bench.load(instance.server, request)
        return row

    def row_flood(self, name="flood", pace=None):
        instance = self.bench.instances["two"]
        if not instance.values.exists():
            instance.issue_values(self.bench.load, instance.values, 10000)
        request = jeton.introspect_request(instance.values)
        more = ["--rate", pace] if pace else []

        def alone():
            return self.bench.load(instance.server, request, connections=32, more=more)

        def flooded():
            flood = self.bench.load_behind(instance.server, jeton.password_request(),
                                           connections=32)
            time.sleep(0.3)
            try:
                return self.bench.load(instance.server, request, connections=32, more=more)
            finally:
                flood.terminate()
                flood.communicate()

        title = "introspection under a flood of logins"
        if pace:
            title += f", {pace:,}/s asked for"
        return Row(name, title, {"without the flood": alone, "Jeton": flooded},
                   base="without the flood", of="p99_us", goal=1.5, goal_is_most=True)

    def row_flood_paced(self):
        return self.row_flood("flood-paced", FLOOD_PACE)


    # ---- PostgreSQL beside SQLite -----------------------------------------------------------

    def row_on_postgres(self, name, title, prepare, goal=None, connections=CONNECTIONS):
        """prepare(instance, port, path) makes a request for one server of an instance; what it
        needs is made before each measurement."""
        row = Row(name, title, base="SQLite", goal=goal)
        names = {"SQLite": "two", "Jeton": "pg", "Jeton, two nodes": "pg2"}

        def measure(instance):
            pairs = []
            for number, server in enumerate(instance.all_servers()):
                request = prepare(instance, server, instance.folder / f"{name}-{number}")
                pairs.append((server, request))
            return self.bench.load_all(pairs, instance.database, connections)

        for contender, need in names.items():
            instance = self.bench.instances[need]
            row.contenders[contender] = lambda instance=instance: measure(instance)
        return row

    def values_of(self, instance, server, path, count):
        """Values of fresh tokens, made through that server."""
        self.bench.load(server, jeton.issue_request(), seconds=60,
                        more=["--count", count, "--member", "access_token", "--save", path])
        return path

    def row_postgres_issue(self):
        return self.row_on_postgres(
            "postgres-issue", "PostgreSQL: client_credentials, opaque, on disk",
            lambda instance, server, path: jeton.issue_request(), goal=0.5)

    def row_postgres_introspect(self):
        def prepare(instance, server, path):
            if not path.exists() or path not in self.made:
                self.made.add(self.values_of(instance, server, path, 10000))
            return jeton.introspect_request(path)
        return self.row_on_postgres("postgres-introspect", "PostgreSQL: introspection", prepare)

    def row_postgres_refresh(self):
        def prepare(instance, server, path):
            if path not in self.made:
                self.bench.load(server, jeton.password_request(), seconds=60, connections=2,
                                more=["--count", CONNECTIONS, "--member", "refresh_token",
                                      "--save", path])
                self.made.add(path)
            return jeton.refresh_request(path)
        return self.row_on_postgres("postgres-refresh",
                                    "PostgreSQL: refresh with rotation, on disk", prepare)

    def row_postgres_revoke(self):
        return self.row_on_postgres(
            "postgres-revoke", "PostgreSQL: revocation, on disk",
            lambda instance, server, path: jeton.revoke_request(
                self.values_of(instance, server, path, REVOKE_COUNT)))

    def row_postgres_password(self):
        return self.row_on_postgres("postgres-password", "PostgreSQL: password grant",
                                    lambda instance, server, path: jeton.password_request(),
                                    connections=4)

    # ---- from 100,000 to 10,000,000 live tokens ---------------------------------------------

    def row_growth(self, name, title, request_of, more=()):
        """Time per request may grow by half: the rate is at least two thirds."""
        few, many = (self.bench.instances[need] for need in NEEDS[name])
        engine = "PostgreSQL" if many.database else "SQLite"
        row = Row(name, f"{title}, {many.made_count():,} live tokens, {engine}", goal=2 / 3,
                  base=f"{few.made_count():,} live tokens")
        for contender, instance in ((row.base, few), ("Jeton", many)):
            row.contenders[contender] = lambda instance=instance: self.bench.load(
                instance.server, request_of(instance), cores=LOAD_CORE,
                database=instance.database, more=more)
        return row

    def row_growth_introspect(self, name="growth-introspect"):
        return self.row_growth(name, "introspection at random",
                               lambda instance: jeton.introspect_request(instance.values))

    def row_growth_issue(self, name="growth-issue"):
        return self.row_growth(name, "client_credentials",
                               lambda instance: jeton.issue_request(),
                               more=["--count", GROWTH_ISSUE_COUNT])

    def row_growth_postgres_introspect(self):
        return self.row_growth_introspect("growth-postgres-introspect")

    def row_growth_postgres_issue(self):
        return self.row_growth_issue("growth-postgres-issue")


def check(result, name):
    """Refuses figures of answers that were not what was asked for."""
    bad = {status: count for status, count in result["status"].items() if status != "200"}
    if bad:
        raise Skip(f"{name} answered {bad}")
    if result["unexpected"]:
        raise Skip(f"{name}: {result['unexpected']} of {result['answers']} answers were not "
                   "what was expected")
    if result["unanswered"]:
        raise Skip(f"{name} left {result['unanswered']} requests without an answer")

"""Figure 14: a server at seven tenths of what it can do, watched for what grows."""

import re
import statistics
import time
import urllib.request

import stores
from harness import API, CC, KNOWN_SECRETS, free_port
from load import INTROSPECT, ISSUE, LOAD_CORE, SERVER_CORE, descriptor_count, memory_kib

SHARE = 0.7
LIFETIME_S = 5          # of tokens, so that as many end as begin once it is warm
WARMUP_SHARE = 0.4
SLOPE_KIB_MAX = 1024    # between the two halves of what is left
DESCRIPTOR_SLACK = 4    # a listener's newcomer, a command's connection
LOG_KIB_MAX = 80 * 1024        # of SQLite: journal_size_limit, and what one transaction adds
EVENT_BYTES_MAX = 64           # of the database for each answer: the event that tells of it
SWEEP_S = 3                    # real ones, that an expired token is not swept yet
KEPT_S = 60                    # that it is kept after its end, but no longer than it lived
LIVE_BYTES_MAX = 80            # of the live-token table for each record


class Sample:
    """What a server has at one moment."""

    def __init__(self, at, server, metrics_port):
        self.at = at
        self.kib = memory_kib(server.pid, "RssAnon")
        self.descriptors = descriptor_count(server.pid)
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics",
                                    timeout=30) as answer:
            metrics = dict(re.findall(r"^(\w+) (\d+)$", answer.read().decode(), re.M))
        self.live_count = int(metrics["jeton_live_tokens"])
        self.live_kib = int(metrics["jeton_live_token_bytes"]) / 1024
        self.file_kib, self.log_kib = (
            path.stat().st_size / 1024 if path.exists() else 0
            for path in (server.data / "jeton.db", server.data / "jeton.db-wal"))

    def __repr__(self):
        return (f"{self.at:.1f} s: {self.kib} KiB, {self.descriptors}, {self.live_count} in "
                f"{self.live_kib:.0f}, {self.file_kib:.0f} + {self.log_kib:.0f}\n")


class Result:
    def __init__(self, seconds, speed, samples, loads, token_rows):
        self.seconds, self.lifetime_s = seconds, LIFETIME_S / speed
        self.kept_s = min(LIFETIME_S, KEPT_S) / speed
        self.samples, self.loads, self.token_rows = samples, loads, token_rows
        measured = [one for one in samples if one.at >= WARMUP_SHARE * seconds]
        half = len(measured) // 2
        parts = measured[:half], measured[half:]
        self.halves = [statistics.median(one.kib for one in part) for part in parts]
        # How many tokens live follows the rate, which others on the machine change.
        self.beside = [statistics.median(one.kib - one.live_kib for one in part) for part in parts]
        counts = [one.descriptors for one in measured]
        self.descriptors = min(counts), max(counts)
        self.measured = measured

    @property
    def slope_kib(self):
        return self.halves[1] - self.halves[0]

    @property
    def issued_rate(self):
        return self.loads[0]["answers"] / self.seconds

    @property
    def answers(self):
        return sum(load["answers"] for load in self.loads)

    def words(self):
        last = self.samples[-1]
        return (f"{self.seconds} s, {self.answers} answers, memory {self.halves[0]:.0f} KiB and "
                f"{self.slope_kib:+.0f} after it was warm, {self.beside[1] - self.beside[0]:+.0f} "
                f"without live tokens; descriptors {self.descriptors[0]} to {self.descriptors[1]}; "
                f"{self.token_rows} rows of tokens, database {last.file_kib:.0f} KiB and "
                f"{last.log_kib:.0f} of log")

    def check(self, slope_kib_max=SLOPE_KIB_MAX):
        for load in self.loads:
            assert set(load["status"]) == {"200"} and load["unexpected"] == 0, load
            assert load["reconnects"] == 0 and load["unanswered"] == 0, load
        assert self.slope_kib <= slope_kib_max, (self.words(), self.samples)
        assert self.beside[1] - self.beside[0] <= SLOPE_KIB_MAX, (self.words(), self.samples)
        assert self.descriptors[1] - self.descriptors[0] <= DESCRIPTOR_SLACK, self.words()
        self._check_tokens()
        self._check_store()

    def _check_tokens(self):
        """The table has what lives, and its memory follows that."""
        for one in self.measured:
            assert one.live_kib * 1024 <= LIVE_BYTES_MAX * one.live_count + (2 << 20), one
        # As many as are issued in their life and a turn of the sweep, at twice the usual pace.
        allowed = 2 * self.issued_rate * (self.lifetime_s + SWEEP_S)
        assert max(one.live_count for one in self.measured) <= allowed, self.samples
        allowed += 2 * self.issued_rate * self.kept_s
        assert self.token_rows <= allowed, self.words()

    def _check_store(self):
        if stores.is_postgresql():
            return
        first, last = self.measured[0], self.measured[-1]
        told = self.issued_rate * (last.at - first.at)
        assert max(one.log_kib for one in self.samples) <= LOG_KIB_MAX, self.samples
        # The audit trail alone grows, as long as nothing says how long it is kept.
        assert (last.file_kib - first.file_kib) * 1024 <= EVENT_BYTES_MAX * told + (1 << 20), \
            (self.words(), self.samples)


def run(new_server, binary, load, seconds, env=None, args=(), speed=1):
    """Issues and introspects at SHARE of the capacity. Nothing is rotated: the live-token table
    keeps refresh tokens, and what was issued beside them, for two hours (token/live.h)."""
    metrics_port = free_port()
    server = new_server(binary=binary, prefix=["taskset", "-c", SERVER_CORE], env=env or {},
                        args=["--metrics-listen", f"127.0.0.1:{metrics_port}", *args], start=False)
    server.cli("service", "set", API[0], "--lifetime", str(LIFETIME_S))
    server.start()
    server.secrets.update(KNOWN_SECRETS)
    token = server.client_token(CC, "read")["access_token"]
    rate = load.run(server.port, ISSUE, 2, connections=64, cores=LOAD_CORE)["rate"]
    parts = [
        load.begin(server.port, ISSUE, seconds, connections=32, rate=SHARE * 0.5 * rate,
                   cores=LOAD_CORE),
        # Ended or not, it is answered; most of it from memory.
        load.begin(server.port, INTROSPECT, seconds, connections=16, rate=SHARE * rate,
                   values=[token], cores=LOAD_CORE)]
    began, samples = time.monotonic(), []
    pause_s = max(0.25, seconds / 1000)
    while any(part.poll() is None for part in parts):
        at = time.monotonic() - began
        if at < seconds - 0.5:
            samples.append(Sample(at, server, metrics_port))
        time.sleep(pause_s)
    rows = int(server.query("SELECT count(*) FROM token")[0][0])
    return Result(seconds, speed, samples, [load.finish(part) for part in parts],
                  rows)

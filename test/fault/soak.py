"""Figure 14: a server at seven tenths of what it can do, watched for what grows."""

import statistics
import time

from harness import API, CC, KNOWN_SECRETS
from load import INTROSPECT, ISSUE, LOAD_CORE, SERVER_CORE, descriptor_count, memory_kib

SHARE = 0.7
LIFETIME_S = 5          # of tokens, so that as many end as begin once it is warm
WARMUP_SHARE = 0.4
SLOPE_KIB_MAX = 1024    # between the two halves of what is left
DESCRIPTOR_SLACK = 4    # a listener's newcomer, a command's connection


class Result:
    def __init__(self, seconds, samples, loads):
        self.seconds, self.samples, self.loads = seconds, samples, loads
        measured = [one for one in samples if one[0] >= WARMUP_SHARE * seconds]
        half = len(measured) // 2
        self.halves = [statistics.median(kib for _, kib, _ in part)
                       for part in (measured[:half], measured[half:])]
        counts = [count for _, _, count in measured]
        self.descriptors = min(counts), max(counts)

    @property
    def slope_kib(self):
        return self.halves[1] - self.halves[0]

    @property
    def answers(self):
        return sum(load["answers"] for load in self.loads)

    def words(self):
        return (f"{self.seconds} s, {self.answers} answers, memory {self.halves[0]:.0f} KiB and "
                f"{self.slope_kib:+.0f} after it was warm, descriptors {self.descriptors[0]} to "
                f"{self.descriptors[1]}")

    def check(self, slope_kib_max=SLOPE_KIB_MAX):
        for load in self.loads:
            assert set(load["status"]) == {"200"} and load["unexpected"] == 0, load
            assert load["reconnects"] == 0 and load["unanswered"] == 0, load
        assert self.slope_kib <= slope_kib_max, (self.words(), self.samples)
        assert self.descriptors[1] - self.descriptors[0] <= DESCRIPTOR_SLACK, self.words()


def run(new_server, binary, load, seconds, env=None, args=()):
    """Issues and introspects at SHARE of the capacity. Nothing is rotated: the live-token table
    keeps refresh tokens, and what was issued beside them, for two hours (token/live.h)."""
    server = new_server(binary=binary, prefix=["taskset", "-c", SERVER_CORE], env=env or {},
                        args=args, start=False)
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
    while any(part.poll() is None for part in parts):
        at = time.monotonic() - began
        if at < seconds - 0.5:
            samples.append((at, memory_kib(server.pid, "RssAnon"), descriptor_count(server.pid)))
        time.sleep(0.25)
    return Result(seconds, samples, [load.finish(part) for part in parts])

"""./do bench [--quick] [WORKLOAD…]: measures Jeton, the ceiling and the peers in one run.

Every figure is taken beside the others: in each round all contenders of a workload run one after
the other, and a ratio is the median of the ratios within each round. Where a one-core figure is
meant, the server runs on core 0 and the load generator on core 1; otherwise both share two cores.
Everything happens on the loopback interface, and only processes started here are ended.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

import ceiling
import footprint
import jeton
import report
import shared
from servers import Skip
from workloads import (CONNECTIONS, KNOWN_COUNT, LIVE_COUNTS, LOAD_CORE, NEEDS, ON_REQUEST,
                       SERVER_CORE, Workloads, check)

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "bench"
FOLDER = ROOT / "build" / "bench"
PEER_WORKLOADS = {"introspect-100k", "client-credentials", "client-credentials-es256", "refresh"}


def say(text):
    print(text, file=sys.stderr, flush=True)


def machine_busy_s():
    """CPU seconds that this machine has spent on anything."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


class Bench:
    """What the workloads measure with."""

    def __init__(self, options):
        self.seconds = options.seconds
        self.rounds = options.rounds
        self.quick = options.quick
        self.binary = Path(options.binary).resolve()
        self.instances = {}
        self.peers = []
        self.skipped = {}
        self.nginx_one = ceiling.Nginx(FOLDER / "nginx", 1, SERVER_CORE)
        self.nginx_two = ceiling.Nginx(FOLDER / "nginx", 2, None)
        self.load_program, self.argon2_program = ceiling.compile_tools(SOURCE, FOLDER)
        self.request_count = 0
        self.database = shared.Database(FOLDER / "postgres")
        self.facts = []

    # ---- measuring --------------------------------------------------------------------------

    def load_command(self, server, request, seconds, connections, cores, warmup, more):
        (FOLDER / "requests").mkdir(parents=True, exist_ok=True)
        path = FOLDER / "requests" / str(self.request_count % 8)
        self.request_count += 1
        path.write_text(request.text, newline="")
        command = ["taskset", "-c", cores] if cores else []
        command += [self.load_program, "--port", server.port, "--request", path, "--seconds",
                    seconds, "--warmup", warmup, "--connections", connections, "--expect",
                    request.expect, "--seed", self.request_count]
        if request.values is not None:
            command += ["--values", request.values]
        return [str(word) for word in [*command, *request.flags, *more]]

    def load(self, server, request, seconds=None, connections=CONNECTIONS, cores=None, more=(),
             database=None):
        """Runs the load generator; its figures, with the server's CPU time per request."""
        return self.load_all([(server, request)], database, connections, seconds, cores, more)

    def load_all(self, pairs, database=None, connections=CONNECTIONS, seconds=None, cores=None,
                 more=()):
        """The same for several servers at once, with a request for each: their sum. With a
        database, its CPU time as well."""
        seconds = seconds or self.seconds
        warmup = 0 if "--count" in more or "--once" in pairs[0][1].flags else 0.3
        each = max(1, connections // len(pairs))
        commands = [self.load_command(server, request, seconds, each, cores, warmup, more)
                    for server, request in pairs]

        def cpu_s():
            return sum(server.cpu_s() for server, _ in pairs), database.cpu_s() if database else 0

        began, busy, before = time.monotonic(), machine_busy_s(), cpu_s()
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    text=True) for command in commands]
        done = [process.communicate(timeout=seconds + 60) for process in running]
        cpu, database_cpu = (after - b for after, b in zip(cpu_s(), before))
        busy = machine_busy_s() - busy
        results = []
        for (server, _), process, (out, error) in zip(pairs, running, done):
            if process.returncode != 0:
                raise Skip(f"{server.name}: {error.strip()}")
            results.append(json.loads(out))
            check(results[-1], server.name)
        result = dict(results[0])
        for name in ("rate", "answers", "cpu_s", "measured", "unexpected"):
            result[name] = sum(one[name] for one in results)
        for name in ("p50_us", "p99_us"):
            result[name] = max(one[name] for one in results)
        elapsed = (time.monotonic() - began) * (os.cpu_count() or 1)
        result["server_us"] = 1e6 * cpu / max(1, result["answers"])
        if database:
            result["database_us"] = 1e6 * database_cpu / max(1, result["answers"])
        used = cpu + database_cpu + result["cpu_s"]
        result["others"] = max(0.0, (busy - used) / elapsed)
        return result

    def load_pinned(self, peer, request):
        """A one-core figure of a peer that else may use them all."""
        peer.server.pin(SERVER_CORE)
        try:
            return self.load(peer.server, request, cores=LOAD_CORE)
        finally:
            peer.server.pin(None)

    def load_behind(self, server, request, connections):
        """Load that goes on while something else is measured."""
        command = self.load_command(server, request, self.seconds + 30, connections, None, 0, ())
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ecdsa(self):
        return {"rate": ceiling.ecdsa_rate(min(1, self.seconds), SERVER_CORE)}

    def argon2(self):
        threads = max(1, (os.cpu_count() or 1) - 1)
        return {"rate": ceiling.argon2_rate(self.argon2_program, threads, self.seconds)}

    # ---- what runs --------------------------------------------------------------------------

    def new_instance(self, name):
        count = LIVE_COUNTS[name]
        if name.startswith("pg"):
            self.database.start()
            return shared.SharedInstance(self.binary, FOLDER / f"shared-{name}", self.database,
                                         2 if name == "pg2" else 1)
        if name.startswith("growth"):
            return jeton.Instance(self.binary, FOLDER / f"rows-{count}", SERVER_CORE)
        folder = FOLDER / (f"live-{count}" if count else f"fresh-{name}")
        return jeton.Instance(self.binary, folder, None if name == "two" else SERVER_CORE)

    def prepare_jeton(self, names):
        """Makes the data folders that these workloads need, and starts a server on each."""
        needed = {need for name in names for need in NEEDS[name]}
        for name in sorted(needed, key=lambda name: LIVE_COUNTS[name]):
            count = LIVE_COUNTS[name]
            instance = None
            try:
                instance = self.new_instance(name)
                if name.startswith(("growth", "pg-")):
                    count = count // 20 if self.quick else count
                    instance.fill_rows(count, KNOWN_COUNT, say)
                    self.facts += footprint.of_rows(instance, count, 1 if self.quick else 3)
                elif count:
                    instance.fill(self.load, count, say)
                else:
                    instance.make()
                instance.start()
                instance.warm()
                if count:
                    footprint.settled_memory(instance.server)  # the table fills behind the start
                self.instances[name] = instance
            except (Skip, OSError, AssertionError, subprocess.SubprocessError) as why:
                if instance is not None:
                    instance.stop()
                self.skipped[f"Jeton, {name}"] = str(why)
                say(f"skipped: Jeton, {name}: {why}")

    def prepare_peers(self):
        for path in sorted((SOURCE / "peers").glob("*/peer.py")):
            module_name = "peer_" + path.parent.name.replace("-", "_")
            spec = importlib.util.spec_from_file_location(module_name, path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            for peer in module.peers(path.parent, FOLDER / "peers" / path.parent.name):
                try:
                    peer.prepare()
                    began = time.monotonic()
                    peer.server = peer.start(None)
                    peer.start_s = time.monotonic() - began
                    peer.idle_bytes = peer.server.memory()[1]
                    self.peers.append(peer)
                except (Skip, OSError, subprocess.SubprocessError) as why:
                    self.skipped[peer.name] = str(why)
                    say(f"skipped: {peer.name}: {why}")

    def peer_values(self, peer):
        """The values of a peer's live tokens, issued on the first call."""
        if not hasattr(peer, "values"):
            count = max(100, peer.live_count // 20) if self.quick else peer.live_count
            peer.values = peer.folder / f"values-{peer.port}"
            size = peer.size()
            say(f"issuing {count:,} tokens at {peer.name}")
            self.load(peer.server, peer.requests()["issue"], seconds=90,
                      more=["--count", count, "--member", "access_token", "--save", peer.values])
            made = sum(1 for _ in open(peer.values, "rb"))
            peer.disk_bytes = (peer.size() - size) / made
            peer.live_bytes = (peer.server.memory()[1] - peer.idle_bytes) / made
            peer.live_made = made
        return peer.values

    def stop(self):
        running = [self.nginx_one, self.nginx_two, *self.instances.values()]
        running += [peer.server for peer in self.peers]
        for one in running:
            one.stop()
        self.database.stop()


def build_rows(bench, names):
    rows = []
    workloads = Workloads(bench)
    for name in names:
        if any(need not in bench.instances for need in NEEDS[name]):
            continue
        try:
            rows.append(workloads.build(name))
        except (Skip, OSError, subprocess.SubprocessError) as why:
            bench.skipped[name] = str(why)
            say(f"skipped: {name}: {why}")
    return rows


def measure_round(bench, rows, number, results):
    for row in rows:
        for name, measure in row.contenders.items():
            if (row.name, name) in bench.skipped:
                continue
            try:
                result = measure()
            except (Skip, OSError, ValueError, subprocess.SubprocessError) as why:
                bench.skipped[(row.name, name)] = str(why)
                say(f"skipped: {row.name}: {name}: {why}")
                continue
            results.setdefault((row.name, name), {})[number] = result


def choose(words):
    """The workloads that were asked for; a word may be the beginning of several names."""
    known = list(NEEDS) + ["footprint"]
    if not words:
        return [name for name in known if not name.startswith(ON_REQUEST)]
    chosen = []
    for word in words:
        matching = [name for name in known if name == word] or [
            name for name in known if name.startswith(word)]
        if not matching:
            sys.exit(f"no workload {word}; there are: {' '.join(known)}")
        chosen.extend(name for name in matching if name not in chosen)
    return chosen


def read_options():
    parser = argparse.ArgumentParser(prog="./do bench", description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD")
    parser.add_argument("--quick", action="store_true", help="short runs, few rounds, fewer tokens")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of one measurement")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out")
    parser.add_argument("--binary", default=ROOT / "build" / "jeton")
    options = parser.parse_args()
    options.names = choose(options.workloads)
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.seconds = options.seconds or (0.7 if options.quick else 2.0)
    return options


def run(options):
    began = time.monotonic()
    bench = Bench(options)
    names = [name for name in options.names if name != "footprint"]
    results, rows, facts = {}, [], []
    try:
        if "footprint" in options.names:
            facts = footprint.measure(bench, FOLDER, 3 if options.quick else 7, say)
        bench.prepare_jeton(names)
        if not options.no_peers and PEER_WORKLOADS & set(names):
            bench.prepare_peers()
        rows = build_rows(bench, names)
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            measure_round(bench, rows, number, results)
        facts += bench.facts + report.costs(rows, results)
        if "footprint" in options.names:
            facts += footprint.of_peers(bench.peers)
    finally:
        bench.stop()
    outline = report.outline(options, time.monotonic() - began, bench, results)
    report.drop_noisy(rows, results)
    lines = report.render(rows, results, facts, bench, outline)
    print("\n".join(lines))
    # A part of the table is shown and not kept: the kept one is of one whole run.
    if not options.workloads and not options.quick:
        (SOURCE / "RESULTS.md").write_text("\n".join(lines) + "\n")
        (SOURCE / "results.svg").write_text(report.plot(rows, results))
        say("written: bench/RESULTS.md and bench/results.svg")
    return 0 if rows or facts else 1


if __name__ == "__main__":
    sys.exit(run(read_options()))

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
from servers import Skip
from workloads import CONNECTIONS, LIVE_COUNTS, LOAD_CORE, NEEDS, SERVER_CORE, Workloads, check

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

    def load(self, server, request, seconds=None, connections=CONNECTIONS, cores=None, more=()):
        """Runs the load generator; its figures, with the server's CPU time per request."""
        seconds = seconds or self.seconds
        is_counted = "--count" in more or "--once" in request.flags
        warmup = 0 if is_counted else 0.3
        command = self.load_command(server, request, seconds, connections, cores, warmup, more)
        began, busy, cpu = time.monotonic(), machine_busy_s(), server.cpu_s()
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
        cpu, busy = server.cpu_s() - cpu, machine_busy_s() - busy
        if done.returncode != 0:
            raise Skip(f"{server.name}: {done.stderr.strip()}")
        result = json.loads(done.stdout)
        check(result, server.name)
        elapsed = (time.monotonic() - began) * (os.cpu_count() or 1)
        result["server_us"] = 1e6 * cpu / max(1, result["answers"])
        result["others"] = max(0.0, (busy - cpu - result["cpu_s"]) / elapsed)
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

    def prepare_jeton(self, names):
        """Makes the data folders that these workloads need, and starts a server on each."""
        needed = {need for name in names for need in NEEDS[name]}
        for name in sorted(needed, key=lambda name: LIVE_COUNTS[name]):
            count = LIVE_COUNTS[name]
            folder = FOLDER / (f"live-{count}" if count else f"fresh-{name}")
            instance = jeton.Instance(self.binary, folder, None if name == "two" else SERVER_CORE)
            try:
                if count:
                    instance.fill(self.load, count, say)
                else:
                    instance.make()
                instance.start()
                instance.warm()
                self.instances[name] = instance
            except (Skip, OSError, subprocess.SubprocessError) as why:
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
        return known
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

"""What Jeton takes without load: start-up time, memory, disk and the size of the binary."""

import statistics
import time

import jeton
from servers import Skip

MIB = 1024 * 1024
SETTLED_S = 1.0  # memory that has not grown for this long has been filled
COUNTS = (0, 100000, 1000000)


class Fact:
    """One line of the second table: what, the figure as text, the goal, and whether it is met."""

    def __init__(self, what, value, goal="", is_met=None):
        self.what = what
        self.value = value
        self.goal = goal
        self.is_met = is_met


def settled_memory(server):
    """(resident, proportional) bytes when they have stopped growing; 60 seconds at most."""
    last, since, began = 0, time.monotonic(), time.monotonic()
    while True:
        resident, proportional = server.memory()
        now = time.monotonic()
        if proportional > last + MIB // 4:
            last, since = proportional, now
        if now - since > SETTLED_S or now - began > 60:
            return resident, proportional, since - began
        time.sleep(0.05)


def start_times(instance, count):
    """Median milliseconds from the start to the first 200."""
    times = []
    for _ in range(count):
        times.append(instance.start())
        instance.stop()
    return 1000 * statistics.median(times)


def of_folder(instance, count, start_count):
    """(start-up in ms, memory, seconds until the table was filled) of a folder."""
    start_ms = start_times(instance, start_count)
    instance.start()
    try:
        memory = settled_memory(instance.server)
    finally:
        instance.stop()
    return start_ms, memory


def measure(bench, folder, start_count, say):
    facts = []
    size = bench.binary.stat().st_size
    facts.append(Fact("binary, stripped", f"{size / MIB:.2f} MiB", "≤ 2 MiB", size <= 2 * MIB))
    idle = None
    for count in COUNTS:
        name = f"live-{count}" if count else "fresh-footprint"
        instance = jeton.Instance(bench.binary, folder / name, None)
        try:
            instance.fill(bench.load, count, say)
            start_ms, memory = of_folder(instance, count, start_count)
        except (Skip, OSError) as why:
            instance.stop()
            bench.skipped[f"footprint with {count:,} tokens"] = str(why)
            say(f"skipped: footprint with {count:,} tokens: {why}")
            continue
        if count == 0:
            idle = memory
            facts.append(Fact("start to the first 200, empty", f"{start_ms:.1f} ms", "≤ 20 ms",
                              start_ms <= 20))
            facts.append(Fact("memory, idle and empty (PSS; RSS)",
                              f"{memory[1] / MIB:.1f}; {memory[0] / MIB:.1f} MiB", "≤ 8 MiB",
                              memory[1] <= 8 * MIB))
            continue
        facts.extend(with_tokens(instance, count, start_ms, memory, idle))
    return facts


def with_tokens(instance, count, start_ms, memory, idle):
    per_token = (memory[1] - idle[1]) / count if idle else 0
    disk = instance.disk_bytes_per_token()
    is_goal = count == COUNTS[-1]
    tokens = f"{count:,} live tokens"
    return [
        Fact(f"start to the first 200, {tokens}", f"{start_ms:.1f} ms",
             "≤ 50 ms" if is_goal else "", start_ms <= 50 if is_goal else None),
        Fact(f"memory, idle, {tokens} (PSS; RSS)",
             f"{memory[1] / MIB:.1f}; {memory[0] / MIB:.1f} MiB"),
        Fact(f"memory per token, {tokens}", f"{per_token:.0f} B", "≤ 96 B" if is_goal else "",
             per_token <= 96 if is_goal else None),
        Fact(f"disk per opaque access token, {tokens}", f"{disk:.0f} B",
             "≤ 280 B" if is_goal else "", disk <= 280 if is_goal else None),
        Fact(f"start until memory has settled, {tokens}", f"{memory[2]:.1f} s"),
    ]


def of_rows(instance, count, start_count):
    """A folder or database of which the tokens were written as rows: how it starts, until when a
    token is looked up right, and what the server takes."""
    where = "PostgreSQL" if instance.database else "SQLite"
    tokens = f"{count:,} live tokens, {where}"
    with open(instance.values, encoding="ascii") as values:
        request = jeton.introspect_request(None)
        request.text = request.text.replace("{value}", values.readline().strip())
    start_ms, memory = of_folder(instance, count, start_count)
    looked_up = []
    for _ in range(start_count):
        looked_up.append(instance.start(request.text))
        if not jeton.exchange_json(instance.port, request.text)["active"]:
            raise Skip("a token that was written is not known")
        instance.stop()
    return [
        Fact(f"start to the first 200, {tokens}", f"{start_ms:.1f} ms"),
        Fact(f"start to the first introspection, {tokens}",
             f"{1000 * statistics.median(looked_up):.1f} ms"),
        Fact(f"memory, idle, {tokens} (PSS; RSS)",
             f"{memory[1] / MIB:.1f}; {memory[0] / MIB:.1f} MiB"),
        Fact(f"start until memory has settled, {tokens}", f"{memory[2]:.1f} s"),
        Fact(f"disk per token, {tokens}", f"{instance.disk_bytes_per_token():.0f} B"),
    ]


def of_peers(peers):
    facts = []
    for peer in peers:
        facts.append(Fact(f"{peer.name}: start; memory idle (PSS)",
                          f"{1000 * peer.start_s:.0f} ms; {peer.idle_bytes / MIB:.1f} MiB"))
        if hasattr(peer, "live_made"):
            facts.append(Fact(f"{peer.name}: per token, memory; disk ({peer.live_made:,} tokens)",
                              f"{peer.live_bytes:,.0f}; {peer.disk_bytes:,.0f} B"))
    return facts

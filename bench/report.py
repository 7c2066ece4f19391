"""The tables and the plot."""

import datetime
import math
import os
import platform
import re
import statistics
import subprocess
import sys
from html import escape
from pathlib import Path

from footprint import Fact
from jeton import digest

QUIET = 0.15  # more than this share of the machine used by others makes a round noisy
QUIET_ROUNDS_MIN = 3


def median(values):
    return statistics.median(values) if values else None


def ratios(results, row, name, base, of="rate"):
    """The ratio to another contender in each round that has both."""
    mine, other = results.get((row.name, name), {}), results.get((row.name, base), {})
    return [mine[i][of] / other[i][of] for i in mine if i in other and other[i].get(of)]


def drop_noisy(rows, results):
    """Leaves out, row by row, the rounds that other processes disturbed, if enough remain."""
    for row in rows:
        names = [name for name in row.contenders if (row.name, name) in results]
        rounds = {number for name in names for number in results[(row.name, name)]}
        noisy = {number for name in names for number, result in results[(row.name, name)].items()
                 if result.get("others", 0) > QUIET}
        if len(rounds - noisy) < QUIET_ROUNDS_MIN:
            continue
        for name in names:
            kept = results[(row.name, name)]
            results[(row.name, name)] = {i: kept[i] for i in kept if i not in noisy}


def figure(results, row, name, of):
    values = [result[of] for result in results.get((row.name, name), {}).values() if of in result]
    return median(values)


def show(value, pattern="{:,.0f}"):
    return "–" if value is None else pattern.format(value)


def show_ratio(values):
    if not values:
        return "–"
    middle = median(values)
    digits = 2 if middle >= 0.095 else 3 if middle >= 0.0095 else 4
    return f"{middle:.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def verdict(row, results):
    """What the goal is and how it stands, as text."""
    parts = []
    if row.goal is not None:
        found = median(ratios(results, row, "Jeton", row.base, row.of))
        sign = "≤" if row.goal_is_most else "≥"
        what = "p99 of " if row.of == "p99_us" else ""
        if found is not None:
            is_met = found <= row.goal if row.goal_is_most else found >= row.goal
            parts.append(f"{sign} {row.goal:.2f} × {what}{row.base}: "
                         f"**{'reached' if is_met else 'missed'}** ({found:.2f})")
    if row.latency_goal is not None:
        found = median(ratios(results, row, "Jeton", row.base, "p99_us"))
        if found is not None:
            parts.append(f"p99 ≤ {row.latency_goal:.0f} × {row.base}'s: "
                         f"**{'reached' if found <= row.latency_goal else 'missed'}** "
                         f"({found:.2f})")
    return "; ".join(parts)


def render(rows, results, facts, bench, outline):
    lines = ["# Measured", "", *outline, ""]
    if rows:
        lines += ["Ratios are medians of the ratios within each round (least–most).", "",
                  "| workload | contender | per second | × nginx | × base | p50 ms | p99 ms | "
                  "server CPU µs each | rounds | goal |",
                  "|---|---|---:|---:|---:|---:|---:|---:|---:|---|"]
        for row in rows:
            lines += render_row(row, results)
    if facts:
        lines += ["", "| what | figure | goal |", "|---|---:|---|"]
        for fact in facts:
            stands = "" if fact.is_met is None else \
                ": **reached**" if fact.is_met else ": **missed**"
            lines.append(f"| {fact.what} | {fact.value} | {fact.goal}{stands} |")
    if bench.skipped:
        lines += ["", "Not measured:", ""]
        for name, why in bench.skipped.items():
            name = name if isinstance(name, str) else ", ".join(name)
            lines.append(f"- {name}: {without_paths(why)}")
    return lines


def render_row(row, results):
    lines = []
    title = row.title
    for name in row.contenders:
        if (row.name, name) not in results:
            continue
        us = {of: figure(results, row, name, of) for of in ("p50_us", "p99_us", "server_us")}
        base = "–"
        if row.base != "nginx" and name not in ("nginx", row.base):
            base = show_ratio(ratios(results, row, name, row.base, row.of))
        goal = verdict(row, results) if name == "Jeton" else ""
        rate = figure(results, row, name, "rate")
        lines.append(
            f"| {title} | {name} | {show(rate, '{:,.0f}' if rate >= 100 else '{:,.1f}')} | "
            f"{'1' if name == 'nginx' else show_ratio(ratios(results, row, name, 'nginx'))} | "
            f"{base} | "
            f"{show(us['p50_us'] and us['p50_us'] / 1000, '{:.2f}')} | "
            f"{show(us['p99_us'] and us['p99_us'] / 1000, '{:.2f}')} | "
            f"{show(us['server_us'], '{:.1f}')} | {len(results[(row.name, name)])} | {goal} |")
        title = ""
    return lines


def without_paths(text):
    """Paths of this machine are nobody's business."""
    return re.sub(r"(/[\w.@+-]+){2,}", "…", text).replace("\n", " ")


def first_match(path, pattern, otherwise):
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return otherwise
    return found.group(1).strip() if found else otherwise


def outline(options, elapsed_s, bench, results):
    """What was run, when, and on what kind of machine: no names, no paths."""
    words = ["./do bench"] + (["--quick"] if options.quick else []) + options.workloads
    cores = os.cpu_count()
    memory = int(first_match("/proc/meminfo", r"^MemTotal:\s+(\d+)", "0")) / 1024 / 1024
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr
    others = [result["others"] for rounds in results.values() for result in rounds.values()
              if "others" in result]
    noisy = sum(share > QUIET for share in others)
    version = subprocess.run([bench.binary, "version"], capture_output=True, text=True).stdout
    now = datetime.datetime.now(datetime.timezone.utc)
    lines = [
        f"- Command: `{' '.join(words)}`, {options.rounds} rounds of {options.seconds:g} s, "
        f"{elapsed_s / 60:.0f} minutes in all, {now:%d %B %Y}.",
        f"- Machine: {cores} cores, "
        f"{first_match('/proc/cpuinfo', r'^model name.*: (.*)$', platform.machine())} (family "
        f"{first_match('/proc/cpuinfo', r'^cpu family.*: (.*)$', '?')}), {memory:.0f} GiB, "
        f"Linux {re.match(r'[0-9.]+', platform.release()).group(0).rstrip('.')}, "
        f"{first_match('/etc/os-release', r'^PRETTY_NAME=.(.*).$', '')}.",
        f"- Jeton {version.strip().split()[-1] if version.strip() else '?'} "
        f"({digest(bench.binary)}), "
        f"nginx {nginx.strip().split('/')[-1]}, Python {sys.version.split()[0]}. One-core rows: "
        "server on core 0, load generator on core 1; the others: both on all cores. "
        "64 connections unless said otherwise.",
    ]
    if others:
        lines.append(f"- Other processes used {100 * median(others):.0f} % of the machine (median "
                     f"of {len(others)} measurements; {noisy} with more than {100 * QUIET:.0f} %, "
                     f"whose rounds are left out where {QUIET_ROUNDS_MIN} quiet ones remain).")
    return lines


def costs(rows, results):
    """What a thousand requests cost, where a database works beside the nodes."""
    facts = []
    for row in rows:
        for name in row.contenders:
            node = figure(results, row, name, "server_us")
            database = figure(results, row, name, "database_us")
            if database is not None:
                facts.append(Fact(f"CPU per thousand, {row.title}, {name} (nodes; database)",
                                  f"{node:,.0f}; {database:,.0f} ms"))
    return facts


# ---- the plot -------------------------------------------------------------------------------

COLOURS = {"Jeton": "#0b6e4f", "nginx": "#9aa0a6"}
PEER_COLOUR, TEXT_COLOUR, LINE_COLOUR = "#c8553d", "#202124", "#dadce0"
LEAST, LEFT, WIDTH, BAR = 0.001, 330, 520, 16


def bars_of(rows, results):
    """(title, [(contender, ratio to nginx)]) of the rows that have a ceiling."""
    for row in rows:
        bars = []
        for name in row.contenders:
            found = median(ratios(results, row, name, "nginx"))
            if name != "nginx" and found is not None and "opaque" not in name \
                    and "openssl" not in name:
                bars.append((name, found))
        if bars:
            yield row.title, bars


def x_of(ratio):
    """Logarithmic, from 0.001 to 2."""
    span = math.log10(2 / LEAST)
    return LEFT + WIDTH * max(0.0, math.log10(max(ratio, LEAST) / LEAST)) / span


def plot(rows, results):
    groups = list(bars_of(rows, results))
    height = 60 + sum(24 + (BAR + 4) * len(bars) for _, bars in groups) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 80}" '
           f'height="{height}" font-family="sans-serif" font-size="12" fill="{TEXT_COLOUR}">',
           '<rect width="100%" height="100%" fill="#ffffff"/>',
           '<text x="12" y="24" font-size="15" font-weight="bold">Requests a second as a share of '
           'nginx saying a constant (logarithmic)</text>']
    for tick in (0.001, 0.01, 0.1, 1):
        x = x_of(tick)
        out.append(f'<line x1="{x:.0f}" y1="48" x2="{x:.0f}" y2="{height - 12}" '
                   f'stroke="{LINE_COLOUR if tick < 1 else COLOURS["nginx"]}"/>')
        out.append(f'<text x="{x:.0f}" y="44" text-anchor="middle">'
                   f'{tick:g}{" = nginx" if tick == 1 else ""}</text>')
    y = 60
    for title, bars in groups:
        out.append(f'<text x="12" y="{y + 13}" font-weight="bold">{escape(title)}</text>')
        y += 20
        for name, ratio in bars:
            colour = COLOURS.get(name, PEER_COLOUR)
            out.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>')
            out.append(f'<rect x="{LEFT}" y="{y}" width="{max(1, x_of(ratio) - LEFT):.1f}" '
                       f'height="{BAR}" fill="{colour}"/>')
            out.append(f'<text x="{x_of(ratio) + 6:.1f}" y="{y + 12}">{ratio:.3g}</text>')
            y += BAR + 4
        y += 4
    return "\n".join(out) + "\n</svg>\n"

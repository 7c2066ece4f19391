"""The long versions of the tests that break things: `./do campaign [NAME…]`.

Each row is a command with JETON_CAMPAIGN=1 and perhaps more in the environment. Its last line, such
as what pytest counted, becomes one line of bench/CAMPAIGNS.md: date, machine, command, verdict.
Another part adds a row.
"""

import argparse
import datetime
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORD = ROOT / "bench/CAMPAIGNS.md"


def pytest(*selection):
    return [sys.executable, "-m", "pytest", "-q", *selection]


# name → (what it shows, what is run, the environment with its usual values: $NAME in a command)
ROWS = {
    "fuzz": ("figures 1 and 2: every fuzz target, under AddressSanitizer and UBSan",
             ["./do", "fuzz", "all", "$JETON_FUZZ_S"], {"JETON_FUZZ_S": "600"}),
    "memcheck": ("figure 3: the unit tests under valgrind's memcheck", ["./do", "memcheck"], {}),
    "kill": ("figure 6: kill -9 under load", pytest("test/fault/kill_test.py"),
             {"JETON_KILLS": "1000"}),
    "cut": ("figure 7: power cuts on ext4 and XFS", pytest("test/fault/cut_test.py"),
            {"JETON_CUTS": "500"}),
    "torn": ("figure 7: the last record torn at each byte", pytest("test/fault/torn_test.py"),
             {"JETON_PLACES": "all"}),
    "storage": ("figure 8: every write, fsync, rename, open, ftruncate fails",
                pytest("test/fault/storage_test.py"), {"JETON_CASES": "all"}),
    "storage-400": ("figure 8: each of the first 400 calls fails, in each of six ways",
                    pytest("-n", "2", "test/fault/storage_test.py"),
                    {"JETON_CASES": "all", "JETON_NUMBERS": "400"}),
    "memory": ("figure 9: every allocation fails", pytest("test/fault/memory_test.py"),
               {"JETON_ALLOCATIONS": "all"}),
    "slow": ("figure 11: 2,000 slow clients for a minute",
             pytest("test/fault/test_load.py", "-k", "figure_11"), {"JETON_SLOW_S": "60"}),
    "soak": ("figure 14: three minutes at 70 %", pytest("test/fault/test_load.py", "-k", "14_soak"),
             {"JETON_SOAK_S": "180"}),
    "soak-day": ("figure 14: a day by a clock that runs 15 times as fast",
                 pytest("test/fault/test_load.py", "-k", "14_a_day"), {"JETON_SOAK_DAY_S": "6000"}),
    "throttling": ("figure 19: guesses from many addresses",
                   pytest("test/fault/test_throttling.py"),
                   {"JETON_GUESSES": "200000", "JETON_ADDRESSES": "500"}),
    "mutate": ("figure 27: faults seeded into access decisions",
               [sys.executable, "tools/mutate.py", "--count", "$JETON_MUTANTS", "--seed",
                "$JETON_SEED"], {"JETON_MUTANTS": "200", "JETON_SEED": "1"}),
}


def machine():
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text("ascii"))
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text("utf-8"))
    return (f"{os.cpu_count()} × {cpu.group(1) if cpu else platform.machine()}, "
            f"{int(memory.group(1)) >> 20} GiB, Linux {platform.release().split('-')[0]}")


def run(name):
    """Runs a row and records it; whether it passed."""
    what, words, values = ROWS[name]
    values = {key: os.environ.get(key, value) for key, value in values.items()}
    began = time.monotonic()
    command = [values[word[1:]] if word.startswith("$") else word for word in words]
    done = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **values, "JETON_CAMPAIGN": "1"},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    last = ""
    for line in done.stdout:
        print(line, end="", flush=True)
        last = line.strip() or last
    is_good = done.wait() == 0
    words = " ".join(f"{key}={shlex.quote(value)}" for key, value in values.items())
    command = f"{words} ./do campaign {name}".strip()
    day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    verdict = re.sub(r" in [\d.]+s.*", "", last.strip("= "))
    with open(RECORD, "a", encoding="utf-8") as file:
        file.write(f"| {day} | {what} | `{command}` | {'good' if is_good else '**bad**'}: {verdict}"
                   f" | {time.monotonic() - began:.0f} s | {machine()} |\n")
    return is_good


def main():
    parser = argparse.ArgumentParser(prog="./do campaign", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ROWS))
    names = parser.parse_args().names
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        parser.error(f"no campaign {unknown[0]}; there are: {', '.join(ROWS)}")
    sys.exit(0 if all([run(name) for name in names or ROWS]) else 1)


if __name__ == "__main__":
    main()

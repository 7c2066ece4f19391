"""Runs fuzz targets for some seconds each, some beside each other, and says how many runs each had.

    run.py FOLDER SECONDS [--rest SECONDS] [--beside N] [--keep FOLDER] [--junit FILE] [TARGET…]

FOLDER has the targets as `./do fuzz` builds them. With --rest those that are not in FIRST run for
so many seconds only. What they find anew is thrown away unless there is a folder to keep it in; an
input that breaks one is always kept, beside its report. The last line is for the record: how many
runs each one had, and at its end `N passed, N failed`; the file of --junit has a test for each.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

SOURCE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 5  # of one input: a busy machine may hold up a target for a while
MEMORY_MIB = 256  # of one allocation

# What strangers send to every server, or what lies on its disk; and rows of calls against a model.
FIRST = {"base64url", "certificate", "config", "cookie", "form", "http_request", "json", "jwe",
         "jwk", "jws", "model", "passkey", "proof", "stored", "uri"}


def targets_of(folder):
    return sorted(path.name.removesuffix("_fuzz") for path in folder.glob("*_fuzz")
                  if path.is_file())


def seconds_of(options, target):
    return options.seconds if options.rest is None or target in FIRST else options.rest


def command_of(options, target, corpus):
    """libFuzzer's, with the seeds and the dictionary of the target."""
    dictionary = SOURCE / f"{target}.dict"
    return [str(options.folder / f"{target}_fuzz"),
            f"-max_total_time={seconds_of(options, target)}",
            f"-timeout={TIMEOUT_S}", f"-malloc_limit_mb={MEMORY_MIB}", "-rss_limit_mb=1024",
            "-print_final_stats=1", f"-artifact_prefix={options.found}/{target}-",
            *([f"-dict={dictionary}"] if dictionary.exists() else []),
            str(corpus), str(SOURCE / "corpus" / target)]


def run(options, target):
    """Runs a target; its name, how many runs it had, and a report when something was wrong."""
    with tempfile.TemporaryDirectory(prefix="jeton-fuzz-") as passing:
        corpus = (options.keep or pathlib.Path(passing)) / target
        corpus.mkdir(parents=True, exist_ok=True)
        # Nothing is to wait for input.
        done = subprocess.run(command_of(options, target, corpus), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=options.seconds + 600,
                              env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=16"})
    text = done.stdout.decode("utf-8", "replace")
    found = re.search(r"number_of_executed_units:\s*(\d+)", text)
    report = None
    if done.returncode != 0 or not found:
        report = "\n".join(line for line in text.splitlines()
                           if not re.match(r"#\d+\s+\w+\s+cov:|INFO:|\s+NEW_FUNC", line))[-6000:]
        report = report or f"it ended with status {done.returncode} and said nothing"
        (options.found / f"{target}.log").write_text(report, "utf-8")
    return target, int(found.group(1)) if found else 0, report


def in_short(report):
    """The lines of a report that tell what broke, and with which input."""
    telling = r"^.*(?:ERROR: |runtime error|broken promise|ALARM|SUMMARY: |Base64: ).*$"
    lines = re.findall(telling, report, re.M)
    return "\n".join(line[:2000] for line in lines) or report[-500:]


def write_junit(path, reports):
    suite = ElementTree.Element("testsuite", name="fuzz")
    for name, report in reports.items():
        case = ElementTree.SubElement(suite, "testcase", classname="fuzz", name=name)
        if report:
            # Control characters have no place in XML.
            readable = re.sub(r"[^\n\x20-\x7e]", "?", report)
            failure = ElementTree.SubElement(case, "failure", message=in_short(readable))
            failure.text = readable
    ElementTree.ElementTree(suite).write(path, "utf-8")


def main():
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("seconds", type=int)
    parser.add_argument("--rest", type=int)
    parser.add_argument("--beside", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--junit", type=pathlib.Path)
    parser.add_argument("--found", type=pathlib.Path, required=True,
                        help="where an input goes that breaks a target")
    parser.add_argument("targets", nargs="*")
    options = parser.parse_intermixed_args()
    options.found.mkdir(parents=True, exist_ok=True)
    names = options.targets or targets_of(options.folder)
    runs, reports = {}, {}
    with concurrent.futures.ThreadPoolExecutor(options.beside) as pool:
        for name, count, report in pool.map(lambda name: run(options, name), names):
            runs[name], reports[name] = count, report
            print(f"{name}: {count:,} runs" + (", and broken" if report else ""), flush=True)
            if report:
                print(report, flush=True)
    if options.junit:
        write_junit(options.junit, reports)
    failed = sum(1 for report in reports.values() if report)
    print(f"{sum(runs.values()):,} runs: " +
          ", ".join(f"{name} {count:,}" for name, count in runs.items()) +
          f"; {len(names) - failed} passed, {failed} failed")
    sys.exit(0 if names and not failed else 1)


if __name__ == "__main__":
    main()

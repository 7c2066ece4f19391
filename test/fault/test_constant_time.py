"""Figure 20: secrets are compared in a time that does not depend on them.

A small program marks secrets as undefined and compares them by the rooms' own functions; memcheck
counts the branches and addresses that depend on them. One comparison is bad on purpose.
"""

import os
import shutil
import subprocess

import pytest

from harness import ROOT

FOUND = 9
SOURCES = [*sorted((ROOT / "src/base").glob("*.c")), *sorted((ROOT / "src/crypto").glob("*.c")),
           ROOT / "src/codec/base64url.c", ROOT / "src/account/secret_check.c",
           ROOT / "src/oauth/pkce.c",
           ROOT / "test/fault/constant_time.c"]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if shutil.which("valgrind") is None or not os.path.exists("/usr/include/valgrind/memcheck.h"):
        pytest.skip("valgrind is not installed")
    program = tmp_path_factory.mktemp("constant") / "constant_time"
    # Sections that nothing calls are left out, and with them what they would need to be linked.
    command = [os.environ.get("CC", "cc"), "-std=c17", "-D_GNU_SOURCE", "-O2", "-g",
               "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections",
               "-Wl,--wrap=secret_bytes_equal",
               "-I", ROOT / "src", "-o", program, *SOURCES, "-lcrypto", "-lsodium", "-lcrypt",
               "-lpthread"]
    subprocess.run([str(word) for word in command], check=True)
    return program


def watch(program, case):
    return subprocess.run(["valgrind", "-q", f"--error-exitcode={FOUND}", str(program), case],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          check=False)


def test_figure_20_no_branch_depends_on_a_secret(program):
    """Digests of tokens, whole secrets, secrets of clients, proofs of forms, codes of factors, tags
    of session tokens, challenges of codes."""
    done = watch(program, "good")
    assert done.returncode == 0, done.stdout


def test_figure_20_a_comparison_that_leaves_early_is_found(program):
    done = watch(program, "control")
    assert done.returncode == FOUND and "depends on uninitialised" in done.stdout, done.stdout

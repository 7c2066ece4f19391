"""What tools/coverage.py leaves out of the count of branches, and that it leaves out no more."""

import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def coverage(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("coverage", ROOT / "tools/coverage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "src/room").mkdir(parents=True)
    return module


def count(coverage, text, lines):
    """(branches, taken, raw, lines that lack) of a file. lines: number → [count, branches]."""
    (coverage.ROOT / "src/room/a.c").write_text(text)
    sums, missing = coverage.count_file("room/a.c", lines)
    return (*sums[2:], missing)


@pytest.mark.parametrize("text", [
    "ASSERT(a != NULL);\n",
    "if (rc != RC_OK)\n    return rc;\n",
    "if (rc != RC_OK) {\n    close(fd);\n    return rc;\n}\n",
    "if (rc != RC_OK)\n    return explain(side, rc, out_error);\n",
    "if (rc == RC_OK)\n    rc = next();\n",
    "if (fsync(fd) != 0) {\n    close(fd);\n    return RC_UNAVAILABLE;\n}\n",
    "if (EVP_MAC_init(a, b, c, NULL) != 1)\n    return false;\n",
    "switch (kind) {\n",
])
def test_a_fault_that_was_not_injected_is_left_out(coverage, text):
    assert count(coverage, text, {1: [9, [9, 0]]}) == (1, 1, 2, set())


@pytest.mark.parametrize("text", [
    "if (len > max)\n    return RC_INVALID;\n",
    "if (len > max) {\n    close(fd);\n    return RC_TOO_LARGE;\n}\n",
    "if (rc == RC_EXISTS)\n    return rc;\n",
    "if (rc != RC_OK)\n    return RC_REFUSED;\n",
    "if (rc != RC_OK && rc != RC_NOT_FOUND)\n    return RC_INVALID;\n",
    "if (value == NULL)\n    return RC_NOT_FOUND;\n",
    "while (at < end)\n    at++;\n",
])
def test_what_anybody_can_send_counts(coverage, text):
    assert count(coverage, text, {1: [9, [9, 0]]}) == (2, 1, 2, {1})


def test_no_more_than_there_are_calls(coverage):
    text = "is_set = EVP_MAC_update(a, b, c) == 1 && is_ours(b) &&\n         is_new(c);\n"
    lines = {1: [9, [9, 0, 9, 0]], 2: [9, [9, 0]]}
    assert count(coverage, text, lines) == (5, 3, 6, {1, 2})


def test_what_was_taken_is_not_left_out(coverage):
    assert count(coverage, "if (rc == RC_OK)\n    go();\n", {1: [9, [5, 4]]}) == (2, 2, 2, set())


def test_memory_that_was_asked_for(coverage):
    text = "entry = calloc(1, 8);\nif (entry == NULL)\n    return NULL;\n"
    assert count(coverage, text, {2: [9, [0, 9]]}) == (1, 1, 2, set())
    text = "entry = find(8);\nif (entry == NULL)\n    return NULL;\n"
    assert count(coverage, text, {2: [9, [0, 9]]}) == (2, 1, 2, {2})


def test_lines_that_never_ran_are_told(coverage):
    assert count(coverage, "a();\nb();\n", {1: [1, []], 2: [0, []]})[3] == {2}


def test_rooms_below_their_floor(coverage, tmp_path, monkeypatch, capsys):
    floors = tmp_path / "coverage.txt"
    floors.write_text("# what is asked\nroom 90 80 92 85\n")
    monkeypatch.setattr(coverage, "FLOORS", floors)
    assert not coverage.print_rooms({"room": [100, 90, 100, 80, 120]})
    assert coverage.print_rooms({"room": [100, 89, 100, 80, 120]})
    assert "below 90 %" in capsys.readouterr().out
    assert coverage.print_rooms({"room": [100, 90, 100, 79, 120]})
    assert not coverage.print_rooms({"other": [100, 1, 100, 1, 120]})


def test_whether_a_call_did_its_work(coverage):
    text = ("is_set = is_set && EVP_MAC_update(a, b, c) == 1;\n"
            "if (is_set && is_ours(b))\n    go();\n")
    assert count(coverage, text, {2: [9, [9, 0, 9, 9]]}) == (3, 3, 4, set())
    text = "is_set = is_ours(a);\nif (is_set)\n    go();\n"
    assert count(coverage, text, {2: [9, [9, 0]]}) == (2, 1, 2, {2})

"""tools/count_tests.py: a failure is never lost in the sum."""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

CMOCKA = ("[==========] tests: Running 3 test(s).\n"
          "[ RUN      ] first\n[       OK ] first\n"
          "[ RUN      ] second\n[  FAILED  ] second\n"
          "[ RUN      ] third\n[  SKIPPED ] third\n")


def count(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)
    finished = subprocess.run([sys.executable, ROOT / "tools/count_tests.py", folder],
                              capture_output=True, text=True, timeout=60)
    return finished.returncode, finished.stdout.splitlines()


def meson(result, stdout="", stderr=""):
    return json.dumps({"name": "room/x_test", "result": result, "stdout": stdout,
                       "stderr": stderr}) + "\n"


def test_everything_passed(tmp_path):
    status, lines = count(tmp_path, {"a.count": "2 passed, 0 failed\n",
                                     "u.json": meson("OK", "[ RUN      ] x\n[       OK ] x\n")})
    assert (status, lines[-1]) == (0, "3 passed, 0 failed")


def test_one_failed_inside_a_program(tmp_path):
    status, lines = count(tmp_path, {"u.json": meson("FAIL", CMOCKA)})
    assert (status, lines[-1]) == (1, "1 passed, 1 failed, 1 skipped")
    assert "failed: u: room/x_test: second" in lines


def test_a_program_that_died_half_way(tmp_path):
    status, lines = count(tmp_path, {"u.json": meson("FAIL", "[ RUN      ] x\n")})
    assert (status, lines[-1]) == (1, "0 passed, 1 failed")


def test_a_leak_after_good_tests(tmp_path):
    output = "[ RUN      ] x\n[       OK ] x\n"
    status, lines = count(tmp_path, {"u.json": meson("FAIL", output, "LeakSanitizer")})
    assert (status, lines[-1]) == (1, "1 passed, 1 failed")


def test_a_program_out_of_time_without_output(tmp_path):
    status, lines = count(tmp_path, {"u.json": meson("TIMEOUT")})
    assert (status, lines[-1]) == (1, "0 passed, 1 failed")


def test_junit(tmp_path):
    xml = ('<testsuites><testsuite><testcase name="a"/><testcase name="b"><failure/></testcase>'
           '<testcase name="c"><error/></testcase><testcase name="d"><skipped/></testcase>'
           "</testsuite></testsuites>")
    status, lines = count(tmp_path, {"p.xml": xml})
    assert (status, lines[-1]) == (1, "1 passed, 2 failed, 1 skipped")


def test_the_words_of_a_failure_stand_below_its_name(tmp_path):
    xml = ('<testsuite><testcase classname="c" name="b"><failure message="1 is not 2&#10;at all"/>'
           "</testcase></testsuite>")
    output = "[ RUN      ] x\n[  ERROR   ] --- 3 is not 4\n[  FAILED  ] x\n"
    _, lines = count(tmp_path, {"p.xml": xml, "u.json": meson("FAIL", output)})
    assert lines == ["failed: p: c::b", "    1 is not 2", "    at all",
                     "failed: u: room/x_test: x", "    [  ERROR   ] --- 3 is not 4",
                     "0 passed, 2 failed"]


def test_a_part_without_result_has_failed(tmp_path):
    status, lines = count(tmp_path, {"a.count": "Traceback\n", "p.xml": "<broken"})
    assert (status, lines[-1]) == (1, "0 passed, 2 failed")


def test_no_test_at_all_is_no_success(tmp_path):
    status, lines = count(tmp_path, {})
    assert (status, lines[-1]) == (1, "0 passed, 0 failed")

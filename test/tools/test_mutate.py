"""Which faults tools/mutate.py seeds, which it leaves alone, and that its count is what it says."""

import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

ABOVE = """#include "a.h"
#define TWICE(a) \\
    ((a) && (a))
/* if (x == y) return RC_REFUSED; */
static const char *const text = "if (x == y)"; // and x < y
"""


@pytest.fixture
def mutate(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("mutate", ROOT / "tools/mutate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "TABLE", tmp_path / "mutate.txt")
    (tmp_path / "src/room").mkdir(parents=True)
    return module


def mutants(mutate, text):
    (mutate.ROOT / "src/room/a.c").write_text(ABOVE + text)
    return mutate.Finder(mutate.Source("src/room/a.c")).found


def changed(mutate, body, head="enum rc go_on(void)"):
    """Each mutant's body, in one line."""
    found = mutants(mutate, f"{head}\n{{\n{body}\n}}\n")
    assert all(one.new.startswith(ABOVE) for one in found)
    return {" ".join(one.new[len(ABOVE) + len(head) + 3:-3].split()) for one in found}


def test_a_condition_is_negated_and_a_comparison_swapped(mutate):
    assert changed(mutate, "if (a == b) act();") == {"if (!(a == b)) act();", "if (a != b) act();"}
    assert changed(mutate, "x = a < b;") == {"x = a <= b;"}
    assert changed(mutate, "if (f(a, b) >= c[1]) act();") == {
        "if (!(f(a, b) >= c[1])) act();", "if (f(a, b) > c[1]) act();"}


def test_each_operand_is_dropped_once(mutate):
    assert changed(mutate, "x = a && b && c;") == {"x = b && c;", "x = a && c;", "x = a && b ;"}
    assert changed(mutate, "x = a || (b && c) || d;") == {
        "x = (b && c) || d;", "x = a || d;", "x = a || (b && c) ;", "x = a || ( c) || d;",
        "x = a || (b ) || d;"}
    assert changed(mutate, "x = f(a && b, c);") == {"x = f( b, c);", "x = f(a , c);"}


def test_what_refuses_is_left_out(mutate):
    assert changed(mutate, "if (x) return RC_REFUSED; act(); return RC_OK;") == {
        "if (!(x)) return RC_REFUSED; act(); return RC_OK;", "if (x) ; act(); return RC_OK;"}
    assert "if (x) ; act();" in changed(mutate, "if (x) return refuse_token(call, why); act();")
    assert "if (x) ; act();" in changed(mutate, "if (x) goto refuse; act();")


def test_checks_are_left_out_or_answer_success_at_once(mutate):
    assert changed(mutate, "rc = check_key(&a[1], b); return rc;") == {"rc = RC_OK; return rc;"}
    assert changed(mutate, "return check_key(a);") == {"return RC_OK;"}
    head = "static bool has_key(struct a *a)"
    assert changed(mutate, "return a->key;", head) == {"return true; return a->key;"}
    assert "if (!a) ; return f(a);" in changed(mutate, "if (!a) return false; return f(a);", head)
    head = "static bool is_over(struct a *a)"
    assert changed(mutate, "return a->key;", head) == {"return false; return a->key;"}


@pytest.mark.parametrize("body", [
    "if (rc != RC_OK) return rc;",
    "rc = f(); act();",
    "ASSERT(a == b && c);",
    "for (i = 0; i < n; i++) act();",
    "return RC_REFUSED;",
    '/* if (a) */ x = "a && b"; act(\'<\');',
])
def test_what_flatters_the_count_is_left_alone(mutate, body):
    assert changed(mutate, body) == set()


def test_faults_of_the_world_are_no_decisions(mutate):
    assert changed(mutate, "if (fd < 0) return RC_SYSTEM;") == {"if (fd <= 0) return RC_SYSTEM;"}


def test_ids_do_not_depend_on_what_stands_elsewhere(mutate):
    text = "static bool has_key(void)\n{\n    return a == b && a == b;\n}\n"
    before = mutants(mutate, text)
    after = mutants(mutate, "static void f(void)\n{\n    act(a > b);\n}\n" + text)
    assert len({one.id for one in before}) == len(before) == 5
    assert [one.id for one in before] == [one.id for one in after if one.function == "has_key"]
    assert {one.line for one in before} == {ABOVE.count("\n") + 2, ABOVE.count("\n") + 3}


def test_table_names_functions(mutate):
    text = "bool has_a(void)\n{\n    return a;\n}\nbool has_b(void)\n{\n    return a;\n}\n"
    (mutate.ROOT / "src/room/a.c").write_text(text)
    for names, expected in (("", ["has_a", "has_b"]), ("has_a", ["has_a"]), ("-has_a", ["has_b"])):
        mutate.TABLE.write_text(f"# words\n[files]\nsrc/room/a.c | {names} | x y\n"
                                "[equivalent]\n0badcafe src/room/a.c: why\n")
        files, equivalents = mutate.read_table()
        assert files["src/room/a.c"][1] == ["x", "y"] and list(equivalents) == ["0badcafe"]
        assert [one.function for one in mutate.find_mutants(files, "")] == expected


def test_only_what_was_built_counts(mutate, monkeypatch):
    """The shortest row of mutants with as many that compile as were asked for."""
    found = mutants(mutate, "bool is_a(void)\n{\n    return a == b && c != d && e > f;\n}\n")
    assert len(found) == 7
    verdicts = dict(zip((one.id for one in found), (
        "does not compile", "caught", "none", "survived", "caught", "caught", "caught")))
    monkeypatch.setattr(mutate, "try_mutant", lambda tree, seconds, mutant, tests:
                        (verdicts[mutant.id], ""))
    campaign = mutate.Campaign({"src/room/a.c": (set(), [])}, found, {found[2].id: "equivalent"}, 3)
    campaign.work(None, {})
    assert campaign.counts == {"does not compile": 1, "equivalent": 1, "caught": 2, "survived": 1}
    assert len(campaign.queue) == 2


def test_a_survivor_is_tried_again(mutate, tmp_path):
    (tmp_path / "log").write_text(
        "good without a mutant\ncaught: 11111111 a.c:1: f: g [x]\n"
        "survived: 22222222 a.c:1: f: g\ndoes not compile: 33333333 a.c:1: f: g\n")
    assert mutate.read_verdicts(tmp_path / "log") == {"11111111": "caught",
                                                      "33333333": "does not compile"}


def test_every_file_and_test_of_the_table_is_there():
    spec = importlib.util.spec_from_file_location("mutate", ROOT / "tools/mutate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    files, equivalents = module.read_table()
    for path, (names, tests) in files.items():
        assert all((ROOT / f"test/blackbox/test_{name}.py").exists() for name in tests), path
        there = {name for name, *_ in module.Source(path).functions()}
        assert {name.removeprefix("-") for name in names} <= there, path
    found = {one.id: one for one in module.find_mutants(files, "")}
    assert len(found) >= 2000
    for mutant, reason in equivalents.items():
        assert mutant in found and found[mutant].path in reason, mutant

"""What ./do test --quick names is there, and what it runs under ThreadSanitizer."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]


def section(name, of="tools/quick.txt"):
    text = (TOP / of).read_text()
    body = re.search(rf"(?ms)^\[{name}\]\n(.*?)(?=^\[|\Z)", text).group(1)
    return [line for line in body.splitlines() if line and not line.startswith("#")]


def test_every_file_of_the_quick_part_exists():
    assert len(section("files")) > 20
    assert [name for name in section("files") if not (TOP / name).is_file()] == []


def test_every_slow_test_that_is_left_out_exists():
    names = {f"{path.parent.name}/{path.stem}" for path in (TOP / "test").glob("unit/*/*_test.c")}
    names |= {f"store/{path.stem}" for path in (TOP / "test/store").glob("*_test.c")}
    names |= {"fuzz/" + path.stem.removesuffix("_fuzz") for path in
              (TOP / "test/fuzz").glob("*_fuzz.c")}
    assert [name for name in section("slow") if name not in names] == []


def test_what_is_run_with_threads_exists():
    of = "tools/threads.txt"
    assert [name for name in section("files", of) if not (TOP / name).is_file()] == []
    assert [name for name in section("slow", of) + section("memcheck", of)
            if not (TOP / f"test/unit/{name}.c").is_file()] == []
    assert [name for name in section("rooms", of)
            if not (TOP / "test/unit" / name / "meson.build").is_file()] == []
    assert len(section("rooms", of)) >= 8 and len(section("files", of)) >= 2

"""docs/STANDARDS.md and docs/conformance.md name tests, page elements and words that are there.

The modules of the basic plan and of FAPI 2.0 are compared where they are played, in
test/blackbox/test_conformance_basic.py and test_conformance_fapi2.py.
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLACKBOX = ROOT / "test" / "blackbox"
STANDARDS = (ROOT / "docs" / "STANDARDS.md").read_text("utf-8")
PAPER = (ROOT / "docs" / "conformance.md").read_text("utf-8")


def sections():
    for part in STANDARDS.split("\n### ")[1:]:
        if part.startswith("Modules of the OpenID Foundation's suite: logout"):
            yield part.split("\n## ")[0]


def test_every_module_has_a_test_that_exists():
    names, count = set(), 0
    for section in sections():
        usual = re.findall(r"`test/blackbox/(test_\w+\.py)`", section.split("| module |")[0])[0]
        for modules, test, other in re.findall(
                r"^\| (`.+`) \| `(test_\w+)`(?: \(`(test_\w+\.py)`\))? \|$", section, re.M):
            source = (BLACKBOX / (other or usual)).read_text("utf-8")
            assert f"def {test}(" in source, (modules, test)
            names.update(re.findall(r"`([^`]+)`", modules))
            count += 1
        assert count, section[:80]
    assert len(names) >= 13, len(names)


def test_the_configuration_names_what_pages_have():
    pages = "".join(path.read_text("utf-8") for path in (ROOT / "pages").glob("*.html"))
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAPER, re.S)]
    commands = re.findall(r'\["(?:text|click)", "id", "([\w-]+)"', json.dumps(blocks))
    assert {"username", "password", "sign-in", "confirm", "allow", "ok"} <= set(commands)
    for identity in commands:
        assert f'id="{identity}"' in pages, identity
    error = (ROOT / "pages" / "authorize_error.html").read_text("utf-8")
    assert "{{_ This request cannot be answered}}" in error and 'id="error"' in error
    assert PAPER.count("This request cannot be answered") >= 2

"""Every page, in a walk past all of them: axe-core has nothing to say (WCAG 2.2 AA, and what its
authors hold to be good practice), on a wide screen and on a phone, light and dark, on a good day
and with errors; the headers are there, and nothing comes from elsewhere."""

import collections
import json
import urllib.parse

import pytest

from devtools import Browser, find_browser
from harness import free_port
from house import House, add_people, add_programs, settings
from npm_packages import npm_package
from smtp_server import SmtpServer
from tour import Walk, certain_ids, has_errors, missing_rows, templates

WIDE, NARROW = (1280, 900), (360, 740)
WIDTHS = (320, 700, 800, 970, 1100, 1200)  # where else nothing may stand out
# Everything twice; what depends on the colours alone for the other two.
VIEWS = ((WIDE, "light", None), (NARROW, "dark", None), (WIDE, "dark", ["color-contrast"]),
         (NARROW, "light", ["color-contrast"]))
ASK = """axe.run(document, {resultTypes: ["violations", "incomplete"], preload: false,
 ...%s}).then((found) => found.violations.concat(found.incomplete).flatMap((rule) => rule.nodes.map(
 (node) => [rule.id, node.target.join(" "), node.failureSummary || ""])))"""
TOO_WIDE = """Math.max(...[document.scrollingElement, document.querySelector("main")]
 .map((each) => each ? each.scrollWidth - each.clientWidth : 0))"""
FAULTY = """data:text/html,<html><title>x</title><p style="color:%23bbb;background:%23fff">faint
<form><input></form><img src="data:,">"""

@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if find_browser() is None:
        pytest.skip("Chromium is not installed")
    started = Browser(str(tmp_path_factory.mktemp("browser")))
    yield started
    started.close()


@pytest.fixture(scope="module")
def house(module_server):
    port = free_port()
    with SmtpServer() as smtp:
        server = module_server(args=settings(smtp, port), seeded=False, start=False,
                               listen=f"127.0.0.1:{port}")
        add_people(server)
        add_programs(server)
        yield House(server.start(), smtp).move_in()


def show(page, size, scheme):
    page.call("Emulation.setDeviceMetricsOverride",
              {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False})
    page.call("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"}]})


def ask_axe(page, axe, views=VIEWS):
    """View, rule, element and reason of everything that axe complains about or cannot decide."""
    run = page.own_world()
    run(axe + "\n;0")
    found = []

    def measure(size):
        if run(TOO_WIDE) > 0:  # WCAG 1.4.10
            found.append((size[0], "reflow", "main", "scrolls sideways, or stands out"))

    for size, scheme, rules in views:
        show(page, size, scheme)
        options = {"runOnly": {"type": "rule", "values": rules}} if rules else \
            {"rules": {"target-size": {"enabled": True}}}
        found += [(size[0], scheme, *each) for each in run(ASK % json.dumps(options))]
        measure(size)
    for width in WIDTHS:
        show(page, (width, 640), "light")
        measure((width, 640))
    return found


@pytest.fixture(scope="module")
def axe():
    return (npm_package("axe-core") / "axe.min.js").read_text(encoding="utf-8")


class Seen:
    """The whole walk, and what was noticed on it."""

    def __init__(self, walk, axe):
        self.walk = walk
        self.axe, self.absent = {}, {}  # by the name of the sight
        self.templates, self.errors = collections.Counter(), set()
        sources = templates()
        for sight in walk:
            page = walk.page
            absent = {each for each in certain_ids(sources[sight.template])
                      if not page.has("#" + each)}
            if absent:
                self.absent[sight.name] = (absent, page.url, page.text())
            is_wrong = page.has("[aria-invalid]") or page.has("#errors")
            is_new = not self.templates[sight.template] or \
                is_wrong and sight.template not in self.errors
            if is_wrong:
                self.errors.add(sight.template)
            self.templates[sight.template] += 1
            complaints = ask_axe(page, axe, VIEWS if is_new else VIEWS[:2])
            if complaints:
                self.axe[sight.name] = complaints


@pytest.fixture(scope="module")
def seen(browser, house, axe):
    return Seen(Walk(browser, house), axe)


def test_axe_finds_what_is_wrong(browser, axe):
    """So that its silence says something."""
    page = browser.new_page(stranger=True).open(FAULTY)
    rules = {each[2] for each in ask_axe(page, axe)}
    assert {"color-contrast", "label", "image-alt", "html-has-lang"} <= rules
    page.close()


def test_no_page_has_a_violation(seen):
    assert not seen.axe, json.dumps(seen.axe, indent=1)


def test_every_page_was_visited(seen):
    """Each row of the table of endpoints with each of its methods, each template, and each form
    with an error; a new page needs a stop in tour.py."""
    sources = templates()
    assert not seen.absent, "not the pages that the tour took them for"
    assert set(sources) - set(seen.templates) == set()
    assert {name for name, source in sources.items() if has_errors(source)} - seen.errors == set()
    assert missing_rows(seen.walk.visited) == []


def test_az_13_nothing_comes_from_elsewhere(house, seen):
    """Nor is anybody told which page one comes from."""
    assert len(seen.walk.requests) > 100
    for request in seen.walk.requests:
        assert request["url"] == "about:blank" or request["url"].startswith(house.root + "/")
        assert request["headers"].get("Referer", "") == "", request
    assert seen.walk.complaints == [] and seen.walk.dialogs == []


def test_se_07_az_12_headers_of_every_page(house, seen):
    pages = [each for each in seen.walk.answers if each["mimeType"] == "text/html"]
    assert len(pages) > 80
    for page in pages:
        path = urllib.parse.urlsplit(page["url"]).path
        headers = {name.lower(): value for name, value in page["headers"].items()}
        policy = [part.strip() for part in headers["content-security-policy"].split(";")]
        assert {"default-src 'none'", "frame-ancestors 'none'",
                "base-uri 'none'"} <= set(policy), path
        # Beside us there may be the one client that a sign-in leads to, here one of our own pages.
        forms = [part.split()[1:] for part in policy if part.startswith("form-action")]
        assert forms in ([["'self'"]], [["'self'", house.root]]), (path, policy)
        assert "unsafe" not in headers["content-security-policy"], path
        assert headers["x-frame-options"] == "DENY", path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert headers["cross-origin-opener-policy"] == "same-origin", path
        assert "camera=()" in headers["permissions-policy"], path
        assert headers["cache-control"] == "no-store", path

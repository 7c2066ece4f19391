"""tools/pages.py: values are escaped where they stand, and what could let them out is refused."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True

SOURCES = [ROOT / "src" / each for each in ("web/page_writer.c", "codec/html.c", "codec/uri.c")]
HEAD = """#include <stdio.h>
#include "pages.h"
static const struct secret hush = { 4, "a<b\\"" };
int main(int argc, char **argv)
{
    static char memory[65536];
    struct buffer to = buffer_over(memory, sizeof(memory));
    const struct page_language *language = page_language_find(str_of(argv[argc - 1]));
    (void)hush;
"""
TAIL = "    fwrite(to.at, 1, to.len, stdout);\n    return to.overflow;\n}\n"


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """What every page links, compiled once."""
    folder = tmp_path_factory.mktemp("objects")
    sources = SOURCES + sorted((ROOT / "src/base").glob("*.c"))
    subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-D_GNU_SOURCE", "-c", "-I",
                    ROOT / "src", *sources], cwd=folder, check=True, timeout=120)
    return sorted(folder.glob("*.o"))


class Pages:
    """A folder of templates."""

    def __init__(self, folder, objects):
        self.folder, self.objects = folder, objects

    def write(self, files):
        paths = []
        for name, text in files.items():
            path = self.folder / name
            path.write_text(text, encoding="utf-8")
            paths.append(path)
        return paths

    def compile(self, files, *options):
        outputs = [] if options else [self.folder / "pages.c", self.folder / "pages.h"]
        return subprocess.run([sys.executable, ROOT / "tools/pages.py", *options, *outputs,
                               *self.write(files)], capture_output=True, text=True, timeout=60)

    def render(self, files, values, language="en", name="a"):
        """What page `name` is with these values, given as C."""
        made = self.compile(files)
        assert made.returncode == 0, made.stderr
        (self.folder / "main.c").write_text(
            HEAD + f"    {values}\n    page_{name}_render(&values, language, &to);\n" + TAIL)
        subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-Wall", "-Wextra", "-Wpedantic",
                        "-Wshadow", "-Wconversion", "-Werror", "-D_GNU_SOURCE", "-I", ROOT / "src",
                        "-I", self.folder, "-o", "page", "main.c", "pages.c", *self.objects],
                       cwd=self.folder, check=True, timeout=120)
        shown = subprocess.run([self.folder / "page", language], capture_output=True, timeout=20)
        assert shown.returncode == 0
        return shown.stdout.decode()


@pytest.fixture
def site(tmp_path, objects):
    return Pages(tmp_path, objects)


def test_values_are_escaped_in_text_and_attributes(site):
    shown = site.render({"a.html": '<p title="{{x}}">{{x}}</p>'},
                        'struct page_a values = { .x = STR("<a b=\\"c\\" d=\'e\'>&amp;\\x01") };')
    escaped = "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;\ufffd"
    assert shown == f'<p title="{escaped}">{escaped}</p>'


def test_values_in_urls_are_percent_encoded(site):
    shown = site.render({"a.html": '<a href="/x/{{x}}?a={{x}}&amp;n={{%n}}">y</a>'},
                        'struct page_a values = { .x = STR("../a&b=c#\\"<é"), .n = -3 };')
    encoded = "..%2Fa%26b%3Dc%23%22%3C%C3%A9"
    assert shown == f'<a href="/x/{encoded}?a={encoded}&amp;n=-3">y</a>'


def test_lists_reach_outwards_and_nest(site):
    template = ("<ul>{{#rows}}<li>{{name}} of {{../name}} by {{shop.owner}}"
                "{{#parts}} ({{name}} {{../name}} {{../../name}}){{/parts}}</li>{{/rows}}</ul>")
    shown = site.render({"a.html": template}, """
        struct page_shop shop = { .owner = STR("o") };
        struct page_a_rows_parts parts[] = { { STR("p") }, { STR("q") } };
        struct page_a_rows rows[] = { { STR("r"), parts, 2 }, { STR("s"), NULL, 0 } };
        struct page_a values = { .shop = &shop, .name = STR("n"), .rows = rows, .rows_count = 2 };
        """)
    assert shown == "<ul><li>r of n by o (p r n) (q r n)</li><li>s of n by o</li></ul>"


@pytest.mark.parametrize("values, shown", [
    (".f = true", "f"), (".t = STR(\"x\")", "t"), (".n = 1", "n"), (".at = 1", "@"),
    (".s = &hush", "s"), (".w = { .text = PAGE_TEXT_WRONG }", "w"),
    (".l = (struct page_a_l[]){ { 0 } }, .l_count = 1", "l"), (".f = false", "")])
def test_conditions_of_every_kind(site, values, shown):
    template = "".join("{{?%s}}%s{{/%s}}" % (name, mark, name) for name, mark in
                       zip(("f", "t", "n", "at", "s", "w", "l"), "ftn@swl"))
    uses = "{{?never}}{{t}}{{%n}}{{@at}}{{*s}}{{&w}}{{#l}}{{/l}}{{/never}}"
    assert site.render({"a.html": template + uses, "messages.txt": "wrong: Wrong.\n"},
                       "struct page_a values = { %s };" % values) == shown


def test_else_and_partials_whose_fields_join(site):
    files = {"a.html": "{{>top}}<p{{?big}} class=\"big\"{{:}} id=\"{{id}}\"{{/big}}>{{title}}</p>",
             "_top.html": "<h1>{{title}}</h1>\n"}
    assert site.render(files, 'struct page_a values = { .title = STR("t"), .id = STR("i") };') == \
        '<h1>t</h1>\n<p id="i">t</p>'


def test_lines_of_blocks_alone_leave_no_empty_lines(site):
    shown = site.render({"a.html": "<p>\n{{?x}}\n{{x}}\n{{:}}\nno\n{{/x}}\n</p>\n"},
                        'struct page_a values = { .x = STR("y") };')
    assert shown == "<p>\ny\n</p>\n"


def test_times_numbers_secrets(site):
    shown = site.render({"a.html": "{{@a}} {{@b}} {{@b never}} {{@c}} {{%n}} {{*s}}{{*none}}"},
                        "struct page_a values = { .a = 1795327199, .c = INT64_MAX, "
                        ".n = INT64_MIN, .s = &hush };")
    assert shown == ('<time datetime="2026-11-22T05:59:59Z">2026-11-22 05:59 UTC</time> – never '
                     '<time datetime="9999-12-31T23:59:59Z">9999-12-31 23:59 UTC</time> '
                     "-9223372036854775808 a&lt;b&quot;")


def test_lines_of_a_textarea_stay_lines(site):
    shown = site.render({"a.html": '<textarea name="x">\n{{x}}</textarea>'},
                        'struct page_a values = { .x = STR("a\\r\\nb</textarea>\\n") };')
    assert shown == '<textarea name="x">\na\nb&lt;/textarea&gt;\n</textarea>'


def test_a_mail_is_text_and_nothing_adds_a_line(site):
    template = "{{_ For {name}}}\n\n{{root}}/x?link={{*s}}\n{{@at}} <{{name}}>\n"
    shown = site.render({"a.mail": template},
                        'struct page_a values = { .name = STR("a\\r\\nBcc: <b>&"), '
                        '.root = STR("https://a.example"), .s = &hush, .at = 1795327199 };')
    name = "a\ufffd\ufffdBcc: <b>&"
    assert shown == f'For {name}\n\nhttps://a.example/x?link=a<b"\n2026-11-22 05:59 UTC <{name}>\n'


TRANSLATED = {
    "a.html": '<p title="{{_ By {who}}}">{{_ {who} has {%n} & more}}</p>{{_ Only English}}',
    "de.txt": "Deutsch\n\n{who} has {%n} & more\n{%n} & mehr hat {who}\n\n"
              "By {who}\nVon \"{who}\"\n"}
WHO = 'struct page_a values = { .who = STR("<x>"), .n = 2 };'


def test_translations_and_their_order(site):
    assert site.render(TRANSLATED, WHO) == \
        '<p title="By &lt;x&gt;"><bdi>&lt;x&gt;</bdi> has 2 &amp; more</p>Only English'
    assert site.render(TRANSLATED, WHO, "de") == \
        '<p title="Von &quot;&lt;x&gt;&quot;">2 &amp; mehr hat <bdi>&lt;x&gt;</bdi></p>Only English'


@pytest.mark.parametrize("accepted, code", [
    ("de", "de"), ("de-CH", "de"), ("DE", "de"), ("fr;q=0.9, de;q=0.8", "de"), ("", "en"),
    ("de;q=0, en", "en"), ("en;q=0.5,de;q=0.7", "de"), ("en, de", "en"), ("*", "en"),
    ("de;q=2", "en"), ("de;q=0.7777", "en"), ("xx", "en"), (",,;;q=1,de", "de"), ("deu", "en"),
    ("de;q=1.000", "de"), ("de;q=1.001, en;q=0.1", "en"), (" de ; Q=0.5 ", "de")])
def test_the_best_language(site, accepted, code):
    """RFC 9110 12.5.4, 12.4.2: the one that is wanted most, and English when none is."""
    files = {"a.html": '<html lang="{{=language}}">', "de.txt": "Deutsch\n"}
    assert site.render(files, "struct page_a values = { 0 };", accepted) == f'<html lang="{code}">'


def test_messages_are_translated_with_their_values(site):
    files = {"a.html": "<p>{{&said}}</p>", "messages.txt": "much: {value} has {%number}\n",
             "de.txt": "Deutsch\n\n{value} has {%number}\n{%number} hat {value}\n"}
    said = 'struct page_a values = { { .text = PAGE_TEXT_MUCH, STR("<v>"), 3 } };'
    assert site.render(files, said, "de") == "<p>3 hat <bdi>&lt;v&gt;</bdi></p>"
    assert site.render(files, "struct page_a values = { 0 };") == "<p></p>"


def test_files_are_asked_for_by_their_content(site):
    files = {"a.html": '<link rel="stylesheet" href="{{=s.css}}">', "s.css": "p { color: red }\n"}
    values = "struct page_a values = { 0 };"
    first = site.render(files, values)
    assert first.startswith('<link rel="stylesheet" href="/s.css?v=') and len(first) < 70
    assert site.render(files, values) == first
    assert site.render({**files, "s.css": "p { color: blue }\n"}, values) != first


@pytest.mark.parametrize("template, line, words", [
    ("<p>\n<script>alert(1)</script>", 2, "come from a file"),
    ('<script src="/a.js">\nalert(1)</script>', 1, "no content"),
    ('<script src="/a.js">{{x}}</script>', 1, "in text and in a quoted"),
    ('<p style="color: {{x}}">', 1, "style"), ("<style>{{x}}</style>", 1, "style"),
    ('<p\nonclick="x()">', 2, "onclick"), ('<p ONCLICK="x()">', 1, "onclick"),
    ('<iframe src="/x">', 1, "iframe"), ('<meta http-equiv="refresh">', 1, "http-equiv"),
    ('<base href="/x">', 1, "base"), ("<!-- {{x}} -->", 1, "!"), ("<p>a <{{x}}>", 1, "<> is not"),
    ('<a href="{{x}}">', 1, "begin with a literal"), ('<a href="https://x/">', 1, "begin with a"),
    ('<a href="javascript:{{x}}">', 1, "begin with a literal"), ('<a href="">', 1, "empty"),
    ('<a href="//x">', 1, "leave this server"), ('<a href="/\\x">', 1, "leave this server"),
    ('<a href="{{?x}}{{/x}}{{y}}">', 1, "begin with a literal"),
    ('<a href="{{?x}}/a{{/x}}{{y}}">', 1, "ends elsewhere"),
    ('<a href="{{?x}}/a{{:}}/{{/x}}/b">', 1, "ends elsewhere"),
    ('<a href="{{#x}}/{{/x}}{{y}}">', 1, "ends elsewhere"),
    ('<a {{?x}}title="{{:}}href="{{/x}}{{y}}">', 1, "ends elsewhere"),
    ("{{?x}}<title>{{/x}}{{_ By {y}}}", 1, "ends elsewhere"),
    ('<form method="post">{{?x}}<input name="csrf">{{/x}}</form>', 1, "ends elsewhere"),
    ('<form method="post" action="{{x}}">', 1, "begin with a literal"),
    ('<button formaction="{{x}}">', 1, "begin with a literal"),
    ('<form method="post">\n</form>', 2, "csrf"), ("<form>", 1, "method"),
    ('<form method="post" action="{{!x}}"><input name="csrf"></form>', 1, "tells it no csrf"),
    ('<form method="post" action="/{{!x}}">', 1, "whole action"),
    ('<form method="post" action="{{!x}}/y">', 1, "whole action"),
    ('<a href="{{!x}}">', 1, "whole action"), ("<p>{{!x}}</p>", 1, "whole action"),
    ('<button formaction="{{!x}}">', 1, "whole action"),
    ("<p title={{x}}>", 1, "attribute value only"), ("<p title=a>", 1, "double quotes"),
    ("<p title='{{x}}'>", 1, "double quotes"), ("<p {{x}}>", 1, "attribute value only"),
    ('<p {{x}}="y">', 1, "attribute value only"), ('<p title="a"class="b">', 1, "not expected"),
    ('<p title="a" title="b">', 1, "twice"), ('<p title="{{x}}', 1, "inside a tag"),
    ('<a href="/{{@x}}">', 1, "does not stand in a URL"), ('<p title="{{@x}}">', 1, "in text only"),
    ("<title>{{@x}}</title>", 1, "in text only"), ('<a href="/{{_ x}}">', 1, "in a URL"),
    ("{{?x}}<p {{/x}}>", 1, "ends elsewhere"), ("{{#x}}<p{{/x}}>", 1, "ends elsewhere"),
    ("a\n\n{{?x}}b", 3, "not closed"), ("{{/x}}", 1, "closes nothing"), ("{{:}}", 1, "nothing"),
    ("{{?x}}{{:}}{{:}}{{/x}}", 1, "second"), ("{{#x}}{{:}}{{/x}}", 1, "no {{:}}"),
    ("{{?x}}{{/y}}", 1, "closes nothing"), ("{{../x}}", 1, "further out"),
    ("{{#x}}{{../a.b}}{{/x}}", 1, "leave out"), ("{{x}}\n{{%x}}", 2, "is number here and text at"),
    ("{{{x}}}", 1, "not a form"), ("{{! x}}", 1, "not a form"), ("{{X}}", 1, "not a form"),
    ("{{x", 1, "without its }}"), ("{{>none}}", 1, "no partial"), ("{{=none.css}}", 1, "no file"),
    ("{{_ }}", 1, "no text")])
def test_what_is_not_safe_is_refused_with_its_line(site, template, line, words):
    made = site.compile({"a.html": template})
    assert made.returncode == 1
    assert f"a.html:{line}: " in made.stderr and words in made.stderr


def test_partials_do_not_include_themselves(site):
    made = site.compile({"a.html": "{{>b}}", "_b.html": "<p>\n{{>b}}"})
    assert made.returncode == 1 and "_b.html:2: the partial b includes itself" in made.stderr


@pytest.mark.parametrize("name, text, place", [
    ("de.txt", "Deutsch\n\nBy {who}\nVon {wem}\n", "de.txt:4: names other values"),
    ("de.txt", "Deutsch\n\nBy {who}\nVon {%who}\n", "de.txt:4: names other values"),
    ("de.txt", "Deutsch\n\nBy {who}\n", "de.txt:3: a text without its translation"),
    ("de.txt", "Deutsch\n\na\nb\n\na\nc\n", "de.txt:6: «a» stands twice"),
    ("de.txt", "Deutsch\n\na\nb {\n", "de.txt:4: a brace"),
    ("german.txt", "Deutsch\n", "german.txt:1: not a language"),
    ("messages.txt", "a: b\nA: b\n", "messages.txt:2: a message is"),
    ("messages.txt", "a: b\na: c\n", "messages.txt:2: a stands twice"),
    ("messages.txt", "a: {who}\n", "messages.txt:1: a message has {value}"),
    ("a.exe", "x", "a.exe:1: files of this kind")])
def test_faults_in_texts_are_refused_with_their_line(site, name, text, place):
    made = site.compile({"a.html": "{{_ By {who}}}", name: text})
    assert made.returncode == 1 and place in made.stderr


def test_check_lists_what_is_missing_and_what_is_left_over(site):
    files = {"a.html": "{{_ One}} {{_ Two}}", "de.txt": "Deutsch\n\nOne\nEins\n\nThree\nDrei\n"}
    made = site.compile(files, "--check")
    assert made.returncode == 1
    assert made.stdout.splitlines()[:2] == ["de: missing: Two", "de: not used: Three"]
    files["de.txt"] = "Deutsch\n\nOne\nEins\n\nTwo\nZwei\n"
    assert site.compile(files, "--check").returncode == 0

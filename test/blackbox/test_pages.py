"""What a browser is shown: nothing runs, nothing is framed, nothing comes from elsewhere."""

import re


def test_the_start_page_loads_only_its_own_style(jeton):
    page = jeton.get("/")
    assert page.status == 200 and page.header("Content-Type") == "text/html; charset=utf-8"
    text = page.body.decode()
    loaded = re.findall(r"<link[^>]* href=\"([^\"]+)\"", text)
    assert [path.split("?")[0] for path in loaded] == ["/style.css"]
    assert not re.search(r"<script|<iframe|<img|\son\w+=|\sstyle=", text)


def test_az_12_the_start_page_cannot_be_framed(jeton):
    page = jeton.get("/")
    policy = [part.strip() for part in page.header("Content-Security-Policy").split(";")]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in page.header("Content-Security-Policy")
    assert page.header("X-Frame-Options") == "DENY"
    assert page.header("Referrer-Policy") == "no-referrer"
    assert page.header("X-Content-Type-Options") == "nosniff"


def test_the_style_is_css_and_complete(jeton):
    style = jeton.get("/style.css")
    assert style.status == 200 and style.header("Content-Type") == "text/css; charset=utf-8"
    assert style.header("X-Content-Type-Options") == "nosniff"
    text = style.body.decode()
    assert text.count("{") == text.count("}") > 0
    assert "@import" not in text and "url(" not in text


def test_pages_have_no_other_methods(jeton):
    for path in ("/", "/style.css"):
        answer = jeton.request("POST", path, b"")
        assert answer.status == 405 and "GET" in answer.header("Allow")
        assert jeton.request("HEAD", path).body == b""

"""Permanent tokens in the pages: made, listed, renamed, rotated and revoked by their owners, with
plain forms and no script."""

import concurrent.futures
import html
import re
import urllib.parse

import pytest

from harness import ALICE, API, BOB, UAUTH, UAUTH_SERVICE, bearer, wait_until
from person import Person
from token_people import (OPEN, OWN_WORD, add_account, add_open_service, begin, field_of, make, row,
                          value_shown)

HOSTILE = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'><svg onload=alert(1)>",
    "</title><script>alert(1)</script>", "</textarea><script>alert(1)</script>",
    "{{name}} {{>top}}", "javascript:alert(1)", "&lt;b&gt; &amp; &#x27;", "a\u202e\u2066b",
    "${7*7} #{7*7} <%= 7*7 %>", "x' OR '1'='1", "\u4e2d\u6587 \u05d0\u05d1 e\u0301 \U0001f512",
    "]]><!--", "%3Cscript%3E%0d%0aSet-Cookie:a=b", "\\u003cscript\\u003e",
    "<a href=//evil.example>",
]


@pytest.fixture(scope="module")
def jeton(module_server):
    return add_open_service(module_server())


@pytest.fixture
def person(jeton):
    return Person(jeton).sign_in(add_account(jeton))


# -- the flow of u-Auth --------------------------------------------------------------------------

def test_uauth_flow_without_scripts(jeton):
    """Words and order of the documents; the token is good at every door, and at none after OK."""
    person = Person(jeton).sign_in(add_account(jeton)).open("/")
    assert person.text_of("tokens-and-sessions") == "Tokens and sessions"
    person.press("tokens-and-sessions")
    assert person.text_of("nav-tokens") == "TOKENS" and person.text_of("nav-sessions") == "SESSIONS"
    person.press("nav-tokens")
    assert person.has("no-tokens") and not person.has("token-1")
    assert person.text_of("new-permanent-token") == "New permanent token"
    person.press("new-permanent-token")
    assert person.text_of("dialog-title") == "New token creation"
    person.fill("token-name", "slicer").fill("token-scope", OPEN[0])
    assert person.text_of("add-scope") == "Add"
    person.press("add-scope")
    assert OPEN[0] in person.text_of("scopes") and person.value_of("token-scope") == ""
    assert person.value_of("token-name") == "slicer"
    person.fill("token-scope", UAUTH).press("add-scope")
    assert OPEN[0] in person.text_of("scopes") and UAUTH in person.text_of("scopes")
    person.press("create-token")
    token = value_shown(person)
    assert person.text_of("copy-token-value") == "Copy token value"
    assert person.answer.header("Cache-Control") == "no-store"
    person.press("done")
    assert person.path.startswith("/tokens") and token not in person.answer.body.decode()
    shown = person.text_of("token-1")
    for part in ("slicer", OPEN[0], UAUTH, "active", "never"):
        assert part in shown, shown
    assert jeton.is_active(token, OPEN) and jeton.is_active(token, UAUTH_SERVICE)
    assert not jeton.is_active(token, API)
    assert jeton.forward_auth(token, f"?service={OPEN[0]}").status == 200
    person.press("revoke-1")
    assert person.text_of("ok") == "OK"
    person.press("ok")
    assert "revoked" in person.text_of("token-1") and not person.has("revoke-1")
    assert not jeton.is_active(token, OPEN)
    assert jeton.forward_auth(token).status == 401


def test_scope_words_of_a_service(jeton, person):
    token = make(person, scopes=("see", "touch"))
    answer = jeton.introspect(token, OPEN).json
    assert answer["active"] and answer["scope"] == "see touch" and answer["aud"] == OPEN[0]
    assert jeton.forward_auth(token, "?scope=see").status == 200
    assert jeton.forward_auth(token, "?scope=admin").status == 403


def test_service_with_and_without_its_prefix_is_the_same(jeton, person):
    begin(person, scopes=(OPEN[0],))
    person.fill("token-scope", "service_id=" + OPEN[0]).press("add-scope")
    assert person.status == 200
    assert person.has("remove-scope-1") and not person.has("remove-scope-2")
    person.press("create-token")
    assert jeton.introspect(value_shown(person), OPEN).json["scope"] == "service_id=" + OPEN[0]


def test_create_takes_the_scope_that_was_typed_and_not_added(jeton, person):
    person.open("/tokens/new").fill("token-name", "hasty").fill("token-scope", "see")
    person.press("create-token")
    assert jeton.introspect(value_shown(person), OPEN).json["scope"] == "see"


def test_a_scope_can_be_removed_again(jeton, person):
    begin(person, scopes=("see", "touch", UAUTH))
    person.press("remove-scope-2")
    assert person.has("remove-scope-2") and not person.has("remove-scope-3")
    person.press("create-token")
    scope = jeton.introspect(value_shown(person), OPEN).json["scope"]
    assert scope == "see service_id=" + UAUTH


# -- what is refused, and why --------------------------------------------------------------------

@pytest.mark.parametrize("scope, reason", [
    ("nowhere.example", "no service or scope nowhere.example"),
    ("service_id=nowhere.example", "no service or scope"),
    ("closed", "closed is not given to users"),
    (API[0], f"{API[0]} is not given to users"),
    ("a\"b", "is not a scope"),
    ("b\u00e4r", "is not a scope"),
    ("", "Type or choose a scope first"),
])
def test_wrong_scopes_are_refused_at_the_field_with_the_reason(person, scope, reason):
    person.open("/tokens/new").fill("token-name", "kept").fill("token-scope", scope)
    person.press("add-scope")
    assert person.status == 422
    assert reason in person.text_of("token-scope-error"), person.text
    assert reason in person.text_of("errors")
    assert person.page.attributes["token-scope"]["aria-invalid"] == "true"
    assert person.value_of("token-name") == "kept" and person.value_of("token-scope") == scope
    assert not person.has("remove-scope-1")


@pytest.mark.parametrize("field, value, reason", [
    ("name", "", "Give the token a name"),
    ("name", "  ", "Give the token a name"),
    ("name", "n" * 101, "100 bytes"),
    ("name", "bell\x07", "characters that cannot be shown"),
    ("addresses", "192.0.2.1/33", "192.0.2.1/33 is no address"),
    ("addresses", "localhost", "localhost is no address"),
    ("addresses", "192.0.2.1/24", "192.0.2.0/24"),
    ("lifetime", "-1", "Choose when the token is to expire"),
    ("lifetime", "soon", "Choose when the token is to expire"),
    ("lifetime", "99999999999999999999", "Choose when the token is to expire"),
])
def test_wrong_fields_are_refused_with_the_reason(jeton, person, field, value, reason):
    begin(person).fill(f"token-{field}", value).press("create-token")
    assert person.status == 422, person.answer
    assert reason in person.text_of(f"token-{field}-error"), person.text
    assert person.has("remove-scope-1"), "the list of scopes is kept"
    assert row(person) is None


def test_a_token_needs_a_scope(person):
    person.open("/tokens/new").fill("token-name", "bare").press("create-token")
    assert person.status == 422 and "Add at least one scope" in person.text_of("token-scope-error")


def test_forged_list_of_scopes_is_checked_again_at_create(person):
    """What stands in the hidden field is as good as what anybody types."""
    begin(person)
    for forged in ("admin", "see " + "x" * 5000, "closed", "see\tadmin", " ".join(["w"] * 500)):
        method, path, body = person.post_of("create-token")
        fields = [part for part in body.split("&") if not part.startswith("scopes=")]
        body = "&".join(fields + ["scopes=" + urllib.parse.quote_plus(forged)])
        answer = Person(person.server)
        answer.cookies = person.cookies
        answer.send(method, path, body)
        assert answer.status == 422 and not answer.has("token-value"), answer.answer
    assert row(person) is None


def test_own_word_stands_alone(jeton, person):
    begin(person, scopes=(OWN_WORD, "see")).press("create-token")
    assert person.status == 422 and "only scope" in person.text_of("token-scope-error")
    token = make(person, scopes=(OWN_WORD,))
    assert jeton.get("/api/v1/tokens", bearer(token)).status == 200
    assert not jeton.is_active(token, OPEN)


def test_number_of_living_tokens_is_limited(jeton, person):
    """Two hundred; one that was revoked makes room."""
    make(person, OWN_WORD, (OWN_WORD,))
    token = make(person, "manager", (OWN_WORD,))
    line = jeton.connection()
    made = []
    for _ in range(198):
        answer = jeton.post_json("/api/v1/tokens", {"name": "n", "scopes": ["see"]}, bearer(token),
                                 connection=line)
        assert answer.status == 201, answer
        jeton.secrets.add(answer.json["token"])
        made.append(answer.json["id"])
    refused = jeton.post_json("/api/v1/tokens", {"name": "n", "scopes": ["see"]}, bearer(token))
    assert refused.status == 422
    begin(person).press("create-token")
    assert person.status == 422 and "as many tokens as there may be" in person.text
    assert jeton.request("DELETE", "/api/v1/tokens/" + made[0], None,
                         bearer(token)).status == 204
    assert make(person)
    line.close()
    # The whole list is there, page by page, newest first.
    person.open("/tokens")
    seen = 0
    while True:
        rows = [each for each in person.page.ids if re.fullmatch(r"token-\d+", each)]
        seen += len(rows)
        if not person.has("older"):
            break
        person.press("older")
    assert seen == 201


def test_a_long_list_of_scopes_at_once(jeton):
    """As many as one token may have, typed in one go, by a link, and removed again."""
    words = [f"w{number}" for number in range(127)] + ["see"]
    many = ("many.example", "many-service-secret-6Kp1")
    jeton.add_service(*many, "--allow-password", "--scope", " ".join(words[:-1]))
    person = Person(jeton).sign_in(add_account(jeton))
    person.open("/tokens/new?name=many&scope=" + "%20".join(words))
    assert person.status == 200 and person.has("remove-scope-128"), person.text
    person.fill("token-scope", "touch").press("add-scope")
    assert person.status == 422 and "too many scopes" in person.text_of("token-scope-error")
    person.press("remove-scope-1").fill("token-scope", "touch").press("create-token")
    token = value_shown(person)
    assert jeton.introspect(token, many).json["scope"] == " ".join(words[1:] + ["touch"])
    assert "touch" in row(person)


# -- once, and once only -------------------------------------------------------------------------

def test_form_that_is_sent_twice_makes_one_token(jeton, person):
    """Reload, back and a double click send the same form again."""
    begin(person)
    post = person.post_of("create-token")
    person.send(*post)
    token = value_shown(person)
    for _ in range(2):
        person.send(*post)
        assert not person.has("token-value") and token not in person.answer.body.decode()
        assert "made its token already" in person.text
        assert person.has("token-1") and not person.has("token-2")
    assert jeton.is_active(token, OPEN)


def test_form_that_is_sent_twice_at_once_makes_one_token(jeton, person):
    begin(person)
    post = person.post_of("create-token")

    def send(_):
        other = Person(jeton)
        other.cookies = dict(person.cookies)
        other.send(*post)
        return other

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(send, range(16)))
    shown = [value_shown(other) for other in sent if other.has("token-value")]
    assert len(shown) == 1
    assert row(person, 1) and row(person, 2) is None
    assert jeton.is_active(shown[0], OPEN)


def test_form_of_another_account_makes_nothing_under_its_id(jeton, person):
    """The id in a form is sealed for one account; in another's hands it is a new form."""
    begin(person)
    form = field_of(person, "form")
    other = Person(jeton).sign_in(BOB)
    begin(other)
    for each in other.page.forms:
        for field in each.fields:
            if field[1] == "form":
                field[2] = form
    other.press("create-token")
    value_shown(other)
    person.press("create-token")
    assert person.has("token-value"), person.answer
    value_shown(person)


def test_value_is_shown_once(jeton, person):
    token = make(person)
    for path in ("/tokens", "/tokens/new", "/"):
        assert token not in person.open(path).answer.body.decode()
    assert token not in jeton.log()


# -- later ---------------------------------------------------------------------------------------

def test_rename(jeton, person):
    token = make(person, "before")
    person.open("/tokens").press("rename-1")
    assert person.value_of("token-name") == "before"
    person.fill("token-name", "").press("save")
    assert person.status == 422 and person.has("token-name-error")
    person.fill("token-name", "after <b>").press("save")
    assert "after <b>" in person.text_of("token-1") and "before" not in person.text_of("token-1")
    assert jeton.is_active(token, OPEN)


def test_rotation_overlaps(jeton, person):
    """The old value goes on working, its row says so and when it was last used."""
    old = make(person, "deploy", ("see",), addresses="127.0.0.0/8")
    person.open("/tokens").press("rotate-1").press("rotate")
    new = value_shown(person)
    assert new != old and "old value goes on working" in person.text_of("old-value")
    assert "replaced" in row(person, 2) and "never" in row(person, 2).split("replaced")[0]
    assert "active" in row(person, 1) and not person.has("rotate-2")
    for token in (old, new):
        assert jeton.forward_auth(token, "?scope=see").status == 200
    wait_until(lambda: "127.0.0.1" in row(person, 2), 20, "the last use of the old token")
    person.press("revoke-2").press("ok")
    assert jeton.forward_auth(old).status == 401 and jeton.forward_auth(new).status == 200


def test_rotation_sent_twice_makes_one_successor(jeton, person):
    make(person, "deploy")
    person.open("/tokens").press("rotate-1")
    post = person.post_of("rotate")

    def send(_):
        other = Person(jeton)
        other.cookies = dict(person.cookies)
        return other.send(*post)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(send, range(8)))
    shown = [value_shown(other) for other in sent if other.has("token-value")]
    assert len(shown) == 1
    assert all("replaced already" in other.text for other in sent if not other.has("token-value"))
    assert row(person, 2) and row(person, 3) is None
    person.send("GET", post[1])
    assert "replaced already" in person.text, "nor is it offered again"


def test_revoked_token_cannot_be_rotated_or_revived(jeton, person):
    make(person)
    person.open("/tokens").press("rotate-1")
    rotate = person.post_of("rotate")
    person.open("/tokens").press("revoke-1")
    revoke = person.post_of("ok")
    person.send(*revoke)
    person.send(*rotate)
    assert not person.has("token-value") and row(person, 2) is None
    person.send(*revoke)
    assert person.status == 200 and "revoked" in row(person)


def test_last_use_and_from_where(jeton, person):
    token = make(person, scopes=("see",))
    assert "never" in row(person)
    assert jeton.forward_auth(token, source="127.0.0.7").status == 200
    wait_until(lambda: "127.0.0.7" in row(person), 20, "the last use in the list")


def test_addresses_limit_where_a_token_works(jeton, person):
    token = make(person, scopes=("see",), addresses="127.0.0.7\r\n127.0.1.0/24, 2001:db8::/32")
    assert "from 127.0.0.7 127.0.1.0/24 2001:db8::/32 only" in row(person)
    for source, status in (("127.0.0.7", 200), ("127.0.1.9", 200), ("127.0.0.8", 401),
                           ("127.0.0.1", 401)):
        assert jeton.forward_auth(token, source=source).status == status, source
    assert not jeton.is_active(token, OPEN), "nobody said from where"
    for address, is_active in (("127.0.0.7", True), ("127.0.2.1", False), ("2001:db8::5", True)):
        answer = jeton.post_form("/oauth2/introspect", {"token": token, "client_address": address},
                                 client=OPEN)
        assert answer.json["active"] is is_active, address


def test_ended_by_the_command_line_shows_as_revoked(jeton, person):
    token = make(person)
    jeton.revoke_by_command(token)
    assert "revoked" in row(person)


def test_expiry_and_its_warning(faked_time):
    jeton, set_time = faked_time
    add_open_service(jeton)
    person = Person(jeton).sign_in(ALICE)
    token = make(person, lifetime="30")
    forever = make(person, "forever", lifetime="0")
    assert "active" in row(person, 2) and jeton.is_active(token, OPEN)

    def at(days):
        set_time(days * 86400)
        wait_until(lambda: Person(jeton).open("/tokens").has("sign-in"), 20, "the clock")
        return Person(jeton).sign_in(ALICE)

    assert "active" in row(at(22), 2) and "expires soon" in row(at(24), 2)
    assert jeton.is_active(token, OPEN)
    person = at(31)
    assert "expired" in row(person, 2) and not person.has("rotate-2")
    assert not jeton.is_active(token, OPEN)
    assert "never" in row(person, 1) and jeton.is_active(forever, OPEN)


# -- policy --------------------------------------------------------------------------------------

def choices(person):
    body = person.answer.body.decode()
    select = re.search(r'<select id="token-lifetime".*?</select>', body, re.S).group(0)
    return re.findall(r'<option value="(\d+)"', select), \
        re.findall(r'<option value="(\d+)" selected', select)


def test_lifetimes_without_a_policy(person):
    assert choices(person.open("/tokens/new")) == (["30", "90", "365", "0"], ["90"])


@pytest.mark.parametrize("days, offered, chosen", [
    ("90", ["30", "90"], "90"), ("45", ["30", "45"], "45"), ("7", ["7"], "7"),
    ("400", ["30", "90", "365", "400"], "90"),
])
def test_lifetimes_under_a_policy(new_server, days, offered, chosen):
    jeton = new_server(args=["--permanent-lifetime-max", days])
    person = Person(jeton).sign_in(ALICE)
    assert choices(person.open("/tokens/new")) == (offered, [chosen])
    begin(person, scopes=(UAUTH,))
    for wrong in ("0", str(int(days) + 1)):
        person.fill("token-lifetime", wrong).press("create-token")
        assert person.status == 422 and person.has("token-lifetime-error"), person.text
    person.fill("token-lifetime", days).press("create-token")
    value_shown(person)


# -- what is shown -------------------------------------------------------------------------------

def test_a_link_fills_in_the_form_and_makes_nothing(jeton, person):
    person.open("/tokens/new?name=ci%20%3Cb%3E&scope=see%20nowhere%20touch")
    assert person.status == 422 and person.value_of("token-name") == "ci <b>"
    assert "see" in person.text_of("scopes") and not person.has("remove-scope-2")
    assert person.value_of("token-scope") == "nowhere touch"
    person.open("/tokens/new?name=ci&scope=see%20touch&act=create&csrf=x")
    assert person.has("remove-scope-2") and row(person) is None


def test_form_offers_what_the_owner_may_have(person):
    offered = re.search(r"<datalist.*?</datalist>",
                        person.open("/tokens/new").answer.body.decode(), re.S).group(0)
    for scope in (OPEN[0], "see", "touch", UAUTH, OWN_WORD):
        assert f'value="{scope}"' in offered
    for scope in (API[0], "admin", "closed"):
        assert f'value="{scope}"' not in offered


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_fault_class_35_hostile_text_is_shown_as_text(person, text):
    """In every field, in errors, in the list, in the dialogs, and in the notices."""
    pages = []

    def look():
        pages.append(person.answer.body.decode())

    person.open("/tokens/new").fill("token-name", text).fill("token-scope", text.replace(" ", ""))
    person.fill("token-addresses", text).press("add-scope")
    look()
    person.fill("token-scope", "see").press("create-token")
    look()
    person.fill("token-addresses", "").fill("token-scope", "").press("create-token")
    look()
    if person.has("token-value"):
        value_shown(person)
        person.open("/tokens")
        look()
        for act, button in (("rename", "save"), ("rotate", "rotate"), ("revoke", "ok")):
            person.open("/tokens").press(f"{act}-1")
            look()
            person.press(button)
            look()
            if person.has("token-value"):
                value_shown(person)
    for page in pages:
        for line in re.findall(r"<(?:script|img|svg|a|iframe)\b[^>]*>", page):
            assert "alert" not in line and "evil" not in line, line
        assert "<b>" not in page and "</title><script>" not in page
        assert page.count("<script") == 1 and "49" not in re.findall(r"\$\{.*?\}", page)
    shown = html.unescape(" ".join(pages))
    assert text in shown or not person.has("token-1")


def test_pages_say_that_they_are_not_to_be_kept_or_framed(person):
    for path in ("/tokens", "/tokens/new"):
        answer = person.open(path).answer
        assert answer.header("Cache-Control") == "no-store"
        policy = answer.header("Content-Security-Policy")
        assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert "form-action 'self'" in policy
        assert answer.header("Referrer-Policy") == "no-referrer"


def test_other_methods(person):
    for path in ("/tokens", "/tokens/new"):
        assert person.server.request("DELETE", path).status == 405
    assert person.server.request("HEAD", "/tokens").body == b""


@pytest.mark.parametrize("days", ["-1", "36501", "1.5", "ninety", ""])
def test_policy_that_makes_no_sense_is_refused_at_start(new_server, days):
    jeton = new_server(seeded=False, start=False)
    done = jeton.cli("serve", "--listen", "127.0.0.1:0", "--permanent-lifetime-max", days, status=2)
    assert "permanent-lifetime-max" in done.err

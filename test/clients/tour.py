"""A walk past every page, as it is on a good day and with its errors, in a real browser.

Walk(browser, house) goes from page to page and yields a Sight whenever there is something to look
at. Tests look at it with axe-core, tools/screenshots.py takes its picture. A new page needs a stop
here: missing_rows() and the templates in pages/ are compared with what was seen.
"""

import collections
import json
import re
import subprocess
import urllib.parse

from harness import ROOT
from house import (ALICE, ALICE_EMAIL, AUTHENTICATOR, BORIS, BORIS_EMAIL, CARLA, CHIEF, DASHBOARD,
                   DORA, SLICER)
from person import Person
from threedm_calls import totp

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
# A form sent without its secret field, as another site would.
FORGED = "forged"
# What stands in a template outside of these is on the page in any case.
LIST, CONDITION = (re.compile(r"\{\{\%s([\w.]+)\}\}.*?\{\{/\1\}\}" % kind, re.S) for kind in "#?")
PARTIAL = re.compile(r"\{\{>(\w+)\}\}")

# Something to look at: a page of a template, under a name of its own.
Sight = collections.namedtuple("Sight", "template name")
Row = collections.namedtuple("Row", "name path tail takes_rest methods")


def templates():
    return {path.stem: path.read_text(encoding="utf-8")
            for path in (ROOT / "pages").glob("*.html") if not path.name.startswith("_")}


def certain_ids(source):
    return set(re.findall(r'\sid="([\w-]+)"', CONDITION.sub("", LIST.sub("", source))))


def has_errors(source):
    """Whether a template is also shown again with what is wrong."""
    for name in PARTIAL.findall(source):
        partial = (ROOT / "pages" / f"_{name}.html").read_text(encoding="utf-8")
        if "aria-invalid" in partial:
            return True
    return "aria-invalid" in source


def page_rows():
    """The rows of the table of endpoints that are pages, by the C preprocessor."""
    source = (ROOT / "src/web/endpoints.c").read_text(encoding="utf-8")
    source = re.sub(r"(?m)^#include.*$", "", source)
    flat = subprocess.run(["cc", "-E", "-P", "-xc", "-"], input=source, text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    rows = []
    flat = re.sub(r'" +"', "", " ".join(flat.split()))  # "/" "edit" is one string
    for chunk in flat.split(".name = ")[1:]:
        chunk = chunk.split('}, { "')[0]  # rows for programs that follow
        if ".errors = ERROR_PAGE" not in chunk:
            continue
        tail = re.search(r'\.tail = \{ "([^"]*)"', chunk)
        path = re.search(r'\.path = \{ "([^"]*)"', chunk)[1]
        methods = re.search(r"\.methods = ([^,]*),", chunk)[1]
        rows.append(Row(re.match(r'"(\w+)"', chunk)[1], path, tail[1] if tail else "",
                        ".takes_rest = true" in chunk,
                        set(re.findall(r"METHOD_(\w+)", methods))))
    return rows


def row_of(rows, path):
    """As endpoint_find() does it: the first that fits."""
    for row in rows:
        if not row.takes_rest and row.path == path:
            return row
        rest = path[len(row.path):]
        if row.takes_rest and path.startswith(row.path) and rest.endswith(row.tail) and \
                rest != row.tail and "/" not in rest[:len(rest) - len(row.tail)]:
            return row
    return None


def missing_rows(visited):
    """What of (row, method) no one of (method, path) was."""
    rows = page_rows()
    seen = {(row.name, method) for method, path in visited
            for row in [row_of(rows, path)] if row}
    return sorted({(row.name, method) for row in rows for method in row.methods} - seen)


class Walk:
    def __init__(self, browser, house, scripts=True):
        self.browser, self.house, self.server = browser, house, house.server
        self.has_scripts = scripts
        self.page = None
        # What the browser noticed on the way.
        self.visited, self.requests, self.answers = set(), [], []
        self.complaints, self.dialogs = [], []

    def __iter__(self):
        for part in (self.strangers, self.mails, self.second_factor, self.first_steps, self.tokens,
                     self.sessions, self.programs, self.devices, self.sign_outs, self.account,
                     self.factors, self.own_passkey, self.admin_lists, self.admin_acts,
                     self.admin_services, self.admin_clients):
            self.page = self.browser.new_page(self.has_scripts, stranger=True)
            if self.has_scripts:
                self.page.call("WebAuthn.enable")
                self.page.call("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
            yield from part()
            self.take_notes()
            self.page.close()

    def take_notes(self):
        for event in self.page.seen("Network.requestWillBeSent"):
            self.requests.append(event["request"])
            if event.get("type") == "Document":
                path = urllib.parse.urlsplit(event["request"]["url"]).path
                self.visited.add((event["request"]["method"], path))
        self.answers += [event["response"] for event in self.page.seen("Network.responseReceived")]
        self.complaints += self.page.complaints()
        self.dialogs += self.page.dialogs()

    # -- what one does -----------------------------------------------------------------------------

    def open(self, path):
        self.page.open(path if path.startswith("http") else self.house.root + path)

    def fill(self, **fields):
        for name, text in fields.items():
            self.page.fill("#" + name.replace("_", "-"), text)

    def press(self, button, **fields):
        """Fills in and presses; the browser itself does not check the fields."""
        self.fill(**fields)
        if self.page.call("DOM.describeNode", {
                "nodeId": self.page.find("#" + button)})["node"]["nodeName"] == "BUTTON":
            self.page.set_attribute("#" + button, "formnovalidate")
        self.page.follow("#" + button)

    def sign_in(self, user):
        self.open("/sign-in")
        self.press("sign-in", username=user[0], password=user[1])

    def prove(self, user):
        if self.page.has("#confirm") and self.page.has("#password"):
            self.press("confirm", password=user[1])

    # -- where one goes ----------------------------------------------------------------------------

    def strangers(self):
        self.open("/api")
        yield Sight("api", "api")
        self.open("/")
        yield Sight("start", "start")
        self.press("sign-in")
        yield Sight("sign_in", "sign_in")
        self.press("sign-in", username="alice", password="a guess")
        yield Sight("sign_in", "sign_in-errors")
        self.open("/sign-in")
        self.press("sign-in")
        yield Sight("sign_in", "sign_in-empty")
        self.open("/nothing/here")
        yield Sight("error", "error")
        self.open("/sign-in")
        self.page.set_attribute("form[action='/sign-in'] [name=csrf]", "value", FORGED)
        self.press("sign-in", username="alice", password="a guess")
        yield Sight("error", "error-forged")
        self.open("/")
        self.press("language-de")
        yield Sight("start", "start-german")

    def mails(self):
        self.open("/password-forgotten")
        yield Sight("password_forgotten", "password_forgotten")
        self.press("send")
        yield Sight("password_forgotten", "password_forgotten-errors")
        post = self.house.post(BORIS_EMAIL)
        self.press("send", login=BORIS[0])
        yield Sight("message", "message")
        link = self.house.link(post)
        self.open(link)
        yield Sight("password_reset", "password_reset")
        self.press("save", password="short")
        yield Sight("password_reset", "password_reset-errors")
        self.press("save", password=BORIS[1] + " anew")
        self.server.secrets.add(BORIS[1] + " anew")
        yield Sight("message", "message-changed")
        self.open(link)
        yield Sight("password_forgotten", "password_forgotten-link")
        self.open("/register")
        yield Sight("register", "register")
        self.press("register", username="ed ith", email="nowhere", password="short")
        yield Sight("register", "register-errors")
        self.open("/register")
        post = self.house.post("edith@example.org")
        self.press("register", username="edith", full_name="Edith Sample",
                   email="edith@example.org", password="a password of her own 7")
        self.server.secrets.add("a password of her own 7")
        yield Sight("register_done", "register_done")
        self.open(self.house.link(post))
        yield Sight("email_verify", "email_verify")
        self.press("confirm")
        yield Sight("message", "message-registered")

    def second_factor(self):
        """An app and recovery codes; a code is good once, in its half minute or the one beside."""
        self.sign_in(CARLA)
        yield Sight("sign_in_code", "sign_in_code")
        self.press("sign-in", code="000000")
        yield Sight("sign_in_code", "sign_in_code-errors")
        self.press("use-recovery-code")
        yield Sight("sign_in_code", "sign_in_code-recovery")
        self.press("sign-in", code="wrong")
        yield Sight("sign_in_code", "sign_in_code-recovery-errors")
        self.press("sign-in", code=self.house.recovery_codes[0])
        self.open("/sign-in/again?next=/account")
        yield Sight("sign_in_again", "sign_in_again-code")
        self.press("confirm", password=CARLA[1], code="000000")
        yield Sight("sign_in_again", "sign_in_again-code-errors")

    def first_steps(self):
        """An account with nothing in it yet, but a way to somewhere."""
        self.sign_in((BORIS[0], BORIS[1] + " anew"))
        yield Sight("start", "start-signed-in")
        self.press("tokens-and-sessions")
        yield Sight("tokens", "tokens-empty")
        self.open("/account")
        yield Sight("account", "account-empty")
        self.press("save", email="boris@elsewhere.example")
        self.prove((BORIS[0], BORIS[1] + " anew"))
        yield Sight("account", "account-pending")
        self.press("send-link-again")
        yield Sight("account", "account-link-sent-again")
        self.press("cancel-email")
        yield Sight("account", "account-link-cancelled")
        self.open("/sign-in/again?next=/account")
        yield Sight("sign_in_again", "sign_in_again")
        self.press("confirm", password="a guess")
        yield Sight("sign_in_again", "sign_in_again-errors")
        self.open("/admin/accounts")
        yield Sight("error", "error-forbidden")
        self.server.user_token(DASHBOARD, (BORIS[0], BORIS[1] + " anew"), "slicer.read")
        self.open("/applications")
        yield Sight("applications", "applications")
        self.press("revoke-1")
        yield Sight("confirm", "application_revoke")
        self.press("ok")
        yield Sight("applications", "applications-empty")

    def tokens(self):
        self.sign_in(ALICE)
        self.open("/tokens")
        yield Sight("tokens", "tokens")
        self.press("new-permanent-token")
        yield Sight("token_new", "token_new")
        self.press("add-scope", token_name="Weekly report", token_scope="nowhere.example")
        yield Sight("token_new", "token_new-scope")
        self.press("add-scope", token_scope=SLICER[0])
        self.press("add-scope", token_scope="report.read")
        yield Sight("token_new", "token_new-filled")
        self.press("create-token", token_name="", token_addresses="192.0.2.300")
        yield Sight("token_new", "token_new-errors")
        self.press("create-token", token_name="Weekly report", token_addresses="")
        self.server.secrets.add(self.page.text("#token-value"))
        yield Sight("token_created", "token_created")
        self.press("done")
        self.press("rename-1")
        yield Sight("token_rename", "token_rename")
        self.press("save", token_name="")
        yield Sight("token_rename", "token_rename-errors")
        self.press("save", token_name="Monthly report")
        self.press("rotate-1")
        yield Sight("token_rotate", "token_rotate")
        self.press("rotate")
        self.server.secrets.add(self.page.text("#token-value"))
        yield Sight("token_created", "token_created-rotated")
        self.press("done")
        self.press("revoke-2")
        yield Sight("token_revoke", "token_revoke")
        self.press("ok")
        yield Sight("tokens", "tokens-revoked")
        for language in ("de", "es", "fr"):  # the buttons of a row are longest in one of them
            self.press("language-" + language)
            yield Sight("tokens", "tokens-in-" + language)

    def sessions(self):
        Person(self.server).sign_in(ALICE)
        self.sign_in(ALICE)
        self.open("/sessions")
        yield Sight("sessions", "sessions")
        self.press("end-2")
        yield Sight("sessions", "sessions-ended")
        self.press("end-others")
        yield Sight("sessions", "sessions-alone")
        self.press("sign-out")
        yield Sight("sign_in" if self.page.has("#username") else "start", "signed-out")

    def post_from_elsewhere(self, path, **fields):
        """A form that no page of ours has, as a client's site may send it."""
        inputs = "".join(f'<input name="{name}" value="{value}">'
                         for name, value in fields.items())
        with self.page.loads():
            self.page.evaluate(
                "(() => { const form = document.createElement('form'); form.method = 'post';"
                f" form.action = {json.dumps(path)}; form.innerHTML = {json.dumps(inputs)};"
                " document.body.append(form); form.submit(); })()")

    def programs(self):
        """What a program asks for. Its own page is one of ours that is not there."""
        self.server.cli("client", "add", "reader", "--public", "--name", "News reader", "--grant",
                        "authorization_code", "--grant", DEVICE_GRANT, "--service", SLICER[0],
                        "--scope", "openid profile email offline_access", "--redirect-uri",
                        self.house.root + "/nothing/here")
        asked = {"response_type": "code", "client_id": "reader", "code_challenge": "A" * 43,
                 "code_challenge_method": "S256", "state": "a state",
                 "scope": "openid profile email offline_access slicer.read",
                 "redirect_uri": self.house.root + "/nothing/here"}
        path = "/oauth2/authorize?" + urllib.parse.urlencode(asked)
        self.open("/oauth2/authorize?client_id=nobody")
        yield Sight("authorize_error", "authorize_error")
        self.open(path)
        yield Sight("sign_in", "sign_in-for-a-program")
        self.press("sign-in", username=ALICE[0], password=ALICE[1])
        yield Sight("consent", "consent")
        self.press("deny")
        if self.has_scripts:
            self.post_from_elsewhere("/oauth2/authorize", **asked)
        # Without its script the page waits for the button.
        self.page.call("Network.setBlockedURLs", {"urls": ["*app.js*"]})
        self.open(path + "&response_mode=form_post")
        self.press("allow")
        yield Sight("form_post", "form_post")
        self.page.call("Network.setBlockedURLs", {"urls": []})

    def devices(self):
        self.sign_in(ALICE)
        self.open("/device")
        yield Sight("device", "device")
        self.press("go-on", user_code="WRONG")
        yield Sight("device", "device-errors")
        asked = self.server.post_form("/oauth2/device_authorization",
                                      {"client_id": "reader", "scope": "openid slicer.read"}).json
        self.server.secrets.add(asked["device_code"])
        self.open("/device?user_code=" + asked["user_code"])
        yield Sight("device_confirm", "device_confirm")
        self.press("allow")
        yield Sight("message", "device_allowed")

    def sign_outs(self):
        self.sign_in(ALICE)
        if self.has_scripts:
            self.post_from_elsewhere("/oauth2/logout", client_id="reader")
        self.open("/oauth2/logout?client_id=reader")
        yield Sight("logout", "logout")
        self.press("ok")
        yield Sight("message", "logged_out")

    def account(self):
        self.sign_in(ALICE)
        self.open("/account")
        self.press("save", email="nowhere")
        yield Sight("account", "account-errors")
        self.open("/account")
        if self.page.has("#verify-email"):
            self.press("verify-email")
            yield Sight("account", "account-unverified")
        self.open("/account")
        self.press("change-password")
        yield Sight("password_change", "password_change")
        self.press("save", current_password="a guess", password="short")
        yield Sight("password_change", "password_change-errors")

    def factors(self):
        self.sign_in(ALICE)
        self.open("/account")
        self.press("add-factor")
        yield Sight("factor_totp_new", "factor_totp_new")
        self.press("confirm", factor_name="Phone", code="000000")
        yield Sight("factor_totp_new", "factor_totp_new-errors")
        key = self.page.text("#totp-key")
        self.server.secrets.add(key)
        self.press("confirm", factor_name="Phone", code=totp(key.replace(" ", "")))
        yield Sight("recovery_codes" if self.page.has("#dialog-title") else "account",
                    "factor_totp_made")
        if self.has_scripts:
            yield from self.passkeys()
        self.open("/account/recovery-codes")
        yield Sight("recovery_codes", "recovery_codes")
        self.press("ok")
        self.server.secrets.update(self.page.text("#recovery-codes").split())
        yield Sight("recovery_codes", "recovery_codes-shown")
        self.press("done")
        yield Sight("account", "account")
        self.press("rename-factor-1")
        yield Sight("factor_rename", "factor_rename")
        self.press("save", factor_name="é" * 200)
        yield Sight("factor_rename", "factor_rename-errors")
        self.open("/account")
        self.press("remove-factor-1")
        yield Sight("factor_remove", "factor_remove")

    def passkeys(self):
        self.open("/account/passkeys/new")
        self.page.wait_for(lambda: self.page.is_visible("#make-passkey"), "the form for a passkey")
        yield Sight("passkey_new", "passkey_new")
        self.press("make-passkey", passkey_name="é" * 200)
        yield Sight("passkey_new", "passkey_new-errors")
        self.press("make-passkey", passkey_name="This computer")
        yield Sight("account", "account-passkey")

    def own_passkey(self):
        """Password and passkey, without any code: the page that has only a button."""
        user = (BORIS[0], BORIS[1] + " anew")
        self.sign_in(user)
        self.open("/account/passkeys/new")
        if not self.has_scripts:
            yield Sight("passkey_new", "passkey_new")
            return
        self.page.wait_for(lambda: self.page.is_visible("#make-passkey"), "the form for a passkey")
        self.press("make-passkey", passkey_name="Phone")
        self.press("sign-out")
        self.sign_in(user)
        yield Sight("sign_in_code", "sign_in_code-passkey")
        self.page.wait_for(lambda: self.page.is_visible("#use-passkey"), "«Use a passkey»")
        self.press("use-passkey")
        self.open("/account")
        self.press("remove-passkey-1")
        yield Sight("factor_remove", "factor_remove-last")
        self.press("ok", password="a guess")
        yield Sight("factor_remove", "factor_remove-errors")
        self.press("ok", password=user[1])
        yield Sight("account", "account-removed")

    def admin_lists(self):
        self.sign_in(CHIEF)
        self.open("/admin/accounts")
        yield Sight("admin_accounts", "admin_accounts")
        self.press("search", q="nobody has this name")
        yield Sight("admin_accounts", "admin_accounts-empty")
        self.open("/admin/tokens")
        yield Sight("admin_tokens", "admin_tokens")
        self.press("search", q="nobody has this name")
        yield Sight("admin_tokens", "admin_tokens-empty")
        self.press("find-value", token_value="no token at all")
        yield Sight("admin_tokens", "admin_tokens-not-found")
        self.open("/admin/keys")
        yield Sight("admin_keys", "admin_keys")
        self.open("/admin/events")
        yield Sight("admin_events", "admin_events")
        self.press("search", account="nobody")
        yield Sight("admin_events", "admin_events-empty")

    def admin_acts(self):
        """Each act is asked about; the ones that are done are done to one account."""
        self.sign_in(CHIEF)
        self.open("/admin/tokens")
        self.press("revoke-1")
        yield Sight("confirm", "admin_token_revoke")
        self.press("ok")
        self.open("/admin/accounts")
        self.press("new-account")
        yield Sight("admin_account_new", "admin_account_new")
        self.press("create", username="alice", email="nowhere", password="short")
        yield Sight("admin_account_new", "admin_account_new-errors")
        self.press("create", username="frida", full_name="Frida Probe", email="",
                   password="a password for a beginning 9")
        self.server.secrets.add("a password for a beginning 9")
        yield Sight("admin_account", "admin_account-new")
        self.open(f"/admin/accounts/{self.house.id_of(CHIEF)}")
        yield Sight("admin_account", "admin_account-self")
        path = f"/admin/accounts/{self.house.id_of(ALICE)}"
        for act in ("unlock", "reset-factors", "end-sessions", "revoke-tokens"):
            self.open(path)
            if act == "unlock":
                yield Sight("admin_account", "admin_account")
                self.press("edit")
                yield Sight("admin_account_edit", "admin_account_edit")
                self.press("save", email="nowhere")
                yield Sight("admin_account_edit", "admin_account_edit-errors")
                self.press("save", email=ALICE_EMAIL)
            self.press(act)
            yield Sight("confirm", "admin_" + act.replace("-", "_"))
            self.press("ok")
        path = f"/admin/accounts/{self.house.id_of(DORA)}"
        self.open(path)
        yield Sight("admin_account", "admin_account-disabled")
        for act in ("enable", "disable"):
            self.open(path)
            self.press(act)
            yield Sight("confirm", "admin_" + act)
            self.press("ok")
        self.open("/admin/keys")
        self.press("rotate-keys")
        yield Sight("confirm", "admin_keys_rotate")
        self.press("ok")
        yield Sight("admin_keys", "admin_keys-rotated")

    def admin_services(self):
        self.sign_in(CHIEF)
        self.open("/admin/services")
        yield Sight("admin_services", "admin_services")
        self.press("search", q="nothing has this name")
        yield Sight("admin_services", "admin_services-empty")
        self.press("new-service")
        yield Sight("admin_service_form", "admin_service_new")
        self.press("save", service_id="no such id", service_name="\u00e9" * 200,
                   service_scope="\u201cread\u201d", service_lifetime="soon")
        yield Sight("admin_service_form", "admin_service_new-errors")
        self.press("save", service_id="maps.example.com", service_name="Maps",
                   service_scope="map.read map.write", service_lifetime="3600")
        yield from self.shown_secret("admin_service_secret")
        yield Sight("admin_service", "admin_service")
        self.press("edit")
        yield Sight("admin_service_form", "admin_service_edit")
        self.press("save", service_name="Maps and routes")
        yield Sight("admin_service", "admin_service-saved")
        self.press("new-secret")
        yield Sight("admin_secret", "admin_service_secret-new")
        self.press("ok")
        yield from self.shown_secret("admin_service_secret-next")
        for act in ("remove-secret", "disable", "enable"):
            self.press(act)
            yield Sight("confirm", "admin_service_" + act.replace("-", "_"))
            self.press("ok")

    def admin_clients(self):
        self.sign_in(CHIEF)
        self.open("/admin/clients")
        yield Sight("admin_clients", "admin_clients")
        self.press("search", q="nothing has this name")
        yield Sight("admin_clients", "admin_clients-empty")
        self.press("new-client")
        yield Sight("admin_client_form", "admin_client_new")
        self.press("save", client_id="no such id", client_name="\u00e9" * 200,
                   client_services="nowhere.example", client_scope="\u201cread\u201d",
                   redirect_uris="javascript:alert(1)", refresh_lifetime="long")
        yield Sight("admin_client_form", "admin_client_new-errors")
        self.open("/admin/clients/new")
        self.page.click("#grant-password")
        self.press("save", client_id="planner", client_name="Route planner",
                   client_services=SLICER[0], redirect_uris="https://planner.example.com/back")
        yield from self.shown_secret("admin_client_secret")
        yield Sight("admin_client", "admin_client")
        self.press("edit")
        yield Sight("admin_client_form", "admin_client_edit")
        self.press("save", client_name="Route planner of the team")
        self.press("new-secret")
        yield Sight("admin_secret", "admin_client_secret-new")
        self.press("ok")
        yield from self.shown_secret("admin_client_secret-next")
        yield Sight("admin_client", "admin_client-two-secrets")
        for act in ("end-overlap", "revoke-tokens", "disable", "enable"):
            self.press(act)
            yield Sight("confirm", "admin_client_" + act.replace("-", "_"))
            self.press("ok")

    def shown_secret(self, name):
        self.server.secrets.add(self.page.text("#secret-value"))
        yield Sight("admin_secret", name)
        self.press("done")

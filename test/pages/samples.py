#!/usr/bin/env python3
"""Renders every page with sample values to files, so that they can be looked at and tested.

    samples.py FOLDER [LANGUAGE]     builds it all in FOLDER, writes FOLDER/<variant>/<page>.html

Variants: usual (what people see on a good day), errors (every field is wrong), hostile (every text
tries to break out, everything is true), sly (the same, everything is false), empty (no lists, no
texts). style.css and app.js are asked for at the root: serve FOLDER/<variant> to see them styled.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True

import pages  # noqa: E402

VARIANTS = ("usual", "errors", "hostile", "sly", "empty")
HOSTILE = ('"><script>alert(1)</script>', "'><img src=x onerror=alert(2)>", "javascript:alert(3)",
           "</title></textarea></script><svg onload=alert(4)>", "{{csrf}} & &lt;b&gt; \\u003c",
           "\u202egnirts sdrawkcab\u202c עברית العربية", "a" * 300,
           "// /\\evil.example/",
           "line\nline\r\nSet-Cookie: x=y\t\x01\x7f", "日本語のとても長い名前" * 12)
SOURCES = ("web/page_writer.c", "codec/html.c", "codec/uri.c")
SIGNED_OUT = ("start", "sign_in", "sign_in_code", "register", "register_done",
              "password_forgotten", "password_reset", "email_verify", "message")
BIG = 1795327200  # 2026-11-22
TEXTS = {
    "brand": ["Jeton"], "version": ["0.4.0"], "username": ["alice"], "csrf": ["Q2h1Y2tsZQ"],
    "name": ["Nightly report", "u-Slicer export to the data warehouse", "Laptop", "CI"],
    "full_name": ["Alice Example", "Bob Sample", "Dr. Carla Muster"], "owner": ["alice", "bob"],
    "email": ["alice@example.com", "bob@example.com"], "issuer": ["https://tokens.example.com"],
    "root": ["https://tokens.example.com"], "id": ["101", "102", "103", "104"],
    "scope": ["uslicer.example.com", "report.read", "upredict.example.com"],
    "scopes_text": ["uslicer.example.com report.read"], "label": ["U-Slicer", "Reports"],
    "last_used_from": ["192.0.2.17", "", "2001:db8::17", "192.0.2.17"],
    "device": ["Firefox on Linux", "Chrome on Android", "curl/8.5", ""],
    "address": ["192.0.2.17", "2001:db8:17::4711", "198.51.100.4"],
    "client_id": ["reporting", "dashboard"], "client": ["reporting", "", "dashboard"],
    "service_id": ["uslicer.example.com", "upredict.example.com"], "format": ["opaque", "jwt"],
    "service_ids": ["uslicer.example.com upredict.example.com"],
    "lifetime": ["3600"], "kid": ["k2026-11-a41f", "k2026-08-77b0", "k2026-05-0c3e"],
    "alg": ["ES256"], "kind": ["token_issued", "password_failed", "token_revoked"],
    "word": ["password", "client_credentials", "refresh_token"], "detail": ["by password", ""],
    "token": ["", "jta_4711"], "redirect_uris": ["https://dashboard.example.com/callback"],
    "request_id": ["7f3a9c01d2e4b568"], "field": ["username", "password", ""],
    "passkey_options": ['{"challenge":"c2FtcGxlLWNoYWxsZW5nZQ","allowCredentials":[]}'],
    "older": ["90"], "section": ["clients"], "back": ["admin"],
    "back_in": ["accounts"], "back_id": ["101"], "onward": ["sign-in"],
    "addresses": ["192.0.2.0/24"],
    "grant_types": ["password client_credentials"], "next": ["/tokens"], "q": [""],
    "uri": ["https://dashboard.example.com/callback", "http://127.0.0.1/callback"],
    "auth_method": [""], "other_method": [""], "refresh_lifetime": ["2592000"],
    "refresh_idle_lifetime": ["1209600"],
    "token_id": ["jtp_4711"], "pending_email": [""], "user_code": ["WDJB-MJHT"],
    "client_name": ["Reports on the wall"], "type": ["payment_initiation", "account_information"],
    "text": ['{"type":"payment_initiation","instructedAmount":{"currency":"EUR"}}'],
    "uri": ["https://dashboard.example.com", "https://dashboard.example.com/privacy"],
    "host": ["dashboard.example.com"], "service": ["Reports", ""],
}
NUMBERS = {"days": [30, 90, 365, 0], "hours": [24, 168, 0], "password_min": [15], "status": [404],
           "recovery_left": [8], "code_count": [10], "factor_count": [1],
           "lifetime_s": [3600], "refresh_lifetime_s": [2592000],
           "refresh_idle_lifetime_s": [1209600]}
TIMES = {"expires_at": [BIG + 7776000, 0, BIG - 86400, BIG + 86400], "last_used_at": [
    BIG - 3600, 0, BIG - 864000, BIG], "replaced_until": [0, BIG + 172800, 0, 0], "old_until": [
        BIG + 604800], "old_secret_until": [BIG + 86400], "retires_at": [0, 0, BIG + 864000]}
TRUE = {"has_people", "may_create", "may_rotate", "may_register", "may_reset", "has_others",
        "has_password", "has_second_factor", "is_admin", "asks_password", "asks_code",
        "has_recovery_codes", "has_app", "has_secret", "allows_password", "may_mail",
        "is_confidential", "may_overlap"}
LISTS = {"factors": 1, "passkeys": 2, "codes": 10, "errors": 0, "scopes": 2, "lifetimes": 4,
         "overlaps": 3}
SPECIAL = {("tokens", "is_revoked"): [2], ("tokens", "is_over"): [2], ("sessions", "is_this"): [0],
           ("sessions", "is_browser"): [0, 1], ("accounts", "is_locked"): [1],
           ("accounts", "is_disabled"): [2], ("keys", "is_signing"): [1],
           ("keys", "is_waiting"): [0],
           ("lifetimes", "is_chosen"): [1], ("overlaps", "is_chosen"): [1],
           ("accounts", "is_admin"): [0], ("grant_types", "is_chosen"): [0, 2]}


def c_str(text):
    return f"TEXT({pages.c_text(text)})"


def page_files():
    """What pages/meson.build names."""
    plan = (ROOT / "pages/meson.build").read_text(encoding="utf-8")
    return [ROOT / "pages" / name for name in
            re.findall(r"'([\w./]+\.(?:html|mail|txt|css|js))'", plan)]


class Values:
    """Initialisers for one variant."""

    def __init__(self, site, variant):
        self.site, self.variant = site, variant
        self.before, self.count, self.turn = [], 0, 0

    def text(self, name, index):
        self.turn += 1
        if self.variant in ("hostile", "sly"):
            return HOSTILE[self.turn % len(HOSTILE)]
        if self.variant == "empty" and name not in ("brand", "username"):
            return ""
        words = TEXTS.get(name, [""])
        return words[index % len(words)]

    def flag(self, name, owner, index):
        if self.variant in ("hostile", "sly"):
            return self.variant == "hostile"
        if (owner, name) in SPECIAL:
            return index in SPECIAL[owner, name]
        return name in TRUE and self.variant != "empty" and owner != "accounts"

    def words(self, name):
        texts = list(self.site.messages)
        if name in ("title", "text"):
            chosen = "account_disable_" + name
        elif self.variant == "errors" and name not in ("notice",):
            chosen = "token_scope_unknown" if "scope" in name else "field_missing"
        elif self.variant in ("hostile", "sly"):
            chosen = "token_scope_unknown"
        else:
            chosen = "account_saved" if self.variant == "usual" and name == "notice_" else None
        number = texts.index(chosen) + 1 if chosen else 0
        return f"{{ .text = {number}, .value = {c_str(self.text('name', 0))}, .number = 8 }}"

    def list_length(self, name):
        if self.variant == "empty":
            return 0
        if name == "errors":
            return 0 if self.variant == "usual" else 3
        return LISTS.get(name, 3 if name not in ("tokens", "accounts", "sessions") else 4)

    def value(self, name, kind, owner, index):
        if kind == "text":
            return c_str(self.text(name, index))
        if kind == "uri":  # registered, so never hostile
            return c_str("https://dashboard.example.com/callback")
        if kind == "number":
            if name == "n":
                return str(index + 1)
            return str(NUMBERS.get(name, [7])[index % len(NUMBERS.get(name, [7]))])
        if kind == "time":
            if self.variant == "empty":
                return "0"
            times = TIMES.get(name, [BIG - 2592000, BIG - 864000, BIG - 86400])
            return str(times[index % len(times)])
        if kind == "secret":
            hidden = self.variant in ("empty", "sly")
            return "NULL" if hidden else "&secret_" + ("hostile" if self.variant == "hostile"
                                                       else name if name in ("key", "code") else
                                                       "value")
        if kind == "words":
            return self.words(name)
        return "true" if self.flag(name, owner, index) else "false"

    def struct(self, struct, owner="", index=0):
        """One initialiser; lists become arrays that stand before it."""
        parts = []
        for name, (kind, items, _) in struct.fields.items():
            if kind == "list":
                length = self.list_length(name)
                rows = ([self.qr_row(n) for n in range(length * 40)] if name == "qr_runs" else
                        [self.struct(items, name, n) for n in range(length)])
                if rows:
                    self.count += 1
                    array = f"{self.variant}_{self.count}"
                    self.before.append(f"static const struct {items.name} {array}[] = {{\n"
                                       + ",\n".join(rows) + "\n};\n")
                    parts += [f".{name} = {array}", f".{name}_count = {len(rows)}"]
            else:
                parts.append(f".{name} = {self.value(name, kind, owner, index)}")
        return "{ " + ",\n  ".join(parts or [".has_nothing = false"]) + " }"

    def qr_row(self, n):
        return f"{{ .x = {n * 7 % 31 + 1}, .y = {n // 4 + 1}, .width = {n % 3 + 1} }}"


HEAD = r"""/* Made from pages/ by test/pages/samples.py. */
#include <stdio.h>
#include <stdlib.h>

#include "pages.h"

#pragma GCC diagnostic ignored "-Woverlength-strings"

#define TEXT(literal) { literal, sizeof(literal) - 1 }

typedef void renderer(const void *values, const struct page_language *language, struct buffer *to);

struct sample {
    const char *variant;
    const char *page;
    renderer *render;
    const void *values;
};

static const struct secret secret_value = { 46, "jtp_4uK8wXq2LmB7cTzR1nVdYh5sJ0gEaPo9iFkQ3MxS6W" };
static const struct secret secret_key = { 32, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" };
static const struct secret secret_code = { 19, "k7wq-2mxd-9trf-h4vb" };
static const struct secret secret_hostile = { 25, "<script>alert(9)</script>" };

"""

MAIN = r"""
int main(int argc, char **argv)
{
    static char memory[256 * 1024];

    if (argc != 4)
        return 2;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct buffer page = buffer_over(memory, sizeof(memory));
        char path[4096];
        FILE *file;

        if (strcmp(samples[i].variant, argv[2]) != 0)
            continue;
        samples[i].render(samples[i].values, page_language_find(str_of(argv[3])), &page);
        snprintf(path, sizeof(path), "%s/%s", argv[1], samples[i].page);
        file = fopen(path, "w");
        if (page.overflow || file == NULL || fwrite(page.at, 1, page.len, file) != page.len ||
            fclose(file) != 0) {
            fprintf(stderr, "page_samples: %s\n", path);
            return 1;
        }
    }
    return 0;
}
"""


def write_program(site, path):
    """The C program that renders one variant."""
    out, rows = [HEAD], []
    for name in site.pages:
        out.append(f"static void show_{name}(const void *values,\n"
                   f"    const struct page_language *language, struct buffer *to)\n{{\n"
                   f"    page_{name}_render(values, language, to);\n}}\n")
    for variant in VARIANTS:
        values = Values(site, variant)
        for group, struct in site.shared.items():
            for suffix in ("", "_out"):
                made = values.struct(struct)
                if suffix:
                    made = made.replace(f".username = {c_str('alice')}", f".username = {c_str('')}")
                values.before.append(f"static const struct page_{group} {variant}_{group}{suffix} ="
                                     f"\n{made};\n")
        for name, page in site.pages.items():
            made = values.struct(page.struct)
            for group in page.uses:
                frame = f"{variant}_{group}" + ("_out" if name in SIGNED_OUT else "")
                made = made.replace("{ ", f"{{ .{group} = &{frame},\n  ", 1)
            made = made.replace(",\n  .has_nothing = false", "")
            values.before.append(f"static const struct page_{name} {variant}_{name} =\n{made};\n")
            end = "mail" if page.is_mail else "html"
            rows.append(f'    {{ "{variant}", "{name}.{end}", show_{name}, &{variant}_{name} }},\n')
        out += values.before
    out.append("static const struct sample samples[] = {\n" + "".join(rows) + "};\n")
    path.write_text("\n".join(out + [MAIN]))


def build(folder):
    """Compiles pages and program; returns the program."""
    folder.mkdir(parents=True, exist_ok=True)
    site = pages.Site(page_files())
    pages.Writer(site).write(folder / "pages.c", folder / "pages.h")
    write_program(site, folder / "samples.c")
    sources = [ROOT / "src" / each for each in SOURCES] + sorted((ROOT / "src/base").glob("*.c"))
    subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-O0", "-g", "-D_GNU_SOURCE",
                    "-fsanitize=address,undefined", "-fno-sanitize-recover", "-I", ROOT / "src",
                    "-I", folder, "-o", folder / "samples", folder / "samples.c",
                    folder / "pages.c", *sources], check=True, timeout=300)
    return folder / "samples"


def render(program, folder, variant, language="en"):
    """Writes the pages of one variant; returns name -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([program, folder, variant, language], check=True, timeout=60)
    return {path.stem: path for path in sorted(folder.iterdir())
            if path.suffix in (".html", ".mail")}


def main():
    folder = pathlib.Path(sys.argv[1])
    language = sys.argv[2] if len(sys.argv) > 2 else "en"
    program = build(folder / "build")
    for variant in VARIANTS:
        render(program, folder / variant, variant, language)
        for name in ("style.css", "app.js"):
            shutil.copy(ROOT / "pages" / name, folder / variant)


if __name__ == "__main__":
    main()

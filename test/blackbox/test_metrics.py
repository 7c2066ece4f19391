"""The metrics answer what docs/metrics.md says they do, and the files beside it name no others."""

import http.client
import json
import pathlib
import re
import shutil
import subprocess
import time

import pytest

import stores
from harness import ALICE, C1, free_port, uauth_form, wait_until
from test_operations import make_certificate, needs_openssl

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
DASHBOARD = DOCS / "examples/grafana-dashboard.json"
ALERTS = DOCS / "examples/alerts.yaml"
SUFFIXES = ("_bucket", "_sum", "_count")


def documented():
    """Name, type and meaning of every row of docs/metrics.md."""
    return re.findall(r"(?m)^\| `(\w+)` \| (\w+) \| (.*) \|$", (DOCS / "metrics.md").read_text())


class Metered:
    """A server with everything that has metrics: TLS, mail, the metrics' own listener."""

    def __init__(self, new_server, folder):
        certificate, key = make_certificate(folder, "metrics.example")
        self.port = free_port()
        self.server = new_server(args=[
            "--metrics-listen", f"127.0.0.1:{self.port}", "--tls-listen",
            f"127.0.0.1:{free_port()}", "--tls-certificate", str(certificate), "--tls-key",
            str(key), "--smtp-url", f"smtp://127.0.0.1:{free_port()}", "--mail-from",
            "jeton@example.com"])

    def text(self):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        line.request("GET", "/metrics")
        answer = line.getresponse()
        assert answer.status == 200
        text = answer.read().decode()
        line.close()
        return text

    def value(self, name, labels=""):
        found = re.search(rf"(?m)^{name}{re.escape(labels)} (\S+)$", self.text())
        return float(found.group(1)) if found else None


@pytest.fixture(scope="module")
def metered(module_server, tmp_path_factory):
    return Metered(module_server, tmp_path_factory.mktemp("metrics"))


def of_this_engine(meaning):
    if stores.is_postgresql():
        return not meaning.endswith("not with a database")
    return not meaning.startswith("with a database:")


@needs_openssl
def test_the_list_is_what_the_server_gives(metered):
    told = {(name, kind) for name, kind, meaning in documented() if of_this_engine(meaning)}
    metered.server.client_token(C1)
    wait_until(lambda: metered.value("jeton_permanent_tokens") is not None, 20, "the first count")
    given = set(re.findall(r"(?m)^# TYPE (\w+) (\w+)$", metered.text()))
    assert given == told


@needs_openssl
def test_every_line_is_of_a_metric_that_is_described_once(metered):
    text = metered.text()
    names = re.findall(r"(?m)^# HELP (\w+) \S", text)
    assert len(names) == len(set(names))
    for line in text.splitlines():
        if not line.startswith("#"):
            name = re.match(r'(\w+)(\{(\w+="[^"\\]*",?)+\})? -?[0-9.e+]+$', line).group(1)
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in names or base in names, line


@needs_openssl
def test_sign_ins_are_counted_by_how_they_ended(metered):
    def tries(outcome):
        return metered.value("jeton_sign_in_tries_total", f'{{outcome="{outcome}"}}')

    server = metered.server
    right, wrong, held_up = tries("right"), tries("wrong"), tries("held_up")
    assert server.token(uauth_form()).status == 200
    assert (tries("right"), tries("wrong")) == (right + 1, wrong)
    for _ in range(9):  # the first delay ends with the second, the others are longer
        assert server.token(uauth_form(user=(ALICE[0], "not it"))).status == 400
    assert tries("right") == right + 1
    assert tries("wrong") + tries("held_up") == wrong + held_up + 9
    assert tries("held_up") > held_up


@needs_openssl
def test_certificate_key_and_process(metered):
    now = time.time()
    expires = metered.value("jeton_certificate_expires_seconds")
    assert now + 86400 < expires < now + 3 * 86400
    assert 0 <= metered.value("jeton_signing_key_age_seconds", '{alg="ES256"}') < 3600
    assert metered.value("jeton_ready") == 1
    assert now - 600 < metered.value("process_start_time_seconds") <= now + 1
    assert metered.value("process_resident_memory_bytes") > 1 << 20
    assert metered.value("process_cpu_seconds_total") > 0
    assert 10 < metered.value("process_open_fds") < metered.value("process_max_fds")
    if not stores.is_postgresql():
        room = shutil.disk_usage(metered.server.data)
        assert metered.value("jeton_store_disk_bytes") == room.total
        assert abs(metered.value("jeton_store_disk_free_bytes") - room.free) < room.total / 10


@needs_openssl
def test_descriptors_that_come_and_go_are_counted(metered):
    before = metered.value("process_open_fds")
    lines = [metered.server.connection() for _ in range(20)]
    for line in lines:
        line.connect()
    wait_until(lambda: metered.value("process_open_fds") >= before + 20, 10, "20 more descriptors")
    for line in lines:
        line.close()
    wait_until(lambda: metered.value("process_open_fds") < before + 10, 10, "they are gone")


# -- the files beside the document ----------------------------------------------------------------

def expressions_of_the_dashboard():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    rows = [panel for panel in panels if panel["type"] == "row"]
    assert len(rows) == 10
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def expressions_of_the_alerts():
    text = ALERTS.read_text()
    found = re.findall(r"(?m)^ {8}expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", text)
    assert len(found) == text.count("- alert:")
    return [several or one for several, one in found]


def metrics_in(expression):
    plain = re.sub(r'"[^"]*"|\b(by|without) \([^)]*\)|\{[^}]*\}', "", expression)
    return {name for name in re.findall(r"\b(?:jeton|process)_\w+", plain)}


@pytest.mark.parametrize("expressions", [expressions_of_the_dashboard, expressions_of_the_alerts])
def test_files_name_metrics_that_there_are(expressions):
    names = {name for name, _, _ in documented()}
    histograms = {name + suffix for name, kind, _ in documented() if kind == "histogram"
                  for suffix in SUFFIXES}
    for expression in expressions():
        used = metrics_in(expression)
        assert used or expression.startswith("up{"), expression
        assert used <= names | histograms, expression
        # What only grows is looked at by how fast.
        for name, kind, _ in documented():
            if kind == "counter" and name in used:
                assert re.search(rf"(rate|increase)\({name}\b", expression), expression


def test_every_endpoint_that_a_rule_names_exists():
    source = (DOCS.parent / "src/web/endpoints.c").read_text()
    for name in re.findall(r'endpoint="(\w+)"', ALERTS.read_text() + DASHBOARD.read_text()):
        assert f'{{ "{name}"' in source, name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_prometheus_takes_the_rules():
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout + done.stderr

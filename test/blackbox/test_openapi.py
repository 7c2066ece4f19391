"""The OpenAPI document is made from the endpoint table, and says what the server does.
test/clients/test_schemathesis.py lets Schemathesis read it."""

import json
import re

import pytest

from harness import API, ROOT

# Rows that are no interface for programs: parts of pages, numbers on a listener of their own.
OTHERS = {"style", "script", "brand_logo", "brand_theme", "metrics"}
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def server(module_server):
    return module_server(args=["--client-registration", "open"])


@pytest.fixture(scope="module")
def document(server):
    answer = server.get("/openapi.json")
    assert answer.status == 200 and answer.header("Access-Control-Allow-Origin") == "*"
    return answer.json


def operations(document):
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb, operation


def test_every_row_for_programs_is_in_it(document):
    """And no other one."""
    source = (ROOT / "src/web/endpoints.c").read_text()
    rows = set(re.findall(r'^    \{ "(\w+)", PATH', source, re.M))
    rows |= set(re.findall(r'^    (?:API|ADMIN_API|ADMIN_PART)\("(\w+)"', source, re.M))
    rows -= set(re.findall(r'"(\w+)", PATH\([^{}]*\.dialect =', source))
    described = {operation["operationId"].rsplit("_", 1)[0]
                 for _, _, operation in operations(document)}
    assert described == rows - OTHERS


def test_it_is_whole(document, server):
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": f"http://127.0.0.1:{server.port}"}]
    text = json.dumps(document)
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in document["components"]["schemas"]
    schemes = document["components"]["securitySchemes"]
    identities = set()
    for path, verb, operation in operations(document):
        assert verb in METHODS and operation["responses"]
        assert operation["operationId"] not in identities
        identities.add(operation["operationId"])
        for scheme in operation["security"]:
            assert set(scheme) <= set(schemes)
        named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))


def test_methods_that_are_not_in_it_are_refused(document, server):
    for path, verbs in document["paths"].items():
        if path == "/forward-auth":
            continue  # a proxy asks with the method of the request that it guards
        real = re.sub(r"\{\w+\}", API[0], path)
        for verb in METHODS - set(verbs):
            answer = server.request(verb.upper(), real)
            assert answer.status in (401, 405), (verb, path, answer)
        for verb in verbs:
            assert server.request(verb.upper(), real).status not in (404, 405), (verb, path)


def test_what_is_switched_off_is_not_in_it(new_server):
    paths = new_server().get("/openapi.json").json["paths"]
    assert not [path for path in paths if path.startswith("/oauth2/register")]

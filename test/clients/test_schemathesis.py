"""Schemathesis over the OpenAPI document: no answer of 500, and none that the document does not
tell of. Whether a code or a token is good no schema can say, so that is not asked."""

import os
import subprocess

import pytest

from harness import API, ROOT, basic, sanitizer_environment
from person import Person
from token_people import OWN_WORD, make

ROBOT = ("robot", "the secret of a machine that administers 5")
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,"
          "response_schema_conformance,response_headers_conformance,unsupported_method,"
          "negative_data_rejection,use_after_free")


def find_tool():
    for path in (os.environ.get("JETON_SCHEMATHESIS"), str(ROOT / "build/openapi/bin/st")):
        if path and os.access(path, os.X_OK):
            return path
    return None


@pytest.fixture(scope="module")
def server(module_server):
    made = module_server(args=["--client-registration", "open"])
    made.add_user("scripted", "a password for scripts 5Tq")
    made.add_client(*ROBOT, "--grant", "client_credentials", "--scope", "jeton:admin")
    return made


@pytest.mark.skipif(find_tool() is None, reason="Schemathesis is not installed (./do test does)")
@pytest.mark.parametrize("who, paths", [("nobody", None), ("client", "^/oauth2/"),
                                        ("owner", "^/(api/v1/tokens|oauth2/userinfo)"),
                                        ("administrator", "^/api/v1/admin/"),
                                        ("guard", "^/forward-auth")])
def test_every_answer_is_as_the_document_says(server, tmp_path, who, paths):
    command = [find_tool(), "run", f"http://127.0.0.1:{server.port}/openapi.json", "--checks",
               CHECKS, "--max-examples", "15", "--seed", "20", "--phases", "coverage,fuzzing",
               "--suppress-health-check", "all", "--workers", "1", "--no-color"]
    if paths:
        command += ["--include-path-regex", paths]
    if who == "client":
        command += ["--header", "Authorization: " + basic(*API)]
    if who == "guard":  # it is asked with the method of whatever it guards
        command[command.index(CHECKS)] = CHECKS.replace("unsupported_method,", "")
    if who == "administrator":  # many operations: a few examples of each
        command[command.index("15")] = "3"
        token = server.client_token(ROBOT, "jeton:admin")["access_token"]
        command += ["--header", "Authorization: Bearer " + token]
    if who in ("owner", "guard"):
        token = make(Person(server).sign_in(("scripted", "a password for scripts 5Tq")), who,
                     (OWN_WORD,))
        command += ["--header", "Authorization: Bearer " + token]
    done = subprocess.run(command, cwd=tmp_path, env=sanitizer_environment(), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                          check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert server.get("/readyz").status == 200

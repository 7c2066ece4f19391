"""tools/packages.txt and the Debian packages name the same libraries."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
# Debian takes a compiler for granted; debhelper belongs to packaging.
OF_THE_COMPILER = {"gcc", "libc6-dev"}
OF_PACKAGING = {"debhelper-compat"}


def section(name):
    text = (TOP / "tools/packages.txt").read_text()
    body = re.search(rf"(?ms)^\[{name}\]\n(.*?)(?=^\[|\Z)", text).group(1)
    return {line.split()[0].lstrip("?").split("|")[0] for line in body.splitlines()
            if line and not line.startswith("#")}


def build_depends():
    text = (TOP / "packaging/debian/control").read_text()
    field = re.search(r"(?m)^Build-Depends:(.*(?:\n .*)*)", text).group(1)
    return {re.split(r"[ (|]", name.strip())[0] for name in field.split(",") if name.strip()}


def test_what_a_build_needs_is_said_once():
    assert build_depends() - OF_PACKAGING == section("build") - OF_THE_COMPILER


def test_the_build_asks_for_no_library_that_is_not_listed():
    """Every dependency() of meson.build is a package of [build]."""
    names = {"libssl": "libssl-dev", "libcrypto": "libssl-dev", "libsodium": "libsodium-dev",
             "sqlite3": "libsqlite3-dev", "jansson": "libjansson-dev", "libcyaml": "libcyaml-dev",
             "expat": "libexpat1-dev", "libqrencode": "libqrencode-dev", "libfido2": "libfido2-dev",
             "libcbor": "libcbor-dev", "libcurl": "libcurl4-openssl-dev", "libpq": "libpq-dev",
             "yaml-0.1": "libyaml-dev", "libseccomp": "libseccomp-dev"}
    asked = set(re.findall(r"dependency\('([^']+)'", (TOP / "meson.build").read_text()))
    asked -= {"threads", "cmocka"}
    assert {names[name] for name in asked} <= section("build")


def test_the_image_installs_the_libraries_that_the_binary_needs():
    """The run-time packages of Debian 12 for what is built against."""
    run_time = {"libssl-dev": "libssl3", "libsodium-dev": "libsodium23",
                "libsqlite3-dev": "libsqlite3-0", "libjansson-dev": "libjansson4",
                "libcyaml-dev": "libcyaml1", "libexpat1-dev": "libexpat1",
                "libqrencode-dev": "libqrencode4", "libfido2-dev": "libfido2-1",
                "libcbor-dev": "libcbor0.8", "libcurl4-openssl-dev": "libcurl4",
                "libpq-dev": "libpq5", "libyaml-dev": "libyaml-0-2",
                "libseccomp-dev": "libseccomp2"}
    libraries = {name for name in section("build") if name.startswith("lib")} - OF_THE_COMPILER
    image = (TOP / "packaging/Containerfile").read_text()
    missing = {run_time[name] for name in libraries
               if not re.search(rf"\s{re.escape(run_time[name])}\s", image)}
    assert missing == set()

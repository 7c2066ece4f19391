"""Long lists in the pages: on and back, page by page, and what applications did last."""

import http.client
import re
import socket

import pytest

from harness import ALICE, C1, bearer, wait_until
from person import Person
from token_people import add_account, add_open_service, manager

PAGE_ROWS = 20
ROOT = ("root", "the administrator's own password 7")


@pytest.fixture(scope="module")
def jeton(module_server):
    server = add_open_service(module_server())
    server.add_user(*ROOT, "--admin")
    return server


def make_many(server, user, count):
    """Tokens "t1" and so on, behind the one that makes them; answers all names, newest first."""
    value = manager(server, user)
    for number in range(1, count):
        answer = server.post_json("/api/v1/tokens", {"name": f"t{number}", "scopes": ["see"]},
                                  bearer(value))
        assert answer.status == 201, answer
        server.secrets.add(answer.json["token"])
    return [f"t{number}" for number in range(count - 1, 0, -1)] + ["manager"]


def names(person):
    return re.findall(r" id=\"token-\d+-name\"><bdi>([^<]*)</bdi>", person.answer.body.decode())


def walk(person, link):
    """The pages from here to the end in one direction."""
    pages = []
    while person.has(link):
        person.press(link)
        assert person.status == 200
        pages.append(names(person))
    return pages


def expect_both_directions(person, path, every):
    person.open(path)
    pages = [every[at:at + PAGE_ROWS] for at in range(0, len(every), PAGE_ROWS)]
    assert names(person) == pages[0] and not person.has("newer")
    assert walk(person, "older") == pages[1:]
    assert person.has("newer") and not person.has("older")
    assert walk(person, "newer") == pages[-2::-1]
    assert person.has("older") and not person.has("newer")


@pytest.mark.parametrize("count", [21, 40, 45, 61])
def test_own_tokens_are_read_in_both_directions(jeton, count):
    user = add_account(jeton)
    every = make_many(jeton, user, count)
    expect_both_directions(Person(jeton).sign_in(user), "/tokens", every)


def test_one_page_has_no_links(jeton):
    user = add_account(jeton)
    every = make_many(jeton, user, PAGE_ROWS)
    person = Person(jeton).sign_in(user).open("/tokens")
    assert names(person) == every and not person.has("newer") and not person.has("older")


def test_a_place_in_somebody_elses_list_is_none(jeton):
    user = add_account(jeton)
    make_many(jeton, user, PAGE_ROWS + 1)
    person = Person(jeton).sign_in(user).open("/tokens")
    older = re.search(r"\?before=([^\"]+)", person.answer.body.decode()).group(1)
    for query in (f"before={older}", f"after={older}", "before=x", "after=all"):
        assert Person(jeton).sign_in(ALICE).open(f"/tokens?{query}").status == 404, query


def test_tokens_that_were_made_meanwhile_are_a_page_further_up(jeton):
    user = add_account(jeton)
    every = make_many(jeton, user, PAGE_ROWS + 5)
    person = Person(jeton).sign_in(user).open("/tokens").press("older")
    assert names(person) == every[PAGE_ROWS:]
    value = manager(jeton, user)
    person.press("newer")
    assert names(person) == every[:PAGE_ROWS] and person.has("newer") and person.has("older")
    person.press("newer")
    assert names(person) == (["manager"] + every)[:PAGE_ROWS] and not person.has("newer")
    assert value


def test_all_tokens_are_read_in_both_directions_with_the_search(jeton):
    user = add_account(jeton)
    every = make_many(jeton, user, 45)
    admin = Person(jeton).sign_in(ROOT)
    expect_both_directions(admin, f"/admin/tokens?q={user[0]}", every)
    for wrong in ("before=x", "after=x", "after="):
        assert admin.open(f"/admin/tokens?q={user[0]}&{wrong}").status == 200
        assert names(admin) == every[:PAGE_ROWS]


# -- applications ---------------------------------------------------------------------------------

def last_use(person):
    text = person.open("/applications").answer.body.decode()
    times = re.findall(r"<time datetime=\"([^\"]+)\">", text[text.index("application-1"):])
    return times  # since, last used


def test_applications_show_when_they_were_used_last(faked_time):
    server, set_time = faked_time
    first = server.user_token(C1, ALICE)
    person = Person(server).sign_in(ALICE)
    since, used = last_use(person)
    assert since == used
    set_time(500)
    assert server.forward_auth(first["access_token"]).status == 200
    person = Person(server).sign_in(ALICE)
    assert seconds_between(since, last_use(person)[1]) in range(499, 560)
    set_time(5000)
    second = server.refresh(first["refresh_token"], C1).json
    person = Person(server).sign_in(ALICE)
    assert seconds_between(since, last_use(person)[1]) in range(4999, 5060)
    # What was issued is remembered, whoever starts the server again.
    server.restart()
    person = Person(server).sign_in(ALICE)
    again = last_use(person)
    assert again[0] == since and seconds_between(since, again[1]) in range(4999, 5060)
    assert second["access_token"]


def seconds_between(first, second):
    def seconds(text):
        return sum(int(part) * unit for part, unit in
                   zip(re.search(r"T(\d+):(\d+):(\d+)", text).groups(), (3600, 60, 1)))
    return (seconds(second) - seconds(first)) % 86400


# -- metrics --------------------------------------------------------------------------------------

def test_living_permanent_tokens_are_counted(new_server, tmp_path):
    """By the server itself, now and then; right after a start, too."""
    socket_path = tmp_path / "metrics.sock"
    server = add_open_service(new_server(["--metrics-listen", f"unix:{socket_path}"]))
    user = add_account(server)
    make_many(server, user, 4)
    person = Person(server).sign_in(user).open("/tokens")
    person.press("revoke-1").press("ok")
    server.restart()
    assert metric(socket_path, "jeton_permanent_tokens") == 3


def metric(socket_path, name):
    def read():
        line = http.client.HTTPConnection("localhost")
        line.sock = socket.socket(socket.AF_UNIX)
        line.sock.connect(str(socket_path))
        line.request("GET", "/metrics")
        text = line.getresponse().read().decode()
        line.close()
        found = re.search(rf"^{name} (\d+)$", text, re.M)
        return (int(found.group(1)),) if found else None

    return wait_until(read, 10, name)[0]

"""Idempotency-Key at two nodes at once: one of them does it, and whoever asks gets its answer or is
told that it is under way; and a node that stops in between leaves nothing that is done twice.
"""

import json
import signal
import threading

import pytest

from harness import wait_until
from lines import Lines

PATH = "/api/v1/admin/"
ROBOT = ("robot", "the secret of a machine that administers 5")
CONNECTION_COUNT = 32
ROUND_COUNT = 20


@pytest.fixture(scope="module")
def town(towns, cluster, plain):
    made = towns(cluster, binary=plain)
    made.nodes[0].add_client(*ROBOT, "--grant", "client_credentials", "--scope", "jeton:admin")
    return made.start().warm()


@pytest.fixture(scope="module")
def token(town):
    return town.nodes[0].client_token(ROBOT, "jeton:admin")["access_token"]


def ask(node, token, key, body, path="clients"):
    answer = node.request("POST", PATH + path, json.dumps(body), [
        ("Authorization", "Bearer " + token), ("Content-Type", "application/json"),
        ("Idempotency-Key", f'"{key}"')])
    if answer.status == 201:
        node.secrets.add(answer.json["secret"])
    return answer


def ask_until_told(node, *request):
    """Asked again while another's transaction is in the way: 503, and nothing was done."""
    told = []

    def is_told():
        told.append(ask(node, *request))
        return told[-1].status != 503

    wait_until(is_told, 20, "an answer")
    return told[-1]


def error(answer):
    return json.loads(answer.body)["error"]


def wire(node, token, key, body):
    text = json.dumps(body)
    return (f"POST {PATH}clients HTTP/1.1\r\nHost: {node.authority}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: \"{key}\"\r\nContent-Length: {len(text)}\r\n\r\n{text}").encode()


def added_count(town, client_id):
    return int(town.database.run(
        "SELECT count(*) FROM event AS e JOIN client AS c ON c.id = e.client_id"
        f" WHERE c.client_id = '{client_id}' AND e.detail LIKE 'added%'")[0])


def test_two_nodes_do_it_once(town, token):
    with Lines(town.addresses, CONNECTION_COUNT) as lines:
        for number in range(ROUND_COUNT):
            body = {"id": f"once{number}", "grant_types": ["client_credentials"]}
            replies = lines.race([wire(town.nodes[0], token, f"once {number}", body)])
            # One whose commit was in another's way is told that it is busy, and did nothing.
            statuses = {reply.status for reply in replies}
            assert statuses <= {201, 409, 503}, replies
            secrets = {reply.member("secret") for reply in replies if reply.status == 201}
            assert len(secrets) == 1 or (503 in statuses and not secrets), replies
            assert all(reply.member("error") == "under_way" for reply in replies
                       if reply.status == 409)
            for node in town.nodes:
                again = ask(node, token, f"once {number}", body)
                assert again.status == 201, again
                secrets.add(again.json["secret"])
            assert len(secrets) == 1
            assert added_count(town, body["id"]) == 1


def test_the_other_node_answers_the_same_word_for_word(town, token):
    body = {"id": "same", "grant_types": ["client_credentials"]}
    first, again = (ask(node, token, "same", body) for node in town.nodes)
    assert first.status == again.status == 201 and first.body == again.body
    for header in ("Location", "ETag", "Content-Type"):
        assert first.header(header) == again.header(header) is not None
    other = ask(town.nodes[1], token, "same", {**body, "name": "another"})
    assert other.status == 422 and error(other) == "idempotency_key_reused"
    refused = [ask(node, token, "wrong", {"id": "a b\n"}) for node in town.nodes]
    assert refused[0].status == refused[1].status == 422
    assert refused[0].body == refused[1].body


def test_a_node_that_stands_still_is_not_overtaken(town, token):
    """The key is noted before anything is done: with the first node stopped in between, the second
    says that it is under way; and when the first goes on, both have one answer."""
    slow, quick = town.nodes
    body = {"id": "slow", "grant_types": ["client_credentials"]}
    done = []
    lock = town.database
    lock.run("BEGIN")
    lock.run("LOCK TABLE client IN SHARE MODE")
    asker = threading.Thread(target=lambda: done.append(ask(slow, token, "slow", body)))
    asker.start()
    try:
        wait_until(lambda: int(lock.run("SELECT count(*) FROM answered WHERE status = 0")[0]) > 0,
                   20, "the key")
        answer = ask(quick, token, "slow", body)
        # What the first one holds may be in the way of looking, too: then it is 503.
        assert answer.status == 503 or error(answer) == "under_way", answer
    finally:
        lock.run("ROLLBACK")
        asker.join()
    assert done[0].status in (201, 503), done
    if done[0].status == 201:
        assert ask_until_told(quick, token, "slow", body).body == done[0].body
        assert added_count(town, "slow") == 1


def test_a_node_that_dies_in_between_is_not_repeated(town, token):
    """Whether it was done nobody knows: the other node says so for as long as the key counts."""
    slow, quick = town.nodes
    body = {"id": "dead", "grant_types": ["client_credentials"]}
    lock = town.database
    before = int(lock.run("SELECT count(*) FROM answered WHERE status = 0")[0])
    lock.run("BEGIN")
    lock.run("LOCK TABLE client IN SHARE MODE")

    def give_up():
        try:
            ask(slow, token, "dead", body)
        except OSError:
            pass

    asker = threading.Thread(target=give_up)
    asker.start()
    try:
        wait_until(lambda: int(lock.run("SELECT count(*) FROM answered WHERE status = 0")[0]) >
                   before, 20, "the key")
        slow.process.send_signal(signal.SIGKILL)
        slow.process.wait()
    finally:
        lock.run("ROLLBACK")
        asker.join()
    slow.process = None
    for _ in range(2):
        answer = ask_until_told(quick, token, "dead", body)
        assert answer.status == 409 and error(answer) == "under_way", answer
    assert added_count(town, "dead") <= 1
    slow.start()
    assert ask_until_told(slow, token, "dead", body).status == 409
    lock.run("UPDATE answered SET until = 1 WHERE status = 0")
    again = ask_until_told(quick, token, "dead", body)
    assert again.status in (201, 422), "a day later it is free again"

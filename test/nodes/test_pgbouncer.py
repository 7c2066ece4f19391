"""PgBouncer in transaction mode between the nodes and the database: connections are not the nodes'
own, and what is said outside of transactions goes anywhere."""

import shutil
import subprocess
import time

import pytest

from harness import wait_until
from lines import Line
from model import Load
from network import HUB, end_with_parent
from nodes import ALICE, API, APP, free_port
from person import Person
from postgres import PASSWORD, ROLE

CONFIG = """[databases]
* = host={target} port={target_port}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 10
max_client_conn = 200
logfile =
pidfile =
"""


@pytest.fixture(scope="module")
def bouncer(network, cluster, tmp_path_factory):
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    folder = tmp_path_factory.mktemp("pgbouncer")
    host = HUB if network else "127.0.0.1"
    port = free_port([host])
    config = folder / "pgbouncer.ini"
    users = folder / "users"
    users.write_text(f'"{ROLE}" "{PASSWORD}"\n')
    config.write_text(CONFIG.format(target=cluster.host, target_port=cluster.port, host=host,
                                    port=port, users=users))
    account = cluster.account
    user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    for path in (folder, config, users) if account else ():
        shutil.chown(path, account.pw_uid, account.pw_gid)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([program, str(config)], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, cwd="/", preexec_fn=end_with_parent, **user)
    yield host, port
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def town(towns, cluster, bouncer, plain):
    def url(name):
        return cluster.url(name).replace(f"{cluster.host}:{cluster.port}",
                                         f"{bouncer[0]}:{bouncer[1]}")
    return towns(cluster, binary=plain, url=url).start().warm()


def test_the_usual_ways(town):
    here, there = town.nodes
    made = here.user_token(APP, ALICE, "read")
    assert there.is_active(made["access_token"], API)
    renewed = there.refresh(made["refresh_token"], APP)
    assert renewed.status == 200, renewed
    assert here.refresh(renewed.json["refresh_token"], APP).status == 200
    person = Person(here).sign_in(ALICE)
    person.server = there
    assert person.open("/account").has("sign-out")
    assert here.revoke(made["access_token"], APP).status == 200
    assert not here.is_active(made["access_token"], API)


def test_in_04_a_revocation_is_seen(town, note_figure):
    here, there = town.nodes
    line, taken = Line(1, there.address), []
    for _ in range(20):
        token = here.client_token(APP, "read")["access_token"]
        assert line.ask(there.wire_introspect(token)).is_active
        assert here.revoke(token, APP).status == 200
        since = time.monotonic()
        wait_until(lambda token=token: line.ask(there.wire_introspect(token)).is_active is False,
                   5, "the revocation")
        taken.append(time.monotonic() - since)
    note_figure("revocation seen by the other node through PgBouncer",
                f"median {1000 * sorted(taken)[10]:.0f} ms, most {1000 * max(taken):.0f} ms")
    assert max(taken) < 1.0


def test_under_load(town):
    with Load(town, thread_count=3, seed=21) as load:
        time.sleep(3)
    load.stop()
    load.check()
    assert load.model.count(503) + load.model.count(None) == 0, "nothing was away"

"""
R2: a disk that fails or is full: 4xx, never 250, and all goes on when it is well again. R7: a damaged database or body: held or
refused, reported, the rest goes on. Each through the whole gateway.
"""

import errno
import re
import sqlite3
import subprocess
import time
import types

import pytest

import gateway as gw
import tools
from keys import Keyring
from killpage import SHORT, KillPage
from pki import Pki
from sink import Sink
from tools import BUILD, remove_folder, run, short_folder, wait_until

CLEAR = "clear@example.com"
RULES = f'rule "clear" {{ when {{ recipient = {{"{CLEAR}"}} }} protect = never }}\n' + gw.REFUSE
RECIPIENTS = ["smime@example.com", CLEAR]
WRITE_FAILS = {"pwrite64": [errno.EIO, errno.ENOSPC], "fdatasync": [errno.EIO]}


@pytest.fixture(scope="module")
def ground():
    folder = short_folder()
    pki = Pki(folder)
    pki.gateway = pki.issue("localhost", "IP:127.0.0.1")
    ring = Keyring(folder)
    yield types.SimpleNamespace(folder=folder, pki=pki, person=ring.smime("smime@example.com"))
    ring.close()
    remove_folder(folder)


@pytest.fixture(scope="module")
def page(ground):
    page = KillPage(ground.folder / "page")
    yield page
    page.close()


@pytest.fixture
def house(ground):
    """A gateway with a next hop; not started."""
    sink = Sink()
    gateway = gw.Gateway(ground.pki, sink.route, rules=RULES)
    yield types.SimpleNamespace(gateway=gateway, sink=sink, ground=ground)
    gateway.close()
    sink.stop()


def start(house):
    house.gateway.start()
    house.gateway.add_keys(house.ground.person)


def send(house, recipient, name):
    return house.gateway.submit([recipient], gw.mail(recipient, Message_ID=f"<{name}@client.example.org>"))


def arrived(house, name):
    return len([m for m in list(house.sink.messages) if f"<{name}@client.example.org>".encode() in m.data])


def accepted_and_delivered(house, name):
    """One for each kind of copy, taken at the first try."""
    for recipient in RECIPIENTS:
        gw.queue_id(send(house, recipient, f"{name}-{recipient[:5]}"))
    for recipient in RECIPIENTS:
        wait_until(lambda: arrived(house, f"{name}-{recipient[:5]}"), "it arrives")


def refused_for_now(house, name, codes=(451, 452)):
    for n, recipient in enumerate(RECIPIENTS):
        reply = send(house, recipient, f"{name}{n}")
        assert reply.code in codes, reply


def settled(house):
    wait_until(lambda: not house.gateway.queue(), lambda: f"an empty queue: {house.gateway.queue()}")
    assert house.gateway.json("audit", "verify")["intact"]
    names = [m.data.partition(b"\r\nMessage-ID: ")[2].partition(b"\r\n")[0] for m in house.sink.messages]
    assert len(names) == len(set(names)), "nothing came twice"


# ---- R2 ----


def test_r2_writes_that_fail(house, page):
    house.gateway.environment.update(LD_PRELOAD=str(BUILD / "killat.so"), KILLAT_PAGE=str(house.ground.folder / "page"))
    start(house)
    for call, faults in WRITE_FAILS.items():
        for fault in faults:
            page.fail("queue", call, fault)
            refused_for_now(house, f"{call}-{fault}-")
            assert page.fired
            page.disarm()
            accepted_and_delivered(house, f"after-{call}-{fault}")
            assert not arrived(house, f"{call}-{fault}-0")
    settled(house)


def test_r2_outcomes_wait_for_the_disk(house, page):
    """What was delivered while nothing could be written is not delivered again."""
    house.gateway.environment.update(LD_PRELOAD=str(BUILD / "killat.so"), KILLAT_PAGE=str(house.ground.folder / "page"))
    house.sink.script = lambda verb, *_: page.fail("queue", "pwrite64", errno.ENOSPC) if verb == "END" else None
    start(house)
    gw.queue_id(send(house, CLEAR, "outcome"))
    wait_until(lambda: arrived(house, "outcome"), "it arrives")
    house.gateway.wait_log("outcome-not-stored")
    time.sleep(2.5)  # two more tries
    house.sink.script = None
    page.disarm()
    settled(house)
    assert arrived(house, "outcome") == 1
    # One line for the trouble, and one for its end.
    assert house.gateway.log.count("event=outcome-not-stored ") == 1
    assert int(re.search(r"event=outcomes-stored failed_tries=(\d+)", house.gateway.log)[1]) >= 2


def test_r2_short_writes(house, page):
    house.gateway.environment.update(LD_PRELOAD=str(BUILD / "killat.so"), KILLAT_PAGE=str(house.ground.folder / "page"))
    start(house)
    page.fail("queue", "pwrite64", SHORT)
    accepted_and_delivered(house, "short")
    assert page.fired
    page.disarm()
    settled(house)


@pytest.fixture
def small_disk(house):
    """The queue folder on a file system of its own, of 16 MB."""
    folder = house.gateway.state_dir / "queue"
    house.gateway.start()
    house.gateway.stop()
    owner = folder.stat()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=16m,mode=700,uid={owner.st_uid},gid={owner.st_gid}", "tmpfs", folder],
                          capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    house.gateway.stop()
    run("umount", folder)


@pytest.mark.skipif(not tools.AS_ROOT, reason="mounting is for root")
def test_r2_a_full_disk(house, small_disk):
    start(house)
    accepted_and_delivered(house, "before")
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        with pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
    # The log of SQLite may have some room left from before.
    replies = [send(house, CLEAR, f"full{n}") for n in range(40)]
    taken = [n for n, reply in enumerate(replies) if reply.code == 250]
    assert {reply.code for reply in replies[len(taken):]} == {452}, replies
    assert len(taken) < 40 and taken == list(range(len(taken)))
    filler.unlink()
    accepted_and_delivered(house, "after")
    settled(house)
    assert [n for n in range(40) if arrived(house, f"full{n}")] == taken


# ---- R7 ----


def edit(house, text):
    """Changes the database of a gateway that does not run, as a damaged disk would."""
    with sqlite3.connect(house.gateway.state_dir / "queue" / "queue.db") as db:
        assert db.execute(text).rowcount > 0
    db.close()


def test_r7_a_damaged_body(house):
    start(house)
    house.sink.stop()
    bad = gw.queue_id(send(house, RECIPIENTS[0], "bad"))
    good = gw.queue_id(send(house, RECIPIENTS[0], "good"))
    house.gateway.stop()
    edit(house, "UPDATE body SET bytes = replace(bytes, 'A', 'B') WHERE copy_id = "
                f"(SELECT id FROM copy WHERE message_id = '{bad}')")
    house.sink.start()
    house.gateway.start()
    wait_until(lambda: arrived(house, "good"), "the other goes on")
    held = wait_until(lambda: [r for r in house.gateway.queue("held") if r["id"] == bad], "it is held")
    assert held[0]["hold"] == "damaged" and good != bad
    assert house.gateway.json("status")["queue"]["damaged"] == 1
    house.gateway.wait_log("quarantined")
    house.gateway.ctl("held", "return", bad)
    report = house.sink.wait(lambda m: m.sender == "")
    assert b"BEGIN" not in report.data.partition(b"\r\n\r\n")[0] and not arrived(house, "bad")
    settled_after_damage(house)


def settled_after_damage(house):
    wait_until(lambda: not house.gateway.queue(), lambda: f"an empty queue: {house.gateway.queue()}")
    assert house.gateway.json("audit", "verify")["intact"]


def test_r7_a_damaged_database(house):
    start(house)
    house.sink.stop()
    gw.queue_id(send(house, RECIPIENTS[0], "kept"))
    house.gateway.stop()
    house.gateway.settings["limits"] = {"busy": "1s", "seal": "2s"}
    house.gateway.write_conf()
    path = house.gateway.state_dir / "queue" / "queue.db"
    whole = path.read_bytes()
    with open(path, "r+b") as file:
        file.write(bytes(100))
    house.gateway.launch()
    house.gateway.wait_log("queue-start-failed")
    wait_until(house.gateway.listens, "the gateway answers")
    refused_for_now(house, "refused", codes=(451,))
    # Not replaced by an empty one.
    assert path.read_bytes()[:100] == bytes(100)
    assert "restore it from a backup" in house.gateway.log
    house.gateway.stop()
    path.write_bytes(whole)
    house.sink.start()
    house.gateway.start()
    wait_until(lambda: arrived(house, "kept"), "what was accepted arrives")
    settled(house)
    assert not arrived(house, "refused0")


def damage_root(path, table):
    """Spoils the first page of a table, as a bad sector would."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,), (size,) = (db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone(),
                            db.execute("PRAGMA page_size").fetchone())
    db.close()
    with open(path, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


@pytest.mark.parametrize("table", ["message", "copy", "recipient", "body", "lane", "audit"])
def test_r7_a_damaged_page(house, table):
    """Whatever it belongs to: nothing is accepted that cannot be kept, and the backup gives all back."""
    start(house)
    house.sink.stop()
    gw.queue_id(send(house, RECIPIENTS[0], "kept"))
    house.gateway.ctl("queue", "backup")
    house.gateway.stop()
    house.gateway.settings["limits"] = {"busy": "1s", "seal": "2s"}
    house.gateway.write_conf()
    path = house.gateway.state_dir / "queue" / "queue.db"
    damage_root(path, table)
    house.gateway.launch()
    wait_until(house.gateway.listens, "the gateway answers")
    refused_for_now(house, "refused", codes=(451,))
    assert "restore it from a backup" in house.gateway.log
    house.gateway.stop()
    backup = house.gateway.state_dir / "queue" / "backup.db"
    for rest in ("queue.db-wal", "queue.db-shm"):
        (path.parent / rest).unlink(missing_ok=True)
    backup.rename(path)
    house.sink.start()
    house.gateway.start()
    wait_until(lambda: arrived(house, "kept"), "what was accepted arrives")
    settled(house)
    assert not arrived(house, "refused0")

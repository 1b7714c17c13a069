"""What a program of an older version left in its queue, killed at work, goes its way with this one (tests/data/queue-vN.sql)."""

import json
import re
import sqlite3
import time

import frozen_queue
from gateway import USER
from tools import free_port, remove_folder, short_folder, wait_until

import pytest

DAY = 86400000
ZONES = frozen_queue.zones("127.0.0.1")
VERSIONS = sorted(int(path.stem.removeprefix("queue-v")) for path in frozen_queue.DATA.glob("queue-v*.sql"))

# What is due the moment the program starts.
DUE = {"slow1@example.com", "slow2@example.com", "leased@example.com", "queued@example.com", "queued-beside@example.com",
       "later-released@example.com"}
# What was tried and has a time of its own; what waits for a destination that could not be reached.
LATER = {"later@example.com", "later-beside@example.com", '"a@later"@example.com', "later@seal.example.com",
         "later-bcc@seal.example.com", "later-bcc1@example.com", "later-dsn@example.com"}
DEAD = {"one@dead.example.com", "two@dead.example.com"}
SCANNED = "later-scanned@example.com"  # by a relay client; not in version 1
RETURNED = {"leased-return@hold.example.com", "queued-return@hold.example.com"}
REFUSED = "later-bcc2@example.com"  # by the next hop of today
KEY, HELD, DAMAGED = "key@hold.example.com", "later-held@example.com", "later-damaged@example.com"
TOLD = {"refused@example.com", "refused-again@example.com"}  # by a report in the old queue
DONE = {"done@example.com", "done-beside@example.com"}


class Old:
    """What stands in the frozen database."""

    def __init__(self, version):
        self.version = version
        # A relay client is no user in version 1, which did not know any.
        self.later = LATER | {REFUSED} | ({SCANNED} if version > 1 else set())
        self.delivered = DUE | LATER | DEAD | {KEY, HELD} | (self.later - {REFUSED})
        folder = short_folder()
        frozen_queue.thawed(version, folder / "queue.db")
        self.bytes = (folder / "queue.db").read_bytes()
        with sqlite3.connect(folder / "queue.db") as db:
            recipients = {row[0] for row in db.execute("SELECT address FROM recipient")}
            self.trail = db.execute("SELECT COUNT(*) FROM audit").fetchone()[0]
            self.sealed = dict(db.execute("SELECT r.address, b.bytes FROM recipient r JOIN copy c ON c.id = r.copy_id"
                                          " JOIN body b ON b.copy_id = c.id WHERE c.locked = 0"))
        db.close()
        remove_folder(folder)
        assert recipients == self.delivered | RETURNED | {REFUSED, DAMAGED, USER, "done-beside@example.com"}


def ask(gateway, question):
    with sqlite3.connect(f"file:{gateway.state_dir}/queue/queue.db?mode=ro", uri=True) as db:
        rows = db.execute(question).fetchall()
    db.close()
    return rows


def look(gateway):
    """The version of the database, and its tables, indexes and triggers."""
    schema = ask(gateway, "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
    return ask(gateway, "PRAGMA user_version")[0][0], schema


def replace(path, content):
    """The owner of the file stays."""
    with open(path, "r+b") as file:
        file.truncate()
        file.write(content)


def put(gateway, old):
    """The database of the old program in place of the new one's, which is empty; what a new one looks like."""
    gateway.start()
    new = look(gateway)
    gateway.stop()
    queue = gateway.state_dir / "queue"
    assert {path.name for path in queue.iterdir()} == {"queue.db"}
    replace(queue / "queue.db", old.bytes)
    replace(gateway.state_dir / "spool.key", frozen_queue.SPOOL_KEY)
    return new


def reports(sink):
    """{recipient: [action, …]} of all reports that arrived."""
    found = {}
    for notice in sink.find(lambda m: m.sender == ""):
        assert notice.recipients == [USER]
        for block in notice.data.decode().split("\r\n\r\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "Final-Recipient" in fields:
                found.setdefault(fields["Final-Recipient"].removeprefix("rfc822; "), []).append(fields["Action"])
    return found


def states(gateway, addresses):
    return {r["state"] for r in gateway.queue() if r["address"] in addresses}


def check_what_waits(gateway):
    """What later steps added to a recipient is what the program itself would have written."""
    now = time.time() * 1000
    rows = ask(gateway, "SELECT address, domain, sender, expires_ms, warn_ms, notify FROM recipient WHERE state = 'deferred'")
    assert len(rows) >= len(LATER)
    for address, domain, sender, expires_ms, warn_ms, notify in rows:
        assert domain == address.rpartition("@")[2]
        assert sender == {USER: "", SCANNED: "client:scanner"}.get(address, USER)
        assert now + 4 * DAY < expires_ms < now + 5 * DAY
        assert (warn_ms is None) == (address == USER or notify == "SUCCESS,FAILURE")
        assert warn_ms is None or now < warn_ms < now + DAY / 6
    # A lane's times are lower bounds; that of a destination that cannot be reached is set aside.
    assert ask(gateway, "SELECT address FROM recipient r WHERE state = 'deferred' AND domain <> 'dead.example.com' AND NOT EXISTS"
               " (SELECT 1 FROM lane l WHERE l.domain = r.domain AND l.sender = r.sender AND l.due_ms <= r.next_ms"
               "  AND l.expires_ms <= r.expires_ms)") == []


def check_content(sink, old):
    """Each once, and what each was sent."""
    assert sorted(r for m in sink.messages if m.sender for r in m.recipients) == sorted(old.delivered)
    for recipient in old.delivered:
        data = sink.find(recipient)[0].data
        if recipient == KEY:
            assert b"-----BEGIN PGP MESSAGE-----" in data and b"Frozen" not in data
        elif recipient in old.sealed:
            assert data == old.sealed[recipient]
        else:
            assert re.search(rb"\r\n\r\nFrozen for \S+\.\r\n$", data)


def check_reports(sink, old):
    failed = dict.fromkeys(RETURNED | TOLD | {REFUSED, DAMAGED}, ["failed"])
    assert reports(sink) == failed | {"later-dsn@example.com": ["relayed"]}
    relayed = sink.find(lambda m: m.sender == "" and b"Action: relayed" in m.data)[0].data
    assert b"Original-Recipient: rfc822;asked@example.com\r\n" in relayed
    assert (b"Original-Envelope-Id: frozen\r\n" in relayed) == (old.version > 1)


def check_trail(gateway, old):
    verified = gateway.json("audit", "verify")
    assert verified["intact"] and verified["lines"] > old.trail, verified
    final = {}
    for line in map(json.loads, gateway.ctl("audit", "export").stdout.splitlines()):
        if line["event"] in ("delivered", "bounced", "returned") and line["recipient"] != USER:
            final.setdefault(line["recipient"], []).append(line["event"])
    assert final == (dict.fromkeys(old.delivered | DONE, ["delivered"]) | dict.fromkeys(TOLD | {REFUSED}, ["bounced"]) |
                     dict.fromkeys(RETURNED | {DAMAGED}, ["returned"]))


def test_each_version_is_frozen(make_gateway, make_sink):
    """Who adds a step to the schema freezes a queue of the new version too (lib/frozen_queue.py)."""
    gateway = make_gateway(make_sink(tls=None).route)
    assert VERSIONS == list(range(1, look(gateway)[0] + 1))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_queue_of_version(version, make_gateway, make_sink, nsd, keyring):
    old = Old(version)
    port = free_port()
    sink = make_sink(port=port, tls=None, script=lambda verb, argument, _: "550 5.1.1 nobody of that name"
                     if verb == "RCPT" and REFUSED in argument else None)
    gateway = make_gateway("mx", rules=frozen_queue.RULES, listen=frozen_queue.LISTEN, start=False, settings={
        "delivery": {"mx-port": port, "resolvers": nsd.address}})
    new = put(gateway, old)
    gateway.start()
    assert look(gateway) == new, "an upgraded database is what a new one is"
    assert gateway.json("audit", "verify")["intact"]

    # What was leased, queued or on its way back is due at once; the rest is where it was.
    for recipient in DUE:
        sink.wait(recipient)
    wait_until(lambda: RETURNED <= set(reports(sink)), lambda: f"{reports(sink)}\n{gateway.tail()}")
    assert states(gateway, old.later) == {"deferred"} and states(gateway, DEAD) <= {"deferred", "queued"}
    check_what_waits(gateway)
    held = {r["address"]: r["id"] for r in gateway.queue("held") if r["state"] == "held"}
    assert set(held) - {USER} == {KEY, HELD, DAMAGED}

    gateway.ctl("queue", "retry", "all")
    gateway.ctl("queue", "release", held[HELD])
    gateway.ctl("held", "return", held[DAMAGED])
    if USER in held:  # a report whose sealing was demanded
        gateway.ctl("held", "release", held[USER])
    wait_until(lambda: {r["address"] for r in gateway.queue()} == {KEY}, lambda: f"{gateway.queue()}\n{gateway.tail()}")
    assert gateway.json("held", "release", held[KEY])["released"] == 0
    assert states(gateway, {KEY}) == {"held"}
    gateway.add_keys(keyring.openpgp(KEY))  # and what is held for it is tried again
    wait_until(lambda: not gateway.queue(), lambda: f"{gateway.queue()}\n{gateway.tail()}")

    check_content(sink, old)
    check_reports(sink, old)
    check_trail(gateway, old)
    # Another start changes nothing.
    gateway.stop()
    gateway.start()
    assert look(gateway) == new and gateway.json("audit", "verify")["intact"]

"""The queue as a whole: fairness, destinations that cannot be reached, policies of domains, backup and restore."""

import shutil
import socket
import sqlite3
import threading
import time

import pytest

import smtp
from gateway import USER, Gateway, mail, queue_id
from tools import AS_ROOT, free_port, wait_until

CLEAR = "rule default { protect = never }"
ZONES = {"example.org": "@ MX 10 a.mx.example.\n",
         "example": "a.mx A 127.0.0.1\nsilent.mx A 127.0.0.2\nfast MX 10 a.mx\nsilent MX 10 silent.mx\n"}


@pytest.fixture
def silent():
    """make(port): takes connections at 127.0.0.2 and says nothing."""
    made = []

    def make(port):
        made.append(socket.create_server(("127.0.0.2", port), backlog=100))
        return made[-1]

    yield make
    for server in made:
        server.close()


def send_bcc(gateway, recipients, name="list"):
    """A copy for each of the recipients, none of whom stands in the header."""
    return queue_id(gateway.submit(recipients, mail("undisclosed@example.net", subject=name)))


# ---- fairness ----


def test_a_silent_destination_holds_nobody_up(make_gateway, make_sink, nsd, silent, tag):
    port = free_port()
    silent(port)
    sink = make_sink(port=port, tls=None)
    gateway = make_gateway("mx", rules=CLEAR, settings={"delivery": {"mx-port": port, "resolvers": nsd.address}})
    # Several times the window, all of it due before the others come.
    for n in range(3):
        send_bcc(gateway, [f"{tag}-{n}-{m}@silent.example" for m in range(200)])
    wait_until(lambda: gateway.json("queue", "status")["recipients"].get("leased", 0) > 5, "delivery is busy with it")
    for n in range(5):
        queue_id(gateway.submit([f"{tag}{n}@fast.example"], mail(f"{tag}{n}@fast.example")))
        sink.wait(f"{tag}{n}@fast.example")
    assert gateway.json("queue", "status")["recipients"]["leased"] > 5


def test_a_large_list_lets_a_small_mail_pass(make_gateway, make_sink, tag):
    """Nothing of the list leaves before all of it is there, and over one connection what leaves has an order."""
    arrived, go = [], threading.Event()

    def script(verb, *_):
        if verb == "END":
            assert go.wait(300)

    sink = make_sink(tls=None, script=script, on_message=lambda _, message: arrived.extend(message.recipients))
    gateway = make_gateway(sink.route, rules=CLEAR, extra='account "*" { send-as = {"*"} }', settings={
        "delivery": {"per-destination": "1"}})
    gateway.ctl("user", "add", "lists@example.org", input="another password\n")

    def waits(queued, leased):
        def there():
            counts = gateway.json("queue", "status")["recipients"]
            return (counts.get("queued"), counts.get("leased")) == (queued, leased)
        wait_until(there, lambda: f"{queued} and {leased}: {gateway.json('queue', 'status')['recipients']}")

    for n in range(5):
        with gateway.connect() as client:
            client.ehlo()
            assert client.login("lists@example.org", "another password").code == 235
            client.command("MAIL FROM:<lists@example.org>")
            for m in range(200):
                client.command(f"RCPT TO:<{tag}-{n}-{m}@list.example>")
            client.command("DATA")
            client.send(smtp.dot_stuff(mail("all@list.example").replace(b"alice@", b"lists@")))
            queue_id(client.reply())
    # One sender has so much in hand of one destination, so there is room for others.
    waits(950, 50)
    small = f"{tag}@list.example"
    queue_id(gateway.submit([small], mail(small)))
    waits(950, 51)
    go.set()
    sink.wait(small)
    assert arrived.index(small) <= 50, f"{arrived.index(small)} of the list went first"


# ---- destinations that cannot be reached ----


def test_a_dead_destination_is_not_hammered(make_gateway, make_sink, tag):
    dead = {"now": True}
    sink = make_sink(tls=None, script=lambda verb, *_: False if verb == "CONNECT" and dead["now"] else None)
    gateway = make_gateway(sink.route, rules=CLEAR, settings={"queue": {"first-retry": "2s", "last-retry": "2s"}})
    first = f"{tag}-first@example.com"
    queue_id(gateway.submit([first], mail(first)))
    gateway.wait_state(first, "deferred")
    tried = sink.connections
    recipients = [f"{tag}-{n}@example{n}.com" for n in range(10)]
    for recipient in recipients:
        queue_id(gateway.submit([recipient], mail(recipient)))
    known = gateway.json("queue", "status")["unreachable"]
    assert [d["destination"] for d in known] == [sink.route] and known[0]["failures"] >= 1
    # Two more failures are two more connections, however many wait. The probe itself may meet a message's own retry.
    failures = known[0]["failures"]
    wait_until(lambda: gateway.json("queue", "status")["unreachable"][0]["failures"] >= failures + 2, "two more probes")
    assert sink.connections - tried <= 5
    assert {r["state"] for r in gateway.queue()} <= {"queued", "deferred", "leased"}
    assert [r for r in gateway.queue() if r["state"] == "queued" and r["next"] and r["reply"]], "waiting shows why"
    # Remembered by the next process.
    gateway.kill()
    gateway.start()
    assert gateway.json("queue", "status")["unreachable"][0]["failures"] >= failures + 2
    dead["now"] = False
    for recipient in [first, *recipients]:
        sink.wait(recipient)
    wait_until(lambda: not gateway.queue(), "an empty queue")
    assert gateway.json("queue", "status")["unreachable"] == []


def test_retry_asks_a_dead_destination_now(make_gateway, make_sink, tag):
    sink = make_sink(tls=None)
    sink.stop()
    gateway = make_gateway(sink.route, rules=CLEAR, settings={"queue": {"first-retry": "1h", "last-retry": "1h"}})
    gateway.submit([f"{tag}0@example.com"], mail(f"{tag}0@example.com"))
    gateway.wait_state(f"{tag}0@example.com", "deferred")
    ids = [queue_id(gateway.submit([f"{tag}{n}@example.com"], mail(f"{tag}{n}@example.com"))) for n in (1, 2)]
    sink.start()
    gateway.ctl("queue", "retry", ids[1])
    sink.wait(f"{tag}2@example.com")
    # It is back, so what had waited goes; what had failed by itself has its own time.
    sink.wait(f"{tag}1@example.com")
    gateway.ctl("queue", "retry", "all")
    sink.wait(f"{tag}0@example.com")


def test_who_waits_for_a_dead_destination_hears_of_the_delay(make_gateway, make_sink, nsd, tag):
    """Also who is never tried, because others are: once each, and without another connection."""
    port = free_port()
    down = {"now": True}
    sink = make_sink(port=port, tls=None)
    dead = make_sink(port=port, address="127.0.0.2", tls=None,
                     script=lambda verb, *_: False if verb == "CONNECT" and down["now"] else None)
    gateway = make_gateway("mx", rules=CLEAR, settings={
        "delivery": {"mx-port": port, "resolvers": nsd.address},
        "queue": {"first-retry": "1h", "last-retry": "1h", "delay-warning": "4s"}})
    recipients = [f"{tag}-{n}@silent.example" for n in range(8)]
    ids = [queue_id(gateway.submit([recipients[0]], mail(recipients[0])))]
    gateway.wait_state(recipients[0], "deferred")
    tried = dead.connections
    ids += [queue_id(gateway.submit([recipient], mail(recipient))) for recipient in recipients[1:]]
    wait_until(lambda: len(sink.messages) >= 8, lambda: gateway.tail())
    assert [r for r in gateway.queue() if r["state"] == "leased"] == []
    time.sleep(1)
    told = [notice.data.decode() for notice in sink.messages]
    assert len(told) == 8 and all(notice.sender == "" for notice in sink.messages)
    for recipient in recipients:
        assert sum(f"Final-Recipient: rfc822; {recipient}\r\nAction: delayed\r\n" in text for text in told) == 1
    assert all("Status: 4.4.0\r\n" in text and "Will-Retry-Until: " in text for text in told)
    assert dead.connections == tried
    assert sorted(r["attempts"] for r in gateway.queue()) == [0] * 7 + [1]
    # They are where they were.
    down["now"] = False
    gateway.ctl("queue", "retry", ids[5])
    for recipient in recipients:
        dead.wait(recipient)
    wait_until(lambda: not gateway.queue(), "an empty queue")
    assert len(sink.messages) == 8


def test_a_domain_has_a_life_of_its_own(make_gateway, make_sink, tag):
    later = f"{tag}@long.example"
    sink = make_sink(tls=None, script=lambda verb, argument, _: "450 4.2.0 later" if verb == "RCPT" and tag in argument else None)
    gateway = make_gateway(sink.route, rules=CLEAR, extra='retry-policy ".short.example" { lifetime = 1s }')
    queue_id(gateway.submit([later], mail(later)))
    short = f"{tag}@a.short.example"
    queue_id(gateway.submit([short], mail(short)))
    report = sink.wait(lambda m: m.sender == "")
    assert short.encode() in report.data and later.encode() not in report.data
    assert gateway.state(later)


# ---- backup ----


def restore(pki, old, backup, route):
    """A gateway with a new state directory that has what a backup has."""
    gateway = Gateway(pki, route, rules=old.rules)
    state = gateway.state_dir
    shutil.copytree(old.state_dir, state, ignore=lambda _, names: [n for n in names if n != "spool.key"], dirs_exist_ok=True)
    (state / "queue").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(backup, state / "queue" / "queue.db")
    for path in (state, state / "queue", state / "queue" / "queue.db", state / "spool.key"):
        original = old.state_dir / path.relative_to(state)
        path.chmod(original.stat().st_mode & 0o777)
        if AS_ROOT:
            shutil.chown(path, original.stat().st_uid, original.stat().st_gid)
    return gateway


def test_backup_while_mail_flows_and_restore(make_gateway, make_sink, pki, tag):
    rules = ('rule "hold" { when { recipient = {"@hold.example"} } protect = require on-missing-key = hold }\n' + CLEAR)
    down = make_sink(tls=None)
    down.stop()
    gateway = make_gateway(down.route, rules=rules)
    held = f"{tag}@hold.example"
    queue_id(gateway.submit([held], mail(held)))
    before = [f"{tag}-before{n}@example.com" for n in range(20)]
    for recipient in before:
        queue_id(gateway.submit([recipient], mail(recipient, body="x" * 20000 + "\r\n")))
    answers = []
    during = [f"{tag}-during{n}@example.com" for n in range(20)]
    for n, recipient in enumerate(during):
        if n == 5:
            answers.append(gateway.json("queue", "backup"))
        queue_id(gateway.submit([recipient], mail(recipient)))
    backup = gateway.state_dir / "queue" / "backup.db"
    assert answers[0]["file"] == str(backup) and backup.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(f"file:{backup}?mode=ro", uri=True) as db:
        kept = {row[0] for row in db.execute("SELECT address FROM recipient")}
    db.close()
    assert set(before) | set(during[:5]) | {held} <= kept
    gateway.kill()
    sink = make_sink(tls=None)
    restored = restore(pki, gateway, backup, sink.route)
    try:
        restored.start()
        for recipient in kept - {held}:
            sink.wait(recipient)
        wait_until(lambda: [r["address"] for r in restored.queue()] == [held], "only what is held is left")
        assert restored.state(held)["state"] == "held"
        assert restored.json("audit", "verify")["intact"]
        assert len(sink.messages) == len(kept) - 1
        # The spool key fits: what goes clear by rule was readable again.
        assert all(b"Subject: A test" in m.data for m in sink.messages)
    finally:
        restored.close()


def test_mail_is_taken_and_delivered_while_a_backup_is_made(make_gateway, make_sink, tag):
    """Not before and behind it: between its start and its end. What it has is one state between the two."""
    sink = make_sink(script=lambda verb, argument, _: "451 4.2.0 later" if verb == "RCPT" and "large" in argument else None)
    gateway = make_gateway(sink.route, rules=CLEAR, settings={"queue": {"first-retry": "1h", "last-retry": "4h"}})
    for n in range(10):
        queue_id(gateway.submit([f"{tag}large{n}@example.com"], mail(f"{tag}large{n}@example.com", body=("x" * 78 + "\r\n") * 90000)))
    wait_until(lambda: all(r["state"] == "deferred" for r in gateway.queue()), gateway.tail)
    times = {}
    backup = threading.Thread(target=lambda: times.update(start=time.monotonic(), answer=gateway.json("queue", "backup"),
                                                          end=time.monotonic()))
    taken = []
    with gateway.connect() as client:
        client.ready(gateway)
        backup.start()
        while backup.is_alive():
            recipient = f"{tag}during{len(taken)}@example.com"
            assert client.submit(USER, [recipient], mail(recipient)).code == 250
            taken.append((time.monotonic(), recipient))
    inside = [recipient for at, recipient in taken if times["start"] < at < times["end"]]
    assert len(inside) >= 3, "so long a backup stands in nobody's way"
    for _, recipient in taken:
        sink.wait(recipient)
    assert {p.name for p in (gateway.state_dir / "queue").iterdir()} <= {"queue.db", "queue.db-wal", "queue.db-shm", "backup.db"}
    with sqlite3.connect(f"file:{times['answer']['file']}?mode=ro", uri=True) as db:
        kept = {row[0] for row in db.execute("SELECT address FROM recipient")}
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert {f"{tag}large{n}@example.com" for n in range(10)} <= kept <= {r for _, r in taken} | {
        f"{tag}large{n}@example.com" for n in range(10)}


def test_backup_that_cannot_be_written_leaves_the_old_one(make_gateway, make_sink, tag):
    gateway = make_gateway(make_sink(tls=None).route, rules=CLEAR)
    gateway.json("queue", "backup")
    backup = gateway.state_dir / "queue" / "backup.db"
    first = backup.read_bytes()
    # A folder in its place: the new file cannot be made.
    (gateway.state_dir / "queue" / "backup.db.new").mkdir()
    failed = gateway.ctl("queue", "backup", check=False)
    assert failed.returncode == 75 and b"backup" in failed.stderr
    assert backup.read_bytes() == first
    queue_id(gateway.submit([f"{tag}@example.com"], mail(f"{tag}@example.com")))

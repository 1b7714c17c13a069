"""From the queue to the next hop: retry, bounce, reuse, and the audit trail of it all."""

import json
import sqlite3
import threading

import readers
from gateway import USER, mail, queue_id
from tools import wait_until

import pytest


@pytest.mark.parametrize("where", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END"])
def test_a_4xx_is_tried_again_until_it_works(make_gateway, make_sink, people, tag, where):
    refused = []

    def later(verb, _argument, _session):
        if verb == where and len(refused) < 2:
            refused.append(verb)
            return "450 4.2.0 come back later" if verb not in ("CONNECT", "EHLO") else "421 4.3.2 come back later"
        return None

    sink = make_sink(script=later)
    gateway = make_gateway(sink.route, people.bob)
    message_id = queue_id(gateway.submit([people.bob.tagged(tag)], mail(people.bob.tagged(tag))))
    sink.wait(people.bob.tagged(tag))
    gateway.wait_state(people.bob.tagged(tag), None)
    assert len(sink.messages) == 1
    events = [line["event"] for line in gateway.audit(message_id)]
    assert events == ["accepted", "sealed", "deferred", "deferred", "delivered"]
    assert "come back later" in gateway.audit(message_id)[2]["reply"]


@pytest.mark.parametrize("where", ["MAIL", "RCPT", "DATA", "END"])
def test_a_5xx_is_returned_to_the_sender_without_the_body(make_gateway, make_sink, people, tag, where):
    def never(verb, argument, session):
        sender = argument.sender if verb == "END" else session.sender
        own = f"<{USER}>" in argument if verb == "MAIL" else sender == USER
        return "550 5.7.1 we do not want this" if verb == where and own else None

    sink = make_sink(script=never)
    gateway = make_gateway(sink.route, people.bob)
    address = people.bob.tagged(tag)
    message_id = queue_id(gateway.submit([address], mail(address, f"{tag}-body\r\n", subject=f"{tag}-subject")))
    dsn = sink.wait(lambda m: m.sender == "")
    assert dsn.recipients == [USER]
    kind = readers.header(dsn.data, "Content-Type")[0]
    assert kind.startswith("multipart/report;") and "report-type=delivery-status" in kind
    assert f"Final-Recipient: rfc822; {address}".lower() in dsn.data.decode().lower()
    assert b"Action: failed" in dsn.data and b"Status: 5." in dsn.data and b"we do not want this" in dsn.data
    assert b"BEGIN PGP MESSAGE" not in dsn.data and f"{tag}-body".encode() not in dsn.data
    gateway.wait_state(address, None)
    assert [line["event"] for line in gateway.audit(message_id)][-1] == "bounced"


def test_a29_a_next_hop_that_sends_all_back_is_a_loop_that_ends(make_gateway, make_sink, tag):
    """It gives each message to the gateway again, with a login: each pass adds a Received field, up to a hundred."""
    replies = []

    def send_back(_, message):
        # Not in the session of the sink, which is still to say 250.
        threading.Thread(target=lambda: replies.append(gateway.submit(message.recipients, message.data))).start()

    sink = make_sink(on_message=send_back)
    gateway = make_gateway(sink.route, rules="rule default { protect = never }")
    address = f"{tag}@example.com"
    passed = "".join(f"Received: from a{n} by b{n}; Thu, 01 Jan 2026 12:00:00 +0000\r\n" for n in range(97))
    assert gateway.submit([address], passed.encode() + mail(address)).code == 250
    wait_until(lambda: [r.code for r in replies].count(554), lambda: f"{replies}\n{gateway.tail()}")
    assert sorted(r.code for r in replies) == [250, 250, 554] and "5.4.6" in str([r for r in replies if r.code == 554][0])
    wait_until(lambda: not gateway.queue(), gateway.tail)
    assert len(sink.messages) == 3


def answer_to(recipient, reply):
    """A script for the sink: this reply to RCPT of that recipient."""
    return lambda verb, argument, _session: reply if verb == "RCPT" and recipient in argument else None


def test_a_dsn_that_is_refused_makes_no_further_one(make_gateway, make_sink, people, tag):
    sink = make_sink(script=answer_to("", "550 5.7.1 no"))
    gateway = make_gateway(sink.route, people.bob)
    gateway.submit([people.bob.tagged(tag)], mail(people.bob.tagged(tag)))
    wait_until(lambda: len([c for c in sink.commands if c[1] == "RCPT"]) == 2, "message and DSN were tried")
    wait_until(lambda: gateway.queue() == [], lambda: f"the queue is empty: {gateway.queue()}")
    assert len([c for c in sink.commands if c[1] == "RCPT"]) == 2


def test_one_recipient_refused_the_other_delivered(make_gateway, make_sink, people, tag):
    bob, carol = people.bob.tagged(tag), people.carol.tagged(tag)
    sink = make_sink(script=answer_to(carol, "550 5.1.1 unknown"))
    gateway = make_gateway(sink.route, people.bob, people.carol)
    gateway.submit([bob, carol], mail([bob, carol]))
    assert sink.wait(bob).recipients == [bob]
    dsn = sink.wait(lambda m: m.sender == "")
    assert carol.encode() in dsn.data
    wait_until(lambda: gateway.queue() == [], "the queue is empty")
    assert len(sink.messages) == 2


def test_connections_are_used_again(make_gateway, make_sink, people, tag):
    sink = make_sink()
    # A slow machine may take long from one message to the next; that is no reason to close.
    gateway = make_gateway(sink.route, people.bob, settings={"delivery": {"per-destination": 1, "idle-timeout": "5min"}})
    for n in range(5):
        gateway.submit([people.bob.tagged(f"{tag}{n}")], mail(people.bob.tagged(f"{tag}{n}")))
    for n in range(5):
        sink.wait(people.bob.tagged(f"{tag}{n}"))
    assert sink.connections == 1


def test_next_hop_down_then_up(make_gateway, make_sink, people, tag):
    sink = make_sink()
    sink.stop()
    gateway = make_gateway(sink.route, people.bob)
    gateway.submit([people.bob.tagged(tag)], mail(people.bob.tagged(tag)))
    assert gateway.wait_state(people.bob.tagged(tag), "deferred")["attempts"] >= 1
    sink.start()
    sink.wait(people.bob.tagged(tag))
    gateway.wait_state(people.bob.tagged(tag), None)


def test_what_was_accepted_survives_the_gateway(make_gateway, make_sink, people, tag):
    sink = make_sink()
    sink.stop()
    gateway = make_gateway(sink.route, people.bob)
    gateway.submit([people.bob.tagged(tag)], mail(people.bob.tagged(tag)))
    gateway.kill()
    sink.start()
    gateway.start()
    sink.wait(people.bob.tagged(tag))


def test_expired_message_is_returned(make_gateway, make_sink, people, tag):
    sink = make_sink(script=answer_to(people.bob.tagged(tag), "450 4.2.0 later"))
    gateway = make_gateway(sink.route, people.bob, settings={"queue": {"lifetime": "1s"}})
    gateway.submit([people.bob.tagged(tag)], mail(people.bob.tagged(tag)))
    dsn = sink.wait(lambda m: m.sender == "")
    assert people.bob.tagged(tag).encode() in dsn.data
    assert gateway.wait_state(people.bob.tagged(tag), None)


@pytest.mark.parametrize("notify, told", [("", True), (" NOTIFY=FAILURE,DELAY", True), (" NOTIFY=FAILURE", False)])
def test_the_sender_is_told_once_of_a_delay(make_gateway, make_sink, people, tag, notify, told):
    tries = []

    def script(verb, argument, _session):
        if verb != "RCPT" or USER in argument:
            return None
        tries.append(argument)
        return "450 4.2.1 come back later" if len(tries) < 5 else None

    sink = make_sink(script=script)
    settings = {"queue": {"delay-warning": "500ms", "last-retry": "400ms"}}
    gateway = make_gateway(sink.route, people.bob, settings=settings)
    address = people.bob.tagged(tag)
    assert gateway.submit([address], mail(address, f"{tag}-body\r\n"), rcpt_params=notify).code == 250
    sink.wait(address)
    wait_until(lambda: gateway.queue() == [], lambda: gateway.tail())
    warnings = sink.find(lambda m: m.sender == "")
    assert len(warnings) == told
    for warning in warnings:
        assert f"Final-Recipient: rfc822; {address}\r\nAction: delayed\r\nStatus: 4.2.1\r\n".encode() in warning.data
        assert b"come back later" in warning.data and b"Will-Retry-Until: " in warning.data
        assert b"BEGIN PGP MESSAGE" not in warning.data


# ---- audit ----


@pytest.fixture
def audited(make_gateway, make_sink, people, tag):
    """A gateway with some lines in its trail."""
    sink = make_sink()
    gateway = make_gateway(sink.route, people.bob)
    for n in range(3):
        address = people.bob.tagged(f"{tag}{n}")
        gateway.submit([address], mail(address, subject="not-in-the-trail"))
        sink.wait(address)
    wait_until(lambda: gateway.queue() == [], "the queue is empty")
    return gateway


def test_audit_lines_tell_the_way_of_a_message(audited, people):
    exported = audited.ctl("audit", "export").stdout.decode()
    lines = [json.loads(line) for line in exported.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, 10))
    assert [line["event"] for line in lines[:3]] == ["accepted", "sealed", "delivered"]
    accepted, sealed, delivered = lines[:3]
    assert accepted["user"] == accepted["from"] == USER and accepted["in_tls_version"] == "TLSv1.3"
    assert sealed["fingerprint"] == people.bob.fingerprint
    assert sealed["source"] == "local" and sealed["format"] == "openpgp"
    assert delivered["out_tls_version"] == "TLSv1.3" and delivered["reply"].startswith("250")
    assert "not-in-the-trail" not in exported
    assert audited.json("audit", "verify")["intact"] is True


@pytest.mark.parametrize("change", [
    "UPDATE audit SET recipient = 'mallory@example.net' WHERE seq = 4",
    "UPDATE audit SET time_ms = time_ms + 1 WHERE seq = 4",
    "DELETE FROM audit WHERE seq = 4",
    "DELETE FROM audit WHERE seq = 9",
    "UPDATE audit SET seq = 1000 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5;"
    "UPDATE audit SET seq = 5 WHERE seq = 1000",
], ids=["changed", "moved in time", "removed", "cut off", "reordered"])
def test_a_tampered_trail_is_found(audited, change):
    audited.stop()
    with sqlite3.connect(audited.state_dir / "queue/queue.db") as database:
        database.executescript(change)
    database.close()
    audited.start()
    verified = audited.ctl("audit", "verify", "--json", check=False)
    assert verified.returncode == 65
    assert json.loads(verified.stdout)["intact"] is False

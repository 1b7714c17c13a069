"""The gateway's own notices (DSNs) go sealed to a sender whose certificate is known, and are never lost or sent twice."""

import email
import os
import signal

import readers
from gateway import USER, mail, queue_id
from tools import wait_until

import pytest

CLEAR = "rule default { protect = never }"
ANYBODY = f'account "{USER}" {{ send-as = {{"*"}} }}'
SOON = {"recheck": "300ms", "first-retry": "200ms", "last-retry": "400ms"}
SUBJECTS = {"failed": "Your message could not be delivered", "delayed": "Your message is delayed",
            "relayed": "Your message was passed on"}


def notices(sink):
    return sink.find(lambda m: m.sender == "")


def report(content):
    """The fields of the one recipient in a report, after a look at its structure."""
    message = email.message_from_bytes(content)
    assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "delivery-status"
    text, status, header = message.get_payload()
    assert [part.get_content_type() for part in (text, status, header)] == [
        "text/plain", "message/delivery-status", "text/rfc822-headers"]
    about_message, about_recipient = status.get_payload()
    assert about_message["Reporting-MTA"] == "dns; gateway.example.org"
    return message["Subject"], about_recipient


def script_for(refused):
    """What a next hop says to recipients whose local part begins with one of the words: {"bad": "550 no"}; of a list one at a
    time, and nothing at its end."""
    def script(verb, argument, _session):
        for word, reply in refused.items():
            if verb == "RCPT" and f"<{word}." in argument:
                return reply if isinstance(reply, str) else reply.pop(0) if reply else None
        return None
    return script


def send(gateway, word, tag, sender, params=""):
    address = f"{word}.{tag}@far.example"
    reply = gateway.submit([address], mail(address, f"{tag}-body\r\n", f"{tag}-subject", TLS_Required="No"),
                           sender=sender, rcpt_params=params)
    return queue_id(reply)


def reason(gateway, address):
    """Why the notice is not sealed, or not yet; None: there is none."""
    return (gateway.state(address) or {}).get("reason")


def assert_sealed(notice, person, sender):
    """What stands outside; the report inside."""
    outside = notice.data.partition(b"\r\n\r\n")[0]
    assert notice.recipients == [sender] and notice.mail_line.startswith("FROM:<>")
    assert readers.is_sealed(notice.data)
    assert readers.header(notice.data, "Auto-Submitted") == ["auto-replied"]
    assert readers.header(notice.data, "TLS-Required") == ["No"], "the way back is as the way out"
    assert b"far.example" not in notice.data and b"Received:" not in outside
    content = readers.read(person, notice.data)
    assert b'hp="cipher"' in content.partition(b"\r\n\r\n")[0]
    subject, fields = report(content)
    assert subject == SUBJECTS[fields["Action"]]
    # As the default rule protects headers: Outlook shows no subject from inside of S/MIME.
    assert readers.header(notice.data, "Subject") == ["[...]" if person.format == "openpgp" else subject]
    assert b"-body" not in content
    return fields


@pytest.mark.parametrize("kind", ["openpgp", "smime"])
def test_bounce_delay_and_success_arrive_sealed(make_gateway, make_sink, people, tag, kind):
    person = {"openpgp": people.bob, "smime": people.dan}[kind]
    sender = person.tagged(tag)
    later = ["450 4.2.1 come back later"] * 4
    sink = make_sink(script=script_for({"bad": "550 5.1.1 nobody there", "slow": later}))
    gateway = make_gateway(sink.route, person, rules=CLEAR, extra=ANYBODY,
                           settings={"queue": {**SOON, "delay-warning": "500ms"}})
    sent = {"failed": send(gateway, "bad", tag, sender), "delayed": send(gateway, "slow", tag, sender),
            "relayed": send(gateway, "good", tag, sender, params=" NOTIFY=SUCCESS")}
    wait_until(lambda: len(notices(sink)) == 3, lambda: gateway.tail())
    got = {fields["Action"]: fields for fields in (assert_sealed(n, person, sender) for n in notices(sink))}
    assert set(got) == set(sent)
    wanted = {"failed": ("bad", "5.1.1"), "delayed": ("slow", "4.2.1"), "relayed": ("good", "2.0.0")}
    for action, (word, status) in wanted.items():
        assert got[action]["Final-Recipient"] == f"rfc822; {word}.{tag}@far.example"
        assert got[action]["Status"] == status
    assert "Will-Retry-Until" in got["delayed"] and "nobody there" in got["failed"]["Diagnostic-Code"]
    wait_until(lambda: gateway.queue() == [], "the queue is empty")
    assert len(notices(sink)) == 3
    # Audited as every copy.
    lines = [line for line in gateway.json("audit", "list")["lines"] if line["recipient"] == sender]
    assert [line["event"] for line in lines].count("sealed") == 3
    for line in lines:
        if line["event"] == "sealed":
            assert line["fingerprint"].upper() == person.fingerprint.upper() and line["rule"] == "notice-protect"
    assert "released" in gateway.log


@pytest.mark.parametrize("known, protect, why", [(False, "prefer", "none found"), (True, "never", None)])
def test_where_it_is_not_sealed_it_goes_as_it_is(make_gateway, make_sink, people, tag, known, protect, why):
    sink = make_sink(script=script_for({"bad": "550 5.1.1 nobody there"}))
    sender = people.bob.tagged(tag)
    gateway = make_gateway(sink.route, *([people.bob] if known else []), rules=CLEAR, extra=ANYBODY,
                           settings={"queue": {"notice-protect": protect}})
    send(gateway, "bad", tag, sender)
    notice = sink.wait(lambda m: m.sender == "")
    subject, fields = report(notice.data)
    assert subject == SUBJECTS["failed"] and fields["Final-Recipient"] == f"rfc822; bad.{tag}@far.example"
    assert f"{tag}-body".encode() not in notice.data and readers.header(notice.data, "Auto-Submitted") == ["auto-replied"]
    wait_until(lambda: gateway.queue() == [], "the queue is empty")
    lines = {line["event"]: line for line in gateway.json("audit", "list")["lines"] if line["recipient"] == sender}
    assert "sealed" not in lines and lines["delivered"]["format"] == "clear"
    assert ("released" in lines) == (why is not None) and (not why or lines["released"]["reason"] == why)


def test_require_waits_for_a_certificate(make_gateway, make_sink, people, tag):
    sink = make_sink(script=script_for({"bad": "550 5.1.1 nobody there"}))
    sender = people.bob.tagged(tag)
    gateway = make_gateway(sink.route, rules=CLEAR, extra=ANYBODY,
                           settings={"queue": {"notice-protect": "require", "hold": "200ms"}})
    send(gateway, "bad", tag, sender)
    wait_until(lambda: reason(gateway, sender) == "none found", "it was offered to seal")
    held, = gateway.queue("held")
    assert held["state"] == "held" and held["hold"] == "notice" and held["address"] == sender
    # There is nobody to return it to.
    refused = gateway.ctl("held", "return", held["id"], check=False)
    assert refused.returncode != 0 and b"queue remove" in refused.stderr
    gateway.add_keys(people.bob)
    assert_sealed(sink.wait(lambda m: m.sender == ""), people.bob, sender)


def bounce_with_keys_stopped(gateway, sink, tag, sender):
    """The notice is on its way through seal, which waits for the keys role; whom to continue."""
    refused = {"bad": "450 4.2.1 come back later"}
    sink.script = script_for(refused)
    send(gateway, "bad", tag, sender)
    gateway.wait_state(f"bad.{tag}@far.example", "deferred")
    keys, = gateway.pids("keys")
    os.kill(keys, signal.SIGSTOP)
    refused["bad"] = "550 5.1.1 nobody there"
    wait_until(lambda: gateway.state(sender), "the notice is in the queue")
    return keys


def test_a33_a_lookup_that_fails_is_tried_again(make_gateway, make_sink, people, tag):
    sink = make_sink()
    sender = people.bob.tagged(tag)
    gateway = make_gateway(sink.route, people.bob, rules=CLEAR, extra=ANYBODY,
                           settings={"queue": SOON, "keys": {"lookup-budget": "300ms"}})
    keys = bounce_with_keys_stopped(gateway, sink, tag, sender)
    wait_until(lambda: reason(gateway, sender) == "lookup failed", "it was tried")
    assert gateway.state(sender)["hold"] == "notice" and not notices(sink)
    os.kill(keys, signal.SIGCONT)
    assert_sealed(sink.wait(lambda m: m.sender == ""), people.bob, sender)
    wait_until(lambda: gateway.queue() == [], "the queue is empty")
    assert len(notices(sink)) == 1


@pytest.mark.parametrize("victim", ["seal", "queue", "all"])
def test_r1_killed_in_between_exactly_one_arrives(make_gateway, make_sink, people, tag, victim):
    sink = make_sink()
    sender = people.bob.tagged(tag)
    gateway = make_gateway(sink.route, people.bob, rules=CLEAR, extra=ANYBODY,
                           settings={"queue": SOON, "keys": {"lookup-budget": "30s"}})
    keys = bounce_with_keys_stopped(gateway, sink, tag, sender)
    if victim == "all":
        gateway.kill()
        gateway.start()
    else:
        for pid in gateway.pids(victim):
            os.kill(pid, signal.SIGKILL)
        if victim == "seal":
            gateway.wait_log("it could not be tried")
        os.kill(keys, signal.SIGCONT)
    assert_sealed(sink.wait(lambda m: m.sender == ""), people.bob, sender)
    wait_until(lambda: gateway.ctl("queue", "list", check=False).returncode == 0 and gateway.queue() == [], "the queue is empty")
    assert len(notices(sink)) == 1 and gateway.json("audit", "verify")["ok"]


def test_a29_a_sealed_notice_that_is_refused_makes_no_further_one(make_gateway, make_sink, people, tag):
    sink = make_sink(script=lambda verb, _argument, _session: "550 5.7.1 no" if verb == "RCPT" else None)
    gateway = make_gateway(sink.route, people.bob, rules=CLEAR, extra=ANYBODY)
    send(gateway, "bad", tag, people.bob.tagged(tag))
    wait_until(lambda: len(sink.said("RCPT")) == 2 and gateway.queue() == [], "message and notice were tried, and are gone")
    assert [line["format"] for line in gateway.json("audit", "list")["lines"] if line["event"] == "bounced"] == ["clear", "openpgp"]

"""What rules decide per recipient, as a client and a recipient see it; the replies of the interface word for word."""

import re

import protection
import readers
from gateway import USER, mail, queue_id
from tools import wait_until

import pytest


def test_require_and_sealed(gateway, people, sink, tag):
    reply = gateway.submit([people.bob.tagged(tag)], mail(people.bob.tagged(tag)))
    assert re.fullmatch(r"250 2\.0\.0 [0-9a-v]{20} queued, sealed for 1 of 1 recipients", str(reply))
    assert readers.is_sealed(sink.wait(people.bob.tagged(tag)).data)


@pytest.mark.parametrize("address, reason", [
    ("nobody@example.com", "none found"), ("expired@example.com", "expired on 2020-06-01"),
    ("revoked@example.com", "revoked")])
def test_require_and_refuse_says_why_at_rcpt(gateway, sink, address, reason):
    with gateway.connect() as client:
        client.ready(gateway)
        client.command(f"MAIL FROM:<{USER}>")
        reply = client.command(f"RCPT TO:<{address}>")
        assert reply.code == 550
        assert reply.text == f"5.7.1 no usable OpenPGP or S/MIME certificate for <{address}>: {reason}"
        # The others still get theirs.
        assert client.command("RCPT TO:<bob@example.com>").code == 250
    assert not sink.find(address)


def test_refused_recipient_is_audited(gateway, tag):
    gateway.submit([f"{tag}@example.com"], b"")
    lines = [line for line in gateway.json("audit", "list")["lines"] if line.get("recipient") == f"{tag}@example.com"]
    assert [line["event"] for line in lines] == ["refused"]


@pytest.mark.parametrize("kind", ["openpgp", "smime"])
def test_require_and_hold_until_the_key_is_there(gateway, keyring, sink, tag, kind):
    address = f"{tag}@hold.example"
    message = mail(address, "wait for me\r\n")
    reply = gateway.submit([address], message)
    message_id = queue_id(reply)
    assert str(reply) == f"250 2.0.0 {message_id} queued, sealed for 0 of 1 recipients, held for a key: 1"
    assert gateway.state(address)["state"] == "held" and gateway.state(address)["hold"] == "key"
    assert not sink.find(address)

    person = getattr(keyring, kind)(address)
    gateway.add_keys(person)
    arrived = sink.wait(address).data
    assert readers.is_sealed(arrived)
    protection.assert_is(readers.read(person, arrived), message)
    gateway.wait_state(address, None)
    events = [line["event"] for line in gateway.audit(message_id)]
    assert events == ["accepted", "held", "released", "sealed", "delivered"]


def test_held_message_is_returned_on_demand(gateway, sink, tag):
    address = f"{tag}@hold.example"
    message_id = queue_id(gateway.submit([address], mail(address, f"{tag}-body\r\n")))
    assert gateway.json("held", "show", message_id)["message"]["recipients"][0]["address"] == address
    gateway.ctl("held", "return", message_id)
    dsn = sink.wait(lambda m: m.sender == "" and address.encode() in m.data)
    assert dsn.recipients == [USER] and f"{tag}-body".encode() not in dsn.data


def test_require_and_bounce(gateway, sink, tag):
    address = f"{tag}@bounce.example"
    reply = gateway.submit([address], mail(address, f"{tag}-body\r\n", subject=f"{tag}-subject"))
    assert reply.code == 250
    dsn = sink.wait(lambda m: m.sender == "" and address.encode() in m.data)
    assert dsn.recipients == [USER]
    assert readers.header(dsn.data, "Content-Type")[0].startswith("multipart/report;")
    assert b"none found" in dsn.data and f"{tag}-body".encode() not in dsn.data
    # A32: it was not to go clear, and the DSN does.
    assert f"{tag}-subject".encode() not in dsn.data and b"Subject: [...]" in dsn.data
    assert not sink.find(address)


@pytest.mark.parametrize("domain", ["hold.example", "bounce.example"])
def test_null_reverse_path_is_refused_where_nobody_could_be_told(gateway, sink, tag, domain):
    address = f"{tag}@{domain}"
    reply = gateway.submit([address], mail(address), sender="")
    assert reply.code == 550 and "none found" in reply.text
    assert not sink.find(address) and not gateway.state(address)


def test_prefer_seals_when_it_can_and_goes_clear_when_there_is_no_key(gateway, people, sink, tag):
    known, unknown = people.frank.tagged(tag).replace("never", "prefer"), f"{tag}@prefer.example"
    reply = gateway.submit([known, unknown], mail([known, unknown], f"{tag}-body\r\n"))
    assert str(reply).endswith("queued, sealed for 1 of 2 recipients")
    assert readers.is_sealed(sink.wait(known).data)
    clear = sink.wait(unknown)
    assert f"{tag}-body".encode() in clear.data and clear.recipients == [unknown]
    assert len(readers.header(clear.data, "Received")) == 1


def test_never_goes_clear_even_with_a_key(gateway, people, sink, tag):
    address = people.frank.tagged(tag)
    message = mail(address, f"{tag}\r\n.dot\r\n")
    assert str(gateway.submit([address], message)).endswith("sealed for 0 of 1 recipients")
    arrived = sink.wait(address).data
    end_of_first_field = re.search(rb"\r\n(?![ \t])", arrived).end()
    assert arrived.startswith(b"Received:") and arrived[end_of_first_field:] == message


@pytest.mark.parametrize("subject, sealed", [
    ("[Confidential] plans", True), ("=?utf-8?q?=5Bconfi?= =?utf-8?q?dential=5D_plans?=", True), ("plans", False)])
def test_subject_rule_is_decided_after_data(gateway, people, sink, tag, subject, sealed):
    address = people.frank.tagged(tag).replace("never", "subject")
    reply = gateway.submit([address], mail(address, subject=subject))
    assert str(reply).endswith(f"sealed for {int(sealed)} of 1 recipients")
    assert readers.is_sealed(sink.wait(address).data) == sealed


def test_subject_rule_refuses_after_data(gateway, sink, tag):
    address = f"{tag}@subject.example"
    reply = gateway.submit([address], mail(address, subject="[confidential]"))
    assert reply.code == 550 and reply.text.startswith("5.7.1 ")
    assert "none found" in reply.text and address in reply.text
    assert not sink.find(address)
    # The audit line goes to queue beside the reply.
    wait_until(lambda: [(line["event"], line["rule"]) for line in gateway.json("audit", "list")["lines"]
                        if line.get("recipient") == address] == [("refused", "subject")], "the refusal is audited")


def test_mixed_recipients_each_get_what_their_rule_says(gateway, people, sink, tag):
    sealed = [p.tagged(tag) for p in (people.bob, people.carol, people.dan)]
    held, bounced, clear = f"{tag}@hold.example", f"{tag}@bounce.example", people.frank.tagged(tag)
    everyone = sealed + [held, bounced, clear]
    message = mail(everyone, f"{tag}-body\r\n")
    reply = gateway.submit(everyone, message)
    assert str(reply).endswith("queued, sealed for 3 of 6 recipients, held for a key: 1")
    for person in (people.bob, people.carol, people.dan):
        protection.assert_is(readers.read(person, sink.wait(person.tagged(tag)).data), message)
    assert sink.wait(clear).data.endswith(message)
    sink.wait(lambda m: m.sender == "" and bounced.encode() in m.data)
    assert gateway.wait_state(held, "held") and not sink.find(held)


def test_case_of_the_address_does_not_matter(gateway, people, sink):
    """The key says foo@, the mail Foo@: a gateway that compares bytes sends it clear."""
    assert str(gateway.submit(["BOB@Example.COM"], mail("BOB@Example.COM"))).endswith("sealed for 1 of 1 recipients")
    assert readers.is_sealed(sink.wait("BOB@Example.COM").data)


def test_explain_says_what_submission_does(gateway):
    for address, action in (("bob@example.com", "seal"), ("nobody@example.com", "refuse"),
                            ("x@hold.example", "hold"), ("x@bounce.example", "bounce"),
                            ("x@prefer.example", "clear"), ("frank@never.example", "clear")):
        answer = gateway.json("explain", "--from", USER, "--to", address)["recipients"][0]
        assert answer["action"] == action, answer

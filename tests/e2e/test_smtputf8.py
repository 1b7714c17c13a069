"""SMTPUTF8 (RFC 6531): international mail through the whole gateway, to next hops that know it and that do not."""

import quopri
import re

import protection
import readers
import tools
from dns import Nsd
from gateway import USER, mail, queue_id
from peers import Postfix
from tools import free_port, wait_until

import pytest

CLEAR = "rule default { protect = never }"
ANYBODY = f'account "{USER}" {{ send-as = {{"*"}} }}'
KNOWS = ["SMTPUTF8"]


def words(dsn):
    """The part of a notification that is for people."""
    head, _, body = re.search(rb"\r\n--[^\r]*\r\n(Content-Type: text/plain.*?)\r\n--", dsn, re.S).group(1).partition(
        b"\r\n\r\n")
    return (quopri.decodestring(body) if b"quoted-printable" in head else body).decode()


def international(gateway, recipients, message, sender=USER):
    return gateway.submit(recipients, message, sender=sender, mail_params=" SMTPUTF8 BODY=8BITMIME")


@pytest.fixture(scope="module")
def old_postfix(pki):
    """One that does not know SMTPUTF8."""
    if not tools.AS_ROOT:
        pytest.skip("Postfix runs only as root")
    made = Postfix(pki, "smtputf8_enable = no")
    yield made
    made.close()


def test_real_postfix_takes_it_as_it_is(make_gateway, postfix, tag):
    gateway = make_gateway(f"[localhost]:{postfix.port}", rules=CLEAR)
    address = f"jörg+{tag}@bücher.example"
    message = mail(address, "Grüße\r\n", subject=f"café {tag}")
    assert international(gateway, [address], message).code == 250
    arrived = postfix.maildir.wait(tag)
    assert f"\r\nTo: {address}\r\n".encode() in arrived and f"\r\nSubject: café {tag}\r\n".encode() in arrived
    assert arrived.endswith("\r\n\r\nGrüße\r\n".encode()) and f"Delivered-To: {address}\r\n".encode() in arrived
    assert b"with UTF8SMTPSA" in arrived


def test_sealed_for_an_international_recipient(make_gateway, make_sink, keyring, tag):
    address = f"jörg{tag}@example.com"
    person = keyring.openpgp(address)
    sink = make_sink(features=KNOWS)
    gateway = make_gateway(sink.route, person)
    message = mail(address, "Grüße\r\n", subject="café")
    assert international(gateway, [address], message).code == 250
    arrived = sink.wait(address)
    assert " SMTPUTF8" in arrived.mail_line
    protection.assert_is(readers.read(person, arrived.data), message)


def test_only_recipients_who_need_it_are_refused(make_gateway, old_postfix, tag):
    """The sender and the header are ASCII: it is each recipient's own address that counts."""
    gateway = make_gateway(f"[localhost]:{old_postfix.port}", rules=CLEAR)
    good, bad = f"bob+{tag}@example.com", f"jörg+{tag}@example.com"
    message_id = queue_id(international(gateway, [bad, good], mail(good, "Grüße\r\n")))
    dsn = old_postfix.maildir.wait(lambda text: b"delivery-status" in text and tag.encode() in text)
    assert f"Final-Recipient: utf-8; j\\x{{F6}}rg\\x{{2B}}{tag}@example.com\r\n".encode() in dsn
    assert b"Status: 5.6.7\r\n" in dsn and f"rfc822; {good}".encode() not in dsn
    assert bad in words(dsn) and "international mail" in words(dsn)
    old_postfix.maildir.wait(f"Delivered-To: {good}\r\n".replace("\r\n", "\n"))
    gateway.wait_state(bad, None)
    assert {line["event"] for line in gateway.audit(message_id)} >= {"delivered", "bounced"}


@pytest.mark.parametrize("sealed", [False, True])
def test_an_international_header_needs_it_for_all(make_gateway, old_postfix, people, tag, sealed):
    gateway = make_gateway(f"[localhost]:{old_postfix.port}", *([people.bob] if sealed else []),
                           rules="rule default { protect = require header-protection = none }" if sealed else CLEAR)
    address = people.bob.tagged(tag)
    assert international(gateway, [address], mail(address, subject=f"café {tag}")).code == 250
    dsn = old_postfix.maildir.wait(lambda text: b"delivery-status" in text and tag.encode() in text)
    assert b"Status: 5.6.7\r\n" in dsn and "plain ASCII" in words(dsn)


def test_an_international_subject_that_is_hidden_needs_nobody(make_gateway, old_postfix, people, tag):
    """RFC 9788: it stands inside, where no next hop looks."""
    gateway = make_gateway(f"[localhost]:{old_postfix.port}", people.bob, rules="rule default { protect = require }")
    address = people.bob.tagged(tag)
    message = mail(address, subject=f"café {tag}")
    assert gateway.submit([address], message).code == 250
    arrived = old_postfix.maildir.wait(address)
    protection.assert_is(readers.read(people.bob, arrived), message)


def test_announced_but_not_needed_it_needs_nobody(make_gateway, old_postfix, tag):
    """RFC 6531 §3.4: the client said SMTPUTF8, but nothing in the message is beyond ASCII."""
    gateway = make_gateway(f"[localhost]:{old_postfix.port}", rules=CLEAR)
    address = f"bob+{tag}@example.com"
    assert international(gateway, [address], mail(address, f"{tag}\r\n")).code == 250
    assert old_postfix.maildir.wait(f"{tag}\n").endswith(f"{tag}\r\n".encode())


def test_an_international_sender_is_told(make_gateway, make_sink, tag):
    """The notification goes to an international address, and is readable there."""
    sink = make_sink(features=KNOWS,
                     script=lambda verb, to, _: "550 5.1.1 unknown" if verb == "RCPT" and f"bob{tag}" in to else None)
    gateway = make_gateway(sink.route, rules=CLEAR, extra=ANYBODY)
    sender = f"jörg{tag}@bücher.example"
    message = mail(f"bob{tag}@example.com").replace(f"From: {USER}".encode(), f"From: {sender}".encode())
    assert international(gateway, [f"bob{tag}@example.com"], message, sender=sender).code == 250
    dsn = sink.wait(sender)
    assert dsn.sender == "" and " SMTPUTF8" in dsn.mail_line
    assert dsn.data.isascii() and b"Status: 5.1.1\r\n" in dsn.data


def test_an_international_sender_cannot_be_told_where_nobody_knows_it(make_gateway, make_sink, tag):
    sink = make_sink()
    gateway = make_gateway(sink.route, rules=CLEAR, extra=ANYBODY)
    sender = f"jörg{tag}@example.org"
    message = mail(f"{tag}@example.com").replace(f"From: {USER}".encode(), f"From: {sender}".encode())
    message_id = queue_id(international(gateway, [f"{tag}@example.com"], message, sender=sender))
    wait_until(lambda: gateway.queue() == [], lambda: f"it ends, but {gateway.queue()}")
    assert not sink.messages and not sink.said("MAIL")
    lines = gateway.json("audit", "list")["lines"]
    assert [line["event"] for line in lines if line["id"] == message_id][-1] == "bounced"
    assert [line["event"] for line in lines if line.get("recipient") == sender][-1] == "bounced"


def test_its_domain_is_looked_up_as_a_label(make_gateway, make_sink, tag):
    """RFC 6531 §3.7.1: the A-label is for DNS only, the envelope keeps what the client said."""
    nsd = Nsd({"example": "xn--bcher-kva MX 10 mx\nmx A 127.0.0.1\n"})
    try:
        sink = make_sink(port=free_port(), features=KNOWS)
        gateway = make_gateway("mx", rules=CLEAR,
                               settings={"delivery": {"mx-port": sink.port, "resolvers": nsd.address}})
        address = f"jörg{tag}@Bücher.example"
        assert international(gateway, [address], mail(address)).code == 250
        assert sink.wait(address).recipients == [address]
    finally:
        nsd.close()

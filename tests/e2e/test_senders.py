"""Who may send, and as whom: users by their addresses, relay clients without a password; and the fields that are added."""

import re

import protection
import readers
import smtp
from gateway import USER, mail, queue_id
from pki import Pki
from tools import run, wait_until

import pytest

CEO = "ceo@example.org"


def in_front(inside, submitted):
    """What stands inside before the first field that was submitted."""
    return inside[:inside.index(submitted.partition(b"\r\n")[0])]


def message(header, body="Hello.\r\n"):
    """A message with exactly these header lines, and a subject."""
    return f"{header}Subject: A test\r\n\r\n{body}".encode()


def audited(gateway, word):
    """The refusals in the audit trail whose reply holds WORD."""
    lines = gateway.json("audit", "list")["lines"]
    return [line for line in lines if line["event"] == "refused" and word in line.get("reply", "")]


# ---- users ----

@pytest.mark.parametrize("sender", [
    CEO, "alice@example.org.evil.example", "alice@sub.example.org", '"alice@example.org"@evil.example', "xalice@example.org"])
def test_a8_mail_from_another_is_refused(gateway, people, sender):
    with gateway.connect() as client:
        client.ready(gateway)
        reply = client.command(f"MAIL FROM:<{sender}>")
        assert reply.code == 550, str(reply)
        assert reply.text.startswith(f"5.7.1 <{sender}> is not an address of user {USER}: ")
        assert "administrator" in reply.text
        assert client.command(f"RCPT TO:<{people.bob.address}>").code == 503
        # Whatever the case and however it is quoted, one's own is one's own; <> is for notifications.
        for own in ("ALICE@Example.ORG", '"alice"@example.org', ""):
            assert client.command(f"MAIL FROM:<{own}>").code == 250
            assert client.command("RSET").code == 250
    line = wait_until(lambda: audited(gateway, f"<{sender}> is not"), "the refusal is audited")[-1]
    assert line["user"] == USER and line["from"] == sender and "recipient" not in line
    assert "event=sender-refused" in gateway.log


OTHERS = {
    "from": f"From: {CEO}\r\n",
    "name": f'From: "{USER}" <{CEO}>\r\n',
    "comment": f"From: ({USER}) {CEO}\r\n",
    "sender": f"From: {USER}\r\nSender: {CEO}\r\n",
    "second": f"From: {USER}\r\nFrom: {CEO}\r\n",
    "first": f"fROM : {CEO}\r\nFrom: {USER}\r\n",
    "list": f"From: {USER}, {CEO}\r\n",
    "group": f"From: Team: {USER}, {CEO};\r\n",
    "resent": f"From: {USER}\r\nResent-From: {CEO}\r\n",
    "resent-sender": f"From: {USER}\r\nResent-Sender: {CEO}\r\n",
    "folded": f"From:\r\n {CEO}\r\n",
}


@pytest.mark.parametrize("header", OTHERS.values(), ids=OTHERS)
def test_a8_from_another_is_refused(gateway, people, sink, tag, header):
    recipient = people.bob.tagged(tag)
    reply = gateway.submit([recipient], message(header + f"X-Tag: {tag}\r\n"))
    assert reply.code == 550, str(reply)
    assert reply.text.startswith("5.7.1 ") and f"<{CEO}> is not an address of user {USER}" in reply.text
    wait_until(lambda: audited(gateway, f"<{CEO}> is not an address"), "the refusal is audited")
    assert not sink.find(recipient) and not gateway.state(recipient)


TRICKS = {
    "none": "",
    "only-sender": f"Sender: {USER}\r\n",
    "nobody": "From: Team:;\r\n",
    "no-address": "From: The Boss\r\n",
    "two": f"From: {USER} <{CEO}>\r\n",
    "two-angles": f"From: <{CEO}> <{USER}>\r\n",
    "angles-in-name": f'From: "<{CEO}>" <{USER}>\r\n',
    "angles-in-comment": f"From: {USER} (<{CEO}>)\r\n",
    "route": f"From: <@evil.example:{USER}>\r\n",
    "encoded-word": f"From: =?utf-8?q?ceo=40example.org?=\r\n",
    "encoded-local-part": f"From: =?utf-8?q?ceo=40example=2Eorg=3E?=@example.org\r\n",
    "encoded-angles": f"From: =?utf-8?b?PGNlb0BleGFtcGxlLm9yZz4=?= <{USER}>\r\n",
    "encoded-line": f"From: =?utf-8?q?x=0D=0AFrom:_ceo=40example.org?= <{USER}>\r\n",
    "first-line-folded": f" From: {CEO}\r\nFrom: {USER}\r\n",
    "space-in-name": f"From: {USER}\r\nFr om: {CEO}\r\n",
    "control-in-name": f"From: {USER}\r\nFrom\x01: {CEO}\r\n",
}


@pytest.mark.parametrize("header", TRICKS.values(), ids=TRICKS)
def test_a8_a_from_that_readers_differ_in_is_refused(gateway, people, sink, tag, header):
    recipient = people.bob.tagged(tag)
    reply = gateway.submit([recipient], message(header))
    assert reply.code in (550, 554), str(reply)
    assert reply.text.startswith(("5.7.1 ", "5.6.0 "))
    assert not sink.find(recipient)


@pytest.mark.parametrize("header", [
    f"From: {USER}\r\n", f"From: Alice L. Liddell <{USER}>\r\nSender: {USER}\r\n",
    f'From: "Liddell, Alice" <ALICE@example.org> (at work)\r\n', f"From: =?utf-8?q?J=C3=BCrgen?= <{USER}>\r\n",
    f"From: Team: {USER};\r\n", f"From: {USER}\r\nFrom: {USER}\r\n", f"From: {USER}\r\nReply-To: {CEO}\r\n"])
def test_own_addresses_are_sent(gateway, people, sink, tag, header):
    recipient = people.bob.tagged(tag)
    reply = gateway.submit([recipient], message(header))
    assert reply.code == 250, str(reply)
    sink.wait(recipient)


@pytest.fixture(scope="module")
def accounts():
    return (f'account "{USER}" {{ send-as = {{"sales@example.com", "@shop.example", ".team.example", "alice+*@example.org"}} }}\n'
            'account "*" { send-as = {"*"} }')


def test_a8_send_as_of_an_account(make_gateway, people, sink, tag, accounts):
    gateway = make_gateway(sink.route, people.bob, extra=accounts)
    recipient = people.bob.tagged(tag)
    for own in (USER, "sales@example.com", "x@shop.example", "x@a.team.example", "x@team.example", "alice+1@example.org"):
        assert gateway.submit([recipient], message(f"From: {own}\r\n"), sender=own).code == 250, own
    for other in (CEO, "sales@example.org", "x@sub.shop.example", "x@shop.example.evil.example", "alice1@example.org"):
        assert gateway.submit([recipient], message(f"From: {USER}\r\n"), sender=other).code == 550, other
        assert gateway.submit([recipient], message(f"From: {other}\r\n")).code == 550, other
    # The first section that matches counts; a user without one of these has the second.
    gateway.ctl("user", "add", "bob", input="another password\n")
    with gateway.connect() as client:
        client.ehlo()
        assert client.login("bob", "another password").code == 235
        assert client.submit("anybody@anywhere.example", [recipient], message("From: Anybody <a@b> <c@d>\r\n")).code == 250


def test_a8_a_held_message_is_not_checked_again(make_gateway, people, keyring, sink, tag):
    """What it was allowed when it came in, it stays, also when the account has changed since."""
    gateway = make_gateway(sink.route, rules="rule default { protect = require }",
                           extra=f'account "{USER}" {{ send-as = {{"{CEO}"}} }}')
    address = f"{tag}@example.com"
    submitted = message(f"From: {CEO}\r\n")
    message_id = queue_id(gateway.submit([address], submitted))
    gateway.stop()
    gateway.extra = ""
    gateway.write_conf()
    gateway.start()
    assert gateway.submit([address], submitted).code == 550, "the new configuration counts"
    person = keyring.openpgp(address)
    gateway.add_keys(person)
    arrived = sink.wait(address).data
    inside = readers.read(person, arrived)
    # It has the Message-ID and the time of when it came in, inside as outside.
    protection.assert_is(inside, submitted)
    added = in_front(inside, submitted)
    assert added.startswith(f"Message-ID: <{message_id}@gateway.example.org>\r\nDate: ".encode())
    assert added in arrived


# ---- relay clients ----

HERE = 'client "scanner" { networks = {"127.0.0.0/8"} send-as = {"@scanner.example", "crm@example.org"} }\n'
RELAY_RULES = """
rule "scans" { when { client = {"scanner"} } protect = never }
rule default { protect = require on-missing-key = refuse }
"""


@pytest.fixture
def relay(make_gateway, people, sink):
    return make_gateway(sink.route, people.bob, rules=RELAY_RULES, extra=HERE, listen='clients = {"scanner"}')


def test_a7_a_relay_client_needs_no_password(relay, sink, tag):
    address = f"{tag}@example.com"
    submitted = message(f"From: MFP <mfp@scanner.example>\r\nMessage-ID: <{tag}@scanner.example>\r\nDate: now\r\n", f"{tag}\r\n")
    with relay.connect() as client:
        client.ehlo()
        reply = client.submit("mfp@scanner.example", [address], submitted)
        assert reply.code == 250, str(reply)
        # Its own rule, and no more than its own addresses.
        assert client.command(f"MAIL FROM:<{USER}>").text.startswith(f"5.7.1 <{USER}> is not an address of relay client scanner: ")
        reply = client.submit("mfp@scanner.example", [address], message(f"From: {USER}\r\n"))
        assert reply.code == 550 and f"<{USER}> is not an address of relay client scanner" in reply.text
    assert sink.wait(address).data.endswith(submitted)
    lines = relay.json("audit", "list")["lines"]
    assert {line["user"] for line in lines} == {"client:scanner"}
    assert "relay=scanner" in relay.log


def test_a7_who_logs_in_is_no_relay_client(relay, people, sink, tag):
    recipient = people.bob.tagged(tag)
    with relay.connect() as client:
        client.ready(relay)
        assert client.command("MAIL FROM:<mfp@scanner.example>").code == 550
        assert client.submit(USER, [recipient], mail(recipient)).code == 250
    assert readers.is_sealed(sink.wait(recipient).data)


def test_a7_a_relay_client_is_none_where_it_is_not_named(relay, people):
    """The other listener does not name it; before TLS nobody is anybody."""
    for tls in (None, "starttls"):
        with relay.connect(tls=tls) as client:
            client.ehlo()
            assert client.command("MAIL FROM:<mfp@scanner.example>").code == 530
            assert client.command("MAIL FROM:<>").code == 530


def test_a7_a_relay_client_from_elsewhere_is_none(make_gateway, people, sink):
    gateway = make_gateway(sink.route, people.bob, listen='clients = {"scanner"}',
                           extra='client "scanner" { networks = {"192.0.2.0/24", "127.0.0.9", "::1"} send-as = {"*"} }')
    with gateway.connect() as client:
        client.ehlo()
        assert client.command("MAIL FROM:<mfp@scanner.example>").code == 530


@pytest.fixture(scope="module")
def clients(folder):
    """An authority of its own for client certificates, and (certificate, key) of two clients."""
    (folder / "clients").mkdir()
    made = Pki(folder / "clients")
    made.scanner, made.other = made.issue("scanner"), made.issue("other")
    return made


def fingerprint(certificate):
    said = run("openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256").stdout.decode()
    return said.partition("=")[2].strip()


def try_mail(gateway, certificate=None, sender="mfp@scanner.example"):
    with smtp.Raw(gateway.port, gateway.pki, certificate=certificate) as client:
        client.ehlo()
        return client.command(f"MAIL FROM:<{sender}>").code


@pytest.mark.parametrize("by", ["fingerprint", "subject"])
def test_a7_a_relay_client_by_certificate(make_gateway, clients, people, sink, tag, by):
    name = f"sha256:{fingerprint(clients.scanner[0])}" if by == "fingerprint" else "subject:CN=scanner"
    gateway = make_gateway(sink.route, people.bob, tls=f'client-ca = "{clients.ca}"', listen='clients = {"scanner"}',
                           extra=f'client "scanner" {{ certificates = {{"{name}"}} send-as = {{"@scanner.example"}} }}')
    assert try_mail(gateway, clients.scanner) == 250
    assert try_mail(gateway, clients.scanner, USER) == 550
    assert try_mail(gateway, clients.other) == 530
    assert try_mail(gateway) == 530
    recipient = people.bob.tagged(tag)
    with smtp.Raw(gateway.port, gateway.pki, certificate=clients.scanner) as client:
        client.ehlo()
        assert client.submit("mfp@scanner.example", [recipient], message("From: mfp@scanner.example\r\n")).code == 250
    assert readers.is_sealed(sink.wait(recipient).data)


def test_a7_the_same_name_by_another_authority_is_none(make_gateway, clients, pki, sink):
    gateway = make_gateway(sink.route, tls=f'client-ca = "{clients.ca}"', listen='clients = {"scanner"}',
                           extra='client "scanner" { certificates = {"subject:CN=scanner"} send-as = {"*"} }')
    assert try_mail(gateway, clients.scanner) == 250
    assert try_mail(gateway, pki.issue("scanner")) == 530


@pytest.mark.parametrize("networks, code", [("127.0.0.0/8", 250), ("192.0.2.0/24", 530)])
def test_a7_with_network_and_certificate_both_are_needed(make_gateway, clients, sink, networks, code):
    gateway = make_gateway(sink.route, tls=f'client-ca = "{clients.ca}"', listen='clients = {"scanner"}',
                           extra=f'client "scanner" {{ networks = {{"{networks}"}} certificates = {{"subject:CN=scanner"}} '
                                 'send-as = {"@scanner.example"} }')
    assert try_mail(gateway, clients.scanner) == code
    assert try_mail(gateway) == 530


def test_a8_a_relay_client_without_send_as_is_nobody(make_gateway, people, sink, tag):
    gateway = make_gateway(sink.route, people.bob, listen='clients = {"scanner"}',
                           extra='client "scanner" { networks = {"127.0.0.1"} }')
    assert try_mail(gateway) == 550
    with gateway.connect() as client:
        client.ehlo()
        assert client.submit("", [people.bob.tagged(tag)], message("From: mfp@scanner.example\r\n")).code == 550


def test_explain_knows_relay_clients(relay):
    asked = ("explain", "--from", "mfp@scanner.example", "--to", "nobody@example.com")
    assert relay.json(*asked, "--client", "scanner")["recipients"][0]["rule"] == "scans"
    assert relay.json(*asked, "--client", "crm")["recipients"][0]["rule"] == "default"
    assert relay.json(*asked)["recipients"][0]["rule"] == "default"


# ---- fields that are added ----

def values(text, name):
    return readers.header(text, name)


@pytest.mark.parametrize("who", ["bob", "dan"], ids=["openpgp", "smime"])
@pytest.mark.parametrize("given, missing", [
    ("", ["Message-ID", "Date"]), ("Date: a day\r\n", ["Message-ID"]), ("message-id: <mine@example.org>\r\n", ["Date"]),
    ("DATE:\r\nMessage-Id: not one\r\n", [])], ids=["none", "date", "id", "both"])
def test_a_missing_date_and_message_id_are_added(gateway, people, sink, tag, who, given, missing):
    person = getattr(people, who)
    submitted = message(f"From: {USER}\r\n{given}", f"{tag}\r\n")
    message_id = queue_id(gateway.submit([person.tagged(tag)], submitted))
    arrived = sink.wait(person.tagged(tag)).data
    inside = readers.read(person, arrived)
    protection.assert_is(inside, submitted)
    added = in_front(inside, submitted)
    assert re.findall(r"(?m)^([\w-]+):", added.decode()) == missing
    assert added in arrived
    for name in ("Date", "Message-ID"):
        assert len(values(arrived, name)) == 1 and values(arrived, name) == values(inside, name)
    if "Message-ID" in missing:
        assert values(inside, "Message-ID") == [f"<{message_id}@gateway.example.org>"]


def test_what_goes_clear_is_completed_too(gateway, people, sink, tag):
    address = people.frank.tagged(tag)
    submitted = message(f"From: {USER}\r\n", f"{tag}\r\n")
    message_id = queue_id(gateway.submit([address], submitted))
    arrived = sink.wait(address).data
    assert arrived.endswith(submitted)
    assert values(arrived, "Message-ID") == [f"<{message_id}@gateway.example.org>"]
    assert re.fullmatch(r"\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d \+0000", values(arrived, "Date")[0])
    assert not values(arrived, "X-Originating-IP") and b"ealgate" not in arrived.replace(b"gateway", b"")


def test_the_dsn_of_an_incomplete_message_names_it(gateway, sink, tag):
    address = f"{tag}@bounce.example"
    message_id = queue_id(gateway.submit([address], message(f"From: {USER}\r\n", "x\r\n")))
    dsn = sink.wait(lambda m: m.sender == "" and address.encode() in m.data)
    assert f"Message-ID: <{message_id}@gateway.example.org>".encode() in dsn.data


def test_originating_ip_stands_outside_alone(make_gateway, people, sink, tag):
    gateway = make_gateway(sink.route, people.bob, settings={"submission": {"originating-ip": "yes"}})
    recipient = people.bob.tagged(tag)
    assert gateway.submit([recipient], mail(recipient)).code == 250
    arrived = sink.wait(recipient).data
    assert values(arrived, "X-Originating-IP") == ["[127.0.0.1]"]
    assert b"X-Originating-IP" not in readers.read(people.bob, arrived)

"""A2: by whatever way a message leaves, no bare CR or LF is in it, and un-stuffed it is what was submitted."""

import readers
import smtp
from gateway import USER, Gateway, mail, queue_id
from tools import free_port

import pytest

RULES = """
rule "never" { when { recipient = {"@never.example"} } protect = never }
rule "hold" { when { recipient = {"@hold.example"} } protect = require on-missing-key = hold }
rule "bounce" { when { recipient = {"@bounce.example"} } protect = require on-missing-key = bounce }
rule default { protect = require on-missing-key = refuse }
"""

# Dots where they may be taken for the end, or lost; the first and the last line among them.
DOTS = ".\r\n..\r\n...\r\n.first\r\nx.\r\n . \r\n\r\n.\r\n\r\n..\r\n"

# What an old device sends, and what each line end stands for.
OLD = {
    "bare-lf": (b"one\n.two\n..three\n.\nfour\r\n", b"one\r\n.two\r\n..three\r\n.\r\nfour\r\n"),
    "bare-cr": (b"one\r.two\r..three\r.\rfour\r\n", b"one\r\n.two\r\n..three\r\n.\r\nfour\r\n"),
    "smuggled": (b"x\n.\r\nMAIL FROM:<a@example.org>\r\ny\r.\r\nz\r\n",
                 b"x\r\n.\r\nMAIL FROM:<a@example.org>\r\ny\r\n.\r\nz\r\n"),
    "mixed": (b"a\r\r\nb\n\r\nc\n\rd\r\n", b"a\r\n\r\nb\r\n\r\nc\r\n\r\nd\r\n"),
}


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def door(pki, sink, people, port):
    """With a listener for old devices beside the strict ones."""
    normalizing = f'listen "127.0.0.1:{port}" {{ tls = implicit line-ends = normalize }}'
    with Gateway(pki, sink.route, rules=RULES, extra=normalizing) as gateway:
        gateway.add_keys(people.bob, people.dan)
        yield gateway


def recipients_of(people, tag):
    return {"clear": f"{tag}@never.example", "openpgp": people.bob.tagged(tag), "smime": people.dan.tagged(tag)}


def checked(message):
    """What arrived, after a look at its line ends."""
    bare = message.data.replace(b"\r\n", b"")
    assert b"\r" not in bare and b"\n" not in bare, "a bare CR or LF went out"
    return message.data


def body(data):
    return data.partition(b"\r\n\r\n")[2]


def read_all(people, sink, addresses):
    """The body of each copy, as its recipient sees it."""
    return {"clear": body(checked(sink.wait(addresses["clear"]))),
            "openpgp": body(readers.read(people.bob, checked(sink.wait(addresses["openpgp"])))),
            "smime": body(readers.read(people.dan, checked(sink.wait(addresses["smime"]))))}


def submit_in_chunks(client, recipients, message, size):
    assert client.command(f"MAIL FROM:<{USER}>").code == 250
    for recipient in recipients:
        assert client.command(f"RCPT TO:<{recipient}>").code == 250
    for at in range(0, len(message), size):
        piece = message[at:at + size]
        last = " LAST" if at + size >= len(message) else ""
        client.send(f"BDAT {len(piece)}{last}\r\n".encode() + piece)
        reply = client.reply()
        assert last or reply.code == 250, str(reply)
    return reply


@pytest.mark.parametrize("way", ["DATA", "BDAT-1", "BDAT-7", "BDAT"])
def test_a2_dots(door, people, sink, tag, way):
    addresses = recipients_of(people, tag)
    message = mail(list(addresses.values()), DOTS)
    with door.connect() as client:
        client.ready(door)
        if way == "DATA":
            reply = client.submit(USER, addresses.values(), message)
        else:
            reply = submit_in_chunks(client, addresses.values(), message, int(way[5:] or len(message)))
        assert queue_id(reply)
    assert read_all(people, sink, addresses) == dict.fromkeys(addresses, DOTS.encode())


@pytest.mark.parametrize("end", [b"no line end", b"\r\n.", b".", b"\r\n..\r\n."], ids=ascii)
def test_a2_a_chunk_that_does_not_end_in_a_line_end(door, people, sink, tag, end):
    """BDAT can say what DATA cannot, and what could not be sealed in canonical form nor sent on by DATA: it gets a line end."""
    addresses = recipients_of(people, tag)
    with door.connect() as client:
        client.ready(door)
        reply = submit_in_chunks(client, addresses.values(), mail(list(addresses.values()), "text") + end, 1000)
        assert queue_id(reply) and client.command("NOOP").code == 250
    assert read_all(people, sink, addresses) == dict.fromkeys(addresses, b"text" + end + b"\r\n")


@pytest.mark.parametrize("kind", OLD)
def test_a2_line_ends_of_old_devices(door, pki, people, sink, tag, port, kind):
    submitted, meant = OLD[kind]
    addresses = recipients_of(people, tag)
    with smtp.Raw(port, pki) as client:
        client.ready(door)
        client.envelope(USER, addresses.values())
        client.send(mail(list(addresses.values()), "") + submitted + b".\r\n")
        assert queue_id(client.reply())
        assert client.command("NOOP").code == 250, "something of the message was read as a command"
    assert read_all(people, sink, addresses) == dict.fromkeys(addresses, meant)


@pytest.mark.parametrize("kind", OLD)
def test_a2_the_others_refuse_them(door, people, sink, tag, kind):
    address = f"{tag}@never.example"
    with door.connect() as client:
        client.ready(door)
        client.envelope(USER, [address])
        client.send(mail(address, "") + OLD[kind][0] + b".\r\n")
        assert str(client.reply()).startswith("554 5.6.0 ")
    assert door.state(address) is None and not sink.find(address)


def test_a2_a_held_message(make_gateway, make_sink, people, tag):
    """Stored under the spool key, sealed when its key comes."""
    sink = make_sink()
    gateway = make_gateway(sink.route, rules=RULES.replace("= refuse", "= hold"))
    address = people.bob.tagged(tag)
    message_id = queue_id(gateway.submit([address], mail(address, DOTS)))
    gateway.wait_state(address, "held")
    gateway.add_keys(people.bob)
    gateway.ctl("held", "release", message_id, check=False)
    assert body(readers.read(people.bob, checked(sink.wait(address)))) == DOTS.encode()


def test_a2_notifications(door, sink, pki, tag, port):
    """A DSN is a template with what a client wrote in it: header lines with dots, an address in quotes."""
    address = f'".{tag}..\\" x"@bounce.example'
    with smtp.Raw(port, pki) as client:
        client.ready(door)
        client.envelope(USER, [address])
        header = f"From: {USER}\rTo: bob\n.Dot: 1\r\nSubject: s\n .\r\n .\r\n\r\n".encode()
        client.send(header + b".\nbody\r\n.\r\n")
        assert queue_id(client.reply())
    arrived = checked(sink.wait(lambda m: m.sender == "" and tag.encode() in m.data))
    assert arrived.endswith(b"--\r\n") and b"\r\n.\r\n" not in arrived


def test_a2_a_reply_of_the_next_hop_in_a_notification(make_gateway, make_sink, people, tag):
    """Control characters of a stranger's reply stay out of it (A22)."""
    def refuse(verb, argument, _session):
        return b"550-no\r\n550-.\r\n550 \x1b[2J\x01 end\r\n" if verb == "RCPT" and tag in argument else None

    sink = make_sink(script=refuse)
    gateway = make_gateway(sink.route, people.bob)
    address = people.bob.tagged(tag)
    gateway.submit([address], mail(address, DOTS))
    arrived = checked(sink.wait(lambda m: m.sender == ""))
    assert b"\x1b" not in arrived and b"\x01" not in arrived and b"550" in arrived

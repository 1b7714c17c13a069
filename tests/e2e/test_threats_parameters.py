"""What stands in the parameters of commands, behind BDAT and before the greeting, through the whole gateway."""

import re
import socket

import protection
import readers
from gateway import USER, mail

import pytest

# Bytes that end a line, a field or a string for somebody, as they are and as xtext or RFC 6533 writes them.
RAW = [b"\x01", b"\x0b", b"\x7f", b"\x80", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8", b"\t"]
ENCODED = [b"+0D+0AX-Forged:+20yes", b"+0A", b"+00", b"+7F", b"+85", b"+FF", b"+0d", b"+"]
EMBEDDED = [rb"\x{0A}", rb"\x{0D}", rb"\x{00}", rb"\x{85}", rb"\x{2028}", rb"\x{D800}", rb"\x{A}", rb"\x{0A"]


def commands(recipient):
    """(before MAIL or RCPT is complete, the command with a hole, what does not fit into it)"""
    return [
        (b"MAIL", f"MAIL FROM:<{USER}> ENVID=a%sb".encode(), RAW + ENCODED),
        (b"MAIL", f"MAIL FROM:<{USER}> AUTH=a%sb".encode(), RAW + ENCODED),
        (b"MAIL", f"MAIL FROM:<{USER}> RET=FULL%sX".encode(), RAW + ENCODED),
        (b"MAIL", f"MAIL FROM:<{USER}> BODY=7BIT%sX".encode(), RAW + ENCODED),
        (b"MAIL", f"MAIL FROM:<{USER}> SIZE=1%s0".encode(), RAW + ENCODED),
        (b"MAIL", b"MAIL FROM:<a%sb@example.org>", RAW),
        (b"MAIL", b"MAIL FROM:<alice@a%sb.example>", RAW + ENCODED),
        (b"RCPT", f"RCPT TO:<{recipient}> ORCPT=rfc822;a%sb".encode(), RAW + ENCODED),
        (b"RCPT", f"RCPT TO:<{recipient}> ORCPT=utf-8;a%sb".encode(), RAW + ENCODED + EMBEDDED),
        (b"RCPT", f"RCPT TO:<{recipient}> NOTIFY=DELAY%sX".encode(), RAW + ENCODED),
        (b"RCPT", b"RCPT TO:<a%sb@example.com>", RAW),
    ]


@pytest.mark.parametrize("which", range(11))
def test_a9_nothing_but_text_comes_through_a_parameter(gateway, people, which):
    verb, line, evil = commands(people.bob.address)[which]
    at = len(gateway.log)
    for text in evil:
        # Few bad commands for each connection, since it ends after too many.
        with gateway.connect() as client:
            client.ready(gateway)
            if verb == b"RCPT":
                assert client.command(f"MAIL FROM:<{USER}>").code == 250
            client.send(line.replace(b"%s", text) + b"\r\n")
            assert client.reply().code in (500, 501, 553), (line, text)
            assert client.command("NOOP").code == 250
    log = gateway.log[at:]
    assert "X-Forged" not in log and all(" " <= c <= "~" or c == "\n" for c in log)


def test_a9_what_is_accepted_stands_in_one_place(gateway, people, sink, tag):
    """HELO, ENVID and ORCPT at their worst: one Received field, no field of their own, no second log field."""
    address = people.bob.tagged(tag)
    at = len(gateway.log)
    with gateway.connect() as client:
        assert client.command("EHLO client_.example.org.").code == 250
        assert client.login(gateway.user, gateway.password).code == 235
        assert client.command(f"MAIL FROM:<{USER}> RET=HDRS ENVID=x+20id=y+22+0x+5Cn").code == 501
        assert client.command(f"MAIL FROM:<{USER}> RET=HDRS ENVID=x+20id+3Dforged+22+5Cn").code == 250
        assert client.command(f"RCPT TO:<{address}> NOTIFY=FAILURE ORCPT=rfc822;a+22+20id+3Dforged+3Ab").code == 250
        assert client.command("DATA").code == 354
        client.send(mail(address, subject=tag, Message_ID=f"<{tag}@example.org>") + b".\r\n")
        assert client.reply().code == 250
    arrived = sink.wait(address).data
    header = arrived.split(b"\r\n\r\n")[0]
    assert header.count(b"Received:") == 1 and b"from client_.example.org." in header and b"forged" not in header
    for line in gateway.log[at:].splitlines():
        assert not re.search(r'(^|\s)id=forged', line), line


@pytest.mark.parametrize("text", [b"a b", b"a(b)", b"<a>", b"a;b", b"a\x01", b"b\xc3\xbc.example", b"[a]", b"a\"b", b""])
def test_a9_helo_is_a_name_or_nothing(gateway, text):
    with gateway.connect() as client:
        for verb in (b"EHLO ", b"HELO "):
            client.send(verb + text + b"\r\n")
            assert client.reply().code in (500, 501)
        assert client.command("MAIL FROM:<a@example.org>").code == 503


SMUGGLED = b"MAIL FROM:<mallory@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\nsmuggled\r\n.\r\n"


def chunk(data, last=False):
    return b"BDAT %d%s\r\n%s" % (len(data), b" LAST" if last else b"", data)


def test_a1_chunks_are_counted_and_never_read_as_commands(gateway, people, sink, tag):
    address, other = people.bob.tagged(tag), people.carol.tagged(tag)
    message = mail(address, ".\r\n..\r\n", subject=tag, Message_ID=f"<{tag}@example.org>") + SMUGGLED % other.encode()
    with gateway.connect() as client:
        client.ready(gateway)
        client.send(chunk(message, last=True))  # no MAIL
        assert client.reply().code == 503
        envelope = f"MAIL FROM:<{USER}>\r\nRCPT TO:<{address}>\r\n".encode()
        client.send(envelope + chunk(message[:100]) + chunk(message[100:]) + chunk(b"", last=True) + b"NOOP\r\n")
        assert [client.reply().code for _ in range(6)] == [250] * 6
        for bare in (b"x\ny", b"x\ry", b"\r\n.\n", b"x\r", b"\0"):
            client.send(envelope + chunk(bare, last=True))
            assert [client.reply().code for _ in range(3)] == [250, 250, 554]
        assert client.command("NOOP").code == 250
    arrived = sink.wait(address)
    protection.assert_is(readers.read(people.bob, arrived.data), message)
    assert len(sink.find(address)) == 1 and not sink.find(other)


@pytest.mark.parametrize("size", [1, 5])
def test_a1_chunks_split_over_tls_records(gateway, people, sink, tag, size):
    address = people.bob.tagged(tag)
    message = mail(address, ".\r\n\r\n.\r\n", subject=tag, Message_ID=f"<{tag}@example.org>")
    data = f"MAIL FROM:<{USER}>\r\nRCPT TO:<{address}>\r\n".encode() + chunk(message[:99]) + chunk(message[99:], True)
    with gateway.connect() as client:
        client.ready(gateway)
        for at in range(0, len(data), size):
            client.send(data[at:at + size])
        assert [client.reply().code for _ in range(4)] == [250] * 4
    protection.assert_is(readers.read(people.bob, sink.wait(address).data), message)


def test_a4_a_chunk_before_tls_is_no_command(gateway):
    with gateway.connect(tls=None) as client:
        client.send(chunk(b"EHLO mallory.example.org\r\nSTARTTLS\r\n", last=True))
        assert client.command("NOOP").code == 530  # the reply to BDAT
        assert client.reply().code == 250
        assert client.command("EHLO client.example.org").code == 250
        assert client.command("STARTTLS").code == 220
        client.wrap()
        assert client.command("BDAT 0 LAST").code == 503


def test_a17_a_chunk_without_end_ends_the_session(gateway):
    with gateway.connect() as client:
        client.ehlo()
        client.send(b"BDAT 18446744073709551615 LAST\r\n" + b"x" * 65536)
        assert client.reply().code == 530
        assert client.at_end()


def test_old_devices_may_send_bare_line_ends(make_gateway, people, sink, tag):
    """line-ends = normalize: for the message, on that listener; what arrives has CRLF only (A1, A2)."""
    gateway = make_gateway(sink.route, start=False)
    gateway.write_conf(gateway.text().replace("{ tls = starttls", "{ line-ends = normalize tls = starttls"))
    gateway.start()
    gateway.add_keys(people.bob)
    address = people.bob.tagged(tag)
    message = mail(address, "one\ntwo\rthree\n.\nfour\n", subject=tag, Message_ID=f"<{tag}@example.org>")
    normal = message.replace(b"one\ntwo\rthree\n.\nfour\n", b"one\r\ntwo\r\nthree\r\n.\r\nfour\r\n")
    with gateway.connect(tls="starttls") as client:
        client.ready(gateway)
        client.envelope(USER, [address])
        client.send(message + b"\r\n.\r\n")
        assert client.reply().code == 250
        client.send(b"NOOP\n\r\n")
        assert client.reply().code == 500  # commands are strict
    protection.assert_is(readers.read(people.bob, sink.wait(address).data), normal + b"\r\n")
    with gateway.connect() as client:
        client.ready(gateway)
        client.envelope(USER, [address])
        client.send(message + b"\r\n.\r\n")
        assert client.reply().code == 554  # the other listener is strict


def test_early_talkers_are_refused(make_gateway, sink, pki):
    gateway = make_gateway(sink.route, settings={"submission": {"greeting-delay": "300ms"}})
    with socket.create_connection(("127.0.0.1", gateway.starttls_port), 30) as plain:
        plain.sendall(b"EHLO client.example.org\r\n")
        assert plain.makefile("rb").read().startswith(b"554 5.5.1 ")
    with socket.create_connection(("127.0.0.1", gateway.port), 30) as plain:
        with pki.client_context().wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(b"EHLO client.example.org\r\n")
            assert secure.makefile("rb").read().startswith(b"554 5.5.1 ")
    assert gateway.log.count("event=early-talker") == 2
    with gateway.connect() as client:
        assert client.greeting.code == 220

"""The door: what comes before TLS and authentication, and where a message ends."""

import base64
import smtplib

import smtp
from gateway import USER, mail

import pytest

ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\n\r.\r\n"]


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_a1_only_crlf_dot_crlf_ends_data(gateway, people, sink, tag, end):
    """Whatever looks like an end to a lenient reader is content, and refused as such; what follows is no command."""
    address = people.bob.tagged(tag)
    smuggled = f"MAIL FROM:<{USER}>\r\nRCPT TO:<{people.carol.tagged(tag)}>\r\nDATA\r\nsmuggled\r\n".encode()
    with gateway.connect() as client:
        client.ready(gateway)
        client.envelope(USER, [address])
        client.send(mail(address, "text")[:-2] + b"text" + end + smuggled)
        client.send(b".\r\n")
        reply = client.reply()
        assert reply.code == 554 and reply.text.startswith("5.6.0 "), str(reply)
        # One reply to all of it, and the session is in step.
        assert client.command("NOOP").code == 250
        assert str(client.submit(USER, [address], mail(address))).endswith("sealed for 1 of 1 recipients")
    sink.wait(address)
    assert not sink.find(people.carol.tagged(tag)) and len(sink.find(address)) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a1_end_of_data_split_over_tls_records(gateway, people, sink, tag, size):
    address = people.bob.tagged(tag)
    message = smtp.dot_stuff(mail(address, ".\r\n..\r\n.x\r\n", subject=tag))
    with gateway.connect() as client:
        client.ready(gateway)
        client.envelope(USER, [address])
        for at in range(0, len(message), size):
            client.send(message[at:at + size])
        assert client.reply().code == 250
    sink.wait(address)


def test_a1_bare_line_ends_in_a_command_are_refused(gateway):
    for line in (b"NOOP\n", b"NOOP\rNOOP\r\n", b"MAIL FROM:<a@example.org>\nRCPT TO:<b@example.org>\r\n"):
        with gateway.connect() as client:
            client.ready(gateway)
            client.send(line + b"\r\n")
            assert client.reply().code == 500


def test_a3_commands_pipelined_behind_starttls_are_refused(gateway):
    with gateway.connect(tls=None) as client:
        client.ehlo()
        client.send(b"STARTTLS\r\nEHLO injected.example\r\nMAIL FROM:<a@example.org>\r\n")
        reply = client.reply()
        assert reply.code == 554, str(reply)
        assert client.at_end()


def test_a3_plaintext_behind_the_next_hops_220_ends_the_delivery(make_gateway, make_sink, people, tag):
    """A reply injected in clear must not be read as if it had come over TLS."""
    def inject(verb, _argument, session):
        return b"220 2.0.0 go\r\n250-injected\r\n250 SIZE 1\r\n" if verb == "STARTTLS" and not session.tls else None

    sink = make_sink(script=inject)
    gateway = make_gateway(sink.route, people.bob, settings={"delivery": {"tls": "encrypt"}})
    gateway.submit([people.bob.tagged(tag)], mail(people.bob.tagged(tag)))
    state = gateway.wait_state(people.bob.tagged(tag), "deferred")
    assert state["attempts"] >= 1 and not sink.messages
    assert not [c for c in sink.commands if c[1] == "MAIL"]


def test_a4_nothing_before_tls_survives_it(gateway):
    with gateway.connect(tls=None) as client:
        for line in ("MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>", "DATA", "AUTH PLAIN", "VRFY a", "HELP"):
            reply = client.command(line)
            assert reply.code in (530, 503), f"{line}: {reply}"
        assert client.ehlo().code == 250
        assert client.command("MAIL FROM:<a@example.org>").code == 530
        assert client.command("STARTTLS now").code == 501
        assert client.command("STARTTLS").code == 220
        client.wrap()
        assert client.command(f"AUTH PLAIN {plain(gateway)}").code == 503, "EHLO before TLS was not forgotten"
        assert "STARTTLS" not in client.ehlo().lines
        assert client.command("STARTTLS").code == 503
        assert client.login(gateway.user, gateway.password).code == 235


def plain(gateway):
    return base64.b64encode(f"\0{gateway.user}\0{gateway.password}".encode()).decode()


def test_a5_auth_is_neither_offered_nor_taken_before_tls(gateway):
    with gateway.connect(tls=None) as client:
        offered = client.ehlo().lines
        assert "STARTTLS" in offered and not [line for line in offered if line.startswith("AUTH")]
        at = len(gateway.log)
        for line in (f"AUTH PLAIN {plain(gateway)}", "AUTH LOGIN", f"AUTH LOGIN {plain(gateway)}"):
            assert client.command(line).code in (530, 538)
        # Not taken for credentials either: the next line is a command.
        assert client.command("NOOP").code == 250
    assert gateway.password not in gateway.log[at:] and plain(gateway) not in gateway.log[at:]


@pytest.mark.parametrize("implicit", [True, False], ids=["465", "587"])
def test_a7_no_relay_without_authentication(gateway, people, implicit):
    """Loopback is no reason to trust."""
    client = smtp.smtplib_client(gateway, implicit, login=False)
    with client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        client.sendmail(USER, [people.bob.address], mail(people.bob.address))
    assert refused.value.smtp_code == 530


@pytest.mark.parametrize("path", [
    "<@relay.example,@other.example:bob@example.com>", "<bob%example.com@gateway.example.org>",
    "<example.com!bob@gateway.example.org>", "<bob%example.com>"])
def test_a7_no_source_routes_percent_or_bang(gateway, path):
    with gateway.connect() as client:
        client.ready(gateway)
        assert client.command(f"MAIL FROM:<{USER}>").code == 250
        assert client.command(f"RCPT TO:{path}").code in (501, 550)

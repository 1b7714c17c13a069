"""
What one host of a route does not take, now or at all: another is asked, the message waits, or it is returned, and who else
waits for the destination does not suffer for it (RFC 5321 §4.5.3.1.10, §5.1; R1).
"""

import re
import socket
import struct
import threading
import types

from dns import Nsd
from gateway import USER, mail
from pki import server_context
from tools import free_port, wait_until

import pytest

CLEAR = "rule default { protect = never }"
MANY = range(20, 31)
ZONES = {
    "example.org": "@ A 127.0.0.1\n",
    "example": """
one.mx A 127.0.0.2
two.mx A 127.0.0.3
down.mx A 127.0.0.9
one MX 10 one.mx
both MX 10 one.mx
both MX 20 two.mx
backup MX 10 down.mx
backup MX 20 two.mx
many MX 10 many.mx
many MX 20 two.mx
""" + "".join(f"many.mx A 127.0.0.{n}\n" for n in MANY)}
# Nothing here is to arrive by a second attempt, unless a test says so.
ONCE = {"first-retry": "1h", "last-retry": "4h"}
SOON = {"first-retry": "300ms", "last-retry": "300ms"}
UMLAUTS = "Grüße\r\n" * 1000


@pytest.fixture(scope="module")
def zones():
    nsd = Nsd(ZONES)
    yield nsd
    nsd.close()


@pytest.fixture
def world(zones, make_gateway, make_sink):
    """world(one=, two=): a gateway and the hosts one.mx, two.mx with these settings; reports come back to HOME."""
    port = free_port()

    def make(one=None, two=None, delivery=None, queue=ONCE):
        hosts = types.SimpleNamespace(home=make_sink(port=port, address="127.0.0.1"), port=port)
        for name, settings, address in (("one", one, "127.0.0.2"), ("two", two, "127.0.0.3")):
            if settings is not None:
                setattr(hosts, name, make_sink(port=port, address=address, **settings))
        hosts.gateway = make_gateway("mx", rules=CLEAR, settings={
            "delivery": {"mx-port": port, "resolvers": zones.address, **(delivery or {})}, "queue": queue})
        return hosts

    return make


def submit(hosts, recipients, **message):
    hosts.gateway.submit(recipients, mail(recipients, **message))


def returned(hosts):
    """Status and diagnostic of each recipient in the reports that came back."""
    text = "".join(message.data.decode() for message in hosts.home.messages).replace("\r\n ", " ")
    return re.findall(r"Action: failed\r\nStatus: (\S+)\r\n(?:Remote-MTA: dns; (\S+)\r\n)?Diagnostic-Code: ([^\r]*)", text)


def waits(hosts, address):
    """The recipient's row, once it was tried."""
    wait_until(lambda: [r for r in hosts.gateway.queue() if r["address"] == address and r["state"] == "deferred"],
               lambda: f"not deferred\n{hosts.gateway.tail()}")
    return [r for r in hosts.gateway.queue() if r["address"] == address][0]


# ---- TLS that failed this once ----

@pytest.mark.parametrize("trouble", ["handshake", "454"])
def test_who_takes_nothing_in_clear_is_asked_again(world, tag, pki, trouble):
    """Level may: the handshake fails once, and then the host says that it takes mail over TLS alone."""
    failed = []

    def script(verb, _, session):
        if verb == "STARTTLS" and not failed:
            failed.append(1)
            if trouble == "454":
                return "454 4.7.0 TLS not available now"
            session.say("220 2.0.0 go ahead")
            return False
        if verb == "MAIL" and not session.tls:
            return "530 5.7.0 Must issue a STARTTLS command first"
        return None

    hosts = world(one={"script": script, "tls": server_context(*pki.next_hop)}, delivery={"tls": "may"}, queue=SOON)
    submit(hosts, [f"{tag}@one.example"])
    assert hosts.one.wait(f"{tag}@one.example").tls
    assert not hosts.home.messages


# ---- the next host ----

@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_try_later_of_one_host_is_not_the_route_s(world, tag, verb):
    def script(said, _, __):
        return "452 4.3.1 Insufficient system storage" if said == verb else None

    hosts = world(one={"script": script}, two={})
    submit(hosts, [f"{tag}@both.example"])
    assert hosts.two.wait(f"{tag}@both.example").recipients == [f"{tag}@both.example"]
    wait_until(lambda: not hosts.gateway.queue(), "stays in the queue")


def test_those_whom_the_first_host_took_are_not_sent_to_the_next(world, tag):
    def script(verb, argument, _):
        return "451 4.2.1 greylisted" if verb == "RCPT" and "later" in argument else None

    hosts = world(one={"script": script}, two={"script": script})
    submit(hosts, [f"{tag}@both.example", f"{tag}later@both.example"])
    row = waits(hosts, f"{tag}later@both.example")
    assert "451 4.2.1 greylisted" in row["reply"]
    assert [m.recipients for m in hosts.one.messages] == [[f"{tag}@both.example"]] and not hosts.two.messages
    assert len(hosts.two.said("RCPT")) == 1


def test_a_refusal_for_good_asks_nobody_else(world, tag):
    hosts = world(one={"script": lambda verb, *_: "550 5.1.1 no such user" if verb == "RCPT" else None}, two={})
    submit(hosts, [f"{tag}@both.example"])
    hosts.home.wait(lambda m: m.sender == "")
    assert [(status, diagnostic) for status, _, diagnostic in returned(hosts)] == [("5.1.1", "smtp; 550 5.1.1 no such user")]
    assert hosts.two.connections == 0


LACKS = {"size": ("250-host\r\n250-8BITMIME\r\n250 SIZE 1000", "5.3.4"), "8bit": ("250-host\r\n250 SIZE 9999999", "5.6.3")}


def lacking(what):
    return {"script": lambda verb, *_: LACKS[what][0] if verb == "EHLO" else None}


@pytest.mark.parametrize("what", LACKS)
def test_what_the_first_host_lacks_the_next_may_have(world, tag, what):
    hosts = world(one=lacking(what), two={})
    submit(hosts, [f"{tag}@both.example"], body=UMLAUTS)
    assert "Grüße" in hosts.two.wait(f"{tag}@both.example").data.decode()


@pytest.mark.parametrize("what", LACKS)
def test_what_a_backup_lacks_waits_for_the_primary(world, tag, what):
    hosts = world(two=lacking(what))
    submit(hosts, [f"{tag}@backup.example"], body=UMLAUTS)
    waits(hosts, f"{tag}@backup.example")
    assert not hosts.home.messages


@pytest.mark.parametrize("what", LACKS)
def test_what_all_hosts_lack_is_returned_at_once(world, tag, what):
    hosts = world(one=lacking(what), two=lacking(what))
    submit(hosts, [f"{tag}@both.example"], body=UMLAUTS)
    hosts.home.wait(lambda m: m.sender == "")
    (status, _, diagnostic), = returned(hosts)
    assert status == LACKS[what][1] and diagnostic.startswith("x-sealgate; ")


def test_a_host_of_many_dead_addresses_does_not_hide_the_next(world, tag):
    hosts = world(two={})
    submit(hosts, [f"{tag}@many.example"])
    hosts.two.wait(f"{tag}@many.example")


# ---- what is said of us ----

@pytest.mark.parametrize("closes", [True, False])
def test_a_refusal_at_ehlo_is_not_ignorance_of_it(world, tag, closes):
    def script(verb, _, session):
        if verb != "EHLO":
            return None
        return session.say("550 5.7.1 on our blocklist") and False if closes else "550 5.7.1 on our blocklist"

    hosts = world(one={"script": script})
    submit(hosts, [f"{tag}@one.example"], body=UMLAUTS)
    hosts.home.wait(lambda m: m.sender == "")
    assert returned(hosts) == [("5.7.1", "one.mx.example", "smtp; 550 5.7.1 on our blocklist")]
    assert not hosts.one.said("HELO")


def test_a_refused_greeting_names_the_host(world, tag):
    hosts = world(one={"script": lambda verb, *_: "554 5.7.1 You are blocked" if verb == "CONNECT" else None})
    submit(hosts, [f"{tag}@one.example"])
    hosts.home.wait(lambda m: m.sender == "")
    assert returned(hosts) == [("5.7.1", "one.mx.example", "smtp; 554 5.7.1 You are blocked")]


def test_a33_nobody_on_the_way_returns_mail_that_demands_tls(world, tag):
    hosts = world(one={"script": lambda verb, *_: "554 5.7.1 go away" if verb == "CONNECT" else None},
                  delivery={"tls": "encrypt"})
    submit(hosts, [f"{tag}@one.example"])
    assert "go away" in waits(hosts, f"{tag}@one.example")["reply"]
    assert not hosts.home.messages


# ---- so many at a time ----

@pytest.mark.parametrize("reply", ["452 4.5.3 Too many recipients", "452 Too many recipients", "552 5.5.3 Too many",
                                   "552 Too many recipients"])
@pytest.mark.parametrize("features", [(), ("CHUNKING",)])
def test_who_takes_two_at_a_time_gets_all_in_turns(world, tag, reply, features):
    def script(verb, _, session):
        return reply if verb == "RCPT" and len(session.recipients) >= 2 else None

    hosts = world(one={"script": script, "features": features})
    everybody = [f"{tag}{n}@one.example" for n in range(5)]
    submit(hosts, everybody)
    wait_until(lambda: len(hosts.one.messages) == 3, lambda: f"{hosts.one.messages}\n{hosts.gateway.tail()}")
    assert [m.recipients for m in hosts.one.messages] == [everybody[:2], everybody[2:4], everybody[4:]]
    assert {m.connection for m in hosts.one.messages} == {1}
    wait_until(lambda: not hosts.gateway.queue(), "stays in the queue")


def test_a_full_mailbox_is_not_too_many(world, tag):
    def script(verb, argument, _):
        return "552 5.2.2 mailbox full" if verb == "RCPT" and "full" in argument else None

    hosts = world(one={"script": script})
    submit(hosts, [f"{tag}@one.example", f"{tag}full@one.example"])
    hosts.home.wait(lambda m: m.sender == "")
    assert [status for status, _, _ in returned(hosts)] == ["5.2.2"]
    assert len(hosts.one.messages) == 1


def test_the_rest_waits_when_the_message_is_refused(world, tag):
    """The turn that failed promises no other."""
    def script(verb, _, session):
        if verb == "END":
            return "451 4.3.0 not now"
        return "452 4.5.3 Too many recipients" if verb == "RCPT" and len(session.recipients) >= 1 else None

    hosts = world(one={"script": script})
    submit(hosts, [f"{tag}{n}@one.example" for n in range(3)])
    rows = [waits(hosts, f"{tag}{n}@one.example")["reply"] for n in range(3)]
    assert ["not now" in reply for reply in rows] == [True, False, False]
    assert len(hosts.one.said("MAIL")) == 1


# ---- one message at fault ----

@pytest.mark.parametrize("connections", ["1", "10"])
def test_a_message_that_ends_connections_takes_no_other_along(world, tag, connections):
    def script(verb, _, session):
        return False if verb == "DATA" and any("poison" in r for r in session.recipients) else None

    hosts = world(one={"script": script}, delivery={"per-destination": connections})
    good = [f"{tag}{n}@one.example" for n in range(10)]
    with hosts.gateway.connect() as client:
        client.ready(hosts.gateway)
        for recipient in [good[0], f"{tag}poison@one.example"] + good[1:]:
            assert client.submit(USER, [recipient], mail(recipient)).code == 250
    for recipient in good:
        hosts.one.wait(recipient)
    waits(hosts, f"{tag}poison@one.example")


# ---- last words ----

class CutsOff:
    """Takes part of a message, says why it takes no more, and closes with the rest unread: a reset."""

    def __init__(self, address, tls):
        self.tls, self.connections = tls, 0
        self.listener = socket.create_server(address)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
                self.connections += 1
                self.serve(connection)
            except OSError:
                if self.listener.fileno() < 0:
                    return

    def serve(self, connection):
        connection.sendall(b"220 host\r\n")
        stream = connection.makefile("rb")
        while line := stream.readline(4096):
            verb = line.split()[0].upper()
            if verb == b"EHLO":
                extra = b"250-STARTTLS\r\n" if self.tls and not hasattr(connection, "unwrap") else b""
                connection.sendall(b"250-host\r\n" + extra + b"250 8BITMIME\r\n")
            elif verb == b"STARTTLS":
                connection.sendall(b"220 go ahead\r\n")
                connection = self.tls.wrap_socket(connection, server_side=True)
                stream = connection.makefile("rb")
            elif verb == b"DATA":
                connection.sendall(b"354 go ahead\r\n")
                got = 0
                while got < 300000:
                    got += len(connection.recv(65536))
                connection.sendall(b"552 5.3.4 Message size exceeds fixed limit\r\n")
                break
            else:
                connection.sendall(b"250 ok\r\n")
        stream.close()
        connection.close()


@pytest.mark.parametrize("tls", [False, True])
def test_why_the_host_cut_it_off_is_heard(world, tag, pki, tls):
    hosts = world(delivery={"tls": "may"})
    host = CutsOff(("127.0.0.2", hosts.port), server_context(*pki.next_hop) if tls else None)
    body = ("x" * 70 + "\r\n") * 100000
    submit(hosts, [f"{tag}@one.example"], body=body)
    hosts.home.wait(lambda m: m.sender == "")
    assert returned(hosts) == [("5.3.4", "one.mx.example", "smtp; 552 5.3.4 Message size exceeds fixed limit")]
    assert host.connections == 1
    host.listener.close()


@pytest.mark.parametrize("reply", [b"250-2.0.0 ok\r\n queued\r\n250 2.0.0 ok\r\n", b"250-2.0.0 ok\r\n"])
def test_r1_a_reply_that_begins_with_250_is_one(world, tag, reply):
    """Its end is damaged, or never comes: the host has the message, and is not to get it again."""
    def script(verb, message, session):
        if verb != "END":
            return None
        session.sink.keep(message)
        session.say(reply)
        return False

    hosts = world(one={"script": script}, queue=SOON)
    submit(hosts, [f"{tag}@one.example"])
    wait_until(lambda: hosts.one.messages and not hosts.gateway.queue(), hosts.gateway.tail)
    assert len(hosts.one.messages) == 1


def test_r1_a_reply_that_contradicts_itself_is_no_250(world, tag):
    """It may have been refused: rather twice than lost."""
    said = []

    def script(verb, _, session):
        if verb != "END" or said:
            return None
        said.append(1)
        session.say(b"250-2.0.0 ok\r\n550 5.7.1 refused\r\n")
        return False

    hosts = world(one={"script": script}, queue=SOON)
    submit(hosts, [f"{tag}@one.example"])
    hosts.one.wait(f"{tag}@one.example")
    wait_until(lambda: not hosts.gateway.queue(), hosts.gateway.tail)
    assert said and not hosts.home.messages


def test_a18_who_takes_nothing_of_a_message_is_left(world, tag):
    """After 354 it reads no more."""
    stuck = threading.Event()

    def script(verb, _, session):
        if verb == "CONNECT":
            session.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        if verb != "DATA":
            return None
        session.say("354 go ahead")
        stuck.wait(20)
        return False

    hosts = world(one={"script": script}, delivery={"data-timeout": "1s"})
    submit(hosts, [f"{tag}@one.example"], body=("x" * 70 + "\r\n") * 150000)
    assert "timed out waiting for the message to be taken" in waits(hosts, f"{tag}@one.example")["reply"]
    stuck.set()


# ---- DNS ----

class NoAaaa:
    """A name server that answers nothing to AAAA, not even that there is none."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1@{self.socket.getsockname()[1]}"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            at, labels = 12, []
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
                at += query[at] + 1
            kind, = struct.unpack(">H", query[at + 1:at + 3])
            if kind == 28:
                continue
            answer = self.answer(kind, labels[0])
            self.socket.sendto(query[:2] + struct.pack(">HHHHH", 0x8580, 1, bool(answer), 0, 0) + query[12:at + 5] + answer,
                               peer)

    @staticmethod
    def answer(kind, label):
        data = {(1, "mx"): bytes([127, 0, 0, 2]), (15, "lost"): b"\x00\x0a\x02mx\xc0\x0c"}.get((kind, label), b"")
        return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 300, len(data)) + data if data else b""


def test_a_family_of_which_dns_says_nothing_does_not_hide_the_other(make_gateway, make_sink, tag):
    port = free_port()
    host = make_sink(port=port, address="127.0.0.2")
    servers = [NoAaaa() for _ in range(3)]
    gateway = make_gateway("mx", rules=CLEAR, settings={
        "delivery": {"mx-port": port, "resolvers": [server.address for server in servers], "mta-sts": "no"}, "queue": ONCE})
    gateway.submit([f"{tag}@lost.example"], mail(f"{tag}@lost.example"))
    host.wait(f"{tag}@lost.example")

"""Behind a load balancer (A31): HAProxy itself, and headers made by hand."""

import ipaddress
import shutil
import socket
import struct

import readers
import smtp
from gateway import USER, mail
from haproxy import HAProxy
from tools import SEALGATE, run, wait_until

import pytest

NOWHERE = "[127.0.0.1]:9"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CONFIG_ERROR = 78


def header(client, command=0x21, more=b""):
    """A version 2 header that names CLIENT."""
    address = ipaddress.ip_address(client)
    to = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    rest = address.packed + to.packed + struct.pack("!HH", 40000, 465) + more
    return SIGNATURE + bytes([command, 0x11 if address.version == 4 else 0x21]) + struct.pack("!H", len(rest)) + rest


def proxied(make_gateway, route=NOWHERE, *people, networks='"127.0.0.1"', **options):
    gateway = make_gateway(route, start=False, **options)
    gateway.listen_keys = f"proxy = {{{networks}}}"
    gateway.write_conf()
    gateway.launch()
    # Not start(): whoever connects without a header gets no greeting.
    wait_until(lambda: gateway.ctl("status", check=False).returncode == 0 and greets(gateway), lambda: gateway.tail())
    if people:
        gateway.add_keys(*people)
    return gateway


def greets(gateway, first=SIGNATURE + b"\x20\x00\x00\x00"):
    """Does the clear port greet whoever begins with FIRST?"""
    try:
        with socket.create_connection(("127.0.0.1", gateway.starttls_port), 30) as client:
            client.sendall(first)
            return client.recv(100).startswith(b"220 ")
    except OSError:
        return False


class Behind(smtp.Raw):
    """A client whose connection begins with a header made by hand."""

    def __init__(self, gateway, first, tls="implicit"):
        self._context = gateway.pki.client_context()
        port = gateway.port if tls == "implicit" else gateway.starttls_port
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._input = b""
        self.send(first)
        if tls == "implicit":
            self.wrap()
        self.greeting = self.reply()
        if tls == "starttls":
            self.ehlo()
            assert self.command("STARTTLS").code == 220
            self.wrap()


@pytest.fixture
def make_haproxy():
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed")
    made = []

    def make(gateway, **options):
        made.append(HAProxy(gateway, **options))
        return made[-1]

    yield make
    for haproxy in made:
        haproxy.close()


@pytest.mark.parametrize("port,tls", [(465, "implicit"), (587, "starttls")])
def test_a31_mail_through_haproxy_is_the_clients(make_gateway, make_sink, make_haproxy, pki, people, tag, port, tls):
    sink = make_sink()
    gateway = proxied(make_gateway, sink.route, people.bob)
    haproxy = make_haproxy(gateway)
    address = people.bob.tagged(tag)
    at = len(gateway.log)
    # From an address that is not HAProxy's own.
    with socket.socket() as raw:
        raw.settimeout(30)
        raw.bind(("127.0.0.77", 0))
        raw.connect(("127.0.0.1", haproxy.ports[port]))
        client = smtp.Raw.__new__(smtp.Raw)
        client._context, client._socket, client._input = pki.client_context(), raw, b""
        if tls == "implicit":
            client.wrap()
        assert client.reply().code == 220
        if tls == "starttls":
            client.ehlo()
            assert client.command("STARTTLS").code == 220
            client.wrap()
        client.ready(gateway)
        assert client.submit(USER, [address], mail(address)).code == 250
        client.close()
    received = sink.wait(address)
    assert readers.is_sealed(received.data)
    assert b"[127.0.0.77]" in received.data
    assert "event=connected" in gateway.log[at:] and "client=127.0.0.77" in gateway.log[at:]


def test_a31_haproxys_health_checks_are_its_own(make_gateway, make_haproxy):
    gateway = proxied(make_gateway)
    make_haproxy(gateway, check="check check-send-proxy inter 200ms")
    at = len(gateway.log)
    wait_until(lambda: gateway.log[at:].count("event=connected") >= 3, "health checks are served")
    assert "proxy-header" not in gateway.log[at:]


def test_a31_version_1_is_refused(make_gateway, make_haproxy, pki):
    gateway = proxied(make_gateway)
    haproxy = make_haproxy(gateway, send="send-proxy")
    for port, tls in ((465, "implicit"), (587, None)):
        with pytest.raises((smtp.Closed, OSError)):
            smtp.Raw(haproxy.ports[port], pki, tls)
    gateway.wait_log("event=proxy-header")


@pytest.mark.parametrize("client", ["198.51.100.7", "2001:db8::7"])
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a31_headers_made_by_hand(make_gateway, client, tls):
    gateway = proxied(make_gateway, networks='"192.0.2.0/24", "127.0.0.0/8"')
    for more in (b"", b"\x04\x00\x03abc", b"\xe0" + struct.pack("!H", 4000) + b"x" * 4000):
        at = len(gateway.log)
        with Behind(gateway, header(client, more=more), tls) as session:
            session.ready(gateway)
        wait_until(lambda: "event=disconnected" in gateway.log[at:], "it is logged")
        assert f"client={client} " in gateway.log[at:]


def test_a31_limits_are_the_clients(make_gateway):
    gateway = proxied(make_gateway, settings={"limits": {"sessions-per-client": 2}})
    clients = [Behind(gateway, header(f"198.51.100.{n}"), tls) for n in range(1, 6) for tls in ("implicit", None)]
    third = header("198.51.100.3")
    with Behind(gateway, third, None) as refused:
        assert refused.greeting.code == 421
    with pytest.raises((smtp.Closed, OSError)):
        Behind(gateway, third)
    for client in clients:
        assert client.command("NOOP").code == 250
        client.close()
    wait_until(lambda: greets(gateway, third), "its places are free again")


BAD = {
    "version 1": b"PROXY TCP4 198.51.100.7 127.0.0.1 40000 465\r\n",
    "no header": b"EHLO client.example.org\r\n",
    "TLS": b"\x16\x03\x01\x00\xf8\x01",
    "version 3": header("198.51.100.7", command=0x31),
    "too short": SIGNATURE + b"\x21\x11\x00\x04\x01\x02\x03\x04",
    "too long": SIGNATURE + b"\x21\x11\xff\xff",
    "broken TLV": header("198.51.100.7", more=b"\x04\x00\x10abc"),
    "UDP": SIGNATURE + b"\x21\x12" + header("198.51.100.7")[14:],
}


def ends_without_a_greeting(port, first):
    """What the server said, if anything: an alert of TLS at most."""
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(first)
        try:
            said = client.recv(100)
        except ConnectionError:
            said = b""
    return not said.startswith(b"220")


def test_a31_a_listed_peer_must_say_who_it_is(make_gateway):
    gateway = proxied(make_gateway)
    for bad, first in BAD.items():
        at = len(gateway.log)
        assert ends_without_a_greeting(gateway.port, first), bad
        assert ends_without_a_greeting(gateway.starttls_port, first), bad
        wait_until(lambda: gateway.log[at:].count("event=proxy-header") == 2, f"both are logged: {bad}")
        assert "event=connected" not in gateway.log[at:] and "198.51.100.7" not in gateway.log[at:], bad


def test_a31_a_slow_header_is_closed_on_time(make_gateway):
    gateway = proxied(make_gateway, settings={"limits": {"handshake": "1s"}})
    for port in (gateway.port, gateway.starttls_port):
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(SIGNATURE)
            assert client.recv(100) == b""
    assert gateway.log.count("event=timeout") == 2


@pytest.mark.parametrize("networks", ["", '"192.0.2.1", "2001:db8::/32"'])
def test_a31_nobody_else_is_believed(make_gateway, networks):
    gateway = make_gateway(NOWHERE, start=False)
    gateway.listen_keys = f"proxy = {{{networks}}}" if networks else ""
    gateway.write_conf()
    gateway.start()
    at = len(gateway.log)
    for first in (header("198.51.100.7"), BAD["version 1"]):
        with gateway.connect(None) as client:
            client.send(first)
            assert client.reply().code == 500
        assert ends_without_a_greeting(gateway.port, first)
    wait_until(lambda: gateway.log[at:].count("event=disconnected") >= 4, "all are closed")
    assert "client=198.51.100.7" not in gateway.log and "proxy-header" not in gateway.log


def test_networks_are_checked_before_it_runs(make_gateway):
    gateway = make_gateway(NOWHERE, start=False)
    gateway.listen_keys = 'proxy = {"192.0.2.1/24"}'
    gateway.write_conf()
    checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    assert checked.returncode == CONFIG_ERROR and "192.0.2.1/24" in checked.stderr.decode()

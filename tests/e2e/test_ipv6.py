"""Next hops over IPv6: by AAAA records, address literals and the route. ::1 is the only such address of a loopback."""

from gateway import USER, mail, queue_id
from pki import server_context
from tools import free_port

import pytest

CLEAR = "rule default { protect = never }"
# No machine has it (RFC 3849).
NOT_OURS = "2001:db8::77"

ZONES = {
    "example.org": "@ A 127.0.0.2\n",  # for what is returned to the sender
    "example": """
six.mx AAAA ::1
both.mx AAAA ::1
both.mx A 127.0.0.2
four.mx A 127.0.0.2
by-mx MX 10 six.mx
implicit AAAA ::1
both MX 10 both.mx
six-then-four MX 10 six.mx
six-then-four MX 20 four.mx
""",
}


@pytest.fixture
def port():
    """Of all MX hosts."""
    return free_port()


@pytest.fixture
def six(make_sink, port):
    return make_sink(port=port, address="::1")


@pytest.fixture
def four(make_sink, port):
    return make_sink(port=port, address="127.0.0.2")


@pytest.fixture
def by_mx(make_gateway, nsd, port):
    """make(…) → a started gateway that asks the DNS server; settings of delivery."""
    def make(extra="", **delivery):
        settings = {"delivery": {"mx-port": port, "resolvers": nsd.address, **delivery}}
        return make_gateway("mx", rules=CLEAR, settings=settings, extra=extra)
    return make


def send(gateway, recipient):
    return queue_id(gateway.submit([recipient], mail(recipient)))


def last_delivered(gateway, sink, recipient, message_id):
    """The line of the trail for RECIPIENT's delivery, at the first attempt."""
    sink.wait(recipient)
    gateway.wait_state(recipient, None)
    lines = gateway.audit(message_id)
    assert lines[-1]["event"] == "delivered" and "deferred" not in [line["event"] for line in lines]
    return lines[-1]


@pytest.mark.parametrize("domain", ["by-mx.example", "implicit.example", "both.example"])
def test_it_goes_over_ipv6(by_mx, six, four, tag, domain):
    """First, where the host has an IPv4 address too."""
    gateway = by_mx()
    recipient = f"{tag}@{domain}"
    told = last_delivered(gateway, six, recipient, send(gateway, recipient))
    assert f"[::1]:{six.port}" in told["host"] and not four.connections


@pytest.mark.parametrize("domain", ["both.example", "six-then-four.example"])
@pytest.mark.parametrize("trouble", ["refused", "busy", "silent about TLS"])
def test_ipv4_is_tried_when_ipv6_is_dead(by_mx, make_sink, four, port, tag, domain, trouble):
    """In the same attempt: a broken IPv6 costs no retry."""
    script = {"busy": lambda verb, *_: "421 4.3.2 too busy" if verb == "CONNECT" else None,
              "silent about TLS": lambda verb, *_: False if verb == "STARTTLS" else None}.get(trouble)
    dead = make_sink(port=port, address="::1", script=script) if script else None
    gateway = by_mx(tls="encrypt")
    recipient = f"{tag}@{domain}"
    told = last_delivered(gateway, four, recipient, send(gateway, recipient))
    assert f"[127.0.0.2]:{port}" in told["host"]
    assert not dead or (dead.connections == 1 and not dead.messages)


def test_ipv6_is_tried_when_it_comes_back(by_mx, make_sink, four, port, tag):
    """What one message learned of an address does not hold for the next connection."""
    gateway = by_mx(**{"idle-timeout": "100ms"})
    first, second = f"{tag}-1@both.example", f"{tag}-2@both.example"
    last_delivered(gateway, four, first, send(gateway, first))
    four.stop()
    six = make_sink(port=port, address="::1")
    last_delivered(gateway, six, second, send(gateway, second))


def test_a_host_of_ipv6_alone_that_is_down_is_waited_for(by_mx, make_sink, port, tag):
    gateway = by_mx()
    recipient = f"{tag}@by-mx.example"
    message_id = send(gateway, recipient)
    gateway.wait_state(recipient, "deferred")
    assert f"[::1]:{port}" in gateway.audit(message_id)[-1]["reply"]
    make_sink(port=port, address="::1").wait(recipient)
    gateway.wait_state(recipient, None)


def test_an_address_literal(by_mx, six, tag):
    """RFC 5321 §4.1.3."""
    gateway = by_mx()
    recipient = f"{tag}@[IPv6:::1]"
    told = last_delivered(gateway, six, recipient, send(gateway, recipient))
    assert six.find(recipient)[0].tls and f"[::1]:{six.port}" in told["host"]


@pytest.mark.parametrize("literal, level", [("[IPv6:::1]", "verify"), ("[IPv6:::1]", "secure"), ("[127.0.0.2]", "secure")])
def test_a_literal_is_verified_by_its_address(by_mx, make_sink, pki, port, tag, literal, level):
    """The certificate names an address, and none stands in the name that TLS asks for (RFC 6066 §3)."""
    asked = []
    context = server_context(*pki.issue("literal.example", "IP:::1", "IP:127.0.0.2"))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    sink = make_sink(port=port, address="::1" if "v6" in literal else "127.0.0.2", tls=context)
    gateway = by_mx(tls=level)
    recipient = f"{tag}@{literal}"
    told = last_delivered(gateway, sink, recipient, send(gateway, recipient))
    assert "pkix" in told["out_tls_peer"] and asked == [None]


@pytest.mark.parametrize("certified", [True, False])
def test_a_route_of_an_ipv6_address(make_gateway, make_sink, pki, tag, certified):
    names = ("IP:::1",) if certified else ("IP:127.0.0.1", "IP:::2")
    sink = make_sink(address="::1", tls=server_context(*pki.issue(f"{tag}.example", *names)))
    gateway = make_gateway(f"[::1]:{sink.port}", rules=CLEAR, settings={"delivery": {"tls": "secure"}})
    recipient = f"{tag}@example.com"
    message_id = send(gateway, recipient)
    if certified:
        last_delivered(gateway, sink, recipient, message_id)
        return
    gateway.wait_state(recipient, "deferred")
    assert "not for ::1" in gateway.audit(message_id)[-1]["reply"] and not sink.said("MAIL")


def test_connections_come_from_the_source_address_of_their_kind(by_mx, make_sink, six, port, tag):
    peers = []
    make_sink(port=port, address="127.0.0.2", script=lambda verb, _argument, session: peers.append(session.client_address[0]))
    gateway = by_mx(**{"source-address": ["127.0.0.77", "::1"]})
    over_six, over_four = f"{tag}@by-mx.example", f"{tag}@[127.0.0.2]"
    last_delivered(gateway, six, over_six, send(gateway, over_six))
    message_id = send(gateway, over_four)
    gateway.wait_state(over_four, None)
    assert gateway.audit(message_id)[-1]["event"] == "delivered" and set(peers) == {"127.0.0.77"}


def test_a_source_address_that_is_not_ours_is_said(by_mx, six, four, tag):
    """Nothing goes out from another address than the one that was wanted; IPv4 is another matter."""
    gateway = by_mx(**{"source-address": [NOT_OURS, "127.0.0.77"]})
    alone, both = f"{tag}@by-mx.example", f"{tag}@both.example"
    message_id = send(gateway, alone)
    gateway.wait_state(alone, "deferred")
    assert NOT_OURS in gateway.audit(message_id)[-1]["reply"]
    last_delivered(gateway, four, both, send(gateway, both))
    assert not six.connections and not four.find(USER)

"""Next hops found by MX, asked of a real DNS server: each MX host is a loopback address, all on one port."""

import types

from dns import Nsd
from gateway import USER, Gateway, mail, queue_id
from pki import server_context
from sink import Sink
from tools import free_port, wait_until

import pytest

CLEAR = "rule default { protect = never }"

HOSTS = """
a.mx A 127.0.0.1
b.mx A 127.0.0.2
c.mx A 127.0.0.3
nobody.mx A 127.0.0.9
"""

ZONES = {
    "example.org": "@ MX 10 a.mx.example.\n",  # for what is returned to the sender
    "example": HOSTS + """
order MX 30 c.mx
order MX 10 a.mx
order MX 20 b.mx
first-down MX 10 nobody.mx
first-down MX 20 b.mx
first-unknown MX 10 missing.mx
first-unknown MX 20 b.mx
two-addresses MX 10 both.mx
both.mx A 127.0.0.9
both.mx A 127.0.0.2
implicit A 127.0.0.2
alias CNAME order
null MX 0 .
half-lost MX 10 nobody.mx
half-lost MX 20 missing.mx
empty TXT "neither MX nor address"
dangling MX 10 missing.mx
dangling MX 20 missing-too.mx
one MX 10 a.mx
two MX 10 b.mx
secure MX 10 a.mx
verify MX 10 a.mx
""",
}
LATE = "@ A 127.0.0.1\n"


@pytest.fixture(scope="module", autouse=True)
def waiting(pki):
    """A message whose DNS server is down, tried once. The resolver gives up only after some 20 s: begun before
    everything else here, and looked at behind all."""
    nsd = Nsd({"late.example": LATE, "example.org": LATE})
    nsd.stop()
    sink = Sink()
    try:
        once = {"queue": {"first-retry": "1h", "last-retry": "1h"}, "limits": {"drain": "1s"}}
        with Gateway(pki, "mx", rules=CLEAR, settings={**asking(nsd, sink.port), **once}) as gateway:
            yield nsd, gateway, sink, send(gateway, "bob@late.example"), "bob@late.example"
            gateway.stop()
            assert not gateway.complaints()
    finally:
        sink.stop()
        nsd.close()


def asking(nsd, port):
    """Settings: ask that server, and find the MX hosts at this port."""
    return {"delivery": {"mx-port": port, "resolvers": nsd.address}}


@pytest.fixture
def mx_gateway(make_gateway):
    """make(port of the MX hosts, nsd, …) → a started gateway that asks that server."""
    def make(port, nsd, **options):
        return make_gateway("mx", rules=CLEAR, settings=asking(nsd, port), **options)
    return make


@pytest.fixture
def hops(make_sink):
    """make(a={…}, b={…}) → sinks on 127.0.0.1, 127.0.0.2, … with one port; options of make_sink each."""
    def make(**options):
        port = free_port()
        options = options or {"a": {}, "b": {}, "c": {}}
        return types.SimpleNamespace(port=port, **{
            name: make_sink(port=port, address=f"127.0.0.{ord(name) - ord('a') + 1}", **option)
            for name, option in options.items()})
    return make


def send(gateway, *recipients):
    return queue_id(gateway.submit(recipients, mail(recipients)))


def events(gateway, message_id):
    return [line["event"] for line in gateway.audit(message_id)]


@pytest.mark.parametrize("domain, address", [
    ("order", "a"), ("alias", "a"), ("first-down", "b"), ("first-unknown", "b"), ("two-addresses", "b"),
    ("implicit", "b"),
])
def test_it_goes_to(mx_gateway, hops, nsd, tag, domain, address):
    sinks = hops()
    gateway = mx_gateway(sinks.port, nsd)
    message_id = send(gateway, f"{tag}@{domain}.example")
    getattr(sinks, address).wait(f"{tag}@{domain}.example")
    gateway.wait_state(f"{tag}@{domain}.example", None)
    assert events(gateway, message_id)[-1] == "delivered" and "deferred" not in events(gateway, message_id)
    for name in {"a", "b", "c"} - {address}:
        assert getattr(sinks, name).connections == 0, name


def busy(verb, _argument, _session):
    return "421 4.3.2 too busy" if verb == "CONNECT" else None


def test_a_host_that_answers_421_is_passed_over(mx_gateway, hops, nsd, tag):
    sinks = hops(a={"script": busy}, b={}, c={})
    gateway = mx_gateway(sinks.port, nsd)
    message_id = send(gateway, f"{tag}@order.example")
    sinks.b.wait(f"{tag}@order.example")
    gateway.wait_state(f"{tag}@order.example", None)
    assert sinks.a.connections == 1 and sinks.c.connections == 0
    assert "deferred" not in events(gateway, message_id)


def test_each_host_is_tried_in_turn_and_the_first_again_when_it_is_back(mx_gateway, hops, nsd, tag):
    sinks = hops()
    gateway = mx_gateway(sinks.port, nsd)
    for name in ("a", "b", "c"):
        send(gateway, f"{tag}-{name}@order.example")
        getattr(sinks, name).wait(f"{tag}-{name}@order.example")
        getattr(sinks, name).stop()
    send(gateway, f"{tag}-none@order.example")
    gateway.wait_state(f"{tag}-none@order.example", "deferred")
    sinks.a.start()
    sinks.a.wait(f"{tag}-none@order.example")


def test_every_domain_has_its_own_host(mx_gateway, hops, nsd, tag):
    sinks = hops()
    gateway = mx_gateway(sinks.port, nsd)
    one, two = f"{tag}@one.example", f"{tag}@two.example"
    send(gateway, one, two)
    assert sinks.a.wait(one).recipients == [one]
    assert sinks.b.wait(two).recipients == [two]
    gateway.wait_state(one, None)
    gateway.wait_state(two, None)
    assert len(sinks.a.messages) == len(sinks.b.messages) == 1


# ---- domains without a next hop ----


@pytest.mark.parametrize("domain, status, words", [
    ("null.example", "5.1.10", "556 5.1.10 the domain accepts no mail (null MX)"),
    ("nowhere.example", "5.1.2", "there is no such domain"),
    ("empty.example", "5.4.4", "empty.example: the host has no address"),
    ("dangling.example", "5.4.4", "the host has no address"),
])
def test_the_sender_is_told(mx_gateway, hops, nsd, tag, domain, status, words):
    sinks = hops()
    gateway = mx_gateway(sinks.port, nsd)
    message_id = send(gateway, f"{tag}@{domain}")
    dsn = sinks.a.wait(USER)
    assert dsn.sender == ""
    report = dsn.data.decode().replace("\r\n ", " ")  # unfolded
    assert f"\r\nFinal-Recipient: rfc822; {tag}@{domain}\r\nAction: failed\r\nStatus: {status}\r\n" in report
    diagnostic = [line for line in report.splitlines() if line.startswith("Diagnostic-Code:")]
    assert len(diagnostic) == 1 and words in diagnostic[0]
    gateway.wait_state(f"{tag}@{domain}", None)
    assert events(gateway, message_id)[-1] == "bounced"
    assert sinks.b.connections == sinks.c.connections == 0


def test_a_host_that_is_down_beside_one_that_is_unknown_is_waited_for(mx_gateway, hops, nsd, tag):
    """The host without an address says nothing of the other, which may come back."""
    sinks = hops()
    gateway = mx_gateway(sinks.port, nsd)
    message_id = send(gateway, f"{tag}@half-lost.example")
    gateway.wait_state(f"{tag}@half-lost.example", "deferred", None)
    assert events(gateway, message_id)[-1] == "deferred"


# ---- TLS ----


@pytest.mark.parametrize("level, certified, delivered", [
    ("secure", "secure.example", True),
    ("secure", "mail.secure.example", True),
    ("secure", "a.mx.example", False),
    ("verify", "a.mx.example", True),
    ("verify", "verify.example", False),
])
def test_whose_certificate_a_level_wants(mx_gateway, hops, nsd, pki, tag, level, certified, delivered):
    """Unsigned DNS could name any host: "secure" wants the domain itself, or a name below it, in the certificate."""
    sinks = hops(a={"tls": server_context(*pki.issue(certified))})
    recipient = f"{tag}@{level}.example"
    gateway = mx_gateway(sinks.port, nsd, extra=f'tls-policy "{level}.example" {{ level = {level} }}')
    message_id = send(gateway, recipient)
    if delivered:
        assert sinks.a.wait(recipient).tls
        return
    gateway.wait_state(recipient, "deferred")
    wanted = f"{level}.example" if level == "secure" else "a.mx.example"
    assert f"not for {wanted}" in gateway.audit(message_id)[-1]["reply"]
    assert not sinks.a.messages and not [c for c in sinks.a.commands if c[1] == "MAIL"]


# ---- a DNS server in trouble: wait, never "no such domain" ----


def delivered_once(gateway, sink, message_id, *recipients):
    """After being deferred and nothing else."""
    for recipient in recipients:
        assert sink.wait(recipient).sender == USER
        gateway.wait_state(recipient, None)
        told = [line["event"] for line in gateway.audit(message_id) if line.get("recipient") == recipient]
        assert told[-2:] == ["deferred", "delivered"] and "bounced" not in told, told
        assert len(sink.find(recipient)) == 1
    assert not sink.find(USER)


def test_it_waits_while_the_dns_server_fails_or_refuses(mx_gateway, hops, tag):
    """Lame as it is without the zone, it says REFUSED; when it cannot load the zone, SERVFAIL."""
    sinks = hops(a={})
    fails, refuses = f"{tag}@fails.example", f"{tag}@refuses.example"
    nsd = Nsd({"fails.example": None})
    try:
        gateway = mx_gateway(sinks.port, nsd)
        message_id = send(gateway, fails, refuses)
        for recipient in (fails, refuses):
            gateway.wait_state(recipient, "deferred")
        assert not sinks.a.connections
        nsd.stop()
        nsd.configure({"fails.example": LATE, "refuses.example": LATE, "example.org": LATE})
        nsd.start()
        delivered_once(gateway, sinks.a, message_id, fails, refuses)
    finally:
        nsd.close()


def test_it_waits_for_the_dns_server(waiting):
    nsd, gateway, sink, message_id, recipient = waiting
    gateway.wait_state(recipient, "deferred")
    assert not sink.connections
    nsd.start()
    # The resolver remembers its failure for some seconds.
    wait_until(lambda: gateway.ctl("queue", "retry", "all") and sink.find(recipient), lambda: gateway.tail())
    delivered_once(gateway, sink, message_id, recipient)

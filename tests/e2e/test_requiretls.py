"""REQUIRETLS (RFC 8689): only over verified TLS, only to a host that supports it, whatever the administrator allows."""

from gateway import USER, mail, queue_id
from pki import Pki, server_context
from tools import free_port, wait_until

import pytest

CLEAR = "rule default { protect = never }"
LAX = 'tls-policy ".example" { level = none }'
SUPPORTED = ["REQUIRETLS"]
DEMAND = " REQUIRETLS"
ZONES = {"example": "a.mx A 127.0.0.1\nb.mx A 127.0.0.2\ntwo MX 10 a.mx\ntwo MX 20 b.mx\nother MX 10 a.mx\nother MX 20 b.mx\n",
         "example.org": "@ MX 10 a.mx.example.\n"}


@pytest.fixture
def lax_gateway(make_gateway):
    """One whose administrator demands nothing of the next hop."""
    def make(route, *people, **options):
        options.setdefault("settings", {"delivery": {"tls": "none"}})
        return make_gateway(route, *people, **{"rules": CLEAR, "extra": LAX, **options})
    return make


def submit(gateway, address, **options):
    return queue_id(gateway.submit([address], mail(address, "canary\r\n"), mail_params=DEMAND, **options))


def outcome(gateway, message_id, address):
    """The last line of the trail, once it is over."""
    gateway.wait_state(address, None)
    return gateway.audit(message_id)[-1]


@pytest.mark.parametrize("domain", ["lax.example", "example.com"])
def test_it_goes_with_the_demand(lax_gateway, make_sink, tag, domain):
    sink = make_sink(features=SUPPORTED)
    gateway = lax_gateway(f"[localhost]:{sink.port}")
    address = f"{tag}@{domain}"
    message_id = submit(gateway, address)
    arrived = sink.wait(address)
    assert arrived.tls and " REQUIRETLS" in arrived.mail_line
    line = outcome(gateway, message_id, address)
    assert line["event"] == "delivered" and line["out_tls_peer"] == "verified for localhost (pkix); level secure by REQUIRETLS"


@pytest.mark.parametrize("kind", ["openpgp", "smime"])
def test_sealed_too(lax_gateway, make_sink, people, tag, kind):
    person = people.bob if kind == "openpgp" else people.dan
    sink = make_sink()
    gateway = lax_gateway(f"[localhost]:{sink.port}", person, rules="rule default { protect = require }")
    message_id = submit(gateway, person.tagged(tag))
    assert outcome(gateway, message_id, person.tagged(tag))["event"] == "bounced"
    assert b"Status: 5.7.30\r\n" in sink.wait(lambda m: m.sender == "").data
    assert not sink.find(person.tagged(tag))


def test_a_host_without_it_does_not_get_it_but_the_sender_hears(lax_gateway, make_sink, tag):
    """§5: the notification is not lost for want of the announcement; but its way is verified TLS as well."""
    sink = make_sink()
    gateway = lax_gateway(f"[localhost]:{sink.port}")
    message_id = submit(gateway, f"{tag}@lax.example")
    dsn = sink.wait(lambda m: m.sender == "")
    assert dsn.recipients == [USER] and dsn.tls and b"Status: 5.7.30\r\n" in dsn.data and b"REQUIRETLS" in dsn.data
    assert b"canary" not in dsn.data
    assert outcome(gateway, message_id, f"{tag}@lax.example")["event"] == "bounced"
    assert not sink.find(f"{tag}@lax.example") and len(sink.said("MAIL")) == 1
    wait_until(lambda: gateway.queue() == [], "the queue is empty")


@pytest.mark.parametrize("hop, why", [
    ("no TLS", "does not offer STARTTLS"), ("STARTTLS refused", "refused STARTTLS"),
    ("wrong name", "not for localhost"), ("untrusted", "not trusted"),
])
def test_a33_never_clear_and_never_unverified(lax_gateway, make_sink, pki, folder, tag, hop, why):
    def refuse(verb, _argument, _session):
        return "554 5.7.0 never" if verb == "STARTTLS" else None

    other = folder / tag
    other.mkdir()
    tls = {"no TLS": None, "wrong name": server_context(*pki.wrong_name),
           "untrusted": server_context(*Pki(other).next_hop)}
    sink = make_sink(tls=tls.get(hop, True), script=refuse if hop == "STARTTLS refused" else None, features=SUPPORTED)
    gateway = lax_gateway(f"[localhost]:{sink.port}")
    message_id = submit(gateway, f"{tag}@lax.example")
    line = outcome(gateway, message_id, f"{tag}@lax.example")
    assert line["event"] == "bounced" and why in line["reply"] and "REQUIRETLS" in line["reply"]
    # Nor does the notification, which tells of the message, leave any other way: it waits for one.
    gateway.wait_state(USER, "deferred")
    assert not sink.messages and not sink.said("MAIL")
    # Other mail of the same sender to the same place goes as the administrator allows.
    assert gateway.submit([f"other{tag}@lax.example"], mail(f"other{tag}@lax.example")).code == 250
    assert not sink.wait(f"other{tag}@lax.example").tls


def test_a3_what_was_announced_in_clear_does_not_count(lax_gateway, make_sink, tag):
    """§4.2.1: anybody on the wire can write into an EHLO reply before TLS."""
    def announce(verb, _argument, session):
        return "250-sink\r\n250-REQUIRETLS\r\n250 STARTTLS" if verb == "EHLO" and not session.tls else None

    sink = make_sink(script=announce)
    gateway = lax_gateway(f"[localhost]:{sink.port}")
    message_id = submit(gateway, f"{tag}@lax.example")
    assert outcome(gateway, message_id, f"{tag}@lax.example")["event"] == "bounced"
    assert b"Status: 5.7.30\r\n" in sink.wait(lambda m: m.sender == "").data
    assert not sink.find(f"{tag}@lax.example")


def test_what_passes_waits(lax_gateway, make_sink, tag):
    """A 4xx at STARTTLS is for later, not for ever."""
    refused = []

    def later(verb, _argument, _session):
        if verb == "STARTTLS" and not refused:
            refused.append(verb)
            return "454 4.7.0 not now"
        return None

    sink = make_sink(script=later, features=SUPPORTED)
    gateway = lax_gateway(f"[localhost]:{sink.port}")
    message_id = submit(gateway, f"{tag}@lax.example")
    assert sink.wait(f"{tag}@lax.example").tls
    outcome(gateway, message_id, f"{tag}@lax.example")
    assert [line["event"] for line in gateway.audit(message_id)] == ["accepted", "deferred", "delivered"]


def test_held_and_restarted_it_still_demands(lax_gateway, make_sink, people, tag):
    sink = make_sink(features=SUPPORTED)
    gateway = lax_gateway(f"[localhost]:{sink.port}", rules="rule default { protect = require on-missing-key = hold }")
    message_id = submit(gateway, people.bob.tagged(tag))
    gateway.kill()
    gateway.start()
    assert gateway.json("queue", "show", message_id)["message"]["requiretls"] is True
    gateway.add_keys(people.bob)
    arrived = sink.wait(people.bob.tagged(tag))
    assert arrived.tls and " REQUIRETLS" in arrived.mail_line


def test_a_returned_hold_is_told_of_over_verified_tls(lax_gateway, make_sink, tag):
    sink = make_sink()
    gateway = lax_gateway(f"[localhost]:{sink.port}", rules="rule default { protect = require on-missing-key = hold }")
    message_id = submit(gateway, f"{tag}@lax.example")
    gateway.ctl("held", "return", message_id)
    assert sink.wait(lambda m: m.sender == "").tls


def test_real_postfix_does_not_support_it(lax_gateway, postfix, tag):
    gateway = lax_gateway(f"[localhost]:{postfix.port}")
    message_id = submit(gateway, f"{tag}@lax.example")
    dsn = postfix.maildir.wait(lambda text: b"delivery-status" in text and tag.encode() in text)
    assert b"Status: 5.7.30\r\n" in dsn and b"with ESMTPS" in dsn
    assert "does not support REQUIRETLS" in outcome(gateway, message_id, f"{tag}@lax.example")["reply"]


def test_it_is_taken_over_tls_only(lax_gateway, make_sink):
    gateway = lax_gateway(make_sink().route)
    with gateway.connect("clear") as client:
        assert "REQUIRETLS" not in client.ehlo().lines
    with gateway.connect("starttls") as client:
        assert "REQUIRETLS" in client.ehlo().lines


# ---- by MX ----


@pytest.fixture(scope="module")
def for_two(pki):
    """A certificate for the domain two.example, as a host that is its MX must have when DNS is not vouched for."""
    return pki.issue("two.example", "DNS:example.org")


@pytest.mark.parametrize("domain, features, delivered", [
    ("two", ([], SUPPORTED), True),
    ("two", ([], []), False),
    ("other", (SUPPORTED, SUPPORTED), False),
])
def test_every_mx_is_tried(lax_gateway, make_sink, nsd, for_two, tag, domain, features, delivered):
    port = free_port()
    sinks = [make_sink(tls=server_context(*for_two), port=port, address=f"127.0.0.{n + 1}", features=features[n])
             for n in range(2)]
    gateway = lax_gateway("mx", settings={
        "delivery": {"tls": "none", "mx-port": port, "resolvers": nsd.address}})
    address = f"{tag}@{domain}.example"
    message_id = submit(gateway, address)
    line = outcome(gateway, message_id, address)
    assert line["event"] == ("delivered" if delivered else "bounced"), line
    if delivered:
        assert " REQUIRETLS" in sinks[1].wait(address).mail_line and \
            line["out_tls_peer"].startswith("verified for two.example (pkix); ")
    else:
        assert b"Status: 5.7.30\r\n" in sinks[0].wait(lambda m: m.sender == "").data
        assert not sinks[1].messages
    assert not sinks[0].find(address) and all(sink.connections for sink in sinks)

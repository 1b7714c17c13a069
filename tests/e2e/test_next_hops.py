"""Real servers as next hops, with TLS and without; and the TLS levels, which never let a message out below them."""

import ssl

import protection
import readers
from gateway import mail, queue_id
from pki import Pki, server_context

import pytest

LEVELS = ("none", "may", "encrypt", "verify", "secure")
POLICIES = "\n".join(f'tls-policy "{level}.example" {{ level = {level} }}' for level in LEVELS)


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "clear"])
@pytest.mark.parametrize("server", ["postfix", "exim"])
def test_real_server(request, make_gateway, people, tag, server, tls):
    peer = request.getfixturevalue(server)
    gateway = make_gateway(f"[localhost]:{peer.port if tls else peer.clear_port}", people.bob, people.dan,
                           settings={"delivery": {"tls": "verify" if tls else "may"}})
    recipients = [people.bob.tagged(tag), people.dan.tagged(tag)]
    message = mail(recipients, f"long line {'x' * 2000}\r\n..\r\n", Message_ID=f"<{tag}@example.org>")
    message_id = queue_id(gateway.submit(recipients, message))
    for person in (people.bob, people.dan):
        gateway.wait_state(person.tagged(tag), None)
        kind = "multipart/encrypted" if person.format == "openpgp" else "pkcs7-mime"
        arrived = peer.maildir.wait(lambda text, kind=kind: tag.encode() in text and kind.encode() in text)
        protection.assert_is(readers.read(person, arrived), message)
    for line in gateway.audit(message_id):
        if line["event"] == "delivered":
            assert line.get("out_tls_version", "").startswith("TLSv1.") == tls
            assert line["reply"].startswith("250 ") and line["host"]


@pytest.fixture(scope="module")
def untrusted(folder):
    (folder / "other").mkdir()
    return Pki(folder / "other")


@pytest.mark.parametrize("hop, delivered", [
    ("no TLS", {"none", "may"}),
    ("right name", set(LEVELS)),
    ("wrong name", {"none", "may", "encrypt"}),
    ("untrusted", {"none", "may", "encrypt"}),
    ("STARTTLS refused", {"none", "may"}),
])
def test_tls_levels(make_gateway, make_sink, pki, untrusted, people, tag, hop, delivered):
    def refuse(verb, _argument, _session):
        return "454 4.7.0 not now" if verb == "STARTTLS" else None

    tls = {"no TLS": None, "wrong name": server_context(*pki.wrong_name),
           "untrusted": server_context(*untrusted.next_hop)}
    sink = make_sink(tls=tls.get(hop, True), script=refuse if hop == "STARTTLS refused" else None)
    gateway = make_gateway(f"[localhost]:{sink.port}", people.bob, extra=POLICIES)
    recipients = {level: f"bob+{tag}@{level}.example" for level in LEVELS}
    for recipient in recipients.values():
        assert gateway.submit([recipient], mail(recipient)).code == 250
    for level, recipient in recipients.items():
        if level not in delivered:
            assert gateway.wait_state(recipient, "deferred")["attempts"] >= 1
            continue
        arrived = sink.wait(recipient)
        assert bool(arrived.tls) == (level != "none" and hop not in ("no TLS", "STARTTLS refused"))
    for level in set(LEVELS) - delivered:
        assert not sink.find(recipients[level])


@pytest.mark.parametrize("level", ["encrypt", "verify"])
def test_clear_by_rule_still_wants_the_tls_of_its_level(make_gateway, make_sink, tag, level):
    """Encrypted or not: below its level nothing leaves."""
    sink = make_sink(tls=False)
    gateway = make_gateway(sink.route, rules="rule default { protect = never }", settings={"delivery": {"tls": level}})
    gateway.submit([f"{tag}@example.com"], mail(f"{tag}@example.com"))
    assert gateway.wait_state(f"{tag}@example.com", "deferred")
    assert not sink.messages and not [c for c in sink.commands if c[1] == "MAIL"]


def test_clear_after_a_failed_handshake_is_counted_and_on_record(make_gateway, make_sink, pki, tag):
    """Level may alone; a handshake of a server that knows only what is too old."""
    old = server_context(*pki.next_hop)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    sink = make_sink(tls=old)
    gateway = make_gateway(sink.route, rules="rule default { protect = never }",
                           extra='tls-policy "strict.example" { level = encrypt }')
    lax, strict = f"{tag}@lax.example", f"{tag}@strict.example"
    message_id = queue_id(gateway.submit([lax], mail(lax)))
    assert not sink.wait(lax).tls
    gateway.wait_state(lax, None)
    assert gateway.audit(message_id)[-1]["out_tls_peer"] == "in clear: TLS failed; level may by delivery tls"
    gateway.submit([strict], mail(strict))
    gateway.wait_state(strict, "deferred")
    assert not sink.find(strict)
    counts = gateway.json("status")["delivery"]["delivered"]
    assert {way: n for way, n in counts.items() if n} == {"clear-after-failure": 1}

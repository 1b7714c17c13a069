"""Real servers as next hops, with TLS and without; and the TLS levels, which never let a message out below them."""

import ssl

import protection
import readers
from gateway import mail, queue_id
from more_peers import Chasquid, OpenSmtpd
from peers import Exim, Postfix
from pki import Pki, server_context
from tools import AS_ROOT

import pytest

LEVELS = ("none", "may", "encrypt", "verify", "secure")
POLICIES = "\n".join(f'tls-policy "{level}.example" {{ level = {level} }}' for level in LEVELS)


@pytest.fixture(scope="module")
def opensmtpd():
    if not AS_ROOT:
        pytest.skip("OpenSMTPD runs only as root")
    made = OpenSmtpd()
    yield made
    made.close()


@pytest.fixture(scope="module")
def chasquid(pki):
    made = Chasquid(pki, ["bob", "dan"])
    yield made
    made.close()


@pytest.mark.parametrize("server, tls", [("postfix", True), ("postfix", False), ("exim", True), ("exim", False),
                                         ("opensmtpd", False), ("chasquid", True)])
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


KINDS = ("wrong name", "expired", "self-signed")


@pytest.fixture(scope="module")
def bad(pki):
    """Certificates that are wrong for localhost."""
    return {"wrong name": pki.wrong_name, "expired": pki.issue("expired.example.net", "DNS:localhost", days=-1),
            "self-signed": pki.self_signed("localhost")}


@pytest.fixture(scope="module")
def bad_postfix(pki, bad, folder):
    if not AS_ROOT:
        pytest.skip("Postfix runs only as root")
    services = {}
    for kind, pair in bad.items():
        chain = folder / f"{kind.replace(' ', '-')}.chain.pem"
        chain.touch(mode=0o600)
        chain.write_bytes(b"".join(path.read_bytes() for path in reversed(pair)))
        services[kind] = f"-o smtpd_tls_chain_files={chain}"
    made = Postfix(pki, services=services)
    yield made
    made.close()


@pytest.fixture(scope="module")
def bad_exim(pki, bad):
    made = Exim(pki, certificates=bad)
    yield made
    made.close()


@pytest.mark.parametrize("kind, words", zip(KINDS, ("not for localhost", "certificate has expired", "self-signed certificate")))
@pytest.mark.parametrize("server", ["bad_postfix", "bad_exim"])
def test_a_real_server_with_a_bad_certificate(request, make_gateway, tag, server, kind, words):
    """It gets what asks for encryption alone, and nothing of what is for a proven host."""
    peer = request.getfixturevalue(server)
    gateway = make_gateway(f"[localhost]:{peer.ports[kind]}", rules="rule default { protect = never }", extra=POLICIES)
    proven, any_host = f"{tag}-proven@verify.example", f"{tag}-any@encrypt.example"
    message_id = queue_id(gateway.submit([proven, any_host], mail([proven, any_host], f"{tag}-body\r\n")))
    peer.maildir.wait(f"{tag}-body")
    gateway.wait_state(any_host, "delivered", None)
    gateway.wait_state(proven, "deferred")
    told = [line for line in gateway.audit(message_id) if line.get("recipient") == proven]
    assert told[-1]["event"] == "deferred" and words in told[-1]["reply"]
    assert f"to=<{proven}>" not in peer.log and f"for {proven}" not in peer.log


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

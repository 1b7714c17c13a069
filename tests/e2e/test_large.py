"""Mail as large as the limit: the memory that sealing it takes, nothing of it in clear on disk (A27), and what is over the
limit."""

import base64
import os
import threading
import types

import protection
import readers
import smtp
from conftest import run_gateway
from footprint import Footprint
from gateway import USER, Gateway, mail, queue_id
from signing import give_key, locked, signing_section, wait_home
from test_signing import MAY_SEND, SMIME
from test_threats_secrets import CANARY, search
from tools import AS_ROOT, BUILD, run

import pytest

LIMIT = 50 << 20  # limits message, as it is by default
SHARE_MAX = 3  # times the message: the most that the seal worker may hold

RULES = """
rule "gcm"    { when { recipient = {"@gcm.example"} } protect = require smime-cipher = aes-256-gcm }
rule "signed" { when { recipient = {"@signed.example"} } protect = require sign = require }
rule "clear"  { when { recipient = {"@clear.example"} } protect = never }
rule "hold"   { when { recipient = {"@hold.example"} } protect = require on-missing-key = hold }
rule default  { protect = require on-missing-key = refuse }
"""


@pytest.fixture(scope="module")
def cast(keyring):
    return types.SimpleNamespace(
        pat=keyring.openpgp("pat@plain.example", "pat@signed.example"),
        sam=keyring.smime("sam@plain.example", more=["sam@gcm.example", "sam@signed.example"]),
        late=keyring.smime("late@hold.example"),
        alice=locked(keyring, USER), alice_smime=keyring.smime(USER))


@pytest.fixture(scope="module")
def large(pki, sink, cast):
    """One seal worker, so that it is known which one has the message."""
    gateway = Gateway(pki, sink.route, RULES, settings={"seal": {"workers": 1}, "queue": {"recheck": "300ms"}})
    gateway.extra = "\n".join([MAY_SEND, signing_section(gateway, USER, cast.alice, cast.alice_smime)])
    gateway.write_conf()
    for started in run_gateway(gateway, [cast.pat, cast.sam]):
        wait_home(started)
        give_key(started, cast.alice.secret)
        yield started


@pytest.fixture(scope="module")
def attachments():
    """The end of a mail with ten attachments, the canary before, between and behind them, and its header fields."""
    raw = os.urandom(57 * 62000)
    parts = []
    for number in range(10):
        coded = base64.encodebytes(raw[57 * number:] + raw[:57 * number]).replace(b"\n", b"\r\n")
        parts.append(b"--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                     + f"{CANARY} Größe {number}\r\n".encode() * 20 +
                     b"--x\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
                     b"Content-Disposition: attachment; filename=data.bin\r\n\r\n" + coded)
    fields = {"MIME_Version": "1.0", "Content_Type": "multipart/mixed; boundary=x"}
    return fields, b"".join(parts) + b"--x--\r\n" + f"{CANARY}\r\n".encode()


def filled(recipient, fields, body, size=LIMIT):
    """A mail of exactly SIZE bytes: BODY, and lines of blanks before it (a preamble, or text)."""
    head = mail(recipient, "", **fields)
    missing = size - len(head) - len(body)
    lines, rest = divmod(missing, 78)
    return head + (b" " * 76 + b"\r\n") * (lines - 1) + b" " * (76 + rest) + b"\r\n" + body


def at(person, domain, tag):
    return f"{person.address.partition('@')[0]}+{tag}@{domain}.example"


def assert_fits(footprint, message):
    share = footprint.peak / len(message)
    print(f"{share:.2f} times the message of {len(message)} bytes; at rest {footprint.rest >> 20} MiB, "
          f"gpg {footprint.helpers >> 20} MiB, {footprint.looks} looks")
    assert footprint.looks > 5
    assert share <= SHARE_MAX


def sealed(gateway, sink, address, message):
    """Sends it, watching the memory and the disk meanwhile; what arrives."""
    worker, = gateway.pids("seal")
    with Footprint(worker) as footprint:
        reply = gateway.submit([address], message)
    assert reply.code == 250, f"{reply}\n{gateway.tail()}"
    assert gateway.pids("seal") == [worker], "no other worker took it"
    assert_fits(footprint, message)
    return sink.wait(address, 60).data, gateway.audit(queue_id(reply))


wants_root = pytest.mark.skipif(not AS_ROOT or "sanitized" in BUILD.parts,
                                reason="only root may look into a role, and a sanitised one keeps what was freed")


@wants_root
@pytest.mark.parametrize("who, domain, cipher", [
    ("pat", "plain", "AES256"), ("pat", "signed", "AES256"), ("sam", "plain", "AES-256-CBC"), ("sam", "signed", "AES-256-CBC"),
    ("sam", "gcm", "AES-256-GCM")])
def test_the_memory_of_sealing(large, sink, cast, tag, attachments, who, domain, cipher):
    person = getattr(cast, who)
    address = at(person, domain, tag)
    fields, body = attachments
    message = filled(address, fields, body)
    arrived, trail = sealed(large, sink, address, message)
    line, = [line for line in trail if line["event"] == "sealed"]
    assert line["cipher"] == cipher
    assert [line["event"] for line in trail].count("signed") == (domain == "signed")
    entity = readers.read(person, arrived)
    if domain == "signed" and who == "sam":
        assert entity.startswith(b"Content-Type: multipart/signed") and message.partition(b"\r\n\r\n")[2] in entity
    else:
        protection.assert_is(entity, message)


@wants_root
def test_the_memory_of_what_a_rule_sends_clear(large, sink, tag, attachments):
    address = f"{tag}@clear.example"
    message = filled(address, *attachments)
    arrived, _ = sealed(large, sink, address, message)
    assert arrived.endswith(message)


@wants_root
@pytest.mark.parametrize("who", ["pat", "sam"])
def test_the_memory_of_what_the_client_sealed(large, sink, cast, tag, who):
    person = getattr(cast, who)
    address = at(person, "plain", tag)
    plaintext = os.urandom(36 << 20)
    if who == "pat":
        armored = run("gpg", "--homedir", person.home, "--batch", "--trust-model", "always", "--armor", "-z", "0",
                      "--encrypt", "-f", person.certificate, input=plaintext).stdout.replace(b"\n", b"\r\n")
        fields = {"Content_Type": 'multipart/encrypted; protocol="application/pgp-encrypted"; boundary="x"'}
        body = (b"--x\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n"
                b"--x\r\nContent-Type: application/octet-stream\r\n\r\n" + armored + b"\r\n--x--\r\n")
    else:
        made = run("openssl", "cms", "-encrypt", "-binary", "-aes256", "-outform", "DER", person.certificate,
                   input=plaintext).stdout
        fields = {"Content_Type": "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
                  "Content_Transfer_Encoding": "base64"}
        body = base64.encodebytes(made).replace(b"\n", b"\r\n")
    message = mail(address, "", MIME_Version="1.0", **fields) + body
    assert len(message) > 0.9 * LIMIT
    arrived, trail = sealed(large, sink, address, message)
    assert arrived.endswith(message)
    line, = [line for line in trail if line["event"] == "sealed"]
    assert line["reason"] == "sealed by the client"


@wants_root
@pytest.mark.parametrize("how", ["opaque", "detached"])
def test_the_memory_of_what_the_client_signed(large, sink, cast, tag, how):
    """Where a rule wants a signature: the client's is found by its content, which is decoded for that."""
    address = at(cast.sam, "signed", tag)
    entity = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" \
        + base64.encodebytes(os.urandom((26 if how == "opaque" else 36) << 20)).replace(b"\n", b"\r\n")
    signature = base64.encodebytes(run(
        "openssl", "cms", "-sign", "-binary", "-outform", "DER", "-md", "sha256", "-signer", cast.alice_smime.certificate,
        "-inkey", cast.alice_smime.secret, *(["-nodetach"] if how == "opaque" else []), input=entity).stdout)
    if how == "opaque":
        fields = {"Content_Type": "application/pkcs7-mime; smime-type=signed-data", "Content_Transfer_Encoding": "base64"}
        body = signature.replace(b"\n", b"\r\n")
    else:
        fields = {"Content_Type": f'multipart/signed; protocol="{SMIME}"; micalg=sha-256; boundary="sig"'}
        body = (b"--sig\r\n" + entity + b"\r\n--sig\r\nContent-Type: " + SMIME.encode() +
                b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + signature.replace(b"\n", b"\r\n") + b"\r\n--sig--\r\n")
    message = mail(address, "", MIME_Version="1.0", **fields) + body
    assert 0.9 * LIMIT < len(message) < LIMIT
    arrived, trail = sealed(large, sink, address, message)
    assert "signed" not in [line["event"] for line in trail], "once is enough"
    assert readers.read(cast.sam, arrived).endswith(body)


@wants_root
def test_the_memory_of_releasing_what_was_held(large, sink, cast, tag, attachments):
    address = cast.late.address
    message = filled(address, *attachments)
    assert "held for a key" in str(large.submit([address], message))
    worker, = large.pids("seal")
    with Footprint(worker) as footprint:
        large.add_keys(cast.late)
        arrived = sink.wait(address, 60).data
    assert large.pids("seal") == [worker]
    assert_fits(footprint, message)
    protection.assert_is(readers.read(cast.late, arrived), message)


def test_a27_a_large_mail_is_nowhere_on_disk(make_gateway, people, tag, attachments):
    """Sealed, held and clear by rule, for a next hop that is down; looked for while it is sealed and stored, then."""
    gateway = make_gateway("[127.0.0.1]:9", people.dan, rules=RULES)
    recipients = [people.dan.tagged(tag), f"{tag}@hold.example", f"{tag}@clear.example"]
    message = filled(recipients, *attachments)
    found, searches, done = [], [], threading.Event()

    def keep_searching():
        while not done.wait(0.5):
            found.extend(search(gateway))
            searches.append(1)

    thread = threading.Thread(target=keep_searching)
    with smtp.Raw(gateway.port, gateway.pki, timeout=120) as client:
        client.ready(gateway).envelope(USER, recipients)
        client.send(smtp.dot_stuff(message)[:-3])
        thread.start()
        client.send(b".\r\n")
        try:
            reply = client.reply()
        finally:
            done.set()
            thread.join()
    assert reply.code == 250, f"{reply}\n{gateway.tail()}"
    assert searches and found == []
    for state, address in (("deferred", recipients[0]), ("held", recipients[1]), ("deferred", recipients[2])):
        gateway.wait_state(address, state)
    assert (gateway.state_dir / "queue").exists() and search(gateway) == []
    gateway.kill()
    assert search(gateway) == []


# ---- over the limit ----


def test_one_byte_over_the_limit_is_too_much(large, cast, tag):
    """Announced by SIZE, it is refused before it is sent; else behind the final dot, and nothing of it is kept meanwhile."""
    address = at(cast.sam, "plain", tag)
    with large.connect() as client:
        client.ready(large)
        assert client.command(f"MAIL FROM:<{USER}> SIZE={LIMIT}").code == 250
        assert client.command("RSET").code == 250
        assert str(client.command(f"MAIL FROM:<{USER}> SIZE={LIMIT + 1}")) == \
            f"552 5.3.4 The message is too big: the limit is {LIMIT} bytes"
        reply = client.submit(USER, [address], filled(address, {}, b"", LIMIT + 1))
        assert str(reply) == "552 5.3.4 The message is too big: make its attachments smaller"
        assert client.submit(USER, [address], mail(address)).code == 250

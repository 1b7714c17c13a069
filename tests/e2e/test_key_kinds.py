"""Recipients with every kind of key, in one message: each reads it with their key alone. And who has a key that the libraries
cannot seal to is told so."""

import datetime

import protection
import readers
from conftest import run_gateway
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from gateway import Gateway, mail, queue_id
from tools import run

import pytest

OPENPGP = ("rsa3072", "elg2048", "nistp384", "nistp521", "brainpoolP256r1", "brainpoolP512r1", "cv25519")
SMIME = ("rsa:3072", "P-256", "P-384", "P-521", "brainpoolP384r1")
RULES = """
rule "gcm"  { when { recipient = {"@gcm.example"} } protect = require smime-cipher = aes-256-gcm smime-key-transport = oaep }
rule default { protect = require on-missing-key = refuse }
"""


def local(kind):
    return kind.lower().replace(":", "")


@pytest.fixture(scope="module")
def pgp_people(keyring):
    return [keyring.openpgp(f"{local(kind)}@kinds.example", algorithm=kind) for kind in OPENPGP]


@pytest.fixture(scope="module")
def smime_people(keyring):
    return [keyring.smime(f"{local(kind)}@cbc.example", kind, more=[f"{local(kind)}@gcm.example"]) for kind in SMIME]


@pytest.fixture(scope="module")
def sealing(pki, sink, pgp_people, smime_people):
    yield from run_gateway(Gateway(pki, sink.route, RULES), [*pgp_people, *smime_people])


def sent(gateway, sink, recipients):
    """One message to all: it arrives as one copy; the line of the trail for each recipient."""
    message = mail(recipients, "For all of you.\r\n")
    reply = gateway.submit(recipients, message)
    assert str(reply).endswith(f"sealed for {len(recipients)} of {len(recipients)} recipients"), str(reply)
    arrived = sink.wait(recipients[0])
    assert sorted(arrived.recipients) == sorted(recipients)
    return message, arrived.data, [line for line in gateway.audit(queue_id(reply)) if line["event"] == "sealed"]


def test_openpgp_of_every_kind_in_one_message(sealing, sink, pgp_people, tag):
    message, arrived, sealed = sent(sealing, sink, [person.tagged(tag) for person in pgp_people])
    assert readers.key_ids(arrived) == sorted(key for person in pgp_people for key in person.key_ids)
    for person in pgp_people:
        protection.assert_is(readers.with_rnp(person, arrived), message)  # it has this one secret key
    assert {line["cipher"] for line in sealed} == {"AES256"}
    assert sorted(line["fingerprint"] for line in sealed) == sorted(person.fingerprint for person in pgp_people)


@pytest.mark.parametrize("domain, cipher", [("cbc", "AES-256-CBC"), ("gcm", "AES-256-GCM")])
def test_smime_of_every_kind_in_one_message(sealing, sink, smime_people, tag, domain, cipher):
    recipients = [person.tagged(tag).replace("@cbc.", f"@{domain}.") for person in smime_people]
    message, arrived, sealed = sent(sealing, sink, recipients)
    assert readers.serials(arrived) == sorted(person.serial for person in smime_people)
    for person in smime_people:
        protection.assert_is(readers.with_openssl(person, arrived), message)
    assert {line["cipher"] for line in sealed} == {cipher}
    printed = run("openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "SMIME", input=arrived).stdout.decode()
    # P-256 has the KDF with SHA-256, the larger curves with SHA-384 (RFC 5753 §7.1.4); the session key AES-256 key wrap.
    assert printed.count("dhSinglePass-stdDH-sha256kdf-scheme") == 1
    assert printed.count("dhSinglePass-stdDH-sha384kdf-scheme") == 3
    assert printed.count("rsaesOaep" if domain == "gcm" else "rsaEncryption") >= 1


@pytest.mark.parametrize("ciphers, cipher, number", [("AES192 AES", "AES192", 8), ("AES", "AES128", 7),
                                                     ("CAMELLIA256", "Camellia256", 13), ("3DES", "3DES", 2)])
def test_the_trail_names_the_cipher_that_was_used(sealing, sink, keyring, tag, ciphers, cipher, number):
    """By what the certificate says its owner reads; gpg tells at decryption what it was (number: RFC 4880 §9.2)."""
    person = keyring.openpgp(f"{tag}@kinds.example", ciphers=ciphers)
    sealing.add_keys(person)
    _, arrived, (line,) = sent(sealing, sink, [person.address])
    said = run("gpg", "--homedir", person.home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "",
               "--status-fd", "2", "--decrypt", input=readers.armored(arrived)).stderr.decode()
    assert line["cipher"] == cipher and f"DECRYPTION_INFO 2 {number} " in said


# ---- what cannot be sealed to ----


def refused(gateway, address):
    with gateway.connect() as client:
        client.ready(gateway)
        assert client.command("MAIL FROM:<alice@example.org>").code == 250
        return client.command(f"RCPT TO:<{address}>")


def packet(tag, body):
    return bytes([0xc0 | tag, len(body)]) + body


def test_openpgp_version_6_alone_is_unsupported(sealing, tag, tmp_path):
    """RFC 9580 §5.5.2.3, an Ed25519 key; GnuPG 2.2 would not say anything of it."""
    address = f"{tag}@kinds.example"
    key = b"\x06" + (1700000000).to_bytes(4, "big") + bytes([27]) + (32).to_bytes(4, "big") + bytes(range(32))
    path = tmp_path / "v6"
    path.write_bytes(packet(6, key) + packet(13, f"Test <{address}>".encode()))
    sealing.ctl("key", "add", path)
    reply = refused(sealing, address)
    assert reply.code == 550 and "version 6" in reply.text, str(reply)


def test_an_x25519_certificate_is_unsupported(sealing, tag, tmp_path):
    """RFC 8418, which OpenSSL 3.0 does not have."""
    address = f"{tag}@kinds.example"
    now = datetime.datetime.utcnow()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test")])
    certificate = x509.CertificateBuilder(
        name, name, x25519.X25519PrivateKey.generate().public_key(), x509.random_serial_number(),
        now - datetime.timedelta(1), now + datetime.timedelta(30)).add_extension(
            x509.SubjectAlternativeName([x509.RFC822Name(address)]), False).sign(
                ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    path = tmp_path / "x25519.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    sealing.ctl("key", "add", path)
    reply = refused(sealing, address)
    assert reply.code == 550 and "X25519" in reply.text, str(reply)

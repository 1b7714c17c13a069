"""Who learns of whom (A10), and what passes for sealed (A12)."""

import protection
import readers
from gateway import mail, queue_id
from tools import run

import pytest


def test_a10_each_bcc_recipient_has_a_copy_that_names_nobody_else(gateway, people, sink, tag):
    to, cc = people.bob.tagged(tag), people.dan.tagged(tag)
    blind = [people.carol.tagged(tag), people.erin.tagged(tag)]
    message = mail(to, "body\r\n", Cc=cc, Bcc=", ".join(blind), Resent_Bcc=blind[0], Message_ID=f"<{tag}@example.org>")
    reply = gateway.submit([to, cc, *blind], message)
    message_id = queue_id(reply)
    assert str(reply).endswith("sealed for 4 of 4 recipients")
    for person in (people.bob, people.dan, people.carol, people.erin):
        own = person.tagged(tag)
        arrived = sink.wait(own)
        assert arrived.recipients == [own]
        everything = arrived.data + readers.read(person, arrived.data)
        protection.assert_is(readers.read(person, arrived.data), message)
        for other in blind:
            assert other == own or other.encode() not in everything, f"{own} learns of {other}"
        assert b"bcc:" not in everything.lower()  # a colon: letters come by chance in base64
        if person.format == "openpgp":
            assert readers.key_ids(arrived.data) == sorted(person.key_ids)
        else:
            assert readers.serials(arrived.data) == [person.serial]
    # Nor does the log name one recipient in a line of another's copy.
    for line in gateway.log.splitlines():
        if message_id in line:
            assert sum(address in line for address in (to, cc, *blind)) <= 1, line


def test_a10_bcc_recipient_without_any_header_field(gateway, people, sink, tag):
    """Most programs send no Bcc field at all: who is not named in To or Cc is blind."""
    to, blind = people.bob.tagged(tag), people.carol.tagged(tag)
    gateway.submit([to, blind], mail(to))
    assert readers.key_ids(sink.wait(to).data) == list(people.bob.key_ids)
    assert readers.key_ids(sink.wait(blind).data) == list(people.carol.key_ids)


def test_a10_dsn_names_only_its_own_recipient(make_gateway, make_sink, people, tag):
    to, blind = people.bob.tagged(tag), people.carol.tagged(tag)

    def refuse_blind(verb, argument, _session):
        return "550 5.1.1 no such user" if verb == "RCPT" and blind in argument else None

    sink = make_sink(script=refuse_blind)
    gateway = make_gateway(sink.route, people.bob, people.carol)
    gateway.submit([to, blind], mail(to, "body\r\n", Bcc=blind))
    dsn = sink.wait(lambda m: m.sender == "")
    assert blind.encode() in dsn.data
    assert b"bcc" not in dsn.data.lower() and b"BEGIN PGP MESSAGE" not in dsn.data


def claims(people):
    """Messages that only look as if they were encrypted."""
    fake = "-----BEGIN PGP MESSAGE-----\r\n\r\nbm90IGVuY3J5cHRlZA==\r\n=AAAA\r\n-----END PGP MESSAGE-----\r\n"
    own = run("gpg", "--homedir", people.carol.home, "--batch", "--trust-model", "always", "--armor", "--encrypt", "-r",
              people.carol.fingerprint, input=b"hello").stdout.decode().replace("\n", "\r\n")

    def pgp_mime(payload):
        return ('--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b\r\n'
                f'Content-Type: application/octet-stream\r\n\r\n{payload}\r\n--b--\r\n')

    encrypted = 'multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b'
    return {
        "type only": (encrypted, "clear text"),
        "type and empty parts": (encrypted, pgp_mime("")),
        "type and text in armor": (encrypted, pgp_mime(fake)),
        "sealed for somebody else": (encrypted, pgp_mime(own)),
        "S/MIME type only": ("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "clear text"),
        "armor in the body": ("text/plain", fake + "clear text\r\n"),
        "attachment name": ('application/octet-stream; name="encrypted.asc"', "clear text"),
    }


@pytest.mark.parametrize("which", [
    "type only", "type and empty parts", "type and text in armor", "sealed for somebody else", "S/MIME type only",
    "armor in the body", "attachment name"])
def test_a12_a_message_that_only_claims_to_be_encrypted_is_sealed(gateway, people, sink, tag, which):
    address = people.bob.tagged(tag)
    kind, body = claims(people)[which]
    message = mail(address, body.rstrip() + "\r\n", subject="encrypted", MIME_Version="1.0", Content_Type=kind,
                   X_PGP_Encrypted="yes", X_Sealgate="sealed")
    reply = gateway.submit([address], message)
    assert str(reply).endswith("sealed for 1 of 1 recipients"), str(reply)
    arrived = sink.wait(address).data
    assert readers.key_ids(arrived) == list(people.bob.key_ids)
    protection.assert_is(readers.read(people.bob, arrived), message)
    assert b"clear text" not in arrived

"""One message, read by the programs that recipients use."""

import protection
import readers
from gateway import mail, queue_id

import pytest


@pytest.fixture(scope="module")
def sent(gateway, people, sink):
    """(submitted bytes, {format: what arrived}) of one message to four people."""
    recipients = [p.tagged("readers") for p in (people.bob, people.carol, people.dan, people.erin)]
    message = mail(recipients, "A body with trailing space \r\n\r\n-- \r\nand \xe9\r\n", MIME_Version="1.0",
                   Content_Type="text/plain; charset=utf-8")
    reply = gateway.submit(recipients, message)
    assert str(reply) == f"250 2.0.0 {queue_id(reply)} queued, sealed for 4 of 4 recipients"
    return message, {"openpgp": sink.wait(recipients[0]), "smime": sink.wait(recipients[2])}


def test_named_recipients_of_one_format_share_a_copy(sent, people):
    _, arrived = sent
    assert arrived["openpgp"].recipients == [people.bob.tagged("readers"), people.carol.tagged("readers")]
    assert arrived["smime"].recipients == [people.dan.tagged("readers"), people.erin.tagged("readers")]
    assert readers.key_ids(arrived["openpgp"].data) == sorted(people.bob.key_ids + people.carol.key_ids)
    assert readers.serials(arrived["smime"].data) == sorted([people.dan.serial, people.erin.serial])


@pytest.mark.parametrize("reader", [readers.with_gpg, readers.with_sq, readers.with_rnp])
@pytest.mark.parametrize("who", ["bob", "carol"])
def test_openpgp(sent, people, reader, who):
    message, arrived = sent
    protection.assert_is(reader(getattr(people, who), arrived["openpgp"].data), message)


@pytest.mark.parametrize("who", ["dan", "erin"])
def test_smime(sent, people, who):
    message, arrived = sent
    protection.assert_is(readers.with_openssl(getattr(people, who), arrived["smime"].data), message)


def test_outer_form_is_rfc_3156_and_rfc_8551(sent):
    _, arrived = sent
    kind = readers.header(arrived["openpgp"].data, "Content-Type")[0]
    assert kind.startswith("multipart/encrypted;") and 'protocol="application/pgp-encrypted"' in kind
    assert b"\r\nVersion: 1\r\n" in arrived["openpgp"].data
    kind = readers.header(arrived["smime"].data, "Content-Type")[0]
    assert kind.startswith("application/pkcs7-mime;") and "smime-type=enveloped-data" in kind
    for message in arrived.values():
        assert len(readers.header(message.data, "Received")) == 1
        assert "with ESMTPSA" in readers.header(message.data, "Received")[0]

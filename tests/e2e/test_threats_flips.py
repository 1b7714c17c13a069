"""A11: somebody on the way flips bits of a sealed copy. What OpenPGP and AES-GCM show, what CBC does not."""

import re

import flips
import protection
import readers
from conftest import run_gateway
from gateway import USER, Gateway, mail
from signing import signing_section

import pytest

RULES = """
rule "gcm"    { when { recipient = {"@gcm.example"} } protect = require smime-cipher = aes-256-gcm }
rule "cbc"    { when { recipient = {"@cbc.example"} } protect = require smime-cipher = aes-256-cbc }
rule "signed" { when { recipient = {"@signed.example"} } protect = require smime-cipher = aes-256-cbc sign = require }
rule default  { protect = require on-missing-key = refuse }
"""
TEXT = "Meet me at noon, and bring the contract.\r\n"


@pytest.fixture(scope="module")
def sam(keyring):
    return keyring.smime("sam@gcm.example", "ec", more=["sam@cbc.example", "sam@signed.example"])


@pytest.fixture(scope="module")
def alice(keyring):
    return keyring.smime(USER)


@pytest.fixture(scope="module")
def sealing(pki, sink, sam, alice):
    gateway = Gateway(pki, sink.route, RULES)
    gateway.extra = signing_section(gateway, USER, smime=alice)
    gateway.write_conf()
    yield from run_gateway(gateway, [sam])


def sealed(gateway, sink, domain, tag):
    """The CMS that arrives, and the message that was sent."""
    address = f"sam+{tag}@{domain}.example"
    message = mail(address, TEXT)
    assert gateway.submit([address], message).code == 250, gateway.tail()
    return flips.der(sink.wait(address).data), message


def content_of(data):
    """Place and length of the encrypted content: the last element [0] of CMS, before the MAC of GCM if there is one."""
    said = flips.openssl("-cmsout", "-print", "-noout", "-inform", "DER", data=data).decode()
    dump = said.partition("encryptedContent:")[2].partition("Attrs:")[0].partition("mac:")[0]
    content = bytes.fromhex("".join(re.findall(r"^\s+[0-9a-f]{4} - ((?:[0-9a-f]{2}[ -])+)", dump, re.M)).replace("-", " "))
    assert data.count(content) == 1 and len(content) > 400
    return data.index(content), len(content)


def opener(person):
    """decrypt(CMS) → what openssl gives out; None: refused."""
    return lambda data: flips.openssl("-decrypt", "-binary", "-inform", "DER", "-recip", str(person.certificate), "-inkey",
                                      str(person.secret), data=data)


def lengths_of(data, at):
    """Where the length octets of the packet AT stand (RFC 4880 §4.2.2): no encrypted data, and a last length that goes
    beyond the end is read up to the end."""
    at += 1
    found = []
    while 224 <= data[at] < 255:
        found.append(at)
        at += 1 + (1 << (data[at] & 31))
    return found + list(range(at, at + (1 if data[at] < 192 else 2 if data[at] < 224 else 5)))


def test_a11_gpg_refuses_every_flipped_byte(gateway, people, sink, tag):
    """In front of the encrypted data, a form of the session key that gpg does not look at may be left as it was meant, and
    so may a length: it never opens as anything else."""
    address = people.bob.tagged(tag)
    message = mail(address, TEXT)
    assert gateway.submit([address], message).code == 250
    arrived = sink.wait(address).data
    entity = readers.with_gpg(people.bob, arrived)
    protection.assert_is(entity, message)
    data = flips.binary(arrived)
    assert data[0] == 0x84, "one session key packet, with one octet of length"
    encrypted = 2 + data[1]
    opened = flips.with_gpg(people.bob, data)
    assert len(opened) == len(data) > 400
    framing = lengths_of(data, encrypted)
    assert [at for at, text in opened.items() if at >= encrypted and at not in framing and text is not None] == []
    assert {text for text in opened.values()} <= {None, entity}
    assert sum(text is not None for text in opened.values()) < 5 + len(framing)


def test_a11_openssl_refuses_every_flip_of_gcm(sealing, sink, sam, tag):
    data, message = sealed(sealing, sink, "gcm", tag)
    read = opener(sam)
    entity = read(data)
    protection.assert_is(entity, message)
    start, length = content_of(data)
    opened = flips.with_openssl(data, read)
    assert [at for at, text in opened.items() if at >= start and text is not None] == []
    # The MAC, all of it, and the ends of the content.
    ends = [start, start + length - 1, *range(start + length, len(data))]
    assert set(flips.with_openssl(data, read, ends).values()) == {None}
    # What stands in front is not authenticated (RFC 5083 §2.1), but opens as what it was, or not.
    assert set(opened.values()) <= {None, entity}


def test_a11_openssl_accepts_most_flips_of_cbc(sealing, sink, sam, tag):
    """CBC has no integrity. This is what the manual page warns of: only who looks at the padding notices, and that is in the
    last two blocks."""
    data, message = sealed(sealing, sink, "cbc", tag)
    read = opener(sam)
    entity = read(data)
    protection.assert_is(entity, message)
    start, length = content_of(data)
    assert start + length == len(data) and length % 16 == 0
    opened = flips.with_openssl(data, read, [at for at in flips.places(data) if at >= start])
    unseen = [at for at, text in opened.items() if text is not None]
    assert unseen and all(opened[at] != entity for at in unseen), "it is read, and says something else"
    assert {at for at in opened if at < len(data) - 32} <= set(unseen)
    # A block is garbled, and the bit that was flipped is flipped in the next one: the attacker's choice.
    at = start + 3 * 16
    read_now = read(flips.flipped(data, at))
    assert read_now[:48] == entity[:48] and read_now[80:] == entity[80:] and read_now[48:64] != entity[48:64]
    assert read_now[64:80] == bytes([entity[64] ^ data[at] ^ flips.flipped(data, at)[at]]) + entity[65:80]


def test_a11_a_signature_inside_shows_every_flip_of_cbc(sealing, sink, sam, alice, tag):
    """Whatever openssl still verifies is what was signed."""
    data, message = sealed(sealing, sink, "signed", tag)
    decrypt = opener(sam)

    def verify(cms):
        entity = decrypt(cms)
        return entity and flips.openssl("-verify", "-inform", "SMIME", "-CAfile", str(alice.certificate), "-purpose",
                                        "any", data=entity)

    entity = verify(data)
    protection.assert_is(entity, message)
    start, length = content_of(data)
    opened = flips.with_openssl(data, verify, [at for at in flips.places(data) if at >= start])
    assert len(opened) >= length // (flips.STRIDE + 1)
    assert set(opened.values()) <= {None, entity}
    # The text itself, where a change would matter most.
    assert sum(text is None for text in opened.values()) > len(opened) * 0.9

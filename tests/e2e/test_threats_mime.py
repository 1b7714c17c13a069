"""A16: messages made to eat the machine, through the whole gateway with header protection, legacy display and signing on, as they
are and behind a claim to be sealed or signed already. What is over the bounds is 554; what is just below is sealed. All of it
soon, in bounded memory, by one worker that lives on."""

import base64
import contextlib
import time

import protection
import readers
from conftest import run_gateway
from gateway import USER, Gateway
from signing import signing_section, verified_by_openssl
from test_threats_load import high_water
from tools import BUILD

import pytest

# The worker's deadline; a machine that has nothing else to do needs a fraction of a second for each.
SOON = 60
MEGABYTE = 1 << 20
# Of the worker, which holds a message about three times. AddressSanitizer keeps what was freed.
GROWTH_MAX = (2000 if "sanitized" in BUILD.parts else 64) * MEGABYTE

RULES = """
rule "pgp"   { when { recipient = {"@pgp.example"} } protect = require header-protection = shy legacy-display = yes }
rule "smime" { when { recipient = {"@smime.example"} } protect = require header-protection = baseline legacy-display = yes
               sign = require }
rule default { protect = require on-missing-key = refuse }
"""

CLAIMS = {
    "": "multipart/mixed",
    "sealed": 'multipart/encrypted; protocol="application/pgp-encrypted"',
    "signed": 'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256',
}


@pytest.fixture(scope="module")
def cast(keyring):
    return keyring.openpgp("pat@pgp.example"), keyring.smime("sam@smime.example"), keyring.smime(USER)


@pytest.fixture(scope="module")
def sealing(pki, sink, cast):
    pat, sam, alice = cast
    gateway = Gateway(pki, sink.route, RULES, settings={"seal": {"workers": 1}})
    gateway.extra = signing_section(gateway, USER, smime=alice)
    gateway.write_conf()
    yield from run_gateway(gateway, [pat, sam])


@contextlib.contextmanager
def bounded(gateway):
    pid, = gateway.pids("seal")
    before, started = high_water(pid), time.monotonic()
    yield
    assert time.monotonic() - started < SOON
    assert gateway.pids("seal") == [pid], "the worker was replaced"
    grown = high_water(pid) - before
    assert grown < GROWTH_MAX, f"{grown >> 20} MB more"


def message(to, kind, body, more=""):
    return (f"From: Alice Liddell <{USER}>\r\nTo: <{to}>\r\nSubject: A16\r\nDate: Thu, 01 Jan 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{to}>\r\nMIME-Version: 1.0\r\n{more}Content-Type: {kind}\r\n\r\n{body}").encode("latin-1")


def nested(depth, kind="multipart/mixed"):
    """Each multipart's first part is the next one."""
    return "".join(f"--b{i}\r\nContent-Type: {kind}; boundary=b{i + 1}\r\n\r\n" for i in range(depth))


def header_of(size, line):
    return line * (size // len(line) + 1)


# name → (kind, body, more header, words of the refusal); {claim} is what the message claims to be.
OVER = {
    "200,000 parts": ("{claim}; boundary=b", "--b\r\n\r\nx\r\n" * 200_000 + "--b--\r\n", "", "MIME parts"),
    "200,000 parts of an inner one": ("{claim}; boundary=a", "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                                      + "--b\r\n\r\nx\r\n" * 200_000, "", "MIME parts"),
    "depth 10,000": ("{claim}; boundary=b0", nested(10_000), "", "nested deeper"),
    "depth 10,000 of messages": ("{claim}; boundary=b0", "--b0\r\n" + "Content-Type: message/rfc822\r\n\r\n" * 10_000, "",
                                 "nested deeper"),
    "1 MB of fields": ("{claim}; boundary=b", "--b--\r\n", header_of(MEGABYTE, "X-Filler: " + "x" * 900 + "\r\n"), "header"),
    "1 MB of small fields": ("{claim}; boundary=b", "--b--\r\n", header_of(MEGABYTE, "A:b\r\n"), "fields"),
    "1 MB of one field": ("{claim}; boundary=b", "--b--\r\n", "X: x\r\n" + header_of(MEGABYTE, " " + "x" * 70 + "\r\n"),
                          "header"),
    "1 MB of parameters": ("{claim}; boundary=b;\r\n" + header_of(MEGABYTE, " a=b;\r\n") + " c=d", "--b--\r\n", "", "header"),
    "1 MB of a part's header": ("{claim}; boundary=b", "--b\r\n" + header_of(MEGABYTE, "X-Filler: " + "x" * 900 + "\r\n")
                                + "\r\n--b--\r\n", "", "header"),
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("which", OVER)
def test_a16_over_the_bounds_is_554(sealing, sink, cast, tag, which, claim):
    kind, body, more, words = OVER[which]
    to = cast[list(CLAIMS).index(claim) % 2].tagged(tag)
    with bounded(sealing):
        reply = sealing.submit([to], message(to, kind.format(claim=CLAIMS[claim]), body, more))
    assert reply.code == 554 and words in reply.text, str(reply)
    assert sealing.state(to) is None and not sink.find(to)


def long_parameters():
    """GMime#165: names of 70 to 72 characters with a long value that is not ASCII, on a multipart without a boundary."""
    return ";\r\n".join(["multipart/mixed", *(f' {"n" * size}{i}="' + "\xfc" * 200 + '"' for i in range(20)
                                               for size in (68, 69, 70, 71))])


def armored_nonsense():
    """As many session keys as there is room for, in armor."""
    packets = b"\x84\x1e\x03" + b"\x11" * 8 + b"\x01" + b"x" * 20
    lines = base64.encodebytes(packets * 50_000).decode().replace("\n", "\r\n")
    return f"-----BEGIN PGP MESSAGE-----\r\n\r\n{lines}-----END PGP MESSAGE-----\r\n"


def tlv(tag, body):
    size = len(body).to_bytes(4, "big")
    return bytes([tag, 0x84]) + size + body


def cms_nonsense():
    """EnvelopedData with 20,000 RecipientInfos of nobody's."""
    info = tlv(0x30, b"\x02\x01\x00" + tlv(0x30, tlv(0x30, b"") + b"\x02\x01\x05") + tlv(0x30, b"") + tlv(0x04, b"x" * 16))
    enveloped = tlv(0x30, b"\x02\x01\x00" + tlv(0x31, info * 20_000) + tlv(0x30, b""))
    der = tlv(0x30, bytes.fromhex("06092a864886f70d010703") + tlv(0xa0, enveloped))
    return base64.encodebytes(der).decode().replace("\n", "\r\n")


FIELDS_UP_TO_THE_BOUND = "".join(f"X-{i}: {'x' * 220}\r\n" for i in range(900))

# Up to the bounds, and beside them.
BELOW = {
    "1,000 parts": ("multipart/mixed; boundary=b", "--b\r\n\r\nx\r\n" * 999 + "--b--\r\n", ""),
    "depth 25": ("multipart/mixed; boundary=b0", nested(24, "multipart/alternative") + "--b24\r\n\r\nx\r\n", ""),
    "200 KB of fields": ("text/plain", "x\r\n", FIELDS_UP_TO_THE_BOUND),
    "200 KB of one field": ("text/plain", "x\r\n", "X: x\r\n" + header_of(200_000, " " + "x" * 70 + "\r\n")),
    "a subject of 60 KB": ("text/plain", "x\r\n", "Subject: " + " ".join(["=?utf-8?q?=C3=BC?=\r\n"] * 3000) + " x\r\n"),
    "an address field of 60 KB": ("text/plain", "x\r\n", "Cc: " + ",\r\n ".join(["Someone <a@b.example>"] * 2500) + "\r\n"),
    "parameters of 60 KB": ("text/plain;\r\n" + ";\r\n".join(f' a{i}="b{i}"' for i in range(4000)), "x\r\n", ""),
    "70-character parameters": (long_parameters(), "x\r\n", ""),
    "near misses of a boundary": ("multipart/mixed; boundary=" + "b" * 70, ("--" + "b" * 69 + "\r\n") * 20_000, ""),
    "armor of session keys": ("text/plain", armored_nonsense(), ""),
    "armor of session keys in PGP/MIME": (
        'multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b',
        "--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b\r\n"
        f"Content-Type: application/octet-stream\r\n\r\n{armored_nonsense()}\r\n--b--\r\n", ""),
    "CMS for 20,000": ("application/pkcs7-mime; smime-type=enveloped-data", cms_nonsense(),
                       "Content-Transfer-Encoding: base64\r\n"),
    "signed by nobody": ('multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary=b',
                         "--b\r\n\r\nx\r\n" * 900 + "--b--\r\n", ""),
    "a megabyte without a line end": ("text/plain", "x" * MEGABYTE + "\r\n", ""),
}


@pytest.mark.parametrize("which", BELOW)
def test_a16_within_the_bounds_is_sealed_soon(sealing, sink, cast, tag, which):
    kind, body, more = BELOW[which]
    pat, sam, alice = cast
    for person in (pat, sam):
        to = person.tagged(tag)
        sent = message(to, kind, body, more)
        with bounded(sealing):
            reply = sealing.submit([to], sent)
        assert str(reply).endswith("sealed for 1 of 1 recipients"), str(reply)
        arrived = sink.wait(to).data
        entity = readers.read(person, arrived)
        if person is sam:
            entity = verified_by_openssl(entity, alice)
        assert body.encode("latin-1").rstrip(b"\r\n") in entity
        if b"hp-legacy-display" not in entity:
            protection.assert_is(entity, sent)

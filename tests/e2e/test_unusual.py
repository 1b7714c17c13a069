"""Unusual content: what the recipient decrypts is what was submitted, byte for byte, in each format."""

import base64
import re

import protection
import readers
import smtp
from gateway import USER
from tools import run

import pytest

HEAD = b"From: alice@example.org\r\nTo: %s\r\nSubject: unusual\r\n"
MIME = b"MIME-Version: 1.0\r\n"


def text(kind, body, encoding="8bit"):
    return MIME + f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def parts(kind, *inner):
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in inner)
    return MIME + f"Content-Type: multipart/{kind}; boundary=b\r\n\r\n".encode() + body + b"--b--\r\n"


def all_bytes():
    """Every byte that 8BITMIME lets pass (RFC 6152): no NUL, CR and LF only together."""
    return bytes(c for c in range(1, 256) if c not in b"\r\n") + b"\r\n"


def line(length):
    return b"x" * (length - 2) + b"\r\n"


# What follows the first three fields.
UNUSUAL = {
    "UTF-8": text("text/plain; charset=utf-8", "Grüße, Ωμέγα, 漢字, 🔒\r\n".encode()),
    "Latin-1": text("text/plain; charset=iso-8859-1", "Grüße\r\n".encode("latin-1")),
    "ISO-2022-JP": text("text/plain; charset=iso-2022-jp", "日本語\r\n".encode("iso-2022-jp"), "7bit"),
    "8bit without MIME": b"\r\n" + "Grüße\r\n".encode("latin-1"),
    "8bit that is called 7bit": text("text/plain; charset=us-ascii", b"\xff\xfe\r\n", "7bit"),
    "UTF-8 cut within a character": text("text/plain; charset=utf-8", b"\xf0\x9f\x94\r\n\x80\r\n"),
    "every byte": text("application/octet-stream", all_bytes() * 3),
    "control characters": text("text/plain", b"\x01\x07\x08\x0b\x0c\x1a\x1b[31m\x7f\r\n", "7bit"),
    "binary attachment in base64": parts("mixed", text("text/plain", b"see there\r\n"), text(
        "application/octet-stream; name=\"a b.bin\"", base64.encodebytes(bytes(range(256)) * 40).replace(b"\n", b"\r\n"),
        "base64")),
    "base64 in one long line": text("application/octet-stream", base64.b64encode(bytes(range(256)) * 40) + b"\r\n", "base64"),
    "base64 with rubbish in it": text("application/octet-stream", b"AAEC!AwQF\r\n=\r\n===\r\nAAAA\r\n", "base64"),
    "quoted-printable that is wrong": text("text/plain", b"=\r\n=G0=0g =\t \r\n=", "quoted-printable") + b"\r\n",
    "uuencode": b"\r\nbegin 644 a\r\n#0V%T\r\n`\r\nend\r\n",
    "unknown encoding": text("text/plain", b"body\r\n", "x-rot13"),
    "line of 998 characters": b"\r\n" + line(1000),
    "line of 100,000 characters": b"\r\n" + line(100000) + line(78),
    "lines of dots": b"\r\n.\r\n..\r\n...\r\n.x\r\n",
    "dot at the very begin of the body": text("text/plain", b".\r\n"),
    "From at the begin of a line": b"\r\nFrom here on\r\n>From there\r\n",
    "dashes": b"\r\n- -----BEGIN PGP SIGNED MESSAGE-----\r\n-- \r\n--\r\n",
    "trailing blanks": b"\r\nx \t \r\n \r\n\t\r\n",
    "no body": b"",
    "no body, but the empty line": b"\r\n",
    "a body of one empty line": b"\r\n\r\n",
    "many empty lines": b"\r\n" * 1000,
    "multipart without parts": MIME + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    "multipart with an empty part": MIME + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b--\r\n",
    "multipart that does not end": MIME + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n",
    "multipart without boundary": MIME + b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
    "multipart with preamble and epilogue": MIME + b"Content-Type: multipart/mixed; boundary=\"b c\"\r\n\r\nbefore\r\n--b c\r\n"
                                            b"\r\nx\r\n--b c--\r\nbehind\r\n",
    "a message inside": MIME +
    b"Content-Type: message/rfc822\r\n\r\nFrom: x@example.net\r\nBcc: y@example.net\r\n\r\ninner\r\n",
    "unknown type": text("x-thing/x-other; a=\"b;c\"; d", b"x\r\n"),
    "Content-Type that is no type": text("text", b"x\r\n"),
    "empty Content-Type": MIME + b"Content-Type:\r\n\r\nx\r\n",
    "Content-Type with comments and folds": MIME +
    b"Content-Type: text/plain (a;\r\n b=c); charset\r\n\t=\r\n utf-8\r\n\r\nx\r\n",
    "Content-Type by RFC 2231": MIME +
    b"Content-Type: application/pdf; name*0*=utf-8''Gr%C3%BC;\r\n name*1*=%C3%9Fe.pdf\r\n\r\nx\r\n",
    "Content-Type twice": MIME + b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n",
    "Content-Type in capitals": MIME + b"CONTENT-TYPE: TEXT/PLAIN; CHARSET=UTF-8\r\n\r\nx\r\n",
    "fields of one kind twice": b"Keywords: a\r\nKeywords: b\r\nX-Empty:\r\nX-Blank: \t\r\n\r\nx\r\n",
    "a field of 20,000 characters": b"X-Long: " + b"y" * 900 + b"\r\n" + (b" " + b"y" * 900 + b"\r\n") * 20 + b"\r\nx\r\n",
    "blanks before the colon": b"X-Odd : a\r\n\r\nx\r\n",
    "encoded words": b"Comments: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?8J+Ukg==?=\r\n\r\nx\r\n",
}


@pytest.fixture(scope="module")
def sealed_parts(people):
    """What the client sealed for others, in both formats, as parts."""
    armored = run("gpg", "--homedir", people.bob.home, "--batch", "--trust-model", "always", "--armor", "--encrypt", "-f",
                  people.bob.certificate, input=b"inner").stdout.replace(b"\n", b"\r\n")
    der = run("openssl", "cms", "-encrypt", "-aes256", "-outform", "DER", people.dan.certificate, input=b"inner").stdout
    smime = text("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
                 base64.encodebytes(der).replace(b"\n", b"\r\n"), "base64")
    pgp_mime = (b"Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=e\r\n\r\n"
                b"--e\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n"
                b"--e\r\nContent-Type: application/octet-stream\r\n\r\n" + armored + b"\r\n--e--\r\n")
    return armored, pgp_mime, smime


def submitted_and_read(gateway, sink, people, tag, rest, fields=HEAD):
    """Sends it to one person of each format: (what was submitted, what they read) of each."""
    for person in (people.bob, people.dan):
        address = person.tagged(tag)
        head = fields % address.encode() if b"%s" in fields else fields
        message = head + rest
        with gateway.connect() as client:
            client.ready(gateway)
            assert client.command(f"MAIL FROM:<{USER}> BODY=8BITMIME").code == 250
            assert client.command(f"RCPT TO:<{address}>").code == 250
            assert client.command("DATA").code == 354
            client.send(smtp.dot_stuff(message))
            reply = client.reply()
        assert str(reply).endswith("sealed for 1 of 1 recipients"), str(reply)
        arrived = sink.wait(address).data
        assert readers.is_sealed(arrived)
        yield message, readers.read(person, arrived)


@pytest.mark.parametrize("which", UNUSUAL)
def test_what_is_read_is_what_was_submitted(open_gateway, sink, people, tag, which):
    for submitted, read in submitted_and_read(open_gateway, sink, people, tag, UNUSUAL[which]):
        protection.assert_is(read, submitted)


def test_what_the_client_says_of_header_protection_gives_way(open_gateway, sink, people, tag):
    """Only who protects may say so (RFC 9788)."""
    rest = MIME + b"Content-Type: text/plain; hp=\"clear\"; protected-headers=\"v0\"; charset=utf-8\r\n\r\nx\r\n"
    for _, read in submitted_and_read(open_gateway, sink, people, tag, rest):
        kind, = [field for field in protection.fields(read) if protection.name(field) == b"content-type"]
        assert re.findall(rb'(hp|protected-headers)="(\w+)"', kind) == [(b"hp", b"cipher"), (b"protected-headers", b"v1")]
        assert b"charset=utf-8" in kind and read.endswith(b"\r\n\r\nx\r\n")


@pytest.mark.parametrize("head", [
    b"From: alice@example.org\r\n",
    b"From: alice@example.org\r\nTo: undisclosed-recipients:;\r\n",
    b"Subject: no sender\r\n",
    b"X-Only: this\r\n",
    b"from:alice@example.org\r\nsubject:\r\nto:\r\n",
])
@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\nbody\r\n"], ids=["none", "empty", "some"])
def test_fields_that_are_missing(open_gateway, sink, people, tag, head, body):
    for submitted, read in submitted_and_read(open_gateway, sink, people, tag, body, head):
        protection.assert_is(read, submitted)


@pytest.mark.parametrize("which", ["side by side", "armor in text", "armor and more text", "key block", "signed text"])
def test_openpgp_and_smime_in_the_same_message(open_gateway, sink, people, tag, sealed_parts, which):
    """A message that is not nothing but sealed content is sealed as any other, whatever its parts are."""
    armored, pgp_mime, smime = sealed_parts
    rest = {
        "side by side": lambda: parts("mixed", pgp_mime, smime),
        "armor in text": lambda: b"\r\nlook:\r\n\r\n" + armored,
        "armor and more text": lambda: b"\r\n" + armored + b"\r\nand more\r\n" + armored,
        "key block": lambda: parts("mixed", text("text/plain", b"my key\r\n"), text(
            "application/pgp-keys", people.carol.certificate.read_bytes().replace(b"\n", b"\r\n"), "7bit")),
        "signed text": lambda: b"\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\nx\r\n"
                               b"-----BEGIN PGP SIGNATURE-----\r\n\r\nAAAA\r\n-----END PGP SIGNATURE-----\r\n",
    }[which]()
    for submitted, read in submitted_and_read(open_gateway, sink, people, tag, rest):
        protection.assert_is(read, submitted)

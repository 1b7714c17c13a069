"""
Real messages of other projects' test suites: each goes in over TLS and decrypts to the submitted bytes, or is refused.
They are from others, and some from nobody: their sender may send as anybody.
"""

import os
import pathlib
import re

import protection
import readers
import smtp
from gateway import USER
from tools import ROOT

import pytest

CORPUS = pathlib.Path(os.environ.get("SEALGATE_CORPUS", ROOT.parent / "shared/corpus"))
MESSAGES = CORPUS / "messages"

# path below messages/ → (code, words of the reason)
UTF8_HEADER = "characters outside ASCII: encode them (RFC 2047), or send with SMTPUTF8"
REFUSED = {
    "SpamScope+mail-parser/tests/mails/mail_malformed_3": (554, "5.6.0 The message has a NUL byte"),
    "albertito+chasquid/test/t-07-smtputf8/content": (550, UTF8_HEADER),
    "mailgun+flanker/tests/fixtures/messages/dkim/email.25": (554, "5.6.0 The message has a bare CR or LF"),
    "mikel+mail/spec/fixtures/emails/error_emails/invalid_subject_characters.eml": (550, UTF8_HEADER),
    "mikel+mail/spec/fixtures/emails/rfc6532/utf8_headers.eml": (550, UTF8_HEADER),
}

FILES = sorted(str(p.relative_to(MESSAGES)) for p in MESSAGES.rglob("*") if p.is_file()) if MESSAGES.is_dir() else []


def as_submitted(raw):
    """As a mail program sends the file: CRLF line ends, no mbox line, and an end to the last line."""
    raw = re.sub(rb"\AFrom [^\n]*\n", b"", raw)
    message = re.sub(rb"(?<!\r)\n", b"\r\n", raw)
    return message if message.endswith(b"\r\n") else message + b"\r\n"


@pytest.mark.skipif(not FILES, reason=f"no corpus of messages in {CORPUS} (SEALGATE_CORPUS)")
@pytest.mark.parametrize("path", FILES)
def test_message(open_gateway, people, sink, tag, path):
    gateway = open_gateway
    message = as_submitted((MESSAGES / path).read_bytes())
    recipients = [people.bob.tagged(tag), people.dan.tagged(tag)]
    with gateway.connect() as client:
        client.ready(gateway)
        assert client.command(f"MAIL FROM:<{USER}> BODY=8BITMIME").code == 250
        for recipient in recipients:
            assert client.command(f"RCPT TO:<{recipient}>").code == 250
        assert client.command("DATA").code == 354
        client.send(smtp.dot_stuff(message))
        reply = client.reply()
    if path in REFUSED:
        code, words = REFUSED[path]
        assert reply.code == code and words in reply.text, str(reply)
        return
    assert reply.code == 250, f"{path}: {reply}"
    for person, recipient in zip((people.bob, people.dan), recipients):
        arrived = sink.wait(recipient).data
        assert readers.is_sealed(arrived)
        protection.assert_is(readers.read(person, arrived), message)


@pytest.mark.skipif(not FILES, reason="no corpus")
def test_every_refused_one_is_in_the_corpus():
    assert set(REFUSED) <= set(FILES)

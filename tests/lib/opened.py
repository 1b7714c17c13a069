"""What of a letter a reader showed, in the words of the tables in doc/readers.md."""

import dataclasses
import email
import email.policy
import re

import letters


@dataclasses.dataclass
class Opened:
    text: str = ""
    file: bytes = b""
    subject: str = ""
    signature: bool = False  # said to be good, and by the sender
    said: str = ""  # what it printed

    @property
    def cell(self):
        """B: the text; A: the attachment; S: the subject; V: the signature; L: the lines of legacy display, shown once more."""
        text = lines(self.text)
        cell = {"B"} if text.endswith(lines(letters.TEXT)) else set()
        if f"Subject: {letters.SUBJECT}\n" in text:
            cell.add("L")
        if self.file == letters.FILE:
            cell.add("A")
        if self.subject == letters.SUBJECT:
            cell.add("S")
        if self.signature:
            cell.add("V")
        return cell


def lines(text):
    """A program may put more air between paragraphs."""
    return re.sub(r"\n{2,}", "\n\n", text.replace("\r\n", "\n")).strip("\n")


def entity(content, **more):
    """Of a reader that gives the decrypted or verified entity."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    text = message.get_body(("plain",))
    files = [part.get_content() for part in message.iter_attachments()]
    return Opened(text.get_content() if text else "", files[0] if files else b"", message["Subject"] or "", **more)


def split_signed(message):
    """The bytes of the signed part of a multipart/signed entity, and its signature, decoded."""
    boundary = re.escape(f"--{email.message_from_bytes(message).get_boundary()}".encode())
    _, part, signature, _ = re.split(rb"\r\n" + boundary + rb"(?:--)?(?:\r\n|$)", message)
    return part, email.message_from_bytes(signature).get_payload(decode=True)

"""mutt and neomutt at a terminal of their own: a letter is displayed, its attachment saved."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

from gateway import USER
from letters import OTHER
from opened import Opened

MUTTRC = """
set pager="{folder}/pager" prompt_after=no wait_key=no quit=yes timeout=1
set folder="{folder}" mbox_type=Maildir charset=utf-8 rfc2047_parameters=yes
set crypt_use_gpgme=yes crypt_verify_sig=yes crypt_protected_headers_read=yes
ignore *
unignore from to subject
"""
KEYS = "<display-message><view-attachments><last-entry>{move}<save-entry><kill-line>{folder}/file<enter><exit><quit>"


class Mutt:
    """PROGRAM: "mutt" or "neomutt"; HOME: GnuPG home with keys; FOLDER: a scratch folder."""

    def __init__(self, program, home, folder):
        self.program, self.folder = program, folder
        self.environment = {"HOME": str(folder), "GNUPGHOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8",
                            "PATH": "/usr/bin:/bin"}
        (folder / "muttrc").write_text(MUTTRC.format(folder=folder))
        # What it shows it gives to the pager in a file.
        (folder / "pager").write_text(f'#!/bin/sh\ncp "$1" {folder}/shown\n')
        (folder / "pager").chmod(0o755)
        for kind in ("cur", "new", "tmp"):
            (folder / "box" / kind).mkdir(parents=True)

    def open(self, letter):
        shown, file = self.folder / "shown", self.folder / "file"
        for made in (shown, file):
            made.unlink(missing_ok=True)
        (self.folder / "box/cur/letter:2,S").write_bytes(letter.arrived.replace(b"\r\n", b"\n"))
        # The signature is a part of its own, the last one.
        move = "<previous-entry>" if letter.signed and (letter.format == "smime" or not letter.sealed) else ""
        keys = KEYS.format(move=move, folder=self.folder)
        self.run("-n", "-F", self.folder / "muttrc", "-f", self.folder / "box", "-e", f'push "{keys}"')
        text = shown.read_text()
        # Fields of the mail come first, what was protected stands in front of the parts.
        head, _, rest = text.partition("[-- Attachment #1 --]\n")
        body = re.match(r"\[-- Type: text/plain.*? --\]\n\n(.*)\n\[-- Attachment #2", rest, re.S)
        subject = re.findall(r"^Subject: (.*)$", head, re.M)
        return Opened(body[1] if body else "", file.read_bytes() if file.exists() else b"", subject[-1], self.verified(text), text)

    @staticmethod
    def verified(text):
        signer = re.search(r"\[-- Begin signature information --\]\nGood signature from: (.*?)\n *created:", text, re.S)
        return bool(signer) and any(f"<{sender}>" in signer[1] for sender in (USER, OTHER))

    def run(self, *words):
        """In a terminal, to its end."""
        main, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        said = []
        with subprocess.Popen([self.program, *words], stdin=terminal, stdout=terminal, stderr=terminal, env=self.environment,
                              start_new_session=True) as process:
            os.close(terminal)
            reader = threading.Thread(target=self.read, args=(main, said))
            reader.start()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"{self.program} waits: {b''.join(said)[-2000:]}") from None
            finally:
                process.wait()
                reader.join()
                os.close(main)

    @staticmethod
    def read(main, said):
        """What it draws, so that it never waits for room."""
        try:
            while drawn := os.read(main, 65536):
                said.append(drawn)
        except OSError:  # EIO: it ended
            pass

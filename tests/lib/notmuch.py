"""notmuch, which mail programs such as its Emacs mode and alot show mail with."""

import json

from gateway import USER
from letters import OTHER
from opened import Opened
from tools import run


def leaves(part):
    """Parts that have no parts, in their order."""
    if isinstance(part.get("content"), list):
        return [leaf for child in part["content"] for leaf in leaves(child)]
    return [part]


class Notmuch:
    """HOME: GnuPG home with keys; FOLDER: a scratch folder. For one letter."""

    def __init__(self, cast, home, folder):
        self.openpgp = cast.alice.fingerprint
        self.mail = folder / "mail"
        for kind in ("cur", "new", "tmp"):
            (self.mail / kind).mkdir(parents=True)
        (folder / "config").write_text(f"[database]\npath={self.mail}\n[user]\nname=Test\nprimary_email=test@example.com\n")
        self.environment = {"HOME": str(folder), "GNUPGHOME": str(home), "NOTMUCH_CONFIG": str(folder / "config"),
                            "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}

    def notmuch(self, *words):
        return run("notmuch", *words, env=self.environment)

    def open(self, letter):
        (self.mail / "cur/letter:2,S").write_bytes(letter.arrived)
        self.notmuch("new", "--quiet")
        show = ("show", "--decrypt=true", "--verify", "--entire-thread=false")
        done = self.notmuch(*show, "--format=json", "*")
        message = json.loads(done.stdout)[0][0][0]
        parts = leaves(message["body"][0])
        text = next((part["content"] for part in parts if part["content-type"] == "text/plain"), "")
        file = next((part["id"] for part in parts if part.get("filename", "").endswith("bersicht.bin")), None)
        raw = self.notmuch(*show, "--format=raw", f"--part={file}", "*").stdout if file else b""
        said = done.stderr.decode() + json.dumps(message)
        return Opened(text, raw, message["headers"]["Subject"], self.verified(message), said)

    def verified(self, message):
        """All of its signatures are good, and by who wrote."""
        found = message["crypto"].get("signed", {}).get("status", [])
        return bool(found) and all(
            one["status"] == "good" and (one["fingerprint"] == self.openpgp or one.get("email") in (USER, OTHER))
            for one in found)

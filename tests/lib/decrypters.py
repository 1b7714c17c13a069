"""Programs and libraries that decrypt and verify, and leave MIME to others: each opens a letter with the reader's keys."""

import email
import os
import re

import opened
import readers
from gpgsm import gpgsm
from tools import BUILD, ROOT, run

NODE = ROOT / "tests/lib/node"


class Decrypter:
    """SENT: who wrote, who reads (see conftest.letters); HOME: GnuPG home of the readers; FOLDER: a scratch folder.

    Each kind has decrypt(letter) → (entity, signed well, what it said) and verify(letter, text, signature) → (well, said) with
    files."""

    def __init__(self, sent, home, folder):
        self.cast, self.authority, self.home, self.folder = sent.cast, sent.authority, home, folder

    def open(self, letter):
        if not letter.sealed:
            return self.open_signed(letter, letter.arrived)
        content, good, said = self.decrypt(letter)
        if content.lower().startswith(b"content-type: multipart/signed"):
            return self.open_signed(letter, content)
        return opened.entity(content, signature=good, said=said)

    def open_signed(self, letter, message):
        part, signature = opened.split_signed(message)
        text, file = self.folder / "text", self.folder / "signature"
        text.write_bytes(part)
        file.write_bytes(signature)
        good, said = self.verify(letter, text, file)
        return opened.entity(part, signature=good, said=said)


class Gpg(Decrypter):
    def gpg(self, *words, **options):
        done = run("gpg", "--homedir", self.home, "--batch", "--no-tty", "--status-fd", "2", *words, check=False, **options)
        said = done.stderr.decode()
        good = re.search(rf"VALIDSIG .* {self.cast.alice.fingerprint}$", said, re.M) and "GOODSIG" in said
        return done.stdout, bool(good), said

    def decrypt(self, letter):
        return self.gpg("--decrypt", input=readers.armored(letter.arrived))

    def verify(self, letter, text, signature):
        return self.gpg("--verify", signature, text)[1:]


class Sq(Decrypter):
    def sq(self, *words, **options):
        done = run("sq", *words, "--signer-cert", self.cast.alice.certificate, check=False, **options)
        return done.stdout, done.returncode == 0 and b"\n1 good signature." in done.stderr, done.stderr.decode()

    def decrypt(self, letter):
        if not letter.signed:  # with a signer's certificate it takes nothing without signature
            return readers.with_sq(letter.reader, letter.arrived), False, ""
        return self.sq("decrypt", "--recipient-key", letter.reader.secret, input=readers.armored(letter.arrived))

    def verify(self, letter, text, signature):
        return self.sq("verify", "--detached", signature, text)[1:]


class Rnp(Decrypter):
    def rnp(self, *words, **options):
        keys = self.folder / "keys"
        keys.write_bytes(self.cast.pat.secret.read_bytes() + self.cast.alice.certificate.read_bytes())
        done = run("rnp", "--homedir", self.folder, "--keyfile", keys, "--password", "", *words, check=False, **options)
        return done.stdout, b"Good signature" in done.stderr, done.stderr.decode()

    def decrypt(self, letter):
        return self.rnp("--decrypt", "--output", "-", input=readers.armored(letter.arrived))

    def verify(self, letter, text, signature):
        return self.rnp("--source", text, "--verify", signature)[1:]


class Node(Decrypter):
    def node(self, *words, **options):
        libraries = BUILD / "node/node_modules"
        assert libraries.is_dir(), "make node-libraries"
        done = run("node", "--no-warnings", *words, env={**os.environ, "NODE_PATH": str(libraries)}, check=False, **options)
        return done.stdout, done.stderr == b"good\n", done.stderr.decode()


class OpenpgpJs(Node):
    def decrypt(self, letter):
        return self.node(NODE / "openpgp.cjs", "decrypt", letter.reader.secret, self.cast.alice.certificate,
                         input=readers.armored(letter.arrived))

    def verify(self, letter, text, signature):
        return self.node(NODE / "openpgp.cjs", "verify", self.cast.alice.certificate, text, input=signature.read_bytes())[1:]


def cms(letter):
    """DER."""
    return email.message_from_bytes(letter.arrived).get_payload(decode=True)


class PkiJs(Node):
    def decrypt(self, letter):
        return self.node(NODE / "pkijs.cjs", "decrypt", letter.reader.secret, letter.reader.certificate, input=cms(letter))

    def verify(self, letter, text, signature):
        return self.node(NODE / "pkijs.cjs", "verify", self.authority.certificate, text, input=signature.read_bytes())[1:]


class OpensslCms(Decrypter):
    def openssl(self, *words, **options):
        done = run("openssl", "cms", "-binary", "-inform", "DER", *words, check=False, **options)
        return done.stdout, done.returncode == 0, done.stderr.decode()

    def decrypt(self, letter):
        content, _, said = self.openssl("-decrypt", "-recip", letter.reader.certificate, "-inkey", letter.reader.secret,
                                        input=cms(letter))
        return content, False, said

    def verify(self, letter, text, signature):
        return self.openssl("-verify", "-in", signature, "-content", text, "-CAfile", self.authority.certificate)[1:]


class Gpgsm(Decrypter):
    def gpgsm(self, *words, **options):
        done = gpgsm(self.home, "--status-fd", "2", *words, check=False, **options)
        said = done.stderr.decode()
        return done.stdout, "GOODSIG" in said and "TRUST_FULLY" in said, said

    def decrypt(self, letter):
        return self.gpgsm("--decrypt", input=cms(letter))

    def verify(self, letter, text, signature):
        return self.gpgsm("--verify", signature, text)[1:]

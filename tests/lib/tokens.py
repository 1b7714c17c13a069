"""A PKCS#11 token of SoftHSM, and the same token as an OpenPGP card through gnupg-pkcs11-scd."""

import os
import re
import shutil
import types

from tools import AS_ROOT, run, wait_until

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SCDAEMON = "/usr/bin/gnupg-pkcs11-scd"
PIN = "123456"
URI = "pkcs11:token=mail;object=key"


class Token:
    """A token "mail" with the key and certificate of PERSON (S/MIME, RSA), which the service user may use. OWNER: its
    account, None: ourselves."""

    def __init__(self, folder, person, owner):
        self.folder, self.owner = folder, owner
        self.conf, self.tokens = folder / "softhsm2.conf", folder / "tokens"
        self.person = person
        self.environment = {"SOFTHSM2_CONF": str(self.conf)}
        self.tokens.mkdir()
        self.conf.write_text(f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self._softhsm("--init-token", "--free", "--label", "mail", "--pin", PIN, "--so-pin", PIN)
        self._softhsm("--token", "mail", "--pin", PIN, "--import", person.secret, "--label", "key", "--id", "01")
        der = folder / "token.der"
        run("openssl", "x509", "-in", person.certificate, "-outform", "DER", "-out", der)
        self._pkcs11("--login", "--pin", PIN, "--write-object", der, "--type", "cert", "--label", "key", "--id", "01")
        self._give()

    def _softhsm(self, *words):
        run("softhsm2-util", *words, env={**os.environ, **self.environment})

    def _pkcs11(self, *words):
        return run("pkcs11-tool", "--module", MODULE, "--token-label", "mail", *words,
                   env={**os.environ, **self.environment}).stdout.decode()

    def _give(self):
        """Its files belong to whoever uses it."""
        for path in [self.tokens, *self.tokens.rglob("*")] if AS_ROOT else []:
            shutil.chown(path, self.owner.pw_uid, self.owner.pw_gid)

    def tries(self):
        """What the token says of wrong PINs: it was told one; it was told none."""
        return "wrong" if "PIN count low" in self._pkcs11("--list-slots") else "none"

    def pull(self):
        self.tokens.rename(self.folder / "pulled")
        self.tokens.mkdir()
        self._give()

    def put_back(self):
        self.tokens.rmdir()
        (self.folder / "pulled").rename(self.tokens)


def scd_conf(home):
    """What an administrator writes for gnupg-pkcs11-scd."""
    path = home / "gnupg-pkcs11-scd.conf"
    path.write_text(f"providers mail\nprovider-mail-library {MODULE}\n")
    return path


def make_card_key(token, keyring, address):
    """The OpenPGP key on TOKEN, made as an administrator does it, elsewhere: its certificate, and its fingerprint."""
    home = keyring.folder / "card"
    home.mkdir(mode=0o700)
    scd_conf(home)
    (home / "gpg-agent.conf").write_text(f"scdaemon-program {SCDAEMON}\n")
    environment = {**os.environ, **token.environment, "GNUPG_PKCS11_SOCKETDIR": str(home)}

    def gpg(*words, input=None):
        return run("gpg", "--homedir", home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase",
                   PIN, *words, input=input, env=environment).stdout

    try:
        gpg("--card-status")
        grip, = [path.stem for path in (home / "private-keys-v1.d").iterdir()]
        gpg("--gen-key", input=f"Key-Type: RSA\nKey-Grip: {grip}\nKey-Usage: sign,cert\nName-Email: {address}\n"
                               "Expire-Date: 0\n%commit\n")
        certificate = keyring.folder / "card.asc"
        certificate.write_bytes(gpg("--export", address))
        fingerprint = re.search(rb"^fpr:+(\w+):", gpg("--with-colons", "--list-keys", address), re.M)[1].decode()
    finally:
        run("gpgconf", "--homedir", home, "--kill", "all", check=False, env=environment)
        wait_until(lambda: not (home / "S.gpg-agent").exists(), "the agent of the card's home ended")
    keyring.gpg("--import", input=certificate.read_bytes())
    return types.SimpleNamespace(fingerprint=fingerprint, certificate=certificate, home=keyring.home)

"""People with keys: OpenPGP from a private GnuPG home, S/MIME from openssl; each with what readers need."""

import dataclasses
import pathlib
import re

from tools import run


@dataclasses.dataclass
class Person:
    address: str
    format: str  # "openpgp", "smime"
    fingerprint: str
    certificate: pathlib.Path  # armored OpenPGP, PEM
    secret: pathlib.Path  # armored OpenPGP without password, PEM key
    home: pathlib.Path = None  # GnuPG home
    key_ids: tuple = ()  # of the keys that encrypt
    serial: str = ""  # of the X.509 certificate, upper-case hex without leading zeros

    def tagged(self, tag):
        """An address of the same person: user+TAG@domain."""
        local, _, domain = self.address.partition("@")
        return f"{local}+{tag}@{domain}"


class Keyring:
    """Makes people. Its folder must have a short path: gpg-agent's socket lies there."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "gnupg"
        self.home.mkdir(mode=0o700)

    def gpg(self, *words, input=None, check=True):
        return run("gpg", "--homedir", self.home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback",
                   "--passphrase", "", *words, input=input, check=check)

    def close(self):
        run("gpgconf", "--homedir", self.home, "--kill", "all", check=False)

    def openpgp(self, address, *more, algorithm="cv25519", expired=False, revoked=False, ciphers=None):
        """MORE: further addresses of the same key. algorithm: "cv25519", "rsa2048", or another that GnuPG encrypts to. An
        expired one expired on 2020-06-01. ciphers: what its owner reads, as in "AES192 AES"."""
        sub, primary = algorithm, {"cv25519": "ed25519", "elg2048": "dsa2048"}.get(algorithm, algorithm)
        then = ("--faked-system-time", "20200101T000000!") if expired else ()
        expires = "2020-06-01" if expired else "never"
        reads = ("--default-preference-list", ciphers) if ciphers else ()
        # With --yes the home may know another key of this address already: the public one of a test that signs.
        made = self.gpg(*then, *reads, "--yes", "--status-fd", "1", "--quick-gen-key", f"Test <{address}>", primary,
                        "sign,cert", expires)
        fingerprint = re.search(r"KEY_CREATED P (\w+)", made.stdout.decode()).group(1)
        self.gpg(*then, "--quick-add-key", fingerprint, sub, "encr", expires)
        for another in more:
            self.gpg("--quick-add-uid", fingerprint, f"Test <{another}>")
        if revoked:
            self._revoke(fingerprint)
        return self._export(address, fingerprint)

    def _revoke(self, fingerprint):
        made = self.home / "openpgp-revocs.d" / f"{fingerprint}.rev"
        self.gpg("--import", input=made.read_text().replace(":-----BEGIN", "-----BEGIN"))

    def _export(self, address, fingerprint):
        certificate, secret = self.folder / f"{fingerprint}.asc", self.folder / f"{fingerprint}.key"
        certificate.write_bytes(self.gpg("--armor", "--export", fingerprint).stdout)
        secret.write_bytes(self.gpg("--armor", "--export-secret-keys", fingerprint).stdout)
        listing = self.gpg("--with-colons", "--list-keys", fingerprint).stdout.decode().splitlines()
        subkeys = [line.split(":") for line in listing if line.startswith("sub:")]
        return Person(address, "openpgp", fingerprint, certificate, secret, home=self.home,
                      key_ids=tuple(fields[4] for fields in subkeys))

    def smime(self, address, algorithm="rsa", more=()):
        """algorithm: "rsa", "rsa:4096", "ec" (P-256) or the name of a curve. Signed by itself, valid for 30 days. more: further addresses in it."""
        names = ",".join(f"email:{a}" for a in (address, *more))
        name = self.folder / f"{address}-{algorithm.replace(':', '')}"
        certificate, key = pathlib.Path(f"{name}.pem"), pathlib.Path(f"{name}.key")
        curve = "P-256" if algorithm == "ec" else algorithm
        rsa = {"rsa": "rsa:2048"}.get(algorithm, algorithm) if algorithm.startswith("rsa") else None
        kind = (rsa,) if rsa else ("ec", "-pkeyopt", f"ec_paramgen_curve:{curve}")
        usage = "keyEncipherment" if rsa else "keyAgreement"
        run("openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "30", "-subj", "/CN=Test",
            "-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", f"keyUsage=critical,digitalSignature,{usage}", "-addext", "extendedKeyUsage=emailProtection",
            "-keyout", key, "-out", certificate)
        said = run("openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256", "-serial")
        said = said.stdout.decode()
        fingerprint = re.search(r"Fingerprint=(.*)", said).group(1).replace(":", "")
        serial = re.search(r"serial=0*(.*)", said).group(1)
        return Person(address, "smime", fingerprint, certificate, key, serial=serial)

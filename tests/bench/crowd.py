"""Many recipients at little cost: certificates that differ over one key, which encrypting cannot tell from many keys."""

import re

from tools import run

START = 20260101


class Crowd:
    """people of each kind, all as FOLDER/KIND-NUMBER.crt, addresses uNUMBER@KIND.example."""

    def __init__(self, folder, ring, people):
        self.folder, self.ring, self.people = folder, ring, people

    def address(self, kind, number):
        return f"u{number}@{kind}.example"

    def certificate(self, kind, number):
        return self.folder / f"{kind}-{number}.crt"

    def make_openpgp(self, kind):
        """kind: "rsa3072", of one RSA key, which takes long to find, or "cv25519"."""
        grip = self._seed() if kind == "rsa3072" else None
        self.ring.gpg("--gen-key", input="".join(self._order(kind, number, grip) for number in range(self.people)))
        for number in range(self.people):
            self.certificate(kind, number).write_bytes(self.ring.gpg("--export", f"={self.address(kind, number)}").stdout)

    def _seed(self):
        self.ring.gpg("--quick-gen-key", "seed@rsa3072.example", "rsa3072", "sign,cert", "never")
        listing = self.ring.gpg("--with-colons", "--with-keygrip", "--list-keys", "seed@rsa3072.example").stdout.decode()
        return re.search(r"^grp:+(\w+):", listing, re.M).group(1)

    def _order(self, kind, number, grip):
        """Parameters of gpg --gen-key. Keys made at different seconds have different fingerprints."""
        keys = (f"Key-Type: RSA\nKey-Grip: {grip}\nKey-Usage: cert,sign\nSubkey-Type: RSA\nSubkey-Grip: {grip}\n" if grip else
                "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: cert,sign\nSubkey-Type: ECDH\nSubkey-Curve: cv25519\n")
        return (f"%no-protection\n{keys}Subkey-Usage: encrypt\nName-Email: {self.address(kind, number)}\nExpire-Date: 0\n"
                f"Creation-Date: {START}T{number // 60:04}{number % 60:02}\n%commit\n")

    def make_smime(self, *kinds):
        """RSA-2048; one certificate for the addresses of all kinds."""
        key = self.folder / "smime.key"
        run("openssl", "genrsa", "-out", key, "2048")
        for number in range(self.people):
            names = ",".join(f"email:{self.address(kind, number)}" for kind in kinds)
            run("openssl", "req", "-x509", "-key", key, "-days", "30", "-subj", f"/CN=u{number}", "-addext",
                f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE", "-addext",
                "keyUsage=critical,keyEncipherment", "-addext", "extendedKeyUsage=emailProtection", "-out",
                self.certificate(kinds[0], number))
            for other in kinds[1:]:
                self.certificate(other, number).symlink_to(self.certificate(kinds[0], number))

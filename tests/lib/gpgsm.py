"""A home for gpgsm with people's keys, without passphrase, and an authority to trust. gpgsm's own import wants a passphrase for
each key, and crashes on a PKCS#12 file with a P-256 key (2.2.40); so the key is written where gpg-agent looks."""

import re

from tools import run

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def sexp(*items):
    """A canonical S-expression of bytes, text, numbers and lists."""
    out = b"("
    for item in items:
        if isinstance(item, tuple):
            out += sexp(*item)
            continue
        if isinstance(item, int):
            item = item.to_bytes(item.bit_length() // 8 + 1, "big")
        elif isinstance(item, str):
            item = item.encode()
        out += b"%d:%s" % (len(item), item)
    return out + b")"


def private_key(person):
    key = serialization.load_pem_private_key(person.secret.read_bytes(), None)
    if isinstance(key, rsa.RSAPrivateKey):
        n = key.private_numbers()
        p, q = sorted((n.p, n.q))
        numbers = (("n", n.public_numbers.n), ("e", n.public_numbers.e), ("d", n.d), ("p", p), ("q", q), ("u", pow(p, -1, q)))
        return sexp("private-key", ("rsa", *numbers))
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return sexp("private-key", ("ecc", ("curve", "NIST P-256"), ("q", point), ("d", key.private_numbers().private_value)))


def gpgsm(home, *words, **options):
    return run("gpgsm", "--homedir", home, "--batch", "--no-tty", *words, **options)


def add_people(home, people, authority):
    """HOME is a GnuPG home whose gpg-agent has not started yet, or has nothing in hand."""
    (home / "gpgsm.conf").write_text("disable-crl-checks\ndisable-dirmngr\n")
    root = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    (home / "trustlist.txt").write_text(f"{root.fingerprint(hashes.SHA1()).hex().upper()} S relax\n")
    run("gpgconf", "--homedir", home, "--kill", "gpg-agent", check=False)  # it reads that file once
    keys = home / "private-keys-v1.d"
    keys.mkdir(mode=0o700, exist_ok=True)
    for person in people:
        gpgsm(home, "--import", person.certificate)
        listing = gpgsm(home, "--with-colons", "--with-keygrip", "--list-keys", person.address).stdout.decode()
        keygrip = re.search(r"^grp:+(\w+):", listing, re.M)[1]
        (keys / f"{keygrip}.key").write_bytes(private_key(person))

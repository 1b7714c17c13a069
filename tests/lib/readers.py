"""What a recipient's programs make of a sealed message: the decrypted entity, byte for byte."""

import re
import tempfile

from tools import run

ARMOR = re.compile(rb"-----BEGIN PGP MESSAGE-----.*?-----END PGP MESSAGE-----\r\n", re.S)


def armored(message):
    """The OpenPGP message of a PGP/MIME message."""
    found = ARMOR.findall(message)
    assert len(found) == 1, "not exactly one OpenPGP message"
    return found[0]


def with_gpg(person, message):
    return run("gpg", "--homedir", person.home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback",
               "--passphrase", "", "--trust-model", "always", "--decrypt", input=armored(message)).stdout


def with_sq(person, message):
    return run("sq", "decrypt", "--recipient-key", person.secret, input=armored(message)).stdout


def with_rnp(person, message):
    with tempfile.TemporaryDirectory() as folder:
        return run("rnp", "--homedir", folder, "--keyfile", person.secret, "--password", "", "--decrypt", "--output",
                   "-", input=armored(message)).stdout


def with_openssl(person, message):
    return run("openssl", "cms", "-decrypt", "-binary", "-inform", "SMIME", "-recip", person.certificate, "-inkey",
               person.secret, input=message).stdout


def read(person, message):
    """With the usual reader of the person's format."""
    return (with_gpg if person.format == "openpgp" else with_openssl)(person, message)


def key_ids(message):
    """Key IDs of all PKESK packets, upper-case."""
    said = run("gpg", "--batch", "--no-tty", "--list-only", "--list-packets", input=armored(message), check=False)
    return sorted(re.findall(r"pubkey enc packet:.*keyid ([0-9A-F]{16})", said.stdout.decode()))


def serials(message):
    """Serial numbers in all RecipientInfos, upper-case hex."""
    said = run("openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "SMIME", input=message).stdout.decode()
    infos = said.partition("recipientInfos:")[2].partition("encryptedContentInfo:")[0]
    return sorted(serial(word) for word in re.findall(r"serialNumber: (\w+)", infos))


def serial(word):
    """openssl prints a short one in decimal, a long one as 0x…."""
    digits = word[2:] if word.startswith("0x") else format(int(word), "X")
    return digits.upper().lstrip("0")


def header(message, name):
    """Values of the fields NAME of the outer header, unfolded."""
    head = message.partition(b"\r\n\r\n")[0].decode("latin-1")
    head = re.sub(r"\r\n([ \t])", r"\1", head)
    return re.findall(rf"^{re.escape(name)}:[ \t]*(.*?)\r?$", head, re.M | re.I)


def form(message):
    """What it is sealed with, "openpgp" or "smime", or "clear", by its outer type, as a recipient's program would see it."""
    kind = (header(message, "Content-Type") or [""])[0].lower()
    if kind.startswith("multipart/encrypted"):
        return "openpgp"
    return "smime" if "enveloped-data" in kind else "clear"


def is_sealed(message):
    return form(message) != "clear"

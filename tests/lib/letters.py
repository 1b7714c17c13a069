"""Letters for mail programs to open: one mail with text beyond ASCII, an attachment and a subject to hide, as the gateway really
sends it in each form, and the keys that recipients need."""

import dataclasses
import email.message
import email.policy
import email.utils
import hashlib
import types

from gateway import USER, Gateway
from signing import give_key, wait_home

OTHER = "dora@domain.example"  # signs with S/MIME alone
TEXT = "Grüße aus Köln: 你好, ½ €.\n\n-- \nDie Leute\n"
LINE = TEXT.partition("\n")[0]
SUBJECT = "Die geheime Prüfung № 7"
FILE_NAME = "Übersicht.bin"
FILE = hashlib.sha512(b"of an attachment").digest() * 40

# Name of a letter: (who reads it, domain and so rule, sender, signed).
LETTERS = {
    "pgp": ("pat", "seal", USER, False),
    "pgp-signed": ("pat", "sign", USER, True),
    "pgp-legacy": ("pat", "legacy", USER, False),
    "pgp-clear": ("pat", "clear", USER, True),
    "smime-cbc": ("sam", "seal", USER, False),
    "smime-gcm": ("sam", "gcm", USER, False),
    "smime-oaep": ("sam", "oaep", USER, False),
    "smime-ec": ("erin", "seal", USER, False),
    "smime-signed": ("sam", "sign", USER, True),
    "smime-legacy": ("sam", "legacy", USER, False),
    "smime-clear": ("sam", "clear", OTHER, True),
}
DOMAINS = sorted({domain for _, domain, _, _ in LETTERS.values()})

RULES = """
rule "seal"   { when { recipient = {"@seal.example"} } protect = require header-protection = baseline }
rule "sign"   { when { recipient = {"@sign.example"} } protect = require header-protection = baseline sign = require }
rule "legacy" { when { recipient = {"@legacy.example"} } protect = require header-protection = baseline legacy-display = yes }
rule "gcm"    { when { recipient = {"@gcm.example"} } protect = require header-protection = baseline smime-cipher = aes-256-gcm }
rule "oaep"   { when { recipient = {"@oaep.example"} } protect = require header-protection = baseline smime-key-transport = oaep }
rule "clear"  { when { recipient = {"@clear.example"} } protect = never sign = require }
rule default  { protect = require on-missing-key = refuse }
"""


@dataclasses.dataclass
class Letter:
    name: str
    reader: object  # Person
    signed: bool
    submitted: bytes
    arrived: bytes

    @property
    def format(self):
        return self.name.partition("-")[0]

    @property
    def sealed(self):
        return not self.name.endswith("-clear")


def make_cast(keyring, authority):
    """pat reads OpenPGP, sam (RSA) and erin (P-256) S/MIME; alice and dora sign."""
    def at_domains(name):
        return [f"{name}@{domain}.example" for domain in DOMAINS]
    return types.SimpleNamespace(
        pat=keyring.openpgp(*at_domains("pat")), sam=authority.smime(*at_domains("sam")),
        erin=authority.smime(*at_domains("erin"), algorithm="ec"),
        alice=keyring.openpgp(USER), alice_smime=authority.smime(USER), dora_smime=authority.smime(OTHER))


def write(sender, address):
    """The mail as a mail program submits it."""
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender, address, SUBJECT
    # Thunderbird compares it with the time of a signature.
    message["Date"], message["Message-ID"] = email.utils.format_datetime(email.utils.localtime()), f"<letter-{address}>"
    message.set_content(TEXT, cte="quoted-printable")
    message.add_attachment(FILE, "application", "octet-stream", filename=FILE_NAME)
    return bytes(message)


def make_gateway(pki, route, cast):
    """Not started yet."""
    gateway = Gateway(pki, route, RULES)
    sections = [f'account "{gateway.user}" {{ send-as = {{"*"}} }}']
    for sender, smime, openpgp in ((USER, cast.alice_smime, f"openpgp = {cast.alice.fingerprint}"), (OTHER, cast.dora_smime, "")):
        both = gateway.folder / f"{smime.serial}.pem"
        both.write_bytes(smime.certificate.read_bytes() + smime.secret.read_bytes())
        both.chmod(0o600)
        sections.append(f'signing "{sender}" {{ {openpgp} smime-certificate = "{both}" }}')
    gateway.extra = "\n".join(sections)
    gateway.write_conf()
    return gateway


def send(gateway, sink, cast):
    """Every letter through a started gateway that knows the readers' keys: {name: Letter}."""
    wait_home(gateway)
    give_key(gateway, cast.alice.secret)
    return {name: _sent(gateway, sink, cast, name, *how) for name, how in LETTERS.items()}


def _sent(gateway, sink, cast, name, reader, domain, sender, signed):
    address = f"{reader}+{name}@{domain}.example"
    submitted = write(sender, address)
    reply = gateway.submit([address], submitted, sender=sender)
    assert reply.code == 250, f"{name}: {reply}\n{gateway.tail()}"
    return Letter(name, getattr(cast, reader), signed, submitted, sink.wait(address).data)

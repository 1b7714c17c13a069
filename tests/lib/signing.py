"""Senders with keys to sign with: their part of the configuration, and what gpg and openssl verify."""

import pathlib
import re
import tempfile
import types

import readers
from gateway import SERVICE_USER, mail, queue_id
from tools import AS_ROOT, run, wait_until

PASSPHRASE = "a passphrase\twith spaces"

RULES = """
rule "must"  { when { recipient = {"@must.example"} } protect = require on-missing-key = refuse sign = require }
rule "may"   { when { recipient = {"@may.example"} } protect = require on-missing-key = refuse sign = prefer }
rule "clear" { when { recipient = {"@clear.example"} } protect = never sign = require }
rule "perhaps" { when { recipient = {"@perhaps.example"} } protect = never sign = prefer }
rule default { protect = require on-missing-key = refuse }
"""


def locked(keyring, address, name="locked", passphrase=PASSPHRASE, expires="never"):
    """Somebody whose secret key has a passphrase; readers know only the certificate. Its home, NAME and more, stays until the
    keyring goes. The secret key EXPIRES where a copy of it is exported, for readers never."""
    # Which files share a keyring differs from run to run.
    home = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=keyring.folder))
    secret = home.with_suffix(".key")

    def gpg(*words):
        return run("gpg", "--homedir", home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback",
                   "--passphrase", passphrase, *words).stdout
    try:
        gpg("--quick-gen-key", f"Test <{address}>", "ed25519", "sign,cert", expires)
        secret.write_bytes(gpg("--armor", "--export-secret-keys", address))
        keyring.gpg("--import", input=gpg("--export", address))
        fingerprint = re.search(rb"^fpr:+(\w+):", gpg("--with-colons", "--list-keys", address), re.M)[1].decode()
    finally:
        run("gpgconf", "--homedir", home, "--kill", "all", check=False)
    revocation = home / "openpgp-revocs.d" / f"{fingerprint}.rev"
    return types.SimpleNamespace(fingerprint=fingerprint, secret=secret, home=keyring.home, revocation=revocation)


def secret_file(path, text):
    """With the rights that credentials of systemd have."""
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o400)
    return path


def signing_section(gateway, sender, openpgp=None, smime=None, passphrase=PASSPHRASE, more=""):
    """For the configuration: keys of SENDER, and the files it names; MORE keys as text."""
    lines = [more]
    if openpgp:
        path = secret_file(gateway.folder / "passphrase", passphrase + "\n")
        lines += [f"openpgp = {openpgp.fingerprint}", f'openpgp-passphrase-file = "{path}"']
    if smime:
        both = smime.certificate.read_text() + smime.secret.read_text()
        lines.append(f'smime-certificate = "{secret_file(gateway.folder / f"{smime.serial}.pem", both)}"')
    return f'signing "{sender}" {{ {" ".join(lines)} }}\n'


def gpg_of_administrator(gateway, *words, input=None, **options):
    """In the signing home, as the service user."""
    who = {"user": SERVICE_USER, "group": SERVICE_USER, "extra_groups": []} if AS_ROOT else {}
    return run("gpg", "--homedir", gateway.state_dir / "signing", "--batch", "--quiet", "--no-tty", *words, input=input,
               cwd="/", **who, **options)


def give_key(gateway, key):
    """While the gateway runs, because secret keys go to its agent."""
    gpg_of_administrator(gateway, "--import", input=key.read_bytes())


def wait_home(gateway, after=0):
    """Until the agent listens, to which an imported key goes, and every worker that started behind position AFTER of the log
    takes jobs."""
    workers = gateway.settings["seal"]["workers"]
    wait_until(lambda: gateway.log[after:].count("role=seal level=info event=ready") >= workers, gateway.tail)
    wait_until(lambda: (gateway.state_dir / "signing" / "S.gpg-agent").exists(), gateway.tail)


def at(person, domain, tag):
    return f"{person.address.partition('@')[0]}+{tag}@{domain}.example"


def sent(gateway, sink, address, message, sender):
    reply = gateway.submit([address], message, sender=sender)
    assert reply.code == 250, f"{reply}\n{gateway.tail()}"
    return sink.wait(address).data, gateway.audit(queue_id(reply))


def decrypted_by_gpg(person, message):
    """The entity, and the fingerprints of the primary keys of good signatures inside."""
    done = run("gpg", "--homedir", person.home, "--batch", "--quiet", "--no-tty", "--status-fd", "2", "--trust-model",
               "always", "--pinentry-mode", "loopback", "--passphrase", "", "--decrypt", input=readers.armored(message))
    return done.stdout, re.findall(rb"^\[GNUPG:\] VALIDSIG .* (\w{40})$", done.stderr, re.M)


def verified_by_openssl(entity, person):
    """What PERSON's certificate alone vouches for."""
    return run("openssl", "cms", "-verify", "-inform", "SMIME", "-CAfile", person.certificate, "-purpose", "any",
               input=entity).stdout


def signed_line(trail):
    line, = [line for line in trail if line["event"] == "signed"]
    return line


def stays(gateway, sink, domain, tag, person, code=451):
    """A message to DOMAIN is answered CODE, and nothing of it leaves; the reply."""
    address = at(person, domain, tag)
    reply = gateway.submit([address], mail(address))
    assert reply.code == code, f"{reply}\n{gateway.tail()}"
    assert gateway.state(address) is None and not sink.find(address)
    return reply

"""Signing with the sender's or the domain's key: what gpg and openssl verify, and what happens when a key cannot sign."""

import email
import os
import pathlib
import re
import signal
import types

import protection
import readers
from conftest import run_gateway
from gateway import SERVICE_USER, USER, Gateway, mail, queue_id, service_user
from tools import AS_ROOT, run, wait_until

import pytest

PASSPHRASE = "a passphrase\twith spaces"
STRANGER = "stranger@example.net"  # a sender without a key

RULES = """
rule "must"  { when { recipient = {"@must.example"} } protect = require on-missing-key = refuse sign = require }
rule "may"   { when { recipient = {"@may.example"} } protect = require on-missing-key = refuse sign = prefer }
rule "clear" { when { recipient = {"@clear.example"} } protect = never sign = require }
rule default { protect = require on-missing-key = refuse }
"""
MAY_SEND = f'account "{USER}" {{ send-as = {{"*"}} }}'


@pytest.fixture(scope="module")
def cast(keyring):
    """alice signs with both kinds, dora of another domain with S/MIME alone; pat reads OpenPGP, sam S/MIME."""
    return types.SimpleNamespace(
        pat=keyring.openpgp("pat@must.example", "pat@may.example"), sam=keyring.smime("sam@must.example"),
        alice=locked(keyring, USER), alice_smime=keyring.smime(USER), dora=keyring.smime("dora@domain.example"))


def locked(keyring, address):
    """Somebody whose secret key has a PASSPHRASE; readers know only the certificate."""
    home, secret = keyring.folder / "locked", keyring.folder / "locked.key"
    home.mkdir(mode=0o700)

    def gpg(*words):
        return run("gpg", "--homedir", home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback",
                   "--passphrase", PASSPHRASE, *words).stdout
    try:
        gpg("--quick-gen-key", f"Test <{address}>", "ed25519", "sign,cert", "never")
        secret.write_bytes(gpg("--armor", "--export-secret-keys", address))
        keyring.gpg("--import", input=gpg("--export", address))
        fingerprint = re.search(rb"^fpr:+(\w+):", gpg("--with-colons", "--list-keys", address), re.M)[1].decode()
    finally:
        run("gpgconf", "--homedir", home, "--kill", "all", check=False)
    return types.SimpleNamespace(fingerprint=fingerprint, secret=secret, home=keyring.home)


def secret_file(path, text):
    path.write_text(text)
    path.chmod(0o600)
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


def give_key(gateway, key):
    """As an administrator does: gpg --import in the signing home, as the service user, while the gateway runs."""
    who = {"user": SERVICE_USER, "group": SERVICE_USER, "extra_groups": []} if AS_ROOT else {}
    run("gpg", "--homedir", gateway.state_dir / "signing", "--batch", "--quiet", "--no-tty", "--import",
        input=key.read_bytes(), cwd="/", **who)


def wait_home(gateway, after=0):
    """Until the agent listens, to which an imported key goes, and every worker that started behind position AFTER of the log
    has asked for its keys: the first gpg of all makes the trust database, and another that comes then finds it damaged."""
    workers = gateway.settings["seal"]["workers"]
    wait_until(lambda: gateway.log[after:].count("role=seal level=info event=ready") >= workers, gateway.tail)
    wait_until(lambda: (gateway.state_dir / "signing" / "S.gpg-agent").exists(), gateway.tail)


@pytest.fixture(scope="module")
def signing(pki, sink, cast):
    gateway = Gateway(pki, sink.route, RULES)
    gateway.extra = "\n".join([MAY_SEND, signing_section(gateway, USER, cast.alice, cast.alice_smime),
                               signing_section(gateway, "@domain.example", smime=cast.dora, more="smime-announce-gcm = yes")])
    gateway.write_conf()
    for started in run_gateway(gateway, [cast.pat, cast.sam]):
        wait_home(started)
        give_key(started, cast.alice.secret)
        yield started


def at(person, domain, tag):
    return f"{person.address.partition('@')[0]}+{tag}@{domain}.example"


def sent(gateway, sink, address, message, sender=USER):
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


# ---- what arrives ----


def test_openpgp_signature_inside_by_a_key_with_a_passphrase(signing, sink, cast, tag):
    address = at(cast.pat, "must", tag)
    message = mail(address, "Grüße\r\n-- \r\ntrailing \r\n")
    arrived, trail = sent(signing, sink, address, message)
    entity, signers = decrypted_by_gpg(cast.pat, arrived)
    assert signers == [cast.alice.fingerprint.encode()]
    protection.assert_is(entity, message)
    assert signed_line(trail)["fingerprint"] == cast.alice.fingerprint


def test_smime_signature_inside(signing, sink, cast, tag):
    address = at(cast.sam, "must", tag)
    arrived, trail = sent(signing, sink, address, mail(address, f"{tag}\r\n"))
    entity = readers.with_openssl(cast.sam, arrived)
    assert f"{tag}\r\n".encode() in verified_by_openssl(entity, cast.alice_smime)
    assert signed_line(trail)["fingerprint"].upper() == cast.alice_smime.fingerprint.upper()
    changed = entity.replace(f"{tag}\r\n".encode(), f"{tag}!\r\n".encode(), 1)
    assert changed != entity
    with pytest.raises(AssertionError):
        verified_by_openssl(changed, cast.alice_smime)


def test_a_copy_in_clear_is_multipart_signed(signing, sink, cast, tag, tmp_path):
    address = f"{tag}@clear.example"
    arrived, _ = sent(signing, sink, address, mail(address, f"{tag}\r\n"))
    kind = email.message_from_bytes(arrived)
    assert kind.get_content_type() == "multipart/signed"
    assert (kind.get_param("protocol"), kind.get_param("micalg")) == ("application/pgp-signature", "pgp-sha512")
    boundary = f"--{kind.get_boundary()}\r\n".encode()
    _, part, signature = arrived.split(b"\r\n" + boundary, 2)
    (tmp_path / "text").write_bytes(part)
    (tmp_path / "sig").write_bytes(re.search(rb"-----BEGIN PGP SIGNATURE.*END PGP SIGNATURE-----", signature, re.S)[0])
    done = run("gpg", "--homedir", cast.alice.home, "--batch", "--status-fd", "1", "--verify", tmp_path / "sig",
               tmp_path / "text")
    assert cast.alice.fingerprint.encode() in done.stdout and b"VALIDSIG" in done.stdout
    assert f"{tag}\r\n".encode() in part


def test_a_domain_signs_for_its_people(signing, sink, cast, tag):
    address = at(cast.sam, "must", tag)
    sender = "somebody@domain.example"
    message = mail(address, f"{tag}\r\n").replace(USER.encode(), sender.encode(), 1)
    arrived, _ = sent(signing, sink, address, message, sender)
    assert f"{tag}\r\n".encode() in verified_by_openssl(readers.with_openssl(cast.sam, arrived), cast.dora)


def announced(entity):
    """The ciphers that a signed entity says its sender reads, in order (RFC 8551 §2.5.2)."""
    said = run("openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "SMIME", input=entity).stdout.decode()
    said = said.partition("S/MIME Capabilities")[2]
    return re.findall(r":(aes-\d+-\w+)", said)


def test_gcm_is_announced_where_the_administrator_says_so(signing, sink, cast, tag):
    """Else what every program reads: partners seal in that way from then on."""
    cbc = ["aes-256-cbc", "aes-192-cbc", "aes-128-cbc"]
    for number, (sender, ciphers) in enumerate(((USER, cbc), ("somebody@domain.example", ["aes-256-gcm", *cbc]))):
        address = at(cast.sam, "must", f"{tag}{number}")
        message = mail(address).replace(USER.encode(), sender.encode(), 1)
        arrived, _ = sent(signing, sink, address, message, sender)
        assert announced(readers.with_openssl(cast.sam, arrived)) == ciphers


def test_without_a_key_for_the_sender(signing, sink, cast, tag):
    """require refuses, and nothing leaves; prefer seals without a signature."""
    refused, sealed = at(cast.pat, "must", tag), at(cast.pat, "may", tag)
    reply = signing.submit([refused], mail(refused).replace(USER.encode(), STRANGER.encode(), 1), sender=STRANGER)
    assert reply.code == 550, str(reply)
    message = mail(sealed).replace(USER.encode(), STRANGER.encode(), 1)
    arrived, trail = sent(signing, sink, sealed, message, STRANGER)
    entity, signers = decrypted_by_gpg(cast.pat, arrived)
    protection.assert_is(entity, message)
    assert not signers and not [line for line in trail if line["event"] == "signed"]
    assert not sink.find(refused)


# ---- the agent ----


@pytest.mark.skipif(not AS_ROOT, reason="only root can look into the processes of another user")
def test_rights_of_the_agent(signing):
    agent, = signing.pids("agent")
    said = dict(re.findall(r"(\w+):[ \t]*(.*)", pathlib.Path(f"/proc/{agent}/status").read_text(encoding="ascii")))
    assert set(said["Uid"].split()) == {str(service_user().pw_uid)}
    assert said["NoNewPrivs"] == "1" and int(said["CapEff"], 16) == int(said["CapPrm"], 16) == 0
    assert os.readlink(f"/proc/{agent}/cwd") == str(signing.state_dir / "empty")
    limits = pathlib.Path(f"/proc/{agent}/limits").read_text(encoding="ascii")
    assert re.search(r"Max core file size +0 +0 ", limits)
    held = [os.readlink(f"/proc/{agent}/fd/{n}") for n in os.listdir(f"/proc/{agent}/fd") if int(n) > 2]
    files = [what for what in held if what.startswith("/") and not what.startswith(("/dev/", "/proc/"))]
    assert not files, f"it holds no database and no message: {held}"
    agents_own = [what for what in held if what.startswith("socket:")]
    with open("/proc/net/tcp", encoding="ascii") as tcp:
        network = {f"socket:[{line.split()[9]}]" for line in tcp.readlines()[1:]}
    assert agents_own and not network & set(agents_own)


# ---- what can fail ----


def test_a_dead_agent_comes_back(signing, sink, cast, tag):
    before, = signing.pids("agent")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: (signing.pids_or_none("agent") or [before]) != [before], signing.tail)
    address = at(cast.pat, "must", tag)
    wait_until(lambda: signing.submit([address], mail(address)).code == 250, signing.tail)
    assert decrypted_by_gpg(cast.pat, sink.wait(address).data)[1] == [cast.alice.fingerprint.encode()]


def test_a_wrong_passphrase_is_temporary_and_nothing_leaves(make_gateway, sink, cast, tag):
    gateway = make_gateway(sink.route, start=False, rules=RULES)
    gateway.extra = signing_section(gateway, USER, cast.alice, passphrase="wrong")
    gateway.write_conf()
    gateway.start()
    gateway.add_keys(cast.pat)
    wait_home(gateway)
    give_key(gateway, cast.alice.secret)
    for domain in ("must", "may"):
        address = at(cast.pat, domain, tag)
        reply = gateway.submit([address], mail(address))
        assert reply.code == 451, str(reply)
        assert gateway.state(address) is None and not sink.find(address)
    assert "passphrase" in gateway.log


def test_a_reload_that_adds_the_first_key_signs(make_gateway, sink, cast, tag):
    gateway = make_gateway(sink.route, cast.pat, rules=RULES)
    address = at(cast.pat, "must", tag)
    assert gateway.submit([address], mail(address)).code == 550
    gateway.extra = signing_section(gateway, USER, cast.alice)
    gateway.write_conf()
    before = len(gateway.log)
    gateway.reload()
    wait_home(gateway, before)
    give_key(gateway, cast.alice.secret)
    wait_until(lambda: gateway.submit([address], mail(address)).code == 250, gateway.tail)
    assert decrypted_by_gpg(cast.pat, sink.wait(address).data)[1] == [cast.alice.fingerprint.encode()]


def test_nothing_of_the_agent_outlives_the_gateway(make_gateway, sink, cast):
    gateway = make_gateway(sink.route, start=False, rules=RULES)
    gateway.extra = signing_section(gateway, USER, cast.alice)
    gateway.write_conf()
    gateway.start()
    wait_until(lambda: gateway.pids("agent"), gateway.tail)
    agent, = gateway.pids("agent")
    gateway.kill()
    wait_until(lambda: not os.path.exists(f"/proc/{agent}"), "the agent ended with its supervisor")

"""Signing with the sender's or the domain's key: what gpg and openssl verify, and what happens when a key cannot sign."""

import base64
import email
import os
import re
import signal
import types

import gpgsm
import protection
import readers
from conftest import run_gateway
from gateway import USER, Gateway, mail
from signing import (RULES, at, decrypted_by_gpg, give_key, locked, sent, signed_line, signing_section, stays,
                     verified_by_openssl, wait_home)
from tools import remove_folder, run, short_folder, wait_until

import pytest

STRANGER = "stranger@example.net"  # a sender without a key
MAY_SEND = f'account "{USER}" {{ send-as = {{"*"}} }}'


@pytest.fixture(scope="module")
def cast(keyring):
    """alice signs with both kinds, dora of another domain with S/MIME alone; pat reads OpenPGP, sam S/MIME."""
    return types.SimpleNamespace(
        pat=keyring.openpgp("pat@must.example", "pat@may.example"), sam=keyring.smime("sam@must.example"),
        alice=locked(keyring, USER), alice_smime=keyring.smime(USER), dora=keyring.smime("dora@domain.example"))


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


# ---- what arrives ----


def test_openpgp_signature_inside_by_a_key_with_a_passphrase(signing, sink, cast, tag):
    address = at(cast.pat, "must", tag)
    message = mail(address, "Grüße\r\n-- \r\ntrailing \r\n")
    arrived, trail = sent(signing, sink, address, message, USER)
    entity, signers = decrypted_by_gpg(cast.pat, arrived)
    assert signers == [cast.alice.fingerprint.encode()]
    protection.assert_is(entity, message)
    assert signed_line(trail)["fingerprint"] == cast.alice.fingerprint


def test_smime_signature_inside(signing, sink, cast, tag):
    address = at(cast.sam, "must", tag)
    arrived, trail = sent(signing, sink, address, mail(address, f"{tag}\r\n"), USER)
    entity = readers.with_openssl(cast.sam, arrived)
    assert f"{tag}\r\n".encode() in verified_by_openssl(entity, cast.alice_smime)
    assert signed_line(trail)["fingerprint"].upper() == cast.alice_smime.fingerprint.upper()
    changed = entity.replace(f"{tag}\r\n".encode(), f"{tag}!\r\n".encode(), 1)
    assert changed != entity
    with pytest.raises(AssertionError):
        verified_by_openssl(changed, cast.alice_smime)


def test_a_copy_in_clear_is_multipart_signed(signing, sink, cast, tag, tmp_path):
    address = f"{tag}@clear.example"
    arrived, _ = sent(signing, sink, address, mail(address, f"{tag}\r\n"), USER)
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


# ---- signed by the client (A12) ----

ENTITY = b"Content-Type: text/plain\r\n\r\nsigned by the client\r\n"
PGP, SMIME = "application/pgp-signature", "application/pkcs7-signature"


def by_gpg(person, *words):
    return run("gpg", "--homedir", person.home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase",
               "", "--digest-algo", "sha512", "--armor", *(words or ("-u", person.fingerprint, "--detach-sign")),
               input=ENTITY).stdout.decode().replace("\n", "\r\n")


def by_openssl(person, *words):
    made = run("openssl", "cms", "-sign", "-binary", "-outform", "DER", "-md", "sha256", "-signer", person.certificate, "-inkey",
               person.secret, *words, input=ENTITY).stdout
    return base64.encodebytes(made).decode().replace("\n", "\r\n")


def by_gpgsm(person, home):
    """What GnuPG's own S/MIME makes, in a home where PERSON's key is."""
    gpgsm.add_people(home, [person], person)
    (home / "entity").write_bytes(ENTITY)
    try:
        made = gpgsm.gpgsm(home, "--digest-algo", "sha256", "--include-certs", "1", "--local-user", person.address,
                            "--detach-sign", home / "entity").stdout
    finally:
        run("gpgconf", "--homedir", home, "--kill", "all", check=False)
    return base64.encodebytes(made).decode().replace("\n", "\r\n")


@pytest.fixture
def home():
    made = short_folder()
    yield made
    remove_folder(made)


def signed_body(signature, kind=PGP, protocol=None, micalg="pgp-sha512"):
    """A multipart/signed of ENTITY: its Content-Type, and its body, with what programs put in front for old readers."""
    encoding = "Content-Transfer-Encoding: base64\r\n" if kind == SMIME else ""
    return (f'multipart/signed; protocol="{protocol or kind}"; micalg={micalg}; boundary="sig"',
            f"This is a signed message\r\n--sig\r\n{ENTITY.decode()}\r\n--sig\r\nContent-Type: {kind}\r\n{encoding}\r\n"
            f"{signature}\r\n--sig--\r\n", "")


def opaque(signature):
    return "application/pkcs7-mime; smime-type=signed-data", signature, "base64"


def to_submit(address, made, sender):
    content_type, body, encoding = made
    more = {"Content_Transfer_Encoding": encoding} if encoding else {}
    message = mail(address, body, MIME_Version="1.0", Content_Type=content_type, **more)
    return message.replace(USER.encode(), sender.encode(), 1)


@pytest.mark.parametrize("which", ["gpg", "openssl", "openssl opaque", "gpgsm"])
def test_what_the_client_signed_is_not_signed_again(signing, sink, cast, tag, which, home):
    """It meets "require", also where the gateway has no key, and holds inside."""
    made = {"gpg": lambda: signed_body(by_gpg(cast.pat)),
            "openssl": lambda: signed_body(by_openssl(cast.sam), SMIME, micalg="sha-256"),
            "openssl opaque": lambda: opaque(by_openssl(cast.sam, "-nodetach")),
            "gpgsm": lambda: signed_body(by_gpgsm(cast.sam, home), SMIME, micalg="sha-256")}[which]()
    for number, sender in enumerate((USER, STRANGER)):
        address = at(cast.pat, "must", f"{tag}{number}")
        message = to_submit(address, made, sender)
        arrived, trail = sent(signing, sink, address, message, sender)
        entity, signers = decrypted_by_gpg(cast.pat, arrived)
        protection.assert_is(entity, message)
        assert not signers and not [line for line in trail if line["event"] == "signed"]
        if which != "gpg":
            assert verified_by_openssl(entity, cast.sam) == ENTITY
    if which == "gpg":
        (home / "sig").write_text(re.search("-----BEGIN.*SIGNATURE-----", entity.decode(), re.S)[0])
        (home / "text").write_bytes(entity.partition(b"--sig\r\n")[2].partition(b"\r\n--sig")[0])
        run("gpg", "--homedir", cast.pat.home, "--batch", "--verify", home / "sig", home / "text")


FAKES = {
    "type only": lambda cast: ("multipart/signed; boundary=s", "clear\r\n", ""),
    "structure only": lambda cast: signed_body("nonsense"),
    "a word in armor": lambda cast: signed_body(
        "-----BEGIN PGP SIGNATURE-----\r\n\r\nbm9uc2Vuc2U=\r\n-----END PGP SIGNATURE-----"),
    "a key in armor": lambda cast: signed_body(by_gpg(cast.pat, "--export").replace("PUBLIC KEY BLOCK", "SIGNATURE")),
    "another hash": lambda cast: signed_body(by_gpg(cast.pat), micalg="pgp-sha256"),
    "another protocol": lambda cast: signed_body(by_gpg(cast.pat), protocol=SMIME),
    "no signature part": lambda cast: signed_body(by_gpg(cast.pat), kind="text/plain", protocol=PGP),
    "base64 of nonsense": lambda cast: signed_body("bm9uc2Vuc2U=", SMIME, micalg="sha-256"),
    "another digest": lambda cast: signed_body(by_openssl(cast.sam), SMIME, micalg="sha-512"),
    "content twice": lambda cast: signed_body(by_openssl(cast.sam, "-nodetach"), SMIME, micalg="sha-256"),
    "cut off": lambda cast: signed_body(by_openssl(cast.sam)[:800], SMIME, micalg="sha-256"),
    "opaque type only": lambda cast: opaque("bm9uc2Vuc2U=\r\n"),
    "opaque without content": lambda cast: opaque(by_openssl(cast.sam)),
}


@pytest.mark.parametrize("which", FAKES)
def test_a12_what_only_claims_to_be_signed_is_signed(signing, sink, cast, tag, which):
    """Or refused under "require", where there is no key."""
    made = FAKES[which](cast)
    address = at(cast.pat, "must", tag)
    message = to_submit(address, made, USER)
    arrived, trail = sent(signing, sink, address, message, USER)
    entity, signers = decrypted_by_gpg(cast.pat, arrived)
    assert signers == [cast.alice.fingerprint.encode()] and signed_line(trail)
    protection.assert_is(entity, message)
    refused = at(cast.pat, "must", f"{tag}refused")
    reply = signing.submit([refused], to_submit(refused, made, STRANGER), sender=STRANGER)
    assert reply.code == 550 and not sink.find(refused), str(reply)


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
        stays(gateway, sink, domain, tag, cast.pat)
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

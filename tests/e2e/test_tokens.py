"""Keys to sign with that never leave their token: S/MIME by PKCS#11, and OpenPGP on a smart card through the agent."""

import email
import os
import shutil
import signal
import types

import readers
from gateway import USER, mail, service_user
from signing import (RULES, at, decrypted_by_gpg, give_key, gpg_of_administrator, secret_file, sent, signed_line, stays,
                     verified_by_openssl, wait_home)
from tokens import MODULE, PIN, SCDAEMON, URI, Token, make_card_key, scd_conf
from tools import AS_ROOT, remove_folder, short_folder, wait_until

import pytest


@pytest.fixture(scope="module")
def cast(keyring):
    """alice signs with a token; pat reads OpenPGP, sam S/MIME."""
    return types.SimpleNamespace(pat=keyring.openpgp("paula@must.example", "paula@may.example"),
                                 sam=keyring.smime("sara@must.example"),
                                 alice=keyring.smime("token@example.org"))


@pytest.fixture
def token(cast):
    folder = short_folder()
    yield Token(folder, cast.alice, service_user())
    remove_folder(folder)


@pytest.fixture(scope="module")
def card(cast, keyring):
    """The OpenPGP key on a token that holds nothing else."""
    folder = short_folder()
    token = Token(folder, cast.alice, service_user())
    made = make_card_key(token, keyring, USER)
    made.token = token
    yield made
    remove_folder(folder)


def pin_file(gateway, pin):
    return secret_file(gateway.folder / "pin", pin + "\n")


# ---- S/MIME ----


def with_smime_token(make_gateway, sink, token, cast, pin=PIN, workers=2):
    gateway = make_gateway(sink.route, start=False, rules=RULES,
                           settings={"seal": {"pkcs11-module": MODULE, "workers": workers}})
    gateway.environment.update(token.environment)
    gateway.extra = (f'signing "{USER}" {{ smime-certificate = "{URI}" smime-key = "{URI}" '
                     f'smime-passphrase-file = "{pin_file(gateway, pin)}" }}\n')
    gateway.write_conf()
    gateway.start()
    gateway.add_keys(cast.pat, cast.sam)
    return gateway


def test_smime_by_a_token(make_gateway, sink, token, cast, tag):
    gateway = with_smime_token(make_gateway, sink, token, cast)
    address = at(cast.sam, "must", tag)
    arrived, trail = sent(gateway, sink, address, mail(address, f"{tag}\r\n"), USER)
    assert f"{tag}\r\n".encode() in verified_by_openssl(readers.with_openssl(cast.sam, arrived), token.person)
    assert signed_line(trail)["fingerprint"].upper() == token.person.fingerprint.upper()
    address = f"{tag}@clear.example"
    arrived, _ = sent(gateway, sink, address, mail(address, f"{tag}\r\n"), USER)
    kind = email.message_from_bytes(arrived)
    assert (kind.get_content_type(), kind.get_param("micalg")) == ("multipart/signed", "sha-256")
    assert f"{tag}\r\n".encode() in verified_by_openssl(arrived, token.person)


def test_a33_a_token_that_is_pulled_is_temporary(make_gateway, sink, token, cast, tag):
    gateway = with_smime_token(make_gateway, sink, token, cast, workers=1)
    address = at(cast.sam, "must", tag)
    sent(gateway, sink, address, mail(address), USER)
    token.pull()
    stays(gateway, sink, "must", tag + "1", cast.sam)
    stays(gateway, sink, "clear", tag, cast.sam)
    stays(gateway, sink, "perhaps", tag, cast.sam)
    assert "the token of the URI is not there" in gateway.log
    token.put_back()
    address = at(cast.sam, "must", tag + "2")
    wait_until(lambda: gateway.submit([address], mail(address)).code == 250, gateway.tail)
    assert verified_by_openssl(readers.with_openssl(cast.sam, sink.wait(address).data), token.person)


def test_a33_a_wrong_pin_is_tried_once(make_gateway, sink, token, cast, tag):
    """A token locks itself at the third wrong one: neither three workers nor their messages may use them up."""
    gateway = with_smime_token(make_gateway, sink, token, cast, pin="000000", workers=3)
    wait_until(lambda: gateway.log.count("role=seal level=info event=ready") >= 3, gateway.tail)
    for domain in ("must", "clear", "perhaps"):
        stays(gateway, sink, domain, tag, cast.sam)
    assert gateway.log.count("the PIN is wrong") == 1, gateway.tail()
    assert "refused before" in gateway.log and token.tries() == "wrong"
    before = len(gateway.log)
    os.kill(gateway.pids("seal")[0], signal.SIGKILL)
    wait_until(lambda: "event=ready" in gateway.log[before:], gateway.tail)
    assert "the PIN is wrong" not in gateway.log[before:]
    pin_file(gateway, PIN)
    gateway.reload()
    address = at(cast.sam, "must", tag + "2")
    wait_until(lambda: gateway.submit([address], mail(address)).code == 250, gateway.tail)
    assert verified_by_openssl(readers.with_openssl(cast.sam, sink.wait(address).data), token.person)


# ---- OpenPGP on a card ----


def with_card(make_gateway, sink, card, cast, pin=PIN, **seal):
    """As the manual says: the certificate is imported, the card looked at once. Not for the agent where it may reach none."""
    gateway = make_gateway(sink.route, start=False, rules=RULES, settings={"seal": {"scdaemon": SCDAEMON, **seal}})
    gateway.environment.update(card.token.environment)
    gateway.extra = (f'signing "{USER}" {{ openpgp = {card.fingerprint} '
                     f'openpgp-passphrase-file = "{pin_file(gateway, pin)}" }}\n')
    gateway.write_conf()
    gateway.start()
    gateway.add_keys(cast.pat, cast.sam)
    wait_home(gateway)
    home = gateway.state_dir / "signing"
    conf = scd_conf(home)
    if AS_ROOT:
        shutil.chown(conf, service_user().pw_uid)
    give_key(gateway, card.certificate)
    return gateway


def learn_card(gateway, check=True):
    return gpg_of_administrator(gateway, "--card-status", check=check)


def processes_of(gateway, name):
    """Process ids of programs called NAME among all that the gateway started."""
    found = []
    for pid in gateway.session_processes():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                if os.path.basename(line.read().split(b"\0")[0]).decode() == name:
                    found.append(pid)
        except OSError:
            continue
    return found


def test_a_card_signs_through_the_agent(make_gateway, sink, card, cast, tag):
    gateway = with_card(make_gateway, sink, card, cast)
    learn_card(gateway)
    address = at(cast.pat, "must", tag)
    arrived, trail = sent(gateway, sink, address, mail(address, f"{tag}\r\n"), USER)
    entity, signers = decrypted_by_gpg(cast.pat, arrived)
    assert signers == [card.fingerprint.encode()] and tag.encode() in entity
    assert signed_line(trail)["fingerprint"] == card.fingerprint
    address = f"{tag}@clear.example"
    arrived, _ = sent(gateway, sink, address, mail(address, f"{tag}\r\n"), USER)
    assert email.message_from_bytes(arrived).get_param("protocol") == "application/pgp-signature"
    scd, = processes_of(gateway, "gnupg-pkcs11-scd")
    if AS_ROOT:
        assert os.stat(f"/proc/{scd}").st_uid == service_user().pw_uid
    agent, = gateway.pids("agent")
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: scd not in gateway.session_processes(), "the card's program ends with the agent")
    address = at(cast.pat, "must", tag + "2")
    wait_until(lambda: gateway.submit([address], mail(address)).code == 250, gateway.tail)
    assert decrypted_by_gpg(cast.pat, sink.wait(address).data)[1] == [card.fingerprint.encode()]


def test_a_card_with_a_wrong_pin_is_asked_once(make_gateway, sink, card, cast, tag):
    """gnupg-pkcs11-scd itself would ask for it three times in one signing."""
    gateway = with_card(make_gateway, sink, card, cast, pin="000000")
    learn_card(gateway)
    for domain in ("must", "may"):
        stays(gateway, sink, domain, tag, cast.pat)
    stays(gateway, sink, "clear", tag, cast.sam)
    assert gateway.log.count("refuses the PIN") == 1, gateway.tail()
    assert b"000000".hex(" ") not in gateway.log, "gnupg-pkcs11-scd prints what it is told"
    assert "refused before" in gateway.log
    pin_file(gateway, PIN)
    gateway.reload()
    address = at(cast.pat, "must", tag + "2")
    wait_until(lambda: gateway.submit([address], mail(address)).code == 250, gateway.tail)
    assert decrypted_by_gpg(cast.pat, sink.wait(address).data)[1] == [card.fingerprint.encode()]


def test_a33_a_card_that_is_pulled_is_temporary(make_gateway, sink, card, cast, tag):
    gateway = with_card(make_gateway, sink, card, cast)
    learn_card(gateway)
    card.token.pull()
    try:
        stays(gateway, sink, "must", tag, cast.pat)
        stays(gateway, sink, "may", tag, cast.pat)
    finally:
        card.token.put_back()
    gateway.reload()  # SoftHSM does not find again what was away, and the program for the card asks for the PIN in vain
    address = at(cast.pat, "must", tag + "2")
    wait_until(lambda: gateway.submit([address], mail(address)).code == 250, gateway.tail)
    assert decrypted_by_gpg(cast.pat, sink.wait(address).data)[1] == [card.fingerprint.encode()]


def test_no_card_is_reached_that_nobody_asked_for(make_gateway, sink, card, cast, tag):
    """Even where the agent's own configuration in the signing home names a program."""
    gateway = with_card(make_gateway, sink, card, cast, scdaemon=None)
    (gateway.state_dir / "signing" / "gpg-agent.conf").write_text(f"scdaemon-program {SCDAEMON}\n")
    os.kill(gateway.pids("agent")[0], signal.SIGKILL)
    assert learn_card(gateway, check=False).returncode != 0
    stays(gateway, sink, "must", tag, cast.pat)
    assert not processes_of(gateway, "gnupg-pkcs11-scd") and not processes_of(gateway, "scdaemon")

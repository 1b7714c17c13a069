"""Signing while something changes: a reload, an agent that hangs, keys that expire or are revoked. A message is signed by the
right key, or stays with the client (4xx); under "prefer" it leaves unsigned only where the audit trail says why."""

import concurrent.futures
import datetime
import os
import pathlib
import signal
import time
import types

import readers
import smtp
from gateway import USER, mail, queue_id
from signing import (RULES, at, decrypted_by_gpg, give_key, locked, sent, signed_line, signing_section, stays,
                     verified_by_openssl, wait_home)
from tools import SEALGATE, run, wait_until

import pytest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization


@pytest.fixture(scope="module")
def cast(keyring):
    return types.SimpleNamespace(
        pat=keyring.openpgp("petra@must.example", "petra@may.example"), sam=keyring.smime("simon@must.example"),
        alice=locked(keyring, USER, "steady"), alice_smime=keyring.smime("steady@example.org"))


def started(make_gateway, sink, cast, openpgp=None, smime=None, **seal):
    """With the keys of alice, and ready to sign."""
    gateway = make_gateway(sink.route, start=False, rules=RULES, settings={"seal": seal})
    gateway.extra = signing_section(gateway, USER, openpgp, smime)
    gateway.write_conf()
    gateway.start()
    gateway.add_keys(cast.pat, cast.sam)
    if openpgp:
        wait_home(gateway)
        give_key(gateway, openpgp.secret)
    return gateway


def assert_signed(cast, person, arrived):
    if person.format == "openpgp":
        assert decrypted_by_gpg(person, arrived)[1] == [cast.alice.fingerprint.encode()]
    else:
        assert verified_by_openssl(readers.with_openssl(person, arrived), cast.alice_smime)


# ---- reload ----


RELOADS = 3


def submit_until_taken(gateway, address, message, replies):
    """As a mail program does: again after a 4xx or a lost session. How often it was taken must be once."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            reply = gateway.submit([address], message)
        except (OSError, smtp.Closed):
            continue
        replies.append(reply.code)
        if reply.code == 250:
            return
        assert reply.code // 100 == 4, str(reply)
    raise AssertionError(f"{address}: not taken, {replies}")


def test_reloads_while_mail_is_signed(make_gateway, sink, cast, tag):
    """Agent and workers are replaced under large messages: each arrives once, signed."""
    gateway = started(make_gateway, sink, cast, cast.alice, cast.alice_smime)
    body = "0123456789abcdef" * 4 + "\r\n"
    messages = [(person, at(person, "must", f"{tag}{n}")) for n in range(4) for person in (cast.pat, cast.sam)]
    replies = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(submit_until_taken, gateway, address, mail(address, body * 30000), replies)
                for _, address in messages]
        agents = set(gateway.pids("agent"))
        for _ in range(RELOADS):
            taken = replies.count(250)
            gateway.reload()
            wait_until(lambda: set(gateway.pids_or_none("agent") or agents) - agents, gateway.tail)
            agents |= set(gateway.pids_or_none("agent") or [])
            wait_until(lambda: replies.count(250) > taken or all(job.done() for job in jobs), gateway.tail, 60)
        for job in jobs:
            job.result()
    assert len(agents) > RELOADS
    for person, address in messages:
        assert_signed(cast, person, sink.wait(address).data)
    assert replies.count(250) == len(messages)
    assert len([m for m in sink.messages if any(tag in r for r in m.recipients)]) == len(messages)


def stop_agent(gateway):
    """It hangs from now on; its process id."""
    agent, = gateway.pids("agent")
    os.kill(agent, signal.SIGSTOP)
    return agent


def gpgs(gateway):
    """gpg processes of the workers that run now."""
    def name(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
        except OSError:
            return ""
    return [pid for pid in gateway.session_processes() if name(pid) == "gpg"]


@pytest.mark.parametrize("domain", ["must", "may"])
def test_a_reload_replaces_an_agent_that_hangs(make_gateway, sink, cast, tag, domain):
    gateway = started(make_gateway, sink, cast, cast.alice, workers=1)
    first = at(cast.pat, domain, tag)
    sent(gateway, sink, first, mail(first), USER)  # the worker knows the key from here on
    agent = stop_agent(gateway)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stays, gateway, sink, domain, tag + "1", cast.pat)
        wait_until(lambda: gpgs(gateway), "gpg waits for the agent")
        gateway.reload()
        wait_until(lambda: (gateway.pids_or_none("agent") or [agent]) != [agent], gateway.tail)
        waiting.result()
    address = at(cast.pat, domain, tag + "2")
    wait_until(lambda: gateway.submit([address], mail(address)).code == 250, gateway.tail)
    assert_signed(cast, cast.pat, sink.wait(address).data)


def test_a_worker_that_waits_for_the_agent_in_vain_is_temporary(make_gateway, sink, cast, tag):
    gateway = started(make_gateway, sink, cast, cast.alice, workers=1, deadline="2s")
    agent = stop_agent(gateway)
    stays(gateway, sink, "must", tag, cast.pat)
    stays(gateway, sink, "may", tag, cast.pat)
    os.kill(agent, signal.SIGCONT)
    address = at(cast.pat, "must", tag + "2")
    wait_until(lambda: gateway.submit([address], mail(address)).code == 250, gateway.tail)
    assert_signed(cast, cast.pat, sink.wait(address).data)


def test_without_an_agent_nothing_is_unsigned(make_gateway, sink, cast, tag):
    """A key that nobody can ask for is none that may not sign: "prefer" waits too."""
    gateway = started(make_gateway, sink, cast, cast.alice)
    gateway.settings["seal"]["gpg-agent"] = "/bin/false"
    gateway.write_conf()
    before = len(gateway.log)
    gateway.reload()
    gateway.wait_log("event=died process=agent", before)
    stays(gateway, sink, "must", tag, cast.pat)
    stays(gateway, sink, "may", tag, cast.pat)


# ---- keys that may not sign any more ----


def renewed(person, folder, name, first, last):
    """PERSON's S/MIME certificate with other dates, counted in days from now, signed by itself."""
    old = x509.load_pem_x509_certificate(person.certificate.read_bytes())
    key = serialization.load_pem_private_key(person.secret.read_bytes(), None)
    now = datetime.datetime.utcnow()
    made = x509.CertificateBuilder(issuer_name=old.issuer, subject_name=old.subject, public_key=old.public_key(),
                                   serial_number=x509.random_serial_number(),
                                   not_valid_before=now + datetime.timedelta(days=first),
                                   not_valid_after=now + datetime.timedelta(days=last))
    for extension in old.extensions:
        made = made.add_extension(extension.value, extension.critical)
    path = folder / f"{name}.pem"
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return types.SimpleNamespace(certificate=path, secret=person.secret, serial=name)


def assert_unsigned(gateway, sink, address, reason):
    """Sent without a signature; log and audit trail say why."""
    reply = gateway.submit([address], mail(address))
    assert reply.code == 250, f"{reply}\n{gateway.tail()}"
    trail = gateway.audit(queue_id(reply))
    line, = [line for line in trail if line["event"] == "unsigned"]
    assert reason in line["reason"] and line["recipient"] == USER
    assert not [line for line in trail if line["event"] == "signed"]
    assert "event=unsigned" in gateway.log and reason in gateway.log
    return sink.wait(address).data


def test_an_expired_certificate(make_gateway, sink, cast, tag, tmp_path):
    """It expires while nobody looks: the start goes on, and says so."""
    old = renewed(cast.alice_smime, tmp_path, "old", -20, -1)
    gateway = started(make_gateway, sink, cast, smime=old)
    gateway.wait_log("event=cannot-sign")
    reply = stays(gateway, sink, "must", tag, cast.sam)
    assert "4.7.5" in str(reply) and "expired on" in str(reply)
    stays(gateway, sink, "clear", tag, cast.sam)
    arrived = assert_unsigned(gateway, sink, f"{tag}@perhaps.example", "expired on")
    assert b"multipart/signed" not in arrived
    checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    assert checked.returncode == 0 and b"expired on" in checked.stdout + checked.stderr


def test_an_expired_openpgp_key(make_gateway, sink, cast, keyring, tag):
    home = keyring.folder / "past"
    home.mkdir(mode=0o700)
    secret = keyring.folder / "past.key"

    def gpg(*words):
        return run("gpg", "--homedir", home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback",
                   "--passphrase", "", *words).stdout.decode()
    try:
        gpg("--faked-system-time", "20200101T000000!", "--quick-gen-key", f"Test <{USER}>", "ed25519", "sign,cert",
            "2020-06-01")
        secret.write_text(gpg("--armor", "--export-secret-keys", USER))
        fingerprint = gpg("--with-colons", "--list-keys", USER).partition("fpr:::::::::")[2][:40]
    finally:
        run("gpgconf", "--homedir", home, "--kill", "all", check=False)
    gateway = started(make_gateway, sink, cast, types.SimpleNamespace(fingerprint=fingerprint, secret=secret))
    reply = stays(gateway, sink, "must", tag, cast.pat)
    assert "4.7.5" in str(reply) and "is expired" in str(reply)
    arrived = assert_unsigned(gateway, sink, at(cast.pat, "may", tag), "is expired")
    assert decrypted_by_gpg(cast.pat, arrived)[1] == []


def test_a_key_that_is_revoked_while_it_is_in_use(make_gateway, sink, cast, keyring, tag):
    key = locked(keyring, USER, "revoked")
    gateway = started(make_gateway, sink, cast, key, workers=1)
    first = at(cast.pat, "must", tag)
    arrived, _ = sent(gateway, sink, first, mail(first), USER)
    assert decrypted_by_gpg(cast.pat, arrived)[1] == [key.fingerprint.encode()]
    revocation = pathlib.Path(gateway.folder / "revocation")
    revocation.write_text(key.revocation.read_text().replace(":-----BEGIN", "-----BEGIN"))
    give_key(gateway, revocation)
    stays(gateway, sink, "must", tag + "1", cast.pat)
    reply = stays(gateway, sink, "must", tag + "2", cast.pat)
    assert "4.7.5" in str(reply) and "is revoked" in str(reply)
    assert_unsigned(gateway, sink, at(cast.pat, "may", tag), "is revoked")


def test_what_expires_soon_is_announced(make_gateway, sink, cast, keyring, tag, tmp_path):
    soon = renewed(cast.alice_smime, tmp_path, "soon", -1, 10)
    key = locked(keyring, USER, "soon", expires="10d")
    gateway = started(make_gateway, sink, cast, key, soon, workers=1)
    for person in (cast.pat, cast.sam):
        address = at(person, "must", tag)
        _, trail = sent(gateway, sink, address, mail(address), USER)
        assert signed_line(trail)
        again = at(person, "must", tag + "2")
        sent(gateway, sink, again, mail(again), USER)
    for kind in ("openpgp", "smime"):
        # By the look at the start, where the key was there already, and by the worker: not with each message.
        assert 1 <= gateway.log.count(f'event=signing-key-expires signing={USER} format={kind}') <= 2, gateway.tail()

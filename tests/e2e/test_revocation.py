"""Revocation lists with the real gateway: what is revoked is not sealed to, and a list that is missing is not "not revoked"."""

import shutil

import protection
import readers
from authority import Authority
from gateway import USER, mail, queue_id
from tools import SEALGATE, remove_folder, run, short_folder

import pytest


@pytest.fixture(scope="module")
def authority():
    folder = short_folder()
    yield Authority(folder)
    remove_folder(folder)


@pytest.fixture
def lists():
    """A folder that the gateway's user may read."""
    folder = short_folder()
    folder.chmod(0o755)
    yield folder
    remove_folder(folder)


def rcpt(gateway, address):
    with gateway.connect() as client:
        client.ready(gateway)
        assert client.command(f"MAIL FROM:<{USER}>").code == 250
        return client.command(f"RCPT TO:<{address}>")


def test_a33_a_revoked_certificate_is_not_sealed_to(make_gateway, sink, authority, lists, tag):
    bob = authority.smime(f"bob-{tag}@example.com")
    crl, roots = lists / "authority.crl", lists / "roots.pem"
    shutil.copy(authority.certificate, roots)
    authority.revoke(crl)
    gateway = make_gateway(sink.route, bob, extra=f'keys {{ roots = "{roots}" crl = {{"{crl}"}} crl-required = yes }}')
    message = mail(bob.address)
    queue_id(gateway.submit([bob.address], message))
    protection.assert_is(readers.read(bob, sink.wait(bob.address).data), message)

    crl.unlink()
    assert rcpt(gateway, bob.address).code == 451
    authority.revoke(crl, bob)
    refused = rcpt(gateway, bob.address)
    assert refused.code == 550 and "revoked on" in refused.text
    shown = gateway.json("key", "lookup", bob.address)["certificates"][0]
    assert not shown["usable"] and shown["reason"].endswith("(CRL of Test Authority)")

    authority.revoke(crl)
    assert rcpt(gateway, bob.address).code == 250


def test_a_damaged_list_is_told_before_the_start(make_gateway, sink, lists):
    crl = lists / "authority.crl"
    crl.write_text("damaged")
    gateway = make_gateway(sink.route, start=False, extra=f'keys {{ crl = {{"{crl}"}} }}')
    said = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    assert said.returncode != 0 and f"keys crl: CRL: {crl}" in said.stderr.decode()

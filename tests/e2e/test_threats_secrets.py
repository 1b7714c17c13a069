"""Secrets that others can read (A26), and plaintext that must be nowhere (A27)."""

import base64
import os
import pathlib
import signal

from conftest import RULES
from gateway import mail, service_user
from tools import AS_ROOT, SEALGATE, run, wait_until

import pytest

CONFIG_ERROR = 78
CANARY = "xyzzy-plugh-4711-canary"


@pytest.mark.parametrize("which", ["key", "users", "spool.key"])
@pytest.mark.parametrize("mode", [0o640, 0o604], ids=["group", "others"])
def test_a26_secret_that_others_can_read_stops_the_start(make_gateway, which, mode):
    gateway = make_gateway("[127.0.0.1]:9")
    gateway.stop()
    path = gateway.state_dir / which if which == "spool.key" else getattr(gateway, which)
    path.chmod(mode)
    at = len(gateway.log)
    gateway.launch()
    assert gateway.process.wait(20) == CONFIG_ERROR
    said = gateway.log[at:]
    assert str(path) in said and "chmod 600" in said
    if which != "spool.key":
        checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
        assert checked.returncode == CONFIG_ERROR and str(path) in checked.stderr.decode()


@pytest.mark.skipif(not AS_ROOT, reason="only root can give a file to another user")
@pytest.mark.parametrize("which", ["key", "users"])
def test_a26_secret_of_another_user_stops_the_start(make_gateway, which):
    gateway = make_gateway("[127.0.0.1]:9", start=False)
    os.chown(getattr(gateway, which), 65534, -1)
    checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    assert checked.returncode == CONFIG_ERROR and str(getattr(gateway, which)) in checked.stderr.decode()


def places(gateway):
    """Every file that the gateway wrote or may have written."""
    yield from (p for p in gateway.folder.rglob("*") if p.is_file())
    account = service_user()
    for shared in ("/tmp", "/var/tmp", "/dev/shm"):
        for folder, _, names in os.walk(shared):
            for path in (pathlib.Path(folder, name) for name in names):
                try:
                    if account and path.stat().st_uid == account.pw_uid and path.is_file():
                        yield path
                except OSError:
                    continue


def forms(text):
    """The canary, and how it looks in base64 at each offset."""
    raw = text.encode()
    yield raw
    for shift in range(3):
        yield base64.b64encode(b"\0" * shift + raw)[4 if shift else 0:-4]


def search(gateway):
    """A file that the gateway removes meanwhile held nothing for long."""
    found = []
    for path in set(places(gateway)):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        found += [str(path) for form in forms(CANARY) if form in content]
    return found


def test_a27_the_search_can_find_it(make_gateway):
    gateway = make_gateway("[127.0.0.1]:9", start=False)
    (gateway.folder / "plain").write_text(f"x{CANARY}x")
    (gateway.folder / "coded").write_bytes(base64.b64encode(f"xx{CANARY}x".encode()))
    assert {os.path.basename(path) for path in search(gateway)} == {"plain", "coded"}


def test_a27_a_canary_is_nowhere_on_disk(make_gateway, people, tag):
    """Sealed, held, clear by rule, all waiting for a next hop that is down; then every role crashes and comes back."""
    gateway = make_gateway("[127.0.0.1]:9", people.bob, people.dan, rules=RULES)
    (gateway.folder / "tmp").mkdir()
    recipients = [people.bob.tagged(tag), people.dan.tagged(tag), f"{tag}@hold.example", f"{tag}@never.example",
                  f"{tag}@bounce.example"]
    message = mail(recipients, f"{CANARY}\r\n" * 50, subject="harmless")
    assert gateway.submit(recipients, message).code == 250
    for state, address in (("deferred", recipients[0]), ("held", recipients[2]), ("deferred", recipients[3])):
        gateway.wait_state(address, state)
    assert search(gateway) == []

    with gateway.connect() as client:  # a message half way in when its process crashes
        client.ready(gateway).envelope(gateway.user, recipients[:1])
        client.send(message)
        gateway.was_crashed = True
        for role in ("submission", "seal", "queue", "keys", "delivery", "auth", "passwords", "control"):
            before = gateway.pids(role)
            for pid in before:
                os.kill(pid, signal.SIGSEGV)
            wait_until(lambda: len(gateway.pids_or_none(role) or []) == len(before)
                       and not set(gateway.pids_or_none(role)) & set(before), f"{role} is back")
    assert search(gateway) == []
    assert not [p for p in gateway.folder.rglob("core*") if p.is_file()]
    gateway.kill()
    assert search(gateway) == []


def test_a27_nor_after_a_refusal_or_a_failed_sealing(make_gateway, people, tag):
    gateway = make_gateway("[127.0.0.1]:9", people.bob)
    bare = mail(people.bob.address, f"{CANARY}\r\n").replace(b"canary\r\n", b"canary\n")
    with gateway.connect() as client:
        client.ready(gateway).envelope(gateway.user, [people.bob.address])
        client.send(bare + b"\r\n.\r\n")
        assert client.reply().code == 554
        client.envelope(gateway.user, [people.bob.address])
        client.send(mail(people.bob.address, f"{CANARY}\r\n"))  # and gone, in the midst of it
    gateway.wait_log("event=disconnected")
    assert search(gateway) == []

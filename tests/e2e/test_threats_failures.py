"""Failures inside (A33) and a gpg that fails (R5), under each rule: a 4xx or a hold, never clear, never a half message."""

import concurrent.futures
import os
import pathlib
import signal
import time

import readers
import smtp
from gateway import USER, mail
from tools import wait_until

import pytest

RULES = """
rule "hold"   { when { recipient = {"*@hold.example"} } protect = require on-missing-key = hold }
rule "bounce" { when { recipient = {"*@bounce.example"} } protect = require on-missing-key = bounce }
rule "prefer" { when { recipient = {"*@prefer.example"} } protect = prefer }
rule default  { protect = require on-missing-key = refuse }
"""
KINDS = ("refuse", "hold", "bounce", "prefer")
SETTINGS = {"keys": {"lookup-budget": "500ms"}, "seal": {"workers": 2, "deadline": "2500ms", "cpu": "3s"},
            "limits": {"busy": "5s", "seal": "6s"}}

# What stands in the flag file decides what gpg does; without it, gpg is gpg.
GPG = """#!/bin/sh
case "$(cat {flag} 2>/dev/null)" in
'') exec /usr/bin/gpg "$@" ;;
empty) cat >/dev/null; exit 0 ;;
exit2) exit 2 ;;
truncate) /usr/bin/gpg "$@" | head -c 400 ;;
stopped) kill -STOP $$ ;;
killed) /usr/bin/gpg "$@" & pid=$!; sleep 0.06; kill -9 $pid; kill -9 $$ ;;
esac
"""


@pytest.fixture(scope="module")
def person(keyring):
    """Has a key, whatever the rule."""
    return keyring.openpgp("ann@refuse.example", *(f"ann@{kind}.example" for kind in KINDS[1:]))


class World:
    """A gateway whose gpg can be spoilt, and its next hop."""

    def __init__(self, gateway, sink):
        self.gateway, self.sink = gateway, sink
        self.flag = gateway.folder / "gpg.flag"

    def spoil(self, how):
        """From now on gpg does HOW, for messages: no worker is in its start-up probe any more."""
        wait_until(self._all_ready, lambda: f"all workers that seal are ready\n{self.gateway.tail()}")
        self.flag.write_text(how)

    def _all_ready(self):
        pids = self.gateway.pids_or_none("seal")
        ready = self.gateway.log
        return pids and len(pids) == self.gateway.settings["seal"]["workers"] and all(
            f"role=seal level=info event=ready pid={pid}\n" in ready for pid in pids)

    def mend(self):
        self.flag.unlink(missing_ok=True)

    def submit(self, address, body="secret\r\n"):
        return self.gateway.submit([address], mail(address, body))

    def nothing_clear(self):
        """All that was sent is sealed and whole; so is all that waits."""
        assert not [m for m in self.sink.messages if m.sender and not readers.is_sealed(m.data)]
        for recipient in self.gateway.queue():
            assert recipient["hold"] == "key" or recipient["state"] in ("queued", "leased", "deferred", "returning")


@pytest.fixture
def world(make_gateway, make_sink, person):
    sink = make_sink()
    gateway = make_gateway(sink.route, start=False, rules=RULES, settings=SETTINGS)
    program = gateway.settings["seal"]["gpg"] = gateway.folder / "gpg"
    program.write_text(GPG.format(flag=gateway.folder / "gpg.flag"))
    program.chmod(0o755)
    gateway.write_conf()
    gateway.start()
    gateway.add_keys(person)
    return World(gateway, sink)


def is_safe(reply):
    """A temporary refusal, or a hold."""
    return 400 <= reply.code < 500 or (reply.code == 250 and "held for a key" in reply.text)


def addresses():
    return [f"ann@{kind}.example" for kind in KINDS] + [f"nokey@{kind}.example" for kind in KINDS]


def works_again(world):
    """Every rule does again what it says, as soon as what failed is back."""
    wait_until(lambda: world.submit("ann@prefer.example").code == 250, "mail is sealed again")
    world.sink.wait("ann@prefer.example")
    world.nothing_clear()


# ---- A33 ----


def test_a33_keys_role_does_not_answer(world):
    pid, = world.gateway.pids("keys")
    os.kill(pid, signal.SIGSTOP)
    try:
        for address in addresses():
            reply = world.submit(address)
            assert is_safe(reply), f"{address}: {reply}"
    finally:
        os.kill(pid, signal.SIGCONT)
    assert not world.sink.messages
    works_again(world)


def test_a33_keystore_is_damaged(world):
    database = world.gateway.state_dir / "keys/keys.db"
    good = database.read_bytes()
    pid, = world.gateway.pids("keys")
    for file in database.parent.glob("keys.db*"):
        file.write_bytes(b"this is no database at all " * 1000)
    os.kill(pid, signal.SIGKILL)
    for address in addresses():
        reply = world.submit(address)
        assert is_safe(reply), f"{address}: {reply}"
    assert not world.sink.messages
    for file in database.parent.glob("keys.db-*"):
        file.unlink()
    database.write_bytes(good)
    wait_until(lambda: world.gateway.ctl("key", "list", check=False).returncode == 0, "the keystore is back")


def test_a33_keystore_vanishes(world):
    """A file that was there and is gone is not an empty keystore."""
    folder = world.gateway.state_dir / "keys"
    pid, = world.gateway.pids("keys")
    for file in folder.glob("keys.db*"):
        file.unlink()
    os.kill(pid, signal.SIGKILL)
    for address in addresses():
        reply = world.submit(address)
        assert is_safe(reply), f"{address}: {reply}"
    assert not world.sink.messages


def test_a33_queue_does_not_answer(world):
    """No commit, no 250."""
    pid, = world.gateway.pids("queue")
    os.kill(pid, signal.SIGSTOP)
    try:
        for address in ("ann@refuse.example", "nokey@prefer.example"):
            assert 400 <= world.submit(address).code < 500
    finally:
        os.kill(pid, signal.SIGCONT)
    works_again(world)


@pytest.mark.parametrize("kind", KINDS)
def test_a33_seal_worker_is_killed_at_work(world, kind):
    world.spoil("stopped")
    with world.gateway.connect() as client:
        client.ready(world.gateway).envelope(USER, [f"ann@{kind}.example"])
        at = len(world.gateway.log)
        client.send(smtp.dot_stuff(mail(f"ann@{kind}.example")))
        stopped = wait_until(lambda: gpg_processes(world.gateway), "gpg is at work")
        # GPGME leaves gpg to the supervisor, but in the process group of its worker.
        os.kill(os.getpgid(stopped[0]), signal.SIGKILL)
        reply = client.reply()
    assert reply.code == 451 and reply.text.startswith("4.3.0 "), str(reply)
    world.gateway.wait_log("event=died process=seal", after=at)
    world.mend()
    works_again(world)


# ---- R5 ----


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def gpg_processes(gateway):
    return [pid for pid in gateway.session_processes() if name_of(pid) in ("gpg", "sleep", "head", "cat")]


@pytest.mark.parametrize("how", ["empty", "exit2", "truncate", "stopped", "killed"])
def test_r5_a_gpg_that_fails(world, how):
    body = "x" * 76 + "\r\n"
    world.spoil(how)
    for address in addresses()[:4]:
        started = time.monotonic()
        reply = world.submit(address, body * (20_000_000 // len(body) if how == "killed" else 10))
        assert is_safe(reply), f"{address}: {reply}"
        assert time.monotonic() - started < 30, "not in time"
    assert not world.sink.messages and world.gateway.queue() == []
    world.mend()
    wait_until(lambda: not gpg_processes(world.gateway), "no gpg is left")
    works_again(world)


# ---- R5, the gpg that stays for certificates seen before ----


@pytest.fixture
def standing(world):
    """World, every worker of which has such a gpg, and their process ids."""
    def all_have_one():
        # At the same time: one message after the other would be the work of one worker.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert {reply.code for reply in pool.map(world.submit, ["ann@refuse.example"] * 4)} == {250}
        pids = gpg_processes(world.gateway)
        return len(pids) == world.gateway.settings["seal"]["workers"] and pids
    return world, wait_until(all_have_one, "each worker has a gpg that stays")


def test_r5_a_standing_gpg_is_killed(standing):
    world, pids = standing
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for _ in range(4):
        assert world.submit("ann@refuse.example").code == 250
    works_again(world)


def test_r5_a_standing_gpg_that_hangs(standing):
    world, pids = standing
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for _ in pids:
        started = time.monotonic()
        reply = world.submit("ann@refuse.example")
        assert is_safe(reply), str(reply)
        assert time.monotonic() - started < 30, "not in time"
    wait_until(lambda: not set(pids) & set(world.gateway.session_processes()), "those gpg are gone")
    works_again(world)


@pytest.mark.parametrize("how", ["empty", "exit2", "truncate"])
def test_r5_a_standing_gpg_that_comes_back_broken(standing, how):
    world, pids = standing
    world.spoil(how)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for _ in range(4):
        reply = world.submit("ann@refuse.example")
        assert is_safe(reply), str(reply)
    world.mend()
    works_again(world)


def test_r5_a_gpg_that_fails_from_the_start(make_gateway, make_sink, tmp_path):
    """The start-up probe keeps a gateway that cannot seal from taking mail at all."""
    sink = make_sink()
    gateway = make_gateway(sink.route, start=False, rules="rule default { protect = prefer }",
                           settings={**SETTINGS, "seal": {"workers": 1, "gpg": "/bin/true"}})
    gateway.start()
    assert gateway.submit(["a@example.com"], mail("a@example.com")).code == 451
    assert not sink.messages and "event=probe-failed" in gateway.log

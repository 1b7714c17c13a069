"""Strangers at AUTH, through the real roles: broken responses (A6), strange names (A21), what they learn of users (A19)."""

import base64
import concurrent.futures
import itertools
import random

import smtp
from gateway import PASSWORD, USER, Gateway

import pytest

KEEP = 'rule default { protect = require on-missing-key = hold }'
PATIENT = {"limits": {"auth-failures": 1000, "bad-commands": 10000},
           "throttle": {f"failures-{what}": "1000000/1s" for what in ("address", "network", "user")}}
# A certificate that nobody shows: EXTERNAL is there, and whoever shows another one is nobody.
SOMEBODY = f'account "somebody@example.org" {{ certificates = {{"sha256:{"0" * 64}"}} }}'
MECHANISMS = ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL"]
LONGEST = 300

STRANGE = ["a)(|(uid=*", "*", "alice@example.org)(&", "alice@example.org\0", "\0alice@example.org", "alice@example.org\n",
           "al\nice", "alice@example.org\t", "a\tb", "'", '"alice@example.org"', "alice@example.org' OR '1'='1", "a\\",
           "a:b", "..", "../users", "%s%n%n", "ALICE@EXAMPLE.ORG", "alice@example.org ", " alice@example.org",
           "\u202ealice@example.org", "a\x1b[2J", "\x7f", "", "x" * 2000, b"\xff\xfe", b"\xc0\xaf"]


@pytest.fixture(scope="module")
def door(pki, sink):
    """One that hears out any number of failures."""
    with Gateway(pki, sink.route, rules=KEEP, settings=PATIENT, extra=SOMEBODY, tls=f'client-ca = "{pki.ca}"') as gateway:
        gateway.strangers_certificate = pki.issue("stranger", extensions=["extendedKeyUsage=clientAuth"])
        yield gateway


def encoded(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


class Stranger:
    """From an address of its own, so that nobody's failures slow it down (A20); connects anew whenever a session's
    patience is at its end."""

    addresses = itertools.count(1)

    def __init__(self, gateway):
        self.gateway, self.client = gateway, None
        number = next(self.addresses)
        self.source = f"127.6.{number // 250}.{number % 250 + 1}"

    def __enter__(self):
        self.hello()
        return self

    def __exit__(self, *_):
        self.client.close()

    def hello(self):
        if self.client:
            self.client.close()
        self.client = self.gateway.connect(source=self.source, certificate=self.gateway.strangers_certificate)
        self.offered = [line.split()[1:] for line in self.client.ehlo().lines if line.startswith("AUTH ")][0]

    def say(self, line):
        try:
            self.client.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
            reply = self.client.reply()
        except smtp.Closed:
            self.hello()
            return None
        if reply.code == 421:
            self.hello()
        return reply

    def fails(self, mechanism, responses, initial=True):
        """An exchange with these responses, cancelled when more are wanted: refused with 501 or 535; the last reply."""
        responses = list(responses)
        reply = self.say(f"AUTH {mechanism} {responses.pop(0)}" if initial else f"AUTH {mechanism}")
        while reply and reply.code == 334:
            reply = self.say(responses.pop(0) if responses else "*")
        assert reply is None or reply.code in (421, 501, 535), f"{mechanism}: {reply}"
        return reply

    def is_in_step(self):
        assert self.client.command("NOOP").code == 250


@pytest.mark.parametrize("initial", [True, False], ids=["initial", "response"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a6_base64_of_any_length(door, mechanism, initial):
    dice = random.Random(6)
    roles = {role: door.pids(role) for role in ("auth", "submission")}
    with Stranger(door) as stranger:
        assert mechanism in stranger.offered
        # A response to EXTERNAL that is base64 is an attempt, and answered the more slowly the more there were (A20).
        for length in range(0, LONGEST + 1, 100 if mechanism == "EXTERNAL" else 1):
            # Bytes that are base64 (an empty one is "=" behind AUTH, RFC 4954), and as many that are none.
            stranger.fails(mechanism, [encoded(dice.randbytes(length)) or ("=" if initial else "")], initial)
            stranger.fails(mechanism, ["A" * length or "="], initial)
        stranger.is_in_step()
    assert roles == {role: door.pids(role) for role in roles}, "a process died of it"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a6_what_is_no_base64(door, mechanism):
    roles = {role: door.pids(role) for role in ("auth", "submission")}
    lines = ["=", "==", "=A", "A===", "====", "*", "**", "-", "AA-_", "A A", "AAAA=AAA", "AAAA\tAAAA", "\u00fc", "A" * 12000, ""]
    with Stranger(door) as stranger:
        assert mechanism in stranger.offered
        for line in lines:
            assert stranger.say(f"AUTH {mechanism}").code == 334
            reply = stranger.say(line)
            while reply and reply.code == 334:
                reply = stranger.say("*")
            assert reply.code in (500, 501, 535), f"{line}: {reply}"
        for line in (b"\0", b"AAAA\0", b"\0" * 100, b"AGE\0AYg=="):
            assert stranger.say(f"AUTH {mechanism}").code == 334
            assert stranger.say(line).code in (500, 501)
        # Longer than RFC 4954 §4 allows: swallowed up to its end.
        assert stranger.say(f"AUTH {mechanism}").code == 334
        assert stranger.say("A" * 20000).code in (500, 501)
        stranger.is_in_step()
    assert roles == {role: door.pids(role) for role in roles}, "a process died of it"


def as_bytes(name):
    return name if isinstance(name, bytes) else name.encode()


def scram_first(name):
    return encoded(b"n,,n=" + as_bytes(name).replace(b"=", b"=3D").replace(b",", b"=2C") + b",r=c0ffee")


@pytest.mark.parametrize("name", STRANGE, ids=ascii)
def test_a21_no_strange_name_gets_in(door, name):
    """With the right password of somebody else, and none of it breaks a log line."""
    door.ctl("guard", "forget", "user", USER, check=False)
    at = len(door.log)
    name, word = as_bytes(name), PASSWORD.encode()

    def attempt(mechanism, responses, initial):
        with Stranger(door) as stranger:
            if mechanism in stranger.offered:
                stranger.fails(mechanism, responses, initial)
                stranger.is_in_step()

    attempts = [("PLAIN", [encoded(b"\0" + name + b"\0" + word)], True),
                ("PLAIN", [encoded((name or b"x") + b"\0" + USER.encode() + b"\0" + word)], True),
                ("LOGIN", [encoded(name), encoded(word)], False),
                ("SCRAM-SHA-256", [scram_first(name), encoded(b"c=biws,r=c0ffee,p=AAAA")], True),
                ("SCRAM-SHA-256", [encoded(b"n,a=" + name + b",n=x,r=y")], True)]
    # At the same time: one after the other they would be slowed down, for each but the first finds a failure of its user.
    with concurrent.futures.ThreadPoolExecutor(len(attempts)) as pool:
        assert len(list(pool.map(lambda words: attempt(*words), attempts))) == len(attempts)
    lines = door.log[at:].splitlines()
    assert lines and all(line.startswith("role=") for line in lines), "a name broke a line of the log"
    assert all(" " <= c for line in lines for c in line) and "\x7f" not in door.log[at:]
    assert "event=authenticated" not in door.log[at:]


def test_a21_the_user_gets_in(door):
    """All of the above would also fail if nobody could log in. A soft hyphen is nothing to SASLprep (RFC 4013 §2.1)."""
    for name in (USER, USER.replace("@", "\u00ad@")):
        at = len(door.log)
        with Stranger(door) as stranger:
            assert stranger.client.login(name, PASSWORD).code == 235
        assert "event=authenticated" in door.log[at:] and f"login={USER} " in door.log[at:]


def server_first(stranger, name):
    """{"r": nonce, "s": salt, "i": count} of SCRAM; the exchange is cancelled."""
    reply = stranger.say(f"AUTH SCRAM-SHA-256 {scram_first(name)}")
    assert reply.code == 334, str(reply)
    fields = dict(field.split("=", 1) for field in base64.b64decode(reply.text).decode().split(","))
    assert stranger.say("*").code == 501
    return fields


def test_a19_a_salt_does_not_tell(door):
    """Users who do not exist have a salt too, of the same form, and keep it."""
    nobody, other = "nobody@example.org", "nobody.else@example.org"
    with Stranger(door) as stranger:
        assert "SCRAM-SHA-256" in stranger.offered
        user, first, second, third = (server_first(stranger, name) for name in (USER, nobody, nobody, other))
    assert user["s"] == server_first_again(door, USER)["s"], "the user's own salt changes"
    assert first["s"] == second["s"] == server_first_again(door, nobody)["s"], "a salt that changes tells that nobody is there"
    assert len({user["s"], first["s"], third["s"]}) == 3
    for fields in (first, third):
        assert fields.keys() == user.keys() and fields["i"] == user["i"]
        assert len(base64.b64decode(fields["s"])) == len(base64.b64decode(user["s"]))
        assert fields["r"].startswith("c0ffee") and len(fields["r"]) == len(user["r"])


def server_first_again(gateway, name):
    """In a session of its own."""
    with Stranger(gateway) as stranger:
        return server_first(stranger, name)


def test_a19_replies_do_not_tell(door):
    """The same words in the same order for a user with the wrong password and for nobody."""
    def replies(name):
        said = []
        with Stranger(door) as stranger:
            said.append(stranger.say("AUTH PLAIN " + encoded(f"\0{name}\0wrong")))
            said.append(stranger.say("AUTH LOGIN"))
            said.append(stranger.say(encoded(name)))
            said.append(stranger.say(encoded("wrong")))
            if "SCRAM-SHA-256" in stranger.offered:
                reply = stranger.say(f"AUTH SCRAM-SHA-256 {scram_first(name)}")
                nonce = dict(f.split("=", 1) for f in base64.b64decode(reply.text).decode().split(","))["r"]
                said.append(stranger.say(encoded(f"c=biws,r={nonce},p={encoded(bytes(32))}")))
            for line in ("VRFY", "EXPN", "RCPT TO:<{}>"):
                said.append(stranger.say(f"{line} {name}" if "{" not in line else line.format(name)))
        return [str(reply) for reply in said]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        user, nobody = pool.map(replies, (USER, "nobody@example.org"))
    assert user == nobody

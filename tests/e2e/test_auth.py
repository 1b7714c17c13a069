"""Logging in: SCRAM and EXTERNAL with real clients, what is refused, and an auth role that goes away."""

import hashlib
import os
import signal
import ssl
import subprocess
import types

import smtp
from gateway import Gateway, mail
from scram import Scram, b64
from tools import run

import pytest


@pytest.fixture(scope="module")
def door(pki, sink):
    """Whoever guesses here must not be slowed down, or later tests would be."""
    with Gateway(pki, sink.route, settings={"throttle": {"failures-address": "10000/1h",
                                                         "failures-network": "10000/1h",
                                                         "failures-user": "10000/1h"},
                                            "limits": {"auth-failures": 1000, "bad-commands": 1000}}) as made:
        yield made
    assert not made.complaints()


@pytest.fixture(autouse=True)
def forget_guesses(door):
    """The guard answers more slowly after each failure: not in the next test."""
    yield
    forget(door)


def forget(door):
    for kind, name in (("address", "127.0.0.1"), ("user", door.user), ("user", "nobody@example.org")):
        door.ctl("guard", "forget", kind, name, check=False)


def gsasl(door, mechanism, *more, password=None):
    """GNU SASL's own client, over STARTTLS (it knows no other); what it and the server said."""
    done = subprocess.run(["gsasl", "--smtp", "--starttls", f"--connect=localhost:{door.starttls_port}", "--verbose",
                           f"--mechanism={mechanism}", f"--authentication-id={door.user}",
                           f"--password={password or door.password}", f"--x509-ca-file={door.pki.ca}", *more],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("mechanism, more", [("SCRAM-SHA-256-PLUS", []), ("SCRAM-SHA-256", ["--no-cb"]),
                                             ("SCRAM-SHA-256-PLUS", ["--authorization-id=alice@example.org"]),
                                             ("PLAIN", []), ("LOGIN", [])], ids=str)
def test_gsasl_logs_in(door, mechanism, more):
    code, said = gsasl(door, mechanism, *more)
    assert code == 0 and "\n235 2.7.0 " in said, said
    assert "Client authentication finished (server trusted)" in said


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "PLAIN", "LOGIN"])
def test_gsasl_with_a_wrong_password(door, mechanism):
    code, said = gsasl(door, mechanism, password="wrong")
    assert code != 0 and "535 5.7.8 " in said and "235 2.7.0" not in said, said


def test_gsasl_as_another(door):
    code, said = gsasl(door, "SCRAM-SHA-256-PLUS", "--authorization-id=bob@example.org")
    assert code != 0 and "535 5.7.8 " in said, said


def test_tls_1_2_has_no_plus(door):
    """Its clients bind to tls-unique, which is not offered, so they must not be led to try."""
    code, said = gsasl(door, "SCRAM-SHA-256", "--no-cb", "--priority=NORMAL:-VERS-TLS1.3")
    assert code == 0 and "(TLS1.2)" in said and "AUTH SCRAM-SHA-256 PLAIN LOGIN" in said, said


def challenge(client, line):
    reply = client.command(line)
    assert reply.code == 334, str(reply)
    return reply.text


def begin(client, scram):
    client.ehlo()
    return challenge(client, "AUTH SCRAM-SHA-256 " + scram.first())


@pytest.mark.parametrize("nonce", [24, 4000])
def test_scram_and_its_additional_data(door, nonce):
    """RFC 4954 §4: the server's proof is a challenge, which an empty line answers; then 235. No line is too long."""
    scram = Scram(door.user, door.password, nonce=nonce)
    with door.connect() as client:
        final = challenge(client, scram.final(begin(client, scram)))
        assert scram.server_is_right(final)
        assert client.command("").code == 235
        assert client.command(f"MAIL FROM:<{door.user}>").code == 250
        assert client.command("AUTH PLAIN =").code == 503


def test_scram_is_not_over_before_the_empty_line(door):
    for line in ("*", "=", "AAAA"):
        scram = Scram(door.user, door.password)
        with door.connect() as client:
            challenge(client, scram.final(begin(client, scram)))
            assert client.command(line).code == 501
            assert client.command(f"MAIL FROM:<{door.user}>").code == 530


def test_downgrade_is_refused(door):
    """RFC 5802 §6: a client that could bind, but was shown no -PLUS, met somebody in the middle."""
    scram = Scram(door.user, door.password, flag="y")
    with door.connect() as client:
        client.ehlo()
        assert client.command("AUTH SCRAM-SHA-256 " + scram.first()).code == 535


def salt(door, user):
    with door.connect() as client:
        return begin(client, Scram(user, "x"))


def shape(text):
    import base64
    fields = dict(f.split("=", 1) for f in base64.b64decode(text).decode().split(","))
    return fields["s"], fields["i"]


def test_a19_nobody_has_a_salt_too(door, pki, sink):
    """Twice the same, also behind a restart, with iterations as users have; and the end is the same as theirs."""
    known, nobody = shape(salt(door, door.user)), shape(salt(door, "nobody@example.org"))
    assert known[0] != nobody[0] and len(known[0]) == len(nobody[0]) and known[1] == nobody[1]
    assert shape(salt(door, "nobody@example.org")) == nobody
    assert shape(salt(door, "nobody2@example.org"))[0] != nobody[0]
    pid, = door.pids("auth")
    os.kill(pid, signal.SIGKILL)
    door.wait_log("process=auth index=0", after=len(door.log))
    assert shape(salt(door, "nobody@example.org")) == nobody
    replies = set()
    for user in (door.user, "nobody@example.org"):
        scram = Scram(user, "wrong")
        with door.connect() as client:
            replies.add(str(client.command(scram.final(begin(client, scram)))))
    assert len(replies) == 1 and replies.pop().startswith("535 5.7.8 ")


def test_auth_killed_in_an_exchange(door):
    scram = Scram(door.user, door.password)
    with door.connect() as client:
        first = begin(client, scram)
        pid, = door.pids("auth")
        os.kill(pid, signal.SIGKILL)
        reply = client.command(scram.final(first))
        assert reply.code == 454 and reply.text.startswith("4.7.0 "), str(reply)
        assert client.command(f"MAIL FROM:<{door.user}>").code == 530
        # The same session, once there is a new one.
        again = Scram(door.user, door.password)
        challenge(client, again.final(begin(client, again)))
        assert client.command("").code == 235


def test_reload_in_an_exchange(door):
    scram = Scram(door.user, door.password)
    with door.connect() as client:
        first = begin(client, scram)
        before, at = door.pids("auth"), len(door.log)
        door.reload()
        door.wait_log("event=reloaded", after=at)
        door.wait_log("process=auth index=0", after=at)
        assert client.command(scram.final(first)).code in (454, 421)
    assert door.pids("auth") != before
    with door.connect() as client:
        client.ready(door)


def test_a6_garbage(door):
    """Nothing but 501, 504, 535, 500, and the roles live on."""
    pids = door.pids("auth") + door.pids("submission")
    texts = ["=", "==", "A", "AAAA", "AAA=", "*A", "/" * 4, b64(b"\0" * 9), b64(b"n,,n=,r="), b64(b"p=x,,n=a,r=b"),
             b64(b"\0a\0"), b64(b"\xff" * 30), b64(b"n,,n=" + b"a" * 5000 + b",r=b")]
    with door.connect() as client:
        client.ehlo()
        for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL", "X"):
            for text in texts:
                for line in (f"AUTH {mechanism} {text}", f"AUTH {mechanism}"):
                    reply = client.command(line)
                    for _ in range(3):
                        if reply.code == 334:
                            reply = client.command(text)
                    if reply.code == 334:
                        reply = client.command("*")
                    assert reply.code in (500, 501, 504, 535), f"{line}: {reply}"
                    if reply.code == 535:
                        forget(door)
        client.ready(door)
    assert door.pids("auth") + door.pids("submission") == pids


# ---- EXTERNAL ----

CAROL, DAN = "carol@example.org", "dan@example.org"


def sha256_of(certificate):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()


@pytest.fixture(scope="module")
def certified(pki, sink, people):
    """carol is known by her subject, dan by his certificate's fingerprint, erin by neither."""
    dan = pki.issue("dan")
    made = Gateway(pki, sink.route, settings={"limits": {"auth-failures": 1000}}, extra=(
        f'account "{CAROL}" {{ certificates = {{"subject:CN=carol"}} }}\n'
        f'account "{DAN}" {{ certificates = {{"sha256:{sha256_of(dan[0]).upper()}"}} }}\n'))
    made.tls_keys = f'client-ca = "{pki.ca}"'
    made.write_conf()
    with made:
        made.add_keys(people.bob)
        made.people = {"carol": pki.issue("carol"), "dan": dan, "erin": pki.issue("erin"), None: None}
        yield made
    assert not made.complaints()


def show(gateway, who, tls="implicit"):
    """A raw client that has WHO's certificate, behind EHLO."""
    context = gateway.pki.client_context()
    if gateway.people[who]:
        context.load_cert_chain(*gateway.people[who])
    port = gateway.port if tls == "implicit" else gateway.starttls_port
    client = smtp.Raw(port, types.SimpleNamespace(client_context=lambda: context), tls)
    client.hello = client.ehlo()
    return client


def is_offered(client):
    return any("EXTERNAL" in line.split() for line in client.hello.lines if line.startswith("AUTH "))


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("who, user", [("carol", CAROL), ("dan", DAN)])
def test_external(certified, who, user, tls):
    for lines in (["AUTH EXTERNAL ="], ["AUTH EXTERNAL", ""], [f"AUTH EXTERNAL {b64(user.encode())}"],
                  ["auth external", b64(user.encode())]):
        with show(certified, who, tls) as client:
            assert is_offered(client)
            for line in lines[:-1]:
                assert client.command(line).code == 334
            assert client.command(lines[-1]).code == 235
            assert client.command(f"MAIL FROM:<{user}>").code == 250


def test_external_is_the_certificates_user_alone(certified):
    with show(certified, "carol") as client:
        for authzid in (DAN, certified.user, "carol", "*"):
            reply = client.command(f"AUTH EXTERNAL {b64(authzid.encode())}")
            assert reply.code == 535 and "certificate" in reply.text, str(reply)
            forget(certified)
        assert client.command(f"MAIL FROM:<{CAROL}>").code == 530
    with show(certified, "erin") as client:  # verified, but nobody's
        assert client.command("AUTH EXTERNAL =").code == 535
    forget(certified)
    with show(certified, None) as client:
        assert not is_offered(client)
        assert client.command("AUTH EXTERNAL =").code == 504


@pytest.mark.parametrize("implicit", [True, False], ids=["465", "587"])
def test_external_with_msmtp(certified, sink, people, tag, implicit):
    recipient = people.bob.tagged(tag)
    certificate, key = certified.people["carol"]
    run("msmtp", "--file=/dev/null", "--host=localhost", "--tls=on", "--auth=external", f"--user={CAROL}",
        f"--port={certified.port if implicit else certified.starttls_port}",
        f"--tls-starttls={'off' if implicit else 'on'}", f"--tls-trust-file={certified.pki.ca}",
        f"--tls-cert-file={certificate}", f"--tls-key-file={key}", f"--from={CAROL}", "--", recipient,
        input=mail(recipient).replace(certified.user.encode(), CAROL.encode()))
    sink.wait(recipient)

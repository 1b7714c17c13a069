"""Every verb of sealctl, as text and as JSON, and its exit codes (sysexits.h)."""

import json
import os
import shutil
import socket

from gateway import USER, mail, queue_id, service_user
from scram import Scram
from tools import AS_ROOT, SEALCTL, run

import pytest

USAGE, DATA, NO_INPUT, UNAVAILABLE, NO_PERMISSION, CONFIG = 64, 65, 66, 69, 77, 78


@pytest.fixture(scope="module")
def waiting(gateway):
    """The id of a message that is held."""
    return queue_id(gateway.submit(["ctl@hold.example"], mail("ctl@hold.example")))


def both(gateway, *words):
    """(text, JSON) of a verb."""
    return gateway.ctl(*words).stdout.decode(), gateway.json(*words)


def test_status(gateway):
    text, told = both(gateway, "status")
    roles = {p["role"] for p in told["processes"]}
    assert roles == {"submission", "auth", "passwords", "seal", "keys", "queue", "delivery", "control"}
    assert all(role in text for role in roles) and "recipients" in told["queue"]


def test_queue_list_and_show(gateway, waiting):
    text, told = both(gateway, "queue", "list")
    assert waiting in text and "ctl@hold.example" in text and "none found" in text
    assert waiting in [message["id"] for message in told["messages"]]
    text, told = both(gateway, "queue", "show", waiting)
    assert "ctl@hold.example" in text and told["message"]["recipients"][0]["state"] == "held"


def test_held_list_show_and_release(gateway, waiting):
    text, told = both(gateway, "held", "list")
    assert waiting in text and waiting in [message["id"] for message in told["messages"]]
    text, told = both(gateway, "held", "show", waiting)
    assert "ctl@hold.example" in text and told["message"]["id"] == waiting
    text, told = both(gateway, "held", "release", waiting)
    assert told["released"] == 0 and "none found" in text, "released without a key"
    assert gateway.state("ctl@hold.example")["state"] == "held"


def test_queue_hold_release_retry_remove(make_gateway, make_sink, people, tag):
    sink = make_sink()
    sink.stop()
    gateway = make_gateway(sink.route, people.bob, settings={"queue": {"first-retry": "1h", "last-retry": "1h"}})
    address = people.bob.tagged(tag)
    message_id = queue_id(gateway.submit([address], mail(address)))
    gateway.wait_state(address, "deferred")
    assert gateway.json("queue", "hold", message_id)["held"] == 1
    assert gateway.state(address)["state"] == "held"
    sink.start()
    assert gateway.json("queue", "retry", "all")["recipients"] == 0, "a held one was retried"
    assert gateway.json("queue", "release", message_id)["released"] == 1
    sink.wait(address)
    gateway.wait_state(address, None)

    sink.stop()
    second = queue_id(gateway.submit([address], mail(address)))
    gateway.wait_state(address, "deferred")
    sink.start()
    assert gateway.json("queue", "retry", second)["recipients"] == 1
    gateway.wait_state(address, None)

    sink.stop()
    third = queue_id(gateway.submit([address], mail(address)))
    gateway.wait_state(address, "deferred")
    assert gateway.json("queue", "remove", third)["removed"] == 1
    assert gateway.queue() == [] and gateway.audit(third)[-1]["event"] == "removed"


def test_keys(gateway, people):
    text, told = both(gateway, "key", "list")
    known = {c["fingerprint"]: c for c in told["certificates"]}
    for person in vars(people).values():
        assert person.fingerprint in text and known[person.fingerprint]["format"] == person.format
    assert not known[people.expired.fingerprint]["usable"]
    assert known[people.expired.fingerprint]["reason"] == "expired on 2020-06-01"
    text, told = both(gateway, "key", "show", people.dan.fingerprint)
    assert people.dan.address in text and told["certificates"][0]["fingerprint"] == people.dan.fingerprint
    text, told = both(gateway, "key", "lookup", people.bob.tagged("x").upper())
    assert people.bob.fingerprint in text and told["certificates"][0]["usable"]
    assert both(gateway, "key", "lookup", "nobody@example.com") == (
        "no certificate\n", {"ok": True, "certificates": [], "preferred": None})
    text, told = both(gateway, "key", "expiring", "60")
    assert {people.expired.fingerprint, people.dan.fingerprint} <= {c["fingerprint"] for c in told["certificates"]}
    assert people.bob.fingerprint not in text


def test_key_add_and_remove_in_every_form(gateway, keyring, tmp_path, tag):
    pgp, smime = keyring.openpgp(f"{tag}@example.com"), keyring.smime(f"{tag}@example.com")
    files = {"armored": pgp.certificate.read_bytes(), "binary": keyring.gpg("--export", pgp.fingerprint).stdout,
             "PEM": smime.certificate.read_bytes(),
             "DER": run("openssl", "x509", "-in", smime.certificate, "-outform", "DER").stdout,
             "PKCS#7": run("openssl", "crl2pkcs7", "-nocrl", "-certfile", smime.certificate).stdout}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        added = gateway.json("key", "add", tmp_path / name)["certificates"]
        wanted = pgp if name in ("armored", "binary") else smime
        assert [c["fingerprint"] for c in added] == [wanted.fingerprint], name
        assert gateway.ctl("key", "remove", wanted.fingerprint).stdout == b"removed\n"
        assert gateway.json("key", "lookup", f"{tag}@example.com")["certificates"] == []
    gateway.ctl("key", "add", "-", input=files["armored"])
    assert gateway.ctl("key", "add", "-", input=b"no certificate", check=False).returncode == DATA
    assert len(gateway.json("key", "lookup", f"{tag}@example.com")["certificates"]) == 1


@pytest.fixture
def forget_guesses(gateway):
    """The guard answers an address more slowly after each failure: not in the tests that follow."""
    yield
    gateway.ctl("guard", "forget", "address", "127.0.0.1", check=False)


def test_users(gateway, forget_guesses):
    assert [line.split()[0] for line in gateway.ctl("user", "list").stdout.decode().splitlines()] == ["user", USER]
    gateway.ctl("user", "add", "second", input="one\n")
    every = ["scram-sha-256-plus", "scram-sha-256", "plain", "login"]
    assert gateway.json("user", "list")["users"] == [{"name": name, "mechanisms": every} for name in (USER, "second")]
    for password, code in (("one", 235), ("two", 535)):
        with gateway.connect() as client:
            client.ehlo()
            assert client.login("second", password).code == code
    gateway.ctl("user", "passwd", "second", input="two\n")
    with gateway.connect() as client:
        client.ehlo()
        assert client.login("second", "one").code == 535 and client.login("second", "two").code == 235
    gateway.ctl("user", "remove", "second")
    with gateway.connect() as client:
        client.ehlo()
        assert client.login("second", "two").code == 535
    assert "$y$" in gateway.users.read_text(), "not a yescrypt hash"
    assert ":SCRAM-SHA-256$" in gateway.users.read_text()
    told = gateway.users.stat()
    assert told.st_mode & 0o777 == 0o600
    assert told.st_uid == (service_user().pw_uid if AS_ROOT else os.getuid()), "the auth role cannot read it"


def test_names_and_passwords_that_scram_cannot_carry_are_refused(gateway):
    for name, password in (("\ufb01n", "secret"), ("a:b", "secret"), ("third", "bell\a"), ("third", "")):
        said = gateway.ctl("user", "add", name, input=password + "\n", check=False)
        assert said.returncode == DATA and said.stderr, name
    assert [user["name"] for user in gateway.json("user", "list")["users"]] == [USER]


def test_import_from_dovecot(gateway):
    """What a real Dovecot makes of a password is taken over: each user logs in, the one with SCRAM keys by SCRAM too."""
    schemes = ("SCRAM-SHA-256", "BLF-CRYPT", "SHA512-CRYPT", "CRYPT")
    hashes = {scheme: run("doveadm", "pw", "-s", scheme, "-p", f"{scheme}'s").stdout.decode().strip() for scheme in schemes}
    lines = "".join(f"{scheme.lower()}:{made}::::::\n" for scheme, made in hashes.items())
    assert gateway.json("user", "import", "-", input=lines)["imported"] == len(schemes)
    try:
        for scheme in schemes:
            with gateway.connect() as client:
                client.ehlo()
                assert client.login(scheme.lower(), f"{scheme}'s").code == 235, scheme
        scram = Scram("scram-sha-256", "SCRAM-SHA-256's")
        with gateway.connect() as client:
            client.ehlo()
            first = client.command("AUTH SCRAM-SHA-256 " + scram.first())
            assert first.code == 334 and scram.server_is_right(client.command(scram.final(first.text)).text)
            assert client.command("").code == 235
    finally:
        for scheme in schemes:
            gateway.ctl("user", "remove", scheme.lower())
    weak = run("doveadm", "pw", "-s", "MD5-CRYPT", "-p", "x").stdout.decode().strip()
    said = gateway.ctl("user", "import", input=f"weak:{weak}\n", check=False)
    assert said.returncode == DATA and b"{MD5-CRYPT} cannot be used" in said.stderr


def test_import(gateway, tmp_path):
    crypted = run("openssl", "passwd", "-6", "six").stdout.decode().strip()
    lines = f"# from the old server\nsix:{crypted}:1000:1000::/home/six::\nnew:{{PLAIN}}new password\n"
    (tmp_path / "users").write_text(lines)
    (tmp_path / "bad").write_text(f"good:{crypted}\nweak:$1$abcdefgh$G//4keteveJp0qb8z2DxG/\nsix:{crypted}\n\nlost\n")
    assert gateway.json("user", "import", tmp_path / "users") == {"ok": True, "imported": 2}
    try:
        plain = ["plain", "login"]
        users = {user["name"]: user["mechanisms"] for user in gateway.json("user", "list")["users"]}
        assert users["six"] == plain and users["new"] == ["scram-sha-256-plus", "scram-sha-256"] + plain
        for name, password in (("six", "six"), ("new", "new password")):
            with gateway.connect() as client:
                client.ehlo()
                assert client.login(name, password).code == 235
        before = gateway.users.read_bytes()
        said = gateway.ctl("user", "import", tmp_path / "bad", check=False)
        assert said.returncode == DATA and gateway.users.read_bytes() == before
        told = said.stderr.decode()
        for text in ("bad:2: user weak", "bad:3: user six: is there already", "bad:5: no colon", "nothing was changed"):
            assert text in told, told
        assert gateway.ctl("user", "import", input=lines, check=False).returncode == DATA
        assert gateway.ctl("user", "import", "--replace", "-", input=lines.replace("new p", "newer p")).returncode == 0
        with gateway.connect() as client:
            client.ehlo()
            assert client.login("new", "newer password").code == 235
    finally:
        for name in ("six", "new"):
            gateway.ctl("user", "remove", name)



def test_audit(gateway, waiting):
    text, told = both(gateway, "audit", "list", waiting)
    assert "ctl@hold.example" in text and [line["event"] for line in told["lines"]][:2] == ["accepted", "held"]
    assert len(gateway.json("audit", "list", "2")["lines"]) == 2
    text, told = both(gateway, "audit", "verify")
    assert told["intact"] and "intact: yes" in text
    assert all(json.loads(line)["hash"] for line in gateway.ctl("audit", "export").stdout.splitlines())


def test_explain(gateway, people):
    text, told = both(gateway, "explain", "--from", USER, "--to", "bob@example.com", "--to", "expired@example.com",
                      "--subject", "x", "--header", "X-Class: none")
    assert people.bob.fingerprint in text and "expired on 2020-06-01" in text
    first, second = told["recipients"]
    assert (first["rule"], first["protect"], first["action"]) == ("default", "require", "seal")
    assert first["certificate"]["fingerprint"] == people.bob.fingerprint and first["tls"]["level"] == "may"
    assert second["action"] == "refuse" and second["certificate"] is None


def test_explain_names_the_tls_policy(make_gateway):
    gateway = make_gateway("[127.0.0.1]:9", extra='tls-policy ".partner.example" { level = secure }')
    text, told = both(gateway, "explain", "--from", USER, "--to", "x@Mail.Partner.example", "--to", "x@else.example")
    first, second = (r["tls"] for r in told["recipients"])
    assert (first["level"], first["why"]) == ("secure", "tls-policy .partner.example")
    assert (second["level"], second["why"]) == ("may", "delivery tls") and "TLS secure" in text


@pytest.mark.parametrize("words, code", [
    ((), USAGE), (("nonsense",), USAGE), (("queue",), USAGE), (("queue", "show"), USAGE),
    (("key", "expiring", "soon"), USAGE),
    (("explain", "--to", "a@example.com"), USAGE), (("--nonsense", "status"), USAGE),
    (("queue", "show", "no-id"), DATA), (("queue", "show", "0" * 20), NO_INPUT),
    (("held", "release", "0" * 20), NO_INPUT),
    (("key", "show", "00" * 20), NO_INPUT), (("key", "remove", "00" * 20), NO_INPUT),
    (("key", "add", "/nonexistent"), NO_INPUT), (("key", "lookup", "no address"), DATA),
    (("user", "remove", "nobody"), NO_INPUT), (("user", "add", "a:b"), DATA)])
def test_exit_codes(gateway, words, code):
    done = gateway.ctl(*words, check=False, input="password\n")
    assert done.returncode == code, done.stderr.decode()
    assert done.stderr and not done.stdout


def test_gateway_that_does_not_run(make_gateway):
    gateway = make_gateway("[127.0.0.1]:9", start=False)
    done = gateway.ctl("status", check=False)
    assert done.returncode == UNAVAILABLE and "is sealgate running" in done.stderr.decode()
    gateway.conf.write_text("nonsense")
    assert gateway.ctl("status", check=False).returncode == CONFIG
    gateway.conf.unlink()
    assert gateway.ctl("status", check=False).returncode == CONFIG


@pytest.mark.skipif(not AS_ROOT, reason="needs root to be somebody else")
def test_somebody_else_may_not_speak_to_it(gateway):
    gateway.conf.chmod(0o644)
    # The build folder may lie where nobody else can look.
    sealctl = shutil.copy(SEALCTL, gateway.folder / "sealctl")
    done = run(sealctl, "-c", gateway.conf, "status", check=False, user=65534, group=65534, extra_groups=[])
    assert done.returncode == UNAVAILABLE and b"Permission denied" in done.stderr


def test_control_socket_survives_garbage(gateway):
    for garbage in (b"\n", b"{}\n", b'{"verb": 7}\n', b"\0" * 1000 + b"\n", b"[" * 100000 + b"\n", b'{"verb": "x"}\n', b"x"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(gateway.state_dir / "control.sock"))
            client.sendall(garbage)
            if garbage.endswith(b"\n"):
                answer = json.loads(client.makefile().readline())
                assert answer["ok"] is False
    assert gateway.ctl("status").returncode == 0
    assert os.path.exists(gateway.state_dir / "control.sock")

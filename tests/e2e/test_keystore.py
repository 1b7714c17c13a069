"""Which certificate a message is sealed to: domain certificates, pins, preferences, signed mails, and what must not match."""

import protection
import readers
import signed_mail
from gateway import USER, mail, queue_id
from tools import run

import pytest

DATA, USAGE = 65, 64  # sysexits.h


def rcpt(gateway, address):
    """The reply to RCPT, after a mail transaction has begun."""
    with gateway.connect() as client:
        client.ready(gateway)
        assert client.command(f"MAIL FROM:<{USER}>{' SMTPUTF8' if not address.isascii() else ''}").code == 250
        return client.command(f"RCPT TO:<{address}>")


def is_unknown(gateway, address):
    reply = rcpt(gateway, address)
    return reply.code == 550 and reply.text.endswith("none found")


def lookup(gateway, address):
    return gateway.json("key", "lookup", address)["certificates"]


def sealed_for(gateway, sink, address, person):
    """Sends to ADDRESS; what arrives must be for PERSON alone and hold what was sent."""
    message = mail(address)
    queue_id(gateway.submit([address], message))
    arrived = sink.wait(address).data
    if person.format == "openpgp":
        assert readers.key_ids(arrived) == list(person.key_ids)
    else:
        assert readers.serials(arrived) == [person.serial]
    protection.assert_is(readers.read(person, arrived), message)
    return arrived


def openpgp_named(keyring, *user_ids):
    """A certificate with user IDs word for word; its file."""
    first, *others = user_ids
    keyring.gpg("--allow-freeform-uid", "--quick-gen-key", first, "ed25519", "sign,cert", "never")
    listing = keyring.gpg("--with-colons", "--list-keys", f"={first}").stdout.decode()
    fingerprint = [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")][0]
    keyring.gpg("--quick-add-key", fingerprint, "cv25519", "encr", "never")
    for user_id in others:
        keyring.gpg("--allow-freeform-uid", "--quick-add-uid", fingerprint, user_id)
    return fingerprint, keyring.gpg("--armor", "--export", fingerprint).stdout


# ---- domain certificates ----

@pytest.mark.parametrize("kind", ["openpgp", "smime"])
def test_domain_certificate_seals_for_everybody_there(gateway, keyring, sink, tag, kind):
    domain = f"{tag}.example"
    gate = getattr(keyring, kind)(f"domain-confidentiality-authority@{domain}")
    added = gateway.json("key", "add", "--domain", domain.upper(), gate.certificate)["certificates"]
    assert added[0]["domains"] == [domain]
    for local in ("anybody", "Some.Body+x", "domain-confidentiality-authority"):
        sealed_for(gateway, sink, f"{local}@{domain}", gate)
    assert is_unknown(gateway, f"a@sub.{domain}") and is_unknown(gateway, f"a@x{domain}")
    assert [(c["fingerprint"], c["for_domain"]) for c in lookup(gateway, f"a@{domain}")] == [(gate.fingerprint, True)]
    told = gateway.json("explain", "--from", USER, "--to", f"a@{domain}")["recipients"][0]["certificate"]
    assert told["fingerprint"] == gate.fingerprint and told["for_domain"]
    assert domain in gateway.ctl("key", "show", gate.fingerprint).stdout.decode()


@pytest.mark.parametrize("kind", ["openpgp", "smime"])
def test_people_behind_one_domain_certificate_share_a_copy(gateway, keyring, sink, tag, kind):
    gate = getattr(keyring, kind)(f"gate@{tag}.example")
    gateway.ctl("key", "add", "--domain", f"{tag}.example", gate.certificate)
    to, blind = [f"bob@{tag}.example", f"carol@{tag}.example"], f"dave@{tag}.example"
    message = mail(to)
    queue_id(gateway.submit([*to, blind], message))
    for address in (*to, blind):
        arrived = sink.wait(address)
        assert readers.key_ids(arrived.data) == list(gate.key_ids) if kind == "openpgp" else (
            readers.serials(arrived.data) == [gate.serial])
        protection.assert_is(readers.read(gate, arrived.data), message)
        assert (arrived.recipients == [blind]) == (address == blind)


def test_own_certificate_comes_before_the_domains(gateway, keyring, sink, tag):
    domain = f"{tag}.example"
    gate, bob = keyring.openpgp(f"{tag}@elsewhere.example"), keyring.openpgp(f"bob@{domain}")
    gateway.ctl("key", "add", bob.certificate)
    gateway.ctl("key", "add", "--domain", f"@{domain}", gate.certificate)  # newer
    sealed_for(gateway, sink, f"bob@{domain}", bob)
    sealed_for(gateway, sink, f"carol@{domain}", gate)
    assert [c["fingerprint"] for c in lookup(gateway, f"bob@{domain}")] == [bob.fingerprint, gate.fingerprint]


def test_expired_own_certificate_leaves_it_to_the_domain(gateway, keyring, sink, tag):
    domain = f"{tag}.example"
    gate, bob = keyring.openpgp(f"gate@{domain}"), keyring.openpgp(f"bob@{domain}", expired=True)
    gateway.add_keys(bob)
    assert rcpt(gateway, f"bob@{domain}").text.endswith("expired on 2020-06-01")
    gateway.ctl("key", "add", "--domain", domain, gate.certificate)
    sealed_for(gateway, sink, f"bob@{domain}", gate)


def test_a_domain_certificate_frees_what_is_held(make_gateway, keyring, sink, tag):
    gateway = make_gateway(sink.route, rules="rule default { protect = require on-missing-key = hold }")
    address, message = f"bob@{tag}.example", mail(f"bob@{tag}.example")
    queue_id(gateway.submit([address], message))
    gateway.wait_state(address, "held")
    gate = keyring.smime(f"gate@{tag}.example")
    gateway.ctl("key", "add", "--domain", f"{tag}.example", gate.certificate)
    protection.assert_is(readers.read(gate, sink.wait(address).data), message)


def test_international_domain(gateway, keyring, tag):
    gate = keyring.openpgp(f"gate@{tag}.example")
    gateway.ctl("key", "add", "--domain", f"b\u00fccher-{tag}.example", gate.certificate)
    label = f"b\u00fccher-{tag}".encode("idna").decode()
    assert rcpt(gateway, f"a@{label}.example").code == 250
    assert rcpt(gateway, f"a@b\u00fccher-{tag}.example").code == 250
    assert is_unknown(gateway, f"a@bucher-{tag}.example")


@pytest.mark.parametrize("domain", ["bob@partner.example", "no domain", "partner..example", "*.example", "@"])
def test_what_is_no_domain_is_told(gateway, people, domain):
    said = gateway.ctl("key", "add", "--domain", domain, people.bob.certificate, check=False)
    assert said.returncode == DATA and b"not a domain" in said.stderr
    assert gateway.json("key", "show", people.bob.fingerprint)["certificates"][0]["domains"] == []


# ---- pins ----

def test_a15_a_pinned_certificate_stays(gateway, keyring, sink, tag):
    address = f"{tag}@example.com"
    mine = keyring.openpgp(address)
    gateway.add_keys(mine)
    pinned = gateway.json("key", "pin", mine.fingerprint)["certificates"]
    assert [(c["fingerprint"], c["pinned"]) for c in pinned] == [(mine.fingerprint, True)]
    fingerprint, newer = openpgp_named(keyring, f"Other {tag} <{address}>")
    other = gateway.ctl("key", "add", "-", input=newer)
    assert b"warning" in other.stderr and mine.fingerprint.encode() in other.stderr
    gateway.wait_log(f"event=key-behind-pinned fingerprint={fingerprint}")
    sealed_for(gateway, sink, address, mine)
    told = gateway.json("explain", "--from", USER, "--to", address)["recipients"][0]["certificate"]
    assert told["fingerprint"] == mine.fingerprint and told["pinned"]
    gateway.ctl("key", "pin", "--off", mine.fingerprint)
    assert not any(c["pinned"] for c in lookup(gateway, address))
    assert gateway.json("key", "add", "-", input=newer)["warnings"] == []
    # of S/MIME, nobody is in the way
    assert gateway.json("key", "add", keyring.smime(address).certificate)["warnings"] == []


def test_a_pinned_certificate_needs_no_chain(make_gateway, keyring, pki, sink, tag):
    gateway = make_gateway(sink.route, settings={"keys": {"roots": pki.ca}})
    dan = keyring.smime(f"dan@{tag}.example")
    gateway.add_keys(dan)
    assert "no chain to a trusted root" in rcpt(gateway, dan.address).text
    gateway.ctl("key", "pin", dan.fingerprint)
    sealed_for(gateway, sink, dan.address, dan)
    gateway.ctl("key", "pin", "--off", dan.fingerprint)
    assert rcpt(gateway, dan.address).code == 550


# ---- preferences, and what worked ----

def test_preferences_are_told(gateway, tag):
    domain = f"{tag}.example"

    def preferred(address):
        told = gateway.json("explain", "--from", USER, "--to", address)["recipients"][0]["preferred"]
        assert gateway.json("key", "lookup", address)["preferred"] == told
        return told

    assert preferred(f"bob@{domain}") is None
    said = gateway.ctl("key", "prefer", f"@{domain}", "smime").stdout.decode()
    assert said == f"@{domain}: smime\n"
    gateway.ctl("key", "prefer", f"Bob@{domain}", "openpgp")
    assert preferred(f"bob@{domain}") == "openpgp" and preferred(f"bob+x@{domain}") == "openpgp"
    assert preferred(f"carol@{domain}") == "smime"
    assert b"preferred: openpgp" in gateway.ctl("key", "lookup", f"bob@{domain}").stdout
    gateway.ctl("key", "prefer", f"bob@{domain}", "none")
    assert preferred(f"bob@{domain}") == "smime"
    assert gateway.ctl("key", "prefer", f"bob@{domain}", "pgp", check=False).returncode == DATA
    assert gateway.ctl("key", "prefer", "bob", "smime", check=False).returncode == DATA
    assert gateway.ctl("key", "prefer", f"bob@{domain}", check=False).returncode == USAGE


def test_what_worked_is_remembered(make_gateway, keyring, sink, tag):
    bob, carol = keyring.openpgp(f"bob@{tag}.example"), keyring.openpgp(f"carol@{tag}.example")
    gateway = make_gateway(sink.route, bob, carol)
    sealed_for(gateway, sink, bob.address, bob)
    gateway.wait_state(bob.address, None)
    assert gateway.stop() == 0
    gateway.start()
    worked = {c["fingerprint"]: c["worked"] for c in gateway.json("key", "list")["certificates"]}
    assert worked[bob.fingerprint] and worked[carol.fingerprint] is None


# ---- signed mails ----

def capabilities(gateway, person):
    return gateway.json("key", "show", person.fingerprint)["certificates"][0]["capabilities"]


def test_a_signed_mail_brings_certificate_and_capabilities(gateway, keyring, sink, tag, tmp_path):
    dan = keyring.smime(f"dan@{tag}.example")
    path = tmp_path / "mail.eml"
    path.write_bytes(signed_mail.signed_mail(dan))
    run("openssl", "cms", "-verify", "-in", path, "-inform", "SMIME", "-noverify")  # somebody else takes it for one
    added = gateway.json("key", "add", path)["certificates"]
    assert [(c["fingerprint"], c["capabilities"]) for c in added] == [(dan.fingerprint, ["aes256-gcm"])]
    assert b"capabilities: aes256-gcm" in gateway.ctl("key", "show", dan.fingerprint).stdout
    # decrypted by openssl, whatever cipher the capability leads to
    message = mail(dan.address)
    queue_id(gateway.submit([dan.address], message))
    protection.assert_is(readers.read(dan, sink.wait(dan.address).data), message)
    # a later mail of another program
    gateway.ctl("key", "add", "-", input=signed_mail.signed_mail(
        dan, (signed_mail.AES256_CBC,), when=signed_mail.datetime.datetime.utcnow()))
    assert capabilities(gateway, dan) == []


def test_a_signed_mail_that_was_changed_is_refused(gateway, keyring, tag):
    dan = keyring.smime(f"dan@{tag}.example")
    changed = signed_mail.signed_mail(dan).replace(b"See you.", b"See me. ")
    said = gateway.ctl("key", "add", "-", input=changed, check=False)
    assert said.returncode == DATA
    assert lookup(gateway, dan.address) == []


def test_openssl_signed_mail_opaque_and_detached(gateway, keyring, tag, tmp_path):
    """As OpenSSL writes them, which claims no AES-GCM."""
    for form in ([], ["-nodetach"]):
        dan = keyring.smime(f"{'opaque' if form else 'clear'}@{tag}.example", "ec")
        entity = tmp_path / "entity"
        entity.write_bytes(signed_mail.ENTITY)
        eml = run("openssl", "cms", "-sign", "-md", "sha256", "-in", entity, "-signer", dan.certificate, "-inkey",
                  dan.secret, "-outform", "SMIME", *form).stdout
        added = gateway.json("key", "add", "-", input=eml)["certificates"]
        assert [(c["fingerprint"], c["capabilities"]) for c in added] == [(dan.fingerprint, [])]


# ---- A13: what must not match ----

def test_a13_address_in_comment_or_display_name(gateway, keyring, tag):
    alice = f"alice@{tag}.example"
    for n, user_id in enumerate([f"bob@{tag}.example ({alice}) <mallory0@{tag}.example>",
                                 f"{alice} <mallory1@{tag}.example>",
                                 f"\"{alice}\" <mallory2@{tag}.example>",
                                 f"Alice ({alice}) <mallory3@{tag}.example>",
                                 f"<{alice}> <mallory4@{tag}.example>"]):
        _, certificate = openpgp_named(keyring, user_id)
        said = gateway.ctl("key", "add", "-", input=certificate, check=False)
        assert said.returncode in (0, DATA), said.stderr
        assert is_unknown(gateway, alice), user_id
        assert is_unknown(gateway, f"bob@{tag}.example"), user_id
        if said.returncode == 0:
            assert rcpt(gateway, f"mallory{n}@{tag}.example").code == 250, user_id


def test_a13_revoked_user_id(gateway, keyring, tag):
    alice, former = f"alice@{tag}.example", f"alice@former-{tag}.example"
    fingerprint, _ = openpgp_named(keyring, f"Alice <{alice}>", f"Alice <{former}>")
    keyring.gpg("--quick-revoke-uid", fingerprint, f"Alice <{former}>")
    gateway.ctl("key", "add", "-", input=keyring.gpg("--armor", "--export", fingerprint).stdout)
    assert rcpt(gateway, alice).code == 250
    assert is_unknown(gateway, former)


def test_a13_homographs(gateway, keyring, tag):
    """Cyrillic \u0430 for Latin a, in the local part and in the domain, in the certificate and in the address."""
    alice = f"alice@a{tag}.example"
    gateway.add_keys(keyring.openpgp(alice))
    assert rcpt(gateway, alice).code == 250
    for fake in (f"\u0430lice@a{tag}.example", f"alice@\u0430{tag}.example"):
        assert is_unknown(gateway, fake)
    domain = f"\u0430{tag}x.example"
    for user_id in (f"Alice <\u0430lice@x{tag}.example>", f"Alice <alice@{domain}>"):
        _, certificate = openpgp_named(keyring, user_id)
        gateway.ctl("key", "add", "-", input=certificate)
    assert is_unknown(gateway, f"alice@x{tag}.example") and is_unknown(gateway, f"alice@a{tag}x.example")
    # each is found by itself
    assert rcpt(gateway, f"\u0430lice@x{tag}.example").code == 250
    assert rcpt(gateway, f"alice@{domain.encode('idna').decode()}").code == 250


def test_a13_quoting_case_and_tags_are_the_same_address(gateway, keyring, tag):
    gateway.add_keys(keyring.openpgp(f"Alice.B@{tag}.example"))
    for same in (f"alice.b@{tag}.example", f"ALICE.B@{tag.upper()}.EXAMPLE", f"\"alice.b\"@{tag}.example",
                 f"alice.b+news@{tag}.example", f"\"alice.b+news\"@{tag}.example"):
        assert rcpt(gateway, same).code == 250, same
    for other in (f"aliceb@{tag}.example", f"alice.b+@x{tag}.example", f"+alice.b@{tag}.example",
                  f"\"alice. b\"@{tag}.example", f"alice@{tag}.example"):
        assert is_unknown(gateway, other), other


def test_a13_subject_of_an_x509_certificate(gateway, tag, tmp_path):
    """An address in the subject counts only where there is none in subjectAltName."""
    path = tmp_path / "certificate.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
        "-subj", f"/CN=alice@{tag}.example/emailAddress=alice@{tag}.example",
        "-addext", f"subjectAltName=email:mallory@{tag}.example", "-addext", "basicConstraints=critical,CA:FALSE",
        "-keyout", tmp_path / "key.pem", "-out", path)
    gateway.ctl("key", "add", path)
    assert is_unknown(gateway, f"alice@{tag}.example")
    assert rcpt(gateway, f"mallory@{tag}.example").code == 250

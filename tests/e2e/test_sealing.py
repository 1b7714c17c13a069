"""What rules make of a sealed copy: for whom else, in which form and cipher, and what stands outside."""

import re
import types

import protection
import readers
from conftest import run_gateway
from gateway import USER, Gateway, mail, queue_id
from tools import run

import pytest

PGP_DOMAINS = ("archived", "prefers", "self", "inline", "shy", "bare", "legacy", "strip", "both", "never")
SMIME_DOMAINS = ("archived", "self", "gcm", "oaep", "hide", "both")

RULES = """
rule "archived" { when { recipient = {"@archived.example"} } protect = require on-missing-key = refuse archive = {"archive@example.org"} }
rule "prefers"  { when { recipient = {"@prefers.example"} } protect = prefer on-missing-key = hold archive = {"nokey@example.org"} }
rule "self"     { when { recipient = {"@self.example"} } protect = require encrypt-to-self = yes }
rule "inline"   { when { recipient = {"@inline.example"} } protect = require openpgp-form = inline }
rule "shy"      { when { recipient = {"@shy.example"} } protect = require header-protection = shy }
rule "bare"     { when { recipient = {"@bare.example"} } protect = require header-protection = none }
rule "hide"     { when { recipient = {"@hide.example"} } protect = require header-protection = baseline }
rule "legacy"   { when { recipient = {"@legacy.example"} } protect = require legacy-display = yes }
rule "gcm"      { when { recipient = {"@gcm.example"} } protect = require smime-cipher = aes-256-gcm }
rule "oaep"     { when { recipient = {"@oaep.example"} } protect = require smime-key-transport = oaep }
rule "strip"    { when { recipient = {"@strip.example"} subject = {"[confidential]"} } protect = require strip-subject-tag = yes }
rule "smime-first" { when { recipient = {"@both.example"} header = {"X-Order: smime"} } protect = require formats = {smime, openpgp} }
rule "never"    { when { recipient = {"@never.example"} } protect = never }
rule default    { protect = require on-missing-key = refuse }
"""


@pytest.fixture(scope="module")
def cast(keyring):
    """pat has OpenPGP, sam S/MIME, at a domain for each rule; an archive and alice have both."""
    made = types.SimpleNamespace(
        pat=keyring.openpgp(*(f"pat@{d}.example" for d in PGP_DOMAINS)),
        sam=keyring.smime("sam@archived.example", more=[f"sam@{d}.example" for d in SMIME_DOMAINS] + ["pat@both.example"]),
        archive_pgp=keyring.openpgp("archive@example.org"), archive_smime=keyring.smime("archive@example.org", "ec"),
        alice_pgp=keyring.openpgp(USER), alice_smime=keyring.smime(USER))
    return made


@pytest.fixture(scope="module")
def sealing(pki, sink, cast):
    yield from run_gateway(Gateway(pki, sink.route, RULES), list(vars(cast).values()))


def at(person, domain, tag):
    """An address of theirs in the domain of a rule."""
    return f"{person.address.partition('@')[0]}+{tag}@{domain}.example"


def sent(gateway, sink, address, message):
    """What arrives, and the lines of the trail."""
    reply = gateway.submit([address], message)
    assert str(reply).endswith("sealed for 1 of 1 recipients"), str(reply)
    return sink.wait(address).data, gateway.audit(queue_id(reply))


# ---- who can read ----


def test_an_archive_reads_along_and_the_trail_says_so(sealing, sink, cast, tag):
    for person, archive in ((cast.pat, cast.archive_pgp), (cast.sam, cast.archive_smime)):
        address = at(person, "archived", tag)
        message = mail(address, f"{tag}\r\n")
        arrived, trail = sent(sealing, sink, address, message)
        if person.format == "openpgp":
            assert readers.key_ids(arrived) == sorted(person.key_ids + archive.key_ids)
        else:
            assert readers.serials(arrived) == sorted([person.serial, archive.serial])
        protection.assert_is(readers.read(archive, arrived), message)
        protection.assert_is(readers.read(person, arrived), message)
        archived, = [line for line in trail if line["event"] == "archived"]
        assert (archived["recipient"], archived["fingerprint"]) == ("archive@example.org", archive.fingerprint)
        assert archived["format"] == person.format and archived["rule"] == "archived"


def test_a33_an_archive_without_a_key_never_means_clear(sealing, sink, cast, tag):
    """The rule prefers: clear is what it does without the recipient's key, not without the archive's."""
    address = at(cast.pat, "prefers", tag)
    reply = sealing.submit([address], mail(address))
    assert "held for a key" in str(reply)
    held = sealing.wait_state(address, "held")
    assert "nokey@example.org" in held["reason"]
    stranger = f"{tag}@prefers.example"
    assert str(sealing.submit([stranger], mail(stranger, f"{tag}\r\n"))).endswith("sealed for 0 of 1 recipients")
    assert f"{tag}\r\n".encode() in sink.wait(stranger).data


def test_sealed_to_the_sender_as_well(sealing, sink, cast, tag):
    for person, own in ((cast.pat, cast.alice_pgp), (cast.sam, cast.alice_smime)):
        address = at(person, "self", tag)
        message = mail(address, f"{tag}\r\n")
        arrived, trail = sent(sealing, sink, address, message)
        protection.assert_is(readers.read(own, arrived), message)
        protection.assert_is(readers.read(person, arrived), message)
        line, = [line for line in trail if line["event"] == "sealed-to-sender"]
        assert (line["recipient"], line["fingerprint"]) == (USER, own.fingerprint)


# ---- forms and ciphers ----


@pytest.mark.parametrize("kind, encoding, raw", [
    ("text/plain; charset=utf-8", "8bit", "Grüße,\r\n.\r\nFrom here\r\n".encode()),
    ("text/plain; charset=iso-8859-1", "quoted-printable", b"Gr=FC=DFe=\r\n, more\r\n"),
    ("text/plain; charset=utf-8", "base64", b"R3LDvMOfZQ==\r\n"),
    (None, None, b"plain\r\n"),
])
def test_openpgp_without_mime_where_a_rule_asks(sealing, sink, cast, tag, kind, encoding, raw):
    address = at(cast.pat, "inline", tag)
    fields = {"MIME_Version": "1.0", "Content_Type": kind, "Content_Transfer_Encoding": encoding} if kind else {}
    message = mail(address, "", subject="inline", **fields) + raw
    arrived, _ = sent(sealing, sink, address, message)
    charset = re.search(r"charset=(\S+)", kind).group(1) if kind else "us-ascii"
    assert readers.header(arrived, "Content-Type") == [f'text/plain; charset="{charset}"']
    body = arrived.partition(b"\r\n\r\n")[2]
    assert body.startswith(b"-----BEGIN PGP MESSAGE-----\r\n") and body.endswith(b"-----END PGP MESSAGE-----\r\n")
    decoded = {"quoted-printable": "Grüße, more\r\n".encode("latin-1"), "base64": "Grüße".encode()}.get(encoding, raw)
    assert readers.with_gpg(cast.pat, arrived) == decoded
    assert readers.header(arrived, "Subject") == ["inline"]


def test_what_is_not_text_alone_has_mime_all_the_same(sealing, sink, cast, tag):
    address = at(cast.pat, "inline", tag)
    message = mail(address, "<p>x</p>\r\n", MIME_Version="1.0", Content_Type="text/html")
    arrived, _ = sent(sealing, sink, address, message)
    assert readers.header(arrived, "Content-Type")[0].startswith("multipart/encrypted")
    protection.assert_is(readers.read(cast.pat, arrived), message)


def test_aes_gcm_where_a_rule_asks(sealing, sink, cast, tag):
    address = at(cast.sam, "gcm", tag)
    message = mail(address, f"{tag}\r\n")
    arrived, trail = sent(sealing, sink, address, message)
    assert "smime-type=authEnveloped-data" in readers.header(arrived, "Content-Type")[0]
    printed = run("openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "SMIME", input=arrived).stdout
    assert b"aes-256-gcm" in printed and b"id-smime-ct-authEnvelopedData" in printed
    protection.assert_is(readers.with_openssl(cast.sam, arrived), message)
    assert [line["cipher"] for line in trail if line["event"] == "sealed"] == ["AES-256-GCM"]


def test_rsa_oaep_where_a_rule_asks(sealing, sink, cast, tag):
    address = at(cast.sam, "oaep", tag)
    message = mail(address, f"{tag}\r\n")
    arrived, trail = sent(sealing, sink, address, message)
    printed = run("openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "SMIME", input=arrived).stdout
    assert b"rsaesOaep" in printed
    protection.assert_is(readers.with_openssl(cast.sam, arrived), message)
    assert [line["cipher"] for line in trail if line["event"] == "sealed"] == ["AES-256-CBC"]


def test_the_rules_order_of_formats(sealing, sink, cast, tag):
    address = at(cast.pat, "both", tag)
    arrived, _ = sent(sealing, sink, address, mail(address))
    assert readers.header(arrived, "Content-Type")[0].startswith("multipart/encrypted")
    address = at(cast.pat, "both", tag + "s")
    arrived, _ = sent(sealing, sink, address, mail(address, X_Order="smime"))
    assert "enveloped-data" in readers.header(arrived, "Content-Type")[0]


# ---- what stands outside ----


def test_the_subject_is_hidden_by_default_for_openpgp_and_by_rule_for_smime(sealing, sink, cast, tag):
    for person, domain, outside in ((cast.pat, "self", "[...]"), (cast.sam, "self", f"secret {tag}"),
                                    (cast.pat, "bare", f"secret {tag}"), (cast.sam, "hide", "[...]")):
        address = at(person, domain, f"{tag}{person.format[0]}")
        message = mail(address, subject=f"secret {tag}", Keywords="inner", X_Mailer="private")
        arrived, _ = sent(sealing, sink, address, message)
        assert readers.header(arrived, "Subject") == [outside]
        assert readers.header(arrived, "Keywords") == [] and readers.header(arrived, "X-Mailer") == []
        entity = readers.read(person, arrived)
        protection.assert_is(entity, message)
        assert f"HP-Outer: Subject: {outside}\r\n".encode() in entity
        assert b"HP-Outer: Keywords" not in entity


def test_shy_hides_names_and_time_zone(sealing, sink, cast, tag):
    address = at(cast.pat, "shy", tag)
    message = (f"From: Alice Liddell <{USER}>\r\nTo: Pat Smith <{address}>\r\nDate: Thu, 01 Jan 2026 14:00:00 +0200\r\n"
               f"Subject: x\r\nMessage-ID: <{tag}@example.org>\r\n\r\nbody\r\n").encode()
    arrived, _ = sent(sealing, sink, address, message)
    assert b"Liddell" not in arrived and b"Smith" not in arrived
    from_, = readers.header(arrived, "From")
    assert from_.strip("<>") == USER
    date, = readers.header(arrived, "Date")
    assert "12:00:00 +0000" in date
    entity = readers.read(cast.pat, arrived)
    protection.assert_is(entity, message)


def test_legacy_display_repeats_the_subject_in_the_text(sealing, sink, cast, tag):
    address = at(cast.pat, "legacy", tag)
    message = mail(address, "body\r\n", subject=f"secret {tag}", MIME_Version="1.0", Content_Type="text/plain")
    arrived, _ = sent(sealing, sink, address, message)
    entity = readers.read(cast.pat, arrived)
    assert b'hp-legacy-display="1"' in entity
    assert entity.partition(b"\r\n\r\n")[2] == f"Subject: secret {tag}\r\n\r\nbody\r\n".encode()


def test_a_tag_is_taken_out_of_the_subject(sealing, sink, cast, tag):
    address = at(cast.pat, "strip", tag)
    for number, subject in enumerate(("[confidential] figures", "[CONFIDENTIAL] figures",
                                      "=?utf-8?q?=EF=BC=BBconfidential]?= figures")):
        to = address.replace("@", f"{number}@")
        arrived, _ = sent(sealing, sink, to, mail(to, subject=subject))
        entity = readers.read(cast.pat, arrived)
        assert re.search(rb"(?m)^Subject: figures\r$", entity), entity
        assert b"onfidential" not in entity and b"onfidential" not in arrived


# ---- sealed by the client ----


def client_pgp(*people, body=b"Content-Type: text/plain\r\n\r\nby the client\r\n", words=()):
    """A PGP/MIME body sealed by a mail program, and its Content-Type."""
    keys = [w for p in people for w in ("-f", str(p.certificate))]
    armored = run("gpg", "--homedir", people[0].home, "--batch", "--trust-model", "always", "--armor", "--encrypt", *keys, *words,
                  input=body).stdout.decode().replace("\n", "\r\n")
    return ('multipart/encrypted; protocol="application/pgp-encrypted"; boundary="x"',
            "--x\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n"
            f"--x\r\nContent-Type: application/octet-stream\r\n\r\n{armored}\r\n--x--\r\n")


def client_smime(*people, words=()):
    made = run("openssl", "cms", "-encrypt", "-aes256", "-outform", "DER", *words, *(str(p.certificate) for p in people),
               input=b"Content-Type: text/plain\r\n\r\nby the client\r\n").stdout
    import base64
    lines = base64.encodebytes(made).decode().replace("\n", "\r\n")
    return "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", lines


@pytest.mark.parametrize("kind", ["openpgp", "smime"])
def test_a12_what_the_client_sealed_for_the_recipient_passes_untouched(sealing, sink, cast, tag, kind):
    person = cast.pat if kind == "openpgp" else cast.sam
    make = client_pgp if kind == "openpgp" else client_smime
    content_type, body = make(person)
    address = at(person, "both", tag)
    more = {"Content_Transfer_Encoding": "base64"} if kind == "smime" else {}
    message = mail(address, body, subject="...", MIME_Version="1.0", Content_Type=content_type, Bcc="hidden@example.com", **more)
    arrived, trail = sent(sealing, sink, address, message)
    inner = b"".join(line for line in message.splitlines(True) if not line.startswith(b"Bcc:"))
    assert arrived.endswith(inner)
    assert b"by the client" in readers.read(person, arrived)
    sealed, = [line for line in trail if line["event"] == "sealed"]
    assert sealed["fingerprint"] == person.fingerprint and sealed["reason"] == "sealed by the client"
    assert sealed["format"] == kind and not sealed.get("cipher")


def test_a12_one_of_two_recipients_can_open_what_the_client_sealed(sealing, sink, cast, tag):
    """For the other it is sealed as any message."""
    content_type, body = client_pgp(cast.pat)
    to, other = at(cast.pat, "both", tag), at(cast.sam, "self", tag)
    message = mail([to, other], body, MIME_Version="1.0", Content_Type=content_type)
    assert str(sealing.submit([to, other], message)).endswith("sealed for 2 of 2 recipients")
    assert sink.wait(to).data.endswith(message)
    protection.assert_is(readers.read(cast.sam, sink.wait(other).data), message)


@pytest.mark.parametrize("cheat", ["preamble", "epilogue", "third part", "hidden recipient", "password", "subtype",
                                   "compressed in clear", "text before", "text behind"])
def test_a12_a_cheat_is_sealed_as_any_message(sealing, sink, cast, tag, cheat):
    words = {"hidden recipient": ("--throw-keyids",), "password": ("--symmetric", "--passphrase", "x", "--pinentry-mode",
                                                                   "loopback")}.get(cheat, ())
    content_type, body = client_pgp(cast.pat, words=words)
    body = {
        "preamble": lambda b: "CLEAR\r\n" + b,
        "epilogue": lambda b: b + "CLEAR\r\n",
        "third part": lambda b: b.replace("--x--", "--x\r\nContent-Type: text/plain\r\n\r\nCLEAR\r\n--x--"),
        "text before": lambda b: b.replace("-----BEGIN", "CLEAR\r\n-----BEGIN"),
        "text behind": lambda b: b.replace("MESSAGE-----\r\n\r\n--x--", "MESSAGE-----\r\nCLEAR\r\n--x--"),
        "compressed in clear": lambda b: re.sub(r"-----BEGIN.*-----END PGP MESSAGE-----\r\n", lambda _: run(
            "gpg", "--homedir", cast.pat.home, "--batch", "--armor", "--store", input=b"CLEAR").stdout.decode().replace(
                "\n", "\r\n"), b, flags=re.S),
    }.get(cheat, lambda b: b)(body)
    if cheat == "subtype":
        content_type = content_type.replace("encrypted;", "mixed;", 1)
    address = at(cast.pat, "both", tag)
    message = mail(address, body, MIME_Version="1.0", Content_Type=content_type)
    arrived, trail = sent(sealing, sink, address, message)
    assert not arrived.endswith(message) and b"CLEAR" not in arrived
    protection.assert_is(readers.read(cast.pat, arrived), message)
    assert [line["cipher"] for line in trail if line["event"] == "sealed"] == ["AES256"]


def test_what_the_client_sealed_and_the_archive_cannot_read(sealing, cast, tag):
    content_type, body = client_pgp(cast.pat)
    address = at(cast.pat, "archived", tag)
    reply = sealing.submit([address], mail(address, body, MIME_Version="1.0", Content_Type=content_type))
    assert reply.code == 550 and "archive@example.org" in reply.text


def test_what_the_client_sealed_for_the_archive_too(sealing, sink, cast, tag):
    content_type, body = client_pgp(cast.pat, cast.archive_pgp)
    address = at(cast.pat, "archived", tag)
    message = mail(address, body, MIME_Version="1.0", Content_Type=content_type)
    arrived, _ = sent(sealing, sink, address, message)
    assert arrived.endswith(message)


def test_a_mail_that_the_client_signed_keeps_its_signature(sealing, sink, cast, tag):
    """multipart/signed is kept byte for byte inside, so that it verifies after decryption."""
    entity = b"Content-Type: text/plain\r\n\r\nsigned by the client\r\n"
    signed = run("openssl", "cms", "-sign", "-signer", cast.alice_smime.certificate, "-inkey", cast.alice_smime.secret, "-md",
                 "sha256", input=entity.replace(b"\r\n", b"\n")).stdout
    head, _, body = re.sub(rb"\r?\n", b"\r\n", signed).partition(b"\r\n\r\n")
    content_type = re.search(rb"Content-Type: (.*)", head).group(1).decode().strip()
    for person in (cast.pat, cast.sam):
        address = at(person, "self", f"{tag}{person.format[0]}")
        message = mail(address, "", subject="signed", MIME_Version="1.0", Content_Type=content_type) + body
        arrived, _ = sent(sealing, sink, address, message)
        inside = readers.read(person, arrived)
        assert inside.partition(b"\r\n\r\n")[2] == body
        said = run("openssl", "cms", "-verify", "-noverify", input=inside)
        assert said.stdout.replace(b"\r\n", b"\n") == entity.replace(b"\r\n", b"\n")


def test_never_and_prefer_do_not_hide_that_the_client_sealed_it(sealing, sink, cast, tag):
    content_type, body = client_pgp(cast.pat)
    address = at(cast.pat, "never", tag)
    message = mail(address, body, MIME_Version="1.0", Content_Type=content_type)
    arrived, _ = sent(sealing, sink, address, message)
    assert arrived.endswith(message)

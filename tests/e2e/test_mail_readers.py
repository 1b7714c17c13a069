"""Letters, opened by programs that recipients use. What each opens is the table in doc/readers.md: it is read here and compared,
cell for cell, with what the program of this machine does."""

import dataclasses
import re

import decrypters
import gpgsm
import letters as letters_sent
import opened
import protection
import readers_table
from mutt import Mutt
from notmuch import Notmuch
from tools import remove_folder, run, short_folder

import pytest

OPENPGP = {"gpg": decrypters.Gpg, "sq": decrypters.Sq, "rnp": decrypters.Rnp, "OpenPGP.js": decrypters.OpenpgpJs}
SMIME = {"openssl cms": decrypters.OpensslCms, "gpgsm": decrypters.Gpgsm, "PKI.js": decrypters.PkiJs}
PROGRAMS = ("mutt", "neomutt", "notmuch")
TABLE = readers_table.read()

NO_KEY, UNKNOWN_TYPE, NO_PKCS1 = "ecryption failed: No secret key", "application/pkcs7-mime is unsupported", "Unrecognized"
SAYS = {  # where the table says "cannot"
    ("gpgsm", "smime-gcm"): "Buffer too short <KSBA>",
    ("gpgsm", "smime-oaep"): "error getting encrypted session key",
    ("gpgsm", "smime-ec"): "Invalid session key",
    ("PKI.js", "smime-cbc"): NO_PKCS1,
    ("PKI.js", "smime-signed"): NO_PKCS1,
    ("PKI.js", "smime-legacy"): NO_PKCS1,
    ("PKI.js", "smime-gcm"): "schema was not verified",
    ("PKI.js", "smime-ec"): "operation failed",
    ("mutt", "smime-gcm"): UNKNOWN_TYPE,
    ("neomutt", "smime-gcm"): UNKNOWN_TYPE,
    ("notmuch", "smime-gcm"): '"crypto": {}',
    **{(program, name): NO_KEY for program in PROGRAMS for name in ("smime-oaep", "smime-ec")},
}


def pairs(*names):
    """(reader, letter) of the letters whose format the reader knows; those in NAMES, or all."""
    def known(name):
        kinds = OPENPGP if name.startswith("pgp") else SMIME
        return [*kinds, *PROGRAMS]
    return [(reader, name) for name in names or letters_sent.LETTERS for reader in known(name)]


@pytest.fixture(scope="module")
def home(letters):
    """The GnuPG home of all readers, with who wrote to them."""
    made = short_folder()
    made.chmod(0o700)
    cast = letters.cast
    (made / "gpg.conf").write_text("trust-model always\n")
    for key in (cast.pat.secret, cast.alice.certificate):
        run("gpg", "--homedir", made, "--batch", "--quiet", "--no-tty", "--import", key)
    gpgsm.add_people(made, [cast.sam, cast.erin], letters.authority)
    yield made
    run("gpgconf", "--homedir", made, "--kill", "all", check=False)
    remove_folder(made)


@pytest.fixture
def make_reader(letters, home, tmp_path):
    def make(name):
        if name == "notmuch":
            return Notmuch(letters.cast, home, tmp_path)
        if name in PROGRAMS:
            return Mutt(name, home, tmp_path)
        return {**OPENPGP, **SMIME}[name](letters, home, tmp_path)
    return make


@pytest.mark.parametrize("reader, name", pairs())
def test_opens_what_the_table_says(make_reader, letters, reader, name):
    shown = make_reader(reader).open(letters.by_name[name])
    assert shown.cell == TABLE[reader, name], shown.said
    assert shown.cell or SAYS[reader, name] in shown.said, shown.said


@pytest.mark.parametrize("reader, name", pairs("pgp-clear", "smime-clear"))
def test_a_changed_text_has_no_good_signature(make_reader, letters, reader, name):
    letter = letters.by_name[name]
    changed = letter.arrived.replace(b"K=C3=B6ln", b"Bonn", 1)
    assert changed != letter.arrived
    shown = make_reader(reader).open(dataclasses.replace(letter, arrived=changed))
    assert "Bonn" in shown.text and not shown.signature


@pytest.mark.parametrize("reader, name", [
    (reader, name) for reader, name in pairs() if reader not in PROGRAMS and "legacy" not in name and TABLE[reader, name]])
def test_the_entity_is_what_was_submitted(make_reader, letters, monkeypatch, reader, name):
    """What the reader took for the entity, byte for byte."""
    entities = []
    monkeypatch.setattr(opened, "entity", lambda content, **_: entities.append(content))
    letter = letters.by_name[name]
    make_reader(reader).open(letter)
    protection.assert_is(entities[0], letter.submitted, "cipher" if letter.sealed else "clear")


def test_the_table_names_every_reader_and_letter():
    readers = {*OPENPGP, *SMIME, *PROGRAMS, *readers_table.FULL}
    assert {reader for reader, _ in TABLE} == readers
    assert set(pairs()) <= set(TABLE)


def test_what_is_not_hidden_inside_stands_outside(letters):
    """RFC 9788 §3: a header field is hidden only where the inside is encrypted."""
    for name, letter in letters.by_name.items():
        outside = re.search(rb"^Subject: (.*)\r\n", letter.arrived, re.M)[1]
        inside = re.search(rb"^Subject: (.*)\r\n", letter.submitted, re.M)[1]
        assert outside == (b"[...]" if letter.sealed else inside), name

"""Letters opened by Thunderbird (make readers-full); the table in doc/readers.md says what it opens."""

import dataclasses

import letters as letters_sent
import readers_table
from thunderbird import Thunderbird
from tools import remove_folder, short_folder

import pytest

TABLE = readers_table.read()


@pytest.fixture(scope="module")
def thunderbird(letters):
    folder = short_folder()
    program = Thunderbird(letters, folder)
    yield program
    program.close()
    remove_folder(folder)


@pytest.mark.parametrize("name", letters_sent.LETTERS)
def test_opens_what_the_table_says(thunderbird, letters, name):
    shown = thunderbird.open(letters.by_name[name])
    assert shown.cell == TABLE["Thunderbird", name], shown.said


@pytest.mark.parametrize("name", ["pgp-clear", "smime-clear"])
def test_a_changed_text_has_no_good_signature(thunderbird, letters, name):
    letter = letters.by_name[name]
    changed = letter.arrived.replace(b"K=C3=B6ln", b"Bonn", 1)
    assert changed != letter.arrived
    shown = thunderbird.open(dataclasses.replace(letter, name=f"{name}-changed", arrived=changed))
    assert "Bonn" in shown.text and not shown.signature

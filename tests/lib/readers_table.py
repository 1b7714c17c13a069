"""The tables of doc/readers.md: what which reader opens."""

import re

from letters import LETTERS
from tools import ROOT

# Their tests run only in `make readers-full`: they are large.
FULL = ("Thunderbird",)


def read():
    """{(reader, letter): set of the letters B, A, S, V, L}."""
    cells, readers = {}, []
    for line in (ROOT / "doc/readers.md").read_text().splitlines():
        words = [re.sub(r"\[\^[^]]*\]", "", word).strip(" `") for word in line.strip().strip("|").split("|")]
        if words[0] in ("letter", "name"):
            readers = words[1:] if words[0] == "letter" else []
        elif words[0] in LETTERS and readers:
            cells.update({(reader, words[0]): cell(word) for reader, word in zip(readers, words[1:], strict=True)})
    return cells


def cell(word):
    assert word == "cannot" or re.fullmatch("[BASVL]( [BASVL])*", word), f"not a cell: {word}"
    return set() if word == "cannot" else set(word.split())

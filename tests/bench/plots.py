#!/usr/bin/python3
"""
Throughput and time to 250 over the number of sessions, as pictures.

`make bench` measures and draws; `make bench-plots` draws again what stands in doc/load.tsv, without measuring.
"""

import csv
import pathlib
import sys

import chart

DOC = pathlib.Path(__file__).resolve().parents[2] / "doc"
NAMES = {"postfix": "Postfix, no sealing, no AUTH", "clear": "Sealgate, clear", "smime": "Sealgate, S/MIME",
         "openpgp": "Sealgate, OpenPGP"}
FIELDS = ("kind", "sessions", "accepted_per_second", "delivered_per_second", "p50_ms", "p99_ms", "failed")
SESSIONS = "SMTP sessions at once"


def write_table(path, note, rows):
    """ROWS are dicts of FIELDS. The first line is a comment with what the figures hang on."""
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(f"# {note}\n")
        table = csv.DictWriter(f, FIELDS, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def read_table(path):
    with open(path, encoding="utf-8", newline="") as f:
        note = f.readline().removeprefix("# ").rstrip("\n")
        return note, list(csv.DictReader(f, delimiter="\t"))


def draw(folder):
    """FOLDER/load.tsv as FOLDER/throughput.svg and FOLDER/latency.svg."""
    note, rows = read_table(folder / "load.tsv")
    kinds = [kind for kind in NAMES if any(row["kind"] == kind for row in rows)]

    def panel(title, unit, field):
        return chart.Panel(title, SESSIONS, unit, {NAMES[kind]: [(int(row["sessions"]), float(row[field]))
                                                                 for row in rows if row["kind"] == kind] for kind in kinds})

    names = [NAMES[kind] for kind in kinds]
    (folder / "throughput.svg").write_text(chart.figure(
        "Throughput over load", note, names,
        [panel("Accepted (250 to the client)", "messages per second", "accepted_per_second"),
         panel("Delivered to the next hop", "messages per second", "delivered_per_second")]), encoding="utf-8")
    (folder / "latency.svg").write_text(chart.figure(
        "Time from the final dot to 250 over load", note, names,
        [panel("Median (p50)", "milliseconds", "p50_ms"), panel("99th percentile (p99)", "milliseconds", "p99_ms")],
        y_log=True), encoding="utf-8")


if __name__ == "__main__":
    draw(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DOC)

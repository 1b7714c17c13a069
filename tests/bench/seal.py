#!/usr/bin/python3
"""
Time and memory of sealing one message, by size, number of recipients and format, beside gpg and openssl on the same bytes.

Run by `make bench-seal`; options in BENCH, such as BENCH="--sizes 10240 --recipients 1 100". Prints tables and writes
build/bench-seal.json. Wants root, who may look into the seal worker.
"""

import argparse
import base64
import contextlib
import functools
import json
import os
import pathlib
import random
import re
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import bench  # noqa: E402
import gateway  # noqa: E402
import keys  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
from crowd import Crowd  # noqa: E402
from footprint import Footprint  # noqa: E402
from pki import Pki  # noqa: E402
from smtp import dot_stuff  # noqa: E402
from tools import AS_ROOT, BUILD, remove_folder, run, short_folder, wait_until  # noqa: E402

KINDS = ("rsa3072", "cv25519", "cbc", "gcm")  # what recipients have: OpenPGP, OpenPGP, S/MIME, S/MIME
TITLES = {"rsa3072": "OpenPGP, rsa3072", "cv25519": "OpenPGP, cv25519", "cbc": "S/MIME, RSA-2048, AES-256-CBC",
          "gcm": "S/MIME, RSA-2048, AES-256-GCM"}

RULES = """
rule "gcm" { when { recipient = {"@gcm.example"} } protect = require on-missing-key = refuse smime-cipher = aes-256-gcm }
rule default { protect = require on-missing-key = refuse smime-cipher = aes-256-cbc }
"""


def options():
    parser = argparse.ArgumentParser(prog="seal.py", description="sealing beside gpg and openssl")
    parser.add_argument("--sizes", nargs="+", type=int, default=(1 << 10, 10 << 10, 1 << 20, 50 << 20),
                        help="bytes of a body (default 1 KiB, 10 KiB, 1 MiB, 50 MiB)")
    parser.add_argument("--recipients", nargs="+", type=int, default=(1, 10, 100), help="of one message (default 1 10 100)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="only these")
    parser.add_argument("--seconds", type=float, default=2,
                        help="each case is repeated for so long, but at most 20 times and at least once (default 2)")
    return parser.parse_args()


class Session:
    """One SMTP session that stays open."""

    def __init__(self, server, stack):
        self.server = server
        self.client = stack.enter_context(server.connect())
        self.client.ready(server)

    def send(self, recipients, message):
        """Milliseconds from the final dot to the 250, and those of them that the seal worker had it (as its log says)."""
        self.client.envelope(self.server.user, recipients)
        stuffed = dot_stuff(message)
        self.client.send(stuffed[:-3])
        started = time.monotonic()
        self.client.send(stuffed[-3:])
        reply = self.client.reply()
        took = 1000 * (time.monotonic() - started)
        if reply.code != 250 or f"sealed for {len(recipients)} of" not in reply.text:
            raise AssertionError(f"{reply}\n{self.server.tail()}")
        return took, self._sealing(gateway.queue_id(reply))

    def _sealing(self, message_id):
        said = wait_until(lambda: re.search(rf"event=sealed id={message_id} .* ms=(\d+)", self.server.log), "a line in the log")
        return int(said.group(1))


class Bench:
    def __init__(self, o, stack):
        self.o = o
        self.folder = short_folder()
        stack.callback(remove_folder, self.folder)
        self.sink = servers.Sink(self.folder)
        stack.callback(self.sink.close)
        self.home = self.folder / "bare"
        self.home.mkdir(mode=0o700)
        self.crowd = self._crowd(stack)
        self.server = self._gateway(stack)
        self.session = Session(self.server, stack)

    def _crowd(self, stack):
        ring = keys.Keyring(self.folder)
        stack.callback(ring.close)
        crowd = Crowd(self.folder, ring, max(self.o.recipients))
        for kind in set(self.o.kinds) & {"rsa3072", "cv25519"}:
            crowd.make_openpgp(kind)
        if set(self.o.kinds) & {"cbc", "gcm"}:
            crowd.make_smime("cbc", "gcm")
        return crowd

    def _gateway(self, stack):
        """One seal worker, so that it is known which one has the message."""
        server = servers.Gateway(Pki(self.folder), f"[127.0.0.1]:{self.sink.port}", 1)
        server.rules = RULES
        server.settings.update({"limits": {"message": "64MB", "transactions": 1000000, "seal": "5min"},
                                "seal": {"workers": 1, "jobs": 1000000, "deadline": "2min", "cpu": "2min"}})
        server.write_conf()
        stack.callback(server.close)
        server.start()
        for kind in {"cbc" if kind == "gcm" else kind for kind in self.o.kinds}:
            server.ctl("key", "add", *(self.crowd.certificate(kind, n) for n in range(self.crowd.people)))
        return server

    def bare(self, kind, recipients, path):
        """What gpg or openssl takes: {"ms", "cpu_ms", "peak_kb"}."""
        certificates = [self.crowd.certificate(kind, n) for n in range(recipients)]
        if kind in ("cbc", "gcm"):
            command = ["openssl", "cms", "-encrypt", "-binary", "-stream", f"-aes-256-{kind}", "-outform", "SMIME",
                       *certificates]
        else:
            command = ["gpg", "--no-options", "--homedir", self.home, "--batch", "--quiet", "--no-tty", "--trust-model",
                       "always", "--no-auto-check-trustdb", "--no-random-seed-file", "-z", "0", "--armor", "--encrypt",
                       *(word for c in certificates for word in ("-f", c))]
        said = run(BUILD / "spent", path, *command, timeout=300)
        found = json.loads(said.stdout)
        if found["code"] != 0:
            raise AssertionError(f"{command[0]}: {said.stderr.decode()}")
        return found

    def send(self, addresses, message):
        """As Session.send. Then delivery is done, so that it is in nobody's way."""
        count = self.sink.count
        took = self.session.send(addresses, message)
        wait_until(lambda: self.sink.count > count, "the message reached the sink", 300)
        if len(message) >= LARGE:  # to ask costs more than what is left of a small one
            wait_until(lambda: not self.server.queue(), "the queue is empty", 300)
        return took

    def case(self, kind, size, recipients):
        addresses = [self.crowd.address(kind, n) for n in range(recipients)]
        message = mail(addresses, size)
        path = self.folder / "message"
        path.write_bytes(message)
        own, other = [], []
        worker, = self.server.pids("seal")
        with Footprint(worker) as footprint:
            first = self.send(addresses, message)
        if size >= LARGE:
            own.append(first)
        until = time.monotonic() + self.o.seconds
        while not other or (size < LARGE and len(other) < 20 and time.monotonic() < until):
            if size < LARGE:
                own.append(self.send(addresses, message))
            other.append(self.bare(kind, recipients, path))
        return {"kind": kind, "size": size, "recipients": recipients, "message": len(message), "repeated": len(own),
                "ms": statistics.median(took for took, _ in own), "ms_most": max(took for took, _ in own),
                "seal_ms": statistics.median(sealing for _, sealing in own), "peak_kb": footprint.peak >> 10,
                "rest_kb": footprint.rest >> 10, "bare_ms": statistics.median(o["ms"] for o in other),
                "bare_cpu_ms": statistics.median(o["cpu_ms"] for o in other),
                "bare_peak_kb": max(o["peak_kb"] for o in other)}


# From here on a case is sent once, with the look at its memory beside it: it takes seconds, and its delivery as well.
LARGE = 10 << 20


@functools.cache
def attachment(size):
    """SIZE bytes of base64, or some more for the last line."""
    coded = base64.encodebytes(random.Random(size).randbytes(size * 3 // 4)).replace(b"\n", b"\r\n")[:size].rstrip(b"\r\n")
    return coded + b"\r\n"


def mail(addresses, size):
    """A message whose body is such an attachment."""
    return gateway.mail(addresses, "", MIME_Version="1.0", Content_Type="application/octet-stream",
                        Content_Transfer_Encoding="base64") + attachment(size)


def size_word(size):
    for unit, word in ((1 << 20, "MB"), (1 << 10, "KB")):
        if size >= unit:
            return f"{size / unit:g} {word}"
    return f"{size} B"


def show(result):
    about = result["about"]
    print(f"{about['cores']} × {about['cpu']}, Linux {about['kernel']}, {about['file system']}; {', '.join(about['packages'])}")
    print(f"Median milliseconds from the final dot to 250, one session, one seal worker; {about['seconds']} s in all")
    if result["busy"] > report.BUSY_MAX:
        print(f"Other programs used {result['busy']:.0%} of the cores before it began: quote the ratios.")
    for kind in about["options"]["kinds"]:
        tool = "openssl" if kind in ("cbc", "gcm") else "gpg"
        print(f"\n{TITLES[kind]}")
        report.table(["", "recipients", "gateway ms", "of it seal", f"{tool} ms", "gateway / it", "seal / it", "seal MB",
                      "times the message", f"{tool} MB"],
                     [[size_word(c["size"]), c["recipients"], f"{c['ms']:.1f}", f"{c['seal_ms']:.0f}", f"{c['bare_ms']:.1f}",
                       f"{c['ms'] / c['bare_ms']:.2f}", f"{c['seal_ms'] / c['bare_ms']:.2f}", f"{c['peak_kb'] / 1024:.0f}",
                       f"{1024 * c['peak_kb'] / c['message']:.2f}" if c["size"] >= LARGE else "",
                       f"{c['bare_peak_kb'] / 1024:.0f}"] for c in result["cases"] if c["kind"] == kind])


def main():
    o = options()
    if not AS_ROOT:
        print("bench-seal: only root may look into the seal worker", file=sys.stderr)
        return 1
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        try:
            made = Bench(o, stack)
            busy, cases = measure.busy(), []
            for kind in o.kinds:
                made.case(kind, 1024, 1)  # caches, code pages and the certificates' files are warm then
                for size in o.sizes:
                    for recipients in o.recipients:
                        print(f"{kind}, {size_word(size)}, {recipients} …", file=sys.stderr, flush=True)
                        cases.append(made.case(kind, size, recipients))
        except AssertionError as e:
            print(f"bench-seal: {e}", file=sys.stderr)
            return 1
        result = {"about": bench.about(made, o), "busy": busy, "cases": cases}
    result["about"]["seconds"] = round(time.monotonic() - started)
    path = BUILD / "bench-seal.json"
    path.write_text(json.dumps(result, indent=1, default=str) + "\n")
    show(result)
    print(f"\nAll figures: {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

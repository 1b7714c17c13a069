#!/usr/bin/python3
"""Queue databases as programs of each schema version left them: tests/data/queue-vN.sql, and how one is made.

frozen_queue.py FILE: the program in $BUILD gets mail in every state, is killed, and its database goes to FILE as SQL. That is
done once for each version, and its file is never made again: only so a step of the schema that is changed later is noticed. So
that few messages fill the window of delivery, the program is built with one of 4 (gateway/main/role_delivery.c).

Versions 1 to 6 are of the commits 7188b33, 908a714, d58bca2, 53fa60c, daf7a7a and 1e88b9e. Of what is sealed in them nobody has
the secret key.
"""

import os
import pathlib
import re
import signal
import sqlite3
import sys
import threading
import time

from dns import Nsd
from gateway import USER, Gateway, mail, queue_id
from keys import Keyring
from pki import Pki
from sink import Sink
from smtp import dot_stuff
from tools import ROOT, SEALGATE, free_port, remove_folder, run, short_folder, wait_until

DATA = ROOT / "tests" / "data"
SPOOL_KEY = bytes(range(32))  # of all frozen queues

RULES = """
rule "hold" { when { recipient = {"@hold.example.com"} } protect = require on-missing-key = hold }
rule "seal" { when { recipient = {"@seal.example.com"} } protect = require on-missing-key = refuse }
rule default { protect = never }
client "scanner" { networks = {"127.0.0.9"} send-as = {"*"} }
"""
LISTEN = 'clients = {"scanner"}'


def zones(dead):
    """All mail goes to 127.0.0.1, that for dead.example.com to the address DEAD."""
    return {"example.com": f"@ MX 10 a\nhold MX 10 a\nseal MX 10 a\ndead MX 10 b\na A 127.0.0.1\nb A {dead}\n",
            "example.org": "@ MX 10 a\na A 127.0.0.1\n"}


def body(address):
    return f"Frozen for {address}.\r\n"


def file_of(version):
    return DATA / f"queue-v{version}.sql"


def thawed(version, path):
    """The database at PATH, as if the program had just died: all times but those of the audit trail, whose hashes they are
    part of, go on from now."""
    text = file_of(version).read_text()
    died = max(map(int, re.findall(r"^INSERT INTO audit VALUES\(\d+,(\d+),", text, re.M)))
    since = int(time.time() * 1000) - died

    def later(line):
        trail = line.startswith("INSERT INTO audit")
        return line if trail else re.sub(r"(?<=,)1\d{12}(?=[,)])", lambda ms: str(int(ms[0]) + since), line)

    run("sqlite3", "-bail", path, input="".join(map(later, text.splitlines(keepends=True))))


# ---- freezing ----


class NextHop:
    """Refuses some, defers others, and never says whether it took the slow ones."""

    def __init__(self, port):
        self.end = threading.Event()
        self.slow = set()
        self.sink = Sink(port=port, script=self.script)

    def script(self, verb, argument, _session):
        if verb == "RCPT" and ("later" in argument or f"<{USER}>" in argument):
            return "451 4.2.0 later"
        if verb == "RCPT" and "<refused" in argument:
            return "550 5.1.1 nobody of that name"
        if verb == "END" and argument.recipients[0].startswith("slow"):
            self.slow.add(argument.recipients[0])
            self.end.wait()
            return False
        return None


class Freezer:
    def __init__(self, folder):
        self.folder = folder
        (folder / "pki").mkdir()
        self.keyring = Keyring(folder)
        port = free_port()
        self.next_hop = NextHop(port)
        self.nsd = Nsd(zones("127.0.0.2"))
        self.gateway = Gateway(Pki(folder / "pki"), "mx", rules=RULES, listen=LISTEN, settings={
            "delivery": {"mx-port": port, "resolvers": self.nsd.address},
            "queue": {"first-retry": "1h", "last-retry": "4h"}})
        self.ids = {}

    def start(self):
        self.gateway.start()
        self.gateway.stop()
        with open(self.gateway.state_dir / "spool.key", "r+b") as key:
            assert len(key.read()) == len(SPOOL_KEY)
            key.seek(0)
            key.write(SPOOL_KEY)
        self.gateway.start()
        self.gateway.add_keys(self.keyring.openpgp("later@seal.example.com", "later-bcc@seal.example.com"))

    def send(self, *recipients, to=None, mail_params="", rcpt_params=""):
        """TO: who stands in the header, when that is not all of them."""
        message = mail(to or recipients, body(recipients[0]), f"To {recipients[0]}")
        reply = self.gateway.submit(recipients, message, mail_params=mail_params, rcpt_params=rcpt_params)
        for recipient in recipients:
            self.ids[recipient] = queue_id(reply)
        return self.ids[recipients[0]]

    def scan(self, recipient):
        """A relay client sends, who is no user."""
        with self.gateway.connect(source="127.0.0.9") as client:
            client.ehlo()
            if client.command("MAIL FROM:<scanner@example.org>").code == 530:
                return False  # not yet in that program
            client.command("RSET")
            client.envelope("scanner@example.org", [recipient])
            client.send(dot_stuff(mail(recipient, body(recipient))))
            queue_id(client.reply())
            return True

    def states(self):
        return {r["address"]: r["state"] for r in self.gateway.queue()}

    def wait(self, state, *recipients):
        wait_until(lambda: all(self.states().get(r) == state for r in recipients),
                   lambda: f"{recipients} {state}: {self.states()}\n{self.gateway.tail()}")

    def spoil(self, recipient):
        """One byte of the body, while nobody looks. The next reports stay held, where the program can do that."""
        self.gateway.kill()
        with sqlite3.connect(self.gateway.state_dir / "queue" / "queue.db") as db:
            db.execute("UPDATE body SET bytes = CAST(x'00' || substr(bytes, 2) AS BLOB) WHERE copy_id ="
                       " (SELECT copy_id FROM recipient WHERE address = ?)", [recipient])
        db.close()
        self.gateway.settings["queue"]["notice-protect"] = "require"
        self.gateway.write_conf()
        if run(SEALGATE, "-n", "-c", self.gateway.conf, check=False).returncode != 0:
            del self.gateway.settings["queue"]["notice-protect"]
            self.gateway.write_conf()
        self.gateway.start()
        self.gateway.ctl("queue", "retry", self.ids[recipient])
        self.wait("held", recipient)

    def settled(self):
        """What was tried once, or held."""
        self.send("done@example.com")
        self.send("refused@example.com")
        self.send("later@example.com")
        self.send("done-beside@example.com", "later-beside@example.com", '"a@later"@example.com')
        self.send("later@seal.example.com", "later-bcc@seal.example.com", to="later@seal.example.com")
        self.send("later-bcc1@example.com", "later-bcc2@example.com", to="undisclosed@example.com")
        with self.gateway.connect() as client:
            announced = client.ehlo().lines
        dsn = "DSN" in announced
        self.send("later-dsn@example.com", mail_params=" RET=HDRS ENVID=frozen" if dsn else "",
                  rcpt_params=" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;asked@example.com" if dsn else "")
        scanned = ["later-scanned@example.com"] if self.scan("later-scanned@example.com") else []
        self.send("one@dead.example.com")
        for name in ("key", "leased-return", "queued-return"):
            self.send(f"{name}@hold.example.com")
        later = [f"later-{name}@example.com" for name in ("held", "released", "damaged")]
        for recipient in later:
            self.send(recipient)
        self.wait("deferred", *later, "later@example.com", "later-beside@example.com", "later@seal.example.com",
                  "later-bcc@seal.example.com", "later-dsn@example.com", *scanned, "one@dead.example.com",
                  USER)
        self.send("two@dead.example.com")
        for recipient in later[:2]:
            self.gateway.ctl("queue", "hold", self.ids[recipient])
        self.wait("held", *later[:2], "key@hold.example.com")
        self.spoil(later[2])

    def under_way(self):
        """What delivery has in hand, and what waits because it has its hands full."""
        self.send("refused-again@example.com")
        wait_until(lambda: [r["state"] in ("held", "deferred") for r in self.gateway.queue() if r["address"] == USER] == [True] * 2,
                   lambda: f"two reports: {self.states()}")
        slow = ["slow1@example.com", "slow2@example.com"]
        for recipient in slow:
            self.send(recipient)
        wait_until(lambda: self.next_hop.slow == set(slow), lambda: f"{self.next_hop.slow} {self.states()}")
        for pid in self.gateway.pids("delivery"):
            os.kill(pid, signal.SIGSTOP)
        self.gateway.ctl("held", "return", self.ids["leased-return@hold.example.com"])
        self.wait("leased", "leased-return@hold.example.com", *slow)
        self.send("leased@example.com")
        self.wait("leased", "leased@example.com")
        self.send("queued@example.com", "queued-beside@example.com")
        self.gateway.ctl("held", "return", self.ids["queued-return@hold.example.com"])
        self.gateway.ctl("queue", "release", self.ids["later-released@example.com"])
        # The transaction of each of these would have leased them, had delivery a hand free.
        self.wait("queued", "queued@example.com", "queued-beside@example.com")
        self.wait("returning", "queued-return@hold.example.com")

    def dump(self, path):
        """The program died with all of that in hand."""
        self.gateway.kill()
        database = self.gateway.state_dir / "queue" / "queue.db"
        version = run("sqlite3", database, "PRAGMA user_version").stdout.decode().strip()
        text = run("sqlite3", database, ".dump").stdout.decode()
        assert str(self.folder) not in text and str(self.gateway.folder) not in text
        path.write_text(f"PRAGMA user_version={version};\n{text}")

    def close(self):
        self.next_hop.end.set()
        self.gateway.close()
        self.nsd.close()
        self.next_hop.sink.stop()
        self.keyring.close()


def main():
    folder = short_folder()
    freezer = Freezer(folder)
    try:
        freezer.start()
        freezer.settled()
        freezer.under_way()
        for recipient in freezer.gateway.queue():
            print(f"{recipient['state']:10} {recipient['address']}")
        freezer.dump(pathlib.Path(sys.argv[1]))
    finally:
        freezer.close()
        remove_folder(folder)


if __name__ == "__main__":
    main()

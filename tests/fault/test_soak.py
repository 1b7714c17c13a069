"""
A soak: mixed mail while roles die at random, the configuration is read anew and next hops go and come, then an account of every
recipient of every message that was accepted: delivered, bounced with a report, returned or held, exactly one of them, as its
address says (soak_mail); and an audit trail that is whole. SOAK in the environment is how many seconds; `make soak TIME=3600` for
an hour.
"""

import collections
import json
import os
import random
import re
import signal
import time

import gateway as gw
import readers
import smtp
from pki import server_context
from soak_account import FINAL, Account
from soak_hops import NextHops
from soak_mail import DOMAINS, HOME, RULES, WITH_KEY, Writer
from test_kill import LATER, MAY_DUPLICATE, STEPS, House, name_in
from tools import wait_until

SECONDS = float(os.environ.get("SOAK", "17"))
SEED = int(os.environ.get("SOAK_SEED", "1"))

SLOW = 10  # seconds that a next hop may need until it has kept what it was sent before a death

Arrival = collections.namedtuple("Arrival", "time hop form report", defaults=[None])  # report: the id of its message


class Soak(House):
    """What House keeps by the name of a message is kept by the address of a recipient, which no two messages share."""

    rules = RULES

    def __init__(self):
        super().__init__()
        self.dice = random.Random(SEED)
        self.writer = Writer(SEED)
        self.letters = {}
        self.excused = {}  # address → the last time that something happened which may be why it comes twice
        self.unlisted = 0  # looks at a queue longer than what sealctl lists of it
        self.told_of_others = []  # copies in which a Bcc recipient of another copy stands

    def make_sink(self):
        self.hops = NextHops(server_context(*self.pki.next_hop), self.arrived)
        return self.hops

    def delivery(self):
        return self.hops.delivery

    def people(self):
        make = {"smime": self.ring.smime, "pgp": self.ring.openpgp}
        return [make[kind](f"{kind}@{domain}") for kind in WITH_KEY for domain in DOMAINS]

    # ---- what arrives ----

    def arrived(self, hop, message):
        if not message.sender:
            self.report_arrived(hop, message)
            return
        form = readers.form(message.data)
        for address in message.recipients:
            self.arrivals[address].append(Arrival(time.monotonic(), hop, form))
        letter = self.letters[name_in(message.data)]
        hidden = {r.address for r in letter.recipients if r not in letter.named} - set(message.recipients)
        if any(address.encode() in message.data for address in hidden):
            self.told_of_others.append(message)

    def report_arrived(self, hop, message):
        assert message.recipients == [gw.USER] and readers.is_sealed(message.data), message
        report = readers.read(self.sender, message.data)
        own_id = name_in(report).strip("<>").partition("@")[0]
        for address in re.findall(rb"\r\nFinal-Recipient: rfc822; *(\S+)\r\nAction: failed\r\n", report):
            self.arrivals[address.decode()].append(Arrival(time.monotonic(), hop, "report", own_id))

    def settle(self):
        """What arrived and is not in the queue any more, nor is the report of it, has its outcome on disk."""
        arrived = {address: {a.report for a in self.arrivals[address]} for address in self.unsettled if address in self.arrivals}
        listed = self.gateway.ctl("queue", "list", "--json", check=False) if arrived else None
        if not listed or listed.returncode != 0:
            return
        answer = json.loads(listed.stdout)
        if answer["more"]:
            self.unlisted += 1
            return  # who is not listed may be behind those who are
        ids = {message["id"] for message in answer["messages"]}
        waiting = {r["address"] for message in answer["messages"] for r in message["recipients"] if r["state"] not in FINAL}
        self.unsettled -= {address for address, reports in arrived.items() if address not in waiting and not reports & ids}

    # ---- what is sent ----

    def send(self):
        letter = self.writer.letter()
        self.letters[letter.name] = letter
        try:
            reply = self.converse_over(letter)
            assert reply.code == 250 or reply.code in LATER or not letter.taken, reply
            if letter.given and reply.code == 250:
                letter.id = gw.queue_id(reply)
        except (smtp.Closed, OSError):
            pass

    def converse_over(self, letter):
        """As a mail program that goes on with those whom the gateway takes."""
        with self.gateway.connect() as client:
            client.ehlo()
            reply = client.login(self.gateway.user, self.gateway.password)
            if reply.code == 235:
                reply = client.command(f"MAIL FROM:<{gw.USER}>")
            if reply.code == 250:
                reply = self.name_recipients(client, letter)
            if letter.taken:
                reply = client.command("DATA")
            if reply.code != 354:
                return reply
            letter.given = True
            self.unsettled |= letter.taken
            client.send(smtp.dot_stuff(letter.text()))
            return client.reply()

    def name_recipients(self, client, letter):
        for recipient in letter.said:
            reply = client.command(f"RCPT TO:<{recipient.address}>")
            refused = reply.code == 550 and recipient.outcome == "refused"
            assert refused or reply.code in LATER or (reply.code == 250 and recipient.outcome != "refused"), (recipient, reply)
            if reply.code == 250:
                letter.taken.add(recipient.address)
        return reply

    # ---- what happens meanwhile ----

    def kill_one(self):
        role = self.dice.choice(list(STEPS))
        pids = self.gateway.pids_or_none(role)
        if not pids:
            return
        try:
            os.kill(self.dice.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            return
        self.killed(role)

    def hop_goes_or_comes(self):
        name = self.dice.choice(list(self.hops.hosts))
        # What it had taken, and could not say, comes again.
        at_it = {address for address in self.unsettled if name in (HOME, DOMAINS[address.partition("@")[2]])}
        if self.hops.goes_or_comes(name):
            self.excuse(at_it)

    def excuse(self, addresses):
        self.excused.update(dict.fromkeys(addresses, time.monotonic()))

    def is_excused(self, address):
        """What happened before it arrived at all is no excuse."""
        return self.excused.get(address, 0) > self.arrivals[address][-2].time - SLOW

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.settle()
            self.send()
            chance = self.dice.random()
            if chance < 0.15:
                self.kill_one()
            elif chance < 0.25:
                self.hop_goes_or_comes()
            elif chance < 0.26:
                # No excuse for a duplicate: what is in hand is finished.
                self.gateway.reload()
                self.kills["reload"] += 1

    # ---- the account ----

    def waiting(self):
        """Addresses; None: more than sealctl lists. The queue keeps who is done until all of the message are."""
        answer = self.gateway.json("queue", "list")
        return None if answer["more"] else {r["address"] for message in answer["messages"] for r in message["recipients"]
                                            if r["state"] not in FINAL}

    def is_done(self):
        """Nothing waits but what is held for a key; a notice is held until seal has sealed it."""
        waiting = self.waiting()
        return waiting is not None and all(address.startswith("hold+") for address in waiting)

    def account(self):
        self.hops.start()
        wait_until(lambda: self.gateway.ctl("queue", "list", check=False).returncode == 0, "sealctl is answered")
        self.gateway.ctl("queue", "retry", "all")
        wait_until(self.is_done, lambda: f"nothing but held mail: {self.waiting()}\n{self.gateway.tail()}", timeout=300)
        account = Account(self.letters.values(), self.arrivals, self.waiting(), self.gateway.ctl("audit", "export").stdout)
        account.check()
        twice = account.twice()
        unexcused = {address: self.arrivals[address] for address in twice if not self.is_excused(address)}
        assert not unexcused, f"delivered twice without a reason: {unexcused}"
        assert not self.told_of_others, self.told_of_others
        assert self.gateway.json("audit", "verify")["intact"]
        promised = sum(letter.id is not None for letter in self.letters.values())
        print(f"{dict(self.kills)}: {promised} messages promised; recipients: {dict(account.outcomes)}, {len(twice)} twice; "
              f"outcomes of several: {dict(account.mixtures)}; {account.partial} failed in part; "
              f"{self.unlisted} looks at a queue longer than its list")
        return account


def test_r1_soak():
    soak = Soak()
    try:
        soak.run(SECONDS)
        assert sum(soak.kills.values()) > SECONDS / 10
        assert MAY_DUPLICATE & soak.kills.keys() or SECONDS < 60
        account = soak.account()
        assert account.outcomes.keys() >= {"delivered", "bounced", "returned", "held"} or SECONDS < 10
        assert account.partial and account.mixtures["bounced+delivered"] or SECONDS < 10
    finally:
        soak.close()

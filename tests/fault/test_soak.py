"""
A soak: mixed mail while roles die at random, the configuration is read anew and the next hop goes and comes, then an account of every message that was accepted:
delivered, bounced with a report, or held, exactly one of them, and an audit trail that is whole. SOAK in the environment is how
many seconds; `make soak TIME=3600` for an hour.
"""

import collections
import json
import os
import random
import signal
import time

from test_kill import GONE, MAY_DUPLICATE, STEPS, House
from tools import wait_until

SECONDS = float(os.environ.get("SOAK", "20"))
SEED = int(os.environ.get("SOAK_SEED", "1"))

HELD = "nokey@hold.example"
RULES = (House.rules +
         'rule "hold" { when { recipient = {"@hold.example"} } protect = require on-missing-key = hold }\n')
SENT = ["smime@example.com", "clear@example.com", "pgp@example.com", GONE]
RECIPIENTS = SENT + [HELD]
HELD_MAX = 500  # sealctl lists the first 1000 recipients, and others wait beside these
FINAL = {GONE: "bounced", HELD: "held"}  # else delivered


class Soak(House):
    rules = RULES

    def __init__(self):
        super().__init__()
        self.sent_to = {}
        self.held = 0
        self.dice = random.Random(SEED)

    def recipient_for(self, name):
        if name not in self.sent_to:
            chosen = self.sent_to[name] = self.dice.choice(RECIPIENTS if self.held < HELD_MAX else SENT)
            self.held += chosen == HELD
        return self.sent_to[name]

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
        if self.sink._server:
            # What it had taken, and could not say, comes again.
            self.may_be_twice |= (self.promised.keys() | self.unpromised) - self.settled
            self.sink.stop()
        else:
            self.sink.start()

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.settle()
            self.send()
            chance = self.dice.random()
            if chance < 0.15:
                self.kill_one()
            elif chance < 0.2:
                self.hop_goes_or_comes()
            elif chance < 0.21:
                # No excuse for a duplicate: what is in hand is finished.
                self.gateway.reload()
                self.kills["reload"] += 1

    def outcomes(self):
        """{name: the events of its trail} of all that was promised: tens of thousands after an hour, so one look at all lines."""
        trails = collections.defaultdict(list)
        for line in self.gateway.ctl("audit", "export").stdout.splitlines():
            entry = json.loads(line)
            trails[entry.get("id")].append(entry["event"])
        return {name: trails[queue_id] for name, queue_id in self.promised.items()}

    def account(self):
        if not self.sink._server:
            self.sink.start()
        wait_until(lambda: self.gateway.ctl("queue", "list", check=False).returncode == 0, "sealctl is answered")
        self.gateway.ctl("queue", "retry", "all")
        # A notice is held until seal has sealed it.
        wait_until(lambda: {r["address"] for r in self.gateway.queue()} <= {HELD},
                   lambda: f"nothing but held mail: {self.gateway.queue()}\n{self.gateway.tail()}", timeout=120)
        waiting = {r["id"] for r in self.gateway.queue()}
        for name, events in self.outcomes().items():
            wanted = FINAL.get(self.sent_to[name], "delivered")
            final = [e for e in events if e in ("delivered", "bounced", "returned", "removed")]
            assert final == ([] if wanted == "held" else [wanted]), (name, self.sent_to[name], events)
            assert (self.promised[name] in waiting) == (wanted == "held"), name
            # The message, or the notice that tells of it.
            assert bool(self.arrivals[name]) == (wanted != "held"), (name, self.sent_to[name])
        twice = {name for name, times in self.arrivals.items() if name.startswith("<run") and len(times) > 1}
        assert twice <= self.may_be_twice, f"delivered twice without a reason: {twice}"
        reports = [m for m in self.sink.messages if m.sender == ""]
        bounced = [name for name in self.promised if self.sent_to[name] == GONE]
        assert len(reports) >= len(bounced)
        assert self.gateway.json("audit", "verify")["intact"]
        print(f"{dict(self.kills)}: {len(self.promised)} promised, {len(bounced)} bounced, {len(waiting)} held, {len(twice)} twice")


def test_r1_soak():
    soak = Soak()
    try:
        soak.run(SECONDS)
        assert soak.promised and sum(soak.kills.values()) > SECONDS / 10
        assert MAY_DUPLICATE & soak.kills.keys() or SECONDS < 10
        soak.account()
    finally:
        soak.close()

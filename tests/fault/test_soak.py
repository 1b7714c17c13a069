"""
A soak: mixed mail to one and several recipients while roles die at random, the configuration is read anew and the next hop goes
and comes, then an account of every recipient of every message that was accepted: delivered, bounced with a report, or held,
exactly one of them, and an audit trail that is whole. SOAK in the environment is how many seconds; `make soak TIME=3600` for an
hour.
"""

import collections
import json
import os
import random
import signal
import time

from test_kill import DONE, GONE, MAY_DUPLICATE, STEPS, House
from tools import wait_until

SECONDS = float(os.environ.get("SOAK", "20"))
SEED = int(os.environ.get("SOAK_SEED", "1"))

HELD = "nokey@hold.example"
LATER = "later@two.example"  # the next hop takes it every other time
RULES = (House.rules +
         'rule "two" { when { recipient = {"@two.example"} } protect = never }\n'
         'rule "hold" { when { recipient = {"@hold.example"} } protect = require on-missing-key = hold }\n')
# In one copy: clear@ and gone@, which fail apart, and the two at two.example; two domains, and both ways of sealing.
SENT = ["smime@example.com", "clear@example.com", "pgp@example.com", GONE, LATER, "clear@two.example"]
# sealctl lists the first 1000 recipients, those in the same messages among them; and they are to come during all of the time.
HELD_MAX = 100
HELD_SHARE = min(HELD_MAX / (20 * SECONDS), 0.3)
FINAL = {GONE: "bounced", HELD: "held"}  # else delivered


class Soak(House):
    rules = RULES

    def __init__(self):
        self.held = self.put_off = 0
        self.dice = random.Random(SEED)
        super().__init__()

    def recipients_for(self, number):
        """One of half of the messages, up to all of the others."""
        chosen = self.dice.sample(SENT, self.dice.choice([1, self.dice.randint(2, len(SENT))]))
        if self.held < HELD_MAX and self.dice.random() < HELD_SHARE:
            chosen[0] = HELD
            self.held += 1
        return chosen

    def reply(self, verb, argument, session):
        if verb == "RCPT" and LATER in argument:
            self.put_off += 1
            return "450 4.2.1 later" if self.put_off % 2 else None
        return super().reply(verb, argument, session)

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
            self.may_be_twice |= self.unsettled
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
        """{(name, recipient): the final events of its trail} of all that was promised: tens of thousands after an hour, so one
        look at all lines."""
        trails = collections.defaultdict(list)
        for line in self.gateway.ctl("audit", "export").stdout.splitlines():
            entry = json.loads(line)
            if entry["event"] in DONE:
                trails[entry["id"], entry["recipient"]].append(entry["event"])
        return {key: trails[self.promised[key[0]], key[1]] for key in self.sent if key[0] in self.promised}

    def waiting(self):
        """{(queue id, recipient)} of those without an outcome; None: more than sealctl lists."""
        answer = self.gateway.json("queue", "list")
        return None if answer["more"] else {(message["id"], recipient["address"]) for message in answer["messages"]
                                            for recipient in message["recipients"] if recipient["state"] not in DONE}

    def only_held_wait(self):
        waiting = self.waiting()
        return waiting is not None and {address for _, address in waiting} <= {HELD}

    def account(self):
        if not self.sink._server:
            self.sink.start()
        wait_until(lambda: self.gateway.ctl("queue", "list", check=False).returncode == 0, "sealctl is answered")
        self.gateway.ctl("queue", "retry", "all")
        # A notice is held until seal has sealed it.
        wait_until(self.only_held_wait, lambda: f"nothing but held mail: {self.waiting()}\n{self.gateway.tail()}", timeout=300)
        waiting, outcomes = self.waiting(), self.outcomes()
        for (name, recipient), events in outcomes.items():
            wanted = FINAL.get(recipient, "delivered")
            assert events == ([] if wanted == "held" else [wanted]), (name, recipient, events)
            assert ((self.promised[name], recipient) in waiting) == (wanted == "held"), (name, recipient)
            # The message, or the notice that tells of it.
            assert bool(self.arrivals[name, recipient]) == (wanted != "held"), (name, recipient)
        twice = {key for key, times in self.arrivals.items() if len(times) > 1}
        assert twice <= self.may_be_twice, f"delivered twice without a reason: {twice}"
        assert self.gateway.json("audit", "verify")["intact"]
        ends = collections.Counter(FINAL.get(recipient, "delivered") for _, recipient in outcomes)
        print(f"{dict(self.kills)}: {len(self.promised)} messages promised to {len(outcomes)} recipients, {dict(ends)}, "
              f"{len(twice)} twice of {len(self.may_be_twice)} that may; {self.unlisted} looks at a queue longer than its list")


def test_r1_soak():
    soak = Soak()
    try:
        soak.run(SECONDS)
        assert soak.promised and sum(soak.kills.values()) > SECONDS / 10
        assert MAY_DUPLICATE & soak.kills.keys() or SECONDS < 10
        soak.account()
    finally:
        soak.close()

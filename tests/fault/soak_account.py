"""
The soak's account: of every recipient that was accepted exactly one outcome, the one that was promised, and nothing of any other.
"""

import collections
import json

FINAL = ("delivered", "bounced", "returned", "removed")


class Account:
    """letters: all that was sent; arrivals: address → what arrived for it; waiting: addresses that are not done."""

    def __init__(self, letters, arrivals, waiting, export):
        self.letters, self.arrivals, self.waiting = letters, arrivals, waiting
        # Tens of thousands of lines after an hour, so one look at all of them.
        self.trails = collections.defaultdict(list)
        for line in export.splitlines():
            entry = json.loads(line)
            self.trails[entry.get("recipient")].append(entry)
        self.mixtures = collections.Counter()  # outcomes of one message → messages
        self.outcomes = collections.Counter()
        self.partial = 0

    def events(self, address):
        return [entry["event"] for entry in self.trails.get(address, ())]

    def check(self):
        for letter in self.letters:
            self.check_letter(letter)

    def check_letter(self, letter):
        taken = [r for r in letter.recipients if letter.is_taken(r)]
        accepted = [r for r in taken if "accepted" in self.events(r.address)]
        # One transaction: nobody is accepted without the others, be the client told or not.
        assert accepted == taken or not accepted and not letter.id, self.show(letter)
        ids = {entry["id"] for r in accepted for entry in self.trails[r.address]}
        assert len(ids) == bool(accepted) and (not letter.id or ids == {letter.id}), self.show(letter)
        for recipient in letter.recipients:
            good = self.is_as_promised(recipient) if recipient in accepted else self.is_unknown(recipient)
            assert good, (recipient, self.show(letter))
        if accepted:
            self.count(letter, accepted)

    def is_as_promised(self, recipient):
        events = self.events(recipient.address)
        held = recipient.outcome == "held"
        return ([e for e in events if e in FINAL] == ([] if held else [recipient.outcome])
                and events.count("accepted") == 1
                and ("sealed" in events) == (recipient.kind in ("smime", "pgp"))
                and (recipient.address in self.waiting) == held
                and self.came(recipient.address) == ({recipient.arrival} if recipient.arrival else set()))

    def is_unknown(self, recipient):
        """The gateway has not taken it, or has told the client nothing and forgotten it."""
        events = set(self.events(recipient.address))
        return events <= {"refused"} and recipient.address not in self.waiting and not self.came(recipient.address)

    def came(self, address):
        return {(arrival.hop, arrival.form) for arrival in self.arrivals.get(address, ())}

    def count(self, letter, accepted):
        self.outcomes.update(r.outcome for r in accepted)
        together = accepted + [r for r in letter.recipients if r.outcome == "refused"]
        if len(together) > 1:
            self.mixtures["+".join(sorted({r.outcome for r in together}))] += 1
        put_off = [r for r in accepted if "deferred" in self.events(r.address)]
        self.partial += letter.is_partial_failure() and any(r.fate == "later" for r in put_off)

    def twice(self):
        return {address for address, arrivals in self.arrivals.items() if len(arrivals) > 1}

    def show(self, letter):
        return letter, {r.address: (self.events(r.address), self.arrivals.get(r.address)) for r in letter.recipients}

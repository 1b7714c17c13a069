"""
What the soak sends: messages of one to six recipients, and what is promised of each.

An address says for itself what is to become of it, KIND+FATE-NUMBER-PLACE@DOMAIN, and no two messages share one. So a recipient
is found again wherever it turns up alone: in a RCPT at the next hop, in the queue, in the audit trail, in a report.
"""

import dataclasses
import random

import gateway as gw

# What the local part asks of the rules. "refuse" is the last rule's, and never accepted.
RULES = """
rule "clear" { when { recipient = {"clear+*@*"} } protect = never }
rule "hold" { when { recipient = {"hold+*@*"} } protect = require on-missing-key = hold }
rule "return" { when { recipient = {"return+*@*"} } protect = require on-missing-key = bounce }
"""
WITH_KEY = ("smime", "pgp")
KINDS = {"clear": 4, "smime": 6, "pgp": 4, "hold": 2, "return": 1, "refuse": 1}  # with weights

# What the next hop says: yes; 550 to RCPT; 451 to the first RCPT; 451 to the first message; 554 to every message that it is in,
# so to all who are in it.
FATES = {"taken": 11, "gone": 3, "later": 3, "busy": 1}
SPAM = "spam"

# Two domains share a host, which so gets one message for both.
DOMAINS = {"one.example": "one", "uno.example": "one", "two.example": "two", "three.example": "three"}
HOME = "home"  # the host to which reports return

SEVERAL = 0.45  # of all messages
AT_MOST = 6
FORMS = {"clear": "clear", "smime": "smime", "pgp": "openpgp"}


@dataclasses.dataclass(frozen=True)
class Recipient:
    kind: str
    fate: str
    address: str

    @property
    def hop(self):
        return DOMAINS[self.address.partition("@")[2]]

    @property
    def outcome(self):
        """The event that ends its trail; "held" has none, and "refused" has no trail."""
        by_kind = {"hold": "held", "return": "returned", "refuse": "refused"}
        return by_kind.get(self.kind) or ("bounced" if self.fate in ("gone", SPAM) else "delivered")

    @property
    def arrival(self):
        """(host, form) of all that may arrive for it, be it a report; None: nothing."""
        if self.outcome == "delivered":
            return self.hop, FORMS[self.kind]
        return (HOME, "report") if self.outcome in ("bounced", "returned") else None


@dataclasses.dataclass
class Letter:
    name: str  # Message-ID
    recipients: list
    named: list  # those in To; the others are Bcc recipients
    said: list  # what RCPT is said of: all, and some twice
    taken: set = dataclasses.field(default_factory=set)  # RCPT was answered 250
    given: bool = False  # the message was sent to its end, so it may have been accepted
    id: str = None  # the client was told 250

    def text(self):
        to = [r.address for r in self.named]
        return gw.mail(to or "undisclosed-recipients:;", body=f"To all of {self.name}.\r\n", Message_ID=self.name)

    def is_taken(self, recipient):
        return self.given and recipient.address in self.taken

    def is_partial_failure(self):
        """A host refuses one for good and puts another off, in one transaction."""
        def places(fate):
            return {(r.kind, r.address.partition("@")[2]) for r in self.named
                    if r.fate == fate and r.kind in FORMS and self.is_taken(r)}
        return bool(places("gone") & places("later"))


class Writer:
    """Letters by dice, and each tenth one that fails in part. No more than HELD_MAX recipients are held: sealctl lists the first
    1000, among them those of the same messages who are done, and others wait beside these."""

    HELD_MAX = 150
    PARTIAL = ["gone", "later", "taken"]  # fates

    def __init__(self, seed):
        self.dice, self.number, self.held = random.Random(seed), 0, 0

    def choose(self, weights):
        return self.dice.choices(list(weights), weights.values())[0]

    def letter(self):
        self.number += 1
        recipients = self.alike(self.PARTIAL) if self.number % 10 == 5 else self.mixed()
        hidden = self.dice.sample(recipients, self.dice.randint(1, len(recipients))) if self.dice.random() < 0.1 else []
        repeated = [self.dice.choice(recipients)] if self.dice.random() < 0.05 else []
        named = [r for r in recipients if r not in hidden]
        return Letter(f"<run{self.number}@example.org>", recipients, named, recipients + repeated)

    def alike(self, fates):
        """One copy for one host."""
        kind, domain = self.dice.choice(list(FORMS)), self.dice.choice(list(DOMAINS))
        return [self.recipient(kind, fate, place, domain) for place, fate in enumerate(fates)]

    def mixed(self):
        count = self.dice.randint(2, AT_MOST) if self.dice.random() < SEVERAL else 1
        spam_at = self.dice.choice(list(DOMAINS.values())) if self.dice.random() < 0.05 else None
        return [self.any_recipient(place, spam_at) for place in range(count)]

    def any_recipient(self, place, spam_at):
        kind, fate, domain = self.choose(KINDS), self.choose(FATES), self.dice.choice(list(DOMAINS))
        if kind == "hold" and self.held >= self.HELD_MAX:
            kind = "clear"
        self.held += kind == "hold"
        if DOMAINS[domain] == spam_at and fate != "gone":
            fate = SPAM
        return self.recipient(kind, fate, place, domain)

    def recipient(self, kind, fate, place, domain):
        return Recipient(kind, fate, f"{kind}+{fate}-{self.number}-{place}@{domain}")


def fate_of(address):
    return address.partition("+")[2].partition("-")[0]

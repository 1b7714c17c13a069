"""The next hops of the soak: MX hosts that take, refuse and put off as a recipient's address says (soak_mail), and their DNS."""

import collections

from dns import Nsd
from sink import Sink, address
from soak_mail import DOMAINS, HOME, SPAM, fate_of
from tools import free_port

ADDRESSES = {HOME: "127.0.0.1", "one": "127.0.0.2", "two": "127.0.0.3", "three": "127.0.0.4"}
AT_ONCE = {"two": 2}  # recipients in a transaction (RFC 5321 §4.5.3.1.10)
FEATURES = {"three": ["CHUNKING"]}


class NextHop(Sink):
    def __init__(self, name, **options):
        self.at_once = AT_ONCE.get(name, 100)
        self.asked = collections.Counter()  # (verb, address)
        super().__init__(script=self.answer, address=ADDRESSES[name], features=FEATURES.get(name, ()), **options)

    def answer(self, verb, argument, session):
        if verb == "RCPT":
            return self.to_recipient(address(argument), session)
        return self.to_message(argument.recipients) if verb == "END" else None

    def is_first(self, verb, recipient):
        self.asked[verb, recipient] += 1
        return self.asked[verb, recipient] == 1

    def to_recipient(self, recipient, session):
        if len(session.recipients) >= self.at_once:
            return "452 4.5.3 too many recipients"
        if fate_of(recipient) == "gone":
            return "550 5.1.1 gone"
        return "451 4.2.1 later" if fate_of(recipient) == "later" and self.is_first("RCPT", recipient) else None

    def to_message(self, recipients):
        if any(fate_of(r) == SPAM for r in recipients):
            return "554 5.7.1 not this message"
        busy = [r for r in recipients if fate_of(r) == "busy" and self.is_first("END", r)]
        return "451 4.3.0 not now" if busy else None


class NextHops:
    """on_message(name of the host, message) for all that is taken, before the host says so."""

    def __init__(self, tls, on_message):
        self.port = free_port()
        self.hosts = {name: NextHop(name, tls=tls, port=self.port,
                                    on_message=lambda _, message, name=name: on_message(name, message)) for name in ADDRESSES}
        self.dns = Nsd({"example.org": "@ MX 10 home.mx.example.\n", "example": self.zone()})

    @staticmethod
    def zone():
        return "".join([f"{name}.mx A {at}\n" for name, at in ADDRESSES.items()] +
                       [f"{domain}. MX 10 {name}.mx\n" for domain, name in DOMAINS.items()])

    @property
    def delivery(self):
        """For the configuration."""
        return {"route": "mx", "mx-port": self.port, "resolvers": self.dns.address}

    def goes_or_comes(self, name):
        """True: it went."""
        host = self.hosts[name]
        if host._server:
            host.stop()
            return True
        host.start()
        return False

    def start(self):
        for host in self.hosts.values():
            if not host._server:
                host.start()

    def stop(self):
        for host in self.hosts.values():
            host.stop()
        self.dns.close()

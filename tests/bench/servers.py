"""What the load goes through: the gateway as an administrator would run it, Postfix as a relay, and the sink behind."""

import os
import re
import subprocess

import gateway
import peers
from tools import AS_ROOT, end_process, free_port, run, wait_until

RULES = """
rule "openpgp" { when { recipient = {"openpgp@example.com"} } protect = require formats = {openpgp} on-missing-key = refuse }
rule "smime" { when { recipient = {"smime@example.com"} } protect = require formats = {smime} on-missing-key = refuse }
rule "clear" { when { recipient = {"clear@example.com"} } protect = never }
"""


class Sink:
    """Postfix's smtp-sink: takes everything, keeps nothing, counts."""

    def __init__(self, folder):
        self.port = free_port()
        self.path = folder / "sink.count"
        user = ("-u", "nobody") if AS_ROOT else ()
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(["/usr/sbin/smtp-sink", "-c", *user, f"127.0.0.1:{self.port}", "256"],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        wait_until(lambda: peers.answers(self.port), "smtp-sink answers")

    @property
    def count(self):
        """Messages so far, as its running display says."""
        with open(self.path, "rb") as f:
            f.seek(max(os.path.getsize(self.path) - 200, 0))
            found = re.findall(rb"mesg=(\d+)", f.read())
        return int(found[-1]) if found else 0

    def close(self):
        end_process(self.process)


class Gateway(gateway.Gateway):
    """With the numbers of processes that it has by default, and the log as it is by default."""

    def __init__(self, pki, route, workers):
        super().__init__(pki, route, rules=RULES,
                         settings={"auth": {"workers": 2}, "seal": {"workers": workers}, "submission": {"processes": 2}})

    def text(self):
        return super().text().replace('log-level = "debug"', 'log-level = "info"')

    @property
    def root(self):
        return self.process.pid

    # For measure.Meter. GPGME's gpg processes become children of the supervisor, which waits for them.
    heir = "seal"

    @staticmethod
    def role(name):
        if name.startswith("sg-"):
            return name[3:]
        return {"sealgate": "supervisor", "gpg": "seal"}.get(name)

    def load_words(self):
        return ["--port", self.port, "--user", self.user, "--password", self.password]


class Relay(peers.Postfix):
    """Takes mail over TLS from the first byte and relays it to the sink; fsync and limits as Debian has them."""

    def __init__(self, pki, route):
        self.route, self.tls_port = route, free_port()
        super().__init__(pki)

    def _configure(self, pki):
        super()._configure(pki)
        conf = self.folder / "conf"
        run("postconf", "-c", conf, "-e", f"relayhost = {self.route}", "virtual_mailbox_domains =", "mydestination =",
            "default_transport = smtp", "smtp_tls_security_level = may")
        with open(conf / "master.cf", "a", encoding="utf-8") as master:
            master.write(f"127.0.0.1:{self.tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"
                         "smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n")

    @property
    def root(self):
        return int((self.folder / "queue/pid/master.pid").read_text())

    heir = "all"

    @staticmethod
    def role(_):
        return "all"

    def load_words(self):
        return ["--port", self.tls_port]

    def tail(self):
        return "\n".join(self.log.splitlines()[-20:])

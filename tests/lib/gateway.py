"""A running gateway with a configuration, users and state of its own in a short temporary folder."""

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import uuid

import smtp
from tools import AS_ROOT, SEALCTL, SEALGATE, end_process, free_port, remove_folder, run, short_folder, wait_until

SERVICE_USER = "sealgate"
USER, PASSWORD = "alice@example.org", "correct horse battery staple"

REFUSE = 'rule default { protect = require on-missing-key = refuse }'

SETTINGS = {
    "auth": {"workers": 1},
    "seal": {"workers": 2},
    "submission": {"processes": 1},
    "queue": {"first-retry": "300ms", "last-retry": "1s"},
    "delivery": {"tls": "may"},
}


def service_user():
    """As root the roles run as a system user, made when it is missing; else as ourselves. None: ourselves."""
    if not AS_ROOT:
        return None
    try:
        return pwd.getpwnam(SERVICE_USER)
    except KeyError:
        # Another test process may be faster.
        run("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVICE_USER, check=False)
        return pwd.getpwnam(SERVICE_USER)


def conf_value(value):
    """As the configuration has it; a list is one of words."""
    return "{" + ", ".join(map(conf_value, value)) + "}" if isinstance(value, list) else f'"{value}"'


class Gateway:
    """
    rules: text; settings: {"section": {"key": value}} over SETTINGS; extra: more text for the configuration;
    listen, tls: more text inside the listen section of implicit TLS, inside tls.
    Not started yet. The folder goes with close().
    """

    user, password = USER, PASSWORD
    was_crashed = False  # by SIGSEGV from a test
    listen_keys = ""  # more in both listen sections
    launcher = ()  # what starts the program, instead of ourselves

    def __init__(self, pki, route, rules=REFUSE, settings=None, extra="", listen="", tls=""):
        self.pki, self.route, self.rules, self.extra = pki, route, rules, extra
        self.listen_text, self.tls_keys = listen, tls
        self.settings = {**SETTINGS, **{s: {**SETTINGS.get(s, {}), **v} for s, v in (settings or {}).items()}}
        self.folder = short_folder()
        self.conf = self.folder / "sealgate.conf"
        self.state_dir = self.folder / "state"
        self.log_path = self.folder / "log"
        self.port, self.starttls_port = free_port(), free_port()
        self.process = None
        # Leaks cannot be looked for in processes that nobody may look into (not dumpable).
        self.environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
        try:
            self._make_secrets()
            self.write_conf()
            if self.settings["auth"].get("users", self.users):
                self.ctl("user", "add", self.user, input=self.password + "\n")
        except BaseException:
            remove_folder(self.folder)
            raise

    def _make_secrets(self):
        """Each gateway has its own certificate file, key and users file, so that a test may spoil them."""
        service_user()
        self.users = self.folder / "users"
        self.certificate, self.key = self.folder / "tls.pem", self.folder / "tls.key"
        certificate, key = self.pki.gateway
        shutil.copy(certificate, self.certificate)
        shutil.copy(key, self.key)
        self.key.chmod(0o600)

    def text(self):
        """The configuration."""
        delivery = {"route": self.route, "ca": self.pki.ca, **self.settings.get("delivery", {})}
        sections = {**self.settings, "delivery": delivery}
        lines = [
            'hostname = "gateway.example.org"',
            f'state-dir = "{self.state_dir}"',
            f'user = "{SERVICE_USER}"' if AS_ROOT else "",
            'log-level = "debug"',
            f'listen "127.0.0.1:{self.port}" {{ tls = implicit {self.listen_keys} {self.listen_text} }}',
            f'listen "127.0.0.1:{self.starttls_port}" {{ tls = starttls {self.listen_keys} }}',
            f'tls {{ certificate = "{self.certificate}" key = "{self.key}" {self.tls_keys} }}',
        ]
        # None takes a key away: where users are elsewhere.
        sections["auth"] = {"users": self.users, **sections["auth"]}
        for section, keys in sections.items():
            values = " ".join(f"{name} = {conf_value(value)}" for name, value in keys.items() if value is not None)
            lines.append(f"{section} {{ {values} }}")
        return "\n".join(lines + [self.rules, self.extra]) + "\n"

    def write_conf(self, text=None):
        self.conf.write_text(self.text() if text is None else text)

    # ---- life ----

    def launch(self):
        """Starts the program and does not wait."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.launcher, SEALGATE, "-c", self.conf], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment, start_new_session=True)

    def start(self):
        self.launch()
        wait_until(self._answers_or_ended, lambda: f"the gateway answers\n{self.tail()}")
        return self

    def _answers_or_ended(self):
        assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}\n{self.tail()}"
        return self.listens() and self.ctl("status", check=False).returncode == 0

    def listens(self):
        try:
            with smtp.Raw(self.port, self.pki, timeout=5) as client:
                return client.greeting.code == 220
        except (OSError, smtp.Closed):
            return False

    def stop(self):
        """SIGTERM; the exit code."""
        if self.process:
            end_process(self.process)
            return self.process.returncode
        return None

    def kill(self):
        """As if the power went: nothing of it gets to do anything any more."""
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not self.session_processes(), "all roles died with their supervisor")

    def close(self):
        self.stop()
        for pid in self.session_processes():
            os.kill(pid, signal.SIGKILL)
        remove_folder(self.folder)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # ---- looking at it ----

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self, lines=40):
        return "\n".join(self.log.splitlines()[-lines:])

    def complaints(self):
        """What a sanitised build found wrong, and where; crashes that a test made by a signal are none."""
        found = re.findall(r"(?:ERROR: \w+Sanitizer|runtime error): .*\n(?:.*\n){0,12}", self.log)
        return [text for text in found if "SEGV" not in text or not self.was_crashed]

    def wait_log(self, text, after=0, timeout=30):
        """Until TEXT stands in the log behind position AFTER."""
        wait_until(lambda: text in self.log[after:], lambda: f'"{text}" in the log\n{self.tail()}', timeout)

    def pids(self, role):
        """Process ids of a role, by index; [supervisor] for "supervisor"."""
        if role == "supervisor":
            return [self.process.pid]
        found = [p for p in self.json("status")["processes"] if p["role"] == role and p["pid"]]
        return [p["pid"] for p in sorted(found, key=lambda p: p["index"])]

    def pids_or_none(self, role):
        """None while control itself is down."""
        status = self.ctl("status", "--json", check=False)
        if status.returncode != 0:
            return None
        return [p["pid"] for p in json.loads(status.stdout)["processes"] if p["role"] == role and p["pid"]]

    def session_processes(self):
        """Everything alive that the gateway started, gpg too (all share the session of the supervisor)."""
        found = []
        for entry in os.listdir("/proc") if self.process else []:
            if not entry.isdigit() or int(entry) == self.process.pid:
                continue
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                    fields = stat.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(entry))
        return found

    # ---- sealctl ----

    def ctl(self, *words, check=True, input=None):
        return run(SEALCTL, "-c", self.conf, *words, check=check, input=input)

    def json(self, *words, **options):
        return json.loads(self.ctl(*words, "--json", **options).stdout)

    def add_keys(self, *people):
        self.ctl("key", "add", *(p.certificate for p in people))

    def queue(self, kind="queue"):
        """Every recipient in the queue (or kind="held"), each with its message's id."""
        answer = self.json(kind, "list")
        assert not answer["more"], "the list is not whole"
        return [{**recipient, "id": message["id"]} for message in answer["messages"] for recipient in message["recipients"]]

    def state(self, address):
        """The recipient in the queue; None when it is not there (any more)."""
        found = [r for r in self.queue() if r["address"] == address]
        return found[0] if found else None

    def wait_state(self, address, *states):
        """Until the recipient is in one of STATES (None: not in the queue); what is known of it."""
        def there():
            found = self.state(address)
            return (found or True) if (found["state"] if found else None) in states else None
        return wait_until(there, lambda: f"{address} {states}, but: {self.queue()}\n{self.tail()}")

    def audit(self, message_id):
        return self.json("audit", "list", message_id)["lines"]

    # ---- sending ----

    def connect(self, tls="implicit", source="127.0.0.1", certificate=None):
        """A raw client before EHLO."""
        return smtp.Raw(self.starttls_port if tls != "implicit" else self.port, self.pki, tls, source=source,
                        certificate=certificate)

    def submit(self, recipients, message, sender=USER, mail_params="", rcpt_params=""):
        """Sends one message; the last reply, be it to MAIL, RCPT or the end of data. Parameters with a space before
        each."""
        with self.connect() as client:
            client.ready(self)
            reply = client.command(f"MAIL FROM:<{sender}>{mail_params}")
            for recipient in recipients:
                if reply.code == 250:
                    reply = client.command(f"RCPT TO:<{recipient}>{rcpt_params}")
            if reply.code != 250:
                return reply
            assert client.command("DATA").code == 354
            client.send(smtp.dot_stuff(message))
            return client.reply()


def queue_id(reply):
    """The id in "2.0.0 ID queued, sealed for …"."""
    words = reply.lines[-1].split()
    assert reply.code == 250 and words[0] == "2.0.0" and words[2].startswith("queued"), str(reply)
    return words[1]


def mail(recipient, body="Hello.\r\n", subject="A test", **fields):
    """A whole message, CRLF, to which nothing must be added; more fields as keywords: Cc="…", Message_ID="…"."""
    fields.setdefault("Message_ID", f"<{uuid.uuid4().hex}@client.example.org>")
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    to = recipient if isinstance(recipient, str) else ", ".join(recipient)
    return (f"From: {USER}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Thu, 01 Jan 2026 12:00:00 +0000\r\n{more}"
            f"\r\n{body}").encode()

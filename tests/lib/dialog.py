#!/usr/bin/python3
"""Plays the client of a dialog script against an SMTP server; tests/dialog/README.md says what a script is.

Only the standard library. From a test:

    Dialog(path, variables).play(host, ports)      # ports: {"tls": 465, "starttls": 587}

DialogError says file, line, what was expected and what came. From a shell:

    tests/lib/dialog.py --tls-port 465 --starttls-port 587 --user U --password P tests/dialog/*.dialog
"""
import argparse
import base64
import re
import socket
import ssl
import sys

PATIENCE = 30  # seconds until a reply, an end or a handshake must have come


class DialogError(Exception):
    pass


def variables(user="alice", password="secret", **more):
    """The variables of a script: what is given here and what follows from user and password."""

    def b64(text):
        return base64.b64encode(text.encode()).decode()

    values = {
        "USER": user,
        "PASSWORD": password,
        "PLAIN": b64(f"\0{user}\0{password}"),
        "PLAIN_WRONG": b64(f"\0{user}\0not {password}"),
        "USER64": b64(user),
        "PASSWORD64": b64(password),
        "SENDER": "alice@example.org",
        "RECIPIENT": "bob@example.com",
    }
    values.update(more)
    return values


class Dialog:
    def __init__(self, path, values=None):
        self.path = str(path)
        self.values = values or variables()
        with open(self.path, encoding="utf-8") as file:
            lines = [(n, line.rstrip("\n")) for n, line in enumerate(file, 1)]
        self.steps = [(n, *self._step(n, line)) for n, line in lines if line.strip() and line[0] != "#"]
        if not self.steps:
            raise DialogError(f"{self.path}: no steps")

    @property
    def listener(self):
        """Which port the script is for: "tls" when TLS comes first, else "starttls"."""
        return "tls" if self.steps[0][1] == "TLS" else "starttls"

    def play(self, host, ports):
        with Client(host, ports[self.listener]) as client:
            at = 0
            while at < len(self.steps):
                number, verb, text = self.steps[at]
                at += 1
                if verb in ("C:", "C!"):
                    data = self._bytes(verb, text)
                    while at < len(self.steps) and self.steps[at][1] in ("C:", "C!"):
                        data += self._bytes(*self.steps[at][1:])
                        at += 1
                    client.send(data)
                    continue
                try:
                    self._take(client, verb, text)
                except (DialogError, OSError) as error:
                    raise DialogError(f"{self.path}:{number}: {verb} {text}: {error}") from None

    def _step(self, number, line):
        match = re.fullmatch(r"(C:|C!|S:|S\*)(?: (.*))?|(TLS|CLOSED)\s*|(HAS|LACKS) (.+)", line)
        if not match:
            raise DialogError(f"{self.path}:{number}: not a step: {line}")
        verb = match[1] or match[3] or match[4]
        text = match[2] or match[5] or ""
        return verb, re.sub(r"\$\{(\w+)\}", lambda m: self._value(number, m[1]), text)

    def _value(self, number, name):
        if name not in self.values:
            raise DialogError(f"{self.path}:{number}: no variable {name}")
        return self.values[name]

    @staticmethod
    def _bytes(verb, text):
        if verb == "C:":
            return text.encode() + b"\r\n"
        return text.encode().decode("unicode_escape").encode("latin-1")

    @staticmethod
    def _take(client, verb, text):
        if verb == "TLS":
            client.start_tls()
        elif verb == "CLOSED":
            client.expect_end()
        elif verb == "S:":
            client.expect_line(text)
        elif verb == "S*":
            client.expect_reply(text)
        elif verb == "HAS" and not any(matches(text, line[4:]) for line in client.reply):
            raise DialogError(f"not in {client.reply}")
        elif verb == "LACKS" and any(matches(text, line[4:]) for line in client.reply):
            raise DialogError(f"is in {client.reply}")


def matches(pattern, line):
    """Does LINE begin with PATTERN, in which * stands for any characters?"""
    return re.match(".*?".join(re.escape(part) for part in pattern.split("*")), line) is not None


class Client:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        self.input = b""
        self.reply = []  # lines of the last reply taken by S*

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def start_tls(self):
        if self.input:
            raise DialogError(f"bytes in clear behind the reply: {self.input!r}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        self.input += data
        return bool(data)

    def line(self):
        while b"\r\n" not in self.input:
            if not self._more():
                raise DialogError(f"the connection ended with {self.input!r}")
        line, self.input = self.input.split(b"\r\n", 1)
        return line.decode("ascii", "backslashreplace")

    def expect_line(self, pattern):
        line = self.line()
        if not matches(pattern, line):
            raise DialogError(f"got {line}")

    def expect_reply(self, pattern):
        self.reply = [self.line()]
        while self.reply[-1][3:4] == "-":
            self.reply.append(self.line())
        if not matches(pattern, self.reply[-1]):
            raise DialogError(f"got {self.reply}")

    def expect_end(self):
        while self._more():
            pass
        if self.input:
            raise DialogError(f"still said {self.input!r}")


def main():
    parser = argparse.ArgumentParser(description="Plays dialog scripts against an SMTP server.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--tls-port", type=int, required=True)
    parser.add_argument("--starttls-port", type=int, required=True)
    parser.add_argument("--user", default="alice")
    parser.add_argument("--password", default="secret")
    parser.add_argument("scripts", nargs="+")
    args = parser.parse_args()
    ports = {"tls": args.tls_port, "starttls": args.starttls_port}
    failed = 0
    for script in args.scripts:
        try:
            Dialog(script, variables(args.user, args.password)).play(args.host, ports)
        except (DialogError, OSError) as error:
            failed += 1
            print(error)
    print(f"dialogs: {len(args.scripts) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

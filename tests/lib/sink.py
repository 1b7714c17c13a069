#!/usr/bin/python3
"""A small receiving SMTP server: keeps what it gets, speaks STARTTLS, and can be told to misbehave.

As a program: sink.py --store FOLDER [--port P] [--certificate F --key F], a file per message.
"""

import argparse
import dataclasses
import pathlib
import re
import socket
import socketserver
import ssl
import threading
import time


@dataclasses.dataclass
class Message:
    sender: str
    recipients: list
    data: bytes  # un-stuffed, CRLF, without the final dot
    tls: str  # version, or ""
    connection: int  # counts from 1
    mail_line: str


class Session(socketserver.StreamRequestHandler):
    def setup(self):
        super().setup()
        self.sink = self.server.sink
        self.number = self.sink.connected(self)
        self.tls = ""
        self.sender, self.recipients, self.mail_line = None, [], ""

    def say(self, reply):
        if isinstance(reply, str):
            reply = reply.encode() + b"\r\n"
        self.wfile.write(reply)
        self.wfile.flush()
        # Of several lines the last one counts; a script may close by 421.
        return not reply.rstrip().split(b"\n")[-1].startswith(b"421")

    def handle(self):
        try:
            reply = self.replaced("CONNECT", "")
            going = reply is not False and self.say(reply or "220 sink ESMTP")
            while going:
                going = self.command()
        except (OSError, ValueError):
            pass

    def finish(self):
        # The server closes what it accepted, which is not what TLS goes over.
        try:
            super().finish()
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close()

    def replaced(self, verb, argument):
        """The script's reply to a command that then has no effect; False: close; None: it goes its usual way."""
        return self.sink.script(verb, argument, self) if self.sink.script else None

    def command(self):
        line = self.rfile.readline(4096)
        if not line:
            return False
        verb, _, argument = line.decode("utf-8", "surrogateescape").strip().partition(" ")
        verb = verb.upper()
        self.sink.commands.append((self.number, verb, argument))
        reply = self.replaced(verb, argument)
        if reply is False:
            return False
        if reply is not None:
            return self.say(reply)
        method = getattr(self, f"do_{verb.lower()}", None)
        return method(argument) if method else self.say("500 5.5.1 unknown command")

    def do_ehlo(self, _):
        features = ["sink", "PIPELINING", "SIZE 100000000", "8BITMIME", "ENHANCEDSTATUSCODES"]
        features += self.sink.features
        if self.sink.tls and not self.tls:
            features.append("STARTTLS")
        lines = [f"250-{f}" for f in features[:-1]] + [f"250 {features[-1]}"]
        return self.say("\r\n".join(lines))

    def do_helo(self, _):
        return self.say("250 sink")

    def do_starttls(self, _):
        if not self.sink.tls or self.tls:
            return self.say("502 5.5.1 not here")
        self.say("220 2.0.0 go ahead")
        self.connection = self.sink.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self.tls = self.connection.version()
        return True

    def do_mail(self, argument):
        self.sender, self.recipients = address(argument), []
        self.mail_line = argument
        return self.say("250 2.1.0 ok")

    def do_rcpt(self, argument):
        if self.sender is None:
            return self.say("503 5.5.1 MAIL first")
        self.recipients.append(address(argument))
        return self.say("250 2.1.5 ok")

    def do_data(self, _):
        if not self.recipients:
            return self.say("503 5.5.1 RCPT first")
        self.say("354 go ahead")
        data = self.read_data()
        if data is None:
            return False
        return self.take(data)

    def do_bdat(self, argument):
        size, _, last = argument.partition(" ")
        data = self.rfile.read(int(size))
        if last.upper() != "LAST":
            return self.say("502 5.5.1 one chunk only")
        if not self.recipients:
            return self.say("503 5.5.1 RCPT first")
        return self.take(data)

    def take(self, data):
        message = Message(self.sender, self.recipients, data, self.tls, self.number, self.mail_line)
        self.forget()
        reply = self.replaced("END", message)
        if reply is None:
            self.sink.keep(message)
        return reply is not False and self.say(reply or "250 2.0.0 kept")

    def read_data(self):
        """Up to the final dot and no further, un-stuffed; None: the connection ended. A line at a time would be slow."""
        got = bytearray(b"\r\n")
        while chunk := self.rfile.peek():
            before = len(got)
            got += chunk
            end = got.find(b"\r\n.\r\n", max(before - 4, 0))
            self.rfile.read(len(chunk) if end < 0 else end + 5 - before)
            if end >= 0:
                del got[end + 2:]
                break
        else:
            return None
        del got[:3 if got.startswith(b"\r\n.") else 2]
        return bytes(got).replace(b"\r\n.", b"\r\n")

    def forget(self):
        self.sender, self.recipients = None, []

    def do_rset(self, _):
        self.forget()
        return self.say("250 2.0.0 ok")

    def do_noop(self, _):
        return self.say("250 2.0.0 ok")

    def do_quit(self, _):
        self.say("221 2.0.0 bye")
        return False


def address(argument):
    found = re.search(r"<([^>]*)>", argument)
    return found.group(1) if found else ""


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100


class Server6(Server):
    address_family = socket.AF_INET6


class Sink:
    """
    messages: what was accepted. script(verb, argument, session) may answer a command (or "CONNECT", or "END" with the
    message as its argument) itself: a reply line, bytes as they are, or False to close; None leaves it to the sink.
    features: what EHLO announces beside the usual, ["DSN", "SMTPUTF8"].
    """

    def __init__(self, tls=None, script=None, port=0, on_message=None, address="127.0.0.1", features=()):
        self.tls, self.script, self.on_message, self.features = tls, script, on_message, list(features)
        self.address, self.port = address, port
        self.messages, self.commands = [], []
        self.connections = 0
        self._open = []
        self._server = None
        self._changed = threading.Condition()
        self.start()

    @property
    def route(self):
        return f"[{self.address}]:{self.port}"

    def start(self):
        self._server = (Server6 if ":" in self.address else Server)((self.address, self.port), Session)
        self._server.sink = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        """Ends the sessions too: the next hop is down."""
        if not self._server:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        for session in self._open:
            try:
                session.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._open.clear()

    def connected(self, session):
        with self._changed:
            self.connections += 1
            self._open.append(session)
            return self.connections

    def keep(self, message):
        with self._changed:
            self.messages.append(message)
            if self.on_message:
                self.on_message(len(self.messages), message)
            self._changed.notify_all()

    def said(self, verb):
        """Arguments of all commands VERB, in order."""
        return [argument for _, said, argument in list(self.commands) if said == verb]

    def find(self, wanted):
        """Messages for the address WANTED, or for which the function WANTED is true."""
        test = wanted if callable(wanted) else lambda m: wanted in m.recipients
        return [m for m in list(self.messages) if test(m)]

    def wait(self, wanted, timeout=30):
        """The first such message, as soon as it is there."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not (found := self.find(wanted)):
                if not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"nothing arrived for {wanted} within {timeout} s")
            return found[0]


def main():
    parser = argparse.ArgumentParser(description="a receiving SMTP server that keeps what it gets")
    parser.add_argument("--store", required=True, type=pathlib.Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    options = parser.parse_args()

    def store(number, message):
        head = f"X-Envelope: from {message.sender} to {' '.join(message.recipients)} over {message.tls or 'clear TCP'}"
        part = options.store / f".{number}"
        part.write_bytes(head.encode() + b"\r\n" + message.data)
        part.rename(options.store / f"{number}.eml")

    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
    Sink(tls=context, port=options.port, on_message=store)
    threading.Event().wait()


if __name__ == "__main__":
    main()

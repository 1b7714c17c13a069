"""A next hop that breaks the protocol where it is told to: many of them at once, each on a loopback address of its own,
all on one port."""

import dataclasses
import socket
import struct
import threading

STEPS = ("connect", "greeting", "ehlo", "starttls", "handshake", "ehlo2", "mail", "rcpt", "data", "end", "kept", "rset",
         "quit")
# lie: extra, and the message is refused whenever it comes: whoever takes the extra reply for the last one loses it.
DEEDS = ("close", "4xx", "5xx", "garbage", "silence", "extra", "lie")
FLAVOURS = {"plain": [], "pipelining": ["PIPELINING"], "chunking": ["PIPELINING", "CHUNKING"]}

GARBAGE = b"\x00\xff<html>\r\n\x1b[2J\r\n"


@dataclasses.dataclass
class Cell:
    """Does DEED at STEP, the first TIMES that it gets there, and is a good server otherwise."""

    step: str
    deed: str
    flavour: str = "pipelining"
    times: int = 1
    address: str = ""
    messages: list = dataclasses.field(default_factory=list)  # (recipients, data), kept for good
    connections: int = 0
    done: int = 0  # so often it has misbehaved

    @property
    def name(self):
        return f"{self.step}-{self.deed}-{self.flavour}" + ("-always" if self.times > 1 else "")


class End(Exception):
    """Of a connection."""


class Conversation:
    """One connection to one cell. A recipient that begins with "nobody" is refused."""

    def __init__(self, server, cell, connection):
        self.server, self.cell, self.socket = server, cell, connection
        self.input, self.tls = b"", False
        self.recipients = []

    # ---- octets ----

    def line(self):
        while b"\n" not in self.input:
            self.more()
        line, _, self.input = self.input.partition(b"\n")
        return line.rstrip(b"\r")

    def more(self):
        got = self.socket.recv(65536)
        if not got:
            raise End
        self.input += got

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    # ---- misbehaviour ----

    def misbehaves(self, step):
        """Is it to happen now? Then the connection ends, or all is said; else the step goes its right way."""
        cell = self.cell
        with self.server.lock:
            now = cell.step == step and cell.done < cell.times
            cell.done += now
        if not now or cell.deed in ("extra", "lie"):
            return False
        if cell.deed == "close":
            raise End
        if cell.deed == "silence":
            while True:
                self.more()
        if cell.deed == "garbage":
            self.socket.sendall(GARBAGE)
        else:
            self.say("451 4.3.0 come back later" if cell.deed == "4xx" else "554 5.7.1 we do not want this")
        return True

    def answer(self, step, text):
        """The reply to a step. True: as it should be."""
        extra = (self.cell.step == step and self.cell.deed in ("extra", "lie") and self.cell.done < self.cell.times)
        if self.misbehaves(step):
            return False
        # One write, so that both arrive together.
        self.say(text + "\r\n250 2.0.0 nobody asked for this" if extra else text)
        return True

    # ---- the dialog ----

    def run(self):
        if self.cell.step == "connect":
            self.misbehaves("connect")
        if not self.answer("greeting", "220 hop.example ESMTP"):
            return self.drain()
        while True:
            self.command(self.line().decode("latin-1"))

    def drain(self):
        """After a refused greeting only QUIT is to be expected."""
        while True:
            self.more()

    def command(self, line):
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        if verb in ("MAIL", "RCPT", "DATA", "BDAT", "AUTH") and not self.tls:
            self.server.clear.append((self.cell.name, line))
        method = getattr(self, f"do_{verb.lower()}", None)
        if method:
            method(argument)
        else:
            self.say("500 5.5.2 what")

    def do_ehlo(self, _):
        features = FLAVOURS[self.cell.flavour] + ["8BITMIME", "SIZE 10000000"]
        if not self.tls:
            features = features + ["STARTTLS"]
        lines = ["hop.example"] + features
        self.answer("ehlo2" if self.tls else "ehlo",
                    "\r\n".join([f"250-{f}" for f in lines[:-1]] + [f"250 {lines[-1]}"]))

    def do_helo(self, _):
        self.say("250 hop.example")

    def do_starttls(self, _):
        if not self.answer("starttls", "220 2.0.0 go ahead"):
            return
        if self.misbehaves("handshake"):
            self.drain()
        self.socket = self.server.tls.wrap_socket(self.socket, server_side=True)
        self.tls, self.input = True, b""

    def do_mail(self, _):
        self.recipients = []
        self.answer("mail", "250 2.1.0 ok")

    def do_rcpt(self, argument):
        address = argument.partition("<")[2].partition(">")[0]
        if address.startswith("nobody"):
            self.say("550 5.1.1 no such user")
        elif self.answer("rcpt", "250 2.1.5 ok"):
            self.recipients.append(address)

    def do_data(self, _):
        if not self.recipients:
            self.say("503 5.5.1 no recipients")
        elif self.answer("data", "354 go ahead"):
            lines = []
            while (line := self.line()) != b".":
                lines.append(line[1:] if line.startswith(b".") else line)
            self.take(b"\r\n".join(lines) + b"\r\n")

    def do_bdat(self, argument):
        size = int(argument.split()[0])
        while len(self.input) < size:
            self.more()
        data, self.input = self.input[:size], self.input[size:]
        if not self.recipients:
            self.say("503 5.5.1 no recipients")
        else:
            self.take(data)

    def take(self, data):
        recipients, self.recipients = self.recipients, []
        if self.cell.step == "end" and self.cell.deed != "extra" and self.misbehaves("end"):
            return
        if self.cell.deed == "lie":
            self.say("554 5.7.1 we do not want this")
            return
        with self.server.lock:
            self.cell.messages.append((recipients, data))
        self.answer("kept" if self.cell.step == "kept" else "end", "250 2.0.0 kept")

    def do_rset(self, _):
        self.recipients = []
        self.answer("rset", "250 2.0.0 ok")

    def do_quit(self, _):
        self.answer("quit", "221 2.0.0 bye")
        raise End


class Misbehaving:
    """cells: each is given an address. clear: (cell, command) of whatever of a message came before TLS."""

    def __init__(self, tls, cells, port=0):
        self.tls, self.cells, self.clear = tls, cells, []
        self.lock = threading.Lock()
        self._by_address = {}
        for number, cell in enumerate(cells):
            cell.address = f"127.2.{number // 200}.{number % 200 + 1}"
            self._by_address[cell.address] = cell
        self._listener = socket.create_server(("0.0.0.0", port), backlog=500)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        cell = self._by_address.get(connection.getsockname()[0])
        conversation = Conversation(self, cell, connection)
        try:
            if cell:
                with self.lock:
                    cell.connections += 1
                conversation.run()
        except (End, OSError, ValueError):
            pass
        finally:
            if cell and cell.step == "connect" and not conversation.tls:
                # A reset instead of an orderly end.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            conversation.socket.close()

    def stop(self):
        self._listener.close()

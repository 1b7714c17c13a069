"""SMTP clients: a raw one that sends exactly what it is told, and smtplib with a certificate check."""

import dataclasses
import base64
import smtplib
import socket
import ssl


@dataclasses.dataclass
class Reply:
    code: int
    lines: list  # texts without code and separator

    @property
    def text(self):
        return "\n".join(self.lines)

    def __str__(self):
        return f"{self.code} {self.text}"


class Closed(Exception):
    """The server ended the connection."""


class Raw:
    """One connection. tls="implicit" is port 465, "starttls" does EHLO and STARTTLS first, None stays clear. source:
    address that it comes from, any of 127.0.0.0/8; certificate: (certificate, key) of the client."""

    def __init__(self, port, pki, tls="implicit", timeout=30, source="127.0.0.1", certificate=None):
        self._context = pki.client_context()
        if certificate:
            self._context.load_cert_chain(*certificate)
        self._socket = socket.create_connection(("127.0.0.1", port), timeout, (source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = b""
        if tls == "implicit":
            self.wrap()
        self.greeting = self.reply()
        if tls == "starttls":
            self.ehlo()
            assert self.command("STARTTLS").code == 220
            self.wrap()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def wrap(self):
        self._socket = self._context.wrap_socket(self._socket, server_hostname="localhost")

    def send(self, data):
        self._socket.sendall(data)

    def line(self):
        while b"\n" not in self._input:
            try:
                more = self._socket.recv(65536)
            except (ConnectionError, ssl.SSLEOFError) as e:
                raise Closed from e
            if not more:
                raise Closed
            self._input += more
        line, _, self._input = self._input.partition(b"\n")
        assert line.endswith(b"\r"), f"a reply line without CRLF: {line!r}"
        return line[:-1].decode("ascii")

    def reply(self):
        lines = []
        while True:
            line = self.line()
            lines.append(line[4:])
            if line[3:4] != "-":
                return Reply(int(line[:3]), lines)

    def command(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def ehlo(self):
        return self.command("EHLO client.example.org")

    def login(self, user, password):
        return self.command("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())

    def ready(self, gateway):
        """EHLO and AUTH as the gateway's test user."""
        self.ehlo()
        assert self.login(gateway.user, gateway.password).code == 235
        return self

    def envelope(self, sender, recipients):
        """MAIL, RCPT, DATA up to the 354."""
        assert (r := self.command(f"MAIL FROM:<{sender}>")).code == 250, r
        for recipient in recipients:
            assert (r := self.command(f"RCPT TO:<{recipient}>")).code == 250, r
        assert (r := self.command("DATA")).code == 354, r

    def submit(self, sender, recipients, message):
        self.envelope(sender, recipients)
        self.send(dot_stuff(message))
        return self.reply()

    def at_end(self):
        """True when the server closes without another reply."""
        try:
            self.line()
            return False
        except Closed:
            return True


def dot_stuff(message):
    """MESSAGE as it stands between DATA's 354 and the reply."""
    assert message.endswith(b"\r\n")
    # Large ones are copied once.
    return (b"." if message.startswith(b".") else b"") + message.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def smtplib_client(gateway, implicit=True, login=True):
    context = gateway.pki.client_context()
    if implicit:
        client = smtplib.SMTP_SSL("localhost", gateway.port, context=context, timeout=60)
    else:
        client = smtplib.SMTP("localhost", gateway.starttls_port, timeout=60)
        client.starttls(context=context)
    if login:
        client.login(gateway.user, gateway.password)
    return client

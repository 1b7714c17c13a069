"""A gateway as the smarthost of another: the login is bound to TLS (SCRAM-SHA-256-PLUS), and whoever stands between is refused."""

import contextlib
import socket
import ssl
import threading

from gateway import Gateway, mail, queue_id
from pki import server_context

import pytest

CLEAR = "rule default { protect = never }"


class Middleman:
    """Ends TLS with a certificate that is trusted for localhost, and passes on every line; rewrite(bytes) → bytes changes what
    the smarthost says. port: for STARTTLS, as the smarthost's own."""

    def __init__(self, pki, smarthost_port, rewrite=lambda said: said):
        self.context = server_context(*pki.issue("between.example", "DNS:localhost"))
        self.outside = ssl.create_default_context(cafile=pki.ca)
        self.smarthost_port, self.rewrite = smarthost_port, rewrite
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard, self.passed = [], threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self.listener.accept()[0],), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, ssl.SSLError):
            client.sendall(b"220 localhost ESMTP\r\n")
            client.recv(4096)
            client.sendall(b"250-localhost\r\n250 STARTTLS\r\n")
            client.recv(4096)
            client.sendall(b"220 go ahead\r\n")
            inside = self.context.wrap_socket(client, server_side=True)
            server = self.outside.wrap_socket(socket.create_connection(("localhost", self.smarthost_port)),
                                              server_hostname="localhost")
            server.recv(4096)  # its greeting: the client has had one
            while said := inside.recv(65536):
                self.heard.append(said)
                server.sendall(said)
                inside.sendall(self.rewrite(server.recv(65536)))

    def close(self):
        self.listener.close()


@pytest.fixture
def middleman(pki):
    made = []

    def make(*options):
        made.append(Middleman(pki, *options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def smarthost(make_gateway, sink):
    """Its user is the same as that of every gateway here."""
    return make_gateway(sink.route, rules=CLEAR)


@pytest.fixture
def relaying(make_gateway, smarthost, folder, tag):
    """make(port) → a gateway that logs in to its smarthost at this port; more: keys of delivery."""
    def make(port, password=None, **more):
        path = folder / f"{tag}.password"
        path.touch(mode=0o600)
        path.write_text((password or smarthost.password) + "\n")
        keys = {"tls": "secure", "user": smarthost.user, "password-file": path, **more}
        return make_gateway(f"[localhost]:{port}", rules=CLEAR, settings={"delivery": keys})
    return make


def send(gateway, address):
    return queue_id(gateway.submit([address], mail(address)))


def test_it_binds_the_login(relaying, smarthost, sink, tag):
    gateway = relaying(smarthost.starttls_port)
    send(gateway, f"{tag}@example.com")
    sink.wait(f"{tag}@example.com")
    gateway.wait_state(f"{tag}@example.com", None)
    assert "mechanism=SCRAM-SHA-256-PLUS" in smarthost.log


def refused(gateway, smarthost, sink, tag):
    """Neither mail nor a login went through; the reply that it was deferred for."""
    message_id = send(gateway, f"{tag}@example.com")
    gateway.wait_state(f"{tag}@example.com", "deferred")
    assert "event=auth " not in smarthost.log or "verdict=good" not in smarthost.log
    assert not sink.find(f"{tag}@example.com")
    return gateway.audit(message_id)[-1]["reply"]


def test_a_middleman_with_a_trusted_certificate_is_refused(relaying, smarthost, middleman, sink, tag):
    between = middleman(smarthost.port)
    reply = refused(relaying(between.port), smarthost, sink, tag)
    assert "refuses the login by SCRAM-SHA-256-PLUS (535" in reply and "nobody stands between" in reply
    assert any(said.startswith(b"AUTH SCRAM-SHA-256-PLUS ") for said in between.heard)
    assert not any(b"MAIL FROM" in said for said in between.heard)


def without(*lost):
    """A rewrite that takes the keywords out of replies to EHLO; "AUTH" leaves of it what PLAIN is."""
    def rewrite(said):
        lines = [line for line in said.split(b"\r\n") if line[4:] not in lost]
        return b"\r\n".join(line[:4] + b"AUTH PLAIN" if b"AUTH" in lost and line[4:].startswith(b"AUTH ") else line for line in lines)
    return rewrite


def test_a_smarthost_that_cannot_bind_what_it_offers(relaying, smarthost, middleman, sink, tag):
    """TLS ends at something in front of it, which the administrator knows and trusts."""
    front = middleman(smarthost.port, without(b"CHUNKING", b"PIPELINING"))
    reply = refused(relaying(front.port), smarthost, sink, tag)
    assert "refuses the login by SCRAM-SHA-256-PLUS (535" in reply and "until delivery channel-binding is never" in reply
    gateway = relaying(front.port, **{"channel-binding": "never"})
    send(gateway, f"{tag}-never@example.com")
    sink.wait(f"{tag}-never@example.com")
    gateway.wait_state(f"{tag}-never@example.com", None)
    assert any(said.startswith(b"AUTH SCRAM-SHA-256 biws") for said in front.heard)


def test_a_login_must_be_bound(relaying, smarthost, middleman, sink, tag):
    """Without it a middleman with a trusted certificate gets the password by leaving PLAIN alone of what is offered."""
    between = middleman(smarthost.port, without(b"AUTH"))
    gateway = relaying(between.port, **{"channel-binding": "require"})
    reply = refused(gateway, smarthost, sink, tag)
    assert "offers no login bound to TLS; see channel-binding" in reply and "status=4.7.8 " in gateway.log
    assert between.heard and not any(b"AUTH" in said or b"MAIL" in said for said in between.heard)
    gateway = relaying(smarthost.starttls_port, **{"channel-binding": "require"})
    send(gateway, f"{tag}-bound@example.com")
    sink.wait(f"{tag}-bound@example.com")
    assert "mechanism=SCRAM-SHA-256-PLUS" in smarthost.log


@pytest.mark.parametrize("left", [b"SCRAM-SHA-256", b"SCRAM-SHA-256 PLAIN LOGIN"])
def test_a_middleman_who_takes_plus_out_is_refused(relaying, smarthost, middleman, sink, tag, left):
    """RFC 5802 §6: "y" tells the smarthost that its offer did not arrive."""
    def strip(said):
        lines = said.split(b"\r\n")
        return b"\r\n".join(line[:4] + b"AUTH " + left if line[4:].startswith(b"AUTH ") else line for line in lines)

    between = middleman(smarthost.port, strip)
    reply = refused(relaying(between.port), smarthost, sink, tag)
    assert "refuses the login by SCRAM-SHA-256 (535" in reply and "nobody stands between" in reply
    assert any(said.startswith(b"AUTH SCRAM-SHA-256 eSws") for said in between.heard)


def test_a_smarthost_without_plus_is_told_that_we_could(make_gateway, relaying, sink, tag):
    """And lets us in: it has no reason to suspect anybody."""
    plain = make_gateway(sink.route, rules=CLEAR, settings={"auth": {"mechanisms": ["scram-sha-256"]}})
    gateway = relaying(plain.starttls_port, plain.password)
    send(gateway, f"{tag}@example.com")
    sink.wait(f"{tag}@example.com")
    gateway.wait_state(f"{tag}@example.com", None)
    assert "mechanism=SCRAM-SHA-256\n" in plain.log

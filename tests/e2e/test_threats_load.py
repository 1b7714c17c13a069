"""A17 and A18: who sends too much is cut off while memory stays bounded, who sends too slowly is closed on time."""

import contextlib
import re
import select
import socket
import ssl
import threading

import smtp
from gateway import USER, Gateway, mail
from tools import BUILD, wait_until

import pytest

KEEP = 'rule default { protect = require on-missing-key = hold }'
MEGABYTE = 1 << 20
# Far more than a session may keep: its buffers, and what malloc holds on to. AddressSanitizer keeps what was freed.
GROWTH_MAX = (600 if "sanitized" in BUILD.parts else 24) * MEGABYTE


def high_water(pid):
    """The most memory that a process ever had, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024


@contextlib.contextmanager
def bounded(gateway, growth=GROWTH_MAX):
    """The submission process lives on, and its memory does not grow by more."""
    pid, = gateway.pids("submission")
    before = high_water(pid)
    yield
    assert gateway.pids("submission") == [pid], "the process was replaced"
    assert high_water(pid) - before < growth


@pytest.fixture(scope="module")
def door(pki, sink):
    """One with the default limits."""
    with Gateway(pki, sink.route, rules=KEEP, settings={"limits": {"message": "1MB", "data": "2s"}}) as gateway:
        yield gateway


def flood(client, chunk, total):
    """Sends CHUNK until the server ends the connection, reading beside it, so that the server is never the one that
    waits; how many bytes that took, and what it said."""
    sent, said = 0, b""
    sock = client._socket
    sock.setblocking(False)
    with contextlib.suppress(OSError, ssl.SSLError):
        while sent < total:
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                piece = sock.recv(65536)
                if not piece:
                    return sent, said
                said = (said + piece)[-1000:]
            with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
                sent += sock.send(chunk)
                continue
            select.select([sock], [sock], [], 30)
    assert sent < total, f"{sent} bytes were taken"
    return sent, said


def into(gateway, phase):
    """A client in the middle of PHASE."""
    client = gateway.connect(tls=None if phase == "before-tls" else "implicit")
    if phase != "before-tls":
        client.ehlo()
    if phase == "auth":
        assert client.command("AUTH LOGIN").code == 334
    elif phase not in ("before-tls", "before-auth"):
        assert client.login(gateway.user, gateway.password).code == 235
    if phase == "data":
        client.envelope(USER, ["a17@hold.example"])
    if phase in ("chunk", "between-chunks"):
        assert client.command(f"MAIL FROM:<{USER}>").code == 250
        assert client.command("RCPT TO:<a18@hold.example>").code == 250
        client.send(b"BDAT 10000\r\nX" if phase == "chunk" else b"BDAT 4\r\nX: y")
        assert phase == "chunk" or client.reply().code == 250
    return client


@pytest.mark.parametrize("phase", ["before-tls", "before-auth", "auth", "authenticated"])
@pytest.mark.parametrize("start", [b"", b"MAIL FROM:<", b"AUTH PLAIN "], ids=["nothing", "MAIL", "AUTH"])
def test_a17_a_line_without_an_end(door, phase, start):
    """10 GB are offered; a few hundred KB (the line, and what kernel and TLS buffer) are the most that is taken."""
    with bounded(door), into(door, phase) as client:
        client.send(start)
        assert flood(client, b"x" * 65536, 10 << 30)[0] < 64 * MEGABYTE


@pytest.mark.parametrize("size", [2**31, 2**63, 2**64, 10**30])
def test_a17_a_chunk_without_an_end(door, size):
    """What is announced costs nothing, what comes is swallowed up to twice the limit, and then it is the end."""
    with bounded(door), into(door, "authenticated") as client:
        assert client.command(f"MAIL FROM:<{USER}>").code == 250
        assert client.command("RCPT TO:<a17@hold.example>").code == 250
        client.send(f"BDAT {size}\r\n".encode())
        assert flood(client, b"x" * 65536, 10 << 30)[0] < 64 * MEGABYTE


@pytest.mark.parametrize("chunk", [b"x" * 65536, b"x" * 998 + b"\r\n", b"\r\n", b"\n" * 65536, b"." * 65536],
                         ids=["one-line", "lines", "empty-lines", "bare-lf", "dots"])
def test_a17_a_message_without_an_end(door, chunk):
    """Over the limit nothing is kept, and what is swallowed buys no time."""
    with bounded(door), into(door, "data") as client:
        flood(client, chunk * max(1, 65536 // len(chunk)), 10 << 30)


def test_a17_a_header_without_an_end(make_gateway, sink, tag):
    """10 MB of one field: 554 by the pre-scan, long before GMime would see it."""
    gateway = make_gateway(sink.route, rules=KEEP)
    address = f"{tag}@hold.example"
    with bounded(gateway, GROWTH_MAX + 40 * MEGABYTE), gateway.connect() as client:
        client.ready(gateway)
        message = b"X: " + b"a" * (10 * MEGABYTE) + b"\r\n" + mail(address)
        reply = client.submit(USER, [address], message)
        assert reply.code == 554, str(reply)
        assert gateway.state(address) is None and client.command("NOOP").code == 250


def test_a17_100000_recipients(door, tag):
    """The first 1000 are taken, the rest is told to come in another message; all of it in one go."""
    count, limit = 100_000, 1000
    commands = memoryview("".join(f"RCPT TO:<{tag}.{i}@hold.example>\r\n" for i in range(count)).encode() + b"QUIT\r\n")
    said, sent, ended = [], 0, False
    with bounded(door), door.connect() as client:
        client.ready(door)
        assert client.command(f"MAIL FROM:<{USER}>").code == 250
        sock = client._socket
        sock.setblocking(False)
        while not ended:
            select.select([sock], [sock] if sent < len(commands) else [], [], 30)
            try:
                said.append(sock.recv(65536))
                ended = not said[-1]
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            except OSError:
                ended = True
            if sent < len(commands) and not ended:
                with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError, OSError):
                    sent += sock.send(commands[sent:sent + 65536])
    replies = b"".join(said).decode().splitlines()
    assert all(reply.startswith("250 ") for reply in replies[:limit])
    rest = {reply[:9] for reply in replies[limit:]}
    assert rest and rest <= {"452 4.5.3", "421 4.7.0", "221 2.0.0"}


def test_a17_who_does_not_read_is_not_listened_to(door):
    """Replies that nobody takes are not piled up."""
    with bounded(door), into(door, "authenticated") as client:
        client._socket.settimeout(5)
        noops = b"NOOP\r\n" * 10_000
        with pytest.raises((OSError, ssl.SSLError)):
            for _ in range(20_000):
                client.send(noops)


def test_a17_idle_connections_beyond_the_limits(make_gateway, sink, people, tag):
    """Too many from one client are turned away, others are served; when they are gone, so is the refusal."""
    per_client, total = 20, 50
    gateway = make_gateway(sink.route, people.bob,
                           settings={"limits": {"sessions": total, "sessions-per-client": per_client}})
    context = gateway.pki.client_context()

    def open_from(address, stack):
        """An idle TLS connection; None when it was turned away."""
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), 30, (address, 0)))
        try:
            wrapped = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            return wrapped if wrapped.recv(100).startswith(b"220 ") else None
        except (OSError, ssl.SSLError):
            return None

    with bounded(gateway), contextlib.ExitStack() as stack:
        first = [open_from("127.0.1.1", stack) for _ in range(200)]
        assert sum(c is not None for c in first) == per_client and all(first[:per_client])
        others = [open_from(f"127.0.2.{i}", stack) for i in range(1, 101)]
        assert sum(c is not None for c in others) == total - per_client
        # Those inside are still served.
        first[0].sendall(b"EHLO client.example.org\r\n")
        assert first[0].recv(4096).startswith(b"250-")
        assert "too many sessions" in gateway.log
        # In clear there is somebody to tell.
        with socket.create_connection(("127.0.0.1", gateway.starttls_port), 30) as client:
            assert client.makefile("rb").readline().startswith(b"421 4.7.0 ")
    wait_until(gateway.listens, "connections are taken again")
    assert gateway.submit([people.bob.tagged(tag)], mail(people.bob.tagged(tag))).code == 250


# ---- A18 ----

# Long enough for what must succeed within them, on a slow machine too.
SLOW = {"limits": {"handshake": "3s", "command": "3s", "data": "4s", "before-auth": "6s"}}


@pytest.fixture(scope="module")
def hasty(pki, sink):
    with Gateway(pki, sink.route, rules=KEEP, settings=SLOW) as gateway:
        yield gateway


def drip(send, receive, data):
    """
    Sends DATA in single bytes, ten a second, so that something always comes long before any idle timer would run out;
    what the server said at its end. Fails when the server takes all of it.
    """
    said, at = b"", 0
    while at < len(data):
        try:
            piece = receive()
            if piece == b"":
                return said
            said += piece or b""
            send(data[at:at + 1])
        except (OSError, ssl.SSLError):
            return said
        at += 1
    raise AssertionError(f"{at} slow bytes were taken, and no end: {said[-200:]!r}")


def receiver(sock):
    """receive() for drip: waits a tenth of a second; None: nothing came; b"": closed."""
    sock.settimeout(0.1)

    def receive():
        try:
            return sock.recv(4096)
        except (TimeoutError, socket.timeout, ssl.SSLWantReadError):
            return None

    return receive


def client_hello(pki):
    out = ssl.MemoryBIO()
    client = pki.client_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = out.read()
    # As long a record as there is: at this pace it would take half an hour.
    return hello[:3] + (16384).to_bytes(2, "big") + hello[5:] + bytes(16384)


@pytest.mark.parametrize("starttls", [False, True], ids=["465", "587"])
def test_a18_slow_handshake(hasty, pki, starttls):
    port = hasty.starttls_port if starttls else hasty.port
    with socket.create_connection(("127.0.0.1", port), 30) as plain:
        if starttls:
            replies = plain.makefile("rb")
            assert replies.readline().startswith(b"220 ")
            plain.sendall(b"EHLO client.example.org\r\n")
            while replies.readline().startswith(b"250-"):
                pass
            plain.sendall(b"STARTTLS\r\n")
            assert replies.readline().startswith(b"220 ")
        # One byte, then nothing, is the same to an absolute deadline as a byte each tenth of a second.
        drip(plain.sendall, receiver(plain), client_hello(pki))
    hasty.wait_log("in=handshake")


def test_a18_slow_command_before_tls(hasty):
    with socket.create_connection(("127.0.0.1", hasty.starttls_port), 30) as plain:
        said = drip(plain.sendall, receiver(plain), b"NOOP " + b"x" * 500)
    assert b"\r\n421 4.4.2 " in said


@pytest.mark.parametrize("phase", ["before-auth", "auth", "authenticated", "data", "chunk", "between-chunks"])
def test_a18_slow(hasty, phase):
    data = {"auth": b"QUFB" * 200, "data": b"X: " + b"y" * 900, "chunk": b"X: " + b"y" * 900,
            "between-chunks": b"BDAT 1\r\ny" * 100}.get(phase, b"NOOP " + b"x" * 500)
    with into(hasty, phase) as client:
        said = drip(client.send, receiver(client._socket), data)
    assert b"421 4.4.2 " in said


def test_a18_whole_commands_do_not_put_off_authentication(hasty):
    """Each NOOP is in time, but AUTH never comes."""
    with into(hasty, "before-auth") as client:
        commands, most = 0, 1_000_000
        while (reply := client.command("NOOP")).code == 250 and commands < most:
            commands += 1
        assert str(reply).startswith("421 4.4.2 ")


def test_a18_slow_reader(hasty):
    """Who takes no reply is closed as well: 421 cannot be told, and closing does not wait for ever."""
    pid, = hasty.pids("submission")
    at = len(hasty.log)
    with into(hasty, "authenticated") as client:
        client._socket.settimeout(1)
        with contextlib.suppress(OSError, ssl.SSLError):
            while True:
                client.send(b"NOOP\r\n" * 10_000)
        hasty.wait_log("disconnected", at)
    assert hasty.pids("submission") == [pid]

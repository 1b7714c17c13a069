"""
Deliveries that are interrupted, and what the next hop sees of them: one outcome for each recipient whatever restarts, a reload
that no next hop notices, commands in groups only where that was offered, and retries that grow and spread (R1, A18).
"""

import os
import signal
import threading
import time

from dns import Nsd
from gateway import USER, mail
from tools import free_port, wait_until

import pytest

CLEAR = "rule default { protect = never }"


def recipients_of(sink):
    return [r for message in list(sink.messages) for r in message.recipients]


# ---- one outcome ----

@pytest.fixture(scope="module")
def two_domains():
    nsd = Nsd({"example": "fast MX 10 fast.mx\nfast.mx A 127.0.0.2\nslow MX 10 slow.mx\nslow.mx A 127.0.0.3\n"})
    yield nsd
    nsd.close()


@pytest.mark.parametrize("roles", [["delivery"], ["queue"], ["delivery", "queue"], ["supervisor"]])
def test_r1_who_has_a_copy_gets_it_no_second_time(two_domains, make_gateway, make_sink, tag, roles):
    """One copy, two recipients: one has it and that is on disk, the other's host is silent, when processes die."""
    port, silence = free_port(), threading.Event()

    def script(verb, *_):
        return None if verb != "RCPT" or silence.wait(60) else False

    fast, slow = make_sink(port=port, address="127.0.0.2"), make_sink(port=port, address="127.0.0.3", script=script)
    gateway = make_gateway("mx", rules=CLEAR, settings={"delivery": {"mx-port": port, "resolvers": two_domains.address}})
    both = [f"{tag}@fast.example", f"{tag}@slow.example"]
    gateway.submit(both, mail(both))
    gateway.wait_log("event=outcome-stored copy=1 delivered=1")
    gateway.was_crashed = True
    for role in roles:
        if role == "supervisor":
            gateway.kill()
            gateway.start()
        else:
            old = gateway.pids(role)
            os.kill(old[0], signal.SIGKILL)
            wait_until(lambda old=old, role=role: gateway.pids_or_none(role) not in (None, [], old), gateway.tail)
    silence.set()
    slow.wait(both[1])
    wait_until(lambda: not gateway.queue(), gateway.tail)
    assert recipients_of(fast) == [both[0]] and recipients_of(slow) == [both[1]]


def test_r1_a_reload_interrupts_no_delivery(make_gateway, make_sink, tag):
    """A reload is no crash: nothing may come twice."""
    def script(verb, *_):
        return time.sleep(0.7) if verb == "END" else None

    sink = make_sink(script=script)
    gateway = make_gateway(sink.route, rules=CLEAR)
    everybody = [f"{tag}{n}@example.com" for n in range(20)]
    with gateway.connect() as client:
        client.ready(gateway)
        for n, recipient in enumerate(everybody):
            assert client.submit(USER, [recipient], mail(recipient)).code == 250
            if n % 5 == 2:
                gateway.reload()
    for recipient in everybody:
        sink.wait(recipient)
    wait_until(lambda: not gateway.queue(), gateway.tail)
    assert sorted(recipients_of(sink)) == sorted(everybody)
    assert gateway.log.count("event=reloaded") >= 1


# ---- transactions ----

@pytest.mark.parametrize("offered", [True, False])
def test_commands_go_in_groups_where_that_is_offered(make_gateway, make_sink, tag, offered):
    """RFC 2920: what is there already when a command is read."""
    seen = {}

    def script(verb, _, session):
        if verb == "EHLO" and not offered:
            return "250-sink\r\n250 8BITMIME"
        if verb in ("MAIL", "RCPT"):
            # All that was sent in one go arrives in one record.
            time.sleep(0.2)
            session.connection.settimeout(0.1)
            try:
                seen[verb] = session.rfile.peek()
            except OSError:
                seen[verb] = b""
            session.connection.settimeout(None)
            session.rfile = session.connection.makefile("rb") if not seen[verb] else session.rfile
        return None

    sink = make_sink(tls=False, script=script)
    gateway = make_gateway(sink.route, rules=CLEAR)
    gateway.submit([f"{tag}@example.com"], mail(f"{tag}@example.com"))
    sink.wait(f"{tag}@example.com")
    assert (b"RCPT TO" in seen["MAIL"], b"DATA" in seen["RCPT"]) == (offered, offered)


def test_a_transaction_has_a_hundred_recipients_at_most(make_gateway, make_sink, tag):
    """RFC 5321 §4.5.3.1.8: so many every server takes."""
    sink = make_sink()
    gateway = make_gateway(sink.route, rules=CLEAR)
    everybody = [f"{tag}{n}@example.com" for n in range(250)]
    gateway.submit(everybody, mail(everybody))
    wait_until(lambda: len(recipients_of(sink)) == 250, gateway.tail)
    assert sorted(len(m.recipients) for m in sink.messages) == [50, 100, 100]


# ---- retries ----

def test_retries_grow_and_then_stay(make_gateway, make_sink, tag):
    """The domain's own schedule: 400 ms, 800, 1600, and no more than that; a tenth more or less by chance."""
    times = []

    def script(verb, *_):
        if verb == "RCPT":
            times.append(time.monotonic())
            return "451 4.3.0 not yet" if len(times) < 6 else None
        return None

    sink = make_sink(script=script)
    gateway = make_gateway(sink.route, rules=CLEAR, settings={"queue": {"first-retry": "1h", "last-retry": "4h"}},
                           extra='retry-policy "example.com" { first-retry = 400ms last-retry = 1600ms }')
    gateway.submit([f"{tag}@example.com"], mail(f"{tag}@example.com"))
    sink.wait(f"{tag}@example.com", 60)
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    for gap, planned in zip(gaps, (0.4, 0.8, 1.6, 1.6, 1.6)):
        # A loaded machine is late, never early.
        assert 0.89 * planned <= gap, gaps


def test_messages_that_fail_together_do_not_come_back_together(make_gateway, make_sink, tag):
    sink = make_sink(script=lambda verb, *_: "451 4.3.0 not yet" if verb == "RCPT" else None)
    gateway = make_gateway(sink.route, rules=CLEAR, settings={"queue": {"first-retry": "1h", "last-retry": "4h"}})
    with gateway.connect() as client:
        client.ready(gateway)
        for n in range(30):
            assert client.submit(USER, [f"{tag}{n}@example.com"], mail(f"{tag}{n}@example.com")).code == 250
    wait_until(lambda: all(r["state"] == "deferred" for r in gateway.queue()), gateway.tail)
    rows = [r for message in gateway.json("queue", "list")["messages"] for r in message["recipients"]]
    assert len({r["next"] for r in rows}) > 15, "by the second, of six minutes either way"


# ---- slow ones ----

@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL", "END"])
def test_a18_a_byte_at_a_time_is_no_reply(make_gateway, make_sink, tag, step):
    """A host that says something all the time, and never all of it."""
    stop = threading.Event()

    def drip(verb, _, session):
        if verb != step:
            return None
        session.connection.sendall(b"250-")
        while not stop.wait(0.1):
            session.connection.sendall(b"x")
        return False

    sink = make_sink(tls=False, script=drip)
    times = {name: "1s" for name in ("greeting-timeout", "command-timeout", "end-of-data-timeout")}
    gateway = make_gateway(sink.route, rules=CLEAR, settings={"delivery": times, "queue": {"first-retry": "1h", "last-retry": "4h"}})
    began = time.monotonic()
    gateway.submit([f"{tag}@example.com"], mail(f"{tag}@example.com"))
    row = gateway.wait_state(f"{tag}@example.com", "deferred")
    stop.set()
    assert "timed out waiting for" in row["reply"] and time.monotonic() - began < 15

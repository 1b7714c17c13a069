"""
A next hop that breaks the protocol at each step, in each way (A3, A18, A22): the message is delivered, once, or returned
to its sender with a right notification, or still there; it is never lost and never sent in clear. All of it happens in one
gateway at once.
"""

import re
import types

from dns import Nsd
from gateway import USER, Gateway, mail
from misbehaving import DEEDS, FLAVOURS, STEPS, Cell, Misbehaving
from pki import server_context
from tools import wait_until

import pytest

TIMES = {name: "1s" for name in ("connect-timeout", "greeting-timeout", "handshake-timeout", "command-timeout",
                                 "data-timeout")}
# Longer: cut short under load it would make a duplicate (doc/queue.md, window 1).
SETTINGS = {"tls": "encrypt", "end-of-data-timeout": "4s", "idle-timeout": "200ms", **TIMES}


# With CHUNKING no 354 shows that both are in step: an extra reply that comes before the right one cannot be told from it.
LIES = [(step, flavour) for step in ("mail", "rcpt", "data") for flavour in ("plain", "pipelining")]


def makes_sense(step, deed, flavour):
    if step == "connect":
        return deed == "close" and flavour == "plain"
    if step == "handshake" and deed == "extra" or deed == "lie" and (step, flavour) not in LIES:
        return False
    if step in ("greeting", "ehlo", "starttls", "handshake", "ehlo2", "quit") and flavour != "pipelining":
        return False  # the same for all
    return not (step == "data" and flavour == "chunking")


CELLS = [Cell(step, deed, flavour) for step in STEPS for deed in DEEDS for flavour in FLAVOURS
         if makes_sense(step, deed, flavour)]
ALWAYS = [Cell(step, deed, times=10 ** 9) for step, deed in
          (("greeting", "4xx"), ("greeting", "silence"), ("starttls", "5xx"), ("starttls", "extra"), ("handshake", "garbage"),
           ("ehlo2", "close"), ("mail", "4xx"), ("rcpt", "garbage"), ("data", "close"), ("end", "4xx"), ("end", "close"))]


def expected(cell):
    """What 5xx is about the message, or about us for good, is returned; all else waits and arrives. What is said before
    TLS, which is demanded, may be said by anybody."""
    if cell.times > 1:
        return "waits"
    if cell.deed == "lie" or cell.deed == "5xx" and cell.step in ("ehlo2", "mail", "rcpt", "data", "end", "kept"):
        return "returned"
    return "delivered"


def by_name(cells):
    return pytest.mark.parametrize("cell", cells, ids=lambda cell: cell.name)


def address(cell):
    return f"bob@{cell.name}.example"


@pytest.fixture(scope="module")
def world(pki):
    good = Cell("nothing", "")
    cells = CELLS + ALWAYS + [good]
    server = Misbehaving(server_context(*pki.next_hop), cells)
    zone = "".join(f"{c.name} MX 10 mx-{c.name}\nmx-{c.name} A {c.address}\n" for c in cells)
    nsd = Nsd({"example": zone, "example.org": f"@ A {good.address}\n"})
    settings = {"delivery": {**SETTINGS, "mx-port": server.port, "resolvers": nsd.address}}
    try:
        with Gateway(pki, "mx", rules="rule default { protect = never }", settings=settings) as gateway:
            submit_all(gateway)
            waiting = {address(cell) for cell in ALWAYS}
            wait_until(lambda: {r["address"] for r in gateway.queue()} <= waiting and all(c.done > 1 for c in ALWAYS),
                       lambda: f"not settled: {[r['address'] for r in gateway.queue() if r['address'] not in waiting]} "
                               f"{[c.name for c in ALWAYS if c.done < 2]}\n{gateway.tail()}", 90)
            yield types.SimpleNamespace(server=server, gateway=gateway, returned=reports(good),
                                        queue={r["address"]: r for r in gateway.queue()})
            gateway.stop()
            assert not gateway.complaints()
    finally:
        server.stop()
        nsd.close()


def submit_all(gateway):
    with gateway.connect() as client:
        client.ready(gateway)
        for cell in CELLS + ALWAYS:
            # RSET follows a refused recipient.
            first = [f"nobody@{cell.name}.example"] if cell.step == "rset" else []
            for recipient in first + [address(cell)]:
                assert client.submit(USER, [recipient], mail(recipient, f"{cell.name}-body\r\n")).code == 250


def reports(good):
    """{address: status} from all notifications that came back."""
    found = []
    for _, data in good.messages:
        found += re.findall(r"Final-Recipient: rfc822; (\S+)\r\nAction: failed\r\nStatus: (\S+)\r\n", data.decode())
    assert len(found) == len(dict(found)), "told twice"
    return dict(found)


@by_name(CELLS + ALWAYS)
def test_nothing_is_lost(world, cell):
    assert cell.done >= 1, "it never came to that"
    copies = [data for recipients, data in cell.messages if address(cell) in recipients]
    assert all(f"{cell.name}-body\r\n".encode() in data for data in copies), "damaged on the way"
    what = expected(cell)
    assert (address(cell) in world.returned) == (what == "returned")
    assert (address(cell) in world.queue) == (what == "waits")
    if what == "returned":
        assert world.returned[address(cell)] == "5.7.1"
        assert len(copies) == (cell.step == "kept"), "the host lied: it has what it refused"
    elif what == "waits":
        assert not copies and world.queue[address(cell)]["state"] in ("deferred", "leased", "queued")
    elif cell.step == "kept" and cell.deed != "extra":
        # The host has it and did not say so: doc/queue.md, window 1.
        assert len(copies) == 2
    else:
        assert len(copies) == 1
    if cell.step == "rset":
        assert world.returned[f"nobody@{cell.name}.example"] == "5.1.1"


def test_a3_nothing_of_a_message_was_ever_sent_in_clear(world):
    assert world.server.clear == []


def test_a22_what_hosts_said_is_shown_in_printable_letters(world):
    assert not re.search(r"[^\x20-\x7e\n]", world.gateway.log)

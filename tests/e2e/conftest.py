"""Fixtures of the end-to-end tests: keys, next hops and a gateway for the whole session, and makers of further ones."""

import os
import pathlib
import sys
import types
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import letters as letters_sent
import tools
from authority import Authority
from dns import Nsd
from gateway import USER, Gateway
from keys import Keyring
from peers import Exim, Postfix
from pki import Pki, server_context
from sink import Sink

RULES = """
rule "subject" {
  when { recipient = {"@subject.example"} subject = {"[confidential]"} }
  protect = require
  on-missing-key = refuse
}
rule "subject-else" { when { recipient = {"@subject.example"} } protect = never }
rule "hold"   { when { recipient = {"@hold.example"} } protect = require on-missing-key = hold }
rule "bounce" { when { recipient = {"@bounce.example"} } protect = require on-missing-key = bounce }
rule "prefer" { when { recipient = {"@prefer.example"} } protect = prefer }
rule "never"  { when { recipient = {"@never.example"} } protect = never }
rule default  { protect = require on-missing-key = refuse }
"""

# make readers-full
collect_ignore = [] if os.environ.get("READERS_FULL") else ["test_thunderbird.py"]

LIVE = []  # gateways whose log is shown when a test fails


# Files that take longest begin first, so that no process works on one of them alone at the end.
LONG = [f"test_{name}.py" for name in (
    "testssl", "large", "threats_failures", "signing_changes", "tls_reports", "threats_load", "backends", "delivery", "dsn_parameters",
    "another_host", "throttle", "threats_auth", "queue", "mta_sts", "next_hops", "ipv6", "smarthost", "capacity", "tokens",
    "smarthost_binding", "requiretls", "signing", "dane", "mail_readers", "rule_tls", "threats_flips", "key_kinds", "upgrade")]


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for gateway in LIVE:
            report.sections.append((f"log of {gateway.conf}", gateway.tail(60)))


@pytest.fixture(scope="session")
def folder():
    made = tools.short_folder()
    yield made
    tools.remove_folder(made)


@pytest.fixture(scope="session")
def pki(folder):
    (folder / "pki").mkdir()
    return Pki(folder / "pki")


@pytest.fixture(scope="session")
def keyring(folder):
    made = Keyring(folder)
    yield made
    made.close()


@pytest.fixture(scope="session")
def people(keyring):
    return types.SimpleNamespace(
        bob=keyring.openpgp("bob@example.com", "bob@none.example", "bob@may.example", "bob@encrypt.example",
                            "bob@verify.example", "bob@secure.example"),
        carol=keyring.openpgp("carol@example.com", algorithm="rsa2048"),
        dan=keyring.smime("dan@example.com", "rsa"),
        erin=keyring.smime("erin@example.com", "ec"),
        expired=keyring.openpgp("expired@example.com", expired=True),
        revoked=keyring.openpgp("revoked@example.com", revoked=True),
        frank=keyring.openpgp("frank@never.example", "frank@prefer.example", "frank@subject.example",
                              "frank@hold.example", "frank@bounce.example"))


@pytest.fixture(scope="session")
def sink(pki):
    made = Sink(tls=server_context(*pki.next_hop))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def letters(pki, sink):
    """What lib/letters.py says, as it arrived: .cast, .authority, .by_name. With keys of its own: others have an alice too."""
    folder = tools.short_folder()
    keyring, authority = Keyring(folder), Authority(folder)
    cast = letters_sent.make_cast(keyring, authority)
    for gateway in run_gateway(letters_sent.make_gateway(pki, sink.route, cast), [cast.pat, cast.sam, cast.erin]):
        by_name = letters_sent.send(gateway, sink, cast)
    yield types.SimpleNamespace(cast=cast, authority=authority, by_name=by_name)
    keyring.close()
    tools.remove_folder(folder)


def everybody(people):
    return list(vars(people).values())


@pytest.fixture(scope="session")
def gateway(pki, people, sink):
    """Shared by all tests that do not harm it; delivers to `sink`."""
    yield from run_gateway(Gateway(pki, sink.route, RULES), everybody(people))


@pytest.fixture(scope="session")
def open_gateway(pki, people, sink):
    """One whose user may send as anybody; delivers to `sink`."""
    yield from run_gateway(Gateway(pki, sink.route, RULES, extra=f'account "{USER}" {{ send-as = {{"*"}} }}'),
                    everybody(people))


@pytest.fixture(scope="module")
def nsd(request):
    """A DNS server that has the ZONES of the file."""
    made = Nsd(request.module.ZONES)
    yield made
    made.close()


@pytest.fixture
def make_gateway(pki):
    """make(route, rules=…, settings=…, people=…) → a started gateway of one's own."""
    made = []

    def make(route, *people, start=True, **options):
        gateway = Gateway(pki, route, **options)
        made.append(gateway)
        LIVE.append(gateway)
        if start:
            gateway.start()
            if people:
                gateway.add_keys(*people)
        return gateway

    yield make
    complaints = [line for gateway in made for line in end(gateway)]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def make_sink(pki):
    """make(tls=True, …) → a sink of one's own."""
    made = []

    def make(tls=True, **options):
        made.append(Sink(tls=server_context(*pki.next_hop) if tls is True else tls or None, **options))
        return made[-1]

    yield make
    for sink in made:
        sink.stop()


def run_gateway(gateway, people):
    LIVE.append(gateway)
    try:
        gateway.start()
        gateway.add_keys(*people)
        yield gateway
    finally:
        complaints = end(gateway)
    assert not complaints, "\n".join(complaints)


def end(gateway):
    """Stops the gateway; what a sanitised build complained of."""
    LIVE.remove(gateway)
    gateway.stop()
    complaints = gateway.complaints()
    gateway.close()
    return complaints


@pytest.fixture(scope="session")
def postfix(pki):
    if not tools.AS_ROOT:
        pytest.skip("Postfix runs only as root")
    yield from _closing(Postfix(pki))


@pytest.fixture(scope="session")
def exim(pki):
    yield from _closing(Exim(pki))


@pytest.fixture(scope="session")
def mail_server(request):
    """A real one: Postfix, or Exim for who is not root."""
    return request.getfixturevalue("postfix" if tools.AS_ROOT else "exim")


def _closing(thing):
    yield thing
    thing.close()


@pytest.fixture
def tag():
    """Unlike that of any other test; fits into an address."""
    return "t" + uuid.uuid4().hex[:12]

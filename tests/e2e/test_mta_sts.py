"""MTA-STS (RFC 8461): policies from a real HTTPS server, records from a real DNS server, MX hosts on one loopback address."""

import gzip
import sqlite3
import time

from dns import Nsd, SignedNsd
from gateway import Gateway
from outcome import deferred, delivered, send, untouched
from pki import self_signed, server_context, tlsa
from policy_host import PolicyHost
from tools import SEALGATE, free_port, run, wait_until

import pytest

CLEAR = "rule default { protect = never }"
ENFORCED = "level secure by mta-sts enforce"


def policy(mode="enforce", mx=("mx.NAME.example",), max_age=86400, end="\n", version="STSv1"):
    lines = [f"version: {version}", f"mode: {mode}", *(f"mx: {host}" for host in mx), f"max_age: {max_age}"]
    return "".join(line + end for line in lines)


BAD_ANSWERS = {
    "b404": ("", "text/plain", 404),
    "b301": (policy(), "text/plain", 301),
    "b500": (policy(), "text/plain", 500),
    "b204": ("", "text/plain", 204),
    "bhtml": (policy(), "text/html", 200),
    "bnotype": (policy(), None, 200),
    "blarge": (policy() + "x: " + "y" * 65536, "text/plain", 200),
    "bmalformed": ("version: STSv1\nmode enforce\n", "text/plain", 200),
    "bversion": (policy(version="STSv2"), "text/plain", 200),
    "bmode": (policy(mode="always"), "text/plain", 200),
    "bage": (policy(max_age=31557601), "text/plain", 200),
    "bnomx": (policy(mx=()), "text/plain", 200),
    "bempty": ("", "text/plain", 200),
}
WHY = {"b404": "the answer is 404", "b301": "the answer is 301", "b500": "the answer is 500", "b204": "the answer is 204",
       "bhtml": "not text/plain", "bnotype": "not text/plain", "blarge": "too large", "bmalformed": "malformed",
       "bversion": "version:", "bmode": "mode:", "bage": "max_age:", "bnomx": "mx: is missing", "bempty": "version: is missing"}
def raw(octets, more=lambda handler: None):
    """A policy host that answers with OCTETS, then does MORE, and closes."""
    def answer(handler):
        handler.close_connection = True
        handler.wfile.write(octets)
        handler.wfile.flush()
        more(handler)
    return answer


def head(*fields):
    return "\r\n".join(("HTTP/1.1 200 OK", "Content-Type: text/plain", *fields, "", "")).encode()


def drip(handler):
    for _ in range(100):
        time.sleep(0.2)
        handler.wfile.write(b"x")
        handler.wfile.flush()


def pour(handler):
    while True:
        handler.wfile.write(b"x: " + b"y" * 1000 + b"\n")


def good_policy(name):
    return policy().replace("NAME", name).encode()


# What a policy host does with its bytes: a good policy, but cut off, slow, endless, packed, or no HTTP at all.
BROKEN_HOSTS = {
    "bcut": (raw(head("Content-Length: 200") + good_policy("bcut")), "bytes remaining to read"),
    "bdrip": (raw(head("Content-Length: 200") + good_policy("bdrip"), drip), "timed out"),
    "bendless": (raw(head() + good_policy("bendless"), pour), "too large"),
    "bpacked": (raw(head("Content-Encoding: gzip") + gzip.compress(good_policy("bpacked"))), "malformed"),
    "bgarbage": (raw(b"\x00\xff garbage\r\n\r\n" + good_policy("bgarbage")), "HTTP/0.9"),
    "bsilent": (raw(b""), "empty reply"),
}
BAD_HOSTS = {"bexpired": "certificate has expired", "bname": "no alternative certificate subject name matches",
             "bself": "self-signed", "bslow": "timed out", "bprivate": "not a public one", "bgone": "has no address",
             "bclosed": "connect", **{name: why for name, (_, why) in BROKEN_HOSTS.items()}}
GOOD = ("good", "wild", "crlf", "testing", "testing-other", "none", "other", "clear", "selfmx", "wrongmx", "next", "admin", "refresh",
        "xn--bcher-kva", "day", "hangs", "down", "optional", "requiretls", "gone-record", "old", "failing", "many", "bogus")


def domain_records(name, id="1"):
    """Nobody keeps the TXT record in a cache, so that a test may renew it. ID: None: there is none."""
    return (f"{name} MX 10 mx.{name}\nmx.{name} A 127.0.0.1\nmta-sts.{name} A 127.0.0.1\n"
            + (f'_mta-sts.{name} 0 TXT "v=STSv1; " "id={id};"\n' if id else ""))


class World:
    def __init__(self, folder, pki):
        self.mx_port = free_port()
        self.pki = pki
        names = (*GOOD, *BAD_ANSWERS, *BAD_HOSTS, "norecord", "tworecords", "badrecord", "otherrecord")
        # One certificate for all MX hosts but those in CHOSEN.
        self.good = pki.issue("mx.example", "DNS:mx2.next.example", *(f"DNS:mx.{name}.example" for name in names))
        self.chosen = {"mx.selfmx.example": server_context(*self_signed(folder, "mx.selfmx.example")),
                       "mx.wrongmx.example": server_context(*pki.wrong_name)}
        web = pki.issue("mta-sts.example", *(f"DNS:mta-sts.{name}.example" for name in names if name != "bname"))
        self.web = PolicyHost(server_context(*web))
        self.web.contexts["mta-sts.bexpired.example"] = server_context(
            *pki.issue("mta-sts.bexpired.example", days=-1, file="sts-expired"))
        self.web.contexts["mta-sts.bself.example"] = server_context(*self_signed(folder, "mta-sts.bself.example"))
        self.ids = {name: "1" for name in names}
        self.publish()
        self.nsd = Nsd({"example": self.zone()})

    def publish(self):
        good = {name: policy() for name in (*GOOD, *BAD_HOSTS)}
        good["wild"] = policy(mx=("nothing.example", "*.WILD.example"))
        good["crlf"] = policy(end="\r\n") + "future: thing\r\n"
        good["testing"], good["testing-other"] = policy("testing"), policy("testing", mx=("mx.other.example",))
        good["none"] = policy("none", mx=())
        good["other"] = policy(mx=("mail.other.example", "*.mx.other.example", "*.example.com"))
        good["next"] = policy(mx=("mx2.NAME.example",))
        good["old"] = policy(max_age=864000)
        for name, text in good.items():
            self.web.policy(f"{name}.example", text.replace("NAME", name))
        for name in ("norecord", "tworecords", "badrecord", "otherrecord"):
            self.web.policy(f"{name}.example", policy().replace("NAME", name))
        for name, (text, kind, code) in BAD_ANSWERS.items():
            self.web.policy(f"{name}.example", text.replace("NAME", name), kind, code)
        self.web.answers["mta-sts.bslow.example"] = lambda handler: time.sleep(20)
        for name, (answer, _) in BROKEN_HOSTS.items():
            self.web.answers[f"mta-sts.{name}.example"] = answer

    def zone(self):
        text = "".join(domain_records(name, self.ids[name]) for name in (*GOOD, *BAD_ANSWERS, *BAD_HOSTS)
                       if name not in ("bprivate", "bgone", "bclosed"))
        text += "next MX 20 mx2.next\nmx2.next A 127.0.0.1\n"
        for name, address in (("bprivate", "127.0.0.9"), ("bclosed", "127.0.0.3"), ("bgone", None)):
            text += domain_records(name).replace(f"mta-sts.{name} A 127.0.0.1\n", f"mta-sts.{name} A {address}\n" if address else "")
        for name, records in {"norecord": [], "tworecords": ["v=STSv1; id=1", "v=STSv1; id=2"], "badrecord": ["v=STSv1; id=a-b"],
                              "otherrecord": ["v=spf1 -all", "v=STSv2; id=1"]}.items():
            text += f"{name} MX 10 mx.{name}\nmx.{name} A 127.0.0.1\nmta-sts.{name} A 127.0.0.1\n"
            text += "".join(f'_mta-sts.{name} TXT "{record}"\n' for record in records)
        return text

    def renew(self, name, id):
        """Another record."""
        self.ids[name] = id
        self.nsd.stop()
        self.nsd.write_zone("example", self.zone())
        self.nsd.start()

    def context(self):
        context = server_context(*self.good)

        def choose(connection, name, _context):
            if name in self.chosen:
                connection.context = self.chosen[name]

        context.sni_callback = choose
        return context


def settings(world, nsd, **more):
    """A message is tried once."""
    return {"delivery": {"tls": "may", "mx-port": world.mx_port, "resolvers": nsd.address, "mta-sts-port": world.web.port,
                         "mta-sts-timeout": "2s", "mta-sts-networks": "127.0.0.0/30", **more},
            "queue": {"first-retry": "1h", "last-retry": "1h"}}


@pytest.fixture(scope="module")
def world(folder, pki):
    (folder / "sts").mkdir()
    made = World(folder / "sts", pki)
    yield made
    made.nsd.close()
    made.web.close()


@pytest.fixture(scope="module")
def gateway(pki, world):
    with Gateway(pki, "mx", rules=CLEAR, settings=settings(world, world.nsd),
                 extra='tls-policy "admin.example" { level = may }') as made:
        yield made
        made.stop()
        assert not made.complaints()


@pytest.fixture
def hop(make_sink, world):
    """make(…) → the server behind all MX hosts; the one before it ends, with its connections (one that is kept needs no policy
    any more)."""
    made = []

    def make(tls=True, **options):
        if made:
            made[-1].stop()
        made.append(make_sink(tls=world.context() if tls else None, port=world.mx_port, **options))
        return made[-1]

    return make


# ---- a policy to be enforced ----


@pytest.mark.parametrize("domain", ["good", "wild", "crlf"])
def test_enforce(gateway, hop, world, tag, domain):
    line, arrived = delivered(gateway, hop(), send(gateway, f"{domain}.example", tag))
    assert line["out_tls_peer"] == f"verified for mx.{domain}.example (pkix); {ENFORCED}"
    assert arrived.tls and world.web.asked.count((f"mta-sts.{domain}.example", "/.well-known/mta-sts.txt")) == 1


@pytest.mark.parametrize("domain, why", [
    ("other", f"{ENFORCED} (its policy does not name the host)"),
    ("selfmx", "not trusted: self-signed certificate"),
    ("wrongmx", "trusted, but not for mx.wrongmx.example"),
])
def test_a33_enforce_is_not_met(gateway, hop, tag, domain, why):
    sink = hop()
    reply = deferred(gateway, send(gateway, f"{domain}.example", tag))
    assert why in reply and ENFORCED in reply
    assert untouched(sink)
    if domain == "other":
        assert sink.connections == 0


def test_a33_enforce_without_starttls(gateway, hop, tag):
    sink = hop(tls=False)
    reply = deferred(gateway, send(gateway, "clear.example", tag))
    assert "does not offer STARTTLS" in reply and ENFORCED in reply
    assert untouched(sink)


def test_a33_starttls_that_fails_is_not_tried_clear(gateway, hop, tag):
    def refuse(verb, _argument, _session):
        return "454 4.7.0 not now" if verb == "STARTTLS" else None

    sink = hop(script=refuse)
    assert "TLS is required" in deferred(gateway, send(gateway, "good.example", tag))
    assert untouched(sink)


def test_the_next_host_where_the_first_is_not_named(gateway, hop, tag):
    sink = hop()
    line, _ = delivered(gateway, sink, send(gateway, "next.example", tag))
    assert line["host"].startswith("mx2.next.example ") and sink.connections == 1


# ---- other modes ----


def test_testing_only_tells(gateway, hop, tag):
    sink = hop()
    line, _ = delivered(gateway, sink, send(gateway, "testing.example", tag))
    assert line["out_tls_peer"] == ("not verified; mta-sts testing: the certificate is verified for mx.testing.example (pkix); "
                                    "level may by delivery tls")
    line, _ = delivered(gateway, sink, send(gateway, "testing-other.example", tag))
    assert line["out_tls_peer"].endswith("level may by delivery tls (mta-sts testing: its policy does not name the host)")


def test_testing_lets_it_out_clear(gateway, hop, tag):
    line, arrived = delivered(gateway, hop(tls=False), send(gateway, "testing.example", tag))
    assert not arrived.tls and "does not offer STARTTLS" in line["out_tls_peer"]


def test_mode_none(gateway, hop, tag):
    line, _ = delivered(gateway, hop(), send(gateway, "none.example", tag))
    assert line["out_tls_peer"] == "not verified; level may by delivery tls"


# ---- no policy can be had ----


@pytest.mark.parametrize("domain", [*BAD_ANSWERS, *BAD_HOSTS])
def test_a_bad_answer_is_no_policy(gateway, hop, world, tag, domain):
    """§3.3, §5: none was ever known; the mail goes as if there were none, and what was wrong is recorded."""
    before = len(gateway.log)
    line, _ = delivered(gateway, hop(), send(gateway, f"{domain}.example", tag))
    assert line["out_tls_peer"] == "not verified; level may by delivery tls"
    why = {**WHY, **BAD_HOSTS}[domain]
    logged = [text for text in gateway.log[before:].splitlines() if "sts-not-fetched" in text]
    assert len(logged) == 1 and f"domain={domain}.example" in logged[0] and why.lower() in logged[0].lower()
    if domain not in BAD_HOSTS:
        assert world.web.asked[-1] == (f"mta-sts.{domain}.example", "/.well-known/mta-sts.txt")
        assert world.web.times(f"{domain}.example") == 1
    # Not for every message: five minutes of peace for a host that fails.
    assert why.lower() in gateway.ctl("tls", f"{domain}.example").stdout.decode().lower()
    assert world.web.times(f"{domain}.example") <= 1


def test_a28_no_private_address(gateway, hop, world, tag):
    """mta-sts.bprivate.example is 127.0.0.9, which no key of the configuration allows."""
    delivered(gateway, hop(), send(gateway, "bprivate.example", tag))
    assert "its address is not a public one" in gateway.ctl("tls", "bprivate.example").stdout.decode()
    assert world.web.times("bprivate.example") == 0


@pytest.mark.parametrize("domain", ["norecord", "tworecords", "badrecord", "otherrecord"])
def test_no_good_record(gateway, hop, world, tag, domain):
    """§3.1: nothing is fetched then."""
    line, _ = delivered(gateway, hop(), send(gateway, f"{domain}.example", tag))
    assert line["out_tls_peer"] == "not verified; level may by delivery tls"
    assert world.web.times(f"{domain}.example") == 0


# ---- what comes before it ----


def test_the_administrators_word(gateway, hop, world, tag):
    line, _ = delivered(gateway, hop(), send(gateway, "admin.example", tag))
    assert line["out_tls_peer"] == "not verified; level may by tls-policy admin.example"
    assert world.web.times("admin.example") == 0


def test_the_administrators_word_in_another_spelling(make_gateway, hop, world, tag):
    gateway = make_gateway("mx", rules=CLEAR, settings=settings(world, world.nsd),
                           extra='tls-policy "B\u00dcCHER.example." { level = secure }')
    sink = hop(tls=False)
    reply = deferred(gateway, send(gateway, "xn--bcher-kva.example", tag))
    assert "level secure by tls-policy xn--bcher-kva.example" in reply and untouched(sink)
    assert gateway.json("tls", "B\u00fccher.example.")["hosts"][0]["match_name"] == "xn--bcher-kva.example"
    assert gateway.ctl("tls", "*.example", check=False).returncode == 65


def test_tls_required_no(gateway, hop, world, tag):
    """RFC 8689 §3."""
    line, arrived = delivered(gateway, hop(tls=False), send(gateway, "optional.example", tag, TLS_Required="No"))
    assert not arrived.tls and world.web.times("optional.example") == 0


def test_requiretls(gateway, hop, tag):
    """RFC 8689 §4.2.1: the policy vouches for the name of the MX host."""
    line, arrived = delivered(gateway, hop(features=["REQUIRETLS"]), send(gateway, "requiretls.example", tag, " REQUIRETLS"))
    assert line["out_tls_peer"] == f"verified for mx.requiretls.example (pkix); {ENFORCED}"
    assert " REQUIRETLS" in arrived.mail_line


def test_switched_off(make_gateway, hop, world, tag):
    gateway = make_gateway("mx", rules=CLEAR, settings=settings(world, world.nsd, **{"mta-sts": "no"}))
    before = len(world.web.asked)
    line, _ = delivered(gateway, hop(), send(gateway, "other.example", tag))
    assert line["out_tls_peer"] == "not verified; level may by delivery tls" and len(world.web.asked) == before


def test_wrong_networks(make_gateway, world):
    gateway = make_gateway("mx", start=False, settings=settings(world, world.nsd, **{"mta-sts-networks": "127.0.0.1/8"}))
    said = run(SEALGATE, "-n", "-c", gateway.conf, check=False)
    assert said.returncode and b"delivery mta-sts-networks" in said.stderr


# ---- sealctl ----


def test_sealctl_tls(gateway):
    said = gateway.json("tls", "wild.example")
    sts = said["sts"]
    assert (sts["mode"], sts["id"], sts["max_age"], sts["mx"]) == ("enforce", "1", 86400, ["nothing.example", "*.WILD.example"])
    assert sts["fetched"] < sts["expires"] and sts["why"] is None
    host, = said["hosts"]
    assert (host["verdict"], host["why"], host["match_name"]) == ("try", ENFORCED, "mx.wild.example")
    text = gateway.ctl("tls", "wild.example").stdout.decode()
    assert "MTA-STS: enforce\n  id 1\n" in text and "  mx *.WILD.example\n" in text and f"demanded: {ENFORCED}" in text
    host, = gateway.json("tls", "other.example")["hosts"]
    assert host["verdict"] == "lacking"
    assert gateway.json("tls", "norecord.example")["sts"] == {"mode": "no policy", "why": "no MTA-STS record"}
    assert "sts" not in gateway.json("tls", "admin.example")


# ---- the policy that is known ----


def restart(gateway, *aged, hours=0):
    """As if the policies of the domains AGED had been fetched that long ago."""
    gateway.stop()
    back = hours * 3600 * 1000
    database = sqlite3.connect(gateway.state_dir / "delivery" / "sts.db")
    with database:
        for domain in aged:
            changed = database.execute("UPDATE sts SET fetched_ms = fetched_ms - ?1, expires_ms = expires_ms - ?1, "
                                       "due_ms = due_ms - ?1, used_ms = used_ms - ?1 WHERE domain = ?2", (back, domain))
            assert changed.rowcount == 1
    database.close()
    gateway.start()


def test_kept_over_a_restart_and_while_the_policy_host_fails(gateway, hop, world, tag):
    """§5.1: the policy that is known is enforced, and fetched no more than needed."""
    sink = hop()
    delivered(gateway, sink, send(gateway, "failing.example", tag))
    restart(gateway)
    delivered(gateway, sink, send(gateway, "failing.example", tag + "b"))
    assert world.web.times("failing.example") == 1
    # A new id, but no policy to be had.
    world.web.policy("failing.example", "", code=500)
    world.renew("failing", "2")
    world.chosen["mx.failing.example"] = server_context(*world.pki.wrong_name)
    for again in "cd":
        sink = hop()
        assert ENFORCED in deferred(gateway, send(gateway, "failing.example", tag + again))
    assert world.web.times("failing.example") == 2
    said = gateway.json("tls", "failing.example")["sts"]
    assert said["mode"] == "enforce" and said["id"] == "1" and "the answer is 500" in said["why"]
    assert untouched(sink)


def test_a33_kept_when_the_record_goes_away(gateway, hop, world, tag):
    """Who takes the record away, or makes another of it, does not end the policy (§5.1)."""
    delivered(gateway, hop(), send(gateway, "gone-record.example", tag))
    world.chosen["mx.gone-record.example"] = server_context(*world.pki.wrong_name)
    for id, why in (("a-b", "the MTA-STS record has a field that is none"), (None, "no MTA-STS record")):
        world.renew("gone-record", id)
        hop()
        assert ENFORCED in deferred(gateway, send(gateway, "gone-record.example", tag + str(id)))
        said = gateway.json("tls", "gone-record.example")["sts"]
        assert said["mode"] == "enforce" and said["why"] == why
    assert world.web.times("gone-record.example") == 1


def test_a33_kept_when_dns_fails(make_gateway, hop, world, tag):
    """Nor does who makes the record's lookup fail."""
    below = '@ 0 TXT "v=STSv1; id=1"\n'
    zone = domain_records("bogus").replace('_mta-sts.bogus 0 TXT "v=STSv1; " "id=1;"\n', "")
    nsd = SignedNsd({"example": zone, "_mta-sts.bogus.example": below})
    try:
        gateway = make_gateway("mx", rules=CLEAR, settings=settings(world, nsd, **{"trust-anchor": nsd.anchor}))
        delivered(gateway, hop(), send(gateway, "bogus.example", tag))
        hop()
        nsd.stop()
        nsd.expired.add("_mta-sts.bogus.example")
        nsd.write_zone("_mta-sts.bogus.example", below)
        nsd.start()
        world.chosen["mx.bogus.example"] = server_context(*world.pki.wrong_name)
        assert ENFORCED in deferred(gateway, send(gateway, "bogus.example", tag + "b"))
        # The resolver keeps even a record with TTL 0 for the rest of its second.
        said = wait_until(lambda: (sts := gateway.json("tls", "bogus.example")["sts"])["why"] and sts, "the lookup fails")
        assert said["mode"] == "enforce" and "DNSSEC validation failed" in said["why"]
    finally:
        nsd.close()


def test_a33_a_failed_lookup_is_not_none(make_gateway, hop, world, tag):
    """Of a domain whose policy was never known: mail waits, but where the administrator says what is demanded."""
    zone = "".join(domain_records(name, None) for name in ("bogus", "servfail", "admin"))
    bogus, servfail, admin = (f"_mta-sts.{name}.example" for name in ("bogus", "servfail", "admin"))
    nsd = SignedNsd({"example": zone, bogus: '@ 0 TXT "v=STSv1; id=1"\n'}, expired=[bogus])
    unsigned = Nsd({"example": zone, servfail: None, admin: None})
    try:
        gateway = make_gateway("mx", rules=CLEAR, settings=settings(world, nsd, **{"trust-anchor": nsd.anchor}))
        sink = hop(tls=False)
        reply = deferred(gateway, send(gateway, "bogus.example", tag))
        assert "MTA-STS record: DNSSEC validation failed" in reply and "level may by delivery tls" in reply
        gateway = make_gateway("mx", rules=CLEAR, settings=settings(world, unsigned),
                               extra='tls-policy "admin.example" { level = may }')
        assert "MTA-STS record: DNS lookup failed" in deferred(gateway, send(gateway, "servfail.example", tag))
        assert gateway.json("tls", "servfail.example")["sts"]["mode"] == "unknown"
        assert untouched(sink)
        delivered(gateway, sink, send(gateway, "admin.example", tag))
    finally:
        nsd.close()
        unsigned.close()


def test_a33_policies_that_cannot_be_read_are_not_none(make_gateway, hop, world, tag):
    """The store is damaged: mail waits, and the log says for what."""
    gateway = make_gateway("mx", rules=CLEAR, settings=settings(world, world.nsd))
    gateway.stop()
    for file in (gateway.state_dir / "delivery").iterdir():
        file.write_bytes(b"this is no database, though it is a long text about it\n" * 100)
    sink = hop(tls=False)
    gateway.launch()
    gateway.wait_log("start-failed")
    wait_until(gateway.listens, "the gateway answers")
    sent = send(gateway, "good.example", tag)
    assert "sts.db" in gateway.log and gateway.state(sent.address) and untouched(sink)
    gateway.stop()
    assert untouched(sink)


def test_a_new_id_brings_the_new_policy(gateway, hop, world, tag):
    delivered(gateway, hop(), send(gateway, "refresh.example", tag))
    world.web.policy("refresh.example", policy(mode="none", mx=()))
    # The id is the same: the new policy is not looked at.
    line, _ = delivered(gateway, hop(), send(gateway, "refresh.example", tag + "b"))
    assert ENFORCED in line["out_tls_peer"] and world.web.times("refresh.example") == 1
    world.renew("refresh", "2")
    line, _ = delivered(gateway, hop(), send(gateway, "refresh.example", tag + "c"))
    assert line["out_tls_peer"] == "not verified; level may by delivery tls"
    said = gateway.json("tls", "refresh.example")["sts"]
    assert (said["mode"], said["id"]) == ("none", "2")


def test_fetched_again_after_a_day(gateway, hop, world, tag):
    """Without mail too: else somebody who keeps us from it for a while would see the policy run out (§10.2)."""
    delivered(gateway, hop(), send(gateway, "old.example", tag))
    was = gateway.json("tls", "old.example")["sts"]["fetched"]
    restart(gateway, "old.example", hours=25)
    wait_until(lambda: gateway.json("tls", "old.example")["sts"]["fetched"] >= was, "it is fetched again")
    # Nothing else was so old.
    assert world.web.times("old.example") == 2 and world.web.times("wild.example") <= 1


def test_fetched_again_before_a_day_is_over(gateway, hop, world, tag):
    """Many publish a max_age of just a day; and none that hangs keeps it from its turn."""
    sink = hop()
    for domain in ("day", "hangs"):
        delivered(gateway, sink, send(gateway, f"{domain}.example", tag))
    world.web.answers["mta-sts.hangs.example"] = lambda handler: time.sleep(20)
    restart(gateway, "hangs.example", "day.example", hours=13)
    wait_until(lambda: world.web.times("day.example") == world.web.times("hangs.example") == 2, "they are fetched again")
    wait_until(lambda: "timed out" in (gateway.json("tls", "hangs.example")["sts"]["why"] or ""), "one of them in vain")
    left = gateway.json("tls", "day.example")["sts"]["expires"]
    assert left > time.strftime("%Y-%m-%dT%H", time.gmtime(time.time() + 22 * 3600))


def test_a_policy_that_is_over(gateway, hop, world, tag):
    """Past its max_age and with no other to be had there is none."""
    sink = hop()
    delivered(gateway, sink, send(gateway, "down.example", tag))
    world.web.policy("down.example", "", code=404)
    restart(gateway, "down.example", hours=25)
    line, _ = delivered(gateway, sink, send(gateway, "down.example", tag + "b"))
    assert line["out_tls_peer"] == "not verified; level may by delivery tls"


def test_many_at_once_fetch_it_once(gateway, hop, world, tag):
    sink = hop()
    sent = [send(gateway, "many.example", f"{tag}{i}") for i in range(5)]
    for each in sent:
        line, _ = delivered(gateway, sink, each)
        assert ENFORCED in line["out_tls_peer"]
    assert world.web.times("many.example") == 1


# ---- DANE first ----


def test_dane_comes_first(make_gateway, make_sink, world, pki, folder, tag):
    """RFC 8461 §2: neither does a policy save what DANE refuses, nor refuse what DANE takes."""
    own_pair = self_signed(folder, "dane-own")
    zone = "".join(domain_records(name) for name in ("dane-good", "dane-bad", "dane-none"))
    zone += f"_{world.mx_port}._tcp.mx.dane-good TLSA {tlsa(3, 1, 1, own_pair[0])}\n"
    zone += f"_{world.mx_port}._tcp.mx.dane-bad TLSA 3 1 1 {'00' * 32}\n"
    for name in ("dane-good", "dane-bad", "dane-none"):
        world.web.contexts[f"mta-sts.{name}.example"] = server_context(*pki.issue(f"mta-sts.{name}.example"))
        world.web.policy(f"{name}.example", policy(mx=("nobody.example",) if name == "dane-good" else ("mx.NAME.example",))
                         .replace("NAME", name))
    nsd = SignedNsd({"example": zone})
    try:
        gateway = make_gateway("mx", rules=CLEAR, settings=settings(world, nsd, **{"tls": "dane", "trust-anchor": nsd.anchor}))
        context = server_context(*own_pair)
        chosen = {f"mx.{name}.example": server_context(*pki.issue(f"mx.{name}.example")) for name in ("dane-bad", "dane-none")}
        context.sni_callback = lambda connection, name, _: setattr(connection, "context", chosen.get(name, context))
        sink = make_sink(tls=context, port=world.mx_port)
        line, _ = delivered(gateway, sink, send(gateway, "dane-good.example", tag))
        assert "(dane-ee," in line["out_tls_peer"]
        assert "not verified by DANE" in deferred(gateway, send(gateway, "dane-bad.example", tag))
        line, _ = delivered(gateway, sink, send(gateway, "dane-none.example", tag))
        assert line["out_tls_peer"] == f"verified for mx.dane-none.example (pkix); {ENFORCED}"
    finally:
        nsd.close()

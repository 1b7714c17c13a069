"""DANE (RFC 7672): a signed root with zones below it, served by a real DNS server; each MX host is a loopback address, all
on one port."""

from dns import SignedNsd
from gateway import Gateway, mail, queue_id
from outcome import deferred, delivered, send, untouched
from pki import self_signed, server_context, tlsa
from tools import AS_ROOT, SEALGATE, free_port, run

import pytest

CLEAR = "rule default { protect = never }"
LEVELS = ("none", "may", "encrypt", "dane", "dane-only", "verify", "secure")
WRONG = f"3 1 1 {'00' * 32}"


class World:
    """The zones, and what stands in them."""

    def __init__(self, folder, pki):
        self.port = free_port()
        self.own, self.expired, self.other = (self_signed(folder, name, expired=name == "expired")
                                              for name in ("own", "expired", "other"))
        self.by_ca = pki.chain("mx.ta.example")
        self.by_ca_domain = pki.chain("ta-domain.example")
        self.by_ca_wrong = pki.chain("elsewhere.example")
        ca = tlsa(2, 1, 1, pki.ca)
        own = self.own[0]
        records = {
            "ee-311": [tlsa(3, 1, 1, own)], "ee-301": [tlsa(3, 0, 1, own)], "ee-312": [tlsa(3, 1, 2, own)],
            "ee-302": [tlsa(3, 0, 2, own)], "ee-310": [tlsa(3, 1, 0, own)], "ee-300": [tlsa(3, 0, 0, own)],
            "ee-of-two": [WRONG, tlsa(3, 1, 1, own)],
            "ee-expired": [tlsa(3, 1, 1, self.expired[0])],
            "ee-beside-unusable": ["1 1 1 " + "00" * 32, "3 1 9 00", tlsa(3, 1, 1, own)],
            "ta": [ca], "ta-domain": [ca], "ta-wrong": [ca],
            "ta-hidden": [tlsa(2, 0, 1, pki.ca)],
            "wrong": [WRONG], "wrong-only": [WRONG], "waits": [WRONG],
            "pkix": [tlsa(0, 1, 1, pki.ca), tlsa(1, 1, 1, own)], "pkix-only": [tlsa(1, 1, 1, own)],
            "short": ["3 1 1 abcd"], "odd": ["3 1 9 abcd", "7 1 1 " + "00" * 32],
            "none": [], "none-only": [], "clear": [WRONG], "injected": [tlsa(3, 1, 1, own)],
        }
        text = "".join(self.host(name, tlsas) for name, tlsas in records.items())
        # Hosts whose name is an alias, in this zone and out of it.
        text += self.host("real", [tlsa(3, 1, 1, own)])
        text += "alias MX 10 mx.alias\nmx.alias CNAME mx.real\n"
        text += f"alias-own MX 10 mx.alias-own\nmx.alias-own CNAME mx.none\n_{self.port}._tcp.mx.alias-own TLSA {tlsa(3, 1, 1, own)}\n"
        text += f"far MX 10 mx.far\nmx.far CNAME mx.plain.\n_{self.port}._tcp.mx.far TLSA {tlsa(3, 1, 1, own)}\n"
        # Two hosts, of which the first is not as it must be.
        text += "next MX 10 mx.clear\nnext MX 20 mx.ee-311\n"
        # No MX record at all.
        text += f"implicit A 127.0.0.1\n_{self.port}._tcp.implicit TLSA {tlsa(3, 1, 1, own)}\n"
        # In a signed zone, by the MX record of one that is not.
        for name in ("tlsa-bogus", "tlsa-fails", *(f"{level}.tlsa-bogus" for level in LEVELS)):
            text += f"{name} MX 10 mx.tlsa-{name.rpartition('-')[2]}\n"
        text += "mx.tlsa-bogus A 127.0.0.1\nmx.tlsa-fails A 127.0.0.1\n"
        below = f"_{self.port} TLSA {tlsa(3, 1, 1, own)}\n"
        self.zones = {
            "example": text,
            "_tcp.mx.tlsa-bogus.example": below,
            "_tcp.mx.tlsa-fails.example": None,
            "plain": "@ MX 10 mx\nmx A 127.0.0.1\n" + f"_{self.port}._tcp.mx TLSA {WRONG}\n" + "to-signed MX 10 mx.wrong.example.\n",
            "bogus": "".join(f"{level} MX 10 mx\n" for level in LEVELS) + "mx A 127.0.0.1\n" + f"_{self.port}._tcp.mx TLSA {WRONG}\n",
        }

    def host(self, name, tlsas, port=None):
        """A domain with its one MX host, MX.NAME."""
        text = f"{name} MX 10 mx.{name}\nmx.{name} A 127.0.0.1\n"
        return text + "".join(f"_{port or self.port}._tcp.mx.{name} TLSA {data}\n" for data in tlsas)


@pytest.fixture(scope="module")
def world(folder, pki):
    (folder / "dane").mkdir()
    made = World(folder / "dane", pki)
    made.nsd = SignedNsd(made.zones, unsigned={"plain"}, expired={"bogus", "_tcp.mx.tlsa-bogus.example"})
    yield made
    made.nsd.close()


def dane(world, **more):
    """Settings; a message is tried once."""
    return {"delivery": {"tls": "dane", "mx-port": world.port, "resolvers": world.nsd.address,
                         "trust-anchor": world.nsd.anchor, **more},
            "queue": {"first-retry": "1h", "last-retry": "1h"}}


def policies():
    zones = ("tlsa-bogus.example", "bogus")
    names = {f"{level}.{zone}": level for level in LEVELS for zone in zones}
    names |= {f"{name}.example": "dane-only" for name in ("wrong-only", "pkix-only", "none-only")}
    return "\n".join(f'tls-policy "{name}" {{ level = {level} }}' for name, level in names.items())


@pytest.fixture(scope="module")
def gateway(pki, world):
    with Gateway(pki, "mx", rules=CLEAR, settings=dane(world), extra=policies()) as made:
        yield made
        made.stop()
        assert not made.complaints()


@pytest.fixture
def hop(make_sink, world):
    """make(identity, …) → the server behind all MX hosts; identity: (certificate, key), None: no STARTTLS."""
    def make(identity, **options):
        context = server_context(*identity) if identity else None
        names = []
        if context:
            context.sni_callback = lambda _socket, name, _context: names.append(name)
        sink = make_sink(tls=context, port=world.port, **options)
        sink.names = names
        return sink
    return make


# ---- records that match ----


@pytest.mark.parametrize("domain", ["ee-311", "ee-301", "ee-312", "ee-302", "ee-310", "ee-300", "ee-of-two",
                                    "ee-beside-unusable"])
def test_the_servers_own_certificate(gateway, hop, world, tag, domain):
    """Usage 3 (RFC 7672 §3.1.1): whatever name stands in it, whoever signed it."""
    sink = hop(world.own)
    line, arrived = delivered(gateway, sink, send(gateway, f"{domain}.example", tag))
    record = f"3 {domain[4]} {domain[5]}" if domain[3:].isdigit() else "3 1 1"
    assert line["out_tls_peer"] == f"verified for mx.{domain}.example (dane-ee, TLSA {record}); level dane by delivery tls"
    assert arrived.tls == line["out_tls_version"] == "TLSv1.3" and line["out_tls_cipher"]
    assert sink.names == [f"mx.{domain}.example"]


def test_the_servers_own_certificate_may_be_expired(gateway, hop, world, tag):
    line, _ = delivered(gateway, hop(world.expired), send(gateway, "ee-expired.example", tag))
    assert "(dane-ee," in line["out_tls_peer"]


@pytest.mark.parametrize("domain, certificate", [("ta", "by_ca"), ("ta-domain", "by_ca_domain")])
def test_a_trust_anchor(gateway, hop, world, tag, domain, certificate):
    """Usage 2 (§3.1.2): the name is checked; that of the host or of the domain will do (§3.2.3)."""
    line, _ = delivered(gateway, hop(getattr(world, certificate)), send(gateway, f"{domain}.example", tag))
    assert line["out_tls_peer"].startswith(f"verified for mx.{domain}.example (dane-ta, TLSA 2 1 1); level dane")


@pytest.mark.parametrize("domain, base", [("alias.example", "mx.real.example"), ("far.example", "mx.far.example"),
                                          ("alias-own.example", "mx.alias-own.example"),
                                          ("implicit.example", "implicit.example")])
def test_base_domain(gateway, hop, world, tag, domain, base):
    """§2.2.3: the end of the CNAMEs where all of it is secure, else the name in the MX record."""
    sink = hop(world.own)
    line, _ = delivered(gateway, sink, send(gateway, domain, tag))
    assert line["out_tls_peer"].startswith(f"verified for {base} (dane-ee, ") and sink.names == [base]


def test_a_fixed_route(make_gateway, hop, world, tag):
    """The administrator named the host: no MX record has to be signed. The records are those of its port."""
    sink = hop(world.own)
    gateway = make_gateway(f"[mx.ee-311.example]:{world.port}", rules=CLEAR, settings=dane(world))
    line, _ = delivered(gateway, sink, send(gateway, "anywhere.invalid", tag))
    assert line["out_tls_peer"].startswith("verified for mx.ee-311.example (dane-ee, ")


# ---- records that do not, and hosts that are not as the records demand ----


@pytest.mark.parametrize("domain, certificate, why", [
    ("wrong", "own", "No matching DANE TLSA records"),
    ("wrong-only", "own", "level dane-only by tls-policy wrong-only.example"),
    ("ee-311", "other", "No matching DANE TLSA records"),
    ("ta-wrong", "by_ca_wrong", "not verified by DANE: hostname mismatch"),
    ("ta-hidden", "own", "No matching DANE TLSA records"),
])
def test_another_certificate(gateway, hop, world, tag, domain, certificate, why):
    sink = hop(getattr(world, certificate))
    assert why.lower() in deferred(gateway, send(gateway, f"{domain}.example", tag)).lower()
    assert untouched(sink)


def test_one_that_the_system_trusts_is_no_better(gateway, hop, world, pki, tag):
    """Its name and its authority are right, but the records say another key."""
    sink = hop(pki.issue("mx.wrong.example"))
    assert "DANE" in deferred(gateway, send(gateway, "wrong.example", tag))
    assert untouched(sink)


def test_no_starttls(gateway, hop, tag):
    sink = hop(None)
    assert "does not offer STARTTLS" in deferred(gateway, send(gateway, "clear.example", tag))
    assert untouched(sink)


def test_the_next_host_where_the_first_offers_no_starttls(gateway, hop, world, tag):
    """§2.2: such a host is passed over. Both are one server here, which learns the name by SNI alone."""
    def refuse_once(verb, _argument, session):
        return "502 5.5.1 no" if verb == "STARTTLS" and session.number == 1 else None

    sink = hop(world.own, script=refuse_once)
    line, _ = delivered(gateway, sink, send(gateway, "next.example", tag))
    assert sink.connections == 2 and line["host"].startswith("mx.ee-311.example ")


def test_a3_plaintext_behind_220(gateway, hop, world, tag):
    """NO STARTTLS (client side): what came in clear is never taken for a part of the TLS session."""
    def inject(verb, _argument, _session):
        return b"220 2.0.0 go\r\n250-injected\r\n250 REQUIRETLS\r\n" if verb == "STARTTLS" else None

    sink = hop(world.own, script=inject)
    assert "in clear behind STARTTLS" in deferred(gateway, send(gateway, "injected.example", tag))
    assert untouched(sink)


# ---- records that cannot be used, or are not there ----


@pytest.mark.parametrize("domain", ["pkix", "short", "odd"])
def test_unusable_records_demand_encryption(gateway, hop, world, tag, domain):
    line, arrived = delivered(gateway, hop(world.other), send(gateway, f"{domain}.example", tag))
    assert line["out_tls_peer"] == "not verified; level encrypt by delivery tls (dane: no TLSA record can be used)"
    assert arrived.tls


def test_unusable_records_never_let_it_out_clear(gateway, hop, tag):
    sink = hop(None)
    assert "level encrypt by delivery tls (dane: no TLSA record can be used)" in deferred(
        gateway, send(gateway, "pkix.example", tag))
    assert untouched(sink)


@pytest.mark.parametrize("domain, why", [
    ("none.example", "the host has no TLSA records"),
    ("plain", "the MX record is not signed"),
    ("to-signed.plain", "the MX record is not signed"),
])
@pytest.mark.parametrize("tls", [True, False], ids=["tls", "clear"])
def test_without_records_it_is_as_may(gateway, hop, world, tag, domain, why, tls):
    line, arrived = delivered(gateway, hop(world.other if tls else None), send(gateway, domain, tag))
    assert bool(arrived.tls) == tls
    how = "not verified" if tls else "in clear: the host does not offer STARTTLS"
    assert line["out_tls_peer"] == f"{how}; level may by delivery tls (dane: {why})"


@pytest.mark.parametrize("domain, why", [("pkix-only", "no TLSA record can be used"),
                                         ("none-only", "the host has no TLSA records")])
def test_dane_only_wants_usable_records(gateway, hop, world, tag, domain, why):
    sink = hop(world.own)
    assert why in deferred(gateway, send(gateway, f"{domain}.example", tag))
    assert not sink.connections


# ---- A33: answers that cannot be believed, or do not come ----


@pytest.mark.parametrize("domain", ["tlsa-bogus.example", "tlsa-fails.example"])
@pytest.mark.parametrize("tls", [True, False], ids=["tls", "clear"])
def test_a33_a_failed_tlsa_lookup_is_never_none(gateway, hop, world, tag, domain, tls):
    sink = hop(world.own if tls else None)
    reply = deferred(gateway, send(gateway, domain, tag))
    assert "TLSA records: DNS" in reply and "level dane by delivery tls" in reply
    assert not sink.connections


@pytest.mark.parametrize("level", LEVELS)
def test_a33_bogus_dns_at_each_level(gateway, hop, tag, level):
    """Only a rule that says so sends clear: with bogus TLSA records at the levels that never ask for them; with a bogus
    MX record nowhere."""
    sink = hop(None)
    sent = send(gateway, f"{level}.tlsa-bogus.example", f"{tag}-1")
    if level in ("none", "may"):
        assert not delivered(gateway, sink, sent)[1].tls
    else:
        deferred(gateway, sent)
        assert untouched(sink)
    connections = sink.connections
    assert "DNSSEC validation failed" in deferred(gateway, send(gateway, f"{level}.bogus", f"{tag}-2"))
    assert sink.connections == connections


@pytest.mark.parametrize("level", ["dane", "dane-only"])
def test_a33_an_anchor_that_vouches_for_nothing_does_not_switch_dane_off(make_gateway, hop, world, folder, tag, level):
    """With the key of another zone every answer is insecure, as if nothing were signed."""
    anchor = folder / f"{tag}.key"
    anchor.write_text(world.nsd.anchor.read_text().replace(".\t", "elsewhere.test.\t", 1))
    anchor.chmod(0o644)
    sink = hop(None)
    gateway = make_gateway("mx", rules=CLEAR, settings=dane(world, **{"tls": level, "trust-anchor": anchor}))
    gateway.wait_log("dane-waits")
    for domain in ("wrong.example", "none.example", "plain"):
        assert "the DNSSEC trust anchor does not work" in deferred(gateway, send(gateway, domain, tag))
    assert not sink.connections


def test_dane_needs_an_anchor(make_gateway, world):
    gateway = make_gateway("mx", start=False, settings=dane(world, **{"trust-anchor": None}))
    said = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    assert said.returncode and b"delivery trust-anchor: the TLS levels dane and dane-only need one" in said.stderr
    gateway.write_conf(gateway.text().replace('tls = "dane"', 'tls = "may"'))
    assert run(SEALGATE, "-c", gateway.conf, "-n").returncode == 0
    gateway.write_conf(gateway.text().replace('tls = "dane"', 'tls = "dane" trust-anchor = "/nonexistent/root.key"'))
    said = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    assert said.returncode and b"cannot read /nonexistent/root.key" in said.stderr


# ---- TLS-Required: No (RFC 8689 §3) ----


def test_the_sender_may_set_the_recipients_policy_aside(gateway, hop, world, tag):
    line, arrived = delivered(gateway, hop(world.own), send(gateway, "wrong.example", tag, TLS_Required="No"))
    assert line["out_tls_peer"] == "not verified; level may by delivery tls (dane: TLS-Required: No)"
    assert b"\r\nTLS-Required: No\r\n" in arrived.data


def test_nor_does_it_wait_for_those_that_demand_tls(gateway, hop, world, tag):
    """The others there wait for the hour of the next probe, before and after it went through."""
    def known():
        return [d for d in gateway.json("queue", "status")["unreachable"] if "waits.example" in d["destination"]]

    sink = hop(world.own)
    others = [f"{tag}-{n}@waits.example" for n in range(3)]
    ids = [queue_id(gateway.submit([others[0]], mail(others[0])))]
    gateway.wait_state(others[0], "deferred")
    ids += [queue_id(gateway.submit([address], mail(address))) for address in others[1:]]
    before = known()
    assert [(d["destination"], d["failures"], d["waiting"]) for d in before] == [("waits.example", 1, 3)]
    optional = f"{tag}@waits.example"
    gateway.submit([optional], mail(optional, TLS_Required="No"))
    sink.wait(optional)
    gateway.wait_state(optional, None)
    assert known() == before
    assert [(gateway.state(address)["state"], gateway.state(address)["attempts"]) for address in others] == [
        ("deferred", 1), ("queued", 0), ("queued", 0)]
    assert len(sink.messages) == 1
    for message_id in ids:
        gateway.ctl("queue", "remove", message_id)


def test_what_holds_it_up_is_remembered_as_well(gateway, hop, world, tag):
    """The administrator's level counts for it too: one connection, and the others wait."""
    sink = hop(world.own)
    addresses = [f"{tag}-{n}@wrong-only.example" for n in range(3)]
    ids = [queue_id(gateway.submit(addresses[:1], mail(addresses[0], TLS_Required="No")))]
    gateway.wait_state(addresses[0], "deferred")
    tried = sink.connections
    ids += [queue_id(gateway.submit([address], mail(address, TLS_Required="No"))) for address in addresses[1:]]
    assert "tls-optional:wrong-only.example" in [d["destination"] for d in gateway.json("queue", "status")["unreachable"]]
    assert "DANE" in gateway.state(addresses[2])["reply"]
    assert [gateway.state(address)["attempts"] for address in addresses[1:]] == [0, 0]
    assert sink.connections == tried and untouched(sink)
    for message_id in ids:
        gateway.ctl("queue", "remove", message_id)


def test_but_not_the_administrators(gateway, hop, world, tag):
    sink = hop(world.own)
    assert "DANE" in deferred(gateway, send(gateway, "wrong-only.example", tag, TLS_Required="No"))
    assert untouched(sink)


def test_a33_nor_beside_requiretls(gateway, hop, world, tag):
    sink = hop(world.own, features=["REQUIRETLS"])
    sent = send(gateway, "wrong.example", tag, " REQUIRETLS", TLS_Required="No")
    gateway.wait_state(sent.address, None)
    line = gateway.audit(sent.id)[-1]
    assert line["event"] == "bounced" and "DANE" in line["reply"]
    assert untouched(sink)


def test_requiretls_over_dane(gateway, hop, world, tag):
    """§4.2.1: a certificate that DANE verifies will do, though no authority is trusted."""
    sink = hop(world.own, features=["REQUIRETLS"])
    line, arrived = delivered(gateway, sink, send(gateway, "ee-311.example", tag, " REQUIRETLS"))
    assert " REQUIRETLS" in arrived.mail_line
    assert "(dane-ee, TLSA 3 1 1); level dane by delivery tls" in line["out_tls_peer"]


# ---- what an administrator sees ----


def host(gateway, *words):
    """The one host that sealctl tls tells of, and the text."""
    answer = gateway.json("tls", *words)
    assert len(answer["hosts"]) == 1, answer
    return answer["hosts"][0], gateway.ctl("tls", *words).stdout.decode()


@pytest.mark.parametrize("domain, verdict, level, dane_state, why", [
    ("ee-311.example", "try", "dane", "usable", "level dane by delivery tls"),
    ("pkix.example", "try", "encrypt", "unusable", "level encrypt by delivery tls (dane: no TLSA record can be used)"),
    ("none.example", "try", "may", "none", "level may by delivery tls (dane: the host has no TLSA records)"),
    ("plain", "try", "may", "none", "level may by delivery tls (dane: the MX record is not signed)"),
    ("tlsa-fails.example", "wait", "dane", "failed", "level dane by delivery tls (TLSA records: DNS lookup failed"),
    ("none-only.example", "lacking", "dane-only", "none",
     "level dane-only by tls-policy none-only.example (the host has no TLSA records)"),
    ("secure.tlsa-bogus.example", "try", "secure", None, "level secure by tls-policy secure.tlsa-bogus.example"),
])
def test_sealctl_tls_says_what_is_demanded(gateway, domain, verdict, level, dane_state, why):
    told, text = host(gateway, domain)
    assert (told["verdict"], told["level"], told["dane"]) == (verdict, level, dane_state)
    assert told["why"].startswith(why) and why in text
    assert told["addresses"] == ["127.0.0.1"]
    assert told["match_name"] == (domain if level == "secure" else None)


def test_sealctl_tls_shows_the_records(gateway, world):
    told, text = host(gateway, "alias.example")
    record = tlsa(3, 1, 1, world.own[0])
    assert told["tlsa"] == [record] and told["tlsa_base"] == "mx.real.example" and told["host"] == "mx.alias.example"
    assert f"TLSA {record}\n" in text and "of mx.real.example\n" in text and "MX record found, signed" in text
    answer = gateway.json("tls", "next.example")
    assert [h["host"] for h in answer["hosts"]] == ["mx.clear.example", "mx.ee-311.example"]
    assert gateway.json("tls", "--requiretls", "none.example")["hosts"][0]["why"] == "level secure by REQUIRETLS"


def test_sealctl_tls_without_a_next_hop(gateway):
    answer = gateway.json("tls", "none.bogus")
    assert "DNSSEC validation failed" in answer["error"] and answer["hosts"] == []
    assert "no next hop: " in gateway.ctl("tls", "nowhere.example").stdout.decode()
    assert gateway.ctl("tls", check=False).returncode == 64
    assert gateway.ctl("tls", "a@b", check=False).returncode == 65


def test_deliveries_are_counted_by_their_tls(gateway, hop, world, tag):
    def counts():
        return gateway.json("status")["delivery"]["delivered"]

    before = counts()
    delivered(gateway, hop(world.own), send(gateway, "ee-of-two.example", tag))
    after = counts()
    assert {way for way in after if after[way] != before[way]} == {"dane-ee"}
    assert after["dane-ee"] == before["dane-ee"] + 1
    assert f"{after['dane-ee']} dane-ee" in gateway.ctl("status").stdout.decode()


# ---- a real server ----


@pytest.mark.skipif(not AS_ROOT, reason="Postfix runs only as root")
@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_real_postfix_with_its_own_certificate(make_gateway, postfix, pki, world, tag, right):
    certificate = pki.next_hop[0] if right else world.own[0]
    nsd = SignedNsd({"example": world.host("real", [tlsa(3, 1, 1, certificate)], port=postfix.port)})
    try:
        settings = dane(world, **{"mx-port": postfix.port, "resolvers": nsd.address, "trust-anchor": nsd.anchor})
        gateway = make_gateway("mx", rules=CLEAR, settings=settings)
        sent = send(gateway, "real.example", tag, body=f"{tag}\r\n")
        if right:
            assert b"with ESMTPS" in postfix.maildir.wait(f"\n{tag}\n")
            gateway.wait_state(sent.address, None)
            assert "verified for mx.real.example (dane-ee, TLSA 3 1 1)" in gateway.audit(sent.id)[-1]["out_tls_peer"]
        else:
            assert "DANE" in deferred(gateway, sent)
    finally:
        nsd.close()


# ---- asked for by a rule ----


@pytest.fixture(scope="module")
def guarded(pki, world):
    """Only a rule asks for DANE."""
    rules = 'rule "guarded" { when { subject = {"[guarded]"} } protect = never tls = dane-only }\n' + CLEAR
    with Gateway(pki, "mx", rules=rules, settings=dane(world, tls="may")) as made:
        yield made
        made.stop()
        assert not made.complaints()


def test_a_rule_asks_for_dane(guarded, hop, world, tag):
    sink = hop(world.own)
    line, _ = delivered(guarded, sink, send(guarded, "ee-311.example", tag, subject="[guarded]"))
    assert line["out_tls_peer"] == 'verified for mx.ee-311.example (dane-ee, TLSA 3 1 1); level dane-only by rule "guarded"'
    line, _ = delivered(guarded, sink, send(guarded, "ee-311.example", tag + "plain"))
    assert line["out_tls_peer"] == "not verified; level may by delivery tls"


@pytest.mark.parametrize("domain, why", [
    ("none.example", 'level dane-only by rule "guarded" (the host has no TLSA records)'),
    ("wrong.example", 'demanded: level dane-only by rule "guarded"'),
    ("tlsa-bogus.example", 'level dane-only by rule "guarded" ('),
])
def test_a33_a_rule_asks_for_dane_and_there_is_none(guarded, hop, world, tag, domain, why):
    sink = hop(world.own)
    assert why in deferred(guarded, send(guarded, domain, tag, subject="[guarded]"))
    assert untouched(sink)

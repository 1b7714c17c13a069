"""What a rule demands of the TLS to the next hop: raised for its mail alone, named in the trail, never shared, never set aside."""

import types

import readers
from gateway import USER, Gateway, mail, queue_id
from pki import server_context
from tools import SEALGATE, run, wait_until

import pytest

CONFIG_ERROR = 78
RULES = """
rule "confidential" { when { subject = {"[confidential]"} } protect = never tls = secure }
rule "private"      { when { subject = {"[private]"} }      protect = never tls = secure }
rule "partner"      { when { recipient = {"@partner.example"} } protect = never tls = encrypt }
rule "held"         { when { recipient = {"@hold.example"} } protect = require on-missing-key = hold tls = secure }
rule default { protect = never }
"""
BY_RULE = 'level secure by rule "confidential"'
SECURE = f"verified for localhost (pkix); {BY_RULE}"


def route(sink):
    return f"[localhost]:{sink.port}"


def submit(gateway, address, subject="A test", **fields):
    message_id = queue_id(gateway.submit([address], mail(address, "canary\r\n", subject=subject, **fields)))
    return types.SimpleNamespace(address=address, id=message_id)


def confidential(gateway, tag, **fields):
    return submit(gateway, f"{tag}-secret@example.com", "[confidential] canary", **fields)


def last(gateway, sent):
    return gateway.audit(sent.id)[-1]


def arrived(gateway, sink, sent):
    """The message, and its line of the trail."""
    message = sink.wait(sent.address)
    gateway.wait_state(sent.address, None)
    line = last(gateway, sent)
    assert line["event"] == "delivered"
    return message, line


def reason(gateway, sent):
    """Why it waits."""
    gateway.wait_state(sent.address, "deferred")
    line = last(gateway, sent)
    assert line["event"] == "deferred"
    return line["reply"]


def retry(gateway, message_id):
    """Now, or it is being tried already."""
    gateway.ctl("queue", "retry", message_id, check=False)


def refuse(verb, _argument, _session):
    return "554 5.7.0 never" if verb == "STARTTLS" else None


def break_handshake(verb, _argument, _session):
    return "220 2.0.0 go ahead" if verb == "STARTTLS" else None


def say_nothing(verb, _argument, session):
    if verb != "STARTTLS":
        return None
    session.say("220 2.0.0 go ahead")
    session.rfile.read()
    return False


@pytest.mark.parametrize("hop, clear, why", [
    ("no TLS", "in clear: the host does not offer STARTTLS", "does not offer STARTTLS"),
    ("refused", "in clear: the host refused STARTTLS", "refused STARTTLS"),
    ("broken", "in clear: TLS failed", "TLS handshake"),
    ("silent", "in clear: TLS failed", "timed out waiting for"),
    ("self-signed", "not verified", "not trusted"),
    ("wrong name", "not verified", "not for localhost"),
])
def test_a3_it_waits_where_other_mail_goes(make_gateway, make_sink, pki, tag, hop, clear, why):
    tls = {"no TLS": None, "self-signed": server_context(*pki.self_signed(f"{tag}.example", "DNS:localhost")),
           "wrong name": server_context(*pki.wrong_name)}
    script = {"refused": refuse, "broken": break_handshake, "silent": say_nothing}.get(hop)
    sink = make_sink(tls=tls.get(hop, True), script=script)
    gateway = make_gateway(route(sink), rules=RULES, settings={"delivery": {"handshake-timeout": "300ms"}})
    secret = confidential(gateway, tag)
    told = reason(gateway, secret)
    assert BY_RULE in told and why in told, told
    # It says nothing of the destination: other mail goes at once, as the administrator allows.
    assert gateway.json("queue", "status")["unreachable"] == []
    for n in range(2):
        message, line = arrived(gateway, sink, submit(gateway, f"{tag}-{n}@example.com"))
        assert line["out_tls_peer"] == f"{clear}; level may by delivery tls" and line["rule"] == "default"
        assert bool(message.tls) == (clear == "not verified")
    assert gateway.json("queue", "status")["unreachable"] == []
    retry(gateway, secret.id)
    assert gateway.state(secret.address) and not sink.find(secret.address)
    assert all(secret.address not in line for line in sink.said("RCPT"))


def test_over_verified_tls_and_connections_of_their_own(make_gateway, make_sink, tag):
    sink = make_sink()
    gateway = make_gateway(route(sink), rules=RULES, settings={"delivery": {"idle-timeout": "1min"}})
    plain = submit(gateway, f"{tag}-1@example.com")
    message, line = arrived(gateway, sink, plain)
    assert line["out_tls_peer"] == "not verified; level may by delivery tls"
    secret, told = arrived(gateway, sink, confidential(gateway, tag))
    assert told["out_tls_peer"] == SECURE and told["rule"] == "confidential" and secret.tls == told["out_tls_version"]
    private, line = arrived(gateway, sink, submit(gateway, f"{tag}-2@example.com", "[private]"))
    assert line["out_tls_peer"] == 'verified for localhost (pkix); level secure by rule "private"'
    # Each goes on over its own connection, whatever the order.
    assert len({message.connection, secret.connection, private.connection}) == 3
    assert arrived(gateway, sink, submit(gateway, f"{tag}-3@example.com"))[0].connection == message.connection
    assert arrived(gateway, sink, submit(gateway, f"{tag}-4@else.example", "[confidential]"))[0].connection == secret.connection
    assert 'peer="' + SECURE.replace('"', '\\"') + '"' in gateway.log


def test_one_message_by_two_rules(make_gateway, make_sink, tag):
    """The recipient whom no such rule covers does not wait for the other."""
    sink = make_sink(tls=None)
    gateway = make_gateway(route(sink), rules=RULES)
    partner, other = f"{tag}@partner.example", f"{tag}@example.com"
    message_id = queue_id(gateway.submit([partner, other], mail([partner, other])))
    assert sink.wait(other).recipients == [other]
    gateway.wait_state(partner, "deferred")
    assert 'level encrypt by rule "partner"' in gateway.state(partner)["reply"]
    shown = {r["address"]: r for r in gateway.json("queue", "show", message_id)["message"]["recipients"]}
    assert shown[partner]["rule_tls"] == "encrypt" and shown[partner]["copy"] != shown.get(other, {}).get("copy")
    sink.tls = server_context(*gateway.pki.next_hop)
    retry(gateway, message_id)
    assert sink.wait(partner).tls


def test_a_tls_policy_that_demands_more_stands(make_gateway, make_sink, tag):
    sink = make_sink()
    gateway = make_gateway(route(sink), rules=RULES, extra='tls-policy "partner.example" { level = secure }')
    _, line = arrived(gateway, sink, submit(gateway, f"{tag}@partner.example"))
    assert line["out_tls_peer"] == "verified for localhost (pkix); level secure by tls-policy partner.example"


def test_tls_required_no_does_not_set_it_aside(make_gateway, make_sink, tag):
    gateway = make_gateway(route(make_sink(tls=None)), rules=RULES)
    assert BY_RULE in reason(gateway, confidential(gateway, tag, TLS_Required="No"))


def test_a_held_message_keeps_the_demand(make_gateway, make_sink, keyring, pki, tag):
    """Through the hold, a crash, the release, and another crash."""
    sink = make_sink(tls=None)
    gateway = make_gateway(route(sink), rules=RULES)
    person = keyring.openpgp(f"{tag}@hold.example")
    held = submit(gateway, f"{tag}@hold.example")
    gateway.wait_state(held.address, "held")
    gateway.kill()
    gateway.start()
    assert gateway.json("held", "show", held.id)["message"]["recipients"][0]["rule_tls"] == "secure"
    gateway.add_keys(person)
    gateway.wait_state(held.address, "deferred")
    gateway.kill()
    gateway.start()
    retry(gateway, held.id)
    wait_until(lambda: gateway.state(held.address)["attempts"] >= 2, "it was tried again")
    assert 'level secure by rule "held"' in gateway.state(held.address)["reply"] and not sink.messages
    sink.tls = server_context(*pki.next_hop)
    retry(gateway, held.id)
    message, line = arrived(gateway, sink, held)
    assert message.tls and readers.is_sealed(message.data)
    assert line["out_tls_peer"] == 'verified for localhost (pkix); level secure by rule "held"'


def test_a32_a_report_shows_no_subject(make_gateway, make_sink, tag):
    """The way back to the sender is not the rule's; so it tells no more than of a sealed message."""
    sink = make_sink(tls=None)
    gateway = make_gateway(route(sink), rules=RULES, settings={"queue": {"lifetime": "1s"}})
    secret = confidential(gateway, tag, Comments="canary")
    dsn = sink.wait(lambda m: m.sender == "")
    assert dsn.recipients == [USER] and not dsn.tls and secret.address.encode() in dsn.data
    assert b"\r\nSubject: [...]\r\n" in dsn.data and b"canary" not in dsn.data
    gateway.wait_state(secret.address, None)
    line = last(gateway, secret)
    assert line["event"] == "bounced" and BY_RULE in line["reply"]


def test_explain_shows_it(make_gateway):
    gateway = make_gateway("[127.0.0.1]:9", rules=RULES, extra='tls-policy "partner.example" { level = secure }')

    def explain(address, subject):
        words = ("explain", "--from", USER, "--to", address, "--subject", subject)
        return gateway.json(*words)["recipients"][0]["tls"], gateway.ctl(*words).stdout.decode()

    told, text = explain("bob@example.com", "[confidential]")
    assert (told["level"], told["why"], told["rule_level"]) == ("secure", 'rule "confidential"', "secure")
    assert 'TLS secure (rule "confidential")\n' in text
    told, text = explain("bob@partner.example", "x")
    assert (told["level"], told["why"], told["rule_level"]) == ("secure", "tls-policy partner.example", "encrypt")
    assert "TLS secure (tls-policy partner.example), by its rule at least encrypt\n" in text
    told, text = explain("bob@example.com", "x")
    assert (told["level"], told["why"]) == ("may", "delivery tls") and "rule_level" not in told
    assert "TLS may (delivery tls)\n" in text


@pytest.mark.parametrize("level", ["none", "may"])
def test_a_rule_that_demands_nothing_is_refused(make_gateway, level):
    gateway = make_gateway("[127.0.0.1]:9", start=False)
    gateway.rules = f"rule default {{\n  protect = prefer\n  tls = {level}\n}}"
    gateway.write_conf()
    line = gateway.conf.read_text().splitlines().index(f"  tls = {level}") + 1
    checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    assert checked.returncode == CONFIG_ERROR
    said = checked.stderr.decode()
    assert f'{gateway.conf}:{line}: rule tls: "{level}" demands nothing' in said and "write encrypt" in said, said


def test_dane_by_a_rule_needs_a_trust_anchor(pki):
    gateway = Gateway(pki, "mx", rules="rule default { protect = prefer tls = dane }")
    try:
        checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
        assert checked.returncode == CONFIG_ERROR and "trust-anchor" in checked.stderr.decode()
    finally:
        gateway.close()

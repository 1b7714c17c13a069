"""DSN (RFC 3461): what the client asked for reaches a next hop that knows DSN, and is done by us where it does not."""

import re

import tools
from gateway import USER, mail, queue_id
from peers import Postfix
from tools import wait_until

import pytest

CLEAR = "rule default { protect = never }"
MAIL = " RET=FULL ENVID=QQ+2B"
RCPT = " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Orig+2B"


def fields(dsn):
    """Fields of the machine-readable part, in lower case."""
    status = re.search(rb"message/delivery-status\r\n(.*?)\r\n--", dsn, re.S).group(1)
    return dict(re.findall(r"^([\w-]+): *(.*?)\r$", status.decode(), re.M))


def submit(gateway, tag, address, notify=None, sender=USER):
    rcpt = f" NOTIFY={notify}" if notify else ""
    reply = gateway.submit([address], mail(address, f"{tag}-body\r\n"), sender=sender, rcpt_params=rcpt)
    message_id = queue_id(reply)
    gateway.wait_state(address, None)
    return message_id


@pytest.mark.parametrize("kind", ["openpgp", "smime", "clear"])
def test_a_next_hop_with_dsn_is_told(make_gateway, make_sink, people, tag, kind):
    person = {"openpgp": people.bob, "smime": people.dan, "clear": people.bob}[kind]
    sink = make_sink(features=["DSN"])
    gateway = make_gateway(sink.route, *([] if kind == "clear" else [person]),
                           rules=CLEAR if kind == "clear" else "rule default { protect = require }")
    address = person.tagged(tag)
    reply = gateway.submit([address], mail(address), mail_params=MAIL + tag, rcpt_params=RCPT + tag)
    assert reply.code == 250, reply
    sink.wait(address)
    assert f" RET=FULL ENVID=QQ+2B{tag}" in sink.said("MAIL")[0]
    assert f"<{address}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Orig+2B{tag}" in sink.said("RCPT")[0]
    gateway.wait_state(address, None)
    assert len(sink.messages) == 1, "the next hop reports, not we"


def test_parameters_that_were_not_given_are_not_made_up(make_gateway, make_sink, tag):
    sink = make_sink(features=["DSN"])
    gateway = make_gateway(sink.route, rules=CLEAR)
    submit(gateway, tag, f"{tag}@example.com")
    for word in ("RET=", "ENVID=", "NOTIFY=", "ORCPT="):
        assert word not in sink.said("MAIL")[0] + sink.said("RCPT")[0]


@pytest.mark.parametrize("notify, refused, reported", [
    (None, False, None), (None, True, "failed"),
    ("NEVER", False, None), ("NEVER", True, None),
    ("FAILURE", False, None), ("FAILURE", True, "failed"),
    ("SUCCESS", False, "relayed"), ("SUCCESS", True, None),
    ("SUCCESS,FAILURE,DELAY", False, "relayed"), ("SUCCESS,FAILURE,DELAY", True, "failed"),
])
def test_notify_where_the_next_hop_has_no_dsn(make_gateway, make_sink, tag, notify, refused, reported):
    def script(verb, argument, _session):
        return "550 5.1.1 unknown" if refused and verb == "RCPT" and tag in argument else None

    sink = make_sink(script=script)
    gateway = make_gateway(sink.route, rules=CLEAR)
    submit(gateway, tag, f"{tag}@example.com", notify)
    if reported:
        dsn = sink.wait(lambda m: m.sender == "")
        assert dsn.recipients == [USER]
        found = fields(dsn.data)
        assert found["Action"] == reported and found["Status"] == {"relayed": "2.0.0", "failed": "5.1.1"}[reported]
        assert f"{tag}-body".encode() not in dsn.data
    wait_until(lambda: gateway.queue() == [], "the queue is empty")
    assert len(sink.find(lambda m: m.sender == "")) == bool(reported)
    assert not [said for said in sink.said("MAIL") + sink.said("RCPT") if "NOTIFY" in said]


def test_envid_and_orcpt_come_back_decoded(make_gateway, make_sink, tag):
    sink = make_sink(script=lambda verb, argument, _: "550 5.1.1 no" if verb == "RCPT" and tag in argument else None)
    gateway = make_gateway(sink.route, rules=CLEAR)
    address = f"{tag}@example.com"
    assert gateway.submit([address], mail(address, f"{tag}-body\r\n"), mail_params=" RET=FULL ENVID=a+2Bb+3Dc+20d",
                          rcpt_params=" ORCPT=rfc822;o'+2Bx@example.com").code == 250
    dsn = sink.wait(lambda m: m.sender == "")
    assert fields(dsn.data)["Original-Envelope-Id"] == "a+b=c d"
    assert fields(dsn.data)["Original-Recipient"] == "rfc822;o'+x@example.com"
    # A32: RET=FULL or not.
    assert f"{tag}-body".encode() not in dsn.data


@pytest.mark.parametrize("where, value", [
    ("ENVID", "a+0D+0AX-Evil:+20yes"), ("ENVID", "a+00"), ("ENVID", "a+C3+B6"), ("ENVID", "a+zz"), ("ENVID", "x" * 101),
    ("ORCPT", "rfc822;a+0D+0AX-Evil:+20yes"), ("ORCPT", "rfc822;a+7F"), ("ORCPT", "no-type"), ("ORCPT", "utf-8;\\x{D}"),
])
def test_a9_what_would_break_a_line_is_refused_at_the_door(make_gateway, make_sink, tag, where, value):
    gateway = make_gateway(make_sink().route, rules=CLEAR)
    options = {"mail_params" if where == "ENVID" else "rcpt_params": f" {where}={value}"}
    reply = gateway.submit([f"{tag}@example.com"], mail(f"{tag}@example.com"), **options)
    assert reply.code == 501, reply


def test_a29_no_report_of_a_message_without_a_sender(make_gateway, make_sink, tag):
    """The report of the refusal is refused too; and a report that succeeds is not reported."""
    sink = make_sink(script=lambda verb, _argument, _session: "550 5.7.1 no" if verb == "RCPT" else None)
    gateway = make_gateway(sink.route, rules=CLEAR)
    submit(gateway, tag, f"{tag}@example.com", "SUCCESS,FAILURE")
    wait_until(lambda: gateway.queue() == [], "the queue is empty")
    assert len(sink.said("RCPT")) == 2


def test_held_and_restarted_it_is_still_told(make_gateway, make_sink, people, tag):
    sink = make_sink(features=["DSN"])
    gateway = make_gateway(sink.route, rules="rule default { protect = require on-missing-key = hold }")
    address = people.bob.tagged(tag)
    reply = gateway.submit([address], mail(address), mail_params=MAIL + tag, rcpt_params=RCPT + tag)
    message_id = queue_id(reply)
    gateway.kill()
    gateway.start()
    told = gateway.json("queue", "show", message_id)["message"]
    assert told["envid"] == f"QQ+2B{tag}" and told["ret"] == "FULL" and told["requiretls"] is False
    gateway.add_keys(people.bob)
    sink.wait(address)
    assert f" RET=FULL ENVID=QQ+2B{tag}" in sink.said("MAIL")[0]
    assert f" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Orig+2B{tag}" in sink.said("RCPT")[0]


# ---- a real one ----


def report(peer, tag):
    return peer.maildir.wait(lambda text: b"message/delivery-status" in text and tag.encode() in text)


def test_real_postfix_reports_what_was_asked(make_gateway, postfix, tag):
    gateway = make_gateway(f"[localhost]:{postfix.port}", rules=CLEAR)
    address = f"{tag}@example.com"
    assert gateway.submit([address], mail(address), mail_params=MAIL + tag, rcpt_params=RCPT + tag).code == 250
    found = fields(report(postfix, tag))
    assert found["Reporting-MTA"].endswith("mail.example.net") and found["Action"] == "delivered"
    assert found["Original-Envelope-Id"] == f"QQ+{tag}" and found["Original-Recipient"] == f"rfc822;Orig+{tag}"


def test_real_postfix_without_dsn_and_we_report(make_gateway, pki, tag):
    if not tools.AS_ROOT:
        pytest.skip("Postfix runs only as root")
    peer = Postfix(pki, "smtpd_discard_ehlo_keywords = dsn")
    try:
        gateway = make_gateway(f"[localhost]:{peer.port}", rules=CLEAR)
        address = f"{tag}@example.com"
        assert gateway.submit([address], mail(address), mail_params=MAIL + tag, rcpt_params=RCPT + tag).code == 250
        found = fields(report(peer, tag))
        assert found["Reporting-MTA"].endswith("gateway.example.org") and found["Action"] == "relayed"
        assert found["Original-Envelope-Id"] == f"QQ+{tag}" and found["Original-Recipient"] == f"rfc822;Orig+{tag}"
    finally:
        peer.close()

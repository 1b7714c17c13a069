"""One message to one domain, and what became of it, by the audit trail."""

import types

from gateway import mail, queue_id


def send(gateway, domain, tag, params="", **fields):
    """Tried at once, also when the domain's hosts failed before and its mail waits for the next probe."""
    address = f"{tag}@{domain}"
    reply = gateway.submit([address], mail(address, **fields), mail_params=params)
    gateway.ctl("queue", "retry", queue_id(reply), check=False)  # it may have left already
    return types.SimpleNamespace(address=address, id=queue_id(reply))


def delivered(gateway, sink, sent):
    """The audit line, and what arrived."""
    arrived = sink.wait(sent.address)
    gateway.wait_state(sent.address, None)
    line = gateway.audit(sent.id)[-1]
    assert line["event"] == "delivered"
    return line, arrived


def deferred(gateway, sent):
    """The reason; the message is gone then."""
    gateway.wait_state(sent.address, "deferred")
    line = gateway.audit(sent.id)[-1]
    assert line["event"] == "deferred"
    gateway.ctl("queue", "remove", sent.id)
    return line["reply"]


def untouched(sink):
    return not sink.messages and not sink.said("MAIL")

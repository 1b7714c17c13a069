"""The rules of RFC 9788 for who composes a message, and what a reader of its kind shows. It shares no code with the gateway,
and judges what arrived from three texts: the message submitted, its outer header, and the decrypted payload."""

import datetime
import email
import email.policy
import email.utils
import html.parser
import re

import protection

HIDDEN_SUBJECT = "[...]"
# RFC 9787 §1.1.2, those that a policy may change.
USER_FACING = ("subject", "from", "to", "cc", "date", "reply-to", "sender")
TRACE = ("received", "x-originating-ip")


def pairs(header):
    """(name, unfolded value) of the fields of a header that are not structural (RFC 9787 §1.1.1)."""
    found = []
    for field in protection.fields(header):
        name, _, value = field.decode("latin-1").partition(":")
        if not protection.is_structural(field):
            found.append((name.strip(), re.sub(r"\r\n([ \t])", r"\1", value).strip()))
    return found


def content_type(header):
    """Parameters of the one Content-Type, and its type."""
    types = [f for f in protection.fields(header) if protection.name(f) == b"content-type"]
    assert len(types) == 1, "exactly one Content-Type"
    parsed = email.message_from_bytes(types[0] + b"\r\n")
    return parsed.get_content_type(), dict(parsed.get_params()[1:])


def baseline(name, value):
    """§3.2.1, the value outside; None: not there."""
    if name.lower() == "subject":
        return HIDDEN_SUBJECT
    return None if name.lower() in ("keywords", "comments") else value


def shy(name, value):
    """§3.2.2"""
    if name.lower() in ("from", "to", "cc", "sender", "reply-to"):
        return ", ".join(address for _, address in email.utils.getaddresses([value]))
    if name.lower() == "date":
        when = email.utils.parsedate_to_datetime(value)
        return email.utils.format_datetime(when.astimezone(datetime.timezone.utc))
    return baseline(name, value)


def no_confidentiality(_name, value):
    """§3.2.3"""
    return value


POLICIES = {"none": no_confidentiality, "baseline": baseline, "shy": shy}


def plain(value):
    """Without what folding may differ in."""
    return re.sub(r"\s+", " ", value).replace("<", "").replace(">", "").strip()


def check(outer, payload, submitted, policy):
    """OUTER, PAYLOAD, SUBMITTED are whole messages. Every rule for hp="cipher" with a POLICY; the outer fields."""
    head, _, _ = protection.split(payload)
    sent_head, _, _ = protection.split(submitted)
    kind, parameters = content_type(head)
    assert parameters.get("hp") == "cipher", "§2.1.1: the root of the payload says it"
    inside = [(n, v) for n, v in pairs(head) if n.lower() != "hp-outer"]
    sent = [(n, v) for n, v in pairs(sent_head) if n.lower() not in ("bcc", "hp-outer")]
    assert inside == sent, "§5.2.1: every field that is not structural stands in the payload"
    assert content_type(sent_head)[0] == kind
    outside = [(n, v) for n, v in pairs(protection.split(outer)[0]) if n.lower() not in TRACE]
    told = [(n.strip(), v.strip()) for n, _, v in (v.partition(":") for n, v in pairs(head) if n.lower() == "hp-outer")]
    assert told == outside, "§2.2: HP-Outer repeats what stands outside, and nothing else"
    for name, value in outside:
        allowed = {plain(POLICIES[policy](n, v) or "") for n, v in sent if n == name}
        assert plain(value) in allowed, f"§3.2, {policy}: {name}: {value} is not one of {allowed}"
    for name in ("From", "To", "Date", "Message-ID"):
        assert [n for n, _ in outside].count(name) == 1, f"{name} is outside"
    return outside


def check_signed(outer, payload, submitted):
    """The rules for hp="clear": nothing is hidden, and no HP-Outer field says otherwise (§2.2)."""
    head, _, _ = protection.split(payload)
    assert content_type(head)[1].get("hp") == "clear"
    inside, sent = pairs(head), [(n, v) for n, v in pairs(protection.split(submitted)[0]) if n.lower() != "bcc"]
    outside = [(n, v) for n, v in pairs(protection.split(outer)[0]) if n.lower() not in TRACE]
    assert inside == sent and outside == sent


def shown(outside, payload):
    """What a reader knows to be confidential: user-facing fields of the payload that the outside does not have so."""
    protected = [(n, v) for n, v in pairs(protection.split(payload)[0]) if n.lower() != "hp-outer"]
    return [(n, v) for n, v in protected if n.lower() in USER_FACING and (n, v) not in outside]


def leaves(entity):
    """(Content-Type parameters, decoded body) of each text part, in order."""
    parsed = email.message_from_bytes(entity, policy=email.policy.compat32)
    return [(part.get_content_type(), dict(part.get_params()[1:]), part.get_payload(decode=True),
             part.get_content_disposition()) for part in parsed.walk() if not part.is_multipart()]


def _text_without_legacy_display(text):
    display, blank, rest = text.partition(b"\r\n\r\n")
    assert blank
    return display.decode().split("\r\n"), rest


class _Element(html.parser.HTMLParser):
    """Finds the element of §5.2.3, its text, and the elements around it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.around, self.start, self.end, self.shown = [], None, None, None, ""
        self.lines = text.split("\n")
        self.feed(text)

    def _offset(self):
        line, column = self.getpos()
        return sum(len(text) + 1 for text in self.lines[:line - 1]) + column

    def handle_starttag(self, tag, attrs):
        if self.start is None and ("class", "header-protection-legacy-display") in attrs:
            assert tag == "div"
            self.start, self.around = self._offset(), list(self.open)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if self.start is not None and self.end is None and self.open == self.around:
            self.end = self._offset() + len("</div>")

    def handle_data(self, data):
        if self.start is not None and self.end is None and self.open[-1] == "pre":
            self.shown += data


def _html_without_legacy_display(text):
    text = text.decode()
    element = _Element(text)
    assert element.end, "there is an element, and it is closed"
    assert element.around == (["html", "body"] if "<body" in text else []), "it is the body's first"
    before, rest = text[:element.start], text[element.end:]
    assert before.endswith(("<body>\r\n", "<body> \r\n", "<body>  \r\n")) or before.strip() == ""
    before, rest = (before.rstrip(" \r\n"), rest) if before else ("", rest.removeprefix("\r\n"))
    return element.shown.split("\r\n"), (before + rest).encode()


def without_legacy_display(kind, text):
    """§4.5.3.3: (the lines shown, the rest) of a text/plain or text/html: what stands before the first empty line goes, or the
    element of the class header-protection-legacy-display."""
    return {"text/plain": _text_without_legacy_display, "text/html": _html_without_legacy_display}[kind](text)

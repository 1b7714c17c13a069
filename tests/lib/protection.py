"""Header protection (RFC 9788) seen from outside: is a decrypted entity the submitted message, and what does it say?"""

import re

ADDED = (b"message-id", b"date")  # where the message lacked them (RFC 6409 §8)


def fields(header):
    """Raw fields of a header, each with its folds and line end."""
    return re.findall(rb"[^\r\n][^\n]*\n(?:[ \t][^\n]*\n)*", header)


def name(field):
    return field.partition(b":")[0].rstrip().lower()


def split(message):
    """Header with its last line end, separator, body."""
    if message.startswith(b"\r\n"):
        return b"", b"\r\n", message[2:]
    head, blank, body = message.partition(b"\r\n\r\n")
    return (head + b"\r\n", b"\r\n", body) if blank else (message, b"", b"")


def is_blind(field):
    return name(field) in (b"bcc", b"resent-bcc")


def is_structural(field):
    return name(field).startswith(b"content-") or name(field) == b"mime-version"


def without_hp(field):
    """A Content-Type without the parameters that header protection adds."""
    return re.sub(rb';\s*(?:hp|protected-headers)="?\w+"?', b"", field)


def assert_is(entity, submitted, hp="cipher"):
    """ENTITY holds what was SUBMITTED: each field but Bcc as it was, its body byte for byte; beside that only what header
    protection adds."""
    head, _, body = split(entity)
    sent_head, _, sent_body = split(submitted)
    sent = [f for f in fields(sent_head) if not is_blind(f) and name(f) != b"hp-outer"]
    lacking = [n for n in ADDED if n not in [name(f) for f in sent]]
    types = [f for f in fields(head) if name(f) == b"content-type"]
    assert len(types) == 1 and f'hp="{hp}"'.encode() in types[0], "the root says that it is protected"
    got = [f for f in fields(head) if name(f) != b"hp-outer"]
    order = list
    if body != sent_body:
        got, body = unwrapped(got, types[0], body)
        order = sorted  # what describes the part stands in the part
    assert body == sent_body, "the body is the same bytes"
    kept = [f for f in got if name(f) != b"content-type" and name(f) not in lacking]
    assert order(kept) == order(f for f in sent if name(f) != b"content-type"), "all fields stand inside as they were"
    assert [name(f) for f in got if name(f) in lacking] == lacking
    sent_types = [f.rstrip(b"; \t\r\n") for f in sent if name(f) == b"content-type"]
    got_types = [without_hp(f).rstrip(b"; \t\r\n") for f in got if name(f) == b"content-type"]
    assert got_types == sent_types or (not sent_types and len(got_types) <= 1), (got_types, sent_types)


def unwrapped(got, content_type, body):
    """The fields and body of a message that became the one part of a multipart/mixed."""
    boundary = re.search(rb'multipart/mixed;.*boundary="([^"]+)"', content_type, re.S).group(1)
    inner = re.fullmatch(rb"--" + boundary + rb"\r\n(.*)\r\n--" + boundary + rb"--\r\n", body, re.S).group(1)
    head, _, body = split(inner)
    outside = [f for f in got if name(f) != b"content-type" and not (is_structural(f) and f in fields(head))]
    return outside + fields(head), body


def outer_values(entity):
    """What HP-Outer says of the fields outside, as (name, value) in order."""
    said = [re.sub(rb"\r\n([ \t])", rb"\1", f).partition(b":")[2].strip() for f in fields(split(entity)[0])
            if name(f) == b"hp-outer"]
    return [(v.partition(b":")[0].strip().decode(), v.partition(b":")[2].strip().decode()) for v in said]

"""Messages of the forms that RFC 9788 shows in its appendix, simple, complex and as replies, under each policy, with and without
legacy display, encrypted, signed and encrypted, signed alone: is what arrives composed by its rules?"""

import base64
import email.header
import re

import header_protection
import protection
import readers
from conftest import run_gateway
from gateway import USER, Gateway
from signing import signing_section, verified_by_openssl

import pytest

POLICIES = ("none", "baseline", "shy")
DOMAINS = [f"{policy}{legacy}" for policy in POLICIES for legacy in ("", "-legacy")]
RULES = "\n".join(
    [f'rule "{policy}{legacy}" {{ when {{ recipient = {{"@{policy}{legacy}.example"}} }} protect = require '
     f'header-protection = {policy} legacy-display = {"yes" if legacy else "no"} sign = prefer }}'
     for policy in POLICIES for legacy in ("", "-legacy")] + [
         'rule "clear" { when { recipient = {"@clear.example"} } protect = never sign = require }',
         "rule default { protect = require on-missing-key = refuse }"])

TEXT = "This is the\r\nbody of {form}.\r\n\r\nAlice\r\n-- \r\nalice@example.org\r\n"
HTML = ("<html><head><title></title></head><body>\r\n<p>This is the <b>{form}</b>.</p>\r\n<p><tt>-- <br/>Alice</tt></p>"
        "</body></html>\r\n")
PNG = ("iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC\r\n")


def simple(form):
    return 'Content-Type: text/plain; charset="us-ascii"\r\nContent-Transfer-Encoding: 7bit\r\n', TEXT.format(form=form)


def complex_(form):
    """mixed { alternative { plain, html }, image }, with boundaries inside one another."""
    text = ('--c7f\r\nContent-Type: multipart/alternative; boundary="e68"\r\n\r\n--e68\r\n'
            'Content-Type: text/plain; charset="us-ascii"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n' + TEXT.format(form=form)
            + '\r\n--e68\r\nContent-Type: text/html; charset="us-ascii"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n'
            + HTML.format(form=form) + '\r\n--e68--\r\n\r\n--c7f\r\nContent-Type: image/png\r\n'
            'Content-Transfer-Encoding: base64\r\nContent-Disposition: inline\r\n\r\n' + PNG + '\r\n--c7f--\r\n')
    return 'Content-Type: multipart/mixed; boundary="c7f"\r\n', text


def quoted(form):
    """A text in another charset, in an encoding of its own."""
    return ("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n",
            f"Gr=C3=BC=C3=9Fe,=20\r\nthis is {form}.\r\n")


def dinner(kind, text):
    """The shape of the two messages of Appendix E.1 and E.2, before their legacy display is added."""
    return f'Content-Type: text/{kind}; charset="us-ascii"\r\nContent-Transfer-Encoding: 7bit\r\n', text


def page(form):
    return dinner("html", HTML.format(form=form))


def picture(form):
    """mixed { related { image, html }, attached html }: the root of what is related is not its first part, and in base64."""
    html = base64.encodebytes(("<p>This is <b>" + form + "</b>, für Jürgen.</p>").encode()).decode().replace("\n", "\r\n")
    return 'Content-Type: multipart/mixed; boundary="c7f"\r\n', (
        '--c7f\r\nContent-Type: multipart/related; boundary="e68"; start="<root@e>"\r\n\r\n--e68\r\nContent-Type: image/png\r\n'
        'Content-Transfer-Encoding: base64\r\nContent-Disposition: inline\r\n\r\n' + PNG + '\r\n--e68\r\n'
        'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <root@e>\r\n\r\n' + html
        + '\r\n--e68--\r\n\r\n--c7f\r\nContent-Type: text/html; charset="us-ascii"\r\nContent-Disposition: attachment\r\n\r\n'
        + HTML.format(form=form) + '\r\n--c7f--\r\n')


REPLY = ("In-Reply-To: <20210220.1000@example.com>\r\nReferences: <20210219.0900@example.com>\r\n"
         " <20210220.1000@example.com>\r\n")

# Where the element must stand, of the text parts that there are.
SHOWN_IN = {"complex": ["text/plain", "text/html"], "complex-reply": ["text/plain", "text/html"], "html": ["text/html"],
            "picture": ["text/html"]}

FORMS = {
    "simple": (simple, "", "simple"),
    "complex": (complex_, "", "complex"),
    "simple-reply": (simple, REPLY, "Re: simple"),
    "complex-reply": (complex_, REPLY, "Re: complex"),
    "html": (page, "", "simple <html> & more"),
    "picture": (picture, "", "complex"),
    "utf8": (quoted, "", email.header.Header("Vertraulich: der Vertrag für Jürgen", "utf-8").encode()),
}


def compose(form, to, tag):
    make, more, subject = FORMS[form]
    structure, body = make(form)
    return (f"MIME-Version: 1.0\r\n{structure}Subject: {subject} {tag}\r\nMessage-ID: <{tag}@example.org>\r\n"
            f"From: Alice Liddell <{USER}>\r\nTo: Bob Baker <{to}>\r\nCc: carol+{tag}@example.com (Carol), dave@example.com\r\n"
            f"Date: Sat, 20 Feb 2021 10:06:02 -0500\r\n{more}User-Agent: Sample MUA Version 1.0\r\n"
            f"Keywords: contract\r\nComments: not for everybody\r\n\r\n{body}").encode()


@pytest.fixture(scope="module")
def people_here(keyring):
    """pat has OpenPGP, sam S/MIME, at a domain of each rule; alice signs S/MIME."""
    addresses = [f"{{}}@{d}.example" for d in DOMAINS]
    return (keyring.openpgp(*(a.format("pat") for a in addresses)),
            keyring.smime(addresses[0].format("sam"), more=[a.format("sam") for a in addresses[1:]]), keyring.smime(USER))


@pytest.fixture(scope="module")
def sealing(pki, sink, people_here):
    pat, sam, alice = people_here
    gateway = Gateway(pki, sink.route, RULES)
    gateway.extra = signing_section(gateway, USER, smime=alice)
    gateway.write_conf()
    yield from run_gateway(gateway, [pat, sam])


def sent(gateway, sink, form, to, tag):
    message = compose(form, to, tag)
    reply = gateway.submit([to], message)
    assert reply.code == 250, str(reply)
    return message, sink.wait(to).data


def payload_of(arrived, person, alice):
    """What is protected: for S/MIME under a signature, which openssl verifies."""
    entity = readers.read(person, arrived)
    return entity if person.format == "openpgp" else verified_by_openssl(entity, alice)


def legacy_lines(hidden):
    """As a reader who knows nothing of header protection sees them: decoded."""
    return [f"{n}: {email.header.make_header(email.header.decode_header(v))}" for n, v in hidden]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("which", ["pat", "sam"])
@pytest.mark.parametrize("domain", DOMAINS)
def test_composed_by_the_rules(sealing, sink, people_here, tag, domain, which, form):
    pat, sam, alice = people_here
    person = pat if which == "pat" else sam
    policy, _, legacy = domain.partition("-")
    message, arrived = sent(sealing, sink, form, f"{which}+{tag}@{domain}.example", tag)
    payload = payload_of(arrived, person, alice)
    outside = header_protection.check(arrived, payload, message, policy)
    for name in ("Keywords", "Comments", "User-Agent"):
        assert readers.header(arrived, name) == []
    hidden = header_protection.shown(outside, payload)
    assert bool(hidden) == (policy != "none")
    for name, value in hidden:
        assert name in ("Subject", "From", "To", "Cc", "Date") and value.encode() not in arrived
    if policy == "shy":
        assert not re.search(rb"Liddell|Baker|Carol|-0500", arrived) and b"15:06:02 +0000" in arrived
    if not legacy or not hidden:
        assert b"hp-legacy-display" not in payload
        protection.assert_is(payload, message)
        return
    parts, submitted_parts = header_protection.leaves(payload), header_protection.leaves(message)
    assert len(parts) == len(submitted_parts)
    told = [kind for kind, parameters, _, disposition in parts if parameters.get("hp-legacy-display") == "1"]
    assert told == SHOWN_IN.get(form, ["text/plain"]), "§2.1.2: the parameter stands at the texts that have the element"
    for (kind, parameters, text, disposition), (_, _, submitted, _) in zip(parts, submitted_parts):
        if "hp-legacy-display" not in parameters:
            assert text == submitted, "no other part changes"
            continue
        assert disposition != "attachment"
        lines, rest = header_protection.without_legacy_display(kind, text)
        assert lines == legacy_lines(hidden), "§5.2.2: a line for each hidden field that people see"
        assert rest == submitted


@pytest.mark.parametrize("kind, text, shown", [
    ("plain", "Let's meet\r\nthere.\r\n", "Subject: dinner {tag}\r\n\r\nLet's meet\r\nthere.\r\n"),
    ("html", "<html><head><title></title></head><body>\r\n<p>\r\nLet's meet\r\n</p>\r\n</body>\r\n</html>\r\n",
     '<html><head><title></title></head><body>\r\n<div class="header-protection-legacy-display">\r\n'
     "<pre>Subject: dinner {tag}</pre>\r\n</div>\r\n<p>\r\nLet's meet\r\n</p>\r\n</body>\r\n</html>\r\n"),
])
def test_legacy_display_looks_as_in_appendix_e(sealing, sink, people_here, tag, kind, text, shown):
    pat, _, _ = people_here
    to = f"pat+{tag}@baseline-legacy.example"
    structure, body = dinner(kind, text)
    message = (f"Date: Fri, 21 Jan 2022 20:40:48 -0500\r\nFrom: Alice <{USER}>\r\nTo: Bob <{to}>\r\nSubject: dinner {tag}\r\n"
               f"Message-ID: <{tag}@example.org>\r\nMIME-Version: 1.0\r\n{structure}\r\n{body}").encode()
    assert sealing.submit([to], message).code == 250
    head, _, rest = protection.split(readers.with_gpg(pat, sink.wait(to).data))
    assert header_protection.content_type(head)[1] == {"charset": "us-ascii", "hp": "cipher", "protected-headers": "v1",
                                                       "hp-legacy-display": "1"}
    assert rest.decode() == shown.format(tag=tag)


@pytest.mark.parametrize("form", FORMS)
def test_signed_alone_nothing_is_hidden(sealing, sink, people_here, tag, form):
    _, _, alice = people_here
    message, arrived = sent(sealing, sink, form, f"{tag}@clear.example", tag)
    payload = verified_by_openssl(arrived, alice)
    header_protection.check_signed(arrived, payload, message)
    assert b"HP-Outer" not in arrived and b"hp-legacy-display" not in arrived
    protection.assert_is(payload, message, hp="clear")


def test_what_others_said_of_the_outside_is_left_out(sealing, sink, people_here, tag):
    """§2.2: HP-Outer and hp of the submitted message would be lies."""
    pat, _, _ = people_here
    to = f"pat+{tag}@baseline.example"
    message = compose("simple", to, tag).replace(b"Keywords:", b"HP-Outer: Subject: a lie\r\nKeywords:").replace(
        b'us-ascii"', b'us-ascii"; hp="clear"; hp-legacy-display="1"', 1)
    assert sealing.submit([to], message).code == 250
    payload = readers.with_gpg(pat, sink.wait(to).data)
    assert b"a lie" not in payload and b"hp-legacy-display" not in payload and payload.count(b"hp=") == 1

"""TLS reporting (RFC 8460): what delivery did with real MX hosts, policy hosts and DNS stands in the reports, which arrive by
mail and by HTTPS."""

import base64
import collections
import email
import email.policy
import gzip
import json
import sqlite3
import types

import dkim
import pytest
from cryptography.hazmat.primitives import serialization

from dns import Nsd, SignedNsd
from outcome import deferred, delivered, send
from pki import self_signed, server_context, tlsa
from policy_host import PolicyHost
from tools import SEALGATE, free_port, run, wait_until

CLEAR = "rule default { protect = never }"
MAILBOX = "tls@reports.example"
ORGANIZATION, CONTACT, SENDER = "Example Org", "postmaster@example.org", "tls-reports@example.org"
STS = ("testing", "other", "enforce", "expired", "reports")
NAMES = (*STS, "wrong", "nofetch", "badpolicy", "webpki", "plain", "norua", "tworecords", "badrua", "lookup", "broken", "private",
         "selfrua", "counts")


def policy(name, mode, mx=None):
    return f"version: STSv1\nmode: {mode}\nmx: {mx or f'mx.{name}.example'}\nmax_age: 86400\n"


class World:
    """One server is every MX host, another every web host."""

    def __init__(self, folder, pki):
        self.mx_port = free_port()
        contexts = {f"mx.{name}.example": server_context(*self_signed(folder, f"mx.{name}.example")) for name in ("testing", "reports")}
        contexts["mx.wrong.example"] = server_context(*pki.wrong_name)
        contexts["mx.expired.example"] = server_context(*pki.issue("mx.expired.example", days=-1, file="mx-expired"))
        self.context = server_context(*pki.issue("mx.example", *(f"DNS:mx.{name}.example" for name in NAMES)))
        self.context.sni_callback = lambda connection, name, _: setattr(connection, "context", contexts.get(name, self.context))
        self.web = PolicyHost(server_context(*pki.issue("web.example", *(f"DNS:mta-sts.{n}.example" for n in NAMES if n != "webpki"),
                                                        *(f"DNS:{n}.rua.example" for n in ("good", "broken", "private")))))
        for name in ("good", "broken", "private", "self"):
            self.web.answers[f"{name}.rua.example"] = ("", "text/plain", 201)
        self.web.contexts["self.rua.example"] = server_context(*self_signed(folder, "self.rua.example"))
        for name, mode in (("testing", "testing"), ("enforce", "enforce"), ("expired", "enforce"), ("wrong", "enforce"),
                           ("reports", "enforce"), ("webpki", "enforce")):
            self.web.policy(f"{name}.example", policy(name, mode))
        self.web.policy("other.example", policy("other", "testing", "*.elsewhere.example"))
        self.web.policy("nofetch.example", "", code=404)
        self.web.policy("badpolicy.example", "version: STSv1\n")
        # No answer about the records of lookup.example.
        self.nsd = Nsd({"example": self.zone(), "_smtp._tls.lookup.example": None})

    def rua(self, name, rest=""):
        return f"https://{name}.rua.example:{self.web.port}/v1/tlsrpt{rest}"

    def zone(self):
        good, mailbox = self.rua("good"), f"mailto:{MAILBOX}"
        asks = {name: [f"v=TLSRPTv1; rua={good}"] for name in NAMES}
        asks |= {"testing": [f"v=TLSRPTv1; rua={mailbox},{good}?x=%41"], "broken": [f"v=TLSRPTv1; rua={self.rua('broken')}"],
                 "norua": ["v=spf1 -all"], "tworecords": [f"v=TLSRPTv1; rua={good}"] * 2, "badrua": ["v=TLSRPTv1; rua=ftp://x.example"],
                 "private": [f"v=TLSRPTv1; rua={self.rua('private')}"], "selfrua": [f"v=TLSRPTv1; rua={self.rua('self')}"],
                 "lookup": [], "tworecords": [f"v=TLSRPTv1; rua={good}", f"v=TLSRPTv1; rua={mailbox}"]}
        text = "good.rua A 127.0.0.1\nbroken.rua A 127.0.0.1\nself.rua A 127.0.0.1\nprivate.rua A 127.0.0.9\n"
        for name in NAMES:
            text += f"{name} MX 10 mx.{name}\nmx.{name} A 127.0.0.1\nmta-sts.{name} A 127.0.0.1\n"
            text += "".join(f'_smtp._tls.{name} 0 TXT "{record}"\n' for record in asks[name])
            if name in (*STS, "wrong", "nofetch", "badpolicy", "webpki"):
                text += f'_mta-sts.{name} TXT "v=STSv1; id=1"\n'
        return text


def settings(world, nsd, **delivery):
    return {"delivery": {"tls": "may", "mx-port": world.mx_port, "resolvers": nsd.address, "mta-sts-port": world.web.port,
                         "mta-sts-timeout": "2s", "mta-sts-networks": "127.0.0.0/30", **delivery},
            "queue": {"first-retry": "1h", "last-retry": "1h"},
            "tls-reports": {"contact": CONTACT, "organization": ORGANIZATION, "spread": "0s", "networks": "127.0.0.0/30"}}


@pytest.fixture(scope="module")
def world(folder, pki):
    (folder / "reports").mkdir()
    made = World(folder / "reports", pki)
    yield made
    made.nsd.close()
    made.web.close()


@pytest.fixture
def sink(make_sink, world):
    return make_sink(tls=world.context, port=world.mx_port)


@pytest.fixture(scope="module")
def signing(folder):
    """The key as a file, and the DNS that has its public part, for reports alone."""
    file = folder / "dkim.pem"
    run("openssl", "genrsa", "-traditional", "-out", file, "2048")
    file.chmod(0o600)
    key = serialization.load_pem_private_key(file.read_bytes(), None).public_key()
    public = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    records = {b"tls._domainkey.example.org.": b"v=DKIM1; k=rsa; s=tlsrpt; p=" + base64.b64encode(public)}
    return types.SimpleNamespace(file=file, lookup=lambda name, timeout=5: records.get(name))


def signed_reports(world, signing, **delivery):
    made = settings(world, world.nsd, **delivery)
    made["tls-reports"] |= {"sender": SENDER, "dkim-domain": "example.org", "dkim-selector": "tls", "dkim-key": signing.file}
    return made


@pytest.fixture
def gateway(make_gateway, world, signing):
    return make_gateway("mx", rules=CLEAR, settings=signed_reports(world, signing))


def shown(gateway, domain):
    """Today's report as it would be."""
    return gateway.json("tls-report", "show", "--day", "today", domain)["report"]


def policies(report):
    """{type: (good, failed, Counter of the result types)}."""
    found = {}
    for each in report["policies"]:
        summary = each["summary"]
        counted = collections.Counter()
        for detail in each.get("failure-details", []):
            counted[detail["result-type"]] += detail["failed-session-count"]
        assert counted.total() == summary["total-failure-session-count"]
        found[each["policy"]["policy-type"]] = (summary["total-successful-session-count"], summary["total-failure-session-count"],
                                                dict(counted))
    return found


def kinds(report):
    """The same with a set for the Counter: what is deferred may have been tried twice (outcome.send)."""
    return {kind: (good, set(counted)) for kind, (good, _, counted) in policies(report).items()}


def the_day_is_over(gateway):
    """As if all that was recorded had been recorded the day before."""
    gateway.stop()
    database = sqlite3.connect(gateway.state_dir / "delivery" / "tlsrpt.db")
    with database:
        database.execute("UPDATE policy SET day = day - 1")
    database.close()
    gateway.start()


def state(gateway, domain):
    """Of its report; None: nothing is kept of it."""
    found = [day for day in gateway.json("tls-report", "list")["days"] if day["domain"] == domain]
    return found[0] if found else None


def wait_report(gateway, domain, *states):
    def there():
        found = state(gateway, domain)
        return (found or True) if (found["report"] if found else None) in states else None
    return wait_until(there, lambda: f"{domain} {states}, but: {state(gateway, domain)}\n{gateway.tail()}")


def posted(world, path):
    """The reports that arrived there."""
    return [json.loads(gzip.decompress(body)) for _, at, _, body in world.web.posted if at == path]


def no_tls(verb, _argument, session):
    """The script of a sink that answers the ClientHello with something else."""
    if verb != "STARTTLS":
        return None
    session.say("220 2.0.0 go ahead")
    session.rfile.read(1)
    session.wfile.write(b"no, this is no TLS\r\n")
    session.wfile.flush()
    return False


# ---- what is recorded ----


def test_results(gateway, world, sink, tag, make_sink):
    """RFC 8460 §4.3: each failure by its name; mail goes on or waits as without reports."""
    for domain in ("testing", "other", "enforce", "nofetch", "badpolicy", "webpki", "plain"):
        delivered(gateway, sink, send(gateway, f"{domain}.example", tag))
    for domain in ("expired", "wrong"):
        deferred(gateway, send(gateway, f"{domain}.example", tag))
    found = {domain: policies(shown(gateway, f"{domain}.example"))
             for domain in ("testing", "other", "enforce", "nofetch", "badpolicy", "webpki", "plain")}
    assert kinds(shown(gateway, "expired.example")) == {"sts": (0, {"certificate-expired"})}
    assert kinds(shown(gateway, "wrong.example")) == {"sts": (0, {"certificate-host-mismatch"})}
    assert found == {
        "testing": {"sts": (0, 1, {"certificate-not-trusted": 1})},
        "other": {"sts": (0, 1, {"validation-failure": 1})},
        "enforce": {"sts": (1, 0, {})},
        "nofetch": {"no-policy-found": (1, 0, {}), "sts": (0, 1, {"sts-policy-fetch-error": 1})},
        "badpolicy": {"no-policy-found": (1, 0, {}), "sts": (0, 1, {"sts-policy-invalid": 1})},
        "webpki": {"no-policy-found": (1, 0, {}), "sts": (0, 1, {"sts-webpki-invalid": 1})},
        "plain": {"no-policy-found": (1, 0, {})},
    }
    sink.stop()
    in_clear = make_sink(tls=False, port=world.mx_port)
    delivered(gateway, in_clear, send(gateway, "plain.example", tag + "c"))
    deferred(gateway, send(gateway, "enforce.example", tag + "c"))
    # The domain's policies are set aside for this one.
    delivered(gateway, in_clear, send(gateway, "enforce.example", tag + "o", TLS_Required="No"))
    in_clear.stop()
    half = make_sink(tls=world.context, port=world.mx_port, script=lambda verb, *_: "454 4.7.0 not now" if verb == "STARTTLS" else None)
    delivered(gateway, half, send(gateway, "plain.example", tag + "h"))
    half.stop()
    broken = make_sink(tls=world.context, port=world.mx_port, script=no_tls)
    delivered(gateway, broken, send(gateway, "plain.example", tag + "b"))
    assert kinds(shown(gateway, "enforce.example")) == {"sts": (1, {"starttls-not-supported"})}
    report = shown(gateway, "plain.example")
    assert policies(report) == {"no-policy-found": (1, 3, {"starttls-not-supported": 2, "validation-failure": 1})}
    reasons = {detail.get("failure-reason-code") for detail in report["policies"][0]["failure-details"]}
    assert any("not now" in reason for reason in reasons if reason)


def test_dane(make_gateway, make_sink, world, pki, folder, tag):
    own = self_signed(folder, "dane-reports")
    names = ("good", "bad", "odd", "none", "bogus")
    zone = "".join(f"{name} MX 10 mx.{name}\nmx.{name} A 127.0.0.1\n" for name in names)
    port = f"_{world.mx_port}._tcp"
    zone += f"{port}.mx.good TLSA {tlsa(3, 1, 1, own[0])}\n{port}.mx.good TLSA 3 1 1 {'ab' * 32}\n"
    zone += f"{port}.mx.bad TLSA 3 1 1 {'00' * 32}\n{port}.mx.odd TLSA {tlsa(1, 1, 1, own[0])}\n"
    nsd = SignedNsd({"example": zone, f"{port}.mx.bogus.example": f"@ TLSA {tlsa(3, 1, 1, own[0])}\n"},
                    expired=[f"{port}.mx.bogus.example"])
    try:
        made = settings(world, nsd, **{"tls": "dane", "trust-anchor": nsd.anchor})
        gateway = make_gateway("mx", rules=CLEAR, settings=made, extra='tls-policy "none.example" { level = dane-only }')
        sink = make_sink(tls=server_context(*own), port=world.mx_port)
        for name in ("good", "odd"):
            delivered(gateway, sink, send(gateway, f"{name}.example", tag))
        for name in ("bad", "none", "bogus"):
            deferred(gateway, send(gateway, f"{name}.example", tag))
        reports = {name: shown(gateway, f"{name}.example") for name in names}
        assert {name: kinds(report) for name, report in reports.items()} == {
            "good": {"tlsa": (1, set())},
            "bad": {"tlsa": (0, {"certificate-not-trusted"})},
            "odd": {"tlsa": (0, {"tlsa-invalid"})},
            "none": {"no-policy-found": (0, {"dane-required"})},
            "bogus": {"tlsa": (0, {"dnssec-invalid"})},
        }
        applied = reports["good"]["policies"][0]["policy"]
        # §1.1: the TLSA base domain of the MX host.
        assert applied == {"policy-type": "tlsa", "policy-domain": "mx.good.example",
                           "policy-string": sorted([tlsa(3, 1, 1, own[0]), "3 1 1 " + "ab" * 32])}
        assert {name: reports[name]["policies"][0]["policy"]["policy-domain"] for name in ("bogus", "none")} == {
            "bogus": "mx.bogus.example", "none": "none.example"}
    finally:
        nsd.close()


# ---- what is sent ----


def check_report(report, domain):
    assert (report["organization-name"], report["contact-info"]) == (ORGANIZATION, CONTACT)
    start, end = report["date-range"]["start-datetime"], report["date-range"]["end-datetime"]
    assert start.endswith("T00:00:00Z") and end == start[:10] + "T23:59:59Z"
    found, = report["policies"]
    assert found["policy"] == {"policy-type": "sts", "policy-domain": domain, "mx-host": [f"mx.{domain}"],
                               "policy-string": ["version: STSv1", "mode: testing", f"mx: mx.{domain}", "max_age: 86400"]}
    assert found["summary"] == {"total-successful-session-count": 0, "total-failure-session-count": 1}
    assert found["failure-details"] == [{"result-type": "certificate-not-trusted", "sending-mta-ip": "127.0.0.1",
                                         "receiving-mx-hostname": f"mx.{domain}", "receiving-ip": "127.0.0.1",
                                         "failed-session-count": 1, "failure-reason-code": "self-signed certificate"}]


def test_a_days_report(gateway, world, sink, signing, tag):
    """By mail, though the mailbox's own domain demands TLS that cannot be had (§3), and by HTTPS; once."""
    delivered(gateway, sink, send(gateway, "testing.example", tag))
    for domain in ("norua", "tworecords", "badrua"):
        delivered(gateway, sink, send(gateway, f"{domain}.example", tag))
    world.web.posted.clear()
    the_day_is_over(gateway)
    arrived = sink.wait(MAILBOX)
    wait_report(gateway, "testing.example", "sent")
    assert arrived.sender == SENDER
    message = email.message_from_bytes(arrived.data, policy=email.policy.SMTP)
    report_id = message["Subject"].rpartition("Report-ID: ")[2]
    assert message["Subject"] == f"Report Domain: testing.example Submitter: gateway.example.org Report-ID: {report_id}"
    assert (message["TLS-Report-Domain"], message["TLS-Report-Submitter"]) == ("testing.example", "gateway.example.org")
    assert message["From"] == SENDER and message["TLS-Required"] == "No"
    assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "tlsrpt"
    words, attached = message.iter_parts()
    assert words.get_content_type() == "text/plain" and attached.get_content_type() == "application/tlsrpt+gzip"
    name = attached.get_filename().split("!")
    assert name[:2] == ["gateway.example.org", "testing.example"] and int(name[3]) - int(name[2]) == 86399
    report = json.loads(gzip.decompress(attached.get_payload(decode=True)))
    check_report(report, "testing.example")
    assert f"<{report['report-id']}>" == report_id
    assert dkim.verify(arrived.data, dnsfunc=signing.lookup, tlsrpt="strict")
    fields = world.web.posted[0][2]
    assert fields["Content-Type"] == "application/tlsrpt+gzip" and "Expect" not in fields
    assert posted(world, "/v1/tlsrpt?x=%41") == [report]
    # Nobody asked for the others, and the reports themselves are not reported.
    for domain in ("norua", "tworecords", "badrua"):
        wait_report(gateway, f"{domain}.example", None)
    assert state(gateway, "reports.example") is None
    counts = gateway.json("status")["delivery"]["tls_reports"]
    assert (counts["sent"], counts["failed"]) == (2, 0)
    assert "TLS reports: sent 2," in gateway.ctl("status").stdout.decode()
    gateway.stop()
    gateway.start()
    assert wait_report(gateway, "testing.example", "sent") and len(world.web.posted) == 1
    assert sum(MAILBOX in message.recipients for message in sink.messages) == 1


def test_a_report_does_not_wait_for_what_it_tells_of(gateway, world, sink, tag):
    """The mailbox's domain demands TLS that cannot be had, and its mail waits; the report goes at once (§3)."""
    waiting = send(gateway, "reports.example", tag)
    gateway.wait_state(waiting.address, "deferred")
    delivered(gateway, sink, send(gateway, "testing.example", tag))
    the_day_is_over(gateway)
    sink.wait(MAILBOX)
    assert gateway.state(waiting.address)["state"] == "deferred"
    assert [d["destination"] for d in gateway.json("queue", "status")["unreachable"]] == ["reports.example"]
    gateway.ctl("queue", "remove", waiting.id)


def test_midnight_passes_while_it_runs(gateway, world, sink, tag):
    """No restart and no word of an administrator is needed for yesterday's report."""
    delivered(gateway, sink, send(gateway, "counts.example", tag))
    world.web.posted.clear()
    database = sqlite3.connect(gateway.state_dir / "delivery" / "tlsrpt.db", timeout=10)
    with database:
        database.execute("UPDATE policy SET day = day - 1")
    database.close()
    wait_until(lambda: posted(world, "/v1/tlsrpt"), lambda: f"no report\n{gateway.tail()}", 45)
    wait_report(gateway, "counts.example", "sent")


def test_a_report_through_postfix(make_gateway, world, postfix, signing, tag):
    """Whole, and its signature holds, when a real server has taken it."""
    gateway = make_gateway("mx", rules=CLEAR, settings=signed_reports(world, signing, **{"mx-port": postfix.port}))
    send(gateway, "testing.example", tag)
    postfix.maildir.wait(tag)
    the_day_is_over(gateway)
    wait_report(gateway, "testing.example", "sent")
    arrived = postfix.maildir.wait("TLS-Report-Domain: testing.example")
    attached = list(email.message_from_bytes(arrived, policy=email.policy.SMTP).iter_parts())[1]
    report = json.loads(gzip.decompress(attached.get_payload(decode=True)))
    found, = report["policies"]
    assert found["policy"]["policy-domain"] == "testing.example"
    assert [detail["result-type"] for detail in found["failure-details"]] == ["certificate-host-mismatch"]
    assert dkim.verify(arrived, dnsfunc=signing.lookup, tlsrpt="strict")


def test_what_fails_is_tried_again(gateway, world, sink, tag):
    """And does nothing to mail."""
    failing = ("broken", "private", "selfrua", "lookup")
    for domain in failing:
        delivered(gateway, sink, send(gateway, f"{domain}.example", tag))
    world.web.answers["broken.rua.example"] = ("", "text/plain", 500)
    world.web.posted.clear()
    the_day_is_over(gateway)
    why = {"broken": "the answer is 500, not 2xx", "private": "not a public one", "selfrua": "self-signed", "lookup": "SERVFAIL"}
    for domain in failing:
        wait_until(lambda: why[domain] in (state(gateway, f"{domain}.example") or {"why": ""})["why"], f"{domain} fails")
        found = state(gateway, f"{domain}.example")
        assert found["report"] == "waiting" and found["due"] and found["attempts"] == 1
    assert [host for host, *_ in world.web.posted] == ["broken.rua.example"]
    delivered(gateway, sink, send(gateway, "broken.example", tag + "b"))
    # A restart forgets neither the report nor that it waits. One was tried for a day by then.
    world.web.answers["broken.rua.example"] = ("", "text/plain", 204)
    gateway.stop()
    database = sqlite3.connect(gateway.state_dir / "delivery" / "tlsrpt.db")
    with database:
        database.execute("UPDATE report SET first_ms = first_ms - 90000000, due_ms = 0 WHERE domain = 'private.example'")
    database.close()
    gateway.start()
    assert why["private"] in wait_report(gateway, "private.example", "dropped")["why"]
    gateway.wait_log("tls-report-dropped")
    assert wait_report(gateway, "broken.example", "waiting", "collecting") and len(world.web.posted) == 1
    assert gateway.json("tls-report", "send", "broken.example")["reports"] == 1
    wait_until(lambda: any(day["report"] == "sent" for day in gateway.json("tls-report", "list")["days"]), "it is sent")
    first, second = posted(world, "/v1/tlsrpt")
    assert first == second
    counts = gateway.json("status")["delivery"]["tls_reports"]
    assert (counts["sent"], counts["dropped"]) == (1, 1)


def test_counts_outlive_a_restart(gateway, world, sink, tag):
    """Also the end of a process that had no time to write anything."""
    delivered(gateway, sink, send(gateway, "counts.example", tag))
    gateway.kill()
    gateway.start()
    # A connection of its own each time: the one before is gone.
    delivered(gateway, sink, send(gateway, "counts.example", tag + "b"))
    assert policies(shown(gateway, "counts.example")) == {"no-policy-found": (2, 0, {})}
    # Sent by hand for a day that goes on: the whole day's report follows.
    world.web.posted.clear()
    text = gateway.ctl("tls-report", "send", "--day", "today", "counts.example").stdout.decode()
    assert text == "reports due now: 1\n"
    wait_report(gateway, "counts.example", "collecting")
    wait_until(lambda: world.web.posted, "it arrives")
    wait_report(gateway, "counts.example", "collecting")
    the_day_is_over(gateway)
    wait_report(gateway, "counts.example", "sent")
    today, whole = posted(world, "/v1/tlsrpt")
    assert today["report-id"] != whole["report-id"] and not today["date-range"]["end-datetime"].endswith("23:59:59Z")
    assert "counts.example" in gateway.ctl("tls-report", "list", "--day", "yesterday").stdout.decode()
    for words, why in ((("send", "--day", "2026-02-30"), "is no day"), (("show", "nobody.example"), "no TLS session"),
                       (("send", "nobody.example"), "no TLS session"), (("show", "no domain"), "is no domain")):
        said = gateway.ctl("tls-report", *words, check=False)
        assert said.returncode and why in said.stderr.decode()
    assert gateway.ctl("tls-report", "show", check=False).returncode == 64


# ---- what is asked of the administrator ----


def test_off_by_default_and_when_damaged(make_gateway, world, sink, tag):
    made = settings(world, world.nsd)
    made["tls-reports"] = {}
    gateway = make_gateway("mx", rules=CLEAR, settings=made)
    delivered(gateway, sink, send(gateway, "testing.example", tag))
    said = gateway.ctl("tls-report", "list", check=False)
    assert said.returncode and "TLS reports are off" in said.stderr.decode()
    store = gateway.state_dir / "delivery" / "tlsrpt.db"
    assert not store.exists()
    # On, and the store is damaged: mail goes on without reports.
    gateway.stop()
    store.write_bytes(b"this is no database, though it is a long text about it\n" * 100)
    gateway.settings |= settings(world, world.nsd)
    gateway.write_conf()
    gateway.start()
    gateway.wait_log("tls-reports-off")
    delivered(gateway, sink, send(gateway, "testing.example", tag + "b"))


def test_wrong_settings(make_gateway, world):
    gateway = make_gateway("mx", start=False, settings=settings(world, world.nsd))
    good = gateway.settings["tls-reports"]
    for keys, why in (({"contact": "nobody"}, "tls-reports contact"),
                      ({"contact": None, "sender": SENDER}, "contact is missing"),
                      ({"sender": "nobody"}, "tls-reports sender"),
                      ({"networks": "127.0.0.1/8"}, "tls-reports"),
                      ({"dkim-domain": "example.org"}, "together or not at all"),
                      ({"dkim-domain": "example.org", "dkim-selector": "s", "dkim-key": "/dev/null"}, "no regular file"),
                      ({"dkim-domain": "example.org", "dkim-selector": "s", "dkim-key": gateway.key}, "the key must be RSA")):
        gateway.settings["tls-reports"] = good | keys
        gateway.write_conf()
        said = run(SEALGATE, "-n", "-c", gateway.conf, check=False)
        assert said.returncode and why in said.stderr.decode()

"""A smarthost that wants to know who we are: logins at a real Postfix (by Dovecot), and a client certificate."""

from dovecot import Dovecot
from gateway import mail, queue_id
from peers import Postfix
from pki import Pki, server_context
from tools import AS_ROOT, SEALGATE, run, wait_until

import pytest

CLEAR = "rule default { protect = never }"
NAME, PASSWORD = "relay@example.net", "tr\u00fcb, sal=zig"
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN")


@pytest.fixture(scope="module")
def smarthost(pki):
    """A port for each mechanism alone, "any" with all, and one that goes by certificate."""
    if not AS_ROOT:
        pytest.skip("Postfix runs only as root")
    dovecot = Dovecot({NAME: PASSWORD}, mechanisms="plain login scram-sha-1 scram-sha-256")
    postfix = None
    try:
        services = {m: f"-o smtpd_sasl_mechanism_filter={m}" for m in MECHANISMS}
        services["any"] = ""
        services["certificate"] = ("-o smtpd_sasl_auth_enable=no -o smtpd_tls_ask_ccert=yes "
                                   "-o smtpd_relay_restrictions=permit_tls_all_clientcerts,reject")
        postfix = Postfix(pki, services=services, more=f"""
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dovecot.socket}
smtpd_tls_auth_only = yes
smtpd_tls_CAfile = {pki.ca}
smtpd_tls_loglevel = 1
smtpd_relay_restrictions = permit_sasl_authenticated, reject
""")
        yield postfix
    finally:
        if postfix:
            postfix.close()
        dovecot.close()


@pytest.fixture
def secret(folder, tag):
    """A file with the password."""
    path = folder / f"{tag}.password"
    path.touch(mode=0o600)
    path.write_text(PASSWORD + "\n", encoding="utf-8")
    return path


def login(secret, tls="secure", **keys):
    return {"delivery": {"tls": tls, "user": NAME, "password-file": secret, **keys}}


def send(gateway, address, tag):
    return queue_id(gateway.submit([address], mail(address, f"{tag}-body\r\n")))


@pytest.mark.parametrize("mechanism", MECHANISMS + ("any",))
def test_it_logs_in_by(make_gateway, smarthost, secret, tag, mechanism):
    gateway = make_gateway(f"[localhost]:{smarthost.ports[mechanism]}", rules=CLEAR, settings=login(secret))
    message_id = send(gateway, f"{tag}@example.com", tag)
    smarthost.maildir.wait(f"{tag}-body")
    gateway.wait_state(f"{tag}@example.com", None)
    assert gateway.audit(message_id)[-1]["event"] == "delivered"
    used = "SCRAM-SHA-256" if mechanism == "any" else mechanism
    said = [line for line in smarthost.log.splitlines() if f"sasl_username={NAME}" in line]
    assert said and f"sasl_method={used}," in said[-1]
    assert PASSWORD not in gateway.log


def test_a_refused_login_waits_for_the_administrator(make_gateway, smarthost, secret, tag):
    secret.write_text("not the one\n")
    gateway = make_gateway(f"[localhost]:{smarthost.ports['any']}", rules=CLEAR, settings=login(secret))
    message_id = send(gateway, f"{tag}@example.com", tag)
    gateway.wait_log("event=deferred")
    told = gateway.audit(message_id)[-1]
    assert told["event"] == "deferred"
    assert "535" in told["reply"] and "until delivery user and password-file are right" in told["reply"]
    assert told["reply"][:40] in gateway.log
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    gateway.reload()
    smarthost.maildir.wait(f"{tag}-body")
    gateway.wait_state(f"{tag}@example.com", None)
    events = [line["event"] for line in gateway.audit(message_id)]
    assert "bounced" not in events and events[-1] == "delivered"


def test_a_refused_login_is_not_hammered(make_gateway, make_sink, secret, tag):
    """An account is locked after some wrong passwords: one try speaks for all mail, whichever domain it is for."""
    reply = {"AUTH": "535 5.7.8 no"}
    sink = make_sink(features=["AUTH PLAIN"], script=lambda verb, *_: reply.get(verb))
    route = f"[localhost]:{sink.port}"
    gateway = make_gateway(route, rules=CLEAR, settings={**login(secret), "queue": {"first-retry": "2s", "last-retry": "2s"}})
    recipients = [f"{tag}-{n}@example{n}.com" for n in range(8)]
    for recipient in recipients:
        send(gateway, recipient, tag)

    def failures():
        return {d["destination"]: d["failures"] for d in gateway.json("queue", "status")["unreachable"]}

    wait_until(lambda: failures().get(route, 0) >= 3, lambda: f"three failures of the route\n{gateway.tail()}")
    tries, known = len(sink.said("AUTH")), failures()
    # Beside each that counts there may be one that was on its way when the first had failed.
    assert list(known) == [route] and tries <= known[route] + 1, (known, tries)
    said = [line for line in gateway.log.splitlines() if "event=login-refused" in line]
    assert tries - 1 <= len(said) <= tries + 1 and f"login={NAME}" in said[0] and "sealctl queue retry all" in said[0]
    reply["AUTH"] = "235 2.7.0 welcome"
    for recipient in recipients:
        sink.wait(recipient)


@pytest.mark.parametrize("hop", ["clear", "wrong name", "untrusted"])
def test_the_password_goes_to_nobody_else(make_gateway, make_sink, pki, folder, secret, tag, hop):
    """Nor does the mail."""
    if hop == "untrusted":
        (folder / tag).mkdir()
    tls = {"clear": lambda: False, "wrong name": lambda: server_context(*pki.wrong_name),
           "untrusted": lambda: server_context(*Pki(folder / tag).next_hop)}[hop]()
    sink = make_sink(tls=tls, features=["AUTH PLAIN SCRAM-SHA-256"])
    gateway = make_gateway(f"[localhost]:{sink.port}", rules=CLEAR, settings=login(secret, "verify"))
    send(gateway, f"{tag}@example.com", tag)
    gateway.wait_state(f"{tag}@example.com", "deferred")
    assert not sink.said("AUTH") and not sink.said("MAIL") and not sink.messages


def test_a_smarthost_that_wants_a_certificate(make_gateway, smarthost, pki, tag):
    shown = pki.client("relaying.example.org")
    keys = {"tls": "secure", "certificate": shown.certificate, "key": shown.key}
    route = f"[localhost]:{smarthost.ports['certificate']}"
    with_one = make_gateway(route, rules=CLEAR, settings={"delivery": keys})
    without = make_gateway(route, rules=CLEAR, settings={"delivery": {"tls": "secure"}})
    send(with_one, f"{tag}@example.com", tag)
    smarthost.maildir.wait(f"{tag}-body")
    with_one.wait_state(f"{tag}@example.com", None)
    message_id = send(without, f"{tag}-else@example.com", tag)
    without.wait_state(f"{tag}-else@example.com", "deferred", None)
    assert [line["event"] for line in without.audit(message_id)][1] in ("deferred", "bounced")


@pytest.mark.parametrize("settings, words", [
    ({"tls": "encrypt"}, "delivery tls: the password is sent over verified TLS only"),
    ({"route": "mx"}, "route must name one"),
    ({"password-file": None}, "user and password-file are given together"),
    ({"user": None, "password-file": None, "channel-binding": "require"}, "channel-binding: is for a login"),
    ({"source-address": "localhost"}, "is no IPv4 or IPv6 address"),
    ({"certificate": "/nonexistent"}, "certificate and key are given together"),
])
def test_what_could_not_work_is_said_before(make_gateway, secret, settings, words):
    gateway = make_gateway("[localhost]:25", start=False, settings=login(secret, **{"tls": "secure", **settings}))
    checked = run(SEALGATE, "-n", "-c", gateway.conf, check=False)
    assert checked.returncode != 0 and words in (checked.stdout + checked.stderr).decode()


def test_a26_a_password_that_others_can_read(make_gateway, secret):
    secret.chmod(0o640)
    gateway = make_gateway("[localhost]:25", start=False, settings=login(secret))
    gateway.launch()
    assert gateway.process.wait(30) != 0
    assert f"chmod 600 {secret}" in gateway.log


def test_connections_come_from_the_source_address(make_gateway, make_sink, tag):
    peers = []
    sink = make_sink(script=lambda verb, _argument, session: peers.append(session.client_address[0]))
    gateway = make_gateway(sink.route, rules=CLEAR, settings={"delivery": {"source-address": "127.0.0.77"}})
    send(gateway, f"{tag}@example.com", tag)
    sink.wait(f"{tag}@example.com")
    assert set(peers) == {"127.0.0.77"}

"""Guessing of passwords (A20), rates, and clients that try without TLS."""

import threading

import smtp
from gateway import PASSWORD, USER, mail
from tools import free_port, wait_until

import pytest

BOB = "bob@example.org"
MANY = "1000/1h"
NEVER = "rule default { protect = never }"


def throttle(**limits):
    """Settings with these limits, all others out of the way."""
    keys = {"failures_address": MANY, "failures_network": MANY, "failures_user": MANY, **limits}
    return {"throttle": {name.replace("_", "-"): value for name, value in keys.items()}}


def login(gateway, source="127.0.0.1", user=USER, password=PASSWORD):
    with gateway.connect(source=source) as client:
        client.ehlo()
        return client.login(user, password)


def guess(gateway, source, user=USER):
    return login(gateway, source, user, "wrong")


def assert_blocked(reply, where):
    assert reply.code == 454 and reply.text.startswith(f"4.7.0 Too many failed logins {where}: try again in "), str(reply)


def blocked(gateway):
    return [(row["kind"], row["name"]) for row in gateway.json("status")["guard"]["blocked"]]


@pytest.fixture
def guarded(make_gateway, sink):
    """make(settings, …) → a gateway that passes everything on, with a second user."""
    def make(settings, **options):
        gateway = make_gateway(sink.route, rules=NEVER, settings=settings, **options)
        gateway.ctl("user", "add", BOB, input=PASSWORD + "\n")
        return gateway
    return make


# ---- A20 ----

def test_a20_guessing_from_one_address(guarded):
    gateway = guarded(throttle(failures_address="3/1h"))
    for user in (USER, BOB, "nobody@example.org"):
        assert guess(gateway, "127.0.0.2", user).code == 535
    assert_blocked(guess(gateway, "127.0.0.2"), "from your address")
    assert_blocked(login(gateway, "127.0.0.2"), "from your address")
    assert login(gateway).code == 235 and login(gateway, "127.0.0.3", BOB).code == 235
    assert blocked(gateway) == [("address", "127.0.0.2")]
    assert "127.0.0.2" in gateway.ctl("status").stdout.decode()

    gateway.stop()
    gateway.start()
    assert_blocked(login(gateway, "127.0.0.2"), "from your address")
    gateway.kill()
    gateway.start()
    assert_blocked(login(gateway, "127.0.0.2"), "from your address")
    gateway.reload()
    gateway.wait_log("reloaded")
    wait_until(lambda: gateway.listens(), "the gateway listens after a reload")
    assert_blocked(login(gateway, "127.0.0.2"), "from your address")

    gateway.ctl("guard", "forget", "address", "127.0.0.2")
    assert login(gateway, "127.0.0.2").code == 235
    assert blocked(gateway) == []


def test_a20_guessing_against_one_user(guarded):
    """Whoever is known to be the user gets in meanwhile; a name that nobody has looks the same (A19)."""
    gateway = guarded(throttle(failures_user="3/1h"))
    assert login(gateway).code == 235
    for user in (USER, "nobody@example.org"):
        for n in range(2, 5):
            assert guess(gateway, f"127.0.{n}.1", user).code == 535
        assert_blocked(guess(gateway, "127.0.9.1", user), "for this user")
    assert_blocked(login(gateway, "127.0.9.1"), "for this user")
    assert_blocked(login(gateway, "127.0.9.1", USER.upper()), "for this user")
    assert login(gateway, "127.0.9.1", BOB).code == 235
    assert login(gateway).code == 235
    gateway.stop()
    gateway.start()
    assert login(gateway).code == 235, "the known address was forgotten"
    assert_blocked(login(gateway, "127.0.9.1"), "for this user")


def test_a20_guessing_from_one_network(guarded):
    gateway = guarded(throttle(failures_network="3/1h"))
    for n in range(1, 4):
        assert guess(gateway, f"127.0.7.{n}", f"user{n}").code == 535
    assert_blocked(login(gateway, "127.0.7.200"), "from your network")
    assert login(gateway, "127.0.8.1").code == 235
    assert blocked(gateway) == [("network", "127.0.7.0/24")]


def test_a20_hashing_cannot_eat_the_machine(guarded):
    """Many guess at once; one process checks, one at a time, and who is known gets in meanwhile."""
    gateway = guarded(throttle(failures_address="3/1h"))
    assert login(gateway).code == 235
    codes, stop = [], threading.Event()

    def keep_guessing(n):
        while not stop.is_set():
            try:
                codes.append(guess(gateway, f"127.1.{n}.1", f"nobody{n}").code)
            except (smtp.Closed, OSError):
                codes.append(0)

    guessers = [threading.Thread(target=keep_guessing, args=(n,)) for n in range(10)]
    for thread in guessers:
        thread.start()
    try:
        wait_until(lambda: len(codes) > 20, "they guess")
        workers = gateway.pids("passwords")
        for _ in range(3):
            assert login(gateway).code == 235
        assert gateway.pids("passwords") == workers and len(workers) == 1
    finally:
        stop.set()
        for thread in guessers:
            thread.join()
    assert codes.count(535) <= 10 * 3, "guessing at once got beyond the limit"


def test_a_damaged_database_stops_nobody(guarded):
    gateway = guarded(throttle(failures_address="1/1h"))
    assert guess(gateway, "127.0.0.2").code == 535
    assert_blocked(login(gateway, "127.0.0.2"), "from your address")
    gateway.stop()
    path = gateway.state_dir / "auth" / "guard.db"
    path.write_bytes(b"no database" * 1000)
    gateway.start()
    assert login(gateway).code == 235 and login(gateway, "127.0.0.2").code == 235
    assert "guard-moved-aside" in gateway.log
    assert path.with_suffix(".db.damaged").read_bytes().startswith(b"no database")
    assert guess(gateway, "127.0.0.2").code == 535
    assert_blocked(login(gateway, "127.0.0.2"), "from your address")


# ---- rates ----

def assert_over(reply, text):
    assert reply.code == 450 and reply.text.startswith("4.7.1 " + text + ": try again in "), str(reply)


def send(gateway, client, user=USER, recipients=("to@example.com",)):
    """The first reply that is no success, or the last."""
    reply = client.command(f"MAIL FROM:<{user}>")
    for recipient in recipients:
        if reply.code == 250:
            reply = client.command(f"RCPT TO:<{recipient}>")
    if reply.code == 250 and (reply := client.command("DATA")).code == 354:
        client.send(smtp.dot_stuff(mail("to@example.com").replace(USER.encode(), user.encode())))
        reply = client.reply()
    return reply


def as_user(gateway, user=USER, source="127.0.0.1"):
    client = gateway.connect(source=source)
    client.ehlo()
    assert client.login(user, PASSWORD).code == 235
    return client


def test_messages_of_a_user(guarded):
    gateway = guarded({"auth": {"rate": "3/1h"}, "submission": {"processes": 2}})
    for _ in range(3):
        with as_user(gateway) as client:
            assert send(gateway, client).code == 250
    over = f"3 messages in 1h are the limit for {USER}"
    with as_user(gateway, source="127.0.0.2") as client:
        assert_over(send(gateway, client), over)
        assert client.command("NOOP").code == 250
    with as_user(gateway, BOB) as client:
        assert send(gateway, client, BOB).code == 250
    wait_until(lambda: ("user-messages", USER, 3) in
               [(r["kind"], r["name"], r["count"]) for r in gateway.json("guard", "list")["rows"]], "the count is there")
    gateway.stop()
    gateway.start()
    with as_user(gateway) as client:
        assert_over(send(gateway, client), over)


def test_an_account_has_its_own_rates(guarded):
    accounts = (f'account "{BOB}" {{ rate = "2/1h" recipients-rate = "3/1d" }}\n'
                'account "*@example.org" { recipients-rate = "1/1h" }')
    gateway = guarded({"auth": {"rate": "1/1h"}}, extra=accounts)
    with as_user(gateway, BOB) as client:
        assert send(gateway, client, BOB).code == 250
        assert send(gateway, client, BOB, ["a@example.com", "b@example.com"]).code == 250
        assert_over(send(gateway, client, BOB), f"2 messages in 1h are the limit for {BOB}")
    with as_user(gateway) as client:
        assert client.command(f"MAIL FROM:<{USER}>").code == 250
        assert client.command("RCPT TO:<a@example.com>").code == 250
        assert_over(client.command("RCPT TO:<b@example.com>"), f"1 recipient in 1h is the limit for {USER}")
        assert client.command("DATA").code == 354, "the first recipient stands"
        client.send(smtp.dot_stuff(mail("a@example.com")))
        assert client.reply().code == 250
        assert_over(client.command(f"MAIL FROM:<{USER}>"), f"1 message in 1h is the limit for {USER}")


def test_a_relay_client_has_its_own_rate(guarded):
    port = free_port()
    relay = (f'listen "127.0.0.1:{port}" {{ tls = implicit clients = {{scanner}} }}\n'
             'client "scanner" { networks = {"127.0.0.4"} send-as = {"scanner@example.org"} rate = "2/1h" }')
    gateway = guarded({"auth": {"rate": "1/1h"}}, extra=relay)
    with smtp.Raw(port, gateway.pki, source="127.0.0.4") as client:
        client.ehlo()
        for _ in range(2):
            assert send(gateway, client, "scanner@example.org").code == 250
        assert_over(send(gateway, client, "scanner@example.org"), "2 messages in 1h are the limit for scanner")


def test_an_address_has_a_rate_whoever_sends(guarded):
    gateway = guarded({"throttle": {"client-rate": "2/1h", "client-recipients-rate": "3/1h"}})
    with as_user(gateway) as client:
        assert send(gateway, client, recipients=["a@example.com", "b@example.com"]).code == 250
    with as_user(gateway, BOB) as client:
        assert client.command(f"MAIL FROM:<{BOB}>").code == 250
        assert client.command("RCPT TO:<a@example.com>").code == 250
        assert_over(client.command("RCPT TO:<b@example.com>"), "3 recipients in 1h are the limit for 127.0.0.1")
        client.command("RSET")
        assert_over(client.command(f"MAIL FROM:<{BOB}>"), "2 messages in 1h are the limit for 127.0.0.1")
    with as_user(gateway, BOB, "127.0.0.2") as client:
        assert send(gateway, client, BOB).code == 250


# ---- tries without TLS ----

def test_status_shows_who_tries_in_clear(guarded):
    gateway = guarded({})
    with gateway.connect(tls=None, source="127.0.0.5") as client:
        reply = client.command("MAIL FROM:<scanner@example.org>")
        assert reply.code == 530 and "SSL/TLS (port 465) or STARTTLS (port 587)" in reply.text
    for _ in range(2):
        with gateway.connect(tls=None, source="127.0.0.6") as client:
            assert client.command("EHLO printer.example.org").code == 250
            assert client.command("AUTH PLAIN AGFsaWNlAHNlY3JldA==").code == 530

    def rows():
        return {row["name"]: row for row in gateway.json("status")["guard"]["clear"]}

    wait_until(lambda: rows().get("127.0.0.6", {}).get("count") == 2 and "127.0.0.5" in rows(), lambda: str(rows()))
    assert rows()["127.0.0.6"]["verb"] == "AUTH" and rows()["127.0.0.6"]["helo"] == "printer.example.org"
    assert rows()["127.0.0.5"]["verb"] == "MAIL" and rows()["127.0.0.5"]["helo"] is None
    text = gateway.ctl("status").stdout.decode()
    assert "TRIED WITHOUT TLS" in text and "printer.example.org" in text
    listed = gateway.json("guard", "list", "--clear")["rows"]
    assert {row["name"] for row in listed} == {"127.0.0.5", "127.0.0.6"}
    assert 'tried-in-clear client=127.0.0.6' in gateway.log and "AGFsaWNl" not in gateway.log

    gateway.ctl("guard", "forget", "clear", "127.0.0.6")
    assert set(rows()) == {"127.0.0.5"}
    again = gateway.ctl("guard", "forget", "clear", "127.0.0.6", check=False)
    assert again.returncode == 66 and b"nothing is counted" in again.stderr
    wrong = gateway.ctl("guard", "forget", "weather", "x", check=False)
    assert wrong.returncode == 65

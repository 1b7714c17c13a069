"""Who knows the passwords: a real Dovecot, a real LDAP directory. What they cannot answer is 454, never 535."""

import base64
import itertools

import tools
from dovecot import Dovecot
from gateway import PASSWORD, USER, mail
from pki import Pki
from slapd import PEOPLE, READER, READER_PASSWORD, SUFFIX, Slapd, entry, person
from tools import AS_ROOT, SEALGATE, run

import pytest

# Who guesses is slowed down by address, network and user: each attempt here comes from elsewhere.
SOURCES = (f"127.{a}.{b}.1" for a in itertools.count(1) for b in range(256))

# A21: what would be more than a name in a filter, a DN, a line, a list of fields or a file.
NAMES = ["*", "a*", "alice*", "alice)(uid=*", "alice)(|(uid=*)", "*)(objectClass=*", "alice,ou=people", "alice+cn=alice",
         "\\61lice", "alice\\2a", "alice\t", "\talice", "alice\nbob", "alice\r\n", "alice\tuser=bob", "alice\0bob",
         "alice\x01tuser=bob", "\"alice\"", "'alice'", "alice;", "alice#", "#alice", "<alice>", "alice=", "uid=alice",
         " ", "", "alice:x", "%u", "alice%", "${alice}", "../alice", "alice\x7f", "alice\x85", "\xe4lice", "a" * 255,
         "a" * 5000]


def answer(gateway, user, password):
    """The reply to AUTH PLAIN; user and password may be bytes."""
    user, password = (text if isinstance(text, bytes) else text.encode() for text in (user, password))
    with gateway.connect(source=next(SOURCES)) as client:
        client.ehlo()
        return client.command("AUTH PLAIN " + base64.b64encode(b"\0" + user + b"\0" + password).decode())


def is_refused(reply):
    return reply.code == 535 and reply.text.startswith("5.7.8 ")


def is_unavailable(reply):
    return reply.code == 454 and reply.text.startswith("4.7.0 ")


def is_malformed(reply):
    return reply.code == 501 and reply.text.startswith("5.5.2 ")


def check_names(gateway, password):
    """No such name is anybody, with the right password or another; the gateway goes on."""
    for name in NAMES:
        for raw in {name.encode(), name.encode("latin-1")}:
            reply = answer(gateway, raw, password)
            assert reply.code in (535, 501, 500), f"{name!r}: {reply}"


# ---- Dovecot ----

only_root = pytest.mark.skipif(not AS_ROOT, reason="Dovecot runs only as root")


@pytest.fixture(scope="module")
def dovecot():
    made = Dovecot({USER: PASSWORD, "bob": "bob's"})
    yield made
    made.close()


@pytest.fixture
def with_dovecot(make_gateway, make_sink, people):
    def make(server):
        return make_gateway(make_sink().route, people.bob,
                            settings={"auth": {"users": None, "dovecot": server.socket}})
    return make


@only_root
def test_dovecot_logins(with_dovecot, dovecot, people, tag):
    gateway = with_dovecot(dovecot)
    assert answer(gateway, USER, PASSWORD).code == 235
    assert is_refused(answer(gateway, USER, PASSWORD + "x")) and is_refused(answer(gateway, USER, "bob's"))
    assert is_refused(answer(gateway, "nobody", PASSWORD)) and is_malformed(answer(gateway, USER, ""))
    assert answer(gateway, "bob", "bob's").code == 235
    with gateway.connect() as client:
        offered = client.ehlo().text
        assert "PLAIN" in offered and "SCRAM" not in offered, offered
    address = people.bob.tagged(tag)
    assert gateway.submit([address], mail(address)).code == 250


@only_root
def test_dovecots_name_for_the_user_counts(with_dovecot, dovecot, people, tag):
    """Dovecot writes names in lower case: who logs in as ALICE is alice, also for the audit trail."""
    gateway = with_dovecot(dovecot)
    address = people.bob.tagged(tag)
    with gateway.connect() as client:
        client.ehlo()
        assert client.login(USER.upper(), PASSWORD).code == 235
        reply = client.submit(USER, [address], mail(address))
        assert reply.code == 250, str(reply)
    lines = gateway.audit(reply.lines[-1].split()[1])
    assert {line["user"] for line in lines if line.get("user")} == {USER}


@only_root
def test_whom_dovecot_keeps_out_stays_out(with_dovecot):
    """"nologin": Dovecot says that the password is right, and leaves it to the server to refuse."""
    server = Dovecot({USER: PASSWORD})
    try:
        with server.users.open("a") as users:
            users.write("gone:{PLAIN}secret::::::nologin\nfar:{PLAIN}secret::::::proxy host=127.0.0.1\n")
        gateway = with_dovecot(server)
        assert is_refused(answer(gateway, "gone", "secret"))
        assert answer(gateway, "far", "secret").code == 235
    finally:
        server.close()


@only_root
def test_a21_names_through_dovecot(with_dovecot, dovecot):
    gateway = with_dovecot(dovecot)
    check_names(gateway, PASSWORD)
    assert answer(gateway, USER, PASSWORD).code == 235


@only_root
def test_a_stopped_dovecot_is_454_until_it_is_back(with_dovecot):
    server = Dovecot({USER: PASSWORD})
    try:
        gateway = with_dovecot(server)
        assert answer(gateway, USER, PASSWORD).code == 235
        server.stop()
        for password in (PASSWORD, "wrong"):
            assert is_unavailable(answer(gateway, USER, password))
        server.start()
        assert answer(gateway, USER, PASSWORD).code == 235
        assert is_refused(answer(gateway, USER, "wrong"))
    finally:
        server.close()


@only_root
def test_a_dovecot_that_cannot_ask_is_454(with_dovecot):
    """Its own backend is gone: FAIL with temp."""
    server = Dovecot({USER: PASSWORD})
    try:
        gateway = with_dovecot(server)
        server.users.chmod(0)
        server.stop()
        server.start()
        assert is_unavailable(answer(gateway, USER, PASSWORD))
        server.users.chmod(0o644)
        tools.wait_until(lambda: answer(gateway, USER, PASSWORD).code == 235, lambda: server.log)
    finally:
        server.close()


@only_root
def test_dovecots_delay_is_waited_for(with_dovecot):
    """As it comes, Dovecot says FAIL after 2 s. That is an answer, not silence."""
    server = Dovecot({USER: PASSWORD}, failure_delay=2)
    try:
        gateway = with_dovecot(server)
        assert is_refused(answer(gateway, USER, "wrong"))
    finally:
        server.close()


def test_a_socket_that_is_missing_is_no_error_of_the_configuration(make_gateway):
    gateway = make_gateway("[127.0.0.1]:9", start=False,
                           settings={"auth": {"users": None, "dovecot": "/nonexistent/auth-client"}})
    assert run(SEALGATE, "-c", gateway.conf, "-n").returncode == 0
    gateway.start()
    assert is_unavailable(answer(gateway, USER, PASSWORD))
    said = gateway.ctl("user", "list", check=False)
    assert said.returncode == 78 and b"Dovecot" in said.stderr


# ---- LDAP ----

ALIASES = ["Alice@example.org", "alice.jones@example.org", "*@example.org"]

DIRECTORY = (person("alice", PASSWORD, ALIASES) + person("bob", "bob's", ["bob@example.org"]) +
             person("twin1", "twin", ["twin@example.org"]) + person("twin2", "twin", ["twin@example.org"]) +
             entry(f"uid=locked,{PEOPLE}", objectClass="inetOrgPerson", uid="locked", cn="locked", sn="locked"))


@pytest.fixture(scope="module")
def slapd(pki):
    made = Slapd(DIRECTORY, pki.gateway)
    yield made
    made.close()


@pytest.fixture
def with_ldap(make_gateway, make_sink, people, pki, tmp_path):
    """make(url, by="name" or "search", …keys of the ldap section) → a started gateway."""
    def make(url, by="search", start=True, password=READER_PASSWORD, addresses=True, **keys):
        secret = tmp_path / "reader"
        secret.write_text(password + "\n")
        secret.chmod(0o600)
        ldap = {"url": url, "ca": pki.ca}
        if by == "name":
            ldap["user-dn"] = f"uid=%u,{PEOPLE}"
        else:
            ldap.update({"base": PEOPLE, "filter": "(|(uid=%u)(mail=%u))", "bind-dn": READER,
                         "bind-password-file": secret})
        ldap.update({key.replace("_", "-"): value for key, value in keys.items()})
        values = " ".join(f'{key} = "{value}"' for key, value in ldap.items() if value is not None)
        values += " address-attributes = {mail}" if addresses else ""
        return make_gateway(make_sink().route, people.bob, start=start, settings={"auth": {"users": None}},
                            extra=f"ldap {{ {values} }}")
    return make


def url_of(slapd, way):
    return slapd.ldaps_url if way == "ldaps" else slapd.ldap_url


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
@pytest.mark.parametrize("by", ["name", "search"])
def test_ldap_logins(with_ldap, slapd, way, by):
    gateway = with_ldap(url_of(slapd, way), by)
    assert answer(gateway, "alice", PASSWORD).code == 235
    assert is_refused(answer(gateway, "alice", PASSWORD + "x")) and is_refused(answer(gateway, "alice", "bob's"))
    assert is_refused(answer(gateway, "nobody", PASSWORD))
    assert is_refused(answer(gateway, "locked", PASSWORD))  # has no password
    # An empty one would bind as nobody, and succeed.
    assert is_malformed(answer(gateway, "alice", "")) and is_malformed(answer(gateway, "nobody", ""))
    assert answer(gateway, "bob", "bob's").code == 235
    if by == "search":
        assert answer(gateway, "bob@example.org", "bob's").code == 235
        assert is_unavailable(answer(gateway, "twin@example.org", "twin"))  # two entries


@pytest.mark.parametrize("by", ["name", "search"])
def test_a8_ldap_says_which_addresses_are_the_users(with_ldap, slapd, people, tag, by):
    """A value that were a pattern ("*@example.org") is none."""
    gateway = with_ldap(slapd.ldaps_url, by)
    address = people.bob.tagged(tag)
    for sender, code in (("alice.jones@example.org", 250), ("bob@example.org", 550), ("alice@example.org", 250)):
        with gateway.connect() as client:
            client.ehlo()
            assert client.login("ALICE", PASSWORD).code == 235
            reply = client.command(f"MAIL FROM:<{sender}>")
            if reply.code == 250:
                assert client.command(f"RCPT TO:<{address}>").code == 250
            assert reply.code == code, f"{sender}: {reply}"


def test_one_ldap_user_has_one_name(with_ldap, pki):
    """The directory takes "ALICE " for alice, and does not tell: rules and the audit trail know her all the same."""
    server = Slapd(DIRECTORY, pki.gateway)
    try:
        server.conf.write_text(server.conf.read_text().replace("by users read", "by users none"))
        server.stop()
        server.start()
        gateway = with_ldap(server.ldaps_url, "name", addresses=False)
        for name in ("alice", "ALICE ", "  Alice  "):
            assert answer(gateway, name, PASSWORD).code == 235
        logins = [line for line in gateway.log.splitlines() if "event=authenticated" in line]
        assert len(logins) == 3 and all(" login=alice " in line for line in logins), logins
    finally:
        server.close()


@pytest.mark.parametrize("by", ["name", "search"])
def test_a21_names_through_ldap(with_ldap, slapd, by):
    gateway = with_ldap(slapd.ldaps_url, by)
    check_names(gateway, PASSWORD)
    assert answer(gateway, "alice", PASSWORD).code == 235


@pytest.mark.parametrize("by", ["name", "search"])
def test_a19_who_is_not_there_takes_as_many_steps(with_ldap, pki, by):
    server = Slapd(DIRECTORY, pki.gateway)
    try:
        gateway = with_ldap(server.ldaps_url, by)
        steps = []
        for name in ("alice", "nobody"):
            before = len(server.log)
            assert is_refused(answer(gateway, name, "wrong"))
            tools.wait_until(lambda: "UNBIND" in server.log[before:], lambda: server.log)
            said = server.log[before:]
            steps.append([said.count(what) for what in (" RESULT tag=97 ", " SEARCH RESULT ", " ACCEPT ")])
        assert steps[0] == steps[1], steps
    finally:
        server.close()


def test_a_stopped_directory_is_454_until_it_is_back(with_ldap, pki):
    server = Slapd(DIRECTORY, pki.gateway)
    try:
        gateway = with_ldap(server.ldaps_url)
        assert answer(gateway, "alice", PASSWORD).code == 235
        server.stop()
        for password in (PASSWORD, "wrong"):
            assert is_unavailable(answer(gateway, "alice", password))
        server.start()
        assert answer(gateway, "alice", PASSWORD).code == 235
        assert is_refused(answer(gateway, "alice", "wrong"))
    finally:
        server.close()


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
@pytest.mark.parametrize("what", ["untrusted", "name"])
def test_a_directory_that_cannot_prove_who_it_is_sees_no_password(with_ldap, pki, folder, way, what):
    if what == "untrusted":
        (folder / f"other-{way}").mkdir()
        identity = Pki(folder / f"other-{way}").gateway
    else:
        identity = pki.wrong_name
    server = Slapd(DIRECTORY, identity)
    try:
        gateway = with_ldap(url_of(server, way))
        assert is_unavailable(answer(gateway, "alice", PASSWORD))
        assert "does not verify" in gateway.log
        assert 'BIND dn="cn=' not in server.log and 'BIND dn="uid=' not in server.log, server.log
    finally:
        server.close()


@pytest.mark.parametrize("wrong", [{"base": f"ou=elsewhere,{SUFFIX}"}, {"password": "not the reader's"},
                                   {"bind_dn": None, "bind_password_file": None}], ids=["base", "reader", "anonymous"])
def test_a_search_that_cannot_be_made_is_454(with_ldap, slapd, wrong):
    """Nobody is told that a password is wrong because the gateway is set up wrongly."""
    gateway = with_ldap(slapd.ldaps_url, **wrong)
    for name in ("alice", "nobody"):
        assert is_unavailable(answer(gateway, name, PASSWORD))


def test_what_sealgate_n_says_of_an_ldap_section(with_ldap, slapd, tmp_path):
    def told(url="ldaps://127.0.0.1:9", **keys):
        gateway = with_ldap(url, start=False, **keys)
        checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
        return checked.returncode, checked.stderr.decode(), gateway
    assert told()[0] == 0  # nobody is there at the moment
    for keys, text in (({"url": slapd.ldap_url, "start_tls": "no"}, "start-tls"), ({"filter": "(uid=%u"}, "filter"),
                       ({"user_dn": "uid=%u"}, "excludes"), ({"bind_password_file": None}, "bind-dn without"),
                       ({"ca": "/nonexistent/ca.pem"}, "/nonexistent/ca.pem")):
        code, said, gateway = told(**keys)
        assert code == 78 and text in said and str(gateway.conf) in said, said
    code, said, gateway = told()
    (tmp_path / "reader").chmod(0o644)
    checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    assert checked.returncode == 78 and "chmod 600" in checked.stderr.decode()

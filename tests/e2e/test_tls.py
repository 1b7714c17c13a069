"""TLS of the front door: certificates, clients' certificates, resumed sessions, reload, and who is no mail program."""

import hashlib
import os
import shutil
import signal
import socket
import ssl

import smtp
from gateway import USER, mail
from tools import SEALGATE, free_port, run, wait_until

import pytest

CONFIG_ERROR = 78
NOWHERE = "[127.0.0.1]:9"


def common_name(connection):
    return dict(pair[0] for pair in connection.getpeercert()["subject"])["commonName"]


def handshake(gateway, name="localhost", context=None, session=None, port=None):
    """A TLS connection to port 465 up to the greeting; close it."""
    context = context or gateway.pki.client_context()
    raw = socket.create_connection(("127.0.0.1", port or gateway.port), 30)
    connection = context.wrap_socket(raw, server_hostname=name, session=session)
    assert connection.recv(4096).startswith(b"220 ")
    return connection


def certificate_section(label, files, more=""):
    return f'tls-certificate "{label}" {{ certificate = "{files[0]}" key = "{files[1]}" {more} }}\n'


# ---- certificates ----


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_certificates_by_the_name_asked_for(make_gateway, pki, version):
    one = pki.issue("smtp.example.com", "DNS:*.wild.example.com")
    rsa = pki.issue("smtp.example.com", "DNS:*.wild.example.com", file="smtp-rsa", rsa=True)
    gateway = make_gateway(NOWHERE, extra=certificate_section("one", one) + certificate_section("rsa", rsa))
    context = pki.client_context()
    context.minimum_version = context.maximum_version = version
    for name, want in (("smtp.example.com", "smtp.example.com"), ("a.wild.example.com", "smtp.example.com"),
                       ("gateway.example.org", "gateway.example.org"), ("localhost", "gateway.example.org")):
        with handshake(gateway, name, context) as connection:
            assert common_name(connection) == want
    # A client that knows RSA only, and one that asks for a name that nobody has.
    said = run("openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-servername", "smtp.example.com", "-sigalgs",
               "RSA-PSS+SHA256:RSA+SHA256", "-CAfile", pki.ca, "-brief", input="QUIT\r\n", check=False).stderr.decode()
    assert "RSA-PSS" in said and "Verification: OK" in said, said
    for name in ("unknown.example", "b.a.wild.example.com"):
        context.check_hostname = False
        with handshake(gateway, name, context) as connection:
            assert common_name(connection) == "gateway.example.org"


def test_a_bad_pair_is_named_before_it_runs(make_gateway, pki):
    one, other = pki.issue("one.example.com"), pki.issue("other.example.com")
    gateway = make_gateway(NOWHERE, start=False, extra=certificate_section("one", (one[0], other[1])))
    checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    assert checked.returncode == CONFIG_ERROR and str(one[0]) in checked.stderr.decode()


def test_a26_a_key_that_others_can_read_stops_it(make_gateway, pki):
    files = pki.issue("open.example.com")
    files[1].chmod(0o640)
    gateway = make_gateway(NOWHERE, start=False, extra=certificate_section("open", files))
    checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    assert checked.returncode == CONFIG_ERROR and f"chmod 600 {files[1]}" in checked.stderr.decode()


def stapled(gateway, name="localhost"):
    said = run("openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-servername", name, "-CAfile", gateway.pki.ca,
               "-status", input="QUIT\r\n", check=False).stdout.decode()
    if "OCSP response: no response sent" in said:
        return None
    return "good" if "Cert Status: good" in said else said


def test_ocsp_responses_are_stapled_and_read_anew_on_reload(make_gateway, pki):
    files = pki.issue("ocsp.example.com")
    gateway = make_gateway(NOWHERE, start=False)
    response = gateway.folder / "tls.ocsp"
    shutil.copy(pki.ocsp(pki.gateway[0]), response)
    gateway.tls_keys = f'ocsp = "{response}"'
    gateway.extra = certificate_section("one", files)
    gateway.write_conf()
    gateway.start()
    assert stapled(gateway) == "good"
    assert stapled(gateway, "ocsp.example.com") is None
    # One for another certificate is an error, and the old configuration stays in force.
    shutil.copy(pki.ocsp(files[0]), response)
    gateway.reload()
    gateway.wait_log("event=reload-refused")
    assert "another certificate" in gateway.log and stapled(gateway) == "good"
    gateway.extra = certificate_section("one", files, f'ocsp = "{response}"')
    gateway.tls_keys = ""
    gateway.write_conf()
    gateway.reload()
    wait_until(lambda: stapled(gateway) is None and stapled(gateway, "ocsp.example.com") == "good", "the new files are in use")


# ---- clients' certificates ----


def client_context(pki, files=None):
    context = pki.client_context()
    if files:
        context.load_cert_chain(*files)
    return context


def test_client_certificates_are_asked_for_and_not_needed(make_gateway, pki):
    gateway = make_gateway(NOWHERE, start=False)
    gateway.tls_keys = f'client-ca = "{pki.ca}"'
    gateway.write_conf()
    gateway.start()
    alice = pki.issue("alice", extensions=["extendedKeyUsage=clientAuth"])
    server = pki.issue("not-for-clients", extensions=["extendedKeyUsage=serverAuth"])
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(alice[0].read_text())).hexdigest()
    for files, logged in ((alice, f"certificate={fingerprint} subject="), (server, "certificate-refused="), (None, "")):
        at = len(gateway.log)
        handshake(gateway, context=client_context(pki, files)).close()
        with smtp.Raw(gateway.starttls_port, pki, tls=None) as client:
            client._context = client_context(pki, files)
            client.ehlo()
            assert client.command("STARTTLS").code == 220
            client.wrap()
            assert client.ehlo().code == 250
            assert client.login(gateway.user, gateway.password).code == 235
        wait_until(lambda: gateway.log[at:].count("event=disconnected") >= 2, "both are logged")
        assert gateway.log[at:].count(logged) >= 2
        assert ("certificate" in gateway.log[at:]) == bool(logged)


# ---- sessions ----


def resume(gateway, context, session=None):
    """(resumed?, session for the next time)"""
    with handshake(gateway, context=context, session=session) as connection:
        connection.sendall(b"NOOP\r\n")
        assert connection.recv(4096).startswith(b"250 ")
        return connection.session_reused, connection.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_resume_in_every_process(make_gateway, pki, version):
    gateway = make_gateway(NOWHERE, settings={"submission": {"processes": 2}})
    context = pki.client_context()
    context.minimum_version = context.maximum_version = version
    a, b = gateway.pids("submission")
    os.kill(a, signal.SIGSTOP)
    try:
        resumed, session = resume(gateway, context)
        assert not resumed
    finally:
        os.kill(a, signal.SIGCONT)
    os.kill(b, signal.SIGSTOP)
    try:
        resumed, session = resume(gateway, context, session)
        assert resumed
    finally:
        os.kill(b, signal.SIGCONT)
    # And in those that come after them, by death or reload.
    os.kill(a, signal.SIGKILL)
    os.kill(b, signal.SIGKILL)
    wait_until(lambda: gateway.listens() and not {a, b} & set(gateway.pids_or_none("submission") or [a]), "new processes")
    resumed, session = resume(gateway, context, session)
    assert resumed
    before = gateway.pids("submission")
    gateway.reload()
    wait_until(lambda: gateway.listens() and not any(os.path.exists(f"/proc/{pid}") for pid in before), "the old ones are gone")
    assert resume(gateway, context, session)[0]


def test_another_rotation_begins_anew(make_gateway, pki):
    gateway = make_gateway(NOWHERE)
    context = pki.client_context()
    _, session = resume(gateway, context)
    resumed, session = resume(gateway, context, session)
    assert resumed
    before = gateway.pids("submission")
    gateway.tls_keys = "ticket-rotation = 30min"
    gateway.write_conf()
    gateway.reload()
    wait_until(lambda: gateway.listens() and not any(os.path.exists(f"/proc/{pid}") for pid in before), "the old ones are gone")
    assert not resume(gateway, context, session)[0]


def test_a_refused_reload_leaves_the_tickets(make_gateway, pki):
    gateway = make_gateway(NOWHERE)
    context = pki.client_context()
    _, session = resume(gateway, context)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        gateway.tls_keys = "ticket-rotation = 30min"
        gateway.extra = f'listen "127.0.0.1:{other.getsockname()[1]}" {{ tls = starttls }}\n'
        gateway.write_conf()
        gateway.reload()
        gateway.wait_log("event=reload-refused")
    (old,) = gateway.pids("submission")
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: gateway.listens() and old not in (gateway.pids_or_none("submission") or [old]), "a new process")
    assert resume(gateway, context, session)[0]


# ---- reload ----


def test_a_reload_changes_certificates_for_new_sessions_only(make_gateway, make_sink, pki, people, tag):
    sink = make_sink()
    gateway = make_gateway(sink.route, people.bob)
    address = people.bob.tagged(tag)
    alice = pki.issue("alice", extensions=["extendedKeyUsage=clientAuth"])
    with gateway.connect() as busy, gateway.connect("starttls") as idle:
        busy.ready(gateway).envelope(USER, [address])
        message = smtp.dot_stuff(mail(address))
        busy.send(message[:60])
        for source, target in zip(pki.issue("new.example.org", "DNS:localhost"), (gateway.certificate, gateway.key)):
            shutil.copy(source, target)
        gateway.tls_keys = f'client-ca = "{pki.ca}"'
        gateway.write_conf()
        gateway.reload()
        gateway.wait_log("event=reloaded")

        def served():
            """None: not yet."""
            try:
                with handshake(gateway, context=client_context(pki, alice)) as connection:
                    return common_name(connection)
            except (AssertionError, OSError):
                return None

        wait_until(lambda: served() == "new.example.org", "new sessions get the new certificate")
        wait_until(lambda: "subject=" in gateway.log, "and are asked for theirs")
        # Nobody is dropped: neither in the middle of a message nor between two.
        busy.send(message[60:])
        assert busy.reply().code == 250
        later = people.bob.tagged(tag + "later")
        assert idle.ready(gateway).submit(USER, [later], mail(later)).code == 250
    sink.wait(address)
    sink.wait(later)
    # What cannot be read leaves the old one in use.
    at = len(gateway.log)
    gateway.certificate.write_text("no certificate")
    gateway.reload()
    gateway.wait_log("event=reload-refused", at)
    wait_until(lambda: served() == "new.example.org", "the new one is still in use")


def test_a_reload_to_an_address_that_overlaps(make_gateway):
    gateway = make_gateway(NOWHERE, start=False)
    port = free_port()

    def listen(address):
        gateway.extra = f'listen "{address}:{port}" {{ tls = starttls }}\n'
        gateway.write_conf()

    def greets(host):
        try:
            with socket.create_connection((host, port), 10) as client:
                return client.recv(100).startswith(b"220 ")
        except OSError:
            return False

    listen("0.0.0.0")
    gateway.start()
    assert greets("127.0.0.1") and not greets("::1")
    for address, v6 in (("[::]", True), ("127.0.0.1", False), ("[::]", True)):
        at = len(gateway.log)
        before = gateway.pids("submission")
        listen(address)
        gateway.reload()
        gateway.wait_log("event=reloaded", at)
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in before), "the old ones are gone")
        assert greets("127.0.0.1") and greets("::1") == v6
    # Another gateway, which would ask no more than this, cannot share the port afterwards.
    with socket.socket(socket.AF_INET6) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError):
            other.bind(("::", port))


def test_an_address_that_is_given_up_is_closed(make_gateway):
    """Also while sessions go on in the old processes: their sockets would take connections and never answer."""
    gateway = make_gateway(NOWHERE, start=False)
    port = free_port()

    def greeting():
        """None: nobody listens; b"": nobody answers."""
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as client:
                return client.recv(100)
        except ConnectionError:
            return None
        except TimeoutError:
            return b""

    def listen(address):
        gateway.extra = f'listen "{address}:{port}" {{ tls = starttls }}\n' if address else ""
        gateway.write_conf()

    listen("0.0.0.0")
    gateway.start()
    with gateway.connect() as busy:
        for address in ("[::]", None):
            at = len(gateway.log)
            listen(address)
            gateway.reload()
            gateway.wait_log("event=retired", at)
            wait_until(lambda: bool(address) == (greeting() or b"").startswith(b"220 ") and greeting() != b"",
                       "the new sockets alone take connections")
        assert busy.command("NOOP").code == 250


# ---- who is no mail program ----


@pytest.mark.parametrize("offer", [["h2", "http/1.1"], ["smtp"], ["x" * 255]], ids=str)
def test_alpn_is_neither_answered_nor_refused(gateway, offer):
    context = gateway.pki.client_context()
    context.set_alpn_protocols(offer)
    with handshake(gateway, context=context) as connection:
        assert connection.selected_alpn_protocol() is None
        connection.sendall(b"EHLO client.example.org\r\n")
        assert connection.recv(4096).startswith(b"250-")


@pytest.mark.parametrize("tls", ["implicit", "starttls", None])
@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST /MAIL HTTP/1.0", "options * HTTP/1.1", "PRI * HTTP/2.0"])
def test_a_browser_is_closed_at_its_first_line(gateway, tls, line):
    with gateway.connect(tls) as client:
        client.send(f"{line}\r\nHost: mail.example.org\r\n\r\nNOOP\r\nEHLO injected.example\r\n".encode())
        assert client.reply().code == 500
        assert client.at_end()


def s_client(gateway, *options, input):
    said = run("openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-CAfile", gateway.pki.ca, "-ign_eof",
               *options, input=input, check=False)
    return (said.stdout + said.stderr).decode()


def test_there_is_no_early_data(gateway, tmp_path):
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(b"NOOP\r\n")
    assert "Max Early Data: 0" in s_client(gateway, "-tls1_3", "-sess_out", session, input="QUIT\r\n")
    said = s_client(gateway, "-tls1_3", "-sess_in", session, "-early_data", early, input="QUIT\r\n")
    assert "Reused, TLSv1.3" in said and "Early data was not sent" in said, said


def test_there_is_no_renegotiation(gateway):
    raw = run("openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-CAfile", gateway.pki.ca, "-tls1_2",
              input="R\n", check=False)
    assert b"RENEGOTIATING" in raw.stdout + raw.stderr
    assert b"no renegotiation" in raw.stderr, raw.stderr.decode()

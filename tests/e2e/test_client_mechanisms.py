"""Real mail clients, each through both doors with each authentication mechanism it knows; the log says which was used."""

import json
import os

import readers
import smtp
from conftest import run_gateway
from gateway import USER, Gateway, mail
from tools import run

import pytest

NODEMAILER = """
const options = JSON.parse(process.argv[1]);
options.tls = { ca: [require("fs").readFileSync(options.ca)] };
require("nodemailer").createTransport(options).sendMail(options.mail).then(
  () => process.exit(0), error => { console.error(error); process.exit(1); });
"""


@pytest.fixture(scope="module")
def identity(pki):
    """A client certificate of alice: (certificate, key, sha256 of the certificate)."""
    return pki.client("alice")


@pytest.fixture(scope="module")
def gateway(pki, people, sink, identity):
    account = f'account "{USER}" {{ certificates = {{"sha256:{identity.sha256}"}} }}'
    yield from run_gateway(Gateway(pki, sink.route, tls=f'client-ca = "{pki.ca}"', extra=account), [people.bob])


def port(gateway, implicit):
    return gateway.port if implicit else gateway.starttls_port


def with_nodemailer(gateway, implicit, mechanism, recipient, message, _folder, _identity):
    options = {"host": "localhost", "port": port(gateway, implicit), "secure": implicit, "requireTLS": True,
               "authMethod": mechanism, "auth": {"user": gateway.user, "pass": gateway.password},
               "ca": str(gateway.pki.ca),
               "mail": {"envelope": {"from": USER, "to": [recipient]}, "raw": message.decode()}}
    run("node", "-e", NODEMAILER, json.dumps(options), env={**os.environ, "NODE_PATH": "/usr/share/nodejs"})


def with_smtplib(gateway, implicit, mechanism, recipient, message, _folder, _identity):
    with smtp.smtplib_client(gateway, implicit, login=False) as client:
        client.ehlo()
        client.user, client.password = gateway.user, gateway.password
        client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))
        client.sendmail(USER, [recipient], message)


def with_msmtp(gateway, implicit, mechanism, recipient, message, _folder, identity):
    external = [f"--tls-cert-file={identity.certificate}", f"--tls-key-file={identity.key}"]
    run("msmtp", "--file=/dev/null", "--host=localhost", f"--port={port(gateway, implicit)}", "--tls=on",
        f"--tls-starttls={'off' if implicit else 'on'}", f"--tls-trust-file={gateway.pki.ca}",
        f"--auth={mechanism.lower()}", f"--user={gateway.user}", f"--passwordeval=echo {gateway.password}",
        f"--from={USER}", *(external if mechanism == "EXTERNAL" else []), "--", recipient, input=message)


def with_swaks(gateway, implicit, mechanism, recipient, message, folder, _identity):
    (folder / "m").write_bytes(message)
    run("swaks", "--server", "localhost", "--port", port(gateway, implicit),
        "--tls-on-connect" if implicit else "--tls", "--tls-verify", "--tls-ca-path", gateway.pki.ca,
        "--auth", mechanism, "--auth-user", gateway.user, "--auth-password", gateway.password,
        "--from", USER, "--to", recipient, "--data", f"@{folder}/m")


def with_curl(gateway, implicit, mechanism, recipient, message, folder, identity):
    (folder / "m").write_bytes(message)
    external = ["--cert", identity.certificate, "--key", identity.key, "--user", f"{gateway.user}:"]
    run("curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", gateway.pki.ca,
        "--login-options", f"AUTH={mechanism}", "--mail-from", USER, "--mail-rcpt", recipient,
        *(external if mechanism == "EXTERNAL" else ["--user", f"{gateway.user}:{gateway.password}"]),
        "--upload-file", folder / "m", f"smtp{'s' if implicit else ''}://localhost:{port(gateway, implicit)}")


def with_s_nail(gateway, implicit, mechanism, recipient, message, folder, identity):
    user, password = (word.replace("@", "%40").replace(" ", "%20") for word in (gateway.user, gateway.password))
    login = user if mechanism == "EXTERNAL" else f"{user}:{password}"
    external = [f"-Stls-config-pairs=Certificate={identity.certificate},PrivateKey={identity.key}"]
    run("s-nail", "-:/", "-Sv15-compat",
        f"-Smta={'smtps' if implicit else 'smtp'}://{login}@localhost:{port(gateway, implicit)}",
        f"-Ssmtp-auth={mechanism.lower()}", "-Ssmtp-use-starttls", f"-Stls-ca-file={gateway.pki.ca}",
        "-Stls-ca-no-defaults", "-Stls-verify=strict", "-Ssendwait", *(external if mechanism == "EXTERNAL" else []),
        "-r", USER, "-s", "by s-nail", recipient,
        input=message.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n"),
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})


def with_mutt(gateway, implicit, mechanism, recipient, message, folder, _identity):
    user = gateway.user.replace("@", "%40")
    (folder / "muttrc").write_text(
        f'set smtp_url="{"smtps" if implicit else "smtp"}://{user}@localhost:{port(gateway, implicit)}/"\n'
        f'set smtp_pass="{gateway.password}"\nset smtp_authenticators="{mechanism.lower()}"\n'
        f'set certificate_file="{gateway.pki.ca}"\nset ssl_ca_certificates_file="{gateway.pki.ca}"\n'
        f'set ssl_usesystemcerts=no\nset ssl_force_tls=yes\nset copy=no\nset from="{USER}"\nset use_envelope_from=yes\n')
    run("mutt", "-n", "-F", folder / "muttrc", "-s", "by mutt", "--", recipient,
        input=message.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n"),
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TERM": "dumb"})


KNOWN = [
    (with_nodemailer, ["PLAIN", "LOGIN"]),
    (with_smtplib, ["PLAIN", "LOGIN"]),
    (with_msmtp, ["PLAIN", "LOGIN", "SCRAM-SHA-256", "EXTERNAL"]),
    (with_swaks, ["PLAIN", "LOGIN"]),
    (with_curl, ["PLAIN", "LOGIN", "EXTERNAL"]),
    (with_s_nail, ["PLAIN", "LOGIN", "EXTERNAL"]),
    (with_mutt, ["PLAIN", "LOGIN", "SCRAM-SHA-256"]),
]


@pytest.mark.parametrize("implicit", [True, False], ids=["465", "587"])
@pytest.mark.parametrize("send, mechanism", [(send, m) for send, mechanisms in KNOWN for m in mechanisms],
                         ids=[f"{send.__name__[5:]}-{m}" for send, mechanisms in KNOWN for m in mechanisms])
def test_client_sends_with_mechanism(gateway, sink, people, identity, tmp_path, tag, send, mechanism, implicit):
    at = len(gateway.log)
    recipient = people.bob.tagged(tag)
    send(gateway, implicit, mechanism, recipient, mail(recipient, f"text {tag}\r\n"), tmp_path, identity)
    arrived = sink.wait(recipient)
    assert f"text {tag}".encode() in readers.read(people.bob, arrived.data)
    assert f"mechanism={mechanism}" in gateway.log[at:], gateway.log[at:]

"""Real mail clients through both doors; what arrives at a real mail server decrypts to exactly what they sent."""

import protection
import readers
import smtp
from conftest import RULES, everybody, run_gateway
from gateway import USER, Gateway, mail
from tools import run

import pytest


@pytest.fixture(scope="module")
def gateway(pki, people, mail_server):
    yield from run_gateway(Gateway(pki, f"[127.0.0.1]:{mail_server.port}", RULES), everybody(people))


def port(gateway, implicit):
    return gateway.port if implicit else gateway.starttls_port


def with_swaks(gateway, implicit, recipient, message, folder):
    (folder / "m").write_bytes(message)
    run("swaks", "--server", "localhost", "--port", port(gateway, implicit),
        "--tls-on-connect" if implicit else "--tls", "--tls-verify", "--tls-ca-path", gateway.pki.ca, "--auth", "PLAIN", "--auth-user", gateway.user,
        "--auth-password", gateway.password, "--from", USER, "--to", recipient, "--data", f"@{folder}/m")
    return message + b"\r\n"  # swaks adds a line end of its own


def with_msmtp(gateway, implicit, recipient, message, folder):
    run("msmtp", "--file=/dev/null", "--host=localhost", f"--port={port(gateway, implicit)}", "--tls=on",
        f"--tls-starttls={'off' if implicit else 'on'}", f"--tls-trust-file={gateway.pki.ca}", "--auth=plain",
        f"--user={gateway.user}", f"--passwordeval=echo {gateway.password}", f"--from={USER}", "--", recipient,
        input=message)
    return message


def with_curl(gateway, implicit, recipient, message, folder):
    (folder / "m").write_bytes(message)
    run("curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", gateway.pki.ca, "--user",
        f"{gateway.user}:{gateway.password}", "--mail-from", USER, "--mail-rcpt", recipient,
        "--upload-file", folder / "m", f"smtp{'s' if implicit else ''}://localhost:{port(gateway, implicit)}")
    return message


def with_smtplib(gateway, implicit, recipient, message, folder):
    with smtp.smtplib_client(gateway, implicit) as client:
        client.sendmail(USER, [recipient], message)
    return message


@pytest.mark.parametrize("implicit", [True, False], ids=["465", "587"])
@pytest.mark.parametrize("send", [with_swaks, with_msmtp, with_curl, with_smtplib])
def test_sealed_and_decrypts_to_the_submitted_bytes(gateway, mail_server, people, tmp_path, tag, send, implicit):
    for person in (people.bob, people.dan):
        token = f"{tag}-{person.format}"
        message = mail(person.tagged(tag), f"Grüße\r\n.\r\n..dots\r\n{token}\r\n", Message_ID=f"<{token}@example.org>",
                       MIME_Version="1.0", Content_Type="text/plain; charset=utf-8", Content_Transfer_Encoding="8bit")
        sent = send(gateway, implicit, person.tagged(tag), message, tmp_path)
        arrived = mail_server.maildir.wait(f"<{token}@example.org>")
        assert readers.is_sealed(arrived) and b"dots" not in arrived
        protection.assert_is(readers.read(person, arrived), sent)


@pytest.mark.parametrize("implicit", [True, False], ids=["465", "587"])
def test_s_nail(gateway, mail_server, people, tmp_path, tag, implicit):
    """It writes the header itself, so only the body is known."""
    user, password = (word.replace("@", "%40").replace(" ", "%20") for word in (gateway.user, gateway.password))
    scheme = "smtps" if implicit else "smtp"
    run("s-nail", "-:/", "-Sv15-compat", f"-Smta={scheme}://{user}:{password}@localhost:{port(gateway, implicit)}",
        "-Ssmtp-auth=plain", "-Ssmtp-use-starttls", f"-Stls-ca-file={gateway.pki.ca}", "-Stls-ca-no-defaults",
        "-Stls-verify=strict", "-Ssendwait", "-r", USER, "-s", tag, people.bob.tagged(tag),
        input=f"Line 1\n.\n{tag} end\n", env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
    arrived = mail_server.maildir.wait(people.bob.tagged(tag))
    inner = readers.read(people.bob, arrived)
    assert readers.is_sealed(arrived) and readers.header(inner, "Subject") == [tag]
    assert inner.endswith(f"\r\n\r\nLine 1\r\n.\r\n{tag} end\r\n".encode())

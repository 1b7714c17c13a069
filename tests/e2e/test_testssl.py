"""
testssl.sh against both ports. It looks at every setting that its authors, and those who rate servers by it, know: a
server without a finding, with forward secrecy and AEAD only, is an A+.

In `make test` port 465 with the checks that say something about a server without HTTP, port 587 with those for protocols
and certificate, because both ports share all their settings; `make testssl` (TESTSSL_FULL=1) runs everything it has on both.
"""

import os
import shutil

from conftest import LIVE, end
from gateway import Gateway
from testssl import PROGRAM, Scan

import pytest

FULL = os.environ.get("TESTSSL_FULL")
NAME = "gateway.example.org"
# Protocols, cipher categories, forward secrecy, preferences, certificate and extensions, vulnerabilities.
CHECKS = {465: [], 587: []} if FULL else {465: ["-p", "-s", "-f", "-P", "-S", "-U"], 587: ["-p", "-S"]}
TIMEOUT = 1800 if FULL else 600

GOOD = {"OK", "INFO", "LOW"}

# Findings that are not about the gateway, and why.
EXPECTED = {
    "engine_problem": "says that this openssl has no GOST engine",
    "service": "says that this is no HTTP server, so that HTTP is not looked at",
    # It asks s_client to keep a session and ends its input at once: when the ticket comes later than that, there is none.
    # Resumption is shown by test_tls.py.
    "sessionresumption_ticket": "depends on how fast this machine is",
    "sessionresumption_ID": "depends on how fast this machine is",
}

# What must be found, word by word; a missing finding is a failure too.
WANTED = {
    "SSLv2": "not offered", "SSLv3": "not offered", "TLS1": "not offered", "TLS1_1": "not offered",
    "TLS1_2": "offered", "TLS1_3": "offered",
    "cipherlist_NULL": "not offered", "cipherlist_aNULL": "not offered", "cipherlist_EXPORT": "not offered",
    "cipherlist_LOW": "not offered", "cipherlist_3DES_IDEA": "not offered", "cipherlist_AVERAGE": "not offered",
    "cipherlist_STRONG": "offered",
    "PFS": "offered",
    "PFS_ECDHE_curves": "prime256v1 secp384r1 X25519",
    "cipher_order": "server",
    "protocol_negotiated": "Default protocol TLS1.3",
    "cipherorder_TLSv1_2": "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305",
    "cipherorder_TLSv1_3": "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256",
    "TLS_session_ticket": "valid for 7200 seconds only",
    "cert_chain_of_trust": "passed.", "cert_trust": "Ok via SAN",
    "OCSP_stapling": "offered",
    "heartbleed": "not vulnerable", "CCS": "not vulnerable", "ROBOT": "not vulnerable", "secure_renego": "supported",
    "secure_client_renego": "not vulnerable", "CRIME_TLS": "not vulnerable", "POODLE_SSL": "not vulnerable",
    "fallback_SCSV": "no protocol below TLS 1.2 offered", "SWEET32": "not vulnerable", "FREAK": "not vulnerable",
    "DROWN": "not vulnerable", "LOGJAM": "not vulnerable", "BEAST": "not vulnerable", "LUCKY13": "not vulnerable",
    "RC4": "not vulnerable",
}

OF_PROTOCOLS_AND_CERTIFICATE = {"SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "TLS_session_ticket",
                                "cert_chain_of_trust", "cert_trust", "OCSP_stapling"}
FINDINGS = [(port, name) for name in WANTED for port in (465, 587)
            if FULL or port == 465 or name in OF_PROTOCOLS_AND_CERTIFICATE]


@pytest.fixture(scope="module")
def runs(pki, tmp_path_factory):
    """The findings for both ports, from two runs side by side."""
    if not shutil.which(PROGRAM):
        pytest.skip("testssl.sh is not installed")
    folder = tmp_path_factory.mktemp("testssl")
    files = pki.issue(NAME, "DNS:localhost", "IP:127.0.0.1", days=90, file="testssl", extensions=["authorityInfoAccess=OCSP;URI:http://ocsp.example.org"])
    gateway = Gateway(pki, "[127.0.0.1]:9", settings={"limits": {"sessions-per-client": 500, "bad-commands": 1000}})
    LIVE.append(gateway)
    for source, target in zip(files, (gateway.certificate, gateway.key)):
        shutil.copy(source, target)
    gateway.tls_keys = f'ocsp = "{pki.ocsp(files[0], days=5)}"'
    gateway.write_conf()
    started = {}
    try:
        gateway.start()
        started = {465: Scan(folder, gateway.port, NAME, pki.ca, options=CHECKS[465]),
                   587: Scan(folder, gateway.starttls_port, NAME, pki.ca, starttls=True, options=CHECKS[587])}
        found = {port: run.findings(TIMEOUT) for port, run in started.items()}
    finally:
        for run in started.values():
            run.close()
        complaints = end(gateway)
    assert not complaints, "\n".join(complaints)
    return found


@pytest.mark.parametrize("port", [465, 587])
def test_testssl_finds_nothing(runs, port):
    bad = {name: finding for name, finding in runs[port].items() if finding[0] not in GOOD and name not in EXPECTED}
    assert not bad, bad


@pytest.mark.parametrize("port,name", FINDINGS)
def test_testssl_finding(runs, port, name):
    severity, finding = runs[port][name]
    assert finding.startswith(WANTED[name]) or WANTED[name] in finding, f"{severity}: {finding}"


def test_alpn_is_not_answered(runs):
    """Over STARTTLS testssl.sh does not ask."""
    assert runs[465]["ALPN"][1].startswith("not offered") and runs[465]["NPN"][1].startswith("not offered")

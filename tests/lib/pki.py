"""X.509 for TLS: a certificate authority of our own, made by openssl."""

import dataclasses
import hashlib
import pathlib
import ssl

from tools import run


@dataclasses.dataclass
class Identity:
    """A client certificate: PEM files."""

    certificate: pathlib.Path
    key: pathlib.Path

    @property
    def sha256(self):
        """Of the DER, as configuration and logs write it."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate.read_text())).hexdigest()


class Pki:
    """ca: file of trust anchors; gateway, next_hop, wrong_name: (certificate, key) of servers, PEM files."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = folder / "ca.pem"
        self._ca_key = folder / "ca.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=Test CA", "-keyout", self._ca_key, "-out", self.ca)
        self.gateway = self.issue("gateway.example.org", "DNS:localhost", "IP:127.0.0.1")
        self.next_hop = self.issue("mail.example.net", "DNS:localhost", "IP:127.0.0.1")
        self.wrong_name = self.issue("elsewhere.example.net")

    def issue(self, name, *alternatives):
        """(certificate, key): PEM files for NAME; ALTERNATIVES as openssl writes them, "IP:127.0.0.1"."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request = self.folder / f"{name}.csr"
        names = ",".join((f"DNS:{name}",) + alternatives)
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName={names}", "-keyout", key, "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial",
            "-copy_extensions", "copyall", "-days", "30", "-out", certificate)
        key.chmod(0o600)
        return certificate, key

    def client(self, name):
        """An Identity of NAME, issued by our authority."""
        return Identity(*self.issue(name))

    def client_context(self, identity=None):
        """Verifies our servers as a careful client does; shows IDENTITY when asked for a certificate."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if identity:
            context.load_cert_chain(identity.certificate, identity.key)
        return context


def server_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context

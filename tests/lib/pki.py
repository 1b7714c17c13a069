"""X.509 for TLS: a certificate authority of our own, made by openssl."""

import dataclasses
import datetime
import hashlib
import pathlib
import ssl

from tools import run

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


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

    def issue(self, name, *alternatives, days=30, extensions=(), file=None, rsa=False):
        """(certificate, key): PEM files for NAME; ALTERNATIVES and EXTENSIONS as openssl writes them, "IP:127.0.0.1",
        "extendedKeyUsage=clientAuth". FILE: the name of the files, when there are several for NAME."""
        certificate, key = self.folder / f"{file or name}.pem", self.folder / f"{file or name}.key"
        request = self.folder / f"{file or name}.csr"
        names = ",".join((f"DNS:{name}",) + alternatives)
        kind = ("rsa:2048",) if rsa else ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        more = [word for extension in extensions for word in ("-addext", extension)]
        run("openssl", "req", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
            *more, "-keyout", key, "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial",
            "-copy_extensions", "copyall", "-days", days, "-out", certificate)
        key.chmod(0o600)
        return certificate, key

    def self_signed(self, name, *alternatives):
        """(certificate, key) that nobody vouches for."""
        certificate, key = self.folder / f"self-{name}.pem", self.folder / f"self-{name}.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/CN={name}", "-addext", f"subjectAltName={','.join((f'DNS:{name}',) + alternatives)}", "-keyout", key,
            "-out", certificate)
        return certificate, key

    def chain(self, name, *alternatives):
        """As issue, with the authority's certificate behind the server's in the file (for TLSA of usage 2)."""
        certificate, key = self.issue(name, *alternatives, file=f"{name}-chain")
        certificate.write_bytes(certificate.read_bytes() + self.ca.read_bytes())
        return certificate, key

    def ocsp(self, certificate, days=1):
        """A file with the authority's word (DER) that CERTIFICATE is good."""
        said = run("openssl", "x509", "-in", certificate, "-noout", "-serial", "-enddate", "-dateopt", "iso_8601").stdout
        serial, _, end = said.decode().partition("\n")
        until = "".join(c for c in end if c.isdigit())[2:]
        index, response = certificate.with_suffix(".index"), certificate.with_suffix(".ocsp")
        index.write_text(f"V\t{until}Z\t\t{serial.partition('=')[2]}\tunknown\t/CN=any\n")
        run("openssl", "ocsp", "-index", index, "-CA", self.ca, "-rsigner", self.ca, "-rkey", self._ca_key, "-issuer",
            self.ca, "-cert", certificate, "-respout", response, "-ndays", days, "-no_nonce", check=False)
        assert response.stat().st_size > 100
        return response

    def client(self, name):
        """An Identity of NAME, issued by our authority."""
        return Identity(*self.issue(name))

    def client_context(self, identity=None):
        """Verifies our servers as a careful client does; shows IDENTITY when asked for a certificate."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if identity:
            context.load_cert_chain(identity.certificate, identity.key)
        return context


def self_signed(folder, name, expired=False):
    """(certificate, key): PEM files of a certificate for NAME that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.datetime.utcnow() - datetime.timedelta(days=30)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(start)
    made = made.not_valid_after(start + datetime.timedelta(days=20 if expired else 60)).sign(key, hashes.SHA256())
    certificate_path, key_path = folder / f"{name}-self.pem", folder / f"{name}-self.key"
    certificate_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return certificate_path, key_path


def tlsa(usage, selector, matching, certificate):
    """The data of a TLSA record for the first certificate of a PEM file."""
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    data = read.public_bytes(serialization.Encoding.DER)
    if selector == 1:
        data = read.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if matching:
        data = hashlib.new({1: "sha256", 2: "sha512"}[matching], data).digest()
    return f"{usage} {selector} {matching} {data.hex()}"


def server_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context

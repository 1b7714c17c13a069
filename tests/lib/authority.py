"""An authority for S/MIME certificates and its revocation lists."""

import datetime
import re

from keys import Person
from tools import run

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

DAY = datetime.timedelta(days=1)


class Authority:
    def __init__(self, folder, name="Test Authority"):
        self.folder = folder
        self.certificate, self.key = folder / "authority.pem", folder / "authority.key"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout", self.key, "-out", self.certificate)

    def smime(self, address, *more, algorithm="rsa"):
        """A person whose certificate file holds the authority's too. MORE: further addresses in it; algorithm: "rsa" or "ec"."""
        certificate, key, request = (self.folder / f"{address}-{algorithm}.{kind}" for kind in ("pem", "key", "csr"))
        names = ",".join(f"email:{a}" for a in (address, *more))
        kind = ("rsa:2048",) if algorithm == "rsa" else ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        run("openssl", "req", "-newkey", *kind, "-nodes", "-subj", "/CN=Test", "-addext",
            f"subjectAltName={names}", "-addext", "extendedKeyUsage=emailProtection", "-keyout", key, "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
            "-copy_extensions", "copyall", "-days", "20", "-out", certificate)
        said = run("openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256", "-serial").stdout.decode()
        fingerprint = re.search(r"Fingerprint=(.*)", said).group(1).replace(":", "")
        serial = re.search(r"serial=0*(.*)", said).group(1)
        certificate.write_bytes(certificate.read_bytes() + self.certificate.read_bytes())
        return Person(address, "smime", fingerprint, certificate, key, serial=serial)

    def revoke(self, path, *people):
        """A fresh list at PATH, replaced by rename, of PEOPLE."""
        now = datetime.datetime.utcnow()
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        crl = x509.CertificateRevocationListBuilder().issuer_name(authority.subject)
        crl = crl.last_update(now - DAY).next_update(now + DAY)
        for person in people:
            entry = x509.RevokedCertificateBuilder().serial_number(int(person.serial, 16)).revocation_date(now - DAY)
            crl = crl.add_revoked_certificate(entry.build())
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(crl.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        fresh.rename(path)

"""Signed S/MIME mails as mail programs write them that tell what they read (RFC 8551 §2.5.2), in DER by hand: openssl's
command line never claims AES-256-GCM."""

import base64
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

ENTITY = b"Content-Type: text/plain\r\n\r\nSee you.\r\n"
DATA, SIGNED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
CONTENT_TYPE, DIGEST, SIGNING_TIME, CAPABILITIES = (f"1.2.840.113549.1.9.{n}" for n in (3, 4, 5, 15))
SHA256, RSA = "2.16.840.1.101.3.4.2.1", "1.2.840.113549.1.1.1"
AES256_CBC, AES256_GCM = "2.16.840.1.101.3.4.1.42", "2.16.840.1.101.3.4.1.46"


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (b"" if len(body) < 128 else bytes([0x80 + len(size)])) + size + body


def sequence(*parts):
    return der(0x30, *parts)


def set_of(*parts):
    return der(0x31, *sorted(parts))


def integer(value):
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted):
    first, second, *others = (int(word) for word in dotted.split("."))
    body = bytes([40 * first + second])
    for arc in others:
        digits = [arc & 0x7f]
        while arc := arc >> 7:
            digits.append(arc & 0x7f | 0x80)
        body += bytes(reversed(digits))
    return der(0x06, body)


def attribute(kind, value):
    return sequence(oid(kind), set_of(value))


def digest(content):
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(content)
    return hasher.finalize()


def signed_data(person, content, ciphers, when):
    """SignedData over CONTENT, which stays outside, by an RSA key; CIPHERS are what the signer's programs read."""
    certificate = x509.load_pem_x509_certificate(person.certificate.read_bytes())
    key = serialization.load_pem_private_key(person.secret.read_bytes(), None)
    attributes = sorted([
        attribute(CONTENT_TYPE, oid(DATA)),
        attribute(SIGNING_TIME, der(0x17, when.strftime("%y%m%d%H%M%SZ").encode())),
        attribute(DIGEST, der(0x04, digest(content))),
        attribute(CAPABILITIES, sequence(*(sequence(oid(cipher)) for cipher in ciphers)))])
    signature = key.sign(der(0x31, *attributes), padding.PKCS1v15(), hashes.SHA256())
    sha256 = sequence(oid(SHA256))
    signer = sequence(
        integer(1), sequence(certificate.issuer.public_bytes(), integer(certificate.serial_number)), sha256,
        der(0xa0, *attributes), sequence(oid(RSA), der(0x05)), der(0x04, signature))
    whole = sequence(integer(1), set_of(sha256), sequence(oid(DATA)),
                     der(0xa0, certificate.public_bytes(serialization.Encoding.DER)), set_of(signer))
    return sequence(oid(SIGNED_DATA), der(0xa0, whole))


def signed_mail(person, ciphers=(AES256_GCM, AES256_CBC), entity=ENTITY, when=None):
    """A multipart/signed mail from an S/MIME person with an RSA key."""
    when = when or datetime.datetime.utcnow() - datetime.timedelta(hours=1)
    p7s = base64.encodebytes(signed_data(person, entity, ciphers, when)).replace(b"\n", b"\r\n")
    return (f"From: {person.address}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; micalg=sha-256;\r\n"
            ' protocol="application/pkcs7-signature"; boundary="signed"\r\n\r\n--signed\r\n').encode() + entity + (
            b"\r\n--signed\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n") + p7s + b"--signed--\r\n"

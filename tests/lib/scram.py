"""The client side of SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding; only the standard library."""

import base64
import hashlib
import hmac
import secrets


def b64(data):
    return base64.b64encode(data).decode()


class Scram:
    """flag: "n" (cannot bind), "y" (could, but saw no -PLUS). nonce: length of the client's."""

    def __init__(self, user, password, flag="n", nonce=24):
        self.password, self.header = password, flag + ",,"
        self.bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={secrets.token_hex(nonce // 2)}"
        self.signature = None

    def first(self):
        return b64((self.header + self.bare).encode())

    def final(self, challenge):
        """The proof for the server's first message, in base64."""
        server_first = base64.b64decode(challenge).decode()
        fields = dict(field.split("=", 1) for field in server_first.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c={b64(self.header.encode())},r={fields['r']}"
        message = f"{self.bare},{server_first},{without_proof}".encode()
        proof = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        self.signature = b64(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256"))
        return b64(f"{without_proof},p={b64(bytes(a ^ b for a, b in zip(client_key, proof)))}".encode())

    def server_is_right(self, challenge):
        return base64.b64decode(challenge).decode() == f"v={self.signature}"

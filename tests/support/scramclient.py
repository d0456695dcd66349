"""The client's side of SASL for tests, written from the RFCs and apart from the server's side."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass
class Scram:
    """RFC 5802 §3: `first`, then `final(server_first)`, then `check(server_final)`."""

    algorithm: str
    user: str
    password: str
    #: The type of channel binding and its data.
    binding: tuple[str, bytes] | None = None
    flag: str = "n"
    nonce: str = "rOprNGfwEbeRWgbNEkqO"
    _messages: list[str] = field(default_factory=list)
    _salted: bytes = b""

    @property
    def _header(self) -> str:
        return f"p={self.binding[0]},," if self.binding else f"{self.flag},,"

    def first(self) -> bytes:
        name = self.user.replace("=", "=3D").replace(",", "=2C")
        self._messages = [f"n={name},r={self.nonce}"]
        return (self._header + self._messages[0]).encode()

    def final(self, server_first: bytes) -> bytes:
        text = server_first.decode()
        fields = dict(one.split("=", 1) for one in text.split(","))
        assert fields["r"].startswith(self.nonce)
        assert len(fields["r"]) > len(self.nonce)
        self.salt, self.iterations = base64.b64decode(fields["s"]), int(fields["i"])
        channel = self._header.encode() + (self.binding[1] if self.binding else b"")
        without_proof = f"c={base64.b64encode(channel).decode()},r={fields['r']}"
        self._messages += [text, without_proof]
        self._salted = hashlib.pbkdf2_hmac(self.algorithm, self.password.encode(), self.salt, self.iterations)
        key = self._mac(self._salted, b"Client Key")
        signature = self._mac(hashlib.new(self.algorithm, key).digest(), ",".join(self._messages).encode())
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final: bytes) -> bool:
        """Whether the server, too, knows the password."""
        server_key = self._mac(self._salted, b"Server Key")
        signature = self._mac(server_key, ",".join(self._messages).encode())
        return server_final == b"v=" + base64.b64encode(signature)

    def _mac(self, key: bytes, octets: bytes) -> bytes:
        return hmac.digest(key, octets, self.algorithm)


def cram_md5(user: str, password: str, challenge: bytes) -> bytes:
    """RFC 2195 §2."""
    return f"{user} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}".encode()

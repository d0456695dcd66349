"""Connection ids, and the received ids that hide them from outsiders (S-14, O-153, B-75)."""

import base64
import binascii
import itertools
import os
import secrets
from pathlib import Path
from typing import Protocol

from appliance.base.clock import Clock


class Random(Protocol):
    """Randomness as a parameter."""

    def token_bytes(self, count: int) -> bytes:
        """So many random octets."""


class SystemRandom:
    """The machine's randomness."""

    def token_bytes(self, count: int) -> bytes:
        """So many random octets."""
        return secrets.token_bytes(count)


class ConnectionIDs:
    """Numbers of connections, requests and attempts: from the start time in milliseconds on, counting up."""

    def __init__(self, clock: Clock) -> None:
        self._next = itertools.count(clock.microseconds() // 1000).__next__

    def next(self) -> int:
        """A new number."""
        return self._next()


class ReceivedIDs:
    """Connection ids as outsiders see them: AES-128 of a marker and the id, 22 characters of base64url."""

    KEY_OCTETS = 24

    def __init__(self, key: bytes) -> None:
        """Key: 16 octets for AES, 8 octets of marker."""
        if len(key) != self.KEY_OCTETS:
            raise ValueError("a received id key has 24 octets")
        # Imported here: the library costs start-up time and only mail that was received needs it.
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        # One block that never repeats needs no chaining.
        self._cipher = Cipher(algorithms.AES(key[:16]), modes.ECB())  # noqa: S305
        self._marker = key[16:]

    def encode(self, cid: int) -> str:
        """The received id of a connection."""
        encryptor = self._cipher.encryptor()
        block = encryptor.update(self._marker + cid.to_bytes(8, "big")) + encryptor.finalize()
        return base64.urlsafe_b64encode(block).rstrip(b"=").decode()

    def decode(self, received_id: str) -> int:
        """The connection of a received id. Raises ValueError when it is not one of ours."""
        try:
            block = base64.urlsafe_b64decode(received_id.encode("ascii") + b"==")
        except (UnicodeEncodeError, binascii.Error) as error:
            raise ValueError("not a received id") from error
        if len(block) != 16:
            raise ValueError("not a received id")
        decryptor = self._cipher.decryptor()
        plain = decryptor.update(block) + decryptor.finalize()
        if plain[:8] != self._marker:
            raise ValueError("not a received id of this server")
        return int.from_bytes(plain[8:], "big")


def load_key(path: Path) -> bytes:
    """The key file of an installation, made on first use (B-75)."""
    try:
        key = path.read_bytes()
        if len(key) == ReceivedIDs.KEY_OCTETS:
            return key
        path.unlink()
    except FileNotFoundError:
        pass
    key = secrets.token_bytes(ReceivedIDs.KEY_OCTETS)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return key

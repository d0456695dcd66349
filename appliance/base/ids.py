"""Connection ids, received ids, and randomness as a parameter.

A connection id (cid) is a process-wide counter that starts at the time of the start in milliseconds, so ids of two
runs do not meet. Outsiders see it only as a received id: AES-128-ECB of eight fixed octets of this installation and
the cid, 22 characters of base64url, so nobody can count our connections and the operator can find the log lines.
"""

import itertools
import os
import secrets
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any, Protocol

from appliance.base.clock import Clock

#: AES-128 key and marker.
KEY_OCTETS = 16 + 8


class Random(Protocol):
    """A source of randomness good enough for keys; tests pass one that repeats itself."""

    def token_bytes(self, count: int, /) -> bytes:
        """`count` random octets."""
        ...


class SystemRandom:
    """Randomness of the operating system."""

    def token_bytes(self, count: int, /) -> bytes:
        """`count` random octets."""
        return secrets.token_bytes(count)


class Cids:
    """Hands out connection ids: for connections, requests and attempts of the queue."""

    def __init__(self, clock: Clock) -> None:
        self._count = itertools.count(clock.microseconds() // 1000)

    def next(self) -> int:
        """A number not used before in this process; less than 2**64."""
        return next(self._count)


class InvalidReceivedID(ValueError):
    """Not a received id of this installation."""


class ReceivedIDs:
    """Turns a cid into the id that outsiders see, and back."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_OCTETS:
            raise ValueError(f"a received id key has {KEY_OCTETS} octets")
        self._key, self._marker = key[:16], key[16:]
        self._encryptor: Any = None

    def encode(self, cid: int) -> str:
        """22 characters of base64url."""
        if self._encryptor is None:
            self._encryptor = self._cipher().encryptor()  # in ECB a block knows nothing of the one before it
        block: bytes = self._encryptor.update(self._marker + cid.to_bytes(8, "big"))
        return urlsafe_b64encode(block).rstrip(b"=").decode()

    def decode(self, text: str) -> int:
        """The cid. Raises InvalidReceivedID for anything that this installation did not encode."""
        if len(text) != 22 or not text.isascii():
            raise InvalidReceivedID("a received id has 22 characters")
        block = urlsafe_b64decode(text + "==")
        if len(block) != 16 or urlsafe_b64encode(block).rstrip(b"=").decode() != text:
            raise InvalidReceivedID("not base64url")
        plain: bytes = self._cipher().decryptor().update(block)
        if plain[:8] != self._marker:
            raise InvalidReceivedID("from another installation, or made up")
        return int.from_bytes(plain[8:], "big")

    def _cipher(self) -> Any:
        # Imported when first needed: a command that shows help should not wait for it.
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES(self._key), modes.ECB())  # noqa: S305  one block, never repeated


def load_key(path: Path, random: Random, *, owner: tuple[int, int] | None = None) -> bytes:
    """The received id key in `path` (`receivedid.key`), made when it is missing or of the wrong size.

    A new file gets mode 0640 and, when given, `owner` (user id, group id). Raises OSError.
    """
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = b""
    if len(key) == KEY_OCTETS:
        return key
    key = random.token_bytes(KEY_OCTETS)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return key

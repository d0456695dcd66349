"""Passwords: what may be one, what is kept of it, whether it is the right one.

Hashing is slow on purpose, so it happens in threads, a few at a time; who was right a moment ago is not hashed
again. The memory of that holds a keyed MAC, never a password.
"""

import hmac
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import trio

from appliance.base.clock import Clock
from appliance.base.problem import Kind, Problem
from appliance.mail.status import Status
from appliance.protocol.sasl import derive
from appliance.store.records import Credentials, Scram

if TYPE_CHECKING:
    import argon2

#: Octets after normalization.
SHORTEST: Final = 8
#: A longer one is no password but an attack on the hash.
LONGEST: Final = 1024
#: RFC 5802 §5.1 and RFC 7677 §4 ask for 4096 at least.
SCRAM_SHA1_ITERATIONS: Final = 8192
SCRAM_SHA256_ITERATIONS: Final = 4096
SALT_OCTETS: Final = 12
#: A right password needs no hashing again for so long.
REMEMBERED_SECONDS: Final = 15 * 60
REMEMBERED_LOGINS: Final = 10_000
#: Hashes computed at once.
HASHERS: Final = 2


@lru_cache(maxsize=1)
def _hasher() -> "argon2.PasswordHasher":
    # Imported when the first password is hashed: it takes a tenth of a second, and a server starts without.
    import argon2

    # Two passes over 19 MiB, some 30 ms: OWASP's least, since a mail server hashes for every program that logs in.
    return argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class BadPassword(Problem):
    """A password that cannot be set; the text says why."""

    kind, status = Kind.INVALID, Status(5, 7, 0)


def normalize(password: str) -> str:
    """PRECIS OpaqueString (RFC 8265 §4.2): Unicode spaces become spaces, NFC. Raises BadPassword."""
    if len(password) > LONGEST:  # Nobody's, and the profile would take its time with it.
        raise BadPassword("the password is too long")
    if password.isascii() and password.isprintable() and password:
        return password
    import precis_i18n

    try:
        return str(precis_i18n.get_profile("OpaqueString").enforce(password))
    except UnicodeEncodeError as error:
        raise BadPassword("the password has characters that are not allowed") from error


def new_password(password: str) -> bytes:
    """The octets of a password that may be set. Raises BadPassword."""
    octets = normalize(password).encode()
    if len(octets) < SHORTEST:
        raise BadPassword(f"the password must have at least {SHORTEST} characters")
    if len(octets) > LONGEST:
        raise BadPassword("the password is too long")
    return octets


#: Of generated passwords: enough for a hash that is slow, with letters that nobody takes for one another.
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!@#$%^&*-_;:,<.>/"
_GENERATED_CHARACTERS: Final = 12


def generate() -> str:
    """A password for a person."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_GENERATED_CHARACTERS))


def new_salts(now: int) -> Credentials:
    """Salts alone, of an account without a password of its own."""
    return Credentials(
        password_hash="",
        scram_sha1=Scram(secrets.token_bytes(SALT_OCTETS), SCRAM_SHA1_ITERATIONS, b"", b""),
        scram_sha256=Scram(secrets.token_bytes(SALT_OCTETS), SCRAM_SHA256_ITERATIONS, b"", b""),
        cram_md5_inner=b"",
        cram_md5_outer=b"",
        changed=now,
    )


def derive_credentials(password: str, now: int, salts: Credentials | None = None) -> Credentials:
    """Everything kept of a password. Takes some 50 ms: call it in a thread. Raises BadPassword.

    `salts`: secrets whose salts are to be used again, because app passwords were derived with them. A SCRAM client is
    told one salt and one number of iterations before it has shown which password it has, so all share them.
    """
    octets = new_password(password)
    salts = salts or new_salts(now)
    inner, outer = derive.cram_md5(octets)
    return Credentials(
        password_hash=_hasher().hash(octets),
        scram_sha1=_keys("sha1", octets, salts.scram_sha1),
        scram_sha256=_keys("sha256", octets, salts.scram_sha256),
        cram_md5_inner=inner,
        cram_md5_outer=outer,
        changed=now,
    )


def derive_app_password(octets: bytes, salts: Credentials) -> tuple[Scram, Scram, tuple[bytes, bytes]]:
    """What is kept of an app password: keys of SCRAM-SHA-1, of SCRAM-SHA-256, states of CRAM-MD5. Takes some 5 ms."""
    return (
        _keys("sha1", octets, salts.scram_sha1),
        _keys("sha256", octets, salts.scram_sha256),
        derive.cram_md5(octets),
    )


def _keys(algorithm: str, octets: bytes, salts: Scram) -> Scram:
    return Scram(salts.salt, salts.iterations, *derive.scram(algorithm, octets, salts.salt, salts.iterations))


async def stored_key(password: str, salts: Scram) -> bytes:
    """StoredKey of SCRAM-SHA-256 for a password somebody sent; to compare with those of app passwords."""
    try:
        octets = normalize(password).encode()[:LONGEST]
    except BadPassword:
        octets = b""
    return (await trio.to_thread.run_sync(_keys, "sha256", octets, salts)).stored_key


def matches(password_hash: str, octets: bytes) -> bool:
    """Whether a normalized password is the one of a hash: argon2id, or bcrypt from an import. Slow."""
    if password_hash.startswith("$2"):
        import bcrypt

        return bcrypt.checkpw(octets[:72], password_hash.encode())
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return bool(_hasher().verify(password_hash, octets))
    except (VerificationError, InvalidHashError):
        return False


class Checker:
    """Checks passwords and remembers for a while which were right. One for the whole house."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, float] = {}
        self._limiter = trio.CapacityLimiter(HASHERS)
        #: Checked for unknown users, so that they take as long as known ones.
        self._nobody: str | None = None

    async def check(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right; None stands for a user that does not exist."""
        try:
            octets = normalize(password).encode()
        except BadPassword:
            octets = b""
        if len(octets) > LONGEST:
            octets = b""
        mac = hmac.digest(self._key, (password_hash or "").encode() + b"\0" + octets, "sha256")
        now = self._clock.monotonic()
        if self._right.get(mac, 0) > now:
            return True
        right = await trio.to_thread.run_sync(self._compare, password_hash, octets, limiter=self._limiter)
        if right:
            if len(self._right) >= REMEMBERED_LOGINS:
                self._right.clear()
            self._right[mac] = now + REMEMBERED_SECONDS
        return right

    def _compare(self, password_hash: str | None, octets: bytes) -> bool:
        if password_hash is None:
            if self._nobody is None:
                self._nobody = _hasher().hash(secrets.token_bytes(16))
            matches(self._nobody, octets)
            return False
        return matches(password_hash, octets)


def hash_password(password: str) -> str:
    """The hash alone, for a password that belongs to no account. Slow. Raises BadPassword."""
    return _hasher().hash(new_password(password))

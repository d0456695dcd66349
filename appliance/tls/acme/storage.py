"""What is kept of an ACME provider, as files in the data directory that other programs can read.

`acme/<provider>.key` is the key of our account, `acme/<provider>.json` how its names stand, and
`acme/keycerts/<provider>/<host>` (`<host>+rsa` for RSA, `_wildcard` for `*`) a private key with the chain of its
certificate behind it. Nobody else may read them. All functions block: call them in a thread, or at the start.
"""

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from appliance.base.log import Log
from appliance.tls.acme import jose, keys
from appliance.tls.acme.keys import Issued, KeyType
from appliance.tls.context import KeyPair

log = Log("autotls")

_NOTE: Final = "This is the private key of an account at a certificate authority, {provider} of the configuration.\n\n"
_KEY_END: Final = re.compile(rb"-----END [A-Z ]*PRIVATE KEY-----\r?\n?")


class UnfitKey(OSError):
    """The key of an account cannot be used; the text names the file."""


class Standing(msgspec.Struct, forbid_unknown_fields=False, omit_defaults=True):
    """How a certificate stands, beside what it says itself. Times are seconds since 1970."""

    #: Failures in a row, why the last one was, and when to try again.
    failures: int = 0
    error: str = ""
    next_attempt: float = 0.0
    #: Where it was issued, so that another directory in the configuration is noticed.
    directory_url: str = ""


class State(msgspec.Struct, forbid_unknown_fields=False):
    """Of a provider."""

    directory_url: str = ""
    #: Of our account there.
    account_url: str = ""
    contact: str = ""
    #: By name of the certificate's file.
    names: dict[str, Standing] = {}


class Storage:
    """The files of one provider."""

    def __init__(self, data: Path, provider: str) -> None:
        self._provider = provider
        self._folder = data / "acme"
        name = quote(provider, safe="").replace(".", "%2E")
        self._key = self._folder / f"{name}.key"
        self._state = self._folder / f"{name}.json"
        self._certificates = self._folder / "keycerts" / name

    def account_key(self) -> jose.AccountKey:
        """The key of our account, made if there is none yet. Raises OSError, UnfitKey among them."""
        try:
            octets = self._key.read_bytes()
        except FileNotFoundError:
            key = ec.generate_private_key(ec.SECP256R1())
            _write(self._key, _NOTE.format(provider=self._provider).encode() + keys.dump(key))
            return key
        try:
            found = load_pem_private_key(octets, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise UnfitKey(f"{self._key} has no usable private key: {error}") from error
        if not jose.is_fit(found):
            raise UnfitKey(f"{self._key} is neither a P-256 key nor an RSA key of at least 2048 bits")
        return found  # type: ignore[return-value]

    def state(self) -> State:
        """What was written; an empty one when it cannot be read: then things are only found out anew."""
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warn("what was known of ACME is unreadable, beginning anew", error, file=self._state)
            return State()

    def write_state(self, octets: bytes) -> None:
        """Write an encoded state. Raises OSError."""
        _write(self._state, octets)

    def certificate(self, host: str, key_type: KeyType) -> Issued | None:
        """A certificate that was kept; None when there is none that is whole."""
        path = self._certificates / file_name(host, key_type)
        try:
            octets = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.error("certificate is unreadable", error, file=path)
            return None
        end = _KEY_END.search(octets)
        try:
            if end is None:
                raise ValueError("no private key")
            found = keys.issued(KeyPair(octets[end.end() :], octets[: end.end()]), host)
        except ValueError as error:
            log.warn("certificate is unusable", error, file=path)
            return None
        return found

    def keep(self, host: str, key_type: KeyType, pair: KeyPair) -> None:
        """Write a certificate. Raises OSError."""
        _write(self._certificates / file_name(host, key_type), pair.key + pair.chain)


def file_name(host: str, key_type: KeyType) -> str:
    """The file of a certificate; also its name in the state."""
    # No host has such a name.
    host = host.replace("*", "_wildcard", 1) if host.startswith("*.") else host
    return host + ("+rsa" if key_type is KeyType.RSA else "")


def _write(path: Path, octets: bytes) -> None:
    """Whole or not at all, for our eyes only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

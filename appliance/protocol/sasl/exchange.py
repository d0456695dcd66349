"""SASL exchanges, the server's side: challenges out, responses in, at the end a claim to be checked (RFC 4422).

An exchange knows nothing of accounts. It ends with `PasswordCredentials`, whose truth operations.login finds out.
"""

import unicodedata
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Fault(Enum):
    """What a client did wrong; doors have their replies for each (S-54)."""

    MALFORMED = "malformed"
    #: Acting for another than the one who authenticates.
    AUTHORIZATION = "authorization"


class SASLError(Exception):
    """The client broke the exchange: an authentication failure, never an error of ours."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Challenge:
    """To be sent to the client; the exchange goes on."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class PasswordCredentials:
    """A claim with a password. Never log it."""

    authentication: str
    password: str

    def __repr__(self) -> str:
        return f"PasswordCredentials({self.authentication!r})"


class Exchange(Protocol):
    """One login attempt."""

    #: As in logs and counters.
    name: str

    def step(self, response: bytes | None) -> Challenge | PasswordCredentials:
        """Take a response; None at the start when the client sent none. Raises SASLError."""


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SASLError(Fault.MALFORMED, "not UTF-8") from error


class Plain:
    """PLAIN (RFC 4616)."""

    name = "plain"

    def step(self, response: bytes | None) -> Challenge | PasswordCredentials:
        """authzid NUL authcid NUL password."""
        if response is None:
            return Challenge(b"")
        fields = response.split(b"\0")
        if len(fields) != 3:
            raise SASLError(Fault.MALFORMED, "PLAIN takes three fields")
        authorization, authentication, password = map(_text, fields)
        authorization, authentication = (unicodedata.normalize("NFC", one) for one in (authorization, authentication))
        if authorization and authorization != authentication:
            raise SASLError(Fault.AUTHORIZATION, "cannot act for somebody else")
        return PasswordCredentials(authentication, password)


class Login:
    """LOGIN, which has no standard but many clients; they look at the challenges (S-58)."""

    name = "login"

    def __init__(self) -> None:
        self._user: str | None = None

    def step(self, response: bytes | None) -> Challenge | PasswordCredentials:
        """The user's name, then the password."""
        if response is None:
            return Challenge(b"Username:")
        if self._user is None:
            self._user = _text(response)
            return Challenge(b"Password:")
        return PasswordCredentials(self._user, _text(response))

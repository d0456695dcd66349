"""The server's side of an IMAP conversation: octets in, commands out, no socket.

RFC 9051 §2.2, literals of RFC 7888. Lines and literals are gathered here, `grammar` reads them; messages of APPEND and
REPLACE pass through in chunks and are never gathered. What commands mean belongs to servers.imap, which drives this.
"""

import datetime
from dataclasses import dataclass
from typing import Final

from appliance.protocol.imap.command import Request
from appliance.protocol.imap.lexer import CommandError
from appliance.protocol.imap.limits import ImapLimits

__all__ = ["CommandError", "ServerConnection"]


class NeedData:
    """There is no event until more octets come."""

    def __repr__(self) -> str:
        return "NEED_DATA"


NEED_DATA: Final = NeedData()


@dataclass(frozen=True, slots=True)
class Command:
    """A whole command, its literals included."""

    tag: str
    request: Request


@dataclass(frozen=True, slots=True)
class LiteralWanted:
    """The client waits for `+ OK` before it sends a literal of a command; send it and go on."""

    size_octets: int


@dataclass(frozen=True, slots=True)
class AppendBegin:
    """A message is about to come. Answer with `accept_literal` (after `+ OK` if sync) or `refuse_literal`."""

    tag: str
    mailbox: str
    flags: tuple[str, ...]
    #: The wanted internal date, None for now.
    date: datetime.datetime | None
    size_octets: int
    #: Whether the client waits for `+ OK`; otherwise the octets are under way already.
    sync: bool
    #: literal8 (RFC 9051 §6.3.12).
    binary: bool
    #: Sent as UTF8 (~{n} …) (RFC 6855 §4).
    utf8: bool
    #: 0 for the first message of the command.
    index: int
    #: For REPLACE: whether by UID, and which message, None for `*`.
    replaces: tuple[bool, int | None] | None = None


@dataclass(frozen=True, slots=True)
class AppendChunk:
    """Some octets of the message."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class AppendEnd:
    """All octets of the message have come. Another AppendBegin, or the Command, follows."""


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """The client's answer to a challenge, decoded; None if it gave up with `*`."""

    octets: bytes | None


@dataclass(frozen=True, slots=True)
class IdleDone:
    """The client ended IDLE."""


Event = Command | LiteralWanted | AppendBegin | AppendChunk | AppendEnd | AuthResponse | IdleDone


class ServerConnection:
    """One connection's input. `receive_data`, then `next_event` until NEED_DATA."""

    def __init__(self, limits: ImapLimits) -> None:
        self._limits = limits
        #: Mailbox names are UTF-8, not modified UTF-7: after ENABLE IMAP4rev2 or UTF8=ACCEPT.
        self.utf8 = False
        #: Wider literal limits, errors told in detail.
        self.authenticated = False

    def receive_data(self, octets: bytes) -> None:
        """Octets from the client."""
        raise NotImplementedError

    def next_event(self) -> Event | NeedData:
        """What the client said next, or NEED_DATA. Raises CommandError; unless that is fatal, call again after it."""
        raise NotImplementedError

    def accept_literal(self) -> None:
        """Take the message announced by AppendBegin: AppendChunk events and AppendEnd will come."""
        raise NotImplementedError

    def refuse_literal(self) -> None:
        """Don't take the message announced by AppendBegin, and end its command, which the caller then answers.

        With sync nothing more comes of it. Without sync the rest of the command is read and dropped silently.
        """
        raise NotImplementedError

    def expect_auth_response(self) -> None:
        """A challenge was sent: the next line is an AuthResponse."""
        raise NotImplementedError

    def expect_idle_done(self) -> None:
        """`+ idling` was sent: the next line must be DONE."""
        raise NotImplementedError

    def take_pending(self) -> bytes:
        """Octets received but not used, taken away; after STARTTLS they belong to the handshake (I-62)."""
        raise NotImplementedError

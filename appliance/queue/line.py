"""A connection that is kept from one message to the next of the same destination.

It never lies idle: whoever serves a destination takes what waits for it at once, or ends the connection. Whether a
message may go on it is decided by what was demanded of it, which is for `direct` and `relay` to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from types import TracebackType
from typing import Final

from appliance.config.source import Config
from appliance.net.dial import order
from appliance.net.limiter import Address
from appliance.protocol.smtp.client import Stage
from appliance.protocol.smtp.failure import Failure, Fault
from appliance.queue.route import Way
from appliance.queue.smtpclient import Session

#: Transactions of one connection, and the time after which no other is begun on it. Then hosts are looked up anew.
MESSAGES: Final = 100
SECONDS: Final = 30.0

_SMTP_CLOSING: Final = 421
_OF_CONNECTIONS: Final = frozenset({Fault.CONNECTION, Fault.TIMEOUT, Fault.PROTOCOL, Fault.LIMIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A session at its beginning or between two messages, and how it came to be."""

    session: Session
    #: In A-labels.
    host: str
    #: Of the host, in the resolver's order; those up to the one that answered were tried.
    addresses: Sequence[Address] = ()
    tried: frozenset[Address] = frozenset()
    #: What of TLS was wanted, as counters name it.
    label: str = ""

    @property
    def remote(self) -> Address:
        """The host's end."""
        return self.session.connection.remote

    @property
    def dual_stack(self) -> bool:
        """Whether the host has addresses of both families."""
        return len({one.version for one in self.addresses}) > 1

    def suits(self, dialed: Mapping[str, Sequence[Address]]) -> bool:
        """Whether it is this address's turn for a message with that history: others before it were tried just now."""
        turns = order(self.addresses, dialed.get(self.host, ()))
        return self.tried.issuperset(takewhile(lambda one: one != self.remote, turns))


class Line:
    """Has at most one connection. A context manager: at its end goodbye is said."""

    def __init__(self) -> None:
        self._kept: Kept | None = None
        self._purpose: object = None
        self._config: Config | None = None
        self._way: Way | None = None

    async def __aenter__(self) -> "Line":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.session.stays = False
            await kept.session.__aexit__(kind, error, trace)

    @property
    def is_open(self) -> bool:
        """Whether there is a connection for another message."""
        return self._kept is not None

    async def end(self) -> None:
        """Say goodbye."""
        await self.__aexit__(None, None, None)

    async def go_by(self, config: Config, way: Way) -> None:
        """From now on it is used for this way alone, and not when the configuration is another."""
        if self._config is not config or self._way != way:
            await self.end()
            self._config, self._way = config, way

    async def take(self, purpose: object, dialed: Mapping[str, Sequence[Address]]) -> Kept | None:
        """The connection, if it was kept for the same purpose, may still be used and suits a message with that history.

        Otherwise it is ended, and there is none. Who takes it keeps it again or ends it.
        """
        kept = self._kept
        if kept is None:
            return None
        if purpose == self._purpose and kept.session.reusable and kept.suits(dialed):
            self._kept = None
            return kept
        await self.end()
        return None

    def keep(self, kept: Kept, purpose: object) -> None:
        """Keep a connection for the next message, if it may have one."""
        session = kept.session
        if self._kept is None and session.reusable and session.transactions < MESSAGES and session.age < SECONDS:
            session.stays = True
            self._kept, self._purpose = kept, purpose


def is_over(failure: Failure) -> bool:
    """A kept connection was over before the message was begun, which tells nothing about that: it gets a new one.

    Hosts that have waited for us, or have had enough, close or say 421 where they might have taken another message.
    """
    if failure.command == Stage.CONTENT.value:
        return False
    return failure.fault in _OF_CONNECTIONS or (failure.remote and failure.code == _SMTP_CLOSING)

"""Octets arrive in pieces of any size, and a conversation must not mind."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from appliance.protocol.lines import NEED_DATA

#: Up to this length every cut in two is tried, beyond it a sample.
ALL_CUTS_OCTETS = 150


class Conversation(Protocol):
    """Octets in, events out. A broken rule is an event too: the driver of a test turns errors into values."""

    def receive_data(self, octets: bytes) -> None: ...

    def next_event(self) -> Any: ...


def events(conversation: Conversation, pieces: Iterable[bytes]) -> list[Any]:
    """All that happens when the pieces arrive one after another."""
    happened = []
    for piece in pieces:
        conversation.receive_data(piece)
        while (event := conversation.next_event()) is not NEED_DATA:
            happened.append(event)
    return happened


def splits(octets: bytes) -> Iterator[list[bytes]]:
    """The octets whole, singly, and cut in two."""
    yield [octets]
    yield [octets[place : place + 1] for place in range(len(octets))]
    step = max(1, len(octets) // ALL_CUTS_OCTETS)
    for cut in range(1, len(octets), step):
        yield [octets[:cut], octets[cut:]]


def every_split(
    connect: Callable[[], Conversation],
    octets: bytes,
    *,
    behind: bytes = b"",
    settle: Callable[[list[Any]], list[Any]] = lambda happened: happened,
) -> list[Any]:
    """The events of the octets, the same however they are split and whatever comes behind them.

    `settle` makes comparable what may differ: content cut into other chunks.
    """
    ways = splits(octets)
    first = settle(events(connect(), next(ways)))
    for pieces in ways:
        assert settle(events(connect(), pieces)) == first, f"split as {pieces!r}"
    if behind:
        more = settle(events(connect(), [octets + behind]))
        assert more[: len(first)] == first, "octets behind change what stands before them"
    return first

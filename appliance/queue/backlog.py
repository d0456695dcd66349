"""Which messages are due and wait for their turn, by destination. Pure.

A destination is served by one task at a time, and destinations take turns: a thousand messages for a host that is
slow hold up nobody else.
"""

from collections import deque
from collections.abc import Iterable

from appliance.store.tables import QueueID

#: A recipients' domain; for recipients of ours, a submission.
Destination = tuple[str, int]


class Backlog:
    """Ids of messages by destination, each once."""

    def __init__(self) -> None:
        #: Destinations nobody is working for, the next one first.
        self._ready: dict[Destination, deque[QueueID]] = {}
        #: Those somebody is working for, with what came meanwhile.
        self._busy: dict[Destination, deque[QueueID]] = {}
        self._ids: set[QueueID] = set()

    def __contains__(self, id: QueueID) -> bool:
        """Whether a message waits, or is being worked at."""
        return id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def has_ready(self) -> bool:
        """Whether a destination waits for its turn."""
        return bool(self._ready)

    def add(self, destination: Destination, id: QueueID) -> None:
        """A message is due; it must not be here."""
        self._ids.add(id)
        waiting = self._busy.get(destination)
        if waiting is None:
            waiting = self._ready.setdefault(destination, deque())
        waiting.append(id)

    def take(self) -> tuple[Destination, deque[QueueID]] | None:
        """The next destination and what waits for it: to be taken from the left. It is busy until `done`."""
        if not self._ready:
            return None
        destination = next(iter(self._ready))
        waiting = self._busy[destination] = self._ready.pop(destination)
        return destination, waiting

    def forget(self, ids: Iterable[QueueID]) -> None:
        """These messages, which were taken, are not here any more."""
        self._ids.difference_update(ids)

    def done(self, destination: Destination) -> None:
        """The work for a destination is over."""
        waiting = self._busy.pop(destination)
        if waiting:
            self._ready[destination] = waiting

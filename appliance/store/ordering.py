"""Keys of a mailbox's messages as columns in memory, for SORT and THREAD; read when they are first asked for.

Keys of a message change only when it is parsed anew (`forget`), so the columns only grow, and are made anew when most
of what they hold is gone. Everything here runs in the thread of searches, one after another (`Indexer.turn`).
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final

import msgspec

from appliance.mail.forest import Forest
from appliance.mail.order import Keys
from appliance.mail.traits import traits
from appliance.store import message, prepare, thread
from appliance.store.prepare import PrepareLimits
from appliance.store.tables import AccountID, MailboxID, MessageID
from appliance.store.transaction import ReadTx

#: Messages read with one snapshot, some milliseconds.
STEP_MESSAGES: Final = 1000
#: In the column of sent dates: the header says none, so the time of arrival counts (RFC 5256 §2.2).
NOT_SENT: Final = -(1 << 63)
#: Columns hold so many messages that are gone, at least, before they are made anew.
GONE_MESSAGES: Final = 10_000


class Columns:
    """Keys of messages of one mailbox; the n-th entries of all columns are one message."""

    __slots__ = (
        *(
            "_texts",
            "cc",
            "display_from",
            "display_to",
            "forests",
            "from_",
            "message_ids",
            "places",
            "references",
            "responses",
        ),
        *("sent", "subjects", "to", "traits"),
    )

    def __init__(self) -> None:
        #: Id of a message -> its place.
        self.places: dict[int, int] = {}
        #: Seconds since 1970, or NOT_SENT.
        self.sent = array("q")
        self.responses = bytearray()
        self.subjects: list[str] = []
        self.from_: list[str] = []
        self.to: list[str] = []
        self.cc: list[str] = []
        self.display_from: list[str] = []
        self.display_to: list[str] = []
        self.message_ids: list[bytes] = []
        self.references: list[bytes] = []
        #: Bits of `mail.traits`.
        self.traits = array("h")
        #: The threads that were made last, by algorithm, and the ids of their messages.
        self.forests: dict[str, tuple[Sequence[int], Forest]] = {}
        #: Each text is there once.
        self._texts: dict[str, str] = {}

    def add(self, id: int, keys: Keys) -> None:
        """A message more."""
        shared = self._texts.setdefault
        self.places[id] = len(self.sent)
        self.sent.append(NOT_SENT if keys.sent is None else keys.sent)
        self.responses.append(keys.is_response)
        self.subjects.append(shared(keys.subject, keys.subject))
        self.from_.append(shared(keys.from_, keys.from_))
        self.to.append(shared(keys.to, keys.to))
        self.cc.append(shared(keys.cc, keys.cc))
        self.display_from.append(shared(keys.display_from, keys.display_from))
        self.display_to.append(shared(keys.display_to, keys.display_to))
        self.message_ids.append(keys.message_id)
        self.references.append(keys.references)
        self.traits.append(keys.traits)

    def sent_of(self, ids: Iterable[int], received: Iterable[int]) -> "array[int]":
        """Sent dates of messages in seconds (RFC 5256 §2.2); `received` are their times of arrival in microseconds."""
        sent, places = self.sent, self.places
        return array(
            "q",
            [
                when if (when := sent[places[id]]) != NOT_SENT else arrived // 1_000_000
                for id, arrived in zip(ids, received, strict=True)
            ],
        )


class Orders:
    """Columns in use, least recently used first out, bounded by their messages altogether."""

    def __init__(
        self, messages: int, read: Callable[[], AbstractContextManager[ReadTx]], limits: PrepareLimits
    ) -> None:
        self._limit = messages
        self._snapshot = read
        self._limits = limits
        self._columns: OrderedDict[tuple[AccountID, MailboxID], Columns] = OrderedDict()

    def steps(self, account: AccountID, mailbox: MailboxID, ids: Sequence[int]) -> Iterator[Columns | None]:
        """None after each step, and columns that have these messages after the last. In a thread.

        Messages that were erased meanwhile have the keys of one without a header.
        """
        key = account, mailbox
        columns = self._columns.get(key)
        if columns is None or len(columns.places) > 2 * len(ids) + GONE_MESSAGES:
            columns = Columns()
        places = columns.places
        missing = [id for id in ids if id not in places]
        for start in range(0, len(missing), STEP_MESSAGES):
            some = missing[start : start + STEP_MESSAGES]
            with self._snapshot() as tx:
                for id, found in zip(some, self.read(tx, account, some), strict=True):
                    columns.add(id, found)
            yield None
        self._columns[key] = columns
        self._columns.move_to_end(key)
        total = sum(len(one.places) for one in self._columns.values())
        while total > self._limit and len(self._columns) > 1:
            total -= len(self._columns.popitem(last=False)[1].places)
        yield columns

    def forget(self, account: AccountID) -> None:
        """Keys of messages of an account were made anew. In the thread of searches, as all else."""
        for key in [key for key in self._columns if key[0] == account]:
            del self._columns[key]

    def read(self, tx: ReadTx, account: AccountID, ids: Sequence[int]) -> list[Keys]:
        """Keys of a few messages, from the store."""
        return [
            found if found is not None and found.traits >= 0 else self._older(tx, account, MessageID(id), found)
            for id, found in zip(ids, message.keys_all(tx, account, ids), strict=True)
        ]

    def _older(self, tx: ReadTx, account: AccountID, id: MessageID, known: Keys | None) -> Keys:
        """Keys of a message of an older program, or of one that is gone."""
        facts = thread.facts(tx, account, id)
        found = message.prepared_or_none(tx, account, id)
        if facts is None or found is None:
            return Keys(traits=0)
        if known is not None:
            return msgspec.structs.replace(known, traits=traits(facts.root))
        return prepare.keys(found, facts.root, self._limits)

"""The selected mailbox as one client knows it: message numbers, and what was told (I-175)."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain

from appliance.protocol.imap.lexer import CommandError
from appliance.protocol.imap.sequence import SequenceSet
from appliance.store.tables import MailboxID, MessageID
from appliance.store.view import View


class Selected:
    """A session's view. The list of UIDs changes only when the client is told."""

    __slots__ = ("gone", "id", "modseq", "name", "read_only", "saved", "uid_validity", "uids")

    def __init__(self, id: MailboxID, name: str, *, read_only: bool, uid_validity: int, view: View) -> None:
        self.id = id
        self.name = name
        self.read_only = read_only
        self.uid_validity = uid_validity
        #: Ascending; the message number is the place plus one.
        self.uids = array("I", view.uids)
        self.modseq = view.modseq
        #: Result of the last SEARCH RETURN (SAVE), as UIDs (RFC 9051 §6.4.4.1).
        self.saved: Sequence[int] = ()
        #: Messages that are gone and still have a number here: UID -> id, for FETCH.
        self.gone: dict[int, MessageID] = {}

    def __len__(self) -> int:
        return len(self.uids)

    def index(self, uid: int) -> int | None:
        """Place of a UID."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def ranges(self, messages: SequenceSet, *, uid: bool) -> list[range]:
        """Places that a set means. Raises CommandError for message numbers that do not exist (I-123)."""
        if messages.saved:
            places = [at for one in self.saved if (at := self.index(one)) is not None]
            return [range(at, at + 1) for at in places]
        if uid:
            return messages.indexes(self.uids)
        if messages.exceeds(len(self.uids)):
            raise CommandError("BAD", "no such message")
        return messages.numbers(len(self.uids))

    def places(self, messages: SequenceSet, *, uid: bool) -> list[int]:
        """As `ranges`, place by place."""
        return list(chain.from_iterable(self.ranges(messages, uid=uid)))

    def uids_of(self, places: Iterable[int]) -> list[int]:
        """UIDs at places."""
        uids = self.uids
        return [uids[at] for at in places]

    def add(self, uids: Iterable[int]) -> int:
        """New messages were told; how many there were."""
        last = self.uids[-1] if self.uids else 0
        fresh = [uid for uid in uids if uid > last]
        self.uids.extend(fresh)
        return len(fresh)

    def remove(self, uids: Sequence[int]) -> list[int]:
        """Removed messages were told; their numbers as each is when its turn comes, highest first."""
        places = [at for uid in uids if (at := self.index(uid)) is not None]
        for uid in uids:
            self.gone.pop(uid, None)
        if len(places) > 16:
            drop = set(places)
            self.uids = array("I", [uid for at, uid in enumerate(self.uids) if at not in drop])
        else:
            for at in reversed(places):
                del self.uids[at]
        return [at + 1 for at in reversed(places)]

"""The mailbox a session has selected, as its client knows it (I-175 to I-177).

Message numbers are places in `uids`, which change only when the client is told. What happened meanwhile is noted here
(`note`) until `news` tells it, so that a client hears the last word about each message once.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from appliance.protocol.imap import sequence
from appliance.protocol.imap.lexer import CommandError
from appliance.protocol.imap.sequence import SequenceSet
from appliance.store.changes import Change, Flagged, FlagsChanged, MailboxKeywords, MessagesAdded, MessagesRemoved
from appliance.store.problems import NoSuchMailbox
from appliance.store.records import Flag
from appliance.store.store import Store
from appliance.store.tables import AccountID, MailboxID, MessageID
from appliance.store.transaction import ReadTx
from appliance.store.view import View

#: So many removals at once are cut out of the list of UIDs one by one.
_FEW = 16
_NOTHING = View()
_DELETED = int(Flag.DELETED)


class Selected:
    """A session's view. The list of UIDs changes only when the client is told."""

    __slots__ = (
        "account", "added", "flags", "gone", "id", "keywords", "mine", "modseq", "name", "read_only", "saved", "uids",
    )  # fmt: skip

    def __init__(
        self, account: AccountID, id: MailboxID, name: str, *, read_only: bool, uids: "array[int]", modseq: int
    ) -> None:
        self.account = account
        self.id = id
        self.name = name
        self.read_only = read_only
        #: Ascending; the message number is the place plus one.
        self.uids = uids
        #: The account's modification sequence up to which changes are in what was told.
        self.modseq = modseq
        #: Result of the last SEARCH RETURN (SAVE), as UIDs (RFC 9051 §6.4.4.1).
        self.saved: Sequence[int] = ()
        #: Messages that are gone and still have a number here, UID -> id; their content is still there.
        self.gone: dict[int, MessageID] = {}
        #: To be told: new messages, flags by UID, each with its modseq; keywords.
        self.added: list[tuple[Flagged, int]] = []
        self.flags: dict[int, tuple[Flagged, int]] = {}
        self.keywords: tuple[str, ...] | None = None
        #: Flags that this session changed itself and that nobody changed before or after: its command tells them.
        self.mine: dict[int, tuple[Flagged, int]] = {}

    def __len__(self) -> int:
        return len(self.uids)

    def view(self, store: Store, tx: ReadTx) -> View:
        """The columns as of a snapshot, empty when the mailbox is gone. It may differ from `uids`."""
        try:
            return store.view_now(tx, self.account, tx.mailbox(self.account, self.id))
        except NoSuchMailbox:
            return _NOTHING

    def index(self, uid: int) -> int | None:
        """Place of a UID."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def ranges(self, messages: SequenceSet, *, uid: bool) -> list[range]:
        """Places that a set means, ascending. Raises CommandError for message numbers that do not exist (I-123)."""
        if messages.saved:
            return runs(at for one in self.saved if (at := self.index(one)) is not None)
        if uid:
            return messages.indexes(self.uids)
        if messages.exceeds(len(self.uids)) or (messages.has_star and not self.uids):
            raise CommandError("BAD", "no such message")
        return messages.numbers(len(self.uids))

    def places(self, messages: SequenceSet, *, uid: bool) -> list[int]:
        """As `ranges`, place by place."""
        return list(chain.from_iterable(self.ranges(messages, uid=uid)))

    def uids_of(self, ranges: Iterable[range]) -> list[int]:
        """UIDs at places."""
        found: list[int] = []
        for one in ranges:
            found += self.uids[one.start : one.stop]
        return found

    def deleted(self, store: Store, tx: ReadTx, uids: Iterable[int]) -> list[int]:
        """Those of the UIDs whose messages have \\Deleted."""
        view = self.view(store, tx)
        doomed = {uid for uid, bits in zip(view.uids, view.flags, strict=True) if bits & _DELETED}
        return [uid for uid in uids if uid in doomed] if doomed else []

    def note(self, change: Change, *, own: bool) -> None:
        """Take note of news about this mailbox; `own`: this session made it."""
        match change:
            case MessagesAdded(_, modseq, messages):
                self.added += [(one, modseq) for one in messages]
            case MessagesRemoved(_, _, uids, ids):
                self.gone.update(zip(uids, ids, strict=True))
            case FlagsChanged(_, modseq, messages):
                for one in messages:
                    if own and one.uid not in self.flags:
                        self.mine[one.uid] = one, modseq
                    else:
                        self.flags[one.uid] = one, modseq
            case MailboxKeywords(_, keywords, _):
                self.keywords = keywords

    def add(self) -> Iterator[tuple[int, Flagged, int]]:
        """New messages get their numbers: number, message, modseq."""
        last = self.uids[-1] if self.uids else 0
        fresh = [one for one in self.added if one[0].uid > last]
        self.added = []
        start = len(self.uids) + 1
        self.uids.extend([one.uid for one, _ in fresh])
        for number, (one, modseq) in enumerate(fresh, start):
            yield number, one, modseq

    def remove(self) -> list[int]:
        """What is gone loses its number: the numbers as each is when its turn comes, highest first (I-136)."""
        uids = self.uids
        places = [at for uid in sorted(self.gone) if (at := self.index(uid)) is not None]
        self.gone = {}
        if len(places) <= _FEW:
            for at in reversed(places):
                del uids[at]
        else:
            kept = array("I")
            start = 0
            for at in places:
                kept += uids[start:at]
                start = at + 1
            self.uids = kept + uids[start:]
        return [at + 1 for at in reversed(places)]


def runs(places: Iterable[int]) -> list[range]:
    """Ascending places as ranges."""
    return [range(low, high + 1) for low, high in sequence.compact(places)]

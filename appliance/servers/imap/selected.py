"""The mailbox a session has selected, as its client knows it (I-175 to I-177).

Message numbers are places in `uids`, which change only when the client is told. What happened meanwhile is noted here
(`note`) until `news` tells it, so that a client hears the last word about each message once.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, islice, repeat
from operator import attrgetter
from typing import Final

from appliance.protocol.imap import sequence
from appliance.protocol.imap.lexer import CommandError
from appliance.protocol.imap.sequence import SequenceSet
from appliance.store import message
from appliance.store.changes import (
    Change,
    Flagged,
    FlagsChanged,
    MailboxKeywords,
    MailboxRemoved,
    MailboxRenamed,
    MessagesAdded,
    MessagesRemoved,
    Subscription,
)
from appliance.store.problems import NoSuchMailbox
from appliance.store.records import ALL_RIGHTS, Flag
from appliance.store.store import Store
from appliance.store.tables import AccountID, MailboxRef, MessageID
from appliance.store.transaction import ReadTx
from appliance.store.view import View

#: So many removals at once are cut out of the list of UIDs one by one.
_FEW = 16
#: More changes than this are not looked at one by one. The content of what is gone is not found then.
CHANGES = 2000
_NOTHING = View()
_DELETED = int(Flag.DELETED)
_UID: Final = attrgetter("uid")


class Selected:
    """A session's view. The list of UIDs changes only when the client is told."""

    __slots__ = (
        "_exists", "_last", "_left", "account", "added", "flags", "fresh", "gone", "gone_modseq", "id", "keywords",
        "leaving", "listener", "many", "mine", "missed", "modseq", "name", "read_only", "reader", "removed", "rights",
        "saved", "turned", "uid_only", "uid_validity", "uids",
    )  # fmt: skip

    def __init__(
        self,
        ref: MailboxRef,
        name: str,
        *,
        read_only: bool,
        uids: "array[int]",
        modseq: int,
        rights: int = ALL_RIGHTS,
        reader: AccountID | None = None,
        turned: int = 0,
    ) -> None:
        #: Whose it is; not always the one who has it selected.
        self.account, self.id = ref
        #: As the client calls it.
        self.name = name
        #: It was opened by EXAMINE. What rights allow is another question.
        self.read_only = read_only
        #: Bits of what the client may do here, as far as it was told.
        self.rights = rights
        #: Whose \\Seen the client has here; None: that of the rows, which is the owner's or everybody's.
        self.reader = reader
        #: The modseq at which it was turned from one to the other: then the flags of all messages changed at once.
        self.turned = turned
        #: Its UIDVALIDITY when it was selected; 0 where nobody asks.
        self.uid_validity = 0
        #: Where news of another account's mailbox come from; None when it is one's own.
        self.listener: Subscription | None = None
        #: Ascending; the message number is the place plus one. With `uid_only` only there while a command works.
        self.uids = uids
        #: Messages have no numbers for this client (RFC 9586): the list is made anew for each command that needs one.
        self.uid_only = False
        self._exists = 0
        self._last = 0
        #: The account's modification sequence up to which changes are in what was told.
        self.modseq = modseq
        #: Result of the last SEARCH RETURN (SAVE), as UIDs (RFC 9051 §6.4.4.1).
        self.saved: Sequence[int] = ()
        #: Messages that are gone and still have a number here, UID -> id; their content is still there.
        self.gone: dict[int, MessageID] = {}
        #: The modseq of the first of these.
        self.gone_modseq = 0
        #: The mailbox is gone, and all its messages are in `gone` or were told.
        self.removed = False
        #: The modseq of the first change that this client did not want to hear of (RFC 5465), 0 when there is none.
        self.missed = 0
        #: With `uid_only`, the removals told since then: `changed_since` will name them once more.
        self._left: set[int] = set()
        #: UIDs of new messages whose attributes are to be fetched for the client (RFC 5465 §5.2).
        self.fresh: list[int] = []
        #: To be told: new messages, each with its modseq and whether it is this session's own; flags by UID, each with
        #: its modseq; keywords.
        self.added: list[tuple[Flagged, int, bool]] = []
        self.flags: dict[int, tuple[Flagged, int]] = {}
        self.keywords: tuple[str, ...] | None = None
        #: Flags of so many messages that they are told a chunk at a time, after all else.
        self.many: dict[int, tuple[Flagged, int]] = {}
        #: The messages in `gone` are so many that they are told of a chunk at a time.
        self.leaving = False
        #: Flags that this session changed itself and that nobody changed before or after: its command tells them.
        self.mine: dict[int, tuple[Flagged, int]] = {}

    def __len__(self) -> int:
        return self._exists if self.uid_only else len(self.uids)

    @property
    def ref(self) -> MailboxRef:
        """Which mailbox it is."""
        return MailboxRef(self.account, self.id)

    def may(self, rights: int) -> bool:
        """Whether the client may do that here."""
        return not self.read_only and self.rights & rights == rights

    @property
    def last(self) -> int:
        """No message with a higher UID was told."""
        if self.uid_only:
            return self._last
        return self.uids[-1] if self.uids else 0

    def give_up_numbers(self) -> None:
        """From now on the client knows messages by UID alone."""
        self._last, self._exists = self.last, len(self)
        self.uid_only = True

    def open(self, store: Store) -> None:
        """With `uid_only`: make the list of UIDs for a command, of what was told and is there."""
        with store.read() as tx:
            uids = self.view(store, tx).uids
        self.uids = uids[: bisect_right(uids, self._last)]

    def close(self) -> None:
        """With `uid_only`: the command is done."""
        self.uids = array("I")

    @property
    def told_modseq(self) -> int:
        """Everything up to here has been told to the client, and nothing that is held back is older."""
        modseq = self.modseq
        if self.gone:
            modseq = min(modseq, self.gone_modseq - 1)
        return min(modseq, self.missed - 1) if self.missed else modseq

    def view(self, store: Store, tx: ReadTx) -> View:
        """The columns as of a snapshot, empty when the mailbox is gone. It may differ from `uids`."""
        try:
            return store.view_now(tx, self.account, tx.mailbox(self.account, self.id), reader=self.reader)
        except NoSuchMailbox:
            return _NOTHING

    def index(self, uid: int) -> int | None:
        """Place of a UID."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def ranges(self, messages: SequenceSet, *, uid: bool) -> list[range]:
        """Places that a set means, ascending. Raises CommandError for message numbers that do not exist (I-123)."""
        if messages.saved:
            return runs(self._places(self.saved))
        if uid:
            return messages.indexes(self.uids)
        if messages.exceeds(len(self.uids)) or (messages.has_star and not self.uids):
            raise CommandError("BAD", "no such message")
        return messages.numbers(len(self.uids))

    def places(self, messages: SequenceSet, *, uid: bool) -> list[int]:
        """As `ranges`, place by place."""
        return list(chain.from_iterable(self.ranges(messages, uid=uid)))

    def _places(self, uids: Iterable[int]) -> Iterator[int]:
        """Places of ascending UIDs, of those that have one; best when they are close together."""
        there, at = self.uids, -1
        for uid in uids:
            at += 1
            if at >= len(there) or there[at] != uid:
                at = bisect_left(there, uid)
            if at < len(there) and there[at] == uid:
                yield at

    def uids_of(self, ranges: Iterable[range]) -> list[int]:
        """UIDs at places."""
        found: list[int] = []
        for one in ranges:
            found += self.uids[one.start : one.stop]
        return found

    def deleted(self, store: Store, tx: ReadTx, uids: Iterable[int]) -> list[int]:
        """Those of the UIDs whose messages have \\Deleted."""
        view = self.view(store, tx)
        doomed = set(compress(view.uids, map(_DELETED.__and__, view.flags)))
        return list(filter(doomed.__contains__, uids)) if doomed else []

    def number(self, uid: int) -> int | None:
        """What a message is called in FETCH responses: its number, or its UID with `uid_only`; None if not known."""
        if self.uid_only:
            return uid if uid <= self._last else None
        at = self.index(uid)
        return None if at is None else at + 1

    def note(self, change: Change, *, own: bool, messages: bool = True, flags: bool = True) -> None:
        """Take note of news about this mailbox; `own`: this session made it.

        Without `messages` or `flags` the client does not want to hear what others do with them.
        """
        match change:
            case _ if self.removed:
                pass
            case MailboxRemoved(_, _, modseq) if (messages or own) and not self.uid_only:
                # Of very many messages some are still there: they are told of now, and not again when they go.
                self.removed = True
                self.added.clear()
                left = [uid for uid in self.uids if uid not in self.gone]
                if left:
                    self.note_gone(modseq, zip(left, repeat(MessageID(0)), strict=False))
            case MessagesAdded(_, modseq, added):
                if messages:
                    self.added += [(one, modseq, own) for one in added]
                else:
                    self._miss(modseq)
            case MessagesRemoved(_, modseq, uids, ids):
                if messages or own:
                    self.note_gone(modseq, zip(uids, ids, strict=True))
                else:
                    self._miss(modseq)
            case FlagsChanged(_, modseq, changed):
                if not flags and not own:
                    self._miss(modseq)
                    return
                new = dict(zip(map(_UID, changed), zip(changed, repeat(modseq)), strict=False))
                if own:
                    for uid in new.keys() & self.flags.keys():
                        self.flags[uid] = new.pop(uid)
                    self.mine.update(new)
                else:
                    self.flags.update(new)
            case MailboxRenamed(_, old_name, name, _):
                self.name = name if self.listener is None else self.name.removesuffix(old_name) + name
            case MailboxKeywords(_, keywords, _):
                if flags or own:
                    self.keywords = keywords

    def note_gone(self, modseq: int, removed: Iterable[tuple[int, MessageID]]) -> None:
        """Messages are gone, UIDs and ids, and keep their numbers until that is told."""
        if not self.gone:
            self.gone_modseq = modseq
        self.gone.update(removed)

    def _miss(self, modseq: int) -> None:
        self.missed = self.missed or modseq

    def catch_up(self, store: Store, tx: ReadTx) -> None:
        """Take note of all that was missed, as it stands now."""
        last, since = self.last, self.missed - 1
        view = self.view(store, tx)
        found = message.changed_since(tx, self.account, since)
        changes = list(found if self.uid_only else islice(found, CHANGES + 1))
        if len(changes) > CHANGES and not self.uid_only:
            there = set(view.uids)
            gone = [(uid, self.gone.get(uid, MessageID(0))) for uid in self.uids if uid not in there]
            changed = [uid for uid, modseq in zip(view.uids, view.modseqs, strict=True) if modseq > since]
        else:
            here = [one for one in changes if one.mailbox == self.id]
            gone = [(one.uid, one.id) for one in here if one.expunged and one.uid <= last and one.uid not in self._left]
            changed = sorted(one.uid for one in here if not one.expunged)
        if gone:
            self.note_gone(since + 1, gone)
        known = {one.uid for one, _, _ in self.added}
        for uid in changed:
            at = view.index(uid)
            if at is None or uid in known:
                continue
            one = Flagged(uid, MessageID(view.ids[at]), view.flags[at], view.keywords.get(uid, ()))
            if uid > last:
                self.added.append((one, view.modseqs[at], False))
            else:
                self.flags[uid] = one, view.modseqs[at]
        self.added.sort(key=lambda one: one[0].uid)
        self.missed = 0
        self._left.clear()

    def add(self) -> list[tuple[Flagged, int, bool]]:
        """New messages get their numbers, the last of all; without those that are gone again."""
        last = self.last
        fresh = []
        for one in self.added:
            uid = one[0].uid
            if uid in self.gone:
                del self.gone[uid]
                self.flags.pop(uid, None)
            elif uid > last:
                fresh.append(one)
        self.added = []
        if not self.uid_only:
            self.uids.extend([one.uid for one, _, _ in fresh])
        elif fresh:
            self._last = fresh[-1][0].uid
            self._exists += len(fresh)
        return fresh

    def remove(self, gone: Sequence[int]) -> tuple[list[int], list[int]]:
        """Some of what is gone, ascending UIDs, loses its numbers.

        The numbers as each is when its turn comes, highest first, and the UIDs that had some.
        """
        for uid in gone:
            del self.gone[uid]
            self.many.pop(uid, None)
        if self.uid_only:
            gone = [uid for uid in gone if uid <= self._last and uid not in self._left]
            self._exists -= len(gone)
            if self.missed:
                self._left.update(gone)
            return [], gone
        uids = self.uids
        places = list(self._places(gone))
        removed = [uids[at] for at in places]
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
        return [at + 1 for at in reversed(places)], removed


def runs(places: Iterable[int]) -> list[range]:
    """Ascending places as ranges."""
    return [range(low, high + 1) for low, high in sequence.compact(places)]

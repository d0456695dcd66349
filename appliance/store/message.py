"""Messages of an account: adding, flags, copying, moving, removing, erasing.

A live message has a row in its mailbox, a place by its id, its facts and what was prepared to be served. A removed
one keeps all but the row until every listener knows of the removal; then `erase` leaves only the memory of it in
CHANGED, which is what CONDSTORE, QRESYNC and JMAP ask for.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Literal, NamedTuple

import msgspec

from appliance.config.domains import AutomaticJunkFlags
from appliance.mail.order import Keys
from appliance.mail.part import Part
from appliance.store import bodies, junk, reject, seen, senders, tables, thread
from appliance.store.changes import (
    Flagged,
    FlagsChanged,
    MailboxKeywords,
    MessagesAdded,
    MessagesRemoved,
    SeenChanged,
)
from appliance.store.problems import NoSuchMessage, OverQuota, TooMany
from appliance.store.records import (
    DELETED,
    NOT_JUNK,
    ROW_OCTETS,
    SEEN,
    Facts,
    Mailbox,
    Origin,
    Place,
    Prepared,
    Role,
    Row,
    pack_changed,
    pack_place,
    pack_row,
    unpack_changed,
    unpack_place,
    unpack_row,
)
from appliance.store.seen import Own
from appliance.store.senders import Judgement, SentTo
from appliance.store.tables import AccountID, MailboxID, MailboxRef, MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode

#: What is kept of a message until it is erased.
OF_MESSAGE: Final = (
    *(Table.FACTS, Table.PREPARED, Table.PREFIX, Table.TEXT, Table.ORDER, Table.COPIED, Table.PLACE, Table.ERASE),
    Table.TO_LEARN,
)

#: Keywords of one mailbox and of one message.
MAILBOX_KEYWORDS: Final = 1000
MESSAGE_KEYWORDS: Final = 100
#: The highest UID and sequence number there can be (RFC 9051 §2.3.1.1).
LAST_UID: Final = 0xFFFF_FFFF
#: Only the special use of a mailbox says what is junk.
NO_RULES: Final = AutomaticJunkFlags()


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message ready to be stored: all that is costly was done before the transaction."""

    body: bodies.NewBody
    #: Header fields added here, before the body; each copy of a message may have its own.
    prefix: bytes = b""
    root: Part
    prepared: Prepared
    #: Folded text to search; None when the message has too much to keep, and must be read to be searched.
    text: bytes
    clues: thread.Clues
    keys: Keys
    received: int
    origin: Origin = Origin()
    destined_mailbox: MailboxID = MailboxID(0)
    content_digest: bytes = b""
    #: To whom its writer sent it (`prepare.sent_to`), which counts in a mailbox for sent mail; nobody for what came in.
    sent_to: SentTo = SentTo()

    @property
    def size(self) -> int:
        """Octets of the whole message."""
        return len(self.prefix) + self.body.size


class Added(NamedTuple):
    """Where a new message went."""

    id: MessageID
    uid: int
    modseq: int


def count(mailbox: Mailbox, flags: int, size: int, sign: int) -> None:
    """Count a message in, or out."""
    if flags & DELETED:
        mailbox.deleted += sign
        mailbox.deleted_octets += sign * size
    else:
        mailbox.total += sign
        if not flags & SEEN:
            mailbox.unread += sign
    if not flags & SEEN:
        mailbox.unseen += sign
    mailbox.size_octets += sign * size


def merge_keywords(tx: WriteTx, account: AccountID, mailbox: Mailbox, keywords: set[str]) -> None:
    """Make keywords known to a mailbox. Raises TooMany beyond what a mailbox may have."""
    new = keywords.difference(mailbox.keywords)
    if not new:
        return
    if len(mailbox.keywords) + len(new) > MAILBOX_KEYWORDS:
        raise TooMany("too many keywords in the mailbox")
    mailbox.keywords = tuple(sorted({*mailbox.keywords, *new}))
    tx.touch(account, mailbox)
    tx.publish(account, MailboxKeywords(mailbox.id, mailbox.keywords, mailbox.modseq))


def check_quota(tx: ReadTx, account: AccountID, octets: int, quota_octets: int | None) -> None:
    """Raises OverQuota when so many more octets do not fit; None is no limit."""
    if quota_octets is not None and tx.account(account).usage_octets + octets > quota_octets:
        raise OverQuota("the account is over its quota")


def add(
    tx: WriteTx,
    account: AccountID,
    target: MailboxID,
    new: NewMessage,
    *,
    flags: int = 0,
    keywords: tuple[str, ...] = (),
    quota_octets: int | None = None,
    junk_rules: AutomaticJunkFlags = NO_RULES,
    own: Own | None = None,
) -> Added:
    """Put a message into a mailbox; what the mailbox says about junk goes before the flags.

    `own`: who brings it has a \\Seen of his own there, and nobody else has seen it.

    Raises NoSuchMailbox, OverQuota, TooMany.
    """
    check_quota(tx, account, new.size, quota_octets)
    mailbox = tx.mailbox(account, target)
    singletons = tx.account(account)
    id = MessageID(singletons.next_message)
    singletons.next_message += 1
    link = thread.find(tx, account, id, new.clues, target, new.received)
    if own is not None:
        flags = own.keep(tx, mailbox.uid_next, flags)
    if link.muted:
        flags |= SEEN
    said = junk.exclusive(0, flags)
    flags = junk.judge(said, mailbox.name, mailbox.roles, junk_rules)
    if new.origin.is_reject and not said & NOT_JUNK:
        flags &= ~NOT_JUNK  # No name of a mailbox vouches for what was refused; its reader may.
    if flags & junk.JUDGED:
        junk.note(tx, account, id)
    known = Facts(
        root=new.root,
        prefix_octets=len(new.prefix),
        message_id=new.clues.message_id,
        subject_base=new.clues.subject_base,
        origin_mailbox=target,
        destined_mailbox=new.destined_mailbox,
        origin=new.origin,
        thread_parents=link.parents,
        thread_missing_link=link.missing_link,
        thread_muted=link.muted,
        thread_collapsed=link.collapsed,
        content_digest=new.content_digest,
    )
    body = bodies.use(tx, new.body)
    singletons.usage_octets += new.size
    key = tables.message_key(account, id)
    tx.put_record(Table.FACTS, key, known)
    tx.put_record(Table.PREPARED, key, new.prepared)
    tx.put_record(Table.ORDER, key, new.keys)
    if new.text:
        tx.put(Table.TEXT, key, new.text)
    if new.prefix:
        tx.put(Table.PREFIX, key, new.prefix)
    row = Row(id, body, link.thread, 0, 0, new.size, new.received, tx.now, flags, keywords)
    uid = _insert(tx, account, mailbox, row)
    thread.index(tx, account, id, link.thread, known, new.received)
    if new.origin.is_reject:
        reject.index(tx, account, target, id, known, new.received)
    senders.judge(tx, account, id, new.received, new.origin, before=None, now=judgement(target, flags))
    if new.sent_to.names and mailbox.roles & Role.SENT:
        senders.sent(tx, account, id, new.received, new.sent_to)
    modseq = mailbox.modseq
    tx.publish(account, MessagesAdded(target, modseq, (Flagged(uid, id, flags, keywords),)))
    return Added(id, uid, modseq)


def _insert(tx: WriteTx, account: AccountID, mailbox: Mailbox, row: Row, *, turned: int = 0) -> int:
    """Give a message the next UID of a mailbox and count it there. `turned`: when it came into sight, if before."""
    if row.keywords:
        merge_keywords(tx, account, mailbox, set(row.keywords))
        if len(row.keywords) > MESSAGE_KEYWORDS:
            raise TooMany("too many keywords on the message")
    if mailbox.uid_next >= LAST_UID:
        raise TooMany("the mailbox has no UIDs left")
    uid = mailbox.uid_next
    mailbox.uid_next += 1
    tx.touch(account, mailbox)
    modseq = mailbox.modseq
    row = row._replace(modseq=modseq, create_modseq=modseq)
    tx.put(Table.ROW, tables.row_key(account, mailbox.id, uid), pack_row(row))
    tx.put(
        Table.PLACE,
        tables.message_key(account, row.id),
        pack_place(Place(mailbox.id, uid, row.body, row.size, expunged=False)),
    )
    tx.put(
        Table.CHANGED,
        tables.changed_key(account, modseq, mailbox.id, uid),
        pack_changed(row.id, modseq, turned=turned),
    )
    count(mailbox, row.flags, row.size, 1)
    return uid


def row(tx: ReadTx, account: AccountID, mailbox: MailboxID, uid: int) -> Row | None:
    """A live message by UID."""
    value = tx.get(Table.ROW, tables.row_key(account, mailbox, uid))
    return None if value is None else unpack_row(value)


def rows(
    tx: ReadTx, account: AccountID, mailbox: MailboxID, first: int = 1, last: int = LAST_UID
) -> Iterator[tuple[int, Row]]:
    """UIDs and rows of live messages, ascending."""
    start = tables.row_key(account, mailbox, first)
    stop = tables.row_key(account, mailbox, last) + b"\0"
    for key, value in tx.scan(Table.ROW, start, stop):
        yield int.from_bytes(key[8:], "big"), unpack_row(value)


def newest(tx: ReadTx, account: AccountID, mailbox: MailboxID) -> Iterator[tuple[int, Row]]:
    """UIDs and rows of live messages, the newest first."""
    start, stop = tables.row_key(account, mailbox, 0), tables.row_key(account, mailbox, LAST_UID) + b"\0"
    for key, value in tx.scan_back(Table.ROW, start, stop):
        yield int.from_bytes(key[8:], "big"), unpack_row(value)


def place(tx: ReadTx, account: AccountID, id: MessageID) -> Place | None:
    """Where a message is, removed but not erased ones included."""
    value = tx.get(Table.PLACE, tables.message_key(account, id))
    return None if value is None else unpack_place(value)


def facts(tx: ReadTx, account: AccountID, id: MessageID) -> Facts:
    """Facts of a message. Raises NoSuchMessage once it is erased."""
    known = tx.record(Table.FACTS, tables.message_key(account, id), Facts)
    if known is None:
        raise NoSuchMessage("no such message")
    return known


def prepared(tx: ReadTx, account: AccountID, id: MessageID) -> Prepared:
    """Prepared octets of a message. Raises NoSuchMessage once it is erased."""
    found = prepared_or_none(tx, account, id)
    if found is None:
        raise NoSuchMessage("no such message")
    return found


def prepared_or_none(tx: ReadTx, account: AccountID, id: MessageID) -> Prepared | None:
    """Prepared octets of a message; None once it is erased."""
    return tx.record(Table.PREPARED, tables.message_key(account, id), Prepared)


def prepared_all(tx: ReadTx, account: AccountID, ids: Iterable[int]) -> list[Prepared]:
    """Prepared octets of many messages. Raises NoSuchMessage when one is erased."""
    get, handle, key_of = tx.raw.get, tx.handles[Table.PREPARED], tables.message_key
    values = [get(key_of(account, id), None, handle) for id in ids]  # type: ignore[arg-type]
    if None in values:
        raise NoSuchMessage("no such message")
    return list(map(_prepared_decoder.decode, values))


def prefix(tx: ReadTx, account: AccountID, id: MessageID) -> bytes:
    """Header fields added here; empty when there are none."""
    return tx.get(Table.PREFIX, tables.message_key(account, id)) or b""


def originals(tx: ReadTx, account: AccountID, ids: Iterable[int]) -> list[int]:
    """For each message the one whose copy it is, at whatever remove, or itself: they are the same in all but flags."""
    get, handle, key_of = tx.raw.get, tx.handles[Table.COPIED], tables.message_key
    found = [(id, get(key_of(account, id), None, handle)) for id in ids]  # type: ignore[arg-type]
    return [id if value is None else int.from_bytes(value, "big") for id, value in found]


def copies(tx: ReadTx, account: AccountID, original: MessageID) -> set[int]:
    """Ids of a message and of its copies, whether or not they are still there."""
    wanted = original.to_bytes(8, "big")
    scan = tx.scan_prefix(Table.COPIED, tables.account_key(account))
    return {original, *(int.from_bytes(key[4:], "big") for key, value in scan if value == wanted)}


def keys_all(tx: ReadTx, account: AccountID, ids: Iterable[int]) -> list[Keys | None]:
    """What many messages are sorted by; None where it is not kept."""
    get, handle, key_of = tx.raw.get, tx.handles[Table.ORDER], tables.message_key
    values = (get(key_of(account, id), None, handle) for id in ids)  # type: ignore[arg-type]
    return [None if value is None else _keys_decoder.decode(value) for value in values]


def texts(tx: ReadTx, account: AccountID, ids: Iterable[int]) -> list[bytes]:
    """`text` of many messages."""
    get, handle, key_of = tx.raw.get, tx.handles[Table.TEXT], tables.message_key
    return [get(key_of(account, id), b"", handle) for id in ids]  # type: ignore[arg-type]


def text(tx: ReadTx, account: AccountID, id: MessageID) -> bytes:
    """Folded text to search: header text, NUL, body text; see `prepare.searchable`."""
    return tx.get(Table.TEXT, tables.message_key(account, id)) or b""


_keys_decoder = msgspec.msgpack.Decoder(Keys)
_prepared_decoder = msgspec.msgpack.Decoder(Prepared)

FlagMode = Literal["+", "-", "="]


class FlagRights(NamedTuple):
    """Which flags somebody may set and clear."""

    bits: int
    keywords: bool


ANY_FLAG: Final = FlagRights(0xFFFF, True)

_U64 = struct.Struct(">Q")
_U16 = struct.Struct(">H")
#: Flags that counters of a mailbox depend on.
_COUNTED = SEEN | DELETED
_MODSEQ_AT, _MODSEQ_END = 24, 32
_FLAGS_AT = ROW_OCTETS - 2


class Stored(NamedTuple):
    """Outcome of a flag change."""

    #: Those that changed, with the flags of their rows.
    changed: tuple[Flagged, ...]
    #: UIDs left alone because they changed after `unchanged_since` (RFC 7162 §3.1.3).
    modified: tuple[int, ...]
    #: 0 when nothing changed.
    modseq: int
    #: UIDs whose flags differ from what was asked for: of $Junk and $NotJunk, one clears the other.
    corrected: tuple[int, ...] = ()


def store_flags(
    tx: WriteTx,
    account: AccountID,
    number: MailboxID,
    uids: Sequence[int],
    mode: FlagMode,
    flags: int,
    keywords: tuple[str, ...] = (),
    *,
    unchanged_since: int | None = None,
    allowed: FlagRights = ANY_FLAG,
    own: Own | None = None,
) -> Stored:
    """Add, remove or set flags; only what changes is written. UIDs that are gone are passed over.

    Flags that are not allowed stay as they are. `own`: who changes them has a \\Seen of his own there.

    Raises NoSuchMailbox, TooMany.
    """
    mailbox = tx.mailbox(account, number)
    flags &= allowed.bits
    kept = ~allowed.bits
    if not allowed.keywords:
        keywords = ()
    given = frozenset(keywords)
    if keywords and mode != "-":
        merge_keywords(tx, account, mailbox, set(keywords))
    changed: list[Flagged] = []
    changed_own: list[Flagged] = []
    modified: list[int] = []
    corrected: list[int] = []
    modseq = 0
    for uid in uids:
        key = tables.row_key(account, number, uid)
        value = tx.get(Table.ROW, key)
        if value is None:
            continue
        old_row = old = _U16.unpack_from(value, _FLAGS_AT)[0]
        if own is not None:
            old = own.shown(uid, old_row)
        old_modseq = _U64.unpack_from(value, _MODSEQ_AT)[0]
        if unchanged_since is not None and old_modseq > unchanged_since:
            modified.append(uid)
            continue
        old_words = value[ROW_OCTETS:]
        words: tuple[str, ...] = tuple(old_words.decode().split(" ")) if old_words else ()
        before = words
        if mode == "+":
            new = old | flags
            if given:
                words = tuple(sorted(given.union(words)))
        elif mode == "-":
            new = old & ~flags
            if given and words:
                words = tuple(word for word in words if word not in given)
        else:
            new = (old & kept) | flags
            if allowed.keywords:
                words = tuple(sorted(given))
        if new & junk.JUDGED == junk.JUDGED:
            new = junk.exclusive(old, new)
            corrected.append(uid)
        if new == old and words == before:
            continue
        if len(words) > MESSAGE_KEYWORDS:
            raise TooMany("too many keywords on the message")
        if not modseq:
            modseq = tx.modseq(account)
        if own is not None:
            new = own.keep(tx, uid, new, old_row)
        id, _, _, _, created, size = _ROW_HEAD.unpack_from(value)
        tx.put(
            Table.ROW,
            key,
            b"".join(
                (
                    value[:_MODSEQ_AT],
                    _U64.pack(modseq),
                    value[_MODSEQ_END:_FLAGS_AT],
                    _U16.pack(new),
                    " ".join(words).encode(),
                )
            ),
        )
        last_key = tables.changed_key(account, old_modseq, number, uid)
        turned = modseq if (old_row ^ new) & DELETED else _turned(tx, last_key, old_modseq)
        tx.delete(Table.CHANGED, last_key)
        tx.put(
            Table.CHANGED,
            tables.changed_key(account, modseq, number, uid),
            pack_changed(id, created, turned=turned),
        )
        if (old_row ^ new) & junk.JUDGED:
            junk.note(tx, account, id)
            _judged_anew(tx, account, unpack_row(value), new)
        if (old_row ^ new) & _COUNTED:
            count(mailbox, old_row, size, -1)
            count(mailbox, new, size, 1)
        (changed_own if new == old_row and words == before else changed).append(Flagged(uid, id, new, words))
    if modseq:
        tx.touch(account, mailbox)
    if changed:
        tx.publish(account, FlagsChanged(number, modseq, tuple(changed)))
    if changed_own and own is not None:
        tx.publish(account, SeenChanged(number, modseq, own.reader, tuple(changed_own)))
    return Stored(tuple(changed + changed_own), tuple(modified), modseq, tuple(corrected))


def set_thread_state(
    tx: WriteTx, account: AccountID, ids: Iterable[MessageID], *, muted: bool | None, collapsed: bool | None
) -> None:
    """Mute or collapse messages and all below them in their threads; muting collapses too. None: as it was.

    They count as changed, like those of which a flag changed.
    """
    if muted:
        collapsed = True
    roots = set(ids)
    by_mailbox: dict[MailboxID, list[Flagged]] = {}
    for one in {thread.thread_of(tx, account, id) for id in roots} - {None}:
        assert one is not None
        for member in thread.members(tx, account, one):
            known = facts(tx, account, member)
            if member not in roots and roots.isdisjoint(known.thread_parents):
                continue
            new = msgspec.structs.replace(
                known,
                thread_muted=known.thread_muted if muted is None else muted,
                thread_collapsed=known.thread_collapsed if collapsed is None else collapsed,
            )
            if new == known:
                continue
            tx.put_record(Table.FACTS, tables.message_key(account, member), new)
            there = place(tx, account, member)
            assert there is not None
            if tx.removed_mailbox(account, there.mailbox) is not None:
                continue  # It is about to go.
            by_mailbox.setdefault(there.mailbox, []).append(_touched(tx, account, there))
    for number, changed in by_mailbox.items():
        box = tx.mailbox(account, number)
        tx.touch(account, box)
        tx.publish(account, FlagsChanged(number, box.modseq, tuple(sorted(changed, key=lambda one: one.uid))))


def _touched(tx: WriteTx, account: AccountID, there: Place) -> Flagged:
    """A message counts as changed by this transaction."""
    old = row(tx, account, there.mailbox, there.uid)
    assert old is not None
    modseq = tx.modseq(account)
    tx.put(Table.ROW, tables.row_key(account, there.mailbox, there.uid), pack_row(old._replace(modseq=modseq)))
    last_key = tables.changed_key(account, old.modseq, there.mailbox, there.uid)
    turned = _turned(tx, last_key, old.modseq)
    tx.delete(Table.CHANGED, last_key)
    tx.put(
        Table.CHANGED,
        tables.changed_key(account, modseq, there.mailbox, there.uid),
        pack_changed(old.id, old.create_modseq, turned=turned),
    )
    return Flagged(there.uid, old.id, old.flags, old.keywords)


_ROW_HEAD = struct.Struct(">QQQQQQ")


def _turned(tx: WriteTx, last_key: bytes, modseq: int) -> int:
    """`Changed.turned` of a message whose last change, by `modseq`, has that key."""
    value = tx.get(Table.CHANGED, last_key)
    return (unpack_changed(value).turned if value is not None else 0) or modseq


def _take_out(
    tx: WriteTx, account: AccountID, mailbox: Mailbox, uid: int, old: Row, modseq: int, *, moved: bool = False
) -> int:
    """Remove a row and remember that it was there. The modseq by which the message came into or out of sight."""
    last_key = tables.changed_key(account, old.modseq, mailbox.id, uid)
    turned = _turned(tx, last_key, old.modseq) if moved or old.flags & DELETED else modseq
    tx.delete(Table.ROW, tables.row_key(account, mailbox.id, uid))
    tx.delete(Table.CHANGED, last_key)
    tx.put(
        Table.CHANGED,
        tables.changed_key(account, modseq, mailbox.id, uid),
        pack_changed(old.id, old.create_modseq, old.thread, turned=turned),
    )
    count(mailbox, old.flags, old.size, -1)
    return turned


def expunge(tx: WriteTx, account: AccountID, number: MailboxID, uids: Sequence[int]) -> list[int]:
    """Remove messages: out of the mailbox and the indices, content kept until `erase`. Returns those removed.

    Raises NoSuchMailbox.
    """
    mailbox = tx.mailbox(account, number)
    removed = _expunge(tx, account, mailbox, uids)
    if removed:
        seen.forget(tx, MailboxRef(account, number), removed)
    return removed


def _expunge(tx: WriteTx, account: AccountID, mailbox: Mailbox, uids: Sequence[int]) -> list[int]:
    number = mailbox.id
    removed: list[int] = []
    ids: list[MessageID] = []
    for uid in uids:
        old = row(tx, account, number, uid)
        if old is None:
            continue
        modseq = tx.modseq(account)
        _take_out(tx, account, mailbox, uid, old, modseq)
        key = tables.message_key(account, old.id)
        tx.put(Table.PLACE, key, pack_place(Place(number, uid, old.body, old.size, expunged=True)))
        tx.put(Table.ERASE, key, modseq.to_bytes(8, "big"))
        known = facts(tx, account, old.id)
        thread.unindex(tx, account, old.id, old.thread, known, old.received)
        if known.origin.is_reject:
            reject.unindex(tx, account, number, old.id, known, old.received)
        before = judgement(known.origin_mailbox, old.flags)
        senders.judge(tx, account, old.id, old.received, known.origin, before=before, now=None)
        senders.forget_sent(tx, account, old.id, old.received)
        if known.trained_junk is not None:
            junk.note(tx, account, old.id)
        elif old.flags & junk.JUDGED:
            tx.delete(Table.TO_LEARN, key)
        removed.append(uid)
        ids.append(old.id)
    if removed:
        tx.touch(account, mailbox)
        tx.publish(account, MessagesRemoved(number, mailbox.modseq, tuple(removed), tuple(ids)))
    return removed


def deleted_uids(tx: ReadTx, account: AccountID, number: MailboxID) -> list[int]:
    """UIDs of messages with \\Deleted."""
    if not tx.mailbox(account, number).deleted:
        return []
    return [uid for uid, found in rows(tx, account, number) if found.flags & DELETED]


def expunge_all(tx: WriteTx, account: AccountID, number: MailboxID) -> None:
    """Remove every message of a mailbox."""
    expunge(tx, account, number, [uid for uid, _ in rows(tx, account, number)])


def empty(tx: WriteTx, account: AccountID, number: MailboxID, limit: int) -> bool:
    """Remove messages of a mailbox that is gone itself, so many at most; tells whether more are left."""
    mailbox = tx.removed_mailbox(account, number)
    if mailbox is None:
        return False
    _expunge(tx, account, mailbox, [uid for uid, _ in islice(rows(tx, account, number), limit)])
    return bool(mailbox.messages)


def to_be_emptied(tx: ReadTx) -> set[MailboxRef]:
    """Mailboxes that are gone and still have messages."""
    found: set[MailboxRef] = set()
    for key, value in tx.scan_prefix(Table.MAILBOX, b""):
        box = decode(Mailbox, value)
        if box.expunged and box.messages:
            found.add(MailboxRef(AccountID(int.from_bytes(key[:4], "big")), box.id))
    return found


def copy(
    tx: WriteTx,
    account: AccountID,
    source: MailboxID,
    uids: Sequence[int],
    target: MailboxID,
    *,
    quota_octets: int | None = None,
    allowed: FlagRights = ANY_FLAG,
    junk_rules: AutomaticJunkFlags = NO_RULES,
    own_there: Own | None = None,
    own: Own | None = None,
) -> list[tuple[int, int]]:
    """Copy messages; times, facts and the flags that are allowed stay. Pairs of UIDs, there and here.

    Whether they are junk, the mailbox may say otherwise. `own_there`, `own`: who copies has a \\Seen of his own in the
    source, in the target.

    Raises NoSuchMailbox, OverQuota.
    """
    mailbox = tx.mailbox(account, target)
    if tx.removed_mailbox(account, source) is not None:
        return []
    singletons = tx.account(account)
    pairs: list[tuple[int, int]] = []
    added: list[Flagged] = []
    is_rescued = False
    for uid in uids:
        old = row(tx, account, source, uid)
        if old is None:
            continue
        if own_there is not None:
            old = old._replace(flags=own_there.shown(uid, old.flags))
        check_quota(tx, account, old.size, quota_octets)
        id = MessageID(singletons.next_message)
        singletons.next_message += 1
        singletons.usage_octets += old.size
        before, after = tables.message_key(account, old.id), tables.message_key(account, id)
        known = msgspec.structs.replace(facts(tx, account, old.id), trained_junk=None, trained_by=0)
        for table in (Table.PREPARED, Table.PREFIX, Table.TEXT, Table.ORDER):
            value = tx.get(table, before)
            if value is not None:
                tx.put(table, after, value)
        tx.put(Table.COPIED, after, tx.get(Table.COPIED, before) or before[4:])
        bodies.add_reference(tx, old.body, old.size - known.prefix_octets)
        new = _only(old, allowed)
        before_it = known
        flags, known = _arrived(before_it, new.flags, mailbox, junk_rules)
        is_rescued = _rescued(tx, account, before_it, flags) or is_rescued
        if own is not None:
            flags = own.keep(tx, mailbox.uid_next, flags)
        new = new._replace(id=id, saved=tx.now, flags=flags)
        if flags & junk.JUDGED:
            junk.note(tx, account, id)
        tx.put_record(Table.FACTS, after, known)
        new_uid = _insert(tx, account, mailbox, new)
        thread.index(tx, account, id, old.thread, known, old.received)
        now = judgement(known.origin_mailbox, flags)
        senders.judge(tx, account, id, old.received, known.origin, before=None, now=now)
        pairs.append((uid, new_uid))
        added.append(Flagged(new_uid, id, new.flags, new.keywords))
    if is_rescued:
        reject.forget_rescued(tx, account)
    if added:
        tx.publish(account, MessagesAdded(target, mailbox.modseq, tuple(added)))
    return pairs


class Destiny(msgspec.Struct, array_like=True):
    """The beginning of `Facts`, to be read without the structure of the message."""

    root: msgspec.Raw
    prefix_octets: int = 0
    message_id: str = ""
    subject_base: str = ""
    origin_mailbox: MailboxID = MailboxID(0)
    destined_mailbox: MailboxID = MailboxID(0)
    origin: Origin = Origin()

    @property
    def is_elsewhere(self) -> bool:
        """It is elsewhere than it was destined for: refused, or from somebody unknown."""
        return bool(self.destined_mailbox) or self.origin.is_reject


_destiny_decoder = msgspec.msgpack.Decoder(Destiny)


def destiny_of(tx: ReadTx, account: AccountID, id: MessageID) -> Destiny:
    """How a message came, and where it belongs. Raises NoSuchMessage once it is erased."""
    value = tx.get(Table.FACTS, tables.message_key(account, id))
    if value is None:
        raise NoSuchMessage("no such message")
    return _destiny_decoder.decode(value)


def judgement(origin_mailbox: MailboxID, flags: int) -> Judgement | None:
    """What flags say about the sender of a message."""
    is_junk = junk.judgement(flags)
    return None if is_junk is None else Judgement(origin_mailbox, is_junk)


def _judged_anew(tx: WriteTx, account: AccountID, old: Row, flags: int) -> None:
    """A message that stays where it is has other flags about junk; one that was put aside is so no more."""
    destiny = destiny_of(tx, account, old.id)
    counts_for = destiny.origin_mailbox
    if flags & junk.JUDGED and destiny.is_elsewhere:
        known = facts(tx, account, old.id)
        now = settled(known)
        _put_settled(tx, account, old, known, now)
        counts_for = now.origin_mailbox
    _remember_sender(tx, account, old, destiny, counts_for, flags)


def _remember_sender(
    tx: WriteTx, account: AccountID, old: Row, destiny: "Destiny", counts_for: MailboxID, flags: int
) -> None:
    """What a message says of its sender now, and for which mailbox."""
    senders.judge(
        tx,
        account,
        old.id,
        old.received,
        destiny.origin,
        before=judgement(destiny.origin_mailbox, old.flags),
        now=judgement(counts_for, flags),
    )


def settled(known: Facts, *, is_reject: bool = True) -> Facts:
    """Facts of a message that was judged or arrived: it counts as having come to where it was destined for.

    Without `is_reject` it is no longer a refused one.
    """
    return msgspec.structs.replace(
        known,
        origin_mailbox=known.destined_mailbox or known.origin_mailbox,
        destined_mailbox=MailboxID(0),
        origin=known.origin if is_reject else msgspec.structs.replace(known.origin, is_reject=False),
    )


def _arrived(known: Facts, flags: int, mailbox: Mailbox, rules: AutomaticJunkFlags) -> tuple[int, Facts]:
    """Flags and facts of a message that comes into a mailbox from another."""
    if known.origin.is_reject:
        flags = junk.judge(flags & ~SEEN, mailbox.name, mailbox.roles, rules)
        return flags, settled(known, is_reject=False)
    flags = junk.judge(flags, mailbox.name, mailbox.roles, rules)
    if not known.destined_mailbox:
        return flags, known
    arrives = mailbox.id == known.destined_mailbox
    if arrives and not flags & junk.JUDGED:
        flags |= NOT_JUNK  # Its reader vouches for the sender.
    return flags, settled(known) if arrives or flags & junk.JUDGED else known


def _rescued(tx: WriteTx, account: AccountID, known: Facts, flags: int) -> bool:
    """A message was taken to where it has these flags: a refused one that is no junk there need not come again.

    Whether it was one: then those before it may have to be forgotten.
    """
    if not known.origin.is_reject or junk.judgement(flags):
        return False
    reject.rescue(tx, account, known)
    return True


def _put_settled(tx: WriteTx, account: AccountID, row: Row, before: Facts, now: Facts) -> None:
    tx.put_record(Table.FACTS, tables.message_key(account, row.id), now)
    if before.origin_mailbox != now.origin_mailbox:
        thread.unindex(tx, account, row.id, row.thread, before, row.received)
        thread.index(tx, account, row.id, row.thread, now, row.received)


def _only(old: Row, allowed: FlagRights) -> Row:
    if allowed is ANY_FLAG:
        return old
    return old._replace(flags=old.flags & allowed.bits, keywords=old.keywords if allowed.keywords else ())


def move(
    tx: WriteTx,
    account: AccountID,
    source: MailboxID,
    uids: Sequence[int],
    target: MailboxID,
    *,
    allowed: FlagRights = ANY_FLAG,
    junk_rules: AutomaticJunkFlags = NO_RULES,
    own_there: Own | None = None,
    own: Own | None = None,
) -> list[tuple[int, int]]:
    """Move messages: ids, threads, facts and the flags that are allowed stay, UIDs are new (RFC 6851 §3.3).

    Whether they are junk, the mailbox may say otherwise. Pairs of UIDs. `own_there`, `own`: as for `copy`; in the
    target the owner keeps the \\Seen he had, and to all others the message is new.

    Raises NoSuchMailbox.
    """
    origin, mailbox = tx.mailbox(account, source), tx.mailbox(account, target)
    pairs: list[tuple[int, int]] = []
    added: list[Flagged] = []
    is_rescued = False
    for uid in uids:
        old = row(tx, account, source, uid)
        if old is None:
            continue
        turned = _take_out(tx, account, origin, uid, old, tx.modseq(account), moved=True)
        shown = old if own_there is None else old._replace(flags=own_there.shown(uid, old.flags))
        new = _only(shown, allowed)
        destiny = destiny_of(tx, account, old.id)
        counts_for = destiny.origin_mailbox
        if not destiny.is_elsewhere:
            flags = junk.judge(new.flags, mailbox.name, mailbox.roles, junk_rules)
        else:
            known = facts(tx, account, old.id)
            flags, now = _arrived(known, new.flags, mailbox, junk_rules)
            if now is not known:
                _put_settled(tx, account, old, known, now)
                counts_for = now.origin_mailbox
            if known.origin.is_reject:
                reject.unindex(tx, account, source, old.id, known, old.received)
                is_rescued = _rescued(tx, account, known, flags) or is_rescued
        if (flags ^ old.flags) & junk.JUDGED:
            junk.note(tx, account, old.id)
        _remember_sender(tx, account, old, destiny, counts_for, flags)
        if own is not None:
            flags = own.keep(tx, mailbox.uid_next, flags, old.flags)
        new = new._replace(saved=tx.now, flags=flags)
        new_uid = _insert(tx, account, mailbox, new, turned=0 if (flags ^ old.flags) & DELETED else turned)
        pairs.append((uid, new_uid))
        added.append(Flagged(new_uid, old.id, new.flags, new.keywords))
    if is_rescued:
        reject.forget_rescued(tx, account)
    if added:
        tx.touch(account, origin)
        modseq = tx.modseq(account)
        gone = tuple(uid for uid, _ in pairs)
        seen.forget(tx, MailboxRef(account, source), gone)
        tx.publish(account, MessagesRemoved(source, modseq, gone, tuple(one.id for one in added)))
        tx.publish(account, MessagesAdded(target, modseq, tuple(added)))
    return pairs


def erasable(
    tx: ReadTx, account: AccountID, up_to: int | None, limit: int, start: bytes = b"", *, most: int | None = None
) -> tuple[list[bytes], bytes | None]:
    """Messages removed up to a modseq (None: all) whose content may be erased, at most `limit`, from a key on.

    And the key to go on from, None at the end. `most`: so many removed ones are looked at.
    """
    removed = tx.account(account).removed
    found: list[bytes] = []
    first, end = tables.account_key(account), tables.account_key(AccountID(account + 1))
    for looked, (key, value) in enumerate(tx.scan(Table.ERASE, start or first, end)):
        if looked == most or len(found) == limit:
            return found, key
        if up_to is not None and int.from_bytes(value, "big") > up_to:
            continue
        if not removed and tx.get(Table.TO_LEARN, key) is not None:
            continue  # To be unlearned, it must be read.
        found.append(key)
    return found, None


def erase_these(tx: WriteTx, account: AccountID, keys: Sequence[bytes]) -> None:
    """Erase content of removed messages, by their keys of `erasable`; what is erased already is passed over."""
    singletons = tx.account(account)
    for key in keys:
        if tx.get(Table.ERASE, key) is None:
            continue
        where = tx.get(Table.PLACE, key)
        assert where is not None
        gone = unpack_place(where)
        for table in OF_MESSAGE:
            tx.delete(table, key)
        bodies.drop_reference(tx, gone.body)
        singletons.usage_octets -= gone.size


def erase(tx: WriteTx, account: AccountID, up_to: int | None, limit: int) -> bool:
    """Erase content of messages removed up to a modseq (None: all), at most `limit`; tells whether more wait."""
    keys, rest = erasable(tx, account, up_to, limit)
    erase_these(tx, account, keys)
    return rest is not None and bool(erasable(tx, account, up_to, 1, rest)[0])


def waiting_to_be_erased(tx: ReadTx) -> set[AccountID]:
    """Accounts with removed messages whose content is still there."""
    accounts: set[AccountID] = set()
    start = b""
    while True:
        found = next(tx.scan(Table.ERASE, start, b"\xff" * 12), None)
        if found is None:
            return accounts
        account = AccountID(int.from_bytes(found[0][:4], "big"))
        accounts.add(account)
        start = tables.account_key(AccountID(account + 1))


class ChangedMessage(NamedTuple):
    """The last change of a message in a mailbox."""

    modseq: int
    mailbox: MailboxID
    uid: int
    id: MessageID
    create_modseq: int
    expunged: bool
    #: Of one that is gone; 0 where it is not known.
    thread: MessageID
    #: The modseq by which it came into or out of sight, at the latest (`records.Changed`).
    turned: int


def changed_since(tx: ReadTx, account: AccountID, modseq: int) -> Iterator[ChangedMessage]:
    """Every message changed or removed after `modseq`, oldest change first: O(changes)."""
    start = tables.changed_key(account, modseq + 1, MailboxID(0), 0)
    stop = tables.account_key(AccountID(account + 1))
    for key, value in tx.scan(Table.CHANGED, start, stop):
        _, when, mailbox, uid = tables.split_changed_key(key)
        id, created, expunged, thread, turned = unpack_changed(value)
        yield ChangedMessage(when, MailboxID(mailbox), uid, id, created, expunged, thread, turned or when)

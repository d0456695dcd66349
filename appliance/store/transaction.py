"""Read and write transactions as the rest of the store sees them: tables, records, counters, changes.

A transaction body is a plain function of a `WriteTx`; it cannot wait, and it runs in the writer thread. Records of
the account and of its mailboxes are read once, changed in memory and written when the body has returned.
"""

from collections.abc import Iterator
from typing import Any, Final, Self, TypeVar

import msgspec

from appliance.store import tables
from appliance.store.changes import Change, MailboxCounts
from appliance.store.problems import NoSuchAccount, NoSuchMailbox
from appliance.store.records import Account, Mailbox
from appliance.store.tables import AccountID, HookID, MailboxID, QueueID, Table

T = TypeVar("T")

#: LMDB takes no longer keys, and no empty ones.
_KEY_OCTETS: Final = 511

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type, msgspec.msgpack.Decoder[object]] = {}


def encode(record: object) -> bytes:
    """Record -> value."""
    return _encoder.encode(record)


def decode(kind: type[T], value: bytes) -> T:
    """Value -> record."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    return decoder.decode(value)  # type: ignore[return-value]


class ReadTx:
    """A snapshot of the store."""

    def __init__(self, raw: Any, handles: dict[Table, Any]) -> None:
        # lmdb types values as octets or buffers; in our transactions they are always octets.
        self.raw = raw
        self.handles = handles
        self._get = raw.get

    def get(self, table: Table, key: bytes) -> bytes | None:
        """A value."""
        return self._get(key, None, self.handles[table])  # type: ignore[no-any-return]

    def record(self, table: Table, key: bytes, kind: type[T]) -> T | None:
        """A decoded record."""
        value = self._get(key, None, self.handles[table])
        return None if value is None else decode(kind, value)

    def entries(self, table: Table) -> int:
        """How many entries a table has."""
        return int(self.raw.stat(self.handles[table])["entries"])

    def scan(self, table: Table, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values with start <= key < stop, ascending. Do not write to the table meanwhile."""
        cursor = self.raw.cursor(self.handles[table])
        if cursor.set_range(start):
            for key, value in cursor:
                if key >= stop:
                    break
                yield key, value
        cursor.close()

    def scan_prefix(self, table: Table, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values that begin with the prefix."""
        cursor = self.raw.cursor(self.handles[table])
        if cursor.set_range(prefix):
            for key, value in cursor:
                if not key.startswith(prefix):
                    break
                yield key, value
        cursor.close()

    def scan_back(self, table: Table, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values with start <= key < stop, descending. Do not write to the table meanwhile."""
        cursor = self.raw.cursor(self.handles[table])
        found = cursor.prev() if cursor.set_range(stop) else cursor.last()
        while found:
            key, value = cursor.item()
            if key < start:
                break
            yield key, value
            found = cursor.prev()
        cursor.close()

    def last_before(self, table: Table, stop: bytes, prefix: bytes) -> tuple[bytes, bytes] | None:
        """The greatest entry below `stop` that begins with the prefix."""
        cursor = self.raw.cursor(self.handles[table])
        found = cursor.prev() if cursor.set_range(stop) else cursor.last()
        entry: tuple[bytes, bytes] | None = cursor.item() if found else None
        cursor.close()
        return entry if entry is not None and entry[0].startswith(prefix) else None

    def account(self, account: AccountID) -> Account:
        """Singletons of an account. Raises NoSuchAccount."""
        record = self.record(Table.ACCOUNT, tables.account_key(account), Account)
        if record is None:
            raise NoSuchAccount("no such account")
        return record

    def account_id(self, name: str) -> AccountID | None:
        """Id of a named account."""
        key = name.encode()
        if not 0 < len(key) <= _KEY_OCTETS:
            return None
        value = self.get(Table.ACCOUNT_NAME, key)
        return None if value is None else AccountID(int.from_bytes(value, "big"))

    def mailbox(self, account: AccountID, mailbox: MailboxID) -> Mailbox:
        """A live mailbox. Raises NoSuchMailbox."""
        record = self.record(Table.MAILBOX, tables.mailbox_key(account, mailbox), Mailbox)
        if record is None or record.expunged:
            raise NoSuchMailbox("no such mailbox")
        return record

    def removed_mailbox(self, account: AccountID, mailbox: MailboxID) -> Mailbox | None:
        """The memory of a removed mailbox."""
        record = self.record(Table.MAILBOX, tables.mailbox_key(account, mailbox), Mailbox)
        return record if record is not None and record.expunged else None

    def mailboxes(self, account: AccountID, *, expunged: bool = False) -> list[Mailbox]:
        """All mailboxes by id; with `expunged` also the memory of removed ones."""
        found = (decode(Mailbox, value) for _, value in self.scan_prefix(Table.MAILBOX, tables.account_key(account)))
        return [mailbox for mailbox in found if expunged or not mailbox.expunged]


class Snapshot(ReadTx):
    """A transaction that reads, over at the end of its `with`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.abort()


class WriteTx(ReadTx):
    """A transaction in the writer thread; see `finish` for what is written last."""

    def __init__(self, raw: Any, handles: dict[Table, Any], now: int) -> None:
        super().__init__(raw, handles)
        #: Microseconds since 1970, the same during the whole transaction.
        self.now = now
        self.changes: dict[AccountID, list[Change]] = {}
        self._put = raw.put
        self._accounts: dict[AccountID, Account] = {}
        self._mailboxes: dict[tuple[AccountID, MailboxID], Mailbox] = {}
        #: Modification sequences handed out.
        self.modseqs: dict[AccountID, int] = {}
        self._counted: set[tuple[AccountID, MailboxID]] = set()
        #: The queue has something to look at after the commit: these messages, or when the next thing is due.
        self.queue_changed: set[QueueID] | None = None
        #: Messages were put on hold, or are so no more.
        self.holds_changed = False
        #: The same for webhooks.
        self.hooks_changed: set[HookID] | None = None

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Write a value."""
        self._put(key, value, True, True, False, self.handles[table])

    def put_record(self, table: Table, key: bytes, record: object) -> None:
        """Write a record."""
        self._put(key, _encoder.encode(record), True, True, False, self.handles[table])

    def delete(self, table: Table, key: bytes) -> bool:
        """Remove a value; tells whether it was there."""
        return self.raw.delete(key, b"", self.handles[table])  # type: ignore[no-any-return]

    def account(self, account: AccountID) -> Account:
        """Singletons of an account; changes to the returned record are written at the end."""
        record = self._accounts.get(account)
        if record is None:
            record = self._accounts[account] = super().account(account)
        return record

    def add_account(self, account: AccountID, record: Account) -> None:
        """A new account's singletons."""
        self._accounts[account] = record

    def mailbox(self, account: AccountID, mailbox: MailboxID) -> Mailbox:
        """A live mailbox; changes to the returned record are written at the end."""
        key = account, mailbox
        record = self._mailboxes.get(key)
        if record is None:
            record = self._mailboxes[key] = super().mailbox(account, mailbox)
        elif record.expunged:
            raise NoSuchMailbox("no such mailbox")
        return record

    def removed_mailbox(self, account: AccountID, mailbox: MailboxID) -> Mailbox | None:
        """The memory of a removed mailbox; changes to the returned record are written at the end."""
        key = account, mailbox
        record = self._mailboxes.get(key)
        if record is None and (record := super().removed_mailbox(account, mailbox)) is not None:
            self._mailboxes[key] = record
        return record if record is not None and record.expunged else None

    def add_mailbox(self, account: AccountID, record: Mailbox) -> None:
        """A new mailbox's record."""
        self._mailboxes[account, record.id] = record

    def mailboxes(self, account: AccountID, *, expunged: bool = False) -> list[Mailbox]:
        """All mailboxes, as this transaction left them so far."""
        stored = {mailbox.id: mailbox for mailbox in super().mailboxes(account, expunged=True)}
        for (owner, number), mailbox in self._mailboxes.items():
            if owner == account:
                stored[number] = mailbox
        return [stored[number] for number in sorted(stored) if expunged or not stored[number].expunged]

    def modseq(self, account: AccountID) -> int:
        """The modification sequence of this transaction: one per account."""
        modseq = self.modseqs.get(account)
        if modseq is None:
            record = self.account(account)
            record.modseq += 1
            modseq = self.modseqs[account] = record.modseq
        return modseq

    def publish(self, account: AccountID, change: Change) -> None:
        """Tell listeners after the commit."""
        self.changes.setdefault(account, []).append(change)

    def touch(self, account: AccountID, mailbox: Mailbox) -> None:
        """The mailbox, its counters or annotations changed; listeners get the counts at the end."""
        mailbox.modseq = self.modseq(account)
        self._counted.add((account, mailbox.id))

    def finish(self) -> None:
        """Write what was kept in memory. The store calls this when the body has returned."""
        for account, number in sorted(self._counted):
            mailbox = self._mailboxes[account, number]
            if not mailbox.expunged:
                self.publish(account, MailboxCounts(msgspec.structs.replace(mailbox), mailbox.modseq))
        for (account, number), mailbox in self._mailboxes.items():
            self.put_record(Table.MAILBOX, tables.mailbox_key(account, number), mailbox)
        for account, record in self._accounts.items():
            self.put_record(Table.ACCOUNT, tables.account_key(account), record)

    def forget(self, account: AccountID) -> None:
        """Drop what is kept in memory of an account that is being removed: it must not be written again."""
        for key in [key for key in self._mailboxes if key[0] == account]:
            del self._mailboxes[key]
        self._counted = {key for key in self._counted if key[0] != account}
        if self.get(Table.ACCOUNT, tables.account_key(account)) is None:
            self._accounts.pop(account, None)
        self.changes.pop(account, None)

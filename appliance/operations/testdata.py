"""A small store with some of everything, the same each time: one of each version is kept, for tests of upgrades.

What it should hold after any upgrade is told by `summary`, in words that do not depend on how it is stored.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from appliance.base import limits
from appliance.operations import passwords
from appliance.store import (
    account as accounts,
    acl,
    annotation,
    hook,
    mailbox as mailboxes,
    message,
    prepare,
    queued,
    suppression,
)
from appliance.store.bodies import of_octets
from appliance.store.defaults import STORE
from appliance.store.hookrecords import Hook, HookAttempt
from appliance.store.message import NewMessage
from appliance.store.queuerecords import Attempt, QueuedMessage
from appliance.store.records import FLAG_NAMES, Rights, Role, split_flags
from appliance.store.store import Store
from appliance.store.tables import AccountID, BodyID, HookID, MailboxID, QueueID
from appliance.store.transaction import ReadTx, WriteTx

_NOW: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_SPECIAL: Final = [(role.name.capitalize() if role.name else "", int(role)) for role in Role]
#: Mailbox, subject, flags.
_MESSAGES: Final = (
    ("Inbox", "hello", ("\\Seen", "work")),
    ("Inbox", "Re: hello", ()),
    ("Inbox", "removed", ("\\Deleted",)),
    ("Junk", "buy this", ("$Junk",)),
    ("Sent", "an answer", ("\\Seen", "$NotJunk")),
    ("Lists/Übung", "in a thread", ("\\Flagged", "$Forwarded", "two", "three")),
)


class _Clock:
    """Stands."""

    def now(self) -> datetime:
        """Always the same."""
        return _NOW

    def microseconds(self) -> int:
        """The same."""
        return int(_NOW.timestamp() * 1_000_000)

    def monotonic(self) -> float:
        """Nothing passes."""
        return 0.0


def generate(folder: Path) -> None:
    """Make a data folder, as small as can be, with `summary.json` beside its store. Raises StoreFailed, OSError."""
    folder.mkdir(mode=0o700, parents=True)
    with TemporaryDirectory(dir=folder) as making:
        _generate(Path(making), folder)


def _generate(making: Path, folder: Path) -> None:
    store = Store(making, clock=_Clock(), limits=STORE)
    try:
        store.sweep()
        alice, bob = (store.write_sync(_account, name, store.limits.mailbox) for name in ("alice", "bob"))
        store.write_sync(
            accounts.set_credentials, alice, passwords.derive_credentials("moxmoxmox", 1), keep_session=None
        )
        for number, (name, subject, flags) in enumerate(_MESSAGES):
            for account in (alice, bob):
                store.write_sync(_deliver, account, name, _message(store, number, subject), flags)
        large = _message(store, 99, "large", b"0123456789abcdef" * 10_000)
        store.write_sync(_deliver, alice, "Archive", large, ())
        store.write_sync(_rearrange, alice, bob)
        store.write_sync(_queue, alice)
        store.copy(folder, compact=True, hear=lambda _, __: None)
        text = json.dumps(summary(store), indent=1, ensure_ascii=False)
        (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    finally:
        store.close()


def _account(tx: WriteTx, name: str, most: mailboxes.MailboxLimits) -> AccountID:
    account = accounts.create(tx, name, special_use=_SPECIAL, regular=["Lists"], limits=most)
    mailboxes.create(tx, account, "Lists/Übung", limits=most)
    return account


def _message(store: Store, number: int, subject: str, text: bytes = b"Some words to look for.\r\n") -> NewMessage:
    head = (
        f"Message-ID: <{number}@example.org>\r\nFrom: <a@example.org>\r\nTo: <b@example.net>\r\nSubject: {subject}\r\n"
    )
    parents = f"References: <{number - 1}@example.org>\r\n" if number else ""
    octets = (head + parents + "\r\n").encode() + text
    content = prepare.content(store.spooled(octets), store.limits.prepare)
    return prepare.message(
        content,
        of_octets(octets),
        prefix=b"Return-Path: <a@example.org>\r\n" if number % 2 else b"",
        received=store.clock.microseconds() - 1_000_000 * number,
        limits=store.limits.prepare,
    )


def _deliver(tx: WriteTx, account: AccountID, name: str, new: NewMessage, flags: Sequence[str]) -> None:
    bits, keywords = split_flags(list(flags))
    message.add(tx, account, mailboxes.by_name(tx, account, name).id, new, flags=bits, keywords=keywords)


def _rearrange(tx: WriteTx, alice: AccountID, bob: AccountID) -> None:
    """What is copied, moved, removed, noted and shared."""

    def id_of(name: str) -> MailboxID:
        return mailboxes.by_name(tx, alice, name).id

    message.copy(tx, alice, id_of("Inbox"), [1], id_of("Archive"))
    message.move(tx, alice, id_of("Inbox"), [2], id_of("Trash"))
    message.expunge(tx, alice, id_of("Inbox"), [3])
    note = annotation.Entry("/private/comment", b"mine", is_text=True)
    annotation.put(tx, alice, id_of("Archive"), [note], limits=STORE.mailbox.annotations)
    acl.set_rights(tx, alice, id_of("Lists"), bob, int(Rights.LOOKUP | Rights.READ), most=STORE.mailbox.grantees)
    suppression.add(tx, alice, "gone@example.net", "gone+1@example.net", manual=True, reason="asked for")


def _queue(tx: WriteTx, account: AccountID) -> None:
    body = of_octets(b"Subject: out\r\n\r\nhi\r\n")
    new = [
        QueuedMessage(
            id=QueueID(0),
            base_id=QueueID(0),
            account=account,
            queued=0,
            reverse_path="alice@example.org",
            recipient=f"{name}@example.net",
            body=BodyID(0),
            size=body.size,
            next_attempt=tx.now,
            hold=name == "held",
        )
        for name in ("due", "held")
    ]
    queued.add(tx, new, body)


#: Done in one transaction.
_RETIRED_AT_ONCE: Final = 200
#: So long retired ones are kept.
_KEEP: Final = 30 * 24 * 3600 * 1_000_000


def fill_retired(store: Store, account: AccountID, count: int) -> None:
    """So many retired messages, and as many retired webhooks, of an account; for looking at long lists."""
    for start in range(0, count, _RETIRED_AT_ONCE):
        store.write_sync(_fill_retired, account, range(start, min(start + _RETIRED_AT_ONCE, count)))


def _fill_retired(tx: WriteTx, account: AccountID, numbers: Iterable[int]) -> None:
    body = of_octets(b"Subject: retired\r\n\r\nhi\r\n")
    for number in numbers:
        one = QueuedMessage(
            id=QueueID(0),
            base_id=QueueID(0),
            account=account,
            queued=0,
            reverse_path="sender@example.org",
            recipient=f"recipient{number}@example.net",
            body=BodyID(0),
            size=body.size,
            next_attempt=tx.now,
            attempts=1,
            last_attempt=tx.now,
            results=(Attempt(tx.now, 1000, number % 7 != 0, 250 if number % 7 else 550, "", "as it was told"),),
            message_id=f"<{number}@example.org>",
            subject=f"retired {number}",
        )
        queued.add(tx, [one], body)
        queued.remove(tx, one, success=number % 7 != 0, keep=_KEEP)
        posted = Hook(
            HookID(0),
            account,
            event="delivered" if number % 7 else "failed",
            url="https://hooks.example.org/",
            message_id=one.message_id,
            subject=one.subject,
            attempts=1,
            results=(HookAttempt(tx.now, 1000, "https://hooks.example.org/", True, 200),),
        )
        if hook.add(tx, posted, b"{}", keep=_KEEP):
            hook.retire(tx, posted, success=True, keep=_KEEP)


def summary(store: Store) -> dict[str, Any]:
    """What a store holds, in words."""
    with store.read() as tx:
        found: dict[str, Any] = {name: _account_in_words(tx, id) for name, id in sorted(accounts.names(tx).items())}
        held = [one.recipient for one in queued.all_messages(tx) if one.hold]
    return {"accounts": found, "on hold": held}


def _account_in_words(tx: ReadTx, account: AccountID) -> dict[str, Any]:
    boxes = {}
    for box in tx.mailboxes(account):
        rows = []
        for uid, row in message.rows(tx, account, box.id):
            flags = [name for flag, name in FLAG_NAMES.items() if row.flags & flag] + list(row.keywords)
            subject = message.facts(tx, account, row.id).subject_base
            rows.append([uid, subject, flags, row.size, row.received])
        if rows:
            boxes[box.name] = rows
    return {
        "mailboxes": boxes,
        "subscriptions": mailboxes.subscriptions(tx, account),
        "suppressed": [one.address for one in suppression.some(tx, account, "", limits.MIB)],
    }

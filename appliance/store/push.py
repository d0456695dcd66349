"""Push subscriptions: URLs that are told when something of an account changes (RFC 8620 §7.2)."""

from collections.abc import Iterator

import msgspec

from appliance.store import tables
from appliance.store.problems import TooMany
from appliance.store.tables import AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode


class PushSubscription(msgspec.Struct, array_like=True, frozen=True):
    """One of them. The URL and the keys are secrets of a device."""

    id: str
    #: What made it: it sees no others, and when that is no longer good, this is gone.
    credential: str
    device: str
    url: str
    #: Encryption keys of the subscriber (RFC 8291); empty: what is told is not encrypted.
    key: bytes
    auth: bytes
    #: What the URL is told first; until the subscriber has shown it, nothing more is told.
    code: str
    created: int
    #: 0: with its credential.
    expires: int
    #: None: all.
    types: tuple[str, ...] | None
    is_asked: bool = False
    is_verified: bool = False
    #: The states that were told last.
    told: dict[str, str] = {}
    #: Posts in a row that came to nothing, and when the next may be made.
    failures: int = 0
    next_attempt: int = 0


def _key(account: AccountID, id: str) -> bytes:
    return tables.account_key(account) + id.encode()


def find(tx: ReadTx, account: AccountID, id: str) -> PushSubscription | None:
    """One of an account."""
    if not id.isascii() or len(id) > 100:
        return None
    return tx.record(Table.PUSH, _key(account, id), PushSubscription)


def of_account(tx: ReadTx, account: AccountID) -> list[PushSubscription]:
    """All of an account."""
    return [decode(PushSubscription, value) for _, value in tx.scan_prefix(Table.PUSH, tables.account_key(account))]


def everybodys(tx: ReadTx) -> Iterator[tuple[AccountID, PushSubscription]]:
    """All there are, by account."""
    for key, value in tx.scan_prefix(Table.PUSH, b""):
        yield AccountID(int.from_bytes(key[:4], "big")), decode(PushSubscription, value)


def add(tx: WriteTx, account: AccountID, new: PushSubscription, *, most: int) -> None:
    """Keep a new one. Raises NoSuchAccount, TooMany."""
    tx.account(account)
    if len(of_account(tx, account)) >= most:
        raise TooMany(f"at most {most} push subscriptions")
    put(tx, account, new)


def put(tx: WriteTx, account: AccountID, one: PushSubscription) -> None:
    """Write one back."""
    tx.put_record(Table.PUSH, _key(account, one.id), one)


def remove(tx: WriteTx, account: AccountID, id: str) -> bool:
    """Forget one; whether it was there."""
    return tx.delete(Table.PUSH, _key(account, id))

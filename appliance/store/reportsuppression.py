"""Addresses that get no reports of ours for a while: theirs only come back (RFC 7489 §7.2.1, RFC 8460 §5.5)."""

from collections.abc import Iterator

import msgspec

from appliance.mail.address import Address
from appliance.store.problems import TooMany
from appliance.store.report import Kind
from appliance.store.tables import Table
from appliance.store.transaction import ReadTx, WriteTx, decode


class Suppressed(msgspec.Struct, frozen=True, array_like=True):
    """An address, and until when it gets no reports of a kind. Times are microseconds since 1970."""

    kind: int
    #: The domain in A-labels.
    address: str
    until: int
    comment: str
    added: int


def _key(kind: Kind, address: Address) -> bytes:
    return bytes([kind]) + address.ascii.lower().encode()


def put(tx: WriteTx, kind: Kind, address: Address, until: int, comment: str, *, most: int) -> None:
    """Add an address, or change until when, and why. Raises TooMany: there are `most` already."""
    key = _key(kind, address)
    old = tx.record(Table.REPORT_SUPPRESSED, key, Suppressed)
    if old is None and int(tx.raw.stat(tx.handles[Table.REPORT_SUPPRESSED])["entries"]) >= most:
        raise TooMany(f"{most} addresses are suppressed already")
    added = tx.now if old is None else old.added
    tx.put_record(Table.REPORT_SUPPRESSED, key, Suppressed(kind, address.ascii, until, comment, added))


def get(tx: ReadTx, kind: Kind, address: Address) -> Suppressed | None:
    """What is known of an address, though its time may be over."""
    return tx.record(Table.REPORT_SUPPRESSED, _key(kind, address), Suppressed)


def is_suppressed(tx: ReadTx, kind: Kind, address: Address, now: int) -> bool:
    """Whether an address gets no reports now."""
    found = get(tx, kind, address)
    return found is not None and found.until > now


def remove(tx: WriteTx, kind: Kind, address: Address) -> bool:
    """Forget an address; tells whether it was there."""
    return tx.delete(Table.REPORT_SUPPRESSED, _key(kind, address))


def listed(tx: ReadTx, kind: Kind) -> list[Suppressed]:
    """All addresses of a kind, by name, those too whose time is over."""
    return [decode(Suppressed, value) for _, value in tx.scan_prefix(Table.REPORT_SUPPRESSED, bytes([kind]))]


def verify(tx: ReadTx) -> Iterator[str]:
    """What is wrong with suppressed addresses, in words."""
    for key, value in tx.scan_prefix(Table.REPORT_SUPPRESSED, b""):
        one = decode(Suppressed, value)
        if key != bytes([one.kind]) + one.address.lower().encode():
            yield f"suppressed address {one.address} is not what its key says"

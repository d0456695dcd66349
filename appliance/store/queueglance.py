"""Whether a queue is as it was, told by a few look-ups: for pages that show it and look again when it is not."""

from typing import NamedTuple

from appliance.store.tables import Table
from appliance.store.transaction import ReadTx


class Glance(NamedTuple):
    """Another one means another queue. The same may hide that what is neither due first nor last was changed."""

    size: int
    held: int
    retired: int
    first: bytes
    last: bytes


def messages(tx: ReadTx) -> Glance:
    """At the queue of messages."""
    return Glance(
        tx.entries(Table.QUEUED),
        tx.entries(Table.QUEUED_HELD),
        tx.entries(Table.RETIRED),
        *_ends(tx, Table.QUEUED_DUE),
    )


def hooks(tx: ReadTx) -> Glance:
    """At the queue of webhooks."""
    return Glance(tx.entries(Table.HOOK), 0, tx.entries(Table.HOOK_RETIRED), *_ends(tx, Table.HOOK_DUE))


def _ends(tx: ReadTx, table: Table) -> tuple[bytes, bytes]:
    """The first and the last key."""
    first = next((key for key, _ in tx.scan_prefix(table, b"")), b"")
    last = next((key for key, _ in tx.scan_back(table, b"", b"\xff" * 32)), b"")
    return first, last

"""What is known of newer versions of this program: kept, so that each is told of once, and asked for once a day."""

from typing import Final

from appliance.store.tables import Table
from appliance.store.transaction import ReadTx, WriteTx

_VERSION: Final = b"newest version"
_LOOKED: Final = b"looked for versions"


def looked(tx: WriteTx) -> None:
    """Somebody has just looked."""
    tx.put(Table.META, _LOOKED, b"%d" % tx.now)


def when(tx: ReadTx) -> int | None:
    """Microseconds since 1970; None: nobody has looked yet."""
    value = tx.get(Table.META, _LOOKED)
    return None if value is None else int(value)


def know(tx: WriteTx, version: str) -> None:
    """There is this version, and the operator was told."""
    tx.put(Table.META, _VERSION, version.encode())


def version(tx: ReadTx) -> str:
    """The newest that is known; empty when none is."""
    return (tx.get(Table.META, _VERSION) or b"").decode()

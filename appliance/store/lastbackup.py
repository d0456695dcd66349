"""When the last backup was made: kept, so that a restart does not forget it."""

from typing import Final

from appliance.store.tables import Table
from appliance.store.transaction import ReadTx, WriteTx

_KEY: Final = b"last backup"


def note(tx: WriteTx) -> None:
    """A backup has been finished now."""
    tx.put(Table.META, _KEY, b"%d" % tx.now)


def when(tx: ReadTx) -> int | None:
    """Microseconds since 1970; None when there was none."""
    value = tx.get(Table.META, _KEY)
    return None if value is None else int(value)

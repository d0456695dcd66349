"""Schema versions: a store of an older version is brought to the present one when it is opened (D-141, O-191).

Every step is a transaction that sets its number, so an interrupted upgrade goes on where it was.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from appliance.store.problems import NewerSchema
from appliance.store.tables import Table
from appliance.store.transaction import ReadTx, WriteTx

if TYPE_CHECKING:
    from appliance.store.store import Store

log = logging.getLogger("moxpy.store")

_VERSION: Final = b"schema version"

#: Steps[n] brings version n + 1 to n + 2. Version 1 is the first.
STEPS: Final[tuple[Callable[[WriteTx], None], ...]] = ()


def version(tx: ReadTx) -> int:
    """Schema version of a store; 0 when it is new."""
    return int(tx.get(Table.META, _VERSION) or b"0")


def upgrade(store: "Store", steps: tuple[Callable[[WriteTx], None], ...] = STEPS) -> None:
    """Bring a store to the present version. Raises NewerSchema, and then nothing was changed."""
    present = len(steps) + 1
    with store.read() as tx:
        found = version(tx)
    if found > present:
        raise NewerSchema(
            f"the store has schema version {found}, this program knows up to {present}: use a newer program"
        )
    if found == 0:
        store.write_sync(_set_version, present)
        return
    for number in range(found, present):
        store.write_sync(_step, steps[number - 1], number + 1)
        log.info("store upgraded", extra={"fields": {"schema": number + 1}})


def _step(tx: WriteTx, step: Callable[[WriteTx], None], number: int) -> None:
    step(tx)
    _set_version(tx, number)


def _set_version(tx: WriteTx, number: int) -> None:
    tx.put(Table.META, _VERSION, b"%d" % number)

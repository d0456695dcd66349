"""Secrets of a store: random octets that are drawn once, and stay."""

from typing import Final

from appliance.store.tables import Table
from appliance.store.transaction import ReadTx, WriteTx

#: What they are for: salts made up for who is not known, sender addresses of forwarded mail, posts to push services.
LOGIN: Final = b"login secret"
RETURN_PATH: Final = b"return path secret"
PUSH: Final = b"push secret"


def find(tx: ReadTx, name: bytes) -> bytes | None:
    """One of them; None while it was not drawn."""
    value = tx.get(Table.META, name)
    return None if value is None else bytes.fromhex(value.decode())


def keep(tx: WriteTx, name: bytes, drawn: bytes) -> bytes:
    """Keep a secret unless there is one; the one that is kept."""
    present = find(tx, name)
    if present is None:
        tx.put(Table.META, name, drawn.hex().encode())
    return present or drawn

"""Stores for tests; every one is verified when it is closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from appliance.store import account as accounts, prepare
from appliance.store.bodies import of_octets
from appliance.store.defaults import STORE
from appliance.store.message import NewMessage
from appliance.store.records import Role
from appliance.store.store import Store
from appliance.store.tables import AccountID
from support.clock import StandingClock

#: A small map, so that many stores can be open at once.
LIMITS = replace(STORE, map_octets=1 << 30)


@contextmanager
def open_store(folder: Path, clock: StandingClock | None = None, limits=LIMITS) -> Iterator[Store]:
    store = Store(folder, clock=clock or StandingClock(), limits=limits)
    store.sweep()
    try:
        yield store
        assert store.verify() == []
    finally:
        store.close()


SPECIAL = [("Sent", int(Role.SENT)), ("Trash", int(Role.TRASH)), ("Drafts", int(Role.DRAFTS)), ("Junk", int(Role.JUNK))]


def add_account(store: Store, name: str = "alice") -> AccountID:
    return store.write_sync(
        accounts.create, name, special_use=SPECIAL, regular=["Archive"], limits=store.limits.mailbox
    )


def new_message(
    store: Store, octets: bytes = b"Subject: hi\r\n\r\nhello\r\n", prefix: bytes = b"", received: int | None = None
) -> NewMessage:
    spooled = store.spooled(octets)
    content = prepare.content(spooled, store.limits.prepare)
    return prepare.message(
        content,
        of_octets(octets),
        prefix=prefix,
        received=store.clock.microseconds() if received is None else received,
        limits=store.limits.prepare,
    )

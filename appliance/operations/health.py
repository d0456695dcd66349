"""How the running house is: what a page, a command or a monitor asks about it."""

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from appliance.delivery.appliance import Appliance
from appliance.operations import accounts, versions
from appliance.store import account as stored, queued
from appliance.store.tables import Table

if TYPE_CHECKING:
    from appliance.operations.dkimrotation import Stuck

#: Accounts that are looked at for their use of space.
_ACCOUNTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Space:
    """An account near the limit of what it may keep, or beyond."""

    account: str
    used_octets: int
    limit_octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of a moment."""

    queue_messages: int
    queue_on_hold: int
    #: Since when the oldest message of the queue waits; None: it is empty.
    queue_oldest_microseconds: int | None
    #: Of the disk that the data is on.
    disk_octets: int
    disk_free_octets: int
    full_accounts: tuple[Space, ...]
    #: Nobody can log in to them with a password.
    accounts_without_password: tuple[str, ...]
    #: Rotations of DKIM keys that need somebody.
    rotations: "tuple[Stuck, ...]"
    #: Newer than this program; empty: none is known.
    newer_version: str


#: Of its limit, from which an account counts as full.
_FULL: Final = 0.9


async def health(app: Appliance) -> Health:
    """The state now; some milliseconds of a thread."""
    return await trio.to_thread.run_sync(_health, app)


def _health(app: Appliance) -> Health:
    from appliance.operations import dkimrotation  # In a thread; the house need not have it to stand.

    config = app.config.snapshot()
    with app.store.read() as tx:
        messages, on_hold = tx.entries(Table.QUEUED), tx.entries(Table.QUEUED_HELD)
        oldest = next(queued.all_messages(tx), None)
        without = []
        for name in list(config.domains.accounts)[:_ACCOUNTS]:
            number = tx.account_id(name)
            secrets = None if number is None else stored.credentials(tx, number)
            if secrets is None or not secrets.password_hash:
                without.append(name)
    full = []
    for name in list(config.domains.accounts)[:_ACCOUNTS]:
        use = accounts.quota_use(app, name)
        if use.limit_octets and use.used_octets >= _FULL * use.limit_octets:
            full.append(Space(name, use.used_octets, use.limit_octets))
    disk = shutil.disk_usage(config.data_directory)
    return Health(
        queue_messages=messages,
        queue_on_hold=on_hold,
        queue_oldest_microseconds=None if oldest is None else oldest.queued,
        disk_octets=disk.total,
        disk_free_octets=disk.free,
        full_accounts=tuple(full),
        accounts_without_password=tuple(sorted(without)),
        rotations=tuple(dkimrotation.stuck(app)),
        newer_version=str(newer) if (newer := versions.newer(app)) is not None else "",
    )

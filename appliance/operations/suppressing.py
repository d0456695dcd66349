"""The list of addresses that an account's messages are not sent to any more (delivery.suppression)."""

from collections.abc import AsyncIterator
from typing import Final

import trio

from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.delivery.suppression import base_address
from appliance.mail.address import Path, parse_path
from appliance.mail.status import Status
from appliance.operations import accounts
from appliance.store import account as stored, suppression
from appliance.store.queuerecords import Suppression
from appliance.store.tables import AccountID

#: Entries listed at a time.
PAGE_ENTRIES: Final = 100
_CHARACTERS: Final = 1000


class BadAddress(Problem):
    """Not an address, or too long a reason."""

    kind, status = Kind.INVALID, Status(5, 5, 4)


async def listed(app: Appliance, account: str | None) -> AsyncIterator[list[tuple[str, Suppression]]]:
    """Entries of an account, or of all, some at a time, in no order that means anything. Raises NoSuchAccount."""
    for name, number in _accounts(app, account).items():

        def read(after: str, number: AccountID = number) -> list[Suppression]:
            with app.store.read() as tx:
                return suppression.some(tx, number, after, PAGE_ENTRIES)

        after = ""
        while some := await trio.to_thread.run_sync(read, after):
            yield [(name, one) for one in some]
            after = some[-1].base_address


def lookup(app: Appliance, account: str | None, address: str) -> list[tuple[str, Suppression]]:
    """The entries that stand against an address: of an account, or of all. Raises NoSuchAccount, BadAddress."""
    base = base_address(_path(address))
    with app.store.read() as tx:
        found = ((name, suppression.find(tx, number, base)) for name, number in _accounts(app, account).items())
        return [(name, one) for name, one in found if one is not None]


async def add(app: Appliance, account: str, address: str, reason: str = "", *, manual: bool = True) -> Suppression:
    """Add an address; `manual`: by a person, not a program. Raises NoSuchAccount, BadAddress, Suppressed."""
    path = _path(address)
    if len(reason) > _CHARACTERS:
        raise BadAddress("the reason is too long")
    return await app.store.write(
        suppression.add,
        accounts.number(app.store, account),
        base_address(path),
        path.unicode,
        manual=manual,
        reason=reason,
    )


async def remove(app: Appliance, account: str, address: str) -> None:
    """Remove an address. Raises NoSuchAccount, BadAddress, NotSuppressed."""
    await app.store.write(suppression.remove, accounts.number(app.store, account), base_address(_path(address)))


def _accounts(app: Appliance, account: str | None) -> dict[str, AccountID]:
    if account is not None:
        return {account: accounts.number(app.store, account)}
    with app.store.read() as tx:
        return dict(sorted(stored.names(tx).items()))


def _path(text: str) -> Path:
    try:
        path = parse_path(f"<{text}>".encode(), smtputf8=True)
    except ValueError as error:
        raise BadAddress(f"{text!r} is not an address: {error}") from error
    if path.domain is None or len(text) > _CHARACTERS:
        raise BadAddress(f"{text!r} is not an address")
    return path

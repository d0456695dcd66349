"""Verbs about addresses that get no DMARC or TLS reports of ours until a moment: theirs only come back.

Reports to them are dropped, not kept for later.
"""

from datetime import datetime

from appliance.base.limits import SUPPRESSED_ADDRESSES
from appliance.base.problem import Kind as Trouble, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.address import Address, AddressError, parse_address
from appliance.mail.status import Status
from appliance.store import reportsuppression as store
from appliance.store.report import Kind
from appliance.store.reportsuppression import Suppressed
from appliance.store.transaction import WriteTx

#: Characters of a comment.
COMMENT_CHARACTERS = 1000


class BadSuppression(Problem):
    """Not an address, or a comment that is too long."""

    kind, status = Trouble.INVALID, Status(5, 1, 3)


class IsSuppressed(Problem):
    """The address is there already."""

    kind, status = Trouble.EXISTS, Status(5, 1, 0)


class NotSuppressed(Problem):
    """The address is not there."""

    kind, status = Trouble.NOT_FOUND, Status(5, 1, 1)


async def add(app: Appliance, kind: Kind, address: str, until: datetime, comment: str = "") -> None:
    """No reports of a kind go to an address until a moment. Raises BadSuppression, IsSuppressed, TooMany."""
    whose = _address(address)
    if len(comment) > COMMENT_CHARACTERS:
        raise BadSuppression(f"the comment is longer than {COMMENT_CHARACTERS} characters")

    def body(tx: WriteTx) -> None:
        if store.get(tx, kind, whose) is not None:
            raise IsSuppressed(f"{whose} is suppressed already")
        store.put(tx, kind, whose, _microseconds(until), comment, most=SUPPRESSED_ADDRESSES)

    await app.store.write(body)


async def extend(app: Appliance, kind: Kind, address: str, until: datetime) -> None:
    """Another moment until which. Raises BadSuppression, NotSuppressed."""
    whose = _address(address)

    def body(tx: WriteTx) -> None:
        found = store.get(tx, kind, whose)
        if found is None:
            raise NotSuppressed(f"{whose} is not suppressed")
        store.put(tx, kind, whose, _microseconds(until), found.comment, most=SUPPRESSED_ADDRESSES)

    await app.store.write(body)


async def remove(app: Appliance, kind: Kind, address: str) -> None:
    """Reports go there again. Raises BadSuppression, NotSuppressed."""
    whose = _address(address)
    if not await app.store.write(store.remove, kind, whose):
        raise NotSuppressed(f"{whose} is not suppressed")


def listed(app: Appliance, kind: Kind) -> list[Suppressed]:
    """All addresses of a kind, by name; those too whose time is over, which may be extended."""
    with app.store.read() as tx:
        return store.listed(tx, kind)


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except AddressError as error:
        raise BadSuppression(f"{text}: {error}") from error


def _microseconds(moment: datetime) -> int:
    return max(0, int(moment.timestamp() * 1_000_000))

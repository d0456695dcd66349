"""Addresses that the account does not send to any more."""

from datetime import datetime
from typing import Annotated, Final

from appliance.config.schema import doc
from appliance.operations import suppressing, websessions
from appliance.servers.web.api import Call, Wire
from appliance.store.queuerecords import Suppression as Kept

#: Shown in one list; a longer one is for programs, by the webapi.
_MOST: Final = 10_000


class Suppression(Wire):
    """An address that the account does not send to any more."""

    id: int
    created: datetime
    base_address: Annotated[str, doc("What stands for all variants of the address.")]
    original_address: Annotated[str, doc("As it was written when it was added.")]
    manual: Annotated[bool, doc("Added by a person, not because a delivery failed.")]
    reason: str


def _shown(one: Kept) -> Suppression:
    return Suppression(
        id=one.id,
        created=websessions.time(one.created),
        base_address=one.base_address,
        original_address=one.address,
        manual=one.manual,
        reason=one.reason,
    )


async def suppression_list(call: Call) -> list[Suppression]:
    """The addresses that are not sent to, newest first."""
    found: list[Kept] = []
    async for some in suppressing.listed(call.app, call.actor.name):
        found += [one for _, one in some]
        if len(found) >= _MOST:
            break
    return [_shown(one) for one in sorted(found, key=lambda one: -one.id)]


async def suppression_add(call: Call, address: str, reason: str = "") -> Suppression:
    """Add an address by hand."""
    return _shown(await suppressing.add(call.app, call.actor.name, address, reason))


async def suppression_remove(call: Call, address: str) -> None:
    """Remove an address, given in any of its variants."""
    await suppressing.remove(call.app, call.actor.name, address)

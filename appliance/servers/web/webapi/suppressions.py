"""The list of addresses that an account does not send to any more."""

from datetime import UTC, datetime

from appliance.operations import suppressing
from appliance.servers.web.webapi.call import Call
from appliance.servers.web.webapi.types import (
    Nothing,
    Suppression,
    SuppressionAddRequest,
    SuppressionListResult,
    SuppressionPresentResult,
    SuppressionRequest,
)


async def list_all(call: Call, _: Nothing) -> SuppressionListResult:
    """All entries of the account."""
    found = []
    async for page in suppressing.listed(call.app, call.actor.name):
        found += [
            Suppression(
                id=one.id,
                created=datetime.fromtimestamp(one.created / 1_000_000, UTC),
                account=name,
                base_address=one.base_address,
                original_address=one.address,
                manual=one.manual,
                reason=one.reason,
            )
            for name, one in page
        ]
    found.sort(key=lambda one: one.id)
    return SuppressionListResult(suppressions=found)


async def add(call: Call, request: SuppressionAddRequest) -> Nothing:
    """Add an address."""
    await suppressing.add(call.app, call.actor.name, request.email_address, request.reason, manual=request.manual)
    return Nothing()


async def remove(call: Call, request: SuppressionRequest) -> Nothing:
    """Remove an address."""
    await suppressing.remove(call.app, call.actor.name, request.email_address)
    return Nothing()


async def present(call: Call, request: SuppressionRequest) -> SuppressionPresentResult:
    """Whether an address is in the list."""
    found = suppressing.lookup(call.app, call.actor.name, request.email_address)
    return SuppressionPresentResult(present=bool(found))

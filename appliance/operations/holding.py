"""Rules that put messages on hold: those in the queue, and those to come."""

from typing import Final

from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.domain import DomainError, parse_host
from appliance.mail.status import Status
from appliance.operations import accounts
from appliance.store import queued
from appliance.store.queuerecords import HoldRule
from appliance.store.tables import Table

#: Messages looked at by one transaction: some milliseconds of the writer's time if all match.
LOOKS: Final = 200


class NoSuchRule(Problem):
    """There is no such rule."""

    kind, status = Kind.NOT_FOUND, Status(5, 5, 4)


class BadRule(Problem):
    """Not a domain."""

    kind, status = Kind.INVALID, Status(5, 5, 4)


def rules(app: Appliance) -> list[tuple[HoldRule, str]]:
    """All rules, with the names of their accounts; empty for any."""
    with app.store.read() as tx:
        return [(one, "" if one.account is None else tx.account(one.account).name) for one in queued.hold_rules(tx)]


async def add(app: Appliance, *, account: str = "", sender_domain: str = "", recipient_domain: str = "") -> HoldRule:
    """Hold what matches in all that is given: new messages from now on, and those that wait when this returns.

    Raises NoSuchAccount, BadRule.
    """
    number = accounts.number(app.store, account) if account else None
    rule = await app.store.write(
        queued.add_hold_rule,
        account=number,
        sender_domain=_domain(sender_domain),
        recipient_domain=_domain(recipient_domain),
    )
    await _sweep(app, rule.id)
    return rule


async def remove(app: Appliance, number: int) -> None:
    """Remove a rule; what it held stays on hold. Raises NoSuchRule."""
    if not await app.store.write(queued.remove_hold_rule, number):
        raise NoSuchRule(f"there is no hold rule {number}")


async def resume(app: Appliance) -> None:
    """At start: rules that were added before a crash hold what they are to hold. Before anything is delivered."""
    with app.store.read() as tx:
        queued.held.labels().set(tx.entries(Table.QUEUED_HELD))
        unfinished = [one.id for one in queued.hold_rules(tx) if one.swept < one.until]
    for number in unfinished:
        await _sweep(app, number)


async def _sweep(app: Appliance, number: int) -> None:
    while await app.store.write(queued.sweep_hold_rule, number, LOOKS):
        pass


def _domain(text: str) -> str:
    try:
        return str(parse_host(text, lax=True)) if text else ""
    except DomainError as error:
        raise BadRule(f"{text!r} is not a domain: {error}") from error

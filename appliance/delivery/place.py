"""Putting a message into mailboxes: one transaction for all who get it."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.store import mailbox, message
from appliance.store.mailbox import MailboxLimits
from appliance.store.message import Added, NewMessage
from appliance.store.problems import OverQuota
from appliance.store.tables import AccountID
from appliance.store.transaction import WriteTx


@dataclass(frozen=True, slots=True)
class Placement:
    """One copy: whose, where, what."""

    account: AccountID
    mailbox: str
    message: NewMessage
    quota_octets: int | None
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a copy."""

    added: Added | None
    over_quota: bool = False


def place(tx: WriteTx, placements: Sequence[Placement], limits: MailboxLimits) -> list[Placed]:
    """Store copies, making mailboxes that are missing. One over quota does not hinder the others (S-132)."""
    outcome = []
    for one in placements:
        try:
            message.check_quota(tx, one.account, one.message.size, one.quota_octets)
        except OverQuota:
            outcome.append(Placed(None, over_quota=True))
            continue
        target = mailbox.find(tx, one.account, one.mailbox)
        if target is None:
            target = mailbox.create(tx, one.account, one.mailbox, limits=limits)[-1]
        added = message.add(tx, one.account, target.id, one.message, flags=one.flags)
        outcome.append(Placed(added))
    return outcome

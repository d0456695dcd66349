"""Putting a message into mailboxes: one transaction for all who get it."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.base.problem import Problem
from appliance.config.domains import AutomaticJunkFlags
from appliance.store import mailbox, message
from appliance.store.mailbox import MailboxLimits
from appliance.store.message import NO_RULES, Added, NewMessage
from appliance.store.problems import BadMailboxName, NoSuchAccount, OverQuota, TooMany
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
    #: What the names of the account's mailboxes say about junk.
    junk_rules: AutomaticJunkFlags = NO_RULES


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a copy."""

    added: Added | None
    #: Why it is nowhere: OverQuota, NoSuchAccount, or a mailbox that cannot be made.
    problem: Problem | None = None


def place(tx: WriteTx, placements: Sequence[Placement], limits: MailboxLimits) -> list[Placed]:
    """Store copies, making mailboxes that are missing. One that cannot be placed does not hinder the others."""
    outcome = []
    for one in placements:
        try:
            if tx.account(one.account).removed:
                raise NoSuchAccount("the account is being removed")
            message.check_quota(tx, one.account, one.message.size, one.quota_octets)
            target = mailbox.find(tx, one.account, one.mailbox)
            if target is None:
                target = mailbox.create(tx, one.account, one.mailbox, limits=limits)[-1]
        except (OverQuota, NoSuchAccount, TooMany, BadMailboxName) as problem:
            outcome.append(Placed(None, problem))
            continue
        added = message.add(tx, one.account, target.id, one.message, flags=one.flags, junk_rules=one.junk_rules)
        outcome.append(Placed(added))
    return outcome

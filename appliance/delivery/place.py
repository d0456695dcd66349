"""Putting a copy of a message into a mailbox, within the transaction of all who get it."""

from dataclasses import dataclass

import msgspec

from appliance.base.problem import Problem
from appliance.config.domains import AutomaticJunkFlags
from appliance.store import mailbox, message
from appliance.store.mailbox import MailboxLimits
from appliance.store.message import NO_RULES, Added, NewMessage
from appliance.store.problems import BadMailboxName, NoSuchAccount, OverQuota, TooMany
from appliance.store.records import Mailbox
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
    #: The mailbox it was meant for, when that is another.
    destined: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a copy."""

    added: Added | None
    #: Why it is nowhere: OverQuota, NoSuchAccount, or a mailbox that cannot be made.
    problem: Problem | None = None


def place(tx: WriteTx, one: Placement, limits: MailboxLimits) -> Placed:
    """Store a copy, making mailboxes that are missing. Where it cannot be placed, nothing of it is kept."""
    try:
        if tx.account(one.account).removed:
            raise NoSuchAccount("the account is being removed")
        message.check_quota(tx, one.account, one.message.size, one.quota_octets)
        target = _mailbox(tx, one.account, one.mailbox, limits)
        new = one.message
        if one.destined:
            new = msgspec.structs.replace(new, destined_mailbox=_mailbox(tx, one.account, one.destined, limits).id)
    except (OverQuota, NoSuchAccount, TooMany, BadMailboxName) as problem:
        return Placed(None, problem)
    return Placed(message.add(tx, one.account, target.id, new, flags=one.flags, junk_rules=one.junk_rules))


def _mailbox(tx: WriteTx, account: AccountID, name: str, limits: MailboxLimits) -> Mailbox:
    found = mailbox.find(tx, account, name)
    return mailbox.create(tx, account, name, limits=limits)[-1] if found is None else found

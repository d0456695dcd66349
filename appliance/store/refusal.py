"""Refused mail, as operators and accounts look for it: when, from whom, for whom, why, and what its sender was told."""

from typing import Final

import msgspec

from appliance.base import limits
from appliance.store.ledger import Ledger
from appliance.store.tables import NOBODY, AccountID, Table


class Refusal(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Mail that was not taken, or not by one account. Attempts at the same message for the same reason are one."""

    #: `helo`, `mail`, `rcpt` or `data`; empty for a record of those that were not written down one by one.
    stage: str
    #: Why: a word of `delivery.decide.Reason`, or of `delivery.refusals.Cause`.
    reason: str
    #: The client; its network for a record of many messages, of which no more is known; empty: of any network.
    remote_ip: str
    #: The reply about this recipient.
    code: int = 0
    status: str = ""
    text: str = ""
    helo: str = ""
    mail_from: str = ""
    #: Empty when the refusal was for all.
    rcpt_to: str = ""
    #: The address in From, as the message says.
    msg_from: str = ""
    message_id: str = ""
    size_octets: int = 0
    #: What spoke for and against it, a line each.
    details: tuple[str, ...] = ()
    #: Results of checks of the sender; empty where none was made.
    spf: str = ""
    dkim: tuple[str, ...] = ()
    dmarc: str = ""
    iprev: str = ""
    #: Where a copy is to be found.
    mailbox: str = ""
    #: Of the connection that came last, as the reply and Received fields have it.
    received_id: str = ""
    #: Microseconds since 1970.
    first: int
    last: int
    count: int = 1


def _same(one: Refusal) -> Refusal:
    # Details say numbers that are drawn anew each time.
    return Refusal(
        stage=one.stage,
        reason=one.reason,
        remote_ip=one.remote_ip,
        code=one.code,
        mail_from=one.mail_from,
        rcpt_to=one.rcpt_to,
        msg_from=one.msg_from,
        message_id=one.message_id,
        first=0,
        last=0,
    )


def _most(account: AccountID) -> int:
    return limits.NOBODYS_REFUSALS_KEPT if account == NOBODY else limits.REFUSALS_KEPT


REFUSALS: Final = Ledger(Table.REFUSAL, Table.REFUSAL_TIME, Refusal, same=_same, most=_most, days=limits.REFUSAL_DAYS)

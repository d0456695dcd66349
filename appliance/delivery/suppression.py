"""When messages of an account are not sent to an address any more: who keeps on writing to mailboxes that are not
there is taken for a spammer by their servers.

Each account has a list of its own (store.suppression). An entry stands for all variants of an address.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from appliance.config.source import Config
from appliance.mail.address import Path
from appliance.mail.status import Status
from appliance.store import queued, suppression
from appliance.store.problems import NoSuchAccount
from appliance.store.queuerecords import QueuedMessage, RetiredMessage, Suppression
from appliance.store.tables import NO_ACCOUNT, AccountID
from appliance.store.transaction import ReadTx, WriteTx

#: Replies that say the mailbox or its host take no mail at all (RFC 5321 §4.2.3, RFC 7504).
_CODES: Final = frozenset({521, 550, 551, 553, 556})
#: With a permanent reply: no such address, or moved, or disabled, or refused by policy (RFC 3463 §3.2, §3.3, §3.8).
_STATUSES: Final = frozenset({(1, 1), (1, 2), (1, 3), (1, 6), (2, 1), (7, 1)})
#: So many failures in a row to one address suppress it, whatever they were.
IN_A_ROW: Final = 3
#: Kept of what was said.
_REASON_CHARACTERS: Final = 300


def base_address(path: Path) -> str:
    """What stands for all variants of an address: in lower case, without what follows `+` or `-`, without dots.

    A sign at the very start cuts nothing, as nothing would be left; so are dots kept where there is nothing else.
    """
    localpart = path.localpart.lower()
    for sign in "+-":
        cut = localpart.find(sign)
        if cut > 0:
            localpart = localpart[:cut]
    return replace(path, localpart=localpart.replace(".", "") or localpart).unicode


def suppresses(code: int, status: Status, *, is_reply: bool, earlier: Sequence[bool]) -> bool:
    """Whether a failure for good puts the address on the list.

    `earlier`: whether the account's last messages to exactly this address arrived, latest first. What no server has
    replied says nothing about an address: the network failed, or time ran out.
    """
    if not is_reply or not code:
        return False
    if code in _CODES or (code >= 500 and (status.subject, status.detail) in _STATUSES):
        return True
    return len(earlier) >= IN_A_ROW - 1 and not any(earlier[: IN_A_ROW - 1])


def owner(tx: ReadTx, config: Config, account: AccountID) -> AccountID | None:
    """Whose list counts for messages of an account: the postmaster answers for what is nobody's."""
    return account if account != NO_ACCOUNT else tx.account_id(config.static.postmaster.account)


def hit(tx: ReadTx, config: Config, account: AccountID, recipient: Path) -> Suppression | None:
    """The entry that stands against an attempt: it fails for good then."""
    whose = owner(tx, config, account)
    return None if whose is None else suppression.find(tx, whose, base_address(recipient))


def note(
    tx: WriteTx,
    config: Config,
    one: QueuedMessage | RetiredMessage,
    recipient: Path,
    *,
    code: int,
    status: Status,
    is_reply: bool,
    text: str,
) -> bool:
    """A message has failed for good: suppress its recipient if that calls for it; whether it did."""
    earlier = queued.outcomes(tx, one.account, one.recipient, IN_A_ROW - 1, but=one.id)
    whose = owner(tx, config, one.account)
    if whose is None or not suppresses(code, status, is_reply=is_reply, earlier=earlier):
        return False
    base, reason = base_address(recipient), f"delivery failed: {code} {status} {text}"[:_REASON_CHARACTERS]
    if suppression.find(tx, whose, base) is not None:
        return False
    try:
        suppression.add(tx, whose, base, recipient.unicode, manual=False, reason=reason)
    except NoSuchAccount:
        return False
    return True

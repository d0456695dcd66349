"""What is different since somebody looked last: the states of all types of JMAP of an account (RFC 8620 §7.1).

And those of other accounts so far as these are shared with it: one text each, as an account is called in JMAP.

To look costs some dozens of microseconds, so whoever tells of changes does so once in a while.
"""

import hashlib
from collections.abc import Collection
from typing import Final

from appliance.delivery.appliance import Appliance
from appliance.operations import identities, sharing
from appliance.operations.actor import Actor
from appliance.operations.messages import quota_octets
from appliance.store import preferences, submission, vacation
from appliance.store.reach import Reach, within
from appliance.store.tables import AccountID
from appliance.store.transaction import ReadTx

#: By their names in JMAP; the last is ours.
TYPES: Final = (
    *("Email", "Mailbox", "Thread", "EmailDelivery", "EmailSubmission", "Identity", "VacationResponse", "Quota"),
    "Preferences",
)


def states(app: Appliance, actor: Actor) -> dict[str, str]:
    """The state of each type, as their methods have it. Raises NoSuchAccount."""
    config = app.config.snapshot()
    with app.store.read() as tx:
        account = tx.account(actor.account)
        found = {
            **dict.fromkeys(("Email", "Mailbox", "Thread"), str(account.modseq)),
            # RFC 8621 §1.5: another one only when messages have come.
            "EmailDelivery": str(account.next_message),
            "EmailSubmission": str(submission.singletons(tx, actor.account).state),
            "VacationResponse": str(vacation.find(tx, actor.account).version),
            "Preferences": str(preferences.find(tx, actor.account).version),
        }
        used = account.usage_octets
        found |= {f"A{reach.account}": mailbox_state(tx, reach) for reach in sharing.owners(tx, actor.account).values()}
    found["Identity"] = identities.state(identities.marks(identities.all_of(app, actor, config)))
    found["Quota"] = quota_state(used, quota_octets(app, actor))
    return found


def quota_state(used_octets: int, limit_octets: int | None) -> str:
    """The state of quotas: what they say, in short."""
    return "none" if limit_octets is None else f"{limit_octets}-{used_octets}"


def difference(
    actor: AccountID, before: dict[str, str], now: dict[str, str], types: Collection[str] | None
) -> dict[str, dict[str, str]]:
    """By account as JMAP calls it, states that are other ones now, of these types (None: all)."""
    found: dict[str, dict[str, str]] = {}
    for name, state in now.items():
        if name in TYPES:
            # A type that is new was not told, and need not be.
            account, changed = f"A{actor}", {name: state} if before.get(name, state) != state else {}
        else:
            account, changed = name, _shared(before.get(name, ""), state)
        changed = {kind: one for kind, one in changed.items() if types is None or kind in types}
        if changed:
            found.setdefault(account, {}).update(changed)
    return found


def all_but(before: dict[str, str], now: dict[str, str], accounts: Collection[str]) -> dict[str, str]:
    """The states of now, but of these accounts of others those of before."""
    found = {name: state for name, state in now.items() if name not in accounts}
    return found | {name: before[name] for name in accounts if name in before}


def _shared(before: str, now: str) -> dict[str, str]:
    """States of types of another's account that are other ones now."""
    if before == now:
        return {}
    emails = now.rpartition("-")[0]
    if before.rpartition("-")[0] == emails:
        return {"Mailbox": now}
    return {"Email": emails, "Mailbox": now, "Thread": emails}


# Of mailboxes.


def mailbox_state(tx: ReadTx, reach: Reach, modseq: int | None = None) -> str:
    """The state of an account's mailboxes, now or at a modification sequence.

    Of another's account it changes with what the reader has subscribed, too.
    """
    state = reach.state(reach.modseq if modseq is None else modseq)
    return state if reach.is_own else f"{state}-{_subscribed_mark(tx, reach)}"


def within_mailbox_state(tx: ReadTx, reach: Reach, state: str) -> str:
    """The modification sequence of a state; empty where it cannot be compared with now."""
    return state if reach.is_own else reach.within(within(state, _subscribed_mark(tx, reach)))


def _subscribed_mark(tx: ReadTx, reach: Reach) -> str:
    """Says in short which mailboxes of another account the reader has subscribed."""
    names = "\n".join(sorted(sharing.subscribed(tx, reach)))
    return hashlib.sha256(names.encode()).hexdigest()[:8]

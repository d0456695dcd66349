"""What is different since somebody looked last: the states of all types of JMAP of an account (RFC 8620 §7.1).

To look costs some dozens of microseconds, so whoever tells of changes does so once in a while.
"""

from collections.abc import Collection
from typing import Final

from appliance.delivery.appliance import Appliance
from appliance.operations import identities
from appliance.operations.actor import Actor
from appliance.operations.messages import quota_octets
from appliance.store import preferences, submission, vacation

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
    found["Identity"] = identities.state(identities.marks(identities.all_of(app, actor, config)))
    found["Quota"] = quota_state(used, quota_octets(app, actor))
    return found


def quota_state(used_octets: int, limit_octets: int | None) -> str:
    """The state of quotas: what they say, in short."""
    return "none" if limit_octets is None else f"{limit_octets}-{used_octets}"


def difference(before: dict[str, str], now: dict[str, str], types: Collection[str] | None) -> dict[str, str]:
    """States that are other ones now, of these types (None: all)."""
    return {
        name: state
        for name, state in now.items()
        if (types is None or name in types) and before.get(name, state) != state
    }

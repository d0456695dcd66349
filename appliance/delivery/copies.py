"""Who gets a copy of a message: recipients of their own, members of aliases, nobody twice. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.config.addresses import Found, FoundAlias
from appliance.config.domains import Account
from appliance.mail.address import Path
from appliance.store.tables import AccountID

#: After so many copies of one message others get their turn.
AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address that leads to one account."""

    #: As in RCPT; of a member of an alias, the member's own.
    path: Path
    account: AccountID
    #: The address as the configuration has it, and what is to be done with its mail.
    found: Found
    #: Of the account.
    settings: Account
    quota_octets: int | None

    @property
    def mailbox(self) -> str:
        """Where mail goes unless a rule says otherwise."""
        return self.found.destination.default_mailbox


@dataclass(frozen=True, slots=True)
class AliasRecipient:
    """An address that leads to several accounts."""

    #: As in RCPT.
    path: Path
    alias: FoundAlias
    #: Where a copy goes for each member who takes mail, by its canonical address.
    members: Mapping[str, Recipient]
    #: Canonical addresses of all members.
    member_keys: frozenset[str]

    def may_post(self, sender: str | None) -> bool:
        """Whether a message goes to the members, by the canonical address in its From (None: not one of ours)."""
        if sender is not None and sender in self.member_keys:
            return True
        if sender is not None and sender == self.alias.address_key:
            return self.alias.alias.allow_msg_from
        return self.alias.alias.post_public


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """One copy of the message."""

    recipient: Recipient
    #: The recipient of the transaction it came for.
    rcpt: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """Every copy to be made, and which of them each recipient hangs on."""

    copies: Sequence[Copy]
    #: In the order of the recipients; None for an alias that the sender may not write to.
    wanted: Sequence[Sequence[Copy] | None]


def plan(recipients: Sequence[Recipient | AliasRecipient], sender: str | None) -> Plan:
    """Plan the copies; `sender` is the canonical address in From when it is one of ours.

    One mailbox gets one copy, by the first of its addresses; addresses named in RCPT come before those of aliases.
    The member that wrote the message does not get it back from the alias.
    """
    made: dict[tuple[AccountID, str], Copy] = {}

    def copy(recipient: Recipient, rcpt: Path) -> Copy:
        return made.setdefault((recipient.account, recipient.mailbox), Copy(recipient, rcpt))

    wanted: list[Sequence[Copy] | None] = [
        (copy(one, one.path),) if isinstance(one, Recipient) else () for one in recipients
    ]
    for number, one in enumerate(recipients):
        if isinstance(one, AliasRecipient):
            members = [member for key, member in one.members.items() if key != sender]
            wanted[number] = [copy(member, one.path) for member in members] if one.may_post(sender) else None
    return Plan(tuple(made.values()), wanted)

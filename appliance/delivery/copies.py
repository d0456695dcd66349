"""Who gets a copy of a message: recipients of their own, members of aliases, nobody twice. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.config.addresses import Found, FoundAlias
from appliance.config.domains import Account
from appliance.config.values import AddressName
from appliance.mail.address import Address, Path
from appliance.mail.domain import Domain
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

    @property
    def forwards_by(self) -> str:
        """The address that forwards, where it does: of a catch-all the one that was written to."""
        return self.path.unicode if self.found.is_catchall else self.found.address_key


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
class Forward:
    """A copy for an address of another server, if a copy here is accepted."""

    to: Address
    #: The address of ours that forwards, canonical.
    by: str
    copy: Copy
    #: Place of the recipient it came for among all.
    recipient: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Every copy to be made, and which of them each recipient hangs on."""

    copies: Sequence[Copy]
    #: In the order of the recipients; None for an alias that the sender may not write to.
    wanted: Sequence[Sequence[Copy] | None]
    #: For each address outside by which ways it may get its only copy: the first that can be.
    forwards: Sequence[Sequence[Forward]] = ()
    #: Copies that are kept only if nothing is forwarded instead.
    in_need: frozenset[Copy] = frozenset()


def plan(recipients: Sequence[Recipient | AliasRecipient], sender: str | None) -> Plan:
    """Plan the copies; `sender` is the canonical address in From when it is one of ours.

    One mailbox gets one copy, by the first of its addresses; addresses named in RCPT come before those of aliases.
    The member that wrote the message does not get it back from the alias, unless nobody else would be there to judge
    what the alias forwards. An address outside gets one copy, whoever forwards to it.
    """
    made: dict[tuple[AccountID, str], Copy] = {}
    keeping: set[Copy] = set()
    forwards: dict[tuple[str, Domain], list[Forward]] = {}

    def copy(recipient: Recipient, rcpt: Path, number: int) -> Copy:
        one = made.setdefault((recipient.account, recipient.mailbox), Copy(recipient, rcpt))
        destination = recipient.found.destination
        if not destination.forward_only:
            keeping.add(one)
        if destination.forward:
            forward(destination.forward, recipient.forwards_by, one, number)
        return one

    def forward(addresses: Sequence[AddressName], by: str, one: Copy, number: int) -> None:
        for to in (name.address for name in addresses):
            forwards.setdefault((to.localpart.lower(), to.domain), []).append(Forward(to, by, one, number))

    wanted: list[Sequence[Copy] | None] = [
        (copy(one, one.path, number),) if isinstance(one, Recipient) else () for number, one in enumerate(recipients)
    ]
    for number, one in enumerate(recipients):
        if not isinstance(one, AliasRecipient):
            continue
        if not one.may_post(sender):
            wanted[number] = None
            continue
        outside = one.alias.alias.forward
        members = [member for key, member in one.members.items() if key != sender]
        if outside and not members:
            members = list(one.members.values())
        wanted[number] = mine = [copy(member, one.path, number) for member in members]
        for judged in mine if outside else ():
            forward(outside, one.alias.address_key, judged, number)
    copies = tuple(made.values())
    in_need = frozenset(copies) - keeping if len(keeping) < len(copies) else frozenset()
    return Plan(copies, wanted, tuple(forwards.values()), in_need)

"""What an account is: its settings, its space, its mailboxes, the aliases it is in."""

from typing import Annotated, Final

from appliance.config.domains import Account
from appliance.config.schema import doc
from appliance.operations import accounts, refusals
from appliance.servers.web.api import Call, Wire
from appliance.servers.web.shown import Refusal, RefusalFilter
from appliance.store.records import ROLE_NAMES


class AccountInfo(Wire):
    """An account as its owner sees it."""

    name: Annotated[str, doc("Of the account; not an address.")]
    login_address: Annotated[str, doc("The address of this login.")]
    config: Account
    storage_used: Annotated[int, doc("Octets of messages.")]
    storage_limit: Annotated[int, doc("Most octets; 0: no limit.")]


async def account(call: Call) -> AccountInfo:
    """The account: its part of the configuration, and the space it uses."""
    actor = call.actor
    use = accounts.quota_use(call.app, actor.name)
    return AccountInfo(
        name=actor.name,
        login_address=actor.login_address,
        config=call.app.config.snapshot().domains.accounts[actor.name],
        storage_used=use.used_octets,
        storage_limit=use.limit_octets or 0,
    )


class AliasMembership(Wire):
    """An alias that an address of the account is a member of."""

    alias: Annotated[str, doc("Its address.")]
    subscription_addresses: Annotated[list[str], doc("The addresses of this account that are its members.")]
    post_public: Annotated[bool, doc("Anyone may write to it, not its members alone.")]
    allow_msg_from: Annotated[bool, doc("Members may send with it in From.")]
    members: Annotated[list[str] | None, doc("All its members; null where members do not see each other.")]


async def aliases(call: Call) -> list[AliasMembership]:
    """The aliases whose mail comes to this account."""
    config, name = call.app.config.snapshot(), call.actor.name
    index = config.derived.addresses
    found = []
    for domain, configured in config.domains.domains.items():
        for localpart, alias in configured.aliases.items():
            own = []
            for member in alias.addresses:
                owner = index.own(member.address)
                if owner is not None and owner.account == name:
                    own.append(str(member))
            if own:
                found.append(
                    AliasMembership(
                        alias=f"{localpart}@{domain}",
                        subscription_addresses=own,
                        post_public=alias.post_public,
                        allow_msg_from=alias.allow_msg_from,
                        members=[str(one) for one in alias.addresses] if alias.list_members else None,
                    )
                )
    return found


#: Rows of one answer.
_MOST: Final = 1000


async def refusal_list(call: Call, filter: RefusalFilter, limit: int) -> list[Refusal]:
    """Mail for the account that was refused, the last first."""
    most = limit if 0 < limit < _MOST else _MOST
    found = await refusals.found(call.app, call.actor.name, filter.filter(), most)
    return [Refusal.of(call.app, *one) for one in found]


class Mailbox(Wire):
    """A mailbox of the account."""

    id: int
    name: str
    special_use: Annotated[list[str], doc("Of `Archive`, `Drafts`, `Junk`, `Sent`, `Trash`.")]
    messages: int
    unread: int
    size: Annotated[int, doc("Octets.")]


async def mailboxes(call: Call) -> list[Mailbox]:
    """The mailboxes of the account, by name, Inbox first."""
    with call.app.store.read() as tx:
        found = tx.mailboxes(call.actor.account)
    return [
        Mailbox(
            id=one.id,
            name=one.name,
            special_use=[name.removeprefix("\\") for role, name in ROLE_NAMES.items() if one.roles & role],
            messages=one.messages,
            unread=one.unread,
            size=one.size_octets,
        )
        for one in sorted(found, key=lambda one: (one.name != "Inbox", one.name.casefold()))
    ]

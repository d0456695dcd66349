"""Accounts and their addresses, aliases, what opens accounts, and who tried."""

from datetime import datetime
from typing import Annotated

import trio

from appliance.config.domains import Account as Configured, Alias, Route
from appliance.config.schema import doc
from appliance.config.source import Config
from appliance.config.values import AddressName, Quota
from appliance.operations import (
    accountlimits,
    accounts as verbs,
    aliases,
    attempts,
    configuring,
    refusals,
    suppressing,
    tlskeys,
    websessions,
)
from appliance.operations.aliases import AliasSettings
from appliance.servers.web.api import Call, Wire
from appliance.servers.web.shown import LoginAttempt, Refusal, RefusalFilter, TLSPublicKey

#: Rows of one answer.
_MOST = 10_000


class AccountListed(Wire):
    """An account in a list."""

    name: str
    disabled: bool
    description: str
    addresses: Annotated[int, doc("How many it has.")]
    storage_used: Annotated[int, doc("Octets of messages.")]
    storage_limit: Annotated[int, doc("Most octets; 0: no limit.")]


async def accounts(call: Call) -> list[AccountListed]:
    """All accounts, by name."""
    config, found = call.app.config.snapshot(), []
    for name in sorted(config.domains.accounts):
        one, use = config.domains.accounts[name], verbs.quota_use(call.app, name)
        found.append(
            AccountListed(
                name=name,
                disabled=one.login_disabled is not None,
                description=one.description,
                addresses=len(one.destinations),
                storage_used=use.used_octets,
                storage_limit=use.limit_octets or 0,
            )
        )
    return found


class AliasMembership(Wire):
    """An alias, and the address of an account that is a member of it."""

    alias: str
    address: str


class AccountInfo(Wire):
    """An account as the operator sees it."""

    name: str
    config: Configured
    storage_used: int
    storage_limit: Annotated[int, doc("0: none.")]
    aliases: list[AliasMembership]


async def account(call: Call, name: str) -> AccountInfo:
    """One account."""
    config = call.app.config.snapshot()
    use = verbs.quota_use(call.app, name)
    return AccountInfo(
        name=name,
        config=config.domains.accounts[name],
        storage_used=use.used_octets,
        storage_limit=use.limit_octets or 0,
        aliases=_memberships(config, name),
    )


def _memberships(config: Config, name: str) -> list[AliasMembership]:
    index = config.derived.addresses
    return [
        AliasMembership(alias=f"{localpart}@{domain}", address=str(member))
        for domain, configured in config.domains.domains.items()
        for localpart, alias in configured.aliases.items()
        for member in alias.addresses
        if (owner := index.own(member.address)) is not None and owner.account == name
    ]


async def account_add(call: Call, name: str, address: str) -> None:
    """Add an account with an address. It has no password yet: mail arrives, and nobody can log in."""
    await verbs.add(call.app, name, configuring.address_of(address))


async def account_remove(call: Call, name: str) -> None:
    """Remove an account with all its mail, and what it has in the queue."""
    await verbs.remove(call.app, name)


def _destination(text: str) -> AddressName | str:
    return f"@{configuring.domain_of(text[1:])}" if text.startswith("@") else configuring.address_of(text)


async def address_add(call: Call, address: str, account: str) -> None:
    """Add an address to an account; `@domain` takes whatever nobody else has."""
    await verbs.add_address(call.app, account, _destination(address))


async def address_remove(call: Call, address: str) -> None:
    """Remove an address from its account, and from aliases."""
    await verbs.remove_address(call.app, _destination(address))


async def set_password(call: Call, account: str, password: str) -> None:
    """Set the password of an account; what was opened with the former one ends."""
    await verbs.set_password(call.app, account, password)


class AccountSettings(Wire):
    """Limits, which are not for the account's owner to change."""

    max_outgoing_messages_per_day: int
    max_first_time_recipients_per_day: int
    quota_message_size: Annotated[Quota, doc("Octets; 0: as usual, negative: no limit.")]
    no_first_time_sender_delay: bool
    no_custom_password: bool


async def account_settings_save(call: Call, account: str, settings: AccountSettings) -> None:
    """Set the limits of an account."""
    await accountlimits.save(
        call.app,
        account,
        accountlimits.AccountLimits(
            max_outgoing_messages_per_day=settings.max_outgoing_messages_per_day,
            max_first_time_recipients_per_day=settings.max_first_time_recipients_per_day,
            quota_message_size=settings.quota_message_size,
            no_first_time_sender_delay=settings.no_first_time_sender_delay,
            no_custom_password=settings.no_custom_password,
        ),
    )


async def account_login_disabled_save(call: Call, account: str, message: str) -> None:
    """Refuse all logins with a text; allow them again with an empty one. Mail arrives all the same."""
    if message:
        await verbs.disable(call.app, account, message)
    else:
        await verbs.enable(call.app, account)


async def account_routes_save(call: Call, account: str, routes: list[Route]) -> None:
    """Set which mail of an account takes which transport."""
    await accountlimits.set_routes(call.app, account, routes)


# Aliases.


def _alias(localpart: str, domain: str) -> AddressName:
    return configuring.address_of(f"{localpart}@{domain}")


async def alias_add(call: Call, localpart: str, domain: str, alias: Alias) -> None:
    """Add an alias: an address whose mail goes to several accounts."""
    settings = AliasSettings(alias.post_public, alias.list_members, alias.allow_msg_from)
    address = _alias(localpart, domain)
    await aliases.add(call.app, address, list(alias.addresses), settings)
    if alias.forward:
        await aliases.add_forwards(call.app, address, list(alias.forward))


async def alias_update(
    call: Call, localpart: str, domain: str, post_public: bool, list_members: bool, allow_msg_from: bool
) -> None:
    """Set who may write to an alias, whether members see each other and may send with it."""
    await aliases.update(call.app, _alias(localpart, domain), AliasSettings(post_public, list_members, allow_msg_from))


async def alias_remove(call: Call, localpart: str, domain: str) -> None:
    """Remove an alias."""
    await aliases.remove(call.app, _alias(localpart, domain))


async def alias_addresses_add(call: Call, localpart: str, domain: str, addresses: list[str]) -> None:
    """Add members."""
    await aliases.add_members(call.app, _alias(localpart, domain), [configuring.address_of(one) for one in addresses])


async def alias_addresses_remove(call: Call, localpart: str, domain: str, addresses: list[str]) -> None:
    """Remove members; if one of them is none, nothing is changed."""
    members = [configuring.address_of(one) for one in addresses]
    await aliases.remove_members(call.app, _alias(localpart, domain), members)


async def alias_forwards_add(call: Call, localpart: str, domain: str, addresses: list[str]) -> None:
    """Forward to addresses outside."""
    to = [configuring.address_of(one) for one in addresses]
    await aliases.add_forwards(call.app, _alias(localpart, domain), to)


async def alias_forwards_remove(call: Call, localpart: str, domain: str, addresses: list[str]) -> None:
    """Forward to addresses outside no more."""
    to = [configuring.address_of(one) for one in addresses]
    await aliases.remove_forwards(call.app, _alias(localpart, domain), to)


# What opens accounts.


async def tls_public_keys(call: Call, account: str) -> list[TLSPublicKey]:
    """The keys that log in by a TLS certificate; an empty account: of all."""
    return [TLSPublicKey.of(one) for one in tlskeys.keys(call.app, account or None)]


async def login_attempts(call: Call, account: str, limit: int) -> list[LoginAttempt]:
    """Attempts to log in, the last first; an empty account: of all."""
    most = limit if 0 < limit < _MOST else _MOST
    return [LoginAttempt.of(*one) for one in await attempts.all_of(call.app, account or None, most)]


async def refusal_list(call: Call, account: str, filter: RefusalFilter, limit: int) -> list[Refusal]:
    """Incoming mail that was refused, the last first; an empty account: of all, `-`: for nobody in particular."""
    most = limit if 0 < limit < _MOST else _MOST
    found = await refusals.found(call.app, account or None, filter.filter(), most)
    return await trio.to_thread.run_sync(lambda: [Refusal.of(call.app, *one) for one in found])


# What accounts do not send to.


class SuppressionEntry(Wire):
    """An address that an account does not send to."""

    account: str
    address: str
    base_address: Annotated[str, doc("What stands for all variants of the address.")]
    manual: bool
    reason: str
    created: datetime


async def suppressions(call: Call) -> list[SuppressionEntry]:
    """Those of all accounts."""
    found: list[SuppressionEntry] = []
    async for some in suppressing.listed(call.app, None):
        found += [
            SuppressionEntry(
                account=account,
                address=one.address,
                base_address=one.base_address,
                manual=one.manual,
                reason=one.reason,
                created=websessions.time(one.created),
            )
            for account, one in some
        ]
        if len(found) >= _MOST:
            break
    return found


async def suppression_remove(call: Call, account: str, address: str) -> None:
    """Let an account send to an address again."""
    await suppressing.remove(call.app, account, address)

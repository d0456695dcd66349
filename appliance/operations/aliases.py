"""Verbs about aliases: addresses whose mail goes to several accounts. Who may write to one: delivery.copies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from appliance.config import edit
from appliance.config.addresses import AddressIndex, FoundAlias
from appliance.config.domains import Alias
from appliance.config.source import Config
from appliance.config.values import AddressName, DomainName
from appliance.delivery.appliance import Appliance
from appliance.mail.address import Address, spell_localpart
from appliance.operations import configuring, forwards
from appliance.operations.configuring import Exists, NoSuchAddress

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


@dataclass(frozen=True, slots=True)
class AliasSettings:
    """What may be set of an alias; None leaves it as it is."""

    #: Anyone may write to it, not its members alone.
    post_public: bool | None = None
    #: Members see each other.
    list_members: bool | None = None
    #: Members may send with it in From.
    allow_msg_from: bool | None = None

    def applied(self, alias: Alias) -> Alias:
        """The alias with these settings."""
        given = {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}
        return replace(alias, **given)


def find(index: AddressIndex, address: AddressName) -> FoundAlias:
    """The alias of exactly this address. Raises NoSuchAddress."""
    one = address.address
    entry = index.domains.get(one.domain.ascii)
    found = index.aliases.get((entry.canonical(one.localpart), one.domain.ascii)) if entry else None
    if found is None:
        raise NoSuchAddress(f"there is no alias {address}; `moxpy config alias list {one.domain.unicode}` shows them")
    return found


def listed(app: Appliance, domain: DomainName) -> list[str]:
    """The aliases of a domain, sorted. Raises NoSuchDomain."""
    config = app.config.snapshot()
    configuring.require_domain(config, domain)
    return sorted(f"{localpart}@{domain}" for localpart in config.domains.domains[domain].aliases)


def get(app: Appliance, address: AddressName) -> Alias:
    """An alias with its settings and members. Raises NoSuchAddress."""
    return find(app.config.snapshot().derived.addresses, address).alias


async def add(
    app: Appliance, address: AddressName, members: Sequence[AddressName], settings: AliasSettings | None = None
) -> None:
    """Make an alias; anyone may write to it unless the settings say otherwise.

    Raises NoSuchDomain, Exists, NotValid, FileRefused.
    """
    domain, localpart = address.address.domain.unicode, spell_localpart(address.address.localpart)
    alias = (settings or AliasSettings()).applied(Alias(addresses=tuple(members), post_public=True))

    def edits(document: "TOMLDocument", config: Config) -> None:
        configuring.require_domain(config, DomainName(domain))
        if localpart in config.domains.domains[domain].aliases:
            raise Exists(f"alias {address} exists")
        edit.update_table(document, ("domains", domain, "aliases", localpart), None, alias)

    await configuring.change(app, edits)


async def update(app: Appliance, address: AddressName, settings: AliasSettings) -> None:
    """Change settings of an alias. Raises NoSuchAddress, FileRefused."""
    await _change(app, address, lambda alias, _: settings.applied(alias))


async def remove(app: Appliance, address: AddressName) -> None:
    """Remove an alias; its members stay. Raises NoSuchAddress, FileRefused."""

    def edits(document: "TOMLDocument", config: Config) -> None:
        found = find(config.derived.addresses, address)
        edit.remove(document, ("domains", found.domain, "aliases", found.localpart))

    await configuring.change(app, edits)


async def add_members(app: Appliance, address: AddressName, members: Sequence[AddressName]) -> None:
    """Add members. Raises NoSuchAddress (the alias), NotValid (a member is one already, or nobody's), FileRefused."""
    await _change(app, address, lambda alias, _: replace(alias, addresses=(*alias.addresses, *members)))


async def remove_members(app: Appliance, address: AddressName, members: Sequence[AddressName]) -> None:
    """Remove members. Raises NoSuchAddress (the alias, or no such member), NotValid (none is left), FileRefused."""

    def without(alias: Alias, index: AddressIndex) -> Alias:
        def key(one: Address) -> str:
            return index.key(one) or one.unicode

        there = {key(one.address) for one in alias.addresses}
        strangers = [str(one) for one in members if key(one.address) not in there]
        if strangers:
            raise NoSuchAddress(f"not a member of {address}: {', '.join(strangers)}; nothing was changed")
        gone = {key(one.address) for one in members}
        return replace(alias, addresses=tuple(one for one in alias.addresses if key(one.address) not in gone))

    await _change(app, address, without)


async def add_forwards(app: Appliance, address: AddressName, to: Sequence[AddressName]) -> None:
    """Forward to addresses outside, too. Raises NoSuchAddress, NotValid (they are ours, or too many), FileRefused."""
    await _change(app, address, lambda alias, _: replace(alias, forward=(*alias.forward, *to)))


async def remove_forwards(app: Appliance, address: AddressName, to: Sequence[AddressName]) -> None:
    """Forward to some addresses outside no more. Raises NoSuchAddress (the alias, or an address), FileRefused."""

    def without(alias: Alias, _: AddressIndex) -> Alias:
        return replace(alias, forward=forwards.taken_out(alias.forward, to, f"{address} does not forward to"))

    await _change(app, address, without)


async def _change(app: Appliance, address: AddressName, how: Callable[[Alias, AddressIndex], Alias]) -> None:
    def edits(document: "TOMLDocument", config: Config) -> None:
        found = find(config.derived.addresses, address)
        path = ("domains", found.domain, "aliases", found.localpart)
        edit.update_table(document, path, found.alias, how(found.alias, config.derived.addresses))

    await configuring.change(app, edits)

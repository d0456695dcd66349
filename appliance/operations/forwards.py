"""Verbs about forwarding: which addresses of other servers get copies of the mail for an address of an account.

What an alias forwards is with its other settings in `aliases`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from appliance.config import edit
from appliance.config.addresses import Found
from appliance.config.domains import Destination
from appliance.config.source import Config
from appliance.config.values import AddressName
from appliance.delivery.appliance import Appliance
from appliance.operations import configuring
from appliance.operations.configuring import NoSuchAddress

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What becomes of mail for an address beside its delivery."""

    account: str
    forward: tuple[str, ...]
    #: No copy of what is forwarded is kept.
    only: bool


def get(app: Appliance, address: AddressName | str) -> Forwarding:
    """How an address, or as a text a catch-all `@domain`, forwards. Raises NoSuchAddress."""
    found = _find(app.config.snapshot(), address)
    destination = found.destination
    return Forwarding(found.account, tuple(map(str, destination.forward)), destination.forward_only)


async def add(app: Appliance, address: AddressName | str, to: Sequence[AddressName]) -> None:
    """Forward to more addresses. Raises NoSuchAddress, NotValid (they are ours, or too many, or there), FileRefused."""
    await _change(app, address, lambda one: replace(one, forward=(*one.forward, *to)))


async def remove(app: Appliance, address: AddressName | str, to: Sequence[AddressName]) -> None:
    """Forward to some addresses no more; with the last of them copies are kept again.

    Raises NoSuchAddress (the address, or one that it does not forward to), FileRefused.
    """

    def without(one: Destination) -> Destination:
        kept = taken_out(one.forward, to, f"{address} does not forward to")
        return replace(one, forward=kept, forward_only=one.forward_only and bool(kept))

    await _change(app, address, without)


async def set_only(app: Appliance, address: AddressName | str, *, only: bool) -> None:
    """Keep copies of what is forwarded, or none. Raises NoSuchAddress, NotValid (it forwards nothing), FileRefused."""
    await _change(app, address, lambda one: replace(one, forward_only=only))


def taken_out(addresses: Sequence[AddressName], gone: Sequence[AddressName], complaint: str) -> tuple[AddressName, ...]:
    """Addresses outside without some. Raises NoSuchAddress with the complaint and those that are not among them."""

    def key(one: AddressName) -> tuple[str, str]:
        return one.address.localpart.lower(), one.address.domain.ascii

    keys, there = set(map(key, gone)), set(map(key, addresses))
    strangers = [str(one) for one in gone if key(one) not in there]
    if strangers:
        raise NoSuchAddress(f"{complaint}: {', '.join(strangers)}; nothing was changed")
    return tuple(one for one in addresses if key(one) not in keys)


def _find(config: Config, address: AddressName | str) -> Found:
    index = config.derived.addresses
    if isinstance(address, AddressName):
        found = index.own(address.address)
    else:
        found = index.catchalls.get(configuring.domain_of(address[1:]).domain.ascii)
    if found is None or not found.written:
        raise NoSuchAddress(f"{address} is not an address of an account; look at its spelling")
    return found


async def _change(app: Appliance, address: AddressName | str, how: Callable[[Destination], Destination]) -> None:
    def edits(document: "TOMLDocument", config: Config) -> None:
        found = _find(config, address)
        path = ("accounts", found.account, "destinations", found.written)
        edit.update_table(document, path, found.destination, how(found.destination))

    await configuring.change(app, edits)

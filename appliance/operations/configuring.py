"""Changing the dynamic configuration: how every verb about it does it, and what may come of it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import trio
from msgspec.structs import replace

from appliance.base.problem import Kind, Problem
from appliance.config import edit
from appliance.config.domains import DomainConfig, Domains
from appliance.config.errors import ChangeRefused, ConfigErrors, ConfigProblem
from appliance.config.source import Config
from appliance.config.validate_domains import account_name_fault
from appliance.config.values import AddressName, DomainName, Quota, typed_address, typed_domain, typed_quota
from appliance.delivery.appliance import Appliance
from appliance.mail.address import Address, parse_address
from appliance.mail.status import Status
from appliance.store import tlskeys

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

#: Changes a document, given the configuration that it is; raises a Problem when it cannot.
Edit = Callable[["TOMLDocument", Config], object]


class NotValid(Problem):
    """The configuration would not be valid after the change, which was not made; the text holds every reason."""

    kind = Kind.INVALID


class FileRefused(Problem):
    """The file on disk is in no state to be changed: mend it first, or try again."""

    kind, status = Kind.CONFLICT, Status(4, 3, 0)


class NotWritten(Problem):
    """The disk refused."""

    kind, status = Kind.UNAVAILABLE, Status(4, 3, 0)


class BadName(Problem):
    """Not a name of its kind."""

    kind, status = Kind.INVALID, Status(5, 1, 3)


class NoSuchDomain(Problem):
    """The domain is not configured."""

    kind, status = Kind.NOT_FOUND, Status(5, 1, 2)


class NoSuchAddress(Problem):
    """The address leads nowhere."""

    kind, status = Kind.NOT_FOUND, Status(5, 1, 1)


class Exists(Problem):
    """There is one of this name already."""

    kind = Kind.EXISTS


class InUse(Problem):
    """Something else needs it; the text says what."""

    kind = Kind.CONFLICT


async def change(app: Appliance, how: Edit) -> Config:
    """Edit `domains.toml`, judge the whole, write it, make it active: all or nothing, and never half cancelled.

    `how` may run more than once. Raises NotValid, FileRefused, NotWritten, and what `how` raises.
    """

    def work() -> Config:
        # Within, the snapshot is of the very file that is being edited.
        return app.config.change(lambda document: how(document, app.config.snapshot()))

    try:
        with trio.CancelScope(shield=True):
            config = await trio.to_thread.run_sync(work)
    except ConfigErrors as errors:
        raise NotValid("nothing was changed:\n" + "\n".join(map(_without_place, errors.problems))) from errors
    except ChangeRefused as error:
        raise FileRefused(str(error)) from error
    except OSError as error:
        raise NotWritten(f"cannot write {app.config.snapshot().domains_file}: {error.strerror}") from error
    return config


async def current(app: Appliance) -> Config:
    """The configuration as the file has it this moment, edits by hand included. Raises FileRefused."""
    return await change(app, lambda document, config: None)


def _without_place(problem: ConfigProblem) -> str:
    """The file was never written, so its lines say nothing."""
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return f"{text} ({problem.hint})" if problem.hint else text


def address_of(text: str) -> AddressName:
    """An address as a person types it, its domain in either spelling. Raises BadName."""
    try:
        return typed_address(text)
    except ValueError as error:
        raise BadName(str(error)) from error


def quota_of(text: str) -> Quota:
    """A quota as a person types it. Raises BadName."""
    try:
        return typed_quota(text)
    except ValueError as error:
        raise BadName(str(error)) from error


def domain_of(text: str) -> DomainName:
    """A domain as a person types it, in either spelling. Raises BadName."""
    try:
        return typed_domain(text)
    except ValueError as error:
        raise BadName(str(error)) from error


def account_name(name: str) -> str:
    """The name of an account. Raises BadName."""
    if fault := account_name_fault(name):
        raise BadName(f"account name {name!r} {fault}")
    return name


def require_domain(config: Config, domain: DomainName) -> None:
    """Raises NoSuchDomain."""
    if domain not in config.domains.domains:
        raise NoSuchDomain(f"there is no domain {domain}; `moxpy config domain list` shows them")


def drop_members(
    document: "TOMLDocument", domains: Mapping[str, DomainConfig], goes: Callable[[Address], bool]
) -> list[str]:
    """Take members out of aliases; which aliases those were. Raises InUse for one that would be left empty."""
    changed, emptied = [], []
    for name, domain in domains.items():
        for localpart, alias in domain.aliases.items():
            kept = tuple(one for one in alias.addresses if not goes(one.address))
            if len(kept) == len(alias.addresses):
                continue
            changed.append(f"{localpart}@{name}")
            if not kept:
                emptied.append(f"{localpart}@{name}")
            edit.update_table(document, ("domains", name, "aliases", localpart), alias, replace(alias, addresses=kept))
    if emptied:
        raise InUse(
            f"it is the last member of alias {', '.join(emptied)}; add another member or remove the alias first"
        )
    return changed


def drop_login_addresses(document: "TOMLDocument", domains: Domains, goes: Callable[[Address], bool]) -> None:
    """Take addresses out of what accounts list for unique sender addresses."""
    for name, account in domains.accounts.items():
        kept = tuple(one for one in account.fromid_login_addresses if not goes(one.address))
        if len(kept) != len(account.fromid_login_addresses):
            edit.update_table(document, ("accounts", name), account, replace(account, fromid_login_addresses=kept))


def require_no_keys(app: Appliance, goes: Callable[[Address], bool]) -> None:
    """TLS public keys log in with addresses; what they need stays. Raises InUse naming them."""
    with app.store.read() as tx:
        addresses = [key.login_address for _, key in tlskeys.keys(tx)]
    used = sorted({text for text in addresses if goes(parse_address(text))})
    if used:
        names = ", ".join(used)
        raise InUse(f"TLS public keys log in with {names}; remove them first: `moxpy config tlspubkey list` shows them")

"""Verbs about domains: adding one with its keys, removing it, switching it off for a while."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio
from msgspec.structs import replace

from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.config import edit, generate
from appliance.config.generate import NewKey
from appliance.config.source import Config
from appliance.config.values import AddressName, DomainName
from appliance.delivery.appliance import Appliance
from appliance.mail.address import Address
from appliance.operations import accounts, configuring
from appliance.operations.configuring import BadName, Exists

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

log = Log("domains")

#: Of DKIM keys: ours, and our group's, which may be that of the user we run as.
KEY_MODE: Final = 0o660


class KeyNotMade(Problem):
    """The file of a new DKIM key could not be written."""

    kind = Kind.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Listed:
    """A domain in a list."""

    name: str
    disabled: bool
    #: It has no addresses of its own: its reports go to another domain.
    reports_only: bool


def listed(app: Appliance) -> list[Listed]:
    """All domains by name."""
    entries = app.config.snapshot().derived.addresses.domains.values()
    found = [Listed(entry.name, entry.config.disabled, entry.is_reports_only) for entry in entries]
    return sorted(found, key=lambda one: one.name)


async def add(app: Appliance, domain: DomainName, account: str, localpart: str | None, *, disabled: bool) -> None:
    """Add a domain with DKIM keys, report addresses and policies; its reports go to the account.

    With a localpart the account is new, and that its address; without, it must exist, and becomes postmaster there.
    Raises BadName, Exists, NoSuchAccount, StillThere, KeyNotMade, NotValid, FileRefused.
    """
    configuring.account_name(account)
    config = await configuring.current(app)
    is_new = localpart is not None
    _require(config, domain, account, is_new=is_new)
    if is_new:
        with app.store.read() as tx:
            accounts.require_nothing_stored(tx, account)
    address = configuring.address_of(f"{localpart}@{domain}") if is_new else None
    try:
        new = generate.new_domain(
            domain,
            account=account,
            hostname=config.static.hostname,
            now=app.clock.now(),
            has_mtasts_listener=any(one.mtasts_https.enabled for one in config.static.listeners.values()),
            is_postmaster_account=account == config.static.postmaster.account,
            account_exists=not is_new,
        )
    except ValueError as error:
        raise BadName(f"domain {domain}: {error}") from error

    def edits(document: "TOMLDocument", current: Config) -> None:
        _require(current, domain, account, is_new=is_new)
        edit.update_table(document, ("domains", str(domain)), None, replace(new.config, disabled=disabled))
        if address is not None:
            accounts.add_to(document, current, account, address)
        for written, destination in new.destinations.items():
            path = ("accounts", account, "destinations", written)
            edit.update_table(document, path, None, destination)

    # The files come first, so that the configuration never names one that is not there.
    with trio.CancelScope(shield=True):
        made = await trio.to_thread.run_sync(make_keys, config.directory, new.keys)
        try:
            await configuring.change(app, edits)
        except BaseException:
            for file in made:
                file.unlink(missing_ok=True)
            raise
        await accounts.store_missing(app)
    log.info("domain added", domain=str(domain), account=account)


def _require(config: Config, domain: DomainName, account: str, *, is_new: bool) -> None:
    if domain in config.domains.domains:
        raise Exists(f"domain {domain} exists")
    if not is_new:
        if account not in config.domains.accounts:
            raise BadName(f"there is no account {account}; to make it, add the localpart of its address")
    elif account in config.domains.accounts:
        raise Exists(f"account {account} exists; leave out the localpart to use it")


def make_keys(directory: Path, keys: Sequence[NewKey]) -> list[Path]:
    """Make key files, all or none; they and their folder are on the disk afterwards. Raises KeyNotMade."""
    made: list[Path] = []
    try:
        for key in keys:
            file = directory / key.file
            file.parent.mkdir(mode=0o770, exist_ok=True)
            octets = _private_key(key.algorithm)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, KEY_MODE)
            made.append(file)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(octets)
                stream.flush()
                os.fsync(descriptor)
        for folder in {file.parent for file in made}:
            _sync(folder)
    except OSError as error:
        for file in made:
            file.unlink(missing_ok=True)
        raise KeyNotMade(f"cannot make the DKIM key {error.filename}: {error.strerror}") from error
    return made


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private_key(algorithm: str) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ed25519.Ed25519PrivateKey.generate() if algorithm == "ed25519" else rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


async def remove(app: Appliance, domain: DomainName) -> list[str]:
    """Remove a domain with its aliases, and its addresses from accounts, which stay; the addresses that went.

    Its DKIM keys move to `old`, beside where they were. Raises NoSuchDomain, InUse (an alias elsewhere would be
    empty), NotValid (something else names the domain), FileRefused.
    """
    gone: list[str] = []
    keys: list[str] = []

    def edits(document: "TOMLDocument", config: Config) -> None:
        configuring.require_domain(config, domain)
        gone.clear()
        keys[:] = [str(one.private_key_file) for one in config.domains.domains[domain].dkim.selectors.values()]
        # Its own aliases go as a whole.
        edit.remove(document, ("domains", str(domain)))
        others = {name: one for name, one in config.domains.domains.items() if name != domain}

        def goes(address: Address) -> bool:
            return address.domain == domain.domain

        configuring.require_no_keys(app, goes)
        configuring.drop_members(document, others, goes)
        configuring.drop_login_addresses(document, config.domains, goes)
        for name, account in config.domains.accounts.items():
            for written in account.destinations:
                if _is_in(written, domain):
                    gone.append(written)
                    edit.remove(document, ("accounts", name, "destinations", written))
            if account.domain == domain:
                edit.remove(document, ("accounts", name, "domain"))

    with trio.CancelScope(shield=True):
        config = await configuring.change(app, edits)
        await trio.to_thread.run_sync(put_away, config, keys)
    log.info("domain removed", domain=str(domain), addresses=gone or None)
    return gone


def _is_in(written: str, domain: DomainName) -> bool:
    if written.startswith("@"):
        return written[1:] == domain
    return AddressName(written).address.domain == domain.domain


def put_away(config: Config, files: Sequence[str]) -> None:
    """Move key files that nothing names any more to `old`: who has the key can sign, so it is not left among others."""
    named = {
        str(selector.private_key_file)
        for one in config.domains.domains.values()
        for selector in one.dkim.selectors.values()
    }
    for name in dict.fromkeys(files):
        file = config.path(name)
        if name in named or not file.exists():
            continue
        try:
            (file.parent / "old").mkdir(mode=0o770, exist_ok=True)
            file.rename(file.parent / "old" / file.name)
        except OSError as error:
            log.warn("cannot move the key of a removed domain", error, file=str(file))


async def set_disabled(app: Appliance, domain: DomainName, disabled: bool) -> None:
    """Refuse mail to and from a domain for now, or take it again; logins go on. Raises NoSuchDomain, FileRefused."""

    def edits(document: "TOMLDocument", config: Config) -> None:
        configuring.require_domain(config, domain)
        before = config.domains.domains[domain]
        edit.update_table(document, ("domains", str(domain)), before, replace(before, disabled=disabled))

    await configuring.change(app, edits)

"""Verbs about accounts: making, removing, disabling them, their passwords."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio
from msgspec.structs import replace

from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.config import edit, generate
from appliance.config.addresses import Found
from appliance.config.source import Config
from appliance.config.values import AddressName, Quota, ReplyText
from appliance.delivery.appliance import Appliance, Login
from appliance.mail.address import Address
from appliance.operations import configuring, passwords
from appliance.operations.addresses import quota
from appliance.operations.configuring import BadName, Exists
from appliance.store import account as accounts
from appliance.store.mailbox import MailboxLimits
from appliance.store.problems import NoSuchAccount, SaltsChanged
from appliance.store.records import Credentials, Role
from appliance.store.store import Store
from appliance.store.tables import AccountID
from appliance.store.transaction import ReadTx, WriteTx

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

log = Log("accounts")

#: Rows of a removed account that one transaction removes: some ms of the writer's time.
REMOVE_ROWS: Final = 200


class StillThere(Problem):
    """Mail of an earlier account of that name is still stored."""

    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class Listed:
    """An account in a list."""

    name: str
    #: What a login is told; empty when logins are allowed.
    login_disabled: str


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """What an account holds and may hold."""

    #: Octets of messages, those that are removed but not yet erased included.
    used_octets: int
    #: None without a limit.
    limit_octets: int | None
    #: The limit, or that there is none, is the account's own and not that of the static file.
    own: bool


def create_missing(store: Store, config: Config) -> list[str]:
    """Store the accounts that are configured and not yet there, with their first mailboxes; their names.

    At start, before anything is served.
    """
    return [name for name in _missing(store, config) if store.write_sync(_create, name, config, store.limits.mailbox)]


async def store_missing(app: Appliance) -> None:
    """The same while the house runs, when the configuration has changed."""
    config = app.config.snapshot()
    for name in _missing(app.store, config):
        if await app.store.write(_create, name, config, app.store.limits.mailbox):
            log.info("account created", account=name)


async def follow(app: Appliance) -> None:
    """What follows an edit of the file by hand: new accounts are stored, sessions of disabled or gone ones end."""
    await store_missing(app)
    configured = app.config.snapshot().domains.accounts
    for name in app.sessions.accounts():
        if name not in configured or configured[name].login_disabled:
            app.sessions.end(name)


def _missing(store: Store, config: Config) -> list[str]:
    with store.read() as tx:
        there = accounts.names(tx)
    return [name for name in config.domains.accounts if name not in there]


def _create(tx: WriteTx, name: str, config: Config, limits: MailboxLimits) -> bool:
    """Whether it was not there."""
    if tx.account_id(name) is not None:
        return False
    initial = config.static.initial_mailboxes
    use = initial.special_use
    special = (
        (use.sent, Role.SENT),
        (use.archive, Role.ARCHIVE),
        (use.trash, Role.TRASH),
        (use.draft, Role.DRAFTS),
        (use.junk, Role.JUNK),
    )
    accounts.create(
        tx,
        name,
        special_use=[(str(mailbox), int(role)) for mailbox, role in special if mailbox],
        regular=[str(mailbox) for mailbox in initial.regular],
        limits=limits,
    )
    return True


async def set_password(app: Appliance, name: str, password: str, *, keep_session: bytes | None = None) -> None:
    """Set the password of an account; what was opened with the former one ends, but for the web session that asks.

    Its app passwords and the keys of its TLS clients stay, and so do their sessions. Raises NoSuchAccount, BadPassword.
    """

    def ends(login: Login) -> bool:
        by_other = login.app_password is not None or login.key is not None
        return not by_other and (keep_session is None or login.web_session != keep_session)

    account = number(app.store, name)
    while True:
        with app.store.read() as tx:
            salts = accounts.credentials(tx, account) if accounts.app_passwords(tx, account) else None
        now = app.clock.microseconds()
        secrets = await trio.to_thread.run_sync(passwords.derive_credentials, password, now, salts)
        try:
            with trio.CancelScope(shield=True):
                await app.store.write(accounts.set_credentials, account, secrets, keep_session=keep_session)
                app.sessions.end(name, ends)
        except SaltsChanged:
            continue  # The first app password came while we were deriving: once more, with its salts.
        return


def number(store: Store, name: str) -> AccountID:
    """The id of an account. Raises NoSuchAccount."""
    with store.read() as tx:
        account = tx.account_id(name)
    if account is None:
        raise NoSuchAccount(f"no account {name!r}; `moxpy config account list` shows them")
    return account


def set_password_sync(store: Store, name: str, secrets: Credentials) -> None:
    """The same for a store that no event loop uses."""
    store.write_sync(accounts.set_credentials, number(store, name), secrets, keep_session=None)


def listed(app: Appliance) -> list[Listed]:
    """All accounts by name."""
    domains = app.config.snapshot().domains
    return [Listed(name, str(domains.accounts[name].login_disabled or "")) for name in sorted(domains.accounts)]


def addresses(app: Appliance, name: str) -> list[str]:
    """The addresses of an account as the file has them, `@domain` for a catch-all. Raises NoSuchAccount."""
    config = app.config.snapshot()
    require(config, name)
    return sorted(config.domains.accounts[name].destinations)


def require(config: Config, name: str) -> None:
    """Raises NoSuchAccount."""
    if name not in config.domains.accounts:
        raise NoSuchAccount(f"there is no account {name}; `moxpy config account list` shows them")


def add_to(document: "TOMLDocument", config: Config, name: str, address: AddressName) -> None:
    """The part of an edit that makes an account. Raises Exists."""
    if name in config.domains.accounts:
        raise Exists(f"account {name} exists")
    edit.update_table(document, ("accounts", name), None, generate.new_account(address))


def require_nothing_stored(tx: ReadTx, name: str) -> None:
    """Mail of an account that was removed is nobody else's. Raises StillThere."""
    account = tx.account_id(name)
    if account is None:
        return
    if tx.account(account).removed:
        raise StillThere(f"the mail of the former account {name} is still being removed; try again in a moment")
    raise StillThere(
        f"mail of an account {name} is stored, which domains.toml lacks: put that account back into the file to have "
        f"it again, or remove its mail with: moxpy config account rm {name}"
    )


async def add(app: Appliance, name: str, address: AddressName) -> None:
    """Make an account with one address. It takes mail at once; to log in it needs a password.

    Raises BadName, Exists, StillThere, NotValid, FileRefused.
    """
    configuring.account_name(name)
    if name not in (await configuring.current(app)).domains.accounts:
        with app.store.read() as tx:
            require_nothing_stored(tx, name)
    with trio.CancelScope(shield=True):
        await configuring.change(app, lambda document, config: add_to(document, config, name, address))
        await store_missing(app)


async def remove(app: Appliance, name: str) -> None:
    """Remove an account: no longer configured, its sessions ended, its mail being removed from now on.

    Its addresses leave all aliases. What it has in the queue goes with it. Raises NoSuchAccount, NotValid (something
    else names the account), InUse (an alias would be empty), FileRefused.
    """
    config = await configuring.current(app)
    is_configured = name in config.domains.accounts
    with app.store.read() as tx:
        account = tx.account_id(name)
        is_stored = account is not None and not tx.account(account).removed
    if not is_configured and not is_stored:
        require(config, name)

    def edits(document: "TOMLDocument", config: Config) -> None:
        if name not in config.domains.accounts:
            return
        index = config.derived.addresses

        def goes(address: Address) -> bool:
            found = index.own(address)
            return found is not None and found.account == name

        configuring.drop_members(document, config.domains.domains, goes)
        edit.remove(document, ("accounts", name))

    with trio.CancelScope(shield=True):
        if is_configured:
            await configuring.change(app, edits)
        # Stopped right here, the mail of an account that nobody has stays; asking again removes it.
        if is_stored:
            await app.store.write(_begin_removal, name)
            app.removals.ring()
        app.sessions.end(name)
    log.info("account removed", account=name)


def _begin_removal(tx: WriteTx, name: str) -> None:
    accounts.begin_removal(tx, name)
    account = tx.account_id(name)
    if account is not None:
        accounts.end_sessions(tx, account)


async def remove_forever(app: Appliance) -> None:
    """Keeper task: remove the mail of removed accounts in bounded pieces; goes on where a stop interrupted it."""
    while True:
        for name in _leaving(app.store):
            while not await app.store.write(accounts.remove_part, name, REMOVE_ROWS):
                pass
            log.info("mail of removed account is gone", account=name)
        await app.removals.wait()


def _leaving(store: Store) -> list[str]:
    with store.read() as tx:
        return [name for name, account in accounts.names(tx).items() if tx.account(account).removed]


async def disable(app: Appliance, name: str, message: str) -> None:
    """Refuse logins to an account with a text, and end its sessions; its mail is delivered still.

    Raises NoSuchAccount, BadName (the text), FileRefused.
    """
    try:
        text = ReplyText(message)
    except ValueError as error:
        raise BadName(f"the message for logins {error}") from error
    with trio.CancelScope(shield=True):
        await _set_disabled(app, name, text)
        with app.store.read() as tx:
            account = tx.account_id(name)
        if account is not None:
            await app.store.write(accounts.end_sessions, account)
        app.sessions.end(name)


async def enable(app: Appliance, name: str) -> None:
    """Allow logins again. Raises NoSuchAccount, FileRefused."""
    await _set_disabled(app, name, None)


async def _set_disabled(app: Appliance, name: str, text: ReplyText | None) -> None:
    def edits(document: "TOMLDocument", config: Config) -> None:
        require(config, name)
        before = config.domains.accounts[name]
        edit.update_table(document, ("accounts", name), before, replace(before, login_disabled=text))

    await configuring.change(app, edits)


def quota_use(app: Appliance, name: str) -> QuotaUse:
    """How much of its quota an account uses. Raises NoSuchAccount."""
    config = app.config.snapshot()
    require(config, name)
    with app.store.read() as tx:
        account = tx.account_id(name)
        used = 0 if account is None else tx.account(account).usage_octets
    return QuotaUse(used, quota(config, name), bool(config.domains.accounts[name].quota_message_size))


async def set_quota(app: Appliance, name: str, octets: Quota) -> None:
    """Limit the octets of messages of an account, from now on; negative: no limit; 0: that of the static file.

    Raises NoSuchAccount, FileRefused.
    """

    def edits(document: "TOMLDocument", config: Config) -> None:
        require(config, name)
        before = config.domains.accounts[name]
        edit.update_table(document, ("accounts", name), before, replace(before, quota_message_size=octets))

    await configuring.change(app, edits)


async def add_address(app: Appliance, name: str, address: AddressName | str) -> None:
    """Give an account another address, or as a text `@domain` all addresses of a domain that lead nowhere else.

    Raises NoSuchAccount, Exists, NotValid, FileRefused.
    """
    written = str(address)

    def edits(document: "TOMLDocument", config: Config) -> None:
        require(config, name)
        if written in config.domains.accounts[name].destinations:
            raise Exists(f"account {name} has {written} already")
        edit.set_value(document, ("accounts", name, "destinations", written), {})

    await configuring.change(app, edits)


async def remove_address(app: Appliance, address: AddressName | str) -> tuple[str, list[str]]:
    """Take an address, or a catch-all `@domain`, from its account; whose it was, and the aliases it was a member of.

    It leaves aliases, and the addresses for unique senders. Raises NoSuchAddress, InUse, NotValid, FileRefused.
    """
    owner = ""
    aliases: list[str] = []

    def edits(document: "TOMLDocument", config: Config) -> None:
        nonlocal owner, aliases
        index = config.derived.addresses
        if isinstance(address, AddressName):
            found = index.own(address.address)
        else:
            found = index.catchalls.get(configuring.domain_of(address[1:]).domain.ascii)
        if found is None or not found.written:
            raise configuring.NoSuchAddress(f"{address} is not an address of an account; look at its spelling")
        owner, key = found.account, found.address_key

        def goes(one: Address) -> bool:
            own = index.own(one)
            return own is not None and own.address_key == key

        def logs_in(one: Address) -> bool:
            login = index.lookup(one, for_login=True)
            return isinstance(login, Found) and login.address_key == key

        configuring.require_no_keys(app, logs_in)
        aliases = configuring.drop_members(document, config.domains.domains, goes)
        configuring.drop_login_addresses(document, config.domains, goes)
        edit.remove(document, ("accounts", owner, "destinations", found.written))

    await configuring.change(app, edits)
    return owner, aliases

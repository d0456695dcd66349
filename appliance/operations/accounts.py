"""Verbs about accounts: making sure they are stored, their passwords."""

import trio

from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.operations import passwords
from appliance.store import account as accounts
from appliance.store.problems import NoSuchAccount, SaltsChanged
from appliance.store.records import Credentials, Role
from appliance.store.store import Store
from appliance.store.tables import AccountID


def create_missing(store: Store, config: Config) -> list[str]:
    """Store the accounts that are configured and not yet there, with their first mailboxes; their names.

    At start, before anything is served.
    """
    with store.read() as tx:
        there = accounts.names(tx)
    created = []
    initial = config.static.initial_mailboxes
    use = initial.special_use
    special = (
        (use.sent, Role.SENT),
        (use.archive, Role.ARCHIVE),
        (use.trash, Role.TRASH),
        (use.draft, Role.DRAFTS),
        (use.junk, Role.JUNK),
    )
    for name in config.domains.accounts:
        if name not in there:
            store.write_sync(
                accounts.create,
                name,
                special_use=[(str(mailbox), int(role)) for mailbox, role in special if mailbox],
                regular=[str(mailbox) for mailbox in initial.regular],
                limits=store.limits.mailbox,
            )
            created.append(name)
    return created


async def set_password(app: Appliance, name: str, password: str) -> None:
    """Set the password of an account; all its web logins end (D-110), its app passwords stay.

    Raises NoSuchAccount, BadPassword.
    """
    account = number(app.store, name)
    while True:
        with app.store.read() as tx:
            salts = accounts.credentials(tx, account) if accounts.app_passwords(tx, account) else None
        now = app.clock.microseconds()
        secrets = await trio.to_thread.run_sync(passwords.derive_credentials, password, now, salts)
        try:
            await app.store.write(accounts.set_credentials, account, secrets, keep_session=None)
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

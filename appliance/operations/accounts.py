"""Verbs about accounts: making sure they are stored, their passwords."""

import trio

from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.operations import passwords
from appliance.store import account as accounts
from appliance.store.problems import NoSuchAccount
from appliance.store.records import Credentials, Role
from appliance.store.store import Store


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
    """Set the password of an account; all its web logins end (D-110). Raises NoSuchAccount, BadPassword."""
    with app.store.read() as tx:
        account = tx.account_id(name)
    if account is None:
        raise NoSuchAccount(f"no account {name!r}; `moxpy config account list` shows them")
    secrets = await trio.to_thread.run_sync(passwords.derive_credentials, password, app.clock.microseconds())
    await app.store.write(accounts.set_credentials, account, secrets, keep_session=None)


def set_password_sync(store: Store, name: str, secrets: Credentials) -> None:
    """The same for a store that no event loop uses."""
    with store.read() as tx:
        account = tx.account_id(name)
    if account is None:
        raise NoSuchAccount(f"no account {name!r}")
    store.write_sync(accounts.set_credentials, account, secrets, keep_session=None)

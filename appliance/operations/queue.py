"""Verbs about the queue, and where its messages go."""

from itertools import islice
from typing import Final

from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.delivery.receive import Verdict
from appliance.mail.address import Path
from appliance.mail.status import Status
from appliance.operations import addresses
from appliance.store import queued
from appliance.store.problems import NoSuchAccount
from appliance.store.queuerecords import QueuedMessage
from appliance.store.tables import QueueID

#: Messages listed at a time.
PAGE_MESSAGES: Final = 200


def locate(app: Appliance, config: Config, path: Path) -> Recipient | AliasRecipient | Verdict | None:
    """Where a queued message for a path goes: a verdict when nobody here takes it (any more), None to other hosts."""
    match addresses.resolve(app, config, path):
        case addresses.Local(recipient):
            return recipient
        case addresses.Refused(code, status, text):
            return Verdict(path, code, status, text)
        case addresses.Nobody():
            return Verdict(path, 550, Status(5, 1, 1), "no such recipient here")
        case addresses.Elsewhere():
            return None


def page(app: Appliance, account: str | None, after: QueueID) -> list[QueuedMessage]:
    """Some messages of the queue, oldest first, with ids above `after`; none when there are no more.

    Of one account, or of all. Raises NoSuchAccount.
    """
    with app.store.read() as tx:
        if account is None:
            return list(islice(queued.all_messages(tx, after), PAGE_MESSAGES))
        owner = tx.account_id(account)
        if owner is None:
            raise NoSuchAccount(f"no account {account!r}")
        found = (queued.get(tx, id) for id in islice(queued.of_account(tx, owner, after), PAGE_MESSAGES))
        return [one for one in found if one is not None]


def owner(app: Appliance, message: QueuedMessage) -> str:
    """The name of the account a message is of; that of the postmaster when it is gone."""
    with app.store.read() as tx:
        try:
            return tx.account(message.account).name
        except NoSuchAccount:
            return app.config.snapshot().static.postmaster.account

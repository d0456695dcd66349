"""Webhooks about what became of messages of the queue, written by the transaction that settles an attempt."""

from typing import TYPE_CHECKING

from appliance.config.domains import Account
from appliance.config.source import Config
from appliance.delivery import webhook
from appliance.delivery.webhook import News
from appliance.mail.hookpayload import Event
from appliance.store.problems import NoSuchAccount
from appliance.store.queuerecords import QueuedMessage
from appliance.store.tables import NO_ACCOUNT, AccountID
from appliance.store.transaction import ReadTx, WriteTx

if TYPE_CHECKING:
    from appliance.queue.settle import Result


def settled(
    tx: WriteTx, config: Config, one: QueuedMessage, result: "Result", event: str, *, suppressing: bool = False
) -> None:
    """An attempt is over. What a host said that took the message is no news."""
    if result.success:
        tell(tx, config, one, News(Event.DELIVERED))
        return
    tell(tx, config, one, News(Event(event), suppressing, result.code, str(result.status), result.text))


def tell(tx: WriteTx, config: Config, one: QueuedMessage, news: News) -> None:
    """Tell the program of the account whose message it is; of messages of nobody that of the postmaster.

    What is forwarded was sent by others, and automatic replies by nobody.
    """
    if one.forwarded_by or one.is_automatic:
        return
    account, settings = owner(tx, config, one.account)
    webhook.sent(tx, settings, account, one, news)


def owner(tx: ReadTx, config: Config, account: AccountID) -> tuple[AccountID, Account | None]:
    """An account, with what is configured of it; the postmaster's answers for nobody."""
    if account == NO_ACCOUNT:
        name = config.static.postmaster.account
        return tx.account_id(name) or NO_ACCOUNT, config.domains.accounts.get(name)
    try:
        return account, config.domains.accounts.get(tx.account(account).name)
    except NoSuchAccount:
        return account, None

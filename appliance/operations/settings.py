"""What people set of their own account: edits of its table in `domains.toml`, judged as a whole, active at once."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from appliance.base.problem import Kind, Problem
from appliance.config import edit
from appliance.config.domains import (
    Account,
    AutomaticJunkFlags,
    Destination,
    IncomingWebhook,
    JunkFilter,
    OutgoingWebhook,
)
from appliance.config.source import Config
from appliance.config.values import Duration, MailboxName, WebhookSecret
from appliance.delivery.appliance import Appliance
from appliance.mail.nfc import nfc
from appliance.operations import accounts, configuring
from appliance.operations.configuring import NoSuchAddress

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_NAME_CHARACTERS: Final = 200
#: Of addresses or capabilities in a list.
_MOST: Final = 500


class BadSetting(Problem):
    """Something that cannot be set; the text says why."""

    kind = Kind.INVALID


class ChangedMeanwhile(Problem):
    """Somebody else changed the same thing since it was looked at; nothing was changed now."""

    kind = Kind.CONFLICT


async def _change(app: Appliance, name: str, how: Callable[[Account], Account]) -> None:
    def edits(document: "TOMLDocument", config: Config) -> None:
        accounts.require(config, name)
        before = config.domains.accounts[name]
        edit.update_table(document, ("accounts", name), before, how(before))

    await configuring.change(app, edits)


def full_name(text: str) -> str:
    """A name of a person as it may stand in From. Raises BadSetting."""
    name = nfc(text.strip())
    if len(name) > _NAME_CHARACTERS or not name.isprintable():
        raise BadSetting(f"a name must be printable and have at most {_NAME_CHARACTERS} characters")
    return name


async def set_full_name(app: Appliance, name: str, text: str) -> None:
    """Set the name in From of messages. Raises NoSuchAccount, BadSetting, FileRefused."""
    new = full_name(text)
    await _change(app, name, lambda account: replace(account, full_name=new))


async def save_destination(app: Appliance, name: str, address: str, old: Destination, new: Destination) -> None:
    """Change what happens with mail to an address of an account, if it is still as it was: `old`.

    Raises NoSuchAccount, NoSuchAddress, ChangedMeanwhile, BadSetting, NotValid, FileRefused.
    """
    full_name(new.full_name)

    def edits(document: "TOMLDocument", config: Config) -> None:
        accounts.require(config, name)
        before = config.domains.accounts[name].destinations.get(address)
        if before is None:
            raise NoSuchAddress(f"{address} is not an address of the account")
        if before != old:
            raise ChangedMeanwhile(f"{address} was changed meanwhile; look at it again")
        edit.update_table(document, ("accounts", name, "destinations", address), before, new)

    await configuring.change(app, edits)


async def set_outgoing_webhook(app: Appliance, name: str, webhook: OutgoingWebhook | None) -> None:
    """Set who is told about messages sent. Raises NoSuchAccount, NotValid, FileRefused."""
    await _change(app, name, lambda account: replace(account, outgoing_webhook=webhook))


async def set_incoming_webhook(app: Appliance, name: str, webhook: IncomingWebhook | None) -> None:
    """Set who is told about messages received. Raises NoSuchAccount, NotValid, FileRefused."""
    await _change(app, name, lambda account: replace(account, incoming_webhook=webhook))


async def set_webhook_secret(app: Appliance, name: str, secret: WebhookSecret | None) -> None:
    """Set the key that webhooks are signed with. Raises NoSuchAccount, NotValid, FileRefused."""
    await _change(app, name, lambda account: replace(account, webhook_secret=secret))


async def set_fromid_addresses(app: Appliance, name: str, addresses: Sequence[str]) -> None:
    """Set the login addresses with unique sender addresses. Raises NoSuchAccount, BadName, NotValid, FileRefused."""
    if len(addresses) > _MOST:
        raise BadSetting(f"at most {_MOST} addresses")
    new = tuple(configuring.address_of(one) for one in addresses)
    await _change(app, name, lambda account: replace(account, fromid_login_addresses=new))


async def set_retired_periods(app: Appliance, name: str, messages: Duration | None, webhooks: Duration | None) -> None:
    """Set how long what has ended in the queue is remembered. Raises NoSuchAccount, NotValid, FileRefused."""
    await _change(
        app,
        name,
        lambda account: replace(account, keep_retired_message_period=messages, keep_retired_webhook_period=webhooks),
    )


async def set_automatic_junk_flags(app: Appliance, name: str, flags: AutomaticJunkFlags) -> None:
    """Set what moves of messages say about them. Raises NoSuchAccount, NotValid, FileRefused."""
    await _change(app, name, lambda account: replace(account, automatic_junk_flags=flags))


async def set_junk_filter(app: Appliance, name: str, filter: JunkFilter | None) -> None:
    """Set the filter by content; whether it looks at three words in a row stays for the operator to say.

    Raises NoSuchAccount, NotValid, FileRefused.
    """

    def how(account: Account) -> Account:
        threegrams = account.junk_filter is not None and account.junk_filter.threegrams
        return replace(account, junk_filter=filter and replace(filter, threegrams=threegrams))

    await _change(app, name, how)


async def set_rejects(app: Appliance, name: str, mailbox: MailboxName | None, *, keep: bool) -> None:
    """Set where copies of refused mail go, and whether they stay. Raises NoSuchAccount, NotValid, FileRefused."""
    await _change(app, name, lambda account: replace(account, rejects_mailbox=mailbox, keep_rejects=keep))


async def set_introbox(app: Appliance, name: str, mailbox: MailboxName | None) -> None:
    """Set where mail of senders without history goes. Raises NoSuchAccount, NotValid, FileRefused."""
    await _change(app, name, lambda account: replace(account, introbox=mailbox))


async def set_imap_capabilities_disabled(app: Appliance, name: str, capabilities: Sequence[str]) -> None:
    """Set the IMAP capabilities that are not announced. Raises NoSuchAccount, NotValid, FileRefused."""
    if len(capabilities) > _MOST:
        raise BadSetting(f"at most {_MOST} capabilities")
    new = tuple(dict.fromkeys(one.strip().upper() for one in capabilities if one.strip()))
    await _change(app, name, lambda account: replace(account, imap_capabilities_disabled=new))

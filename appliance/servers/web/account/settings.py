"""What an account's owner sets: how mail comes in, who is told of it."""

from appliance.config.domains import AutomaticJunkFlags, Destination, IncomingWebhook, JunkFilter, OutgoingWebhook
from appliance.config.values import Duration, MailboxName, WebhookSecret
from appliance.operations import settings
from appliance.protocol.imap import capability
from appliance.servers.web.api import Call


async def account_save_full_name(call: Call, full_name: str) -> None:
    """Set the name in From of messages written here."""
    await settings.set_full_name(call.app, call.actor.name, full_name)


async def destination_save(call: Call, address: str, old: Destination, new: Destination) -> None:
    """Change what happens with mail to an address, spelled as in Destinations of the account.

    Old is what the page has shown: if that is no longer what is set, nothing changes and there is an error.
    """
    await settings.save_destination(call.app, call.actor.name, address, old, new)


async def outgoing_webhook_save(call: Call, webhook: OutgoingWebhook | None) -> None:
    """Set who is told about what becomes of messages sent; null: nobody."""
    await settings.set_outgoing_webhook(call.app, call.actor.name, webhook)


async def incoming_webhook_save(call: Call, webhook: IncomingWebhook | None) -> None:
    """Set who is told about messages received; null: nobody."""
    await settings.set_incoming_webhook(call.app, call.actor.name, webhook)


async def webhook_secret_save(call: Call, secret: WebhookSecret | None) -> None:
    """Set the key that webhooks are signed with; null: they are not signed."""
    await settings.set_webhook_secret(call.app, call.actor.name, secret)


async def from_id_login_addresses_save(call: Call, addresses: list[str]) -> None:
    """Set the addresses whose logins send with unique sender addresses; of this account, with a separator."""
    await settings.set_fromid_addresses(call.app, call.actor.name, addresses)


async def keep_retired_periods_save(call: Call, messages: Duration | None, webhooks: Duration | None) -> None:
    """Set how long messages and webhooks are remembered after their end; null: not at all."""
    await settings.set_retired_periods(call.app, call.actor.name, messages, webhooks)


async def automatic_junk_flags_save(call: Call, flags: AutomaticJunkFlags) -> None:
    """Set by which mailbox a moved message counts as junk or not."""
    await settings.set_automatic_junk_flags(call.app, call.actor.name, flags)


async def junk_filter_save(call: Call, junk_filter: JunkFilter | None) -> None:
    """Set the filter by content; null: none. Threegrams are the administrator's to set, and stay as they are."""
    await settings.set_junk_filter(call.app, call.actor.name, junk_filter)


async def rejects_save(call: Call, mailbox: MailboxName | None, keep: bool) -> None:
    """Set the mailbox for copies of refused mail, null for no copies, and whether it is never cleaned."""
    await settings.set_rejects(call.app, call.actor.name, mailbox, keep=keep)


async def introbox_save(call: Call, mailbox: MailboxName | None) -> None:
    """Set the mailbox for accepted mail of senders without history; null: the usual one."""
    await settings.set_introbox(call.app, call.actor.name, mailbox)


async def imap_capabilities(call: Call) -> list[str]:
    """All IMAP capabilities that may be kept from being announced, in upper case."""
    return list(capability.ALL)


async def imap_save(call: Call, disabled_capabilities: list[str]) -> None:
    """Set the IMAP capabilities that are not announced, for mail programs that misuse them."""
    await settings.set_imap_capabilities_disabled(call.app, call.actor.name, disabled_capabilities)

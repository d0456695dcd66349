"""Webhooks about what is delivered here, and what all webhooks have in common.

They are written by the transaction that delivers a message, or notes what was heard of one; `queue.hooks` posts them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import trio

from appliance.base import limits
from appliance.config.domains import Account, IncomingWebhook, OutgoingWebhook
from appliance.delivery.appliance import Appliance
from appliance.delivery.judge import Incoming
from appliance.delivery.place import Placement
from appliance.delivery.returned import Heard
from appliance.mail import header, hookpayload
from appliance.mail.hookpayload import Event, IncomingMeta, Outgoing
from appliance.mail.told import Header
from appliance.store import hook
from appliance.store.hookrecords import INCOMING, Hook, RetiredHook
from appliance.store.queuerecords import QueuedMessage, RetiredMessage
from appliance.store.tables import AccountID, HookID, MessageID
from appliance.store.transaction import WriteTx

#: What is told of a message up to this size is made in the event loop.
INLINE_OCTETS: Final = 16 * 1024
#: What is remembered of webhooks of an account that is configured no more.
KEEP_ORPHANS_SECONDS: Final = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Told:
    """What programs are told of a message, all but whose it is."""

    #: JSON of a hookpayload.IncomingMessage.
    octets: bytes
    message_id: str
    subject: str
    received: datetime
    is_automated: bool
    #: A user of ours submitted it, with a sender address that is his.
    is_ours: bool


@dataclass(frozen=True, slots=True)
class News:
    """What became of a message that was sent."""

    event: Event
    #: Its recipient was put on the account's suppression list.
    suppressing: bool = False
    #: Of a reply; 0 and empty where there was none.
    code: int = 0
    status: str = ""
    error: str = ""
    #: A notice of another server says so.
    is_dsn: bool = False


async def told(app: Appliance, incoming: Incoming) -> Told:
    """What programs are told of a message that came in; made in a thread when it is long."""

    def make() -> Told:
        known, spooled, fields = incoming.content.header, incoming.spooled, incoming.content.header.fields
        octets = incoming.envelope.prefix + known.octets  # A submission may have lacked its Message-ID.
        if incoming.envelope.prefix:
            fields = header.fields(octets, limits=limits.HEADER)
        head = Header(octets, fields, limits.TOLD.address)
        message = hookpayload.message(head, incoming.content.root, spooled.reader, limits.TOLD)
        is_automated = incoming.envelope.reverse_path.is_null or head.is_automated(incoming.content.root)
        return Told(
            hookpayload.json(message),
            message.message_id,
            message.subject,
            incoming.envelope.arrived,
            is_automated,
            incoming.envelope.is_ours,
        )

    return make() if incoming.spooled.size <= INLINE_OCTETS else await trio.to_thread.run_sync(make)


def arrived(
    tx: WriteTx, settings: Account, account: AccountID, told: Told, placement: Placement, id: MessageID
) -> None:
    """A message was placed: tell the account's program, if it has one."""
    wanted, origin = settings.incoming_webhook, placement.message.origin
    if wanted is None:
        return
    meta = IncomingMeta(
        msg_id=id,
        mail_from=origin.mail_from,
        mail_from_validated=origin.mail_from_validated or told.is_ours,
        msg_from_validated=origin.msg_from_validated,
        rcpt_to=origin.rcpt_to,
        dkim_verified_domains=origin.dkim_domains,
        remote_ip=origin.remote_ip,
        received=told.received,
        mailbox_name=str(placement.mailbox),  # The configuration's is a kind of its own.
        automated=told.is_automated,
    )
    new = _new(settings, wanted, account, INCOMING)
    new.message_id, new.subject = told.message_id, told.subject
    hook.add(tx, new, hookpayload.with_meta(told.octets, meta), keep=keep(settings))


def heard(tx: WriteTx, settings: Account, account: AccountID, heard: Heard) -> None:
    """Something came back to the sender address of a message: tell the account's program, if it has one."""
    said = News(heard.event, heard.is_suppressing, heard.code, heard.status, heard.text, is_dsn=True)
    sent(tx, settings, account, heard.message, said)


def sent(
    tx: WriteTx, settings: Account | None, account: AccountID, one: QueuedMessage | RetiredMessage, news: News
) -> None:
    """Tell what became of a message that was sent, if the account has a program that wants to hear it."""
    wanted = settings.outgoing_webhook if settings is not None else None
    if settings is None or wanted is None or (wanted.events and news.event.value not in wanted.events):
        return
    payload = Outgoing(
        event=news.event,
        dsn=news.is_dsn,
        suppressing=news.suppressing,
        queue_msg_id=one.id,
        from_id=one.from_id,
        message_id=one.message_id,
        subject=one.subject,
        webhook_queued=datetime.fromtimestamp(tx.now / 1e6, UTC),
        smtp_code=news.code,
        smtp_enhanced_code=news.status,
        error=news.error,
        extra=one.extra,
    )
    new = _new(settings, wanted, account, news.event.value)
    new.queued, new.from_id = one.id, one.from_id
    new.message_id, new.subject, new.extra = one.message_id, one.subject, one.extra
    hook.add(tx, new, hookpayload.json(payload), keep=keep(settings))


def again(settings: Account, done: RetiredHook) -> Hook | None:
    """A webhook that repeats one that is done, to where the account's webhooks go now; None: it has none any more.

    It has the id of the first for those who get it, and is not news: it takes no other's place, and none takes its.
    """
    wanted = settings.incoming_webhook if done.event == INCOMING else settings.outgoing_webhook
    if wanted is None:
        return None
    new = _new(settings, wanted, done.account, done.event)
    new.original, new.from_id = done.public_id, done.from_id
    new.message_id, new.subject, new.extra = done.message_id, done.subject, done.extra
    return new


def _new(settings: Account, wanted: IncomingWebhook | OutgoingWebhook, account: AccountID, event: str) -> Hook:
    return Hook(
        HookID(0), account, event, str(wanted.url), str(wanted.authorization), secret=str(settings.webhook_secret or "")
    )


def keep(settings: Account | None) -> int:
    """Microseconds for which webhooks of an account are remembered after their end."""
    if settings is None:
        return KEEP_ORPHANS_SECONDS * 1_000_000
    period = settings.keep_retired_webhook_period
    return 0 if period is None else int(period.seconds * 1e6)

"""Notices of other servers about mail that was forwarded here: they go on to its sender, with the null path."""

from typing import ClassVar

import trio

from appliance.base.limits import RETURN_PATH_NOTICES
from appliance.base.problem import Kind, Problem
from appliance.config.addresses import Found
from appliance.config.source import Config
from appliance.delivery import passes
from appliance.delivery.appliance import Appliance
from appliance.mail import received, smtputf8
from appliance.mail.received import Received
from appliance.mail.status import Status
from appliance.operations.addresses import Returning
from appliance.queue import own
from appliance.store import forwarded, queued
from appliance.store.queuerecords import QueuedMessage
from appliance.store.spool import Spooled
from appliance.store.tables import NO_ACCOUNT, BodyID, QueueID
from appliance.store.transaction import WriteTx


class NoSuchReturnPath(Problem):
    """The address is forgotten, or has had all the notices that may come to it."""

    kind, status = Kind.NOT_FOUND, Status(5, 1, 1)
    text: ClassVar[str] = "no such recipient here"


async def pass_on(
    app: Appliance,
    config: Config,
    to: Returning,
    spooled: Spooled,
    *,
    trace: Received | None,
    rcpt: str,
    requiretls: bool,
) -> QueueID:
    """Queue a notice for whom it is about; it is on the disk afterwards. Its id in the queue.

    Nobody hears of it when it cannot be delivered: it has no sender. `rcpt` stands in the Received field. Raises
    NoSuchReturnPath, StorageFull, StoreFailed.
    """
    prefix = b"" if trace is None else received.compose(trace, rcpt)
    taker = config.derived.addresses.lookup(to.returns_to)
    if isinstance(taker, Found):
        # An account that forwards hears of failures itself: this must not be forwarded, too.
        prefix = f"Delivered-To: {to.returns_to.ascii}\r\n".encode() + prefix
    content = await app.store.content(spooled)
    entry = QueuedMessage(
        id=QueueID(0),
        base_id=QueueID(0),
        account=NO_ACCOUNT,
        queued=0,
        reverse_path="",
        recipient=to.returns_to.unicode,
        body=BodyID(0),
        size=0,
        next_attempt=0,
        prefix=prefix,
        has_8bit=spooled.scanned.eight_bit,
        smtputf8=smtputf8.needed(
            localparts=(to.returns_to.localpart,),
            content_needs=spooled.scanned.needs_smtputf8 or not prefix.isascii(),
        ),
        message_id=content.header.clues.message_id,
        subject=passes.subject(content)[:300],
        requiretls=True if requiretls else None,
    )
    body = await app.store.body(spooled)

    def transaction(tx: WriteTx) -> None:
        if not forwarded.count_notice(tx, to.localpart, RETURN_PATH_NOTICES):
            raise NoSuchReturnPath(NoSuchReturnPath.text)
        entry.account, entry.next_attempt = own.postmaster(tx, config), tx.now
        queued.add(tx, [entry], body)

    try:
        await app.store.write_heavy(spooled.size, transaction)
    except BaseException:
        with trio.CancelScope(shield=True):
            await app.store.unuse(body)
        raise
    return entry.id

"""Messages of the queue for recipients of ours: by the front door, `delivery.receive`.

The transaction that places a copy takes the message out of the queue: whatever happens to this process, it is in one
place or the other.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address

from appliance.config.source import Config
from appliance.delivery import receive as delivery
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.delivery.envelope import Envelope
from appliance.delivery.place import Placement
from appliance.delivery.receive import Verdict
from appliance.mail.address import Path
from appliance.mail.status import Status
from appliance.queue import notices, settle, webhook
from appliance.queue.notices import Told
from appliance.queue.settle import Result
from appliance.store.queuerecords import QueuedMessage
from appliance.store.spool import Spooled
from appliance.store.tables import QueueID
from appliance.store.transaction import WriteTx


async def deliver(
    app: Appliance,
    config: Config,
    reverse_path: Path,
    reachable: Sequence[tuple[QueuedMessage, Recipient | AliasRecipient]],
    spooled: Spooled,
    began: int,
) -> list[Result]:
    """Place the copies and take those that were placed out of the queue. Raises settle.Changed."""
    first = reachable[0][0]
    receipts: dict[QueueID, Placement] = {}
    for one, where in reachable:
        if one.wants("SUCCESS"):
            told = Told(one, notices.success(where), 250, Status(2, 0, 0), "")
            notice = await notices.placement(app, config, [told], spooled)
            if notice is not None:
                receipts[one.id] = notice
    envelope = Envelope(
        reverse_path=reverse_path,
        recipients=[where for _, where in reachable],
        # The queue delivers as this host itself: the submitter's address is nobody's business.
        remote_ip=IPv4Address("127.0.0.1"),
        ehlo=config.static.hostname.domain.ascii,
        trace=None,
        arrived=app.clock.now(),
        tls_version=None,
        tls_cipher="",
        requiretls=first.requiretls is True,
        addresses=config.derived.addresses,
        prefix=first.prefix,
        is_ours=True,
    )

    def settled(tx: WriteTx, verdicts: Sequence[Verdict]) -> None:
        for (one, _), verdict in zip(reachable, verdicts, strict=True):
            if verdict.code != 250:
                continue
            settle.unchanged(tx, one)
            if one.id in receipts:
                settle.put_notice(tx, app.store, receipts[one.id], [one])
            after = settle.attempted(one, settle.of_verdict(verdict), began, tx.now)
            settle.done(tx, config, after, success=True)
            webhook.settled(tx, config, after, settle.of_verdict(verdict), "delivered")

    verdicts = await delivery.receive(app, envelope, spooled, settle=settled)
    for (one, _), verdict in zip(reachable, verdicts, strict=True):
        if verdict.code == 250:
            settle.log.info("delivered", queued=one.id, recipient=one.recipient, attempts=one.attempts + 1)
    return [settle.of_verdict(verdict) for verdict in verdicts]

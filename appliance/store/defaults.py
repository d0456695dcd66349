"""The store's limits with their values; apart from base.limits because that room is below this one."""

from typing import Final

from appliance.base import limits
from appliance.store.annotation import AnnotationLimits
from appliance.store.copying import CopyLimits
from appliance.store.environment import WriterLimits
from appliance.store.mailbox import MailboxLimits
from appliance.store.prepare import PrepareLimits
from appliance.store.spool import SpoolLimits
from appliance.store.store import StoreLimits

STORE: Final = StoreLimits(
    # Virtual addresses only; the file is as large as what is in it.
    map_octets=1 << 40,
    readers=512,
    writer=WriterLimits(requests=256, weight_octets=16 * limits.MIB),
    # One MiB a message as long as few come at once; a thousand that come at once go to files (ARCHITECTURE.md).
    spool=SpoolLimits(message_octets=2 * limits.MIB, all_octets=48 * limits.MIB),
    scan=limits.SCAN,
    prepare=PrepareLimits(
        envelope=limits.ENVELOPE, text=limits.TEXT, search_octets=256 * limits.KIB, sent_to=limits.SENT_TO_ADDRESSES
    ),
    mailbox=MailboxLimits(
        mailboxes=5000,
        subscriptions=5000,
        annotations=AnnotationLimits(entries=1000, octets=1_000_000, value_octets=limits.ANNOTATION_OCTETS),
        grantees=1000,
    ),
    copy=CopyLimits(growth_octets=4096 * limits.MIB, stall_seconds=10 * 60),
    feed_changes=10_000,
    view_messages=2_000_000,
    order_messages=200_000,
    listing_messages=2_000_000,
    junk_words=20_000,
)

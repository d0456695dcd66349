"""What both kinds of reports have in common: the mail, how it goes into the queue, how it is spread in time."""

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

import trio

from appliance.base.clock import Clock
from appliance.base.ids import Random
from appliance.base.limits import OUR_REPORT_OCTETS
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail import compose, header
from appliance.mail.address import Address, AddressError, parse_address
from appliance.mail.compose import Entity
from appliance.msgauth.dmarc import record as records
from appliance.queue import own
from appliance.reports import calendar
from appliance.store import queued
from appliance.store.bodies import of_octets
from appliance.store.queuerecords import QueuedMessage
from appliance.store.report import Kind
from appliance.store.tables import BodyID, QueueID
from appliance.store.transaction import WriteTx

T = TypeVar("T")

#: Attempts at delivery: a report that comes days later is of no use (RFC 8460 §5.5).
ATTEMPTS: Final = 5
#: The clock is looked at so often while waiting: it may be set, and a machine may sleep.
_LOOK_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail for the queue."""

    kind: Kind
    sender: Address
    to: tuple[Address, ...]
    subject: str
    message_id: str
    octets: bytes
    #: False: rather without TLS than not at all (RFC 8689 §3).
    requiretls: bool | None = None


def write(
    app: Appliance,
    config: Config,
    kind: Kind,
    *,
    sender: Address,
    signer: Address | None,
    to: Sequence[Address],
    subject: str,
    body: Entity,
    more: Sequence[tuple[str, str]] = (),
    requiretls: bool | None = None,
) -> Letter:
    """The mail, signed by the domain of `signer` if there is one; `more` are fields, which are signed too.

    Raises TooLarge. Signing takes milliseconds: in a thread, please.
    """
    now = app.clock.now()
    message_id = compose.message_id(app.random.token_bytes(16), sender.domain)
    fields = [
        compose.address_field(b"From", [("", sender)]),
        compose.address_field(b"To", [("", one) for one in to]),
        compose.text_field(b"Subject", subject),
        compose.date_field(now),
        header.fold(b"Message-ID", message_id.encode()),
        *(compose.text_field(name.encode(), value) for name, value in more),
        b"Auto-Submitted: auto-generated\r\n",  # RFC 3834 §5
    ]
    octets = compose.message(fields, body, max_octets=OUR_REPORT_OCTETS)
    if signer is not None:
        octets = own.signed(config, signer, octets, now, also=tuple(name for name, _ in more))
    return Letter(kind, sender, tuple(to), subject, message_id, octets, requiretls)


def attached(octets: bytes, media_type: str, filename: str) -> Entity:
    """The file, under a name of ASCII. It stands there as one piece: not all who take reports know RFC 2231."""
    entity = compose.attachment(octets, media_type)
    *others, _ = entity.fields
    return Entity(
        (*others, header.fold(b"Content-Disposition", f'attachment; filename="{filename}"'.encode())), entity.body
    )


def boundary(random: Random) -> str:
    """A new one."""
    return urlsafe_b64encode(random.token_bytes(18)).decode()


def queue(tx: WriteTx, config: Config, letter: Letter) -> None:
    """One entry for each recipient. The postmaster hears of failures, but not of delays."""
    account = own.postmaster(tx, config)
    entries = [
        QueuedMessage(
            id=QueueID(0),
            base_id=QueueID(0),
            account=account,
            queued=0,
            reverse_path=letter.sender.unicode,
            recipient=one.unicode,
            body=BodyID(0),
            size=0,
            next_attempt=tx.now,
            max_attempts=ATTEMPTS,
            is_dmarc_report=letter.kind is Kind.DMARC,
            is_tls_report=letter.kind is Kind.TLS,
            message_id=letter.message_id,
            subject=letter.subject,
            requiretls=letter.requiretls,
            notify=("FAILURE",),
        )
        for one in letter.to
    ]
    queued.add(tx, entries, of_octets(letter.octets))


def mail_address(one: records.ReportAddress) -> Address | None:
    """Where a report can be mailed to; None for what is no such address, or needs an extension of SMTP."""
    try:
        address = parse_address(one.mail or "")
    except AddressError:
        return None
    return None if address.needs_smtputf8 else address


# Time.


def chance(random: Random) -> float:
    """From 0 up to 1."""
    return int.from_bytes(random.token_bytes(4), "big") / 2**32


async def wait_until(clock: Clock, moment: datetime) -> None:
    """Wait for a time of day."""
    while (left := (moment - clock.now()).total_seconds()) > 0:
        await trio.sleep(min(left, _LOOK_SECONDS))


async def paced(clock: Clock, all: Sequence[T], spread: timedelta) -> AsyncIterator[T]:
    """One after another, over a stretch of time; what takes long itself makes the pauses shorter."""
    began, pause = clock.now(), calendar.pause(len(all), spread)
    for number, one in enumerate(all):
        await wait_until(clock, began + number * pause)
        yield one

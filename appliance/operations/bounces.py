"""Notices about mail from other servers: who does not have it, and who has it if the sender asked for that.

The reply after DATA can say only one thing (RFC 5321 §4.1.1.4), and it says that we have the message. Of single
recipients its sender is told by mail (RFC 5321 §6.1, RFC 3461 §5.2, RFC 3464), from the queue, like all mail of ours.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from appliance.base import limits
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail import header
from appliance.mail.address import Address, Path
from appliance.mail.domain import Domain
from appliance.mail.dsn import Action, DeliveryStatus, Notice, RecipientStatus
from appliance.mail.status import Status
from appliance.operations import addresses
from appliance.queue import notices, own
from appliance.store import queued
from appliance.store.bodies import of_octets
from appliance.store.queuerecords import QueuedMessage
from appliance.store.spool import Spooled
from appliance.store.tables import BodyID, QueueID
from appliance.store.transaction import WriteTx

#: One that is worth repeating.
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,900}>")
#: A line end that DATA cannot carry.
_BARE: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the message for a recipient."""

    path: Path
    #: FAILED, DELIVERED or EXPANDED.
    action: Action
    code: int
    status: Status
    text: str
    #: When the sender wants notices (RFC 3461 §4.1); None: not said.
    notify: tuple[str, ...] | None = None
    #: `addr-type;xtext` (RFC 3461 §4.2).
    orcpt: str | None = None

    @property
    def is_told(self) -> bool:
        """Whether the sender wants a notice of it: of failures unless it said otherwise, of success if it said so."""
        if self.action is Action.FAILED:
            return self.notify is None or "FAILURE" in self.notify
        return self.notify is not None and "SUCCESS" in self.notify


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The message that came in, as far as a notice tells of it."""

    reverse_path: Path
    spooled: Spooled
    arrived: datetime
    smtputf8: bool
    requiretls: bool
    #: As in MAIL (RFC 3461 §4.3, §4.4).
    ret: str | None = None
    envid: str | None = None


def queue(tx: WriteTx, app: Appliance, config: Config, message: Received, outcomes: Sequence[Outcome]) -> None:
    """Queue the notices, one for each action, in the transaction that places the copies.

    Who sent with a null reverse-path hears nothing (RFC 3461 §5.2). A notice is the postmaster's, who hears of it if it
    cannot be delivered either.
    """
    if message.reverse_path.address is None:
        return
    # Forwarded mail that came back here: who sent it is told, not the address of ours that stands for him.
    to = addresses.notified(tx, config, message.reverse_path, tx.now)
    if to is None:
        return
    message = replace(message, reverse_path=to)
    for action in dict.fromkeys(one.action for one in outcomes):
        told = [one for one in outcomes if one.action is action and one.is_told]
        if told:
            _queue(tx, app, config, message, action, told)


def _queue(
    tx: WriteTx, app: Appliance, config: Config, message: Received, action: Action, told: Sequence[Outcome]
) -> None:
    to, header_octets = message.reverse_path, message.spooled.scanned.header
    domain = told[0].path.domain
    sender = Address("postmaster", domain if isinstance(domain, Domain) else config.static.hostname.domain)
    message_id, write = notices.writer(app, config.static.hostname.domain)
    wants_whole = action is Action.FAILED and message.ret == "FULL" and not message.requiretls  # RFC 8689 §5
    is_whole = wants_whole and _may_return(message.spooled)
    notice = Notice(
        status=DeliveryStatus(
            reporting_mta=config.static.hostname.domain.ascii,
            recipients=tuple(_recipient(one, message.arrived) for one in told),
            envelope_id=message.envid or "",
            arrival=message.arrived,
        ),
        sender=sender,
        to=to,
        subject=notices.SUBJECTS[action],
        text=_text(config, message, action, told),
        when=app.clock.now(),
        references=_message_id(header_octets),
        original=message.spooled.read(0, message.spooled.size) if is_whole else header_octets,
        is_whole=is_whole,
        utf8=to.needs_smtputf8,
    )
    octets = own.signed(config, sender, write(notice), notice.when, utf8=notice.utf8)
    other = None
    if message.smtputf8 and not to.needs_smtputf8:
        with_utf8 = replace(notice, utf8=True)
        other = own.signed(config, sender, write(with_utf8), notice.when, utf8=True)
    new = QueuedMessage(
        id=QueueID(0),
        base_id=QueueID(0),
        account=own.postmaster(tx, config),
        queued=0,
        reverse_path="",
        recipient=to.unicode,
        body=BodyID(0),
        size=0,
        next_attempt=tx.now,
        has_8bit=not octets.isascii(),
        smtputf8=to.needs_smtputf8,
        message_id=message_id,
        subject=notices.SUBJECTS[action],
        dsn_utf8=other,
        requiretls=True if message.requiretls else None,
    )
    queued.add(tx, [new], of_octets(octets))


def _may_return(spooled: Spooled) -> bool:
    """Whether a notice can hold the message: not one that only BDAT can carry, which not all servers take."""
    if spooled.size > notices.WHOLE_OCTETS:
        return False
    octets = spooled.read(0, spooled.size)
    return b"\0" not in octets and _BARE.search(octets) is None


def _message_id(octets: bytes) -> str:
    found = header.get(octets, header.fields(octets, limits=limits.HEADER), b"Message-ID") or b""
    text = found.decode("ascii", "replace").strip()
    return text if _MESSAGE_ID.fullmatch(text) else ""


def _recipient(one: Outcome, tried: datetime) -> RecipientStatus:
    failed = one.action is Action.FAILED
    return RecipientStatus(
        recipient=one.path.unicode,
        action=one.action,
        # RFC 3464 §2.3.4: nobody tries again, so it has failed for good, whatever hindered it.
        status=one.status._replace(klass=5) if failed else one.status,
        original_recipient=one.orcpt or "",
        diagnostic=f"{one.code} {one.status} {one.text}" if failed else "",
        comment=one.text if failed else "",
        last_attempt=tried if failed else None,
    )


def _text(config: Config, message: Received, action: Action, told: Sequence[Outcome]) -> str:
    failed = action is Action.FAILED
    opening = "was delivered to others, but not to:" if failed else notices.OPENINGS[action]
    lines = [
        f"This is the mail server {config.static.hostname.domain.unicode}.",
        "",
        f"Your message of {message.arrived:%Y-%m-%d %H:%M} UTC {opening}",
        "",
    ]
    for one in told:
        lines.append(f"  {one.path.unicode}")
        if failed:
            lines.append(f"    {one.code} {one.status} {one.text}")
    if failed:
        lines += ["", "It is not tried again."]
    return "\n".join(lines) + "\n"

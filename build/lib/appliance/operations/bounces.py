"""Notices about mail from other servers that some recipients have and others do not.

The reply after DATA can say only one thing (RFC 5321 §4.1.1.4), and it says that we have the message. For the others
its sender is told by mail (RFC 5321 §6.1, RFC 3464), from the queue, like any message of ours.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail import compose, dsn
from appliance.mail.address import Address, Path
from appliance.mail.domain import Domain
from appliance.mail.dsn import Action, DeliveryStatus, Notice, RecipientStatus
from appliance.mail.status import Status
from appliance.store import queued
from appliance.store.bodies import of_octets
from appliance.store.problems import NoSuchAccount
from appliance.store.queuerecords import QueuedMessage
from appliance.store.tables import NO_ACCOUNT, AccountID, BodyID, QueueID
from appliance.store.transaction import WriteTx

_SUBJECT: Final = "Mail delivery failed"
#: A header may have that much, and a status part a thousand recipients.
_OCTETS: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Failure:
    """A recipient who does not have the message."""

    path: Path
    code: int
    status: Status
    text: str
    #: When the sender wants notices (RFC 3461 §4.1); None: not said.
    notify: tuple[str, ...] | None = None
    #: `addr-type;xtext` (RFC 3461 §4.2).
    orcpt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The message that came in, as far as a notice tells of it."""

    reverse_path: Path
    #: Its header with the empty line.
    header: bytes
    arrived: datetime
    smtputf8: bool
    requiretls: bool
    envid: str | None = None


def queue(tx: WriteTx, app: Appliance, config: Config, message: Received, failures: Sequence[Failure]) -> bool:
    """Queue the notice, in the transaction that places the other copies; whether there is anybody to tell.

    It is the postmaster's, who hears of it if it cannot be delivered either.
    """
    wanted = [one for one in failures if one.notify is None or "FAILURE" in one.notify]
    to = message.reverse_path
    if not wanted or to.is_null or to.address is None:
        return False
    domain = wanted[0].path.domain
    sender = Address("postmaster", domain if isinstance(domain, Domain) else config.static.hostname.domain)
    message_id = compose.message_id(app.random.token_bytes(16), config.static.hostname.domain)
    boundary = urlsafe_b64encode(app.random.token_bytes(18)).decode()
    notice = Notice(
        status=DeliveryStatus(
            reporting_mta=config.static.hostname.domain.ascii,
            recipients=tuple(map(_recipient, wanted)),
            envelope_id=message.envid or "",
            arrival=message.arrived,
        ),
        sender=sender,
        to=to,
        subject=_SUBJECT,
        text=_text(config, message, wanted),
        when=app.clock.now(),
        original=message.header,
        utf8=to.needs_smtputf8,
    )
    octets = dsn.write(notice, message_id=message_id, boundary=boundary, max_octets=_OCTETS)
    other = None
    if message.smtputf8 and not to.needs_smtputf8:
        other = dsn.write(replace(notice, utf8=True), message_id=message_id, boundary=boundary, max_octets=_OCTETS)
    new = QueuedMessage(
        id=QueueID(0),
        base_id=QueueID(0),
        account=_postmaster(tx, config),
        queued=0,
        reverse_path="",
        recipient=to.unicode,
        body=BodyID(0),
        size=0,
        next_attempt=tx.now,
        has_8bit=not octets.isascii(),
        smtputf8=to.needs_smtputf8,
        message_id=message_id,
        subject=_SUBJECT,
        dsn_utf8=other,
        requiretls=True if message.requiretls else None,
    )
    queued.add(tx, [new], of_octets(octets))
    return True


def _postmaster(tx: WriteTx, config: Config) -> AccountID:
    account = tx.account_id(config.static.postmaster.account)
    try:
        return NO_ACCOUNT if account is None or tx.account(account).removed else account
    except NoSuchAccount:
        return NO_ACCOUNT


def _recipient(one: Failure) -> RecipientStatus:
    return RecipientStatus(
        recipient=one.path.unicode,
        action=Action.FAILED,
        # RFC 3464 §2.3.4: nobody tries again, so it has failed for good, whatever hindered it.
        status=one.status._replace(klass=5),
        original_recipient=one.orcpt or "",
        diagnostic=f"{one.code} {one.status} {one.text}",
    )


def _text(config: Config, message: Received, failures: Sequence[Failure]) -> str:
    lines = [
        f"This is the mail server {config.static.hostname.domain.unicode}.",
        "",
        f"Your message of {message.arrived:%Y-%m-%d %H:%M} UTC was delivered to others, but not to:",
        "",
    ]
    for one in failures:
        lines += [f"  {one.path.unicode}", f"    {one.code} {one.status} {one.text}"]
    return "\n".join([*lines, "", "It is not tried again."]) + "\n"

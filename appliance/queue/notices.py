"""Notices to senders about their messages: what is said, and in whose mailbox it is put.

Everybody who submits has an account here, so a notice goes straight into its Inbox, by the transaction that takes the
message out of the queue. The format is in mail.dsn (RFC 3464).
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.config.domains import AutomaticJunkFlags
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.delivery.place import Placement
from appliance.mail import compose, dsn
from appliance.mail.address import Address, Path, parse_path
from appliance.mail.domain import Domain
from appliance.mail.dsn import Action, DeliveryStatus, Notice, RecipientStatus
from appliance.mail.status import Status
from appliance.store import prepare
from appliance.store.bodies import NewBody, of_octets
from appliance.store.message import NO_RULES
from appliance.store.problems import NoSuchAccount
from appliance.store.queuerecords import QueuedMessage
from appliance.store.records import INBOX, SEEN, Origin
from appliance.store.spool import Spooled
from appliance.store.tables import NO_ACCOUNT, AccountID

log = Log("queue")

#: A message up to this size comes back whole when its sender asked for that (RFC 3461 §6.2).
WHOLE_OCTETS: Final = 256 * 1024
#: A header may have that much, and a status part a thousand recipients.
_NOTICE_OCTETS: Final = 4 * 1024 * 1024
#: Below the postmaster's mailbox: notices about reports of ours that could not be delivered.
_DMARC, _TLSRPT = "dmarc", "tlsrpt"

failed_reports = Counter("queue_dmarcreport_failure_total", "DMARC reports that could not be delivered.")


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one message."""

    message: QueuedMessage
    action: Action
    code: int
    status: Status
    text: str
    will_retry_until: datetime | None = None
    #: Code and text are what a server replied; else they are words of ours about why none did.
    is_reply: bool = True
    #: The reply had no status: that is made of its code.
    made_up_status: bool = False
    #: The other host, and its address.
    remote_mta: str = ""

    @property
    def words(self) -> str:
        """What went wrong: a reply as it came (RFC 3461 §9.2), our own words without a code."""
        if not self.is_reply:
            return self.text
        return f"{self.code} {self.text}" if self.made_up_status else f"{self.code} {self.status} {self.text}"


SUBJECTS: Final = {
    Action.FAILED: "Mail delivery failed",
    Action.DELAYED: "Mail delivery delayed",
    Action.DELIVERED: "Mail delivered",
    Action.EXPANDED: "Mail delivered to the members of a list",
    Action.RELAYED: "Mail relayed",
}
OPENINGS: Final = {
    Action.FAILED: "could not be delivered to:",
    Action.DELAYED: "could not be delivered yet, and is tried again, to:",
    Action.DELIVERED: "was delivered to:",
    Action.EXPANDED: "was delivered to the members of:",
    Action.RELAYED: "was passed on, to a server that sends no notices, for:",
}
_ENDINGS: Final = {
    Action.FAILED: "It is not tried again.",
    Action.DELAYED: "You need not send it again.",
}

_FORWARDING: Final = "Mail forwarding failed"
_FORWARD_OPENING: Final = "that is forwarded, could not be delivered to:"
#: Whether the copy was the only one.
_KEPT: Final = {
    True: "The message is beside this notice. Its sender was told nothing.",
    False: "You have the message all the same. Its sender was told nothing.",
}


def success(where: Recipient | AliasRecipient) -> Action:
    """RFC 3461 §5.2.7.3 (c): a list of several was expanded; one behind an alias is as good as its owner.

    What was forwarded and not kept was passed on to servers that tell the sender nothing of success (RFC 3461 §5.2.3).
    """
    if isinstance(where, Recipient) and where.found.destination.forward_only:
        return Action.RELAYED
    return Action.EXPANDED if isinstance(where, AliasRecipient) and len(where.members) > 1 else Action.DELIVERED


async def placement(app: Appliance, config: Config, told: Sequence[Told], spooled: Spooled) -> Placement | None:
    """The notice about copies of one submission that met the same fate; None when nobody can be told, which is logged.

    `spooled` is the message without its prefix.
    """
    first = told[0].message
    target = _whose(app, config, first)
    if target is None:
        log.error("no mailbox for a notice", queued=first.id, recipients=[one.message.recipient for one in told])
        return None
    account, mailbox = target
    octets = compose_notice(app, config, told, spooled)
    now = app.clock.microseconds()
    notice = app.store.spooled(octets)
    to = _to(first)
    new = prepare.message(
        await app.store.content(notice),
        of_octets(octets),
        prefix=f"Delivered-To: {to.ascii}\r\nReturn-Path: <>\r\n".encode(),
        received=now,
        limits=app.store.limits.prepare,
        origin=Origin(rcpt_to=str(to), is_dsn=True),
    )
    is_report = first.is_dmarc_report or first.is_tls_report
    # Over quota or not: who hears nothing takes a lost message for a delivered one.
    return Placement(
        account, mailbox, new, None, flags=SEEN if is_report else 0, junk_rules=_junk_rules(app, config, account)
    )


def _junk_rules(app: Appliance, config: Config, account: AccountID) -> AutomaticJunkFlags:
    """What the names of an account's mailboxes say about junk."""
    with app.store.read() as tx:
        found = config.domains.accounts.get(tx.account(account).name)
    return NO_RULES if found is None else found.automatic_junk_flags


def _whose(app: Appliance, config: Config, message: QueuedMessage) -> tuple[AccountID, str] | None:
    """The account, and its mailbox. Nobody waits for reports about others: they are put aside there."""
    postmaster = config.static.postmaster
    with app.store.read() as tx:
        aside = _DMARC if message.is_dmarc_report else _TLSRPT if message.is_tls_report else ""
        if aside:
            account = tx.account_id(postmaster.account)
            return None if account is None else (account, f"{postmaster.mailbox}/{aside}")
        try:
            if message.account != NO_ACCOUNT and not tx.account(message.account).removed:
                return message.account, INBOX
        except NoSuchAccount:
            pass
        account = tx.account_id(postmaster.account)
        return None if account is None else (account, str(postmaster.mailbox))


async def given_back(
    app: Appliance, config: Config, ended: Sequence[QueuedMessage], spooled: Spooled
) -> Placement | None:
    """A forwarded message itself, when it fails and its account kept none; None for any other.

    It was accepted for that account: nobody has to judge it again, and no quota may lose it.
    """
    one = next((message for message in ended if message.is_only_copy), None)
    if one is None:
        return None
    target = _whose(app, config, one)
    if target is None:
        log.error("no mailbox for a message that could not be forwarded", queued=one.id, recipient=one.recipient)
        return None
    account, mailbox = target
    new = prepare.message(
        await app.store.content(spooled),
        NewBody(None, one.body, spooled.size),
        prefix=one.prefix,
        received=one.queued,
        limits=app.store.limits.prepare,
        origin=Origin(rcpt_to=one.forwarded_by),
    )
    return Placement(account, mailbox, new, None, junk_rules=_junk_rules(app, config, account))


def _to(message: QueuedMessage) -> Path:
    """Who is told: the sender; of a forwarded message who forwards it."""
    return parse_path(f"<{message.forwarded_by or message.reverse_path}>".encode(), smtputf8=True)


def compose_notice(app: Appliance, config: Config, told: Sequence[Told], spooled: Spooled) -> bytes:
    """The notice as octets."""
    first, action = told[0].message, told[0].action
    hostname = config.static.hostname.domain
    whole = (
        action is Action.FAILED
        and first.ret == "FULL"
        and not first.requiretls  # RFC 8689 §5
        and first.size <= WHOLE_OCTETS
        and all(one.message.ret == first.ret for one in told)
    )
    notice = Notice(
        status=DeliveryStatus(
            reporting_mta=hostname.ascii,
            recipients=tuple(map(_recipient, told)),
            envelope_id=first.envid or "",
            arrival=_moment(first.queued),
            future_release=first.future_release,
        ),
        sender=Address("postmaster", hostname),
        to=_to(first),
        subject=_FORWARDING if first.forwarded_by else SUBJECTS[action],
        text=_text(hostname.unicode, told),
        when=app.clock.now(),
        references=first.message_id,
        original=first.prefix + (spooled.read(0, spooled.size) if whole else spooled.scanned.header),
        is_whole=whole,
        utf8=any(one.message.smtputf8 for one in told),
    )
    _, write = writer(app, hostname)
    return write(notice)


def writer(app: Appliance, hostname: Domain) -> tuple[str, Callable[[Notice], bytes]]:
    """A new Message-ID, and what writes a notice with it."""
    message_id = compose.message_id(app.random.token_bytes(16), hostname)
    boundary = urlsafe_b64encode(app.random.token_bytes(18)).decode()
    return message_id, partial(dsn.write, message_id=message_id, boundary=boundary, max_octets=_NOTICE_OCTETS)


def _recipient(one: Told) -> RecipientStatus:
    message = one.message
    failed = one.action in {Action.FAILED, Action.DELAYED}
    return RecipientStatus(
        recipient=message.recipient,
        action=one.action,
        # RFC 3464 §2.3.4: what has failed for good has a code that says so, were it only for lack of patience.
        status=one.status._replace(klass=5 if one.action is Action.FAILED else 4) if failed else one.status,
        original_recipient=message.orcpt or "",
        remote_mta=one.remote_mta,
        diagnostic=one.words if failed and one.is_reply else "",
        comment=one.text if failed else "",
        last_attempt=_moment(message.last_attempt) if failed and message.last_attempt else None,
        will_retry_until=one.will_retry_until,
    )


def _text(hostname: str, told: Sequence[Told]) -> str:
    first, action = told[0].message, told[0].action
    subject = f' "{first.subject}"' if first.subject else ""
    whose = f"A message{subject} for {first.forwarded_by}," if first.forwarded_by else f"Your message{subject}"
    lines = [
        f"This is the mail server {hostname}.",
        "",
        f"{whose} of {_moment(first.queued):%Y-%m-%d %H:%M} UTC",
        _FORWARD_OPENING if first.forwarded_by else OPENINGS[action],
        "",
    ]
    for one in told:
        lines.append(f"  {one.message.recipient}")
        if action in {Action.FAILED, Action.DELAYED}:
            lines.append(f"    {one.words}")
            if one.remote_mta:
                lines.append(f"    {'said by' if one.is_reply else 'with'} {one.remote_mta}")
        if one.will_retry_until:
            lines.append(f"    tried until {one.will_retry_until:%Y-%m-%d %H:%M} UTC")
    if first.forwarded_by:
        lines += ["", _ENDINGS[Action.FAILED], _KEPT[any(one.message.is_only_copy for one in told)]]
    elif action in _ENDINGS:
        lines += ["", _ENDINGS[action]]
    return "\n".join(lines) + "\n"


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)

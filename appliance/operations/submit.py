"""Sending a message: the one verb behind every door by which our users send (RFC 6409).

Whose address stands in From, how much an account may send, which fields are added; then one queue entry for each
recipient, all or none. From there the queue delivers, also to accounts of ours, so that no check is passed by. No
copy is kept in Sent unless it is asked for: who submits by SMTP does that himself.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Final

import msgspec
import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.base.problem import Kind, Problem
from appliance.config.addresses import Disabled, Found, FoundAlias
from appliance.config.domains import Account
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail import authres, compose, header, received, smtputf8, words
from appliance.mail.address import MAX_LOCALPART_OCTETS, Address, AddressError, Path, parse_address, sole_from
from appliance.mail.authres import AuthResults, Method, Property
from appliance.mail.domain import Domain, parse_domain
from appliance.mail.header import Field
from appliance.mail.received import Received
from appliance.mail.scan import HEADER_TOO_LARGE
from appliance.mail.status import Status
from appliance.msgauth.dkim import sign
from appliance.operations import addresses
from appliance.operations.actor import Actor, Right
from appliance.store import (
    message as messages,
    once as store_once,
    prepare,
    queued,
    senders,
    submission as store_submission,
)
from appliance.store.bodies import NewBody
from appliance.store.message import NewMessage
from appliance.store.once import Submitted
from appliance.store.problems import NoSuchMessage, OverQuota
from appliance.store.queuerecords import QueuedMessage
from appliance.store.records import NOT_JUNK, SEEN, Role
from appliance.store.senders import SentTo
from appliance.store.spool import Spool, Spooled
from appliance.store.submission import NewSubmission
from appliance.store.tables import NO_SUBMISSION, BodyID, QueueID, SubmissionID
from appliance.store.transaction import WriteTx
from appliance.store.webrecords import Submission as SubmissionRecord

submissions = Counter("smtpserver_submission_total", "Submitted messages.", ("result",))
errors = Counter("smtpserver_errors_total", "What went wrong without a message being refused for it.", ("error",))

#: Random octets of an id in a sender address, and of a Message-ID.
ID_OCTETS: Final = 16
#: Fields that become the extra data of a message, for webhooks.
EXTRA: Final = "x-mox-extra-"
_EXTRA: Final = EXTRA.encode()
#: Every recipient's entry holds what follows, so it is bounded.
EXTRA_OCTETS: Final = 16 * limits.KIB
SUBJECT_CHARACTERS: Final = 300
MESSAGE_ID_CHARACTERS: Final = 1000
_COPY_OCTETS: Final = 1024 * 1024


class SubmissionRefused(Problem):
    """A message that is not sent."""

    #: As the counter names it.
    result: ClassVar[str] = "badmessage"


class Malformed(SubmissionRefused):
    """No header that ends, or a From that is not exactly one address."""

    kind, status = Kind.INVALID, Status(5, 6, 0)


class NoHeaderEnd(Malformed):
    """No empty line between header and body."""


class BadExtra(Malformed):
    """Two X-Mox-Extra fields of one name."""


class HeaderTooLarge(SubmissionRefused):
    """A header nobody's mail program writes."""

    kind, status = Kind.LIMIT, Status(5, 3, 4)


class NotYourAddress(SubmissionRefused):
    """The account may not send as this address."""

    kind, status, result = Kind.FORBIDDEN, Status(5, 7, 1), "badfrom"


class SenderDisabled(SubmissionRefused):
    """The domain of the sender is switched off for now."""

    kind, status, result = Kind.UNAVAILABLE, Status(4, 3, 0), "badfrom"


class TooManyMessages(SubmissionRefused):
    """More messages in 24 hours than the account may send."""

    kind, status, result = Kind.TOO_MANY, Status(4, 7, 1), "messagelimiterror"


class TooManyNewRecipients(SubmissionRefused):
    """More recipients never written to before in 24 hours than the account may have."""

    kind, status, result = Kind.TOO_MANY, Status(4, 7, 1), "recipientlimiterror"


class OneIDForMany(SubmissionRefused):
    """A sender address with an id of the caller's own, and several recipients."""

    kind, status = Kind.INVALID, Status(5, 5, 3)


class NeedsSMTPUTF8(SubmissionRefused):
    """UTF-8 in addresses or header that was not announced, where that is minded."""

    kind, status, result = Kind.INVALID, Status(5, 6, 0), "missingsmtputf8"


class Undeclared8Bit(SubmissionRefused):
    """Octets above ASCII without BODY=8BITMIME, where that is minded (RFC 6152 §3)."""

    kind, status = Kind.INVALID, Status(5, 6, 0)


class ReturnPathPresent(SubmissionRefused):
    """A field that only the last server writes, where that is minded (RFC 5321 §4.4)."""

    kind, status, result = Kind.INVALID, Status(5, 6, 0), "badheader"


@dataclass(frozen=True, slots=True)
class To:
    """One recipient, and what its sender wants to hear (RFC 3461 §4)."""

    path: Path
    notify: tuple[str, ...] | None = None
    orcpt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A message with its envelope, as a door received it."""

    #: May be null: the sender wants no notices.
    reverse_path: Path
    recipients: Sequence[To]
    spooled: Spooled
    #: The Received field to add, `ESMTPSA` and the like as its protocol; None for none.
    trace: Received | None
    #: What the client announced; whether it is needed is told from the message. None: it could not say.
    smtputf8: bool | None = None
    eight_bit: bool = True
    requiretls: bool = False
    #: Not before; with its words for notices (RFC 4865).
    release: datetime | None = None
    future_release: str = ""
    ret: str | None = None
    envid: str | None = None
    #: In addition to those of X-Mox-Extra fields.
    extra: Mapping[str, str] = field(default_factory=dict)
    #: Where ids stand in sender addresses: whether what is behind the separator of this one is such an id.
    has_own_id: bool = True
    #: A copy for the mailbox for sent mail, with this before it (a Bcc field, or nothing); None: no copy.
    sent_prefix: bytes | None = None
    once: "Once | None" = None
    #: Whatever the account wants, Bcc goes.
    strips_bcc: bool = False
    stored: "Stored | None" = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A submission of a message that lies in a mailbox of the account: remembered, with whom it is sent to."""

    record: NewSubmission
    sent_to: SentTo


@dataclass(frozen=True, slots=True)
class Once:
    """A submission that counts once, however often it is tried: its key, and what must be the same each time."""

    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Queued:
    """A recipient's entry in the queue."""

    path: Path
    id: QueueID
    from_id: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was sent: it is on the disk."""

    #: With brackets.
    message_id: str
    entries: tuple[Queued, ...]
    #: The account was too full for the copy it wanted.
    over_quota: bool = False
    #: What is remembered of the submission of a stored message.
    submission: SubmissionRecord | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was written."""

    #: What came of the same before.
    earlier: Submitted | None = None
    #: The account is too full for a copy.
    over_quota: bool = False
    submission: SubmissionRecord | None = None


def check_sender(config: Config, account: str, address: Path | Address) -> None:
    """Whether an account may use an address as its sender. Raises NotYourAddress, SenderDisabled.

    Its own addresses, with what catch-all separators allow; what a catch-all of a domain brings to it; an alias it is
    a member of, if that allows it.
    """
    if isinstance(address.domain, Domain):
        match config.derived.addresses.lookup(address):
            case Disabled():
                raise SenderDisabled("the sender's domain is disabled for now")
            case Found(account=owner) if owner == account:
                return
            case FoundAlias() as found if found.alias.allow_msg_from and _is_member(config, account, found):
                return
    raise NotYourAddress(f"{address} is not an address of this account")


def _is_member(config: Config, account: str, found: FoundAlias) -> bool:
    members = (config.derived.addresses.lookup(member.address, for_login=True) for member in found.alias.addresses)
    return any(isinstance(member, Found) and member.account == account for member in members)


async def submit(app: Appliance, actor: Actor, submission: Submission, *, log: Log) -> Accepted:
    """Queue a message for all its recipients, or for none.

    Raises SubmissionRefused, FromIDInUse, StorageFull, StoreFailed.
    """
    try:
        accepted = await _submit(app, actor, submission, log)
    except SubmissionRefused as problem:
        submissions.labels(problem.result).inc()
        raise
    except Problem:
        submissions.labels("queueerror").inc()
        raise
    submissions.labels("ok").inc()
    log.info(
        "message submitted",
        account=actor.name,
        mailfrom=str(submission.reverse_path),
        messageid=accepted.message_id,
        size=submission.spooled.size,
        recipients=[str(one.path) for one in accepted.entries],
        queued=[one.id for one in accepted.entries],
    )
    return accepted


async def _submit(app: Appliance, actor: Actor, submission: Submission, log: Log) -> Accepted:
    actor.require(Right.SUBMIT)
    config = app.config.snapshot()
    account = config.domains.accounts.get(actor.name)
    if account is None:
        raise NotYourAddress("the account is gone")
    if not submission.reverse_path.is_null:
        check_sender(config, actor.name, submission.reverse_path)
    message = _Message(app, config, submission)
    if message.sender != submission.reverse_path.address:
        check_sender(config, actor.name, message.sender)
    unique: dict[Path, To] = {}
    for to in submission.recipients:
        unique.setdefault(to.path, to)  # One recipient named twice gets the message once.
    recipients = list(unique.values())
    paths = _reverse_paths(app, config, actor, account, submission, len(recipients))
    async with AsyncExitStack() as stack:
        spooled = submission.spooled
        if (account.strip_bcc or submission.strips_bcc) and message.values(b"bcc"):
            spool = await stack.enter_async_context(app.store.spool())
            spooled = await _without_bcc(spool, message, spooled)
        now = app.clock.microseconds()
        prefix = await _signed_prefix(config, message, spooled, recipients, now=now / 1_000_000, log=log)
        entries = [
            QueuedMessage(
                id=QueueID(0),
                base_id=QueueID(0),
                account=actor.account,
                queued=now,
                reverse_path=path.unicode,
                recipient=to.path.unicode,
                body=BodyID(0),
                size=0,
                next_attempt=now if submission.release is None else max(now, _microseconds(submission.release)),
                prefix=prefix,
                from_id=from_id,
                has_8bit=spooled.scanned.eight_bit,
                smtputf8=message.needs_smtputf8(to),
                message_id=message.message_id,
                subject=message.subject,
                requiretls=message.requiretls,
                future_release=submission.future_release,
                extra=message.extra,
                notify=to.notify,
                orcpt=to.orcpt,
                ret=submission.ret,
                envid=submission.envid,
            )
            for to, (path, from_id) in zip(recipients, paths, strict=True)
        ]
        body = await app.store.body(spooled)
        try:
            copy = await _copy(app, config, actor, submission, prefix, spooled, body)
            kept = await app.store.write_heavy(
                spooled.size, _queue, actor, account, entries, body, copy, message.message_id, submission
            )
        except BaseException:
            with trio.CancelScope(shield=True):
                await app.store.unuse(body)
            raise
        if (earlier := kept.earlier) is not None:
            await app.store.unuse(body)
            before = tuple(Queued(to.path, *one) for to, one in zip(recipients, earlier.entries, strict=True))
            return Accepted(earlier.message_id, before, earlier.over_quota)
    queued_entries = tuple(Queued(to.path, one.id, one.from_id) for to, one in zip(recipients, entries, strict=True))
    return Accepted(message.message_id, queued_entries, kept.over_quota, kept.submission)


@dataclass(frozen=True, slots=True)
class _Copy:
    """What is kept for its sender."""

    message: NewMessage
    quota_octets: int | None


async def _copy(
    app: Appliance,
    config: Config,
    actor: Actor,
    submission: Submission,
    prefix: bytes,
    spooled: Spooled,
    body: NewBody,
) -> _Copy | None:
    if submission.sent_prefix is None:
        return None
    content = await app.store.content(spooled)
    new = prepare.message(
        content,
        body,
        prefix=submission.sent_prefix + prefix,
        received=app.clock.microseconds(),
        limits=app.store.limits.prepare,
        sent_to=await app.store.sent_to(content, submission.sent_prefix),
    )
    return _Copy(new, addresses.quota(config, actor.name))


def _keep(tx: WriteTx, actor: Actor, account: Account, copy: _Copy, body: NewBody) -> bool:
    """Put the copy into the mailbox for sent mail, if there is one; whether the account is too full for it."""
    target = next((one for one in tx.mailboxes(actor.account) if one.roles & Role.SENT), None)
    if target is None:
        return False
    try:
        messages.add(
            tx,
            actor.account,
            target.id,
            msgspec.structs.replace(copy.message, body=body),
            flags=SEEN | NOT_JUNK,
            quota_octets=copy.quota_octets,
            junk_rules=account.automatic_junk_flags,
        )
    except OverQuota:  # Before anything was written.
        return True
    return False


def _queue(
    tx: WriteTx,
    actor: Actor,
    account: Account,
    entries: list[QueuedMessage],
    body: NewBody,
    copy: _Copy | None,
    message_id: str,
    submission: Submission,
) -> _Kept:
    """Write it all, unless the same was written before."""
    if tx.account(actor.account).removed:
        raise NotYourAddress("the account is being removed")
    once, stored = submission.once, submission.stored
    if once is not None:
        earlier = store_once.find(tx, actor.account, once.key, once.digest, tx.now)
        if earlier is not None:
            return _Kept(earlier)
    sent = queued.count_outgoing(tx, actor.account, [one.recipient for one in entries])
    most = account.max_outgoing_messages_per_day
    if sent.messages > most:
        raise TooManyMessages(
            f"an account may send {most} messages, one for each recipient, in 24 hours "
            "(max_outgoing_messages_per_day), try again later"
        )
    most = account.max_first_time_recipients_per_day
    if sent.first_time > most:
        raise TooManyNewRecipients(
            f"an account may write to {most} recipients for the first time in 24 hours "
            "(max_first_time_recipients_per_day), try again later"
        )
    number = NO_SUBMISSION
    if stored is not None:
        number = store_submission.begin(tx, actor.account)
        for one in entries:
            one.submission = number
    queued.add(tx, entries, body)
    record = None if stored is None else _remember(tx, actor, number, stored, entries)
    over_quota = copy is not None and _keep(tx, actor, account, copy, NewBody(None, entries[0].body, body.size))
    if once is not None:
        ids = tuple((one.id, one.from_id) for one in entries)
        store_once.keep(tx, actor.account, Submitted(tx.now, once.key, once.digest, message_id, ids, over_quota))
    return _Kept(None, over_quota, record)


def _remember(
    tx: WriteTx, actor: Actor, number: SubmissionID, stored: Stored, entries: Sequence[QueuedMessage]
) -> SubmissionRecord:
    """Keep what was submitted, and to whom it was sent. Raises NoSuchMessage: it was removed meanwhile."""
    account, id = actor.account, stored.record.message
    place = messages.place(tx, account, id)
    row = None if place is None or place.expunged else messages.row(tx, account, place.mailbox, place.uid)
    if row is None:
        raise NoSuchMessage("the message was removed")
    senders.sent(tx, account, id, row.received, stored.sent_to)
    recipients = [(one.id, one.recipient) for one in entries]
    send_at = max(one.next_attempt for one in entries)
    return store_submission.add(tx, account, number, stored.record, recipients, send_at)


def _microseconds(when: datetime) -> int:
    return int(when.timestamp() * 1_000_000)


class _Message:
    """What is looked at, and what is added, once for all recipients."""

    def __init__(self, app: Appliance, config: Config, submission: Submission) -> None:
        """Raises SubmissionRefused."""
        scanned = submission.spooled.scanned
        if HEADER_TOO_LARGE in scanned.defects:
            raise HeaderTooLarge("the header of the message is too large")
        if not _HEADER_END.search(scanned.header):
            raise NoHeaderEnd("the message has no empty line between header and body")
        self._submission = submission
        self._octets = scanned.header
        self._fields = scanned.fields
        self._by_name: dict[bytes, list[Field]] = {}
        for one in self._fields:
            self._by_name.setdefault(one.name.lower(), []).append(one)
        self._hostname = config.static.hostname.domain
        try:
            self.sender = sole_from(self.values(b"from"))
        except AddressError as error:
            raise Malformed(str(error)) from error
        self._content_needs_smtputf8 = scanned.needs_smtputf8
        #: All copies need it. What a client says is not what its message needs (RFC 6531 §3.2).
        self.smtputf8 = all(self.needs_smtputf8(to) for to in submission.recipients)
        if config.static.pedantic:
            self._be_pedantic()
        self.requiretls = self._requiretls()
        self.extra = self._extra()
        self.subject = _shown_subject(b" ".join(self.values(b"subject")[:1]))
        ids = self.values(b"message-id")
        made = "" if ids else compose.message_id(app.random.token_bytes(ID_OCTETS), self._hostname)
        self.message_id = made or _bracketed_id(ids[0])
        added = [] if ids else [header.fold(b"Message-ID", self.message_id.encode())]
        if not self.values(b"date"):
            added.append(compose.date_field(app.clock.now()))
        self._added = added

    def needs_smtputf8(self, to: To) -> bool:
        """Whether the copy for a recipient goes by SMTPUTF8 only: others' addresses do not matter to it."""
        localparts = [self._submission.reverse_path.localpart, to.path.localpart]
        return smtputf8.needed(localparts=localparts, content_needs=self._content_needs_smtputf8)

    def values(self, name: bytes) -> list[bytes]:
        """The values of all fields of a name, given in lower case."""
        return [header.content(self._octets, one) for one in self._by_name.get(name, ())]

    def without(self, name: bytes) -> bytes:
        """The header without the fields of a name, given in lower case."""
        kept, position = [], 0
        for one in self._fields:
            if one.name.lower() == name:
                kept.append(self._octets[position : one.start])
                position = one.end
        return b"".join([*kept, self._octets[position:]])

    def _be_pedantic(self) -> None:
        submission = self._submission
        if submission.spooled.scanned.eight_bit and not submission.eight_bit:
            raise Undeclared8Bit("octets above ASCII need BODY=8BITMIME")
        if self.values(b"return-path"):
            raise ReturnPathPresent("Return-Path is for the last server to write")
        if submission.smtputf8 is False and any(map(self.needs_smtputf8, submission.recipients)):
            raise NeedsSMTPUTF8("the message has UTF-8 in its header or addresses and needs SMTPUTF8")

    def _requiretls(self) -> bool | None:
        """RFC 8689 §4.1: the parameter wins over the field; fields that disagree say nothing."""
        if self._submission.requiretls:
            return True
        wishes = self.values(b"tls-required")
        return False if wishes and all(wish.lower() == b"no" for wish in wishes) else None

    def _extra(self) -> dict[str, str]:
        extra = dict(self._submission.extra)
        for one in self._fields:
            if not one.name.lower().startswith(_EXTRA):
                continue
            name = one.name.decode("utf-8", "replace")
            key = name[len(EXTRA) :]
            if key.isascii():
                key = "-".join(word.capitalize() for word in key.split("-"))
            if key in extra:
                raise BadExtra(f"extra data {key} is there twice")
            extra[key] = header.content(self._octets, one).decode("utf-8", "replace")
        if sum(len(key.encode()) + len(value.encode()) for key, value in extra.items()) > EXTRA_OCTETS:
            raise BadExtra(f"more than {EXTRA_OCTETS} octets of extra data")
        return extra

    def prefix(self, recipients: Sequence[To]) -> tuple[bytes, bytes]:
        """The fields added, topmost first: those above the signatures, and the one below."""
        submission = self._submission
        lines: list[bytes] = []
        if submission.trace is not None:
            trace = submission.trace
            if self.smtputf8:
                name = parse_domain(trace.hostname).unicode
                protocol = trace.protocol.replace("ESMTP", "UTF8SMTP")  # RFC 6531 §4.3
                trace = replace(trace, protocol=protocol, helo_unicode=name, hostname_unicode=name)
            # With several, one would read who else got it.
            lines.append(received.compose(trace, recipients[0].path.ascii if len(recipients) == 1 else ""))
        lines += self._added
        about = Property("smtp", "mailfrom", submission.reverse_path.ascii)
        results = AuthResults(self._hostname.ascii, (Method("auth", "pass", properties=(about,)),))
        return b"".join(lines), authres.compose(results, utf8=self.smtputf8)


async def _signed_prefix(
    config: Config, message: _Message, spooled: Spooled, recipients: Sequence[To], *, now: float, log: Log
) -> bytes:
    """The fields added, with the signatures of the domain in From.

    What cannot be signed goes unsigned: better a message that some suspect than one that its sender has to send again.
    """
    above, below = message.prefix(recipients)
    try:
        signatures = await sign.sign(
            config,
            message.sender,
            above + below + spooled.scanned.header,
            spooled.read,
            spooled.scanned.root.body,
            spooled.size,
            now=now,
            utf8=message.smtputf8,
        )
    except sign.CannotSign as problem:
        errors.labels("dkimsign").inc()
        log.error("message not signed", domain=str(message.sender.domain), problem=str(problem))
        signatures = b""
    return above + signatures + below


def _shown_subject(value: bytes) -> str:
    """A Subject as listings and notices show it: on one line, whatever was encoded into it."""
    text = words.decode(value)[:SUBJECT_CHARACTERS]
    return "".join(character if character.isprintable() else " " for character in text)


def _bracketed_id(value: bytes) -> str:
    """A Message-ID with its brackets, also when its writer forgot them; empty when there is none."""
    found = _MESSAGE_ID.search(value)
    text = (found[0] if found else value.strip()).decode("utf-8", "replace")[:MESSAGE_ID_CHARACTERS]
    return text if found or not text else f"<{text}>"


_MESSAGE_ID: Final = re.compile(rb"<[^<>\s]++>")
_HEADER_END = re.compile(rb"(?:\A|\n)\r?\n\Z")


def _reverse_paths(
    app: Appliance, config: Config, actor: Actor, account: Account, submission: Submission, count: int
) -> list[tuple[Path, str]]:
    """The sender address of each recipient's copy, and the id in it.

    Who logged in with one of the addresses configured for that gets an id into each, by which notices that come back
    are known. The separator is that of the sender address: to its domain they come back.
    """
    path = submission.reverse_path
    domain = path.domain
    if not isinstance(domain, Domain) or not _uses_ids(actor, account):
        return [(path, "")] * count
    entry = config.derived.addresses.domains.get(domain.ascii)
    separators = entry.config.localpart_catchall_separators if entry is not None else ()
    if not separators:
        raise Malformed(f"domain {domain} has no catch-all separator, which unique sender addresses need")
    base, separator, own = path.localpart.partition(str(separators[0]))
    own = own if submission.has_own_id else ""
    if own and count > 1:
        raise OneIDForMany("a sender address with an id of your own is for one recipient only")
    paths = []
    for _ in range(count):
        from_id = own or urlsafe_b64encode(app.random.token_bytes(ID_OCTETS)).rstrip(b"=").decode()
        localpart = f"{base}{separator or separators[0]}{from_id}"
        if len(localpart.encode()) > MAX_LOCALPART_OCTETS:
            raise Malformed("the sender address is too long to get an id")
        paths.append((Path(localpart, domain), from_id))
    return paths


def _uses_ids(actor: Actor, account: Account) -> bool:
    if not account.fromid_login_addresses:
        return False
    try:
        address = parse_address(actor.login_address)
    except AddressError:
        return False
    localpart = address.localpart.lower()
    return any(
        one.address.domain == address.domain and one.address.localpart.lower() == localpart
        for one in account.fromid_login_addresses
    )


async def _without_bcc(spool: Spool, message: _Message, spooled: Spooled) -> Spooled:
    """The message without its Bcc fields, which its author meant for nobody's eyes (RFC 5322 §3.6.3)."""
    await spool.write(message.without(b"bcc"))
    for start in range(spooled.scanned.root.body, spooled.size, _COPY_OCTETS):
        end = min(spooled.size, start + _COPY_OCTETS)
        if spooled.octets is not None:
            await spool.write(spooled.octets[start:end])
        else:
            await spool.write(await trio.to_thread.run_sync(spooled.read, start, end))
    return await spool.finish()

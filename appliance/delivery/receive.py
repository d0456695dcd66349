"""A message has come in, for recipients of ours: what each gets, and what becomes of it (ARCHITECTURE.md).

Who gets a copy is planned, each copy is judged, all are placed in one transaction, the outcome is told for each
recipient. Nothing is promised before `receive` returns.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial

import msgspec
import trio

from appliance.base.limits import REFUSAL_DETAILS
from appliance.base.metrics import Counter
from appliance.config.source import Config
from appliance.delivery import (
    answered,
    copies,
    forged,
    forwarding,
    intake,
    judge,
    owed,
    refusals,
    rejects,
    returned,
    stamp,
    vacation,
    webhook,
)
from appliance.delivery.answered import Answered
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AT_ONCE, AliasRecipient, Copy, Plan, Recipient
from appliance.delivery.decide import Accept, Reason, Refuse
from appliance.delivery.envelope import Envelope, Stranger
from appliance.delivery.forwarding import Onward
from appliance.delivery.judge import Incoming, Judgement
from appliance.delivery.junk import Score
from appliance.delivery.place import Placed, Placement, place
from appliance.delivery.refusals import Cause
from appliance.delivery.vacation import Reply
from appliance.mail import dsn, header
from appliance.mail.address import Address, AddressError, Path, sole_from
from appliance.mail.hookpayload import Event
from appliance.mail.status import Status
from appliance.msgauth.dmarc import evaluation as evaluations
from appliance.store import prepare, reputation, submission
from appliance.store.bodies import NewBody
from appliance.store.history import networks
from appliance.store.message import Added, NewMessage
from appliance.store.prepare import Content
from appliance.store.problems import NoSuchAccount, OverQuota
from appliance.store.records import SEEN
from appliance.store.refusal import Refusal
from appliance.store.spool import Spooled
from appliance.store.tables import AccountID, MessageID
from appliance.store.transaction import WriteTx

deliveries = Counter("smtpserver_delivery_total", "Deliveries of incoming messages.", ("result", "reason"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the message for one recipient."""

    #: As in RCPT.
    path: Path
    #: 250 when it is on the disk.
    code: int
    status: Status
    text: str
    #: The message or its sender is to blame, not the state of this house.
    is_rejection: bool = False


#: Writes more in the transaction that places the copies, once it has; raising, it leaves everything as it was.
Settle = Callable[[WriteTx, Sequence[Verdict]], None]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is to be kept."""

    #: Of each copy, whether it is.
    copies: Sequence[bool]
    #: Who has the message: it was refused once, and taken out of the rejects.
    rescued: Set[AccountID]
    #: Of the content, if somebody refuses it.
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Made:
    """A copy, judged and made ready."""

    copy: Copy
    judgement: Judgement
    #: Where it goes, or where the copy of a refused one goes; None for nowhere.
    placement: Placement | None
    #: The account has the message.
    is_there: bool
    #: Of the content of a refused one, to know it again.
    digest: bytes
    #: What an aggregate report will tell of it.
    evaluation: evaluations.Evaluation | None
    #: What it says, as a program's notice, of a message that the account submitted.
    answered: Answered | None


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of a copy."""

    verdict: Accept | Refuse
    #: None for a copy that was refused, whether or not it was kept, for one that is there, and for one that was
    #: forwarded instead.
    placed: Placed | None
    report_is_new: bool = False
    #: The account has the message.
    is_there: bool = False
    #: What it said of a message that the account sent, if that is remembered.
    heard: returned.Heard | None = None
    #: It was not kept, since it goes on to others.
    is_forwarded: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether it is on the disk, here or for others."""
        return self.is_there or self.is_new

    @property
    def is_new(self) -> bool:
        """Whether it came there now."""
        return self.is_forwarded or (self.placed is not None and self.placed.added is not None)


async def receive(
    app: Appliance, envelope: Envelope, spooled: Spooled, *, settle: Settle | None = None
) -> list[Verdict]:
    """Deliver to every recipient; the verdicts in the order of the recipients.

    Raises what `settle` raises, StorageFull and StoreFailed, and then nobody got it.
    """
    content = await app.store.content(spooled)
    sender = msg_from(content)
    plan = copies.plan(envelope.recipients, envelope.addresses.key(sender) if sender else None)
    incoming = Incoming(envelope, spooled, content, sender)
    judged = await _judged(app, incoming, plan.copies)
    if judged is None:
        return [
            Verdict(one.path, 451, Status(4, 3, 2), "shutting down, try again later") for one in envelope.recipients
        ]
    incoming, judgements = judged
    kept = await _kept(app, incoming, plan.copies, judgements)
    body = await app.store.body(incoming.spooled) if any(kept.copies) else None
    config = app.config.snapshot()
    try:
        made = await _make(app, config, incoming, body, plan.copies, judgements, kept)
        told = await webhook.told(app, incoming) if any(map(_is_told, made)) else None
        onwards = []
        if plan.forwards:
            onwards = await forwarding.make(app, config, incoming, plan, judgements, kept.rescued)
        replies = await vacation.make(app, config, incoming, plan.copies, judgements)

        def transaction(tx: WriteTx) -> "tuple[list[_Done], list[Verdict], list[Onward], list[Reply]]":
            # Asked before the message itself is there.
            optional = [one.evaluation is not None and _is_optional(tx, one) for one in made]
            going = forwarding.room(tx, onwards, tx.now) if onwards else []
            instead = {one.forward.copy for one in going} & plan.in_need
            done = [_settle(tx, app, config, incoming, one, told, is_forwarded=one.copy in instead) for one in made]
            _note_evaluations(tx, made, done, optional)
            verdicts = _verdicts(envelope, plan, done)
            if going:
                # Who is not told 250 sends it again.
                going = [one for one in going if verdicts[one.forward.recipient].code == 250]
                assert body is not None
                forwarding.write(tx, going, body)
            arrived = (
                {one.copy for one, outcome in zip(made, done, strict=True) if outcome.is_new} if replies else set()
            )
            replied = vacation.write(tx, [one for one in replies if one.copy in arrived])
            if settle is not None:
                settle(tx, verdicts)
            return done, verdicts, going, replied

        done, verdicts, going, replied = await app.store.write_heavy(
            spooled.size if body is not None else 0, transaction
        )
    finally:
        if body is not None and spooled.body is None:
            await app.store.unuse(body)
    for number, (one, outcome) in enumerate(zip(made, done, strict=True), 1):
        _tell(incoming, one, outcome)
        if number % AT_ONCE == 0:
            await trio.lowlevel.cancel_shielded_checkpoint()  # All is done: nobody may think that it is not.
    if onwards:
        forwarding.tell(incoming, [one for one in onwards if verdicts[one.forward.recipient].code == 250], going)
    vacation.tell(replied)
    for wanted in plan.wanted:
        if wanted is None:
            deliveries.labels("reject", "notmember").inc()
    # What the queue brings is not from outside: its sender is one of ours, and has a notice.
    if envelope.trace is not None and (None in plan.wanted or any(map(_is_refused, done))):
        _write_down(app, incoming, plan, made, done, verdicts)
    return verdicts


def msg_from(content: Content) -> Address | None:
    """The address of From, when there is exactly one: who the message says wrote it."""
    head = content.header
    try:
        return sole_from(header.get_all(head.octets, head.fields, b"From"))
    except AddressError:
        return None


async def _judged(
    app: Appliance, incoming: Incoming, wanted: Sequence[Copy]
) -> tuple[Incoming, list[Judgement]] | None:
    """Check who sent the message and judge every copy; None when the house closes meanwhile."""
    stranger = incoming.envelope.stranger
    if stranger is None:
        return incoming, await judge.judge(app, incoming, wanted)
    return await app.shutdown.unless_requested(partial(_judged_stranger, app, incoming, wanted, stranger), None)


async def _judged_stranger(
    app: Appliance, incoming: Incoming, wanted: Sequence[Copy], stranger: Stranger
) -> tuple[Incoming, list[Judgement]] | None:
    # First checked, then disowned: a signature may be over what is claimed.
    checked = await judge.check(app, incoming, stranger)
    mine = forged.disown(incoming.spooled, incoming.content.header.fields, stranger.client.hostname)
    incoming = replace(incoming, spooled=mine, checked=checked)
    judgements = await judge.judge(app, incoming, wanted)
    if stranger.delay_seconds and any(isinstance(one.verdict, Accept) and one.verdict.delays for one in judgements):
        await trio.sleep(stranger.delay_seconds)
    return incoming, judgements


# Making the copies.


async def _kept(app: Appliance, incoming: Incoming, wanted: Sequence[Copy], judgements: Sequence[Judgement]) -> _Kept:
    """What is to be kept.

    Who is refused for now comes again and again with the same message: what is among the rejects is not even written.
    """
    message_id, digest = incoming.content.header.clues.message_id, b""
    rescued: Set[AccountID] = frozenset()
    if incoming.checked is not None:
        accounts, now = [copy.recipient.account for copy in wanted], app.clock.microseconds()
        rescued = await rejects.rescued(app.store, accounts, incoming.spooled, message_id, now)
    found = []
    for copy, judgement in zip(wanted, judgements, strict=True):
        verdict, recipient = judgement.verdict, copy.recipient
        is_kept = isinstance(verdict, Accept)
        if recipient.account in rescued:
            is_kept = False
        elif isinstance(verdict, Refuse) and verdict.keeps_copy and (name := recipient.settings.rejects_mailbox):
            digest = digest or await rejects.content_digest(incoming.spooled)
            with app.store.read() as tx:
                is_kept = not rejects.is_there(tx, recipient.account, name, message_id, digest)
        found.append(is_kept)
        if len(found) % AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
    return _Kept(found, rescued, digest)


async def _make(
    app: Appliance,
    config: Config,
    incoming: Incoming,
    body: NewBody | None,
    wanted: Sequence[Copy],
    judgements: Sequence[Judgement],
    kept: _Kept,
) -> list[_Made]:
    made = []
    is_dsn = dsn.is_notice(incoming.content.root)
    reports = not config.static.no_outgoing_dmarc_reports
    for number, (copy, judgement, is_kept) in enumerate(zip(wanted, judgements, kept.copies, strict=True), 1):
        verdict, recipient = judgement.verdict, copy.recipient
        placement: Placement | None = None
        if is_kept and body is not None:
            new = _message(app, incoming, body, copy, judgement, is_dsn=is_dsn)
            if isinstance(verdict, Accept):
                mailbox, is_seen = verdict.mailbox, verdict.is_reject or judgement.report is not None
            else:
                mailbox, is_seen = recipient.settings.rejects_mailbox or "", True
            placement = _placement(recipient, new, mailbox, verdict.destined, is_seen=is_seen)
        is_there = recipient.account in kept.rescued
        evaluation = stamp.evaluation(incoming, copy, verdict) if reports and not is_there else None
        about: Answered | None = None
        if placement is not None and isinstance(verdict, Accept):
            about = await answered.find(app.store, recipient.account, incoming.content.root, incoming.spooled.reader)
        made.append(_Made(copy, judgement, placement, is_there, kept.digest, evaluation, about))
        if number % AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
    return made


def _placement(recipient: Recipient, new: NewMessage, mailbox: str, destined: str, *, is_seen: bool) -> Placement:
    return Placement(
        recipient.account,
        mailbox,
        new,
        recipient.quota_octets,
        flags=SEEN if is_seen else 0,
        junk_rules=recipient.settings.automatic_junk_flags,
        destined=destined,
    )


def _message(
    app: Appliance,
    incoming: Incoming,
    body: NewBody,
    copy: Copy,
    judgement: Judgement,
    *,
    is_dsn: bool,
) -> NewMessage:
    return prepare.message(
        incoming.content,
        body,
        prefix=stamp.added_fields(incoming, copy, judgement),
        received=int(incoming.envelope.arrived.timestamp() * 1_000_000),
        limits=app.store.limits.prepare,
        origin=stamp.origin(incoming, copy, judgement, is_dsn=is_dsn),
    )


def _is_told(one: _Made) -> bool:
    """Whether a program may want to hear of a copy."""
    verdict = one.judgement.verdict
    is_delivered = isinstance(verdict, Accept) and not verdict.is_reject
    return is_delivered and one.copy.recipient.settings.incoming_webhook is not None


# Within the transaction.


def _settle(
    tx: WriteTx,
    app: Appliance,
    config: Config,
    incoming: Incoming,
    one: _Made,
    told: webhook.Told | None,
    *,
    is_forwarded: bool,
) -> _Done:
    """Place a copy, and what follows from that; one that is forwarded instead is not kept."""
    limits = app.store.limits.mailbox
    verdict, recipient, placement = one.judgement.verdict, one.copy.recipient, one.placement
    settings, account = recipient.settings, recipient.account
    if one.is_there:
        return _Done(Accept(reason=Reason.RESCUED, mailbox=recipient.mailbox), None, is_there=True)
    placed: Placed | None = None
    added: Added | None = None
    if isinstance(verdict, Accept):
        assert placement is not None
        if not is_forwarded:
            placed = place(tx, placement, limits)
            added = placed.added
        # Not for one that is among the rejects itself, where a rule may have put it.
        if added is not None and settings.rejects_mailbox and not verdict.is_reject:
            rejects.forget(tx, account, settings.rejects_mailbox, incoming.content.header.clues.message_id)
    elif placement is not None:
        # Whether or not there is room for it: the sender is told the same.
        added = rejects.add(
            tx,
            account,
            placement.mailbox,
            placement.message,
            destined=placement.destined,
            digest=one.digest,
            keep_all=settings.keep_rejects,
            limits=limits,
            quota_octets=placement.quota_octets,
            junk_rules=placement.junk_rules,
        )
    is_taken = is_forwarded or added is not None
    if is_taken and placement is not None and incoming.checked is not None and not verdict.is_forward:
        reputation.arrived(tx, account, networks(incoming.envelope.remote_ip), placement.message.size)
    report = one.judgement.report
    is_new = report is not None and placed is not None and placed.added is not None and intake.keep(tx, report)
    heard: returned.Heard | None = None
    if is_taken and placement is not None and isinstance(verdict, Accept) and not verdict.is_reject:
        if one.answered is not None and added is not None:
            answered.note(tx, account, one.answered, added.id)
        if one.judgement.returned is not None:
            heard = returned.note(tx, config, account, one.judgement.returned)
        if heard is not None:
            if added is not None and heard.message.submission and heard.event is not Event.UNRECOGNIZED:
                submission.noticed(tx, account, heard.message.submission, added.id)
            webhook.heard(tx, settings, account, heard)
        elif told is not None:
            webhook.arrived(tx, settings, account, told, placement, added.id if added is not None else MessageID(0))
    return _Done(verdict, placed, report_is_new=is_new, heard=heard, is_forwarded=is_forwarded)


def _note_evaluations(tx: WriteTx, made: Sequence[_Made], done: Sequence[_Done], optional: Sequence[bool]) -> None:
    """Note what DMARC said, once for each recipient: the owner of From's domain sees one where an alias has members."""
    noted: set[Path] = set()
    for one, outcome, is_optional in zip(made, done, optional, strict=True):
        is_settled = outcome.placed is None or outcome.placed.added is not None
        if one.evaluation is not None and is_settled and one.copy.rcpt not in noted:
            noted.add(one.copy.rcpt)
            owed.note(tx, one.evaluation, optional=is_optional)


def _is_optional(tx: WriteTx, one: _Made) -> bool:
    """Whether a report is not worth sending for this message alone: it is one itself, or from who knows where."""
    if one.copy.recipient.found.reports:
        return True
    if one.judgement.verdict.reason is not Reason.DMARC_POLICY:
        return False
    return not reputation.knows_organization(tx, one.copy.recipient.account, one.judgement.sender.msg_from_org_domain)


def _verdicts(envelope: Envelope, plan: Plan, done: Sequence[_Done]) -> list[Verdict]:
    outcomes = dict(zip(plan.copies, done, strict=True))
    return [
        Verdict(recipient.path, 550, Status(5, 7, 2), "only members may write to this address", is_rejection=True)
        if wanted is None
        else _verdict(recipient, [outcomes[copy] for copy in wanted])
        for recipient, wanted in zip(envelope.recipients, plan.wanted, strict=True)
    ]


def _verdict(recipient: Recipient | AliasRecipient, done: Sequence[_Done]) -> Verdict:
    """One copy on the disk is enough for 250; an alias whose only other member is the sender has nobody to tell."""
    path = recipient.path
    if not done or any(one.is_taken for one in done):
        return Verdict(path, 250, Status(2, 2, 0), "delivered")
    refused = next((one.verdict for one in done if isinstance(one.verdict, Refuse)), None)
    if refused is not None:
        # A full disk of the others does not matter: they are not in the way of this one.
        return Verdict(path, refused.code, refused.status, refused.text, is_rejection=refused.result == "reject")
    problems = [one.placed.problem for one in done if one.placed is not None]
    if all(isinstance(problem, OverQuota) for problem in problems):
        return Verdict(path, 452, Status(4, 2, 2), "mailbox is full")
    if isinstance(recipient, Recipient) and isinstance(problems[0], NoSuchAccount):
        return Verdict(path, 550, Status(5, 1, 1), "no such recipient here")
    return Verdict(path, 451, Status(4, 3, 0), "mailbox is not available")


# Afterwards.


def _is_refused(done: _Done) -> bool:
    return not done.is_taken


def _write_down(
    app: Appliance,
    incoming: Incoming,
    plan: Plan,
    made: Sequence[_Made],
    done: Sequence[_Done],
    verdicts: Sequence[Verdict],
) -> None:
    """Write down for people which copies were refused, and why."""
    told = {one.path: one for one in verdicts}
    client, checked = incoming.envelope.remote_ip, incoming.checked
    for wanted, outcome in zip(plan.wanted, verdicts, strict=True):
        if wanted is None:
            app.refusals.note(None, client, _refusal(incoming, outcome, Cause.NOT_MEMBER))
    for one, became in zip(made, done, strict=True):
        if not _is_refused(became):
            continue
        verdict, settings = became.verdict, one.copy.recipient.settings
        refusal = _refusal(incoming, told[one.copy.rcpt], verdict.reason)
        if isinstance(verdict, Accept):
            problem = became.placed.problem if became.placed is not None else None
            cause = Cause.MAILBOX_FULL if isinstance(problem, OverQuota) else Cause.ADDRESS_REFUSES
            refusal = msgspec.structs.replace(refusal, reason=cause.value)
        elif verdict.keeps_copy:
            refusal = msgspec.structs.replace(refusal, mailbox=str(settings.rejects_mailbox or ""))
        if checked is not None:
            refusal = msgspec.structs.replace(
                refusal,
                details=refusals.lines(verdict.details),
                spf=checked.spf.status.value,
                dkim=checked.dkim_domains[:REFUSAL_DETAILS],
                dmarc=checked.dmarc.status.value,
                iprev=checked.iprev.status.value,
            )
        app.refusals.note(one.copy.recipient.account, client, refusal)


def _refusal(incoming: Incoming, told: Verdict, reason: Reason | Cause) -> Refusal:
    envelope, arrived = incoming.envelope, int(incoming.envelope.arrived.timestamp() * 1_000_000)
    return Refusal(
        stage="data",
        reason=reason.value,
        remote_ip=str(envelope.remote_ip),
        code=told.code,
        status=str(told.status),
        text=told.text,
        helo=refusals.cut(envelope.ehlo),
        mail_from=refusals.cut(str(envelope.reverse_path) or "<>"),
        rcpt_to=refusals.cut(str(told.path)),
        msg_from=refusals.cut(str(incoming.msg_from or "")),
        message_id=refusals.cut(incoming.content.header.clues.message_id),
        size_octets=incoming.spooled.size,
        received_id=envelope.trace.id if envelope.trace is not None else "",
        first=arrived,
        last=arrived,
    )


def _tell(incoming: Incoming, one: _Made, done: _Done) -> None:
    """Count a copy, and say in the log how it was judged: one line for people."""
    verdict, problem = done.verdict, done.placed.problem if done.placed is not None else None
    if isinstance(verdict, Refuse):
        deliveries.labels(verdict.result, verdict.reason.value).inc()
    elif problem is None:
        deliveries.labels("delivered", verdict.reason.value).inc()
    else:
        deliveries.labels("accounterror", "quota" if isinstance(problem, OverQuota) else "").inc()
    if done.report_is_new and one.judgement.report is not None:
        intake.count(one.judgement.report)
    if done.heard is not None:
        returned.tell(done.heard)
    known, checked, stranger = one.judgement.facts, incoming.checked, incoming.envelope.stranger
    if known is None or checked is None or stranger is None:
        return
    reputed, content = known.reputation, known.content
    stranger.log.info(
        "message judged",
        mailfrom=str(incoming.envelope.reverse_path),
        size=incoming.spooled.size,
        account=one.copy.recipient.found.account,
        rcptto=str(one.copy.rcpt),
        verdict="accept" if isinstance(verdict, Accept) else "refuse",
        reason=verdict.reason.value,
        mailbox=one.placement.mailbox if one.placement is not None else None,
        method=getattr(reputed, "method", None),
        conclusive=getattr(reputed, "is_conclusive", None),
        probability=round(content.probability, 2) if isinstance(content, Score) else None,
        iprev=checked.iprev.status.value,
        spf=checked.spf.status.value,
        dkim=list(checked.dkim_domains) or None,
        dmarc=checked.dmarc.status.value,
        problem=problem,
    )

"""Forwarding: copies of what was accepted here for addresses of other servers, as entries of the queue.

Only what passed the judgement of an account goes on, and nothing that it takes for junk: others would judge us by it.
Everything costly is done before the transaction that places the copies; `write` is within it.

A message that an address forwarded once is not forwarded by it again: its Delivered-To says so (RFC 9228 §4).
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.config.source import Config
from appliance.delivery import passes, secrets, stamp
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import Copy, Forward, Plan
from appliance.delivery.decide import Accept
from appliance.delivery.judge import Incoming, Judgement
from appliance.mail import header, returnpath, smtputf8
from appliance.mail.address import NULL_PATH, Address, AddressError, Path, parse_address
from appliance.mail.domain import Domain
from appliance.msgauth import arcseal
from appliance.msgauth.dkim import sign
from appliance.store import forwarded, junk, mailbox, queued, secret
from appliance.store.bodies import NewBody
from appliance.store.problems import NoSuchAccount
from appliance.store.queuerecords import QueuedMessage
from appliance.store.records import JUNK
from appliance.store.tables import AccountID, BodyID, QueueID
from appliance.store.transaction import ReadTx, WriteTx

log = Log("delivery")

counted = Counter("delivery_forward_total", "Copies for other servers, by what became of them.", ("result",))

#: What a notice of failure is asked for (RFC 3461 §4.1): delays are nobody's business here, and the sender was told
#: of success when it was delivered.
_NOTIFY: Final = ("FAILURE",)
_SUBJECT_CHARACTERS: Final = 300
#: Of chance for the secret that sender addresses are made with.
_SECRET_OCTETS: Final = 32


@dataclass(frozen=True, slots=True)
class Onward:
    """A copy made ready for the queue."""

    forward: Forward
    entry: QueuedMessage
    #: The localpart of the sender address, when it is one of ours, and who gets notices that come to it.
    localpart: str
    returns_to: str

    @property
    def account(self) -> AccountID:
        """Who forwards."""
        return self.entry.account


async def make(
    app: Appliance,
    config: Config,
    incoming: Incoming,
    plan: Plan,
    judgements: Sequence[Judgement],
    rescued: Set[AccountID],
) -> list[Onward]:
    """The copies that may go on; not for accounts that have `rescued` the message from among refused ones before."""
    made: list[Onward] = []
    prefixes: dict[tuple[str, Copy, bool], bytes] = {}
    judged = dict(zip(plan.copies, judgements, strict=True))
    passed = _looped(config, incoming)
    for ways in plan.forwards:
        open_ways = [way for way in ways if way.by not in passed]
        if not open_ways:
            counted.labels("loop").inc()
            _say(incoming, ways[0], "not forwarded again by the same address")
            continue
        open_ways = [way for way in open_ways if way.copy.recipient.account not in rescued]
        accepted = [way for way in open_ways if is_good(app, way.copy, judged[way.copy])]
        if not accepted:
            counted.labels("notaccepted").inc()
            continue
        way = accepted[0]
        made.append(await _onward(app, config, incoming, way, judged[way.copy], prefixes))
    return made


def room(tx: ReadTx, onwards: Sequence[Onward], now: int) -> list[Onward]:
    """Those that their accounts may still forward today; none of an account that goes, with all it has in the queue."""
    left: dict[AccountID, int] = {}
    going = []
    for one in onwards:
        account = one.account
        if account not in left:
            left[account] = 0
            if _stays(tx, account):
                left[account] = limits.FORWARDS_PER_DAY - forwarded.forwarded(tx, account, now)
        left[account] -= 1
        if left[account] >= 0:
            going.append(one)
    return going


def _stays(tx: ReadTx, account: AccountID) -> bool:
    try:
        return not tx.account(account).removed
    except NoSuchAccount:
        return False


def write(tx: WriteTx, going: Sequence[Onward], body: NewBody) -> None:
    """Queue the copies, in the transaction that places the others."""
    until = tx.now + limits.RETURN_PATH_DAYS * returnpath.DAY_SECONDS * 1_000_000
    groups: dict[tuple[AccountID, str, str], list[Onward]] = {}
    for one in going:
        groups.setdefault((one.account, one.forward.by, one.entry.reverse_path), []).append(one)
    for (account, _, _), group in groups.items():
        for one in group:
            one.entry.next_attempt = tx.now
            if one.localpart:
                forwarded.keep(tx, one.localpart, one.returns_to, until)
        queued.add(tx, [one.entry for one in group], body)
        body = NewBody(None, group[0].entry.body, body.size)
        forwarded.count(tx, account, len(group))


def tell(incoming: Incoming, onwards: Sequence[Onward], going: Sequence[Onward]) -> None:
    """A line in the log for each, and the count."""
    for one in onwards:
        is_going = one in going
        counted.labels("queued" if is_going else "limit").inc()
        if is_going:
            _say(incoming, one.forward, "message forwarded", queued=one.entry.id, mailfrom=one.entry.reverse_path)
        else:
            _say(incoming, one.forward, "not forwarded, the account may not forward more now")


def _say(incoming: Incoming, way: Forward, what: str, **more: Any) -> None:
    stranger = incoming.envelope.stranger
    (stranger.log if stranger is not None else log).info(
        what, account=way.copy.recipient.found.account, by=way.by, to=str(way.to), **more
    )


def _looped(config: Config, incoming: Incoming) -> set[str]:
    """The addresses of ours that the message was delivered to before, canonical."""
    head, index = incoming.content.header, config.derived.addresses
    values = header.get_all(head.octets, head.fields, b"Delivered-To")
    prefix = incoming.envelope.prefix
    if prefix:
        values += header.get_all(prefix, header.fields(prefix, limits=limits.HEADER), b"Delivered-To")
    found = set()
    for value in values:
        try:
            address = parse_address(value.decode("utf-8", "replace").strip())
        except AddressError:
            continue
        key = index.key(address)
        if key is not None:
            found |= {key, address.unicode}
    return found


def is_good(app: Appliance, copy: Copy, judgement: Judgement) -> bool:
    """Whether an account has accepted the message as good: whoever forwards junk soon cannot forward anything."""
    verdict = judgement.verdict
    if not isinstance(verdict, Accept) or verdict.is_reject or judgement.report is not None:
        return False
    account, rules = copy.recipient.account, copy.recipient.settings.automatic_junk_flags
    with app.store.read() as tx:
        found = mailbox.find(tx, account, verdict.mailbox)
    flags = junk.judge(0, verdict.mailbox, found.roles if found is not None else 0, rules)
    return not flags & JUNK


async def _onward(
    app: Appliance,
    config: Config,
    incoming: Incoming,
    way: Forward,
    judgement: Judgement,
    prefixes: dict[tuple[str, Copy, bool], bytes],
) -> Onward:
    envelope, scanned = incoming.envelope, incoming.spooled.scanned
    by, recipient = parse_address(way.by), way.copy.recipient
    sender, returns_to = await _sender(app, incoming, by.domain, recipient.path)
    utf8 = envelope.smtputf8 or smtputf8.needed(
        localparts=(way.to.localpart, by.localpart, sender.localpart, way.copy.rcpt.localpart),
        content_needs=scanned.needs_smtputf8 or not envelope.prefix.isascii(),
    )
    key = (way.by, way.copy, utf8)
    if key not in prefixes:
        prefixes[key] = await _prefix(app, config, incoming, way.copy, judgement, by, utf8=utf8)
    entry = QueuedMessage(
        id=QueueID(0),
        base_id=QueueID(0),
        account=recipient.account,
        queued=0,
        reverse_path=sender.unicode,
        recipient=way.to.unicode,
        body=BodyID(0),
        size=0,
        next_attempt=0,
        prefix=prefixes[key],
        has_8bit=scanned.eight_bit,
        smtputf8=utf8,
        message_id=incoming.content.header.clues.message_id,
        subject=_shown(passes.subject(incoming.content)),
        requiretls=True if envelope.requiretls else None,
        notify=_NOTIFY,
        forwarded_by=way.by,
        is_only_copy=recipient.found.destination.forward_only,
    )
    return Onward(way, entry, sender.localpart if returns_to else "", returns_to)


async def _sender(app: Appliance, incoming: Incoming, domain: Domain, taker: Path) -> tuple[Path, str]:
    """The sender of the copy, and for one of ours that stands for another who gets its notices.

    No sender stays no sender (RFC 5321 §4.5.5). An address of ours passes SPF as it is. Others are told of failures
    only if SPF vouches for them: else they never wrote to us, perhaps, and `taker`, who forwards, is told.
    """
    path, checked = incoming.envelope.reverse_path, incoming.checked
    if path.is_null:
        return NULL_PATH, ""
    is_vouched_for = incoming.envelope.is_ours or (checked is not None and checked.mail_from_validated)
    known = incoming.envelope.addresses.domains
    if is_vouched_for and isinstance(path.domain, Domain) and path.domain.ascii in known:
        return path, ""
    returns_to = path.unicode if is_vouched_for else taker.unicode
    drawn = await secrets.known(app, secret.RETURN_PATH, _SECRET_OCTETS)
    localpart = returnpath.localpart(drawn, domain.ascii, returns_to, app.clock.now().timestamp())
    return Path(localpart, domain), returns_to


async def _prefix(
    app: Appliance,
    config: Config,
    incoming: Incoming,
    copy: Copy,
    judgement: Judgement,
    by: Address,
    *,
    utf8: bool,
) -> bytes:
    """The header fields that go before the message, sealed where we have judged who sent it."""
    added = stamp.forwarded_fields(incoming, copy, judgement, by, utf8=utf8)
    results, spooled = stamp.results(incoming, judgement, utf8=utf8), incoming.spooled
    if results is None or incoming.checked is None:
        return added
    try:
        seal = await arcseal.seal(
            config,
            by.domain,
            added + spooled.scanned.header,
            spooled.read,
            spooled.scanned.root.body,
            spooled.size,
            results=results,
            chain=incoming.checked.arc,
            now=app.clock.now().timestamp(),
            utf8=utf8,
        )
    except sign.CannotSign as problem:
        log.error("forwarded message not sealed", domain=by.domain.unicode, problem=str(problem))
        return added
    await trio.lowlevel.checkpoint()
    return seal + added


def _shown(subject: str) -> str:
    """On one line, whatever was encoded into it."""
    return "".join(character if character.isprintable() else " " for character in subject[:_SUBJECT_CHARACTERS])

"""Automatic replies: whoever writes to an account whose owner is away hears of it, once in some days (RFC 3834).

Nobody is told who did not write himself: no list, no program, no sender that nothing vouches for, nobody whose message
was not plainly meant for the account. A reply has no sender in its envelope and says that it is automatic, so that
nothing answers it. It is an entry of the queue, written with the memory of who was answered by the transaction that
places the message: so a crash neither forgets a reply nor sends it twice.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.config.addresses import AddressIndex, Found
from appliance.config.source import Config
from appliance.delivery import forwarding, judge, passes
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AT_ONCE, Copy
from appliance.delivery.decide import Accept
from appliance.delivery.judge import Incoming, Judgement
from appliance.mail import compose, header, html, letter
from appliance.mail.address import Address, AddressError
from appliance.mail.header import Field
from appliance.mail.letter import Letter, LetterError
from appliance.msgauth.dkim import sign
from appliance.msgauth.publicsuffix import organizational_domain
from appliance.msgauth.results import AuthStatus, Checked
from appliance.store import queued, vacation
from appliance.store.bodies import of_octets
from appliance.store.queuerecords import QueuedMessage
from appliance.store.tables import AccountID, BodyID, QueueID
from appliance.store.transaction import WriteTx
from appliance.store.webrecords import Vacation

log = Log("delivery")

counted = Counter("delivery_vacation_total", "Automatic replies to mail that came in.", ("result",))

#: Where nobody reads, or something answers by itself (RFC 3834 §2, RFC 5230 §4.6).
_NOBODY: Final = re.compile(
    r"mailer-?daemon|postmaster|daemon|root|listserv|majordomo|mailman|nobody|bounces?([+._=-].*)?|owner-.*|"
    r".*-(owner|request|bounces?|relay|errors?)|.*no[._-]?reply.*|.*do[._-]?not[._-]?reply.*|msprvs1=.*|prvs=.*-bounces?"
)
#: Fields of mail that goes to many (RFC 2369, RFC 2919).
_LISTS: Final = frozenset(
    f"list-{name}" for name in ("id", "help", "unsubscribe", "subscribe", "post", "owner", "archive")
)
_BULK: Final = frozenset({"bulk", "list", "junk"})
#: What programs of one vendor write for those of others: answer nothing by yourself.
_SUPPRESSED: Final = frozenset({"all", "oof", "autoreply"})
_ID: Final = re.compile(rb"<[^<>\s]{1,900}>")
#: Of those before it.
_REFERENCES: Final = 20
_SUBJECT_CHARACTERS: Final = 200
DEFAULT_TEXT: Final = "I am away, and will read your message when I am back.\n"
_RANDOM_OCTETS: Final = 18
#: A longer reply is written in a thread.
_INLINE_CHARACTERS: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """One made ready for the queue."""

    copy: Copy
    #: By which the sender will be known to have been answered.
    names: tuple[str, ...]
    entry: QueuedMessage
    octets: bytes

    @property
    def account(self) -> AccountID:
        """Whose reply it is."""
        return self.entry.account


async def make(
    app: Appliance, config: Config, incoming: Incoming, wanted: Sequence[Copy], judgements: Sequence[Judgement]
) -> list[Reply]:
    """The replies that a message calls for; all that is costly of them."""
    sender = incoming.envelope.reverse_path.address
    if sender is None:  # RFC 3834 §2: also of a host without a name, which nothing vouches for.
        return []
    names = _names(sender, incoming.msg_from)
    found: list[tuple[Copy, Judgement, Vacation]] = []
    with app.store.read() as tx:
        now = app.clock.microseconds()
        for copy, judgement in zip(wanted, judgements, strict=True):
            account = copy.recipient.account
            if isinstance(judgement.verdict, Accept) and vacation.may_answer(tx, account, names, now):
                found.append((copy, judgement, vacation.find(tx, account)))
    if not found or not _is_personal(incoming, sender):
        return []
    head = incoming.content.header
    values = [one for name in (b"To", b"Cc") for one in header.get_all(head.octets, head.fields, name)]
    if sum(map(len, values)) > judge.ADDRESSES_INLINE:
        addressed = await trio.to_thread.run_sync(judge.addresses, values)
    else:
        addressed = judge.addresses(values)
    replies: list[Reply] = []
    for copy, judgement, one in found:
        replies += await _reply(app, config, incoming, copy, judgement, one, sender, addressed, names)
        if len(replies) % AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
    return replies


def _names(sender: Address, msg_from: Address | None) -> tuple[str, ...]:
    """Some senders have another address in each envelope, and are known by From."""
    return tuple(dict.fromkeys(one.unicode for one in (sender, msg_from) if one is not None))


def write(tx: WriteTx, replies: Sequence[Reply]) -> list[Reply]:
    """Queue replies, in the transaction that places the message; those that nobody has got meanwhile."""
    queued_ones = []
    for one in replies:
        if not vacation.may_answer(tx, one.account, one.names, tx.now):
            continue
        vacation.answered(tx, one.account, one.names)
        one.entry.next_attempt = tx.now
        queued.add(tx, [one.entry], of_octets(one.octets))
        queued_ones.append(one)
    return queued_ones


def tell(replies: Sequence[Reply]) -> None:
    """A line in the log for each, and the count."""
    for one in replies:
        counted.labels("queued").inc()
        log.info(
            "automatic reply",
            account=one.copy.recipient.found.account,
            recipient=one.entry.recipient,
            queued=one.entry.id,
        )


# Who is answered.


def _is_personal(incoming: Incoming, sender: Address) -> bool:
    """Whether somebody wrote it himself, and is who he says."""
    if _NOBODY.fullmatch(sender.localpart.lower()):
        return False
    if incoming.msg_from is None or _NOBODY.fullmatch(incoming.msg_from.localpart.lower()):
        return False
    head = incoming.content.header
    if not all(_may_be_personal(head.octets, one) for one in head.fields):
        return False
    return incoming.checked is None or _is_vouched_for(incoming.checked, sender)


def _may_be_personal(octets: bytes, field: Field) -> bool:
    """What a single field says of it."""
    name = field.name.decode("ascii", "replace").lower()
    if name in _LISTS:
        return False
    if name not in {"auto-submitted", "precedence", "x-auto-response-suppress", "content-type"}:
        return True
    value = header.content(octets, field).decode("ascii", "replace").lower()
    if name == "content-type":
        return value.partition(";")[0].strip() != "multipart/report"
    if name == "auto-submitted":  # RFC 3834 §5.1
        return value.partition(";")[0].partition("(")[0].strip() == "no"
    words = {one.strip() for one in value.split(",")}
    return words.isdisjoint(_BULK if name == "precedence" else _SUPPRESSED)


def _is_vouched_for(checked: Checked, sender: Address) -> bool:
    """Whether the reply goes to who wrote: else strangers would have us write to whom they like.

    Where DMARC fails, From is said not to be who wrote. The reply would go to a forwarder that SPF vouches for, or to a
    forger: he would hear that the reader is away, and the real sender would not, being remembered as told.
    """
    if checked.dmarc.status is AuthStatus.FAIL:
        return False
    if checked.mail_from_validated:
        return True
    org = checked.msg_from_org_domain
    return checked.msg_from_validated and org is not None and organizational_domain(sender.domain) == org


def _own_address(index: AddressIndex, copy: Copy, addressed: frozenset[Address]) -> Address | None:
    """The address of the account that the message was written to: the one it came by, if that stands there."""
    account = copy.recipient.found.account
    if copy.rcpt.address in addressed and _leads_to(index, copy.rcpt.address, account):
        return copy.rcpt.address
    return next((one for one in sorted(addressed, key=str) if _leads_to(index, one, account)), None)


def _leads_to(index: AddressIndex, address: Address | None, account: str) -> bool:
    found = index.lookup(address) if address is not None else None
    return isinstance(found, Found) and found.account == account and not found.reports


# What is replied.


async def _reply(
    app: Appliance,
    config: Config,
    incoming: Incoming,
    copy: Copy,
    judgement: Judgement,
    one: Vacation,
    sender: Address,
    addressed: frozenset[Address],
    names: tuple[str, ...],
) -> list[Reply]:
    """The reply to one copy, if it calls for any."""
    index, verdict = config.derived.addresses, judgement.verdict
    account = copy.recipient.found.account
    is_own = any(_leads_to(index, who, account) for who in (sender, incoming.msg_from))
    is_list = isinstance(verdict, Accept) and verdict.is_mailing_list
    if is_own or is_list or judgement.returned is not None or not forwarding.is_good(app, copy, judgement):
        return []
    own = _own_address(index, copy, addressed)
    if own is None:
        return []
    utf8 = own.needs_smtputf8 or sender.needs_smtputf8
    write = partial(_octets, app, config, incoming, copy, one, own, sender, utf8=utf8)
    is_long = len(one.text or "") + len(one.html or "") > _INLINE_CHARACTERS
    try:
        octets, signatures, message_id, subject = await trio.to_thread.run_sync(write) if is_long else write()
    except (LetterError, AddressError) as error:
        log.error("automatic reply could not be made", error, account=account)
        return []
    entry = QueuedMessage(
        id=QueueID(0),
        base_id=QueueID(0),
        account=copy.recipient.account,
        queued=0,
        reverse_path="",  # RFC 3834 §3.3: so that nothing answers it.
        recipient=sender.unicode,
        body=BodyID(0),
        size=0,
        next_attempt=0,
        prefix=signatures,
        has_8bit=not octets.isascii(),
        smtputf8=utf8,
        message_id=message_id,
        subject=subject,
        is_automatic=True,
    )
    return [Reply(copy, names, entry, octets)]


def _octets(
    app: Appliance,
    config: Config,
    incoming: Incoming,
    copy: Copy,
    one: Vacation,
    own: Address,
    sender: Address,
    *,
    utf8: bool,
) -> tuple[bytes, bytes, str, str]:
    """The message, its signatures, its Message-ID and its subject. Raises LetterError, AddressError."""
    recipient = copy.recipient
    name = recipient.found.destination.full_name or recipient.settings.full_name
    subject = _shown(one.subject if one.subject is not None else f"Auto: {passes.subject(incoming.content)}")
    text = one.text
    if text is None:
        text = html.to_text(one.html).strip() if one.html else DEFAULT_TEXT
    message_id = compose.message_id(app.random.token_bytes(16), config.static.hostname.domain)
    made = Letter(
        from_=[(name, own)],
        to=[("", sender)],
        subject=subject,
        date=datetime.fromtimestamp(app.clock.microseconds() / 1e6, UTC),
        message_id=message_id,
        references=_references(incoming, utf8=utf8),
        fields=[("Auto-Submitted", "auto-replied")],  # RFC 3834 §5
        text=text or "\n",
        html=one.html or "",
        utf8=utf8,
    )

    def boundary() -> str:
        return "=_" + urlsafe_b64encode(app.random.token_bytes(_RANDOM_OCTETS)).decode()

    octets = b"".join(letter.pieces(made, boundary))
    try:
        signatures = sign.sign_octets(config, own, octets, now=app.clock.now().timestamp(), utf8=utf8)
    except sign.CannotSign as problem:
        log.error("automatic reply not signed", domain=str(own.domain), problem=str(problem))
        signatures = b""
    return octets, signatures, message_id, subject


def _shown(subject: str) -> str:
    """On one line, whatever was encoded into it."""
    return "".join(character if character.isprintable() else " " for character in subject[:_SUBJECT_CHARACTERS])


def _references(incoming: Incoming, *, utf8: bool) -> list[str]:
    """The messages before the reply, the one that it answers last (RFC 3834 §3.1.5)."""
    head, prefix = incoming.content.header, incoming.envelope.prefix
    own = _ids(head.octets, head.fields, b"Message-ID")
    if not own and prefix:  # What a submission lacked was added to it.
        own = _ids(prefix, header.fields(prefix, limits=limits.HEADER), b"Message-ID")
    if not own:
        return []
    before = _ids(head.octets, head.fields, b"References") or _ids(head.octets, head.fields, b"In-Reply-To")
    found = [*before[-_REFERENCES:], own[0]]
    return [one for one in found if letter.is_id(one, utf8=utf8)]


def _ids(octets: bytes, fields: Sequence[Field], name: bytes) -> list[str]:
    return [
        one.decode("utf-8", "replace") for value in header.get_all(octets, fields, name) for one in _ID.findall(value)
    ]

"""The verb that sends a receipt (MDN) for a message, whose sender has asked for one (RFC 8098, RFC 9007).

A receipt has no sender in its envelope, so that nothing comes back of it. That one was sent is told by a keyword of the
message, which who asks for the receipt sets.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from typing import Final

import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail import address as addresses, compose, dsn, header, mdn, words
from appliance.mail.address import NULL_PATH, Address, AddressError, Path, parse_address
from appliance.mail.domain import DomainError, parse_domain
from appliance.mail.header import Field
from appliance.mail.mdn import Disposition, Receipt
from appliance.mail.received import Received
from appliance.operations import identities, submit
from appliance.operations.actor import Actor, Right
from appliance.operations.identities import NoSuchIdentity, Shown
from appliance.operations.messages import find
from appliance.operations.submit import NotYourAddress, SenderDisabled, Submission, To
from appliance.store import bodies, message as messages
from appliance.store.problems import NoSuchMessage
from appliance.store.records import DELETED, Facts, Flag, Row
from appliance.store.tables import MessageID

#: What says that a receipt was sent (RFC 3503).
SENT: Final = "$mdnsent"
#: Octets of a message that goes back with its receipt; addresses that get one; characters of an id.
_ORIGINAL_OCTETS: Final = 10 * limits.MIB
_ADDRESSES: Final = 10
_ID_CHARACTERS: Final = 900
_SUBJECT_CHARACTERS: Final = 200
_RANDOM_OCTETS: Final = 18


class NotAsked(Problem):
    """The sender wants no receipt, or none that can be sent."""

    kind = Kind.NOT_FOUND


class AlreadySent(Problem):
    """There was one for the message."""

    kind = Kind.CONFLICT


class NotByItself(Problem):
    """A person has to say that it may be sent (RFC 8098 §2.1)."""

    kind = Kind.FORBIDDEN


class BadRecipient(Problem):
    """It is not clear, or cannot be, for whom the receipt is."""

    kind = Kind.INVALID


class ForbiddenRecipient(Problem):
    """The account may not speak for the address."""

    kind = Kind.FORBIDDEN


class TooLarge(Problem):
    """More octets than a message may have."""

    kind = Kind.LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A receipt to be sent."""

    identity: str
    message: MessageID
    #: What it says, but for what comes of the message. `final_recipient`: as the client has it, or empty.
    said: Disposition
    subject: str | None = None
    text: str | None = None
    includes_original: bool = False
    max_octets: int
    trace: Received | None = None


async def send(app: Appliance, actor: Actor, config: Config, wanted: Wanted, *, log: Log) -> Disposition:
    """Send a receipt for a message of the actor's own account; what it says.

    Raises NoSuchMessage, NoSuchIdentity, NotAsked, AlreadySent, NotByItself, BadRecipient, ForbiddenRecipient,
    TooLarge, NotAllowed, and what `submit` raises.
    """
    actor.require(Right.SUBMIT)
    identity = identities.all_of(app, actor, config).get(wanted.identity)
    if identity is None:
        raise NoSuchIdentity("no such identity")
    # What is removed meanwhile is not erased while somebody listens.
    listener = app.store.subscribe(actor.account)
    try:
        return await _send(app, actor, config, identity, wanted, log)
    finally:
        listener.close()


async def _send(app: Appliance, actor: Actor, config: Config, identity: Shown, wanted: Wanted, log: Log) -> Disposition:
    with app.store.read() as tx:
        mailbox, place = find(tx, actor, wanted.message)
        row = messages.row(tx, actor.account, mailbox.id, place.uid)
        known = messages.facts(tx, actor.account, wanted.message)
        head = messages.prefix(tx, actor.account, wanted.message) + bodies.read(tx, place.body, 0, known.root.body)
    if row is None or row.flags & DELETED:
        raise NoSuchMessage("no such message")
    if row.flags & Flag.MDN_SENT:
        raise AlreadySent("a receipt was sent for the message")
    fields = header.fields(head, limits=limits.HEADER)
    to = _asked(head, fields, known)
    if wanted.said.sending_mode == "mdn-sent-automatically":
        _may_go_by_itself(to, known)
    final = _final(config, actor, identity, wanted.said.final_recipient, head, fields, known)
    ids = header.get_all(head, fields, b"Message-ID")
    id = ids[0].decode("utf-8", "replace") if len(ids) == 1 else ""
    meant = header.get_all(head, fields, b"Original-Recipient")
    said = replace(
        wanted.said,
        final_recipient=wanted.said.final_recipient or f"rfc822; {final.unicode}",
        # RFC 8098 §3.2.3: several say nothing.
        original_recipient=_one_line(meant[0].decode("utf-8", "replace")) if len(meant) == 1 else "",
        original_message_id=_one_line(id) if id.startswith("<") and len(id) <= _ID_CHARACTERS else "",
    )
    subject = (header.get(head, fields, b"Subject") or b"")[:_SUBJECT_CHARACTERS]

    def write() -> bytes:
        return _octets(app, config, identity, wanted, said, final, to, row, subject)

    octets = await trio.to_thread.run_sync(write)
    async with app.store.spool() as spool:
        await spool.write(octets)
        outgoing = Submission(
            reverse_path=NULL_PATH,
            recipients=[To(Path(one.localpart, one.domain)) for one in to],
            spooled=await spool.finish(),
            trace=wanted.trace,
            has_own_id=False,
        )
        try:
            await submit.submit(app, actor, outgoing, log=log)
        except (NotYourAddress, SenderDisabled) as problem:
            raise ForbiddenRecipient(str(problem)) from problem
    return said


def _octets(
    app: Appliance,
    config: Config,
    identity: Shown,
    wanted: Wanted,
    said: Disposition,
    final: Address,
    to: list[Address],
    row: Row,
    subject: bytes,
) -> bytes:
    """The receipt. In a thread. Raises TooLarge, NoSuchMessage."""
    original = None
    if wanted.includes_original:
        if row.size > min(_ORIGINAL_OCTETS, wanted.max_octets):
            raise TooLarge("the message is too large to go with its receipt")
        with app.store.read() as tx:
            try:
                original = bodies.read(tx, row.body, 0, row.size)
            except KeyError as error:
                raise NoSuchMessage("the message was removed") from error
    utf8 = any(one.needs_smtputf8 for one in (final, *to))
    title = f"Receipt: {words.decode(subject)}"
    receipt = Receipt(
        said=replace(said, final_recipient=dsn.typed_address(final.unicode, utf8)),
        sender=(identity.name, final),
        to=to,
        subject=_one_line(wanted.subject if wanted.subject is not None else title),
        text=wanted.text if wanted.text is not None else _TEXT.format(kind=said.kind, final=final.unicode),
        when=app.clock.now(),
        references=said.original_message_id,
        original=original,
        utf8=utf8,
    )
    random = app.random.token_bytes
    message_id = compose.message_id(random(_RANDOM_OCTETS), config.static.hostname.domain)
    boundary = "=_" + urlsafe_b64encode(random(_RANDOM_OCTETS)).decode()
    try:
        return mdn.write(receipt, message_id=message_id, boundary=boundary, max_octets=wanted.max_octets)
    except compose.TooLarge as error:
        raise TooLarge(str(error)) from error


_TEXT: Final = (
    "The message to {final} was {kind}.\n\nThis is no guarantee that it was read, or understood.\n"  # RFC 8098 §3.2.6.2
)


def _asked(head: bytes, fields: list[Field], known: Facts) -> list[Address]:
    """Who wants a receipt. Raises NotAsked."""
    if mdn.is_notice(known.root):  # RFC 8098 §3: none for receipts, whatever they say.
        raise NotAsked("the message is a receipt itself")
    if b"required" in (header.get(head, fields, b"Disposition-Notification-Options") or b"").lower():
        raise NotAsked("the receipt would need something that is not known here (Disposition-Notification-Options)")
    values = header.get_all(head, fields, b"Disposition-Notification-To")
    found: dict[Address, None] = {}
    for one in addresses.mailboxes(
        entry for value in values for entry in addresses.parse_list(value, limits.ADDRESSES)
    ):
        try:
            found[Address(one.localpart, parse_domain(one.domain, lax=True))] = None
        except (AddressError, DomainError):
            continue
    if len(values) != 1 or not found or len(found) > _ADDRESSES:
        raise NotAsked("the message has no Disposition-Notification-To that a receipt could go to")
    return list(found)


def _may_go_by_itself(to: list[Address], known: Facts) -> None:
    """RFC 8098 §2.1: or strangers would have us write to whom they like. Raises NotByItself."""
    try:
        sender = parse_address(known.origin.mail_from) if known.origin.mail_from else None
    except AddressError:
        sender = None
    if to != [sender]:
        raise NotByItself("the receipt would go to another address than the message came from")


def _final(
    config: Config, actor: Actor, identity: Shown, given: str, head: bytes, fields: list[Field], known: Facts
) -> Address:
    """For whom the receipt is, who is its sender, too. Raises BadRecipient, ForbiddenRecipient."""
    if given:
        try:
            address = parse_address(mdn.address_of(given))
        except AddressError as error:
            raise BadRecipient(f"that is no address: {error}") from error
        if not identities.may_send_as(config, actor.name, address.unicode):
            raise ForbiddenRecipient(f"{address} is not an address of this account")
        return address
    if not identity.email.startswith(identities.ANY):
        return parse_address(identity.email)
    # Any address of a domain: the one that was written to.
    written = [one for name in (b"To", b"Cc") for one in header.get_all(head, fields, name)]
    listed = addresses.mailboxes(entry for value in written for entry in addresses.parse_list(value, limits.ADDRESSES))
    for text in (known.origin.rcpt_to, *(one.addr_spec for one in listed)):
        try:
            address = parse_address(text)
        except AddressError:
            continue
        if identity.covers(address):
            return address
    raise BadRecipient("the message was written to no address of this identity")


def _one_line(text: str) -> str:
    return "".join(" " if character < " " or character == "\x7f" else character for character in text).strip()

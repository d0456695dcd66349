"""Sending a message that lies in a mailbox, as JMAP does (RFC 8621 §7), and taking it back while it waits.

The message goes where all go (`submit`): what is sent are its octets, without Bcc. What became of it for each recipient
is remembered (store/submission.py). Where its copy stays is for the client to say: it lies there already.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail import address as addresses, header
from appliance.mail.address import Address, AddressError, Mailbox, Path, parse_address, parse_path
from appliance.mail.domain import DomainError, parse_domain
from appliance.mail.hookpayload import Event
from appliance.mail.received import Received
from appliance.operations import canceling, identities, submit
from appliance.operations.actor import Actor, Right
from appliance.operations.identities import NoSuchIdentity, Shown
from appliance.operations.messages import find
from appliance.operations.submit import NotYourAddress, SenderDisabled, Stored, SubmissionRefused, To
from appliance.protocol.smtp import command
from appliance.protocol.smtp.command import Mail, Rcpt
from appliance.protocol.smtp.reply import ProtocolError
from appliance.protocol.smtp.settings import Kind as Door, Settings
from appliance.store import message as messages, prepare, queued, submission
from appliance.store.problems import NoSuchMessage
from appliance.store.recipients import Person
from appliance.store.records import Prepared
from appliance.store.senders import SentTo
from appliance.store.submission import NewSubmission
from appliance.store.tables import MessageID, SubmissionID
from appliance.store.transaction import WriteTx
from appliance.store.webrecords import Submission as Remembered

log = Log("submission")

Parameters = Mapping[str, str | None]

_PARAMETER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
#: Values that SMTP has as xtext, which JSON has plain (RFC 8621 §7, RFC 3461 §4).
_XTEXT: Final = re.compile(r"[^!-*,-<>-~]")
_ADDRESS_OCTETS: Final = 2000
_SHOWN_CHARACTERS: Final = 300


class NotSent(Problem):
    """A submission that is refused for what it asks for."""

    kind = Kind.INVALID


class BadEmail(NotSent):
    """The message cannot be sent as it is."""

    def __init__(self, text: str, *names: str) -> None:
        super().__init__(text)
        #: The properties of the message that are to blame.
        self.names = names


class BadEnvelope(NotSent):
    """Parameters that are not known, or say what cannot be."""


class NoRecipients(NotSent):
    """There is nobody to send it to."""


class TooManyRecipients(NotSent):
    """More than one submission may have."""


class InvalidRecipients(NotSent):
    """Some are no addresses."""

    def __init__(self, invalid: Sequence[str]) -> None:
        super().__init__(f"not an address: {invalid[0][:300]}")
        self.invalid = invalid


class ForbiddenSender(NotSent):
    """The account may not have this sender in the envelope."""

    kind = Kind.FORBIDDEN


class ForbiddenFrom(NotSent):
    """The account may not have this From."""

    kind = Kind.FORBIDDEN


class TooLarge(NotSent):
    """More octets than a message may have."""

    kind = Kind.LIMIT


class CannotUnsend(Problem):
    """It is on its way, or was taken back before."""

    kind = Kind.CONFLICT


class NoSuchSubmission(Problem):
    """None of this number is remembered."""

    kind = Kind.NOT_FOUND


@dataclass(frozen=True, slots=True)
class EnvelopeAddress:
    """An address of SMTP with its parameters, by name; None: the parameter has no value."""

    email: str
    parameters: Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be submitted."""

    identity: str
    message: MessageID
    #: None: made of the header.
    envelope: tuple[EnvelopeAddress, Sequence[EnvelopeAddress]] | None
    max_octets: int
    trace: Received | None = None


async def create(app: Appliance, actor: Actor, config: Config, wanted: Wanted, *, log: Log) -> Remembered:
    """Submit a message of the actor's own account to all its recipients, or to none; what is remembered of it.

    Raises NotSent, NoSuchMessage, NoSuchIdentity, NotAllowed, and what `submit` raises.
    """
    actor.require(Right.SUBMIT)
    identity = identities.all_of(app, actor, config).get(wanted.identity)
    if identity is None:
        raise NoSuchIdentity("no such identity")
    # What is removed meanwhile is not erased while somebody listens.
    listener = app.store.subscribe(actor.account)
    try:
        return await _create(app, actor, config, identity, wanted, log)
    finally:
        listener.close()


async def _create(
    app: Appliance, actor: Actor, config: Config, identity: Shown, wanted: Wanted, log: Log
) -> Remembered:
    with app.store.read() as tx:
        mailbox, place = find(tx, actor, wanted.message)
        row = messages.row(tx, actor.account, mailbox.id, place.uid)
        known = messages.prepared(tx, actor.account, wanted.message)
    assert row is not None
    if row.size > wanted.max_octets:
        raise TooLarge(f"a message has at most {wanted.max_octets} octets")

    def read_envelope() -> tuple[EnvelopeAddress, Mail, Sequence[EnvelopeAddress], list[To]]:
        sender, to = wanted.envelope or _of_header(config, actor, identity, known)
        mail = _mail(app, config, sender, wanted.max_octets)
        return sender, mail, to, _recipients(config, to, wanted.max_octets)

    # A thousand recipients take some twenty milliseconds.
    sender, mail, to, recipients = await trio.to_thread.run_sync(read_envelope)
    if not mail.path.is_null:
        try:
            submit.check_sender(config, actor.name, mail.path)
        except (NotYourAddress, SenderDisabled) as problem:
            raise ForbiddenSender(str(problem)) from problem
    sent_to = await trio.to_thread.run_sync(_sent_to, known, [one.path for one in recipients], app.store.limits.prepare)
    new = NewSubmission(
        identity.id,
        wanted.message,
        row.thread,
        mail.path.unicode,
        sender.parameters,
        {one.path.unicode: asked.parameters for one, asked in zip(recipients, to, strict=True)},
    )
    try:
        spooled = await app.store.stored(row.body)
    except KeyError as error:
        raise NoSuchMessage("the message was removed") from error
    outgoing = submit.Submission(
        reverse_path=mail.path,
        recipients=recipients,
        spooled=spooled,
        trace=wanted.trace,
        requiretls=mail.requiretls,
        release=mail.release.moment if mail.release else None,
        future_release=mail.release.text if mail.release else "",
        ret=mail.ret,
        envid=mail.envid,
        has_own_id=False,
        strips_bcc=True,
        stored=Stored(new, sent_to),
    )
    try:
        accepted = await submit.submit(app, actor, outgoing, log=log)
    except submit.SubmissionRefused as problem:
        raise _refused(problem) from problem
    assert accepted.submission is not None
    return accepted.submission


def _refused(problem: SubmissionRefused) -> Problem:
    """What a refusal is here."""
    said = str(problem)
    match problem:
        case submit.TooManyMessages() | submit.TooManyNewRecipients():
            return problem
        case NotYourAddress() | SenderDisabled():
            return ForbiddenFrom(said)
        case submit.OneIDForMany():
            return ForbiddenSender(said)
        case submit.HeaderTooLarge() | submit.BadExtra() | submit.ReturnPathPresent():
            return BadEmail(said, "headers")
        case submit.Malformed() if not isinstance(problem, submit.NoHeaderEnd):
            return BadEmail(said, "from")
        case _:
            return BadEmail(said)


# The envelope.


def _of_header(
    config: Config, actor: Actor, identity: Shown, known: Prepared
) -> tuple[EnvelopeAddress, Sequence[EnvelopeAddress]]:
    """The envelope that a header means (RFC 8621 §7). Raises BadEmail, InvalidRecipients."""
    found = _addresses(known, "sender")
    name = "sender" if found else "from"
    found = found or _addresses(known, "from")
    if len(found) != 1:
        raise BadEmail(f"{name.capitalize()} must be exactly one address", name)
    email = identity.email
    try:
        address = _address(found[0])
        submit.check_sender(config, actor.name, address)
        if identity.covers(address) or email.startswith(identities.ANY):
            email = address.unicode
    except (AddressError, NotYourAddress, SenderDisabled):
        if email.startswith(identities.ANY):
            raise ForbiddenSender(f"{found[0].addr_spec[:300]} is not an address of this account") from None
    recipients: dict[str, EnvelopeAddress] = {}
    invalid = []
    for field in ("to", "cc", "bcc"):
        # Who reads it leniently would not send it to all who are meant.
        invalid += [
            value.decode("utf-8", "replace")[:_SHOWN_CHARACTERS]
            for value in _values(known, field)
            if value and not addresses.is_sound_list(value, limits.ADDRESSES)
        ]
        for one in _addresses(known, field):
            try:
                email_of_one = _address(one).unicode
            except AddressError:
                invalid.append(one.addr_spec)
                continue
            recipients.setdefault(email_of_one, EnvelopeAddress(email_of_one, {}))
    if invalid:
        raise InvalidRecipients(invalid)
    return EnvelopeAddress(email, {}), list(recipients.values())


def _values(known: Prepared, name: str) -> list[bytes]:
    lines = known.fields.get(name, b"")
    return header.get_all(lines, header.fields(lines, limits=limits.HEADER), name.encode())


def _addresses(known: Prepared, name: str) -> list[Mailbox]:
    values = _values(known, name)
    return [one for value in values for one in addresses.mailboxes(addresses.parse_list(value, limits.ADDRESSES))]


def _address(one: Mailbox) -> Address:
    """Raises AddressError."""
    try:
        return Address(one.localpart, parse_domain(one.domain, lax=True))
    except DomainError as error:
        raise AddressError(str(error)) from error


def _mail(app: Appliance, config: Config, sender: EnvelopeAddress, max_octets: int) -> Mail:
    """The sender, as MAIL would have it: what SMTP says of its parameters holds here too. Raises NotSent."""
    path = Path("", None)
    if sender.email:
        try:
            path = _path(sender.email)
        except AddressError as error:
            raise ForbiddenSender(f"mailFrom is not an address: {error}") from error
    settings = _settings(config, max_octets)
    text = b"FROM:<>" + _written(sender.parameters)
    try:
        mail = command.parse_mail(text, settings, tls=True, now=app.clock.now)
    except ProtocolError as error:
        raise BadEnvelope(f"mailFrom: {_said(error)}") from error
    return Mail(path, mail.size_octets, mail.body, mail.smtputf8, mail.requiretls, mail.release, mail.ret, mail.envid)


def _recipients(config: Config, to: Sequence[EnvelopeAddress], max_octets: int) -> list[To]:
    """Raises NotSent."""
    if not to:
        raise NoRecipients("a message needs a recipient")
    if len(to) > limits.SMTP.recipients:
        raise TooManyRecipients(f"at most {limits.SMTP.recipients} recipients")
    found, invalid = [], []
    settings = _settings(config, max_octets)
    for one in to:
        try:
            path = _path(one.email)
        except AddressError:
            invalid.append(one.email)
            continue
        text = b"TO:<a@example.org>" + _written(one.parameters)
        try:
            rcpt: Rcpt = command.parse_rcpt(text, settings, smtputf8=True)
        except ProtocolError as error:
            raise BadEnvelope(f"rcptTo: {_said(error)}") from error
        found.append(To(path, rcpt.notify, rcpt.orcpt))
    if invalid:
        raise InvalidRecipients(invalid)
    return found


def _path(email: str) -> Path:
    """Raises AddressError."""
    if len(email) > _ADDRESS_OCTETS or "<" in email or ">" in email:
        address = parse_address(email)  # Of a quoted localpart, or none at all.
        return Path(address.localpart, address.domain)
    path = parse_path(f"<{email}>".encode("utf-8", "replace"), smtputf8=True)
    if path.address is None:
        raise AddressError("an address has a localpart and a domain")
    return path


def _settings(config: Config, max_octets: int) -> Settings:
    return Settings(
        Door.SUBMISSION,
        config.static.hostname.domain.ascii,
        max_octets,
        starttls=False,
        requiretls=True,
        future_release=True,
        pedantic=False,
        limits=limits.SMTP,
    )


def _written(parameters: Parameters) -> bytes:
    """Parameters as SMTP has them. Raises BadEnvelope."""
    written = []
    for name, value in parameters.items():
        upper = name.upper()
        if not _PARAMETER.fullmatch(name):
            raise BadEnvelope(f"{name[:100]!r} cannot be the name of a parameter")
        if value is None:
            written.append(upper)
            continue
        if upper == "ENVID":
            value = _XTEXT.sub(_hex, value)
        elif upper == "ORCPT":
            kind, semicolon, address = value.partition(";")
            value = kind + semicolon + (address if kind.lower() == "utf-8" else _XTEXT.sub(_hex, address))
        if " " in value or not value.isprintable():
            raise BadEnvelope(f"the value of parameter {name} cannot be so")
        written.append(f"{upper}={value}")
    return "".join(f" {one}" for one in written).encode("utf-8", "replace")


def _hex(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number > 0xFF:
        raise BadEnvelope("the value of a parameter goes beyond ASCII")
    return f"+{number:02X}"


def _said(error: ProtocolError) -> str:
    text = error.reply.text
    return text if isinstance(text, str) else " ".join(text)


def _sent_to(known: Prepared, paths: Sequence[Path], most: prepare.PrepareLimits) -> SentTo:
    """Whom it is sent to, as its writer will be remembered to know them: by the names in its header. In a thread."""
    called = {one.address.lower(): one.name for one in prepare.sent_to(known.fields, most).people}
    names: dict[bytes, None] = {}
    people = []
    for path in paths[: most.sent_to]:
        address = path.address
        if address is not None:
            prepare.add_names(names, address)
            people.append(Person(address.unicode, called.get(address.unicode.lower(), "")))
    return SentTo(b"".join(names), tuple(people[: limits.RECIPIENTS_OF_MESSAGE]))


# Afterwards.


async def cancel(app: Appliance, actor: Actor, config: Config, id: SubmissionID) -> None:
    """Take a submission back: nobody has got it, and nobody will. Raises NoSuchSubmission, CannotUnsend."""
    actor.require(Right.SUBMIT)

    def body(tx: WriteTx) -> int:
        one = submission.find(tx, actor.account, id)
        if one is None:
            raise NoSuchSubmission("no such submission")
        if one.canceled:
            raise CannotUnsend("it was taken back before")
        waiting = [queued.get(tx, told.queued) for told in submission.recipients(tx, actor.account, id)]
        if not waiting or any(entry is None or entry.attempts for entry in waiting):
            raise CannotUnsend("it is on its way already")
        submission.cancel(tx, actor.account, one)
        for entry in waiting:
            assert entry is not None
            canceling.end(tx, config, entry, Event.CANCELED, submission.CANCELED)
        return len(waiting)

    count = await app.store.write(body)
    log.info("submission taken back", account=actor.name, submission=id, recipients=count)


async def forget(app: Appliance, actor: Actor, id: SubmissionID) -> None:
    """Remember nothing of a submission any more; deliveries go on. Raises NoSuchSubmission."""
    actor.require(Right.SUBMIT)
    if not await app.store.write(submission.remove, actor.account, id):
        raise NoSuchSubmission("no such submission")

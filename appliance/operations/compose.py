"""Writing and sending a message that is put together here, from what its writer gave (mail.letter).

The message goes where those of SMTP go (`submit`), with the same rules. What is special: a copy for the mailbox for
sent mail, whose Bcc field nobody else gets to see.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail import compose, letter
from appliance.mail.address import Address, Path
from appliance.mail.letter import Letter, LetterError, Named
from appliance.mail.received import Received
from appliance.mail.status import Status
from appliance.operations import submit
from appliance.operations.actor import Actor
from appliance.operations.submit import Accepted, Once, Submission, To

#: Octets put together in one go, before others have their turn; messages with larger files are made in a thread.
_BATCH_OCTETS: Final = 256 * 1024
_INLINE_OCTETS: Final = 32 * 1024


class BadLetter(Problem):
    """Something that a message cannot have."""

    kind, status = Kind.INVALID, Status(5, 6, 0)


class BadMessageID(BadLetter):
    """A Message-ID that is none."""


class LetterTooLarge(Problem):
    """A message with more octets than one may have."""

    kind, status = Kind.LIMIT, Status(5, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to be sent, and to whom."""

    letter: Letter
    #: The address it is sent by; may get an id (`submit`).
    sender: Address
    bcc: Sequence[Named] = ()
    trace: Received | None = None
    requiretls: bool = False
    #: Not before; the past is now.
    release: datetime | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    #: Keep a copy in the mailbox for sent mail, if there is one.
    save_sent: bool = False
    once: Once | None = None
    max_octets: int


async def send(app: Appliance, actor: Actor, outgoing: Outgoing, *, log: Log) -> Accepted:
    """Put a message together and queue it for all its recipients, or for none.

    Raises BadLetter, LetterTooLarge, AddressError and what `submit` raises.
    """
    one = outgoing.letter
    now = app.clock.now()
    release, future_release = outgoing.release, ""
    if release is not None:
        if release - now > timedelta(seconds=limits.SMTP.future_release_seconds):
            raise BadLetter("the time of its release is too far away")
        release = release if release > now else None
    if release is not None:
        future_release = f"until;{release:%Y-%m-%dT%H:%M:%SZ}"  # RFC 4865 §9
    recipients = [To(Path(address.localpart, address.domain)) for _, address in (*one.to, *one.cc, *outgoing.bcc)]
    sent_prefix = None
    if outgoing.save_sent:
        sent_prefix = compose.address_field(b"Bcc", outgoing.bcc, utf8=one.utf8) if outgoing.bcc else b""
    async with app.store.spool() as spool:
        pieces = letter.pieces(one, lambda: "=_" + urlsafe_b64encode(app.random.token_bytes(18)).decode())
        files = (*one.alternative, *one.inline, *one.attached)
        weight = len(one.text) + len(one.html) + sum(file.size for file in files)
        try:
            more = True
            while more:
                if weight <= _INLINE_OCTETS:
                    octets, more = _batch(pieces)
                else:
                    octets, more = await trio.to_thread.run_sync(_batch, pieces)
                if spool.size + len(octets) > outgoing.max_octets:
                    raise LetterTooLarge(f"the message has more than {outgoing.max_octets} octets")
                await spool.write(octets)
        except letter.BadMessageID as error:
            raise BadMessageID(str(error)) from error
        except LetterError as error:
            raise BadLetter(str(error)) from error
        submission = Submission(
            reverse_path=Path(outgoing.sender.localpart, outgoing.sender.domain),
            recipients=recipients,
            spooled=await spool.finish(),
            trace=outgoing.trace,
            requiretls=outgoing.requiretls,
            release=release,
            future_release=future_release,
            extra=outgoing.extra,
            has_own_id=False,
            sent_prefix=sent_prefix,
            once=outgoing.once,
        )
        return await submit.submit(app, actor, submission, log=log)


def _batch(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    """Some of the message, and whether there may be more."""
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) >= _BATCH_OCTETS:
            return bytes(found), True
    return bytes(found), False

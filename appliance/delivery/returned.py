"""Notices of other servers about messages that were sent from here: which message one is about, and what it says.

Who logs in with an address for it sends with a unique sender address each time (operations.submit), and notices come
back to that address: its id names the message. Nobody vouches for a notice (RFC 3464 §4.1), but only those know the id
who have seen the message. A notice is mail all the same, and is placed as such; what it says is written down beside, in
the same transaction.
"""

import re
from dataclasses import dataclass
from typing import Final

import trio

from appliance.base.log import Log
from appliance.config.addresses import AddressIndex
from appliance.config.source import Config
from appliance.delivery import suppression
from appliance.mail import dsn
from appliance.mail.address import Path, parse_path
from appliance.mail.domain import Domain
from appliance.mail.dsn import Action, RecipientStatus
from appliance.mail.hookpayload import Event
from appliance.mail.part import Part
from appliance.mail.text import Reader
from appliance.store import queued
from appliance.store.queuerecords import Attempt, QueuedMessage, RetiredMessage
from appliance.store.tables import AccountID
from appliance.store.transaction import ReadTx, WriteTx

log = Log("delivery")

#: An id at least so long is taken for one of chance. Who chooses his own may choose a word that others guess.
UNGUESSABLE_CHARACTERS: Final = 16
#: A status part up to this size is read in the event loop.
INLINE_OCTETS: Final = 16 * 1024
#: Kept of what is said.
_TEXT_CHARACTERS: Final = 500

#: What is written down of other mail to the sender address of a message.
UNRECOGNIZED: Final = "mail to the sender address of the message that is no delivery status notification about it"

#: What a reply of SMTP begins with.
_CODES: Final = re.compile(r"\s*([245][0-9][0-9])(?![0-9])[ -]*(?:[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9]) *)?")
_ARRIVED: Final = frozenset({Action.DELIVERED, Action.RELAYED, Action.EXPANDED})
#: Networks and routes (RFC 3463 §3.5): they say nothing of an address.
_OF_THE_NETWORK: Final = 4


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says of its only recipient."""

    reporting_mta: str
    about: RecipientStatus

    @property
    def code(self) -> int:
        """Of the reply that was got; 0 when none is told."""
        found = _CODES.match(self.about.diagnostic)
        return int(found[1]) if found else 0

    @property
    def words(self) -> str:
        """The reply without its codes."""
        found = _CODES.match(self.about.diagnostic)
        return self.about.diagnostic[found.end() if found else 0 :]


@dataclass(frozen=True, slots=True)
class Returned:
    """A notice about a message that the recipient's account sent."""

    from_id: str
    #: None for what came to the message's own sender address and is no notice that can be read.
    notice: Notice | None

    @property
    def vouches(self) -> bool:
        """It is a notice, and the id none that others guess: who knows it has seen the message."""
        return self.notice is not None and len(self.from_id) >= UNGUESSABLE_CHARACTERS


@dataclass(frozen=True, slots=True)
class Heard:
    """What was written down of it."""

    #: The message as it was before.
    message: RetiredMessage
    event: Event
    #: Codes, 0 and empty where none is told; and what is said.
    code: int
    status: str
    text: str
    #: The recipient was put on the account's suppression list for it.
    is_suppressing: bool


def from_id(addresses: AddressIndex, path: Path) -> str:
    """The id in an address that mail came to: what follows the separator of its domain; empty without one."""
    entry = addresses.domains.get(path.domain.ascii) if isinstance(path.domain, Domain) else None
    if entry is None or not (separators := entry.config.localpart_catchall_separators):
        return ""
    return path.localpart.partition(str(separators[0]))[2]


def find(tx: ReadTx, account: AccountID, from_id: str) -> QueuedMessage | RetiredMessage | None:
    """The message of an account that has this id; those of others are none of its business."""
    one = queued.by_from_id(tx, from_id)
    return one if one is not None and one.account == account else None


async def read(root: Part, octets: Reader) -> Notice | None:
    """What a notice says; None for what is none, or is about several recipients. Long ones are read in a thread."""
    if not dsn.is_notice(root):
        return None
    size = root.parts[1].end - root.parts[1].body if len(root.parts) > 1 else 0
    return _read(root, octets) if size <= INLINE_OCTETS else await trio.to_thread.run_sync(_read, root, octets)


def _read(root: Part, octets: Reader) -> Notice | None:
    try:
        status = dsn.read(root, octets)
    except dsn.DSNError:
        return None
    if len(status.recipients) != 1:
        return None
    return Notice(status.reporting_mta, status.recipients[0])


def note(tx: WriteTx, config: Config, account: AccountID, returned: Returned) -> Heard | None:
    """Write down what came, in the transaction that places it; None when the message is not done yet.

    One that failed after all did not arrive, and its recipient may come on the suppression list.
    """
    done = find(tx, account, returned.from_id)
    if not isinstance(done, RetiredMessage):
        return None
    notice = returned.notice
    if notice is None:
        queued.add_result(tx, done, Attempt(tx.now, text=UNRECOGNIZED), failed=False)
        return Heard(done, Event.UNRECOGNIZED, 0, "", UNRECOGNIZED, is_suppressing=False)
    about = notice.about
    said = about.diagnostic or str(about.status)
    text = f"notice from {notice.reporting_mta}: {about.action.value}: {said}"[:_TEXT_CHARACTERS]
    result = Attempt(tx.now, 0, about.action in _ARRIVED, notice.code, str(about.status), text)
    has_failed = about.action is Action.FAILED
    queued.add_result(tx, done, result, failed=has_failed, delivered=about.action is Action.DELIVERED)
    is_suppressing = has_failed and suppression.note(
        tx,
        config,
        done,
        parse_path(f"<{done.recipient}>".encode(), smtputf8=True),
        code=notice.code or (500 if about.status.klass == 5 else 400),
        status=about.status,
        is_reply=bool(notice.code) or about.status.subject != _OF_THE_NETWORK,
        text=notice.words,
    )
    arrived = about.action in _ARRIVED
    return Heard(
        done,
        Event(about.action.value),
        notice.code or (0 if arrived else about.status.klass * 100),
        str(about.status),
        "" if arrived else (notice.words or said)[:_TEXT_CHARACTERS],
        is_suppressing,
    )


def tell(heard: Heard) -> None:
    """A line in the log."""
    log.info(
        "notice about a message that was sent",
        queued=heard.message.id,
        recipient=heard.message.recipient,
        event=heard.event.value,
        suppressing=heard.is_suppressing or None,
    )

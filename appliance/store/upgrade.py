"""Schema versions: a store of an older version is brought to the present one when it is opened.

A step is done in pieces, each a transaction that writes down where the next begins, so an interrupted upgrade goes on
where it was, and a large store needs no more memory than a small one.
"""

import logging
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Final

from appliance.store import message, prepare, queued, recipients, senders
from appliance.store.prepare import PrepareLimits
from appliance.store.problems import NewerSchema, OlderSchema
from appliance.store.queuerecords import QueuedMessage, RetiredMessage
from appliance.store.records import UPLOADED, Mailbox, Role, unpack_row
from appliance.store.tables import AccountID, MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode

if TYPE_CHECKING:
    from appliance.store.store import Store

log = logging.getLogger("moxpy.store")

_VERSION: Final = b"schema version"
#: Where the next piece of a step begins; absent at its beginning.
_AT: Final = b"upgrade at"

#: Does a piece of a step from a key on, empty at first; the key to go on from, None when all is done.
Step = Callable[[WriteTx, bytes, PrepareLimits], bytes | None]

#: Messages looked at in one transaction.
_MESSAGES: Final = 1000
#: Messages whose recipients are written down in one.
_SENT: Final = 200
#: Which table a piece is about.
_QUEUED, _RETIRED = b"q", b"r"


def _learn_senders(tx: WriteTx, at: bytes, limits: PrepareLimits) -> bytes | None:
    """What messages say about senders (store/senders.py).

    Whatever lies in a mailbox for sent mail and did not come in counts as sent, since nobody knows how it got there.
    """
    entries = zip(range(_MESSAGES + 1), tx.scan(Table.ROW, at, b"\xff" * 13), strict=False)
    found = [entry for _, entry in entries]
    for key, value in found[:_MESSAGES]:
        account, row = AccountID(int.from_bytes(key[:4], "big")), unpack_row(value)
        destiny = message.destiny_of(tx, account, row.id)
        judgement = message.judgement(destiny.origin_mailbox, row.flags)
        senders.judge(tx, account, row.id, row.received, destiny.origin, before=None, now=judgement)
        box = tx.record(Table.MAILBOX, key[:8], Mailbox)
        if box is not None and box.roles & Role.SENT and destiny.origin == UPLOADED:
            sent_to = prepare.sent_to(message.prepared(tx, account, row.id).fields, limits)
            if sent_to.names:
                # Whom it was written to as people is for a later step.
                senders.sent(tx, account, row.id, row.received, sent_to._replace(people=()))
    return found[_MESSAGES][0] if len(found) > _MESSAGES else None


def _index_queue(tx: WriteTx, at: bytes, limits: PrepareLimits) -> bytes | None:
    """Where messages on hold and retired ones stand by their times, and retired ones by recipient (store/queued.py)."""
    table = Table.RETIRED if at[:1] == _RETIRED else Table.QUEUED
    found = list(islice(tx.scan(table, at[1:], b"\xff" * 9), _MESSAGES + 1))
    for _, value in found[:_MESSAGES]:
        if table is Table.RETIRED:
            for place in queued.retired_indices(decode(RetiredMessage, value)):
                tx.put(*place, b"")
        else:
            tx.put(*queued.index(decode(QueuedMessage, value)), b"")
    if len(found) > _MESSAGES:
        return (_RETIRED if table is Table.RETIRED else _QUEUED) + found[_MESSAGES][0]
    return _RETIRED if table is Table.QUEUED else None


def _learn_recipients(tx: WriteTx, at: bytes, limits: PrepareLimits) -> bytes | None:
    """Whom accounts wrote to, as what is in their mailboxes for sent mail says (store/recipients.py)."""
    found = list(islice(tx.scan(Table.SENT_TO_NAMES, at, b"\xff" * 13), _SENT + 1))
    for key, _ in found[:_SENT]:
        account, id = AccountID(int.from_bytes(key[:4], "big")), MessageID(int.from_bytes(key[4:], "big"))
        place = message.place(tx, account, id)
        row = None if place is None else message.row(tx, account, place.mailbox, place.uid)
        if row is not None:
            people = prepare.sent_to(message.prepared(tx, account, id).fields, limits).people
            recipients.note(tx, account, people, row.received)
    return found[_SENT][0] if len(found) > _SENT else None


#: Steps[n] brings version n + 1 to n + 2. Version 1 is the first.
STEPS: Final[tuple[Step, ...]] = (_learn_senders, _index_queue, _learn_recipients)


def version(tx: ReadTx) -> int:
    """Schema version of a store; 0 when it is new."""
    return int(tx.get(Table.META, _VERSION) or b"0")


def check(tx: ReadTx) -> None:
    """Raises OlderSchema, or NewerSchema, when a store is not of the present version."""
    found, present = version(tx), len(STEPS) + 1
    if found > present:
        raise _newer(found, present)
    if found < present:
        raise OlderSchema("the store is of an older version: start the server once")


def _newer(found: int, present: int) -> NewerSchema:
    return NewerSchema(f"the store has schema version {found}, this program knows up to {present}: use a newer program")


def upgrade(store: "Store", steps: tuple[Step, ...] = STEPS) -> None:
    """Bring a store to the present version. Raises NewerSchema, and then nothing was changed."""
    present = len(steps) + 1
    with store.read() as tx:
        found = version(tx)
    if found > present:
        raise _newer(found, present)
    if found == 0:
        store.write_sync(_set_version, present)
        return
    for number in range(found, present):
        while not store.write_sync(_piece, steps[number - 1], number + 1, store.limits.prepare):
            pass
        log.info("store upgraded", extra={"fields": {"schema": number + 1}})


def _piece(tx: WriteTx, step: Step, number: int, limits: PrepareLimits) -> bool:
    """Whether the step is done."""
    at = bytes.fromhex((tx.get(Table.META, _AT) or b"").decode())
    following = step(tx, at, limits)
    if following is not None:
        tx.put(Table.META, _AT, following.hex().encode())
        return False
    tx.delete(Table.META, _AT)
    _set_version(tx, number)
    return True


def _set_version(tx: WriteTx, number: int) -> None:
    tx.put(Table.META, _VERSION, b"%d" % number)

"""What we owe to the owners of domains: what DMARC said of messages that came here, until a report tells it.

When a report is queued, the same transaction says that its evaluations are over (`end`). They are removed later, some
at a time: a large domain may have hundreds of thousands. Evaluations are bounded in number, and by `forget_before` in
time.
"""

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from appliance.mail.dmarcreport import PublishedPolicy, Record
from appliance.store.tables import Table
from appliance.store.transaction import ReadTx, WriteTx, decode


class Evaluation(msgspec.Struct, frozen=True, array_like=True):
    """What DMARC said of one message that came here (RFC 7489 §7.2)."""

    #: Where the policy was found, in A-labels.
    policy_domain: str
    #: Microseconds since 1970.
    evaluated: int
    #: Not worth a report by itself.
    optional: bool
    #: How often the domain's owner wants reports.
    interval_hours: int
    #: Where to: the URIs of rua=.
    addresses: tuple[str, ...]
    policy: PublishedPolicy
    #: Its count is 1.
    record: Record


_time = struct.Struct(">Q").pack
_place = struct.Struct(">QI").pack
_NO_TIME: Final = 0xFFFF_FFFF_FFFF_FFFF


def _prefix(domain: str) -> bytes:
    return domain.encode() + b"\0"


def note(tx: WriteTx, evaluation: Evaluation, *, most: int) -> bool:
    """Keep an evaluation; False when there are `most` already: a report may lack messages, the store may not burst."""
    if int(tx.raw.stat(tx.handles[Table.DMARC_EVALUATION])["entries"]) >= most:
        return False
    last = tx.last_before(
        Table.DMARC_EVALUATION, _place(evaluation.evaluated, 0xFFFF_FFFF), _time(evaluation.evaluated)
    )
    number = int.from_bytes(last[0][8:], "big") + 1 if last else 0
    place = _place(evaluation.evaluated, number)
    tx.put_record(Table.DMARC_EVALUATION, place, evaluation)
    tx.put(Table.DMARC_EVALUATION_DOMAIN, _prefix(evaluation.policy_domain) + place, b"")
    return True


def domains(tx: ReadTx) -> list[str]:
    """The policy domains that there are evaluations for, in A-labels; all of some may be over."""
    found: list[str] = []
    start = b""
    while (entry := next(tx.scan(Table.DMARC_EVALUATION_DOMAIN, start, b"\xff"), None)) is not None:
        name = entry[0][: entry[0].index(0)]
        found.append(name.decode())
        start = name + b"\1"
    return found


def owed(tx: ReadTx, domain: str, *, since: int = 0, before: int = _NO_TIME) -> Iterator[Evaluation]:
    """Evaluations for a policy domain with since <= evaluated < before that are not over, oldest first.

    There may be hundreds of thousands: in a thread, please.
    """
    prefix = _prefix(domain)
    start = max(_time(since), _over(tx, domain))
    for key, _ in tx.scan(Table.DMARC_EVALUATION_DOMAIN, prefix + start, prefix + _time(before)):
        found = tx.record(Table.DMARC_EVALUATION, key[len(prefix) :], Evaluation)
        if found is not None:
            yield found


def last(tx: ReadTx, domain: str, *, before: int = _NO_TIME) -> Evaluation | None:
    """The last of those that are not over."""
    prefix = _prefix(domain)
    entry = tx.last_before(Table.DMARC_EVALUATION_DOMAIN, prefix + _time(before), prefix)
    if entry is None or entry[0][len(prefix) :] < _over(tx, domain):
        return None
    return tx.record(Table.DMARC_EVALUATION, entry[0][len(prefix) :], Evaluation)


def _over(tx: ReadTx, domain: str) -> bytes:
    return tx.get(Table.DMARC_EVALUATION_OVER, domain.encode()) or _time(0)


def end(tx: WriteTx, domain: str, before: int) -> bool:
    """Evaluations before a moment are over: reported, or not to be. False when they were already."""
    if _over(tx, domain) >= _time(before):
        return False
    tx.put(Table.DMARC_EVALUATION_OVER, domain.encode(), _time(before))
    return True


def forget_ended(tx: WriteTx, most: int) -> bool:
    """Remove a bounded number of evaluations that are over; tells whether all of them are gone."""
    for domain, moment in list(tx.scan_prefix(Table.DMARC_EVALUATION_OVER, b"")):
        prefix = domain + b"\0"
        scan = tx.scan(Table.DMARC_EVALUATION_DOMAIN, prefix, prefix + moment)
        old = [key for _, (key, _) in zip(range(most), scan, strict=False)]
        for key in old:
            tx.delete(Table.DMARC_EVALUATION_DOMAIN, key)
            tx.delete(Table.DMARC_EVALUATION, key[len(prefix) :])
        most -= len(old)
        if not most:
            return False
        tx.delete(Table.DMARC_EVALUATION_OVER, domain)
    return True


def forget_before(tx: WriteTx, moment: int, most: int) -> bool:
    """Remove a bounded number of evaluations before a moment; tells whether all of them are gone."""
    scan = tx.scan(Table.DMARC_EVALUATION, b"", _time(moment))
    old = [(key, decode(Evaluation, value)) for _, (key, value) in zip(range(most), scan, strict=False)]
    for place, evaluation in old:
        tx.delete(Table.DMARC_EVALUATION, place)
        tx.delete(Table.DMARC_EVALUATION_DOMAIN, _prefix(evaluation.policy_domain) + place)
    return len(old) < most


def verify(tx: ReadTx) -> Iterator[str]:
    """What is wrong with evaluations, in words."""
    places: set[bytes] = set()
    for place, value in tx.scan_prefix(Table.DMARC_EVALUATION, b""):
        evaluation = decode(Evaluation, value)
        if place[:8] != _time(evaluation.evaluated):
            yield f"DMARC evaluation {place.hex()} is not of the moment its key says"
        places.add(_prefix(evaluation.policy_domain) + place)
    if {key for key, _ in tx.scan_prefix(Table.DMARC_EVALUATION_DOMAIN, b"")} != places:
        yield "index dmarc_evaluation_domain differs from the evaluations"

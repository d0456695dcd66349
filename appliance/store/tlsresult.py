"""What we owe to others about TLS (RFC 8460): what became of sessions with their servers, by the day.

Results are kept for each day in UTC, each domain or host whose policy it was, and each domain that mail went to. They
go when a report about them is queued, or when there is nobody to tell.
"""

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from appliance.mail import tlsreport
from appliance.mail.tlsreport import PolicyResult
from appliance.store.tables import Table
from appliance.store.transaction import ReadTx, WriteTx, decode


class Which(NamedTuple):
    """What a result is about, domains in A-labels."""

    #: Days since 1970, in UTC.
    day: int
    #: The policy is that of a host that takes mail, not of a domain.
    is_host: bool
    policy_domain: str
    recipient_domain: str


class TLSResult(msgspec.Struct, frozen=True, array_like=True):
    """Sessions of a day."""

    #: Some of them are worth a report by themselves.
    sends_report: bool
    results: tuple[PolicyResult, ...]
    #: The recipient domain was told, or wants not to know; only the host may still be.
    is_told: bool = False
    #: Where that report went.
    addresses: tuple[str, ...] = ()


#: Two octets for the day: with two domains of 253 octets each, more would be longer than a key may be.
_start = struct.Struct(">H?").pack
_DAY: Final = 24 * 3600 * 1_000_000


def _key(which: Which) -> bytes:
    domains = f"{which.policy_domain}\0{which.recipient_domain}"
    return _start(which.day, which.is_host) + domains.encode()


def _which(key: bytes) -> Which:
    policy_domain, _, recipient_domain = key[3:].decode().partition("\0")
    return Which(int.from_bytes(key[:2], "big"), bool(key[2]), policy_domain, recipient_domain)


def day_of(moment: datetime) -> int:
    """The day of an aware moment."""
    return int(moment.timestamp()) // (24 * 3600)


def begin_of(day: int) -> datetime:
    """The midnight that a day begins with."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)


def note(
    tx: WriteTx,
    policy_domain: str,
    recipient_domain: str,
    results: Sequence[PolicyResult],
    *,
    is_host: bool,
    sends_report: bool,
    most: int,
    policies: int,
    failures: int,
) -> bool:
    """Add sessions to the results of today. False when there are results of `most` pairs of domains already.

    A policy domain is the domain whose MTA-STS policy was found, or that has none; with `is_host`, it is the name that
    TLSA records were found for. `sends_report`: the sessions are worth a report; not those that delivered reports.
    `policies` and `failures` bound one result.
    """
    key = _key(Which(tx.now // _DAY, is_host, policy_domain, recipient_domain))
    old = tx.record(Table.TLS_RESULT, key, TLSResult)
    if old is None:
        if int(tx.raw.stat(tx.handles[Table.TLS_RESULT])["entries"]) >= most:
            return False
        old = TLSResult(False, ())
    merged = tlsreport.merge((*old.results, *results), policies=policies, failures=failures)
    new = msgspec.structs.replace(old, sends_report=old.sends_report or sends_report, results=merged)
    tx.put_record(Table.TLS_RESULT, key, new)
    return True


def before(tx: ReadTx, day: int) -> list[Which]:
    """What there are results about, of days before one, by day."""
    return [_which(key) for key, _ in tx.scan(Table.TLS_RESULT, b"", _start(day, False))]


def get(tx: ReadTx, which: Which) -> TLSResult | None:
    """A result."""
    return tx.record(Table.TLS_RESULT, _key(which), TLSResult)


def told(tx: WriteTx, which: Which, addresses: tuple[str, ...]) -> None:
    """The recipient domain was told, at these addresses, or wants not to know. Only hosts still may want to."""
    old = get(tx, which)
    if old is None:
        return
    if which.is_host:
        tx.put_record(Table.TLS_RESULT, _key(which), msgspec.structs.replace(old, is_told=True, addresses=addresses))
    else:
        remove(tx, which)


def remove(tx: WriteTx, which: Which) -> bool:
    """Forget a result; tells whether it was there."""
    return tx.delete(Table.TLS_RESULT, _key(which))


def forget_before(tx: WriteTx, day: int, most: int) -> bool:
    """Remove a bounded number of results of days before one; tells whether all of them are gone."""
    old = [key for _, (key, _) in zip(range(most), tx.scan(Table.TLS_RESULT, b"", _start(day, False)), strict=False)]
    for key in old:
        tx.delete(Table.TLS_RESULT, key)
    return len(old) < most


def verify(tx: ReadTx) -> Iterator[str]:
    """What is wrong with results, in words."""
    for key, value in tx.scan_prefix(Table.TLS_RESULT, b""):
        which, one = _which(key), decode(TLSResult, value)
        if _key(which) != key or not one.results or (one.is_told and not which.is_host):
            yield f"TLS result {key!r} is not what its key says"

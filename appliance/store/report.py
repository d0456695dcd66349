"""Reports of other servers about our domains.

A report is kept once, however often it comes: what makes it the same are its kind, its organization and its id. It is
found by the domains it is about. Reports are bounded in number, and by `forget_before` in time.
"""

import enum
import hashlib
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from appliance.mail.dmarcreport import DMARCReport
from appliance.mail.domain import Domain
from appliance.mail.tlsreport import TLSReport
from appliance.store.problems import TooMany
from appliance.store.tables import Table
from appliance.store.transaction import ReadTx, WriteTx, decode, encode


class Kind(enum.IntEnum):
    """What a report is about. The numbers are stored."""

    DMARC = 1
    TLS = 2


class Received(msgspec.Struct, frozen=True, array_like=True):
    """A report as it is kept; one of the last two is there."""

    #: Microseconds since 1970.
    received: int
    #: The domain in From of the mail that brought it, in A-labels.
    sender: str
    #: The domains here that it is about, in A-labels.
    domains: tuple[str, ...]
    dmarc: DMARCReport | None = None
    tls: TLSReport | None = None

    @property
    def kind(self) -> Kind:
        return Kind.DMARC if self.dmarc is not None else Kind.TLS

    @property
    def report(self) -> DMARCReport | TLSReport:
        """Whichever it is."""
        found = self.dmarc or self.tls
        if found is None:
            raise ValueError("a record without a report")
        return found


#: Octets of a record that is kept: a report may unpack to four hundred times what was sent.
MOST_OCTETS: Final = 2 * 1024 * 1024
#: Domains that one TLS report is found by.
MOST_DOMAINS: Final = 100

_time = struct.Struct(">Q").pack
_IDENTITY_OCTETS: Final = 16


def identity(kind: Kind, report: DMARCReport | TLSReport, sender: str) -> bytes:
    """What makes a report the same as another (RFC 7489 §7.2.1.1, RFC 8460 §4.4).

    Whoever sends it is part of it: nobody shall keep another's report away by taking its name and id. So are the
    period and, of DMARC, the domain, since some number their reports anew each day, or for each domain.
    """
    domain = report.policy.domain.lower() if isinstance(report, DMARCReport) else ""
    same = (int(kind), sender, report.organization, report.report_id, domain, report.begin, report.end)
    return hashlib.blake2b(encode(same), digest_size=_IDENTITY_OCTETS).digest()


def _domain_prefix(kind: Kind, domain: str) -> bytes:
    return bytes([kind]) + domain.encode() + b"\0"


def _domain_key(kind: Kind, domain: str, end: datetime, which: bytes) -> bytes:
    return _domain_prefix(kind, domain) + _time(_microseconds(end)) + which


def _microseconds(moment: datetime) -> int:
    """A report's moments are not before 1970."""
    return int(moment.timestamp()) * 1_000_000


def add(
    tx: WriteTx,
    report: DMARCReport | TLSReport,
    *,
    domains: Sequence[Domain],
    sender: Domain,
    most: int,
) -> bool:
    """Keep a report under the domains it is about; False, and nothing happens, when it is known.

    Raises TooMany: `most` reports are kept already, or this one is too large.
    """
    kind = Kind.DMARC if isinstance(report, DMARCReport) else Kind.TLS
    which = identity(kind, report, sender.ascii)
    if tx.get(Table.REPORT, which) is not None:
        return False
    kept = Received(
        received=tx.now,
        sender=sender.ascii,
        domains=tuple(dict.fromkeys(domain.ascii for domain in domains))[:MOST_DOMAINS],
        dmarc=report if isinstance(report, DMARCReport) else None,
        tls=report if isinstance(report, TLSReport) else None,
    )
    value = encode(kept)
    if len(value) > MOST_OCTETS:
        raise TooMany("the report is too large to be kept")
    if _entries(tx, Table.REPORT) >= most:
        raise TooMany(f"{most} reports are kept already")
    tx.put(Table.REPORT, which, value)
    tx.put(Table.REPORT_RECEIVED, _time(kept.received) + which, b"")
    for domain in kept.domains:
        tx.put(Table.REPORT_DOMAIN, _domain_key(kind, domain, report.end, which), b"")
    return True


def _entries(tx: ReadTx, table: Table) -> int:
    return int(tx.raw.stat(tx.handles[table])["entries"])


def find(tx: ReadTx, which: bytes) -> Received | None:
    """A report by its identity."""
    return tx.record(Table.REPORT, which, Received)


def domains(tx: ReadTx, kind: Kind) -> list[str]:
    """The domains that there are reports about, in A-labels."""
    found: list[str] = []
    start, stop = bytes([kind]), bytes([kind + 1])
    while (entry := next(tx.scan(Table.REPORT_DOMAIN, start, stop), None)) is not None:
        name = entry[0][1 : entry[0].index(0)]
        found.append(name.decode())
        start = bytes([kind]) + name + b"\1"
    return found


def reports(
    tx: ReadTx, kind: Kind, domain: Domain, begin: datetime, end: datetime, *, most: int
) -> list[tuple[bytes, Received]]:
    """Reports about a domain that end within begin <= moment < end, the last first, with their identities.

    At most `most`, the last ones. They may be megabytes each: in a thread, please.
    """
    prefix = _domain_prefix(kind, domain.ascii)
    # Who asks may name any moment; no report is from before 1970.
    start, stop = (prefix + _time(max(0, _microseconds(moment))) for moment in (begin, end))
    identities = [key[-_IDENTITY_OCTETS:] for key, _ in tx.scan(Table.REPORT_DOMAIN, start, stop)]
    chosen = identities[::-1][:most]
    found = ((which, find(tx, which)) for which in chosen)
    return [(which, one) for which, one in found if one is not None]


def remove(tx: WriteTx, which: bytes) -> bool:
    """Forget a report; tells whether it was there."""
    kept = find(tx, which)
    if kept is None:
        return False
    tx.delete(Table.REPORT, which)
    tx.delete(Table.REPORT_RECEIVED, _time(kept.received) + which)
    for domain in kept.domains:
        tx.delete(Table.REPORT_DOMAIN, _domain_key(kept.kind, domain, kept.report.end, which))
    return True


def forget_before(tx: WriteTx, moment: int, most: int) -> bool:
    """Remove a bounded number of reports received before a moment; tells whether all of them are gone."""
    scan = tx.scan(Table.REPORT_RECEIVED, b"", _time(moment))
    old = [key[8:] for _, (key, _) in zip(range(most), scan, strict=False)]
    for which in old:
        remove(tx, which)
    return len(old) < most


def verify(tx: ReadTx) -> Iterator[str]:
    """What is wrong with reports, in words."""
    by_domain: set[bytes] = set()
    by_time: set[bytes] = set()
    for which, value in tx.scan_prefix(Table.REPORT, b""):
        kept = decode(Received, value)
        if (kept.dmarc is None) == (kept.tls is None):
            yield f"report {which.hex()} is not of one kind"
            continue
        if identity(kept.kind, kept.report, kept.sender) != which:
            yield f"report {which.hex()} is not what its key says"
        if not kept.domains:
            yield f"report {which.hex()} is about no domain"
        by_time.add(_time(kept.received) + which)
        by_domain.update(_domain_key(kept.kind, domain, kept.report.end, which) for domain in kept.domains)
    if {key for key, _ in tx.scan_prefix(Table.REPORT_DOMAIN, b"")} != by_domain:
        yield "index report_domain differs from the reports"
    if {key for key, _ in tx.scan_prefix(Table.REPORT_RECEIVED, b"")} != by_time:
        yield "index report_received differs from the reports"

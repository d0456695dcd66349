"""MTA-STS policies of other domains, as they were last fetched, and that fetching one failed (RFC 8461 §3.3).

By domain, in A-labels. Times are microseconds since 1970.
"""

from collections.abc import Iterator

import msgspec

from appliance.mail.mtasts import Policy
from appliance.store.tables import Table
from appliance.store.transaction import ReadTx, WriteTx, decode


class KnownPolicy(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a domain."""

    #: When it was first heard of.
    inserted: int
    #: When the policy was last fetched.
    updated: int
    #: When mail was last sent by it, to some hours.
    used: int
    #: The policy counts until then.
    valid_until: int
    #: The id in the DNS when it was fetched.
    identity: str
    #: None: it could not be fetched yet.
    policy: Policy | None
    #: When fetching it failed, since it last did not; 0: it did not fail. Then for which id and why, as reports about
    #: TLS have it (RFC 8460 §4.3.2.2).
    failed: int = 0
    failed_identity: str = ""
    result: str = ""
    reason: str = ""


def find(tx: ReadTx, domain: str) -> KnownPolicy | None:
    """What is known of a domain."""
    return tx.record(Table.POLICY, domain.encode(), KnownPolicy)


def page(tx: ReadTx, after: str, count: int) -> list[tuple[str, KnownPolicy]]:
    """The next domains in order, after one of them; from the first for the empty name."""
    entries = tx.scan(Table.POLICY, after.encode() + b"\0", b"\x7f")
    return [(key.decode(), decode(KnownPolicy, value)) for _, (key, value) in zip(range(count), entries, strict=False)]


def fetched(tx: WriteTx, domain: str, identity: str, policy: Policy, *, used: bool) -> None:
    """Keep a policy that was just fetched; `used` tells whether for mail, and not only to have it."""
    before = find(tx, domain)
    valid_until = tx.now + policy.max_age_seconds * 1_000_000
    known = KnownPolicy(
        inserted=tx.now if before is None else before.inserted,
        updated=tx.now,
        used=tx.now if used or before is None else before.used,
        valid_until=valid_until,
        identity=identity,
        policy=policy,
    )
    tx.put_record(Table.POLICY, domain.encode(), known)


def failed(tx: WriteTx, domain: str, identity: str, result: str, reason: str) -> None:
    """Remember that the policy of an id could not be fetched, beside one that could be before."""
    before = find(tx, domain) or KnownPolicy(tx.now, 0, tx.now, 0, "", None)
    known = msgspec.structs.replace(before, failed=tx.now, failed_identity=identity, result=result, reason=reason)
    tx.put_record(Table.POLICY, domain.encode(), known)


def touch(tx: WriteTx, domain: str) -> None:
    """Remember that mail was sent by it."""
    known = find(tx, domain)
    if known is not None:
        tx.put_record(Table.POLICY, domain.encode(), msgspec.structs.replace(known, used=tx.now))


def remove(tx: WriteTx, domain: str) -> None:
    """Forget a domain."""
    tx.delete(Table.POLICY, domain.encode())


def verify(tx: ReadTx) -> Iterator[str]:
    """What is wrong: a row that says nothing, or whose times make no sense."""
    for key, value in tx.scan_prefix(Table.POLICY, b""):
        known = decode(KnownPolicy, value)
        if not key or (known.policy is None and not known.failed):
            yield f"MTA-STS: nothing is known of {key.decode()!r}"
        if known.policy is not None and known.valid_until != known.updated + known.policy.max_age_seconds * 1_000_000:
            yield f"MTA-STS: the policy of {key.decode()} has another end than it says"
        if (known.failed != 0) != (known.result != ""):
            yield f"MTA-STS: a failure without reason at {key.decode()}"

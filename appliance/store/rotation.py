"""DKIM keys that take the place of others: how far each domain's rotation has come. Times: microseconds since 1970."""

import enum
from collections.abc import Iterator

import msgspec

from appliance.store.tables import Table
from appliance.store.transaction import ReadTx, WriteTx, decode


class Step(enum.IntEnum):
    """What is to be done next, in this order."""

    #: The new keys are to be made.
    MAKE = 1
    #: Their records are to be published, and seen at all name servers.
    PUBLISH = 2
    #: They are seen; those who asked before may still remember that there were none.
    SPREAD = 3
    #: The new keys sign; what the old ones signed is still on its way.
    RETIRE = 4
    #: The old keys are put away; their records are to go from all name servers.
    WITHDRAW = 5
    #: It is over. What is kept says when.
    DONE = 6


class Pair(msgspec.Struct, frozen=True, array_like=True):
    """A key and the one that takes its place, by their selectors."""

    old: str
    new: str
    #: As selectors' records are published.
    old_record: str
    new_record: str = ""
    #: The file of the old key, below the folder of the configuration.
    old_file: str = ""


class Rotation(msgspec.Struct, frozen=True, array_like=True):
    """That of a domain."""

    step: Step
    #: When it came to this step, and when it began.
    since: int
    began: int
    pairs: tuple[Pair, ...] = ()
    #: Began by itself.
    automatic: bool = False
    #: The operator does not want to wait for the end of this step.
    hurried: bool = False
    #: How long the absence of the new records may be remembered by others.
    denial_seconds: int = 0
    #: What keeps it from going on, and since when; empty and 0: nothing but time.
    problem: str = ""
    problem_since: int = 0
    #: When the name servers were last asked.
    asked: int = 0


def get(tx: ReadTx, domain: str) -> Rotation | None:
    """That of a domain, as the configuration spells it."""
    return tx.record(Table.ROTATION, domain.encode(), Rotation)


def put(tx: WriteTx, domain: str, rotation: Rotation) -> None:
    """Keep it."""
    tx.put_record(Table.ROTATION, domain.encode(), rotation)


def remove(tx: WriteTx, domain: str) -> None:
    """Forget it."""
    tx.delete(Table.ROTATION, domain.encode())


def listed(tx: ReadTx) -> dict[str, Rotation]:
    """All there are, by domain."""
    return {key.decode(): decode(Rotation, value) for key, value in tx.scan_prefix(Table.ROTATION, b"")}


def verify(tx: ReadTx) -> Iterator[str]:
    """What is wrong, in words."""
    for domain, one in listed(tx).items():
        if one.step is not Step.DONE and not one.pairs:
            yield f"the rotation of DKIM keys of {domain} is about no key"
        if bool(one.problem) != bool(one.problem_since):
            yield f"the rotation of DKIM keys of {domain} has a problem without a time"

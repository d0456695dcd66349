"""Copying messages from one account into another: the octets of the body are shared, all else is the other's own."""

from collections.abc import Sequence

import msgspec

from appliance.config.domains import AutomaticJunkFlags
from appliance.store import message, prepare
from appliance.store.bodies import NewBody
from appliance.store.message import ANY_FLAG, NO_RULES, FlagRights, NewMessage
from appliance.store.prepare import PrepareLimits
from appliance.store.records import SEEN, Facts, Row
from appliance.store.seen import Own
from appliance.store.tables import AccountID, MailboxRef
from appliance.store.transaction import ReadTx, WriteTx


def copy(
    tx: WriteTx,
    source: MailboxRef,
    uids: Sequence[int],
    target: MailboxRef,
    *,
    limits: PrepareLimits,
    quota_octets: int | None = None,
    allowed: FlagRights = ANY_FLAG,
    junk_rules: AutomaticJunkFlags = NO_RULES,
    own_there: Own | None = None,
    own: Own | None = None,
    received: int | None = None,
) -> list[tuple[int, int]]:
    """Copy messages into another account, into threads of its own; times and the flags that are allowed stay.

    Pairs of UIDs, there and here. `own_there`, `own`: as for `message.copy`. `received`: another time of arrival, in
    microseconds. Raises NoSuchMailbox, OverQuota, TooMany.
    """
    tx.mailbox(*target)
    if tx.removed_mailbox(*source) is not None:
        return []
    pairs: list[tuple[int, int]] = []
    for uid in uids:
        old = message.row(tx, *source, uid)
        if old is None:
            continue
        known = message.facts(tx, source.account, old.id)
        flags = old.flags if own_there is None else own_there.shown(uid, old.flags)
        # A refused one that somebody takes out is as new (as in `message.copy`).
        if known.origin.is_reject:
            flags &= ~SEEN
        new = _again(tx, source.account, old, known, limits)
        added = message.add(
            tx,
            *target,
            new if received is None else msgspec.structs.replace(new, received=received),
            flags=flags & allowed.bits,
            keywords=old.keywords if allowed.keywords else (),
            quota_octets=quota_octets,
            junk_rules=junk_rules,
            own=own,
        )
        pairs.append((uid, added.uid))
    return pairs


def _again(tx: ReadTx, account: AccountID, old: Row, known: Facts, limits: PrepareLimits) -> NewMessage:
    """A stored message as one to be stored."""
    prepared = message.prepared(tx, account, old.id)
    (keys,) = message.keys_all(tx, account, (old.id,))
    return NewMessage(
        body=NewBody(None, old.body, old.size - known.prefix_octets),
        prefix=message.prefix(tx, account, old.id),
        root=known.root,
        prepared=prepared,
        text=message.text(tx, account, old.id),
        clues=prepare.clues(prepared, limits, is_dsn=known.origin.is_dsn),
        keys=keys or prepare.keys(prepared, known.root, limits),
        received=old.received,
        origin=msgspec.structs.replace(known.origin, is_reject=False),
    )

"""What the hosts of domains that an account writes to offer of TLS, for who writes to them again.

One small record for each domain that a message of the account was handed to; how much it sends is limited. Who has not
written there for half a year knows nothing of it any more: each record that is written looks at the next few of all
accounts, round and round, so there is no keeper.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from appliance.store import tables
from appliance.store.queuerecords import Offered
from appliance.store.tables import AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode

#: What has not changed is written down anew after so long only.
_FRESH: Final = 24 * 3600 * 1_000_000
_KEPT: Final = 180 * 24 * 3600 * 1_000_000
#: Records looked at with each that is written; more than come in.
_OLD_ROWS: Final = 4


def find(tx: ReadTx, account: AccountID, domain: str) -> Offered | None:
    """What hosts of a domain, in Unicode spelling, offered last; None for a domain never connected to."""
    return tx.record(Table.OFFERED, tables.offered_key(account, domain), Offered)


def is_news(tx: ReadTx, account: AccountID, new: Offered) -> bool:
    """Whether it is worth writing down."""
    old = find(tx, account, new.domain)
    if old is None or (old.starttls, old.requiretls) != (new.starttls, new.requiretls):
        return True
    return abs(new.updated - old.updated) >= _FRESH


def note(tx: WriteTx, account: AccountID, new: Offered) -> None:
    """Write it down. Raises NoSuchAccount."""
    tx.account(account)
    key = tables.offered_key(account, new.domain)
    tx.put_record(Table.OFFERED, key, new)
    following = list(islice(tx.scan(Table.OFFERED, key + b"\0", b"\xff" * (len(key) + 1)), _OLD_ROWS))
    if len(following) < _OLD_ROWS:
        following += islice(tx.scan(Table.OFFERED, b"", key), _OLD_ROWS - len(following))
    for place, value in following:
        if new.updated - decode(Offered, value).updated > _KEPT:
            tx.delete(Table.OFFERED, place)


def verify(tx: ReadTx, account: AccountID) -> Iterator[str]:
    """What is wrong in what is kept of an account's recipients' domains, in words."""
    for key, value in tx.scan_prefix(Table.OFFERED, tables.account_key(account)):
        if tables.offered_key(account, decode(Offered, value).domain) != key:
            yield "what a domain offers is in the wrong place"

"""What an account has learnt about senders: questions about its history, and how much comes from a network.

The history is kept by store/senders.py; what it means is for delivery/reputation.py, whose `History` this is. Every
question about it is a seek or two and as many steps as there are answers, whatever the account has.
"""

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from appliance.store import mailbox as mailboxes, tables
from appliance.store.history import ALWAYS_VALIDATED, NETWORKS, By, Judged
from appliance.store.tables import SENDER_NAME_OCTETS, AccountID, MailboxID, MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAST: Final = 2**64 - 1
_END: Final = _LAST - 1
_LAST_MESSAGE: Final = MessageID(_LAST)
_FIRST_MESSAGE: Final = MessageID(0)
_NO_MAILBOX: Final = MailboxID(0)
_LAST_MAILBOX: Final = MailboxID(2**32 - 1)
#: Messages of an organization that are looked at for one that is no junk.
_LOOKED_AT: Final = 1000


class StoredHistory:
    """What one account has of messages for one mailbox (delivery.reputation.History). Use within the transaction."""

    def __init__(self, tx: ReadTx, account: AccountID, mailbox: str) -> None:
        """A mailbox that does not exist yet has no messages; what the account has sent is known all the same."""
        self._tx = tx
        self._account = account
        found = mailboxes.find(tx, account, mailbox)
        self._mailbox = None if found is None else found.id

    def judged(
        self, by: By, name: str, *, since: datetime, most: int, validated: bool | None = None
    ) -> Sequence[Judged]:
        """At most `most` messages received at `since` or later, the newest first.

        `validated` restricts them to those where the name looked up was vouched for, or to those where it was not.
        """
        if self._mailbox is None:
            return ()
        what = tables.sender_name(by.value, name)
        if validated is None and by not in ALWAYS_VALIDATED:
            both = self._newest(what, since, most, True) + self._newest(what, since, most, False)
            found = sorted(both, reverse=True)[:most]
        else:
            found = self._newest(what, since, most, validated is not False)
        return [_judged(one) for one in found]

    def _newest(self, what: bytes, since: datetime, most: int, validated: bool) -> list[tuple[bytes, bytes]]:
        """Time and message of rows, and their values, the newest first."""
        assert self._mailbox is not None
        start = tables.judged_key(self._account, what, self._mailbox, validated, _moment(since), _FIRST_MESSAGE)
        stop = tables.judged_key(self._account, what, self._mailbox, validated, _LAST, _LAST_MESSAGE)
        return [(key[-16:], value) for key, value in islice(self._tx.scan_back(Table.JUDGED, start, stop), most)]

    def has_sent(self, by: By, name: str, *, since: datetime) -> bool:
        """Whether the user has sent anything there."""
        return _has_sent(self._tx, self._account, tables.sender_name(by.value, name), _moment(since))


def knows_organization(tx: ReadTx, account: AccountID, domain: str) -> bool:
    """Whether the account ever had mail of an organizational domain that is no junk, or has written to it."""
    what = tables.sender_name(By.FROM_ORG_DOMAIN.value, domain)
    if _has_sent(tx, account, what, 0):
        return True
    start = tables.judged_key(account, what, _NO_MAILBOX, False, 0, _FIRST_MESSAGE)
    stop = tables.judged_key(account, what, _LAST_MAILBOX, True, _LAST, _LAST_MESSAGE)
    rows = tx.scan_back(Table.JUDGED, start, stop)
    return any(not value[0] for _, value in islice(rows, _LOOKED_AT))


def _has_sent(tx: ReadTx, account: AccountID, what: bytes, since: int) -> bool:
    start = tables.sent_to_key(account, what, since, _FIRST_MESSAGE)
    stop = tables.sent_to_key(account, what, _LAST, _LAST_MESSAGE)
    return next(tx.scan(Table.SENT_TO, start, stop), None) is not None


def _judged(row: tuple[bytes, bytes]) -> Judged:
    when, value = row
    received = _EPOCH + int.from_bytes(when[:8], "big") * _MICROSECOND
    return Judged(bool(value[0]), received, value[1:].decode())


def _moment(when: datetime) -> int:
    return max(0, (when - _EPOCH) // _MICROSECOND)


# How much comes.

MINUTE: Final = 60 * 1_000_000
DAY: Final = 24 * 60 * MINUTE
#: Rows further ahead are of a clock that was wrong.
AHEAD: Final = 60 * MINUTE
#: Rows looked at with each that is written, to forget old ones: twice as many, so that they never pile up.
_SWEPT_FOR_EACH: Final = 2
#: Where that goes on.
_SWEPT: Final = b"arrivals swept"
_SUMS: Final = struct.Struct(">QQ")


class Arrivals(NamedTuple):
    """What an account got from one network, in the minute and in the 24 hours before a moment."""

    messages_minute: int
    messages_day: int
    octets_minute: int
    octets_day: int


def arrived(tx: WriteTx, account: AccountID, networks: Sequence[str], octets: int) -> None:
    """A message came from these networks (`history.networks`), whatever becomes of it later.

    A row holds sums up to a moment; so a question about any time costs two seeks, however much came.
    """
    for by, network in zip(NETWORKS, networks, strict=False):
        what = tables.sender_name(by.value, network)
        moment, sums = tx.now, (0, 0)
        # A clock may be set back: sums rise with time, so it stays at the last moment for a while.
        if (last := _sums(tx, account, what, _END)) is not None:
            moment, sums = max(moment, last[0]), last[1]
        tx.put(Table.ARRIVED, tables.arrived_key(account, what, moment), _SUMS.pack(sums[0] + 1, sums[1] + octets))
    if networks:
        _sweep(tx, _SWEPT_FOR_EACH * len(networks))


def rates(tx: ReadTx, account: AccountID, networks: Sequence[str], now: int) -> list[Arrivals]:
    """What the account got from each of these networks lately; `now` in microseconds since 1970."""
    found = []
    for by, network in zip(NETWORKS, networks, strict=False):
        what = tables.sender_name(by.value, network)
        last = _sums(tx, account, what, now + AHEAD)
        if last is None or last[0] <= now - DAY:
            found.append(Arrivals(0, 0, 0, 0))
            continue
        messages, octets = last[1]
        before_day = _sums(tx, account, what, now - DAY)
        day_messages, day_octets = before_day[1] if before_day is not None else (0, 0)
        minute_messages, minute_octets = messages, octets
        if last[0] > now - MINUTE:
            before_minute = _sums(tx, account, what, now - MINUTE)
            minute_messages, minute_octets = before_minute[1] if before_minute is not None else (0, 0)
        found.append(
            Arrivals(messages - minute_messages, messages - day_messages, octets - minute_octets, octets - day_octets)
        )
    return found


def _sums(tx: ReadTx, account: AccountID, what: bytes, moment: int) -> tuple[int, tuple[int, int]] | None:
    """The last row of a network up to a moment: when, messages and octets."""
    start = tables.arrived_key(account, what, 0)
    entry = tx.last_before(Table.ARRIVED, tables.arrived_key(account, what, moment + 1), start[:-8])
    if entry is None:
        return None
    messages, octets = _SUMS.unpack(entry[1])
    return int.from_bytes(entry[0][-8:], "big"), (messages, octets)


def _sweep(tx: WriteTx, most: int) -> None:
    """Forget old rows among the next few of all accounts, round and round; so networks never seen again do not stay.

    The last row before the 24 hours stays as long as there is a later one, which counts from there.
    """
    start = bytes.fromhex((tx.get(Table.META, _SWEPT) or b"").decode())
    keys = [key for key, _ in islice(tx.scan(Table.ARRIVED, start, b"\xff" * 30), most + 1)]
    oldest, newest = tx.now - DAY, tx.now + AHEAD
    for key, following in zip(keys[:most], [*keys[1:], b""], strict=False):
        when = int.from_bytes(key[-8:], "big")
        is_base = following[:-8] == key[:-8] and int.from_bytes(following[-8:], "big") > oldest
        if when > newest or (when <= oldest and not is_base):
            tx.delete(Table.ARRIVED, key)
    tx.put(Table.META, _SWEPT, keys[most].hex().encode() if len(keys) > most else b"")


def verify_arrivals(tx: ReadTx, account: AccountID) -> Iterator[str]:
    """What is wrong with the sums."""
    last = b"", 0, 0
    for key, value in tx.scan_prefix(Table.ARRIVED, tables.account_key(account)):
        network, (messages, octets) = key[:-8], _SUMS.unpack(value)
        if len(key) != 4 + SENDER_NAME_OCTETS + 8 or (
            network == last[0] and not (messages > last[1] and octets >= last[2])
        ):
            yield "arrived messages are miscounted"
            return
        last = network, messages, octets

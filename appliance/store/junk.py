"""What an account's junk filter has learned: how many hams and spams each word was in.

A message is learned once: `Facts` say as what and by which filter, and change in the transaction that counts its words.
Whoever changes a judgement only leaves a note in TO_LEARN; delivery/learning.py reads the message at leisure and calls
`learn`, which looks again at what is wanted now. So learning may be late after a crash, never lost and never twice.

A filter has a number. A new one is made beside the old: messages pass from one to the other as they are learned anew,
and mails are judged by the old until the new is whole. One that was begun is always finished, by a third if need be.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from appliance.config.domains import AutomaticJunkFlags
from appliance.mail.part import Part
from appliance.store import tables
from appliance.store.records import JUNK, NOT_JUNK, Facts, Learned, Role, unpack_place, unpack_row
from appliance.store.tables import AccountID, BodyID, MessageID, Table
from appliance.store.transaction import ReadTx, WriteTx

#: Both flags, of which a message has at most one.
JUDGED: Final = JUNK | NOT_JUNK

_COUNTS: Final = struct.Struct(">II")


class Counts(NamedTuple):
    """In how many hams and spams a word was."""

    ham: int
    spam: int


def judgement(flags: int) -> bool | None:
    """Whether flags say junk; None when they say nothing, or both."""
    judged = flags & JUDGED
    return None if judged in {0, JUDGED} else judged == JUNK


def exclusive(old: int, new: int) -> int:
    """Flags after a change that may have set one of the two beside the other: the newly set one stays."""
    if new & JUDGED != JUDGED:
        return new
    return new & ~JUNK if old & JUNK and not old & NOT_JUNK else new & ~NOT_JUNK


def judge(flags: int, name: str, roles: int, settings: AutomaticJunkFlags) -> int:
    """Flags of a message that comes into a mailbox, by the mailbox's role and name."""
    if roles & Role.JUNK:
        return flags & ~JUDGED | JUNK
    if not settings.enabled:
        return flags
    rules = (
        (settings.junk_mailbox_regexp, JUNK),
        (settings.neutral_mailbox_regexp, 0),
        (settings.not_junk_mailbox_regexp, NOT_JUNK),
    )
    lower = name.lower()
    for pattern, judged in rules:
        if pattern is not None and pattern.matches(lower):
            return flags & ~JUDGED | judged
    rest = [judged for pattern, judged in rules if pattern is None]
    return flags & ~JUDGED | rest[0] if len(rest) == 1 else flags


def note(tx: WriteTx, account: AccountID, id: MessageID) -> None:
    """A message's judgement changed, or the message is gone: to be learned at leisure."""
    tx.put(Table.TO_LEARN, tables.message_key(account, id), b"")


def noted(tx: ReadTx, account: AccountID, most: int) -> list[MessageID]:
    """Messages whose judgement waits to be learned, oldest first."""
    found = zip(range(most), tx.scan_prefix(Table.TO_LEARN, tables.account_key(account)), strict=False)
    return [MessageID(int.from_bytes(key[4:], "big")) for _, (key, _) in found]


def forget_notes(tx: WriteTx, account: AccountID, most: int) -> bool:
    """Pass over what waits, where there is no filter; one that comes later is made of all messages.

    Tells whether that was all.
    """
    ids = noted(tx, account, most)
    if ids:
        set_learned(tx, account, msgspec.structs.replace(learned(tx, account), whole=False))
    for id in ids:
        tx.delete(Table.TO_LEARN, tables.message_key(account, id))
    return len(ids) < most


def learned(tx: ReadTx, account: AccountID) -> Learned:
    """The state of an account's filter."""
    return tx.record(Table.LEARNED, tables.account_key(account), Learned) or Learned()


def set_learned(tx: WriteTx, account: AccountID, state: Learned) -> None:
    """Replace the state of an account's filter."""
    tx.put_record(Table.LEARNED, tables.account_key(account), state)


class Remembered:
    """What was read of words lately, so that many messages at once ask for the usual ones once. For one event loop.

    What was read of an account's filter counts until it learns something.
    """

    def __init__(self, most: int) -> None:
        """Up to so many words, give or take those of one message."""
        self._most = most
        self._count = 0
        self._of: dict[AccountID, tuple[tuple[int, int], dict[str, bytes | None]]] = {}

    def of(self, account: AccountID, state: Learned) -> dict[str, bytes | None]:
        """Values of words as the filter in that state has them, None for one that it does not know; to be added to."""
        stamp = state.filter, state.learnings
        found = self._of.get(account)
        if found is None or found[0] != stamp:
            self._count -= len(found[1]) if found is not None else 0
            found = self._of[account] = stamp, {}
        return found[1]

    def added(self, count: int) -> None:
        """So many were added; when they are too many, all are forgotten."""
        self._count += count
        if self._count > self._most:
            self._of.clear()
            self._count = 0


#: What no value is: a word that was not read yet.
_UNREAD: Final = b""


def known(
    tx: ReadTx, account: AccountID, words: Iterable[str], remembered: Remembered
) -> tuple[Learned, dict[Counts, list[str]]]:
    """The state of a filter, and those words that it knows by their counts, which many have in common."""
    state = learned(tx, account)
    prefix, values = tables.word_prefix(account, state.filter), remembered.of(account, state)
    read, get, handle, unpack = values.get, tx.raw.get, tx.handles[Table.JUNK_WORD], _COUNTS.unpack
    found: defaultdict[bytes | None, list[str]] = defaultdict(list)
    before = len(values)
    for word in words:
        value = read(word, _UNREAD)
        if value is _UNREAD:
            value = values[word] = get(prefix + word.encode(), None, handle)
        found[value].append(word)
    remembered.added(len(values) - before)
    return state, {Counts(*unpack(value)): same for value, same in found.items() if value is not None}


def count(tx: WriteTx, account: AccountID, filter: int, words: Iterable[str], *, ham: int, spam: int) -> None:
    """Add to the counts of words, or take away; a word that was in no message any more is forgotten.

    No count falls below zero.
    """
    prefix = tables.word_prefix(account, filter)
    # Sorted: neighbours lie on the same page.
    for word in sorted(words):
        key = prefix + word.encode()
        value = tx.get(Table.JUNK_WORD, key)
        hams, spams = (0, 0) if value is None else _COUNTS.unpack(value)
        hams, spams = max(0, hams + ham), max(0, spams + spam)
        if hams or spams:
            tx.put(Table.JUNK_WORD, key, _COUNTS.pack(hams, spams))
        elif value is not None:
            tx.delete(Table.JUNK_WORD, key)


class Lesson(NamedTuple):
    """A message and its words; None when it need not be learned."""

    id: MessageID
    words: frozenset[str] | None


def wanted(tx: ReadTx, account: AccountID, id: MessageID) -> tuple[bool | None, Facts] | None:
    """As what a message shall be learned, and its facts; None when it is erased."""
    key = tables.message_key(account, id)
    where, facts = tx.get(Table.PLACE, key), tx.record(Table.FACTS, key, Facts)
    if where is None or facts is None:
        return None
    place = unpack_place(where)
    if place.expunged:
        return None, facts
    row = tx.get(Table.ROW, tables.row_key(account, place.mailbox, place.uid))
    return (None if row is None else judgement(unpack_row(row).flags)), facts


def root_if_due(tx: ReadTx, account: AccountID, id: MessageID, filter: int) -> tuple[BodyID, Part] | None:
    """The body and structure of a message of which a filter has something to learn or to unlearn."""
    found = wanted(tx, account, id)
    if found is None or found[0] == learned_as(found[1], filter):
        return None
    place = tx.get(Table.PLACE, tables.message_key(account, id))
    assert place is not None
    return unpack_place(place).body, found[1].root


def judged(tx: ReadTx, account: AccountID, after: MessageID, most: int) -> tuple[list[MessageID], MessageID | None]:
    """Those that are judged among the next `most` messages, and the last of these; None when there are no more."""
    found: list[MessageID] = []
    start, stop = tables.message_key(account, MessageID(after + 1)), tables.account_key(AccountID(account + 1))
    last: MessageID | None = None
    for _, (key, value) in zip(range(most), tx.scan(Table.PLACE, start, stop), strict=False):
        last = MessageID(int.from_bytes(key[4:], "big"))
        place = unpack_place(value)
        row = tx.get(Table.ROW, tables.row_key(account, place.mailbox, place.uid))
        if not place.expunged and row is not None and judgement(unpack_row(row).flags) is not None:
            found.append(last)
    return found, last


def learned_as(facts: Facts, filter: int) -> bool | None:
    """As what a filter has learned a message."""
    return facts.trained_junk if facts.trained_by == filter else None


def learn(tx: WriteTx, account: AccountID, filter: int, lessons: Sequence[Lesson]) -> int:
    """Learn messages as what they are judged now, unlearning what they were; how many that changed.

    Nothing happens when the filter is no longer the account's, or is not the one being made.
    """
    state = learned(tx, account)
    if filter not in {state.making, state.filter} or tx.account(account).removed:
        return 0
    is_new = filter == state.making
    hams, spams = (state.making_hams, state.making_spams) if is_new else (state.hams, state.spams)
    changed = 0
    for id, words in lessons:
        found = wanted(tx, account, id)
        is_due = found is not None and found[0] != learned_as(found[1], filter)
        if is_due and words is None:
            continue  # Judged anew since it was looked at: next time.
        if not is_new:
            tx.delete(Table.TO_LEARN, tables.message_key(account, id))
        if found is None or words is None or not is_due:
            continue
        now, facts = found
        before = learned_as(facts, filter)
        ham = (now is False) - (before is False)
        spam = (now is True) - (before is True)
        count(tx, account, filter, words, ham=ham, spam=spam)
        hams, spams = hams + ham, spams + spam
        again = msgspec.structs.replace(facts, trained_junk=now, trained_by=0 if now is None else filter)
        tx.put_record(Table.FACTS, tables.message_key(account, id), again)
        changed += 1
    if changed:
        state = msgspec.structs.replace(state, learnings=state.learnings + 1)
    if is_new:
        state = msgspec.structs.replace(state, making_hams=hams, making_spams=spams)
    else:
        state = msgspec.structs.replace(state, hams=hams, spams=spams)
    set_learned(tx, account, state)
    return changed


def begin(tx: WriteTx, account: AccountID, grams: tuple[int, ...]) -> int:
    """Begin a new filter, instead of one that was begun and not finished; its number."""
    tx.account(account)
    state = learned(tx, account)
    number = max(state.filter, state.making) + 1
    set_learned(
        tx,
        account,
        msgspec.structs.replace(state, making=number, making_hams=0, making_spams=0, making_grams=grams),
    )
    return number


def finish(tx: WriteTx, account: AccountID) -> None:
    """The new filter is whole: it is the account's from now on."""
    state = learned(tx, account)
    made = Learned(
        filter=state.making, hams=state.making_hams, spams=state.making_spams, grams=state.making_grams, whole=True
    )
    set_learned(tx, account, made)


def drop_others(tx: WriteTx, account: AccountID, most: int) -> bool:
    """Forget words of filters that are neither the account's nor being made, so many; whether none are left."""
    state = learned(tx, account)
    used = {state.filter, state.making}
    left = most
    for number in _filters(tx, account):
        if number in used:
            continue
        found = tx.scan_prefix(Table.JUNK_WORD, tables.word_prefix(account, number))
        keys = [key for _, (key, _) in zip(range(left), found, strict=False)]
        for key in keys:
            tx.delete(Table.JUNK_WORD, key)
        left -= len(keys)
        if not left:
            return False
    return True


def _filters(tx: ReadTx, account: AccountID) -> list[int]:
    """Numbers of filters that have words."""
    found: list[int] = []
    start, stop = tables.account_key(account), tables.account_key(AccountID(account + 1))
    while (entry := next(tx.scan(Table.JUNK_WORD, start, stop), None)) is not None:
        found.append(int.from_bytes(entry[0][4:8], "big"))
        start = tables.word_prefix(account, found[-1] + 1)
    return found


def words(tx: ReadTx, account: AccountID) -> Mapping[str, Counts]:
    """All that the filter knows. For tests and for a look at it."""
    prefix = tables.word_prefix(account, learned(tx, account).filter)
    found = tx.scan_prefix(Table.JUNK_WORD, prefix)
    return {key[len(prefix) :].decode(): Counts(*_COUNTS.unpack(value)) for key, value in found}


def verify(tx: ReadTx, account: AccountID) -> Iterator[str]:
    """What is wrong: totals are those of the messages, no word was in more."""
    state = learned(tx, account)
    learned_from = {(number, kind): 0 for number in (state.filter, state.making) for kind in (False, True)}
    for key, value in tx.scan_prefix(Table.FACTS, tables.account_key(account)):
        facts = msgspec.msgpack.decode(value, type=Facts)
        if facts.trained_junk is None:
            continue
        place = tx.get(Table.PLACE, key)
        if place is not None and unpack_place(place).expunged and tx.get(Table.TO_LEARN, key) is None:
            yield f"removed message {int.from_bytes(key[4:], 'big')} is not waiting to be unlearned"
        if (facts.trained_by, facts.trained_junk) in learned_from:
            learned_from[facts.trained_by, facts.trained_junk] += 1
    of_new = learned_from[state.making, False], learned_from[state.making, True]
    if state.making and of_new != (state.making_hams, state.making_spams):
        yield "the junk filter being made has other totals than the messages learned"
    of_old = learned_from[state.filter, False], learned_from[state.filter, True]
    # While a new one is made, messages leave the old one without being unlearned.
    if not state.making and of_old != (state.hams, state.spams):
        yield f"the junk filter has learned {state.hams} and {state.spams} messages, not {of_old}"
    totals = {state.filter: (state.hams, state.spams), state.making: (state.making_hams, state.making_spams)}
    for key, value in tx.scan_prefix(Table.JUNK_WORD, tables.account_key(account)):
        ham, spam = _COUNTS.unpack(value)
        hams, spams = totals.get(int.from_bytes(key[4:8], "big"), (ham, spam))
        if ham > hams or spam > spams or not (ham or spam):
            yield f"the junk filter's word {key[8:]!r} was in more messages than there are, or in none"

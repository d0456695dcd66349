"""One query over many messages of an account, in steps: by the index where there is one, else by their texts."""

from collections.abc import Sequence
from typing import Final

from appliance.store import message, prepare, words
from appliance.store.search import DOUBTFUL, InField, Query, SentBetween
from appliance.store.tables import AccountID, MessageID
from appliance.store.transaction import ReadTx
from appliance.store.words import Segment

#: Texts read in one step when there is no index; ids taken in in one step.
STEP_MESSAGES: Final = 64
STEP_IDS: Final = 8192
#: So few messages of a segment, or of all, are read rather than looked up: one costs some 10 µs, a segment a
#: millisecond.
FEW: Final = 64
#: The same where the index has the answer in a few dozen kilobytes.
FEW_VALUES: Final = 8


class Lookup:
    """Call `step` with a snapshot until it is done; the snapshots may differ."""

    def __init__(self, account: AccountID, query: Query, ids: Sequence[int]) -> None:
        self.query = query
        #: Ids of messages that have what was asked for.
        self.found: set[int] = set()
        #: Ids of messages of which only the beginning is kept, and that does not have it.
        self.doubtful: list[MessageID] = []
        #: How many messages are settled.
        self.settled = 0
        self._account = account
        self._ids = ids
        self._left: set[int] = set()
        self._taken = 0
        self._few = FEW_VALUES if isinstance(query, SentBetween | InField) else FEW
        # The segments to be asked lie after the first of these ids and cover the second; known when all are taken in.
        self._after = 1 << 63
        self._highest = 0
        self._asking = len(ids) > self._few
        self._read = 0

    def step(self, tx: ReadTx) -> bool:
        """Do a part of the work, some milliseconds; whether there is more to do."""
        if self._asking:
            if self._taken < len(self._ids):
                some = self._ids[self._taken : self._taken + STEP_IDS]
                self._taken += STEP_IDS
                self._left.update(some)
                lowest, highest = min(some), max(some)
                self._after = min(self._after, lowest - 1)
                self._highest = max(self._highest, highest)
            elif self._after < self._highest and self._left:
                entry = next(words.segments(tx, self._account, self._after), None)
                if entry is None:
                    self._after = self._highest
                else:
                    self._after, segment = entry
                    self._ask(tx, segment)
            else:
                self._asking = False
            return True
        some = self._ids[self._read : self._read + STEP_MESSAGES]
        self._read += STEP_MESSAGES
        if self._taken:
            some = [id for id in some if id in self._left]
        self._scan(tx, some)
        return self._read < len(self._ids)

    def _ask(self, tx: ReadTx, segment: Segment) -> None:
        ids = segment.message_ids()
        left = self._left
        here = {at: id for at, id in enumerate(ids) if id in left}
        if not here:
            return
        left.difference_update(here.values())
        if len(here) <= self._few:
            self._scan(tx, list(here.values()))
            return
        answer = words.ask(tx, self._account, segment, self.query)
        self.found.update(here[at] for at in answer.sure if at in here)
        self.settled += len(here)
        if isinstance(self.query, DOUBTFUL):
            answer.maybe.update(at for at in segment.cut_ordinals() if at not in answer.sure)
        maybe = [here[at] for at in answer.maybe if at in here]
        self.settled -= len(maybe)
        self._scan(tx, maybe)

    def _scan(self, tx: ReadTx, ids: Sequence[int]) -> None:
        test = self.query.test
        doubts = isinstance(self.query, DOUBTFUL)
        for id, text in zip(ids, message.texts(tx, self._account, ids), strict=True):
            if test(text):
                self.found.add(id)
            elif doubts and text.startswith(prepare.CUT):
                self.doubtful.append(MessageID(id))
            self.settled += 1

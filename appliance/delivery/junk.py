"""How likely a message is junk, by its words: naive Bayes over what the account's filter has learned.

Whether that decides anything is said elsewhere. Reading the words of a large message is done in a thread.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from appliance.base import limits
from appliance.config.domains import JunkFilter
from appliance.mail.describe import BAD_CONTENT_TYPE
from appliance.mail.scan import Scanned
from appliance.mail.text import Reader
from appliance.mail.tokens import tokens
from appliance.store import junk
from appliance.store.junk import Counts
from appliance.store.spool import INLINE_PARTS
from appliance.store.store import Store
from appliance.store.tables import AccountID

#: A filter that has learned fewer hams knows too little of what its user gets.
SIGNIFICANT_HAMS: Final = 50
#: Words of larger messages are read in a thread, and of those with many parts.
INLINE_OCTETS: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Score:
    """What the filter thinks of a message."""

    #: That it is junk: 0 to 1.
    probability: float
    #: Whether the filter has learned enough for that to count.
    significant: bool
    #: The words it was judged by, the most telling first, each with the share of junk among what it was seen in.
    ham_words: tuple[tuple[str, float], ...] = ()
    spam_words: tuple[tuple[str, float], ...] = ()
    #: Its Content-Type cannot be read; words were not asked.
    malformed: bool = False


def grams(settings: JunkFilter) -> tuple[int, ...]:
    """How many words in a row a filter shall know."""
    wanted = (settings.onegrams, settings.twograms, settings.threegrams)
    return tuple(number for number, one in enumerate(wanted, 1) if one)


def score(known: Mapping[Counts, Sequence[str]], *, hams: int, spams: int, settings: JunkFilter) -> Score:
    """Judge by the words that a message has and the filter knows, given by their counts."""
    by_share: dict[float, list[str]] = {}
    ignored = settings.ignore_words
    for counts, words in known.items():
        share = _share(counts, hams, spams, settings)
        if share is None or abs(0.5 - share) < ignored:
            continue
        if share in by_share:
            by_share[share] += words
        else:
            by_share[share] = [*words]
    best_hams = _best(by_share, sorted(share for share in by_share if share < 0.5), settings.top_words)
    best_spams = _best(by_share, sorted((share for share in by_share if share > 0.5), reverse=True), settings.top_words)
    eta = 0.0
    for _, share in (*best_hams, *best_spams):
        # With a max_power of 0 a word may be certain; as certain as a number can be is enough.
        share = min(max(share, _LEAST), 1 - _LEAST)
        eta += math.log(1 - share) - math.log(share)
    probability = 1 / (1 + math.exp(min(eta, _LARGEST)))
    return Score(probability, hams >= SIGNIFICANT_HAMS, best_hams, best_spams)


def _share(counts: Counts, hams: int, spams: int, settings: JunkFilter) -> float | None:
    """Of junk among the messages with a word; None for a word that was in none."""
    ham, spam = counts
    in_spam = spam / spams if spams else 0.0
    in_ham = ham / hams if hams else 0.0
    if not in_spam + in_ham:
        return None
    share, least = in_spam / (in_spam + in_ham), settings.max_power
    if share < least:
        share = least
    elif share > 1 - least:
        share = 1 - least
    if (seen := ham + spam) <= (rare := settings.rare_words):
        share += (1 + rare - seen) * (0.5 - share) / 10
    return share


def _best(by_share: Mapping[float, list[str]], shares: Iterable[float], most: int) -> tuple[tuple[str, float], ...]:
    """The most telling words, by shares in this order; of equally telling ones the longer, then always the same."""
    best: list[tuple[str, float]] = []
    for share in shares:
        if len(best) >= most:
            break
        longest = sorted(sorted(by_share[share]), key=len, reverse=True)
        best += [(word, share) for word in longest[: most - len(best)]]
    return tuple(best)


#: Keeps logarithms and powers within what a float can be.
_LEAST: Final = 1e-9
_LARGEST: Final = 700.0


class Words:
    """The words of a message as received, the fields added at delivery left out: read once for all who judge it."""

    def __init__(self, scanned: Scanned, read: Reader) -> None:
        """`read` gives its octets."""
        self._scanned = scanned
        self._read = read
        self._found: dict[tuple[int, ...], frozenset[str]] = {}

    @property
    def is_malformed(self) -> bool:
        """Some Content-Type cannot be read."""
        return BAD_CONTENT_TYPE in self._scanned.defects

    async def of(self, grams: tuple[int, ...]) -> frozenset[str]:
        """As `tokens`."""
        if grams not in self._found:
            one, root = self._scanned, self._scanned.root
            if one.size > INLINE_OCTETS or one.parts > INLINE_PARTS:
                found = await trio.to_thread.run_sync(tokens, root, self._read, grams, limits.TOKENS)
            else:
                found = tokens(root, self._read, grams, limits.TOKENS)
            self._found[grams] = found
        return self._found[grams]


async def classify(store: Store, account: AccountID, words: Words, settings: JunkFilter) -> Score:
    """Judge a message by its words."""
    if words.is_malformed:
        return Score(1.0, significant=True, malformed=True)
    with store.read() as tx:
        state = junk.learned(tx, account)
    if not state.hams + state.spams:
        return Score(0.5, significant=False)
    # What it has learned, not what is configured: while that differs, a new filter is being made.
    found = await words.of(state.grams)
    with store.read() as tx:
        state, known = junk.known(tx, account, found, store.junk_words)
    return score(known, hams=state.hams, spams=state.spams, settings=settings)

import math

import pytest

from appliance.config.domains import JunkFilter
from appliance.delivery.junk import Score, grams, score
from appliance.store.junk import Counts

#: Words count as they are, all of them.
PLAIN = JunkFilter(threshold=0.95, onegrams=True, max_power=0.01, top_words=10)


def filtered(**settings) -> JunkFilter:
    return JunkFilter(**{"threshold": 0.95, "onegrams": True, "max_power": 0.01, "top_words": 10, **settings})


def judged(known: dict[str, tuple[int, int]], settings=PLAIN, hams=100, spams=100) -> Score:
    by_counts: dict[Counts, list[str]] = {}
    for word, counts in known.items():
        by_counts.setdefault(Counts(*counts), []).append(word)
    return score(by_counts, hams=hams, spams=spams, settings=settings)


@pytest.mark.parametrize(
    ("known", "settings", "probability"),
    [
        pytest.param({}, PLAIN, 0.5, id="no words"),
        pytest.param({"a": (0, 0)}, PLAIN, 0.5, id="never seen"),
        pytest.param({"a": (5, 5)}, PLAIN, 0.5, id="mixed"),
        # 0.2 and 0.2: η = 2 ln 4, 1/(1+16)
        pytest.param({"a": (8, 2), "b": (8, 2)}, PLAIN, 1 / 17, id="two of ham"),
        pytest.param({"a": (2, 8), "b": (2, 8)}, PLAIN, 16 / 17, id="two of spam"),
        pytest.param({"a": (2, 8), "b": (8, 2)}, PLAIN, 0.5, id="one of each"),
        pytest.param({"a": (9, 0)}, PLAIN, 0.01, id="no further than max_power"),
        pytest.param({"a": (0, 9)}, PLAIN, 0.99, id="nor on the other side"),
        # 0.01 + (1 + 2 - 1) * 0.49 / 10, and + (1 + 2 - 2) * 0.49 / 10
        pytest.param({"a": (1, 0)}, filtered(rare_words=2), 0.108, id="seen once"),
        pytest.param({"a": (2, 0)}, filtered(rare_words=2), 0.059, id="seen twice"),
        pytest.param({"a": (3, 0)}, filtered(rare_words=2), 0.01, id="not rare"),
        pytest.param({"a": (0, 1)}, filtered(rare_words=2), 0.892, id="rare in spam"),
        pytest.param({"a": (55, 45), "b": (8, 2)}, filtered(ignore_words=0.1), 0.2, id="near the middle"),
        pytest.param({"a": (8, 2), "b": (6, 4)}, filtered(top_words=1), 0.2, id="only the best"),
        pytest.param({"a": (8, 2), "b": (4, 6), "c": (2, 8)}, filtered(top_words=1), 0.5, id="the best of each side"),
        pytest.param({"a": (8, 2)}, filtered(top_words=0), 0.5, id="none"),
    ],
)
def test_probability(known, settings, probability: float) -> None:
    assert judged(known, settings).probability == pytest.approx(probability)


def test_shares_are_of_the_messages_learned() -> None:
    # 10 of 200 hams, 10 of 50 spams: 0.2 / (0.2 + 0.05)
    assert judged({"a": (10, 10)}, hams=200, spams=50).probability == pytest.approx(0.8)
    assert judged({"a": (10, 0)}, hams=20, spams=0).probability == pytest.approx(0.01)


def test_ties_go_to_the_longer_word() -> None:
    known = {"bb": (8, 2), "ccc": (8, 2), "aa": (8, 2), "spam": (2, 8), "spams": (2, 8), "most": (1, 9)}
    outcome = judged(known, filtered(top_words=2))
    assert [word for word, _ in outcome.ham_words] == ["ccc", "aa"]
    assert outcome.ham_words[0][1] == pytest.approx(0.2)
    assert [word for word, _ in outcome.spam_words] == ["most", "spams"]


def test_significance() -> None:
    assert not judged({}, hams=49, spams=1000).significant
    assert judged({}, hams=50, spams=0).significant


def test_certain_words_are_no_error() -> None:
    certain = filtered(max_power=0, top_words=1000)
    assert judged({f"w{n}": (9, 0) for n in range(1000)}, certain).probability == pytest.approx(0, abs=1e-12)
    outcome = judged({f"w{n}": (0, 9) for n in range(1000)}, certain).probability
    assert math.isfinite(outcome)
    assert outcome == pytest.approx(1)


def test_grams() -> None:
    assert grams(filtered()) == (1,)
    assert grams(filtered(onegrams=False, twograms=True, threegrams=True)) == (2, 3)

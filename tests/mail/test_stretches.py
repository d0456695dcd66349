"""A sort in stretches gives what a sort gives."""

import pytest
from hypothesis import given, strategies as st

from appliance.mail import stretches


@given(st.lists(st.integers(0, 30), max_size=300), st.booleans(), st.integers(1, 40))
def test_ordered_is_sorted(keys: list[int], reverse: bool, at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "AT_ONCE", at_once)
        patch.setattr(stretches, "_SAMPLE", min(at_once, 8))
        patch.setattr(stretches, "_STRETCHES", min(at_once, 4))
        found = stretches.ordered(range(len(keys)), keys.__getitem__, reverse=reverse)
    assert found == sorted(range(len(keys)), key=keys.__getitem__, reverse=reverse)


def test_no_more_than_a_few_are_sorted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = 0

    def noted(items, **options):
        nonlocal longest
        found = sorted(items, **options)
        longest = max(longest, len(found))
        return found

    monkeypatch.setattr(stretches, "sorted", noted, raising=False)
    keys = [f"subject {number * 7919 % 50_021}" for number in range(50_000)]
    assert stretches.ordered(range(50_000), keys.__getitem__) == sorted(range(50_000), key=keys.__getitem__)
    assert longest < stretches.AT_ONCE

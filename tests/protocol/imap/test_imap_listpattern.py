"""Patterns against a matcher that tries everything, and what hostile ones cost."""

import time
from functools import cache

import pytest
from hypothesis import example, given, settings, strategies as st

from appliance.protocol.imap.listpattern import ListPattern, Pattern


def naive(pattern: str, name: str) -> bool:
    """By RFC 9051 §6.3.9, word for word."""

    @cache
    def fits(at: int, done: int) -> bool:
        if at == len(pattern):
            return done == len(name)
        if pattern[at] == "*":
            return any(fits(at + 1, end) for end in range(done, len(name) + 1))
        if pattern[at] == "%":
            return any(fits(at + 1, end) for end in range(done, len(name) + 1) if "/" not in name[done:end])
        return done < len(name) and name[done] == pattern[at] and fits(at + 1, done + 1)

    return fits(0, 0)


@settings(max_examples=1500, deadline=None)
@given(st.text("ab/*%", max_size=9), st.text("ab/", max_size=9))
@example("%*", "a/b")
@example("*%", "a/b")
@example("%/%", "a/")
@example("", "")
def test_as_the_words_say(pattern, name):
    assert Pattern(pattern).matches(name) == naive(pattern, name)


@pytest.mark.parametrize(
    ("reference", "pattern", "name", "fits"),
    [
        ("", "*", "Inbox", True),
        ("", "%", "Inbox", True),
        ("", "%", "Inbox/x", False),
        ("", "inbox", "Inbox", True),
        ("", "iNbOx/%", "Inbox/x", True),
        ("inbox/", "*", "Inbox/x/y", True),
        ("", "INB*", "Inbox", True),
        ("", "inb%", "Inbox", True),
        ("", "*x", "Inbox/ax", True),
        ("", "INBOX*", "Inbox/x", True),
        ("", "inbox", "Inboxes", False),
        ("", "Inbox*", "Inboxes", True),
        ("", "sent", "Sent", False),
        ("", "archive/%", "Archive/x", False),
        ("a/", "b", "a/b", True),
        ("a", "b", "ab", True),
        ("", "", "a", False),
    ],
)
def test_inbox_has_any_casing(reference, pattern, name, fits):
    assert ListPattern(reference, pattern).matches(name) is fits


@pytest.mark.parametrize("part", ["*a", "%a", "*%", "a*%b", "%/", "*/%"])
def test_hostile_patterns_are_linear_in_the_name(part):
    pattern = ListPattern("", (part * 300)[:999] + "X")

    def seconds(length: int) -> float:
        best = 1e9
        for _ in range(3):
            start = time.process_time()
            for _ in range(20):
                assert not pattern.matches("a/b" * (length // 3))
            best = min(best, time.process_time() - start)
        return best

    # Generous, for busy machines: quadratic work would come out as 8.
    assert any(seconds(960) / max(seconds(120), 1e-6) / 8 < 5 for _ in range(8))

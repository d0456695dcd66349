"""When to ask for a certificate: renewals, and pauses after failures. Times are seconds since 1970; chance is given."""

from typing import Final

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
#: No certificate is renewed earlier before its end.
LONGEST_BEFORE: Final = 30 * _DAY
#: Chance moves a renewal by no more than this, nor by more than a tenth of the time before the end.
_JITTER: Final = _HOUR
#: After so many failures to get a first certificate: somebody may just be putting things right, and a client waits.
_FIRST_PAUSES: Final = (_MINUTE, 5 * _MINUTE)
#: Authorities count failures by the hour.
_PAUSE: Final = (30 * _MINUTE, 60 * _MINUTE)
#: An authority that asks for more patience than this gets no more.
_LONGEST_PAUSE: Final = 7 * _DAY
#: How often an authority is asked when to renew, unless it says (RFC 9773 §4.3.1 to §4.3.3).
_ASK_AGAIN, _ASK_SOONEST, _ASK_LATEST = 6 * _HOUR, _MINUTE, _DAY


def renew_at(begin: float, end: float, renew_before: float | None, chance: float) -> float:
    """When to renew a certificate of that life. `chance`: 0 to 1; `renew_before`: as the operator wants it."""
    lifetime = end - begin
    before = lifetime / 3 if renew_before is None else renew_before
    # What is longer than its life would be renewed at once, over and over.
    before = min(before, LONGEST_BEFORE, lifetime * 0.9)
    return end - before - chance * min(before / 10, _JITTER)


def renew_in_window(start: float, end: float, chance: float, *, life: tuple[float, float]) -> float:
    """A moment in the window that the authority wishes (RFC 9773 §4.2).

    `life`: the certificate's begin and end. A wish for a new one each time, or for none in time, is not followed.
    """
    begin, until = life
    tenth = (until - begin) / 10
    return min(max(start + chance * max(0.0, end - start), begin + min(tenth, _DAY)), until - tenth)


def ask_renewal_in(retry_after: float | None) -> float:
    """Seconds until the authority is asked again when to renew."""
    return _ASK_AGAIN if retry_after is None else min(max(retry_after, _ASK_SOONEST), _ASK_LATEST)


def pause(failures: int, retry_after: float | None, chance: float, *, first: bool) -> float:
    """Seconds after the last of so many failures in a row. `first`: there is no certificate yet."""
    shortest, longest = _PAUSE
    usual = shortest + chance * (longest - shortest)
    if first and failures <= len(_FIRST_PAUSES):
        usual = _FIRST_PAUSES[failures - 1]
    return max(usual, min(retry_after or 0.0, _LONGEST_PAUSE))

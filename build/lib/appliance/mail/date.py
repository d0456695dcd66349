"""Dates of messages.

RFC 5322 §3.3 and §4.3. Reading is lenient, since senders of all ages are; writing is exact.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from appliance.mail import comment

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: Hours east of Greenwich; every other name is taken as UTC, as RFC 5322 §4.3 has it.
ZONES = {"EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8}
#: A date is read no further than this; the longest honest one has some forty octets and a comment.
MAX_OCTETS = 256

_MONTH_NUMBER = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
_DAY_NAMES = frozenset(name.lower() for name in DAYS)
_TOKEN = re.compile(
    r"(?P<time>(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,]\d++)?)?)"
    r"|(?P<sign>[+-])(?P<offset>\d++(?::\d\d)?)"
    r"|(?P<number>\d++)"
    r"|(?P<word>[A-Za-z]++)",
    re.ASCII,
)
_ISO = re.compile(r"\s*(\d{4})-(\d\d)-(\d\d)(?:[Tt ]|$)", re.ASCII)


def parse(value: bytes) -> datetime | None:
    """The moment a Date value means, aware, in the sender's zone; None when it means none.

    Takes obsolete zones, comments, two-digit years, missing weekdays, seconds and zones, month before day,
    and RFC 3339. An offset of a day or more counts as UTC.
    """
    text = comment.remove(value[:MAX_OCTETS]).decode("ascii", "replace")
    day = month = year = clock = None
    offset = timedelta()
    if iso := _ISO.match(text):
        year, month, day = (int(group) for group in iso.groups())
        text = text[iso.end() :]
    noon = ""
    for token in _TOKEN.finditer(text):
        if token["time"]:
            clock = clock or (int(token[2]), int(token[3]), int(token[4] or 0))
        elif token["offset"]:
            if clock:
                offset = _offset(token["sign"], token["offset"])
            elif year is None and token["sign"] == "-" and day:  # 2-Jan-2006
                year = _year(token["offset"])
        elif number := token["number"]:
            if day is None and len(number) <= 2:
                day = int(number)
            elif year is None:
                year = _year(number)
        elif (word := token["word"].lower())[:3] in _MONTH_NUMBER and month is None:
            month = _MONTH_NUMBER[word[:3]]
        elif word in {"am", "pm"}:
            noon = word
        elif clock and word[:3] not in _DAY_NAMES:
            offset = timedelta(hours=ZONES.get(word.upper(), 0))
    if not (day and month and year and clock):
        return None
    hour, minute, second = clock
    if noon and 1 <= hour <= 12:
        hour = hour % 12 + (12 if noon == "pm" else 0)
    try:
        # A leap second is the second before it: datetime has no place for it.
        when = datetime(
            year,
            month,
            day,
            hour,
            minute,
            min(second, 59) if second <= 60 else second,
            tzinfo=timezone(offset) if offset else UTC,
        )
        when.astimezone(UTC)  # OverflowError at both ends of the calendar, here rather than in a caller
    except (ValueError, OverflowError):
        return None
    return when


def _year(digits: str) -> int | None:
    if len(digits) > 5:
        return None
    year = int(digits)
    if len(digits) <= 2:
        return year + (2000 if year < 50 else 1900)  # RFC 5322 §4.3
    return year + 1900 if len(digits) == 3 else year


def _offset(sign: str, digits: str) -> timedelta:
    digits = digits.replace(":", "")
    if len(digits) > 4:
        return timedelta()
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else divmod(int(digits), 100)
    offset = timedelta(hours=hours, minutes=minutes)
    if offset >= timedelta(hours=24):
        return timedelta()
    return -offset if sign == "-" else offset


def format(when: datetime) -> str:
    """An aware moment as `Mon, 02 Jan 2006 15:04:05 -0700`. Raises ValueError when it is naive."""
    offset = when.utcoffset()
    if offset is None:
        raise ValueError("a date needs its zone")
    minutes = round(offset.total_seconds() / 60)
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return (
        f"{DAYS[when.weekday()]}, {when.day:02} {MONTHS[when.month - 1]} {when.year:04} "
        f"{when.hour:02}:{when.minute:02}:{when.second:02} {sign}{minutes // 60:02}{minutes % 60:02}"
    )

from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import date

WHEN = datetime(2006, 1, 2, 15, 4, 5, tzinfo=timezone(-timedelta(hours=7)))
AT_UTC = datetime(2006, 1, 2, 15, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "when"),
    [
        pytest.param(b"Mon, 02 Jan 2006 15:04:05 -0700", WHEN, id="full"),
        pytest.param(b"2 Jan 2006 15:04:05 -0700", WHEN, id="no weekday"),
        pytest.param(b"Mon, 2 Jan 2006 15:04:05 -0700 (MST (Arizona))", WHEN, id="comment"),
        pytest.param(b"Mon (day), 2 (x) Jan 2006\r\n 15:04:05 -0700", WHEN, id="comments within, folded"),
        pytest.param(b"Mon, 2 Jan 06 15:04:05 MST", WHEN, id="two digits, obsolete zone"),
        pytest.param(b"Mon, 2 Jan 106 15:04:05 -0700", WHEN, id="three digits"),
        pytest.param(b"Mon, 2 Jan 2006 15:04:05 -07:00", WHEN, id="colon in zone"),
        pytest.param(b"Mon, 2 Jan 2006 15:04:05 GMT-0700", WHEN, id="two zones"),
        pytest.param(b"monday, 2 january 2006 15:04:05 -0700", WHEN, id="long names"),
        pytest.param(b"2-Jan-2006 15:04:05 -0700", WHEN, id="hyphens"),
        pytest.param(b"2006-01-02T15:04:05.123-07:00", WHEN, id="RFC 3339"),
        pytest.param(b"Mon Jan  2 15:04:05 2006", AT_UTC, id="asctime"),
        pytest.param(b"Jan 2, 2006 3:04:05 PM", AT_UTC, id="month first, pm"),
        pytest.param(b"2 Jan 2006 15:04:05", AT_UTC, id="no zone"),
        pytest.param(b"2 Jan 2006 15:04:05 -0000", AT_UTC, id="unknown zone"),
        pytest.param(b"2 Jan 2006 15:04:05 Q", AT_UTC, id="military zone"),
        pytest.param(b"2 Jan 2006 15:04:05 +9900", AT_UTC, id="impossible zone"),
        pytest.param(b"2 Jan 2006 15:04:05 +99999999999", AT_UTC, id="endless zone"),
        pytest.param(b"2 Jan 2006 15:04", AT_UTC.replace(second=0), id="no seconds"),
        pytest.param(b"31 Dec 2016 23:59:60 Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC), id="leap second"),
        pytest.param(b"2 Jan 68 15:04:05 Z", AT_UTC.replace(year=1968), id="last century"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"yesterday", None, id="words"),
        pytest.param(b"31 Feb 2006 15:04:05 Z", None, id="no such day"),
        pytest.param(b"2 Jan 2006 25:04:05 Z", None, id="no such hour"),
        pytest.param(b"2 Jan 10000 15:04:05 Z", None, id="year too far"),
        pytest.param(b"1 Jan 0001 00:00:00 +1200", None, id="before the calendar"),
        pytest.param(b"31 Dec 9999 23:00:00 -1200", None, id="after the calendar"),
        pytest.param(b"2 Jan 2006", None, id="no time"),
        pytest.param(b"99999999999999999999 Jan 2006 15:04:05 Z", None, id="endless day"),
    ],
)
def test_parse(value, when):
    parsed = date.parse(value)
    assert parsed == when
    assert when is None or parsed.utcoffset() == when.utcoffset()


moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(lambda when: when.replace(microsecond=0))
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(max_examples=100, deadline=None)
@given(moments, zones)
def test_round_trip(moment, zone):
    when = moment.replace(tzinfo=zone)
    text = date.format(when)
    assert date.parse(text.encode()) == when == parsedate_to_datetime(text)


def test_format():
    assert date.format(WHEN) == "Mon, 02 Jan 2006 15:04:05 -0700"
    with pytest.raises(ValueError):
        date.format(datetime(2006, 1, 2))


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60)
    | st.lists(
        st.sampled_from("2 06 2006 9999 0001 Jan Feb Mon 15:04 23:59:60 +2359 -9999 (x ) Z PM - , : T".split()),
        max_size=12,
    ).map(lambda words: " ".join(words).encode())
)
def test_any_octets(value):
    when = date.parse(value)
    if when is not None:
        when.astimezone(UTC)
        assert date.parse(date.format(when).encode()) is not None

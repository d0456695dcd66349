"""Parts of files, and conditions: tables of RFC 9110 §13 and §14."""

import pytest

from appliance.servers.web.site.ranges import Version, parse_ranges, wanted

VERSION = Version(1_700_000_000_500_000_000, 100)
TAG, DATE = VERSION.tag, "Tue, 14 Nov 2023 22:13:20 GMT"
EARLIER, LATER = "Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"


def test_version():
    assert (VERSION.tag, VERSION.modified) == ('"17979cfe53f76500-64"', DATE)


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("bytes=0-9", [(0, 10)]),
        ("Bytes = 0-9", [(0, 10)]),
        ("bytes=90-", [(90, 100)]),
        ("bytes=90-1000", [(90, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("bytes=-0", []),
        ("bytes=100-", []),
        ("bytes=100-200, 0-0", [(0, 1)]),
        ("bytes=0-0,-1", [(0, 1), (99, 100)]),
        ("bytes=10-5", None),
        ("bytes=", None),
        ("bytes=a-b", None),
        ("bytes=1-2-3", None),
        ("bytes=--1", None),
        ("bytes=0-9,", None),
        ("lines=0-9", None),
        ("0-9", None),
        # More than all of it, and more parts than anybody needs.
        ("bytes=0-99,0-0", None),
        ("bytes=" + ",".join(["0-0"] * 11), None),
        ("bytes=" + "9" * 30 + "-", None),
        ("bytes=٣-٤", None),
    ],
)
def test_parse_ranges(text, ranges):
    assert parse_ranges(text, 100) == ranges


def test_nothing_of_an_empty_file():
    assert parse_ranges("bytes=0-", 0) == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"if-none-match": TAG}, 304),
        ({"if-none-match": f'"x", W/{TAG}'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, 200),
        ({"if-none-match": '"x"', "if-modified-since": LATER}, 200),
        ({"if-modified-since": DATE}, 304),
        ({"if-modified-since": LATER}, 304),
        ({"if-modified-since": EARLIER}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-modified-since": "Mon, 99 Foo 9999999999 00:00:00 GMT"}, 200),
        ({"if-match": TAG}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": f"W/{TAG}"}, 412),
        ({"if-match": '"x"'}, 412),
        ({"if-unmodified-since": DATE}, 200),
        ({"if-unmodified-since": EARLIER}, 412),
        ({"if-match": TAG, "if-unmodified-since": EARLIER}, 200),
        ({"range": "bytes=0-9"}, 206),
        ({"range": "bytes=100-"}, 416),
        ({"range": "nonsense"}, 200),
        ({"range": "bytes=0-9", "if-range": TAG}, 206),
        ({"range": "bytes=0-9", "if-range": DATE}, 206),
        ({"range": "bytes=0-9", "if-range": f"W/{TAG}"}, 200),
        ({"range": "bytes=0-9", "if-range": EARLIER}, 200),
        ({"range": "bytes=0-9", "if-none-match": TAG}, 304),
        ({"range": "bytes=0-9", "if-match": '"x"'}, 412),
    ],
)
def test_wanted(fields, status):
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    assert wanted("GET", headers, VERSION).status == status


def test_ranges_are_for_get():
    assert wanted("HEAD", [(b"range", b"bytes=0-9")], VERSION).status == 200

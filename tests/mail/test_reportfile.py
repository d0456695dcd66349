"""Finding and unpacking reports: shapes seen in the wild, damaged ones, bombs."""

import gzip
import zipfile
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given, strategies as st

from appliance.base.limits import REPORT, SCAN
from appliance.mail import reportfile
from appliance.mail.reportfile import NoReport, ReportError
from appliance.mail.scan import scan
from support.reports import PLAIN, alone, mixed, zipped

#: The same octets at any second: they stand in the names of tests.
packed = partial(gzip.compress, mtime=0)
SMALL = replace(REPORT, file_octets=100_000, mail_octets=1_000_000)


def found(octets: bytes, limits=SMALL) -> bytes:
    return reportfile.find(scan(octets, SCAN).root, octets, bytes, limits)


@pytest.mark.parametrize(
    "message",
    [
        alone(zipped(PLAIN)),
        alone(zipped(PLAIN, method=zipfile.ZIP_STORED)),
        alone(zipped(PLAIN, "folder/", "folder/r.xml", "__MACOSX/._r.xml"), "application/octet-stream"),
        alone(packed(PLAIN), "application/zip"),
        alone(zipped(PLAIN), "application/gzip"),
        alone(packed(packed(PLAIN))),
        alone(packed(PLAIN[:9]) + packed(PLAIN[9:])),
        alone(packed(PLAIN) + b"\0\0\0"),
        alone(PLAIN, "text/xml", "r.xml"),
        alone(PLAIN, "text/plain", "R.XML"),
        alone(PLAIN, "application/octet-stream", "whatever"),
        mixed(packed(PLAIN)),
        mixed(packed(PLAIN), "application/x-gzip", outer="report; report-type=dmarc"),
    ],
)
def test_shapes(message):
    assert found(message) == PLAIN


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (packed(bytes(200_000)), "too large when it is unpacked"),
        (packed(bytes(90_000)), "too large when it is unpacked"),
        (packed(packed(bytes(50_000_000))), "too large when it is unpacked"),
        (zipped(bytes(200_000)), "too large when it is unpacked"),
        (zipped(b"x" * 99, *map(str, range(40))), "too many files"),
        (zipped(PLAIN, "a.xml", "b.xml"), "exactly one file"),
        (zipped(b"", "a/"), "exactly one file"),
        (packed(b"") * 20, "too many members"),
        (packed(PLAIN)[:-9], "cut off"),
        (packed(PLAIN)[:40] + b"\xff" * 40, "damaged"),
        (zipped(PLAIN)[:-30], "damaged"),
        (zipped(PLAIN)[:50], "damaged"),
        (zipped(PLAIN).replace(b"PK\x01\x02", b"PK\x01\x03"), "damaged"),
        (zipped(PLAIN, method=zipfile.ZIP_STORED).replace(b"reject", b"accept"), "damaged"),
        (zipped(PLAIN, method=zipfile.ZIP_BZIP2), "unusual"),
        (bytes(100_001), "too large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # Not of the content, which has the time in it.
)
def test_refused(content, words):
    with pytest.raises(ReportError, match=words):
        found(alone(content))


def test_an_encrypted_archive():
    content = bytearray(zipped(PLAIN))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ReportError, match="encrypted"):
        found(alone(bytes(content)))


def test_a_bomb_makes_no_more_than_the_limit():
    asked = []

    class Unpacker:
        eof = False

        def decompress(self, octets, most):
            asked.append(most)
            return bytes(most)

    with pytest.raises(ReportError):
        reportfile._inflate(Unpacker(), b"x" * 1000, SMALL.file_octets, SMALL)
    assert asked == [SMALL.file_octets + 1]


def test_messages_without_a_report():
    for message in (b"Subject: hi\r\n\r\nhello\r\n", mixed(PLAIN, "image/png", "a.png")):
        with pytest.raises(NoReport):
            found(message)
    nested = b"Content-Type: message/rfc822\r\n\r\n" + alone(zipped(PLAIN))
    with pytest.raises(NoReport):
        found(nested)
    with pytest.raises(ReportError, match="too large for a report"):
        found(alone(zipped(PLAIN)), replace(SMALL, mail_octets=100))


def test_the_first_that_can_be_read_counts():
    def parse(content: bytes) -> bytes:
        if content != PLAIN:
            raise ReportError(f"{len(content)}")
        return content

    def message(*contents: bytes) -> bytes:
        parts = b"".join(b"--b\r\n" + alone(one) + b"\r\n" for one in contents)
        return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + b"--b--\r\n"

    octets = message(b"x", b"yy", PLAIN)
    assert reportfile.find(scan(octets, SCAN).root, octets, parse, SMALL) == PLAIN
    octets = message(b"x", b"yy")
    with pytest.raises(ReportError, match="1"):
        reportfile.find(scan(octets, SCAN).root, octets, parse, SMALL)
    octets = message(*[b"x"] * SMALL.attachments, PLAIN)
    with pytest.raises(ReportError):
        reportfile.find(scan(octets, SCAN).root, octets, parse, SMALL)


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b", b"PK\x03\x04", zipped(PLAIN), packed(PLAIN)]))
def test_unpack_any_octets(octets, before):
    try:
        assert isinstance(reportfile.unpack(before + octets, SMALL), bytes)
    except ReportError:
        pass


@given(st.data())
def test_unpack_damaged(data):
    octets = bytearray(data.draw(st.sampled_from([zipped(PLAIN), packed(PLAIN), zlib.compress(PLAIN)])))
    for _ in range(data.draw(st.integers(1, 5))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        reportfile.unpack(bytes(octets), SMALL)
    except ReportError:
        pass


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1700006400", datetime(2023, 11, 15, tzinfo=UTC)),
        (" 1700006400.987 ", datetime(2023, 11, 15, tzinfo=UTC)),
        ("1700006400000", datetime(2023, 11, 15, tzinfo=UTC)),
        ("2023-11-15T00:00:00Z", datetime(2023, 11, 15, tzinfo=UTC)),
        ("2023-11-15T02:00:00.123456789+02:00", datetime(2023, 11, 15, tzinfo=UTC)),
        ("2023-11-15 00:00:00", datetime(2023, 11, 15, tzinfo=UTC)),
        ("2023-11-15", datetime(2023, 11, 15, tzinfo=UTC)),
    ],
)
def test_moments(text, moment):
    assert reportfile.parse_moment(text) == moment


@pytest.mark.parametrize(
    "text", ["", "x", "-5", "999999999999999", "1969-01-01", "0001-01-01T00:00:00+10:00", "9" * 99]
)
def test_no_moments(text):
    with pytest.raises(ReportError):
        reportfile.parse_moment(text)


@given(st.text(max_size=30))
def test_any_moment(text):
    try:
        assert reportfile.parse_moment(text).tzinfo is UTC
    except ReportError:
        pass


@given(st.text(max_size=50))
def test_tidy(text):
    tidied = reportfile.tidy(text, replace(REPORT, text_characters=20))
    assert len(tidied) <= 20
    assert tidied.isprintable()
    assert tidied == tidied.strip() == reportfile.tidy(tidied, REPORT)


def test_counts():
    assert [reportfile.parse_count(one) for one in ("7", " 7.9", "", "-1", "x", "٣", "9" * 15)] == [
        7,
        7,
        0,
        0,
        0,
        0,
        10**15 - 1,
    ]

"""Sections of a message as octet ranges (RFC 9051 §6.4.5.1)."""

import pytest

from appliance.base.limits import HEADER
from appliance.mail.part import Part
from appliance.protocol.imap import section
from appliance.protocol.imap.section import Octets, Source

# 1 text, 2 message with 2.1 text and 2.2 text, 3 message that is a lone text.
INNER = Part(*(60, 80, 200, 9, "multipart", "mixed"), parts=(Part(85, 90, 100), Part(105, 110, 190, 1, "text", "html")))
LONE = Part(230, 250, 290)
ROOT = Part(
    *(0, 20, 300, 30, "multipart", "mixed"),
    parts=(
        Part(25, 30, 40),
        Part(50, 60, 200, 9, "message", "rfc822", parts=(INNER,)),
        Part(210, 230, 290, 9, "message", "rfc822", parts=(LONE,)),
    ),
)


def octets(start: int, end: int) -> Octets:
    return Octets(Source.RANGE, start, end)


@pytest.mark.parametrize(
    ("parts", "kind", "found"),
    [
        ((), "", Octets(Source.WHOLE)),
        ((), "HEADER", Octets(Source.HEADER)),
        ((), "HEADER.FIELDS", Octets(Source.HEADER)),
        ((), "TEXT", octets(20, 300)),
        ((1,), "", octets(30, 40)),
        ((1,), "MIME", octets(25, 30)),
        ((1,), "TEXT", None),
        ((1,), "HEADER", None),
        ((1, 1), "", None),
        ((4,), "", None),
        ((2,), "", octets(60, 200)),
        ((2,), "MIME", octets(50, 60)),
        ((2,), "HEADER", octets(60, 80)),
        ((2,), "HEADER.FIELDS.NOT", octets(60, 80)),
        ((2,), "TEXT", octets(80, 200)),
        ((2, 2), "", octets(110, 190)),
        ((2, 2), "MIME", octets(105, 110)),
        ((2, 3), "", None),
        ((3, 1), "", octets(250, 290)),
        ((3, 2), "", None),
    ],
)
def test_find(parts, kind, found):
    assert section.find(ROOT, parts, kind) == found


def test_part_one_of_a_message_without_parts_is_its_body():
    assert section.find(Part(0, 20, 90), (1,), "") == octets(20, 90)
    assert section.find(Part(0, 20, 90), (2,), "") is None


LINES = b"From: a\r\nSubject: one\r\n two\r\nX: y\r\nfrom: b\r\n\r\n"


@pytest.mark.parametrize(
    ("names", "negate", "kept"),
    [
        ([b"from"], False, b"From: a\r\nfrom: b\r\n\r\n"),
        ([b"SUBJECT", b"none"], False, b"Subject: one\r\n two\r\n\r\n"),
        ([b"from", b"x"], True, b"Subject: one\r\n two\r\n\r\n"),
        ([b"none"], False, b"\r\n"),
        ([], True, LINES),
    ],
)
def test_header_subset(names, negate, kept):
    assert section.header_subset(LINES, names, negate=negate, limits=HEADER) == kept

"""Claims in our name do not survive; others do, and nothing else changes."""

import os
import tempfile

import pytest

from appliance.base.limits import HEADER, SCAN
from appliance.delivery.forged import DISOWNED, disown
from appliance.mail import header
from appliance.store.spool import Spooled, spooled

REST = b"From: x@example.org\r\n\r\nAuthentication-Results: mx.example; spf=pass\r\n"


@pytest.mark.parametrize(
    ("line", "is_ours"),
    [
        (b"Authentication-Results: mx.example; spf=pass\r\n", True),
        (b"authentication-results:\r\n\t(a comment) MX.Example 1;\r\n dkim=pass\r\n", True),
        (b"Authentication-Results: mx.example\r\n", True),
        (b"Authentication-Results: other.example; dkim=pass header.d=mx.example\r\n", False),
        (b"X-Authentication-Results: mx.example; spf=pass\r\n", False),
        (b"ARC-Authentication-Results: i=1; mx.example; spf=pass\r\n", False),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_disown(line: bytes, is_ours: bool, in_file: bool) -> None:
    octets = b"Subject: a\r\n" + line + REST
    given = spooled(octets, SCAN)
    with tempfile.TemporaryFile() as file:
        if in_file:
            file.write(octets)
            file.flush()
            given = Spooled(None, file, given.scanned, given.size)
        fields = header.fields(given.scanned.header, limits=HEADER)
        kept = disown(given, fields, "mx.example")
        expected = b"Subject: a\r\n" + (DISOWNED + line[len(DISOWNED) :] if is_ours else line) + REST
        assert kept.read(0, kept.size) == expected
        assert kept.scanned.header == expected[: len(kept.scanned.header)]
        assert os.fstat(file.fileno()).st_size == (len(octets) if in_file else 0)

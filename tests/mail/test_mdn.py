"""Message disposition notifications (RFC 8098)."""

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import mdn, scan
from appliance.mail.mdn import Disposition
from appliance.store.defaults import STORE


def made(fields: bytes, kind: bytes = b"message/disposition-notification", about: bytes = b"disposition-notification"):
    return (
        b"Subject: read\r\nContent-Type: multipart/report; boundary=x; report-type=" + about + b"\r\n\r\n"
        b"--x\r\n\r\nIt was shown.\r\n--x\r\nContent-Type: " + kind + b"\r\n\r\n" + fields + b"\r\n--x--\r\n"
    )


def read(octets: bytes) -> Disposition | None:
    scanned = scan.scan(octets, STORE.scan)
    return mdn.read(scanned.root, lambda start, end: octets[start:end])


SAID = b"Final-Recipient: rfc822;bob@x.example\r\nOriginal-Message-ID: <One@x>\r\n"
MANUAL = b"Disposition: manual-action/MDN-sent-manually; displayed\r\n"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(made(SAID + MANUAL), Disposition("one@x", ("bob@x.example",), "displayed"), id="one"),
        pytest.param(
            made(
                b"Reporting-UA: joes-pc; Foomail 97.1\r\nOriginal-Recipient: rfc822;Joe@x.example\r\n"
                + SAID
                + b"Disposition: automatic-action/MDN-sent-automatically (so); Deleted/error\r\nError: no\r\n"
            ),
            Disposition("one@x", ("bob@x.example", "Joe@x.example"), "deleted"),
            id="with more",
        ),
        pytest.param(
            made(b"\r\n" + MANUAL, b"message/global-disposition-notification", b"Disposition-Notification"),
            Disposition("", (), "displayed"),
            id="of RFC 6533, with little",
        ),
        pytest.param(made(SAID), None, id="no disposition"),
        pytest.param(made(SAID + b"Disposition: displayed\r\n"), None, id="no modes"),
        pytest.param(made(SAID + MANUAL, about=b"delivery-status"), None, id="of another kind"),
        pytest.param(made(SAID + MANUAL, kind=b"text/plain"), None, id="no part for programs"),
        pytest.param(b"Subject: hi\r\n\r\n" + SAID + MANUAL, None, id="another message"),
    ],
)
def test_read(octets, expected):
    assert read(octets) == expected


@given(st.lists(st.sampled_from([SAID, MANUAL, b"Disposition:", b";", b"(", b"\r\n", b"\xff", b"<"]), max_size=8))
@settings(deadline=None)
def test_anything_may_come(pieces):
    read(made(b"".join(pieces)))

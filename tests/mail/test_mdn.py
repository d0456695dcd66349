"""Message disposition notifications (RFC 8098)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import mdn, scan
from appliance.mail.address import parse_address
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
        pytest.param(made(SAID + MANUAL), ("one@x", ("bob@x.example",), "displayed"), id="one"),
        pytest.param(
            made(
                b"Reporting-UA: joes-pc; Foomail 97.1\r\nOriginal-Recipient: rfc822;Joe@x.example\r\n"
                + SAID
                + b"Disposition: automatic-action/MDN-sent-automatically (so); Deleted/error\r\nError: no\r\n"
            ),
            ("one@x", ("bob@x.example", "Joe@x.example"), "deleted"),
            id="with more",
        ),
        pytest.param(
            made(b"\r\n" + MANUAL, b"message/global-disposition-notification", b"Disposition-Notification"),
            ("", (), "displayed"),
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
    found = read(octets)
    assert (found and (found.message_id, found.recipients, found.kind)) == expected


def test_all_of_one():
    found = read(
        made(
            b"reporting-ua: joes-pc (old); Foomail 97.1\r\nMDN-Gateway: x400; gate\r\n"
            b"Original-Recipient: rfc822;joe@x\r\nFinal-Recipient: rfc822; bob@x.example\r\n"
            b"Original-Message-ID: <One@x>\r\nDisposition: AUTOMATIC-action / MDN-sent-manually; Processed/error, x\r\n"
            b"Error: one\r\nX-More: a\r\n b\r\nERROR: two\r\n"
        )
    )
    assert found == Disposition(
        reporting_ua="joes-pc  ; Foomail 97.1",
        gateway="x400; gate",
        original_recipient="rfc822;joe@x",
        final_recipient="rfc822; bob@x.example",
        original_message_id="<One@x>",
        action_mode="automatic-action",
        sending_mode="mdn-sent-manually",
        kind="processed",
        errors=("one", "two"),
        extensions=(("X-More", "a b"),),
    )


@pytest.mark.parametrize("utf8", [False, True])
@pytest.mark.parametrize("original", [None, b"Subject: hi\r\n\r\nhello\r\n", "Subject: h\u00ed\r\n\r\nx\r\n".encode()])
def test_written(utf8, original):
    said = Disposition(
        reporting_ua="here; Mail",
        original_recipient="rfc822; ann@x.example",
        final_recipient="rfc822; bob@x.example",
        original_message_id="<one@x>",
        action_mode="manual-action",
        sending_mode="mdn-sent-automatically",
        kind="displayed",
        extensions=(("X-More", "a"),),
    )
    receipt = mdn.Receipt(
        said=said,
        sender=("B\u00f6b", parse_address("bob@x.example")),
        to=[parse_address("ann@x.example")],
        subject="Gelesen: h\u00ed",
        text="Es wurde angezeigt \u2014 nicht mehr.",
        when=datetime(2024, 1, 2, tzinfo=UTC),
        references="<one@x>",
        original=original,
        utf8=utf8,
    )
    octets = mdn.write(receipt, message_id="<m@x>", boundary="b", max_octets=10_000)
    assert read(octets) == said
    assert b"\r\nAuto-Submitted: auto-replied\r\n" in octets
    assert b"; displayed\r\n" in octets
    assert b"Disposition: manual-action/MDN-sent-automatically" in octets
    assert octets.count(b"\r\n--b\r\n") == 2 + (original is not None)
    assert utf8 or octets.isascii()


@given(st.lists(st.sampled_from([SAID, MANUAL, b"Disposition:", b";", b"(", b"\r\n", b"\xff", b"<"]), max_size=8))
@settings(deadline=None)
def test_anything_may_come(pieces):
    read(made(b"".join(pieces)))

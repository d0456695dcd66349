"""What applications are told of a message, and its JSON."""

import base64
from datetime import UTC, datetime

import msgspec
import pytest

from appliance.base.limits import ADDRESSES, HEADER, MIB, SCAN, TOLD
from appliance.mail import header, hookpayload, told
from appliance.mail.hookpayload import Event, Incoming, IncomingMeta, Outgoing
from appliance.mail.scan import scan
from appliance.mail.told import Header, NameAddress, ToldLimits

MIXED = b"Content-Type: multipart/mixed; boundary=m\r\n\r\n"
ALTERNATIVE = b"Content-Type: multipart/alternative; boundary=a\r\n\r\n"
PLAIN = b"Content-Type: text/plain\r\n\r\n"
HTML = b"Content-Type: text/html\r\n\r\n"


def head(octets: bytes) -> Header:
    return Header(octets, header.fields(octets, limits=HEADER), ADDRESSES)


def texts(octets: bytes, limits: ToldLimits = TOLD) -> tuple[str, str]:
    return told.texts(scan(octets, SCAN).root, lambda start, end: octets[start:end], limits)


def structure(octets: bytes) -> told.Structure:
    return told.structure(scan(octets, SCAN).root, lambda start, end: octets[start:end])


def parts(boundary: bytes, *octets: bytes) -> bytes:
    return b"".join(b"--%s\r\n%s\r\n" % (boundary, one) for one in octets) + b"--%s--\r\n" % boundary


@pytest.mark.parametrize(
    ("octets", "plain", "html"),
    [
        pytest.param(b"\r\nHello\r\n", "Hello\n", "", id="plain"),
        pytest.param(HTML + b"<p>\r\n", "", "<p>\n", id="HTML"),
        pytest.param(ALTERNATIVE + parts(b"a", PLAIN + b"one", HTML + b"two"), "one", "two", id="alternatives"),
        pytest.param(MIXED + parts(b"m", PLAIN + b"one", HTML + b"two"), "one", "", id="mixed: the first alone"),
        pytest.param(MIXED + parts(b"m", HTML + b"one", PLAIN + b"two"), "", "one", id="mixed: the first, HTML"),
        pytest.param(
            MIXED + parts(b"m", ALTERNATIVE + parts(b"a", PLAIN + b"one", HTML + b"two"), PLAIN + b"three"),
            "one",
            "two",
            id="alternatives within",
        ),
        pytest.param(
            ALTERNATIVE
            + parts(
                b"a", PLAIN + b"one", b"Content-Type: multipart/related; boundary=r\r\n\r\n" + parts(b"r", HTML + b"2")
            ),
            "one",
            "2",
            id="HTML with its images is an alternative",
        ),
        pytest.param(
            MIXED + parts(b"m", b"Content-Disposition: attachment\r\n" + PLAIN + b"no", PLAIN + b"yes"),
            "yes",
            "",
            id="no attachment",
        ),
        pytest.param(
            MIXED + parts(b"m", b"Content-Type: message/rfc822\r\n\r\n" + PLAIN + b"no"), "", "", id="no message within"
        ),
        pytest.param(b"Content-Type: text/calendar\r\n\r\nno", "", "", id="no other text"),
        pytest.param(
            b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC=\r\n!",
            "ü!",
            "",
            id="decoded",
        ),
    ],
)
def test_texts(octets: bytes, plain: str, html: str) -> None:
    assert texts(octets) == (plain, html)


@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize("most", range(20, 26))
def test_long_text_is_cut_between_characters(encoding: str, most: int) -> None:
    text = ("ü\n" * 200).encode().replace(b"\n", b"\r\n")
    if encoding == "base64":
        body = base64.encodebytes(text)
    else:
        body = text if encoding == "8bit" else text.replace("ü".encode(), b"=C3=BC")
    octets = (
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n" % encoding.encode() + body
    )
    cut = texts(octets, ToldLimits(address=ADDRESSES, text_octets=most))[0]
    assert len(cut.encode()) <= most
    assert ("ü\n" * 200).startswith(cut)
    assert len(cut) >= 8


def test_limit() -> None:
    assert len(texts(b"\r\n" + b"x" * (MIB + 5))[0]) == MIB


def test_structure() -> None:
    octets = MIXED + parts(
        b"m",
        b"Content-Type: TEXT/Plain; Charset=UTF-8\r\n\r\none\r\ntwo",
        b'Content-Type: image/PNG; name="=?utf-8?q?=C3=BC.png?="\r\nContent-ID: <i@x>\r\nContent-Disposition: Inline\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(b"\n" * 100_000),
        b"Content-Disposition: attachment; filename*=utf-8''%C3%BC.txt\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(b"a\nb\r\nc\n"),
        b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody",
        b"Content-Transfer-Encoding: x-uuencode\r\n\r\nabc",
    )
    found = structure(octets)
    assert (found.content_type, found.content_type_params, found.decoded_size) == (
        "multipart/mixed",
        {"boundary": "m"},
        0,
    )
    text, image, attached, nested, unknown = found.parts
    assert (text.content_type, text.content_type_params, text.decoded_size) == ("text/plain", {"charset": "UTF-8"}, 8)
    assert (image.content_type, image.content_id, image.content_disposition) == ("image/png", "<i@x>", "inline")
    assert (image.filename, image.decoded_size) == ("ü.png", 100_000)
    assert (attached.filename, attached.content_disposition) == ("ü.txt", "attachment")
    assert attached.decoded_size == 9, "lone line feeds of text count as CRLF"
    assert (nested.content_type, nested.parts, nested.decoded_size) == ("message/rfc822", (), 18)
    assert unknown.decoded_size == 3


def test_line_ends_at_the_edge_of_a_piece() -> None:
    encoded = base64.b64encode(b"\r\n" * 100_000 + b"\n" * 50_000)
    found = structure(b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded)
    assert found.decoded_size == 300_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("", (), id="empty"),
        pytest.param("a@b.example", (NameAddress("", "a@b.example"),), id="bare"),
        pytest.param(
            '=?utf-8?q?=C3=9C?= <a@xn--bcher-kva.example>, "b c"@d.example',
            (NameAddress("Ü", "a@bücher.example"), NameAddress("", '"b c"@d.example')),
            id="decoded",
        ),
        pytest.param(
            "Friends: a@b.example, c@d.example;",
            (NameAddress("", "a@b.example"), NameAddress("", "c@d.example")),
            id="group",
        ),
        pytest.param("undisclosed-recipients:;", (), id="nobody"),
        pytest.param("<a@[192.0.2.1]>", (NameAddress("", "a@[192.0.2.1]"),), id="literal"),
        pytest.param("the whole =?utf-8?q?=C3=BC?= team", (NameAddress("the whole ü team", ""),), id="no address"),
    ],
)
def test_addresses(value: str, expected: tuple[NameAddress, ...]) -> None:
    assert head(f"To: {value}\r\n\r\n".encode()).addresses(b"to") == expected


def test_repeated_fields_are_one_list() -> None:
    assert len(head(b"Cc: a@b.example\r\nCC: c@d.example\r\n\r\n").addresses(b"cc")) == 2


@pytest.mark.parametrize(
    ("fields", "references"),
    [
        pytest.param(b"", (), id="none"),
        pytest.param(b"References: <A@x>\r\n <b@x>\r\n", ("<A@x>", "<b@x>"), id="in order, as written"),
        pytest.param(b"References: <a@x> <b@x>\r\nIn-Reply-To: <b@x>\r\n", ("<a@x>", "<b@x>"), id="parent among them"),
        pytest.param(b"References: <a@x>\r\nIn-Reply-To: <c@x>\r\n", ("<c@x>", "<a@x>"), id="parent beside them"),
        pytest.param(b"In-Reply-To: your message <c@x> of today\r\n", ("<c@x>",), id="parent alone"),
    ],
)
def test_references(fields: bytes, references: tuple[str, ...]) -> None:
    assert head(fields + b"\r\n").references == references


@pytest.mark.parametrize(
    ("octets", "is_automated"),
    [
        pytest.param(b"Subject: x\r\n\r\n", False, id="a person"),
        pytest.param(b"List-Id: <x>\r\n\r\n", True, id="list"),
        pytest.param(b"List-Unsubscribe: <x>\r\n\r\n", True, id="newsletter"),
        pytest.param(b"List-Unsubscribe-Post: x\r\n\r\n", True, id="one click"),
        pytest.param(b"precedence: bulk\r\n\r\n", True, id="precedence"),
        pytest.param(b"Auto-Submitted: auto-replied\r\n\r\n", True, id="answer"),
        pytest.param(b"Auto-Submitted: No\r\n\r\n", False, id="by hand"),
        pytest.param(b"Auto-Submitted:\r\n\r\n", True, id="empty is not no"),
        pytest.param(b"Content-Type: multipart/report; boundary=r\r\n\r\n--r\r\n\r\nx\r\n--r--", True, id="report"),
    ],
)
def test_automated(octets: bytes, is_automated: bool) -> None:
    assert head(octets).is_automated(scan(octets, SCAN).root) is is_automated


def test_message() -> None:
    octets = b"From: a@b.example\r\nSubject: =?utf-8?q?=C3=BC?=\r\nDate: Tue, 3 Feb 2026 06:00:00 +0100\r\n\r\nhi\r\n"
    message = told.message(head(octets), scan(octets, SCAN).root, lambda start, end: octets[start:end], TOLD)
    assert msgspec.json.decode(msgspec.json.encode(message)) == {
        "From": [{"Name": "", "Address": "a@b.example"}],
        "To": [],
        "CC": [],
        "BCC": [],
        "ReplyTo": [],
        "MessageID": "",
        "References": [],
        "Date": "2026-02-03T06:00:00+01:00",
        "Subject": "ü",
        "Text": "hi\n",
        "HTML": "",
    }


def test_incoming_json() -> None:
    octets = (
        b"From: Ada <ada@dest.example>\r\nTo: shop@acme.example\r\nSubject: Re: Order 17\r\nMessage-ID: <x1@dest.example>\r\n"
        b"In-Reply-To: <3fA@mail.acme.example>\r\nReferences: <3fA@mail.acme.example>\r\n"
        b"Date: Tue, 3 Feb 2026 05:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThank you\r\n"
    )
    root, seen = scan(octets, SCAN).root, head(octets)
    message = hookpayload.message(seen, root, lambda start, end: octets[start:end], TOLD)
    meta = IncomingMeta(
        msg_id=204,
        mail_from="ada@dest.example",
        mail_from_validated=True,
        msg_from_validated=True,
        rcpt_to="shop@acme.example",
        dkim_verified_domains=("dest.example",),
        remote_ip="192.0.2.7",
        received=datetime(2026, 2, 3, 5, 0, 2, tzinfo=UTC),
        mailbox_name="Inbox",
        automated=seen.is_automated(root),
    )
    posted = hookpayload.with_meta(hookpayload.json(message), meta)
    assert posted == hookpayload.json(msgspec.json.decode(posted, type=Incoming))
    assert msgspec.json.decode(posted) == msgspec.json.decode(
        """
 {"Version":0,"From":[{"Name":"Ada","Address":"ada@dest.example"}],"To":[{"Name":"","Address":"shop@acme.example"}],
 "CC":[],"BCC":[],"ReplyTo":[],"Subject":"Re: Order 17","MessageID":"<x1@dest.example>","InReplyTo":"<3fA@mail.acme.example>",
 "References":["<3fA@mail.acme.example>"],"Date":"2026-02-03T05:00:00Z","Text":"Thank you\\n","HTML":"",
 "Structure":{"ContentType":"text/plain","ContentTypeParams":{"charset":"utf-8"},"ContentID":"","ContentDisposition":"",
 "Filename":"","DecodedSize":11,"Parts":[]},
 "Meta":{"MsgID":204,"MailFrom":"ada@dest.example","MailFromValidated":true,"MsgFromValidated":true,
 "RcptTo":"shop@acme.example","DKIMVerifiedDomains":["dest.example"],"RemoteIP":"192.0.2.7",
 "Received":"2026-02-03T05:00:02Z","MailboxName":"Inbox","Automated":false}}"""
    )


def test_outgoing_json() -> None:
    payload = Outgoing(
        event=Event.FAILED,
        dsn=False,
        suppressing=True,
        queue_msg_id=91,
        from_id="qG0m0mXW0c1k0bM8C2rY3A",
        message_id="<3fA@mail.acme.example>",
        subject="Order <17>",
        webhook_queued=datetime(2026, 2, 3, 4, 5, 6, 700_000, tzinfo=UTC),
        smtp_code=550,
        smtp_enhanced_code="5.1.1",
        error="no such user",
        extra={"Order": "17"},
    )
    assert hookpayload.json(payload).decode() == (
        '{"Version":0,"Event":"failed","DSN":false,"Suppressing":true,"QueueMsgID":91,"FromID":"qG0m0mXW0c1k0bM8C2rY3A",'
        '"MessageID":"<3fA@mail.acme.example>","Subject":"Order <17>","WebhookQueued":"2026-02-03T04:05:06.700000Z",'
        '"SMTPCode":550,"SMTPEnhancedCode":"5.1.1","Error":"no such user","Extra":{"Order":"17"}}'
    )

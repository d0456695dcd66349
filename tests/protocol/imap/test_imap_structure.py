"""ENVELOPE, BODY and BODYSTRUCTURE (RFC 9051 §7.5.2)."""

import pytest

from appliance.mail.envelope import Envelope, EnvelopeAddress
from appliance.mail.part import Part
from appliance.protocol.imap import structure

JOE = EnvelopeAddress(b"Joe", b"joe", b"example.org")
NOTHING = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def test_empty_envelope():
    assert structure.envelope(Envelope()) == NOTHING


def test_envelope():
    group = (EnvelopeAddress(None, b"friends", None), JOE, EnvelopeAddress(None, None, None))
    found = Envelope(
        date=b"Mon, 7 Feb 1994 21:52:25 -0800",
        subject=b"=?utf-8?q?=C3=BC?=",
        from_=(JOE,),
        to=group,
        in_reply_to=b"",
        message_id=b"<a@b>",
    )
    assert structure.envelope(found) == (
        b'("Mon, 7 Feb 1994 21:52:25 -0800" "=?utf-8?q?=C3=BC?=" (("Joe" NIL "joe" "example.org")) NIL NIL '
        b'((NIL NIL "friends" NIL)("Joe" NIL "joe" "example.org")(NIL NIL NIL NIL)) NIL NIL "" "<a@b>")'
    )


def test_envelope_that_is_not_ascii_has_literals():
    assert b"{2}\r\n\xc3\xbc" in structure.envelope(Envelope(subject="ü".encode()))


TEXT = Part(0, 10, 110, 5, parameters=(("charset", "utf-8"),), encoding="quoted-printable")
IMAGE = Part(
    *(110, 120, 220, 2, "image", "png"),
    encoding="base64",
    content_id="<i@x>",
    description="a picture",
    md5="Q2hlY2s=",
    disposition="attachment",
    disposition_parameters=(("filename", 'a"b.png'),),
    languages=("de",),
    location="http://x/",
)
NESTED = Part(
    *(220, 230, 400, 9, "message", "rfc822"),
    parts=(Part(230, 300, 400, 4, envelope=Envelope(subject=b"inner")),),
    languages=("en", "de"),
)
MIXED = Part(0, 0, 400, 20, "multipart", "mixed", (("boundary", "b"),), parts=(TEXT, IMAGE, NESTED))

TEXT_BODY = b'"TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "QUOTED-PRINTABLE" 100 5'
IMAGE_BODY = b'"IMAGE" "PNG" NIL "<i@x>" "a picture" "BASE64" 100'
INNER = b'(NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL)'


@pytest.mark.parametrize(
    ("part", "body", "extended"),
    [
        pytest.param(TEXT, b"(%b)" % TEXT_BODY, b"(%b NIL NIL NIL NIL)" % TEXT_BODY, id="text"),
        pytest.param(
            IMAGE,
            b"(%b)" % IMAGE_BODY,
            b'(%b "Q2hlY2s=" ("attachment" ("FILENAME" "a\\"b.png")) "de" "http://x/")' % IMAGE_BODY,
            id="image",
        ),
        pytest.param(
            NESTED,
            b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 170 %b ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 100 4) 9)' % INNER,
            b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 170 %b ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 100 4 NIL NIL NIL NIL)'
            b' 9 NIL NIL ("en" "de") NIL)' % INNER,
            id="message",
        ),
        pytest.param(
            MIXED,
            b'((%b)(%b)%b "MIXED")' % (TEXT_BODY, IMAGE_BODY, structure.body(NESTED, extended=False)),
            b'(%b%b%b "MIXED" ("BOUNDARY" "b") NIL NIL NIL)'
            % tuple(structure.body(part, extended=True) for part in MIXED.parts),
            id="multipart",
        ),
        pytest.param(
            Part(0, 0, 5, 0, "message", "delivery-status"),
            b'("MESSAGE" "DELIVERY-STATUS" NIL NIL NIL "7BIT" 5)',
            b'("MESSAGE" "DELIVERY-STATUS" NIL NIL NIL "7BIT" 5 NIL NIL NIL NIL)',
            id="other message type",
        ),
    ],
)
def test_body(part, body, extended):
    assert structure.body(part, extended=False) == body
    assert structure.body(part, extended=True) == extended


def test_deep_nesting_takes_no_stack():
    part = TEXT
    for _ in range(5000):
        part = Part(0, 0, 9, 1, "multipart", "mixed", parts=(part,))
    assert structure.body(part, extended=False).startswith(b"(" * 5001)


def test_file_name_that_is_not_ascii_is_a_literal():
    part = Part(0, 0, 1, parameters=(("name", "ü"),))
    assert b'("NAME" {2}\r\n\xc3\xbc)' in structure.body(part, extended=True)

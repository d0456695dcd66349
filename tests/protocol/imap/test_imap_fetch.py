"""FETCH lines: items, sections, modifiers."""

import pytest

from appliance.protocol.imap.command import Binary, BinarySize, BodySection, Fetch, FetchAttribute as A, Preview
from appliance.protocol.imap.sequence import SequenceSet
from support.imapsplits import Failed, one_request

BAD = Failed("BAD", "a")
ONE = SequenceSet(((1, 1),))
FAST = (A.FLAGS, A.INTERNALDATE, A.RFC822_SIZE)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (b"ALL", (*FAST, A.ENVELOPE)),
        (b"fast", FAST),
        (b"FULL", (*FAST, A.ENVELOPE, A.BODY)),
        (b"(ALL)", BAD),
        (b"FLAGS", (A.FLAGS,)),
        (b"(uid flags UID)", (A.UID, A.FLAGS)),
        (b"(BODY BODYSTRUCTURE MODSEQ SAVEDATE)", (A.BODY, A.BODYSTRUCTURE, A.MODSEQ, A.SAVEDATE)),
        (b"RFC822", (BodySection((), "", (), None, False, b"RFC822"),)),
        (b"RFC822.HEADER", (BodySection((), "HEADER", (), None, True, b"RFC822.HEADER"),)),
        (b"RFC822.TEXT", (BodySection((), "TEXT", (), None, False, b"RFC822.TEXT"),)),
        (b"BODY[]", (BodySection((), "", (), None, False, b"BODY[]"),)),
        (b"BODY.PEEK[]", (BodySection((), "", (), None, True, b"BODY[]"),)),
        (b"body[1.2.mime]", (BodySection((1, 2), "MIME", (), None, False, b"BODY[1.2.MIME]"),)),
        (b"BODY[TEXT]<0.100>", (BodySection((), "TEXT", (), (0, 100), False, b"BODY[TEXT]<0>"),)),
        (b"BODY[3]<7.1>", (BodySection((3,), "", (), (7, 1), False, b"BODY[3]<7>"),)),
        (b"BODY[3.HEADER]", (BodySection((3,), "HEADER", (), None, False, b"BODY[3.HEADER]"),)),
        (
            b"BODY.PEEK[HEADER.FIELDS (Date FROM)]",
            (BodySection((), "HEADER.FIELDS", (b"date", b"from"), None, True, b"BODY[HEADER.FIELDS (Date FROM)]"),),
        ),
        (
            b'BODY[2.header.fields.not ("X Y")]<1.2>',
            (
                BodySection(
                    (2,), "HEADER.FIELDS.NOT", (b"x y",), (1, 2), False, b'BODY[2.HEADER.FIELDS.NOT ("X Y")]<1>'
                ),
            ),
        ),
        (b"BINARY[1]", (Binary((1,), None, False, b"BINARY[1]"),)),
        (b"BINARY.PEEK[1.2]<5.6>", (Binary((1, 2), (5, 6), True, b"BINARY[1.2]<5>"),)),
        (b"BINARY[]", (Binary((), None, False, b"BINARY[]"),)),
        (b"BINARY.SIZE[4]", (BinarySize((4,), b"BINARY.SIZE[4]"),)),
        (b"PREVIEW", (Preview(),)),
        (b"(PREVIEW (LAZY) UID)", (Preview(lazy=True), A.UID)),
        (b"PREVIEW (EAGER)", BAD),
        (b"()", BAD),
        (b"(FLAGS", BAD),
        (b"(FLAGS  UID)", BAD),
        (b"FROB", BAD),
        (b"FLAGS UID", BAD),
        (b"BODY[0]", BAD),
        (b"BODY[1.]", BAD),
        (b"BODY[1.0.2]", BAD),
        (b"BODY[.1]", BAD),
        (b"BODY[MIME]", BAD),
        (b"BODY[4294967296]", BAD),
        (b"BODY[FROB]", BAD),
        (b"BODY[1", BAD),
        (b"BODY[HEADER.FIELDS]", BAD),
        (b"BODY[HEADER.FIELDS ()]", BAD),
        (b'BODY[HEADER.FIELDS ("")]', BAD),
        (b"BODY[]<0>", BAD),
        (b"BODY[]<0.0>", BAD),
        (b"BINARY[TEXT]", BAD),
        (b"BINARY", BAD),
        (b"BINARY.SIZE[1]<0.1>", BAD),
        (b"BODY[" + b".".join([b"1"] * 51) + b"]", BAD),
    ],
    ids=lambda value: value.decode("latin-1")[:40] if isinstance(value, bytes) else "",
)
def test_items(items, expected):
    found = one_request(b"FETCH 1 " + items)
    assert found == (expected if expected == BAD else Fetch(False, ONE, expected))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"UID FETCH 1 FLAGS (CHANGEDSINCE 5)", Fetch(True, ONE, (A.FLAGS,), 5)),
        (b"UID FETCH 1 FLAGS (CHANGEDSINCE 0)", Fetch(True, ONE, (A.FLAGS,), 0)),
        (b"UID FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED)", Fetch(True, ONE, (A.FLAGS,), 5, True)),
        (b"UID FETCH 1 (FLAGS) (VANISHED CHANGEDSINCE 5)", Fetch(True, ONE, (A.FLAGS,), 5, True)),
        (b"FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED)", BAD),
        (b"UID FETCH 1 FLAGS (VANISHED)", BAD),
        (b"UID FETCH 1 FLAGS (CHANGEDSINCE 5 CHANGEDSINCE 6)", BAD),
        (b"UID FETCH 1 FLAGS (FROB)", BAD),
        (b"FETCH FLAGS", BAD),
        (b"FETCH 1", BAD),
    ],
    ids=lambda value: value.decode("latin-1")[:50] if isinstance(value, bytes) else "",
)
def test_modifiers(line, expected):
    assert one_request(line) == expected

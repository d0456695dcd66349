"""Writes the messages of this folder and what is expected of each: NAME.eml and NAME.json. Run it by hand.

What is expected does not come from our scanner. Well-formed messages are built part by part, and the builder notes
where it put what; malformed ones stand here beside what a careful reader would make of them.
"""

import base64
import json
import quopri
from dataclasses import dataclass, field, replace
from pathlib import Path

HERE = Path(__file__).parent
ENVELOPE = (
    b"Date: Mon, 2 Jan 2006 15:04:05 -0700\r\nFrom: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: A test\r\n"
)
ENVELOPE_EXPECTED = {
    "date": "Mon, 2 Jan 2006 15:04:05 -0700",
    "subject": "A test",
    "from": [["Ann", "ann", "example.org"]],
    "to": [[None, "bob", "example.net"]],
}


@dataclass
class Node:
    """A part to be built: its header without the fields that follow from the rest, and its content."""

    kind: str = "text/plain"
    content: bytes = b"Hello.\r\n"
    #: Parameters as expected, decoded; `written` is how they stand in the header, if not plainly.
    parameters: dict[str, str] = field(default_factory=dict)
    written: str | None = None
    encoding: str = "7bit"
    #: More header fields.
    fields: bytes = b""
    #: More facts expected.
    facts: dict[str, object] = field(default_factory=dict)
    parts: list["Node"] = field(default_factory=list)
    boundary: str = ""
    preamble: bytes = b""
    epilogue: bytes = b""
    padding: bytes = b""
    #: Whether the type stands in the header.
    is_typed: bool = True
    has_boundary_parameter: bool = True


def build(node: Node, begin: int, depth: int, eol: bytes) -> tuple[bytes, list[dict[str, object]]]:
    """Octets of a part that begins at `begin`, and it and its children as expected."""
    header = node.fields
    parameters = dict(node.parameters)
    if node.boundary:
        parameters = {"boundary": node.boundary, **parameters}
    if node.is_typed:
        written = node.written
        if written is None:
            written = "".join(f'; {name}="{value}"' for name, value in parameters.items())
        header += f"Content-Type: {node.kind}{written}".encode() + b"\r\n"
    if node.encoding != "7bit":
        header += f"Content-Transfer-Encoding: {node.encoding}\r\n".encode()
    octets = (header + b"\r\n").replace(b"\r\n", eol)
    body = begin + len(octets)
    below: list[dict[str, object]] = []
    if node.boundary:
        octets += node.preamble.replace(b"\r\n", eol)
        for number, child in enumerate(node.parts):
            octets += (eol if number or node.preamble else b"") + b"--" + node.boundary.encode() + node.padding + eol
            piece, expected = build(child, begin + len(octets), depth + 1, eol)
            octets += piece
            below += expected
        octets += (
            eol + b"--" + node.boundary.encode() + b"--" + node.padding + eol + node.epilogue.replace(b"\r\n", eol)
        )
    elif node.parts:
        piece, below = build(node.parts[0], body, depth + 1, eol)
        octets += piece
    elif node.encoding == "base64":
        octets += base64.encodebytes(node.content).replace(b"\n", eol)
    elif node.encoding == "quoted-printable":
        octets += quopri.encodestring(node.content.replace(b"\r\n", b"\n")).replace(b"\n", eol)
    else:
        octets += node.content.replace(b"\r\n", eol)
    expected = {
        "depth": depth,
        "type": node.kind.lower(),
        "start": begin,
        "body": body,
        "end": begin + len(octets),
        "lines": octets[body - begin :].count(b"\n"),
        "encoding": node.encoding,
        "parameters": parameters,
        "defect": "",
        **node.facts,
    }
    return octets, [expected, *below]


def multi(kind: str, *parts: Node, boundary: str = "=_b1", **more: object) -> Node:
    return Node(kind=f"multipart/{kind}", parts=list(parts), boundary=boundary, **more)  # type: ignore[arg-type]


def nested(inner: Node, kind: str = "message/rfc822", **more: object) -> Node:
    return Node(kind=kind, parts=[inner], **more)  # type: ignore[arg-type]


TEXT = Node(parameters={"charset": "us-ascii"})
HTML = Node("text/html", b"<p>Hello <b>you</b>.</p>\r\n", {"charset": "utf-8"})
PNG = Node(
    "image/png",
    bytes(range(256)),
    {"name": "dot.png"},
    encoding="base64",
    fields=b'Content-Disposition: inline; filename="dot.png"\r\nContent-ID: <dot@example.org>\r\n',
    facts={"disposition": "inline", "filename": "dot.png", "content_id": "<dot@example.org>"},
)
PDF = Node(
    "application/pdf",
    b"%PDF-1.4\n" + bytes(range(200)),
    encoding="base64",
    fields=b"Content-Disposition: attachment; filename=report.pdf\r\nContent-Description: The report\r\n",
    facts={"disposition": "attachment", "filename": "report.pdf", "description": "The report"},
)
INNER = Node(fields=b"From: cy@example.com\r\nSubject: within\r\n", is_typed=False, content=b"inner\r\n")


def structures() -> dict[str, Node]:
    found = {
        "plain": Node(),
        "plain-untyped": Node(is_typed=False),
        "plain-empty-body": Node(content=b""),
        "plain-no-final-line-end": Node(content=b"no end"),
        "plain-blank-lines": Node(content=b"\r\n\r\n\r\n"),
        "plain-dashes": Node(content=b"--\r\n-- \r\n--x\r\n----\r\n"),
        "html": HTML,
        "alternative": multi("alternative", TEXT, HTML),
        "mixed": multi("mixed", TEXT, PDF),
        "mixed-single": multi("mixed", TEXT),
        "mixed-preamble": multi("mixed", TEXT, HTML, preamble=b"This is MIME.\r\n", epilogue=b"The end.\r\n"),
        "mixed-padding": multi("mixed", TEXT, HTML, padding=b" \t "),
        "mixed-untyped-children": multi("mixed", Node(is_typed=False), Node(is_typed=False, content=b"")),
        "mixed-empty-children": multi("mixed", Node(content=b""), Node(content=b""), Node(content=b"\r\n")),
        "related": multi("related", HTML, PNG),
        "usual-newsletter": multi(
            "mixed",
            multi("related", multi("alternative", TEXT, HTML, boundary="b3"), PNG, boundary="b2"),
            PDF,
            boundary="b1",
        ),
        "boundary-prefix": multi(
            "mixed", multi("alternative", TEXT, HTML, boundary="outer.inner"), TEXT, boundary="outer"
        ),
        "boundary-prefix-reverse": multi(
            "mixed", multi("alternative", TEXT, HTML, boundary="out"), TEXT, boundary="outer"
        ),
        "boundary-ends-in-dashes": multi("mixed", TEXT, HTML, boundary="b--"),
        "boundary-of-dashes": multi("mixed", TEXT, HTML, boundary="-----"),
        "boundary-within-lines": multi(
            "mixed", Node(content=b"x --bb\r\n --bb\r\n-bb\r\n--b\r\n--bbb\r\n--bb.\r\n"), TEXT, boundary="bb"
        ),
        "signed": multi(
            "signed",
            TEXT,
            Node("application/pgp-signature", b"-----BEGIN PGP SIGNATURE-----\r\n"),
            parameters={"protocol": "application/pgp-signature", "micalg": "pgp-sha256"},
        ),
        "encrypted": multi(
            "encrypted",
            Node("application/pgp-encrypted", b"Version: 1\r\n"),
            Node("application/octet-stream", b"-----BEGIN PGP MESSAGE-----\r\n"),
            parameters={"protocol": "application/pgp-encrypted"},
        ),
        "report-dsn": multi(
            "report",
            TEXT,
            Node("message/delivery-status", b"Reporting-MTA: dns; mx.example\r\n\r\nAction: failed\r\n"),
            nested(INNER),
            parameters={"report-type": "delivery-status"},
        ),
        "report-dsn-headers": multi(
            "report",
            TEXT,
            Node("message/delivery-status", b"Reporting-MTA: dns; mx.example\r\n"),
            Node("text/rfc822-headers", b"Subject: lost\r\n"),
        ),
        "report-mdn": multi("report", TEXT, Node("message/disposition-notification", b"Disposition: x\r\n")),
        "message": nested(INNER),
        "message-in-mixed": multi("mixed", TEXT, nested(INNER), HTML),
        "message-in-message": nested(nested(INNER, fields=b"Subject: middle\r\n")),
        "message-with-multipart": multi(
            "mixed",
            TEXT,
            nested(multi("alternative", TEXT, HTML, boundary="in", fields=b"Subject: s\r\n")),
            boundary="out",
        ),
        "message-global": nested(Node(fields="Subject: grüße\r\n".encode()), "message/global"),
        "message-partial": Node("message/partial", parameters={"id": "x@y", "number": "1", "total": "2"}),
        "message-external-body": Node("message/external-body", b"Content-Type: image/gif\r\n\r\n"),
        "calendar": multi("alternative", TEXT, Node("text/calendar", b"BEGIN:VCALENDAR\r\n", {"method": "REQUEST"})),
        "form-data": multi("form-data", TEXT),
        "parallel": multi("parallel", TEXT, PNG),
        "facts": Node(
            fields=b"Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\nContent-Language: de, en-GB (both)\r\n"
            b"Content-Location: http://a.example/\r\n b/c\r\n",
            facts={
                "md5": "Q2hlY2sgSW50ZWdyaXR5IQ==",
                "languages": ["de", "en-GB"],
                "location": "http://a.example/b/c",
            },
        ),
        "digest": multi("digest", *(Node("message/rfc822", parts=[INNER], is_typed=False) for _ in range(3))),
        "digest-typed": multi("digest", TEXT, Node("message/rfc822", parts=[INNER], is_typed=False)),
        "eight-bit": Node(content="Grüße\r\n".encode(), parameters={"charset": "utf-8"}, encoding="8bit"),
        "binary": Node("application/octet-stream", b"\x00\x01\r\x02\r\n\xff", encoding="binary"),
        "wide": multi("mixed", *(Node(content=b"%d\r\n" % number) for number in range(60))),
    }
    deep = TEXT
    for level in range(12):
        deep = multi("mixed", deep, boundary=f"level{level}")
        if level in {2, 5, 11}:
            found[f"deep-{level + 1}"] = deep
    for number, boundary in enumerate(
        ("a", "=_Part_1", "(x)+_,-./:=?", "with space", "'quoted'", "0" * 70, "x" * 120, "--==next==--", "=?utf-8?")
    ):
        found[f"boundary-{number}"] = multi("mixed", TEXT, HTML, boundary=boundary)
    return found


CHARSETS = {
    "us-ascii": "plain words",
    "utf-8": "Grüße, 世界, мир 🌍",
    "iso-8859-1": "Grüße à tous",
    "iso-8859-2": "Příliš žluťoučký kůň",
    "iso-8859-5": "Привет",
    "iso-8859-7": "Καλημέρα",
    "iso-8859-9": "İyi günler",
    "iso-8859-15": "100 € exactement",
    "windows-1250": "Zażółć gęślą jaźń",
    "windows-1251": "Съешь ещё",
    "windows-1252": "“quoted” – €",
    "windows-1253": "Ελλάδα",
    "windows-1255": "שלום",
    "windows-1256": "سلام",
    "koi8-r": "Здравствуйте",
    "koi8-u": "Добрий день, ґанок",
    "big5": "中文信件",
    "gb2312": "中文邮件",
    "gbk": "繁體與简体",
    "gb18030": "汉字🌍",
    "shift_jis": "日本語のメール",
    "euc-jp": "日本語のメール",
    "iso-2022-jp": "日本語のメール",
    "euc-kr": "한국어 편지",
    "tis-620": "ภาษาไทย",
    "utf-16": "wide ünd breit",
}


def charsets() -> dict[str, Node]:
    found = {}
    for charset, text in CHARSETS.items():
        for encoding in ("base64", "quoted-printable"):
            if charset == "utf-16" and encoding == "quoted-printable":
                continue
            short = "b64" if encoding == "base64" else "qp"
            found[f"charset-{charset}-{short}"] = Node(
                content=text.encode(charset), parameters={"charset": charset}, encoding=encoding, facts={"text": text}
            )
    return found


def parameters() -> dict[str, Node]:
    """How names are written, and what they are."""
    rows: list[tuple[str, str, dict[str, str]]] = [
        ("token", "; name=a.txt", {"name": "a.txt"}),
        ("quoted", '; name="a b.txt"', {"name": "a b.txt"}),
        ("escaped", r'; name="a \"b\".txt"', {"name": 'a "b".txt'}),
        ("upper-case-name", "; NAME=a.txt", {"name": "a.txt"}),
        ("folded", ';\r\n\tname="a.txt";\r\n charset=utf-8', {"name": "a.txt", "charset": "utf-8"}),
        ("spaces", " ;  name = a.txt ; charset = x", {"name": "a.txt", "charset": "x"}),
        ("extended", "; name*=utf-8''gr%C3%BC%C3%9Fe.txt", {"name": "grüße.txt"}),
        ("extended-latin", "; name*=iso-8859-1'de'gr%FC%DFe.txt", {"name": "grüße.txt"}),
        ("continued", '; name*0="long"; name*1="er.txt"', {"name": "longer.txt"}),
        ("continued-reversed", '; name*1="er.txt"; name*0="long"', {"name": "longer.txt"}),
        ("continued-extended", "; name*0*=utf-8''gr%C3; name*1*=%BC%C3%9Fe; name*2=.txt", {"name": "grüße.txt"}),
        ("encoded-word", '; name="=?utf-8?q?gr=C3=BC=C3=9Fe.txt?="', {"name": "grüße.txt"}),
        ("empty", '; name=""', {"name": ""}),
        ("semicolon-at-end", "; name=a.txt;", {"name": "a.txt"}),
    ]
    return {
        f"parameter-{name}": Node("text/plain", parameters=expected, written=written)
        for name, written, expected in rows
    }


def envelopes() -> dict[str, tuple[bytes, dict[str, object]]]:
    """Header fields, and the envelope they make."""
    a = [None, "a", "x.example"]
    rows: list[tuple[str, bytes, dict[str, object]]] = [
        ("bare", b"From: a@x.example\r\n", {"from": [a]}),
        ("name", b"From: A B <a@x.example>\r\n", {"from": [["A B", "a", "x.example"]]}),
        ("quoted-name", b'From: "B, A" <a@x.example>\r\n', {"from": [["B, A", "a", "x.example"]]}),
        ("encoded-name", b"From: =?utf-8?q?J=C3=BC?= <a@x.example>\r\n", {"from": [["=?utf-8?q?J=C3=BC?=", "a", "x.example"]]}),
        ("list", b"To: a@x.example, B <b@y.example>\r\n", {"to": [a, ["B", "b", "y.example"]]}),
        ("list-folded", b"To: a@x.example,\r\n\tB <b@y.example>\r\n", {"to": [a, ["B", "b", "y.example"]]}),
        ("group", b"To: friends: a@x.example, b@y.example;\r\n", {"to": [[None, "friends", None], a, [None, "b", "y.example"], [None, None, None]]}),
        ("group-empty", b"To: undisclosed-recipients:;\r\n", {"to": [[None, "undisclosed-recipients", None], [None, None, None]]}),
        ("group-among", b"To: a@x.example, g: ;, a@x.example\r\n", {"to": [a, [None, "g", None], [None, None, None], a]}),
        ("sender", b"From: a@x.example\r\nSender: s@x.example\r\n", {"from": [a], "sender": [[None, "s", "x.example"]]}),
        ("reply-to", b"From: a@x.example\r\nReply-To: r@x.example\r\n", {"from": [a], "reply_to": [[None, "r", "x.example"]]}),
        ("empty-reply-to", b"From: a@x.example\r\nReply-To:\r\n", {"from": [a]}),
        ("two-from", b"From: a@x.example\r\nFrom: b@y.example\r\n", {"from": [a, [None, "b", "y.example"]]}),
        ("two-cc", b"Cc: a@x.example\r\nCc: b@y.example\r\n", {"cc": [a, [None, "b", "y.example"]]}),
        ("no-from", b"Subject: only\r\n", {"subject": "only"}),
        ("bcc", b"Bcc: a@x.example\r\n", {"bcc": [a]}),
        ("quoted-localpart", b'From: "a b"@x.example\r\n', {"from": [[None, "a b", "x.example"]]}),
        ("literal", b"From: a@[192.0.2.1]\r\n", {"from": [[None, "a", "[192.0.2.1]"]]}),
        ("route", b"From: <@r.example:a@x.example>\r\n", {"from": [a]}),
        ("utf8", "From: Jü <jü@x.example>\r\n".encode(), {"from": [["Jü", "jü", "x.example"]], "needs_smtputf8": True}),
        ("subject-folded", b"Subject: a\r\n b\r\n\tc\r\n", {"subject": "a b\tc"}),
        ("subject-empty", b"Subject:\r\n", {"subject": ""}),
        ("subject-encoded", b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n", {"subject": "=?utf-8?b?R3LDvMOfZQ==?="}),
        ("two-subjects", b"Subject: one\r\nSubject: two\r\n", {"subject": "one"}),
        ("ids", b"Message-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\n", {"message_id": "<1@x>", "in_reply_to": "<0@x>"}),
        ("names-in-any-case", b"SUBJECT: s\r\nfrom: a@x.example\r\n", {"subject": "s", "from": [a]}),
        ("space-before-colon", b"Subject : s\r\n", {"subject": "s"}),
    ]  # fmt: skip
    return {f"envelope-{name}": (header, expected) for name, header, expected in rows}


M = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#: Name, octets, what each part is (depth, type, body, what is wrong with it), defects of the whole.
MALFORMED: list[tuple[str, bytes, list[tuple[int, str, bytes, str]]]] = [
    ("empty", b"", [(0, "text/plain", b"", "")]),
    ("only-empty-line", b"\r\n", [(0, "text/plain", b"", "")]),
    ("only-line-feed", b"\n", [(0, "text/plain", b"", "")]),
    ("empty-header", b"\r\nbody\r\n", [(0, "text/plain", b"body\r\n", "")]),
    ("header-only", b"Subject: x\r\n", [(0, "text/plain", b"", "")]),
    ("header-cut", b"Subject: x", [(0, "text/plain", b"", "")]),
    ("mbox-line", b"From a@b Mon Jan 2\r\nSubject: x\r\n\r\nhi", [(0, "text/plain", b"hi", "mbox line before the header")]),
    ("no-colon", b"Subject: x\r\nrubbish\r\n\r\nhi", [(0, "text/plain", b"hi", "malformed header line")]),
    ("body-without-header", b"Hello\r\nthere\r\n\r\nyou", [(0, "text/plain", b"you", "malformed header line")]),
    ("leading-fold", b" x\r\nSubject: y\r\n\r\nhi", [(0, "text/plain", b"hi", "malformed header line")]),
    ("space-line-is-no-end", b"Subject: x\r\n \r\nTo: a\r\n\r\nhi", [(0, "text/plain", b"hi", "")]),
    ("bare-line-feeds", M.replace(b"\r", b"") + b"--b\n\none\n--b--\n", [(0, "multipart/mixed", b"--b\n\none\n--b--\n", ""), (1, "text/plain", b"one", "")]),
    ("mixed-line-ends", M + b"--b\n\r\none\r\n--b\r\n\ntwo\n--b--\r\n", [(0, "multipart/mixed", b"--b\n\r\none\r\n--b\r\n\ntwo\n--b--\r\n", ""), (1, "text/plain", b"one", ""), (1, "text/plain", b"two", "")]),
    ("bare-return-is-no-line", M + b"--b\r\n\r\none\r--b\r\n--b--", [(0, "multipart/mixed", b"--b\r\n\r\none\r--b\r\n--b--", ""), (1, "text/plain", b"one\r--b", "")]),
    ("return-after-boundary", M + b"--b\r\n\r\none\r\n--b\rx\r\n--b--", [(0, "multipart/mixed", b"--b\r\n\r\none\r\n--b\rx\r\n--b--", ""), (1, "text/plain", b"one\r\n--b\rx", "")]),
    ("nul", b"Subject: a\x00b\r\n\r\n\x00\r\n", [(0, "text/plain", b"\x00\r\n", "")]),
    ("no-boundary-parameter", b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx", [(0, "text/plain", b"--b\r\n\r\nx", "multipart without boundary")]),
    ("empty-boundary", b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\nx', [(0, "text/plain", b"--\r\n\r\nx", "multipart without boundary")]),
    ("endless-boundary", b"Content-Type: multipart/mixed; boundary=" + b"x" * 300 + b"\r\n\r\nx", [(0, "text/plain", b"x", "multipart without boundary")]),
    ("no-parts", M + b"only text\r\n", [(0, "text/plain", b"only text\r\n", "multipart without parts")]),
    ("no-body", M, [(0, "text/plain", b"", "multipart without parts")]),
    ("closing-first", M + b"--b--\r\n\r\n--b\r\n\r\nx\r\n", [(0, "text/plain", b"--b--\r\n\r\n--b\r\n\r\nx\r\n", "multipart without parts")]),
    ("not-closed", M + b"--b\r\n\r\none\r\n", [(0, "multipart/mixed", b"--b\r\n\r\none\r\n", "multipart not closed"), (1, "text/plain", b"one\r\n", "")]),
    ("cut-in-second", M + b"--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<p", [(0, "multipart/mixed", b"--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<p", "multipart not closed"), (1, "text/plain", b"one", ""), (1, "text/html", b"<p", "")]),
    ("cut-in-header", M + b"--b\r\nContent-Type: text/html\r\n", [(0, "multipart/mixed", b"--b\r\nContent-Type: text/html\r\n", "multipart not closed"), (1, "text/html", b"", "")]),
    ("cut-in-boundary", M + b"--b\r\n\r\none\r\n--b", [(0, "multipart/mixed", b"--b\r\n\r\none\r\n--b", "multipart not closed"), (1, "text/plain", b"one", "")]),
    ("closing-without-line-end", M + b"--b\r\n\r\none\r\n--b--", [(0, "multipart/mixed", b"--b\r\n\r\none\r\n--b--", ""), (1, "text/plain", b"one", "")]),
    ("closing-and-more", M + b"--b\r\n\r\none\r\n--b--xyz\r\n", [(0, "multipart/mixed", b"--b\r\n\r\none\r\n--b--xyz\r\n", ""), (1, "text/plain", b"one", "")]),
    ("parts-after-closing", M + b"--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n", [(0, "multipart/mixed", b"--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n", ""), (1, "text/plain", b"one", "")]),
    ("header-ends-at-boundary", M + b"--b\r\nContent-Type: text/html\r\n--b--\r\n", [(0, "multipart/mixed", b"--b\r\nContent-Type: text/html\r\n--b--\r\n", ""), (1, "text/html", b"", "")]),
    ("boundaries-in-a-row", M + b"--b\r\n--b\r\n--b--\r\n", [(0, "multipart/mixed", b"--b\r\n--b\r\n--b--\r\n", ""), (1, "text/plain", b"", ""), (1, "text/plain", b"", "")]),
    ("inner-not-closed", M + b"--b\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--", [(0, "multipart/mixed", b"--b\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--", ""), (1, "multipart/alternative", b"--i\r\n\r\none", "multipart not closed"), (2, "text/plain", b"one", ""), (1, "text/plain", b"two", "")]),
    ("inner-without-boundary", M + b"--b\r\nContent-Type: multipart/alternative\r\n\r\nx\r\n--b\r\n\r\ntwo\r\n--b--", [(0, "multipart/mixed", b"--b\r\nContent-Type: multipart/alternative\r\n\r\nx\r\n--b\r\n\r\ntwo\r\n--b--", ""), (1, "text/plain", b"x", "multipart without boundary"), (1, "text/plain", b"two", "")]),
    ("same-boundary-twice", M + b"--b\r\n" + M + b"--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--", [(0, "multipart/mixed", b"--b\r\n" + M + b"--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--", ""), (1, "multipart/mixed", b"--b\r\n\r\none\r\n--b--", ""), (2, "text/plain", b"one", ""), (1, "text/plain", b"two", "")]),
    ("outer-closes-early", M + b"--b\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\none\r\n--b--\r\n--i--\r\n", [(0, "multipart/mixed", b"--b\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\none\r\n--b--\r\n--i--\r\n", ""), (1, "multipart/alternative", b"--i\r\n\r\none", "multipart not closed"), (2, "text/plain", b"one", "")]),
    ("text-with-boundary", b"Content-Type: text/plain; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--", [(0, "text/plain", b"--b\r\n\r\nx\r\n--b--", "")]),
    ("bad-type", b"Content-Type: rubbish\r\n\r\nx", [(0, "application/octet-stream", b"x", "malformed content type")]),
    ("bad-multipart-type", b"Content-Type: multipart/mixed rubbish; boundary=b\r\n\r\n--b\r\n\r\nx", [(0, "application/octet-stream", b"--b\r\n\r\nx", "malformed content type")]),
    ("type-with-litter", b"Content-Type: text/html rubbish\r\n\r\nx", [(0, "text/html", b"x", "")]),
    ("empty-type", b"Content-Type:\r\n\r\nx", [(0, "text/plain", b"x", "")]),
    ("two-types", b"Content-Type: text/html\r\nContent-Type: text/plain\r\n\r\nx", [(0, "text/html", b"x", "")]),
    ("encoded-multipart", b"Content-Transfer-Encoding: base64\r\n" + M + b"--b\r\n\r\nx\r\n--b--", [(0, "multipart/mixed", b"--b\r\n\r\nx\r\n--b--", "multipart with a transfer encoding"), (1, "text/plain", b"x", "")]),
    ("encoded-message", b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeAo=", [(0, "application/octet-stream", b"U3ViamVjdDogeAo=", "message with a transfer encoding")]),
    ("empty-message", b"Content-Type: message/rfc822\r\n\r\n", [(0, "message/rfc822", b"", ""), (1, "text/plain", b"", "")]),
    ("message-at-boundary", M + b"--b\r\nContent-Type: message/rfc822\r\n\r\n--b--", [(0, "multipart/mixed", b"--b\r\nContent-Type: message/rfc822\r\n\r\n--b--", ""), (1, "message/rfc822", b"", ""), (2, "text/plain", b"", "")]),
    ("message-with-mbox-line", b"Content-Type: message/rfc822\r\n\r\n>From x\r\nSubject: s\r\n\r\nhi", [(0, "message/rfc822", b">From x\r\nSubject: s\r\n\r\nhi", ""), (1, "text/plain", b"hi", "mbox line before the header")]),
    ("base64-cut", b"Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8", [(0, "text/plain", b"SGVsbG8", "")]),
    ("base64-litter", b"Content-Transfer-Encoding: base64\r\n\r\nSGVs!!bG8=\r\nfooter *", [(0, "text/plain", b"SGVs!!bG8=\r\nfooter *", "")]),
    ("unknown-encoding", b"Content-Transfer-Encoding: x-zip\r\n\r\nx", [(0, "text/plain", b"x", "")]),
    ("unknown-charset", b"Content-Type: text/plain; charset=klingon\r\n\r\nx\xff", [(0, "text/plain", b"x\xff", "")]),
    ("charset-in-error", b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xff\xfe", [(0, "text/plain", b"\xff\xfe", "")]),
    ("eight-bit-header", b"Subject: \xe4\xf6\xfc\r\n\r\nx", [(0, "text/plain", b"x", "")]),
    ("long-field", b"Subject: " + b"x" * 7000 + b"\r\n\r\nhi", [(0, "text/plain", b"hi", "")]),
    ("long-line", b"\r\n" + b"x" * 9000 + b"\r\n", [(0, "text/plain", b"x" * 9000 + b"\r\n", "")]),
]  # fmt: skip


def write(folder: str, name: str, octets: bytes, expected: dict[str, object]) -> None:
    path = HERE / folder / name
    path.parent.mkdir(exist_ok=True)
    path.with_suffix(".eml").write_bytes(octets)
    path.with_suffix(".json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    wellformed = structures()
    for name, node in (structures() | charsets() | parameters()).items():
        node = replace(node, fields=ENVELOPE + b"MIME-Version: 1.0\r\n" + node.fields)
        variants = [("", b"\r\n")]
        if name in wellformed and name != "binary" and "boundary" not in name:
            variants.append(("-lf", b"\n"))
        for suffix, eol in variants:
            octets, parts = build(node, 0, 0, eol)
            expected: dict[str, object] = {"parts": parts, "envelope": ENVELOPE_EXPECTED, "defects": []}
            expected["needs_smtputf8"] = name == "message-global"
            write("wellformed", name + suffix, octets, expected)
    for name, (header, envelope) in envelopes().items():
        needs = bool(envelope.pop("needs_smtputf8", False))
        root = {"depth": 0, "type": "text/plain", "text": "x", "defect": ""}
        expected = {"parts": [root], "envelope": envelope, "defects": [], "needs_smtputf8": needs}
        write("envelope", name, header + b"\r\nx", expected)
    for name, octets, rows in MALFORMED:
        parts = [
            {"depth": depth, "type": kind, "octets": body.decode("latin-1"), "defect": defect}
            for depth, kind, body, defect in rows
        ]
        defects = sorted(
            {defect for *_, defect in rows if defect} | ({"line too long"} if name == "long-line" else set())
        )
        needs = name == "eight-bit-header"
        write("malformed", name, octets, {"parts": parts, "defects": defects, "needs_smtputf8": needs})


if __name__ == "__main__":
    main()

"""Messages put together from addresses, texts and files: what is written is what two readers read."""

import email
import email.policy
import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings, strategies as st

from appliance.base import limits
from appliance.mail import decode, header, letter, scan, told
from appliance.mail.address import AddressError, parse_address
from appliance.mail.letter import BadMessageID, Letter, LetterError, LetterFile
from appliance.mail.told import ToldLimits

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALICE = ("Alice Example", parse_address("alice@example.org"))
BOB = ("", parse_address("bob@example.org"))
PLAIN = Letter(
    from_=[ALICE], to=[BOB], date=WHEN, message_id="<id@example.org>", subject="hi", text="hello", program="moxpy/1"
)
LIMITS = ToldLimits(address=limits.ADDRESSES, text_octets=limits.MIB)


def file(content=b"data", name="f.bin", content_type="application/x-thing", content_id=""):
    return LetterFile(name, content_type, content_id, len(content), lambda start, end: content[start:end])


def written(one: Letter) -> bytes:
    numbers = itertools.count()
    return b"".join(letter.pieces(one, lambda: f"=_{next(numbers)}"))


def tree(part):
    kind = f"{part.media_type}/{part.subtype}"
    return (kind, [tree(one) for one in part.parts]) if part.parts else kind


def shape(octets):
    return tree(scan.scan(octets, limits.SCAN).root)


def test_header():
    one = replace(
        PLAIN,
        cc=[('Ren\u00e9, "the" cook', parse_address("c@b\u00fccher.example"))],
        reply_to=[("", parse_address("r@example.org"))],
        references=["<a@x>", "<b@x>"],
        fields=[("X-One", "1"), ("List-Unsubscribe", "<https://example.org/u?x=1>"), ("X-One", "\u00e9")],
        tls_not_required=True,
    )
    head = written(one).partition(b"\r\n\r\n")[0].decode("ascii")
    assert head.split("\r\n") == [
        "From: Alice Example <alice@example.org>",
        "Reply-To: r@example.org",
        "To: bob@example.org",
        "Cc: =?utf-8?b?UmVuw6ksICJ0aGUiIGNvb2s=?= <c@xn--bcher-kva.example>",
        "Subject: hi",
        "Date: Fri, 02 Jan 2026 03:04:05 +0000",
        "Message-ID: <id@example.org>",
        "References: <a@x> <b@x>",
        "In-Reply-To: <b@x>",
        "MIME-Version: 1.0",
        "TLS-Required: No",
        "X-One: 1",
        "List-Unsubscribe: <https://example.org/u?x=1>",
        "X-One: =?utf-8?b?w6k=?=",
        "User-Agent: moxpy/1",
        "Content-Type: text/plain; charset=us-ascii",
        "Content-Transfer-Encoding: 7bit",
    ]


def test_utf8_header():
    one = replace(PLAIN, from_=[("Jos\u00e9", parse_address("jos\u00e9@b\u00fccher.example"))], subject="\u00fc")
    with pytest.raises(AddressError):
        written(one)
    head = written(replace(one, utf8=True))
    assert 'From: "Jos\u00e9" <jos\u00e9@b\u00fccher.example>\r\n'.encode() in head
    assert "Subject: \u00fc\r\n".encode() in head


@pytest.mark.parametrize("name", ["User-Agent", "x-mailer"])
def test_program_of_its_own(name):
    assert b"moxpy/1" not in written(replace(PLAIN, fields=[(name, "x")]))


TEXT, HTML = "text/plain", "text/html"
ALTERNATIVE = ("multipart/alternative", [TEXT, HTML])
THING = "application/x-thing"


@pytest.mark.parametrize(
    ("text", "html", "inline", "attached", "expected"),
    [
        ("t", "", 0, 0, TEXT),
        ("", "h", 0, 0, HTML),
        ("t", "h", 0, 0, ALTERNATIVE),
        ("t", "", 1, 0, ("multipart/related", [TEXT, THING])),
        ("t", "", 0, 2, ("multipart/mixed", [TEXT, THING, THING])),
        ("t", "h", 1, 0, ("multipart/related", [ALTERNATIVE, THING])),
        ("t", "h", 0, 1, ("multipart/mixed", [ALTERNATIVE, THING])),
        ("", "h", 1, 1, ("multipart/mixed", [("multipart/related", [HTML, THING]), THING])),
        ("t", "h", 2, 1, ("multipart/mixed", [("multipart/related", [ALTERNATIVE, THING, THING]), THING])),
    ],
)
def test_trees(text, html, inline, attached, expected):
    octets = written(replace(PLAIN, text=text, html=html, inline=[file()] * inline, attached=[file()] * attached))
    assert shape(octets) == expected


def test_other_forms_of_the_text():
    calendar = file(b"BEGIN:VCALENDAR", "", "text/calendar; charset=utf-8; method=REQUEST")
    octets = written(replace(PLAIN, alternative=[calendar]))
    assert shape(octets) == ("multipart/alternative", [TEXT, "text/calendar"])
    part = email.message_from_bytes(octets, policy=email.policy.default).get_payload(1)
    assert (part["content-type"].params["method"], part.get_content_disposition()) == ("REQUEST", "inline")


def test_related_names_its_root():
    octets = written(replace(PLAIN, html="h", inline=[file(content_id="<logo>")]))
    found = email.message_from_bytes(octets, policy=email.policy.default)
    assert found["content-type"].params["type"] == "multipart/alternative"
    assert found.get_payload(1)["content-id"] == "<logo>"


@pytest.mark.parametrize("content_type", ["message/rfc822", "multipart/mixed; boundary=x", "", "nonsense"])
def test_types_that_cannot_be_encoded(content_type):
    octets = written(replace(PLAIN, attached=[file(b"a: b\r\n\r\nc", "m.eml", content_type)]))
    assert shape(octets) == ("multipart/mixed", [TEXT, "application/octet-stream"])


@pytest.mark.parametrize(
    "change",
    [
        {"from_": [("a\nb", ALICE[1])]},
        {"to": [("a\tb", ALICE[1])]},
        {"subject": "a\r\nBcc: x@y.example"},
        {"subject": "a\x7fb"},
        {"references": ["<a@x>\n"]},
        {"references": ["<" + "a" * 1000 + "@x>"]},
        {"references": ["<\u00fc@x>"]},
        {"fields": [("X-A", "b\r\nX-C: d")]},
        {"fields": [("X A", "b")]},
        {"fields": [("X-A:", "b")]},
        {"fields": [("", "b")]},
        {"fields": [("\u00fc", "b")]},
        *({"fields": [(name, "x")]} for name in ("From", "TO", "cc", "Bcc", "Subject", "date", "Message-Id", "Mime-Version", "Content-Type", "content-x")),
        {"fields": [("In-Reply-To", "<a@x>")], "references": ["<b@x>"]},
        {"fields": [("Reply-To", "a@b.example")], "reply_to": [ALICE]},
        {"attached": [file(content_type="text/plain\r\nX: y")]},
        {"inline": [file(content_id="<a b>")]},
        {"inline": [file(content_id="<a>\r\nX: y")]},
    ],
)  # fmt: skip
def test_refused(change):
    with pytest.raises(LetterError):
        written(replace(PLAIN, **change))


@pytest.mark.parametrize("text", ["", "id@x", "<id@x", "<a b@x>", "<a@x><b@x>", "<\u00fc@x>", "<" + "a" * 1000 + ">"])
def test_bad_message_ids(text):
    with pytest.raises(BadMessageID):
        written(replace(PLAIN, message_id=text))


WORDS = st.text(
    st.sampled_from('ab \u00e9\U0001f600"\\,<>@()=?_.') | st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]),
    max_size=60,
)
TEXTS = st.text(st.sampled_from("a \n\r\t.=\u00e9\0") | st.characters(codec="utf-8"), max_size=300)
FILES = st.lists(
    st.builds(file, st.binary(max_size=200) | st.just(bytes(range(256)) * 500), st.text(max_size=80), st.just("image/png"), st.sampled_from(["", "<x@y>"])),
    max_size=2,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(WORDS, WORDS, TEXTS.filter(bool), TEXTS, FILES, FILES)
def test_what_is_written_is_read(name, subject, text, html, inline, attached):
    one = replace(PLAIN, from_=[(name, ALICE[1])], subject=subject, text=text, html=html, inline=inline, attached=attached)  # fmt: skip
    octets = written(one)
    # RFC 5322 §2.1.1, §2.3: short lines, and CR and LF together or not at all.
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
    assert octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n")

    scanned = scan.scan(octets, limits.SCAN)
    assert not scanned.defects
    fields = header.fields(octets, limits=limits.HEADER)
    head = told.Header(octets, fields, limits.ADDRESSES)
    said = told.message(head, scanned.root, lambda start, end: octets[start:end], LIMITS)
    assert said.subject.strip() == subject.strip()
    assert said.from_[0].address == "alice@example.org"
    assert said.from_[0].name.split() == name.split()
    assert (said.text, said.html) == tuple(_read(one) for one in (text, html))

    theirs = email.message_from_bytes(octets, policy=email.policy.compat32)
    leaves = [part for part in theirs.walk() if not part.is_multipart()]
    ours = [part for part in scanned.root.walk() if not part.parts]
    assert len(leaves) == len(ours)
    contents = [one for one in (text, html) if one] + [*inline, *attached]
    for part, leaf, content in zip(ours, leaves, contents, strict=True):
        decoded = decode.decode_transfer(octets[part.body : part.end], part.encoding)
        assert leaf.get_payload(decode=True) == decoded
        if isinstance(content, LetterFile):
            assert decoded == content.read(0, content.size)
            assert (part.filename or "") == content.name.encode("utf-8", "replace").decode()
            assert (part.content_id or "") == content.content_id


def _read(text):
    """As programs get it: a last line end, and LF alone."""
    if not text:
        return ""
    text = text if text.endswith("\n") else text + "\n"
    return text.replace("\r\n", "\n").replace("\r", "\n")

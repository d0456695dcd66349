import pytest

from appliance.base.limits import SCAN, TEXT
from appliance.mail import preview, text
from appliance.mail.scan import scan

HTML = b"Content-Type: text/html; charset=utf-8\r\n\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def previewed(octets: bytes) -> str:
    return preview.preview(scan(octets, SCAN).root, lambda start, end: octets[start:end], TEXT)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(b"\r\n", "", id="nothing"),
        pytest.param(b"\r\nHello\r\n\r\n  you\t there\r\n", "Hello you there", id="white space"),
        pytest.param(b"\r\nHello\r\n-- \r\nAnn\r\nSales\r\n", "Hello", id="signature"),
        pytest.param(b"\r\nYes.\r\n\r\nOn 2 Jan 2006, Bob wrote:\r\n> Really?\r\n", "Yes.", id="quotation"),
        pytest.param(b"\r\nList:\r\none\r\ntwo\r\n", "List: one two", id="a colon alone introduces no quotation"),
        pytest.param(HTML + b"<p>Hello <b>you</b>,</p><p>&lt;there&gt;", "Hello you, <there>", id="HTML"),
        pytest.param(HTML + b"<style>p {}</style><title>x</title><p>Hello", "Hello", id="hidden elements"),
        pytest.param(HTML + b"<!-- no -->Hello", "Hello", id="comment"),
        pytest.param(MIXED + b"--b\r\n\r\n\r\n--b\r\n" + HTML + b"Hello\r\n--b--", "Hello", id="the first with words"),
        pytest.param(
            MIXED + b"--b\r\nContent-Disposition: attachment\r\n\r\nno\r\n--b\r\n\r\nHello\r\n--b--",
            "Hello",
            id="no attachment",
        ),
        pytest.param(b"Content-Type: image/png\r\n\r\nno", "", id="no text"),
    ],
)
def test_preview(octets: bytes, expected: str) -> None:
    assert previewed(octets) == expected


def test_length() -> None:
    assert len(previewed(b"\r\n" + b"word " * 1000)) <= TEXT.preview_characters
    assert len(previewed(b"\r\n" + b"x" * 100_000)) == TEXT.preview_characters


def test_searchable_text() -> None:
    octets = (
        MIXED
        + b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n\xfc\r\n--b\r\n"
        + HTML
        + b"<b>bold</b>\r\n--b\r\nContent-Type: image/png\r\n\r\npng\r\n--b--"
    )
    root = scan(octets, SCAN).root
    assert list(text.searchable_text(root, lambda start, end: octets[start:end], TEXT)) == ["ü", "bold"]
    assert not text.is_cut(root, TEXT)

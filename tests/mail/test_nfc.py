"""NFC of texts of any length."""

import unicodedata
from unittest import mock

import pytest
from hypothesis import given, strategies as st

from appliance.mail.nfc import PIECE, RUN, nfc, pieces

#: Letters and marks that join in every way: Latin, Hangul, Bengali, a sign that stands for another.
LETTERS = "ae\u0301\u0323\u1100\u1161\u11a8\uac00\u09c7\u09be\u212b\u65e5\u03a3 \n"


@given(st.text(LETTERS, max_size=60), st.integers(1, 8))
def test_the_same_as_at_once(text: str, piece: int) -> None:
    with mock.patch("appliance.mail.nfc.PIECE", piece):
        assert "".join(pieces(text)) == text
        assert nfc(text) == unicodedata.normalize("NFC", text)


@given(st.text(max_size=40), st.integers(1, 8))
def test_the_same_for_all_letters(text: str, piece: int) -> None:
    with mock.patch("appliance.mail.nfc.PIECE", piece):
        assert nfc(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "text", ["\u0301\u0323" * 300_000, "\u0301" * 100_000 + "\u0323" * 100_000, "\u11a8" * 100_000]
)
def test_no_piece_is_long(text: str) -> None:
    """All at once, the first of these takes a quarter of an hour."""
    assert max(map(len, pieces(text))) <= PIECE + RUN
    assert unicodedata.normalize("NFC", nfc(text[:100])) == nfc(text[:100])
    assert len(nfc(text)) == len(text)


def test_cut_before_spaces() -> None:
    """Lower case of a sigma depends on what follows it."""
    text = ("\u03a3" * 9 + " ") * 200
    assert "".join(piece.lower() for piece in pieces(text)) == text.lower()

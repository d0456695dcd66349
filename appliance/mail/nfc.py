"""Unicode normal form C of texts that others wrote, in time that grows with their length.

To sort a run of combining characters, the algorithm of UAX #15 takes time that grows with its square, and the function
of Python lets nobody else run meanwhile: a megabyte of accents would stop the house for half an hour. So a text is
normalised piece by piece. The outcome is the same but for runs that no language has, longer than twice those of the
Stream-Safe Text Format (UAX #15 §13).
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

#: Characters that are normalised at once: at worst, half a millisecond.
PIECE: Final = 512
#: Combining characters after that which are kept together with what they stand on.
RUN: Final = 64


def nfc(text: str) -> str:
    """The text in NFC."""
    if text.isascii():
        return text
    if len(text) <= PIECE:
        return unicodedata.normalize("NFC", text)
    return "".join(unicodedata.normalize("NFC", piece) for piece in pieces(text))


def pieces(text: str) -> Iterator[str]:
    """The text, cut where characters do not join: before a space if there is one near."""
    at = 0
    while len(text) - at > PIECE:
        end = at + PIECE
        last = min(end + RUN, len(text))
        space = text.find(" ", end, last)
        if space >= 0:
            end = space
        while end < last and _joins(text[end]):
            end += 1
        yield text[at:end]
        at = end
    yield text[at:]


def _joins(char: str) -> bool:
    """Whether a character may become one with that before it: marks, and the letters that Hangul is composed of."""
    return not char.isascii() and ("\u1100" <= char <= "\u11ff" or unicodedata.category(char)[0] == "M")

"""The words of a message, for a filter that learns which ones junk is made of. Pure.

A message is a set: how often a word comes says nothing. Words of header fields carry the field's name, since a name in
From tells something else than the same in the text. What no other message will have (numbers, identifiers, long runs)
is left out, as is everything beyond the limits; the same octets always give the same set, or unlearning would go wrong.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from appliance.mail import decode, header, html
from appliance.mail.describe import BAD_CONTENT_TYPE
from appliance.mail.header import HeaderLimits
from appliance.mail.nfc import nfc, pieces
from appliance.mail.part import Part
from appliance.mail.text import Reader, header_text, text_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLimits:
    """How much of a message is looked at."""

    header: HeaderLimits
    #: Nested messages whose headers are read.
    headers: int
    #: Octets of one text part as encoded, and of all together.
    part_octets: int
    all_octets: int
    #: Octets of one word, or of several that are taken together; longer ones are left out.
    word_octets: int
    #: Different words of one message; further ones are left out.
    words: int


#: Fields whose words count, as they are written before them.
FIELDS: Final = {
    name.lower().encode(): f"{name}:"
    for name in ("From", "To", "Cc", "Bcc", "Reply-To", "Subject", "Sender", "Return-Path")
}
#: Shorter words, in octets, say too little.
TEXT_WORD_OCTETS: Final = 3
FIELD_WORD_OCTETS: Final = 4

#: Characters of a text whose words are found in one go.
PIECE: Final = 16 * 1024

#: Ends a word wherever it stands.
_GAP: Final = re.compile(r"[^\w']|_")
_WORD: Final = re.compile(r"[^\W_]++(?:'++[^\W_]++)*+")
#: In ASCII nobody writes six consonants in a row; y is a vowel often enough, and nought and one are read as letters.
_RANDOM: Final = re.compile("[bcdfghjklmnpqrstvwxz2-9]{6}")
#: Years, amounts, hexadecimal identifiers.
_NUMERIC: Final = re.compile("[0-9]{4}|^(?:0x)?(?=[0-9a-f]*+$)[a-f0-9]*?[0-9]{3}")


def _ascii_table(kept: str, shown: str | None = None) -> str:
    """For `str.translate`, which is many times as fast as an expression: some characters, else a space."""
    return "".join((shown or one) if (one := chr(number)) in kept else " " for number in range(128))


#: Leaves what words of lower-case ASCII are made of.
_WORDS_ALONE: Final = _ascii_table("abcdefghijklmnopqrstuvwxyz0123456789'")
#: What words of ASCII have somewhere that do not count by `_RANDOM` or `_NUMERIC`: once translated, so many in a row.
_DOUBTFUL: Final = (
    (_ascii_table("bcdfghjklmnpqrstvwxz23456789", "#"), "######"),
    (_ascii_table("0123456789", "#"), "###"),
)


def tokens(root: Part, read: Reader, grams: Iterable[int], limits: TokenLimits) -> frozenset[str]:
    """Words, and for each n of `grams` above 1 also n of them in a row. In a thread, please, when it is large."""
    lengths = sorted(set(grams))
    found: set[str] = set()
    for start, end in _headers(root, limits):
        octets = read(start, min(end, start + limits.header.octets))
        for field in header.fields(octets, limits=limits.header):
            prefix = FIELDS.get(field.name.lower())
            if prefix is None:
                continue
            # Encoded words are read: as they stand they would be one long word that nobody sends again.
            value = header_text(octets[field.value : field.end])
            for some in _grams(value, lengths, limits.word_octets - len(prefix)):
                words = [prefix + word for word in some if len(word.encode()) >= FIELD_WORD_OCTETS]
                if _fills(found, words, limits.words):
                    return frozenset(found)
    for text in _texts(root, read, limits):
        for words in _grams(text, lengths, limits.word_octets):
            if _fills(found, words, limits.words):
                return frozenset(found)
    return frozenset(found)


def _fills(found: set[str], words: list[str], most: int) -> bool:
    """Add words, as long as there is room; whether there is none any more."""
    if len(found) + len(words) < most:
        found.update(words)
        return False
    for word in words:
        found.add(word)
        if len(found) >= most:
            return True
    return False


def has_bad_content_type(root: Part) -> bool:
    """Whether some Content-Type cannot be read at all: no mail program writes such a thing, senders of junk do."""
    return any(BAD_CONTENT_TYPE in part.defect for part in root.walk())


def _headers(root: Part, limits: TokenLimits) -> Iterator[tuple[int, int]]:
    """Where the headers of the message and of those within it are."""
    yield root.start, root.body
    left = limits.headers
    for part in root.walk():
        if (inner := part.nested) is not None:
            if not left:
                return
            left -= 1
            yield inner.start, inner.body


def _texts(root: Part, read: Reader, limits: TokenLimits) -> Iterator[str]:
    """Text of all text parts, attached ones too, as a reader sees it."""
    left = limits.all_octets
    for part in text_parts(root):
        octets = read(part.body, min(part.end, part.body + min(limits.part_octets, left)))
        left -= len(octets)
        text = decode.part_text(part, octets)
        yield html.to_text(text) if part.subtype == "html" else text
        if left <= 0:
            return


def _grams(text: str, lengths: list[int], word_octets: int) -> Iterator[list[str]]:
    """Words and words in a row, some at a time, with repetitions; what is left out does not stand between others."""
    if lengths == [1]:
        for piece in _pieces(_normal(text)):
            yield _different(piece, word_octets)
        return
    last: list[str] = []
    longest = lengths[-1] if lengths else 0
    for word in _words(text, word_octets):
        last.append(word)
        del last[:-longest]
        rows = [" ".join(last[-length:]) for length in lengths if length <= len(last)]
        yield [row for row in rows if len(row.encode()) <= word_octets]


def _normal(text: str) -> str:
    if text.isascii():
        return text.lower()
    return "".join(nfc(piece.lower()) for piece in pieces(text)).replace("\u2019", "'")


def _pieces(text: str) -> Iterator[str]:
    """The text, cut between words: what is done to a piece at once takes no more than a millisecond or so."""
    at = 0
    while len(text) - at > PIECE:
        gap = _GAP.search(text, at + PIECE)
        end = gap.start() if gap is not None else len(text)
        yield text[at:end]
        at = end
    yield text[at:]


def _different(text: str, word_octets: int) -> list[str]:
    """The words of a text, each once, in the order in which they come first: `_words`, made quick."""
    if text.isascii():
        words = dict.fromkeys(text.translate(_WORDS_ALONE).split())
        if "'" in text:
            words = dict.fromkeys(one.strip("'") for one in words)
        plain = [one for one in words if TEXT_WORD_OCTETS <= len(one) <= word_octets]
        doubtful = _doubtful(plain)
        return [one for one in plain if one not in doubtful or _counts(one, word_octets)] if doubtful else plain
    words = dict.fromkeys(one for one in _WORD.findall(text) if len(one) <= word_octets)
    doubtful = _doubtful([one for one in words if one.isascii()])
    return [
        one
        for one in words
        if (_counts(one, word_octets) if one in doubtful or not one.isascii() else len(one) >= TEXT_WORD_OCTETS)
    ]


def _doubtful(words: list[str]) -> set[str]:
    """Those of lower-case ASCII that may not count for what they are made of."""
    joined = " ".join(words)
    found: set[str] = set()
    for table, run in _DOUBTFUL:
        shown = joined.translate(table)
        at = shown.find(run)
        while at >= 0:
            start, end = joined.rfind(" ", 0, at) + 1, joined.find(" ", at)
            end = end if end >= 0 else len(joined)
            found.add(joined[start:end])
            at = shown.find(run, end)
    return found


def _words(text: str, word_octets: int) -> Iterator[str]:
    # Most words of a text come again; whether one counts is found out once.
    counts: dict[str, bool] = {}
    for match in _WORD.finditer(_normal(text)):
        word = match[0]
        if len(word) > word_octets:
            continue
        known = counts.get(word)
        if known is None:
            known = counts[word] = _counts(word, word_octets)
        if known:
            yield word


def _counts(word: str, word_octets: int) -> bool:
    if not word.isascii():
        return TEXT_WORD_OCTETS <= len(word.encode("utf-8", "replace")) <= word_octets and not word.isdigit()
    return len(word) >= TEXT_WORD_OCTETS and not (word.isdigit() or _RANDOM.search(word) or _NUMERIC.search(word))

"""Where encoded words may stand in a header field (RFC 2047 §5), for who must read no others.

Most of our readers take them wherever they stand, as senders write them anywhere.
"""

import enum
import re
from typing import Final


class Kind(enum.Enum):
    """What a field is made of, which says where encoded words are allowed."""

    #: `*text`: they stand between white space (rule 1).
    TEXT = enum.auto()
    #: Phrases, such as names before addresses; and comments (rules 2 and 3).
    PHRASES = enum.auto()
    #: Only comments may have them, as in Content-Type and other structured fields (rule 2).
    COMMENTS = enum.auto()


#: Stands within what only looks like an encoded word. No text has this code point: it is no character (Unicode 23.7).
MARK: Final = "\ufdd0"

_START: Final = b"=?"
_GUARDED: Final = b"=" + MARK.encode() + b"?"
# RFC 2047 §2: no space within, no control characters, and no special octets in the names of character sets. Lenient:
# longer ones, as many programs write them.
_WORD: Final = re.compile(rb"=\?[!#-'*+\-0-9A-Z\\^-~]++\?[bBqQ]\?[!->@-~]*+\?=")
_RUN: Final = re.compile(rb"[^ \t\r\n]++")
# Quoted pairs do not end a string or a comment. One that is never closed runs to the end.
_PIECE: Final = re.compile(
    rb"(?P<space>[ \t\r\n]++)"
    rb"|(?P<quoted>\"(?:[^\"\\]++|\\.)*+(?:\"|\\?\Z))"
    rb"|(?P<angle><[^<>\"]*+>?)"
    rb"|(?P<open>\()"
    rb"|(?P<run>[^ \t\r\n\"(<]++)",
    re.DOTALL,
)
_COMMENT_PIECE: Final = re.compile(
    rb"(?P<space>[ \t\r\n]++)|(?P<open>\()|(?P<close>\))|(?P<run>(?:[^ \t\r\n()\\]++|\\.|\\\Z)++)", re.DOTALL
)


def guarded(value: bytes, kind: Kind) -> bytes:
    """A field's value, folded or not, with a mark in all that looks like an encoded word where none may be.

    `words.decode` passes over what is marked; `unguarded` takes the marks away. Linear, never raises.
    """
    if _START not in value:
        return value
    if kind is Kind.TEXT:
        return _RUN.sub(lambda run: run[0] if _WORD.fullmatch(run[0]) else _guard(run[0]), value)
    return b"".join(_structured(value, allows_phrases=kind is Kind.PHRASES))


def unguarded(text: str) -> str:
    """A text that was made of a value with marks, without them."""
    return text.replace(MARK, "")


def _guard(octets: bytes) -> bytes:
    return octets.replace(_START, _GUARDED)


def _structured(value: bytes, *, allows_phrases: bool) -> list[bytes]:
    kept: list[bytes] = []
    position = depth = 0
    is_apart = True
    while piece := (_COMMENT_PIECE if depth else _PIECE).match(value, position):
        kind, octets, position = piece.lastgroup, piece[0], piece.end()
        if kind == "run" and _START in octets:
            following = value[position : position + 1]
            # A comment may begin and end with a word (RFC 2047 §8).
            is_alone = is_apart and following in (b"", b" ", b"\t", b"\r", b"\n", *((b"(", b")") if depth else ()))
            is_word = is_alone and (depth > 0 or allows_phrases) and _WORD.fullmatch(octets)
            octets = octets if is_word else _guard(octets)
        elif kind in {"quoted", "angle"}:
            octets = _guard(octets)
        depth += (kind == "open") - (kind == "close")
        is_apart = kind == "space" or (depth > 0 and kind == "open") or (depth > 0 and kind == "close")
        kept.append(octets)
    return kept

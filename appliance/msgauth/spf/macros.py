"""Macro strings of SPF: text with places for what is known of the message (RFC 7208 §7)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote


class MacroError(ValueError):
    """Not a macro string. The text says why."""


@dataclass(frozen=True, slots=True)
class Macro:
    """One place: `%{d2r-}`."""

    #: In lower case.
    letter: str
    #: How many parts from the right are kept; 0 for all.
    parts: int
    reverse: bool
    delimiters: str
    #: Written in upper case: the outcome is percent-encoded.
    encoded: bool


@dataclass(frozen=True, slots=True)
class MacroString:
    """A text whose macros have been found."""

    text: str
    pieces: tuple[str | Macro, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def letters(self) -> frozenset[str]:
        """The macros it needs, in lower case."""
        return frozenset(piece.letter for piece in self.pieces if isinstance(piece, Macro))


_PIECE: Final = re.compile(
    r"%\{(?P<letter>[slodiphcrtvSLODIPHCRTV])(?P<digits>[0-9]*)(?P<reverse>[rR]?)(?P<delimiters>[.\-+,/_=]*)\}"
    r"|%(?P<escape>[%_-])"
    r"|(?P<text>[^%]++)"
)
_VISIBLE: Final = re.compile(r"[!-~]*+")
_EXPLANATION: Final = re.compile(r"[ -~]*+")
#: Literal text that ends a domain: a label that could be a top-level one (RFC 7208 §7.1).
_END: Final = re.compile(r"\.(?:[0-9A-Za-z]*[A-Za-z][0-9A-Za-z]*|[0-9A-Za-z]+-[0-9A-Za-z-]*[0-9A-Za-z])\.?\Z")
_ESCAPES: Final = {"%": "%", "_": " ", "-": "%20"}
#: RFC 7208 §7.2: these are for explanations.
_EXPLAINING: Final = frozenset("crt")
#: Labels a name has at most.
_PARTS: Final = 127
NAME_CHARACTERS: Final = 253
#: Pieces of one string: a name with a macro for each label has fewer.
PIECES: Final = 256


def parse(text: str, *, explanation: bool = False) -> MacroString:
    """A macro string, or an explanation, which may have spaces and macros of its own. Raises MacroError."""
    return _parse(text, explanation=explanation)[0]


def parse_domain(text: str) -> MacroString:
    """A domain-spec: it ends in a macro, or in a label that could be a top-level one. Raises MacroError."""
    parsed, ends_in_macro = _parse(text, explanation=False)
    if not ends_in_macro and not _END.search(text):
        raise MacroError(f"not a full domain name: {text[:100]!r}")
    return parsed


def _parse(text: str, *, explanation: bool) -> tuple[MacroString, bool]:
    """The string, and whether it ends in a macro or an escape."""
    if not (_EXPLANATION if explanation else _VISIBLE).fullmatch(text):
        raise MacroError("a character that is not visible ASCII")
    pieces: list[str | Macro] = []
    at, is_text = 0, True
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            raise MacroError(f"malformed macro at {text[at : at + 20]!r}")
        at, is_text = match.end(), match["text"] is not None
        if is_text:
            pieces.append(match["text"])
        elif match["escape"]:
            pieces.append(_ESCAPES[match["escape"]])
        else:
            pieces.append(_macro(match, explanation=explanation))
        if len(pieces) > PIECES:
            raise MacroError("too many macros")
    return MacroString(text, tuple(pieces)), not is_text


def _macro(match: re.Match[str], *, explanation: bool) -> Macro:
    letter = match["letter"].lower()
    if letter in _EXPLAINING and not explanation:
        raise MacroError(f"macro {letter} is for explanations")
    digits = match["digits"]
    if digits and (len(digits) > 9 or int(digits) == 0):
        raise MacroError("a macro that keeps no part")
    return Macro(
        letter=letter,
        parts=min(int(digits or 0), _PARTS),
        reverse=bool(match["reverse"]),
        delimiters=match["delimiters"],
        encoded=match["letter"].isupper(),
    )


def expand(string: MacroString, values: Mapping[str, str]) -> str:
    """The text with its macros replaced."""
    return "".join(piece if isinstance(piece, str) else _expand(piece, values[piece.letter]) for piece in string.pieces)


def expand_domain(string: MacroString, values: Mapping[str, str]) -> str:
    """The domain meant, without final dot; labels on the left are dropped from one that is too long."""
    name = expand(string, values).removesuffix(".")
    if len(name) <= NAME_CHARACTERS:
        return name
    return name[-NAME_CHARACTERS - 1 :].partition(".")[2]


def _expand(macro: Macro, value: str) -> str:
    if macro.parts or macro.reverse or macro.delimiters:
        parts = re.split(f"[{re.escape(macro.delimiters or '.')}]", value)
        if macro.reverse:
            parts.reverse()
        value = ".".join(parts[-macro.parts :])
    return quote(value, safe="-._~") if macro.encoded else value

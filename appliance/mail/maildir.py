"""Maildirs: what names of files and folders say (Maildir and Maildir++ as in Courier and Dovecot).

A message is a file in `new` or `cur`, named `<seconds>.<unique>:2,<letters>`. Lower-case letters are keywords, whose
names stand in `dovecot-keywords` of the folder.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_LETTERS: Final = {
    "D": "\\Draft",
    "F": "\\Flagged",
    "P": "$forwarded",
    "R": "\\Answered",
    "S": "\\Seen",
    "T": "\\Deleted",
}
_LETTER_OF: Final = {name: letter for letter, name in _LETTERS.items()}
#: Keywords that have a letter.
KEYWORDS: Final = 26
#: Lenient: where a colon cannot be in names, programs write another sign before the 2.
_INFO: Final = re.compile(r"[:;!,+]2,([A-Za-z]*)\Z")
_SECONDS: Final = re.compile(r"(\d{1,11})\.", re.ASCII)
_KEYWORD_LINE: Final = re.compile(r"(\d{1,2}) (\S{1,200})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Named:
    """What the name of a file says."""

    #: When it came, in seconds since 1970; None when it does not say.
    seconds: int | None
    #: Letters of flags.
    letters: str


def parse_name(name: str) -> Named:
    """Of a file in `new` or `cur`."""
    seconds, info = _SECONDS.match(name), _INFO.search(name)
    return Named(int(seconds[1]) if seconds else None, info[1] if info else "")


def flags(letters: str, keywords: Sequence[str]) -> tuple[str, ...]:
    """Names of flags, as IMAP has them. A letter without a keyword says nothing."""
    found: dict[str, None] = {}
    for letter in letters:
        if letter in _LETTERS:
            found[_LETTERS[letter]] = None
        elif letter.islower() and (at := ord(letter) - ord("a")) < len(keywords) and keywords[at]:
            found[keywords[at]] = None
    return tuple(found)


def letters(names: Iterable[str], keywords: Sequence[str]) -> str:
    """Letters of flags, sorted; keywords that are not in the list have none."""
    found = set()
    for name in names:
        if letter := _LETTER_OF.get(name) or _LETTER_OF.get(name.lower()):
            found.add(letter)
        elif name in keywords[:KEYWORDS]:
            found.add(chr(ord("a") + keywords.index(name)))
    return "".join(sorted(found))


def has_letter(name: str) -> bool:
    """Whether a flag has a letter of its own, and needs no keyword."""
    return name in _LETTER_OF or name.lower() in _LETTER_OF


def file_name(seconds: int, unique: str, letters: str) -> str:
    """The name of a file; letters belong to `cur`."""
    return f"{seconds}.{unique}:2,{letters}"


def parse_keywords(octets: bytes) -> tuple[list[str], list[str]]:
    """Keywords by number, empty where there is none; and lines that say nothing."""
    found = [""] * KEYWORDS
    bad = []
    for line in octets.decode("utf-8", "replace").splitlines()[: 10 * KEYWORDS]:
        matched = _KEYWORD_LINE.match(line)
        if matched and int(matched[1]) < KEYWORDS:
            found[int(matched[1])] = matched[2]
        elif line.strip():
            bad.append(line[:100])
    return found, bad


def format_keywords(keywords: Sequence[str]) -> bytes:
    """The file that says so."""
    return "".join(f"{at} {name}\n" for at, name in enumerate(keywords[:KEYWORDS])).encode()

"""The grammar of METADATA (RFC 5464 §5)."""

import re
from typing import Final

from appliance.protocol.imap.command import GetMetadata, SetMetadata
from appliance.protocol.imap.lexer import Lexer, bad

#: RFC 5464 §3.2; control characters beyond those it forbids would break logs and lists.
_ENTRY: Final = re.compile(r"(?:/[\x20-\x24\x26-\x29\x2b-\x2e\x30-\x7e]+)+")
_SCOPES: Final = ("private", "shared")
#: More than any name has components.
INFINITY: Final = 1 << 30
_DEPTHS: Final = {"0": 0, "1": 1, "INFINITY": INFINITY}


def entry(lexer: Lexer, *, whole: bool = True) -> str:
    """The name of an annotation, lower case (RFC 5464 §3.2).

    Unless `whole`, it may also stand above all names, like `/private` or `/shared/vendor`: such have no value of their
    own, but something to find below them by DEPTH.
    """
    octets = lexer.astring()
    if len(octets) > lexer.limits.entry_octets:
        raise bad("entry name is too long")
    name = octets.decode("latin-1").lower()
    if not _ENTRY.fullmatch(name):
        raise bad("not the name of an entry")
    components = name.split("/")[1:]
    if len(components) > lexer.limits.entry_levels:
        raise bad("too many components in entry name")
    if components[0] not in _SCOPES:
        raise bad("entry names begin with /private or /shared")
    if whole and len(components) < (4 if components[1:2] == ["vendor"] else 2):
        raise bad("entry name has too few components")
    return name


def entries(lexer: Lexer) -> tuple[str, ...]:
    """One name or several in parentheses, each once (RFC 5464 §5 `entries`).

    Lenient: several without parentheses, as examples of RFC 5464 §4.4.1 have them.
    """
    listed = lexer.take(b"(")
    found: dict[str, None] = {}
    while True:
        found[entry(lexer, whole=False)] = None
        if len(found) > lexer.limits.arguments:
            raise bad("too many entries")
        if not lexer.take(b" "):
            break
    if listed:
        lexer.expect(b")")
    return tuple(found)


def parse_getmetadata(lexer: Lexer) -> GetMetadata:
    """What follows `GETMETADATA `. Options stand before the mailbox in the grammar, behind it in the examples."""
    options: tuple[int | None, int] | None = None
    if lexer.at(b"("):
        options = _options(lexer)
        lexer.space()
    name = lexer.mailbox_or_server()
    lexer.space()
    if options is None and lexer.at(b"(") and not lexer.at(b"(/") and not lexer.at(b'("') and not lexer.at(b"({"):
        options = _options(lexer)
        lexer.space()
    names = entries(lexer)
    lexer.end()
    largest, depth = options or (None, 0)
    return GetMetadata(name, names, largest, depth)


def _options(lexer: Lexer) -> tuple[int | None, int]:
    """MAXSIZE and DEPTH (RFC 5464 §4.2.1, §4.2.2)."""
    largest, depth = None, None
    lexer.expect(b"(")
    while True:
        match lexer.word():
            case "MAXSIZE" if largest is None:
                lexer.space()
                largest = lexer.number()
            case "DEPTH" if depth is None:
                lexer.space()
                depth = _DEPTHS.get(lexer.word())
                if depth is None:
                    raise bad("DEPTH is 0, 1 or infinity")
            case _:
                raise bad("unknown or repeated GETMETADATA option")
        if not lexer.take(b" "):
            break
    lexer.expect(b")")
    return largest, depth or 0


def parse_setmetadata(lexer: Lexer) -> SetMetadata:
    """What follows `SETMETADATA `. Of an entry that is given twice the last value counts."""
    name = lexer.mailbox_or_server()
    lexer.expect(b" (")
    found: dict[str, tuple[bytes | None, bool]] = {}
    while True:
        key = entry(lexer)
        lexer.space()
        binary = lexer.at(b"~{")  # literal8
        found[key] = lexer.nstring(), not binary
        if len(found) > lexer.limits.arguments:
            raise bad("too many entries")
        if not lexer.take(b" "):
            break
    lexer.expect(b")")
    lexer.end()
    return SetMetadata(name, tuple((key, value, is_text) for key, (value, is_text) in found.items()))

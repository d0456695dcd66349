"""The grammar of FETCH items and modifiers: RFC 9051 §6.4.5, RFC 3501 §6.4.5 and the extensions named below."""

import re
from typing import cast

from appliance.protocol.imap import response
from appliance.protocol.imap.command import (
    Binary,
    BinarySize,
    BodySection,
    Fetch,
    FetchAttribute,
    FetchItem,
    Preview,
    SectionKind,
)
from appliance.protocol.imap.lexer import Lexer, bad
from appliance.protocol.imap.sequence import LARGEST_NUMBER

_FAST = (FetchAttribute.FLAGS, FetchAttribute.INTERNALDATE, FetchAttribute.RFC822_SIZE)
#: RFC 9051 §6.4.5.
_MACROS: dict[bytes, tuple[FetchItem, ...]] = {
    b"ALL": (*_FAST, FetchAttribute.ENVELOPE),
    b"FAST": _FAST,
    b"FULL": (*_FAST, FetchAttribute.ENVELOPE, FetchAttribute.BODY),
}
_PLAIN: dict[bytes, FetchItem] = {
    **{attribute.value: attribute for attribute in FetchAttribute},
    # RFC 3501 §6.4.5: each "functionally equivalent" to a section, but answered under its own name.
    b"RFC822": BodySection((), "", (), None, peek=False, label=b"RFC822"),
    b"RFC822.HEADER": BodySection((), "HEADER", (), None, peek=True, label=b"RFC822.HEADER"),
    b"RFC822.TEXT": BodySection((), "TEXT", (), None, peek=False, label=b"RFC822.TEXT"),
}
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9.]*")
_SECTION = re.compile(
    rb"\[((?:[0-9]{1,10}\.)*+)(?:([0-9]{1,10})|(HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME))?", re.IGNORECASE
)


def parse_fetch(lexer: Lexer, *, uid: bool) -> Fetch:
    """What follows `FETCH `."""
    messages = lexer.sequence_set()
    lexer.space()
    items: dict[FetchItem, None] = {}
    if lexer.take(b"("):
        while True:
            items[_item(lexer)] = None
            if len(items) > lexer.limits.fetch_items:
                raise bad("too many items to fetch")
            if not lexer.take(b" "):
                break
        lexer.expect(b")")
    elif (name := _NAME.match(lexer.line, lexer.position)) and (macro := _MACROS.get(name[0].upper())):
        lexer.position = name.end()
        items = dict.fromkeys(macro)
    else:
        items[_item(lexer)] = None
    changed_since, vanished, partial = None, False, None
    if lexer.take(b" ("):  # RFC 4466 §2.4
        while True:
            modifier = lexer.word()
            if modifier == "CHANGEDSINCE" and changed_since is None:
                lexer.space()
                changed_since = lexer.number()
            elif modifier == "VANISHED" and not vanished:
                vanished = True
            elif modifier == "PARTIAL" and partial is None and uid:  # RFC 9394 §3.3
                lexer.space()
                partial = lexer.partial()
            else:
                raise bad("unknown or repeated FETCH modifier")
            if not lexer.take(b" "):
                break
        lexer.expect(b")")
        if vanished and (changed_since is None or not uid):
            raise bad("VANISHED needs UID FETCH and CHANGEDSINCE")
    lexer.end()
    return Fetch(uid, messages, tuple(items), changed_since, vanished, partial)


def parse_items(lexer: Lexer) -> tuple[FetchItem, ...]:
    """Items in parentheses, as in NOTIFY's MessageNew (RFC 5465 §5.2)."""
    lexer.expect(b"(")
    items: dict[FetchItem, None] = {}
    while True:
        items[_item(lexer)] = None
        if len(items) > lexer.limits.fetch_items:
            raise bad("too many items to fetch")
        if not lexer.take(b" "):
            break
    lexer.expect(b")")
    return tuple(items)


def _item(lexer: Lexer) -> FetchItem:
    found = _NAME.match(lexer.line, lexer.position)
    if not found:
        raise bad("expected a FETCH item")
    name = found[0].upper()
    lexer.position = found.end()
    if lexer.at(b"["):
        if name in {b"BODY", b"BODY.PEEK"}:
            return _body_section(lexer, peek=name == b"BODY.PEEK")
        if name in {b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"}:
            return _binary(lexer, name)
    if item := _PLAIN.get(name):
        return item
    if name == b"PREVIEW":
        if not lexer.take(b" ("):
            return Preview()
        if lexer.word() != "LAZY":  # RFC 8970 §4.1
            raise bad("unknown PREVIEW modifier")
        lexer.expect(b")")
        return Preview(lazy=True)
    raise bad("unknown FETCH item")


def _body_section(lexer: Lexer, *, peek: bool) -> BodySection:
    found = _section(lexer)
    parts = _parts(lexer, found)
    kind = cast(SectionKind, (found[3] or b"").upper().decode("ascii"))
    if (kind == "MIME" and not parts) or (not kind and found[1] and not found[2]):
        raise bad("bad section")
    label = b"BODY[" + found[0][1:].upper()
    fields: dict[bytes, None] = {}
    if kind.startswith("HEADER.FIELDS"):
        lexer.expect(b" (")
        spelled = []
        while True:
            field = lexer.astring()
            if not field:
                raise bad("empty header field name")
            spelled.append(response.astring(field))
            fields[field.lower()] = None
            if len(spelled) > lexer.limits.header_fields:
                raise bad("too many header fields")
            if not lexer.take(b" "):
                break
        lexer.expect(b")")
        label += b" (" + b" ".join(spelled) + b")"
    lexer.expect(b"]")
    partial = _partial(lexer)
    label += b"]" if partial is None else b"]<%d>" % partial[0]
    return BodySection(parts, kind, tuple(fields), partial, peek, label)


def _binary(lexer: Lexer, name: bytes) -> Binary | BinarySize:
    found = _section(lexer)
    if found[3] or (found[1] and not found[2]):
        raise bad("bad section of BINARY")
    parts = _parts(lexer, found)
    lexer.expect(b"]")
    section = found[0] + b"]"
    if name == b"BINARY.SIZE":
        return BinarySize(parts, b"BINARY.SIZE" + section)
    partial = _partial(lexer)
    label = b"BINARY" + section + (b"" if partial is None else b"<%d>" % partial[0])
    return Binary(parts, partial, name == b"BINARY.PEEK", label)


def _section(lexer: Lexer) -> re.Match[bytes]:
    found = _SECTION.match(lexer.line, lexer.position)
    if not found:
        raise bad("bad section")
    lexer.position = found.end()
    return found


def _parts(lexer: Lexer, found: re.Match[bytes]) -> tuple[int, ...]:
    written = (found[1] + (found[2] or b"")).strip(b".")
    if not written:
        return ()
    parts = tuple(map(int, written.split(b".")))
    if len(parts) > lexer.limits.section_depth or min(parts) < 1 or max(parts) > LARGEST_NUMBER:
        raise bad("bad part number")
    return parts


def _partial(lexer: Lexer) -> tuple[int, int] | None:
    if not lexer.take(b"<"):
        return None
    offset = lexer.number()
    lexer.expect(b".")
    count = lexer.positive()
    lexer.expect(b">")
    return offset, count

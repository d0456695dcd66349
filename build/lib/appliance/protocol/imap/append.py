"""The grammar of APPEND and REPLACE (RFC 9051 §6.3.12, RFC 3502, RFC 6855 §4, RFC 8508).

Only what stands before a message is read here; the message itself passes through the connection in chunks.
"""

import datetime
from dataclasses import dataclass

from appliance.protocol.imap.lexer import Lexer, LiteralHeader, bad, literal_header
from appliance.protocol.imap.sequence import LARGEST_NUMBER


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go, and for REPLACE (by UID or not, number or None for `*`) what they take the place of."""

    mailbox: str
    replaces: tuple[bool, int | None] | None = None


@dataclass(frozen=True, slots=True)
class MessageHead:
    """What is said of one message before it comes."""

    flags: tuple[str, ...]
    date: datetime.datetime | None
    literal: LiteralHeader
    #: `UTF8 (` was said, and `)` must follow the message.
    utf8: bool


def parse_append(lexer: Lexer) -> Target:
    """What follows `APPEND `, up to the first message."""
    return Target(lexer.mailbox())


def parse_replace(lexer: Lexer, *, uid: bool) -> Target:
    """What follows `REPLACE `, up to the message."""
    number = None if lexer.take(b"*") else lexer.positive(LARGEST_NUMBER)
    lexer.space()
    return Target(lexer.mailbox(), (uid, number))


def parse_message_head(lexer: Lexer) -> MessageHead:
    """`[ (flags)][ "date"] literal` at the end of a line, with the space before it."""
    lexer.space()
    flags: tuple[str, ...] = ()
    if lexer.at(b"("):
        flags = lexer.flag_list()
        lexer.space()
    date = None
    if lexer.at(b'"'):
        date = lexer.date_time()
        lexer.space()
    utf8 = lexer.line[lexer.position : lexer.position + 6].upper() == b"UTF8 ("
    if utf8:
        lexer.position += 6
    literal = literal_header(lexer.line, lexer.position)
    if literal is None:
        raise bad("expected a literal with the message")
    if utf8 and not literal.binary:
        raise bad("UTF8 needs a literal8")  # RFC 6855 §4
    return MessageHead(flags, date, literal, utf8)

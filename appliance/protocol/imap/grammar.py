"""From a gathered command to a Request: the table of all commands (RFC 9051 §9, RFC 3501 §9)."""

import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, NamedTuple, cast

from appliance.protocol.imap import fetch, mailbox, search
from appliance.protocol.imap.command import (
    Authenticate,
    Capability,
    Check,
    Close,
    Copy,
    Delete,
    Enable,
    Expunge,
    Id,
    Idle,
    Login,
    Logout,
    Move,
    Namespace,
    Noop,
    Request,
    StartTls,
    Store,
    Subscribe,
    Unselect,
    Unsubscribe,
)
from appliance.protocol.imap.lexer import Lexer, LiteralHeader, bad, literal_header

Parser = Callable[[Lexer], Request]


def _bare(request: Request) -> Parser:
    def parse(lexer: Lexer) -> Request:
        lexer.end()
        return request

    return parse


def _id(lexer: Lexer) -> Id:
    """RFC 2971 §3.1: NIL or a list of keys and values, each key once."""
    lexer.space()
    found: dict[str, str | None] = {}
    if lexer.line[lexer.position :].upper() == b"NIL":
        lexer.rest()
    else:
        lexer.expect(b"(")
        while not lexer.take(b")"):
            key = lexer.string().decode("utf-8", "replace").lower()
            lexer.space()
            value = lexer.nstring()
            if key in found or len(found) >= lexer.limits.arguments:
                raise bad("a key twice, or too many of them")
            found[key] = None if value is None else value.decode("utf-8", "replace")
            if not lexer.at(b")"):
                lexer.space()
    lexer.end()
    return Id(tuple(found.items()))


def _authenticate(lexer: Lexer) -> Authenticate:
    lexer.space()
    mechanism = lexer.word()
    initial = None
    if lexer.take(b" "):
        initial = decode_response(lexer.rest())
    lexer.end()
    return Authenticate(mechanism, initial)


def decode_response(line: bytes) -> bytes:
    """A base64 line of a SASL exchange; `=` is the empty one (RFC 4959 §3). Raises CommandError."""
    if line == b"=":
        return b""
    try:
        return binascii.a2b_base64(line, strict_mode=True)
    except binascii.Error:
        raise bad("response is not base64") from None


def _login(lexer: Lexer) -> Login:
    lexer.space()
    user = lexer.text()
    lexer.space()
    password = lexer.text()
    lexer.end()
    return Login(user, password)


def _enable(lexer: Lexer) -> Enable:
    names: list[str] = []
    while lexer.take(b" "):
        names.append(lexer.word())
        if len(names) > lexer.limits.arguments:
            raise bad("too many capabilities")
    if not names:
        raise bad("expected a capability")
    lexer.end()
    return Enable(tuple(names))


def _of_mailbox(kind: type[Delete] | type[Subscribe] | type[Unsubscribe]) -> Parser:
    def parse(lexer: Lexer) -> Request:
        lexer.space()
        name = lexer.mailbox()
        lexer.end()
        return kind(name)

    return parse


def _after_space(parse: Callable[[Lexer], Request]) -> Parser:
    def after(lexer: Lexer) -> Request:
        lexer.space()
        return parse(lexer)

    return after


def _store(lexer: Lexer, *, uid: bool) -> Store:
    """RFC 9051 §6.4.6, UNCHANGEDSINCE of RFC 7162 §3.1.3."""
    messages = lexer.sequence_set()
    unchanged_since = None
    lexer.space()
    if lexer.take(b"("):
        if lexer.word() != "UNCHANGEDSINCE":
            raise bad("unknown STORE modifier")
        lexer.space()
        unchanged_since = lexer.number()
        lexer.expect(b") ")
    sign = next((one for one in (b"+", b"-") if lexer.take(one)), b"=")
    word = lexer.word()
    if word not in {"FLAGS", "FLAGS.SILENT"}:
        raise bad("expected FLAGS")
    lexer.space()
    # Lenient: flags without parentheses, as the grammar has always allowed for more than one.
    found = lexer.flag_list() if lexer.at(b"(") else lexer.bare_flags()
    lexer.end()
    mode = cast(Literal["+", "-", "="], sign.decode())
    return Store(uid, messages, mode, found, word.endswith("SILENT"), unchanged_since)


def _copy(kind: type[Copy] | type[Move], *, uid: bool) -> Parser:
    def parse(lexer: Lexer) -> Request:
        lexer.space()
        messages = lexer.sequence_set()
        lexer.space()
        name = lexer.mailbox()
        lexer.end()
        return kind(uid, messages, name)

    return parse


def _uid_expunge(lexer: Lexer) -> Expunge:
    lexer.space()
    uids = lexer.sequence_set()
    lexer.end()
    return Expunge(uids)


#: What may follow UID.
_UID: Final[dict[str, Parser]] = {
    "FETCH": _after_space(lambda lexer: fetch.parse_fetch(lexer, uid=True)),
    "SEARCH": _after_space(lambda lexer: search.parse_search(lexer, uid=True)),
    "STORE": _after_space(lambda lexer: _store(lexer, uid=True)),
    "COPY": _copy(Copy, uid=True),
    "MOVE": _copy(Move, uid=True),
    "EXPUNGE": _uid_expunge,
}


def _uid(lexer: Lexer) -> Request:
    lexer.space()
    parse = _UID.get(lexer.word())
    if parse is None:
        raise bad("unknown UID command")
    return parse(lexer)


#: All commands but APPEND, which is read while it comes in.
COMMANDS: Final[dict[str, Parser]] = {
    "CAPABILITY": _bare(Capability()),
    "NOOP": _bare(Noop()),
    "LOGOUT": _bare(Logout()),
    "ID": _id,
    "STARTTLS": _bare(StartTls()),
    "AUTHENTICATE": _authenticate,
    "LOGIN": _login,
    "ENABLE": _enable,
    "SELECT": _after_space(lambda lexer: mailbox.parse_select(lexer, read_only=False)),
    "EXAMINE": _after_space(lambda lexer: mailbox.parse_select(lexer, read_only=True)),
    "CREATE": _after_space(mailbox.parse_create),
    "DELETE": _of_mailbox(Delete),
    "RENAME": _after_space(mailbox.parse_rename),
    "SUBSCRIBE": _of_mailbox(Subscribe),
    "UNSUBSCRIBE": _of_mailbox(Unsubscribe),
    "LIST": _after_space(mailbox.parse_list),
    "LSUB": _after_space(mailbox.parse_lsub),
    "NAMESPACE": _bare(Namespace()),
    "STATUS": _after_space(mailbox.parse_status),
    "IDLE": _bare(Idle()),
    "CHECK": _bare(Check()),
    "CLOSE": _bare(Close()),
    "UNSELECT": _bare(Unselect()),
    "EXPUNGE": _bare(Expunge()),
    "SEARCH": _after_space(lambda lexer: search.parse_search(lexer, uid=False)),
    "FETCH": _after_space(lambda lexer: fetch.parse_fetch(lexer, uid=False)),
    "STORE": _after_space(lambda lexer: _store(lexer, uid=False)),
    "COPY": _copy(Copy, uid=False),
    "MOVE": _copy(Move, uid=False),
    "UID": _uid,
}


class AppendHead(NamedTuple):
    """What comes before one message of an APPEND."""

    flags: tuple[str, ...]
    date: datetime | None
    literal: LiteralHeader
    utf8: bool


def append_mailbox(lexer: Lexer) -> str:
    """The mailbox of `APPEND `."""
    lexer.space()
    return lexer.mailbox()


def append_head(lexer: Lexer) -> AppendHead:
    """Flags, date and announcement of a message (RFC 9051 §6.3.12, RFC 6855 §4)."""
    lexer.space()
    found: tuple[str, ...] = ()
    if lexer.at(b"("):
        found = lexer.flag_list()
        lexer.space()
    date = None
    if lexer.at(b'"'):
        date = lexer.date_time()
        lexer.space()
    utf8 = lexer.line[lexer.position : lexer.position + 6].upper() == b"UTF8 ("
    if utf8:
        lexer.position += 6
    announced = literal_header(lexer.line, lexer.position)
    if announced is None:
        raise bad("expected a literal")
    lexer.rest()
    return AppendHead(found, date, announced, utf8)

"""The table of commands: what may follow each name (RFC 9051 §9, RFC 3501 §9).

A parser takes the lexer just behind the command's name, and reads to the end. APPEND and REPLACE are the connection's,
as their messages come in between.
"""

import binascii
from collections.abc import Callable
from functools import partial
from typing import Literal

from appliance.protocol.imap import acl, fetch, mailbox, metadata, notify, quota, search
from appliance.protocol.imap.command import (
    Authenticate,
    Capability,
    Check,
    Close,
    Compress,
    Copy,
    Enable,
    Expunge,
    GetAcl,
    GetQuotaRoot,
    Id,
    Idle,
    Login,
    Logout,
    Move,
    MyRights,
    Namespace,
    Noop,
    Request,
    StartTls,
    Store,
    Subscribe,
    Unauthenticate,
    Unselect,
    Unsubscribe,
)
from appliance.protocol.imap.lexer import Lexer, bad

Parser = Callable[[Lexer], Request]


def parse(lexer: Lexer) -> Request:
    """A command without its tag. Raises CommandError, without tag."""
    name = lexer.word()
    table = COMMANDS
    if name == "UID" and lexer.take(b" "):
        name = lexer.word()
        table = UID_COMMANDS
    parser = table.get(name)
    if parser is None:
        raise bad("unknown command")
    return parser(lexer)


def is_command(name: bytes) -> bool:
    """Whether it is a command's name, upper case, with `UID ` where that is part of it."""
    return name in _NAMES


def decode_base64(octets: bytes) -> bytes:
    """SASL data (RFC 4648 §4). Raises CommandError."""
    try:
        return binascii.a2b_base64(octets, strict_mode=True)
    except binascii.Error:
        raise bad("bad base64") from None


def _alone(request: Request) -> Parser:
    def parser(lexer: Lexer) -> Request:
        lexer.end()
        return request

    return parser


def _then(parser: Callable[[Lexer], Request]) -> Parser:
    """The parser, behind a space."""

    def spaced(lexer: Lexer) -> Request:
        lexer.space()
        return parser(lexer)

    return spaced


def _named(kind: Callable[[str], Request]) -> Parser:
    """A command with the name of one mailbox."""

    def parser(lexer: Lexer) -> Request:
        name = lexer.mailbox()
        lexer.end()
        return kind(name)

    return _then(parser)


def _id(lexer: Lexer) -> Id:
    parameters: dict[str, str | None] = {}
    if lexer.take(b"("):
        while not lexer.take(b")"):
            if parameters:
                lexer.space()
            key = lexer.string().decode("utf-8", "replace").lower()
            lexer.space()
            value = lexer.nstring()
            if key in parameters:
                raise bad("repeated ID field")  # RFC 2971 §3.3
            parameters[key] = None if value is None else value.decode("utf-8", "replace")
            if len(parameters) > lexer.limits.arguments:
                raise bad("too many ID fields")
    elif lexer.nstring() is not None:
        raise bad("expected a list or NIL")
    lexer.end()
    return Id(tuple(parameters.items()))


def _authenticate(lexer: Lexer) -> Authenticate:
    mechanism = lexer.word()
    initial = None
    if lexer.take(b" "):
        octets = lexer.rest()
        initial = b"" if octets == b"=" else decode_base64(octets)
        if not initial and octets != b"=":
            raise bad("expected an initial response")
    lexer.end()
    return Authenticate(mechanism, initial)


def _login(lexer: Lexer) -> Login:
    user = lexer.text()
    lexer.space()
    password = lexer.text()
    lexer.end()
    return Login(user, password)


def _compress(lexer: Lexer) -> Compress:
    if lexer.word() != "DEFLATE":
        raise bad("unknown compression")  # RFC 4978 §3
    lexer.end()
    return Compress()


def _enable(lexer: Lexer) -> Enable:
    names = {lexer.word(): None}
    while lexer.take(b" "):
        names[lexer.word()] = None
        if len(names) > lexer.limits.arguments:
            raise bad("too many capabilities")
    lexer.end()
    return Enable(tuple(names))


def _uid_expunge(lexer: Lexer) -> Expunge:
    uids = lexer.sequence_set()
    lexer.end()
    return Expunge(uids)


def _copy(lexer: Lexer, *, kind: type[Copy | Move], uid: bool) -> Copy | Move:
    messages = lexer.sequence_set()
    lexer.space()
    target = lexer.mailbox()
    lexer.end()
    return kind(uid, messages, target)


def _store(lexer: Lexer, *, uid: bool) -> Store:
    messages = lexer.sequence_set()
    lexer.space()
    unchanged_since = None
    if lexer.take(b"("):  # RFC 7162 §3.1.3
        if lexer.word() != "UNCHANGEDSINCE":
            raise bad("unknown STORE modifier")
        lexer.space()
        unchanged_since = lexer.number()
        lexer.expect(b") ")
    item = _STORE_ITEMS.get(lexer.word())
    if item is None:
        raise bad("unknown STORE item")
    mode, silent = item
    lexer.space()
    flags = lexer.flag_list() if lexer.at(b"(") else lexer.bare_flags()
    lexer.end()
    return Store(uid, messages, mode, flags, silent, unchanged_since)


_STORE_ITEMS: dict[str, tuple[Literal["+", "-", "="], bool]] = {
    "FLAGS": ("=", False),
    "FLAGS.SILENT": ("=", True),
    "+FLAGS": ("+", False),
    "+FLAGS.SILENT": ("+", True),
    "-FLAGS": ("-", False),
    "-FLAGS.SILENT": ("-", True),
}

COMMANDS: dict[str, Parser] = {
    "CAPABILITY": _alone(Capability()),
    "NOOP": _alone(Noop()),
    "LOGOUT": _alone(Logout()),
    "ID": _then(_id),
    "STARTTLS": _alone(StartTls()),
    "AUTHENTICATE": _then(_authenticate),
    "LOGIN": _then(_login),
    "UNAUTHENTICATE": _alone(Unauthenticate()),
    "COMPRESS": _then(_compress),
    "ENABLE": _then(_enable),
    "SELECT": _then(partial(mailbox.parse_select, read_only=False)),
    "EXAMINE": _then(partial(mailbox.parse_select, read_only=True)),
    "CREATE": _then(mailbox.parse_create),
    "DELETE": _then(mailbox.parse_delete),
    "RENAME": _then(mailbox.parse_rename),
    "SUBSCRIBE": _named(Subscribe),
    "UNSUBSCRIBE": _named(Unsubscribe),
    "LIST": _then(mailbox.parse_list),
    "LSUB": _then(mailbox.parse_lsub),
    "NAMESPACE": _alone(Namespace()),
    "STATUS": _then(mailbox.parse_status),
    "GETMETADATA": _then(metadata.parse_getmetadata),
    "SETMETADATA": _then(metadata.parse_setmetadata),
    "GETQUOTA": _then(quota.parse_getquota),
    "GETQUOTAROOT": _named(GetQuotaRoot),
    "SETQUOTA": _then(quota.parse_setquota),
    "GETACL": _named(GetAcl),
    "SETACL": _then(acl.parse_setacl),
    "DELETEACL": _then(acl.parse_deleteacl),
    "LISTRIGHTS": _then(acl.parse_listrights),
    "MYRIGHTS": _named(MyRights),
    "IDLE": _alone(Idle()),
    "NOTIFY": _then(notify.parse_notify),
    "CHECK": _alone(Check()),
    "CLOSE": _alone(Close()),
    "UNSELECT": _alone(Unselect()),
    "EXPUNGE": _alone(Expunge()),
    "SEARCH": _then(partial(search.parse_search, uid=False)),
    "ESEARCH": _then(search.parse_esearch),
    "SORT": _then(partial(search.parse_sort, uid=False)),
    "THREAD": _then(partial(search.parse_thread, uid=False)),
    "FETCH": _then(partial(fetch.parse_fetch, uid=False)),
    "STORE": _then(partial(_store, uid=False)),
    "COPY": _then(partial(_copy, kind=Copy, uid=False)),
    "MOVE": _then(partial(_copy, kind=Move, uid=False)),
}

#: What may follow `UID ` (RFC 9051 §6.4.9).
UID_COMMANDS: dict[str, Parser] = {
    "EXPUNGE": _then(_uid_expunge),
    "SEARCH": _then(partial(search.parse_search, uid=True)),
    "SORT": _then(partial(search.parse_sort, uid=True)),
    "THREAD": _then(partial(search.parse_thread, uid=True)),
    "FETCH": _then(partial(fetch.parse_fetch, uid=True)),
    "STORE": _then(partial(_store, uid=True)),
    "COPY": _then(partial(_copy, kind=Copy, uid=True)),
    "MOVE": _then(partial(_copy, kind=Move, uid=True)),
}

_NAMES = frozenset(name.encode() for name in (*COMMANDS, *(f"UID {name}" for name in UID_COMMANDS)))

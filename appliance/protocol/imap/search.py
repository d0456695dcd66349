"""The grammar of SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 5032, RFC 5182, RFC 7162 §3.1.5, RFC 8474, RFC 8514).

And of its relatives SORT and THREAD (RFC 5256, RFC 5267 §3, RFC 5957) and ESEARCH (RFC 7377).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from appliance.protocol.imap.command import (
    And,
    BodyContains,
    Comparison,
    EmailId,
    Everything,
    HasFlag,
    HeaderContains,
    Larger,
    ModSeq,
    MultiSearch,
    Not,
    Nothing,
    Numbers,
    Older,
    Or,
    Received,
    Returns,
    Saved,
    SaveDateSupported,
    Search,
    SearchKey,
    Sent,
    Smaller,
    Sort,
    SortKey,
    Source,
    TextContains,
    Thread,
    ThreadAlgorithm,
    ThreadId,
    Uids,
    Younger,
)
from appliance.protocol.imap.lexer import CommandError, Lexer, bad
from appliance.protocol.imap.sequence import LARGEST_NUMBER

#: RFC 9051 §6.4.4, SAVE of §6.4.4.1, PARTIAL of RFC 9394 §3.1.
RETURN_OPTIONS = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE", "PARTIAL"})
#: RFC 7377 §2.2, RFC 5465 §6.
_SOURCES = frozenset({"SELECTED", "INBOXES", "PERSONAL", "SUBSCRIBED"})
_SOURCES_WITH_NAMES = frozenset({"MAILBOXES", "SUBTREE", "SUBTREE-ONE"})
#: RFC 9051 §6.4.4 demands these two. RFC 6855 §3: after ENABLE UTF8=ACCEPT no charset may be given at all.
CHARSETS = frozenset({"US-ASCII", "UTF-8"})

_WITHOUT_ARGUMENT: dict[str, SearchKey] = {
    "ALL": Everything(),
    "OLD": Everything(),
    "NEW": Nothing(),
    "RECENT": Nothing(),
    "SAVEDATESUPPORTED": SaveDateSupported(),
    **{flag.upper(): HasFlag("\\" + flag) for flag in ("Answered", "Deleted", "Draft", "Flagged", "Seen")},
    **{"UN" + flag.upper(): Not(HasFlag("\\" + flag)) for flag in ("Answered", "Deleted", "Draft", "Flagged", "Seen")},
}
_HEADERS = {name: name.lower() for name in ("BCC", "CC", "FROM", "SUBJECT", "TO")}
_DAYS: dict[str, tuple[type[Received | Sent | Saved], Comparison]] = {
    prefix + comparison.value: (key, comparison)
    for prefix, key in (("", Received), ("SENT", Sent), ("SAVED", Saved))
    for comparison in Comparison
}


def parse_search(lexer: Lexer, *, uid: bool) -> Search:
    """What follows `SEARCH `."""
    returns = parse_returns(lexer)
    with _saving(returns):
        charset = _search_charset(lexer)
        key = parse_program(lexer)
        lexer.end()
    return Search(uid, key, returns, charset)


@contextmanager
def _saving(returns: Returns | None) -> Iterator[None]:
    """For what follows `RETURN (SAVE)`: a NO makes the saved result empty, a BAD leaves it (RFC 5182 §2.1)."""
    try:
        yield
    except CommandError as error:
        error.forgets_saved = error.kind == "NO" and returns is not None and "SAVE" in returns.items
        raise


def _search_charset(lexer: Lexer) -> str | None:
    """`CHARSET x ` with the space after it, if it stands here."""
    if lexer.line[lexer.position : lexer.position + 8].upper() != b"CHARSET ":
        return None
    lexer.position += 8
    return _charset(lexer)


def _charset(lexer: Lexer) -> str:
    charset = lexer.astring().decode("latin-1").upper()
    if charset not in CHARSETS:
        raise CommandError("NO", "charset not supported", code="BADCHARSET (US-ASCII UTF-8)")
    lexer.space()
    return charset


def parse_returns(lexer: Lexer) -> Returns | None:
    """`RETURN (…) ` with the space after it, if it stands here (RFC 4731 §3)."""
    if lexer.line[lexer.position : lexer.position + 8].upper() != b"RETURN (":
        return None
    lexer.position += 8
    items: set[str] = set()
    partial = None
    while not lexer.take(b")"):
        if items:
            lexer.space()
        item = lexer.word()
        if item not in RETURN_OPTIONS:
            raise bad(f"unknown item {item}")
        if item == "PARTIAL":
            if partial is not None:
                raise bad("PARTIAL may be given once")
            lexer.space()
            partial = lexer.partial()
        items.add(item)
    if {"ALL", "PARTIAL"} <= items:
        raise bad("not both ALL and PARTIAL")  # RFC 9394 §3.1
    lexer.space()
    return Returns(frozenset(items or {"ALL"}), partial)


def parse_sort(lexer: Lexer, *, uid: bool) -> Sort:
    """What follows `SORT `."""
    returns = parse_returns(lexer)
    lexer.expect(b"(")
    criteria: dict[tuple[SortKey, bool], None] = {}
    while True:
        name = lexer.word()
        reverse = name == "REVERSE"
        if reverse:
            lexer.space()
            name = lexer.word()
        if name not in SortKey.__members__:
            raise bad("unknown sort criterion")
        criteria[SortKey[name], reverse] = None  # Each again would change nothing.
        if not lexer.take(b" "):
            break
    lexer.expect(b") ")
    with _saving(returns):
        _charset(lexer)
        key = parse_program(lexer)
        lexer.end()
    return Sort(uid, tuple(criteria), key, returns)


def parse_thread(lexer: Lexer, *, uid: bool) -> Thread:
    """What follows `THREAD `."""
    name = lexer.word()
    if name not in ThreadAlgorithm.__members__:
        raise bad("unknown threading algorithm")
    lexer.space()
    _charset(lexer)
    key = parse_program(lexer)
    lexer.end()
    return Thread(uid, ThreadAlgorithm[name], key)


def parse_esearch(lexer: Lexer) -> MultiSearch:
    """What follows `ESEARCH `."""
    sources: list[Source] = []
    if lexer.line[lexer.position : lexer.position + 4].upper() == b"IN (":
        lexer.position += 4
        while True:
            sources.append(_source(lexer))
            if sum(len(one.mailboxes) or 1 for one in sources) > lexer.limits.arguments:
                raise CommandError("NO", "too many mailboxes", code="LIMIT")
            if not lexer.take(b" "):
                break
        lexer.expect(b") ")
    returns = parse_returns(lexer) or Returns(frozenset({"ALL"}))
    if "SAVE" in returns.items and any(one.kind != "SELECTED" for one in sources):
        raise bad("SAVE is for the selected mailbox alone")  # RFC 7377 §2.2
    with _saving(returns):
        _search_charset(lexer)
        key = parse_program(lexer)
        lexer.end()
    return MultiSearch(tuple(sources) or (Source("SELECTED"),), key, returns)


def _source(lexer: Lexer) -> Source:
    kind = lexer.word()
    if kind in _SOURCES:
        return Source(kind)
    if kind not in _SOURCES_WITH_NAMES:
        raise bad("unknown kind of mailboxes")
    lexer.space()
    if not lexer.take(b"("):
        return Source(kind, (lexer.mailbox(),))
    names = {lexer.mailbox(): None}
    while lexer.take(b" "):
        names[lexer.mailbox()] = None
        if len(names) > lexer.limits.arguments:
            raise CommandError("NO", "too many mailboxes", code="LIMIT")
    lexer.expect(b")")
    return Source(kind, tuple(names))


def parse_program(lexer: Lexer) -> SearchKey:
    """Keys up to the end of the command; And if there are several."""
    return _Keys(lexer).sequence(lexer.limits.search_depth)


class _Keys:
    """Counts the keys of one search."""

    __slots__ = ("_left", "_lexer")

    def __init__(self, lexer: Lexer) -> None:
        self._lexer = lexer
        self._left = lexer.limits.search_keys

    def sequence(self, depth: int) -> SearchKey:
        keys = [self.key(depth)]
        while self._lexer.take(b" "):
            keys.append(self.key(depth))
        return keys[0] if len(keys) == 1 else And(tuple(keys))

    def key(self, depth: int) -> SearchKey:
        """One key, nested at most `depth` deep."""
        lexer = self._lexer
        self._left -= 1
        if self._left < 0 or depth <= 0:
            raise CommandError("NO", "search is too complex", code="LIMIT")
        next_octet = lexer.line[lexer.position : lexer.position + 1]
        if next_octet in b"0123456789*$" and next_octet:
            return Numbers(lexer.sequence_set())
        if lexer.take(b"("):
            key = self.sequence(depth - 1)
            lexer.expect(b")")
            return key
        name = lexer.word()
        if simple := _WITHOUT_ARGUMENT.get(name):
            return simple
        lexer.space()
        if name == "NOT":
            return Not(self.key(depth - 1))
        if name == "OR":
            left = self.key(depth - 1)
            lexer.space()
            return Or(left, self.key(depth - 1))
        return _with_argument(lexer, name)


def _with_argument(lexer: Lexer, name: str) -> SearchKey:
    if field := _HEADERS.get(name):
        return HeaderContains(field, lexer.text())
    if day := _DAYS.get(name):
        key, comparison = day
        return key(comparison, lexer.date())
    match name:
        case "UID":
            return Uids(lexer.sequence_set())
        case "BODY":
            return BodyContains(lexer.text())
        case "TEXT":
            return TextContains(lexer.text())
        case "HEADER":
            field = lexer.text().lower()
            lexer.space()
            return HeaderContains(field, lexer.text())
        case "KEYWORD":
            return HasFlag(lexer.keyword())
        case "UNKEYWORD":
            return Not(HasFlag(lexer.keyword()))
        case "LARGER":
            return Larger(lexer.number())
        case "SMALLER":
            return Smaller(lexer.number())
        case "OLDER":
            return Older(lexer.positive(LARGEST_NUMBER))
        case "EMAILID":
            return EmailId(lexer.object_id())
        case "THREADID":
            return ThreadId(lexer.object_id())
        case "YOUNGER":
            return Younger(lexer.positive(LARGEST_NUMBER))
        case "MODSEQ":
            if lexer.at(b'"'):  # RFC 7162 §3.1.5: entry name and type, which choose among modseqs we keep as one.
                lexer.string()
                lexer.space()
                if lexer.word() not in {"PRIV", "SHARED", "ALL"}:
                    raise bad("unknown entry type")
                lexer.space()
            return ModSeq(lexer.number())
    raise bad("unknown search key")

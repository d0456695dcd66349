"""The grammar of SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 5032, RFC 5182, RFC 7162 §3.1.5, RFC 8514)."""

from appliance.protocol.imap.command import (
    And,
    BodyContains,
    Comparison,
    Everything,
    HasFlag,
    HeaderContains,
    Larger,
    ModSeq,
    Not,
    Nothing,
    Numbers,
    Older,
    Or,
    Received,
    Saved,
    SaveDateSupported,
    Search,
    SearchKey,
    Sent,
    Smaller,
    TextContains,
    Uids,
    Younger,
)
from appliance.protocol.imap.lexer import CommandError, Lexer, bad
from appliance.protocol.imap.sequence import LARGEST_NUMBER

#: RFC 9051 §6.4.4, SAVE of §6.4.4.1.
RETURN_OPTIONS = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE"})
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
    charset = None
    if lexer.line[lexer.position : lexer.position + 8].upper() == b"CHARSET ":
        lexer.position += 8
        charset = lexer.astring().decode("latin-1").upper()
        if charset not in CHARSETS:
            raise CommandError("NO", "charset not supported", code="BADCHARSET (US-ASCII UTF-8)")
        lexer.space()
    key = parse_program(lexer)
    lexer.end()
    return Search(uid, key, returns, charset)


def parse_returns(lexer: Lexer) -> frozenset[str] | None:
    """`RETURN (…) ` with the space after it, if it stands here (RFC 4731 §3)."""
    if lexer.line[lexer.position : lexer.position + 8].upper() != b"RETURN (":
        return None
    lexer.position += 7
    if lexer.take(b"()"):
        returns = frozenset({"ALL"})
    else:
        returns = frozenset(lexer.words(RETURN_OPTIONS))
    lexer.space()
    return returns


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

"""Addresses: in the configuration, in SMTP paths, and in the header of a message.

RFC 5321 §4.1.2 and RFC 6531 §3.3 for paths, RFC 5322 §3.4 and RFC 6854 for lists. Localparts are kept and
compared in NFC. Which account an address leads to belongs to operations.addresses.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from appliance.mail import comment, words
from appliance.mail.domain import Domain, DomainError, IPLiteral, parse_domain, parse_host
from appliance.mail.nfc import nfc

#: Octets of a localpart (RFC 5321 §4.5.3.1.1).
STRICT_LOCALPART_OCTETS = 64
#: Lenient: what mailing lists and bounce handlers encode into localparts goes beyond 64.
MAX_LOCALPART_OCTETS = 128
#: A path is refused unread past this: room for a quoted localpart, a domain in U-labels and a source route.
MAX_PATH_OCTETS = 2048

# Above ASCII everything but C1 controls and no-break space is text (RFC 6531 §3.3).
_ATEXT = "[0-9A-Za-z!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]"
_DOT_ATOM = re.compile(rf"{_ATEXT}++(?:\.{_ATEXT}++)*+")
#: Lenient: NTT Docomo gave out addresses with dots in a row or at the end, and they live on.
_DOTTED = re.compile(rf"(?:{_ATEXT}|\.)++")
_QUOTED = re.compile('"((?:[ !#-\\[\\]-~\u00a1-\U0010ffff]|\\\\[ -~])*+)"')
_ROUTE = re.compile(r"@[^@:,<>]++(?:,@[^@:,<>]++)*+:")
_ONE_LINE = re.compile(rb"[\t -~]*+")
#: Octets of a list that is looked at by the short way; each is looked at once.
_USUAL_OCTETS = 4096
_TO_QUOTE = re.compile(r'(["\\])')
_PATH = re.compile(rb'<(?:"(?:[^"\\]++|\\.)*+"|[^>"]++)*+>', re.DOTALL)


class AddressError(ValueError):
    """Not an address."""

    def __init__(self, text: str, *, lacks_smtputf8: bool = False) -> None:
        super().__init__(text)
        #: The address would do if the client had asked for SMTPUTF8 (RFC 6531 §3.5).
        self.lacks_smtputf8 = lacks_smtputf8


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox at a domain; the localpart unquoted, in NFC."""

    localpart: str
    domain: Domain

    def __str__(self) -> str:
        return self.unicode

    @property
    def unicode(self) -> str:
        """As people and storage write it: quoted if need be, the domain in U-labels."""
        return f"{spell_localpart(self.localpart)}@{self.domain.unicode}"

    @property
    def ascii(self) -> str:
        """The domain in A-labels. The localpart has no such spelling and stays as it is."""
        return f"{spell_localpart(self.localpart)}@{self.domain.ascii}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the localpart goes beyond ASCII (RFC 6531); a domain never needs it."""
        return not self.localpart.isascii()


@dataclass(frozen=True, slots=True)
class Path:
    """A reverse-path or forward-path of SMTP, without its angle brackets."""

    #: Unquoted, in NFC. Empty for the null path, and for `""@domain`, which is as good a name as others.
    localpart: str
    #: None for the null path, and for `postmaster` without a domain.
    domain: Domain | IPLiteral | None

    def __str__(self) -> str:
        return self.unicode

    @property
    def is_null(self) -> bool:
        """Whether this is `<>`, the sender of notifications (RFC 5321 §4.5.5)."""
        return not self.localpart and self.domain is None

    @property
    def unicode(self) -> str:
        """The path with its domain in U-labels; empty for the null path."""
        return self._spell(self.domain.unicode if isinstance(self.domain, Domain) else self.domain)

    @property
    def ascii(self) -> str:
        """The path with its domain in A-labels; the localpart as it is."""
        return self._spell(self.domain.ascii if isinstance(self.domain, Domain) else self.domain)

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the localpart goes beyond ASCII (RFC 6531); a domain never needs it."""
        return not self.localpart.isascii()

    @property
    def address(self) -> Address | None:
        """The same as an Address; None when there is no domain name."""
        return Address(self.localpart, self.domain) if isinstance(self.domain, Domain) else None

    def _spell(self, domain: str | IPLiteral | None) -> str:
        if self.is_null:
            return ""
        localpart = spell_localpart(self.localpart)
        return localpart if domain is None else f"{localpart}@{domain}"


NULL_PATH: Final = Path("", None)


def spell_localpart(localpart: str) -> str:
    """The localpart as written before an `@`: quoted when it is no dot-atom."""
    if _DOT_ATOM.fullmatch(localpart):
        return localpart
    return '"' + _TO_QUOTE.sub(r"\\\1", localpart) + '"'


def normalise_localpart(localpart: str) -> str:
    """NFC, so that an accented letter and a letter with an accent are one."""
    return nfc(localpart)


def canonical_localpart(localpart: str, *, case_sensitive: bool, separators: Sequence[str]) -> str:
    """What a localpart is looked up as: lower-case unless the domain minds case, cut at catch-all separators.

    A separator at the very start cuts nothing, as nothing would be left.
    """
    canonical = normalise_localpart(localpart)
    if not case_sensitive:
        lower = canonical.lower()
        canonical = lower if lower.isascii() else normalise_localpart(lower)
    for separator in separators:
        cut = canonical.find(separator)
        if separator and cut > 0:
            canonical = canonical[:cut]
    return canonical


def parse_address(text: str) -> Address:
    """An address as people write it into configuration, commands and logins, without brackets or name.

    Raises AddressError.
    """
    if len(text) > MAX_PATH_OCTETS:
        raise AddressError("address is too long")
    written, at, domain = text.rpartition("@")
    if not at:
        raise AddressError("address has no @")
    localpart = _parse_localpart(written, strict=False)
    try:
        return Address(localpart, parse_domain(domain))
    except DomainError as error:
        raise AddressError(str(error)) from error


def split_path(argument: bytes) -> tuple[bytes, bytes]:
    """A MAIL or RCPT argument as (path with its brackets, the rest).

    A `>` within a quoted localpart does not end the path. Raises AddressError when there is no path.
    """
    if not (match := _PATH.match(argument)):
        raise AddressError("a path stands in angle brackets")
    return argument[: match.end()], argument[match.end() :]


def parse_path(octets: bytes, *, smtputf8: bool, strict: bool = False) -> Path:
    """An SMTP path with its angle brackets; a source route is dropped (RFC 5321 §4.1.1.3 and appendix C).

    `strict` keeps the localpart to 64 octets and dots between atoms, and the domain free of underscores.
    Raises AddressError, with `lacks_smtputf8` when the fault is UTF-8 that was not announced.
    """
    if len(octets) > MAX_PATH_OCTETS:
        raise AddressError("path is too long")
    if not (octets.startswith(b"<") and octets.endswith(b">")):
        raise AddressError("a path stands in angle brackets")
    try:
        text = octets[1:-1].decode("utf-8")
    except UnicodeDecodeError as error:
        raise AddressError("path is not UTF-8") from error
    if not text:
        return NULL_PATH
    if route := _ROUTE.match(text):
        text = text[route.end() :]
    if text.isascii() and text.lower() == "postmaster":
        return Path(text, None)  # RFC 5321 §4.5.1
    written, at, domain = text.rpartition("@")
    if not at:
        raise AddressError("path has no domain")
    localpart = _parse_localpart(written, strict=strict)
    try:
        path = Path(localpart, parse_host(domain, lax=not strict))
    except DomainError as error:
        raise AddressError(str(error)) from error
    if not smtputf8 and not text.isascii():
        raise AddressError("address needs the SMTPUTF8 extension", lacks_smtputf8=True)
    return path


def _parse_localpart(written: str, *, strict: bool) -> str:
    """Unquoted and in NFC; empty for an empty quoted string (RFC 5321 §4.1.2). Raises AddressError."""
    if (_DOT_ATOM if strict else _DOTTED).fullmatch(written):
        localpart = written
    elif quoted := _QUOTED.fullmatch(written):
        localpart = re.sub(r"\\(.)", r"\1", quoted[1])
    else:
        raise AddressError("malformed localpart")
    localpart = normalise_localpart(localpart)
    if len(localpart.encode()) > (STRICT_LOCALPART_OCTETS if strict else MAX_LOCALPART_OCTETS):
        raise AddressError("localpart is too long")
    return localpart


# Lists in header fields.


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressLimits:
    """How much of an address list is read; what lies beyond is ignored."""

    #: Mailboxes and groups together.
    addresses: int
    #: Octets of the field's value.
    octets: int


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address of a list, as far as it could be made out."""

    #: For people: encoded words decoded; from a comment when there is no display name; may be empty.
    name: str
    #: Unquoted, in NFC, never empty.
    localpart: str
    #: As written without white space and comments; a literal with its brackets; empty for `<root>`.
    domain: str
    #: The name unquoted and unfolded but not decoded, as IMAP sends it (RFC 9051 §7.5.2).
    raw_name: bytes

    @property
    def addr_spec(self) -> str:
        """`localpart@domain`, quoted if need be."""
        localpart = spell_localpart(self.localpart)
        return f"{localpart}@{self.domain}" if self.domain else localpart


@dataclass(frozen=True, slots=True)
class Group:
    """A named group of a list, often without members (RFC 5322 §3.4)."""

    name: str
    raw_name: bytes
    members: tuple[Mailbox, ...]


# Quoted strings and literals only where they end; an unclosed one is an "other" octet.
_LIST_TOKEN = re.compile(
    rb"(?P<space>[ \t\r\n]++)"
    rb"|(?P<word>[^\x00-\x20()<>\[\]:;@\\,.\x22\x7f]++)"
    rb"|(?P<quoted>\x22(?:[^\x22\\]++|\\.)*+\x22)"
    rb"|(?P<literal>\[[^\[\]\\]*+\])"
    rb"|(?P<special>[<>:;@,.])"
    rb"|(?P<comment>\()"
    rb"|(?P<other>.)",
    re.DOTALL,
)
_UNQUOTED_TOKEN = re.compile(_LIST_TOKEN.pattern.replace(rb"(?P<quoted>", rb"(?P<quoted>(?!)"), re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


class _Token(NamedTuple):
    kind: str
    octets: bytes
    #: Whether white space or a comment stands before it.
    is_apart: bool

    def is_special(self, octets: bytes) -> bool:
        return self.kind == "special" and self.octets == octets


def parse_list(value: bytes, limits: AddressLimits) -> tuple[Mailbox | Group, ...]:
    """The addresses of a From, To, Cc … value, folded or not.

    Takes obsolete syntax and common mistakes (RFC 5322 §4.4); leaves out what has no address. Never raises.
    """
    return _usual_list(value, limits) or _read_list(value, limits)[0]


def is_sound_list(value: bytes, limits: AddressLimits) -> bool:
    """Whether `parse_list` leaves out nothing of a value, and guesses at nothing."""
    if _usual_list(value, limits) is not None:
        return True
    entries = _split_entries(_list_tokens(value[: limits.octets]))
    has_addresses = all(delimiter == b":" or not tokens or any(_read_entry(tokens)) for tokens, delimiter in entries)
    return has_addresses and _read_list(value, limits)[1]


def _usual_list(value: bytes, limits: AddressLimits) -> tuple[Mailbox, ...] | None:
    """The same of a list on one line of nothing but usual addresses, without the grammar; None for any other."""
    if len(value) > min(_USUAL_OCTETS, limits.octets) or b"=?" in value or not _ONE_LINE.fullmatch(value):
        return None
    found: list[Mailbox] = []
    for one in value.split(b","):
        match = USUAL.fullmatch(one)
        if match is None or len(found) == limits.addresses:
            return None
        quoted, plain, localpart, domain, bare, bare_domain = match.groups()
        name = quoted.strip() if quoted is not None else b" ".join(plain.split()) if plain else b""
        found.append(Mailbox(name.decode(), (bare or localpart).decode(), (bare_domain or domain).decode(), name))
    return tuple(found)


def mailboxes(entries: Iterable[Mailbox | Group]) -> Iterator[Mailbox]:
    """The mailboxes of a parsed list, in their order, those within groups included."""
    for entry in entries:
        if isinstance(entry, Group):
            yield from entry.members
        else:
            yield entry


# What most programs write.
_SPACE = rb"[ \t\r\n]*+"
_DOT_STRING = rb"[A-Za-z0-9_+=-]++(?:\.[A-Za-z0-9_+=-]++)*+"
_HOST = rb"[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)*+"
_ADDRESS = rb"(%s)@(%s)" % (_DOT_STRING, _HOST)
#: An address as most programs write it: a plain or quoted name without escapes, and a plain address. Groups: quoted
#: name, plain name, localpart and domain within brackets; localpart and domain of one without.
USUAL: Final = re.compile(
    rb"""%s(?:(?:"([^"\\(),@<>\x80-\xff]*+)"|([A-Za-z0-9_ '?=-]*+))%s<%s>|%s)%s"""
    % (_SPACE, _SPACE, _ADDRESS, _ADDRESS, _SPACE)
)


def sole_from(values: Sequence[bytes]) -> Address:
    """The one address of the one From field of a message, given the values of all its From fields.

    Raises AddressError: none or several fields or addresses, no domain name, or a value that other readers
    may understand otherwise.
    """
    if len(values) != 1:
        raise AddressError(f"message has {len(values)} From fields instead of one")
    if (usual := USUAL.fullmatch(values[0])) is not None:  # As below, without the grammar.
        _, _, localpart, domain, bare, bare_domain = usual.groups()
        return _sole((bare or localpart).decode(), (bare_domain or domain).decode())
    limits = AddressLimits(addresses=4, octets=len(values[0]))
    entries, is_sound = _read_list(values[0], limits)
    found = list(mailboxes(entries))
    if len(found) != 1:
        raise AddressError("From field does not have exactly one address")
    if not is_sound:
        raise AddressError("From field is malformed")
    return _sole(found[0].localpart, found[0].domain)


def _sole(localpart: str, domain: str) -> Address:
    if len(localpart.encode()) > MAX_LOCALPART_OCTETS or "\ufffd" in localpart:
        raise AddressError("From address has a malformed localpart")
    try:
        return Address(localpart, parse_domain(domain, lax=True))
    except DomainError as error:
        raise AddressError(str(error)) from error


def _read_list(value: bytes, limits: AddressLimits) -> tuple[tuple[Mailbox | Group, ...], bool]:
    """The entries, and whether the value was sound: nothing unclosed, no address left out or guessed."""
    is_sound = len(value) <= limits.octets
    entries: list[Mailbox | Group] = []
    group: tuple[bytes, list[Mailbox]] | None = None
    room = limits.addresses
    for tokens, delimiter in _split_entries(_list_tokens(value[: limits.octets])):
        is_sound = is_sound and all(token.kind != "other" for token in tokens)
        if delimiter == b":":
            if group is None:
                group = (_phrase(tokens), [])
            else:
                is_sound = False
        else:
            target = entries if group is None else group[1]
            for mailbox in _read_entry(tokens):
                if mailbox is None:
                    is_sound = False
                elif room > 0:
                    target.append(mailbox)
                    room -= 1
        if group and delimiter in {b";", b""}:
            entries.append(Group(words.decode(group[0]), group[0], tuple(group[1])))
            group = None
            room -= 1
        if room <= 0 and delimiter:
            is_sound = False
            if group:
                entries.append(Group(words.decode(group[0]), group[0], tuple(group[1])))
            break
    return tuple(entries), is_sound


def _list_tokens(value: bytes) -> Iterator[_Token]:
    """Tokens without white space. What is never closed is looked for once, so the whole is linear."""
    pattern, may_close = _LIST_TOKEN, True
    position, is_apart = 0, True
    while match := pattern.match(value, position):
        kind, position = str(match.lastgroup), match.end()
        octets = match[0]
        if kind == "space":
            is_apart = True
            continue
        if kind == "comment":
            closed = comment.end(value, match.start()) if may_close else None
            if closed is None:
                kind, may_close = "other", False
            else:
                octets, position = value[position : closed - 1], closed
        elif kind == "other" and octets == b'"':
            pattern = _UNQUOTED_TOKEN
        yield _Token(kind, octets, is_apart)
        is_apart = kind == "comment"


def _split_entries(tokens: Iterable[_Token]) -> Iterator[tuple[list[_Token], bytes]]:
    """Entries with the delimiter behind them: comma, semicolon, a group's colon, nothing at the end."""
    entry: list[_Token] = []
    angle: int | None = None
    for token in tokens:
        if token.kind == "special" and token.octets in b"<>,;:":
            # A source route has a colon and perhaps commas of its own (RFC 5322 §4.4).
            in_route = angle is not None and len(entry) > angle and entry[angle].is_special(b"@")
            if token.octets == b"<":
                angle = len(entry) + 1
            elif token.octets == b">":
                angle = None
            elif not in_route:
                yield entry, token.octets
                entry, angle = [], None
                continue
        entry.append(token)
    yield entry, b""


def _read_entry(tokens: list[_Token]) -> Iterator[Mailbox | None]:
    """The mailbox of an entry, or several where commas are missing; None for each fault."""
    remark = next((_unquoted(token) for token in reversed(tokens) if token.kind == "comment"), b"")
    tokens = [token for token in tokens if token.kind not in {"comment", "other"}]
    outside: list[_Token] = []
    within: list[_Token] | None = None
    has_brackets = False
    for token in tokens:
        if token.is_special(b"<"):
            has_brackets = True
            if within is not None:
                yield None  # the one before is not closed
                if within:
                    yield _angle_address(outside, within, remark)
                    outside = []
            within = []
        elif token.is_special(b">"):
            if within is None:
                yield None
            elif within:
                yield _angle_address(outside, within, remark)
            outside, within = [], None
        elif within is not None:
            within.append(token)
        else:
            outside.append(token)
    if within:
        yield None
        yield _angle_address(outside, within, remark)
    elif _has_at(outside):
        if has_brackets:
            yield None
        else:
            yield from _bare_address(outside, remark)


def _angle_address(phrase: list[_Token], within: list[_Token], remark: bytes) -> Mailbox | None:
    if within[0].is_special(b"@"):
        # A route says nothing any more (RFC 5322 §4.4).
        colon = next((i for i, token in enumerate(within) if token.is_special(b":")), 0)
        within = within[colon + 1 :]
    localpart, domain, rest = _addr_spec(within)
    if rest or not localpart:
        return None
    return _mailbox(_phrase(phrase) or remark, localpart, domain)


def _bare_address(tokens: list[_Token], remark: bytes) -> Iterator[Mailbox | None]:
    localpart, domain, rest = _addr_spec(tokens)
    if rest:
        yield None
    # Lenient: a name before an address without brackets.
    if localpart and domain and not _has_at(rest):
        yield _mailbox(_phrase(rest) or remark, localpart, domain)
    else:
        yield None


def _has_at(tokens: Iterable[_Token]) -> bool:
    return any(token.is_special(b"@") for token in tokens)


def _addr_spec(tokens: list[_Token]) -> tuple[str, str, list[_Token]]:
    """Localpart, domain, and the tokens before (or behind) that belong to neither.

    White space around dots and the @ is obsolete and allowed. No localpart when there is no address.
    """
    at = next((i for i in range(len(tokens) - 1, -1, -1) if tokens[i].is_special(b"@")), len(tokens))
    first = at
    while first > 0 and _joins(tokens[first - 1], tokens[first] if first < at else None):
        first -= 1
    last = at + 1
    while last < len(tokens) and _joins(tokens[last], tokens[last - 1] if last > at + 1 else None):
        last += 1
    localpart = b"".join(_unquoted(token) for token in tokens[first:at])
    domain = b"".join(token.octets for token in tokens[at + 1 : last] if token.kind != "quoted")
    rest = tokens[:first] + tokens[last:]
    return normalise_localpart(localpart.decode("utf-8", "replace")), domain.decode("utf-8", "replace"), rest


def _joins(token: _Token, neighbour: _Token | None) -> bool:
    """Whether the token belongs to the same dotted run as its neighbour: words with dots between."""
    if token.is_special(b"."):
        return True
    return token.kind != "special" and (neighbour is None or neighbour.is_special(b"."))


def _unquoted(token: _Token) -> bytes:
    """A quoted string or comment as it was meant (RFC 5322 §3.2.4)."""
    if token.kind not in {"quoted", "comment"}:
        return token.octets
    text = token.octets[1:-1] if token.kind == "quoted" else token.octets
    return _QUOTED_PAIR.sub(rb"\1", text.replace(b"\r", b"").replace(b"\n", b""))


def _phrase(tokens: Iterable[_Token]) -> bytes:
    """A display name: words unquoted, with one space where there was any."""
    words = [token for token in tokens if token.kind not in {"comment", "other"}]
    return b"".join((b" " if token.is_apart else b"") + _unquoted(token) for token in words).strip()


def _mailbox(raw_name: bytes, localpart: str, domain: str) -> Mailbox:
    return Mailbox(words.decode(raw_name), localpart, domain, raw_name)

"""SPF records: text in, values out, and back (RFC 7208 §4.5, §4.6, §12)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from appliance.msgauth.results import AuthStatus
from appliance.msgauth.spf import macros
from appliance.msgauth.spf.macros import MacroError, MacroString


class SPFRecordError(ValueError):
    """Begins like an SPF record and is none. The text says why."""


@dataclass(frozen=True, slots=True)
class Directive:
    """A mechanism with the result it gives where it matches."""

    result: AuthStatus
    #: In lower case: all, include, a, mx, ptr, ip4, ip6, exists.
    mechanism: str
    #: The domain named; None means the one whose record this is.
    domain: MacroString | None = None
    #: Of ip4 and ip6.
    network: IPv4Network | IPv6Network | None = None
    #: How many bits must agree, of a and mx.
    prefix4: int = 32
    prefix6: int = 128
    #: As written.
    text: str = ""

    def __str__(self) -> str:
        qualifier = "" if self.result is AuthStatus.PASS else _QUALIFIER_OF[self.result]
        text = qualifier + self.mechanism
        if self.network is not None:
            length = "" if self.network.prefixlen == self.network.max_prefixlen else f"/{self.network.prefixlen}"
            return f"{text}:{self.network.network_address}{length}"
        if self.domain is not None:
            text += f":{self.domain}"
        if self.prefix4 != 32:
            text += f"/{self.prefix4}"
        return text if self.prefix6 == 128 else f"{text}//{self.prefix6}"


@dataclass(frozen=True, slots=True)
class Record:
    """A record. Its text is canonical: no needless words, one space between terms."""

    directives: tuple[Directive, ...]
    #: Whose record counts when nothing here matches; ignored by the RFC where `all` stands, and then None.
    redirect: MacroString | None = None
    #: Where the explanation for a fail is.
    explanation: MacroString | None = None

    def __str__(self) -> str:
        terms = ["v=spf1", *map(str, self.directives)]
        if self.redirect is not None:
            terms.append(f"redirect={self.redirect}")
        if self.explanation is not None:
            terms.append(f"exp={self.explanation}")
        return " ".join(terms)


#: Longer ones are refused unread: RFC 7208 §3.4 thinks of some 450 octets, real ones reach four thousand.
RECORD_CHARACTERS: Final = 8192
TERMS: Final = 300
#: Records up to that length are kept parsed: those of the large providers come again with every other message.
_KEPT_CHARACTERS: Final = 1024

_VERSION: Final = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_MODIFIER: Final = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_DIRECTIVE: Final = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)(?:([:/])(.*))?", re.DOTALL)
_LENGTHS: Final = re.compile(r"(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?\Z")
_QUALIFIERS: Final = {
    "": AuthStatus.PASS,
    "+": AuthStatus.PASS,
    "-": AuthStatus.FAIL,
    "~": AuthStatus.SOFTFAIL,
    "?": AuthStatus.NEUTRAL,
}
_QUALIFIER_OF: Final = {result: sign for sign, result in _QUALIFIERS.items()}


def is_record(text: str) -> bool:
    """Whether a TXT record is meant for SPF; others are left out (RFC 7208 §4.5)."""
    return _VERSION.match(text) is not None


def parse(text: str) -> Record:
    """The record. Raises SPFRecordError wherever it has an error: then none of it counts (RFC 7208 §4.6)."""
    record = _kept(text) if len(text) <= _KEPT_CHARACTERS else _parse(text)
    if isinstance(record, str):
        raise SPFRecordError(record)
    return record


def _parse(text: str) -> Record | str:
    """The record, or what is wrong with it."""
    if not is_record(text):
        return "does not begin with v=spf1"
    if not text.isascii():
        return "has characters beyond ASCII"
    terms = [term for term in text.split(" ")[1:] if term]
    if len(text) > RECORD_CHARACTERS or len(terms) > TERMS:
        return "is too long"
    directives: list[Directive] = []
    modifiers: dict[str, MacroString] = {}
    for term in terms:
        try:
            if (modifier := _MODIFIER.fullmatch(term)) is not None:
                _modifier(modifiers, modifier[1].lower(), modifier[2])
            else:
                directives.append(_directive(term))
        except ValueError as error:
            return f"{term[:100]}: {error}"
    # RFC 7208 §6.1.
    has_all = any(directive.mechanism == "all" for directive in directives)
    redirect = None if has_all else modifiers.get("redirect")
    return Record(tuple(directives), redirect, modifiers.get("exp"))


_kept = lru_cache(maxsize=512)(_parse)


def _modifier(found: dict[str, MacroString], name: str, value: str) -> None:
    """Unknown ones are ignored, however often they stand there, if they are well-formed (RFC 7208 §6)."""
    if name not in {"redirect", "exp"}:
        macros.parse(value)
        return
    if name in found:
        raise SPFRecordError("stands there twice")
    found[name] = macros.parse_domain(value)


def _directive(term: str) -> Directive:
    match = _DIRECTIVE.fullmatch(term)
    if match is None:
        raise SPFRecordError("neither a mechanism nor a modifier")
    qualifier, name, sign, rest = match.groups()
    result, name = _QUALIFIERS[qualifier], name.lower()
    argument = "" if sign is None else sign + rest
    match name:
        case "all":
            if argument:
                raise SPFRecordError("all takes no argument")
            return Directive(result, name, text=term)
        case "include" | "exists":
            return Directive(result, name, _domain(argument), text=term)
        case "ptr":
            return Directive(result, name, _domain(argument) if argument else None, text=term)
        case "a" | "mx":
            lengths = _LENGTHS.search(argument)
            assert lengths is not None
            prefix4, prefix6 = int(lengths[1] or 32), int(lengths[2] or 128)
            if prefix4 > 32 or prefix6 > 128:
                raise SPFRecordError("a prefix longer than an address")
            domain = argument[: lengths.start()]
            return Directive(
                result, name, _domain(domain) if domain else None, prefix4=prefix4, prefix6=prefix6, text=term
            )
        case "ip4" | "ip6":
            return Directive(result, name, network=_network(name, argument), text=term)
        case _:
            raise SPFRecordError("an unknown mechanism")


def _domain(argument: str) -> MacroString:
    if not argument.startswith(":") or len(argument) == 1:
        raise SPFRecordError("a domain is missing")
    try:
        return macros.parse_domain(argument[1:])
    except MacroError as error:
        raise SPFRecordError(str(error)) from error


_PREFIX4: Final = re.compile(r"0|[1-9][0-9]?")
_PREFIX6: Final = re.compile(r"0|[1-9][0-9]{0,2}")


def _network(name: str, argument: str) -> IPv4Network | IPv6Network:
    address, slash, length = argument[1:].partition("/")
    if not argument.startswith(":") or "%" in address:
        raise SPFRecordError("an address is missing")
    if slash and not (_PREFIX4 if name == "ip4" else _PREFIX6).fullmatch(length):
        raise SPFRecordError("a malformed prefix length")
    try:
        text = f"{address}/{length}" if slash else address
        return IPv4Network(text, strict=False) if name == "ip4" else IPv6Network(text, strict=False)
    except ValueError as error:
        raise SPFRecordError("not an address of its kind") from error

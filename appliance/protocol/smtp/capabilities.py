"""What a server says in EHLO that it can do, as its client understands it.

RFC 5321 §4.1.1.1, and the RFC named at each keyword.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_KEYWORD: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]*", re.ASCII)
#: RFC 4422 §3.1
_MECHANISM: Final = re.compile(r"[0-9A-Z_-]{1,20}", re.ASCII)
#: RFC 9422: a number above zero, of six digits at most.
_LIMIT: Final = re.compile(r"([0-9A-Za-z][0-9A-Za-z_-]*)=(0*[1-9][0-9]{0,5})", re.ASCII)
#: RFC 1870 §4: up to twenty digits.
_SIZE: Final = re.compile(r"[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How much a server wants of us (RFC 9422); None: it did not say."""

    #: Transactions of one connection.
    mailmax: int | None = None
    #: Recipients of one transaction.
    rcptmax: int | None = None
    #: Domains of the recipients of one transaction.
    rcptdomainmax: int | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The extensions that were offered; none after HELO."""

    #: What the server calls itself.
    hostname: str = ""
    #: In upper case.
    keywords: frozenset[str] = frozenset()
    #: The largest message that is taken; None: not said, or no fixed limit (RFC 1870 §4).
    max_message_octets: int | None = None
    #: SASL mechanisms, in the order they came (RFC 4954 §3).
    mechanisms: tuple[str, ...] = ()
    limits: ServerLimits = ServerLimits()

    def offers(self, keyword: str) -> bool:
        """Whether an extension was offered."""
        return keyword in self.keywords


def parse_capabilities(lines: Sequence[str]) -> Capabilities:
    """The texts of a reply to EHLO, the server's name and greeting first. What makes no sense is passed over."""
    hostname = lines[0].split(maxsplit=1)[0] if lines and lines[0] else ""
    offered: dict[str, str] = {}
    for line in lines[1:]:
        keyword, _, argument = line.partition(" ")
        if "=" in keyword:  # Lenient: `AUTH=LOGIN`, which old clients of Microsoft's wanted to see.
            keyword, _, first = keyword.partition("=")
            argument = f"{first} {argument}"
        if _KEYWORD.fullmatch(keyword):
            known = offered.get(keyword.upper())
            offered[keyword.upper()] = argument if known is None else f"{known} {argument}"
    size = offered.get("SIZE", "").strip()
    return Capabilities(
        hostname=hostname,
        keywords=frozenset(offered),
        max_message_octets=(int(size) or None) if _SIZE.fullmatch(size) else None,
        mechanisms=_mechanisms(offered.get("AUTH", "")),
        limits=_limits(offered.get("LIMITS", "")),
    )


def _mechanisms(argument: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in argument.upper().split() if _MECHANISM.fullmatch(name)))


def _limits(argument: str) -> ServerLimits:
    """The limits we know. Where one is malformed or told twice, none counts: who knows what was meant."""
    found: dict[str, int] = {}
    for written in argument.split():
        match = _LIMIT.fullmatch(written)
        name = match[1].upper() if match else ""
        if match is None or name in found:
            return ServerLimits()
        found[name] = int(match[2])
    return ServerLimits(found.get("MAILMAX"), found.get("RCPTMAX"), found.get("RCPTDOMAINMAX"))

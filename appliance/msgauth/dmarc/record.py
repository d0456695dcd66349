"""DMARC policy records: text in, values out (RFC 7489 §6.3, §6.4)."""

import enum
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import unquote


class DMARCRecordError(ValueError):
    """Begins like a DMARC record and is none. The text says why."""


class Policy(enum.StrEnum):
    """What shall become of a message that fails."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class Alignment(enum.StrEnum):
    """How alike two domains must be (RFC 7489 §3.1)."""

    #: The same organization is enough.
    RELAXED = "r"
    #: The same domain.
    STRICT = "s"


@dataclass(frozen=True, slots=True)
class ReportAddress:
    """Where reports go (RFC 7489 §6.2)."""

    #: The URI, `!` and `,` in it written as escapes.
    uri: str
    #: No larger report, please; None for any size.
    most_octets: int | None = None

    @property
    def mail(self) -> str | None:
        """The address of a mailto URI; None for any other."""
        scheme, _, rest = self.uri.partition(":")
        return unquote(rest.partition("?")[0]) if scheme.lower() == "mailto" else None


@dataclass(frozen=True, slots=True)
class Record:
    """A record; fields are the tags of the same meaning, with their defaults."""

    policy: Policy
    #: sp=; None when absent, and then `policy` counts.
    subdomain_policy: Policy | None = None
    #: np=, for names that do not exist (RFC 9091 §3.2); kept, not acted on.
    nonexistent_policy: Policy | None = None
    aggregate: tuple[ReportAddress, ...] = ()
    failure: tuple[ReportAddress, ...] = ()
    dkim_alignment: Alignment = Alignment.RELAXED
    spf_alignment: Alignment = Alignment.RELAXED
    interval_seconds: int = 86400
    failure_options: tuple[str, ...] = ("0",)
    report_formats: tuple[str, ...] = ("afrf",)
    percentage: int = 100
    #: As published.
    text: str = field(default="", compare=False)

    def policy_for(self, *, subdomain: bool) -> Policy:
        """What counts for the domain of the record, or for one below it that has none of its own."""
        return self.subdomain_policy if subdomain and self.subdomain_policy is not None else self.policy


#: Octets of a record, and addresses in each of its lists: nobody needs more.
RECORD_CHARACTERS: Final = 8192
#: Records up to that length are kept parsed.
_KEPT_CHARACTERS: Final = 1024
ADDRESSES: Final = 20

_VERSION: Final = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_TAG: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_URI: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:[\x22-+\--~]+)(?:!([0-9]{1,18})([kmgtKMGT]?))?")
_OPTION: Final = re.compile(r"[01ds]")
_WORD: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def is_record(text: str) -> bool:
    """Whether a TXT record is meant for DMARC; others are left out (RFC 7489 §6.6.3)."""
    return _VERSION.match(text) is not None


def parse(text: str) -> Record:
    """As `_parse`; records of usual length are kept parsed."""
    record = _kept(text) if len(text) <= _KEPT_CHARACTERS else _parse(text)
    if isinstance(record, str):
        raise DMARCRecordError(record)
    return record


@lru_cache(maxsize=512)
def _kept(text: str) -> "Record | str":
    """The record, or what is wrong with it."""
    try:
        return _parse(text)
    except DMARCRecordError as error:
        return str(error)


def _parse(text: str) -> Record:
    """The record. Tags that are not known are ignored, wherever p= stands (receivers at large are as lenient).

    A record whose policy makes no sense, but which asks for reports, is p=none (RFC 7489 §6.6.3). Raises
    DMARCRecordError.
    """
    if not is_record(text):
        raise DMARCRecordError("does not begin with v=DMARC1")
    if len(text) > RECORD_CHARACTERS:
        raise DMARCRecordError("is too long")
    tags = _tags(text)
    aggregate = _addresses("rua", tags.get("rua"))
    policy, subdomain = _policy(tags.get("p")), _policy(tags.get("sp"))
    if policy is None or (subdomain is None and "sp" in tags):
        if not aggregate:
            raise DMARCRecordError("p= is missing, or a policy is none of none, quarantine, reject")
        policy, subdomain = Policy.NONE, None
    return Record(
        policy=policy,
        subdomain_policy=subdomain,
        nonexistent_policy=_policy(tags.get("np")),
        aggregate=aggregate,
        failure=_addresses("ruf", tags.get("ruf")),
        dkim_alignment=_alignment("adkim", tags.get("adkim", "r")),
        spf_alignment=_alignment("aspf", tags.get("aspf", "r")),
        interval_seconds=_number("ri", tags.get("ri", "86400"), 0xFFFFFFFF),
        failure_options=_list("fo", tags.get("fo", "0"), _OPTION),
        report_formats=_list("rf", tags.get("rf", "afrf"), _WORD),
        percentage=_number("pct", tags.get("pct", "100"), 100),
        text=text,
    )


def parse_permission(text: str) -> tuple[ReportAddress, ...]:
    """The addresses that a record allowing reports asks for instead (RFC 7489 §7.1); mostly none. Never raises."""
    try:
        return _addresses("rua", _tags(text[:RECORD_CHARACTERS]).get("rua"))
    except DMARCRecordError:
        return ()


def _tags(text: str) -> dict[str, str]:
    """Tags by their names in lower case; the last semicolon may be missing."""
    found: dict[str, str] = {}
    for number, part in enumerate(text.split(";")):
        if not part.strip(" \t"):
            continue
        name, equals, value = part.partition("=")
        name = name.strip(" \t").lower()
        if not equals or not _TAG.fullmatch(name):
            raise DMARCRecordError(f"tag {number + 1} is not name=value")
        if name in found:
            raise DMARCRecordError(f"{name}= stands there twice")
        found[name] = value.strip(" \t")
    return found


def _policy(value: str | None) -> Policy | None:
    return Policy(value.lower()) if value is not None and value.lower() in set(Policy) else None


def _alignment(name: str, value: str) -> Alignment:
    if value.lower() not in set(Alignment):
        raise DMARCRecordError(f"{name}= is neither r nor s")
    return Alignment(value.lower())


def _number(name: str, value: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) > most:
        raise DMARCRecordError(f"{name}= is not a number up to {most}")
    return int(value)


def _list(name: str, value: str, word: re.Pattern[str]) -> tuple[str, ...]:
    words = tuple(one.strip(" \t") for one in value.split(":"))
    if not all(word.fullmatch(one) for one in words):
        raise DMARCRecordError(f"{name}= has an option that does not exist")
    return words


def _addresses(name: str, value: str | None) -> tuple[ReportAddress, ...]:
    if value is None:
        return ()
    found = []
    for one in value.split(","):
        match = _URI.fullmatch(one.strip(" \t"))
        if match is None:
            raise DMARCRecordError(f"{name}= has something that is no URI")
        most = None if match[2] is None else int(match[2]) * _UNITS[match[3].lower()]
        found.append(ReportAddress(match[1], most))
    return tuple(found[:ADDRESSES])

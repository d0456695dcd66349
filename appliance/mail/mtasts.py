"""MTA-STS as text: the DNS record that says there is a policy, and the policy (RFC 8461 §3.1, §3.2, §4.1).

Both are read strictly: who cannot write them has no policy. Finding, keeping and obeying them is for the room tls.
"""

import enum
import re
from typing import Final

import msgspec

#: RFC 8461 §3.2. Lenient: a longer life is cut to this, instead of making the policy invalid.
MAX_AGE_SECONDS: Final = 31_557_600

_VERSION: Final = re.compile(r"v=STSv1[ \t]*;")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}")
_RECORD_VALUE: Final = re.compile(r"[\x21-\x3a\x3c\x3e-\x7e]+")
_MAX_AGE: Final = re.compile(r"[0-9]{1,10}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
#: Lenient: with underscores, as hosts of mail may have them.
_PATTERN: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_PATTERN_OCTETS: Final = 255


class MTASTSError(ValueError):
    """Not a record, or not a policy. The text says why."""


class Mode(enum.StrEnum):
    """What senders do when a host does not satisfy the policy (RFC 8461 §5)."""

    #: Do not deliver to it.
    ENFORCE = "enforce"
    #: Deliver, and tell it in reports.
    TESTING = "testing"
    #: There is no policy any more.
    NONE = "none"


class Policy(msgspec.Struct, frozen=True, array_like=True):
    """A policy. Stored as msgpack for ever: new fields only at the end, with defaults."""

    mode: Mode
    #: From when it was fetched.
    max_age_seconds: int
    #: Hosts in A-labels, lower-case; `*.` in front stands for one label.
    patterns: tuple[str, ...] = ()
    #: As it was published, for reports (RFC 8460 §4.4).
    lines: tuple[str, ...] = ()

    def allows(self, host: str) -> bool:
        """Whether a host, in A-labels, is one of the policy's (RFC 8461 §4.1)."""
        name = host.lower().removesuffix(".")
        _, dot, parent = name.partition(".")
        return name in self.patterns or bool(dot and f"*.{parent}" in self.patterns)


def is_record(text: str) -> bool:
    """Whether a TXT record of `_mta-sts.<domain>` is one of MTA-STS; others are nobody's concern."""
    return _VERSION.match(text) is not None


def parse_record(text: str) -> str:
    """The id of the policy, which changes whenever the policy does. Raises MTASTSError."""
    if not is_record(text):
        raise MTASTSError("does not begin with v=STSv1;")
    fields = text.split(";")[1:]
    if not fields[-1].strip(" \t"):
        fields.pop()
    found: dict[str, str] = {}
    for field in fields:
        name, equals, value = field.strip(" \t").partition("=")
        if not equals or not _NAME.fullmatch(name) or not _RECORD_VALUE.fullmatch(value):
            raise MTASTSError("has a field that is not name=value")
        found.setdefault(name, value)  # RFC 8461 §3.2: all but the first are ignored.
    if "id" not in found:
        raise MTASTSError("lacks id=")
    if not _ID.fullmatch(found["id"]):
        raise MTASTSError("has an id that is not 1 to 32 letters and digits")
    return found["id"]


def parse_policy(octets: bytes, most_patterns: int) -> Policy:
    """The policy in a file. Fields that are not known are ignored. Raises MTASTSError."""
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        raise MTASTSError("is not UTF-8") from error
    lines = [line.removesuffix("\r").rstrip(" \t") for line in text.split("\n")]
    found: dict[str, str] = {}
    patterns: list[str] = []
    for line in filter(None, lines):
        name, colon, value = line.partition(":")
        value = value.lstrip(" \t")
        if not colon or not value or not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise MTASTSError("has a line that is not name: value")
        if name == "mx":
            patterns.append(_pattern(value))
        found.setdefault(name, value)
    if len(patterns) > most_patterns:
        raise MTASTSError(f"has more than {most_patterns} mx")
    for name in ("version", "mode", "max_age"):
        if name not in found:
            raise MTASTSError(f"lacks {name}")
    if found["version"] != "STSv1":
        raise MTASTSError("has a version that is not STSv1")
    try:
        mode = Mode(found["mode"])
    except ValueError as error:
        raise MTASTSError("has a mode that is not enforce, testing or none") from error
    if not _MAX_AGE.fullmatch(found["max_age"]):
        raise MTASTSError("has a max_age that is not 1 to 10 digits")
    if not patterns and mode is not Mode.NONE:
        raise MTASTSError("lacks mx")
    max_age = min(int(found["max_age"]), MAX_AGE_SECONDS)
    return Policy(mode, max_age, tuple(dict.fromkeys(patterns)), tuple(filter(None, lines)))


def _pattern(value: str) -> str:
    if len(value) > _PATTERN_OCTETS or not _PATTERN.fullmatch(value):
        raise MTASTSError("has an mx that is not the name of a host in A-labels")
    return value.lower()

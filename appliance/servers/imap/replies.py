"""What outcomes of our work are called in IMAP (RFC 5530), and flags as octets."""

from functools import lru_cache
from typing import Final

from appliance.base.problem import Kind, Problem
from appliance.operations.annotations import NoPrivateEntries
from appliance.protocol.imap import flags as names, response
from appliance.store.problems import (
    AnnotationTooLarge,
    MailboxHasChildren,
    NoPermission,
    NotSubscribed,
    TooManyAnnotations,
)
from appliance.store.records import FLAG_NAMES, ROLE_NAMES, Flag

#: Response codes of problems; None where there is no fitting one.
RESPONSE_CODES: Final[dict[Kind, str | None]] = {
    Kind.NOT_FOUND: "NONEXISTENT",
    Kind.EXISTS: "ALREADYEXISTS",
    Kind.INVALID: "CANNOT",
    Kind.FORBIDDEN: "CANNOT",
    Kind.OVER_QUOTA: "OVERQUOTA",
    Kind.LIMIT: "LIMIT",
    Kind.CONFLICT: "INUSE",
    Kind.UNAVAILABLE: "UNAVAILABLE",
    Kind.NOT_AUTHENTICATED: "AUTHENTICATIONFAILED",
    Kind.DISABLED: None,
    Kind.TOO_MANY: "UNAVAILABLE",
    Kind.UNSUPPORTED: "CANNOT",
}


def code_of(problem: Problem) -> str | None:
    """The response code of a problem."""
    if isinstance(problem, MailboxHasChildren):
        return "HASCHILDREN"
    if isinstance(problem, NoPermission):
        return "NOPERM"
    if isinstance(problem, NotSubscribed):
        return None
    if isinstance(problem, AnnotationTooLarge):  # RFC 5464 §4.3
        return f"METADATA MAXSIZE {problem.octets}"
    if isinstance(problem, TooManyAnnotations):
        return "METADATA TOOMANY"
    if isinstance(problem, NoPrivateEntries):
        return "METADATA NOPRIVATE"
    return RESPONSE_CODES[problem.kind]


def of_problem(tag: str, problem: Problem, *, code: str | None = None) -> bytes:
    """The tagged NO that tells of a problem."""
    return response.tagged(tag, "NO", str(problem), code or code_of(problem))


class FlagTexts(dict[int, bytes]):
    """Bits of a row -> the flags as IMAP writes them, made once for each combination."""

    def __missing__(self, bits: int) -> bytes:
        text = " ".join(name for flag, name in FLAG_NAMES.items() if bits & flag).encode()
        self[bits] = text
        return text


#: At most 1024 combinations of ten flags.
FLAG_TEXTS: Final = FlagTexts()
SYSTEM_FLAGS: Final = " ".join(FLAG_NAMES.values())
ALL_FLAGS: Final = int(sum(FLAG_NAMES))
SEEN: Final = int(Flag.SEEN)


def flags(bits: int, keywords: tuple[str, ...]) -> bytes:
    """Flags and keywords without parentheses."""
    text = FLAG_TEXTS[bits]
    if not keywords:
        return text
    words = _keywords(keywords)
    return text + b" " + words if text else words


#: Many messages have the same.
@lru_cache(maxsize=4096)
def _keywords(keywords: tuple[str, ...]) -> bytes:
    return " ".join(map(names.display, keywords)).encode()


def roles(bits: int) -> list[str]:
    """Special uses as attributes."""
    return [name for role, name in ROLE_NAMES.items() if bits & role]


def role_bits(names: tuple[str, ...]) -> int | None:
    """Bits of special uses; None when one is not supported."""
    known = {name.lower(): int(role) for role, name in ROLE_NAMES.items()}
    found = [known.get(name.lower()) for name in names]
    return None if None in found else int(sum({bit for bit in found if bit is not None}))


EXPUNGE_ISSUED: Final = "EXPUNGEISSUED"

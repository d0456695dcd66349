"""Key records: the TXT records below `_domainkey` that hold public keys (RFC 6376 §3.6.1), and how they are found."""

import base64
import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from appliance.dns.problems import InvalidName, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.msgauth.dkim import keys, tags
from appliance.msgauth.dkim.keys import KeyUnusable
from appliance.msgauth.dkim.tags import TagError

if TYPE_CHECKING:
    from appliance.msgauth.dkim.keys import PrivateKey, PublicKey

#: Texts at one name that are looked at.
RECORDS: Final = 10
RECORD_OCTETS: Final = 16 * 1024
#: Records up to that length are kept parsed, with their keys: those of large senders come again and again.
_KEPT_CHARACTERS: Final = 1024

_V_DKIM: Final = re.compile(r"[ \t\r\n]*v[ \t\r\n]*=[ \t\r\n]*DKIM1[ \t\r\n]*(?:;|\Z)")
_V: Final = re.compile(r"(?:\A|;)[ \t\r\n]*v[ \t\r\n]*=")
_P: Final = re.compile(r"(?:\A|;)[ \t\r\n]*p[ \t\r\n]*=")


class RecordError(ValueError):
    """A key record that cannot be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a key record says."""

    #: None: revoked (RFC 6376 §3.6.1, p=).
    key: "PublicKey | None"
    #: `rsa` or `ed25519`.
    key_type: str = "rsa"
    #: What may hash for it, in lower case; None: anything.
    hashes: tuple[str, ...] | None = None
    #: `*`, `email`, `tlsrpt` (RFC 8460 §3).
    services: tuple[str, ...] = ("*",)
    #: `y`: the domain is testing DKIM. `s`: i= is exactly d=.
    flags: tuple[str, ...] = ()
    notes: str = ""
    #: As published.
    text: str = ""

    @property
    def key_bits(self) -> int:
        """Of an RSA key; 0 for others."""
        return 0 if self.key is None or self.key_type != "rsa" else self.key.key_size  # type: ignore[union-attr]

    @property
    def is_testing(self) -> bool:
        """Whether failures shall count as if nothing had been signed."""
        return "y" in self.flags

    def serves(self, service: str) -> bool:
        """Whether the key may be used for a service."""
        return "*" in self.services or service in self.services


def is_record(text: str) -> bool:
    """Whether a text is meant as a key record: by its version, or without one by having a key."""
    if _V_DKIM.match(text):
        return True
    return not _V.search(text) and _P.search(text) is not None


def parse(text: str) -> Record:
    """The record; those of usual length are kept parsed. Raises RecordError."""
    record = _kept(text) if len(text) <= _KEPT_CHARACTERS else _parse(text)
    if isinstance(record, str):
        raise RecordError(record)
    return record


@lru_cache(maxsize=512)
def _kept(text: str) -> "Record | str":
    """The record, or what is wrong with it."""
    try:
        return _parse(text)
    except RecordError as error:
        return str(error)


def _parse(text: str) -> Record:
    if len(text) > RECORD_OCTETS:
        raise RecordError("it is too long")
    try:
        # Octets that are no UTF-8 came in as Latin-1; they can stand in notes alone.
        values = tags.parse(text.encode("utf-8"))
        if "v" in values and (next(iter(values)) != "v" or values["v"] != b"DKIM1"):
            raise RecordError("tag v is not first, or not DKIM1")
        key_type = values.get("k", b"rsa").decode("ascii", "replace").lower()
        octets = tags.decode_base64("p", tags.required(values, "p"))
        key = keys.public_key(key_type, octets) if octets else None
    except (TagError, KeyUnusable) as error:
        raise RecordError(str(error)) from error
    return Record(
        key=key,
        key_type=key_type,
        hashes=_words(values["h"]) if "h" in values else None,
        services=_words(values["s"]) if "s" in values else ("*",),
        flags=_words(values.get("t", b"")),
        notes=values.get("n", b"").decode("utf-8", "replace"),
        text=text,
    )


def compose(key: "PrivateKey") -> str:
    """The record to publish for a key: for SHA-256 alone, and not for addresses of subdomains."""
    kind = "" if keys.key_type(key) == "rsa" else "k=ed25519;"
    return f"v=DKIM1;h=sha256;t=s;{kind}p={base64.b64encode(keys.published(key)).decode()}"


def _words(value: bytes) -> tuple[str, ...]:
    return tuple(word.decode("ascii", "replace").lower() for word in tags.items(value) if word)


class Problem(Enum):
    """Why there is no key record."""

    MISSING = "no key record"
    TEMPORARY = "no answer from the DNS"
    SYNTAX = "malformed key record"
    SEVERAL = "several key records"
    FOREIGN = "the TXT records are no key records"
    NAME = "no name the DNS could have"


#: What somebody is about to change in the DNS may be right the next time.
TEMPORARY: Final = {Problem.TEMPORARY, Problem.SEVERAL, Problem.FOREIGN}


class Found(msgspec.Struct, frozen=True):
    """The outcome of a look-up: a record, or what is wrong."""

    record: Record | None
    problem: Problem | None = None
    #: More about it.
    text: str = ""
    #: Whether DNSSEC vouches for the answer, or for that there is none.
    authentic: bool = False
    #: All texts, as published.
    texts: tuple[str, ...] = ()


async def lookup(resolver: Resolver, selector: str, domain: str, *, dnssec: bool = False) -> Found:
    """The key record of a selector; both in A-labels. Raises nothing."""
    name = f"{selector}._domainkey.{domain}"
    try:
        answer = await resolver.txt(name, dnssec=dnssec)
    except NotFound as problem:
        return Found(None, Problem.MISSING, str(problem), problem.authentic)
    except InvalidName as problem:
        return Found(None, Problem.NAME, str(problem))
    except Temporary as problem:
        return Found(None, Problem.TEMPORARY, str(problem))
    texts = tuple(answer.records)
    chosen = choose(texts)
    return Found(chosen.record, chosen.problem, chosen.text, answer.authentic, texts)


def choose(texts: tuple[str, ...]) -> Found:
    """The one key record among the texts of a name; others may stand beside it."""
    meant = [text for text in texts[:RECORDS] if is_record(text)]
    if not meant:
        return Found(None, Problem.FOREIGN if texts else Problem.MISSING)
    records: list[Record] = []
    wrong = ""
    for text in meant:
        try:
            records.append(parse(text))
        except RecordError as error:
            wrong = wrong or str(error)
    if len(records) > 1:
        return Found(None, Problem.SEVERAL)
    if not records:
        return Found(None, Problem.SYNTAX, wrong)
    return Found(records[0])

"""What a source of an import gives, one after another, and how names of mailboxes and flags become ours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.mail.nfc import nfc
from appliance.protocol.imap import flags as imapflags, mailboxname

#: A larger message is left out, and named.
MESSAGE_OCTETS: Final = 100 * limits.MIB
#: What programs call flags that have another name in IMAP.
_SYNONYMS: Final = {
    **{name: f"${name}" for name in ("forwarded", "junk", "notjunk", "mdnsent", "phishing")},
    "nonjunk": "$notjunk",
    "$nonjunk": "$notjunk",
}


class Unreadable(Problem):
    """The source is not what it was said to be, or cannot be read; the import ends."""

    kind = Kind.INVALID


@dataclass(frozen=True, slots=True)
class Message:
    """A message with its line ends as they were."""

    mailbox: str
    octets: bytes
    #: Names of flags, not yet looked at.
    flags: Sequence[str]
    received: datetime | None
    #: Where it was, for people.
    where: str


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox that there is, perhaps without a message."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that was left out."""

    text: str


Item = Message | Box | Trouble
Source = Iterator[Item]


def mailbox_name(text: str, prefix: str = "") -> str:
    """A name as ours are: NFC, Inbox in its one casing, without the prefix if it has that. Raises BadMailboxName."""
    name = nfc(text)
    prefix = nfc(prefix).strip("/")
    if prefix and (name == prefix or name.startswith(prefix + "/")):
        name = name[len(prefix) + 1 :] or "Inbox"
    return mailboxname.canonical(name, limits.IMAP)


def flag_names(names: Sequence[str]) -> tuple[str, ...]:
    """Flags that messages of ours can have."""
    found: dict[str, None] = {}
    for name in names:
        flag = imapflags.canonical(_SYNONYMS.get(name.lower(), name))
        if flag is not None and len(flag) <= _KEYWORD_CHARACTERS:
            found[flag] = None
    return tuple(found)[: limits.IMAP.flags]


_KEYWORD_CHARACTERS: Final = 200

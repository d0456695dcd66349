"""Flags and keywords of messages (RFC 9051 §2.3.2), attributes of special-use mailboxes (RFC 6154 §2)."""

import re

#: System flags a client may set, by lower case form.
SYSTEM_FLAGS = {flag.lower(): flag for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")}

#: How registered keywords are written to clients; among us keywords are lower case.
DISPLAY = {keyword.lower(): keyword for keyword in ("$Forwarded", "$Junk", "$NotJunk", "$Phishing", "$MDNSent")}

SPECIAL_USES = {
    use.lower(): use
    for use in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash", "\\Important")
}

#: Printable US-ASCII without what an atom may not hold (RFC 9051 §9 `atom`).
_KEYWORD = re.compile(r"[!-~]+")
_SPECIALS = re.compile(r'[(){%*"\\\]]')


def canonical(flag: str) -> str | None:
    """A system flag in the RFC's casing, a keyword in lower case; None for what no message can have."""
    lower = flag.lower()
    if lower.startswith("\\"):
        return SYSTEM_FLAGS.get(lower)
    if _KEYWORD.fullmatch(lower) and not _SPECIALS.search(lower):
        return lower
    return None


def display(flag: str) -> str:
    """A canonical flag as clients are used to see it."""
    return DISPLAY.get(flag, flag)

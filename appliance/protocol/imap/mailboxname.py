"""Names of mailboxes: from the wire to canonical text, and back.

`/` separates levels. Text is NFC; on the wire it is modified UTF-7 (RFC 3501 §5.1.3) or, once the client enabled
IMAP4rev2 or UTF8=ACCEPT, UTF-8 (RFC 9051 §5.1, RFC 6855 §3).
"""

import re
from typing import Literal

from appliance.mail.nfc import nfc
from appliance.protocol.imap import mutf7
from appliance.protocol.imap.limits import ImapLimits

#: Control characters and line and paragraph separators break names in logs, lists and clients.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class BadMailboxName(ValueError):
    """No mailbox can have this name; `code` is the response code to give."""

    def __init__(self, text: str, code: Literal["CANNOT", "LIMIT"] = "CANNOT") -> None:
        super().__init__(text)
        self.code = code


def decode(octets: bytes, *, utf8: bool) -> str:
    """Any text in a mailbox's place, like a LIST pattern, as NFC text. Raises BadMailboxName."""
    text = _text(octets, utf8=utf8)
    return nfc(text)


def supplied(octets: bytes, *, utf8: bool) -> str:
    """The text as it came, where it is not in NFC; otherwise empty (RFC 9051 §6.3.9.7). Raises BadMailboxName."""
    text = _text(octets, utf8=utf8)
    return "" if nfc(text) == text else text


def _text(octets: bytes, *, utf8: bool) -> str:
    try:
        return octets.decode("utf-8") if utf8 else mutf7.decode(octets)
    except ValueError:
        raise BadMailboxName("mailbox name is not " + ("UTF-8" if utf8 else "modified UTF-7")) from None


def encode(name: str, *, utf8: bool) -> bytes:
    """The name's octets, still to be quoted."""
    return name.encode("utf-8") if utf8 else mutf7.encode(name)


def parse(octets: bytes, *, utf8: bool, limits: ImapLimits, creating: bool = False) -> str:
    """A mailbox name from the wire; a last `/` is dropped in CREATE only. Raises BadMailboxName."""
    text = decode(octets, utf8=utf8)
    return canonical(text.removesuffix("/") if creating else text, limits)


def canonical(name: str, limits: ImapLimits) -> str:
    """NFC text as the name of a mailbox, `Inbox` in its one casing. Raises BadMailboxName."""
    if name.upper() == "INBOX":
        return "Inbox"
    if name.startswith("#"):
        raise BadMailboxName("mailbox name starts with #")
    if _FORBIDDEN.search(name):
        raise BadMailboxName("control character in mailbox name")
    elements = name.split("/", limits.mailbox_levels)
    if len(elements) > limits.mailbox_levels:
        raise BadMailboxName("too many levels in mailbox name", "LIMIT")
    for element in elements:
        if element in {"", ".", ".."}:
            raise BadMailboxName("empty element, . or .. in mailbox name")
        if len(element.encode("utf-8", "surrogatepass")) > limits.mailbox_element_octets:
            raise BadMailboxName("element of mailbox name is too long", "LIMIT")
    if elements[0].upper() == "INBOX":
        elements[0] = "Inbox"
        name = "/".join(elements)
    if len(name.encode("utf-8", "surrogatepass")) > limits.mailbox_octets:
        raise BadMailboxName("mailbox name is too long", "LIMIT")
    return name

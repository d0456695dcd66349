"""Modified UTF-7, how IMAP4rev1 writes mailbox names (RFC 3501 §5.1.3, RFC 9051 appendix A.1).

Strict: a name has exactly one form, so two clients never see two mailboxes in one.
"""

import binascii
import re

#: Runs that must be shifted into base64: everything but printable US-ASCII.
_SHIFTED = re.compile("[^ -~]+")
_SHIFT = re.compile(rb"&([A-Za-z0-9+,]*)-")


class BadModifiedUtf7(ValueError):
    """The octets are no modified UTF-7, or not in its one canonical form."""


def encode(text: str) -> bytes:
    """Text, without lone surrogates, as modified UTF-7."""
    return _SHIFTED.sub(lambda run: "&" + _to_base64(run[0]) + "-", text.replace("&", "&-")).encode("ascii")


def decode(octets: bytes) -> str:
    """Raises BadModifiedUtf7."""
    try:
        text = octets.decode("ascii")
        if b"&" in octets:
            pieces: list[str] = []
            position = 0
            for shift in _SHIFT.finditer(octets):
                pieces += (text[position : shift.start()], _from_base64(shift[1]) if shift[1] else "&")
                position = shift.end()
            text = "".join((*pieces, text[position:]))
        canonical = encode(text)
    except ValueError:
        raise BadModifiedUtf7("not modified UTF-7") from None
    # This one comparison refuses stray `&`, printable characters in base64, needless shifts, bits left over.
    if canonical != octets:
        raise BadModifiedUtf7("not canonical modified UTF-7")
    return text


def _to_base64(text: str) -> str:
    encoded = binascii.b2a_base64(text.encode("utf-16-be"), newline=False)
    return encoded.rstrip(b"=").replace(b"/", b",").decode("ascii")


def _from_base64(octets: bytes) -> str:
    padding = b"=" * (-len(octets) % 4)
    return binascii.a2b_base64(octets.replace(b",", b"/") + padding, strict_mode=True).decode("utf-16-be")

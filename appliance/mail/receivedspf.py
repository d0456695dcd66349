"""The Received-SPF field: what SPF said of a message, for whoever reads its header later (RFC 7208 §9.1)."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from appliance.mail import header

FIELD = b"Received-SPF"
#: Characters of a value: what others wrote shall not make a line of the header too long (RFC 5322 §2.1.1).
VALUE_CHARACTERS = 320


@dataclass(frozen=True, slots=True)
class ReceivedSPF:
    """The field, part by part; what is empty is left out."""

    result: str
    comment: str
    client_ip: IPv4Address | IPv6Address
    #: Empty for the null path.
    envelope_from: str
    helo: str
    #: What went wrong.
    problem: str
    #: The term that matched.
    mechanism: str
    #: Our own name.
    receiver: str
    #: mailfrom or helo.
    identity: str


_ATOM = r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]++"
_PLAIN = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+")
_QUOTE = re.compile(r'(["\\])')
_COMMENT_QUOTE = re.compile(r"([()\\])")
_ESCAPED = r"\\\1"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def compose(received: ReceivedSPF, *, utf8: bool = False) -> bytes:
    """The whole field, folded, with its line end. Without `utf8` text beyond ASCII becomes question marks."""
    pairs = (
        ("client-ip", str(received.client_ip)),
        ("envelope-from", received.envelope_from),
        ("helo", received.helo),
        ("problem", received.problem),
        ("mechanism", received.mechanism),
        ("receiver", received.receiver),
        ("identity", received.identity),
    )
    shown = "; ".join(f"{name}={_value(value)}" for name, value in pairs if value)
    # A quote in a comment would look like the beginning of a value where the field is folded.
    comment = _CONTROL.sub(" ", received.comment[:VALUE_CHARACTERS]).replace('"', "'")
    comment = _COMMENT_QUOTE.sub(_ESCAPED, comment)
    text = f"{received.result} ({comment}) {shown}" if comment else f"{received.result} {shown}"
    return header.fold(FIELD, text.encode("utf-8" if utf8 else "ascii", "replace"))


def _value(text: str) -> str:
    """A dot-atom as it is, anything else quoted."""
    text = _CONTROL.sub(" ", text[:VALUE_CHARACTERS])
    return text if _PLAIN.fullmatch(text) else f'"{_QUOTE.sub(_ESCAPED, text)}"'

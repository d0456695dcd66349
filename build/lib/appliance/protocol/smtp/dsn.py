"""The parameters by which a sender asks for notices of its message's fate.

RFC 3461 §4, and RFC 6533 §3 for recipients beyond ASCII. What notices are sent is for the queue.
"""

import re
from typing import Final

from appliance.mail.status import Status
from appliance.protocol.smtp.reply import ProtocolError, Reply

#: RFC 3461 §4.4; the value as it is sent.
MAX_ENVID_OCTETS: Final = 100
#: RFC 3461 §4.2; the whole parameter, keyword and all.
MAX_ORCPT_OCTETS: Final = 500

#: RFC 3461 §4
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_HEXCHAR = re.compile(r"\+([0-9A-F]{2})")
#: An addr-type is an atom (RFC 3461 §4.2, RFC 822 §3.3).
_ADDRESS_TYPE = re.compile(r"[0-9A-Za-z!#$%&'*/?^_`{|}~-]{1,60}")
#: Graphic characters and white space of ASCII: all that a notice has room for (RFC 3461 §4.2, §4.4).
_PRINTABLE = re.compile(r"[\t -~]+")
#: Characters named by their number, and those of UTF-8 (RFC 6533 §3).
_UTF8_ADDRESS = re.compile(r"(?:[!-*,-<>-\[\]-~\u00a0-\U0010ffff]|\\x\{[0-9A-F]{2,6}\})+")
_MOMENTS: Final = frozenset({"DELAY", "FAILURE", "SUCCESS"})


def parse_ret(value: str | None) -> str:
    """`FULL` or `HDRS` (RFC 3461 §4.3). Raises ProtocolError."""
    if value is None or value.upper() not in {"FULL", "HDRS"}:
        raise _invalid("RET is FULL or HDRS")
    return value.upper()


def parse_envid(value: str | None) -> str:
    """The envelope's name, decoded (RFC 3461 §4.4). Raises ProtocolError."""
    if value is None or len(value) > MAX_ENVID_OCTETS or not (envid := _decode(value)):
        raise _invalid(f"ENVID is xtext of printable ASCII, at most {MAX_ENVID_OCTETS} octets")
    return envid


def parse_notify(value: str | None) -> tuple[str, ...]:
    """`NEVER` alone, or some of `DELAY FAILURE SUCCESS`, sorted (RFC 3461 §4.1). Raises ProtocolError."""
    # Elements of an RFC 822 list may be empty, but not all of them.
    wanted = set(filter(None, (value or "").upper().split(",")))
    if wanted == {"NEVER"} or (wanted and wanted <= _MOMENTS):
        return tuple(sorted(wanted))
    raise _invalid("NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY")


def parse_orcpt(value: str | None, *, smtputf8: bool) -> str:
    """The first recipient as it came (RFC 3461 §4.2); UTF-8 only with `smtputf8`. Raises ProtocolError."""
    kind, semicolon, address = (value or "").partition(";")
    if value is None or len(f"ORCPT={value}".encode()) > MAX_ORCPT_OCTETS:
        raise _invalid(f"ORCPT has an address, and at most {MAX_ORCPT_OCTETS} octets")
    if not semicolon or not _ADDRESS_TYPE.fullmatch(kind):
        raise _invalid("ORCPT names the type of its address before a semicolon")
    if kind.lower() == "utf-8":
        # U+FFFD stands for octets that were no UTF-8.
        is_encoded = _UTF8_ADDRESS.fullmatch(address) is not None and "\ufffd" not in address
        valid = is_encoded and (smtputf8 or address.isascii())
    else:
        valid = _decode(address) is not None
    if not valid:
        raise _invalid("the address of ORCPT is not encoded as it should be")
    return value


def _decode(xtext: str) -> str | None:
    """The text that was encoded; None when that is no xtext, or not printable ASCII."""
    if not _XTEXT.fullmatch(xtext):
        return None
    text = _HEXCHAR.sub(lambda found: chr(int(found[1], 16)), xtext)
    return text if _PRINTABLE.fullmatch(text) else None


def _invalid(text: str) -> ProtocolError:
    return ProtocolError(Reply(501, Status(5, 5, 4), text))  # RFC 3461 §5.1

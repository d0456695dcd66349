"""Header fields of an Email that is created: what a client gives in one of the forms, as lines (RFC 8621 §4.6).

Drafts may be half finished, so an address that is none yet is kept as it was typed. Whether it can be sent is looked
at when it is submitted.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from appliance.mail import compose, date, header, nfc
from appliance.mail.address import AddressError, parse_address
from appliance.servers.web.jmap.email.headerforms import Form, HeaderProperty
from appliance.servers.web.jmap.problem import SetError, invalid_properties

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
#: A raw value: lines that go on begin with white space.
_RAW: Final = re.compile(r"(?:[^\x00\r\n]|\r?\n(?=[ \t]+[^ \t\r\n]))*")
_NO_ID: Final = re.compile(r"[<>\s\x00-\x1f\x7f]")
#: Octets of a line (RFC 5322 §2.1.1), and of all that one property is.
_LINE_OCTETS: Final = 998
_VALUE_OCTETS: Final = 128 * 1024


class EmailAddress(msgspec.Struct):
    """RFC 8621 §4.1.2.3."""

    email: str
    name: str | None = None


class EmailAddressGroup(msgspec.Struct):
    """RFC 8621 §4.1.2.4."""

    addresses: list[EmailAddress]
    name: str | None = None


_KINDS: Final[dict[Form, Any]] = {
    Form.RAW: str,
    Form.TEXT: str,
    Form.ADDRESSES: list[EmailAddress],
    Form.GROUPED: list[EmailAddressGroup],
    Form.MESSAGE_IDS: list[str],
    Form.DATE: datetime,
    Form.URLS: list[str],
}


def lines_of(field: HeaderProperty, value: Any) -> list[bytes]:
    """The lines of a property that a client has given, one field or several. Raises SetError."""
    if value is None:
        return []
    kind = _KINDS[field.form]
    try:
        values = msgspec.convert(value, list[kind] if field.all else kind)  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise invalid_properties(f"{field.spelled[:100]}: {error}", field.spelled) from error
    write: Callable[[bytes, Any, HeaderProperty], bytes] = _WRITERS[field.form]
    lines = [write(field.label.encode(), one, field) for one in (values if field.all else [values])]
    if sum(map(len, lines)) > _VALUE_OCTETS:
        raise SetError("tooLarge", f"{field.spelled[:100]} is too long")
    return [one for one in lines if one]


def needs_utf8(lines: Iterable[bytes]) -> bool:
    """Whether header lines go beyond ASCII (RFC 6532)."""
    return any(not one.isascii() for one in lines)


def _raw(label: bytes, value: str, field: HeaderProperty) -> bytes:
    if not _RAW.fullmatch(value):
        raise invalid_properties("a raw value has a line end that does not go on", field.spelled)
    octets = label + b":" + value.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "replace") + b"\r\n"
    if any(len(one) > _LINE_OCTETS for one in octets.split(b"\r\n")):
        raise invalid_properties("a raw value has too long a line", field.spelled)
    return octets


def _text(label: bytes, value: str, _: HeaderProperty) -> bytes:
    return compose.text_field(label, _CONTROL.sub(" ", nfc.nfc(value)))


def _address(one: EmailAddress) -> bytes:
    name = _CONTROL.sub(" ", one.name or "").strip()
    try:
        address = parse_address(one.email.strip())
        return compose.format_address(name, address, utf8=address.needs_smtputf8)
    except AddressError:
        # As it was typed, so that it is read again as it was written.
        spec = re.sub(r"[<>\x00-\x1f\x7f]", " ", one.email).strip().encode("utf-8", "replace")
    return (compose.format_phrase(name) + b" " if name else b"") + b"<" + spec + b">"


def _addresses(label: bytes, value: list[EmailAddress], _: HeaderProperty) -> bytes:
    if not value:
        return b""
    return header.fold(label, b", ".join(map(_address, value)))


def _groups(label: bytes, value: list[EmailAddressGroup], _: HeaderProperty) -> bytes:
    found = []
    for group in value:
        members = b", ".join(map(_address, group.addresses))
        name = _CONTROL.sub(" ", group.name or "").strip()
        if name:
            phrase = compose.format_phrase(name)
            # RFC 2047 §5 (3): an encoded word stands apart from the colon.
            found.append(phrase + (b" : " if phrase.endswith(b"?=") else b": ") + members + b";")
        elif members:
            found.append(members)
    return header.fold(label, b", ".join(found)) if found else b""


def _ids(label: bytes, value: list[str], field: HeaderProperty) -> bytes:
    found = []
    for one in value:
        if (
            not one
            or re.search(r"[<>\s\x00-\x1f\x7f]", one)
            or len(one.encode("utf-8", "replace")) > _LINE_OCTETS - 100
        ):
            raise invalid_properties("an id has neither angle brackets nor space", field.spelled)
        found.append(b"<" + one.encode("utf-8", "replace") + b">")
    return header.fold(label, b" ".join(found)) if found else b""


def _date(label: bytes, value: datetime, field: HeaderProperty) -> bytes:
    if value.tzinfo is None:
        raise invalid_properties("a date needs its zone", field.spelled)
    return header.fold(label, date.format(value).encode())


def _urls(label: bytes, value: list[str], field: HeaderProperty) -> bytes:
    found = []
    for one in value:
        if not one.isascii() or _NO_ID.search(one) or len(one) > _LINE_OCTETS - 100:
            raise invalid_properties("that is no URL", field.spelled)
        found.append(b"<" + one.encode() + b">")
    return header.fold(label, b", ".join(found)) if found else b""


_WRITERS: Final[dict[Form, Any]] = {
    Form.RAW: _raw,
    Form.TEXT: _text,
    Form.ADDRESSES: _addresses,
    Form.GROUPED: _groups,
    Form.MESSAGE_IDS: _ids,
    Form.DATE: _date,
    Form.URLS: _urls,
}

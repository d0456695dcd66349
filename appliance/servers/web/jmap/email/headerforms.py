"""Header fields as JMAP shows them, in forms that suit them (RFC 8621 §4.1.2, §4.1.3)."""

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.base import limits
from appliance.mail import address, comment, date, header, placement, words
from appliance.mail.address import Group, Mailbox
from appliance.mail.nfc import nfc
from appliance.mail.placement import Kind
from appliance.store.prepare import USUAL_FIELDS


class Form(enum.Enum):
    """How a field is shown; the word is that of property names."""

    RAW = "Raw"
    TEXT = "Text"
    ADDRESSES = "Addresses"
    GROUPED = "GroupedAddresses"
    MESSAGE_IDS = "MessageIds"
    DATE = "Date"
    URLS = "URLs"


_ADDRESSES: Final = frozenset(
    "from sender reply-to to cc bcc resent-from resent-sender resent-reply-to resent-to resent-cc resent-bcc".split()
)
_MESSAGE_IDS: Final = frozenset("message-id in-reply-to references resent-message-id".split())
_DATES: Final = frozenset(("date", "resent-date"))
_URLS: Final = frozenset("list-help list-unsubscribe list-subscribe list-post list-owner list-archive".split())
_TEXTS: Final = frozenset(("subject", "comments", "keywords", "list-id"))
#: Which fields a form is for; and any field that neither RFC 5322 nor RFC 2369 defines.
_FIELDS: Final = {
    Form.TEXT: _TEXTS,
    Form.ADDRESSES: _ADDRESSES,
    Form.GROUPED: _ADDRESSES,
    Form.MESSAGE_IDS: _MESSAGE_IDS,
    Form.DATE: _DATES,
    Form.URLS: _URLS,
}
_DEFINED: Final = (_ADDRESSES | _MESSAGE_IDS | _DATES | _URLS | _TEXTS | {"return-path", "received"}) - {"list-id"}

_PROPERTY: Final = re.compile(
    r"header:([!-9;-~]{1,200})(?::as(Raw|Text|Addresses|GroupedAddresses|MessageIds|Date|URLs))?(:all)?"
)


@dataclass(frozen=True, slots=True)
class HeaderProperty:
    """A property that is a header field."""

    #: As the client spells it.
    spelled: str
    #: In lower case.
    name: str
    form: Form = Form.RAW
    #: Of all fields of the name; otherwise the last one counts.
    all: bool = False

    @property
    def label(self) -> str:
        """The field's name as the client spells it."""
        return self.spelled.split(":", 2)[1] if self.spelled.startswith("header:") else _LABELS[self.spelled]


#: Fields with properties of their own (RFC 8621 §4.1.3).
_LABELS: Final = {
    "messageId": "Message-ID",
    "inReplyTo": "In-Reply-To",
    "references": "References",
    "sender": "Sender",
    "from": "From",
    "to": "To",
    "cc": "Cc",
    "bcc": "Bcc",
    "replyTo": "Reply-To",
    "subject": "Subject",
    "sentAt": "Date",
}
_OWN_FORMS: Final = {"subject": Form.TEXT, "sentAt": Form.DATE} | dict.fromkeys(
    ("messageId", "inReplyTo", "references"), Form.MESSAGE_IDS
)
#: Fields that are kept ready.
AT_HAND: Final = USUAL_FIELDS
CONVENIENT: Final = {
    name: HeaderProperty(name, label.lower(), _OWN_FORMS.get(name, Form.ADDRESSES)) for name, label in _LABELS.items()
}


def parse_property(property: str) -> HeaderProperty | None:
    """The field that a property `header:…` names; None when it is not of that shape.

    Raises ValueError for a form that is not for this field.
    """
    match = _PROPERTY.fullmatch(property)
    if match is None:
        return None
    name, form = match[1].lower(), Form(match[2] or "Raw")
    if form is not Form.RAW and name in _DEFINED and name not in _FIELDS[form]:
        raise ValueError(f"{match[1]} has no form {form.value}")
    return HeaderProperty(property, name, form, match[3] is not None)


# Reading.


#: Fields of phrases that may be had as texts; and structured fields, which have encoded words in comments alone.
_PHRASES: Final = frozenset(("keywords", "list-id"))
_STRUCTURED: Final = frozenset(
    (
        *("content-type", "content-disposition", "content-transfer-encoding", "content-id", "content-location"),
        *("content-base", "content-language", "content-md5", "content-duration", "content-features", "mime-version"),
        *("authentication-results", "received-spf", "dkim-signature", "domainkey-signature"),
        *("arc-seal", "arc-message-signature", "arc-authentication-results", "autocrypt", "auto-submitted"),
        *("disposition-notification-options", "list-unsubscribe-post", "mt-priority", "tls-required"),
    )
)


def value_of(wanted: HeaderProperty, values: Sequence[bytes], *, lenient: bool = False) -> Any:
    """What a property is, given the values of all fields of its name: what follows the colon, folded as it is.

    Lenient: encoded words count wherever they stand, as many programs write them where RFC 2047 §5 forbids them, in
    quoted strings above all. RFC 8621 §4.1.2.2 does not allow it ("MUST NOT be decoded"), nor for addresses
    (§4.1.2.3): so it is for those who ask for it.
    """
    show = _SHOWN[wanted.form]
    if not lenient and wanted.form in _WORDY:
        kind = Kind.PHRASES
        if wanted.form is Form.TEXT and wanted.name not in _PHRASES:
            kind = Kind.COMMENTS if wanted.name in _STRUCTURED else Kind.TEXT
        values = [placement.guarded(one, kind) for one in values]
    if wanted.all:
        return [show(one) for one in values]
    return show(values[-1]) if values else None


def raw(value: bytes) -> str:
    """As it stands, without the last line end (RFC 8621 §4.1.2.1)."""
    value = value.removesuffix(b"\n").removesuffix(b"\r")
    return value.replace(b"\0", b"").decode("utf-8", "replace")


_CONTROL: Final = re.compile("[\0-\x08\n-\x1f\x7f]")


def text(value: bytes) -> str:
    """Unfolded and decoded (§4.1.2.2)."""
    decoded = placement.unguarded(words.decode(header.unfold(value).rstrip(b"\r\n")))
    return nfc(_CONTROL.sub("", decoded)).lstrip(" ")


def addresses(value: bytes) -> list[dict[str, str | None]]:
    """§4.1.2.3."""
    return [_address(one) for one in address.mailboxes(address.parse_list(value, limits.ADDRESSES))]


def grouped(value: bytes) -> list[dict[str, Any]]:
    """§4.1.2.4."""
    found: list[dict[str, Any]] = []
    loose: list[dict[str, str | None]] | None = None
    for entry in address.parse_list(value, limits.ADDRESSES):
        if isinstance(entry, Group):
            found.append({"name": _name(entry.name), "addresses": [_address(one) for one in entry.members]})
            loose = None
        elif loose is None:
            loose = [_address(entry)]
            found.append({"name": None, "addresses": loose})
        else:
            loose.append(_address(entry))
    return found


def _address(one: Mailbox) -> dict[str, str | None]:
    return {"name": _name(one.name), "email": _CONTROL.sub("", placement.unguarded(one.addr_spec))}


def _name(name: str) -> str | None:
    return nfc(_CONTROL.sub("", placement.unguarded(name))).strip() or None


_ID: Final = re.compile(rb"<([^<>]*)>")
_SPACE: Final = re.compile(rb"[ \t\r\n]+")


def message_ids(value: bytes) -> list[str] | None:
    """§4.1.2.5. Lenient: phrases between ids, as RFC 822 had them; ids without brackets, which some programs write."""
    value = comment.remove(value)
    found = [_SPACE.sub(b"", one) for one in _ID.findall(value)]
    if not found:
        found = [one for one in _SPACE.split(value) if b"@" in one]
    return [one.decode("utf-8", "replace") for one in found if one] or None


def moment(value: bytes) -> str | None:
    """§4.1.2.6, as RFC 3339 has it."""
    when = date.parse(header.unfold(value))
    if when is None:
        return None
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")


# A comment without others in it, the end of one that is never closed included; or an address.
_URL: Final = re.compile(rb"\((?:[^()\\]++|\\.)*+\)|<([^<>]*)>", re.DOTALL)


def urls(value: bytes) -> list[str] | None:
    """§4.1.2.7."""
    found = (_SPACE.sub(b"", match[1]) for match in _URL.finditer(value) if match[1] is not None)
    return [one.decode("utf-8", "replace") for one in found if one] or None


#: Forms that decode encoded words.
_WORDY: Final = frozenset((Form.TEXT, Form.ADDRESSES, Form.GROUPED))
_SHOWN: Final = {
    Form.RAW: raw,
    Form.TEXT: text,
    Form.ADDRESSES: addresses,
    Form.GROUPED: grouped,
    Form.MESSAGE_IDS: message_ids,
    Form.DATE: moment,
    Form.URLS: urls,
}

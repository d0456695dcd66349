"""Properties of an Email and of its parts, made as they are asked for (RFC 8621 §4.1)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from appliance.base import limits
from appliance.mail import decode
from appliance.mail.part import Part
from appliance.mail.traits import Trait
from appliance.servers.web.jmap.call import OWN, AccountArguments, Call, UnsignedInt
from appliance.servers.web.jmap.email import headerforms, keywords
from appliance.servers.web.jmap.email.headerforms import CONVENIENT, HeaderProperty
from appliance.servers.web.jmap.email.source import Source, Stored, values_by_name
from appliance.servers.web.jmap.problem import MethodError
from appliance.servers.web.jmap.standard import utc_date
from appliance.store import objectid
from appliance.store.records import UPLOADED, Origin
from appliance.store.tables import MessageID

Value = dict[str, Any]


class BodyArguments(AccountArguments, kw_only=True):
    """What is wanted of bodies, of Email/get and Email/parse (RFC 8621 §4.2, §4.9)."""

    body_properties: list[str] | None = None
    fetch_text_body_values: bool = False
    fetch_html_body_values: bool = msgspec.field(default=False, name="fetchHTMLBodyValues")
    fetch_all_body_values: bool = False
    #: Octets of each; 0: all of it.
    max_body_value_bytes: UnsignedInt = 0


NO_BODY: Final = BodyArguments(account_id="")

#: RFC 8621 §4.2.
BODY_DEFAULTS: Final = (
    *("partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location"),
)
#: RFC 8621 §4.9.
PARSE_DEFAULTS: Final = (
    *("messageId", "inReplyTo", "references", "sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt"),
    *("hasAttachment", "preview", "bodyValues", "textBody", "htmlBody", "attachments"),
)
#: RFC 8621 §4.2.
DEFAULTS: Final = (
    *("id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt"),
    *PARSE_DEFAULTS,
)
#: Those that need the structure of a message, or its octets.
_COSTLY: Final = frozenset({"bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments", "headers"})
#: Properties of an Email, and of a part, that one call asks for.
_MOST_PROPERTIES: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for of each Email."""

    names: tuple[str, ...]
    #: Those of them that are header fields.
    fields: dict[str, HeaderProperty]
    parts: tuple[str, ...]
    part_fields: dict[str, HeaderProperty]
    body: BodyArguments
    #: Encoded words are read wherever they stand.
    lenient: bool

    @property
    def is_costly(self) -> bool:
        """Whether more is needed than lists show."""
        return not _COSTLY.isdisjoint(self.names) or any(
            one.name not in headerforms.AT_HAND for one in self.fields.values()
        )

    @property
    def traits(self) -> bool:
        """Whether these are asked for."""
        return any(name in {"hasAttachment", "isSigned", "isEncrypted"} for name in self.names)


def wanted(
    call: Call, properties: Sequence[str] | None, defaults: Sequence[str] = (), body: BodyArguments = NO_BODY
) -> Wanted:
    """What is asked for. Raises MethodError: invalidArguments."""
    known = _PROPERTIES.keys() | (_OWN.keys() if OWN in call.using else set())
    names = tuple(dict.fromkeys(defaults if properties is None else properties))
    parts = tuple(dict.fromkeys(BODY_DEFAULTS if body.body_properties is None else body.body_properties))
    return Wanted(
        names=names,
        fields=_fields(names, known, CONVENIENT),
        parts=parts,
        part_fields=_fields(parts, _PART_PROPERTIES.keys(), {}),
        body=body,
        lenient=OWN in call.using,
    )


def _fields(
    names: Iterable[str], known: Iterable[str], convenient: dict[str, HeaderProperty]
) -> dict[str, HeaderProperty]:
    found: dict[str, HeaderProperty] = {}
    for count, name in enumerate(names):
        if count == _MOST_PROPERTIES:
            raise MethodError("requestTooLarge", f"at most {_MOST_PROPERTIES} properties")
        if name in convenient:
            found[name] = convenient[name]
        elif name not in known:
            try:
                field = headerforms.parse_property(name)
            except ValueError as error:
                raise MethodError("invalidArguments", str(error)[:300]) from error
            if field is None:
                raise MethodError("invalidArguments", f"there is no property {name[:100]}")
            found[name] = field
    return found


@dataclass(slots=True)
class Budget:
    """What one call may still answer."""

    text_octets: int = limits.JMAP_TEXT_OCTETS

    def take(self, octets: int) -> None:
        """So much of it. Raises MethodError: requestTooLarge."""
        self.text_octets -= octets
        if self.text_octets < 0:
            most = limits.JMAP_TEXT_OCTETS // limits.MIB
            raise MethodError(
                "requestTooLarge", f"more than {most} MiB of texts: ask for fewer, or for their beginnings"
            )


def email(source: Source, asked: Wanted, budget: Budget) -> Value:
    """An Email, with the properties that are asked for. In a thread where these are costly."""
    made: Value = {}
    for name in asked.names:
        field = asked.fields.get(name)
        if field is not None:
            made[name] = headerforms.value_of(field, source.values(field.name), lenient=asked.lenient)
        elif name == "bodyValues":
            made[name] = _values(source, asked, budget)
        else:
            make = _PROPERTIES.get(name) or _OWN[name]
            made[name] = make(source, asked)
    return made


# Metadata.


def _stored(make: Callable[[Stored], Any]) -> Callable[[Source, Wanted], Any]:
    """Of a message of the account; null of others (RFC 8621 §4.9)."""
    return lambda source, _: make(source) if isinstance(source, Stored) else None


# The body.


def _values(source: Source, asked: Wanted, budget: Budget) -> Value:
    parts: list[Part] = []
    if asked.body.fetch_all_body_values:
        parts += [one for one in _shallow(source.root) if one.media_type == "text"]
    if asked.body.fetch_text_body_values:
        parts += source.flat.text
    if asked.body.fetch_html_body_values:
        parts += source.flat.html
    found: Value = {}
    for part in parts:
        name = _part_id(source, part)
        if part.media_type == "text" and name is not None and name not in found:
            found[name] = value(source, part, asked.body.max_body_value_bytes, budget)
    return found


def value(source: Source, part: Part, most: int, budget: Budget) -> Value:
    """An EmailBodyValue; `most`: its octets, 0 for all. Raises MethodError: requestTooLarge.

    Nothing is cut that was asked for whole (RFC 8621 §4.2).
    """
    texts: list[str] = []
    octets = 0
    is_odd = is_cut = False
    for text, odd in decode.text_pieces(part, source.pieces(part)):
        is_odd = is_odd or odd
        texts.append(text)
        more = len(text.encode())
        octets += more
        is_cut = bool(most) and octets > most
        budget.take(more - (octets - most if is_cut else 0))
        if is_cut:
            break
    found = "".join(texts)
    if is_cut:
        found = cut(found, most, is_html=part.subtype == "html")
    return {"value": found, "isEncodingProblem": is_odd, "isTruncated": is_cut}


def cut(text: str, most: int, *, is_html: bool) -> str:
    """A text of at most so many octets: whole characters, and of HTML whole tags (RFC 8621 §4.2)."""
    text = text[:most].encode()[:most].decode("utf-8", "ignore")
    if is_html:
        tag = text.rfind("<")
        is_tag = text[tag + 1 : tag + 2].isalpha() or text.startswith(("</", "<!"), tag)
        if tag >= 0 and is_tag and text.find(">", tag) < 0:
            return text[:tag]
    return text


def _shallow(root: Part) -> Iterable[Part]:
    """The parts that are no multipart, without those of nested messages."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.is_multipart:
            waiting.extend(reversed(part.parts))
        else:
            yield part


def _part_id(source: Source, part: Part) -> str | None:
    return None if part.is_multipart else ".".join(map(str, source.paths[id(part)]))


def _part(source: Source, part: Part, asked: Wanted, *, deep: bool = False) -> Value:
    """An EmailBodyPart; `deep`: with those within it, where that is asked for."""
    made: Value = {}
    values = values_by_name(source.part_head(part)) if asked.part_fields else {}
    for name in asked.parts:
        field = asked.part_fields.get(name)
        if field is not None:
            made[name] = headerforms.value_of(field, values.get(field.name.encode(), []), lenient=asked.lenient)
        elif name == "subParts":
            made[name] = None
        else:
            made[name] = _PART_PROPERTIES[name](source, part)
    if deep and part.is_multipart:
        # Without these there would be no structure, so they need not be named.
        made["subParts"] = [_part(source, one, asked, deep=True) for one in part.parts]
    return made


def _charset(_: Source, part: Part) -> str | None:
    if part.media_type != "text":
        return None
    return part.parameter("charset") or "us-ascii"


def _headers(head: tuple[bytes, list[Any]]) -> list[Value]:
    octets, fields = head
    return [
        {
            "name": one.name.decode("utf-8", "replace"),
            "value": headerforms.raw(octets[one.value : one.end]),
        }
        for one in fields
    ]


def _cid(_: Source, part: Part) -> str | None:
    return part.content_id.strip().removeprefix("<").removesuffix(">") if part.content_id else None


def _size(source: Source, part: Part) -> int:
    return part.end - part.body if part.is_multipart else source.decoded_size(part)


def _blob(source: Source, part: Part) -> str | None:
    return None if part.is_multipart else source.blob_of(source.paths[id(part)])


_PART_PROPERTIES: Final[dict[str, Callable[[Source, Part], Any]]] = {
    "partId": _part_id,
    "blobId": _blob,
    "size": _size,
    "headers": lambda source, part: _headers(source.part_head(part)),
    "name": lambda _, part: part.filename,
    "type": lambda _, part: f"{part.media_type}/{part.subtype}",
    "charset": _charset,
    "disposition": lambda _, part: part.disposition,
    "cid": _cid,
    "language": lambda _, part: list(part.languages) or None,
    "location": lambda _, part: part.location,
    "subParts": lambda _source, _part: None,
}

_PROPERTIES: Final[dict[str, Callable[[Source, Wanted], Any]]] = {
    "id": _stored(lambda one: objectid.message(one.account, one.id)),
    "blobId": lambda source, _: source.blob_id,
    "threadId": _stored(lambda one: objectid.thread(one.account, one.row.thread)),
    "mailboxIds": _stored(lambda one: {objectid.mailbox(one.account, one.place.mailbox): True}),
    "keywords": _stored(lambda one: keywords.shown(one.row.flags, one.row.keywords)),
    "size": lambda source, _: source.size,
    "receivedAt": _stored(lambda one: utc_date(one.row.received)),
    "headers": lambda source, _: _headers(source.head),
    "bodyStructure": lambda source, asked: _part(source, source.root, asked, deep=True),
    "bodyValues": lambda _source, _asked: {},
    "textBody": lambda source, asked: [_part(source, one, asked) for one in source.flat.text],
    "htmlBody": lambda source, asked: [_part(source, one, asked) for one in source.flat.html],
    "attachments": lambda source, asked: [_part(source, one, asked) for one in source.flat.attachments],
    "hasAttachment": lambda source, _: bool(source.traits & Trait.ATTACHMENT),
    "preview": lambda source, _: source.preview,
    **dict.fromkeys(CONVENIENT, lambda _source, _asked: None),
}


# What JMAP lacks.


def _origin(one: Stored) -> Value | None:
    origin: Origin = one.facts.origin
    if origin == UPLOADED:
        return None
    return {
        "remoteIP": origin.remote_ip,
        "mailFrom": origin.mail_from,
        "rcptTo": origin.rcpt_to,
        "fromValidated": origin.msg_from_validated,
        "fromDomain": origin.msg_from_domain,
        "tls": _TLS.get(origin.tls_version, ""),
        "tlsCipher": origin.tls_cipher,
        "requireTLS": origin.requiretls,
        "isMailingList": origin.is_mailing_list,
        "isForward": origin.is_forward,
        "isReject": origin.is_reject,
        "reason": origin.reason,
    }


#: As they are kept: 1 is plain text.
_TLS: Final = {1: "plain", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}

_OWN: Final[dict[str, Callable[[Source, Wanted], Any]]] = {
    "muted": _stored(lambda one: one.facts.thread_muted),
    "collapsed": _stored(lambda one: one.facts.thread_collapsed),
    "threadParentIds": _stored(
        lambda one: [objectid.message(one.account, MessageID(id)) for id in one.facts.thread_parents]
    ),
    "threadMissingLink": _stored(lambda one: one.facts.thread_missing_link),
    "origin": _stored(_origin),
    "isSigned": lambda source, _: bool(source.traits & Trait.SIGNED),
    "isEncrypted": lambda source, _: bool(source.traits & Trait.ENCRYPTED),
}

"""ENVELOPE, BODY and BODYSTRUCTURE as octets, made once for each message (RFC 9051 §7.5.2).

Header text stands as it was written, encoded words and all; what is not ASCII comes as a literal, so that clients of
IMAP4rev1 can take it.
"""

from collections.abc import Sequence

from appliance.mail.envelope import Envelope, EnvelopeAddress
from appliance.mail.part import Part
from appliance.protocol.imap.response import NIL, nstring, ntext, text_string


def envelope(found: Envelope) -> bytes:
    """ENVELOPE with its parentheses."""
    from_ = _addresses(found.from_)
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(found.date),
        nstring(found.subject),
        from_,
        from_ if found.sender is found.from_ else _addresses(found.sender),
        from_ if found.reply_to is found.from_ else _addresses(found.reply_to),
        _addresses(found.to),
        _addresses(found.cc),
        _addresses(found.bcc),
        nstring(found.in_reply_to),
        nstring(found.message_id),
    )


def _addresses(addresses: Sequence[EnvelopeAddress]) -> bytes:
    if not addresses:
        return NIL
    return (
        b"("
        + b"".join(
            b"(%b NIL %b %b)" % (nstring(one.name), nstring(one.localpart), nstring(one.host)) for one in addresses
        )
        + b")"
    )


def body(root: Part, *, extended: bool) -> bytes:
    """BODYSTRUCTURE, or without extension data BODY; iterative, since parts may nest as deep as they may."""
    done: list[bytes] = []
    waiting: list[tuple[Part, bool]] = [(root, False)]
    while waiting:
        part, children_done = waiting.pop()
        if part.parts and not children_done:
            waiting.append((part, True))
            waiting.extend((child, False) for child in reversed(part.parts))
            continue
        first = len(done) - len(part.parts)
        below = done[first:]
        done[first:] = [_multipart(part, below, extended) if part.is_multipart else _leaf(part, below, extended)]
    return done[0]


def _multipart(part: Part, below: list[bytes], extended: bool) -> bytes:
    # Some clients cannot read a multipart without parts; ours always have one.
    octets = b"(" + b"".join(below) + b" " + text_string(part.subtype.upper())
    if extended:
        octets += b" " + _parameters(part.parameters) + b" " + _extension(part)
    return octets + b")"


def _leaf(part: Part, below: list[bytes], extended: bool) -> bytes:
    fields = [
        text_string(part.media_type.upper()),
        text_string(part.subtype.upper()),
        _parameters(part.parameters),
        ntext(part.content_id),
        ntext(part.description),
        text_string(part.encoding.upper() or "7BIT"),
        b"%d" % (part.end - part.body),
    ]
    nested = part.nested
    if nested is not None:
        fields += [envelope(nested.envelope) if nested.envelope else _EMPTY, below[0], b"%d" % part.lines]
    elif part.media_type == "text":
        fields.append(b"%d" % part.lines)
    if extended:
        fields += [ntext(part.md5), _extension(part)]
    return b"(" + b" ".join(fields) + b")"


_EMPTY = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def _extension(part: Part) -> bytes:
    disposition = NIL
    if part.disposition is not None:
        disposition = b"(%b %b)" % (text_string(part.disposition), _parameters(part.disposition_parameters))
    if not part.languages:
        languages = NIL
    elif len(part.languages) == 1:
        languages = text_string(part.languages[0])
    else:
        languages = b"(" + b" ".join(map(text_string, part.languages)) + b")"
    return b"%b %b %b" % (disposition, languages, ntext(part.location))


def _parameters(parameters: Sequence[tuple[str, str]]) -> bytes:
    if not parameters:
        return NIL
    return (
        b"("
        + b" ".join(b"%b %b" % (text_string(name.upper()), text_string(value)) for name, value in parameters)
        + b")"
    )

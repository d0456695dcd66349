"""A message as most readers show it: a body in plain text or HTML, and attachments (RFC 8621 §4.1.4).

The algorithm is the one that the RFC suggests. Lists hold parts of the tree, which is never changed.
"""

from dataclasses import dataclass, field
from typing import Final

from appliance.mail.part import Part

#: Shown within a body.
_SHOWN: Final = frozenset({"image", "audio", "video"})
#: What programs read and people do not.
_SIGNATURES: Final = frozenset({"pgp-signature", "pkcs7-signature", "x-pkcs7-signature", "pgp-encrypted"})


@dataclass(slots=True)
class Flat:
    """Lists of parts; one may be in several."""

    #: To be shown one after the other, where plain text is preferred.
    text: list[Part] = field(default_factory=list)
    #: The same where HTML is preferred.
    html: list[Part] = field(default_factory=list)
    attachments: list[Part] = field(default_factory=list)
    #: Images that the HTML beside them shows: what `multipart/related` has behind its first part, by Content-ID. Their
    #: identities, as there may be ten thousand.
    embedded: set[int] = field(default_factory=set)

    @property
    def offered(self) -> list[Part]:
        """Attachments that a reader shows as such: not shown in the body, and no signatures."""
        return [
            part
            for part in self.attachments
            if part.disposition != "inline" and part.subtype not in _SIGNATURES and id(part) not in self.embedded
        ]


def flatten(root: Part) -> Flat:
    """The lists of a message."""
    flat = Flat()
    _walk([root], "mixed", False, flat, flat.text, flat.html)
    return flat


def _walk(
    parts: "list[Part] | tuple[Part, ...]",
    within: str,
    in_alternative: bool,
    flat: Flat,
    text: list[Part] | None,
    html: list[Part] | None,
) -> None:
    """`within`: the subtype of the multipart whose parts these are. As deep as parts may nest (`ScanLimits.depth`)."""
    text_before = -1 if text is None else len(text)
    html_before = -1 if html is None else len(html)
    for at, part in enumerate(parts):
        if part.is_multipart:
            inner = in_alternative or part.subtype == "alternative"
            _walk(part.parts, part.subtype, inner, flat, text, html)
            continue
        is_text = part.media_type == "text" and part.subtype in {"plain", "html"}
        if not _is_inline(part, at, within, is_text=is_text):
            flat.attachments.append(part)
            if within == "related" and at and part.media_type in _SHOWN and part.content_id and not part.is_attachment:
                flat.embedded.add(id(part))
            continue
        if within == "alternative":
            if is_text:
                chosen = text if part.subtype == "plain" else html
                # The other kind of an outer alternative: there is no list for it any more.
                (flat.attachments if chosen is None else chosen).append(part)
            else:
                flat.attachments.append(part)
            continue
        if in_alternative and is_text:
            if part.subtype == "plain":
                html = None
            else:
                text = None
        if text is not None:
            text.append(part)
        if html is not None:
            html.append(part)
        # The algorithm of the RFC loses what belongs to neither list; its definition of attachments has it.
        if (text is None or html is None) and (part.media_type in _SHOWN or text is html):
            flat.attachments.append(part)
    if within == "alternative" and text is not None and html is not None:
        if text_before == len(text) and html_before != len(html):
            text += html[html_before:]  # There is only HTML.
        elif html_before == len(html) and text_before != len(text):
            html += text[text_before:]


def _is_inline(part: Part, at: int, within: str, *, is_text: bool) -> bool:
    """Whether a part belongs to the body rather than beside it."""
    if part.is_attachment or not (is_text or part.media_type in _SHOWN):
        return False
    # Only the first part of multipart/related can; text with a file name, behind another part, is a file.
    return at == 0 or (within != "related" and (part.media_type in _SHOWN or not part.filename))

"""The structure of a message: where each MIME part lies and what its header says of it.

RFC 2045, RFC 2046 and RFC 2183. Parts hold offsets and header facts, never content, so the tree is stored with
the message and serves IMAP, search and the webmail without a look at the octets. scan makes it.
"""

from collections.abc import Iterator, Sequence

import msgspec

from appliance.mail.envelope import Envelope

#: The transfer encodings that change nothing (RFC 2045 §6.2).
IDENTITY_ENCODINGS = frozenset({"7bit", "8bit", "binary"})


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One part; offsets count octets of the message as received, and `0 <= start <= body <= end`.

    A part of media type multipart has at least one child. A part of media type message/rfc822 or message/global
    has exactly one: the root of the nested message, which starts at this part's body. What claims to be either
    and is not (no boundary, encoded, beyond a limit) is a leaf of another type, and says so in `defect`.

    Stored as msgpack for ever: new fields only at the end, with defaults.
    """

    #: First octet of this part's header.
    start: int
    #: First octet of its body.
    body: int
    #: One past its last octet; the line end before a boundary belongs to the boundary (RFC 2046 §5.1.1).
    end: int
    #: Line ends in the body as it stands, undecoded.
    lines: int = 0
    #: Lower case, as are `subtype`, `encoding` and `disposition`.
    media_type: str = "text"
    subtype: str = "plain"
    #: Names in lower case, values decoded, in the order of the header.
    parameters: tuple[tuple[str, str], ...] = ()
    #: Content-Transfer-Encoding, also one we do not know.
    encoding: str = "7bit"
    content_id: str | None = None
    description: str | None = None
    md5: str | None = None
    disposition: str | None = None
    disposition_parameters: tuple[tuple[str, str], ...] = ()
    languages: tuple[str, ...] = ()
    location: str | None = None
    parts: tuple["Part", ...] = ()
    #: Of the root of a nested message only: the outermost one gets fields before it at delivery.
    envelope: Envelope | None = None
    #: What is wrong with this part, "" when nothing is.
    defect: str = ""
    #: Octets of the decoded body; -1 where only decoding would tell.
    decoded_size: int = -1

    @property
    def is_multipart(self) -> bool:
        return self.media_type == "multipart"

    @property
    def nested(self) -> "Part | None":
        """The root of the message this part carries, if it carries one."""
        return self.parts[0] if self.parts and self.media_type == "message" else None

    @property
    def is_attachment(self) -> bool:
        return self.disposition == "attachment"

    def parameter(self, name: str) -> str | None:
        """The value of a Content-Type parameter, named in lower case."""
        return dict(self.parameters).get(name)

    @property
    def filename(self) -> str | None:
        """From Content-Disposition, else from Content-Type (RFC 2183 §2.3); may hold directories, or worse."""
        return dict(self.disposition_parameters).get("filename") or dict(self.parameters).get("name")

    def find(self, path: Sequence[int]) -> "Part | None":
        """The part with that IMAP section number, this part being the message (RFC 9051 §6.4.5.1).

        A message that is no multipart has itself as part 1. The empty path is the message itself.
        """
        part: Part = self
        within: Part | None = self
        for number in path:
            if within is None:
                return None
            if within.is_multipart:
                if not 1 <= number <= len(within.parts):
                    return None
                part = within.parts[number - 1]
            elif number == 1:
                part = within
            else:
                return None
            within = part if part.is_multipart else part.nested
        return part

    def walk(self) -> Iterator["Part"]:
        """This part and all below it, each before its children, in the order of the message."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.parts))

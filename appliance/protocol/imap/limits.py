"""What one IMAP client may make us hold and walk. Values stand in appliance.base.limits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiteralLimits:
    """Bounds for literals other than messages, sizes in octets."""

    literal_octets: int
    command_literal_octets: int
    command_literals: int


@dataclass(frozen=True, slots=True)
class ImapLimits:
    """Bounds for one connection's input, sizes in octets."""

    #: All lines of a command together, without its literals.
    line_octets: int
    literals: LiteralLimits
    #: Before authentication.
    unauthenticated_literals: LiteralLimits
    #: Messages in one APPEND (RFC 3502).
    append_messages: int
    #: Most octets in one AppendChunk.
    chunk_octets: int
    sequence_ranges: int
    search_keys: int
    search_depth: int
    fetch_items: int
    #: Part numbers in one section, like the four of `BODY[1.2.3.4]`.
    section_depth: int
    #: Names in one HEADER.FIELDS list.
    header_fields: int
    #: Flags in one STORE or APPEND.
    flags: int
    #: Patterns in one LIST.
    list_patterns: int
    #: Arguments of other lists: ENABLE, ID, special uses.
    arguments: int
    mailbox_element_octets: int
    mailbox_octets: int
    mailbox_levels: int
    #: Name of one annotation, and its components.
    entry_octets: int
    entry_levels: int

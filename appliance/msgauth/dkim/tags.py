"""Tag lists: `name=value; name=value`, the syntax of signatures and key records (RFC 6376 §3.2)."""

import base64
import binascii
import re
from typing import Final

_TAG: Final = re.compile(
    # RFC 8616 §5: values may go beyond ASCII. Within a value white space may fold lines.
    rb"[ \t\r\n]*+([A-Za-z][A-Za-z0-9_]*+)[ \t\r\n]*+=[ \t\r\n]*+([!-:<-~\x80-\xff \t\r\n]*+)"
)
_SPACE: Final = re.compile(rb"[ \t\r\n]++")


class TagError(ValueError):
    """Not a tag list, or a value that its tag cannot have. The text says what is wrong with it."""


def parse(octets: bytes) -> dict[str, bytes]:
    """Values by name, stripped. Raises TagError: no tags, a malformed one, or one name twice."""
    tags: dict[str, bytes] = {}
    segments = octets.split(b";")
    if not segments[-1].strip(b" \t\r\n"):
        segments.pop()
    for segment in segments:
        found = _TAG.fullmatch(segment)
        if found is None:
            raise TagError("malformed tag")
        name = found[1].decode()
        if name in tags:
            raise TagError(f"tag {name} is there twice")
        tags[name] = found[2].strip(b" \t\r\n")
    if not tags:
        raise TagError("no tags")
    return tags


def required(tags: dict[str, bytes], name: str) -> bytes:
    """The value of a tag that must be there. Raises TagError."""
    value = tags.get(name)
    if value is None:
        raise TagError(f"tag {name} is missing")
    return value


def decode_base64(name: str, value: bytes) -> bytes:
    """White space left out. Raises TagError."""
    try:
        return base64.b64decode(_SPACE.sub(b"", value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise TagError(f"tag {name} is not base64") from error


def number(name: str, value: bytes, *, digits: int) -> int:
    """A decimal number. Raises TagError."""
    if not value.isdigit() or len(value) > digits:
        raise TagError(f"tag {name} is not a number")
    return int(value)


def items(value: bytes) -> tuple[bytes, ...]:
    """A list separated by colons, items stripped."""
    return tuple(item.strip(b" \t\r\n") for item in value.split(b":"))


def text(name: str, value: bytes) -> str:
    """As text. Raises TagError when it is not UTF-8, or has white space in it."""
    if _SPACE.search(value):
        raise TagError(f"tag {name} has white space in it")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise TagError(f"tag {name} is not UTF-8") from error

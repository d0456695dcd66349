"""Comments in structured fields (RFC 5322 §3.2.2): where they end, and a value without them."""

import re

_PAREN = re.compile(rb"[()]|\\.", re.DOTALL)
_QUOTED_OR_PAREN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|\(', re.DOTALL)


def end(value: bytes, start: int) -> int | None:
    """The offset after the comment that begins at `start`, with all it nests; None when it is never closed."""
    depth = 0
    for match in _PAREN.finditer(value, start):
        if match[0] == b"(":
            depth += 1
        elif match[0] == b")":
            depth -= 1
            if not depth:
                return match.end()
    return None


def remove(value: bytes) -> bytes:
    """The value with a space for every comment outside quoted strings; one never closed runs to the end."""
    if b"(" not in value:
        return value
    kept: list[bytes] = []
    position = 0
    while match := _QUOTED_OR_PAREN.search(value, position):
        if match[0] == b"(":
            kept += value[position : match.start()], b" "
            position = end(value, match.start()) or len(value)
        else:
            kept.append(value[position : match.end()])
            position = match.end()
    kept.append(value[position:])
    return b"".join(kept)

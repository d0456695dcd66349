"""Reads CBOR (RFC 8949) as authenticators write it: of definite lengths, without tags and floats (CTAP2, section 8).

Attestation objects and public keys are small and flat, so depth and number of items have low limits.
"""

from typing import Final

#: Of arrays and maps within each other; an attestation has maps, arrays and values: three.
DEPTH: Final = 5
#: Of all values together, keys included.
ITEMS: Final = 128

Value = int | bytes | str | bool | None | list["Value"] | dict["int | str", "Value"]


class CBORError(ValueError):
    """Not CBOR as we read it."""


def decode(octets: bytes) -> Value:
    """The one value that these octets are. Raises CBORError."""
    value, end = decode_first(octets)
    if end != len(octets):
        raise CBORError("something follows the value")
    return value


def decode_first(octets: bytes, start: int = 0) -> tuple[Value, int]:
    """The value that begins at `start`, and where it ends. Raises CBORError."""
    reader = _Reader(octets, start)
    return reader.value(0), reader.at


class _Reader:
    def __init__(self, octets: bytes, start: int) -> None:
        self._octets = octets
        self._items = 0
        self.at = start

    def value(self, depth: int) -> Value:
        self._items += 1
        if self._items > ITEMS or depth > DEPTH:
            raise CBORError("too many values, or too deep")
        head = self._take(1)[0]
        major, argument = head >> 5, self._argument(head & 0x1F)  # RFC 8949 §3
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return self._take(argument)
            case 3:
                return self._text(argument)
            case 4:
                return [self.value(depth + 1) for _ in range(self._count(argument))]
            case 5:
                return self._map(argument, depth)
            case 7 if head in {0xF4, 0xF5, 0xF6}:
                return {0xF4: False, 0xF5: True, 0xF6: None}[head]
        raise CBORError("a tag, a float or another value that is not read here")

    def _argument(self, low: int) -> int:
        if low < 24:
            return low
        if low > 27:
            raise CBORError("an indefinite length, or a reserved one")
        return int.from_bytes(self._take(1 << (low - 24)), "big")

    def _take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self._octets):
            raise CBORError("it ends too early")
        taken = self._octets[self.at : end]
        self.at = end
        return taken

    def _count(self, argument: int) -> int:
        if argument > ITEMS:
            raise CBORError("too many values")
        return argument

    def _text(self, count: int) -> str:
        try:
            return self._take(count).decode()
        except UnicodeDecodeError as error:
            raise CBORError("a text that is not UTF-8") from error

    def _map(self, argument: int, depth: int) -> "dict[int | str, Value]":
        found: dict[int | str, Value] = {}
        for _ in range(self._count(argument)):
            key = self.value(depth + 1)
            if isinstance(key, bool) or not isinstance(key, int | str) or key in found:
                raise CBORError("a key that is neither number nor text, or there twice")
            found[key] = self.value(depth + 1)
        return found

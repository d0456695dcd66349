"""JSON of a request -> a value of the wanted type, by the rules that clients of this API know from its first server.

Those are of Go's `encoding/json`: keys in any case, unknown ones refused, `null` and what is absent are the zero value,
the last of doubled keys wins, and what follows the first value is not looked at. The type leads: nothing is taken in
that it has no place for, so neither depth nor number of values is the client's to choose.
"""

import codecs
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # written in C, unlike all that is built on it
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, get_args, get_origin

import msgspec

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.mail.status import Status

T = TypeVar("T", bound=msgspec.Struct)

_SPACE: Final = re.compile(r"[ \t\n\r]*+")
_NUMBER: Final = re.compile(r"(-?(?:0|[1-9][0-9]*+))(\.[0-9]++)?([eE][+-]?[0-9]++)?")
_INTEGER_CHARACTERS: Final = 20
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
#: RFC 3339 §5.6, in capitals as Go wants it.
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]++))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
#: Octets of text decoded at a time.
_SLICE_OCTETS: Final = 256 * 1024

#: Text and a place in it -> a value and the place behind it.
_Reader = Callable[[str, int], tuple[Any, int]]


class BadRequest(Problem):
    """Not a request: its form, its JSON, a key or a type."""

    kind, status = Kind.INVALID, Status(5, 5, 4)


def decode(octets: bytes, type: type[T]) -> T:
    """The first value in the octets, an object. Raises BadRequest."""
    text = octets.decode("utf-8", "replace") if len(octets) <= _SLICE_OCTETS else _in_slices(octets)
    try:
        value, _ = _reader(type)(text, _skip(text, 0))
    except JSONDecodeError as error:
        raise BadRequest(f"invalid JSON: {error}") from error
    except IndexError as error:
        raise BadRequest("invalid JSON: it ends too early") from error
    result: T = value
    return result


def _in_slices(octets: bytes) -> str:
    """The text; one call would hold up everybody else for as long as it takes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    starts = range(0, len(octets), _SLICE_OCTETS)
    return "".join(decoder.decode(octets[at : at + _SLICE_OCTETS], at + _SLICE_OCTETS >= len(octets)) for at in starts)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


@lru_cache(maxsize=256)
def _reader(type: Any) -> _Reader:
    """What reads a value of a type."""
    origin, arguments = get_origin(type), get_args(type)
    if origin is UnionType:  # With None: what is unset stays unset.
        wanted = _reader(next(one for one in arguments if one is not NoneType))
        return _nullable(wanted, lambda: None)
    if type in _PLAIN:
        zero = _ZEROS.get(type)
        return _nullable(_PLAIN[type], lambda: zero)
    if origin is list:
        return _nullable(_list(_reader(arguments[0])), list)
    if origin is tuple:
        return _nullable(_fixed(tuple(map(_reader, arguments)), tuple("" for _ in arguments)), tuple)
    if origin is dict:
        return _nullable(_map(_reader(arguments[1])), dict)
    assert issubclass(type, msgspec.Struct)
    return _nullable(_object(type), type)


def _nullable(read: _Reader, zero: Callable[[], Any]) -> _Reader:
    def nullable(text: str, at: int) -> tuple[Any, int]:
        if text.startswith("null", at):
            return zero(), at + 4
        return read(text, at)

    return nullable


def _wrong(wanted: str, text: str, at: int) -> BadRequest:
    return BadRequest(f"invalid JSON: {wanted} is wanted at character {at}, not {text[at : at + 20]!r}")


def _string(text: str, at: int) -> tuple[str, int]:
    if text[at] != '"':
        raise _wrong("a string", text, at)
    value, end = scanstring(text, at + 1, True)
    return (value if value.isascii() else _SURROGATE.sub("\ufffd", value)), end


def _integer(text: str, at: int) -> tuple[int, int]:
    found = _NUMBER.match(text, at)
    if found is None or found[2] or found[3] or len(found[1]) > _INTEGER_CHARACTERS:
        raise _wrong("an integer", text, at)
    value = int(found[1])
    if not -(2**63) <= value < 2**63:
        raise _wrong("an integer of 64 bits", text, at)
    return value, found.end()


def _boolean(text: str, at: int) -> tuple[bool, int]:
    if text.startswith("true", at):
        return True, at + 4
    if text.startswith("false", at):
        return False, at + 5
    raise _wrong("true or false", text, at)


def _moment(text: str, at: int) -> tuple[datetime, int]:
    value, end = _string(text, at)
    found = _TIME.fullmatch(value)
    try:
        if found is None:
            raise ValueError(value)
        zone = "+00:00" if found[3] == "Z" else found[3]
        # Python counts microseconds.
        moment = datetime.fromisoformat(f"{found[1]}.{(found[2] or '')[:6]:0<6}{zone}")
        return moment.astimezone(UTC) if found[3] == "Z" else moment, end
    except (ValueError, OverflowError):
        raise _wrong("a time as in RFC 3339", text, at) from None


def _list(read: _Reader) -> _Reader:
    def values(text: str, at: int) -> tuple[list[Any], int]:
        if text[at] != "[":
            raise _wrong("a list", text, at)
        found: list[Any] = []
        at = _skip(text, at + 1)
        if text[at] == "]":
            return found, at + 1
        while True:
            value, at = read(text, at)
            found.append(value)
            if len(found) > limits.WEBAPI_VALUES:
                raise BadRequest(f"a list has more than {limits.WEBAPI_VALUES} entries")
            at = _skip(text, at)
            if text[at] == "]":
                return found, at + 1
            at = _skip(text, _after_comma(text, at))

    return values


def _fixed(reads: tuple[_Reader, ...], zeros: tuple[Any, ...]) -> _Reader:
    """So many values; of fewer the rest is zero, others are too many."""
    every = _list(reads[0])

    def values(text: str, at: int) -> tuple[tuple[Any, ...], int]:
        found, end = every(text, at)
        if len(found) > len(reads):
            raise _wrong(f"a list of {len(reads)}", text, at)
        return (*found, *zeros[len(found) :]), end

    return values


def _map(read: _Reader) -> _Reader:
    def entries(text: str, at: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}

        def take(key: str, at: int) -> int:
            found[key], at = read(text, at)
            if len(found) > limits.WEBAPI_VALUES:
                raise BadRequest(f"an object has more than {limits.WEBAPI_VALUES} keys")
            return at

        return found, _members(text, at, take)

    return entries


def _object(type: type[msgspec.Struct]) -> _Reader:
    fields = {one.encode_name.lower(): (one.name, _reader(one.type)) for one in msgspec.structs.fields(type)}

    def value(text: str, at: int) -> tuple[msgspec.Struct, int]:
        found: dict[str, Any] = {}

        def take(key: str, at: int) -> int:
            field = fields.get(key.lower())
            if field is None:
                raise BadRequest(f"unknown field {key[:100]!r}")
            found[field[0]], at = field[1](text, at)
            return at

        end = _members(text, at, take)
        return type(**found), end

    return value


def _members(text: str, at: int, take: Callable[[str, int], int]) -> int:
    """Go through the keys of an object: `take` reads the value of one, and returns the place behind it."""
    if text[at] != "{":
        raise _wrong("an object", text, at)
    at = _skip(text, at + 1)
    if text[at] == "}":
        return at + 1
    keys = 0
    while True:
        key, at = _string(text, at)
        at = _skip(text, at)
        if text[at] != ":":
            raise _wrong("a colon", text, at)
        at = _skip(text, take(key, _skip(text, at + 1)))
        if text[at] == "}":
            return at + 1
        keys += 1
        if keys > limits.WEBAPI_VALUES:
            raise BadRequest(f"an object has more than {limits.WEBAPI_VALUES} keys")
        at = _skip(text, _after_comma(text, at))


def _after_comma(text: str, at: int) -> int:
    if text[at] != ",":
        raise _wrong("a comma", text, at)
    return at + 1


_PLAIN: Final[dict[Any, _Reader]] = {str: _string, int: _integer, bool: _boolean, datetime: _moment}
_ZEROS: Final[dict[Any, Any]] = {str: "", int: 0, bool: False}

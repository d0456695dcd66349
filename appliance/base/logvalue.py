"""How a value looks in a log line: text, never more than a bound, never with a control character left in it.

Structured values show their simple public fields as `name=value`, their nested ones only when nothing else would be
shown, lists as `[a;b]`; fields marked `repr=False` (secrets) are never shown.
"""

import dataclasses
import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Set as AbstractSet
from datetime import UTC, date, datetime, timedelta
from typing import Any

#: Characters of one value, octets of traced protocol excepted.
VALUE_CHARACTERS = 8192
#: Elements shown of one list, fields of one object.
ELEMENTS = 50
DEPTH = 4

#: What stands in a logfmt line without quotes: printable ASCII except space, quote, backslash and `=`.
_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def text_of(value: Any, limit: int = VALUE_CHARACTERS) -> str:
    """One value as text, not yet quoted, of at most `limit` characters and a word about the rest."""
    text = value if type(value) is str else _text(value, 0)
    if len(text) > limit:
        return f"{text[:limit]}...+{len(text) - limit}"
    return text


def quoted(text: str) -> str:
    """`text` as a logfmt value: as it is when that is harmless, otherwise in quotes with escapes."""
    if _PLAIN.fullmatch(text):
        return text
    return f'"{escaped(text)}"'


def escaped(text: str) -> str:
    """`text` with quotes, backslashes and everything unprintable written as escapes: one line, safe on a terminal."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join([c if c.isprintable() and c not in '"\\' else _escape(c) for c in text])


def seconds_text(seconds: float) -> str:
    """A duration with its unit, to the microsecond: `0.0125s`."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def _escape(character: str) -> str:
    if (known := _ESCAPES.get(character)) is not None:
        return known
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _text(value: Any, depth: int) -> str:
    if (simple := _simple(value)) is not None:
        return simple
    if depth >= DEPTH:
        return _name(value)
    if isinstance(value, (list, tuple, AbstractSet)) and not hasattr(value, "_fields"):
        return _list(value, depth)
    return _object(value, depth) or _name(value)


def _simple(value: Any) -> str | None:
    """The text of a value without parts; None if it has parts."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case enum.Enum():
            return value.value if isinstance(value.value, str) else (value.name or "").lower()
        case str():
            return str(value)
        case int() | float():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return str(bytes(value[: 4 * VALUE_CHARACTERS]), "ascii", "backslashreplace")
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
        case date():
            return value.isoformat()
        case timedelta():
            return seconds_text(value.total_seconds())
        case BaseException():
            return error_text(value)
    # A type with words of its own for people (an address, a path, an IP address) is asked for them.
    has_words = getattr(type(value), "__str__", None) is not getattr(object, "__str__", None)
    return str(value) if has_words and not isinstance(value, Mapping) else None


def error_text(error: BaseException) -> str:
    """What went wrong, with the kind when the text alone would not say it, and what a group holds."""
    if isinstance(error, BaseExceptionGroup):
        inner = "; ".join(error_text(e) for e in error.exceptions[:ELEMENTS])
        return f"{error.message}: {inner}"
    name, text = type(error).__name__, str(error)
    if not text:
        return name
    return f"{name}: {text}" if isinstance(error, (KeyError, AssertionError, IndexError)) else text


def _list(value: Iterable[Any], depth: int) -> str:
    shown: list[str] = []
    rest = 0
    for element in value:
        if len(shown) == ELEMENTS:
            rest += 1
        else:
            shown.append(_text(element, depth + 1) or _name(element))
    if rest:
        shown.append(f"...+{rest}")
    return f"[{';'.join(shown)}]"


def _object(value: Any, depth: int) -> str:
    simple, nested = [], []
    for count, (name, part) in enumerate(_fields(value)):
        if count == ELEMENTS:
            simple.append("...")
            break
        if (text := _simple(part)) is None:
            nested.append((name, part))
        elif text and part is not False:
            simple.append(f"{name}={text}")
    if not simple:
        shown = ((name, _text(part, depth + 1)) for name, part in nested)
        simple = [f"{name}={text}" for name, text in shown if text not in {"", "[]"}]
    return " ".join(simple)


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """The public fields of an object, names in lower case."""
    names: Iterable[Any]
    if isinstance(value, Mapping):
        yield from ((str(name).lower(), part) for name, part in value.items())
        return
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.repr]
    else:
        names = getattr(value, "_fields", None) or getattr(value, "__struct_fields__", None) or ()
        names = names or getattr(value, "__dict__", ())
    for name in names:
        if not name.startswith("_"):
            yield name.lower(), getattr(value, name, None)


def _name(value: Any) -> str:
    return type(value).__name__.lower()

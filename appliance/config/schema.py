"""How a TOML table becomes a frozen object: every fault found, each with its path; nothing stops at the first.

The structs of `static` and `domains` are the schema. A field's type says how its value is read, its default whether
it must be there, its `doc` what it means; `describe` makes the commented templates from the same three.

An empty string and a zero mean the same as an absent key. Where a table may be absent but has a default object, keys
missing in the table come from that object: this is how one `Service` has its own port and path in each place.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from appliance.config.errors import KeyPath, Report
from appliance.config.spelling import camel
from appliance.config.values import Size, Value

TableType = TypeVar("TableType", bound="Table")


class Table(msgspec.Struct, frozen=True, kw_only=True, rename=camel, forbid_unknown_fields=True):
    """A table of a config file. Immutable, and so is all that hangs on it.

    The web APIs take and give tables as they are; only there names are spelled as in JSON.
    """


def doc(text: str) -> msgspec.Meta:
    """What a key means, in a sentence or two; kept with its type."""
    return msgspec.Meta(description=text)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value; `type` is bool, int, float, str, a class of `values`, or a Literal of strings."""

    type: Any
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SubTable:
    """A table with its own keys."""

    type: type[Table]


@dataclass(frozen=True, slots=True)
class MapOf:
    """A table whose keys the operator chooses."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array."""

    item: "Shape"


Shape = Leaf | SubTable | MapOf | ListOf


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table."""

    name: str
    #: Of the object; another than the name where that is a word of Python.
    attribute: str
    shape: Shape
    doc: str
    is_required: bool
    #: What an absent key means; None also where there is nothing.
    default: Any
    #: Whether keys missing in a sub-table that is there come from `default`.
    lends_defaults: bool


@lru_cache(maxsize=256)
def keys_of(table: type[Table]) -> Mapping[str, Key]:
    """The keys of a table, in the order of the schema."""
    hints = get_type_hints(table, include_extras=True)
    keys = {}
    for field in msgspec.structs.fields(table):
        has_factory = field.default_factory is not msgspec.NODEFAULT
        default = None if field.default is msgspec.NODEFAULT else field.default
        # `from_`: the key is a word of Python.
        name = field.name.rstrip("_")
        keys[name] = Key(
            name=name,
            attribute=field.name,
            shape=_shape_of(hints[field.name]),
            doc=_doc_of(hints[field.name]),
            is_required=field.required,
            default=field.default_factory() if has_factory else default,
            lends_defaults=isinstance(default, Table),
        )
    return keys


def _doc_of(hint: Any) -> str:
    for note in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        if isinstance(note, msgspec.Meta) and note.description:
            return note.description
    return ""


def _shape_of(hint: Any) -> Shape:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _shape_of(args[0])
    if origin in {Union, types.UnionType}:
        (inner,) = (arg for arg in args if arg is not type(None))
        return _shape_of(inner)
    if origin is Literal:
        return Leaf(str, args)
    if origin is tuple:
        return ListOf(_shape_of(args[0]))
    if origin is not None and issubclass(origin, Mapping):
        return MapOf(_shape_of(args[1]))
    if issubclass(hint, Table):
        return SubTable(hint)
    return Leaf(hint)


def read_table(
    table: type[TableType],
    raw: object,
    path: KeyPath,
    report: Report,
    lender: Table | None = None,
) -> TableType:
    """The table that `raw` (as tomllib parsed it) means.

    Whatever is wrong goes to the report as misshapen; harmless values stand in for it, so that the rules can
    still judge the rest. Keys that are absent come from `lender` if there is one.
    """
    if not isinstance(raw, dict):
        report.misshapen(path, f"must be a table, not {_kind_of(raw)}")
        raw = {}
        report = Report()  # the keys it lacks are no news
    keys = keys_of(table)
    for name in raw:
        if name not in keys:
            close = get_close_matches(name, keys, n=1)
            report.misshapen((*path, name), "unknown key", f"did you mean `{close[0]}`?" if close else "")
    values = {}
    for name, key in keys.items():
        value = None
        if name in raw:
            inner_lender = key.default if key.lends_defaults else None
            value = _read(key.shape, raw[name], (*path, name), report, inner_lender)
        if value is None:
            if lender is not None:
                value = getattr(lender, key.attribute)
            elif not key.is_required:
                continue
            else:
                if raw.get(name, "") == "":
                    report.misshapen((*path, name), "is required")
                value = _stand_in(key.shape)
        values[key.attribute] = value
    return table(**values)


def _read(shape: Shape, raw: object, path: KeyPath, report: Report, lender: Table | None = None) -> Any:
    """The value, or None when it means the same as absent, or is misshapen."""
    if isinstance(shape, Leaf):
        return _read_leaf(shape, raw, path, report)
    if isinstance(shape, SubTable):
        return read_table(shape.type, raw, path, report, lender)
    if isinstance(shape, ListOf):
        if not isinstance(raw, list):
            report.misshapen(path, f"must be an array, not {_kind_of(raw)}")
            return None
        items = [_read_item(shape.item, item, (*path, index), report) for index, item in enumerate(raw)]
        return tuple(items)
    if not isinstance(raw, dict):
        report.misshapen(path, f"must be a table, not {_kind_of(raw)}")
        return None
    return {name: _read_item(shape.item, item, (*path, name), report) for name, item in raw.items()}


def _read_item(shape: Shape, raw: object, path: KeyPath, report: Report) -> Any:
    value = _read(shape, raw, path, report)
    if value is not None:
        return value
    if raw == "" and not (isinstance(shape, Leaf) and shape.type is str):
        report.misshapen(path, "must not be empty")
    return _stand_in(shape)


def _read_leaf(shape: Leaf, raw: object, path: KeyPath, report: Report) -> Any:
    kind = shape.type
    if shape.choices:
        if raw in shape.choices or raw == "":
            return raw or None
        report.misshapen(path, f"must be one of: {', '.join(shape.choices)}")
        return None
    if kind is float and type(raw) is int:
        raw = float(raw)
    if not isinstance(raw, _accepted(kind)) or (isinstance(raw, bool) and kind is not bool):
        report.misshapen(path, f"must be {_wanted(kind)}, not {_kind_of(raw)}")
        return None
    if raw == "" or (not raw and kind is not bool):
        return None
    if kind in {bool, int, float, str}:
        return raw
    try:
        return kind(raw)
    except ValueError as error:
        report.misshapen(path, str(error))
        return None


def _accepted(kind: type) -> tuple[type, ...]:
    if issubclass(kind, Size):
        return (int, str)
    return (
        (str,) if issubclass(kind, str) else (bool,) if kind is bool else (int,) if issubclass(kind, int) else (kind,)
    )


_WANTED = {bool: "true or false", float: "a number", int: "an integer", str: "a string"}


def _wanted(kind: type) -> str:
    from appliance.config.values import Duration

    if kind is Duration:
        return 'a duration such as "72h"'
    if issubclass(kind, Size):
        return "an integer, or a string with suffix k, M or G"
    return next(text for base, text in _WANTED.items() if issubclass(kind, base))


def _kind_of(raw: object) -> str:
    if isinstance(raw, dict):
        return "a table"
    if isinstance(raw, list):
        return "an array"
    for base, text in _WANTED.items():
        if isinstance(raw, base):
            return "a boolean" if base is bool else text
    return "a date or time"


def _stand_in(shape: Shape) -> Any:
    """A harmless value of the right type, in place of one that could not be read."""
    if isinstance(shape, SubTable):
        return read_table(shape.type, {}, (), Report())
    if isinstance(shape, ListOf):
        return ()
    if isinstance(shape, MapOf):
        return {}
    return example(shape)


def example(leaf: Leaf) -> Any:
    """A value a single key could have."""
    if leaf.choices:
        return leaf.choices[0]
    if issubclass(leaf.type, Value):
        return leaf.type(leaf.type.EXAMPLE)
    if leaf.type in {bool, float, str}:
        return leaf.type()
    return leaf.type(1)


def plain_table(value: Table, default: Table | None = None) -> dict[str, Any]:
    """The table as TOML would hold it: plain values, keys equal to their default left out."""
    result = {}
    for name, key in keys_of(type(value)).items():
        item = getattr(value, key.attribute)
        usual = getattr(default, key.attribute) if default is not None else key.default
        if item is None or (item == usual and not key.is_required) or (default is not None and item == usual):
            continue
        result[name] = plain_value(item, key.default if key.lends_defaults else None)
    return result


def plain_value(value: Any, default: Table | None = None) -> Any:
    """A value of the schema as TOML would hold it."""
    if isinstance(value, Table):
        return plain_table(value, default)
    if isinstance(value, Mapping):
        return {str(name): plain_value(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, Value):
        return str.__str__(value)
    return value if isinstance(value, bool | float | str) else int(cast(int, value))

"""Changing a TOML document and nothing else in it: comments and the order of untouched tables stay.

The document is tomlkit's. Paths are those of `errors.KeyPath`. Values are plain: what tomllib would give.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from appliance.config.errors import KeyPath, dotted
from appliance.config.schema import ListOf, MapOf, Shape, SubTable, Table, keys_of, plain_table, plain_value

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


class NoSuchKey(LookupError):
    """There is no value at this path of the document."""


def get_value(document: "TOMLDocument", path: KeyPath) -> Any:
    """The value at a path, as it stands in the document. Raises NoSuchKey."""
    value: Any = document
    for depth, key in enumerate(path):
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            raise NoSuchKey(dotted(path[: depth + 1])) from None
    return value


def set_value(document: "TOMLDocument", path: KeyPath, value: Any) -> None:
    """Set the value at a path: a plain value, a list, or a dict for a table. Tables on the way are made.

    An integer at the end of a path that is the length of an array appends to it. Raises NoSuchKey when the way
    leads through something that is no table.
    """
    parent: Any = document
    for depth, key in enumerate(path[:-1]):
        if isinstance(key, str) and isinstance(parent, Mapping) and key not in parent:
            _put(parent, key, {})
        try:
            parent = parent[key]
        except (KeyError, IndexError, TypeError):
            raise NoSuchKey(dotted(path[: depth + 1])) from None
    key = path[-1]
    is_table = isinstance(parent, Mapping) and isinstance(key, str)
    is_place = isinstance(parent, list) and isinstance(key, int) and 0 <= key <= len(parent)
    if not (is_table or is_place):
        raise NoSuchKey(dotted(path))
    _put(parent, key, value)


def remove(document: "TOMLDocument", path: KeyPath) -> None:
    """Take away the value or table at a path. What stands in the file only by its parts goes with the last of them.

    Raises NoSuchKey.
    """
    parent = get_value(document, path[:-1])
    get_value(document, path)
    del parent[path[-1]]
    # A table without a header of its own is only there for what is in it.
    if not len(parent) and path[:-1] and (isinstance(path[-1], int) or _has_no_header(parent)):
        remove(document, path[:-1])


def _has_no_header(table: Any) -> bool:
    from tomlkit.items import Table as TOMLTable

    return isinstance(table, TOMLTable) and bool(table.is_super_table())


def update_table(document: "TOMLDocument", path: KeyPath, before: Table | None, after: Table) -> None:
    """Write what differs between two states of a table of the schema; `before` is None for a new table.

    A value that is now the default is written only where the key stands in the file already.
    """
    if before is None:
        set_value(document, path, plain_table(after))
        return
    target = get_value(document, path)
    _merge(target, SubTable(type(after)), plain_table(before), plain_table(after))


def _merge(target: Any, shape: Shape, before: Any, after: Any) -> None:
    if isinstance(shape, ListOf):
        _merge_list(target, shape, before, after)
        return
    keys = keys_of(shape.type) if isinstance(shape, SubTable) else {}
    names = [*keys, *before, *after] if not keys else list(keys)
    for name in dict.fromkeys(names):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        inner = keys[name].shape if keys else shape.item if isinstance(shape, MapOf) else None
        if new is None:
            usual = keys[name].default if keys else None
            if usual is not None and not isinstance(usual, Table | Mapping | tuple) and name in target:
                _put(target, name, plain_value(usual))
            elif name in target:
                del target[name]
        elif inner is None or old is None or name not in target or not _is_deep(inner):
            if not (isinstance(old, list) and isinstance(new, list) and _change_array(target.get(name), old, new)):
                _put(target, name, new)
        else:
            _merge(target[name], inner, old, new)


def _change_array(array: Any, before: list[Any], after: list[Any]) -> bool:
    """Take out and append single values, so that comments beside the others stay; whether that could be done."""
    from tomlkit.items import Array

    kept = [value for value in before if value in after]
    # Where the file spells a value otherwise than we do, places still match, but order must.
    if not isinstance(array, Array) or len(array) != len(before) or after[: len(kept)] != kept:
        return False
    for index in range(len(before) - 1, -1, -1):
        if before[index] not in after:
            del array[index]
    for value in after[len(kept) :]:
        array.append(_item(value, inline=True))
    return True


def _is_deep(shape: Shape) -> bool:
    return isinstance(shape, SubTable | MapOf) or (isinstance(shape, ListOf) and isinstance(shape.item, SubTable))


def _merge_list(target: Any, shape: ListOf, before: list[Any], after: list[Any]) -> None:
    """Tables that stay in their place keep their comments; an array that holds no tables is never merged."""
    for index in range(min(len(before), len(after))):
        if before[index] != after[index]:
            _merge(target[index], shape.item, before[index], after[index])
    for index in range(len(before), len(after)):
        _put(target, index, after[index])
    for index in range(len(before) - 1, len(after) - 1, -1):
        del target[index]


def _put(parent: Any, key: str | int, value: Any) -> None:
    """Set one key of a table, or one place of an array, in the style of its surroundings."""
    from tomlkit.items import AoT, Array, InlineTable, Table as TOMLTable

    item = _item(value, inline=isinstance(parent, InlineTable | Array))
    if isinstance(key, str) and isinstance(item, TOMLTable) and isinstance(parent.get(key), AoT):
        del parent[key]  # Put into its place, a table would have no end of line behind its header.
    if isinstance(key, int) and key == len(parent):
        parent.append(item)
    else:
        parent[key] = item


def _item(value: Any, *, inline: bool) -> Any:
    import tomlkit

    if isinstance(value, dict):
        table: Any = tomlkit.inline_table() if inline else tomlkit.table()
        # A plain value behind a sub-table would belong to that; sub-tables come last.
        for name in sorted(value, key=lambda name: _depth(value[name])):
            table.append(name, _item(value[name], inline=inline))
        return table
    if isinstance(value, list):
        if value and not inline and all(isinstance(one, dict) for one in value):
            tables = tomlkit.aot()
            for one in value:
                tables.append(_item(one, inline=False))
            return tables
        array = tomlkit.array()
        for one in value:
            array.append(_item(one, inline=True))
        return array
    return tomlkit.item(value)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1
    return 2 if isinstance(value, list) and any(isinstance(one, dict) for one in value) else 0

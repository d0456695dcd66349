"""Writes the TypeScript side of the web APIs: the types and one typed function for each function of the tables.

build/typescript_api.py          writes frontend/src/api/account.ts, admin.ts, webmail.ts, shared.ts
build/typescript_api.py --check  only says whether they are what the tables say
"""

import re
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path

from msgspec import inspect

from appliance.servers.web import openapi
from appliance.servers.web.account.table import TABLE as ACCOUNT
from appliance.servers.web.admin.table import TABLE as ADMIN
from appliance.servers.web.api import Method, Table
from appliance.servers.web.webmail.table import TABLE as WEBMAIL

FOLDER = Path(__file__).resolve().parent.parent / "frontend" / "src" / "api"
TABLES = {"account.ts": ACCOUNT, "admin.ts": ADMIN, "webmail.ts": WEBMAIL}
#: Types that more than one of them has.
SHARED = "shared.ts"
MADE = "made by build/typescript_api.py of the server's tables: do not edit."
_NO_TYPES = re.compile(r"'[^']*'|\b(?:interface|function) \w+|\w+\??:")
#: Words of TypeScript, which cannot name a parameter.
RESERVED = {"default", "delete", "enum", "function", "in", "new", "package", "private", "public", "with"}


def modules() -> dict[str, str]:
    """All files by their names, with their text."""
    structs = {name: _structs(table) for name, table in TABLES.items()}
    common = _common(list(structs.values()))
    found = {SHARED: "\n".join([f"// Types of several applications, {MADE}", "", *_all(common)])}
    for name, table in TABLES.items():
        found[name] = _module(table, structs[name], common)
    return found


def _common(structs: list[dict[str, list[str]]]) -> dict[str, list[str]]:
    """What is the same wherever it is, and speaks of such types only; not what has the name of a function."""
    functions = {name for table in TABLES.values() for name in table.methods}
    places = Counter(name for each in structs for name in each)
    found = {
        name: text
        for each in structs
        for name, text in each.items()
        if places[name] > 1 and name not in functions and all(other.get(name, text) == text for other in structs)
    }
    names = set(places)
    while left := {name for name, text in found.items() if _named(text, names) - found.keys()}:
        for name in left:
            del found[name]
    return found


def _named(lines: list[str], names: Set[str]) -> set[str]:
    """Types that code speaks of, beside names of functions, parameters and fields, and what comments say."""
    code = " ".join(line for line in lines if not line.strip().startswith(("/**", "*")))
    return names & set(re.findall(r"\w+", _NO_TYPES.sub(" ", code)))


def _structs(table: Table) -> dict[str, list[str]]:
    """The interfaces of a table, by name."""
    found = {}
    for name, kind in sorted(openapi.structs(openapi.types_of(table)).items()):
        lines = [*_comment(kind.cls.__doc__ or "", ""), f"export interface {name} {{"]
        for field in kind.fields:
            note = field.type.extra_json_schema if isinstance(field.type, inspect.Metadata) else None
            lines += _comment(str((note or {}).get("description", "")), "  ")
            lines.append(f"  {field.encode_name}: {openapi.words_of(field.type)}")
        found[name] = [*lines, "}", ""]
    return found


def _all(structs: Mapping[str, list[str]]) -> list[str]:
    return [line for name in sorted(structs) for line in structs[name]]


def _module(table: Table, structs: Mapping[str, list[str]], common: Mapping[str, list[str]]) -> str:
    """The text of one module; it has the names of all its types, wherever they are written."""
    lines = _all({name: text for name, text in structs.items() if name not in common})
    lines += ["/** What the stream of events tells, by kind. */", "export interface Events {"]
    lines += [f"  {one.__name__}: {one.__name__}" for one in table.events]
    lines += ["}", ""]
    kinds = ", ".join(f"'{one.__name__}'" for one in table.events)
    lines += [f"export const EVENT_KINDS: readonly (keyof Events)[] = [{kinds}]", ""]
    for method in table.methods.values():
        lines += _function(method)
    head = [f"// The functions of {table.title}, {MADE}", ""]
    head += _names("import", sorted(_named(lines, structs.keys() & common.keys())))
    head += ["import { call } from './wire'", ""]
    if shared := sorted(structs.keys() & common.keys()):
        head += [*_names("export", shared), ""]
    return "\n".join([*head, *lines])


def _names(verb: str, names: list[str]) -> list[str]:
    if not names:
        return []
    rows = textwrap.wrap(f"{', '.join(names)},", 110, break_long_words=False)
    return [f"{verb} type {{", *(f"  {row}" for row in rows), f"}} from './{SHARED.removesuffix('.ts')}'"]


def _function(method: Method) -> list[str]:
    shapes = inspect.multi_type_info([*(one.type for one in method.parameters), method.result])
    *words, result = [openapi.words_of(one) for one in shapes]
    names = [_local(one.name) for one in method.parameters]
    typed = [
        f"{name}{'' if one.is_required else '?'}: {word}"
        for name, one, word in zip(names, method.parameters, words, strict=True)
    ]
    kind = "void" if result == "null" else result
    # One that is left out would be null in JSON; where any may be, they go by name, and it is not sent.
    params = f"[{', '.join(names)}]"
    if not all(one.is_required for one in method.parameters):
        pairs = zip((one.name for one in method.parameters), names, strict=True)
        params = f"{{ {', '.join(f'{key}: {value}' for key, value in pairs)} }}"
    return [
        *_comment(method.doc, ""),
        f"export function {method.name}({', '.join(typed)}): Promise<{kind}> {{",
        f"  return call<{kind}>('{method.name}', {params})",
        "}",
        "",
    ]


def _local(name: str) -> str:
    """The name of a parameter: as in JSON, but with a small first word."""
    head = 0
    while head < len(name) and name[head].isupper():
        head += 1
    head = head if head in {1, len(name)} else head - 1
    local = name[:head].lower() + name[head:]
    return f"{local}_" if local in RESERVED else local


def _comment(text: str, indent: str) -> list[str]:
    written = text.strip().replace("*/", "* /").splitlines()
    lines = [one for line in written for one in textwrap.wrap(line, 110) or [""]]
    if not lines:
        return []
    if len(lines) == 1:
        return [f"{indent}/** {lines[0]} */"]
    return [f"{indent}/**", *(f"{indent} *{f' {line}' if line else ''}" for line in lines), f"{indent} */"]


def stale() -> list[str]:
    """The files that are not what the tables say."""
    return [
        name for name, text in modules().items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text
    ]


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        for name in stale():
            print(f"{FOLDER / name} is stale: run build/typescript_api.py", file=sys.stderr)
        return 1 if stale() else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in modules().items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

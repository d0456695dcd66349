"""What an application's functions look like, for programs (OpenAPI 3.1) and for people; made of the same table."""

from collections.abc import Callable, Iterable
from html import escape
from typing import Any, Final

import msgspec
import trio
from msgspec import inspect

from appliance import __version__
from appliance.config.values import Duration
from appliance.servers.web.api import Method, Scope, Table, to_json
from appliance.servers.web.respond import HTML, Response

JSON: Final = "application/json"
_PLAIN: Final[dict[type, dict[str, Any]]] = {
    inspect.AnyType: {},
    inspect.NoneType: {"type": "null"},
    inspect.BoolType: {"type": "boolean"},
    inspect.IntType: {"type": "integer"},
    inspect.FloatType: {"type": "number"},
    inspect.StrType: {"type": "string"},
    inspect.BytesType: {"type": "string", "contentEncoding": "base64"},
    inspect.DateTimeType: {"type": "string", "format": "date-time"},
    inspect.RawType: {},
}


class Described:
    """The documents of one table, made when they are first asked for."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._made: dict[str, Response] = {}
        self._lock = trio.Lock()

    async def document(self) -> Response:
        """The OpenAPI document."""
        return await self._once("document", lambda: Response(200, _encoded(self._table), JSON, _CACHE, validated=True))

    async def page(self) -> Response:
        """The same in short, to be read."""
        return await self._once(
            "page", lambda: Response(200, _page(self._table).encode(), HTML, _CACHE, validated=True)
        )

    async def _once(self, name: str, make: Callable[[], Response]) -> Response:
        async with self._lock:
            if name not in self._made:
                self._made[name] = await trio.to_thread.run_sync(make)
            return self._made[name]


_CACHE: Final = {"cache-control": "no-cache"}


def structs(types: Iterable[Any]) -> dict[str, inspect.StructType]:
    """All structs that types are made of, by name. Raises ValueError when two have one name."""
    found: dict[str, inspect.StructType] = {}

    def look(kind: inspect.Type) -> None:
        match kind:
            case inspect.StructType():
                name = kind.cls.__name__
                if name in found:
                    if found[name].cls is not kind.cls:
                        raise ValueError(f"two structs of the API are called {name}")
                    return
                found[name] = kind
                for one in kind.fields:
                    look(one.type)
            case inspect.UnionType():
                for inner in kind.types:
                    look(inner)
            case inspect.Metadata():
                look(kind.type)
            case inspect.ListType() | inspect.VarTupleType() | inspect.CollectionType():
                look(kind.item_type)
            case inspect.TupleType():
                for inner in kind.item_types:
                    look(inner)
            case inspect.DictType():
                look(kind.key_type)
                look(kind.value_type)

    for one in inspect.multi_type_info(list(types)):
        look(one)
    return found


def types_of(table: Table) -> list[Any]:
    """The types of all parameters, results and events."""
    found = [
        kind
        for one in table.methods.values()
        for kind in (*(parameter.type for parameter in one.parameters), one.result)
    ]
    return [*found, *table.events]


def schema(kind: inspect.Type) -> dict[str, Any]:
    """The JSON schema of a type; structs are referred to."""
    plain = _PLAIN.get(type(kind))
    if plain is not None:
        return dict(plain)
    match kind:
        case inspect.StructType():
            return {"$ref": f"#/components/schemas/{kind.cls.__name__}"}
        case inspect.Metadata():
            return {**schema(kind.type), **(kind.extra_json_schema or {})}
        case inspect.UnionType():
            return {"anyOf": [schema(one) for one in kind.types]}
        case inspect.ListType() | inspect.VarTupleType() | inspect.CollectionType():
            return {"type": "array", "items": schema(kind.item_type)}
        case inspect.TupleType():
            of = [schema(one) for one in kind.item_types]
            return {"type": "array", "prefixItems": of, "minItems": len(of), "maxItems": len(of)}
        case inspect.DictType():
            return {"type": "object", "additionalProperties": schema(kind.value_type)}
        case inspect.LiteralType():
            return {"enum": list(kind.values)}
        case inspect.EnumType():
            return {"enum": [one.value for one in kind.cls]}
        case inspect.CustomType():
            return _custom(kind.cls)
    raise TypeError(f"{kind} is no type of the API")


def _custom(kind: type) -> dict[str, Any]:
    """Checked values of the configuration."""
    about = (kind.__doc__ or "").partition("\n")[0]
    if kind is Duration:
        return {"type": "integer", "description": "A time span in nanoseconds.", "minimum": 0}
    return {"type": "integer" if issubclass(kind, int) else "string", "description": about}


def _struct(kind: inspect.StructType) -> dict[str, Any]:
    properties = {}
    for one in kind.fields:
        shape = schema(one.type)
        if one.default is not msgspec.NODEFAULT:
            shape["default"] = msgspec.to_builtins(one.default, enc_hook=to_json, str_keys=True)
        properties[one.encode_name] = shape
    return {
        "type": "object",
        "description": (kind.cls.__doc__ or "").strip(),
        "properties": properties,
        "required": [one.encode_name for one in kind.fields if one.required],
        "additionalProperties": False,
    }


_ERROR: Final = {
    "type": "object",
    "properties": {
        "code": {
            "type": "string",
            "description": "user:error, user:noAuth, user:badAuth, user:loginFailed, user:codeWanted, server:error or "
            "sherpa:badFunction",
        },
        "message": {"type": "string"},
    },
    "required": ["code", "message"],
}


def document(table: Table) -> dict[str, Any]:
    """The OpenAPI document of a table."""
    methods = list(table.methods.values())
    found = structs(types_of(table))
    kinds = [one.__name__ for one in table.events]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": table.title,
            "version": __version__,
            "description": "Functions are called with POST and JSON. Every answer has a result or an error. The stream "
            f"of server-sent events at ../events, for sessions, tells: {', '.join(kinds)}.",
        },
        "servers": [{"url": "."}],
        "paths": {f"/{one.name}": {"post": _operation(one)} for one in methods},
        "components": {
            "schemas": {"Error": _ERROR, **{name: _struct(kind) for name, kind in found.items()}},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": f"{table.name}session"},
                "csrf": {"type": "apiKey", "in": "header", "name": "x-mox-csrf"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(method: Method) -> dict[str, Any]:
    shapes = inspect.multi_type_info([*(one.type for one in method.parameters), method.result])
    *parameters, result = [schema(one) for one in shapes]
    named = dict(zip((one.name for one in method.parameters), parameters, strict=True))
    required = [one.name for one in method.parameters if one.is_required]
    by_name = {"type": "object", "properties": named, "required": required, "additionalProperties": False}
    by_place = {
        "type": "array",
        "prefixItems": parameters,
        "minItems": len(required),
        "maxItems": len(parameters),
    }
    if not parameters:
        del by_place["prefixItems"]
    body = {
        "type": "object",
        "properties": {"params": {"anyOf": [by_name, by_place]}},
        "required": ["params"] if required else [],
        "additionalProperties": False,
    }
    answers = {
        "anyOf": [
            {"type": "object", "properties": {"result": result}, "required": ["result"]},
            {
                "type": "object",
                "properties": {"error": {"$ref": "#/components/schemas/Error"}},
                "required": ["error"],
            },
        ]
    }
    session: list[dict[str, list[str]]] = [{"session": [], "csrf": []}]
    tokens: list[dict[str, list[str]]] = [{"token": []}]
    security = {Scope.OPEN: [], Scope.GUARD: session}.get(method.scope, session + tokens)
    return {
        "operationId": method.name,
        "summary": method.doc.partition("\n")[0],
        "description": method.doc,
        "tags": [method.scope.value],
        "security": security,
        "requestBody": {"required": True, "content": {JSON: {"schema": body}}},
        "responses": {
            "200": {"description": "The result, or an error.", "content": {JSON: {"schema": answers}}},
            "default": {
                "description": "An error; 429: too many failed logins.",
                "content": {JSON: {"schema": {"type": "object", "properties": {"error": {"$ref": _REF}}}}},
            },
        },
    }


_REF: Final = "#/components/schemas/Error"


def _encoded(table: Table) -> bytes:
    return msgspec.json.encode(document(table), enc_hook=to_json)


def _page(table: Table) -> str:
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(table.title)}</title></head><body>",
        f"<h1>{escape(table.title)}</h1>",
        "<p>Call a function with <code>POST</code>, content-type <code>application/json</code> and the body "
        '<code>{"params": [...]}</code> or <code>{"params": {"Name": ...}}</code>. The answer is '
        '<code>{"result": ...}</code> or <code>{"error": {"code": "...", "message": "..."}}</code>. A session is a '
        "cookie and the header <code>x-mox-csrf</code>; a token is <code>Authorization: Bearer ...</code>. Times are "
        'RFC 3339, durations nanoseconds. For programs: <a href="openapi.json">openapi.json</a>.</p>',
    ]
    for one in table.methods.values():
        shapes = inspect.multi_type_info([*(parameter.type for parameter in one.parameters), one.result])
        words = [words_of(shape) for shape in shapes]
        parameters = ", ".join(
            f"{parameter.name}{'' if parameter.is_required else '?'}: {word}"
            for parameter, word in zip(one.parameters, words, strict=False)
        )
        parts.append(
            f'<h2 id="{one.name}"><code>{one.name}({escape(parameters)}): {escape(words[-1])}</code></h2>'
            f"<p>{escape(one.doc)}</p><p><small>{one.scope.value}</small></p>"
        )
    parts.append(
        "<h2>Events</h2><p>The stream of server-sent events at <code>../events</code>, for sessions, tells:</p>"
    )
    parts += [f'<p><a href="#type-{one.__name__}"><code>{one.__name__}</code></a></p>' for one in table.events]
    parts.append("<h2>Types</h2>")
    for name, kind in sorted(structs(types_of(table)).items()):
        parts.append(
            f'<h3 id="type-{name}"><code>{name}</code></h3><p>{escape((kind.cls.__doc__ or "").strip())}</p><ul>'
        )
        for field in kind.fields:
            note = field.type.extra_json_schema if isinstance(field.type, inspect.Metadata) else None
            text = escape(str((note or {}).get("description", "")))
            parts.append(f"<li><code>{field.encode_name}: {escape(words_of(field.type))}</code> {text}</li>")
        parts.append("</ul>")
    parts.append("</body></html>\n")
    return "\n".join(parts)


_WORDS: Final[dict[type, str]] = {
    inspect.AnyType: "unknown",
    inspect.NoneType: "null",
    inspect.BoolType: "boolean",
    inspect.IntType: "number",
    inspect.FloatType: "number",
    inspect.StrType: "string",
    inspect.BytesType: "string",
    inspect.DateTimeType: "string",
    inspect.RawType: "unknown",
}


def words_of(kind: inspect.Type) -> str:
    """A type as TypeScript spells it."""
    word = _WORDS.get(type(kind))
    if word is not None:
        return word
    match kind:
        case inspect.StructType():
            return kind.cls.__name__
        case inspect.Metadata():
            return words_of(kind.type)
        case inspect.UnionType():
            return " | ".join(sorted((words_of(one) for one in kind.types), key=lambda one: one == "null"))
        case inspect.ListType() | inspect.VarTupleType() | inspect.CollectionType():
            inner = words_of(kind.item_type)
            return f"({inner})[]" if " " in inner else f"{inner}[]"
        case inspect.TupleType():
            return f"[{', '.join(words_of(one) for one in kind.item_types)}]"
        case inspect.DictType():
            return f"Record<string, {words_of(kind.value_type)}>"
        case inspect.LiteralType():
            return " | ".join(msgspec.json.encode(one).decode() for one in kind.values)
        case inspect.EnumType():
            return " | ".join(msgspec.json.encode(one.value).decode() for one in kind.cls)
        case inspect.CustomType():
            return "number" if issubclass(kind.cls, int | Duration) else "string"
    raise TypeError(f"{kind} is no type of the API")

"""The same table as an OpenAPI 3.1 document, for programs that make clients of it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from appliance import __version__
from appliance.servers.web.respond import Response
from appliance.servers.web.webapi.call import CODES, Method
from appliance.servers.web.webapi.forms import FILES
from appliance.servers.web.webapi.types import Error, Shape

NAME: Final = "openapi.json"
_REFERENCE: Final = "#/components/schemas/{name}"


def document(methods: Mapping[str, Method], base: str) -> Response:
    """The document; `base` is where the methods are."""
    shapes: list[type[Shape]] = [Error]
    for one in methods.values():
        shapes += [one.request] if one.response is None else [one.request, one.response]
    _, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCE)
    for name, schema in components.items():
        if name == "Error":
            schema["properties"]["Code"]["enum"] = sorted(CODES)
        elif name in {one.request.__name__ for one in methods.values()}:
            schema["additionalProperties"] = False
    content = {
        "openapi": "3.1.0",
        "info": {"title": "moxpy webapi", "version": __version__},
        "servers": [{"url": base}],
        "security": [{"basic": []}],
        "paths": {f"/{one.name}": {"post": _operation(one)} for one in methods.values()},
        "components": {
            "schemas": components,
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
    }
    octets = json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"
    return Response(200, octets, "application/json; charset=utf-8", {"cache-control": "no-cache"}, validated=True)


def _operation(method: Method) -> dict[str, Any]:
    request = {"$ref": _REFERENCE.format(name=method.request.__name__)}
    files = FILES if method.name == "Send" else ()
    answer = {"application/octet-stream": {}} if method.response is None else _json(method.response)
    return {
        "operationId": method.name,
        "summary": method.about,
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": _form(request, ()),
                "multipart/form-data": _form(request, files),
            },
        },
        "responses": {
            "200": {"description": "Done.", "content": answer},
            "400": {"description": "Failed; Code says why.", "content": _json(Error)},
            "401": {"description": "Wrong credentials, or none."},
            "413": {"description": "The body is too large."},
            "429": {"description": "Too many requests, or failed logins."},
        },
    }


def _json(shape: type[Shape]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(name=shape.__name__)}}}


def _form(request: dict[str, Any], files: Iterable[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "request": {"type": "string", "contentMediaType": "application/json", "contentSchema": request}
    }
    for name in files:
        properties[name] = {
            "type": "array",
            "items": {"type": "string", "contentMediaType": "application/octet-stream"},
        }
    return {
        "schema": {"type": "object", "properties": properties, "required": ["request"]},
    }

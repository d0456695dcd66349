"""A request of JMAP: calls of methods, one after the other, of which later ones may use what earlier ones answered.

RFC 8620 §3.3 to §3.7. A request is I-JSON (RFC 7493): UTF-8, no name twice in an object. Whatever a call raises ends
that call alone.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import trio

from appliance.base import limits
from appliance.base.metrics import Counter, panics
from appliance.base.problem import Kind, Problem
from appliance.servers.web.jmap import pointer
from appliance.servers.web.jmap.call import Call, Method, Wire
from appliance.servers.web.jmap.pointer import NoSuchValue
from appliance.servers.web.jmap.problem import (
    CALL,
    URN,
    MethodError,
    RequestProblem,
    errors,
    method_error,
    not_json,
    not_request,
)

results = Counter("jmap_calls_total", "Calls of methods of JMAP.", ("method", "result"))

#: A request of more octets is parsed in a thread, and arguments of more are checked there.
_THREAD_OCTETS: Final = 16 * 1024
#: Half of a character that needs two, which is no text alone (RFC 7493 §2.1).
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_BUG: Final = "something went wrong here"


class Invocation(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A call, or its response (RFC 8620 §3.2)."""

    name: str
    arguments: dict[str, Any]
    id: str


class Request(Wire):
    """RFC 8620 §3.3."""

    using: list[str]
    method_calls: list[Invocation]
    created_ids: dict[str, str] | None = None


class ResultReference(Wire, forbid_unknown_fields=True):
    """RFC 8620 §3.7."""

    result_of: str
    name: str
    path: str


# Reading.


def parse(octets: bytes | bytearray | str) -> Any:
    """What I-JSON says. Raises RequestProblem: notJSON, also for what is nested too deep."""
    try:
        text = octets if isinstance(octets, str) else octets.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise not_json(f"the request is not I-JSON: {error}"[:300]) from error
    try:
        pointer.measure(value, limits.JMAP_REQUEST_OCTETS, check=_check_value)
    except NoSuchValue as error:
        raise not_json(f"the request is not I-JSON: {error}") from error
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return made


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _check_value(value: object) -> None:
    if isinstance(value, str):
        if not value.isascii() and _SURROGATE.search(value):
            raise NoSuchValue("half of a character")
    elif isinstance(value, float) and value in {float("inf"), float("-inf")}:
        raise NoSuchValue("a number is too large")


async def read_request(octets: bytes | bytearray | str) -> Any:
    """`parse`, in a thread if it takes long."""
    if len(octets) <= _THREAD_OCTETS:
        return parse(octets)
    return await trio.to_thread.run_sync(parse, octets)


def check(value: Any, capabilities: Collection[str]) -> Request:
    """A request, of capabilities that are there. Raises RequestProblem: notRequest, unknownCapability, limit."""
    try:
        request = msgspec.convert(value, Request)
    except msgspec.ValidationError as error:
        raise not_request(str(error)) from error
    if unknown := [one for one in request.using if one not in capabilities]:
        raise RequestProblem(f"{URN}unknownCapability", f"not known here: {unknown[0][:200]}")
    if len(request.method_calls) > limits.JMAP_CALLS:
        raise RequestProblem(f"{URN}limit", f"at most {limits.JMAP_CALLS} calls", limit="maxCallsInRequest")
    return request


# Running.


@dataclass(slots=True)
class _Response:
    name: str
    #: The arguments, as JSON.
    octets: bytes
    id: str
    #: And as values, once a later call refers to them.
    value: Any = None


class Batch:
    """The calls of one request."""

    def __init__(self, methods: Mapping[str, Method], call: Call, request: Request) -> None:
        """`call`: what all calls have in common."""
        self._methods = methods
        self._call = call
        self._request = request
        call.created.update(request.created_ids or {})
        self._responses: list[_Response] = []
        self._octets = 0
        self._budget = limits.JMAP_REFERENCED_VALUES

    async def run(self, session_state: str) -> bytes:
        """Run them all; the response (RFC 8620 §3.4)."""
        for one in self._request.method_calls:
            await self._run(one.name, one.arguments, one.id)
            followers, self._call.followers = self._call.followers, []
            for name, arguments in followers:
                await self._run(name, arguments, one.id)
        answer: dict[str, Any] = {
            "methodResponses": [(one.name, msgspec.Raw(one.octets), one.id) for one in self._responses],
            "sessionState": session_state,
        }
        if self._request.created_ids is not None:
            answer["createdIds"] = self._call.created
        return msgspec.json.encode(answer)

    async def _run(self, name: str, arguments: dict[str, Any], id: str) -> None:
        call = self._call
        method = self._methods.get(name)
        if method is not None and method.capability not in call.using:
            method = None
        known = method.name if method is not None else "(unknown)"
        result = "ok"
        try:
            if method is None:
                raise MethodError("unknownMethod")
            await self._answer(method, *await self._arguments(method, arguments), id)
        except MethodError as error:
            result = str(error.fields["type"])
            await self._respond("error", error.fields, id)
        except Problem as problem:
            call.log.info("call failed", problem, method=known)
            fields = method_error(problem).fields
            result = str(fields["type"])
            if problem.kind is Kind.UNAVAILABLE:
                errors.labels(CALL).inc()
            await self._respond("error", fields, id)
        except Exception as bug:
            panics.labels("jmap").inc()
            errors.labels(CALL).inc()
            call.log.error("unhandled exception in a call", bug, method=known)
            result = "serverFail"
            await self._respond("error", {"type": result, "description": _BUG}, id)
        results.labels(known, result).inc()

    async def _arguments(self, method: Method, arguments: dict[str, Any]) -> tuple[Call, Any]:
        """The call, about the account that is meant, and arguments as the method wants them. Raises MethodError."""
        arguments = await self._dereferenced(arguments)
        try:
            made = msgspec.convert(arguments, method.arguments)
        except msgspec.ValidationError as error:
            raise MethodError("invalidArguments", str(error)) from error
        account = getattr(made, "account_id", None)
        call = self._call
        if account is not None and account != call.account_id:
            about = call.at(account)
            if about is None:
                raise MethodError("accountNotFound")
            if not method.shared:
                raise MethodError("accountNotSupportedByMethod")
            call = about
        if method.changes and call.is_read_only:
            raise MethodError("accountReadOnly", "the token, or what is shared, is for reading only")
        return call, made

    async def _answer(self, method: Method, call: Call, arguments: Any, id: str) -> None:
        if self._octets > limits.JMAP_RESPONSE_OCTETS:
            raise MethodError("requestTooLarge", "the response is too large already")
        await self._respond(method.name, await method.run(call, arguments), id)

    async def _respond(self, name: str, arguments: msgspec.Struct | Mapping[str, Any], id: str) -> None:
        if name == "error":
            octets = msgspec.json.encode(arguments)
        else:
            octets = await trio.to_thread.run_sync(msgspec.json.encode, arguments)
        self._responses.append(_Response(name, octets, id))
        self._octets += len(octets)

    async def _dereferenced(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Arguments without back-references: what these stand for instead (RFC 8620 §3.7). Raises MethodError."""
        references = [name for name in arguments if name.startswith("#")]
        if not references:
            return arguments
        made = {name: value for name, value in arguments.items() if not name.startswith("#")}
        for name in references:
            if name[1:] in made:
                raise MethodError("invalidArguments", f"{name[1:100]} stands there with and without #")
            try:
                reference = msgspec.convert(arguments[name], ResultReference)
            except msgspec.ValidationError as error:
                raise MethodError("invalidArguments", f"{name[:100]}: {error}") from error
            made[name[1:]] = await self._referenced(reference)
        return made

    async def _referenced(self, reference: ResultReference) -> Any:
        """What a reference stands for. Raises MethodError."""
        found = next((one for one in self._responses if one.id == reference.result_of), None)
        if found is None or found.name != reference.name:
            raise MethodError("invalidResultReference", "no such response")
        if found.value is None:
            if len(found.octets) <= _THREAD_OCTETS:
                found.value = msgspec.json.decode(found.octets)
            else:
                found.value = await trio.to_thread.run_sync(msgspec.json.decode, found.octets)
        try:
            value = pointer.find(found.value, reference.path, limits.JMAP_REFERENCED_VALUES)
            self._budget -= pointer.measure(value, self._budget)
        except NoSuchValue as error:
            raise MethodError("invalidResultReference", str(error)) from error
        return value

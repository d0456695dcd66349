"""The functions of an application, called by `POST <root>api/<Function>` with JSON; their signatures are the API.

A function is a coroutine function whose first parameter is the `Call`; the others, and what it returns, are typed by
what JSON can hold, by `Wire` structs and by tables of the configuration. What comes is checked by these types before
the function sees it. Names in JSON are those of `config.spelling`: `queue_list` is `QueueList`.

The body is `{"params": [...]}` by position or `{"params": {...}}` by name; the answer `{"result": ...}` or
`{"error": {"code": "...", "message": "..."}}`. A Problem is the code `user:error` with its text. Who may call is for
`login` and `pages`.
"""

import enum
import inspect
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Final, Protocol, get_type_hints

import msgspec
import trio

from appliance.base.log import Log
from appliance.base.metrics import Counter, Histogram, panics
from appliance.base.problem import Problem
from appliance.config.spelling import camel
from appliance.config.values import Duration, Size, Value
from appliance.delivery.appliance import Appliance
from appliance.net.limiter import Address
from appliance.operations.actor import Actor
from appliance.operations.passkeys import Challenges
from appliance.operations.websessions import Found

log = Log("api")

requests = Counter("webrpc_requests_total", "Calls of functions of the web applications.", ("api", "function"))
errors = Counter("webrpc_errors_total", "Those whose answer was no result.", ("api", "function", "code"))
durations = Histogram(
    "webrpc_duration_seconds",
    "Until a call of a function was answered.",
    ("api", "function"),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30),
)

#: Of these durations in JSON are integers, as in mox.
NANOSECONDS: Final = 1_000_000_000
#: Of a value of the configuration; none of them may be as long.
_VALUE_CHARACTERS: Final = 8192
#: A body that may take longer to check is checked in a thread, a few at a time: values are expressions, too.
_CHECKED_AT_ONCE: Final = 2048
_CHECKERS: Final = 2
_PATH: Final = re.compile(r"\A(.*) - at `\$(.*)`\Z", re.DOTALL)
_FIRST: Final = re.compile(r"\A\[(\d+)\]")


#: Numbers that the store has for things, by how many bits its keys have: JSON knows any number.
ID32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
ID64 = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Wire(msgspec.Struct, kw_only=True, rename=camel, forbid_unknown_fields=True):
    """What travels between page and server."""


class Scope(enum.Enum):
    """Who may call a function."""

    #: Anybody: to log in.
    OPEN = "open"
    #: Who has a session, or a token of scope `read`: it changes nothing.
    READ = "read"
    #: Who has a session, or a token of scope `change`.
    CHANGE = "change"
    #: Only who has a session: passwords, second factors, tokens. A token that leaks must not make others.
    GUARD = "guard"


class APIError(Exception):
    """An answer that is no result."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Client:
    """Who is at the other end of a request."""

    address: Address
    #: His connection, or that to the proxy before us, has TLS.
    is_secure: bool
    user_agent: str = ""
    cookies: Mapping[str, str] = field(default_factory=dict)
    #: The Host field: where it thinks that we are.
    host: str = ""


class Entrance(Protocol):
    """Where sessions of an application begin and end; `login` has one for each application."""

    @property
    def name(self) -> str:
        """What its cookies are called by: `webadmin`."""

    def find(self, cookie: str) -> Found | None:
        """The session that the value of a cookie stands for."""

    @property
    def challenges(self) -> Challenges:
        """Of passkeys that are asked for here."""

    async def used(self, found: Found) -> None:
        """It was used, and lasts longer."""

    async def end(self, found: Found) -> None:
        """End it."""


@dataclass(slots=True)
class Call:
    """One call of a function."""

    app: Appliance
    client: Client
    #: Where its sessions are.
    entrance: "Entrance"
    #: Where the application begins: `/admin/`.
    root: str = "/"
    #: The session it belongs to; None for a token, and before a login.
    session: Found | None = None
    #: The account; None in the administrator's application.
    owner: Actor | None = None
    #: Values of Set-Cookie in the response.
    set_cookies: list[str] = field(default_factory=list)

    @property
    def actor(self) -> Actor:
        """The account, for functions of its own pages."""
        assert self.owner is not None
        return self.owner


Function = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Parameter:
    """Of a function."""

    name: str
    type: Any
    default: Any = inspect.Parameter.empty

    @property
    def is_required(self) -> bool:
        """Whether it may not be left out."""
        return self.default is inspect.Parameter.empty


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    params: msgspec.Raw = msgspec.Raw(b"[]")


_BODY: Final = msgspec.json.Decoder(_Body)


@dataclass(frozen=True)
class Method:
    """A function in a table. What its types mean is worked out when it is first called."""

    function: Function
    scope: Scope

    @cached_property
    def name(self) -> str:
        """Its name in JSON."""
        return camel(self.function.__name__)

    @property
    def doc(self) -> str:
        """What it does, for the documentation."""
        return inspect.getdoc(self.function) or ""

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.function, include_extras=True)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the call, without the Call."""
        found = list(inspect.signature(self.function).parameters.values())[1:]
        return tuple(Parameter(camel(one.name), self._hints[one.name], one.default) for one in found)

    @property
    def result(self) -> Any:
        """The type of what it returns."""
        return self._hints["return"]

    @cached_property
    def _decoders(self) -> "tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]":
        """Of parameters by position and by name."""
        fields: list[Any] = [
            (one.name, one.type) if one.is_required else (one.name, one.type, one.default) for one in self.parameters
        ]
        by_place, by_name = (
            msgspec.defstruct(self.name, fields, array_like=array, forbid_unknown_fields=True)
            for array in (True, False)
        )
        return (
            msgspec.json.Decoder(by_place, dec_hook=from_json),
            msgspec.json.Decoder(by_name, dec_hook=from_json),
        )

    def arguments(self, body: bytes) -> list[Any]:
        """The arguments in a body. Raises APIError."""
        try:
            params = bytes(_BODY.decode(body).params)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise APIError("user:error", f"the body must be a JSON object with params: {_fault(error, ())}") from error
        by_place, by_name = self._decoders
        decoder = by_name if params.lstrip().startswith(b"{") else by_place
        try:
            decoded = decoder.decode(params)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            names = tuple(one.name for one in self.parameters)
            raise APIError("user:error", f"params of {self.name}: {_fault(error, names)}") from error
        return [getattr(decoded, one.name) for one in self.parameters]


def _fault(error: Exception, names: tuple[str, ...]) -> str:
    """What is wrong, and where in the words of the caller."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    match = _PATH.match(str(error))
    if match is None:
        wanted = f"; they are: {', '.join(names)}" if names and "`array` of at" in str(error) else ""
        return f"{error}{wanted}"
    text, path = match.groups()
    place = _FIRST.match(path)
    if place is not None and int(place[1]) < len(names):
        path = names[int(place[1])] + path[place.end() :]
    return f"{path.removeprefix('.')}: {text}"


def from_json(kind: type, value: Any) -> Any:
    """A checked value of the configuration; msgspec tells where a ValueError came from."""
    if kind is Duration:
        if type(value) is not int or value < 0:
            raise ValueError("must be a number of nanoseconds")
        return Duration(spell_duration(value))
    if issubclass(kind, Value):
        if not isinstance(value, str):
            raise ValueError("must be a string")  # noqa: TRY004
        if len(value) > _VALUE_CHARACTERS:
            raise ValueError("is too long")
        return kind(value)
    if issubclass(kind, int):
        if type(value) is not int:
            raise ValueError("must be an integer")
        return kind(value)
    raise NotImplementedError(f"{kind} is no type of the API")


#: Of a duration in the configuration, in nanoseconds, the longest first.
_UNITS: Final = {"h": 3600 * NANOSECONDS, "m": 60 * NANOSECONDS, "s": NANOSECONDS, "ms": 1_000_000, "us": 1000}


def spell_duration(nanoseconds: int) -> str:
    """As a person would write it: `72h`, `90s`."""
    for unit, length in _UNITS.items():
        if nanoseconds % length == 0:
            return f"{nanoseconds // length}{unit}"
    return f"{nanoseconds}ns"


def to_json(value: Any) -> Any:
    """What msgspec does not know how to write."""
    if isinstance(value, Duration):
        return round(value.seconds * NANOSECONDS)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Size | int):
        return int(value)
    raise NotImplementedError(f"{type(value)} is no type of the API")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=to_json)


@dataclass(frozen=True)
class Table:
    """All functions of an application."""

    #: The application in metrics, cookies and the documentation: `webadmin`.
    name: str
    title: str
    methods: Mapping[str, Method]
    #: What pages hear of, in order.
    events: tuple[type[Wire], ...] = ()

    @cached_property
    def checkers(self) -> trio.CapacityLimiter:
        """How many long bodies are checked at once."""
        return trio.CapacityLimiter(_CHECKERS)


def table(
    name: str,
    title: str,
    *,
    open: Iterable[Function] = (),
    reads: Iterable[Function] = (),
    changes: Iterable[Function] = (),
    guards: Iterable[Function] = (),
    events: tuple[type[Wire], ...] = (),
) -> Table:
    """A table of functions by who may call them."""
    groups = ((Scope.OPEN, open), (Scope.READ, reads), (Scope.CHANGE, changes), (Scope.GUARD, guards))
    methods = [Method(function, scope) for scope, functions in groups for function in functions]
    named = {one.name: one for one in methods}
    if len(named) != len(methods):
        raise ValueError(f"two functions of {name} have one name")
    return Table(name, title, named, events)


def encode(value: Wire) -> bytes:
    """A value as JSON."""
    return _ENCODER.encode(value)


async def answer(functions: Table, method: Method, call: Call, body: bytes) -> bytes:
    """Call a function with the parameters in a body; what to answer, as JSON."""
    began = time.perf_counter()
    requests.labels(functions.name, method.name).inc()
    try:
        return await _result(functions, method, call, body)
    except APIError as error:
        problem = error
    except Problem as error:
        problem = APIError("user:error", str(error))
    except Exception as error:
        panics.labels(functions.name).inc()
        log.error("function failed", error, app=functions.name, function=method.name)
        problem = APIError("server:error", "something went wrong here; the server's log says what")
    finally:
        durations.labels(functions.name, method.name).observe(time.perf_counter() - began)
    errors.labels(functions.name, method.name, problem.code).inc()
    return refusal(problem)


async def _result(functions: Table, method: Method, call: Call, body: bytes) -> bytes:
    if len(body) <= _CHECKED_AT_ONCE:
        arguments = method.arguments(body)
    else:
        arguments = await trio.to_thread.run_sync(method.arguments, body, limiter=functions.checkers)
    return _ENCODER.encode({"result": await method.function(call, *arguments)})


def refusal(error: APIError) -> bytes:
    """An answer that is no result, as JSON."""
    return _ENCODER.encode({"error": {"code": error.code, "message": str(error)}})

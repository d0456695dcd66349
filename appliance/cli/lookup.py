"""Commands that look something up: dns lookup, cid. No server needs to run."""

import ipaddress
from collections.abc import Callable, Coroutine
from typing import Any, Final

import trio

from appliance.base.clock import Clock, SystemClock
from appliance.base.ids import ReceivedIDs
from appliance.cli import output
from appliance.cli.configuration import load_config
from appliance.cli.main import FAILED, OK, Failed, Invocation, UsageError
from appliance.dns import resolvconf
from appliance.dns.answers import Answer, Vouched
from appliance.dns.network import Mode, Network
from appliance.dns.problems import LookupProblem, NotFound
from appliance.dns.resolver import Resolver
from appliance.mail.domain import DomainError, parse_domain

#: For one look-up with all it needs.
SECONDS: Final = 30.0

_Lookup = Callable[[Resolver, str], Coroutine[Any, Any, Answer[Any]]]

#: The types by the words of the command line; addresses without a type.
TYPES: Final[dict[str, _Lookup]] = {
    "ips": lambda resolver, name: resolver.addresses(name, dnssec=True),
    "a": lambda resolver, name: resolver.a(name, dnssec=True),
    "aaaa": lambda resolver, name: resolver.aaaa(name, dnssec=True),
    "caa": lambda resolver, name: resolver.caa(name),
    "cname": lambda resolver, name: resolver.cname(name, dnssec=True),
    "mx": lambda resolver, name: resolver.mx(name, dnssec=True),
    "ns": lambda resolver, name: resolver.ns(name, dnssec=True),
    "ptr": lambda resolver, name: resolver.ptr(ipaddress.ip_address(name), dnssec=True),
    "srv": lambda resolver, name: resolver.srv(name, dnssec=True),
    "tlsa": lambda resolver, name: resolver.tlsa(name),
    "txt": lambda resolver, name: resolver.txt(name, dnssec=True),
}
_WHO: Final = {
    Vouched.NOBODY: "without dnssec",
    Vouched.RESOLVER: "with dnssec, by the word of the resolver",
    Vouched.OURSELVES: "with dnssec, by signatures checked here",
}


def lookup(invocation: Invocation) -> int:
    """Look a name up as the server would, and tell whether DNSSEC vouches for the answer (L: dns lookup)."""
    type_name, name = _question(invocation)
    try:
        found, mode = _ask(invocation, type_name, name)
    except LookupProblem as problem:
        raise Failed(str(problem)) from problem
    who = _WHO[found.vouched]
    if mode is Mode.NOBODY:
        who += ", and nobody here can check it"
    if isinstance(found, Answer):
        output.show(invocation, _document(name, type_name, found, mode), _lines(name, type_name, found, who))
        return OK
    if not invocation.given("json"):
        raise Failed(f"{found} ({who})")
    output.show(invocation, _missing(name, type_name, found, mode), [])
    return FAILED


def connection(invocation: Invocation) -> int:
    """The connection whose received id somebody was shown (L: cid)."""
    key = load_config(invocation).data_directory / "receivedid.key"
    try:
        cid = ReceivedIDs(key.read_bytes()).decode(invocation.arguments[0])
    except FileNotFoundError as error:
        raise Failed(f"there is no {key}: this installation has given no ids") from error
    except (OSError, ValueError) as error:
        raise Failed(f"{invocation.arguments[0]!r} is not an id of this installation: {error}") from error
    output.show(invocation, {"cid": f"{cid:x}"}, [f"{cid:x}"])
    return OK


def _question(invocation: Invocation) -> tuple[str, str]:
    """Type and name; the type may be left out."""
    words = list(invocation.arguments)
    type_name = words.pop(0).lower() if len(words) > 1 else "ips"
    if type_name not in TYPES:
        raise UsageError(f"unknown type {type_name!r}; one of: {', '.join(TYPES)}")
    name = words[0]
    if type_name == "ptr":
        try:
            return type_name, str(ipaddress.ip_address(name))
        except ValueError as error:
            raise UsageError(f"{name}: ptr takes an IP address") from error
    if name.strip(".").isascii():
        return type_name, name
    try:
        return type_name, parse_domain(name.removesuffix("."), lax=True).ascii
    except DomainError as error:
        raise UsageError(f"{name}: {error}") from error


def _ask(invocation: Invocation, type_name: str, name: str) -> tuple[Answer[Any] | NotFound, Mode]:
    """The answer, or that there is none, and who can vouch here."""
    source = network(invocation, SystemClock())
    resolver = Resolver(source, caller="cli")

    async def ask() -> tuple[Answer[Any] | NotFound, Mode]:
        with trio.move_on_after(SECONDS):
            try:
                return await TYPES[type_name](resolver, name), await source.mode()
            except NotFound as problem:
                return problem, await source.mode()
        raise Failed(f"no answer in {SECONDS:g} s")

    return trio.run(ask)


def network(invocation: Invocation, clock: Clock) -> Network:
    """The name servers of this machine, or the one of `--server`."""
    configuration = None
    if given := invocation.text("server"):
        server = resolvconf.parse_server(given)
        if server is None:
            raise UsageError(f"{given}: not an IP address with or without a port")
        configuration = resolvconf.Configuration(servers=(server,))
    return Network(clock, configuration=configuration)


def _lines(name: str, type_name: str, answer: Answer[Any], who: str) -> list[str]:
    count = f"{len(answer.records)} record{'s' * (len(answer.records) != 1)}"
    ttl = "" if answer.ttl_seconds is None else f", ttl {answer.ttl_seconds} s"
    lines = [f"{type_name} of {name} ({count}, {who}{ttl})"]
    lines += [f"alias {alias}" for alias in answer.aliases]
    lines += [f"- {record}" for record in answer.records]
    lines += [f"! malformed: {text}" for text in answer.malformed]
    return lines


def _document(name: str, type_name: str, answer: Answer[Any], mode: Mode) -> dict[str, object]:
    return {
        "name": name,
        "type": type_name,
        "records": [str(record) for record in answer.records],
        "aliases": list(answer.aliases),
        "ttl_seconds": answer.ttl_seconds,
        "authentic": answer.authentic,
        "vouched_by": answer.vouched.value,
        "validation": mode.name.lower(),
        "malformed": list(answer.malformed),
    }


def _missing(name: str, type_name: str, problem: NotFound, mode: Mode) -> dict[str, object]:
    return {
        "name": name,
        "type": type_name,
        "records": [],
        "exists": problem.exists,
        "aliases": list(problem.aliases),
        "authentic": problem.authentic,
        "vouched_by": problem.vouched.value,
        "validation": mode.name.lower(),
        "error": str(problem),
    }

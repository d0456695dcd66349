"""Commands about senders: spf, dmarc, dnsbl. No server needs to run, no configuration is read."""

import random
import sys
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, TypeVar

import trio

from appliance.base.clock import SystemClock
from appliance.base.log import Log
from appliance.cli import output
from appliance.cli.lookup import network
from appliance.cli.main import FAILED, OK, Failed, Invocation, UsageError
from appliance.dns.answers import Answer, Type
from appliance.dns.network import Network
from appliance.dns.problems import LookupProblem
from appliance.dns.resolver import Resolver
from appliance.mail import header
from appliance.mail.address import NULL_PATH, AddressError, Path, parse_path
from appliance.mail.domain import Domain, DomainError, IPLiteral, parse_domain, parse_host
from appliance.msgauth import check as checks, dnsbl
from appliance.msgauth.client import Client
from appliance.msgauth.dmarc import check as dmarc
from appliance.msgauth.results import SPF, AuthStatus, DKIMResult
from appliance.msgauth.spf import check as spf, record

#: With --check, for a check that did not pass.
NOT_PASSED: Final = 3
#: For one command, whatever it asks.
SECONDS: Final = 120.0
#: Of a message that is read.
MESSAGE_OCTETS: Final = 100 << 20
#: What we are called towards others.
_NAME: Final = "localhost"

IPAddress = IPv4Address | IPv6Address
T = TypeVar("T")


def spf_check(invocation: Invocation) -> int:
    """Whether a domain lets an address send its mail."""
    sender, address = invocation.arguments
    localpart, _, name = sender.rpartition("@")
    domain, ip = _domain(name), _ip(address)
    helo = _host(invocation.text("helo")) or domain
    question = spf.of_path(ip, Path(localpart, domain), helo, _NAME)
    found = _ask(invocation, lambda resolver: spf.check(resolver, question))
    output.show(invocation, _spf_document(found), _spf_lines(found))
    return _verdict(invocation, found.status)


def _spf_lines(found: SPF) -> list[str]:
    lines = [f"error: {found.text}"] if found.text else []
    lines += [f"explanation: {found.explanation}"] if found.explanation else []
    lines.append(f"status: {found.status} ({_dnssec(found.authentic)})")
    lines += [f"mechanism: {found.mechanism}"] if found.mechanism else []
    return lines


def _spf_document(found: SPF) -> dict[str, object]:
    return {
        "status": found.status,
        "mechanism": found.mechanism,
        "explanation": found.explanation,
        "error": found.text,
        "authentic": found.authentic,
    }


def spf_lookup(invocation: Invocation) -> int:
    """The SPF record of a domain."""
    domain = _domain(invocation.arguments[0])
    try:
        answer = _ask(invocation, lambda resolver: spf.lookup(resolver, domain.ascii))
    except record.SPFRecordError as error:
        raise Failed(f"{domain}: {error}") from error
    if answer is None:
        raise Failed(f"{domain} has no SPF record")
    (text,) = answer.records
    document = {"record": text, "authentic": answer.authentic}
    output.show(invocation, document, [text, _dnssec(answer.authentic)])
    return OK


def spf_parse(invocation: Invocation) -> int:
    """Silent when a record is well-formed."""
    try:
        record.parse(invocation.arguments[0])
    except record.SPFRecordError as error:
        raise Failed(str(error)) from error
    return OK


def dmarc_lookup(invocation: Invocation) -> int:
    """The DMARC record that counts for a domain."""
    domain = _domain(invocation.arguments[0])
    found = _ask(invocation, lambda resolver: dmarc.lookup(resolver, domain))
    if found.record is None or found.domain is None:
        where = f"_dmarc.{found.domain}: " if found.domain is not None else f"{domain}: "
        raise Failed(where + found.text)
    lines = [f"policy domain: {found.domain}", f"record: {found.record.text}", _dnssec(found.authentic)]
    document = {"policy_domain": found.domain, "record": found.record.text, "authentic": found.authentic}
    output.show(invocation, document, lines)
    return OK


def dmarc_verify(invocation: Invocation) -> int:
    """All checks of the sender of a message that is read from standard input."""
    address, mail_from, helo = invocation.arguments
    octets = sys.stdin.buffer.read(MESSAGE_OCTETS + 1)
    if len(octets) > MESSAGE_OCTETS:
        raise Failed("the message is too large")
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    client = Client(_ip(address), _host(helo), _path(mail_from), _NAME)
    head = octets[: header.header_end(octets)]
    message = checks.Message(head, len(octets), lambda start, end: octets[start:end])
    found = _ask(
        invocation, lambda resolver: checks.check(resolver, client, message, Log("cli"), chance=random.random())
    )
    verdict = found.dmarc
    lines = [f"spf {found.spf.identity}: {found.spf.status} ({_dnssec(found.spf.authentic)})"]
    lines += [_dkim_line(one) for one in found.dkim] or ["dkim: none"]
    lines += [
        f"dmarc from: {found.msg_from.domain if found.msg_from else '(not exactly one address)'}",
        f"dmarc status: {verdict.status} ({_dnssec(verdict.authentic)})",
        f"dmarc reject: {'yes' if verdict.rejects else 'no'}",
    ]
    lines += [f"dmarc error: {verdict.text}"] if verdict.text else []
    lines += [f"dmarc record: {verdict.record.text}"] if verdict.record is not None else []
    document = {
        "spf": {"identity": found.spf.identity, **_spf_document(found.spf)},
        "dkim": [{"domain": one.domain, "selector": one.selector, "status": one.status} for one in found.dkim],
        "dmarc": {
            "from": found.msg_from.domain if found.msg_from else None,
            "status": verdict.status,
            "reject": verdict.rejects,
            "error": verdict.text,
            "record": verdict.record.text if verdict.record else None,
            "authentic": verdict.authentic,
        },
    }
    output.show(invocation, document, lines)
    return _verdict(invocation, verdict.status)


def _dkim_line(found: DKIMResult) -> str:
    remark = f", {found.text}" if found.text else ""
    return f"dkim {found.domain or '?'} {found.selector}: {found.status} ({_dnssec(found.authentic)}{remark})"


def dmarc_checkreportaddrs(invocation: Invocation) -> int:
    """Whether those who get the reports about a domain want them."""
    domain = _domain(invocation.arguments[0])

    async def ask(resolver: Resolver) -> list[tuple[str, str, dmarc.Permission]]:
        found = await dmarc.lookup(resolver, domain)
        if found.record is None or found.domain is None:
            raise Failed(f"{domain}: {found.text}")
        wanted = [("rua", one) for one in found.record.aggregate] + [("ruf", one) for one in found.record.failure]
        return [(tag, one.uri, await dmarc.may_report(resolver, found.domain, one)) for tag, one in wanted]

    rows = _ask(invocation, ask)
    lines = []
    for tag, uri, one in rows:
        lines.append(f"{tag} {uri}: {one.status}" + (f", {one.problem}" if one.problem else ""))
        lines += [f"  record: {one.text} ({_dnssec(one.authentic)})"] if one.text is not None else []
    document = [
        {
            "tag": tag,
            "uri": uri,
            "status": one.status,
            "error": one.problem,
            "record": one.text,
            "authentic": one.authentic,
        }
        for tag, uri, one in rows
    ]
    output.show(invocation, document, lines or ["the record asks for no reports"])
    return OK if all(one.status is AuthStatus.PASS for _, _, one in rows) else FAILED


def dnsbl_check(invocation: Invocation) -> int:
    """Whether a list has an address."""
    zone, ip = _domain(invocation.arguments[0]), _ip(invocation.arguments[1])
    found = _ask(invocation, lambda resolver: dnsbl.check(resolver, zone, ip))
    lines = [f"status: {found.status}"]
    lines += [f"explanation: {found.explanation}"] if found.explanation else []
    lines += [f"error: {found.text}"] if found.text else []
    document = {"status": found.status, "explanation": found.explanation, "error": found.text}
    output.show(invocation, document, lines)
    return _verdict(invocation, found.status)


def dnsbl_checkhealth(invocation: Invocation) -> int:
    """Whether a list is in order."""
    zone = _domain(invocation.arguments[0])
    family = 6 if invocation.given("ipv6") else 4
    if problem := _ask(invocation, lambda resolver: dnsbl.check_health(resolver, zone, family)):
        raise Failed(f"{zone}: {problem}")
    output.show(invocation, {"healthy": True}, ["healthy"])
    return OK


class _Validated:
    """The network, asked for DNSSEC each time: here somebody wants to know."""

    def __init__(self, source: Network) -> None:
        self._source = source

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        return await self._source.ask(name, type, dnssec=True)

    async def watch(self) -> None:
        await self._source.watch()


def _ask(invocation: Invocation, question: Callable[[Resolver], Awaitable[T]]) -> T:
    """What the DNS makes of a question."""

    async def run() -> T:
        resolver = Resolver(_Validated(network(invocation, SystemClock())), caller="cli")
        with trio.move_on_after(SECONDS):
            return await question(resolver)
        raise Failed(f"no answer in {SECONDS:g} s")

    try:
        return trio.run(run)
    except LookupProblem as problem:
        raise Failed(str(problem)) from problem


def _verdict(invocation: Invocation, status: AuthStatus) -> int:
    """A verdict is an answer, not a failure, unless one wants to act on it."""
    return NOT_PASSED if invocation.given("check") and status is not AuthStatus.PASS else OK


def _dnssec(authentic: bool) -> str:
    return "with dnssec" if authentic else "without dnssec"


def _domain(text: str) -> Domain:
    try:
        return parse_domain(text.removesuffix("."), lax=True)
    except DomainError as error:
        raise UsageError(f"{text}: {error}") from error


def _host(text: str | None) -> Domain | IPLiteral | None:
    try:
        return parse_host(text, lax=True) if text else None
    except DomainError as error:
        raise UsageError(f"{text}: {error}") from error


def _ip(text: str) -> IPAddress:
    try:
        return ip_address(text)
    except ValueError as error:
        raise UsageError(f"{text}: not an IP address") from error


def _path(text: str) -> Path:
    """An address with or without angle brackets; empty for the null path."""
    text = text.removeprefix("<").removesuffix(">")
    try:
        return parse_path(f"<{text}>".encode(), smtputf8=True) if text else NULL_PATH
    except AddressError as error:
        raise UsageError(f"{text}: {error}") from error

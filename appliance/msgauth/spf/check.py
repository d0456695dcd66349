"""Asking a domain whether a host may use its name: check_host() of RFC 7208 §4.

Every answer of the DNS is limited in number (RFC 7208 §4.6.4) and all together in time, whatever a record says.
"""

import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from appliance.base.metrics import Histogram
from appliance.dns.answers import Answer, Vouched
from appliance.dns.problems import InvalidName, NotFound, Temporary
from appliance.dns.resolver import Resolver, normal_name
from appliance.mail.address import Path
from appliance.mail.domain import Domain, IPLiteral
from appliance.msgauth.results import SPF, AuthStatus, Identity
from appliance.msgauth.spf import macros, record
from appliance.msgauth.spf.macros import MacroError, MacroString
from appliance.msgauth.spf.record import Directive, Record, SPFRecordError

#: For one check, whatever it has to ask; RFC 7208 §4.6.4 wants at least 20.
CHECK_SECONDS: Final = 60.0
#: RFC 7208 §4.6.4: terms that ask the DNS, those of them without an answer, names of one mx or ptr.
LOOKUPS: Final = 10
VOID_LOOKUPS: Final = 2
NAMES: Final = 10
#: Of an explanation.
EXPLANATION_CHARACTERS: Final = 800

durations = Histogram(
    "spf_verify_duration_seconds",
    "Time to ask a domain by SPF, by result.",
    ("status",),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30),
)

IPAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Question:
    """One identity of an SMTP transaction (RFC 7208 §2.3, §2.4)."""

    identity: Identity
    ip: IPAddress
    #: Whose record is asked for; None where there is none to ask.
    domain: Domain | None
    #: Of the sender; empty stands for postmaster.
    localpart: str
    #: What the client called itself.
    helo: Domain | IPLiteral | None
    #: Our own name.
    receiver: str


def of_path(ip: IPAddress, path: Path, helo: Domain | IPLiteral | None, receiver: str) -> Question:
    """The question about MAIL FROM. For the null path the client's own name answers."""
    if path.is_null:
        return of_helo(ip, helo, receiver)
    domain = path.domain if isinstance(path.domain, Domain) else None
    return Question(Identity.MAILFROM, ip, domain, path.localpart, helo, receiver)


def of_helo(ip: IPAddress, helo: Domain | IPLiteral | None, receiver: str) -> Question:
    """The question about the name the client gave itself."""
    return Question(Identity.HELO, ip, helo if isinstance(helo, Domain) else None, "", helo, receiver)


async def check(resolver: Resolver, question: Question) -> SPF:
    """The result. Raises nothing but for bugs."""
    began = time.perf_counter()
    result = SPF(AuthStatus.TEMPERROR, question.identity, question.domain, text="took too long")
    with resolver.within(CHECK_SECONDS):
        result = await _check(resolver, question)
    durations.labels(result.status.value).observe(time.perf_counter() - began)
    return result


async def lookup(resolver: Resolver, domain: str) -> Answer[str] | None:
    """The SPF record of a domain, its one text in an answer; None when it has none.

    Raises SPFRecordError for several, Temporary when the DNS does not answer.
    """
    answer = await _records(resolver, domain)
    return answer if answer.records else None


async def _records(resolver: Resolver, domain: str) -> Answer[str]:
    """As `lookup`, but a domain without a record is an answer without one: that, too, may be vouched for or not."""
    try:
        answer = await resolver.txt(domain)
    except NotFound as problem:
        return Answer(domain, (), problem.vouched)
    except InvalidName:
        return Answer(domain, (), Vouched.NOBODY)
    found = tuple(text for text in answer.records if record.is_record(text))
    if len(found) > 1:  # RFC 7208 §4.5
        raise SPFRecordError("more than one SPF record")
    return Answer(answer.name, found, answer.vouched, answer.ttl_seconds, answer.aliases)


class _Permanent(Exception):
    """RFC 7208 §2.6.7."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What one record says, with the records it leads to."""

    status: AuthStatus
    mechanism: str = ""
    #: Where the explanation of a fail is, and whose record named it.
    explanation: MacroString | None = None
    domain: str = ""


async def _check(resolver: Resolver, question: Question) -> SPF:
    if question.domain is None or not _has_labels(question.domain.ascii):
        text = "no domain to ask"
        return SPF(AuthStatus.NONE, question.identity, question.domain, text=text)
    run = _Run(resolver, question)
    found, text, explanation = _Found(AuthStatus.NONE), "", ""
    try:
        found = await run.check_host(question.domain.ascii)
        if found.status is AuthStatus.FAIL and found.explanation is not None:
            explanation = await run.explain(found.explanation, found.domain)
    except (_Permanent, SPFRecordError) as error:
        found, text = _Found(AuthStatus.PERMERROR, run.at), str(error)
    except Temporary as error:
        found, text, run.authentic = _Found(AuthStatus.TEMPERROR, run.at), str(error), False
    return SPF(
        found.status, question.identity, question.domain, found.mechanism, explanation, text, authentic=run.authentic
    )


def _has_labels(name: str) -> bool:
    """Whether a name can be asked (RFC 7208 §4.3): a top-level domain alone cannot.

    Except for localhost: it means this machine everywhere (RFC 6761 §6.3), so only a resolver of this machine has a
    record for it, and that one is meant.
    """
    return "." in name or name == "localhost"


@dataclass(slots=True)
class _Run:
    """One check: what it asked so far."""

    resolver: Resolver
    question: Question
    ip: IPAddress = field(init=False)
    lookups: int = 0
    void_lookups: int = 0
    authentic: bool = True
    #: The term of the first record at work.
    at: str = ""
    depth: int = 0
    #: Names of the client that lead back to it; None before anybody asked.
    names: list[str] | None = None

    def __post_init__(self) -> None:
        ip = self.question.ip
        # An IPv4 client on an IPv6 socket is an IPv4 client (RFC 7208 §5).
        self.ip = ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip

    async def check_host(self, domain: str) -> _Found:
        """RFC 7208 §4. Raises _Permanent, SPFRecordError, Temporary."""
        answer = await _records(self.resolver, domain)
        self.authentic = self.authentic and answer.authentic
        if not answer.records:
            return _Found(AuthStatus.NONE)
        parsed = record.parse(answer.records[0])
        for directive in parsed.directives:
            if not self.depth:
                self.at = directive.text
            if await self.matches(directive, domain):
                return _Found(directive.result, directive.text, parsed.explanation, domain)
        if parsed.redirect is not None:
            return await self.redirected(parsed, domain)
        return _Found(AuthStatus.NEUTRAL, "default")

    async def redirected(self, parsed: Record, domain: str) -> _Found:
        """RFC 7208 §6.1: the other domain's result is the result, explanation included."""
        assert parsed.redirect is not None
        if not self.depth:
            self.at = f"redirect={parsed.redirect}"
        self.count()
        target = await self.target(parsed.redirect, domain)
        found = _Found(AuthStatus.NONE) if target is None else await self.check_host(target)
        if found.status is AuthStatus.NONE:
            raise _Permanent(f"the domain of redirect={parsed.redirect} has no SPF record")
        return found

    async def matches(self, directive: Directive, domain: str) -> bool:
        """Whether a mechanism matches (RFC 7208 §5)."""
        if directive.network is not None:
            return directive.network.version == self.ip.version and self.ip in directive.network
        if directive.mechanism == "all":
            return True
        self.count()
        target = domain if directive.domain is None else await self.target(directive.domain, domain)
        if target is None:
            return False
        match directive.mechanism:
            case "include":
                return await self.includes(target)
            case "a":
                return self.among(await self.addresses(target), directive)
            case "mx":
                return await self.is_exchange(target, directive)
            case "ptr":
                return any(_is_within(name, target) for name in await self.validated_names())
            case _:
                return await self.exists(target)

    async def includes(self, target: str) -> bool:
        """RFC 7208 §5.2."""
        self.depth += 1
        found = await self.check_host(target)
        self.depth -= 1
        if found.status is AuthStatus.NONE:
            raise _Permanent(f"{target}, which is included, has no SPF record")
        return found.status is AuthStatus.PASS

    async def is_exchange(self, target: str, directive: Directive) -> bool:
        """RFC 7208 §5.4."""
        try:
            answer = await self.resolver.mx(target)
        except (NotFound, InvalidName) as problem:
            self.void(problem)
            return False
        self.authentic = self.authentic and answer.authentic
        exchanges = [mx.exchange for mx in sorted(answer.records) if mx.exchange]
        if len(exchanges) > NAMES:
            raise _Permanent(f"{target} has more than {NAMES} mail exchanges")
        for exchange in exchanges:
            if self.among(await self.addresses(exchange), directive):
                return True
        return False

    async def exists(self, target: str) -> bool:
        """RFC 7208 §5.7: an IPv4 address, whatever the client has."""
        try:
            answer = await self.resolver.a(target)
        except (NotFound, InvalidName) as problem:
            self.void(problem)
            return False
        self.authentic = self.authentic and answer.authentic
        return bool(answer.records)

    async def addresses(self, name: str) -> tuple[IPAddress, ...]:
        """Those of the client's family."""
        try:
            answer = await self.resolver.addresses(name, family=4 if self.ip.version == 4 else 6)
        except (NotFound, InvalidName) as problem:
            self.void(problem)
            return ()
        self.authentic = self.authentic and answer.authentic
        return answer.records

    def among(self, addresses: tuple[IPAddress, ...], directive: Directive) -> bool:
        """Whether the client has one of these, as far as the prefix goes."""
        drop = 32 - directive.prefix4 if self.ip.version == 4 else 128 - directive.prefix6
        mine = int(self.ip) >> drop
        return any(int(address) >> drop == mine for address in addresses)

    async def validated_names(self) -> list[str]:
        """Names of the client that lead back to it (RFC 7208 §5.5); errors of the DNS count as no name."""
        if self.names is None:
            self.names = await self._validated_names()
        return self.names

    async def _validated_names(self) -> list[str]:
        try:
            answer = await self.resolver.ptr(self.ip)
        except (NotFound, InvalidName) as problem:
            self.void(problem)
            return []
        except Temporary:
            self.authentic = False
            return []
        self.authentic = self.authentic and answer.authentic
        found = []
        for name in answer.records[:NAMES]:
            try:
                forward = await self.resolver.addresses(name, family=4 if self.ip.version == 4 else 6)
            except (NotFound, InvalidName, Temporary):
                continue
            self.authentic = self.authentic and forward.authentic
            if self.ip in forward.records:
                found.append(name)
        return found

    def count(self) -> None:
        """One more term that asks the DNS."""
        self.lookups += 1
        if self.lookups > LOOKUPS:
            raise _Permanent(f"more than {LOOKUPS} terms that ask the DNS")

    def void(self, problem: NotFound | InvalidName) -> None:
        """A term without an answer. A name that cannot be asked was not (RFC 7208 §4.8 leaves that open)."""
        if isinstance(problem, InvalidName):
            return
        self.authentic = self.authentic and problem.authentic
        self.void_lookups += 1
        if self.void_lookups > VOID_LOOKUPS:
            raise _Permanent(f"more than {VOID_LOOKUPS} look-ups without an answer")

    async def target(self, string: MacroString, domain: str) -> str | None:
        """The domain meant; None when it cannot be said, and then the term does not match."""
        letters = string.letters
        if not letters:
            return macros.expand_domain(string, {}).lower()
        if not self.question.localpart.isascii() and letters & {"s", "l"}:  # RFC 8616 §4
            return None
        name = macros.expand_domain(string, await self.values(letters, domain))
        try:
            return normal_name(name)
        except InvalidName:
            return None

    async def explain(self, string: MacroString, domain: str) -> str:
        """The explanation, empty when there is none that can be shown (RFC 7208 §6.2)."""
        try:
            target = await self.target(string, domain)
            if target is None:
                return ""
            texts = (await self.resolver.txt(target)).records
            if len(texts) != 1:
                return ""
            parsed = macros.parse(texts[0], explanation=True)
            letters = parsed.letters
            if not self.question.localpart.isascii() and letters & {"s", "l"}:
                return ""
            text = macros.expand(parsed, await self.values(letters, domain))
        except (NotFound, InvalidName, Temporary, MacroError, _Permanent):
            return ""
        return text[:EXPLANATION_CHARACTERS] if text.isascii() and text.isprintable() else ""

    async def values(self, letters: frozenset[str], domain: str) -> dict[str, str]:
        """What macros stand for (RFC 7208 §7.2, §7.3)."""
        asked = self.question
        assert asked.domain is not None
        localpart, sender_domain = asked.localpart or "postmaster", asked.domain.ascii
        helo = asked.helo
        return {
            "s": f"{localpart}@{sender_domain}",
            "l": localpart,
            "o": sender_domain,
            "d": domain,
            "i": str(self.ip) if self.ip.version == 4 else ".".join(f"{int(self.ip):032x}"),
            "v": "in-addr" if self.ip.version == 4 else "ip6",
            "h": helo.ascii if isinstance(helo, Domain) else str(helo or "unknown"),
            "c": str(self.ip),
            "r": asked.receiver,
            "t": str(int(time.time())) if "t" in letters else "",
            "p": await self.validated_name(domain) if "p" in letters else "",
        }

    async def validated_name(self, domain: str) -> str:
        """RFC 7208 §7.3: the domain itself, else one below it, else any."""
        self.count()
        names = await self.validated_names()
        if domain in names:
            return domain
        return next((name for name in names if _is_within(name, domain)), names[0] if names else "unknown")


def _is_within(name: str, domain: str) -> bool:
    """Whether a name is the domain or below it."""
    return name == domain or name.endswith(f".{domain}")

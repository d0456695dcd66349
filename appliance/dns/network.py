"""Answers from the name servers of this machine: which ones, in what order, how often, what is kept, and who vouches.

RFC 1034 §5.3.1 calls this a stub resolver. Whether DNSSEC vouches is told by a trusted resolver's AD flag, or, where
that resolver does not validate, by our own checking (`validate`), done only for those who ask for it.
"""

import enum
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Final, Protocol

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import trio

from appliance.base.clock import Clock
from appliance.base.log import Log
from appliance.dns import exchange as wire, resolvconf
from appliance.dns.answers import Answer, Type, Vouched
from appliance.dns.cache import Cache
from appliance.dns.exchange import ExchangeFailed
from appliance.dns.limits import NETWORK, VALIDATION, Limits, ValidationLimits
from appliance.dns.problems import Bogus, LookupTimeout, NotFound, Temporary
from appliance.dns.rdata import name_of, records_of, text_of
from appliance.dns.resolvconf import Configuration, NameServer
from appliance.dns.sections import follow
from appliance.dns.validate import ROOT_ANCHORS, Anchor, Validator

log = Log("dns")

RESOLV_CONF: Final = Path("/etc/resolv.conf")
#: Extended errors that say DNSSEC failed (RFC 8914 §4.2, §4.3, §4.6 to §4.13).
_DNSSEC_ERRORS: Final = frozenset({1, 2, *range(5, 13)})
#: Signed since long; some resolvers that validate do not flag the root itself.
_PROBE: Final = (dns.name.from_text("com."), dns.rdatatype.NS)
_ANSWERS: Final = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})
_HINT: Final = "; no name server runs on this machine: install one that validates, unbound say, or see resolv.conf"


class Mode(enum.Enum):
    """Who can vouch for answers here."""

    RESOLVER = "the resolver validates"
    OURSELVES = "the resolver does not validate, or is not trusted to: signatures are checked here"
    NOBODY = "the resolver neither validates nor passes signatures on: no DANE"


class Exchange(Protocol):
    """One question to one server; `exchange.exchange`, or a fake of tests."""

    async def __call__(
        self,
        server: NameServer,
        name: dns.name.Name,
        rdtype: dns.rdatatype.RdataType,
        *,
        limits: Limits,
        tcp: bool,
    ) -> dns.message.Message: ...


@dataclass(slots=True)
class _Flight:
    """A question under way, for everybody who asks the same."""

    over: trio.Event = field(default_factory=trio.Event)
    message: dns.message.Message | None = None
    failure: "Callable[[], Temporary] | None" = None


#: What is kept: an answer, or how to make the problem anew (an exception raised twice gathers tracebacks).
_Outcome = Answer[Any] | Callable[[], NotFound | Temporary]


class Network:
    """A source for `Resolver`."""

    def __init__(
        self,
        clock: Clock,
        *,
        path: Path = RESOLV_CONF,
        configuration: Configuration | None = None,
        limits: Limits = NETWORK,
        validation: ValidationLimits = VALIDATION,
        anchors: tuple[Anchor, ...] = ROOT_ANCHORS,
        exchange: Exchange = wire.exchange,
    ) -> None:
        self._clock = clock
        self._path = path
        self._fixed = configuration
        self._configuration = configuration or Configuration()
        self._limits = limits
        self._exchange = exchange
        self._validation = validation
        self._anchors = anchors
        self._validator = Validator(self._message, clock, anchors, validation)
        self._cache: Cache[tuple[str, Type, bool], _Outcome] = Cache(limits.cached)
        self._flights: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], _Flight] = {}
        self._under_way = trio.Semaphore(limits.exchanges)
        self._shunned: dict[NameServer, float] = {}
        self._turn = 0
        self._looked_at = float("-inf")
        self._seen: tuple[int, ...] | None = None
        self._mode: Mode | None = None
        self._mode_until = float("-inf")
        self._probing = trio.Lock()

    async def watch(self) -> None:
        """Find out at start, and again from time to time, who vouches; tell the log when that changes."""
        while True:
            await self.mode()
            await trio.sleep(self._limits.probe_again_seconds)

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        """See Source."""
        if name == "localhost" or name.endswith(".localhost"):
            return _localhost(name, type)
        self._reread()
        ourselves = dnssec and await self.mode() is Mode.OURSELVES
        key = (name, type, ourselves)
        kept = self._cache.get(key, self._clock.monotonic())
        if kept is None:
            configuration = self._configuration
            outcome, seconds = await self._look_up(name, type, ourselves=ourselves)
            if configuration is self._configuration:
                self._cache.put(key, outcome, self._clock.monotonic() + seconds)
        else:
            seconds, outcome = kept
        return _told(outcome, seconds)

    def kept(self, name: str, type: Type) -> Answer[Any] | None:
        """See Kept; for those who do not need DNSSEC."""
        if name == "localhost" or name.endswith(".localhost"):
            return _localhost(name, type)
        self._reread()
        kept = self._cache.get((name, type, False), self._clock.monotonic())
        return None if kept is None else _told(kept[1], kept[0])

    async def _look_up(self, name: str, type: Type, *, ourselves: bool) -> tuple[_Outcome, float]:
        """Ask; the outcome, and seconds to keep it."""
        limits = self._limits
        rdtype = dns.rdatatype.from_text(type.value)
        asked = name_of(name)
        trusted = self._configuration.trusted
        try:
            message = await self._message(asked, rdtype)
            chain = follow(message, asked, rdtype, limits.aliases)
            if ourselves:
                verdict = await self._validator.check(message, asked, rdtype, chain)
                vouched = Vouched.OURSELVES if verdict.secure else Vouched.NOBODY
                longest = verdict.keep_seconds
            else:
                vouched = Vouched.RESOLVER if trusted and message.flags & dns.flags.AD else Vouched.NOBODY
                longest = limits.keep_seconds
        except Temporary as problem:
            return _again(problem), limits.keep_failure_seconds
        unreadable = tuple("a record that cannot be read" for _ in message.errors)
        aliases = tuple(text_of(one) for one in chain.names[1:])
        least = limits.keep_least_seconds
        ttls = [one.ttl for one in chain.aliases]
        if chain.records is not None:
            records, malformed = records_of(chain.records, type)
            seconds = max(least, min(*ttls, chain.records.ttl, longest, limits.keep_seconds))
            return Answer(name, records, vouched, aliases=aliases, malformed=malformed + unreadable), seconds
        if unreadable and message.rcode() == dns.rcode.NOERROR:
            return Answer(name, (), vouched, aliases=aliases, malformed=unreadable), least
        last, exists = text_of(chain.names[-1]), message.rcode() == dns.rcode.NOERROR
        seconds = max(least, min(*ttls, _denial_ttl(message), longest, limits.keep_denial_seconds))

        def missing() -> NotFound:
            return NotFound(last, type.value, exists=exists, vouched=vouched, aliases=aliases)

        return missing, seconds

    # Who vouches.

    async def mode(self) -> Mode:
        """Who vouches for answers now."""
        self._reread()
        if self._mode is not None and self._clock.monotonic() < self._mode_until:
            return self._mode
        async with self._probing:
            while self._mode is None or self._clock.monotonic() >= self._mode_until:
                configuration = self._configuration
                try:
                    found = await self._probe()
                    again = self._limits.probe_again_seconds if found is Mode.NOBODY else self._limits.probe_seconds
                except Temporary as problem:
                    # Either no look-up works now, or this network knows nothing of the world: its own names shall work.
                    log.info("cannot find out who vouches for DNS answers", problem)
                    found, again = self._mode or Mode.NOBODY, self._limits.probe_soon_seconds
                if configuration is not self._configuration:
                    continue  # Others are asked now: what was found tells nothing about them.
                if found is not self._mode:
                    log.info("who vouches for DNS answers", mode=found.name.lower(), meaning=found.value)
                self._mode = found
                self._mode_until = self._clock.monotonic() + again
            return self._mode

    async def _probe(self) -> Mode:
        message = await self._message(*_PROBE)
        if self._configuration.trusted and message.flags & dns.flags.AD:
            return Mode.RESOLVER
        try:
            verdict = await self._validator.check(message, *_PROBE, follow(message, *_PROBE, self._limits.aliases))
        except Bogus as problem:
            if self._mode is Mode.OURSELVES:
                # It worked before with these servers: somebody takes signatures away, and must not get his way by it.
                log.error("DNSSEC signatures of .com do not come any more", problem)
                return Mode.OURSELVES
            log.info("DNSSEC cannot be validated", problem)
            return Mode.NOBODY
        return Mode.OURSELVES if verdict.secure else Mode.NOBODY

    # Which servers.

    def _reread(self) -> None:
        """Look whether resolv.conf has changed, from time to time."""
        now = self._clock.monotonic()
        if self._fixed is not None or now - self._looked_at < self._limits.reread_seconds:
            return
        self._looked_at = now
        try:
            status = os.stat(self._path)  # Microseconds: not worth a thread.
            seen: tuple[int, ...] = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen == self._seen:
                return
            text = self._path.read_text(errors="replace")
        except OSError:
            seen, text = (), ""
        if seen == self._seen:
            return
        first, self._seen = self._seen is None, seen
        configuration = resolvconf.parse(text)
        if configuration != self._configuration:
            self._configuration = configuration
            self._mode = None
            self._cache.clear()
            self._validator = Validator(self._message, self._clock, self._anchors, self._validation)
            self._shunned.clear()
            self._flights.clear()
        if not first:
            log.info("name servers read anew", servers=[str(server) for server in configuration.servers])

    def _servers(self) -> list[NameServer]:
        """In the order to ask: those that did not answer lately come last."""
        servers = list(self._configuration.servers)
        if self._configuration.rotate:
            self._turn += 1
            at = self._turn % len(servers)
            servers = servers[at:] + servers[:at]
        now = self._clock.monotonic()
        return sorted(servers, key=lambda server: self._shunned.get(server, 0) > now)

    # Asking.

    async def _message(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.message.Message:
        """An answer of a server, shared by all who ask the same now. Raises Temporary."""
        key = (name, rdtype)
        while (flight := self._flights.get(key)) is not None:
            await flight.over.wait()
            if flight.message is not None:
                return flight.message
            if flight.failure is not None:
                raise flight.failure()
            # Who asked has been cancelled: whoever comes first asks anew.
        flight = self._flights[key] = _Flight()
        try:
            async with self._under_way:
                flight.message = await self._ask_servers(name, rdtype)
            return flight.message
        except Temporary as problem:
            flight.failure = _again(problem)
            raise
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.over.set()

    async def _ask_servers(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.message.Message:
        """Each server in turn, as often as resolv.conf says. Who answered that it cannot is not asked twice."""
        configuration = self._configuration
        servers = self._servers()
        failures: dict[NameServer, Temporary] = {}
        for _ in range(configuration.attempts):
            for server in list(servers):
                problem, final = None, False
                try:
                    with trio.fail_after(configuration.timeout_seconds):
                        message = await self._exchange(server, name, rdtype, limits=self._limits, tcp=configuration.tcp)
                    problem = _refusal(server, message)
                    if problem is None:
                        self._shunned.pop(server, None)
                        return message
                    final = True
                except trio.TooSlowError:
                    problem = LookupTimeout(f"{server} did not answer in {configuration.timeout_seconds:g} s")
                except ConnectionRefusedError:
                    problem, final = Temporary(f"{server} refuses connections"), True
                except OSError as error:
                    problem = Temporary(f"{server}: {error.strerror or error}")
                except ExchangeFailed as error:
                    problem = Temporary(f"{server}: {error}")
                if final:
                    servers.remove(server)
                if not isinstance(problem, Bogus):
                    self._shunned[server] = self._clock.monotonic() + self._limits.shun_seconds
                failures[server] = problem
        raise _worst(list(failures.values()), name, rdtype)


def _told(outcome: _Outcome, seconds: float) -> Answer[Any]:
    """What was found, to be kept for so long; raised when it is a problem."""
    if not isinstance(outcome, Answer):
        raise outcome()
    # Written out, as it is done ten times for a message: `dataclasses.replace` takes five times as long.
    return Answer(outcome.name, outcome.records, outcome.vouched, int(seconds), outcome.aliases, outcome.malformed)


def _refusal(server: NameServer, message: dns.message.Message) -> Temporary | None:
    """Why an answer is none."""
    rcode = message.rcode()
    if rcode in _ANSWERS:
        known = message.answer or message.flags & (dns.flags.RA | dns.flags.AA)
        return None if known or rcode == dns.rcode.NXDOMAIN else Temporary(f"{server} asks nobody else for us")
    errors = [one for one in message.options if isinstance(one, dns.edns.EDEOption)]
    told = "".join(f", error {int(one.code)} {_printable(one.text or '')}".rstrip() for one in errors[:5])
    text = f"{server} answers {dns.rcode.to_text(rcode)}{told}"
    if any(int(one.code) in _DNSSEC_ERRORS for one in errors):
        return Bogus(text)
    return Temporary(text)


def _printable(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text[:100])


def _worst(failures: list[Temporary], name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Temporary:
    """One problem that tells of all servers; of the kind that says most."""
    text = f"{dns.rdatatype.to_text(rdtype)} of {name.to_text(omit_final_dot=True)}: {'; '.join(map(str, failures))}"
    if any(isinstance(one, Bogus) for one in failures):
        return Bogus(text)
    if all(isinstance(one, LookupTimeout) for one in failures):
        return LookupTimeout(text)
    refused = [one for one in failures if str(one).endswith("refuses connections")]
    local = all(str(one).startswith(("127.", "::1")) for one in refused)
    return Temporary(text + (_HINT if refused and local and len(refused) == len(failures) else ""))


def _again(problem: Temporary) -> Callable[[], Temporary]:
    """Makes the same problem anew."""
    kind, text = type(problem), str(problem)
    return lambda: kind(text)


def _denial_ttl(message: dns.message.Message) -> float:
    """Seconds a denial may be kept (RFC 2308 §5); none when the SOA is missing."""
    for one in message.authority:
        if one.rdtype == dns.rdatatype.SOA:
            return float(min(one.ttl, one[0].minimum))
    return 0


def _localhost(name: str, type: Type) -> Answer[Any]:
    """Never asked of anybody (RFC 6761 §6.3)."""
    if type is Type.A:
        return Answer(name, (IPv4Address("127.0.0.1"),))
    if type is Type.AAAA:
        return Answer(name, (IPv6Address("::1"),))
    raise NotFound(name, type.value, exists=True)

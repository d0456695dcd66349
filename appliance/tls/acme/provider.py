"""The certificates that one authority gives us: which there are, and when another is to be asked for.

Only names of the configuration are ever asked for. A name has a certificate with an ECDSA key, and one with an RSA key
once a client comes that cannot use the first. What is known survives restarts (`storage`), failures included, so that
no restart makes us ask sooner than the authority likes.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
import trio

from appliance.base.clock import Clock
from appliance.base.ids import Random
from appliance.base.log import Log
from appliance.base.metrics import Counter, panics
from appliance.net.connection import UnknownName
from appliance.tls.acme import keys, schedule
from appliance.tls.acme.client import NOT_ASKED, ACMEClient, ACMEError, Solver
from appliance.tls.acme.keys import Issued, KeyType
from appliance.tls.acme.storage import Standing, State, Storage, file_name
from appliance.tls.certificates import Shown, expiry
from appliance.tls.context import KeyPair

log = Log("autotls")

request_errors = Counter("autotls_cert_request_errors_total", "Certificates that an authority did not give us.")
kept = Counter("autotls_certput_total", "Certificates that were written to the data directory.")

#: Orders that go on at the same time.
_ORDERS: Final = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """How eagerly certificates are asked for when nobody waits for them, in seconds."""

    #: After the start.
    first: float = 1.0
    #: From one order to the next.
    between: float = 10.0
    #: No more than so many first ones for so long: authorities count them.
    most: int = 10
    window: float = 3600.0
    #: How often the configuration is looked at for new names.
    look: float = 60.0


@dataclass(frozen=True, slots=True)
class Names:
    """What a configuration wants of an authority."""

    #: All names that it may be asked for.
    allowed: frozenset[str] = frozenset()
    #: Those that get a certificate before anybody asks, the most important first.
    eager: tuple[str, ...] = ()
    #: All names right below one of these share a certificate, for `*` below it.
    wildcards: frozenset[str] = frozenset()


class NotYet(Exception):
    """The certificate is on its way."""


class Certificate:
    """One name and kind of key: what there is, and how it stands."""

    def __init__(self, host: str, key_type: KeyType) -> None:
        self.host, self.key_type = host, key_type
        self.issued: Issued | None = None
        self.standing = Standing()
        #: When it is to be renewed.
        self.renew_at = 0.0
        #: Set when the order is over, one that has not begun yet included; None: there is none.
        self.ordering: trio.Event | None = None
        #: When the authority is asked again when to renew.
        self.ask_renewal_at = 0.0

    def valid(self, now: float) -> KeyPair | None:
        """The pair, unless it has expired."""
        return self.issued.pair if self.issued is not None and self.issued.end.timestamp() > now else None


class Provider:
    """The certificates of one authority."""

    def __init__(
        self,
        name: str,
        storage: Storage,
        *,
        names: Callable[[], Names],
        host_keys: Mapping[tuple[str, KeyType], keys.PrivateKey],
        directory_url: str,
        renew_before: float | None,
        make_client: Callable[[State, Callable[[str, str], None]], ACMEClient],
        solvers: Sequence[Solver],
        check: Callable[[ACMEClient, str], Awaitable[None]],
        clock: Clock,
        random: Random,
        pace: Pace,
    ) -> None:
        """`host_keys`: keys that certificates of a name must have; `solvers`: in the order they are tried.

        `check` says before an order whether it can do any good; it raises ACMEError.
        """
        self.name = name
        self._storage = storage
        self._names = names
        self._host_keys = host_keys
        self._directory_url = directory_url
        self._renew_before = renew_before
        self._solvers = solvers
        self._check = check
        self._clock, self._random, self._pace = clock, random, pace
        self._state = storage.state()
        if self._state.directory_url != directory_url:
            self._state = msgspec.structs.replace(self._state, directory_url=directory_url, account_url="")
        self.client = make_client(self._state, self._know_account)
        self._certificates: dict[tuple[str, KeyType], Certificate] = {}
        #: Orders that somebody waits for and that have not begun.
        self._wanted: list[Certificate] = []
        self._bell = trio.Event()
        self._running = self._closed = False
        self._limiter = trio.CapacityLimiter(_ORDERS)
        self._writing = trio.Lock()
        #: When first certificates were asked for.
        self._first_orders: list[float] = []
        for subject in self._subjects(self._names().allowed):
            for key_type in KeyType:
                self._load(subject, key_type)

    def _now(self) -> float:
        return self._clock.microseconds() / 1e6

    def _chance(self) -> float:
        return int.from_bytes(self._random.token_bytes(4), "big") / 2**32

    def _subject(self, host: str) -> str:
        """The name that a host's certificate is for: its own, or all below the one above it.

        A host whose key the operator has chosen keeps a certificate with that key: it stands in the DNS (DANE).
        """
        above = host.partition(".")[2]
        if above not in self._names().wildcards or any((host, one) in self._host_keys for one in KeyType):
            return host
        return f"*.{above}"

    def _subjects(self, hosts: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(map(self._subject, hosts)))

    def _load(self, name: str, key_type: KeyType) -> Certificate:
        """The certificate for a name, with what is kept of it. Reads a small file, once for each name."""
        known = self._certificates.get((name, key_type))
        if known is None:
            known = self._certificates[name, key_type] = Certificate(name, key_type)
            known.standing = self._state.names.get(file_name(name, key_type), Standing())
            issued = self._storage.certificate(name, key_type)
            if issued is not None:
                self._use(known, issued)
        return known

    def _use(self, one: Certificate, issued: Issued) -> None:
        one.issued = issued
        expiry.labels(one.host, one.key_type).set(issued.end.timestamp())
        begin, end = issued.begin.timestamp(), issued.end.timestamp()
        one.renew_at = schedule.renew_at(begin, end, self._renew_before, self._chance())
        one.ask_renewal_at = 0.0
        wanted = self._host_keys.get((one.host, one.key_type))
        if wanted is not None and keys.public(wanted) != issued.public_key:
            one.renew_at = self._now()  # The operator has another key for it.
        if not self._is_from_here(one):
            one.renew_at = self._now()

    def _is_from_here(self, one: Certificate) -> bool:
        """Whether the authority that gave it is the one that is configured now."""
        return one.standing.directory_url in {"", self._directory_url}

    def allows(self, host: str) -> bool:
        """Whether a name may have a certificate."""
        return host in self._names().allowed

    def pair(self, host: str, key_type: KeyType) -> KeyPair:
        """The certificate of a name that is allowed. Raises NotYet, then wait; UnknownName when there is none."""
        one = self._load(self._subject(host), key_type)
        now = self._now()
        if (found := one.valid(now)) is not None:
            return found
        if one.ordering is None:
            if not self._running or self._closed or one.standing.next_attempt > now:
                raise UnknownName(one.standing.error or f"there is no certificate for {host}")
            one.ordering = trio.Event()
            self._wanted.append(one)
            self._bell.set()
        raise NotYet

    def any_pair(self, host: str) -> KeyPair | None:
        """What there is for a name, whatever the key, expired or not: for those who do not look closely."""
        found = [one.issued for one in map(partial(self._load, self._subject(host)), KeyType) if one.issued is not None]
        return max(found, key=lambda issued: issued.end).pair if found else None

    async def wait(self, host: str, key_type: KeyType) -> None:
        """Wait until the order that goes on, or begins soon, is over."""
        ordering = self._load(self._subject(host), key_type).ordering
        if ordering is not None:
            await ordering.wait()

    def shown(self) -> list[Shown]:
        """How the certificates stand: of all names that have one, should have one, or failed to get one."""
        names = self._names()
        found, wanted = [], set(self._subjects(names.eager))
        for name in sorted(self._subjects(names.allowed)):
            for key_type in KeyType:
                one = self._load(name, key_type)
                eager = name in wanted and key_type is KeyType.ECDSA
                if one.issued is not None or one.standing.failures or one.ordering is not None or eager:
                    found.append(self._show(one))
        return found

    def _show(self, one: Certificate) -> Shown:
        standing = one.standing
        if standing.failures:
            state = "error"
        else:
            state = "ok" if one.ordering is None and one.valid(self._now()) is not None else "waiting"
        return Shown(
            provider=self.name,
            host=one.host,
            type=one.key_type.value,
            state=state,
            expires=one.issued.end.timestamp() if one.issued is not None else 0.0,
            renew_at=one.renew_at if one.issued is not None else 0.0,
            failures=standing.failures,
            error=standing.error,
            next_attempt=standing.next_attempt if standing.failures else 0.0,
        )

    def close(self) -> None:
        """From now on nothing more is asked for: the house is about to end."""
        self._closed = True

    async def keep(self) -> None:
        """Keeper task: gets what is wanted, what should be there, and what ends soon."""
        async with trio.open_nursery() as orders:
            self._running = True
            try:
                next_unasked = trio.current_time() + self._pace.first
                while not self._closed:
                    self._bell = trio.Event()
                    while self._wanted:
                        self._start(self._wanted.pop(), orders)
                    if trio.current_time() >= next_unasked:
                        next_unasked = trio.current_time() + self._go_on(orders)
                    with trio.move_on_at(next_unasked):
                        await self._bell.wait()
            finally:
                self._running = False
                while self._wanted:
                    self._over(self._wanted.pop())

    def _start(self, one: Certificate, orders: trio.Nursery) -> None:
        if one.issued is None:
            self._first_orders.append(self._now())
        orders.start_soon(self._order, one)

    @staticmethod
    def _over(one: Certificate) -> None:
        if one.ordering is not None:
            one.ordering.set()
            one.ordering = None

    def _forget(self) -> None:
        """What has left the configuration is not measured any more; its files stay, since it may come back."""
        allowed = set(self._subjects(self._names().allowed))
        for host, key_type in [key for key in self._certificates if key[0] not in allowed]:
            if self._certificates[host, key_type].ordering is None:
                del self._certificates[host, key_type]
                expiry.remove(host, key_type)

    def _go_on(self, orders: trio.Nursery) -> float:
        """Begin what is due though nobody waits for it, one at a time; seconds until there may be more."""
        now = self._now()
        at, one = min(self._plan(now), key=lambda planned: planned[0], default=(float("inf"), None))
        if one is not None and at <= now:
            one.ordering = trio.Event()
            self._start(one, orders)
            return self._pace.between
        self._forget()
        orders.start_soon(self._ask_renewals)
        return min(self._pace.look, at - now)

    def _plan(self, now: float) -> Iterator[tuple[float, Certificate]]:
        """When each certificate is to be asked for."""
        names = self._names()
        self._first_orders = [at for at in self._first_orders if at > now - self._pace.window]
        # Authorities count: when there were too many, others have to wait.
        full = len(self._first_orders) >= self._pace.most
        free_from = self._first_orders[0] + self._pace.window if full else 0.0
        for name in self._subjects(names.allowed):
            for one in map(partial(self._load, name), KeyType):
                if one.issued is not None and one.ordering is None:
                    yield max(one.renew_at, one.standing.next_attempt), one
        for name in self._subjects(names.eager):
            one = self._load(name, KeyType.ECDSA)
            if one.issued is None and one.ordering is None:
                yield max(free_from, one.standing.next_attempt), one

    async def _order(self, one: Certificate) -> None:
        """Get a certificate, or know why there is none and when to try again."""
        try:
            async with self._limiter:
                await self._try(one)
            await self._keep_state()
        finally:
            self._over(one)

    async def _try(self, one: Certificate) -> None:
        try:
            await self._obtain(one)
        except ACMEError as error:
            self._failed(one, error, asked=error.kind != NOT_ASKED, retry_after=error.retry_after)
        except Exception as error:
            panics.labels("autotls").inc()
            log.error("unhandled exception while getting a certificate", error, host=one.host)
            self._failed(one, error)

    def _failed(
        self, one: Certificate, error: Exception, *, asked: bool = True, retry_after: float | None = None
    ) -> None:
        """`asked`: it is the authority that did not give it."""
        standing = one.standing
        standing.failures += 1
        standing.error = str(error)
        first = one.valid(self._now()) is None
        pause = schedule.pause(standing.failures, retry_after, self._chance(), first=first)
        standing.next_attempt = self._now() + pause
        # A name that is not set up yet stays so, often for ever: nothing that must wake anybody.
        tell = log.error if asked else log.warn
        tell("no certificate", host=one.host, key=one.key_type, problem=str(error), pause=f"{pause:.0f}s")
        if asked:
            request_errors.inc()

    async def _obtain(self, one: Certificate) -> None:
        """Raises ACMEError."""
        if one.host not in self._subjects(self._names().allowed):
            raise ACMEError("the name is no longer in the configuration")
        found = await trio.to_thread.run_sync(self._storage.certificate, one.host, one.key_type)
        if found is not None and (one.issued is None or found.end > one.issued.end):
            self._adopt(one, found)  # Somebody else has renewed it.
            if one.renew_at > self._now():
                return
        await self._check(self.client, one.host)
        key = await trio.to_thread.run_sync(self._key_for, one)
        csr = await trio.to_thread.run_sync(keys.request, one.host, key)
        log.info("asking for a certificate", host=one.host, key=one.key_type, provider=self.name)
        chain = await self._issue(one, csr)
        pair = KeyPair(chain, keys.dump(key))
        try:
            issued = await trio.to_thread.run_sync(keys.issued, pair, one.host)
            if issued.end.timestamp() <= self._now():
                raise ValueError("it has expired")
        except ValueError as error:
            raise ACMEError(f"the authority gave a certificate that is of no use: {error}") from error
        self._adopt(one, issued)
        log.info("certificate", host=one.host, key=one.key_type, provider=self.name, until=f"{issued.end:%Y-%m-%d}")
        try:
            await trio.to_thread.run_sync(self._storage.keep, one.host, one.key_type, pair)
            kept.inc()
        except OSError as error:
            log.error("certificate could not be written, and will be asked for anew", error, host=one.host)

    def _adopt(self, one: Certificate, issued: Issued) -> None:
        one.standing = Standing(directory_url=self._directory_url)
        self._use(one, issued)

    def _key_for(self, one: Certificate) -> keys.PrivateKey:
        """The key that the operator has for the name, else the one it had, so that records of it stay right."""
        wanted = self._host_keys.get((one.host, one.key_type))
        if wanted is not None:
            return wanted
        return keys.load(one.issued.pair.key) if one.issued is not None else keys.generate(one.key_type)

    async def _issue(self, one: Certificate, csr: bytes) -> bytes:
        """Each kind of challenge in an order of its own: a failed one spoils its order (RFC 8555 §7.1.6)."""
        replaces = ""
        if one.issued is not None and self._is_from_here(one) and (await self.client.directory()).renewal_info:
            replaces = one.issued.identifier  # RFC 9773 §5
        said = []
        # RFC 8555 §7.1.3: that all names below one are ours is proved in the DNS alone, as authorities have it.
        for solver in self._solvers if not one.host.startswith("*.") else self._in_dns():
            try:
                return await self.client.issue(one.host, csr, solver, replaces=replaces)
            except ACMEError as error:
                said.append(f"{solver.kind}: {error}" if error.other_may_help else str(error))
                if not error.other_may_help:
                    raise ACMEError("; ".join(said), kind=error.kind, retry_after=error.retry_after) from error
        raise ACMEError("; ".join(said) or "no kind of challenge can be answered here")

    def _in_dns(self) -> list[Solver]:
        return [one for one in self._solvers if one.kind == "dns-01"]

    async def _ask_renewals(self) -> None:
        """Ask the authority when it wants certificates renewed, if it says (RFC 9773)."""
        now = self._now()
        for name in self._subjects(self._names().allowed):
            for key_type in KeyType:
                one = self._load(name, key_type)
                if one.issued is None or not one.issued.identifier or one.ordering is not None:
                    continue
                if now < one.ask_renewal_at or not self._is_from_here(one):
                    continue
                one.ask_renewal_at = now + schedule.ask_renewal_in(None)
                await self._ask_renewal(one, one.issued)

    async def _ask_renewal(self, one: Certificate, issued: Issued) -> None:
        try:
            answer = await self.client.renewal_window(issued.identifier)
        except ACMEError as error:
            log.debug("the authority does not say when to renew", error, host=one.host)
            return
        if answer is None or one.issued is not issued:
            return
        info, after = answer
        one.ask_renewal_at = self._now() + schedule.ask_renewal_in(after)
        start, end = (moment.timestamp() for moment in (info.suggested_window.start, info.suggested_window.end))
        if start <= one.renew_at <= end:
            return  # It was chosen in this window before, or does for it.
        life = issued.begin.timestamp(), issued.end.timestamp()
        at = schedule.renew_in_window(start, end, self._chance(), life=life)
        if at == one.renew_at:
            return
        one.renew_at = at
        log.info("renewal as the authority wishes", host=one.host, key=one.key_type, at=int(one.renew_at))
        self._bell.set()

    def _know_account(self, url: str, contact: str) -> None:
        self._state.account_url, self._state.contact = url, contact
        log.info("account at the authority", provider=self.name, account=url)

    async def _keep_state(self) -> None:
        """Write down how things stand."""
        async with self._writing:
            standings = {file_name(*key): one.standing for key, one in self._certificates.items()}
            self._state.names.update((name, one) for name, one in standings.items() if one != Standing())
            octets = msgspec.json.encode(self._state)
            try:
                await trio.to_thread.run_sync(self._storage.write_state, octets)
            except OSError as error:
                log.error("state of certificates could not be written", error)

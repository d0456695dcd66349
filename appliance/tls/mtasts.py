"""MTA-STS policies of other domains: found in the DNS, fetched, kept, and kept fresh (RFC 8461 §3, §5.1).

What is in them belongs to mail.mtasts; what follows from one for a delivery is for the queue.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import trio
from OpenSSL import SSL

from appliance.base import limits
from appliance.base.clock import Clock
from appliance.base.ids import Random
from appliance.base.log import Log
from appliance.base.metrics import Counter, Histogram
from appliance.base.problem import Problem
from appliance.dns.problems import InvalidName, LookupTimeout, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain
from appliance.mail.mtasts import Mode, MTASTSError, Policy, is_record, parse_policy, parse_record
from appliance.net.http import URL, Bounds, Client, Fault, HTTPError, Request, Response
from appliance.store import policy as known_policies
from appliance.store.policy import KnownPolicy
from appliance.store.store import Store
from appliance.tls.verify import Roots, by_authorities

log = Log("mtasts")

durations = Histogram(
    "mtasts_get_duration_seconds",
    "Time to find and fetch a policy.",
    ("result",),
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 60, 90),
)
answers = Counter("mtastsdb_get_total", "Policies that deliveries asked for.", ("result",))

#: For the DNS record.
LOOKUP_SECONDS: Final = 30.0
#: RFC 8461 §3.3 suggests both.
FETCH: Final = Bounds(seconds=60, body_octets=64 * limits.KIB)
#: After a policy could not be fetched, it is not tried again for so long (RFC 8461 §3.3).
BACKOFF_SECONDS: Final = 5 * 60
#: That mail was sent by a policy is written down so often at most.
_TOUCH_SECONDS: Final = 3600
#: Policies are looked at so often, and fetched again when they were not for so long, over so long a time.
REFRESH_SECONDS: Final = 24 * 3600.0
STALE_SECONDS: Final = 12 * 3600
SPREAD_SECONDS: Final = 3 * 3600.0
#: Those by which no mail was sent for so long are forgotten.
UNUSED_SECONDS: Final = 180 * 24 * 3600
#: Fetched at the same time to have them fresh; read in one transaction.
_AT_ONCE: Final = 5
_PAGE: Final = 20

#: Results as reports about TLS name them (RFC 8460 §4.3.2.2).
FETCH_ERROR: Final = "sts-policy-fetch-error"
POLICY_INVALID: Final = "sts-policy-invalid"
WEBPKI_INVALID: Final = "sts-webpki-invalid"
_FALLBACK: Final = "+fallback-to-cached-policy"


@dataclass(frozen=True, slots=True)
class DomainPolicy:
    """The policy of a domain as deliveries see it, and what was wrong with finding it."""

    domain: Domain
    #: None: there is one, but it could not be had.
    policy: Policy | None
    #: As reports about TLS have it; empty when nothing was wrong.
    result: str = ""
    reason: str = ""

    @property
    def known(self) -> bool:
        """It could be had, and is a policy."""
        return self.policy is not None and self.policy.mode is not Mode.NONE

    @property
    def enforced(self) -> bool:
        """Who does not satisfy it gets no mail."""
        return self.policy is not None and self.policy.mode is Mode.ENFORCE

    def allows(self, host: str) -> bool:
        """Whether the policy names a host, in A-labels; without a policy any is allowed."""
        return self.policy is None or not self.known or self.policy.allows(host)


class Unavailable(Exception):
    """A policy could not be had; result and reason as reports about TLS have them."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(f"{result}: {reason}")
        self.result, self.reason = result, reason


def client(resolver: Resolver, context: SSL.Context, roots: Roots, now: Callable[[], datetime]) -> Client:
    """What policies are fetched with. `context`: from tls.context.client_context."""

    def judge(chain: Sequence[bytes], name: str) -> str:
        return by_authorities(chain, name, roots, now()).result

    return Client(resolver, context, judge, "mtasts")


async def records(resolver: Resolver, domain: Domain) -> tuple[str, ...]:
    """The records that say there is a policy, as they stand; more than one count as none. Raises Temporary."""
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            answer = await resolver.txt(f"_mta-sts.{domain.ascii}")
    except (NotFound, InvalidName):
        return ()
    except trio.TooSlowError as error:
        raise LookupTimeout("no answer in time") from error
    return tuple(filter(is_record, answer.records))


async def find(resolver: Resolver, domain: Domain) -> str | None:
    """The id of a domain's policy; None when its records do not say that there is one. Raises Temporary."""
    found = await records(resolver, domain)
    if len(found) != 1:  # RFC 8461 §3.1
        return None
    try:
        return parse_record(found[0])
    except MTASTSError as error:
        log.info("the MTA-STS record is ignored", error, domain=domain.unicode)
        return None


def url(domain: Domain, port: int | None = None) -> URL:
    """Where a policy is (RFC 8461 §3.2)."""
    return URL("https", f"mta-sts.{domain.ascii}", "/.well-known/mta-sts.txt", port)


async def fetch(client: Client, domain: Domain, *, port: int | None = None) -> tuple[Policy, bytes]:
    """The policy, and the octets it is in. Raises Unavailable."""
    try:
        response = await client.send(Request(url(domain, port), fields=(("Accept", "text/plain"),)), FETCH)
    except HTTPError as error:
        if error.fault is Fault.CERTIFICATE:
            raise Unavailable(WEBPKI_INVALID, str(error)) from error
        raise Unavailable(FETCH_ERROR, error.fault.value) from error
    if response.status != 200:  # Redirects too: RFC 8461 §3.3
        raise Unavailable(FETCH_ERROR, f"http-status-{response.status}")
    if not _is_plain_text(response):
        raise Unavailable(POLICY_INVALID, "not-text-plain")
    try:
        # Up to some milliseconds for a hostile one.
        parsed = await trio.to_thread.run_sync(parse_policy, response.body, limits.MTASTS_PATTERNS)
    except MTASTSError as error:
        raise Unavailable(POLICY_INVALID, str(error)) from error
    return parsed, response.body


def _is_plain_text(response: Response) -> bool:
    """RFC 8461 §3.2: else anybody who may put a page there could make a policy. Lenient: it may have no type."""
    kind = (response.field("content-type") or "text/plain").partition(";")[0]
    return kind.strip(" \t").lower() == "text/plain"


class Policies:
    """The policies of all domains that mail is sent to."""

    def __init__(
        self,
        store: Store,
        resolver: Resolver,
        client: Client,
        *,
        clock: Clock,
        random: Random,
        port: int | None = None,
    ) -> None:
        """`port`: where policies are fetched from; another one than 443 in tests only."""
        self._store, self._resolver, self._client = store, resolver, client
        self._clock, self._random, self._port = clock, random, port

    async def of_domain(self, domain: Domain) -> DomainPolicy | None:
        """The policy of a recipient's domain, as it was written; None when it has none.

        Raises Temporary when nobody can tell whether it has one.
        """
        result = "error"
        try:
            found, result = await self._of_domain(domain)
            return found
        finally:
            answers.labels(result).inc()

    async def _of_domain(self, domain: Domain) -> tuple[DomainPolicy | None, str]:
        """The policy, and how it was come by."""
        known = self._known(domain)
        cached = None if known is None else _valid(known, self._clock.microseconds())
        try:
            identity = await self._find(domain)
        except Temporary:
            if cached is None:
                raise
            await self._touch(domain, known)
            return _fallback(domain, cached, FETCH_ERROR, "dns-lookup-failed"), "ok"
        if identity is None:
            if cached is None or cached.mode is Mode.NONE:
                return None, "notfound"
            # RFC 8461 §3.1: a policy does not end by the absence of its record.
            await self._touch(domain, known)
            return _fallback(domain, cached, FETCH_ERROR, "no-dns-record"), "ok"
        if known is not None and cached is not None and known.identity == identity:
            await self._touch(domain, known)
            return _found(domain, cached), "ok"
        if known is not None and self._backs_off(known, identity):
            if cached is not None:
                await self._touch(domain, known)
            return _fallback(domain, cached, known.result, known.reason), "backoff"
        try:
            fresh = await self._fetch(domain, identity, used=True)
        except Unavailable as error:
            return _fallback(domain, cached, error.result, error.reason), "error" if cached is None else "ok"
        return _found(domain, fresh), "ok"

    async def keep(self) -> None:
        """Keeper task: has policies fresh before they end (RFC 8461 §3.3, §10), and forgets those nobody needs."""
        while True:
            began = trio.current_time()
            await self.refresh()
            await trio.sleep_until(began + REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Look at all policies once; takes some hours, so that not all are fetched at the same time."""
        due = await self._due()
        moments = sorted((self._chance() * SPREAD_SECONDS, domain) for domain in due)
        began = trio.current_time()
        limiter = trio.CapacityLimiter(_AT_ONCE)

        async def one(domain: str) -> None:
            async with limiter:
                await self._refresh(Domain(domain, domain))

        async with trio.open_nursery() as nursery:
            for moment, domain in moments:
                await trio.sleep_until(began + moment)
                nursery.start_soon(one, domain)

    async def _due(self) -> list[str]:
        """Those to fetch again; those nobody needs are forgotten."""
        due: list[str] = []
        last = ""
        while True:
            await trio.lowlevel.checkpoint()
            with self._store.read() as tx:
                found = known_policies.page(tx, last, _PAGE)
            if not found:
                return due
            now = self._clock.microseconds()
            for domain, known in found:
                if _is_useless(known, now):
                    await self._write(partial(known_policies.remove, domain=domain))
                elif known.updated < now - STALE_SECONDS * 1_000_000:
                    due.append(domain)
            last = found[-1][0]

    async def _refresh(self, domain: Domain) -> None:
        known, now = self._known(domain), self._clock.microseconds()
        if known is None or known.updated >= now - STALE_SECONDS * 1_000_000:
            return  # A delivery was quicker.
        cached = _valid(known, now)
        try:
            identity = await self._find(domain)
        except Temporary as problem:
            log.info("an MTA-STS policy cannot be refreshed", problem, domain=domain.ascii)
            return
        if identity is not None:
            try:
                await self._fetch(domain, identity, used=False)
            except Unavailable:
                pass  # It was logged. What is known counts until it ends.
        elif cached is None or cached.mode is Mode.NONE:
            await self._write(partial(known_policies.remove, domain=domain.ascii))

    async def _find(self, domain: Domain) -> str | None:
        """As `find`; what fails is counted."""
        began = trio.current_time()
        try:
            return await find(self._resolver, domain)
        except Temporary:
            durations.labels("lookuperror").observe(trio.current_time() - began)
            raise

    async def _fetch(self, domain: Domain, identity: str, *, used: bool) -> Policy:
        """Fetch and keep. Raises Unavailable, after that was kept."""
        began, result = trio.current_time(), "canceled"
        name = domain.ascii
        try:
            fresh, _ = await fetch(self._client, domain, port=self._port)
            result = "ok"
        except Unavailable as error:
            result = "fetcherror"
            log.info("cannot fetch an MTA-STS policy", domain=domain.unicode, result=error.result, reason=error.reason)
            await self._write(
                partial(known_policies.failed, domain=name, identity=identity, result=error.result, reason=error.reason)
            )
            raise
        finally:
            durations.labels(result).observe(trio.current_time() - began)
        await self._write(partial(known_policies.fetched, domain=name, identity=identity, policy=fresh, used=used))
        return fresh

    async def _touch(self, domain: Domain, known: KnownPolicy | None) -> None:
        if known is not None and known.used < self._clock.microseconds() - _TOUCH_SECONDS * 1_000_000:
            await self._write(partial(known_policies.touch, domain=domain.ascii))

    async def _write(self, body: Callable[..., None]) -> None:
        """What cannot be kept must not stop a delivery."""
        try:
            await self._store.write(body)
        except Problem as problem:
            log.error("cannot keep an MTA-STS policy", problem)

    def _known(self, domain: Domain) -> KnownPolicy | None:
        with self._store.read() as tx:
            return known_policies.find(tx, domain.ascii)

    def _backs_off(self, known: KnownPolicy, identity: str) -> bool:
        since = self._clock.microseconds() - known.failed
        return known.failed_identity == identity and since < BACKOFF_SECONDS * 1_000_000

    def _chance(self) -> float:
        return int.from_bytes(self._random.token_bytes(4), "big") / (1 << 32)


def _valid(known: KnownPolicy, now: int) -> Policy | None:
    """The policy, if it still counts."""
    return known.policy if now < known.valid_until else None


def _is_useless(known: KnownPolicy, now: int) -> bool:
    if known.policy is None:
        return known.failed < now - BACKOFF_SECONDS * 1_000_000
    return known.used < now - UNUSED_SECONDS * 1_000_000


def _found(domain: Domain, policy: Policy) -> DomainPolicy | None:
    return None if policy.mode is Mode.NONE else DomainPolicy(domain, policy)


def _fallback(domain: Domain, cached: Policy | None, result: str, reason: str) -> DomainPolicy:
    """RFC 8461 §3.3: without a policy mail goes as if there were none; a valid one that is known counts."""
    return DomainPolicy(domain, cached, result, reason if cached is None else reason + _FALLBACK)

"""One attempt to hand a parcel to the hosts of its recipients' domain: which are asked, in what order, with what TLS.

RFC 5321 §5.1 for the hosts, RFC 8461, RFC 7672 and RFC 8689 for TLS, by way of `tlsdemands`. A host that fails for now
is followed by the next; who has the message, or refuses it for good, has the last word. What follows from the outcome
is for `settle`.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile
from typing import Final

import trio

from appliance.base.metrics import Counter
from appliance.dns.problems import Temporary
from appliance.mail.domain import Domain, IPLiteral
from appliance.mail.status import Status
from appliance.net.dial import order
from appliance.net.limiter import Address
from appliance.protocol.smtp.client import Outcome, Stage, common_failure
from appliance.protocol.smtp.failure import ClientError, Failure, Fault, impossible, temporary
from appliance.queue import hosts
from appliance.queue.hosts import HostAddresses, NextHosts
from appliance.queue.line import Kept, Line, is_over
from appliance.queue.parcel import Connection, Handed, Means, Parcel, Taken, TLSOffer, hand_over
from appliance.queue.smtpclient import Session, connect
from appliance.queue.smtpsettings import Check, Settings, TLSMode, TLSOutcome, TLSPolicy
from appliance.queue.tlsdemands import NEEDS_TLS, DomainPolicy, TLSDemands, demands, unsupported, waived
from appliance.tls.verify import by_zone

plaintext_fallbacks = Counter("queue_plaintext_fallback_total", "Messages sent in plain text since TLS had failed.")

#: A domain whose hosts have no addresses is given up at this attempt: by then it is no oversight any more.
NO_ADDRESSES_ATTEMPT: Final = 3
#: After so long no further host is asked in an attempt.
LONG_SECONDS: Final = 10 * 60.0
#: Kept of what a host calls itself.
_HELO_CHARACTERS: Final = 255
#: A refusal before anything was said of the message is one of the host, not of the domain (RFC 7504 §4).
_OF_THE_HOST: Final = frozenset({Stage.GREETING.value, Stage.EHLO.value, Stage.HELO.value})


async def deliver(means: Means, parcel: Parcel, domain: Domain | IPLiteral, taken: Taken, line: Line) -> Handed:
    """Hand a parcel over to whoever takes mail for a domain."""
    return await _Attempt(means, parcel, domain, taken, line).run()


class _Attempt:
    def __init__(self, means: Means, parcel: Parcel, domain: Domain | IPLiteral, taken: Taken, line: Line) -> None:
        self.means, self.parcel, self.domain, self.taken, self.line = means, parcel, domain, taken, line
        self.handed = Handed()
        #: For whom a connection may be kept: what is demanded of a host's TLS follows from its domain and from these.
        self.purpose = domain, parcel.demands_tls, parcel.must_tls
        self.failures: list[tuple[Failure, str, Address | None]] = []

    async def run(self) -> Handed:
        means, parcel, domain, handed = self.means, self.parcel, self.domain, self.handed
        kept = await self.line.take(self.purpose, parcel.dialed)
        if kept is not None and self._is_final(await self._follow(kept)):
            return handed
        found = await hosts.find(means.resolver, domain, means.chance, means.ourselves)
        if isinstance(found, Failure):
            return handed.failed(parcel, found)
        hosts.count(found)
        policy: DomainPolicy | None = None
        if isinstance(domain, Domain):
            try:
                policy = await means.world.policies.of_domain(domain)
            except Temporary as problem:
                if parcel.requiretls is not False:
                    text = f"MTA-STS policy of {domain}: {problem}"
                    return handed.failed(parcel, temporary(Fault.DNS, "", problem.status, text))
                waived.labels("mtastspolicy").inc()
        end = trio.current_time() + LONG_SECONDS
        asked = {host for _, host, _ in self.failures}
        for host in found.names:
            if self.failures and trio.current_time() >= end:
                break
            if host in asked:
                continue
            handed.host, handed.remote = "", None
            if self._is_final(await self._host(found, host, policy), host):
                return handed
        verdict = _verdict([failure for failure, _, _ in self.failures], parcel.attempts + 1)
        handed.host, handed.remote = next(
            ((host, remote) for one, host, remote in self.failures if one is verdict), ("", None)
        )
        return handed.failed(parcel, verdict)

    def _is_final(self, outcomes: tuple[Outcome, ...], host: str = "") -> bool:
        """Whether no other host is asked after this one; `host` is empty where the connection was a kept one."""
        handed, failure = self.handed, common_failure(outcomes)
        if failure is None or not _goes_on(failure):
            handed.outcomes = outcomes
            return True
        name = host or handed.host
        self.means.log.info("host failed", host=name, remote=handed.remote, problem=str(failure))
        if host or not is_over(failure):
            self.failures.append((failure, handed.host, handed.remote))
        return False

    async def _follow(self, kept: Kept) -> tuple[Outcome, ...]:
        """Hand over on a connection that another message has left."""
        handed = self.handed
        handed.host, handed.remote, handed.tls_label = kept.host, kept.remote, kept.label
        handed.dialed.append((kept.host, kept.remote))
        async with kept.session:
            outcomes = await self._hand_over(kept)
        return self._told(outcomes, dual_stack=kept.dual_stack)

    async def _hand_over(self, kept: Kept) -> tuple[Outcome, ...]:
        """Hand over; if nobody else is asked after that, the next message may follow."""
        session = kept.session
        self.handed.offer = TLSOffer(session.tls.offered, session.capabilities.offers("REQUIRETLS"))
        outcomes = await hand_over(session, self.parcel, self.handed, self.taken)
        failure = common_failure(outcomes)
        if failure is not None and failure.status == NEEDS_TLS and not failure.remote:
            unsupported.labels("norequiretls").inc()
        ends = failure is None or not _goes_on(failure)
        # A better host that had something against this message alone may take the next one (RFC 5321 §5.1).
        if ends and all(_is_of_the_host(one) for one, _, _ in self.failures):
            self.line.keep(kept, self.purpose)
        return outcomes

    def _told(self, outcomes: tuple[Outcome, ...], *, dual_stack: bool) -> tuple[Outcome, ...]:
        if dual_stack and self.parcel.attempts == 0:
            return tuple(map(_may_be_our_address, outcomes))
        return outcomes

    async def _host(self, found: NextHosts, host: str, policy: DomainPolicy | None) -> tuple[Outcome, ...]:
        """An attempt at one host."""
        means, parcel = self.means, self.parcel
        if found.literal is not None:
            at: HostAddresses | Failure = hosts.literal(found.literal)
        else:
            at = await hosts.addresses(means.resolver, host, family=means.family)
        if isinstance(at, Failure):
            # A host that an MX names and that is not there: the domain is, and may mend that.
            return self._all(hosts.no_addresses(host) if at.permanent and found.has_mx else at)
        keys = None if found.literal is not None else await means.world.policies.of_host(found, at)
        wanted = demands(
            host, policy, keys, parcel.demands_tls, must_tls=parcel.must_tls, require_tls=means.require_tls
        )
        self.handed.tls_label = wanted.label
        about = partial(Connection, host, policy=policy, keys=keys)
        if wanted.refusal is not None:
            refusal = wanted.refusal
            if refusal.tls_result:
                told = TLSOutcome(wanted=True, result=refusal.tls_result, reason=refusal.tls_reason)
                self.handed.connections.append(about(None, None, "", tls=told))
            return self._all(refusal)
        ordered = order(at.addresses, parcel.dialed.get(host, ()))
        outcomes = await self._session(host, at, ordered, self._policy(host, found, wanted), about)
        failure = common_failure(outcomes)
        if failure is not None and failure.fault is Fault.TLS and wanted.ours_alone:
            return self._all(_without_tls(host, failure))
        if failure is not None and failure.fault is Fault.TLS and wanted.plaintext and self.handed.remote is not None:
            if parcel.requiretls is False and (keys is not None or (policy is not None and policy.enforced)):
                waived.labels("badtls").inc()
            plaintext_fallbacks.inc()
            means.log.info("TLS failed, sending without", host=host, remote=self.handed.remote, problem=str(failure))
            self.handed.tls_label = TLSMode.SKIP.value
            outcomes = await self._session(host, at, [self.handed.remote], TLSPolicy(TLSMode.SKIP), None)
        return self._told(outcomes, dual_stack=at.dual_stack)

    def _policy(self, host: str, found: NextHosts, wanted: TLSDemands) -> TLSPolicy:
        means = self.means
        checks: list[Check] = []
        if found.literal is None:
            checks.append(means.by_authorities(host, wanted.pkix))
        if wanted.records:
            judge = partial(by_zone, records=wanted.records, names=wanted.names, now=means.clock.now())
            checks.append(Check("dane", judge, wanted.dane))
        name = (wanted.server_name or host) if found.literal is None else None
        return TLSPolicy(wanted.mode, means.context, name, tuple(checks))

    async def _session(
        self,
        host: str,
        at: HostAddresses,
        addresses: Sequence[Address],
        policy: TLSPolicy,
        about: "partial[Connection] | None",
    ) -> tuple[Outcome, ...]:
        """One connection to a host. `about` makes what reports tell of it."""
        means, handed, world = self.means, self.handed, self.means.world
        handed.host, handed.remote, handed.tells_success = host, None, False
        try:
            connection = await connect(
                addresses,
                world.smtp_port,
                log=means.log.bind(host=host),
                sources=means.sources,
                proxy=means.proxy,
                seconds=world.times.dial,
                dialer=world.dialer,
            )
        except ClientError as error:
            return self._all(error.failure)
        handed.remote = connection.remote
        handed.opened += 1
        if (host, connection.remote) not in handed.dialed:  # A second connection without TLS is the same attempt.
            handed.dialed.append((host, connection.remote))
        settings = Settings(ehlo_name=means.ehlo_name, tls=policy, times=world.times)
        async with Session(connection, settings, random=means.random, shutdown=means.shutdown) as session:
            try:
                await session.open()
            except ClientError as error:
                return self._all(error.failure)
            finally:
                if about is not None and session.tls.wanted:
                    helo = session.capabilities.hostname[:_HELO_CHARACTERS]
                    handed.connections.append(about(connection.remote, connection.local, helo, tls=session.tls))
            return await self._hand_over(
                Kept(
                    session=session,
                    host=host,
                    addresses=at.addresses,
                    tried=frozenset((*takewhile(lambda one: one != connection.remote, addresses), connection.remote)),
                    label=handed.tls_label,
                )
            )

    def _all(self, failure: Failure) -> tuple[Outcome, ...]:
        return (failure,) * len(self.parcel.recipients)


def _goes_on(failure: Failure) -> bool:
    """Whether the next host is asked after all recipients have failed so at one."""
    if failure.fault in {Fault.SHUTDOWN, Fault.MESSAGE}:
        return False
    if failure.command == Stage.CONTENT.value and not failure.remote:
        # The host may have the message all the same: who asks the next one at once delivers twice (RFC 1047).
        return False
    if not failure.permanent:
        return not _about_our_address(failure)
    return failure.fault in {Fault.UNSUPPORTED, Fault.DNS} or failure.command in _OF_THE_HOST


def _without_tls(host: str, failure: Failure) -> Failure:
    """TLS failed, and it is this server's own setting that nothing goes without."""
    text = f"this server sends nothing without TLS (require_tls), and with {host} there is none: {failure}"
    return replace(
        failure, code=0, status=Status(4, 7, 4) if failure.remote else failure.status, lines=(text,), remote=False
    )


def _is_of_the_host(failure: Failure) -> bool:
    """A host that failed so would have failed any other message, too."""
    if failure.fault in {Fault.CONNECTION, Fault.TIMEOUT, Fault.PROTOCOL, Fault.TLS, Fault.DNS}:
        return True
    return failure.command in _OF_THE_HOST


def _verdict(failures: Sequence[Failure], attempt: int) -> Failure:
    """The failure of all hosts: for now if that of any is; what a host said before what was not even heard."""
    if attempt >= NO_ADDRESSES_ATTEMPT and all(one.status == hosts.NO_ADDRESSES for one in failures):
        return impossible(Fault.DNS, 550, Status(5, 4, 4), failures[-1].text)
    lasting = [one for one in failures if one.permanent]
    passing = [one for one in failures if not one.permanent]
    among = passing or lasting
    return next((one for one in reversed(among) if one.remote), among[-1])


def _about_our_address(failure: Failure) -> bool:
    """A refusal for reasons of policy (RFC 3463 §3.8), which our address may have brought on us."""
    return failure.remote and failure.status.klass == 5 and failure.status.subject == 7


def _may_be_our_address(outcome: Outcome) -> Outcome:
    """At the first attempt at a host of both families such a refusal is one for now: the next comes from our address of
    the other family, which may not be on the same blocklist."""
    if isinstance(outcome, Failure) and outcome.permanent and _about_our_address(outcome):
        return replace(outcome, permanent=False)
    return outcome

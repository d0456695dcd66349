"""What is demanded of a host's TLS before a message is handed over: one function, from all that has a say in it.

The recipient's domain may publish a policy (MTA-STS, RFC 8461), the host's zone may publish keys (DANE, RFC 7672), and
the sender may have asked for TLS (RFC 8689). Both policies hold where there are both. Without any TLS is used where it
is offered, with whomever: that keeps out those who only listen (RFC 7435). What was found to be wrong is told in
reports all the same (RFC 8460). Finding the policies is for the room tls; the two questions are `Policies`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from appliance.base.metrics import Counter
from appliance.dns.answers import TLSA
from appliance.mail.domain import Domain
from appliance.mail.mtasts import Policy
from appliance.mail.status import Status
from appliance.protocol.smtp.failure import Failure, Fault, impossible, temporary
from appliance.queue.hosts import HostAddresses, NextHosts
from appliance.queue.smtpsettings import TLSMode, Weight

waived = Counter(
    "queue_tlsrequiredno_ignored_total", "Demands that were waived because of TLS-Required: No.", ("ignored",)
)
unsupported = Counter(
    "queue_requiretls_unsupported_total", "Hosts that cannot take messages with REQUIRETLS.", ("reason",)
)


class DomainPolicy(Protocol):
    """The MTA-STS policy of a recipient's domain."""

    @property
    def known(self) -> bool:
        """It could be had, and is one; else there is at most to report that it could not."""

    @property
    def enforced(self) -> bool:
        """Mode `enforce`; else `testing`, which is only told in reports."""

    @property
    def policy(self) -> Policy | None:
        """The policy itself, for reports; None: it could not be had."""

    @property
    def result(self) -> str:
        """What reports about TLS call it when there is something wrong (RFC 8460 §4.3.2); else empty."""

    @property
    def reason(self) -> str:
        """The same more precisely."""

    def allows(self, host: str) -> bool:
        """Whether the policy names a host, in A-labels (RFC 8461 §4.1)."""


class HostKeys(Protocol):
    """What DNSSEC vouches for about a host: it has TLSA records, or nobody can tell."""

    @property
    def base(self) -> str:
        """The TLSA base domain: the name to ask for in the handshake (RFC 7672 §8.1)."""

    @property
    def records(self) -> Sequence[TLSA]:
        """Those that are usable. None: TLS is demanded, and nobody is verified (RFC 7672 §2.2)."""

    @property
    def published(self) -> Sequence[TLSA]:
        """All there are, for reports."""

    @property
    def names(self) -> Sequence[str]:
        """Names one of which a certificate must have if an authority's record vouches for it (RFC 7672 §3.2.2)."""

    @property
    def problem(self) -> str:
        """Why they could not be looked up; empty when they were. The host must not be used then (RFC 7672 §2.1.2)."""

    @property
    def result(self) -> str:
        """What reports about TLS call it when there is something wrong (RFC 8460 §4.3.2); else empty."""

    @property
    def reason(self) -> str:
        """The same more precisely."""


class Policies(Protocol):
    """Where policies come from."""

    async def of_domain(self, domain: Domain) -> DomainPolicy | None:
        """The policy of a recipient's domain as it was written; None without one. Raises dns.problems.Temporary."""

    async def of_host(self, hosts: NextHosts, host: HostAddresses) -> HostKeys | None:
        """What a host's zone says of its keys; None where DNSSEC does not vouch for the way to it, or nothing is said.

        Raises nothing: who cannot tell says so in `problem`.
        """

    async def keep(self) -> None:
        """Keeper task: has fresh what is remembered; may return at once."""


class NoPolicies:
    """Nobody has a policy."""

    async def of_domain(self, domain: Domain) -> None:
        """None."""

    async def of_host(self, hosts: NextHosts, host: HostAddresses) -> None:
        """None."""

    async def keep(self) -> None:
        """There is nothing to do."""


@dataclass(frozen=True, slots=True)
class TLSDemands:
    """What is demanded of one host for one message."""

    mode: TLSMode
    #: What follows from a certificate that no authority vouches for.
    pkix: Weight
    #: By which a certificate is judged, and what follows from it; no records: it is not.
    dane: Weight = Weight.REPORTED
    records: Sequence[TLSA] = ()
    names: Sequence[str] = ()
    #: The name to ask for in the handshake, if it is not the host's.
    server_name: str = ""
    #: After TLS has failed, the message may go without.
    plaintext: bool = False
    #: TLS is required by nobody but ourselves.
    ours_alone: bool = False
    #: The host must not be used at all.
    refusal: Failure | None = None
    #: As counters name it.
    label: str = TLSMode.OPPORTUNISTIC.value


def demands(
    host: str,
    policy: DomainPolicy | None,
    keys: HostKeys | None,
    requiretls: bool | None,
    *,
    must_tls: bool = False,
    require_tls: bool = False,
) -> TLSDemands:
    """What is demanded of a host, named in A-labels.

    `requiretls` as in the message: True for REQUIRETLS, False for TLS-Required: No. `must_tls`: it never goes in plain
    text after TLS has failed, as reports about others must not. `require_tls`: nor where there is no TLS, whatever its
    sender says: who waives the demands of others (RFC 8689 §4.2.2) waives none of the operator's.
    """
    waives = requiretls is False
    enforced = policy is not None and policy.enforced
    required = (enforced or keys is not None) and not waives
    mode = TLSMode.REQUIRED if required or require_tls else TLSMode.OPPORTUNISTIC
    known = policy is not None and policy.known
    label = mode.value + "+mtasts" * known + "+dane" * (keys is not None)
    # RFC 7672 §8.1. Whom both policies are about has an alias for a host; RFC 8461 §4.2 wants the host's own name then.
    server_name = keys.base if keys is not None and keys.records and not enforced else ""
    refusal = _refusal(host, policy, keys, requiretls)
    if refusal is not None:
        return TLSDemands(TLSMode.REQUIRED, Weight.REPORTED, refusal=refusal, label=label)
    if waives:
        # RFC 8689 §4.2.2: whatever the policies say.
        return TLSDemands(
            mode,
            Weight.WAIVED if enforced else Weight.REPORTED,
            Weight.WAIVED,
            () if keys is None else keys.records,
            () if keys is None else keys.names,
            server_name,
            plaintext=not require_tls,
            ours_alone=require_tls,
            label=label,
        )
    return TLSDemands(
        mode,
        Weight.ENFORCED if enforced else Weight.REPORTED,
        Weight.ENFORCED,
        () if keys is None else keys.records,
        () if keys is None else keys.names,
        server_name,
        plaintext=mode is TLSMode.OPPORTUNISTIC and not must_tls and requiretls is None,
        ours_alone=require_tls and not required and requiretls is None,
        label=label,
    )


def _refusal(host: str, policy: DomainPolicy | None, keys: HostKeys | None, requiretls: bool | None) -> Failure | None:
    """Why a host must not be used."""
    waives = requiretls is False
    if policy is not None and policy.enforced and not policy.allows(host):
        if not waives:
            text = f"{host} is not among the hosts of the domain's MTA-STS policy"
            failure = temporary(Fault.TLS, "", Status(4, 7, 5), text)
            return _told(failure, *NOT_IN_POLICY)
        waived.labels("mtastsmx").inc()
    if keys is not None and keys.problem:
        if not waives:
            failure = temporary(Fault.TLS, "", Status(4, 7, 5), f"TLSA records of {host}: {keys.problem}")
            return _told(failure, keys.result, keys.reason)
        waived.labels("badtlsa").inc()
    if requiretls and not (policy is not None and policy.enforced) and not (keys is not None and keys.records):
        unsupported.labels("nopolicy").inc()
        text = f"REQUIRETLS: neither DANE nor an enforced MTA-STS policy vouches for {host}"
        return impossible(Fault.UNSUPPORTED, 554, NEEDS_TLS, text)
    return None


def _told(failure: Failure, result: str, reason: str) -> Failure:
    return replace(failure, tls_result=result, tls_reason=reason)


#: What reports about TLS call a host that the domain's MTA-STS policy does not name.
NOT_IN_POLICY: Final = ("validation-failure", "mtasts-policy-mx-mismatch")
#: RFC 8689 §8
NEEDS_TLS: Final = Status(5, 7, 30)

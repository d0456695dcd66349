"""What reports will tell of an attempt's TLS (RFC 8460 §4.3): from connections to results under policies.

A connection counts once under each policy that has a say in it: MTA-STS of the recipient's domain or that it has none,
and DANE of the host. What is sent without TLS after TLS has failed is no connection more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.base import limits
from appliance.mail.domain import Domain
from appliance.mail.tlsreport import Failure, PolicyResult
from appliance.queue.parcel import Connection
from appliance.queue.tlsdemands import NOT_IN_POLICY, HostKeys
from appliance.store import tlsresult
from appliance.store.queuerecords import QueuedMessage
from appliance.store.transaction import WriteTx


@dataclass(frozen=True, slots=True)
class Note:
    """One connection under one policy."""

    policy_domain: str
    recipient_domain: str
    is_host: bool
    result: PolicyResult


#: What is wrong, and more precisely, as reports have it; nothing.
_Trouble = tuple[str, str]
_WELL: Final = ("", "")


def notes(domain: Domain, connections: Iterable[Connection]) -> list[Note]:
    """What there is to tell of the connections of an attempt for a domain."""
    found: list[Note] = []
    for one in connections:
        name = domain.ascii
        # A domain that takes its mail itself, and has keys, is told of these: there is nothing else it should have.
        is_its_own = one.keys is not None and one.policy is None and one.keys.base == name
        if not is_its_own and not _is_about_keys(one):
            found.append(Note(name, name, False, _of_domain(name, one)))
        if one.keys is not None and not _is_about_policy(one):
            found.append(Note(one.keys.base, name, True, _of_host(one.keys, one)))
    return found


def write(tx: WriteTx, notes: Sequence[Note], message: QueuedMessage) -> None:
    """Keep them. Reports of ours cause none by themselves: two servers would tell each other of them for ever."""
    for one in notes:
        is_worth = not message.is_tls_report and not (message.is_dmarc_report and not one.result.failed_sessions)
        tlsresult.note(
            tx,
            one.policy_domain,
            one.recipient_domain,
            [one.result],
            is_host=one.is_host,
            sends_report=is_worth,
            most=limits.TLS_RESULTS_KEPT,
            policies=limits.TLS_RESULT_POLICIES,
            failures=limits.TLS_RESULT_FAILURES,
        )


def _of_domain(name: str, one: Connection) -> PolicyResult:
    """Under MTA-STS, or without a policy."""
    policy, tls = one.policy, one.tls
    by_authorities, by_zone = (tls.judgements.get(check) for check in ("pkix", "dane"))
    certificate = _WELL
    if by_authorities is not None and not by_authorities.verified:
        certificate = by_authorities.result, by_authorities.reason
    if policy is None or (policy.policy is not None and not policy.known):
        # Whom DANE vouches for needs no authority.
        excused = by_zone is not None and by_zone.verified
        trouble = (tls.result, tls.reason)
        if trouble == _WELL and not excused:
            trouble = certificate
        return _result("no-policy-found", name, (), (), trouble, one)
    if policy.policy is None:
        return _result("sts", name, (), (), (policy.result, policy.reason), one)
    if not policy.allows(one.host):
        trouble = NOT_IN_POLICY
    else:
        trouble = (tls.result, tls.reason) if tls.result else certificate
    if trouble == _WELL:
        # What was known counted, but the domain does not serve its policy: sooner or later it has none.
        trouble = policy.result, policy.reason
    return _result("sts", name, policy.policy.lines, policy.policy.patterns, trouble, one)


def _of_host(keys: HostKeys, one: Connection) -> PolicyResult:
    """Under DANE."""
    tls = one.tls
    judgement = tls.judgements.get("dane")
    trouble = (tls.result, tls.reason) if tls.result else (keys.result, keys.reason)
    if trouble == _WELL and judgement is not None and not judgement.verified:
        trouble = judgement.result, judgement.reason
    return _result("tlsa", keys.base, tuple(map(str, keys.published)), (), trouble, one)


def _is_about_policy(one: Connection) -> bool:
    """The host was not connected to because of MTA-STS; its keys have nothing to do with it."""
    return one.remote is None and (one.tls.result, one.tls.reason) == NOT_IN_POLICY


def _is_about_keys(one: Connection) -> bool:
    """The host was not connected to because of its keys."""
    return one.remote is None and not _is_about_policy(one)


def _result(
    kind: str, name: str, lines: Sequence[str], patterns: Sequence[str], trouble: _Trouble, one: Connection
) -> PolicyResult:
    failures: tuple[Failure, ...] = ()
    if trouble[0]:
        failure = Failure(
            result_type=trouble[0],
            sending_ip="" if one.local is None else str(one.local),
            receiving_mx=one.host,
            receiving_helo=one.helo,
            receiving_ip="" if one.remote is None else str(one.remote),
            failed_sessions=1,
            reason_code=trouble[1],
        )
        failures = (failure,)
    return PolicyResult(
        policy_type=kind,
        domain=name,
        policy_lines=tuple(lines),
        mx_patterns=tuple(patterns),
        successful_sessions=int(not failures),
        failed_sessions=len(failures),
        failures=failures,
    )

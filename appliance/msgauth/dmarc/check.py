"""DMARC: the policy of From's domain, and whether the message meets it (RFC 7489 §6.6).

Looking the record up waits for the DNS; the judgement is a function of what is known then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.dns.problems import InvalidName, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.msgauth.dmarc import record
from appliance.msgauth.dmarc.record import Alignment, DMARCRecordError, Policy, Record
from appliance.msgauth.publicsuffix import organizational_domain
from appliance.msgauth.results import DMARC, SPF, AuthStatus, DKIMResult


@dataclass(frozen=True, slots=True)
class Found:
    """What the DNS has for a domain in From."""

    #: none: no record, or several; pass: this one; permerror: one that makes no sense; temperror: nobody knows.
    status: AuthStatus
    #: Whose record it is.
    domain: Domain | None = None
    record: Record | None = None
    text: str = ""
    authentic: bool = False


async def lookup(resolver: Resolver, domain: Domain) -> Found:
    """The record of a domain, or that of its organization (RFC 7489 §6.6.3). Raises nothing but for bugs."""
    found = await _lookup(resolver, domain)
    if found is not None:
        return found
    organization = organizational_domain(domain)
    if organization != domain:
        found = await _lookup(resolver, organization)
    return found or Found(AuthStatus.NONE, text="no record")


async def _lookup(resolver: Resolver, domain: Domain) -> Found | None:
    """What stands at one name; None when that is nothing."""
    try:
        answer = await resolver.txt(f"_dmarc.{domain.ascii}")
    except (NotFound, InvalidName):
        return None
    except Temporary as problem:
        return Found(AuthStatus.TEMPERROR, domain, text=str(problem))
    texts = [text for text in answer.records if record.is_record(text)]
    if not texts:
        return None
    if len(texts) > 1:
        return Found(AuthStatus.NONE, domain, text="more than one record", authentic=answer.authentic)
    try:
        return Found(AuthStatus.PASS, domain, record.parse(texts[0]), authentic=answer.authentic)
    except DMARCRecordError as error:
        return Found(AuthStatus.PERMERROR, domain, text=f"record: {error}", authentic=answer.authentic)


def evaluate(domain: Domain, found: Found, spf: SPF, dkim: Sequence[DKIMResult], *, chance: float) -> DMARC:
    """The judgement on a message with that domain in From. `chance`, from 0 up to 1, draws for pct=."""
    if found.record is None:
        return DMARC(found.status, found.domain, text=found.text, authentic=found.authentic)
    published = found.record
    policy = published.policy_for(subdomain=found.domain != domain)
    spf_aligned = _aligned(spf.domain, domain, published.spf_alignment)
    dkim_aligned = [one for one in dkim if _aligned(one.domain, domain, published.dkim_alignment)]
    spf_passes = spf_aligned and spf.status is AuthStatus.PASS
    dkim_passes = any(one.status is AuthStatus.PASS for one in dkim_aligned)
    # An error leaves the question open only where a pass would have counted (RFC 7489 §6.6.2): else anybody could
    # escape a policy by a domain of his own that does not answer.
    open_question = (spf_aligned and spf.status is AuthStatus.TEMPERROR) or any(
        one.status is AuthStatus.TEMPERROR for one in dkim_aligned
    )
    if spf_passes or dkim_passes:
        status = AuthStatus.PASS
    else:
        status = AuthStatus.TEMPERROR if open_question else AuthStatus.FAIL
    sampled = chance * 100 < published.percentage
    return DMARC(
        status=status,
        policy_domain=found.domain,
        record=published,
        policy=policy,
        # Quarantine is refused, too: whoever sent it hears of it, which is more than a folder that nobody reads does.
        rejects=status is AuthStatus.FAIL and policy is not Policy.NONE and sampled,
        sampled=sampled,
        spf_aligned=spf_passes,
        dkim_aligned=dkim_passes,
        authentic=found.authentic,
    )


def strictest(verdicts: Sequence[DMARC]) -> DMARC:
    """Of the judgements on several domains in From, the one that counts (RFC 7489 §6.6.1); there is at least one."""
    order = (AuthStatus.FAIL, AuthStatus.TEMPERROR, AuthStatus.PERMERROR, AuthStatus.NONE, AuthStatus.PASS)
    return min(verdicts, key=lambda one: (not one.rejects, order.index(one.status)))


def _aligned(identifier: Domain | None, domain: Domain, mode: Alignment) -> bool:
    """Whether two domains are alike enough (RFC 7489 §3.1)."""
    if identifier is None:
        return False
    if identifier == domain:
        return True
    return mode is Alignment.RELAXED and organizational_domain(identifier) == organizational_domain(domain)


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether an address may get reports about a domain."""

    #: pass: its own organization, or it says so; fail: it does not; temperror: nobody knows.
    status: AuthStatus
    #: The record that says so; None within one organization.
    text: str | None = None
    #: Reports go there instead; empty for no change.
    aggregate: tuple[record.ReportAddress, ...] = ()
    authentic: bool = False
    problem: str = ""


async def may_report(resolver: Resolver, policy_domain: Domain, address: record.ReportAddress) -> Permission:
    """Whether the owner of an address wants the reports that a record asks for (RFC 7489 §7.1)."""
    host = report_host(address)
    if host is None:
        return Permission(AuthStatus.FAIL, problem="not an address that reports can be mailed to")
    if organizational_domain(host) == organizational_domain(policy_domain):
        return Permission(AuthStatus.PASS)
    name = f"{policy_domain.ascii}._report._dmarc.{host.ascii}"
    try:
        answer = await resolver.txt(name)
    except (NotFound, InvalidName):
        return Permission(AuthStatus.FAIL, problem=f"{name} has no TXT record")
    except Temporary as problem:
        return Permission(AuthStatus.TEMPERROR, problem=str(problem))
    texts = [text for text in answer.records if record.is_record(text)]
    if not texts:
        trouble = f"{name} has no record that begins with v=DMARC1"
        return Permission(AuthStatus.FAIL, problem=trouble, authentic=answer.authentic)
    instead: list[record.ReportAddress] = []
    for text in texts:
        instead += record.parse_permission(text)
    if any(report_host(one) != host for one in instead):
        trouble = "it sends reports on to another host"
        return Permission(AuthStatus.FAIL, texts[0], problem=trouble, authentic=answer.authentic)
    return Permission(AuthStatus.PASS, texts[0], tuple(instead), answer.authentic)


def report_host(address: record.ReportAddress) -> Domain | None:
    """The domain that gets the reports; None unless they go by mail."""
    mail = address.mail
    try:
        return parse_domain(mail.rpartition("@")[2], lax=True) if mail else None
    except DomainError:
        return None

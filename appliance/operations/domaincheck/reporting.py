"""Checks of reports about TLS, and of MTA-STS."""

from typing import Final

from appliance.dns.problems import LookupProblem
from appliance.mail import mtasts as policies, tlsreport
from appliance.mail.domain import Domain
from appliance.mail.mtasts import Mode, MTASTSError
from appliance.operations import dnsrecords
from appliance.operations.domaincheck.area import Area, Subject, listed, texts
from appliance.tls import mtasts as fetching

_DAY: Final = 24 * 3600


async def host_tlsrpt(subject: Subject) -> Area:
    """Where reports about the host go (those of DANE)."""
    reports = subject.config.static.host_tlsrpt
    address = f"{reports.localpart}@{subject.host.ascii}" if reports else None
    return await _tlsrpt(
        subject, Area("TLS reports about the host"), subject.host, address, "host_tlsrpt in moxpy.toml"
    )


async def domain_tlsrpt(subject: Subject) -> Area:
    """Where reports about the domain go (those of MTA-STS)."""
    address = dnsrecords.report_address(subject.entry, "tlsrpt")
    return await _tlsrpt(
        subject, Area("TLS reports about the domain"), subject.domain, address, "tlsrpt of the domain in domains.toml"
    )


async def _tlsrpt(subject: Subject, area: Area, domain: Domain, ours: str | None, setting: str) -> Area:
    name = f"_smtp._tls.{domain.ascii}"
    wanted = subject.wanted("TXT", name)
    if ours is None:
        area.warn("no address for reports is configured")
        area.instructions.append(f"Reports tell of certificates that others do not believe: set {setting}.")
    try:
        found = await texts(subject.resolver, name, "v=tlsrptv1")
    except LookupProblem as problem:
        area.error(f"{name} cannot be looked up: {problem}")
        return area
    if found is None:
        if ours is not None:
            area.error(f"{name} has no record")
            area.records += wanted
        return area
    if len(found.records) > 1:  # RFC 8460 §3
        area.error(f"{name} has {len(found.records)} records, so none of them counts")
        area.records += wanted
        return area
    area.details.append(found.records[0])
    try:
        uris = tlsreport.parse_record(found.records[0]).addresses
    except tlsreport.TLSRPTRecordError as error:
        area.error(f"{name} {error}")
        area.records += wanted
        return area
    if ours is not None and f"mailto:{ours}".lower() not in {uri.lower() for uri in uris}:
        area.error(f"reports do not come to {ours}")
        area.records += wanted
    return area


async def mtasts(subject: Subject) -> Area:
    """Whether our policy is published, can be fetched, and fits the MX."""
    area, name = Area("MTA-STS"), f"_mta-sts.{subject.domain.ascii}"
    ours = subject.entry.config.mtasts
    wanted = [*subject.wanted("TXT", name), *subject.wanted("CNAME", f"mta-sts.{subject.domain.ascii}")]
    if ours is None:
        area.warn("no policy is configured: senders without DANE do not verify our certificates")
    try:
        records = await fetching.records(subject.resolver, subject.domain)
    except LookupProblem as problem:
        area.error(f"{name} cannot be looked up: {problem}")
        return area
    if not records:
        if ours is not None:
            area.error(f"{name} has no record")
            area.records += wanted
        return area
    if len(records) > 1:  # RFC 8461 §3.1
        area.error(f"{name} has {len(records)} records, so none of them counts")
    try:
        identity = policies.parse_record(records[0])
        if ours is not None and identity != ours.policy_id:
            area.error(f"{name} has id {identity}, and the policy has {ours.policy_id}: senders do not see the change")
    except MTASTSError as error:
        area.error(f"{name} {error}")
    if area.errors:
        area.records += wanted
    try:
        policy = await subject.means.fetch_policy(subject.domain)
    except fetching.Unavailable as error:
        area.error(f"the policy cannot be had from {fetching.url(subject.domain)}: {error.reason}")
        area.records += [one for one in wanted if one.type == "CNAME"]
        return area
    await _policy(subject, area, policy)
    return area


async def _policy(subject: Subject, area: Area, policy: policies.Policy) -> None:
    area.details.append(f"mode {policy.mode}, {policy.max_age_seconds} s, {listed(policy.patterns)}")
    if policy.mode is Mode.NONE:
        area.warn("the mode is none: nobody verifies certificates")
    elif policy.mode is Mode.TESTING:
        area.warn("the mode is testing: failures are reported, and mail is sent all the same")
    if policy.max_age_seconds <= _DAY:
        area.warn(f"senders keep the policy for {policy.max_age_seconds} s: weeks protect better, once all works")
    if not policy.allows(subject.host.ascii):
        area.warn(f"the policy does not name this host, {subject.host}")
    try:
        hosts = {one.exchange for one in (await subject.resolver.mx(subject.domain.ascii)).records}
    except LookupProblem:
        return
    for host in sorted(hosts):
        if host and not policy.allows(host):
            area.warn(f"the policy does not allow {host}, an MX of the domain")
    for pattern in policy.patterns:
        if not pattern.startswith("*.") and pattern not in hosts:
            area.warn(f"{pattern} of the policy is no MX of the domain")

"""Checks of what the domain says about its senders: SPF, DKIM, DMARC."""

from typing import Final

from appliance.config.values import IPAddress
from appliance.dns.problems import LookupProblem
from appliance.mail.address import Path
from appliance.mail.domain import Domain
from appliance.msgauth.dkim import record as dkimrecord
from appliance.msgauth.dmarc import check as dmarccheck, record as dmarcrecord
from appliance.msgauth.results import AuthStatus
from appliance.msgauth.spf import check as spfcheck
from appliance.operations import dnsrecords
from appliance.operations.domaincheck.area import HOSTS, Area, Subject, texts

#: Shorter RSA keys are refused by some.
RSA_BITS: Final = 2048


async def spf(subject: Subject) -> Area:
    """Whether each of our addresses may send for the domain, and for the host name."""
    area = Area("SPF")
    ips = [ip for ip in subject.config.derived.spf_ips if not ip.is_loopback]
    await _spf_of(subject, area, subject.domain, ips)
    if subject.host != subject.domain:
        # What goes out by a proxy says another name in EHLO.
        await _spf_of(subject, area, subject.host, [ip for ip in ips if ip in (subject.ours() or ())])
    return area


async def _spf_of(subject: Subject, area: Area, domain: Domain, ips: list[IPAddress]) -> None:
    wanted = [one for one in subject.wanted("TXT", domain.ascii) if one.value.startswith("v=spf1")]
    try:
        found = await texts(subject.resolver, domain.ascii, "v=spf1")
    except LookupProblem as problem:
        area.error(f"the SPF record of {domain} cannot be looked up: {problem}")
        return
    if found is None:
        area.error(f"{domain} has no SPF record")
        area.records += wanted
        return
    if len(found.records) > 1:  # RFC 7208 §4.5
        area.error(f"{domain} has {len(found.records)} SPF records, so none of them counts")
        area.records += wanted
        return
    area.details.append(f"{domain}: {found.records[0]}")
    if not ips:
        area.warn("the configuration does not name the addresses we send from, so none is tried")
    refused = False
    for ip in ips[:HOSTS]:
        question = spfcheck.of_path(ip, Path("postmaster", domain), domain, subject.host.ascii)
        result = await spfcheck.check(subject.resolver, question)
        if result.status is not AuthStatus.PASS:
            refused = True
            why = result.text or result.mechanism
            area.error(f"{ip} may not send for {domain}: {result.status}" + (f" ({why})" if why else ""))
    if refused:
        area.records += wanted


async def dkim(subject: Subject) -> Area:
    """Whether the keys in the DNS are those we sign with."""
    area = Area("DKIM")
    selectors = subject.entry.config.dkim.selectors
    if not selectors:
        area.error("no DKIM keys are configured: mail of this domain is not signed")
        area.instructions.append(f"Add a key on the page of the domain, or remove and add {subject.domain} anew.")
        return area
    if not subject.entry.config.dkim.sign:
        area.error("none of the keys signs")
    for selector in sorted(selectors)[: 2 * HOSTS]:
        await _selector(subject, area, selector)
    return area


async def _selector(subject: Subject, area: Area, selector: str) -> None:
    name = f"{selector}._domainkey.{subject.domain.ascii}"
    wanted = subject.wanted("TXT", name)
    signs = selector in subject.entry.config.dkim.sign
    found = await dkimrecord.lookup(subject.resolver, selector, subject.domain.ascii)
    tell = area.error if signs else area.warn
    if found.record is None:
        tell(f"{name}: {found.problem}" + (f" ({found.text})" if found.text else ""))
        area.records += wanted
        return
    if wanted:
        ours = dkimrecord.parse(wanted[0].value)
        if ours.key != found.record.key:
            tell(f"{name} has another key than ours")
            area.records += wanted
        elif ours.key_type == "rsa" and found.record.key_bits and found.record.key_bits < RSA_BITS:
            area.warn(f"{name} has a key of {found.record.key_bits} bits: {RSA_BITS} are usual")


async def dmarc(subject: Subject) -> Area:
    """Whether receivers know what to do with forgeries, and where to report."""
    area, name = Area("DMARC"), f"_dmarc.{subject.domain.ascii}"
    wanted = subject.wanted("TXT", name)
    try:
        found = await texts(subject.resolver, name, "v=dmarc1")
    except LookupProblem as problem:
        area.error(f"{name} cannot be looked up: {problem}")
        return area
    if found is None:
        area.error(f"{name} has no record")
        area.records += wanted
        return area
    if len(found.records) > 1:
        area.error(f"{name} has {len(found.records)} records, so none of them counts")
        area.records += wanted
        return area
    area.details.append(found.records[0])
    record = dmarcrecord.parse(found.records[0])
    if record.policy is dmarcrecord.Policy.NONE:
        area.warn("the policy is none: forgeries are delivered")
    if record.subdomain_policy is dmarcrecord.Policy.NONE:
        area.warn("the policy for names below the domain is none")
    await _reports(subject, area, record)
    if area.errors or area.warnings:
        area.records += wanted
    return area


async def _reports(subject: Subject, area: Area, record: dmarcrecord.Record) -> None:
    ours = dnsrecords.report_address(subject.entry, "dmarc")
    if not record.aggregate:
        area.warn("nobody gets reports: you will not know who sends in your name")
    elif ours is not None and ours.lower() not in {(one.mail or "").lower() for one in record.aggregate}:
        area.error(f"reports do not come to {ours}")
    if ours is None:
        area.instructions.append("No address for reports is configured: see dmarc of the domain in domains.toml.")
    for one in record.aggregate[:HOSTS]:
        permission = await dmarccheck.may_report(subject.resolver, subject.domain, one)
        if permission.status is AuthStatus.FAIL:
            area.error(f"{one.mail or one.uri} gets no reports: {permission.problem}")
            if host := dmarccheck.report_host(one):
                opt_in = f"{subject.domain.ascii}._report._dmarc.{host.ascii}"
                area.instructions.append(f'Publish {opt_in}. TXT "v=DMARC1" in the zone of {host}.')

"""Checks of what mail programs look for: SRV, autoconfig, autodiscover."""

from collections.abc import Sequence

import trio

from appliance.config.values import IPAddress
from appliance.dns.answers import SRV
from appliance.dns.problems import LookupProblem, NotFound
from appliance.net.dial import DialError
from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.operations import dnsrecords
from appliance.operations.domaincheck.area import CONNECT_SECONDS, HOSTS, Area, Subject, listed
from appliance.tls.verify import by_authorities


async def services(subject: Subject) -> Area:
    """Whether the names of services lead to our hosts, and those we do not have are said to be absent."""
    area, domain = Area("SRV"), subject.domain.ascii
    targets = {dnsrecords.client_host(subject.config, subject.entry).ascii, subject.host.ascii}
    present = dict(dnsrecords.services(subject.config, subject.entry))
    for service in (*present, *dnsrecords.absent_services(subject.config, subject.entry)):
        name, port = f"{service}.{domain}", present.get(service)
        # JMAP came later than most installations, and few programs look for it yet.
        is_needed = port is not None and service != dnsrecords.JMAP
        tell = area.error if is_needed else area.warn
        before = len(area.errors) + len(area.warnings)
        try:
            records: Sequence[SRV] = (await subject.resolver.srv(name)).records
        except NotFound:
            tell(f"{name} is missing" + ("" if is_needed else " (optional)"))
        except LookupProblem as problem:
            area.error(f"{name} cannot be looked up: {problem}")
            continue
        else:
            _compare(area, name, records, port, targets)
        if len(area.errors) + len(area.warnings) > before:
            area.records += subject.wanted("SRV", name)
    return area


def _compare(area: Area, name: str, records: Sequence[SRV], port: int | None, targets: set[str]) -> None:
    if port is None:
        if any(one.target for one in records):
            area.error(f"{name} leads to {listed([str(one) for one in records])}, and there is no such service")
        return
    if len(records) > 1:
        area.error(f"{name} has {len(records)} records: {listed([str(one) for one in records])}")
    for one in records:
        if one.target not in targets:
            area.error(f"{name} leads to {one.target or 'nothing'}, and not to {listed(sorted(targets))}")
        elif one.port != port:
            area.error(f"{name} has port {one.port}, and the service {port}")


async def autoconfig(subject: Subject) -> Area:
    """Whether Thunderbird finds its settings here."""
    area, domain = Area("Autoconfig"), subject.domain.ascii
    if not any(one.autoconfig_https.enabled for one in subject.config.static.listeners.values()):
        area.warn("no listener serves settings of mail programs (autoconfig_https)")
        return area
    clients = dnsrecords.client_host(subject.config, subject.entry).ascii
    for name in dict.fromkeys((clients, f"autoconfig.{domain}")):
        ips = await _ours(subject, area, name)
        if ips is None:
            area.records += subject.wanted("CNAME", name)
        elif name.startswith("autoconfig."):
            await _https(subject, area, name, ips)
    return area


async def autodiscover(subject: Subject) -> Area:
    """Whether Outlook finds its settings here."""
    area, name = Area("Autodiscover"), f"_autodiscover._tcp.{subject.domain.ascii}"
    wanted = subject.wanted("SRV", name)
    if not wanted:
        return area
    try:
        records = (await subject.resolver.srv(name)).records
    except LookupProblem as problem:
        area.error(f"{name} cannot be looked up: {problem}")
        area.records += wanted
        return area
    usable = [one for one in records if one.port == 443 and one.target]
    if not usable:
        area.error(f"{name} has no record with port 443")
    for one in usable[:HOSTS]:
        ips = await _ours(subject, area, one.target)
        if ips is not None:
            await _https(subject, area, one.target, ips)
    if area.errors:
        area.records += wanted
    return area


async def _ours(subject: Subject, area: Area, name: str) -> tuple[IPAddress, ...] | None:
    """The addresses of a name that should be those of this machine; None: it has none."""
    try:
        found = (await subject.resolver.addresses(name)).records
    except LookupProblem as problem:
        area.error(f"{name} has no addresses: {problem}")
        return None
    ours = subject.ours()
    if ours is not None and (foreign := [ip for ip in found if ip not in ours]):
        whole = len(foreign) == len(found)
        area.error(f"{name} {'is not this machine' if whole else 'also has foreign addresses'}: {listed(foreign)}")
    return found


async def _https(subject: Subject, area: Area, name: str, ips: tuple[IPAddress, ...]) -> None:
    means = subject.means
    try:
        with trio.fail_after(CONNECT_SECONDS):
            dialed = await means.dialer(ips[:HOSTS], means.https_port, seconds=CONNECT_SECONDS)
            stream = TLSStream(dialed.stream, means.context, server_side=False, server_name=name)
            try:
                await stream.do_handshake()
                judgement = await trio.to_thread.run_sync(
                    by_authorities, stream.peer_chain(), name, means.roots, means.now()
                )
            finally:
                await trio.aclose_forcefully(stream)
    except (DialError, TLSHandshakeError, trio.TooSlowError, OSError) as error:
        area.error(f"no TLS with {name} at port {means.https_port}: {error or 'no answer in time'}")
        return
    if not judgement.verified:
        area.error(f"the certificate of {name} is not verified: {judgement.result}, {judgement.reason}")

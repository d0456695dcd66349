"""Checks of the hosts that mail comes to: DNSSEC, reverse names, MX, TLS, DANE."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import trio
from cryptography import x509

from appliance.base.log import Log
from appliance.config.values import IPAddress
from appliance.dns.answers import MX, Answer
from appliance.dns.problems import LookupProblem, NotFound
from appliance.operations.domaincheck.area import CONNECT_SECONDS, HOSTS, INTERNAL, Area, Subject, listed, low_ttl
from appliance.protocol.smtp.failure import ClientError
from appliance.queue.smtpclient import Session, connect
from appliance.queue.smtpsettings import Check, Settings, Times, TLSMode, TLSPolicy, Weight
from appliance.tls.verify import Judgement, by_authorities

log = Log("dnscheck")

#: A certificate that ends so soon was not renewed in time.
EXPIRES: Final = timedelta(days=14)
_TIMES: Final = Times(
    dial=CONNECT_SECONDS, handshake=CONNECT_SECONDS, greeting=CONNECT_SECONDS, command=CONNECT_SECONDS
)


async def dnssec(subject: Subject) -> Area:
    """Whether answers are verified here, and whether the domain is signed."""
    area = Area("DNSSEC")
    try:
        com = await subject.resolver.ns("com", dnssec=True)
    except LookupProblem as problem:
        area.error(f"the name servers of com cannot be looked up: {problem}")
        area.instructions.append("See that /etc/resolv.conf names a resolver that answers.")
        return area
    if not com.authentic:
        area.warn("answers are not verified: neither the resolver does it, nor could they be checked here")
        area.instructions.append(
            "Without DNSSEC, mail goes where anybody on the way says. Install a validating resolver on this machine, "
            "for example unbound, and name 127.0.0.1 in /etc/resolv.conf."
        )
    try:
        found = await subject.resolver.mx(subject.domain.ascii, dnssec=True)
    except LookupProblem:
        return area  # Told by the check of MX.
    if com.authentic and not found.authentic:
        area.warn(f"{subject.domain} is not signed: others cannot rely on its records, and DANE does not work")
        area.instructions.append("Switch DNSSEC on where the domain's DNS is hosted, and publish DS at the registrar.")
    return area


async def reverse_names(subject: Subject) -> Area:
    """Whether each of our addresses leads back to the name of the host."""
    area, host, resolver = Area("Reverse names"), subject.host.ascii, subject.resolver
    expected: dict[IPAddress, str] = {}
    try:
        for ip in (await resolver.addresses(host)).records:
            if ip.is_loopback:
                area.error(f"{host} leads to {ip}, this machine itself: see /etc/hosts and the DNS")
            else:
                expected[ip] = host
    except LookupProblem as problem:
        area.error(f"the addresses of {host} cannot be looked up: {problem}")
        area.records += [one for kind in ("A", "AAAA") for one in subject.wanted(kind, host)]
    for ip in subject.ours() or ():
        expected.setdefault(ip, host)
    for transport in subject.config.static.transports.values():
        if transport.socks:
            for address in transport.socks.remote_ips:
                expected.setdefault(address.ip, transport.socks.remote_hostname.domain.ascii)
    public = {ip: name for ip, name in expected.items() if not any(ip in network for network in INTERNAL)}

    async def one(ip: IPAddress, name: str) -> None:
        try:
            names = (await resolver.ptr(ip)).records
        except NotFound:
            area.error(f"{ip} has no name: many refuse mail from it")
        except LookupProblem as problem:
            area.error(f"the name of {ip} cannot be looked up: {problem}")
        else:
            if name not in names:
                area.warn(f"{ip} is called {listed(names)}, and not {name}")
            elif len(names) > 1:
                area.details.append(f"{ip} has {len(names)} names: {listed(names)}")
            else:
                return
        area.instructions.append(f"Where you rent {ip}, set its reverse name (PTR) to {name}.")

    async with trio.open_nursery() as nursery:
        for ip, name in list(public.items())[:HOSTS]:
            nursery.start_soon(one, ip, name)
    return area


async def exchanges(subject: Subject) -> Area:
    """Whether mail for the domain comes to us."""
    area, name = Area("MX"), subject.domain.ascii
    wanted = subject.wanted("MX", name)
    try:
        answer = await subject.resolver.mx(name)
    except LookupProblem as problem:
        area.error(f"MX of {name} cannot be looked up: {problem}")
        area.records += wanted
        return area
    low_ttl(area, "MX", answer)
    if any(not one.exchange for one in answer.records):
        area.error(f"{name} says that it takes no mail (a null MX)")
        area.records += wanted
        return area
    ours = subject.ours()
    if ours is None:
        area.details.append("the configuration does not name our public addresses, so they are not compared")
    for one in sorted(answer.records)[:HOSTS]:
        await _exchange(subject, area, one, ours)
    if area.errors:
        area.records += wanted
    return area


async def _exchange(subject: Subject, area: Area, one: MX, ours: frozenset[IPAddress] | None) -> None:
    try:
        found = await subject.resolver.addresses(one.exchange)
    except LookupProblem as problem:
        area.error(f"{one.exchange} has no addresses: {problem}")
        return
    area.details.append(f"{one.preference} {one.exchange}: {listed(found.records)}")
    if found.aliases:  # RFC 5321 §5.1
        area.warn(f"{one.exchange} is an alias of {found.canonical_name}: an MX must name the host itself")
    if ours is None:
        return
    foreign = [ip for ip in found.records if ip not in ours]
    if len(foreign) == len(found.records):
        area.error(f"{one.exchange} is not this machine ({listed(foreign)})")
    elif foreign:
        area.error(f"{one.exchange} also has addresses that are not ours: {listed(foreign)}")


async def _hosts(subject: Subject) -> list[tuple[str, tuple[IPAddress, ...]]]:
    """Mail hosts that can be found; what cannot is told by the check of MX."""
    try:
        answer = await subject.resolver.mx(subject.domain.ascii)
    except LookupProblem:
        return []
    found = []
    for one in sorted(answer.records)[:HOSTS]:
        try:
            found.append((one.exchange, (await subject.resolver.addresses(one.exchange)).records))
        except LookupProblem:
            continue
    return found


async def tls(subject: Subject) -> Area:
    """Whether each mail host does STARTTLS with a certificate that the world believes."""
    area = Area("TLS")
    hosts = await _hosts(subject)
    if not hosts:
        area.error("no mail host can be found")
    async with trio.open_nursery() as nursery:
        for host, ips in hosts:
            for ip in ips[:HOSTS]:
                nursery.start_soon(_dialed, subject, area, host, ip)
    return area


async def _dialed(subject: Subject, area: Area, host: str, ip: IPAddress) -> None:
    ends = []

    def judge(chain: Sequence[bytes]) -> Judgement:
        ends.append(x509.load_der_x509_certificate(chain[0]).not_valid_after_utc)
        return by_authorities(chain, host, subject.means.roots, subject.means.now())

    policy = TLSPolicy(
        TLSMode.REQUIRED,
        subject.means.context,
        host,
        (Check("pkix", judge, Weight.ENFORCED),),
        client_certificate=False,
    )
    settings = Settings(ehlo_name=subject.host.ascii, tls=policy, times=_TIMES)
    try:
        with trio.fail_after(2 * CONNECT_SECONDS):
            connection = await connect(
                [ip],
                subject.means.smtp_port,
                log=log,
                seconds=CONNECT_SECONDS,
                dialer=subject.means.dialer,
            )
            async with Session(connection, settings, random=subject.means.random) as session:
                await session.open()
    except ClientError as error:
        area.error(f"{host} at {ip}: {error.failure}")
        return
    except trio.TooSlowError:
        area.error(f"{host} at {ip}: no answer in time")
        return
    area.details.append(f"{host} at {ip}: certificate valid until {ends[0]:%Y-%m-%d}" if ends else f"{host} at {ip}")
    if ends and ends[0] - subject.means.now() < EXPIRES:
        area.warn(f"the certificate of {host} ends on {ends[0]:%Y-%m-%d}: it should have been renewed by now")


async def dane(subject: Subject) -> Area:
    """Whether the keys in the DNS are those of our host."""
    area = Area("DANE")
    if not subject.facts.host_keys:
        area.warn("no host keys are configured, so a certificate's key may change at any renewal")
        area.instructions.append(
            "moxpy config ensureacmehostprivatekeys makes keys that stay, and says what to add to moxpy.toml."
        )
    try:
        answer: Answer[MX] = await subject.resolver.mx(subject.domain.ascii, dnssec=True)
    except LookupProblem:
        return area
    if not answer.authentic:
        area.warn("the domain's MX is not signed: nobody looks at TLSA records")
    for one in sorted(answer.records)[:HOSTS]:
        await _keys(subject, area, one.exchange)
    return area


async def _keys(subject: Subject, area: Area, host: str) -> None:
    name = f"_25._tcp.{host}"
    wanted = subject.wanted("TLSA", f"_25._tcp.{subject.host.ascii}") if host == subject.host.ascii else []
    expected = {one.value for one in wanted}
    try:
        answer = await subject.resolver.tlsa(name)
        present = {str(one) for one in answer.records}
    except NotFound as missing:
        present = set()
        if expected and missing.authentic:
            area.error(f"{name} has no TLSA records")
    except LookupProblem as problem:
        area.error(f"TLSA of {name} cannot be looked up: {problem}")
        return
    else:
        if present and not answer.authentic:
            area.error(f"{name} has TLSA records in a zone that is not signed: nobody may use them")
    if present and expected:
        if missing_keys := expected - present:
            area.error(f"{name} lacks {listed(frozenset(missing_keys))}")
        if strange := present - expected:
            area.error(f"{name} has keys that are not ours: {listed(frozenset(strange))}")
    if area.errors:
        area.records += [one for one in wanted if one.value not in present]

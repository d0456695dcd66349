"""Commands about DANE: TLSA records made, and servers dialed by them. No server needs to run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from appliance.base.clock import SystemClock
from appliance.base.ids import SystemRandom
from appliance.base.log import Log
from appliance.cli import lookup, output, pipe
from appliance.cli.main import OK, Failed, Invocation, UsageError
from appliance.cli.smtpdial import endpoint, tell, tell_session
from appliance.dns.answers import TLSA
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.net.clientkey import UNREADABLE
from appliance.net.outgoing import Outgoing
from appliance.net.tlsstream import TLSHandshakeError
from appliance.protocol.smtp.failure import ClientError, Failure
from appliance.queue import hosts
from appliance.queue.hosts import HostAddresses, NextHosts
from appliance.queue.policies import way_to
from appliance.queue.smtpclient import Session, connect
from appliance.queue.smtpsettings import Check, Settings, TLSMode, TLSPolicy
from appliance.tls import dane, roots
from appliance.tls.context import client_context
from appliance.tls.verify import (
    DANE_EE,
    DANE_TA,
    PKIX_EE,
    PKIX_TA,
    Judgement,
    Roots,
    associated,
    by_zone,
    by_zone_and_authorities,
    is_usable,
)

log = Log("cli")

#: RFC 7218 §2
USAGES: Final = {"pkix-ta": PKIX_TA, "pkix-ee": PKIX_EE, "dane-ta": DANE_TA, "dane-ee": DANE_EE}
SELECTORS: Final = {"cert": 0, "spki": 1}
MATCHINGS: Final = {"full": 0, "sha2-256": 1, "sha2-512": 2}

#: To reach a server, and to shake hands.
_CONNECT_SECONDS: Final = 5.0
_SECONDS: Final = 30.0
#: Where hosts take mail.
SMTP_PORT = 25


def make_record(invocation: Invocation) -> int:
    """The TLSA record of a certificate or key in a file (L: dane makerecord)."""
    words = invocation.arguments
    usage, selector, matching = (
        _number(word, known) for word, known in zip(words, (USAGES, SELECTORS, MATCHINGS), strict=False)
    )
    try:
        octets = _associable(Path(words[3]).read_bytes(), selector)
    except OSError as error:
        raise Failed(f"{words[3]}: {error.strerror}") from error
    record = TLSA(usage, selector, matching, associated(octets, matching))
    document = {"usage": usage, "selector": selector, "matching": matching, "data": record.data.hex()}
    output.show(invocation, document, [str(record)])
    return OK


def _number(word: str, known: dict[str, int]) -> int:
    """A field by its name or number."""
    if word.lower() in known:
        return known[word.lower()]
    if word in set(map(str, known.values())):
        return int(word)
    raise UsageError(f"{word!r} is none of: {', '.join(f'{name} ({number})' for name, number in known.items())}")


def _associable(pem: bytes, selector: int) -> bytes:
    """What a record is made of: the first certificate, or the public half of a key; DER."""
    try:
        if b"-----BEGIN CERTIFICATE-----" in pem:
            certificate = x509.load_pem_x509_certificates(pem)[0]
            if selector == SELECTORS["cert"]:
                return certificate.public_bytes(Encoding.DER)
            key = certificate.public_key()
        elif selector == SELECTORS["cert"]:
            raise Failed("the file has no certificate, and selector cert needs one")
        elif b"PRIVATE KEY-----" in pem:
            key = load_pem_private_key(pem, None).public_key()  # type: ignore[assignment]
        else:
            key = load_pem_public_key(pem)  # type: ignore[assignment]
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (TypeError, *UNREADABLE) as error:
        raise Failed(f"no certificate or unencrypted key in PEM: {error}") from error


# ---- Servers that speak TLS at once. ----


def dial(invocation: Invocation) -> int:
    """A connection by TLS to a server whose TLSA records fit (L: dane dial)."""
    host, port = endpoint(invocation.arguments[0], None)
    if not isinstance(host, Domain):
        raise UsageError("only a host with a name has TLSA records")
    names = (invocation.text("usages") or ",".join(USAGES)).split(",")
    wanted = {_number(name.strip(), USAGES) for name in names}
    return trio.run(_dial, invocation, host.ascii, port, wanted)


async def _dial(invocation: Invocation, host: str, port: int, usages: set[int]) -> int:
    resolver = Resolver(lookup.network(invocation, SystemClock()), caller="cli")
    found = await hosts.addresses(resolver, host)
    if isinstance(found, Failure):
        raise Failed(str(found))
    if not (found.authentic or found.host_authentic):
        raise Failed(f"DNSSEC does not vouch for the addresses of {host}")
    base, records = await _records(resolver, found, port, usages)
    names = list(dict.fromkeys((base, host)))
    async with _connected(found, port) as connection:
        try:
            with trio.fail_after(_SECONDS):
                await connection.start_tls(client_context(), base)
        except (TLSHandshakeError, trio.TooSlowError) as error:
            raise Failed(f"TLS handshake failed: {error or 'no answer in time'}") from error
        judgement = await trio.to_thread.run_sync(_judge, connection.peer_chain(), records, names)
        if judgement.record is None:
            raise Failed(f"no TLSA record of {base} fits: {judgement.result}, {judgement.reason}")
        tell(f"connected to {connection.remote} port {port}, {connection.tls.version if connection.tls else ''}")
        tell(f"verified by {judgement.record}")
        await pipe.carry(connection, lines=False)
    return OK


@asynccontextmanager
async def _connected(found: HostAddresses, port: int) -> AsyncIterator[Outgoing]:
    try:
        connection = await connect(found.addresses, port, log=log, seconds=_CONNECT_SECONDS * len(found.addresses))
    except ClientError as error:
        raise Failed(str(error.failure)) from error
    try:
        yield connection
    finally:
        await connection.aclose()


async def _records(resolver: Resolver, host: HostAddresses, port: int, usages: set[int]) -> tuple[str, list[TLSA]]:
    """The TLSA base domain and the records of these usages."""
    way = dane.Way(host.host, host.expanded, host_authentic=host.host_authentic, authentic=host.authentic)
    keys = await dane.keys_of(resolver, way, port=port)
    if keys is None:
        raise Failed(f"{host.host} has no TLSA records for port {port} that DNSSEC vouches for")
    if keys.problem:
        raise Failed(f"TLSA records of {keys.base}: {keys.problem}")
    records = [one for one in keys.published if one.usage in usages]
    if not records:
        raise Failed(f"none of the TLSA records of {keys.base} has a usage that may be used")
    return keys.base, records


def _judge(chain: Sequence[bytes], records: Sequence[TLSA], names: Sequence[str]) -> Judgement:
    now = SystemClock().now()
    judgement = by_zone(chain, [one for one in records if is_usable(one)], names, now)
    others = [one for one in records if one.usage in {PKIX_TA, PKIX_EE}]
    if judgement.verified or not others:
        return judgement
    return by_zone_and_authorities(chain, others, names[0], Roots(roots.of_system()), now)


# ---- Mail hosts. ----


def dial_mx(invocation: Invocation) -> int:
    """A session with a mail host of a domain, found and verified as for a delivery (L: dane dialmx)."""
    words = invocation.arguments
    try:
        domain = parse_domain(words[0].removesuffix("."))
        only = parse_domain(words[1].removesuffix("."), lax=True).ascii if len(words) > 1 else None
        ehlo = parse_domain(invocation.text("ehlohostname") or "localhost").ascii
    except DomainError as error:
        raise UsageError(str(error)) from error
    return trio.run(_dial_mx, invocation, domain, only, ehlo)


async def _dial_mx(invocation: Invocation, domain: Domain, only: str | None, ehlo: str) -> int:
    resolver = Resolver(lookup.network(invocation, SystemClock()), caller="cli")
    random = SystemRandom()
    found = await hosts.find(resolver, domain, lambda: int.from_bytes(random.token_bytes(4), "big") / 0xFFFFFFFF)
    if isinstance(found, Failure):
        raise Failed(str(found))
    tell(f"hosts of {domain}: {', '.join(found.names)}" + f" ({'' if found.has_mx else 'no '}MX records)")
    if not found.authentic:
        raise Failed(f"DNSSEC does not vouch for the hosts of {domain}")
    if only is not None and only not in found.names:
        raise Failed(f"{only} is not a host of {domain}")
    for host in found.names if only is None else (only,):
        try:
            session = await _session(resolver, found, host, ehlo)
        except _NotThis as why:
            tell(f"{host}: {why}")
            continue
        try:
            await pipe.carry(session.connection, lines=True)
        finally:
            await session.aclose()
        return OK
    raise Failed("no host could be verified")


class _NotThis(Exception):
    """A host that will not do."""


async def _session(resolver: Resolver, found: NextHosts, host: str, ehlo: str) -> Session:
    """A session that was verified. Raises _NotThis."""
    at = await hosts.addresses(resolver, host)
    if isinstance(at, Failure):
        raise _NotThis(str(at))
    tell(f"{host}: {', '.join(map(str, at.addresses))}" + (f", alias of {at.expanded}" if at.expanded != host else ""))
    way = way_to(found, at)
    if not way.authentic and not way.host_authentic:
        raise _NotThis("DNSSEC does not vouch for its addresses")
    keys = await dane.keys_of(resolver, way, port=SMTP_PORT)
    if keys is None:
        raise _NotThis("no TLSA records that DNSSEC vouches for")
    if keys.problem:
        raise _NotThis(f"TLSA records of {keys.base}: {keys.problem} ({keys.result})")
    for record in keys.published:
        tell(f"{host}: TLSA of {keys.base}: {record}{'' if record in keys.records else ' (unusable)'}")
    if not keys.records:
        raise _NotThis("no usable TLSA record: mail would go by TLS, unverified")
    judge = partial(by_zone, records=keys.records, names=keys.names, now=SystemClock().now())
    policy = TLSPolicy(TLSMode.REQUIRED, client_context(), keys.base, (Check("dane", judge),))
    try:
        connection = await connect(at.addresses, SMTP_PORT, log=log, seconds=_CONNECT_SECONDS * len(at.addresses))
    except ClientError as error:
        raise _NotThis(str(error.failure)) from error
    session = Session(connection, Settings(ehlo_name=ehlo, tls=policy), random=SystemRandom())
    try:
        await session.open()
    except ClientError as error:
        await session.aclose()
        raise _NotThis(str(error.failure)) from error
    except BaseException:
        await session.aclose()
        raise
    tell_session(session)
    tell(f"verified by {session.tls.judgements['dane'].record}")
    return session

"""Command `smtp dial`: a session with a mail server, TLS and login done, for somebody to speak on."""

import sys
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

import trio
from OpenSSL import SSL

from appliance.base.clock import SystemClock
from appliance.base.ids import SystemRandom
from appliance.base.log import Log
from appliance.cli import lookup, pipe
from appliance.cli.main import OK, Failed, Invocation, UsageError
from appliance.dns.problems import LookupProblem
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.net.dial import addresses_of
from appliance.protocol.sasl import client as sasl
from appliance.protocol.smtp.failure import ClientError
from appliance.queue.smtpclient import Session, connect
from appliance.queue.smtpsettings import Check, LoginPolicy, Settings, TLSMode, TLSPolicy, Weight
from appliance.tls import roots
from appliance.tls.context import VERSIONS, KeyPair, client_context, restrict
from appliance.tls.verify import Roots, by_authorities, load_roots

log = Log("cli")

_PORT: Final = 25
#: For each address.
_CONNECT_SECONDS: Final = 5.0
#: What the platform has no way to set.
_UNSUPPORTED: Final = ("tlsrenegotiation", "tlsnodynamicrecordsizing")

Host = Domain | IPv4Address | IPv6Address


def dial(invocation: Invocation) -> int:
    """Connect, say hello, start TLS, log in, and hand the session over (L: smtp dial)."""
    for name in _UNSUPPORTED:
        if name in invocation.flags:
            raise Failed(f"--{name}: not supported on this platform")
    host, port = endpoint(invocation.arguments[0], _PORT)
    try:
        ehlo = parse_domain(invocation.text("ehlohostname") or "localhost").ascii
        given = invocation.text("remotehostname")
        remote = parse_domain(given, lax=True).ascii if given else host.ascii if isinstance(host, Domain) else None
    except DomainError as error:
        raise UsageError(str(error)) from error
    tls = _tls(invocation, remote)
    settings = Settings(ehlo_name=ehlo, tls=tls, login=_login(invocation))
    return trio.run(_dial, invocation, host, port, settings)


async def _dial(invocation: Invocation, host: Host, port: int, settings: Settings) -> int:
    resolver = Resolver(lookup.network(invocation, SystemClock()), caller="cli")
    try:
        name = host.ascii if isinstance(host, Domain) else str(host)
        addresses = await addresses_of(resolver, name)
        connection = await connect(addresses, port, log=log, seconds=_CONNECT_SECONDS * max(len(addresses), 1))
    except LookupProblem as problem:
        raise Failed(str(problem)) from problem
    except ClientError as error:
        raise Failed(str(error.failure)) from error
    session = Session(connection, settings, random=SystemRandom())
    try:
        try:
            await session.open()
        except ClientError as error:
            raise Failed(str(error.failure)) from error
        tell_session(session)
        await pipe.carry(session.connection, lines=True)
    finally:
        await session.aclose()
    return OK


def _tls(invocation: Invocation, remote: str | None) -> TLSPolicy:
    modes = {"notls": TLSMode.SKIP, "forcetls": TLSMode.REQUIRED, "immediatetls": TLSMode.IMMEDIATE}
    chosen = [mode for name, mode in modes.items() if invocation.given(name)]
    if len(chosen) > 1:
        raise UsageError(f"only one of {', '.join(f'--{name}' for name in modes)}")
    mode = chosen[0] if chosen else TLSMode.OPPORTUNISTIC
    if mode is TLSMode.SKIP:
        return TLSPolicy(mode)
    pair = _pair(invocation)
    verify = invocation.given("tlsverify")
    if verify and remote is None:
        raise UsageError("--tlsverify needs a name: that of the host, or --remotehostname")
    try:
        believed = Roots(roots.of_system())
        if given := invocation.text("tlscerts"):
            believed = load_roots([Path(given).read_bytes()])
        context = _context(invocation, pair)
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}") from error
    except (ValueError, SSL.Error) as error:
        raise Failed(str(error)) from error
    checks: tuple[Check, ...] = ()
    if remote is not None:
        judge = partial(by_authorities, name=remote, roots=believed, now=SystemClock().now())
        checks = (Check("pkix", judge, Weight.ENFORCED if verify else Weight.REPORTED),)
    return TLSPolicy(mode, context, remote, checks, client_certificate=pair is not None)


def _pair(invocation: Invocation) -> KeyPair | None:
    """Our own certificate, to be shown to the server."""
    certificate, key = invocation.text("clientcert"), invocation.text("clientkey")
    if bool(certificate) != bool(key):
        raise UsageError("--clientcert and --clientkey go together")
    if not certificate or not key:
        return None
    try:
        return KeyPair.load(Path(certificate), Path(key))
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}") from error


def _context(invocation: Invocation, pair: KeyPair | None) -> SSL.Context:
    """Raises ValueError, SSL.Error."""
    least, most = (_version(invocation, name) for name in ("tlsversionmin", "tlsversionmax"))
    context = client_context(min_version=least or "TLSv1.2", pair=pair, any_strength=True)
    ciphers, curves = (_words(invocation, name) for name in ("tlsciphersuites", "tlscurves"))
    restrict(context, max_version=most, ciphers=ciphers, curves=curves)
    return context


def _version(invocation: Invocation, flag: str) -> str:
    text = invocation.text(flag) or ""
    wanted = text.lower().removeprefix("tls").removeprefix("v")
    name = f"TLSv{wanted}" if text else ""
    if name and name not in VERSIONS:
        raise UsageError(f"--{flag}: one of {', '.join(VERSIONS)}")
    return name


def _words(invocation: Invocation, flag: str) -> list[str]:
    return [word.strip() for word in (invocation.text(flag) or "").split(",") if word.strip()]


def _login(invocation: Invocation) -> LoginPolicy | None:
    username = invocation.text("username") or ""
    mechanisms = tuple(word.upper() for word in _words(invocation, "authmechanisms"))
    if not username and not mechanisms:
        return None
    password = ""
    if given := invocation.text("passwordfile"):
        try:
            password = Path(given).read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Failed(f"{given}: {error}") from error
    if unknown := set(mechanisms) - set(sasl.MECHANISMS):
        raise UsageError(f"--authmechanisms: {', '.join(sorted(unknown))} is none of {', '.join(sasl.MECHANISMS)}")
    return LoginPolicy(sasl.Login(username, password), mechanisms or sasl.MECHANISMS)


def endpoint(text: str, default: int | None) -> tuple[Host, int]:
    """`host`, `host:port`, an address, or `[address]:port`. Raises UsageError."""
    host, colon, written = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or text.endswith("]"):
        host, written = text, ""
    if written and not (written.isdecimal() and 0 < int(written) < 1 << 16):
        raise UsageError(f"{text}: not a port: {written}")
    if not written and default is None:
        raise UsageError(f"{text}: give a port too: {text}:465")
    port = int(written) if written else default or 0
    bare = host.removeprefix("[").removesuffix("]")
    with suppress(ValueError):
        return ip_address(bare), port
    try:
        return parse_domain(bare.removesuffix("."), lax=True), port
    except DomainError as error:
        raise UsageError(f"{text}: neither a host nor an address: {error}") from error


def tell(text: str) -> None:
    """To people: standard output is for what the server says."""
    print(text, file=sys.stderr)


def tell_session(session: Session) -> None:
    """What was found out."""
    connection, tls = session.connection, session.tls
    tell(f"connected to {connection.remote} port {connection.remote_port}, from {connection.local}")
    if tls.info is not None:
        tell(f"{tls.info.version}, {tls.info.cipher}")
    elif tls.result:
        tell(f"no TLS: {tls.result}{', ' * bool(tls.reason)}{tls.reason}")
    else:
        tell("no TLS")
    if (judgement := tls.judgements.get("pkix")) is not None:
        words = "verified" if judgement.verified else f"not verified: {judgement.result}, {judgement.reason}"
        tell(f"certificate {words}")
    capabilities = session.capabilities
    offered = sorted(capabilities.keywords)
    tell(f"{capabilities.hostname or 'the server'} offers {' '.join(offered) or 'nothing'}")
    if capabilities.mechanisms:
        tell(f"mechanisms: {' '.join(capabilities.mechanisms)}")

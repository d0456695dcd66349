"""Messages handed to another server by a login of its own: what `sendmail` does, and a server for tests on request."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import trio
from cryptography.hazmat.primitives.asymmetric import ed25519
from OpenSSL import SSL

from appliance.base.clock import SystemClock
from appliance.base.ids import SystemRandom
from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.config import submitting
from appliance.config.submitting import Submitting
from appliance.mail.address import Address, Path as MailPath
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.mail.systemmail import needs_utf8
from appliance.net.limiter import Address as IPAddress
from appliance.protocol.sasl import client as sasl
from appliance.protocol.smtp.client import Delivered
from appliance.protocol.smtp.failure import ClientError
from appliance.protocol.smtp.transaction import Recipient, Transaction
from appliance.queue.smtpclient import Content, Session, connect
from appliance.queue.smtpsettings import Check, LoginPolicy, Settings, Times, TLSMode, TLSPolicy, Weight
from appliance.tls import roots, selfsigned
from appliance.tls.context import KeyPair, client_context
from appliance.tls.verify import Roots, by_authorities

log = Log("handover")

#: Nobody waits longer than that.
_TIMES: Final = Times(dial=30, session=180, content=180)


class HandOverFailed(Problem):
    """The message was not taken, or could not be offered."""

    kind = Kind.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Means:
    """How to submit."""

    file: Submitting
    hostname: Domain
    settings: Settings


def means(file: Submitting, *, trusting: bool) -> Means:
    """`trusting`: the environment may say whom to believe. Raises HandOverFailed."""
    pair = _pair(file)
    hostname = file.local_hostname.domain if file.local_hostname else _hostname()
    mode = TLSMode.REQUIRED if file.starttls else TLSMode.IMMEDIATE if file.tls else TLSMode.SKIP
    tls = TLSPolicy(mode)
    if mode is not TLSMode.SKIP:
        host = file.host.domain.ascii
        believed = Roots(roots.of_system() if trusting else roots.of_system(environment={}))
        judge = partial(by_authorities, name=host, roots=believed, now=SystemClock().now())
        weight = Weight.REPORTED if file.tls_insecure_skip_verify else Weight.ENFORCED
        try:
            context = client_context(pair=pair)
        except (ValueError, TypeError, SSL.Error) as error:
            # Whatever the libraries say of a key is not shown.
            raise HandOverFailed(
                "the client key and its certificate cannot be used, or do not belong together"
            ) from error
        tls = TLSPolicy(mode, context, host, (Check("pkix", judge, weight),), client_certificate=pair is not None)
    return Means(file, hostname, Settings(ehlo_name=hostname.ascii, tls=tls, login=_login(file), times=_TIMES))


def _hostname() -> Domain:
    try:
        return parse_domain(socket.gethostname(), lax=True)
    except DomainError:
        return parse_domain("localhost")


def _pair(file: Submitting) -> KeyPair | None:
    """Raises HandOverFailed."""
    if file.client_auth_ed25519_private_key:
        seed = submitting.seed_octets(file.client_auth_ed25519_private_key)
        return selfsigned.carrier(ed25519.Ed25519PrivateKey.from_private_bytes(seed), SystemClock().now())
    name = file.client_auth_cert_private_key_pem_file
    if not name:
        return None
    try:
        return KeyPair.load(Path(name), Path(name))
    except OSError as error:
        raise HandOverFailed(f"{name}: {error.strerror}") from error


def _login(file: Submitting) -> LoginPolicy | None:
    if file.client_key:
        # Where EXTERNAL is not offered, the handshake was the login.
        return LoginPolicy(sasl.Login("", ""), ("EXTERNAL",), optional=file.auth_method is None)
    if not file.password:
        return None
    wanted: tuple[str, ...] = (file.auth_method,) if file.auth_method else sasl.MECHANISMS
    if not file.auth_method and (not file.has_tls or file.tls_insecure_skip_verify):
        # Who the server is nobody has checked: it does not get to see the password only because it asks for it.
        wanted = tuple(name for name in wanted if name not in {"PLAIN", "LOGIN"})
    login = sasl.Login(file.username or "", file.password)
    return LoginPolicy(login, wanted, insecure_passwords=file.auth_method == "PLAIN")


async def submit(means: Means, recipients: Sequence[Address], octets: bytes) -> None:
    """Hand a message over, to all recipients or to nobody as far as that can be said. Raises HandOverFailed."""
    file = means.file
    port = int(file.port or 0) or (587 if file.starttls else 465 if file.tls else 25)
    sender = file.from_.address
    transaction = Transaction(
        reverse_path=MailPath(sender.localpart, sender.domain),
        recipients=tuple(Recipient(MailPath(one.localpart, one.domain)) for one in recipients),
        has_8bit=not octets.isascii(),
        smtputf8=needs_utf8([sender, *recipients]),
        requiretls=file.require_tls == "yes",
    )
    try:
        with trio.fail_after(_TIMES.dial):
            addresses = await _addresses(file.host.domain.ascii, port)
        connection = await connect(addresses, port, log=log, seconds=_TIMES.dial)
        async with Session(connection, means.settings, random=SystemRandom()) as session:
            await session.open()
            outcomes = await session.deliver(transaction, Content.of(octets))
    except ClientError as error:
        raise HandOverFailed(f"{file.host} port {port}: {error.failure}") from error
    except OSError as error:
        raise HandOverFailed(f"{file.host}: {error.strerror or error}") from error
    except trio.TooSlowError as error:
        raise HandOverFailed(f"{file.host}: its addresses were not found in time") from error
    refused = [str(outcome) for outcome in outcomes if not isinstance(outcome, Delivered)]
    if refused:
        raise HandOverFailed(f"{file.host} port {port}: {'; '.join(dict.fromkeys(refused))}")


async def _addresses(host: str, port: int) -> list[IPAddress]:
    """As the system knows them, so that what stands in /etc/hosts counts. Raises OSError."""
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(str(where[0]).partition("%")[0]) for *_, where in found))

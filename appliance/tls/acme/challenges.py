"""Answers to an authority that wants to see that a name is ours: where they are kept, and how they look.

http-01 (RFC 8555 §8.3) is a document on port 80, tls-alpn-01 (RFC 8737) a certificate on port 443, dns-01
(RFC 8555 §8.4) a record at the name server of a zone.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from appliance.base.clock import Clock
from appliance.base.log import Log
from appliance.dns.problems import NotFound, Temporary, UpdateFailed
from appliance.dns.resolver import Resolver
from appliance.tls.acme import keys
from appliance.tls.acme.client import ACMEError
from appliance.tls.acme.jose import encode
from appliance.tls.context import Demands, KeyPair, server_context

if TYPE_CHECKING:
    from appliance.dns.update import Updater

log = Log("autotls")

#: What an authority asks for in TLS, and nothing beside it (RFC 8737 §3).
ALPN: Final = b"acme-tls/1"
#: RFC 8737 §6.1.
_ACME_IDENTIFIER: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTET_STRING: Final = 0x04
#: CNAMEs in a row.
_ALIASES: Final = 8


class Answers:
    """The answers that wait for an authority."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, str], str] = {}
        self._contexts: dict[str, SSL.Context] = {}

    def document(self, host: str, token: str) -> str | None:
        """The answer to http-01."""
        return self._documents.get((host, token))

    def context(self, name: str) -> SSL.Context | None:
        """The answer to tls-alpn-01, to speak TLS with."""
        return self._contexts.get(name)

    @asynccontextmanager
    async def documenting(self, host: str, token: str, key_authorization: str) -> AsyncIterator[None]:
        """The document is there within this."""
        self._documents[host, token] = key_authorization
        try:
            yield
        finally:
            self._documents.pop((host, token), None)

    @asynccontextmanager
    async def certifying(self, name: str, context: SSL.Context) -> AsyncIterator[None]:
        """The certificate is there within this."""
        self._contexts[name] = context
        try:
            yield
        finally:
            self._contexts.pop(name, None)


class OnHTTP:
    """Answers http-01."""

    kind = "http-01"

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    @asynccontextmanager
    async def answering(self, name: str, token: str, key_authorization: str) -> AsyncIterator[None]:
        """See Solver."""
        async with self._answers.documenting(name, token, key_authorization):
            yield


class InTLS:
    """Answers tls-alpn-01."""

    kind = "tls-alpn-01"

    def __init__(self, answers: Answers, clock: Clock) -> None:
        self._answers, self._clock = answers, clock

    @asynccontextmanager
    async def answering(self, name: str, token: str, key_authorization: str) -> AsyncIterator[None]:
        """See Solver."""
        pair = validation_certificate(name, key_authorization, self._clock.now())
        async with self._answers.certifying(name, server_context(pair, Demands(protocols=(ALPN,), tickets=False))):
            yield


class InDNS:
    """Answers dns-01."""

    kind = "dns-01"

    def __init__(self, updater: "Updater", resolver: Resolver, propagation_seconds: float) -> None:
        self._updater = updater
        self._resolver = resolver
        self._propagation_seconds = propagation_seconds

    @asynccontextmanager
    async def answering(self, name: str, token: str, key_authorization: str) -> AsyncIterator[None]:
        """See Solver."""
        owner = await self._owner(f"_acme-challenge.{name}")
        digest = encode(hashlib.sha256(key_authorization.encode()).digest())
        try:
            await self._updater.add(owner, digest)
            await trio.sleep(self._propagation_seconds)
            yield
        except UpdateFailed as error:
            raise ACMEError(str(error), other_may_help=True) from error
        finally:
            with trio.CancelScope(shield=True):  # The updater has a limit of its own.
                try:
                    await self._updater.remove(owner, digest)
                except UpdateFailed as error:
                    log.warn("a record stays in the DNS", error, name=owner)

    async def _owner(self, name: str) -> str:
        """Where the record belongs: many let the name be an alias in a zone that programs may change."""
        for _ in range(_ALIASES):
            try:
                answer = await self._resolver.cname(name)
            except NotFound:
                return name
            except Temporary as problem:
                raise ACMEError(str(problem), other_may_help=True) from problem
            name = answer.records[0]
        raise ACMEError(f"too many aliases from {name}", other_may_help=True)


def validation_certificate(name: str, key_authorization: str, now: datetime) -> KeyPair:
    """RFC 8737 §3: signed by itself, for the one name, with a digest of the answer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ACME challenge")])
    digest = hashlib.sha256(key_authorization.encode()).digest()
    value = bytes([_OCTET_STRING, len(digest)]) + digest
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(_ACME_IDENTIFIER, value), critical=True)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate.public_bytes(Encoding.PEM), keys.dump(key))

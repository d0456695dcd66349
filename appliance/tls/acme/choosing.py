"""Which certificate answers a ClientHello, where an authority gives them: by name, by what the client can do, by door.

Who names nobody is given the host's certificate, but on ports of the web; who names somebody else is refused (RFC 6066
§3), but where mail comes in: servers that deliver may name the domain, or nothing that is a host name, and are given
the host's certificate, too. There one that has expired is shown, or one whose key the client may not like, if that is
all there is for the name. Where there is none at all for it, the handshake fails, at every door.
"""

from dataclasses import dataclass
from typing import Final

import trio

from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.net.clienthello import Hello
from appliance.net.connection import UnknownName
from appliance.net.tlsstream import Context
from appliance.tls.acme import challenges
from appliance.tls.acme.challenges import Answers
from appliance.tls.acme.keys import KeyType
from appliance.tls.acme.provider import NotYet, Provider
from appliance.tls.context import KeyPair
from appliance.tls.contexts import SocketContexts

log = Log("autotls")

unnamed = Counter("autotls_missing_servername_total", "TLS handshakes refused since they named no host.")
unknown = Counter("autotls_unknown_servername_total", "TLS handshakes that named a host that is not ours.")

#: A handshake waits for a certificate that is being got for so long, and where mail comes in for so long.
WAIT_SECONDS: Final = 300.0
DELIVERY_WAIT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Manners:
    """How a door treats those who do not name a host of ours."""

    #: The listener's own.
    hostname: str
    #: It takes whoever comes: mail from other servers.
    delivery: bool = False
    #: It wants a name, and authorities come there to see whether one is ours.
    web: bool = False


class Choosing:
    """Chooses for the connections of one listening socket."""

    def __init__(self, provider: Provider, answers: Answers, contexts: SocketContexts, manners: Manners) -> None:
        self._provider = provider
        self._answers = answers
        self._contexts = contexts
        self._manners = manners

    async def __call__(self, hello: Hello) -> Context:
        """The context to answer with; may wait for a certificate. Raises UnknownName."""
        if self._manners.web and hello.protocols == (challenges.ALPN,):  # RFC 8737 §3
            context = self._answers.context(hello.server_name)
            if context is None:
                raise UnknownName("nobody is asked to prove this name")
            return context
        host = self._host(hello.server_name)
        key_type = KeyType.ECDSA if hello.ecdsa else KeyType.RSA
        return self._contexts.choose(await self._pair(host, key_type), hello)

    def _host(self, name: str) -> str:
        """The host whose certificate is given. Raises UnknownName."""
        manners = self._manners
        if not name:
            if manners.web:
                unnamed.inc()
                raise UnknownName("no name was asked for")
            return manners.hostname
        if self._provider.allows(name):
            return name
        unknown.inc()
        if manners.delivery:
            return manners.hostname
        raise UnknownName(f"there is no host {name!r} here")

    async def _pair(self, host: str, key_type: KeyType) -> KeyPair:
        delivery = self._manners.delivery
        try:
            try:
                return self._provider.pair(host, key_type)
            except NotYet:
                with trio.move_on_after(DELIVERY_WAIT_SECONDS if delivery else WAIT_SECONDS):
                    await self._provider.wait(host, key_type)
                return self._provider.pair(host, key_type)
        except NotYet as problem:
            why: Exception = UnknownName(f"the certificate for {host} takes too long")
            why.__cause__ = problem
        except UnknownName as problem:
            why = problem
        found = self._provider.any_pair(host) if delivery else None
        if found is None:
            log.info("no certificate, TLS refused", host=host, problem=str(why))
            raise why
        log.info("no good certificate, the one there is is shown", host=host, problem=str(why))
        return found

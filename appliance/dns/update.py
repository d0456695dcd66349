"""Changes of records at the name server of a zone (RFC 2136), signed with a key that both have (TSIG, RFC 8945)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import trio

from appliance.dns import exchange
from appliance.dns.exchange import ExchangeFailed
from appliance.dns.problems import UpdateFailed
from appliance.dns.rdata import name_of, text_of
from appliance.dns.resolvconf import NameServer

#: For finding the zone and changing it.
_SECONDS: Final = 20.0
_HEADER_OCTETS: Final = 12
#: Our records are for a moment.
_TTL_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class SharedKey:
    """What signs requests and answers."""

    name: str
    #: `hmac-sha256` or one of its kin.
    algorithm: str
    secret: bytes = field(repr=False)


class Updater:
    """Changes texts in the zones of one server."""

    def __init__(self, server: NameServer, key: SharedKey) -> None:
        self._server = server
        name = name_of(key.name)
        self._keys = {name: dns.tsig.Key(name, key.secret, name_of(key.algorithm))}

    async def add(self, name: str, text: str) -> None:
        """One TXT record more, of printable ASCII without quotes. Raises UpdateFailed."""
        await self._change(name, lambda update: update.add(name_of(name), _TTL_SECONDS, "TXT", f'"{text}"'))

    async def remove(self, name: str, text: str) -> None:
        """That record less; others of the name stay (RFC 2136 §2.5.4). Raises UpdateFailed."""
        await self._change(name, lambda update: update.delete(name_of(name), "TXT", f'"{text}"'))

    async def _change(self, name: str, change: Callable[[dns.update.UpdateMessage], None]) -> None:
        try:
            with trio.fail_after(_SECONDS):
                zone = await self._zone_of(name_of(name))
                update = dns.update.UpdateMessage(zone, keyring=self._keys)
                change(update)
                answer = await self._ask(update)
        except trio.TooSlowError as error:
            raise UpdateFailed(f"the name server {self._server} does not answer") from error
        except (OSError, trio.BrokenResourceError, ExchangeFailed) as error:
            raise UpdateFailed(f"the name server {self._server} cannot be asked: {error}") from error
        if answer.rcode() != dns.rcode.NOERROR:
            why = dns.rcode.to_text(answer.rcode())
            raise UpdateFailed(f"the name server {self._server} does not change {name} in zone {text_of(zone)}: {why}")

    async def _zone_of(self, name: dns.name.Name) -> dns.name.Name:
        """The zone that a name is in: whose SOA comes with the answer, one or none (RFC 2308 §3)."""
        answer = await self._ask(dns.message.make_query(name, "SOA", flags=0))
        for rrset in (*answer.answer, *answer.authority):
            if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
                return rrset.name
        why = dns.rcode.to_text(answer.rcode())
        raise ExchangeFailed(f"it does not say in which of its zones {text_of(name)} is ({why})")

    async def _ask(self, message: dns.message.Message) -> dns.message.Message:
        """The answer to a message, by TCP; signed if the message is. Raises ExchangeFailed, OSError."""
        octets = await exchange.over_tcp(self._server, message.to_wire())
        try:
            answer = dns.message.from_wire(octets, keyring=message.keyring, request_mac=message.mac)
        except dns.tsig.PeerError as error:  # RFC 8945 §5.2: it has another key, or another time.
            raise ExchangeFailed(f"it does not take our key: {type(error).__name__}") from error
        except exchange.WRONG as error:
            # The library wants a signature, and a zone in every answer; who does not know our key cannot sign its
            # refusal (RFC 8945 §5.2.1), and its answer may be a bare header (RFC 2136 §3.8).
            if len(octets) >= _HEADER_OCTETS and octets[:2] == message.id.to_bytes(2, "big") and octets[3] & 0xF:
                raise ExchangeFailed(f"it refuses: {dns.rcode.to_text(dns.rcode.Rcode(octets[3] & 0xF))}") from error
            raise ExchangeFailed(f"an answer that is malformed or not signed: {type(error).__name__}") from error
        if answer.id != message.id:
            raise ExchangeFailed("an answer to something else")
        return answer

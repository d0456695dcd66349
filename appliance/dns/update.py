"""Changes of records at the name server of a zone (RFC 2136), signed with a key that both have (TSIG, RFC 8945)."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.tsig
import dns.update
import trio

from appliance.config.keyfiles import tsig_secret
from appliance.config.static import DNSUpdate
from appliance.dns import exchange
from appliance.dns.answers import Type
from appliance.dns.exchange import ExchangeFailed
from appliance.dns.problems import UpdateFailed
from appliance.dns.rdata import name_of, records_of, text_of
from appliance.dns.resolvconf import NameServer

#: For finding the zone and changing it.
_SECONDS: Final = 20.0
_HEADER_OCTETS: Final = 12
#: Our records are for a moment.
_TTL_SECONDS: Final = 60
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SharedKey:
    """What signs requests and answers."""

    name: str
    #: `hmac-sha256` or one of its kin.
    algorithm: str
    secret: bytes = field(repr=False)


def configured(settings: DNSUpdate, directory: Path) -> "Updater":
    """By the configuration, whose files are below `directory`. Raises OSError, ValueError."""
    secret = tsig_secret((directory / settings.key_file).read_bytes())
    key = SharedKey(settings.key_name.domain.ascii, settings.key_algorithm, secret)
    return Updater(NameServer(str(settings.server), int(settings.port)), key)


class Updater:
    """Changes records in the zones of one server."""

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

    async def values(self, name: str, type: Type) -> tuple[str, ...]:
        """The records that the server has itself, as we spell them; aliases are not followed. Raises UpdateFailed."""
        rdatas = await self._asked(lambda: self._rdatas(name, type))
        return tuple(rdatas)

    async def put(
        self, name: str, type: Type, data: str, *, instead_of: Collection[str] = (), ttl_seconds: int
    ) -> None:
        """A record more, as zone files have it, in place of others, which must still be there (RFC 2136 §2.4.2).

        `instead_of`: as `values` gave them. All of it happens, or nothing. Raises UpdateFailed.
        """
        present = await self._asked(lambda: self._rdatas(name, type)) if instead_of else {}
        replaced = [present[value] for value in instead_of if value in present]
        if len(replaced) != len(instead_of):
            raise UpdateFailed(f"{name} was changed meanwhile")
        owner = name_of(name)

        def change(update: dns.update.UpdateMessage) -> None:
            if replaced:
                # The whole set is compared, others of it too: nobody changes it between our look and our change.
                update.present(owner, dns.rdataset.from_rdata_list(0, list(present.values())))
            for rdata in replaced:
                update.delete(owner, rdata)
            update.add(owner, ttl_seconds, type.value, data)

        await self._change(name, change)

    async def drop(self, name: str, type: Type, value: str) -> bool:
        """A record less, as `values` gave it; others of the name stay. Whether it was there. Raises UpdateFailed."""
        present = await self._asked(lambda: self._rdatas(name, type))
        if value not in present:
            return False
        await self._change(name, lambda update: update.delete(name_of(name), present[value]))
        return True

    async def _rdatas(self, name: str, type: Type) -> dict[str, dns.rdata.Rdata]:
        kind = dns.rdatatype.from_text(type.value)
        answer = await self._ask(dns.message.make_query(name_of(name), kind, flags=0))
        if answer.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
            raise ExchangeFailed(f"it says {dns.rcode.to_text(answer.rcode())} for {name}")
        found: dict[str, dns.rdata.Rdata] = {}
        rrset = answer.get_rrset(answer.answer, name_of(name), dns.rdataclass.IN, kind)
        for rdata in rrset or ():
            good, bad = records_of(dns.rdataset.from_rdata(0, rdata), type)
            found[str(good[0]) if good else bad[0]] = rdata
        return found

    async def _asked(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """What comes of talking with the server. Raises UpdateFailed."""
        try:
            with trio.fail_after(_SECONDS):
                return await work()
        except trio.TooSlowError as error:
            raise UpdateFailed(f"the name server {self._server} does not answer") from error
        except (OSError, trio.BrokenResourceError, ExchangeFailed) as error:
            raise UpdateFailed(f"the name server {self._server} cannot be asked: {error}") from error

    async def _change(self, name: str, change: Callable[[dns.update.UpdateMessage], None]) -> None:
        async def work() -> tuple[dns.name.Name, dns.message.Message]:
            zone = await self._zone_of(name_of(name))
            update = dns.update.UpdateMessage(zone, keyring=self._keys)
            change(update)
            return zone, await self._ask(update)

        zone, answer = await self._asked(work)
        if answer.rcode() == dns.rcode.NXRRSET:
            raise UpdateFailed(f"{name} was changed meanwhile")
        if answer.rcode() != dns.rcode.NOERROR:
            why = dns.rcode.to_text(answer.rcode())
            raise UpdateFailed(f"the name server {self._server} does not change {name} in zone {text_of(zone)}: {why}")

    async def _zone_of(self, name: dns.name.Name) -> dns.name.Name:
        """The zone that a name is in: whose SOA comes with the answer, one or none (RFC 2308 §3)."""
        answer = await self._ask(dns.message.make_query(name, "SOA", flags=0))
        for rrset in (*answer.answer, *answer.authority):
            if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
                return rrset.name
        if any(rrset.rdtype == dns.rdatatype.CNAME and rrset.name == name for rrset in answer.answer):
            # What is said is about where an alias leads to; a zone does not begin with one (RFC 1034 §3.6.2).
            return await self._zone_of(name.parent())
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

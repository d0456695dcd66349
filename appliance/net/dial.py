"""Connections we make: which address first, from which of ours, through a proxy perhaps, within what time.

Which host is asked, and what it is asked for, is for the rooms above.
"""

import errno
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal, Protocol

import trio

from appliance.dns.resolver import Resolver
from appliance.net import socks
from appliance.net.limiter import Address
from appliance.net.socketstream import SocketStream

#: Failed tries that an error tells of.
_SHOWN: Final = 5
#: At least so long for one address, however many there are: what does not answer then is not there.
_LEAST_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sources:
    """The addresses of ours to connect from; None: the system chooses."""

    ipv4: Address | None = None
    ipv6: Address | None = None

    def to(self, address: Address) -> Address | None:
        """The one for a peer."""
        return self.ipv6 if address.version == 6 else self.ipv4


ANY_SOURCE: Final = Sources()


@dataclass(frozen=True, slots=True)
class Proxy:
    """A SOCKS5 proxy: its addresses, to be tried in this order."""

    addresses: tuple[Address, ...]
    port: int


@dataclass(frozen=True, slots=True)
class Dialed:
    """A connection, and what it is connected to."""

    stream: SocketStream
    #: The peer; behind a proxy that of the host, not of the proxy.
    address: Address
    port: int
    #: Our end.
    local: Address


class DialError(Exception):
    """No address could be connected to."""

    def __init__(self, tried: Sequence[tuple[Address, str]], *, timeout: bool) -> None:
        shown = "; ".join(f"{address}: {text}" for address, text in tried[:_SHOWN])
        super().__init__(shown or "no address to connect to")
        self.tried = tuple(tried)
        #: The last one did not answer in time.
        self.timeout = timeout


class Forbidden(DialError):
    """None of a host's addresses is one that may be connected to."""


#: Whether an address may be connected to.
Permits = Callable[[Address], bool]


class Dialer(Protocol):
    """Connects to the first address that answers, as `dial` does. Raises DialError."""

    async def __call__(
        self,
        addresses: Sequence[Address],
        port: int,
        *,
        seconds: float,
        sources: Sources = ANY_SOURCE,
        proxy: Proxy | None = None,
    ) -> Dialed:
        """A connection."""


async def nowhere(
    addresses: Sequence[Address],
    port: int,
    *,
    seconds: float,
    sources: Sources = ANY_SOURCE,
    proxy: Proxy | None = None,
) -> Dialed:
    """The dialer of a house that keeps everything to itself. Raises DialError."""
    raise DialError([(address, "this house sends nothing to other hosts") for address in addresses], timeout=False)


def order(addresses: Sequence[Address], dialed: Sequence[Address]) -> list[Address]:
    """The addresses of a host, the one to try first at their head. `dialed`: those dialed before, the last one last.

    After a try the other family comes first: one of our own two addresses may be on a blocklist. Within a family, the
    address dialed last comes first if its family was dialed only once: who greylists wants to see the same pair again.
    """
    if not dialed:
        return list(addresses)
    last = dialed[-1]
    again = sum(one.version == last.version for one in dialed) == 1
    return sorted(addresses, key=lambda one: (one.version == last.version, not (again and one == last)))


async def addresses_of(resolver: Resolver, host: str, *, family: Literal[4, 6] | None = None) -> tuple[Address, ...]:
    """The addresses of a name, or the one that `host` is. Raises what the resolver raises."""
    with suppress(ValueError):
        return (ip_address(host),)
    return (await resolver.addresses(host, family=family)).records


async def dial(
    addresses: Sequence[Address],
    port: int,
    *,
    seconds: float,
    sources: Sources = ANY_SOURCE,
    proxy: Proxy | None = None,
) -> Dialed:
    """Connect to the first address that answers, one after another; each gets its share of what time is left.

    Through a proxy it is asked for one after another. Raises DialError.
    """
    end = trio.current_time() + seconds
    tried: list[tuple[Address, str]] = []
    timeout = False
    for at, address in enumerate(addresses):
        left = end - trio.current_time()
        if left <= 0:
            timeout = True
            break
        timeout = False
        share = min(left, max(left / (len(addresses) - at), _LEAST_SECONDS))
        try:
            with trio.fail_after(share):
                if proxy is None:
                    stream = await _connect(address, port, sources)
                else:
                    stream = await _through(proxy, address, port, sources)
        except trio.TooSlowError:
            timeout = True
            tried.append((address, "no answer"))
        except (OSError, DialError, socks.SocksError, trio.BrokenResourceError) as error:
            text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            tried.append((address, text))
        else:
            return Dialed(stream, address, port, ip_address(stream.socket.getsockname()[0].partition("%")[0]))
    raise DialError(tried, timeout=timeout)


async def _through(proxy: Proxy, address: Address, port: int, sources: Sources) -> SocketStream:
    """Raises DialError when the proxy is not there, SocksError when it does not help."""
    tried: list[tuple[Address, str]] = []
    for one in proxy.addresses:
        try:
            stream = await _connect(one, proxy.port, sources)
        except OSError as error:
            tried.append((one, f"proxy: {error.strerror or error}"))
            continue
        try:
            await socks.connect(stream, address, port)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return stream
    raise DialError(tried, timeout=False)


async def _connect(address: Address, port: int, sources: Sources) -> SocketStream:
    """One connection. Raises OSError."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        source = sources.to(address)
        if source is not None:
            sock.bind((str(source), 0))
        code = sock.connect_ex((str(address), port))
        if code not in {0, errno.EINPROGRESS}:
            raise OSError(code, os.strerror(code))
        await trio.lowlevel.wait_writable(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        return SocketStream(sock)
    except BaseException:
        sock.close()
        raise


async def dial_host(
    resolver: Resolver,
    host: str,
    port: int,
    *,
    seconds: float,
    family: Literal[4, 6] | None = None,
    dialed: Sequence[Address] = (),
    sources: Sources = ANY_SOURCE,
    permits: Permits | None = None,
) -> Dialed:
    """Look a host up and connect to it, all within the time.

    With `permits`, only to addresses that it allows: those that are really dialed, whatever a name leads to the next
    time. Raises DialError, Forbidden, and what the resolver raises.
    """
    began = trio.current_time()
    try:
        with trio.fail_after(seconds):
            found = await addresses_of(resolver, host, family=family)
    except trio.TooSlowError as error:
        raise DialError([], timeout=True) from error
    if permits is not None and found:
        allowed = tuple(filter(permits, found))
        if not allowed:
            raise Forbidden([(address, "not an address that may be connected to") for address in found], timeout=False)
        found = allowed
    left = seconds - (trio.current_time() - began)
    return await dial(order(found, dialed), port, seconds=left, sources=sources)

"""What this machine is, as far as a mail server cares: addresses, names, ports that others hold, files it may open."""

import os
import re
import resource
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from appliance.config.values import IPAddress
from appliance.operations.domaincheck.area import INTERNAL

#: Of the kernel: sockets that listen, and processes.
PROC: Final = Path("/proc")
_LISTENING: Final = "0A"
#: Processes looked at for who holds a port.
_PROCESSES: Final = 20_000
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface that is up."""

    name: str
    #: Without those of the wire (link-local) and multicast.
    addresses: tuple[IPAddress, ...]

    @property
    def is_public(self) -> bool:
        """Whether the world may reach it: one internal address makes the whole interface internal."""
        return bool(self.addresses) and not any(is_internal(ip) for ip in self.addresses)


def is_internal(ip: IPAddress) -> bool:
    """Whether nobody outside reaches an address."""
    return any(ip in network for network in INTERNAL)


def interfaces() -> list[Interface]:
    """Those of this machine. Raises OSError."""
    import ifaddr

    found = []
    for adapter in ifaddr.get_adapters():
        ips = (ip_address(one.ip[0] if isinstance(one.ip, tuple) else one.ip) for one in adapter.ips)
        usable = tuple(ip for ip in ips if not ip.is_link_local and not ip.is_multicast)
        if usable:
            found.append(Interface(adapter.nice_name, usable))
    return found


def addresses(found: Iterable[Interface]) -> tuple[list[IPAddress], list[IPAddress]]:
    """The public ones and the others, each once and in order, IPv4 first."""
    public: dict[IPAddress, None] = {}
    internal: dict[IPAddress, None] = {}
    for one in found:
        (public if one.is_public else internal).update(dict.fromkeys(one.addresses))
    return sorted(public, key=_order), sorted(internal, key=_order)


def _order(ip: IPAddress) -> tuple[int, int]:
    return ip.version, int(ip)


@dataclass(frozen=True, slots=True)
class Held:
    """A TCP port that somebody listens on."""

    ip: IPAddress
    port: int
    #: The program, where we may know; empty otherwise.
    program: str = ""


def held_ports(ports: Sequence[int], proc: Path = PROC) -> list[Held]:
    """Which of these ports others listen on, by address; none where the system does not say (no /proc)."""
    inodes: dict[str, tuple[IPAddress, int]] = {}
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[3] == _LISTENING:
                ip, port = _endpoint(words[1])
                if port in ports:
                    inodes[words[9]] = ip, port
    programs = _programs(frozenset(inodes), proc) if inodes else {}
    held = (Held(ip, port, programs.get(inode, "")) for inode, (ip, port) in inodes.items())
    return sorted(held, key=lambda one: (one.port, _order(one.ip)))


def _endpoint(text: str) -> tuple[IPAddress, int]:
    """Address and port as /proc/net/tcp has them: words of 32 bits in the order of this machine."""
    address, _, port = text.partition(":")
    octets = b"".join(struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
    ip = IPv4Address(octets) if len(octets) == 4 else IPv6Address(octets)
    return ip, int(port, 16)


def _programs(inodes: frozenset[str], proc: Path) -> dict[str, str]:
    """Names of the programs that hold sockets; other people's only root may know."""
    found: dict[str, str] = {}
    pids = [path for path in proc.iterdir() if path.name.isdigit()][:_PROCESSES]
    for pid in pids:
        try:
            for link in (pid / "fd").iterdir():
                match = _SOCKET.fullmatch(os.readlink(link))
                if match and match[1] in inodes:
                    found[match[1]] = (pid / "comm").read_text().strip()
        except OSError:
            continue
        if len(found) == len(inodes):
            break
    return found


def system_hostname() -> str:
    """What the system calls itself, without a final dot."""
    return socket.gethostname().removesuffix(".").lower()


def open_files() -> int:
    """How many files a process may have open, if it asks for as many as it may."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]

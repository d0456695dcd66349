"""What a service manager hands over: sockets already bound, and where to report readiness."""

import os
import socket
from typing import Final

_FIRST: Final = 3


def sockets() -> dict[tuple[str, int], socket.socket]:
    """Listening sockets passed to this process, by address and port (sd_listen_fds(3)); taken once."""
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return {}
    number = os.environ.pop("LISTEN_FDS", "")
    count = int(number) if number.isascii() and number.isdecimal() else 0
    os.environ.pop("LISTEN_FDNAMES", None)
    found = {}
    for descriptor in range(_FIRST, _FIRST + count):
        os.set_inheritable(descriptor, False)
        sock = socket.socket(fileno=descriptor)
        if sock.family not in {socket.AF_INET, socket.AF_INET6}:
            sock.close()
            continue
        sock.setblocking(False)
        address, port = sock.getsockname()[:2]
        found[address, port] = sock
    return found


def notify(state: str) -> None:
    """Tell the service manager (sd_notify(3)); nothing when there is none."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(address)
            sock.sendall(state.encode())
        except OSError:
            return

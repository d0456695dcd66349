"""A server in a thread that talks over plain sockets and the standard library's TLS: for commands run in this process."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from appliance.tls.context import KeyPair

Talk = Callable[[socket.socket, Callable[[socket.socket], socket.socket]], None]


@contextmanager
def talking_server(talk: Talk, pair: KeyPair | None, folder: Path) -> Iterator[int]:
    """The port. `talk` gets each connection, and what makes TLS of it."""
    context = None
    if pair is not None:
        (folder / "chain.pem").write_bytes(pair.chain)
        (folder / "key.pem").write_bytes(pair.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "chain.pem", folder / "key.pem")

    def secure(sock: socket.socket) -> socket.socket:
        assert context is not None
        return context.wrap_socket(sock, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                sock.settimeout(10)
                with sock, suppress(OSError):
                    talk(sock, secure)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def smtp(commands: list[bytes], *keywords: str) -> Talk:
    """A mail server that takes whatever comes, until QUIT."""

    def answer(line: bytes) -> bytes:
        verb = line.split(b" ")[0].upper()
        if verb == b"EHLO":
            offered = ["mx.example.org", *keywords, *(["STARTTLS"] if b"STARTTLS" not in commands else [])]
            return "".join(f"250{'-' if one != offered[-1] else ' '}{one}\r\n" for one in offered).encode()
        known = {b"STARTTLS": b"220 go\r\n", b"AUTH": b"235 yes\r\n", b"QUIT": b"221 bye\r\n"}
        return known.get(verb, b"250 " + line + b"\r\n")

    def talk(sock: socket.socket, secure: Callable[[socket.socket], socket.socket]) -> None:
        with ExitStack() as open_ones:
            sock.sendall(b"220 mx.example.org ESMTP\r\n")
            buffer = b""
            while b"QUIT" not in commands:
                while b"\r\n" not in buffer:
                    octets = sock.recv(4096)
                    if not octets:
                        return
                    buffer += octets
                line, _, buffer = buffer.partition(b"\r\n")
                commands.append(line)
                sock.sendall(answer(line))
                if line == b"STARTTLS":
                    sock = open_ones.enter_context(secure(sock))

    return talk

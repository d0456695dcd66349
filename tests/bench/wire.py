"""Raw clients for measuring: octets made beforehand out, as little looking at what comes back as will do.

`Many` drives any number of connections from one thread by epoll; each connection's conversation is a generator that
yields (octets to send, whether the answer is whole yet) and is resumed with the answer. `Imap` is one blocking
connection for what is measured alone. None of it uses the server's own protocol code.
"""

import base64
import select
import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field

#: Whether this buffer holds a whole answer.
Whole = Callable[[bytearray], bool]
Conversation = Generator[tuple[bytes, Whole], bytes, None]
WAIT_SECONDS = 60


class Refused(Exception):
    """A server answered otherwise than the measurement needs."""


def replies(count: int, first: bytes = b"23") -> Whole:
    """So many SMTP replies, each beginning with one of the digits `first`."""

    def whole(buffer: bytearray) -> bool:
        if not buffer.endswith(b"\n"):
            return False
        final = 0
        for line in buffer.split(b"\n")[:-1]:
            if line[:1] not in first:
                raise Refused(bytes(buffer).decode(errors="replace").strip())
            final += line[3:4] != b"-"
        return final >= count

    return whole


def tagged(tag: bytes) -> Whole:
    """An IMAP response up to its tagged OK."""
    ok = tag + b" OK"

    def whole(buffer: bytearray) -> bool:
        if not buffer.endswith(b"\r\n"):
            return False
        at = buffer.rfind(b"\r\n", 0, len(buffer) - 2)
        last = buffer[at + 2 if at >= 0 else 0 :]
        if last.startswith(ok):
            return True
        if last.startswith(tag + b" "):
            raise Refused(last.decode(errors="replace").strip())
        return False

    return whole


def starts(prefix: bytes) -> Whole:
    """A line with this beginning, last in the buffer."""

    def whole(buffer: bytearray) -> bool:
        if not buffer.endswith(b"\n"):
            return False
        last = buffer[buffer.rfind(b"\n", 0, len(buffer) - 1) + 1 :]
        if last[:1] != b"*" and not last.startswith(prefix):
            raise Refused(last.decode(errors="replace").strip())
        return last.startswith(prefix)

    return whole


@dataclass
class Connection:
    sock: socket.socket
    conversation: Conversation
    whole: Whole
    out: memoryview = field(default_factory=lambda: memoryview(b""))
    buffer: bytearray = field(default_factory=bytearray)


class Many:
    """Conversations side by side. A conversation that ends closes its connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.poll = select.epoll()
        self.open: dict[int, Connection] = {}

    def start(self, conversation: Conversation, source: tuple[str, int] | None = None) -> None:
        """Connects, from an address if one is given, and sends the first octets."""
        sock = self._connect(source)
        sock.setblocking(False)
        octets, whole = next(conversation)
        connection = Connection(sock, conversation, whole)
        self.open[sock.fileno()] = connection
        self.poll.register(sock.fileno(), select.EPOLLIN)
        self._send(connection, octets)

    def _connect(self, source: tuple[str, int] | None) -> socket.socket:
        sock = socket.create_connection(self.address, timeout=WAIT_SECONDS, source_address=source)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _received(self, sock: socket.socket) -> bytes | None:
        """What came; None: nothing yet."""
        return sock.recv(262_144)

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Until every conversation has ended, or `until` says so. Raises TimeoutError when nothing comes for long."""
        while self.open and not until():
            events = self.poll.poll(WAIT_SECONDS)
            if not events:
                raise TimeoutError(f"{len(self.open)} connections heard nothing for {WAIT_SECONDS} s")
            for fileno, event in events:
                connection = self.open.get(fileno)
                if connection is None:
                    continue
                if event & select.EPOLLOUT:
                    self._flush(connection)
                if event & ~select.EPOLLOUT:
                    self._receive(connection)

    def close(self) -> None:
        """Leaves all of them at once."""
        for connection in list(self.open.values()):
            self._end(connection)
        self.poll.close()

    def _receive(self, connection: Connection) -> None:
        octets = self._received(connection.sock)
        if octets is None:
            return
        if not octets:
            raise Refused(f"closed after {bytes(connection.buffer[-200:])!r}")
        connection.buffer += octets
        if connection.whole(connection.buffer):
            answer, connection.buffer = bytes(connection.buffer), bytearray()
            try:
                out, connection.whole = connection.conversation.send(answer)
            except StopIteration:
                self._end(connection)
            else:
                self._send(connection, out)

    def _send(self, connection: Connection, octets: bytes) -> None:
        if octets:
            connection.out = memoryview(octets)
            self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        waited = bool(connection.out)
        try:
            while connection.out:
                connection.out = connection.out[connection.sock.send(connection.out) :]
        except BlockingIOError:
            self.poll.modify(connection.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
        else:
            if waited:
                self.poll.modify(connection.sock.fileno(), select.EPOLLIN)

    def _end(self, connection: Connection) -> None:
        self.open.pop(connection.sock.fileno())
        self.poll.unregister(connection.sock.fileno())
        connection.sock.close()


class ManyTLS(Many):
    """With TLS from the start, and certificates not looked at."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address)
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def _connect(self, source: tuple[str, int] | None) -> socket.socket:
        return self.context.wrap_socket(super()._connect(source))

    def _received(self, sock: socket.socket) -> bytes | None:
        """All there is: what the library holds back would not be told by the system."""
        octets = b""
        try:
            while more := sock.recv(262_144):
                octets += more
        except ssl.SSLWantReadError:
            return octets or None
        return octets


class Imap:
    """One blocking connection, logged in."""

    def __init__(self, address: tuple[str, int], user: str, password: str) -> None:
        self.sock = socket.create_connection(address, timeout=WAIT_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.number = 0
        self.place = bytearray(1 << 20)
        while not self.sock.recv(4096).endswith(b"\n"):
            pass
        self.command(f'LOGIN "{user}" "{password}"'.encode())
        words = self.command(b"CAPABILITY").split()
        self.capabilities = {word.upper() for word in words}

    def tag(self) -> bytes:
        """One no message holds."""
        self.number += 1
        return b"Zq%dx" % self.number

    def command(self, octets: bytes) -> bytes:
        """Sends one and returns the whole answer. Raises Refused when it is not OK."""
        tag = self.tag()
        self.sock.sendall(tag + b" " + octets + b"\r\n")
        whole, answer = tagged(tag), bytearray()
        while not whole(answer):
            octets = self.sock.recv(262_144)
            if not octets:
                raise Refused("the server closed the connection")
            answer += octets
        return bytes(answer)

    def measure(self, octets: bytes) -> tuple[float, int]:
        """Sends a command and counts what comes back: (seconds, octets). The answer's end only is looked at."""
        tag = self.tag()
        ok, bad = b"\r\n" + tag + b" OK", b"\r\n" + tag + b" "
        place, view = self.place, memoryview(self.place)
        start = time.perf_counter()
        self.sock.sendall(tag + b" " + octets + b"\r\n")
        count, tail = 0, b""
        while True:
            got = self.sock.recv_into(place)
            if not got:
                raise Refused("the server closed the connection")
            count += got
            tail = (tail + bytes(view[max(0, got - 400) : got]))[-400:]
            if tail.endswith(b"\r\n"):
                if ok in tail or tail.startswith(ok[2:]):
                    return time.perf_counter() - start, count
                if bad in tail or tail.startswith(bad[2:]):
                    raise Refused(tail.decode(errors="replace"))

    def close(self) -> None:
        self.sock.close()


def deliveries(count: int, data: bytes, sender: bytes, recipient: bytes, hello: bytes = b"EHLO") -> Conversation:
    """One SMTP connection with so many transactions, pipelined as a careful MTA does it (RFC 2920 §3.1).

    Or one of LMTP, by its `hello`: with a single recipient all else is the same.
    """
    envelope = b"MAIL FROM:<" + sender + b">\r\nRCPT TO:<" + recipient + b">\r\nDATA\r\n"
    greeting, one, three = replies(1), replies(1), replies(3)
    yield b"", greeting
    answer = yield hello + b" client.localhost\r\n", one
    pipelined = b"PIPELINING" in answer.upper()
    for _ in range(count):
        if pipelined:
            yield envelope, three
        else:
            for line in envelope.splitlines(keepends=True):
                yield line, one
        yield data, one
    yield b"QUIT\r\n", one


def submissions(count: int, data: bytes, user: bytes, password: bytes, recipients: Iterator[bytes]) -> Conversation:
    """One connection that logs in and sends so many messages, each to the next recipient."""
    one, three = replies(1), replies(3)
    yield b"", one
    yield b"EHLO client.localhost\r\n", one
    yield b"AUTH PLAIN " + base64.b64encode(b"\0" + user + b"\0" + password) + b"\r\n", one
    for _ in range(count):
        yield b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (user, next(recipients)), three
        yield data, one
    yield b"QUIT\r\n", one


def appends(messages: Iterable[bytes], login: bytes, mailbox: bytes) -> Conversation:
    """One IMAP connection appending one message after the other."""
    yield b"", starts(b"* OK")
    yield b"L1 " + login, tagged(b"L1")
    answer = yield b"C1 CAPABILITY\r\n", tagged(b"C1")
    plus = b"+" if b"LITERAL+" in answer.upper() else b""
    ok = tagged(b"A1")
    for message in messages:
        head = b"A1 APPEND %s {%d%s}\r\n" % (mailbox, len(message), plus)
        if plus:
            yield head + message + b"\r\n", ok
        else:
            yield head, starts(b"+")
            yield message + b"\r\n", ok
    yield b"B1 LOGOUT\r\n", tagged(b"B1")

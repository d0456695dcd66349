"""A mail host that takes everything at once and keeps nothing, in a process of its own.

`python -m bench.sink` prints its port of the loopback; each line on its standard input is answered by the number of
messages it has taken. When its input ends, it does.
"""

import select
import socket
import sys

_EHLO = b"250-mx.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 100000000\r\n"


class _Talk:
    def __init__(self) -> None:
        self.buffer = bytearray()
        self.in_data = False
        self.taken = 0

    def heard(self, octets: bytes) -> bytes:
        """What is to be answered."""
        self.buffer += octets
        answer = b""
        while True:
            if self.in_data:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    return answer
                del self.buffer[: end + 5]
                self.in_data = False
                self.taken += 1
                answer += b"250 2.0.0 taken\r\n"
                continue
            end = self.buffer.find(b"\r\n")
            if end < 0:
                return answer
            verb = bytes(self.buffer[:4]).upper()
            # A message without lines before its dot is none that is sent here.
            del self.buffer[: end + 2]
            if verb == b"DATA":
                self.in_data = True
                answer += b"354 go\r\n"
            else:
                answer += _EHLO if verb == b"EHLO" else b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n"


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    print(listener.getsockname()[1], flush=True)
    poll, talks, connections, gone = select.epoll(), dict[int, _Talk](), dict[int, socket.socket](), 0
    poll.register(listener.fileno(), select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            if number == 0:
                if not sys.stdin.readline():
                    return
                print(gone + sum(one.taken for one in talks.values()), flush=True)
            elif number == listener.fileno():
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                talks[sock.fileno()], connections[sock.fileno()] = _Talk(), sock
                poll.register(sock.fileno(), select.EPOLLIN)
                sock.sendall(b"220 mx.example ESMTP\r\n")
            else:
                sock, talk = connections[number], talks[number]
                try:
                    octets = sock.recv(262_144)
                    answer = talk.heard(octets)
                    if answer:
                        sock.sendall(answer)
                except OSError:
                    octets = b""
                if not octets:
                    gone += talk.taken
                    poll.unregister(number)
                    del talks[number], connections[number]
                    sock.close()


if __name__ == "__main__":
    main()

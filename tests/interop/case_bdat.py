"""A client of RFC 3030 written from the RFC: CHUNKING and BINARYMIME, the message kept to the octet.

No mail program at hand sends BDAT, so the client is here, and Python's imaplib reads what has arrived.
"""

import itertools
import os
import random
import socket

from interop.mailbox import HOST, USER, ok, opened, uids, unique

SMTP = int(os.environ["SMTP"])
SPLITS = 20


class Client:
    """Commands and chunks as octets, replies as their codes."""

    def __init__(self) -> None:
        self.sock = socket.create_connection((HOST, SMTP), timeout=30)
        self.file = self.sock.makefile("rb")
        self.extensions: set[bytes] = set()
        assert self.reply() == "220"
        self.sock.sendall(b"EHLO bdat.example\r\n")
        assert self.reply() == "250"
        assert {b"CHUNKING", b"BINARYMIME", b"PIPELINING"} <= self.extensions, self.extensions

    def reply(self) -> str:
        while True:
            line = self.file.readline()
            self.extensions.add(line[4:].strip())
            if line[3:4] != b"-":
                return line[:3].decode()

    def replies(self, count: int) -> list[str]:
        return [self.reply() for _ in range(count)]

    def mail(self, options: bytes = b"") -> None:
        self.sock.sendall(b"MAIL FROM:<a@bdat.example>%b\r\nRCPT TO:<%b>\r\n" % (options, USER.encode()))
        assert self.replies(2) == ["250", "250"]


def chunk(octets: bytes, last: bool = False) -> bytes:
    return b"BDAT %d%b\r\n%b" % (len(octets), b" LAST" if last else b"", octets)


def stored(subject: str) -> bytes | None:
    with opened(readonly=True) as imap:
        found = uids(imap, "SUBJECT", subject)
        assert len(found) <= 1, f"{subject} arrived {len(found)} times"
        return ok(imap.uid("FETCH", found[0], "(BODY.PEEK[])"))[0][1] if found else None


def assert_kept(subject: str, message: bytes) -> None:
    got = stored(subject)
    assert got is not None, f"{subject} did not arrive"
    assert got.endswith(message), f"{subject}: got {got[-300:]!r}, want {message[-300:]!r}"


def message(subject: str, text: bytes) -> bytes:
    return b"From: <a@bdat.example>\r\nSubject: %b\r\n\r\n%b" % (subject.encode(), text)


def exact() -> None:
    """Dots mean nothing, in one chunk, in two, and with an empty last one; all in one packet."""
    client = Client()
    for name, cut in (("one", ()), ("two", (30,)), ("empty-last", (None,)), ("octets", tuple(range(1, 60)))):
        subject = unique(f"bdat-{name}")
        text = message(subject, b".\r\n..\r\n.a\r\n\r\n.\r\nQUIT\r\nend\r\n")
        ends = [len(text) if at is None else at for at in cut]
        pieces = [text[start:end] for start, end in itertools.pairwise([0, *ends, len(text)])]
        packet = b"".join(chunk(piece) for piece in pieces[:-1]) + chunk(pieces[-1], last=True)
        client.mail()
        client.sock.sendall(packet)
        assert client.replies(len(pieces)) == ["250"] * len(pieces)
        assert_kept(subject, text)


def binary() -> None:
    """BODY=BINARYMIME: all octets there are, bare line ends and NUL among them, no line end at the end (RFC 3030 §3)."""
    subject = unique("bdat-binary")
    text = b"From: <a@bdat.example>\r\nSubject: %b\r\nMIME-Version: 1.0\r\n" % subject.encode()
    text += b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    text += bytes(range(256)) * 4000 + b"\r\n.\r\n\n.\n\r.\r"
    client = Client()
    client.mail(b" BODY=BINARYMIME")
    half = len(text) // 2
    client.sock.sendall(chunk(text[:half]) + chunk(text[half:], last=True))
    assert client.replies(2) == ["250", "250"]
    with opened(readonly=True) as imap:
        (uid,) = uids(imap, "SUBJECT", subject)
        ((_, body), _) = ok(imap.uid("FETCH", uid, "(BODY.PEEK[TEXT])"))
        assert body == text.partition(b"\r\n\r\n")[2]
    # A message that is binary must not come by DATA.
    client.mail(b" BODY=BINARYMIME")
    client.sock.sendall(b"DATA\r\nRSET\r\n")
    assert client.replies(2) == ["503", "250"]


def splits() -> None:
    """Chunks and packets cut anywhere."""
    chance = random.Random(3030)
    client = Client()
    for number in range(SPLITS):
        subject = unique(f"bdat-split-{number}")
        text = message(subject, chance.randbytes(chance.randrange(200_000)).replace(b"\0", b"0"))
        marks = sorted(chance.randrange(len(text)) for _ in range(chance.randrange(12)))
        pieces = [text[start:end] for start, end in itertools.pairwise([0, *marks, len(text)])]
        wire = b"".join(chunk(piece) for piece in pieces[:-1]) + chunk(pieces[-1], last=True)
        client.mail(b" BODY=BINARYMIME")
        while wire:
            size = chance.choice((1, 7, 100, 5000, 70_000))
            client.sock.sendall(wire[:size])
            wire = wire[size:]
        assert client.replies(len(pieces)) == ["250"] * len(pieces)
        assert_kept(subject, text)


def refused() -> None:
    """What is refused leaves the conversation whole: the chunk's octets are never commands, nothing arrives."""
    client = Client()
    evil = b"MAIL FROM:<evil@bdat.example>\r\n"
    client.sock.sendall(chunk(evil, last=True) + b"NOOP\r\n")
    assert client.replies(2) == ["503", "250"]
    subject = unique("bdat-reset")
    client.mail()
    client.sock.sendall(chunk(message(subject, b"never\r\n")) + b"RSET\r\n" + chunk(b"", last=True) + b"NOOP\r\n")
    assert client.replies(4) == ["250", "250", "503", "250"]
    client.mail()
    client.sock.sendall(chunk(message(subject, b"mixed\r\n")) + b"DATA\r\nRSET\r\n")
    assert client.replies(3) == ["250", "503", "250"]
    assert stored(subject) is None
    # A client that leaves before LAST has sent nothing.
    client.mail()
    client.sock.sendall(chunk(message(subject, b"left\r\n")))
    assert client.replies(1) == ["250"]
    client.file.close()
    client.sock.close()
    assert stored(subject) is None


exact()
binary()
splits()
refused()

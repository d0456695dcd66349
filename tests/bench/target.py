"""The server under measurement, and a mailbox in it for a while."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.wire import Imap
from support import served

Figures = dict[str, float]


@dataclass
class Target:
    """A server under measurement; `quick` makes everything smaller, and the figures rougher."""

    house: served.House
    quick: bool
    #: The program, when it is ours to start again.
    moxpy: Path | None = None

    @property
    def smtp(self) -> tuple[str, int]:
        return self.house.host, self.house.smtp

    @property
    def lmtp(self) -> tuple[str, int] | None:
        """Where mail is delivered without being judged; None where nobody listens for that."""
        port = self.house.extra.get("lmtp")
        return (self.house.host, int(port)) if port else None

    @property
    def imap(self) -> tuple[str, int]:
        return self.house.host, self.house.imap

    def cpu(self) -> float:
        """Processor seconds the server has used; 0 for one that is not ours."""
        return served.cpu_seconds(self.house.pid) if self.moxpy else 0.0

    @property
    def login(self) -> bytes:
        return f'LOGIN "{self.house.user}" "{self.house.password}"\r\n'.encode()

    def open(self, mailbox: str | None = None) -> Imap:
        imap = Imap(self.imap, self.house.user, self.house.password)
        if mailbox:
            imap.command(f"SELECT {mailbox}".encode())
        return imap


@contextlib.contextmanager
def mailbox(target: Target, name: str) -> Iterator[str]:
    imap = target.open()
    try:
        imap.command(f"CREATE {name}".encode())
        yield name
    finally:
        imap.close()
        imap = target.open()
        imap.command(f"DELETE {name}".encode())
        imap.close()

"""What a case asks of the mailbox, through Python's imaplib; also a command for the shell cases.

`python -m interop.mailbox wait SUBJECT` prints a message as the server has it, once it has arrived.
`python -m interop.mailbox body SUBJECT FILE` compares its body with a file, octet by octet.
`python -m interop.mailbox count MAILBOX` prints how many messages it holds.
"""

import contextlib
import imaplib
import os
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

HOST, USER, PASSWORD = os.environ["HOST"], os.environ["MAIL_USER"], os.environ["MAIL_PASSWORD"]
ARRIVES_SECONDS = 20


def unique(name: str) -> str:
    """A subject nobody used before."""
    return f"{name}-{uuid.uuid4().hex[:12]}"


@contextlib.contextmanager
def opened(mailbox: str | None = "INBOX", readonly: bool = False) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4(HOST, int(os.environ["IMAP"]), timeout=30) as imap:
        imap.login(USER, PASSWORD)
        if mailbox is not None:
            ok(imap.select(mailbox, readonly))
        yield imap


def ok(answer: "tuple[str, list[object]]") -> list:
    kind, data = answer
    assert kind == "OK", answer
    return data


def uids(imap: imaplib.IMAP4, *criteria: str) -> list[str]:
    return ok(imap.uid("SEARCH", *criteria))[0].decode().split()


def wait(subject: str, mailbox: str = "INBOX") -> bytes:
    """The one message with this subject, as octets. Fails when none arrives in time, or two."""
    deadline = time.monotonic() + ARRIVES_SECONDS
    while True:
        with opened(mailbox, readonly=True) as imap:
            found = uids(imap, "SUBJECT", subject)
            if found:
                assert len(found) == 1, f"{subject} arrived {len(found)} times"
                return ok(imap.uid("FETCH", found[0], "(BODY.PEEK[])"))[0][1]
        assert time.monotonic() < deadline, f"{subject} did not arrive"
        time.sleep(0.05)


def body(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


def assert_body(subject: str, expected: bytes) -> None:
    """Equal but for line ends, which are CRLF in a message whatever they were in the file."""
    got, wanted = body(wait(subject)), expected.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert got == wanted, f"body differs:\n got {got!r}\nwant {wanted!r}"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["wait", subject]:
            sys.stdout.buffer.write(wait(subject))
        case ["body", subject, file]:
            assert_body(subject, Path(file).read_bytes())
        case ["count", mailbox]:
            with opened(mailbox, readonly=True) as imap:
                print(len(uids(imap, "ALL")))
        case _:
            sys.exit(__doc__)

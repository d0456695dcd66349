"""Three clients in IDLE hear of one delivery by SMTP, and the flag one sets is heard by the other two.

Other mail may come in meanwhile: what a case before this one has left to a queue.
"""

import imaplib
import os
import re
import smtplib
import time
from collections.abc import Callable

from interop.mailbox import HOST, USER, ok, opened, uids, unique

HEARS_SECONDS = 30


def idle(imap: imaplib.IMAP4) -> None:
    imap.send(b"I1 IDLE\r\n")
    until(imap, b"+ ")


def until(imap: imaplib.IMAP4, *wanted: bytes) -> bytes:
    """Reads lines until one holds all of `wanted`."""
    return heard(imap, lambda line: all(part in line for part in wanted), b" ".join(wanted))


def heard(imap: imaplib.IMAP4, is_wanted: Callable[[bytes], object], name: bytes) -> bytes:
    """Reads lines until one is wanted; it must come within the time that any command may take."""
    seen = []
    deadline = time.monotonic() + HEARS_SECONDS
    while time.monotonic() < deadline:
        try:
            line = imap.readline()
        except (TimeoutError, OSError) as error:
            raise AssertionError(f"no {name!r} in {seen!r}") from error
        seen.append(line)
        if is_wanted(line):
            return line
    raise AssertionError(f"no {name!r} in {seen!r}")


def exists(line: bytes) -> int:
    """How many messages a line says there are; 0 when it is about something else."""
    found = re.fullmatch(rb"\* ([0-9]+) EXISTS\r\n", line)
    return int(found[1]) if found else 0


def done(imap: imaplib.IMAP4) -> None:
    imap.send(b"DONE\r\n")
    until(imap, b"I1 OK")


with opened() as one, opened() as two, opened() as three:
    listeners = (one, two, three)
    assert all("IDLE" in imap.capabilities or b"IDLE" in ok(imap.capability())[0] for imap in listeners)
    before = len(uids(one, "ALL"))
    for imap in listeners:
        idle(imap)
    subject = unique("idle")
    with smtplib.SMTP(HOST, int(os.environ["SMTP"]), timeout=20) as smtp:
        smtp.sendmail("someone@localhost", USER, f"From: <someone@localhost>\r\nSubject: {subject}\r\n\r\nnews\r\n")
    for imap in listeners:
        heard(imap, lambda line: exists(line) > before, b"EXISTS")
    for imap in listeners:
        done(imap)
        assert len(uids(imap, "SUBJECT", subject)) == 1
    (uid,) = uids(one, "SUBJECT", subject)
    number = ok(one.search(None, "SUBJECT", subject))[0].decode()
    idle(two)
    idle(three)
    ok(one.uid("STORE", uid, "+FLAGS", r"(\Answered)"))
    for imap in (two, three):
        until(imap, f"* {number} FETCH".encode(), b"\\Answered")
        done(imap)
    idle(two)
    ok(one.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
    ok(one.uid("EXPUNGE", uid))
    until(two, f"* {number} EXPUNGE".encode())
    done(two)

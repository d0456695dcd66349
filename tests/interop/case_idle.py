"""Three clients in IDLE hear of one delivery by SMTP, and the flag one sets is heard by the other two."""

import imaplib
import os
import smtplib
import time

from interop.mailbox import HOST, USER, ok, opened, uids, unique

HEARS_SECONDS = 10


def idle(imap: imaplib.IMAP4) -> None:
    imap.send(b"I1 IDLE\r\n")
    until(imap, b"+ ")


def until(imap: imaplib.IMAP4, *wanted: bytes) -> bytes:
    """Reads lines until one holds all of `wanted`."""
    imap.sock.settimeout(HEARS_SECONDS)
    seen = []
    deadline = time.monotonic() + HEARS_SECONDS
    while time.monotonic() < deadline:
        try:
            line = imap.readline()
        except (TimeoutError, OSError) as error:
            raise AssertionError(f"no {wanted!r} in {seen!r}") from error
        seen.append(line)
        if all(part in line for part in wanted):
            return line
    raise AssertionError(f"no {wanted!r} in {seen!r}")


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
        until(imap, b"* ", f"{before + 1} EXISTS".encode())
    for imap in listeners:
        done(imap)
        assert uids(imap, "SUBJECT", subject) == uids(imap, "UID", "*")
    (uid,) = uids(one, "SUBJECT", subject)
    idle(two)
    idle(three)
    ok(one.uid("STORE", uid, "+FLAGS", r"(\Answered)"))
    for imap in (two, three):
        until(imap, f"* {before + 1} FETCH".encode(), b"\\Answered")
        done(imap)
    idle(two)
    ok(one.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
    ok(one.expunge())
    until(two, f"* {before + 1} EXPUNGE".encode())
    done(two)

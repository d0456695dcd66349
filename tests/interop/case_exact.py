"""What was sent is what is kept, octet for octet: smtplib, curl and msmtp send what transfers usually spoil.

Each message goes in by every door a program can use (port 25, submission with STARTTLS, submission over TLS), with a
login where there is one, and is read back by IMAP: header fields of the server, then exactly what was sent.
"""

import itertools
import os
import re
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from interop.mailbox import ARRIVES_SECONDS, HOST, PASSWORD, USER, ok, opened

SMTP, SUBMISSION, SUBMISSIONS = (int(os.environ[name]) for name in ("SMTP", "SUBMISSION", "SUBMISSIONS"))
CERTIFICATE, WORK = os.environ["CERTIFICATE"], Path(os.environ["WORK"])
#: Fields the server may set before the message.
ADDED = {
    b"X-Mox-Reason",
    b"Return-Path",
    b"Delivered-To",
    b"Received",
    b"Received-SPF",
    b"Authentication-Results",
    b"Date",
    b"Message-ID",
}
ADDED |= {b"DKIM-Signature"}

HEADER = b"From: <mox@localhost>\r\nTo: <mox@localhost>\r\nSubject: exact\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n"
HEADER += b"Message-ID: <%d@exact.example>\r\n"
MIME = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
BASE64 = b"QUJD" * 19 + b"\r\n"

#: Name -> header fields beside the usual ones, body. All that is allowed on the wire, and most of what is not but comes.
BODIES: dict[str, tuple[bytes, bytes]] = {
    "plain": (b"", b"hello\r\n"),
    "dots": (b"", b".\r\n..\r\n...\r\n.a\r\n..b\r\n\r\n.\r\n\r\n"),
    "only a dot": (b"", b".\r\n"),
    "a dot at the end of a chunk": (b"", (b"x" * 1022 + b"\r\n.") * 300 + b"\r\n"),
    "empty body": (b"", b""),
    "white space": (b"", b" \r\n\t\r\nspaces   \r\n\x0c\r\n\r\n\r\n"),
    "From at the beginning of a line": (b"", b"From here\r\n>From there\r\nFrom \r\n"),
    "8 bit": (MIME, "Grüße, 郵便, \U0001f600\r\n".encode() * 100),
    "latin1 without a word about it": (b"", bytes(range(160, 256)) + b"\r\n"),
    "control characters": (b"", bytes(i for i in range(1, 32) if i not in b"\r\n") + b"\x7f\r\n"),
    "a line of 998": (b"", b"y" * 998 + b"\r\n"),
    "a line of 999": (b"", b"y" * 999 + b"\r\n"),
    "a line of 100000": (b"", b"y" * 100_000 + b"\r\n.\r\nend\r\n"),
    "many empty lines": (b"", b"\r\n" * 10_000),
    "a large attachment": (
        b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n",
        BASE64 * 250_000,
    ),
    "folded header": (b"X-Folded: a\r\n b\r\n\tc\r\nX-Empty:\r\nX-Tight:x\r\nx-CaSe:  two  spaces  \r\n", b"x\r\n"),
    "nested multiparts": (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n",
        b"preamble\r\n--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n--a--\r\nend",
    ),
}
#: Whole messages that are hardly any.
WHOLE: dict[str, bytes] = {
    "no header": b"\r\nonly a body\r\n",
    "nothing but an empty line": b"\r\n",
    "no header and no empty line": b"only a line\r\n",
    "a header without an empty line": b"Subject: no end\r\nX-More: yes\r\n",
}

_numbers = itertools.count(1)


def messages() -> Iterator[tuple[str, bytes]]:
    for name, (fields, text) in BODIES.items():
        yield name, HEADER % next(_numbers) + fields + b"\r\n" + text


def newest() -> int:
    with opened(None) as imap:
        status = ok(imap.status("INBOX", "(UIDNEXT)"))[0]
        return int(re.search(rb"UIDNEXT (\d+)", status)[1])


def arrived(uid: int) -> bytes:
    """The one message from this UID on, once it is there."""
    deadline = time.monotonic() + ARRIVES_SECONDS
    while newest() == uid:
        assert time.monotonic() < deadline, "did not arrive"
        time.sleep(0.02)
    with opened(readonly=True) as imap:
        data = ok(imap.uid("FETCH", f"{uid}:*", "(RFC822.SIZE BODY.PEEK[])"))
        found = [item for item in data if isinstance(item, tuple)]
        assert len(found) == 1, f"{len(found)} arrived"
        size = re.search(rb"RFC822.SIZE (\d+)", found[0][0] + b"".join(i for i in data if isinstance(i, bytes)))
        assert int(size[1]) == len(found[0][1])
        return found[0][1]


def exactly(sent: bytes, got: bytes) -> None:
    """Fails unless `got` is `sent` behind header fields of the server."""
    if not sent.endswith(b"\r\n"):
        sent += b"\r\n"  # What DATA cannot do without.
    at = len(got) - len(sent)
    assert got.endswith(sent), (
        f"got  {got[max(0, at) :][:300]!r}\nsent {sent[:300]!r}\n(lengths {len(got)}, {len(sent)})"
    )
    added = got[:at]
    assert not added or added.endswith(b"\r\n"), added[-100:]
    names = {field.partition(b":")[0] for field in re.split(rb"\r\n(?![ \t])", added) if field}
    assert b"Received" in names, names
    assert names <= ADDED, names - ADDED


def with_smtplib(door: str) -> Callable[[bytes], None]:
    context = ssl.create_default_context(cafile=CERTIFICATE)
    context.check_hostname = False

    def send(message: bytes) -> None:
        if door == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(HOST, SUBMISSIONS, timeout=60, context=context)
        else:
            smtp = smtplib.SMTP(HOST, SMTP if door == "in" else SUBMISSION, timeout=60)
        with smtp:
            if door == "starttls":
                smtp.starttls(context=context)
            if door != "in":
                smtp.login(USER, PASSWORD)
            options = [] if message.isascii() else ["BODY=8BITMIME"]
            assert smtp.sendmail(USER, [USER], message, mail_options=options) == {}

    return send


def with_curl(door: str) -> Callable[[bytes], None]:
    urls = {
        "in": f"smtp://{HOST}:{SMTP}",
        "starttls": f"smtp://{HOST}:{SUBMISSION}",
        "tls": f"smtps://{HOST}:{SUBMISSIONS}",
    }
    command = ["curl", "--silent", "--show-error", "--fail", "--cacert", CERTIFICATE, "--max-time", "60", urls[door]]
    command += ["--mail-from", USER, "--mail-rcpt", USER, "--upload-file", str(WORK / "message")]
    if door != "in":
        command += ["--user", f"{USER}:{PASSWORD}", "--ssl-reqd"]

    def send(message: bytes) -> None:
        (WORK / "message").write_bytes(message)
        subprocess.run(command, check=True)

    return send


def with_msmtp(door: str) -> Callable[[bytes], None]:
    shown = subprocess.run(
        ["openssl", "x509", "-in", CERTIFICATE, "-noout", "-fingerprint", "-sha256"], capture_output=True, check=True
    )
    fingerprint = shown.stdout.decode().strip().partition("=")[2]
    port = {"in": SMTP, "starttls": SUBMISSION, "tls": SUBMISSIONS}[door]
    settings = ["defaults", "account default", "host localhost", f"port {port}", f"from {USER}", "timeout 60"]
    settings += ["tls on", f"tls_fingerprint {fingerprint}", "set_date_header off", "set_msgid_header off"]
    settings += ["set_from_header off"]
    if door == "tls":
        settings.append("tls_starttls off")
    if door != "in":
        settings += ["auth plain", f"user {USER}", f"password {PASSWORD}"]
    file = WORK / "msmtprc"
    file.write_text("\n".join(settings) + "\n")
    file.chmod(0o600)

    def send(message: bytes) -> None:
        # It takes lines as the system writes them.
        text = message.replace(b"\r\n", b"\n")
        subprocess.run(["msmtp", f"--file={file}", "--", USER], input=text, check=True)

    return send


def utf8_addresses() -> None:
    """SMTPUTF8: addresses and header fields in UTF-8 (RFC 6531, RFC 6532)."""
    for door in ("in", "starttls"):
        smtp = smtplib.SMTP(HOST, SMTP if door == "in" else SUBMISSION, timeout=60)
        with smtp:
            sender = "грета@пример.example"
            if door == "starttls":
                context = ssl.create_default_context(cafile=CERTIFICATE)
                context.check_hostname = False
                smtp.starttls(context=context)
                smtp.login(USER, PASSWORD)
                sender = "mox+грета@localhost"
            smtp.ehlo()
            assert smtp.has_extn("smtputf8")
            message = f"From: <{sender}>\r\nTo: <mox+иван@localhost>\r\nSubject: Привет\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000"
            message += f"\r\nMessage-ID: <utf8-{door}@exact.example>\r\n\r\nмир\r\n"
            uid = newest()
            options = ["SMTPUTF8", "BODY=8BITMIME"]
            assert smtp.sendmail(sender, ["mox+иван@localhost"], message.encode(), mail_options=options) == {}
        got = arrived(uid)
        exactly(message.encode(), got)
        assert b"UTF8SMTP" in got, got[:500]  # RFC 6531 §4.3


def main() -> int:
    faults = []

    def check(name: str, send: Callable[[bytes], None], message: bytes) -> None:
        uid = newest()
        try:
            send(message)
            exactly(message, arrived(uid))
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            faults.append(f"{name}: {type(error).__name__} {error}")
            print(faults[-1], flush=True)

    count = 0
    for program, maker in (("smtplib", with_smtplib), ("curl", with_curl), ("msmtp", with_msmtp)):
        for door in ("in", "starttls", "tls"):
            send = maker(door)
            for name, message in messages():
                check(f"{program}, {door}, {name}", send, message)
                count += 1
    for name, message in WHOLE.items():
        for program, maker in (("smtplib", with_smtplib), ("curl", with_curl)):
            check(f"{program}, in, {name}", maker("in"), message)
            count += 1
        # A message of ours must say whose it is (RFC 5322 §3.6); nothing is invented, and nothing arrives.
        before = newest()
        try:
            with_smtplib("starttls")(message)
            faults.append(f"smtplib, starttls, {name}: taken")
        except smtplib.SMTPDataError as error:
            if error.smtp_code // 10 != 55 or not error.smtp_error.startswith(b"5.6.0 "):
                faults.append(f"smtplib, starttls, {name}: {error}")
        if newest() != before:
            faults.append(f"smtplib, starttls, {name}: arrived")
    utf8_addresses()
    print(f"{count} messages, {len(faults)} not as sent")
    return 1 if faults else 0


sys.exit(main())

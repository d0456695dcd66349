"""Starts a built executable as a whole mail server and sends a message through it, in and out again.

`python build/smoke.py dist/moxpy`. Exits non-zero when any step fails. Freezing loses what is imported by name or read
as a file (dnspython's record classes, the public suffix list); only running shows it.
"""

import imaplib
import smtplib
import ssl
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import served


def main(executable: Path) -> None:
    """Serve, deliver, read back, stop."""
    with (
        tempfile.TemporaryDirectory(prefix="moxpy-smoke-") as directory,
        served.running(executable, Path(directory) / "localserve") as house,
    ):
        with smtplib.SMTP(house.host, house.smtp, timeout=20) as smtp:
            smtp.sendmail("smoke@localhost", house.user, b"From: <smoke@localhost>\r\nSubject: smoke\r\n\r\nhello\r\n")
        with imaplib.IMAP4(house.host, house.imap, timeout=20) as imap:
            imap.login(house.user, house.password)
            imap.select("INBOX")
            _, found = imap.search(None, "SUBJECT", "smoke")
            if found != [b"1"]:
                sys.exit(f"the message did not arrive: {found}")
        unverified = ssl._create_unverified_context()  # noqa: S323
        for url in (f"https://localhost:{house.https}/", f"http://localhost:{house.metrics}/metrics"):
            with urllib.request.urlopen(url, context=unverified, timeout=20) as response:  # noqa: S310
                if response.status != 200 or b"moxpy" not in response.read():
                    sys.exit(f"{url} is not answered")
        print(f"serves  ready after {house.ready_seconds * 1000:.0f} ms, a message in and out again, web pages")
        print(f"memory  {served.resident_octets(house.pid) >> 20} MiB, all processes")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

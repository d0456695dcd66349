"""Starts a built executable as a whole mail server and sends a message through it, in and out again.

`python build/smoke.py dist/moxpy`. Exits non-zero when any step fails. Freezing loses what is imported by name or read
as a file (dnspython's record classes, the public suffix list); only running shows it.
"""

import imaplib
import os
import re
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import served
from support.inetd import inetd

NOBODY = 65534
PAGES = Path(__file__).resolve().parent.parent / "appliance/servers/web/assets"


def as_somebody_else(executable: Path, directory: Path) -> None:
    """Started as root, it gives root up: whatever is loaded later must still be readable. Logs in, reads a web page."""
    program = shutil.copy(executable, directory / "moxpy")
    folder = directory / "served"
    ports = served.prepare(program, folder)
    config = folder / "moxpy.toml"
    config.write_text(re.sub(r"(?m)^user = .*$", f'user = "{NOBODY}"', config.read_text()))
    directory.chmod(0o755)
    log = directory / "served.log"
    with log.open("wb") as output:
        command = [str(program), "--config", str(config), "serve"]
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)  # noqa: S603
    try:
        served.wait_ready("127.0.0.1", ports["smtp"], ports["imap"], process)
        with imaplib.IMAP4("127.0.0.1", ports["imap"], timeout=20) as imap:
            imap.login("mox@localhost", "moxmoxmox")
        with urllib.request.urlopen(f"http://localhost:{ports['metrics']}/healthz", timeout=20) as response:
            response.read()
    finally:
        served.stop(process)
    text = log.read_text()
    if f"uid={NOBODY}" not in text or "l=error" in text:
        sys.exit(f"it does not serve as another user:\n{text}")
    print("serves  as another user, too, when root starts it")


def as_sendmail(executable: Path, directory: Path, house: served.House) -> None:
    """Somebody who may not read the login sends by the service that may; a setgid copy ends before it does anything."""
    program = shutil.copy(executable, directory / "sendmail")
    directory.chmod(0o755)
    secret = directory / "secret"
    secret.mkdir(mode=0o700)
    (secret / "moxpysubmit.toml").write_text(
        f'host = "localhost"\nport = {house.submissions}\nfrom = "{house.user}"\nusername = "{house.user}"\n'
        f'password = "{house.password}"\ndefault_destination = "{house.user}"\ntls_insecure_skip_verify = true\n'
    )
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}

    def send(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603
            [program, *arguments, "root"],
            input=b"Subject: sendmail\n\nhi\n",
            capture_output=True,
            check=False,
            timeout=60,
            env={**os.environ, "HOME": "/nonexistent"},
            **user,
        )

    with inetd(
        directory / "socket", [str(executable), "sendmailserve"], directory / "log", CREDENTIALS_DIRECTORY=str(secret)
    ):
        done = send(f"-C{directory / 'socket'}")
    if done.returncode != 0:
        sys.exit(f"sendmail does not send: {done.stderr.decode()}{(directory / 'log').read_text()}")
    if user:
        os.chown(program, 0, 1)
        Path(program).chmod(0o2755)
        done = send(f"-C{directory / 'socket'}")
        if done.returncode == 0 or b"Security validation failure" not in done.stderr:
            sys.exit(f"a setgid copy is not turned away (see ARCHITECTURE.md): {done.stderr.decode()}")
    print("sends   as sendmail, with a login that its caller does not see")


def main(executable: Path) -> None:
    """Serve, deliver, read back, stop."""
    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory(prefix="moxpy-smoke-") as directory:
            as_somebody_else(executable, Path(directory))
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
        # Where the pages were built, they are in the executable: the page, and a script it names.
        for name in ("admin", "account") if (PAGES / "admin.html").is_file() else ():
            root = f"http://localhost:{house.http}/{name}/"
            with urllib.request.urlopen(root, timeout=20) as response:
                script = re.search(rb'src="\./(static/[^"]+\.js)"', response.read())
            if script is None:
                sys.exit(f"{root} is no page of ours")
            with urllib.request.urlopen(root + script[1].decode(), timeout=20) as response:  # noqa: S310
                if not response.headers["content-type"].startswith("text/javascript"):
                    sys.exit(f"{script[1].decode()} is no script")
        with tempfile.TemporaryDirectory(prefix="moxpy-smoke-") as other:
            as_sendmail(executable, Path(other), house)
        print(f"serves  ready after {house.ready_seconds * 1000:.0f} ms, a message in and out again, web pages")
        print(f"memory  {served.resident_octets(house.pid) >> 20} MiB, all processes")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

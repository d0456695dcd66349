"""Exim as the sending server: pipelining, STARTTLS, and BDAT wherever CHUNKING is offered (RFC 3030).

Debian's packages of Exim and Postfix exclude one another, so this one is unpacked into a folder and not installed. Exim
wants a user of its own name: it gets one in a mount namespace, where /etc/passwd is a copy with one line more. Needs root.
"""

import os
import re
import smtplib
import subprocess
import sys
from collections import Counter
from pathlib import Path

from interop import postfix
from interop.mailbox import HOST

SMTP, WORK = int(os.environ["SMTP"]), Path(os.environ["WORK"])
PACKAGES = ("exim4-daemon-light", "exim4-base")
MESSAGES = 200
USER_ID = 8
CONFIG = """
exim_user = {user}
exim_group = {user}
spool_directory = {base}/spool
log_file_path = {base}/log/%slog
log_selector = +smtp_confirmation +tls_cipher
primary_hostname = exim.example
qualify_domain = exim.example
local_interfaces = {host}
keep_environment =
never_users =
remote_max_parallel = 4
begin acl
begin routers
all:
  driver = manualroute
  route_list = * {host}
  self = send
  transport = peer
begin transports
peer:
  driver = smtp
  port = {port}
  hosts_try_chunking = *
  hosts_require_tls = *
begin retry
* * F,1h,1m
"""
#: Runs a program with the copies in the place of the system's files, seen by that program alone.
DISGUISED = 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && exec "$@"'


class Exim:
    """Its commands."""

    def __init__(self) -> None:
        for folder in ("spool", "log", "packages"):
            (WORK / folder).mkdir()
        unpack(WORK / "packages")
        for folder in ("spool", "log"):
            os.chown(WORK / folder, USER_ID, USER_ID)
        WORK.parent.chmod(0o755)
        WORK.chmod(0o755)
        (WORK / "exim.conf").write_text(CONFIG.format(base=WORK, host=HOST, port=SMTP, user="Debian-exim"))
        for name, line in (
            ("passwd", f"Debian-exim:x:{USER_ID}:{USER_ID}::/:/bin/false"),
            ("group", f"Debian-exim:x:{USER_ID}:"),
        ):
            (WORK / name).write_text(Path("/etc", name).read_text() + line + "\n")

    def run(self, *arguments: str, octets: bytes = b"") -> str:
        command = ["unshare", "--mount", "sh", "-c", DISGUISED, str(WORK), str(WORK / "packages/root/usr/sbin/exim4")]
        command += ["-C", str(WORK / "exim.conf"), *arguments]
        done = subprocess.run(command, input=octets, capture_output=True, check=False, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.decode()

    def sendmail(self, sender: str, recipients: list[str], octets: bytes) -> None:
        """Puts a message into the queue."""
        self.run("-odq", "-i", "-f", sender, "--", *recipients, octets=octets)


def unpack(folder: Path) -> None:
    """The packages' files below `folder`/root, and the libraries they need in the system."""

    def apt(*arguments: str) -> None:
        done = subprocess.run(["apt-get", "-qq", *arguments], cwd=folder, capture_output=True, check=False, timeout=200)
        assert done.returncode == 0, done.stderr.decode()

    try:
        apt("download", *PACKAGES)
    except AssertionError:
        apt("update")
        apt("download", *PACKAGES)
    for file in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(file), str(folder / "root")], check=True)
        if lacks_libraries(folder / "root/usr/sbin/exim4"):
            needs = subprocess.run(["dpkg-deb", "--field", str(file), "Depends"], capture_output=True, check=True)
            apt("install", "-y", "--no-install-recommends", *re.findall(r"(?:^|, )(lib[^ ,|]+)", needs.stdout.decode()))


def lacks_libraries(program: Path) -> bool:
    return program.exists() and b"not found" in subprocess.run(["ldd", program], capture_output=True, check=True).stdout


def main() -> int:
    if os.geteuid() != 0:
        raise RuntimeError("Exim needs root")
    before = set(postfix.arrived())
    exim = Exim()
    sent = postfix.by_sendmail(exim, MESSAGES)
    exim.run("-qf")
    log = (WORK / "log/mainlog").read_text(errors="replace")
    left = exim.run("-bpr")
    assert not left.strip(), left + log[-2000:]
    found = {identity: messages for identity, messages in postfix.arrived().items() if identity not in before}
    postfix.assert_once(found, sent)
    assert len(found) == MESSAGES, len(found)
    lines = [line for line in log.splitlines() if re.search(r" [=-]> ", line)]
    fates = Counter("delivered" if 'C="250 ' in line else line for line in lines)
    assert set(fates) == {"delivered"}, fates
    assert all(" X=TLS1.3" in line for line in lines), lines[:3]
    with smtplib.SMTP(HOST, SMTP, timeout=20) as smtp:
        smtp.ehlo()
        chunking = smtp.has_extn("chunking")
    assert all((" K " in line) == chunking for line in lines), lines[:3]
    print(f"{len(found)} messages by Exim, {len(lines)} recipients, {'BDAT' if chunking else 'DATA'}")
    return 0


sys.exit(main())

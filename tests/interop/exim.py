"""Debian's Exim, unpacked into a folder and not installed: its packages and those of Postfix exclude one another.

Exim wants a user of its own name: it gets one in a mount namespace, where /etc/passwd is a copy with one line more. Needs
root.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

PACKAGES = ("exim4-daemon-light", "exim4-base")
USER_ID = 8
#: Runs a program with the copies in the place of the system's files, seen by that program alone.
DISGUISED = 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && exec "$@"'


class Exim:
    """Its commands. Its spool, logs and packages lie in a folder of their own."""

    def __init__(self, work: Path, config: str) -> None:
        """`config` may name `{base}`, the folder, and `{user}`."""
        if os.geteuid() != 0:
            raise RuntimeError("Exim needs root")
        self.work = work
        for folder in ("spool", "log", "packages"):
            (self.work / folder).mkdir()
        unpack(self.work / "packages", PACKAGES, "usr/sbin/exim4")
        for folder in ("spool", "log"):
            os.chown(self.work / folder, USER_ID, USER_ID)
        self.work.parent.chmod(0o755)
        self.work.chmod(0o755)
        (self.work / "exim.conf").write_text(config.format(base=self.work, user="Debian-exim"))
        for name, line in (
            ("passwd", f"Debian-exim:x:{USER_ID}:{USER_ID}::/:/bin/false"),
            ("group", f"Debian-exim:x:{USER_ID}:"),
        ):
            (self.work / name).write_text(Path("/etc", name).read_text() + line + "\n")

    def command(self, *arguments: str) -> list[str]:
        program = self.work / "packages/root/usr/sbin/exim4"
        disguised = ["unshare", "--mount", "sh", "-c", DISGUISED, str(self.work), str(program)]
        return [*disguised, "-C", str(self.work / "exim.conf"), *arguments]

    def run(self, *arguments: str, octets: bytes = b"") -> str:
        done = subprocess.run(self.command(*arguments), input=octets, capture_output=True, check=False, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.decode()

    def sendmail(self, sender: str, recipients: list[str], octets: bytes) -> None:
        """Puts a message into the queue."""
        self.run("-odq", "-i", "-f", sender, "--", *recipients, octets=octets)


def unpack(folder: Path, packages: Sequence[str], program: str) -> None:
    """The packages' files below `folder`/root, and the libraries that the program needs in the system."""

    def apt(*arguments: str) -> None:
        done = subprocess.run(["apt-get", "-qq", *arguments], cwd=folder, capture_output=True, check=False, timeout=200)
        assert done.returncode == 0, done.stderr.decode()

    try:
        apt("download", *packages)
    except AssertionError:
        apt("update")
        apt("download", *packages)
    for file in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(file), str(folder / "root")], check=True)
        if lacks_libraries(folder / "root" / program):
            needs = subprocess.run(["dpkg-deb", "--field", str(file), "Depends"], capture_output=True, check=True)
            apt("install", "-y", "--no-install-recommends", *re.findall(r"(?:^|, )(lib[^ ,|]+)", needs.stdout.decode()))


def lacks_libraries(program: Path) -> bool:
    return program.exists() and b"not found" in subprocess.run(["ldd", program], capture_output=True, check=True).stdout

"""Machines of a small internet: namespaces of this one, with addresses, a file system and processes of their own.

Each has its own network (a bridge connects them, and nothing else), name, processes, and copies of the folders that
installing a mail server writes to: /etc, /home, /var/spool and others. Whatever is done there is gone when it ends.
Needs root.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

#: Folders that a machine has for itself; with what is in them here, and empty.
COPIED = ("/etc", "/var/spool/postfix", "/var/lib/postfix")
EMPTY = ("/home", "/var/mail", "/var/log")
PREFIX = 24
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "LANG": "C.UTF-8"}
SECONDS = 60
_BRIDGE = "bridge"


class Machine:
    """A running one; it ends, with all that runs on it, when `end` is called."""

    def __init__(self, folder: Path, name: str, *addresses: str) -> None:
        """`folder` keeps its files, at the same path there."""
        self.name, self.addresses, self.folder = name, addresses, folder
        folder.mkdir(mode=0o755)
        script = ["set -e", "mount --make-rprivate /"]
        for path in COPIED:
            place = folder / path.strip("/").replace("/", "-")
            if Path(path).exists():
                subprocess.run(["cp", "-a", path, place], check=True)
                script.append(f"mount --bind {place} {path}")
        for path in EMPTY:
            place = folder / path.strip("/").replace("/", "-")
            place.mkdir()
            place.chmod(0o755)
            script.append(f"mount --bind {place} {path}")
        script += ["ip link set lo up", f"hostname {name}", "echo ready", "exec sleep infinity"]
        (folder / "etc/hostname").write_text(f"{name}\n")
        (folder / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        resolv = folder / "etc/resolv.conf"
        resolv.unlink(missing_ok=True)
        resolv.write_text("nameserver 127.0.0.1\noptions edns0 trust-ad\n")
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
             "\n".join(script)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )  # fmt: skip
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", f"{name} does not begin"
        task = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self.pid = int(task.read_text().split()[0])

    def command(self, words: Sequence[str | Path], folder: str = "/", **environment: str) -> list[str]:
        """How to run something on it, from here."""
        inside = [f"{name}={value}" for name, value in (ENVIRONMENT | environment).items()]
        enter = ["nsenter", "-t", str(self.pid), "--net", "--mount", "--uts", "--pid", "--"]
        return [*enter, "env", "-i", "-C", folder, *inside, *map(str, words)]

    def run(self, *words: str | Path, folder: str = "/", given: str | None = None, fails: bool = False) -> str:
        """What a command there prints. It must succeed, or fail."""
        done = subprocess.run(
            self.command(words, folder), input=given or "", capture_output=True, text=True, timeout=SECONDS, check=False
        )
        text = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, f"{self.name}: {' '.join(map(str, words))}: {done.returncode}\n{text}"
        return text

    def start(self, *words: str | Path, log: str, folder: str = "/", **environment: str) -> "subprocess.Popen[Any]":
        """Run something until the machine ends, or it does."""
        output: IO[bytes]
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(
                self.command(words, folder, **environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def log(self, name: str) -> str:
        """What was written so far by what was started with that log."""
        return (self.folder / name).read_text(errors="replace")

    def until(self, log: str, text: str, *, seconds: float = 30, since: int = 0) -> None:
        """Return when a log has a text, beyond so many characters."""
        deadline = time.monotonic() + seconds
        while text not in self.log(log)[since:]:
            assert time.monotonic() < deadline, f"{self.name}: no {text!r} in\n{self.log(log)[since:][-6000:]}"
            time.sleep(0.1)

    def trust(self, pem: bytes) -> None:
        """Believe an authority, as the system's programs do."""
        with (self.folder / "etc/ssl/certs/ca-certificates.crt").open("ab") as bundle:
            bundle.write(pem)

    def end(self) -> None:
        self._holder.kill()
        self._holder.wait()


@contextlib.contextmanager
def connected(folder: Path, **machines: tuple[str, ...]) -> Iterator[list[Machine]]:
    """Machines until left: variable names to host name and addresses, in their order; the first has the bridge."""
    if os.geteuid() != 0:
        raise RuntimeError("namespaces need root")
    made: list[Machine] = []
    try:
        for label, (name, *addresses) in machines.items():
            made.append(Machine(folder / label, name, *addresses))
        first = made[0]
        first.run("ip", "link", "add", _BRIDGE, "type", "bridge")
        first.run("ip", "link", "set", _BRIDGE, "up")
        for address in first.addresses:
            first.run("ip", "address", "add", f"{address}/{PREFIX}", "dev", _BRIDGE)
        for number, one in enumerate(made[1:]):
            end = f"wire{number}"
            first.run("ip", "link", "add", end, "type", "veth", "peer", "name", f"far{number}")
            # Only here are both namespaces to be seen.
            enter = ["nsenter", "-t", str(first.pid), "--net", "--"]
            subprocess.run([*enter, "ip", "link", "set", f"far{number}", "netns", str(one.pid)], check=True)
            first.run("ip", "link", "set", end, "master", _BRIDGE, "up")
            one.run("ip", "link", "set", f"far{number}", "name", "eth0")
            for address in one.addresses:
                one.run("ip", "address", "add", f"{address}/{PREFIX}", "dev", "eth0")
            one.run("ip", "link", "set", "eth0", "up")
        yield made
    finally:
        for one in made:
            one.end()

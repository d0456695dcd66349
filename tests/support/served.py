"""A real `moxpy localserve` in a process of its own, on ports of its own, for tests that come by the front door."""

import contextlib
import itertools
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import SystemRandom

#: The ports localserve writes into a new configuration; each is replaced by one that is free.
USUAL_PORTS = {
    "smtp": 1025,
    "submission": 1587,
    "submissions": 1465,
    "imap": 1143,
    "imaps": 1993,
    "http": 1080,
    "https": 1443,
    "metrics": 1081,
    "inbox": 8025,
}
READY_SECONDS = 60
STOP_SECONDS = 15


@dataclass(frozen=True)
class House:
    """Where a running server is to be found, and as whom."""

    host: str
    smtp: int
    submission: int
    submissions: int
    imap: int
    imaps: int
    user: str
    password: str
    http: int = 0
    https: int = 0
    metrics: int = 0
    inbox: int = 0
    pid: int = 0
    #: From the start of the process until SMTP and IMAP greet.
    ready_seconds: float = 0.0
    log: Path | None = None
    extra: dict[str, str] = field(default_factory=dict)


#: Below those that a system gives to clients, and to who asks for any: nobody is given one of ours after it was chosen.
_PORTS = range(10_000, 32_000)
_WORKERS = 8


@cache
def _candidates() -> Iterator[int]:
    """Ports that no other worker of these tests takes, each in its turn."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    mine = _PORTS[worker::_WORKERS]
    begin = SystemRandom().randrange(len(mine))
    return itertools.cycle([*mine[begin:], *mine[:begin]])


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports nobody listens on now, and that are given out here once."""
    found: list[int] = []
    while len(found) < count:
        port = next(_candidates())
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            found.append(port)
    return found


def greets(host: str, port: int, start: bytes, timeout: float = 1.0) -> bool:
    """Whether a server there says hello, its first octets being `start`."""
    try:
        with socket.create_connection((host, port), timeout=timeout) as sock:
            sock.settimeout(timeout)
            return sock.recv(64).startswith(start)
    except OSError:
        return False


def wait_ready(host: str, smtp: int, imap: int, alive: "subprocess.Popen[bytes] | None" = None) -> None:
    """Returns when both doors greet. Raises RuntimeError when the process ends first, or time runs out."""
    deadline = time.monotonic() + READY_SECONDS
    for port, hello in ((smtp, b"220"), (imap, b"* OK")):
        while not greets(host, port, hello):
            if alive is not None and alive.poll() is not None:
                raise RuntimeError(f"the server ended with code {alive.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing greets on port {port} after {READY_SECONDS} s")
            time.sleep(0.01)


def prepare(moxpy: Path, directory: Path, host: str = "127.0.0.1") -> dict[str, int]:
    """A localserve directory at `directory` whose ports are free ones; returns them by service."""
    command = [str(moxpy), "localserve", "--dir", str(directory), "--ip", host, "--initonly"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr.decode(errors='replace')}")
    config = directory / "moxpy.toml"
    text = config.read_text()
    usual = [*USUAL_PORTS.values()]
    chosen = dict(zip(usual, free_ports(len(usual), host), strict=True))
    for name, port in USUAL_PORTS.items():
        if not re.search(rf"\b{port}\b", text):
            raise RuntimeError(f"{config} names no port {port} for {name}")
    config.write_text(re.sub(r"\b(" + "|".join(map(str, usual)) + r")\b", lambda m: str(chosen[int(m[1])]), text))
    return {name: chosen[port] for name, port in USUAL_PORTS.items()}


@contextlib.contextmanager
def running(
    moxpy: Path, directory: Path, host: str = "127.0.0.1", *, fill: Callable[[Path], None] | None = None
) -> Iterator[House]:
    """Serves from `directory`, made when it is not there, until left; `fill` puts something there before that. Its log is `directory`.log, and its ports stand in
    `directory`.ports for the next start."""
    ports_file = directory.parent / f"{directory.name}.ports"
    if (directory / "moxpy.toml").exists():
        ports = {name: int(port) for name, port in (line.split() for line in ports_file.read_text().splitlines())}
    else:
        ports = prepare(moxpy, directory, host)
        ports_file.write_text("".join(f"{name} {port}\n" for name, port in ports.items()))
    if fill is not None:
        fill(directory)
    log = directory.parent / f"{directory.name}.log"
    with log.open("ab") as output:
        start = time.monotonic()
        process = subprocess.Popen(
            [str(moxpy), "localserve", "--dir", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        try:
            wait_ready(host, ports["smtp"], ports["imap"], process)
        except RuntimeError as error:
            raise RuntimeError(f"{error}; the end of its log:\n{log.read_text(errors='replace')[-4000:]}") from None
        ready = time.monotonic() - start
        user, password = os.environ.get("MAIL_USER", "mox@localhost"), os.environ.get("MAIL_PASSWORD", "moxmoxmox")
        yield House(host, **ports, user=user, password=password, pid=process.pid, ready_seconds=ready, log=log)
    finally:
        stop(process)


def wait_control(folder: Path, seconds: float = 30) -> None:
    """The control socket opens after the ports. Raises RuntimeError."""
    deadline = time.monotonic() + seconds
    while True:
        with socket.socket(socket.AF_UNIX) as sock:
            if sock.connect_ex(str(folder / "ctl")) == 0:
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"no control socket in {folder}")
        time.sleep(0.01)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Asks the process to end, and ends its whole group when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children so far, user and system."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    total = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    return total + sum(map(cpu_seconds, _children(pid)))


def resident_octets(pid: int, *, own: bool = False) -> int:
    """Resident memory of a process and its children (a one-file executable is a parent and a child).

    `own`: without what is mapped of files, such as the store's, which the system gives to others when they need it.
    """
    total = 0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:" if own else "VmRSS:"):
            total += int(line.split()[1]) * 1024
    return total + sum(resident_octets(child, own=own) for child in _children(pid))


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]

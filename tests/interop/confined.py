"""Runs what a unit of systemd runs, confined as the unit says, where no systemd runs: without it, by the kernel's means.

Arguments: the unit's file. Kept are: the capabilities, no new privileges, the file system read-only but for the named
folders and a /tmp of its own, the filter of system calls, no memory that is written and run, address families, umask,
limit of open files, and news to systemd, which are printed. x86-64 alone.
"""

import ctypes
import os
import re
import resource
import shlex
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _SET_SECCOMP, _CAPBSET_DROP, _NO_NEW_PRIVS, _SET_MDWE = 0x20000, 22, 24, 38, 65
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
_CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()
# Classic BPF (linux/filter.h, linux/seccomp.h, linux/audit.h).
_LOAD, _EQUAL, _SET, _RETURN, _AND = 0x20, 0x15, 0x45, 0x06, 0x54
_ALLOW, _DENY, _X86_64 = 0x7FFF0000, 0x00050001, 0xC000003E
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_PROT_WRITE, _PROT_EXEC = 2, 4


def directives(unit: str) -> dict[str, str]:
    """The keys of a unit, with lines joined that go on."""
    lines = unit.replace("\\\n", " ").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {key: value for key, _, value in pairs}


def call_numbers() -> dict[str, int]:
    """System calls by name, from the kernel's header."""
    text = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text()
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", text)}


def allowed_calls(group: str) -> set[str]:
    """What systemd means by a group of calls; groups hold others."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
    names: set[str] = set()
    for line in text.stdout.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            names |= allowed_calls(word)
        elif word and not word.startswith("#"):
            names.add(word)
    return names


def _op(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("HBBI", code, true, false, value)


def program(keys: dict[str, str]) -> bytes:
    """The filter, for all threads and children. What it denies fails with EPERM, as the unit may ask, too."""
    numbers = call_numbers()
    ops = [_op(_LOAD, _ARCH), _op(_EQUAL, _X86_64, 1, 0), _op(_RETURN, _DENY), _op(_LOAD, _NUMBER)]
    if keys.get("MemoryDenyWriteExecute") == "yes":
        # As systemd does it (seccomp_memory_deny_write_execute): memory is mapped to be run, or made so never.
        ops += [_op(_EQUAL, numbers["mmap"], 0, 5), _op(_LOAD, _ARGUMENTS + 2 * 8), _op(_AND, _PROT_WRITE | _PROT_EXEC)]
        ops += [_op(_EQUAL, _PROT_WRITE | _PROT_EXEC, 0, 1), _op(_RETURN, _DENY), _op(_LOAD, _NUMBER)]
        for name in ("mprotect", "pkey_mprotect"):
            ops += [_op(_EQUAL, numbers[name], 0, 4), _op(_LOAD, _ARGUMENTS + 2 * 8), _op(_SET, _PROT_EXEC, 0, 1)]
            ops += [_op(_RETURN, _DENY), _op(_LOAD, _NUMBER)]
    if families := keys.get("RestrictAddressFamilies", "").split():
        ops += [_op(_EQUAL, numbers["socket"], 0, 2 * len(families) + 2), _op(_LOAD, _ARGUMENTS)]
        for family in families:
            ops += [_op(_EQUAL, _FAMILIES[family], 0, 1), _op(_RETURN, _ALLOW)]
        ops += [_op(_RETURN, _DENY)]
    for name in sorted(allowed_calls(keys["SystemCallFilter"])):
        if name in numbers:
            ops += [_op(_EQUAL, numbers[name], 0, 1), _op(_RETURN, _ALLOW)]
    ops.append(_op(_RETURN, _DENY))
    return b"".join(ops)


def _prctl(*numbers: int) -> None:
    if _LIBC.prctl(*numbers, *[0] * (5 - len(numbers))):
        raise OSError(ctypes.get_errno(), f"prctl {numbers}")


def _mounts(keys: dict[str, str]) -> None:
    if _LIBC.unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    mount = ["mount", "--make-rprivate", "/"]
    subprocess.run(mount, check=True)
    if keys.get("PrivateTmp") == "yes":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp"], check=True)
    if keys.get("ProtectSystem") == "strict":
        writable = [keys["ReadWritePaths"], "/tmp", "/dev", "/proc", "/sys"]
        for path in (keys["ReadWritePaths"],):
            subprocess.run(["mount", "--bind", path, path], check=True)
        places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for place in places:
            if not any(place == one or place.startswith(f"{one}/") for one in writable):
                # Some are covered by others, and not to be found.
                subprocess.run(["mount", "-o", "remount,bind,ro", place], check=False, capture_output=True)


def confine(keys: dict[str, str], filter_: bytes) -> None:
    """All of it, for this process and those to come."""
    _mounts(keys)
    os.umask(int(keys["UMask"], 8))
    # Whoever tests may be allowed less than systemd.
    limit = min(int(keys["LimitNOFILE"]), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    kept = {name.removeprefix("CAP_") for name in keys["CapabilityBoundingSet"].split()}
    for number, name in enumerate(_CAPABILITIES):
        if name not in kept:
            _prctl(_CAPBSET_DROP, number)
    os.chdir(keys["WorkingDirectory"])
    _prctl(_NO_NEW_PRIVS, 1)
    if keys.get("MemoryDenyWriteExecute") == "yes":
        _prctl(_SET_MDWE, 1)
    octets = ctypes.create_string_buffer(filter_, len(filter_))
    header = struct.pack("HxxxxxxP", len(filter_) // 8, ctypes.addressof(octets))
    if _LIBC.prctl(_SET_SECCOMP, 2, ctypes.c_char_p(header), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def main() -> int:
    keys = directives(Path(sys.argv[1]).read_text())
    filter_ = program(keys)
    place = "/run/moxpy-notify"
    Path(place).unlink(missing_ok=True)
    news = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    news.bind(place)
    Path(place).chmod(0o777)  # As systemd's is.
    child = os.fork()
    if child == 0:
        confine(keys, filter_)
        words = shlex.split(keys["ExecStart"])
        os.execve(words[0], words, dict(os.environ) | {"NOTIFY_SOCKET": place})
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(_waker(news, place))
    while True:
        octets = news.recv(4096)
        if octets and octets[0] >= ord(" "):  # Not the number of a signal.
            print(f"systemd hears: {octets.decode()!r}", flush=True)
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            print(f"ended with {os.waitstatus_to_exitcode(status)}", flush=True)
            return os.waitstatus_to_exitcode(status)


def _waker(news: socket.socket, place: str) -> int:
    """Where the end of a child sends an octet."""
    waker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    waker.connect(place)
    waker.setblocking(False)
    return waker.detach()


if __name__ == "__main__":
    sys.exit(main())

"""The unit files with which systemd runs the server, and submits for programs; shut into what they need."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: Of all our services: what they may not do.
_CONFINED: Final = """\
PrivateDevices=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectKernelTunables=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
NoNewPrivileges=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
# No MemoryDenyWriteExecute: the callbacks of TLS are functions made at run time (cffi), and nothing starts with it.
SystemCallArchitectures=native
SystemCallFilter=@system-service"""
_UNIT: Final = """\
# moxpy, a mail server. Written by moxpy quickstart; print another with: moxpy config printservice
[Unit]
Description=moxpy mail server
After=network-online.target
Wants=network-online.target

[Service]
# Root binds the ports and is given up before anybody is served.
Type={kind}
# The one-file executable runs the server as a child.
NotifyAccess=all
WorkingDirectory={plain_directory}
ExecStart={program} serve
ExecStop={program} stop
Restart=always
RestartSec=5s
SyslogFacility=mail
UMask=007
LimitNOFILE=65535

# What it may not do.
{confined}
# One folder, since a backup links files and cannot do so between mounts.
ReadWritePaths={directory}
RemoveIPC=yes
# No RestrictSUIDSGID: folders give their group to what is made in them.
DevicePolicy=closed
AmbientCapabilities=
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_NET_BIND_SERVICE CAP_CHOWN CAP_FSETID CAP_DAC_OVERRIDE \\
 CAP_DAC_READ_SEARCH CAP_FOWNER CAP_KILL

[Install]
WantedBy=multi-user.target
"""

SUBMISSION_SOCKET: Final = "moxpysubmit.socket"
_SUBMISSION_SOCKET: Final = """\
# Takes messages of all users of this machine, for moxpy sendmail. Written by moxpy config sendmailservice.
[Unit]
Description=Mail of programs on this machine

[Socket]
ListenStream={socket}
SocketMode=0666
Accept=yes
MaxConnections=32

[Install]
WantedBy=sockets.target
"""
_SUBMISSION: Final = """\
# Submits one message, with a login that its sender does not see. Written by moxpy config sendmailservice.
[Unit]
Description=Mail of a program on this machine
CollectMode=inactive-or-failed

[Service]
ExecStart={program} sendmailserve
StandardInput=socket
StandardOutput=journal
StandardError=journal
RuntimeMaxSec=300
SyslogFacility=mail
# Root's files are given to a user who exists while it runs.
DynamicUser=yes
{credentials}

# What it may not do.
{confined}
ProtectHome=yes
CapabilityBoundingSet=
"""


def unit(directory: Path, program: Path, *, notifies: bool) -> str:
    """The unit for an installation in a folder. `notifies`: the server tells systemd when it is ready."""
    return _UNIT.format(
        kind="notify" if notifies else "simple",
        plain_directory=_without_specifiers(directory),
        directory=_word(directory),
        program=_word(program),
        confined=_CONFINED,
    )


def submission_units(program: Path, socket: Path, files: Mapping[str, Path]) -> dict[str, str]:
    """The units that submit what comes by a socket, by name. `files` are root's, by the names they are given as."""
    credentials = "\n".join(f"LoadCredential={name}:{_without_specifiers(path)}" for name, path in files.items())
    return {
        SUBMISSION_SOCKET: _SUBMISSION_SOCKET.format(socket=_without_specifiers(socket)),
        "moxpysubmit@.service": _SUBMISSION.format(program=_word(program), credentials=credentials, confined=_CONFINED),
    }


def _without_specifiers(path: Path) -> str:
    """A path as unit files take it that is the whole value: percent signs are specifiers there (systemd.unit(5))."""
    return str(path).replace("%", "%%")


def _word(path: Path) -> str:
    """A path as one word of several: escaped as in C (systemd.syntax(7))."""
    text = str(path).replace("\\", "\\\\")
    for sign in " \t\"'":
        text = text.replace(sign, f"\\x{ord(sign):02x}")
    return text.replace("%", "%%")


def program(directory: Path) -> Path:
    """The program that this process is, or the command `moxpy` where it runs from source."""
    here = Path(sys.argv[0]).resolve()
    if getattr(sys, "frozen", False):
        here = Path(sys.executable).resolve()
    elif here.name != "moxpy":
        found = shutil.which("moxpy")
        here = Path(found).resolve() if found else directory / "moxpy"
    return here

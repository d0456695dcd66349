"""Command `config sendmailservice`: what lets everybody on a machine send mail without reading the login for it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from appliance.cli import submitsocket
from appliance.cli.main import OK, Failed, Invocation
from appliance.config import submitting
from appliance.config.errors import ConfigErrors
from appliance.operations import service

_UNITS: Final = Path("/etc/systemd/system")
_LINK: Final = Path("/usr/sbin/sendmail")
_HIDDEN: Final = ("/root", "/home", "/run/user", "/tmp", "/var/tmp")  # noqa: S108


def show(invocation: Invocation) -> int:
    """Print the units, or install them (L: config sendmailservice)."""
    program = service.program(Path.cwd())
    try:
        file = submitting.load(submitting.PATH)
        key = file.client_auth_cert_private_key_pem_file or ""
    except ConfigErrors as errors:
        if invocation.given("install"):
            raise Failed(f"the configuration has errors\n{errors}") from errors
        key = ""
    files = {submitting.PATH.name: submitting.PATH, **({Path(key).name: Path(key)} if key else {})}
    units = service.submission_units(program, submitsocket.PATH, files)
    if not invocation.given("install"):
        for name, text in units.items():
            print(f"# {_UNITS / name}\n{text}")
        return OK
    if os.geteuid() != 0:
        raise Failed("only root can install a service")
    if program.name == "sendmail":
        raise Failed(f"{program} does nothing but send by this name: call it moxpy, and sendmail a link to it")
    if any(program.is_relative_to(folder) for folder in _HIDDEN):
        raise Failed(f"services do not see {program}: put the program into /usr/local/bin first")
    _install(units, files, program)
    return OK


def _install(units: dict[str, str], files: dict[str, Path], program: Path) -> None:
    """Raises Failed."""
    try:
        for path in files.values():
            os.chown(path, 0, 0)
            os.chmod(path, 0o600)
            print(f"{path}: only root may read it now")
        for name, text in units.items():
            (_UNITS / name).write_text(text)
            print(f"{_UNITS / name}: written")
        for arguments in (["daemon-reload"], ["enable", "--now", service.SUBMISSION_SOCKET]):
            subprocess.run(["systemctl", *arguments], check=True)  # noqa: S603, S607
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        raise Failed(f"systemctl failed, with code {error.returncode}") from error
    print(f"{service.SUBMISSION_SOCKET}: listens on {submitsocket.PATH}")
    if _LINK.exists() or _LINK.is_symlink():
        print(f"{_LINK}: is there already, and stays as it is", file=sys.stderr)
    else:
        _LINK.symlink_to(program)
        print(f"{_LINK}: leads to {program}")

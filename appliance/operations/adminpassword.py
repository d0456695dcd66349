"""The administrator's password: its hash is a file beside the configuration, read at each login."""

import os
from pathlib import Path
from typing import Final

import trio

from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.config.files import FileIdentity, replace_file
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.operations import login, passwords, secondfactor
from appliance.operations.login import Attempt
from appliance.operations.passkeys import Answer
from appliance.operations.secondfactor import Proof
from appliance.operations.websessions import password_file
from appliance.store.tables import NOBODY

log = Log("auth")

_FILE_OCTETS: Final = 4096


class NoAdminPassword(Problem):
    """The configuration names no file for it, or the file cannot be read."""

    kind, status = Kind.UNAVAILABLE, Status(5, 7, 0)


async def log_in(app: Appliance, attempt: Attempt, password: str, proof: Proof) -> FileIdentity:
    """A login of the administrator; by which file. Raises LoginFailed, NoAdminPassword."""
    file, text = await _password(app)

    async def confirm() -> None:
        await secondfactor.require(app, NOBODY, proof)

    await login.admin_by_password(app, attempt, text or None, password, confirm)
    return file


async def log_in_by_passkey(app: Appliance, attempt: Attempt, answer: Answer) -> FileIdentity:
    """A login of the administrator by a passkey alone; which file the password is in, whose change ends the session.

    Raises LoginFailed, NoAdminPassword.
    """
    file, _ = await _password(app)
    await login.admin_by_passkey(app, attempt, lambda: secondfactor.require_verified(app, NOBODY, answer))
    return file


async def _password(app: Appliance) -> tuple[FileIdentity, str]:
    """The file, and the hash in it. Raises NoAdminPassword."""
    path = password_file(app.config.snapshot())
    if path is None:
        raise NoAdminPassword("there is no admin password: set admin_password_file, then moxpy setadminpassword")
    try:
        file, text = await trio.to_thread.run_sync(_read, path)
    except (OSError, UnicodeDecodeError) as error:
        log.error("the file of the admin password cannot be read", error, file=str(path))
        raise NoAdminPassword("the admin password cannot be read; the server's log says why") from error
    return file, text


def _read(path: Path) -> tuple[FileIdentity, str]:
    with path.open("rb") as file:
        return FileIdentity.of(os.fstat(file.fileno())), file.read(_FILE_OCTETS).decode("ascii").strip()


def set_password(path: Path, password: str) -> None:
    """Set it; sessions that were opened with another end. Slow. Raises BadPassword, OSError."""
    octets = passwords.hash_password(password).encode() + b"\n"
    try:
        identity = FileIdentity.of(path.stat())
    except FileNotFoundError:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.close(descriptor)
        identity = FileIdentity.of(path.stat())
    replace_file(path, octets, expected=identity)

"""The active configuration: a snapshot for whoever asks, reload when the file changes, changes written back.

One lock serialises changes (C-94). Readers take `snapshot()`, which never waits. Everything here may block on the
disk: call it in a thread, all but `snapshot`.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from appliance.config.errors import ChangeRefused, ConfigErrors
from appliance.config.load import Config, ConfigText, FileIdentity, load, load_domains, read_config_text

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

__all__ = ["Config", "ConfigSource"]

log = logging.getLogger("moxpy.config")

#: The file is looked at so often at most (C-90).
POLL_SECONDS: Final = 1.0
#: A file that cannot be used is complained about again after so long.
COMPLAIN_SECONDS: Final = 600.0


class ConfigSource:
    """Holds the active configuration of an appliance."""

    def __init__(self, path: Path, config: Config | None = None, *, check_files: bool = True) -> None:
        """Load. Raises ConfigErrors."""
        self._config = config or load(path, check_files=check_files)
        self._domains_path = self._config.domains_file
        self._lock = threading.Lock()
        self._identity: FileIdentity | None = self._config.domains_identity
        #: Rises with every activation.
        self.version = 1
        self._failed: FileIdentity | None = None
        self._complained = 0.0
        self._polled = 0.0

    def snapshot(self) -> Config:
        """The active configuration."""
        return self._config

    def poll(self) -> bool:
        """Reload if the file changed; tells whether there is a new configuration. At most once a second."""
        now = time.monotonic()
        if now - self._polled < POLL_SECONDS:
            return False
        self._polled = now
        with self._lock:
            return self._reload()

    def reload(self) -> None:
        """Load the file now. Raises ConfigErrors, and then the old configuration stays."""
        with self._lock:
            self._activate(self._load())

    def _reload(self) -> bool:
        identity = _identity(self._domains_path)
        if identity == self._identity:
            return False
        now = time.monotonic()
        if identity == self._failed and now - self._complained < COMPLAIN_SECONDS:
            return False
        try:
            config = self._load()
        except ConfigErrors as errors:
            self._failed, self._complained = identity, now
            for problem in errors.problems:
                log.error("configuration not reloaded", extra={"fields": {"problem": str(problem)}})
            return False
        self._activate(config)
        log.info("configuration reloaded", extra={"fields": {"file": str(self._domains_path)}})
        return True

    def _load(self) -> Config:
        return load_domains(self._config, read_config_text(self._domains_path))

    def _activate(self, config: Config) -> None:
        self._config, self._identity, self._failed = config, config.domains_identity, None
        self.version += 1

    def change(self, edit: "Callable[[TOMLDocument], Any]") -> Config:
        """Edit `domains.toml`, judge it as a whole, write it, activate it (C-94 to C-97); comments stay.

        Raises ConfigErrors when the result is not valid, and ChangeRefused when the file on disk was edited and
        cannot be loaded; then nothing has changed.
        """
        import tomlkit

        with self._lock:
            if _identity(self._domains_path) != self._identity:
                try:
                    self._activate(self._load())
                except ConfigErrors as errors:
                    raise ChangeRefused(
                        f"{self._domains_path} was edited and has errors; mend it first: {errors}"
                    ) from errors
            document = tomlkit.parse(self._domains_path.read_text(encoding="utf-8"))
            edit(document)
            text = tomlkit.dumps(document)
            load_domains(self._config, ConfigText(self._domains_path, text, self._config.domains_identity))
            if _identity(self._domains_path) != self._identity:
                raise ChangeRefused(f"{self._domains_path} is being edited; try again")
            write_atomically(self._domains_path, text.encode("utf-8"))
            self._activate(self._load())
            return self._config


def _identity(path: Path) -> FileIdentity | None:
    try:
        return FileIdentity.of(path.stat())
    except OSError:
        return None


def write_atomically(path: Path, octets: bytes) -> None:
    """Replace a file so that a crash leaves the old or the new one (C-95); mode and owner stay."""
    temporary = path.with_name(path.name + ".tmp")
    old = path.stat()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, old.st_mode & 0o777)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fchmod(file.fileno(), old.st_mode & 0o777)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

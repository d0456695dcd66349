"""The active configuration: a snapshot for whoever asks, reload when the file changes, changes written back.

One lock serialises changes. Readers take `snapshot()`, which never waits. Everything else here may block on the
disk: call it in a thread.
"""

import logging
import threading
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance.base.metrics import Gauge
from appliance.config.errors import ChangeRefused, ConfigErrors
from appliance.config.files import FileChanged, FileIdentity, replace_file
from appliance.config.load import Config, ConfigText, load, load_domains, read_config_text
from appliance.config.validate_domains import validate_monitor_change, validate_reports_change

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

__all__ = ["Config", "ConfigSource"]

log = logging.getLogger("moxpy.config")
reloaded = Gauge("config_reload_success", "Whether domains.toml as it is now is what the server goes by: 1 or 0.")
reloaded.labels().set(1)

#: The file is looked at this often at most.
POLL_SECONDS: Final = 1.0
#: A file that could not be used is tried again, unchanged, after this; a key it names may have come since.
RETRY_SECONDS: Final = 30.0
#: And is complained about again after this.
COMPLAIN_SECONDS: Final = 600.0
#: How often a change starts over because somebody edits the file at the same time.
CHANGE_ATTEMPTS: Final = 5


class ConfigSource:
    """Holds the active configuration of an appliance."""

    def __init__(
        self,
        path: Path,
        config: Config | None = None,
        *,
        check_files: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with a configuration loaded from `path`, or load it. Raises ConfigErrors."""
        self._config = config or load(path, check_files=check_files)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: Rises with every activation.
        self.version = 1
        self._polled = monotonic()
        self._failed: FileIdentity | None = None
        self._tried = self._complained = 0.0

    def snapshot(self) -> Config:
        """The active configuration; never waits."""
        return self._config

    def poll(self) -> bool:
        """Reload if the file changed; tells whether there is a new configuration. Looks once a second at most.

        A file that cannot be used is logged, and the old configuration stays. While a change is being made
        there is nothing to do: it looks at the file itself.
        """
        now = self._monotonic()
        if now - self._polled < POLL_SECONDS or not self._lock.acquire(blocking=False):
            return False
        try:
            self._polled = now
            return self._reload_changed(now)
        finally:
            self._lock.release()

    def reload(self) -> None:
        """Load the file now. Raises ConfigErrors, and then the old configuration stays."""
        with self._lock:
            self._activate(load_domains(self._config, read_config_text(self._config.domains_file)))

    def _reload_changed(self, now: float) -> bool:
        file = self._config.domains_file
        identity = FileIdentity.at(file)
        if identity == self._config.domains_identity:
            return False
        is_known = identity is not None and identity == self._failed
        if is_known and now - self._tried < RETRY_SECONDS:
            return False
        self._tried = now
        try:
            config = load_domains(self._config, read_config_text(file))
        except ConfigErrors as errors:
            if not is_known or now - self._complained >= COMPLAIN_SECONDS:
                self._complained = now
                for problem in errors.problems:
                    log.error("configuration not reloaded", extra={"fields": {"problem": str(problem)}})
            self._failed = identity
            reloaded.labels().set(0)
            return False
        self._activate(config)
        log.info("configuration reloaded", extra={"fields": {"file": str(file)}})
        return True

    def _activate(self, config: Config) -> None:
        for warning in config.warnings:
            if warning not in self._config.warnings:
                log.warning("doubtful configuration", extra={"fields": {"problem": str(warning)}})
        self._config, self._failed = config, None
        reloaded.labels().set(1)
        self.version += 1

    def change(self, edit: "Callable[[TOMLDocument], object]") -> Config:
        """Edit `domains.toml`, judge it as a whole, write it, activate it; comments stay. Returns what is active.

        `edit` is called again on the new text when somebody else changed the file meanwhile; what it raises comes
        out, and nothing has changed. Raises ConfigErrors when the result is not valid, ChangeRefused when the file
        on disk was edited and cannot be loaded (it is left alone), OSError when it cannot be written.
        """
        with self._lock:
            for _ in range(CHANGE_ATTEMPTS):
                current = self._pick_up()
                text = _edited(current.text, edit)
                if text == current.text:
                    return self._config
                candidate = ConfigText(current.file, text, current.identity)
                changed = self._judge(candidate)
                try:
                    identity = replace_file(current.file, text.encode("utf-8"), expected=current.identity)
                except FileChanged:
                    continue
                self._activate(replace(changed, domains_identity=identity))
                return self._config
        raise ChangeRefused(f"{self._config.domains_file} is being edited by others; try again")

    def _pick_up(self) -> ConfigText:
        """The text on disk, activated first if it is not what is active."""
        try:
            current = read_config_text(self._config.domains_file)
            if current.identity != self._config.domains_identity:
                self._activate(load_domains(self._config, current))
        except ConfigErrors as errors:
            file = self._config.domains_file
            raise ChangeRefused(f"{file} was edited and has errors, mend it first: {errors}") from errors
        return current

    def _judge(self, candidate: ConfigText) -> Config:
        """The configuration of a changed text. Raises ConfigErrors; rules for changes are stricter than for files."""
        active = self._config
        changed = load_domains(active, candidate)
        validate_reports_change(active.domains, changed.domains, candidate.report)
        validate_monitor_change(active.static, active.domains, changed.domains, candidate.report)
        if problems := candidate.problems():
            raise ConfigErrors(problems)
        return changed


def _edited(text: str, edit: "Callable[[TOMLDocument], object]") -> str:
    """The text after an edit. Raises ChangeRefused when the editor's text does not say what the editor means."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ChangeRefused(f"the file cannot be edited: {error}") from error
    edit(document)
    result = tomlkit.dumps(document)
    # Keeping comments takes an intricate library: what it writes is checked by the plain one before it is used.
    try:
        is_meant = tomllib.loads(result) == document.unwrap()
    except tomllib.TOMLDecodeError:
        is_meant = False
    if not is_meant:
        raise ChangeRefused("the file cannot be edited in its present layout; please edit it by hand")
    return result

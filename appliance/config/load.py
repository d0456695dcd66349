"""Both config files, read and judged: one frozen `Config`, or all that is wrong with them at once (C-3).

The static file is read once; `domains.toml` beside it whenever it changes (source).
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from appliance.config import keyfiles, lines, schema
from appliance.config.addresses import AddressIndex, index_addresses
from appliance.config.domains import Domains
from appliance.config.errors import ConfigErrors, ConfigProblem, Remark, Report, dotted
from appliance.config.static import Static
from appliance.config.validate_domains import validate_domains, validate_references
from appliance.config.validate_static import RunAs, find_system_user, run_as, validate_static

DOMAINS_FILE = "domains.toml"

T = TypeVar("T", Static, Domains)

#: tomllib tells the place at the end of its message.
_PLACE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


@dataclass(frozen=True, slots=True)
class Derived:
    """What follows from both files, made at each load (C-80)."""

    addresses: AddressIndex
    #: User to run as; None when it is neither a user nor a number.
    run_as: RunAs | None
    #: PEM of the DKIM keys by (domain, selector); empty when files were not read.
    dkim_keys: dict[tuple[str, str], bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration as of one load. Immutable: whoever holds it sees no mix of old and new."""

    static: Static
    domains: Domains
    derived: Derived
    #: Of the config files; relative names in them are relative to it (C-2).
    directory: Path
    warnings: tuple[ConfigProblem, ...] = ()

    @property
    def data_directory(self) -> Path:
        """Root of all stored state."""
        return (self.directory / self.static.data_dir).resolve()


@dataclass(slots=True)
class _File:
    """One file on its way to a table."""

    path: Path
    report: Report = field(default_factory=Report)
    text: str = ""
    problems: list[ConfigProblem] = field(default_factory=list)

    def read(self, missing_hint: str) -> dict[str, object] | None:
        try:
            self.text = self.path.read_bytes().decode("utf-8")
            return tomllib.loads(self.text)
        except FileNotFoundError:
            self.problems.append(ConfigProblem(self.path, None, "", "file does not exist", missing_hint))
        except OSError as error:
            self.problems.append(ConfigProblem(self.path, None, "", f"cannot be read: {error.strerror}"))
        except UnicodeDecodeError:
            self.problems.append(ConfigProblem(self.path, None, "", "is not UTF-8"))
        except tomllib.TOMLDecodeError as error:
            place = _PLACE.search(str(error))
            line = int(place[1]) if place and place[1] else self.text.count("\n") + 1
            message = _PLACE.sub("", str(error)).strip()
            self.problems.append(ConfigProblem(self.path, line, "", f"is not TOML: {message}"))
        return None

    def finish(self) -> list[ConfigProblem]:
        """Problems that make the file unusable, each with its line."""
        self.problems += self._located(self.report.errors)
        return self.problems

    def warnings(self) -> list[ConfigProblem]:
        return self._located(self.report.warnings)

    def _located(self, remarks: list[Remark]) -> list[ConfigProblem]:
        if not remarks:
            return []
        places = lines.lines_of(self.text)
        located = [
            ConfigProblem(self.path, lines.line_of(places, one.path), dotted(one.path), one.message, one.hint)
            for one in remarks
        ]
        return sorted(located, key=lambda problem: problem.line or 0)


def load(
    path: Path,
    *,
    check_files: bool = True,
    missing_hint: str = "",
    find_user: Callable[[str], RunAs | None] = find_system_user,
) -> Config:
    """Read and judge both files. Raises ConfigErrors with everything that is wrong.

    Without `check_files` the files they point to are not looked at: for programs that only need to know where the
    data lies. `missing_hint`: what to do when there is no static file.
    """
    file = _File(path)
    raw = file.read(missing_hint)
    if raw is None:
        raise ConfigErrors(file.finish())
    static = schema.read_table(Static, raw, (), file.report)
    validate_static(static, file.report, find_user=find_user)
    if check_files:
        keyfiles.check_static_files(static, path.parent, file.report)
    return load_domains(path, static, check_files=check_files, find_user=find_user, static_file=file)


def load_domains(
    path: Path,
    static: Static,
    *,
    check_files: bool = True,
    find_user: Callable[[str], RunAs | None] = find_system_user,
    static_file: _File | None = None,
    text: str | None = None,
) -> Config:
    """Read and judge `domains.toml` beside the static file at `path`, or `text` in its place.

    Raises ConfigErrors.
    """
    first = static_file or _File(path)
    file = _File(path.parent / DOMAINS_FILE)
    raw = tomllib.loads(text) if text is not None else file.read("it belongs beside the static file")
    if text is not None:
        file.text = text
    problems: list[ConfigProblem] = []
    index, keys = AddressIndex(), {}
    domains = None
    if raw is not None:
        domains = schema.read_table(Domains, raw, (), file.report)
        validate_references(static, domains, first.report)
        index = index_addresses(static, domains, file.report)
        validate_domains(static, domains, index, file.report)
        if check_files:
            keys = keyfiles.check_dkim_files(domains, path.parent, file.report)
    problems += first.finish() + file.finish()
    if problems or domains is None:
        raise ConfigErrors(problems)
    return Config(
        static=static,
        domains=domains,
        derived=Derived(index, run_as(static.user, find_user), keys),
        directory=path.parent.resolve(),
        warnings=(*first.warnings(), *file.warnings()),
    )

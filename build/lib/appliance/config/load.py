"""Reading the two config files: all that is wrong reported together, or one frozen Config.

tomllib reads, `schema` checks shapes, the `validate_` modules check rules. Keeping a Config current and changing the
dynamic file is `source`'s business.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from appliance.config.addresses import Lookup, index_addresses
from appliance.config.derive import Derived, derive
from appliance.config.domains import Domains
from appliance.config.errors import ConfigErrors, ConfigProblem, Remark, Report, dotted
from appliance.config.files import FileIdentity
from appliance.config.keyfiles import check_dkim_files, check_static_files
from appliance.config.lines import line_of, lines_of
from appliance.config.schema import read_table
from appliance.config.static import Static
from appliance.config.validate_domains import validate_domains, validate_references
from appliance.config.validate_static import (
    FindUser,
    RunAs,
    find_system_user,
    run_as,
    validate_static,
)
from appliance.mail.address import Address, Path as MailPath

DEFAULT_FILE = Path("config/moxpy.toml")
DOMAINS_FILE_NAME = "domains.toml"
#: A config file larger than this is no config file; ten thousand accounts take some 5 MB.
MAX_FILE_OCTETS = 64 << 20
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Both files and what follows from them, at one moment. Sessions and operations take one when they start."""

    static: Static
    domains: Domains
    derived: Derived
    #: Absolute directory of both files.
    directory: Path
    static_file: Path
    domains_file: Path
    #: The dynamic file as it was read.
    domains_identity: FileIdentity
    #: Whether files that the configuration names were looked at.
    files_checked: bool
    #: What works but is doubtful.
    warnings: tuple[ConfigProblem, ...] = ()

    def path(self, name: str) -> Path:
        """The place of a file named in either config file; relative names start at the config directory."""
        return self.directory / name

    @property
    def data_directory(self) -> Path:
        """Where all state is stored."""
        return Path(os.path.normpath(self.directory / self.static.data_dir))


def config_file(flag: str | None, environment: Mapping[str, str]) -> Path:
    """Where the static file is: as the `-config` flag says, else `MOXPYCONF`, else `config/moxpy.toml`."""
    return Path(flag or environment.get("MOXPYCONF") or DEFAULT_FILE)


def lookup(config: Config, target: MailPath | Address, *, for_login: bool = False) -> Lookup:
    """Where mail for an address goes, or who logs in with it; in constant time (`AddressIndex.lookup`)."""
    return config.derived.addresses.lookup(target, for_login=for_login)


class ConfigText:
    """One config file as read, with the report about it."""

    def __init__(self, file: Path, text: str, identity: FileIdentity) -> None:
        self.file = file
        self.text = text
        self.identity = identity
        self.report = Report()
        self.raw: dict[str, Any] | None = None
        self._fatal: list[ConfigProblem] = []
        try:
            self.raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            message = str(error)
            place = _TOML_PLACE.search(message)
            line = int(place[1]) if place and place[1] else text.count("\n") + 1
            self._fatal.append(ConfigProblem(file, line, "", f"not valid TOML: {_TOML_PLACE.sub('', message)}"))
        except (RecursionError, ValueError) as error:
            self._fatal.append(ConfigProblem(file, None, "", f"not valid TOML: {error}"))

    def problems(self) -> list[ConfigProblem]:
        """All errors found so far, in the order of the file."""
        return self._fatal + self._located(self.report.errors)

    def warnings(self) -> list[ConfigProblem]:
        """All that is doubtful."""
        return self._located(self.report.warnings)

    def _located(self, remarks: list[Remark]) -> list[ConfigProblem]:
        if not remarks:
            return []
        lines = lines_of(self.text)
        found = [
            ConfigProblem(self.file, line_of(lines, one.path), dotted(one.path), one.message, one.hint)
            for one in remarks
        ]
        return sorted(found, key=lambda problem: problem.line or 0)


def read_config_text(file: Path, *, hint: str = "") -> ConfigText:
    """Read one file. Raises ConfigErrors when it cannot be read, or is not UTF-8."""
    try:
        with file.open("rb") as stream:
            identity = FileIdentity.of(os.fstat(stream.fileno()))
            octets = stream.read(MAX_FILE_OCTETS + 1)
    except FileNotFoundError:
        raise ConfigErrors([ConfigProblem(file, None, "", "there is no such file", hint)]) from None
    except OSError as error:
        problem = ConfigProblem(file, None, "", f"cannot be read: {error.strerror or error}")
        raise ConfigErrors([problem]) from error
    if len(octets) > MAX_FILE_OCTETS:
        raise ConfigErrors([ConfigProblem(file, None, "", "is too large for a config file")])
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigErrors([ConfigProblem(file, line, "", "is not UTF-8")]) from error
    return ConfigText(file, text, identity)


def load(path: Path, *, check_files: bool = True, find_user: FindUser = find_system_user) -> Config:
    """Read and check the static file at `path`, and `domains.toml` beside it.

    `check_files` is whether keys and certificates that they name are looked at. Raises ConfigErrors with
    everything that is wrong in both.
    """
    path = Path(os.path.abspath(path))
    problems: list[ConfigProblem] = []
    texts: list[ConfigText | None] = []
    missing = "name the file with the flag -config or the environment variable MOXPYCONF"
    for file, hint in ((path, missing), (path.with_name(DOMAINS_FILE_NAME), "it belongs beside moxpy.toml")):
        try:
            texts.append(read_config_text(file, hint=hint))
        except ConfigErrors as error:
            problems += error.problems
            texts.append(None)
    static_text, domains_text = texts
    static = domains = user = None
    if static_text and static_text.raw is not None:
        static = read_table(Static, static_text.raw, (), static_text.report)
        validate_static(static, static_text.report, find_user=find_user)
        user = run_as(static.user, find_user)
        if check_files:
            check_static_files(static, path.parent, static_text.report)
    if domains_text and domains_text.raw is not None:
        domains = read_table(Domains, domains_text.raw, (), domains_text.report)
    config = None
    if static and domains and static_text and domains_text:
        validate_references(static, domains, static_text.report)
        config = _assemble(static, path, domains, domains_text, user, check_files=check_files)
    for text in texts:
        problems += text.problems() if text else []
    if problems or config is None or static_text is None:
        raise ConfigErrors(problems)
    return replace(config, warnings=(*static_text.warnings(), *config.warnings))


def load_domains(config: Config, text: ConfigText) -> Config:
    """The same configuration with another dynamic file. Raises ConfigErrors with everything wrong in it."""
    static_report = Report()
    new = None
    if text.raw is not None:
        domains = read_table(Domains, text.raw, (), text.report)
        validate_references(config.static, domains, static_report)
        new = _assemble(
            config.static, config.static_file, domains, text, config.derived.user, check_files=config.files_checked
        )
    problems = text.problems()
    problems += [
        ConfigProblem(config.static_file, None, dotted(one.path), one.message, one.hint) for one in static_report.errors
    ]
    if problems or new is None:
        raise ConfigErrors(problems)
    kept = tuple(one for one in config.warnings if one.file == config.static_file)
    return replace(new, warnings=(*kept, *new.warnings))


def _assemble(
    static: Static, static_file: Path, domains: Domains, text: ConfigText, user: RunAs | None, *, check_files: bool
) -> Config | None:
    """Check the dynamic file's rules and put all together; None when something was reported."""
    directory = static_file.parent
    addresses = index_addresses(static, domains, text.report)
    validate_domains(static, domains, addresses, text.report)
    dkim_keys = check_dkim_files(domains, directory, text.report) if check_files else {}
    if text.report.errors or user is None:
        return None
    if any(one.tls and one.tls.acme and one.tls.acme not in static.acme for one in static.listeners.values()):
        return None
    return Config(
        static=static,
        domains=domains,
        derived=derive(static, domains, addresses=addresses, user=user, dkim_keys=dkim_keys),
        directory=directory,
        static_file=static_file,
        domains_file=text.file,
        domains_identity=text.identity,
        files_checked=check_files,
        warnings=tuple(text.warnings()),
    )

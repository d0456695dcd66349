"""Logging: one line per event, logfmt or JSON, levels by package, protocol traces without secrets.

It stands on the standard library's logging, so reusable rooms take a plain logger and know nothing of this. Loggers
are named `moxpy.<package>...`; fields travel as `extra={"fields": {...}}`. `Log` binds them for a connection.
"""

import enum
import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import fields as dataclass_fields, is_dataclass
from json.encoder import encode_basestring_ascii
from typing import Any, Final, TextIO

from appliance.base.metrics import Counter

ROOT: Final = "moxpy"
TRACE, TRACE_AUTH, TRACE_DATA = 8, 6, 4

LEVELS: Final[dict[str, int]] = {
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
    "traceauth": TRACE_AUTH,
    "tracedata": TRACE_DATA,
}
_NAMES: Final = {number: name for name, number in LEVELS.items()}

_lines = {
    logging.INFO: Counter("logging_level_info_total", "Log lines at level info."),
    logging.WARNING: Counter("logging_level_warn_total", "Log lines at level warn."),
    logging.ERROR: Counter("logging_level_error_total", "Log lines at level error."),
}

#: Characters of one value in a log line.
VALUE_CHARACTERS: Final = 16_384
_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")


def level_name(number: int) -> str:
    """Name of a level."""
    return _NAMES.get(number) or logging.getLevelName(number).lower()


def set_level(level: str, package: str = "") -> None:
    """Set the default level, or that of a package; an empty level takes a package's own away. Raises KeyError."""
    logger = logging.getLogger(f"{ROOT}.{package}" if package else ROOT)
    logger.setLevel(LEVELS[level] if level or not package else logging.NOTSET)


def levels() -> dict[str, str]:
    """Levels by package; the default's key is empty."""
    found = {"": level_name(logging.getLogger(ROOT).getEffectiveLevel())}
    for name, logger in sorted(logging.Logger.manager.loggerDict.items()):
        if name.startswith(ROOT + ".") and isinstance(logger, logging.Logger) and logger.level:
            found[name.removeprefix(ROOT + ".")] = level_name(logger.level)
    return found


def quote(text: str) -> str:
    """A value of logfmt: as it is when it is plain, else quoted, so that no value can begin a line of its own."""
    return text if _PLAIN.fullmatch(text) else encode_basestring_ascii(text)


def text_of(value: Any, depth: int = 0) -> str:
    """A value as text; structured ones show their useful fields."""
    if isinstance(value, str):
        return value[:VALUE_CHARACTERS]
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return repr(value[:VALUE_CHARACTERS])[2:-1]
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, int | float):
        return str(value)
    if depth < 4 and isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):
        return "[" + ";".join(text_of(one, depth + 1) for one in list(value)[:100]) + "]"
    if depth < 4 and (shown := _fields_of(value)) is not None:
        simple = {name: one for name, one in shown.items() if not _is_structured(one)}
        chosen = simple if any(text_of(one, depth + 1) for one in simple.values()) else shown
        parts = ((name, text_of(one, depth + 1)) for name, one in chosen.items())
        return " ".join(f"{name}={one}" for name, one in parts if one) or str(value)
    return str(value)[:VALUE_CHARACTERS]


def _is_structured(value: Any) -> bool:
    return isinstance(value, list | tuple | dict | set | frozenset) or is_dataclass(value)


def _fields_of(value: Any) -> dict[str, Any] | None:
    if isinstance(value, Mapping):
        return {str(name).lower(): one for name, one in value.items()}
    if is_dataclass(value) and "__str__" not in type(value).__dict__:
        return {field.name.lower(): getattr(value, field.name) for field in dataclass_fields(value) if field.repr}
    return None


class Formatter(logging.Formatter):
    """A record as one line."""

    def __init__(self, *, as_json: bool = False, with_time: bool = False) -> None:
        super().__init__()
        self._json = as_json
        self._time = with_time

    def format(self, record: logging.LogRecord) -> str:
        """The line; a stack trace is a value of it, because its text, too, may come from outside."""
        pairs: list[tuple[str, str]] = []
        if self._time:
            when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            pairs.append(("t", f"{when}.{int(record.msecs):03}Z"))
        pairs += [("l", level_name(record.levelno)), ("m", record.getMessage())]
        error = record.exc_info[1] if record.exc_info else None
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        if error is not None and "err" not in fields:
            # The text of the error stands in the line itself, whatever becomes of the trace.
            pairs.append(("err", f"{type(error).__name__}: {error}" if str(error) else type(error).__name__))
        package = record.name.removeprefix(ROOT).lstrip(".")
        pairs += [("pkg", one) for one in package.split(".") if one]
        pairs += [(name, text_of(value)) for name, value in fields.items() if value is not None]
        if self._json:
            document: dict[str, Any] = dict(pairs)
            document["pkg"] = package
            if record.exc_info and error is not None:
                document["stack"] = self.formatException(record.exc_info)
            return json.dumps(document, ensure_ascii=False)
        if record.exc_info and error is not None:
            pairs.append(("stack", self.formatException(record.exc_info)[-VALUE_CHARACTERS:]))
        return " ".join(f"{name}={quote(value)}" for name, value in pairs)


class _Handler(logging.StreamHandler[TextIO]):
    def emit(self, record: logging.LogRecord) -> None:
        counter = _lines.get(record.levelno)
        if counter is not None:
            counter.inc()
        super().emit(record)


def configure(
    level: str,
    package_levels: Mapping[str, str] | None = None,
    *,
    as_json: bool = False,
    with_time: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Send all logs of the program to standard error."""
    # Our lines name no thread, process or line of code, and looking those up was a fifth of the cost of a line: this is
    # how the standard library is told (its documentation of logging, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger(ROOT)
    for handler in list(root.handlers):
        root.removeHandler(handler)
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(Formatter(as_json=as_json, with_time=with_time))
    root.addHandler(handler)
    root.propagate = False
    set_level(level)
    for package, own in (package_levels or {}).items():
        set_level(own, package)


class Log:
    """A logger with fields bound to it: what is said of a connection names the connection."""

    __slots__ = ("_last", "fields", "logger")

    def __init__(self, logger: logging.Logger | str, **fields: Any) -> None:
        self.logger = logging.getLogger(f"{ROOT}.{logger}") if isinstance(logger, str) else logger
        self.fields = fields
        self._last = time.monotonic()

    def bind(self, **fields: Any) -> "Log":
        """A log that says more."""
        return Log(self.logger, **{**self.fields, **fields})

    def enabled(self, level: int) -> bool:
        """Whether a level is shown; ask before making costly fields."""
        return self.logger.isEnabledFor(level)

    def log(self, level: int, message: str, error: BaseException | None = None, **fields: Any) -> None:
        """Say something at a level; `error` comes with its trace when the level is error."""
        if not self.logger.isEnabledFor(level):
            return
        now = time.monotonic()
        said = {**fields, **self.fields, "delta": f"{now - self._last:.6f}s"}
        self._last = now
        if error is not None and level < logging.ERROR:
            said = {"err": str(error) or type(error).__name__, **said}
        trace = error if level >= logging.ERROR else None
        self.logger.log(level, message, extra={"fields": said}, exc_info=trace)

    def error(self, message: str, error: BaseException | None = None, **fields: Any) -> None:
        """Something is wrong with us."""
        self.log(logging.ERROR, message, error, **fields)

    def warn(self, message: str, error: BaseException | None = None, **fields: Any) -> None:
        """Something deserves a look."""
        self.log(logging.WARNING, message, error, **fields)

    def info(self, message: str, error: BaseException | None = None, **fields: Any) -> None:
        """Something happened."""
        self.log(logging.INFO, message, error, **fields)

    def debug(self, message: str, error: BaseException | None = None, **fields: Any) -> None:
        """For those who look for a fault."""
        self.log(logging.DEBUG, message, error, **fields)


class Phase(enum.Enum):
    """What is on the wire, for traces."""

    PLAIN = TRACE
    AUTH = TRACE_AUTH
    DATA = TRACE_DATA


def trace(log: Log, direction: str, octets: bytes, phase: Phase) -> None:
    """Log octets of a conversation. Redaction comes before formatting: `***` for credentials, `...` for data."""
    if not log.logger.isEnabledFor(TRACE):
        return
    if phase is Phase.PLAIN or log.logger.isEnabledFor(phase.value):
        level, shown = phase.value, octets.decode("utf-8", "backslashreplace")
    else:
        level, shown = TRACE, "***" if phase is Phase.AUTH else "..."
    log.log(level, direction + shown, size=len(octets))

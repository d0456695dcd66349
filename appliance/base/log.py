"""Log lines: what happened, to whom, in which connection; one line per event, in logfmt or JSON.

A `Journal` owns the output and the levels. A `Log` is what a session or a part of the house writes to: it carries the
packages it passed through, bound fields and the id of the connection. A level may be set per package at any time and
holds at once for running connections; on a log's way the innermost package with a level of its own decides.

Text from outside can be anything: values are bounded and escaped (`logvalue`), so a line is one line. Protocol
octets are redacted before they are formatted (`Log.octets`).
"""

import enum
import functools
import json
import logging
import math
import traceback
from collections.abc import Mapping
from typing import Any, TextIO

from appliance.base import logvalue
from appliance.base.clock import Clock, SystemClock
from appliance.base.logvalue import error_text, escaped, quoted, text_of
from appliance.base.metrics import Counter

PANICS = Counter("panic_total", "Unhandled exceptions, contained.", ["pkg"])
_COUNTED = {
    20: Counter("logging_level_info_total", "Log lines at level info."),
    30: Counter("logging_level_warn_total", "Log lines at level warn."),
    40: Counter("logging_level_error_total", "Log lines at level error."),
}

#: Characters of one traced piece of protocol, of one message, of one stack.
TRACE_CHARACTERS = 256 * 1024
MESSAGE_CHARACTERS = 4096
STACK_CHARACTERS = 16 * 1024
STACK_FRAMES = 30


class Level(enum.IntEnum):
    """How much a line matters. The trace levels show the protocol: without secrets, with them, with all data."""

    TRACEDATA = 4
    TRACEAUTH = 6
    TRACE = 8
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40
    #: These two always appear.
    FATAL = 50
    PRINT = 60

    @property
    def word(self) -> str:
        """Its name in configuration, commands and lines."""
        return _WORDS[self]


_WORDS = {level: level.name.lower() for level in Level}
#: The levels that can be set, by their word.
LEVELS = {level.word: level for level in Level if level < Level.FATAL}


class Phase(enum.Enum):
    """What the octets of a protocol are at the moment; the value is the level at which they show."""

    PLAIN = Level.TRACE
    #: Credentials.
    AUTH = Level.TRACEAUTH
    #: Contents of messages.
    DATA = Level.TRACEDATA


class Format(enum.Enum):
    """How lines look."""

    LOGFMT = "logfmt"
    JSON = "json"
    #: For people: `level: message: err; key=value`.
    TERMINAL = "terminal"


class _Chain:
    """The packages on the way to a log and the level in force there; all logs of one way share it."""

    __slots__ = ("packages", "threshold")

    def __init__(self, packages: tuple[str, ...], threshold: int) -> None:
        self.packages, self.threshold = packages, threshold


class Journal:
    """Where lines go, and which of them."""

    def __init__(
        self,
        stream: TextIO,
        *,
        form: Format = Format.LOGFMT,
        times: bool = False,
        level: Level = Level.DEBUG,
        clock: Clock | None = None,
    ) -> None:
        """`times`: lines begin with the time; leave it out where journald adds one."""
        self.clock: Clock = clock or SystemClock()
        self._levels: dict[str, Level] = {"": level}
        self._chains: dict[tuple[str, ...], _Chain] = {}
        self._handler = _Output(stream)
        self._handler.setFormatter(_Formatter(form, self.clock if times else None))

    def log(self, package: str) -> "Log":
        """A log for a part of the house: `smtpserver`, `queue`, `store`."""
        return Log(self, self.chain((package,)))

    def set_level(self, package: str, level: Level | None) -> None:
        """Set the level of a package, or of all others with package `""`. None: it has no level of its own."""
        if level is not None:
            self._levels[package] = level
        elif package:
            self._levels.pop(package, None)
        for chain in self._chains.values():
            chain.threshold = self._threshold(chain.packages)

    def levels(self) -> dict[str, Level]:
        """The levels in force; `""` is for packages that have none of their own."""
        return dict(self._levels)

    def adopt_libraries(self) -> None:
        """From now on warnings and errors that libraries log with the standard library appear here too."""
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(logging.WARNING)

    def release_libraries(self) -> None:
        """Undo `adopt_libraries`."""
        logging.getLogger().removeHandler(self._handler)

    def chain(self, packages: tuple[str, ...]) -> _Chain:
        """For Log: the shared chain of these packages, outermost first."""
        chain = self._chains.get(packages)
        if chain is None:
            chain = self._chains.setdefault(packages, _Chain(packages, self._threshold(packages)))
        return chain

    def write(self, record: logging.LogRecord) -> None:
        """For Log: one record to the output, unconditionally."""
        if (counter := _COUNTED.get(record.levelno)) is not None:
            counter.inc()
        self._handler.handle(record)

    def _threshold(self, packages: tuple[str, ...]) -> Level:
        for package in reversed(packages):
            if (level := self._levels.get(package)) is not None:
                return level
        return self._levels[""]


class _Moment:
    """When the previous line of a connection was written; its logs share it."""

    __slots__ = ("last",)

    def __init__(self, last: float) -> None:
        self.last = last


class Log:
    """Writes lines with the packages, fields and connection id it was made with.

    A call below the level in force costs some 0.2 µs; do not compute fields for it that cost more.
    """

    __slots__ = ("_chain", "_cid", "_fields", "_journal", "_moment")

    def __init__(
        self,
        journal: Journal,
        chain: _Chain,
        fields: Mapping[str, object] | None = None,
        cid: int | None = None,
        moment: _Moment | None = None,
    ) -> None:
        self._journal, self._chain, self._fields = journal, chain, fields or {}
        self._cid, self._moment = cid, moment

    @property
    def cid(self) -> int | None:
        """The id of the connection, request or attempt it belongs to."""
        return self._cid

    @property
    def tracing(self) -> bool:
        """Whether any octets of the protocol are shown at the moment."""
        return self._chain.threshold <= 8

    def bind(self, **fields: object) -> "Log":
        """The same log; its lines carry these fields too."""
        return Log(self._journal, self._chain, {**self._fields, **fields}, self._cid, self._moment)

    def package(self, name: str) -> "Log":
        """The same log as used by another part of the house."""
        if name == self._chain.packages[-1]:
            return self
        chain = self._journal.chain((*self._chain.packages, name))
        return Log(self._journal, chain, self._fields, self._cid, self._moment)

    def connection(self, cid: int) -> "Log":
        """The same log for one connection: its lines carry the id, and the time since the previous line."""
        moment = _Moment(self._journal.clock.monotonic())
        return Log(self._journal, self._chain, self._fields, cid, moment)

    def enabled(self, level: Level) -> bool:
        """Whether a line of this level would appear now."""
        return self._chain.threshold <= level

    def debug(self, message: str, err: BaseException | str | None = None, **fields: object) -> None:
        """For who looks for a cause."""
        if self._chain.threshold <= 10:
            self._write(Level.DEBUG, message, err, fields)

    def info(self, message: str, err: BaseException | str | None = None, **fields: object) -> None:
        """The normal course of things, to be found later."""
        if self._chain.threshold <= 20:
            self._write(Level.INFO, message, err, fields)

    def warn(self, message: str, err: BaseException | str | None = None, **fields: object) -> None:
        """May need the operator."""
        if self._chain.threshold <= 30:
            self._write(Level.WARN, message, err, fields)

    def error(self, message: str, err: BaseException | str | None = None, **fields: object) -> None:
        """Needs the operator."""
        if self._chain.threshold <= 40:
            self._write(Level.ERROR, message, err, fields)

    def fatal(self, message: str, err: BaseException | str | None = None, **fields: object) -> None:
        """The last line before the process ends."""
        self._write(Level.FATAL, message, err, fields)

    def print(self, message: str, **fields: object) -> None:
        """Always appears, whatever the levels."""
        self._write(Level.PRINT, message, None, fields)

    def check(self, err: BaseException, message: str, **fields: object) -> None:
        """Note a failure that stops nothing, such as closing a file; how loudly depends on what it is."""
        level = level_of(err)
        if self._chain.threshold <= level:
            self._write(level, message, err, fields)

    def bug(self, err: BaseException, message: str, **fields: object) -> None:
        """Note an unhandled exception with its stack, and count it for this package (panic_total)."""
        PANICS.labels(self._chain.packages[-1]).inc()
        self._write(Level.ERROR, message, err, fields, stack=stack_text(err))

    def octets(self, direction: str, octets: bytes | bytearray | memoryview, phase: Phase) -> None:
        """Show octets of the protocol, `direction` being "C: " or "S: ".

        Any trace level gives a line with the size; what the level may not show is replaced before anything is
        formatted: credentials by `***` below traceauth, contents by `...` below tracedata.
        """
        threshold = self._chain.threshold
        if threshold > 8:
            return
        if threshold <= phase.value:
            shown = str(octets[:TRACE_CHARACTERS], "ascii", "backslashreplace")
            self._write(phase.value, direction + shown, None, {"size": len(octets)}, limit=TRACE_CHARACTERS * 4)
        else:
            shown = "***" if phase is Phase.AUTH else "..."
            self._write(Level.TRACE, direction + shown, None, {"size": len(octets)})

    def standard(self) -> logging.Logger:
        """A logger of the standard library that writes here, for parts that know nothing of this module.

        Its `extra` becomes fields, its `exc_info` the error and, above debug, the stack.
        """
        return _Standard(self, self._chain)

    def _write(
        self,
        level: Level,
        message: str,
        err: BaseException | str | None,
        fields: Mapping[str, object],
        *,
        stack: str = "",
        limit: int = MESSAGE_CHARACTERS,
    ) -> None:
        chain, moment = self._chain, self._moment
        fields = {**self._fields, **fields}
        if moment is not None:
            now = self._journal.clock.monotonic()
            fields["delta"] = _Seconds(now - moment.last)
            moment.last = now
        record = logging.LogRecord(chain.packages[-1], level, "", 0, text_of(message, limit), None, None)
        record.line = _Line(chain.packages, err, fields, self._cid, stack)
        self._journal.write(record)


class _Seconds(float):
    """A duration in seconds: with a unit in text, a number in JSON."""

    def __str__(self) -> str:
        return logvalue.seconds_text(float(self))


class _Line:
    """What a record of ours carries besides message and level."""

    __slots__ = ("cid", "err", "fields", "packages", "stack")

    def __init__(
        self,
        packages: tuple[str, ...],
        err: BaseException | str | None,
        fields: Mapping[str, object],
        cid: int | None,
        stack: str,
    ) -> None:
        self.packages, self.fields, self.cid, self.stack = packages, fields, cid, stack
        self.err = None if err is None else text_of(error_text(err) if isinstance(err, BaseException) else err)


class _Standard(logging.Logger):
    """Adapter from the standard library's calls to a Log. Never registered by name."""

    def __init__(self, log: Log, chain: _Chain) -> None:
        super().__init__(chain.packages[-1])
        self._target, self._chain = log, chain

    def isEnabledFor(self, level: int) -> bool:
        return self._chain.threshold <= level or level >= Level.FATAL

    def getEffectiveLevel(self) -> int:
        return self._chain.threshold

    def handle(self, record: logging.LogRecord) -> None:
        fields = {k: v for k, v in record.__dict__.items() if k not in _STANDARD_FIELDS}
        err = record.exc_info[1] if record.exc_info else None
        stack = stack_text(err) if err is not None and record.levelno > Level.DEBUG else ""
        self._target._write(nearest(record.levelno), record.getMessage(), err, fields, stack=stack)


_STANDARD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


@functools.lru_cache(maxsize=100)
def nearest(number: int) -> Level:
    """The highest of our levels not above a level of the standard library."""
    return max((level for level in Level if level <= number), default=Level.TRACEDATA)


#: Names of the exceptions by which trio and others say the same as the builtin ones; importing them would cost more.
_TIMEOUTS = frozenset({"TimeoutError", "TooSlowError", "Cancelled", "CancelledError"})
_CLOSED = frozenset({"ConnectionError", "EOFError", "BrokenResourceError", "ClosedResourceError", "EndOfChannel"})


def level_of(err: BaseException) -> Level:
    """How loud a failure is: a timeout or cancellation info, a closed connection debug, all else error."""
    if isinstance(err, BaseExceptionGroup):
        return max(map(level_of, err.exceptions))
    names = {c.__name__ for c in type(err).__mro__}
    if names & _CLOSED:
        return Level.DEBUG
    return Level.INFO if names & _TIMEOUTS else Level.ERROR


def stack_text(err: BaseException) -> str:
    """The stack of an exception with its causes and, for a group, its members; bounded, the innermost end kept."""
    shown = traceback.TracebackException.from_exception(err, limit=-STACK_FRAMES, compact=True, max_group_width=5)
    text = "".join(shown.format())
    return text if len(text) <= STACK_CHARACTERS else "..." + text[-STACK_CHARACTERS:]


class _Output(logging.StreamHandler[TextIO]):
    """Writes lines; an output that fails must not fail who logs."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing is left to tell it to."""


class _Formatter(logging.Formatter):
    """Turns records, ours and those of libraries, into lines."""

    def __init__(self, form: Format, times: Clock | None) -> None:
        super().__init__()
        self._times = times
        self._form = {Format.LOGFMT: _logfmt, Format.JSON: _json, Format.TERMINAL: _terminal}[form]

    def format(self, record: logging.LogRecord) -> str:
        """One line; for people, a stack makes further indented ones."""
        line = getattr(record, "line", None)
        if line is None:  # a library's
            err = record.exc_info[1] if record.exc_info else None
            line = _Line((record.name,), err, {}, None, stack_text(err) if err else "")
        time = self._times.now().isoformat(timespec="milliseconds").replace("+00:00", "Z") if self._times else None
        return self._form(time, nearest(record.levelno).word, text_of(record.getMessage(), TRACE_CHARACTERS * 4), line)


def _logfmt(time: str | None, level: str, message: str, line: _Line) -> str:
    parts = [f"t={time}"] if time else []
    parts.append(f"l={level}")
    parts.append(f'm="{escaped(message)}"')
    if line.err is not None:
        parts.append(f"err={quoted(line.err)}")
    parts.extend(f"pkg={quoted(package)}" for package in line.packages)
    parts.extend(f"{key}={quoted(text_of(value))}" for key, value in line.fields.items() if value is not None)
    if line.stack:
        parts.append(f"stack={quoted(line.stack)}")
    if line.cid is not None:
        parts.append(f"cid={line.cid:x}")
    return " ".join(parts)


def _json(time: str | None, level: str, message: str, line: _Line) -> str:
    shown: dict[str, Any] = {"t": time} if time else {}
    shown |= {"l": level, "m": message}
    if line.err is not None:
        shown["err"] = line.err
    shown["pkg"] = list(line.packages)
    for key, value in line.fields.items():
        if value is not None:
            # A field that has the name of one of ours must not hide it.
            shown[key if key not in shown else f"{key}_"] = _json_value(value)
    if line.stack:
        shown["stack"] = line.stack
    if line.cid is not None:
        shown["cid"] = f"{line.cid:x}"
    return json.dumps(shown, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _json_value(value: object) -> Any:
    if type(value) is bool or type(value) is int or type(value) is float:
        return value if math.isfinite(value) else str(value)
    return round(value, 6) if isinstance(value, _Seconds) else text_of(value)


def _terminal(time: str | None, level: str, message: str, line: _Line) -> str:
    """Fields of the machinery (package, cid, delta) are left out."""
    text = f"{time} " if time else ""
    text += f"{level}: {escaped(message)}" + (f": {escaped(line.err)}" if line.err is not None else "")
    shown = [(key, value) for key, value in line.fields.items() if value is not None and key != "delta"]
    text += "".join(f"; {key}={quoted(text_of(value))}" for key, value in shown)
    if line.stack:
        text += "".join(f"\n    {escaped(row)}" for row in line.stack.splitlines())
    return text

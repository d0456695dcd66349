"""Log lines: form, levels, values, traces."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings, strategies as st

from appliance.base import log as logs
from appliance.base.log import Formatter, Log, Phase, quote, text_of, trace


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Levels and handlers of the program's loggers belong to the process: put back what was there."""
    root = logging.getLogger(logs.ROOT)
    before = (root.level, list(root.handlers), root.propagate)
    yield
    root.handlers, root.propagate = before[1], before[2]
    root.setLevel(before[0])
    for package in logs.levels():
        if package:
            logs.set_level("", package)


def configured(level: str = "debug", **options: bool) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, stream=stream, **options)
    return stream


def pairs(line: str) -> list[tuple[str, str]]:
    """A line of logfmt, read again."""
    found, at = [], 0
    while at < len(line):
        name, _, rest = line[at:].partition("=")
        if rest.startswith('"'):
            value, size = json.JSONDecoder().raw_decode(rest)
        else:
            value = rest.partition(" ")[0]
            size = len(value)
        found.append((name, value))
        at += len(name) + 1 + size
        assert line[at : at + 1] in {"", " "}
        at += 1
    return found


def test_a_line():
    stream = configured()
    Log("smtpserver", cid="1a2b").info("hello there", remoteip="192.0.2.1", size=5, tls=True, absent=None)
    got = dict(pairs(stream.getvalue().removesuffix("\n")))
    assert got.pop("delta").endswith("s")
    assert got == {
        "l": "info", "m": "hello there", "pkg": "smtpserver", "remoteip": "192.0.2.1", "size": "5", "tls": "true",
        "cid": "1a2b",
    }  # fmt: skip


def test_error_text_stands_in_the_line():
    stream = configured()
    Log("queue").warn("cannot", ValueError("bad = thing"))
    assert ("err", "bad = thing") in pairs(stream.getvalue().removesuffix("\n"))
    Log("queue").error("cannot", ValueError("worse"))
    assert "ValueError: worse" in stream.getvalue()


def test_json_lines_with_time():
    stream = configured(as_json=True, with_time=True)
    Log("imapserver").info("a\nb", text='"\u2028')
    document = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert (document["l"], document["m"], document["pkg"], document["text"]) == (
        "info",
        "a\nb",
        "imapserver",
        '"\u2028',
    )
    assert document["t"].endswith("Z")


@settings(max_examples=100)
@given(message=st.text(), value=st.text(max_size=100), more=st.binary(max_size=100))
def test_logfmt_round_trip(message: str, value: str, more: bytes):
    record = logging.makeLogRecord({"name": "moxpy.web", "levelno": 20, "msg": "%s", "args": (message,)})
    record.fields = {"value": value, "more": more}
    line = Formatter().format(record)
    assert len(line.splitlines()) == 1
    assert pairs(line) == [("l", "info"), ("m", message), ("pkg", "web"), ("value", value), ("more", text_of(more))]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("", '""', id="empty"),
        pytest.param("a b", '"a b"', id="space"),
        pytest.param("a=b", '"a=b"', id="equals sign"),
        pytest.param('a"b', '"a\\"b"', id="quote"),
        pytest.param("a\\b", '"a\\\\b"', id="backslash"),
        pytest.param("é", '"\\u00e9"', id="not ASCII"),
        pytest.param("x\nl=error m=forged", '"x\\nl=error m=forged"', id="forged line"),
        pytest.param("\x1b[2J", '"\\u001b[2J"', id="terminal escape"),
    ],
)
def test_quoting(text: str, shown: str):
    assert quote(text) == shown


@dataclass
class Recipient:
    addr: str
    code: int | None = None
    inner: list[str] = field(default_factory=list)


@dataclass
class Shell:
    recipient: Recipient


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(None, "", id="none"),
        pytest.param(True, "true", id="bool"),
        pytest.param(1.5, "1.5", id="float"),
        pytest.param(b"a\r\n\xff", "a\\r\\n\\xff", id="octets"),
        pytest.param(Phase.AUTH, "auth", id="enum"),
        pytest.param(["a", 2], "[a;2]", id="list"),
        pytest.param([], "[]", id="empty list"),
        pytest.param([Recipient("bogus@test.example")], "[addr=bogus@test.example]", id="structured"),
        pytest.param(Recipient("a", 550, ["x"]), "addr=a code=550", id="simple fields hide nested ones"),
        pytest.param(Shell(Recipient("a")), "recipient=addr=a", id="nested when nothing else"),
        pytest.param({"Name": "x", "empty": ""}, "name=x", id="mapping"),
    ],
)
def test_structured_values(value: object, shown: str):
    assert text_of(value) == shown


def test_values_are_bounded():
    assert len(text_of("x" * 10**6)) <= logs.VALUE_CHARACTERS + 20
    assert len(text_of(list(range(10**5)))) < 10_000
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    assert text_of(deep)


@pytest.mark.parametrize("level", ["error", "warn", "info", "debug"])
def test_levels(level: str):
    stream = configured(level)
    log = Log("smtpserver")
    for say in (log.error, log.warn, log.info, log.debug):
        say("x")
    shown = [dict(pairs(line))["l"] for line in stream.getvalue().splitlines()]
    assert shown == ["error", "warn", "info", "debug"][: 1 + ["error", "warn", "info", "debug"].index(level)]


def test_package_level_holds_at_once():
    stream = configured("info")
    running, other = Log("smtpserver", cid="1"), Log("queue")
    running.debug("hidden")
    logs.set_level("debug", "smtpserver")
    running.debug("shown")
    other.debug("hidden")
    assert logs.levels() == {"": "info", "smtpserver": "debug"}
    logs.set_level("", "smtpserver")
    running.debug("hidden")
    assert [dict(pairs(line))["m"] for line in stream.getvalue().splitlines()] == ["shown"]


def test_unknown_level():
    with pytest.raises(KeyError):
        logs.set_level("loud")


@pytest.mark.parametrize(
    ("level", "plain", "auth", "data"),
    [
        pytest.param("debug", None, None, None, id="debug"),
        pytest.param("trace", "C: EHLO x\r\n", "C: ***", "C: ...", id="trace"),
        pytest.param("traceauth", "C: EHLO x\r\n", "C: secret", "C: ...", id="traceauth"),
        pytest.param("tracedata", "C: EHLO x\r\n", "C: secret", "C: body", id="tracedata"),
    ],
)
def test_traces(level: str, plain: str | None, auth: str | None, data: str | None):
    stream = configured(level)
    log = Log("smtpserver")
    trace(log, "C: ", b"EHLO x\r\n", Phase.PLAIN)
    trace(log, "C: ", b"secret", Phase.AUTH)
    trace(log, "C: ", b"body", Phase.DATA)
    lines = [dict(pairs(line)) for line in stream.getvalue().splitlines()]
    assert [line["m"] for line in lines] == [m for m in (plain, auth, data) if m is not None]
    assert [line["size"] for line in lines] == ["8", "6", "4"][: len(lines)]

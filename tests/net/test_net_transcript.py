"""No trace shows a secret that its level may not show."""

import io
import logging
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from appliance.base import log as logs
from appliance.base.log import Log, Phase
from appliance.net.transcript import Transcript


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger(logs.ROOT)
    before = (root.level, list(root.handlers), root.propagate)
    yield
    root.setLevel(before[0])
    root.handlers, root.propagate = before[1], before[2]


def shown(level: str, *steps: bytes | Phase | str) -> list[str]:
    """What is traced when octets come in, phases change, and we answer (`str`)."""
    stream = io.StringIO()
    logs.configure(level, stream=stream)
    transcript, phase = Transcript(Log("smtpserver")), Phase.PLAIN
    for step in steps:
        if isinstance(step, bytes):
            transcript.received(step, phase)
        elif isinstance(step, Phase):
            phase = step
            transcript.phase_changed(step)
        else:
            transcript.sent(step.encode(), phase)
    transcript.closed()
    return [match[1] for match in re.finditer(r'm="(.*?[^\\])" pkg', stream.getvalue())]


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        pytest.param([b"NOOP now\r\n", "250 ok\r\n"], ["C: NOOP now\\r\\n", "S: 250 ok\\r\\n"], id="order is kept"),
        pytest.param([b"AUTH PLAIN c2VjcmV0\r\n", Phase.AUTH, "235 ok\r\n"], ["C: ***", "S: ***"], id="initial response"),
        pytest.param([b"AUTH PLAIN !\r\n", "501 no\r\n"], ["C: ***", "S: 501 no\\r\\n"], id="never understood"),
        pytest.param([b"a LOGIN u pa", b"ss\r\n", "a OK\r\n"], ["C: ***", "S: a OK\\r\\n"], id="cut in two"),
        pytest.param([b"a lo", b"gin u pass\r\n"], ["C: ***"], id="cut in the verb"),
        pytest.param([b"a LOGIN {1}\r\n", "+ go\r\n", b"u {4}\r\npa", b"ss\r\n"], ["C: ***", "S: + go\\r\\n", "C: ***", "C: ***"], id="literals"),
        pytest.param([b"a NOOP x\r\nb LOGIN u p\r\nc NOOP x\r\n"], ["C: a NOOP x\\r\\n", "C: ***", "C: c NOOP x\\r\\n"], id="pipelined"),
        pytest.param([b"DATA \r\n", Phase.DATA, "354 go\r\n", b"hello"], ["C: DATA \\r\\n", "S: ...", "C: ..."], id="data"),
        pytest.param([b"a APPEND x {5+}\r\nhello", Phase.DATA], ["C: a APPEND x {5+}\\r\\n", "C: ..."], id="literal without waiting"),
        pytest.param([b"NOOP half"], ["C: NOOP half"], id="no end"),
    ],
)  # fmt: skip
def test_trace(steps: list[bytes | Phase | str], lines: list[str]):
    assert shown("trace", *steps) == lines


def test_higher_levels_show_more():
    steps = (b"AUTH PLAIN c2VjcmV0\r\n", Phase.AUTH, "235 ok\r\n", Phase.DATA, b"hello you")
    assert shown("traceauth", *steps) == ["C: AUTH PLAIN c2VjcmV0\\r\\n", "S: 235 ok\\r\\n", "C: ..."]
    assert shown("tracedata", *steps)[-1] == "C: hello you"
    assert shown("debug", *steps) == []


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 60), max_size=8), st.booleans())
def test_no_cut_shows_a_password(cuts: list[int], answered: bool):
    octets = b"a NOOP\r\nb LOGIN user hunter2\r\nc AUTHENTICATE PLAIN hunter2\r\n"
    at, steps = 0, []
    for cut in [*sorted(cuts), len(octets)]:
        if octets[at:cut]:
            steps.append(octets[at:cut])
            if answered:
                steps.append("* OK still here\r\n")
        at = max(at, cut)
    assert "hunter2" not in "".join(shown("trace", *steps))
    assert not re.search(r"unter2|nter2|hunte\b", "".join(shown("trace", *steps)))

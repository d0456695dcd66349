"""Keeper tasks, shutdown, and what a service manager hands over."""

import itertools
import os
import socket
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from appliance.base.metrics import panics
from appliance.net import inherit
from appliance.net.shutdown import Shutdown
from appliance.net.supervise import keep


async def test_failing_task_is_started_again_ever_later(autojump_clock: MockClock):
    starts: list[float] = []
    before = panics.labels("failing").value

    async def task() -> None:
        starts.append(trio.current_time())
        if len(starts) == 10:
            return
        raise RuntimeError("a bug")

    await keep("failing", task)
    pauses = [round(b - a) for a, b in itertools.pairwise(starts)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert panics.labels("failing").value == before + 9


async def test_task_that_was_well_begins_anew(autojump_clock: MockClock):
    starts: list[float] = []

    async def task() -> None:
        starts.append(trio.current_time())
        if len(starts) < 4:
            raise RuntimeError("a bug")
        if len(starts) == 4:
            await trio.sleep(1000)
            raise RuntimeError("a bug")

    await keep("healing", task)
    assert round(starts[4] - starts[3]) == 1001


async def test_cancelled_keeper_ends(autojump_clock: MockClock):
    with trio.move_on_after(5) as scope:
        await keep("sleeping", trio.sleep_forever)
    assert scope.cancelled_caught


async def test_shutdown_is_announced_once():
    shutdown = Shutdown()
    calls: list[str] = []
    shutdown.listen(lambda: calls.append("one"))
    forgotten = shutdown.listen(lambda: calls.append("forgotten"))
    shutdown.forget(forgotten)
    assert not shutdown.requested
    shutdown.request()
    shutdown.request()
    assert shutdown.requested
    shutdown.listen(lambda: calls.append("late"))
    assert calls == ["one", "late"]
    with trio.fail_after(30):
        await shutdown.wait()


def test_sockets_for_another_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + 1))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert inherit.sockets() == {}


def test_no_sockets():
    assert inherit.sockets() == {}


def test_sockets_are_taken_once(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = listener.getsockname()
        descriptor = os.dup(listener.fileno())
    monkeypatch.setattr(inherit, "_FIRST", descriptor)
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_FDNAMES", "smtp")
    found = inherit.sockets()
    assert list(found) == [where]
    found[where].close()
    assert not {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} & set(os.environ)
    assert inherit.sockets() == {}


def test_readiness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        inherit.notify("READY=1")
        manager.settimeout(5)
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("path", [None, "/nowhere/notify"], ids=["no manager", "gone"])
def test_nobody_to_tell(monkeypatch: pytest.MonkeyPatch, path: str | None):
    if path is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", path)
    inherit.notify("READY=1")

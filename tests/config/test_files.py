"""A crash between any two steps of a replacement leaves the old file or the new one."""

import os
from pathlib import Path

import pytest

from appliance.config.files import FileChanged, FileIdentity, replace_file

OLD, NEW = b"old\n", b"the new content\n"
STEPS = ("open", "fchmod", "fsync", "fstat", "rename")


class Crash(BaseException):
    """The machine stops: nothing after it happens, not even cleaning up."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "domains.toml"
    path.write_bytes(OLD)
    path.chmod(0o640)
    return path


def identity(path: Path) -> FileIdentity:
    found = FileIdentity.at(path)
    assert found
    return found


def test_replace(path: Path) -> None:
    new = replace_file(path, NEW, expected=identity(path))
    assert path.read_bytes() == NEW
    assert path.stat().st_mode & 0o7777 == 0o640
    assert new == identity(path)
    assert [one.name for one in path.parent.iterdir()] == ["domains.toml"]


def crash_at(monkeypatch: pytest.MonkeyPatch, step: str, count: int, *, after: bool) -> None:
    """Stop at the n-th call of a step, before or after it was done; then nothing more can be done."""
    real, calls = getattr(os, step), 0
    halted = False

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal calls, halted
        calls += 1
        if calls != count:
            return real(*args, **kwargs)
        if after:
            real(*args, **kwargs)
        halted = True
        raise Crash

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if not halted:
            real_unlink(self, missing_ok=missing_ok)

    real_unlink = Path.unlink
    monkeypatch.setattr(os, step, counted)
    monkeypatch.setattr(Path, "unlink", unlink)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("step", "count"), [(step, 1) for step in STEPS] + [("fsync", 2), ("open", 2)])
def test_crash(path: Path, monkeypatch: pytest.MonkeyPatch, step: str, count: int, after: bool) -> None:
    expected = identity(path)
    with monkeypatch.context() as patch:
        crash_at(patch, step, count, after=after)
        with pytest.raises(Crash):
            replace_file(path, NEW, expected=expected)
    is_new = count == 2 or (step == "rename" and after)
    assert path.read_bytes() == (NEW if is_new else OLD)
    assert path.stat().st_mode & 0o7777 == 0o640
    replace_file(path, b"again", expected=identity(path))  # what the crash left does not hinder
    assert path.read_bytes() == b"again"


@pytest.mark.parametrize("step", ["fchmod", "fsync", "rename"])
def test_failure_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, NEW, expected=identity(path))
    assert path.read_bytes() == OLD
    assert [one.name for one in path.parent.iterdir()] == ["domains.toml"]


def test_changed_meanwhile(path: Path) -> None:
    expected = identity(path)
    path.write_bytes(b"edited by hand\n")
    with pytest.raises(FileChanged):
        replace_file(path, NEW, expected=expected)
    assert path.read_bytes() == b"edited by hand\n"
    assert [one.name for one in path.parent.iterdir()] == ["domains.toml"]


def test_link_is_followed(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    replace_file(link, NEW, expected=identity(path))
    assert link.is_symlink()
    assert path.read_bytes() == NEW

"""Which folders are made the server's own."""

import os
from pathlib import Path

import pytest

from appliance.net import privileges


@pytest.mark.parametrize(
    ("folder", "is_own"),
    [
        ("/etc/moxpy", True),
        ("/srv/moxpy/config", True),
        ("/home/moxpy2/data", True),
        ("/etc", False),
        ("/", False),
        ("/usr/local/etc", False),
        ("/tmp", False),
    ],
)
def test_is_own(folder: str, is_own: bool) -> None:
    assert privileges.is_own(Path(folder), 65534) is is_own


def test_a_folder_of_others_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[Path] = []
    monkeypatch.setattr(privileges, "_give", lambda path, uid, gid: changed.append(path))
    own, other = tmp_path / "moxpy", tmp_path / "etc"
    for folder in (own, other):
        folder.mkdir()
        (folder / "file").write_text("x")
    privileges.repair([own, other, tmp_path / "none-moxpy"], os.getuid() + 1, 1)
    assert changed == [own / "file", own]

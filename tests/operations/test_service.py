"""The unit that systemd runs the server by."""

from pathlib import Path

import pytest

from appliance.operations import service


def directives(directory: str = "/home/moxpy", program: str = "/home/moxpy/moxpy") -> dict[str, str]:
    unit = service.unit(Path(directory), Path(program), notifies=True).replace("\\\n", "")
    pairs = (line.partition("=") for line in unit.splitlines() if "=" in line and not line.startswith("#"))
    return {key: value for key, _, value in pairs}


@pytest.mark.parametrize(
    ("path", "plain", "word"),
    [
        ("/home/moxpy", "/home/moxpy", "/home/moxpy"),
        ("/srv/my mail", "/srv/my mail", r"/srv/my\x20mail"),
        ("/srv/100%", "/srv/100%%", "/srv/100%%"),
        ("/srv/a\\b", "/srv/a\\b", r"/srv/a\\b"),
        ("/srv/o'n\"e", "/srv/o'n\"e", r"/srv/o\x27n\x22e"),
    ],
)
def test_paths(path: str, plain: str, word: str) -> None:
    """WorkingDirectory is one path, as it is; the others are words, and escaped."""
    found = directives(path, f"{path}/moxpy")
    assert found["WorkingDirectory"] == plain
    assert found["ReadWritePaths"] == word
    assert found["ExecStart"] == f"{word}/moxpy serve"
    assert found["ExecStop"] == f"{word}/moxpy stop"


def test_what_the_server_cannot_do_without() -> None:
    """Functions made at run time (pyOpenSSL, cffi: `ffi.callback`), folders with the setgid bit, and giving up root."""
    found = directives()
    assert "MemoryDenyWriteExecute" not in found
    assert "RestrictSUIDSGID" not in found
    capabilities = set(found["CapabilityBoundingSet"].split())
    assert capabilities >= {"CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_FSETID", "CAP_NET_BIND_SERVICE"}
    assert found["NotifyAccess"] == "all", "the one-file executable serves in a child"

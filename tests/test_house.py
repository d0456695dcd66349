"""The walls of the house (ARCHITECTURE.md): import order, doors, purity, in every room."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "appliance"
#: Lowest first; a room imports only rooms to its left, and itself.
ORDER = (
    "mail protocol base config dns net msgauth store tls delivery queue reports operations servers "
    "serve localserve cli __main__"
).split()
PURE = {"mail", "protocol"}
IMPURE_MODULES = {
    *("trio", "lmdb", "ssl", "socket", "os", "time", "logging", "OpenSSL", "dns", "threading", "subprocess"),
    *("random", "secrets", "pathlib", "asyncio", "select", "tempfile"),
}
#: Rooms with several doors: their children are siblings that never import one another.
FLOORS = {"servers", "protocol"}
#: Which sibling doors a door may use: IMAP and SMTP conversations share the SASL exchanges and the receive buffer.
SHARED_SIBLINGS = {("protocol", "sasl"), ("protocol", "lines")}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Absolute dotted names that a module imports, relative ones resolved."""
    package = [ROOT.name, *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_walls(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert not list(imports(path)), "the package itself imports nothing"
        return
    assert room in ORDER, f"{room} is not in the plan"
    for name in imports(path):
        parts = name.split(".")
        if room in PURE:
            assert parts[0] not in IMPURE_MODULES, f"{path}: a pure room imports {name}"
        if parts[0] == "dns":
            assert room == "dns", f"{path}: only the room dns knows dnspython"
        if parts[0] != ROOT.name or len(parts) < 2 or parts[1].startswith("__version__"):
            continue
        other = parts[1]
        assert ORDER.index(other) <= ORDER.index(room), f"{path}: {room} may not import {other}"
        if other != room:
            depth = 4 if other in FLOORS else 3
            is_module_of_door = len(parts) <= depth or not (ROOT.joinpath(*parts[1:depth])).is_dir()
            assert is_module_of_door or len(parts) <= depth + 1, f"{path}: {name} goes past the door of {other}"
        elif room in FLOORS and len(parts) > 2:
            mine = path.relative_to(ROOT).parts[1].removesuffix(".py") if len(path.relative_to(ROOT).parts) > 1 else ""
            theirs = parts[2]
            if mine not in {"__init__", theirs} and (room, theirs) not in SHARED_SIBLINGS:
                assert not (ROOT / room / theirs).is_dir(), f"{path}: sibling door {name}"


def test_rooms_have_signs() -> None:
    for path in ROOT.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no sign"


def test_no_reflection_of_place() -> None:
    """Parts are replaced, nobody asks where he is (no `if localserve`)."""
    for path in modules():
        if path.name in {"localserve.py", "__main__.py"} or "cli" in path.parts:
            continue
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert "localserve" not in names, f"{path} asks whether it runs in localserve"

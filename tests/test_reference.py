"""The reference is made of the tables, and has all that is in them."""

import runpy
from pathlib import Path

from appliance.cli import table

REFERENCE = runpy.run_path(str(Path(__file__).parent.parent / "build" / "reference.py"))


def test_files(tmp_path: Path):
    REFERENCE["main"](tmp_path)
    texts = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(texts) == {"commands.md", "configuration.md", "webapi.md", "moxpy.1"}
    assert all(f"## {command.words}\n" in texts["commands.md"] for command in table.LISTED)
    assert "[listeners." in texts["configuration.md"]
    assert "## MessageGet" in texts["webapi.md"]
    assert texts["moxpy.1"].count("\n.SS ") == len(table.LISTED)


def test_no_line_is_taken_for_a_request():
    assert REFERENCE["_roff"](".TH\n'x\na-b\\") == "\\&.TH\n\\&'x\na\\-b\\e"

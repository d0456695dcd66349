"""Every dialogue under tests/transcripts/imap, against a real session."""

from pathlib import Path

import pytest

from support.imaphouse import open_house
from support.transcript import play

FOLDER = Path(__file__).parents[2] / "transcripts" / "imap"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
async def test_transcript(path: Path, tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await play(path, house)

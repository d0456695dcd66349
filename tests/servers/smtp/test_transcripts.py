"""Every dialogue under tests/transcripts/smtp, against a real session. `# kind: submission` is for the other door."""

import re
from pathlib import Path

import pytest

from appliance.protocol.smtp.settings import Kind
from support.smtphouse import open_house
from support.transcript import play

FOLDER = Path(__file__).parents[2] / "transcripts" / "smtp"
DOMAINS = (FOLDER / "domains.toml").read_text()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
async def test_transcript(path: Path, tmp_path: Path) -> None:
    found = re.search(r"^# kind: (\w+)$", path.read_text(), re.MULTILINE)
    async with open_house(tmp_path, DOMAINS, kind=Kind(found[1]) if found else Kind.DELIVERY) as house:
        await play(path, house)

"""Every dialogue under tests/transcripts/smtp, against a real session.

Lines at its top set up the door: `# kind: submission` or `lmtp`, `# pedantic: yes`, `# slow: yes`, `# plain: no` where
passwords must not come without TLS, `# unknown: 5` for the seconds before unknown recipients are refused.
"""

import re
from pathlib import Path

import pytest
import trio.testing

from appliance.protocol.smtp.settings import Kind
from support.smtphouse import open_house
from support.transcript import play

FOLDER = Path(__file__).parents[2] / "transcripts" / "smtp"
DOMAINS = (FOLDER / "domains.toml").read_text()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
async def test_transcript(path: Path, tmp_path: Path, mock_clock: trio.testing.MockClock) -> None:
    wanted = dict(re.findall(r"^# (kind|pedantic|slow|plain|unknown): (\w+)$", path.read_text(), re.MULTILINE))
    house = open_house(
        tmp_path,
        DOMAINS,
        kind=Kind(wanted.get("kind", "smtp")),
        pedantic="pedantic" in wanted,
        slow="slow" in wanted,
        unknown_seconds=float(wanted.get("unknown", 0)),
        plain_login=wanted.get("plain") != "no",
    )
    async with house as opened:
        await play(path, opened)

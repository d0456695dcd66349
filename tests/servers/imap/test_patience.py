"""Who guesses passwords is served slowly, until he knows one."""

from pathlib import Path

import trio
from trio.testing import MockClock

from support.imaphouse import PASSWORD, USER, open_house


async def test_wrong_passwords(tmp_path: Path, mock_clock: MockClock) -> None:
    async with open_house(tmp_path) as house:
        client = house.connect()
        await client.line()
        (session,) = house.sessions
        took = []
        mock_clock.autojump_threshold = 0
        for _ in range(5):
            began = trio.current_time()
            (line,) = await client.command(f"LOGIN {USER} wrong", expect=b"NO [AUTHENTICATIONFAILED]")
            took.append(trio.current_time() - began)
        assert took[:2] == [0, 0]
        assert session.connection.slow
        # An octet a second, as far as the time for one write allows; more with each failure.
        assert len(line) > took[2] > 20
        assert [round(later - took[2]) for later in took[3:]] == [2, 3]
        await client.command(f'LOGIN {USER} "{PASSWORD}"')
        assert not session.connection.slow
        began = trio.current_time()
        await client.command("NOOP")
        assert trio.current_time() == began

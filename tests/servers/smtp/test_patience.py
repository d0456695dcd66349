"""How long a message may take that never stops coming, and never ends."""

import trio
from trio.testing import MockClock

from appliance.serve import SMTP_SESSION
from support.smtphouse import open_house

DOMAINS = """\
[domains."example.org"]
[accounts.alice.destinations]
"alice@example.org" = {}
"""
BEGINNING = b"EHLO x.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\n"


async def test_a_message_that_drips_ends_after_half_an_hour(tmp_path, autojump_clock: MockClock):
    async with open_house(tmp_path, DOMAINS) as house:
        client = house.connect()
        await client.send(BEGINNING + b"DATA\r\n")
        while not (await client.line()).startswith(b"354"):
            pass
        began = trio.current_time()

        async def drip() -> None:
            while True:
                await client.send(b"x\r\n")
                await trio.sleep(SMTP_SESSION.read_seconds - 1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip)
            line = await client.line()
            nursery.cancel_scope.cancel()
        assert line.startswith(b"421 4.4.2 the message took too long"), line
        assert trio.current_time() - began == SMTP_SESSION.data_seconds
        assert await client.line() == b""
        assert not house.spooling


async def test_a_command_after_a_slow_chunk_has_its_own_time(tmp_path, autojump_clock: MockClock):
    """What hurried the chunks is not said of the command that never came."""
    async with open_house(tmp_path, DOMAINS) as house:
        client = house.connect()
        await client.send(BEGINNING + b"BDAT 1\r\nx")
        while not (await client.line()).startswith(b"250 2.0.0 1 octets"):
            pass
        began = trio.current_time()
        assert (await client.line()).startswith(b"421 4.4.2 nothing came")
        assert trio.current_time() - began == SMTP_SESSION.idle_seconds

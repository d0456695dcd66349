"""Replies to commands that came together go together (RFC 2920 §3.2), others at once."""

from pathlib import Path

import pytest

from support.imaphouse import DOMAINS
from support.smtphouse import open_house


@pytest.mark.parametrize(
    ("packets", "replies"),
    [
        pytest.param([b"NOOP\r\nNOOP\r\nNOOP\r\n"], [3], id="together"),
        pytest.param([b"NOOP\r\nNO", b"OP\r\nNOOP\r\n"], [1, 2], id="a part of a command is not waited for"),
        pytest.param(
            [b"HELO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n", b"x\r\n.\r\nNOOP\r\n"],
            [4, 2],
            id="a message with what follows it",
        ),
    ],
)  # fmt: skip
async def test_replies_that_go_together(tmp_path: Path, packets: list[bytes], replies: list[int]) -> None:
    sent: list[bytes] = []
    async with open_house(tmp_path, DOMAINS) as house:
        client = house.connect()
        await client.line()
        # Each write of the server's, as it was.
        (session,) = list(house.app.sessions._open)
        send = session.connection.send

        async def send_all(octets: bytes) -> None:
            sent.append(octets)
            await send(octets)

        session.connection.send = send_all
        for packet, count in zip(packets, replies, strict=True):
            sent.clear()
            await client.send(packet)
            for _ in range(count):
                assert await client.line()
            assert [octets.count(b"\r\n") for octets in sent] == [count]

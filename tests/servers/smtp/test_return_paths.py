"""Sender addresses of forwarded mail at every door: who may write to them, and whom they stand for."""

import pytest

from appliance.protocol.smtp.settings import Kind
from appliance.store import forwarded, queued
from support.smtphouse import open_house

DOMAINS = """\
[domains."a.example"]
[accounts.alice.destinations]
"alice@a.example" = {}
"@a.example" = {}
"""
ADDRESS = "srs=" + "a2" * 16
HELLO = {Kind.DELIVERY: "EHLO x.example", Kind.LMTP: "LHLO x.example"}


async def codes(house, *commands: str) -> list[str]:
    """The codes of each reply behind that to HELO; a message is one command."""
    client = house.connect()
    found = []
    for command in (HELLO[house.door.protocol.kind], *commands):
        await client.send(command.encode() + b"\r\n")
    await client.send(b"QUIT\r\n")
    while line := await client.line():
        if line[3:4] != b"-":
            found.append(b" ".join(line.split()[:2]).decode())
    return found[2:-1]


async def keep(house, returns_to="eve@c.example") -> None:
    until = house.app.clock.microseconds() + 1_000_000
    await house.store.write(forwarded.keep, ADDRESS, returns_to, until)


def waiting(house):
    with house.store.read() as tx:
        return [(one.reverse_path, one.recipient, one.account) for one in queued.all_messages(tx)]


@pytest.mark.parametrize("kind", HELLO)
async def test_who_may_write_to_them(tmp_path, kind):
    async with open_house(tmp_path, DOMAINS, kind=kind) as house:
        await keep(house)
        to, other = f"RCPT TO:<{ADDRESS}@a.example>", "RCPT TO:<alice@a.example>"
        message = ("DATA", "Subject: x", "", "x", ".")
        taken = ["250 2.1.0", "250 2.1.0", "452 4.5.3", "354 end", "250 2.2.0"]
        assert await codes(house, "MAIL FROM:<>", to, other, *message) == taken
        assert waiting(house) == [("", "eve@c.example", 1)]
        second = await codes(house, "MAIL FROM:<>", other, to)
        assert second[2] == "452 4.5.3"
        assert (await codes(house, "MAIL FROM:<eve@c.example>", to))[1] == "550 5.7.1"
        # A catch-all is not for those that are forgotten.
        house.app.clock.move(1)
        assert "550 5.1.1" in await codes(house, "MAIL FROM:<>", to, *message)
        assert house.messages() == {}


async def test_notices_go_to_whom_they_stand_for(tmp_path):
    """Forwarded mail that comes back here, whose sender asks to hear of success."""
    async with open_house(tmp_path, DOMAINS, kind=Kind.LMTP) as house:
        await keep(house)
        transaction = (
            *(f"MAIL FROM:<{ADDRESS}@a.example>", "RCPT TO:<alice@a.example> NOTIFY=SUCCESS"),
            *("DATA", "From: eve@c.example", "", "x", "."),
        )
        assert (await codes(house, *transaction))[-1] == "250 2.2.0"
        assert waiting(house) == [("", "eve@c.example", 1)]
        house.app.clock.move(1)
        assert (await codes(house, *transaction))[-1] == "250 2.2.0"
        assert len(waiting(house)) == 1

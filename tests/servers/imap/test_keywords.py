"""How many keywords there may be."""

from pathlib import Path

from support.imaphouse import Client, open_house


async def _keywords(client: Client) -> int:
    lines = await client.command("EXAMINE INBOX")
    (flags,) = [line for line in lines if line.startswith(b"* FLAGS ")]
    return flags.count(b" word")


async def test_limits(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        for _ in range(11):
            await house.deliver()
        await client.command("SELECT INBOX")
        for number in range(10):
            words = " ".join(f"word{number}-{at}" for at in range(100))
            await client.command(f"STORE {number + 1} +FLAGS.SILENT ({words})")
        # One more on a message, one more in the mailbox, one more with a message that comes.
        for command in (
            b"STORE 1 +FLAGS (word1-1)",
            b"STORE 11 +FLAGS (new)",
            b"STORE 1:11 FLAGS (word1-1 new)",
            b"APPEND INBOX (new) {1+}\r\nx",
            b"APPEND INBOX (" + b" ".join(b"word%d-%d" % (at % 2, at // 2) for at in range(102)) + b") {1+}\r\nx",
        ):
            await client.command(command, expect=b"NO [LIMIT] too many keywords ")
        await client.command("STORE 11 +FLAGS (WORD1-1)")
        lines = await client.command("FETCH 1:* FLAGS")
        assert [line.count(b"word") for line in lines[:-1]] == [*[100] * 10, 1]
        assert await _keywords(client) == 1000

"""Every dialogue under tests/transcripts/smtpclient: our session with a server that plays its part.

`S:` and `S|` is what the server says, `Z:` so many octets of it, `C:` what we must say, `E:` that the server closes, `T:`
seconds that go by, `R:` what came of it in the end. Lines at the top: `# to:` recipients, `# tls:` the mode, `# login:`
mechanisms, `# message:` another one than usual.
"""

import re
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
import trio.testing

from appliance.base.log import Log
from appliance.net.outgoing import Outgoing
from appliance.protocol.sasl.client import Login
from appliance.protocol.smtp.failure import ClientError
from appliance.queue.smtpclient import Content, Session
from appliance.queue.smtpsettings import LoginPolicy, Settings, TLSMode, TLSPolicy
from appliance.tls.context import client_context
from support.imaphouse import Client
from support.quiet import settled
from support.smtpclientdriver import CONTENT, short, transaction

FOLDER = Path(__file__).parents[1] / "transcripts" / "smtpclient"
MODES = {"required": TLSMode.REQUIRED, "opportunistic": TLSMode.OPPORTUNISTIC}
HERE = ip_address("127.0.0.1")


class NoChance:
    def token_bytes(self, count: int, /) -> bytes:
        return bytes(count)


def unescaped(text: str) -> bytes:
    return text.replace("\\r", "\r").replace("\\n", "\n").encode()


async def send(session: Session, recipients: list[str], content: bytes) -> str:
    """Hand over a message; what came of it."""
    try:
        async with session:
            await session.open()
            envelope = transaction(*recipients)
            outcomes = await session.deliver(envelope, Content.of(content))
            return " | ".join(map(short, outcomes))
    except ClientError as error:
        tls = f" [{error.failure.tls_result} {error.failure.tls_reason}]" if error.failure.tls_result else ""
        return short(error) + tls


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
async def test_transcript(path: Path, mock_clock: trio.testing.MockClock) -> None:
    text = path.read_text()
    wanted = dict(re.findall(r"^# (to|tls|login|message): (.+)$", text, re.MULTILINE))
    ours, theirs = trio.testing.memory_stream_pair()
    connection = Outgoing(ours, remote=HERE, remote_port=25, local=HERE, log=Log("queue.test"))
    settings = Settings(
        ehlo_name="us.example",
        tls=TLSPolicy(MODES.get(wanted.get("tls", ""), TLSMode.SKIP), client_context()),
        login=LoginPolicy(Login("user", "pencil"), tuple(wanted["login"].split())) if "login" in wanted else None,
    )
    session = Session(connection, settings, random=NoChance())
    content = unescaped(wanted["message"]) if "message" in wanted else CONTENT
    results: list[str] = []
    server = Client(theirs)

    async def run() -> None:
        results.append(await send(session, wanted["to"].split(), content))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        for number, written in enumerate(text.splitlines(), 1):
            where = f"{path.name}:{number}"
            kind, said = written[:2], written[3:]
            match kind:
                case "S:":
                    await server.send(said.encode() + b"\r\n")
                case "S|":
                    await server.send(unescaped(said))
                case "Z:":
                    await theirs.send_all(b"250-" + b"z" * int(said))
                case "C:":
                    line = await server.line()
                    assert said == "..." or line == said.encode(), f"{where}: came {line!r}"
                case "E:":
                    await theirs.send_stream.aclose()
                case "T:":
                    for _ in range(int(said)):
                        await settled()
                        mock_clock.jump(1)
                case "R:":
                    await settled()
                    assert results == [said], where
                case _:
                    assert not written or written.startswith("#"), where
        assert kind == "R:", "nothing is said about what came of it"
        with trio.fail_after(30):
            assert await server.line() == b"", "the client said more than was written"

"""The load generator against a server of few lines: our conversation over a socket, everything accepted."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio

from appliance.protocol.lines import NEED_DATA
from appliance.protocol.smtp import command
from appliance.protocol.smtp.server import AuthResponse, Chunk, EndOfData
from appliance.protocol.smtp.settings import Kind
from support.smtpdriver import Accepting, Broken, settings
from support.smtpload import Load, Outcome, run

REPLIES: dict[type, bytes] = {command.Data: b"354 go\r\n", command.Quit: b"221 bye\r\n", AuthResponse: b"235 ok\r\n"}
LISTENER = settings(Kind.SUBMISSION, max_message_octets=100_000)


class Sink:
    """Keeps what it accepts. `answer` may say otherwise at the end of a message; None hangs up."""

    def __init__(self, answer: Callable[[int], bytes | None] = lambda number: b"250 ok\r\n") -> None:
        self.messages: list[bytes] = []
        self.connections = 0
        self.greeted_users: list[bytes] = []
        self._answer = answer

    async def serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        driver = Accepting(LISTENER, authenticated=True)
        content = b""
        await stream.send_all(b"220 sink\r\n")
        async for octets in stream:
            driver.receive_data(octets)
            while (event := driver.next_event()) is not NEED_DATA:
                reply: bytes | None = REPLIES.get(type(event), b"250-more\r\n250 ok\r\n")
                match event:
                    case Chunk(octets=more):
                        content += more
                        continue
                    case command.Auth(initial=initial):
                        self.greeted_users.append(initial or b"")
                        reply = b"235 ok\r\n"
                    case Broken(code=code):
                        reply = f"{code} no\r\n".encode()
                    case EndOfData():
                        reply = self._answer(len(self.messages))
                        self.messages.append(content)
                        content = b""
                if reply is None:
                    return
                await stream.send_all(reply)


async def play(sink: Sink, **load: Any) -> Outcome:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, sink.serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        outcome = await run(Load(host="127.0.0.1", port=port, seconds=20, reply_seconds=5, **load))
        nursery.cancel_scope.cancel()
    return outcome


@pytest.mark.parametrize("pipeline", [False, True])
@pytest.mark.parametrize("reconnect", [False, True])
async def test_every_message_arrives_once(pipeline: bool, reconnect: bool) -> None:
    sink = Sink()
    rcpts = ("a@b.example", "c@b.example")
    load = {"count": 20, "connections": 3, "size_octets": 2000, "rcpt_to": rcpts, "login": ("jane", "secret")}
    outcome = await play(sink, pipeline=pipeline, reconnect=reconnect, **load)
    assert not outcome.refused
    assert not outcome.unanswered
    assert not outcome.failures
    assert sink.connections == (20 if reconnect else 3)
    assert set(sink.greeted_users) == {b"\0jane\0secret"}
    arrived = [re.findall(rb"Message-ID: <(.*?)@", message)[0].decode() for message in sink.messages]
    assert sorted(arrived) == sorted(outcome.accepted)
    assert len(set(arrived)) == 20
    assert {len(message) for message in sink.messages} == {2000}
    assert outcome.per_second > 0


async def test_refused_and_lost() -> None:
    answers = {1: b"451 later\r\n", 3: None}
    sink = Sink(lambda number: answers.get(number, b"250 ok\r\n"))
    outcome = await play(sink, count=6)
    assert [reply.strip() for _, reply in outcome.refused] == ["451 later"]
    assert len(outcome.unanswered) == 1
    assert len(outcome.accepted) == 4
    assert outcome.failures == {"lost: closed": 1}


@pytest.mark.parametrize("pipeline", [False, True])
async def test_recipients_refused(pipeline: bool) -> None:
    sink = Sink()
    outcome = await play(sink, count=2, pipeline=pipeline, rcpt_to=("a@b.example",) * 4)
    assert len(outcome.refused) == 2
    assert not outcome.accepted
    assert not outcome.failures


async def test_nobody_there() -> None:
    outcome = await run(Load(host="127.0.0.1", port=1, count=3, seconds=5))
    assert not outcome.accepted
    assert list(outcome.failures.values()) == [1]

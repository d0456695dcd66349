"""The control socket's conversation, with commands of its own: errors, streams, clients that leave."""

import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trio

from appliance.base.problem import Kind, Problem
from appliance.net.shutdown import Shutdown
from appliance.servers.control import control
from appliance.servers.control.request import CHUNK_OCTETS, LINE_OCTETS, Request


class Missing(Problem):
    kind = Kind.NOT_FOUND


class House:
    """What the commands below did."""

    def __init__(self) -> None:
        self.octets = b""
        self.cancelled = trio.Event()
        self.shutdown = Shutdown()


async def echo(_: House, request: Request) -> object:
    return request.arguments


async def say(_: House, request: Request) -> None:
    await request.out({"n": 1})
    await request.progress(50)
    await request.warn("careful")


async def missing(_: House, __: Request) -> None:
    raise Missing("there is no such thing")


async def bug(_: House, __: Request) -> None:
    raise RuntimeError("a bug")


async def take(house: House, request: Request) -> int:
    async for chunk in request.receive():
        house.octets += chunk
    return len(house.octets)


async def take_a_bit(_: House, request: Request) -> None:
    async for _chunk in request.receive():
        raise Missing("nobody wants it")


async def give(_: House, request: Request) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"d" * (CHUNK_OCTETS + 1)

    await request.send(chunks())


async def cut(_: House, request: Request) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"abc"
        raise Missing("it went away")

    await request.send(chunks())


async def numbers(_: House, request: Request) -> list[object]:
    group = request.group("g", {"n", "l"})
    return [request.number("n"), group.optional_number("n"), group.optional_numbers("l")]


async def hang(house: House, _: Request) -> None:
    try:
        await trio.sleep_forever()
    finally:
        house.cancelled.set()


async def texts(_: House, request: Request) -> list[object]:
    return [request.text("a"), request.texts("l"), request.switch("b"), request.optional_switch("o")]


COMMANDS = {one.__name__: one for one in (echo, say, missing, bug, take, take_a_bit, give, cut, numbers, hang, texts)}


class Client:
    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.buffer = b""

    async def octets(self, count: int) -> bytes:
        while len(self.buffer) < count:
            more = await self.stream.receive_some()
            if not more:
                raise EOFError(self.buffer)
            self.buffer += more
        octets, self.buffer = self.buffer[:count], self.buffer[count:]
        return octets

    async def line(self) -> Any:
        line = b""
        while not line.endswith(b"\n"):
            line += await self.octets(1)
        return line if line.startswith(b"moxpy-ctl") else json.loads(line)

    async def ask(self, octets: bytes) -> Any:
        await self.stream.send_all(octets)
        return await self.line()


def request(command: str, **arguments: Any) -> bytes:
    return json.dumps({"cmd": command, "args": arguments}).encode() + b"\n"


def chunk(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr(control, "COMMANDS", COMMANDS)

    def run(dialogue: Callable[[Client, House], Any]) -> None:
        async def main() -> None:
            ours, theirs = trio.socket.socketpair(socket.AF_UNIX)
            house = House()
            with trio.fail_after(60):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(control.session, house, trio.SocketStream(theirs), trio.CapacityLimiter(1), {})
                    client = Client(trio.SocketStream(ours))
                    assert (await client.line()).startswith(b"moxpy-ctl 1 ")
                    await dialogue(client, house)
                    await client.stream.aclose()

        trio.run(main)

    return run


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        pytest.param(request("echo", a=1), {"ok": {"a": 1}}, id="answer"),
        pytest.param(b'{"cmd": "echo"}\n', {"ok": {}}, id="no arguments"),
        pytest.param(b"\n", {"error": {"code": "user", "msg": "no such request: (unknown)"}}, id="empty"),
        pytest.param(b"\xff\x00{\n", {"error": {"code": "user", "msg": "no such request: (unknown)"}}, id="noise"),
        pytest.param(
            b"[" * 100_000 + b"\n", {"error": {"code": "user", "msg": "no such request: (unknown)"}}, id="deep"
        ),
        pytest.param(request("x"), {"error": {"code": "user", "msg": "no such request: x"}}, id="unknown"),
        pytest.param(b'{"cmd": []}\n', {"error": {"code": "user", "msg": "no such request: []"}}, id="no name"),
        pytest.param(
            b'{"cmd": "echo", "args": 1}\n',
            {"error": {"code": "user", "msg": "no such request: echo"}},
            id="not an object",
        ),
        pytest.param(
            request("missing"), {"error": {"code": "notfound", "msg": "there is no such thing"}}, id="problem"
        ),
        pytest.param(request("bug"), {"error": {"code": "server", "msg": "internal error, see the log"}}, id="bug"),
        pytest.param(
            request("texts", a=1), {"error": {"code": "user", "msg": "argument a must be a str"}}, id="wrong type"
        ),
        pytest.param(
            request("texts", a="", l=[1]),
            {"error": {"code": "user", "msg": "argument l must be a list of texts"}},
            id="wrong item",
        ),
        pytest.param(request("texts", a="x", l=["y"], b=True), {"ok": ["x", ["y"], True, None]}, id="arguments"),
        pytest.param(
            request("take"), {"error": {"code": "user", "msg": "this command needs a stream of octets"}}, id="no stream"
        ),
    ],
)
def test_requests_and_the_next_one(play, octets, answer):
    async def dialogue(client: Client, _: House) -> None:
        more = b"{}\n" if octets == request("take") else b""
        assert await client.ask(octets + more) == answer
        assert await client.ask(request("echo")) == {"ok": {}}

    play(dialogue)


def test_lines_before_the_answer(play):
    async def dialogue(client: Client, _: House) -> None:
        lines = [await client.ask(request("say")), *[await client.line() for _ in range(3)]]
        assert lines == [{"out": {"n": 1}}, {"progress": 50}, {"warn": "careful"}, {"ok": None}]

    play(dialogue)


def test_a_stream_comes_in(play):
    async def dialogue(client: Client, house: House) -> None:
        octets = request("take") + b'{"stream":true}\n' + chunk(b"one") + chunk(b"two") + chunk(b"")
        assert await client.ask(octets) == {"ok": 6}
        assert house.octets == b"onetwo"
        assert await client.ask(request("echo")) == {"ok": {}}

    play(dialogue)


def test_a_stream_goes_out(play):
    async def dialogue(client: Client, _: House) -> None:
        assert await client.ask(request("give")) == {"stream": True}
        sizes = []
        while length := int.from_bytes(await client.octets(4), "big"):
            sizes.append(length)
            await client.octets(length)
        assert sizes == [3, CHUNK_OCTETS, 1]
        assert await client.line() == {"ok": None}

    play(dialogue)


def test_a_stream_that_is_cut_ends_the_connection(play):
    async def dialogue(client: Client, _: House) -> None:
        assert await client.ask(request("cut")) == {"stream": True}
        assert await client.octets(7) == chunk(b"abc")
        with pytest.raises(EOFError) as end:
            await client.octets(1)
        assert end.value.args == (b"",)

    play(dialogue)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({"n": 7}, [7, None, None]),
        ({"n": 0, "g": None}, [0, None, None]),
        ({"n": 2**63 - 1, "g": {"n": 5, "l": [1, -2]}}, [2**63 - 1, 5, [1, -2]]),
        ({}, "argument n must be a int"),
        ({"n": -1}, "argument n must be a number, and not negative"),
        ({"n": 2**63}, "argument n must be a number, and not negative"),
        ({"n": True}, "argument n must be a number, and not negative"),
        ({"n": 1, "g": []}, "argument g must be a dict"),
        ({"n": 1, "g": {"x": 1}}, "argument g has no x"),
        ({"n": 1, "g": {"l": ["1"]}}, "argument l must be a list of numbers"),
        ({"n": 1, "g": {"l": [True]}}, "argument l must be a list of numbers"),
    ],
)
def test_numbers_and_groups(play, arguments, answer):
    async def dialogue(client: Client, _: House) -> None:
        expected = {"ok": answer} if isinstance(answer, list) else {"error": {"code": "user", "msg": answer}}
        assert await client.ask(request("numbers", **arguments)) == expected

    play(dialogue)


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        pytest.param(request("take_a_bit") + b'{"stream":true}\n' + chunk(b"one"), "nobody wants it", id="refused"),
        pytest.param(request("take") + b'{"stream":true}\n' + b"\xff\xff\xff\xff", "chunk too long", id="too long"),
        pytest.param(b"x" * (LINE_OCTETS + 70_000), "request too long", id="endless line"),
    ],
)
def test_what_cannot_be_told_apart_any_more_ends_the_connection(play, octets, message):
    async def dialogue(client: Client, _: House) -> None:
        answer: Any = None
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                try:
                    await client.stream.send_all(octets)
                except trio.BrokenResourceError:
                    pass

            nursery.start_soon(send)
            answer = await client.line()
        assert answer["error"]["msg"] == message
        try:
            assert await client.stream.receive_some() == b""
        except trio.BrokenResourceError:
            pass

    play(dialogue)


def test_who_leaves_gets_nothing_done(play):
    async def dialogue(client: Client, house: House) -> None:
        await client.stream.send_all(request("hang"))
        await client.stream.aclose()
        await house.cancelled.wait()

    play(dialogue)


def test_who_leaves_in_the_middle_of_a_stream(play):
    async def dialogue(client: Client, house: House) -> None:
        await client.stream.send_all(request("take") + b'{"stream":true}\n' + chunk(b"one") + b"\0\0")
        await client.stream.aclose()

    play(dialogue)

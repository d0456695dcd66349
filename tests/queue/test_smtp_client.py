"""A session with another server where dialogues on paper do not suffice: TLS, large messages, many recipients, the end."""

import io
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

import pytest
import trio
import trio.testing
from OpenSSL import SSL

from appliance.base import log as logs
from appliance.base.log import Log
from appliance.net.outgoing import Outgoing
from appliance.net.shutdown import Shutdown
from appliance.net.socketstream import SocketStream
from appliance.net.tlsstream import TLSHandshakeError, TLSStream
from appliance.protocol.sasl.client import Login
from appliance.protocol.smtp.client import Delivered, common_failure
from appliance.protocol.smtp.data import MessageData
from appliance.protocol.smtp.failure import ClientError, Fault
from appliance.queue import smtpclient
from appliance.queue.smtpclient import Content, Session, connect
from appliance.queue.smtpsettings import Check, LoginPolicy, Settings, TLSMode, TLSPolicy, Weight
from appliance.tls.context import Demands, client_context, server_context
from appliance.tls.verify import Judgement
from support.imaphouse import Client
from support.quiet import settled
from support.smtpclientdriver import CONTENT, short, transaction
from support.streams import key_pair, socket_pair

HERE = ip_address("127.0.0.1")
PASSED = Judgement(True)
EXPIRED = Judgement(False, "certificate-expired", "outside-of-its-dates")
PLAIN = Settings(ehlo_name="us.example", tls=TLSPolicy(TLSMode.SKIP))


class NoChance:
    def token_bytes(self, count: int, /) -> bytes:
        return bytes(count)


class Server(Client):
    """The other end of the line, which says what a test wants."""

    async def say(self, *lines: str) -> None:
        await self.send("".join(line + "\r\n" for line in lines).encode())

    async def hear(self, *lines: str) -> None:
        for line in lines:
            assert await self.line() == line.encode()

    async def greet(self, *keywords: str) -> None:
        await self.say("220 mx.example")
        await self.hello(*keywords)

    async def hello(self, *keywords: str) -> None:
        await self.hear("EHLO us.example")
        *more, last = ["mx.example", *keywords]
        await self.say(*(f"250-{one}" for one in more), f"250 {last}")

    async def start_tls(self, **options) -> None:
        self.stream = TLSStream(self.stream, server_context(key_pair(), Demands(**options)), server_side=True)
        await self.stream.do_handshake()

    async def take(self, count: int = 1) -> None:
        """A message as far as 354; without PIPELINING."""
        await self.hear("MAIL FROM:<a@us.example>")
        await self.say("250 ok")
        for _ in range(count):
            assert (await self.line()).startswith(b"RCPT TO:")
            await self.say("250 ok")
        await self.hear("DATA")
        await self.say("354 go")

    async def message(self) -> bytes:
        """All of a message, with the dot."""
        data, content = MessageData(), b""
        octets, self._buffer = bytes(self._buffer), bytearray()
        while True:
            more, rest = data.receive(octets)
            content += more
            if rest is not None:
                self._buffer += rest
                return content
            octets = bytes(await self.stream.receive_some(65_536))
            assert octets, "closed amid the message"


def policy(mode: TLSMode, *checks: Check) -> Settings:
    return Settings(ehlo_name="us.example", tls=TLSPolicy(mode, client_context(), "mx.example", checks))


def session_on(stream: trio.abc.Stream, settings: Settings = PLAIN, shutdown: Shutdown | None = None) -> Session:
    connection = Outgoing(stream, remote=HERE, remote_port=25, local=HERE, log=Log("queue.test"))
    return Session(connection, settings, random=NoChance(), shutdown=shutdown)


async def send(session: Session, *recipients: str, content: Content | None = None, **changes) -> str:
    content = content or Content.of(CONTENT)
    try:
        async with session:
            await session.open()
            envelope = transaction(*recipients, **changes)
            return " | ".join(map(short, await session.deliver(envelope, content)))
    except ClientError as error:
        tls = f" [{error.failure.tls_result} {error.failure.tls_reason}]" if error.failure.tls_result else ""
        return short(error) + tls


async def talk(client: Callable[[], Awaitable[str]], server: Callable[[], Awaitable[object]]) -> str:
    """What came of the client's side."""
    came: list[str] = []

    async def run() -> None:
        came.append(await client())

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await server()
    return came[0]


def check(judgement: Judgement, weight: Weight = Weight.ENFORCED, name: str = "pkix") -> Check:
    def judge(chain):
        assert len(chain) == 1
        return judgement

    return Check(name, judge, weight)


# ---- TLS. ----


@pytest.mark.parametrize(("mode", "checks", "verified"), [
    (TLSMode.OPPORTUNISTIC, [], False),
    (TLSMode.OPPORTUNISTIC, [check(EXPIRED, Weight.REPORTED)], False),
    (TLSMode.OPPORTUNISTIC, [check(PASSED, Weight.REPORTED)], False),
    (TLSMode.REQUIRED, [check(PASSED)], True),
    (TLSMode.REQUIRED, [check(PASSED, name="dane"), check(EXPIRED, Weight.REPORTED)], True),
    (TLSMode.REQUIRED, [check(EXPIRED, Weight.WAIVED, "dane")], False),
])  # fmt: skip
async def test_delivered_by_tls(mode, checks, verified):
    waived = smtpclient.tls_waived.labels("dane").value

    async def serve():
        await server.greet("STARTTLS", "PIPELINING")
        await server.hear("STARTTLS")
        await server.say("220 go")
        await server.start_tls()
        await server.hello("SIZE 9999")
        assert server.stream.connection.get_servername() == b"mx.example"
        await server.hear("MAIL FROM:<a@us.example> SIZE=19")
        await server.say("250 ok")
        await server.hear("RCPT TO:<b@them.example>")
        await server.say("250 ok")
        await server.hear("DATA")
        await server.say("354 go")
        assert await server.message() == CONTENT
        await server.say("250 taken")
        await server.hear("QUIT")
        await server.say("221 bye")

    async with socket_pair() as (near, far):
        server = Server(far)
        session = session_on(near, policy(mode, *checks))
        assert await talk(lambda: send(session), serve) == "delivered 250 taken"
    tls = session.tls
    assert (tls.wanted, tls.offered, tls.result, tls.reason, tls.verified) == (True, True, "", "", verified)
    assert tls.info.version == "TLS1.3"
    assert tls.judgements == {one.name: one.judge([b""]) for one in checks}
    assert smtpclient.tls_waived.labels("dane").value - waived == (Weight.WAIVED in [one.weight for one in checks])


async def test_unverified_server_gets_a_goodbye_and_nothing_else():
    async def serve():
        await server.greet("STARTTLS")
        await server.hear("STARTTLS")
        await server.say("220 go")
        await server.start_tls()
        await server.hear("QUIT")  # RFC 3207 §4.1
        await server.say("221 bye")

    async with socket_pair() as (near, far):
        server = Server(far)
        session = session_on(near, policy(TLSMode.REQUIRED, check(PASSED), check(EXPIRED, name="dane")))
        assert await talk(lambda: send(session), serve) == (
            "error temporary tls starttls: (4.7.5) the server's certificate is not verified (dane): certificate-expired, "
            "outside-of-its-dates [certificate-expired outside-of-its-dates]"
        )
    assert not session.tls.verified
    assert session.tls.judgements == {"pkix": PASSED, "dane": EXPIRED}


async def test_immediate_tls_and_login_bound_to_it():
    async def serve():
        await server.start_tls()
        await server.greet("AUTH SCRAM-SHA-256 SCRAM-SHA-256-PLUS")
        line = await server.line()
        assert line.startswith(b"AUTH SCRAM-SHA-256-PLUS ")
        await server.say("535 5.7.8 no")
        await server.hear("QUIT")
        await server.say("221 bye")

    login = LoginPolicy(Login("user", "pencil"), ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"))
    async with socket_pair() as (near, far):
        server = Server(far)
        session = session_on(near, replace(policy(TLSMode.IMMEDIATE), login=login))
        assert await talk(lambda: send(session), serve) == "error temporary login auth: 535 5.7.8 no"


async def old_tls(server: Server) -> None:
    context = server_context(key_pair(), Demands(min_version="TLSv1.0"))
    context.set_max_proto_version(SSL.TLS1_1_VERSION)
    server.stream = TLSStream(server.stream, context, server_side=True)
    with pytest.raises(TLSHandshakeError):
        await server.stream.do_handshake()


@pytest.mark.parametrize(("handshake", "reason"), [
    (lambda server: server.say("250 what handshake"), "tls-nottls"),
    (lambda server: server.stream.aclose(), "connection-lost-during-handshake"),
    (lambda server: server.stream.send_all(bytes([21, 3, 3, 0, 2, 2, 40])), "tls-remote-alert-40-handshake-failure"),
    (old_tls, "tls-remote-alert-70-protocol-version"),
])  # fmt: skip
async def test_failed_handshakes(handshake, reason):
    async def serve():
        await server.greet("STARTTLS")
        await server.hear("STARTTLS")
        await server.say("220 go")
        if handshake is not old_tls:
            await far.receive_some(10)  # Or what follows would come before the handshake.
        await handshake(server)

    async with socket_pair() as (near, far):
        server = Server(far)
        session = session_on(near, policy(TLSMode.OPPORTUNISTIC))
        came = await talk(lambda: send(session), serve)
    assert came.startswith("error temporary tls starttls: (4.7.5) TLS handshake failed: ")
    assert came.endswith(f" [validation-failure {reason}]")
    assert (session.tls.wanted, session.tls.reason, session.tls.info) == (True, reason, None)


async def test_handshake_that_does_not_come(autojump_clock):
    ours, theirs = trio.testing.memory_stream_pair()
    server = Server(theirs)

    async def serve():
        await server.greet("STARTTLS")
        await server.hear("STARTTLS")
        await server.say("220 go")

    session = session_on(ours, policy(TLSMode.REQUIRED))
    came = []

    async def run():
        came.append(await send(session))

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await serve()
    assert came[0].endswith("[validation-failure io-timeout-during-handshake]")
    assert round(trio.current_time() - began) == 60


async def test_requiretls_needs_a_verified_server():
    async def serve():
        await server.greet("STARTTLS")
        await server.hear("STARTTLS")
        await server.say("220 go")
        await server.start_tls()
        await server.hello("REQUIRETLS")
        await server.hear("QUIT")
        await server.say("221 bye")

    async with socket_pair() as (near, far):
        server = Server(far)
        session = session_on(near, policy(TLSMode.OPPORTUNISTIC, check(PASSED, Weight.REPORTED)))
        came = await talk(lambda: send(session, requiretls=True), serve)
    assert came == "permanent unsupported mail: (5.7.30) the server is not verified"


# ---- Many recipients, large messages. ----


async def test_a_server_that_answers_while_it_is_asked():
    """Both sides wait until the other has read everything: who does not listen while it speaks never ends."""
    ours, theirs = trio.testing.lockstep_stream_pair()

    class SmallBuffers(Server):
        async def _more(self):
            octets = await self.stream.receive_some(500)
            self._buffer += octets
            return bool(octets)

    server = SmallBuffers(theirs)
    many = [f"{'x' * 40}{number}@them.example" for number in range(100)]

    async def serve():
        await server.greet("PIPELINING")
        while (line := await server.line()) != b"DATA":
            await server.say("550 5.1.1 no" if b"7@" in line else "250 ok")
        await server.say("354 go")
        assert await server.message() == CONTENT
        await server.say("250 taken")
        await server.hear("QUIT")
        await server.say("221 bye")

    came = await talk(lambda: send(session_on(ours), *many), serve)
    assert came.split(" | ") == [
        "permanent refused rcpt: 550 5.1.1 no" if "7@" in one else "delivered 250 taken" for one in many
    ]


async def test_a_server_that_leaves_while_it_is_asked():
    async def serve():
        await server.greet("PIPELINING")
        await server.hear("MAIL FROM:<a@us.example>")
        await server.say("250 ok", "421 enough")
        await server.stream.aclose()

    many = [f"{'x' * 60}{number}@them.example" for number in range(100)]
    async with socket_pair() as (near, far):
        server = Server(far)
        came = await talk(lambda: send(session_on(near), *many), serve)
    assert came.split(" | ") == ["temporary refused rcpt: 421 4.0.0 enough"] * 100


LINE = b"0123456789" * 7 + b"\r\n"


def large(octets: bytes) -> Content:
    return Content(b"Prefix: x\r\n", len(octets), lambda start, end: octets[start:end])


async def test_large_message():
    body = b".dots\r\n" + LINE * 30_000 + b".\r\nend"

    async def serve():
        await server.greet()
        await server.take()
        got.append(await server.message())
        await server.say("250 taken")
        await server.hear("QUIT")
        await server.say("221 bye")

    got = []
    async with socket_pair() as (near, far):
        server = Server(far)
        assert await talk(lambda: send(session_on(near), content=large(body)), serve) == "delivered 250 taken"
    assert got == [b"Prefix: x\r\n" + body + b"\r\n"]


async def test_large_message_that_cannot_be_sent():
    """What is wrong is found when some of it is out; there is no end to it that the server could see."""
    body = LINE * 2000 + b"a\nb\r\n" + LINE

    async def serve():
        await server.greet()
        await server.take()
        octets = b""
        while more := await far.receive_some(65_536):
            octets += more
        assert b"\n.\r\n" not in octets

    async with socket_pair() as (near, far):
        server = Server(far)
        came = await talk(lambda: send(session_on(near), content=large(body)), serve)
    assert came == "permanent message mail: (5.6.0) the message has a bare CR or LF"


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_refusal_amid_a_large_message(reset):
    """The server does not wait for all of it. What it said is told, not that the connection broke."""
    body = LINE * 700_000

    async def serve():
        await server.greet()
        await server.take()
        await far.receive_some(1000)
        await server.say("552 5.3.4 enough of that")
        if reset:
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await far.aclose()

    async with socket_pair() as (near, far):
        server = Server(far)
        session = session_on(SocketStream(socket.socket(fileno=near.socket.detach())))
        came = await talk(lambda: send(session, content=large(body)), serve)
    expected = "permanent refused content: 552 5.3.4 enough of that"
    # With a reset the kernel may throw away what came before it.
    assert came == expected or (reset and came.startswith("temporary connection content: (4.4.2) "))


async def test_what_is_final_is_told_after_each_transaction():
    told = []

    async def settled(outcomes):
        told.append({at: isinstance(one, Delivered) for at, one in outcomes.items()})

    async def client():
        async with session:
            await session.open()
            assert session.reusable
            outcomes = await session.deliver(
                transaction("b@x.example", "c@x.example", "d@x.example"), Content.of(CONTENT), settled=settled
            )
            assert not session.reusable
            assert common_failure(outcomes) is None
            assert common_failure(outcomes[2:]).fault is Fault.CONNECTION
            return ""

    async def serve():
        await server.greet("LIMITS RCPTMAX=1")
        await server.take()
        await server.message()
        await server.say("250 taken")
        await server.hear("MAIL FROM:<a@us.example>")
        await server.stream.aclose()

    async with socket_pair() as (near, far):
        server, session = Server(far), session_on(near)
        await talk(client, serve)
    assert told == [{0: True}, {1: False}, {2: False}]


async def test_two_messages_on_one_connection():
    async def client():
        async with session:
            await session.open()
            for _ in range(2):
                assert session.reusable
                (outcome,) = await session.deliver(transaction(), Content.of(CONTENT))
                assert isinstance(outcome, Delivered)
            (outcome,) = await session.deliver(transaction(smtputf8=True), Content.of(CONTENT))
            assert short(outcome) == "permanent unsupported mail: (5.6.7) the server does not support SMTPUTF8"
            assert session.reusable
            return ""

    async def serve():
        await server.greet()
        for _ in range(2):
            await server.take()
            await server.message()
            await server.say("250 taken")
        await server.hear("QUIT")
        await server.say("221 bye")

    async with socket_pair() as (near, far):
        server, session = Server(far), session_on(near)
        await talk(client, serve)


async def test_idle_connection_that_was_closed_is_not_used_again():
    async with socket_pair() as (near, far):
        server = Server(far)
        session = session_on(SocketStream(socket.socket(fileno=near.socket.detach())))

        async def client():
            async with session:
                await session.open()
                assert session.reusable
                waiting.set()
                await left.wait()
                await trio.lowlevel.wait_readable(session.connection.stream.socket)
                assert not session.reusable
                (outcome,) = await session.deliver(transaction(), Content.of(CONTENT))
                return short(outcome)

        async def serve():
            await server.greet()
            await waiting.wait()
            await server.say("421 idle for too long")
            await server.stream.aclose()
            left.set()

        waiting, left = trio.Event(), trio.Event()
        assert await talk(client, serve) == "temporary refused mail: 421 4.0.0 idle for too long"


# ---- The end of the house. ----


async def test_nothing_is_begun_when_the_house_stops():
    shutdown = Shutdown()

    async def serve():
        await server.greet()
        await server.hear("MAIL FROM:<a@us.example>")
        shutdown.request()
        assert await server.line() == b""

    async with socket_pair() as (near, far):
        server = Server(far)
        came = await talk(lambda: send(session_on(near, shutdown=shutdown)), serve)
    assert came == "temporary shutdown mail: (4.3.2) stopped before the message was sent"
    async with socket_pair() as (near, _):
        came = await send(session_on(near, shutdown=shutdown))
    assert came == "error temporary shutdown greeting: (4.3.2) stopped before the message was sent"


async def test_a_message_amid_which_the_house_stops_is_not_delivered():
    shutdown = Shutdown()
    body = LINE * 700_000

    async def serve():
        await server.greet()
        await server.take()
        await far.receive_some(1000)
        shutdown.request()
        received = b""
        while more := await far.receive_some(1 << 20):
            received = received[-10:] + more
        assert not received.endswith(b"\r\n.\r\n")

    async with socket_pair() as (near, far):
        server = Server(far)
        came = await talk(lambda: send(session_on(near, shutdown=shutdown), content=large(body)), serve)
    assert came == "temporary shutdown content: (4.3.2) stopped before the message was sent"


async def test_the_word_on_a_message_is_waited_for_when_the_house_stops():
    """It may be delivered already, and would be delivered again."""
    shutdown = Shutdown()

    async def serve():
        await server.greet()
        await server.take()
        await server.message()
        await settled()
        shutdown.request()
        await settled()
        await server.say("250 taken")
        await server.hear("QUIT")

    async with socket_pair() as (near, far):
        server = Server(far)
        assert await talk(lambda: send(session_on(near, shutdown=shutdown)), serve) == "delivered 250 taken"


async def test_cancelled():
    """The connection is closed at once, without a word."""
    async with socket_pair() as (near, far):
        server = Server(far)
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, session_on(near))
                await server.greet()
                await server.hear("MAIL FROM:<a@us.example>")
                nursery.cancel_scope.cancel()
            assert await server.line() == b""


async def test_a_reply_in_drops(autojump_clock):
    """One octet every minute keeps no session busy beyond the time for the whole reply, not even after the dot."""
    ours, theirs = trio.testing.memory_stream_pair()
    server = Server(theirs)
    came = []

    async def run():
        came.append(await send(session_on(ours)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await server.greet()
        await server.take()
        await server.message()
        began = trio.current_time()
        while not came:
            with suppress(trio.BrokenResourceError):
                await server.send(b"2" if trio.current_time() == began else b"5")
            await trio.sleep(60)
    assert came == ["temporary timeout content: (4.4.2) no answer in time (content)"]
    assert trio.current_time() - began <= 11 * 60


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
async def test_traces_have_no_passwords_and_no_messages(mechanism):
    written = io.StringIO()
    logs.configure("trace", stream=written)

    async def serve():
        await server.greet(f"AUTH {mechanism}")
        while not (line := await server.line()).startswith(b"MAIL"):
            assert line, "left before"
            # Wrong for the last step of each, and right for those before.
            step = {b"AUTH LOGIN": "334 VXNlcm5hbWU6", b"dXNlcg==": "334 UGFzc3dvcmQ6"}.get(line, "235 welcome")
            await server.say(step)
            if mechanism.startswith("SCRAM"):
                return
        await server.say("250 ok")
        await server.hear("RCPT TO:<b@them.example>")
        await server.say("250 ok")
        await server.hear("DATA")
        await server.say("354 go")
        await server.message()
        await server.say("250 taken")
        await server.hear("QUIT")
        await server.say("221 bye")

    login = LoginPolicy(Login("user", "pencil"), (mechanism,), insecure_passwords=True)
    try:
        async with socket_pair() as (near, far):
            server = Server(far)
            await talk(lambda: send(session_on(near, replace(PLAIN, login=login))), serve)
    finally:
        logs.configure("error")
    text = written.getvalue()
    assert 'm="S: 250-mx.example' in text
    assert "C: ***" in text
    for secret in ("pencil", "cGVuY2ls", "AHVzZXIAcGVuY2ls", "dXNlcg", ".hi"):
        assert secret not in text, secret


# ---- Connections. ----


async def test_connections_are_counted():
    def counts():
        return {name: smtpclient.connections.labels(name).value for name in ("ok", "error", "timeout", "canceled")}

    before = counts()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        with pytest.raises(ClientError) as refused:
            await connect([HERE], port, log=Log("queue.test"))
        listener.listen(1)
        connection = await connect([HERE], port, log=Log("queue.test"))
        assert (connection.remote, connection.remote_port) == (HERE, port)
        await connection.aclose()
    with pytest.raises(ClientError) as slow:
        await connect([HERE], port, log=Log("queue.test"), seconds=0)
    assert short(refused.value) == "error temporary connection : (4.4.1) cannot connect: 127.0.0.1: Connection refused"
    assert slow.value.failure.status == (4, 4, 1)
    after = counts()
    assert {name: after[name] - before[name] for name in after} == {"ok": 1, "error": 1, "timeout": 1, "canceled": 0}


async def test_replies_are_timed():
    async def serve():
        await server.say("554 5.7.1 no")
        await server.hear("QUIT")
        await server.say("221 2.0.0 bye")

    async with socket_pair() as (near, far):
        server = Server(far)
        await talk(lambda: send(session_on(near)), serve)
    assert {("greeting", "554", "7.1"), ("quit", "221", "0.0")} <= smtpclient.command_durations.series.keys()

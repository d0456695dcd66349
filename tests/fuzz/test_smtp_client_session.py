"""A session with a server that says anything, at any time, and leaves at any time: outcomes or a ClientError, in time."""

from ipaddress import ip_address

import trio
import trio.testing
from hypothesis import given, settings as effort, strategies as st

from appliance.base.log import Log
from appliance.net.outgoing import Outgoing
from appliance.protocol.sasl.client import MECHANISMS, Login
from appliance.protocol.smtp.client import Delivered
from appliance.protocol.smtp.failure import ClientError, Failure
from appliance.queue.smtpclient import Content, Session
from appliance.queue.smtpsettings import LoginPolicy, Settings, TLSMode, TLSPolicy
from appliance.tls.context import client_context
from support import quiet
from support.smtpclientdriver import CONTENT, transaction

WORDS = [
    *(b"220 hi\r\n", b"250 ok\r\n", b"354 go\r\n", b"250-x\r\n", b"221 bye\r\n", b"421 bye\r\n", b"235 in\r\n", b"334 \r\n"),
    *(b"250-mx\r\n250-SIZE 9999\r\n250-LIMITS RCPTMAX=2\r\n250-AUTH PLAIN CRAM-MD5 SCRAM-SHA-256\r\n250 PIPELINING\r\n",),
    *(b"250-mx\r\n250 STARTTLS\r\n", b"550 5.1.1 no\r\n", b"452 many\r\n", b"500 what\r\n", b"250", b"\r\n", b"x"),
]  # fmt: skip
#: Mostly a reply for each thing that is said, sometimes a pause, seldom the end.
ACTIONS = st.lists(
    st.one_of(*[st.sampled_from(WORDS)] * 8, st.binary(max_size=4), st.sampled_from([5, 100, 400]), st.none()),
    max_size=25,
)
OK = b"250 ok\r\n"
BEGINNINGS = st.sampled_from([
    [],
    [b"220 hi\r\n", WORDS[8]],
    [b"220 hi\r\n", WORDS[8], OK * 3 + b"452 many\r\n354 go\r\n"],
    [b"220 hi\r\n", b"250 mx\r\n", OK],
    [b"220 hi\r\n", b"250 mx\r\n", *[OK] * 4, b"354 go\r\n"],
])  # fmt: skip
MODES = st.sampled_from([TLSMode.SKIP] * 6 + [*TLSMode])
HERE = ip_address("127.0.0.1")


class NoChance:
    def token_bytes(self, count: int, /) -> bytes:
        return bytes(count)


@effort(max_examples=250, deadline=None)
@given(BEGINNINGS, ACTIONS, MODES, st.booleans())
def test_any_server(beginning, actions, mode, login):
    async def play() -> None:
        ours, theirs = trio.testing.memory_stream_pair()

        async def serve() -> None:
            for action in [*beginning, *actions]:
                try:
                    if action is None:
                        break
                    if isinstance(action, int):
                        await trio.sleep(action)
                    else:
                        with trio.move_on_after(1):  # Most servers wait until they are asked.
                            await theirs.receive_some(10_000)
                        await theirs.send_all(action)
                except trio.BrokenResourceError:
                    break
            await theirs.aclose()

        policy = LoginPolicy(Login("user", "pencil"), MECHANISMS, insecure_passwords=True) if login else None
        settings = Settings(ehlo_name="us.example", tls=TLSPolicy(mode, client_context(), "mx.example"), login=policy)
        connection = Outgoing(ours, remote=HERE, remote_port=25, local=HERE, log=Log("queue.test"))
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            try:
                async with Session(connection, settings, random=NoChance()) as session:
                    await session.open()
                    for _ in range(2):
                        outcomes = await session.deliver(
                            transaction("b@x.example", "c@x.example", "d@x.example"), Content.of(CONTENT)
                        )
                        assert len(outcomes) == 3
                        assert all(isinstance(one, Delivered | Failure) for one in outcomes)
            except ClientError:
                pass
            assert trio.current_time() - began < 45 * 60

    trio.run(play, clock=quiet.jumping_clock())

"""Any octets of a server: an event or a ClientError, an outcome for every recipient, and no memory for the hostile."""

from hypothesis import given, settings as effort, strategies as st

from appliance.mail.status import Status
from appliance.protocol.lines import NEED_DATA
from appliance.protocol.sasl import client as sasl
from appliance.protocol.smtp.client import Settled
from appliance.protocol.smtp.failure import Failure, Fault, temporary
from support.smtpclientdriver import LIMITS, Sending, transaction

WORDS = [
    *(b"220 hi\r\n", b"250 ok\r\n", b"354 go\r\n", b"250-x\r\n", b"250 PIPELINING\r\n", b"250 STARTTLS\r\n", b"221 bye\r\n"),
    *(b"250-mx\r\n250-SIZE 9\r\n250-SMTPUTF8\r\n250-LIMITS RCPTMAX=1\r\n250 PIPELINING\r\n", b"250-mx\r\n250 AUTH PLAIN\r\n"),
    *(b"334 \r\n", b"334 cj14LHM9UVE9PSxpPTQwOTY=\r\n", b"334 !\r\n", b"235 in\r\n", b"535 out\r\n", b"421 bye\r\n"),
    *(b"550 5.1.1 no\r\n", b"452 many\r\n", b"451 later\r\n", b"500 what\r\n", b"250\r\n", b"250", b"-", b" ", b"\r\n", b"\n", b"\r"),
]  # fmt: skip
GREETED = b"220 hi\r\n"
SERVER = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=4)), max_size=30)
MESSAGES = [transaction("b@x.example", "c@x.example"), transaction("d@x.example", smtputf8=True), transaction()]
MECHANISMS = st.sampled_from(["", *sasl.MECHANISMS])


def play(sending: Sending, pieces: list[bytes]) -> None:
    """Feed what is due, and what is not as well; every transaction must be settled in the end."""
    for piece in pieces:
        sending.receive_data(piece)
        while (event := sending.next_event()) is not NEED_DATA:
            assert isinstance(event, str)
        reader = sending.connection._reader
        assert len(reader._lines) <= LIMITS.line_octets + max(map(len, pieces)) + 2000
        assert sum(map(len, reader._texts)) <= LIMITS.reply_octets
    was_open = sending.connection.in_transaction
    settled = sending.connection.abandon(temporary(Fault.CONNECTION, "", Status(4, 4, 2), "gone"))
    assert was_open == isinstance(settled, Settled)
    if settled is not None:
        assert any(isinstance(one, Failure) for one in settled.outcomes)


@effort(max_examples=400, deadline=None)
@given(SERVER, st.booleans(), MECHANISMS, st.booleans())
def test_any_octets(pieces, start_tls, mechanism, greeted):
    play(Sending(MESSAGES, start_tls, mechanism), [GREETED, *pieces] if greeted else pieces)


@effort(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.integers(1, 300))
def test_repeated(octets, times):
    play(Sending(MESSAGES), [GREETED, *[octets] * times])

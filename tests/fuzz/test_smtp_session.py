"""Whole sessions with a store behind them: whatever comes, replies are well formed, nothing breaks, and it ends."""

import contextlib
import itertools
import logging
import re

import pytest
import trio
from hypothesis import HealthCheck, given, settings as effort, strategies as st

from appliance.protocol.smtp.settings import Kind
from support.smtphouse import House, open_house

DOMAINS = """\
[domains."example.org"]
[accounts.alice.destinations]
"alice@example.org" = {}
"""
HELLOS = {Kind.DELIVERY: b"EHLO x.example\r\n", Kind.SUBMISSION: b"EHLO x\r\n", Kind.LMTP: b"LHLO x.example\r\n"}
LOGIN = b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAGNvcnJlY3QgaG9yc2U=\r\n"
COMMANDS = [
    b"NOOP\r\n", b"RSET\r\n", b"HELP\r\n", b"VRFY x\r\n", b"EHLO x.example\r\n", b"HELO x.example\r\n", b"LHLO x.example\r\n",
    b"STARTTLS\r\n", b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\n", b"AUTH SCRAM-SHA-256 biwsbj1hLHI9MTIzNDU2Nzg5\r\n", b"*\r\n", LOGIN,
    b"MAIL FROM:<>\r\n", b"MAIL FROM:<alice@example.org> SMTPUTF8 BODY=8BITMIME\r\n", b"MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n",
    b"MAIL FROM:<a@b.example> SIZE=999999999\r\n", b"RCPT TO:<alice@example.org>\r\n", b"RCPT TO:<alice@example.org> NOTIFY=SUCCESS\r\n",
    b"RCPT TO:<no@example.org>\r\n", b"RCPT TO:<a@b.example>\r\n", b"RCPT TO:<postmaster>\r\n",
    b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n", b"DATA\r\n", b".\r\n", b"\r\n.\r\n", b"From: alice@example.org\n.\r\n", b"a\rb\r\n.\r\n",
    b"BDAT 3\r\nX: ", b"BDAT 6 LAST\r\ny\r\n\r\n\0", b"BDAT 0 LAST\r\n", b"BDAT 100001\r\n", b"BDAT -1\r\n", b"BDAT 2 LAST\r\n",
    b"QUIT\r\n", b"\r\n", b"\xff\xfe\r\n", b"x" * 3000 + b"\r\n",
]  # fmt: skip
PIECES = st.lists(st.one_of(st.sampled_from(COMMANDS), st.binary(max_size=8)), max_size=30)
_REPLY = re.compile(rb"[2345][0-9]{2}[ -][^\r\n\x00-\x1f]*")


class Bugs(logging.Handler):
    """Collects what the house calls an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{record.getMessage()} {record.exc_info}")


async def _converse(house: House, octets: bytes, cuts: list[int]) -> bytes:
    """Send the octets in pieces and hang up; all that was said. Ends when the session does."""
    client = house.connect()
    places = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    with contextlib.suppress(trio.BrokenResourceError):  # It may have heard enough.
        for start, end in itertools.pairwise(places):
            await client.send(octets[start:end])
    await client.stream.send_stream.aclose()
    said = b""
    while more := await client.stream.receive_some(65_536):
        said += more
    return said


@pytest.mark.parametrize("kind", list(Kind))
@effort(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=PIECES, cuts=st.lists(st.integers(0, 10_000), max_size=6), greeted=st.booleans(), pedantic=st.booleans())
def test_any_session(kind, tmp_path_factory, pieces, cuts, greeted, pedantic):
    beginning = HELLOS[kind] + (LOGIN if kind is Kind.SUBMISSION else b"") if greeted else b""
    octets = beginning + b"".join(pieces)

    async def run() -> tuple[bytes, bytes]:
        with trio.fail_after(60):
            async with open_house(tmp_path_factory.mktemp("house"), DOMAINS, kind=kind, pedantic=pedantic) as house:
                return await _converse(house, octets, cuts), await _converse(house, octets, [])

    bugs = Bugs()
    logger = logging.getLogger("moxpy")
    logger.addHandler(bugs)
    try:
        in_pieces, whole = trio.run(run)
    finally:
        logger.removeHandler(bugs)
    assert not bugs.found
    for said in (in_pieces, whole):
        assert said.endswith(b"\r\n")
        for line in said[:-2].split(b"\r\n"):
            assert len(line) <= 510
            assert _REPLY.fullmatch(line), line
    if not pedantic and kind is not Kind.SUBMISSION:  # Nonces and times differ there.
        assert [line[:4] for line in in_pieces.split(b"\r\n")] == [line[:4] for line in whole.split(b"\r\n")]

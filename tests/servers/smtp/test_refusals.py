"""What is logged and counted of refusals, and what is said when we are in trouble ourselves."""

import errno
import logging

import pytest

from appliance.base.log import Formatter
from appliance.base.metrics import panics
from appliance.delivery.appliance import Failure, WorldPolicy
from appliance.protocol.smtp.settings import Kind
from appliance.serve import REFUSALS
from appliance.servers.smtp import mx
from appliance.servers.smtp.session import durations
from appliance.store.spool import Spool
from support.quiet import settled
from support.smtphouse import open_house

DOMAINS = """\
[domains."example.org"]
[accounts.alice.destinations]
"alice@example.org" = {}
"""
BEGINNING = b"HELO x.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\n"


class Lines(logging.Handler):
    def __init__(self):
        super().__init__(logging.INFO)
        self.lines = []
        self.setFormatter(Formatter())

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def lines():
    handler, logger = Lines(), logging.getLogger("moxpy")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)


async def say(client, octets, *codes):
    """Send; the replies must begin as told."""
    await client.send(octets)
    for code in codes:
        line = await client.line()
        assert line.startswith(code), line


async def test_one_line_for_each_refusal(tmp_path, lines):
    async with open_house(tmp_path, DOMAINS) as house:
        client = house.connect()
        await say(client, BEGINNING, b"220", b"250", b"250", b"250")
        await say(client, b"RCPT TO:<bogus@test.example>\r\n", b"550 5.1.1")
        await say(client, b"RSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bogus@example.org>\r\n", b"250", b"250", b"250")
        await say(client, b"DATA\r\n\r\n.\r\n", b"354", b"550 5.1.1")
        await say(client, b"MAIL FROM:<a@[192.0.2.1]>\r\n", b"550 5.7.0")
        stranger = house.connect()
        await say(stranger, b"GET / HTTP/1.1\r\n", b"220", b"500 5.5.2")
    shown = [line for line in lines if " refused" in line]
    assert len(shown) == 4
    for line, parts in zip(
        shown,
        [
            ["recipient refused", "code=550", "ecode=5.1.1", "rcptto=bogus@test.example", "mailfrom=a@b.example"],
            ["message refused", "code=550", "ecode=5.1.1", "recipients=[bogus@example.org]"],
            ["sender refused", "code=550", "ecode=5.7.0"],
            ["conversation refused", "code=500", "ecode=5.5.2", "GET / HTTP/1.1"],
        ],
        strict=True,
    ):
        assert all(part in line for part in ["remoteip=192.0.2.1", "reason=", *parts]), line


@pytest.mark.parametrize(
    ("why", "said"), [("rate", b"421 4.7.0 "), ("open", b"421 4.7.0 "), ("shutdown", b"421 4.3.2 ")]
)
async def test_who_is_turned_away_can_ask_about_it(tmp_path, why, said):
    async with open_house(tmp_path, DOMAINS) as house:
        line = REFUSALS["smtp"](house.app, why, 17)
        assert line.startswith(said)
        assert house.app.received_ids.decode(line.decode()[-25:-3]) == 17


async def test_durations_have_no_label_of_the_client(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        client = house.connect()
        await say(client, b"NOOP\r\nXYZZY\r\nMAIL FROM:<>\r\n", b"220", b"250", b"500 5.5.1", b"503 5.5.1")
        await say(client, BEGINNING + b"BDAT 2 LAST\r\n\r\n", b"250", b"250", b"250", b"250 2.2.0")
    known = set(durations.series)
    assert {
        ("smtp", "(unknown)", "500", "5.1"),
        ("smtp", "mail", "503", "5.1"),
        ("smtp", "bdat", "250", "2.0"),
        ("smtp", "helo", "250", ""),
    } <= known
    assert not any("xyzzy" in labels[1].lower() for labels in known)


@pytest.mark.parametrize(
    ("number", "reply"), [(errno.ENOSPC, b"452 4.3.1"), (errno.EDQUOT, b"452 4.3.1"), (errno.EIO, b"451 4.3.0")]
)
@pytest.mark.parametrize("command", [b"DATA\r\nX: y\r\n\r\n.\r\n", b"BDAT 8 LAST\r\nX: y\r\n\r\n"])
async def test_no_room(tmp_path, monkeypatch, lines, number, reply, command):
    async def write(self, octets):
        raise OSError(number, "trouble")

    async with open_house(tmp_path, DOMAINS) as house:
        client = house.connect()
        await say(client, BEGINNING, b"220", b"250", b"250", b"250")
        with monkeypatch.context() as patch:
            patch.setattr(Spool, "write", write)
            await say(client, command, *([b"354"] if command.startswith(b"DATA") else []), reply)
        # It was read to its end, and the next one comes in.
        await say(client, BEGINNING + b"BDAT 2 LAST\r\n\r\n", b"250", b"250", b"250", b"250 2.2.0")
        assert house.messages() == {"alice/Inbox": ["alice@example.org"]}
    # The error itself stands in the line, beside its trace.
    assert any("l=error" in line and "trouble" in line and "stack=" in line for line in lines)


async def test_a_bug_ends_one_connection(tmp_path, monkeypatch, lines):
    async def bug(*_):
        raise RuntimeError("a bug")

    before = panics.labels("smtpserver").value
    async with open_house(tmp_path, DOMAINS) as house:
        client, other = house.connect(), house.connect()
        await say(client, BEGINNING, b"220", b"250", b"250", b"250")
        await say(other, BEGINNING, b"220", b"250", b"250", b"250")
        with monkeypatch.context() as patch:
            patch.setattr(mx, "process", bug)
            await say(client, b"DATA\r\n\r\n.\r\n", b"354", b"421 4.3.0", b"")
        await say(other, b"DATA\r\n\r\n.\r\n", b"354", b"250 2.2.0")
    assert panics.labels("smtpserver").value == before + 1
    assert any("l=error" in line and "RuntimeError: a bug" in line for line in lines)


@pytest.mark.parametrize(
    ("octets", "codes"),
    [
        pytest.param(b"", [b"220"], id="at once"),
        pytest.param(b"HELO x.example\r\nMAIL FROM:<a@b.exa", [b"220", b"250"], id="within a command"),
        pytest.param(BEGINNING + b"DATA\r\nX: y\r\n", [b"220", *[b"250"] * 3, b"354"], id="within a message"),
        pytest.param(BEGINNING + b"BDAT 9 LAST\r\nX: y\r\n", [b"220", *[b"250"] * 3], id="within a chunk"),
    ],
)
async def test_clients_that_leave(tmp_path, lines, octets, codes):
    async with open_house(tmp_path, DOMAINS) as house:
        client = house.connect()
        await client.send(octets)
        await client.stream.send_eof()
        assert [(await client.line())[:3] for _ in [*codes, b""]] == [*codes, b""]
        assert house.spooling == 0
        assert house.messages() == {}
    assert not any("l=error" in line for line in lines)


@pytest.mark.parametrize(
    ("octets", "codes"),
    [
        pytest.param(b"DATA\r\n\r\n.\r\n", [b"354", b"250 2.2.0"], id="stored"),
        pytest.param(b"DATA\r\nx\ry\r\n.\r\n", [b"354", b"500 5.5.2"], id="smuggling"),
        pytest.param(b"BDAT 99000\r\n" + bytes(99000) + b"BDAT 2000\r\n" + bytes(2000), [b"250", b"552"], id="large"),
        pytest.param(b"BDAT 1\r\nxRSET\r\n", [b"250 2.0.0", b"250 2.0.0"], id="RSET"),
        pytest.param(b"BDAT 1\r\nxHELO x.example\r\n", [b"250 2.0.0", b"250 mx"], id="HELO"),
        pytest.param(b"BDAT 1\r\nxEHLO x.example\r\n", [b"250 2.0.0", b"250-mx"], id="EHLO"),
    ],
)  # fmt: skip
async def test_nothing_is_left_of_a_message(tmp_path, octets, codes):
    async with open_house(tmp_path, DOMAINS) as house:
        client = house.connect()
        await say(client, BEGINNING + octets, b"220", b"250", b"250", b"250", *codes)
        await settled()
        assert house.spooling == 0


@pytest.mark.parametrize("kind", list(Kind))
async def test_shutdown(tmp_path, kind):
    async with open_house(tmp_path, DOMAINS, kind=kind) as house:
        client = house.connect()
        await say(client, b"NOOP\r\n", b"220", b"250")
        await settled()
        house.app.shutdown.request()
        await say(client, b"", b"421 4.3.2", b"")


async def test_a_message_has_half_an_hour(tmp_path, mock_clock):
    """However steadily it trickles."""
    async with open_house(tmp_path, DOMAINS) as house:
        client = house.connect()
        await say(client, BEGINNING + b"DATA\r\n", b"220", b"250", b"250", b"250", b"354")
        for seconds in [29] * 62 + [1, 2]:
            await client.send(b"x\r\n")
            assert await client.is_silent()
            mock_clock.jump(seconds)
        mock_clock.autojump_threshold = 0
        await say(client, b"", b"421 4.4.2 the message took too long", b"")


class Hanging(WorldPolicy):
    def failure(self, path, stage):
        return Failure(451, delay_seconds=3600) if path.localpart == f"{stage}timeout" else None


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(b"MAIL FROM:<mailfromtimeout@b.example>\r\n", id="MAIL"),
        pytest.param(b"MAIL FROM:<>\r\nRCPT TO:<rcpttotimeout@example.org>\r\n", id="RCPT"),
    ],
)
async def test_a_simulated_hang_lasts_an_hour(tmp_path, mock_clock, command):
    async with open_house(tmp_path, DOMAINS) as house:
        object.__setattr__(house.app, "policy", Hanging())
        client = house.connect()
        await say(client, b"HELO x.example\r\n", b"220", b"250")
        await client.send(command)
        await settled()
        mock_clock.jump(3599)
        if b"RCPT" in command:
            await say(client, b"", b"250")
        await settled()
        mock_clock.jump(2)
        await say(client, b"", b"451 4.0.0")

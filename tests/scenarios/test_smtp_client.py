"""Our client sending to a whole house of ours: every login, STARTTLS and TLS at once, and messages arrive whole."""

import imaplib
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.protocol.smtp.client import Delivered
from appliance.queue.smtpsettings import TLSMode
from interop.sending import message, of_all_kinds, sent, settings
from support import served
from support.streams import key_pair

USER = "mox@localhost"
MECHANISMS = (
    *("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"),
    "EXTERNAL",
)


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    with served.running(moxpy, tmp_path_factory.mktemp("house") / "local") as house:
        yield house


@pytest.fixture(scope="module")
def certificate(house: served.House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    path.write_text(ssl.get_server_certificate((house.host, house.imaps)))
    return path


def inbox(house: served.House, count: int) -> list[bytes]:
    """All messages there, once there are so many."""
    deadline = time.monotonic() + 120
    with imaplib.IMAP4(house.host, house.imap, timeout=60) as client:
        client.login(house.user, house.password)
        while int(client.select("INBOX", readonly=True)[1][0]) < count:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return [one[1] for one in client.fetch("1:*", "(BODY.PEEK[])")[1] if isinstance(one, tuple)]


def test_sending(moxpy: Path, house: served.House, certificate: Path):
    kinds = of_all_kinds(USER)
    utf8 = message("utf8", b"x\r\n", "грета@localhost", subject="Grüße", sender="söder@us.example")
    came = sent(house.smtp, settings(TLSMode.OPPORTUNISTIC, certificate), [*kinds, utf8])
    came += sent(house.smtp, settings(TLSMode.SKIP, certificate), [message("plaintext", b"x\r\n", USER)])
    wanted = [*kinds, utf8]
    several = message("several", b"x\r\n", USER, "rcptto550@localhost", "other@localhost")
    (outcomes,) = sent(house.smtp, settings(TLSMode.REQUIRED, certificate), [several])
    assert [getattr(one, "code", 250) for one in outcomes] == [250, 550, 250]

    pair = key_pair("us.example")
    config = str(house.log.parent / "local" / "moxpy.toml")
    subprocess.run(
        [str(moxpy), "--config", config, "config", "tlspubkey", "add", USER, "us"],
        input=pair.chain,
        check=True,
        capture_output=True,
        timeout=120,
    )
    for mechanism in MECHANISMS:
        login = (mechanism, house.user, house.password)
        ours = pair if mechanism == "EXTERNAL" else None
        for port, mode in ((house.submission, TLSMode.REQUIRED), (house.submissions, TLSMode.IMMEDIATE)):
            one = message(f"{mechanism}-{mode.value}", b"x\r\n", USER, sender=USER)
            one.octets = one.octets.replace(b"sender@us.example", USER.encode())
            came += sent(port, settings(mode, certificate, login, ours), [one])
            wanted.append(one)
    assert all(isinstance(one, Delivered) for outcomes in came for one in outcomes), came

    # With that in plain text, and the one for several: two of three recipients, who are one account.
    arrived = inbox(house, len(wanted) + 2)
    assert len(arrived) in {len(wanted) + 2, len(wanted) + 3}
    for one in wanted:
        (found,) = [octets for octets in arrived if f"Message-ID: <{one.name}@us.example>".encode() in octets]
        assert found.endswith(one.octets)

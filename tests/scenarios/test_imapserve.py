"""`moxpy admin imapserve` as tunnels and migration tools use it; Python's own IMAP client talks through it."""

import imaplib
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import served


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    with served.running(moxpy, tmp_path_factory.mktemp("house") / "local") as house:
        yield house


def words(moxpy: Path, house: served.House, *more: str) -> list[str]:
    assert house.log is not None
    return [str(moxpy), "--config", str(house.log.parent / "local" / "moxpy.toml"), "admin", "imapserve", *more]


def test_a_session_over_standard_input_and_output(moxpy, house):
    client = imaplib.IMAP4_stream(shlex.join(words(moxpy, house, house.user)))
    assert client.state == "AUTH"
    large = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 64 * 1024 + b"\r\n"
    assert client.append("Archive", None, None, large)[0] == "OK"
    client.select("Archive", readonly=True)
    assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == large
    assert client.logout()[0] == "BYE"


def test_the_quota_is_the_operators_to_set(moxpy, house):
    client = imaplib.IMAP4_stream(shlex.join(words(moxpy, house, house.user)))
    assert "QUOTASET" in client.capabilities
    assert client.setquota('""', "(STORAGE 70000)")[0] == "OK"
    client.logout()
    configured = [*words(moxpy, house)[:-2], "config", "account", "quota", house.user.partition("@")[0]]
    done = subprocess.run(configured, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.endswith("limit 71680000 bytes of the account\n")


def test_the_end_of_input_is_the_end(moxpy, house):
    done = subprocess.run(words(moxpy, house, house.user), input=b"", capture_output=True, timeout=120, check=True)
    assert done.stdout.startswith(b"* PREAUTH ")


def test_a_socket_that_is_standard_input(moxpy, house):
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(words(moxpy, house, "--fd0", house.user), stdin=theirs)
        ours.settimeout(30)
        assert ours.recv(1000).startswith(b"* PREAUTH ")
        ours.sendall(b"a LOGOUT\r\n")
        assert b"a OK " in ours.recv(1000)
        assert process.wait(120) == 0


def test_an_address_that_nobody_has(moxpy, house):
    done = subprocess.run(
        words(moxpy, house, "nobody@example.org"), input=b"", capture_output=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"no account has the address nobody@example.org" in done.stderr

"""Submission to a whole house, by Python's smtplib: the queue, held messages, extra data, limits, notices."""

import contextlib
import email
import email.policy
import imaplib
import json
import re
import smtplib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import served

LIMIT = 12


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    folder = tmp_path_factory.mktemp("house") / "local"
    with served.running(moxpy, folder):
        pass
    domains = folder / "domains.toml"
    text = domains.read_text().replace("[accounts.mox]\n", f"[accounts.mox]\nmax_outgoing_messages_per_day = {LIMIT}\n")
    domains.write_text(text.replace("max_outgoing", 'fromid_login_addresses = ["mox+id@localhost"]\nmax_outgoing'))
    with served.running(moxpy, folder) as house:
        yield house


@contextlib.contextmanager
def submission(house: served.House) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(house.host, house.submission, timeout=60) as client:
        client.login(house.user, house.password)
        yield client


def text(subject: str, fields: str = "") -> bytes:
    return f"From: mox@localhost\r\nSubject: {subject}\r\n{fields}\r\nhello\r\n".encode()


def wait(house: served.House, subject: str, count: int = 1) -> list[bytes]:
    """Messages of the Inbox with a subject, once there are so many."""
    deadline = time.monotonic() + 120
    with imaplib.IMAP4(house.host, house.imap, timeout=60) as client:
        client.login(house.user, house.password)
        client.select("INBOX")
        while True:
            numbers = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
            if len(numbers) >= count or time.monotonic() > deadline:
                return [client.fetch(number.decode(), "BODY.PEEK[]")[1][0][1] for number in numbers]
            client.noop()


def listed(moxpy: Path, house: served.House, *flags: str) -> str:
    assert house.log is not None
    config = next(house.log.parent.rglob("moxpy.toml"))
    done = subprocess.run(
        [str(moxpy), "queue", "list", "--config", str(config), *flags],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout + done.stderr


def test_a_days_work(moxpy, house):
    """In one test, since the limit at its end counts all that went before."""
    assert listed(moxpy, house) == "(none)\n"
    with submission(house) as client:
        client.sendmail("mox@localhost", ["mox@localhost", "mox+b@localhost"], text("two recipients"))
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("mox@localhost", ["mox@localhost"], text("x").replace(b"mox@l", b"other@l"))
        assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (550, b"5.7.1")
        client.sendmail("mox@localhost", ["mox@localhost"], text("extra", "X-Mox-Extra-order: 7\r\n"), ["HOLDFOR=600"])
        client.sendmail("mox@localhost", ["queue550@localhost"], text("refused"), ["RET=HDRS", "ENVID=job+2B1"])
        client.sendmail(
            "mox@localhost", ["queue451@localhost"], text("later"), (), ["NOTIFY=NEVER", "ORCPT=rfc822;a@b.example"]
        )
        client.sendmail("mox@localhost", ["mox+c@localhost"], text("success"), (), ["NOTIFY=SUCCESS"])
    (two,) = wait(house, "two recipients")
    assert b"\r\n\tid" in two.partition(b"Subject:")[0]
    assert b"127.0.0.1])\r\n\tby" not in two
    failed = email.message_from_bytes(wait(house, "Mail delivery failed")[0], policy=email.policy.default)
    about, recipient = list(failed.iter_parts())[1].get_payload()
    assert about["Original-Envelope-Id"] == "job+1"
    assert recipient["Final-Recipient"] == "rfc822; queue550@localhost"
    assert recipient["Status"] == "5.0.0 (failure as the address asks for)"
    assert len(wait(house, "Mail delivered")) == 1
    held, later = json.loads(listed(moxpy, house, "--json", "--account", "mox"))
    assert (held["subject"], held["extra"], held["future_release"], held["attempts"]) == (
        "extra",
        {"Order": "7"},
        "for;600",
        0,
    )
    assert held["next_attempt_microseconds"] - held["queued_microseconds"] == pytest.approx(600e6, abs=2e6)
    assert (later["to"], later["attempts"], later["results"][0]["code"]) == ("queue451@localhost", 1, 451)
    rows = listed(moxpy, house).splitlines()
    assert rows[0] == "messages:"
    assert re.search(r" from:<mox@localhost> to:<mox@localhost> next (10m|[0-9]m[0-9]+s)$", rows[1])
    assert ' error "451 4.0.0 ' in rows[2]
    assert "no account 'x'" in listed(moxpy, house, "--account", "x")
    with submission(house) as client:
        sent = 6
        while sent < LIMIT:
            client.sendmail("mox@localhost", ["mox@localhost"], text("many"))
            sent += 1
        with pytest.raises(smtplib.SMTPDataError) as over:
            client.sendmail("mox@localhost", ["mox@localhost"], text("one too many"))
    assert (over.value.smtp_code, over.value.smtp_error[:5]) == (451, b"4.7.1")
    assert b"12 messages" in over.value.smtp_error
    assert b"max_outgoing_messages_per_day" in over.value.smtp_error
    assert len(wait(house, "many", LIMIT - 6)) == LIMIT - 6

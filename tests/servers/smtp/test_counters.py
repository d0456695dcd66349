"""What is counted of SMTP, under which names and with which labels: dashboards and alert rules are built on them."""

from dataclasses import replace
from pathlib import Path

import pytest

import appliance.serve  # noqa: F401  Declares all metrics there are.
from appliance.base import metrics
from appliance.base.metrics import Counter
from appliance.delivery.appliance import Failure, WorldPolicy
from appliance.delivery.receive import deliveries
from appliance.net.limiter import Limiter, Window
from appliance.operations import login
from appliance.operations.submit import submissions
from appliance.protocol.smtp.settings import Kind
from appliance.servers.smtp import session
from appliance.store import queued
from appliance.store.problems import StoreFailed
from support import smtpclient
from support.imaphouse import Client
from support.smtphouse import House, open_house

DOMAINS = (Path(__file__).parents[2] / "transcripts" / "smtp" / "domains.toml").read_text()


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("smtpserver_connection_total", ("kind",)),
        ("smtpserver_command_duration_seconds", ("kind", "cmd", "code", "ecode")),
        ("smtpserver_delivery_total", ("result", "reason")),
        ("smtpserver_submission_total", ("result",)),
        ("smtpserver_errors_total", ("error",)),
        ("smtpserver_delivery_starttls_total", ()),
        ("smtpserver_delivery_starttls_errors_total", ("reason",)),
        ("authentication_total", ("kind", "variant", "result")),
        ("authentication_ratelimited_total", ("kind",)),
        ("panic_total", ("pkg",)),
    ],
)
def test_names_and_labels(name: str, labels: tuple[str, ...]) -> None:
    (found,) = [one for one in metrics._declared if one.name == name]
    assert tuple(found.label_names) == labels


class Failing(WorldPolicy):
    """Fails where a localpart says so, as the house for tests does."""

    def failure(self, path, stage):
        return Failure(451) if path.localpart == "shut" and stage == "data" else None


async def skip(client: Client, *codes: str) -> None:
    for code in codes:
        line = await client.line()
        while line[3:4] == b"-":
            line = await client.line()
        assert line.decode().startswith(code), line


async def transact(client: Client, sender: str, recipient: str, message: str, code: str) -> None:
    await client.send(f"MAIL FROM:{sender}\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
    await skip(client, "250", "250", "354")
    await client.send(f"{message}\r\n.\r\n".encode())
    await skip(client, code)


async def greet(house: House) -> Client:
    client = house.connect()
    await client.send(b"HELO client.example\r\n")
    await skip(client, "220", "250")
    return client


def changed(counter: Counter, before: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """What was counted since."""
    now = {labels: one.value for labels, one in counter.series.items()}
    return {labels: value - before.get(labels, 0) for labels, value in now.items() if value != before.get(labels, 0)}


def values(counter: Counter) -> dict[tuple[str, ...], float]:
    return {labels: one.value for labels, one in counter.series.items()}


@pytest.mark.parametrize("kind", list(Kind))
async def test_connections(tmp_path: Path, kind: Kind) -> None:
    before = values(session.connections)
    async with open_house(tmp_path, DOMAINS, kind=kind) as house:
        for _ in range(2):
            await skip(house.connect(), "220")
    assert changed(session.connections, before) == {(kind.value,): 2}


@pytest.mark.parametrize(
    ("recipient", "code", "result"),
    [
        pytest.param("alice", "250", ("delivered", "no-bad-signals"), id="delivered"),
        pytest.param("nobody", "550", ("unknownuser", ""), id="unknown"),
        pytest.param("tiny", "452", ("accounterror", "quota"), id="over quota"),
        pytest.param("team", "550", ("reject", "notmember"), id="not a member"),
        pytest.param("shut", "451", ("delivererror", "simulated"), id="on purpose"),
    ],
)
async def test_deliveries(tmp_path: Path, recipient: str, code: str, result: tuple[str, ...]) -> None:
    before = values(deliveries)
    async with open_house(tmp_path, DOMAINS) as house:
        house.app = replace(house.app, policy=Failing())
        await transact(await greet(house), "<x@a.example>", f"{recipient}@example.org", "\r\nx", code)
    assert changed(deliveries, before) == {result: 1}


FROM_FEW = "From: few@example.org\r\n\r\nx"


@pytest.mark.parametrize(
    ("recipient", "message", "pedantic", "code", "result"),
    [
        pytest.param("alice", FROM_FEW, False, "250", "ok", id="ok"),
        pytest.param("alice", "\r\nx", False, "550 5.6.0", "badmessage", id="no From"),
        pytest.param("alice", "From: bob@example.org\r\n\r\nx", False, "550 5.7.1", "badfrom", id="another's From"),
        pytest.param("alice", f"Return-Path: <>\r\n{FROM_FEW}", True, "550 5.6.0", "badheader", id="Return-Path"),
        pytest.param("alice", f"X: \u00e9\r\n{FROM_FEW}", True, "550 5.6.0", "missingsmtputf8", id="UTF-8"),
        pytest.param("shut", FROM_FEW, False, "451", "localserveerror", id="on purpose"),
        pytest.param("bob", FROM_FEW, False, "451 4.3.0", "queueerror", id="not written"),
    ],
)
async def test_submissions(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recipient: str,
    message: str,
    pedantic: bool,
    code: str,
    result: str,
) -> None:
    def add(*_: object) -> None:
        raise StoreFailed("no room")

    async with open_house(tmp_path, DOMAINS, kind=Kind.SUBMISSION, pedantic=pedantic) as house:
        house.app = replace(house.app, policy=Failing())
        client = await greet(house)
        await smtpclient.authenticate(client, "PLAIN", "few@example.org")
        await skip(client, "235")
        before = values(submissions)
        with monkeypatch.context() as patch:
            if result == "queueerror":
                patch.setattr(queued, "add", add)
            sender = "<few@example.org> BODY=8BITMIME"
            await transact(client, sender, f"{recipient}@example.org", message, code)
        assert changed(submissions, before) == {(result,): 1}


@pytest.mark.parametrize(
    ("to", "result"),
    [
        pytest.param(["alice"] * 5, "messagelimiterror", id="messages"),
        pytest.param(["alice", "bob", "carol"], "recipientlimiterror", id="recipients"),
    ],
)
async def test_limits_of_an_account(tmp_path: Path, to: list[str], result: str) -> None:
    async with open_house(tmp_path, DOMAINS, kind=Kind.SUBMISSION) as house:
        client = await greet(house)
        await smtpclient.authenticate(client, "PLAIN", "few@example.org")
        await skip(client, "235")
        before = values(submissions)
        for number, one in enumerate(to, 1):
            code = "451 4.7.1" if number == len(to) else "250"
            await transact(client, "<few@example.org>", f"{one}@example.org", FROM_FEW, code)
        assert changed(submissions, before) == {("ok",): len(to) - 1, (result,): 1}


async def test_networks_turned_away(tmp_path: Path) -> None:
    before = values(login.rate_limited)
    async with open_house(tmp_path, DOMAINS, kind=Kind.SUBMISSION) as house:
        house.app = replace(house.app, login_failures=Limiter([Window(60, (1, 9, 9))]))
        client = await greet(house)
        await smtpclient.authenticate(client, "PLAIN", "nobody@example.org", "wrong")
        await skip(client, "535")
        await skip(house.connect(), "421 4.7.0")
        # Mail of other servers does not log in, and is not turned away for others who did.
        house.door = replace(house.door, protocol=replace(house.door.protocol, kind=Kind.DELIVERY))
        await skip(house.connect(), "220")
    assert changed(login.rate_limited, before) == {("submission",): 1}

"""SORT and THREAD of many messages beside plain ways to the same; messages of older programs; erased ones."""

import random
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from appliance.mail import forest
from appliance.store import message, ordering, searching
from appliance.store.tables import Table, message_key
from appliance.store.transaction import WriteTx
from support.imaphouse import Client, House, open_house

START = datetime(2024, 1, 1, tzinfo=UTC)


class Mail:
    """What one message says, and how it is sorted by each key."""

    def __init__(self, chance: random.Random, number: int) -> None:
        self.sent = START + timedelta(minutes=chance.randrange(50))
        self.dated = chance.random() < 0.8
        self.received = START + timedelta(minutes=chance.randrange(50))
        self.base = chance.choice(["", "apples", "Pears", "plums"])
        self.response = bool(self.base) and chance.random() < 0.5
        self.people = {
            name: (chance.choice(["", "Ann", "bob", "Zed"]), chance.choice(["a", "B", "c"]))
            for name in ("From", "To", "Cc")
            if chance.random() < 0.8
        }
        lines = [f"Message-ID: <m{number}@x>"]
        if number and chance.random() < 0.6:
            lines.append("References: " + " ".join(f"<m{chance.randrange(number + 2)}@x>" for _ in range(2)))
        if self.dated:
            lines.append("Date: " + format_datetime(self.sent))
        if self.base:
            lines.append("Subject: " + ("Re: " if self.response else "") + self.base)
        lines += [f"{name}: {shown} <{local}@x.example>" for name, (shown, local) in self.people.items()]
        self.octets = ("\r\n".join(lines) + "\r\n\r\n" + "x" * chance.randrange(40) + "\r\n").encode()

    def key(self, name: str) -> object:
        match name:
            case "ARRIVAL":
                return self.received
            case "DATE":
                return self.sent if self.dated else self.received
            case "SIZE":
                return len(self.octets)
            case "SUBJECT":
                return self.base.lower()
            case "DISPLAYFROM" | "DISPLAYTO":
                shown, local = self.people.get(name[7:].title(), ("", ""))
                return (shown or (local and f"{local}@x.example")).lower()
        return self.people.get(name.title(), ("", ""))[1].lower()


def numbers(lines: list[bytes], name: bytes) -> list[int]:
    (line,) = [line for line in lines if line.startswith(b"* " + name)]
    return [int(one) for one in line.split()[2:]]


async def fill(house: House, client: Client, mails: list[Mail]) -> None:
    for mail in mails:
        when = f"{mail.received:%d-%b-%Y %H:%M:%S} +0000"
        await client.command(f'APPEND INBOX "{when}" {{{len(mail.octets)}+}}\r\n'.encode() + mail.octets)
    await client.command("SELECT INBOX")


@pytest.mark.parametrize("seed", range(3))
async def test_sort_like_the_plain_way(tmp_path, seed, monkeypatch):
    monkeypatch.setattr(ordering, "STEP_MESSAGES", 7)
    monkeypatch.setattr(searching, "SLICE_SECONDS", 0)  # Each step is a slice of its own, the last one too.
    chance = random.Random(seed)
    mails = [Mail(chance, number) for number in range(60)]
    names = "ARRIVAL DATE SIZE SUBJECT DISPLAYFROM DISPLAYTO FROM TO CC".split()
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await fill(house, client, mails)
        for _ in range(60):
            criteria = [(chance.choice(names), chance.random() < 0.4) for _ in range(chance.randrange(1, 4))]
            some = sorted(chance.sample(range(1, 61), chance.randrange(1, 60)))
            expected = some
            for name, reverse in reversed(criteria):
                expected = sorted(expected, key=lambda number: mails[number - 1].key(name), reverse=reverse)
            asked = " ".join("REVERSE " * reverse + name for name, reverse in criteria)
            lines = await client.command(f"SORT ({asked}) UTF-8 {','.join(map(str, some))}")
            assert numbers(lines, b"SORT") == expected, asked


async def test_kept_keys_are_those_that_are_made_anew(tmp_path):
    """Messages that were stored by a program that kept no keys are sorted and threaded the same."""
    chance = random.Random(7)
    mails = [Mail(chance, number) for number in range(40)]
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await fill(house, client, mails)
        asked = [f"SORT ({key} SIZE) UTF-8 ALL" for key in ("DATE", "SUBJECT", "FROM", "TO", "CC", "DISPLAYFROM")]
        asked += ["SORT (DISPLAYTO) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "THREAD ORDEREDSUBJECT UTF-8 ALL"]
        before = [(await client.command(one))[0] for one in asked]

        def forget(tx: WriteTx) -> None:
            for id in range(1, 41, 2):
                tx.delete(Table.ORDER, message_key(house.account, id))

        await house.store.write(forget)
        house.store.orders._columns.clear()
        assert [(await client.command(one))[0] for one in asked] == before


async def test_threads_have_every_message_once(tmp_path):
    chance = random.Random(3)
    mails = [Mail(chance, number) for number in range(80)]
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await fill(house, client, mails)
        for algorithm in ("REFERENCES", "ORDEREDSUBJECT"):
            (line, _) = await client.command(f"UID THREAD {algorithm} UTF-8 UID 2:70")
            assert sorted(map(int, re.findall(rb"[0-9]+", line))) == list(range(2, 71))
            assert line.count(b"(") == line.count(b")")


async def test_threads_are_kept_for_the_same_messages_alone(tmp_path):
    chance = random.Random(4)
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await fill(house, client, [Mail(chance, number) for number in range(30)])
        for key in ("ALL", "ALL", "2:30", "1:29", "ALL"):
            (kept, _) = await client.command(f"THREAD REFERENCES UTF-8 {key}")
            house.store.orders._columns.clear()
            assert await client.command(f"THREAD REFERENCES UTF-8 {key}") != []
            (anew, _) = await client.command(f"THREAD REFERENCES UTF-8 {key}")
            assert kept == anew
        house.store.orders._columns.clear()
        for key in ("1:9", "10:19", "ALL", "1:9"):
            (line, _) = await client.command(f"THREAD REFERENCES UTF-8 {key}")
            first, _, last = key.replace("ALL", "1:30").partition(":")
            assert sorted(map(int, re.findall(rb"[0-9]+", line))) == list(range(int(first), int(last) + 1))


async def test_moved_and_removed_messages(tmp_path):
    """Keys go with a message; a removed one that still has a number is in no result."""
    chance = random.Random(5)
    async with open_house(tmp_path) as house:
        client, other = await house.log_in(), await house.log_in()
        mails = [Mail(chance, number) for number in range(12)]
        await fill(house, client, mails)
        await client.command("SORT (DATE) UTF-8 ALL")
        await other.command("SELECT INBOX")
        await other.command("MOVE 3:4 Archive")
        expected = [n for n in sorted(range(1, 13), key=lambda n: mails[n - 1].key("DATE")) if n not in {3, 4}]
        assert numbers(await client.command("SORT (DATE) UTF-8 ALL"), b"SORT") == expected
        await client.command("NOOP")
        await client.command("SELECT Archive")
        expected = sorted([1, 2], key=lambda n: mails[n + 1].key("SUBJECT"))
        assert numbers(await client.command("SORT (SUBJECT) UTF-8 ALL"), b"SORT") == expected


async def test_columns_are_bounded(tmp_path, monkeypatch):
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        await fill(house, client, [Mail(random.Random(1), number) for number in range(9)])
        await client.command("COPY 1:* Archive")
        orders = house.store.orders
        orders._limit = 10
        await client.command("SORT (DATE) UTF-8 ALL")
        await client.command("SELECT Archive")
        await client.command("SORT (DATE) UTF-8 ALL")
        assert [len(one.places) for one in orders._columns.values()] == [9]
        # What is gone is let go of.
        monkeypatch.setattr(ordering, "GONE_MESSAGES", 0)
        await client.command("STORE 1:8 +FLAGS.SILENT (\\Deleted)")
        await client.command("EXPUNGE")
        await client.command("SORT (DATE) UTF-8 ALL")
        assert [len(one.places) for one in orders._columns.values()] == [1]


async def test_an_erased_message_sorts_as_one_without_a_header(tmp_path):
    """It may go between the search and the look at its keys."""
    async with open_house(tmp_path) as house:
        *_, columns = house.store.orders.steps(house.account, house.account, [123_456])
        assert columns.subjects == [""]
        assert list(columns.sent_of([123_456], [5_000_000])) == [5]
        with house.store.read() as tx:
            assert message.keys_all(tx, house.account, [123_456]) == [None]
    assert forest.references([], [], [], [], []).roots == []

"""SEARCH with and without an index: the same answers; what the client of a long search hears."""

import random
import re
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
import trio
import trio.testing

from appliance.servers.imap import search
from appliance.store import searching, words
from support.imaphouse import House, open_house
from support.quiet import settled

_WORDS = "order invoice meeting zebra schedule a an be by the it's mother-in-law x1 10% foo_bar".split()


@dataclass(frozen=True)
class Mail:
    """What a message was made of."""

    subject: str
    sender: str
    odd: str
    sent: date
    body: str

    @property
    def octets(self) -> bytes:
        odd = f"X-Odd: {self.odd}\r\n" if self.odd else ""
        return (
            f"Subject: {self.subject}\r\nFrom: {self.sender}\r\n{odd}Date: {self.sent:%d %b %Y} 23:30:00 -0800\r\n\r\n"
            f"{self.body}\r\n"
        ).encode()

    def has(self, key: str, words: str) -> bool:
        words = words.lower()
        head, body = (part.decode().lower().replace("\r\n", "\n") for part in self.octets.split(b"\r\n\r\n"))
        match key:
            case "SUBJECT" | "FROM":
                # RFC 9051 §6.4.4: what comes after the colon, so the space too.
                return words in " " + {"SUBJECT": self.subject, "FROM": self.sender}[key].lower()
            case "HEADER X-ODD":
                return bool(self.odd) and words in " " + self.odd.lower()
            case "BODY":
                return words in body
            case "TEXT":
                return words in head or words in body
        raise AssertionError(key)


def _mail(chance: random.Random) -> Mail:
    def some(count: int) -> str:
        return " ".join(chance.choice((str.upper, str.lower))(word) for word in chance.choices(_WORDS, k=count))

    return Mail(
        subject=some(3),
        sender=f"{chance.choice(['Ann', 'Bob'])} <p{chance.randrange(30)}@{chance.choice(['a', 'b'])}.example>",
        odd=some(2) if chance.random() < 0.5 else "",
        sent=date(2024, 1, 1) + timedelta(chance.randrange(60)),
        body=some(chance.randrange(1, 12)),
    )


class Query:
    """A search program, and what it finds among mails by looking at each."""

    def __init__(self, chance: random.Random, depth: int = 2) -> None:
        kind = chance.randrange(8)
        if kind == 0 and depth:
            left, right = Query(chance, depth - 1), Query(chance, depth - 1)
            self.text = f"OR ({left.text}) ({right.text})"
            self.holds = lambda mail: left.holds(mail) or right.holds(mail)
        elif kind == 1 and depth:
            inner = Query(chance, depth - 1)
            self.text = f"NOT ({inner.text})"
            self.holds = lambda mail: not inner.holds(mail)
        elif kind == 2 and depth:
            left, right = Query(chance, depth - 1), Query(chance, depth - 1)
            self.text = f"{left.text} {right.text}"
            self.holds = lambda mail: left.holds(mail) and right.holds(mail)
        elif kind == 3:
            day = date(2024, 1, 1) + timedelta(chance.randrange(60))
            name, test = chance.choice(
                [
                    ("SENTON", lambda mail: mail.sent == day),
                    ("SENTBEFORE", lambda mail: mail.sent < day),
                    ("SENTSINCE", lambda mail: mail.sent >= day),
                ]
            )
            self.text, self.holds = f"{name} {day:%d-%b-%Y}", test
        else:
            key = chance.choice(["SUBJECT", "FROM", "HEADER X-ODD", "BODY", "TEXT"])
            needle = " ".join(chance.choices(_WORDS, k=chance.choice([1, 1, 2])))
            start = chance.randrange(len(needle))
            needle = chance.choice([needle, needle[start : start + 4], "p1@", "@", ""])
            self.text, self.holds = f'{key} "{needle}"', lambda mail: mail.has(key, needle)


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(words, "MESSAGES", 50)
    monkeypatch.setattr("appliance.store.lookup.FEW", 4)
    monkeypatch.setattr("appliance.store.lookup.FEW_VALUES", 2)
    monkeypatch.setattr(searching, "INLINE_MESSAGES", 5)
    monkeypatch.setattr(search, "LOOP_MESSAGES", 30)


async def _fill(house: House, mails: list[Mail]) -> None:
    for mail in mails:
        await house.deliver(mail.octets)


@pytest.mark.parametrize("seed", range(4))
async def test_answers_are_the_same_with_an_index(tmp_path, small_segments, seed):
    chance = random.Random(seed)
    async with open_house(tmp_path) as house:
        mails = [_mail(chance) for _ in range(170)]
        await _fill(house, mails)
        client, other = await house.log_in(), await house.log_in()
        await client.command("SELECT INBOX")
        await other.command("SELECT INBOX")
        # Out and in again: UIDs are new, ids are not, and do not ascend any more.
        await client.command("MOVE 20:60 Trash")
        await client.command("SELECT Trash")
        await client.command("MOVE 1:* INBOX")
        mails = mails[:19] + mails[60:] + mails[19:60]
        await client.command("SELECT INBOX")
        await other.command("NOOP")
        for indexed in (False, True):
            if indexed:
                await house.store.indexer.look(house.account)
                with house.store.read() as tx:
                    assert words.covered(tx, house.account)
                # Removed by another: it keeps its number here, and is not found.
                await other.command("STORE 5:9 +FLAGS (\\Deleted)")
                await other.command("EXPUNGE")
            for _ in range(60):
                query = Query(chance)
                lines = await client.command("SEARCH " + query.text)
                found = [int(number) for line in lines[:-1] if b"SEARCH" in line for number in line.split()[2:]]
                gone = range(5, 10) if indexed else ()
                expected = [at for at, mail in enumerate(mails, 1) if at not in gone and query.holds(mail)]
                assert found == expected, query.text


async def test_a_long_search_tells_how_far_it_is(tmp_path, small_segments, monkeypatch):
    monkeypatch.setattr(search, "PROGRESS_SECONDS", 0)
    monkeypatch.setattr(searching, "SLICE_SECONDS", 0)
    async with open_house(tmp_path) as house:
        # Texts too long to keep whole are looked at one by one.
        long = "word " * 60_000
        await _fill(house, [Mail("s", "f", "", date(2024, 1, 1), long if n in {3, 4} else "b") for n in range(70)])
        client = await house.log_in()
        await client.command("SELECT INBOX")
        lines = await client.command("SEARCH TEXT nowhere NOT BODY somewhere")
        assert lines[-2] == b"* SEARCH"
        progress = [
            re.fullmatch(rb'\* OK \[INPROGRESS \("x[0-9]+" ([0-9]+) ([0-9]+)\)\] .*', one) for one in lines[:-2]
        ]
        assert progress
        done = [int(one[1]) for one in progress]
        assert done == sorted(done)
        assert {int(one[2]) for one in progress} == {140}
        assert 68 <= done[-1] < 140


async def test_texts_too_long_to_be_kept(tmp_path):
    """What stands behind the kept beginning is found in the message, in whatever piece."""
    async with open_house(tmp_path) as house:
        filling = "word " * 60_000
        plain = f"{filling}First NEEDLE, and{filling}last one"
        other = f"Größe {filling}İstanbul ΟΔΟΣ{filling}Ende"
        await _fill(house, [Mail("s", "f", "", date(2024, 1, 1), text) for text in (plain, other, "short")])
        client = await house.log_in()
        await client.command("ENABLE UTF8=ACCEPT")
        await client.command("SELECT INBOX")
        for needle, found in (
            ("first needle, and", b" 1"),
            ("LAST ONE", b" 1"),
            ("word first", b" 1"),
            ("andword", b" 1"),
            ("größe", b" 2"),
            ("istanbul", b""),
            ("οδο", b" 2"),
            ("nowhere", b""),
            ("d w", b" 1 2"),
            ("w", b" 1 2"),
            ("", b" 1 2 3"),
            ("word " * 2000 + "Ende", b" 2"),
            ("word " * 2000 + "last", b" 1"),
        ):
            for key in ("TEXT", "BODY"):
                octets = needle.encode()
                lines = await client.command(b"SEARCH %b {%d+}\r\n%b" % (key.encode(), len(octets), octets))
                assert lines[0] == b"* SEARCH" + found, (key, needle[:20])
        # The subject is in the header alone, with its name.
        assert (await client.command("SEARCH TEXT subject:"))[0] == b"* SEARCH 1 2 3"
        assert (await client.command("SEARCH BODY subject:"))[0] == b"* SEARCH"


async def test_a_search_ends_when_its_client_has_left(tmp_path, monkeypatch):
    """The client closes while the search waits for its turn; nobody ever takes what it would have found."""
    monkeypatch.setattr(searching, "SLICE_SECONDS", 0)
    monkeypatch.setattr(search, "LEAVING_SECONDS", 0)
    async with open_house(tmp_path) as house:
        await _fill(house, [Mail("s", "f", "", date(2024, 1, 1), "b")] * 70)
        client = await house.log_in()
        await client.command("SELECT INBOX")
        session = house.sessions[0]
        monkeypatch.setattr(session.connection, "is_closing", lambda: True)
        await house.store.indexer.turn.acquire()
        await client.send(b"x SEARCH TEXT nowhere\r\n")
        await settled()
        await client.stream.aclose()
        answered: list[object] = []
        monkeypatch.setattr(search.response, "search", answered.append)
        house.store.indexer.turn.release()
        with trio.fail_after(60):
            while house.store.feed._listeners:
                await trio.sleep(0)
        assert answered == []
        assert session.subscription is not None

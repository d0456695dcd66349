"""SEARCH with every key, nested and in every form of answer, beside a plain look at each message."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import pytest

from appliance.store import words
from support.imaphouse import Client, House, open_house

WORDS = "alpha beta gamma delta Ünder straße foo foobar bar".split()
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Junk", "custom", "other"]
FIRST_DAY = date(2026, 11, 1)  # On which the standing clock stands.
Test = Callable[["Mail"], bool]


@dataclass
class Mail:
    """A message as the plain way sees it."""

    octets: bytes
    flags: frozenset[str]
    received: datetime
    saved: datetime
    sent: date | None
    fields: list[tuple[str, str]]
    body: str
    number: int = 0
    uid: int = 0
    modseq: int = 0
    email: str = ""
    thread: str = ""

    def values(self, name: str) -> list[str]:
        return [value.lower() for one, value in self.fields if one.lower() == name.lower()]

    @property
    def header(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self.fields).lower()


def make(chance: random.Random, now: datetime) -> Mail:
    def some(count: int) -> str:
        return " ".join(chance.choice((str.upper, str.lower, str))(one) for one in chance.choices(WORDS, k=count))

    sent = FIRST_DAY + timedelta(chance.randrange(6)) if chance.random() < 0.8 else None
    zone = chance.choice(["+0000", "-1100", "+1300"])  # SENT keys look at the day alone.
    fields = [("Subject", some(2)), ("From", f"Ann <{chance.choice('abc')}@x.example>")]
    fields += [(name, f"{chance.choice('abc')}@y.example") for name in ("To", "Cc", "Bcc") if chance.random() < 0.5]
    fields += [("X-Odd", some(1)) for _ in range(chance.randrange(3))]
    if sent is not None:
        fields.append(("Date", f"{sent:%d %b %Y} {chance.randrange(24):02}:59:00 {zone}"))
    body = some(chance.randrange(1, 30))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return Mail(
        octets=f"{head}\r\n{body}\r\n".encode(),
        flags=frozenset(chance.sample(FLAGS, chance.randrange(4))),
        received=now - timedelta(hours=chance.randrange(100), seconds=chance.randrange(3600)),
        saved=now,
        sent=sent,
        fields=fields,
        body=body.lower(),
    )


@dataclass
class Asker:
    """Makes up search programs, each with what holds for a message."""

    chance: random.Random
    mails: list[Mail]
    now: datetime
    #: UIDs of the saved result.
    saved: set[int] = field(default_factory=set)

    def program(self, depth: int = 3) -> tuple[str, Test]:
        chance = self.chance
        kind = chance.randrange(10) if depth else 9
        if kind == 0:
            (one, first), (two, second) = self.single(depth), self.single(depth)
            return f"OR {one} {two}", lambda mail: first(mail) or second(mail)
        if kind in {1, 2}:
            one, first = self.single(depth)
            return f"NOT {one}", lambda mail: not first(mail)
        if kind in {3, 4}:
            parts = [self.program(depth - 1) for _ in range(chance.randrange(2, 4))]
            return " ".join(one for one, _ in parts), lambda mail: all(test(mail) for _, test in parts)
        return self.key()

    def single(self, depth: int) -> tuple[str, Test]:
        """One key: several stand in parentheses."""
        text, test = self.program(depth - 1)
        return (f"({text})", test) if self.chance.random() < 0.9 or " " in text else (text, test)

    def numbers(self, highest: int) -> tuple[str, Callable[[int], bool]]:
        """A set, not always of numbers there are."""
        chance = self.chance
        texts, ranges = [], []
        for _ in range(chance.randrange(1, 4)):
            low, high = chance.randrange(1, highest + 5), chance.randrange(1, highest + 5)
            form = chance.randrange(4)
            if form == 0:
                texts.append(str(low))
                ranges.append((low, low))
            elif form == 1:
                texts.append("*")
                ranges.append((highest, highest))
            else:
                texts.append(f"{low}:{'*' if form == 2 else high}")
                ranges.append((low, highest if form == 2 else high))
        return ",".join(texts), lambda one: any(min(pair) <= one <= max(pair) for pair in ranges)

    def day(self) -> date:
        return FIRST_DAY + timedelta(self.chance.randrange(-1, 8))

    def key(self) -> tuple[str, Test]:
        chance = self.chance
        match chance.randrange(16):
            case 0:
                flag = chance.choice(FLAGS)
                name = flag[1:].upper() if flag.startswith("\\") else f"KEYWORD {flag}"
                if chance.random() < 0.5:
                    return f"UN{name}", lambda mail: flag not in mail.flags
                return name, lambda mail: flag in mail.flags
            case 1:
                return chance.choice(
                    [
                        ("ALL", lambda _: True),
                        ("OLD", lambda _: True),
                        ("SAVEDATESUPPORTED", lambda _: True),
                        ("NEW", lambda _: False),
                        ("RECENT", lambda _: False),
                    ]
                )
            case 2:
                name = chance.choice(["BCC", "CC", "FROM", "SUBJECT", "TO", "HEADER X-Odd", "HEADER from"])
                needle = chance.choice([*WORDS, "a@", "ann", "", "foo bar"])
                field_name = name.rpartition(" ")[2]
                return f'{name} "{needle}"', lambda mail: any(
                    needle.lower() in value for value in mail.values(field_name)
                )
            case 3:
                needle = " ".join(chance.choices(WORDS, k=chance.choice([1, 1, 2])))
                return f'BODY "{needle}"', lambda mail: needle.lower() in mail.body
            case 4:
                needle = chance.choice([*WORDS, "oo", "x-odd: f", "@x.exa"])
                return f'TEXT "{needle}"', lambda mail: needle.lower() in mail.header or needle.lower() in mail.body
            case 5 | 6 | 7 as column:
                day = self.day()
                prefix, value = {
                    5: ("", lambda mail: mail.received.date()),
                    6: ("SENT", lambda mail: mail.sent),
                    7: ("SAVED", lambda mail: mail.saved.date()),
                }[column]
                name, compare = chance.choice([("BEFORE", date.__lt__), ("ON", date.__eq__), ("SINCE", date.__ge__)])
                return (
                    f"{prefix}{name} {day.day}-{day:%b-%Y}",
                    lambda mail: value(mail) is not None and compare(value(mail), day),
                )
            case 8:
                size = chance.choice([len(mail.octets) for mail in self.mails])
                if chance.random() < 0.5:
                    return f"LARGER {size}", lambda mail: len(mail.octets) > size
                return f"SMALLER {size}", lambda mail: len(mail.octets) < size
            case 9:
                seconds = chance.choice([1, 3600, 86_400, 300_000, 4_294_967_295])
                age = lambda mail: (self.now - mail.received).total_seconds()  # noqa: E731
                if chance.random() < 0.5:
                    return f"OLDER {seconds}", lambda mail: age(mail) >= seconds
                return f"YOUNGER {seconds}", lambda mail: age(mail) <= seconds
            case 10:
                text, test = self.numbers(len(self.mails))
                return text, lambda mail: test(mail.number)
            case 11:
                text, test = self.numbers(max(mail.uid for mail in self.mails))
                return f"UID {text}", lambda mail: test(mail.uid)
            case 12:
                return chance.choice(["$", "UID $"]), lambda mail: mail.uid in self.saved
            case 13:
                modseq = chance.choice([mail.modseq for mail in self.mails]) + chance.choice([0, 1])
                entry = chance.choice(["", '"/flags/\\\\draft" all '])
                return f"MODSEQ {entry}{modseq}", lambda mail: mail.modseq >= modseq
            case 14:
                email = chance.choice(self.mails).email
                return f"EMAILID {email}", lambda mail: mail.email == email
        thread = chance.choice(self.mails).thread
        return f"THREADID {thread}", lambda mail: mail.thread == thread


def returns(chance: random.Random) -> tuple[str, set[str], tuple[int, int] | None]:
    """A RETURN clause, its items, and what PARTIAL means."""
    items = set(chance.sample(["MIN", "MAX", "COUNT", "SAVE"], chance.randrange(5)))
    partial = None
    form = chance.randrange(3)
    if form == 0:
        sign = chance.choice([1, -1])
        partial = sign * chance.randrange(1, 40), sign * chance.randrange(1, 40)
        items.add("PARTIAL")
    elif form == 1:
        items.add("ALL")
    shown = [f"PARTIAL {partial[0]}:{partial[1]}" if one == "PARTIAL" else one for one in sorted(items)]
    return f"RETURN ({' '.join(shown)}) ", items or {"ALL"}, partial


def expanded(octets: bytes) -> list[int]:
    found: list[int] = []
    for one in octets.split(b","):
        low, _, high = one.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found


async def fill(house: House, client: Client, chance: random.Random) -> list[Mail]:
    mails = []
    for _ in range(40):
        house.app.clock.move(chance.randrange(20_000))
        mail = make(chance, house.app.clock.now())
        mails.append(mail)
        when = f"{mail.received:%d-%b-%Y %H:%M:%S} +0000"
        await client.command(
            f'APPEND INBOX ({" ".join(mail.flags)}) "{when}" {{{len(mail.octets)}+}}\r\n'.encode() + mail.octets
        )
    return mails


async def learn(client: Client, mails: list[Mail]) -> list[Mail]:
    """Numbers, UIDs, modification sequences and names, as FETCH tells them."""
    lines = await client.command("FETCH 1:* (UID MODSEQ EMAILID THREADID)")
    form = rb"\* (\d+) FETCH \(UID (\d+) MODSEQ \((\d+)\) EMAILID \((.*?)\) THREADID \((.*?)\)\)"
    for mail, line in zip(mails, [line for line in lines if b"EMAILID" in line], strict=True):
        number, uid, modseq, email, thread = re.fullmatch(form, line).groups()
        mail.number, mail.uid, mail.modseq = int(number), int(uid), int(modseq)
        mail.email, mail.thread = email.decode(), thread.decode()
    return mails


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("seed", range(3))
async def test_all_keys(tmp_path, monkeypatch, seed, indexed):
    monkeypatch.setattr(words, "MESSAGES", 12)
    monkeypatch.setattr("appliance.store.lookup.FEW", 4)
    monkeypatch.setattr("appliance.store.lookup.FEW_VALUES", 2)
    chance = random.Random(seed)
    async with open_house(tmp_path) as house:
        client = await house.log_in()
        mails = await fill(house, client, chance)
        # Some out and in again, and copied to the end: UIDs, ids and names go different ways.
        await client.command("SELECT INBOX")
        await client.command("COPY 5:7 Archive")
        await client.command("MOVE 20:24 Archive")
        await client.command("SELECT Archive")
        await client.command("MOVE 1:* INBOX")
        late = [replace(mail, saved=house.app.clock.now()) for mail in (*mails[4:7], *mails[19:24])]
        mails = mails[:19] + mails[24:] + late
        house.app.clock.move(86_400)
        if indexed:
            await house.store.indexer.look(house.account)
        await client.command("SELECT INBOX")
        mails = await learn(client, mails)
        assert mails[4].email == mails[-8].email
        asker = Asker(chance, mails, house.app.clock.now())
        for turn in range(150):
            if turn == 100:
                await client.command("ENABLE IMAP4rev2")
            text, test = asker.program()
            uid = chance.random() < 0.5
            charset = chance.choice(["", "CHARSET UTF-8 "])
            asked, items, partial = returns(chance) if chance.random() < 0.6 else ("", {"ALL"}, None)
            found = [mail for mail in mails if test(mail)]
            lines = await client.command(f"{'UID ' * uid}SEARCH {asked}{charset}{text}")
            names = [mail.uid if uid else mail.number for mail in found]
            said = f"{asked}{text}"
            if not asked and turn < 100:
                told = [line.split() for line in lines[:-1] if line.startswith(b"* SEARCH")]
                numbers = [int(one) for line in told for one in line[2:] if one.isdigit()]
                assert numbers == names, said
                continue
            check(lines, names, found, items, partial, said, with_modseq="MODSEQ" in text)
            kept = concerned(found, items, partial)
            if "SAVE" in items:
                asker.saved = {mail.uid for mail in kept}


def part(found: list, partial: tuple[int, int]) -> list:
    """RFC 9394 §3.1, one by one."""
    wanted = range(min(partial), max(partial) + 1)
    return [one for at, one in enumerate(found) if (at + 1 if partial[0] > 0 else at - len(found)) in wanted]


def concerned(found: list[Mail], items: set[str], partial: tuple[int, int] | None) -> list[Mail]:
    """RFC 9051 §6.4.4.4, RFC 9394 §3.2."""
    if "COUNT" in items or "ALL" in items or not items & {"MIN", "MAX", "PARTIAL"}:
        return found
    some = part(found, partial) if partial else []
    some += found[:1] if "MIN" in items else []
    return some + (found[-1:] if "MAX" in items else [])


def check(lines, names, found, items, partial, said, *, with_modseq):
    (line,) = [line for line in lines[:-1] if line.startswith(b"* ESEARCH")] or [None]
    if items == {"SAVE"}:
        assert line is None, said
        return
    values = dict(re.findall(rb" (MIN|MAX|ALL|COUNT|MODSEQ) ([0-9:,]+)", line))
    assert values.get(b"COUNT") == (b"%d" % len(names) if "COUNT" in items else None), said
    assert values.get(b"MIN") == (b"%d" % names[0] if "MIN" in items and names else None), said
    assert values.get(b"MAX") == (b"%d" % names[-1] if "MAX" in items and names else None), said
    assert (expanded(values[b"ALL"]) if b"ALL" in values else []) == (names if "ALL" in items else []), said
    told = re.search(rb" PARTIAL \((-?\d+:-?\d+) (NIL|[0-9:,]+)\)", line)
    assert (told is None) == (partial is None), said
    if told is not None:
        assert told[1] == b"%d:%d" % partial, said
        assert ([] if told[2] == b"NIL" else expanded(told[2])) == part(names, partial), said
    modseqs = [mail.modseq for mail in concerned(found, items, partial)]
    if with_modseq and modseqs:
        assert values.get(b"MODSEQ") == b"%d" % max(modseqs), said
    elif not with_modseq:
        assert b"MODSEQ" not in values, said

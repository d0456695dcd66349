"""What goes out comes in again: formats and archives, flags, times; and what others write, or attackers."""

import gzip
import io
import mailbox as pymailbox
import os
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from appliance.mail.lineend import crlf
from appliance.operations import exporting
from appliance.operations.actor import OPERATOR, Actor
from appliance.operations.exporting import Archive, Folder, Format, NotExportable, Unframed, Wanted
from appliance.operations.importing import archives, files, run
from appliance.operations.importing.found import Message, Trouble, Unreadable
from appliance.operations.importing.run import Count, Duplicates, Importer, Left
from appliance.store import mailbox as mailboxes, message
from appliance.store.bodies import read
from appliance.store.problems import NoSuchMailbox, NoSuchMessage, OverQuota
from appliance.store.records import JUNK, NOT_JUNK, SEEN, split_flags
from support.imaphouse import DOMAINS, House, open_house
from support.stores import new_message

TIME = 1_700_000_000
BODY = b"Message-ID: <%s@example.org>\r\nSubject: hi\r\n\r\nFrom here on 12:00\r\n\r\n>From there\r\n.\r\nF\xfcr\r\n"


class Heard:
    def __init__(self) -> None:
        self.troubles: list[str] = []
        self.counts: dict[str, int] = {}

    async def __call__(self, told: run.Told) -> None:
        if isinstance(told, Left):
            self.troubles.append(told.text)
        elif isinstance(told, Count):
            self.counts[told.mailbox] = told.count


def actor(house: House) -> Actor:
    return Actor(house.account, "alice", "alice@example.org", OPERATOR)


async def put(house: House, name: str, octets: bytes, flags: tuple[str, ...] = (), seconds: int = TIME) -> None:
    def body(tx):
        there = mailboxes.find(tx, house.account, name)
        target = there or mailboxes.create(tx, house.account, name, limits=house.store.limits.mailbox)[-1]
        bits, keywords = split_flags(flags)
        message.add(tx, house.account, target.id, new, flags=bits, keywords=keywords)

    new = new_message(house.store, octets, received=seconds * 1_000_000)
    await house.store.write(body)


def all_of(house: House, *, without: str = "") -> dict[str, list[tuple[bytes, int, tuple[str, ...], int]]]:
    found = {}
    with house.store.read() as tx:
        for box in tx.mailboxes(house.account):
            rows = list(message.rows(tx, house.account, box.id))
            if rows and box.name != without:
                found[box.name] = sorted(
                    (
                        message.prefix(tx, house.account, row.id) + read(tx, row.body, 0, row.size),
                        row.flags,
                        row.keywords,
                        row.received // 1_000_000,
                    )
                    for _, row in rows
                )
    return found


async def fill(house: House) -> None:
    await put(house, "Inbox", BODY % b"1", ("\\Seen", "\\Answered", "work", "$Forwarded"))
    await put(house, "Inbox", BODY % b"2", ("\\Flagged", "\\Draft", "\\Deleted"), TIME + 1)
    await put(house, "Inbox", b"Subject: no id\r\n\r\n" + b"long\r\n" * 100_000, (), TIME + 2)
    await put(house, "Inbox/Übung & Co", BODY % b"3", ("$Junk", "$MDNSent", "other"))
    await put(house, "Archive/2023/a.b", b"X: no body\r\n", ("\\Seen",), 1)
    await put(house, "Archive", b"no header\r\n\r\nx", ("\\Seen",))


async def imported(house: House, source, **options) -> tuple[run.Outcome, Heard]:
    heard = Heard()
    return await Importer(house.app, actor(house), hear=heard, **options).run(source), heard


def exported(house: House, format: Format, archive: Archive, scratch: Path, **wanted) -> bytes:
    found = exporting.files(house.store, actor(house), Wanted(**wanted), format)
    return b"".join(exporting.archived(found, archive, scratch=scratch))


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("archive", [Archive.TAR, Archive.TGZ, Archive.ZIP])
async def test_archives_come_back(tmp_path, format, archive):
    async with open_house(tmp_path / "a") as house:
        await fill(house)
        before = all_of(house)
        path = tmp_path / "archive"
        path.write_bytes(exported(house, format, archive, tmp_path))
        assert archives.is_archive(path)
    async with open_house(tmp_path / "b") as house:
        outcome, heard = await imported(house, archives.archive(path))
        assert heard.troubles == []
        assert outcome.added == sum(map(len, before.values()))
        assert heard.counts == {name: len(rows) for name, rows in before.items()} == outcome.mailboxes
        ends = {name: [(crlf_end(one[0], format), *one[1:]) for one in rows] for name, rows in before.items()}
        assert all_of(house) == ends
        # What is there already is passed over.
        outcome, _ = await imported(house, archives.archive(path))
        assert (outcome.added, outcome.duplicates) == (0, sum(map(len, before.values())))


def crlf_end(octets: bytes, format: Format) -> bytes:
    """In an mbox file the last line has an end, and a header an empty line after it."""
    return octets if format is Format.MAILDIR or octets.endswith(b"\n") else octets + b"\r\n"


@pytest.mark.parametrize("format", Format)
async def test_folders_come_back_and_others_can_read_them(tmp_path, format):
    async with open_house(tmp_path / "a") as house:
        await fill(house)
        before = all_of(house)
        folder, unframed = Folder(tmp_path / "out"), Unframed()
        found = exporting.files(house.store, actor(house), Wanted(), format)
        for octets in exporting.framed(found):
            for piece in (octets[:3], octets[3:]):
                for one in unframed.feed(piece):
                    folder.write(one)
        folder.close()
        with pytest.raises(NotExportable, match="nothing is overwritten"):
            Folder(tmp_path / "out")
    if format is Format.MAILDIR:
        theirs = pymailbox.Maildir(tmp_path / "out" / "Inbox", create=False)
        flags = sorted("".join(sorted(one.get_flags())) for one in theirs)
        assert [one[:3] for one in flags] == ["", "DFT", "PRS"]
        source = files.maildirs(tmp_path / "out" / "Inbox", "Inbox", single=False)
        names = {"Inbox", "Inbox/Übung & Co"}
    else:
        theirs = pymailbox.mbox(tmp_path / "out" / "Inbox.mbox", create=False)
        assert len(theirs) >= 3
        assert theirs[0].get_flags() == "ROA"
        theirs.close()
        source = files.mbox_file(tmp_path / "out" / "Inbox.mbox", "Inbox")
        names = {"Inbox"}
    async with open_house(tmp_path / "b") as house:
        _, heard = await imported(house, source)
        assert heard.troubles == []
        got = all_of(house)
        # As Maildirs have it, what is below the Inbox stands beside it.
        assert got == {name.removeprefix("Inbox/"): before[name] for name in names}


async def test_what_is_wanted(tmp_path):
    async with open_house(tmp_path) as house:
        await fill(house)

        def boxes(**wanted) -> set[str]:
            found = exporting.files(house.store, actor(house), Wanted(**wanted), Format.MBOX)
            return {one.path for one in found if not isinstance(one, bytes)}

        assert boxes(mailbox="Archive") == {"Archive.mbox", "Archive/2023.mbox", "Archive/2023/a.b.mbox"}
        assert boxes(mailbox="Archive", recursive=False) == {"Archive.mbox"}
        assert boxes(messages=(1, 4)) == {"selection.mbox"}
        assert exported(house, Format.MBOX, Archive.NONE, tmp_path, messages=(1, 4)).count(b"\nMessage-ID") == 2
        with pytest.raises(NoSuchMailbox):
            boxes(mailbox="nothing")
        with pytest.raises(NoSuchMessage):
            boxes(messages=(99,))
        with pytest.raises(NotExportable):
            exported(house, Format.MBOX, Archive.NONE, tmp_path, mailbox="Archive")
        name = exporting.file_name(Wanted(mailbox="a/ü b"), Format.MBOX, Archive.TGZ, datetime(2026, 1, 2, tzinfo=UTC))
        assert name == "mailexport-a---b-20260102-000000.mbox.tgz"


async def test_what_is_removed_meanwhile_is_left_out(tmp_path):
    async with open_house(tmp_path) as house:
        for number in range(3):
            await put(house, "Inbox", BODY % b"%d" % number)
        found = exporting.files(house.store, actor(house), Wanted(mailbox="Inbox"), Format.MAILDIR)
        seen = [next(found) for _ in range(5)]
        with house.store.read() as tx:
            inbox = mailboxes.by_name(tx, house.account, "Inbox").id
        await house.store.write(message.expunge, house.account, inbox, [2])
        seen += found
        assert sum(isinstance(one, bytes) for one in seen) == 2
        assert not [one for one in seen if not isinstance(one, bytes) and one.path == "errors.txt"]


async def test_more_keywords_than_letters_are_named(tmp_path):
    async with open_house(tmp_path) as house:
        await put(house, "Inbox", BODY % b"1", tuple(f"k{number:02}" for number in range(28)))
        octets = exported(house, Format.MAILDIR, Archive.TAR, tmp_path, mailbox="Inbox")
        with tarfile.open(fileobj=io.BytesIO(octets)) as tar:
            content = tar.extractfile("errors.txt")
            assert content is not None
            assert content.read() == b"Inbox: a Maildir has 26 keywords; missing: k26 k27\n"


def write_maildir(folder: Path, *messages: tuple[str, bytes]) -> Path:
    for part in ("new", "cur", "tmp"):
        (folder / part).mkdir(parents=True)
    for name, octets in messages:
        (folder / name).write_bytes(octets)
    return folder


async def test_foreign_maildirs(tmp_path):
    top = write_maildir(
        tmp_path / "Maildir",
        ("cur/1700000000.M1.host,S=3:2,FSab", b"Subject: 1\n\nx\n"),
        ("new/no-time", b"Subject: 2\n\nx\n"),
        ("cur/1700000001.M2.host;2,R", b"Subject: 3\n\nx\n"),
        ("new/empty", b""),
        ("tmp/1700000002.M3.host", b"half"),
        ("cur/.hidden", b"x"),
    )
    os.utime(top / "new" / "no-time", (TIME + 9, TIME + 9))
    (top / "dovecot-keywords").write_text("0 NonJunk\n1 Work\nbad\n")
    write_maildir(top / ".Sent.&ANw-bung", ("cur/5.x:2,S", b"Subject: 4\n\nx\n"))
    write_maildir(top / "plain" / "deep", ("new/6.x", b"Subject: 5\n\nx\n"))
    (tmp_path / "secret").write_text("secret")
    (top / "cur" / "7.link").symlink_to(tmp_path / "secret")
    (tmp_path / "outside").mkdir()
    write_maildir(tmp_path / "outside" / "x", ("cur/8.x", b"secret"))
    (top / "linked").symlink_to(tmp_path / "outside" / "x")
    async with open_house(tmp_path / "house") as house:
        _, heard = await imported(house, files.maildirs(top, "Inbox", single=False))
        assert len(heard.troubles) == 3
        assert any("7.link cannot be read" in one for one in heard.troubles)
        got = {
            name: sorted((one[0].split(b"\r\n")[0][-1:], *one[1:]) for one in rows)
            for name, rows in all_of(house).items()
        }
        flagged = split_flags(("\\Flagged", "\\Seen", "$NotJunk"))[0]
        assert got == {
            "Inbox": [
                (b"1", flagged, ("work",), TIME),
                (b"2", 0, (), TIME + 9),
                (b"3", 2, (), TIME + 1),
            ],
            "Sent/Übung": [(b"4", SEEN, (), 5)],
            "plain/deep": [(b"5", 0, (), 6)],
        }
    with pytest.raises(Unreadable, match="no Maildir"):
        list(files.maildirs(tmp_path / "secrets", "Inbox", single=True))
    with pytest.raises(Unreadable):
        list(files.maildirs(tmp_path / "nothing", "Inbox", single=False))


def archive(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, octets in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(octets), TIME
            tar.addfile(info, io.BytesIO(octets))
    return path


async def test_foreign_archives(tmp_path):
    path = archive(
        tmp_path / "a.tgz",
        ("./mail/Lists/cur/1.x:2,Sa", b"Subject: 1\n\n"),
        ("./mail/Lists/dovecot-keywords", b"0 work\n"),
        ("./mail/sent.mbox", b"From a Thu Jan  1 00:00:10 1970\nSubject: 2\n\n"),
        ("./mail/notes.txt", b"x"),
        ("./mail/dovecot-uidlist", b"x"),
        ("./mail/bad\x01name/cur/1.x", b"Subject: 3\n\n"),
        ("./mail/no.mbox", b"nothing"),
        ("../../etc/cur/2.x", b"Subject: 4\n\n"),
        ("./mail/Other Users/bob/Inbox/cur/2.x", b"Subject: 5\n\n"),
    )
    async with open_house(tmp_path / "house") as house:
        outcome, heard = await imported(house, archives.archive(path), prefix="mail")
        got = {name: [one[1:] for one in rows] for name, rows in all_of(house).items()}
        assert got == {"Lists": [(SEEN, ("work",), 1)], "sent": [(0, (), 10)]}
        assert len(heard.troubles) == 4
        assert outcome.left_out == 4


async def test_junk_rules_are_those_of_the_mailbox(tmp_path):
    domains = DOMAINS + (
        '[accounts.alice.automatic_junk_flags]\nenabled = true\njunk_mailbox_regexp = "^spam"\n'
        'neutral_mailbox_regexp = "^inbox"\n'
    )
    path = archive(
        tmp_path / "a.tgz", *((f"{name}/cur/1.x:2,", b"Subject: 1\n\n") for name in ("Spam", "Inbox", "Work"))
    )
    async with open_house(tmp_path / "house", domains) as house:
        await imported(house, archives.archive(path))
        assert {name: rows[0][1] for name, rows in all_of(house).items()} == {
            "Spam": JUNK,
            "Inbox": 0,
            "Work": NOT_JUNK,
        }


async def test_duplicates(tmp_path):
    octets = BODY % b"1"
    other = octets.replace(b"there", b"again")
    without = b"Subject: none\n\n"
    top = write_maildir(
        tmp_path / "m",
        *((f"cur/{number}.x", one) for number, one in enumerate([octets, octets, other, without, without])),
    )

    async def added(way: Duplicates) -> tuple[int, int]:
        source = files.maildirs(top, "Inbox", single=True)
        outcome, _ = await imported(house, source, duplicates=way)
        return outcome.added, outcome.duplicates

    async with open_house(tmp_path / "house") as house:
        assert await added(Duplicates.CONTENT) == (3, 2)
        assert await added(Duplicates.CONTENT) == (0, 5)
        assert await added(Duplicates.KEEP) == (5, 0)
    async with open_house(tmp_path / "other") as house:
        assert await added(Duplicates.MESSAGE_ID) == (2, 3)


async def test_what_fails_is_taken_back(tmp_path):
    domains = DOMAINS.replace("[accounts.alice]\n", "[accounts.alice]\nquota_message_size = 4000\n", 1)
    top = write_maildir(
        tmp_path / "m", *((f"cur/{number}.x", b"Subject: %d\n\n%s" % (number, b"x" * 100)) for number in range(90))
    )
    async with open_house(tmp_path / "house", domains) as house:
        await put(house, "Inbox", BODY % b"1")
        before = all_of(house)
        with house.store.read() as tx:
            names = [one.name for one in tx.mailboxes(house.account)]
        with pytest.raises(OverQuota):
            await imported(house, files.maildirs(top, "New/Box", single=True))
        assert all_of(house) == before
        with house.store.read() as tx:
            assert [one.name for one in tx.mailboxes(house.account)] == names


async def test_what_is_aborted_is_taken_back(tmp_path):
    async with open_house(tmp_path) as house:
        await put(house, "Inbox", BODY % b"1")
        before = all_of(house)
        scope = trio.CancelScope()

        def source():
            for number in range(1000):
                if number == 200:
                    trio.from_thread.run_sync(scope.cancel)
                yield Message("Inbox", b"Subject: %d\n\n" % number, (), None, "here")

        importer = Importer(house.app, actor(house), hear=Heard())
        with scope:
            await importer.run(source())
        assert scope.cancelled_caught
        assert importer.outcome.added >= 160
        assert all_of(house) == before


async def test_a_large_message_and_a_bad_date(tmp_path):
    async with open_house(tmp_path) as house:
        large = b"Message-ID: <x@y>\nDate: Thu, 1 Jan 2026 12:00:00 +0000\n\n" + b"line\n" * 1_000_000

        def source():
            for _ in range(2):
                yield Message("Inbox", large, (), None, "here")
            yield Message("Inbox", b"Date: Thu, 1 Jan 2099 12:00:00 +0000\n\n", ("\\Recent", "a b", "ok"), None, "here")

        outcome, _ = await imported(house, source())
        assert (outcome.added, outcome.duplicates) == (2, 1)
        small, big = sorted(all_of(house)["Inbox"], key=lambda one: len(one[0]))
        assert big[0] == crlf(large)
        assert big[3] == datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
        assert small[2:] == (("ok",), house.app.clock.microseconds() // 1_000_000)


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_bombs(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archives, "FREE_OCTETS", 1_000_000)
    path, octets = tmp_path / "bomb", b"From a 1:00\n\n" + bytes(5_000_000)
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("a.mbox", octets)
    else:
        archive(path, ("a.mbox", octets))
    with pytest.raises(Unreadable, match="100 times"):
        list(archives.archive(path))


def test_damaged_archives(tmp_path):
    whole = archive(tmp_path / "a", *((f"I/cur/{number}.x", os.urandom(1000)) for number in range(10))).read_bytes()
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    for octets in (whole[:3000], b"\x1f\x8b", b"PK\x03\x04", b"", b"hello", gzip.compress(header.tobuf())):
        (tmp_path / "b").write_bytes(octets)
        with pytest.raises(Unreadable):
            list(archives.archive(tmp_path / "b"))


def test_mbox_files(tmp_path):
    path = tmp_path / "m"
    path.write_bytes(b"Status: RO\n\nhello\n")
    with pytest.raises(Unreadable, match="no mbox"):
        list(files.mbox_file(path, "Inbox"))
    path.write_bytes(
        b"From a 1:00\nStatus: RO\nX-Keywords: a\nSubject: 1\n\nx\n\nFrom b 2:00\n\nFrom c 3:00\nS: 1\nStatus: R\n"
    )
    _, first, empty, last = files.mbox_file(path, "Inbox")
    assert (first.octets, first.flags) == (b"Subject: 1\n\nx\n", ("\\Seen", "a"))
    assert isinstance(empty, Trouble)
    assert (last.octets, last.flags) == (b"S: 1\nStatus: R\n", ("\\Seen",))

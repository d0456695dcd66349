"""Mailboxes of other accounts: each right for each command, what is copied across, and chance (RFC 4314)."""

import random
from pathlib import Path

import pytest

from appliance.servers.imap import news
from appliance.store import account as accounts, acl, mailbox, message, seen
from appliance.store.records import ALL_RIGHTS
from appliance.store.tables import MailboxRef, Table, body_key
from support.imaphouse import Client, House, open_house

ALL = "lrswipkxtea"
#: Commands about a mailbox {box}, and the rights they take. `{other}` is a name beside it that is not there.
BY_NAME = {
    "SELECT {box}": "r",
    "EXAMINE {box}": "r",
    "STATUS {box} (MESSAGES)": "r",
    "DELETE {box}": "x",
    "RENAME {box} {other}": "x",
    "COPY 1 {box}": "i",
    "MOVE 1 {box}": "i",
    "GETACL {box}": "a",
    "SETACL {box} carol +r": "a",
    "DELETEACL {box} carol": "a",
    "LISTRIGHTS {box} carol": "a",
    "APPEND {box} {{7+}}\r\na: b\r\n\r\n": "i",
}
#: Commands in it, for which r was needed already.
SELECTED = {
    "FETCH 1 BODY[]": "",
    "SEARCH ALL": "",
    "COPY 1 INBOX": "",
    "STORE 1 +FLAGS (\\Seen)": "s",
    "STORE 1 +FLAGS (\\Deleted)": "t",
    "STORE 1 +FLAGS (\\Flagged)": "w",
    "STORE 1 +FLAGS (keyword)": "w",
    "STORE 1 -FLAGS (\\Answered)": "w",
    "STORE 1 FLAGS (\\Seen)": "s",
    "EXPUNGE": "e",
    "UID EXPUNGE 1": "e",
    "MOVE 1 INBOX": "te",
    "REPLACE 1 INBOX {{7+}}\r\na: b\r\n\r\n": "te",
    "REPLACE 1 {box} {{7+}}\r\na: b\r\n\r\n": "tei",
}


class Team:
    """alice with mailboxes below `top`, and bob, who may make others there."""

    def __init__(self, house: House, alice: Client, bob: Client) -> None:
        self.house, self.alice, self.bob = house, alice, bob
        self._count = 0

    async def box(self, rights: str) -> str:
        """A new mailbox of alice with a message; bob's name for it."""
        self._count += 1
        name = f"top/t{self._count}"
        await self.alice.command(f"CREATE {name}")
        await self.alice.append(b"Subject: secret\r\n\r\nwords\r\n", name)
        await self.alice.command(f'SETACL {name} bob "{rights}"')
        return f'"Other Users/alice/{name}"'

    async def ask(self, command: str, box: str) -> bytes:
        """What bob is answered."""
        written = command.format(box=box, other=box[:-1] + 'x"')
        lines = await self.bob.command(written, expect=b"")
        return b" ".join(lines[-1].split(b" ")[1:3])


async def make(house: House) -> Team:
    alice, bob = await house.log_in(), await house.log_in("bob@example.org")
    await alice.command("CREATE top")
    await alice.command("SETACL top bob k")
    return Team(house, alice, bob)


@pytest.mark.parametrize("command", BY_NAME)
async def test_rights_by_name(command: str, tmp_path: Path) -> None:
    needed = BY_NAME[command]
    async with open_house(tmp_path) as house:
        team = await make(house)
        for _ in range(2):
            await team.bob.append(b"Subject: mine\r\n\r\n")
        await team.bob.command("SELECT INBOX")
        refused = b"NO [NOPERM]"
        hidden = b"NO [TRYCREATE]" if needed == "i" else b"NO [NONEXISTENT]"
        others = "".join(one for one in ALL if one not in needed)
        assert await team.ask(command, await team.box(others)) == refused
        assert await team.ask(command, await team.box(others.replace("l", ""))) == hidden
        assert await team.ask(command, await team.box("")) == hidden
        assert await team.ask(command, await team.box(needed)) != hidden
        await team.bob.command("SELECT INBOX")
        assert (await team.ask(command, await team.box(needed))).startswith(b"OK")


@pytest.mark.parametrize("command", SELECTED)
async def test_rights_in_a_selected_mailbox(command: str, tmp_path: Path) -> None:
    needed = SELECTED[command]
    async with open_house(tmp_path) as house:
        team = await make(house)
        box = await team.box("r" + needed)
        await team.bob.command(f"SELECT {box}")
        assert (await team.ask(command, box)).startswith(b"OK")
        for one in needed:
            box = await team.box(ALL.replace(one, ""))
            await team.bob.command(f"SELECT {box}")
            assert await team.ask(command, box) == b"NO [NOPERM]"
            # With the rights while it is selected it works: they are asked for anew each time.
            name = box.strip('"').removeprefix("Other Users/alice/")
            await team.alice.command(f"SETACL {name} bob {ALL}")
            assert (await team.ask(command, box)).startswith(b"OK")


async def test_making_and_renaming_take_rights_above(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        team = await make(house)
        box = await team.box(ALL)
        above = '"Other Users/alice/top'
        await team.bob.command(f'CREATE {above}/new/deep"')
        await team.alice.command("LIST top/new/deep *")
        lines = await team.alice.command("GETACL top/new/deep")
        assert lines[0] == b"* ACL top/new/deep alice lrswipkxtecda bob kc"  # As of what is above it.
        await team.bob.command(f'RENAME {box} {above}/renamed"')
        await team.alice.command("DELETEACL top bob")
        assert await team.ask("CREATE {box}", f'{above}/more"') == b"NO [NOPERM]"
        assert await team.ask("RENAME {box} " + f'{above}/again"', f'{above}/renamed"') == b"NO [NOPERM]"
        # Below what may be had it stays possible; to another account or to one's own it does not go.
        await team.bob.command(f'CREATE {above}/renamed/below"')
        assert await team.ask("RENAME {box} mine", f'{above}/renamed"') == b"NO [CANNOT]"
        assert await team.ask("CREATE {box} (USE (\\Archive))", f'{above}/renamed/archive"') == b"NO [NOPERM]"
        for name in ('"Other Users"', '"Other Users/bob/x"', '"Other Users/x"', '"Other Users/alice"'):
            assert await team.ask("CREATE {box}", name) == b"NO [NOPERM]"
            assert await team.ask("RENAME Archive {box}", name) == b"NO [NOPERM]"


@pytest.mark.parametrize(
    ("rights", "stored"),
    [
        pytest.param("i", b"()", id="none"),
        pytest.param("is", b"(\\Seen)", id="s"),
        pytest.param("it", b"(\\Deleted)", id="t"),
        pytest.param("iw", b"(\\Flagged word)", id="w"),
        pytest.param("iswt", b"(\\Seen \\Flagged \\Deleted word)", id="all"),
    ],
)
async def test_flags_of_what_is_brought(rights: str, stored: bytes, tmp_path: Path) -> None:
    """RFC 4314 §4: flags that may not be set are left out, and nothing fails."""
    async with open_house(tmp_path) as house:
        team = await make(house)
        box, source = await team.box(rights), await team.box("r")
        flags = "\\Seen \\Deleted \\Flagged word"
        name = source.strip('"').removeprefix("Other Users/alice/")
        await team.bob.append(b"a: b\r\n\r\n", box, flags)
        await team.bob.append(b"a: b\r\n\r\n", "INBOX", flags)
        await team.alice.append(b"a: b\r\n\r\n", name, flags)
        await team.bob.command("SELECT INBOX")
        await team.bob.command(f"COPY 1 {box}")
        await team.bob.command(f"MOVE 1 {box}")
        await team.bob.command(f"SELECT {source}")
        await team.bob.command(f"COPY 2 {box}")
        await team.alice.command(f"SELECT {box.strip(chr(34)).removeprefix('Other Users/alice/')}")
        lines = await team.alice.command("FETCH 2:* FLAGS")
        assert [line.split(b"FLAGS ")[1] for line in lines[:-1]] == [stored + b")"] * 4


async def test_copies_into_another_account_share_the_body(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        team = await make(house)
        first = b"Message-ID: <1@x.example>\r\nSubject: plan\r\n\r\n" + b"long words " * 1000
        reply = b"Message-ID: <2@x.example>\r\nReferences: <1@x.example>\r\nSubject: Re: plan\r\n\r\nyes\r\n"
        await team.alice.append(first, "top", "\\Flagged word")
        await team.alice.append(reply, "top")
        await team.alice.command("SETACL top bob lrte")
        await team.bob.append(first.replace(b"long", b"other"))
        await team.bob.command('SELECT "Other Users/alice/top"')
        lines = await team.bob.command("COPY 1:2 INBOX")
        assert b" 1:2 2:3]" in lines[-1]
        await team.bob.command("STORE 2 +FLAGS (\\Deleted)")
        await team.bob.command("MOVE 1 INBOX")
        with house.store.read() as tx:
            bob = tx.account_id("bob")
            assert bob is not None
            inbox, top = mailbox.by_name(tx, bob, "Inbox"), mailbox.by_name(tx, house.account, "top")
            rows = dict(message.rows(tx, bob, inbox.id))
            assert [uid for uid, _ in message.rows(tx, house.account, top.id)] == [2]
            # Into the thread of what bob had himself, by Message-ID.
            assert {row.thread for row in rows.values()} == {rows[1].id}
            assert rows[2].body == rows[4].body
            uses = tx.get(Table.BODY_USE, body_key(rows[2].body))
            assert int.from_bytes((uses or b"")[:4], "big") == 3  # The moved one is not erased yet.
            assert tx.account(bob).usage_octets == sum(row.size for row in rows.values())
        await team.bob.command("SELECT INBOX")
        lines = await team.bob.command("FETCH 4 (FLAGS BODY.PEEK[])")
        assert b"FLAGS (\\Flagged word)" in lines[0]
        assert lines[0].endswith(first + b")")
        lines = await team.bob.command('SEARCH SUBJECT plan TEXT "long words"')
        assert lines[0] == b"* SEARCH 2 4"
        lines = await team.bob.command('ESEARCH IN (subtree (INBOX "Other Users")) RETURN (COUNT) SUBJECT plan')
        assert [line.split(b"MAILBOX ")[1].split(b" UIDVALIDITY")[0] for line in lines[:-1]] == [
            b"INBOX",
            b'"Other Users/alice/top"',
        ]


async def test_a_quota_is_that_of_the_owner(tmp_path: Path) -> None:
    from support.imaphouse import DOMAINS

    limited = DOMAINS.replace("[accounts.alice]\n", "[accounts.alice]\nquota_message_size = 2000\n")
    async with open_house(tmp_path, limited) as house:
        team = await make(house)
        box = await team.box("lri")
        large = b"Subject: large\r\n\r\n" + b"x" * 3000
        await team.bob.append(large)
        await team.bob.command("SELECT INBOX")
        for command in ("COPY 1 {box}", "MOVE 1 {box}", f"APPEND {{box}} {{{{{len(large)}+}}}}\r\n{large.decode()}"):
            assert await team.ask(command, box) == b"NO [OVERQUOTA]"
        assert (await team.bob.command(f"GETQUOTAROOT {box}"))[:-1] == [b"* QUOTAROOT " + box.encode()]


async def test_what_the_owner_removes_is_readable_until_it_is_told(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        team = await make(house)
        box = await team.box("lr")
        name = box.strip('"').removeprefix("Other Users/alice/")
        await team.bob.command(f"SELECT {box}")
        await team.alice.command(f"SELECT {name}")
        await team.alice.command("STORE 1 +FLAGS (\\Deleted)")
        await team.alice.command("EXPUNGE")

        def erase() -> None:
            up_to = house.store.feed.erasable_up_to(house.account)
            house.store.write_sync(message.erase, house.account, up_to, 100)

        erase()
        lines = await team.bob.command("FETCH 1 BODY.PEEK[TEXT]")
        assert b"words" in lines[0]
        lines = await team.bob.command("NOOP")
        assert lines[0] == b"* 1 EXPUNGE"
        erase()
        with house.store.read() as tx:
            assert message.waiting_to_be_erased(tx) == set()
        # Nobody's listening is left behind.
        await team.bob.command("UNSELECT")
        assert len(house.store.feed._listeners[house.account]) == 1


async def test_an_account_that_is_removed_takes_its_mailboxes_along(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        team = await make(house)
        box = await team.box("lr")
        await team.bob.command(f"SELECT {box}")
        await house.store.write(accounts.begin_removal, "alice")
        await team.bob.send(b"a1 FETCH 1 BODY[]\r\n")
        assert (await team.bob.line()).startswith(b"* BYE ")
        again = await house.log_in("bob@example.org")
        assert (await again.command(f"SELECT {box}", expect=b"NO"))[-1].split(b" ")[2] == b"[NONEXISTENT]"
        assert len(await again.command('LIST "" "Other Users/*"')) == 1


async def test_a_mailbox_that_is_renamed_stays_selected(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        team = await make(house)
        box = await team.box("lrx")
        name = box.strip('"').removeprefix("Other Users/alice/")
        await team.bob.command(f"SELECT {box}")
        await team.alice.command(f"RENAME {name} elsewhere")
        assert (await team.bob.command("FETCH 1 BODY.PEEK[TEXT]"))[0].endswith(b"words\r\n)")
        lines = await team.bob.command('DELETE "Other Users/alice/elsewhere"')
        assert lines[0].startswith(b"* OK [CLOSED]")


@pytest.mark.parametrize("seed", range(6))
async def test_chance_never_goes_beyond_rights(seed: int, tmp_path: Path) -> None:
    """What is answered OK was allowed, what was not allowed changed nothing, and LIST shows what may be looked up."""
    chance = random.Random(seed)
    async with open_house(tmp_path) as house:
        clients = {name: await house.log_in(f"{name}@example.org") for name in ("alice", "bob", "carol")}
        boxes = ["a", "a/b", "c"]
        grants: dict[str, dict[str, str]] = {name: {} for name in boxes}
        for name in boxes:
            await clients["alice"].command(f"CREATE {name}")
            await clients["alice"].append(b"Subject: secret\r\n\r\nwords\r\n", name)

        def rights(who: str, name: str) -> str:
            return "".join({*grants[name].get(who, ""), *grants[name].get("anyone", "")})

        def state() -> tuple[object, ...]:
            with house.store.read() as tx:
                return tx.account(house.account).modseq, [
                    (box.name, acl.grants(tx, house.account, box.id)) for box in tx.mailboxes(house.account)
                ]

        for _ in range(120):
            who, name = chance.choice(("bob", "carol")), chance.choice(boxes)
            box = f'"Other Users/alice/{name}"'
            client, held = clients[who], rights(who, name)
            if chance.random() < 0.3:
                grantee, new = (
                    chance.choice(("bob", "carol", "anyone")),
                    "".join(chance.sample(ALL, chance.choice((0, 1, 2, 5, 11)))),
                )
                await clients["alice"].command(f'SETACL {name} {grantee} "{new}"')
                grants[name][grantee] = new
                continue
            written, needed = chance.choice(
                [
                    (f"STATUS {box} (MESSAGES)", "r"),
                    (f"SETACL {box} {who} +l", "a"),
                    (f"GETACL {box}", "a"),
                    (f"APPEND {box} {{7+}}\r\na: b\r\n\r\n", "i"),
                    (f'CREATE {box[:-1]}/new"', "k"),
                    (f"DELETE {box}", "?"),
                    ("STORE 1 FLAGS (\\Seen)", "rs"),
                    ("STORE 1 -FLAGS (\\Flagged)", "rw"),
                    ("STORE 1 +FLAGS (\\Deleted)", "rt"),
                    ("EXPUNGE", "re"),
                    ("FETCH 1:* (BODY[])", "r"),
                    ("COPY 1:* INBOX", "r"),
                ]
            )
            before = state()
            if not written.split(" ")[1:] or box not in written:
                lines = await client.command(f"SELECT {box}", expect=b"")
                assert (b" OK " in lines[-1]) == ("r" in held)
                if "r" not in held:
                    assert state() == before
                    continue
                written = written if b"* 0 EXISTS" not in lines else "NOOP"
            lines = await client.command(written, expect=b"")
            worked = b" OK " in lines[-1]
            if needed == "?":  # A mailbox with others below it stays; the model's mailboxes all stay.
                assert not worked or "x" in held
                if worked:
                    await clients["alice"].command(f"CREATE {name}")
                    await clients["alice"].append(b"Subject: secret\r\n\r\nwords\r\n", name)
                    grants[name] = dict(grants[name.rpartition("/")[0]]) if "/" in name else {}
            elif written != "NOOP" and not written.startswith("CREATE"):
                assert worked == (set(needed) <= set(held)), (written, held, lines)
            elif written.startswith("CREATE"):
                assert not worked or "k" in held
            if worked and written.startswith("CREATE"):
                await clients["alice"].command(f"DELETE {name}/new")
            if worked and written.startswith("SETACL"):
                grants[name][who] = grants[name].get(who, "") + "l"
            if not worked:
                assert state() == before
            if "r" not in held:
                assert not any(b"secret" in line for line in lines)
            await client.command("UNSELECT", expect=b"")
            lines = await client.command('LIST "" "Other Users/*"')
            shown = {line.rpartition(b"Other Users/alice/")[2].strip(b'"').decode() for line in lines[:-1]}
            assert shown == {one for one in boxes if "l" in rights(who, one)}


def test_letters_stand_for_all_rights() -> None:
    from appliance.operations import sharing

    assert sharing.bits_of(ALL) == sharing.bits_of(sharing.LETTERS) == ALL_RIGHTS
    assert sharing.letters_of(sharing.bits_of("lrd")) == "lrted"
    assert sharing.letters_of(sharing.bits_of("k")) == "kc"
    assert MailboxRef._fields == ("account", "id")


@pytest.mark.parametrize("overflows", [False, True])
async def test_who_is_sent_away_was_not_told(overflows: bool, tmp_path: Path) -> None:
    """A modification sequence from after \\Seen was given another meaning must not be what a client comes back with."""
    async with open_house(tmp_path) as house:
        team = await make(house)
        box = await team.box("lrs")
        await team.bob.command("ENABLE QRESYNC")
        await team.bob.command(f"SELECT {box}")
        session = house.sessions[1]
        assert session.selected is not None
        ref = session.selected.ref
        if overflows:
            assert session.selected.listener is not None
            session.selected.listener._limit = 0
        await house.store.write(seen.set_own, *ref, is_own=True)
        with house.store.read() as tx:
            turned = tx.mailbox(*ref).own_seen_modseq
        # As in the middle of a command that is still answered.
        news.collect(session)
        assert session.selected.told_modseq < turned <= session.selected.modseq
        assert session.highest_modseq() == f"HIGHESTMODSEQ {turned - 1}"
        await team.bob.send(b"n NOOP\r\n")
        assert (await team.bob.line()).startswith(b"* BYE flags")

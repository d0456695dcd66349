"""Mending: what is damaged is whole again, what was whole stays as it was, and traffic goes on meanwhile."""

import random

import msgspec
import pytest
import trio

from appliance.operations import upkeep
from appliance.store import bodies, mailbox, message, seen, tables, thread
from appliance.store.problems import NoSuchAccount, NoSuchMailbox
from appliance.store.records import DELETED, SEEN, Facts, pack_place, pack_row
from appliance.store.tables import MailboxRef, Table
from support.stores import add_account, new_message, open_store

pytestmark = pytest.mark.trio


async def silent(_: int) -> None:
    """Nobody wants to know."""


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def account(store):
    return add_account(store)


def inbox_of(store, account):
    with store.read() as tx:
        return mailbox.by_name(tx, account, "Inbox").id


def octets(number: int, *fields: str, subject: str = "hi") -> bytes:
    lines = [f"Message-ID: <{number}@example.org>", f"Subject: {subject}", *fields, "", f"text {number}", ""]
    return "\r\n".join(lines).encode()


async def fill(store, account, count: int, flags=lambda number: 0) -> list[int]:
    inbox = inbox_of(store, account)
    return [
        (await store.write(message.add, account, inbox, new_message(store, octets(number)), flags=flags(number))).id
        for number in range(count)
    ]


def dump(store) -> dict[str, list[tuple[bytes, bytes]]]:
    with store.read() as tx:
        return {table.value: list(tx.scan_prefix(table, b"")) for table in Table if table is not Table.SEGMENT_PIECE}


async def test_what_is_whole_stays_as_it_was(store, account):
    await fill(store, account, 40, lambda number: SEEN if number % 3 else DELETED)
    inbox = inbox_of(store, account)
    await store.write(message.expunge, account, inbox, [3, 4])
    await store.write(message.copy, account, inbox, [5, 6], inbox)
    before = dump(store)
    assert await upkeep.reparse(store, "alice", silent) == {"messages": 40, "changed": 0, "unreadable": 0}
    assert (await upkeep.reparse(store, "alice", silent, everything=False))["messages"] == 0
    assert await upkeep.fix_sizes(store, "alice", silent) == {"fixed": []}
    assert await upkeep.recount(store, "alice", silent) == {"changed": {}, "usage_octets": 0}
    assert await upkeep.reassign_threads(store, "alice", silent) == {"messages": 40, "changed": 0}
    assert await upkeep.fix_next_uids(store, "alice") == {"mailboxes": {}, "uid_validity": None}
    assert dump(store) == before


async def test_there_is_nobody_of_that_name(store):
    for name, job in upkeep.JOBS.items():
        with pytest.raises(NoSuchAccount):
            await job(store, "nobody", {}, silent)
        assert name.isalpha()


async def test_counters(store, account):
    await fill(store, account, 10, lambda number: SEEN if number % 2 else 0)
    inbox = inbox_of(store, account)

    def damage(tx):
        box = tx.mailbox(account, inbox)
        box.total, box.unread, box.size_octets = 99, 1, 7
        tx.account(account).usage_octets = 5

    await store.write(damage)
    assert store.verify() != []
    made = await upkeep.recount(store, "alice", silent)
    changed = made["changed"]["Inbox"]
    assert (changed["total"], changed["unread"]) == (-89, 4)
    assert made["usage_octets"] > 0
    assert store.verify() == []


async def test_sizes(store, account):
    ids = await fill(store, account, 5)
    inbox = inbox_of(store, account)

    def damage(tx):
        row = message.row(tx, account, inbox, 2)
        tx.put(Table.ROW, tables.row_key(account, inbox, 2), pack_row(row._replace(size=5)))
        place = message.place(tx, account, ids[3])
        tx.put(Table.PLACE, tables.message_key(account, ids[3]), pack_place(place._replace(size=6)))
        body = message.place(tx, account, ids[4]).body
        tx.put(Table.BODY_USE, tables.body_key(body), bodies._USE.pack(1, 9))

    await store.write(damage)
    assert store.verify() != []
    made = await upkeep.fix_sizes(store, "alice", silent)
    assert [one["id"] for one in made["fixed"]] == [ids[1], ids[3], ids[4]]
    assert made["fixed"][0]["stored"] == 5
    # One whose row was smaller than it was counted leaves the counters to the command that counts.
    await upkeep.recount(store, "alice", silent)
    assert store.verify() == []


async def test_structure(store, account):
    ids = await fill(store, account, 5)
    await store.indexer.reindex(account)
    whole = dump(store)

    def damage(tx):
        key = tables.message_key(account, ids[0])
        known = tx.record(Table.FACTS, key, Facts)
        thread.unindex(tx, account, ids[0], ids[0], known, store.clock.microseconds())
        tx.put_record(Table.FACTS, key, msgspec.structs.replace(known, message_id="<wrong>", subject_base=""))
        tx.delete(Table.PREPARED, tables.message_key(account, ids[1]))
        tx.delete(Table.ORDER, tables.message_key(account, ids[2]))
        tx.put(Table.TEXT, tables.message_key(account, ids[3]), b"\x01wrong\0wrong")

    await store.write(damage)
    assert store.verify() != []
    made = await upkeep.reparse(store, "alice", silent, everything=False)
    assert made == {"messages": 2, "changed": 2, "unreadable": 0}
    assert await upkeep.reparse(store, "alice", silent) == {"messages": 5, "changed": 2, "unreadable": 0}
    assert store.verify() == []
    now = dump(store)
    for table in ("facts", "prepared", "order", "text", "message_id", "subject"):
        assert now[table] == whole[table], table


async def test_uid_validity(store, account):
    await fill(store, account, 3)
    listener = store.subscribe(account)
    with store.read() as tx:
        before = {box.name: box.uid_validity for box in tx.mailboxes(account)}
    made = await upkeep.bump_uid_validity(store, "alice", "Inbox")
    assert made[0]["mailbox"] == "Inbox"
    assert made[0]["uid_validity"] > max(before.values())
    assert [one for news in listener.take() for one in news.changes if getattr(one, "renumbered", False)]
    listener.close()
    made = await upkeep.bump_uid_validity(store, "alice", None)
    assert {one["mailbox"] for one in made} == set(before)
    with pytest.raises(NoSuchMailbox):
        await upkeep.bump_uid_validity(store, "alice", "Nowhere")


async def test_next_uids(store, account):
    await fill(store, account, 5)
    inbox = inbox_of(store, account)

    def damage(tx):
        tx.mailbox(account, inbox).uid_next = 2
        tx.account(account).next_uid_validity = 1

    await store.write(damage)
    assert store.verify() != []
    made = await upkeep.fix_next_uids(store, "alice")
    assert made["mailboxes"] == {"Inbox": 6}
    assert made["uid_validity"] > 1
    assert store.verify() == []


async def test_new_uids_beside_traffic(store, account, monkeypatch):
    """Whatever comes and goes between the parts, all is whole, in its order, and seen by whom it was."""
    monkeypatch.setattr(upkeep, "RENUMBER_MESSAGES", 7)
    reader = add_account(store, "bob")
    inbox = inbox_of(store, account)
    await store.write(seen.set_own, account, inbox, is_own=True)
    await fill(store, account, 60)
    chance = random.Random(5)
    await store.write(message.expunge, account, inbox, sorted(chance.sample(range(1, 61), 20)))

    def look(tx, uids):
        own = seen.Own(tx, MailboxRef(account, inbox), reader)
        for uid in uids:
            own.keep(tx, uid, SEEN)

    with store.read() as tx:
        there = [(uid, row.id) for uid, row in message.rows(tx, account, inbox)]
    await store.write(look, [uid for uid, _ in there if uid % 2])
    seen_ids = {id for uid, id in there if uid % 2}
    view_before = None
    with store.read() as tx:
        view_before = store.view_now(tx, account, tx.mailbox(account, inbox))
        assert len(view_before) == 40
    removed: set[int] = set()

    async def traffic():
        for _ in range(12):
            with store.read() as tx:
                rows = [(uid, row.id) for uid, row in message.rows(tx, account, inbox)]
            uid, _ = chance.choice(rows)
            if await store.write(message.expunge, account, inbox, [uid]):
                with store.read() as tx:
                    gone = {one for _, one in rows} - {row.id for _, row in message.rows(tx, account, inbox)}
                removed.update(gone)
            await fill(store, account, 1)
            assert store.verify() == []
            await trio.sleep(0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(traffic)
        made = await upkeep.reassign_uids(store, "alice", inbox, silent)
    assert store.verify() == []
    assert made[0]["mailbox"] == "Inbox"
    # Once more, with nobody about: from 1 on without a gap.
    made = await upkeep.reassign_uids(store, "alice", inbox, silent)
    with store.read() as tx:
        box = tx.mailbox(account, inbox)
        rows = list(message.rows(tx, account, inbox))
        assert [uid for uid, _ in rows] == list(range(1, len(rows) + 1))
        assert box.uid_next == len(rows) + 1
        assert [row.id for _, row in rows] == sorted(row.id for _, row in rows)
        assert box.uid_validity == made[0]["uid_validity"]
        own = seen.Own(tx, MailboxRef(account, inbox), reader)
        assert {row.id for uid, row in rows if own.shown(uid, 0)} == seen_ids - removed
        view = store.view_now(tx, account, box)
        assert list(view.uids) == list(range(1, len(rows) + 1))
        assert list(view.ids) == [row.id for _, row in rows]
    assert store.verify() == []


async def test_no_mailbox_of_that_number(store, account):
    with pytest.raises(upkeep.NoSuchMailboxNumber):
        await upkeep.reassign_uids(store, "alice", 99, silent)


async def threads_of(store, account) -> dict[bytes, int]:
    found = {}
    with store.read() as tx:
        for _, row in message.rows(tx, account, inbox_of(store, account)):
            found[message.facts(tx, account, row.id).message_id.partition("@")[0].strip("<")] = row.thread
    return found


async def test_threads(store, account):
    inbox = inbox_of(store, account)
    ids = {}
    for number, fields in {
        1: ["References: <3@example.org>"],  # An answer that came first.
        3: [],
        4: ["In-Reply-To: <1@example.org>"],
        5: ["References: <6@example.org>"],  # A circle.
        6: ["References: <5@example.org>"],
        7: [],
        8: ["References: <7@example.org>"],  # What they answer will be gone.
        9: ["References: <7@example.org>"],
    }.items():
        new = new_message(store, octets(number, *fields))
        ids[number] = (await store.write(message.add, account, inbox, new)).id
    with store.read() as tx:
        gone = message.place(tx, account, ids[7]).uid
    await store.write(message.expunge, account, inbox, [gone])
    before = await threads_of(store, account)
    assert before["1"] != before["3"]
    assert before["8"] == before["9"]
    made = await upkeep.reassign_threads(store, "alice", silent)
    assert made["messages"] == 7
    assert made["changed"] > 0
    assert store.verify() == []
    now = await threads_of(store, account)
    assert now["1"] == now["3"] == now["4"] == ids[3]
    assert now["5"] == now["6"] == ids[5]
    assert now["8"] == now["9"] == ids[7]
    with store.read() as tx:
        assert message.facts(tx, account, ids[4]).thread_parents == (ids[1], ids[3])
        view = store.view_now(tx, account, tx.mailbox(account, inbox))
        assert list(view.threads) == [row.thread for _, row in message.rows(tx, account, inbox)]
    assert (await upkeep.reassign_threads(store, "alice", silent))["changed"] == 0


@pytest.mark.parametrize("seed", range(12))
async def test_threads_of_any_kind(store, account, seed):
    """Random answers, circles and removals: always whole, and the second time nothing changes."""
    chance = random.Random(seed)
    inbox = inbox_of(store, account)
    for number in range(40):
        fields = [f"References: <{chance.randrange(40)}@example.org>"] if chance.random() < 0.7 else []
        subject = chance.choice(["hi", "hi", "Re: hi", "other"])
        number = number if chance.random() < 0.9 else chance.randrange(40)
        new = new_message(store, octets(number, *fields, subject=subject))
        await store.write(message.add, account, inbox, new)
    await store.write(message.expunge, account, inbox, sorted(chance.sample(range(1, 41), 8)))
    await upkeep.reassign_threads(store, "alice", silent)
    assert store.verify() == []
    assert (await upkeep.reassign_threads(store, "alice", silent))["changed"] == 0

"""Lists that follow the store are what they would be if they were made anew; so are their changes and the counts."""

import random

import pytest
import trio

from appliance.store import listing, mailbox, message
from appliance.store.listing import Listing
from appliance.store.listquery import (
    All,
    Between,
    By,
    Has,
    HasTraits,
    InMailbox,
    InThread,
    Keyword,
    Not,
    NotOnlyIn,
    OfThread,
    Order,
    Query,
    Says,
    Some,
    ThreadHas,
)
from appliance.store.records import Flag
from appliance.store.search import in_body, in_field, in_shown
from support.stores import add_account, new_message, open_store

SEEN, FLAGGED = Keyword(int(Flag.SEEN)), Keyword(int(Flag.FLAGGED))
WORD = Keyword(0, "work")
_SUBJECTS = ("lunch", "Re: lunch", "minutes", "Re: minutes", "zebra", "Re: zebra")
_ATTACHED = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello\r\n--x\r\n"
    "Content-Type: application/pdf\r\n\r\nx\r\n--x--\r\n"
)


def _octets(chance: random.Random, number: int, ids: list[str]) -> bytes:
    lines = [f"Message-ID: <{number}@x.example>", f"Subject: {chance.choice(_SUBJECTS)}"]
    lines.append(f"From: {chance.choice('abcABC')} <{chance.choice('xyz')}@x.example>")
    if chance.random() < 0.6 and ids:
        lines.append(f"References: <{chance.choice(ids)}>")
    if chance.random() < 0.7:
        lines.append(f"Date: Mon, {chance.randrange(1, 28)} Jan 2024 10:00:00 +0000")
    ids.append(f"{number}@x.example")
    rest = _ATTACHED if chance.random() < 0.2 else f"\r\n{'word ' * chance.randrange(3)}{'x' * chance.randrange(9)}\r\n"
    return ("\r\n".join(lines) + "\r\n" + rest).encode()


def _keyword(chance: random.Random) -> Keyword:
    return chance.choice([SEEN, FLAGGED, WORD])


def _condition(chance: random.Random, boxes: list[int], depth: int = 0):
    kind = chance.randrange(13 if depth < 2 else 9)
    match kind:
        case 0 | 1:
            return InMailbox(chance.choice(boxes))
        case 2:
            return NotOnlyIn(frozenset(chance.sample(boxes, 2)))
        case 3:
            return Has(_keyword(chance))
        case 4:
            return ThreadHas(_keyword(chance), chance.choice(list(InThread)))
        case 5:
            return chance.choice([Between("sizes", 150, None), Between("received", None, 1_000_000_000_300_000)])
        case 6:
            return HasTraits(1)
        case 7:
            return Says(chance.choice([in_shown("lunch"), in_body("word"), in_field("from", "x@")]))
        case 8:
            return OfThread(chance.randrange(1, 10))
        case 9:
            return Not(_condition(chance, boxes, depth + 1))
        case 10:
            return Some(tuple(_condition(chance, boxes, depth + 1) for _ in range(2)))
        case _:
            return All(tuple(_condition(chance, boxes, depth + 1) for _ in range(chance.randrange(3))))


def _query(chance: random.Random, boxes: list[int]) -> Query:
    orders = []
    for by in chance.sample(list(By), chance.choice([0, 1, 1, 1, 2, 3])):
        keyed = by in {By.HAS, By.ALL_HAVE, By.SOME_HAVE}
        orders.append(Order(by, chance.random() < 0.5, _keyword(chance) if keyed else None))
    if chance.random() < 0.3:
        orders = [Order(By.RECEIVED, True)]
    return Query(_condition(chance, boxes), tuple(orders), chance.random() < 0.5)


def _plainly(queries: list[Query], columns, store, account):
    """A slow second opinion about order and collapsing: keys asked one by one."""
    found = {}
    with store.read() as tx:
        kept = dict(zip(columns.ids, store.orders.read(tx, account, columns.ids), strict=True))
    by_thread: dict[int, list] = {}
    for at in range(len(columns)):
        by_thread.setdefault(columns.threads[at], []).append(columns.entry(at))

    def has(entry, keyword):
        return bool(entry.flags & keyword.bits) if keyword.bits else keyword.word in entry.keywords

    def meets(condition, entry):
        match condition:
            case InMailbox(number):
                return entry.mailbox == number
            case NotOnlyIn(numbers):
                return entry.mailbox not in numbers
            case Has(keyword):
                return has(entry, keyword)
            case ThreadHas(keyword, how):
                having = [has(one, keyword) for one in by_thread[entry.thread]]
                return {InThread.ALL: all(having), InThread.SOME: any(having), InThread.NONE: not any(having)}[how]
            case Between(name, first, end):
                value = entry.size if name == "sizes" else entry.received
                return (first is None or value >= first) and (end is None or value < end)
            case HasTraits(bits):
                return bool(kept[entry.id].traits & bits)
            case Says(query):
                with store.read() as tx:
                    return query.test(message.text(tx, account, entry.id))
            case OfThread(one):
                return entry.thread == one
            case Not(inner):
                return not meets(inner, entry)
            case Some(conditions):
                return any(meets(one, entry) for one in conditions)
            case All(conditions):
                return all(meets(one, entry) for one in conditions)

    def value(order, entry):
        keys = kept[entry.id]
        members = by_thread[entry.thread]
        return {
            By.RECEIVED: lambda: entry.received,
            By.SIZE: lambda: entry.size,
            By.SENT: lambda: entry.received // 1_000_000 if keys.sent is None else keys.sent,
            By.FROM: lambda: keys.display_from,
            By.TO: lambda: keys.display_to,
            By.SUBJECT: lambda: keys.subject,
            By.HAS: lambda: has(entry, order.keyword),
            By.ALL_HAVE: lambda: all(has(one, order.keyword) for one in members),
            By.SOME_HAVE: lambda: any(has(one, order.keyword) for one in members),
        }[order.by]()

    for query in queries:
        entries = [entry for members in by_thread.values() for entry in members if meets(query.condition, entry)]
        entries.sort(key=lambda one: one.id, reverse=query.newest_first)
        for order in reversed(query.orders):
            entries.sort(key=lambda one, order=order: value(order, one), reverse=order.descending)
        if query.collapse:
            seen: set[int] = set()
            entries = [one for one in entries if one.thread not in seen and not seen.add(one.thread)]
        found[query] = [one.id for one in entries]
    return found


async def _change(chance: random.Random, store, account, boxes: list[int], number: int, ids: list[str]) -> None:
    with store.read() as tx:
        rows = [(box, uid) for box in boxes for uid, _ in message.rows(tx, account, box)]
    kind = chance.randrange(10) if rows else 0
    box, uid = chance.choice(rows) if rows else (boxes[0], 0)
    some = [one for where, one in rows if where == box and chance.random() < 0.3] or [uid]
    match kind:
        case 0 | 1 | 2:
            new = new_message(
                store, _octets(chance, number, ids), received=1_000_000_000_000_000 + chance.randrange(40) * 17_000
            )
            flags = chance.choice([0, 0, int(Flag.SEEN), int(Flag.DRAFT)])
            await store.write(message.add, account, chance.choice(boxes), new, flags=flags)
        case 3 | 4 | 5:
            flags = int(chance.choice([Flag.SEEN, Flag.FLAGGED, Flag.DELETED, Flag.SEEN, Flag.FLAGGED]))
            await store.write(message.store_flags, account, box, some, chance.choice("+-"), flags)
        case 6:
            await store.write(message.store_flags, account, box, some, chance.choice("+-"), 0, ("work",))
        case 7:
            target = chance.choice([one for one in boxes if one != box])
            await store.write(message.move, account, box, some, target)
        case 8:
            await store.write(message.expunge, account, box, some)
        case 9:
            target = chance.choice(boxes)
            await store.write(message.copy, account, box, [uid], target)


def _applied(before: list[int], changes: listing.ListChanges) -> list[int]:
    after = [id for id in before if id not in changes.removed]
    for at, id in changes.added:
        after.insert(at, id)
    return after


@pytest.mark.parametrize("seed", range(12))
async def test_lists_follow(tmp_path, seed, monkeypatch):
    chance = random.Random(seed)
    if seed % 2:
        monkeypatch.setattr(listing, "ONE_BY_ONE", 1)
        monkeypatch.setattr(listing, "INLINE_CHANGES", 1)
    with open_store(tmp_path) as store:
        account = add_account(store)
        with store.read() as tx:
            boxes = [box.id for box in tx.mailboxes(account)]
        queries = [_query(chance, boxes) for _ in range(15)]
        ids: list[str] = []
        number = 0
        lists: dict[Query, tuple[int, list[int]]] = {}
        for _ in range(12):
            for _ in range(chance.choice([1, 2, 6])):
                number += 1
                await _change(chance, store, account, boxes, number, ids)
            columns = (await store.listings.find(account, queries[0]))[1]
            plainly = _plainly(queries, columns, store, account)
            for query in queries:
                found, columns = await store.listings.find(account, query)
                assert list(found.ids) == plainly[query], query
                if query in lists:
                    state, before = lists[query]
                    changes = found.changes(state, columns)
                    assert changes is not None
                    assert _applied(before, changes) == list(found.ids), query
                    # And as another process would tell it, which has only what the store has.
                    _, told = await Listing(store, account).changes(query, state)
                    assert told is not None
                    assert _applied(before, told) == list(found.ids), query
                if query not in lists or chance.random() < 0.6:
                    lists[query] = found.state, list(found.ids)
            assert await store.listings.counts(account) == await Listing(store, account).counts()


async def test_changed_only_what_changed(tmp_path):
    """News of other mailboxes, or of flags that a list does not look at, are no changes of a list."""
    with open_store(tmp_path) as store:
        account = add_account(store)
        with store.read() as tx:
            inbox, other = (mailbox.by_name(tx, account, name).id for name in ("Inbox", "Archive"))
        added = [await store.write(message.add, account, inbox, new_message(store, received=at)) for at in range(5)]
        query = Query(InMailbox(inbox))
        found, columns = await store.listings.find(account, query)
        state = found.state
        await store.write(message.add, account, other, new_message(store))
        await store.write(message.store_flags, account, inbox, [added[2].uid], "+", int(Flag.SEEN))
        found, columns = await store.listings.find(account, query)
        assert found.state == state
        await store.write(message.store_flags, account, inbox, [added[2].uid], "+", int(Flag.DELETED))
        found, columns = await store.listings.find(account, query)
        assert found.changes(state, columns) == listing.ListChanges([added[2].id], [])
        await store.write(message.store_flags, account, inbox, [added[2].uid], "-", int(Flag.DELETED))
        found, columns = await store.listings.find(account, query)
        assert found.changes(state, columns) == listing.ListChanges([added[2].id], [(2, added[2].id)])
        assert found.changes(state - 1, columns) is None
        assert found.changes(found.state + 1, columns) is None


async def test_log_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "LOGGED", 4)
    with open_store(tmp_path) as store:
        account = add_account(store)
        with store.read() as tx:
            inbox = mailbox.by_name(tx, account, "Inbox").id
        query = Query(InMailbox(inbox))
        states = []
        for _ in range(8):
            await store.write(message.add, account, inbox, new_message(store))
            states.append((await store.listings.find(account, query))[0].state)
        found, columns = await store.listings.find(account, query)
        known = [found.changes(state, columns) is not None for state in states]
        assert known == [False] * 3 + [True] * 5
        assert len(found.changes(states[3], columns).added) == 4


async def test_removed_mailbox_and_other_trash(tmp_path):
    with open_store(tmp_path) as store:
        account = add_account(store)
        with store.read() as tx:
            archive, trash = (mailbox.by_name(tx, account, name).id for name in ("Archive", "Trash"))
        query = Query(All())
        for _ in range(mailbox.REMOVED_AT_ONCE + 5):
            await store.write(message.add, account, archive, new_message(store))
        await store.write(message.add, account, trash, new_message(store))
        assert len((await store.listings.find(account, query))[0]) == mailbox.REMOVED_AT_ONCE + 6
        assert (await store.listings.counts(account))[archive].unread_emails == mailbox.REMOVED_AT_ONCE + 5
        await store.write(mailbox.set_roles, account, trash, 0)
        assert await store.listings.counts(account) == await Listing(store, account).counts()
        await store.write(mailbox.remove, account, archive)
        assert len((await store.listings.find(account, query))[0]) == 1


async def test_many_changes_make_it_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "CATCH_UP", 3)
    with open_store(tmp_path) as store:
        account = add_account(store)
        with store.read() as tx:
            inbox = mailbox.by_name(tx, account, "Inbox").id
        query = Query(InMailbox(inbox))
        state = (await store.listings.find(account, query))[0].state
        for _ in range(5):
            await store.write(message.add, account, inbox, new_message(store))
        found, columns = await store.listings.find(account, query)
        assert len(found) == 5
        assert found.changes(state, columns) is None


async def test_many_ask_at_once(tmp_path):
    with open_store(tmp_path) as store:
        account = add_account(store)
        with store.read() as tx:
            inbox = mailbox.by_name(tx, account, "Inbox").id
        await store.write(message.add, account, inbox, new_message(store, b"Subject: zebra\r\n\r\nlunch\r\n"))
        lengths = []

        async def ask(query: Query) -> None:
            lengths.append(len((await store.listings.find(account, query))[0]))

        async with trio.open_nursery() as nursery:
            for word in ("zebra", "lunch", "zebra"):
                nursery.start_soon(ask, Query(All((InMailbox(inbox), Says(in_shown(word))))))
            nursery.start_soon(store.write, message.add, account, inbox, new_message(store))
        assert lengths == [1, 1, 1]


async def test_lists_give_way(tmp_path, monkeypatch):
    """Those used last stay; the one that is asked for always does, however much it weighs."""
    monkeypatch.setattr(listing, "LISTS_WEIGHT", 0)
    with open_store(tmp_path) as store:
        account = add_account(store)
        with store.read() as tx:
            inbox = mailbox.by_name(tx, account, "Inbox").id
        for _ in range(4):
            await store.write(message.add, account, inbox, new_message(store))
        queries = [Query(InMailbox(inbox), (Order(By.SUBJECT),)), Query(InMailbox(inbox), (Order(By.SENT),))]
        one = Listing(store, account)
        first = [await one.find(query) for query in queries]
        assert await one.find(queries[1]) is first[1]
        assert await one.find(queries[0]) is not first[0]
        monkeypatch.setattr(listing, "LISTS_WEIGHT", 1000)
        second = [await one.find(query) for query in queries]
        assert [await one.find(query) for query in queries] == second
        assert one.size == 4 + 2 * 2 * 4

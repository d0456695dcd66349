"""\\Seen of each reader's own, in the store; each store is verified when it is closed."""

import random
from array import array
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from appliance.store import account as accounts, mailbox, message, seen, tables, view as views
from appliance.store.changes import FlagsChanged, SeenChanged
from appliance.store.records import DELETED, SEEN, Flag
from appliance.store.seen import Own
from appliance.store.store import Store
from appliance.store.tables import AccountID, MailboxRef, Table
from appliance.store.transaction import WriteTx
from appliance.store.view import View
from support.stores import LIMITS, add_account, new_message, open_store

FLAGGED = int(Flag.FLAGGED)


def shared(store: Store, owner: AccountID, name: str, *, is_own: bool = True) -> MailboxRef:
    """A mailbox where \\Seen is each reader's own."""
    number = store.write_sync(mailbox.create, owner, name, limits=LIMITS.mailbox)[-1].id
    store.write_sync(seen.set_own, owner, number, is_own=is_own)
    return MailboxRef(owner, number)


def mark(tx: WriteTx, box: MailboxRef, reader: AccountID, uids: list[int], mode: str, flags: int) -> message.Stored:
    own = seen.own(tx, box, reader)
    return message.store_flags(tx, *box, uids, mode, flags, own=own)  # type: ignore[arg-type]


def move(tx: WriteTx, box: MailboxRef, uids: list[int], target: MailboxRef, reader: AccountID) -> list[tuple[int, int]]:
    there, here = seen.own(tx, box, reader), seen.own(tx, target, reader)
    return message.move(tx, *box, uids, target.id, own_there=there, own=here)


def add(tx: WriteTx, box: MailboxRef, new: message.NewMessage, reader: AccountID | None) -> int:
    return message.add(tx, *box, new, flags=SEEN, own=None if reader is None else seen.own(tx, box, reader)).uid


def shown(store: Store, box: MailboxRef, reader: AccountID | None) -> dict[int, int]:
    """What the columns say; they must be as the rows and the sets say one by one."""
    with store.read() as tx:
        view = store.view_now(tx, box.account, tx.mailbox(*box), reader=reader)
        found = dict(zip(view.uids, view.flags, strict=True))
        own = None if reader is None else Own(tx, box, reader)
        rows = {uid: row.flags if own is None else own.shown(uid, row.flags) for uid, row in message.rows(tx, *box)}
        assert found == rows
        unread = sum(not flags & SEEN for flags in found.values())
        assert seen.unseen(tx, tx.mailbox(*box), box, reader) == unread
        assert (view.first_unseen() is not None) == bool(unread)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_chance(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(seen, "CHUNK", chance.choice((1, 7, 4096)))
    monkeypatch.setattr(views, "READERS", chance.choice((1, 2, 64)))
    monkeypatch.setattr(views, "READ_AGAIN", chance.choice((0, 3, 64)))
    with open_store(tmp_path) as store:
        alice, *others = (add_account(store, name) for name in ("alice", "bob", "carol", "dan"))
        boxes = [shared(store, alice, "a"), shared(store, alice, "b")]
        rows: dict[MailboxRef, dict[int, int]] = {box: {} for box in boxes}
        read: dict[tuple[MailboxRef, AccountID], set[int]] = defaultdict(set)
        new = new_message(store)
        for _ in range(200):
            box, other = chance.sample(boxes, 2)
            reader = chance.choice(others)
            uids = sorted(chance.sample(sorted(rows[box]), min(len(rows[box]), chance.choice((0, 1, 2, 40)))))
            match chance.randrange(8):
                case 0 | 1:
                    by = chance.choice((None, reader))
                    uid = store.write_sync(add, box, new, by)
                    rows[box][uid] = SEEN if by is None else 0
                    if by is not None:
                        read[box, by].add(uid)
                case 2 | 3 | 4:
                    mode, flags = chance.choice("+-="), chance.choice((SEEN, SEEN | FLAGGED, FLAGGED))
                    store.write_sync(mark, box, reader, uids, mode, flags)
                    for uid in uids:
                        if flags & SEEN or mode == "=":
                            (read[box, reader].discard if mode == "-" or not flags & SEEN else read[box, reader].add)(
                                uid
                            )
                        others_flags = flags & ~SEEN
                        old = rows[box][uid]
                        kept = old & SEEN if mode == "=" else old
                        rows[box][uid] = kept & ~others_flags if mode == "-" else kept | others_flags
                case 5:
                    store.write_sync(message.store_flags, *box, uids, chance.choice("+-"), SEEN)
                    with store.read() as tx:
                        rows[box] = {uid: row.flags for uid, row in message.rows(tx, *box)}
                case 6:
                    store.write_sync(message.expunge, *box, uids)
                    for uid in uids:
                        del rows[box][uid]
                case 7:
                    for old, uid in store.write_sync(move, box, uids, other, reader):
                        rows[other][uid] = rows[box].pop(old)
                        if old in read[box, reader]:
                            read[other, reader].add(uid)
            for one in boxes:
                assert shown(store, one, None) == rows[one]
                for who in chance.sample(others, 2):
                    own = read[one, who]
                    assert shown(store, one, who) == {
                        uid: flags | SEEN if uid in own else flags & ~SEEN for uid, flags in rows[one].items()
                    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    there=st.sets(st.integers(1, 60)),
    read=st.sets(st.integers(1, 60)),
    chunk=st.sampled_from([1, 2, 8, 9, 64, 4096]),
    other_flags=st.integers(0, 3),
)
def test_columns_are_the_set(
    there: set[int], read: set[int], chunk: int, other_flags: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch, open_store(tmp_path_factory.mktemp("s")) as store:
        patch.setattr(seen, "CHUNK", chunk)
        alice, bob = add_account(store), add_account(store, "bob")
        box = shared(store, alice, "a")
        uids, flags = array("I", sorted(there)), array("H", [other_flags * 2 | uid & 1 for uid in sorted(there)])

        def put(tx: WriteTx) -> None:
            own = Own(tx, box, bob)
            for uid in read:
                own.keep(tx, uid, SEEN)

        store.write_sync(put)
        with store.read() as tx:
            found = seen.shown_flags(tx, box, bob, uids, flags)
            assert seen.count(tx, box, bob) == len(read)
            assert seen.readers(tx, box) == ([bob] if read else [])
        assert list(found) == [other_flags * 2 | (uid in read) for uid in sorted(there)]
        store.write_sync(seen.forget, box, range(1, 61))
        with store.read() as tx:
            assert seen.count(tx, box, bob) == 0
            assert not list(tx.scan_prefix(Table.SEEN_BY, b""))


def test_news_of_a_reader_are_his_and_move_the_modseq(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        box = shared(store, alice, "a")
        for _ in range(3):
            store.write_sync(message.add, *box, new_message(store))
        with store.read() as tx:
            before = tx.mailbox(*box)

        def both(tx: WriteTx) -> list[object]:
            mark(tx, box, bob, [1, 2], "+", SEEN)
            mark(tx, box, bob, [3], "+", SEEN | FLAGGED)
            mark(tx, box, bob, [1], "+", SEEN)
            return list(tx.changes[alice])

        mine, all_flags = store.write_sync(both)
        assert isinstance(mine, SeenChanged)
        assert isinstance(all_flags, FlagsChanged)
        assert (mine.reader, [one.uid for one in mine.messages]) == (bob, [1, 2])
        assert [(one.uid, one.flags) for one in all_flags.messages] == [(3, FLAGGED)]
        with store.read() as tx:
            after = tx.mailbox(*box)
            changed = {one.uid: one.modseq for one in message.changed_since(tx, alice, before.modseq)}
        assert changed == dict.fromkeys((1, 2, 3), after.modseq)
        assert (after.unseen, after.unread) == (before.unseen, before.unread) == (3, 3)


def test_it_is_known_again_and_goes_with_accounts_and_mailboxes(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        alice, bob, carol = (add_account(store, name) for name in ("alice", "bob", "carol"))
        box, gone = shared(store, alice, "a"), shared(store, alice, "b")
        of_bob = shared(store, bob, "c")
        for one in (box, box, gone, of_bob):
            store.write_sync(message.add, *one, new_message(store))
        for one, reader in ((box, bob), (box, carol), (gone, bob), (of_bob, alice), (of_bob, carol)):
            store.write_sync(mark, one, reader, [1], "+", SEEN)
        with store.read() as tx:
            turned = tx.mailbox(*box).own_seen_modseq
        store.write_sync(seen.set_own, *box, is_own=False)
        with store.read() as tx:
            assert seen.own(tx, box, bob) is None
            assert tx.mailbox(*box).own_seen_modseq > turned
        store.write_sync(message.expunge, *box, [2])
        store.write_sync(seen.set_own, *box, is_own=True)
        assert shown(store, box, bob) == {1: SEEN}
        assert shown(store, box, None) == {1: 0}
        store.write_sync(mailbox.remove, *gone)
        with store.read() as tx:
            assert not list(tx.scan_prefix(Table.SEEN, tables.mailbox_key(*gone)))
        store.write_sync(accounts.begin_removal, "bob")
        while not store.write_sync(accounts.remove_part, "bob", 1):
            assert store.verify() == []
        with store.read() as tx:
            assert seen.readers(tx, box) == [carol]
            assert [tables.split_acl_key(key) for key, _ in tx.scan_prefix(Table.SEEN_BY, b"")] == [(carol, *box)]


def test_mailboxes_below_begin_as_their_parent(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        alice = add_account(store)
        shared(store, alice, "a")
        shared(store, alice, "b", is_own=False)
        store.write_sync(mailbox.create, alice, "a/x/y", limits=LIMITS.mailbox)
        store.write_sync(mailbox.create, alice, "b/x", limits=LIMITS.mailbox)
        with store.read() as tx:
            found = {name: mailbox.by_name(tx, alice, name) for name in ("a/x/y", "b/x")}
        assert {name: (one.own_seen, one.own_seen_modseq > 0) for name, one in found.items()} == {
            "a/x/y": (True, True),
            "b/x": (False, False),
        }


def test_columns_of_an_older_snapshot_are_not_kept(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        box = shared(store, alice, "a")
        store.write_sync(message.add, *box, new_message(store))
        shown(store, box, None)
        with store.read() as old:
            store.write_sync(mark, box, bob, [1], "+", SEEN)
            shown(store, box, None)
            view = store.view_now(old, alice, old.mailbox(*box), reader=bob)
            assert list(view.flags) == [0]
        assert shown(store, box, bob) == {1: SEEN}


@pytest.mark.parametrize("wrong", ["uid", "reader", "empty", "index", "mailbox"])
def test_verify_finds(wrong: str, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        box, never = shared(store, alice, "a"), shared(store, alice, "b", is_own=False)
        for one in (box, never):
            store.write_sync(message.add, *one, new_message(store))
        key, index = tables.seen_key(*box, bob, 0), tables.shared_key(bob, *box)

        def put(tx: WriteTx) -> None:
            bits = {"uid": b"\x04", "empty": b"\x02\0"}.get(wrong, b"\x02")
            if wrong == "reader":
                tx.put(Table.SEEN, tables.seen_key(*box, alice, 0), bits)
                tx.put(Table.SEEN_BY, tables.shared_key(alice, *box), b"")
            elif wrong == "mailbox":
                tx.put(Table.SEEN, tables.seen_key(*never, bob, 0), bits)
                tx.put(Table.SEEN_BY, tables.shared_key(bob, *never), b"")
            else:
                tx.put(Table.SEEN, key, bits)
                if wrong != "index":
                    tx.put(Table.SEEN_BY, index, b"")

        def undo(tx: WriteTx) -> None:
            for table in (Table.SEEN, Table.SEEN_BY):
                for found, _ in list(tx.scan_prefix(table, b"")):
                    tx.delete(table, found)

        store.write_sync(put)
        assert len(store.verify()) == 1
        store.write_sync(undo)


def test_an_ordinary_mailbox_has_no_columns_of_readers(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        alice, bob = add_account(store), add_account(store, "bob")
        box = shared(store, alice, "a", is_own=False)
        uid = store.write_sync(message.add, *box, new_message(store), flags=DELETED).uid
        store.write_sync(mark, box, bob, [uid], "+", SEEN)
        with store.read() as tx:
            view = store.view_now(tx, alice, tx.mailbox(*box), reader=seen.reader(tx.mailbox(*box), alice, bob))
            assert isinstance(view, View)
            assert not view.readers
            assert list(view.flags) == [SEEN | DELETED]
            assert not list(tx.scan_prefix(Table.SEEN, b""))

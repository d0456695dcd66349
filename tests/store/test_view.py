"""Columns of a mailbox, made by a scan and by following changes, are its rows."""

import random
import threading
from pathlib import Path

import pytest
import trio
from hypothesis import given, strategies as st

from appliance.store import mailbox, message, store as stores, view as views
from appliance.store.records import Mailbox
from appliance.store.store import Store
from appliance.store.tables import AccountID, MailboxID
from appliance.store.transaction import ReadTx
from appliance.store.view import View
from support.stores import add_account, new_message, open_store


def _scanned(store: Store, account: AccountID, number: MailboxID) -> View:
    view = View()
    with store.read() as tx:
        view.load(tx, account, tx.mailbox(account, number))
    return view


def _check(store: Store, account: AccountID, number: MailboxID, view: View) -> None:
    with store.read() as tx:
        rows = list(message.rows(tx, account, number))
        assert view.modseq == tx.mailbox(account, number).modseq
    assert list(view.uids) == [uid for uid, _ in rows]
    columns = view._columns()
    assert [tuple(column[at] for column in columns) for at in range(len(rows))] == [row[:9] for _, row in rows]
    assert view.keywords == {uid: row.keywords for uid, row in rows if row.keywords}


@pytest.mark.parametrize("portion", [1, 3, 4096])
def test_columns_are_rows(portion: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_PORTION", portion)
    chance = random.Random(portion)
    with open_store(tmp_path) as store:
        account, other = add_account(store), add_account(store, "bob")
        with store.read() as tx:
            numbers = [mailbox.by_name(tx, account, name).id for name in ("Inbox", "Archive", "Trash")]
            others = mailbox.by_name(tx, other, "Inbox").id
        store.write_sync(message.add, other, others, new_message(store))
        followed = _scanned(store, account, numbers[1])
        for _ in range(40):
            number = chance.choice(numbers[:2])
            words = chance.choice([(), ("one",), ("one", "two words"[:3])])
            flags = chance.choice((0, 1, 0x3FF))
            store.write_sync(message.add, account, number, new_message(store), flags=flags, keywords=words)
        store.write_sync(message.store_flags, account, numbers[1], [2, 5], "=", 4, ("three",))
        store.write_sync(message.expunge, account, numbers[1], [1, 7])
        for number in numbers:
            _check(store, account, number, _scanned(store, account, number))
        with store.read() as tx:
            assert followed._follow(tx, account, tx.mailbox(account, numbers[1]))
        _check(store, account, numbers[1], followed)


@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)))
def test_runs_without(uids: set[int], gone: set[int]) -> None:
    ordered = sorted(uids)
    runs = views.runs_without(ordered, gone)
    assert [uid for start, stop in runs for uid in ordered[start:stop]] == sorted(uids - gone)
    assert all(start < stop for start, stop in runs)


async def test_a_view_far_behind_is_made_anew_in_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "CATCH_UP", 3)
    monkeypatch.setattr(stores, "INLINE_MESSAGES", 4)
    threads: list[bool] = []
    load = View.load
    loop = threading.get_ident()

    def noted(view: View, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> None:
        threads.append(threading.get_ident() != loop)
        load(view, tx, account, mailbox)

    monkeypatch.setattr(View, "load", noted)
    with open_store(tmp_path) as store:
        account = add_account(store)
        with store.read() as tx:
            inbox, archive = (mailbox.by_name(tx, account, name).id for name in ("Inbox", "Archive"))

        async def look() -> None:
            await store.bring_view(account, inbox)
            with store.read() as tx:
                view = store.view_now(tx, account, tx.mailbox(account, inbox))
            _check(store, account, inbox, view)

        for _ in range(4):
            await store.write(message.add, account, inbox, new_message(store))
        await look()
        assert threads == [False]  # So few are read at once.
        await store.write(message.add, account, inbox, new_message(store))
        await store.write(message.store_flags, account, inbox, [1, 2], "+", 4)
        await look()
        assert threads == [False]
        await store.write(message.store_flags, account, inbox, [1, 2], "-", 4)
        await store.write(message.store_flags, account, inbox, [3, 4], "+", 4)
        await look()
        assert threads == [False, True]
        # What happened elsewhere does not count once it is known that nothing happened here.
        for _ in range(2):
            for _ in range(3):
                await store.write(message.add, account, archive, new_message(store))
            await look()
        await store.write(message.expunge, account, inbox, [1])
        await look()
        assert threads == [False, True]


async def test_those_who_wait_for_the_same_view_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "INLINE_MESSAGES", 0)
    loaded: list[View] = []
    load = View.load

    def noted(view: View, tx: ReadTx, account: AccountID, mailbox: Mailbox) -> None:
        loaded.append(view)
        load(view, tx, account, mailbox)

    monkeypatch.setattr(View, "load", noted)
    with open_store(tmp_path) as store:
        account = add_account(store)
        with store.read() as tx:
            inbox = mailbox.by_name(tx, account, "Inbox").id
        await store.write(message.add, account, inbox, new_message(store))
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(store.bring_view, account, inbox)
        assert len(loaded) == 1
        await store.bring_view(account, MailboxID(99))  # There is none: whoever looks will be told.

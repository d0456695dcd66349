"""Columns of a mailbox, made by a scan and by following changes, are its rows."""

import random
from pathlib import Path

import pytest

from appliance.store import mailbox, message, view as views
from appliance.store.store import Store
from appliance.store.tables import AccountID, MailboxID
from appliance.store.view import View
from support.stores import add_account, new_message, open_store


def _scanned(store: Store, account: AccountID, number: MailboxID) -> View:
    view = View()
    with store.read() as tx:
        view._load(tx, account, tx.mailbox(account, number))
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

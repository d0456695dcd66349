import pytest
import trio

from appliance.store import account as accounts, annotation, mailbox, message, seen, store as stores
from appliance.store.annotation import Entry
from appliance.store.changes import MailboxAdded, MailboxRemoved, MailboxRenamed, MailboxRoles
from appliance.store.problems import (
    BadMailboxName,
    MailboxExists,
    MailboxHasChildren,
    NoSuchMailbox,
    NotSubscribed,
    NotThatMailbox,
)
from appliance.store.records import Role
from appliance.store.tables import MailboxID, MailboxRef, Table
from support.stores import LIMITS, add_account, new_message, open_store

BOXES = LIMITS.mailbox


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as store:
        yield store


@pytest.fixture
def alice(store):
    return add_account(store)


def names(store, account):
    with store.read() as tx:
        return sorted(one.name for one in tx.mailboxes(account))


def by_name(store, account, name):
    with store.read() as tx:
        return mailbox.by_name(tx, account, name)


def test_new_account(store, alice):
    assert names(store, alice) == ["Archive", "Drafts", "Inbox", "Junk", "Sent", "Trash"]
    with store.read() as tx:
        assert mailbox.subscriptions(tx, alice) == names(store, alice)
        assert mailbox.by_name(tx, alice, "Sent").roles == Role.SENT


def test_parents_are_made_and_subscribed(store, alice):
    created = store.write_sync(mailbox.create, alice, "a/b/c", limits=BOXES)
    assert [one.name for one in created] == ["a", "a/b", "a/b/c"]
    with store.read() as tx:
        assert {"a", "a/b", "a/b/c"} <= set(mailbox.subscriptions(tx, alice))
    with pytest.raises(MailboxExists):
        store.write_sync(mailbox.create, alice, "a/b", limits=BOXES)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("a//b", id="empty element"),
        pytest.param("x" * 201, id="long element"),
        pytest.param("/".join("é" * 100 for _ in range(6)), id="long name"),
        pytest.param("/".join("a" * 1 for _ in range(33)), id="deep"),
    ],
)
def test_names_that_cannot_be(store, alice, name):
    with pytest.raises(BadMailboxName):
        store.write_sync(mailbox.create, alice, name, limits=BOXES)


def test_recreated_mailbox_has_a_higher_uid_validity(store, alice):
    first = store.write_sync(mailbox.create, alice, "x", limits=BOXES)[0]
    store.write_sync(mailbox.remove, alice, first.id)
    again = store.write_sync(mailbox.create, alice, "x", limits=BOXES)[0]
    assert again.uid_validity > first.uid_validity
    assert again.id != first.id


def test_remove(store, alice):
    store.write_sync(mailbox.create, alice, "a/b", limits=BOXES)
    parent, child = by_name(store, alice, "a"), by_name(store, alice, "a/b")
    store.write_sync(message.add, alice, child.id, new_message(store))
    store.write_sync(annotation.put, alice, child.id, [Entry("/private/comment", b"x")], limits=BOXES.annotations)
    with pytest.raises(MailboxHasChildren):
        store.write_sync(mailbox.remove, alice, parent.id)
    store.write_sync(mailbox.remove, alice, child.id)
    with pytest.raises(NoSuchMailbox):
        by_name(store, alice, "a/b")
    with store.read() as tx:
        assert list(annotation.entries(tx, alice, child.id)) == []
        assert "a/b" in mailbox.subscriptions(tx, alice)
    with pytest.raises(NotThatMailbox):
        store.write_sync(mailbox.remove, alice, by_name(store, alice, "Inbox").id)


def test_rename_takes_everything_below_along(store, alice):
    store.write_sync(mailbox.create, alice, "a/b/c", limits=BOXES)
    before = by_name(store, alice, "a/b/c")
    created = store.write_sync(mailbox.rename, alice, by_name(store, alice, "a/b").id, "x/y", limits=BOXES)
    assert [one.name for one in created] == ["x"]
    after = by_name(store, alice, "x/y/c")
    assert (after.id, after.uid_validity) == (before.id, before.uid_validity)
    with pytest.raises(NoSuchMailbox):
        by_name(store, alice, "a/b/c")
    with pytest.raises(NotThatMailbox):
        store.write_sync(mailbox.rename, alice, by_name(store, alice, "x").id, "x/y/z", limits=BOXES)
    with pytest.raises(MailboxExists):
        store.write_sync(mailbox.rename, alice, by_name(store, alice, "x").id, "Sent", limits=BOXES)


def test_rename_inbox_moves_its_messages(store, alice):
    store.write_sync(message.add, alice, by_name(store, alice, "Inbox").id, new_message(store))
    store.write_sync(mailbox.create, alice, "Inbox/child", limits=BOXES)
    store.write_sync(mailbox.rename_inbox, alice, "old", limits=BOXES)
    assert by_name(store, alice, "Inbox").messages == 0
    assert by_name(store, alice, "old").messages == 1
    assert by_name(store, alice, "Inbox/child").name == "Inbox/child"


def test_a_role_has_one_holder(store, alice):
    created = store.write_sync(mailbox.create, alice, "Gone", limits=BOXES, roles=int(Role.TRASH))
    assert by_name(store, alice, "Gone").roles == Role.TRASH
    assert by_name(store, alice, "Trash").roles == 0
    assert created[0].name == "Gone"


def test_subscriptions_do_not_need_mailboxes(store, alice):
    store.write_sync(mailbox.subscribe, alice, "nowhere", limits=BOXES)
    store.write_sync(mailbox.unsubscribe, alice, "nowhere")
    with pytest.raises(NotSubscribed):
        store.write_sync(mailbox.unsubscribe, alice, "nowhere")
    store.write_sync(mailbox.unsubscribe, alice, "Sent")
    store.write_sync(mailbox.unsubscribe, alice, "Sent")  # It exists, so this is no fault.


def many(store, alice) -> MailboxID:
    """A mailbox with ten messages, some of them copies, junk, and seen by one who has a \\Seen of his own."""
    bob = add_account(store, "bob")
    box = store.write_sync(mailbox.create, alice, "many", limits=BOXES)[0].id
    archive = by_name(store, alice, "Archive").id
    store.write_sync(seen.set_own, alice, box, is_own=True)
    for number in range(8):
        store.write_sync(message.add, alice, box, new_message(store), flags=number)
    store.write_sync(message.copy, alice, box, [1, 2], archive)
    store.write_sync(message.copy, alice, archive, [1, 2], box)

    def read(tx):
        message.store_flags(tx, alice, box, [1, 9], "+", 1, own=seen.own(tx, MailboxRef(alice, box), bob))

    store.write_sync(read)
    return box


def test_very_many_messages_go_later(store, alice, monkeypatch):
    monkeypatch.setattr(mailbox, "REMOVED_AT_ONCE", 9)
    box = many(store, alice)
    with store.read() as tx:
        used = tx.account(alice).usage_octets
    store.write_sync(mailbox.remove, alice, box)
    # The name is free at once, and nobody finds the messages any more.
    again = store.write_sync(mailbox.create, alice, "many", limits=BOXES)[0]
    assert store.write_sync(message.copy, alice, box, [1, 2], again.id) == []
    with pytest.raises(NoSuchMailbox):
        store.write_sync(message.expunge, alice, box, [1])
    with store.read() as tx:
        assert message.to_be_emptied(tx) == {MailboxRef(alice, box)}
        assert len(list(message.rows(tx, alice, box))) == 10
    assert store.verify() == []
    assert store.write_sync(message.empty, alice, box, 4)
    assert store.verify() == []
    assert store.write_sync(message.empty, alice, box, 4)
    assert not store.write_sync(message.empty, alice, box, 4)
    with store.read() as tx:
        assert message.to_be_emptied(tx) == set()
        # As ever, what is removed counts until it is erased.
        assert tx.account(alice).usage_octets == used
    store.write_sync(message.erase, alice, None, 100)
    with store.read() as tx:
        assert tx.account(alice).usage_octets == 2 * new_message(store).size
    # A mailbox that is there is not emptied.
    store.write_sync(message.add, alice, again.id, new_message(store))
    assert not store.write_sync(message.empty, alice, again.id, 4)
    with store.read() as tx:
        assert tx.mailbox(alice, again.id).messages == 1


def test_an_account_goes_with_what_was_to_go(store, alice, monkeypatch):
    monkeypatch.setattr(mailbox, "REMOVED_AT_ONCE", 9)
    store.write_sync(mailbox.remove, alice, many(store, alice))
    store.write_sync(accounts.begin_removal, "alice")
    while not store.write_sync(accounts.remove_part, "alice", 3):
        assert store.verify() == []
    with store.read() as tx:
        assert tx.entries(Table.ROW) == 0


async def test_the_keeper_removes_them_also_after_a_restart(tmp_path, autojump_clock, monkeypatch):
    monkeypatch.setattr(mailbox, "REMOVED_AT_ONCE", 9)
    monkeypatch.setattr(stores, "EMPTY_MESSAGES", 3)

    async def gone(store) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.erase_forever)
            if restarted:
                await trio.sleep(1)
                await store.write(mailbox.remove, alice, number)
            for _ in range(1_000_000):
                with store.read() as tx:
                    left = tx.entries(Table.ROW), tx.entries(Table.ERASE)
                if left == (2, 0):
                    break
                await trio.sleep(1)
            assert left == (2, 0)
            nursery.cancel_scope.cancel()

    for restarted in (False, True):
        folder = tmp_path / str(restarted)
        folder.mkdir()
        with open_store(folder) as store:
            alice = add_account(store)
            number = many(store, alice)
            if not restarted:
                store.write_sync(mailbox.remove, alice, number)
            await gone(store)


async def test_changes_are_published_in_order(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        listener = store.subscribe(alice)
        await store.write(mailbox.create, alice, "a", limits=BOXES)
        number = by_name(store, alice, "a").id
        await store.write(mailbox.rename, alice, number, "b", limits=BOXES)
        await store.write(mailbox.set_roles, alice, number, int(Role.ARCHIVE))
        await store.write(mailbox.remove, alice, number)
        kinds = [type(change) for news in listener.take() for change in news.changes]
        wanted = [MailboxAdded, MailboxRenamed, MailboxRoles, MailboxRemoved]
        assert [kind for kind in kinds if kind in wanted] == wanted
        listener.close()

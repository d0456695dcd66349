import pytest

from appliance.store import annotation, mailbox, message
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

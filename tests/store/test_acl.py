"""Access control lists in the store; each store is verified when it is closed."""

from pathlib import Path

import pytest

from appliance.store import account as accounts, acl, mailbox
from appliance.store.problems import NoSuchMailbox, TooMany
from appliance.store.records import ALL_RIGHTS, Rights
from appliance.store.store import Store
from appliance.store.tables import ANYONE, AUTHENTICATED, AccountID, MailboxID, MailboxRef, Table
from support.stores import LIMITS, add_account, open_store

READ = int(Rights.LOOKUP | Rights.READ)


def make(store: Store, account: AccountID, name: str) -> MailboxRef:
    return MailboxRef(account, store.write_sync(mailbox.create, account, name, limits=LIMITS.mailbox)[-1].id)


def grant(store: Store, box: MailboxRef, grantee: AccountID, rights: int, most: int = 10) -> None:
    store.write_sync(acl.set_rights, *box, grantee, rights, most=most)


def rights(store: Store, actor: AccountID, box: MailboxRef) -> int:
    with store.read() as tx:
        return acl.rights(tx, actor, box)


def test_rights_are_those_of_the_account_and_of_everybody(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        alice, bob, carol = (add_account(store, name) for name in ("alice", "bob", "carol"))
        box = make(store, alice, "team")
        assert (rights(store, alice, box), rights(store, bob, box)) == (ALL_RIGHTS, 0)
        grant(store, box, bob, int(Rights.INSERT))
        grant(store, box, ANYONE, READ)
        grant(store, box, AUTHENTICATED, int(Rights.SEEN))
        assert rights(store, bob, box) == READ | Rights.SEEN | Rights.INSERT
        assert rights(store, carol, box) == READ | Rights.SEEN
        grant(store, box, ANYONE, 0)
        grant(store, box, AUTHENTICATED, 0)
        assert (rights(store, bob, box), rights(store, carol, box)) == (Rights.INSERT, 0)
        with store.read() as tx:
            assert acl.shared_with(tx, bob) == [box]
            assert acl.shared_with(tx, alice) == acl.shared_with(tx, carol) == []


def test_children_begin_with_the_list_of_their_parent_and_keep_it(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        alice, bob = add_account(store, "alice"), add_account(store, "bob")
        grant(store, make(store, alice, "team"), bob, READ)
        below = make(store, alice, "team/a/b")
        assert rights(store, bob, below) == READ
        store.write_sync(mailbox.rename, alice, below.id, "private/b", limits=LIMITS.mailbox)
        assert rights(store, bob, below) == READ
        with store.read() as tx:
            private = mailbox.by_name(tx, alice, "private")
        assert rights(store, bob, MailboxRef(alice, private.id)) == 0


def test_lists_go_with_mailboxes_and_accounts(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        alice, bob, carol = (add_account(store, name) for name in ("alice", "bob", "carol"))
        for owner, grantee in ((alice, bob), (bob, carol), (carol, bob), (carol, alice)):
            grant(store, make(store, owner, f"for {grantee}"), grantee, READ)
        gone = make(store, alice, "gone")
        grant(store, gone, bob, READ)
        store.write_sync(mailbox.remove, alice, gone.id)
        with store.read() as tx:
            assert acl.grants(tx, *gone) == {}
            (of_bob,) = acl.shared_with(tx, carol)
        store.write_sync(accounts.begin_removal, "bob")
        # From the moment it is being removed.
        assert rights(store, carol, of_bob) == 0
        with pytest.raises(NoSuchMailbox):
            grant(store, of_bob, alice, READ)
        assert store.verify() == []
        while not store.write_sync(accounts.remove_part, "bob", 1):
            assert store.verify() == []
        with store.read() as tx:
            assert [owner for owner, _ in acl.shared_with(tx, alice)] == [carol]
            assert acl.shared_with(tx, bob) == acl.shared_with(tx, carol) == []
            assert len(list(tx.scan_prefix(Table.ACL, b""))) == len(list(tx.scan_prefix(Table.SHARED, b""))) == 1


def test_a_list_has_a_limit(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        alice = add_account(store, "alice")
        box = make(store, alice, "team")
        for number in range(2):
            grant(store, box, add_account(store, f"user{number}"), READ, most=2)
        with pytest.raises(TooMany):
            grant(store, box, ANYONE, READ, most=2)
        with pytest.raises(NoSuchMailbox):
            grant(store, MailboxRef(alice, MailboxID(999)), ANYONE, READ)

"""Annotations of mailboxes that another account shares (RFC 5464 §3.3)."""

import pytest

from appliance.operations import annotations
from appliance.store import acl, annotation, mailbox
from appliance.store.annotation import Entry
from appliance.store.problems import NoPermission, NoSuchMailbox
from appliance.store.records import Rights
from support.stores import LIMITS, add_account, open_store


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path) as store:
        yield store


@pytest.mark.parametrize(
    ("rights", "outcome"),
    [
        (Rights.LOOKUP | Rights.READ, {"/shared/comment": b"ours"}),
        (Rights.LOOKUP | Rights.POST, {"/shared/comment": b"ours"}),
        (Rights.LOOKUP, NoPermission),
        (Rights.LOOKUP | Rights.ADMINISTER, NoPermission),
        (Rights.READ, NoSuchMailbox),
        (0, NoSuchMailbox),
    ],
)
def test_who_sees_them(store, rights, outcome):
    ann, bob = add_account(store, "ann"), add_account(store, "bob")
    with store.read() as tx:
        number = mailbox.by_name(tx, ann, "Sent").id
    both = [Entry("/private/comment", b"mine"), Entry("/shared/comment", b"ours")]
    store.write_sync(annotation.put, ann, number, both, limits=LIMITS.mailbox.annotations)
    if rights:
        store.write_sync(acl.set_rights, ann, number, bob, int(rights), most=10)
    with store.read() as tx:
        assert set(annotations.find(tx, ann, "Sent")) == {"/private/comment", "/shared/comment"}
        if isinstance(outcome, type):
            with pytest.raises(outcome):
                annotations.find(tx, bob, "Other Users/ann/Sent")
        else:
            found = annotations.find(tx, bob, "Other Users/ann/Sent")
            assert {name: one.value for name, one in found.items()} == outcome
        assert annotations.find(tx, bob, "Sent") == {}

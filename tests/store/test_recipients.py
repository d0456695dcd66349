"""Whom an account wrote to: names, order, what is forgotten; and what an upgrade finds in sent mail."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from appliance.base import limits
from appliance.store import account as accounts, mailbox, message, recipients, tables, upgrade
from appliance.store.prepare import sent_to
from appliance.store.recipients import Person
from appliance.store.tables import Table
from appliance.store.webrecords import KnownRecipient
from support.stores import LIMITS, add_account, new_message, open_store

HOUR = 3600 * 1_000_000
ANN, BOB = Person("ann@example.org", "Ann Ä."), Person("Bob@example.net", "")


def known(store, account, text="", most=20):
    with store.read() as tx:
        return recipients.complete(tx, account, text, most)


def box_of(store, account, name):
    with store.read() as tx:
        return mailbox.by_name(tx, account, name).id


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        pytest.param([(ANN, 5)], [KnownRecipient("ann@example.org", "Ann Ä.", 5, 1)], id="once"),
        pytest.param(
            [(ANN, 5), (Person("ANN@example.org", ""), 6)],
            [KnownRecipient("ANN@example.org", "Ann Ä.", 6, 2)],
            id="the name stays, the last spelling counts",
        ),
        pytest.param(
            [(ANN, 5), (Person("ann@example.org", "Old"), 4)],
            [KnownRecipient("ann@example.org", "Ann Ä.", 5, 2)],
            id="an older one changes nothing but the count",
        ),
        pytest.param(
            [(BOB, 5), (Person("bob@example.net", "Bob"), 4)],
            [KnownRecipient("Bob@example.net", "Bob", 5, 2)],
            id="an older one knows the name",
        ),
        pytest.param(
            [(ANN, 5), (BOB, 6)],
            [KnownRecipient("Bob@example.net", "", 6, 1), KnownRecipient("ann@example.org", "Ann Ä.", 5, 1)],
            id="latest first",
        ),
    ],
)
def test_note(tmp_path, notes, expected):
    with open_store(tmp_path) as store:
        alice, carol = add_account(store), add_account(store, "carol")
        for person, when in notes:
            store.write_sync(recipients.note, alice, [person], when)
        assert known(store, alice) == (expected, True)
        assert known(store, carol) == ([], True)


@pytest.mark.parametrize(
    ("text", "most", "expected", "is_complete"),
    [
        ("", 1, ["Bob@example.net"], False),
        ("", 2, ["Bob@example.net", "ann@example.org"], True),
        ("ÄNN", 20, [], True),
        ("ä.", 20, ["ann@example.org"], True),
        ("BOB@", 20, ["Bob@example.net"], True),
        ("example.org>", 20, ["ann@example.org"], True),
        ("<nn", 20, [], True),
        ("example", 1, ["Bob@example.net"], False),
    ],
)
def test_complete(tmp_path, text, most, expected, is_complete):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(recipients.note, alice, [ANN], 5)
        store.write_sync(recipients.note, alice, [BOB], 6)
        found, complete = known(store, alice, text, most)
        assert ([one.address for one in found], complete) == (expected, is_complete)


def test_who_was_written_to_the_longest_ago_gives_way(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "RECIPIENTS_KEPT", 3)
    with open_store(tmp_path) as store:
        alice = add_account(store)
        for number in range(5):
            store.write_sync(recipients.note, alice, [Person(f"u{number}@example.org", "")], 10 - number)
        assert [one.address[:2] for one in known(store, alice)[0]] == ["u0", "u1", "u4"]


LETTER = (
    b'To: "Ann \xc3\x84." <ann@example.org>, bob@example.net\r\n'
    b"Cc: =?utf-8?q?Z=C3=B6e?= <zoe@example.org>, ann@example.org\r\nBcc: x@y.example\r\n\r\n"
)


def test_a_message_in_a_mailbox_for_sent_mail_tells(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        new = new_message(store, LETTER)
        new = msgspec.structs.replace(new, sent_to=sent_to(new.prepared.fields, LIMITS.prepare))
        store.write_sync(message.add, alice, box_of(store, alice, "Archive"), new)
        assert known(store, alice) == ([], True)
        sent = box_of(store, alice, "Sent")
        added = store.write_sync(message.add, alice, sent, new)
        expected = {
            ("ann@example.org", "Ann Ä."), ("bob@example.net", ""), ("zoe@example.org", "Zöe"), ("x@y.example", ""),
        }  # fmt: skip
        assert {(one.address, one.name) for one in known(store, alice)[0]} == expected
        store.write_sync(message.expunge, alice, sent, [added.uid])
        assert len(known(store, alice)[0]) == 4


def test_an_upgrade_finds_them(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        new = new_message(store, LETTER)
        new = msgspec.structs.replace(new, sent_to=sent_to(new.prepared.fields, LIMITS.prepare))
        store.write_sync(message.add, alice, box_of(store, alice, "Sent"), new)
        before = known(store, alice)

        def forget(tx):
            for table in (Table.RECIPIENT, Table.RECIPIENT_SENT):
                for key, _ in list(tx.scan_prefix(table, b"")):
                    tx.delete(table, key)
            tx.account(alice).recipients = 0
            tx.put(Table.META, b"schema version", b"3")

        store.write_sync(forget)
        upgrade.upgrade(store)
        assert known(store, alice) == before


@pytest.mark.parametrize("table", [Table.RECIPIENT, Table.RECIPIENT_SENT])
def test_verify_sees(tmp_path, table):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(recipients.note, alice, [ANN], 5)
        with store.read() as tx:
            ((key, value),) = list(tx.scan_prefix(table, b""))
        store.write_sync(lambda tx: tx.delete(table, key))
        assert any("recipient" in wrong for wrong in store.verify())
        store.write_sync(lambda tx: tx.put(table, key, value))


def test_goes_with_its_account(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(recipients.note, alice, [ANN, BOB], 5)
        store.write_sync(accounts.begin_removal, "alice")
        while not store.write_sync(accounts.remove_part, "alice", 100):
            pass
        with store.read() as tx:
            assert not tx.entries(Table.RECIPIENT) + tx.entries(Table.RECIPIENT_SENT)


@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["", "A", "B"]), st.integers(0, 20)), max_size=40))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_notes(notes):
    """Against a plain table of who is known."""
    model: dict[str, KnownRecipient] = {}
    with TemporaryDirectory() as folder, open_store(Path(folder)) as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "RECIPIENTS_KEPT", 4)
        alice = add_account(store)
        for number, name, when in notes:
            address = f"u{number}@example.org"
            store.write_sync(recipients.note, alice, [Person(address, name)], when)
            old = model.get(address)
            if old is None:
                if len(model) == 4:
                    oldest = min(model, key=lambda one: (model[one].last_sent, tables.digest(one)))
                    del model[oldest]
                model[address] = KnownRecipient(address, name, when, 1)
            elif when < old.last_sent:
                model[address] = KnownRecipient(address, old.name or name, old.last_sent, old.count + 1)
            else:
                model[address] = KnownRecipient(address, name or old.name, when, old.count + 1)
        found, is_complete = known(store, alice)
        assert is_complete
        assert {one.address: one for one in found} == model
        assert [one.last_sent for one in found] == sorted((one.last_sent for one in found), reverse=True)

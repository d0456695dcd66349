"""What is remembered of submissions by JMAP, beside what becomes of their entries in the queue."""

import msgspec
import pytest

from appliance.store import account as accounts, queued, submission
from appliance.store.bodies import of_octets
from appliance.store.queuerecords import NO_RESULT, Attempt, QueuedMessage
from appliance.store.submission import KEPT, NewSubmission
from appliance.store.tables import BodyID, MessageID, QueueID, Table
from support.clock import StandingClock
from support.stores import add_account, open_store

NEW = NewSubmission("I1", MessageID(7), MessageID(5), "a@here.example", {}, {"b@there.example": {"NOTIFY": "NEVER"}})
TOLD = ("b@there.example", "c@there.example")


def submit(store, account, recipients=TOLD, **fields):
    """The submission, and its entries in the queue."""

    def body(tx):
        id = submission.begin(tx, account)
        entries = [
            QueuedMessage(
                id=QueueID(0),
                base_id=QueueID(0),
                account=account,
                queued=0,
                reverse_path="a@here.example",
                recipient=recipient,
                body=BodyID(0),
                size=0,
                next_attempt=tx.now,
                submission=id,
                **fields,
            )
            for recipient in recipients
        ]
        queued.add(tx, entries, of_octets(b"Subject: hi\r\n\r\nhello\r\n"))
        return submission.add(tx, account, id, NEW, [(one.id, one.recipient) for one in entries], tx.now), entries

    return store.write_sync(body)


def found(store, account, one):
    """undoStatus, and of each recipient what was replied and whether it was delivered."""
    with store.read() as tx:
        told = submission.recipients(tx, account, one.id)
        return submission.find(tx, account, one.id).undo_status, [(who.reply, who.delivered) for who in told]


def state(store, account):
    with store.read() as tx:
        return submission.singletons(tx, account).state


def attempted(one, result, **fields):
    return msgspec.structs.replace(one, attempts=one.attempts + 1, results=(*one.results, result), **fields)


def test_from_the_beginning_to_the_end(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        one, (first, second) = submit(store, alice)
        assert (one.id, one.state, one.create_state, one.undo_status) == (1, 1, 1, "pending")
        assert found(store, alice, one) == ("pending", [("", "queued"), ("", "queued")])
        with store.read() as tx:
            assert [who.parameters for who in submission.recipients(tx, alice, one.id)] == [{"NOTIFY": "NEVER"}, {}]
        begun = attempted(first, Attempt(1, text=NO_RESULT))
        store.write_sync(queued.update, begun)
        assert found(store, alice, one) == ("final", [("", "queued"), ("", "queued")])
        later = msgspec.structs.replace(begun, results=(Attempt(1, 1, False, 451, "4.7.1", "later"),))
        store.write_sync(queued.update, later)
        assert found(store, alice, one)[1] == [("451 4.7.1 later", "queued"), ("", "queued")]
        done = attempted(later, Attempt(2, 1, True, 250, "2.0.0", "taken"), dialed_ips={"mx": ("192.0.2.1",)})
        store.write_sync(queued.remove, done, success=True, keep=0)
        store.write_sync(queued.remove, attempted(second, Attempt(2, 1, True, 250, "2.2.0", "delivered")),
                         success=True, keep=0)  # fmt: skip
        assert found(store, alice, one)[1] == [("250 2.0.0 taken", "unknown"), ("250 2.2.0 delivered", "yes")]
        assert state(store, alice) == 5


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Attempt(2, 1, False, 550, "5.1.1", "no such"), "550 5.1.1 no such"),
        (Attempt(2, text="canceled by admin"), "550 5.0.0 canceled by admin"),
        (Attempt(2, 1, False, 0, "4.4.1", "no answer"), "550 4.4.1 no answer"),
    ],
)
def test_failed(tmp_path, result, expected):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        one, (first,) = submit(store, alice, TOLD[:1])
        store.write_sync(queued.remove, attempted(first, result), success=False, keep=0)
        assert found(store, alice, one) == ("final", [(expected, "no")])


@pytest.mark.parametrize(
    ("failed", "delivered", "expected"), [(True, False, "no"), (False, True, "yes"), (False, False, "unknown")]
)
def test_a_notice_tells_more(tmp_path, failed, delivered, expected):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        one, (first,) = submit(store, alice, TOLD[:1], dialed_ips={"mx": ("192.0.2.1",)})
        store.write_sync(queued.remove, attempted(first, Attempt(2, 1, True, 250, "2.0.0", "x")), success=True, keep=9)
        with store.read() as tx:
            done = queued.retired(tx, first.id)
        store.write_sync(
            queued.add_result, done, Attempt(3, code=550, status="5.1.1", text="y"), failed=failed, delivered=delivered
        )
        assert found(store, alice, one)[1] == [("550 5.1.1 y", expected)]
        store.write_sync(submission.noticed, alice, one.id, MessageID(9))
        store.write_sync(submission.noticed, alice, one.id, MessageID(9))
        with store.read() as tx:
            assert submission.find(tx, alice, one.id).notices == (9,)


def test_taken_back(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        one, entries = submit(store, alice)

        def cancel(tx):
            submission.cancel(tx, alice, one)
            for entry in entries:
                queued.remove(tx, entry, success=False, keep=0)

        store.write_sync(cancel)
        assert found(store, alice, one) == ("canceled", [(f"550 5.7.0 {submission.CANCELED}", "no")] * 2)


def test_changes(tmp_path):
    with open_store(tmp_path) as store:
        alice, carol = add_account(store), add_account(store, "carol")
        ones = [submit(store, alice, TOLD[:1]) for _ in range(3)]
        submit(store, carol)
        first = ones[0][0]
        store.write_sync(submission.noticed, alice, first.id, MessageID(9))

        def since(number):
            with store.read() as tx:
                return [(one.id, one.create_state > number) for one in submission.changed_since(tx, alice, number)]

        assert since(0) == [(2, True), (3, True), (1, True)]
        assert since(2) == [(3, True), (1, False)]
        assert since(4) == []
        assert store.write_sync(submission.remove, alice, ones[1][0].id) is True
        assert store.write_sync(submission.remove, alice, ones[1][0].id) is False
        with store.read() as tx:
            assert submission.singletons(tx, alice) == (submission.SubmissionState(next=4, state=5, forgotten=5))
        # What is done with the message is no news of what is not remembered.
        store.write_sync(queued.remove, ones[1][1][0], success=True, keep=0)
        assert state(store, alice) == 5


def test_old_ones_are_forgotten_by_new_ones(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice, carol = add_account(store), add_account(store, "carol")
        for _ in range(6):
            submit(store, alice, TOLD[:1])
        clock.move(KEPT / 1e6 + 1)
        for _ in range(2):
            submit(store, carol, TOLD[:1])
        with store.read() as tx:
            assert list(submission.all_of(tx, alice)) == []
            assert [one.id for one in submission.all_of(tx, carol)] == [1, 2]


@pytest.mark.parametrize("table", [Table.SUBMISSION_CHANGED, Table.SUBMISSION_UNTIL, Table.SUBMISSION])
def test_verify_sees(tmp_path, table):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        submit(store, alice)
        with store.read() as tx:
            ((key, value),) = list(tx.scan_prefix(table, b""))
        store.write_sync(lambda tx: tx.delete(table, key))
        assert any("submission" in wrong for wrong in store.verify())
        store.write_sync(lambda tx: tx.put(table, key, value))


def test_goes_with_its_account(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        for _ in range(3):
            submit(store, alice)
        store.write_sync(accounts.begin_removal, "alice")
        while not store.write_sync(accounts.remove_part, "alice", 2):
            pass
        with store.read() as tx:
            assert not any(tx.entries(table) for table in Table if table.name.startswith("SUBMISSION"))

"""Records of logins in the store: counted together, bounded, removed with their account."""

import msgspec
import pytest

from appliance.base import limits
from appliance.store.attempts import ATTEMPTS, is_failed
from appliance.store.records import LoginAttempt
from appliance.store.tables import NOBODY, Table
from support.stores import add_account, open_store


def attempt(moment: int, result: str = "badcreds", agent: str = "") -> LoginAttempt:
    return LoginAttempt(
        "a@example.org", "192.0.2.1", "192.0.2.2", "", "", "imap", agent, "plain", result, moment, moment
    )


def moments(store, account) -> list[tuple[int, int, int]]:
    with store.read() as tx:
        both = [one for lane in (False, True) for one in ATTEMPTS.newest(tx, account, lane)]
        return [(one.first, one.last, one.count) for one in sorted(both, key=lambda one: -one.last)]


def test_the_same_are_one_record(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        for moment in (5, 9, 7):
            store.write_sync(ATTEMPTS.note, alice, attempt(moment))
        store.write_sync(ATTEMPTS.note, alice, attempt(8, "ok"))
        assert moments(store, alice) == [(5, 9, 3), (8, 8, 1)]
        assert moments(store, NOBODY) == []


OTHER = {
    "login_address": "b@example.org",
    "remote_ip": "192.0.2.9",
    "local_ip": "192.0.2.9",
    "tls": "TLS1.3 TLS_AES_128_GCM_SHA256",
    "key": "x",
    "protocol": "submission",
    "user_agent": "client/1",
    "mechanism": "login",
    "result": "ok",
}


@pytest.mark.parametrize("field", OTHER)
def test_what_differs_is_another_record(tmp_path, field):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        for one in (attempt(5), msgspec.structs.replace(attempt(6), **{field: OTHER[field]}), attempt(7)):
            store.write_sync(ATTEMPTS.note, alice, one)
        assert moments(store, alice) == [(5, 7, 2), (6, 6, 1)]


def test_every_field_counts():
    assert {*OTHER, "first", "last", "count"} == set(LoginAttempt.__struct_fields__)


def test_so_many_are_kept(tmp_path):
    def many(tx):
        for moment in range(1, 10_003):
            ATTEMPTS.note(tx, NOBODY, attempt(moment, agent=str(moment)))
        return ATTEMPTS.count(tx, NOBODY, True)

    with open_store(tmp_path) as store:
        assert store.write_sync(many) == 10_000
        assert (moments(store, NOBODY)[-1], limits.LOGIN_DAYS) == ((3, 3, 1), 30)


@pytest.mark.parametrize("result", ["ok", "badcreds"])
def test_the_oldest_of_a_kind_give_way(tmp_path, result, monkeypatch):
    monkeypatch.setattr(limits, "LOGINS_KEPT", 3)
    other = "badcreds" if result == "ok" else "ok"
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(ATTEMPTS.note, alice, attempt(1, other))
        for moment in range(10, 20):
            store.write_sync(ATTEMPTS.note, alice, attempt(moment, result, str(moment)))
        assert [last for _, last, _ in moments(store, alice)] == [19, 18, 17, 1]
        with store.read() as tx:
            assert ATTEMPTS.count(tx, alice, is_failed(attempt(1, result))) == 3


def test_old_ones_are_forgotten_in_parts(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        for moment in range(1, 8):
            store.write_sync(ATTEMPTS.note, alice if moment % 2 else NOBODY, attempt(moment, agent=str(moment)))
        steps = 1
        while not store.write_sync(ATTEMPTS.forget_before, 6, 2):
            steps += 1
        assert steps == 4
        assert [last for _, last, _ in moments(store, alice)] == [7]
        assert [last for _, last, _ in moments(store, NOBODY)] == [6]


@pytest.mark.parametrize(
    ("table", "words"), [(Table.LOGIN_ATTEMPT, "login"), (Table.LOGIN_ATTEMPT_TIME, "index login_attempt_time")]
)
def test_verify_sees_what_is_missing(tmp_path, table, words):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        store.write_sync(ATTEMPTS.note, alice, attempt(1))

        def remove(tx):
            entries = list(tx.scan_prefix(table, b""))
            assert all(tx.delete(table, key) for key, _ in entries)
            return entries

        def restore(tx, entries):
            for key, value in entries:
                tx.put(table, key, value)

        removed = store.write_sync(remove)
        assert any(words in wrong for wrong in store.verify())
        store.write_sync(restore, removed)

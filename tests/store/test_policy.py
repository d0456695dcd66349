"""MTA-STS policies in the store: what is kept of a domain, and what the check of the store makes of it."""

import pytest

from appliance.mail.mtasts import Mode, Policy
from appliance.store import policy
from appliance.store.policy import KnownPolicy
from appliance.store.tables import Table
from support.clock import StandingClock
from support.stores import open_store

PUBLISHED = Policy(Mode.ENFORCE, 86400, ("mx.example.org",), ("version: STSv1", "mode: enforce"))
SECOND = 1_000_000


@pytest.fixture
def clock():
    return StandingClock()


@pytest.fixture
def store(tmp_path, clock):
    with open_store(tmp_path, clock) as store:
        yield store


def find(store, domain="example.org"):
    with store.read() as tx:
        return policy.find(tx, domain)


def test_fetched_failed_and_fetched_again(store, clock):
    began = clock.microseconds()
    store.write_sync(policy.fetched, "example.org", "1", PUBLISHED, used=True)
    first = KnownPolicy(began, began, began, began + 86400 * SECOND, "1", PUBLISHED)
    assert find(store) == first
    clock.move(60)
    now = clock.microseconds()
    store.write_sync(policy.failed, "example.org", "2", "sts-policy-fetch-error", "timeout")
    assert find(store) == KnownPolicy(*first_values(first), now, "2", "sts-policy-fetch-error", "timeout")
    store.write_sync(policy.fetched, "example.org", "2", PUBLISHED, used=False)
    assert find(store) == KnownPolicy(began, now, began, now + 86400 * SECOND, "2", PUBLISHED)
    store.write_sync(policy.touch, "example.org")
    assert find(store).used == now
    store.write_sync(policy.remove, "example.org")
    assert find(store) is None
    store.write_sync(policy.remove, "example.org")
    store.write_sync(policy.touch, "example.org")
    assert find(store) is None


def first_values(known):
    return known.inserted, known.updated, known.used, known.valid_until, known.identity, known.policy


def test_failed_from_the_beginning(store, clock):
    store.write_sync(policy.failed, "example.org", "1", "sts-webpki-invalid", "certificate-expired")
    now = clock.microseconds()
    assert find(store) == KnownPolicy(now, 0, now, 0, "", None, now, "1", "sts-webpki-invalid", "certificate-expired")


def test_pages(store):
    names = ["a.example", "a.example.org", "aa.example", "b", "xn--bcher-kva.example"]
    for name in names:
        store.write_sync(policy.fetched, name, "1", PUBLISHED, used=True)
    found, last = [], ""
    with store.read() as tx:
        while page := policy.page(tx, last, 2):
            assert len(page) <= 2
            found += [name for name, _ in page]
            last = page[-1][0]
    assert found == sorted(names)


@pytest.mark.parametrize(("known", "wrong"), [
    pytest.param(KnownPolicy(1, 0, 1, 0, "", None), "nothing is known", id="nothing"),
    pytest.param(KnownPolicy(1, 1, 1, 2, "1", PUBLISHED), "another end", id="end"),
    pytest.param(KnownPolicy(1, 1, 1, 86400 * SECOND + 1, "1", PUBLISHED, 5), "without reason", id="no reason"),
    pytest.param(KnownPolicy(1, 1, 1, 86400 * SECOND + 1, "1", PUBLISHED, 0, "", "x"), "without reason", id="no time"),
])  # fmt: skip
def test_what_cannot_be_is_found(store, known, wrong):
    store.write_sync(lambda tx: tx.put_record(Table.POLICY, b"example.org", known))
    (found,) = store.verify()
    assert wrong in found
    store.write_sync(policy.remove, "example.org")

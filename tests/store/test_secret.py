"""Secrets of a store."""

from appliance.store import secret
from support.stores import open_store


def test_one_stays(tmp_path):
    with open_store(tmp_path) as store:
        with store.read() as tx:
            assert secret.find(tx, secret.PUSH) is None
        assert store.write_sync(secret.keep, secret.PUSH, b"one") == b"one"
        assert store.write_sync(secret.keep, secret.PUSH, b"two") == b"one"
        assert store.write_sync(secret.keep, secret.LOGIN, b"three") == b"three"
        with store.read() as tx:
            assert secret.find(tx, secret.PUSH) == b"one"

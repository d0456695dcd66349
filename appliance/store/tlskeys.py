"""Public keys of TLS clients: by fingerprint, 32 octets, to the account they log in to."""

from appliance.store.problems import NoSuchTLSKey, TLSKeyExists, TooMany
from appliance.store.records import TLSPublicKey
from appliance.store.tables import AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode


def find(tx: ReadTx, fingerprint: bytes) -> TLSPublicKey | None:
    """The key of a fingerprint; None when it is unknown."""
    return tx.record(Table.TLS_KEY, fingerprint, TLSPublicKey)


def keys(tx: ReadTx, account: AccountID | None = None) -> list[tuple[bytes, TLSPublicKey]]:
    """Fingerprints and keys, of one account or all, in the order of their making."""
    found = ((key, decode(TLSPublicKey, value)) for key, value in tx.scan_prefix(Table.TLS_KEY, b""))
    chosen = [(key, one) for key, one in found if account is None or one.account == account]
    return sorted(chosen, key=lambda pair: (pair[1].created, pair[0]))


def add(tx: WriteTx, fingerprint: bytes, key: TLSPublicKey, *, most: int) -> None:
    """Keep a new key. Raises TLSKeyExists, NoSuchAccount, and TooMany when the account has as many as it may."""
    if find(tx, fingerprint) is not None:
        raise TLSKeyExists("this TLS public key is known already")
    tx.account(key.account)
    if len(keys(tx, key.account)) >= most:
        raise TooMany(f"the account has {most} TLS public keys already")
    tx.put_record(Table.TLS_KEY, fingerprint, key)


def replace(tx: WriteTx, fingerprint: bytes, key: TLSPublicKey) -> None:
    """Change what is known of a key. Raises NoSuchTLSKey."""
    if find(tx, fingerprint) is None:
        raise NoSuchTLSKey("no such TLS public key")
    tx.put_record(Table.TLS_KEY, fingerprint, key)


def remove(tx: WriteTx, fingerprint: bytes) -> None:
    """Forget a key. Raises NoSuchTLSKey."""
    if not tx.delete(Table.TLS_KEY, fingerprint):
        raise NoSuchTLSKey("no such TLS public key")


def remove_all(tx: WriteTx, account: AccountID) -> None:
    """Forget the keys of an account."""
    for fingerprint, _ in keys(tx, account):
        tx.delete(Table.TLS_KEY, fingerprint)

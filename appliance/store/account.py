"""Accounts: making, finding, removing; their secrets."""

from collections.abc import Sequence

import msgspec

from appliance.store import acl, hook, mailbox, message, queued, seen, submission, tables, tlskeys
from appliance.store.mailbox import MailboxLimits
from appliance.store.problems import AccountExists, NoSuchAccount, NoSuchAppPassword, SaltsChanged, TooMany
from appliance.store.records import INBOX, Account, AppPassword, Credentials, WebSession
from appliance.store.tables import AccountID, Table
from appliance.store.transaction import ReadTx, WriteTx, decode

_NEXT = b"next account"
_NEXT_APP_PASSWORD = b"next app password"


def create(
    tx: WriteTx,
    name: str,
    *,
    special_use: Sequence[tuple[str, int]],
    regular: Sequence[str],
    limits: MailboxLimits,
) -> AccountID:
    """Create an account with Inbox, the mailboxes of special use and others, all subscribed.

    Raises AccountExists.
    """
    if tx.account_id(name) is not None:
        raise AccountExists(f"account {name!r} exists")
    account = AccountID(int(tx.get(Table.META, _NEXT) or b"1"))
    tx.put(Table.META, _NEXT, b"%d" % (account + 1))
    tx.put(Table.ACCOUNT_NAME, name.encode(), account.to_bytes(4, "big"))
    seconds = tx.now // 1_000_000
    # Beyond those of an earlier account of this name (RFC 9051 §2.3.1.1), as nobody makes a mailbox every two seconds.
    tx.add_account(account, Account(name=name, created=tx.now, next_uid_validity=seconds // 2))
    for path, role in ((INBOX, 0), *special_use, *((one, 0) for one in regular)):
        if mailbox.find(tx, account, path) is None:
            mailbox.create(tx, account, path, roles=role, limits=limits)
    return account


def names(tx: ReadTx) -> dict[str, AccountID]:
    """All accounts."""
    return {
        key.decode(): AccountID(int.from_bytes(value, "big")) for key, value in tx.scan_prefix(Table.ACCOUNT_NAME, b"")
    }


def begin_removal(tx: WriteTx, name: str) -> None:
    """Mark an account as removed: nobody may log in, nothing may be added. `remove_part` does the rest."""
    account = tx.account_id(name)
    if account is None:
        raise NoSuchAccount(f"no account {name!r}")
    tx.account(account).removed = True
    acl.announce_removal(tx, account)


#: What lies below the id of an account, beside its messages.
_OWN = (
    *(Table.CREDENTIAL, Table.MAILBOX, Table.MAILBOX_NAME, Table.CHANGED, Table.ANNOTATION),
    *(Table.SUBSCRIPTION, Table.THREAD, Table.MESSAGE_ID, Table.SUBJECT, Table.SEGMENT, Table.SEGMENT_PIECE),
    *(Table.SECOND_FACTOR, Table.API_TOKEN, Table.PUSH),
    *(Table.APP_PASSWORD, Table.WEB_SESSION, Table.LOGIN_ATTEMPT, Table.LOGIN_ATTEMPT_TIME),
    *(Table.REFUSAL, Table.REFUSAL_TIME),
    *(Table.OUTGOING, Table.OUTGOING_RECIPIENT, Table.SUPPRESSION, Table.OFFERED, Table.FORWARDED),
    *(Table.ONCE, Table.ONCE_TIME),
    *(Table.JUNK_WORD, Table.LEARNED, Table.TO_LEARN),
    *(Table.REJECT, Table.RESCUED, Table.SUBJECTPASS),
    *(Table.JUDGED, Table.SENT_TO, Table.SENT_TO_NAMES, Table.ARRIVED),
    *(Table.RECIPIENT, Table.RECIPIENT_SENT, Table.IDENTITY),
    *(Table.PREFERENCES, Table.SENDER_VIEW, Table.RULESET_NEVER, Table.VACATION, Table.VACATION_ANSWERED),
    *(Table.SUBMISSION_RECIPIENT, Table.SUBMISSION_CHANGED, Table.SUBMISSION_STATE),
)


def remove_part(tx: WriteTx, name: str, limit: int) -> bool:
    """Remove a bounded part of a removed account; tells whether it is all gone."""
    account = tx.account_id(name)
    if account is None:
        return True
    if not queued.remove_account_part(tx, account, limit):  # First: it would still be delivered.
        return False
    if not hook.remove_account_part(tx, account, limit):
        return False
    if not submission.remove_account_part(tx, account, limit):
        return False
    if not acl.remove_account_part(tx, account, limit) or not seen.remove_reader_part(tx, account, limit):
        return False
    for box in tx.mailboxes(account, expunged=True):
        if box.expunged:
            if box.messages:
                message.empty(tx, account, box.id, limit)
                return False
            continue
        uids = [uid for _, (uid, _) in zip(range(limit), message.rows(tx, account, box.id), strict=False)]
        if uids:
            message.expunge(tx, account, box.id, uids)
            return False
    if message.erase(tx, account, None, limit):
        return False
    for table in _OWN:
        keys = [
            key for _, (key, _) in zip(range(limit), tx.scan_prefix(table, tables.account_key(account)), strict=False)
        ]
        for key in keys:
            tx.delete(table, key)
        if keys:
            tx.forget(account)
            return False
    tlskeys.remove_all(tx, account)
    tx.delete(Table.ACCOUNT, tables.account_key(account))
    tx.delete(Table.ACCOUNT_NAME, name.encode())
    tx.forget(account)
    return True


def credentials(tx: ReadTx, account: AccountID) -> Credentials | None:
    """Secrets of an account; None while no password was set."""
    return tx.record(Table.CREDENTIAL, tables.account_key(account), Credentials)


def set_credentials(tx: WriteTx, account: AccountID, secrets: Credentials, *, keep_session: bytes | None) -> None:
    """Replace the secrets; ends all web sessions but the one named by its token digest.

    Raises SaltsChanged when app passwords would be lost, being derived with other salts.
    """
    tx.account(account)
    present = credentials(tx, account)
    if present is not None and not same_salts(present, secrets) and app_passwords(tx, account):
        raise SaltsChanged("an app password was added meanwhile")
    tx.put_record(Table.CREDENTIAL, tables.account_key(account), secrets)
    end_sessions(tx, account, keep=keep_session)


def app_passwords(tx: ReadTx, account: AccountID) -> list[tuple[int, AppPassword]]:
    """Numbers and app passwords of an account, expired ones too."""
    found = tx.scan_prefix(Table.APP_PASSWORD, tables.account_key(account))
    return [(int.from_bytes(key[4:], "big"), decode(AppPassword, value)) for key, value in found]


def add_app_password(tx: WriteTx, account: AccountID, new: AppPassword, *, salts: Credentials, most: int) -> int:
    """Keep an app password; its number. Numbers are never used again.

    Raises SaltsChanged when it was not derived with the salts of `salts`, TooMany beyond `most`.
    """
    tx.account(account)
    present = credentials(tx, account)
    if present is None or not present.scram_sha1.salt:
        # No password yet, or one of which nothing was derived: from now on there are salts.
        salted = msgspec.structs.replace(present or salts, scram_sha1=salts.scram_sha1, scram_sha256=salts.scram_sha256)
        tx.put_record(Table.CREDENTIAL, tables.account_key(account), salted)
    elif not same_salts(present, salts):
        raise SaltsChanged("the password was set meanwhile")
    if len(app_passwords(tx, account)) >= most:
        raise TooMany(f"an account has at most {most} app passwords")
    number = int(tx.get(Table.META, _NEXT_APP_PASSWORD) or b"1")
    tx.put(Table.META, _NEXT_APP_PASSWORD, b"%d" % (number + 1))
    tx.put_record(Table.APP_PASSWORD, tables.app_password_key(account, number), new)
    return number


def remove_app_password(tx: WriteTx, account: AccountID, number: int) -> AppPassword:
    """Forget an app password; what it was. Raises NoSuchAppPassword."""
    key = tables.app_password_key(account, number)
    found = tx.record(Table.APP_PASSWORD, key, AppPassword)
    if found is None:
        raise NoSuchAppPassword(f"the account has no app password {number}")
    tx.delete(Table.APP_PASSWORD, key)
    return found


def app_password_used(tx: WriteTx, account: AccountID, number: int, moment: int) -> None:
    """Note when an app password was used last. One that is gone is passed over."""
    key = tables.app_password_key(account, number)
    found = tx.record(Table.APP_PASSWORD, key, AppPassword)
    if found is not None and moment > found.last_used:
        tx.put_record(Table.APP_PASSWORD, key, msgspec.structs.replace(found, last_used=moment))


def same_salts(one: Credentials, other: Credentials) -> bool:
    """Whether what was derived with the salts of one can be used beside the other."""
    return all(
        (a.salt, a.iterations) == (b.salt, b.iterations)
        for a, b in ((one.scram_sha1, other.scram_sha1), (one.scram_sha256, other.scram_sha256))
    )


def put_session(tx: WriteTx, account: AccountID, token_digest: bytes, session: WebSession, *, most: int) -> None:
    """Keep a login by the web; expired ones go, and the oldest of the account give way beyond `most`."""
    tx.account(account)
    others = sorted((one.last_used, key) for key, one in sessions(tx, account) if one.expires > tx.now)
    kept = {key for _, key in others[max(0, len(others) - most + 1) :]}
    for key, _ in sessions(tx, account):
        if key not in kept:
            tx.delete(Table.WEB_SESSION, tables.web_session_key(account, key))
    tx.put_record(Table.WEB_SESSION, tables.web_session_key(account, token_digest), session)


def session(tx: ReadTx, account: AccountID, token_digest: bytes) -> WebSession | None:
    """A login by the web, expired or not."""
    return tx.record(Table.WEB_SESSION, tables.web_session_key(account, token_digest), WebSession)


def session_used(tx: WriteTx, account: AccountID, token_digest: bytes, expires: int) -> None:
    """A login by the web goes on until another moment. One that is gone stays so."""
    found = session(tx, account, token_digest)
    if found is not None:
        used = msgspec.structs.replace(found, last_used=tx.now, expires=expires)
        tx.put_record(Table.WEB_SESSION, tables.web_session_key(account, token_digest), used)


def sessions(tx: ReadTx, account: AccountID) -> list[tuple[bytes, WebSession]]:
    """Token digests and logins by the web of an account, expired ones too."""
    found = tx.scan_prefix(Table.WEB_SESSION, tables.account_key(account))
    return [(key[4:], decode(WebSession, value)) for key, value in found]


def end_session(tx: WriteTx, account: AccountID, token_digest: bytes) -> bool:
    """End one login by the web; whether it was there."""
    return tx.delete(Table.WEB_SESSION, tables.web_session_key(account, token_digest))


def end_sessions(tx: WriteTx, account: AccountID, *, keep: bytes | None = None) -> None:
    """End logins by the web, all or all but one."""
    for key, _ in sessions(tx, account):
        if key != keep:
            tx.delete(Table.WEB_SESSION, tables.web_session_key(account, key))

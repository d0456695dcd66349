"""The invariants of the store, all of them, checked from scratch. Used by `verifydata` and by every test."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from appliance.store import (
    account as accounts,
    acl,
    annotation,
    bodies,
    evaluation,
    forwarded,
    hook,
    junk,
    message,
    offered,
    policy,
    preferences,
    queued,
    recipients,
    reject,
    report,
    reportsuppression,
    reputation,
    rotation,
    seen,
    senders,
    subjectpass,
    submission,
    suppression,
    tables,
    thread,
    tlskeys,
    tlsresult,
    vacation,
    words,
)
from appliance.store.attempts import ATTEMPTS
from appliance.store.records import (
    INBOX,
    Facts,
    Mailbox,
    Row,
    unpack_changed,
    unpack_place,
    unpack_row,
)
from appliance.store.refusal import REFUSALS
from appliance.store.senders import Judgement
from appliance.store.tables import NOBODY, PIECE_OCTETS, AccountID, BodyID, MailboxID, MessageID, Table
from appliance.store.transaction import ReadTx

#: Tables whose keys do not begin with an account.
_SHARED: Final = frozenset(
    {
        *(Table.META, Table.ACCOUNT_NAME, Table.BODY, Table.BODY_USE, Table.TLS_KEY),
        *(Table.SHARED, Table.SEEN_BY, Table.POLICY, Table.RETURN_PATH, Table.RETURN_PATH_UNTIL),
        *(Table.SUBMISSION_UNTIL, Table.ROTATION),
        *tables.QUEUE,
        *tables.HOOKS,
        *tables.REPORTS,
    }
)
#: Those that have entries of nobody's account, too.
_NOBODYS: Final = frozenset(
    {
        *(Table.LOGIN_ATTEMPT, Table.LOGIN_ATTEMPT_TIME, Table.REFUSAL, Table.REFUSAL_TIME),
        *(Table.SECOND_FACTOR, Table.API_TOKEN),
    }
)
LEDGERS: Final = (ATTEMPTS, REFUSALS)


def verify(tx: ReadTx, *, sizes: bool = True) -> list[str]:
    """What is wrong in a snapshot, in words; empty when all is well.

    `sizes`: the octets of messages are counted, which is most of the work; their records are looked at in any case.
    """
    found: list[str] = []
    references: Counter[BodyID] = Counter()
    names = accounts.names(tx)
    for name, account in names.items():
        wrongs = list(_account(tx, account, references))
        # One that is being removed loses its tables one after another; what it still refers to counts.
        if not tx.account(account).removed:
            found += [f"account {name}: {wrong}" for wrong in wrongs]
    for ledger in LEDGERS:
        found += [f"nobody's account: {wrong}" for wrong in ledger.verify(tx, NOBODY)]
    found += _submissions(tx, names)
    known = set(names.values())
    wrong_in_queue, queued_bodies = queued.verify(tx, known)
    found += wrong_in_queue
    references.update(queued_bodies)
    found += hook.verify(tx, known)
    for table in Table:
        if table in _SHARED:
            continue
        owners = set(_owners(tx, table))
        if table in _NOBODYS:
            owners.discard(NOBODY)
        found += [f"{table.value} has entries of account {owner}, which is unknown" for owner in owners - known]
    found += _tls_keys(tx, known)
    found += acl.verify(tx, known)
    found += seen.verify(tx, known)
    found += report.verify(tx)
    found += policy.verify(tx)
    found += forwarded.verify(tx)
    found += evaluation.verify(tx)
    found += reportsuppression.verify(tx)
    found += rotation.verify(tx)
    found += tlsresult.verify(tx)
    found += _bodies(tx, references, sizes=sizes)
    return found


def _tls_keys(tx: ReadTx, known: set[AccountID]) -> Iterator[str]:
    found = tlskeys.keys(tx)
    if not found:
        return
    from cryptography import x509

    from appliance.net import clientkey

    for fingerprint, key in found:
        if key.account not in known:
            yield f"TLS key {fingerprint.hex()} is of account {key.account}, which is unknown"
        certificate = x509.load_der_x509_certificate(key.certificate)
        if clientkey.digest(certificate) != fingerprint:
            yield f"TLS key {fingerprint.hex()} is not the one of its certificate"


def _submissions(tx: ReadTx, names: dict[str, AccountID]) -> Iterator[str]:
    places: set[bytes] = set()
    for name, account in names.items():
        wrongs, until = submission.verify(tx, account)
        places |= until
        if not tx.account(account).removed:
            yield from (f"account {name}: {wrong}" for wrong in wrongs)
    yield from submission.verify_until(tx, places)


def _owners(tx: ReadTx, table: Table) -> Iterator[AccountID]:
    start = b""
    while (entry := next(tx.scan(table, start, b"\xff" * 16), None)) is not None:
        owner = AccountID(int.from_bytes(entry[0][:4], "big"))
        yield owner
        start = tables.account_key(AccountID(owner + 1))


def _bodies(tx: ReadTx, references: Counter[BodyID], *, sizes: bool) -> Iterator[str]:
    if not sizes:
        for body, count, _ in bodies.uses(tx):
            if count != references.pop(body, 0):
                yield f"body {body} is used otherwise than its {count} references say"
        yield from (f"body {body} is named by a message and not there" for body in references)
        return
    pieces: dict[BodyID, list[int]] = defaultdict(list)
    cursor = tx.raw.cursor(tx.handles[Table.BODY])
    for key, value in cursor:
        body, piece = BodyID(int.from_bytes(key[:8], "big")), int.from_bytes(key[8:], "big")
        if piece != len(pieces[body]):
            yield f"body {body} lacks piece {len(pieces[body])}"
        pieces[body].append(len(value))
    cursor.close()
    for body, count, size in bodies.uses(tx):
        have = pieces.pop(body, [])
        if count != references.pop(body, 0):
            yield f"body {body} is used otherwise than its {count} references say"
        if count and sum(have) != size:
            yield f"body {body} has {sum(have)} octets, not {size}"
        if any(one != PIECE_OCTETS for one in have[:-1]):
            yield f"body {body} has a short piece in the middle"
    yield from (f"body {body} has octets that nothing knows of" for body in pieces)
    yield from (f"body {body} is named by a message and not there" for body in references)


def _account(tx: ReadTx, account: AccountID, references: Counter[BodyID]) -> Iterator[str]:
    singletons = tx.account(account)
    boxes = {box.id: box for box in tx.mailboxes(account, expunged=True)}
    yield from _mailboxes(tx, account, boxes, singletons.modseq, singletons.next_uid_validity)
    for ledger in LEDGERS:
        yield from ledger.verify(tx, account)
    yield from suppression.verify(tx, account)
    yield from offered.verify(tx, account)
    yield from recipients.verify(tx, account)
    yield from preferences.verify(tx, account)
    yield from vacation.verify(tx, account)
    secrets = accounts.credentials(tx, account)
    for number, _ in accounts.app_passwords(tx, account):
        if secrets is None or not secrets.scram_sha1.salt or not secrets.scram_sha256.salt:
            yield f"app password {number} was derived with salts that are not there"

    rows: dict[tuple[MailboxID, int], Row] = {}
    for key, value in tx.scan_prefix(Table.ROW, tables.account_key(account)):
        rows[MailboxID(int.from_bytes(key[4:8], "big")), int.from_bytes(key[8:], "big")] = unpack_row(value)

    counted: dict[MailboxID, Mailbox] = {number: Mailbox(number, "", MailboxID(0), 0, 0, 0) for number in boxes}
    changed: dict[tuple[MailboxID, int], tuple[int, MessageID, bool]] = {}
    for change_key, value in tx.scan_prefix(Table.CHANGED, tables.account_key(account)):
        _, modseq, number, uid = tables.split_changed_key(change_key)
        one = unpack_changed(value)
        where = MailboxID(number), uid
        if where in changed:
            yield f"mailbox {number} uid {uid} has two last changes"
        changed[where] = modseq, one.id, one.expunged
        if not 0 < one.create_modseq <= modseq <= singletons.modseq or one.turned > modseq:
            yield f"mailbox {number} uid {uid} has modseq out of order"
        if where[0] in boxes and uid >= boxes[where[0]].uid_next:
            yield f"mailbox {number} uid {uid} is not below UIDNEXT"
    expected_threads: set[bytes] = set()
    expected_ids: set[bytes] = set()
    expected_subjects: set[bytes] = set()
    expected_rejects: set[bytes] = set()
    expected_judged: dict[bytes, bytes] = {}
    received = {row.id: row.received for row in rows.values()}
    usage = 0
    for (owner, uid), row in rows.items():
        name = f"message {row.id} (mailbox {owner} uid {uid})"
        box = boxes.get(owner)
        if box is None:
            yield f"{name} is in a mailbox that never was"
            continue
        if changed.get((owner, uid)) != (row.modseq, row.id, False):
            yield f"{name} has no last change"
        if not 0 < row.create_modseq <= row.modseq <= box.modseq:
            yield f"{name} has modseq out of order"
        if not set(row.keywords) <= set(box.keywords):
            yield f"{name} has keywords its mailbox lacks"
        message.count(counted[owner], row.flags, row.size, 1)
        facts = tx.record(Table.FACTS, tables.message_key(account, row.id), Facts)
        if facts is None:
            yield f"{name} has no facts"
            continue
        if facts.message_id:
            expected_ids.add(tables.message_id_key(account, facts.message_id, row.id))
        if facts.subject_base:
            expected_subjects.add(
                tables.subject_key(account, facts.subject_base, facts.origin_mailbox, row.received, row.id)
            )
        if (is_junk := junk.judgement(row.flags)) is not None:
            judgement = Judgement(facts.origin_mailbox, is_junk)
            expected_judged.update(senders.judged_rows(account, row.id, row.received, facts.origin, judgement))
        expected_threads.add(tables.thread_key(account, row.thread, row.id))
        if facts.origin.is_reject:
            expected_rejects.update(reject.keys(account, owner, row.id, facts, row.received))
        if not row.thread or row.id in facts.thread_parents:
            yield f"{name} has a wrong thread"
        for parent in facts.thread_parents[:1]:
            above = thread.thread_of(tx, account, parent)
            if above is not None and above != row.thread:
                yield f"{name} is in another thread than its parent"
    for again in counted.values():
        box = boxes[again.id]
        if (box.total, box.deleted, box.unread, box.unseen, box.size_octets, box.deleted_octets) != (
            again.total,
            again.deleted,
            again.unread,
            again.unseen,
            again.size_octets,
            again.deleted_octets,
        ):
            yield f"mailbox {box.name} has wrong counters"
    for where, (modseq, id, expunged) in changed.items():
        if not expunged and where not in rows:
            yield f"message {id} is said to live in mailbox {where[0]} uid {where[1]}, modseq {modseq}"

    for key, value in tx.scan_prefix(Table.PLACE, tables.account_key(account)):
        id = MessageID(int.from_bytes(key[4:], "big"))
        place = unpack_place(value)
        references[place.body] += 1
        usage += place.size
        if id >= singletons.next_message:
            yield f"message {id} has an id that was not handed out"
        row_here = rows.pop((place.mailbox, place.uid), None)
        if place.expunged:
            if row_here is not None or tx.get(Table.ERASE, key) is None:
                yield f"removed message {id} is not waiting to be erased"
        elif row_here is None or (row_here.id, row_here.body, row_here.size) != (id, place.body, place.size):
            yield f"message {id} is not where its place says"
        elif tx.get(Table.ERASE, key) is not None:
            yield f"live message {id} is waiting to be erased"
        facts = tx.record(Table.FACTS, key, Facts)
        prefix = tx.get(Table.PREFIX, key) or b""
        if facts is None or tx.get(Table.PREPARED, key) is None:
            yield f"message {id} lacks facts or prepared octets"
            continue
        if len(prefix) != facts.prefix_octets:
            yield f"message {id} has a wrong prefix"
        try:
            if bodies.size(tx, place.body) + len(prefix) != place.size:
                yield f"message {id} is not {place.size} octets"
        except KeyError:
            yield f"message {id} has no body"
    yield from (f"message {row.id} has no place" for row in rows.values())
    if usage != singletons.usage_octets:
        yield f"usage is {usage}, not {singletons.usage_octets}"

    for key, value in tx.scan_prefix(Table.COPIED, tables.account_key(account)):
        if not 0 < (original := int.from_bytes(value, "big")) < int.from_bytes(key[4:], "big"):
            yield f"message {int.from_bytes(key[4:], 'big')} is called a copy of {original}, a later one"
        if tx.get(Table.COPIED, key[:4] + value) is not None:
            yield f"message {int.from_bytes(key[4:], 'big')} is called a copy of {original}, a copy itself"
    for table in set(message.OF_MESSAGE) - {Table.PLACE}:
        for key, _ in tx.scan_prefix(table, tables.account_key(account)):
            if tx.get(Table.PLACE, key) is None:
                yield f"{table.value} of message {int.from_bytes(key[4:], 'big')}, which has no place"
    for table, expected in (
        (Table.THREAD, expected_threads),
        (Table.MESSAGE_ID, expected_ids),
        (Table.SUBJECT, expected_subjects),
        (Table.REJECT, expected_rejects),
    ):
        if {key for key, _ in tx.scan_prefix(table, tables.account_key(account))} != expected:
            yield f"index {table.value} differs from the messages"
    yield from words.check(tx, account, singletons.next_message)
    yield from junk.verify(tx, account)
    yield from subjectpass.verify(tx, account)
    yield from reject.verify_rescued(tx, account)
    yield from senders.verify(tx, account, expected_judged, received)
    yield from reputation.verify_arrivals(tx, account)


def _mailboxes(
    tx: ReadTx, account: AccountID, boxes: dict[MailboxID, Mailbox], modseq: int, next_uid_validity: int
) -> Iterator[str]:
    live = [box for box in boxes.values() if not box.expunged]
    if not any(box.name == INBOX for box in live) and not tx.account(account).removed:
        yield "there is no Inbox"
    for count in (Counter(box.name for box in live), Counter(box.uid_validity for box in boxes.values())):
        yield from (f"two mailboxes have {value}" for value, number in count.items() if number > 1)
    taken = 0
    expected_names: dict[bytes, int] = {}
    for box in boxes.values():
        if not 0 < box.create_modseq <= box.modseq <= modseq or box.uid_validity >= next_uid_validity:
            yield f"mailbox {box.name} has modseq or UIDVALIDITY out of order"
        if box.expunged:
            if box.roles:
                yield f"removed mailbox {box.name} has roles"
            continue
        if box.roles & taken:
            yield f"mailbox {box.name} has a role of another"
        taken |= box.roles
        parent = boxes.get(box.parent)
        if box.parent and (parent is None or parent.expunged):
            yield f"mailbox {box.name} has lost its parent"
        path = f"{parent.name}/" if parent is not None else ""
        element = box.name[len(path) :]
        if not box.name.startswith(path) or "/" in element or not element:
            yield f"mailbox {box.name} is not named after its parent"
        if list(box.keywords) != sorted(set(box.keywords)):
            yield f"mailbox {box.name} has unsorted keywords"
        expected_names[tables.element_key(account, box.parent, element)] = box.id
    names = {
        key: int.from_bytes(value, "big")
        for key, value in tx.scan_prefix(Table.MAILBOX_NAME, tables.account_key(account))
    }
    if names != expected_names:
        yield "index mailbox_name differs from the mailboxes"
    yield from annotation.verify(tx, account, frozenset(box.id for box in live))

"""The grammar of commands about mailboxes (RFC 9051 §6.3, RFC 3501 §6.3).

LIST with its options is RFC 5258, RFC 5819, RFC 6154, RFC 8440 and RFC 9590; parameters of SELECT are RFC 7162.
"""

from dataclasses import replace

from appliance.protocol.imap import flags
from appliance.protocol.imap.command import (
    Create,
    Delete,
    ListMailboxes,
    ListReturn,
    Lsub,
    QResync,
    Rename,
    Select,
    Status,
)
from appliance.protocol.imap.lexer import CommandError, Lexer, bad
from appliance.protocol.imap.metadata import entries
from appliance.protocol.imap.sequence import LARGEST_NUMBER, SequenceSet

#: RFC 9051 §6.3.11, RFC 3501 §6.3.10, RFC 7162 §3.1.7, RFC 7889 §3, RFC 8474 §4.3, RFC 9208 §4.1.4.
STATUS_ITEMS = frozenset(
    (
        "MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE RECENT APPENDLIMIT HIGHESTMODSEQ DELETED-STORAGE MAILBOXID"
    ).split()
)
#: RFC 5258 §3.1, RFC 6154 §5.2.
SELECTION_OPTIONS = frozenset({"SUBSCRIBED", "RECURSIVEMATCH", "REMOTE", "SPECIAL-USE"})


def parse_select(lexer: Lexer, *, read_only: bool) -> Select:
    """What follows `SELECT ` or `EXAMINE `."""
    mailbox = lexer.mailbox()
    condstore, qresync = False, None
    if lexer.take(b" ("):  # RFC 4466 §2.1
        while True:
            parameter = lexer.word()
            if parameter == "CONDSTORE":
                condstore = True
            elif parameter == "QRESYNC" and qresync is None:
                lexer.space()
                qresync = _qresync(lexer)
            else:
                raise bad("unknown or repeated SELECT parameter")
            if not lexer.take(b" "):
                break
        lexer.expect(b")")
    lexer.end()
    return Select(mailbox, read_only, condstore, qresync)


def _qresync(lexer: Lexer) -> QResync:
    lexer.expect(b"(")
    uid_validity = lexer.positive(LARGEST_NUMBER)
    lexer.space()
    mod_seq = lexer.positive()
    known_uids = sequence_match = None
    more = lexer.take(b" ")
    if more and not lexer.at(b"("):
        known_uids = lexer.sequence_set()
        if known_uids.has_star or known_uids.saved:
            raise bad("known UIDs must be numbers")
        more = lexer.take(b" ")
    if more:
        lexer.expect(b"(")
        numbers = lexer.sequence_set()
        lexer.space()
        uids = lexer.sequence_set()
        lexer.expect(b")")
        if _ascending_count(numbers) != _ascending_count(uids):
            raise bad("as many message numbers as UIDs must be given")
        sequence_match = numbers, uids
    lexer.expect(b")")
    return QResync(uid_validity, mod_seq, known_uids, sequence_match)


def _ascending_count(numbers: SequenceSet) -> int:
    """How many numbers a set holds that must ascend strictly (RFC 7162 §3.2.5.2)."""
    count = previous = 0
    for low, high in numbers.ranges:
        if low is None or high is None or not previous < low <= high:
            break
        count += high - low + 1
        previous = high
    else:
        if count:
            return count
    raise bad("sequence match data must be ascending numbers")


def parse_create(lexer: Lexer) -> Create:
    """What follows `CREATE `."""
    mailbox, supplied = lexer.mailbox_as_supplied(creating=True)
    uses: dict[str, None] = {}
    if lexer.take(b" ("):  # RFC 6154 §3
        if lexer.word() != "USE":
            raise bad("unknown CREATE parameter")
        lexer.expect(b" (")
        if not lexer.at(b")"):
            while True:
                use = lexer.attribute()
                uses[flags.SPECIAL_USES.get(use.lower(), use)] = None
                if len(uses) > lexer.limits.arguments:
                    raise bad("too many special uses")
                if not lexer.take(b" "):
                    break
        lexer.expect(b"))")
    lexer.end()
    return Create(mailbox, tuple(uses), supplied)


def parse_delete(lexer: Lexer) -> Delete:
    """What follows `DELETE `."""
    mailbox, supplied = lexer.mailbox_as_supplied()
    lexer.end()
    return Delete(mailbox, supplied)


def parse_rename(lexer: Lexer) -> Rename:
    """What follows `RENAME `."""
    mailbox, supplied = lexer.mailbox_as_supplied()
    lexer.space()
    new_name = lexer.mailbox()
    lexer.end()
    return Rename(mailbox, new_name, supplied)


def parse_status(lexer: Lexer) -> Status:
    """What follows `STATUS `."""
    mailbox = lexer.mailbox()
    lexer.space()
    items = lexer.words(STATUS_ITEMS)
    lexer.end()
    return Status(mailbox, items)


def parse_lsub(lexer: Lexer) -> Lsub:
    """What follows `LSUB `."""
    reference = lexer.list_mailbox()
    lexer.space()
    pattern = lexer.list_mailbox()
    lexer.end()
    return Lsub(reference, pattern)


def parse_list(lexer: Lexer) -> ListMailboxes:
    """What follows `LIST `."""
    selection: frozenset[str] = frozenset()
    extended = False
    if lexer.at(b"("):
        extended = True
        if not lexer.take(b"()"):
            selection = frozenset(lexer.words(SELECTION_OPTIONS))
        if "RECURSIVEMATCH" in selection and not selection & {"SUBSCRIBED", "SPECIAL-USE"}:
            raise bad("RECURSIVEMATCH needs another selection option")  # RFC 5258 §3.1
        lexer.space()
    reference = lexer.list_mailbox()
    lexer.space()
    patterns = []
    if lexer.take(b"("):
        extended = True
        while True:
            patterns.append(lexer.list_mailbox())
            if len(patterns) > lexer.limits.list_patterns:
                raise CommandError("NO", "too many patterns", code="LIMIT")
            if not lexer.take(b" "):
                break
        lexer.expect(b")")
    else:
        patterns.append(lexer.list_mailbox())
    returns = ListReturn()
    if lexer.take(b" "):
        extended = True
        if lexer.word() != "RETURN":
            raise bad("expected RETURN")
        lexer.expect(b" (")
        if not lexer.at(b")"):
            returns = _list_returns(lexer)
        lexer.expect(b")")
    lexer.end()
    return ListMailboxes(reference, tuple(patterns), selection, returns, extended)


def _list_returns(lexer: Lexer) -> ListReturn:
    returns = ListReturn()
    while True:
        match lexer.word():
            case "SUBSCRIBED":
                returns = replace(returns, subscribed=True)
            case "CHILDREN":
                returns = replace(returns, children=True)
            case "SPECIAL-USE":
                returns = replace(returns, special_use=True)
            case "MYRIGHTS":
                returns = replace(returns, my_rights=True)
            case "STATUS" if not returns.status:
                lexer.space()
                returns = replace(returns, status=lexer.words(STATUS_ITEMS))
            case "METADATA" if not returns.metadata:
                lexer.space()
                if not lexer.at(b"("):
                    raise bad("expected a list of entries")
                returns = replace(returns, metadata=entries(lexer))  # RFC 9590 §3
            case _:
                raise bad("unknown or repeated LIST return option")
        if not lexer.take(b" "):
            return returns
